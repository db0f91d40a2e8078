//! What an alert says, from the file, CAP document or standard input that the command line names.

use std::path::{Path, PathBuf};

use passerelle_domain::{
    alert::{self, Alert, AlertDraft, When},
    cap::{self, CapImport, CapOptions},
    limits::ENVELOPE_BYTES_MAX,
    time::Time,
};
use passerelle_proto::{convert::alert_message, v1};

use super::Session;
use crate::{
    args::ContentArgs,
    console::Console,
    failure::Failure,
    files::{self, Content},
};

/// The alert that the command line describes. Its times are counted from `now`, the instant of its id.
pub(super) fn read(args: ContentArgs, now: Time, session: &mut Session<'_, '_>) -> Result<v1::Alert, Failure> {
    let mut draft = match (args.cap, args.file) {
        (Some(cap), _) => {
            from_cap(&cap, &CapOptions { event: args.event, source_type: args.source }, now, session.console)?
        }
        (None, file) => {
            let file = file.unwrap_or_else(|| PathBuf::from("-"));
            files::document(&file, Content::Plain, session.console)?
        }
    };
    draft.sent_at.get_or_insert(When::At(now));
    // What is wrong is the node's to refuse; what is merely odd is told here, before anybody acts on it.
    if let Ok(alert) = Alert::from_draft(draft.clone(), now) {
        for warning in alert::warnings(&alert) {
            session.console.say(format!("Warning, {}: {} ({})", warning.field, warning.message, warning.code));
        }
    }
    Ok(alert_message(draft, now))
}

/// The draft in a CAP document, with the document's exact bytes.
pub(super) fn from_cap(
    path: &Path,
    options: &CapOptions,
    now: Time,
    console: &mut Console<'_>,
) -> Result<AlertDraft, Failure> {
    let bytes = files::read(path, ENVELOPE_BYTES_MAX, console)?;
    let name = files::name_of(path);
    match cap::read(&bytes, now, options) {
        Ok(CapImport::Alert { draft, .. }) => Ok(*draft),
        Ok(CapImport::Cancel { .. }) => Err(another_message(&name, "cancels an alert", "Use `alert cancel`.")),
        Ok(CapImport::Answer { .. }) => Err(another_message(&name, "answers an alert", "Use `alert ack`.")),
        Err(refusals) => Err(Failure::all_refused_here(&name, refusals)),
    }
}

fn another_message(name: &str, what: &str, next: &str) -> Failure {
    Failure::usage(format!("{name} is no alert: it {what}"), next)
}
