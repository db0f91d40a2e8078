//! The reader against our own documents: the shipped sample, one document of each kind, one fault at a
//! time, and damage.

use proptest::prelude::*;

use super::{
    write::{Alias, Issued, Message},
    *,
};
use crate::{
    alert::{Alert, strategies::any_draft},
    alert::{AlertCancel, Answer},
    catalogue::{Certainty, PlaceRole, ResponseType, Severity, Urgency, Verification},
    ids::{AlertId, EnvelopeId},
    limits::{ORIGINAL_BYTES_MAX, TEXT_CHARS_MAX, XML_DEPTH_MAX, XML_ELEMENTS_MAX},
};

const SAMPLE: &str = include_str!("../../../../config/demo/alert.cap.xml");
const UPDATE: &str = include_str!("fixtures/update.xml");
const CANCEL: &str = include_str!("fixtures/cancel.xml");

fn now() -> Time {
    "2026-11-24T06:30:00+00:00".parse().expect("a time")
}

fn draft_of(text: &str) -> AlertDraft {
    match read(text.as_bytes(), now(), &CapOptions::default()) {
        Ok(CapImport::Alert { draft, .. }) => *draft,
        other => panic!("{other:?}"),
    }
}

fn faults_of(text: &str) -> Vec<(Code, String)> {
    let faults = read(text.as_bytes(), now(), &CapOptions::default()).err().unwrap_or_default();
    faults.into_iter().map(|fault| (fault.code, fault.message)).collect()
}

#[test]
fn the_shipped_sample_becomes_an_alert_with_its_bytes_beside_it() {
    let alert = Alert::from_draft(draft_of(SAMPLE), now()).expect("a good alert");
    assert_eq!(
        (alert.event, alert.mode, alert.severity),
        (Event::BorderRestricted, Mode::Exercise, Severity::Moderate)
    );
    assert_eq!((alert.source_type, alert.verification), (SourceType::Authority, Verification::Verified));
    assert_eq!(alert.info_credibility, Some(1));
    assert_eq!(alert.sensitivity, Sensitivity::Network, "public elsewhere is not published by us");
    assert_eq!(alert.texts.iter().map(|text| text.lang.as_str()).collect::<Vec<_>>(), ["fr", "ar"]);
    assert_eq!(alert.places.len(), 1, "one area in two languages is one place");
    assert_eq!(alert.places[0].precision_km.map(|precision| precision.kilometres()), Some(3.0));
    assert_eq!(alert.original.as_ref().map(|original| original.bytes.as_slice()), Some(SAMPLE.as_bytes()));
    let marked = format!("\u{feff}{SAMPLE}");
    assert_eq!(
        draft_of(&marked).original.map(|original| original.bytes),
        Some(marked.into_bytes()),
        "the mark included"
    );
}

#[test]
fn the_polygons_of_a_document_are_given_each_once() {
    let ring = "<polygon>16,-15 16,-14 17,-14 16,-15</polygon>";
    let area = |more: &str| format!("<area><areaDesc>x</areaDesc>{ring}{more}</area></info>");
    let info = SAMPLE.matches("</info>").count();
    assert!(info > 1, "two languages, one ring");
    let text = SAMPLE.replace("</info>", &area("<polygon/><polygon>1,2 3,4</polygon>"));
    assert_eq!(polygons(text.as_bytes()), [vec![(16.0, -15.0), (16.0, -14.0), (17.0, -14.0), (16.0, -15.0)]]);
    assert!(polygons(b"<alert/>").is_empty());
}

#[test]
fn an_update_is_read_with_its_references_blocks_and_parameters() {
    let Ok(CapImport::Alert { header, kind, draft }) = read(UPDATE.as_bytes(), now(), &CapOptions::default()) else {
        panic!("an update");
    };
    assert_eq!((kind, header.signed, header.references.len()), (Kind::Update, true, 2));
    assert_eq!(header.references[1].alert(), None, "not of the network");
    let alert = Alert::from_draft(*draft, now()).expect("a good alert");
    assert_eq!((alert.kind, alert.supersedes.len()), (Kind::Update, 1));
    assert_eq!(alert.sent_at, "2026-11-24T06:00:00Z".parse().expect("a time"), "-00:00 is +00:00");
    assert_eq!(
        (alert.severity, alert.urgency, alert.certainty),
        (Severity::Severe, Urgency::Immediate, Certainty::Observed),
        "the gravest block decides"
    );
    assert_eq!(alert.expires_at, "2026-11-24T20:00:00Z".parse().expect("a time"), "the latest expiry holds");
    assert_eq!(alert.texts.len(), 1, "one language, one text");
    assert_eq!(alert.texts[0].headline, "Convoi vers Rosso & Diama : environ 120 personnes");
    assert_eq!(alert.texts[0].description.as_deref(), Some("Trois bus sont partis.\n\nLe premier bus est arrivé."));
    assert_eq!(alert.distribution.iter().map(Society::code).collect::<Vec<_>>(), ["SN", "GM"]);
    assert_eq!((alert.sensitivity, alert.ack_required), (Sensitivity::PartnersNamed, true));
    assert_eq!(alert.people.total.map(|count| (count.min, count.best, count.max)), Some((110, 120, 140)));
    assert_eq!((alert.needs.len(), alert.etas.len(), alert.nationalities.len()), (2, 1, 1));
    assert_eq!(alert.requested_actions[0].response, ResponseType::Prepare);
    let place = &alert.places[0];
    assert_eq!((place.role, place.geonames_id, alert.places.len()), (PlaceRole::HeadingTo, Some(2_246_451), 1));
    assert_eq!(place.latitude.map(|latitude| latitude.degrees()), Some(16.5));
    assert_eq!(alert.incident_id.as_deref(), Some("MR-rosso-1"));
}

#[test]
fn a_cancellation_and_an_answer_are_told_from_an_alert() {
    let read = |text: &str| read(text.as_bytes(), now(), &CapOptions::default());
    assert!(
        matches!(read(CANCEL), Ok(CapImport::Cancel { header, note: Some(_), .. }) if header.references.len() == 1)
    );
    let ack = CANCEL.replace("Cancel", "Ack");
    assert!(matches!(read(&ack), Ok(CapImport::Answer { kind: AckKind::Ack, .. })));
    let error = CANCEL.replace("Cancel", "Error");
    assert!(matches!(read(&error), Ok(CapImport::Answer { kind: AckKind::Error, .. })));
}

#[test]
fn an_operator_says_the_event_of_a_document_that_does_not() {
    let other = SAMPLE.replace("SahelPlus:event:1", "elsewhere");
    assert_eq!(faults_of(&other).iter().map(|fault| fault.0).collect::<Vec<_>>(), [Code::MissingField]);
    let options = CapOptions { event: Some(Event::EnvFlood), source_type: Some(SourceType::Media) };
    let Ok(CapImport::Alert { draft, .. }) = read(other.as_bytes(), now(), &options) else { panic!("an alert") };
    assert_eq!(draft.event, Some(Event::EnvFlood));
    assert_eq!(draft.source_type, Some(SourceType::Authority), "the document says it itself");
}

#[test]
fn each_fault_is_told_with_its_line() {
    let sample = |from: &str, to: &str| SAMPLE.replacen(from, to, 1);
    let deep = format!("{}{}", "<info>".repeat(XML_DEPTH_MAX), "</info>".repeat(XML_DEPTH_MAX));
    let mut wrong = Vec::new();
    for (code, line, text) in [
        (Code::MalformedFile, 1, String::new()),
        (Code::NotCap, 1, "<feed/>".into()),
        (Code::NotCap, 3, sample("cap:1.2", "cap:1.1")),
        (Code::NotCap, 3, sample("cap:1.2", "cap:2")),
        (Code::MalformedFile, 2, sample("<!--", "<!DOCTYPE alert [<!ENTITY a \"b\">]><!--")),
        (Code::MalformedFile, 4, sample("<identifier>", "<identifier>&a;")),
        (Code::MalformedFile, 4, sample("<identifier>", "<identifier a=\"&b;\">")),
        (Code::MalformedFile, 4, sample("<identifier>", "<identifier>&#1;")),
        (Code::MalformedFile, 4, sample("<identifier>", "<x:identifier>")),
        (Code::MalformedFile, 5, sample("</sender>", "</sent>")),
        (Code::MalformedFile, 1, sample("UTF-8", "UTF-16")),
        (Code::MalformedFile, 67, sample("</alert>", "")),
        (Code::MalformedFile, 4, sample("<identifier>", &format!("{deep}<identifier>"))),
        (Code::MalformedFile, 67, format!("{SAMPLE}text")),
        (Code::NotCap, 4, sample("<identifier>", "<colour/><identifier>")),
        (Code::NotCap, 4, sample("<identifier>", "<y xmlns='urn:y'/><identifier>")),
        (Code::NotCap, 5, sample("<sender>", "<identifier>two</identifier><sender>")),
        (Code::Malformed, 4, sample("rosso-bac", "rosso bac")),
        (Code::MalformedTime, 6, sample("08:00:00+00:00", "08:00:00Z")),
        (Code::BadTimes, 6, sample("2026-11-20T08", "2026-11-25T08")),
        (Code::UnknownCode, 7, sample("Exercise", "exercise")),
        (Code::UnknownCode, 8, sample("<msgType>Alert", "<msgType>Alarm")),
        (Code::BadReference, 8, sample("<msgType>Alert", "<msgType>Update")),
        (Code::MissingField, 3, sample("<scope>Public</scope>", "")),
        (Code::PersonalData, 2, sample("fewer ferry", "call +222 22 45 67 89 for the ferry")),
        (Code::PersonalData, 11, sample("Exercice de la", "Mamadou, 77 123 45 67,")),
        (Code::UnknownCode, 23, sample("border.restricted", "border.opened")),
        (Code::Malformed, 38, sample("20/40/60", "twenty")),
        (Code::Malformed, 38, sample("people.total", "people.adults")),
        (Code::BadPlace, 43, sample("16.5069,-15.8080 3", "16.5069 -15.8080 3")),
        (
            Code::PersonalData,
            41,
            sample(
                "<area>",
                "<resource><resourceDesc>x</resourceDesc><mimeType>image/png</mimeType><derefUri>aGk=</derefUri></resource><area>",
            ),
        ),
    ] {
        let faults = faults_of(&text);
        let expected = format!("line {line}: ");
        if !(faults.len() == 1 && faults[0].0 == code && faults[0].1.starts_with(&expected)) {
            wrong.push((code, line, faults));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn references_that_cannot_be_are_refused() {
    let references = "urn:sahelplus:ns:MRT,rosso-bac-2026-3,2026-11-20T08:00:00+00:00";
    for wrong in [
        "urn:sahelplus:ns:MRT,rosso-bac-2026-4,2026-11-20T08:00:00+00:00",
        "urn:sahelplus:ns:MRT,rosso-bac-2026-3,2026-11-24T06:00:01+00:00",
        "urn:sahelplus:ns:MRT,rosso-bac-2026-3",
        "",
    ] {
        let faults = faults_of(&CANCEL.replace(references, wrong));
        assert_eq!(faults.iter().map(|fault| fault.0).collect::<Vec<_>>(), [Code::BadReference], "{wrong}");
    }
    let many = vec![references; REFERENCES_MAX].join(" ");
    assert_eq!(faults_of(&CANCEL.replace(references, &many)), []);
    let one_more = format!("{many} {references}");
    assert_eq!(faults_of(&CANCEL.replace(references, &one_more))[0].0, Code::TooMany);
}

#[test]
fn size_and_number_of_elements_are_bounded() {
    let padded = |size: usize| format!("{SAMPLE}{}", " ".repeat(size - SAMPLE.len()));
    assert_eq!(faults_of(&padded(ORIGINAL_BYTES_MAX)), []);
    assert_eq!(faults_of(&padded(ORIGINAL_BYTES_MAX + 1))[0].0, Code::TooLarge);
    let crowd = SAMPLE.replacen("<code>", &format!("{}<code>", "<code/>".repeat(XML_ELEMENTS_MAX)), 1);
    assert_eq!(faults_of(&crowd)[0].0, Code::MalformedFile);
    let remarks = |length: usize| SAMPLE.replacen("<!--", &format!("<!--{}--><!--", "x".repeat(length)), 1);
    assert_eq!(faults_of(&remarks(TEXT_CHARS_MAX / 2)), []);
    assert_eq!(faults_of(&remarks(TEXT_CHARS_MAX))[0].0, Code::TooLarge);
    let sender_name = |length: usize| {
        SAMPLE.replacen("<headline>", &format!("<senderName>{}</senderName><headline>", "x".repeat(length)), 1)
    };
    assert_eq!(faults_of(&sender_name(TEXT_CHARS_MAX)), []);
    assert_eq!(faults_of(&sender_name(TEXT_CHARS_MAX + 1))[0].0, Code::TooLarge);
    let latin = [SAMPLE.as_bytes(), &[0xe9]].concat();
    let refusal = read(&latin, now(), &CapOptions::default()).expect_err("not UTF-8");
    assert!(refusal[0].message.starts_with("line 67: the bytes are not UTF-8"), "{}", refusal[0].message);
}

/// The alerts with which documents are written here: the samples of every feature.
const FULLEST: &str = include_str!("../alert/fixtures/fullest.toml");
const SHIPWRECK: &str = include_str!("../../../../config/demo/alert-shipwreck.toml");
const CONVOY: &str = include_str!("../../../../config/demo/alert-convoy.toml");

fn society(code: &str) -> Society {
    code.parse().expect("a Society")
}

fn id() -> AlertId {
    AlertId::new(now(), [7; 10])
}

fn native(toml: &str) -> Alert {
    Alert::from_draft(toml::from_str(toml).expect("a draft"), now()).expect("an alert")
}

fn written(alert: &Alert) -> String {
    let issued = Issued { id: id(), origin: society("MR"), alert };
    String::from_utf8(write::alert(&issued, &[], false)).expect("UTF-8")
}

/// The alert without the document that it came from.
fn bare(alert: &Alert) -> Alert {
    Alert::from_draft(AlertDraft { original: None, ..alert.to_draft() }, now()).expect("an alert")
}

#[test]
fn an_alert_of_ours_is_written_by_the_profile_and_reads_back_whole() {
    for toml in [FULLEST, SHIPWRECK, CONVOY] {
        let alert = native(toml);
        let text = written(&alert);
        let read = Alert::from_draft(draft_of(&text), now()).expect("an alert");
        assert_eq!(bare(&read), bare(&alert), "{text}");
        for part in ["<code>SahelPlus:1.0</code>", "<sender>urn:sahelplus:ns:MRT</sender>", "+00:00</expires>"] {
            assert!(text.contains(part), "{part}");
        }
        assert!(text.lines().all(|line| !line.contains("00Z</")), "{text}");
        assert_eq!(text.matches("<language>").count(), alert.texts.len());
    }
}

#[test]
fn what_is_written_of_the_fullest_alert_stays_the_same() {
    insta::assert_snapshot!("fullest", written(&native(FULLEST)));
}

#[test]
fn the_scope_is_never_wider_than_the_sensitivity() {
    for (sensitivity, scope, marking) in [
        ("public", "Public", "CLEAR"),
        ("network", "Restricted", "GREEN"),
        ("partners_named", "Private", "AMBER"),
        ("restricted", "Private", "RED"),
    ] {
        let alert = native(&FULLEST.replace("\"partners_named\"", &format!("\"{sensitivity}\"")));
        let text = written(&alert);
        assert!(
            text.contains(&format!("<scope>{scope}</scope>")) && text.contains(&format!("sp:TLP:{marking}")),
            "{text}"
        );
        assert_eq!(text.contains("<restriction>"), scope == "Restricted");
        assert_eq!(draft_of(&text).sensitivity, Some(alert.sensitivity));
        let claimed = text.replace(&format!("sp:TLP:{marking}"), "sp:TLP:CLEAR");
        let held = draft_of(&claimed).sensitivity.map(|sensitivity| sensitivity.to_string());
        let narrowest = match scope {
            "Public" => "public",
            "Restricted" => "network",
            _ => "partners_named",
        };
        assert_eq!(held.as_deref(), Some(narrowest), "a marking does not widen the scope");
    }
}

#[test]
fn a_cancellation_refers_to_the_triple_of_its_alert_whenever_it_is_written() {
    let alert = native(FULLEST);
    let of = Issued { id: id(), origin: society("MR"), alert: &alert };
    let cancel =
        AlertCancel { alert: id(), reason: CancelReason::Wrong, note: "Le groupe est à <Rosso>".parse().ok() };
    let alias = Alias { triple: "meteo@example.org,other-1,2026-11-24T06:30:00+01:00".into(), sent: now() };
    let message = Message { id: EnvelopeId::new(now(), [8; 10]), by: society("MR"), at: now() };
    let bytes = write::cancel(&message, &cancel, &of, &[alias]);
    let Ok(CapImport::Cancel { header, reason, note }) = read(&bytes, now(), &CapOptions::default()) else {
        panic!("a cancellation");
    };
    assert_eq!((reason, note, header.mode), (Some(CancelReason::Wrong), cancel.note, Mode::Actual));
    let triple = write::triple(&Reference { origin: society("MR"), id: id(), sent_at: alert.sent_at });
    let text = String::from_utf8(bytes).expect("UTF-8");
    assert!(text.contains(&format!("<references>{triple} meteo@example.org")), "{text}");
    assert!(written(&alert).contains(&id().to_string()));
    let known = header.references[0].alert().expect("an alert of the network");
    assert_eq!((known.id, known.origin, known.sent_at), (id(), society("MR"), alert.sent_at));
    let elsewhere = text.replace(&triple, &triple.replace("+00:00", "-00:00"));
    let Ok(CapImport::Cancel { header: again, .. }) = read(elsewhere.as_bytes(), now(), &CapOptions::default()) else {
        panic!("a cancellation");
    };
    assert_eq!(again.references, header.references, "the same instant, whatever its offset");
    let early = Message { at: alert.sent_at.minus(Duration::from_secs(60)), ..message };
    let bytes = write::cancel(&early, &AlertCancel { note: None, ..cancel }, &of, &[]);
    assert!(read(&bytes, now(), &CapOptions::default()).is_ok(), "never sent earlier than its alert");
}

#[test]
fn answers_go_to_the_origin_alone() {
    let alert = native(FULLEST);
    let of = Issued { id: id(), origin: society("MR"), alert: &alert };
    let message = Message { id: EnvelopeId::new(now(), [8; 10]), by: society("FR"), at: now() };
    for (kind, note) in [(AckKind::Ack, None), (AckKind::Error, "Aucun poste à ce nom".parse::<Note>().ok())] {
        let bytes = write::answer(&message, &Answer { alert: id(), kind, note: note.clone() }, &of, &[]);
        let Ok(CapImport::Answer { header, kind: read_kind, note: read_note }) =
            read(&bytes, now(), &CapOptions::default())
        else {
            panic!("an answer");
        };
        assert_eq!((read_kind, read_note), (kind, note));
        assert_eq!(sender_society(&header.sender), Some(society("FR")), "a Society that is no member");
        assert!(String::from_utf8_lossy(&bytes).contains("<addresses>urn:sahelplus:ns:MRT</addresses>"));
    }
}

#[test]
fn what_only_the_original_says_is_told() {
    let Ok(CapImport::Alert { draft, .. }) = read(UPDATE.as_bytes(), now(), &CapOptions::default()) else {
        panic!("an update");
    };
    let alert = Alert::from_draft(*draft, now()).expect("an alert");
    let issued = Issued { id: id(), origin: society("MR"), alert: &alert };
    let found = imported(&issued).expect("imported");
    assert_eq!(found.languages.iter().map(|l| l.as_str()).collect::<Vec<_>>(), ["fr"]);
    assert_eq!(
        alias(issued.alert).expect("a document").triple,
        "spiffe://mr.sahelplus/node,019ab3f1-2c00-7abc-8def-0123456789ac,2026-11-24T06:00:00-00:00"
    );
    assert_eq!(
        found.only_there,
        [
            "Signature",
            "addresses",
            "incidents",
            "info/area/areaDesc",
            "info/area/polygon (2)",
            "info/certainty",
            "info/expires",
            "info/parameter elsewhere",
            "info/severity",
            "info/urgency",
            "references",
        ]
    );
    let sample = Alert::from_draft(draft_of(SAMPLE), now()).expect("an alert");
    let issued = Issued { alert: &sample, ..issued };
    assert_eq!(imported(&issued).expect("imported").only_there, ["note", "scope", "comments"]);
    let own = Alert::from_draft(draft_of(&written(&native(SHIPWRECK))), now()).expect("an alert");
    assert_eq!(imported(&Issued { alert: &own, ..issued }).expect("imported").only_there, Vec::<String>::new());
    let forged = AlertDraft {
        original: Some(Original { media_type: CAP_MEDIA_TYPE.into(), bytes: b"<a/>".to_vec() }),
        ..sample.to_draft()
    };
    let forged = Alert::from_draft(forged, now()).expect("an alert");
    assert_eq!(imported(&Issued { alert: &forged, ..issued }), None, "no CAP");
}

#[test]
fn a_document_does_not_tell_people_one_thing_and_machines_another() {
    let text = written(&native(FULLEST));
    let with = |parameter: &str, value: &str| {
        let pair = format!("<parameter><valueName>{parameter}</valueName><value>{value}</value></parameter><area>");
        faults_of(&text.replacen("<area>", &pair, 1)).iter().map(|fault| fault.0).collect::<Vec<_>>()
    };
    for (parameter, value, code) in [
        ("sp:headline", "Tout va bien", Code::Malformed),
        ("sp:description", "\"Trois bus sont partis", Code::Malformed),
        ("sp:exact", "expires 2026-11-25T06:00:01.500+00:00", Code::BadTimes),
        ("sp:exact", "never 2026-11-25T06:00:01.500+00:00", Code::Malformed),
        ("sp:supersedes", "MR 019ab3f1-2c00-7abc-8def-0123456789ff 2026-11-24T05:00:00+00:00", Code::BadReference),
        ("sp:supersedes", "MR", Code::Malformed),
        ("sp:asked", "Prepare|x", Code::Malformed),
    ] {
        assert_eq!(with(parameter, value), [code], "{parameter} {value}");
    }
}

#[test]
fn the_public_gets_people_in_bands() {
    let alert = native(FULLEST);
    let issued = Issued { id: id(), origin: society("MR"), alert: &alert };
    let text = String::from_utf8(write::alert(&issued, &[], true)).expect("UTF-8");
    assert!(text.contains("sp:people.uasc</valueName><value>&lt;5 reported"), "{text}");
    assert!(text.contains("sp:people.total</valueName><value>100-199 estimated"));
    assert!(draft_of(&text).people.is_empty(), "no figure is made of a band");
}

proptest! {
    #[test]
    fn an_alert_survives_cap_unchanged(draft in any_draft()) {
        let alert = bare(&Alert::from_draft(draft, now()).expect("an alert"));
        let text = written(&alert);
        let read = read(text.as_bytes(), now(), &CapOptions::default());
        let Ok(CapImport::Alert { header, draft, .. }) = read else { panic!("{read:?} {text}") };
        prop_assert_eq!(header.identifier, id().to_string());
        let again = Alert::from_draft(*draft, now()).expect("an alert");
        prop_assert_eq!(bare(&again), alert, "{}", text);
        prop_assert_eq!(written(&again), text, "and is written the same again");
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = read(&bytes, now(), &CapOptions::default());
    }

    #[test]
    fn no_damage_makes_reading_panic(
        at in any::<prop::sample::Index>(), length in 0..40_usize, put in "[<>/&;#!a0. \"\\[\\]?-]{0,6}",
    ) {
        let mut bytes = UPDATE.as_bytes().to_vec();
        let at = at.index(bytes.len());
        let end = bytes.len().min(at + length);
        bytes.splice(at..end, put.bytes());
        if let Ok(CapImport::Alert { draft, .. }) = read(&bytes, now(), &CapOptions::default()) {
            let _ = Alert::from_draft(*draft, now());
        }
    }
}
