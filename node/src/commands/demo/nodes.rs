//! The three nodes of the demo: their folders, their processes, and a connection to each.

use std::{
    fs::File,
    net::TcpListener,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::Context as _;
use hyper_util::rt::TokioIo;
use passerelle_domain::society::Society;
use passerelle_proto::v1;
use tokio::{
    net::UnixStream,
    process::{Child, Command},
};
use tonic::transport::{Channel, Endpoint, Uri};

use crate::{
    clock::{Clock as _, SystemClock},
    entropy::{Entropy as _, SystemEntropy},
    trust::{PeerBundles, TrustFolder},
};

/// Everybody in the demo may do everything: it is one person at one machine.
const ROLES: &str = r#"["alert_author", "alert_approver", "duty_officer", "caseworker", "supervisor", "medical", "rfl_officer", "node_admin", "auditor", "dpo"]"#;
/// How long a node may take to start, on a busy machine.
const START_WITHIN: Duration = Duration::from_secs(30);

/// One node.
pub(super) struct DemoNode {
    pub(super) society: Society,
    pub(super) socket: PathBuf,
    folder: PathBuf,
    child: Option<Child>,
}

/// The three of them.
pub(super) struct Nodes(Vec<DemoNode>);

impl Nodes {
    /// Makes root, certificates, configuration of each, and exchanges the bundles as files.
    pub(super) fn prepare(root: &Path, societies: &[Society]) -> anyhow::Result<Self> {
        let entropy = SystemEntropy::new();
        let fill = move |bytes: &mut [u8]| entropy.fill(bytes);
        let now = SystemClock::new().now();
        let mut nodes = Vec::new();
        // All ports are taken at once and given back at once, so that no two are the same.
        let ports: Vec<TcpListener> =
            societies.iter().map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
        for (society, port) in societies.iter().zip(&ports) {
            let folder = root.join(society.code().to_ascii_lowercase());
            std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
            let address = port.local_addr()?.to_string();
            TrustFolder::init(&folder, *society, vec![address.parse()?], now, &fill)?;
            let socket = folder.join("operator.sock");
            std::fs::write(folder.join("node.toml"), config(*society, &folder, &address, &socket))?;
            nodes.push(DemoNode { society: *society, socket, folder, child: None });
        }
        drop(ports);
        for from in &nodes {
            let (_, trust) = TrustFolder::open(&from.folder)?;
            for to in nodes.iter().filter(|to| to.society != from.society) {
                PeerBundles::open(&to.folder)?.put(&trust.bundle)?;
            }
        }
        Ok(Self(nodes))
    }

    pub(super) fn all(&self) -> &[DemoNode] {
        &self.0
    }

    pub(super) fn node(&mut self, code: &str) -> anyhow::Result<&mut DemoNode> {
        self.0.iter_mut().find(|node| node.society.code() == code).context("no such node in the demo")
    }

    pub(super) async fn channel(&self, code: &str) -> anyhow::Result<Channel> {
        let node = self.0.iter().find(|node| node.society.code() == code);
        node.context("no such node in the demo")?.channel().await
    }

    /// Stops every node in good order, and with force what does not stop.
    pub(super) async fn stop(&mut self, within: Duration) {
        for node in &mut self.0 {
            node.signal(nix::sys::signal::Signal::SIGTERM);
        }
        for node in &mut self.0 {
            if let Some(mut child) = node.child.take()
                && tokio::time::timeout(within, child.wait()).await.is_err()
            {
                // What is gone already needs no killing.
                let _ = child.kill().await;
            }
        }
    }
}

fn config(society: Society, folder: &Path, address: &str, socket: &Path) -> String {
    format!(
        r#"society = "{society}"
data_dir = {folder:?}

[link]
listen = "{address}"
advertise = ["{address}"]

[operator]
socket = {socket:?}

[metrics]
listen = "off"

[[operators]]
user = {uid}
roles = {ROLES}

{bases}"#,
        uid = nix::unistd::getuid(),
        bases = bases(society),
    )
}

/// The Societies of the demo have agreed to hand cases over to each other.
fn bases(own: Society) -> String {
    let others = ["GM", "ML", "SN"].into_iter().filter(|other| *other != own.code());
    let both = others.flat_map(|other| [(own.code(), other), (other, own.code())]);
    let block = |(from, to)| {
        format!(
            "[[transfer_basis]]\nfrom = \"{from}\"\nto = \"{to}\"\nbasis = \"agreement\"\nvalid_from = \"2020-01-01\"\n"
        )
    };
    both.map(block).collect()
}

impl DemoNode {
    /// Starts `passerelle-node run` and waits until it answers.
    pub(super) async fn start(&mut self) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(self.folder.join("node.log"))?;
        let child = Command::new(std::env::current_exe()?)
            .arg("run")
            .arg("--config")
            .arg(self.folder.join("node.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("a node could not be started")?;
        self.child = Some(child);
        let deadline = tokio::time::Instant::now() + START_WITHIN;
        loop {
            if self.status().await.is_ok() {
                return Ok(());
            }
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            anyhow::ensure!(ended.is_none(), "the node of {} ended at once: {}", self.society, self.last_words());
            anyhow::ensure!(tokio::time::Instant::now() < deadline, "the node of {} does not answer", self.society);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("node.log")).unwrap_or_default();
        log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("its log is empty").to_owned()
    }

    pub(super) async fn channel(&self) -> anyhow::Result<Channel> {
        let socket = self.socket.clone();
        let connect = tower::service_fn(move |_: Uri| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        Endpoint::from_static("http://node").connect_with_connector(connect).await.map_err(Into::into)
    }

    pub(super) async fn status(&self) -> anyhow::Result<v1::GetStatusResponse> {
        let mut client = v1::status_service_client::StatusServiceClient::new(self.channel().await?);
        Ok(client.get_status(v1::GetStatusRequest {}).await?.into_inner())
    }

    /// SIGKILL: nothing is said, nothing is finished.
    pub(super) async fn kill(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("the node is not running")?;
        child.kill().await.map_err(Into::into)
    }

    fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = self.child.as_ref().and_then(Child::id).and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid {
            // A process that has ended needs no signal.
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
        }
    }
}
