//! Who has not acknowledged an alert that asks for it. Reads rows, changes nothing.

use passerelle_domain::{
    alert::life::{Shown, shown, waited},
    decide::waits_for_answer,
    facts::Facts as _,
    ids::AlertId,
    refusal::Refusal,
    rows::AlertRow,
    society::Society,
    time::Time,
};

use crate::store::view::View;

/// Who has not acknowledged an alert that asks for it and holds at `now`: recipients of ours, or we ourselves.
///
/// # Errors
/// `store_failed`.
pub fn missing(view: &View<'_>, own: Society, id: AlertId, row: &AlertRow, now: Time) -> Result<Vec<Society>, Refusal> {
    if row.origin != own {
        let answered = view.ack(id, own)?.is_some();
        return Ok(if waits_for_answer(row, own, answered, now) { vec![own] } else { Vec::new() });
    }
    let mut silent = Vec::new();
    let shown = shown(waited(row.state, row.held_since, now), row.expires_at, now);
    if row.ack.is_some() && matches!(shown, Shown::Active | Shown::HeldOrphan) {
        for delivery in &row.deliveries {
            if view.ack(id, delivery.peer)?.is_none() {
                silent.push(delivery.peer);
            }
        }
    }
    Ok(silent)
}

/// Whether the time has passed by which an alert asks to be acknowledged.
#[must_use]
pub fn are_due(row: &AlertRow, now: Time) -> bool {
    row.ack.and_then(|ack| ack.by).is_some_and(|by| now >= by)
}
