//! Alerts: raised, updated, cancelled, acknowledged by our operators. Drafts, redactions and calls of posts on
//! duty have files of their own beside this one.

use crate::{
    alert::{self, Alert, AlertAck, AlertCancel, PeerInterest, Reference, life},
    catalogue::{Kind as AlertKind, Role, Segment},
    envelope::{Envelope, FORMAT_VERSION, Kind, Lane},
    fold::Content,
    ids::{AlertId, EnvelopeId, IdEntropy},
    limits::EXPIRY_SKEW_SECONDS,
    refusal::{Code, Refusal},
    rows::AlertRow,
    society::Society,
};

use super::{Caller, Context, Decision, NewEntry, Reply};

/// Publishes an alert or an update.
pub(super) fn raise(context: &Context<'_>, caller: &Caller, id: AlertId, alert: Alert) -> Result<Decision, Refusal> {
    caller.require(&[Role::AlertAuthor, Role::AlertApprover])?;
    if let Some(row) = context.facts.alert(id)? {
        return repeat(context, id, &row, &alert.to_cbor());
    }
    if context.facts.draft(id)?.is_some() {
        return Err(Refusal::new(Code::DuplicateId, "a draft with this id exists; publish or discard it").at("id"));
    }
    if alert::needs_second_person(&alert) {
        let message = "an alert that is Extreme, public or from the community goes out only when a second person \
                       has approved it";
        return Err(Refusal::new(Code::ApprovalRequired, message));
    }
    issue(context, id, alert)
}

/// Publishes what may go out.
pub(super) fn issue(context: &Context<'_>, id: AlertId, alert: Alert) -> Result<Decision, Refusal> {
    let body = alert.to_cbor();
    if alert.kind == AlertKind::Update {
        for (n, parent) in alert.supersedes.iter().enumerate() {
            check_parent(context, parent).map_err(|refusal| refusal.at(format!("supersedes[{n}]")))?;
        }
    }
    if context.now >= alert.expires_at {
        return Err(Refusal::new(
            Code::BadTimes,
            "the alert has expired already; times such as +2d count from the instant in its id",
        )
        .at("expires_at"));
    }
    let recipients = recipients(context, &alert)?;
    let envelope = Envelope {
        version: FORMAT_VERSION,
        id: id.into(),
        origin: context.own,
        recipients: if recipients.is_empty() { vec![context.own] } else { recipients.clone() },
        kind: Kind::Alert,
        lane: if alert::is_urgent(&alert) { Lane::Urgent } else { Lane::Routine },
        created_at: context.wall,
        expires_at: Some(alert.expires_at.plus(std::time::Duration::from_secs(EXPIRY_SKEW_SECONDS))),
        body: body.into(),
        attachment: None,
    };
    let entry = NewEntry::issued(context, &envelope, Content::Alert(Box::new(alert)));
    let digest = entry.digest();
    Ok(Decision { entries: vec![entry], reply: Reply::Alert { id, entry: context.next, digest, recipients } })
}

/// The same id again: the same answer when the content is the same, a refusal when it is not.
fn repeat(context: &Context<'_>, id: AlertId, row: &AlertRow, body: &[u8]) -> Result<Decision, Refusal> {
    let stored = context.facts.object(row.entry)?.map(|object| super::delivery::envelope_of(&object)).transpose()?;
    match stored {
        Some(envelope) if row.origin == context.own && *envelope.body == *body => {
            let mut recipients = envelope.recipients;
            recipients.retain(|society| *society != context.own);
            let reply = Reply::Alert { id, entry: row.entry, digest: row.digest, recipients };
            Ok(Decision { entries: Vec::new(), reply })
        }
        _ => Err(Refusal::new(Code::DuplicateId, "an alert with this id and other content exists").at("id")),
    }
}

fn check_parent(context: &Context<'_>, parent: &Reference) -> Result<(), Refusal> {
    let (origin, id) = (parent.origin, parent.id);
    if origin != context.own {
        return Err(Refusal::new(Code::NotOrigin, format!("only {origin} can update its alert")));
    }
    let Some(row) = context.facts.alert(id)? else {
        return Err(Refusal::new(Code::BadReference, "this node has no such alert"));
    };
    if row.origin != context.own {
        return Err(Refusal::new(Code::NotOrigin, format!("only {} can update its alert", row.origin)));
    }
    if matches!(row.state, life::State::Cancelled | life::State::Redacted) {
        return Err(Refusal::new(Code::AlreadyEnded, format!("the alert is {}", row.state)));
    }
    // Instants, and whole seconds: that is all that a reference in CAP can say.
    if row.sent_at.is_some_and(|sent| sent.millis() / 1_000 != parent.sent_at.millis() / 1_000) {
        return Err(Refusal::new(Code::BadReference, "the alert of that id was sent at another time"));
    }
    Ok(())
}

fn recipients(context: &Context<'_>, alert: &Alert) -> Result<Vec<Society>, Refusal> {
    let peers = context.facts.peers()?;
    let interests: Vec<PeerInterest> = peers
        .iter()
        .filter(|(society, _)| context.policy.of(*society).alerts)
        .map(|(society, row)| PeerInterest { society: *society, segments: row.segments.clone() })
        .collect();
    let recipients = alert::recipients(alert, context.own, &interests);
    match recipients.iter().find(|society| !interests.iter().any(|peer| peer.society == **society)) {
        None => Ok(recipients),
        Some(unknown) => {
            let message = format!("{unknown} is no peer to which alerts go");
            Err(Refusal::new(Code::UnknownPeer, message).at("distribution"))
        }
    }
}

/// Cancels an alert of ours at every node that was sent it.
pub(super) fn cancel(
    context: &Context<'_>,
    caller: &Caller,
    entropy: IdEntropy,
    cancel: AlertCancel,
) -> Result<Decision, Refusal> {
    caller.require(&[Role::AlertAuthor, Role::AlertApprover])?;
    let row = known(context, cancel.alert)?;
    if row.origin != context.own {
        return Err(Refusal::new(Code::NotOrigin, format!("only {} can cancel its alert", row.origin)));
    }
    if let Some((_, entry)) = row.cancelled {
        return Ok(Decision { entries: Vec::new(), reply: Reply::Done { entry } });
    }
    life::transition(row.state, life::Event::Cancel)?;
    let holders = holders(context, &row)?;
    let envelope = Envelope {
        version: FORMAT_VERSION,
        id: EnvelopeId::new(context.now, entropy),
        origin: context.own,
        recipients: if holders.is_empty() { vec![context.own] } else { holders },
        kind: Kind::AlertCancel,
        lane: Lane::Urgent,
        created_at: context.wall,
        // A cancel reaches every node that had the alert, however late.
        expires_at: None,
        body: cancel.to_cbor().into(),
        attachment: None,
    };
    Ok(Decision::issuing(context, &envelope, Content::Cancel(cancel)))
}

/// The peers that were sent an alert of ours. Its deliveries do not say so when our store was restored
/// and a peer gave the alert back; its entry does, always.
pub(super) fn holders(context: &Context<'_>, row: &AlertRow) -> Result<Vec<Society>, Refusal> {
    let entry = context.facts.entry(row.entry)?;
    let mut holders = match entry.as_ref().and_then(|entry| entry.body.envelope()) {
        Some(meta) => meta.recipients.clone(),
        None => row.deliveries.iter().map(|delivery| delivery.peer).collect(),
    };
    holders.retain(|society| *society != context.own);
    Ok(holders)
}

/// Answers a peer's alert, on behalf of the human who read it.
pub(super) fn acknowledge(
    context: &Context<'_>,
    caller: &Caller,
    entropy: IdEntropy,
    ack: AlertAck,
) -> Result<Decision, Refusal> {
    caller.require(&[Role::DutyOfficer])?;
    let row = known(context, ack.answer().alert)?;
    if row.origin == context.own {
        return Err(Refusal::new(Code::WrongState, "a Society does not acknowledge its own alert"));
    }
    if row.state == life::State::Redacted {
        return Err(Refusal::new(Code::AlreadyEnded, "the alert is redacted"));
    }
    if let Some(earlier) = context.facts.ack(ack.answer().alert, context.own)?
        && earlier.error == (ack.answer().kind == crate::catalogue::AckKind::Error)
    {
        return Ok(Decision { entries: Vec::new(), reply: Reply::Done { entry: earlier.entry } });
    }
    let envelope = Envelope {
        version: FORMAT_VERSION,
        id: EnvelopeId::new(context.now, entropy),
        origin: context.own,
        recipients: vec![row.origin],
        kind: Kind::AlertAck,
        lane: Lane::Routine,
        created_at: context.wall,
        expires_at: None,
        body: ack.to_cbor().into(),
        attachment: None,
    };
    Ok(Decision::issuing(context, &envelope, Content::Ack(ack)))
}

pub(super) fn known(context: &Context<'_>, id: AlertId) -> Result<AlertRow, Refusal> {
    context.facts.alert(id)?.ok_or_else(|| Refusal::new(Code::UnknownAlert, "this node has no such alert"))
}

/// Whether `segments` is a subscription that can be declared.
pub(super) fn check_segments(segments: Option<&[Segment]>) -> Result<(), Refusal> {
    if segments.is_some_and(|segments| segments.len() > crate::limits::LIST_MAX) {
        let most = crate::limits::LIST_MAX;
        return Err(Refusal::new(Code::TooMany, format!("a subscription names at most {most} segments")).at("segments"));
    }
    Ok(())
}
