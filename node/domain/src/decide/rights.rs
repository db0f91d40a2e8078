//! Requests of persons: taken anywhere with the code on a card and the answer to its question, checked by the Society
//! whose card it is, brought to every holder, answered by each. Also the making of cards, and the record of a breach.

use crate::{
    catalogue::{Right, Role},
    consent::Actor as ConsentActor,
    digest::Digest,
    entry::Body,
    envelope::Attachment,
    fold::Content,
    handover::{CaseShortCode, State},
    ids::{EnvelopeId, HandoverId, RequestId},
    limits::CHECK_WRONG_MAX,
    refusal::{Code, Refusal},
    retention::HoldKind,
    rights::{
        Breach, CardSecret, Carried, Corrected, CorrectionEntry, Held, News, Outcome, RequestReason, RequestRow,
        RightsEntry, RightsMessage, SubjectRequest, Via,
    },
    society::Society,
};

use super::{
    Caller, Context, Decision, HoldScope, NewEntry, Reply, cards, corrections,
    holders::{has_left, held_here, passed_on, told, told_with},
    holds, withdrawals,
};

/// Why a restriction lies over something, as its hold says it.
const AT_WISH: &str = "At the wish of the person";
/// Who may take a request: whoever meets the person.
const TAKERS: [Role; 8] = [
    Role::DutyOfficer,
    Role::Caseworker,
    Role::Medical,
    Role::CpOfficer,
    Role::GbvOfficer,
    Role::Supervisor,
    Role::RflOfficer,
    Role::Dpo,
];

/// What is asked about the rights of a person.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each field is the type that it has; `caller` is who asks")]
pub enum RightsCommand {
    /// Makes a card for a handover of ours, or makes it anew.
    MakeCard { caller: Caller, handover: HandoverId, secret: CardSecret },
    /// Takes a request, with the slow hash of the answer that was given.
    Take { caller: Caller, request: Box<SubjectRequest>, proof: Digest, correction: Option<Carried> },
    /// Answers a request that waits for a person here.
    Answer { caller: Caller, request: RequestId, outcome: Outcome, reason: Option<RequestReason> },
    /// Applies the correction of a request to packages of this node, and passes it on, sealed, to who has them from here.
    Correct { caller: Caller, request: RequestId, corrected: Vec<Corrected>, onward: Vec<(HandoverId, Attachment)> },
    /// Records that somebody reads what the holders answered, before they do.
    Read { caller: Caller, request: RequestId },
    /// Records what is known of a breach.
    RecordBreach { caller: Caller, breach: Box<Breach> },
}

impl From<RightsCommand> for super::Command {
    fn from(command: RightsCommand) -> Self {
        Self::Rights(command)
    }
}

impl RightsCommand {
    /// The name of the request, for the record of a refusal and for metrics.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::MakeCard { .. } => "make_card",
            Self::Take { .. } => "take_request",
            Self::Answer { .. } => "answer_request",
            Self::Correct { .. } => "correct",
            Self::Read { .. } => "read_request",
            Self::RecordBreach { .. } => "record_breach",
        }
    }

    /// Who asks.
    pub(super) fn caller(&self) -> &Caller {
        match self {
            Self::MakeCard { caller, .. }
            | Self::Take { caller, .. }
            | Self::Answer { caller, .. }
            | Self::Correct { caller, .. }
            | Self::Read { caller, .. }
            | Self::RecordBreach { caller, .. } => caller,
        }
    }

    /// What it is about, where that has an id.
    pub(super) fn subject(&self) -> Option<EnvelopeId> {
        match self {
            Self::MakeCard { handover, .. } => Some((*handover).into()),
            Self::Take { request, .. } => Some(request.id.into()),
            Self::Answer { request, .. } | Self::Correct { request, .. } | Self::Read { request, .. } => {
                Some((*request).into())
            }
            Self::RecordBreach { .. } => None,
        }
    }
}

pub(super) fn decide(context: &Context<'_>, command: RightsCommand) -> Result<Decision, Refusal> {
    match command {
        RightsCommand::MakeCard { caller, handover, secret } => cards::make_card(context, &caller, handover, secret),
        RightsCommand::Take { caller, request, proof, correction } => {
            take(context, &caller, &request, proof, correction)
        }
        RightsCommand::Correct { caller, request, corrected, onward } => {
            corrections::correct(context, &caller, request, corrected, onward)
        }
        RightsCommand::Answer { caller, request, outcome, reason } => {
            answer(context, &caller, request, outcome, reason)
        }
        RightsCommand::Read { caller, request } => {
            let row = visible(context, &caller, request)?;
            let entry = RightsEntry::Read { request: row.request.id };
            Ok(done(context, vec![NewEntry::bare(Body::Rights(entry))]))
        }
        RightsCommand::RecordBreach { caller, breach } => {
            caller.require(&[Role::Dpo])?;
            breach.check(context.now)?;
            Ok(done(context, vec![NewEntry::bare(Body::Breach(*breach))]))
        }
    }
}

fn done(context: &Context<'_>, entries: Vec<NewEntry>) -> Decision {
    Decision { entries, reply: Reply::Done { entry: context.next } }
}

/// What came of looking at an answer.
enum Checked {
    /// It is right; the card is that of this handover.
    Right(HandoverId),
    /// It is wrong, or no card has the code: the same to whoever asks.
    Wrong,
    /// Too many wrong ones came.
    Locked,
}

fn check(context: &Context<'_>, code: &CaseShortCode, proof: &Digest, right: Right) -> Result<Checked, Refusal> {
    let row = context.facts.card(code)?.unwrap_or_default();
    if row.is_locked(context.now) {
        return Ok(Checked::Locked);
    }
    let Some((handover, entry)) = row.made else { return Ok(Checked::Wrong) };
    let secret = context.facts.object(entry)?.map(|object| CardSecret::from_cbor(&object)).transpose()?;
    let right = secret.is_some_and(|secret| secret.entitles(proof, right));
    Ok(if right { Checked::Right(handover) } else { Checked::Wrong })
}

fn take(
    context: &Context<'_>,
    caller: &Caller,
    request: &SubjectRequest,
    proof: Digest,
    correction: Option<Carried>,
) -> Result<Decision, Refusal> {
    caller.require(&TAKERS)?;
    request.check()?;
    corrections::check_carried(context, request, correction)?;
    if let Some(row) = context.facts.request(request.id)? {
        let same = row.request.right == request.right && row.request.code == request.code;
        return if same && row.request.card_of == request.card_of {
            Ok(Decision { entries: Vec::new(), reply: Reply::Done { entry: row.entry } })
        } else {
            Err(Refusal::new(Code::DuplicateId, "another request has this id").at("id"))
        };
    }
    let body = Body::Rights(RightsEntry::Taken { request: request.id, digest: request.digest() });
    let content = Content::Request(Box::new(request.clone()));
    let mut entries = vec![NewEntry::with_object(body, request.to_cbor(), Some(content))];
    if request.card_of != context.own {
        if context.facts.peer(request.card_of)?.is_none_or(|peer| peer.removed) {
            let message = format!("{} is no peer of this node; send the person's request there", request.card_of);
            return Err(Refusal::new(Code::UnknownPeer, message).at("society"));
        }
        let sealed = match correction {
            Some(Carried::Sealed(sealed)) => {
                context.check_exchange(request.card_of)?;
                context.check_transfer(context.own, request.card_of)?;
                Some(sealed)
            }
            _ => None,
        };
        entries.push(told_with(context, request.card_of, request, News::Asked { proof }, sealed));
        return Ok(done(context, entries));
    }
    match check(context, &request.code, &proof, request.right)? {
        Checked::Right(handover) => {
            if let Some(Carried::Here(place)) = correction {
                let kept = CorrectionEntry::Kept { request: request.id, place };
                entries.push(NewEntry::bare(Body::Correction(kept)));
            }
            entries.extend(open(context, request, handover, correction.is_some())?);
            Ok(done(context, entries))
        }
        Checked::Wrong => {
            let before = context.facts.card(&request.code)?.unwrap_or_default();
            let wrong = if before.is_over(context.now) { 1 } else { before.wrong + 1 };
            let entry = RightsEntry::CheckFailed { code: request.code.clone() };
            let reply = Reply::CheckFailed { locked: wrong >= CHECK_WRONG_MAX };
            Ok(Decision { entries: vec![NewEntry::bare(Body::Rights(entry))], reply })
        }
        Checked::Locked => Err(Refusal::new(Code::CheckLocked, "three wrong answers came with this code today")),
    }
}

/// The answer was right: the request goes to all who hold something of the case, and is done here as far as no person
/// has to see to it.
fn open(
    context: &Context<'_>,
    request: &SubjectRequest,
    card: HandoverId,
    corrects: bool,
) -> Result<Vec<NewEntry>, Refusal> {
    let opened = RightsEntry::Opened { request: request.id, code: request.code.clone() };
    let mut entries = vec![NewEntry::bare(Body::Rights(opened))];
    let case = context.facts.handover(card)?.and_then(|row| row.case);
    let mut handovers = vec![card];
    if let Some(row) = case.map(|case| context.facts.case(case)).transpose()?.flatten() {
        handovers.extend(row.handovers.into_iter().filter(|id| *id != card));
    }
    let mut own_answer = None;
    match request.right {
        Right::Erasure => {
            let about = case.map_or(withdrawals::About::Handover(card), withdrawals::About::Case);
            let by = if request.via == Via::Person { ConsentActor::Person } else { ConsentActor::Representative };
            entries.extend(withdrawals::withdraw(context, &Caller::system(), about, by, None, None)?.entries);
            own_answer = Some((Outcome::Done, None));
        }
        Right::Access => own_answer = Some((Outcome::Done, Some(held_here(context, &handovers)?))),
        Right::Objection | Right::Restriction => {
            let scope = case.map_or(HoldScope::Handover(card), HoldScope::Case);
            entries.extend(restrict(context, scope)?);
            own_answer = Some((Outcome::Done, None));
        }
        _ => {}
    }
    // A correction goes to the holders once a person here has found it right.
    if !matches!(request.right, Right::Erasure | Right::Complaint) && !corrects {
        for handover in handovers {
            let Some(row) = context.facts.handover(handover)? else { continue };
            if has_left(&row) && row.from == context.own {
                entries.push(told(context, row.to, request, News::Due { handover }));
            }
        }
    }
    if let Some((outcome, held)) = own_answer {
        entries.extend(answered_here(context, request, outcome, None, held));
    }
    Ok(entries)
}

/// This Society of the card has its own answer: written down, and told to whoever took the request.
fn answered_here(
    context: &Context<'_>,
    request: &SubjectRequest,
    outcome: Outcome,
    reason: Option<RequestReason>,
    held: Option<Held>,
) -> Vec<NewEntry> {
    let entry = RightsEntry::Answered { request: request.id, outcome, reason };
    let mut entries = vec![NewEntry::bare(Body::Rights(entry))];
    if request.taken_by != context.own {
        let news = News::Answered { holder: context.own, handover: None, outcome, reason, held };
        entries.push(told(context, request.taken_by, request, news));
    }
    entries
}

/// A restriction over something, unless one is there already.
fn restrict(context: &Context<'_>, scope: HoldScope) -> Result<Option<NewEntry>, Refusal> {
    let (subject, kind) = (scope.subject(), HoldKind::Restriction);
    if holds::in_force(context.facts, subject, kind)? {
        return Ok(None);
    }
    let body = Body::Hold { subject, kind, lifted: false, reason: AT_WISH.to_owned() };
    Ok(Some(NewEntry::bare(body)))
}

/// Judges what a peer tells of a request.
pub(super) fn judge(context: &Context<'_>, message: &RightsMessage, by: Society) -> Result<(), Refusal> {
    let request = &message.request;
    let known = context.facts.request(request.id)?;
    if known.as_ref().is_some_and(|row| row.request != request.outline()) {
        return Err(Refusal::new(Code::DuplicateId, "another request has this id"));
    }
    let no_part = || Refusal::new(Code::WrongSociety, format!("{by} has no such part in this request"));
    match &message.news {
        News::Asked { .. } => {
            let fits = request.taken_by == by && request.card_of == context.own;
            if fits { Ok(()) } else { Err(no_part()) }
        }
        News::Due { handover } => {
            let row = context.facts.handover(*handover)?;
            // From the Society of the card, or from whoever had it from there and passed it on here.
            let fits = match row {
                Some(row) => row.from == by && row.to == context.own,
                None => request.card_of == by,
            };
            if fits { Ok(()) } else { Err(no_part()) }
        }
        News::Answered { holder, handover, .. } => {
            let row = known.ok_or_else(|| Refusal::new(Code::BadReference, "nothing was asked of them here"))?;
            let asked = *holder == by && row.holder(by, *handover).is_some();
            let forwarded = request.card_of == by && request.taken_by == context.own;
            // A holder tells whoever asked it what those say to whom it had passed it on; those whom this node told itself
            // speak for themselves.
            let via = row.holders.iter().any(|one| one.society == by && one.told.is_some());
            let told_by_us = row.holder(*holder, *handover).is_some_and(|one| one.told.is_some());
            let of_onward = via && *holder != context.own && !told_by_us;
            if asked || forwarded || of_onward { Ok(()) } else { Err(no_part()) }
        }
    }
}

/// What follows from what a peer told of a request.
pub(super) fn follow(
    context: &Context<'_>,
    content: &Content,
    by: Society,
    corrects: bool,
) -> Result<Vec<NewEntry>, Refusal> {
    let Content::Rights(message) = content else { return Ok(Vec::new()) };
    let request = &message.request;
    match &message.news {
        News::Asked { proof } => asked(context, request, proof, corrects),
        News::Due { handover } => due(context, request, *handover, by),
        News::Answered { holder, handover, outcome, reason, held } => {
            let Some(known) = context.facts.request(request.id)? else { return Ok(Vec::new()) };
            let first = known.holder(*holder, *handover).is_none_or(|one| one.answer.is_none());
            let here = request.card_of == context.own;
            let to = if here { request.taken_by } else { asker(context, &known)? };
            let passes_on = to != context.own && to != by;
            if !first || !passes_on {
                return Ok(Vec::new());
            }
            let (holder, handover, outcome, reason) = (*holder, *handover, *outcome, *reason);
            let news = News::Answered { holder, handover, outcome, reason, held: held.clone() };
            Ok(vec![told(context, to, request, news)])
        }
    }
}

/// Who asked this node about what it holds: whoever it has it from, and otherwise the Society of the card.
fn asker(context: &Context<'_>, row: &RequestRow) -> Result<Society, Refusal> {
    let mine = row.holders.iter().filter(|one| one.society == context.own);
    match mine.filter_map(|one| one.handover).next() {
        Some(handover) => asker_of(context, &row.request, handover),
        None => Ok(row.request.card_of),
    }
}

/// Who asked this node about what it holds by one handover.
fn asker_of(context: &Context<'_>, request: &SubjectRequest, handover: HandoverId) -> Result<Society, Refusal> {
    Ok(context.facts.handover(handover)?.map_or(request.card_of, |row| row.from))
}

/// A Society took a request with a card of ours. A wrong answer is told to it, in the same words as an unknown code.
fn asked(
    context: &Context<'_>,
    request: &SubjectRequest,
    proof: &Digest,
    corrects: bool,
) -> Result<Vec<NewEntry>, Refusal> {
    if context.facts.request(request.id)?.is_some_and(|row| row.opened.is_some()) {
        return Ok(Vec::new());
    }
    let checked = check(context, &request.code, proof, request.right)?;
    if let Checked::Right(handover) = checked {
        return open(context, request, handover, corrects);
    }
    let (outcome, reason) = (Outcome::Refused, Some(RequestReason::NotIdentified));
    let mut entries = answered_here(context, request, outcome, reason, None);
    if matches!(checked, Checked::Wrong) {
        let entry = RightsEntry::CheckFailed { code: request.code.clone() };
        entries.push(NewEntry::bare(Body::Rights(entry)));
    }
    Ok(entries)
}

/// The Society of the card says that a request is due here.
fn due(
    context: &Context<'_>,
    request: &SubjectRequest,
    handover: HandoverId,
    by: Society,
) -> Result<Vec<NewEntry>, Refusal> {
    let answer = |outcome, held| {
        let (holder, handover) = (context.own, Some(handover));
        told(context, by, request, News::Answered { holder, handover, outcome, reason: None, held })
    };
    let known = context.facts.request(request.id)?;
    if known.and_then(|row| row.holder(context.own, Some(handover))?.answer).is_some() {
        return Ok(Vec::new());
    }
    let Some(row) = context.facts.handover(handover)?.filter(|row| row.state != State::Erased) else {
        return Ok(vec![answer(Outcome::NothingHeld, None)]);
    };
    let mut handovers = vec![handover];
    if let Some(case) = row.case.map(|case| context.facts.case(case)).transpose()?.flatten() {
        handovers.extend(case.handovers.into_iter().filter(|other| *other != handover));
    }
    Ok(match request.right {
        Right::Access => {
            let mut entries = passed_on(context, request, &handovers)?;
            entries.push(answer(Outcome::Done, Some(held_here(context, &handovers)?)));
            entries
        }
        Right::Objection | Right::Restriction => {
            let mut entries: Vec<_> = restrict(context, HoldScope::Handover(handover))?.into_iter().collect();
            entries.extend(passed_on(context, request, &handovers)?);
            entries.push(answer(Outcome::Done, None));
            entries
        }
        // A person sees to it: `passerelle subject answer`.
        _ => Vec::new(),
    })
}

/// A request that the caller may see. Complaints bypass everybody but the officer whom they are for, so that whoever a
/// complaint is about learns nothing of it.
///
/// # Errors
/// `role_missing`, or `unknown_request`, also for what is hidden.
pub(super) fn visible(context: &Context<'_>, caller: &Caller, id: RequestId) -> Result<RequestRow, Refusal> {
    let mut readers = TAKERS.to_vec();
    readers.push(Role::Auditor);
    caller.require(&readers)?;
    let unknown = || Refusal::new(Code::UnknownRequest, "this node has no such request").at("id");
    let row = context.facts.request(id)?.ok_or_else(unknown)?;
    if may_see(caller, &row) { Ok(row) } else { Err(unknown()) }
}

/// Whether a caller may see a request.
#[must_use]
pub fn may_see(caller: &Caller, row: &RequestRow) -> bool {
    row.request.right != Right::Complaint || caller.require(&[Role::Dpo, Role::Auditor]).is_ok()
}

fn answer(
    context: &Context<'_>,
    caller: &Caller,
    id: RequestId,
    outcome: Outcome,
    reason: Option<RequestReason>,
) -> Result<Decision, Refusal> {
    let row = visible(context, caller, id)?;
    let request = &row.request;
    match request.right {
        Right::Complaint => caller.require(&[Role::Dpo])?,
        _ => caller.require(&[Role::Caseworker, Role::Supervisor, Role::Dpo])?,
    }
    if (outcome == Outcome::Refused) != reason.is_some() {
        return Err(Refusal::new(Code::MissingField, "a refusal, and nothing else, has a reason").at("reason"));
    }
    let entries = answers(context, &row, outcome, reason)?;
    if entries.is_empty() {
        return Err(Refusal::new(Code::WrongState, "nothing of this request waits for an answer of this node"));
    }
    Ok(done(context, entries))
}

/// The answer of this node, to whoever asked it, as far as one is waited for.
///
/// # Errors
/// `store_failed`.
pub(super) fn answers(
    context: &Context<'_>,
    row: &RequestRow,
    outcome: Outcome,
    reason: Option<RequestReason>,
) -> Result<Vec<NewEntry>, Refusal> {
    let request = &row.request;
    let mine = row.holders.iter().filter(|holder| holder.society == context.own && holder.answer.is_none());
    let mut entries = Vec::new();
    for holder in mine {
        match holder.handover {
            None => entries.extend(answered_here(context, request, outcome, reason, None)),
            Some(id) => {
                let (society, handover) = (context.own, holder.handover);
                let news = News::Answered { holder: society, handover, outcome, reason, held: None };
                entries.push(told(context, asker_of(context, request, id)?, request, news));
            }
        }
    }
    Ok(entries)
}
