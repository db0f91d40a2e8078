//! Retention, holds, and the suspension of peers, for the operators.

use passerelle_domain::{
    catalogue::Role,
    decide::{Command, HoldScope},
    facts::Facts as _,
    handover::Note,
    ids::{CaseId, EntryIndex},
    limits::LIST_PAGE_MAX,
    refusal::{Code, Refusal},
    retention::{HoldKind, HoldRow, Rule},
    rows::{ConsentRow, HandoverRow},
    society::Society,
};
use passerelle_proto::{
    convert::timestamp,
    v1::{self, retention_service_server::RetentionService},
};
use tonic::{Request, Response, Status};

use super::{CASE_ROLES, Operator, errors::Refused, needed, optional, stamp};
use crate::store::{
    Direction, keys,
    view::{decode, failed},
};

/// Roles that see what is kept and what goes: ids and times, no content.
const KEEPING_ROLES: [Role; 4] = [Role::Dpo, Role::Supervisor, Role::NodeAdmin, Role::Auditor];

#[tonic::async_trait]
impl RetentionService for Operator {
    async fn get_retention(
        &self,
        request: Request<v1::GetRetentionRequest>,
    ) -> Result<Response<v1::GetRetentionResponse>, Status> {
        self.serve("get_retention", request, |operator, caller, _| async move {
            caller.require(&KEEPING_ROLES)?;
            Ok(operator.retention())
        })
        .await
    }

    async fn run_retention(
        &self,
        request: Request<v1::RunRetentionRequest>,
    ) -> Result<Response<v1::RunRetentionResponse>, Status> {
        self.serve("run_retention", request, |operator, caller, _| async move {
            caller.require(&[Role::Dpo, Role::NodeAdmin])?;
            Ok(operator.upkeep.run().await?)
        })
        .await
    }

    async fn review_package(
        &self,
        request: Request<v1::ReviewPackageRequest>,
    ) -> Result<Response<v1::ReviewPackageResponse>, Status> {
        self.serve("review_package", request, |operator, caller, message| async move {
            let handover = needed("id", &message.id)?;
            let EntryIndex(entry_index) =
                operator.submit_for_entry(Command::ReviewPackage { caller, handover }).await?;
            Ok(v1::ReviewPackageResponse { entry_index })
        })
        .await
    }

    async fn place_hold(
        &self,
        request: Request<v1::PlaceHoldRequest>,
    ) -> Result<Response<v1::PlaceHoldResponse>, Status> {
        self.serve("place_hold", request, |operator, caller, message| async move {
            caller.require(&[Role::Dpo])?;
            let subject = message.subject.unwrap_or_default();
            let (kind, reason) = (needed("kind", &message.kind)?, needed("reason", &message.reason)?);
            let command = Command::Hold { caller, scope: operator.scope(subject).await?, kind, lift: false, reason };
            let EntryIndex(entry_index) = operator.submit_for_entry(command).await?;
            Ok(v1::PlaceHoldResponse { entry_index })
        })
        .await
    }

    async fn lift_hold(&self, request: Request<v1::LiftHoldRequest>) -> Result<Response<v1::LiftHoldResponse>, Status> {
        self.serve("lift_hold", request, |operator, caller, message| async move {
            caller.require(&[Role::Dpo])?;
            let subject = message.subject.unwrap_or_default();
            let (kind, reason) = (needed("kind", &message.kind)?, needed("reason", &message.reason)?);
            let command = Command::Hold { caller, scope: operator.scope(subject).await?, kind, lift: true, reason };
            let EntryIndex(entry_index) = operator.submit_for_entry(command).await?;
            Ok(v1::LiftHoldResponse { entry_index })
        })
        .await
    }

    async fn list_holds(
        &self,
        request: Request<v1::ListHoldsRequest>,
    ) -> Result<Response<v1::ListHoldsResponse>, Status> {
        self.serve("list_holds", request, |operator, caller, _| async move {
            caller.require(&CASE_ROLES)?;
            Ok(operator.blocking(Operator::holds).await?)
        })
        .await
    }

    async fn suspend_peer(
        &self,
        request: Request<v1::SuspendPeerRequest>,
    ) -> Result<Response<v1::SuspendPeerResponse>, Status> {
        self.serve("suspend_peer", request, |operator, caller, message| async move {
            let peer: Society = needed("society", &message.society)?;
            let reason: Note = needed("reason", &message.reason)?;
            let command = Command::SuspendPeer { caller, peer, suspended: message.suspended, reason };
            let EntryIndex(entry_index) = operator.submit_for_entry(command).await?;
            Ok(v1::SuspendPeerResponse { entry_index })
        })
        .await
    }

    async fn propose_report(
        &self,
        request: Request<v1::ProposeReportRequest>,
    ) -> Result<Response<v1::ProposeReportResponse>, Status> {
        self.serve("propose_report", request, |operator, caller, message| async move {
            operator.propose_report(caller, message).await
        })
        .await
    }

    async fn approve_report(
        &self,
        request: Request<v1::ApproveReportRequest>,
    ) -> Result<Response<v1::ApproveReportResponse>, Status> {
        self.serve("approve_report", request, |operator, caller, message| async move {
            operator.approve_report(caller, message).await
        })
        .await
    }

    async fn export_report(
        &self,
        request: Request<v1::ExportReportRequest>,
    ) -> Result<Response<v1::ExportReportResponse>, Status> {
        self.serve("export_report", request, |operator, caller, message| async move {
            operator.export_report(caller, message).await
        })
        .await
    }

    async fn list_reports(
        &self,
        request: Request<v1::ListReportsRequest>,
    ) -> Result<Response<v1::ListReportsResponse>, Status> {
        self.serve("list_reports", request, |operator, caller, _| async move {
            caller.require(&KEEPING_ROLES)?;
            Ok(operator.blocking(Operator::reports).await?)
        })
        .await
    }
}

impl Operator {
    fn retention(&self) -> v1::GetRetentionResponse {
        let periods = self.policy.borrow().retention;
        let seen = self.upkeep.snapshot();
        let rules = Rule::ALL.iter().map(|rule| v1::RetentionRule {
            rule: rule.to_string(),
            keep_seconds: periods.of(*rule).as_secs(),
            purged: seen.purged.iter().find(|(name, _)| *name == rule.as_str()).map_or(0, |(_, count)| *count),
        });
        v1::GetRetentionResponse {
            rules: rules.collect(),
            soon: seen.soon,
            swept_at: stamp(seen.swept_at),
            clock_in_doubt: seen.clock_in_doubt,
            soon_total: seen.soon_total,
        }
    }

    /// What a hold is over. A case is one that this node has a handover or a consent record of.
    async fn scope(&self, subject: v1::HoldSubject) -> Result<HoldScope, Refused> {
        let scopes = [
            optional("subject.case_id", &subject.case_id)?.map(HoldScope::Case),
            optional("subject.handover_id", &subject.handover_id)?.map(HoldScope::Handover),
            optional("subject.consent_id", &subject.consent_id)?.map(HoldScope::Consent),
            optional("subject.alert_id", &subject.alert_id)?.map(HoldScope::Alert),
        ];
        let mut given = scopes.into_iter().flatten();
        let (Some(scope), None) = (given.next(), given.next()) else {
            let message = "a hold is over exactly one case, handover, consent record or alert";
            return Err(Refusal::new(Code::Malformed, message).at("subject").into());
        };
        if let HoldScope::Case(case) = scope
            && !self.blocking(move |operator| operator.has_case(case)).await?
        {
            let message = "this node has no handover and no consent record of the case";
            return Err(Refusal::new(Code::UnknownSubject, message).at("subject.case_id").into());
        }
        Ok(scope)
    }

    fn has_case(&self, case: CaseId) -> Result<bool, Refusal> {
        let (from, until) = keys::all(b'c');
        for pair in self.engine.store().scan(&from, &until, Direction::Backward) {
            if decode::<ConsentRow>(&pair.map_err(failed)?.1)?.case == case {
                return Ok(true);
            }
        }
        let (from, until) = keys::all(b'h');
        for pair in self.engine.store().scan(&from, &until, Direction::Backward) {
            if decode::<HandoverRow>(&pair.map_err(failed)?.1)?.case == Some(case) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn holds(&self) -> Result<v1::ListHoldsResponse, Refusal> {
        let (from, until) = keys::all(b'l');
        let mut holds = Vec::new();
        for pair in self.engine.store().scan(&from, &until, Direction::Backward).take(LIST_PAGE_MAX as usize) {
            let (key, value) = pair.map_err(failed)?;
            let row: HoldRow = decode(&value)?;
            let Some((subject, kind)) = keys::hold_of(&key) else { continue };
            let kind: HoldKind = kind;
            holds.push(v1::HoldView {
                subject: subject.to_string(),
                kind: kind.to_string(),
                reason: row.reason,
                placed_at: Some(timestamp(row.placed_at)),
                lifted_at: stamp(row.lifted.map(|(_, at)| at)),
                entry_index: row.placed.0,
            });
        }
        Ok(v1::ListHoldsResponse { holds })
    }

    /// Whether an officer suspended the exchange of cases with a peer.
    pub(super) fn is_suspended(&self, peer: Society) -> Result<bool, Refusal> {
        Ok(self.view().suspension(peer)?.is_some_and(|row| row.suspended))
    }
}
