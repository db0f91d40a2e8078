//! Figures of ends that have stored much: memory, bytes of the store, start after SIGKILL. The journals are filled
//! once for all of them, step by step.

use std::time::{Duration, Instant};

use super::{
    Args, Scenario,
    alerts::Filling,
    load::{raise_all, stored},
    machine,
    report::{Line, Report},
    scenarios::{FILLERS, float, maker, millis},
    system::{End, System},
};

/// After so long, an end that has nothing to do has let go of what it does not need.
const CALM: Duration = Duration::from_secs(3);

/// Fills the journals step by step and tells what they cost at each.
pub(super) async fn endurance<S: System>(mut ends: S, args: &Args, report: &mut Report) -> anyhow::Result<()> {
    tokio::time::sleep(CALM).await;
    if args.wants(Scenario::Memory) {
        report.add(memory_line(&mut ends, "idle", args.size)?);
    }
    let maker = maker(args.size, Filling::Bytes)?;
    let empty = (ends.store_bytes(End::A)?, ends.store_bytes(End::B)?);
    for step in &args.stored {
        let more = step.saturating_sub(*ends.published());
        let started = Instant::now();
        raise_all(&mut ends, &maker, FILLERS, more).await?;
        stored(&mut ends).await?;
        let filled = started.elapsed();
        if args.wants(Scenario::Memory) {
            let line = memory_line(&mut ends, "full", args.size)?;
            report.add(line.figure("alerts_per_s", float(more) / filled.as_secs_f64().max(1e-3)));
        }
        if args.wants(Scenario::StoreSize) {
            let bytes = |now: u64, then: u64| float(now.saturating_sub(then)) / float(*step);
            report.add(
                Line::new("store-size")
                    .parameter("alerts", *step)
                    .parameter("size_bytes", args.size)
                    .figure("sender_bytes_per_alert", bytes(ends.store_bytes(End::A)?, empty.0))
                    .figure("receiver_bytes_per_alert", bytes(ends.store_bytes(End::B)?, empty.1)),
            );
        }
        if args.wants(Scenario::Restart) {
            let (a, b) = (restart(&mut ends, End::A).await?, restart(&mut ends, End::B).await?);
            ends.joined().await?;
            report.add(
                Line::new("restart")
                    .parameter("alerts", *step)
                    .parameter("size_bytes", args.size)
                    .figure("sender_start_ms", millis(a))
                    .figure("receiver_start_ms", millis(b)),
            );
            if args.wants(Scenario::Memory) {
                tokio::time::sleep(CALM).await;
                report.add(memory_line(&mut ends, "restarted", args.size)?);
            }
        }
    }
    ends.stop().await
}

/// Kills an end and starts it again; how long until it answers.
async fn restart<S: System>(ends: &mut S, end: End) -> anyhow::Result<Duration> {
    ends.kill_end(end).await?;
    ends.start_end(end).await
}

fn memory_line<S: System>(ends: &mut S, state: &str, size: usize) -> anyhow::Result<Line> {
    let (a, b) = (machine::memory(ends.pid(End::A)?)?, machine::memory(ends.pid(End::B)?)?);
    Ok(Line::new("memory")
        .parameter("state", state)
        .parameter("alerts", *ends.published())
        .parameter("size_bytes", size)
        .figure("sender_rss_mib", a.resident_mib)
        .figure("receiver_rss_mib", b.resident_mib)
        .figure("sender_peak_rss_mib", a.peak_mib)
        .figure("receiver_peak_rss_mib", b.peak_mib))
}
