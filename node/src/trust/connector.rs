//! The dialling side of the link: a connector for tonic's `Endpoint` that reaches the node of one Society and no other.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use passerelle_domain::{
    limits::HANDSHAKE_SECONDS_MAX,
    refusal::{Code, Refusal},
    society::Society,
};
use rustls_pki_types::ServerName;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, TlsStream};
use tonic::transport::Uri;

use super::{
    ByteStream, Conn, LiveTrust, Network, PeerInfo,
    conn::Reason,
    live::Handshake,
    refused,
    verifier::{Expected, Side},
};

/// Why dialling failed.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Nobody answered, or the line failed; trying again can help.
    #[error("the peer cannot be reached: {0}")]
    Unreachable(#[source] io::Error),
    /// One of the two sides does not accept the other.
    #[error("the connection is refused: {0}")]
    Refused(#[source] Refusal),
}

/// Connects to the node of one Society, for `Endpoint::connect_with_connector`. The endpoint's URI must begin with
/// `http://`: the TLS is this connector's, and tonic refuses `https://` when a TLS of its own is compiled in.
///
/// An `Ok` says that the peer has proved itself to this node. Whether the peer accepts this node's certificate shows only
/// when the first call fails; [`Connector::refusal`] then has the reason. Clones share it.
#[derive(Clone)]
pub struct Connector {
    live: Arc<LiveTrust>,
    society: Society,
    network: Arc<dyn Network>,
    limit: Duration,
    /// How long the peer may take to answer at all.
    answer: Duration,
    reason: Reason,
}

/// A connection that was dialled.
pub type Dialled = Conn<Pin<Box<dyn ByteStream>>, PeerInfo>;

impl Connector {
    /// A connector to the node of `society`, over a network.
    #[must_use]
    pub fn new(live: Arc<LiveTrust>, society: Society, network: Arc<dyn Network>) -> Self {
        let limit = Duration::from_secs(HANDSHAKE_SECONDS_MAX);
        Self { live, society, network, limit, answer: limit, reason: Reason::default() }
    }

    /// The same, giving up on a peer that does not answer at all within `answer`.
    #[must_use]
    pub fn answered_within(self, answer: Duration) -> Self {
        Self { answer, ..self }
    }

    /// Dials `host` and `port` and proves both sides to each other, each within the limit of a handshake.
    ///
    /// # Errors
    /// [`DialError`]; `unknown_peer` when the Society is not trusted (any more), `bad_certificate`, `wrong_society` or
    /// `same_society` when somebody else answers.
    pub async fn dial(&self, host: String, port: u16) -> Result<Dialled, DialError> {
        *self.reason.lock() = None;
        let dialled = self.dial_and_verify(host, port).await;
        if let Err(DialError::Refused(refusal)) = &dialled {
            *self.reason.lock() = Some(refusal.clone());
        }
        dialled
    }

    /// Why one of the two sides refused the other in the last attempt, or on the connection that came of it;
    /// `None` when nobody did.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        self.reason.lock().clone()
    }

    async fn dial_and_verify(&self, host: String, port: u16) -> Result<Dialled, DialError> {
        let trusted = self.live.trusted();
        let society = self.society;
        let unknown = || Refusal::new(Code::UnknownPeer, format!("{society} is not a peer of this node"));
        let config = trusted.client(society).ok_or_else(unknown).map_err(DialError::Refused)?;
        // Only rustls' own session cache goes by this name; it is neither sent nor verified.
        let name = ServerName::try_from(society.trust_domain())
            .map_err(|_| DialError::Refused(Refusal::new(Code::MalformedSociety, "it makes no trust domain")))?;
        let late = |_| DialError::Unreachable(io::ErrorKind::TimedOut.into());
        let dialled = timeout(self.answer, self.network.dial(host, port)).await.map_err(late)?;
        let (io, address) = dialled.map_err(DialError::Unreachable)?;
        let secured = timeout(self.limit, TlsConnector::from(config).connect(name, io)).await.map_err(late)?;
        let stream = secured.map_err(|error| match refused::of_io(&error) {
            Some(refusal) => DialError::Refused(refusal),
            None => DialError::Unreachable(error),
        })?;
        let tls = stream.get_ref().1;
        let handshake = Handshake { tls, address, side: Side::Server, expected: Expected::Peer(society) };
        let admitted = self.live.admit(&trusted, &handshake).map_err(DialError::Refused)?;
        let info = admitted.peer.ok_or_else(unknown).map_err(DialError::Refused)?;
        Ok(Conn::new(TlsStream::Client(stream), info, admitted.registration, Arc::clone(&self.reason)))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connector({})", self.society)
    }
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Dialled>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let address = (uri.host(), uri.port_u16());
            let (Some(host), Some(port)) = address else {
                let refusal = Refusal::new(Code::Malformed, "the address needs a host and a port");
                return Err(DialError::Refused(refusal));
            };
            // A URI writes IPv6 addresses in brackets; the resolver wants them without.
            let host = host.trim_matches(['[', ']']).to_owned();
            connector.dial(host, port).await.map(TokioIo::new)
        })
    }
}
