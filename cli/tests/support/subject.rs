//! What the scripted node answers about cards, requests of persons, disclosures and breaches.

use passerelle_proto::v1::{subject_service_server::SubjectService, *};
use tonic::{Request, Response, Status};

use super::node::{Node, ago, ok, words};

fn request(id: String) -> SubjectRequestView {
    let reads = vec![ReadingView { at: ago(600), purpose: "svc.transport".into(), sections: words(&["contact"]) }];
    let held = HeldView { sections: words(&["contact"]), since: ago(7_200), reads, onward: words(&["NE"]) };
    SubjectRequestView {
        id,
        right: "access".into(),
        via: "person".into(),
        society: "GM".into(),
        code: "7K2M9QX".into(),
        taken_by: "ML".into(),
        received_at: ago(3_000_000),
        due: ago(400_000),
        state: "open".into(),
        late: true,
        holders: vec![
            RequestHolder {
                society: "ML".into(),
                handover_id: "h1".into(),
                state: "done".into(),
                answered_at: ago(60),
                held: Some(held),
                ..RequestHolder::default()
            },
            RequestHolder { society: "GM".into(), state: "waiting".into(), ..RequestHolder::default() },
        ],
        entry_index: 30,
        ..SubjectRequestView::default()
    }
}

#[tonic::async_trait]
impl SubjectService for Node {
    async fn make_card(&self, request: Request<MakeCardRequest>) -> Result<Response<MakeCardResponse>, Status> {
        self.take(request)?;
        let (short_code, society) = ("7K2M9QX".into(), "SN".into());
        ok(MakeCardResponse {
            entry_index: 31,
            short_code,
            society,
            society_name: "Croix-Rouge Sénégalaise".into(),
            hotline: "+221 33 000 00 00".into(),
        })
    }

    async fn ask_right(&self, request: Request<AskRightRequest>) -> Result<Response<AskRightResponse>, Status> {
        let asked = self.take(request)?;
        ok(AskRightResponse {
            id: "r1".into(),
            entry_index: 32,
            due: ago(-2_592_000),
            checked: asked.society.is_empty(),
        })
    }

    async fn list_subject_requests(
        &self,
        request_: Request<ListSubjectRequestsRequest>,
    ) -> Result<Response<ListSubjectRequestsResponse>, Status> {
        self.take(request_)?;
        ok(ListSubjectRequestsResponse { requests: vec![request("r1".into())] })
    }

    async fn get_subject_request(
        &self,
        request_: Request<GetSubjectRequestRequest>,
    ) -> Result<Response<GetSubjectRequestResponse>, Status> {
        let id = self.take(request_)?.id;
        ok(GetSubjectRequestResponse { request: Some(request(id)) })
    }

    async fn answer_subject_request(
        &self,
        request: Request<AnswerSubjectRequestRequest>,
    ) -> Result<Response<AnswerSubjectRequestResponse>, Status> {
        self.take(request)?;
        ok(AnswerSubjectRequestResponse { entry_index: 33 })
    }

    async fn list_disclosures(
        &self,
        request: Request<ListDisclosuresRequest>,
    ) -> Result<Response<ListDisclosuresResponse>, Status> {
        let one = |event: &str, who: &str, basis: &str| Disclosure {
            at: ago(60),
            event: event.into(),
            handover_id: "h1".into(),
            who: who.into(),
            sections: words(&["contact"]),
            basis: basis.into(),
            entry_index: 34,
        };
        self.take(request)?;
        let disclosures = vec![one("released", "ML", "consent c1 v1"), one("refused", "awa", "role_missing")];
        ok(ListDisclosuresResponse { disclosures })
    }

    async fn get_blast_radius(
        &self,
        request: Request<GetBlastRadiusRequest>,
    ) -> Result<Response<GetBlastRadiusResponse>, Status> {
        self.take(request)?;
        let one = ExposedPackage {
            handover_id: "h1".into(),
            case_id: "c1".into(),
            sections: words(&["contact"]),
            since: ago(60),
            contact: "unsafe".into(),
            contact_rules: words(&["code_word"]),
            ..ExposedPackage::default()
        };
        ok(GetBlastRadiusResponse { packages: vec![one], cases: 1 })
    }

    async fn record_breach(
        &self,
        request: Request<RecordBreachRequest>,
    ) -> Result<Response<RecordBreachResponse>, Status> {
        self.take(request)?;
        ok(RecordBreachResponse { entry_index: 35 })
    }
}
