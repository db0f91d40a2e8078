//! How many bytes may be in flight: a small multiple of what the path delivers in one round trip,
//! measured, so that an urgent envelope never waits behind a queue in somebody's modem, and nothing
//! is sent twice because it was thought lost while it sat in a socket.
//!
//! The estimate is that of BBR (delivered bytes over the time that delivered them, the best of the
//! recent samples), kept over the application's own acknowledgements.

use std::{collections::VecDeque, time::Duration};

use crate::time::Time;

/// In flight at the least: enough to learn the rate, and three progress reports of a slow receiver.
const WINDOW_MIN: u64 = 12 * 1024;
/// In flight at the most: what a fast path and a batched commit can use; a bound on memory.
const WINDOW_MAX: u64 = 4 * 1024 * 1024;
/// Bytes after which a receiver reports progress if no receipt did.
pub(super) const PROGRESS_EVERY: u64 = 4 * 1024;
/// Samples of the rate that count.
const SAMPLES: usize = 8;
/// A frame takes the line for at most this long, so that an urgent one soon gets its turn.
const FRAME_TIME: Duration = Duration::from_millis(250);
/// Content of a frame, at the least and the most; the rest of 16 KiB is the frame's own.
pub(super) const FRAME_CONTENT_MIN: u64 = 2 * 1024;
const FRAME_CONTENT_MAX: u64 = 15 * 1024;

/// Bytes a second from which a path under load needs no compression: it then costs more time than it saves.
const FAST: u64 = 1024 * 1024;

/// One piece that was sent.
struct Sent {
    /// Bytes sent in the session up to its end.
    end: u64,
    at: Time,
    /// Bytes acknowledged when it was sent, and when that became known.
    delivered: u64,
    delivered_at: Time,
}

/// The pace of one session's sending side.
pub(super) struct Pace {
    sent: u64,
    acknowledged: u64,
    acknowledged_at: Time,
    in_flight: VecDeque<Sent>,
    rates: VecDeque<u64>,
    round_trip: Option<Duration>,
}

impl Pace {
    pub(super) fn new(now: Time) -> Self {
        Self {
            sent: 0,
            acknowledged: 0,
            acknowledged_at: now,
            in_flight: VecDeque::new(),
            rates: VecDeque::new(),
            round_trip: None,
        }
    }

    /// Bytes of parcels sent in this session.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes in flight.
    pub(super) fn in_flight(&self) -> u64 {
        self.sent - self.acknowledged
    }

    /// The shortest round trip seen.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// How many bytes the next piece may have now; 0 means wait for an acknowledgement.
    pub(super) fn allowance(&self) -> u64 {
        let rate = self.rate();
        let window = match self.round_trip {
            // Twice the path: the rate shows itself only when there is always something in flight.
            Some(round_trip) => (rate as u128 * 2 * round_trip.as_millis() / 1_000) as u64 + 2 * self.frame(rate),
            None => 0,
        };
        let free = window.clamp(WINDOW_MIN, WINDOW_MAX).saturating_sub(self.in_flight());
        let frame = self.frame(rate);
        // A sliver is not worth a frame of its own while others are in flight.
        if free < frame.min(FRAME_CONTENT_MIN) && self.in_flight() > 0 { 0 } else { free.min(frame) }
    }

    /// Bytes a second that the path delivers, by the best recent sample; 0 while unknown.
    fn rate(&self) -> u64 {
        self.rates.iter().copied().max().unwrap_or(0)
    }

    /// Whether the next bytes are worth the time that it takes to deflate them: they go alone, so that nothing waits
    /// for the processor, or the path is slow, as it counts as long as nothing is known of it.
    pub(super) fn is_deflation_worth(&self) -> bool {
        self.in_flight() == 0 || self.rate() < FAST
    }

    fn frame(&self, rate: u64) -> u64 {
        if rate == 0 {
            return FRAME_CONTENT_MIN;
        }
        ((rate as u128 * FRAME_TIME.as_millis() / 1_000) as u64).clamp(FRAME_CONTENT_MIN, FRAME_CONTENT_MAX)
    }

    pub(super) fn on_sent(&mut self, bytes: u64, now: Time) {
        if self.in_flight() == 0 {
            // After silence the clock of the next sample starts here, not at the last delivery.
            self.acknowledged_at = now;
        }
        self.sent += bytes;
        self.in_flight.push_back(Sent {
            end: self.sent,
            at: now,
            delivered: self.acknowledged,
            delivered_at: self.acknowledged_at,
        });
    }

    /// Everything up to `end` bytes of the session has arrived.
    pub(super) fn on_acknowledged(&mut self, end: u64, now: Time) {
        let end = end.min(self.sent);
        if end <= self.acknowledged {
            return;
        }
        let mut newest = None;
        while self.in_flight.front().is_some_and(|sent| sent.end <= end) {
            newest = self.in_flight.pop_front();
        }
        self.acknowledged = end;
        self.acknowledged_at = now;
        let Some(sent) = newest else { return };
        self.on_round_trip(now.since(sent.at));
        let took = now.since(sent.delivered_at).max(Duration::from_millis(1)).as_millis() as u64;
        let rate = (end - sent.delivered).saturating_mul(1_000) / took;
        self.rates.push_back(rate);
        if self.rates.len() > SAMPLES {
            self.rates.pop_front();
        }
    }

    pub(super) fn on_round_trip(&mut self, sample: Duration) {
        let sample = sample.max(Duration::from_millis(1));
        self.round_trip = Some(self.round_trip.map_or(sample, |shortest| shortest.min(sample)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of `rate` bytes a second with a round trip, and a sender that always has more.
    fn settle(rate: u64, round_trip_ms: u64) -> (u64, u64) {
        let mut pace = Pace::new(Time::from_millis(1_000));
        let (mut now, mut line_free, mut queue, mut deepest) = (1_000_u64, 1_000_u64, VecDeque::new(), 0_u64);
        for _ in 0..4_000 {
            let bytes = pace.allowance();
            if bytes > 0 {
                pace.on_sent(bytes, Time::from_millis(now));
                line_free = line_free.max(now) + (bytes * 1_000 / rate).max(1);
                deepest = deepest.max(line_free - now);
                queue.push_back((line_free + round_trip_ms, pace.sent()));
                continue;
            }
            let (at, end) = queue.pop_front().expect("something is in flight");
            now = now.max(at);
            pace.on_acknowledged(end, Time::from_millis(now));
        }
        (pace.sent() * 1_000 / (now - 1_000), deepest)
    }

    #[test]
    fn a_satellite_line_is_filled_and_its_queue_stays_short() {
        let (rate, queue_ms) = settle(8_000, 600);
        assert!(rate > 7_200, "{rate} bytes a second of 8,000");
        assert!(queue_ms < 2_500, "{queue_ms} ms of queue");
    }

    #[test]
    fn a_fast_line_is_filled() {
        let (rate, _) = settle(12_000_000, 20);
        assert!(rate > 9_500_000, "{rate} bytes a second of 12,000,000");
    }

    #[test]
    fn acknowledging_more_than_was_sent_is_harmless() {
        let mut pace = Pace::new(Time::default());
        pace.on_sent(10, Time::default());
        pace.on_acknowledged(u64::MAX, Time::from_millis(5));
        assert_eq!(pace.in_flight(), 0);
    }
}
