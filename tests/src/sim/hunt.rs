//! The hunt for deliberate defects: whether the simulation finds each of them within so many seeds, in which the
//! undamaged product breaks nothing. What it finds is told as a table and, where asked for, written as a report.

use std::{
    fmt::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use passerelle_domain::defects::{Defect, arm};

use super::invariants::Violation;

/// What became of one defect.
pub struct Quarry {
    /// Which.
    pub defect: Defect,
    /// The seed that found it and what was broken first; none when it was missed.
    pub found: Option<(u64, Violation)>,
    /// Seeds that it took.
    pub seeds: u64,
    /// Wall time that it took.
    pub took: Duration,
}

/// Runs one seed; what it found broken.
pub type Run<'a> = &'a mut dyn FnMut(u64) -> anyhow::Result<Vec<Violation>>;

/// Runs the seeds without any defect.
///
/// # Errors
/// The seed in which something was broken all the same, or could not be run.
pub fn undamaged(seeds: impl Iterator<Item = u64>, run: Run<'_>) -> anyhow::Result<()> {
    arm(None);
    for seed in seeds {
        if let Some(Violation { invariant, text, .. }) = run(seed)?.into_iter().next() {
            anyhow::bail!("seed {seed} breaks {invariant} without any defect: {text}");
        }
    }
    Ok(())
}

/// Runs seeds with a defect armed until one finds it.
///
/// # Errors
/// When a seed cannot be run.
pub fn hunt(defect: Defect, seeds: impl Iterator<Item = u64>, run: Run<'_>) -> anyhow::Result<Quarry> {
    let started = Instant::now();
    let mut quarry = Quarry { defect, found: None, seeds: 0, took: Duration::ZERO };
    arm(Some(defect));
    for seed in seeds {
        quarry.seeds += 1;
        let broken = run(seed);
        if let Some(violation) = broken.inspect_err(|_| arm(None))?.into_iter().next() {
            quarry.found = Some((seed, violation));
            break;
        }
    }
    arm(None);
    quarry.took = started.elapsed();
    Ok(quarry)
}

/// The table of a hunt, in Markdown, as it is told and reported.
#[must_use]
pub fn table(quarries: &[Quarry]) -> String {
    let mut table =
        String::from("| defect | what is wrong | found after | seed | by | seconds |\n|---|---|---:|---:|---|---:|\n");
    for Quarry { defect, found, seeds, took } in quarries {
        let what = defect.what();
        let (after, seed, by) = match found {
            Some((seed, violation)) => (plural(*seeds), seed.to_string(), violation.invariant.to_string()),
            None => (format!("missed in {seeds}"), "-".to_owned(), "-".to_owned()),
        };
        // Writing to a String does not fail.
        let _ = writeln!(table, "| {defect} | {what} | {after} | {seed} | {by} | {:.1} |", took.as_secs_f64());
    }
    table
}

fn plural(seeds: u64) -> String {
    if seeds == 1 { "1 seed".to_owned() } else { format!("{seeds} seeds") }
}

/// Writes the report of a hunt.
///
/// # Errors
/// When the file cannot be written.
pub fn report(to: &Path, head: &str, quarries: &[Quarry]) -> anyhow::Result<()> {
    let found = quarries.iter().filter(|quarry| quarry.found.is_some()).count();
    let most = quarries.iter().map(|quarry| quarry.seeds).max().unwrap_or_default();
    let mut text = format!(
        "# Deliberate defects, found by the simulation\n\n{head}\n\n{found} of {} defects were found, the hardest \
         after {}.\n\n{}\n## How each was found\n\n",
        quarries.len(),
        plural(most),
        table(quarries)
    );
    for quarry in quarries {
        if let Some((seed, Violation { invariant, text: how, .. })) = &quarry.found {
            let _ = writeln!(text, "- `{}`, seed {seed}, {invariant}: {how}", quarry.defect);
        }
    }
    std::fs::write(to, text)?;
    Ok(())
}
