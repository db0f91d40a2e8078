//! Power cuts for real: a node process keeps everything below its data folder on a file system of our own, which knows
//! of each write, name and sync whether it would survive. At random steps of it the power goes: what the disk may hold
//! then is made a folder, down to single torn sectors, and the node in it has to open, prove itself, and stand by all
//! that it had acknowledged to operators and to its peer. Needs Linux, root and /dev/fuse.
//!
//! A seed repeats the choices, of moments by steps of the disk and of what it keeps; the processes have a timing of their
//! own. What the model leaves out: permissions and times are durable at once, and a rename is never half done.

mod chance;
mod check;
mod checker;
mod content;
mod disk;
mod filesystem;
mod image;
mod ledger;
mod load;
mod report;
mod rig;
#[cfg(test)]
mod tests;
mod tree;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::Context as _;
use clap::Parser;

pub use disk::Lie;
pub use report::Summary;
pub use tree::Model;

use checker::Checker;
use rig::{End, Plan, Rig};

/// First argument by which the program becomes the node whose disk is cut.
pub const NODE: &str = "__node";

/// Cuts of one world; then another begins, with an empty disk.
const CUTS_A_WORLD: u64 = 50;

/// Cuts of a disk that lies, for the page of results.
const CUTS_OF_A_LIE: u64 = 40;

/// What is to be cut.
#[derive(Clone, Debug)]
pub struct Options {
    /// How often, about: a world is played to its end.
    pub cuts: u64,
    /// Repeats the choices.
    pub seed: u64,
    /// What a sync promises; by turns when not said.
    pub model: Option<Model>,
    /// Which syncs are not done.
    pub lie: Lie,
    /// A line for each cut.
    pub json: bool,
    /// Tell nothing of single cuts.
    pub quiet: bool,
    /// Make no more cuts once something was found.
    pub until_found: bool,
    /// Where to keep the disks of cuts that failed.
    pub keep: Option<PathBuf>,
    /// The program that runs a node, and what it is told before `run`.
    pub program: PathBuf,
    /// See there.
    pub arguments: Vec<String>,
}

/// Cuts the power of a real node's disk at random steps of it, and looks at what is left.
#[derive(Debug, Parser)]
#[command(name = "powercut")]
struct Args {
    /// Cuts.
    #[arg(long, default_value_t = 1_000)]
    cuts: u64,
    /// Repeats the choices of an earlier run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What the disk promises with a sync; each by turns when not said.
    #[arg(long)]
    model: Option<Model>,
    /// A disk that lies: answers these syncs without doing them. The run should fail then.
    #[arg(long, default_value = "none")]
    lie: Lie,
    /// One JSON object a cut.
    #[arg(long)]
    json: bool,
    /// Write a page of results.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Keep the disks of failed cuts in this folder.
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// Makes the cuts that the process was asked for; 1 when something was lost, 2 when the cuts could not be made.
#[must_use]
pub fn run() -> ExitCode {
    let args = Args::parse();
    match run_args(&args) {
        Ok(summary) if summary.failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run_args(args: &Args) -> anyhow::Result<Summary> {
    let options = Options {
        cuts: args.cuts,
        seed: args.seed,
        model: args.model,
        lie: args.lie,
        json: args.json,
        quiet: false,
        until_found: false,
        keep: args.keep.clone(),
        program: std::env::current_exe()?,
        arguments: vec![NODE.to_owned()],
    };
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let summary = runtime.block_on(cut(&options))?;
    let took = begun.elapsed();
    summary.tell(took, args.json);
    if let Some(path) = &args.report {
        let mut lies = Vec::new();
        for lie in Lie::ALL {
            let model = Some(Model::Harsh);
            let lying = Options { cuts: CUTS_OF_A_LIE, lie, model, quiet: true, keep: None, ..options.clone() };
            lies.push((lie, runtime.block_on(cut(&lying))?));
        }
        summary.write(path, &options, took, &lies)?;
    }
    Ok(summary)
}

/// Makes the cuts and looks at what each leaves.
///
/// # Errors
/// When a cut cannot be made, when a node refuses its work, and when a machine does not start again after a cut.
pub async fn cut(options: &Options) -> anyhow::Result<Summary> {
    let checker = Checker::new(options.clone());
    let mut world = 0;
    while checker.taken() < options.cuts && !checker.is_over() {
        let plan = plan(options, world, options.cuts - checker.taken());
        let seed = options.seed;
        Box::pin(play(options, &plan, &checker))
            .await
            .with_context(|| format!("world {world} of seed {seed}, {plan:?}"))?;
        world += 1;
    }
    checker.finish().await
}

fn plan(options: &Options, world: u64, left: u64) -> Plan {
    let cuts = left.min(CUTS_A_WORLD);
    let by_turns = if world.is_multiple_of(2) { Model::Harsh } else { Model::Ext4 };
    let at_start = cuts / 6;
    let at_restart = cuts / 16;
    let third = cuts.saturating_sub(at_start + 3 * at_restart + 2) / 3;
    Plan {
        model: options.model.unwrap_or(by_turns),
        hands_over: (world / 2).is_multiple_of(2),
        at_start,
        rounds: [(End::Kill, third), (End::Power, third), (End::Power, third)],
        at_restart,
    }
}

async fn play(options: &Options, plan: &Plan, checker: &Checker) -> anyhow::Result<()> {
    let mut rig = Box::pin(Rig::build(options, plan, checker)).await?;
    let mut outcome = Ok(true);
    for (end, looks) in plan.rounds {
        outcome = Box::pin(rig.round(end, looks, plan, checker)).await;
        if !matches!(outcome, Ok(true)) {
            break;
        }
    }
    rig.end().await;
    outcome.map(|_| ())
}
