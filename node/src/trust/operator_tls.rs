//! The operators' TCP port: mutual TLS with certificates of the own Society's root. Peers have no way in here,
//! and operators none on the peer port.

use std::{io, net::SocketAddr, sync::Arc};

use passerelle_domain::time::Time;
use tokio_stream::Stream;
use tokio_util::task::TaskTracker;

use super::{
    Conn, HandshakeLimits, Listener, LiveTrust, OnRefused,
    acceptor::{Port, accept},
    live::Admitted,
    verifier::{Expected, Who},
};

/// The operator at the other end, as the handshake proved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorInfo {
    /// The operator's name, to be mapped to roles by the configuration.
    pub name: String,
    /// From where the operator connected. Proves nothing.
    pub address: SocketAddr,
    /// The serial number of the certificate, hexadecimal.
    pub serial: String,
    /// When the certificate ends.
    pub not_after: Time,
}

/// The authenticated connections of operators to `listener`; otherwise as [`super::incoming`].
pub fn operator_incoming<L: Listener>(
    listener: L,
    live: Arc<LiveTrust>,
    tracker: &TaskTracker,
    limits: HandshakeLimits,
    on_refused: OnRefused,
) -> impl Stream<Item = io::Result<Conn<L::Io, OperatorInfo>>> + Send + Unpin + 'static {
    let describe = describe as fn(&Admitted, SocketAddr) -> Option<OperatorInfo>;
    accept(listener, tracker, Port { live, expected: Expected::Operator, limits, on_refused, describe })
}

fn describe(admitted: &Admitted, address: SocketAddr) -> Option<OperatorInfo> {
    match &admitted.who {
        Who::Operator(name) => Some(OperatorInfo {
            name: name.clone(),
            address,
            serial: admitted.serial.clone(),
            not_after: admitted.not_after,
        }),
        Who::Peer(_) => None,
    }
}
