//! Holds over what retention would purge, freezes over what may be read or released, and the suspension of a peer.

use super::{Caller, Context, Decision, NewEntry, Reply};
use crate::{
    catalogue::Role,
    entry::Body,
    facts::Facts,
    handover::Note,
    ids::{AlertId, CaseId, ConsentId, EnvelopeId, HandoverId},
    refusal::{Code, Refusal},
    retention::HoldKind,
    rows::HandoverRow,
    society::Society,
};

/// What a hold is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldScope {
    /// A local case with all its handovers and consent records.
    Case(CaseId),
    /// One handover.
    Handover(HandoverId),
    /// One consent record, and the handovers that rest on it.
    Consent(ConsentId),
    /// One alert.
    Alert(AlertId),
}

impl HoldScope {
    /// The id under which the hold is known.
    #[must_use]
    pub fn subject(self) -> EnvelopeId {
        match self {
            Self::Case(id) => EnvelopeId::from_bytes(id.bytes()),
            Self::Handover(id) => id.into(),
            Self::Consent(id) => id.into(),
            Self::Alert(id) => id.into(),
        }
    }
}

pub(super) fn in_force(facts: &dyn Facts, subject: EnvelopeId, kind: HoldKind) -> Result<bool, Refusal> {
    Ok(facts.hold(subject, kind)?.is_some_and(|row| row.lifted.is_none()))
}

/// Whether a hold of any kind is over one of these: nothing of it is purged by its age.
///
/// # Errors
/// `store_failed`.
pub fn is_held(facts: &dyn Facts, scopes: &[HoldScope]) -> Result<bool, Refusal> {
    any_in_force(facts, scopes, HoldKind::ALL)
}

fn any_in_force(facts: &dyn Facts, scopes: &[HoldScope], kinds: &[HoldKind]) -> Result<bool, Refusal> {
    for scope in scopes {
        for kind in kinds {
            if in_force(facts, scope.subject(), *kind)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether a hold keeps a case from the erasure that the person asks for: one over the case, a handover of it, or a
/// consent record that it or a handover of it rests on. A restriction is at their own wish, and does not.
///
/// # Errors
/// `store_failed`.
pub fn is_case_held(facts: &dyn Facts, case: CaseId) -> Result<bool, Refusal> {
    let row = facts.case(case)?.unwrap_or_default();
    let mut scopes = vec![HoldScope::Case(case)];
    scopes.extend(row.consents.iter().copied().map(HoldScope::Consent));
    for id in row.handovers {
        if let Some(row) = facts.handover(id)? {
            scopes.extend(scopes_of(id, &row));
        }
    }
    any_in_force(facts, &scopes, &[HoldKind::LegalHold, HoldKind::BreachFreeze])
}

/// What a hold over a handover may be over.
pub(super) fn scopes_of(id: HandoverId, row: &HandoverRow) -> Vec<HoldScope> {
    let mut scopes = vec![HoldScope::Handover(id), HoldScope::Consent(row.consent.id)];
    scopes.extend(row.case.map(HoldScope::Case));
    scopes
}

/// Denies the reading and the release of what is frozen.
pub(super) fn check_not_frozen(context: &Context<'_>, id: HandoverId, row: &HandoverRow) -> Result<(), Refusal> {
    if any_in_force(context.facts, &scopes_of(id, row), &[HoldKind::BreachFreeze, HoldKind::Restriction])? {
        return Err(Refusal::new(Code::Frozen, "the handover, its case or its consent is frozen"));
    }
    Ok(())
}

/// Places a hold, or lifts it.
pub(super) fn hold(
    context: &Context<'_>,
    caller: &Caller,
    scope: HoldScope,
    kind: HoldKind,
    lift: bool,
    reason: &Note,
) -> Result<Decision, Refusal> {
    caller.require(&[Role::Dpo])?;
    let known = match scope {
        // Cases have no row of their own; whoever asks looks for one before.
        HoldScope::Case(_) => true,
        HoldScope::Handover(id) => context.facts.handover(id)?.is_some(),
        HoldScope::Consent(id) => context.facts.consent(id)?.is_some(),
        HoldScope::Alert(id) => context.facts.alert(id)?.is_some(),
    };
    if !known {
        return Err(Refusal::new(Code::UnknownSubject, "this node has nothing with this id"));
    }
    let subject = scope.subject();
    if lift != in_force(context.facts, subject, kind)? {
        let message = if lift { "no such hold is in force" } else { "it is held so already" };
        return Err(Refusal::new(Code::WrongState, message));
    }
    let body = Body::Hold { subject, kind, lifted: lift, reason: reason.as_str().to_owned() };
    Ok(Decision { entries: vec![NewEntry::bare(body)], reply: Reply::Done { entry: context.next } })
}

/// Suspends the exchange of cases with a peer, or resumes it. Takes effect with its entry.
pub(super) fn suspend(
    context: &Context<'_>,
    caller: &Caller,
    peer: Society,
    suspended: bool,
    reason: &Note,
) -> Result<Decision, Refusal> {
    caller.require(&[Role::NodeAdmin, Role::Dpo, Role::Supervisor])?;
    if context.facts.peer(peer)?.is_none() {
        return Err(Refusal::new(Code::UnknownPeer, format!("{peer} is no peer of this node")));
    }
    if let Some(row) = context.facts.suspension(peer)?
        && row.suspended == suspended
    {
        return Ok(Decision { entries: Vec::new(), reply: Reply::Done { entry: row.entry } });
    }
    if !suspended && context.facts.suspension(peer)?.is_none() {
        return Err(Refusal::new(Code::WrongState, "the peer is not suspended here; look at the configuration"));
    }
    let body = Body::Suspension { peer, suspended, reason: reason.as_str().to_owned() };
    Ok(Decision { entries: vec![NewEntry::bare(body)], reply: Reply::Done { entry: context.next } })
}
