//! Two real-looking alerts as a duty officer reads them on a small telephone.

use super::*;
use crate::alert::AlertDraft;

const CONVOY: &str = include_str!("../../../../config/demo/alert-convoy.toml");
const WRECK: &str = include_str!("../../../../config/demo/alert-shipwreck.toml");

fn now() -> Time {
    "2026-11-24T06:30:00Z".parse().expect("a time")
}

fn alert(toml: &str, change: impl FnOnce(&mut AlertDraft)) -> Alert {
    let mut draft: AlertDraft = toml::from_str(toml).expect("a draft");
    change(&mut draft);
    Alert::from_draft(draft, now()).expect("an alert")
}

fn subject(alert: &Alert) -> Subject<'_> {
    let id = "019ab0f2-1c00-7000-8000-00000000ab12".parse().expect("an id");
    Subject { alert, origin: Some("MR".parse().expect("a Society")), id: Some(id), state: Some(Shown::Active) }
}

#[test]
fn the_line_answers_the_border_team_in_its_language() {
    let wreck = alert(WRECK, |_| ());
    let french = line(subject(&wreck), "fr");
    let begin = "EXERCICE - Naufrage; ~160 (150-170) personnes, 141 rescapés; 24/11 07:30-10:30 UTC; \
                 Large de Nouadhibou MR > Nouadhibou MR; femmes ~12 (10-15); blessés ou malades 3, \
                 disparus ~19 (9-29); langues wo, mnk, ff; bateau;";
    assert!(french.starts_with(begin), "{french}");
    for (language, word) in [("en", "EXERCISE - Shipwreck"), ("pt-CV", "EXERCÍCIO - Naufrágio"), ("ar", "تمرين")]
    {
        assert!(line(subject(&wreck), language).starts_with(word), "{language}");
    }
    assert!(line(subject(&wreck), "en").contains("[auto, reviewed] EXERCISE"));
    let arabic = line(subject(&wreck), "ar");
    assert!(arabic.contains("[آلي]") && arabic.contains("\u{2068}Large de Nouadhibou MR\u{2069}"), "{arabic}");
    let (opened, closed) = (arabic.matches('\u{2068}').count(), arabic.matches('\u{2069}').count());
    assert!(opened > 5 && opened == closed);
}

#[test]
fn local_time_stands_before_utc_where_they_differ() {
    for (country, text) in [
        ("SN", "24/11 09:30 UTC"),
        ("CV", "24/11 08:30 (24/11 09:30 UTC)"),
        ("NE", "24/11 10:30 (24/11 09:30 UTC)"),
        ("TD", "24/11 10:30 (24/11 09:30 UTC)"),
    ] {
        let at = "2026-11-24T09:30:00Z".parse().expect("a time");
        let writer = Writer { language: "fr", place_chars_max: 9, whole: true };
        assert_eq!(writer.clock(at, at, Some(country)), text, "{country}");
    }
    let (from, to) = ("2026-11-24T22:00:00Z".parse().expect("a time"), "2026-11-25T02:00:00Z".parse().expect("a time"));
    assert_eq!(stretch(from, to, 0), "24/11 22:00-25/11 02:00");
}

#[test]
fn a_short_message_keeps_to_its_segments_and_loses_the_least() {
    for toml in [CONVOY, WRECK] {
        let alert = alert(toml, |_| ());
        for language in ["fr", "en", "pt", "ar"] {
            for segments_max in 1..=6 {
                let Ok(sms) = sms(subject(&alert), language, segments_max, false) else {
                    assert!(segments_max == 1 || language == "ar", "{language} {segments_max}");
                    continue;
                };
                assert!(sms.cost.segments <= segments_max);
                assert_eq!(sms.cost, cost(&sms.text));
                assert!(["EXERCI", "EXERCÍ", "تمرين"].iter().any(|word| sms.text.starts_with(word)), "{}", sms.text);
            }
        }
        let plain = sms(subject(&alert), "fr", 1, true).expect("it fits");
        assert_eq!((plain.cost.encoding, plain.cost.segments), (Encoding::Gsm7, 1));
        assert!(plain.left_out > 0);
        let refused = sms(subject(&alert), "ar", 3, true).expect_err("Arabic has no GSM letters");
        assert_eq!(refused.code, Code::Malformed);
    }
}

#[test]
fn what_must_not_be_mistaken_is_never_left_out() {
    let alert = alert(WRECK, |draft| {
        draft.verification = Some(Verification::Refuted);
        draft.sensitivity = Some(Sensitivity::Restricted);
        draft.distribution = vec!["SN".parse().expect("a Society")];
    });
    let subject = Subject { state: Some(Shown::Cancelled), ..subject(&alert) };
    let sms = sms(subject, "en", 2, false).expect("it fits");
    assert!(sms.text.starts_with("EXERCISE - CANCELLED - DO NOT SHARE - REFUTED - Shipwreck"), "{}", sms.text);
}

#[test]
fn what_cannot_fit_is_refused() {
    let alert = alert(WRECK, |_| ());
    let refused = sms(subject(&alert), "fr", 0, false).expect_err("nothing fits into nothing");
    assert_eq!((refused.code, refused.field.as_deref()), (Code::TooLarge, Some("max_segments")));
}
