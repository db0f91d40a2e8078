//! What is told of an alert that stops nothing: odd places, and whose word the document is that it was imported from.

use passerelle_domain::catalogue::Role;
use passerelle_proto::v1;
use passerelle_signature::Trusted;

use super::{Node, convoy};

const SIGNED: &str = include_str!("../../../signature/fixtures/signed.xml");
const CERTIFICATE: &[u8] = include_bytes!("../../../signature/fixtures/met.pem");

#[tokio::test]
async fn whoever_raises_or_approves_an_alert_is_told_what_is_odd_about_it() {
    let node = Node::new(&[Role::AlertAuthor]).await;
    let mut alerts = node.alerts();
    let place = v1::Place { role: "occurred".into(), name: "Rosso".into(), ..Default::default() };
    let alert = v1::Alert { places: vec![place], etas: Vec::new(), ..convoy() };
    let code = |warnings: &[v1::AlertWarning]| {
        warnings.iter().map(|warning| (warning.code.clone(), warning.field.clone())).collect::<Vec<_>>()
    };
    let odd = [("ambiguous_place".to_owned(), "places[0].country".to_owned())];
    let request = v1::DraftAlertRequest { id: String::new(), alert: Some(alert.clone()) };
    let draft = alerts.draft_alert(request).await.expect("drafted").into_inner().draft.expect("a draft");
    assert_eq!(code(&draft.warnings), odd);
    let drafts = alerts.list_drafts(v1::ListDraftsRequest::default()).await.expect("listed").into_inner().drafts;
    assert_eq!(code(&drafts[0].warnings), odd);
    let request = v1::RaiseAlertRequest { id: String::new(), alert: Some(alert.clone()) };
    let raised = alerts.raise_alert(request).await.expect("raised").into_inner();
    assert_eq!(code(&raised.warnings), odd);
    let shown = alerts.get_alert(v1::GetAlertRequest { id: raised.id.clone() }).await.expect("shown").into_inner();
    let sent_at = shown.alert.and_then(|shown| shown.alert).and_then(|alert| alert.sent_at);
    let supersedes = vec![v1::AlertReference { origin: "SN".into(), id: raised.id, sent_at }];
    let alert = v1::Alert { supersedes, ..alert };
    let request = v1::UpdateAlertRequest { id: String::new(), alert: Some(alert) };
    assert_eq!(code(&alerts.update_alert(request).await.expect("updated").into_inner().warnings), odd);
    let request = v1::RaiseAlertRequest { id: String::new(), alert: Some(convoy()) };
    assert_eq!(alerts.raise_alert(request).await.expect("raised").into_inner().warnings, []);
}

#[tokio::test]
async fn a_signature_is_shown_for_what_it_is_worth_and_refuses_nothing() {
    let node = Node::new(&[Role::AlertAuthor]).await;
    let mut alerts = node.alerts();
    let trusted = Trusted::parse(CERTIFICATE).map(Trusted::new);
    let stranger = rcgen::KeyPair::generate()
        .and_then(|key| rcgen::CertificateParams::new(vec!["other.example".into()])?.self_signed(&key))
        .map(|certificate| Trusted::new(vec![certificate.der().clone()]));
    let changed = SIGNED.replace("Rosso", "Diama");
    let cases = [
        (SIGNED, None, "present_not_verified"),
        (SIGNED, trusted.clone(), "verified"),
        (SIGNED, stranger.ok(), "untrusted"),
        (&changed, trusted.clone(), "broken"),
        (&changed, None, "present_not_verified"),
        (include_str!("../../../../config/demo/alert.cap.xml"), trusted, "absent"),
    ];
    for (document, trusted, expected) in cases {
        node.trusted.send_replace(trusted.map(std::sync::Arc::new));
        let original = v1::Original { media_type: "application/cap+xml".into(), content: document.into() };
        let alert = v1::Alert { original: Some(original), ..convoy() };
        let request = v1::DraftAlertRequest { id: String::new(), alert: Some(alert.clone()) };
        let draft = alerts.draft_alert(request).await.expect("drafted").into_inner().draft.expect("a draft");
        assert_eq!(draft.imported.expect("imported").signature, expected);
        let request = v1::RaiseAlertRequest { id: String::new(), alert: Some(alert) };
        let id = alerts.raise_alert(request).await.expect("raised").into_inner().id;
        let shown = alerts.get_alert(v1::GetAlertRequest { id }).await.expect("shown").into_inner();
        let imported = shown.alert.and_then(|alert| alert.imported).expect("imported");
        assert_eq!(imported.signature, expected);
    }
}
