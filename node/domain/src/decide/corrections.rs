//! Corrections: what a person asks to be put right, applied to packages of this node by somebody who may see the sections, and
//! passed on to those who have them from here.

use std::collections::BTreeSet;

use crate::{
    catalogue::{Right, Role, Section},
    entry::Body,
    envelope::Attachment,
    handover::Gate,
    ids::{CaseId, HandoverId, RequestId},
    limits::CORRECTIONS_MAX,
    refusal::{Code, Refusal},
    rights::{Carried, Corrected, CorrectionEntry, News, Outcome, RequestRow, SubjectRequest, correction::key_of},
    rows::HandoverRow,
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

/// The cases of which a request still waits for an answer of this node: those of the handovers by which it was asked, and that
/// of the card where the request was opened.
fn cases_of(context: &Context<'_>, row: &RequestRow) -> Result<BTreeSet<CaseId>, Refusal> {
    let mut cases = BTreeSet::new();
    let mine = row.holders.iter().filter(|holder| holder.society == context.own);
    for holder in mine.filter(|holder| holder.answer.is_none()) {
        let handover = match holder.handover {
            Some(handover) => Some(handover),
            None if row.opened.is_some() => context.facts.card(&row.request.code)?.and_then(|card| Some(card.made?.0)),
            None => None,
        };
        let row = handover.map(|id| context.facts.handover(id)).transpose()?.flatten();
        cases.extend(row.and_then(|row| row.case));
    }
    Ok(cases)
}

/// What a correction is about at this node.
#[derive(Default)]
struct Found {
    cases: BTreeSet<CaseId>,
    /// Handovers whose package lies here and may be put right.
    here: Vec<HandoverId>,
    /// Handovers by which others have something from here.
    onward: Vec<HandoverId>,
    /// Why a package that lies here may not be touched now.
    closed: Option<Refusal>,
}

fn find(context: &Context<'_>, row: &RequestRow) -> Result<Found, Refusal> {
    let mut found = Found { cases: cases_of(context, row)?, ..Found::default() };
    for case in &found.cases {
        for id in context.facts.case(*case)?.unwrap_or_default().handovers {
            let Some(handover) = context.facts.handover(id)? else { continue };
            if handover.package.is_some() {
                match check_open(context, id, &handover) {
                    Ok(()) => found.here.push(id),
                    Err(refusal) if refusal.code == Code::StoreFailed => return Err(refusal),
                    Err(refusal) => found.closed = Some(refusal),
                }
            }
            // What stays at its origin is put right there.
            let has_it = !handover.sections.is_empty() && handover.held_at_origin.is_none();
            if handover.from == context.own && has_it && holders::has_left(&handover) {
                found.onward.push(id);
            }
        }
    }
    Ok(found)
}

fn check_open(context: &Context<'_>, id: HandoverId, row: &HandoverRow) -> Result<(), Refusal> {
    withdrawals::check_in_use(context, id, row)?;
    holds::check_not_frozen(context, id, row)
}

/// Handovers of the cases of a request that waits here whose package lies here and may be put right, and those by which
/// others have something of them from here.
///
/// # Errors
/// `store_failed`.
pub fn correctable(context: &Context<'_>, row: &RequestRow) -> Result<(Vec<HandoverId>, Vec<HandoverId>), Refusal> {
    let found = find(context, row)?;
    Ok((found.here, found.onward))
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
    let answers = rights::answers(context, &row, Outcome::Done, None)?;
    if answers.is_empty() {
        let waits = || Refusal::new(Code::WrongState, "nothing of this request waits for an answer of this node");
        let entry = correction.applied.ok_or_else(waits)?;
        return Ok(Decision { entries: Vec::new(), reply: Reply::Done { entry } });
    }
    if correction.kept.is_none() || correction.destroyed.is_some() {
        return Err(Refusal::new(Code::PackageAbsent, "nothing came with this request that could be applied").at("id"));
    }
    let found = find(context, &row)?;
    if let (true, Some(closed)) = (found.here.is_empty(), found.closed) {
        return Err(closed);
    }
    let mut entries = Vec::new();
    for one in corrected {
        check_corrected(context, caller, &found.cases, &one)?;
        let sections = one.sections.iter().map(|section: &Section| section.as_str().to_owned()).collect();
        let (handover, package) = (one.handover, one.package);
        let applied = CorrectionEntry::Applied { request: id, handover, package, sections };
        entries.push(NewEntry::bare(Body::Correction(applied)));
    }
    entries.extend(answers);
    for (handover, sealed) in onward {
        if !found.onward.contains(&handover) {
            return Err(Refusal::new(Code::WrongState, "nobody has anything of this case from here by the handover"));
        }
        let to: Society = handovers::known(context, handover)?.to;
        handovers::recheck(context, handover, Gate::Replay)?;
        entries.push(holders::told_with(context, to, &row.request, News::Due { handover }, Some(sealed)));
    }
    Ok(Decision { entries, reply: Reply::Done { entry: context.next } })
}

/// Judges the correction of one package.
fn check_corrected(
    context: &Context<'_>,
    caller: &Caller,
    cases: &BTreeSet<CaseId>,
    one: &Corrected,
) -> Result<(), Refusal> {
    let handover = handovers::known(context, one.handover)?;
    let same = handover.case == Some(one.package.case) && cases.contains(&one.package.case);
    if !same || handover.package.is_none() {
        return Err(Refusal::new(Code::WrongState, "the handover is not of the case of this request"));
    }
    if handover.earlier.len() >= CORRECTIONS_MAX {
        return Err(Refusal::new(Code::TooMany, format!("a package is put right at most {CORRECTIONS_MAX} times")));
    }
    check_open(context, one.handover, &handover)?;
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
    Ok(())
}
