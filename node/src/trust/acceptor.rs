//! The accepting side of a port: TLS, identity and registry for each connection, before tonic sees a byte of it.

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use passerelle_domain::{
    limits::{HANDSHAKE_SECONDS_MAX, HANDSHAKES_MAX},
    refusal::{Code, Refusal},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsStream};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tokio_util::task::TaskTracker;

use super::{
    Conn, Listener, LiveTrust, PeerInfo,
    conn::Reason,
    live::{Admitted, Handshake},
    refused,
    verifier::{Expected, Side},
};

/// How long to wait when the machine cannot accept, for want of file descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a caller that was turned away gets to read why: a few round trips of a satellite link.
const LAST_WORD: Duration = Duration::from_secs(3);

/// What callers may use before they have proved who they are.
#[derive(Clone, Copy, Debug)]
pub struct HandshakeLimits {
    /// From the connection to the last message of the handshake.
    pub timeout: Duration,
    /// Handshakes under way at once; further callers wait in the kernel's queue.
    pub at_once: usize,
}

impl Default for HandshakeLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(HANDSHAKE_SECONDS_MAX), at_once: HANDSHAKES_MAX }
    }
}

/// A caller that was turned away, for the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeRefused {
    /// From where it called.
    pub address: SocketAddr,
    /// Why.
    pub code: Code,
    /// Why, for a person.
    pub detail: String,
}

/// Hears of every caller that was turned away. It must not block.
pub type OnRefused = Arc<dyn Fn(HandshakeRefused) + Send + Sync>;

/// One port: whom it lets in, and how it describes them.
pub(crate) struct Port<I> {
    pub(crate) live: Arc<LiveTrust>,
    pub(crate) expected: Expected,
    pub(crate) limits: HandshakeLimits,
    pub(crate) on_refused: OnRefused,
    pub(crate) describe: fn(&Admitted, SocketAddr) -> Option<I>,
}

impl<I> fmt::Debug for Port<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Port({:?})", self.expected)
    }
}

/// The authenticated connections of peers' nodes to `listener`, for tonic's `serve_with_incoming`. Callers that are
/// nobody's peer, or do not finish a handshake in time, are turned away and reported to `on_refused`. Accepting ends when
/// the stream is dropped; its tasks run on `tracker`.
pub fn incoming<L: Listener>(
    listener: L,
    live: Arc<LiveTrust>,
    tracker: &TaskTracker,
    limits: HandshakeLimits,
    on_refused: OnRefused,
) -> impl Stream<Item = io::Result<Conn<L::Io, PeerInfo>>> + Send + Unpin + 'static {
    let describe = |admitted: &Admitted, _| admitted.peer.clone();
    accept(listener, tracker, Port { live, expected: Expected::AnyPeer, limits, on_refused, describe })
}

/// The stream of connections that a port lets in.
pub(crate) fn accept<L: Listener, I: Send + 'static>(
    listener: L,
    tracker: &TaskTracker,
    port: Port<I>,
) -> ReceiverStream<io::Result<Conn<L::Io, I>>> {
    let (accepted, connections) = mpsc::channel(port.limits.at_once.max(1));
    tracker.spawn(accept_all(listener, tracker.clone(), Arc::new(port), accepted));
    ReceiverStream::new(connections)
}

type Accepted<L, I> = mpsc::Sender<io::Result<Conn<<L as Listener>::Io, I>>>;

async fn accept_all<L: Listener, I: Send + 'static>(
    mut listener: L,
    tracker: TaskTracker,
    port: Arc<Port<I>>,
    accepted: Accepted<L, I>,
) {
    let slots = Arc::new(Semaphore::new(port.limits.at_once));
    loop {
        let (slot, arrived) = tokio::select! {
            biased;
            () = accepted.closed() => return,
            next = next_caller(&mut listener, Arc::clone(&slots)) => match next {
                Some(next) => next,
                None => return,
            },
        };
        match arrived {
            Ok((io, address)) => {
                let (port, accepted) = (Arc::clone(&port), accepted.clone());
                tracker.spawn(async move {
                    if let Some(connection) = port.let_in(io, address).await {
                        // Nobody wants it any more once the stream is dropped.
                        let _: Result<(), _> = accepted.send(Ok(connection)).await;
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Waits for a free slot first, so that no more are taken from the kernel's queue than can be served.
async fn next_caller<L: Listener>(
    listener: &mut L,
    slots: Arc<Semaphore>,
) -> Option<(OwnedSemaphorePermit, io::Result<(L::Io, SocketAddr)>)> {
    let slot = slots.acquire_owned().await.ok()?;
    Some((slot, listener.accept().await))
}

/// Why a caller was not let in.
struct TurnedAway<S> {
    /// `None` when the line failed, or a port scanner hung up: nobody was refused.
    refusal: Option<Refusal>,
    /// The line, when the caller may still read an alert from it.
    line: Option<S>,
}

impl<S> From<Refusal> for TurnedAway<S> {
    fn from(refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), line: None }
    }
}

impl<I> Port<I> {
    async fn let_in<S: AsyncRead + AsyncWrite + Unpin>(&self, io: S, address: SocketAddr) -> Option<Conn<S, I>> {
        match timeout(self.limits.timeout, self.handshake(io, address)).await {
            Ok(Ok(connection)) => return Some(connection),
            Ok(Err(turned_away)) => {
                match turned_away.refusal {
                    Some(refusal) => self.report(address, refusal),
                    None => tracing::debug!(%address, "a caller left during the handshake"),
                }
                if let Some(line) = turned_away.line {
                    // Whether the alert arrived or the caller was too slow for it, this call is over.
                    let _: Result<(), _> = timeout(LAST_WORD, hang_up(line)).await;
                }
            }
            Err(_) => {
                let limit = format!("the handshake took longer than {:?}", self.limits.timeout);
                self.report(address, Refusal::new(Code::BadHandshake, limit));
            }
        }
        None
    }

    async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        io: S,
        address: SocketAddr,
    ) -> Result<Conn<S, I>, TurnedAway<S>> {
        let trusted = self.live.trusted();
        let acceptor = TlsAcceptor::from(trusted.server(self.expected));
        let stream = acceptor.accept(io).into_fallible().await.map_err(|(error, line)| {
            let refusal = refused::of_io(&error);
            TurnedAway { line: refusal.is_some().then_some(line), refusal }
        })?;
        let tls = stream.get_ref().1;
        let handshake = Handshake { tls, address, side: Side::Client, expected: self.expected };
        let admitted = self.live.admit(&trusted, &handshake)?;
        let info = (self.describe)(&admitted, address)
            .ok_or_else(|| Refusal::new(Code::BadCertificate, "the certificate is not for this port"))?;
        Ok(Conn::new(TlsStream::Server(stream), info, admitted.registration, Reason::default()))
    }

    fn report(&self, address: SocketAddr, refusal: Refusal) {
        (self.on_refused)(HandshakeRefused { address, code: refusal.code, detail: refusal.message });
    }
}

/// Ends a line so that the caller can read the alert on it. A socket that is closed with unread bytes in it is reset,
/// and a reset overtakes the alert; so what the caller still sends is read away until it hangs up as well.
async fn hang_up(mut line: impl AsyncRead + AsyncWrite + Unpin) {
    let mut unread = [0; 512];
    if line.shutdown().await.is_ok() {
        while line.read(&mut unread).await.is_ok_and(|count| count > 0) {}
    }
}
