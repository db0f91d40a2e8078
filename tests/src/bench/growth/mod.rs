//! The main figures as a node grows: with ever more entries in its journal, and with ever more peers. Writes a
//! temporary folder; the peers of the second part are nodes without a disk, in one process of their own.

mod entries;
mod fill;
mod peers;
mod plot;
mod star;

use std::{path::Path, process::ExitCode};

use anyhow::Context as _;

use super::{
    Args, ended,
    load::{more_than, raise_all, raise_steadily, stored},
    machine,
    nodes::Pair,
    report::{Line, Report},
    scenarios::{FILLERS, acknowledgement, float, maker, millis},
    system::{End, System},
};
use crate::bench::alerts::Filling;

/// First arguments by which the bench becomes one of its own parts.
const FILL: &str = "__fill";
const PEERS: &str = "__peers";

/// What was done, for the page.
const SETTINGS: [&str; 4] = [
    "entries: the journal of A is filled offline by the production engine and store, in a process of its own, with alerts \
     that go to nobody; then A and one peer, both real processes over their disks, do what the figures say. All that \
     was measured at the smaller sizes stays in the journal",
    "peers: A is a real process over its disk. Its peers are whole nodes too (engine, link, mutual TLS, signed receipts), \
     but with stores in memory and all in one process: with a disk for each, this machine's disk would be what is \
     measured. They share the cores with A, so rates at many peers are those of all of them together",
    "deliveries are alerts times peers; the pace of the steady part falls with the peers to 2,500 deliveries a second",
    "memory is that of A: before the work, and after all of it (rate, steady part, catch-up)",
];

/// Plays the part that the process was started for, if it was.
pub(super) fn part() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let outcome = match arguments.next()?.as_str() {
        FILL => fill::run(&arguments.collect::<Vec<_>>()),
        PEERS => peers::run(&arguments.collect::<Vec<_>>()),
        _ => return None,
    };
    Some(ended(outcome))
}

/// Both parts.
pub(super) async fn run(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    report.turn::<Pair>(1, &SETTINGS);
    entries::run(args, report).await.context("growth in entries")?;
    peers::steps(args, report).await.context("growth in peers")
}

/// Draws the figures beside the page; the name of the picture.
pub(super) fn draw(report: &Report, page: Option<&Path>) -> anyhow::Result<Option<String>> {
    let Some(page) = page else { return Ok(None) };
    let file = page.with_extension("png");
    let png = plot::draw(&report.lines("growth"), &report.lines("growth-peers"))?;
    std::fs::create_dir_all(page.parent().unwrap_or(Path::new("."))).and_then(|()| std::fs::write(&file, png))?;
    Ok(file.file_name().map(|name| name.to_string_lossy().into_owned()))
}

/// How much load a step gets.
struct Load {
    /// Alerts for the rate, with 256 callers.
    rate: u64,
    /// Alerts a second for the acknowledgement.
    pace: u32,
    /// Alerts for the acknowledgement.
    steady: u64,
    /// Alerts that wait for B.
    backlog: u64,
    size: usize,
}

/// What both parts measure of A. The line has its parameters already.
async fn figures<S: System>(ends: &mut S, load: &Load, line: Line) -> anyhow::Result<Line> {
    let maker = maker(load.size, Filling::Bytes)?;
    let idle = machine::memory(ends.pid(End::A)?)?;
    raise_all(ends, &maker, 16, 50).await?;
    stored(ends).await?;

    let used = machine::processor_time(ends.pid(End::A)?)?;
    let began = std::time::Instant::now();
    raise_all(ends, &maker, FILLERS, load.rate).await?;
    stored(ends).await?;
    let rate = float(load.rate) / began.elapsed().as_secs_f64();
    let used = machine::processor_time(ends.pid(End::A)?)?.saturating_sub(used);

    let published = raise_steadily(ends, &maker, load.pace, load.steady).await?;
    let (p50, p99) = acknowledgement(&published);
    stored(ends).await?;

    ends.stop_end(End::B).await?;
    let before = *ends.published() * ends.receivers();
    raise_all(ends, &maker, FILLERS, load.backlog).await?;
    ends.start_end(End::B).await?;
    let first = more_than(ends, before).await?;
    let began = std::time::Instant::now();
    stored(ends).await?;
    let caught = float(*ends.published() * ends.receivers() - first) / began.elapsed().as_secs_f64().max(1e-3);
    ends.joined().await?;
    let loaded = machine::memory(ends.pid(End::A)?)?;

    ends.kill_end(End::A).await?;
    let began = std::time::Instant::now();
    let start = ends.start_end(End::A).await?;
    ends.joined().await?;
    let joined = began.elapsed();
    Ok(line
        .figure("alerts_per_s", rate)
        .figure("deliveries_per_s", rate * float(ends.receivers()))
        .figure("cpu_us_per_alert_at_a", used.as_secs_f64() * 1e6 / float(load.rate))
        .figure("acknowledged_p50_ms", p50)
        .figure("acknowledged_p99_ms", p99)
        .figure("catch_up_deliveries_per_s", caught)
        .figure("idle_rss_mib", idle.resident_mib)
        .figure("rss_mib", loaded.resident_mib)
        .figure("peak_rss_mib", loaded.peak_mib)
        .figure("start_ms", millis(start))
        .figure("until_joined_ms", millis(joined)))
}
