//! The disk of a simulated node: an ordered map that keeps what was synced through anything, and loses the rest when told
//! to. It outlives the lives of the node, of which one at a time may use it. Touches nothing outside memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use parking_lot::Mutex;
use passerelle_node::{
    run::Disk,
    store::{
        Batch, Direction, Row, Store, StoreError, Value,
        memory::{apply, row_at, scan_with},
    },
};

/// The rows of a store.
pub type Rows = BTreeMap<Value, Value>;

/// A step of a commit at which the node can be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Before anything of it is written.
    Before,
    /// Written, and not durable.
    Written,
    /// Durable, and nobody knows.
    Durable,
}

/// What happens to the node at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// Its process is killed; the machine goes on, and so does what it was given to write.
    Kill,
    /// The power goes, and with it what was not synced.
    PowerCut,
    /// The disk refuses the commit, or cannot make it durable, and every later one; the node reads on, and has to stop
    /// by itself.
    Refuse,
}

/// Hears of what the node commits.
pub trait Witness: Send + Sync {
    /// Rows are written; whoever reads sees them.
    fn written(&self, batch: &Batch);
    /// All that was written is durable now.
    fn durable(&self);
    /// What was written last is lost: `rows` are left.
    fn lost(&self, rows: &Rows);
}

/// What strikes a node's machine when its disk does: its network falls silent in the same instant.
pub type OnBlow = Arc<dyn Fn(Blow) + Send + Sync>;

#[derive(Default)]
struct State {
    rows: Rows,
    /// What stood in place of rows that are written and not durable.
    before: Option<BTreeMap<Value, Option<Value>>>,
    /// The life that may use it; every other one finds it gone.
    life: u64,
    struck: bool,
    refuses: bool,
    planned: Option<(u64, Step, Blow)>,
    full: bool,
    used_percent: u8,
    unreadable: BTreeSet<Value>,
    commits: u64,
}

/// The disk of one node.
pub struct SimDisk {
    state: Mutex<State>,
    witness: Arc<dyn Witness>,
    on_blow: OnBlow,
    sync: Duration,
}

/// The disk as one life of the node has it.
pub struct OneLife {
    disk: Arc<SimDisk>,
    life: u64,
}

impl SimDisk {
    /// An empty disk that takes `sync` to make something durable.
    #[must_use]
    pub fn new(witness: Arc<dyn Witness>, on_blow: OnBlow, sync: Duration) -> Self {
        Self { state: Mutex::default(), witness, on_blow, sync }
    }

    /// Gives it to a new life of the node. What the one before wrote and could not make durable is lost.
    pub fn begin_life(&self, life: u64) {
        let mut state = self.state.lock();
        (state.life, state.struck, state.refuses) = (life, false, false);
        self.lose(&mut state);
    }

    fn lose(&self, state: &mut State) {
        if let Some(before) = state.before.take() {
            apply(&mut state.rows, before);
            self.witness.lost(&state.rows);
        }
    }

    /// The life that has it ends here, between or within commits.
    pub fn strike(&self, blow: Blow) {
        self.blow(&mut self.state.lock(), blow);
    }

    fn blow(&self, state: &mut State, blow: Blow) {
        if state.struck {
            return;
        }
        state.planned = None;
        match blow {
            Blow::Refuse => state.refuses = true,
            Blow::PowerCut => {
                state.struck = true;
                self.lose(state);
            }
            Blow::Kill => {
                state.struck = true;
                if state.before.take().is_some() {
                    // The system still writes what the process gave it.
                    self.witness.durable();
                }
            }
        }
    }

    /// Lets a blow fall on the n-th commit from now.
    pub fn plan(&self, commit: u64, step: Step, blow: Blow) {
        let mut state = self.state.lock();
        state.planned = Some((state.commits + commit, step, blow));
    }

    /// Nothing falls any more that was planned.
    pub fn spare(&self) {
        self.state.lock().planned = None;
    }

    /// How full the node finds its disk; from 100 on nothing more can be written.
    pub fn fill(&self, percent: u8) {
        let mut state = self.state.lock();
        (state.used_percent, state.full) = (percent, percent >= 100);
    }

    /// What is on it, as a backup copies it.
    #[must_use]
    pub fn rows(&self) -> Rows {
        let state = self.state.lock();
        let mut rows = state.rows.clone();
        if let Some(before) = state.before.clone() {
            apply(&mut rows, before);
        }
        rows
    }

    /// Puts a backup in the place of everything, or damaged rows in the place of good ones.
    pub fn replace(&self, rows: Rows) {
        let mut state = self.state.lock();
        state.before = None;
        state.unreadable.clear();
        self.witness.lost(&rows);
        state.rows = rows;
    }

    /// A row that the disk cannot read any more, as the store on a real disk finds one whose checksum is wrong.
    pub fn spoil(&self, key: Value) {
        self.state.lock().unreadable.insert(key);
    }

    /// Reads it, whichever life has it: for whoever checks.
    #[must_use]
    pub fn reader(self: &Arc<Self>) -> OneLife {
        OneLife { disk: Arc::clone(self), life: u64::MAX }
    }

    fn planned(&self, state: &mut State, step: Step) -> Option<StoreError> {
        let (commit, at, blow) = state.planned?;
        if state.commits < commit || at != step {
            return None;
        }
        self.blow(state, blow);
        Some(match blow {
            Blow::Refuse => StoreError::Failed { step: "commit", detail: "the disk failed".to_owned() },
            Blow::Kill | Blow::PowerCut => gone("commit"),
        })
    }

    /// Waits for the disk, then takes what was written for durable.
    async fn settled(self: Arc<Self>, life: u64) -> Result<(), StoreError> {
        tokio::time::sleep(self.sync).await;
        let (outcome, blow) = {
            let mut state = self.state.lock();
            if state.life != life || state.struck {
                return Err(gone("sync"));
            }
            if state.refuses {
                return Err(StoreError::Poisoned);
            }
            let blow = state.planned.map(|(_, _, blow)| blow);
            let outcome = match self.planned(&mut state, Step::Written) {
                Some(error) => Err(error),
                None => {
                    if state.before.take().is_some() {
                        self.witness.durable();
                    }
                    self.planned(&mut state, Step::Durable).map_or(Ok(()), Err)
                }
            };
            (outcome, blow)
        };
        if outcome.is_err()
            && let Some(blow) = blow
        {
            (self.on_blow)(blow);
        }
        outcome
    }
}

/// The disk of a life, as the node is given it.
pub struct LifeDisk {
    disk: Arc<SimDisk>,
    life: u64,
}

impl LifeDisk {
    /// The disk for one life.
    #[must_use]
    pub fn new(disk: Arc<SimDisk>, life: u64) -> Self {
        Self { disk, life }
    }
}

impl Disk for LifeDisk {
    fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(OneLife { disk: self.disk.clone(), life: self.life }))
    }

    fn settle(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.disk.clone().settled(self.life).boxed()
    }

    fn used_percent(&self) -> u8 {
        self.disk.state.lock().used_percent
    }
}

impl OneLife {
    fn read<'a>(&self, state: &'a State) -> Result<&'a Rows, StoreError> {
        let mine = self.life == u64::MAX || state.life == self.life && !state.struck;
        if mine { Ok(&state.rows) } else { Err(gone("read")) }
    }
}

impl State {
    fn check(&self, key: &[u8]) -> Result<(), StoreError> {
        if self.unreadable.contains(key) {
            return Err(StoreError::Failed {
                step: "read",
                detail: "the bytes are not those that were written".to_owned(),
            });
        }
        Ok(())
    }
}

impl Store for OneLife {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        let state = self.disk.state.lock();
        let found = self.read(&state)?.get(key).cloned();
        state.check(key)?;
        Ok(found)
    }

    fn scan<'a>(
        &'a self,
        from: &[u8],
        until: &[u8],
        direction: Direction,
    ) -> Box<dyn Iterator<Item = Result<Row, StoreError>> + 'a> {
        scan_with(from, until, direction, move |range| {
            let state = self.disk.state.lock();
            let Some((key, value)) = row_at(self.read(&state)?, range, direction) else { return Ok(None) };
            state.check(key)?;
            Ok(Some((key.clone(), value.clone())))
        })
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let disk = &self.disk;
        let error = {
            let mut state = disk.state.lock();
            self.read(&state)?;
            if state.refuses {
                return Err(StoreError::Poisoned);
            }
            if batch.is_empty() {
                return Ok(());
            }
            let blow = state.planned.map(|(_, _, blow)| blow);
            match disk.planned(&mut state, Step::Before) {
                Some(error) => Some((error, blow)),
                None if state.full => {
                    self.disk.blow(&mut state, Blow::Refuse);
                    let source = io::Error::from(io::ErrorKind::StorageFull);
                    Some((StoreError::Io { step: "write", path: PathBuf::from("store"), source }, Some(Blow::Refuse)))
                }
                None => {
                    if state.before.take().is_some() {
                        // Whoever commits again without having waited has waited by now.
                        disk.witness.durable();
                    }
                    state.commits += 1;
                    disk.witness.written(&batch);
                    let before = apply(&mut state.rows, batch.into_rows());
                    state.before = Some(before);
                    None
                }
            }
        };
        match error {
            None => Ok(()),
            Some((error, blow)) => {
                (disk.on_blow)(blow.unwrap_or(Blow::Refuse));
                Err(error)
            }
        }
    }

    fn bytes_on_disk(&self) -> Result<u64, StoreError> {
        let state = self.disk.state.lock();
        let bytes: usize = self.read(&state)?.iter().map(|(key, value)| key.len() + value.len()).sum();
        Ok(u64::try_from(bytes).unwrap_or(u64::MAX))
    }
}

fn gone(step: &'static str) -> StoreError {
    StoreError::Failed { step, detail: "the node is gone".to_owned() }
}
