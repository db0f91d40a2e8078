//! One authenticated connection: a TLS stream that knows who is at the other end and that can be killed.

use std::{
    fmt,
    future::Future as _,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use parking_lot::Mutex;
use passerelle_domain::{refusal::Refusal, society::Society, time::Time};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::TlsStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use super::{live::Registration, refused};

/// Where a connection leaves the reason when the other end refuses it. HTTP/2 keeps no more of an error than its text.
pub(crate) type Reason = Arc<Mutex<Option<Refusal>>>;

/// The peer at the other end, as the handshake proved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// Whose node it is.
    pub society: Society,
    /// From where it dialled, or where it was dialled. Proves nothing.
    pub address: SocketAddr,
    /// Whether this node dialled it.
    pub dialled: bool,
    /// The serial number of its certificate, hexadecimal.
    pub serial: String,
    /// When its certificate ends.
    pub not_after: Time,
    /// The key exchange, such as `X25519MLKEM768`.
    pub group: String,
}

/// An authenticated connection over the byte stream `S`; `I` says who is at the other end. Reading and writing fail
/// with `ConnectionAborted` from the moment that trust in the other end is withdrawn.
pub struct Conn<S = TcpStream, I = PeerInfo> {
    stream: TlsStream<S>,
    info: I,
    kill: CancellationToken,
    killed: Pin<Box<WaitForCancellationFutureOwned>>,
    reason: Reason,
    // Held so that the connection leaves the registry when it ends.
    _registration: Registration,
}

impl<S, I> Conn<S, I> {
    pub(crate) fn new(stream: TlsStream<S>, info: I, registration: Registration, reason: Reason) -> Self {
        let kill = registration.kill_switch();
        let killed = Box::pin(kill.clone().cancelled_owned());
        Self { stream, info, kill, killed, reason, _registration: registration }
    }

    /// Who is at the other end.
    #[must_use]
    pub fn info(&self) -> &I {
        &self.info
    }

    fn check(&self) -> io::Result<()> {
        if self.kill.is_cancelled() { Err(withdrawn()) } else { Ok(()) }
    }
}

fn withdrawn() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "trust in the other end was withdrawn")
}

impl<S, I: fmt::Debug> fmt::Debug for Conn<S, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Conn({:?})", self.info)
    }
}

impl<S, I: Clone + Send + Sync + 'static> Connected for Conn<S, I> {
    type ConnectInfo = I;

    fn connect_info(&self) -> I {
        self.info.clone()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, I: Unpin> AsyncRead for Conn<S, I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // HTTP/2 always waits for the next frame, so it is the reader that the kill switch wakes.
        if self.killed.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(withdrawn()));
        }
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Poll::Ready(Err(error)) = &read
            && let Some(refusal) = refused::of_io(error)
        {
            *self.reason.lock() = Some(refusal);
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, I: Unpin> AsyncWrite for Conn<S, I> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
