//! The node, assembled: from a configuration to running tasks. Everything is made here once and
//! handed to the rooms; no room makes another.

mod stores;
mod surroundings;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use passerelle_domain::{
    decide::{Command, PeerPolicy, Policy, Pseudonyms},
    entry::Actor,
    ids::Epoch,
    limits::HANDSHAKES_MAX,
    refusal::Code,
    signing::Signer,
    society::Society,
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::task::TaskTracker;

use crate::{
    adapters::{Book, Feeds, Keeping, Links, Origins},
    config::{Config, Duty},
    duty::Desk,
    engine::{self, Engine},
    entropy::Entropy,
    feed,
    link::{Link, Listener, Registry, Statuses},
    metrics::{self, Credential, Metrics},
    operator::{self, Operators},
    packages::Packages,
    peers::{self, Peers},
    requests,
    store::disk::DiskPressure,
    supervise::{self, Phase, Supervisor, Task},
    trust::{
        HandshakeLimits, HandshakeRefused, Listening, LiveTrust, NodeTrust, PeerBundles, TrustFolder, incoming,
        operator_incoming,
    },
    upkeep::{self, Upkeep},
    vault::Vault,
    withdrawals::{self, Eraser},
};

pub use stores::{open_store, store_folder, store_options};
pub use surroundings::{Disk, Storage, Surroundings};

/// How often certificates, the disk and the folder of bundles are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// HTTP/2 windows of the peer port: wider than the link's own pace, so that they never decide.
const WINDOW_BYTES: u32 = 8 * 1024 * 1024;

/// A node that is up.
pub struct Node {
    /// Whose it is.
    pub society: Society,
    /// What it runs by.
    pub config: Arc<Config>,
    /// The engine.
    pub engine: engine::Handle,
    /// The link to the peers.
    pub link: Link,
    /// The peers.
    pub peers: Arc<Peers>,
    /// Case packages.
    pub packages: Arc<Packages>,
    /// Makes the pseudonyms of cases.
    pub pseudonyms: Pseudonyms,
    /// The public feed, and the sources that are polled.
    pub feeds: Arc<feed::Office>,
    /// The posts on duty, replaced by a reload.
    pub duty: watch::Sender<Arc<Vec<Duty>>>,
    /// Retention.
    pub upkeep: Arc<Upkeep>,
    /// What the configuration allows, replaced by a reload.
    pub policy: watch::Sender<Arc<Policy>>,
    trust_folder: TrustFolder,
    trust: NodeTrust,
    storage: Storage,
}

/// What a configuration allows of each peer.
#[must_use]
pub fn policy_of(config: &Config, storage: &Storage) -> Policy {
    let peers = config.peers.iter().map(|(society, peer)| {
        let policy = PeerPolicy {
            alerts: peer.alerts,
            handovers: peer.handovers,
            hold_at_origin: peer.hold_at_origin,
            suspended: peer.suspended,
        };
        (*society, policy)
    });
    Policy {
        peers: peers.collect(),
        transfers: config.transfers.clone(),
        retention: config.retention.periods,
        disk_reserved: disk_is_reserved(storage.used_percent(&config.data_dir)),
    }
}

/// Whether what is left of the disk is the reserve of what cannot wait. One that cannot tell is taken to have room: the
/// store says so when it has none.
fn disk_is_reserved(used_percent: Option<u8>) -> bool {
    used_percent.is_some_and(|used| DiskPressure::at(used) == DiskPressure::Reserve)
}

/// Starts every task of a node but the operators' interface, in the order in which each needs the others.
///
/// # Errors
/// What is missing, damaged or in use.
pub async fn start(
    supervisor: &mut Supervisor,
    config: Config,
    around: &Surroundings,
    metrics: Metrics,
) -> anyhow::Result<Node> {
    let config = Arc::new(config);
    let fill = fill_from(&around.entropy);
    let (trust_folder, trust) = TrustFolder::open_at(&config.trust.dir).context("the trust folder cannot be opened")?;
    anyhow::ensure!(
        trust.identity.society() == config.society,
        "the configuration is for {} and the certificate for {}",
        config.society,
        trust.identity.society()
    );
    let pseudonyms = Pseudonyms::new(trust_folder.pseudonym_secret(&*fill)?);
    let store = stores::prepare(&config, &around.storage)?;
    let signer: Arc<dyn Signer + Send + Sync> = trust.signing.clone();
    let (policy, policy_seen) = watch::channel(Arc::new(policy_of(&config, &around.storage)));
    let (engine, handle) = Engine::new(engine::Parts {
        own: config.society,
        store: store.clone(),
        clock: around.clock.clone(),
        signer: signer.clone(),
        policy: policy_seen,
        epoch: Epoch::new(around.clock.now(), around.entropy.id()),
        pseudonyms: pseudonyms.clone(),
        metrics: metrics.clone(),
    });
    surroundings::start_engine(supervisor, engine, handle.clone(), &around.storage)?;
    let epoch = epoch_of(&handle).await?;

    let bundles = PeerBundles::open(&config.data_dir)?;
    let own = trust.bundle.bundle().clone();
    let now = {
        let clock = around.clock.clone();
        Arc::new(move || clock.now())
    };
    let known = peers::read_bundles(&bundles)?;
    let live = LiveTrust::new(&peers::material(&trust.identity, &own, &known), now)?;
    let vault = Vault::open(&config.data_dir.join("vault"), fill.clone())?;
    let packages = Arc::new(Packages::new(config.society, vault, trust.sealing.clone(), handle.clone()));
    let purged = withdrawals::purge(&handle, &packages)?;
    if purged > 0 {
        tracing::warn!(
            purged,
            "keys and files of erased cases had come back, from a backup it seems; they are gone again"
        );
    }
    let eraser = Eraser { engine: handle.clone(), packages: packages.clone() };
    let erasing = supervisor.spawner(Phase::Link);
    erasing.spawn("eraser", eraser.run(erasing.token().clone()));
    let cleaned = {
        let (engine, packages, own, now) = (handle.clone(), packages.clone(), config.society, around.clock.now());
        supervise::offload(move || upkeep::clean_vault(own, &engine, &packages, now)).await??
    };
    let link = Link {
        policy: policy.subscribe(),
        pseudonyms: pseudonyms.clone(),
        own: config.society,
        epoch,
        engine: handle.clone(),
        network: around.network.clone(),
        trust: live,
        packages: packages.clone(),
        bundle_version: own.version,
        signer,
        clock: around.clock.clone(),
        entropy: around.entropy.clone(),
        metrics: metrics.clone(),
        registry: Arc::new(Registry::default()),
        statuses: Arc::new(Statuses::default()),
        spawner: supervisor.spawner(Phase::Link),
    };
    if let Some(address) = config.link.listen {
        let listener = around.network.listen(address).await.with_context(|| unheard(address, "link", "listen"))?;
        tracing::info!(address = %listener.address, "peers may dial in");
        start_listener(supervisor, listener, link.clone());
    }
    let peers = Arc::new(Peers::new(bundles, trust.identity.clone(), own, link.clone(), config.clone()));
    peers.refresh().await?;
    if let Some(address) = config.metrics.listen {
        let listener = TcpListener::bind(address).await.with_context(|| unheard(address, "metrics", "listen"))?;
        supervisor.spawn(
            Task::MetricsListener,
            metrics::serve(listener, metrics.clone(), supervisor.spawner(Phase::Listeners)),
        );
    }
    let (duty, posts) = watch::channel(Arc::new(config.duty.clone()));
    let desk = Desk::new(config.society, handle.clone(), around.clock.clone(), posts, metrics);
    let duties = supervisor.spawner(Phase::Link);
    duties.spawn("duty desk", desk.keep(duties.token()));
    let feeds = feed::Parts {
        own: config.society,
        engine: handle.clone(),
        clock: around.clock.clone(),
        entropy: around.entropy.clone(),
        metrics: link.metrics.clone(),
        serving: supervisor.spawner(Phase::Listeners),
        keeping: supervisor.spawner(Phase::Link),
    };
    let feeds = Arc::new(feed::Office::open(&config, feeds).await?);
    let society = config.society;
    let upkeep = start_upkeep(supervisor, &config, &link, (&packages, cleaned), &pseudonyms, &policy);
    Ok(Node {
        society,
        feeds,
        duty,
        config,
        engine: handle,
        link,
        peers,
        packages,
        pseudonyms,
        upkeep,
        policy,
        trust_folder,
        trust,
        storage: around.storage.clone(),
    })
}

/// What to do about an address that cannot be listened at.
fn unheard(address: SocketAddr, section: &str, key: &str) -> String {
    format!("cannot listen at {address}; give {key} under [{section}] another address, or \"off\"")
}

fn start_upkeep(
    supervisor: &mut Supervisor,
    config: &Config,
    link: &Link,
    (packages, cleaned): (&Arc<Packages>, upkeep::Cleaned),
    pseudonyms: &Pseudonyms,
    policy: &watch::Sender<Arc<Policy>>,
) -> Arc<Upkeep> {
    let statuses = link.statuses.clone();
    let upkeep = Arc::new(Upkeep::new(upkeep::Parts {
        own: config.society,
        engine: link.engine.clone(),
        clock: link.clock.clone(),
        packages: packages.clone(),
        cleaned,
        policy: policy.subscribe(),
        pseudonyms: pseudonyms.clone(),
        signer: link.signer.clone(),
        metrics: link.metrics.clone(),
        clocks_apart: Box::new(move || statuses.clocks_apart_ms()),
        every: config.retention.sweep_every,
    }));
    supervisor.spawn(Task::Upkeep, upkeep.clone().keep(supervisor.token(Phase::Link)));
    upkeep
}

fn fill_from(entropy: &Arc<dyn Entropy>) -> Arc<crate::trust::Fill> {
    let entropy = entropy.clone();
    Arc::new(move |bytes: &mut [u8]| entropy.fill(bytes))
}

/// The life that the store is in, once the engine has begun it.
async fn epoch_of(handle: &engine::Handle) -> anyhow::Result<Epoch> {
    let mut durable = handle.durable();
    durable.wait_for(|durable| durable.entries > 0).await.context("the engine did not begin")?;
    Ok(handle.view().head()?.context("the store holds no journal")?.epoch)
}

fn start_listener(supervisor: &mut Supervisor, listener: Listening, link: Link) {
    let tracker = TaskTracker::new();
    let limits = HandshakeLimits { at_once: HANDSHAKES_MAX, ..HandshakeLimits::default() };
    let (refused, recorder) = tokio::sync::mpsc::channel(HANDSHAKES_MAX);
    let metrics = link.metrics.clone();
    let on_refused = Arc::new(move |refusal: HandshakeRefused| {
        metrics.handshake_refused(refusal.code);
        tracing::warn!(address = %refusal.address, code = %refusal.code, detail = refusal.detail, "a caller was turned away");
        // A flood of them is counted above and not written one by one.
        let _ = refused.try_send(refusal.code);
    });
    let connections = incoming(listener, link.trust.clone(), &tracker, limits, on_refused);
    link.spawner.spawn("recorder of refused callers", record_refused(link.clone(), recorder));
    let stop = supervisor.token(Phase::Listeners);
    supervisor.spawn(Task::PeerListener, async move {
        let served = tonic::transport::Server::builder()
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .add_service(Listener::service(link))
            .serve_with_incoming(connections);
        tokio::select! {
            biased;
            served = served => served.context("the peer port"),
            // Nobody new comes in from here on; sessions say goodbye in the next phase.
            () = stop.cancelled() => Ok(()),
        }
    });
}

async fn record_refused(link: Link, mut refused: tokio::sync::mpsc::Receiver<Code>) {
    let stop = link.spawner.token().clone();
    loop {
        let code = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            code = refused.recv() => match code { Some(code) => code, None => return },
        };
        let command = Command::RecordRefusal { actor: Actor::System, request: "handshake", code, uncounted: 0 };
        // The record of a refusal is worth an attempt, not an error of its own.
        let _ = link.engine.submit(command).await;
    }
}

/// The operators' services of a node that is up, with what they do by themselves under way. Nobody can reach them yet.
///
/// # Errors
/// When the users of this machine cannot be looked up.
pub fn operators(
    supervisor: &mut Supervisor,
    node: &Node,
    around: &Surroundings,
    metrics: &Metrics,
) -> anyhow::Result<operator::Operator> {
    let config = &node.config;
    let parts = operator::Parts {
        own: node.society,
        engine: node.engine.clone(),
        clock: around.clock.clone(),
        entropy: around.entropy.clone(),
        pseudonyms: node.pseudonyms.clone(),
        signer: node.link.signer.clone(),
        own_keys: node.trust.bundle.bundle().signing_keys.clone(),
        policy: node.policy.subscribe(),
        operators: Operators::resolve(&config.operators, operator::uid_of)?,
        peers: Arc::new(Book { peers: node.peers.clone(), own: node.trust.bundle.clone() }),
        links: Arc::new(Links(node.link.statuses.clone())),
        upkeep: Arc::new(Keeping(node.upkeep.clone())),
        packages: node.packages.clone(),
        origins: Arc::new(Origins { link: node.link.clone(), packages: node.packages.clone() }),
        feeds: Arc::new(Feeds(node.feeds.clone())),
        trusted: node.feeds.trusted(),
        card_hotline: config.card_hotline.clone(),
        data_dir: config.data_dir.clone(),
        started_at: around.clock.now(),
        spawner: supervisor.spawner(Phase::Listeners),
        metrics: metrics.clone(),
    };
    let operator = operator::Operator::new(parts);
    let releasing = supervisor.spawner(Phase::Link);
    releasing.spawn("releaser", operator.clone().release_what_is_accepted(releasing.token().clone()));
    Ok(operator)
}

/// Starts the operators' interface of a node that is up: at its socket and, where configured, over TLS.
///
/// # Errors
/// When the socket or the port cannot be had.
pub fn serve_operators(
    supervisor: &mut Supervisor,
    node: &Node,
    around: &Surroundings,
    metrics: &Metrics,
) -> anyhow::Result<()> {
    let config = &node.config;
    let operator = operators(supervisor, node, around, metrics)?;
    let socket = &config.operator.socket;
    let listening = operator::bind(socket, config.operator.socket_mode)
        .with_context(|| format!("the operators' socket {} cannot be had", socket.display()))?;
    let end = supervisor.token(Phase::Listeners);
    let served = operator::serve_unix(operator.clone(), listening, end.clone());
    supervisor.spawn(Task::OperatorSocket, async move { served.await.map_err(Into::into) });
    if let Some(address) = config.operator.tcp_listen {
        let listener =
            std::net::TcpListener::bind(address).with_context(|| unheard(address, "operator", "tcp_listen"))?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let metrics = metrics.clone();
        let on_refused = Arc::new(move |refusal: HandshakeRefused| {
            metrics.handshake_refused(refusal.code);
            tracing::warn!(address = %refusal.address, code = %refusal.code, "an operator's connection was turned away");
        });
        let trust = node.link.trust.clone();
        let incoming = operator_incoming(listener, trust, &TaskTracker::new(), HandshakeLimits::default(), on_refused);
        let served = operator::serve_tcp(operator, incoming, end);
        supervisor.spawn(Task::OperatorTcp, async move { served.await.map_err(Into::into) });
    }
    Ok(())
}

impl Node {
    /// Looks after what changes by itself: certificates that are due, the folder of bundles, the disk.
    /// Ends with `stop`.
    ///
    /// # Errors
    /// Never; what fails is logged and tried again.
    pub async fn keep(
        self: Arc<Self>,
        around: Surroundings,
        stop: tokio_util::sync::CancellationToken,
    ) -> anyhow::Result<()> {
        let fill = fill_from(&around.entropy);
        let mut identity = self.trust.identity.clone();
        loop {
            let now = around.clock.now();
            match self.trust_folder.renew_if_due(&identity, now, &*fill) {
                Ok(Some(renewed)) => {
                    identity = renewed;
                    self.log("renew", self.peers.replace(Some(identity.clone()), None).await);
                }
                Ok(None) => {}
                Err(refusal) => tracing::error!(code = %refusal.code, reason = %refusal.message, "no new certificate"),
            }
            match withdrawals::late(&self.engine, now) {
                Ok(late) => withdrawals::alarm(&late, &self.link.metrics),
                Err(refusal) => tracing::error!(code = %refusal.code, "the withdrawals could not be looked at"),
            }
            requests::alarm(&self.engine, &self.link.metrics, now);
            let days = identity.not_after().since(now).as_secs_f64() / 86_400.0;
            self.link.metrics.credential_days_left(Credential::Node, self.society, days);
            if let Some(used) = self.storage.used_percent(&self.config.data_dir) {
                self.link.metrics.disk_used_percent(f64::from(used));
                self.disk_pressure(DiskPressure::at(used));
            }
            if let Ok(bytes) = self.engine.store().bytes_on_disk() {
                self.link.metrics.store_bytes(bytes);
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Takes a configuration that was read again: peers, their addresses and what is allowed, posts on duty, feeds.
    ///
    /// # Errors
    /// What is wrong with the feeds or the peers; what held of them before then still does.
    pub async fn reload(&self, config: Config) -> anyhow::Result<()> {
        self.feeds.reload(&config).await?;
        self.policy.send_replace(Arc::new(policy_of(&config, &self.storage)));
        self.duty.send_replace(Arc::new(config.duty.clone()));
        self.peers.replace(None, Some(Arc::new(config))).await.map_err(Into::into)
    }

    /// Has new work refused while the disk is nearly full.
    fn disk_pressure(&self, pressure: DiskPressure) {
        let reserved = pressure == DiskPressure::Reserve;
        let changed = self.policy.send_if_modified(|policy| {
            let changed = policy.disk_reserved != reserved;
            if changed {
                Arc::make_mut(policy).disk_reserved = reserved;
            }
            changed
        });
        match pressure {
            DiskPressure::Reserve if changed => tracing::error!("the disk is nearly full: new work is refused"),
            DiskPressure::None | DiskPressure::Warning | DiskPressure::Alarm if changed => {
                tracing::info!("the disk has room again: new work is taken");
            }
            DiskPressure::Alarm => tracing::warn!("the disk is more than 90 % full"),
            DiskPressure::None | DiskPressure::Warning | DiskPressure::Reserve => {}
        }
    }

    fn log(&self, what: &str, outcome: Result<(), passerelle_domain::refusal::Refusal>) {
        if let Err(refusal) = outcome {
            tracing::error!(what, code = %refusal.code, reason = %refusal.message, "trust could not be renewed");
        }
    }
}
