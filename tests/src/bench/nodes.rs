//! The two nodes that are measured: their folders, their processes, and connections to them. SN raises
//! and dials, ML receives: only so is there exactly one connection to count bytes on.

use std::{
    collections::HashMap,
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use passerelle_domain::society::Society;
use passerelle_node::{
    clock::{Clock as _, SystemClock},
    entropy::{Entropy as _, SystemEntropy},
    run::store_folder,
    trust::{PeerBundles, TrustFolder},
};
use passerelle_proto::v1::{
    self, WatchRequest, alert_service_client::AlertServiceClient, peer_service_client::PeerServiceClient,
    status_service_client::StatusServiceClient, watch_service_client::WatchServiceClient,
};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    task::JoinSet,
};
use tonic::transport::Channel;

use super::{
    NODE,
    alerts::Maker,
    load::{CONNECTIONS_MAX, raise_at},
    system::{Arrivals, Caller, End, Meter, Place, Published, SetUp, System, free_port, last_words},
};
use crate::world::channel;

/// How long a node may take to start or stop: one with ten million alerts on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

/// One node.
pub(crate) struct BenchNode {
    society: Society,
    folder: PathBuf,
    /// The network namespace that it runs in, if not that of the bench.
    netns: Option<String>,
    child: Option<Child>,
}

/// Where the two nodes run, and what they know at their first start.
pub(crate) struct Wiring {
    /// Where B listens and A dials.
    pub(crate) address: SocketAddr,
    /// Network namespaces of A and B; `None` for that of the bench.
    pub(crate) netns: Option<[String; 2]>,
    /// What both configurations say besides.
    pub(crate) besides: String,
    /// Whether A has B's bundle already; B has A's in any case.
    pub(crate) introduced: bool,
}

impl Wiring {
    /// Both on loopback, on a free port, introduced to each other.
    fn loopback() -> anyhow::Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        Ok(Self { address, netns: None, besides: String::new(), introduced: true })
    }
}

/// Two nodes that are peers.
pub(crate) struct Pair {
    /// Raises the alerts, and dials the other.
    pub(crate) a: BenchNode,
    /// Receives them.
    pub(crate) b: BenchNode,
    port: u16,
    published: u64,
    _folder: TempDir,
}

impl Pair {
    /// Two nodes with root, certificates, configuration and each other's bundle; neither runs yet.
    pub(super) fn prepare(place: &Place) -> anyhow::Result<Self> {
        Self::wired(place, Wiring::loopback()?)
    }

    /// The same, wired as told.
    pub(crate) fn wired(place: &Place, wiring: Wiring) -> anyhow::Result<Self> {
        let folder = place.folder()?;
        let Wiring { address, netns, besides, introduced } = wiring;
        let (sn, ml): (Society, Society) = ("SN".parse()?, "ML".parse()?);
        let rest = |peer| format!("{peer}{besides}");
        let dialled = format!("{:?}", address.to_string());
        let mut a = BenchNode::prepare(folder.path(), sn, "off", &rest(peer(ml, &dialled)))?;
        let mut b = BenchNode::prepare(folder.path(), ml, &address.to_string(), &rest(peer(sn, "")))?;
        if let Some([of_a, of_b]) = netns {
            (a.netns, b.netns) = (Some(of_a), Some(of_b));
        }
        for (from, to) in [(&a, &b), (&b, &a)].into_iter().take(if introduced { 2 } else { 1 }) {
            introduce(&from.folder, &to.folder)?;
        }
        Ok(Self { a, b, port: address.port(), published: 0, _folder: folder })
    }

    /// Waits until the link is up.
    pub(crate) async fn linked(&self) -> anyhow::Result<()> {
        self.a.joined(1).await
    }

    /// The node at an end.
    pub(super) fn node(&self, end: End) -> &BenchNode {
        match end {
            End::A => &self.a,
            End::B => &self.b,
        }
    }

    fn node_mut(&mut self, end: End) -> &mut BenchNode {
        match end {
            End::A => &mut self.a,
            End::B => &mut self.b,
        }
    }
}

impl SetUp for Pair {
    async fn start(place: &Place) -> anyhow::Result<Self> {
        let mut pair = Self::prepare(place)?;
        pair.b.start().await?;
        pair.a.start().await?;
        pair.joined().await?;
        Ok(pair)
    }
}

impl System for Pair {
    const NAME: &'static str = "passerelle";
    type Caller = OurCaller;
    type Meter = OurMeter;

    async fn callers(&self, count: usize) -> anyhow::Result<Vec<OurCaller>> {
        self.a.callers(count).await
    }

    async fn meter(&self) -> anyhow::Result<OurMeter> {
        self.a.meter().await
    }

    async fn watch(&self, count: u64) -> anyhow::Result<JoinSet<anyhow::Result<Arrivals>>> {
        let mut watch = WatchServiceClient::new(self.b.channel().await?);
        let request = WatchRequest { from_position: None, topics: vec!["alert".to_owned()], until_now: false };
        let mut events = watch.watch(request).await?.into_inner();
        let mut watching = JoinSet::new();
        watching.spawn(async move {
            let mut arrivals = HashMap::new();
            while (arrivals.len() as u64) < count {
                let event = events.message().await?.context("the watch ended")?;
                if !event.id.is_empty() {
                    arrivals.entry(event.id).or_insert_with(Instant::now);
                }
            }
            anyhow::Ok(arrivals)
        });
        Ok(watching)
    }

    fn published(&mut self) -> &mut u64 {
        &mut self.published
    }

    async fn start_end(&mut self, end: End) -> anyhow::Result<Duration> {
        self.node_mut(end).start().await
    }

    async fn stop_end(&mut self, end: End) -> anyhow::Result<()> {
        self.node_mut(end).stop().await
    }

    async fn kill_end(&mut self, end: End) -> anyhow::Result<()> {
        self.node_mut(end).kill().await
    }

    async fn joined(&self) -> anyhow::Result<()> {
        self.linked().await
    }

    fn pid(&self, end: End) -> anyhow::Result<u32> {
        self.node(end).pid()
    }

    fn store(&self, end: End) -> PathBuf {
        self.node(end).store()
    }

    fn port(&self) -> u16 {
        self.port
    }
}

/// A program that raises alerts at a node.
#[derive(Clone)]
pub(crate) struct OurCaller(AlertServiceClient<Channel>);

impl Caller for OurCaller {
    async fn publish(&mut self, maker: &Maker) -> anyhow::Result<Published> {
        let (answer, at) = raise_at(&mut self.0, maker).await?;
        Ok(Published { id: answer.id, at, acknowledged: Instant::now() })
    }
}

/// Asks A how many of its envelopes were receipted: their signatures say that they are durable.
pub(crate) struct OurMeter(PeerServiceClient<Channel>);

impl Meter for OurMeter {
    async fn stored(&mut self) -> anyhow::Result<u64> {
        let answer = self.0.list_peers(v1::ListPeersRequest {}).await?.into_inner();
        Ok(answer.peers.iter().flat_map(|peer| &peer.lanes).map(|lane| lane.receipted).sum())
    }
}

/// The lines of a configuration that name a peer.
pub(super) fn peer(society: Society, addresses: &str) -> String {
    format!("[[peers]]\nsociety = \"{society}\"\naddresses = [{addresses}]\n")
}

/// Gives the bundle of the node in one folder to that in the other.
pub(super) fn introduce(from: &Path, to: &Path) -> anyhow::Result<()> {
    let (_, trust) = TrustFolder::open(from)?;
    PeerBundles::open(to)?.put(&trust.bundle)?;
    Ok(())
}

/// Makes the trust of a Society's node in its folder.
pub(super) fn found(folder: &Path, society: Society) -> anyhow::Result<()> {
    let entropy = SystemEntropy::new();
    let fill = move |bytes: &mut [u8]| entropy.fill(bytes);
    TrustFolder::init(folder, society, Vec::new(), SystemClock::new().now(), &fill)?;
    Ok(())
}

impl BenchNode {
    /// A node with root, certificate and configuration in a folder below `root`.
    pub(super) fn prepare(root: &Path, society: Society, listen: &str, peers: &str) -> anyhow::Result<Self> {
        let folder = root.join(society.code().to_ascii_lowercase());
        found(&folder, society)?;
        let config = format!(
            "society = \"{society}\"\ndata_dir = {folder:?}\n\n[link]\nlisten = \"{listen}\"\n\n[log]\nlevel = \"warn\"\n\n\
             [metrics]\nlisten = \"off\"\n\n[[operators]]\nuser = {uid}\n\
             roles = [\"alert_author\", \"duty_officer\", \"caseworker\", \"medical\", \"node_admin\", \"auditor\"]\n\n{peers}",
            uid = nix::unistd::getuid(),
        );
        std::fs::write(folder.join("node.toml"), config)?;
        Ok(Self { society, folder, netns: None, child: None })
    }

    /// Starts the process and waits until the node answers; how long that took.
    pub(crate) async fn start(&mut self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let log = File::options().create(true).append(true).open(self.folder.join("node.log"))?;
        let program = std::env::current_exe()?;
        let mut command = match &self.netns {
            // `ip` becomes the node: the process that is started is the one that is stopped.
            Some(name) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", name]).arg(program);
                command
            }
            None => Command::new(program),
        };
        let child = command
            .args([NODE, "run", "--config"])
            .arg(self.folder.join("node.toml"))
            // As the service unit sets it.
            .env("MALLOC_ARENA_MAX", "2")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("a node could not be started")?;
        self.child = Some(child);
        loop {
            if self.answers().await.is_ok() {
                return Ok(started.elapsed());
            }
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            anyhow::ensure!(ended.is_none(), "the node of {} ended at once: {}", self.society, self.last_words());
            anyhow::ensure!(started.elapsed() < PATIENCE, "the node of {} does not answer", self.society);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn last_words(&self) -> String {
        last_words(&self.folder.join("node.log"))
    }

    async fn answers(&self) -> anyhow::Result<()> {
        StatusServiceClient::new(self.channel().await?).get_status(v1::GetStatusRequest {}).await?;
        Ok(())
    }

    /// A connection of its own to the operator socket.
    pub(crate) async fn channel(&self) -> anyhow::Result<Channel> {
        channel(&self.folder.join("operator.sock")).await
    }

    /// Id of the process.
    pub(super) fn pid(&self) -> anyhow::Result<u32> {
        self.child.as_ref().and_then(Child::id).with_context(|| format!("the node of {} does not run", self.society))
    }

    /// Folder of the store.
    pub(super) fn store(&self) -> PathBuf {
        store_folder(&self.folder)
    }

    /// Its data folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Programs that raise alerts, over a few connections.
    pub(super) async fn callers(&self, count: usize) -> anyhow::Result<Vec<OurCaller>> {
        let mut channels = Vec::new();
        for _ in 0..count.min(CONNECTIONS_MAX) {
            channels.push(self.channel().await?);
        }
        Ok(channels.iter().cycle().take(count).map(|one| OurCaller(AlertServiceClient::new(one.clone()))).collect())
    }

    /// What counts its receipts.
    pub(super) async fn meter(&self) -> anyhow::Result<OurMeter> {
        Ok(OurMeter(PeerServiceClient::new(self.channel().await?)))
    }

    /// Waits until so many links are up.
    pub(super) async fn joined(&self, peers: usize) -> anyhow::Result<()> {
        let mut client = PeerServiceClient::new(self.channel().await?);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = client.list_peers(v1::ListPeersRequest {}).await?.into_inner();
            let up = answer.peers.iter().filter(|peer| peer.link == "up").count();
            if up >= peers {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < deadline, "the nodes do not find each other: {up} of {peers} are joined");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// SIGKILL.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("the node is not running")?;
        child.kill().await.map_err(Into::into)
    }

    /// SIGTERM, and how it ended.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid()?)?;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM)?;
        let mut child = self.child.take().context("the node is not running")?;
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await.context("a node does not stop")??;
        anyhow::ensure!(ended.success(), "the node of {} ended with {ended}: {}", self.society, self.last_words());
        Ok(())
    }
}
