//! Work that waits for a disk or reads many rows, kept off the threads that carry connections.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::runtime::{Handle, RuntimeFlavor};

/// The work panicked; the log has the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a task of the node failed; see its log")]
pub struct Lost;

/// Runs `work` on a thread that may wait. On a runtime of one thread, as that of a simulation, there is nobody to be kept
/// waiting but who asked for it: it then runs in place, so that every run goes the same way.
///
/// # Errors
/// [`Lost`] when it panicked.
pub async fn offload<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Lost> {
    if Handle::current().runtime_flavor() != RuntimeFlavor::CurrentThread {
        return tokio::task::spawn_blocking(work).await.map_err(|_| Lost);
    }
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        super::discard(payload);
        Lost
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn outcomes() -> (Result<u8, Lost>, Result<u8, Lost>) {
        let fails = || -> u8 { panic!("on purpose") };
        (offload(|| 7).await, offload(fails).await)
    }

    #[tokio::test]
    async fn on_one_thread_work_runs_in_place_and_its_panic_is_an_error() {
        assert_eq!(outcomes().await, (Ok(7), Err(Lost)));
        let here = std::thread::current().id();
        assert_eq!(offload(|| std::thread::current().id()).await, Ok(here));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn on_several_threads_it_runs_on_one_that_may_wait() {
        assert_eq!(outcomes().await, (Ok(7), Err(Lost)));
        let here = std::thread::current().id();
        assert_ne!(offload(|| std::thread::current().id()).await, Ok(here));
    }
}
