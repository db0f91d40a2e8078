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
/// A frame takes the line for about this long, so that an urgent one soon gets its turn.
const FRAME_TIME: Duration = Duration::from_millis(250);
/// Payload of a TCP segment on most paths: an Ethernet's 1,500 bytes less IP and TCP with time stamps. A slow line has a
/// frame fill whole ones, since each costs it 52 bytes of headers besides.
const SEGMENT: u64 = 1_448;
/// What TLS, HTTP/2, gRPC and the frame itself add to its content.
const FRAME_OVERHEAD: u64 = 48;
/// Content of a frame, at the least and the most; the rest of 16 KiB is the frame's own.
pub(super) const FRAME_CONTENT_MIN: u64 = SEGMENT - FRAME_OVERHEAD;
const FRAME_CONTENT_MAX: u64 = 15 * 1024;

/// With something in flight, a stream on which nothing was heard for this long is dead: at the least, so that a lost
/// packet that was lost again does not end it, …
const PATIENCE_MIN: Duration = Duration::from_secs(20);
/// … and at the most, also as long as nothing is known of the path.
const PATIENCE_MAX: Duration = Duration::from_secs(45);
/// Round trips of pieces without a sound that mean the same on a slow path.
const PATIENCE_ROUND_TRIPS: u32 = 3;

/// Bytes a second from which a path under load needs no compression: it then costs more time than it saves.
const FAST: u64 = 1024 * 1024;

/// What is in flight beyond what the path holds, in time: the rate shows itself only when there is always something in
/// flight, and whatever waits there cannot be overtaken.
const SLACK: Duration = Duration::from_millis(150);

/// One piece that was sent.
struct Sent {
    /// Bytes sent in the session up to its end.
    end: u64,
    at: Time,
    /// Bytes acknowledged when it was sent, and when that became known.
    delivered: u64,
    delivered_at: Time,
    /// When the piece was sent that had been acknowledged last by then.
    delivered_sent_at: Time,
}

/// The pace of one session's sending side.
pub(super) struct Pace {
    sent: u64,
    acknowledged: u64,
    acknowledged_at: Time,
    /// When the piece was sent that was acknowledged last.
    acknowledged_sent_at: Time,
    in_flight: VecDeque<Sent>,
    rates: VecDeque<u64>,
    round_trip: Option<Duration>,
    /// How long pieces take to be acknowledged, queues included: smoothed as TCP does it (RFC 6298).
    smoothed: Option<Duration>,
}

impl Pace {
    pub(super) fn new(now: Time) -> Self {
        Self {
            sent: 0,
            acknowledged: 0,
            acknowledged_at: now,
            acknowledged_sent_at: now,
            in_flight: VecDeque::new(),
            rates: VecDeque::new(),
            round_trip: None,
            smoothed: None,
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

    /// How long nothing may be heard while something is in flight. Who notices a dead line early has dialled anew by the
    /// time it returns, and does not wait for what TCP has put off.
    pub(super) fn patience(&self) -> Duration {
        let by_path = self.smoothed.map_or(PATIENCE_MAX, |smoothed| smoothed * PATIENCE_ROUND_TRIPS);
        by_path.clamp(PATIENCE_MIN, PATIENCE_MAX)
    }

    /// How many bytes the next piece may have now; 0 means wait for an acknowledgement.
    pub(super) fn allowance(&self, now: Time) -> u64 {
        let rate = self.rate();
        let window = match self.round_trip {
            Some(round_trip) => {
                let time = (round_trip + round_trip.min(SLACK)).as_millis();
                (rate as u128 * time / 1_000) as u64 + 2 * self.frame(rate)
            }
            None => 0,
        };
        let (overdue, _) = self.overdue(now);
        let drained = (rate as u128 * overdue.as_millis() / 1_000) as u64;
        let free = (window.clamp(WINDOW_MIN, WINDOW_MAX) + drained).saturating_sub(self.in_flight());
        let frame = self.frame(rate);
        // A sliver is not worth a frame of its own while others are in flight.
        if free < frame && self.in_flight() > 0 { 0 } else { free.min(frame) }
    }

    /// How long an acknowledgement has been due on a slow path, and how long that counts. What a lost packet holds back
    /// goes on leaving the line: for as long as it takes to send it again, the line is to find something to carry.
    fn overdue(&self, now: Time) -> (Duration, Duration) {
        let rate = self.rate();
        let Some(round_trip) = self.round_trip.filter(|_| rate > 0 && rate < FAST && self.in_flight() > 0) else {
            return (Duration::ZERO, Duration::ZERO);
        };
        let frame_time = Duration::from_millis(self.frame(rate) * 1_000 / rate);
        let most = round_trip + frame_time;
        (now.since(self.acknowledged_at).saturating_sub(frame_time).min(most), most)
    }

    /// When there may be an allowance though nothing is acknowledged by then.
    pub(super) fn opens_at(&self, now: Time) -> Option<Time> {
        let (overdue, most) = self.overdue(now);
        (overdue < most).then(|| now.plus(FRAME_TIME / 4))
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
        let bytes = (rate as u128 * FRAME_TIME.as_millis() / 1_000) as u64;
        (bytes.div_ceil(SEGMENT) * SEGMENT).saturating_sub(FRAME_OVERHEAD).clamp(FRAME_CONTENT_MIN, FRAME_CONTENT_MAX)
    }

    pub(super) fn on_sent(&mut self, bytes: u64, now: Time) {
        if self.in_flight() == 0 {
            // After silence the clock of the next sample starts here, not at the last delivery.
            self.acknowledged_at = now;
            self.acknowledged_sent_at = now;
        }
        self.sent += bytes;
        self.in_flight.push_back(Sent {
            end: self.sent,
            at: now,
            delivered: self.acknowledged,
            delivered_at: self.acknowledged_at,
            delivered_sent_at: self.acknowledged_sent_at,
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
        self.acknowledged_sent_at = sent.at;
        let took = now.since(sent.at);
        self.on_round_trip(took);
        self.smoothed = Some(self.smoothed.map_or(took, |smoothed| (smoothed * 7 + took) / 8));
        // What a lost packet holds back arrives at once with it, and is acknowledged at once: that says nothing of the
        // line. A sample lasts as long as the sending of its bytes took, if that was longer.
        let took = now.since(sent.delivered_at).max(sent.at.since(sent.delivered_sent_at));
        let took = took.max(Duration::from_millis(1)).as_millis() as u64;
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

    /// A line of `rate` bytes a second with a round trip, and a sender that always has more: bytes a second that came
    /// through, and the longest queue in milliseconds. Of `one_in` pieces one is lost (none of 0), and holds back what
    /// comes after it until it was sent again.
    fn settle(rate: u64, round_trip_ms: u64, one_in: u64) -> (u64, u64) {
        let mut pace = Pace::new(Time::from_millis(1_000));
        let (mut now, mut line_free, mut queue, mut deepest) = (1_000_u64, 1_000_u64, VecDeque::new(), 0_u64);
        let (mut pieces, mut held_until, mut carried) = (0_u64, 0_u64, 0_u64);
        for _ in 0..16_000 {
            let bytes = pace.allowance(Time::from_millis(now));
            if bytes > 0 {
                pace.on_sent(bytes, Time::from_millis(now));
                line_free = line_free.max(now) + (bytes * 1_000 / rate).max(1);
                carried += bytes;
                deepest = deepest.max(line_free - now);
                pieces += 1;
                if one_in > 0 && pieces.is_multiple_of(one_in) {
                    held_until = line_free + 2 * round_trip_ms;
                }
                queue.push_back(((line_free + round_trip_ms).max(held_until), pace.sent()));
                continue;
            }
            let (at, end) = *queue.front().expect("something is in flight");
            let opens = pace.opens_at(Time::from_millis(now)).map_or(u64::MAX, Time::millis);
            now = now.max(at.min(opens));
            if now >= at {
                queue.pop_front();
                pace.on_acknowledged(end, Time::from_millis(now));
            }
        }
        (carried * 1_000 / (now.max(line_free) - 1_000), deepest)
    }

    #[test]
    fn a_satellite_line_is_filled_and_its_queue_stays_short() {
        let (rate, queue_ms) = settle(8_000, 600, 0);
        assert!(rate > 7_200, "{rate} bytes a second of 8,000");
        assert!(queue_ms < 2_500, "{queue_ms} ms of queue");
    }

    #[test]
    fn what_arrives_at_once_after_a_loss_is_not_taken_for_a_faster_line() {
        for one_in in [5, 17, 30, 60] {
            let (rate, queue_ms) = settle(8_000, 600, one_in);
            assert!(queue_ms < 2_500, "one of {one_in} is lost: {queue_ms} ms of queue at {rate} bytes a second");
        }
    }

    #[test]
    fn a_fast_line_is_filled() {
        let (rate, _) = settle(12_000_000, 20, 0);
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
