//! Overrides: going on without consent for a vital interest, answered for by two others, told to the
//! person, and reviewed by somebody who had no part in it.

use crate::{
    catalogue::{LegalBasis, Role, VitalReason},
    entry::Body,
    fold::{Content, side_of},
    handover::{
        Case, Gate, Note, OverrideStep, ReleasePlan, Side, Stage, check_gate, overrides::plan_by_override,
        release::Destination,
    },
    ids::HandoverId,
    refusal::{Code, Refusal},
    rows::{OverrideRow, SafeguardRow},
};

use super::{Caller, Context, Decision, NewEntry, Reply, approvals, consents, handovers, offers, withdrawals};

/// What is asked for.
pub(super) struct Overriding {
    pub(super) id: HandoverId,
    pub(super) reason: VitalReason,
    pub(super) note: Note,
    /// The handover to be written down with it; absent for one that is known.
    pub(super) offering: Option<offers::Offering>,
}

const MAY_ASK: [Role; 4] = [Role::Caseworker, Role::Supervisor, Role::Medical, Role::CpOfficer];

/// Asks for an override, with a new handover or for one that is under way.
pub(super) fn request(context: &Context<'_>, caller: &Caller, asked: Overriding) -> Result<Decision, Refusal> {
    let name = approvals::person(caller)?;
    caller.require(&MAY_ASK)?;
    let id = asked.id;
    let earlier = context.facts.safeguard(id)?.and_then(|row| row.overriding);
    if let Some(row) = earlier {
        if row.requested_by == name && row.reason == asked.reason {
            return Ok(Decision { entries: Vec::new(), reply: Reply::Done { entry: row.entry } });
        }
        return Err(Refusal::new(Code::WrongState, "an override of this handover was asked for already"));
    }
    let mut entries = match asked.offering {
        Some(offering) => write_down(context, offering)?,
        None => {
            under_way(context, id)?;
            Vec::new()
        }
    };
    let object = asked.note.as_str().as_bytes().to_vec();
    let note = crate::digest::Digest::of(&object);
    let body = Body::OverrideRequested { handover: id, reason: asked.reason, note };
    entries.push(NewEntry::with_object(body, object, Some(Content::Note(asked.note))));
    Ok(Decision { entries, reply: Reply::Done { entry: context.next } })
}

fn write_down(context: &Context<'_>, mut offering: offers::Offering) -> Result<Vec<NewEntry>, Refusal> {
    if context.facts.handover(offering.id)?.is_some() {
        return Err(Refusal::new(Code::DuplicateId, "a handover with this id exists").at("id"));
    }
    offering.draft.basis = LegalBasis::VitalInterest;
    if offering.release_on_acceptance {
        approvals::may_release_by_itself(&offering.draft)?;
    }
    let record = match offering.draft.consent {
        None => {
            consents::never_asked(context, offering.case)?;
            None
        }
        named => Some(consents::of_case(context, named, offering.case)?),
    };
    let offer = offers::draft_offer(context, &offering, record.as_ref())?;
    let events = withdrawals::events(context, offer.consent.id)?;
    let case = offers::case_of(context, &offering, &offer, record.as_ref(), &events);
    let services: Vec<_> = offer.service_codes().collect();
    needed(&case, &services)?;
    let package = offering.package.map(|package| Body::PackageKept { handover: offering.id, package });
    let proposal = approvals::proposal(&offering, offer.clone(), false);
    Ok(std::iter::once(proposal).chain(package.map(NewEntry::bare)).collect())
}

fn under_way(context: &Context<'_>, id: HandoverId) -> Result<(), Refusal> {
    let row = handovers::known(context, id)?;
    if side_of(&row, context.own) != Side::From {
        return Err(Refusal::new(Code::NotOrigin, "the Society that offers the case overrides, and no other"));
    }
    if row.state.has_ended() {
        return Err(Refusal::new(Code::AlreadyEnded, format!("the handover is {}", row.state)));
    }
    handovers::with_case(context, id, |case, services| needed(case, services).map(|_| ()))
}

/// An override is for what consent does not cover, and what it may open at all.
fn needed(case: &Case<'_>, services: &[crate::catalogue::Service]) -> Result<ReleasePlan, Refusal> {
    if check_gate(&Gate::Submit, case, services).is_ok() {
        return Err(Refusal::new(Code::OverrideRefused, "the consent covers this; no override is needed"));
    }
    plan_by_override(case, services, &Destination::of(case.offer))
}

/// What may go at a gate: what the consent covers, or failing that what an approved override opens.
pub(super) fn plan(
    context: &Context<'_>,
    id: HandoverId,
    gate: &Gate,
    case: &Case<'_>,
    services: &[crate::catalogue::Service],
) -> Result<ReleasePlan, Refusal> {
    let covered = check_gate(gate, case, services);
    if covered.is_ok() || matches!(gate, Gate::Onward(_)) {
        return covered;
    }
    match context.facts.safeguard(id)?.and_then(|row| row.overriding) {
        Some(OverrideRow { approved_at: Some(_), .. }) => {
            plan_by_override(case, services, &Destination::of(case.offer))
        }
        _ => covered,
    }
}

/// Where an override was asked for, it was approved.
pub(super) fn approved_if_asked(row: &SafeguardRow) -> Result<(), Refusal> {
    match &row.overriding {
        Some(OverrideRow { approved_at: None, .. }) => {
            Err(Refusal::new(Code::ApprovalMissing, "the override still needs the approval of two people"))
        }
        _ => Ok(()),
    }
}

/// Records what an override obliges to: that the person was told, or what the review found.
pub(super) fn follow(
    context: &Context<'_>,
    caller: &Caller,
    id: HandoverId,
    step: OverrideStep,
) -> Result<Decision, Refusal> {
    let name = approvals::person(caller)?;
    let row = context.facts.safeguard(id)?.unwrap_or_default();
    let overriding = row.overriding.as_ref().filter(|row| row.approved_at.is_some());
    let overriding =
        overriding.ok_or_else(|| Refusal::new(Code::WrongState, "no override of this handover was approved"))?;
    match step {
        OverrideStep::Told => caller.require(&MAY_ASK)?,
        OverrideStep::Reviewed { .. } => {
            caller.require(&[Role::Dpo, Role::Supervisor])?;
            let approved = row.approvals.iter().any(|one| one.stage == Stage::Override && one.by == name);
            if approved || overriding.requested_by == name {
                let message = "an override is reviewed by somebody who neither asked for it nor approved it";
                return Err(Refusal::new(Code::SelfApproval, message));
            }
        }
    }
    let done = match step {
        OverrideStep::Told => overriding.told_at.is_some(),
        OverrideStep::Reviewed { .. } => overriding.reviewed.is_some(),
    };
    if done {
        return Err(Refusal::new(Code::WrongState, "this was recorded already"));
    }
    let body = Body::OverrideFollowed { handover: id, step };
    Ok(Decision { entries: vec![NewEntry::bare(body)], reply: Reply::Done { entry: context.next } })
}
