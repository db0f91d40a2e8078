//! Redaction: an origin has what its alert says erased, here and wherever it is held, because keeping it
//! does harm. Each holder obeys and says so.

use crate::{
    alert::{AlertErased, AlertRedact},
    catalogue::{RedactReason, Role},
    digest::Digest,
    envelope::{Envelope, FORMAT_VERSION, Kind, Lane},
    fold::Content,
    ids::{AlertId, EnvelopeId, IdEntropy},
    refusal::{Code, Refusal},
    society::Society,
};

use super::{Caller, Context, Decision, Letter, NewEntry, Reply, alerts};

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
    Ok(Decision::issuing(context, &envelope, Content::Redact(redact)))
}

/// The message to the origin of a redacted alert that nothing of it is left here; none for what is our own.
pub(super) fn obeyed(context: &Context<'_>, letter: &Letter) -> Option<NewEntry> {
    let Content::Redact(redact) = &letter.content else { return None };
    let origin = letter.envelope.origin;
    if origin == context.own {
        return None;
    }
    let erased = AlertErased { alert: redact.alert };
    // A decision draws no chance: the id follows from the redaction that it answers.
    let Digest(seed) = Digest::of_parts(&[b"passerelle/erased/v1\0", &letter.signed.digest().0, &context.own.bytes()]);
    let mut entropy: IdEntropy = [0; 10];
    entropy.copy_from_slice(&seed[..10]);
    let id = EnvelopeId::new(context.now, entropy);
    let envelope = urgent(context, id, vec![origin], Kind::AlertErased, erased.to_cbor());
    Some(NewEntry::issued(context, &envelope, Content::Erased(erased)))
}

/// What never expires and overtakes everything.
fn urgent(
    context: &Context<'_>,
    id: EnvelopeId,
    recipients: Vec<Society>,
    kind: Kind,
    body: Vec<u8>,
) -> Envelope {
    Envelope {
        version: FORMAT_VERSION,
        id,
        origin: context.own,
        recipients,
        kind,
        lane: Lane::Urgent,
        created_at: context.now,
        expires_at: None,
        body: body.into(),
        attachment: None,
    }
}
