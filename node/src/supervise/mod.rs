//! Every task of the node by name, with what its end means and when it is stopped. The only place
//! that starts tasks and that listens to signals.
//!
//! A stop goes through the phases in their order: nothing new comes in, then the peers are let go,
//! then the engine decides what it has, then the store closes. Each phase has a share of the ten
//! seconds; what does not end in time is named in the log and left behind.

mod offload;
mod spawner;
mod task;

use std::{any::Any, panic::AssertUnwindSafe, pin::Pin, time::Duration};

use futures_util::{FutureExt, Stream, StreamExt, stream};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

pub use offload::{Lost, offload};
pub use spawner::Spawner;
pub use task::{OnEnd, Phase, Task};

/// Why the process ends, and with which code it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Stopped as asked.
    Clean,
    /// A task that the node cannot do without failed, panicked or ended.
    Failed,
    /// Stopped as asked, but something did not end in time.
    Overdue,
    /// A second signal cut the stop short.
    Interrupted,
}

impl Exit {
    /// The exit code: 0 clean, 1 failed, 3 overdue, 130 interrupted.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Failed => 1,
            Self::Overdue => 3,
            Self::Interrupted => 130,
        }
    }
}

/// How a task ended.
enum Outcome {
    Finished,
    Failed(anyhow::Error),
    Panicked,
}

/// The tasks of one phase: the long-lived ones, and the short-lived ones that these start.
struct Stage {
    phase: Phase,
    token: CancellationToken,
    tasks: JoinSet<(Task, Outcome)>,
    running: Vec<Task>,
    spawner: Spawner,
}

/// Runs the tasks of the node until it is told to stop or one of them must not go on without.
pub struct Supervisor {
    stages: Vec<Stage>,
    signals: Pin<Box<dyn Stream<Item = ()> + Send>>,
}

impl Supervisor {
    /// A supervisor that stops at SIGTERM or SIGINT. Signals count from here on, so make it before anything that
    /// takes long; needs a runtime.
    ///
    /// # Errors
    /// When the process may not handle signals.
    pub fn new() -> std::io::Result<Self> {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let terminate = stream::poll_fn(move |context| terminate.poll_recv(context));
        let interrupt = stream::poll_fn(move |context| interrupt.poll_recv(context));
        Ok(Self::with_signals(stream::select(terminate, interrupt)))
    }

    /// A supervisor that takes each item of `signals` for a signal; the end of the stream means nothing. For nodes
    /// that run inside another program, as simulations do.
    pub fn with_signals(signals: impl Stream<Item = ()> + Send + 'static) -> Self {
        let stage = |phase| {
            let token = CancellationToken::new();
            let spawner = Spawner::new(token.clone());
            Stage { phase, token, tasks: JoinSet::new(), running: Vec::new(), spawner }
        };
        Self { stages: Phase::ORDER.map(stage).into(), signals: Box::pin(signals.chain(stream::pending())) }
    }

    /// The token that tells the tasks of `phase` to end.
    #[must_use]
    pub fn token(&self, phase: Phase) -> CancellationToken {
        self.stage(phase).token.clone()
    }

    /// For short-lived tasks of a room of `phase`, such as one for each connection.
    #[must_use]
    pub fn spawner(&self, phase: Phase) -> Spawner {
        self.stage(phase).spawner.clone()
    }

    /// Starts `task`. It has to end soon after the token of its phase is cancelled; until then its end, whether with
    /// an error, in a panic or in peace, is what [`Task::on_end`] says. To watch a thread, give a future that waits
    /// for it.
    pub fn spawn<F>(&mut self, task: Task, future: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stage = &mut self.stages[task.phase().index()];
        stage.running.push(task);
        stage.tasks.spawn(async move {
            let outcome = match AssertUnwindSafe(future).catch_unwind().await {
                Ok(Ok(())) => Outcome::Finished,
                Ok(Err(fault)) => Outcome::Failed(fault),
                Err(payload) => {
                    discard(payload);
                    Outcome::Panicked
                }
            };
            (task, outcome)
        });
    }

    /// Waits for a signal or for the end of a task that the node cannot do without, then stops everything, phase by
    /// phase. A second signal returns at once: end the process then, without waiting for the runtime.
    pub async fn run_until_signal(mut self) -> Exit {
        let asked = loop {
            let ended = tokio::select! {
                biased;
                _ = self.signals.next() => break true,
                ended = next_end(&mut self.stages) => ended,
            };
            if stops_the_node(&ended) {
                break false;
            }
        };
        tracing::info!(asked, "the node stops");
        crate::systemd::stopping();
        let stopped = tokio::select! {
            biased;
            stopped = stop(&mut self.stages) => stopped,
            _ = self.signals.next() => {
                tracing::warn!("second signal: the node ends at once");
                return Exit::Interrupted;
            }
        };
        match (asked, stopped) {
            (true, exit) => exit,
            (false, _) => Exit::Failed,
        }
    }

    fn stage(&self, phase: Phase) -> &Stage {
        &self.stages[phase.index()]
    }
}

/// The next task to end, in whatever phase. Never ready when there is none.
async fn next_end(stages: &mut [Stage]) -> (Task, Outcome) {
    let waiting = stages.iter_mut().map(|stage| Box::pin(stage.next_end()));
    futures_util::future::select_all(waiting).await.0
}

/// Logs how a task ended, and says whether the node can go on without it.
fn stops_the_node((task, outcome): &(Task, Outcome)) -> bool {
    let vital = task.on_end() == OnEnd::StopNode;
    match outcome {
        Outcome::Panicked => tracing::error!(%task, "task panicked"),
        Outcome::Failed(fault) => tracing::error!(%task, vital, "task failed: {fault:#}"),
        Outcome::Finished if vital => tracing::error!(%task, "task ended without being asked to"),
        Outcome::Finished => tracing::info!(%task, "task ended"),
    }
    vital || matches!(outcome, Outcome::Panicked)
}

/// Ends the phases one after another.
async fn stop(stages: &mut [Stage]) -> Exit {
    let begun = Instant::now();
    let mut exit = Exit::Clean;
    for stage in stages {
        let ended = stage.stop(begun + stage.phase.ends_within()).await;
        exit = match (exit, ended) {
            (Exit::Failed, _) | (_, Exit::Failed) => Exit::Failed,
            (Exit::Overdue, _) => Exit::Overdue,
            (_, ended) => ended,
        };
    }
    exit
}

impl Stage {
    async fn next_end(&mut self) -> (Task, Outcome) {
        loop {
            match self.tasks.join_next().await {
                Some(Ok((task, outcome))) => {
                    if let Some(place) = self.running.iter().position(|running| *running == task) {
                        self.running.swap_remove(place);
                    }
                    return (task, outcome);
                }
                // Only an aborted task gets here, since panics are caught inside, and only `stop` aborts.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Cancels the phase and waits for its tasks until `deadline`; a task that then fails counts, one that is still
    /// running is aborted.
    async fn stop(&mut self, deadline: Instant) -> Exit {
        self.token.cancel();
        let mut exit = Exit::Clean;
        while !self.running.is_empty() {
            match timeout_at(deadline, self.next_end()).await {
                Ok((_, Outcome::Finished)) => {}
                Ok((task, Outcome::Failed(fault))) => {
                    tracing::error!(%task, "task failed while stopping: {fault:#}");
                    exit = Exit::Failed;
                }
                Ok((task, Outcome::Panicked)) => {
                    tracing::error!(%task, "task panicked while stopping");
                    exit = Exit::Failed;
                }
                Err(_) => {
                    let names: Vec<String> = self.running.iter().map(Task::to_string).collect();
                    tracing::error!(phase = %self.phase, tasks = names.join(", "), "did not end in time");
                    self.tasks.abort_all();
                    return Exit::Overdue;
                }
            }
        }
        if !self.spawner.ended_by(deadline).await {
            tracing::error!(phase = %self.phase, tasks = self.spawner.running(), "short-lived tasks did not end in time");
            exit = if exit == Exit::Clean { Exit::Overdue } else { exit };
        }
        exit
    }
}

/// Drops the payload of a panic, which may hold personal data. The hook of `telemetry` has logged the place. A
/// payload whose own drop panics is leaked rather than let through.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = std::panic::catch_unwind(AssertUnwindSafe(move || drop(payload))) {
        std::mem::forget(again);
    }
}

/// The whole of a stop, from the signal to the end of the last phase.
pub const STOP_WITHIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
