//! Several nodes in one process: each with a folder, a root, certificates, a store on the disk and
//! TLS over loopback TCP of its own; they know each other by bundles that were exchanged as files.

mod alerts;
mod cases;
mod process;
mod search;
mod site;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use passerelle_domain::{
    catalogue::Role,
    decide::Caller,
    entry::{Actor, Body, Entry, Verdict},
    facts::Facts as _,
    ids::{AlertId, EntryIndex, IdEntropy},
    society::Society,
    time::Time,
};
use passerelle_node::{
    clock::{Clock as _, SystemClock},
    engine::{self, Report},
    entropy::{Entropy as _, SystemEntropy},
    run::Node,
    store::memory::MemoryStore,
    trust::{Ed25519Verifier, PeerBundles, TrustFolder},
};

pub use alerts::{alert, cancel, draft, raise, raise_as, update_of};
pub use cases::{Handovers, channel};
pub use process::Process;
pub use search::{Needle, files, left_of, needles, plaintexts, sealed_and_keys, search, vault_files};
pub use site::{Site, copy_folder};

/// How long anything may take on a machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The port of every node; each has an address of its own.
const PORT: u16 = 7443;

/// Several nodes and the folder that holds theirs.
pub struct World {
    folder: tempfile::TempDir,
    sites: BTreeMap<Society, Site>,
}

impl World {
    /// Nodes of these Societies, each a peer of all others. None runs yet.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn new(codes: &[&str]) -> anyhow::Result<Self> {
        let mut world = Self { folder: tempfile::tempdir()?, sites: BTreeMap::new() };
        for code in codes {
            let society: Society = code.parse()?;
            let folder = world.folder.path().join(code);
            world.sites.insert(society, Site::make(society, &folder, own_address())?);
        }
        for from in world.sites.values() {
            let (_, trust) = TrustFolder::open(from.folder())?;
            for to in world.sites.values().filter(|to| to.society() != from.society()) {
                PeerBundles::open(to.folder())?.put(&trust.bundle)?;
            }
        }
        Ok(world)
    }

    /// The same, all running.
    ///
    /// # Errors
    /// As [`World::new`], and when a node does not start.
    pub async fn started(codes: &[&str]) -> anyhow::Result<Self> {
        let mut world = Self::new(codes)?;
        for site in world.sites.values_mut() {
            site.start().await?;
        }
        Ok(world)
    }

    /// The folder of the world, for copies of nodes.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The site of a Society.
    ///
    /// # Errors
    /// When the world has none.
    pub fn site(&mut self, code: &str) -> anyhow::Result<&mut Site> {
        self.sites.get_mut(&code.parse()?).context("no such Society in this world")
    }

    /// The running node of a Society.
    ///
    /// # Errors
    /// When it does not run.
    pub fn node(&self, code: &str) -> anyhow::Result<Arc<Node>> {
        self.sites.get(&code.parse()?).and_then(Site::node).context("the node does not run")
    }

    /// Waits until every running node is joined with every other one.
    ///
    /// # Errors
    /// When that takes too long.
    pub async fn joined(&self) -> anyhow::Result<()> {
        let nodes: Vec<_> = self.sites.values().filter_map(Site::node).collect();
        wait_until("every link is up", || {
            Ok(nodes.iter().all(|from| {
                let others = nodes.iter().filter(|to| to.society != from.society);
                others.into_iter().all(|to| from.link.registry.is_up(to.society))
            }))
        })
        .await
    }

    /// Ends the story: every journal is proved against itself, then every node stops in good order.
    ///
    /// # Errors
    /// What is wrong with a journal, and nodes that do not stop.
    pub async fn end(mut self) -> anyhow::Result<()> {
        for node in self.sites.values().filter_map(Site::node) {
            verified(&node)?;
        }
        for site in self.sites.values_mut() {
            site.stop().await?;
        }
        Ok(())
    }
}

/// An address of the loopback net that no other node has: a fixed port outside the range from which
/// the machine gives out ports, so that it is still free when the node comes back.
#[must_use]
pub fn own_address() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let process = std::process::id();
    let octet = |number: u32| u8::try_from(number % 250 + 1).unwrap_or(1);
    let last = NEXT.fetch_add(1, Ordering::Relaxed);
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, octet(process / 250), octet(process), last)), PORT)
}

/// Waits until a condition holds.
///
/// # Errors
/// When it does not in [`PATIENCE`], or cannot be looked at.
pub async fn wait_until(what: &str, mut holds: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds()? {
        ensure!(tokio::time::Instant::now() < deadline, "it did not happen in {} s: {what}", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// The wall time.
#[must_use]
pub fn now() -> Time {
    SystemClock::new().now()
}

/// Entropy for an id.
#[must_use]
pub fn entropy() -> IdEntropy {
    SystemEntropy::new().id()
}

/// An operator who may do everything.
#[must_use]
pub fn operator() -> Caller {
    Caller { actor: Actor::Operator("fatou".to_owned()), roles: Role::ALL.to_vec() }
}

/// Proves a node's journal, and that its views are what the journal folds to.
///
/// # Errors
/// What is wrong with it.
pub fn verified(node: &Node) -> anyhow::Result<Report> {
    let scratch = MemoryStore::new();
    let keys = [node.link.signer.public_key()];
    let report =
        engine::verify(node.society, &**node.engine.store(), &scratch, &keys, &Ed25519Verifier, |_progress| {})?;
    ensure!(report.faults.is_empty(), "the journal of {}: {}", node.society, report.faults.join("; "));
    Ok(report)
}

/// The whole journal of a node.
///
/// # Errors
/// When it cannot be read.
pub fn journal(node: &Node) -> anyhow::Result<Vec<Entry>> {
    let view = node.engine.view();
    let size = view.head()?.map_or(0, |head| head.frontier.size());
    (0..size).map(|at| view.entry(EntryIndex(at))?.context("an entry is missing")).collect()
}

/// How often an alert took effect at a node that a peer sent it to.
///
/// # Errors
/// When the journal cannot be read.
pub fn times_accepted(node: &Node, id: AlertId) -> anyhow::Result<usize> {
    let accepted = |entry: &Entry| {
        matches!(&entry.body, Body::Received { envelope: Some(meta), verdict: Verdict::Accepted, .. }
            if meta.id == id.into())
    };
    Ok(journal(node)?.iter().filter(|entry| accepted(entry)).count())
}

/// Whether the node holds the alert.
///
/// # Errors
/// When the store cannot be read.
pub fn has_alert(node: &Node, id: AlertId) -> anyhow::Result<bool> {
    Ok(node.engine.view().alert(id)?.is_some())
}

/// Whether every peer to whom the alert was sent has receipted it.
///
/// # Errors
/// When the store cannot be read, or the node does not hold the alert.
pub fn receipted(node: &Node, id: AlertId) -> anyhow::Result<bool> {
    let view = node.engine.view();
    let row = view.alert(id)?.context("the node does not hold the alert")?;
    for delivery in row.deliveries {
        if view.lane_out(delivery.peer, delivery.lane)?.receipted < delivery.position {
            return Ok(false);
        }
    }
    Ok(true)
}
