//! Handovers: answered, released, followed, read. Consent is asked at every gate.

use crate::{
    catalogue::{LegalBasis, Purpose, Section, Service},
    entry::{Body, PackageRef},
    envelope::{Attachment, Envelope, FORMAT_VERSION, Kind, Lane},
    fold::{Content, side_of},
    handover::{
        Action, Case, Gate, HandoverAnswer, HandoverRelease, HandoverStep, Note, Offer, ReleasePlan, Side, State, Step,
        Verdict, permitted_roles, reading::READERS, transition,
    },
    ids::{EnvelopeId, HandoverId, IdEntropy},
    refusal::{Code, Refusal},
    rows::HandoverRow,
    society::Society,
    time::Time,
};

use super::{
    Caller, Context, Decision, NewEntry, Reply, approvals, consents, delivery, groups, holds, overrides, withdrawals,
};

/// A release to be made.
pub(super) struct Releasing {
    pub(super) id: HandoverId,
    pub(super) package: PackageRef,
    /// The sealed bytes; none when the package stays here.
    pub(super) attachment: Option<Attachment>,
    pub(super) sections: Vec<Section>,
}

pub(super) fn envelope(
    context: &Context<'_>,
    entropy: IdEntropy,
    to: Society,
    kind: Kind,
    lane: Lane,
    body: Vec<u8>,
    expires_at: Option<Time>,
) -> Envelope {
    Envelope {
        version: FORMAT_VERSION,
        id: EnvelopeId::new(context.now, entropy),
        origin: context.own,
        recipients: vec![to],
        kind,
        lane,
        created_at: context.wall,
        expires_at,
        body: body.into(),
        attachment: None,
    }
}

pub(super) fn known(context: &Context<'_>, id: HandoverId) -> Result<HandoverRow, Refusal> {
    let row = context.facts.handover(id)?;
    row.ok_or_else(|| Refusal::new(Code::UnknownHandover, "this node has no such handover"))
}

/// The offer of a handover.
pub(super) fn offer_of(context: &Context<'_>, row: &HandoverRow) -> Result<Offer, Refusal> {
    let object = context.facts.object(row.entry)?;
    let object = object.ok_or_else(|| Refusal::new(Code::PackageAbsent, "the offer was erased"))?;
    match context.facts.entry(row.entry)?.map(|entry| entry.body) {
        // One that waits here was never in an envelope.
        Some(Body::HandoverProposed(_)) => Offer::from_cbor(&object),
        _ => Offer::from_cbor(&delivery::envelope_of(&object)?.body),
    }
}

/// The same step again, by the same side: it was taken already, and that is the answer.
pub(super) fn taken(row: &HandoverRow, action: Action, own: Society) -> Option<Decision> {
    let last = row.history.last()?;
    (last.action == action && last.by == own)
        .then(|| Decision { entries: Vec::new(), reply: Reply::Done { entry: last.entry } })
}

/// Answers the offer of one who travels alone.
pub(super) fn answer(
    context: &Context<'_>,
    caller: &Caller,
    entropy: IdEntropy,
    id: HandoverId,
    verdict: Verdict,
) -> Result<Decision, Refusal> {
    let action = verdict.action();
    caller.require(permitted_roles(action))?;
    let row = known(context, id)?;
    if taken(&row, action, context.own).is_none() && transition(row.state, action, side_of(&row, context.own)).is_ok() {
        groups::refuse_alone(context, &offer_of(context, &row)?)?;
    }
    answer_one(context, caller, entropy, id, verdict)
}

/// Answers one offer.
pub(super) fn answer_one(
    context: &Context<'_>,
    caller: &Caller,
    entropy: IdEntropy,
    id: HandoverId,
    verdict: Verdict,
) -> Result<Decision, Refusal> {
    let action = verdict.action();
    caller.require(permitted_roles(action))?;
    let row = known(context, id)?;
    if let Some(taken) = taken(&row, action, context.own) {
        return Ok(taken);
    }
    withdrawals::check_in_use(context, id, &row)?;
    transition(row.state, action, side_of(&row, context.own))?;
    if context.now >= row.expires_at {
        return Err(Refusal::new(Code::Expired, "the offer has expired"));
    }
    let verdict = match verdict {
        Verdict::Accept { team, services } => {
            context.check_exchange(row.from)?;
            context.check_transfer(row.from, context.own)?;
            let offered: Vec<Service> = offer_of(context, &row)?.service_codes().collect();
            if let Some(other) = services.iter().find(|service| !offered.contains(service)) {
                return Err(Refusal::new(Code::Malformed, format!("{other} was not asked for")).at("services"));
            }
            approvals::before_acceptance(context, caller, id)?;
            Verdict::Accept { team, services: if services.is_empty() { offered } else { services } }
        }
        reject @ Verdict::Reject { .. } => {
            approvals::by_a_person(caller, &offer_of(context, &row)?)?;
            reject
        }
    };
    let answer = HandoverAnswer { id, verdict };
    answer.check()?;
    let envelope = envelope(context, entropy, row.from, Kind::HandoverAnswer, Lane::Routine, answer.to_cbor(), None);
    Ok(Decision::issuing(context, &envelope, Content::Answer(answer)))
}

/// What may be released of a handover at this moment, by the consent as it stands, to a peer that may be given it.
///
/// # Errors
/// The refusal of the gate.
pub fn recheck(context: &Context<'_>, id: HandoverId, gate: Gate) -> Result<ReleasePlan, Refusal> {
    let row = known(context, id)?;
    context.check_exchange(row.to)?;
    context.check_transfer(context.own, row.to)?;
    holds::check_not_frozen(context, id, &row)?;
    covered(context, id, gate)
}

/// What the consent, or an override, covers of a handover at this moment, whatever the configuration says of the peer.
///
/// # Errors
/// The refusal of the gate.
pub fn covered(context: &Context<'_>, id: HandoverId, gate: Gate) -> Result<ReleasePlan, Refusal> {
    with_case(context, id, |case, services| overrides::plan(context, id, &gate, case, services))
}

/// Hands a handover of ours out as a case, with the services in question: the accepted ones, or all before that.
pub(super) fn with_case<T>(
    context: &Context<'_>,
    id: HandoverId,
    judge: impl FnOnce(&Case<'_>, &[Service]) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let row = known(context, id)?;
    let case = row.case.ok_or_else(|| Refusal::new(Code::NotOrigin, "the case lies at the Society that offered it"))?;
    let offer = offer_of(context, &row)?;
    let record = consents::of_handover(context, row.consent, case)?;
    let events = withdrawals::events(context, row.consent.id)?;
    let services: Vec<_> = if row.accepted.is_empty() { offer.service_codes().collect() } else { row.accepted };
    let subject = context.pseudonyms.own(case);
    judge(&Case { offer: &offer, subject, record: record.as_ref(), events: &events, now: context.now }, &services)
}

/// Releases the package of an accepted handover.
pub(super) fn release(
    context: &Context<'_>,
    caller: &Caller,
    entropy: IdEntropy,
    releasing: Releasing,
) -> Result<Decision, Refusal> {
    caller.require(permitted_roles(Action::Release))?;
    let row = known(context, releasing.id)?;
    if let Some(taken) = taken(&row, Action::Release, context.own) {
        return Ok(taken);
    }
    withdrawals::check_in_use(context, releasing.id, &row)?;
    transition(row.state, Action::Release, side_of(&row, context.own))?;
    let offer = offer_of(context, &row)?;
    approvals::by_a_person(caller, &offer)?;
    groups::all_accepted(context, &offer)?;
    let plan = recheck(context, releasing.id, Gate::Release)?;
    if let Some(section) = releasing.sections.iter().find(|section| !plan.sections.contains(section)) {
        return Err(Refusal::new(Code::ConsentMissing, format!("the consent does not cover the section {section}")));
    }
    let held = context.policy.of(row.to).hold_at_origin;
    if held != releasing.attachment.is_none() {
        return Err(Refusal::new(Code::Busy, "whether packages for the peer stay here has changed meanwhile"));
    }
    let release = HandoverRelease {
        id: releasing.id,
        package_commitment: releasing.package.commitment,
        package_digest: releasing.attachment.map(|sealed| sealed.digest).unwrap_or_default(),
        sealed_bytes: releasing.attachment.map_or(0, |sealed| sealed.bytes),
        sections: releasing.sections,
        matrix_version: crate::catalogue::MATRIX_VERSION,
        obligations: plan.obligations,
        basis: plan.overridden.then_some(LegalBasis::VitalInterest),
    };
    release.check()?;
    let mut envelope = envelope(context, entropy, row.to, Kind::HandoverRelease, Lane::Bulk, release.to_cbor(), None);
    envelope.attachment = releasing.attachment;
    let mut decision = Decision::issuing(context, &envelope, Content::Release(Box::new(release)));
    if held && row.package != Some(releasing.package) {
        let (handover, package) = (releasing.id, releasing.package);
        decision.entries.push(NewEntry::bare(Body::PackageKept { handover, package }));
    }
    Ok(decision)
}

/// Reports a later step to the other side.
pub(super) fn report(
    context: &Context<'_>,
    caller: &Caller,
    entropy: IdEntropy,
    id: HandoverId,
    step: Step,
    note: Option<Note>,
) -> Result<Decision, Refusal> {
    let action = step.action();
    caller.require(permitted_roles(action))?;
    let row = known(context, id)?;
    if let Some(taken) = taken(&row, action, context.own) {
        return Ok(taken);
    }
    if step == Step::Withdrawn {
        let by = crate::consent::Actor::Person;
        return withdrawals::withdraw(context, caller, withdrawals::About::Handover(id), by, None, None);
    }
    if step != Step::Erased {
        withdrawals::check_in_use(context, id, &row)?;
    }
    let side = side_of(&row, context.own);
    transition(row.state, action, side)?;
    if let (Step::Cancelled(reason), State::Draft | State::Ready | State::Blocked) = (&step, row.state) {
        return Ok(approvals::drop_unsent(context, id, *reason));
    }
    let step = HandoverStep { id, at: context.now, step, note };
    step.check()?;
    let other = if side == Side::From { row.to } else { row.from };
    let lane = match action {
        Action::Revoke | Action::Withdraw | Action::Cancel => Lane::Urgent,
        _ => Lane::Routine,
    };
    let envelope = envelope(context, entropy, other, Kind::HandoverStep, lane, step.to_cbor(), None);
    Ok(Decision::issuing(context, &envelope, Content::Step(Box::new(step))))
}

/// Records that a package is read, before it is.
pub(super) fn read(
    context: &Context<'_>,
    caller: &Caller,
    id: HandoverId,
    sections: Vec<Section>,
    purpose: Purpose,
) -> Result<Decision, Refusal> {
    caller.require(&READERS)?;
    let row = known(context, id)?;
    withdrawals::check_in_use(context, id, &row)?;
    let at_origin = row.held_at_origin.is_some() && row.to == context.own;
    if row.package.is_none() && !at_origin || row.state.has_ended() && row.state != State::Completed {
        return Err(Refusal::new(Code::PackageAbsent, format!("the handover is {}", row.state)));
    }
    holds::check_not_frozen(context, id, &row)?;
    for section in sections.iter().filter(|section| !section.sealed_for().is_empty()) {
        caller.require(section.sealed_for())?;
    }
    let sections = sections.iter().map(|section| section.as_str().to_owned()).collect();
    let body = Body::PackageRead { handover: id, sections, purpose: purpose.as_str().to_owned() };
    Ok(Decision { entries: vec![NewEntry::bare(body)], reply: Reply::Done { entry: context.next } })
}

/// Judges what the other side sends about a handover. `by` is who signed it.
pub(super) fn judge(
    context: &Context<'_>,
    content: &Content,
    by: Society,
    package: Option<&Result<PackageRef, Refusal>>,
) -> Result<(), Refusal> {
    if by == context.own {
        // Our own history comes back: it passed these rules when it was made.
        return Ok(());
    }
    match content {
        Content::Offer(offer) => judge_offer(context, offer, by),
        Content::Withdrawal(message) => withdrawals::judge(context, message, by),
        Content::Answer(answer) => {
            let row = of_pair(context, answer.id, by, Side::To)?;
            withdrawals::check_in_use(context, answer.id, &row)?;
            // The answer may overtake the receipt of the offer, which it implies.
            let state = if row.state == State::Offered { State::Delivered } else { row.state };
            transition(state, answer.verdict.action(), Side::To).map(|_| ())
        }
        Content::Release(release) => {
            let row = of_pair(context, release.id, by, Side::From)?;
            context.check_exchange(by)?;
            crate::defect!(IgnoreTombstone => return Ok(()));
            withdrawals::check_in_use(context, release.id, &row)?;
            transition(row.state, Action::Release, Side::From)?;
            if release.is_held_at_origin() {
                return Ok(());
            }
            match package {
                Some(Ok(_)) => Ok(()),
                Some(Err(refusal)) => Err(refusal.clone()),
                None => Err(Refusal::new(Code::PackageAbsent, "the package did not come with its release")),
            }
        }
        Content::Split(split) => groups::judge_split(context, split, by),
        Content::Step(step) => {
            let row = known(context, step.id)?;
            let side = side_of(&row, by);
            of_pair(context, step.id, by, side)?;
            if step.step == Step::Withdrawn {
                // Known already, or of a handover that has ended: it counts all the same.
                return Ok(());
            }
            if step.step != Step::Erased {
                withdrawals::check_in_use(context, step.id, &row)?;
            }
            transition(row.state, step.step.action(), side).map(|_| ())
        }
        _ => Err(Refusal::new(Code::Malformed, "not a message about a handover")),
    }
}

fn judge_offer(context: &Context<'_>, offer: &Offer, by: Society) -> Result<(), Refusal> {
    if offer.from != by {
        return Err(Refusal::new(Code::WrongSociety, format!("{by} brought an offer of {}", offer.from)));
    }
    if offer.to != context.own {
        return Err(Refusal::new(Code::WrongRecipient, "the offer is for another Society"));
    }
    context.check_exchange(by)?;
    // It could never be accepted: whoever offers it is told now, and not when the person waits.
    context.check_transfer(by, context.own)?;
    if context.now >= offer.expires_at {
        return Err(Refusal::new(Code::Expired, "the offer has expired"));
    }
    if context.facts.handover(offer.id)?.is_some() {
        return Err(Refusal::new(Code::DuplicateId, "a handover with this id is known"));
    }
    withdrawals::judge_offer(context, offer, by)
}

/// A handover of which `by` stands on `side`.
fn of_pair(context: &Context<'_>, id: HandoverId, by: Society, side: Side) -> Result<HandoverRow, Refusal> {
    let row = known(context, id)?;
    let stands = if side == Side::From { row.from } else { row.to };
    if stands != by {
        return Err(Refusal::new(Code::WrongSociety, format!("{by} has no part in this handover")));
    }
    Ok(row)
}
