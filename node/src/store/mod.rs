//! Where a node keeps its bytes: an ordered map of keys to values with one kind of write, the atomic and durable
//! batch. This file holds the trait and what both sides of it share, and touches nothing outside memory.
//! Engines stand beside it: [`sled`] on a disk, [`memory`] for tests that crash it at every step.

pub mod compact;
pub mod disk;
pub mod folder;
pub mod journal;
pub mod keys;
mod lane_block;
pub mod memory;
mod pack;
pub mod sled;
pub mod view;

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
};

use passerelle_domain::{
    limits::{STORE_KEY_BYTES_MAX, STORE_VALUE_BYTES_MAX},
    refusal::{Code, Refusal},
};

/// The bytes of a key or a value, as read.
pub type Value = Vec<u8>;

/// One row of a scan: its key and its value.
pub type Row = (Value, Value);

/// An ordered, durable map of bytes to bytes with one writer.
///
/// Synchronous: a commit waits for the disk, so it belongs on a thread of its own, never in async code.
///
/// A read between commits sees all of every batch. A read that runs *beside* a commit may see its rows before they
/// are durable, and a scan that runs across one may see only some of them: whoever must not see that reads
/// from the thread that commits.
pub trait Store: Send + Sync + 'static {
    /// The value under `key`, if there is one.
    ///
    /// # Errors
    /// When the bytes cannot be read, or are damaged.
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError>;

    /// The rows with `from <= key < until`, in the order of their keys or against it. Empty unless `from < until`.
    /// Nothing follows an error.
    fn scan<'a>(
        &'a self,
        from: &[u8],
        until: &[u8],
        direction: Direction,
    ) -> Box<dyn Iterator<Item = Result<Row, StoreError>> + 'a>;

    /// Writes all of `batch` or nothing of it. When this returns `Ok`, the batch survives a power cut.
    ///
    /// # Errors
    /// When that cannot be promised: the batch may or may not be found after a restart, and no later commit of
    /// this store succeeds. Whoever persists through it has to stop.
    fn commit(&self, batch: Batch) -> Result<(), StoreError>;

    /// What the store occupies on its disk, in bytes, reclaimable space included.
    ///
    /// # Errors
    /// When the file system cannot tell.
    fn bytes_on_disk(&self) -> Result<u64, StoreError>;
}

/// Which end of its range a scan begins at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the least key upwards.
    Forward,
    /// From the greatest key downwards.
    Backward,
}

/// The writes of one commit. Of two operations on one key the later wins.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Batch {
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Batch {
    /// A batch without writes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value`.
    ///
    /// # Errors
    /// [`StoreError::KeySize`] unless the key has 1 to [`STORE_KEY_BYTES_MAX`] bytes, [`StoreError::ValueSize`] when the
    /// value has more than [`STORE_VALUE_BYTES_MAX`]; the batch is then as it was.
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Result<(), StoreError> {
        let value = value.into();
        if value.len() > STORE_VALUE_BYTES_MAX {
            return Err(StoreError::ValueSize { bytes: value.len() });
        }
        self.rows.insert(checked(key.into())?, Some(value));
        Ok(())
    }

    /// Removes `key`, whether or not it is there.
    ///
    /// # Errors
    /// [`StoreError::KeySize`] as for [`put`](Self::put).
    pub fn delete(&mut self, key: impl Into<Vec<u8>>) -> Result<(), StoreError> {
        self.rows.insert(checked(key.into())?, None);
        Ok(())
    }

    /// What this batch says of `key`: `None` if nothing, `Some(None)` if it removes it.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.rows.get(key).map(Option::as_deref)
    }

    /// The writes in the order of their keys; `None` removes.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.rows.iter().map(|(key, value)| (key.as_slice(), value.as_deref()))
    }

    /// The number of keys written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it writes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The writes in the order of their keys, taken out.
    #[must_use]
    pub fn into_rows(self) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        self.rows
    }
}

impl fmt::Debug for Batch {
    /// The number of writes alone: keys and values may name what a log must not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("writes", &self.rows.len()).finish()
    }
}

fn checked(key: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    if key.is_empty() || key.len() > STORE_KEY_BYTES_MAX {
        return Err(StoreError::KeySize { bytes: key.len() });
    }
    Ok(key)
}

/// Why the store did not do what it was asked. Names sizes, steps and folders, never keys or values.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A key of no bytes, or of more than fit. Our own mistake: callers cap what they are given.
    #[error("a key of the store has 1 to {STORE_KEY_BYTES_MAX} bytes, not {bytes}")]
    KeySize {
        /// The bytes of the key.
        bytes: usize,
    },
    /// A value of more bytes than fit: larger ones are chunked or stand as files of their own.
    #[error("a value of the store has at most {STORE_VALUE_BYTES_MAX} bytes, not {bytes}")]
    ValueSize {
        /// The bytes of the value.
        bytes: usize,
    },
    /// Another process, or another store of this one, holds the folder.
    #[error("the store in {folder} is in use by another process; stop that, or choose another folder")]
    InUse {
        /// The folder of the store.
        folder: PathBuf,
    },
    /// The folder was written by a release with another layout. Nothing was read or changed.
    #[error(
        "the store in {folder} has schema version {found}, and this release knows version {known}; \
         use the release that wrote it, or import an export of it into a new folder"
    )]
    UnknownSchema {
        /// The folder of the store.
        folder: PathBuf,
        /// The version that its record names.
        found: u64,
        /// The version that this release reads and writes.
        known: u64,
    },
    /// The bytes on the disk are not those that were written, when the store was opened.
    #[error(
        "the store in {folder} is damaged ({detail}); move that folder away, \
         then import an export or start empty and let the peers send again"
    )]
    Damaged {
        /// The folder of the store.
        folder: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A copy of the store does not hold what the store holds.
    #[error("the copy of the store in {folder} is not equal to it; the store stays as it was")]
    CopyDiffers {
        /// The folder of the store.
        folder: PathBuf,
    },
    /// A read or write went wrong while the store was open.
    #[error("the store failed to {step}: {detail}")]
    Failed {
        /// What was being done.
        step: &'static str,
        /// What went wrong.
        detail: String,
    },
    /// An earlier commit failed, so that what is on the disk is not known any more.
    #[error("the store takes no more writes since a commit failed; restart the node")]
    Poisoned,
    /// The operating system refused something around the store.
    #[error("cannot {step} {path}: {source}")]
    Io {
        /// What was being done.
        step: &'static str,
        /// To what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl StoreError {
    /// A closure that wraps what the operating system said while `step` was done to `path`.
    fn io<'a>(step: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { step, path: path.to_owned(), source }
    }

    /// Whether the disk had no room left.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::InUse { .. } => Code::DataFolderInUse,
            StoreError::UnknownSchema { .. } => Code::UnknownSchema,
            _ if error.is_disk_full() => Code::DiskFull,
            _ => Code::StoreFailed,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_takes_keys_and_values_up_to_their_bounds_and_no_further() {
        let mut batch = Batch::new();
        batch.put(vec![1; STORE_KEY_BYTES_MAX], vec![2; STORE_VALUE_BYTES_MAX]).expect("at the bounds");
        batch.put([1], []).expect("the smallest");
        let before = batch.clone();
        let cases: [(Result<(), StoreError>, &str); 5] = [
            (batch.put(vec![1; STORE_KEY_BYTES_MAX + 1], []), "1 to 256 bytes, not 257"),
            (batch.put([], [1]), "1 to 256 bytes, not 0"),
            (batch.put([7], vec![2; STORE_VALUE_BYTES_MAX + 1]), "at most 16384 bytes, not 16385"),
            (batch.delete(vec![1; STORE_KEY_BYTES_MAX + 1]), "1 to 256 bytes, not 257"),
            (batch.delete([]), "1 to 256 bytes, not 0"),
        ];
        for (outcome, says) in cases {
            let message = outcome.expect_err(says).to_string();
            assert!(message.contains(says), "{message}");
        }
        assert_eq!(batch, before, "a refused write leaves the batch as it was");
    }

    #[test]
    fn the_later_of_two_operations_on_a_key_wins() {
        let mut batch = Batch::new();
        for (operation, stays) in [(Some(b"a"), Some(b"a")), (None, None), (Some(b"b"), Some(b"b"))] {
            match operation {
                Some(value) => batch.put(*b"key", *value),
                None => batch.delete(*b"key"),
            }
            .expect("within the bounds");
            assert_eq!(batch.get(b"key"), Some(stays.map(|value| value.as_slice())));
            assert_eq!(batch.len(), 1);
        }
        assert_eq!(batch.get(b"other"), None);
    }

    #[test]
    fn debug_output_of_a_batch_shows_no_content() {
        let mut batch = Batch::new();
        batch.put(*b"case/amina", *b"amina").expect("within the bounds");
        assert_eq!(format!("{batch:?}"), "Batch { writes: 1 }");
    }

    #[test]
    fn errors_become_the_refusals_that_operators_know() {
        let folder = PathBuf::from("store");
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let cases = [
            (StoreError::InUse { folder: folder.clone() }, Code::DataFolderInUse),
            (StoreError::UnknownSchema { folder: folder.clone(), found: 9, known: 1 }, Code::UnknownSchema),
            (StoreError::Io { step: "sync", path: folder, source: full }, Code::DiskFull),
            (StoreError::Poisoned, Code::StoreFailed),
        ];
        for (error, code) in cases {
            assert_eq!(Refusal::from(error).code, code);
        }
    }
}
