//! Entries of the journal as events for those who follow it: what happened to which alert or handover.

use passerelle_domain::{
    alert::{
        Alert,
        life::{shown, waited},
    },
    catalogue::AckKind,
    entry::{Body, DraftEnd, Entry, EnvelopeMeta, Verdict},
    envelope::{Kind, Lane},
    facts::Facts as _,
    fold::Content,
    handover::{self, State},
    ids::{AlertId, EntryIndex, HandoverId, Position},
    refusal::{Code, Refusal},
    society::Society,
};
use passerelle_proto::{convert::timestamp, v1};

use super::{Operator, entry_and_content};
use crate::store::view::View;

/// Positions of a lane that one receipt is searched for offers: as many as a peer receipts at once, and more.
const RECEIPT_SPAN_MAX: u64 = 4_096;

/// What is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Topics {
    /// Alerts.
    pub(super) alerts: bool,
    /// Handovers.
    pub(super) handovers: bool,
}

impl Operator {
    /// The events of one entry. Several of one entry have the position before it, all but the last, so that who
    /// resumes after any of them misses none.
    pub(super) fn events(&self, index: EntryIndex, topics: Topics) -> Result<Vec<v1::WatchResponse>, Refusal> {
        let view = self.view();
        let Some(entry) = view.entry(index)? else {
            return Err(Refusal::new(Code::StoreFailed, format!("entry {index} is missing")));
        };
        let mut events = self.events_of(&view, &entry, topics)?;
        let before_last = events.len().saturating_sub(1);
        for (n, event) in events.iter_mut().enumerate() {
            event.time = Some(timestamp(entry.time));
            event.position = if n < before_last { index.0.saturating_sub(1) } else { index.0 };
        }
        Ok(events)
    }

    fn events_of(&self, view: &View<'_>, entry: &Entry, topics: Topics) -> Result<Vec<v1::WatchResponse>, Refusal> {
        let one = match &entry.body {
            Body::Issued(meta) | Body::Received { envelope: Some(meta), verdict: Verdict::Accepted, .. } => {
                self.event_of_envelope(view, entry, meta, topics)?
            }
            Body::HandoverOpened { id, .. } if topics.handovers => {
                handover_event(view, *id, entry.index, "opened", self.own)?
            }
            Body::HandoverProposed(handover::Proposal { id, .. }) if topics.handovers => {
                handover_event(view, *id, entry.index, "proposed", self.own)?
            }
            Body::Approved { handover, .. } if topics.handovers => {
                handover_event(view, *handover, entry.index, "approved", self.own)?
            }
            Body::HandoverDropped { handover, .. } if topics.handovers => {
                handover_event(view, *handover, entry.index, "cancelled", self.own)?
            }
            Body::Receipted { peer, lane: Lane::Routine, position, .. } if topics.handovers => {
                return delivered(view, *peer, *position, entry.index);
            }
            body if topics.alerts => match local(body) {
                Some((id, event)) => self.alert_event(view, id, event, self.own)?,
                None => None,
            },
            _ => None,
        };
        Ok(one.into_iter().collect())
    }

    fn event_of_envelope(
        &self,
        view: &View<'_>,
        entry: &Entry,
        meta: &EnvelopeMeta,
        topics: Topics,
    ) -> Result<Option<v1::WatchResponse>, Refusal> {
        let wanted = match meta.kind {
            Kind::HandoverOffer
            | Kind::HandoverAnswer
            | Kind::HandoverRelease
            | Kind::HandoverStep
            | Kind::GroupSplit => topics.handovers,
            Kind::Alert | Kind::AlertCancel | Kind::AlertAck | Kind::AlertRedact | Kind::AlertErased => topics.alerts,
            Kind::WithdrawalNotice | Kind::WithdrawalAnswer | Kind::ErasureReceipt => topics.handovers,
            Kind::Subscription | Kind::SubjectRequest | Kind::SubjectAnswer => false,
        };
        let Some(subject) = meta.subject.filter(|_| wanted) else { return Ok(None) };
        let content = entry_and_content(view, entry.index)?.and_then(|(_, content)| content);
        let event = name(meta.kind, content.as_ref());
        match meta.kind {
            Kind::Alert | Kind::AlertCancel | Kind::AlertAck | Kind::AlertRedact | Kind::AlertErased => {
                self.alert_event(view, subject.into(), event, meta.origin)
            }
            _ => handover_event(view, subject.into(), entry.index, event, meta.origin),
        }
    }

    fn alert_event(
        &self,
        view: &View<'_>,
        id: AlertId,
        event: &'static str,
        by: Society,
    ) -> Result<Option<v1::WatchResponse>, Refusal> {
        let row = view.alert(id)?;
        let alert = match row.as_ref().map(|row| entry_and_content(view, row.entry)).transpose()?.flatten() {
            Some((_, Some(Content::Alert(alert)))) => Some(alert),
            _ => None,
        };
        let now = self.clock.now();
        let state = match &row {
            Some(row) => Some(shown(waited(row.state, row.held_since, now), row.expires_at, now).to_string()),
            None => view.draft(id)?.map(|draft| draft.state.to_string()),
        };
        let mode = row.as_ref().filter(|row| row.redacted.is_none()).map(|row| row.mode.to_string());
        Ok(Some(v1::WatchResponse {
            topic: "alert".to_owned(),
            event: event.to_owned(),
            id: id.to_string(),
            // A cancellation may come before its alert.
            state: state.unwrap_or_default(),
            society: by.to_string(),
            summary: alert.as_deref().map(summary).unwrap_or_default(),
            mode: mode.unwrap_or_default(),
            ..Default::default()
        }))
    }
}

/// What an entry tells of an alert that is no envelope: the steps of this node alone.
fn local(body: &Body) -> Option<(AlertId, &'static str)> {
    Some(match body {
        Body::AlertDrafted { id, .. } => (*id, "drafted"),
        Body::DraftApproved { id, .. } => (*id, "approved"),
        Body::DraftEnded { id, end: DraftEnd::Discarded } => (*id, "discarded"),
        Body::AlertEscalated { alert, .. } => (*alert, "escalated"),
        Body::OrphanReleased { alert } => (*alert, "released"),
        _ => return None,
    })
}

/// What an envelope tells, in one word.
fn name(kind: Kind, content: Option<&Content>) -> &'static str {
    match (kind, content) {
        (_, Some(Content::Alert(alert))) if !alert.supersedes.is_empty() => "updated",
        (_, Some(Content::Ack(ack))) if ack.answer().kind == AckKind::Error => "disputed",
        (_, Some(Content::Answer(answer))) => match answer.verdict {
            handover::Verdict::Accept { .. } => "accepted",
            handover::Verdict::Reject { .. } => "rejected",
        },
        (_, Some(Content::Step(step))) => match step.step {
            handover::Step::InService => "in_service",
            handover::Step::NotArrived => "not_arrived",
            handover::Step::Completed(_) => "completed",
            handover::Step::Returned(_) => "returned",
            handover::Step::Cancelled(_) => "cancelled",
            handover::Step::Revoked(_) => "revoked",
            handover::Step::Withdrawn => "withdrawn",
            handover::Step::Erased => "erased",
        },
        (Kind::Alert, _) => "raised",
        (Kind::AlertCancel, _) => "cancelled",
        (Kind::AlertAck, _) => "acknowledged",
        (Kind::AlertRedact, _) => "redacted",
        (Kind::AlertErased, _) => "erased",
        (Kind::HandoverOffer, _) => "offered",
        (Kind::HandoverAnswer, _) => "answered",
        (Kind::HandoverRelease, _) => "released",
        (Kind::HandoverStep, _) => "reported",
        (Kind::GroupSplit, _) => "group_split",
        (Kind::WithdrawalNotice, _) => "withdrawn",
        (Kind::WithdrawalAnswer, _) => "stopped",
        (Kind::ErasureReceipt, _) => "erased",
        (Kind::Subscription, _) => "subscribed",
        (Kind::SubjectRequest, _) => "asked",
        (Kind::SubjectAnswer, _) => "answered",
    }
}

/// An alert never identifies a person, and so neither does its headline.
fn summary(alert: &Alert) -> String {
    match alert.texts.first() {
        Some(text) => format!("{}: {}", alert.severity, text.headline.replace(['\r', '\n'], " ")),
        None => format!("{}: {}", alert.severity, alert.event),
    }
}

fn handover_event(
    view: &View<'_>,
    id: HandoverId,
    index: EntryIndex,
    event: &'static str,
    by: Society,
) -> Result<Option<v1::WatchResponse>, Refusal> {
    let Some(row) = view.handover(id)? else { return Ok(None) };
    let then = row.history.iter().rev().find(|step| step.entry <= index);
    let state: State = then.map_or(row.state, |step| step.state);
    Ok(Some(v1::WatchResponse {
        topic: "handover".to_owned(),
        event: event.to_owned(),
        id: id.to_string(),
        state: state.to_string(),
        society: by.to_string(),
        summary: format!("{} from {} to {}", row.kind, row.from, row.to),
        ..Default::default()
    }))
}

/// The offers that a receipt settled.
fn delivered(
    view: &View<'_>,
    peer: Society,
    position: Position,
    index: EntryIndex,
) -> Result<Vec<v1::WatchResponse>, Refusal> {
    let mut events = Vec::new();
    for at in (position.0.saturating_sub(RECEIPT_SPAN_MAX)..=position.0).rev() {
        let Some(item) = view.lane_item(peer, Lane::Routine, Position(at))? else { continue };
        if item.kind != Kind::HandoverOffer {
            continue;
        }
        let Some(Body::Issued(meta)) = view.entry(item.entry)?.map(|entry| entry.body) else { continue };
        let Some(id) = meta.subject.map(HandoverId::from) else { continue };
        let Some(row) = view.handover(id)? else { continue };
        let Some(step) = row.history.iter().find(|step| step.entry == index) else {
            // An earlier receipt settled this one, and all before it.
            let earlier = row.history.iter().any(|step| step.entry < index && step.by == peer);
            if earlier { break } else { continue }
        };
        let event = if step.state == State::Delivered { "delivered" } else { "rejected" };
        events.extend(handover_event(view, id, index, event, peer)?);
    }
    events.reverse();
    Ok(events)
}
