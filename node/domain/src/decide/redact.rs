//! Redaction: an origin has what its alert says erased, here and wherever it is held, because keeping it
//! does harm. Each holder obeys and says so.

use crate::{
    alert::{AlertErased, AlertRedact},
    catalogue::{RedactReason, Role},
    digest::Digest,
    entry::ForgetReason,
    envelope::{Envelope, FORMAT_VERSION, Kind, Lane},
    fold::Content,
    ids::{AlertId, EntryIndex, EnvelopeId, IdEntropy},
    refusal::{Code, Refusal},
    society::Society,
};

use super::{Caller, Context, Decision, Letter, NewEntry, Reply, alerts, forget};

/// Erases what an alert of ours says.
pub(super) fn redact(
    context: &Context<'_>,
    caller: &Caller,
    entropy: IdEntropy,
    id: AlertId,
    reason: RedactReason,
) -> Result<Decision, Refusal> {
    // Harm does not wait for a second person: whoever may write an alert may have it forgotten.
    caller.require(&[Role::AlertAuthor, Role::AlertApprover, Role::Dpo])?;
    let row = alerts::known(context, id)?;
    if row.origin != context.own {
        return Err(Refusal::new(Code::NotOrigin, format!("only {} can redact its alert", row.origin)));
    }
    if let Some(redacted) = row.redacted {
        return Ok(Decision { entries: Vec::new(), reply: Reply::Done { entry: redacted.entry } });
    }
    let holders = alerts::holders(context, &row)?;
    let redact = AlertRedact { alert: id, reason, supersedes: row.parents().to_vec() };
    let recipients = if holders.is_empty() { vec![context.own] } else { holders };
    let envelope_id = EnvelopeId::new(context.now, entropy);
    let envelope = urgent(context, envelope_id, recipients, Kind::AlertRedact, redact.to_cbor());
    let mut decision = Decision::issuing(context, &envelope, Content::Redact(redact));
    decision.entries.extend(forget(context, said_of(context, id, row.entry)?, ForgetReason::Redacted)?);
    Ok(decision)
}

/// The entries whose objects tell of an alert in words: its own, its cancellation, and the answers to it. Notes may
/// repeat what is to be forgotten.
fn said_of(context: &Context<'_>, id: AlertId, entry: EntryIndex) -> Result<Vec<EntryIndex>, Refusal> {
    let mut entries = vec![entry];
    entries.extend(context.facts.alert(id)?.and_then(|row| row.cancelled).map(|(_, entry)| entry));
    let societies = context.facts.peers()?.into_iter().map(|(society, _)| society).chain([context.own]);
    for society in societies {
        entries.extend(context.facts.ack(id, society)?.map(|ack| ack.entry));
    }
    Ok(entries)
}

/// What follows at a holder from a redaction that it takes: what the alert says is removed, and the origin is told that
/// nothing of it is left. What is our own, given back after a restore, is sent to all its holders anew: not all may have
/// heard of it before.
pub(super) fn obeyed(context: &Context<'_>, letter: &Letter) -> Result<Vec<NewEntry>, Refusal> {
    let Content::Redact(redact) = &letter.content else { return Ok(Vec::new()) };
    let origin = letter.envelope.origin;
    let held = context.facts.alert(redact.alert)?.filter(|row| row.origin == origin && row.redacted.is_none());
    let said = held.map(|row| said_of(context, redact.alert, row.entry)).transpose()?.unwrap_or_default();
    let known = is_redacted(context, redact.alert, origin)?;
    let mut entries = forget(context, said, ForgetReason::Redacted)?;
    // A decision draws no chance: the id follows from the redaction that it answers.
    let Digest([a, b, c, d, e, f, g, h, i, j, ..]) =
        Digest::of_parts(&[b"passerelle/erased/v1\0", &letter.signed.digest().0, &context.own.bytes()]);
    let id = EnvelopeId::new(context.now, [a, b, c, d, e, f, g, h, i, j]);
    if origin != context.own {
        let erased = AlertErased { alert: redact.alert };
        let envelope = urgent(context, id, vec![origin], Kind::AlertErased, erased.to_cbor());
        entries.push(NewEntry::issued(context, &envelope, Content::Erased(erased)));
    } else if !known {
        let mut holders = letter.envelope.recipients.clone();
        holders.retain(|society| *society != context.own);
        let envelope = urgent(context, id, holders, Kind::AlertRedact, redact.to_cbor());
        entries.push(NewEntry::issued(context, &envelope, Content::Redact(redact.clone())));
    }
    Ok(entries)
}

/// Whether the redaction of an alert of `origin` is known, whether or not the alert is.
fn is_redacted(context: &Context<'_>, id: AlertId, origin: Society) -> Result<bool, Refusal> {
    let row = context.facts.alert(id)?.filter(|row| row.origin == origin);
    let tombstone = context.facts.tombstone(id)?;
    Ok(row.is_some_and(|row| row.redacted.is_some())
        || tombstone.is_some_and(|row| row.of(origin).is_some_and(|claim| claim.redacted.is_some())))
}

/// What never expires and overtakes everything.
fn urgent(context: &Context<'_>, id: EnvelopeId, recipients: Vec<Society>, kind: Kind, body: Vec<u8>) -> Envelope {
    Envelope {
        version: FORMAT_VERSION,
        id,
        origin: context.own,
        recipients,
        kind,
        lane: Lane::Urgent,
        created_at: context.wall,
        expires_at: None,
        body: body.into(),
        attachment: None,
    }
}
