//! The public feed: which alerts may stand in it and for how long, and the feed as Atom (RFC 4287). The same entries
//! always give the same bytes.

use std::{fmt::Write as _, time::Duration};

use quick_xml::escape::escape;

use super::{
    CAP_MEDIA_TYPE,
    form::{one_line, shortened},
    quote::plain,
    sender,
};
use crate::{
    alert::{Alert, life::State},
    catalogue::{Mode, Sensitivity},
    ids::EnvelopeId,
    limits::FEED_SUMMARY_CHARS_MAX,
    rows::AlertRow,
    society::Society,
    time::Time,
};

/// The name of the feed below its address.
pub const FEED_NAME: &str = "feed.atom";
/// The media type of the feed.
pub const ATOM_MEDIA_TYPE: &str = "application/atom+xml";
/// The folder of the documents below the address of the feed.
pub const DOCUMENTS: &str = "cap";

/// Whether an alert may be shown to everybody: it is public, and it is meant.
#[must_use]
pub fn is_public(alert: &Alert) -> bool {
    alert.sensitivity == Sensitivity::Public && alert.mode == Mode::Actual
}

/// Until when an alert stands in the feed of its origin `own`; absent when it never may. `ended` is when it was
/// superseded or cancelled, where it was; `linger` is how long it stays after its end, so that readers who come
/// seldom see that end.
#[must_use]
pub fn listed_until(row: &AlertRow, own: Society, ended: Option<Time>, linger: Duration) -> Option<Time> {
    // What is erased, held or a draft is nobody's to read.
    let shown = matches!(row.state, State::Active | State::Superseded | State::Cancelled);
    let end = ended.map_or(row.expires_at, |ended| ended.min(row.expires_at));
    (row.origin == own && row.mode == Mode::Actual && shown).then(|| end.plus(linger))
}

/// The feed itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The Society whose alerts they are.
    pub society: Society,
    /// Its title.
    pub title: String,
    /// Where it is reached, without a slash at the end.
    pub base_url: String,
    /// When something was last changed in it, where it has no entry: the begin of the journal.
    pub begun: Time,
}

/// One message in the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedEntry {
    /// The message: the alert's id, or that of the envelope that cancelled it.
    pub id: EnvelopeId,
    /// CAP `msgType`: Alert, Update or Cancel.
    pub message: &'static str,
    /// BCP 47 tag of the language of title and summary.
    pub language: String,
    /// The headline.
    pub title: String,
    /// The beginning of the description.
    pub summary: String,
    /// When the journal took the message up.
    pub updated: Time,
}

impl FeedEntry {
    /// The entry of a message about `alert`.
    #[must_use]
    pub fn of(alert: &Alert, id: EnvelopeId, message: &'static str, updated: Time) -> Self {
        let text = alert.texts.first();
        let line = |text: &str| one_line(&plain(text));
        let title = text.map(|text| line(&text.headline)).unwrap_or_default();
        let said = text.and_then(|text| text.description.as_deref().or(text.instruction.as_deref()));
        Self {
            id,
            message,
            language: text.map(|text| text.lang.to_string()).unwrap_or_default(),
            title: if message == "Cancel" { format!("Cancel: {title}") } else { title },
            summary: shortened(&line(said.unwrap_or_default()), FEED_SUMMARY_CHARS_MAX),
            updated,
        }
    }
}

/// The name of a message's document below the address of the feed.
#[must_use]
pub fn document_name(id: EnvelopeId) -> String {
    format!("{DOCUMENTS}/{id}.xml")
}

/// The message whose document has this name.
#[must_use]
pub fn document_id(name: &str) -> Option<EnvelopeId> {
    let id = name.strip_prefix(DOCUMENTS)?.strip_prefix('/')?.strip_suffix(".xml")?.parse().ok()?;
    // One address a document: an id can be written in several ways.
    (document_name(id) == name).then_some(id)
}

/// The feed with its entries, the newest first. The entries' order does not matter.
#[must_use]
pub fn write(feed: &Feed, entries: &[FeedEntry]) -> Vec<u8> {
    let mut entries: Vec<&FeedEntry> = entries.iter().collect();
    entries.sort_by_key(|entry| std::cmp::Reverse((entry.updated, entry.id)));
    let updated = entries.first().map_or(feed.begun, |entry| entry.updated);
    let name = feed.society.member().map_or(feed.society.code(), |member| member.name);
    let base = escape(&feed.base_url);
    let mut xml =
        String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n");
    let mut line = |text: String| {
        xml.push_str(&text);
        xml.push('\n');
    };
    line(format!("  <id>{}/feed</id>", sender(feed.society)));
    line(format!("  <title>{}</title>", escape(plain(&feed.title))));
    line(format!("  <updated>{updated}</updated>"));
    line(format!("  <author><name>{}</name></author>", escape(name)));
    line(format!("  <link rel=\"self\" type=\"{ATOM_MEDIA_TYPE}\" href=\"{base}/{FEED_NAME}\"/>"));
    line("  <generator>Passerelle</generator>".to_owned());
    for entry in entries {
        line(entry_xml(entry, &base));
    }
    line("</feed>".to_owned());
    xml.into_bytes()
}

fn entry_xml(entry: &FeedEntry, base: &str) -> String {
    let FeedEntry { id, message, language, title, summary, updated } = entry;
    let mut xml = format!("  <entry xml:lang=\"{}\">\n    <id>urn:uuid:{id}</id>\n", escape(language));
    let mut put = |text: std::fmt::Arguments<'_>| {
        // Writing to a String does not fail.
        let _ = xml.write_fmt(text);
    };
    put(format_args!("    <title>{}</title>\n", escape(title)));
    put(format_args!("    <updated>{updated}</updated>\n"));
    put(format_args!("    <category scheme=\"{}:msgType\" term=\"{message}\"/>\n", super::CAP_NAMESPACE));
    if !summary.is_empty() {
        put(format_args!("    <summary>{}</summary>\n", escape(summary)));
    }
    let document = document_name(*id);
    put(format_args!("    <link rel=\"alternate\" type=\"{CAP_MEDIA_TYPE}\" href=\"{base}/{document}\"/>\n"));
    xml.push_str("  </entry>");
    xml
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alert::{AlertDraft, When},
        catalogue::{Event, Severity, Urgency},
        digest::Digest,
        ids::{AlertId, EntryIndex},
    };

    const NOW: Time = Time::from_millis(1_795_500_000_000);

    fn alert(change: impl FnOnce(&mut AlertDraft)) -> Alert {
        let mut draft: AlertDraft =
            toml::from_str(include_str!("../../../../config/demo/alert-convoy.toml")).expect("a draft");
        draft.sent_at = Some(When::At(NOW));
        change(&mut draft);
        Alert::from_draft(draft, NOW).expect("an alert")
    }

    fn society(code: &str) -> Society {
        code.parse().expect("a Society")
    }

    fn row(state: State, mode: Mode) -> AlertRow {
        AlertRow {
            entry: EntryIndex(3),
            digest: Digest::of(b""),
            origin: society("SN"),
            state,
            expires_at: NOW.plus(Duration::from_secs(7_200)),
            event: Event::ALL[0],
            severity: Severity::Severe,
            urgency: Urgency::Expected,
            mode,
            superseded_by: None,
            cancelled: None,
            deliveries: Vec::new(),
            sent_at: Some(NOW),
            parents: None,
            children: None,
            held_since: None,
            ack: None,
            redacted: None,
            escalation: None,
        }
    }

    #[test]
    fn only_public_and_actual_alerts_are_shown_whatever_else_they_are() {
        for sensitivity in Sensitivity::ALL.iter().copied() {
            for mode in Mode::ALL.iter().copied() {
                let alert = alert(|draft| {
                    draft.sensitivity = Some(sensitivity);
                    draft.mode = Some(mode);
                    for text in &mut draft.texts {
                        text.headline = format!("EXERCISE. {}", text.headline);
                    }
                });
                let shown = sensitivity == Sensitivity::Public && mode == Mode::Actual;
                assert_eq!(is_public(&alert), shown, "{sensitivity} {mode}");
            }
        }
    }

    #[test]
    fn an_alert_leaves_some_time_after_its_end_and_what_has_no_reader_is_never_there() {
        let (own, hour) = (society("SN"), Duration::from_secs(3_600));
        let expires = NOW.plus(hour * 2);
        for state in State::ALL.iter().copied() {
            let until = listed_until(&row(state, Mode::Actual), own, None, hour);
            let shown = matches!(state, State::Active | State::Superseded | State::Cancelled);
            assert_eq!(until, shown.then(|| expires.plus(hour)), "{state}");
            assert_eq!(listed_until(&row(state, Mode::Actual), society("GM"), None, hour), None, "of another Society");
            assert_eq!(listed_until(&row(state, Mode::Exercise), own, None, hour), None, "an exercise");
        }
        let cancelled = row(State::Cancelled, Mode::Actual);
        assert_eq!(listed_until(&cancelled, own, Some(NOW), hour), Some(NOW.plus(hour)));
        let late = Some(expires.plus(hour * 10));
        assert_eq!(listed_until(&cancelled, own, late, hour), Some(expires.plus(hour)), "it had expired before");
    }

    #[test]
    fn the_feed_is_atom_with_a_link_to_each_document_the_newest_first() {
        let alert = alert(|draft| {
            draft.texts[0].headline = "Rosso <closed> & \"wet\"".to_owned();
            draft.texts[0].instruction = Some("Stay\n  away.".to_owned());
        });
        let id = AlertId::new(NOW, [7; 10]);
        let cancel = EnvelopeId::new(NOW.plus(Duration::from_secs(5)), [8; 10]);
        let entries = [
            FeedEntry::of(&alert, id.into(), "Alert", NOW),
            FeedEntry::of(&alert, cancel, "Cancel", NOW.plus(Duration::from_secs(5))),
        ];
        let feed = Feed {
            society: society("SN"),
            title: "Alerts & more".to_owned(),
            base_url: "https://croix-rouge.example/alerts".to_owned(),
            begun: NOW,
        };
        let text = String::from_utf8(write(&feed, &entries)).expect("UTF-8");
        insta::assert_snapshot!(text);
        let backwards: Vec<FeedEntry> = entries.iter().rev().cloned().collect();
        assert_eq!(write(&feed, &backwards), text.into_bytes(), "the order does not matter");
        let empty = String::from_utf8(write(&feed, &[])).expect("UTF-8");
        assert!(empty.contains(&format!("<updated>{NOW}</updated>")) && !empty.contains("<entry"));
    }

    #[test]
    fn a_document_has_one_name() {
        let id = EnvelopeId::new(NOW, [0xab; 10]);
        let name = document_name(id);
        assert_eq!(document_id(&name), Some(id));
        let loud = name.to_uppercase();
        for other in ["cap/../feed.atom", "cap/", "cap/x.xml", "feed.atom", "cap//x.xml", loud.as_str()] {
            assert_eq!(document_id(other), None, "{other}");
        }
        let braced = format!("cap/{{{id}}}.xml");
        assert_eq!(document_id(&braced), None);
    }
}
