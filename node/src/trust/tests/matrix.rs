//! Who may connect, to which port, and what everybody else is told.

use passerelle_domain::refusal::Code;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};
use rustls::crypto::aws_lc_rs::kx_group;
use tokio::io::AsyncWriteExt as _;
use zeroize::Zeroizing;

use super::*;
use crate::trust::{Connector, DialError, Dialled, TcpNetwork};

/// A certificate of a root with names and purposes that the authority would never give.
fn odd(party: &Party, names: &[&str], usages: &[ExtendedKeyUsagePurpose]) -> IssuedCertificate {
    let root_key = KeyPair::from_pem(&party.authority.key_pem()).expect("a key");
    let issuer = Issuer::from_ca_cert_pem(party.authority.root_pem(), root_key).expect("a root");
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.iter().map(|name| SanType::URI((*name).try_into().expect("ASCII"))).collect();
    params.extended_key_usages = usages.to_vec();
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &issuer).expect("signed");
    IssuedCertificate { certificate_pem: certificate.pem(), key_pem: Zeroizing::new(key.serialize_pem()) }
}

fn both_usages() -> [ExtendedKeyUsagePurpose; 2] {
    [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth]
}

#[tokio::test]
async fn only_the_nodes_of_known_peers_reach_the_peer_port() {
    let (sn, gm, ml, td) = (Party::new("SN"), Party::new("GM"), Party::new("ML"), Party::new("TD"));
    let other_gm = Party::new("GM");
    let mut port = peer_port(&sn.live(&[&gm, &ml], &Hands::new()), HandshakeLimits::default()).await;
    let issue = |party: &Party, at: Time| party.authority.issue_node(at, LEAF_LIFE, &fill).expect("issued");
    let long_ago = start().minus(LEAF_LIFE + Duration::from_secs(60));
    let (root_pem, root_key) = (gm.authority.root_pem().to_owned(), gm.authority.key_pem());
    let cases = [
        ("a peer's node", Caller::with(&gm.node()), None),
        ("no certificate", Caller::nobody(), Some(Code::Unauthenticated)),
        ("a root of the same name", Caller::with(&other_gm.node()), Some(Code::BadCertificate)),
        ("expired", Caller::with(&issue(&gm, long_ago)), Some(Code::BadCertificate)),
        ("not valid yet", Caller::with(&issue(&gm, start().plus(LEAF_LIFE))), Some(Code::BadCertificate)),
        ("one peer in another's name", Caller::with(&gm.node_in_the_name_of("ML")), Some(Code::BadCertificate)),
        ("a peer in the own name", Caller::with(&gm.node_in_the_name_of("SN")), Some(Code::SameSociety)),
        ("the own Society", Caller::with(&sn.node()), Some(Code::SameSociety)),
        ("a Society that is no peer", Caller::with(&td.node()), Some(Code::UnknownPeer)),
        ("a peer's operator", Caller::with(&gm.operator("awa")), Some(Code::BadCertificate)),
        ("an own operator", Caller::with(&sn.operator("awa")), Some(Code::BadCertificate)),
        (
            "a root itself",
            Caller::with(&IssuedCertificate { certificate_pem: root_pem, key_pem: root_key }),
            Some(Code::BadCertificate),
        ),
        ("no SPIFFE ID", Caller::with(&odd(&gm, &[], &both_usages())), Some(Code::BadCertificate)),
        (
            "two SPIFFE IDs",
            Caller::with(&odd(&gm, &[&gm.society.node_id(), "spiffe://ml.sahelplus/node"], &both_usages())),
            Some(Code::BadCertificate),
        ),
        (
            "an ID that only begins right",
            Caller::with(&odd(&gm, &["spiffe://gm.sahelplus/node/2"], &both_usages())),
            Some(Code::BadCertificate),
        ),
        (
            "a certificate for servers alone",
            Caller::with(&odd(&gm, &[&gm.society.node_id()], &[ExtendedKeyUsagePurpose::ServerAuth])),
            Some(Code::BadCertificate),
        ),
        ("no HTTP/2", Caller { alpn: Vec::new(), ..Caller::with(&gm.node()) }, Some(Code::BadHandshake)),
        ("HTTP/1.1", Caller { alpn: vec![b"http/1.1".to_vec()], ..Caller::with(&gm.node()) }, Some(Code::BadHandshake)),
    ];
    for (story, caller, expected) in cases {
        let called = call(&caller.config(), port.port).await;
        let outcome = port.outcome().await;
        assert_eq!(outcome.as_ref().err().map(|refusal| refusal.code), expected, "{story}: {outcome:?}");
        if let (Ok(mut stream), Some(_)) = (called, expected) {
            assert!(!matches!(hear(&mut stream).await, Ok(1..)), "{story}: the caller gets no byte");
        }
    }
}

#[tokio::test]
async fn the_handshake_tells_who_called() {
    let (sn, gm) = (Party::new("SN"), Party::new("GM"));
    let live = sn.live(&[&gm], &Hands::new());
    let mut port = peer_port(&live, HandshakeLimits::default()).await;
    let caller = Caller::with(&gm.node());
    let mut x25519 = (*tls::provider()).clone();
    x25519.kx_groups = vec![kx_group::X25519];
    for (group, caller) in
        [("X25519MLKEM768", caller.clone()), ("X25519", Caller { provider: Arc::new(x25519), ..caller })]
    {
        let stream = call(&caller.config(), port.port).await.expect("connected");
        let connection = port.outcome().await.expect("let in");
        let info = connection.info().clone();
        assert_eq!((info.society, info.group.as_str(), info.dialled), (gm.society, group, false));
        assert_eq!(info.not_after, start().plus(LEAF_LIFE));
        assert_eq!(Some(info.address), stream.get_ref().0.local_addr().ok());
        assert_eq!(info.serial.len(), 32);
        assert_eq!(live.peer_connections(), [info]);
        drop(connection);
        assert_eq!(live.peer_connections(), []);
    }
}

#[tokio::test]
async fn only_own_operators_reach_the_operator_port() {
    let (sn, gm) = (Party::new("SN"), Party::new("GM"));
    let forged = Party::new("SN");
    let mut port = operator_port(&sn.live(&[&gm], &Hands::new())).await;
    let odd_name = odd(&sn, &["spiffe://sn.sahelplus/operator/../node"], &both_usages());
    let cases = [
        ("an own operator", Caller::with(&sn.operator("awa.diop")), None),
        ("no certificate", Caller::nobody(), Some(Code::Unauthenticated)),
        ("the own node", Caller::with(&sn.node()), Some(Code::Unauthenticated)),
        ("a peer's node", Caller::with(&gm.node()), Some(Code::Unauthenticated)),
        ("a peer's operator", Caller::with(&gm.operator("awa.diop")), Some(Code::Unauthenticated)),
        ("a name that is none", Caller::with(&odd_name), Some(Code::Unauthenticated)),
        ("a root of the same name", Caller::with(&forged.operator("awa.diop")), Some(Code::BadCertificate)),
    ];
    for (story, caller, expected) in cases {
        let called = call(&caller.config(), port.port).await;
        match port.outcome().await {
            Ok(connection) => {
                assert_eq!((connection.info().name.as_str(), expected), ("awa.diop", None), "{story}");
                assert!(called.is_ok());
            }
            Err(refusal) => assert_eq!(Some(refusal.code), expected, "{story}: {}", refusal.detail),
        }
    }
}

#[tokio::test]
async fn a_caller_of_tls_1_2_gets_the_alert_protocol_version() {
    let sn = Party::new("SN");
    let mut port = peer_port(&sn.live(&[], &Hands::new()), HandshakeLimits::default()).await;
    // A ClientHello as RFC 5246 has it: version 3.3, one suite, no compression, and the extensions that a client of
    // TLS 1.2 sends (signature_algorithms, supported_groups), but not supported_versions of TLS 1.3.
    let extensions: [u8; 18] = [0, 13, 0, 6, 0, 4, 4, 3, 8, 4, 0, 10, 0, 4, 0, 2, 0, 29];
    let mut hello = vec![3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x2b, 1, 0, 0, 18]);
    hello.extend(extensions);
    let length = u8::try_from(hello.len()).expect("short");
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    let mut tcp = TcpStream::connect(("127.0.0.1", port.port)).await.expect("connected");
    // It talks on without waiting; were its words left unread, the alert would be lost to a reset.
    record.extend([0; 64 * 1024]);
    tcp.write_all(&record).await.expect("sent");
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, tcp.read_to_end(&mut answer)).await.expect("answered").expect("read");
    assert_eq!(answer, [21, 3, 3, 0, 2, 2, 70], "a fatal alert, protocol_version");
    assert_eq!(port.outcome().await.map(|_| ()).map_err(|r| r.code), Err(Code::BadHandshake));
}

#[tokio::test]
async fn a_slow_caller_is_dropped_and_holds_nobody_else_up_for_longer() {
    let (sn, gm) = (Party::new("SN"), Party::new("GM"));
    let limits = HandshakeLimits { timeout: Duration::from_millis(200), at_once: 2 };
    let mut port = peer_port(&sn.live(&[&gm], &Hands::new()), limits).await;
    let mut slow = Vec::new();
    for _ in 0..2 {
        slow.push(TcpStream::connect(("127.0.0.1", port.port)).await.expect("connected"));
    }
    // Both places are taken, so this caller waits until they are free again.
    let stream = call(&Caller::with(&gm.node()).config(), port.port).await.expect("connected");
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        outcomes.push(port.outcome().await.map(|connection| connection.info().society).map_err(|r| r.code));
    }
    outcomes.sort_by_key(Result::is_ok);
    assert_eq!(outcomes, [Err(Code::BadHandshake), Err(Code::BadHandshake), Ok(gm.society)]);
    drop(stream);
}

#[tokio::test]
async fn a_port_scanner_is_not_reported() {
    let (sn, gm) = (Party::new("SN"), Party::new("GM"));
    let mut port = peer_port(&sn.live(&[&gm], &Hands::new()), HandshakeLimits::default()).await;
    drop(TcpStream::connect(("127.0.0.1", port.port)).await.expect("connected"));
    let _stream = call(&Caller::with(&gm.node()).config(), port.port).await.expect("connected");
    assert!(port.outcome().await.is_ok(), "the scanner before it left no trace");
}

#[tokio::test]
async fn a_port_closes_when_its_stream_is_dropped() {
    let sn = Party::new("SN");
    let ((listener, port), tracker) = (listener().await, TaskTracker::new());
    let live = sn.live(&[], &Hands::new());
    let stream = incoming(listener, live, &tracker, HandshakeLimits::default(), on_refused().0);
    tracker.close();
    drop(stream);
    tokio::time::timeout(PATIENCE, tracker.wait()).await.expect("its task ends");
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

#[tokio::test]
async fn the_connector_reaches_the_node_of_one_society_alone() {
    let (sn, gm, ml, td) = (Party::new("SN"), Party::new("GM"), Party::new("ML"), Party::new("TD"));
    let hands = Hands::new();
    let (all, live) = ([&gm, &ml, &sn], sn.live(&[&gm, &ml], &hands));
    let refusal = |dialled: Result<Dialled, DialError>| match dialled {
        Ok(connection) => Ok(connection.info().society),
        Err(DialError::Refused(refusal)) => Err(refusal.code),
        Err(DialError::Unreachable(error)) => panic!("{error}"),
    };
    let mut answering = Vec::new();
    for party in [&gm, &ml, &td] {
        let others: Vec<_> = all.iter().copied().filter(|other| other.society != party.society).collect();
        answering.push(peer_port(&party.live(&others, &hands), HandshakeLimits::default()).await);
    }
    let own = peer_port(&sn.live(&[&gm], &hands), HandshakeLimits::default()).await;
    let cases = [
        ("the right one", gm.society, answering[0].port, Ok(gm.society)),
        ("another peer", gm.society, answering[1].port, Err(Code::WrongSociety)),
        ("somebody unknown", gm.society, answering[2].port, Err(Code::WrongSociety)),
        ("the own node", gm.society, own.port, Err(Code::SameSociety)),
        ("no peer of ours", td.society, answering[2].port, Err(Code::UnknownPeer)),
    ];
    for (story, society, port, expected) in cases {
        let dialled =
            Connector::new(Arc::clone(&live), society, Arc::new(TcpNetwork)).dial("127.0.0.1".into(), port).await;
        assert_eq!(refusal(dialled), expected, "{story}");
    }
    hands.advance(LEAF_LIFE + Duration::from_secs(1));
    let dialled = Connector::new(Arc::clone(&live), gm.society, Arc::new(TcpNetwork))
        .dial("127.0.0.1".into(), answering[0].port)
        .await;
    assert_eq!(refusal(dialled), Err(Code::BadCertificate), "expired");
    let (unused, port) = listener().await;
    drop(unused);
    let dialled = Connector::new(live, gm.society, Arc::new(TcpNetwork)).dial("127.0.0.1".into(), port).await;
    assert!(matches!(dialled, Err(DialError::Unreachable(_))));
}
