//! Trust changes while connections are open, through real tonic streams.

use passerelle_domain::refusal::Code;
use rustls::HandshakeKind;
use tonic::{Streaming, transport::Endpoint};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};

use super::*;
use crate::trust::{Connector, TcpNetwork};

/// A node's link port with the health service on it, whose `Watch` is the long-lived stream of these tests.
struct Served {
    port: u16,
    health: tonic_health::server::HealthReporter,
    refusals: mpsc::UnboundedReceiver<HandshakeRefused>,
}

impl Served {
    async fn new(live: &Arc<LiveTrust>) -> Self {
        let (listener, port) = listener().await;
        let (tracker, (on_refused, refusals)) = (TaskTracker::new(), on_refused());
        let connections = incoming(listener, Arc::clone(live), &tracker, HandshakeLimits::default(), on_refused);
        let (health, service) = tonic_health::server::health_reporter();
        tracker.spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(connections));
        Self { port, health, refusals }
    }

    async fn tick(&self, serving: bool) {
        let status =
            if serving { tonic_health::ServingStatus::Serving } else { tonic_health::ServingStatus::NotServing };
        self.health.set_service_status("", status).await;
    }
}

async fn watch(
    live: &Arc<LiveTrust>,
    society: Society,
    port: u16,
) -> Result<Streaming<HealthCheckResponse>, Box<dyn std::error::Error>> {
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?;
    let channel =
        endpoint.connect_with_connector(Connector::new(Arc::clone(live), society, Arc::new(TcpNetwork))).await?;
    let mut stream = HealthClient::new(channel).watch(HealthCheckRequest::default()).await?.into_inner();
    stream.message().await?;
    Ok(stream)
}

async fn next(stream: &mut Streaming<HealthCheckResponse>) -> Result<Option<HealthCheckResponse>, tonic::Status> {
    tokio::time::timeout(PATIENCE, stream.message()).await.expect("something happens")
}

#[tokio::test]
async fn a_renewed_certificate_leaves_streams_open_and_a_removed_peer_loses_them() {
    let (sn, gm, ml) = (Party::new("SN"), Party::new("GM"), Party::new("ML"));
    let hands = Hands::new();
    let (here, gambia, mali) = (sn.live(&[&gm, &ml], &hands), gm.live(&[&sn], &hands), ml.live(&[&sn], &hands));
    let mut served = Served::new(&here).await;
    let mut from_gambia = watch(&gambia, sn.society, served.port).await.expect("let in");
    let mut from_mali = watch(&mali, sn.society, served.port).await.expect("let in");
    assert_eq!(here.peer_connections().len(), 2);
    assert!(gambia.peer_connections()[0].dialled);

    // A renewal, past the end of the certificates that the streams were opened with.
    hands.advance(LEAF_LIFE + Duration::from_secs(1));
    let later = (hands.clock())();
    assert_eq!(here.reload(&sn.material_at(later, &[&gm, &ml])).expect("reloaded"), 0);
    served.tick(false).await;
    assert!(next(&mut from_gambia).await.is_ok_and(|message| message.is_some()));
    assert!(next(&mut from_mali).await.is_ok_and(|message| message.is_some()));

    // Gambia is removed: its stream ends, Mali's goes on.
    assert_eq!(here.reload(&sn.material_at(later, &[&ml])).expect("reloaded"), 1);
    assert!(next(&mut from_gambia).await.is_err());
    served.tick(true).await;
    assert!(next(&mut from_mali).await.is_ok_and(|message| message.is_some()));

    // It may not come back, and Mali may.
    gambia.reload(&gm.material_at(later, &[&sn])).expect("renewed");
    mali.reload(&ml.material_at(later, &[&sn])).expect("renewed");
    watch(&gambia, sn.society, served.port).await.expect_err("removed");
    assert_eq!(served.refusals.recv().await.map(|refusal| refusal.code), Some(Code::UnknownPeer));
    watch(&mali, sn.society, served.port).await.expect("let in");
}

#[tokio::test]
async fn the_dialling_side_learns_why_its_first_call_failed() {
    let (sn, gm) = (Party::new("SN"), Party::new("GM"));
    let hands = Hands::new();
    let (here, gambia) = (sn.live(&[], &hands), gm.live(&[&sn], &hands));
    let mut served = Served::new(&here).await;
    let connector = Connector::new(gambia, sn.society, Arc::new(TcpNetwork));
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", served.port)).expect("an address");
    // The alert must not lose its race against the end of the connection.
    for _ in 0..20 {
        assert_eq!(connector.refusal(), None);
        let channel = endpoint.connect_with_connector(connector.clone()).await;
        let failed = match channel {
            Ok(channel) => HealthClient::new(channel).check(HealthCheckRequest::default()).await.is_err(),
            Err(_) => true,
        };
        assert!(failed);
        assert_eq!(served.refusals.recv().await.map(|refusal| refusal.code), Some(Code::UnknownPeer));
        assert_eq!(connector.refusal().map(|refusal| refusal.code), Some(Code::BadCertificate));
        here.reload(&sn.material(&[&gm])).expect("reloaded");
        let channel = endpoint.connect_with_connector(connector.clone()).await.expect("connected");
        HealthClient::new(channel).check(HealthCheckRequest::default()).await.expect("a peer now");
        here.reload(&sn.material(&[])).expect("reloaded");
    }
}

#[tokio::test]
async fn a_peer_whose_root_was_replaced_loses_its_streams_in_both_directions() {
    let (sn, gm, new_gm) = (Party::new("SN"), Party::new("GM"), Party::new("GM"));
    let hands = Hands::new();
    let (here, gambia) = (sn.live(&[&gm], &hands), gm.live(&[&sn], &hands));
    let (here_served, gambia_served) = (Served::new(&here).await, Served::new(&gambia).await);
    let mut accepted = watch(&gambia, sn.society, here_served.port).await.expect("let in");
    let mut dialled = watch(&here, gm.society, gambia_served.port).await.expect("let in");
    assert_eq!(here.reload(&sn.material(&[&new_gm])).expect("reloaded"), 2);
    assert!(next(&mut accepted).await.is_err() && next(&mut dialled).await.is_err());
}

#[tokio::test]
async fn killed_connections_end_and_a_trusted_peer_may_come_back() {
    let (sn, gm) = (Party::new("SN"), Party::new("GM"));
    let hands = Hands::new();
    let (here, gambia) = (sn.live(&[&gm], &hands), gm.live(&[&sn], &hands));
    let served = Served::new(&here).await;
    let mut stream = watch(&gambia, sn.society, served.port).await.expect("let in");
    assert_eq!((here.kill(sn.society), here.kill(gm.society)), (0, 1));
    assert!(next(&mut stream).await.is_err());
    let mut stream = watch(&gambia, sn.society, served.port).await.expect("let in again");
    assert_eq!(here.kill_all(), 1);
    assert!(next(&mut stream).await.is_err());
}

#[tokio::test]
async fn a_reload_that_does_not_hang_together_changes_nothing() {
    let (sn, gm) = (Party::new("SN"), Party::new("GM"));
    let hands = Hands::new();
    let (here, gambia) = (sn.live(&[&gm], &hands), gm.live(&[&sn], &hands));
    let served = Served::new(&here).await;
    let mut stream = watch(&gambia, sn.society, served.port).await.expect("let in");
    let mut no_root = sn.material(&[]);
    let mut content = BundleContent::clone(&gm.bundle());
    content.roots = vec![vec![1, 2, 3].into()];
    no_root.peers.push(Bundle::new(content).expect("within limits"));
    let mut foreign = sn.material(&[]);
    foreign.identity = gm.material(&[]).identity;
    for (material, code) in
        [(no_root, Code::BadBundle), (foreign, Code::WrongSociety), (sn.material(&[&sn]), Code::SameSociety)]
    {
        assert_eq!(here.reload(&material).map_err(|refusal| refusal.code), Err(code));
    }
    served.tick(false).await;
    assert!(next(&mut stream).await.is_ok());
}

#[tokio::test]
async fn a_handshake_that_a_reload_overtakes_is_judged_by_the_new_state() {
    let (sn, gm, ml) = (Party::new("SN"), Party::new("GM"), Party::new("ML"));
    for (still_a_peer, expected) in [(&ml, Err(Code::UnknownPeer)), (&gm, Ok(gm.society))] {
        let live = sn.live(&[&gm], &Hands::new());
        let mut port = peer_port(&live, HandshakeLimits::default()).await;
        let tcp = TcpStream::connect(("127.0.0.1", port.port)).await.expect("connected");
        // Long enough for the port to begin the handshake under the old state; were it not, the caller would be
        // judged by the new one from the start, with the same verdict.
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(live.reload(&sn.material(&[still_a_peer])).expect("reloaded"), 0);
        let name = ServerName::try_from("anybody.example").expect("a name");
        let _stream = TlsConnector::from(Caller::with(&gm.node()).config()).connect(name, tcp).await;
        let outcome = port.outcome().await.map(|connection| connection.info().society).map_err(|r| r.code);
        assert_eq!(outcome, expected);
        assert_eq!(live.peer_connections().len(), 0, "dropped or never entered");
    }
}

/// Calls once, long enough to be given a session ticket.
async fn call_for_ticket(port: &mut OpenPort<PeerInfo>, config: &Arc<ClientConfig>) -> Option<HandshakeKind> {
    let mut stream = call(config, port.port).await.expect("connected");
    let connection = port.outcome().await.expect("let in");
    drop(connection);
    // The ticket comes before the end of the stream.
    let _: std::io::Result<usize> = hear(&mut stream).await;
    stream.get_ref().1.handshake_kind()
}

#[tokio::test]
async fn an_old_session_ticket_opens_nothing_once_the_peer_is_removed() {
    let (sn, gm) = (Party::new("SN"), Party::new("GM"));
    let live = sn.live(&[&gm], &Hands::new());
    let mut port = peer_port(&live, HandshakeLimits::default()).await;
    let config = Caller::with(&gm.node()).config();
    assert_eq!(call_for_ticket(&mut port, &config).await, Some(HandshakeKind::Full));
    assert_eq!(call_for_ticket(&mut port, &config).await, Some(HandshakeKind::Resumed), "tickets save 2 KiB");
    live.reload(&sn.material(&[])).expect("reloaded");
    let _called = call(&config, port.port).await;
    assert_eq!(port.outcome().await.map(|_| ()).map_err(|r| r.code), Err(Code::UnknownPeer));
}

#[tokio::test]
async fn a_session_ticket_does_not_outlive_the_certificate() {
    let (sn, gm) = (Party::new("SN"), Party::new("GM"));
    let hands = Hands::new();
    let mut port = peer_port(&sn.live(&[&gm], &hands), HandshakeLimits::default()).await;
    let hour = Duration::from_secs(3_600);
    let config = Caller::with(&gm.authority.issue_node(start(), hour, &fill).expect("issued")).config();
    call_for_ticket(&mut port, &config).await;
    hands.advance(hour + Duration::from_secs(1));
    let called = call(&config, port.port).await;
    let outcome = port.outcome().await;
    assert_eq!(outcome.map(|_| ()).map_err(|r| r.code), Err(Code::BadCertificate));
    drop(called);
}
