//! The bodies of entries: every kind of thing that a journal records.

use minicbor::{Decode, Encode};

use crate::{
    aggregate::{ReportId, ReportStep},
    catalogue::{Role, StopReason, VitalReason},
    consent::{ConsentRef, EvidenceEntry},
    digest::Digest,
    envelope::Lane,
    handover::{OverrideStep, Proposal, Stage},
    ids::{AlertId, CaseId, ConsentId, EntryIndex, EnvelopeId, Epoch, HandoverId, Position},
    retention::{HoldKind, Rule},
    rights::{Breach, CorrectionEntry, RightsEntry},
    society::Society,
};

use super::{DraftEnd, DraftSource, EnvelopeMeta, ForgetReason, HookOutcome, Owed, PackageRef, PeerChange, Verdict};

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
    /// A step of a card, or of a request of a person.
    #[n(40)]
    Rights(#[n(0)] RightsEntry),
    /// What is known of a breach of personal data.
    #[n(41)]
    Breach(#[n(0)] Breach),
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
    /// A peer read, over the link, what we hold as the origin.
    #[n(39)]
    ReadByPeer {
        /// The handover whose package it was.
        #[n(0)]
        handover: HandoverId,
        /// The peer.
        #[n(1)]
        peer: Society,
        /// The reader's roles there, as its node vouches for them.
        #[n(2)]
        roles: Vec<Role>,
        /// Codes of the sections read.
        #[n(3)]
        sections: Vec<String>,
        /// Why, as a purpose code.
        #[n(4)]
        purpose: String,
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
    /// A step of putting a package right.
    #[n(42)]
    Correction(#[n(0)] CorrectionEntry),
    /// A step of the evidence of a consent.
    #[n(25)]
    Evidence(#[n(0)] EvidenceEntry),
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
