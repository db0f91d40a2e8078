//! Consent records: kept, and found again for a case.

use crate::{
    catalogue::Role,
    consent::{ConsentRecord, ConsentRef},
    entry::Body,
    fold::Content,
    ids::{CaseId, ConsentId},
    limits::{CONSENT_VERSIONS_MAX, CONSENTS_A_CASE_MAX},
    refusal::{Code, Refusal},
};

use super::{Caller, Context, Decision, NewEntry, Reply};

/// Records a consent.
pub(super) fn record(
    context: &Context<'_>,
    caller: &Caller,
    case: CaseId,
    record: ConsentRecord,
) -> Result<Decision, Refusal> {
    caller.require(&[Role::Caseworker, Role::Supervisor, Role::RflOfficer, Role::CpOfficer])?;
    let reference = record.reference();
    if let Some(row) = context.facts.case(case)? {
        if row.due.is_some() {
            return Err(Refusal::new(Code::Withdrawn, "the case is erased, or about to be").at("case"));
        }
        if row.consents.len() >= CONSENTS_A_CASE_MAX && !row.consents.contains(&reference.id) {
            let message = format!("a case has at most {CONSENTS_A_CASE_MAX} consent records");
            return Err(Refusal::new(Code::TooMany, message));
        }
    }
    if record.subject != context.pseudonyms.own(case) {
        return Err(Refusal::new(Code::ConsentIntegrity, "the record's subject is not the case"));
    }
    if let Some(row) = context.facts.consent(reference.id)? {
        if row.record == reference && row.case == case {
            return Ok(Decision { entries: Vec::new(), reply: Reply::Done { entry: row.entry } });
        }
        if row.case != case || reference.version <= row.record.version {
            let message = "a consent record with this id, and this or a newer version, exists";
            return Err(Refusal::new(Code::DuplicateId, message).at("id"));
        }
        if row.earlier.len() + 1 >= CONSENT_VERSIONS_MAX {
            let message = format!("a consent record has at most {CONSENT_VERSIONS_MAX} versions; record a new one");
            return Err(Refusal::new(Code::TooMany, message).at("id"));
        }
    }
    same_age_or_assessed(context, caller, case, &record)?;
    let object = record.to_cbor().to_vec();
    let body = Body::Consent { case, record: reference };
    let entry = NewEntry::with_object(body, object, Some(Content::Consent(Box::new(record))));
    Ok(Decision { entries: vec![entry], reply: Reply::Done { entry: context.next } })
}

/// The age of a person, once recorded, is changed by trained people alone: an unknown one above all.
fn same_age_or_assessed(
    context: &Context<'_>,
    caller: &Caller,
    case: CaseId,
    record: &ConsentRecord,
) -> Result<(), Refusal> {
    let trained = [Role::CpOfficer, Role::Medical].iter().any(|role| caller.roles.contains(role));
    match context.facts.case_age(case)? {
        Some(row) if row.band != record.age_band && !trained => {
            let message = format!("the age of this person was recorded as {}; an assessment changes it", row.band);
            Err(Refusal::new(Code::AgeDisputed, message).at("age_band"))
        }
        _ => Ok(()),
    }
}

/// Refuses to go on as if nobody had asked a person who was asked: a no is not passed over by leaving it out.
///
/// # Errors
/// `override_refused` when the case has a consent record; `withdrawn` when it is erased or about to be.
pub(super) fn never_asked(context: &Context<'_>, case: CaseId) -> Result<(), Refusal> {
    let row = context.facts.case(case)?.unwrap_or_default();
    if row.due.is_some() {
        return Err(Refusal::new(Code::Withdrawn, "the case is erased, or about to be").at("case"));
    }
    for consent in row.consents {
        if context.facts.consent(consent)?.is_some() {
            let message = "the person of this case was asked; name the consent record, whatever it says";
            return Err(Refusal::new(Code::OverrideRefused, message).at("consent"));
        }
    }
    Ok(())
}

/// The record that a handover of a case rests on; none where the person could not be asked.
pub(super) fn of_handover(
    context: &Context<'_>,
    consent: ConsentRef,
    case: CaseId,
) -> Result<Option<ConsentRecord>, Refusal> {
    if consent.is_none() {
        never_asked(context, case)?;
        return Ok(None);
    }
    of_case(context, Some(consent.id), case).map(Some)
}

/// The record that a case relies on.
pub(super) fn of_case(context: &Context<'_>, id: Option<ConsentId>, case: CaseId) -> Result<ConsentRecord, Refusal> {
    let missing =
        || Refusal::new(Code::UnknownConsent, "name the consent record that the handover rests on").at("consent");
    let row = context.facts.consent(id.ok_or_else(missing)?)?;
    let row =
        row.ok_or_else(|| Refusal::new(Code::UnknownConsent, "this node has no such consent record").at("consent"))?;
    if row.case != case {
        return Err(Refusal::new(Code::ConsentIntegrity, "the consent record belongs to another case").at("consent"));
    }
    let object = context.facts.object(row.entry)?;
    let object =
        object.ok_or_else(|| Refusal::new(Code::UnknownConsent, "the consent record was erased").at("consent"))?;
    ConsentRecord::from_cbor(&object)
}
