//! The commands of `passerelle-node`: what each asks for, and the rooms that it calls. Talks to the
//! person at the terminal; everything else is silent.

mod demo;
mod init;
mod journal;
mod run;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::config::Config;

/// What this build is.
#[cfg(not(feature = "defects"))]
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What this build is: not one to run a node with.
#[cfg(feature = "defects")]
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " with deliberate defects, for simulation only");

/// The Passerelle node of one National Society.
///
/// It exchanges route-condition alerts and consented case handovers with the nodes of other
/// Societies, and keeps a durable record of who sent what to whom, when, and on what basis.
#[derive(Debug, Parser)]
#[command(name = "passerelle-node", version = VERSION, about, long_about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the node until it is told to stop (SIGTERM or Ctrl-C; SIGHUP reads the configuration again).
    Run(WithConfig),
    /// Make the root, certificate and keys of a new node, and a commented configuration.
    ///
    /// Example: passerelle-node init --society SN --dir /var/lib/passerelle --admin fatou
    Init(init::Init),
    /// Read a configuration and name every fault in it, with its line and the remedy.
    CheckConfig(WithConfig),
    /// Issue a certificate for an operator or a program that connects over TCP.
    ///
    /// Example: passerelle-node operator-certificate --config node.toml --name casework --out casework/
    OperatorCertificate(init::OperatorCertificate),
    /// Verify the journal of a node that is not running: chain, tree, checkpoint, objects, views.
    Verify(WithConfig),
    /// Drop the views of a node that is not running and fold them again from its journal.
    Rebuild(WithConfig),
    /// Make the store of a node that is not running anew, so that nothing of what was erased stays in its files.
    ///
    /// Needs as much free room as the store takes. The journal, its views and its life stay the same.
    Compact(WithConfig),
    /// Write the journal of a node that is not running to a file that does not depend on the store.
    Export(journal::Export),
    /// Read an exported journal into a new, empty store.
    Import(journal::Import),
    /// Show three nodes at work: an alert, a consented handover, a refusal, a crash and a catch-up.
    Demo(demo::Demo),
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct WithConfig {
    /// The configuration file.
    #[arg(long, short, env = "PASSERELLE_CONFIG", default_value = "/etc/passerelle/node.toml")]
    config: PathBuf,
}

impl WithConfig {
    fn load(&self) -> anyhow::Result<Config> {
        Config::load(&self.config, std::env::vars()).map_err(|faults| anyhow::anyhow!("{faults}"))
    }

    /// The configuration of a node whose data is to be looked at: nothing is made where there is none.
    fn load_existing(&self) -> anyhow::Result<Config> {
        let config = self.load()?;
        config.check_data_folder()?;
        Ok(config)
    }
}

/// Runs the command that the process was given.
#[must_use]
pub fn main_entry() -> ExitCode {
    run_args(std::env::args_os())
}

/// Runs the command of these arguments, of which the first is the name of the program. For programs
/// that are a node under another name, such as the benches.
#[must_use]
pub fn run_args(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = Cli::parse_from(arguments);
    let outcome = match cli.command {
        Command::Run(with) => run::run(&with),
        Command::Init(init) => init.run().map(|()| ExitCode::SUCCESS),
        Command::CheckConfig(with) => check_config(&with),
        Command::OperatorCertificate(issue) => issue.run().map(|()| ExitCode::SUCCESS),
        Command::Verify(with) => journal::verify(&with),
        Command::Rebuild(with) => journal::rebuild(&with).map(|()| ExitCode::SUCCESS),
        Command::Compact(with) => journal::compact(&with).map(|()| ExitCode::SUCCESS),
        Command::Export(export) => export.run().map(|()| ExitCode::SUCCESS),
        Command::Import(import) => import.run().map(|()| ExitCode::SUCCESS),
        Command::Demo(demo) => demo.run(),
    };
    outcome.unwrap_or_else(|error| {
        say(&format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}

fn check_config(with: &WithConfig) -> anyhow::Result<ExitCode> {
    let config = with.load()?;
    crate::feed::trusted::load(&config.cap.trusted_certificates)?;
    config.check_data_folder()?;
    tell(&format!("{}: the configuration of the node of {} is in order", with.config.display(), config.society));
    Ok(ExitCode::SUCCESS)
}

/// Data for the person or script that asked.
#[allow(clippy::print_stdout, reason = "a command answers on standard output")]
fn tell(line: &str) {
    println!("{line}");
}

/// Talk beside the data.
fn say(line: &str) {
    eprintln!("{line}");
}
