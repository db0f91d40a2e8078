//! What this node holds of a case, and who has something of it from here: what a request of a person is about, and how
//! others are told of it.

use crate::{
    catalogue::Right,
    digest::Digest,
    entry::Body,
    envelope::{Attachment, Envelope, FORMAT_VERSION, Lane},
    fold::Content,
    handover::State,
    ids::{EnvelopeId, HandoverId, RequestId},
    limits::{LIST_MAX, READS_KEPT_MAX},
    refusal::Refusal,
    rights::{CorrectionEntry, Held, News, RightsMessage, SubjectRequest},
    rows::HandoverRow,
    society::Society,
};

use super::{Context, NewEntry};

/// What this node has of a case, by its handovers.
///
/// # Errors
/// `store_failed`.
pub fn held_here(context: &Context<'_>, handovers: &[HandoverId]) -> Result<Held, Refusal> {
    let mut held = Held::default();
    for id in handovers {
        let Some(row) = context.facts.handover(*id)? else { continue };
        let since = row.history.first().map(|event| event.at);
        held.since = match (held.since, since) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        held.reads.extend(context.facts.reads(*id)?.unwrap_or_default().reads);
        if row.from == context.own && !row.sections.is_empty() && !held.onward.contains(&row.to) {
            held.onward.push(row.to);
        }
        held.sections.extend(row.sections);
    }
    held.sections.sort_unstable();
    held.sections.dedup();
    held.sections.truncate(LIST_MAX);
    held.onward.truncate(LIST_MAX);
    held.reads.sort_by_key(|read| read.at);
    let excess = held.reads.len().saturating_sub(READS_KEPT_MAX);
    held.reads.drain(..excess);
    Ok(held)
}

/// Who has of a case by a handover of ours, as far as it left this node, is asked as we were.
pub(super) fn passed_on(
    context: &Context<'_>,
    request: &SubjectRequest,
    handovers: &[HandoverId],
) -> Result<Vec<NewEntry>, Refusal> {
    let mut entries = Vec::new();
    for handover in handovers {
        let Some(row) = context.facts.handover(*handover)? else { continue };
        if has_left(&row) && row.from == context.own {
            entries.push(told(context, row.to, request, News::Due { handover: *handover }));
        }
    }
    Ok(entries)
}

/// Whether something of a handover may be at the other Society.
pub(super) fn has_left(row: &HandoverRow) -> bool {
    !matches!(row.state, State::Draft | State::Blocked | State::Ready | State::Erased)
}

/// The entry that says that the correction of a request is destroyed, if there is one.
pub(super) fn correction_destroyed(context: &Context<'_>, request: RequestId) -> Result<Option<NewEntry>, Refusal> {
    let there = context.facts.correction(request)?.is_some_and(|row| row.destroyed.is_none());
    Ok(there.then(|| NewEntry::bare(Body::Correction(CorrectionEntry::Destroyed { request }))))
}

/// Tells a Society something of a request.
pub(super) fn told(context: &Context<'_>, to: Society, request: &SubjectRequest, news: News) -> NewEntry {
    told_with(context, to, request, news, None)
}

/// The same, with what is sealed to it.
pub(super) fn told_with(
    context: &Context<'_>,
    to: Society,
    request: &SubjectRequest,
    news: News,
    attachment: Option<Attachment>,
) -> NewEntry {
    // An answer says no more of the request than the views keep: what goes with the case leaves the answer whole.
    let request = if matches!(news, News::Answered { .. }) { request.outline() } else { request.clone() };
    let message = RightsMessage { request, news };
    let body = message.to_cbor();
    let parts: [&[u8]; 4] = [b"passerelle/rights/v1\0", &body, &to.bytes(), &context.next.0.to_be_bytes()];
    let Digest([a, b, c, d, e, f, g, h, i, j, ..]) = Digest::of_parts(&parts);
    let stops = matches!(message.request.right, Right::Erasure | Right::Objection | Right::Restriction);
    let envelope = Envelope {
        version: FORMAT_VERSION,
        id: EnvelopeId::new(context.now, [a, b, c, d, e, f, g, h, i, j]),
        origin: context.own,
        recipients: vec![to],
        kind: message.kind(),
        lane: if stops { Lane::Urgent } else { Lane::Routine },
        created_at: context.wall,
        expires_at: None,
        body: body.into(),
        attachment,
    };
    NewEntry::issued(context, &envelope, Content::Rights(Box::new(message)))
}
