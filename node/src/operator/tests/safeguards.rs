//! Approvals, overrides, groups and letters, as operators meet them.

use std::time::Duration;

use passerelle_domain::{
    catalogue::{Role, Service},
    decide::{Caller, SafeguardCommand},
    entry::Actor,
    envelope::Kind,
    fold::Content,
    handover::{HandoverAnswer, Verdict},
    ids::{CaseId, ConsentId, HandoverId},
};
use passerelle_proto::v1::{
    self, consent_service_client::ConsentServiceClient, safeguard_service_client::SafeguardServiceClient,
    status_service_client::StatusServiceClient,
};
use tonic::transport::Channel;

use super::{NOW, Node, refusal};

const CONSENT: &str = include_str!("../../../../config/demo/consent.toml");
const HANDOVER: &str = include_str!("../../../../config/demo/handover.toml");
const PACKAGE: &str = include_str!("../../../../config/demo/package.toml");

fn safeguards(node: &Node) -> SafeguardServiceClient<Channel> {
    SafeguardServiceClient::new(node.channel.clone())
}

/// A demo document as JSON, with other values in it.
fn document(toml: &str, change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut value: serde_json::Value = toml::from_str(toml).expect("the demo's documents are TOML");
    change(&mut value);
    value.to_string()
}

fn id(seed: u8) -> String {
    HandoverId::new(NOW, [seed; 10]).to_string()
}

fn case(seed: u8) -> String {
    CaseId::new(NOW, [seed; 10]).to_string()
}

async fn consented(node: &Node, seed: u8, change: impl FnOnce(&mut serde_json::Value)) {
    let consent = v1::Consent { case_id: case(seed), record_json: document(CONSENT, change) };
    let id = ConsentId::new(NOW, [seed; 10]).to_string();
    let mut consents = ConsentServiceClient::new(node.channel.clone());
    consents.record_consent(v1::RecordConsentRequest { id, consent: Some(consent) }).await.expect("recorded");
}

/// What a parent agreed to for a child of eight.
fn for_a_child(record: &mut serde_json::Value) {
    record["capacity"] = "minor".into();
    record["age_band"] = "6_11".into();
    record["given_by"] = "parent".into();
    record["assent"] = true.into();
    record["collection"] = "written".into();
}

fn offer(seed: u8, change: impl FnOnce(&mut serde_json::Value)) -> v1::OfferHandoverRequest {
    v1::OfferHandoverRequest {
        id: id(seed),
        case_id: case(seed),
        draft_json: document(HANDOVER, change),
        package_json: document(PACKAGE, |_| ()),
        release_on_acceptance: false,
        letters: Vec::new(),
    }
}

fn accompanied(draft: &mut serde_json::Value) {
    draft["age_band"] = "6_11".into();
    draft["minor_status"] = "accompanied".into();
}

async fn approved_by(node: &Node, name: &str, role: Role, seed: u8, overriding: bool) {
    let caller = Caller { actor: Actor::Operator(name.into()), roles: vec![role] };
    let id = HandoverId::new(NOW, [seed; 10]);
    node.engine
        .submit(SafeguardCommand::Approve { caller, id, overriding, role: None }.into())
        .await
        .expect("approved");
}

async fn accepted_by_mali(node: &Node, seed: u8, position: u64, services: Vec<Service>) {
    let verdict = Verdict::Accept { team: "intake.kayes".parse().expect("a team"), services };
    let answer = HandoverAnswer { id: HandoverId::new(NOW, [seed; 10]), verdict };
    node.mali_sends(Kind::HandoverAnswer, position, answer.to_cbor(), Content::Answer(answer)).await;
}

#[tokio::test]
async fn a_childs_case_waits_for_somebody_else_and_says_for_whom() {
    let node = Node::new(&[Role::Caseworker, Role::Supervisor, Role::Dpo]).await;
    node.meet_mali().await;
    consented(&node, 1, for_a_child).await;
    let mut automatic = offer(1, accompanied);
    automatic.release_on_acceptance = true;
    let status = node.handovers().offer_handover(automatic).await.expect_err("never by itself");
    assert_eq!(refusal(&status).0, "needs_person");
    let unnamed = offer(1, |draft| draft["age_band"] = "6_11".into());
    let status = node.handovers().offer_handover(unnamed).await.expect_err("with whom?");
    assert_eq!(refusal(&status), ("missing_field".into(), "minor_status".into()));
    let offered = node.handovers().offer_handover(offer(1, accompanied)).await.expect("written down").into_inner();
    assert_eq!(offered.state, "draft");
    let get = || v1::GetHandoverRequest { id: id(1) };
    let view = node.handovers().get_handover(get()).await.expect("shown").into_inner().handover.expect("a handover");
    assert_eq!((view.approvals_missing.as_slice(), view.package_here), (&["supervisor".to_owned()][..], true));

    let before = node.entries();
    let approve = v1::ApproveHandoverRequest { id: id(1), role: String::new() };
    let status = safeguards(&node).approve_handover(approve).await.expect_err("asked for it");
    assert_eq!(refusal(&status).0, "self_approval");
    assert_eq!(node.entries(), before + 1, "and that is recorded");
    let send = || v1::SendHandoverRequest { id: id(1) };
    let status = safeguards(&node).send_handover(send()).await.expect_err("too early");
    assert_eq!(refusal(&status).0, "approval_missing");
    approved_by(&node, "binta", Role::Supervisor, 1, false).await;
    let sent = safeguards(&node).send_handover(send()).await.expect("approved").into_inner();
    assert_eq!((sent.state.as_str(), sent.data_will_be_in.as_str()), ("offered", "Mali"));
    let report = safeguards(&node).list_exceptions(v1::ListExceptionsRequest {}).await.expect("listed").into_inner();
    let kinds: Vec<_> = report.exceptions.iter().map(|one| (one.kind.as_str(), one.id.clone())).collect();
    assert_eq!(kinds, [("self_approval", id(1))]);
}

#[tokio::test]
async fn an_override_is_listed_until_it_was_told_and_reviewed_and_rings_when_it_is_late() {
    let node = Node::new(&[Role::Caseworker, Role::Dpo]).await;
    node.meet_mali().await;
    consented(&node, 1, |record| {
        record["decision"] = "deferred".into();
        record["capacity"] = "shock_or_sedated".into();
    })
    .await;
    let draft_json = document(HANDOVER, |draft| draft["services"] = serde_json::json!([{ "service": "ambulance" }]));
    let request = |note: &str| v1::RequestOverrideRequest {
        id: id(1),
        reason: "unconscious".into(),
        note: note.into(),
        case_id: case(1),
        draft_json: draft_json.clone(),
        package_json: document(PACKAGE, |_| ()),
    };
    let status = safeguards(&node).request_override(request("Call +221 77 000 00 01")).await.expect_err("a number");
    assert_eq!(refusal(&status), ("personal_data".into(), "note".into()));
    let asked = safeguards(&node).request_override(request("Found on the beach.")).await.expect("asked").into_inner();
    assert_eq!(asked.missing.len(), 2);
    let approve = v1::ApproveOverrideRequest { id: id(1), role: String::new() };
    let status = safeguards(&node).approve_override(approve).await.expect_err("asked for it");
    assert_eq!(refusal(&status).0, "self_approval");
    approved_by(&node, "binta", Role::Supervisor, 1, true).await;
    approved_by(&node, "moussa", Role::Medical, 1, true).await;
    safeguards(&node).send_handover(v1::SendHandoverRequest { id: id(1) }).await.expect("approved");
    accepted_by_mali(&node, 1, 1, vec![Service::Ambulance]).await;
    let release = v1::ReleaseHandoverRequest { id: id(1), ..Default::default() };
    let released = node.handovers().release_handover(release).await.expect("released").into_inner();
    assert_eq!(released.sections, ["contact", "travel", "health_min"], "and neither pss nor family");

    let due = || v1::ListOverridesRequest { due_only: true };
    let listed = safeguards(&node).list_overrides(due()).await.expect("listed").into_inner().overrides;
    assert_eq!((listed.len(), listed[0].late, listed[0].note.as_str()), (1, false, "Found on the beach."));
    assert_eq!(listed[0].approved_by, ["binta (supervisor)", "moussa (medical)"]);
    let alarms = async || {
        let mut status = StatusServiceClient::new(node.channel.clone());
        status.get_status(v1::GetStatusRequest {}).await.expect("shown").into_inner().alarms
    };
    let late = "override_review_late".to_owned();
    assert!(!alarms().await.contains(&late));
    node.clock.advance(Duration::from_secs(73 * 3_600));
    assert!(alarms().await.contains(&late));
    let report = safeguards(&node).list_exceptions(v1::ListExceptionsRequest {}).await.expect("listed").into_inner();
    let kinds: Vec<_> = report.exceptions.iter().map(|one| one.kind.as_str()).collect();
    assert_eq!(kinds, ["override", "override_review_late", "self_approval"]);

    let review = |finding: &str| v1::ReviewOverrideRequest { id: id(1), finding: finding.into() };
    let status = safeguards(&node).review_override(review("fine")).await.expect_err("no such finding");
    assert_eq!(refusal(&status), ("unknown_code".into(), "finding".into()));
    let status = safeguards(&node).review_override(review("upheld")).await.expect_err("had a part in it");
    assert_eq!(refusal(&status).0, "self_approval");
    safeguards(&node).review_override(review("told")).await.expect("the person was told");
    let caller = Caller { actor: Actor::Operator("dpo".into()), roles: vec![Role::Dpo] };
    let step = passerelle_domain::handover::overrides::OverrideStep::Reviewed { upheld: false };
    let handover = HandoverId::new(NOW, [1; 10]);
    node.engine.submit(SafeguardCommand::FollowOverride { caller, id: handover, step }.into()).await.expect("reviewed");
    assert!(safeguards(&node).list_overrides(due()).await.expect("listed").into_inner().overrides.is_empty());
    assert!(!alarms().await.contains(&late));
}

#[tokio::test]
async fn a_family_is_offered_at_once_and_no_member_alone() {
    let node = Node::new(&[Role::Caseworker, Role::Supervisor]).await;
    node.meet_mali().await;
    consented(&node, 1, |_| ()).await;
    consented(&node, 2, |_| ()).await;
    let alone = offer(1, |draft| draft["group"] = serde_json::json!({ "reference": "g.rosso.7", "size": 2 }));
    let status = node.handovers().offer_handover(alone).await.expect_err("together");
    assert_eq!(refusal(&status), ("group_together".into(), "group".into()));
    let group =
        |second| v1::OfferGroupRequest { reference: "g.rosso.7".into(), members: vec![offer(1, |_| ()), second] };
    let outside = offer(2, |draft| draft["services"] = serde_json::json!([{ "service": "shelter" }]));
    let status = safeguards(&node).offer_group(group(outside)).await.expect_err("not covered");
    assert_eq!(refusal(&status), ("consent_purpose".into(), "members[1].services[0]".into()));
    assert!(node.vault.0.lock().is_empty(), "nothing of either is kept");
    let offered = safeguards(&node).offer_group(group(offer(2, |_| ()))).await.expect("offered").into_inner();
    assert_eq!(offered.members.iter().map(|one| one.state.as_str()).collect::<Vec<_>>(), ["offered", "offered"]);
    assert_ne!(offered.members[0].short_code, offered.members[1].short_code);
    let again = safeguards(&node).offer_group(group(offer(2, |_| ()))).await.expect("again").into_inner();
    assert_eq!(again.members, offered.members);
    let shown = safeguards(&node).get_group(v1::GetGroupRequest { id: id(2) }).await.expect("shown").into_inner();
    assert_eq!((shown.reference.as_str(), shown.size, shown.members.len()), ("g.rosso.7", 2, 2));
    accepted_by_mali(&node, 1, 1, vec![Service::Food]).await;
    let release = v1::ReleaseHandoverRequest { id: id(1), ..Default::default() };
    let status = node.handovers().release_handover(release.clone()).await.expect_err("the other waits");
    assert_eq!(refusal(&status).0, "group_together");
    let split = v1::SplitGroupRequest { id: id(1), reason: "own_wish".into() };
    safeguards(&node).split_group(split).await.expect("deliberately");
    node.handovers().release_handover(release).await.expect("alone now");
    let shown = safeguards(&node).get_group(v1::GetGroupRequest { id: id(2) }).await.expect("shown").into_inner();
    assert_eq!((shown.split_by.as_str(), shown.split_reason.as_str()), ("SN", "own_wish"));
}

#[tokio::test]
async fn letters_are_sealed_with_the_package_and_opened_by_medical_staff_alone() {
    let (medical, caseworker) =
        (Node::new(&[Role::Caseworker, Role::Medical]).await, Node::new(&[Role::Caseworker]).await);
    for node in [&medical, &caseworker] {
        node.meet_mali().await;
        consented(node, 1, |record| {
            let categories = serde_json::json!(["contact", "language", "health_min", "health_full"]);
            let grant = serde_json::json!({ "purpose": "svc.medical_referral", "categories": categories });
            record["purposes"].as_array_mut().expect("a list").push(grant);
        })
        .await;
        let letter = |kind: &str, content: &[u8]| v1::Letter {
            kind: kind.into(),
            media_type: "application/pdf".into(),
            content: content.to_vec(),
        };
        let with = |letters| v1::OfferHandoverRequest {
            letters,
            ..offer(1, |draft| draft["services"] = serde_json::json!([{ "service": "medical_referral" }]))
        };
        for (wrong, field) in
            [(letter("diary", b"x"), "letters[0].kind"), (letter("imaging", b""), "letters[0].content")]
        {
            let status = node.handovers().offer_handover(with(vec![wrong])).await.expect_err(field);
            assert_eq!(refusal(&status).1, field);
        }
        let letters = vec![letter("clinical_letter", b"%PDF-1.7")];
        let offered = node.handovers().offer_handover(with(letters)).await.expect("written down").into_inner();
        assert_eq!(offered.state, "draft", "a sealed section waits for a supervisor");
        approved_by(node, "binta", Role::Supervisor, 1, false).await;
        safeguards(node).send_handover(v1::SendHandoverRequest { id: id(1) }).await.expect("approved");
        accepted_by_mali(node, 1, 1, vec![Service::MedicalReferral]).await;
        let release = v1::ReleaseHandoverRequest { id: id(1), ..Default::default() };
        let released = node.handovers().release_handover(release).await.expect("released").into_inner();
        assert!(released.sections.contains(&"health_full".to_owned()), "{:?}", released.sections);
    }
    let read = || v1::ReadPackageRequest { id: id(1), purpose: "svc.medical_referral".into(), sections: Vec::new() };
    let opened = medical.handovers().read_package(read()).await.expect("read").into_inner();
    assert_eq!((opened.letters.len(), opened.letters[0].content.as_slice()), (1, &b"%PDF-1.7"[..]));
    assert!(opened.withheld.is_empty());
    let closed = caseworker.handovers().read_package(read()).await.expect("the rest of it").into_inner();
    assert!(closed.letters.is_empty() && !closed.sections.is_empty());
    assert_eq!(closed.withheld, ["health_full"]);
}

#[tokio::test]
async fn a_note_with_a_step_is_told_and_looked_through() {
    let node = Node::new(&[Role::Caseworker, Role::Supervisor]).await;
    node.meet_mali().await;
    consented(&node, 1, |_| ()).await;
    node.handovers().offer_handover(offer(1, |_| ())).await.expect("offered");
    let cancel = |note: &str| v1::ReportHandoverRequest {
        id: id(1),
        step: "cancelled".into(),
        reason: "moved_on".into(),
        note: note.into(),
        services_delivered: Vec::new(),
    };
    let status = node.handovers().report_handover(cancel("a.example@mail.example")).await.expect_err("an address");
    assert_eq!(refusal(&status), ("personal_data".into(), "note".into()));
    node.handovers().report_handover(cancel("Went on by the morning bus.")).await.expect("told");
    let get = v1::GetHandoverRequest { id: id(1) };
    let view = node.handovers().get_handover(get).await.expect("shown").into_inner().handover.expect("a handover");
    assert_eq!(view.history.last().map(|event| event.note.as_str()), Some("Went on by the morning bus."));
}
