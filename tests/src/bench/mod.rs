//! Benches of two node processes that exchange alerts over mutual TLS. Starts processes, writes to a
//! temporary folder and removes it; reads `/proc`, and the kernel's counters through `ss`.

pub(crate) mod alerts;
pub(crate) mod load;
mod machine;
pub(crate) mod nodes;
mod report;
pub(crate) mod scenarios;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{Parser, ValueEnum};

use report::Report;

/// First argument by which the bench becomes one of the nodes that it measures.
pub const NODE: &str = "__node";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Durable alerts a second, stored and receipted at the peer, with 1, 16 and 256 callers.
    Throughput,
    /// Time from raise to stored at the peer, at 50 alerts a second.
    Latency,
    /// A backlog that waits while the peer is away, and how fast it arrives then.
    CatchUp,
    /// Bytes on the wire for one alert of 300 B and of 1 KiB.
    Wire,
    /// Bytes on the wire while nothing happens, an hour.
    Idle,
    /// Resident memory: idle, and after 1 M alerts.
    Memory,
    /// Start after SIGKILL with 1 M alerts.
    Restart,
    /// Bytes of the store for one alert.
    StoreSize,
    /// All of the above.
    All,
}

/// Measures two nodes that exchange alerts over mutual TLS on this machine.
#[derive(Debug, Parser)]
#[command(name = "bench", arg_required_else_help = true)]
struct Args {
    /// What is measured. Memory, restart and store size fill the journals once when they are asked for together.
    #[arg(required = true)]
    scenarios: Vec<Scenario>,
    /// One JSON object a line: scenario, parameters, figures with their unit as suffix.
    #[arg(long)]
    json: bool,
    /// Small counts and short waits: whether it works, not how well.
    #[arg(long)]
    quick: bool,
    /// Bytes of one alert (its canonical CBOR, before envelope and signature), where a scenario does not set them.
    #[arg(long, default_value_t = 1_024)]
    size: usize,
    /// Callers of the throughput scenario.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 256])]
    callers: Vec<usize>,
    /// Alerts of each step of the throughput scenario; by the number of callers when not said.
    #[arg(long)]
    count: Option<u64>,
    /// Alerts that wait in the catch-up scenario.
    #[arg(long, default_value_t = 100_000)]
    backlog: u64,
    /// Alerts in the journals for memory, restart and store size.
    #[arg(long, default_value_t = 1_000_000)]
    stored: u64,
    /// Seconds for which the idle link is watched; it asks for a sign of life every 240 s.
    #[arg(long, default_value_t = 750)]
    idle_seconds: u64,
    /// Folder in which the folders of the nodes are made: on the disk that is to be measured.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Keep the folders of the nodes and say where they are.
    #[arg(long)]
    keep: bool,
}

impl Args {
    fn wants(&self, scenario: Scenario) -> bool {
        self.scenarios.iter().any(|wanted| *wanted == scenario || *wanted == Scenario::All)
    }

    /// With the counts of `--quick`, where it is set.
    fn scaled(mut self) -> Self {
        if self.quick {
            self.count = self.count.or(Some(400));
            self.backlog = self.backlog.min(2_000);
            self.stored = self.stored.min(5_000);
            self.idle_seconds = self.idle_seconds.min(10);
        }
        self
    }
}

/// Runs the scenario that the process was asked for.
#[must_use]
pub fn run() -> ExitCode {
    let args = Args::parse().scaled();
    let mut report = Report::new(args.json);
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no runtime")
        .and_then(|runtime| runtime.block_on(scenarios::run(&args, &mut report)));
    report.finish();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
