//! `passerelle alert brief`, `sms` and `map`: an alert of the node or of a file, told in short.

use std::path::Path;

use passerelle_domain::{
    alert::{Alert, AlertDraft, life::Shown},
    brief::{self, Encoding, Subject},
    cap::CapOptions,
    ids::AlertId,
    society::Society,
    time::Time,
};
use passerelle_proto::{convert::alert_draft, v1::GetAlertRequest};
use serde_json::json;

use super::{Session, alert_content, alert_map};
use crate::{
    args::{AlertCommand, TextArgs, Told},
    console::Console,
    failure::{Exit, Failure},
    files::{self, Content},
    render::{Printer, time},
};

/// The alert that is told, and what is known of it.
pub(super) struct Known {
    alert: Alert,
    origin: Option<Society>,
    id: Option<AlertId>,
    state: Option<Shown>,
}

impl Known {
    /// As the texts take it.
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject { alert: &self.alert, origin: self.origin, id: self.id, state: self.state }
    }
}

/// Tells an alert of a file; none when the command is another, or names an alert of the node.
pub(super) fn from_file(
    command: &AlertCommand,
    printer: Printer,
    console: &mut Console<'_>,
) -> Option<Result<Exit, Failure>> {
    let Told { file, event, source, .. } = &text_of(command)?.told;
    let known = read(file.as_ref()?, &CapOptions { event: *event, source_type: *source }, console);
    Some(known.and_then(|known| tell(command, &known, printer, console)))
}

/// Tells an alert of the node.
pub(super) async fn run(command: AlertCommand, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let Some(TextArgs { told: Told { id: Some(id), .. }, .. }) = text_of(&command).cloned() else {
        return Ok(Exit::Ok);
    };
    let client = session.client.clone();
    let answer = client.call(client.alerts().get_alert(GetAlertRequest { id })).await?;
    let view = answer.alert.unwrap_or_default();
    let message = view.alert.unwrap_or_default();
    // Its rules are those of the instant when it was sent: an alert that has expired since can still be told.
    let sent_at = time::instant(message.sent_at.as_ref()).unwrap_or((session.console.now)());
    let alert = alert_draft(message)
        .and_then(|draft| Alert::from_draft(draft, sent_at))
        .map_err(|refusals| Failure::all_refused_here("the node's alert", refusals))?;
    let known =
        Known { alert, origin: view.origin.parse().ok(), id: view.id.parse().ok(), state: view.state.parse().ok() };
    tell(&command, &known, session.printer, session.console)
}

fn text_of(command: &AlertCommand) -> Option<&TextArgs> {
    match command {
        AlertCommand::Brief(text) | AlertCommand::Sms { text, .. } => Some(text),
        AlertCommand::Map(map) => Some(&map.text),
        _ => None,
    }
}

/// The alert in a file: CAP by its name, else TOML or JSON.
fn read(path: &Path, options: &CapOptions, console: &mut Console<'_>) -> Result<Known, Failure> {
    let mut now: Time = (console.now)();
    let is_cap =
        path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("xml") || ending.eq_ignore_ascii_case("cap"));
    let draft: AlertDraft = if is_cap {
        let draft = alert_content::from_cap(path, options, now, console)?;
        // Its rules are those of the instant when it was sent: one that has expired since can still be told.
        now = draft.sent_at.map_or(now, |sent_at| sent_at.resolve(now));
        draft
    } else {
        files::document(path, Content::Plain, console)?
    };
    let name = files::name_of(path);
    let alert = Alert::from_draft(draft, now).map_err(|refusals| Failure::all_refused_here(&name, refusals))?;
    Ok(Known { alert, origin: None, id: None, state: None })
}

fn tell(command: &AlertCommand, known: &Known, printer: Printer, console: &mut Console<'_>) -> Result<Exit, Failure> {
    match command {
        AlertCommand::Sms { text, max_segments, gsm } => sms(text, *max_segments, *gsm, known, printer, console)?,
        AlertCommand::Map(map) => alert_map::draw(map, known, printer, console)?,
        AlertCommand::Brief(text) => {
            let line = brief::line(known.subject(), &text.lang);
            printer.own(&json!({"language": text.lang, "text": line}), |page| page.line(&line), console)?;
        }
        _ => {}
    }
    Ok(Exit::Ok)
}

fn sms(
    text: &TextArgs,
    max_segments: u8,
    gsm: bool,
    known: &Known,
    printer: Printer,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let message =
        brief::sms(known.subject(), &text.lang, usize::from(max_segments), gsm).map_err(Failure::refused_here)?;
    let cost = message.cost;
    let value = json!({
        "language": text.lang, "text": message.text, "encoding": cost.encoding.as_str(), "units": cost.units,
        "segments": cost.segments, "left_out": message.left_out,
    });
    printer.own(&value, |page| page.line(&message.text), console)?;
    console.say(format!(
        "{}, {} units, messages: {}; parts left out: {}",
        cost.encoding.as_str(),
        cost.units,
        cost.segments,
        message.left_out
    ));
    if cost.encoding == Encoding::Ucs2 && text.lang != "ar" && !gsm {
        console.say("Some of its letters take the room of two: --gsm drops their accents.");
    }
    Ok(())
}
