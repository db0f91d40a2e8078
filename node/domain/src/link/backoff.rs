//! When to dial a peer again. A pure rule: failures so far, what waits, and a jitter that is given.

use std::time::Duration;

use minicbor::{Decode, Encode};

use crate::time::Time;

/// The pause after the first failure, of which jitter takes up to half.
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// Systems send the first packet of a connection again after one second and then after one or two more: within this
/// time goes the last of them that is worth waiting for.
const PACKETS_WITHIN: Duration = Duration::from_secs(2);
/// One of so many dials waits twice as long, and one of so many of those for as long as a dial may last.
const LONG_DIAL_EVERY: u32 = 8;

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
    /// The longest pause between two dials after so many failures. With an alert in hand a returning link is found
    /// within seconds; a dial into a dead line costs a few small packets. The longer the line is dead, the less it
    /// matters, so that the pause grows with what it is a small part of: a second after some ten minutes.
    fn longest(self, failures: u32) -> Duration {
        let part = Duration::from_millis(8) * failures;
        match self {
            Self::Nothing => Duration::from_secs(300),
            Self::Routine => part.clamp(PAUSE_MIN, Duration::from_secs(15)),
            Self::Urgent => part.clamp(PAUSE_MIN, Duration::from_secs(3)),
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
        let pause = (PAUSE_MIN * (1 << doublings)).min(waiting.longest(self.failures));
        let eased = pause / 2 + pause * u32::from(jitter) / 510;
        self.failed_at.plus(eased)
    }

    /// How long the next dial waits for the peer to answer at all, `most` at the longest, when the link's last round
    /// trip was this long. The system sends the first packet of a dial ever more rarely, a new dial at once: when the
    /// line returns, that one finds it. Some dials wait for long all the same, since the round trip may have grown.
    #[must_use]
    pub fn patience(self, round_trip: Option<Duration>, most: Duration) -> Duration {
        let Some(known) = round_trip else { return most };
        let usual = PACKETS_WITHIN + known * 3 / 2;
        let patience = match (self.failures % LONG_DIAL_EVERY, self.failures / LONG_DIAL_EVERY % LONG_DIAL_EVERY) {
            (0, 0) => most,
            (0, _) => usual * 2,
            _ => usual,
        };
        patience.min(most)
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
            for round in 0..2_000 {
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
    fn what_waits_is_tried_each_few_seconds_in_the_first_minutes() {
        let (mut backoff, mut now, start) = (Backoff::default(), Time::from_millis(1_000), Time::from_millis(1_000));
        let (round_trip, most) = (Some(Duration::from_millis(620)), Duration::from_secs(10));
        while now.since(start) < Duration::from_secs(300) {
            let ended = now.plus(backoff.patience(round_trip, most));
            backoff = backoff.failed(ended);
            now = backoff.next_dial(Waiting::Routine, u8::MAX);
            assert!(now.since(ended) <= Duration::from_millis(800), "{} failures", backoff.failures);
        }
        assert!((50..100).contains(&backoff.failures), "{} dials", backoff.failures);
    }

    #[test]
    fn a_dial_waits_by_what_is_known_of_the_line_and_some_wait_for_longer() {
        let most = Duration::from_secs(10);
        for (failures, round_trip, millis) in [
            (1, None, 10_000),
            (1, Some(1), 2_001),
            (1, Some(600), 2_900),
            (1, Some(9_000), 10_000),
            (8, Some(600), 5_800),
            (63, Some(600), 2_900),
            (64, Some(600), 10_000),
        ] {
            let backoff = Backoff { failures, failed_at: Time::default() };
            let patience = backoff.patience(round_trip.map(Duration::from_millis), most);
            assert_eq!(patience.as_millis(), millis, "{failures} failures, {round_trip:?} ms");
        }
    }

    #[test]
    fn contact_resets_the_pause() {
        assert_eq!(Backoff::default().next_dial(Waiting::Nothing, 200), Time::default());
    }
}
