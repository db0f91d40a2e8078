//! Rows: the views of the journal. Each can be dropped and folded again from the entries and
//! objects, to the same bytes. They hold what a decision or a list needs, and no personal data.

mod withdrawals;

use minicbor::{Decode, Encode};

pub use withdrawals::{CaseRow, KnownEvent, Resting, UseRow};

use crate::{
    aggregate::ReportRow,
    alert::life::State as AlertState,
    catalogue::{
        AgeBand, CancelReason, Event, HandoverKind, Mode, RedactReason, Segment, Service, Severity, SplitReason,
        Urgency, VitalReason,
    },
    consent::{ConsentRef, Tag},
    digest::Digest,
    entry::{DraftEnd, DraftSource, HookOutcome, PackageRef},
    envelope::{Kind, Lane},
    handover::{Action, Approval, CaseShortCode, GroupId, State as HandoverState, overrides::REVIEW_WITHIN},
    ids::{AlertId, CaseId, ConsentId, EntryIndex, EnvelopeId, Epoch, HandoverId, Position, ReportId, RequestId},
    limits::{CLAIMED_UPDATES_MAX, CLAIMS_MAX, UPDATES_MAX},
    merkle::Frontier,
    retention::{HoldKind, HoldRow, KeepingRow, SuspensionRow},
    rights::{CardRow, ReadsRow, RequestRow},
    signing::PublicKey,
    society::Society,
    time::Time,
};

/// The head of the journal: what the next entry is built on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HeadRow {
    /// This life of the store.
    #[n(0)]
    pub epoch: Epoch,
    /// Leaf hash of the last entry.
    #[n(1)]
    pub previous: Digest,
    /// Time of the last entry.
    #[n(2)]
    pub time: Time,
    /// The tree over all entries.
    #[n(3)]
    pub frontier: Frontier,
}

impl HeadRow {
    /// The index that the next entry gets.
    #[must_use]
    pub fn next(&self) -> EntryIndex {
        EntryIndex(self.frontier.size())
    }
}

/// Where an envelope of ours stands in one peer's lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Delivery {
    /// The peer.
    #[n(0)]
    pub peer: Society,
    /// The lane.
    #[n(1)]
    pub lane: Lane,
    /// Its place there.
    #[n(2)]
    pub position: Position,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AlertRow {
    /// Entry whose object is its envelope.
    #[n(0)]
    pub entry: EntryIndex,
    /// Digest of that envelope.
    #[n(1)]
    pub digest: Digest,
    /// Who issued it.
    #[n(2)]
    pub origin: Society,
    /// Where it is in its life; expiry is added when it is shown.
    #[n(3)]
    pub state: AlertState,
    /// Until when it holds.
    #[n(4)]
    pub expires_at: Time,
    /// What happened.
    #[n(5)]
    pub event: Event,
    /// How bad.
    #[n(6)]
    pub severity: Severity,
    /// How soon.
    #[n(7)]
    pub urgency: Urgency,
    /// Actual, Exercise, System or Test.
    #[n(8)]
    pub mode: Mode,
    /// The alert that superseded it; of several the one with the last id.
    #[n(9)]
    pub superseded_by: Option<AlertId>,
    /// Why it was cancelled, and the entry that says so.
    #[n(10)]
    pub cancelled: Option<(CancelReason, EntryIndex)>,
    /// Where it stands in the lanes to peers, when it is ours.
    #[n(11)]
    pub deliveries: Vec<Delivery>,
    /// When it was sent, as it says itself; absent where an earlier release kept only its outline.
    #[n(12)]
    pub sent_at: Option<Time>,
    /// What it supersedes, by id.
    #[n(13)]
    pub parents: Option<Vec<AlertId>>,
    /// Every update that supersedes it, by id; the last [`UPDATES_MAX`].
    #[n(14)]
    pub children: Option<Vec<AlertId>>,
    /// Since when it waits for what it supersedes, while it does.
    #[n(15)]
    pub held_since: Option<Time>,
    /// Whether, and until when, a human at each recipient is to acknowledge it.
    #[n(16)]
    pub ack: Option<AckWanted>,
    /// Its redaction.
    #[n(17)]
    pub redacted: Option<Redaction>,
    /// The last call of a post on duty, where nobody had acknowledged it in time.
    #[n(18)]
    pub escalation: Option<Escalation>,
}

impl AlertRow {
    /// What it supersedes.
    #[must_use]
    pub fn parents(&self) -> &[AlertId] {
        self.parents.as_deref().unwrap_or_default()
    }

    /// What supersedes it.
    #[must_use]
    pub fn children(&self) -> &[AlertId] {
        self.children.as_deref().unwrap_or_default()
    }

    /// Adds an update that supersedes it. The same whatever the order in which they come.
    pub fn add_child(&mut self, child: AlertId) {
        let children = self.children.get_or_insert_default();
        insert_last(children, child, UPDATES_MAX);
        self.superseded_by = children.last().copied();
    }
}

/// Keeps a sorted list of the last `max` ids.
fn insert_last(ids: &mut Vec<AlertId>, id: AlertId, max: usize) {
    if let Err(at) = ids.binary_search(&id) {
        ids.insert(at, id);
        ids.drain(..ids.len().saturating_sub(max));
    }
}

/// That a human at each recipient is to acknowledge an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AckWanted {
    /// By when; absent means as soon as may be.
    #[n(0)]
    pub by: Option<Time>,
}

/// That the content of an alert is erased.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Redaction {
    /// Why.
    #[n(0)]
    pub reason: RedactReason,
    /// The entry that says so.
    #[n(1)]
    pub entry: EntryIndex,
    /// Peers that have told us, the origin, that nothing is left there, and the entry that says so.
    #[n(2)]
    pub erased: Vec<(Society, EntryIndex)>,
}

/// A call of a post on duty.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Escalation {
    /// Which one, from 1.
    #[n(0)]
    pub step: u32,
    /// The entry that began it.
    #[n(1)]
    pub entry: EntryIndex,
    /// When it began.
    #[n(2)]
    pub at: Time,
    /// What became of it; absent until that is known.
    #[n(3)]
    pub outcome: Option<HookOutcome>,
}

/// A draft of an alert. The draft itself is the object of its entry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DraftRow {
    /// Entry whose object is the draft.
    #[n(0)]
    pub entry: EntryIndex,
    /// SHA-256 of the draft.
    #[n(1)]
    pub digest: Digest,
    /// Where it comes from.
    #[n(2)]
    pub source: DraftSource,
    /// Draft or ready.
    #[n(3)]
    pub state: AlertState,
    /// Whether a second person approves it before it goes out.
    #[n(4)]
    pub needs_approval: bool,
    /// The entry that approved it.
    #[n(5)]
    pub approved: Option<EntryIndex>,
    /// How it ended, and the entry that says so.
    #[n(6)]
    pub ended: Option<(DraftEnd, EntryIndex)>,
}

/// A human's answer to an alert.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AckRow {
    /// Entry whose object is the answer's envelope.
    #[n(0)]
    pub entry: EntryIndex,
    /// Whether it reports an error instead.
    #[n(1)]
    pub error: bool,
    /// When it was recorded here.
    #[n(2)]
    pub at: Time,
}

/// What is known of an alert before the alert itself is: lanes overtake each other, and a cancel or
/// an update may come first. A cancel wins. Whose the alert is nobody knows yet, so that the word of
/// each Society stands apart: at most one claim of each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct TombstoneRow {
    /// What each Society said.
    #[n(0)]
    pub claims: Vec<Claim>,
}

/// What one Society said of an alert that is not here yet.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Claim {
    /// Who said so; it counts only when the alert is theirs.
    #[n(0)]
    pub origin: Society,
    /// Why it is cancelled, and the entry whose object says so.
    #[n(1)]
    pub cancelled: Option<(CancelReason, EntryIndex)>,
    /// What supersedes it; of several the one with the last id.
    #[n(2)]
    pub superseded_by: Option<AlertId>,
    /// Why it is redacted, and the entry whose object says so.
    #[n(3)]
    pub redacted: Option<(RedactReason, EntryIndex)>,
    /// Every update that supersedes it, by id; the last [`CLAIMED_UPDATES_MAX`].
    #[n(4)]
    pub children: Option<Vec<AlertId>>,
}

impl Claim {
    /// What supersedes it.
    #[must_use]
    pub fn children(&self) -> &[AlertId] {
        self.children.as_deref().unwrap_or_default()
    }

    /// Adds an update that supersedes it.
    pub fn add_child(&mut self, child: AlertId) {
        let children = self.children.get_or_insert_default();
        insert_last(children, child, CLAIMED_UPDATES_MAX);
        self.superseded_by = children.last().copied();
    }
}

impl TombstoneRow {
    /// What `origin` said.
    #[must_use]
    pub fn of(&self, origin: Society) -> Option<&Claim> {
        self.claims.iter().find(|claim| claim.origin == origin)
    }

    /// Adds to what `origin` said.
    pub fn claim(&mut self, origin: Society, add: impl FnOnce(&mut Claim)) {
        if let Some(claim) = self.claims.iter_mut().find(|claim| claim.origin == origin) {
            return add(claim);
        }
        if self.claims.len() >= CLAIMS_MAX {
            // A row is one value of the store, and so many Societies do not speak of one alert in good faith.
            return;
        }
        let mut claim = Claim { origin, cancelled: None, superseded_by: None, redacted: None, children: None };
        add(&mut claim);
        self.claims.push(claim);
    }
}

/// An envelope that took effect, by which its like is known again.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EnvelopeRow {
    /// Digest of its signed bytes.
    #[n(0)]
    pub digest: Digest,
    /// Entry that records it.
    #[n(1)]
    pub entry: EntryIndex,
}

/// A consent record. The record itself is the object of its entry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ConsentRow {
    /// Entry whose object is the record.
    #[n(0)]
    pub entry: EntryIndex,
    /// The local case.
    #[n(1)]
    pub case: CaseId,
    /// The record's version and digest.
    #[n(2)]
    pub record: ConsentRef,
    /// When it was recorded.
    #[n(3)]
    pub at: Time,
}

/// One step of a handover.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HandoverEvent {
    /// When, by this node's journal.
    #[n(0)]
    pub at: Time,
    /// The step.
    #[n(1)]
    pub action: Action,
    /// Who took it.
    #[n(2)]
    pub by: Society,
    /// The state after it.
    #[n(3)]
    pub state: HandoverState,
    /// Reason code, where there is one.
    #[n(4)]
    pub reason: Option<String>,
    /// The entry that records it.
    #[n(5)]
    pub entry: EntryIndex,
}

/// A handover, at either end.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HandoverRow {
    /// Entry whose object holds the offer.
    #[n(0)]
    pub entry: EntryIndex,
    /// Who hands over.
    #[n(1)]
    pub from: Society,
    /// Who takes over.
    #[n(2)]
    pub to: Society,
    /// What kind of handover it is.
    #[n(3)]
    pub kind: HandoverKind,
    /// Where it stands.
    #[n(4)]
    pub state: HandoverState,
    /// The local case, at the end that has one.
    #[n(5)]
    pub case: Option<CaseId>,
    /// The consent that it rests on.
    #[n(6)]
    pub consent: ConsentRef,
    /// Services accepted; empty until then.
    #[n(7)]
    pub accepted: Vec<Service>,
    /// Team that takes it.
    #[n(8)]
    pub team: Option<String>,
    /// When the offer ends.
    #[n(9)]
    pub expires_at: Time,
    /// Whether to release as soon as it is accepted.
    #[n(10)]
    pub release_on_acceptance: bool,
    /// The package in this node's vault.
    #[n(11)]
    pub package: Option<PackageRef>,
    /// Codes of the sections released.
    #[n(12)]
    pub sections: Vec<String>,
    /// Everything that happened to it.
    #[n(13)]
    pub history: Vec<HandoverEvent>,
    /// A hold over everything else: legal hold or breach.
    #[n(14)]
    pub frozen: bool,
}

/// What stands around a handover: who has approved what of it, and whether it goes on without consent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct SafeguardRow {
    /// The operator who wrote it down, where it had to wait.
    #[n(0)]
    pub proposed_by: Option<String>,
    /// Whether a sealed section may travel with it.
    #[n(1)]
    pub sealed: bool,
    /// Who approved which step.
    #[n(2)]
    pub approvals: Vec<Approval>,
    /// The override, where one was asked for.
    #[n(3)]
    pub overriding: Option<OverrideRow>,
}

/// An override of consent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct OverrideRow {
    /// The entry that asked for it; its object is the note.
    #[n(0)]
    pub entry: EntryIndex,
    /// The operator who asked.
    #[n(1)]
    pub requested_by: String,
    /// When.
    #[n(2)]
    pub requested_at: Time,
    /// Why it cannot wait.
    #[n(3)]
    pub reason: VitalReason,
    /// When the second approval came: from then on it holds.
    #[n(4)]
    pub approved_at: Option<Time>,
    /// When the person was told.
    #[n(5)]
    pub told_at: Option<Time>,
    /// When it was reviewed, by whom, and whether it was upheld.
    #[n(6)]
    pub reviewed: Option<(Time, String, bool)>,
}

impl OverrideRow {
    /// By when it has to be reviewed; absent while it does not hold.
    #[must_use]
    pub fn review_by(&self) -> Option<Time> {
        self.approved_at.map(|at| at.plus(REVIEW_WITHIN))
    }

    /// Whether its review is overdue.
    #[must_use]
    pub fn is_late(&self, now: Time) -> bool {
        self.reviewed.is_none() && self.review_by().is_some_and(|by| by < now)
    }
}

/// The age of the person of a case, as it was recorded last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CaseAgeRow {
    /// The band.
    #[n(0)]
    pub band: AgeBand,
    /// The entry that says so.
    #[n(1)]
    pub entry: EntryIndex,
}

/// People whose handovers are bound together.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct GroupRow {
    /// The code that the offers share.
    #[n(0)]
    pub reference: Tag,
    /// Who hands them over.
    #[n(1)]
    pub from: Society,
    /// Who takes them over.
    #[n(2)]
    pub to: Society,
    /// How many they are said to be.
    #[n(3)]
    pub size: u16,
    /// Whether one of them counts as a minor.
    #[n(4)]
    pub minors: bool,
    /// Their handovers, in the order in which they became known.
    #[n(5)]
    pub members: Vec<HandoverId>,
    /// When, by whom and why they were separated, and the entry that says so.
    #[n(6)]
    pub split: Option<(Time, Society, SplitReason, EntryIndex)>,
}

/// A peer, as far as the journal decides about it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PeerRow {
    /// Entry whose object is its bundle.
    #[n(0)]
    pub entry: EntryIndex,
    /// Version of that bundle.
    #[n(1)]
    pub version: u64,
    /// Digest of that bundle's payload.
    #[n(2)]
    pub digest: Digest,
    /// Keys that sign its envelopes and receipts, newest first.
    #[n(3)]
    pub signing_keys: Vec<PublicKeyRow>,
    /// Route segments it wants; absent means that it never said, and gets everything.
    #[n(4)]
    pub segments: Option<Vec<Segment>>,
    /// Life of its store, as last heard.
    #[n(5)]
    pub epoch: Option<Epoch>,
    /// Whether it was removed.
    #[n(6)]
    pub removed: bool,
}

/// A public key in canonical bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct PublicKeyRow(#[cbor(n(0), with = "minicbor::bytes")] pub PublicKey);

/// The sending end of one lane to one peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct LaneOut {
    /// Last position given to an envelope.
    #[n(0)]
    pub queued: Position,
    /// Running hash there.
    #[n(1)]
    pub queued_hash: Digest,
    /// Last position that the peer has receipted.
    #[n(2)]
    pub receipted: Position,
}

/// One envelope in the sending end of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LaneItem {
    /// Entry whose object is the envelope.
    #[n(0)]
    pub entry: EntryIndex,
    /// Running hash up to and including it.
    #[n(1)]
    pub hash: Digest,
    /// What it carries.
    #[n(2)]
    pub kind: Kind,
    /// What became of it: absent while nobody knows, or receipted without more.
    #[n(3)]
    pub ended: Option<Ended>,
    /// When its delivery may end.
    #[n(4)]
    pub expires_at: Option<Time>,
}

/// Why an envelope did not take effect at a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Ended {
    /// The peer rejected it; the receipt's entry says with which code.
    #[n(0)]
    Rejected(#[n(0)] EntryIndex),
    /// It expired before it was delivered.
    #[n(1)]
    Expired,
    /// It was withheld: the person took back what it rests on.
    #[n(2)]
    Withheld,
}

/// The receiving end of one lane from one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct LaneIn {
    /// Last position received, durably.
    #[n(0)]
    pub received: Position,
    /// Running hash there.
    #[n(1)]
    pub hash: Digest,
    /// Entry of the last one.
    #[n(2)]
    pub entry: EntryIndex,
    /// The newest rejections, for receipts that the peer has not seen yet.
    #[n(3)]
    pub rejected: Vec<(Position, String)>,
}

/// One row, with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant is a row above, under its key")]
pub enum Row {
    Alert(AlertId, AlertRow),
    Ack(AlertId, Society, AckRow),
    Draft(AlertId, DraftRow),
    Tombstone(AlertId, TombstoneRow),
    Envelope(Society, EnvelopeId, EnvelopeRow),
    Consent(ConsentId, ConsentRow),
    Use(ConsentId, UseRow),
    Case(CaseId, CaseRow),
    Handover(HandoverId, HandoverRow),
    Safeguard(HandoverId, SafeguardRow),
    CaseAge(CaseId, CaseAgeRow),
    Group(GroupId, GroupRow),
    Reads(HandoverId, ReadsRow),
    Card(CaseShortCode, CardRow),
    Request(RequestId, RequestRow),
    Keeping(HandoverId, KeepingRow),
    Hold(EnvelopeId, HoldKind, HoldRow),
    Suspension(Society, SuspensionRow),
    Report(ReportId, ReportRow),
    Peer(Society, PeerRow),
    LaneOut(Society, Lane, LaneOut),
    LaneItem(Society, Lane, Position, LaneItem),
    LaneIn(Society, Lane, LaneIn),
}
