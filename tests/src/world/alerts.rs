//! Alerts for stories.

use passerelle_domain::{
    alert::{Alert, AlertCancel, AlertDraft, Reference},
    catalogue::CancelReason,
    decide::{Command, Reply},
    ids::AlertId,
    refusal::{Code, Refusal},
    society::Society,
};
use passerelle_node::run::Node;

use super::{entropy, now, operator};

const DRAFT: &str = include_str!("../../../config/demo/alert-convoy.toml");

/// An alert with this headline, to everybody.
///
/// # Errors
/// When the draft is not valid.
pub fn alert(headline: &str) -> anyhow::Result<Alert> {
    valid(draft(headline)?)
}

/// The draft of such an alert.
///
/// # Errors
/// When the demo's draft cannot be read.
pub fn draft(headline: &str) -> anyhow::Result<AlertDraft> {
    let mut draft: AlertDraft = toml::from_str(DRAFT)?;
    draft.distribution = Vec::new();
    for text in &mut draft.texts {
        text.headline = format!("EXERCISE. {headline}");
    }
    Ok(draft)
}

/// An update of an earlier alert of ours, to everybody.
///
/// # Errors
/// When the draft is not valid.
pub fn update_of(origin: Society, id: AlertId, earlier: &Alert, headline: &str) -> anyhow::Result<Alert> {
    let mut draft = draft(headline)?;
    draft.supersedes = vec![Reference { origin, id, sent_at: earlier.sent_at }];
    valid(draft)
}

fn valid(draft: AlertDraft) -> anyhow::Result<Alert> {
    Alert::from_draft(draft, now()).map_err(|faults| anyhow::anyhow!("{faults:?}"))
}

/// Publishes an alert as an operator would; its id.
///
/// # Errors
/// The refusal.
pub async fn raise(node: &Node, alert: Alert) -> Result<AlertId, Refusal> {
    raise_as(node, AlertId::new(now(), entropy()), alert).await
}

/// The same under a given id.
///
/// # Errors
/// The refusal.
pub async fn raise_as(node: &Node, id: AlertId, alert: Alert) -> Result<AlertId, Refusal> {
    let command = Command::RaiseAlert { caller: operator(), id, alert: Box::new(alert) };
    match node.engine.submit(command).await? {
        Reply::Alert { id, .. } => Ok(id),
        _ => Err(Refusal::new(Code::StoreFailed, "the engine gave another answer")),
    }
}

/// Cancels an alert as an operator would.
///
/// # Errors
/// The refusal.
pub async fn cancel(node: &Node, alert: AlertId) -> Result<(), Refusal> {
    let cancel = AlertCancel { alert, reason: CancelReason::Resolved, note: None };
    node.engine.submit(Command::CancelAlert { caller: operator(), entropy: entropy(), cancel }).await.map(|_| ())
}
