//! A world of journals in memory for the tests of decisions: facts in maps, entries chained and folded as
//! the engine does it, toy signatures. Every command is decided twice here, and every refusal recorded.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    aggregate::ReportRow,
    alert::{Alert, AlertDraft, Reference},
    bundle::{Bundle, BundleContent, SEALING_KEY_BYTES},
    consent::{ConsentDraft, ConsentRecord, EvidenceRow, RecordContext, sample as consent_sample},
    decide::{
        Caller, Command, Context, Opened, Policy, Pseudonyms, Reply, decide, forget, is_case_held, may_send, open,
        refused,
    },
    digest::Digest,
    entry::{Actor, Body, Entry, ForgetReason, PackageRef},
    envelope::{Envelope, Kind, Lane, SignedEnvelope},
    facts::Facts,
    fold::{self, Content, check_object, object_named},
    handover::{CaseShortCode, GroupId, State},
    ids::{AlertId, CaseId, ConsentId, EntryIndex, EnvelopeId, Epoch, HandoverId, Position, ReportId, RequestId},
    parcel,
    receipt::{Receipt, Rejection, SignedReceipt},
    refusal::{Code, Refusal},
    retention::{HoldKind, HoldRow, KeepingRow, SuspensionRow, Transfer, TransferGround},
    rights::{CardRow, CorrectionRow, ReadsRow, RequestRow, correction::key_of},
    rows::{
        AckRow, AlertRow, CaseAgeRow, CaseRow, ConsentRow, Delivery, DraftRow, Ended, EnvelopeRow, GroupRow,
        HandoverRow, LaneIn, LaneItem, LaneOut, PeerRow, Row, SafeguardRow, TombstoneRow, UseRow,
    },
    signing::{PublicKey, Signature, Signer, Verifier},
    society::Society,
    time::Time,
};

/// What stands for the sealed bytes of every package.
pub(super) const SEALED: &[u8] = b"a sealed package";

/// A keyed digest in the place of Ed25519: enough to tell who signed what.
pub(super) struct Toy(pub(super) Society);

impl Signer for Toy {
    fn sign(&self, message: &[u8]) -> Signature {
        toy_signature(&self.public_key(), message)
    }

    fn public_key(&self) -> PublicKey {
        Digest::of(&self.0.bytes()).0
    }
}

impl Verifier for Toy {
    fn verify(&self, public_key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        toy_signature(public_key, message) == *signature
    }
}

fn toy_signature(key: &PublicKey, message: &[u8]) -> Signature {
    let half = Digest::of_parts(&[key, message]).0;
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&half);
    Signature(bytes)
}

/// The rows of one node.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    pub(super) alerts: BTreeMap<AlertId, AlertRow>,
    pub(super) acks: BTreeMap<(AlertId, Society), AckRow>,
    pub(super) drafts: BTreeMap<AlertId, DraftRow>,
    pub(super) tombstones: BTreeMap<AlertId, TombstoneRow>,
    pub(super) envelopes: BTreeMap<(Society, EnvelopeId), EnvelopeRow>,
    pub(super) consents: BTreeMap<ConsentId, ConsentRow>,
    pub(super) evidence: BTreeMap<ConsentId, EvidenceRow>,
    pub(super) uses: BTreeMap<ConsentId, UseRow>,
    pub(super) cases: BTreeMap<CaseId, CaseRow>,
    pub(super) handovers: BTreeMap<HandoverId, HandoverRow>,
    pub(super) safeguards: BTreeMap<HandoverId, SafeguardRow>,
    pub(super) ages: BTreeMap<CaseId, CaseAgeRow>,
    pub(super) groups: BTreeMap<GroupId, GroupRow>,
    pub(super) keeping: BTreeMap<HandoverId, KeepingRow>,
    pub(super) reads: BTreeMap<HandoverId, ReadsRow>,
    pub(super) cards: BTreeMap<CaseShortCode, CardRow>,
    pub(super) requests: BTreeMap<RequestId, RequestRow>,
    pub(super) corrections: BTreeMap<RequestId, CorrectionRow>,
    pub(super) holds: BTreeMap<(EnvelopeId, HoldKind), HoldRow>,
    pub(super) suspensions: BTreeMap<Society, SuspensionRow>,
    pub(super) reports: BTreeMap<ReportId, ReportRow>,
    pub(super) peers: BTreeMap<Society, PeerRow>,
    pub(super) lanes_out: BTreeMap<(Society, Lane), LaneOut>,
    pub(super) items: BTreeMap<(Society, Lane, Position), LaneItem>,
    pub(super) lanes_in: BTreeMap<(Society, Lane), LaneIn>,
}

impl Rows {
    fn put(&mut self, row: Row) {
        match row {
            Row::Alert(id, row) => drop(self.alerts.insert(id, row)),
            Row::Ack(id, society, row) => drop(self.acks.insert((id, society), row)),
            Row::Draft(id, row) => drop(self.drafts.insert(id, row)),
            Row::Tombstone(id, row) => drop(self.tombstones.insert(id, row)),
            Row::Envelope(origin, id, row) => drop(self.envelopes.insert((origin, id), row)),
            Row::Consent(id, row) => drop(self.consents.insert(id, row)),
            Row::Evidence(id, row) => drop(self.evidence.insert(id, row)),
            Row::Use(id, row) => drop(self.uses.insert(id, row)),
            Row::Case(id, row) => drop(self.cases.insert(id, row)),
            Row::Handover(id, row) => drop(self.handovers.insert(id, row)),
            Row::Safeguard(id, row) => drop(self.safeguards.insert(id, row)),
            Row::CaseAge(case, row) => {
                self.ages.insert(case, row);
            }
            Row::Group(id, row) => drop(self.groups.insert(id, row)),
            Row::Keeping(id, row) => drop(self.keeping.insert(id, row)),
            Row::Reads(id, row) => drop(self.reads.insert(id, row)),
            Row::Card(code, row) => drop(self.cards.insert(code, row)),
            Row::Correction(id, row) => drop(self.corrections.insert(id, row)),
            Row::Request(id, row) => drop(self.requests.insert(id, row)),
            Row::Hold(subject, kind, row) => drop(self.holds.insert((subject, kind), row)),
            Row::Suspension(peer, row) => drop(self.suspensions.insert(peer, row)),
            Row::Report(id, row) => drop(self.reports.insert(id, row)),
            Row::Peer(society, row) => drop(self.peers.insert(society, row)),
            Row::LaneOut(peer, lane, row) => {
                self.lanes_out.insert((peer, lane), row);
            }
            Row::LaneItem(peer, lane, position, row) => {
                self.items.insert((peer, lane, position), row);
            }
            Row::LaneIn(peer, lane, row) => drop(self.lanes_in.insert((peer, lane), row)),
        }
    }
}

/// A journal: entries, objects, and the rows that follow from them.
#[derive(Clone, Default)]
pub(super) struct Journal {
    pub(super) entries: Vec<Entry>,
    pub(super) objects: BTreeMap<EntryIndex, Vec<u8>>,
    pub(super) rows: Rows,
    /// A handover whose row the store fails to give.
    pub(super) unreadable: Option<HandoverId>,
}

impl Facts for Journal {
    fn alert(&self, id: AlertId) -> Result<Option<AlertRow>, Refusal> {
        Ok(self.rows.alerts.get(&id).cloned())
    }
    fn ack(&self, id: AlertId, society: Society) -> Result<Option<AckRow>, Refusal> {
        Ok(self.rows.acks.get(&(id, society)).cloned())
    }
    fn draft(&self, id: AlertId) -> Result<Option<DraftRow>, Refusal> {
        Ok(self.rows.drafts.get(&id).cloned())
    }
    fn tombstone(&self, id: AlertId) -> Result<Option<TombstoneRow>, Refusal> {
        Ok(self.rows.tombstones.get(&id).cloned())
    }
    fn envelope(&self, origin: Society, id: EnvelopeId) -> Result<Option<EnvelopeRow>, Refusal> {
        Ok(self.rows.envelopes.get(&(origin, id)).cloned())
    }
    fn consent(&self, id: ConsentId) -> Result<Option<ConsentRow>, Refusal> {
        Ok(self.rows.consents.get(&id).cloned())
    }
    fn evidence(&self, id: ConsentId) -> Result<Option<EvidenceRow>, Refusal> {
        Ok(self.rows.evidence.get(&id).cloned())
    }
    fn uses(&self, id: ConsentId) -> Result<Option<UseRow>, Refusal> {
        Ok(self.rows.uses.get(&id).cloned())
    }
    fn case(&self, id: CaseId) -> Result<Option<CaseRow>, Refusal> {
        Ok(self.rows.cases.get(&id).cloned())
    }
    fn handover(&self, id: HandoverId) -> Result<Option<HandoverRow>, Refusal> {
        if self.unreadable == Some(id) {
            return Err(Refusal::new(Code::StoreFailed, "the row cannot be read"));
        }
        Ok(self.rows.handovers.get(&id).cloned())
    }
    fn safeguard(&self, id: HandoverId) -> Result<Option<SafeguardRow>, Refusal> {
        Ok(self.rows.safeguards.get(&id).cloned())
    }
    fn case_age(&self, case: CaseId) -> Result<Option<CaseAgeRow>, Refusal> {
        Ok(self.rows.ages.get(&case).copied())
    }
    fn group(&self, id: GroupId) -> Result<Option<GroupRow>, Refusal> {
        Ok(self.rows.groups.get(&id).cloned())
    }
    fn correction(&self, id: RequestId) -> Result<Option<CorrectionRow>, Refusal> {
        Ok(self.rows.corrections.get(&id).cloned())
    }
    fn keeping(&self, id: HandoverId) -> Result<KeepingRow, Refusal> {
        Ok(self.rows.keeping.get(&id).cloned().unwrap_or_default())
    }
    fn reads(&self, id: HandoverId) -> Result<Option<ReadsRow>, Refusal> {
        Ok(self.rows.reads.get(&id).cloned())
    }
    fn card(&self, code: &CaseShortCode) -> Result<Option<CardRow>, Refusal> {
        Ok(self.rows.cards.get(code).cloned())
    }
    fn request(&self, id: RequestId) -> Result<Option<RequestRow>, Refusal> {
        Ok(self.rows.requests.get(&id).cloned())
    }
    fn hold(&self, subject: EnvelopeId, kind: HoldKind) -> Result<Option<HoldRow>, Refusal> {
        Ok(self.rows.holds.get(&(subject, kind)).cloned())
    }
    fn suspension(&self, peer: Society) -> Result<Option<SuspensionRow>, Refusal> {
        Ok(self.rows.suspensions.get(&peer).cloned())
    }
    fn report(&self, id: ReportId) -> Result<Option<ReportRow>, Refusal> {
        Ok(self.rows.reports.get(&id).cloned())
    }
    fn reports(&self) -> Result<Vec<(ReportId, ReportRow)>, Refusal> {
        Ok(self.rows.reports.clone().into_iter().collect())
    }
    fn peer(&self, society: Society) -> Result<Option<PeerRow>, Refusal> {
        Ok(self.rows.peers.get(&society).cloned())
    }
    fn peers(&self) -> Result<Vec<(Society, PeerRow)>, Refusal> {
        Ok(self.rows.peers.iter().filter(|(_, row)| !row.removed).map(|(s, row)| (*s, row.clone())).collect())
    }
    fn lane_out(&self, peer: Society, lane: Lane) -> Result<LaneOut, Refusal> {
        Ok(self.rows.lanes_out.get(&(peer, lane)).copied().unwrap_or_default())
    }
    fn lane_item(&self, peer: Society, lane: Lane, position: Position) -> Result<Option<LaneItem>, Refusal> {
        Ok(self.rows.items.get(&(peer, lane, position)).copied())
    }
    fn lane_items(
        &self,
        peer: Society,
        lane: Lane,
        first: Position,
        last: Position,
    ) -> Result<Vec<(Position, LaneItem)>, Refusal> {
        let items = self.rows.items.iter();
        let within = items.filter(|((to, of, at), _)| (*to, *of) == (peer, lane) && (first..=last).contains(at));
        Ok(within.map(|((_, _, at), item)| (*at, *item)).collect())
    }
    fn lane_in(&self, peer: Society, lane: Lane) -> Result<LaneIn, Refusal> {
        Ok(self.rows.lanes_in.get(&(peer, lane)).cloned().unwrap_or_default())
    }
    fn object(&self, entry: EntryIndex) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(self.objects.get(&entry).filter(|stored| !fold::Residue::is_stored(stored)).cloned())
    }
    fn entry(&self, entry: EntryIndex) -> Result<Option<Entry>, Refusal> {
        Ok(self.entries.get(entry.0 as usize).cloned())
    }
}

impl Journal {
    pub(super) fn next(&self) -> EntryIndex {
        EntryIndex(self.entries.len() as u64)
    }

    /// Appends what was decided, as the engine does.
    fn append(&mut self, own: Society, now: Time, actor: &Actor, new: Vec<crate::decide::NewEntry>) {
        for new in new {
            let previous = self.entries.last().map_or(Digest::default(), |entry| Entry::hash_of(&entry.to_bytes()));
            let entry = Entry { index: self.next(), time: now, actor: actor.clone(), previous, body: new.body };
            let rows = fold::rows(own, self, &entry, new.content.as_ref()).expect("facts in memory do not fail");
            if let Some(object) = new.object {
                let named = object_named(&entry.body).expect("an entry with an object names it");
                check_object(named, &object).expect("and it is that object");
                self.objects.insert(entry.index, object);
            }
            self.objects.extend(new.residues.iter().map(|(index, residue)| (*index, residue.to_stored())));
            self.entries.push(entry);
            rows.into_iter().for_each(|row| self.rows.put(row));
        }
    }

    /// The rows that follow from the entries and objects alone, as a rebuild makes them.
    pub(super) fn rebuilt(&self, own: Society) -> Rows {
        let mut fresh = Self::default();
        for entry in &self.entries {
            let entry = Entry::from_bytes(&entry.to_bytes()).expect("an entry reads back");
            let object = self.objects.get(&entry.index);
            let content = object.map(|object| {
                let named = object_named(&entry.body).expect("an entry with an object names it");
                fold::stored(&entry.body, named, object).expect("an object reads back")
            });
            let rows = fold::rows(own, &fresh, &entry, content.as_ref()).expect("facts in memory do not fail");
            fresh.objects.extend(object.map(|object| (entry.index, object.clone())));
            fresh.entries.push(entry);
            rows.into_iter().for_each(|row| fresh.rows.put(row));
        }
        fresh.rows
    }
}

/// A policy under which cases may go between all of the world's countries.
pub(super) fn open_policy() -> Policy {
    let societies = ["SN", "ML", "GM", "NE"].map(society);
    let pairs = societies.iter().flat_map(|from| societies.iter().map(move |to| (*from, *to)));
    let (ground, valid_from, note) = (TransferGround::Agreement, Time::default(), String::new());
    let basis = |(from, to)| Transfer { from, to, ground, valid_from, valid_until: None, note: note.clone() };
    Policy { transfers: pairs.map(basis).collect(), ..Policy::default() }
}

/// One Society's node.
pub(super) struct Node {
    pub(super) own: Society,
    pub(super) journal: Journal,
    pub(super) policy: Policy,
    pub(super) now: Time,
    pub(super) pseudonyms: Pseudonyms,
}

impl Node {
    fn new(own: Society, now: Time) -> Self {
        let pseudonyms = Pseudonyms::new(Digest::of(&own.bytes()).0);
        Self { own, journal: Journal::default(), policy: open_policy(), now, pseudonyms }
    }

    /// Decides a command and writes what follows; a refusal is recorded and changes no row.
    pub(super) fn ask(&mut self, command: Command) -> Result<Reply, Refusal> {
        let (own, now, actor, name) = (self.own, self.time(), command.actor(), command.name());
        let context = Context {
            own,
            now,
            wall: now,
            next: self.journal.next(),
            facts: &self.journal,
            signer: &Toy(own),
            policy: &self.policy,
            pseudonyms: &self.pseudonyms,
        };
        let (first, second) = (decide(&context, command.clone()), decide(&context, command));
        assert_eq!(format!("{first:?}"), format!("{second:?}"), "equal arguments give equal decisions");
        match first {
            Ok(decision) => {
                self.journal.append(own, now, &actor, decision.entries);
                Ok(decision.reply)
            }
            Err(refusal) => {
                let record = refused(&context, name, refusal.code, None, 0);
                let before = self.journal.rows.clone();
                self.journal.append(own, now, &actor, record.entries);
                assert!(self.journal.rows == before, "a refusal writes no rows");
                Err(refusal)
            }
        }
    }

    /// Never before what the journal has.
    fn time(&self) -> Time {
        self.journal.entries.last().map_or(self.now, |entry| self.now.max(entry.time))
    }

    /// Asks something of the facts as they are now.
    pub(super) fn look<T>(&self, ask: impl FnOnce(&Context<'_>) -> T) -> T {
        let now = self.time();
        ask(&Context {
            own: self.own,
            now,
            wall: now,
            next: self.journal.next(),
            facts: &self.journal,
            signer: &Toy(self.own),
            policy: &self.policy,
            pseudonyms: &self.pseudonyms,
        })
    }

    /// Removes the objects of entries, as redaction, erasure and retention do.
    pub(super) fn forget(&mut self, entries: &[EntryIndex]) {
        let forgotten = |context: &Context<'_>| forget(context, entries.iter().copied(), ForgetReason::Retention);
        let (own, now, new) = (self.own, self.time(), self.look(forgotten).expect("objects read back"));
        let before = self.journal.rows.clone();
        self.journal.append(own, now, &Actor::System, new);
        assert!(self.journal.rows == before, "what is forgotten changes no row");
        let gone = |entry: &EntryIndex| {
            self.journal.objects.get(entry).is_none_or(|stored| {
                fold::Residue::is_stored(stored)
                    || fold::Residue::of(
                        &fold::content(&self.journal.entries[entry.0 as usize].body, stored).expect("it reads back"),
                    )
                    .is_none()
            })
        };
        assert!(entries.iter().all(gone), "and the object is gone, unless the node goes on needing it");
    }

    pub(super) fn meet(&mut self, peer: Society, version: u64) -> Result<Reply, Refusal> {
        let bundle = bundle(peer, version);
        let payload = bundle.payload();
        self.ask(Command::TakeBundle { caller: Caller::system(), bundle: Box::new(bundle), payload })
    }

    /// What would travel at a position of a lane to `peer`: a parcel without its length.
    pub(super) fn parcel(&self, peer: Society, lane: Lane, position: Position) -> Option<Vec<u8>> {
        let item = self.journal.rows.items.get(&(peer, lane, position))?;
        let queued = self.journal.rows.lanes_out.get(&(peer, lane)).map_or(Position(0), |out| out.queued);
        if position > queued {
            return None;
        }
        let stored = self.journal.objects.get(&item.entry)?;
        let stream = if fold::Residue::is_stored(stored) {
            let meta = self.journal.entries[item.entry.0 as usize].body.envelope().expect("a lane holds envelopes");
            parcel::write_expired(&meta.digest)
        } else if matches!(item.ended, Some(Ended::Expired | Ended::Withheld)) {
            let signed = SignedEnvelope::from_object(stored).expect("an envelope");
            parcel::write_expired(&signed.digest())
        } else {
            let signed = SignedEnvelope::from_object(stored).expect("an envelope");
            let envelope = Envelope::parse(&signed.payload).expect("an envelope");
            parcel::write(&signed, if envelope.attachment.is_some() { SEALED } else { &[] })
        };
        let (_, at) = parcel::take_varint(&stream).expect("a length").expect("a whole one");
        Some(stream[at..].to_vec())
    }

    /// Takes a parcel of a peer, as its link brings it.
    pub(super) fn take(
        &mut self,
        peer: Society,
        lane: Lane,
        position: Position,
        parcel: &[u8],
    ) -> Result<Reply, Refusal> {
        let keys = |society: Society| vec![Toy(society).public_key()];
        let (opened, _) = open(parcel, &keys, &Toy(self.own)).expect("a parcel");
        self.deliver(peer, lane, position, opened)
    }

    pub(super) fn deliver(
        &mut self,
        peer: Society,
        lane: Lane,
        position: Position,
        opened: Opened,
    ) -> Result<Reply, Refusal> {
        let package = opened.outcome.as_ref().ok().and_then(|letter| match &letter.content {
            Content::Release(release) if !release.is_held_at_origin() => self.keep(release.id, peer),
            Content::Rights(message) if letter.envelope.attachment.is_some() => {
                let id = message.request.id;
                Some(Ok(PackageRef { case: key_of(id), commitment: Digest::of(&id.bytes()) }))
            }
            _ => None,
        });
        self.ask(Command::Deliver { peer, lane, position, opened: Box::new(opened), package })
    }

    /// Keeps the package of a release in the vault, as the link does: under the one case of its handover.
    fn keep(&self, id: HandoverId, peer: Society) -> Option<Result<PackageRef, Refusal>> {
        let row = self.journal.rows.handovers.get(&id).filter(|row| row.to == self.own && row.from == peer)?;
        let case = row.case.unwrap_or_else(|| self.pseudonyms.received(id));
        let fresh = PackageRef { case, commitment: Digest::of(&id.bytes()) };
        row.package.or((row.state == State::Accepted).then_some(fresh)).map(Ok)
    }

    /// Asks the gate about what stands at a position, as the link does before it sends it. `false` where only its place is
    /// kept: the peer had it, and may not get it again.
    pub(super) fn gate(&mut self, peer: Society, lane: Lane, position: Position) -> bool {
        let Some(item) = self.journal.rows.items.get(&(peer, lane, position)).copied() else { return true };
        let Body::Issued(meta) = self.journal.entries[item.entry.0 as usize].body.clone() else { return true };
        if item.ended.is_some() {
            return true;
        }
        if self.look(|context| may_send(context, &meta)).is_err() {
            if self.journal.rows.lanes_out.get(&(peer, lane)).is_some_and(|out| out.receipted >= position) {
                return false;
            }
            self.ask(Command::EndWithheld { peer, lane, position }).expect("the gate says no");
        }
        let stopped = meta.subject.and_then(|id| {
            let row = self.journal.rows.handovers.get(&id.into())?;
            self.journal.rows.uses.get(&row.consent.id)?.of(id.into())?.stopped
        });
        if matches!(meta.kind, Kind::HandoverOffer | Kind::HandoverRelease) && stopped.is_some() {
            let ended = self.journal.rows.items[&(peer, lane, position)].ended;
            assert!(ended.is_some(), "nothing about a person is sent after the withdrawal is known");
        }
        if meta.kind == Kind::SubjectRequest && meta.attachment.is_some() {
            self.check_correction(meta.subject.expect("a request"), Delivery { peer, lane, position });
        }
        true
    }

    /// A correction that goes on is of a handover that is in use, with a peer that cases are exchanged with.
    fn check_correction(&self, request: EnvelopeId, delivery: Delivery) {
        let Delivery { peer, lane, position } = delivery;
        let rows = &self.journal.rows;
        if rows.items[&(peer, lane, position)].ended.is_some() {
            return;
        }
        let suspended = rows.suspensions.get(&peer).is_some_and(|row| row.suspended);
        assert!(!suspended, "nothing about a person is sent to a peer that is suspended");
        let holders = rows.requests.get(&request.into()).map(|row| row.holders.as_slice()).unwrap_or_default();
        for id in holders.iter().filter(|one| one.told == Some(delivery)).filter_map(|one| one.handover) {
            let consent = rows.handovers[&id].consent.id;
            let stopped = rows.uses.get(&consent).and_then(|uses| uses.of(id)?.stopped);
            assert!(stopped.is_none(), "no correction is sent after the withdrawal is known");
        }
    }

    /// Erases every case that is due, as the node does.
    pub(super) fn erase_what_is_due(&mut self) {
        let due = self.journal.rows.cases.iter().filter(|(_, row)| row.due.is_some() && row.erased.is_none());
        for case in due.map(|(case, _)| *case).collect::<Vec<_>>() {
            let kept = is_case_held(&self.journal, case).expect("facts in memory do not fail");
            self.ask(Command::CaseErased { case, kept }).expect("it is due");
        }
    }

    /// The signed receipt over all that a lane of `peer` has brought here.
    pub(super) fn receipt(&self, peer: Society, lane: Lane) -> SignedReceipt {
        let lane_in = self.journal.rows.lanes_in.get(&(peer, lane)).cloned().unwrap_or_default();
        let rejected = lane_in.rejected.into_iter().map(|(position, code)| Rejection { position, code }).collect();
        let (position, hash, entry) = (lane_in.received, lane_in.hash, lane_in.entry);
        Receipt { by: self.own, to: peer, lane, position, hash, entry, rejected }.sign(&Toy(self.own))
    }

    pub(super) fn take_receipt(&mut self, peer: Society, signed: SignedReceipt) -> Result<Reply, Refusal> {
        let receipt = signed.open(&[Toy(peer).public_key()], &Toy(self.own)).expect("a signed receipt");
        self.ask(Command::TakeReceipt { peer, receipt, signed })
    }
}

/// Nodes that know each other.
pub(super) struct World {
    pub(super) nodes: Vec<Node>,
}

impl World {
    /// Three of them.
    pub(super) fn new() -> Self {
        Self::of(&["SN", "ML", "GM"])
    }

    pub(super) fn of(codes: &[&str]) -> Self {
        let societies: Vec<_> = codes.iter().copied().map(society).collect();
        let mut nodes: Vec<Node> = societies.iter().map(|own| Node::new(*own, consent_sample::NOW)).collect();
        for node in &mut nodes {
            let epoch = Epoch::new(node.now, [node.own.bytes()[0]; 10]);
            node.ask(Command::Begin { epoch }).expect("a store begins");
            let own = node.own;
            for peer in societies.iter().filter(|peer| **peer != own) {
                node.meet(*peer, 1).expect("a peer");
            }
        }
        Self { nodes }
    }

    pub(super) fn at(&mut self, code: &str) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.own == society(code)).expect("a node of the world")
    }

    /// Brings one parcel across; `ahead` is 1 for the next one, 0 for the last one again.
    pub(super) fn bring(&mut self, from: usize, to: usize, lane: Lane, ahead: u64) -> Option<Result<Reply, Refusal>> {
        let (sender, receiver) = (self.nodes[from].own, self.nodes[to].own);
        let received = self.nodes[to].journal.rows.lanes_in.get(&(sender, lane)).map_or(0, |lane| lane.received.0);
        let position = Position(received + ahead);
        if !self.nodes[from].gate(receiver, lane, position) {
            return None;
        }
        let parcel = self.nodes[from].parcel(receiver, lane, position)?;
        Some(self.nodes[to].take(sender, lane, position, &parcel))
    }

    /// Brings everything across, one way, and the receipts back.
    pub(super) fn exchange(&mut self, from: usize, to: usize) {
        for lane in Lane::ALL {
            while let Some(outcome) = self.bring(from, to, *lane, 1) {
                outcome.expect("the next position is judged");
            }
            self.receipt(from, to, *lane).expect("a receipt over what was sent");
        }
    }

    /// Brings the receipt of `to` for what `from` sent it.
    pub(super) fn receipt(&mut self, from: usize, to: usize, lane: Lane) -> Result<Reply, Refusal> {
        let (sender, receiver) = (self.nodes[from].own, self.nodes[to].own);
        let signed = self.nodes[to].receipt(sender, lane);
        self.nodes[from].take_receipt(receiver, signed)
    }

    /// Brings everything across, both ways, until nothing is left.
    pub(super) fn settle(&mut self, one: &str, other: &str) {
        let index = |code| self.nodes.iter().position(|node| node.own == society(code)).expect("a node of the world");
        let (one, other) = (index(one), index(other));
        self.exchange(one, other);
        self.exchange(other, one);
    }
}

pub(super) fn society(code: &str) -> Society {
    consent_sample::society(code)
}

pub(super) fn bundle(society: Society, version: u64) -> Bundle {
    Bundle::new(BundleContent {
        society,
        version,
        valid_from: consent_sample::NOW,
        valid_until: consent_sample::NOW.plus(Duration::from_secs(86_400)),
        roots: vec![vec![0x30, 0x00].into()],
        signing_keys: vec![Toy(society).public_key()],
        sealing_keys: vec![vec![7; SEALING_KEY_BYTES].into()],
        addresses: Vec::new(),
    })
    .expect("a bundle within its limits")
}

pub(super) fn alert_draft() -> AlertDraft {
    toml::from_str(
        r#"
        mode = "Actual"
        event = "border.closed"
        urgency = "Expected"
        severity = "Moderate"
        certainty = "Observed"
        expires_at = "+12h"
        source_type = "own_team"
        places = [{ role = "border_crossing", name = "Gogui", country = "ML" }]
        texts = [{ lang = "fr", headline = "Frontière fermée à Gogui" }]
        "#,
    )
    .expect("a draft")
}

pub(super) fn alert(urgent: bool, supersedes: Vec<Reference>, now: Time) -> Alert {
    let mut draft = alert_draft();
    draft.supersedes = supersedes;
    if urgent {
        draft.severity = Some(crate::catalogue::Severity::Severe);
    }
    Alert::from_draft(draft, now).expect("a good draft")
}

pub(super) fn case(seed: u8) -> CaseId {
    CaseId::new(consent_sample::NOW, [seed; 10])
}

pub(super) fn package(seed: u8) -> PackageRef {
    PackageRef { case: case(seed), commitment: Digest::of(&[seed]) }
}

/// A consent record of the case, by the node's own pseudonym.
pub(super) fn consent(node: &Node, seed: u8, draft: ConsentDraft) -> ConsentRecord {
    let context = RecordContext {
        id: ConsentId::new(consent_sample::NOW, [seed; 10]),
        subject: node.pseudonyms.own(case(seed)),
        society: node.own,
        now: node.now,
    };
    ConsentRecord::from_draft(draft, context).expect("the draft is valid")
}

/// The entries that record an envelope of `kind` as issued here.
pub(super) fn issued(journal: &Journal, kind: Kind) -> impl Iterator<Item = &Entry> {
    journal.entries.iter().filter(move |entry| matches!(&entry.body, Body::Issued(meta) if meta.kind == kind))
}
