//! Trust as it stands now: swapped as a whole by a reload, with every open connection checked against
//! the new state. Holds no files and starts no tasks.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use passerelle_domain::{
    bundle::Bundle,
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};
use rustls::{ClientConfig, CommonState, ServerConfig};
use rustls_pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;

use super::{
    Identity, Now, PeerInfo, refused,
    tls::{self, Facts},
    verifier::{ChainVerifier, Expected, KnownRoots, Side, Who},
};

/// Everything that trust rests on, as read from the files.
#[derive(Clone, Debug)]
pub struct TrustMaterial {
    /// The node's certificate and key.
    pub identity: Identity,
    /// The own bundle; its roots vouch for the own operators.
    pub own: Bundle,
    /// The bundles of the peers that may connect; a suspended or removed peer is left out.
    pub peers: Vec<Bundle>,
}

/// One state of trust, with the TLS configurations made of it.
pub(crate) struct Trusted {
    generation: u64,
    known: Arc<KnownRoots>,
    peer_server: Arc<ServerConfig>,
    operator_server: Arc<ServerConfig>,
    clients: BTreeMap<Society, Arc<ClientConfig>>,
}

impl Trusted {
    fn new(generation: u64, material: &TrustMaterial, now: &Now) -> Result<Self, Refusal> {
        let identity = &material.identity;
        if identity.society() != material.own.society {
            return Err(Refusal::new(Code::WrongSociety, "certificate and bundle are of different Societies"));
        }
        let roots = |bundle: &Bundle| bundle.roots.iter().map(|root| root.as_slice().to_vec()).collect::<Vec<_>>();
        let own_roots = roots(&material.own);
        let peer_roots: Vec<_> = material.peers.iter().map(|peer| (peer.society, roots(peer))).collect();
        let known = Arc::new(KnownRoots::new(
            material.own.society,
            own_roots.iter().map(Vec::as_slice),
            peer_roots.iter().map(|(society, roots)| (*society, roots.iter().map(Vec::as_slice).collect())),
            tls::provider(),
        )?);
        let verifier = |expected| ChainVerifier::new(Arc::clone(&known), expected);
        let clients = known
            .peers()
            .map(|peer| Ok((peer, Arc::new(tls::client_config(identity, verifier(Expected::Peer(peer)), now)?))))
            .collect::<Result<_, Refusal>>()?;
        Ok(Self {
            generation,
            peer_server: Arc::new(tls::server_config(identity, verifier(Expected::AnyPeer), now)?),
            operator_server: Arc::new(tls::server_config(identity, verifier(Expected::Operator), now)?),
            clients,
            known,
        })
    }

    /// The configuration of a port: of the operators', or else of the peers'.
    pub(crate) fn server(&self, expected: Expected) -> Arc<ServerConfig> {
        Arc::clone(if expected == Expected::Operator { &self.operator_server } else { &self.peer_server })
    }

    /// The configuration for dialling a peer.
    pub(crate) fn client(&self, society: Society) -> Option<Arc<ClientConfig>> {
        self.clients.get(&society).cloned()
    }
}

/// The present state of trust and the connections that rest on it.
pub struct LiveTrust {
    state: ArcSwap<Trusted>,
    generations: AtomicU64,
    connections: Mutex<BTreeMap<u64, Entry>>,
    numbers: AtomicU64,
    now: Now,
}

/// An open connection, with what is needed to judge it again.
struct Entry {
    who: Who,
    peer: Option<PeerInfo>,
    chain: Vec<CertificateDer<'static>>,
    side: Side,
    expected: Expected,
    verified_at: Time,
    kill: CancellationToken,
}

/// A connection's place in the registry, given up when it is dropped.
pub(crate) struct Registration {
    live: Arc<LiveTrust>,
    number: u64,
    kill: CancellationToken,
}

impl Registration {
    pub(crate) fn kill_switch(&self) -> CancellationToken {
        self.kill.clone()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.live.connections.lock().remove(&self.number);
    }
}

/// A connection that passed, not yet wrapped.
pub(crate) struct Admitted {
    pub(crate) who: Who,
    /// Of a peer's connection.
    pub(crate) peer: Option<PeerInfo>,
    pub(crate) serial: String,
    pub(crate) not_after: Time,
    pub(crate) registration: Registration,
}

/// One finished handshake, to be admitted or not.
pub(crate) struct Handshake<'a> {
    pub(crate) tls: &'a CommonState,
    pub(crate) address: SocketAddr,
    pub(crate) side: Side,
    pub(crate) expected: Expected,
}

impl LiveTrust {
    /// The first state of trust. `now` is the node's clock.
    ///
    /// # Errors
    /// `bad_bundle`, `same_society` or `wrong_society` when the material does not hang together.
    pub fn new(material: &TrustMaterial, now: Now) -> Result<Arc<Self>, Refusal> {
        Ok(Arc::new(Self {
            state: ArcSwap::from_pointee(Trusted::new(0, material, &now)?),
            generations: AtomicU64::new(1),
            connections: Mutex::default(),
            numbers: AtomicU64::default(),
            now,
        }))
    }

    /// Takes a new state of trust: the next handshake, in both directions, uses it. Open connections go on when the
    /// certificate that they were opened with is still vouched for, and are closed otherwise; a certificate that has
    /// expired since does not close them. Returns how many were closed.
    ///
    /// # Errors
    /// As [`LiveTrust::new`]; the state then stays as it was.
    pub fn reload(&self, material: &TrustMaterial) -> Result<usize, Refusal> {
        let generation = self.generations.fetch_add(1, Ordering::Relaxed);
        let trusted = Arc::new(Trusted::new(generation, material, &self.now)?);
        // First the state, then the walk: whoever registers after the walk looks at the state once more.
        self.state.store(Arc::clone(&trusted));
        Ok(self.kill_where(|entry| {
            let who = trusted.known.identify(&entry.chain, entry.side, entry.expected, tls::unix(entry.verified_at));
            who.as_ref() != Ok(&entry.who)
        }))
    }

    /// Closes every connection of a peer, in both directions, and returns how many there were. A peer that is still
    /// trusted may connect again.
    pub fn kill(&self, society: Society) -> usize {
        self.kill_where(|entry| entry.who == Who::Peer(society))
    }

    /// Closes every connection, of peers and operators: the last step of a shutdown, since a graceful one waits for
    /// open streams for ever. Returns how many there were.
    pub fn kill_all(&self) -> usize {
        self.kill_where(|_| true)
    }

    /// The open connections with peers, in both directions.
    #[must_use]
    pub fn peer_connections(&self) -> Vec<PeerInfo> {
        self.connections.lock().values().filter_map(|entry| entry.peer.clone()).collect()
    }

    fn kill_where(&self, doomed: impl Fn(&Entry) -> bool) -> usize {
        let mut connections = self.connections.lock();
        let before = connections.len();
        connections.retain(|_, entry| {
            let doomed = doomed(entry);
            if doomed {
                entry.kill.cancel();
            }
            !doomed
        });
        before - connections.len()
    }

    pub(crate) fn trusted(&self) -> Arc<Trusted> {
        self.state.load_full()
    }

    /// Verifies a finished handshake, resumed ones too, and enters the connection in the registry. `used` is the state
    /// that the handshake ran under.
    pub(crate) fn admit(self: &Arc<Self>, used: &Trusted, handshake: &Handshake<'_>) -> Result<Admitted, Refusal> {
        let Handshake { tls, address, side, expected } = *handshake;
        if tls.alpn_protocol() != Some(tls::ALPN) {
            return Err(Refusal::new(Code::BadHandshake, "HTTP/2 was not agreed on"));
        }
        let chain: Vec<_> = tls.peer_certificates().unwrap_or_default().to_vec();
        let verified_at = (self.now)();
        let identify = |trusted: &Trusted| {
            let who = trusted.known.identify(&chain, side, expected, tls::unix(verified_at));
            who.map_err(|error| refused::of_tls(&error))
        };
        let who = identify(used)?;
        let leaf = chain.first().ok_or_else(|| Refusal::new(Code::Unauthenticated, "no certificate was presented"))?;
        let facts = Facts::of(leaf)?;
        let peer = match &who {
            Who::Peer(society) => Some(PeerInfo {
                society: *society,
                address,
                dialled: side == Side::Server,
                serial: facts.serial.clone(),
                not_after: facts.not_after,
                group: tls
                    .negotiated_key_exchange_group()
                    .map(|group| format!("{:?}", group.name()))
                    .unwrap_or_default(),
            }),
            Who::Operator(_) => None,
        };
        let kill = CancellationToken::new();
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let entry = Entry {
            who: who.clone(),
            peer: peer.clone(),
            chain: chain.clone(),
            side,
            expected,
            verified_at,
            kill: kill.clone(),
        };
        self.connections.lock().insert(number, entry);
        let registration = Registration { live: Arc::clone(self), number, kill };
        let current = self.trusted();
        if current.generation != used.generation && identify(&current)? != who {
            return Err(Refusal::new(Code::BadCertificate, "trust changed during the handshake"));
        }
        Ok(Admitted { who, peer, serial: facts.serial, not_after: facts.not_after, registration })
    }
}

impl fmt::Debug for LiveTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LiveTrust({} connections)", self.connections.lock().len())
    }
}
