//! Growth in peers. The peers are nodes as any other (engine, link, TLS, signed receipts), each with a store in memory
//! instead of one on the disk, and all of them in one process: on this machine their disks would be what is measured.

use std::{
    io::{BufRead as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use futures_util::future::BoxFuture;
use passerelle_node::{
    config::Config,
    metrics::Metrics,
    run::{Disk, Storage, Surroundings, start},
    store::{Store, StoreError, memory::MemoryStore},
    supervise::{Exit, Supervisor},
};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::{Load, figures, star::Star};
use crate::bench::{
    Args,
    report::{Line, Report},
    scenarios::float,
    system::{End, System as _},
};

/// After so long, a node that has nothing to do has let go of what it does not need.
const CALM: Duration = Duration::from_secs(3);

/// Measures at each number of peers.
pub(super) async fn steps(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    for peers in &args.peers {
        let mut star = Star::start(&args.place(), *peers).await.with_context(|| format!("{peers} peers"))?;
        tokio::time::sleep(CALM).await;
        // So many deliveries, whatever the number of peers: a step lasts some ten seconds.
        let deliveries = args.count.unwrap_or(40_000);
        let load = Load {
            rate: (deliveries / peers).clamp(20, 20_000),
            pace: u32::try_from(2_500 / peers)?.clamp(5, 50),
            steady: args.count.unwrap_or(300).min(300),
            backlog: (deliveries / 2 / peers).clamp(20, 10_000),
            size: args.size,
        };
        let empty = star.store_bytes(End::A)?;
        let line = Line::new("growth-peers")
            .parameter("peers", *peers)
            .parameter("alerts", load.rate)
            .parameter("steady_alerts_per_s", load.pace)
            .parameter("size_bytes", args.size);
        let line = figures(&mut star, &load, line).await.with_context(|| format!("with {peers} peers"))?;
        let bytes = star.store_bytes(End::A)?.saturating_sub(empty);
        report.add(line.figure("store_bytes_per_alert", float(bytes) / float(*star.published())));
        star.stop().await?;
    }
    Ok(())
}

/// A store in memory in the place of a disk, for as long as the process lives.
struct Memory(Arc<MemoryStore>);

impl Disk for Memory {
    fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(self.0.clone())
    }

    fn settle(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn used_percent(&self) -> u8 {
        0
    }
}

/// One peer: what it runs by, and what ends it while it runs.
struct Peer {
    config: Config,
    around: Surroundings,
    signal: Option<mpsc::UnboundedSender<()>>,
}

impl Peer {
    fn prepare(folder: &Path) -> anyhow::Result<Self> {
        let config = Config::load(&folder.join("node.toml"), std::iter::empty());
        let config = config.map_err(|faults| anyhow::anyhow!("{faults}"))?;
        let storage = Storage::Given(Arc::new(Memory(Arc::new(MemoryStore::new()))));
        Ok(Self { config, around: Surroundings { storage, ..Surroundings::machine() }, signal: None })
    }

    /// Starts it; its end is one of `running`.
    async fn start(&mut self, running: &mut JoinSet<Exit>) -> anyhow::Result<()> {
        let (signal, heard) = mpsc::unbounded_channel();
        let mut supervisor = Supervisor::with_signals(UnboundedReceiverStream::new(heard));
        let node = start(&mut supervisor, self.config.clone(), &self.around, Metrics::new()).await?;
        running.spawn(async move {
            let _node = node;
            supervisor.run_until_signal().await
        });
        self.signal = Some(signal);
        Ok(())
    }
}

/// Runs the peers whose folders are in a folder, and starts and stops them as standard input says. All of them run in
/// one thread.
pub(super) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [folder] = arguments else { anyhow::bail!("a folder is wanted") };
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|item| Ok(item?.path())).collect::<anyhow::Result<_>>()?;
    folders.sort();
    let mut peers = folders.iter().map(|folder| Peer::prepare(folder)).collect::<anyhow::Result<Vec<_>>>()?;
    let (orders, mut ordered) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines();
        // Whoever gave the orders has ended when there are none any more, and so do the peers.
        lines.map_while(Result::ok).take_while(|order| orders.send(order.clone()).is_ok()).count()
    });
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut running = JoinSet::new();
        while let Some(order) = ordered.recv().await {
            obey(&order, &mut peers, &mut running).await?;
            let mut answer = std::io::stdout().lock();
            writeln!(answer, "{order}").and_then(|()| answer.flush())?;
        }
        Ok(())
    })
}

async fn obey(order: &str, peers: &mut [Peer], running: &mut JoinSet<Exit>) -> anyhow::Result<()> {
    match order {
        "start" => {
            for peer in peers {
                peer.start(running).await?;
            }
        }
        "stop" => {
            for peer in &mut *peers {
                if let Some(signal) = peer.signal.take() {
                    signal.send(()).context("a peer has ended by itself")?;
                }
            }
            while let Some(ended) = running.join_next().await {
                anyhow::ensure!(ended? == Exit::Clean, "a peer did not end in good order");
            }
        }
        _ => anyhow::bail!("no such order"),
    }
    Ok(())
}
