//! Alerts, and who may do what with them.

use passerelle_domain::{
    catalogue::{CancelReason, Role},
    entry::{Actor, Body},
    facts::Facts as _,
    ids::{AlertId, EntryIndex},
};
use passerelle_proto::v1;
use tonic_types::StatusExt as _;

use super::{NOW, Node, convoy, refusal};

#[tokio::test]
async fn an_alert_is_raised_listed_shown_updated_and_cancelled() {
    let node = Node::new(&[Role::AlertAuthor]).await;
    node.meet_mali().await;
    let mut alerts = node.alerts();
    let id = AlertId::new(NOW, [4; 10]).to_string();
    let request = v1::RaiseAlertRequest { id: id.clone(), alert: Some(convoy()) };
    let raised = alerts.raise_alert(request.clone()).await.expect("raised").into_inner();
    assert_eq!((raised.id.as_str(), &raised.recipients[..]), (id.as_str(), &["ML".to_owned()][..]));

    // The same request, later: the same answer, and nothing new in the journal.
    let entries = node.entries();
    node.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(alerts.raise_alert(request).await.expect("again").into_inner(), raised);
    assert_eq!(node.entries(), entries);

    let listed = alerts.list_alerts(v1::ListAlertsRequest::default()).await.expect("listed").into_inner().alerts;
    assert_eq!((listed.len(), listed[0].id.as_str(), listed[0].state.as_str()), (1, id.as_str(), "active"));
    let get = v1::GetAlertRequest { id: id.clone() };
    let shown = alerts.get_alert(get.clone()).await.expect("shown").into_inner().alert.expect("an alert");
    assert_eq!(shown.deliveries[0].state, "queued");
    let sent = shown.alert.expect("its content");
    assert_eq!((sent.event.as_str(), sent.texts.len()), ("return.convoy_land", 2));

    let mut update = convoy();
    let reference = v1::AlertReference { origin: "SN".into(), id: id.clone(), sent_at: sent.sent_at };
    update.supersedes = vec![reference];
    let status = alerts
        .raise_alert(v1::RaiseAlertRequest { alert: Some(update.clone()), ..Default::default() })
        .await
        .expect_err("an update is no first alert");
    assert_eq!(refusal(&status), ("malformed".into(), "supersedes".into()));
    let request = v1::UpdateAlertRequest { alert: Some(update), ..Default::default() };
    let updated = alerts.update_alert(request).await.expect("updated").into_inner();
    let shown = alerts.get_alert(get).await.expect("shown").into_inner().alert.expect("an alert");
    assert_eq!((shown.state.as_str(), shown.superseded_by), ("superseded", updated.id.clone()));

    let reason = CancelReason::ALL[0].to_string();
    let cancel = v1::CancelAlertRequest { id: updated.id.clone(), reason, note: "It is over.".into() };
    alerts.cancel_alert(cancel).await.expect("cancelled");
    let shown = alerts.get_alert(v1::GetAlertRequest { id: updated.id }).await.expect("shown").into_inner();
    let shown = shown.alert.expect("an alert");
    assert_eq!((shown.state.as_str(), shown.cancel_note.as_str()), ("cancelled", "It is over."));
    let active = alerts.list_alerts(v1::ListAlertsRequest::default()).await.expect("listed").into_inner();
    assert!(active.alerts.is_empty());
}

#[tokio::test]
async fn an_alert_and_its_cancellation_are_exported_and_an_imported_one_to_the_byte() {
    const SAMPLE: &[u8] = include_bytes!("../../../../config/demo/alert.cap.xml");
    let node = Node::new(&[Role::AlertAuthor]).await;
    node.meet_mali().await;
    let mut alerts = node.alerts();
    let id = AlertId::new(NOW, [4; 10]).to_string();
    alerts.raise_alert(v1::RaiseAlertRequest { id: id.clone(), alert: Some(convoy()) }).await.expect("raised");
    let export = v1::ExportAlertRequest { id: id.clone(), ..Default::default() };
    let first = alerts.export_alert(export.clone()).await.expect("exported").into_inner();
    assert_eq!((first.media_type.as_str(), first.original), ("application/cap+xml", false));
    assert!(String::from_utf8_lossy(&first.content).contains(&format!("<identifier>{id}</identifier>")));
    let cancel = v1::ExportAlertRequest { message: "cancel".into(), ..export.clone() };
    for (request, code) in [
        (cancel.clone(), "wrong_state"),
        (v1::ExportAlertRequest { message: "answer".into(), society: "ML".into(), ..export.clone() }, "wrong_state"),
        (v1::ExportAlertRequest { for_public: true, ..export.clone() }, "wrong_state"),
        (v1::ExportAlertRequest { society: "ML".into(), ..export.clone() }, "malformed"),
        (v1::ExportAlertRequest { format: "cap-1.1".into(), ..export.clone() }, "unknown_code"),
        (v1::ExportAlertRequest { message: "receipt".into(), ..export.clone() }, "unknown_code"),
        (v1::ExportAlertRequest { id: AlertId::new(NOW, [8; 10]).to_string(), ..export.clone() }, "unknown_alert"),
        (v1::ExportAlertRequest::default(), "missing_field"),
    ] {
        let status = alerts.export_alert(request).await.expect_err(code);
        assert_eq!(refusal(&status).0, code);
    }
    let reason = CancelReason::ALL[0].to_string();
    let note = String::new();
    alerts.cancel_alert(v1::CancelAlertRequest { id: id.clone(), reason, note }).await.expect("cancelled");
    let cancelled = alerts.export_alert(cancel).await.expect("exported").into_inner();
    let cancelled = String::from_utf8_lossy(&cancelled.content).into_owned();
    assert!(cancelled.contains("<msgType>Cancel</msgType>") && cancelled.contains(&id), "{cancelled}");
    let again = alerts.export_alert(export.clone()).await.expect("after its end too").into_inner();
    assert_eq!(again, first, "the same for ever");

    let original = v1::Original { media_type: "application/cap+xml".into(), content: SAMPLE.to_vec() };
    let alert = v1::Alert { original: Some(original), ..convoy() };
    let raised = alerts.raise_alert(v1::RaiseAlertRequest { id: String::new(), alert: Some(alert) }).await;
    let id = raised.expect("raised").into_inner().id;
    let export = v1::ExportAlertRequest { id: id.clone(), ..export };
    let document = alerts.export_alert(export.clone()).await.expect("exported").into_inner();
    assert!(document.original && document.content == SAMPLE);
    let anew = v1::ExportAlertRequest { anew: true, ..export };
    let document = alerts.export_alert(anew).await.expect("exported").into_inner();
    assert!(!document.original && document.content != SAMPLE);
    let shown = alerts.get_alert(v1::GetAlertRequest { id }).await.expect("shown").into_inner();
    let imported = shown.alert.expect("an alert").imported.expect("it was imported");
    assert_eq!((imported.identifier.as_str(), imported.signature.as_str()), ("rosso-bac-2026-3", "absent"));
    assert_eq!(imported.languages, ["fr", "ar"]);
    assert!(imported.only_in_original.contains(&"note".to_owned()), "{:?}", imported.only_in_original);
}

#[tokio::test]
async fn pages_join_without_gap_or_repetition() {
    let node = Node::new(&[Role::AlertAuthor]).await;
    let mut alerts = node.alerts();
    let mut raised = Vec::new();
    for _ in 0..7 {
        node.clock.advance(std::time::Duration::from_millis(1));
        let request = v1::RaiseAlertRequest { id: String::new(), alert: Some(convoy()) };
        raised.push(alerts.raise_alert(request).await.expect("raised").into_inner().id);
    }
    raised.reverse();
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListAlertsRequest { page_size: 3, page_token, ..Default::default() };
        let page = alerts.list_alerts(request).await.expect("listed").into_inner();
        listed.extend(page.alerts.into_iter().map(|alert| alert.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, raised);
}

#[tokio::test]
async fn whoever_lacks_the_role_is_refused_and_that_is_recorded_once() {
    let node = Node::new(&[Role::Auditor]).await;
    let request = v1::RaiseAlertRequest { id: String::new(), alert: Some(convoy()) };
    let status = node.alerts().raise_alert(request).await.expect_err("an auditor raises no alerts");
    assert_eq!(status.code(), tonic::Code::PermissionDenied);
    assert_eq!(refusal(&status).0, "role_missing");
    assert_eq!(node.entries(), 2, "the beginning and the refusal");
    let entry = node.engine.view().entry(EntryIndex(1)).expect("read").expect("there");
    assert_eq!(entry.actor, Actor::Operator("awa".into()));
    assert!(
        matches!(entry.body, Body::Refused { request, code, .. } if request == "raise_alert" && code == "role_missing")
    );
}

#[tokio::test]
async fn whoever_is_not_listed_may_do_nothing() {
    let node = Node::new(&[]).await;
    let status = node.alerts().list_codes(v1::ListCodesRequest::default()).await.expect_err("not listed");
    assert_eq!(status.code(), tonic::Code::Unauthenticated);
    assert_eq!(refusal(&status).0, "unauthenticated");
    assert_eq!(node.entries(), 2);
}

#[tokio::test]
async fn a_refusal_tells_every_fault_with_its_field_and_the_next_step() {
    let node = Node::new(&[Role::AlertAuthor]).await;
    let alert = v1::Alert { event: "no.such".into(), urgency: "Soon".into(), ..convoy() };
    let request = v1::RaiseAlertRequest { id: String::new(), alert: Some(alert) };
    let status = node.alerts().raise_alert(request).await.expect_err("two faults");
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    let details = status.get_error_details();
    let fields: Vec<_> =
        details.bad_request().expect("violations").field_violations.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(fields, ["event", "urgency"]);
    let info = details.error_info().expect("info");
    assert_eq!((info.reason.as_str(), info.metadata["fault"].as_str()), ("unknown_code", "input"));
    assert!(info.metadata["next_step"].ends_with('.'));
    assert_eq!(
        node.alerts()
            .get_alert(v1::GetAlertRequest { id: AlertId::new(NOW, [8; 10]).to_string() })
            .await
            .expect_err("none")
            .code(),
        tonic::Code::NotFound
    );
}

#[tokio::test]
async fn a_flood_of_refusals_does_not_fill_the_journal() {
    let node = Node::new(&[Role::Auditor]).await;
    let most = u64::from(passerelle_domain::limits::REFUSALS_AN_HOUR_MAX);
    let mut alerts = node.alerts();
    for _ in 0..most + 20 {
        alerts.get_alert(v1::GetAlertRequest { id: "x".into() }).await.expect_err("no id");
    }
    assert_eq!(node.entries(), 1 + most);
}

#[tokio::test]
async fn feeds_are_shown_and_one_that_fails_is_an_alarm() {
    let node = Node::new(&[Role::DutyOfficer]).await;
    let feeds = node.alerts().get_feeds(v1::GetFeedsRequest {}).await.expect("shown").into_inner();
    assert_eq!(feeds.public.map(|public| public.messages), Some(2));
    let [source] = &feeds.sources[..] else { panic!("one source") };
    // What the source has cancelled is no alert of this node any more.
    assert_eq!((source.name.as_str(), source.failures, source.cancelled.len()), ("anacim", 7, 0));
    let status = v1::status_service_client::StatusServiceClient::new(node.channel.clone())
        .get_status(v1::GetStatusRequest {})
        .await
        .expect("shown");
    assert!(status.into_inner().alarms.contains(&"feed anacim: failing (feed_unreachable)".to_owned()));
    let nobody = Node::new(&[]).await;
    let refused = nobody.alerts().get_feeds(v1::GetFeedsRequest {}).await.expect_err("refused");
    assert_eq!(refusal(&refused).0, "unauthenticated");
}
