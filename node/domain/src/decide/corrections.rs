//! Corrections: what a person asks to be put right, applied to packages of this node by somebody who may see the sections, and
//! passed on to those who have them from here.

use crate::{
    catalogue::{Right, Role, Section},
    entry::Body,
    envelope::Attachment,
    handover::Gate,
    ids::{CaseId, HandoverId, RequestId},
    limits::CORRECTIONS_MAX,
    refusal::{Code, Refusal},
    rights::{Carried, Corrected, CorrectionEntry, News, Outcome, RequestRow, SubjectRequest, correction::key_of},
    society::Society,
};

use super::{Caller, Context, Decision, NewEntry, Reply, approvals, handovers, holders, holds, rights, withdrawals};

/// Checks that a correction goes with its request: with the right to rectification alone, and where the card is from.
pub(super) fn check_carried(
    context: &Context<'_>,
    request: &SubjectRequest,
    correction: Option<Carried>,
) -> Result<(), Refusal> {
    let Some(correction) = correction else { return Ok(()) };
    if request.right != Right::Rectification {
        let message = "only a request for rectification says what is to be put right";
        return Err(Refusal::new(Code::Malformed, message).at("correction"));
    }
    let fits = match correction {
        Carried::Here(place) => request.card_of == context.own && place.case == key_of(request.id),
        Carried::Sealed(_) => request.card_of != context.own,
    };
    if fits { Ok(()) } else { Err(Refusal::new(Code::Malformed, "a correction goes to the Society of the card")) }
}

/// The case that a request is about at this node, by the handover through which it came or by the card.
fn case_of(context: &Context<'_>, row: &RequestRow) -> Result<Option<CaseId>, Refusal> {
    let through = row.holders.iter().find(|holder| holder.society == context.own);
    let handover = match through.and_then(|holder| holder.handover) {
        Some(handover) => Some(handover),
        None => context.facts.card(&row.request.code)?.and_then(|card| card.made).map(|(handover, _)| handover),
    };
    Ok(handover.map(|id| context.facts.handover(id)).transpose()?.flatten().and_then(|row| row.case))
}

/// Handovers of the case of a request whose package lies here, and those by which others have something of it from here.
///
/// # Errors
/// `store_failed`.
pub fn correctable(context: &Context<'_>, row: &RequestRow) -> Result<(Vec<HandoverId>, Vec<HandoverId>), Refusal> {
    let (mut here, mut onward) = (Vec::new(), Vec::new());
    let Some(case) = case_of(context, row)? else { return Ok((here, onward)) };
    for id in context.facts.case(case)?.unwrap_or_default().handovers {
        let Some(handover) = context.facts.handover(id)? else { continue };
        if handover.package.is_some() {
            here.push(id);
        }
        // What stays at its origin is put right there.
        let has_it = !handover.sections.is_empty() && handover.held_at_origin.is_none();
        if handover.from == context.own && has_it && holders::has_left(&handover) {
            onward.push(id);
        }
    }
    Ok((here, onward))
}

/// Applies a correction, tells who asked that it is done, and passes it on.
pub(super) fn correct(
    context: &Context<'_>,
    caller: &Caller,
    id: RequestId,
    corrected: Vec<Corrected>,
    onward: Vec<(HandoverId, Attachment)>,
) -> Result<Decision, Refusal> {
    approvals::person(caller)?;
    caller.require(&[Role::Caseworker, Role::Supervisor, Role::Dpo])?;
    let row = rights::visible(context, caller, id)?;
    let correction = context.facts.correction(id)?.unwrap_or_default();
    if let Some(entry) = correction.applied {
        return Ok(Decision { entries: Vec::new(), reply: Reply::Done { entry } });
    }
    if correction.kept.is_none() || correction.destroyed.is_some() {
        return Err(Refusal::new(Code::PackageAbsent, "nothing came with this request that could be applied").at("id"));
    }
    let case = case_of(context, &row)?;
    let mut entries = Vec::new();
    for one in corrected {
        let handover = handovers::known(context, one.handover)?;
        if handover.case != case || handover.package.is_none() || Some(one.package.case) != case {
            return Err(Refusal::new(Code::WrongState, "the handover is not of the case of this request"));
        }
        if handover.earlier.len() >= CORRECTIONS_MAX {
            return Err(Refusal::new(Code::TooMany, format!("a package is put right at most {CORRECTIONS_MAX} times")));
        }
        withdrawals::check_in_use(context, one.handover, &handover)?;
        holds::check_not_frozen(context, one.handover, &handover)?;
        for section in &one.sections {
            // At a recipient, what was not released is no part of the package, and no correction makes it one.
            if handover.to == context.own && !handover.sections.iter().any(|code| code == section.as_str()) {
                let message = format!("the section {section} was not released to this Society");
                return Err(Refusal::new(Code::ConsentMissing, message));
            }
            if !section.sealed_for().is_empty() {
                caller.require(section.sealed_for())?;
            }
        }
        let sections = one.sections.iter().map(|section: &Section| section.as_str().to_owned()).collect();
        let (handover, package) = (one.handover, one.package);
        let applied = CorrectionEntry::Applied { request: id, handover, package, sections };
        entries.push(NewEntry::bare(Body::Correction(applied)));
    }
    entries.extend(rights::answers(context, &row, Outcome::Done, None));
    for (handover, sealed) in onward {
        let to: Society = handovers::known(context, handover)?.to;
        handovers::recheck(context, handover, Gate::Replay)?;
        entries.push(holders::told_with(context, to, &row.request, News::Due { handover }, Some(sealed)));
    }
    if entries.is_empty() {
        return Err(Refusal::new(Code::WrongState, "nothing of this request waits for this node"));
    }
    Ok(Decision { entries, reply: Reply::Done { entry: context.next } })
}
