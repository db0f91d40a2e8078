//! Random histories of three nodes: commands of operators, parcels in order, again or out of it, receipts
//! new and old, clocks that jump. After each command every named invariant holds.

use std::{collections::BTreeMap, time::Duration};

use proptest::{collection::vec, prelude::*, sample::Index, test_runner::Config};

use super::world::*;
use crate::{
    alert::{AlertAck, AlertCancel, Reference, life},
    catalogue::{AckKind, CancelReason, Purpose, RejectReason, StopReason},
    consent::{Actor, Scope, sample as consent_sample},
    decide::{About, Caller, Command},
    digest::Digest,
    entry::{Body, Verdict as Judgement},
    envelope::{Attachment, Kind, Lane},
    handover::{Step, Verdict, sample as handover_sample},
    ids::{AlertId, EntryIndex, HandoverId, IdEntropy, Position},
    receipt::SignedReceipt,
    refusal::Code,
    rows::LaneOut,
    society::Society,
    time::Time,
};

#[derive(Clone, Debug)]
enum Op {
    Raise { node: usize, urgent: bool, update: bool, which: Index },
    Cancel { node: usize, which: Index },
    Acknowledge { node: usize, which: Index },
    Bring { from: usize, to: usize, lane: Lane, ahead: u64 },
    Exchange { from: usize, to: usize },
    Receipt { from: usize, to: usize, lane: Lane, which: Index },
    Replay { node: usize, to: usize, entry: Index },
    Consent { hours: u64 },
    Offer { which: Index },
    Answer { which: Index, yes: bool },
    Release { which: Index },
    Report { which: Index, node: usize, step: Step },
    Withdraw { which: Index, node: usize, part: Option<Purpose> },
    Erase { node: usize },
    EndExpired { from: usize, to: usize, lane: Lane },
    Suspend { node: usize, peer: usize, suspended: bool },
    Forget { node: usize, entry: Index },
    Clock { node: usize, hours: i64 },
}

fn op() -> impl Strategy<Value = Op> {
    let (node, lane, which) = (0_usize..3, prop::sample::select(Lane::ALL), any::<Index>);
    let pair = (0_usize..3, 1_usize..3).prop_map(|(from, by)| (from, (from + by) % 3));
    let step = prop::sample::select(vec![
        Step::InService,
        Step::NotArrived,
        Step::Returned(StopReason::MovedOn),
        Step::Cancelled(StopReason::WrongRecipient),
        Step::Revoked(StopReason::UnsafeForPerson),
        Step::Withdrawn,
    ]);
    prop_oneof![
        3 => (node.clone(), any::<bool>(), any::<bool>(), which())
            .prop_map(|(node, urgent, update, which)| Op::Raise { node, urgent, update, which }),
        2 => (node.clone(), which()).prop_map(|(node, which)| Op::Cancel { node, which }),
        2 => (node.clone(), which()).prop_map(|(node, which)| Op::Acknowledge { node, which }),
        4 => (pair.clone(), lane.clone(), 0_u64..3)
            .prop_map(|((from, to), lane, ahead)| Op::Bring { from, to, lane, ahead }),
        6 => pair.clone().prop_map(|(from, to)| Op::Exchange { from, to }),
        2 => (pair.clone(), lane.clone(), which())
            .prop_map(|((from, to), lane, which)| Op::Receipt { from, to, lane, which }),
        2 => (pair.clone(), which()).prop_map(|((node, to), entry)| Op::Replay { node, to, entry }),
        3 => (1_u64..100).prop_map(|hours| Op::Consent { hours }),
        4 => which().prop_map(|which| Op::Offer { which }),
        4 => (which(), prop::bool::weighted(0.8)).prop_map(|(which, yes)| Op::Answer { which, yes }),
        4 => which().prop_map(|which| Op::Release { which }),
        2 => (which(), node.clone(), step).prop_map(|(which, node, step)| Op::Report { which, node, step }),
        2 => (which(), 0_usize..2, prop::option::of(prop::sample::select(vec![Purpose::Transport, Purpose::Shelter])))
            .prop_map(|(which, node, part)| Op::Withdraw { which, node, part }),
        1 => (0_usize..3).prop_map(|node| Op::Erase { node }),
        1 => (pair.clone(), lane).prop_map(|((from, to), lane)| Op::EndExpired { from, to, lane }),
        1 => (pair, prop::bool::weighted(0.3))
            .prop_map(|((node, peer), suspended)| Op::Suspend { node, peer, suspended }),
        1 => (node.clone(), which()).prop_map(|(node, entry)| Op::Forget { node, entry }),
        2 => (node, -3_i64..30).prop_map(|(node, hours)| Op::Clock { node, hours }),
    ]
}

/// A world, and what the test itself remembers of its history.
struct History {
    world: World,
    alerts: Vec<(AlertId, Society, Time)>,
    /// Until when each case's consent holds, as this test gave it.
    consents: Vec<Time>,
    handovers: Vec<(HandoverId, usize)>,
    receipts: Vec<(usize, Society, SignedReceipt)>,
    cancelled: Vec<Vec<AlertId>>,
    lanes: Vec<BTreeMap<(Society, Lane), LaneOut>>,
    drawn: u8,
}

fn pick<T: Clone>(which: Index, of: &[T]) -> Option<T> {
    (!of.is_empty()).then(|| which.get(of).clone())
}

impl History {
    fn new() -> Self {
        let world = World::new();
        let (alerts, consents, handovers, receipts) = Default::default();
        let (cancelled, lanes) = (vec![Vec::new(); 3], vec![BTreeMap::new(); 3]);
        Self { world, alerts, consents, handovers, receipts, cancelled, lanes, drawn: 0 }
    }

    fn entropy(&mut self) -> IdEntropy {
        self.drawn += 1;
        [self.drawn; 10]
    }

    /// Does one thing. What is refused is as good as what is not: the invariants are asked after either.
    fn act(&mut self, op: Op) {
        let (caller, entropy) = (Caller::system(), self.entropy());
        match op {
            Op::Raise { node, urgent, update, which } => {
                let node = &mut self.world.nodes[node];
                let (id, now) = (AlertId::new(node.now, entropy), node.now);
                let parent = pick(which, &self.alerts).filter(|_| update);
                let parents = parent.map(|(id, origin, sent_at)| Reference { origin, id, sent_at });
                let parents: Vec<_> = parents.into_iter().filter(|parent| parent.sent_at <= now).collect();
                let alert = Box::new(alert(urgent, parents, now));
                let again = Command::RaiseAlert { caller: caller.clone(), id, alert };
                if node.ask(again.clone()).is_ok() {
                    let entries = node.journal.next();
                    node.ask(again).expect("the same again is answered the same");
                    assert_eq!(node.journal.next(), entries, "and writes nothing");
                    self.alerts.push((id, node.own, now));
                }
            }
            Op::Cancel { node, which } => {
                let Some((alert, ..)) = pick(which, &self.alerts) else { return };
                let cancel = AlertCancel { alert, reason: CancelReason::Resolved, note: None };
                let _ = self.world.nodes[node].ask(Command::CancelAlert { caller, entropy, cancel });
            }
            Op::Acknowledge { node, which } => {
                let Some((alert, ..)) = pick(which, &self.alerts) else { return };
                let ack = AlertAck::new(alert, AckKind::Ack, None).expect("an answer");
                let _ = self.world.nodes[node].ask(Command::AcknowledgeAlert { caller, entropy, ack });
            }
            Op::Bring { from, to, lane, ahead } => drop(self.world.bring(from, to, lane, ahead)),
            Op::Exchange { from, to } => {
                for lane in Lane::ALL {
                    while let Some(outcome) = self.world.bring(from, to, *lane, 1) {
                        outcome.expect("the next position is judged, whatever it holds");
                    }
                    self.receipt(from, to, *lane);
                }
            }
            Op::Receipt { from, to, lane, which } => {
                self.receipt(from, to, lane);
                if let Some((node, by, old)) = pick(which, &self.receipts) {
                    self.world.nodes[node].take_receipt(by, old).expect("an old receipt changes nothing");
                }
            }
            Op::Replay { node, to, entry } => {
                let peer = self.world.nodes[to].own;
                let node = &mut self.world.nodes[node];
                let entries = vec![EntryIndex(entry.index(node.journal.entries.len()) as u64)];
                node.ask(Command::Replay { caller, peer, entries }).expect("a replay withholds, but is not refused");
            }
            Op::Suspend { node, peer, suspended } => {
                let peer = self.world.nodes[peer].own;
                self.world.nodes[node].policy.peers.entry(peer).or_default().suspended = suspended;
            }
            Op::Erase { node } => self.world.nodes[node].erase_what_is_due(),
            Op::EndExpired { from, to, lane } => {
                let peer = self.world.nodes[to].own;
                let node = &mut self.world.nodes[from];
                let receipted = node.journal.rows.lanes_out.get(&(peer, lane)).map_or(0, |out| out.receipted.0);
                let _ = node.ask(Command::EndExpired { peer, lane, position: Position(receipted + 1) });
            }
            Op::Forget { node, entry } => {
                let node = &mut self.world.nodes[node];
                let entry = EntryIndex(entry.index(node.journal.entries.len()) as u64);
                node.forget(&[entry]);
            }
            Op::Clock { node, hours } => {
                let node = &mut self.world.nodes[node];
                let step = Duration::from_secs(hours.unsigned_abs() * 3_600);
                node.now = if hours < 0 { node.now.minus(step) } else { node.now.plus(step) };
            }
            handover => self.hand_over(handover, entropy),
        }
    }

    fn receipt(&mut self, from: usize, to: usize, lane: Lane) {
        let (sender, receiver) = (self.world.nodes[from].own, self.world.nodes[to].own);
        let signed = self.world.nodes[to].receipt(sender, lane);
        self.receipts.push((from, receiver, signed.clone()));
        self.world.nodes[from].take_receipt(receiver, signed).expect("a receipt over what was sent");
    }

    fn hand_over(&mut self, op: Op, entropy: IdEntropy) {
        let caller = Caller::system();
        match op {
            Op::Consent { hours } => {
                let (seed, node) = (self.consents.len() as u8, self.world.at("SN"));
                let until = node.now.plus(Duration::from_secs(hours * 3_600));
                let mut draft = consent_sample::draft();
                draft.valid_until = Some(until);
                draft.retention_until = Some(until.plus(Duration::from_secs(86_400)));
                let record = Box::new(consent(node, seed, draft));
                node.ask(Command::RecordConsent { caller, case: case(seed), record }).expect("a record of the case");
                self.consents.push(until);
            }
            Op::Offer { which } => {
                if self.consents.is_empty() {
                    return;
                }
                let seed = which.index(self.consents.len());
                let node = self.world.at("SN");
                let mut draft = handover_sample::draft();
                draft.consent = Some(consent(node, seed as u8, consent_sample::draft()).id);
                let (id, case, draft) = (HandoverId::new(node.now, entropy), case(seed as u8), Box::new(draft));
                let (package, release_on_acceptance) = (Some(package(seed as u8)), false);
                let command =
                    Command::OfferHandover { caller, id, case, entropy, draft, package, release_on_acceptance };
                if node.ask(command).is_ok() {
                    self.handovers.push((id, seed));
                }
            }
            Op::Answer { which, yes } => {
                let Some((id, _)) = pick(which, &self.handovers) else { return };
                let team = "intake.kayes".parse().expect("a code");
                let verdict = if yes {
                    Verdict::Accept { team, services: Vec::new() }
                } else {
                    Verdict::Reject { reason: RejectReason::NoCapacity, note: None }
                };
                let _ = self.world.at("ML").ask(Command::AnswerHandover { caller, entropy, id, verdict });
            }
            Op::Release { which } => {
                let Some((id, seed)) = pick(which, &self.handovers) else { return };
                let (package, sections) = (package(seed as u8), vec![crate::catalogue::Section::Contact]);
                let attachment = Some(Attachment { digest: Digest::of(SEALED), bytes: SEALED.len() as u64 });
                let command = Command::ReleaseHandover { caller, entropy, id, package, attachment, sections };
                let _ = self.world.at("SN").ask(command);
            }
            Op::Withdraw { which, node, part } => {
                let Some((id, _)) = pick(which, &self.handovers) else { return };
                let (about, by) = (About::Handover(id), Actor::Person);
                let scope = part.map(|purpose| Scope { purposes: vec![purpose], ..Scope::default() });
                let command = Command::Withdraw { caller, about, by, method: None, scope };
                let _ = self.world.nodes[node].ask(command);
            }
            Op::Report { which, node, step } => {
                let Some((id, _)) = pick(which, &self.handovers) else { return };
                let _ = self.world.nodes[node].ask(Command::ReportHandover { caller, entropy, id, step, note: None });
            }
            _ => {}
        }
    }

    fn assert_invariants(&mut self) {
        for (at, node) in self.world.nodes.iter().enumerate() {
            lanes_only_grow_and_have_no_gap(&node.journal, &self.lanes[at]);
            self.lanes[at].clone_from(&node.journal.rows.lanes_out);
            nothing_takes_effect_twice(&node.journal);
            for id in &self.cancelled[at] {
                let state = node.journal.rows.alerts[id].state;
                assert_eq!(state, life::State::Cancelled, "a cancelled alert stays cancelled");
            }
            let cancelled = node.journal.rows.alerts.iter().filter(|(_, row)| row.state == life::State::Cancelled);
            self.cancelled[at] = cancelled.map(|(id, _)| *id).collect();
            for entry in issued(&node.journal, Kind::HandoverRelease) {
                let Body::Issued(meta) = &entry.body else { continue };
                let id = HandoverId::from(meta.subject.expect("a release is about a handover"));
                let seed = self.handovers.iter().find(|(known, _)| *known == id).expect("one that was offered").1;
                assert!(entry.time < self.consents[seed], "nothing is released past the end of its consent");
            }
        }
    }

    /// Whatever happened before: once all links have healed and all is done that is due, whoever took part in a
    /// handover that the person stopped has stopped it and erased it, and its origin knows.
    fn assert_withdrawals_end_in_erasure(&mut self) {
        for _ in 0..4 {
            for (from, to) in [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)] {
                self.act(Op::Exchange { from, to });
            }
            self.world.nodes.iter_mut().for_each(|node| node.erase_what_is_due());
        }
        self.assert_invariants();
        for (id, _) in self.handovers.clone() {
            let stopped = |node: &Node| {
                let row = node.journal.rows.handovers.get(&id)?;
                node.journal.rows.uses[&row.consent.id].of(id)?.stopped
            };
            if self.world.nodes.iter().all(|node| stopped(node).is_none()) {
                continue;
            }
            for node in &mut self.world.nodes[..2] {
                let Some(row) = node.journal.rows.handovers.get(&id).cloned() else { continue };
                assert!(stopped(node).is_some(), "{} has stopped {id} too", node.own);
                assert!(row.state.has_ended(), "{}: it is {}", node.own, row.state);
                let (sections, purpose) = (vec![crate::catalogue::Section::Contact], Purpose::Transport);
                let read = node.ask(Command::ReadPackage { caller: Caller::system(), id, sections, purpose });
                assert_eq!(read.map_err(|r| r.code), Err(Code::Withdrawn), "{}: nobody reads it", node.own);
                if node.own == row.to {
                    let case = row.case.unwrap_or_else(|| node.pseudonyms.received(id));
                    assert!(node.journal.rows.cases[&case].erased.is_some(), "{} has erased it", node.own);
                } else {
                    let resting = node.journal.rows.uses[&row.consent.id].of(id).cloned().expect("it rests on it");
                    assert!(resting.answered_at.is_some(), "the origin knows that the other end has stopped");
                    assert!(resting.erased_at.is_some(), "and that it has erased");
                }
            }
        }
    }

    fn assert_rebuilds(&self) {
        for node in &self.world.nodes {
            assert!(node.journal.rebuilt(node.own) == node.journal.rows, "{}: rows follow from the journal", node.own);
        }
    }
}

fn lanes_only_grow_and_have_no_gap(journal: &Journal, before: &BTreeMap<(Society, Lane), LaneOut>) {
    for ((peer, lane), out) in &journal.rows.lanes_out {
        assert!(out.receipted <= out.queued, "nothing is receipted that was not queued");
        let was = before.get(&(*peer, *lane)).copied().unwrap_or_default();
        assert!(was.queued <= out.queued && was.receipted <= out.receipted, "a lane never goes back");
        let all = (*peer, *lane, Position(0))..=(*peer, *lane, Position(u64::MAX));
        let positions: Vec<_> = journal.rows.items.range(all).map(|((.., position), _)| position.0).collect();
        assert_eq!(positions, (1..=out.queued.0).collect::<Vec<_>>(), "each position is given once");
        if was.queued > Position(0) {
            let last = journal.rows.items[&(*peer, *lane, was.queued)];
            assert_eq!(last.hash, was.queued_hash, "what was queued is what it was");
        }
    }
}

fn nothing_takes_effect_twice(journal: &Journal) {
    let mut accepted = std::collections::BTreeSet::new();
    for entry in &journal.entries {
        if let Body::Received { envelope: Some(meta), verdict: Judgement::Accepted, .. } = &entry.body {
            assert!(accepted.insert((meta.origin, meta.id)), "an envelope took effect twice");
        }
    }
}

proptest! {
    #![proptest_config(Config { cases: 400, max_shrink_iters: 400, ..Config::default() })]

    #[test]
    fn every_history_keeps_the_invariants(ops in vec(op(), 1..40)) {
        let mut history = History::new();
        for op in ops {
            history.act(op);
            history.assert_invariants();
        }
        history.assert_withdrawals_end_in_erasure();
        history.assert_rebuilds();
    }
}

#[test]
fn an_accepted_handover_is_released_and_arrives() {
    let mut history = History::new();
    let which = any_index();
    for op in [
        Op::Consent { hours: 48 },
        Op::Offer { which },
        Op::Exchange { from: 0, to: 1 },
        Op::Answer { which, yes: true },
        Op::Exchange { from: 1, to: 0 },
        Op::Release { which },
        Op::Exchange { from: 0, to: 1 },
        Op::Report { which, node: 1, step: Step::InService },
        Op::Exchange { from: 1, to: 0 },
    ] {
        history.act(op);
        history.assert_invariants();
    }
    history.assert_rebuilds();
    let (id, _) = history.handovers[0];
    for node in &history.world.nodes[..2] {
        assert_eq!(node.journal.rows.handovers[&id].state, crate::handover::State::InService, "{}", node.own);
    }
    assert!(history.world.at("GM").journal.rows.handovers.is_empty(), "no third Society hears of it");
}

/// An index that picks the first of any list.
fn any_index() -> Index {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    any::<Index>().new_tree(&mut runner).expect("an index").current()
}
