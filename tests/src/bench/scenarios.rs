//! What each scenario does with the two nodes, and the figures that come of it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use passerelle_node::clock::{Clock as _, SystemClock};
use passerelle_proto::v1::{WatchRequest, watch_service_client::WatchServiceClient};
use tokio::task::JoinSet;

use super::{
    Args, Scenario,
    alerts::{Filling, Maker},
    load::{Raised, raise_all, raise_steadily, receipted},
    machine::{self, traffic},
    nodes::{BenchNode, Pair},
    report::{Line, Report},
};

/// Callers that fill the journals.
const FILLERS: usize = 256;
/// Alerts a second of the latency scenario.
const PACE: u32 = 50;
/// Alerts a second of the wire scenario: each goes alone, and so does its receipt.
const WIRE_PACE: u32 = 20;

pub(super) async fn run(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    if args.wants(Scenario::Throughput) {
        throughput(args, report).await?;
    }
    if args.wants(Scenario::Latency) {
        latency(args, report).await?;
    }
    if args.wants(Scenario::CatchUp) {
        catch_up(args, report).await?;
    }
    if args.wants(Scenario::Wire) {
        wire(args, report).await?;
    }
    if args.wants(Scenario::Idle) {
        idle(args, report).await?;
    }
    if [Scenario::Memory, Scenario::Restart, Scenario::StoreSize].into_iter().any(|one| args.wants(one)) {
        endurance(args, report).await?;
    }
    Ok(())
}

async fn pair(args: &Args) -> anyhow::Result<Pair> {
    Pair::start(args.dir.as_deref(), args.keep).await
}

fn maker(size: usize, filling: Filling) -> anyhow::Result<Maker> {
    Maker::new(size, filling, SystemClock::new().now())
}

#[allow(clippy::cast_precision_loss, reason = "figures are far below 2^52")]
fn float(number: u64) -> f64 {
    number as f64
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// The value below which `percent` of the sorted values lie.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent).div_ceil(100).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(at).copied().map_or(f64::NAN, millis)
}

async fn throughput(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let mut pair = pair(args).await?;
    let maker = maker(args.size, Filling::Bytes)?;
    raise_all(&mut pair, &maker, 16, 200).await?;
    receipted(&pair).await?;
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
        let used = pair.processor_time()?;
        let started = Instant::now();
        raise_all(&mut pair, &maker, *callers, count).await?;
        let acknowledged = started.elapsed();
        receipted(&pair).await?;
        let elapsed = started.elapsed();
        let used = pair.processor_time()?.saturating_sub(used);
        report.add(
            &Line::new("throughput")
                .parameter("callers", *callers)
                .parameter("alerts", count)
                .parameter("size_bytes", args.size)
                .figure("alerts_per_s", float(count) / elapsed.as_secs_f64())
                .figure("acknowledged_alerts_per_s", float(count) / acknowledged.as_secs_f64())
                .figure("cpu_us_per_alert", used.as_secs_f64() * 1e6 / float(count)),
        );
    }
    pair.stop().await
}

async fn latency(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let mut pair = pair(args).await?;
    let maker = maker(args.size, Filling::Bytes)?;
    raise_steadily(&mut pair, &maker, PACE, 50).await?;
    receipted(&pair).await?;
    let count = args.count.unwrap_or(1_500);
    let mut watchers = JoinSet::new();
    let mut watch = WatchServiceClient::new(pair.b.channel().await?);
    let request = WatchRequest { from_position: None, topics: vec!["alert".to_owned()], until_now: false };
    let mut events = watch.watch(request).await?.into_inner();
    watchers.spawn(async move {
        let mut stored = HashMap::new();
        while (stored.len() as u64) < count {
            let event = events.message().await?.context("the watch ended")?;
            if !event.id.is_empty() {
                stored.entry(event.id).or_insert_with(Instant::now);
            }
        }
        anyhow::Ok(stored)
    });
    let raised = raise_steadily(&mut pair, &maker, PACE, count).await?;
    receipted(&pair).await?;
    let ended = tokio::time::timeout(Duration::from_secs(10), watchers.join_next()).await;
    let stored = ended.context("the peer does not tell of every alert")?.context("there is one watcher")???;
    let mut to_peer = between(&raised, |one| stored.get(&one.id).copied())?;
    let mut to_answer = between(&raised, |one| Some(one.acknowledged))?;
    to_peer.sort_unstable();
    to_answer.sort_unstable();
    report.add(
        &Line::new("latency")
            .parameter("alerts_per_s", PACE)
            .parameter("alerts", count)
            .parameter("size_bytes", args.size)
            .figure("p50_ms", percentile(&to_peer, 50))
            .figure("p99_ms", percentile(&to_peer, 99))
            .figure("acknowledged_p50_ms", percentile(&to_answer, 50))
            .figure("acknowledged_p99_ms", percentile(&to_answer, 99)),
    );
    pair.stop().await
}

/// From raise until the instant that `until` tells, of every alert.
fn between(raised: &[Raised], until: impl Fn(&Raised) -> Option<Instant>) -> anyhow::Result<Vec<Duration>> {
    raised
        .iter()
        .map(|one| Ok(until(one).context("an alert is missing at the peer")?.saturating_duration_since(one.at)))
        .collect()
}

async fn catch_up(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let mut pair = pair(args).await?;
    let maker = maker(args.size, Filling::Bytes)?;
    raise_all(&mut pair, &maker, 16, 100).await?;
    receipted(&pair).await?;
    pair.b.stop().await?;
    raise_all(&mut pair, &maker, FILLERS, args.backlog).await?;
    let started = Instant::now();
    let start_up = pair.b.start().await?;
    pair.linked().await?;
    let linked = started.elapsed();
    let before = pair.processor_time()?;
    receipted(&pair).await?;
    let elapsed = started.elapsed();
    let used = pair.processor_time()?.saturating_sub(before);
    report.add(
        &Line::new("catch-up")
            .parameter("alerts", args.backlog)
            .parameter("size_bytes", args.size)
            .figure("alerts_per_s", float(args.backlog) / elapsed.saturating_sub(linked).as_secs_f64())
            .figure("peer_start_ms", millis(start_up))
            .figure("until_linked_ms", millis(linked))
            .figure("total_s", elapsed.as_secs_f64())
            .figure("cpu_us_per_alert", used.as_secs_f64() * 1e6 / float(args.backlog))
            .figure("sender_peak_rss_mib", machine::memory(pair.a.pid()?)?.peak_mib),
    );
    pair.stop().await
}

async fn wire(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let mut pair = pair(args).await?;
    let count = args.count.unwrap_or(400).min(2_000);
    for (size, filling) in
        [(300, Filling::Bytes), (1_024, Filling::Bytes), (1_024, Filling::Words), (1_024, Filling::CapText)]
    {
        let maker = maker(size, filling)?;
        raise_steadily(&mut pair, &maker, WIRE_PACE, 20).await?;
        receipted(&pair).await?;
        let before = traffic(pair.port)?;
        raise_steadily(&mut pair, &maker, WIRE_PACE, count).await?;
        receipted(&pair).await?;
        let spent = traffic(pair.port)?.since(before)?;
        report.add(
            &Line::new("wire")
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
    pair.stop().await
}

async fn idle(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let mut pair = pair(args).await?;
    raise_all(&mut pair, &maker(args.size, Filling::Bytes)?, 1, 10).await?;
    receipted(&pair).await?;
    // What closes the exchange, such as a last receipt's acknowledgement, is no idle traffic.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = traffic(pair.port)?;
    let used = pair.processor_time()?;
    tokio::time::sleep(Duration::from_secs(args.idle_seconds)).await;
    let spent = traffic(pair.port)?.since(before)?;
    let used = pair.processor_time()?.saturating_sub(used);
    let an_hour = 3_600.0 / float(args.idle_seconds);
    report.add(
        &Line::new("idle")
            .parameter("seconds", args.idle_seconds)
            .figure("ip_bytes_per_hour", float(spent.ip_bytes()) * an_hour)
            .figure("tcp_payload_bytes_per_hour", float(spent.sent + spent.received) * an_hour)
            .figure("segments_per_hour", float(spent.segments) * an_hour)
            .figure("cpu_s_per_hour", used.as_secs_f64() * an_hour),
    );
    pair.stop().await
}

/// Fills the journals once for all scenarios that need them full.
async fn endurance(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let mut pair = pair(args).await?;
    if args.wants(Scenario::Memory) {
        tokio::time::sleep(Duration::from_secs(3)).await;
        report.add(&memory_line(&pair, "idle", args.size)?);
    }
    let maker = maker(args.size, Filling::Bytes)?;
    let empty = (pair.a.store_bytes()?, pair.b.store_bytes()?);
    let started = Instant::now();
    raise_all(&mut pair, &maker, FILLERS, args.stored).await?;
    receipted(&pair).await?;
    let filled = started.elapsed();
    if args.wants(Scenario::Memory) {
        report.add(
            &memory_line(&pair, "full", args.size)?.figure("alerts_per_s", float(args.stored) / filled.as_secs_f64()),
        );
    }
    if args.wants(Scenario::StoreSize) {
        let bytes = |now: u64, then: u64| float(now.saturating_sub(then)) / float(args.stored);
        report.add(
            &Line::new("store-size")
                .parameter("alerts", args.stored)
                .parameter("size_bytes", args.size)
                .figure("sender_bytes_per_alert", bytes(pair.a.store_bytes()?, empty.0))
                .figure("receiver_bytes_per_alert", bytes(pair.b.store_bytes()?, empty.1)),
        );
    }
    if args.wants(Scenario::Restart) {
        let a = restart(&mut pair.a).await?;
        let b = restart(&mut pair.b).await?;
        pair.linked().await?;
        report.add(
            &Line::new("restart")
                .parameter("alerts", args.stored)
                .parameter("size_bytes", args.size)
                .figure("sender_start_ms", millis(a))
                .figure("receiver_start_ms", millis(b)),
        );
    }
    pair.stop().await
}

/// Kills a node and starts it again; how long until it answers.
async fn restart(node: &mut BenchNode) -> anyhow::Result<Duration> {
    node.kill().await?;
    node.start().await
}

fn memory_line(pair: &Pair, state: &str, size: usize) -> anyhow::Result<Line> {
    let (a, b) = (machine::memory(pair.a.pid()?)?, machine::memory(pair.b.pid()?)?);
    Ok(Line::new("memory")
        .parameter("state", state)
        .parameter("alerts", pair.raised)
        .parameter("size_bytes", size)
        .figure("sender_rss_mib", a.resident_mib)
        .figure("receiver_rss_mib", b.resident_mib)
        .figure("sender_peak_rss_mib", a.peak_mib)
        .figure("receiver_peak_rss_mib", b.peak_mib))
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
