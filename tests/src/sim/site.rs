//! One machine of a simulation: its disk, clock and folder stay, its node comes and goes. A service manager starts the node
//! again whenever it ends, as on a real machine.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use parking_lot::Mutex;
use passerelle_domain::society::Society;
use passerelle_node::{
    config::Config,
    entropy::SeededEntropy,
    metrics::Metrics,
    operator::Operator,
    run::{Node, Storage, Surroundings, operators, start},
    supervise::{Exit, Phase, Spawner, Supervisor, Task},
};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;

use super::{
    clock::SimClock,
    disk::{Blow, LifeDisk, Rows, SimDisk},
    homes::Homes,
    ledger::{Ledger, NodeWitness},
    network::{Fabric, SimNetwork, address, paths::Millis},
};
use crate::world::copy_folder;

/// The person at the node.
pub const OPERATOR: &str = "fatou";
const ROLES: &str = r#"["alert_author", "alert_approver", "duty_officer", "caseworker", "supervisor", "medical", "rfl_officer", "node_admin", "auditor", "dpo"]"#;
/// The pause before the service manager starts a node that has ended.
const RESTART_PAUSE: Duration = Duration::from_secs(2);

/// A node that is up.
#[derive(Clone)]
pub struct Up {
    /// Which life of it this is.
    pub life: u64,
    /// The node.
    pub node: Arc<Node>,
    /// Its operators' services.
    pub operator: Operator,
}

#[derive(Default)]
struct State {
    life: u64,
    /// Whether the machine is on.
    on: bool,
    up: Option<Up>,
    signals: Option<mpsc::UnboundedSender<()>>,
    gone: CancellationToken,
    keeping: bool,
}

/// A machine.
pub struct Site {
    /// Which node it is.
    pub index: usize,
    /// Whose.
    pub society: Society,
    /// Its disk.
    pub disk: Arc<SimDisk>,
    /// Its clock.
    pub clock: SimClock,
    folder: PathBuf,
    config: String,
    seed: u64,
    fabric: Arc<Mutex<Fabric>>,
    ledger: Arc<Mutex<Ledger>>,
    spawner: Spawner,
    state: Mutex<State>,
    changed: Notify,
    /// Held by whoever has the machine off and works on it.
    pub bench: tokio::sync::Mutex<()>,
}

/// A copy of what a node had: its store and the sealed files of its vault. Keys of cases are never in a backup.
pub struct Backup {
    /// When it was made.
    pub at: Millis,
    rows: Rows,
    folder: PathBuf,
}

impl Site {
    /// A machine that is off, with a folder of its own below `data`.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(
        index: usize,
        homes: &Homes,
        data: &Path,
        seed: u64,
        (fabric, ledger): (&Arc<Mutex<Fabric>>, &Arc<Mutex<Ledger>>),
    ) -> anyhow::Result<Arc<Self>> {
        let society = homes.societies()[index];
        let (folder, home) = (data.join(society.code()), homes.home(society));
        std::fs::create_dir(&folder)?;
        std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        std::os::unix::fs::symlink(home.join("peers"), folder.join("peers"))?;
        let config = format!(
            "society = \"{society}\"\ndata_dir = {folder:?}\n\n[trust]\ndir = {:?}\n\n[link]\nlisten = \"{}\"\n\n\
             [metrics]\nlisten = \"off\"\n\n[[operators]]\ncertificate = \"{OPERATOR}\"\nroles = {ROLES}\n{}",
            home.join("trust"),
            address(index),
            bases(society, homes.societies()),
        );
        let spawner = Spawner::new(CancellationToken::new());
        Ok(Arc::new_cyclic(|site: &std::sync::Weak<Self>| {
            let site = site.clone();
            let on_blow = Arc::new(move |blow| {
                if let Some(site) = site.upgrade() {
                    site.struck(blow);
                }
            });
            let witness = Arc::new(NodeWitness { ledger: ledger.clone(), node: index });
            let sync = Duration::from_millis(1 + seed.wrapping_add(index as u64) % 9);
            Self {
                index,
                society,
                disk: Arc::new(SimDisk::new(witness, on_blow, sync)),
                clock: SimClock::new(),
                folder,
                config,
                seed,
                fabric: fabric.clone(),
                ledger: ledger.clone(),
                spawner,
                state: Mutex::default(),
                changed: Notify::new(),
                bench: tokio::sync::Mutex::default(),
            }
        }))
    }

    /// The node, if it is up.
    #[must_use]
    pub fn up(&self) -> Option<Up> {
        self.state.lock().up.clone()
    }

    /// Which life of the node this is, counted from 1.
    #[must_use]
    pub fn life(&self) -> u64 {
        self.state.lock().life
    }

    /// Whether the machine is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.state.lock().on
    }

    /// Where its vault is.
    #[must_use]
    pub fn vault(&self) -> PathBuf {
        self.folder.join("vault")
    }

    fn tell(&self, what: std::fmt::Arguments<'_>) {
        self.ledger.lock().tell(self.index, what);
    }

    /// Turns the machine on: its service manager starts the node, now and whenever it has ended.
    pub fn turn_on(self: &Arc<Self>) {
        let begins = {
            let mut state = self.state.lock();
            state.on = true;
            !std::mem::replace(&mut state.keeping, true)
        };
        self.changed.notify_waiters();
        if begins {
            self.spawner.spawn("a machine of a simulation", self.clone().keep());
        }
    }

    /// The node, or its whole machine, is gone this instant. The machine of a killed node starts it again; one without
    /// power waits to be turned on.
    pub fn strike(&self, blow: Blow) {
        self.disk.strike(blow);
        self.struck(blow);
    }

    /// The same, after its disk was struck.
    fn struck(&self, blow: Blow) {
        if blow == Blow::Refuse {
            return self.tell(format_args!("the disk refuses"));
        }
        let (signals, gone) = {
            let mut state = self.state.lock();
            state.on &= blow != Blow::PowerCut;
            state.up = None;
            (state.signals.take(), state.gone.clone())
        };
        self.fabric.lock().node_gone(self.index, blow == Blow::PowerCut);
        self.tell(format_args!("is gone: {blow:?}"));
        if let Some(signals) = signals {
            // What is left of the node ends by itself; it reaches neither disk nor network.
            let _ = signals.send(());
        }
        gone.cancel();
    }

    /// The service manager.
    async fn keep(self: Arc<Self>) {
        loop {
            loop {
                let changed = self.changed.notified();
                if self.is_on() {
                    break;
                }
                changed.await;
            }
            let (life, gone) = {
                let mut state = self.state.lock();
                state.life += 1;
                state.gone = CancellationToken::new();
                (state.life, state.gone.clone())
            };
            self.fabric.lock().power_on(self.index, life);
            self.disk.begin_life(life);
            let ended = tokio::select! {
                biased;
                () = gone.cancelled() => None,
                ended = self.live(life) => Some(ended),
            };
            if let Some(ended) = ended {
                match ended {
                    Ok(exit) => self.tell(format_args!("has ended: {exit:?}")),
                    Err(error) => self.tell(format_args!("does not start: {error:#}")),
                }
                self.state.lock().up = None;
                self.fabric.lock().node_gone(self.index, false);
            }
            tokio::time::sleep(RESTART_PAUSE).await;
        }
    }

    /// One life of the node, from its start to its end.
    async fn live(self: &Arc<Self>, life: u64) -> anyhow::Result<Exit> {
        let config = Config::parse(&self.folder.join("node.toml"), &self.config, std::iter::empty())
            .map_err(|faults| anyhow::anyhow!("{faults}"))?;
        let seed = self.seed.wrapping_mul(1_000_003) ^ (self.index as u64) << 32 ^ life;
        let around = Surroundings {
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(SeededEntropy::new(seed)),
            network: Arc::new(SimNetwork::new(self.fabric.clone(), self.index, life)),
            storage: Storage::Given(Arc::new(LifeDisk::new(self.disk.clone(), life))),
        };
        let (metrics, (signals, heard)) = (Metrics::new(), mpsc::unbounded_channel());
        let mut supervisor = Supervisor::with_signals(UnboundedReceiverStream::new(heard));
        // A process that does not come up takes its tasks with it.
        let tasks = Tasks(Phase::ORDER.map(|phase| supervisor.token(phase)).into());
        let node = Arc::new(start(&mut supervisor, config, &around, metrics.clone()).await?);
        let operator = operators(&mut supervisor, &node, &around, &metrics)?;
        let stop = supervisor.token(Phase::Link);
        supervisor.spawn(Task::TrustKeeper, node.clone().keep(around, stop));
        {
            let mut state = self.state.lock();
            state.up = Some(Up { life, node, operator });
            state.signals = Some(signals);
        }
        self.tell(format_args!("is up, life {life}"));
        tasks.keep();
        let (ended, exit) = oneshot::channel();
        self.spawner.spawn("a node of a simulation", async move {
            // Nobody waits for a node whose machine was struck.
            let _ = ended.send(supervisor.run_until_signal().await);
        });
        exit.await.context("the node was dropped")
    }

    /// Copies what the node has, as a backup does.
    ///
    /// # Errors
    /// When files cannot be copied.
    pub fn back_up(&self, at: Millis, to: &Path) -> anyhow::Result<Backup> {
        for kind in SEALED {
            let from = self.vault().join(kind);
            if from.is_dir() {
                copy_folder(&from, &to.join(kind))?;
            }
        }
        Ok(Backup { at, rows: self.disk.rows(), folder: to.to_owned() })
    }

    /// Puts a backup in the place of what the node has. Its machine must be off.
    ///
    /// # Errors
    /// When files cannot be copied.
    pub fn restore(&self, backup: &Backup, now: Millis) -> anyhow::Result<()> {
        for kind in SEALED {
            let to = self.vault().join(kind);
            if to.is_dir() {
                std::fs::remove_dir_all(&to)?;
            }
            if backup.folder.join(kind).is_dir() {
                copy_folder(&backup.folder.join(kind), &to)?;
            }
        }
        self.disk.replace(backup.rows.clone());
        self.ledger.lock().journals[self.index].restored.push(super::ledger::Restored { at: now, of: backup.at });
        self.tell(format_args!("is restored from a backup of {} s", backup.at / 1_000));
        Ok(())
    }
}

/// The tasks of a node that is starting, ended when it does not come up.
struct Tasks(Vec<CancellationToken>);

impl Tasks {
    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(CancellationToken::cancel);
    }
}

/// The sealed files of a vault.
const SEALED: [&str; 3] = ["packages", "evidence", "outgoing"];

/// The Societies of a simulation have agreed to hand cases over to each other.
fn bases(own: Society, societies: &[Society]) -> String {
    let others = societies.iter().copied().filter(|other| *other != own);
    let block = |(from, to)| {
        format!(
            "[[transfer_basis]]\nfrom = \"{from}\"\nto = \"{to}\"\nbasis = \"agreement\"\nvalid_from = \"2020-01-01\"\n"
        )
    };
    others.flat_map(|other| [(own, other), (other, own)]).map(block).collect()
}
