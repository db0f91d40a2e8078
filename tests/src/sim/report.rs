//! The command line of the simulation: seeds in, what came of them out.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::Parser;
use parking_lot::Mutex;

use super::{Class, Homes, Outcome, Scenario, launch, plan, seeds::each_seed, shrink::shrink, simulate};
use crate::{about, world};

/// Simulates whole nodes on virtual time, with everything breaking that a seed says, and checks what must hold.
#[derive(Debug, Parser)]
#[command(
    name = "simulate",
    after_help = "With --defects, deliberate defects are armed one after another, and each must be found: all other \
                  arguments are then those of simulate-defects (try --defects --help)."
)]
struct Arguments {
    /// The seeds, both ends included: `1..10000`, or one.
    #[arg(long, default_value = "1..20", value_parser = seeds)]
    seeds: (u64, u64),
    /// One seed; the same as `--seeds N`.
    #[arg(long)]
    seed: Option<u64>,
    /// How many nodes, 2 to 10.
    #[arg(long, default_value_t = 4)]
    nodes: usize,
    /// For how many minutes of virtual time things break.
    #[arg(long, default_value_t = 5)]
    minutes: u64,
    /// Faults to leave out, by class.
    #[arg(long, value_delimiter = ',')]
    without: Vec<Class>,
    /// Of the planned faults, those that happen, by number.
    #[arg(long, value_delimiter = ',')]
    only: Option<Vec<usize>>,
    /// How much of the planned work is done.
    #[arg(long)]
    work: Option<usize>,
    /// The hash of what the seed plans; nothing runs when it plans something else by now.
    #[arg(long)]
    plan: Option<String>,
    /// How many simulations run at once.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Runs each seed twice and compares.
    #[arg(long)]
    twice: bool,
    /// Tells the whole story of each seed.
    #[arg(long)]
    story: bool,
    /// Does not make a failing seed smaller.
    #[arg(long)]
    no_shrink: bool,
    /// Goes on after a failing seed.
    #[arg(long)]
    keep_going: bool,
    /// Writes one line of JSON for each seed.
    #[arg(long)]
    json: bool,
    /// Writes a summary of all seeds to this file.
    #[arg(long)]
    report: Option<PathBuf>,
}

fn seeds(text: &str) -> Result<(u64, u64), String> {
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| format!("{text:?} is no number"));
    match text.split_once("..") {
        Some((first, last)) => Ok((number(first)?, number(last.trim_start_matches('='))?)),
        None => number(text).map(|seed| (seed, seed)),
    }
}

/// What all seeds came to.
#[derive(Default)]
struct Sum {
    seeds: u64,
    events: u64,
    entries: u64,
    delivered: u64,
    acknowledged: u64,
    refused: u64,
    rejected: u64,
    receipts: u64,
    handshakes: u64,
    lives: u64,
    virtual_ms: u64,
    took: Duration,
    longest: (Duration, u64),
    faults: BTreeMap<Class, u64>,
    failures: Vec<(u64, String, String)>,
}

impl Sum {
    fn add(&mut self, seed: u64, outcome: &Outcome) {
        self.seeds += 1;
        self.events += outcome.events;
        self.entries += outcome.counts.entries;
        self.delivered += outcome.counts.delivered;
        self.acknowledged += outcome.counts.acknowledged;
        self.refused += outcome.counts.refused;
        self.rejected += outcome.counts.rejected;
        self.receipts += outcome.counts.receipts;
        self.handshakes += outcome.network.connections;
        self.lives += outcome.lives;
        self.virtual_ms += outcome.virtual_ms;
        self.took += outcome.took;
        self.longest = self.longest.max((outcome.took, seed));
        for (_, class) in &outcome.faults {
            *self.faults.entry(*class).or_default() += 1;
        }
    }
}

/// Runs the program.
#[must_use]
pub fn run() -> ExitCode {
    if let Some(arguments) = launch::asked_for() {
        return launch::simulate_defects(arguments);
    }
    match simulate_all(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("simulate: {error:#}");
            ExitCode::from(2)
        }
    }
}

impl Arguments {
    fn scenario(&self, seed: u64) -> Scenario {
        Scenario {
            seed,
            nodes: self.nodes,
            minutes: self.minutes,
            without: self.without.iter().copied().collect(),
            only: self.only.as_ref().map(|only| only.iter().copied().collect()),
            work: self.work,
        }
    }

    /// That the seed still plans what it is said to.
    fn check_plan(&self, seed: u64) -> anyhow::Result<()> {
        let today = plan(&self.scenario(seed));
        let same = self.plan.as_ref().is_none_or(|said| *said == today);
        anyhow::ensure!(same, "seed {seed} plans something else by now: {today}");
        Ok(())
    }

    fn seeds(&self) -> (u64, u64) {
        self.seed.map_or(self.seeds, |seed| (seed, seed))
    }
}

/// The simulations that once failed, each with its line of the list.
///
/// # Errors
/// When a line of it is none, or does not say what its seed plans; when the seed plans something else by now.
pub fn regressions() -> anyhow::Result<Vec<(&'static str, Scenario)>> {
    let lines = include_str!("regressions").lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let scenario = |line: &'static str| {
        let words = line.split(" # ").next().unwrap_or_default().split_whitespace();
        let arguments = Arguments::try_parse_from(["simulate"].into_iter().chain(words))?;
        let (seed, _) = arguments.seeds();
        anyhow::ensure!(arguments.plan.is_some(), "the line does not say what its seed plans: {line}");
        arguments.check_plan(seed).context(line)?;
        Ok((line, arguments.scenario(seed)))
    };
    lines.map(scenario).collect()
}

fn simulate_all(arguments: &Arguments) -> anyhow::Result<bool> {
    let homes = Homes::make(arguments.nodes)?;
    let (first, last) = arguments.seeds();
    let (sum, begun) = (Mutex::new(Sum::default()), Instant::now());
    each_seed(first..=last, arguments.jobs, |seed| {
        let outcome = one(arguments, &homes, seed)?;
        let failed = !outcome.1.violations.is_empty();
        note(arguments, seed, &outcome, &sum, (begun, last - first + 1));
        Ok(if failed && !arguments.keep_going { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    let sum = sum.into_inner();
    eprintln!("\r{}", summary(&sum, begun.elapsed()));
    if let Some(file) = &arguments.report {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, page(arguments, &sum, begun.elapsed()))?;
    }
    Ok(sum.failures.is_empty())
}

/// One seed, and if it fails, the smallest way in which it does.
fn one(arguments: &Arguments, homes: &Homes, seed: u64) -> anyhow::Result<(Scenario, Outcome)> {
    arguments.check_plan(seed)?;
    let scenario = arguments.scenario(seed);
    let mut outcome = simulate(homes, &scenario)?;
    if arguments.twice {
        let again = simulate(homes, &scenario)?;
        if again.digest != outcome.digest {
            let at = outcome.story.iter().zip(&again.story).position(|(one, other)| one != other);
            let at = at.unwrap_or(outcome.story.len().min(again.story.len()));
            let line = |story: &[String]| story.get(at).cloned().unwrap_or_else(|| "the end".to_owned());
            eprintln!(
                "seed {seed} differs from itself at event {at}:\n  {}\n  {}",
                line(&outcome.story),
                line(&again.story)
            );
            outcome.violations.push(super::Violation {
                at: 0,
                invariant: super::Invariant::SameSeedSameBytes,
                text: format!("the second run differs at event {at}"),
            });
            return Ok((scenario, outcome));
        }
    }
    if outcome.violations.is_empty() || arguments.no_shrink {
        return Ok((scenario, outcome));
    }
    eprintln!("\rseed {seed} fails; it is made smaller");
    shrink(homes, &scenario, outcome)
}

#[allow(clippy::print_stdout, reason = "what became of a seed is what the simulation is asked for")]
fn note(
    arguments: &Arguments,
    seed: u64,
    (scenario, outcome): &(Scenario, Outcome),
    sum: &Mutex<Sum>,
    (begun, all): (Instant, u64),
) {
    let mut sum = sum.lock();
    sum.add(seed, outcome);
    if arguments.json {
        println!("{}", json(seed, outcome));
    }
    if arguments.story || !outcome.violations.is_empty() {
        tell(scenario, outcome, arguments.story);
    }
    if let Some(first) = outcome.violations.first() {
        sum.failures.push((seed, format!("{}: {}", first.invariant, first.text), command_line(scenario)));
    }
    if sum.seeds.is_multiple_of(10) {
        let took = begun.elapsed().as_secs_f64();
        eprint!("\r{} of {all} seeds, {} failed, {took:.0} s ", sum.seeds, sum.failures.len());
    }
}

/// The story of a seed: of a failing one what people, faults and nodes did.
#[allow(clippy::print_stdout, reason = "what became of a seed is what the simulation is asked for")]
fn tell(scenario: &Scenario, outcome: &Outcome, whole: bool) {
    println!("--- seed {} with {} nodes: {} events, {}", scenario.seed, scenario.nodes, outcome.events, outcome.digest);
    let lines = if whole { 0 } else { outcome.story.len().saturating_sub(400) };
    outcome.story.iter().skip(lines).for_each(|line| println!("{line}"));
    for violation in &outcome.violations {
        println!("BROKEN {} at {} ms: {}", violation.invariant, violation.at, violation.text);
        println!("       ({})", violation.invariant.says().trim());
    }
    if !outcome.violations.is_empty() {
        println!("again: {}", command_line(scenario));
    }
}

/// The command that repeats a scenario.
fn command_line(scenario: &Scenario) -> String {
    let mut line = format!(
        "cargo run --release -p passerelle-tests --bin simulate -- --seed {} --nodes {} --minutes {}",
        scenario.seed, scenario.nodes, scenario.minutes
    );
    let list = |names: &mut dyn Iterator<Item = String>| names.collect::<Vec<_>>().join(",");
    if !scenario.without.is_empty() {
        line.push_str(&format!(
            " --without {}",
            list(&mut scenario.without.iter().map(|class| class.name().to_owned()))
        ));
    }
    if let Some(only) = &scenario.only {
        line.push_str(&format!(" --only {}", list(&mut only.iter().map(ToString::to_string))));
    }
    if let Some(work) = scenario.work {
        line.push_str(&format!(" --work {work}"));
    }
    line.push_str(&format!(" --plan {}", plan(scenario)));
    line
}

fn json(seed: u64, outcome: &Outcome) -> serde_json::Value {
    let classes: BTreeSet<&str> = outcome.faults.iter().map(|(_, class)| class.name()).collect();
    serde_json::json!({
        "seed": seed,
        "ok": outcome.violations.is_empty(),
        "digest": outcome.digest,
        "events": outcome.events,
        "entries": outcome.counts.entries,
        "delivered": outcome.counts.delivered,
        "acknowledged": outcome.counts.acknowledged,
        "connections": outcome.network.connections,
        "lives": outcome.lives,
        "faults": outcome.faults.len(),
        "classes": classes,
        "virtual_s": outcome.virtual_ms / 1_000,
        "processor_ms": u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX),
        "broken": outcome.violations.iter().map(|violation| violation.invariant.name()).collect::<Vec<_>>(),
    })
}

fn summary(sum: &Sum, wall: Duration) -> String {
    let seeds = sum.seeds.max(1);
    format!(
        "{} seeds, {} failed; {} entries, {} deliveries, {} receipts, {} handshakes, {} lives, {} faults, {:.1} h of virtual \
         time; {:.0} ms of processor time a seed, {:.0} s in all",
        sum.seeds,
        sum.failures.len(),
        sum.entries,
        sum.delivered,
        sum.receipts,
        sum.handshakes,
        sum.lives,
        sum.faults.values().sum::<u64>(),
        sum.virtual_ms as f64 / 3_600_000.0,
        sum.took.as_secs_f64() * 1_000.0 / seeds as f64,
        wall.as_secs_f64(),
    )
}

/// The page that stays: what was run, what happened in it, what was found.
fn page(arguments: &Arguments, sum: &Sum, wall: Duration) -> String {
    let (first, last) = arguments.seeds();
    let machine = machine();
    let mut page = format!(
        "# Simulation: seeds {first} to {last}\n\nMade by `cargo run --release -p passerelle-tests --bin simulate -- --seeds \
         {first}..{last} --nodes {} --minutes {}`.\n\n{machine}\n\n| figure | value |\n| --- | --- |\n",
        arguments.nodes, arguments.minutes
    );
    let seeds = sum.seeds.max(1) as f64;
    let rows: [(&str, String); 13] = [
        ("seeds", sum.seeds.to_string()),
        ("seeds that broke an invariant", sum.failures.len().to_string()),
        ("nodes in each", arguments.nodes.to_string()),
        ("virtual time", format!("{:.1} h", sum.virtual_ms as f64 / 3_600_000.0)),
        ("events in all stories", sum.events.to_string()),
        ("journal entries", sum.entries.to_string()),
        ("envelopes that took effect", sum.delivered.to_string()),
        ("receipts taken", sum.receipts.to_string()),
        ("requests of people acknowledged, refused", format!("{}, {}", sum.acknowledged, sum.refused)),
        ("lives of nodes", sum.lives.to_string()),
        ("TLS handshakes", sum.handshakes.to_string()),
        (
            "processor time a seed: mean, longest",
            format!(
                "{:.0} ms, {:.0} ms (seed {})",
                sum.took.as_secs_f64() * 1_000.0 / seeds,
                sum.longest.0.as_secs_f64() * 1_000.0,
                sum.longest.1
            ),
        ),
        ("wall time", format!("{:.0} s, {} at once", wall.as_secs_f64(), arguments.jobs)),
    ];
    for (name, value) in rows {
        page.push_str(&format!("| {name} | {value} |\n"));
    }
    page.push_str("\n| fault | times |\n| --- | --- |\n");
    for (class, times) in &sum.faults {
        page.push_str(&format!("| {} | {times} |\n", class.name()));
    }
    page.push_str("\nInvariants, none of which may ever be broken:\n\n");
    for invariant in super::Invariant::ALL {
        page.push_str(&format!("- `{invariant}`: {}\n", invariant.says().trim()));
    }
    if !sum.failures.is_empty() {
        page.push_str("\n| seed | broken | again |\n| --- | --- | --- |\n");
        for (seed, broken, again) in &sum.failures {
            page.push_str(&format!("| {seed} | {broken} | `{again}` |\n"));
        }
    }
    page
}

/// When, from which commit and on what machine.
pub(super) fn machine() -> String {
    format!("Commit {}, {}, on {}.", about::commit(), world::now(), about::machine())
}
