//! The life of alerts: raised, updated, cancelled, redacted, acknowledged.

use passerelle_domain::{
    alert::{Alert, AlertAck, AlertCancel, AlertDraft, Reference, When},
    catalogue::{AckKind, CancelReason, Mode, RedactReason, Severity, Urgency},
    decide::Command,
    ids::AlertId,
    time::Time,
};

use super::{People, alert_id, entropy, person};
use crate::{
    sim::{chance::Chance, network::paths::Millis},
    world,
};

/// What people were told of an alert of theirs.
#[derive(Clone, Debug)]
pub struct AlertFact {
    /// Its id.
    pub id: AlertId,
    /// Whose it is.
    pub origin: usize,
    /// When that was acknowledged.
    pub raised: Millis,
    /// When it was sent, as it says itself.
    pub sent_at: Time,
    /// When its cancel was acknowledged.
    pub cancelled: Option<Millis>,
    /// When its redaction was acknowledged.
    pub redacted: Option<Millis>,
}

impl People {
    pub(super) async fn raise(&self, node: usize, urgent: bool, brief: bool, mut chance: Chance) {
        self.publish(node, None, urgent, brief, &mut chance).await;
    }

    pub(super) async fn update(&self, node: usize, mut chance: Chance) {
        if let Some(earlier) = self.alert_of(node, &mut chance) {
            self.publish(node, Some(earlier), false, false, &mut chance).await;
        }
    }

    async fn publish(&self, node: usize, earlier: Option<AlertFact>, urgent: bool, brief: bool, chance: &mut Chance) {
        let now = self.clock(node);
        let id = alert_id(now, chance);
        let Some(alert) = self.written(node, earlier.as_ref(), urgent, brief, now) else { return };
        let sent_at = alert.sent_at;
        let what = if earlier.is_some() { "update" } else { "alert" };
        let command = Command::RaiseAlert { caller: person(), id, alert: Box::new(alert) };
        if self.command(node, &format!("{what} {id}"), command).await.is_ok() {
            let raised = self.now();
            let fact = AlertFact { id, origin: node, raised, sent_at, cancelled: None, redacted: None };
            self.memory.lock().alerts.push(fact);
        }
    }

    fn written(&self, node: usize, earlier: Option<&AlertFact>, urgent: bool, brief: bool, now: Time) -> Option<Alert> {
        let mut draft: AlertDraft = world::draft("a convoy").ok()?;
        (draft.mode, draft.severity) = match urgent {
            true => (Some(Mode::Actual), Some(Severity::Severe)),
            false => (Some(Mode::Exercise), Some(Severity::Moderate)),
        };
        draft.urgency = Some(Urgency::Expected);
        if brief {
            draft.expires_at = Some(When::AfterMinutes(3));
            (draft.onset_from, draft.onset_to, draft.ack_by) = (None, None, None);
            draft.etas.clear();
        }
        let origin = self.sites[node].society;
        draft.supersedes =
            earlier.map(|earlier| Reference { origin, id: earlier.id, sent_at: earlier.sent_at }).into_iter().collect();
        match Alert::from_draft(draft, now) {
            Ok(alert) => Some(alert),
            Err(faults) => {
                self.tell(node, format_args!("people: the alert is not valid: {faults:?}"));
                None
            }
        }
    }

    /// An alert of the node that still holds, as far as people know.
    fn alert_of(&self, node: usize, chance: &mut Chance) -> Option<AlertFact> {
        let memory = self.memory.lock();
        let own: Vec<_> =
            memory.alerts.iter().filter(|alert| alert.origin == node && alert.cancelled.is_none()).collect();
        (!own.is_empty()).then(|| (*chance.pick(&own)).clone())
    }

    pub(super) async fn cancel(&self, node: usize, mut chance: Chance) {
        let Some(AlertFact { id, .. }) = self.alert_of(node, &mut chance) else { return };
        let cancel = AlertCancel { alert: id, reason: CancelReason::Resolved, note: None };
        let command = Command::CancelAlert { caller: person(), entropy: entropy(&mut chance), cancel };
        if self.command(node, &format!("cancel of {id}"), command).await.is_ok() {
            self.remember(id, |fact, now| fact.cancelled = Some(now));
        }
    }

    pub(super) async fn redact(&self, node: usize, mut chance: Chance) {
        let Some(AlertFact { id, .. }) = self.alert_of(node, &mut chance) else { return };
        let reason = RedactReason::PersonalData;
        let command = Command::RedactAlert { caller: person(), entropy: entropy(&mut chance), id, reason };
        if self.command(node, &format!("redaction of {id}"), command).await.is_ok() {
            self.remember(id, |fact, now| fact.redacted = Some(now));
        }
    }

    pub(super) async fn acknowledge(&self, node: usize, mut chance: Chance) {
        let others: Vec<AlertId> =
            self.memory.lock().alerts.iter().filter(|alert| alert.origin != node).map(|alert| alert.id).collect();
        if others.is_empty() {
            return;
        }
        let id = *chance.pick(&others);
        let Ok(ack) = AlertAck::new(id, AckKind::Ack, None) else { return };
        let command = Command::AcknowledgeAlert { caller: person(), entropy: entropy(&mut chance), ack };
        // An alert that has not come yet is refused; that is as good an answer.
        let _ = self.command(node, &format!("answer to {id}"), command).await;
    }

    fn remember(&self, id: AlertId, what: impl FnOnce(&mut AlertFact, Millis)) {
        let now = self.now();
        if let Some(fact) = self.memory.lock().alerts.iter_mut().find(|alert| alert.id == id) {
            what(fact, now);
        }
    }
}
