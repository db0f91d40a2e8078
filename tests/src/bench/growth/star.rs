//! A node with many peers: the node is a process as any other; its peers are in one process together (see `peers`).

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use passerelle_domain::society::Society;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    task::JoinSet,
};

use super::PEERS;
use crate::bench::{
    nodes::{BenchNode, OurCaller, OurMeter, PATIENCE, found, introduce, peer},
    system::{Arrivals, End, Place, System, free_port},
};

/// The node in the middle.
const HUB: &str = "SN";

/// The process in which the peers are.
struct Peers {
    child: Child,
    orders: ChildStdin,
    answers: tokio::io::Lines<BufReader<ChildStdout>>,
}

impl Peers {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(PEERS)
            .arg(folder)
            .env("MALLOC_ARENA_MAX", "2")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let orders = child.stdin.take().context("it was asked for")?;
        let answers = BufReader::new(child.stdout.take().context("it was asked for")?).lines();
        Ok(Self { child, orders, answers })
    }

    /// Gives an order and waits until it is carried out.
    async fn order(&mut self, order: &str) -> anyhow::Result<()> {
        self.orders.write_all(format!("{order}\n").as_bytes()).await?;
        let answer =
            tokio::time::timeout(PATIENCE, self.answers.next_line()).await.context("the peers do not answer")??;
        anyhow::ensure!(answer.as_deref() == Some(order), "the peers have ended");
        Ok(())
    }
}

/// A node and its peers.
pub(crate) struct Star {
    hub: BenchNode,
    peers: Peers,
    count: u64,
    published: u64,
    port: u16,
    _folder: TempDir,
}

impl Star {
    /// A node with so many peers, all running and joined.
    pub(super) async fn start(place: &Place, count: u64) -> anyhow::Result<Self> {
        let folder = place.folder()?;
        let port = free_port()?;
        let address = format!("127.0.0.1:{port}");
        let hub: Society = HUB.parse()?;
        let societies: Vec<Society> = codes().filter(|code| *code != hub).take(usize::try_from(count)?).collect();
        anyhow::ensure!(societies.len() as u64 == count, "there are not so many Societies");
        let named: String = societies.iter().map(|society| peer(*society, "")).collect();
        let hub_node = BenchNode::prepare(folder.path(), hub, &address, &named)?;
        let others = folder.path().join("peers");
        for society in &societies {
            let own = others.join(society.code());
            found(&own, *society)?;
            introduce(&own, hub_node.folder())?;
            introduce(hub_node.folder(), &own)?;
            let config = format!(
                "society = \"{society}\"\ndata_dir = {own:?}\n\n[link]\nlisten = \"off\"\n\n[metrics]\nlisten = \"off\"\n\n{}",
                peer(hub, &format!("{address:?}"))
            );
            std::fs::write(own.join("node.toml"), config)?;
        }
        let peers = Peers::start(&others)?;
        let mut star = Self { hub: hub_node, peers, count, published: 0, port, _folder: folder };
        star.start_end(End::A).await?;
        star.start_end(End::B).await?;
        star.joined().await?;
        Ok(star)
    }
}

/// All codes that a Society can have, in order.
fn codes() -> impl Iterator<Item = Society> {
    let letters = || b'A'..=b'Z';
    letters().flat_map(move |a| letters().map(move |b| [a, b])).filter_map(|code| Society::parse_bytes(&code).ok())
}

impl System for Star {
    const NAME: &'static str = "passerelle";
    type Caller = OurCaller;
    type Meter = OurMeter;

    async fn callers(&self, count: usize) -> anyhow::Result<Vec<OurCaller>> {
        self.hub.callers(count).await
    }

    async fn meter(&self) -> anyhow::Result<OurMeter> {
        self.hub.meter().await
    }

    async fn watch(&self, _count: u64) -> anyhow::Result<JoinSet<anyhow::Result<Arrivals>>> {
        anyhow::bail!("the peers of a star tell nobody of what they get")
    }

    fn published(&mut self) -> &mut u64 {
        &mut self.published
    }

    fn receivers(&self) -> u64 {
        self.count
    }

    async fn start_end(&mut self, end: End) -> anyhow::Result<Duration> {
        match end {
            End::A => self.hub.start().await,
            End::B => {
                let began = Instant::now();
                self.peers.order("start").await?;
                Ok(began.elapsed())
            }
        }
    }

    async fn stop_end(&mut self, end: End) -> anyhow::Result<()> {
        match end {
            End::A => self.hub.stop().await,
            End::B => self.peers.order("stop").await,
        }
    }

    async fn kill_end(&mut self, end: End) -> anyhow::Result<()> {
        anyhow::ensure!(end == End::A, "what the peers of a star have stored would be gone with them");
        self.hub.kill().await
    }

    async fn joined(&self) -> anyhow::Result<()> {
        self.hub.joined(usize::try_from(self.count)?).await
    }

    fn pid(&self, end: End) -> anyhow::Result<u32> {
        match end {
            End::A => self.hub.pid(),
            End::B => self.peers.child.id().context("the peers do not run"),
        }
    }

    fn store(&self, _end: End) -> PathBuf {
        self.hub.store()
    }

    fn port(&self) -> u16 {
        self.port
    }
}
