//! Following what happens.

use passerelle_domain::{catalogue::Role, envelope::Kind, fold::Content, ids::HandoverId};
use passerelle_proto::v1::{self, watch_service_client::WatchServiceClient};
use tonic::Streaming;

use super::{NOW, Node, convoy, refusal};

async fn watch(node: &Node, from: Option<u64>, until_now: bool) -> Streaming<v1::WatchResponse> {
    let request = v1::WatchRequest { from_position: from, topics: Vec::new(), until_now };
    WatchServiceClient::new(node.channel.clone()).watch(request).await.expect("watched").into_inner()
}

async fn past(node: &Node, from: u64) -> Vec<v1::WatchResponse> {
    let mut stream = watch(node, Some(from), true).await;
    let mut events = Vec::new();
    while let Some(event) = stream.message().await.expect("no error") {
        events.push(event);
    }
    events
}

async fn raise(node: &Node) -> String {
    let request = v1::RaiseAlertRequest { id: String::new(), alert: Some(convoy()) };
    node.alerts().raise_alert(request).await.expect("raised").into_inner().id
}

#[tokio::test]
async fn who_resumes_after_any_event_misses_none() {
    let node = Node::new(&[Role::AlertAuthor]).await;
    for _ in 0..300 {
        raise(&node).await;
    }
    let all = past(&node, 0).await;
    assert_eq!(all.len(), 300);
    assert!(all.windows(2).all(|pair| pair[0].position < pair[1].position));
    for cut in [0, 1, 150, 255, 256, 299] {
        let resumed = past(&node, all[cut].position + 1).await;
        assert_eq!(resumed[..], all[cut + 1..], "after {cut}");
    }
}

#[tokio::test]
async fn what_becomes_durable_is_told_until_the_node_ends() {
    let node = Node::new(&[Role::AlertAuthor]).await;
    let first = raise(&node).await;
    let mut stream = watch(&node, Some(0), false).await;
    let event = stream.message().await.expect("no error").expect("the past");
    assert_eq!((event.topic.as_str(), event.event.as_str(), event.id), ("alert", "raised", first));
    assert!(event.summary.starts_with("Severe: EXERCICE."), "{}", event.summary);
    let second = raise(&node).await;
    let event = stream.message().await.expect("no error").expect("the present");
    assert_eq!((event.id, event.state.as_str(), event.society.as_str()), (second, "active", "SN"));
    node.end.cancel();
    assert_eq!(stream.message().await.expect("an orderly end"), None);
    assert!(node.spawner.ended_by(tokio::time::Instant::now() + std::time::Duration::from_secs(5)).await);
}

#[tokio::test]
async fn a_position_that_the_journal_never_had_is_refused() {
    let node = Node::new(&[Role::AlertAuthor]).await;
    let request = |topics: &[&str], from| v1::WatchRequest {
        from_position: from,
        topics: topics.iter().map(ToString::to_string).collect(),
        until_now: true,
    };
    let mut client = WatchServiceClient::new(node.channel.clone());
    for (request, code, field) in [
        (request(&[], Some(99)), "unknown_entry", "from_position"),
        (request(&["weather"], None), "unknown_code", "topics[0]"),
        (request(&["handover"], None), "role_missing", ""),
    ] {
        let status = client.watch(request).await.expect_err(code);
        assert_eq!(refusal(&status), (code.into(), field.into()));
    }
}

#[tokio::test]
async fn every_step_of_a_handover_is_an_event_with_the_state_after_it() {
    use passerelle_domain::{
        catalogue::Service,
        handover::{HandoverAnswer, Verdict},
        ids::CaseId,
    };
    let node = Node::new(&[Role::Caseworker]).await;
    node.meet_mali().await;
    let case_id = CaseId::new(NOW, [1; 10]).to_string();
    let record_json = super::document(include_str!("../../../../config/demo/consent.toml"));
    let consent = Some(v1::Consent { case_id: case_id.clone(), record_json });
    let mut consents = v1::consent_service_client::ConsentServiceClient::new(node.channel.clone());
    consents.record_consent(v1::RecordConsentRequest { id: String::new(), consent }).await.expect("recorded");
    let mut ids = Vec::new();
    for n in [6, 7] {
        let request = v1::OfferHandoverRequest {
            id: HandoverId::new(NOW, [n; 10]).to_string(),
            case_id: case_id.clone(),
            draft_json: super::document(include_str!("../../../../config/demo/handover.toml")),
            ..Default::default()
        };
        ids.push(node.handovers().offer_handover(request).await.expect("offered").into_inner().id);
    }
    // One receipt for both offers: two events of one entry.
    node.receipt_of_mali(2).await;
    let verdict = Verdict::Accept { team: "intake.kayes".parse().expect("a team"), services: vec![Service::Food] };
    let answer = HandoverAnswer { id: HandoverId::new(NOW, [6; 10]), verdict };
    node.mali_sends(Kind::HandoverAnswer, 1, answer.to_cbor(), Content::Answer(answer)).await;

    let all = past(&node, 0).await;
    let told: Vec<_> = all.iter().map(|one| (one.event.as_str(), one.id.as_str(), one.state.as_str())).collect();
    let (a, b) = (ids[0].as_str(), ids[1].as_str());
    assert_eq!(
        told,
        [
            ("offered", a, "offered"),
            ("opened", a, "offered"),
            ("offered", b, "offered"),
            ("opened", b, "offered"),
            ("delivered", a, "delivered"),
            ("delivered", b, "delivered"),
            ("accepted", a, "accepted"),
        ]
    );
    for cut in 0..all.len() - 1 {
        let resumed = past(&node, all[cut].position + 1).await;
        let missed = all[cut + 1..].iter().filter(|event| !resumed.contains(event)).count();
        assert_eq!(missed, 0, "after {cut}");
    }
}
