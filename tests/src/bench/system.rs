//! What a scenario asks of the two ends that it measures, whoever's they are: ours, or those of a rival.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{alerts::Maker, machine};

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Takes alerts from callers, and dials the other.
    A,
    /// Gets and stores them.
    B,
}

impl End {
    pub(crate) const BOTH: [Self; 2] = [Self::A, Self::B];
}

/// Where the ends have their folders.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// Folder on the disk that is measured; that of temporary files when not said.
    pub(crate) dir: Option<PathBuf>,
    /// Whether the folders stay.
    pub(crate) keep: bool,
}

impl Place {
    /// A new folder, gone with its value unless it is to be kept.
    pub(crate) fn folder(&self) -> anyhow::Result<TempDir> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("passerelle-bench-").disable_cleanup(self.keep);
        let folder = match &self.dir {
            Some(dir) => builder.tempdir_in(dir)?,
            None => builder.tempdir()?,
        };
        if self.keep {
            eprintln!("the folders are in {}", folder.path().display());
        }
        Ok(folder)
    }
}

/// One alert that a caller has handed over.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    /// By which the other end tells of it.
    pub(crate) id: String,
    /// When the caller sent it.
    pub(crate) at: Instant,
    /// When A had acknowledged it: it is durable there.
    pub(crate) acknowledged: Instant,
}

/// A program that hands alerts to A.
pub(crate) trait Caller: Clone + Send + 'static {
    /// Makes one alert, sends it, and waits for the acknowledgement; again while A is busy.
    fn publish(&mut self, maker: &Maker) -> impl Future<Output = anyhow::Result<Published>> + Send;
}

/// Tells how many alerts are durable at B.
pub(crate) trait Meter {
    /// How many, since the beginning.
    async fn stored(&mut self) -> anyhow::Result<u64>;
}

/// When B told of each alert, by its id.
pub(crate) type Arrivals = HashMap<String, Instant>;

/// Two ends that are joined by mutual TLS.
pub(crate) trait System: Sized {
    /// Name in reports.
    const NAME: &'static str;
    /// A program that hands alerts to A.
    type Caller: Caller;
    /// What counts the alerts at B.
    type Meter: Meter;

    /// Programs, over so many connections as [`CONNECTIONS_MAX`](super::load::CONNECTIONS_MAX) allows.
    async fn callers(&self, count: usize) -> anyhow::Result<Vec<Self::Caller>>;
    /// What counts the alerts at B.
    async fn meter(&self) -> anyhow::Result<Self::Meter>;
    /// Notes when B tells a subscriber of each of the next `count` alerts. Returns once it listens.
    async fn watch(&self, count: u64) -> anyhow::Result<JoinSet<anyhow::Result<Arrivals>>>;
    /// Alerts that were acknowledged at A since the beginning.
    fn published(&mut self) -> &mut u64;
    /// How many B are there: each gets every alert.
    fn receivers(&self) -> u64 {
        1
    }

    /// Starts an end and waits until it answers its callers; how long that took.
    async fn start_end(&mut self, end: End) -> anyhow::Result<Duration>;
    /// Stops an end in good order.
    async fn stop_end(&mut self, end: End) -> anyhow::Result<()>;
    /// SIGKILL.
    async fn kill_end(&mut self, end: End) -> anyhow::Result<()>;
    /// Waits until the two are joined.
    async fn joined(&self) -> anyhow::Result<()>;

    /// The process that does the work of an end.
    fn pid(&self, end: End) -> anyhow::Result<u32>;
    /// Folder in which an end stores.
    fn store(&self, end: End) -> PathBuf;
    /// Port at which A dials B: there is one connection to it.
    fn port(&self) -> u16;

    /// Bytes that the store of an end has on the disk.
    fn store_bytes(&self, end: End) -> anyhow::Result<u64> {
        machine::disk_bytes(&self.store(end))
    }

    /// Processor time that both ends have used.
    fn processor_time(&self) -> anyhow::Result<Duration> {
        End::BOTH.iter().map(|end| machine::processor_time(self.pid(*end)?)).sum()
    }

    /// Stops both in good order.
    async fn stop(mut self) -> anyhow::Result<()> {
        for end in End::BOTH {
            self.stop_end(end).await?;
        }
        Ok(())
    }
}

/// Two ends that can be set up by themselves.
pub(crate) trait SetUp: System {
    /// Both ends, new and empty, running and joined.
    async fn start(place: &Place) -> anyhow::Result<Self>;
}

/// A port of this machine that is free now.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0").context("no port")?.local_addr()?.port())
}

/// What is last in a log: why a process has ended.
pub(crate) fn last_words(log: &Path) -> String {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("its log is empty").to_owned()
}
