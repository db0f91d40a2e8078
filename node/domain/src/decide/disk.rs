//! What a nearly full disk refuses: new work. Receipts, withdrawals, urgent alerts, what saves a life, and all that ends,
//! approves or removes something have the reserve. What a peer has sent is taken, or its lanes would stand still.

use super::{Command, Context, SafeguardCommand};
use crate::{
    aggregate::ReportStep,
    alert::{self, Alert},
    ids::{AlertId, HandoverId},
    refusal::Refusal,
};

/// Whether a command is new work that can wait until there is room again.
///
/// # Errors
/// `store_failed`.
pub(super) fn may_wait(context: &Context<'_>, command: &Command) -> Result<bool, Refusal> {
    Ok(match command {
        Command::RaiseAlert { alert, .. } | Command::DraftAlert { alert, .. } => !alert::is_urgent(alert),
        Command::PublishDraft { id, .. } => !is_urgent_draft(context, *id)?,
        Command::RecordConsent { .. } | Command::OfferHandover { .. } => true,
        Command::ReleaseHandover { id, .. } => !is_vital(context, *id)?,
        Command::Safeguard(SafeguardCommand::OfferGroup { .. }) => true,
        Command::Safeguard(SafeguardCommand::SendHandover { id, .. }) => !is_vital(context, *id)?,
        Command::Report { step: ReportStep::Proposed(_), .. } => true,
        Command::Replay { .. } | Command::Subscribe { .. } | Command::TakeBundle { .. } => true,
        _ => false,
    })
}

/// Whether a draft becomes an urgent alert. One that cannot be read is refused for what it is, not for the disk.
fn is_urgent_draft(context: &Context<'_>, id: AlertId) -> Result<bool, Refusal> {
    let Some(row) = context.facts.draft(id)? else { return Ok(true) };
    let draft = context.facts.object(row.entry)?.map(|object| Alert::from_cbor(&object)).transpose()?;
    Ok(draft.is_none_or(|draft| alert::is_urgent(&draft)))
}

/// Whether a handover goes on without consent, for a vital interest.
fn is_vital(context: &Context<'_>, id: HandoverId) -> Result<bool, Refusal> {
    let overriding = context.facts.safeguard(id)?.and_then(|row| row.overriding);
    Ok(overriding.is_some_and(|row| row.approved_at.is_some()))
}
