//! The hunt for deliberate defects: whether the simulation finds each of them within so many seeds, in which the
//! undamaged product breaks nothing. What it finds is told as a table and, where asked for, written as a report.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    ops::ControlFlow,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use parking_lot::Mutex;
use passerelle_domain::defects::{Defect, arm};

use super::{Homes, Scenario, Violation, seeds::each_seed, simulate};

/// Arms one deliberate defect after another in the nodes of the simulation, and counts the seeds until it is found.
#[derive(Debug, Parser)]
#[command(name = "simulate-defects")]
struct Arguments {
    /// Within how many seeds each defect must be found; the undamaged product runs as many first.
    #[arg(long, default_value_t = 100)]
    within: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// How many nodes, 2 to 10.
    #[arg(long, default_value_t = 4)]
    nodes: usize,
    /// For how many minutes of virtual time things break.
    #[arg(long, default_value_t = 5)]
    minutes: u64,
    /// The defects to hunt for, by name; all of them when none is named.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Defect>,
    /// How many simulations run at once.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Does not run the undamaged product first.
    #[arg(long)]
    skip_undamaged: bool,
    /// Names the defects, and does nothing else.
    #[arg(long)]
    list: bool,
    /// Writes the table to this file.
    #[arg(long)]
    report: Option<PathBuf>,
}

/// What became of one defect.
struct Quarry {
    defect: Defect,
    /// The seed that found it and what was broken first; none when it was missed.
    found: Option<(u64, Violation)>,
    /// Seeds that it took.
    seeds: u64,
    /// Wall time that it took.
    took: Duration,
}

/// Runs the program.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        Defect::ALL.iter().for_each(|defect| tell(&format!("{defect:<24} {}", defect.what())));
        return ExitCode::SUCCESS;
    }
    match hunt_all(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("simulate-defects: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn hunt_all(arguments: &Arguments) -> anyhow::Result<bool> {
    let homes = Homes::make(arguments.nodes)?;
    let wanted: BTreeSet<Defect> = arguments.only.iter().copied().collect();
    let wanted = Defect::ALL.iter().copied().filter(|defect| wanted.is_empty() || wanted.contains(defect));
    if !arguments.skip_undamaged {
        arm(None);
        let started = Instant::now();
        if let Some((seed, Violation { invariant, text, .. })) = first_broken(arguments, &homes)?.0 {
            anyhow::bail!("seed {seed} breaks {invariant} without any defect: {text}");
        }
        eprintln!(
            "{} seeds break nothing without a defect, {:.0} s",
            arguments.within,
            started.elapsed().as_secs_f64()
        );
    }
    let mut quarries = Vec::new();
    for defect in wanted {
        let started = Instant::now();
        arm(Some(defect));
        let outcome = first_broken(arguments, &homes);
        arm(None);
        let (found, seeds) = outcome?;
        let quarry = Quarry { defect, found, seeds, took: started.elapsed() };
        eprintln!("{}", line(&quarry));
        quarries.push(quarry);
    }
    let (missed, page) = (quarries.iter().any(|quarry| quarry.found.is_none()), page(arguments, &quarries));
    tell(&table(&quarries));
    if let Some(file) = &arguments.report {
        std::fs::write(file, page)?;
    }
    Ok(!missed)
}

/// The first of the seeds in which something is broken, and how many seeds that took.
fn first_broken(arguments: &Arguments, homes: &Homes) -> anyhow::Result<(Option<(u64, Violation)>, u64)> {
    let Arguments { first, within, nodes, minutes, jobs, .. } = *arguments;
    let found: Mutex<Option<(u64, Violation)>> = Mutex::new(None);
    each_seed(first..=(first + within).saturating_sub(1), jobs, |seed| {
        let outcome = simulate(homes, &Scenario::of(seed, nodes, minutes))?;
        let Some(violation) = outcome.violations.into_iter().next() else { return Ok(ControlFlow::Continue(())) };
        // Those below it still run, lest another order of the threads find another seed.
        let mut found = found.lock();
        if found.as_ref().is_none_or(|(earlier, _)| seed < *earlier) {
            *found = Some((seed, violation));
        }
        Ok(ControlFlow::Break(()))
    })?;
    let found = found.into_inner();
    let seeds = found.as_ref().map_or(within, |(seed, _)| seed - first + 1);
    Ok((found, seeds))
}

fn line(quarry: &Quarry) -> String {
    let Quarry { defect, found, seeds, took } = quarry;
    let took = took.as_secs_f64();
    match found {
        Some((_, violation)) => format!("{defect:<24} found after {seeds}, by {}, {took:.1} s", violation.invariant),
        None => format!("{defect:<24} MISSED in {seeds}, {took:.1} s"),
    }
}

/// The table of a hunt, in Markdown, as it is told and reported.
fn table(quarries: &[Quarry]) -> String {
    let mut table = String::from("| defect | what is wrong | found after | by | seconds |\n|---|---|---|---|---:|\n");
    for Quarry { defect, found, seeds, took } in quarries {
        let (after, by) = match found {
            Some((_, violation)) => (plural(*seeds), format!("`{}`", violation.invariant)),
            None => (format!("missed in {seeds}"), "-".to_owned()),
        };
        // Writing to a String does not fail.
        let _ = writeln!(table, "| `{defect}` | {} | {after} | {by} | {:.1} |", defect.what(), took.as_secs_f64());
    }
    table
}

fn plural(seeds: u64) -> String {
    if seeds == 1 { "1 seed".to_owned() } else { format!("{seeds} seeds") }
}

/// The page that stays: what was hunted, with what, and how each was found.
fn page(arguments: &Arguments, quarries: &[Quarry]) -> String {
    let Arguments { within, first, nodes, minutes, .. } = arguments;
    let found = quarries.iter().filter(|quarry| quarry.found.is_some()).count();
    let most = quarries.iter().filter(|it| it.found.is_some()).map(|quarry| quarry.seeds).max().unwrap_or_default();
    let mut page = format!(
        "# Deliberate defects, found by the simulation\n\nMade by `cargo run --release -p passerelle-tests --bin simulate -- \
         --defects --within {within} --first {first} --nodes {nodes} --minutes {minutes}`.\n\n{}\n\nThe undamaged product \
         ran the seeds {first} to {} first, and broke nothing. Each defect had to be found within {within} seeds: {found} of \
         {} were, the hardest after {}.\n\n{}\n## How each was found\n\n",
        super::report::machine(),
        first + within - 1,
        quarries.len(),
        plural(most),
        table(quarries)
    );
    for quarry in quarries {
        if let Some((seed, Violation { invariant, text, .. })) = &quarry.found {
            let _ = writeln!(page, "- `{}`, seed {seed}, `{invariant}`: {text}", quarry.defect);
        }
    }
    page
}

#[allow(clippy::print_stdout, reason = "the table is what the hunt is asked for")]
fn tell(text: &str) {
    println!("{text}");
}
