//! What stands around handovers, for operators: approvals, overrides, groups. Handlers only; what overrides and
//! exceptions look like stands in [`super::overrides`].

use passerelle_domain::{
    catalogue::{Role, SplitReason, VitalReason},
    consent::Tag,
    decide::{Caller, Member, SafeguardCommand, missing_approvals},
    facts::Facts as _,
    handover::{GroupId, HandoverDraft, Note, OverrideStep, Verdict, permitted_roles},
    ids::{CaseId, EntryIndex, HandoverId},
    limits::GROUP_MEMBERS_MAX,
    refusal::{Code, Refusal},
};
use passerelle_proto::{
    convert::{handover, timestamp},
    v1::{self, safeguard_service_server::SafeguardService},
};
use tonic::{Request, Response, Status};

use super::{CASE_ROLES, Operator, errors::Refused, json, needed, optional, stamp};

#[tonic::async_trait]
impl SafeguardService for Operator {
    async fn approve_handover(
        &self,
        request: Request<v1::ApproveHandoverRequest>,
    ) -> Result<Response<v1::ApproveHandoverResponse>, Status> {
        self.serve("approve_handover", request, |operator, caller, message| async move {
            let id = needed("id", &message.id)?;
            let EntryIndex(entry_index) = operator.approve(caller, id, false, &message.role).await?;
            let missing = operator.missing(id, false)?;
            let state = operator.known_handover(id)?.0.state.to_string();
            Ok(v1::ApproveHandoverResponse { entry_index, state, missing })
        })
        .await
    }

    async fn send_handover(
        &self,
        request: Request<v1::SendHandoverRequest>,
    ) -> Result<Response<v1::SendHandoverResponse>, Status> {
        self.serve("send_handover", request, |operator, caller, message| async move {
            let id = needed("id", &message.id)?;
            let command = SafeguardCommand::SendHandover { caller, entropy: operator.entropy.id(), id }.into();
            let EntryIndex(entry_index) = operator.submit_for_entry(command).await?;
            let (row, _) = operator.known_handover(id)?;
            let data_will_be_in = operator.will_lie_with(row.to).country();
            Ok(v1::SendHandoverResponse { entry_index, state: row.state.to_string(), data_will_be_in })
        })
        .await
    }

    async fn request_override(
        &self,
        request: Request<v1::RequestOverrideRequest>,
    ) -> Result<Response<v1::RequestOverrideResponse>, Status> {
        self.serve("request_override", request, |operator, caller, message| async move {
            operator.request_override(caller, message).await
        })
        .await
    }

    async fn approve_override(
        &self,
        request: Request<v1::ApproveOverrideRequest>,
    ) -> Result<Response<v1::ApproveOverrideResponse>, Status> {
        self.serve("approve_override", request, |operator, caller, message| async move {
            let id: HandoverId = needed("id", &message.id)?;
            let EntryIndex(entry_index) = operator.approve(caller, id, true, &message.role).await?;
            let row = operator.view().safeguard(id)?.and_then(|row| row.overriding);
            let review_by = stamp(row.and_then(|row| row.review_by()));
            Ok(v1::ApproveOverrideResponse { entry_index, missing: operator.missing(id, true)?, review_by })
        })
        .await
    }

    async fn review_override(
        &self,
        request: Request<v1::ReviewOverrideRequest>,
    ) -> Result<Response<v1::ReviewOverrideResponse>, Status> {
        self.serve("review_override", request, |operator, caller, message| async move {
            let id = needed("id", &message.id)?;
            let step = match message.finding.as_str() {
                "told" => OverrideStep::Told,
                "upheld" => OverrideStep::Reviewed { upheld: true },
                "not_upheld" => OverrideStep::Reviewed { upheld: false },
                _ => {
                    let text = "a finding is told, upheld or not_upheld";
                    return Err(Refusal::new(Code::UnknownCode, text).at("finding").into());
                }
            };
            let command = SafeguardCommand::FollowOverride { caller, id, step }.into();
            let EntryIndex(entry_index) = operator.submit_for_entry(command).await?;
            Ok(v1::ReviewOverrideResponse { entry_index })
        })
        .await
    }

    async fn list_overrides(
        &self,
        request: Request<v1::ListOverridesRequest>,
    ) -> Result<Response<v1::ListOverridesResponse>, Status> {
        self.serve("list_overrides", request, |operator, caller, message| async move {
            caller.require(&CASE_ROLES)?;
            let overrides = operator.blocking(move |operator| operator.overrides(message.due_only)).await?;
            Ok(v1::ListOverridesResponse { overrides })
        })
        .await
    }

    async fn offer_group(
        &self,
        request: Request<v1::OfferGroupRequest>,
    ) -> Result<Response<v1::OfferGroupResponse>, Status> {
        self.serve("offer_group", request, |operator, caller, message| async move {
            operator.offer_group(caller, message).await
        })
        .await
    }

    async fn accept_group(
        &self,
        request: Request<v1::AcceptGroupRequest>,
    ) -> Result<Response<v1::AcceptGroupResponse>, Status> {
        self.serve("accept_group", request, |operator, caller, message| async move {
            let id = needed("id", &message.id)?;
            let verdict = Verdict::Accept { team: needed("team", &message.team)?, services: Vec::new() };
            let EntryIndex(entry_index) = operator.answer_group(caller, id, verdict).await?;
            Ok(v1::AcceptGroupResponse { entry_index })
        })
        .await
    }

    async fn reject_group(
        &self,
        request: Request<v1::RejectGroupRequest>,
    ) -> Result<Response<v1::RejectGroupResponse>, Status> {
        self.serve("reject_group", request, |operator, caller, message| async move {
            let id = needed("id", &message.id)?;
            let v1::RejectGroupRequest { reason, note, .. } = message;
            let verdict = handover::rejection(v1::RejectHandoverRequest { id: String::new(), reason, note })?;
            let EntryIndex(entry_index) = operator.answer_group(caller, id, verdict).await?;
            Ok(v1::RejectGroupResponse { entry_index })
        })
        .await
    }

    async fn split_group(
        &self,
        request: Request<v1::SplitGroupRequest>,
    ) -> Result<Response<v1::SplitGroupResponse>, Status> {
        self.serve("split_group", request, |operator, caller, message| async move {
            let id = needed("id", &message.id)?;
            let reason: SplitReason = needed("reason", &message.reason)?;
            let command = SafeguardCommand::SplitGroup { caller, entropy: operator.entropy.id(), id, reason }.into();
            let EntryIndex(entry_index) = operator.submit_for_entry(command).await?;
            Ok(v1::SplitGroupResponse { entry_index })
        })
        .await
    }

    async fn get_group(&self, request: Request<v1::GetGroupRequest>) -> Result<Response<v1::GetGroupResponse>, Status> {
        self.serve("get_group", request, |operator, caller, message| async move {
            caller.require(&CASE_ROLES)?;
            Ok(operator.group_of(needed("id", &message.id)?)?)
        })
        .await
    }

    async fn list_exceptions(
        &self,
        request: Request<v1::ListExceptionsRequest>,
    ) -> Result<Response<v1::ListExceptionsResponse>, Status> {
        self.serve("list_exceptions", request, |operator, caller, _| async move {
            caller.require(&[Role::Auditor, Role::Dpo, Role::Supervisor])?;
            let exceptions = operator.blocking(Operator::exceptions).await?;
            Ok(v1::ListExceptionsResponse { exceptions })
        })
        .await
    }
}

impl Operator {
    async fn approve(
        &self,
        caller: Caller,
        id: HandoverId,
        overriding: bool,
        role: &str,
    ) -> Result<EntryIndex, Refused> {
        let role: Option<Role> = optional("role", role)?;
        self.submit_for_entry(SafeguardCommand::Approve { caller, id, overriding, role }.into()).await
    }

    /// The approvals that a handover still waits for.
    pub(super) fn missing(&self, id: HandoverId, overriding: bool) -> Result<Vec<String>, Refusal> {
        let (view, policy) = (self.view(), self.policy.borrow().clone());
        missing_approvals(&self.context(&view, &policy), id, overriding)
    }

    async fn request_override(
        &self,
        caller: Caller,
        message: v1::RequestOverrideRequest,
    ) -> Result<v1::RequestOverrideResponse, Refused> {
        let reason: VitalReason = needed("reason", &message.reason)?;
        let note: Note = needed("note", &message.note)?;
        let id: Option<HandoverId> = optional("id", &message.id)?;
        let id = id.unwrap_or_else(|| HandoverId::new(self.clock.now(), self.entropy.id()));
        let offering = if message.draft_json.is_empty() {
            None
        } else {
            let offer = v1::OfferHandoverRequest {
                case_id: message.case_id,
                draft_json: message.draft_json,
                package_json: message.package_json,
                ..Default::default()
            };
            Some(Box::new(self.member(&caller, id, offer).await?))
        };
        let package = offering.as_ref().and_then(|member| member.package);
        let entropy = self.entropy.id();
        let command = SafeguardCommand::RequestOverride { caller, entropy, id, reason, note, offering }.into();
        let outcome = self.submit_for_entry(command).await;
        if outcome.as_ref().is_err_and(Refused::changed_nothing) {
            self.discard(package).await;
        }
        let EntryIndex(entry_index) = outcome?;
        let state = self.known_handover(id)?.0.state.to_string();
        Ok(v1::RequestOverrideResponse { id: id.to_string(), entry_index, state, missing: self.missing(id, true)? })
    }

    /// One handover of a command that makes several, its package kept.
    async fn member(
        &self,
        caller: &Caller,
        id: HandoverId,
        offer: v1::OfferHandoverRequest,
    ) -> Result<Member, Refused> {
        if !caller.roles.contains(&Role::Medical) && !caller.roles.contains(&Role::CpOfficer) {
            caller.require(permitted_roles(passerelle_domain::handover::Action::Send))?;
        }
        let case: CaseId = needed("case_id", &offer.case_id)?;
        let mut draft: HandoverDraft = json::read("draft_json", &offer.draft_json)?;
        if draft.consent.is_none() {
            draft.consent = self.blocking(move |operator| operator.newest_consent(case)).await?;
        }
        let package = self.keep_for_offer(id, case, offer.package_json, offer.letters).await?;
        Ok(Member { id, case, draft, package })
    }

    async fn offer_group(
        &self,
        caller: Caller,
        message: v1::OfferGroupRequest,
    ) -> Result<v1::OfferGroupResponse, Refused> {
        let reference: Tag = needed("reference", &message.reference)?;
        if message.members.len() > GROUP_MEMBERS_MAX {
            let text = format!("a group has at most {GROUP_MEMBERS_MAX} people");
            return Err(Refusal::new(Code::TooMany, text).at("members").into());
        }
        let mut members = Vec::with_capacity(message.members.len());
        for offer in message.members {
            let id: Option<HandoverId> = optional("members.id", &offer.id)?;
            let id = id.unwrap_or_else(|| HandoverId::new(self.clock.now(), self.entropy.id()));
            match self.member(&caller, id, offer).await {
                Ok(member) => members.push(member),
                Err(refused) => {
                    self.discard_new(&members).await;
                    return Err(refused);
                }
            }
        }
        let ids: Vec<HandoverId> = members.iter().map(|member| member.id).collect();
        let entropy = self.entropy.id();
        let command = SafeguardCommand::OfferGroup { caller, entropy, reference, members: members.clone() }.into();
        let outcome = self.submit_for_entry(command).await;
        if outcome.as_ref().is_err_and(Refused::changed_nothing) {
            self.discard_new(&members).await;
        }
        let EntryIndex(entry_index) = outcome?;
        let members = ids.into_iter().map(|id| self.whole_view(id)).collect::<Result<_, _>>()?;
        Ok(v1::OfferGroupResponse { entry_index, members })
    }

    /// Erases the packages that were kept for handovers that were not made.
    async fn discard_new(&self, members: &[Member]) {
        for member in members {
            // A handover that is known has its package from before.
            if self.view().handover(member.id).is_ok_and(|row| row.is_none()) {
                self.discard(member.package).await;
            }
        }
    }

    async fn answer_group(&self, caller: Caller, id: HandoverId, verdict: Verdict) -> Result<EntryIndex, Refused> {
        let entropy = self.entropy.id();
        self.submit_for_entry(SafeguardCommand::AnswerGroup { caller, entropy, id, verdict }.into()).await
    }

    fn group_of(&self, id: HandoverId) -> Result<v1::GetGroupResponse, Refusal> {
        let (row, offer) = self.known_handover(id)?;
        let none = || Refusal::new(Code::UnknownHandover, "the handover belongs to no group").at("id");
        let group = offer.and_then(|offer| offer.group.clone()).ok_or_else(none)?;
        let row = self.view().group(GroupId::of(row.from, row.to, &group.reference))?.ok_or_else(none)?;
        let members = row.members.iter().map(|member| self.whole_view(*member)).collect::<Result<_, _>>()?;
        let (split_at, split_by, split_reason) = match row.split {
            Some((at, by, reason, _)) => (Some(timestamp(at)), by.to_string(), reason.to_string()),
            None => (None, String::new(), String::new()),
        };
        Ok(v1::GetGroupResponse {
            reference: row.reference.as_str().to_owned(),
            size: u32::from(row.size),
            members,
            split_at,
            split_by,
            split_reason,
        })
    }
}
