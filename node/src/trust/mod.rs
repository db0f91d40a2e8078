//! Who is who: the node's keys and certificates, the peers' bundles, TLS in both directions, and the
//! power to close what is no longer trusted. Touches the `trust` and `peers` folders and the sockets
//! it is given; takes time and randomness as arguments and starts tasks only through the tracker it is given.
//!
//! An identity comes from a TLS handshake alone: the certificate's chain must verify to the roots of *the very
//! Society* whose SPIFFE ID it carries. Addresses and DNS names prove nothing.

use std::sync::Arc;

use passerelle_domain::time::Time;

mod acceptor;
mod authority;
mod bundle_file;
mod conn;
mod connector;
pub(crate) mod disk;
mod files;
mod keys;
mod live;
mod operator_tls;
mod refused;
mod socket;
#[cfg(test)]
pub(crate) mod tests;
mod tls;
mod verifier;
mod web;

pub use acceptor::{HandshakeLimits, HandshakeRefused, OnRefused, incoming};
pub use authority::{Authority, IssuedCertificate};
pub use bundle_file::{LoadedPeers, PeerBundles, bundle_from_json, bundle_to_json};
pub use conn::{Conn, PeerInfo};
pub use connector::{Connector, DialError, Dialled};
pub use files::{InitReport, NodeTrust, TrustFolder};
pub use keys::{Ed25519Verifier, SealingKey, Seed, SigningKey, new_seed, seal};
pub use live::{LiveTrust, TrustMaterial};
pub use operator_tls::{OperatorInfo, operator_incoming};
pub use socket::{ByteStream, Connected, Listener, Listening, Network, TcpNetwork};
pub use tls::Identity;
pub use web::{web_client, web_roots};

/// A source of random bytes: fills the slice that it is given.
pub type Fill = dyn Fn(&mut [u8]) + Send + Sync;

/// A source of the wall time.
pub type Now = Arc<dyn Fn() -> Time + Send + Sync>;
