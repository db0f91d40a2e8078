//! Purges: what a rule says is due is taken, and the journal says what, by which rule and when. Nothing is purged early,
//! and nothing that a hold is over.

use super::{
    Caller, Context, Decision, NewEntry, Reply, delivery, erasure, evidence, forget,
    holds::{self, HoldScope},
};
use crate::{
    alert::Alert,
    catalogue::Role,
    consent::{ConsentRecord, EvidenceEntry},
    entry::{Body, DraftEnd, EnvelopeMeta, FORGET_MAX, ForgetReason, Verdict},
    envelope::Kind,
    handover::State,
    ids::{AlertId, ConsentId, EntryIndex, HandoverId, RequestId},
    refusal::{Code, Refusal},
    retention::{Due, Rule, alert_due, consent_due, correction_due, handover_due, object_due, request_due},
    rights::CorrectionEntry,
    rows::DraftRow,
};

/// What a purge is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A handover: its offer, or its package.
    Handover(HandoverId),
    /// The content of an alert.
    Alert(AlertId),
    /// A consent record.
    Consent(ConsentId),
    /// The draft of an alert that nobody published in time.
    Draft(AlertId),
    /// A recording or a signed form.
    ConsentEvidence(ConsentId),
    /// What was said of a request of a person.
    Request(RequestId),
    /// The correction that came with a request.
    Correction(RequestId),
    /// Messages and receipts that these entries name, at most [`FORGET_MAX`].
    Evidence(Vec<EntryIndex>),
}

/// Purges a target.
pub(super) fn purge(context: &Context<'_>, target: Target) -> Result<Decision, Refusal> {
    let (body, forgotten) = match target {
        Target::Handover(id) => handover(context, id)?,
        Target::Alert(id) => alert(context, id)?,
        Target::Consent(id) => consent(context, id)?,
        Target::Draft(id) => draft(context, id)?,
        Target::ConsentEvidence(id) => consent_evidence(context, id)?,
        Target::Request(id) => request(context, id)?,
        Target::Correction(id) => correction(context, id)?,
        Target::Evidence(entries) => receipts_and_letters(context, entries)?,
    };
    let mut entries = vec![NewEntry::bare(body)];
    entries.extend(forget(context, forgotten, ForgetReason::Retention)?);
    Ok(Decision { entries, reply: Reply::Done { entry: context.next } })
}

fn check(context: &Context<'_>, due: Option<Due>, scopes: &[HoldScope]) -> Result<Rule, Refusal> {
    let due = due.filter(|due| due.at <= context.now);
    let due = due.ok_or_else(|| Refusal::new(Code::WrongState, "no rule of retention is due for it"))?;
    if holds::is_held(context.facts, scopes)? {
        return Err(Refusal::new(Code::OnHold, "a hold keeps it from being purged"));
    }
    Ok(due.rule)
}

type Purge = (Body, Vec<EntryIndex>);

fn handover(context: &Context<'_>, id: HandoverId) -> Result<Purge, Refusal> {
    let row = context.facts.handover(id)?;
    let row = row.ok_or_else(|| Refusal::new(Code::UnknownHandover, "this node has no such handover"))?;
    let keeping = context.facts.keeping(id)?;
    let due = handover_due(&row, &keeping, context.own, &context.policy.retention);
    let rule = check(context, due, &holds::scopes_of(id, &row))?;
    let sender = row.from == context.own;
    // The sender goes on following a handover whose copy goes; everybody else is done with it.
    let forgotten = if sender && matches!(rule, Rule::PackageSent | Rule::DeadPayload) {
        // Why an override could not wait is told to nobody once it was reviewed.
        let overriding = context.facts.safeguard(id)?.and_then(|row| row.overriding);
        overriding.filter(|one| one.reviewed.is_some()).map(|one| one.entry).into_iter().collect()
    } else {
        erasure::letters_of(context, id, &row)?.into_iter().collect()
    };
    let case = row.package.map(|package| package.case);
    Ok((Body::Purged { rule, subjects: vec![id.into()], case }, forgotten))
}

fn alert(context: &Context<'_>, id: AlertId) -> Result<Purge, Refusal> {
    let row = context.facts.alert(id)?;
    let row = row.ok_or_else(|| Refusal::new(Code::UnknownAlert, "this node has no such alert"))?;
    let due = match context.facts.object(row.entry)? {
        Some(object) => {
            let alert = Alert::from_cbor(&delivery::envelope_of(&object)?.body)?;
            alert_due(&row, &alert, &context.policy.retention)
        }
        None => None,
    };
    let rule = check(context, due, &[HoldScope::Alert(id)])?;
    let cancel = row.cancelled.map(|(_, entry)| entry);
    Ok((
        Body::Purged { rule, subjects: vec![id.into()], case: None },
        std::iter::once(row.entry).chain(cancel).collect(),
    ))
}

fn consent(context: &Context<'_>, id: ConsentId) -> Result<Purge, Refusal> {
    let row = context.facts.consent(id)?;
    let row = row.ok_or_else(|| Refusal::new(Code::UnknownConsent, "this node has no such consent record"))?;
    let object = context.facts.object(row.entry)?;
    let record = object.map(|object| ConsentRecord::from_cbor(&object)).transpose()?;
    let due = record.map(|record| consent_due(&record, &context.policy.retention));
    let rule = check(context, due, &[HoldScope::Consent(id), HoldScope::Case(row.case)])?;
    let versions = row.earlier.into_iter().chain([row.entry]).collect();
    Ok((Body::Purged { rule, subjects: vec![id.into()], case: Some(row.case) }, versions))
}

/// A draft whose time is over can no longer be published: it ends, and what it says is forgotten.
fn draft(context: &Context<'_>, id: AlertId) -> Result<Purge, Refusal> {
    let row = context.facts.draft(id)?;
    let row = row.ok_or_else(|| Refusal::new(Code::UnknownDraft, "this node has no such draft"))?;
    check(context, draft_due(context, &row)?, &[HoldScope::Alert(id)])?;
    Ok((Body::DraftEnded { id, end: DraftEnd::Expired }, vec![row.entry]))
}

/// When a draft ends by itself; never, once it has ended otherwise.
///
/// # Errors
/// `store_failed`, or what is wrong with the draft.
pub fn draft_due(context: &Context<'_>, row: &DraftRow) -> Result<Option<Due>, Refusal> {
    let Some(object) = context.facts.object(row.entry)?.filter(|_| row.ended.is_none()) else { return Ok(None) };
    Ok(Some(Due { rule: Rule::DeadPayload, at: Alert::from_cbor(&object)?.expires_at }))
}

fn request(context: &Context<'_>, id: RequestId) -> Result<Purge, Refusal> {
    let row = context.facts.request(id)?;
    let row = row.ok_or_else(|| Refusal::new(Code::UnknownRequest, "this node has no such request"))?;
    let rule = check(context, request_due(&row, &context.policy.retention), &[])?;
    Ok((Body::Purged { rule, subjects: vec![id.into()], case: None }, row.said))
}

fn correction(context: &Context<'_>, id: RequestId) -> Result<Purge, Refusal> {
    let row = context.facts.correction(id)?;
    let row = row.ok_or_else(|| Refusal::new(Code::UnknownRequest, "this node has no such correction"))?;
    let request = context.facts.request(id)?;
    check(context, correction_due(&row, request.as_ref(), &context.policy.retention), &[])?;
    Ok((Body::Correction(CorrectionEntry::Destroyed { request: id }), Vec::new()))
}

fn consent_evidence(context: &Context<'_>, id: ConsentId) -> Result<Purge, Refusal> {
    let none = || Refusal::new(Code::PackageAbsent, "no evidence of this consent is kept here");
    let (due, scopes) = evidence::due(context, id)?.ok_or_else(none)?;
    check(context, Some(due), &scopes)?;
    let body = Body::Evidence(EvidenceEntry::Destroyed { consent: id, reason: ForgetReason::Retention });
    Ok((body, Vec::new()))
}

fn receipts_and_letters(context: &Context<'_>, entries: Vec<EntryIndex>) -> Result<Purge, Refusal> {
    if entries.is_empty() || entries.len() > FORGET_MAX {
        return Err(Refusal::new(Code::TooMany, format!("one purge names 1 to {FORGET_MAX} entries")));
    }
    for index in &entries {
        if evidence_of(context, *index)?.is_none_or(|due| due.at > context.now) {
            return Err(Refusal::new(Code::WrongState, format!("no rule of retention is due for entry {index}")));
        }
    }
    Ok((Body::Purged { rule: Rule::Evidence, subjects: Vec::new(), case: None }, entries))
}

/// When the rule of evidence takes what an entry names; absent when it is the business of another rule, when it is held,
/// or when the node still needs it.
///
/// # Errors
/// `store_failed`.
pub fn evidence_of(context: &Context<'_>, index: EntryIndex) -> Result<Option<Due>, Refusal> {
    let Some(entry) = context.facts.entry(index)? else { return Ok(None) };
    let meta: Option<&EnvelopeMeta> = match &entry.body {
        Body::Receipted { .. } => None,
        Body::OverrideRequested { handover, .. } => {
            let row = context.facts.handover(*handover)?;
            let free = match row.filter(|row| row.state.has_ended()) {
                Some(row) => !holds::is_held(context.facts, &holds::scopes_of(*handover, &row))?,
                None => false,
            };
            return Ok(free.then(|| object_due(entry.time, &context.policy.retention)));
        }
        Body::Issued(meta) => Some(meta),
        Body::Received { envelope: Some(meta), verdict: Verdict::Accepted, .. } => Some(meta),
        _ => return Ok(None),
    };
    if let Some(meta) = meta {
        let Some(subject) = meta.subject else { return Ok(None) };
        match meta.kind {
            Kind::AlertAck | Kind::AlertCancel => {
                if holds::is_held(context.facts, &[HoldScope::Alert(subject.into())])? {
                    return Ok(None);
                }
            }
            Kind::HandoverOffer | Kind::HandoverAnswer | Kind::HandoverStep => {
                let id = HandoverId::from(subject);
                let Some(row) = context.facts.handover(id)? else { return Ok(None) };
                if !row.state.has_ended() || holds::is_held(context.facts, &holds::scopes_of(id, &row))? {
                    return Ok(None);
                }
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(object_due(entry.time, &context.policy.retention)))
}

/// Keeps a received package of a completed handover for another period; once.
pub(super) fn review(context: &Context<'_>, caller: &Caller, id: HandoverId) -> Result<Decision, Refusal> {
    caller.require(&[Role::Supervisor, Role::Dpo])?;
    let row = context.facts.handover(id)?;
    let row = row.ok_or_else(|| Refusal::new(Code::UnknownHandover, "this node has no such handover"))?;
    if row.package.is_none() {
        return Err(Refusal::new(Code::PackageAbsent, "this node has no package of the handover"));
    }
    if row.from == context.own || row.state != State::Completed {
        return Err(Refusal::new(Code::WrongState, "a received package is reviewed once its handover is completed"));
    }
    if context.facts.keeping(id)?.reviewed_at.is_some() {
        return Err(Refusal::new(Code::WrongState, "a package is reviewed once; then it goes"));
    }
    let body = Body::Reviewed { handover: id };
    Ok(Decision { entries: vec![NewEntry::bare(body)], reply: Reply::Done { entry: context.next } })
}
