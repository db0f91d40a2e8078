//! Erasure after a withdrawal, and what the lanes withhold meanwhile.

use std::collections::BTreeSet;

use crate::{
    entry::{Body, EnvelopeMeta, ForgetReason},
    envelope::{Kind, Lane},
    fold::{self, Content},
    handover::Gate,
    ids::{CaseId, EntryIndex, HandoverId, Position},
    refusal::{Code, Fault, Refusal},
    rights::News,
    rows::{CaseRow, HandoverRow},
    society::Society,
};

use super::{
    Context, Decision, NewEntry, Reply, cards, evidence, forget, handovers, holders, holds,
    withdrawals::{check_in_use, receipt},
};

/// A case was erased in the vault: said in the journal, and to all who are owed word of it. Or a hold kept it there, and
/// that is said instead, once.
pub(super) fn erased(context: &Context<'_>, case: CaseId, kept: bool) -> Result<Decision, Refusal> {
    let done = |entry| Ok(Decision { entries: Vec::new(), reply: Reply::Done { entry } });
    let row = context.facts.case(case)?.unwrap_or_default();
    if let Some(erased) = row.erased {
        return done(erased);
    }
    if row.due.is_none() {
        return Err(Refusal::new(Code::WrongState, "nothing asks for the erasure of this case"));
    }
    if let Some(entry) = row.held.filter(|_| kept) {
        return done(entry);
    }
    let body = if kept { Body::ErasureHeld { case } } else { Body::CaseErased { case } };
    let mut entries = vec![NewEntry::bare(body)];
    for owed in &row.owed {
        crate::defect!(EraseInSilence => continue);
        entries.extend(receipt(context, *owed, kept)?);
    }
    if !kept {
        for consent in &row.consents {
            entries.extend(evidence::destroyed(context, *consent, ForgetReason::Withdrawn)?);
        }
        for request in &row.requests {
            entries.extend(holders::correction_destroyed(context, *request)?);
        }
        entries.extend(forget_letters(context, &row)?);
    }
    Ok(Decision { entries, reply: Reply::Done { entry: context.next } })
}

/// What was offered of an erased case, and answered, is forgotten with it: the views keep what is owed to nobody.
fn forget_letters(context: &Context<'_>, row: &CaseRow) -> Result<Vec<NewEntry>, Refusal> {
    let mut letters = BTreeSet::new();
    for handover in row.handovers.iter().chain(row.owed.iter().map(|owed| &owed.handover)) {
        let Some(row) = context.facts.handover(*handover)? else { continue };
        letters.extend(letters_of(context, *handover, &row)?);
        letters.extend(cards::card_of(context, &row)?);
    }
    for request in &row.requests {
        // A complaint, or what is still to be answered, is not forgotten because the case is: a rule of retention has it.
        let request = context.facts.request(*request)?.filter(|row| row.is_answered() && row.request.topic.is_none());
        letters.extend(request.into_iter().flat_map(|row| row.said));
    }
    forget(context, letters, ForgetReason::Withdrawn)
}

/// The entries whose objects say something of a handover in words: its offer, also as it was first written down, the note
/// of an override, the answers and the steps.
pub(super) fn letters_of(
    context: &Context<'_>,
    id: HandoverId,
    row: &HandoverRow,
) -> Result<BTreeSet<EntryIndex>, Refusal> {
    let mut letters = BTreeSet::from([row.entry]);
    if let Some(safeguard) = context.facts.safeguard(id)? {
        letters.extend(safeguard.proposal);
        letters.extend(safeguard.overriding.map(|one| one.entry));
    }
    for step in &row.history {
        // A receipt that rejects an offer is evidence of the lane, and stays.
        if context.facts.entry(step.entry)?.is_some_and(|entry| !matches!(entry.body, Body::Receipted { .. })) {
            letters.insert(step.entry);
        }
    }
    Ok(letters)
}

/// Whether an envelope of ours about a person may be sent at this moment; asked at each attempt.
///
/// # Errors
/// Why not: the consent does not cover it any more, or it is frozen.
pub fn may_send(context: &Context<'_>, meta: &EnvelopeMeta) -> Result<(), Refusal> {
    crate::defect!(SkipConsentAtRetry => return Ok(()));
    let Some(id) = meta.subject.filter(|_| meta.origin == context.own).map(HandoverId::from) else { return Ok(()) };
    match meta.kind {
        Kind::SubjectRequest if meta.attachment.is_some() => return correction_may_go(context, meta),
        Kind::HandoverOffer | Kind::HandoverRelease => {}
        _ => return Ok(()),
    }
    // A package waits in its lane for the end of a suspension. An offer would hold up the alerts behind it: it is not sent.
    if let (Kind::HandoverOffer, Some(peer)) = (meta.kind, meta.recipients.first()) {
        context.check_exchange(*peer)?;
        context.check_transfer(context.own, *peer)?;
    }
    still_open(context, id)
}

/// Whether what is sealed to a request for rectification may go to its recipient: it would hold up the alerts behind it, and
/// is not sent where a case may not be exchanged now, or where the handover by which the recipient has something is closed.
fn correction_may_go(context: &Context<'_>, meta: &EnvelopeMeta) -> Result<(), Refusal> {
    for peer in &meta.recipients {
        context.check_exchange(*peer)?;
        context.check_transfer(context.own, *peer)?;
    }
    let Some(row) = context.facts.envelope(meta.origin, meta.id)? else { return Ok(()) };
    let (Some(entry), Some(object)) = (context.facts.entry(row.entry)?, context.facts.object(row.entry)?) else {
        return Ok(());
    };
    match fold::content(&entry.body, &object)? {
        Content::Rights(message) => match message.news {
            News::Due { handover } => still_open(context, handover),
            News::Asked { .. } | News::Answered { .. } => Ok(()),
        },
        // What was forgotten meanwhile has its place in the lane alone.
        _ => Ok(()),
    }
}

/// Refuses what may not go by a handover any more: it is stopped, frozen, or not covered now.
fn still_open(context: &Context<'_>, id: HandoverId) -> Result<(), Refusal> {
    if let Some(row) = context.facts.handover(id)? {
        check_in_use(context, id, &row)?;
        holds::check_not_frozen(context, id, &row)?;
    }
    match handovers::covered(context, id, Gate::Retry) {
        Err(refusal) if refusal.code == Code::StoreFailed => Err(refusal),
        Err(refusal) if refusal.code.fault() == Fault::Policy => Err(refusal),
        _ => Ok(()),
    }
}

/// The envelope at a position is not sent.
pub(super) fn end_withheld(
    context: &Context<'_>,
    peer: Society,
    lane: Lane,
    position: Position,
) -> Result<Decision, Refusal> {
    let done = Decision { entries: Vec::new(), reply: Reply::Done { entry: context.next } };
    let Some(item) = context.facts.lane_item(peer, lane, position)? else { return Ok(done) };
    if item.ended.is_some() || position <= context.facts.lane_out(peer, lane)?.receipted {
        return Ok(done);
    }
    let refusal = match context.facts.entry(item.entry)?.map(|entry| entry.body) {
        Some(Body::Issued(meta)) => may_send(context, &meta).err(),
        _ => None,
    };
    match refusal {
        Some(refusal) if refusal.code == Code::StoreFailed => Err(refusal),
        Some(refusal) => {
            let code = refusal.code.as_str().to_owned();
            let entry = NewEntry::bare(Body::DeliveryWithheld { peer, lane, position, code });
            Ok(Decision { entries: vec![entry], ..done })
        }
        // The moment has passed at which something forbade it.
        None => Ok(done),
    }
}
