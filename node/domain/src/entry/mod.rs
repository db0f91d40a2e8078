//! Entries: the records of the journal. An entry holds no personal data; it names envelopes and
//! other objects by digest, and stays true after they are gone.
//!
//! The leaf hash of an entry (RFC 6962) is also its chain hash: each entry holds that of the one
//! before it, so that no entry can be changed, dropped or inserted.

mod body;

pub use body::Body;
use minicbor::{Decode, Encode};

use crate::{
    catalogue::vocabulary,
    consent::ConsentRef,
    digest::Digest,
    envelope::{Attachment, Envelope, Kind, Lane, SignedEnvelope, from_cbor, to_cbor},
    handover::Proposal,
    ids::{CaseId, ConsentId, EntryIndex, EnvelopeId, HandoverId},
    merkle::leaf_hash,
    refusal::Refusal,
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
        3 Expired = "expired",
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

vocabulary! {
    /// Why objects were removed.
    ForgetReason {
        1 Redacted = "redacted",
        2 Withdrawn = "withdrawn",
        3 Retention = "retention",
        4 Erasure = "erasure",
        5 Published = "published",
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
    /// What the entry keeps of an envelope that was issued here, or that a peer brought, whatever the verdict on it.
    #[must_use]
    pub fn envelope(&self) -> Option<&EnvelopeMeta> {
        match self {
            Self::Issued(meta) | Self::Received { envelope: Some(meta), .. } => Some(meta),
            _ => None,
        }
    }

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
            Self::Evidence(entry) => entry.kind(),
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
            Self::ReadByPeer { .. } => "read_by_peer",
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
            Self::Rights(entry) => entry.kind(),
            Self::Correction(entry) => entry.kind(),
            Self::Breach(_) => "breach",
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
            | Self::ReadByPeer { handover: id, .. }
            | Self::PackageKept { handover: id, .. } => Some((*id).into()),
            Self::Consent { record, .. } => Some(record.id.into()),
            Self::Evidence(entry) => Some(entry.subject()),
            Self::Rights(entry) => entry.subject(),
            Self::Correction(entry) => Some(entry.subject()),
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
