//! Looking at whole nodes: at quiet points cheaply, at the end at everything.

use std::collections::{BTreeMap, BTreeSet};

use passerelle_domain::{
    alert::life::State as AlertState,
    entry::Body,
    envelope::Lane,
    facts::Facts as _,
    ids::{EnvelopeId, Position},
    signing::{PublicKey, Signature, Verifier},
    society::Society,
};
use passerelle_node::{
    engine,
    store::{memory::MemoryStore, view::View},
    trust::Ed25519Verifier,
};

use super::{
    disk::OneLife,
    invariants::Invariant,
    ledger::Expected,
    site::Site,
    work::{AlertFact, CaseFact, People},
};
use crate::world::left_of;

/// Short-lived tasks of the link that a node may have for each peer: a dialler, two sessions, and what they start; and
/// those that it has in any case.
const TASKS_A_PEER_MAX: usize = 8;
const TASKS_MAX: usize = 12;
/// Connections between two nodes at once: those that were given up on one side linger on the other.
const CONNECTIONS_A_PAIR_MAX: usize = 6;

/// Takes every signature for good: for the looks in between, at which time is dear.
struct Trusting;

impl Verifier for Trusting {
    fn verify(&self, _: &PublicKey, _: &[u8], _: &Signature) -> bool {
        true
    }
}

/// Looks at nodes on behalf of the simulation.
pub struct Checks {
    /// The people, with what they know.
    pub people: People,
    /// The keys of the nodes.
    pub keys: BTreeMap<Society, PublicKey>,
}

impl Checks {
    fn sites(&self) -> &[std::sync::Arc<Site>] {
        &self.people.sites
    }

    fn broken(&self, invariant: Invariant, text: String) {
        self.people.ledger.lock().broken(invariant, text);
    }

    /// A look in between, at all bounds and at one journal.
    pub fn look(&self, node: usize, joined: impl Fn(usize, usize) -> usize) {
        for site in self.sites() {
            if let Some(up) = site.up() {
                let tasks = up.node.link.spawner.running();
                let most = TASKS_MAX + TASKS_A_PEER_MAX * self.sites().len();
                if tasks > most {
                    let text = format!("{} has {tasks} tasks, of which {most} are its bound", site.society);
                    self.broken(Invariant::BoundedQueues, text);
                }
            }
            for other in self.sites().iter().filter(|other| other.index > site.index) {
                let count = joined(site.index, other.index);
                if count > CONNECTIONS_A_PAIR_MAX {
                    let text = format!("{} and {} hold {count} connections", site.society, other.society);
                    self.broken(Invariant::BoundedQueues, text);
                }
            }
        }
        // A machine that is being repaired is not looked at.
        if self.sites()[node].up().is_some() && self.sites()[node].bench.try_lock().is_ok() {
            self.verify(&self.sites()[node], &Trusting);
        }
    }

    fn verify(&self, site: &Site, verifier: &dyn Verifier) {
        let reader = site.disk.reader();
        let keys: Vec<PublicKey> = self.keys.get(&site.society).copied().into_iter().collect();
        match engine::verify(site.society, &reader, &MemoryStore::new(), &keys, verifier, |_progress| {}) {
            Err(refusal) => {
                self.broken(Invariant::JournalVerifies, format!("{} cannot be verified: {refusal}", site.society));
            }
            Ok(report) => {
                for fault in report.faults {
                    let is_view = fault.starts_with("a row of kind");
                    let invariant = if is_view { Invariant::ViewsEqualFold } else { Invariant::JournalVerifies };
                    self.broken(invariant, format!("{}: {fault}", site.society));
                }
            }
        }
    }

    /// What keeps the nodes from having come to rest; `None` when nothing does.
    #[must_use]
    pub fn unrest(&self) -> Option<(Invariant, String)> {
        for site in self.sites() {
            if site.up().is_none() {
                return Some((Invariant::NodesRun, format!("the node of {} is not up", site.society)));
            }
        }
        for site in self.sites() {
            for other in self.sites().iter().filter(|other| other.index != site.index) {
                for lane in Lane::ALL {
                    if let Some(text) = lanes_differ(site, other, *lane) {
                        return Some((Invariant::PairsConverge, text));
                    }
                }
            }
        }
        self.withdrawn().find_map(|case| self.remains(&case)).map(|text| (Invariant::WithdrawalErases, text))
    }

    /// Everything, at the end.
    pub fn end(&self) {
        if let Some((invariant, text)) = self.unrest() {
            self.broken(invariant, text);
        }
        for site in self.sites() {
            self.verify(site, &Ed25519Verifier);
        }
        self.alarms();
        let alerts = self.people.memory.lock().alerts.clone();
        for alert in &alerts {
            self.alert(alert);
        }
        let cases = self.people.memory.lock().cases.clone();
        for case in &cases {
            self.case(case);
        }
    }

    /// Who had to notice that a store was put back has.
    fn alarms(&self) {
        let expected = self.people.ledger.lock().expected.clone();
        for Expected { node, life, about, alarm } in expected {
            let site = &self.sites()[node];
            let Some(up) = site.up().filter(|up| up.life == life) else { continue };
            if !up.node.link.statuses.of(about).alarms.contains(alarm) {
                let text = format!("{} does not say {alarm} of {about}", site.society);
                self.broken(Invariant::RestoredNoticed, text);
            }
        }
    }

    /// An alert that people were told is published stands at its origin and at everybody else as at its origin.
    fn alert(&self, fact: &AlertFact) {
        let origin = &self.sites()[fact.origin];
        if self.people.ledger.lock().forgot(fact.origin, fact.raised) {
            return;
        }
        let row = |site: &Site| View::of(&site.disk.reader()).alert(fact.id).ok().flatten();
        let Some(own) = row(origin) else {
            let text = format!("alert {} of {} was acknowledged, and is gone", fact.id, origin.society);
            return self.broken(Invariant::AcknowledgedKept, text);
        };
        let forgot = |at: Option<super::network::paths::Millis>| {
            at.is_some_and(|at| self.people.ledger.lock().forgot(fact.origin, at))
        };
        if fact.cancelled.is_some() && !forgot(fact.cancelled) && own.cancelled.is_none() {
            let text = format!("the cancel of alert {} was acknowledged, and is gone", fact.id);
            self.broken(Invariant::AcknowledgedKept, text);
        }
        if fact.redacted.is_some() && !forgot(fact.redacted) && own.redacted.is_none() {
            let text = format!("the redaction of alert {} was acknowledged, and is gone", fact.id);
            self.broken(Invariant::AcknowledgedKept, text);
        }
        if own.redacted.is_some() {
            return self.redacted(fact, origin);
        }
        let reader = origin.disk.reader();
        let view = View::of(&reader);
        for delivery in &own.deliveries {
            let Some(other) = self.sites().iter().find(|site| site.society == delivery.peer) else { continue };
            let ended = view.lane_item(delivery.peer, delivery.lane, delivery.position).ok().flatten();
            if ended.is_some_and(|item| item.ended.is_some()) {
                // It expired, or was refused: the journal says so.
                continue;
            }
            let Some(there) = row(other) else {
                if fact.brief && self.people.ledger.lock().forgot(other.index, fact.raised) {
                    // What a restored peer lost is not given again once it has expired, by the origin's clock.
                    continue;
                }
                let text =
                    format!("alert {} of {} is receipted by {}, and not there", fact.id, origin.society, other.society);
                self.broken(Invariant::PairsConverge, text);
                continue;
            };
            // An update may have come whose earlier one a cancel or an expiry kept from coming.
            let waits = there.state == AlertState::HeldOrphan;
            let told = self.people.ledger.lock().was_restored(fact.origin);
            let refused = refused_by(&reader, other.society);
            let mut about = own.children().iter().copied().chain([fact.id]);
            if there.state != own.state && !waits && !told && !about.any(|id| refused.contains(&id.into())) {
                let text = format!(
                    "alert {} is {:?} at {} and {:?} at {}",
                    fact.id, own.state, origin.society, there.state, other.society
                );
                self.broken(Invariant::PairsConverge, text);
            }
        }
    }

    /// Nothing of what a redacted alert said is left with anybody who was told.
    fn redacted(&self, fact: &AlertFact, origin: &Site) {
        if self.people.ledger.lock().was_restored(fact.origin) {
            return;
        }
        for other in self.sites().iter().filter(|other| other.index != fact.origin) {
            let row = View::of(&other.disk.reader()).alert(fact.id).ok().flatten();
            if row.is_some_and(|row| row.redacted.is_none()) {
                let text = format!("alert {} is redacted at {} and not at {}", fact.id, origin.society, other.society);
                self.broken(Invariant::PairsConverge, text);
            }
        }
    }

    fn case(&self, fact: &CaseFact) {
        let site = &self.sites()[fact.from];
        let kept = |at: Option<u64>, node: usize| at.is_some_and(|at| !self.people.ledger.lock().forgot(node, at));
        let row = |site: &Site| View::of(&site.disk.reader()).handover(fact.handover).ok().flatten();
        if kept(fact.offered, fact.from) && row(site).is_none() {
            let text = format!("the offer of {} was acknowledged, and is gone", fact.handover);
            self.broken(Invariant::AcknowledgedKept, text);
        }
        if kept(fact.accepted, fact.to) && row(&self.sites()[fact.to]).is_none() {
            let text = format!("the acceptance of {} was acknowledged, and is gone", fact.handover);
            self.broken(Invariant::AcknowledgedKept, text);
        }
    }

    /// Cases whose consent was taken back for sure: neither end forgot it.
    fn withdrawn(&self) -> impl Iterator<Item = CaseFact> {
        let ledger = self.people.ledger.clone();
        let cases = self.people.memory.lock().cases.clone();
        cases.into_iter().filter(move |case| {
            let ledger = ledger.lock();
            let forgot = |node, at| ledger.forgot(node, at);
            case.withdrawn.is_some_and(|(node, at)| !forgot(node, at))
                && !ledger.was_restored(case.from)
                && !ledger.was_restored(case.to)
        })
    }

    /// What is left of a case at either end.
    fn remains(&self, fact: &CaseFact) -> Option<String> {
        for site in [&self.sites()[fact.from], &self.sites()[fact.to]] {
            let reader = site.disk.reader();
            let view = View::of(&reader);
            let Some(row) = view.handover(fact.handover).ok().flatten() else { continue };
            if !row.state.has_ended() {
                return Some(format!(
                    "{} has the case of {} in use, which is {}",
                    site.society, fact.handover, row.state
                ));
            }
            let Some(case) = row.case else { continue };
            let found = view.case(case).ok().flatten().filter(|found| found.erased.is_some());
            let Some(erased) = found else {
                return Some(format!(
                    "{} has not erased the case of {}, which is {}",
                    site.society, fact.handover, row.state
                ));
            };
            match left_of(&site.vault(), case, &erased) {
                Ok(left) if left.is_empty() => {}
                Ok(left) => return Some(format!("{} still has {} ({})", site.society, left.join(", "), fact.handover)),
                Err(error) => return Some(format!("the vault of {} cannot be read: {error}", site.society)),
            }
        }
        self.unheard(fact)
    }
}

/// What a node's envelopes were about that a peer refused, or that ended before it had them.
fn refused_by(reader: &OneLife, peer: Society) -> BTreeSet<EnvelopeId> {
    let view = View::of(reader);
    let mut about = BTreeSet::new();
    for lane in Lane::ALL.iter().copied() {
        let queued = view.lane_out(peer, lane).map_or(0, |out| out.queued.0);
        for item in (1..=queued).filter_map(|at| view.lane_item(peer, lane, Position(at)).ok().flatten()) {
            if item.ended.is_none() {
                continue;
            }
            if let Some(Body::Issued(meta)) = view.entry(item.entry).ok().flatten().map(|entry| entry.body) {
                about.extend(meta.subject);
                about.insert(meta.id);
            }
        }
    }
    about
}

/// How the two ends of a lane differ.
fn lanes_differ(from: &Site, to: &Site, lane: Lane) -> Option<String> {
    let (here, there) = (from.disk.reader(), to.disk.reader());
    let (own, other) = (from.society, to.society);
    let (out, into) = match (View::of(&here).lane_out(other, lane), View::of(&there).lane_in(own, lane)) {
        (Ok(out), Ok(into)) => (out, into),
        (Err(refusal), _) => return Some(format!("the {lane} lane of {own} to {other} cannot be read: {refusal}")),
        (_, Err(refusal)) => return Some(format!("what {other} has of {own} cannot be read: {refusal}")),
    };
    if out.receipted != out.queued {
        return Some(format!(
            "{other} has receipted {} of {} in the {lane} lane of {own}",
            out.receipted.0, out.queued.0
        ));
    }
    if into.received != out.queued || into.hash != out.queued_hash {
        return Some(format!(
            "{other} has {} of {} in the {lane} lane of {own}, or others",
            into.received.0, out.queued.0
        ));
    }
    None
}
