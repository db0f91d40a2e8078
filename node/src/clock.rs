//! What time it is. The only file that asks the operating system for the wall time; everybody else
//! takes a [`Clock`], so that tests set the time.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use passerelle_domain::time::Time;

/// A source of time.
pub trait Clock: Send + Sync {
    /// The wall time. It may jump, forwards and backwards, when somebody or NTP sets the clock: whoever needs an
    /// order keeps one of its own, as the engine does for the times in the journal.
    fn now(&self) -> Time;

    /// How long this clock has run. Never runs backwards; says nothing about the wall time. For timeouts, rates and
    /// ages within one life of the process.
    fn monotonic(&self) -> Duration;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic reading starts at zero.
    #[must_use]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    /// A machine whose clock stands before 1970 reads as 1970.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the wall time")]
    fn now(&self) -> Time {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock that stands still until it is told otherwise. Clones show the same time.
#[derive(Clone, Debug)]
pub struct TestClock {
    reading: Arc<Mutex<(Time, Duration)>>,
}

impl TestClock {
    /// A clock standing at `now`, its monotonic reading at zero.
    #[must_use]
    pub fn at(now: Time) -> Self {
        Self { reading: Arc::new(Mutex::new((now, Duration::ZERO))) }
    }

    /// Lets `duration` pass, on the wall and on the monotonic reading.
    pub fn advance(&self, duration: Duration) {
        let mut reading = self.reading.lock();
        reading.0 = reading.0.plus(duration);
        reading.1 = reading.1.saturating_add(duration);
    }

    /// Sets the wall time, backwards too, as a person or NTP would; the monotonic reading stays.
    pub fn set_wall(&self, now: Time) {
        self.reading.lock().0 = now;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Time {
        self.reading.lock().0
    }

    fn monotonic(&self) -> Duration {
        self.reading.lock().1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_reads_this_century_and_runs_on() {
        let clock = SystemClock::new();
        let this_century: Time = "2026-01-01T00:00:00Z".parse().expect("a time");
        assert!(clock.now() > this_century);
        let before = clock.monotonic();
        assert!(clock.monotonic() >= before);
    }

    #[test]
    fn clones_of_a_test_clock_share_the_time_and_only_the_wall_goes_back() {
        let clock = TestClock::at(Time::from_millis(10_000));
        let same = clock.clone();
        clock.advance(Duration::from_secs(5));
        assert_eq!((same.now().millis(), same.monotonic()), (15_000, Duration::from_secs(5)));
        clock.set_wall(Time::from_millis(1));
        assert_eq!((same.now().millis(), same.monotonic()), (1, Duration::from_secs(5)));
    }
}
