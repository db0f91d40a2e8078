//! A store in memory, for tests of what stands on it: it keeps the promises of the trait and breaks them on demand,
//! at a chosen step of a chosen commit. Touches nothing outside memory.

use std::{
    collections::BTreeMap,
    ops::Bound::{self, Excluded, Included},
};

use parking_lot::Mutex;

use super::{Batch, Direction, Row, Store, StoreError, Value};

/// Keys from one to another.
pub type Range = (Bound<Value>, Bound<Value>);

/// The steps of one commit, at each of which it can be stopped: before anything is written, after it is written and
/// before it is durable, and after it is durable and before the caller hears of it.
pub const STEPS_PER_COMMIT: u64 = 3;

/// How a commit is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The power goes: this and every later call fails, until [`MemoryStore::restart`].
    Crash,
    /// The disk fails: this commit fails and the store takes no later one, but reads go on.
    Fail,
}

/// An ordered map in memory with the promises of [`Store`]. A batch is never torn, whatever the fault.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<Value, Value>,
    /// What stood in place of the rows that are written and not durable.
    before: BTreeMap<Value, Option<Value>>,
    step: u64,
    planned: Option<(u64, Fault)>,
    struck: Option<Fault>,
}

impl std::fmt::Debug for State {
    /// Counts alone, as for a batch.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("rows", &self.rows.len())
            .field("step", &self.step)
            .field("planned", &self.planned)
            .field("struck", &self.struck)
            .finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `fault` strike at the step number `step`, counted from the making of this store: the commit number n,
    /// from zero, takes the steps `n * STEPS_PER_COMMIT` and the two after it.
    pub fn plan(&self, step: u64, fault: Fault) {
        self.state.lock().planned = Some((step, fault));
    }

    /// The steps taken so far: a run without faults tells a test how many places there are to crash at.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.state.lock().step
    }

    /// The power goes now, between commits.
    pub fn crash(&self) {
        self.state.lock().struck = Some(Fault::Crash);
    }

    /// What a node finds when it starts again after this store was crashed or dropped: what was durable, no faults.
    #[must_use]
    pub fn restart(&self) -> Self {
        let state = self.state.lock();
        let mut rows = state.rows.clone();
        apply(&mut rows, state.before.clone());
        Self { state: Mutex::new(State { rows, ..State::default() }) }
    }
}

impl State {
    fn read(&self) -> Result<&BTreeMap<Value, Value>, StoreError> {
        match self.struck {
            Some(Fault::Crash) => Err(crashed("read")),
            Some(Fault::Fail) | None => Ok(&self.rows),
        }
    }

    /// One step of a commit; fails if a fault was planned for it.
    fn step(&mut self) -> Result<(), StoreError> {
        let now = self.step;
        self.step += 1;
        match self.planned {
            Some((step, fault)) if step == now => {
                self.struck = Some(fault);
                Err(match fault {
                    Fault::Crash => crashed("commit"),
                    Fault::Fail => StoreError::Failed { step: "commit", detail: "the disk failed".to_owned() },
                })
            }
            _ => Ok(()),
        }
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        Ok(self.state.lock().read()?.get(key).cloned())
    }

    fn scan<'a>(
        &'a self,
        from: &[u8],
        until: &[u8],
        direction: Direction,
    ) -> Box<dyn Iterator<Item = Result<Row, StoreError>> + 'a> {
        scan_with(from, until, direction, move |range| {
            let state = self.state.lock();
            let found = row_at(state.read()?, range, direction);
            Ok(found.map(|(key, value)| (key.clone(), value.clone())))
        })
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        match state.struck {
            Some(Fault::Crash) => return Err(crashed("commit")),
            Some(Fault::Fail) => return Err(StoreError::Poisoned),
            None if batch.is_empty() => return Ok(()),
            None => {}
        }
        state.step()?;
        state.before = apply(&mut state.rows, batch.into_rows());
        state.step()?;
        state.before.clear();
        state.step()
    }

    fn bytes_on_disk(&self) -> Result<u64, StoreError> {
        let state = self.state.lock();
        let bytes: usize = state.read()?.iter().map(|(key, value)| key.len() + value.len()).sum();
        Ok(u64::try_from(bytes).unwrap_or(u64::MAX))
    }
}

/// The first row of a range of keys, or the last one.
pub fn row_at(rows: &BTreeMap<Value, Value>, range: Range, direction: Direction) -> Option<(&Value, &Value)> {
    let mut range = rows.range(range);
    match direction {
        Direction::Forward => range.next(),
        Direction::Backward => range.next_back(),
    }
}

/// A scan that looks once a row for what comes next in a range of keys, so that no lock is held between rows and commits
/// go on, as in the store on disk. It ends with the first error.
pub fn scan_with<'a>(
    from: &[u8],
    until: &[u8],
    direction: Direction,
    look: impl Fn(Range) -> Result<Option<Row>, StoreError> + 'a,
) -> Box<dyn Iterator<Item = Result<Row, StoreError>> + 'a> {
    let (mut low, mut high, mut ended) = (Included(from.to_vec()), until.to_vec(), from >= until);
    Box::new(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let found = look((low.clone(), Excluded(high.clone()))).transpose();
        let Some(Ok((key, _))) = &found else {
            ended = true;
            return found;
        };
        match direction {
            Direction::Forward => low = Excluded(key.clone()),
            Direction::Backward => high.clone_from(key),
        }
        // Both bounds on one key is a range that a BTreeMap refuses.
        ended = matches!(&low, Excluded(low) | Included(low) if *low >= high);
        found
    }))
}

/// Applies `writes` to `rows` and returns the writes that undo them.
pub fn apply(
    rows: &mut BTreeMap<Value, Value>,
    writes: BTreeMap<Value, Option<Value>>,
) -> BTreeMap<Value, Option<Value>> {
    writes
        .into_iter()
        .map(|(key, value)| {
            let before = match value {
                Some(value) => rows.insert(key.clone(), value),
                None => rows.remove(&key),
            };
            (key, before)
        })
        .collect()
}

fn crashed(step: &'static str) -> StoreError {
    StoreError::Failed { step, detail: "the node has crashed".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `n` to two keys at once and removes the key of the batch before.
    fn batch(n: u8) -> Batch {
        let mut batch = Batch::new();
        batch.put(*b"head", [n]).expect("within the bounds");
        batch.put([b'r', n], [n]).expect("within the bounds");
        batch.delete([b'r', n.wrapping_sub(1)]).expect("within the bounds");
        batch
    }

    fn rows(store: &MemoryStore) -> Vec<Row> {
        store.scan(&[0], &[255], Direction::Forward).collect::<Result<_, _>>().expect("readable")
    }

    fn after(commits: u8) -> Vec<Row> {
        match commits {
            0 => vec![],
            n => vec![(b"head".to_vec(), vec![n - 1]), (vec![b'r', n - 1], vec![n - 1])],
        }
    }

    /// Runs four commits with `fault` at `step`; returns the store and the number of commits that succeeded.
    fn run(step: u64, fault: Fault) -> (MemoryStore, u8) {
        let store = MemoryStore::new();
        store.plan(step, fault);
        let acknowledged = (0..4).take_while(|n| store.commit(batch(*n)).is_ok()).count();
        (store, u8::try_from(acknowledged).expect("at most four"))
    }

    #[test]
    fn at_every_step_a_crash_keeps_all_that_was_acknowledged_and_tears_nothing() {
        for step in 0..4 * STEPS_PER_COMMIT {
            let (store, acknowledged) = run(step, Fault::Crash);
            assert_eq!(u64::from(acknowledged), step / STEPS_PER_COMMIT);
            assert!(store.get(b"head").is_err() && store.bytes_on_disk().is_err(), "a crashed node reads nothing");
            assert!(store.scan(&[0], &[255], Direction::Forward).next().expect("an error").is_err());
            let survived = acknowledged + u8::from(step % STEPS_PER_COMMIT == 2);
            let restarted = store.restart();
            assert_eq!(rows(&restarted), after(survived), "crash at step {step}");
            restarted.commit(batch(survived)).expect("a restarted store works");
        }
    }

    #[test]
    fn at_every_step_a_failed_disk_stops_writes_and_not_reads() {
        for step in 0..4 * STEPS_PER_COMMIT {
            let (store, acknowledged) = run(step, Fault::Fail);
            let written = acknowledged + u8::from(step % STEPS_PER_COMMIT > 0);
            assert_eq!(rows(&store), after(written), "reads after a failure at step {step}");
            assert!(matches!(store.commit(batch(9)), Err(StoreError::Poisoned)));
            let survived = acknowledged + u8::from(step % STEPS_PER_COMMIT == 2);
            assert_eq!(rows(&store.restart()), after(survived), "restart after a failure at step {step}");
        }
    }

    #[test]
    fn steps_are_counted_and_a_crash_between_commits_loses_nothing() {
        let store = MemoryStore::new();
        for n in 0..3 {
            store.commit(batch(n)).expect("no fault is planned");
        }
        store.commit(Batch::new()).expect("an empty batch takes no step");
        assert_eq!(store.steps(), 3 * STEPS_PER_COMMIT);
        store.crash();
        assert!(store.commit(batch(3)).is_err());
        assert_eq!(rows(&store.restart()), after(3));
    }

    #[test]
    fn debug_output_shows_no_content() {
        let store = MemoryStore::new();
        store.commit(batch(b'Z')).expect("no fault is planned");
        assert!(!format!("{store:?}").contains("head"));
    }
}
