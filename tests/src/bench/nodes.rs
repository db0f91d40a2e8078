//! The two nodes that are measured: their folders, their processes, and connections to them. SN raises
//! and dials, ML receives: only so is there exactly one connection to count bytes on.

use std::{
    fs::File,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hyper_util::rt::TokioIo;
use passerelle_domain::society::Society;
use passerelle_node::{
    clock::{Clock as _, SystemClock},
    entropy::{Entropy as _, SystemEntropy},
    run::store_folder,
    trust::{PeerBundles, TrustFolder},
};
use passerelle_proto::v1::{self, peer_service_client::PeerServiceClient, status_service_client::StatusServiceClient};
use tempfile::TempDir;
use tokio::{
    net::UnixStream,
    process::{Child, Command},
};
use tonic::transport::{Channel, Endpoint, Uri};

use super::{NODE, machine};

/// How long a node may take to start or stop: one with a million alerts on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

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
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        Ok(Self { address, netns: None, besides: String::new(), introduced: true })
    }
}

/// Two nodes that are peers.
pub(crate) struct Pair {
    /// Raises the alerts, and dials the other.
    pub(crate) a: BenchNode,
    /// Receives them.
    pub(crate) b: BenchNode,
    /// Port at which B is dialled.
    pub(super) port: u16,
    /// Alerts raised so far.
    pub(super) raised: u64,
    _folder: TempDir,
}

/// How far A's envelopes for B have come, over all lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) queued: u64,
    pub(super) receipted: u64,
}

impl Pair {
    /// Two nodes with root, certificates, configuration and each other's bundle; neither runs yet.
    pub(super) fn prepare(dir: Option<&Path>, keep: bool) -> anyhow::Result<Self> {
        Self::wired(dir, keep, Wiring::loopback()?)
    }

    /// The same, wired as told.
    pub(crate) fn wired(dir: Option<&Path>, keep: bool, wiring: Wiring) -> anyhow::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("passerelle-bench-").disable_cleanup(keep);
        let folder = match dir {
            Some(dir) => builder.tempdir_in(dir)?,
            None => builder.tempdir()?,
        };
        if keep {
            eprintln!("the nodes are in {}", folder.path().display());
        }
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
            let (_, trust) = TrustFolder::open(&from.folder)?;
            PeerBundles::open(&to.folder)?.put(&trust.bundle)?;
        }
        Ok(Self { a, b, port: address.port(), raised: 0, _folder: folder })
    }

    /// The same, running and linked.
    pub(super) async fn start(dir: Option<&Path>, keep: bool) -> anyhow::Result<Self> {
        let mut pair = Self::prepare(dir, keep)?;
        pair.b.start().await?;
        pair.a.start().await?;
        pair.linked().await?;
        Ok(pair)
    }

    /// Waits until the link is up.
    pub(crate) async fn linked(&self) -> anyhow::Result<()> {
        let mut peers = PeerServiceClient::new(self.a.channel().await?);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = peers.list_peers(v1::ListPeersRequest {}).await?.into_inner();
            if answer.peers.iter().any(|peer| peer.link == "up") {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < deadline, "the nodes do not find each other");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Processor time that both nodes have used.
    pub(super) fn processor_time(&self) -> anyhow::Result<Duration> {
        Ok(machine::processor_time(self.a.pid()?)? + machine::processor_time(self.b.pid()?)?)
    }

    /// Stops both in good order.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.a.stop().await?;
        self.b.stop().await
    }
}

/// How far A's envelopes have come at its peer.
pub(super) async fn progress(peers: &mut PeerServiceClient<Channel>) -> anyhow::Result<Progress> {
    let answer = peers.list_peers(v1::ListPeersRequest {}).await?.into_inner();
    let lanes = answer.peers.iter().flat_map(|peer| &peer.lanes);
    Ok(lanes.fold(Progress::default(), |sum, lane| Progress {
        queued: sum.queued + lane.queued,
        receipted: sum.receipted + lane.receipted,
    }))
}

fn peer(society: Society, addresses: &str) -> String {
    format!("[[peers]]\nsociety = \"{society}\"\naddresses = [{addresses}]\n")
}

impl BenchNode {
    fn prepare(root: &Path, society: Society, listen: &str, peer: &str) -> anyhow::Result<Self> {
        let folder = root.join(society.code().to_ascii_lowercase());
        let entropy = SystemEntropy::new();
        let fill = move |bytes: &mut [u8]| entropy.fill(bytes);
        TrustFolder::init(&folder, society, Vec::new(), SystemClock::new().now(), &fill)?;
        let config = format!(
            "society = \"{society}\"\ndata_dir = {folder:?}\n\n[link]\nlisten = \"{listen}\"\n\n[log]\nlevel = \"warn\"\n\n\
             [metrics]\nlisten = \"off\"\n\n[[operators]]\nuser = {uid}\n\
             roles = [\"alert_author\", \"duty_officer\", \"caseworker\", \"medical\", \"node_admin\", \"auditor\"]\n\n{peer}",
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

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("node.log")).unwrap_or_default();
        log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("its log is empty").to_owned()
    }

    async fn answers(&self) -> anyhow::Result<()> {
        StatusServiceClient::new(self.channel().await?).get_status(v1::GetStatusRequest {}).await?;
        Ok(())
    }

    /// A connection of its own to the operator socket.
    pub(crate) async fn channel(&self) -> anyhow::Result<Channel> {
        let socket = self.folder.join("operator.sock");
        let connect = tower::service_fn(move |_: Uri| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        Endpoint::from_static("http://node").connect_with_connector(connect).await.map_err(Into::into)
    }

    /// Id of the process.
    pub(super) fn pid(&self) -> anyhow::Result<u32> {
        self.child.as_ref().and_then(Child::id).with_context(|| format!("the node of {} does not run", self.society))
    }

    /// Bytes of the store on the disk.
    pub(super) fn store_bytes(&self) -> anyhow::Result<u64> {
        machine::disk_bytes(&store_folder(&self.folder))
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
