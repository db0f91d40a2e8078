//! Benches of two node processes that exchange alerts over mutual TLS, alone or in turns with rivals that do the same
//! work. Starts processes, writes to a temporary folder and removes it; reads `/proc`, and the kernel's counters
//! through `ss`.

pub(crate) mod alerts;
mod endurance;
mod growth;
pub(crate) mod load;
mod machine;
pub(crate) mod nodes;
mod report;
mod rivals;
pub(crate) mod scenarios;
pub(crate) mod system;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{Parser, ValueEnum};

use nodes::Pair;
use report::Report;
use rivals::Rival;
use scenarios::Group;
use system::Place;

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
    /// Resident memory: idle, and after each step of `--stored`.
    Memory,
    /// Start after SIGKILL with so many alerts.
    Restart,
    /// Bytes of the store for one alert.
    StoreSize,
    /// All of the above.
    All,
    /// The main figures with ever more entries in the journal, and with ever more peers.
    Growth,
}

/// Measures two nodes that exchange alerts over mutual TLS on this machine.
#[derive(Clone, Debug, Parser)]
#[command(name = "bench", arg_required_else_help = true)]
struct Args {
    /// What is measured. Memory, restart and store size fill the journals once when they are asked for together.
    /// Everything but growth when `--against` is given and nothing is named.
    #[arg(required_unless_present = "against")]
    scenarios: Vec<Scenario>,
    /// The same work in turns with these, in one run, with ratios round by round. What they need is fetched into
    /// target/rivals.
    #[arg(long, value_delimiter = ',')]
    against: Vec<Rival>,
    /// How often throughput, latency and catch-up are measured: 1, or 5 with `--against`.
    #[arg(long)]
    rounds: Option<u32>,
    /// Write a page with machine, commit, budgets and all figures, and a .jsonl beside it.
    #[arg(long)]
    report: Option<PathBuf>,
    /// One JSON object a line: scenario, whose, round, parameters, figures with their unit as suffix.
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
    #[arg(long, value_parser = count)]
    count: Option<u64>,
    /// Alerts that wait in the catch-up scenario.
    #[arg(long, value_parser = count, default_value = "100k")]
    backlog: u64,
    /// Alerts in the journals for memory, restart and store size, step by step.
    #[arg(long, value_delimiter = ',', value_parser = count, default_values = ["60k", "200k", "1M"])]
    stored: Vec<u64>,
    /// Seconds for which the idle link is watched; it asks for a sign of life every 240 s.
    #[arg(long, default_value_t = 750)]
    idle_seconds: u64,
    /// Entries in the journal at each step of growth; none to leave this part out.
    #[arg(long, value_delimiter = ',', value_parser = count, default_values = ["10k", "100k", "1M", "10M"])]
    entries: Vec<u64>,
    /// Peers at each step of growth; none to leave this part out.
    #[arg(long, value_delimiter = ',', value_parser = count, default_values = ["2", "10", "50", "191"])]
    peers: Vec<u64>,
    /// Folder in which the folders of the nodes are made: on the disk that is to be measured.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Keep the folders of the nodes and say where they are.
    #[arg(long)]
    keep: bool,
}

/// A number as people write it: `60k`, `1M`, `2_000`.
fn count(text: &str) -> Result<u64, String> {
    let plain = text.replace('_', "");
    let (digits, times) = match plain.strip_suffix(['k', 'K', 'm', 'M']) {
        Some(digits) if plain.ends_with(['k', 'K']) => (digits, 1_000),
        Some(digits) => (digits, 1_000_000),
        None => (plain.as_str(), 1),
    };
    let number = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(times));
    number.ok_or_else(|| "a number such as 500, 60k or 1M is wanted".to_owned())
}

impl Args {
    fn wants(&self, scenario: Scenario) -> bool {
        let all = self.scenarios.is_empty() || self.scenarios.contains(&Scenario::All);
        self.scenarios.contains(&scenario) || all && scenario != Scenario::Growth
    }

    /// With the counts of `--quick`, where it is set.
    fn scaled(mut self) -> Self {
        if self.quick {
            let few = |counts: &[u64], most: u64| -> Vec<u64> {
                let mut few: Vec<u64> = counts.iter().map(|count| (*count).min(most)).collect();
                few.dedup();
                few
            };
            self.count = self.count.or(Some(400));
            self.backlog = self.backlog.min(2_000);
            self.stored = few(&self.stored, 5_000);
            self.idle_seconds = self.idle_seconds.min(10);
            self.entries = few(&self.entries, 20_000);
            self.peers = few(&self.peers, 10);
            self.rounds = self.rounds.or(Some(1));
        }
        self
    }

    fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.against.is_empty() { 1 } else { 5 })
    }

    fn place(&self) -> Place {
        Place { dir: self.dir.clone(), keep: self.keep }
    }

    fn title(&self) -> String {
        let rivals: Vec<&str> = self.against.iter().map(|rival| rival.name()).collect();
        match rivals.as_slice() {
            [] if self.wants(Scenario::Growth) => "Growth: more entries, more peers".to_owned(),
            [] => "Two nodes, measured".to_owned(),
            rivals => format!("The same work, in turns with {}", rivals.join(" and ")),
        }
    }
}

/// Runs the scenarios that the process was asked for. Under one of the names that are hidden from people it is a part
/// of what it measures instead.
#[must_use]
pub fn run() -> ExitCode {
    if let Some(part) = growth::part() {
        return part;
    }
    let args = Args::parse().scaled();
    if !args.against.is_empty() && !rivals::BUILT_IN {
        return rivals::build_and_run();
    }
    let outcome = runtime().and_then(|runtime| runtime.block_on(measure(&args)));
    ended(outcome)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")
}

fn ended(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    let mut report = Report::new(args.json);
    let mut outcome = scenarios(args, &mut report).await;
    let mut picture = None;
    if outcome.is_ok() && args.wants(Scenario::Growth) {
        outcome = growth::run(args, &mut report).await;
        picture = growth::draw(&report, args.report.as_deref())?;
    }
    // What was measured before something failed is worth its page too.
    report.finish(&args.title(), args.report.as_deref(), picture.as_deref()).and(outcome)
}

async fn scenarios(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    for group in Group::wanted(args) {
        for round in 1..=group.rounds(args) {
            report.turn::<Pair>(round, &[]);
            group.measure::<Pair>(args, report).await?;
            for rival in &args.against {
                rival.take_turn(group, round, args, report).await?;
                report.ratios(rival.name(), round);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, number) in [("500", 500), ("60k", 60_000), ("1M", 1_000_000), ("2_000", 2_000)] {
            assert_eq!(count(text), Ok(number));
        }
        for text in ["", "k", "-1", "1.5M", "99999999999999999999"] {
            assert!(count(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_named_means_everything_but_growth() {
        let against = Args::parse_from(["bench", "--against", "nats,rabbitmq"]);
        assert!(against.wants(Scenario::Idle) && !against.wants(Scenario::Growth));
        assert_eq!((against.rounds(), against.against.len()), (5, 2));
        assert!(Args::try_parse_from(["bench"]).is_err());
        let growth = Args::parse_from(["bench", "growth", "--entries", "10k", "--quick"]).scaled();
        assert!(growth.wants(Scenario::Growth) && !growth.wants(Scenario::Latency));
        assert_eq!((growth.entries, growth.rounds), (vec![10_000], Some(1)));
    }
}
