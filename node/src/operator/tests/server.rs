//! The socket and the server around the services.

use std::os::unix::fs::PermissionsExt as _;

use passerelle_domain::catalogue::Role;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use super::{Node, bind};

#[tokio::test]
async fn health_and_reflection_are_served() {
    let node = Node::new(&[Role::Auditor]).await;
    let request = HealthCheckRequest { service: "passerelle.v1.AlertService".into() };
    let health = HealthClient::new(node.channel.clone()).check(request).await.expect("answered").into_inner();
    assert_eq!(health.status, 1, "SERVING");
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(node.channel.clone());
    let answers = client.server_reflection_info(tokio_stream::iter([request])).await.expect("answered");
    let answer = answers.into_inner().message().await.expect("no error").expect("an answer").message_response;
    let Some(MessageResponse::ListServicesResponse(services)) = answer else { panic!("not a list: {answer:?}") };
    let names: Vec<_> = services.service.iter().map(|service| service.name.as_str()).collect();
    for name in ["passerelle.v1.HandoverService", "passerelle.v1.WatchService", "grpc.health.v1.Health"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_or_another_file_is_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("operator.sock");
    let first = bind(&path, 0o660).expect("a socket");
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o660);
    assert_eq!(bind(&path, 0o660).expect_err("in use").kind(), std::io::ErrorKind::AddrInUse);
    drop(first);
    assert!(!path.exists(), "an orderly end leaves nothing");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    assert!(path.exists(), "a life that was cut short leaves its file");
    drop(bind(&path, 0o600).expect("replaced"));
    std::fs::write(&path, b"notes").expect("written");
    assert!(bind(&path, 0o600).is_err());
    assert_eq!(std::fs::read(&path).expect("still there"), b"notes");
}

#[tokio::test]
async fn an_end_does_not_wait_for_a_client_that_stays() {
    let node = Node::new(&[Role::Auditor]).await;
    node.alerts().list_codes(passerelle_proto::v1::ListCodesRequest::default()).await.expect("answered");
    node.end.cancel();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(3);
    assert!(node.spawner.ended_by(deadline).await);
    assert!(!node.folder.path().join("operator.sock").exists());
}
