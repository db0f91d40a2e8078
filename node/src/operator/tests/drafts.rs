//! Drafts of alerts and redactions, as operators meet them.

use passerelle_domain::{
    alert::Alert,
    catalogue::Role,
    decide::{Caller, Command},
    entry::{Actor, Body, DraftSource},
    ids::{AlertId, EntryIndex},
};
use passerelle_proto::{convert::alert_draft, v1};

use super::{NOW, Node, convoy, refusal};
use crate::store::compact;

/// An alert that a second person must approve.
fn grave() -> v1::Alert {
    v1::Alert { severity: "Extreme".into(), ..convoy() }
}

fn id(seed: u8) -> String {
    AlertId::new(NOW, [seed; 10]).to_string()
}

fn drafting(seed: u8, alert: v1::Alert) -> v1::DraftAlertRequest {
    v1::DraftAlertRequest { id: id(seed), alert: Some(alert) }
}

/// A colleague drafts what the tester then meets.
async fn drafted_by_binta(node: &Node, seed: u8) {
    let alert = Alert::from_draft(alert_draft(grave()).expect("a draft"), NOW).expect("a good draft");
    let caller = Caller { actor: Actor::Operator("binta".into()), roles: vec![Role::AlertAuthor] };
    let (id, source) = (AlertId::new(NOW, [seed; 10]), DraftSource::Operator);
    node.engine.submit(Command::DraftAlert { caller, id, alert: Box::new(alert), source }).await.expect("drafted");
}

#[tokio::test]
async fn a_draft_is_written_read_written_anew_and_published_without_an_approval_where_none_is_needed() {
    let node = Node::new(&[Role::AlertAuthor]).await;
    node.meet_mali().await;
    let mut alerts = node.alerts();
    let first = alerts.draft_alert(drafting(1, convoy())).await.expect("drafted").into_inner().draft.expect("it");
    assert_eq!((first.state.as_str(), first.needs_approval, first.source.as_str()), ("ready", false, "operator"));
    let entries = node.entries();
    let again = alerts.draft_alert(drafting(1, convoy())).await.expect("again").into_inner().draft.expect("it");
    assert_eq!((again.digest, node.entries()), (first.digest.clone(), entries), "nothing new is written");
    let anew = v1::Alert { urgency: "Immediate".into(), ..convoy() };
    let anew = alerts.draft_alert(drafting(1, anew)).await.expect("anew").into_inner().draft.expect("it");
    assert_ne!(anew.digest, first.digest);
    let listed = alerts.list_drafts(v1::ListDraftsRequest::default()).await.expect("listed").into_inner().drafts;
    assert_eq!(listed.iter().map(|one| one.digest.clone()).collect::<Vec<_>>(), [anew.digest]);
    let none = alerts.list_alerts(v1::ListAlertsRequest::default()).await.expect("listed").into_inner().alerts;
    assert!(none.is_empty(), "a draft is no alert");

    let publish = v1::PublishAlertRequest { id: id(1) };
    let published = alerts.publish_alert(publish.clone()).await.expect("published").into_inner();
    assert_eq!(published.recipients, ["ML"]);
    assert_eq!(alerts.publish_alert(publish).await.expect("again").into_inner(), published);
    let status = alerts.get_draft(v1::GetDraftRequest { id: id(1) }).await.expect_err("it is an alert now");
    assert_eq!(refusal(&status), ("unknown_draft".into(), "id".into()));
    let status = alerts.draft_alert(drafting(1, convoy())).await.expect_err("its id is taken");
    assert_eq!(refusal(&status), ("duplicate_id".into(), "id".into()));
}

#[tokio::test]
async fn a_grave_alert_waits_for_a_second_person() {
    let node = Node::new(&[Role::AlertAuthor, Role::AlertApprover]).await;
    node.meet_mali().await;
    let mut alerts = node.alerts();
    let at_once = v1::RaiseAlertRequest { id: id(1), alert: Some(grave()) };
    let status = alerts.raise_alert(at_once).await.expect_err("not without a second person");
    assert_eq!(refusal(&status).0, "approval_required");
    let mine = alerts.draft_alert(drafting(1, grave())).await.expect("drafted").into_inner().draft.expect("it");
    assert_eq!((mine.state.as_str(), mine.needs_approval, mine.drafted_by.as_str()), ("draft", true, "awa"));
    let approve = |seed, digest: &str| v1::ApproveAlertRequest { id: id(seed), digest: digest.into() };
    let status = alerts.approve_alert(approve(1, &mine.digest)).await.expect_err("one's own");
    assert_eq!(refusal(&status).0, "self_approval");
    let entry = node.engine.view();
    let last = passerelle_domain::facts::Facts::entry(&entry, EntryIndex(node.entries() - 1)).expect("read");
    let body = last.expect("there").body;
    assert!(
        matches!(body, Body::Refused { request, code, .. } if request == "approve_draft" && code == "self_approval")
    );

    drafted_by_binta(&node, 2).await;
    let publish = v1::PublishAlertRequest { id: id(2) };
    let status = alerts.publish_alert(publish.clone()).await.expect_err("not approved yet");
    assert_eq!(refusal(&status).0, "approval_required");
    let status = alerts.approve_alert(approve(2, &"0".repeat(64))).await.expect_err("another draft was read");
    assert_eq!(refusal(&status), ("wrong_state".into(), "digest".into()));
    alerts.approve_alert(approve(2, "")).await.expect("approved");
    let draft = alerts.get_draft(v1::GetDraftRequest { id: id(2) }).await.expect("shown").into_inner().draft;
    let draft = draft.expect("it");
    assert_eq!(
        (draft.state.as_str(), draft.drafted_by.as_str(), draft.approved_by.as_str()),
        ("ready", "binta", "awa")
    );
    assert_eq!(alerts.publish_alert(publish).await.expect("published").into_inner().recipients, ["ML"]);
}

#[tokio::test]
async fn the_store_is_made_anew_for_what_is_given_up_and_not_for_what_is_published() {
    let node = Node::new(&[Role::AlertAuthor]).await;
    let mut alerts = node.alerts();
    alerts.draft_alert(drafting(1, convoy())).await.expect("drafted");
    alerts.publish_alert(v1::PublishAlertRequest { id: id(1) }).await.expect("published");
    assert!(!compact::is_due(&**node.engine.store()).expect("readable"), "what it says stands in the alert");
    alerts.draft_alert(drafting(2, convoy())).await.expect("drafted");
    alerts.discard_alert(v1::DiscardAlertRequest { id: id(2) }).await.expect("given up");
    assert!(compact::is_due(&**node.engine.store()).expect("readable"));
}

#[tokio::test]
async fn a_draft_that_is_given_up_is_gone() {
    let node = Node::new(&[Role::AlertAuthor, Role::AlertApprover]).await;
    let mut alerts = node.alerts();
    alerts.draft_alert(drafting(1, convoy())).await.expect("drafted");
    alerts.discard_alert(v1::DiscardAlertRequest { id: id(1) }).await.expect("given up");
    alerts.discard_alert(v1::DiscardAlertRequest { id: id(1) }).await.expect("again");
    let publish = v1::PublishAlertRequest { id: id(1) };
    let approve = v1::ApproveAlertRequest { id: id(1), digest: String::new() };
    let outcomes = [
        alerts.publish_alert(publish).await.map(drop),
        alerts.approve_alert(approve).await.map(drop),
        alerts.draft_alert(drafting(1, convoy())).await.map(drop),
    ];
    for outcome in outcomes {
        assert_eq!(refusal(&outcome.expect_err("it has ended")).0, "already_ended");
    }
    let unknown = alerts.discard_alert(v1::DiscardAlertRequest { id: id(9) }).await.expect_err("unknown");
    assert_eq!(refusal(&unknown).0, "unknown_draft");
    let listed = alerts.list_drafts(v1::ListDraftsRequest::default()).await.expect("listed").into_inner().drafts;
    assert!(listed.is_empty());
}

#[tokio::test]
async fn what_is_redacted_is_shown_by_its_codes_alone() {
    let node = Node::new(&[Role::AlertAuthor]).await;
    node.meet_mali().await;
    let mut alerts = node.alerts();
    alerts.raise_alert(v1::RaiseAlertRequest { id: id(1), alert: Some(convoy()) }).await.expect("raised");
    let redact = |seed, reason: &str| v1::RedactAlertRequest { id: id(seed), reason: reason.into() };
    for (request, code, field) in [
        (redact(1, "because"), "unknown_code", "reason"),
        (redact(1, ""), "missing_field", "reason"),
        (redact(9, "personal_data"), "unknown_alert", ""),
    ] {
        let status = alerts.redact_alert(request).await.expect_err(code);
        assert_eq!(refusal(&status), (code.to_owned(), field.to_owned()));
    }
    let first = alerts.redact_alert(redact(1, "personal_data")).await.expect("redacted").into_inner();
    let again = alerts.redact_alert(redact(1, "personal_data")).await.expect("again").into_inner();
    assert_eq!(first, again);
    let shown = alerts.get_alert(v1::GetAlertRequest { id: id(1) }).await.expect("shown").into_inner();
    let shown = shown.alert.expect("that there was one");
    assert_eq!((shown.state.as_str(), shown.redact_reason.as_str()), ("redacted", "personal_data"));
    assert!(shown.alert.is_none());
    let waiting: Vec<_> = shown.erasures.iter().map(|one| (one.society.as_str(), one.state.as_str())).collect();
    assert_eq!(waiting, [("ML", "pending")]);
}

#[tokio::test]
async fn whoever_neither_writes_nor_approves_alerts_sees_and_changes_no_draft() {
    let node = Node::new(&[Role::Auditor]).await;
    let mut alerts = node.alerts();
    drafted_by_binta(&node, 1).await;
    let outcomes = [
        alerts.draft_alert(drafting(2, convoy())).await.map(drop),
        alerts.list_drafts(v1::ListDraftsRequest::default()).await.map(drop),
        alerts.get_draft(v1::GetDraftRequest { id: id(1) }).await.map(drop),
        alerts.approve_alert(v1::ApproveAlertRequest { id: id(1), digest: String::new() }).await.map(drop),
        alerts.publish_alert(v1::PublishAlertRequest { id: id(1) }).await.map(drop),
        alerts.discard_alert(v1::DiscardAlertRequest { id: id(1) }).await.map(drop),
        alerts.redact_alert(v1::RedactAlertRequest { id: id(1), reason: "personal_data".into() }).await.map(drop),
    ];
    for outcome in outcomes {
        assert_eq!(refusal(&outcome.expect_err("not an auditor's")).0, "role_missing");
    }
}
