//! Other software that does the same work, set up on this machine and measured in turns with ours: how each is
//! fetched, configured and talked to. Writes into target/rivals and temporary folders; its clients are compiled
//! in with the feature `rivals` only.

#[cfg(feature = "rivals")]
mod certificates;
#[cfg(feature = "rivals")]
mod fetch;
#[cfg(feature = "rivals")]
mod nats;
#[cfg(feature = "rivals")]
mod rabbitmq;
#[cfg(feature = "rivals")]
mod server;

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use clap::ValueEnum;

use super::{Args, report::Report, scenarios::Group};

/// Whether this program has the clients of the rivals in it.
pub(super) const BUILT_IN: bool = cfg!(feature = "rivals");

/// Whom our nodes are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Rival {
    /// NATS JetStream 2.15, `sync_interval: always`: a mirrored stream over a leaf node.
    Nats,
    /// RabbitMQ 3.10: quorum queues and a shovel.
    #[value(name = "rabbitmq")]
    RabbitMq,
}

impl Rival {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::RabbitMq => "rabbitmq",
        }
    }

    /// Measures it once.
    #[cfg(feature = "rivals")]
    pub(super) async fn take_turn(
        self,
        group: Group,
        round: u32,
        args: &Args,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        match self {
            Self::Nats => {
                report.turn::<nats::Nats>(round, &nats::SETTINGS);
                group.measure::<nats::Nats>(args, report).await
            }
            Self::RabbitMq => {
                report.turn::<rabbitmq::RabbitMq>(round, &rabbitmq::SETTINGS);
                group.measure::<rabbitmq::RabbitMq>(args, report).await
            }
        }
    }

    /// Measures it once.
    #[cfg(not(feature = "rivals"))]
    pub(super) async fn take_turn(
        self,
        _group: Group,
        _round: u32,
        _args: &Args,
        _report: &mut Report,
    ) -> anyhow::Result<()> {
        anyhow::bail!("this program was built without the clients of rivals")
    }
}

/// Builds the bench with the clients of the rivals, as it was built itself otherwise, and runs that with the same
/// arguments.
pub(super) fn build_and_run() -> ExitCode {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // Folders in the arguments are relative to where the caller stands, so cargo stays there and is told the manifest.
    command
        .arg("run")
        .arg("--quiet")
        .arg("--manifest-path")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    command.args(["--features", "rivals", "--bin", "bench"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command.arg("--").args(std::env::args_os().skip(1));
    eprintln!("building the clients of the rivals");
    match command.status() {
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => {
            eprintln!("error: cargo is needed to build the clients of the rivals: {error}");
            ExitCode::FAILURE
        }
    }
}
