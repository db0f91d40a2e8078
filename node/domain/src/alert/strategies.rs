//! Arbitrary alerts that keep every rule, for property tests: every field, with texts that markup and white space
//! would spoil.

use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{select, subsequence},
};

use super::{
    Action, AlertDraft, Contact, Count, Country, Degrees, EtaDraft, Kilometres, Nationality, NeedLine, Original,
    People, Place, Reference, Text, When,
};
use crate::{
    catalogue::{
        Access, Band, Basis, Certainty, Confidence, DutyPost, Event, Mode, Need, PlaceRole, Reliability, ResponseType,
        Role, SEGMENTS, Sensitivity, Severity, SourceType, TextOrigin, TransportMode, Urgency, Verification,
    },
    ids::AlertId,
    time::Time,
};

/// The instant at which the drafts are taken up.
pub(crate) fn now() -> Time {
    "2026-11-24T06:30:00+00:00".parse().expect("a time")
}

fn after(millis: std::ops::Range<u64>) -> impl Strategy<Value = When> {
    millis.prop_map(|millis| When::At(Time::from_millis(now().millis() + millis)))
}

fn any_words() -> impl Strategy<Value = String> {
    // A letter at one place at least: a text is never blank.
    "[a-zA-Zéèà \t\r\n<>&\"'|;\u{fffe}\u{a0}\\]\\\\]{0,12}[a-zء-ي][a-zß-ÿ \n]{0,12}"
}

fn any_count() -> impl Strategy<Value = Count> {
    (0..1_000_u32, 0..1_000_u32, 0..1_000_u32, select(Basis::ALL)).prop_map(|(min, more, most, basis)| Count {
        min,
        best: min + more,
        max: min + more + most,
        basis,
    })
}

prop_compose! {
    fn any_place()(
        role in select(PlaceRole::ALL),
        name in any_words(),
        lang in option::of(select(vec!["fr", "ar", "ff-Adlm"])),
        point in option::of((10.0..25.0_f64, -17.0..4.0_f64, option::of(0.0..100.0_f64))),
        country in option::of(select(vec!["MR", "FR", "DZ"])),
        admin1 in option::of(any_words()),
        pcode in option::of("[0-9]{1,4}"),
        geonames_id in option::of(1..u32::MAX),
    ) -> Place {
        let point = point.filter(|(latitude, longitude, _)| country.is_none() || latitude > longitude);
        Place {
            role,
            name,
            lang: lang.map(|lang| lang.parse().expect("a language")),
            latitude: point.and_then(|(latitude, ..)| Degrees::new(latitude).ok()),
            longitude: point.and_then(|(_, longitude, _)| Degrees::new(longitude).ok()),
            precision_km: point.and_then(|(.., precision)| Kilometres::new(precision?).ok()),
            country: country.map(|code| code.parse().expect("a country")),
            admin1,
            pcode_version: pcode.is_some().then(|| "2021".to_owned()),
            pcode: pcode.map(|digits| format!("{}{digits}", country.unwrap_or("SN"))),
            geonames_id,
        }
    }
}

prop_compose! {
    fn any_action()(
        response in select(ResponseType::ALL),
        audience in option::of(any_words()),
        text in option::of(any_words()),
    ) -> Action {
        Action { response, audience, text }
    }
}

prop_compose! {
    fn any_text()(
        headline in any_words(),
        event_label in option::of(prop_oneof![any_words(), select(Event::ALL).prop_map(|event| event.label("fr").into())]),
        description in option::of(any_words()),
        instruction in option::of(any_words()),
        origin in select(TextOrigin::ALL),
        reviewed in any::<bool>(),
    ) -> Text {
        Text { lang: "fr".parse().expect("fr"), headline, event_label, description, instruction, origin, reviewed }
    }
}

prop_compose! {
    /// When an alert holds and when it is answered.
    fn any_times()(
        sent_at in after(0..5_000),
        effective_at in option::of(after(0..60_000)),
        onset in option::of((after(0..60_000), option::of(after(60_000..90_000)))),
        expires_at in after(100_000..900_000_000),
        ack in option::of(option::of(after(5_001..900_000))),
        verified_at in option::of(after(0..2_000)),
    ) -> AlertDraft {
        AlertDraft {
            sent_at: Some(sent_at),
            effective_at,
            onset_from: onset.map(|(from, _)| from),
            onset_to: onset.and_then(|(_, to)| to),
            expires_at: Some(expires_at),
            ack_required: ack.map(|_| true),
            ack_by: ack.flatten(),
            verified_at,
            ..AlertDraft::default()
        }
    }
}

prop_compose! {
    /// Who told it, and how grave it is.
    fn any_grades()(
        times in any_times(),
        mode in select(Mode::ALL),
        event in select(Event::ALL),
        triage in (select(Severity::ALL), select(Urgency::ALL), select(Certainty::ALL)),
        source in (select(SourceType::ALL), option::of(select(Reliability::ALL)), option::of(1..=6_u8)),
        verification in (select(Verification::ALL), option::of(select(Role::ALL))),
        access in (option::of(select(Access::ALL)), option::of(any_words())),
        segment in option::of(select(SEGMENTS.to_vec())),
        incident_id in option::of("[A-Z]{2}-[a-z._:]{1,12}"),
        contact in option::of((select(DutyPost::ALL), any::<bool>())),
    ) -> AlertDraft {
        AlertDraft {
            mode: Some(mode),
            event: Some(event),
            severity: Some(triage.0),
            urgency: Some(triage.1),
            certainty: Some(triage.2),
            source_type: Some(source.0),
            source_reliability: source.1,
            info_credibility: source.2,
            verification: Some(verification.0),
            verified_by: verification.1,
            access: access.0,
            access_note: access.1,
            route_segment: segment.map(|segment| segment.parse().expect("a segment")),
            incident_id,
            contact: contact.map(|(role, phone)| Contact {
                role,
                phone: phone.then(|| "+22245000000".parse().expect("a phone")),
                mail: (!phone).then(|| "rosso@croissant-rouge.example".parse().expect("a mailbox")),
            }),
            ..times
        }
    }
}

prop_compose! {
    /// A draft that is an alert.
    pub(crate) fn any_draft()(
        grades in any_grades(),
        places in vec(any_place(), 1..5),
        counts in vec(option::of(any_count()), 12),
        references in vec((any::<u8>(), 0..1_000_u64), 0..4),
        needs in vec((select(Need::ALL), 1..=3_u8, option::of(select(Band::ALL))), 0..4),
        nationalities in subsequence(vec!["GM", "SN", "FR"], 0..=3),
        etas in vec((any::<prop::sample::Index>(), after(0..90_000), option::of(after(90_000..99_000)),
            select(TransportMode::ALL), option::of(select(Confidence::ALL))), 0..3),
        languages in subsequence(vec!["wo", "ff-Adlm", "mey"], 0..=3),
        actions in (vec(any_action(), 0..3), vec(any_action(), 0..3)),
        texts in vec(any_text(), 1..4),
        sensitivity in select(Sensitivity::ALL),
        distribution in subsequence(vec!["BF", "CV", "GM", "FR", "TD"], 1..=5),
        original in option::of(vec(any::<u8>(), 0..64)),
    ) -> AlertDraft {
        let mut references = references;
        references.sort_unstable();
        references.dedup_by_key(|(seed, _)| *seed);
        let columns = ["total", "women", "girls", "boys", "men", "uasc", "pregnant", "disabled", "injured", "dead",
            "missing", "survivors"];
        let mut people = People::default();
        for (name, count) in columns.into_iter().zip(counts) {
            *people.column_mut(name).expect("a column") = count;
        }
        let reference = |(seed, before): (u8, u64)| {
            let sent_at = Time::from_millis(now().millis() - before);
            Reference { origin: distribution[0].parse().expect("a Society"), id: AlertId::new(sent_at, [seed; 10]), sent_at }
        };
        let languages_of_texts = ["fr", "ar", "en-GM"];
        AlertDraft {
            etas: etas.into_iter().map(|(at, from, to, mode, confidence)| {
                EtaDraft { place: at.get(&places).name.clone(), from, to, mode, confidence }
            }).collect(),
            places,
            people,
            supersedes: references.into_iter().map(reference).collect(),
            needs: needs.into_iter().map(|(need, priority, quantity)| NeedLine { need, priority, quantity }).collect(),
            nationalities: nationalities.into_iter().map(|code| Nationality {
                country: code.parse::<Country>().expect("a country"),
                band: Band::FiveToNine,
            }).collect(),
            languages_needed: languages.into_iter().map(|lang| lang.parse().expect("a language")).collect(),
            requested_actions: actions.0,
            offered_actions: actions.1,
            texts: texts.into_iter().zip(languages_of_texts).map(|(text, lang)| {
                Text { lang: lang.parse().expect("a language"), ..text }
            }).collect(),
            sensitivity: Some(sensitivity),
            distribution: distribution.into_iter().map(|code| code.parse().expect("a Society")).collect(),
            original: original.map(|bytes| Original { media_type: "application/cap+xml".into(), bytes }),
            ..grades
        }
    }
}
