//! When to dial a peer again. A pure rule: failures so far, what waits, and a jitter that is given.

use std::time::Duration;

use minicbor::{Decode, Encode};

use crate::time::Time;

/// What waits for the peer, the most pressing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waiting {
    /// Nothing.
    Nothing,
    /// Routine or bulk envelopes.
    Routine,
    /// Urgent ones.
    Urgent,
}

impl Waiting {
    /// The longest pause between two dials. With an alert in hand a returning link is found within
    /// seconds; a dial into a dead line costs one small packet.
    fn longest(self) -> Duration {
        match self {
            Self::Nothing => Duration::from_secs(300),
            Self::Routine => Duration::from_secs(15),
            Self::Urgent => Duration::from_secs(3),
        }
    }
}

/// How dialling a peer has gone. Kept over restarts, so that a node in a restart loop is gentle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Backoff {
    /// Dials in a row that failed.
    #[n(0)]
    pub failures: u32,
    /// When the last of them was given up.
    #[n(1)]
    pub failed_at: Time,
}

impl Backoff {
    /// After one more failed dial.
    #[must_use]
    pub fn failed(self, now: Time) -> Self {
        Self { failures: self.failures.saturating_add(1), failed_at: now }
    }

    /// When to dial next. `jitter` is a fresh random byte: the pause is 50 to 100 % of what the
    /// failures ask for, so that ten nodes do not return in step.
    #[must_use]
    pub fn next_dial(self, waiting: Waiting, jitter: u8) -> Time {
        crate::defect!(ForgetBackoff => return self.failed_at);
        if self.failures == 0 {
            return self.failed_at;
        }
        let doublings = (self.failures - 1).min(16);
        let pause = Duration::from_millis(500 << doublings).min(waiting.longest());
        let eased = pause / 2 + pause * u32::from(jitter) / 510;
        self.failed_at.plus(eased)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_cap_and_no_further() {
        let start = Time::from_millis(1_000_000);
        for (waiting, cap) in [(Waiting::Nothing, 300_000), (Waiting::Routine, 15_000), (Waiting::Urgent, 3_000)] {
            let mut backoff = Backoff::default();
            let mut last = 0;
            for round in 0..100 {
                backoff = backoff.failed(start);
                let (least, most) = (backoff.next_dial(waiting, 0), backoff.next_dial(waiting, u8::MAX));
                let most = most.since(start).as_millis();
                assert!(most >= last && most <= cap, "round {round}: {most} ms");
                assert_eq!(least.since(start).as_millis(), most / 2, "round {round}");
                last = most;
            }
            assert_eq!(last, cap);
        }
    }

    #[test]
    fn contact_resets_the_pause() {
        assert_eq!(Backoff::default().next_dial(Waiting::Nothing, 200), Time::default());
    }
}
