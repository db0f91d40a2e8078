//! The canonical bytes of cards, requests of persons and breaches, frozen like those above.

use super::{Frozen, NOW, digest, handover, society};
use crate::{
    catalogue::{DataCategory, Right, Section},
    entry::Body,
    envelope::Lane,
    handover::CaseShortCode,
    ids::{EntryIndex, Position, RequestId},
    rights::{
        Breach, CardRow, CardSecret, CorrectionEntry, CorrectionRow, Held, News, Outcome, ReadMark, ReadsRow,
        RequestHolder, RequestReason, RequestRow, RightsEntry, RightsMessage, SubjectRequest, Topic, Via,
    },
    rows::Delivery,
};

fn code() -> CaseShortCode {
    CaseShortCode::from_entropy([1, 2, 3, 4, 5])
}

pub(super) fn request() -> SubjectRequest {
    SubjectRequest {
        id: RequestId::new(NOW, [6; 10]),
        right: Right::Complaint,
        via: Via::Representative,
        card_of: society("GM"),
        code: code(),
        taken_by: society("ML"),
        received_at: NOW,
        due: NOW.plus(SubjectRequest::DUE_WITHIN),
        topic: Some(Topic::Staff),
        sections: vec![Section::Contact],
        note: Some("A meeting is wished for".parse().expect("a note")),
    }
}

pub(super) fn message() -> RightsMessage {
    RightsMessage { request: request(), news: News::Asked { proof: digest(3) } }
}

#[test]
fn the_bytes_of_the_rights_of_a_person_are_frozen() {
    let mut frozen = Frozen::new("rights", include_str!("../../fixtures/rights.hex"));
    let id = request().id;
    let reason = Some(RequestReason::Unfounded);
    let breach = Breach {
        node: society("ML"),
        detected_at: NOW,
        contained_at: Some(NOW),
        categories: vec![DataCategory::ALL[0]],
        subjects: 12,
        peers_told: vec![society("ML")],
        authority_told_at: Some(NOW),
        subjects_told_at: None,
    };
    let bodies = [
        Body::Rights(RightsEntry::CardMade { handover: handover(), code: code(), digest: digest(1) }),
        Body::Rights(RightsEntry::Taken { request: id, digest: digest(2) }),
        Body::Rights(RightsEntry::Opened { request: id, code: code() }),
        Body::Rights(RightsEntry::Answered { request: id, outcome: Outcome::Refused, reason }),
        Body::Rights(RightsEntry::Read { request: id }),
        Body::Rights(RightsEntry::CheckFailed { code: code() }),
        Body::Breach(breach),
    ];
    bodies.iter().for_each(|body| frozen.holds(body));
    let sections = || vec!["contact".to_owned()];
    let read = || ReadMark { at: NOW, purpose: "svc.transport".into(), sections: sections() };
    let held = Held { sections: sections(), since: Some(NOW), reads: vec![read()], onward: vec![society("NE")] };
    let (holder, handover) = (society("ML"), Some(handover()));
    let answered = News::Answered { holder, handover, outcome: Outcome::Done, reason: None, held: Some(held) };
    let due = News::Due { handover: super::handover() };
    let entries = [
        CorrectionEntry::Kept { request: id, place: super::package() },
        CorrectionEntry::Applied {
            request: id,
            handover: super::handover(),
            package: super::package(),
            sections: sections(),
        },
        CorrectionEntry::Destroyed { request: id },
    ];
    entries.into_iter().for_each(|entry| frozen.holds(&Body::Correction(entry)));
    frozen.holds(&CorrectionRow {
        kept: Some(super::package()),
        sent: vec![digest(6)],
        applied: Some(EntryIndex(8)),
        destroyed: Some(EntryIndex(9)),
    });
    for news in [News::Asked { proof: digest(3) }, due, answered] {
        frozen.holds(&RightsMessage { request: request(), news });
    }
    frozen.holds(&CardSecret { answer: digest(4), word: Some(digest(5)) });
    frozen.holds(&CardRow { made: Some((super::handover(), EntryIndex(7))), wrong: 2, wrong_at: NOW });
    frozen.holds(&ReadsRow { reads: vec![read()] });
    let told = Some(Delivery { peer: society("ML"), lane: Lane::Routine, position: Position(3) });
    let answer = Some((Outcome::Refused, NOW, EntryIndex(9)));
    let holders = vec![RequestHolder { society: holder, handover, told, answer, reason }];
    let (entry, opened, asked) = (EntryIndex(7), Some(EntryIndex(8)), told);
    frozen.holds(&RequestRow { entry, request: request().outline(), opened, holders, asked, said: vec![entry] });
    frozen.ends("rights");
}
