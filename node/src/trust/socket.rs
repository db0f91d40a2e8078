//! The byte streams under TLS: TCP as satellite links need it, behind small traits so that a simulated network can stand
//! in its place.

use std::{future::Future, io, net::SocketAddr, pin::Pin, time::Duration};

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};

/// An idle connection is probed this often: 24 packets an hour find a peer that is gone, and keep NAT entries alive.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(300);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 4;
/// Sent bytes that nobody acknowledges for this long mean a dead link (RFC 5482).
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(60);
/// Copes with the loss of radio links where cubic slows to a crawl; used where the kernel offers it.
const CONGESTION_CONTROL: &[u8] = b"bbr";

/// A byte stream of any network.
pub trait ByteStream: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> ByteStream for S {}

/// A byte stream of a [`Network`], with the address of its other end.
pub type Connected = (Pin<Box<dyn ByteStream>>, SocketAddr);

/// The network that a node stands in: where its peers dial it, and how it dials them.
pub trait Network: Send + Sync + 'static {
    /// Connects to a host and port, and says which address answered.
    fn dial(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Connected>>;

    /// Takes an address for the node.
    fn listen(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<Listening>>;
}

/// An address that a node listens at.
pub struct Listening {
    /// The address, with the number that the system gave where none was asked for.
    pub address: SocketAddr,
    /// The connections, each ready for use, and where they came from. It has no end.
    pub connections: BoxStream<'static, io::Result<Connected>>,
}

/// Where connections come in.
pub trait Listener: Send + 'static {
    /// The byte stream of one connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, ready for use, and where it came from.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, SocketAddr)>> + Send;
}

impl Listener for Listening {
    type Io = Pin<Box<dyn ByteStream>>;

    async fn accept(&mut self) -> io::Result<Connected> {
        self.connections.next().await.unwrap_or_else(|| Err(io::ErrorKind::NotConnected.into()))
    }
}

/// The machine's own network: TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpNetwork;

impl Network for TcpNetwork {
    fn dial(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Connected>> {
        async move {
            let (stream, address) = dial(&host, port).await?;
            Ok((Box::pin(stream) as Pin<Box<dyn ByteStream>>, address))
        }
        .boxed()
    }

    fn listen(&self, address: SocketAddr) -> BoxFuture<'static, io::Result<Listening>> {
        async move {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            let connections = stream::unfold(listener, async |mut listener| {
                let accepted = Listener::accept(&mut listener).await;
                let connected =
                    accepted.map(|(stream, address)| (Box::pin(stream) as Pin<Box<dyn ByteStream>>, address));
                Some((connected, listener))
            });
            Ok(Listening { address, connections: connections.boxed() })
        }
        .boxed()
    }
}

impl Listener for TcpListener {
    type Io = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, address) = TcpListener::accept(self).await?;
        tune(&stream)?;
        Ok((stream, address))
    }
}

async fn dial(host: &str, port: u16) -> io::Result<(TcpStream, SocketAddr)> {
    let stream = TcpStream::connect((host, port)).await?;
    tune(&stream)?;
    let address = stream.peer_addr()?;
    Ok((stream, address))
}

/// tonic leaves the sockets of a foreign acceptor or connector as they are, so they are set up here.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL).with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
    if socket.set_tcp_congestion(CONGESTION_CONTROL).is_err() {
        tracing::trace!("the kernel does not offer bbr; its own congestion control stays");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sockets_of_both_sides_are_tuned() {
        let mut listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let (dialled, accepted) = tokio::join!(dial("127.0.0.1", port), Listener::accept(&mut listener));
        let offered = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_allowed_congestion_control");
        for stream in [dialled.expect("connected").0, accepted.expect("connected").0] {
            let socket = SockRef::from(&stream);
            assert!(stream.nodelay().expect("asked") && socket.keepalive().expect("asked"));
            assert_eq!(socket.tcp_user_timeout().expect("asked"), Some(UNACKNOWLEDGED_MAX));
            if offered.as_ref().is_ok_and(|offered| offered.split_whitespace().any(|name| name == "bbr")) {
                assert!(socket.tcp_congestion().expect("asked").starts_with(CONGESTION_CONTROL));
            }
        }
    }
}
