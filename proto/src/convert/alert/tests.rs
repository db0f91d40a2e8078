//! A draft comes through the wire as it was, and what is no value of its field is named.

use passerelle_domain::{alert::Alert, refusal::Code};

use super::*;

const SAMPLES: [&str; 3] = [
    include_str!("../../../../node/domain/src/alert/fixtures/fullest.toml"),
    include_str!("../../../../config/demo/alert-shipwreck.toml"),
    include_str!("../../../../config/demo/alert-convoy.toml"),
];

fn now() -> Time {
    "2026-11-24T06:30:00+00:00".parse().expect("a time")
}

#[test]
fn an_alert_means_the_same_on_both_sides_of_the_wire() {
    for sample in SAMPLES {
        let draft: AlertDraft = toml::from_str(sample).expect("a draft");
        let here = Alert::from_draft(draft.clone(), now()).expect("a good draft");
        let there = alert_draft(alert_message(draft, now())).expect("a good message");
        assert_eq!(Alert::from_draft(there, now()), Ok(here));
    }
}

#[test]
fn a_message_that_says_nothing_fills_nothing_in() {
    assert_eq!(alert_draft(v1::Alert::default()), Ok(AlertDraft::default()));
    assert_eq!(alert_message(AlertDraft::default(), now()), v1::Alert::default());
}

#[test]
fn everything_that_does_not_fit_is_named_at_once() {
    let message = v1::Alert {
        event: "sea.party".into(),
        info_credibility: 256,
        expires_at: Some(prost_types::Timestamp { seconds: -1, nanos: 0 }),
        supersedes: vec![v1::AlertReference { origin: "Senegal".into(), ..Default::default() }],
        places: vec![
            v1::Place { role: "occurred".into(), ..Default::default() },
            v1::Place {
                latitude: Some(f64::NAN),
                precision_km: Some(-1.0),
                geonames_id: u64::MAX,
                ..Default::default()
            },
        ],
        people: Some(v1::People { dead: Some(v1::Count::default()), ..Default::default() }),
        etas: vec![v1::Eta::default()],
        contact: Some(v1::Contact { post: "the mayor".into(), ..Default::default() }),
        distribution: vec![String::new()],
        ..Default::default()
    };
    let faults = alert_draft(message).expect_err("nothing of it fits");
    let mut found: Vec<_> = faults.iter().map(|one| (one.field.as_deref().unwrap_or_default(), one.code)).collect();
    found.sort_unstable_by_key(|(path, _)| *path);
    assert_eq!(
        found,
        [
            ("contact.post", Code::UnknownCode),
            ("distribution[0]", Code::MissingField),
            ("etas[0].from", Code::MissingField),
            ("etas[0].transport", Code::MissingField),
            ("event", Code::UnknownCode),
            ("expires_at", Code::MalformedTime),
            ("info_credibility", Code::Malformed),
            ("people.dead.basis", Code::MissingField),
            ("people.dead.best", Code::MissingField),
            ("places[1].geonames_id", Code::Malformed),
            ("places[1].latitude", Code::BadPlace),
            ("places[1].precision_km", Code::BadPlace),
            ("places[1].role", Code::MissingField),
            ("supersedes[0].id", Code::MissingField),
            ("supersedes[0].origin", Code::MalformedSociety),
            ("supersedes[0].sent_at", Code::MissingField),
        ]
    );
}
