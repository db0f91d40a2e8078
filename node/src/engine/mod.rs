//! The engine: the sole writer. It takes commands from a bounded queue, decides them one after the
//! other, makes the entries and rows of a whole batch durable in one commit, and only then answers.
//! May touch the store and the domain; knows nothing of links, operators or files.

#[cfg(feature = "defects")]
mod defects;
mod durable;
mod evidence;
pub mod export;
mod followed;
pub(crate) mod limiter;
mod run;
#[cfg(test)]
mod tests;
mod verify;

use std::{collections::BTreeMap, sync::Arc};

use passerelle_domain::{
    decide::{Command, Policy, Pseudonyms, Reply},
    envelope::Lane,
    ids::{EntryIndex, Epoch, Position},
    limits::{CASE_WORK_WAITING_MAX, ENGINE_QUEUE_MAX},
    refusal::{Code, Refusal},
    signing::Signer,
    society::Society,
    time::Time,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::{
    clock::Clock,
    metrics::Metrics,
    store::{Store, keys, view::View},
};

pub use durable::{EngineEnded, Following};
pub use run::Settle;
pub use verify::{Due, Progress, Report, VIEWS_VERSION, rebuild, rebuild_due, verify};

/// What is durable. A read of the store beside a commit may see more; whoever tells others of it,
/// on a link or to automation, goes by this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durable {
    /// Entries in the journal.
    pub entries: u64,
    /// Time of the last of them.
    pub time: Time,
    /// One more than the index of the newest entry, written since the start, after which something may become due of
    /// an alert.
    pub duties: u64,
    /// Last position given to an envelope, by peer and lane.
    pub queued: Arc<BTreeMap<(Society, Lane), Position>>,
}

impl Durable {
    /// Last position given to an envelope in a lane.
    #[must_use]
    pub fn queued(&self, peer: Society, lane: Lane) -> Position {
        self.queued.get(&(peer, lane)).copied().unwrap_or_default()
    }
}

/// What the engine is asked for.
enum Job {
    /// A command, and where its answer goes.
    Decide { command: Command, reply: oneshot::Sender<Result<Reply, Refusal>> },
    /// A row that is no view and no truth, such as how dialling a peer has gone.
    Keep { key: keys::Key, value: Vec<u8> },
    /// What came before this is still decided; nothing after it.
    Stop,
}

/// How others reach the engine. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    jobs: mpsc::Sender<Job>,
    durable: Following,
    case_work: broadcast::Sender<EntryIndex>,
    store: Arc<dyn Store>,
}

/// What the engine is made of.
pub struct Parts {
    /// Whose journal it is.
    pub own: Society,
    /// Where it lies.
    pub store: Arc<dyn Store>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Signs envelopes and checkpoints.
    pub signer: Arc<dyn Signer + Send + Sync>,
    /// What the configuration allows; replaced when it is read again.
    pub policy: watch::Receiver<Arc<Policy>>,
    /// The life that a new store begins.
    pub epoch: Epoch,
    /// Makes the pseudonyms of cases.
    pub pseudonyms: Pseudonyms,
    /// Where figures go.
    pub metrics: Metrics,
}

/// An engine that is ready to run, and the handle to it.
pub struct Engine {
    parts: Parts,
    jobs: mpsc::Receiver<Job>,
    durable: durable::Teller,
    case_work: broadcast::Sender<EntryIndex>,
}

impl Engine {
    /// An engine over a store; [`Engine::run`] is to be called on a thread of its own, or else [`Engine::run_in_place`].
    #[must_use]
    pub fn new(parts: Parts) -> (Self, Handle) {
        let (sender, jobs) = mpsc::channel(ENGINE_QUEUE_MAX);
        let (durable, seen) = durable::channel();
        let (case_work, _) = broadcast::channel(CASE_WORK_WAITING_MAX);
        let handle =
            Handle { jobs: sender, durable: seen, case_work: case_work.clone(), store: Arc::clone(&parts.store) };
        (Self { parts, jobs, durable, case_work }, handle)
    }
}

impl Handle {
    /// Asks for a command and waits until its outcome is durable.
    ///
    /// # Errors
    /// The refusal of the command; `busy` when too many wait; `shutting_down` when the engine has ended.
    pub async fn submit(&self, command: Command) -> Result<Reply, Refusal> {
        let pending = self.try_submit(command)?;
        pending.await.map_err(|_| shutting_down())?
    }

    /// Puts a command into the queue; its outcome comes later, in the order of submission.
    ///
    /// # Errors
    /// `busy` when too many wait; `shutting_down` when the engine has ended.
    pub fn try_submit(&self, command: Command) -> Result<oneshot::Receiver<Result<Reply, Refusal>>, Refusal> {
        let (reply, pending) = oneshot::channel();
        match self.jobs.try_send(Job::Decide { command, reply }) {
            Ok(()) => Ok(pending),
            Err(mpsc::error::TrySendError::Full(_)) => {
                Err(Refusal::new(Code::Busy, "the node has as much work as it can hold"))
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(shutting_down()),
        }
    }

    /// The same, waiting for room in the queue: for work that cannot be turned away, such as what a
    /// peer has already sent.
    ///
    /// # Errors
    /// `shutting_down` when the engine has ended.
    pub async fn submit_waiting(&self, command: Command) -> Result<oneshot::Receiver<Result<Reply, Refusal>>, Refusal> {
        let (reply, pending) = oneshot::channel();
        self.jobs.send(Job::Decide { command, reply }).await.map_err(|_| shutting_down())?;
        Ok(pending)
    }

    /// Keeps a row that is harmless to lose; with the next commit.
    pub async fn put_local(&self, key: keys::Key, value: Vec<u8>) {
        // An engine that has ended keeps nothing more, and its node is ending too.
        let _ = self.jobs.send(Job::Keep { key, value }).await;
    }

    /// Ends the engine once it has decided what is already in its queue.
    pub async fn stop(&self) {
        // One that has ended already needs no telling.
        let _ = self.jobs.send(Job::Stop).await;
    }

    /// What is durable, as it grows.
    #[must_use]
    pub fn durable(&self) -> Following {
        self.durable.clone()
    }

    /// Entries, once they are durable, that may call for work of the node on a case. Who falls behind is told so, and
    /// looks at all cases.
    #[must_use]
    pub fn case_work(&self) -> broadcast::Receiver<EntryIndex> {
        self.case_work.subscribe()
    }

    /// Waits until all that the store shows now is durable: a row that was read before may then be told of.
    ///
    /// # Errors
    /// `shutting_down` when the engine has ended; when the store cannot be read.
    pub async fn until_durable(&self) -> Result<(), Refusal> {
        let written = self.view().head()?.map_or(0, |head| head.frontier.size());
        self.durable().wait_for(|durable| durable.entries >= written).await.map_err(|_| shutting_down())
    }

    /// The store's rows, for reading.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View::of(&*self.store)
    }

    /// The store, for readers that scan it.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }
}

fn shutting_down() -> Refusal {
    Refusal::new(Code::ShuttingDown, "the node is shutting down")
}
