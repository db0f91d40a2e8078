//! The way over TCP: which nodes this program believes, and what it says when a node does not believe it.

mod support;

use std::{net::SocketAddr, path::Path, sync::Arc};

use passerelle_cli::failure::Exit;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType, string::Ia5String};
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use support::Node;
use tokio::{io::DuplexStream, net::TcpListener};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;

/// A Society's authority.
struct Authority(Issuer<'static, KeyPair>, CertificateDer<'static>, String);

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let root = params.self_signed(&key).expect("a root");
    Authority(Issuer::new(params, key), root.der().clone(), root.pem())
}

impl Authority {
    /// A certificate and key for one SPIFFE ID.
    fn issue(&self, id: &str) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(id).expect("ASCII"))];
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.0).expect("a certificate"), key)
    }
}

/// A node with this identity, which asks for operators of `clients`. Lives as long as the program.
fn serve(identity: &(rcgen::Certificate, KeyPair), clients: &Authority) -> SocketAddr {
    let mut roots = RootCertStore::empty();
    roots.add(clients.1.clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build().expect("a verifier");
    let key = PrivateKeyDer::try_from(identity.1.serialize_der()).expect("a key");
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![identity.0.der().clone()], key)
        .expect("a certificate with its key");
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            tell.send(listener.local_addr().expect("an address")).expect("somebody waits");
            let acceptor = TlsAcceptor::from(Arc::new(config));
            let (accepted, incoming) = tokio::sync::mpsc::channel::<std::io::Result<DuplexStream>>(4);
            tokio::task::spawn_local(async move {
                while let Ok((tcp, _)) = listener.accept().await {
                    let Ok(mut tls) = acceptor.accept(tcp).await else { continue };
                    // tonic takes a pipe as a connection, and knows nothing of a TLS stream.
                    let (mut here, there) = tokio::io::duplex(1 << 16);
                    let _ = accepted.send(Ok(there)).await;
                    tokio::task::spawn_local(async move { tokio::io::copy_bidirectional(&mut tls, &mut here).await });
                }
            });
            let server = Node::default().register(Server::builder());
            let _ = server.serve_with_incoming(ReceiverStream::new(incoming)).await;
        });
    });
    told.recv().expect("the server starts")
}

#[test]
fn only_the_node_of_the_own_society_is_believed() {
    let (senegal, gambia) = (authority(), authority());
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, content: &str| {
        std::fs::write(folder.path().join(name), content).expect("a file");
        folder.path().join(name).display().to_string()
    };
    let operator = |authority: &Authority, name: &str| {
        let (certificate, key) = authority.issue("spiffe://sn.sahelplus/operator/awa");
        (write(&format!("{name}.pem"), &certificate.pem()), write(&format!("{name}.key"), &key.serialize_pem()))
    };
    let (cert, key) = operator(&senegal, "awa");
    let (forged_cert, forged_key) = operator(&gambia, "forged");
    let root = write("root.pem", &senegal.2);
    let node = serve(&senegal.issue("spiffe://sn.sahelplus/node"), &senegal);
    let for_operator = serve(&senegal.issue("spiffe://sn.sahelplus/operator/eve"), &senegal);
    let other_society = serve(&senegal.issue("spiffe://gm.sahelplus/node"), &senegal);
    let other_root = serve(&gambia.issue("spiffe://sn.sahelplus/node"), &senegal);
    let call = |address: SocketAddr, cert: &str, key: &str, more: &[&str]| {
        let address = address.to_string();
        let words = ["status", "--address", &address, "--cert", cert, "--key", key, "--root", &root, "--timeout", "5"];
        support::run(&[&words[..], more].concat(), "", false, &[("HOME", Path::new("/nonexistent"))])
    };
    let right = call(node, &cert, &key, &[]);
    assert_eq!(right.exit, Exit::Ok, "{}", right.err);
    assert!(right.out.starts_with("SN Senegalese Red Cross Society"));
    for (name, outcome, exit, code) in [
        (
            "somebody with a certificate of ours",
            call(for_operator, &cert, &key, &[]),
            Exit::Unreachable,
            "bad_certificate",
        ),
        ("a node of another Society", call(other_society, &cert, &key, &[]), Exit::Unreachable, "bad_certificate"),
        ("a node of another root", call(other_root, &cert, &key, &[]), Exit::Unreachable, "bad_certificate"),
        ("a node that was not meant", call(node, &cert, &key, &["--node", "GM"]), Exit::Unreachable, "bad_certificate"),
        (
            "an operator of another root",
            call(node, &forged_cert, &forged_key, &[]),
            Exit::NotPermitted,
            "unauthenticated",
        ),
        ("a key that is no key", call(node, &cert, &cert, &[]), Exit::Usage, "usage"),
        ("a key of another certificate", call(node, &cert, &forged_key, &[]), Exit::Usage, "usage"),
    ] {
        assert_eq!(outcome.exit, exit, "{name}: {}", outcome.err);
        assert!(outcome.err.contains(&format!("code: {code}\n")), "{name}: {}", outcome.err);
    }
    assert_eq!(call(other_society, &cert, &key, &["--node", "gm"]).exit, Exit::Ok);
}
