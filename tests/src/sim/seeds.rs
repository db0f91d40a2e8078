//! Seeds one after another, or several at once. Touches nothing.

use std::{
    ops::{ControlFlow, RangeInclusive},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use parking_lot::Mutex;

/// Does `one` for each seed of a range in its order, `jobs` at once. After one that breaks off no other begins; those
/// under way, among which are all below it that were not done, come to their end.
///
/// # Errors
/// The last one of `one`; no other seed begins after it.
pub(super) fn each_seed(
    seeds: RangeInclusive<u64>,
    jobs: usize,
    one: impl Fn(u64) -> anyhow::Result<ControlFlow<()>> + Sync,
) -> anyhow::Result<()> {
    let (next, stopped) = (AtomicU64::new(*seeds.start()), AtomicBool::new(false));
    let failed = Mutex::new(None);
    let work = || {
        while !stopped.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !seeds.contains(&seed) {
                return;
            }
            let outcome = one(seed);
            let goes_on = matches!(outcome, Ok(ControlFlow::Continue(())));
            stopped.fetch_or(!goes_on, Ordering::Relaxed);
            if let Err(error) = outcome {
                *failed.lock() = Some(error);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(work);
        }
    });
    failed.into_inner().map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_done_once_up_to_one_that_breaks_off() {
        for jobs in [0, 1, 3] {
            let done = Mutex::new(Vec::new());
            let outcome = each_seed(3..=40, jobs, |seed| {
                done.lock().push(seed);
                Ok(if seed == 20 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            });
            assert!(outcome.is_ok());
            let mut done = done.into_inner();
            done.sort_unstable();
            let last = done.last().copied().unwrap_or_default();
            assert!(last >= 20 && done == (3..=last).collect::<Vec<_>>(), "{done:?}");
        }
        assert!(each_seed(1..=2, 1, |_| anyhow::bail!("no folder")).is_err());
    }
}
