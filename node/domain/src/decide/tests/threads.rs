//! The life of alerts between nodes: drafts and their approval, threads whose messages come in any order,
//! redaction, and calls of posts on duty.

use std::time::Duration;

use proptest::{prelude::*, test_runner::Config};

use super::world::*;
use crate::{
    alert::{Alert, AlertDraft, Reference, life},
    catalogue::{CancelReason, RedactReason, Role, Severity},
    decide::{Caller, Command, Reply},
    entry::{Actor, Body, DraftEnd, DraftSource, ForgetReason, HookOutcome, Verdict},
    envelope::{Kind, Lane},
    fold::Residue,
    ids::{AlertId, EntryIndex, Position},
    refusal::{Code, Refusal},
    time::Time,
};

const NOW: Time = crate::consent::sample::NOW;

fn id(seed: u8) -> AlertId {
    AlertId::new(NOW, [seed; 10])
}

fn person(name: &str, role: Role) -> Caller {
    Caller { actor: Actor::Operator(name.into()), roles: vec![role] }
}

fn author() -> Caller {
    person("awa", Role::AlertAuthor)
}

fn approver() -> Caller {
    person("binta", Role::AlertApprover)
}

fn of(change: impl FnOnce(&mut AlertDraft)) -> Alert {
    let mut draft = alert_draft();
    change(&mut draft);
    Alert::from_draft(draft, NOW).expect("a good draft")
}

fn grave() -> Alert {
    of(|draft| draft.severity = Some(Severity::Extreme))
}

fn draft(caller: Caller, seed: u8, alert: Alert) -> Command {
    Command::DraftAlert { caller, id: id(seed), alert: Box::new(alert), source: DraftSource::Operator }
}

fn approve(caller: Caller, seed: u8) -> Command {
    Command::ApproveDraft { caller, id: id(seed), digest: None }
}

fn publish(seed: u8) -> Command {
    Command::PublishDraft { caller: author(), id: id(seed) }
}

fn raise(seed: u8, alert: Alert) -> Command {
    Command::RaiseAlert { caller: author(), id: id(seed), alert: Box::new(alert) }
}

fn update(seed: u8, parents: &[u8]) -> Command {
    let parents = parents.iter().map(|seed| Reference { origin: society("SN"), id: id(*seed), sent_at: NOW });
    raise(seed, alert(false, parents.collect(), NOW))
}

fn cancel(seed: u8) -> Command {
    let cancel = crate::alert::AlertCancel { alert: id(seed), reason: CancelReason::Wrong, note: None };
    Command::CancelAlert { caller: author(), entropy: [seed + 100; 10], cancel }
}

fn redact(seed: u8) -> Command {
    let reason = RedactReason::EndangersPeople;
    Command::RedactAlert { caller: author(), entropy: [seed + 120; 10], id: id(seed), reason }
}

fn refused(outcome: Result<Reply, Refusal>) -> Option<Code> {
    outcome.err().map(|refusal| refusal.code)
}

/// Whether an entry's object is gone.
fn gone(journal: &Journal, entry: EntryIndex) -> bool {
    journal.objects.get(&entry).is_none_or(|stored| Residue::is_stored(stored))
}

#[test]
fn a_grave_alert_goes_out_only_when_a_second_person_has_approved_it() {
    let mut world = World::new();
    let node = world.at("SN");
    assert_eq!(refused(node.ask(raise(1, grave()))), Some(Code::ApprovalRequired));
    node.ask(draft(author(), 1, grave())).expect("drafted");
    let drafted = node.journal.rows.drafts[&id(1)].entry;
    let entries = node.journal.next();
    node.ask(draft(author(), 1, grave())).expect("the same again");
    assert_eq!(node.journal.next(), entries, "and nothing is written for it");

    assert_eq!(refused(node.ask(publish(1))), Some(Code::ApprovalRequired));
    assert_eq!(refused(node.ask(approve(author(), 1))), Some(Code::RoleMissing));
    assert_eq!(refused(node.ask(approve(person("awa", Role::AlertApprover), 1))), Some(Code::SelfApproval));
    assert_eq!(refused(node.ask(approve(Caller::system(), 1))), Some(Code::NeedsPerson), "the node is no person");
    let digest = Some(crate::digest::Digest::of(b"what was read"));
    let other = Command::ApproveDraft { caller: approver(), id: id(1), digest };
    assert_eq!(refused(node.ask(other)), Some(Code::WrongState), "it is not what was read");
    assert_eq!(refused(node.ask(approve(approver(), 9))), Some(Code::UnknownDraft));
    assert_eq!(refused(node.ask(raise(1, alert(false, vec![], NOW)))), Some(Code::DuplicateId));
    node.ask(approve(approver(), 1)).expect("a second person");
    node.ask(approve(approver(), 1)).expect("and again");

    node.now = NOW.plus(Duration::from_secs(3_600));
    let Ok(Reply::Alert { recipients, .. }) = node.ask(publish(1)) else { panic!("it is published") };
    assert_eq!(recipients.len(), 2);
    let again = node.ask(publish(1)).expect("the same answer");
    assert!(matches!(again, Reply::Alert { recipients, .. } if recipients.len() == 2));
    let row = &node.journal.rows.alerts[&id(1)];
    assert_eq!((row.state, row.sent_at), (life::State::Active, Some(node.now)), "sent when it went out");
    assert!(gone(&node.journal, drafted), "what the draft said stands in the alert alone");
    assert_eq!(node.journal.rows.drafts[&id(1)].ended.map(|(end, _)| end), Some(DraftEnd::Published));
    assert_eq!(refused(node.ask(Command::DiscardDraft { caller: author(), id: id(1) })), Some(Code::AlreadyEnded));
    assert!(node.journal.rebuilt(node.own) == node.journal.rows);
}

#[test]
fn a_changed_draft_is_approved_anew_and_a_discarded_one_is_forgotten() {
    let mut world = World::new();
    let node = world.at("SN");
    node.ask(draft(author(), 1, grave())).expect("drafted");
    node.ask(approve(approver(), 1)).expect("approved");
    let first = node.journal.rows.drafts[&id(1)].entry;
    let changed = of(|draft| {
        draft.severity = Some(Severity::Extreme);
        draft.access_note = Some("By the river".into());
    });
    node.ask(draft(approver(), 1, changed)).expect("drafted anew");
    assert!(gone(&node.journal, first));
    assert_eq!(refused(node.ask(publish(1))), Some(Code::ApprovalRequired));
    assert_eq!(refused(node.ask(approve(approver(), 1))), Some(Code::SelfApproval), "it is hers now");
    node.ask(Command::DiscardDraft { caller: author(), id: id(1) }).expect("given up");
    let last = node.journal.rows.drafts[&id(1)].entry;
    assert!(gone(&node.journal, last));
    for command in [publish(1), approve(approver(), 1), draft(author(), 1, grave())] {
        assert_eq!(refused(node.ask(command)), Some(Code::AlreadyEnded));
    }
    assert_eq!(issued(&node.journal, Kind::Alert).count(), 0, "a draft never leaves the node");
    assert!(node.journal.rebuilt(node.own) == node.journal.rows);
}

#[test]
fn a_plain_draft_is_ready_at_once_and_what_a_feed_says_waits_for_a_person() {
    let mut world = World::new();
    let node = world.at("SN");
    node.ask(draft(author(), 1, alert(false, vec![], NOW))).expect("drafted");
    node.ask(publish(1)).expect("no second person is needed");
    let source = DraftSource::Feed("meteo".into());
    let alert = Box::new(alert(false, vec![], NOW));
    let fed = Command::DraftAlert { caller: Caller::system(), id: id(2), alert, source };
    node.ask(fed).expect("drafted");
    assert_eq!(refused(node.ask(publish(2))), Some(Code::ApprovalRequired));
    node.ask(approve(approver(), 2)).expect("a person has looked at it");
    node.ask(publish(2)).expect("ready");
    node.ask(draft(author(), 3, self::alert(false, vec![], NOW))).expect("drafted");
    node.now = NOW.plus(Duration::from_secs(86_400));
    assert_eq!(refused(node.ask(publish(3))), Some(Code::BadTimes), "it has expired meanwhile");
}

#[test]
fn what_is_redacted_is_gone_at_every_holder_and_does_not_come_back() {
    let mut world = World::new();
    world.at("SN").ask(raise(1, alert(false, vec![], NOW))).expect("raised");
    world.settle("SN", "ML");
    let copy = world.at("SN").parcel(society("GM"), Lane::Routine, Position(1)).expect("on its way to Gambia");
    assert_eq!(refused(world.at("ML").ask(redact(1))), Some(Code::NotOrigin));
    assert_eq!(refused(world.at("SN").ask(redact(9))), Some(Code::UnknownAlert));
    let nobody = Command::RedactAlert {
        caller: person("visitor", Role::Interpreter),
        entropy: [1; 10],
        id: id(1),
        reason: RedactReason::PersonalData,
    };
    assert_eq!(refused(world.at("SN").ask(nobody)), Some(Code::RoleMissing));
    world.at("SN").ask(redact(1)).expect("ours");
    let entries = world.at("SN").journal.next();
    world.at("SN").ask(redact(1)).expect("again");
    assert_eq!(world.at("SN").journal.next(), entries, "and nothing is written for it");
    world.settle("SN", "ML");

    for code in ["SN", "ML"] {
        let node = world.at(code);
        let row = &node.journal.rows.alerts[&id(1)];
        assert_eq!(row.state, life::State::Redacted);
        assert!(gone(&node.journal, row.entry), "{code}");
    }
    let erased: Vec<_> = {
        let row = &world.at("SN").journal.rows.alerts[&id(1)];
        row.redacted.as_ref().expect("redacted").erased.iter().map(|(by, _)| *by).collect()
    };
    assert_eq!(erased, [society("ML")], "Mali has said so, Gambia not yet");

    // In Gambia the redaction comes first, and the copy that was on its way after it.
    let (senegal, gambia) = (0, 2);
    world.bring(senegal, gambia, Lane::Urgent, 1).expect("the redaction").expect("judged");
    world.at("GM").take(society("SN"), Lane::Routine, Position(1), &copy).expect("judged");
    let verdict = world.at("GM").journal.entries.iter().rev().find_map(|entry| match &entry.body {
        Body::Received { verdict, .. } => Some(verdict.clone()),
        _ => None,
    });
    assert_eq!(verdict, Some(Verdict::Rejected("redacted".into())));
    assert!(!world.at("GM").journal.rows.alerts.contains_key(&id(1)));
    world.settle("SN", "GM");
    let caller = Caller::system();
    let (peer, entry) = (society("ML"), world.at("SN").journal.rows.alerts[&id(1)].entry);
    let replay = Command::Replay { caller, peer, entries: vec![entry] };
    let Ok(Reply::Replayed { envelopes: 0, withheld, .. }) = world.at("SN").ask(replay) else {
        panic!("nothing is sent again")
    };
    assert_eq!(withheld.len(), 1);
    let late = update(2, &[1]);
    assert_eq!(refused(world.at("SN").ask(late)), Some(Code::AlreadyEnded));
    for node in &world.nodes {
        assert!(node.journal.rebuilt(node.own) == node.journal.rows, "{}", node.own);
    }
}

#[test]
fn an_origin_that_forgot_its_redaction_takes_it_back_from_a_holder_and_tells_all_of_them() {
    let mut world = World::new();
    world.at("SN").ask(raise(1, alert(false, vec![], NOW))).expect("raised");
    world.settle("SN", "ML");
    world.settle("SN", "GM");
    let backup = world.at("SN").journal.clone();
    world.at("SN").ask(redact(1)).expect("ours");
    // Gambia hears of it; then Senegal is restored from before it, and Mali never heard.
    world.settle("SN", "GM");
    world.at("SN").journal = backup;
    let entry = world.at("GM").journal.rows.alerts[&id(1)].redacted.as_ref().expect("redacted").entry;
    let replay = Command::Replay { caller: Caller::system(), peer: society("SN"), entries: vec![entry] };
    for _ in 0..2 {
        world.at("GM").ask(replay.clone()).expect("given back");
        world.exchange(2, 0);
        let node = world.at("SN");
        let row = &node.journal.rows.alerts[&id(1)];
        assert_eq!(row.state, life::State::Redacted);
        assert!(gone(&node.journal, row.entry));
        assert_eq!(issued(&node.journal, Kind::AlertRedact).count(), 1, "once, however often it is given back");
    }
    world.settle("SN", "ML");
    let row = world.at("ML").journal.rows.alerts[&id(1)].clone();
    assert_eq!(row.state, life::State::Redacted);
    assert!(gone(&world.at("ML").journal, row.entry));
    let redaction = world.at("SN").journal.rows.alerts[&id(1)].redacted.clone().expect("redacted");
    assert!(redaction.erased.iter().any(|(by, _)| *by == society("ML")));
    for node in &world.nodes {
        assert!(node.journal.rebuilt(node.own) == node.journal.rows, "{}", node.own);
    }
}

#[test]
fn an_update_held_for_its_parent_is_shown_when_its_time_is_over() {
    let mut world = World::new();
    world.at("SN").ask(raise(1, alert(false, vec![], NOW))).expect("raised");
    world.at("SN").ask(raise(2, alert(true, vec![reference(1)], NOW))).expect("updated");
    world.bring(0, 1, Lane::Urgent, 1).expect("the update").expect("judged");
    let node = world.at("ML");
    assert_eq!(node.journal.rows.alerts[&id(2)].state, life::State::HeldOrphan);
    let entries = node.journal.next();
    node.ask(Command::ReleaseOrphan { alert: id(2) }).expect("too early");
    assert_eq!(node.journal.next(), entries);
    node.now = NOW.plus(Duration::from_secs(600));
    node.ask(Command::ReleaseOrphan { alert: id(2) }).expect("its wait is over");
    assert_eq!(node.journal.rows.alerts[&id(2)].state, life::State::Active);
    node.ask(Command::ReleaseOrphan { alert: id(2) }).expect("once");
    assert_eq!(node.journal.next().0, entries.0 + 1);
}

fn reference(seed: u8) -> Reference {
    Reference { origin: society("SN"), id: id(seed), sent_at: NOW }
}

#[test]
fn posts_are_called_in_turn_each_once_until_somebody_answers() {
    let mut world = World::new();
    let asks = of(|draft| {
        draft.ack_required = Some(true);
        draft.ack_by = Some("+1h".parse().expect("a time"));
    });
    world.at("SN").ask(raise(1, asks)).expect("raised");
    world.settle("SN", "ML");
    let call = |step| Command::Escalate { alert: id(1), step, post: "duty_officer.kayes".into() };
    let node = world.at("ML");
    assert_eq!(node.ask(call(2)), Ok(Reply::Escalated { call: false }), "not before the first");
    assert_eq!(node.ask(call(1)), Ok(Reply::Escalated { call: true }));
    assert_eq!(node.ask(call(1)), Ok(Reply::Escalated { call: false }), "no call is made twice");
    let ended = |outcome| Command::EndEscalation { alert: id(1), step: 1, outcome, status: Some(3) };
    node.ask(ended(HookOutcome::Failed)).expect("recorded");
    node.ask(ended(HookOutcome::Called)).expect("but once");
    let outcome = node.journal.rows.alerts[&id(1)].escalation.as_ref().and_then(|one| one.outcome);
    assert_eq!(outcome, Some(HookOutcome::Failed));
    let ack = crate::alert::AlertAck::new(id(1), crate::catalogue::AckKind::Ack, None).expect("an answer");
    let answer = Command::AcknowledgeAlert { caller: Caller::system(), entropy: [9; 10], ack };
    node.ask(answer).expect("a person has read it");
    assert_eq!(node.ask(call(2)), Ok(Reply::Escalated { call: false }), "and nobody else is called");
    assert_eq!(refused(node.ask(call(17))), Some(Code::TooMany));
    assert!(node.journal.rebuilt(node.own) == node.journal.rows);
    let own = world.at("SN").ask(call(1));
    assert_eq!(own, Ok(Reply::Escalated { call: false }), "an origin does not answer itself");
}

/// What each alert of a thread is to a node: its state, its updates, whether it is redacted.
fn shape(node: &Node) -> Vec<(u8, life::State, Vec<AlertId>)> {
    let rows = &node.journal.rows;
    let of = |seed: u8| match (rows.alerts.get(&id(seed)), rows.tombstones.get(&id(seed))) {
        (Some(row), _) => Some((seed, row.state, row.children().to_vec())),
        (None, Some(row)) => {
            let claim = row.of(society("SN"))?;
            claim.redacted.map(|_| (seed, life::State::Redacted, claim.children().to_vec()))
        }
        _ => None,
    };
    (1..=5).filter_map(of).collect()
}

proptest! {
    #![proptest_config(Config { cases: 200, max_shrink_iters: 100, ..Config::default() })]

    /// Senegal raises an alert, updates it twice (a conflict), joins both updates in a third, cancels one and redacts one.
    /// Whatever the order in which that comes, each node ends with the same thread.
    #[test]
    fn a_thread_is_the_same_at_every_node_whatever_the_order_of_arrival(
        first in Just((0_usize..7).collect::<Vec<_>>()).prop_shuffle(),
        second in Just((0_usize..7).collect::<Vec<_>>()).prop_shuffle(),
        redacted in 1_u8..=4,
        cancelled in 1_u8..=4,
    ) {
        let mut world = World::new();
        let senegal = world.at("SN");
        let plain = raise(1, alert(false, vec![], NOW));
        for command in [plain, update(2, &[1]), update(3, &[1]), update(4, &[2, 3]), raise(5, alert(true, vec![], NOW))] {
            senegal.ask(command).expect("allowed");
        }
        // The letters as they were before the redaction, so that late copies are among them.
        let mut letters = Vec::new();
        for (lane, from) in [(Lane::Routine, 1), (Lane::Urgent, 1)] {
            let mut at = from;
            while let Some(parcel) = senegal.parcel(society("ML"), lane, Position(at)) {
                letters.push((lane, parcel));
                at += 1;
            }
        }
        senegal.ask(cancel(cancelled)).expect("ours");
        senegal.ask(redact(redacted)).expect("ours");
        for at in 2..=3 {
            letters.push((Lane::Urgent, senegal.parcel(society("ML"), Lane::Urgent, Position(at)).expect("a letter")));
        }
        prop_assert_eq!(letters.len(), 7);
        let home = shape(senegal);
        for order in [first, second] {
            let mut world = World::new();
            let node = world.at("ML");
            let mut next = std::collections::BTreeMap::new();
            for at in order {
                let (lane, parcel) = &letters[at];
                let position = next.entry(*lane).or_insert(0_u64);
                *position += 1;
                node.take(society("SN"), *lane, Position(*position), parcel).expect("judged");
            }
            prop_assert_eq!(&shape(node), &home);
            prop_assert!(node.journal.rebuilt(node.own) == node.journal.rows);
            let row = node.journal.rows.alerts.get(&id(redacted));
            prop_assert!(row.is_none_or(|row| gone(&node.journal, row.entry)));
        }
    }
}

#[test]
fn what_is_forgotten_for_a_redaction_is_named_in_the_journal() {
    let mut world = World::new();
    let node = world.at("SN");
    node.ask(raise(1, alert(false, vec![], NOW))).expect("raised");
    let entry = node.journal.rows.alerts[&id(1)].entry;
    node.ask(redact(1)).expect("ours");
    let named = node.journal.entries.iter().any(
        |one| matches!(&one.body, Body::Forgotten { reason: ForgetReason::Redacted, objects } if objects[0].0 == entry),
    );
    assert!(named);
}

#[test]
fn a_redaction_is_heard_from_a_node_whose_clock_is_ahead() {
    let mut world = World::new();
    world.at("SN").ask(raise(1, alert(false, vec![], NOW))).expect("raised");
    world.settle("SN", "ML");
    world.at("SN").now = NOW.plus(Duration::from_secs(6 * 3_600));
    world.at("SN").ask(raise(2, alert(false, vec![], NOW))).expect("raised");
    world.at("SN").ask(redact(1)).expect("ours");
    world.settle("SN", "ML");
    let alerts = &world.at("ML").journal.rows.alerts;
    assert!(alerts[&id(1)].redacted.is_some(), "what must not be shown is not shown, whatever the clocks say");
    assert!(!alerts.contains_key(&id(2)), "anything else from the future is refused");
}
