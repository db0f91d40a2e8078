//! What an alert says, from the file, CAP document or standard input that the command line names.

use std::path::{Path, PathBuf};

use passerelle_domain::{
    alert::{AlertDraft, When},
    time::Time,
};
use passerelle_proto::{convert::alert_message, v1};

use super::Session;
use crate::{
    args::ContentArgs,
    failure::Failure,
    files::{self, Content},
};

/// The alert that the command line describes. Its times are counted from `now`, the instant of its id.
pub(super) fn read(args: ContentArgs, now: Time, session: &mut Session<'_, '_>) -> Result<v1::Alert, Failure> {
    let mut draft = match (args.cap, args.file) {
        (Some(cap), _) => from_cap(&cap, args.event.as_deref(), session)?,
        (None, file) => {
            let file = file.unwrap_or_else(|| PathBuf::from("-"));
            files::document(&file, Content::Plain, session.console)?
        }
    };
    draft.sent_at.get_or_insert(When::At(now));
    Ok(alert_message(draft, now))
}

fn from_cap(path: &Path, event: Option<&str>, session: &mut Session<'_, '_>) -> Result<AlertDraft, Failure> {
    let _ = (path, event, session);
    Err(Failure::usage("interim", ""))
}
