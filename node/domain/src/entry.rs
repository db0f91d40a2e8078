//! Entries: the records of the journal. An entry holds no personal data; it names envelopes and
//! other objects by digest, and stays true after they are gone.
//!
//! The leaf hash of an entry (RFC 6962) is also its chain hash: each entry holds that of the one
//! before it, so that no entry can be changed, dropped or inserted.

use minicbor::{Decode, Encode};

use crate::{
    aggregate::{ReportId, ReportStep},
    catalogue::{Role, StopReason, VitalReason, vocabulary},
    consent::ConsentRef,
    digest::Digest,
    envelope::{Attachment, Envelope, Kind, Lane, SignedEnvelope, from_cbor, to_cbor},
    handover::{OverrideStep, Proposal, Stage},
    ids::{AlertId, CaseId, ConsentId, EntryIndex, EnvelopeId, Epoch, HandoverId, Position},
    merkle::leaf_hash,
    refusal::Refusal,
    retention::{HoldKind, Rule},
    society::Society,
    time::Time,
};

/// The version of the store and of the bytes in it.
pub const SCHEMA_VERSION: u32 = 1;

/// Who caused an entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Actor {
    /// The node itself.
    #[n(0)]
    System,
    /// An operator who is a person, by the name that the configuration gives them.
    #[n(1)]
    Operator(#[n(0)] String),
    /// An operator that is a program: what a person alone may do is refused to it.
    #[n(3)]
    Program(#[n(0)] String),
    /// A peer's node.
    #[n(2)]
    Peer(#[n(0)] Society),
}

/// What an entry keeps of an envelope when the envelope itself is gone.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EnvelopeMeta {
    /// SHA-256 of the signed bytes.
    #[n(0)]
    pub digest: Digest,
    /// The envelope's id.
    #[n(1)]
    pub id: EnvelopeId,
    /// Who signed it.
    #[n(2)]
    pub origin: Society,
    /// Whom it is for.
    #[n(3)]
    pub recipients: Vec<Society>,
    /// What it carries.
    #[n(4)]
    pub kind: Kind,
    /// The lane that it travels in.
    #[n(5)]
    pub lane: Lane,
    /// When its delivery may end.
    #[n(6)]
    pub expires_at: Option<Time>,
    /// The alert or handover that it is about.
    #[n(7)]
    pub subject: Option<EnvelopeId>,
    /// On what consent it rests.
    #[n(8)]
    pub basis: Option<ConsentRef>,
    /// What travels behind it.
    #[n(9)]
    pub attachment: Option<Attachment>,
}

impl EnvelopeMeta {
    /// What an entry keeps of `envelope`.
    #[must_use]
    pub fn of(
        envelope: &Envelope,
        signed: &SignedEnvelope,
        subject: Option<EnvelopeId>,
        basis: Option<ConsentRef>,
    ) -> Self {
        Self {
            digest: signed.digest(),
            id: envelope.id,
            origin: envelope.origin,
            recipients: envelope.recipients.clone(),
            kind: envelope.kind,
            lane: envelope.lane,
            expires_at: envelope.expires_at,
            subject,
            basis,
            attachment: envelope.attachment,
        }
    }
}

/// Where the draft of an alert comes from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum DraftSource {
    /// A person or program of ours wrote it.
    #[n(0)]
    Operator,
    /// It was read from a feed of warnings, by the name that the configuration gives the feed.
    #[n(1)]
    Feed(#[n(0)] String),
}

vocabulary! {
    /// How a draft ended.
    DraftEnd {
        1 Published = "published",
        2 Discarded = "discarded",
    }
}

vocabulary! {
    /// What became of calling a post on duty.
    HookOutcome {
        1 Called = "called",
        2 Failed = "failed",
        3 TimedOut = "timed_out",
        4 NotStarted = "not_started",
        5 NoHook = "no_hook",
        6 RateLimited = "rate_limited",
        7 Interrupted = "interrupted",
    }
}

/// Names a package in this node's vault. Says nothing about the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PackageRef {
    /// The local case, whose key alone opens it.
    #[n(0)]
    pub case: CaseId,
    /// Salted commitment to its content, and its name in the vault.
    #[n(1)]
    pub commitment: Digest,
}

/// Who is told that something was erased, and of what: one handover under one consent record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Owed {
    /// The consent record that was taken back.
    #[n(0)]
    pub consent: ConsentId,
    /// The handover.
    #[n(1)]
    pub handover: HandoverId,
    /// The Society at its other end.
    #[n(2)]
    pub to: Society,
}

/// What the receiver decided of an envelope.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Verdict {
    /// It took effect.
    #[n(0)]
    Accepted,
    /// It was known already, byte for byte; no second effect.
    #[n(1)]
    Duplicate,
    /// It was refused, with this code; nothing of it is kept.
    #[n(2)]
    Rejected(#[n(0)] String),
}

/// What an entry records.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Body {
    /// The beginning of this life of the journal.
    #[n(0)]
    Genesis {
        /// Whose journal it is.
        #[n(0)]
        society: Society,
        /// This life of the store.
        #[n(1)]
        epoch: Epoch,
        /// [`SCHEMA_VERSION`] at that time.
        #[n(2)]
        schema: u32,
    },
    /// We signed an envelope; its object is the signed envelope.
    #[n(1)]
    Issued(#[n(0)] EnvelopeMeta),
    /// A peer's envelope arrived; its object, when accepted, is the signed envelope.
    #[n(2)]
    Received {
        /// The peer that brought it.
        #[n(0)]
        peer: Society,
        /// The lane it came in.
        #[n(1)]
        lane: Lane,
        /// Its place there.
        #[n(2)]
        position: Position,
        /// Digest of its signed bytes, whatever they were.
        #[n(3)]
        digest: Digest,
        /// What it was; absent when it could not be read or verified.
        #[n(4)]
        envelope: Option<EnvelopeMeta>,
        /// What was decided.
        #[n(5)]
        verdict: Verdict,
    },
    /// A peer receipted; its object is the signed receipt.
    #[n(3)]
    Receipted {
        /// The peer that signed it.
        #[n(0)]
        peer: Society,
        /// The lane.
        #[n(1)]
        lane: Lane,
        /// Up to and including this position.
        #[n(2)]
        position: Position,
        /// What it rejected among them, by code.
        #[n(3)]
        rejected: Vec<(Position, String)>,
    },
    /// A consent record was made or renewed; its object is the record.
    #[n(4)]
    Consent {
        /// The local case.
        #[n(0)]
        case: CaseId,
        /// The record.
        #[n(1)]
        record: ConsentRef,
    },
    /// Something happened to a consent record; its object is the event.
    #[n(20)]
    ConsentEvent {
        /// The record.
        #[n(0)]
        consent: ConsentId,
        /// SHA-256 of the event.
        #[n(1)]
        digest: Digest,
    },
    /// All that is known of a case is to be erased; what was ours to use of it is not used any more.
    #[n(21)]
    ErasureDue {
        /// The case.
        #[n(0)]
        case: CaseId,
        /// Who is to be told once it is done.
        #[n(1)]
        owed: Vec<Owed>,
    },
    /// A case was erased: its key was destroyed and its files removed.
    #[n(22)]
    CaseErased {
        /// The case.
        #[n(0)]
        case: CaseId,
    },
    /// A case that was to be erased is kept for now, by a hold; it is not used.
    #[n(23)]
    ErasureHeld {
        /// The case.
        #[n(0)]
        case: CaseId,
    },
    /// An envelope was not sent: what it rests on does not cover it any more.
    #[n(24)]
    DeliveryWithheld {
        /// The peer.
        #[n(0)]
        peer: Society,
        /// The lane.
        #[n(1)]
        lane: Lane,
        /// Its place there.
        #[n(2)]
        position: Position,
        /// Why, as a refusal code.
        #[n(3)]
        code: String,
    },
    /// A handover was opened here for a local case.
    #[n(5)]
    HandoverOpened {
        /// The handover.
        #[n(0)]
        id: HandoverId,
        /// The case.
        #[n(1)]
        case: CaseId,
        /// Whether to release as soon as it is accepted.
        #[n(2)]
        release_on_acceptance: bool,
    },
    /// A handover was written down and waits: for others to approve it, or to be sent. Its object is the offer.
    #[n(28)]
    HandoverProposed(#[n(0)] Proposal),
    /// An operator approved a step of a handover.
    #[n(29)]
    Approved {
        /// The handover.
        #[n(0)]
        handover: HandoverId,
        /// Which step.
        #[n(1)]
        stage: Stage,
        /// In which role.
        #[n(2)]
        role: Role,
        /// Whether no further approval of the step is needed now.
        #[n(3)]
        complete: bool,
    },
    /// An operator asked to go on without consent, for a vital interest; its object is the note that says what is at
    /// stake.
    #[n(30)]
    OverrideRequested {
        /// The handover.
        #[n(0)]
        handover: HandoverId,
        /// Why it cannot wait.
        #[n(1)]
        reason: VitalReason,
        /// SHA-256 of the note.
        #[n(2)]
        note: Digest,
    },
    /// What an override obliges to was done.
    #[n(31)]
    OverrideFollowed {
        /// The handover.
        #[n(0)]
        handover: HandoverId,
        /// What.
        #[n(1)]
        step: OverrideStep,
    },
    /// A handover that was never sent was given up.
    #[n(32)]
    HandoverDropped {
        /// The handover.
        #[n(0)]
        handover: HandoverId,
        /// Why.
        #[n(1)]
        reason: StopReason,
    },
    /// Somebody read case data here.
    #[n(6)]
    PackageRead {
        /// The handover whose package it was.
        #[n(0)]
        handover: HandoverId,
        /// Codes of the sections read.
        #[n(1)]
        sections: Vec<String>,
        /// Why, as a purpose code.
        #[n(2)]
        purpose: String,
    },
    /// Something was refused; nothing else is kept of it.
    #[n(7)]
    Refused {
        /// What was asked, as the name of a request or of a step of the link.
        #[n(0)]
        request: String,
        /// The stable code.
        #[n(1)]
        code: String,
        /// What it was about, where that is an id of ours.
        #[n(2)]
        subject: Option<EnvelopeId>,
        /// How many more of the same actor were counted without an entry since the last one.
        #[n(3)]
        uncounted: u32,
    },
    /// A peer's bundle was taken or withdrawn; its object, when taken, is the bundle's payload.
    #[n(8)]
    Peer {
        /// The peer.
        #[n(0)]
        society: Society,
        /// What happened.
        #[n(1)]
        change: PeerChange,
    },
    /// The delivery of an envelope to one peer ended by its own expiry.
    #[n(9)]
    DeliveryEnded {
        /// The peer.
        #[n(0)]
        peer: Society,
        /// The lane.
        #[n(1)]
        lane: Lane,
        /// Its place there.
        #[n(2)]
        position: Position,
    },
    /// Envelopes were put into a peer's lanes again.
    #[n(10)]
    Replayed {
        /// The peer.
        #[n(0)]
        peer: Society,
        /// The entries that issued them.
        #[n(1)]
        entries: Vec<EntryIndex>,
        /// Those withheld because a rule forbids it today: entry and refusal code.
        #[n(2)]
        withheld: Vec<(EntryIndex, String)>,
    },
    /// A peer's store began another life, or ours lags behind what the peer knows of it.
    #[n(11)]
    EpochChanged {
        /// The peer.
        #[n(0)]
        peer: Society,
        /// The life that the peer's store is in.
        #[n(1)]
        epoch: Epoch,
    },
    /// Our own store was restored: a lane goes on where the peer's memory of it ends, so that no
    /// position is ever used twice.
    #[n(12)]
    LaneAdvanced {
        /// The peer.
        #[n(0)]
        peer: Society,
        /// The lane.
        #[n(1)]
        lane: Lane,
        /// Last position that the peer holds.
        #[n(2)]
        position: Position,
        /// Running hash there.
        #[n(3)]
        hash: Digest,
    },
    /// An alert was drafted, or drafted anew; its object is the draft.
    #[n(14)]
    AlertDrafted {
        /// The id that the alert will have.
        #[n(0)]
        id: AlertId,
        /// SHA-256 of the draft.
        #[n(1)]
        digest: Digest,
        /// Where it comes from.
        #[n(2)]
        source: DraftSource,
        /// Whether a second person approves it before it goes out.
        #[n(3)]
        needs_approval: bool,
    },
    /// A second person approved a draft.
    #[n(15)]
    DraftApproved {
        /// The draft.
        #[n(0)]
        id: AlertId,
        /// The entry that it was drafted by: what was approved.
        #[n(1)]
        drafted: EntryIndex,
    },
    /// A draft ended; its object is gone.
    #[n(16)]
    DraftEnded {
        /// The draft.
        #[n(0)]
        id: AlertId,
        /// How.
        #[n(1)]
        end: DraftEnd,
    },
    /// Nobody here had acknowledged an alert by the time its origin asked for: a post on duty is called.
    #[n(17)]
    AlertEscalated {
        /// The alert.
        #[n(0)]
        alert: AlertId,
        /// Which call it is, from 1.
        #[n(1)]
        step: u32,
        /// The post, by the name that the configuration gives it.
        #[n(2)]
        post: String,
    },
    /// What became of calling a post on duty.
    #[n(18)]
    EscalationEnded {
        /// The alert.
        #[n(0)]
        alert: AlertId,
        /// Which call it was.
        #[n(1)]
        step: u32,
        /// What became of it.
        #[n(2)]
        outcome: HookOutcome,
        /// Exit status of the command, where it had one.
        #[n(3)]
        status: Option<i32>,
    },
    /// An update has waited long enough for the alert that it supersedes.
    #[n(19)]
    OrphanReleased {
        /// The update.
        #[n(0)]
        alert: AlertId,
    },
    /// Retention purged something; the entries after it say which objects went.
    #[n(34)]
    Purged {
        /// By which rule.
        #[n(0)]
        rule: Rule,
        /// The handovers, consent records or alerts; none when the rule is about evidence alone.
        #[n(1)]
        subjects: Vec<EnvelopeId>,
        /// The local case whose package went, where there was one.
        #[n(2)]
        case: Option<CaseId>,
    },
    /// A hold was placed over something, or lifted from it.
    #[n(35)]
    Hold {
        /// A case, handover, consent record or alert.
        #[n(0)]
        subject: EnvelopeId,
        /// What the hold does.
        #[n(1)]
        kind: HoldKind,
        /// Whether it was lifted, and not placed.
        #[n(2)]
        lifted: bool,
        /// Why, as the officer wrote it; it identifies nobody.
        #[n(3)]
        reason: String,
    },
    /// An officer suspended the exchange of cases with a peer, or resumed it.
    #[n(36)]
    Suspension {
        /// The peer.
        #[n(0)]
        peer: Society,
        /// Whether it is suspended from here on.
        #[n(1)]
        suspended: bool,
        /// Why, as the officer wrote it; it identifies nobody.
        #[n(2)]
        reason: String,
    },
    /// A person found that a received package is still needed.
    #[n(37)]
    Reviewed {
        /// The handover whose package it is.
        #[n(0)]
        handover: HandoverId,
    },
    /// A step of an aggregate report.
    #[n(38)]
    Report {
        /// The report.
        #[n(0)]
        id: ReportId,
        /// The step.
        #[n(1)]
        step: ReportStep,
    },
    /// Objects of earlier entries were removed; what the views need of each is left in its place.
    #[n(48)]
    Forgotten {
        /// Why.
        #[n(0)]
        reason: ForgetReason,
        /// The entries, and the digest of what is left of each object; at most [`FORGET_MAX`].
        #[n(1)]
        objects: Vec<(EntryIndex, Digest)>,
    },
    /// A package lies in the vault for a handover.
    #[n(13)]
    PackageKept {
        /// The handover.
        #[n(0)]
        handover: HandoverId,
        /// The package.
        #[n(1)]
        package: PackageRef,
    },
}

vocabulary! {
    /// Why objects were removed.
    ForgetReason {
        1 Redacted = "redacted",
        2 Withdrawn = "withdrawn",
        3 Retention = "retention",
        4 Erasure = "erasure",
    }
}

/// Objects that one entry may remove, so that it stays one value of the store.
pub const FORGET_MAX: usize = 256;

/// A change of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum PeerChange {
    /// This bundle is now the peer's.
    #[n(0)]
    Bundle {
        /// Its version.
        #[n(0)]
        version: u64,
        /// SHA-256 of its payload.
        #[n(1)]
        digest: Digest,
    },
    /// The peer is no longer one.
    #[n(1)]
    Removed,
}

/// One record of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Entry {
    /// Its place.
    #[n(0)]
    pub index: EntryIndex,
    /// When; never earlier than the entry before it, whatever the clock says.
    #[n(1)]
    pub time: Time,
    /// Who caused it.
    #[n(2)]
    pub actor: Actor,
    /// Leaf hash of the entry before it; all zeros for the first.
    #[n(3)]
    pub previous: Digest,
    /// What it records.
    #[n(4)]
    pub body: Body,
}

impl Entry {
    /// Canonical bytes: the leaf of the tree.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// Reads the canonical bytes of an entry.
    ///
    /// # Errors
    /// `malformed` when they are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Refusal> {
        from_cbor(bytes, "entry")
    }

    /// The leaf hash, which the next entry holds.
    #[must_use]
    pub fn hash_of(bytes: &[u8]) -> Digest {
        leaf_hash(bytes)
    }
}

impl Body {
    /// The name of the kind, for lists and filters.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Genesis { .. } => "genesis",
            Self::Issued(_) => "issued",
            Self::Received { .. } => "received",
            Self::Receipted { .. } => "receipted",
            Self::Consent { .. } => "consent",
            Self::ConsentEvent { .. } => "consent_event",
            Self::ErasureDue { .. } => "erasure_due",
            Self::CaseErased { .. } => "case_erased",
            Self::ErasureHeld { .. } => "erasure_held",
            Self::DeliveryWithheld { .. } => "delivery_withheld",
            Self::HandoverOpened { .. } => "handover_opened",
            Self::HandoverProposed(_) => "handover_proposed",
            Self::Approved { .. } => "approved",
            Self::OverrideRequested { .. } => "override_requested",
            Self::OverrideFollowed { .. } => "override_followed",
            Self::HandoverDropped { .. } => "handover_dropped",
            Self::PackageRead { .. } => "package_read",
            Self::Refused { .. } => "refused",
            Self::Peer { .. } => "peer",
            Self::DeliveryEnded { .. } => "delivery_ended",
            Self::Replayed { .. } => "replayed",
            Self::EpochChanged { .. } => "epoch_changed",
            Self::LaneAdvanced { .. } => "lane_advanced",
            Self::AlertDrafted { .. } => "alert_drafted",
            Self::DraftApproved { .. } => "draft_approved",
            Self::DraftEnded { .. } => "draft_ended",
            Self::AlertEscalated { .. } => "alert_escalated",
            Self::EscalationEnded { .. } => "escalation_ended",
            Self::OrphanReleased { .. } => "orphan_released",
            Self::Purged { .. } => "purged",
            Self::Hold { .. } => "hold",
            Self::Suspension { .. } => "suspension",
            Self::Reviewed { .. } => "reviewed",
            Self::Report { .. } => "report",
            Self::Forgotten { .. } => "forgotten",
            Self::PackageKept { .. } => "package_kept",
        }
    }

    /// The alert, handover or consent record that it is about.
    #[must_use]
    pub fn subject(&self) -> Option<EnvelopeId> {
        match self {
            Self::Issued(meta) => meta.subject,
            Self::Received { envelope, .. } => envelope.as_ref().and_then(|meta| meta.subject),
            Self::HandoverOpened { id, .. }
            | Self::HandoverProposed(Proposal { id, .. })
            | Self::Approved { handover: id, .. }
            | Self::OverrideRequested { handover: id, .. }
            | Self::OverrideFollowed { handover: id, .. }
            | Self::HandoverDropped { handover: id, .. }
            | Self::PackageRead { handover: id, .. }
            | Self::PackageKept { handover: id, .. } => Some((*id).into()),
            Self::Consent { record, .. } => Some(record.id.into()),
            Self::Reviewed { handover } => Some((*handover).into()),
            Self::Hold { subject, .. } => Some(*subject),
            Self::Report { id, .. } => Some((*id).into()),
            Self::Purged { subjects, .. } => subjects.first().copied(),
            Self::ConsentEvent { consent, .. } => Some((*consent).into()),
            Self::Refused { subject, .. } => *subject,
            Self::AlertDrafted { id, .. }
            | Self::DraftApproved { id, .. }
            | Self::DraftEnded { id, .. }
            | Self::AlertEscalated { alert: id, .. }
            | Self::EscalationEnded { alert: id, .. }
            | Self::OrphanReleased { alert: id } => Some((*id).into()),
            _ => None,
        }
    }
}
