//! The byte streams under TLS: TCP as satellite links need it, behind two small traits so that a simulated
//! network can stand in its place.

use std::{future::Future, io, net::SocketAddr, time::Duration};

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

/// Where connections come in.
pub trait Listener: Send + 'static {
    /// The byte stream of one connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, ready for use, and where it came from.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, SocketAddr)>> + Send;
}

/// How connections go out.
pub trait Dialler: Clone + Send + Sync + 'static {
    /// The byte stream of one connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Connects to a host and port, and says which address answered.
    fn dial(&self, host: String, port: u16) -> impl Future<Output = io::Result<(Self::Io, SocketAddr)>> + Send;
}

impl Listener for TcpListener {
    type Io = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, address) = TcpListener::accept(self).await?;
        tune(&stream)?;
        Ok((stream, address))
    }
}

/// Dials over TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpDialler;

impl Dialler for TcpDialler {
    type Io = TcpStream;

    async fn dial(&self, host: String, port: u16) -> io::Result<(TcpStream, SocketAddr)> {
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        tune(&stream)?;
        let address = stream.peer_addr()?;
        Ok((stream, address))
    }
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
        let (dialled, accepted) =
            tokio::join!(TcpDialler.dial("127.0.0.1".into(), port), Listener::accept(&mut listener));
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
