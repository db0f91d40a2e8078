//! What the simulation knows for itself: every entry that a node writes, as it writes it, and what it told others. Checks
//! what can be checked at once, event by event. Touches memory alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parking_lot::Mutex;
use passerelle_domain::{
    digest::Digest,
    entry::{Body, Entry, EnvelopeMeta, Verdict},
    envelope::{Kind, Lane},
    ids::{ConsentId, EnvelopeId, HandoverId, Position},
    society::Society,
    time::Time,
};
use passerelle_node::store::{Batch, journal::entries_of, keys};

use super::{
    disk::{Rows, Witness},
    invariants::{Invariant, Violation},
    network::paths::Millis,
    promises::{Promises, Written},
    trace::Trace,
};

/// What a case may go to, as the person said it to the simulation: known apart from what the nodes hold.
#[derive(Clone, Debug)]
pub struct Agreed {
    /// The consent record.
    pub consent: ConsentId,
    /// Whom it names.
    pub recipients: Vec<Society>,
    /// Who holds the case.
    pub from: Society,
    /// Until when, where the person said so.
    pub until: Option<Time>,
}

/// What is known of one node's journal.
#[derive(Default)]
pub struct Journal {
    next: u64,
    previous: Digest,
    time: Time,
    accepted: BTreeSet<(Society, EnvelopeId)>,
    received: BTreeMap<(Society, Lane), Position>,
    withdrawn: BTreeSet<ConsentId>,
    /// The most entries that were ever durable, whatever was lost since.
    pub ever_durable: u64,
    /// The last position of each lane that was ever durable here, whatever was lost since.
    ever_received: BTreeMap<(Society, Lane), Position>,
    /// Virtual times at which an earlier state of the store was put in place, and of when that state was.
    pub restored: Vec<Restored>,
}

/// An earlier state was put in the place of a node's store.
#[derive(Clone, Copy, Debug)]
pub struct Restored {
    /// When.
    pub at: Millis,
    /// Of when it was.
    pub of: Millis,
}

/// An alarm that a node has to raise, since a store was put back to an earlier state.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Which node.
    pub node: usize,
    /// In which life of it; a later one has forgotten.
    pub life: u64,
    /// About whom.
    pub about: Society,
    /// By which name.
    pub alarm: &'static str,
}

/// Numbers of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries written.
    pub entries: u64,
    /// Envelopes that took effect at a receiver.
    pub delivered: u64,
    /// Receipts taken.
    pub receipts: u64,
    /// Envelopes refused by a receiver.
    pub rejected: u64,
    /// Commands of operators that were acknowledged.
    pub acknowledged: u64,
    /// Commands of operators that were refused.
    pub refused: u64,
}

/// All that is known.
pub struct Ledger {
    /// The story.
    pub trace: Trace,
    /// What was found broken.
    pub violations: Vec<Violation>,
    /// The journals, by node.
    pub journals: Vec<Journal>,
    /// Alarms that have to be raised.
    pub expected: Vec<Expected>,
    societies: Vec<Society>,
    agreed: BTreeMap<HandoverId, Agreed>,
    promises: Promises,
    /// Numbers.
    pub counts: Counts,
}

impl Ledger {
    /// Nothing known yet of nodes of these Societies.
    #[must_use]
    pub fn new(societies: Vec<Society>) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            trace: Trace::new(),
            violations: Vec::new(),
            journals: societies.iter().map(|_| Journal::default()).collect(),
            expected: Vec::new(),
            societies,
            agreed: BTreeMap::new(),
            promises: Promises::default(),
            counts: Counts::default(),
        }))
    }

    /// A line of the story that is about one node.
    pub fn tell(&mut self, node: usize, what: std::fmt::Arguments<'_>) {
        let society = self.societies[node];
        self.trace.tell(format_args!("{society}  {what}"), &[]);
    }

    /// Something is broken.
    pub fn broken(&mut self, invariant: Invariant, text: String) {
        let at = self.trace.now();
        self.trace.tell(format_args!("BROKEN {invariant}: {text}"), &[]);
        self.violations.push(Violation { at, invariant, text });
    }

    /// The person agreed to a handover with these recipients.
    pub fn agree(&mut self, handover: HandoverId, agreed: Agreed) {
        self.agreed.insert(handover, agreed);
    }

    /// An offer ended at a node before it can have been sent.
    pub fn lapses(&mut self, node: usize, handover: HandoverId) {
        let society = self.societies[node];
        self.promises.lapsed.insert((society, handover));
    }

    /// The offers that ended before they can have been sent.
    #[must_use]
    pub fn lapsed(&self) -> BTreeSet<(Society, HandoverId)> {
        self.promises.lapsed.clone()
    }

    /// Nothing of a handover that was stopped at a node can have been on its way by now.
    pub fn was_not_sent(&mut self, node: usize, handover: HandoverId) {
        self.promises.was_not_sent(node, handover);
    }

    /// The consent of a handover ends by its own date, and nothing of the handover can have been on its way by now. It
    /// counts if the node knows how late it is: an entry says so, and its time never runs backwards.
    pub fn ended_unsent(&mut self, node: usize, handover: HandoverId) {
        let until = self.agreed.get(&handover).and_then(|agreed| agreed.until);
        if until.is_some_and(|until| until <= self.journals[node].time) {
            let now = self.trace.now();
            self.promises.ended_unsent(node, handover, now);
        }
    }

    /// Somebody who has all keys of a Society signed an envelope with them: it may take effect as that Society's.
    pub fn signed(&mut self, digest: Digest, node: usize, kind: Kind) {
        self.promises.signed(digest, node, kind);
    }

    /// Whether what a node knew at `since` may be gone from it, because an earlier state was put in place after it.
    #[must_use]
    pub fn forgot(&self, node: usize, since: Millis) -> bool {
        self.journals[node].restored.iter().any(|restored| restored.of <= since && since <= restored.at)
    }

    /// Whether an earlier state was ever put in the place of a node's store.
    #[must_use]
    pub fn was_restored(&self, node: usize) -> bool {
        !self.journals[node].restored.is_empty()
    }

    /// The node of a Society.
    #[must_use]
    pub fn node_of(&self, society: Society) -> Option<usize> {
        self.societies.iter().position(|own| *own == society)
    }

    fn entry(&mut self, node: usize, bytes: &[u8]) {
        let society = self.societies[node];
        self.counts.entries += 1;
        let entry = match Entry::from_bytes(bytes) {
            Ok(entry) => entry,
            Err(refusal) => {
                return self
                    .broken(Invariant::JournalVerifies, format!("{society} wrote what cannot be read: {refusal}"));
            }
        };
        self.tell_entry(node, &entry);
        let journal = &self.journals[node];
        if entry.index.0 != journal.next || entry.previous != journal.previous {
            let text = format!("entry {} of {society} does not join the one before it", entry.index.0);
            self.broken(Invariant::JournalVerifies, text);
        }
        if entry.time < self.journals[node].time {
            let text = format!("the time of entry {} of {society} is before that of the last", entry.index.0);
            self.broken(Invariant::JournalVerifies, text);
        }
        let journal = &mut self.journals[node];
        journal.take(&entry, bytes);
        self.promised(node, &entry);
        match &entry.body {
            Body::Received { peer, lane, position, envelope, verdict, .. } => {
                self.received(node, (*peer, *lane, *position), envelope.as_ref(), verdict);
            }
            Body::Receipted { peer, lane, position, .. } => {
                self.receipted(node, *peer, *lane, *position);
            }
            Body::Issued(meta) => self.issued(node, meta, entry.time),
            Body::PackageKept { handover, .. } => self.kept(node, *handover),
            Body::ConsentEvent { consent, .. } => {
                self.journals[node].withdrawn.insert(*consent);
            }
            _ => {}
        }
    }

    /// Holds an entry against what the other nodes wrote.
    fn promised(&mut self, node: usize, entry: &Entry) {
        let stops: Vec<HandoverId> = match &entry.body {
            Body::ConsentEvent { consent, .. } => {
                let resting = self.agreed.iter().filter(|(_, agreed)| agreed.consent == *consent);
                resting.map(|(handover, _)| *handover).collect()
            }
            Body::Received { envelope: Some(meta), verdict: Verdict::Accepted, .. }
                if meta.kind == Kind::WithdrawalNotice =>
            {
                meta.subject.map(HandoverId::from).into_iter().collect()
            }
            _ => Vec::new(),
        };
        let written = Written { node, society: self.societies[node], at: self.trace.now() };
        let knows = |origin: Society, alert| {
            origin == written.society || self.journals[node].accepted.contains(&(origin, EnvelopeId::from(alert)))
        };
        let broken = self.promises.see(written, entry, &stops, &knows);
        broken.into_iter().for_each(|(invariant, text)| self.broken(invariant, text));
    }

    fn tell_entry(&mut self, node: usize, entry: &Entry) {
        let (society, index, kind) = (self.societies[node], entry.index.0, entry.body.kind());
        // What a bundle says hangs on certificates, whose keys no seed makes.
        let bytes = match &entry.body {
            Body::Peer { .. } => Vec::new(),
            _ => Entry { previous: Digest::default(), ..entry.clone() }.to_bytes(),
        };
        let detail = match &entry.body {
            Body::Received { peer, lane, position, envelope, verdict, .. } => {
                let what =
                    envelope.as_ref().map_or_else(|| "?".to_owned(), |meta| format!("{} {}", meta.kind, meta.id));
                format!("{what} from {peer} {lane} {}: {verdict:?}", position.0)
            }
            Body::Receipted { peer, lane, position, .. } => format!("by {peer} {lane} up to {}", position.0),
            Body::Issued(meta) => format!("{} {} {} to {:?}", meta.lane, meta.kind, meta.id, meta.recipients),
            Body::Refused { request, code, .. } => format!("{request}: {code}"),
            Body::LaneAdvanced { peer, lane, position, .. } => format!("to {peer} {lane} after {}", position.0),
            Body::EpochChanged { peer, .. } => format!("of {peer}"),
            _ => entry.body.subject().map(|id| id.to_string()).unwrap_or_default(),
        };
        let time = entry.time.millis();
        self.trace.tell(format_args!("{society}  #{index} {kind} {detail} ({time})"), &bytes);
    }

    fn received(
        &mut self,
        node: usize,
        (peer, lane, position): (Society, Lane, Position),
        meta: Option<&EnvelopeMeta>,
        verdict: &Verdict,
    ) {
        let society = self.societies[node];
        let journal = &mut self.journals[node];
        let last = journal.received.insert((peer, lane), position).unwrap_or_default();
        let mut faults = Vec::new();
        if position != last.next() {
            let text = format!("{society} took {} of the {lane} lane of {peer} after {}", position.0, last.0);
            faults.push((Invariant::LaneOrder, text));
        }
        match (verdict, meta) {
            (Verdict::Accepted, Some(meta)) => {
                self.counts.delivered += 1;
                if !journal.accepted.insert((meta.origin, meta.id)) {
                    let text = format!("{} {} of {} took effect at {society} twice", meta.kind, meta.id, meta.origin);
                    faults.push((Invariant::DeliveredOnce, text));
                }
                if !meta.recipients.contains(&society) && meta.origin != society {
                    let text = format!("{} {} is not for {society}, and took effect there", meta.kind, meta.id);
                    faults.push((Invariant::DeliveredOnce, text));
                }
            }
            (Verdict::Accepted, None) => {
                faults.push((Invariant::DeliveredOnce, format!("{society} took what cannot be read")));
            }
            (Verdict::Rejected(_), _) => self.counts.rejected += 1,
            (Verdict::Duplicate, _) => {}
        }
        if self.node_of(peer).is_none() {
            faults.push((Invariant::LiarsPowerless, format!("{society} took something of {peer}, which is nobody")));
        }
        faults.into_iter().for_each(|(invariant, text)| self.broken(invariant, text));
    }

    /// A receipt says that the peer has it durably, so it must have had it once.
    fn receipted(&mut self, node: usize, peer: Society, lane: Lane, position: Position) {
        let society = self.societies[node];
        self.counts.receipts += 1;
        let Some(other) = self.node_of(peer) else {
            return self
                .broken(Invariant::LiarsPowerless, format!("{society} took a receipt of {peer}, which is nobody"));
        };
        let had = self.journals[other].ever_received.get(&(society, lane)).copied().unwrap_or_default();
        if had < position {
            let text = format!(
                "{society} holds a receipt of {peer} for {} of its {lane} lane, of which {peer} had {} durably",
                position.0, had.0
            );
            self.broken(Invariant::AcknowledgedKept, text);
        }
    }

    fn issued(&mut self, node: usize, meta: &EnvelopeMeta, at: Time) {
        let society = self.societies[node];
        if !matches!(meta.kind, Kind::HandoverOffer | Kind::HandoverRelease) {
            return;
        }
        let Some(agreed) = meta.subject.and_then(|id| self.agreed.get(&HandoverId::from(id))).cloned() else {
            let text = format!("{society} sends {} {}, to which nobody agreed", meta.kind, meta.id);
            return self.broken(Invariant::ConsentKept, text);
        };
        let unnamed: Vec<_> = meta.recipients.iter().filter(|to| !agreed.recipients.contains(to)).collect();
        if !unnamed.is_empty() {
            let text = format!("{society} sends {} to {unnamed:?}, whom the consent does not name", meta.kind);
            self.broken(Invariant::ConsentKept, text);
        }
        if agreed.until.is_some_and(|until| until <= at) {
            let text = format!("{society} sends {} after the consent had ended", meta.kind);
            self.broken(Invariant::ConsentKept, text);
        }
        if self.journals[node].withdrawn.contains(&agreed.consent) {
            let text = format!("{society} sends {} after it knew that the consent was taken back", meta.kind);
            self.broken(Invariant::ConsentKept, text);
        }
    }

    fn kept(&mut self, node: usize, handover: HandoverId) {
        let society = self.societies[node];
        let Some(agreed) = self.agreed.get(&handover).cloned() else {
            return self.broken(Invariant::ConsentKept, format!("{society} keeps a package to which nobody agreed"));
        };
        if society != agreed.from && !agreed.recipients.contains(&society) {
            let text = format!("{society} keeps the package of {handover}, and the consent does not name it");
            self.broken(Invariant::ConsentKept, text);
        }
        if society != agreed.from && self.journals[node].withdrawn.contains(&agreed.consent) {
            let text =
                format!("{society} keeps the package of {handover} after it knew that the consent was taken back");
            self.broken(Invariant::ConsentKept, text);
        }
    }
}

impl Journal {
    fn take(&mut self, entry: &Entry, bytes: &[u8]) {
        self.next = entry.index.0 + 1;
        self.previous = Entry::hash_of(bytes);
        self.time = entry.time;
    }

    /// Everything again, from what is left on the disk.
    fn read(&mut self, rows: &Rows) {
        (self.next, self.previous, self.time) = Default::default();
        self.accepted.clear();
        self.received.clear();
        self.withdrawn.clear();
        let (from, until) = keys::packs();
        let packs = rows.range(from..until).filter_map(|(key, value)| entries_of(key, value).ok().flatten());
        for bytes in packs.flat_map(|(_, entries)| entries) {
            let Ok(entry) = Entry::from_bytes(&bytes) else { continue };
            self.take(&entry, &bytes);
            match entry.body {
                Body::Received { peer, lane, position, envelope, verdict, .. } => {
                    self.received.insert((peer, lane), position);
                    if let (Some(meta), Verdict::Accepted) = (envelope, verdict) {
                        self.accepted.insert((meta.origin, meta.id));
                    }
                }
                Body::ConsentEvent { consent, .. } => {
                    self.withdrawn.insert(consent);
                }
                _ => {}
            }
        }
    }
}

/// Tells the ledger what one node commits.
pub struct NodeWitness {
    /// The ledger.
    pub ledger: Arc<Mutex<Ledger>>,
    /// The node.
    pub node: usize,
}

impl Witness for NodeWitness {
    fn written(&self, batch: &Batch) {
        let mut ledger = self.ledger.lock();
        for (key, value) in batch.iter() {
            let Some(value) = value else { continue };
            match entries_of(key, value) {
                // A pack whose objects were shortened is written again with the entries that it had.
                Ok(Some((first, entries))) => {
                    let known = ledger.journals[self.node].next.saturating_sub(first.0);
                    let known = usize::try_from(known).unwrap_or(usize::MAX);
                    entries.iter().skip(known).for_each(|bytes| ledger.entry(self.node, bytes));
                }
                Ok(None) => {}
                Err(refusal) => ledger.broken(Invariant::JournalVerifies, refusal.to_string()),
            }
        }
    }

    fn durable(&self) {
        let mut ledger = self.ledger.lock();
        let journal = &mut ledger.journals[self.node];
        journal.ever_durable = journal.ever_durable.max(journal.next);
        for (lane, position) in &journal.received {
            let ever = journal.ever_received.entry(*lane).or_default();
            *ever = (*ever).max(*position);
        }
    }

    fn lost(&self, rows: &Rows) {
        let ledger = &mut *self.ledger.lock();
        ledger.journals[self.node].read(rows);
        let (agreed, journal) = (&ledger.agreed, &ledger.journals[self.node]);
        let knows = |handover| agreed.get(&handover).is_some_and(|it| journal.withdrawn.contains(&it.consent));
        ledger.promises.forget(self.node, knows);
    }
}
