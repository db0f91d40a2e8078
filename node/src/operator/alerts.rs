//! Alerts: raised, updated, cancelled, acknowledged, read.

use passerelle_domain::{
    alert::{
        Alert, AlertAck, AlertCancel,
        life::{Shown, shown},
    },
    catalogue::{self, Role},
    decide::{Caller, Command, Reply},
    entry::Body,
    facts::Facts as _,
    fold::Content,
    ids::{AlertId, EntryIndex},
    refusal::{Code, Refusal},
    rows::{AlertRow, Delivery, Ended},
    society::Society,
    time::Time,
};
use passerelle_proto::{
    convert::{alert_draft, alert_message, timestamp},
    v1::{self, alert_service_server::AlertService},
};
use tonic::{Request, Response, Status};

use super::{Operator, alert_export, entry_and_content, errors::Refused, needed, optional, page_size};
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
            let (id, entry_index, digest, recipients) =
                operator.publish(caller, &message.id, message.alert, false).await?;
            Ok(v1::RaiseAlertResponse { id, entry_index, digest, recipients })
        })
        .await
    }

    async fn update_alert(
        &self,
        request: Request<v1::UpdateAlertRequest>,
    ) -> Result<Response<v1::UpdateAlertResponse>, Status> {
        self.serve("update_alert", request, |operator, caller, message| async move {
            let (id, entry_index, digest, recipients) =
                operator.publish(caller, &message.id, message.alert, true).await?;
            Ok(v1::UpdateAlertResponse { id, entry_index, digest, recipients })
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
            };
            Ok(operator.blocking(move |operator| operator.alert_page(&wanted)).await?)
        })
        .await
    }

    async fn list_codes(
        &self,
        request: Request<v1::ListCodesRequest>,
    ) -> Result<Response<v1::ListCodesResponse>, Status> {
        self.serve("list_codes", request, |_, _, message| async move {
            let mut codes = vocabularies();
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
}

impl Wanted {
    fn has(&self, row: &AlertRow, now: Time) -> bool {
        let state = shown(row.state, row.expires_at, now);
        let ended = matches!(state, Shown::Expired | Shown::Superseded | Shown::Cancelled | Shown::Redacted);
        let state_fits = match self.state {
            Some(wanted) => state == wanted,
            None => self.all || !ended,
        };
        state_fits && self.origin.is_none_or(|origin| origin == row.origin)
    }
}

impl Operator {
    /// Raises an alert or an update: its id, entry, digest and recipients.
    async fn publish(
        &self,
        caller: Caller,
        id: &str,
        alert: Option<v1::Alert>,
        update: bool,
    ) -> Result<(String, u64, String, Vec<String>), Refused> {
        caller.require(&[Role::AlertAuthor, Role::AlertApprover])?;
        let message = alert.ok_or_else(|| Refusal::new(Code::MissingField, "alert is missing").at("alert"))?;
        let draft = alert_draft(message)?;
        if draft.supersedes.is_empty() == update {
            let (code, text) = if update {
                (Code::MissingField, "an update names the alerts that it supersedes")
            } else {
                (Code::Malformed, "what supersedes an earlier alert is raised as an update")
            };
            return Err(Refusal::new(code, text).at("supersedes").into());
        }
        let now = self.clock.now();
        let given: Option<AlertId> = optional("id", id)?;
        // The same request again is taken up at the instant at which it was first, so that it is the same alert.
        let first = given.map(|id| self.first_sent(id)).transpose()?.flatten();
        let alert = Alert::from_draft(draft, first.unwrap_or(now))?;
        let id = given.unwrap_or_else(|| AlertId::new(now, self.entropy.id()));
        match self.submit(Command::RaiseAlert { caller, id, alert: Box::new(alert) }).await? {
            Reply::Alert { id, entry, digest, recipients } => {
                Ok((id.to_string(), entry.0, digest.to_string(), codes(&recipients)))
            }
            _ => Err(Refusal::new(Code::StoreFailed, "the engine answered something else").into()),
        }
    }

    fn first_sent(&self, id: AlertId) -> Result<Option<Time>, Refusal> {
        let view = self.view();
        let Some(row) = view.alert(id)? else { return Ok(None) };
        match entry_and_content(&view, row.entry)? {
            Some((_, Some(Content::Alert(alert)))) => Ok(Some(alert.sent_at)),
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
                (Some(alert_message(alert.to_draft(), now)), alert_export::imported(id, row.origin, alert))
            }
            _ => (None, None),
        };
        let cancel = row.cancelled.map(|(_, entry)| entry_and_content(&view, entry)).transpose()?.flatten();
        let cancel_note = match cancel {
            Some((_, Some(Content::Cancel(cancel)))) => cancel.note.map(|note| note.to_string()),
            _ => None,
        };
        Ok(v1::AlertView {
            id: id.to_string(),
            origin: row.origin.to_string(),
            alert,
            state: shown(row.state, row.expires_at, now).to_string(),
            entry_index: row.entry.0,
            digest: row.digest.to_string(),
            recorded_at: found.map(|(entry, _)| timestamp(entry.time)),
            superseded_by: row.superseded_by.map(|id| id.to_string()).unwrap_or_default(),
            cancel_reason: row.cancelled.map(|(reason, _)| reason.to_string()).unwrap_or_default(),
            cancel_note: cancel_note.unwrap_or_default(),
            deliveries: row.deliveries.iter().map(|one| delivery(&view, one)).collect::<Result<_, _>>()?,
            acknowledgements: acknowledgements(&view, id)?,
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
            alerts.push(summary(&view, id, &row, now)?);
        }
        Ok(v1::ListAlertsResponse { alerts, next_page_token })
    }

    /// How many alerts are active.
    pub(super) fn alerts_active(&self) -> Result<u64, Refusal> {
        let now = self.clock.now();
        let (from, until) = keys::all(b'a');
        let mut active = 0;
        for pair in self.engine.store().scan(&from, &until, Direction::Forward) {
            let row: AlertRow = decode(&pair.map_err(failed)?.1)?;
            active += u64::from(shown(row.state, row.expires_at, now) == Shown::Active);
        }
        Ok(active)
    }
}

fn codes(societies: &[Society]) -> Vec<String> {
    societies.iter().map(ToString::to_string).collect()
}

fn summary(view: &View<'_>, id: AlertId, row: &AlertRow, now: Time) -> Result<v1::AlertSummary, Refusal> {
    let alert = match entry_and_content(view, row.entry)? {
        Some((_, Some(Content::Alert(alert)))) => Some(alert),
        _ => None,
    };
    let alert = alert.as_deref();
    let headline = alert.and_then(|alert| alert.texts.first()).map(|text| text.headline.clone());
    let segment = alert.and_then(|alert| alert.route_segment.as_ref()).map(|segment| segment.as_str().to_owned());
    Ok(v1::AlertSummary {
        id: id.to_string(),
        origin: row.origin.to_string(),
        state: shown(row.state, row.expires_at, now).to_string(),
        mode: row.mode.to_string(),
        event: row.event.to_string(),
        urgency: row.urgency.to_string(),
        severity: row.severity.to_string(),
        headline: headline.unwrap_or_default(),
        route_segment: segment.unwrap_or_default(),
        sent_at: alert.map(|alert| timestamp(alert.sent_at)),
        expires_at: Some(timestamp(row.expires_at)),
        entry_index: row.entry.0,
    })
}

/// How far an alert of ours has come at one peer.
fn delivery(view: &View<'_>, one: &Delivery) -> Result<v1::AlertDelivery, Refusal> {
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
        Some(Ended::Expired) => ("ended", None, None),
        None if receipted => ("delivered", None, None),
        None => ("queued", None, None),
    };
    Ok(v1::AlertDelivery { society: one.peer.to_string(), state: state.to_owned(), at, code: code.unwrap_or_default() })
}

fn acknowledgements(view: &View<'_>, id: AlertId) -> Result<Vec<v1::AlertAcknowledgement>, Refusal> {
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

macro_rules! vocabularies {
    ($($name:literal: $type:ident,)+) => {
        /// Every vocabulary of an operator's interest, with its codes.
        fn vocabularies() -> Vec<v1::VocabularyCode> {
            let mut codes = Vec::new();
            $(for code in catalogue::$type::ALL {
                codes.push(v1::VocabularyCode {
                    vocabulary: $name.to_owned(),
                    code: code.as_str().to_owned(),
                    labels: Default::default(),
                });
            })+
            for code in codes.iter_mut().filter(|code| code.vocabulary == "event") {
                if let Ok(event) = code.code.parse::<catalogue::Event>() {
                    let labels = ["en", "fr", "ar", "pt"].map(|lang| (lang.to_owned(), event.label(lang).to_owned()));
                    code.labels = labels.into_iter().collect();
                }
            }
            codes.extend(catalogue::SEGMENTS.iter().map(|segment| v1::VocabularyCode {
                vocabulary: "segment".to_owned(),
                code: (*segment).to_owned(),
                labels: Default::default(),
            }));
            codes
        }
    };
}

vocabularies! {
    "event": Event,
    "mode": Mode,
    "urgency": Urgency,
    "severity": Severity,
    "certainty": Certainty,
    "source_type": SourceType,
    "source_reliability": Reliability,
    "verification": Verification,
    "place_role": PlaceRole,
    "basis": Basis,
    "band": Band,
    "need": Need,
    "transport": TransportMode,
    "confidence": Confidence,
    "response_type": ResponseType,
    "access": Access,
    "post": DutyPost,
    "sensitivity": Sensitivity,
    "cancel_reason": CancelReason,
    "ack_kind": AckKind,
    "text_origin": TextOrigin,
    "role": Role,
    "service": Service,
    "purpose": Purpose,
    "data_category": DataCategory,
    "section": Section,
    "handover_kind": HandoverKind,
    "case_priority": CasePriority,
    "age_band": AgeBand,
    "reject_reason": RejectReason,
    "close_reason": CloseReason,
    "stop_reason": StopReason,
}
