//! CAP documents from anybody: the checker, the reader, and what the writer makes of an alert that was read.
//! Touches nothing outside the process.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passerelle_domain::{
    alert::Alert,
    cap::{
        self, CapImport, CapOptions, Verdict,
        write::{self, Issued},
    },
    catalogue::{Event, SourceType},
    ids::AlertId,
    society::MEMBERS,
    time::Time,
};

fuzz_target!(|bytes: &[u8]| {
    let now: Time = "2026-11-24T06:30:00Z".parse().expect("a time");
    let report = cap::check(bytes);
    let stands = matches!(report.verdict, Verdict::Valid | Verdict::ValidWithWarnings);
    let options = CapOptions { event: Some(Event::ReturnConvoyLand), source_type: Some(SourceType::Media) };
    let _ = cap::read(bytes, now, &CapOptions::default());
    let Ok(import) = cap::read(bytes, now, &options) else { return };
    assert!(stands, "what is imported is valid CAP");
    let CapImport::Alert { draft, .. } = import else { return };
    let Ok(alert) = Alert::from_draft(*draft, now) else { return };
    let issued = Issued { id: AlertId::from_bytes([7; 16]), origin: MEMBERS[0].society, alert: &alert };
    assert!(cap::imported(&issued).is_some(), "the original is found again");
    let written = write::alert(&issued, &[], true);
    let report = cap::check(&written);
    let stands = matches!(report.verdict, Verdict::Valid | Verdict::ValidWithWarnings);
    assert!(stands, "what is exported is valid CAP: {:?}", report.findings);
});
