//! A disk whose power can be cut between any two of its steps, and which can be told to lie about its syncs. Whoever
//! orders a cut learns in the same moment what others have been told by then. Memory alone.

use std::{thread, time::Duration};

use clap::ValueEnum;
use fuser::Errno;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{
    chance::Chance,
    image::Image,
    ledger::Witness,
    tree::{Model, Tree},
};

/// Which syncs the disk answers without doing them. With any of these a power cut has to lose something, or the rig
/// could not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Lie {
    /// None: an honest disk.
    #[default]
    None,
    /// `fdatasync`, which is the node's own part of a commit: its storage engine never calls it.
    DataSync,
    /// Syncs of folders.
    FolderSync,
    /// Every sync.
    All,
}

impl Lie {
    /// The lies that there are, the honest disk aside.
    pub const ALL: [Self; 3] = [Self::DataSync, Self::FolderSync, Self::All];

    /// What is left out, in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::DataSync => "`fdatasync`, the node's own part of each commit",
            Self::FolderSync => "those of folders",
            Self::All => "all",
        }
    }
}

/// How long a sync takes at most. Without that no cut would ever fall into one.
const SYNC_MAX: Duration = Duration::from_micros(1_500);

/// A cut that is wanted.
pub(super) struct Order {
    /// So many steps from now.
    pub(super) steps: u64,
    /// Whether the disk is off from then on; else it is only looked at.
    pub(super) off: bool,
    /// Looks at what others have been told. Called while the disk stands still.
    pub(super) witness: Box<dyn FnOnce() -> Witness + Send>,
    /// Where the cut goes.
    pub(super) answer: oneshot::Sender<Cut>,
}

/// A disk at the moment of a cut.
pub(super) struct Cut {
    pub(super) disk: Tree,
    pub(super) witness: Witness,
    /// The step that did not happen any more.
    pub(super) before: String,
    /// Its number.
    pub(super) step: u64,
}

struct Inner {
    tree: Tree,
    powered: bool,
    steps: u64,
    order: Option<Order>,
    chance: Chance,
}

/// A disk.
pub(super) struct Disk {
    inner: Mutex<Inner>,
    lie: Lie,
}

impl Disk {
    /// An empty disk that is on.
    pub(super) fn new(model: Model, lie: Lie, seed: u64) -> Self {
        let tree = Tree::new(model, 0);
        let inner = Inner { tree, powered: true, steps: 0, order: None, chance: Chance::of(seed) };
        Self { inner: Mutex::new(inner), lie }
    }

    /// Orders a cut, in the place of one that was ordered before.
    pub(super) fn order(&self, mut order: Order) {
        let mut inner = self.inner.lock();
        order.steps += inner.steps;
        inner.order = Some(order);
    }

    /// Has a cut that was ordered come with the next step.
    pub(super) fn hasten(&self) {
        if let Some(order) = &mut self.inner.lock().order {
            order.steps = 0;
        }
    }

    /// Whether a cut was ordered and has not come yet.
    pub(super) fn is_wanted(&self) -> bool {
        self.inner.lock().order.is_some()
    }

    /// Switches it off for ever and forgets what it holds.
    pub(super) fn scrap(&self) {
        let mut inner = self.inner.lock();
        inner.powered = false;
        inner.tree = Tree::new(inner.tree.model, inner.tree.next());
    }

    /// Starts again with what a cut has left.
    pub(super) fn boot(&self, image: &Image) {
        let mut inner = self.inner.lock();
        inner.tree = image.boot(inner.tree.model, inner.tree.next());
        inner.powered = true;
    }

    /// Looks at the disk.
    pub(super) fn look<R>(&self, look: impl FnOnce(&Tree) -> Result<R, Errno>) -> Result<R, Errno> {
        let inner = self.inner.lock();
        if inner.powered { look(&inner.tree) } else { Err(Errno::EIO) }
    }

    /// Does what no power cut can tell from its absence, such as opening a file.
    pub(super) fn note<R>(&self, note: impl FnOnce(&mut Tree) -> Result<R, Errno>) -> Result<R, Errno> {
        let mut inner = self.inner.lock();
        if inner.powered { note(&mut inner.tree) } else { Err(Errno::EIO) }
    }

    /// Does one step, unless the power goes before it.
    pub(super) fn step<R>(
        &self,
        what: impl FnOnce(&Tree) -> String,
        step: impl FnOnce(&mut Tree) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        let mut inner = self.inner.lock();
        if !inner.powered {
            return Err(Errno::EIO);
        }
        inner.steps += 1;
        let now = inner.steps;
        if let Some(order) = inner.order.take_if(|order| order.steps <= now) {
            let witness = (order.witness)();
            let cut = Cut { disk: inner.tree.clone(), witness, before: what(&inner.tree), step: now };
            inner.powered = !order.off;
            // Who no longer waits has given up on the run.
            let _ = order.answer.send(cut);
            if order.off {
                return Err(Errno::EIO);
            }
        }
        step(&mut inner.tree)
    }

    /// Syncs a file.
    pub(super) fn sync_file(&self, number: u64, data_only: bool) -> Result<(), Errno> {
        let lies = self.lie == Lie::All || data_only && self.lie == Lie::DataSync;
        let name = if data_only { "fdatasync" } else { "fsync" };
        self.sync(name, number, move |tree, until| if lies { Ok(()) } else { tree.sync_file(number, until) })
    }

    /// Syncs a folder.
    pub(super) fn sync_folder(&self, number: u64) -> Result<(), Errno> {
        let lies = matches!(self.lie, Lie::All | Lie::FolderSync);
        self.sync("fsync of the folder", number, move |tree, until| {
            if !lies {
                tree.sync_folder(number, until);
            }
            Ok(())
        })
    }

    /// What is written while a sync is under way need not be part of it.
    fn sync(
        &self,
        name: &str,
        number: u64,
        sync: impl FnOnce(&mut Tree, u64) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let (until, takes) = {
            let mut inner = self.inner.lock();
            let takes = inner.chance.below(u64::try_from(SYNC_MAX.as_micros()).unwrap_or_default());
            (inner.tree.order(), Duration::from_micros(takes))
        };
        thread::sleep(takes);
        self.step(|tree| format!("{name} {}", tree.path_of(number)), |tree| sync(tree, until))
    }
}
