//! Commands: what operators, peers and the node itself ask. Each is decided in a room of its own beside this one.

use crate::{
    aggregate::ReportStep,
    alert::{Alert, AlertAck, AlertCancel},
    bundle::Bundle,
    catalogue::{CollectionMethod, Purpose, RedactReason, Section, Segment},
    consent::{Actor as ConsentActor, ConsentRecord, Scope},
    digest::Digest,
    entry::{DraftSource, HookOutcome, PackageRef},
    envelope::{Attachment, Lane},
    handover::{HandoverDraft, Note, Question, Step, Verdict},
    ids::{AlertId, CaseId, EntryIndex, Epoch, HandoverId, IdEntropy, Position, ReportId},
    receipt::{Receipt, SignedReceipt},
    refusal::{Code, Refusal},
    retention::HoldKind,
    society::Society,
};

use super::{About, Caller, EvidenceCommand, HoldScope, Opened, RightsCommand, SafeguardCommand, Target};

/// What somebody asks of the node.
#[derive(Clone, Debug)]
pub enum Command {
    /// The first command of a new store.
    Begin {
        /// This life of the store.
        epoch: Epoch,
    },
    /// Publishes an alert, or an update of earlier ones.
    RaiseAlert {
        /// Who asks.
        caller: Caller,
        /// The alert's id: the same with the same content is answered the same.
        id: AlertId,
        /// What it says.
        alert: Box<Alert>,
    },
    /// Cancels an alert of ours.
    CancelAlert {
        /// Who asks.
        caller: Caller,
        /// Entropy for the envelope's id.
        entropy: IdEntropy,
        /// Which, and why.
        cancel: AlertCancel,
    },
    /// Drafts an alert, or drafts it anew; it goes nowhere.
    DraftAlert {
        /// Who asks.
        caller: Caller,
        /// The id that the alert will have.
        id: AlertId,
        /// What it says.
        alert: Box<Alert>,
        /// Where it comes from.
        source: DraftSource,
    },
    /// Approves a draft of another person.
    ApproveDraft {
        /// Who asks.
        caller: Caller,
        /// The draft.
        id: AlertId,
        /// SHA-256 of the draft that the person has read, if they say so.
        digest: Option<Digest>,
    },
    /// Publishes a draft that is ready.
    PublishDraft {
        /// Who asks.
        caller: Caller,
        /// The draft.
        id: AlertId,
    },
    /// Gives a draft up.
    DiscardDraft {
        /// Who asks.
        caller: Caller,
        /// The draft.
        id: AlertId,
    },
    /// Erases what an alert of ours says, here and at every holder.
    RedactAlert {
        /// Who asks.
        caller: Caller,
        /// Entropy for the envelope's id.
        entropy: IdEntropy,
        /// Which.
        id: AlertId,
        /// Why.
        reason: RedactReason,
    },
    /// The next post on duty is to be called, for an alert that nobody here has acknowledged in time.
    Escalate {
        /// The alert.
        alert: AlertId,
        /// Which call it is, from 1.
        step: u32,
        /// The post.
        post: String,
    },
    /// What became of calling a post on duty.
    EndEscalation {
        /// The alert.
        alert: AlertId,
        /// Which call it was.
        step: u32,
        /// What became of it.
        outcome: HookOutcome,
        /// Exit status of the command, where it had one.
        status: Option<i32>,
    },
    /// An update has waited long enough for what it supersedes.
    ReleaseOrphan {
        /// The update.
        alert: AlertId,
    },
    /// Answers a peer's alert.
    AcknowledgeAlert {
        /// Who asks.
        caller: Caller,
        /// Entropy for the envelope's id.
        entropy: IdEntropy,
        /// Which, and how.
        ack: AlertAck,
    },
    /// Records a consent.
    RecordConsent {
        /// Who asks.
        caller: Caller,
        /// The local case.
        case: CaseId,
        /// The record.
        record: Box<ConsentRecord>,
    },
    /// Takes a consent back, in whole or in part.
    Withdraw {
        /// Who asks.
        caller: Caller,
        /// Of what.
        about: About,
        /// Who takes it back: the person, or a representative.
        by: ConsentActor,
        /// How it was expressed.
        method: Option<CollectionMethod>,
        /// Which part; the whole when there is none.
        scope: Option<Scope>,
    },
    /// A case that was to be erased is erased: its key is destroyed and its files are removed. Or a hold kept it.
    CaseErased {
        /// The case.
        case: CaseId,
        /// Whether a hold kept it, so that nothing of it is gone.
        kept: bool,
    },
    /// Offers a handover.
    OfferHandover {
        /// Who asks.
        caller: Caller,
        /// The handover's id.
        id: HandoverId,
        /// The local case.
        case: CaseId,
        /// Entropy for the envelope's id.
        entropy: IdEntropy,
        /// What is drafted.
        draft: Box<HandoverDraft>,
        /// The package that waits in the vault, where it was given with the offer.
        package: Option<PackageRef>,
        /// Whether to release as soon as it is accepted.
        release_on_acceptance: bool,
    },
    /// What others approve, what overrides consent, and who stays together.
    Safeguard(SafeguardCommand),
    /// Cards, requests of persons, and breaches.
    Rights(RightsCommand),
    /// Keeps evidence of a consent, or has it read.
    Evidence(EvidenceCommand),
    /// Answers an offer.
    AnswerHandover {
        /// Who asks.
        caller: Caller,
        /// Entropy for the envelope's id.
        entropy: IdEntropy,
        /// The handover.
        id: HandoverId,
        /// Yes or no.
        verdict: Verdict,
    },
    /// Releases the package of an accepted handover.
    ReleaseHandover {
        /// Who asks.
        caller: Caller,
        /// Entropy for the envelope's id.
        entropy: IdEntropy,
        /// The handover.
        id: HandoverId,
        /// The package, as it lies in the vault.
        package: PackageRef,
        /// The sealed bytes that travel; none when the package stays here.
        attachment: Option<Attachment>,
        /// The sections in it.
        sections: Vec<Section>,
    },
    /// Reports a later step of a handover.
    ReportHandover {
        /// Who asks.
        caller: Caller,
        /// Entropy for the envelope's id.
        entropy: IdEntropy,
        /// The handover.
        id: HandoverId,
        /// The step.
        step: Step,
        /// A short note that identifies nobody.
        note: Option<Note>,
    },
    /// Records that somebody reads a package, before they do.
    ReadPackage {
        /// Who asks.
        caller: Caller,
        /// The handover.
        id: HandoverId,
        /// The sections.
        sections: Vec<Section>,
        /// Why.
        purpose: Purpose,
    },
    /// A peer asks to read a package that we hold as its origin; recorded before it is answered.
    AnswerReading {
        /// The peer.
        peer: Society,
        /// What it asks.
        question: Box<Question>,
    },
    /// Places a hold over something, or lifts it.
    Hold {
        /// Who asks.
        caller: Caller,
        /// Over what.
        scope: HoldScope,
        /// What the hold does.
        kind: HoldKind,
        /// Whether it is to be lifted.
        lift: bool,
        /// Why.
        reason: Note,
    },
    /// Suspends the exchange of cases with a peer, or resumes it.
    SuspendPeer {
        /// Who asks.
        caller: Caller,
        /// The peer.
        peer: Society,
        /// Whether it is to be suspended.
        suspended: bool,
        /// Why.
        reason: Note,
    },
    /// Keeps a received package for another period, once.
    ReviewPackage {
        /// Who asks.
        caller: Caller,
        /// The handover.
        handover: HandoverId,
    },
    /// Purges what a rule of retention says is due.
    Purge {
        /// What.
        target: Target,
    },
    /// A step of an aggregate report.
    Report {
        /// Who asks.
        caller: Caller,
        /// The report.
        id: ReportId,
        /// The step.
        step: ReportStep,
    },
    /// An envelope of a peer has arrived.
    Deliver {
        /// The peer.
        peer: Society,
        /// The lane.
        lane: Lane,
        /// Its place there.
        position: Position,
        /// What it turned out to be.
        opened: Box<Opened>,
        /// The package that came with it, as it lies in the vault now, or why it could not.
        package: Option<Result<PackageRef, Refusal>>,
    },
    /// A verified receipt of a peer has arrived.
    TakeReceipt {
        /// The peer.
        peer: Society,
        /// What it says.
        receipt: Receipt,
        /// The exact bytes, as evidence.
        signed: SignedReceipt,
    },
    /// What the envelope at a position rests on does not cover it any more: it is not sent.
    EndWithheld {
        /// The peer.
        peer: Society,
        /// The lane.
        lane: Lane,
        /// Its place there.
        position: Position,
    },
    /// Envelopes that expired before they were delivered: their delivery ends.
    EndExpired {
        /// The peer.
        peer: Society,
        /// The lane.
        lane: Lane,
        /// The place there.
        position: Position,
    },
    /// A peer's bundle is to be taken.
    TakeBundle {
        /// Who asks; the node itself when it reads its folder of bundles.
        caller: Caller,
        /// The bundle, its signature verified.
        bundle: Box<Bundle>,
        /// Its payload, as evidence.
        payload: Vec<u8>,
    },
    /// A peer is to be one no more.
    RemovePeer {
        /// Who asks.
        caller: Caller,
        /// The peer.
        society: Society,
    },
    /// Our Society wants alerts of these segments, or everything.
    Subscribe {
        /// Who asks.
        caller: Caller,
        /// Entropy for the envelope's id.
        entropy: IdEntropy,
        /// The segments; absent means everything.
        segments: Option<Vec<Segment>>,
    },
    /// Puts envelopes into a peer's lanes again.
    Replay {
        /// Who asks.
        caller: Caller,
        /// The peer.
        peer: Society,
        /// Entries that issued them, at most [`REPLAY_MAX`].
        entries: Vec<EntryIndex>,
    },
    /// A peer's Hello told of another life of its store.
    MeetEpoch {
        /// The peer.
        peer: Society,
        /// The life.
        epoch: Epoch,
    },
    /// A peer holds more of a lane than we remember: our store was restored.
    AdvanceLane {
        /// The peer.
        peer: Society,
        /// The lane.
        lane: Lane,
        /// Last position that the peer holds.
        position: Position,
        /// Running hash there.
        hash: Digest,
    },
    /// A refusal that was given outside the engine is to be recorded.
    RecordRefusal {
        /// Who was refused.
        actor: crate::entry::Actor,
        /// What they asked.
        request: &'static str,
        /// The code.
        code: Code,
        /// How many more like it were counted and not recorded.
        uncounted: u32,
    },
}
