//! Consent and handovers: nothing leaves that was not agreed to.

use passerelle_domain::{
    catalogue::{Role, Service},
    envelope::Kind,
    fold::Content,
    handover::{HandoverAnswer, Verdict},
    ids::{CaseId, HandoverId},
};
use passerelle_proto::v1::{self, consent_service_client::ConsentServiceClient};

use super::{NOW, Node, document, refusal};

const CONSENT: &str = include_str!("../../../../config/demo/consent.toml");
const HANDOVER: &str = include_str!("../../../../config/demo/handover.toml");
const PACKAGE: &str = include_str!("../../../../config/demo/package.toml");

async fn consented(node: &Node, consent: &str) -> v1::RecordConsentResponse {
    let case_id = CaseId::new(NOW, [1; 10]).to_string();
    let consent = v1::Consent { case_id, record_json: document(consent) };
    let id = passerelle_domain::ids::ConsentId::new(NOW, [2; 10]).to_string();
    let request = v1::RecordConsentRequest { id, consent: Some(consent) };
    let mut consents = ConsentServiceClient::new(node.channel.clone());
    consents.record_consent(request).await.expect("recorded").into_inner()
}

fn offer(package: bool) -> v1::OfferHandoverRequest {
    v1::OfferHandoverRequest {
        id: HandoverId::new(NOW, [6; 10]).to_string(),
        case_id: CaseId::new(NOW, [1; 10]).to_string(),
        draft_json: document(HANDOVER),
        package_json: if package { document(PACKAGE) } else { String::new() },
        release_on_acceptance: false,
        letters: Vec::new(),
    }
}

async fn accepted_by_mali(node: &Node) {
    let verdict = Verdict::Accept {
        team: "intake.kayes".parse().expect("a team"),
        services: vec![Service::TransportFamily, Service::Food],
    };
    let answer = HandoverAnswer { id: HandoverId::new(NOW, [6; 10]), verdict };
    node.mali_sends(Kind::HandoverAnswer, 1, answer.to_cbor(), Content::Answer(answer)).await;
}

#[tokio::test]
async fn a_consent_is_recorded_once_shown_and_asked() {
    let node = Node::new(&[Role::Caseworker]).await;
    let first = consented(&node, CONSENT).await;
    node.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(consented(&node, CONSENT).await, first, "the same record again");
    let mut consents = ConsentServiceClient::new(node.channel.clone());
    let shown = consents.get_consent(v1::GetConsentRequest { id: first.id.clone() }).await.expect("shown");
    let shown = shown.into_inner().consent.expect("a consent");
    assert_eq!((shown.state.as_str(), shown.version, shown.digest), ("given", 1, first.digest));
    let listed = consents.list_consents(v1::ListConsentsRequest::default()).await.expect("listed").into_inner();
    assert_eq!(listed.consents[0].recipients, ["ML", "GM"]);
    for (to, service, allowed, code) in [
        ("ML", "transport_family", true, ""),
        ("TD", "transport_family", false, "consent_recipient"),
        ("ML", "shelter", false, "consent_purpose"),
    ] {
        let request = v1::CheckConsentRequest { id: first.id.clone(), to: to.into(), services: vec![service.into()] };
        let answer = consents.check_consent(request).await.expect("asked").into_inner();
        assert_eq!((answer.allowed, answer.code.as_str()), (allowed, code), "{to} {service}");
        assert_eq!(answer.sections.is_empty(), !allowed);
    }
}

#[tokio::test]
async fn an_offer_outside_the_consent_is_refused_and_leaves_no_package() {
    let node = Node::new(&[Role::Caseworker]).await;
    node.meet_mali().await;
    // Transport alone was agreed to; the offer asks for food too.
    consented(&node, include_str!("../../../../config/demo/consent-mali-only.toml")).await;
    let status = node.handovers().offer_handover(offer(true)).await.expect_err("not covered");
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    assert_eq!(refusal(&status), ("consent_purpose".into(), "services[1]".into()));
    assert!(node.vault.0.lock().is_empty());
    let status = node
        .handovers()
        .offer_handover(v1::OfferHandoverRequest { case_id: CaseId::new(NOW, [5; 10]).to_string(), ..offer(false) })
        .await
        .expect_err("no consent at all");
    assert_eq!(refusal(&status).0, "unknown_consent");
}

#[tokio::test]
async fn only_what_is_needed_and_agreed_to_is_released_and_each_reading_is_recorded() {
    let node = Node::new(&[Role::Caseworker]).await;
    node.meet_mali().await;
    consented(&node, CONSENT).await;
    let mut handovers = node.handovers();
    let offered = handovers.offer_handover(offer(true)).await.expect("offered").into_inner();
    assert_eq!((offered.state.as_str(), offered.data_will_be_in.as_str()), ("offered", "Mali"));
    assert_eq!(offered.short_code.len(), 7);
    assert_eq!(handovers.offer_handover(offer(true)).await.expect("again").into_inner(), offered);
    assert_eq!(node.vault.0.lock().len(), 1, "the same offer brings no second package");

    let release =
        v1::ReleaseHandoverRequest { id: offered.id.clone(), package_json: String::new(), letters: Vec::new() };
    let status = handovers.release_handover(release.clone()).await.expect_err("not accepted yet");
    assert_eq!(refusal(&status).0, "wrong_state");
    accepted_by_mali(&node).await;
    let released = handovers.release_handover(release.clone()).await.expect("released").into_inner();
    assert_eq!(released.sections, ["contact", "identity_core", "travel", "family", "services_received"]);
    assert_eq!(handovers.release_handover(release).await.expect("again").into_inner(), released);

    let read = v1::ReadPackageRequest {
        id: offered.id.clone(),
        purpose: "svc.transport".into(),
        sections: vec!["travel".into()],
    };
    let before = node.entries();
    let answer = handovers.read_package(read.clone()).await.expect("read").into_inner();
    assert_eq!((answer.entry_index, node.entries()), (before, before + 1));
    let package: serde_json::Value = serde_json::from_str(&answer.package_json).expect("JSON");
    let sections: Vec<_> = package.as_object().expect("an object").keys().collect();
    assert_eq!(sections, ["travel"]);
    let sealed = v1::ReadPackageRequest { sections: vec!["health_full".into()], ..read };
    let status = handovers.read_package(sealed).await.expect_err("for medical staff");
    assert_eq!(refusal(&status).0, "role_missing");

    let view = handovers.get_handover(v1::GetHandoverRequest { id: offered.id }).await.expect("shown");
    let view = view.into_inner().handover.expect("a handover");
    let steps: Vec<_> = view.history.iter().map(|event| event.step.as_str()).collect();
    assert_eq!(steps, ["send", "deliver", "accept", "release"]);
    assert_eq!((view.state.as_str(), view.responsible.as_str(), view.package_here), ("disclosed", "SN", true));
    assert!(!format!("{view:?}").contains("Example"), "no identity");
}

#[tokio::test]
async fn a_package_given_with_the_release_leaves_only_its_released_part() {
    let node = Node::new(&[Role::Caseworker]).await;
    node.meet_mali().await;
    consented(&node, CONSENT).await;
    let offered = node.handovers().offer_handover(offer(false)).await.expect("offered").into_inner();
    accepted_by_mali(&node).await;
    let release =
        |package_json| v1::ReleaseHandoverRequest { id: offered.id.clone(), package_json, letters: Vec::new() };
    let status = node.handovers().release_handover(release(String::new())).await.expect_err("no package");
    assert_eq!(refusal(&status), ("package_absent".into(), "package_json".into()));
    let status = node.handovers().release_handover(release("{\"Amina\": 1}".into())).await.expect_err("no package");
    assert!(!format!("{status:?}").contains("Amina"));
    node.handovers().release_handover(release(document(PACKAGE))).await.expect("released");
    let held = node.vault.0.lock();
    assert_eq!(held.len(), 1);
    assert!(held.values().all(|bytes| !bytes.windows(7).any(|part| part == b"Tablets")), "health data stays");
}

#[tokio::test]
async fn a_node_administrator_sees_no_case() {
    let node = Node::new(&[Role::NodeAdmin]).await;
    let status = node.handovers().list_handovers(v1::ListHandoversRequest::default()).await.expect_err("no case");
    assert_eq!(refusal(&status).0, "role_missing");
}
