//! Takes cuts, has what the disk may hold after each made into a folder and looked at, beside the work that goes on.
//! Writes to a temporary folder, and to the one that keeps what failed.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use parking_lot::Mutex;
use passerelle_domain::society::Society;
use tokio::{
    sync::{Semaphore, oneshot},
    task::JoinSet,
};

use super::{
    Options,
    chance::Chance,
    check::check,
    disk::{Cut, Disk, Order},
    image::Image,
    ledger::Witness,
    report::{Phase, Record, Summary},
    tree::Model,
};
use crate::world::{Site, own_address};

/// Cuts that are looked at at once: more than there are cores only slows the work down.
const AT_ONCE: usize = 2;
/// How long the disk may stand still while a cut is wanted.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whose disk is cut.
#[derive(Clone)]
pub(super) struct Subject {
    /// The node.
    pub(super) society: Society,
    /// Its peer.
    pub(super) peer: Society,
    /// Its data folder, from the top of the disk.
    pub(super) folder: PathBuf,
    pub(super) disk: Arc<Disk>,
    pub(super) model: Model,
}

/// Looks at what cuts leave.
pub(super) struct Checker {
    options: Options,
    summary: Arc<Mutex<Summary>>,
    permits: Arc<Semaphore>,
    under_way: Mutex<JoinSet<anyhow::Result<()>>>,
    taken: Mutex<u64>,
}

impl Checker {
    pub(super) fn new(options: Options) -> Self {
        let summary = Arc::new(Mutex::new(Summary::default()));
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        Self { options, summary, permits, under_way: Mutex::default(), taken: Mutex::new(0) }
    }

    /// Cuts taken so far.
    pub(super) fn taken(&self) -> u64 {
        *self.taken.lock()
    }

    /// Whether no more cuts are wanted: one was enough.
    pub(super) fn is_over(&self) -> bool {
        self.options.until_found && self.summary.lock().failed > 0
    }

    /// A node has started again after a kill or a cut and has come to terms with its peer, or has not.
    pub(super) fn started_again(&self, subject: &Subject, outcome: anyhow::Result<()>) {
        self.summary.lock().started_again(self.taken(), subject, outcome, &self.options);
    }

    /// Takes one cut, up to `steps` steps from now, and has it looked at. With `off` the disk has no power from then on;
    /// what it holds then is returned.
    pub(super) async fn cut(
        &self,
        subject: &Subject,
        (phase, steps): (Phase, u64),
        off: bool,
        witness: impl FnOnce() -> Witness + Send + 'static,
    ) -> anyhow::Result<Arc<Image>> {
        let permit = self.permits.clone().acquire_owned().await?;
        let number = {
            let mut taken = self.taken.lock();
            *taken += 1;
            *taken
        };
        let mut chance = Chance::of_cut(self.options.seed, number);
        let (answer, cut) = oneshot::channel();
        let steps = 1 + chance.below(steps);
        subject.disk.order(Order { steps, off, witness: Box::new(witness), answer });
        let cut = tokio::time::timeout(PATIENCE, cut).await.context("the disk stands still")??;
        let image = Arc::new(Image::pick(&cut.disk, &mut chance));
        let (kept, summary, subject) = (image.clone(), self.summary.clone(), subject.clone());
        let options = self.options.clone();
        self.under_way.lock().spawn_blocking(move || {
            let _permit = permit;
            let record = look(&options, &subject, number, phase, &cut, &kept)?;
            summary.lock().add(record, &options);
            Ok(())
        });
        Ok(image)
    }

    /// Waits until every cut was looked at; what was found.
    pub(super) async fn finish(self) -> anyhow::Result<Summary> {
        let mut under_way = self.under_way.into_inner();
        while let Some(ended) = under_way.join_next().await {
            ended??;
        }
        Ok(std::mem::take(&mut *self.summary.lock()))
    }
}

/// Makes a folder of what the disk may hold, and looks at it.
fn look(
    options: &Options,
    subject: &Subject,
    number: u64,
    phase: Phase,
    cut: &Cut,
    image: &Image,
) -> anyhow::Result<Record> {
    let scratch = tempfile::Builder::new().prefix("passerelle-cut-").tempdir_in(scratch_folder())?;
    image.write_to(scratch.path()).context("a disk could not be made a folder")?;
    let folder = scratch.path().join(&subject.folder);
    // The node in it is never reached: it gets no link.
    let site = Site::named(subject.society, &folder, own_address());
    let outcome = check(&site, &cut.witness, subject.peer);
    if let Some(keep) = options.keep.as_ref().filter(|_| !outcome.faults.is_empty()) {
        let kept = keep.join(format!("cut-{number}"));
        image_to(&kept, image)?;
        std::fs::write(kept.join("story.txt"), outcome.faults.join("\n"))?;
    }
    let (writes, names) = cut.disk.unsynced();
    Ok(Record {
        number,
        seed: options.seed,
        model: subject.model,
        society: subject.society,
        phase,
        step: cut.step,
        before: cut.before.clone(),
        style: image.style,
        unsynced_writes: writes as u64,
        unsynced_names: names as u64,
        looked: outcome.looked,
        faults: outcome.faults,
    })
}

/// The disk before anything was opened on it: opening mends, and would hide what was wrong.
fn image_to(folder: &Path, image: &Image) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    image.write_to(folder).map_err(Into::into)
}

/// Where folders cost no disk, if there is such a place.
pub(super) fn scratch_folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}
