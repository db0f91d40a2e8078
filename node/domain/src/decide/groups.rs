//! People who travel together: offered, accepted and rejected together, separated by a person alone.

use crate::{
    catalogue::{Role, SplitReason},
    consent::Tag,
    digest::Digest,
    envelope::{Kind, Lane},
    fold::Content,
    handover::{Group, GroupId, GroupSplit, Offer, State, Verdict},
    ids::{HandoverId, IdEntropy},
    limits::GROUP_MEMBERS_MAX,
    refusal::{Code, Refusal},
    rows::{GroupRow, HandoverRow},
    society::Society,
};

use super::{Caller, Context, Decision, NewEntry, Reply, approvals, handovers, offers};

/// The group that binds a handover; none when it has none, or when that was split.
pub(super) fn bound(context: &Context<'_>, offer: &Offer) -> Result<Option<(GroupId, GroupRow)>, Refusal> {
    let Some(group) = &offer.group else { return Ok(None) };
    let id = GroupId::of(offer.from, offer.to, &group.reference);
    Ok(context.facts.group(id)?.filter(|row| row.split.is_none()).map(|row| (id, row)))
}

/// Who belongs to a group is not acted for alone.
pub(super) fn refuse_alone(context: &Context<'_>, offer: &Offer) -> Result<(), Refusal> {
    match bound(context, offer)? {
        Some((_, row)) => {
            let message = format!("the handover belongs to the group {}", row.reference.as_str());
            Err(Refusal::new(Code::GroupTogether, message))
        }
        None => Ok(()),
    }
}

/// Before one of a group is released, all of them were accepted.
pub(super) fn all_accepted(context: &Context<'_>, offer: &Offer) -> Result<(), Refusal> {
    let Some((_, row)) = bound(context, offer)? else { return Ok(()) };
    let waits = open_members(context, &row)?
        .iter()
        .any(|(_, row)| !matches!(row.state, State::Accepted | State::Disclosed | State::InService));
    if waits || row.members.len() < usize::from(row.size) {
        return Err(Refusal::new(Code::GroupTogether, "not all of the group were accepted yet"));
    }
    Ok(())
}

/// Entropy of one among several envelopes that one command makes.
pub(super) fn entropy_of(entropy: IdEntropy, index: usize) -> IdEntropy {
    if index == 0 {
        return entropy;
    }
    let Digest(whole) = Digest::of_parts(&[b"passerelle/member/v1\0", &entropy, &index.to_be_bytes()]);
    let mut part = [0; 10];
    part.copy_from_slice(&whole[..10]);
    part
}

/// The members that have not ended, each with its row.
fn open_members(context: &Context<'_>, group: &GroupRow) -> Result<Vec<(HandoverId, HandoverRow)>, Refusal> {
    let mut open = Vec::new();
    for id in &group.members {
        if let Some(row) = context.facts.handover(*id)?.filter(|row| !row.state.has_ended()) {
            open.push((*id, row));
        }
    }
    Ok(open)
}

/// Offers the handovers of all members, or writes them all down where one of them has to be approved.
pub(super) fn offer(
    context: &Context<'_>,
    caller: &Caller,
    entropy: IdEntropy,
    reference: Tag,
    members: Vec<offers::Offering>,
) -> Result<Decision, Refusal> {
    if !(2..=GROUP_MEMBERS_MAX).contains(&members.len()) {
        let message = format!("a group has 2 to {GROUP_MEMBERS_MAX} people");
        return Err(Refusal::new(Code::TooMany, message).at("members"));
    }
    let group = Group { reference, size: u16::try_from(members.len()).unwrap_or(u16::MAX) };
    let (mut prepared, mut known) = (Vec::new(), None);
    for (index, mut member) in members.into_iter().enumerate() {
        let path = format!("members[{index}]");
        member.draft.group = Some(group.clone());
        let entropy = entropy_of(entropy, index);
        match offers::prepare(context, caller, entropy, member).map_err(|refusal| refusal.within(&path))? {
            offers::Prepared::Known(decision) => known = Some(decision),
            offers::Prepared::New(one) => prepared.push(*one),
        }
    }
    check_members(context, &group, &prepared, known.is_some())?;
    if let Some(decision) = known {
        return Ok(decision);
    }
    let at_once = prepared.iter().all(|one| approvals::needs_nobody(&one.offer, one.sealed));
    let entries = prepared.into_iter().flat_map(|one| if at_once { one.issue(context) } else { one.propose() });
    Ok(Decision { entries: entries.collect(), reply: Reply::Done { entry: context.next } })
}

fn check_members(
    context: &Context<'_>,
    group: &Group,
    prepared: &[offers::New],
    some_known: bool,
) -> Result<(), Refusal> {
    let Some(first) = prepared.first() else { return Ok(()) };
    if some_known {
        return Err(Refusal::new(Code::DuplicateId, "some of these handovers exist and some do not").at("members"));
    }
    for (index, one) in prepared.iter().enumerate() {
        let path = format!("members[{index}]");
        if one.offer.to != first.offer.to {
            return Err(Refusal::new(Code::Malformed, "a group goes to one Society").at(path));
        }
        let same = |other: &&offers::New| other.offering.case == one.offering.case || other.offer.id == one.offer.id;
        if prepared.iter().take(index).any(|other| same(&other)) {
            return Err(Refusal::new(Code::Malformed, "each member has a case and a handover of their own").at(path));
        }
    }
    let id = GroupId::of(context.own, first.offer.to, &group.reference);
    if context.facts.group(id)?.is_some() {
        return Err(Refusal::new(Code::DuplicateId, "a group with this code exists; choose another").at("reference"));
    }
    Ok(())
}

fn group_of(context: &Context<'_>, id: HandoverId) -> Result<(GroupId, GroupRow), Refusal> {
    let row = handovers::known(context, id)?;
    let bound = bound(context, &handovers::offer_of(context, &row)?)?;
    bound.ok_or_else(|| Refusal::new(Code::WrongState, "the handover belongs to no group, or to one that was split"))
}

/// Answers the offers of a whole group, one yes or one no for all.
pub(super) fn answer(
    context: &Context<'_>,
    caller: &Caller,
    entropy: IdEntropy,
    id: HandoverId,
    verdict: &Verdict,
) -> Result<Decision, Refusal> {
    let (_, group) = group_of(context, id)?;
    if matches!(verdict, Verdict::Accept { .. }) && group.members.len() < usize::from(group.size) {
        let message = format!("{} of the {} people of the group were offered", group.members.len(), group.size);
        return Err(Refusal::new(Code::GroupIncomplete, message));
    }
    let (mut entries, mut last) = (Vec::new(), None);
    for (index, (member, _)) in open_members(context, &group)?.into_iter().enumerate() {
        let entropy = entropy_of(entropy, index);
        let decision = handovers::answer_one(context, caller, entropy, member, verdict.clone())?;
        entries.extend(decision.entries);
        last = Some(decision.reply);
    }
    let reply = match last {
        Some(reply) if entries.is_empty() => reply,
        Some(_) => Reply::Done { entry: context.next },
        None => return Err(Refusal::new(Code::AlreadyEnded, "every handover of the group has ended")),
    };
    Ok(Decision { entries, reply })
}

/// Lets the members of a group go on one by one. With a minor among them a child-protection officer decides.
pub(super) fn split(
    context: &Context<'_>,
    caller: &Caller,
    entropy: IdEntropy,
    id: HandoverId,
    reason: SplitReason,
) -> Result<Decision, Refusal> {
    approvals::person(caller)?;
    caller.require(&[Role::Supervisor, Role::CpOfficer])?;
    let (group_id, group) = group_of(context, id)?;
    caller.require(if group.minors { &[Role::CpOfficer] } else { &[Role::Supervisor] })?;
    let unsent = |row: &HandoverRow| matches!(row.state, State::Draft | State::Ready | State::Blocked);
    if open_members(context, &group)?.iter().any(|(_, row)| unsent(row)) {
        return Err(Refusal::new(Code::WrongState, "the group was not sent yet; cancel what is not to go together"));
    }
    let split = GroupSplit { handover: id, group: group_id, at: context.now, reason };
    let other = if group.from == context.own { group.to } else { group.from };
    let (kind, lane) = (Kind::GroupSplit, Lane::Routine);
    let envelope = handovers::envelope(context, entropy, other, kind, lane, split.to_cbor(), None);
    let entry = NewEntry::issued(context, &envelope, Content::Split(split));
    Ok(Decision { entries: vec![entry], reply: Reply::Done { entry: context.next } })
}

/// Judges a split that the other side tells.
pub(super) fn judge_split(context: &Context<'_>, split: &GroupSplit, by: Society) -> Result<(), Refusal> {
    let unknown = || Refusal::new(Code::UnknownHandover, "this node has no such group");
    let group = context.facts.group(split.group)?.ok_or_else(unknown)?;
    if group.from != by && group.to != by {
        return Err(Refusal::new(Code::WrongSociety, format!("{by} has no part in this group")));
    }
    if !group.members.contains(&split.handover) {
        return Err(unknown());
    }
    Ok(())
}
