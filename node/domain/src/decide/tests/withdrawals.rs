//! Withdrawals as stories between nodes: taken back at either end, before, during and after the release; told again
//! after a restore; forged, replayed, of what nobody knows.

use super::world::*;
use crate::{
    catalogue::{DataCategory, Purpose, Section, Service},
    consent::{Actor, Scope, sample as consent_sample},
    decide::{About, Caller, Command, HoldScope, Reply, Target},
    digest::Digest,
    entry::Body,
    envelope::{Attachment, Kind, Lane},
    handover::{State, Step, Verdict, sample as handover_sample},
    ids::{ConsentId, EntryIndex, HandoverId, Position},
    refusal::{Code, Refusal},
    retention::HoldKind,
    rows::Ended,
    withdrawal::{KeepReason, Kept, Part},
};

pub(super) const NOW: crate::time::Time = consent_sample::NOW;

pub(super) fn id() -> HandoverId {
    HandoverId::new(NOW, [1; 10])
}

pub(super) fn consent_id() -> ConsentId {
    ConsentId::new(NOW, [1; 10])
}

pub(super) fn withdraw(about: About, scope: Option<Scope>) -> Command {
    Command::Withdraw { caller: Caller::system(), about, by: Actor::Person, method: None, scope }
}

pub(super) fn offer(seed: u8) -> Command {
    let mut draft = handover_sample::draft();
    draft.consent = Some(consent_id());
    Command::OfferHandover {
        caller: Caller::system(),
        id: HandoverId::new(NOW, [seed; 10]),
        case: case(1),
        entropy: [seed + 50; 10],
        draft: Box::new(draft),
        package: Some(package(1)),
        release_on_acceptance: false,
    }
}

pub(super) fn accept() -> Command {
    let verdict = Verdict::Accept { team: "intake.kayes".parse().expect("a code"), services: Vec::new() };
    Command::AnswerHandover { caller: Caller::system(), entropy: [60; 10], id: id(), verdict }
}

pub(super) fn release() -> Command {
    let attachment = Some(Attachment { digest: Digest::of(SEALED), bytes: SEALED.len() as u64 });
    let sections = vec![Section::Contact];
    Command::ReleaseHandover {
        caller: Caller::system(),
        entropy: [61; 10],
        id: id(),
        package: package(1),
        attachment,
        sections,
    }
}

pub(super) fn report(step: Step) -> Command {
    Command::ReportHandover { caller: Caller::system(), entropy: [62; 10], id: id(), step, note: None }
}

pub(super) fn read() -> Command {
    let (sections, purpose) = (vec![Section::Contact], Purpose::Transport);
    Command::ReadPackage { caller: Caller::system(), id: id(), sections, purpose }
}

/// Senegal holds the consent and has offered the case to Mali; `steps` more of the story have happened: delivered,
/// accepted, released, arrived there, in service, known so here.
pub(super) fn world(steps: u8) -> World {
    let mut world = World::new();
    let record = Box::new(consent(world.at("SN"), 1, consent_sample::draft()));
    let (caller, case) = (Caller::system(), case(1));
    world.at("SN").ask(Command::RecordConsent { caller, case, record }).expect("a record");
    world.at("SN").ask(offer(1)).expect("covered");
    let story: [&dyn Fn(&mut World); 7] = [
        &|world| world.settle("SN", "ML"),
        &|world| drop(world.at("ML").ask(accept()).expect("on offer")),
        &|world| world.settle("SN", "ML"),
        &|world| drop(world.at("SN").ask(release()).expect("covered")),
        &|world| world.settle("SN", "ML"),
        &|world| drop(world.at("ML").ask(report(Step::InService)).expect("disclosed")),
        &|world| world.settle("SN", "ML"),
    ];
    story.iter().take(steps.into()).for_each(|step| step(&mut world));
    world
}

pub(super) fn heal(world: &mut World) {
    for _ in 0..3 {
        world.settle("SN", "ML");
        world.settle("SN", "GM");
        world.nodes.iter_mut().for_each(|node| node.erase_what_is_due());
    }
}

pub(super) fn state(world: &mut World, code: &str) -> State {
    world.at(code).journal.rows.handovers[&id()].state
}

pub(super) fn code(outcome: Result<Reply, Refusal>) -> Option<Code> {
    outcome.err().map(|refusal| refusal.code)
}

fn assert_over(world: &mut World, why: &str) {
    for at in ["SN", "ML"] {
        if !world.at(at).journal.rows.handovers.contains_key(&id()) {
            continue;
        }
        assert_eq!(state(world, at), State::Erased, "{why}: {at}");
        assert_eq!(code(world.at(at).ask(read())), Some(Code::Withdrawn), "{why}: {at}");
        let rebuilt = world.at(at).journal.rebuilt(society(at));
        assert!(rebuilt == world.at(at).journal.rows, "{why}: the views of {at} follow from its journal");
    }
    let resting = world.at("SN").journal.rows.uses[&consent_id()].of(id()).cloned().expect("it rests on the consent");
    assert!(resting.answered_at.is_some() && resting.erased_at.is_some(), "{why}: the origin knows");
    assert!(resting.kept.iter().any(|kept| kept.part == Part::Journal && kept.reason == KeepReason::ServiceLog));
}

#[test]
fn taken_back_at_either_end_at_every_step_it_ends_in_erasure_at_both() {
    for steps in 0..=7 {
        for at in ["SN", "ML"] {
            let mut world = world(steps);
            if !world.at(at).journal.rows.handovers.contains_key(&id()) {
                continue;
            }
            let about = if at == "SN" { About::Case(case(1)) } else { About::Handover(id()) };
            world.at(at).ask(withdraw(about, None)).expect("anybody may stop it");
            assert!(state(&mut world, at).has_ended(), "it is stopped with the entry that records it");
            assert_eq!(code(world.at(at).ask(read())), Some(Code::Withdrawn));
            heal(&mut world);
            assert_over(&mut world, &format!("{at} after {steps} steps"));
        }
    }
}

#[test]
fn at_both_ends_at_once_it_ends_the_same() {
    for steps in 1..=7 {
        let mut world = world(steps);
        world.at("SN").ask(withdraw(About::Consent(consent_id()), None)).expect("recorded");
        world.at("ML").ask(withdraw(About::Handover(id()), None)).expect("recorded");
        heal(&mut world);
        assert_over(&mut world, &format!("after {steps} steps"));
    }
}

#[test]
fn a_notice_that_overtakes_its_release_wins_and_the_package_is_refused() {
    let mut world = world(4);
    // The release is on its way in the bulk lane; the withdrawal is taken in Mali, which does not have it yet.
    world.at("ML").ask(withdraw(About::Handover(id()), None)).expect("recorded");
    let outcome = world.bring(0, 1, Lane::Bulk, 1).expect("the release").expect("it is judged");
    assert!(matches!(outcome, Reply::Received { accepted: false, .. }));
    let rejected = world.at("ML").journal.rows.lanes_in[&(society("SN"), Lane::Bulk)].rejected.clone();
    assert_eq!(rejected, [(Position(1), "withdrawn".to_owned())]);
    assert_eq!(world.at("ML").journal.rows.handovers[&id()].package, None, "nothing of it is kept");
    heal(&mut world);
    assert_over(&mut world, "overtaken");
}

#[test]
fn what_waits_in_the_lanes_is_withheld_and_replayed_no_more() {
    for (steps, kind, lane) in [(0, Kind::HandoverOffer, Lane::Routine), (4, Kind::HandoverRelease, Lane::Bulk)] {
        let mut world = world(steps);
        world.at("SN").ask(withdraw(About::Consent(consent_id()), None)).expect("recorded");
        let senegal = world.at("SN");
        let entry = issued(&senegal.journal, kind).next().expect("it was issued").index;
        world.bring(0, 1, lane, 1).expect("something stands in its place").expect("it is judged");
        let senegal = world.at("SN");
        assert_eq!(senegal.journal.rows.items[&(society("ML"), lane, Position(1))].ended, Some(Ended::Withheld));
        let peer = society("ML");
        let replay = Command::Replay { caller: Caller::system(), peer, entries: vec![entry] };
        let Ok(Reply::Replayed { envelopes: 0, withheld, .. }) = senegal.ask(replay) else {
            panic!("a replay is answered")
        };
        assert_eq!(withheld, [(entry, "withdrawn".to_owned())]);
        heal(&mut world);
        assert_over(&mut world, "withheld");
    }
}

#[test]
fn a_tombstone_refuses_what_comes_after_it_and_the_case_is_never_opened_again() {
    let mut world = world(0);
    world.at("SN").ask(withdraw(About::Consent(consent_id()), None)).expect("recorded");
    world.bring(0, 1, Lane::Urgent, 1).expect("a notice").expect("it is judged");
    let mali = world.at("ML");
    assert!(mali.journal.rows.handovers.is_empty());
    assert_eq!(mali.journal.rows.uses[&consent_id()].events.len(), 1, "kept, though nobody knows the case");
    // A copy of the offer that was made before comes all the same.
    let mut before = self::world(0);
    let parcel = before.at("SN").parcel(society("ML"), Lane::Routine, Position(1)).expect("the offer");
    mali.take(society("SN"), Lane::Routine, Position(1), &parcel).expect("it is judged");
    let rejected = mali.journal.rows.lanes_in[&(society("SN"), Lane::Routine)].rejected.clone();
    assert_eq!(rejected, [(Position(1), "withdrawn".to_owned())]);
    let senegal = world.at("SN");
    assert_eq!(code(senegal.ask(offer(2))), Some(Code::ConsentState));
    senegal.erase_what_is_due();
    let record = Box::new(consent(senegal, 2, consent_sample::draft()));
    let again = Command::RecordConsent { caller: Caller::system(), case: case(1), record };
    assert_eq!(code(senegal.ask(again)), Some(Code::Withdrawn), "asked anew, it is a new case");
}

#[test]
fn the_same_again_changes_nothing_and_a_notice_is_answered_each_time() {
    let mut world = world(7);
    world.at("SN").ask(withdraw(About::Consent(consent_id()), None)).expect("recorded");
    let entries = world.at("SN").journal.next();
    world.at("SN").ask(withdraw(About::Handover(id()), None)).expect("known");
    assert_eq!(world.at("SN").journal.next(), entries);
    heal(&mut world);
    let notice = issued(&world.at("SN").journal, Kind::WithdrawalNotice).next().expect("a notice").index;
    let answers = |world: &mut World| issued(&world.at("ML").journal, Kind::WithdrawalAnswer).count();
    let before = answers(&mut world);
    let replay = Command::Replay { caller: Caller::system(), peer: society("ML"), entries: vec![notice] };
    world.at("SN").ask(replay).expect("a notice may always go again");
    heal(&mut world);
    assert_eq!(answers(&mut world), before, "the same envelope is a duplicate, byte for byte");
    assert_over(&mut world, "replayed");
}

#[test]
fn only_an_end_of_the_handover_is_believed() {
    let mut world = world(7);
    world.settle("SN", "GM");
    let forged = |world: &mut World, handover: HandoverId, consent: ConsentId| {
        let event = crate::consent::ConsentEvent {
            at: NOW,
            kind: crate::consent::EventKind::Withdraw,
            actor: Actor::Person,
            recorded_by: society("GM"),
            method: None,
            scope: None,
        };
        let message =
            crate::withdrawal::WithdrawalMessage { consent, handover, event, news: crate::withdrawal::News::Notice };
        let envelope = crate::envelope::Envelope {
            version: crate::envelope::FORMAT_VERSION,
            id: crate::ids::EnvelopeId::new(NOW, consent.bytes()[6..].try_into().expect("ten bytes")),
            origin: society("GM"),
            recipients: vec![society("SN")],
            kind: Kind::WithdrawalNotice,
            lane: Lane::Urgent,
            created_at: NOW,
            expires_at: None,
            body: message.to_cbor().into(),
            attachment: None,
        };
        let signed = envelope.sign(&Toy(society("GM")));
        let stream = crate::parcel::write(&signed, &[]);
        let (_, at) = crate::parcel::take_varint(&stream).expect("a length").expect("whole");
        let lane = world.at("SN").journal.rows.lanes_in.get(&(society("GM"), Lane::Urgent)).cloned();
        let position = lane.unwrap_or_default().received.next();
        world.at("SN").take(society("GM"), Lane::Urgent, position, &stream[at..]).expect("it is judged");
        let rejected = world.at("SN").journal.rows.lanes_in[&(society("GM"), Lane::Urgent)].rejected.clone();
        rejected.into_iter().find(|(at, _)| *at == position).map(|(_, code)| code)
    };
    let other = ConsentId::new(NOW, [9; 10]);
    let unknown = HandoverId::new(NOW, [8; 10]);
    assert_eq!(forged(&mut world, id(), consent_id()).as_deref(), Some("wrong_society"), "The Gambia has no part");
    assert_eq!(state(&mut world, "SN"), State::InService);
    assert_eq!(forged(&mut world, unknown, other), None, "of an unknown case it is kept as a tombstone");
    let uses = world.at("SN").journal.rows.uses[&other].clone();
    assert!(!uses.whole && uses.events.len() == 1 && !uses.events[0].proven, "that binds nobody but who told it");
}

#[test]
fn a_part_stops_what_uses_it_and_leaves_the_rest() {
    let purpose = |purpose| Scope { purposes: vec![purpose], ..Scope::default() };
    let category = |category| Scope { categories: vec![category], ..Scope::default() };
    let recipient = |code| Scope { recipients: vec![society(code).into()], ..Scope::default() };
    let used = Service::TransportFamily.purpose();
    for (scope, stops) in [
        (purpose(used), true),
        (purpose(Purpose::Shelter), false),
        (category(DataCategory::Destination), true),
        (category(DataCategory::MentalHealth), false),
        (recipient("ML"), true),
        (recipient("GM"), false),
    ] {
        for at in ["SN", "ML"] {
            let mut world = world(7);
            world.at(at).ask(withdraw(About::Handover(id()), Some(scope.clone()))).expect("recorded");
            heal(&mut world);
            if stops {
                assert_eq!(state(&mut world, "ML"), State::Erased, "{scope:?} at {at}");
                assert!(state(&mut world, "SN").has_ended(), "{scope:?} at {at}");
                let resting = world.at("SN").journal.rows.uses[&consent_id()].of(id()).cloned().expect("it rests");
                assert!(resting.erased_at.is_some(), "{scope:?} at {at}");
            } else {
                for end in ["SN", "ML"] {
                    assert_eq!(state(&mut world, end), State::InService, "{scope:?} at {at}");
                    assert_eq!(code(world.at(end).ask(read())), None, "{scope:?} at {at}");
                }
            }
            let origin = &world.at("SN").journal.rows;
            assert_eq!(origin.cases[&case(1)].due, None, "the origin keeps what it is still agreed to");
        }
    }
}

#[test]
fn a_hold_of_any_kind_over_any_part_of_a_case_stops_use_and_puts_off_erasure() {
    let here = world(7).at("ML").journal.rows.handovers[&id()].case.expect("the case that was received");
    let scopes = [HoldScope::Handover(id()), HoldScope::Case(here)];
    for (scope, kind) in scopes
        .iter()
        .flat_map(|scope| [HoldKind::LegalHold, HoldKind::BreachFreeze].into_iter().map(move |kind| (*scope, kind)))
    {
        held_then_erased(world(7), "ML", scope, kind);
    }
    // At the origin the record is known too.
    let scope = HoldScope::Consent(consent_id());
    held_then_erased(world(7), "SN", scope, HoldKind::LegalHold);
}

fn hold(scope: HoldScope, kind: HoldKind, lift: bool) -> Command {
    let reason = "asked for by a court".parse().expect("a note");
    Command::Hold { caller: Caller::system(), scope, kind, lift, reason }
}

/// Whoever holds is told of with what it keeps and why; when the hold is lifted it erases after all.
fn held_then_erased(mut world: World, at: &str, scope: HoldScope, kind: HoldKind) {
    let other = if at == "SN" { "ML" } else { "SN" };
    world.at(at).ask(hold(scope, kind, false)).expect("placed");
    world.at("SN").ask(withdraw(About::Consent(consent_id()), None)).expect("recorded");
    heal(&mut world);
    assert_eq!(code(world.at(at).ask(read())), Some(Code::Withdrawn), "kept is not used");
    assert_eq!(state(&mut world, at), State::Withdrawn, "{scope:?} {kind}");
    assert_eq!(state(&mut world, other), State::Erased, "the other end has no hold");
    let resting = world.at(other).journal.rows.uses[&consent_id()].of(id()).cloned().expect("it rests");
    assert_eq!(resting.erased_at, None);
    for part in [Part::CaseKey, Part::SealedFiles] {
        assert!(resting.kept.contains(&Kept { part, reason: KeepReason::LegalHold }), "{:?}", resting.kept);
    }
    let held = world.at(at).journal.next();
    heal(&mut world);
    let again = world.at(at).journal.entries[held.0 as usize..].iter();
    assert_eq!(again.filter(|entry| matches!(entry.body, Body::ErasureHeld { .. })).count(), 0, "it is said once");
    world.at(at).ask(hold(scope, kind, true)).expect("lifted");
    heal(&mut world);
    assert_eq!(state(&mut world, at), State::Erased);
    let resting = world.at(other).journal.rows.uses[&consent_id()].of(id()).cloned().expect("it rests");
    assert!(resting.erased_at.is_some() && resting.kept.iter().all(|kept| kept.reason != KeepReason::LegalHold));
    let rebuilt = world.at(at).journal.rebuilt(society(at));
    assert!(rebuilt == world.at(at).journal.rows, "the views of {at} follow from its journal");
}

#[test]
fn no_rule_of_retention_takes_a_notice_that_still_waits() {
    let mut world = world(7);
    world.at("SN").ask(withdraw(About::Consent(consent_id()), None)).expect("recorded");
    world.at("SN").erase_what_is_due();
    // Mali is off for seven years.
    let senegal = world.at("SN");
    senegal.now = senegal.now.plus(std::time::Duration::from_secs(7 * 366 * 86_400));
    let about = [Kind::WithdrawalNotice, Kind::ErasureReceipt];
    let words: Vec<_> = about.iter().filter_map(|kind| issued(&senegal.journal, *kind).next()).collect();
    let words: Vec<_> = words.into_iter().map(|entry| entry.index).collect();
    assert_eq!(words.len(), 2);
    for entry in &words {
        let purge = Command::Purge { target: Target::Evidence(vec![*entry]) };
        assert_eq!(code(senegal.ask(purge)), Some(Code::WrongState), "nothing of a withdrawal falls under a rule");
    }
    let _ = senegal.ask(Command::Purge { target: Target::Handover(id()) });
    let _ = senegal.ask(Command::Purge { target: Target::Consent(consent_id()) });
    assert!(words.iter().all(|entry| senegal.journal.objects.contains_key(entry)));
    heal(&mut world);
    assert_over(&mut world, "after seven years");
}

/// A copy of the journal as it was, under the lanes' rules of a restored store.
fn restored(world: &mut World, code: &str, backup: super::world::Journal) {
    world.at(code).journal = backup;
}

#[test]
fn a_store_restored_from_before_the_withdrawal_learns_of_it_again() {
    for (started, lost) in [("SN", "SN"), ("SN", "ML"), ("ML", "SN"), ("ML", "ML")] {
        let mut world = world(7);
        let backup = world.at(lost).journal.clone();
        world.at(started).ask(withdraw(About::Handover(id()), None)).expect("recorded");
        heal(&mut world);
        assert_over(&mut world, "before the restore");
        restored(&mut world, lost, backup);
        assert_eq!(state(&mut world, lost), State::InService, "it has forgotten");
        // What the other end has sent since goes again from where the restored store stands; what the restored one
        // sends goes on after what the other holds.
        let (other, own) = (if lost == "SN" { "ML" } else { "SN" }, society(lost));
        for lane in Lane::ALL {
            let held = world.at(other).journal.rows.lanes_in.get(&(own, *lane)).cloned().unwrap_or_default();
            let (peer, position, hash) = (society(other), held.received, held.hash);
            let advance = Command::AdvanceLane { peer, lane: *lane, position, hash };
            if position > Position(0) {
                world.at(lost).ask(advance).expect("it goes on");
            }
        }
        let (from, to) = if lost == "SN" { (1, 0) } else { (0, 1) };
        for lane in Lane::ALL {
            while let Some(outcome) = world.bring(from, to, *lane, 1) {
                outcome.expect("it is judged");
            }
        }
        for _ in 0..3 {
            world.at(lost).erase_what_is_due();
            for lane in Lane::ALL {
                while let Some(outcome) = world.bring(to, from, *lane, 1) {
                    outcome.expect("it is judged");
                }
                while let Some(outcome) = world.bring(from, to, *lane, 1) {
                    outcome.expect("it is judged");
                }
            }
        }
        assert_eq!(state(&mut world, lost), State::Erased, "{started} told, {lost} lost it and learnt it again");
        assert_eq!(code(world.at(lost).ask(read())), Some(Code::Withdrawn));
    }
}

/// Mali passes the case on to The Gambia, under a consent that the person gave in Mali; that handover.
pub(super) fn passed_on(world: &mut World) -> HandoverId {
    let mali = world.at("ML");
    let here = mali.journal.rows.handovers[&id()].case.expect("the case that was received");
    let mut draft = consent_sample::draft();
    draft.recipients = vec![society("GM").into()];
    draft.countries = vec![society("GM").into()];
    let context = crate::consent::RecordContext {
        id: ConsentId::new(NOW, [7; 10]),
        subject: mali.pseudonyms.own(here),
        society: mali.own,
        now: mali.now,
    };
    let record = Box::new(crate::consent::ConsentRecord::from_draft(draft, context).expect("valid"));
    let onward = record.id;
    mali.ask(Command::RecordConsent { caller: Caller::system(), case: here, record }).expect("a record");
    let mut draft = handover_sample::draft();
    (draft.consent, draft.to, draft.to_team) = (Some(onward), society("GM"), None);
    let passed_on = HandoverId::new(NOW, [33; 10]);
    mali.ask(Command::OfferHandover {
        caller: Caller::system(),
        id: passed_on,
        case: here,
        entropy: [34; 10],
        draft: Box::new(draft),
        package: None,
        release_on_acceptance: false,
    })
    .expect("covered by the consent given in Mali");
    world.settle("ML", "GM");
    passed_on
}

#[test]
fn what_was_passed_on_is_taken_back_with_it() {
    let mut world = world(7);
    let passed_on = passed_on(&mut world);
    world.at("SN").ask(withdraw(About::Consent(consent_id()), None)).expect("recorded");
    for _ in 0..3 {
        world.settle("SN", "ML");
        world.settle("ML", "GM");
        world.nodes.iter_mut().for_each(|node| node.erase_what_is_due());
    }
    assert_over(&mut world, "passed on");
    let resting = world.at("SN").journal.rows.uses[&consent_id()].of(id()).cloned().expect("it rests");
    assert_eq!(resting.onward, [society("GM")], "Mali says to whom it had passed it on");
    for at in ["ML", "GM"] {
        assert_eq!(world.at(at).journal.rows.handovers[&passed_on].state, State::Erased, "{at}");
    }
}

#[test]
fn each_refusal_of_a_withdrawal_is_reached() {
    let visitor = Caller { actor: crate::entry::Actor::Operator("v".into()), roles: Vec::new() };
    let unknown = HandoverId::new(NOW, [99; 10]);
    let empty = Some(Scope::default());
    let by = |by| Command::Withdraw {
        caller: Caller::system(),
        about: About::Handover(id()),
        by,
        method: None,
        scope: None,
    };
    let caller = visitor;
    let (about, method, scope) = (About::Handover(id()), None, None);
    for (wanted, command) in [
        (Code::RoleMissing, Command::Withdraw { caller, about, by: Actor::Person, method, scope }),
        (Code::UnknownHandover, withdraw(About::Handover(unknown), None)),
        (Code::UnknownConsent, withdraw(About::Consent(ConsentId::new(NOW, [99; 10])), None)),
        (Code::UnknownConsent, withdraw(About::Case(case(99)), None)),
        (Code::MissingField, withdraw(About::Handover(id()), empty)),
        (Code::Malformed, by(Actor::Caseworker)),
        (Code::WrongState, Command::CaseErased { case: case(1), kept: false }),
    ] {
        assert_eq!(code(world(1).at("SN").ask(command)), Some(wanted));
    }
    let mut world = world(7);
    world.at("SN").ask(withdraw(About::Handover(id()), None)).expect("recorded");
    world.settle("SN", "ML");
    for (at, command) in [("SN", report(Step::Revoked(crate::catalogue::StopReason::MovedOn))), ("ML", read())] {
        assert_eq!(code(world.at(at).ask(command)), Some(Code::Withdrawn), "{at}");
    }
    let stale = Command::EndWithheld { peer: society("ML"), lane: Lane::Urgent, position: Position(1) };
    world.at("SN").ask(stale).expect("what is receipted is over");
    let _ = EntryIndex(0);
}
