//! Alerts: raised, updated, cancelled, acknowledged, read.

use std::collections::BTreeMap;

use passerelle_domain::{
    alert::{Alert, AlertAck, AlertCancel, Warning, life::Shown, warnings},
    catalogue::{self, Mode, Role},
    decide::{Caller, Command, Reply},
    facts::Facts as _,
    fold::Content,
    ids::{AlertId, EntryIndex},
    refusal::{Code, Refusal},
    rows::AlertRow,
    society::Society,
    time::Time,
};
use passerelle_proto::{
    convert::{alert_draft, alert_message, timestamp},
    v1::{self, alert_service_server::AlertService},
};
use tonic::{Request, Response, Status};

use super::{
    Operator, alert_export, drafts::DRAFT_ROLES, entry_and_content, errors::Refused, needed, optional, page_size,
    thread,
};
use crate::store::{
    Direction, keys,
    view::{View, decode, failed},
};

#[tonic::async_trait]
impl AlertService for Operator {
    async fn raise_alert(
        &self,
        request: Request<v1::RaiseAlertRequest>,
    ) -> Result<Response<v1::RaiseAlertResponse>, Status> {
        self.serve("raise_alert", request, |operator, caller, message| async move {
            let ((id, entry_index, digest, recipients), warnings) =
                operator.publish(caller, &message.id, message.alert, false).await?;
            Ok(v1::RaiseAlertResponse { id, entry_index, digest, recipients, warnings })
        })
        .await
    }

    async fn update_alert(
        &self,
        request: Request<v1::UpdateAlertRequest>,
    ) -> Result<Response<v1::UpdateAlertResponse>, Status> {
        self.serve("update_alert", request, |operator, caller, message| async move {
            let ((id, entry_index, digest, recipients), warnings) =
                operator.publish(caller, &message.id, message.alert, true).await?;
            Ok(v1::UpdateAlertResponse { id, entry_index, digest, recipients, warnings })
        })
        .await
    }

    async fn draft_alert(
        &self,
        request: Request<v1::DraftAlertRequest>,
    ) -> Result<Response<v1::DraftAlertResponse>, Status> {
        self.serve("draft_alert", request, |operator, caller, message| async move {
            let draft = operator.keep_draft(caller, &message.id, message.alert).await?;
            Ok(v1::DraftAlertResponse { draft: Some(draft) })
        })
        .await
    }

    async fn list_drafts(
        &self,
        request: Request<v1::ListDraftsRequest>,
    ) -> Result<Response<v1::ListDraftsResponse>, Status> {
        self.serve("list_drafts", request, |operator, caller, message| async move {
            caller.require(&DRAFT_ROLES)?;
            let (rows, before) = (page_size(message.page_size)?, optional("page_token", &message.page_token)?);
            Ok(operator.blocking(move |operator| operator.draft_page(rows, before)).await?)
        })
        .await
    }

    async fn get_draft(&self, request: Request<v1::GetDraftRequest>) -> Result<Response<v1::GetDraftResponse>, Status> {
        self.serve("get_draft", request, |operator, caller, message| async move {
            caller.require(&DRAFT_ROLES)?;
            let id = needed("id", &message.id)?;
            let draft = operator.blocking(move |operator| operator.known_draft(id)).await?;
            Ok(v1::GetDraftResponse { draft: Some(draft) })
        })
        .await
    }

    async fn approve_alert(
        &self,
        request: Request<v1::ApproveAlertRequest>,
    ) -> Result<Response<v1::ApproveAlertResponse>, Status> {
        self.serve("approve_alert", request, |operator, caller, message| async move {
            let (id, digest) = (needed("id", &message.id)?, optional("digest", &message.digest)?);
            let command = Command::ApproveDraft { caller, id, digest };
            let EntryIndex(entry_index) = operator.submit_for_entry(command).await?;
            Ok(v1::ApproveAlertResponse { entry_index })
        })
        .await
    }

    async fn publish_alert(
        &self,
        request: Request<v1::PublishAlertRequest>,
    ) -> Result<Response<v1::PublishAlertResponse>, Status> {
        self.serve("publish_alert", request, |operator, caller, message| async move {
            let command = Command::PublishDraft { caller, id: needed("id", &message.id)? };
            let (id, entry_index, digest, recipients) = published(operator.submit(command).await?)?;
            Ok(v1::PublishAlertResponse { id, entry_index, digest, recipients })
        })
        .await
    }

    async fn discard_alert(
        &self,
        request: Request<v1::DiscardAlertRequest>,
    ) -> Result<Response<v1::DiscardAlertResponse>, Status> {
        self.serve("discard_alert", request, |operator, caller, message| async move {
            let command = Command::DiscardDraft { caller, id: needed("id", &message.id)? };
            let EntryIndex(entry_index) = operator.submit_for_entry(command).await?;
            Ok(v1::DiscardAlertResponse { entry_index })
        })
        .await
    }

    async fn redact_alert(
        &self,
        request: Request<v1::RedactAlertRequest>,
    ) -> Result<Response<v1::RedactAlertResponse>, Status> {
        self.serve("redact_alert", request, |operator, caller, message| async move {
            let (id, reason) = (needed("id", &message.id)?, needed("reason", &message.reason)?);
            let entropy = operator.entropy.id();
            let command = Command::RedactAlert { caller, entropy, id, reason };
            let EntryIndex(entry_index) = operator.submit_for_entry(command).await?;
            Ok(v1::RedactAlertResponse { entry_index })
        })
        .await
    }

    async fn cancel_alert(
        &self,
        request: Request<v1::CancelAlertRequest>,
    ) -> Result<Response<v1::CancelAlertResponse>, Status> {
        self.serve("cancel_alert", request, |operator, caller, message| async move {
            let cancel = AlertCancel {
                alert: needed("id", &message.id)?,
                reason: needed("reason", &message.reason)?,
                note: optional("note", &message.note)?,
            };
            let entropy = operator.entropy.id();
            let EntryIndex(entry_index) =
                operator.submit_for_entry(Command::CancelAlert { caller, entropy, cancel }).await?;
            Ok(v1::CancelAlertResponse { entry_index })
        })
        .await
    }

    async fn acknowledge_alert(
        &self,
        request: Request<v1::AcknowledgeAlertRequest>,
    ) -> Result<Response<v1::AcknowledgeAlertResponse>, Status> {
        self.serve("acknowledge_alert", request, |operator, caller, message| async move {
            let kind = catalogue::AckKind::ALL.iter().copied();
            // People write `ack` and `error`; the code of the vocabulary is CAP's, with a capital letter.
            let kind = kind.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(&message.kind));
            let unknown = || Refusal::new(Code::UnknownCode, "the kind is ack or error").at("kind");
            let note = optional("note", &message.note)?;
            let ack = AlertAck::new(needed("id", &message.id)?, kind.ok_or_else(unknown)?, note)?;
            let entropy = operator.entropy.id();
            let EntryIndex(entry_index) =
                operator.submit_for_entry(Command::AcknowledgeAlert { caller, entropy, ack }).await?;
            Ok(v1::AcknowledgeAlertResponse { entry_index })
        })
        .await
    }

    async fn get_alert(&self, request: Request<v1::GetAlertRequest>) -> Result<Response<v1::GetAlertResponse>, Status> {
        self.serve("get_alert", request, |operator, _, message| async move {
            let id = needed("id", &message.id)?;
            let alert = operator.blocking(move |operator| operator.alert_view(id)).await?;
            Ok(v1::GetAlertResponse { alert: Some(alert) })
        })
        .await
    }

    async fn export_alert(
        &self,
        request: Request<v1::ExportAlertRequest>,
    ) -> Result<Response<v1::ExportAlertResponse>, Status> {
        self.serve("export_alert", request, |operator, _, message| async move {
            let wanted = alert_export::Wanted::read(&message, operator.own)?;
            Ok(operator.blocking(move |operator| operator.export(&wanted)).await?)
        })
        .await
    }

    async fn list_alerts(
        &self,
        request: Request<v1::ListAlertsRequest>,
    ) -> Result<Response<v1::ListAlertsResponse>, Status> {
        self.serve("list_alerts", request, |operator, _, message| async move {
            let wanted = Wanted {
                rows: page_size(message.page_size)?,
                before: optional("page_token", &message.page_token)?,
                state: optional("state", &message.state)?,
                origin: optional("origin", &message.origin)?,
                all: message.all,
                mode: optional("mode", &message.mode)?,
            };
            Ok(operator.blocking(move |operator| operator.alert_page(&wanted)).await?)
        })
        .await
    }

    async fn get_feeds(&self, request: Request<v1::GetFeedsRequest>) -> Result<Response<v1::GetFeedsResponse>, Status> {
        self.serve("get_feeds", request, |operator, _, _| async move { Ok(operator.feed_statuses()?) }).await
    }

    async fn list_codes(
        &self,
        request: Request<v1::ListCodesRequest>,
    ) -> Result<Response<v1::ListCodesResponse>, Status> {
        self.serve("list_codes", request, |_, _, message| async move {
            let mut codes = super::codes::vocabularies();
            if !message.vocabulary.is_empty() {
                codes.retain(|code| code.vocabulary == message.vocabulary);
                if codes.is_empty() {
                    let message = "there is no vocabulary of that name";
                    return Err(Refusal::new(Code::UnknownCode, message).at("vocabulary").into());
                }
            }
            Ok(v1::ListCodesResponse { codes })
        })
        .await
    }
}

/// Which alerts a list is to have.
struct Wanted {
    rows: usize,
    before: Option<AlertId>,
    state: Option<Shown>,
    origin: Option<Society>,
    all: bool,
    mode: Option<Mode>,
}

impl Wanted {
    fn has(&self, row: &AlertRow, now: Time) -> bool {
        let state = thread::shown_as(row, now);
        let ended = matches!(state, Shown::Expired | Shown::Superseded | Shown::Cancelled | Shown::Redacted);
        let state_fits = match self.state {
            Some(wanted) => state == wanted,
            None => self.all || !ended,
        };
        let mode_fits = self.mode.is_none_or(|mode| mode == row.mode);
        state_fits && mode_fits && self.origin.is_none_or(|origin| origin == row.origin)
    }
}

/// What is odd about an alert and yet may be right.
pub(super) fn odd(alert: &Alert) -> Vec<v1::AlertWarning> {
    let message = |Warning { code, field, message }| v1::AlertWarning { code: code.to_owned(), field, message };
    warnings(alert).into_iter().map(message).collect()
}

impl Operator {
    /// Raises an alert or an update: its id, entry, digest and recipients, and what is odd about it.
    async fn publish(
        &self,
        caller: Caller,
        id: &str,
        alert: Option<v1::Alert>,
        update: bool,
    ) -> Result<((String, u64, String, Vec<String>), Vec<v1::AlertWarning>), Refused> {
        caller.require(&[Role::AlertAuthor, Role::AlertApprover])?;
        let message = alert.ok_or_else(|| Refusal::new(Code::MissingField, "alert is missing").at("alert"))?;
        if message.supersedes.is_empty() == update {
            let (code, text) = if update {
                (Code::MissingField, "an update names the alerts that it supersedes")
            } else {
                (Code::Malformed, "what supersedes an earlier alert is raised as an update")
            };
            return Err(Refusal::new(code, text).at("supersedes").into());
        }
        let (id, alert) = self.taken_up(id, message)?;
        let odd = odd(&alert);
        let raised = published(self.submit(Command::RaiseAlert { caller, id, alert: Box::new(alert) }).await?)?;
        Ok((raised, odd))
    }

    /// The alert that a request describes, and its id. The same request again is taken up at the instant at which it
    /// was first, so that it is the same alert.
    pub(super) fn taken_up(&self, id: &str, message: v1::Alert) -> Result<(AlertId, Alert), Vec<Refusal>> {
        let draft = alert_draft(message)?;
        let now = self.clock.now();
        let given: Option<AlertId> = optional("id", id).map_err(|refusal| vec![refusal])?;
        let first = given.map(|id| self.first_sent(id)).transpose().map_err(|refusal| vec![refusal])?.flatten();
        let alert = Alert::from_draft(draft, first.unwrap_or(now))?;
        Ok((given.unwrap_or_else(|| AlertId::new(now, self.entropy.id())), alert))
    }

    fn first_sent(&self, id: AlertId) -> Result<Option<Time>, Refusal> {
        let view = self.view();
        let entry = match view.alert(id)? {
            Some(row) => row.entry,
            None => match view.draft(id)? {
                Some(row) => row.entry,
                None => return Ok(None),
            },
        };
        match entry_and_content(&view, entry)? {
            Some((_, Some(Content::Alert(alert) | Content::Draft(alert)))) => Ok(Some(alert.sent_at)),
            _ => Ok(None),
        }
    }

    fn alert_view(&self, id: AlertId) -> Result<v1::AlertView, Refusal> {
        let (view, now) = (self.view(), self.clock.now());
        let unknown = || Refusal::new(Code::UnknownAlert, "this node has no such alert").at("id");
        let row = view.alert(id)?.ok_or_else(unknown)?;
        let found = entry_and_content(&view, row.entry)?;
        let (alert, imported) = match &found {
            Some((_, Some(Content::Alert(alert)))) => {
                (Some(alert_message(alert.to_draft(), now)), self.imported(id, row.origin, alert))
            }
            _ => (None, None),
        };
        let cancel = row.cancelled.map(|(_, entry)| entry_and_content(&view, entry)).transpose()?.flatten();
        let cancel_note = match cancel {
            Some((_, Some(Content::Cancel(cancel)))) => cancel.note.map(|note| note.to_string()),
            _ => None,
        };
        let thread = thread::Thread::of(&view, self.own, id, &row, now)?;
        Ok(v1::AlertView {
            id: id.to_string(),
            origin: row.origin.to_string(),
            alert,
            state: thread::shown_as(&row, now).to_string(),
            entry_index: row.entry.0,
            digest: row.digest.to_string(),
            recorded_at: found.map(|(entry, _)| timestamp(entry.time)),
            superseded_by: thread.updates.first().map(ToString::to_string).unwrap_or_default(),
            cancel_reason: row.cancelled.map(|(reason, _)| reason.to_string()).unwrap_or_default(),
            cancel_note: cancel_note.unwrap_or_default(),
            deliveries: row.deliveries.iter().map(|one| thread::delivery(&view, one)).collect::<Result<_, _>>()?,
            acknowledgements: thread::acknowledgements(&view, id)?,
            updates: thread.updates.iter().map(ToString::to_string).collect(),
            conflicts_with: thread.conflicts.iter().map(ToString::to_string).collect(),
            redact_reason: row.redacted.as_ref().map(|one| one.reason.to_string()).unwrap_or_default(),
            redacted_at: thread.redacted_at.map(timestamp),
            erasures: thread::erasures(&view, self.own, &row)?,
            escalation: thread::escalation(&view, &row)?,
            unacknowledged: codes(&thread.unacknowledged),
            ack_overdue: thread.ack_overdue,
            supersedes: row.parents().iter().map(ToString::to_string).collect(),
            imported,
        })
    }

    fn alert_page(&self, wanted: &Wanted) -> Result<v1::ListAlertsResponse, Refusal> {
        let (view, now) = (self.view(), self.clock.now());
        let (from, mut until) = keys::all(b'a');
        if let Some(before) = wanted.before {
            until = keys::alert(before);
        }
        let mut alerts = Vec::new();
        let mut next_page_token = String::new();
        let mut last = String::new();
        for pair in self.engine.store().scan(&from, &until, Direction::Backward) {
            let (key, value) = pair.map_err(failed)?;
            let row: AlertRow = decode(&value)?;
            let Some(id) = keys::id_bytes(&key).filter(|_| wanted.has(&row, now)).map(AlertId::from_bytes) else {
                continue;
            };
            if alerts.len() == wanted.rows {
                next_page_token = last;
                break;
            }
            last = id.to_string();
            alerts.push(self.summary(&view, id, &row, now)?);
        }
        Ok(v1::ListAlertsResponse { alerts, next_page_token })
    }

    fn summary(&self, view: &View<'_>, id: AlertId, row: &AlertRow, now: Time) -> Result<v1::AlertSummary, Refusal> {
        let alert = match entry_and_content(view, row.entry)? {
            Some((_, Some(Content::Alert(alert)))) => Some(alert),
            _ => None,
        };
        let alert = alert.as_deref();
        let headline = alert.and_then(|alert| alert.texts.first()).map(|text| text.headline.clone());
        let segment = alert.and_then(|alert| alert.route_segment.as_ref()).map(|segment| segment.as_str().to_owned());
        let thread = thread::Thread::of(view, self.own, id, row, now)?;
        // The codes of a redacted alert stand in its row; nobody is shown them any more.
        let code = |code: &dyn std::fmt::Display| if row.redacted.is_some() { String::new() } else { code.to_string() };
        Ok(v1::AlertSummary {
            id: id.to_string(),
            origin: row.origin.to_string(),
            state: thread::shown_as(row, now).to_string(),
            mode: row.mode.to_string(),
            event: code(&row.event),
            urgency: code(&row.urgency),
            severity: code(&row.severity),
            headline: headline.unwrap_or_default(),
            route_segment: segment.unwrap_or_default(),
            sent_at: alert.map(|alert| timestamp(alert.sent_at)),
            expires_at: Some(timestamp(row.expires_at)),
            entry_index: row.entry.0,
            conflict: !thread.conflicts.is_empty(),
            ack_overdue: thread.ack_overdue,
        })
    }

    /// How many of the newest alerts are active, and how many answers are overdue, by who owes them.
    pub(super) fn alerts_active(&self) -> Result<(u64, BTreeMap<Society, u64>), Refusal> {
        let (view, now) = (self.view(), self.clock.now());
        let (from, until) = keys::all(b'a');
        let (mut active, mut overdue) = (0, BTreeMap::new());
        for pair in self.engine.store().scan(&from, &until, Direction::Backward).take(super::COUNTED_MAX) {
            let (key, value) = pair.map_err(failed)?;
            let row: AlertRow = decode(&value)?;
            active += u64::from(thread::shown_as(&row, now) == Shown::Active);
            if row.ack.is_some()
                && let Some(id) = keys::id_bytes(&key).map(AlertId::from_bytes)
            {
                let thread = thread::Thread::of(&view, self.own, id, &row, now)?;
                for society in thread.unacknowledged.into_iter().filter(|_| thread.ack_overdue) {
                    *overdue.entry(society).or_insert(0) += 1;
                }
            }
        }
        Ok((active, overdue))
    }
}

fn codes(societies: &[Society]) -> Vec<String> {
    societies.iter().map(ToString::to_string).collect()
}

/// The id, entry, digest and recipients of an alert that was published.
fn published(reply: Reply) -> Result<(String, u64, String, Vec<String>), Refusal> {
    match reply {
        Reply::Alert { id, entry, digest, recipients } => {
            Ok((id.to_string(), entry.0, digest.to_string(), codes(&recipients)))
        }
        _ => Err(Refusal::new(Code::StoreFailed, "the engine answered something else")),
    }
}
