//! Rows: the views of the journal. Each can be dropped and folded again from the entries and
//! objects, to the same bytes. They hold what a decision or a list needs, and no personal data.

mod alerts;
mod withdrawals;

pub use alerts::{AckRow, AckWanted, AlertRow, Claim, DraftRow, Escalation, Redaction, TombstoneRow};
use minicbor::{Decode, Encode};

pub use withdrawals::{CaseRow, KnownEvent, Resting, UseRow};

use crate::{
    aggregate::ReportRow,
    catalogue::{AgeBand, HandoverKind, Segment, Service, SplitReason, VitalReason},
    consent::{ConsentRef, EvidenceRow, Tag},
    digest::Digest,
    entry::PackageRef,
    envelope::{Kind, Lane},
    handover::{Action, Approval, CaseShortCode, GroupId, State as HandoverState, overrides::REVIEW_WITHIN},
    ids::{AlertId, CaseId, ConsentId, EntryIndex, EnvelopeId, Epoch, HandoverId, Position, ReportId, RequestId},
    merkle::Frontier,
    retention::{HoldKind, HoldRow, KeepingRow, SuspensionRow},
    rights::{CardRow, CorrectionRow, ReadsRow, RequestRow},
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
    /// Entries whose objects are its earlier versions: they prove what was done under them, and go with it.
    #[n(4)]
    #[cbor(default)]
    pub earlier: Vec<EntryIndex>,
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
    /// The entry of the release that left the package at its origin; absent while there is none, or when it travels.
    #[n(15)]
    pub held_at_origin: Option<EntryIndex>,
    /// What the package was before it was put right, by its name in the vault, the oldest first.
    #[n(16)]
    #[cbor(default)]
    pub earlier: Vec<Digest>,
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
    /// The entry whose object holds the offer as it was written down, where it had to wait.
    #[n(4)]
    pub proposal: Option<EntryIndex>,
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
    Evidence(ConsentId, EvidenceRow),
    Use(ConsentId, UseRow),
    Case(CaseId, CaseRow),
    Handover(HandoverId, HandoverRow),
    Safeguard(HandoverId, SafeguardRow),
    CaseAge(CaseId, CaseAgeRow),
    Group(GroupId, GroupRow),
    Reads(HandoverId, ReadsRow),
    Card(CaseShortCode, CardRow),
    Request(RequestId, RequestRow),
    Correction(RequestId, CorrectionRow),
    Keeping(HandoverId, KeepingRow),
    Hold(EnvelopeId, HoldKind, HoldRow),
    Suspension(Society, SuspensionRow),
    Report(ReportId, ReportRow),
    Peer(Society, PeerRow),
    LaneOut(Society, Lane, LaneOut),
    LaneItem(Society, Lane, Position, LaneItem),
    LaneIn(Society, Lane, LaneIn),
}
