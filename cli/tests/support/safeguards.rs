//! What the scripted node answers about approvals, overrides and groups.

use passerelle_proto::v1::{safeguard_service_server::SafeguardService, *};
use tonic::{Request, Response, Status};

use super::node::{Node, ago, handover, ok, words};

fn pair() -> Vec<HandoverView> {
    vec![handover("h1".into()), HandoverView { approvals_missing: words(&["supervisor"]), ..handover("h2".into()) }]
}

#[tonic::async_trait]
impl SafeguardService for Node {
    async fn approve_handover(
        &self,
        request: Request<ApproveHandoverRequest>,
    ) -> Result<Response<ApproveHandoverResponse>, Status> {
        self.take(request)?;
        ok(ApproveHandoverResponse { entry_index: 20, state: "draft".into(), missing: words(&["cp_officer"]) })
    }

    async fn send_handover(
        &self,
        request: Request<SendHandoverRequest>,
    ) -> Result<Response<SendHandoverResponse>, Status> {
        self.take(request)?;
        ok(SendHandoverResponse { entry_index: 21, state: "offered".into(), data_will_be_in: "Mali".into() })
    }

    async fn request_override(
        &self,
        request: Request<RequestOverrideRequest>,
    ) -> Result<Response<RequestOverrideResponse>, Status> {
        let id = self.take(request)?.id;
        let missing = words(&["supervisor or dpo or medical", "supervisor or dpo or medical"]);
        ok(RequestOverrideResponse { id, entry_index: 22, state: "ready".into(), missing })
    }

    async fn approve_override(
        &self,
        request: Request<ApproveOverrideRequest>,
    ) -> Result<Response<ApproveOverrideResponse>, Status> {
        self.take(request)?;
        ok(ApproveOverrideResponse { entry_index: 23, missing: Vec::new(), review_by: ago(-259_200) })
    }

    async fn review_override(
        &self,
        request: Request<ReviewOverrideRequest>,
    ) -> Result<Response<ReviewOverrideResponse>, Status> {
        self.take(request)?;
        ok(ReviewOverrideResponse { entry_index: 24 })
    }

    async fn list_overrides(
        &self,
        request: Request<ListOverridesRequest>,
    ) -> Result<Response<ListOverridesResponse>, Status> {
        self.take(request)?;
        let one = Override {
            id: "h1".into(),
            reason: "unconscious".into(),
            requested_by: "awa".into(),
            requested_at: ago(400_000),
            approved_by: words(&["binta (supervisor)", "moussa (medical)"]),
            approved_at: ago(390_000),
            review_by: ago(130_800),
            late: true,
            state: "disclosed".into(),
            ..Override::default()
        };
        ok(ListOverridesResponse { overrides: vec![one] })
    }

    async fn offer_group(&self, request: Request<OfferGroupRequest>) -> Result<Response<OfferGroupResponse>, Status> {
        self.take(request)?;
        ok(OfferGroupResponse { entry_index: 25, members: pair() })
    }

    async fn accept_group(
        &self,
        request: Request<AcceptGroupRequest>,
    ) -> Result<Response<AcceptGroupResponse>, Status> {
        self.take(request)?;
        ok(AcceptGroupResponse { entry_index: 26 })
    }

    async fn reject_group(
        &self,
        request: Request<RejectGroupRequest>,
    ) -> Result<Response<RejectGroupResponse>, Status> {
        self.take(request)?;
        ok(RejectGroupResponse { entry_index: 27 })
    }

    async fn split_group(&self, request: Request<SplitGroupRequest>) -> Result<Response<SplitGroupResponse>, Status> {
        self.take(request)?;
        ok(SplitGroupResponse { entry_index: 28 })
    }

    async fn get_group(&self, request: Request<GetGroupRequest>) -> Result<Response<GetGroupResponse>, Status> {
        self.take(request)?;
        let (reference, split_by, split_reason) = ("g.rosso.7".into(), "ML".into(), "own_wish".into());
        ok(GetGroupResponse { reference, size: 2, members: pair(), split_at: ago(60), split_by, split_reason })
    }

    async fn list_exceptions(
        &self,
        request: Request<ListExceptionsRequest>,
    ) -> Result<Response<ListExceptionsResponse>, Status> {
        self.take(request)?;
        let one = Exception {
            at: ago(60),
            kind: "override".into(),
            id: "h1".into(),
            reason: "unconscious".into(),
            by: "awa".into(),
            entry_index: 22,
        };
        ok(ListExceptionsResponse { exceptions: vec![one] })
    }
}
