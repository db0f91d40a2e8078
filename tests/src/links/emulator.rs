//! A poor line in user space: reads IP packets from one TUN device and writes them to another, late, at a line's rate,
//! out of a queue that drops what does not fit, and not all of them. Runs on a thread of its own; touches the devices
//! alone.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio_tun::Tun;
use tokio_util::sync::CancellationToken;

use super::profile::Line;

/// Longest packet of the devices.
pub(super) const MTU: usize = 1_500;

/// What the runtime's timer counts in.
const TIMER: Duration = Duration::from_millis(1);

/// What one direction has carried so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Packets that an end gave to the line, whatever became of them, and their bytes.
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// Packets lost by chance.
    pub(super) lost: u64,
    /// Packets for which the queue had no room.
    pub(super) overflowed: u64,
    /// Packets that met a line that was down.
    pub(super) cut: u64,
    /// Bytes of TCP payload that had been given to the line before.
    pub(super) resent: u64,
}

impl Tally {
    /// What was added since `earlier`.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            packets: self.packets - earlier.packets,
            bytes: self.bytes - earlier.bytes,
            lost: self.lost - earlier.lost,
            overflowed: self.overflowed - earlier.overflowed,
            cut: self.cut - earlier.cut,
            resent: self.resent - earlier.resent,
        }
    }
}

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It arrives when the line has this age.
    Arrives(Duration),
    Lost,
    Overflows,
    Cut,
}

/// One direction of a line, as a rule without a clock: every time is the age of the line.
struct Way {
    line: Line,
    /// When the line has sent all that it has taken.
    busy_until: Duration,
    /// State of the generator (SplitMix64: the same seed loses the same packets).
    chance: u64,
    /// Of each TCP connection, by its ports, the end of what was sent.
    sent: HashMap<[u8; 4], u32>,
}

impl Way {
    fn new(line: Line, seed: u64) -> Self {
        Self { line, busy_until: Duration::ZERO, chance: seed, sent: HashMap::new() }
    }

    fn offer(&mut self, now: Duration, bytes: usize, is_down: bool) -> Fate {
        if is_down {
            return Fate::Cut;
        }
        let waiting = self.busy_until.saturating_sub(now).as_secs_f64() * self.bytes_a_second();
        if waiting + bytes as f64 > self.line.queue as f64 {
            return Fate::Overflows;
        }
        let takes = Duration::from_secs_f64(bytes as f64 / self.bytes_a_second());
        self.busy_until = self.busy_until.max(now) + takes;
        if self.draw() < self.line.loss {
            return Fate::Lost;
        }
        Fate::Arrives(self.busy_until + self.line.one_way)
    }

    fn bytes_a_second(&self) -> f64 {
        self.line.rate as f64 / 8.0
    }

    /// A number from 0 to 1.
    fn draw(&mut self) -> f64 {
        self.chance = self.chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Bytes of a packet's TCP payload that its connection has sent before.
    fn resent(&mut self, packet: &[u8]) -> u64 {
        let Some(Segment { ports, begin, payload }) = Segment::read(packet) else { return 0 };
        let end = begin.wrapping_add(payload);
        if payload == 0 {
            // A SYN begins a connection anew, perhaps on ports that one before it had.
            self.sent.entry(ports).and_modify(|sent| *sent = later(*sent, begin));
            return 0;
        }
        let sent = self.sent.entry(ports).or_insert(begin);
        let known = sent.wrapping_sub(begin);
        // Half of the numbers are ahead (RFC 9293); far ahead or behind is another connection.
        let again = if known < 1 << 31 { known.min(payload) } else { 0 };
        *sent = later(*sent, end);
        u64::from(again)
    }
}

/// The later of two sequence numbers, or the second where they have nothing to do with each other.
fn later(known: u32, new: u32) -> u32 {
    const NEAR: u32 = 1 << 26;
    if known.wrapping_sub(new) < NEAR { known } else { new }
}

/// What a TCP segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    ports: [u8; 4],
    begin: u32,
    payload: u32,
}

impl Segment {
    /// Reads an IPv4 packet (RFC 791, RFC 9293); `None` when it is anything else.
    fn read(packet: &[u8]) -> Option<Self> {
        const TCP: u8 = 6;
        let first = *packet.first()?;
        if first >> 4 != 4 || *packet.get(9)? != TCP {
            return None;
        }
        let header = usize::from(first & 0x0F) * 4;
        let total = usize::from(u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]));
        let tcp = packet.get(header..)?;
        let ports = tcp.get(0..4)?.try_into().ok()?;
        let begin = u32::from_be_bytes(tcp.get(4..8)?.try_into().ok()?);
        let offset = usize::from(*tcp.get(12)? >> 4) * 4;
        let payload = u32::try_from(total.checked_sub(header + offset)?).ok()?;
        Some(Self { ports, begin, payload })
    }
}

/// What the thread and its owner share.
struct Shared {
    born: Instant,
    line: Line,
    down: AtomicBool,
    tallies: [Mutex<Tally>; 2],
    /// By how much packets were later than they should have been.
    late: Mutex<Vec<Duration>>,
}

impl Shared {
    fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
            || self.line.outages.is_some_and(|outages| outages.is_down(self.born.elapsed()))
    }

    fn count(&self, side: usize, change: impl FnOnce(&mut Tally)) {
        change(&mut self.tallies[side].lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A line that is there until this is dropped.
pub(super) struct Emulator {
    shared: Arc<Shared>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Makes two TUN devices of these names and joins them. The same seed loses the same packets, by their number.
    pub(super) fn start(devices: [String; 2], line: Line, seed: u64) -> anyhow::Result<Self> {
        let (down, tallies, late) = (AtomicBool::new(false), Default::default(), Mutex::default());
        let shared = Arc::new(Shared { born: Instant::now(), line, down, tallies, late });
        let stop = CancellationToken::new();
        let (ready, made) = std::sync::mpsc::channel();
        let (of_thread, stopped) = (Arc::clone(&shared), stop.clone());
        let thread = std::thread::Builder::new().name("line".to_owned()).spawn(move || {
            let joined = || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                let inside = runtime.enter();
                let ends = [device(&devices[0])?, device(&devices[1])?];
                drop(inside);
                anyhow::Ok((runtime, ends))
            };
            match joined() {
                Err(error) => drop(ready.send(Err(error))),
                Ok((runtime, ends)) => {
                    // Nobody waits for a line whose owner is gone.
                    let _ = ready.send(Ok(()));
                    runtime.block_on(carry(&of_thread, &ends, seed, &stopped));
                }
            }
        })?;
        let emulator = Self { shared, stop, thread: Some(thread) };
        made.recv().context("the line ended at once")??;
        Ok(emulator)
    }

    /// Takes the line down, or lets it come back.
    pub(super) fn set_down(&self, down: bool) {
        self.shared.down.store(down, Ordering::Relaxed);
    }

    /// What went from A to B, and from B to A.
    pub(super) fn tallies(&self) -> [Tally; 2] {
        [0, 1].map(|side| *self.shared.tallies[side].lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// By how much packets were later than they should have been, since this was last asked: what a busy machine adds.
    pub(super) fn lateness(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.shared.late.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The instants at which the line came back by itself, up to `until`.
    pub(super) fn returns(&self, until: Instant) -> Vec<Instant> {
        let Some(outages) = self.shared.line.outages else { return Vec::new() };
        let times = (1..).map(|nth| self.shared.born + outages.every * nth);
        times.take_while(|at| *at <= until).collect()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // It has nothing to say; its devices are gone with it.
            let _ = thread.join();
        }
    }
}

fn device(name: &str) -> anyhow::Result<Tun> {
    let made = Tun::builder().name(name).build().with_context(|| format!("no TUN device {name}"))?;
    made.into_iter().next().context("no TUN device was made")
}

/// Carries packets both ways until `stop`.
async fn carry(shared: &Shared, ends: &[Tun; 2], seed: u64, stop: &CancellationToken) {
    let one = one_way(shared, 0, &ends[0], &ends[1], seed);
    let other = one_way(shared, 1, &ends[1], &ends[0], !seed);
    tokio::select! {
        () = stop.cancelled() => {}
        Err(error) = one => eprintln!("the line broke: {error}"),
        Err(error) = other => eprintln!("the line broke: {error}"),
    }
}

async fn one_way(shared: &Shared, side: usize, from: &Tun, to: &Tun, seed: u64) -> io::Result<()> {
    // Bounded by the queue and by what is on its way: both are part of the rule.
    let (taken, mut arriving) = mpsc::unbounded_channel::<(Duration, Vec<u8>)>();
    let mut way = Way::new(shared.line, seed);
    let take = async {
        let mut buffer = [0; MTU + 64];
        loop {
            let length = from.recv(&mut buffer).await?;
            let packet = &buffer[..length];
            let fate = way.offer(shared.born.elapsed(), length, shared.is_down());
            let resent = way.resent(packet);
            shared.count(side, |tally| {
                tally.packets += 1;
                tally.bytes += length as u64;
                tally.resent += resent;
                tally.lost += u64::from(fate == Fate::Lost);
                tally.overflowed += u64::from(fate == Fate::Overflows);
                tally.cut += u64::from(fate == Fate::Cut);
            });
            if let Fate::Arrives(at) = fate {
                // The other half of this function has it as long as this half runs.
                let _ = taken.send((at, packet.to_vec()));
            }
        }
    };
    let give = async {
        while let Some((at, packet)) = arriving.recv().await {
            // Packets arrive in their order: all of them take equally long. The timer rounds up to whole milliseconds;
            // half of one less makes that the nearest.
            tokio::time::sleep_until((shared.born + at - TIMER / 2).into()).await;
            let late = shared.born.elapsed().saturating_sub(at);
            shared.late.lock().unwrap_or_else(PoisonError::into_inner).push(late);
            if shared.is_down() {
                shared.count(side, |tally| tally.cut += 1);
            } else {
                // A device that is down loses the packet, as a line would.
                let _ = to.send(&packet).await;
            }
        }
    };
    tokio::select! {
        ended = take => ended,
        () = give => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::profile::Profile;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_packet_takes_its_time_on_the_line_and_waits_for_those_before_it() {
        let line = Line { loss: 0.0, ..Profile::Vsat.line() };
        let mut way = Way::new(line, 1);
        // 1,000 bytes at 8,000 bytes a second.
        assert_eq!(way.offer(millis(0), 1_000, false), Fate::Arrives(millis(425)));
        assert_eq!(way.offer(millis(0), 1_000, false), Fate::Arrives(millis(550)));
        assert_eq!(way.offer(millis(2_000), 1_000, false), Fate::Arrives(millis(2_425)));
        assert_eq!(way.offer(millis(2_000), 1_000, true), Fate::Cut);
    }

    #[test]
    fn a_full_queue_takes_nothing_more_until_it_has_room() {
        let line = Line { loss: 0.0, ..Profile::Vsat.line() };
        let mut way = Way::new(line, 1);
        let taken = (0..40).filter(|_| way.offer(millis(0), 1_000, false) != Fate::Overflows).count();
        assert_eq!(taken, 32, "32 KiB");
        assert_ne!(way.offer(millis(250), 1_000, false), Fate::Overflows);
    }

    #[test]
    fn one_seed_loses_the_same_packets_and_as_many_as_it_should() {
        let lost = |seed| {
            let mut way = Way::new(Line { rate: 1_000_000_000, ..Profile::Vsat.line() }, seed);
            let fates = (0..10_000).map(|nth| way.offer(millis(nth), 100, false));
            fates.enumerate().filter(|(_, fate)| *fate == Fate::Lost).map(|(nth, _)| nth).collect::<Vec<_>>()
        };
        assert_eq!(lost(7), lost(7));
        assert_ne!(lost(7), lost(8));
        assert!((150..250).contains(&lost(7).len()), "{} of 10,000", lost(7).len());
    }

    fn segment(ports: [u8; 4], begin: u32, payload: usize) -> Vec<u8> {
        let mut packet = vec![0; 40 + payload];
        packet[0] = 0x45;
        packet[2..4].copy_from_slice(&(40 + payload as u16).to_be_bytes());
        packet[9] = 6;
        packet[20..24].copy_from_slice(&ports);
        packet[24..28].copy_from_slice(&begin.to_be_bytes());
        packet[32] = 0x50;
        packet
    }

    #[test]
    fn bytes_that_were_sent_before_are_counted_as_such() {
        let mut way = Way::new(Profile::Vsat.line(), 1);
        let (one, other) = ([0, 1, 0, 2], [0, 3, 0, 2]);
        let near_the_end = u32::MAX - 50;
        for (ports, begin, payload, resent) in [
            (one, near_the_end, 100, 0),
            (other, near_the_end, 100, 0),
            (one, near_the_end.wrapping_add(100), 50, 0),
            (one, near_the_end, 100, 100),
            (one, near_the_end.wrapping_add(100), 80, 50),
            (one, 1 << 30, 0, 0),
            (one, (1 << 30) + 1, 10, 0),
        ] {
            assert_eq!(way.resent(&segment(ports, begin, payload)), resent, "{begin}+{payload}");
        }
        for cut in 0..40 {
            assert_eq!(way.resent(&segment(one, 5, 0)[..cut]), 0);
        }
    }
}
