//! Looking for what is due: a stretch of rows or entries at a time.

use passerelle_domain::{
    alert::Alert,
    consent::{ConsentRecord, EvidenceRow, evidence::key_of},
    decide::{Context, HoldScope, Target, draft_due, evidence_due, evidence_of, is_held},
    digest::Digest,
    entry::{Body, FORGET_MAX},
    envelope::{Envelope, SignedEnvelope},
    facts::Facts as _,
    handover::Action,
    ids::{AlertId, CaseId, ConsentId, EntryIndex, HandoverId, RequestId},
    refusal::Refusal,
    retention::{Rule, alert_due, consent_due, correction_due, handover_due, request_due},
    rights::{CorrectionRow, RequestRow, correction},
    rows::{AlertRow, ConsentRow, DraftRow, HandoverRow},
    time::Time,
};

use super::{Found, Upkeep};
use crate::store::{
    Direction, keys,
    view::{View, decode, failed},
};

/// Rows or entries in one stretch.
const STRETCH: usize = 1_000;
/// The kinds of rows that age, in the order in which they are looked at.
const LETTERS: [u8; 7] = *b"hcOadQR";

/// Where a sweep goes on.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// At this key of the rows of this kind.
    Rows { kind: usize, from: keys::Key, evidence: EntryIndex },
    /// At this entry.
    Evidence(EntryIndex),
}

impl Place {
    /// The beginning; `evidence` is the first entry to look at once the rows are through.
    pub(super) fn first(evidence: EntryIndex) -> Self {
        Self::Rows { kind: 0, from: keys::all(LETTERS[0]).0, evidence }
    }
}

/// What a stretch held.
pub(super) struct Looked {
    pub(super) found: Vec<Found>,
    pub(super) next: Option<Place>,
    /// No entry before this one names evidence any more, once what was found is purged.
    pub(super) evidence_until: Option<EntryIndex>,
}

impl Upkeep {
    /// Looks at the stretch that begins at `place`.
    pub(super) fn look(&self, place: &Place, now: Time) -> Result<Looked, Refusal> {
        let view = self.parts.engine.view();
        let policy = self.parts.policy.borrow().clone();
        let context = Context {
            own: self.parts.own,
            now,
            wall: now,
            next: EntryIndex(self.parts.engine.durable().borrow().entries),
            facts: &view,
            signer: &*self.parts.signer,
            policy: &policy,
            pseudonyms: &self.parts.pseudonyms,
        };
        let until = now.plus(policy.retention.warn_before);
        match place {
            Place::Rows { kind, from, evidence } => self.rows(&context, &view, (*kind, from, *evidence), until),
            Place::Evidence(from) => evidence(&context, *from),
        }
    }

    fn rows(
        &self,
        context: &Context<'_>,
        view: &View<'_>,
        (kind, from, evidence): (usize, &keys::Key, EntryIndex),
        until: Time,
    ) -> Result<Looked, Refusal> {
        let letter = LETTERS[kind];
        let (mut found, mut last, mut count) = (Vec::new(), None, 0);
        for pair in self.parts.engine.store().scan(from, &keys::all(letter).1, Direction::Forward).take(STRETCH) {
            let (key, value) = pair.map_err(failed)?;
            count += 1;
            if letter == b'R' {
                found.extend(request(context, &key, &value)?.filter(|one| one.due.at <= until));
            } else if let Some(id) = keys::id_bytes(&key) {
                let one = match letter {
                    b'h' => handover(context, view, HandoverId::from_bytes(id), &value)?,
                    b'c' => consent(context, ConsentId::from_bytes(id), &value)?,
                    b'Q' => correction(context, RequestId::from_bytes(id), &value)?,
                    b'd' => draft(context, AlertId::from_bytes(id), &value)?,
                    b'O' => evidence_of_consent(context, ConsentId::from_bytes(id), &value)?,
                    _ => alert(context, AlertId::from_bytes(id), &value, until)?,
                };
                found.extend(one.filter(|one| one.due.at <= until));
            }
            last = Some(key);
        }
        let next = match last {
            Some(mut key) if count == STRETCH => {
                key.push(0);
                Place::Rows { kind, from: key, evidence }
            }
            _ if kind + 1 < LETTERS.len() => {
                Place::Rows { kind: kind + 1, from: keys::all(LETTERS[kind + 1]).0, evidence }
            }
            _ => Place::Evidence(evidence),
        };
        Ok(Looked { found, next: Some(next), evidence_until: None })
    }
}

fn handover(context: &Context<'_>, view: &View<'_>, id: HandoverId, value: &[u8]) -> Result<Option<Found>, Refusal> {
    let row: HandoverRow = decode(value)?;
    let keeping = view.keeping(id)?;
    let Some(due) = handover_due(&row, &keeping, context.own, &context.policy.retention) else { return Ok(None) };
    let mut scopes = vec![HoldScope::Handover(id), HoldScope::Consent(row.consent.id)];
    scopes.extend(row.case.map(HoldScope::Case));
    let held = is_held(context.facts, &scopes)?;
    let shred = in_vault(context, view, &row)?;
    Ok(Some(Found { due, kind: "handover", id: Some(id.into()), held, target: Target::Handover(id), shred }))
}

/// What the vault may hold of a handover: its package, and the sealed bytes that went or were to go out.
pub(super) fn in_vault(
    context: &Context<'_>,
    view: &View<'_>,
    row: &HandoverRow,
) -> Result<Option<(CaseId, Vec<Digest>)>, Refusal> {
    let mut names: Vec<Digest> = row.package.iter().map(|package| package.commitment).collect();
    names.extend(&row.earlier);
    if row.from == context.own {
        for event in row.history.iter().filter(|event| event.action == Action::Release) {
            if let Some(Body::Issued(meta)) = view.entry(event.entry)?.map(|entry| entry.body) {
                names.extend(meta.attachment.map(|attachment| attachment.digest));
            }
        }
    }
    Ok(row.case.filter(|_| !names.is_empty()).map(|case| (case, names)))
}

fn consent(context: &Context<'_>, id: ConsentId, value: &[u8]) -> Result<Option<Found>, Refusal> {
    let row: ConsentRow = decode(value)?;
    let Some(object) = context.facts.object(row.entry)? else { return Ok(None) };
    let due = consent_due(&ConsentRecord::from_cbor(&object)?, &context.policy.retention);
    let held = is_held(context.facts, &[HoldScope::Consent(id), HoldScope::Case(row.case)])?;
    Ok(Some(Found { due, kind: "consent", id: Some(id.into()), held, target: Target::Consent(id), shred: None }))
}

fn evidence_of_consent(context: &Context<'_>, id: ConsentId, value: &[u8]) -> Result<Option<Found>, Refusal> {
    let row: EvidenceRow = decode(value)?;
    let Some((due, scopes)) = evidence_due(context, id)? else { return Ok(None) };
    let held = is_held(context.facts, &scopes)?;
    let names = row.pieces.iter().map(|piece| piece.place.commitment).collect();
    let shred = Some((key_of(id), names));
    let target = Target::ConsentEvidence(id);
    Ok(Some(Found { due, kind: "consent_evidence", id: Some(id.into()), held, target, shred }))
}

fn draft(context: &Context<'_>, id: AlertId, value: &[u8]) -> Result<Option<Found>, Refusal> {
    let row: DraftRow = decode(value)?;
    let held = is_held(context.facts, &[HoldScope::Alert(id)])?;
    let found = |due| Found { due, kind: "draft", id: Some(id.into()), held, target: Target::Draft(id), shred: None };
    Ok(draft_due(context, &row)?.map(found))
}

/// A correction goes from the vault with its key, and with what was sealed of it to others.
fn correction(context: &Context<'_>, id: RequestId, value: &[u8]) -> Result<Option<Found>, Refusal> {
    let row: CorrectionRow = decode(value)?;
    let request = context.facts.request(id)?;
    let due = correction_due(&row, request.as_ref(), &context.policy.retention);
    let names = row.sent.iter().copied().chain(row.kept.map(|place| place.commitment)).collect();
    let (target, shred) = (Target::Correction(id), Some((correction::key_of(id), names)));
    Ok(due.map(|due| Found { due, kind: "correction", id: Some(id.into()), held: false, target, shred }))
}

/// Requests stand beside cards, which have no age.
fn request(context: &Context<'_>, key: &[u8], value: &[u8]) -> Result<Option<Found>, Refusal> {
    let Some(id) = keys::request_id(key) else { return Ok(None) };
    let row: RequestRow = decode(value)?;
    let due = request_due(&row, &context.policy.retention);
    let target = Target::Request(id);
    Ok(due.map(|due| Found { due, kind: "request", id: Some(id.into()), held: false, target, shred: None }))
}

fn alert(context: &Context<'_>, id: AlertId, value: &[u8], until: Time) -> Result<Option<Found>, Refusal> {
    let row: AlertRow = decode(value)?;
    // Most are young, and their content need not be read to know that.
    if row.expires_at.plus(context.policy.retention.of(Rule::Alert)) > until {
        return Ok(None);
    }
    let Some(object) = context.facts.object(row.entry)? else { return Ok(None) };
    let envelope = Envelope::parse(&SignedEnvelope::from_object(&object)?.payload)?;
    let alert = Alert::from_cbor(&envelope.body)?;
    let Some(due) = alert_due(&row, &alert, &context.policy.retention) else { return Ok(None) };
    let held = is_held(context.facts, &[HoldScope::Alert(id)])?;
    Ok(Some(Found { due, kind: "alert", id: Some(id.into()), held, target: Target::Alert(id), shred: None }))
}

/// Entries in the order of their time: the first that is too young ends the search.
fn evidence(context: &Context<'_>, from: EntryIndex) -> Result<Looked, Refusal> {
    let (mut due, mut kept_from, mut index) = (Vec::new(), None, from);
    let mut ended = false;
    for _ in 0..STRETCH {
        let Some(entry) = context.facts.entry(index)? else {
            ended = true;
            break;
        };
        if entry.time.plus(context.policy.retention.evidence) > context.now {
            ended = true;
            break;
        }
        let here = context.facts.object(index)?.is_some();
        match if here { evidence_of(context, index)? } else { None } {
            Some(one) => due.push((index, one)),
            // Another rule has it, or a hold: it may be looked at again.
            None if here => kept_from = kept_from.or(Some(index)),
            None => {}
        }
        index = EntryIndex(index.0 + 1);
    }
    let found = due.chunks(FORGET_MAX).filter_map(|chunk| {
        let last = chunk.last()?.1;
        let target = Target::Evidence(chunk.iter().map(|(index, _)| *index).collect());
        Some(Found { due: last, kind: "evidence", id: None, held: false, target, shred: None })
    });
    let next = (!ended).then_some(Place::Evidence(index));
    // The next sweep begins at what stayed here, or after all of this.
    let evidence_until = (kept_from.is_none() && due.len() < FORGET_MAX).then_some(index);
    Ok(Looked { found: found.collect(), next, evidence_until })
}
