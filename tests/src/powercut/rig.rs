//! One world of the power cuts: a node process whose whole data folder lies on the disk that is cut, and its peer on an
//! ordinary one. The two do their work over mutual TLS; the machine of the first loses its power and starts again.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use passerelle_domain::{facts::Facts as _, handover::Action, society::Society};
use passerelle_node::trust::{PeerBundles, TrustFolder};
use passerelle_proto::v1::{self, alert_service_client::AlertServiceClient, peer_service_client::PeerServiceClient};
use tempfile::TempDir;

use super::{
    Options,
    chance::Chance,
    checker::{Checker, Subject, scratch_folder},
    disk::Disk,
    filesystem::Mounted,
    ledger::{Ledger, Promise, Witness},
    load::Load,
    report::Phase,
    tree::Model,
};
use crate::world::{Handovers, PATIENCE, Process, Site, channel, own_address, verified};

/// Steps of the disk within which a cut falls, while a node is made or starts, and while it works.
const STEPS_AT_START: u64 = 90;
const STEPS_AT_WORK: [u64; 2] = [25, 400];

/// One world.
pub(super) struct Rig {
    subject: Subject,
    here: Site,
    node: Process,
    there: Site,
    ledger: Ledger,
    seed: u64,
    hands_over: bool,
    tasks: Arc<AtomicU64>,
    home: PathBuf,
    // In this order: what is mounted in the folder goes before the folder.
    _mounted: Mounted,
    _folder: TempDir,
}

/// How a round of work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The node is killed, and started again on a disk that goes on: what it had not synced is there for now, and may be
    /// lost by a later cut.
    Kill,
    /// The power goes, and the machine starts again with what is left.
    Power,
}

/// What is cut and how often in one world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) model: Model,
    /// Whether the node on the disk hands cases over; else it receives them.
    pub(super) hands_over: bool,
    /// Looks while the node is made and starts for the first time.
    pub(super) at_start: u64,
    /// How each round of work ends, and the looks in it.
    pub(super) rounds: [(End, u64); 3],
    /// Looks at each start after that.
    pub(super) at_restart: u64,
}

impl Rig {
    /// Makes the world, cutting while the node on the disk is made and starts.
    pub(super) async fn build(options: &Options, plan: &Plan, checker: &Checker) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("passerelle-powercut-").tempdir_in(scratch_folder())?;
        let (mount, home) = (folder.path().join("disk"), folder.path().join("home"));
        std::fs::create_dir(&mount)?;
        std::fs::create_dir(&home)?;
        let seed = options.seed.wrapping_add(checker.taken());
        let disk = Arc::new(Disk::new(plan.model, options.lie, seed));
        let mounted = Mounted::at(&mount, disk.clone()).context("the disk cannot be mounted")?;
        let (gambia, mali): (Society, Society) = ("GM".parse()?, "ML".parse()?);
        let (own, peer) = if plan.hands_over { (gambia, mali) } else { (mali, gambia) };
        // Two folders deep, so that both have to be made, and to last.
        let inside = PathBuf::from("societies").join(own.code().to_ascii_lowercase());
        let subject = Subject { society: own, peer, folder: inside.clone(), disk, model: plan.model };
        let here = Site::named(own, &mount.join(inside), own_address());
        let node = Process::beside(&here, &home, options.program.clone(), options.arguments.clone())?;
        let there = Site::make(peer, &folder.path().join("peer"), own_address())?;
        let (ledger, tasks) = (Ledger::default(), Arc::default());
        let hands_over = plan.hands_over;
        let mut rig = Self {
            subject,
            here,
            node,
            there,
            ledger,
            seed,
            hands_over,
            tasks,
            home,
            _mounted: mounted,
            _folder: folder,
        };
        let looks = rig.looks(plan.at_start, Phase::Birth);
        let subject = rig.subject.clone();
        let outcome = looks.beside(&subject, checker, Box::pin(rig.set_up())).await;
        if let Err(error) = outcome {
            rig.end().await;
            return Err(error);
        }
        Ok(rig)
    }

    async fn set_up(&mut self) -> anyhow::Result<()> {
        let (own, folder, address) = (self.subject.society, self.here.folder().to_owned(), self.here.address());
        // Blocking: the disk takes its time, and is cut meanwhile.
        self.here = tokio::task::spawn_blocking(move || Site::make(own, &folder, address)).await??;
        self.ledger.add(Promise::Initialised);
        let (_, trust) = TrustFolder::open(self.there.folder())?;
        let folder = self.here.folder().to_owned();
        let put = tokio::task::spawn_blocking(move || PeerBundles::open(&folder)?.put(&trust.bundle));
        put.await??;
        self.ledger.add(Promise::Peer);
        let (_, trust) = TrustFolder::open(self.here.folder())?;
        PeerBundles::open(self.there.folder())?.put(&trust.bundle)?;
        // Killed at some moment of its first start.
        let patience = Duration::from_millis(Chance::of(self.seed).below(400));
        if tokio::time::timeout(patience, self.node.start()).await.is_err() {
            self.node.kill_if_up().await?;
            self.node.start().await.context("the node on the disk does not start")?;
        }
        self.there.start().await.context("the peer does not start")
    }

    fn looks(&self, count: u64, phase: Phase) -> Looks {
        let (ledger, own, enough) = (self.ledger.clone(), self.subject.society, AtomicBool::new(false));
        Looks { count, phase, ledger, node: self.there.node(), own, enough }
    }

    fn socket(&self) -> PathBuf {
        self.home.join("operator.sock")
    }

    fn socket_there(&self) -> PathBuf {
        self.there.folder().join("operator.sock")
    }

    /// Lets both nodes work, cutting, until the round ends as it is to; then starts the node again, and waits until the
    /// two agree. Whether they do.
    pub(super) async fn round(&mut self, end: End, looks: u64, plan: &Plan, checker: &Checker) -> anyhow::Result<bool> {
        let [hurry, stop, off] = [(); 3].map(|()| Arc::new(AtomicBool::new(false)));
        let load = Load {
            here: self.socket(),
            there: self.socket_there(),
            hands_over: self.hands_over,
            ledger: self.ledger.clone(),
            disk: self.subject.disk.clone(),
            hurry: hurry.clone(),
            stop: stop.clone(),
            off: off.clone(),
            seed: self.seed,
            tasks: self.tasks.clone(),
        };
        let looking = self.looks(looks, Phase::Work);
        let subject = self.subject.clone();
        let node = &mut self.node;
        let wait = Duration::from_millis(Chance::of(self.seed).below(300));
        let cutting = async {
            looking.take(&subject, checker).await?;
            if end == End::Kill {
                hurry.store(true, Ordering::SeqCst);
                tokio::time::sleep(wait).await;
                off.store(true, Ordering::SeqCst);
                node.kill().await?;
                return Ok(None);
            }
            let witness = looking.witness();
            let power = off.clone();
            let witness = move || {
                power.store(true, Ordering::SeqCst);
                witness()
            };
            let image = checker.cut(&subject, (Phase::Off, STEPS_AT_WORK[1]), true, witness).await;
            stop.store(true, Ordering::SeqCst);
            image.map(Some)
        };
        // Work that fails ends the cutting too.
        let (_, image) = tokio::try_join!(Box::pin(load.run()), cutting)?;
        self.node.kill_if_up().await?;
        if checker.is_over() {
            return Ok(false);
        }
        if let Some(image) = image {
            self.subject.disk.boot(&image);
        }
        self.start_again(plan, checker).await
    }

    /// Whether the node starts again and comes to terms with its peer. If not, that is a finding, and the world is over.
    async fn start_again(&mut self, plan: &Plan, checker: &Checker) -> anyhow::Result<bool> {
        let looks = self.looks(plan.at_restart, Phase::Restart);
        let subject = self.subject.clone();
        let starting = async { self.node.start().await.context("the node does not start again") };
        let outcome = match looks.beside(&subject, checker, starting).await {
            Ok(()) => self.agree().await,
            Err(error) => Err(error),
        };
        let goes_on = outcome.is_ok();
        checker.started_again(&self.subject, outcome);
        Ok(goes_on)
    }

    /// Asks again for what was not answered, and waits until the nodes have nothing left to tell each other.
    async fn agree(&self) -> anyhow::Result<()> {
        let there = self.there.node().context("the peer does not run")?;
        let witness = self.ledger.witness(Some(&there), self.subject.society);
        let mut alerts = AlertServiceClient::new(channel(&self.socket()).await?);
        for request in witness.asked {
            let id = request.id.parse()?;
            alerts.raise_alert(request).await.context("what was not answered is refused when it is asked again")?;
            self.ledger.answered(id);
        }
        for socket in [self.socket(), self.socket_there()] {
            settled(&socket).await?;
        }
        let (own, other) = (Handovers::at(&self.socket()).await?, Handovers::at(&self.socket_there()).await?);
        for promise in &witness.promises {
            match promise {
                Promise::Alert(id) => {
                    let arrived = there.engine.view().alert(*id)?.is_some();
                    ensure!(arrived, "alert {id} was acknowledged and never reached the peer");
                }
                Promise::Step(id, Action::Withdraw) => {
                    own.until(&id.to_string(), "erased").await?;
                    other.until(&id.to_string(), "erased").await?;
                }
                _ => {}
            }
        }
        verified(&there).map(|_| ())
    }

    /// Takes the world down.
    pub(super) async fn end(mut self) {
        // Whatever went wrong was told; nothing may stay mounted or running behind it.
        let _ = self.node.kill_if_up().await;
        let _ = self.there.stop().await;
    }
}

/// Some cuts in a row that leave the power on.
struct Looks {
    count: u64,
    phase: Phase,
    ledger: Ledger,
    node: Option<Arc<passerelle_node::run::Node>>,
    own: Society,
    /// Set when no more are to be begun.
    enough: AtomicBool,
}

impl Looks {
    /// Takes them while some work is under way, and none after it: a node without work leaves its disk alone.
    async fn beside(
        &self,
        subject: &Subject,
        checker: &Checker,
        work: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let ended = AtomicBool::new(false);
        let working = async {
            work.await?;
            self.enough.store(true, Ordering::SeqCst);
            while !ended.load(Ordering::SeqCst) {
                subject.disk.hasten();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        let looking = async {
            let outcome = self.take(subject, checker).await;
            ended.store(true, Ordering::SeqCst);
            outcome
        };
        tokio::try_join!(working, looking).map(|_| ())
    }

    fn witness(&self) -> impl FnOnce() -> Witness + Send + 'static {
        let (ledger, node, own) = (self.ledger.clone(), self.node.clone(), self.own);
        move || ledger.witness(node.as_deref(), own)
    }

    async fn take(&self, subject: &Subject, checker: &Checker) -> anyhow::Result<()> {
        for look in 0..self.count {
            if self.enough.load(Ordering::SeqCst) || checker.is_over() {
                break;
            }
            let steps = match self.phase {
                Phase::Birth | Phase::Restart => STEPS_AT_START,
                Phase::Work | Phase::Off => STEPS_AT_WORK[usize::from(look % 2 == 0)],
            };
            checker.cut(subject, (self.phase, steps), false, self.witness()).await?;
        }
        Ok(())
    }
}

/// Waits until a node has nothing left for its peer that was not receipted.
async fn settled(socket: &std::path::Path) -> anyhow::Result<()> {
    let mut peers = PeerServiceClient::new(channel(socket).await?);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = peers.list_peers(v1::ListPeersRequest {}).await?.into_inner();
        let open: Vec<_> =
            answer.peers.iter().flat_map(|peer| &peer.lanes).filter(|lane| lane.queued > lane.receipted).collect();
        if open.is_empty() && answer.peers.iter().all(|peer| peer.link == "up") {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the nodes do not come to terms: {open:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
