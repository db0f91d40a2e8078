//! What stands around one alert: its updates and their conflicts, its deliveries, the answers to it, and who
//! has obeyed its redaction. Reads rows and entries, changes nothing.

use passerelle_domain::{
    alert::life::{Shown, shown, waited},
    entry::Body,
    facts::Facts as _,
    fold::Content,
    ids::AlertId,
    refusal::Refusal,
    rows::{AlertRow, Delivery, Ended},
    society::Society,
    time::Time,
};
use passerelle_proto::{convert::timestamp, v1};

use super::entry_and_content;
use crate::{answers, store::view::View};

/// What an alert is shown as at the instant `now`.
pub(super) fn shown_as(row: &AlertRow, now: Time) -> Shown {
    shown(waited(row.state, row.held_since, now), row.expires_at, now)
}

/// What stands around an alert.
pub(super) struct Thread {
    /// Every update of it that is here, latest sent first.
    pub(super) updates: Vec<AlertId>,
    /// Other updates of the same earlier alert that still hold, as this one does.
    pub(super) conflicts: Vec<AlertId>,
    /// When its redaction was recorded here.
    pub(super) redacted_at: Option<Time>,
    /// Who has not acknowledged it, where that is asked for.
    pub(super) unacknowledged: Vec<Society>,
    /// Whether the time for that has passed.
    pub(super) ack_overdue: bool,
}

impl Thread {
    /// Reads it.
    pub(super) fn of(view: &View<'_>, own: Society, id: AlertId, row: &AlertRow, now: Time) -> Result<Self, Refusal> {
        let redacted = row.redacted.as_ref().map(|redaction| view.entry(redaction.entry)).transpose()?.flatten();
        let unacknowledged = answers::missing(view, own, id, row, now)?;
        Ok(Self {
            updates: updates(view, row)?.into_iter().map(|(id, _)| id).collect(),
            conflicts: conflicts(view, id, row, now)?,
            redacted_at: redacted.map(|entry| entry.time),
            ack_overdue: answers::are_due(row, now) && !unacknowledged.is_empty(),
            unacknowledged,
        })
    }
}

/// The updates of an alert that are here, latest sent first.
fn updates(view: &View<'_>, row: &AlertRow) -> Result<Vec<(AlertId, AlertRow)>, Refusal> {
    let mut updates = Vec::new();
    for child in row.children() {
        updates.extend(view.alert(*child)?.map(|row| (*child, row)));
    }
    updates.sort_by_key(|(id, row)| std::cmp::Reverse((row.sent_at, *id)));
    Ok(updates)
}

/// Updates of what this alert supersedes that hold beside it, latest sent first. One that supersedes both is no
/// conflict but its end.
fn conflicts(view: &View<'_>, id: AlertId, row: &AlertRow, now: Time) -> Result<Vec<AlertId>, Refusal> {
    let holds = |row: &AlertRow| matches!(shown_as(row, now), Shown::Active | Shown::HeldOrphan);
    let mut conflicts: Vec<(AlertId, AlertRow)> = Vec::new();
    if !holds(row) {
        return Ok(Vec::new());
    }
    for parent in row.parents() {
        let siblings = match view.alert(*parent)? {
            Some(parent) if parent.origin == row.origin => parent.children().to_vec(),
            Some(_) => Vec::new(),
            None => view
                .tombstone(*parent)?
                .and_then(|tombstone| tombstone.of(row.origin).map(|claim| claim.children().to_vec()))
                .unwrap_or_default(),
        };
        for sibling in siblings {
            if sibling != id
                && !conflicts.iter().any(|(known, _)| *known == sibling)
                && let Some(other) = view.alert(sibling)?.filter(holds)
            {
                conflicts.push((sibling, other));
            }
        }
    }
    conflicts.sort_by_key(|(id, row)| std::cmp::Reverse((row.sent_at, *id)));
    Ok(conflicts.into_iter().map(|(id, _)| id).collect())
}

/// How far each holder has obeyed the redaction of an alert of ours.
pub(super) fn erasures(view: &View<'_>, own: Society, row: &AlertRow) -> Result<Vec<v1::AlertErasure>, Refusal> {
    let Some(redaction) = row.redacted.as_ref().filter(|_| row.origin == own) else { return Ok(Vec::new()) };
    let Some(entry) = view.entry(redaction.entry)? else { return Ok(Vec::new()) };
    let Some(meta) = entry.body.envelope() else { return Ok(Vec::new()) };
    let mut erasures = Vec::new();
    for society in meta.recipients.iter().copied().filter(|society| *society != own) {
        let obeyed = redaction.erased.iter().find(|(by, _)| *by == society).map(|(_, entry)| *entry);
        let at = obeyed.map(|entry| view.entry(entry)).transpose()?.flatten().map(|entry| timestamp(entry.time));
        let state = if obeyed.is_some() { "erased" } else { "pending" }.to_owned();
        erasures.push(v1::AlertErasure { society: society.to_string(), state, at });
    }
    Ok(erasures)
}

/// The last call of a post on duty.
pub(super) fn escalation(view: &View<'_>, row: &AlertRow) -> Result<Option<v1::AlertEscalation>, Refusal> {
    let Some(escalation) = &row.escalation else { return Ok(None) };
    let post = match view.entry(escalation.entry)?.map(|entry| entry.body) {
        Some(Body::AlertEscalated { post, .. }) => post,
        _ => String::new(),
    };
    Ok(Some(v1::AlertEscalation {
        step: escalation.step,
        post,
        at: Some(timestamp(escalation.at)),
        outcome: escalation.outcome.map(|outcome| outcome.to_string()).unwrap_or_default(),
    }))
}

/// How far an alert of ours has come at one peer.
pub(super) fn delivery(view: &View<'_>, one: &Delivery) -> Result<v1::AlertDelivery, Refusal> {
    let receipted = view.lane_out(one.peer, one.lane)?.receipted >= one.position;
    let item = view.lane_item(one.peer, one.lane, one.position)?;
    let (state, at, code) = match item.and_then(|item| item.ended) {
        Some(Ended::Rejected(index)) => {
            let entry = view.entry(index)?;
            let code = entry.as_ref().and_then(|entry| match &entry.body {
                Body::Receipted { rejected, .. } => {
                    rejected.iter().find(|(position, _)| *position == one.position).map(|(_, code)| code.clone())
                }
                _ => None,
            });
            ("rejected", entry.map(|entry| timestamp(entry.time)), code)
        }
        Some(Ended::Expired | Ended::Withheld) => ("ended", None, None),
        None if receipted => ("delivered", None, None),
        None => ("queued", None, None),
    };
    Ok(v1::AlertDelivery { society: one.peer.to_string(), state: state.to_owned(), at, code: code.unwrap_or_default() })
}

pub(super) fn acknowledgements(view: &View<'_>, id: AlertId) -> Result<Vec<v1::AlertAcknowledgement>, Refusal> {
    let mut acks = Vec::new();
    for (society, row) in view.acks(id)? {
        let note = match entry_and_content(view, row.entry)? {
            Some((_, Some(Content::Ack(ack)))) => ack.answer().note.as_ref().map(|note| note.to_string()),
            _ => None,
        };
        acks.push(v1::AlertAcknowledgement {
            society: society.to_string(),
            kind: if row.error { "error" } else { "ack" }.to_owned(),
            note: note.unwrap_or_default(),
            at: Some(timestamp(row.at)),
        });
    }
    Ok(acks)
}
