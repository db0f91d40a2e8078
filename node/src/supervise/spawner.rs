//! Short-lived tasks of a room: one for each connection, session or stream. Counted and awaited.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::time::{Instant, timeout_at};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Starts short-lived tasks. Clones share the count and the token.
#[derive(Clone, Debug)]
pub struct Spawner {
    tracker: TaskTracker,
    token: CancellationToken,
}

impl Spawner {
    /// A spawner whose tasks are told to end by `token`.
    #[must_use]
    pub fn new(token: CancellationToken) -> Self {
        Self { tracker: TaskTracker::new(), token }
    }

    /// What tells the tasks to end; give them a clone or a child of it.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Starts `future`. A panic in it is logged under `name` and ends this task alone: what it holds is one
    /// connection, and a peer must not be able to stop the node for all others.
    pub fn spawn<F>(&self, name: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(async move {
            if let Err(payload) = AssertUnwindSafe(future).catch_unwind().await {
                super::discard(payload);
                tracing::error!(task = name, "short-lived task panicked");
            }
        });
    }

    /// How many run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.tracker.len()
    }

    /// Waits until all have ended, or until `deadline`; says whether they have.
    pub async fn ended_by(&self, deadline: Instant) -> bool {
        self.tracker.close();
        timeout_at(deadline, self.tracker.wait()).await.is_ok()
    }
}
