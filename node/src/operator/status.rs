//! The state of the node, in one look.

use passerelle_domain::{entry::Actor, refusal::Refusal};
use passerelle_proto::{
    convert::timestamp,
    v1::{self, status_service_server::StatusService},
};
use tonic::{Request, Response, Status};

use super::{Operator, days_until, lanes::name_of};
use crate::{
    requests,
    store::disk::{DiskPressure, free_space},
};

/// Days before its end from which an own credential is an alarm: long after it should have renewed itself.
const CREDENTIAL_ALARM_DAYS: i32 = 14;

#[tonic::async_trait]
impl StatusService for Operator {
    async fn get_status(
        &self,
        request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        self.serve("get_status", request, |operator, caller, _| async move {
            let mut status = operator.blocking(Operator::status).await?;
            status.operator = match caller.actor {
                Actor::Operator(name) | Actor::Program(name) => name,
                Actor::Peer(_) | Actor::System => String::new(),
            };
            status.roles = caller.roles.iter().map(ToString::to_string).collect();
            Ok(status)
        })
        .await
    }
}

impl Operator {
    fn status(&self) -> Result<v1::GetStatusResponse, Refusal> {
        let now = self.clock.now();
        let head = self.view().head()?;
        let peers = self.peer_statuses()?;
        let disk = free_space(&self.data_dir)?;
        let own = self.peers.own_certificates();
        let (certificate_days_left, root_days_left) =
            (days_until(own.node_until, now), days_until(own.root_until, now));
        let mut alarms = Vec::new();
        match DiskPressure::at(disk.used_percent) {
            DiskPressure::None => {}
            DiskPressure::Warning => alarms.push("disk_warning".to_owned()),
            DiskPressure::Alarm => alarms.push("disk_alarm".to_owned()),
            DiskPressure::Reserve => alarms.push("disk_reserve".to_owned()),
        }
        if certificate_days_left < CREDENTIAL_ALARM_DAYS {
            alarms.push("certificate_ending".to_owned());
        }
        if root_days_left < CREDENTIAL_ALARM_DAYS {
            alarms.push("root_ending".to_owned());
        }
        if self.requests_late()? > 0 {
            alarms.push("subject_request_late".to_owned());
        }
        if requests::in_log(&self.engine, now)?.is_some_and(|since| since > requests::IN_LOG_MAX) {
            alarms.push("forgotten_text_in_log".to_owned());
        }
        if self.reviews_late()? > 0 {
            alarms.push("override_review_late".to_owned());
        }
        let (alerts_active, overdue) = self.alerts_active()?;
        for (society, alerts) in overdue {
            let alerts = if alerts == 1 { "1 alert".to_owned() } else { format!("{alerts} alerts") };
            alarms.push(format!("{society}: ack_overdue, {alerts}"));
        }
        alarms.extend(self.feed_alarms()?);
        let kept = self.upkeep.snapshot();
        if kept.clock_in_doubt {
            alarms.push("clock_in_doubt".to_owned());
        }
        if kept.vault_of_another {
            alarms.push("vault_of_another_journal".to_owned());
        }
        alarms.extend(self.withdrawal_alarms()?);
        for peer in &peers {
            alarms.extend(peer.alarms.iter().map(|alarm| format!("{}: {alarm}", peer.society)));
        }
        Ok(v1::GetStatusResponse {
            society: self.own.to_string(),
            society_name: name_of(self.own),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            epoch: head.as_ref().map(|head| head.epoch.to_string()).unwrap_or_default(),
            now: Some(timestamp(now)),
            started_at: Some(timestamp(self.started_at)),
            journal_entries: head.as_ref().map(|head| head.frontier.size()).unwrap_or_default(),
            root_hash: head.map(|head| head.frontier.root().to_string()).unwrap_or_default(),
            store_bytes: self.engine.store().bytes_on_disk()?,
            disk_used_percent: f64::from(disk.used_percent),
            certificate_days_left,
            root_days_left,
            alerts_active,
            handovers_open: self.handovers_open()?,
            peers,
            alarms,
            operator: String::new(),
            roles: Vec::new(),
            purges_soon: kept.soon_total,
        })
    }
}
