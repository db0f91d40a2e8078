//! What the node does by its clock with alerts: calls posts on duty when nobody acknowledges, and shows an
//! update that has waited long enough for what it supersedes.

use crate::{
    alert::life::{Shown, State, orphan_wait_ends, shown},
    entry::{Body, HookOutcome},
    ids::AlertId,
    limits::{DUTY_POSTS_MAX, NAME_BYTES_MAX},
    refusal::{Code, Refusal},
    rows::AlertRow,
    society::Society,
    time::Time,
};

use super::{Context, Decision, NewEntry, Reply, alerts};

/// Whether an alert that was sent here still waits for a human's acknowledgement. `acknowledged` is whether one of
/// ours has answered.
#[must_use]
pub fn waits_for_answer(row: &AlertRow, own: Society, acknowledged: bool, now: Time) -> bool {
    row.origin != own
        && row.ack.is_some()
        && !acknowledged
        && matches!(shown(row.state, row.expires_at, now), Shown::Active | Shown::HeldOrphan)
}

/// Begins a call, once: what was begun before a restart is not begun again.
pub(super) fn escalate(context: &Context<'_>, alert: AlertId, step: u32, post: String) -> Result<Decision, Refusal> {
    if step == 0 || step as usize > DUTY_POSTS_MAX || post.len() > NAME_BYTES_MAX {
        return Err(Refusal::new(Code::TooMany, format!("a duty list has at most {DUTY_POSTS_MAX} posts")));
    }
    let row = alerts::known(context, alert)?;
    let acknowledged = context.facts.ack(alert, context.own)?.is_some();
    let last = row.escalation.as_ref().map_or(0, |escalation| escalation.step);
    let call = step == last + 1 && waits_for_answer(&row, context.own, acknowledged, context.now);
    let body = Body::AlertEscalated { alert, step, post };
    let entries = if call { vec![NewEntry::bare(body)] } else { Vec::new() };
    Ok(Decision { entries, reply: Reply::Escalated { call } })
}

/// Records what became of a call.
pub(super) fn end_escalation(
    context: &Context<'_>,
    alert: AlertId,
    step: u32,
    outcome: HookOutcome,
    status: Option<i32>,
) -> Result<Decision, Refusal> {
    let row = alerts::known(context, alert)?;
    let open = row.escalation.is_some_and(|escalation| escalation.step == step && escalation.outcome.is_none());
    let body = Body::EscalationEnded { alert, step, outcome, status };
    let entries = if open { vec![NewEntry::bare(body)] } else { Vec::new() };
    Ok(Decision { entries, reply: Reply::Done { entry: context.next } })
}

/// Shows an update whose wait is over.
pub(super) fn release_orphan(context: &Context<'_>, alert: AlertId) -> Result<Decision, Refusal> {
    let row = alerts::known(context, alert)?;
    let over =
        row.state == State::HeldOrphan && row.held_since.is_some_and(|since| context.now >= orphan_wait_ends(since));
    let entries = if over { vec![NewEntry::bare(Body::OrphanReleased { alert })] } else { Vec::new() };
    Ok(Decision { entries, reply: Reply::Done { entry: context.next } })
}
