//! `passerelle alert`: publishing, answering and reading alerts.

use std::{fs, io::Write as _, path::Path};

use passerelle_domain::{ids::AlertId, refusal::Code, society::Society, time::Time};
use passerelle_proto::v1::{
    AcknowledgeAlertRequest, AcknowledgeAlertResponse, Alert, AlertReference, AlertSummary, CancelAlertRequest,
    CancelAlertResponse, DraftAlertRequest, ExportAlertRequest, GetAlertRequest, ListAlertsRequest, ListAlertsResponse,
    ListCodesRequest, ListCodesResponse, RaiseAlertRequest, RaiseAlertResponse, RedactAlertRequest,
    RedactAlertResponse, UpdateAlertRequest, UpdateAlertResponse, VocabularyCode,
};

use super::{
    Session, alert_content, alert_draft, alert_feed, alert_text, audit::new_file, given_or_new, pages, status::bytes,
};
use crate::{
    args::{AlertCommand, ExportFormat},
    failure::{Exit, Failure},
    render::{Answer, page::Page, time},
};

pub(super) async fn run(command: AlertCommand, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    match command {
        AlertCommand::Raise { content, id } => {
            let (id, at) = given_or_new::<AlertId>(id.as_deref(), (session.console.now)())?;
            let alert = alert_content::read(content, at, session)?;
            let request = RaiseAlertRequest { id: id.to_string(), alert: Some(alert.clone()) };
            match client.call(Box::pin(client.alerts().raise_alert(request))).await {
                Err(failure) if failure.code == Code::ApprovalRequired.as_str() => keep(id, alert, session).await,
                raised => session.print(&raised.map_err(|failure| failure.repeat_with_id(&id.to_string()))?),
            }
        }
        AlertCommand::Update { content, supersedes, id } => {
            let (id, at) = given_or_new::<AlertId>(id.as_deref(), (session.console.now)())?;
            let mut alert = alert_content::read(content, at, session)?;
            for earlier in supersedes {
                alert.supersedes.push(reference(earlier, session).await?);
            }
            let request = UpdateAlertRequest { id: id.to_string(), alert: Some(alert.clone()) };
            match client.call(Box::pin(client.alerts().update_alert(request))).await {
                Err(failure) if failure.code == Code::ApprovalRequired.as_str() => keep(id, alert, session).await,
                updated => session.print(&updated.map_err(|failure| failure.repeat_with_id(&id.to_string()))?),
            }
        }
        command @ (AlertCommand::Draft { .. }
        | AlertCommand::Drafts { .. }
        | AlertCommand::Approve { .. }
        | AlertCommand::Publish { .. }
        | AlertCommand::Discard { .. }) => Box::pin(alert_draft::run(command, session)).await,
        AlertCommand::Redact { id, reason } => {
            let request = RedactAlertRequest { id, reason: reason.as_str().to_owned() };
            let answer = client.call(client.alerts().redact_alert(request)).await?;
            session.print(&answer)
        }
        AlertCommand::Cancel { id, reason, note } => {
            let request = CancelAlertRequest { id, reason: reason.as_str().to_owned(), note };
            let answer = client.call(client.alerts().cancel_alert(request)).await?;
            session.print(&answer)
        }
        AlertCommand::Ack { id, error, note } => {
            let kind = if error { "error" } else { "ack" }.to_owned();
            let request = AcknowledgeAlertRequest { id, kind, note: note.unwrap_or_default() };
            let answer = client.call(client.alerts().acknowledge_alert(request)).await?;
            session.print(&answer)
        }
        AlertCommand::List { state, origin, mode, all, limit } => {
            let filter = ListAlertsRequest {
                state: state.unwrap_or_default(),
                origin: origin.as_ref().map(Society::code).unwrap_or_default().to_owned(),
                all,
                mode: mode.map(|mode| mode.to_string()).unwrap_or_default(),
                ..ListAlertsRequest::default()
            };
            let (alerts, more) = pages(limit.limit, async |page_size, page_token| {
                let request = ListAlertsRequest { page_size, page_token, ..filter.clone() };
                let answer = client.call(client.alerts().list_alerts(request)).await?;
                Ok((answer.alerts, answer.next_page_token))
            })
            .await?;
            let answer = ListAlertsResponse { alerts, next_page_token: String::new() };
            session.print_list(&answer, "alerts", more)
        }
        AlertCommand::Show { id } => {
            let answer = client.call(client.alerts().get_alert(GetAlertRequest { id })).await?;
            session.print(&answer)
        }
        // Needs no node, and was dealt with before there was one.
        AlertCommand::Check(_) => Ok(Exit::Ok),
        AlertCommand::Brief(_) | AlertCommand::Sms { .. } | AlertCommand::Map(_) => {
            alert_text::run(command, session).await
        }
        AlertCommand::Export { id, out, format: ExportFormat::Cap, message, by, anew, public } => {
            let request = ExportAlertRequest {
                id,
                format: "cap-1.2".to_owned(),
                message: message.as_str().to_owned(),
                society: by.as_ref().map(Society::code).unwrap_or_default().to_owned(),
                anew,
                for_public: public,
            };
            let answer = client.call(client.alerts().export_alert(request)).await?;
            write_out(&answer.content, out.as_deref(), session)
        }
        AlertCommand::Feed { command } => alert_feed::run(command, session).await,
        AlertCommand::Codes { vocabulary } => {
            let request = ListCodesRequest { vocabulary: vocabulary.unwrap_or_default() };
            let answer = client.call(client.alerts().list_codes(request)).await?;
            session.print_list(&answer, "codes", false)
        }
    }
}

/// Keeps as a draft what a second person must approve first.
async fn keep(id: AlertId, alert: Alert, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    let request = DraftAlertRequest { id: id.to_string(), alert: Some(alert) };
    let kept = client.call(Box::pin(client.alerts().draft_alert(request))).await;
    session.print(&kept.map_err(|failure| failure.repeat_with_id(&id.to_string()))?)?;
    Ok(Exit::AwaitsApproval)
}

/// Writes a document to a new file, or to standard output as it is.
fn write_out(document: &[u8], out: Option<&Path>, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let Some(path) = out else {
        session.console.stdout.write_all(document)?;
        session.console.stdout.flush()?;
        return Ok(Exit::Ok);
    };
    let mut file = new_file(path)?;
    if let Err(error) = file.write_all(document).and_then(|()| file.sync_all()) {
        // A part of a document is none.
        let _ = fs::remove_file(path);
        return Err(error.into());
    }
    session.console.say(format!("Wrote {}, {}.", path.display(), bytes(document.len() as u64)));
    Ok(Exit::Ok)
}

/// The triple by which an update names an earlier alert.
pub(super) async fn reference(id: String, session: &mut Session<'_, '_>) -> Result<AlertReference, Failure> {
    let client = session.client.clone();
    let answer = client.call(client.alerts().get_alert(GetAlertRequest { id })).await?;
    let view = answer.alert.unwrap_or_default();
    let sent_at = view.alert.and_then(|alert| alert.sent_at);
    Ok(AlertReference { origin: view.origin, id: view.id, sent_at })
}

pub(super) fn published(what: &str, id: &str, entry: u64, recipients: &[String], page: &mut Page) {
    match recipients {
        [] => page.line(format!("{what}, durable here; no peer is to get it.")),
        recipients => page.line(format!("{what}, durable here, and on its way to {}.", recipients.join(", "))),
    }
    page.pairs([("id", id.to_owned()), ("entry", entry.to_string())]);
}

impl Answer for RaiseAlertResponse {
    fn page(&self, page: &mut Page, _: Time) {
        published("Raised", &self.id, self.entry_index, &self.recipients, page);
    }
}

impl Answer for UpdateAlertResponse {
    fn page(&self, page: &mut Page, _: Time) {
        published("Updated", &self.id, self.entry_index, &self.recipients, page);
    }
}

impl Answer for CancelAlertResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Cancelled, by entry {} of the journal; every holder will be told.", self.entry_index));
    }
}

impl Answer for RedactAlertResponse {
    fn page(&self, page: &mut Page, _: Time) {
        let text = "Redacted, by entry {}: what it said is erased here, and every holder will be told to do the same.";
        page.line(text.replace("{}", &self.entry_index.to_string()));
    }
}

impl Answer for AcknowledgeAlertResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Acknowledged, by entry {} of the journal; the origin will be told.", self.entry_index));
    }
}

impl Answer for ListAlertsResponse {
    fn page(&self, page: &mut Page, now: Time) {
        let row = |alert: &AlertSummary| {
            let marks = [(alert.conflict, " !conflict"), (alert.ack_overdue, " !ack")];
            let marks: String = marks.iter().filter(|(there, _)| *there).map(|(_, mark)| *mark).collect();
            [
                time::age(alert.sent_at.as_ref(), now),
                alert.origin.clone(),
                format!("{}{marks}", super::alert_page::state(&alert.state, alert.expires_at.as_ref(), now)),
                alert.severity.clone(),
                alert.urgency.clone(),
                alert.event.clone(),
                super::alert_page::headline(&alert.mode, &alert.headline),
                alert.route_segment.clone(),
                time::utc(alert.expires_at.as_ref()),
                alert.id.clone(),
            ]
        };
        let header = ["SENT", "FROM", "STATE", "SEVERITY", "URGENCY", "EVENT", "HEADLINE", "SEGMENT", "EXPIRES", "ID"];
        // What is only practised never stands among what happens.
        let is_actual = |alert: &&AlertSummary| matches!(alert.mode.as_str(), "" | "Actual");
        let (actual, practised): (Vec<_>, Vec<_>) = self.alerts.iter().partition(is_actual);
        if !actual.is_empty() || practised.is_empty() {
            page.table(header, actual.into_iter().map(row).collect(), "no such alerts");
        }
        if !practised.is_empty() {
            page.heading("EXERCISES AND TESTS");
            page.table(header, practised.into_iter().map(row).collect(), "");
        }
    }
}

impl Answer for ListCodesResponse {
    fn page(&self, page: &mut Page, _: Time) {
        let row = |code: &VocabularyCode| {
            let mut labels: Vec<_> =
                code.labels.iter().map(|(language, label)| format!("{label} ({language})")).collect();
            labels.sort();
            [code.vocabulary.clone(), code.code.clone(), labels.join(", ")]
        };
        page.table(["VOCABULARY", "CODE", "LABELS"], self.codes.iter().map(row).collect(), "no such vocabulary");
    }
}
