//! `run`: the daemon itself.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    config::Config,
    metrics::Metrics,
    run::{Node, Surroundings, serve_operators, start},
    supervise::{Exit, Phase, Supervisor, Task},
    systemd, telemetry,
};

use super::WithConfig;

pub(super) fn run(with: &WithConfig) -> anyhow::Result<ExitCode> {
    let config = with.load()?;
    telemetry::init(&config.log, std::env::var("RUST_LOG").ok().as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let exit = runtime.block_on(serve(config, with))?;
    if exit == Exit::Interrupted {
        // A second signal means now: the runtime is not waited for.
        runtime.shutdown_background();
    }
    Ok(ExitCode::from(exit.code()))
}

async fn serve(config: Config, with: &WithConfig) -> anyhow::Result<Exit> {
    let mut supervisor = Supervisor::new()?;
    let around = Surroundings::machine();
    let metrics = Metrics::new();
    tracing::info!(society = %config.society, version = super::VERSION, "the node starts");
    let node = Arc::new(start(&mut supervisor, config, &around, metrics.clone()).await?);
    serve_operators(&mut supervisor, &node, &around, &metrics)?;
    let stop = supervisor.token(Phase::Link);
    supervisor.spawn(Task::TrustKeeper, node.clone().keep(around, stop.clone()));
    let hangups = signal(SignalKind::hangup()).context("SIGHUP cannot be heard")?;
    supervisor.spawn(Task::Housekeeper, reload_at(hangups, node.clone(), with.config.clone(), stop));
    metrics.ready(true);
    systemd::ready(&format!("node of {}", node.society));
    tracing::info!(entries = node.engine.durable().borrow().entries, "the node is ready");
    drop(node);
    Ok(supervisor.run_until_signal().await)
}

/// Reads the configuration again whenever SIGHUP says so. A faulty one changes nothing.
async fn reload_at(
    mut hangups: tokio::signal::unix::Signal,
    node: Arc<Node>,
    path: std::path::PathBuf,
    stop: tokio_util::sync::CancellationToken,
) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            hangup = hangups.recv() => if hangup.is_none() { return Ok(()) },
        }
        match Config::load(&path, std::env::vars()) {
            Ok(config) => match node.reload(config).await {
                Ok(()) => tracing::info!("configuration and bundles were read again"),
                Err(error) => tracing::error!(%error, "the configuration could not be taken"),
            },
            Err(faults) => tracing::error!(%faults, "the configuration is faulty; the one before stays in force"),
        }
    }
}
