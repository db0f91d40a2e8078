//! When receipts over plain alerts go out. A receipt is cumulative, and costs the line and both nodes the same whether it
//! is over one alert or a hundred: a few go at once, so that whoever sends now and then is told at once, and in a steady
//! trickle they are gathered.

use std::time::Duration;

/// Receipts that may go out at once, one after another.
const AT_ONCE: u32 = 8;
/// One more in this time: no alert waits longer for its receipt.
const EVERY: Duration = Duration::from_millis(500);

/// How many receipts may go out. Its time is how long the node's clock has run, which nobody sets: a clock that is put back
/// must not keep a receipt.
#[derive(Clone, Debug)]
pub struct ReceiptPace {
    left: u32,
    counted_at: Duration,
}

impl ReceiptPace {
    /// At the beginning of a session.
    #[must_use]
    pub fn new(now: Duration) -> Self {
        Self { left: AT_ONCE, counted_at: now }
    }

    /// Whether a receipt may go out now; then it counts.
    pub fn admit(&mut self, now: Duration) -> bool {
        let passed =
            u32::try_from(now.saturating_sub(self.counted_at).as_millis() / EVERY.as_millis()).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(passed).min(AT_ONCE);
        self.counted_at = if self.left == AT_ONCE { now } else { self.counted_at + EVERY * passed };
        let admitted = self.left > 0;
        self.left = self.left.saturating_sub(1);
        admitted
    }

    /// When the next may go out, after one that may not.
    #[must_use]
    pub fn next(&self) -> Duration {
        self.counted_at + EVERY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When receipts go out for alerts that come every `gap_ms`.
    fn receipts(gap_ms: u64, alerts: u64) -> Vec<u64> {
        let mut pace = ReceiptPace::new(Duration::from_millis(0));
        let mut given = Vec::new();
        let mut waits = false;
        for now in 0..alerts * gap_ms {
            let comes = now % gap_ms == 0;
            if comes && !waits || waits && pace.next() <= Duration::from_millis(now) {
                waits = !pace.admit(Duration::from_millis(now));
                given.extend((!waits).then_some(now));
            }
        }
        given
    }

    #[test]
    fn who_sends_now_and_then_is_told_at_once() {
        for gap in [500, 1_000, 60_000] {
            let expected: Vec<u64> = (0..12).map(|n| n * gap).collect();
            assert_eq!(receipts(gap, 12), expected, "every {gap} ms");
        }
    }

    #[test]
    fn in_a_steady_trickle_there_are_two_a_second_after_the_first_few() {
        let given = receipts(50, 400);
        assert!(given.len() <= 8 + 2 * 20, "{} receipts for 400 alerts in 20 s", given.len());
        assert!(given.windows(2).all(|pair| pair[1] - pair[0] <= 550), "{given:?}");
        assert_eq!(given[..8], [0, 50, 100, 150, 200, 250, 300, 350]);
    }
}
