//! The clock of a simulated machine: virtual time, and how far somebody has set it off.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use passerelle_domain::time::Time;
use passerelle_node::clock::Clock;
use tokio::time::Instant;

/// When every simulation begins, by the right clock: 2026-11-20, 08:00 UTC.
pub const BEGINS: Time = Time::from_millis(1_795_161_600_000);

/// A machine's clock. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct SimClock {
    began: Instant,
    off: Arc<AtomicI64>,
}

impl SimClock {
    /// A clock that is right, on a simulation that begins now.
    #[must_use]
    pub fn new() -> Self {
        Self { began: Instant::now(), off: Arc::default() }
    }

    /// Sets it so many milliseconds off the right time, forwards or backwards.
    pub fn set_off(&self, millis: i64) {
        self.off.store(millis, Ordering::Relaxed);
    }
}

impl Default for SimClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SimClock {
    fn now(&self) -> Time {
        let off = self.off.load(Ordering::Relaxed);
        let right = BEGINS.plus(self.began.elapsed());
        let by = Duration::from_millis(off.unsigned_abs());
        if off < 0 { right.minus(by) } else { right.plus(by) }
    }

    fn monotonic(&self) -> Duration {
        self.began.elapsed()
    }
}
