//! What each scenario does with the two ends, and the figures that come of it.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use passerelle_node::clock::{Clock as _, SystemClock};

use super::{
    Args, Scenario,
    alerts::{Filling, Maker},
    endurance,
    load::{more_than, raise_all, raise_steadily, stored},
    machine::{self, traffic},
    report::{Line, Report},
    system::{End, Published, SetUp, System},
};

/// Callers that fill the journals.
pub(super) const FILLERS: usize = 256;
/// Alerts a second of the latency scenario.
const PACE: u32 = 50;
/// Alerts a second of the wire scenario: each goes alone, and so does its receipt.
const WIRE_PACE: u32 = 20;

/// Scenarios that are measured together, since they share the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Throughput,
    Latency,
    CatchUp,
    Wire,
    Idle,
    Endurance,
}

impl Group {
    const ALL: [Self; 6] = [Self::Throughput, Self::Latency, Self::CatchUp, Self::Wire, Self::Idle, Self::Endurance];

    fn scenarios(self) -> &'static [Scenario] {
        match self {
            Self::Throughput => &[Scenario::Throughput],
            Self::Latency => &[Scenario::Latency],
            Self::CatchUp => &[Scenario::CatchUp],
            Self::Wire => &[Scenario::Wire],
            Self::Idle => &[Scenario::Idle],
            Self::Endurance => &[Scenario::Memory, Scenario::Restart, Scenario::StoreSize],
        }
    }

    /// Those that were asked for.
    pub(super) fn wanted(args: &Args) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|group| group.scenarios().iter().any(|scenario| args.wants(*scenario)))
    }

    /// How often it is measured. Counters of bytes say the same each time, and filling a journal takes long: once.
    pub(super) fn rounds(self, args: &Args) -> u32 {
        match self {
            Self::Throughput | Self::Latency | Self::CatchUp => args.rounds(),
            Self::Wire | Self::Idle | Self::Endurance => 1,
        }
    }

    /// Measures one system once.
    pub(super) async fn measure<S: SetUp>(self, args: &Args, report: &mut Report) -> anyhow::Result<()> {
        // What the turn before has left to be written is no burden of this one.
        nix::unistd::sync();
        let ends = S::start(&args.place()).await.with_context(|| format!("{} does not start", S::NAME))?;
        let measured = match self {
            Self::Throughput => throughput(ends, args, report).await,
            Self::Latency => latency(ends, args, report).await,
            Self::CatchUp => catch_up(ends, args, report).await,
            Self::Wire => wire(ends, args, report).await,
            Self::Idle => idle(ends, args, report).await,
            Self::Endurance => endurance::endurance(ends, args, report).await,
        };
        measured.with_context(|| format!("{self:?} of {}", S::NAME))
    }
}

pub(super) fn maker(size: usize, filling: Filling) -> anyhow::Result<Maker> {
    Maker::new(size, filling, SystemClock::new().now())
}

#[allow(clippy::cast_precision_loss, reason = "figures are far below 2^52")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

pub(super) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// The value below which `percent` of the sorted values lie.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent).div_ceil(100).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(at).copied().map_or(f64::NAN, millis)
}

/// Median and 99th percentile of how long the acknowledgement of A took, ms.
pub(super) fn acknowledgement(published: &[Published]) -> (f64, f64) {
    let mut times: Vec<Duration> = published.iter().map(|one| one.acknowledged - one.at).collect();
    times.sort_unstable();
    (percentile(&times, 50), percentile(&times, 99))
}

async fn throughput<S: System>(mut ends: S, args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let maker = maker(args.size, Filling::Bytes)?;
    raise_all(&mut ends, &maker, 16, 200).await?;
    stored(&mut ends).await?;
    for callers in &args.callers {
        // So many that a step lasts some ten seconds on a calm machine.
        let by_callers = if *callers < 8 {
            3_000
        } else if *callers < 64 {
            20_000
        } else {
            60_000
        };
        let count = args.count.unwrap_or(by_callers);
        let used = ends.processor_time()?;
        let started = Instant::now();
        raise_all(&mut ends, &maker, *callers, count).await?;
        let acknowledged = started.elapsed();
        stored(&mut ends).await?;
        let elapsed = started.elapsed();
        let used = ends.processor_time()?.saturating_sub(used);
        report.add(
            Line::new("throughput")
                .parameter("callers", *callers)
                .parameter("alerts", count)
                .parameter("size_bytes", args.size)
                .figure("alerts_per_s", float(count) / elapsed.as_secs_f64())
                .figure("acknowledged_alerts_per_s", float(count) / acknowledged.as_secs_f64())
                .figure("cpu_us_per_alert", used.as_secs_f64() * 1e6 / float(count)),
        );
    }
    ends.stop().await
}

async fn latency<S: System>(mut ends: S, args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let maker = maker(args.size, Filling::Bytes)?;
    raise_steadily(&mut ends, &maker, PACE, 50).await?;
    stored(&mut ends).await?;
    let count = args.count.unwrap_or(1_500);
    let mut watching = ends.watch(count).await?;
    let used = ends.processor_time()?;
    let published = raise_steadily(&mut ends, &maker, PACE, count).await?;
    let ended = tokio::time::timeout(Duration::from_secs(10), watching.join_next()).await;
    let used = ends.processor_time()?.saturating_sub(used);
    let arrivals = ended.context("B does not tell of every alert")?.context("there is one watcher")???;
    let arrived = |one: &Published| {
        let at = arrivals.get(&one.id).context("an alert is missing at B")?;
        anyhow::Ok(at.saturating_duration_since(one.at))
    };
    let mut to_peer = published.iter().map(arrived).collect::<anyhow::Result<Vec<_>>>()?;
    to_peer.sort_unstable();
    let (acknowledged_p50, acknowledged_p99) = acknowledgement(&published);
    report.add(
        Line::new("latency")
            .parameter("alerts_per_s", PACE)
            .parameter("alerts", count)
            .parameter("size_bytes", args.size)
            .figure("p50_ms", percentile(&to_peer, 50))
            .figure("p99_ms", percentile(&to_peer, 99))
            .figure("acknowledged_p50_ms", acknowledged_p50)
            .figure("acknowledged_p99_ms", acknowledged_p99)
            .figure("cpu_us_per_alert", used.as_secs_f64() * 1e6 / float(count)),
    );
    stored(&mut ends).await?;
    ends.stop().await
}

async fn catch_up<S: System>(mut ends: S, args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let maker = maker(args.size, Filling::Bytes)?;
    raise_all(&mut ends, &maker, 16, 100).await?;
    stored(&mut ends).await?;
    ends.stop_end(End::B).await?;
    let before = *ends.published();
    raise_all(&mut ends, &maker, FILLERS, args.backlog).await?;
    let started = Instant::now();
    let start_up = ends.start_end(End::B).await?;
    ends.joined().await?;
    let joined = started.elapsed();
    let used = ends.processor_time()?;
    // The rate counts from what has come first, so that who waits before he dials again is not slow for that.
    let first = more_than(&ends, before).await?;
    let began = started.elapsed();
    stored(&mut ends).await?;
    let elapsed = started.elapsed();
    let used = ends.processor_time()?.saturating_sub(used);
    let rest = *ends.published() - first;
    report.add(
        Line::new("catch-up")
            .parameter("alerts", args.backlog)
            .parameter("size_bytes", args.size)
            .figure("alerts_per_s", float(rest) / (elapsed - began).as_secs_f64().max(1e-3))
            .figure("peer_start_ms", millis(start_up))
            .figure("until_linked_ms", millis(joined))
            .figure("until_first_stored_ms", millis(began))
            .figure("total_s", elapsed.as_secs_f64())
            .figure("cpu_us_per_alert", used.as_secs_f64() * 1e6 / float(args.backlog))
            .figure("sender_peak_rss_mib", machine::memory(ends.pid(End::A)?)?.peak_mib),
    );
    ends.stop().await
}

async fn wire<S: System>(mut ends: S, args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let count = args.count.unwrap_or(400).min(2_000);
    for (size, filling) in
        [(300, Filling::Bytes), (1_024, Filling::Bytes), (1_024, Filling::Words), (1_024, Filling::CapText)]
    {
        let maker = maker(size, filling)?;
        raise_steadily(&mut ends, &maker, WIRE_PACE, 20).await?;
        stored(&mut ends).await?;
        let before = traffic(ends.port())?;
        raise_steadily(&mut ends, &maker, WIRE_PACE, count).await?;
        stored(&mut ends).await?;
        let spent = traffic(ends.port())?.since(before)?;
        report.add(
            Line::new("wire")
                .parameter("size_bytes", size)
                .parameter("filling", filling.name())
                .parameter("alerts", count)
                .parameter("alerts_per_s", WIRE_PACE)
                .figure("ip_bytes_per_alert", float(spent.ip_bytes()) / float(count))
                .figure("tcp_payload_sent_bytes_per_alert", float(spent.sent) / float(count))
                .figure("tcp_payload_received_bytes_per_alert", float(spent.received) / float(count))
                .figure("segments_per_alert", float(spent.segments) / float(count)),
        );
    }
    ends.stop().await
}

async fn idle<S: System>(mut ends: S, args: &Args, report: &mut Report) -> anyhow::Result<()> {
    raise_all(&mut ends, &maker(args.size, Filling::Bytes)?, 1, 10).await?;
    stored(&mut ends).await?;
    // What closes the exchange, such as a last receipt's acknowledgement, is no idle traffic.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = traffic(ends.port())?;
    let used = ends.processor_time()?;
    tokio::time::sleep(Duration::from_secs(args.idle_seconds)).await;
    let spent = traffic(ends.port())?.since(before)?;
    let used = ends.processor_time()?.saturating_sub(used);
    let an_hour = 3_600.0 / float(args.idle_seconds);
    report.add(
        Line::new("idle")
            .parameter("seconds", args.idle_seconds)
            .figure("ip_bytes_per_hour", float(spent.ip_bytes()) * an_hour)
            .figure("tcp_payload_bytes_per_hour", float(spent.sent + spent.received) * an_hour)
            .figure("segments_per_hour", float(spent.segments) * an_hour)
            .figure("cpu_s_per_hour", used.as_secs_f64() * an_hour),
    );
    ends.stop().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert!((percentile(&times, 50) - 100.0).abs() < 1e-9);
        assert!((percentile(&times, 99) - 198.0).abs() < 1e-9);
        assert!((percentile(&times[..1], 99) - 1.0).abs() < 1e-9);
        assert!(percentile(&[], 50).is_nan());
    }
}
