//! Stories of what is kept and what goes: purges, holds, freezes, suspended peers, transfers without a basis, a full disk,
//! and aggregate reports. After each the rows are those of a rebuild.

use std::{collections::BTreeMap, time::Duration};

use super::world::*;
use crate::{
    aggregate::{Aggregate, Dimension, ReportId, ReportStep},
    alert::Alert,
    catalogue::{CloseReason, Purpose, RejectReason, Role, Section, StopReason},
    consent::sample as consent_sample,
    decide::{Caller, Command, HoldScope, Reply, Target},
    digest::Digest,
    entry::{Actor, Body},
    envelope::{Attachment, Kind, Lane},
    fold::Residue,
    handover::{HandoverDraft, Outcome, State, Step, Verdict, sample as handover_sample},
    ids::{AlertId, ConsentId, EntryIndex, HandoverId, Position},
    refusal::{Code, Refusal},
    retention::{HoldKind, Rule},
    time::Time,
};

const NOW: Time = consent_sample::NOW;
const DAY: Duration = Duration::from_secs(86_400);

fn as_operator(name: &str) -> Caller {
    Caller { actor: Actor::Operator(name.into()), roles: Role::ALL.to_vec() }
}

fn handover_id() -> HandoverId {
    HandoverId::new(NOW, [1; 10])
}

fn code<T>(outcome: Result<T, Refusal>) -> Option<Code> {
    outcome.err().map(|refusal| refusal.code)
}

fn offer() -> Command {
    let draft = handover_sample::draft();
    let draft =
        HandoverDraft { consent: Some(ConsentId::new(NOW, [1; 10])), to: society("ML"), to_team: None, ..draft };
    Command::OfferHandover {
        caller: as_operator("awa"),
        id: handover_id(),
        case: case(1),
        entropy: [51; 10],
        draft: Box::new(draft),
        package: Some(package(1)),
        release_on_acceptance: false,
    }
}

fn answer(verdict: Verdict) -> Command {
    Command::AnswerHandover { caller: as_operator("moussa"), entropy: [52; 10], id: handover_id(), verdict }
}

fn accept() -> Command {
    answer(Verdict::Accept { team: "intake.kayes".parse().expect("a code"), services: Vec::new() })
}

fn release() -> Command {
    let attachment = Some(Attachment { digest: Digest::of(SEALED), bytes: SEALED.len() as u64 });
    let (caller, id, package) = (as_operator("awa"), handover_id(), package(1));
    Command::ReleaseHandover { caller, entropy: [53; 10], id, package, attachment, sections: vec![Section::Contact] }
}

fn report_step(step: Step, seed: u8) -> Command {
    Command::ReportHandover { caller: as_operator("moussa"), entropy: [seed; 10], id: handover_id(), step, note: None }
}

fn completed() -> Step {
    Step::Completed(Outcome {
        reason: CloseReason::Completed,
        delivered: Vec::new(),
        unmet: Vec::new(),
        satisfied: None,
    })
}

fn purge() -> Command {
    Command::Purge { target: Target::Handover(handover_id()) }
}

fn hold(scope: HoldScope, kind: HoldKind, lift: bool) -> Command {
    Command::Hold { caller: as_operator("dpo"), scope, kind, lift, reason: "an order".parse().expect("a note") }
}

fn read() -> Command {
    let (caller, id) = (as_operator("moussa"), handover_id());
    Command::ReadPackage { caller, id, sections: vec![Section::Contact], purpose: Purpose::ALL[0] }
}

/// Senegal has offered a case to Mali.
fn offered() -> World {
    let mut world = World::new();
    let record = consent(world.at("SN"), 1, consent_sample::draft());
    let record = Command::RecordConsent { caller: as_operator("awa"), case: case(1), record: Box::new(record) };
    let senegal = world.at("SN");
    senegal.ask(record).expect("recorded");
    senegal.ask(offer()).expect("covered");
    world.settle("SN", "ML");
    world
}

/// The case is released to Mali, and receipted.
fn released() -> World {
    let mut world = offered();
    world.at("ML").ask(accept()).expect("on offer");
    world.settle("SN", "ML");
    world.at("SN").ask(release()).expect("accepted");
    world.settle("SN", "ML");
    world
}

fn pass(world: &mut World, days: u32) {
    world.nodes.iter_mut().for_each(|node| node.now = node.now.plus(DAY * days));
}

fn holds_together(world: &World) {
    for node in &world.nodes {
        assert!(node.journal.rebuilt(node.own) == node.journal.rows, "the rows of {} are those of a rebuild", node.own);
    }
}

fn state(world: &mut World, at: &str) -> State {
    world.at(at).journal.rows.handovers[&handover_id()].state
}

#[test]
fn a_rejected_offer_goes_after_a_day_at_the_receiver_and_after_two_weeks_at_the_sender() {
    let mut world = offered();
    world.at("ML").ask(answer(Verdict::Reject { reason: RejectReason::NoCapacity, note: None })).expect("on offer");
    world.settle("SN", "ML");
    for (at, days) in [("ML", 1), ("SN", 13)] {
        assert_eq!(code(world.at(at).ask(purge())), Some(Code::WrongState), "too early at {at}");
        pass(&mut world, days);
        let offer = world.at(at).journal.rows.handovers[&handover_id()].entry;
        world.at(at).ask(purge()).expect("due");
        assert!(Residue::is_stored(&world.at(at).journal.objects[&offer]), "the offer is gone at {at}");
        assert_eq!(state(&mut world, at), State::Erased);
        assert_eq!(code(world.at(at).ask(purge())), Some(Code::WrongState), "once is enough");
    }
    assert!(world.at("SN").journal.rows.handovers[&handover_id()].package.is_none());
    holds_together(&world);
}

#[test]
fn an_offer_that_nobody_answers_expires_and_goes() {
    let mut world = offered();
    pass(&mut world, 60);
    for at in ["SN", "ML"] {
        world.at(at).ask(purge()).expect("due");
        assert_eq!(state(&mut world, at), State::Erased);
    }
    holds_together(&world);
}

#[test]
fn the_copy_goes_a_week_after_its_receipt_and_the_package_after_completion_unless_it_is_reviewed() {
    let mut world = released();
    pass(&mut world, 7);
    world.at("SN").ask(purge()).expect("the copy is due");
    assert_eq!(state(&mut world, "SN"), State::Disclosed, "the sender goes on following the case");
    assert!(world.at("SN").journal.rows.handovers[&handover_id()].package.is_none());
    world.at("ML").ask(report_step(Step::InService, 60)).expect("the person is here");
    assert_eq!(code(world.at("ML").ask(purge())), Some(Code::WrongState), "in care");
    world.at("ML").ask(report_step(completed(), 61)).expect("done");
    world.settle("SN", "ML");
    assert_eq!(state(&mut world, "SN"), State::Completed);
    let review = Command::ReviewPackage { caller: as_operator("moussa"), handover: handover_id() };
    world.at("ML").ask(review.clone()).expect("still needed");
    assert_eq!(code(world.at("ML").ask(review)), Some(Code::WrongState), "once");
    pass(&mut world, 89);
    assert_eq!(code(world.at("ML").ask(purge())), Some(Code::WrongState), "a day early");
    pass(&mut world, 1);
    world.at("ML").ask(purge()).expect("due");
    assert_eq!(state(&mut world, "ML"), State::Erased);
    assert_eq!(code(world.at("ML").ask(read())), Some(Code::PackageAbsent));
    holds_together(&world);
}

#[test]
fn what_is_held_is_not_purged_until_the_hold_is_lifted() {
    for scope in
        [HoldScope::Handover(handover_id()), HoldScope::Case(case(1)), HoldScope::Consent(ConsentId::new(NOW, [1; 10]))]
    {
        for kind in HoldKind::ALL {
            let mut world = offered();
            let senegal = world.at("SN");
            let visitor = Caller { roles: vec![Role::Supervisor], ..as_operator("awa") };
            let reason = "an order".parse().expect("a note");
            let denied = Command::Hold { caller: visitor, scope, kind: *kind, lift: false, reason };
            assert_eq!(code(senegal.ask(denied)), Some(Code::RoleMissing));
            assert_eq!(code(senegal.ask(hold(scope, *kind, true))), Some(Code::WrongState), "nothing to lift");
            senegal.ask(hold(scope, *kind, false)).expect("held");
            assert_eq!(code(senegal.ask(hold(scope, *kind, false))), Some(Code::WrongState), "held already");
            pass(&mut world, 60);
            assert_eq!(code(world.at("SN").ask(purge())), Some(Code::OnHold), "{scope:?} {kind}");
            world.at("SN").ask(hold(scope, *kind, true)).expect("lifted");
            world.at("SN").ask(purge()).expect("due, and free");
            holds_together(&world);
        }
    }
    let unknown = HoldScope::Alert(AlertId::new(NOW, [9; 10]));
    assert_eq!(code(offered().at("SN").ask(hold(unknown, HoldKind::LegalHold, false))), Some(Code::UnknownSubject));
}

#[test]
fn what_is_frozen_is_neither_read_nor_released_and_a_legal_hold_stops_neither() {
    let mut world = released();
    let scope = HoldScope::Handover(handover_id());
    let mali = world.at("ML");
    mali.ask(hold(scope, HoldKind::LegalHold, false)).expect("held");
    mali.ask(read()).expect("a legal hold keeps, and lets read");
    mali.ask(hold(scope, HoldKind::BreachFreeze, false)).expect("frozen");
    assert!(mali.journal.rows.handovers[&handover_id()].frozen);
    assert_eq!(code(mali.ask(read())), Some(Code::Frozen));
    mali.ask(hold(scope, HoldKind::BreachFreeze, true)).expect("lifted");
    mali.ask(read()).expect("free again");
    holds_together(&world);

    let mut world = offered();
    world.at("ML").ask(accept()).expect("on offer");
    world.settle("SN", "ML");
    world.at("SN").ask(hold(HoldScope::Case(case(1)), HoldKind::BreachFreeze, false)).expect("frozen");
    assert_eq!(code(world.at("SN").ask(release())), Some(Code::Frozen));
}

#[test]
fn a_package_on_its_way_is_not_sent_once_its_case_is_frozen() {
    for kind in [HoldKind::BreachFreeze, HoldKind::Restriction] {
        for scope in [HoldScope::Handover(handover_id()), HoldScope::Case(case(1))] {
            let mut world = offered();
            world.at("ML").ask(accept()).expect("on offer");
            world.settle("SN", "ML");
            world.at("SN").ask(release()).expect("covered");
            world.at("SN").ask(hold(scope, kind, false)).expect("held");
            world.at("SN").gate(society("ML"), Lane::Bulk, Position(1));
            world.settle("SN", "ML");
            let row = &world.at("ML").journal.rows.handovers[&handover_id()];
            assert_eq!((row.package, row.state), (None, State::Accepted), "{scope:?} {kind}");
            // Lifted, it is sent when somebody asks for it again.
            let senegal = world.at("SN");
            let entry = issued(&senegal.journal, Kind::HandoverRelease).next().expect("released").index;
            let replay = Command::Replay { caller: as_operator("admin"), peer: society("ML"), entries: vec![entry] };
            senegal.ask(replay.clone()).expect("withheld, and said so");
            world.settle("SN", "ML");
            assert_eq!(world.at("ML").journal.rows.handovers[&handover_id()].package, None);
            world.at("SN").ask(hold(scope, kind, true)).expect("lifted");
            world.at("SN").ask(replay).expect("free again");
            world.settle("SN", "ML");
            assert!(world.at("ML").journal.rows.handovers[&handover_id()].package.is_some());
            holds_together(&world);
        }
    }
}

#[test]
fn a_suspended_peer_gets_alerts_and_no_case_until_it_is_resumed() {
    let mut world = World::new();
    let record = consent(world.at("SN"), 1, consent_sample::draft());
    let record = Command::RecordConsent { caller: as_operator("awa"), case: case(1), record: Box::new(record) };
    let senegal = world.at("SN");
    senegal.ask(record).expect("recorded");
    let set = |peer: &str, suspended| Command::SuspendPeer {
        caller: as_operator("admin"),
        peer: society(peer),
        suspended,
        reason: "their node was seized".parse().expect("a note"),
    };
    assert_eq!(code(senegal.ask(set("TD", true))), Some(Code::UnknownPeer));
    assert_eq!(code(senegal.ask(set("ML", false))), Some(Code::WrongState));
    senegal.ask(set("ML", true)).expect("suspended");
    assert_eq!(code(senegal.ask(offer())), Some(Code::PeerSuspended));
    let raise = raise(alert(false, Vec::new(), NOW));
    match senegal.ask(raise).expect("alerts go on") {
        Reply::Alert { recipients, .. } => assert!(recipients.contains(&society("ML"))),
        other => panic!("{other:?}"),
    }
    senegal.ask(set("ML", false)).expect("resumed");
    senegal.ask(offer()).expect("and cases are exchanged again");
    holds_together(&world);
}

fn raise(alert: Alert) -> Command {
    Command::RaiseAlert { caller: as_operator("awa"), id: AlertId::new(NOW, [7; 10]), alert: Box::new(alert) }
}

#[test]
fn no_case_crosses_a_border_without_a_basis_that_holds_on_that_day() {
    let mut world = offered();
    world.at("ML").policy.transfers.clear();
    assert_eq!(code(world.at("ML").ask(accept())), Some(Code::NoTransferBasis));
    world.at("ML").policy = open_policy();
    world.at("ML").ask(accept()).expect("on offer");
    world.settle("SN", "ML");
    let ended = |policy: &mut crate::decide::Policy| {
        policy.transfers.iter_mut().for_each(|basis| basis.valid_until = Some(NOW));
    };
    ended(&mut world.at("SN").policy);
    assert_eq!(code(world.at("SN").ask(release())), Some(Code::NoTransferBasis), "it ended meanwhile");

    let mut world = World::new();
    let record = consent(world.at("SN"), 1, consent_sample::draft());
    let record = Command::RecordConsent { caller: as_operator("awa"), case: case(1), record: Box::new(record) };
    world.at("SN").ask(record).expect("recorded");
    let before = std::mem::take(&mut world.at("SN").policy.transfers);
    assert_eq!(code(world.at("SN").ask(offer())), Some(Code::NoTransferBasis));
    // Without one at the recipient the offer comes back with the reason, and nobody waits for an answer.
    world.at("SN").policy.transfers = before;
    world.at("SN").ask(offer()).expect("this side has one");
    world.at("ML").policy.transfers.clear();
    world.settle("SN", "ML");
    let row = world.at("SN").journal.rows.handovers.values().next().cloned().expect("the offer");
    assert_eq!(row.state, State::Rejected);
    assert_eq!(row.history.last().and_then(|event| event.reason.clone()).as_deref(), Some("no_transfer_basis"));
    assert!(world.at("ML").journal.rows.handovers.is_empty());
}

#[test]
fn an_offer_that_waits_is_not_sent_to_a_peer_that_was_suspended_meanwhile_and_holds_up_nothing() {
    let mut world = World::new();
    let record = consent(world.at("SN"), 1, consent_sample::draft());
    let record = Command::RecordConsent { caller: as_operator("awa"), case: case(1), record: Box::new(record) };
    world.at("SN").ask(record).expect("recorded");
    world.at("SN").ask(offer()).expect("covered");
    world.at("SN").ask(raise(alert(false, Vec::new(), NOW))).expect("behind it in the lane");
    world.at("SN").policy.peers.entry(society("ML")).or_default().suspended = true;
    world.settle("SN", "ML");
    assert!(world.at("ML").journal.rows.handovers.is_empty(), "nothing about a person came");
    assert_eq!(world.at("ML").journal.rows.alerts.len(), 1, "the alert behind it did");
    let withheld = |body: &Body| matches!(body, Body::DeliveryWithheld { code, .. } if code == "peer_suspended");
    assert_eq!(world.at("SN").journal.entries.iter().filter(|entry| withheld(&entry.body)).count(), 1);
    holds_together(&world);
}

#[test]
fn a_nearly_full_disk_refuses_new_work_and_keeps_the_rest_for_what_cannot_wait() {
    let mut world = offered();
    world.nodes.iter_mut().for_each(|node| node.policy.disk_reserved = true);
    assert_eq!(code(world.at("SN").ask(raise(alert(false, Vec::new(), NOW)))), Some(Code::DiskFull));
    assert_eq!(code(world.at("SN").ask(release())), Some(Code::DiskFull));
    world.at("SN").ask(raise(alert(true, Vec::new(), NOW))).expect("an urgent alert has the reserve");
    world.at("ML").ask(accept()).expect("an answer has it");
    // What a peer has sent, and its receipts, are taken.
    world.settle("SN", "ML");
    assert_eq!(state(&mut world, "SN"), State::Accepted);
    world.at("SN").ask(report_step(Step::Revoked(StopReason::ALL[0]), 62)).expect("taking back has it");
    world.settle("SN", "ML");
    world.at("ML").ask(hold(HoldScope::Handover(handover_id()), HoldKind::LegalHold, false)).expect("a hold has it");
}

#[test]
fn an_old_alert_keeps_its_codes_and_loses_its_words_unless_it_is_public() {
    let mut world = World::new();
    world.at("SN").ask(raise(alert(false, Vec::new(), NOW))).expect("raised");
    world.settle("SN", "ML");
    let id = AlertId::new(NOW, [7; 10]);
    let purge = || Command::Purge { target: Target::Alert(id) };
    assert_eq!(code(world.at("ML").ask(purge())), Some(Code::WrongState));
    pass(&mut world, 2 * 365 + 2);
    let before = world.at("ML").journal.rows.alerts[&id].clone();
    world.at("ML").ask(purge()).expect("due");
    assert_eq!(world.at("ML").journal.rows.alerts[&id], before, "the coded row stays");
    assert!(Residue::is_stored(&world.at("ML").journal.objects[&before.entry]));
    assert_eq!(code(world.at("ML").ask(purge())), Some(Code::WrongState), "once");
    let purged = |body: &Body| matches!(body, Body::Purged { rule: Rule::Alert, .. });
    assert_eq!(world.at("ML").journal.entries.iter().filter(|entry| purged(&entry.body)).count(), 1);
    holds_together(&world);
}

#[test]
fn receipts_and_answers_go_after_six_years_and_nothing_that_is_needed() {
    let mut world = released();
    let size = world.at("SN").journal.entries.len() as u64;
    let all = |size: u64| (0..size).map(EntryIndex);
    let evidence = |entries: Vec<EntryIndex>| Command::Purge { target: Target::Evidence(entries) };
    let receipts: Vec<EntryIndex> = all(size)
        .filter(|index| matches!(world.nodes[0].journal.entries[index.0 as usize].body, Body::Receipted { .. }))
        .collect();
    assert!(!receipts.is_empty());
    assert_eq!(code(world.at("SN").ask(evidence(receipts.clone()))), Some(Code::WrongState), "too early");
    pass(&mut world, 6 * 365 + 1);
    assert_eq!(code(world.at("SN").ask(evidence(all(size).collect()))), Some(Code::WrongState), "a bundle is needed");
    world.at("SN").ask(evidence(receipts.clone())).expect("due");
    let objects = &world.at("SN").journal.objects;
    assert!(receipts.iter().all(|index| Residue::is_stored(&objects[index])));
    holds_together(&world);
}

#[test]
fn a_report_is_given_out_once_two_others_have_approved_it() {
    let mut world = World::new();
    world.at("SN").now = "2026-11-24T06:00:00Z".parse().expect("a time");
    let aggregate = |from: &str, until: &str| {
        let (from, until) = (from.parse().expect("a time"), until.parse().expect("a time"));
        let counts = BTreeMap::from([("food".to_owned(), 3), ("shelter".to_owned(), 9)]);
        Aggregate::of(Dimension::Service, from, until, until, &counts).expect("a report")
    };
    let september = || aggregate("2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z");
    let id = |seed| ReportId::new(NOW, [seed; 10]);
    let ask = |world: &mut World, who: &str, seed, step| {
        code(world.at("SN").ask(Command::Report { caller: as_operator(who), id: id(seed), step }))
    };
    let given = || ReportStep::Given("ministry.health".parse().expect("a code"));
    assert_eq!(ask(&mut world, "awa", 1, ReportStep::Approved), Some(Code::UnknownReport));
    assert_eq!(ask(&mut world, "awa", 1, ReportStep::Proposed(september())), None);
    let both = aggregate("2026-08-01T00:00:00Z", "2026-10-01T00:00:00Z");
    assert_eq!(ask(&mut world, "awa", 2, ReportStep::Proposed(both)), Some(Code::OverlappingReport));
    assert_eq!(ask(&mut world, "awa", 1, given()), Some(Code::NotApproved));
    assert_eq!(ask(&mut world, "awa", 1, ReportStep::Approved), Some(Code::OwnApproval));
    assert_eq!(ask(&mut world, "moussa", 1, ReportStep::Approved), None);
    assert_eq!(ask(&mut world, "moussa", 1, ReportStep::Approved), Some(Code::OwnApproval));
    assert_eq!(ask(&mut world, "moussa", 1, given()), Some(Code::NotApproved));
    assert_eq!(ask(&mut world, "fatou", 1, ReportStep::Approved), None);
    assert_eq!(ask(&mut world, "fatou", 1, given()), None);
    holds_together(&world);
}
