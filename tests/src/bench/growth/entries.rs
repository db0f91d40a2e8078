//! Growth in entries: the journal of A is filled offline with alerts that go to nobody, then A and a peer are measured
//! as they would be with an empty one.

use std::{process::Stdio, time::Duration};

use anyhow::Context as _;

use super::{FILL, Load, figures};
use crate::bench::{
    Args,
    nodes::Pair,
    report::{Line, Report},
    scenarios::float,
    system::{End, System as _},
};

/// Bytes of the alerts that fill the journal: ten million of them have to find room on a disk.
const FILL_BYTES: usize = 300;
/// After so long, a node that has nothing to do has let go of what it does not need.
const CALM: Duration = Duration::from_secs(3);

/// Measures at each size.
pub(super) async fn run(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    if args.entries.is_empty() {
        return Ok(());
    }
    let mut pair = Pair::prepare(&args.place())?;
    for entries in &args.entries {
        let began = std::time::Instant::now();
        fill(&pair, *entries).await?;
        let filled = began.elapsed();
        let bytes = pair.store_bytes(End::A)?;
        for end in [End::B, End::A] {
            pair.start_end(end).await?;
        }
        pair.joined().await?;
        tokio::time::sleep(CALM).await;
        let few = args.count.unwrap_or(10_000);
        let load = Load { rate: few, pace: 50, steady: few.min(500), backlog: few, size: args.size };
        let line = Line::new("growth")
            .parameter("entries", *entries)
            .parameter("size_bytes", args.size)
            .parameter("size_of_stored_bytes", FILL_BYTES);
        let line = figures(&mut pair, &load, line).await.with_context(|| format!("with {entries} entries"))?;
        report.add(
            line.figure("store_bytes_per_entry", float(bytes) / float(*entries))
                .figure("store_mib", float(bytes) / float(1 << 20))
                .figure("fill_s", filled.as_secs_f64()),
        );
        for end in End::BOTH {
            pair.stop_end(end).await?;
        }
    }
    Ok(())
}

/// Has a process of its own fill the journal of A, so that its memory is not that of the bench.
async fn fill(pair: &Pair, entries: u64) -> anyhow::Result<()> {
    let config = pair.node(End::A).folder().join("node.toml");
    let status = tokio::process::Command::new(std::env::current_exe()?)
        .arg(FILL)
        .arg(config)
        .args([entries.to_string(), FILL_BYTES.to_string()])
        .env("MALLOC_ARENA_MAX", "2")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await?;
    anyhow::ensure!(status.success(), "the journal could not be filled");
    Ok(())
}
