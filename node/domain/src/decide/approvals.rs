//! Handovers that wait for others: written down, approved by them, then sent; and what nobody but a person does.

use crate::{
    catalogue::{LegalBasis, Role, StopReason},
    entry::{Actor, Body},
    envelope::{Kind, Lane},
    fold::{Content, side_of},
    handover::{
        Action, Gate, HandoverDraft, Offer, Side, Stage, State, permitted_roles,
        safeguards::{Proposal, Seat, all_taken, is_minors, names, open_seats, seats},
        transition,
    },
    ids::{EntryIndex, HandoverId, IdEntropy},
    refusal::{Code, Refusal},
    rows::{GroupRow, HandoverRow, SafeguardRow},
};

use super::{Caller, Context, Decision, NewEntry, Reply, groups, handovers, offers, overrides};

/// The name of a person who asks.
///
/// # Errors
/// `needs_person` when it is a program, a peer or the node itself.
pub(super) fn person(caller: &Caller) -> Result<&str, Refusal> {
    match &caller.actor {
        Actor::Operator(name) => Ok(name),
        Actor::Program(_) | Actor::Peer(_) | Actor::System => {
            Err(Refusal::new(Code::NeedsPerson, "this is done by a person alone"))
        }
    }
}

/// A minor's case moves by people alone.
pub(super) fn by_a_person(caller: &Caller, offer: &Offer) -> Result<(), Refusal> {
    if is_minors(offer) { person(caller).map(|_| ()) } else { Ok(()) }
}

/// What the node would do by itself is asked for a single adult alone.
pub(super) fn may_release_by_itself(draft: &HandoverDraft) -> Result<(), Refusal> {
    let adult = !draft.age_band.is_minor() && draft.minor_status == crate::catalogue::MinorStatus::NotMinor;
    if adult && draft.group.is_none() && draft.basis != LegalBasis::VitalInterest {
        return Ok(());
    }
    let message = "a minor, a group, or who could not be asked is released by a person, never on acceptance";
    Err(Refusal::new(Code::NeedsPerson, message).at("release_on_acceptance"))
}

/// Whether the offer goes out at once: nobody else has to approve it.
pub(super) fn needs_nobody(offer: &Offer, sealed: bool) -> bool {
    seats(Stage::Offer, offer, sealed).is_empty()
}

/// The entry that writes a handover down until others have approved it.
pub(super) fn proposal(offering: &offers::Offering, offer: Offer, sealed: bool) -> NewEntry {
    let object = offer.to_cbor();
    let body = Body::HandoverProposed(Proposal {
        id: offering.id,
        case: offering.case,
        offer: crate::digest::Digest::of(&object),
        sealed,
        ready: needs_nobody(&offer, sealed),
    });
    NewEntry::with_object(body, object, Some(Content::Offer(Box::new(offer))))
}

/// A handover whose steps others approve.
struct Waiting {
    row: HandoverRow,
    offer: Offer,
    safeguard: SafeguardRow,
}

impl Waiting {
    fn of(context: &Context<'_>, id: HandoverId) -> Result<Self, Refusal> {
        let row = handovers::known(context, id)?;
        let offer = handovers::offer_of(context, &row)?;
        Ok(Self { row, offer, safeguard: context.facts.safeguard(id)?.unwrap_or_default() })
    }

    /// The step that can be approved now, and who asked for it.
    fn stage(&self, context: &Context<'_>, overriding: bool) -> Result<(Stage, Option<&str>), Refusal> {
        let side = side_of(&self.row, context.own);
        match (&self.safeguard.overriding, side, self.row.state) {
            (Some(row), Side::From, _) if overriding => Ok((Stage::Override, Some(&row.requested_by))),
            (_, Side::From, State::Draft) if !overriding => Ok((Stage::Offer, self.safeguard.proposed_by.as_deref())),
            (_, Side::To, State::Delivered) if !overriding => Ok((Stage::Acceptance, None)),
            _ => {
                let what = if overriding { "no override was asked for" } else { "nothing waits for approval" };
                Err(Refusal::new(Code::WrongState, format!("{what}; the handover is {}", self.row.state)))
            }
        }
    }

    fn seats(&self, stage: Stage) -> Vec<Seat> {
        seats(stage, &self.offer, self.safeguard.sealed)
    }

    fn open_seats(&self, stage: Stage) -> Vec<Seat> {
        open_seats(stage, &self.seats(stage), &self.safeguard.approvals)
    }

    /// The entry by which an operator approved the stage before.
    fn approved_by(&self, stage: Stage, name: &str) -> Option<EntryIndex> {
        let mut approvals = self.safeguard.approvals.iter();
        approvals.find(|approval| approval.stage == stage && approval.by == name).map(|approval| approval.entry)
    }
}

/// Approves the step of a handover that waits, or its override.
pub(super) fn approve(
    context: &Context<'_>,
    caller: &Caller,
    id: HandoverId,
    overriding: bool,
    role: Option<Role>,
) -> Result<Decision, Refusal> {
    let name = person(caller)?;
    let waiting = Waiting::of(context, id)?;
    let (stage, requester) = waiting.stage(context, overriding)?;
    let seats = waiting.seats(stage);
    if seats.is_empty() {
        return Err(Refusal::new(Code::WrongState, format!("the {stage} of this case needs no approval")));
    }
    if requester == Some(name) {
        return Err(Refusal::new(Code::SelfApproval, format!("who asked for the {stage} does not approve it")));
    }
    if let Some(entry) = waiting.approved_by(stage, name) {
        return Ok(Decision { entries: Vec::new(), reply: Reply::Done { entry } });
    }
    let open = waiting.open_seats(stage);
    let has = |wanted: Role| caller.roles.contains(&wanted) && role.is_none_or(|asked| asked == wanted);
    let role = open.iter().flat_map(|seat| seat.iter().copied()).find(|wanted| has(*wanted));
    let role = role.ok_or_else(|| {
        let wanted: Vec<_> = open.iter().map(|seat| names(seat)).collect();
        let wanted = if wanted.is_empty() { "nobody any more".to_owned() } else { wanted.join(", and ") };
        Refusal::new(Code::RoleMissing, format!("the {stage} still needs the approval of {wanted}"))
    })?;
    let body = Body::Approved { handover: id, stage, role, complete: open.len() == 1 };
    Ok(Decision { entries: vec![NewEntry::bare(body)], reply: Reply::Done { entry: context.next } })
}

/// The approvals that the next step of a handover, or its override, still needs: the roles of each.
///
/// # Errors
/// `unknown_handover`, `package_absent` when its offer was erased.
pub fn missing_approvals(context: &Context<'_>, id: HandoverId, overriding: bool) -> Result<Vec<String>, Refusal> {
    let waiting = Waiting::of(context, id)?;
    Ok(match waiting.stage(context, overriding) {
        Ok((stage, _)) => waiting.open_seats(stage).iter().map(|seat| names(seat)).collect(),
        Err(_) => Vec::new(),
    })
}

/// Before a handover is accepted here: others have approved it where they must, and whoever accepts is none of them.
pub(super) fn before_acceptance(context: &Context<'_>, caller: &Caller, id: HandoverId) -> Result<(), Refusal> {
    let waiting = Waiting::of(context, id)?;
    by_a_person(caller, &waiting.offer)?;
    all_taken(Stage::Acceptance, &waiting.open_seats(Stage::Acceptance))?;
    let approved = |name: &str| waiting.approved_by(Stage::Acceptance, name).is_some();
    if let Actor::Operator(name) = &caller.actor
        && approved(name)
    {
        return Err(Refusal::new(Code::SelfApproval, "who approved the acceptance does not accept"));
    }
    Ok(())
}

/// Sends a handover that others have approved; with those of its group, where it has one.
pub(super) fn send(
    context: &Context<'_>,
    caller: &Caller,
    entropy: IdEntropy,
    id: HandoverId,
) -> Result<Decision, Refusal> {
    caller.require(permitted_roles(Action::Send))?;
    let row = handovers::known(context, id)?;
    if let Some(taken) = handovers::taken(&row, Action::Send, context.own) {
        return Ok(taken);
    }
    let bound = groups::bound(context, &handovers::offer_of(context, &row)?)?;
    let members = bound.map(|(_, GroupRow { members, .. })| members).unwrap_or_else(|| vec![id]);
    let mut entries = Vec::new();
    for (index, member) in members.into_iter().enumerate() {
        let row = handovers::known(context, member)?;
        if row.state.has_ended() {
            continue;
        }
        entries.push(send_one(context, caller, groups::entropy_of(entropy, index), member, &row)?);
    }
    Ok(Decision { entries, reply: Reply::Done { entry: context.next } })
}

fn send_one(
    context: &Context<'_>,
    caller: &Caller,
    entropy: IdEntropy,
    id: HandoverId,
    row: &HandoverRow,
) -> Result<NewEntry, Refusal> {
    let waiting = Waiting::of(context, id)?;
    by_a_person(caller, &waiting.offer)?;
    if row.state == State::Draft {
        all_taken(Stage::Offer, &waiting.open_seats(Stage::Offer))?;
    }
    overrides::approved_if_asked(&waiting.safeguard)?;
    transition(row.state, Action::Send, side_of(row, context.own))?;
    if context.now >= row.expires_at {
        return Err(Refusal::new(Code::Expired, "the offer has expired"));
    }
    handovers::recheck(context, id, Gate::Send)?;
    let (to, expires_at) = (row.to, Some(row.expires_at));
    let body = waiting.offer.to_cbor();
    let envelope = handovers::envelope(context, entropy, to, Kind::HandoverOffer, Lane::Routine, body, expires_at);
    Ok(NewEntry::issued(context, &envelope, Content::Offer(Box::new(waiting.offer))))
}

/// Gives up a handover that was never sent: nobody else has to hear of it.
pub(super) fn drop_unsent(context: &Context<'_>, id: HandoverId, reason: StopReason) -> Decision {
    let body = Body::HandoverDropped { handover: id, reason };
    Decision { entries: vec![NewEntry::bare(body)], reply: Reply::Done { entry: context.next } }
}
