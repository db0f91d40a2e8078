//! Withdrawals: taken back here or told by a peer, passed on to every holder, answered, followed by erasure. One
//! decision stops everything at once: what was stopped is in the same entries as what tells of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalogue::CollectionMethod,
    consent::{Actor, ConsentEvent, ConsentRecord, EventKind, Recipient, Scope},
    digest::Digest,
    entry::{Body, Owed},
    envelope::{Envelope, FORMAT_VERSION, Lane},
    fold::{self, Content},
    handover::{Action, Offer, permitted_roles},
    ids::{CaseId, ConsentId, EntryIndex, EnvelopeId, HandoverId},
    limits::{CONSENT_EVENTS_MAX, HANDOVERS_A_CASE_MAX, HANDOVERS_A_CONSENT_MAX, SCOPE_RECIPIENTS_MAX},
    refusal::{Code, Refusal},
    rows::{HandoverRow, UseRow},
    society::Society,
    withdrawal::{KeepReason, Kept, News, Part, WithdrawalMessage},
};

use super::{Caller, Context, Decision, NewEntry, Reply};

/// Further recipients that one answer names.
const ONWARD_MAX: usize = 16;

/// Of what a consent is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Every consent of a local case.
    Case(CaseId),
    /// One consent record.
    Consent(ConsentId),
    /// The consent that a handover rests on; at a receiving node there is only that.
    Handover(HandoverId),
}

/// What was newly learnt of each consent.
type Learnt = Vec<(ConsentId, ConsentEvent)>;

/// Takes a consent back: recorded at once, stopped with it, and told to every holder.
pub(super) fn withdraw(
    context: &Context<'_>,
    caller: &Caller,
    about: About,
    by: Actor,
    method: Option<CollectionMethod>,
    scope: Option<Scope>,
) -> Result<Decision, Refusal> {
    caller.require(permitted_roles(Action::Withdraw))?;
    let kind = if scope.is_some() { EventKind::WithdrawPart } else { EventKind::Withdraw };
    let event = ConsentEvent { at: context.now, kind, actor: by, recorded_by: context.own, method, scope };
    event.check_withdrawal()?;
    let mut learnt = Learnt::new();
    let mut earlier = None;
    for consent in consents_of(context, about)? {
        let uses = uses(context, consent)?;
        if uses.knows(&event) {
            earlier = uses.events.last().map(|known| known.entry).or(earlier);
            continue;
        }
        check_bounds(&uses, &event)?;
        learnt.push((consent, event.clone()));
    }
    spread(context, &mut learnt)?;
    if learnt.is_empty() {
        let entry = earlier.unwrap_or(context.next);
        return Ok(Decision { entries: Vec::new(), reply: Reply::Done { entry } });
    }
    let mut entries: Vec<_> = learnt.iter().map(|(consent, event)| recorded(*consent, event)).collect();
    consequences(context, &learnt, None, &mut entries)?;
    Ok(Decision { entries, reply: Reply::Done { entry: context.next } })
}

fn recorded(consent: ConsentId, event: &ConsentEvent) -> NewEntry {
    let body = Body::ConsentEvent { consent, digest: event.digest() };
    NewEntry::with_object(body, event.to_cbor(), Some(Content::Event(Box::new(event.clone()))))
}

fn consents_of(context: &Context<'_>, about: About) -> Result<BTreeSet<ConsentId>, Refusal> {
    Ok(match about {
        About::Handover(id) => {
            let row = context.facts.handover(id)?;
            let unknown = || Refusal::new(Code::UnknownHandover, "this node has no such handover").at("handover");
            BTreeSet::from([row.ok_or_else(unknown)?.consent.id])
        }
        About::Consent(id) => {
            if context.facts.consent(id)?.is_none() && context.facts.uses(id)?.is_none() {
                let message = "this node has no such consent record, and nothing that rests on it";
                return Err(Refusal::new(Code::UnknownConsent, message).at("consent"));
            }
            BTreeSet::from([id])
        }
        About::Case(id) => {
            let row = context.facts.case(id)?;
            let unknown = || Refusal::new(Code::UnknownConsent, "this node has no such case").at("case");
            let row = row.ok_or_else(unknown)?;
            let mut consents: BTreeSet<_> = row.consents.iter().copied().collect();
            for handover in &row.handovers {
                consents.extend(context.facts.handover(*handover)?.map(|row| row.consent.id));
            }
            consents
        }
    })
}

fn uses(context: &Context<'_>, consent: ConsentId) -> Result<UseRow, Refusal> {
    Ok(context.facts.uses(consent)?.unwrap_or_default())
}

fn check_bounds(uses: &UseRow, event: &ConsentEvent) -> Result<(), Refusal> {
    let mut all = uses.withdrawn.clone();
    event.scope.iter().for_each(|scope| all.extend(scope));
    if all.recipients.len() > SCOPE_RECIPIENTS_MAX {
        let message = format!("at most {SCOPE_RECIPIENTS_MAX} recipients are taken back of one consent");
        return Err(Refusal::new(Code::TooMany, message).at("recipients"));
    }
    if !event.is_whole() && uses.events.len() >= CONSENT_EVENTS_MAX {
        let message = format!("a consent has at most {CONSENT_EVENTS_MAX} later events; take the whole of it back");
        return Err(Refusal::new(Code::TooMany, message));
    }
    Ok(())
}

/// What a receiving node passed on under a consent of its own is taken back with what it had received.
fn spread(context: &Context<'_>, learnt: &mut Learnt) -> Result<(), Refusal> {
    crate::defect!(ForgetOnward => return Ok(()));
    let mut at = 0;
    while let Some((consent, event)) = learnt.get(at).cloned() {
        at += 1;
        for resting in uses(context, consent)?.resting.iter().filter(|resting| resting.to == context.own) {
            let Some(case) = context.facts.handover(resting.handover)?.and_then(|row| row.case) else { continue };
            for onward in context.facts.case(case)?.unwrap_or_default().consents {
                let event = event.for_onward();
                let new = learnt.iter().all(|(known, _)| *known != onward) && !uses(context, onward)?.knows(&event);
                if new {
                    learnt.push((onward, event));
                }
            }
        }
    }
    Ok(())
}

/// What follows from what was learnt: notices to all who hold something, and cases that are to be erased.
/// `source` is who told it, through which handover.
fn consequences(
    context: &Context<'_>,
    learnt: &Learnt,
    source: Option<(Society, HandoverId)>,
    entries: &mut Vec<NewEntry>,
) -> Result<(), Refusal> {
    let mut due: BTreeMap<CaseId, Vec<Owed>> = BTreeMap::new();
    for (consent, event) in learnt {
        let uses = uses(context, *consent)?;
        for resting in &uses.resting {
            let owed = Owed { consent: *consent, handover: resting.handover, to: resting.other };
            let knows = source == Some((resting.other, resting.handover));
            if !crate::defect!(DropNotice => true, else knows) {
                entries.push(told(context, owed, event, News::Notice));
            }
            let touched = event.is_whole() || event.scope.as_ref().is_some_and(|scope| resting.is_touched_by(scope));
            if touched && resting.to == context.own {
                let case = context.facts.handover(resting.handover)?.and_then(|row| row.case);
                due.entry(case.unwrap_or_else(|| context.pseudonyms.received(resting.handover)))
                    .or_default()
                    .push(owed);
            }
        }
        if let Some(case) = own_case(context, *consent, &uses)?
            && event.is_whole()
            && let Some(owed) = whole_case(context, case, learnt)?
        {
            due.entry(case).or_default().extend(owed);
        }
    }
    for (case, owed) in due {
        erase(context, case, owed, entries)?;
    }
    Ok(())
}

/// The case of our own that a consent is of; that of the handover, where the person could not be asked for one.
fn own_case(context: &Context<'_>, consent: ConsentId, uses: &UseRow) -> Result<Option<CaseId>, Refusal> {
    if let Some(row) = context.facts.consent(consent)? {
        return Ok(Some(row.case));
    }
    for resting in uses.resting.iter().filter(|resting| resting.to != context.own) {
        let row = context.facts.handover(resting.handover)?;
        if let Some(row) = row.filter(|row| row.consent.is_none() && row.from == context.own) {
            return Ok(row.case);
        }
    }
    Ok(None)
}

/// Who is owed word of the erasure of a case of our own, if every consent of it is taken back whole.
fn whole_case(context: &Context<'_>, case: CaseId, learnt: &Learnt) -> Result<Option<Vec<Owed>>, Refusal> {
    let mut owed = Vec::new();
    for consent in context.facts.case(case)?.unwrap_or_default().consents {
        let uses = uses(context, consent)?;
        if !uses.whole && !learnt.iter().any(|(known, event)| *known == consent && event.is_whole()) {
            return Ok(None);
        }
        let one = |resting: &crate::rows::Resting| Owed { consent, handover: resting.handover, to: resting.other };
        owed.extend(uses.resting.iter().map(one));
    }
    Ok(Some(owed))
}

/// Has a case erased; who asks again about one that is gone is told again.
fn erase(context: &Context<'_>, case: CaseId, owed: Vec<Owed>, entries: &mut Vec<NewEntry>) -> Result<(), Refusal> {
    let row = context.facts.case(case)?.unwrap_or_default();
    if row.erased.is_some() {
        for one in owed {
            entries.extend(receipt(context, one, false)?);
        }
        return Ok(());
    }
    let new: Vec<_> = owed.into_iter().filter(|one| !row.owed.contains(one)).collect();
    if row.due.is_none() || !new.is_empty() {
        entries.push(NewEntry::bare(Body::ErasureDue { case, owed: new }));
    }
    Ok(())
}

/// Tells the other end of a handover of a withdrawal, ahead of all else, for as long as it takes.
fn told(context: &Context<'_>, owed: Owed, event: &ConsentEvent, news: News) -> NewEntry {
    let Owed { consent, handover, to } = owed;
    let kind = news.kind();
    let number = kind.number().to_be_bytes();
    let parts: [&[u8]; 7] = [
        b"passerelle/withdrawal/v1\0",
        &event.digest().0,
        &consent.bytes(),
        &handover.bytes(),
        &to.bytes(),
        &number,
        &context.next.0.to_be_bytes(),
    ];
    let Digest([a, b, c, d, e, f, g, h, i, j, ..]) = Digest::of_parts(&parts);
    let message = WithdrawalMessage { consent, handover, event: event.clone(), news };
    let envelope = Envelope {
        version: FORMAT_VERSION,
        id: EnvelopeId::new(context.now, [a, b, c, d, e, f, g, h, i, j]),
        origin: context.own,
        recipients: vec![to],
        kind,
        lane: Lane::Urgent,
        created_at: context.wall,
        expires_at: None,
        body: message.to_cbor().into(),
        attachment: None,
    };
    NewEntry::issued(context, &envelope, Content::Withdrawal(Box::new(message)))
}

/// The receipt of an erasure, or of its being held; none when nothing is known any more to tell of.
pub(super) fn receipt(context: &Context<'_>, owed: Owed, held: bool) -> Result<Option<NewEntry>, Refusal> {
    crate::defect!(DropNotice => return Ok(None));
    let Some(event) = newest_event(context, owed.consent)? else { return Ok(None) };
    let mut kept = vec![Kept { part: Part::Journal, reason: KeepReason::ServiceLog }];
    if context.facts.consent(owed.consent)?.is_some() {
        kept.push(Kept { part: Part::ConsentRecord, reason: KeepReason::Proof });
    }
    let mut erased = vec![Part::CaseKey, Part::SealedFiles];
    if held {
        kept.extend(erased.drain(..).map(|part| Kept { part, reason: KeepReason::LegalHold }));
    }
    Ok(Some(told(context, owed, &event, News::Erased { at: context.now, erased, kept })))
}

fn newest_event(context: &Context<'_>, consent: ConsentId) -> Result<Option<ConsentEvent>, Refusal> {
    let uses = uses(context, consent)?;
    let whole = uses.events.iter().rev().find(|known| known.whole);
    let Some(known) = whole.or(uses.events.last()) else { return Ok(None) };
    event_of(context, known.entry)
}

/// The event in the object of an entry; none when it was forgotten.
fn event_of(context: &Context<'_>, entry: EntryIndex) -> Result<Option<ConsentEvent>, Refusal> {
    let (Some(object), Some(entry)) = (context.facts.object(entry)?, context.facts.entry(entry)?) else {
        return Ok(None);
    };
    let by = entry.body.envelope().map_or(context.own, |meta| meta.origin);
    Ok(match fold::content(&entry.body, &object)? {
        Content::Event(event) => Some(*event),
        Content::Withdrawal(message) => Some(message.event),
        Content::Step(step) => step.withdrawal(by),
        _ => None,
    })
}

/// All that is known to have happened to a consent record since it was made: what every gate is asked with.
///
/// # Errors
/// `store_failed`.
pub fn events(context: &Context<'_>, consent: ConsentId) -> Result<Vec<ConsentEvent>, Refusal> {
    let uses = uses(context, consent)?;
    if !uses.whole && uses.withdrawn.is_empty() {
        return Ok(Vec::new());
    }
    // The rows say all that a gate needs to know, also when an object is gone.
    let scope = (!uses.whole).then(|| uses.withdrawn.clone());
    let kind = if uses.whole { EventKind::Withdraw } else { EventKind::WithdrawPart };
    let at = context.now;
    Ok(vec![ConsentEvent { at, kind, actor: Actor::Person, recorded_by: context.own, method: None, scope }])
}

/// Refuses all use of a handover that the person has stopped.
pub(super) fn check_in_use(context: &Context<'_>, id: HandoverId, row: &HandoverRow) -> Result<(), Refusal> {
    let uses = uses(context, row.consent.id)?;
    if uses.of(id).is_some_and(|resting| resting.stopped.is_some()) { Err(withdrawn()) } else { Ok(()) }
}

fn withdrawn() -> Refusal {
    Refusal::new(Code::Withdrawn, "the person took the consent back that this rests on")
}

/// Refuses one more handover than a consent or a case has room for.
pub(super) fn check_room(context: &Context<'_>, consent: ConsentId, case: Option<CaseId>) -> Result<(), Refusal> {
    if uses(context, consent)?.resting.len() >= HANDOVERS_A_CONSENT_MAX {
        let message = format!("at most {HANDOVERS_A_CONSENT_MAX} handovers rest on one consent record");
        return Err(Refusal::new(Code::TooMany, message));
    }
    let case = case.map(|case| context.facts.case(case)).transpose()?.flatten();
    if case.is_some_and(|row| row.handovers.len() >= HANDOVERS_A_CASE_MAX) {
        return Err(Refusal::new(Code::TooMany, format!("a case has at most {HANDOVERS_A_CASE_MAX} handovers")));
    }
    Ok(())
}

/// Refuses an offer on a consent that is known to be taken back, or that its own sender said was.
pub(super) fn judge_offer(context: &Context<'_>, offer: &Offer, by: Society) -> Result<(), Refusal> {
    check_room(context, offer.consent.id, None)?;
    crate::defect!(IgnoreTombstone => return Ok(()));
    let uses = uses(context, offer.consent.id)?;
    // A tombstone: whoever told it was not known to have a part in it, but may speak of what is theirs.
    if uses.whole || uses.events.iter().any(|known| known.by == by && !known.proven) {
        return Err(withdrawn());
    }
    if uses.stops(&fold::resting_of(&fold::OfferOutline::of(offer), context.own)) { Err(withdrawn()) } else { Ok(()) }
}

/// Judges what a peer tells of a withdrawal: only an end of the handover may.
pub(super) fn judge(context: &Context<'_>, message: &WithdrawalMessage, by: Society) -> Result<(), Refusal> {
    let no_part = || Refusal::new(Code::WrongSociety, format!("{by} has no part in this handover"));
    match context.facts.handover(message.handover)? {
        Some(row) if row.from != by && row.to != by => return Err(no_part()),
        Some(row) if row.consent.id != message.consent => {
            return Err(Refusal::new(Code::ConsentIntegrity, "the handover rests on another consent record"));
        }
        Some(_) => {}
        // Our own record, and a handover that we lost with a store that was restored: only a Society that the person
        // named can have had it.
        None => {
            if let Some(row) = context.facts.consent(message.consent)? {
                let object = context.facts.object(row.entry)?;
                let record = object.map(|object| ConsentRecord::from_cbor(&object)).transpose()?;
                if record.is_some_and(|record| !record.recipients.contains(&Recipient::Society(by))) {
                    return Err(no_part());
                }
            }
        }
    }
    let uses = uses(context, message.consent)?;
    if uses.knows(&message.event) { Ok(()) } else { check_bounds(&uses, &message.event) }
}

/// What follows from what a peer told of a withdrawal: it is passed on, answered and followed by erasure.
pub(super) fn follow(context: &Context<'_>, content: &Content, by: Society) -> Result<Vec<NewEntry>, Refusal> {
    let mut entries = Vec::new();
    let (consent, handover, event, notice) = match content {
        Content::Withdrawal(message) => {
            (message.consent, message.handover, message.event.clone(), message.news == News::Notice)
        }
        Content::Step(step) => match (step.withdrawal(by), context.facts.handover(step.id)?) {
            (Some(event), Some(row)) => (row.consent.id, step.id, event, false),
            _ => return Ok(entries),
        },
        _ => return Ok(entries),
    };
    let row = context.facts.handover(handover)?;
    let proven = row.is_some() || context.facts.consent(consent)?.is_some();
    let owed = Owed { consent, handover, to: by };
    let known = uses(context, consent)?.knows(&event);
    let mut learnt = Learnt::new();
    if proven && !known {
        learnt.push((consent, event.clone()));
        spread(context, &mut learnt)?;
        entries.extend(learnt.iter().skip(1).map(|(onward, event)| recorded(*onward, event)));
    }
    if notice && by != context.own {
        let onward = onward_of(context, row.as_ref())?;
        entries.push(told(context, owed, &event, News::Stopped { onward }));
    }
    consequences(context, &learnt, Some((by, handover)), &mut entries)?;
    if notice && by != context.own && learnt.is_empty() {
        match &row {
            // Nothing of it is here, or ever will be; what may lie in the vault goes all the same.
            None => erase(context, context.pseudonyms.received(handover), vec![owed], &mut entries)?,
            Some(row) if row.to == context.own => {
                let stopped = uses(context, consent)?.of(handover).is_some_and(|resting| resting.stopped.is_some());
                let case = row.case.unwrap_or_else(|| context.pseudonyms.received(handover));
                if stopped {
                    erase(context, case, vec![owed], &mut entries)?;
                }
            }
            Some(row) => {
                let case = row.case.map(|case| Ok::<_, Refusal>((case, context.facts.case(case)?))).transpose()?;
                if let Some((case, Some(of_case))) = case
                    && of_case.due.is_some()
                {
                    erase(context, case, vec![owed], &mut entries)?;
                }
            }
        }
    }
    Ok(entries)
}

/// To whom a case that was received here was passed on.
fn onward_of(context: &Context<'_>, row: Option<&HandoverRow>) -> Result<Vec<Society>, Refusal> {
    let Some(case) = row.filter(|row| row.to == context.own).and_then(|row| row.case) else { return Ok(Vec::new()) };
    let mut onward = BTreeSet::new();
    for handover in context.facts.case(case)?.unwrap_or_default().handovers {
        let row = context.facts.handover(handover)?;
        onward.extend(row.filter(|row| row.from == context.own).map(|row| row.to));
    }
    Ok(onward.into_iter().take(ONWARD_MAX).collect())
}
