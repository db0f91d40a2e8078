//! Holds, suspensions and aggregate reports, as operators meet them.

use passerelle_domain::catalogue::Role;
use passerelle_proto::v1::{self, retention_service_client::RetentionServiceClient};
use tonic::transport::Channel;

use super::{Node, refusal};

fn client(node: &Node) -> RetentionServiceClient<Channel> {
    RetentionServiceClient::new(node.channel.clone())
}

#[tokio::test]
async fn a_hold_is_over_one_known_thing_and_by_the_officer_alone() {
    let node = Node::new(&[Role::Dpo]).await;
    let known =
        node.alerts().raise_alert(v1::RaiseAlertRequest { id: String::new(), alert: Some(super::convoy()) }).await;
    assert_eq!(known.map(drop).map_err(|status| refusal(&status).0), Err("role_missing".to_owned()));
    let id = "019ab0f2-1c00-7000-8000-000000000001".to_owned();
    let place = |subject: v1::HoldSubject, kind: &str, reason: &str| v1::PlaceHoldRequest {
        subject: Some(subject),
        kind: kind.into(),
        reason: reason.into(),
    };
    let handover = v1::HoldSubject { handover_id: id.clone(), ..Default::default() };
    let case = v1::HoldSubject { case_id: id.clone(), ..Default::default() };
    let both = v1::HoldSubject { alert_id: id.clone(), ..case.clone() };
    for (request, code, field) in [
        (place(handover.clone(), "legal_hold", "an order"), "unknown_subject", ""),
        (place(case, "legal_hold", "an order"), "unknown_subject", "subject.case_id"),
        (place(both, "legal_hold", "an order"), "malformed", "subject"),
        (place(v1::HoldSubject::default(), "legal_hold", "an order"), "malformed", "subject"),
        (place(handover.clone(), "forever", "an order"), "unknown_code", "kind"),
        (place(handover.clone(), "legal_hold", ""), "missing_field", "reason"),
        (place(handover, "legal_hold", "call +221 77 123 45 67"), "personal_data", "reason"),
    ] {
        let status = client(&node).place_hold(request).await.expect_err(code);
        assert_eq!(refusal(&status), (code.to_owned(), field.to_owned()));
    }
    let holds = client(&node).list_holds(v1::ListHoldsRequest {}).await.expect("listed").into_inner().holds;
    assert_eq!(holds.len(), 0, "nothing of what was refused is kept");
}

#[tokio::test]
async fn a_peer_is_suspended_at_once_and_shown_so() {
    let node = Node::new(&[Role::NodeAdmin]).await;
    node.meet_mali().await;
    let set = |suspended| v1::SuspendPeerRequest { society: "ML".into(), suspended, reason: "seized".into() };
    for suspended in [true, false] {
        client(&node).suspend_peer(set(suspended)).await.expect("done");
        let mut peers = v1::peer_service_client::PeerServiceClient::new(node.channel.clone());
        let listed = peers.list_peers(v1::ListPeersRequest {}).await.expect("listed").into_inner().peers;
        assert_eq!(listed.iter().map(|peer| peer.suspended).collect::<Vec<_>>(), [suspended]);
    }
}

#[tokio::test]
async fn a_report_is_proposed_for_whole_months_and_waits_for_two_others() {
    let node = Node::new(&[Role::Supervisor]).await;
    let propose = |from: &str, until: &str| v1::ProposeReportRequest {
        by: "service".into(),
        from_month: from.into(),
        until_month: until.into(),
    };
    for (from, until, code) in [
        ("2026-9", "2026-10", "malformed_time"),
        ("2026-09", "2027-09", "bad_times"),
        ("2026-10", "2026-09", "bad_times"),
    ] {
        let status = client(&node).propose_report(propose(from, until)).await.expect_err(code);
        assert_eq!(refusal(&status).0, code, "{from} {until}");
    }
    let made = client(&node).propose_report(propose("2025-12", "2025-12")).await.expect("proposed").into_inner();
    let report = made.report.expect("a report");
    assert_eq!((report.cells.len(), report.shown_total, report.proposed_by.as_str()), (0, 0, "awa"));
    let approve = v1::ApproveReportRequest { id: report.id.clone() };
    let status = client(&node).approve_report(approve).await.expect_err("by who proposed it");
    assert_eq!(refusal(&status).0, "own_approval");
    let export = v1::ExportReportRequest { id: report.id, recipient: "ministry.health".into() };
    let status = client(&node).export_report(export).await.expect_err("not approved");
    assert_eq!(refusal(&status).0, "not_approved");
    let status = client(&node).propose_report(propose("2025-11", "2026-01")).await.expect_err("overlaps");
    assert_eq!(refusal(&status).0, "overlapping_report");
}
