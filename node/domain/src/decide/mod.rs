//! Decisions: a command, judged by the facts, becomes entries of the journal, or a refusal. Nothing
//! else changes state. The rows that follow from an entry are made by [`crate::fold`], here as in
//! a rebuild, so that the views cannot disagree with the journal.

mod aggregates;
mod alerts;
mod approvals;
mod cards;
mod command;
mod consents;
mod context;
mod corrections;
mod delivery;
mod disk;
mod drafts;
mod duty;
mod erasure;
mod evidence;
mod forget;
mod groups;
mod handovers;
mod holders;
mod holds;
mod offers;
mod origin;
mod overrides;
mod peers;
mod receipts;
mod redact;
mod retention;
mod rights;
mod safeguards;
#[cfg(test)]
mod tests;
mod withdrawals;

pub use approvals::missing_approvals;
pub use command::Command;
pub use context::{Caller, Context, PeerPolicy, Policy, Pseudonyms};
pub use corrections::correctable;
pub use delivery::{Letter, Opened, open};
pub use duty::waits_for_answer;
pub use erasure::may_send;
pub use evidence::{EvidenceCommand, due as evidence_due};
pub use forget::forget;
pub use handovers::{covered, recheck};
pub use holders::held_here;
pub use holds::{HoldScope, is_case_held, is_held};
pub use origin::{Readable, may_read};
pub use peers::joins;
pub use retention::{Target, draft_due, evidence_of};
pub use rights::{RightsCommand, may_see};
pub use safeguards::{Member, SafeguardCommand};
pub use withdrawals::{About, events as known_events};

use crate::{
    digest::Digest,
    entry::{Body, EnvelopeMeta},
    envelope::Envelope,
    fold::{Content, Residue},
    ids::{AlertId, EntryIndex, EnvelopeId, Position},
    refusal::{Code, Refusal},
    society::Society,
};

/// Envelopes that one replay command may name, so that its entry stays one value of the store.
pub const REPLAY_MAX: usize = 1_000;

/// One entry to be written, with its object and what that was parsed from.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// What it records.
    pub body: Body,
    /// Its object.
    pub object: Option<Vec<u8>>,
    /// The object's meaning.
    pub content: Option<Content>,
    /// What takes the place of the objects of earlier entries, which are removed with this one.
    pub residues: Vec<(EntryIndex, Residue)>,
}

/// What the caller is told once the entries are durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An alert is published.
    Alert {
        /// Its id.
        id: AlertId,
        /// Its entry.
        entry: EntryIndex,
        /// Digest of its envelope.
        digest: Digest,
        /// To whom it is on its way.
        recipients: Vec<Society>,
    },
    /// The code on a card came with a wrong answer, or no card has it; that is written down.
    CheckFailed {
        /// Whether no answer is taken for a day.
        locked: bool,
    },
    /// A post on duty may be called.
    Escalated {
        /// Whether it is to be called: this step had not begun before, and is still due.
        call: bool,
    },
    /// A peer's reader may see something of a package that we hold as its origin.
    Reading {
        /// The entry that records it.
        entry: EntryIndex,
        /// What.
        readable: Readable,
    },
    /// An envelope of a peer was judged.
    Received {
        /// Last position that is durable now.
        position: Position,
        /// Running hash there.
        hash: Digest,
        /// Its entry.
        entry: EntryIndex,
        /// Positions rejected of late, for the receipt.
        rejected: Vec<(Position, String)>,
        /// Whether this one took effect.
        accepted: bool,
    },
    /// Envelopes are in a peer's lanes again.
    Replayed {
        /// Its entry.
        entry: EntryIndex,
        /// How many.
        envelopes: u64,
        /// Those withheld, by refusal code.
        withheld: Vec<(EntryIndex, String)>,
    },
    /// It is done; the last entry says so.
    Done {
        /// That entry.
        entry: EntryIndex,
    },
}

/// A decision: what is to be written, and what to say then.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Entries, in their order; empty when all was known already.
    pub entries: Vec<NewEntry>,
    /// The answer.
    pub reply: Reply,
}

/// Decides a command by the facts. Deterministic: equal arguments give equal decisions.
///
/// # Errors
/// The refusal that the caller is to be given; nothing of the command takes effect.
pub fn decide(context: &Context<'_>, command: Command) -> Result<Decision, Refusal> {
    if context.policy.disk_reserved && disk::may_wait(context, &command)? {
        return Err(Refusal::new(Code::DiskFull, "the disk is nearly full; what is left is kept for what cannot wait"));
    }
    match command {
        Command::Begin { epoch } => Ok(peers::begin(context, epoch)),
        Command::RaiseAlert { caller, id, alert } => alerts::raise(context, &caller, id, *alert),
        Command::CancelAlert { caller, entropy, cancel } => alerts::cancel(context, &caller, entropy, cancel),
        Command::DraftAlert { caller, id, alert, source } => drafts::draft(context, &caller, id, &alert, source),
        Command::ApproveDraft { caller, id, digest } => drafts::approve(context, &caller, id, digest),
        Command::PublishDraft { caller, id } => drafts::publish(context, &caller, id),
        Command::DiscardDraft { caller, id } => drafts::discard(context, &caller, id),
        Command::RedactAlert { caller, entropy, id, reason } => redact::redact(context, &caller, entropy, id, reason),
        Command::Escalate { alert, step, post } => duty::escalate(context, alert, step, post),
        Command::EndEscalation { alert, step, outcome, status } => {
            duty::end_escalation(context, alert, step, outcome, status)
        }
        Command::ReleaseOrphan { alert } => duty::release_orphan(context, alert),
        Command::AcknowledgeAlert { caller, entropy, ack } => alerts::acknowledge(context, &caller, entropy, ack),
        Command::Withdraw { caller, about, by, method, scope } => {
            withdrawals::withdraw(context, &caller, about, by, method, scope)
        }
        Command::CaseErased { case, kept } => erasure::erased(context, case, kept),
        Command::RecordConsent { caller, case, record } => consents::record(context, &caller, case, *record),
        Command::OfferHandover { caller, id, case, entropy, draft, package, release_on_acceptance } => {
            let offer = offers::Offering { id, case, draft: *draft, package, release_on_acceptance, entropy };
            offers::offer(context, &caller, entropy, offer)
        }
        Command::Safeguard(command) => safeguards::decide(context, command),
        Command::Rights(command) => rights::decide(context, command),
        Command::Evidence(command) => evidence::decide(context, command),
        Command::AnswerHandover { caller, entropy, id, verdict } => {
            handovers::answer(context, &caller, entropy, id, verdict)
        }
        Command::ReleaseHandover { caller, entropy, id, package, attachment, sections } => {
            let release = handovers::Releasing { id, package, attachment, sections };
            handovers::release(context, &caller, entropy, release)
        }
        Command::ReportHandover { caller, entropy, id, step, note } => {
            handovers::report(context, &caller, entropy, id, step, note)
        }
        Command::ReadPackage { caller, id, sections, purpose } => {
            handovers::read(context, &caller, id, sections, purpose)
        }
        Command::AnswerReading { peer, question } => origin::answer(context, peer, &question),
        Command::Hold { caller, scope, kind, lift, reason } => {
            holds::hold(context, &caller, scope, kind, lift, &reason)
        }
        Command::SuspendPeer { caller, peer, suspended, reason } => {
            holds::suspend(context, &caller, peer, suspended, &reason)
        }
        Command::ReviewPackage { caller, handover } => retention::review(context, &caller, handover),
        Command::Purge { target } => retention::purge(context, target),
        Command::Report { caller, id, step } => aggregates::report(context, &caller, id, step),
        Command::Deliver { peer, lane, position, opened, package } => {
            delivery::deliver(context, peer, lane, position, *opened, package)
        }
        Command::TakeReceipt { peer, receipt, signed } => receipts::take(context, peer, receipt, signed),
        Command::EndWithheld { peer, lane, position } => erasure::end_withheld(context, peer, lane, position),
        Command::EndExpired { peer, lane, position } => receipts::end_expired(context, peer, lane, position),
        Command::TakeBundle { caller, bundle, payload } => peers::take_bundle(context, &caller, *bundle, payload),
        Command::RemovePeer { caller, society } => peers::remove(context, &caller, society),
        Command::Subscribe { caller, entropy, segments } => peers::subscribe(context, &caller, entropy, segments),
        Command::Replay { caller, peer, entries } => peers::replay(context, &caller, peer, entries),
        Command::MeetEpoch { peer, epoch } => peers::meet_epoch(context, peer, epoch),
        Command::AdvanceLane { peer, lane, position, hash } => peers::advance_lane(context, peer, lane, position, hash),
        Command::RecordRefusal { request, code, uncounted, .. } => Ok(refused(context, request, code, None, uncounted)),
    }
}

/// The entry that records a refusal.
#[must_use]
pub fn refused(
    context: &Context<'_>,
    request: &str,
    code: Code,
    subject: Option<EnvelopeId>,
    uncounted: u32,
) -> Decision {
    let body = Body::Refused { request: request.to_owned(), code: code.as_str().to_owned(), subject, uncounted };
    Decision { entries: vec![NewEntry::bare(body)], reply: Reply::Done { entry: context.next } }
}

impl Decision {
    /// Signs an envelope and issues it, and nothing else.
    fn issuing(context: &Context<'_>, envelope: &Envelope, content: Content) -> Self {
        let entry = NewEntry::issued(context, envelope, content);
        Self { entries: vec![entry], reply: Reply::Done { entry: context.next } }
    }
}

impl NewEntry {
    /// Signs an envelope: the entry that issues it.
    fn issued(context: &Context<'_>, envelope: &Envelope, content: Content) -> Self {
        let signed = envelope.sign(context.signer);
        let (subject, basis) = delivery::about(envelope, &content);
        let body = Body::Issued(EnvelopeMeta::of(envelope, &signed, subject, basis));
        Self::with_object(body, signed.to_object(), Some(content))
    }

    /// Digest of the envelope that it issues.
    fn digest(&self) -> Digest {
        match &self.body {
            Body::Issued(meta) => meta.digest,
            _ => Digest::default(),
        }
    }

    /// An entry with its object, and what that was parsed from.
    fn with_object(body: Body, object: Vec<u8>, content: Option<Content>) -> Self {
        Self { body, object: Some(object), content, residues: Vec::new() }
    }

    /// An entry without an object.
    #[must_use]
    pub fn bare(body: Body) -> Self {
        Self { body, object: None, content: None, residues: Vec::new() }
    }
}

impl Command {
    /// The name of the request, for the record of a refusal and for metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Begin { .. } => "begin",
            Self::RaiseAlert { .. } => "raise_alert",
            Self::CancelAlert { .. } => "cancel_alert",
            Self::DraftAlert { .. } => "draft_alert",
            Self::ApproveDraft { .. } => "approve_draft",
            Self::PublishDraft { .. } => "publish_draft",
            Self::DiscardDraft { .. } => "discard_draft",
            Self::RedactAlert { .. } => "redact_alert",
            Self::Escalate { .. } => "escalate",
            Self::EndEscalation { .. } => "end_escalation",
            Self::ReleaseOrphan { .. } => "release_orphan",
            Self::AcknowledgeAlert { .. } => "acknowledge_alert",
            Self::Withdraw { .. } => "withdraw_consent",
            Self::CaseErased { .. } => "case_erased",
            Self::RecordConsent { .. } => "record_consent",
            Self::OfferHandover { .. } => "offer_handover",
            Self::Safeguard(command) => command.name(),
            Self::Rights(command) => command.name(),
            Self::Evidence(command) => command.name(),
            Self::AnswerHandover { .. } => "answer_handover",
            Self::ReleaseHandover { .. } => "release_handover",
            Self::ReportHandover { .. } => "report_handover",
            Self::ReadPackage { .. } => "read_package",
            Self::AnswerReading { .. } => "answer_reading",
            Self::Hold { .. } => "hold",
            Self::SuspendPeer { .. } => "suspend_peer",
            Self::ReviewPackage { .. } => "review_package",
            Self::Purge { .. } => "purge",
            Self::Report { .. } => "report",
            Self::Deliver { .. } => "deliver",
            Self::TakeReceipt { .. } => "take_receipt",
            Self::EndWithheld { .. } => "end_withheld",
            Self::EndExpired { .. } => "end_expired",
            Self::TakeBundle { .. } => "take_bundle",
            Self::RemovePeer { .. } => "remove_peer",
            Self::Subscribe { .. } => "subscribe",
            Self::Replay { .. } => "replay",
            Self::MeetEpoch { .. } => "meet_epoch",
            Self::AdvanceLane { .. } => "advance_lane",
            Self::RecordRefusal { request, .. } => request,
        }
    }

    /// Who is behind it.
    #[must_use]
    pub fn actor(&self) -> crate::entry::Actor {
        use crate::entry::Actor;
        match self {
            Self::RaiseAlert { caller, .. }
            | Self::CancelAlert { caller, .. }
            | Self::DraftAlert { caller, .. }
            | Self::ApproveDraft { caller, .. }
            | Self::PublishDraft { caller, .. }
            | Self::DiscardDraft { caller, .. }
            | Self::RedactAlert { caller, .. }
            | Self::AcknowledgeAlert { caller, .. }
            | Self::RecordConsent { caller, .. }
            | Self::Withdraw { caller, .. }
            | Self::OfferHandover { caller, .. }
            | Self::AnswerHandover { caller, .. }
            | Self::ReleaseHandover { caller, .. }
            | Self::ReportHandover { caller, .. }
            | Self::ReadPackage { caller, .. }
            | Self::Hold { caller, .. }
            | Self::SuspendPeer { caller, .. }
            | Self::ReviewPackage { caller, .. }
            | Self::Report { caller, .. }
            | Self::TakeBundle { caller, .. }
            | Self::RemovePeer { caller, .. }
            | Self::Subscribe { caller, .. }
            | Self::Replay { caller, .. } => caller.actor.clone(),
            Self::AnswerReading { peer, .. }
            | Self::Deliver { peer, .. }
            | Self::TakeReceipt { peer, .. }
            | Self::MeetEpoch { peer, .. }
            | Self::AdvanceLane { peer, .. } => Actor::Peer(*peer),
            Self::Safeguard(command) => command.caller().actor.clone(),
            Self::Rights(command) => command.caller().actor.clone(),
            Self::Evidence(command) => command.caller().actor.clone(),
            Self::RecordRefusal { actor, .. } => actor.clone(),
            Self::Begin { .. }
            | Self::CaseErased { .. }
            | Self::EndWithheld { .. }
            | Self::EndExpired { .. }
            | Self::Escalate { .. }
            | Self::EndEscalation { .. }
            | Self::ReleaseOrphan { .. }
            | Self::Purge { .. } => Actor::System,
        }
    }

    /// What it is about, where that has an id.
    #[must_use]
    pub fn subject(&self) -> Option<EnvelopeId> {
        match self {
            Self::RaiseAlert { id, .. }
            | Self::DraftAlert { id, .. }
            | Self::ApproveDraft { id, .. }
            | Self::PublishDraft { id, .. }
            | Self::DiscardDraft { id, .. }
            | Self::RedactAlert { id, .. }
            | Self::Escalate { alert: id, .. }
            | Self::EndEscalation { alert: id, .. }
            | Self::ReleaseOrphan { alert: id } => Some((*id).into()),
            Self::CancelAlert { cancel, .. } => Some(cancel.alert.into()),
            Self::AcknowledgeAlert { ack, .. } => Some(ack.answer().alert.into()),
            Self::RecordConsent { record, .. } => Some(record.id.into()),
            Self::Safeguard(command) => command.handover().map(Into::into),
            Self::Rights(command) => command.subject(),
            Self::Evidence(command) => Some(command.consent().into()),
            Self::Withdraw { about: About::Handover(id), .. } => Some((*id).into()),
            Self::Withdraw { about: About::Consent(id), .. } => Some((*id).into()),
            Self::OfferHandover { id, .. }
            | Self::AnswerHandover { id, .. }
            | Self::ReleaseHandover { id, .. }
            | Self::ReportHandover { id, .. }
            | Self::ReadPackage { id, .. } => Some((*id).into()),
            Self::AnswerReading { question, .. } => Some(question.handover.into()),
            Self::Hold { scope, .. } => Some(scope.subject()),
            Self::ReviewPackage { handover, .. } => Some((*handover).into()),
            Self::Report { id, .. } => Some((*id).into()),
            _ => None,
        }
    }
}
