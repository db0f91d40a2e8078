//! One node of a world: its folder stays, the node in it comes and goes.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use passerelle_domain::{society::Society, time::Time};
use passerelle_node::{
    clock::{Clock, SystemClock},
    config::Config,
    entropy::{Entropy as _, SystemEntropy},
    metrics::Metrics,
    run::{Node, Surroundings, serve_operators, start},
    store::StoreError,
    supervise::{Exit, Spawner, Supervisor},
    trust::TrustFolder,
};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, now};

/// The tester may do everything.
const ROLES: &str = r#"["alert_author", "alert_approver", "duty_officer", "caseworker", "supervisor", "medical", "rfl_officer", "node_admin", "auditor", "dpo"]"#;

const STEP: Duration = Duration::from_millis(20);

/// A node that runs.
struct Running {
    node: Arc<Node>,
    signals: mpsc::UnboundedSender<()>,
    exit: oneshot::Receiver<Exit>,
}

/// The machine's clock, and how far that of a node is moved ahead of it.
#[derive(Clone)]
struct ShiftedClock {
    machine: SystemClock,
    ahead: Arc<AtomicU64>,
}

impl ShiftedClock {
    fn new() -> Self {
        Self { machine: SystemClock::new(), ahead: Arc::default() }
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Time {
        self.machine.now().plus(Duration::from_millis(self.ahead.load(Ordering::Relaxed)))
    }

    fn monotonic(&self) -> Duration {
        self.machine.monotonic()
    }
}

/// Where one Society's node lives, whether it runs or not.
pub struct Site {
    society: Society,
    folder: PathBuf,
    address: SocketAddr,
    /// What its configuration says besides.
    besides: String,
    running: Option<Running>,
    clock: ShiftedClock,
}

impl Site {
    /// Makes the folder of a node: root, keys, certificate, bundle.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn make(society: Society, folder: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        let entropy = SystemEntropy::new();
        let fill = move |bytes: &mut [u8]| entropy.fill(bytes);
        TrustFolder::init(folder, society, vec![address.to_string().parse()?], now(), &fill)?;
        Ok(Self::named(society, folder, address))
    }

    /// A node whose folder exists, or is yet to be made.
    #[must_use]
    pub fn named(society: Society, folder: &Path, address: SocketAddr) -> Self {
        Self {
            society,
            folder: folder.to_owned(),
            address,
            besides: String::new(),
            running: None,
            clock: ShiftedClock::new(),
        }
    }

    /// Another node of the same Society: the same keys and peers, a folder and a store of its own.
    ///
    /// # Errors
    /// When the files cannot be copied.
    pub fn twin(&self, folder: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        copy_folder(&self.folder.join("trust"), &folder.join("trust"))?;
        copy_folder(&self.folder.join("peers"), &folder.join("peers"))?;
        Ok(Self::named(self.society, folder, address))
    }

    /// Whose node it is.
    #[must_use]
    pub fn society(&self) -> Society {
        self.society
    }

    /// Where its peers dial it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its data folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The node, if it runs.
    #[must_use]
    pub fn node(&self) -> Option<Arc<Node>> {
        self.running.as_ref().map(|running| running.node.clone())
    }

    /// Adds to its configuration, from the next start on.
    pub fn configure(&mut self, besides: &str) {
        self.besides.push_str(besides);
    }

    /// Takes out of its configuration what was added, from the next start on.
    pub fn unconfigure(&mut self, besides: &str) {
        self.besides = self.besides.replace(besides, "");
    }

    /// The text of its configuration.
    #[must_use]
    pub fn config(&self) -> String {
        let (society, folder, address) = (self.society, &self.folder, self.address);
        let uid = nix::unistd::getuid();
        format!(
            "society = \"{society}\"\ndata_dir = {folder:?}\n\n[store]\ncache_mib = 8\n\n\
             [link]\nlisten = \"{address}\"\n\n[metrics]\nlisten = \"off\"\n\n\
             [[operators]]\nuser = {uid}\nroles = {ROLES}\n{}",
            format_args!("{}{}", bases(society), self.besides)
        )
    }

    /// Lets time pass at this node alone.
    pub fn pass(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.clock.ahead.fetch_add(millis, Ordering::Relaxed);
    }

    /// What the node takes from outside itself: its own clock, which may be ahead.
    #[must_use]
    pub fn around(&self) -> Surroundings {
        Surroundings { clock: Arc::new(self.clock.clone()), ..Surroundings::machine() }
    }

    /// Starts the node.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        ensure!(self.running.is_none(), "the node of {} runs already", self.society);
        let mut waited = Duration::ZERO;
        let config = Config::parse(&self.folder.join("node.toml"), &self.config(), std::iter::empty())
            .map_err(|faults| anyhow::anyhow!("{faults}"))?;
        let around = self.around();
        let metrics = Metrics::new();
        let (signals, mut supervisor, node) = loop {
            let (signals, heard) = mpsc::unbounded_channel();
            let mut supervisor = Supervisor::with_signals(UnboundedReceiverStream::new(heard));
            match start(&mut supervisor, config.clone(), &around, metrics.clone()).await {
                Ok(node) => break (signals, supervisor, Arc::new(node)),
                // A process takes its connections with it; here those of the node before still hold its store
                // until their other ends have closed them.
                Err(error) if matches!(error.downcast_ref(), Some(StoreError::InUse { .. })) && waited < PATIENCE => {
                    tokio::time::sleep(STEP).await;
                    waited += STEP;
                }
                Err(error) => return Err(error),
            }
        };
        serve_operators(&mut supervisor, &node, &around, &metrics)?;
        let (ended, exit) = oneshot::channel();
        Spawner::new(CancellationToken::new()).spawn("a node of a world", async move {
            // Nobody waits for a node that a failed test leaves behind.
            let _ = ended.send(supervisor.run_until_signal().await);
        });
        self.running = Some(Running { node, signals, exit });
        Ok(())
    }

    /// Stops the node in good order, if it runs.
    ///
    /// # Errors
    /// When it does not end cleanly.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let Some(Running { node, signals, exit }) = self.running.take() else { return Ok(()) };
        let store = Arc::downgrade(node.engine.store());
        drop(node);
        signals.send(()).context("the node has ended already")?;
        let exit = exit.await.context("the node was dropped")?;
        ensure!(exit == Exit::Clean, "the node of {} ended as {exit:?}", self.society);
        // A process takes its last connections with it; in this one they end when they notice, and
        // only then is the store free for another node.
        super::wait_until("the store is released", || Ok(store.strong_count() == 0)).await
    }

    /// Stops the node and starts it again.
    ///
    /// # Errors
    /// As [`Site::stop`] and [`Site::start`].
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.stop().await?;
        self.start().await
    }

    /// Copies all that the node has, as a backup does. The node must not run.
    ///
    /// # Errors
    /// When it runs, or files cannot be copied.
    pub fn back_up(&self, to: &Path) -> anyhow::Result<()> {
        ensure!(self.running.is_none(), "a backup is made of a node that does not run");
        copy_folder(&self.folder, to)
    }

    /// Puts a backup in the place of what the node has. The node must not run.
    ///
    /// # Errors
    /// When it runs, or files cannot be copied.
    pub fn restore(&self, from: &Path) -> anyhow::Result<()> {
        ensure!(self.running.is_none(), "a node that runs cannot be restored");
        std::fs::remove_dir_all(&self.folder)?;
        copy_folder(from, &self.folder)
    }
}

/// The Societies of a world have agreed to hand cases over to each other.
fn bases(own: Society) -> String {
    let others = passerelle_domain::society::MEMBERS.iter().map(|member| member.society).filter(|other| *other != own);
    let both = others.flat_map(|other| [(own, other), (other, own)]);
    let block = |(from, to)| {
        format!(
            "[[transfer_basis]]\nfrom = \"{from}\"\nto = \"{to}\"\nbasis = \"agreement\"\nvalid_from = \"2020-01-01\"\n"
        )
    };
    both.map(block).collect()
}

/// Copies a folder with all below it, permissions included.
///
/// # Errors
/// When something cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    std::fs::set_permissions(to, std::fs::metadata(from)?.permissions())?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
