//! The canonical bytes of what withdrawals and erasures write and send, and of the residues that stay, frozen like those
//! above.

use super::{Frozen, NOW, consent, digest, handover, package, receipt, society};
use crate::{
    catalogue::{
        AckKind, AgeBand, CancelReason, CollectionMethod, DataCategory, Event, HandoverKind, Mode, Purpose, Service,
        Severity, Urgency,
    },
    consent::{Actor as ConsentActor, ConsentEvent, EventKind, Scope},
    entry::{Actor, Body, ForgetReason, Owed},
    envelope::{Kind, Lane},
    fold::{AlertOutline, OfferOutline, Residue},
    handover::{Group, HandoverAnswer, HandoverStep, Step, Verdict},
    ids::{AlertId, EntryIndex, Position},
    rows::{AckWanted, CaseRow, Delivery, Ended, KnownEvent, LaneItem, Resting, UseRow},
    withdrawal::{KeepReason, Kept, News, Part, WithdrawalMessage},
};

fn narrowed() -> Scope {
    Scope {
        purposes: vec![Purpose::Shelter],
        recipients: vec![society("ML").into()],
        categories: vec![DataCategory::Destination],
    }
}

fn event(scope: Option<Scope>) -> ConsentEvent {
    ConsentEvent {
        at: NOW,
        kind: if scope.is_some() { EventKind::WithdrawPart } else { EventKind::Withdraw },
        actor: ConsentActor::Person,
        recorded_by: society("ML"),
        method: Some(CollectionMethod::ALL[0]),
        scope,
    }
}

fn kept() -> Vec<Kept> {
    vec![
        Kept { part: Part::Journal, reason: KeepReason::ServiceLog },
        Kept { part: Part::CaseKey, reason: KeepReason::LegalHold },
    ]
}

#[test]
fn the_bytes_of_withdrawals_are_frozen() {
    let mut frozen = Frozen::new("withdrawals", include_str!("../../fixtures/withdrawals.hex"));
    let (consent, handover, case) = (consent().id, handover(), package().case);
    let owed = Owed { consent, handover, to: society("ML") };
    for body in [
        Body::ConsentEvent { consent, digest: digest(4) },
        Body::ErasureDue { case, owed: vec![owed] },
        Body::CaseErased { case },
        Body::ErasureHeld { case },
        Body::DeliveryWithheld {
            peer: society("ML"),
            lane: Lane::Bulk,
            position: Position(3),
            code: "withdrawn".into(),
        },
        Body::Forgotten { reason: ForgetReason::Withdrawn, objects: vec![(EntryIndex(3), digest(3))] },
    ] {
        frozen.holds(&body);
    }
    frozen.holds(&Actor::Program("import".into()));
    let (entry, hash, kind) = (EntryIndex(20), digest(5), Kind::HandoverRelease);
    frozen.holds(&LaneItem { entry, hash, kind, ended: Some(Ended::Withheld), expires_at: None });
    frozen.holds(&event(None));
    frozen.holds(&event(Some(narrowed())));
    for news in [
        News::Notice,
        News::Stopped { onward: vec![society("GM")] },
        News::Erased { at: NOW, erased: vec![Part::CaseKey, Part::SealedFiles], kept: kept() },
    ] {
        frozen.holds(&WithdrawalMessage { consent, handover, event: event(None), news });
    }
    let resting = Resting {
        handover,
        other: society("ML"),
        to: society("ML"),
        purposes: vec![Purpose::Transport],
        categories: vec![DataCategory::Destination],
        stopped: Some(EntryIndex(4)),
        notice: Some(Delivery { peer: society("ML"), lane: Lane::Urgent, position: Position(1) }),
        told_at: Some(NOW),
        answered_at: Some(NOW),
        onward: vec![society("GM")],
        erased_at: Some(NOW),
        kept: kept(),
    };
    let known = |whole| {
        let (entry, digest, by) = (EntryIndex(5), digest(5), society("ML"));
        KnownEvent { entry, digest, by, proven: true, whole }
    };
    frozen.holds(&UseRow::default());
    frozen.holds(&UseRow {
        events: vec![known(false), known(true)],
        whole: true,
        withdrawn: narrowed(),
        resting: vec![resting],
    });
    frozen.holds(&CaseRow::default());
    frozen.holds(&CaseRow {
        handovers: vec![handover],
        consents: vec![consent],
        owed: vec![owed],
        due: Some(EntryIndex(6)),
        held: Some(EntryIndex(7)),
        erased: Some(EntryIndex(8)),
        requests: vec![crate::ids::RequestId::new(NOW, [9; 10])],
    });
    frozen.ends("withdrawals");
}

#[test]
fn the_bytes_of_residues_are_frozen() {
    let mut frozen = Frozen::new("residues", include_str!("../../fixtures/residues.hex"));
    let id = AlertId::new(NOW, [2; 10]);
    let services = vec![Service::TransportFamily];
    let outline = OfferOutline {
        id: handover(),
        from: society("SN"),
        to: society("ML"),
        kind: HandoverKind::ALL[0],
        consent: consent(),
        expires_at: NOW,
        group: Some(Group { reference: "g.rosso.7".parse().expect("a code"), size: 2 }),
        minors: true,
        purposes: vec![Purpose::Transport],
        categories: vec![DataCategory::Destination],
    };
    for residue in [
        Residue::Nothing,
        Residue::Alert(AlertOutline {
            expires_at: NOW,
            event: Event::ALL[0],
            severity: Severity::Extreme,
            urgency: Urgency::Immediate,
            mode: Mode::Exercise,
            supersedes: vec![id],
            sent_at: Some(NOW),
            ack: Some(AckWanted { by: Some(NOW) }),
        }),
        Residue::Cancel(id, CancelReason::Wrong),
        Residue::Ack(id, AckKind::ALL[0]),
        Residue::Offer(outline),
        Residue::Answer(HandoverAnswer {
            id: handover(),
            verdict: Verdict::Accept { team: "intake.kayes".parse().expect("a code"), services },
        }),
        Residue::Age(AgeBand::From12To14),
        Residue::Step(HandoverStep { id: handover(), at: NOW, step: Step::InService, note: None }),
        Residue::Request(super::rights::request().outline()),
        Residue::Rights(super::rights::message().outline()),
    ] {
        assert_eq!(Residue::from_stored(&residue.to_stored()), Ok(Some(residue.clone())));
        frozen.holds(&residue);
    }
    assert_eq!(&Residue::Nothing.to_stored()[..22], b"passerelle/residue/v1\0");
    assert!(!Residue::is_stored(&crate::envelope::to_cbor(&receipt())));
    frozen.ends("residues");
}
