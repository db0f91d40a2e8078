//! What the warning world sends: CAP documents and feeds of them, from anybody. Touches nothing but a store in memory.

use passerelle_domain::{
    alert::Alert,
    brief::{self, Subject},
    cap::{
        self, CapImport, CapOptions, Format, Verdict,
        atom::{self, FeedEntry},
        feed::{self as feeds, Polled},
        polled,
        write::{self, Issued},
    },
    catalogue::{Event, SourceType},
    ids::AlertId,
    limits::{POLLED_ENTRIES_MAX, URL_BYTES_MAX},
};
use passerelle_node::store::{memory::MemoryStore, view::View};

use super::{base, tells_nothing};

const OPTIONS: CapOptions = CapOptions { event: Some(Event::ReturnConvoyLand), source_type: Some(SourceType::Media) };

fn stands(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Valid | Verdict::ValidWithWarnings)
}

/// The checker, the reader, and what the writers make of an alert that was read.
pub(super) fn cap(bytes: &[u8]) {
    let report = cap::check(bytes);
    assert!(report.format == Format::Cap12 || !stands(report.verdict), "what stands is CAP 1.2");
    let now = base::NOW;
    let _ = cap::read(bytes, now, &CapOptions::default());
    let Ok(import) = cap::read(bytes, now, &OPTIONS) else { return };
    assert!(stands(report.verdict), "what is imported is valid CAP");
    let CapImport::Alert { draft, .. } = import else { return };
    let Ok(alert) = Alert::from_draft(*draft, now) else { return };
    let issued = Issued { id: AlertId::from_bytes([7; 16]), origin: base::own(), alert: &alert };
    assert!(cap::imported(&issued).is_some(), "the original is found again");
    let written = write::alert(&issued, &[], true);
    let report = cap::check(&written);
    assert!(stands(report.verdict), "what is exported is valid CAP: {:?}", report.findings);
    let entry = FeedEntry::of(&alert, issued.id.into(), "Alert", now);
    let feed = atom::Feed { society: base::own(), title: "Alerts".into(), base_url: "https://a.gm".into(), begun: now };
    let read = feeds::read(&atom::write(&feed, &[entry]));
    assert!(read.is_ok_and(|feed| feed.entries.len() == 1), "our own feed is read");
    let _ = cap::polygons(bytes);
    for language in ["fr", "en", "pt", "ar"] {
        let subject = Subject { alert: &alert, origin: None, id: None, state: None };
        let line = brief::line(subject, language);
        assert!(!line.is_empty());
        for gsm in [false, true] {
            if let Ok(sms) = brief::sms(subject, language, 1, gsm) {
                assert!(sms.cost.segments <= 1, "a short message is one");
            }
        }
    }
}

/// A feed, and the documents in it.
pub(super) fn feed(bytes: &[u8]) {
    let feed = match feeds::read(bytes) {
        Ok(feed) => feed,
        Err(refusal) => return tells_nothing(&refusal),
    };
    assert!(feed.entries.len() <= POLLED_ENTRIES_MAX);
    let store = MemoryStore::new();
    for entry in feed.entries.into_iter().take(8) {
        match entry.document {
            Polled::At(address) => assert!(address.len() <= URL_BYTES_MAX),
            Polled::Here(document) => {
                let _ = polled::take(&document, base::NOW, base::own(), &OPTIONS, &View::of(&store));
            }
        }
    }
}
