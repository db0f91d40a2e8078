//! Evidence of consents: kept under a key of its own, read by few and for little, destroyed with the consent.

use crate::{
    catalogue::Role,
    consent::{ConsentRecord, EvidenceEntry, EvidenceKind, EvidenceUse},
    digest::Digest,
    entry::{Body, ForgetReason, PackageRef},
    ids::ConsentId,
    limits::EVIDENCE_PIECES_MAX,
    refusal::{Code, Refusal},
    retention::{Due, evidence_due},
    time::Time,
};

use super::{Caller, Context, Decision, HoldScope, NewEntry, Reply, approvals};

/// What is asked about evidence.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each field is the type that it has; `caller` is who asks")]
pub enum EvidenceCommand {
    /// Records that a piece of evidence of a consent lies in the vault.
    Keep { caller: Caller, consent: ConsentId, place: PackageRef, digest: Digest, kind: EvidenceKind },
    /// Records that evidence is read, before it is.
    Read { caller: Caller, consent: ConsentId, purpose: EvidenceUse },
}

impl From<EvidenceCommand> for super::Command {
    fn from(command: EvidenceCommand) -> Self {
        Self::Evidence(command)
    }
}

impl EvidenceCommand {
    /// The name of the request, for the record of a refusal and for metrics.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Keep { .. } => "keep_evidence",
            Self::Read { .. } => "read_evidence",
        }
    }

    /// Who asks.
    pub(super) fn caller(&self) -> &Caller {
        match self {
            Self::Keep { caller, .. } | Self::Read { caller, .. } => caller,
        }
    }

    /// Of which record.
    pub(super) fn consent(&self) -> ConsentId {
        match self {
            Self::Keep { consent, .. } | Self::Read { consent, .. } => *consent,
        }
    }
}

pub(super) fn decide(context: &Context<'_>, command: EvidenceCommand) -> Result<Decision, Refusal> {
    match command {
        EvidenceCommand::Keep { caller, consent, place, digest, kind } => {
            keep(context, &caller, consent, place, digest, kind)
        }
        EvidenceCommand::Read { caller, consent, purpose } => read(context, &caller, consent, purpose),
    }
}

fn done(context: &Context<'_>, entry: EvidenceEntry) -> Decision {
    let entries = vec![NewEntry::bare(Body::Evidence(entry))];
    Decision { entries, reply: Reply::Done { entry: context.next } }
}

fn unknown() -> Refusal {
    Refusal::new(Code::UnknownConsent, "this node has no such consent record").at("consent_id")
}

/// The record of a consent of this node, if it is still there.
fn record_of(context: &Context<'_>, consent: ConsentId) -> Result<Option<ConsentRecord>, Refusal> {
    let row = context.facts.consent(consent)?.ok_or_else(unknown)?;
    context.facts.object(row.entry)?.map(|object| ConsentRecord::from_cbor(&object)).transpose()
}

fn keep(
    context: &Context<'_>,
    caller: &Caller,
    consent: ConsentId,
    place: PackageRef,
    digest: Digest,
    kind: EvidenceKind,
) -> Result<Decision, Refusal> {
    caller.require(&[Role::Caseworker, Role::Supervisor, Role::RflOfficer, Role::CpOfficer])?;
    let gone = || Refusal::new(Code::UnknownConsent, "the consent record was erased").at("consent_id");
    let record = record_of(context, consent)?.ok_or_else(gone)?;
    if record.evidence != Some(digest) {
        let message = "the record names other evidence, or none; record a new version that names this";
        return Err(Refusal::new(Code::ConsentIntegrity, message).at("content"));
    }
    let case = context.facts.consent(consent)?.map(|row| row.case);
    let case = case.map(|case| context.facts.case(case)).transpose()?.flatten();
    let row = context.facts.evidence(consent)?.unwrap_or_default();
    if case.is_some_and(|case| case.due.is_some())
        || row.destroyed.is_some()
        || withdrawn_at(context, consent)?.is_some()
    {
        return Err(Refusal::new(Code::Withdrawn, "the consent has ended, and what proves it goes with it"));
    }
    if let Some(piece) = row.pieces.iter().find(|piece| piece.digest == digest) {
        return Ok(Decision { entries: Vec::new(), reply: Reply::Done { entry: piece.entry } });
    }
    if row.pieces.len() >= EVIDENCE_PIECES_MAX {
        let message = format!("a consent record has at most {EVIDENCE_PIECES_MAX} pieces of evidence");
        return Err(Refusal::new(Code::TooMany, message));
    }
    Ok(done(context, EvidenceEntry::Kept { consent, evidence: place, digest, kind }))
}

fn read(context: &Context<'_>, caller: &Caller, consent: ConsentId, purpose: EvidenceUse) -> Result<Decision, Refusal> {
    approvals::person(caller)?;
    caller.require(&[Role::Dpo, Role::Supervisor])?;
    context.facts.consent(consent)?.ok_or_else(unknown)?;
    let row = context.facts.evidence(consent)?.unwrap_or_default();
    if row.pieces.is_empty() || row.destroyed.is_some() {
        return Err(Refusal::new(Code::PackageAbsent, "no evidence of this consent is kept here").at("consent_id"));
    }
    Ok(done(context, EvidenceEntry::Read { consent, purpose }))
}

/// When the whole of a consent was taken back, as far as is known here.
fn withdrawn_at(context: &Context<'_>, consent: ConsentId) -> Result<Option<Time>, Refusal> {
    let uses = context.facts.uses(consent)?.unwrap_or_default();
    let Some(known) = uses.events.iter().find(|known| known.whole && known.proven) else { return Ok(None) };
    Ok(context.facts.entry(known.entry)?.map(|entry| entry.time))
}

/// When the evidence of a consent is destroyed, and what a hold that keeps it may be over; none when there is none.
///
/// # Errors
/// `store_failed`, or what is wrong with the record.
pub fn due(context: &Context<'_>, consent: ConsentId) -> Result<Option<(Due, Vec<HoldScope>)>, Refusal> {
    let row = context.facts.evidence(consent)?.unwrap_or_default();
    if row.pieces.is_empty() || row.destroyed.is_some() {
        return Ok(None);
    }
    let case = context.facts.consent(consent)?.map(|row| row.case);
    let due =
        evidence_due(record_of(context, consent)?.as_ref(), withdrawn_at(context, consent)?, &context.policy.retention);
    let mut scopes = vec![HoldScope::Consent(consent)];
    scopes.extend(case.map(HoldScope::Case));
    Ok(Some((due, scopes)))
}

/// The entry that says that the evidence of a consent is destroyed, if there is any.
pub(super) fn destroyed(
    context: &Context<'_>,
    consent: ConsentId,
    reason: ForgetReason,
) -> Result<Option<NewEntry>, Refusal> {
    let row = context.facts.evidence(consent)?.unwrap_or_default();
    let there = !row.pieces.is_empty() && row.destroyed.is_none();
    Ok(there.then(|| NewEntry::bare(Body::Evidence(EvidenceEntry::Destroyed { consent, reason }))))
}
