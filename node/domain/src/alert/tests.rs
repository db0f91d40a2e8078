//! Alerts as a whole: the shipped samples, every rule broken once, canonical bytes, and whom an alert goes to.

use proptest::{collection::vec, prelude::*};

use super::{strategies::any_draft, *};
use crate::{
    catalogue::{
        AckKind, Band, Basis, CancelReason, Event, Kind, Mode, Need, PlaceRole, Segment, Sensitivity, Severity, Urgency,
    },
    ids::AlertId,
    limits::{HEADLINE_CHARS_MAX, ORIGINAL_BYTES_MAX, PLACES_MAX, REFERENCES_MAX, TEXT_CHARS_MAX},
    society::Society,
    time::Time,
};

const SHIPWRECK: &str = include_str!("../../../../config/demo/alert-shipwreck.toml");
const CONVOY: &str = include_str!("../../../../config/demo/alert-convoy.toml");
/// An alert with every field filled in.
const FULLEST: &str = include_str!("fixtures/fullest.toml");
/// Canonical bytes, as hex: a change in these files is a change of the format.
const SMALLEST_HEX: &str = include_str!("fixtures/smallest.hex");
const FULLEST_HEX: &str = include_str!("fixtures/fullest.hex");

fn now() -> Time {
    "2026-11-24T06:30:00+00:00".parse().expect("a time")
}

fn society(code: &str) -> Society {
    code.parse().expect("a Society")
}

fn segment(text: &str) -> Segment {
    text.parse().expect("a segment")
}

fn draft(toml: &str) -> AlertDraft {
    toml::from_str(toml).expect("a draft")
}

/// The least that an alert has to say.
fn smallest() -> AlertDraft {
    draft(
        r#"
        mode = "Actual"
        event = "border.closed"
        urgency = "Expected"
        severity = "Moderate"
        certainty = "Observed"
        expires_at = "+12h"
        source_type = "own_team"
        places = [{ role = "border_crossing", name = "Gogui", country = "ML" }]
        texts = [{ lang = "fr", headline = "Frontière fermée à Gogui" }]
        "#,
    )
}

fn alert(draft: AlertDraft) -> Alert {
    Alert::from_draft(draft, now()).expect("a good draft")
}

/// The smallest draft with one change.
fn changed(change: impl FnOnce(&mut AlertDraft)) -> AlertDraft {
    let mut draft = smallest();
    change(&mut draft);
    draft
}

fn faults_of(draft: AlertDraft) -> Vec<(String, Code)> {
    let faults = Alert::from_draft(draft, now()).err().unwrap_or_default();
    faults.into_iter().map(|fault| (fault.field.unwrap_or_default(), fault.code)).collect()
}

fn reference(sent_at: Time, seed: u8) -> Reference {
    Reference { origin: society("MR"), id: AlertId::new(sent_at, [seed; 10]), sent_at }
}

#[test]
fn the_shipped_samples_are_good_and_say_what_the_border_team_wants_on_one_line() {
    for sample in [SHIPWRECK, CONVOY] {
        let alert = alert(draft(sample));
        assert_eq!(alert.mode, Mode::Exercise);
        assert!(!alert.etas.is_empty() && alert.people.total.is_some());
        assert!(alert.texts.iter().all(|text| text.headline.contains(['1', '3'])));
    }
    let wreck = alert(draft(SHIPWRECK));
    assert_eq!(wreck.people.survivors.map(|count| (count.min, count.best)), Some((141, 141)));
    assert_eq!(wreck.contact.as_ref().and_then(|c| c.phone.as_ref()).map(DutyPhone::as_str), Some("+22245000000"));
}

#[test]
fn a_draft_tells_all_its_faults_at_once_with_their_places() {
    let faults = faults_of(AlertDraft {
        places: vec![Place {
            role: PlaceRole::Current,
            name: "ask 77 123 45 67".into(),
            lang: None,
            latitude: Degrees::new(-17.0362).ok(),
            longitude: Degrees::new(20.9425).ok(),
            precision_km: None,
            country: None,
            admin1: None,
            pcode: Some("MR09".into()),
            pcode_version: None,
            geonames_id: None,
        }],
        ..AlertDraft::default()
    });
    let expected = [
        ("event", Code::MissingField),
        ("expires_at", Code::MissingField),
        ("mode", Code::MissingField),
        ("urgency", Code::MissingField),
        ("severity", Code::MissingField),
        ("certainty", Code::MissingField),
        ("source_type", Code::MissingField),
        ("places[0].name", Code::PersonalData),
        ("places[0].latitude", Code::BadPlace),
        ("places[0].pcode_version", Code::MissingField),
        ("texts", Code::MissingField),
    ];
    assert_eq!(faults, expected.map(|(path, code)| (path.to_owned(), code)));
}

#[test]
fn each_rule_is_told_by_code_and_field() {
    let at = |text: &str| text.parse::<When>().ok();
    let note = |text: &str| Some(text.to_owned());
    let people = |min, best, max| Some(Count { min, max, best, basis: Basis::Counted });
    let text = |change: &dyn Fn(&mut Text)| changed(|d| change(&mut d.texts[0]));
    let place = |change: &dyn Fn(&mut Place)| changed(|d| change(&mut d.places[0]));
    let twice = |d: &mut AlertDraft| d.texts.push(d.texts[0].clone());
    let now = now();
    for (path, code, draft) in [
        ("expires_at", Code::BadTimes, changed(|d| d.expires_at = at("2026-11-24T06:30:00Z"))),
        ("sent_at", Code::BadTimes, changed(|d| d.sent_at = at("+11m"))),
        ("effective_at", Code::BadTimes, changed(|d| d.effective_at = at("+12h"))),
        ("onset_from", Code::BadTimes, changed(|d| d.onset_to = at("+2h"))),
        ("onset_to", Code::BadTimes, changed(|d| (d.onset_from, d.onset_to) = (at("+2h"), at("+1h")))),
        ("ack_by", Code::BadTimes, changed(|d| d.ack_by = at("+1h"))),
        ("supersedes", Code::BadReference, changed(|d| d.kind = Some(Kind::Update))),
        (
            "supersedes",
            Code::BadReference,
            changed(|d| (d.kind, d.supersedes) = (Some(Kind::Alert), vec![reference(now, 1)])),
        ),
        ("supersedes[1]", Code::BadReference, changed(|d| d.supersedes = vec![reference(now, 1); 2])),
        (
            "supersedes[0]",
            Code::BadReference,
            changed(|d| d.supersedes = vec![reference(now.plus(std::time::Duration::from_secs(1)), 1)]),
        ),
        ("incident_id", Code::Malformed, changed(|d| d.incident_id = note("two words"))),
        ("incident_id", Code::PersonalData, changed(|d| d.incident_id = note("221771234567"))),
        ("info_credibility", Code::UnknownCode, changed(|d| d.info_credibility = Some(7))),
        ("places", Code::MissingField, changed(|d| d.places.clear())),
        ("places[0].longitude", Code::BadPlace, place(&|p| p.latitude = Degrees::new(15.0).ok())),
        (
            "places[0].latitude",
            Code::BadPlace,
            place(&|p| (p.latitude, p.longitude) = (Degrees::new(91.0).ok(), Degrees::new(120.0).ok())),
        ),
        ("places[0].precision_km", Code::BadPlace, place(&|p| p.precision_km = Kilometres::new(1.0).ok())),
        (
            "places[0].pcode",
            Code::BadPlace,
            place(&|p| (p.pcode, p.pcode_version) = (Some("MR09".into()), Some("2021".into()))),
        ),
        (
            "places[0].pcode",
            Code::BadPlace,
            place(&|p| (p.pcode, p.pcode_version) = (Some("MLé9".into()), Some("2021".into()))),
        ),
        ("people.dead", Code::Malformed, changed(|d| d.people.dead = people(3, 2, 4))),
        ("people.total", Code::TooLarge, changed(|d| d.people.total = people(1, 2, 1_000_001))),
        (
            "nationalities[0]",
            Code::PersonalData,
            changed(|d| {
                d.nationalities = vec![Nationality { country: "GM".parse().expect("GM"), band: Band::UnderFive }];
            }),
        ),
        (
            "etas[0].place",
            Code::BadPlace,
            changed(|d| {
                d.etas = draft(CONVOY).etas;
            }),
        ),
        (
            "needs[0].priority",
            Code::Malformed,
            changed(|d| d.needs = vec![NeedLine { need: Need::Water, priority: 4, quantity: None }]),
        ),
        (
            "contact",
            Code::MissingField,
            changed(|d| d.contact = draft(CONVOY).contact.map(|c| Contact { mail: None, ..c })),
        ),
        ("access_note", Code::PersonalData, changed(|d| d.access_note = note("ask awa@example.org"))),
        ("texts[1].lang", Code::Malformed, changed(twice)),
        ("texts[0].headline", Code::MissingField, text(&|t| t.headline = " ".into())),
        ("texts[0].headline", Code::TooLarge, text(&|t| t.headline = "x".repeat(HEADLINE_CHARS_MAX + 1))),
        ("texts[0].description", Code::TooLarge, text(&|t| t.description = Some("é".repeat(TEXT_CHARS_MAX + 1)))),
        ("texts[0].description", Code::Malformed, text(&|t| t.description = note("a\u{7}b"))),
        ("texts[0].instruction", Code::PersonalData, text(&|t| t.instruction = note("passport A1234567"))),
        ("distribution", Code::MissingField, changed(|d| d.sensitivity = Some(Sensitivity::PartnersNamed))),
        ("distribution", Code::MissingField, changed(|d| d.event = Some(Event::LandArrestsRaids))),
        ("distribution", Code::Malformed, changed(|d| d.distribution = vec![society("SN"); 2])),
        (
            "original.media_type",
            Code::Malformed,
            changed(|d| d.original = Some(Original { media_type: "xml".into(), bytes: vec![] })),
        ),
    ] {
        assert_eq!(faults_of(draft), [(path.to_owned(), code)], "{path} {code}");
    }
}

#[test]
fn each_limit_holds_at_its_bound_and_not_one_past_it() {
    let references = |n: u8| (0..n).map(|seed| reference(now(), seed)).collect::<Vec<_>>();
    let bound = u8::try_from(REFERENCES_MAX).expect("64");
    assert_eq!(faults_of(changed(|d| d.supersedes = references(bound))), []);
    assert_eq!(faults_of(changed(|d| d.supersedes = references(bound + 1)))[0].1, Code::TooMany);
    let places = |n| changed(|d| d.places = vec![d.places[0].clone(); n]);
    assert_eq!(faults_of(places(PLACES_MAX)), []);
    assert_eq!(faults_of(places(PLACES_MAX + 1)), [("places".to_owned(), Code::TooMany)]);
    let headline = "é".repeat(HEADLINE_CHARS_MAX);
    assert_eq!(faults_of(changed(|d| d.texts[0].headline = headline)), []);
    let original =
        |n| changed(|d| d.original = Some(Original { media_type: "application/cap+xml".into(), bytes: vec![b'x'; n] }));
    assert_eq!(faults_of(original(ORIGINAL_BYTES_MAX)), []);
    assert_eq!(faults_of(original(ORIGINAL_BYTES_MAX + 1)), [("original.bytes".to_owned(), Code::TooLarge)]);
    let full = changed(|d| {
        d.original = Some(Original { media_type: "application/cap+xml".into(), bytes: vec![b'x'; ORIGINAL_BYTES_MAX] });
        d.texts[0].description = Some("ه".repeat(TEXT_CHARS_MAX));
        d.texts[0].instruction = Some("ه".repeat(TEXT_CHARS_MAX));
        d.texts.push(Text { lang: "ar".parse().expect("ar"), ..d.texts[0].clone() });
    });
    assert_eq!(faults_of(full), [("texts".to_owned(), Code::TooLarge)], "each part in bounds, the whole too large");
}

#[test]
fn defaults_are_what_the_draft_says_they_are() {
    let plain = alert(smallest());
    assert_eq!((plain.kind, plain.sensitivity, plain.ack_required), (Kind::Alert, Sensitivity::Network, false));
    assert_eq!(plain.sent_at, now());
    assert_eq!(plain.expires_at, "2026-11-24T18:30:00Z".parse().expect("a time"));
    let raid = alert(changed(|d| (d.event, d.distribution) = (Some(Event::LandArrestsRaids), vec![society("SN")])));
    assert_eq!(raid.sensitivity, Sensitivity::Restricted);
    let update = alert(changed(|d| d.supersedes = vec![reference(now(), 1)]));
    assert_eq!(update.kind, Kind::Update);
}

#[test]
fn files_with_unknown_fields_or_codes_are_refused() {
    for line in [
        "colour = \"red\"",
        "mode = \"actual\"",
        "expires_at = \"tomorrow\"",
        "expires_at = \"+12\"",
        "people = { adults = 1 }",
    ] {
        assert!(toml::from_str::<AlertDraft>(line).is_err(), "{line}");
    }
    assert_eq!("+2d".parse::<When>(), Ok(When::AfterMinutes(2_880)));
    for text in ["+", "+m", "+1w", "+-1h", "+99999999d", "+é"] {
        assert!(text.parse::<When>().is_err(), "{text}");
    }
}

#[test]
fn canonical_bytes_do_not_change_between_releases() {
    for (draft, golden) in [(smallest(), SMALLEST_HEX), (draft(FULLEST), FULLEST_HEX)] {
        let bytes = alert(draft.clone()).to_cbor();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, golden.trim());
        assert_eq!(Alert::from_cbor(&bytes), Ok(alert(draft)));
    }
}

#[test]
fn fields_of_a_later_release_are_passed_over_and_broken_rules_are_not() {
    let bytes = alert(smallest()).to_cbor();
    let mut later = bytes.clone();
    assert_eq!(later[0] & 0xe0, 0xa0, "a short map");
    later[0] += 1;
    later.extend([0x19, 0x03, 0xe8, 0x82, 0x01, 0xa1, 0x01, 0x02]);
    assert_eq!(Alert::from_cbor(&later), Ok(alert(smallest())));
    assert_eq!(Alert::from_cbor(&[&bytes[..], &[0]].concat()).map_err(|r| r.code), Err(Code::Malformed));
    let mut fields = Fields::clone(&alert(smallest()));
    fields.texts[0].headline = "call 77 123 45 67".into();
    let refusal = Alert::from_cbor(&canonical(&fields)).expect_err("a phone number");
    assert_eq!((refusal.code, refusal.field.as_deref()), (Code::PersonalData, Some("texts[0].headline")));
    let too_long = vec![0xff; ALERT_BYTES_MAX + 1];
    assert_eq!(Alert::from_cbor(&too_long).map_err(|r| r.code), Err(Code::TooLarge));
}

#[test]
fn cancellations_and_answers_keep_their_rules_over_the_wire() {
    let alert = AlertId::new(now(), [7; 10]);
    let note: Note = "doublon de l'alerte de Nouadhibou".parse().expect("a note");
    let cancel = AlertCancel { alert, reason: CancelReason::Duplicate, note: Some(note.clone()) };
    assert_eq!(AlertCancel::from_cbor(&cancel.to_cbor()), Ok(cancel));
    assert_eq!(AlertAck::new(alert, AckKind::Error, None).map_err(|r| r.code), Err(Code::MissingField));
    for ack in [AlertAck::new(alert, AckKind::Ack, None), AlertAck::new(alert, AckKind::Error, Some(note))] {
        let ack = ack.expect("a good answer");
        assert_eq!(AlertAck::from_cbor(&ack.to_cbor()), Ok(ack));
    }
    let bare = canonical(&Answer { alert, kind: AckKind::Error, note: None });
    assert!(AlertAck::from_cbor(&bare).is_err(), "an Error without a note is refused from the wire as well");
    let phone = canonical(&(0_u8, "x"));
    assert!(AlertCancel::from_cbor(&phone).is_err());
}

#[test]
fn an_alert_goes_to_whom_it_concerns_and_never_to_its_own_society() {
    let own = society("MR");
    let interest = |code: &str, segments: Option<&[&str]>| PeerInterest {
        society: society(code),
        segments: segments.map(|list| list.iter().map(|text| segment(text)).collect()),
    };
    let peers = [
        interest("SN", Some(&["land.sn-mr", "atl"])),
        interest("ML", Some(&["land.ml-mr.gogui"])),
        interest("GM", Some(&[])),
        interest("NE", None),
        interest("MR", None),
    ];
    let at = |text: &str| changed(|d| d.route_segment = Some(segment(text)));
    let graver = |mut draft: AlertDraft| {
        draft.severity = Some(Severity::Extreme);
        draft
    };
    let named = |mut draft: AlertDraft| {
        draft.distribution = vec![society("TD"), society("MR"), society("GM")];
        draft
    };
    let kept = |mut draft: AlertDraft| {
        draft.sensitivity = Some(Sensitivity::Restricted);
        draft
    };
    let unsent = changed(|d| d.mode = Some(Mode::Draft));
    for (story, draft, expected) in [
        ("subscribers and who declared nothing", at("land.sn-mr.rosso"), "NE SN"),
        ("a wide subscription covers", at("atl.gm-mr"), "NE SN"),
        ("without a segment, everybody", smallest(), "GM ML NE SN"),
        ("extreme, everybody", graver(at("land.sn-mr.rosso")), "GM ML NE SN"),
        ("a distribution wins", named(graver(at("land.sn-mr.rosso"))), "GM TD"),
        ("restricted, by distribution alone", kept(named(smallest())), "GM TD"),
        ("a draft, nobody", unsent, ""),
    ] {
        let codes: Vec<_> = recipients(&alert(draft), own, &peers).iter().map(Society::to_string).collect();
        assert_eq!(codes.join(" "), expected, "{story}");
    }
}

#[test]
fn only_grave_and_real_alerts_are_urgent() {
    for (mode, severity, urgency, urgent) in [
        (Mode::Actual, Severity::Extreme, Urgency::Future, true),
        (Mode::Actual, Severity::Severe, Urgency::Unknown, true),
        (Mode::Actual, Severity::Minor, Urgency::Immediate, true),
        (Mode::Actual, Severity::Moderate, Urgency::Expected, false),
        (Mode::Exercise, Severity::Extreme, Urgency::Immediate, false),
        (Mode::Test, Severity::Extreme, Urgency::Immediate, false),
    ] {
        let draft = changed(|d| (d.mode, d.severity, d.urgency) = (Some(mode), Some(severity), Some(urgency)));
        assert_eq!(is_urgent(&alert(draft)), urgent, "{mode} {severity} {urgency}");
    }
}

proptest! {
    #[test]
    fn an_alert_survives_its_bytes_and_its_draft_unchanged(draft in any_draft()) {
        let alert = alert(draft);
        let bytes = alert.to_cbor();
        let decoded = Alert::from_cbor(&bytes);
        prop_assert_eq!(decoded.as_ref(), Ok(&alert));
        prop_assert_eq!(decoded.expect("as above").to_cbor(), bytes);
        prop_assert_eq!(Alert::from_draft(alert.to_draft(), now()), Ok(alert.clone()));
        let json = serde_json::to_string(&alert).expect("JSON");
        let again: AlertDraft = serde_json::from_str(&json).expect("a draft");
        prop_assert_eq!(Alert::from_draft(again, now()), Ok(alert.clone()));
        let toml = toml::to_string(&alert.to_draft()).expect("TOML");
        prop_assert_eq!(toml::from_str::<AlertDraft>(&toml).expect("a draft"), alert.to_draft());
    }

    #[test]
    fn no_bytes_make_decoding_panic(bytes in vec(any::<u8>(), 0..256)) {
        let _ = Alert::from_cbor(&bytes);
        let _ = AlertCancel::from_cbor(&bytes);
        let _ = AlertAck::from_cbor(&bytes);
    }

    #[test]
    fn no_damage_to_good_bytes_makes_decoding_panic(draft in any_draft(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = alert(draft).to_cbor();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(alert) = Alert::from_cbor(&bytes) {
            prop_assert_eq!(Alert::from_cbor(&alert.to_cbor()), Ok(alert));
        }
    }
}

#[test]
fn what_is_odd_about_a_place_is_a_warning_and_no_refusal() {
    let place = |toml: &str| -> Place { toml::from_str(toml).expect("a place") };
    for (what, toml, code) in [
        ("right", "role='current'\nname='Rosso'\ncountry='MR'\nlatitude=16.51\nlongitude=-15.80", None),
        (
            "off by a sign",
            "role='current'\nname='X'\ncountry='SN'\nlatitude=14.7\nlongitude=17.4",
            Some("outside_country"),
        ),
        (
            "a circle that reaches the country",
            "role='current'\nname='X'\ncountry='SN'\nlatitude=12.64\nlongitude=-8.0\nprecision_km=400",
            None,
        ),
        ("a name alone", "role='current'\nname='rosso'", Some("ambiguous_place")),
        ("a name with its country", "role='current'\nname='Rosso'\ncountry='SN'", None),
        ("a name of one place", "role='current'\nname='Assamaka'", None),
    ] {
        let mut fields = alert(smallest()).0;
        fields.places = vec![place(toml)];
        let found: Vec<_> = warnings(&fields).iter().map(|warning| warning.code).collect();
        assert_eq!(found, code.into_iter().collect::<Vec<_>>(), "{what}");
    }
}
