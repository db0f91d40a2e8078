//! The tests of trust: files, certificates, and who may connect to whom over real TLS on the loopback.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use passerelle_domain::{
    bundle::{Bundle, BundleContent, SEALING_KEY_BYTES},
    society::Society,
    time::Time,
};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_stream::StreamExt as _;
use tokio_util::task::TaskTracker;

use super::{
    Authority, Conn, HandshakeLimits, HandshakeRefused, Identity, IssuedCertificate, LiveTrust, Now, OnRefused,
    OperatorInfo, PeerInfo, TrustMaterial, authority::LEAF_LIFE, incoming, operator_incoming, tls,
};

mod files;
mod matrix;
mod reload;

/// Nothing in these tests takes longer; it is only there so that a bug fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(5);

/// The machine's randomness.
pub(crate) fn fill(bytes: &mut [u8]) {
    SystemRandom::new().fill(bytes).expect("the machine has randomness");
}

/// When every test begins.
fn start() -> Time {
    "2026-11-24T06:00:00Z".parse().expect("a time")
}

/// A clock that tests move.
#[derive(Clone)]
struct Hands(Arc<AtomicU64>);

impl Hands {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(start().millis())))
    }

    fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).expect("a short time");
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    fn clock(&self) -> Now {
        let hands = Arc::clone(&self.0);
        Arc::new(move || Time::from_millis(hands.load(Ordering::SeqCst)))
    }
}

/// A Society with its root, as it stands at the start.
struct Party {
    society: Society,
    authority: Authority,
}

impl Party {
    fn new(code: &str) -> Self {
        let society = code.parse().expect("a Society");
        Self { society, authority: Authority::create(society, start(), &fill).expect("a root") }
    }

    fn node(&self) -> IssuedCertificate {
        self.authority.issue_node(start(), LEAF_LIFE, &fill).expect("issued")
    }

    fn operator(&self, name: &str) -> IssuedCertificate {
        self.authority.issue_operator(name, start(), LEAF_LIFE, &fill).expect("issued")
    }

    /// A certificate of this Society's root that says it is of another Society.
    fn node_in_the_name_of(&self, other: &str) -> IssuedCertificate {
        let society = other.parse().expect("a Society");
        let authority = Authority::from_pem(society, self.authority.root_pem(), &self.authority.key_pem());
        authority.expect("loads").issue_node(start(), LEAF_LIFE, &fill).expect("issued")
    }

    fn bundle(&self) -> Bundle {
        Bundle::new(BundleContent {
            society: self.society,
            version: 1,
            valid_from: start(),
            valid_until: start().plus(LEAF_LIFE),
            roots: vec![self.authority.root_der().to_vec().into()],
            signing_keys: vec![[1; 32]],
            sealing_keys: vec![vec![1; SEALING_KEY_BYTES].into()],
            addresses: Vec::new(),
        })
        .expect("within limits")
    }

    fn material(&self, peers: &[&Self]) -> TrustMaterial {
        self.material_at(start(), peers)
    }

    /// With a node certificate made at `now`.
    fn material_at(&self, now: Time, peers: &[&Self]) -> TrustMaterial {
        TrustMaterial {
            identity: identity(&self.authority.issue_node(now, LEAF_LIFE, &fill).expect("issued")),
            own: self.bundle(),
            peers: peers.iter().map(|peer| peer.bundle()).collect(),
        }
    }

    fn live(&self, peers: &[&Self], hands: &Hands) -> Arc<LiveTrust> {
        LiveTrust::new(&self.material(peers), hands.clock()).expect("it hangs together")
    }
}

fn identity(issued: &IssuedCertificate) -> Identity {
    Identity::from_pem(&issued.certificate_pem, &issued.key_pem).expect("an identity")
}

/// A port with what came of each caller.
struct OpenPort<I> {
    port: u16,
    connections: mpsc::Receiver<Conn<TcpStream, I>>,
    refusals: mpsc::UnboundedReceiver<HandshakeRefused>,
}

impl<I: Send + 'static> OpenPort<I> {
    /// What comes of the next caller.
    async fn outcome(&mut self) -> Result<Conn<TcpStream, I>, HandshakeRefused> {
        tokio::time::timeout(PATIENCE, async {
            tokio::select! {
                Some(connection) = self.connections.recv() => Ok(connection),
                Some(refusal) = self.refusals.recv() => Err(refusal),
            }
        })
        .await
        .expect("every caller is let in or turned away")
    }
}

fn on_refused() -> (OnRefused, mpsc::UnboundedReceiver<HandshakeRefused>) {
    let (report, refusals) = mpsc::unbounded_channel();
    let on_refused = move |refusal| {
        let _: Result<(), _> = report.send(refusal);
    };
    (Arc::new(on_refused), refusals)
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

async fn peer_port(live: &Arc<LiveTrust>, limits: HandshakeLimits) -> OpenPort<PeerInfo> {
    let (listener, port) = listener().await;
    let (tracker, (on_refused, refusals)) = (TaskTracker::new(), on_refused());
    let stream = incoming(listener, Arc::clone(live), &tracker, limits, on_refused);
    open(stream, port, refusals, &tracker)
}

async fn operator_port(live: &Arc<LiveTrust>) -> OpenPort<OperatorInfo> {
    let (listener, port) = listener().await;
    let (tracker, (on_refused, refusals)) = (TaskTracker::new(), on_refused());
    let stream = operator_incoming(listener, Arc::clone(live), &tracker, HandshakeLimits::default(), on_refused);
    open(stream, port, refusals, &tracker)
}

fn open<I: Send + Unpin + 'static>(
    mut stream: impl tokio_stream::Stream<Item = std::io::Result<Conn<TcpStream, I>>> + Send + Unpin + 'static,
    port: u16,
    refusals: mpsc::UnboundedReceiver<HandshakeRefused>,
    tracker: &TaskTracker,
) -> OpenPort<I> {
    let (accepted, connections) = mpsc::channel(8);
    tracker.spawn(async move {
        while let Some(Ok(connection)) = stream.next().await {
            if accepted.send(connection).await.is_err() {
                break;
            }
        }
    });
    OpenPort { port, connections, refusals }
}

/// A caller that does as the test says and believes whoever answers.
#[derive(Clone)]
struct Caller {
    certificate: Option<(String, String)>,
    alpn: Vec<Vec<u8>>,
    provider: Arc<CryptoProvider>,
}

impl Caller {
    fn with(issued: &IssuedCertificate) -> Self {
        Self {
            certificate: Some((issued.certificate_pem.clone(), issued.key_pem.to_string())),
            alpn: vec![tls::ALPN.to_vec()],
            provider: tls::provider(),
        }
    }

    fn nobody() -> Self {
        Self { certificate: None, alpn: vec![tls::ALPN.to_vec()], provider: tls::provider() }
    }

    /// The configuration, without the checks that `Identity` makes, at a time of the caller's own choosing.
    fn config(&self) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Gullible(Arc::clone(&self.provider))));
        let mut config = match &self.certificate {
            Some((certificate, key)) => {
                let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<_, _>>();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
                builder.with_client_auth_cert(chain.expect("a chain"), key).expect("they fit")
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols.clone_from(&self.alpn);
        Arc::new(config)
    }
}

/// Calls a port; `Err` when the handshake fails on the caller's own side.
async fn call(config: &Arc<ClientConfig>, port: u16) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from("anybody.example").expect("a name");
    TlsConnector::from(Arc::clone(config)).connect(name, tcp).await
}

/// What the caller gets to read: the alert, when it was turned away.
async fn hear(stream: &mut TlsStream<TcpStream>) -> std::io::Result<usize> {
    tokio::time::timeout(PATIENCE, stream.read(&mut [0; 64])).await.expect("the server answers")
}

#[derive(Debug)]
struct Gullible(Arc<CryptoProvider>);

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
