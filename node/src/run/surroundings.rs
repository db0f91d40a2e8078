//! What a node takes from outside itself: time, chance, the network and the disk. A simulation gives others than the
//! machine's, and the engine then runs as a task of its one thread.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use futures_util::future::BoxFuture;

use crate::{
    clock::{Clock, SystemClock},
    engine::{self, Engine, Settle},
    entropy::{Entropy, SystemEntropy},
    store::{Store, StoreError, disk::free_space},
    supervise::{Phase, Supervisor, Task},
    trust::{Network, TcpNetwork},
};

/// What the node takes from outside itself.
#[derive(Clone)]
pub struct Surroundings {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Where peers are.
    pub network: Arc<dyn Network>,
    /// Where the journal stands.
    pub storage: Storage,
}

impl Surroundings {
    /// The machine's own.
    #[must_use]
    pub fn machine() -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SystemEntropy::new()),
            network: Arc::new(TcpNetwork),
            storage: Storage::Machine,
        }
    }
}

/// Where the journal of a node stands.
#[derive(Clone)]
pub enum Storage {
    /// In the data folder, on the disk of the machine. The engine has a thread of its own that waits for it.
    Machine,
    /// On another disk. The engine is a task of the runtime, which must have one thread.
    Given(Arc<dyn Disk>),
}

/// A disk that stands in the place of the machine's, for simulations.
pub trait Disk: Send + Sync + 'static {
    /// The store on it, for one life of a node.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn open(&self) -> Result<Arc<dyn Store>, StoreError>;

    /// Waits until what was committed is durable.
    ///
    /// # Errors
    /// When it never will be.
    fn settle(&self) -> BoxFuture<'static, Result<(), StoreError>>;

    /// How full it is, in percent.
    fn used_percent(&self) -> u8;
}

impl Storage {
    /// How full the disk is that holds `data_dir`, in percent; `None` when it cannot tell.
    #[must_use]
    pub fn used_percent(&self, data_dir: &Path) -> Option<u8> {
        match self {
            Self::Machine => free_space(data_dir).ok().map(|disk| disk.used_percent),
            Self::Given(disk) => Some(disk.used_percent()),
        }
    }
}

/// Starts the engine: on a thread, since it waits for the disk, or else as a task.
pub(super) fn start_engine(
    supervisor: &mut Supervisor,
    engine: Engine,
    handle: engine::Handle,
    storage: &Storage,
) -> anyhow::Result<()> {
    let stop = supervisor.token(Phase::Engine);
    if let Storage::Given(disk) = storage {
        let disk = disk.clone();
        let settle: Settle = Arc::new(move || disk.settle());
        supervisor.spawn(Task::Engine, async move {
            let running = engine.run_in_place(settle);
            tokio::pin!(running);
            tokio::select! {
                biased;
                ended = &mut running => return ended.map_err(Into::into),
                () = stop.cancelled() => {}
            }
            let (ended, ()) = tokio::join!(running, handle.stop());
            ended.map_err(Into::into)
        });
        return Ok(());
    }
    let (ended, outcome) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("engine".to_owned()).spawn(move || {
        // Nobody waits any more only when the process is ending.
        let _ = ended.send(engine.run());
    })?;
    supervisor.spawn(Task::Engine, async move {
        let mut outcome = outcome;
        tokio::select! {
            biased;
            ended = &mut outcome => return ended.context("the engine's thread ended")?.map_err(Into::into),
            () = stop.cancelled() => handle.stop().await,
        }
        outcome.await.context("the engine's thread ended")?.map_err(Into::into)
    });
    Ok(())
}
