//! The store on a disk. The only file that names sled; touches the folder of the store and nothing else.
//!
//! sled 0.34.7 needs to be held in a certain way to keep its promises on Linux, and this file holds it so:
//!
//! - Its `flush` calls `sync_file_range`, which syncs neither the file's size nor the disk's own cache: after a power
//!   cut, acknowledged records or the whole database are gone. So a commit flushes and then syncs the database file
//!   through a handle of ours, and only then returns.
//! - A leaf larger than a quarter of a segment goes to a file of its own that is never synced. So segments are 8 MiB
//!   and values at most 16 KiB, and [`SledStore::oversized_leaves`] counts what should not be there.
//! - Only its flusher thread reclaims space, so the flusher stays on.
//! - All rows are in one tree, their kinds told apart by the prefix of the key: one `apply_batch` is atomic over all
//!   of them, after kill -9 and power cuts too, and cheaper than a transaction over several trees.
//! - A large batch leaves its garbage to the epoch collector, which sled drives by counting operations; hence
//!   [`collect_garbage`].
//! - Its cache loses count of what it holds until every part of it has been asked often enough; see [`Cache`].
//! - It may panic on damaged bytes, so that every call into it stands behind [`guarded`].

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use parking_lot::Mutex;

use super::{
    Batch, Direction, Row, Store, StoreError, Value,
    folder::{HeldFolder, sync_file, sync_folder},
};

// Panics of sled become errors only where panics unwind.
#[cfg(not(panic = "unwind"))]
compile_error!("the store turns panics of its engine into errors: build with panic = \"unwind\"");

/// The file that holds sled's log, which is its whole database.
const DATABASE_FILE: &str = "db";
/// Where sled puts leaves that are too large for its log.
const BLOB_FOLDER: &str = "blobs";
/// Cannot be changed on an existing database. A quarter of it must exceed the largest leaf: 17 values and keys.
const SEGMENT_BYTES: usize = 8 << 20;
/// How often an engine is opened again whose file an earlier one of this process still holds, and the pause between.
const LEFT_OVER_TRIES: u32 = 100;
const LEFT_OVER_PAUSE: Duration = Duration::from_millis(50);
/// How often sled flushes by itself and, what matters here, reclaims space.
const FLUSH_EVERY_MS: u64 = 500;
/// Tree and key that exist since the store was made; without them sled has started an empty database on damaged files.
const MARKER: &[u8] = b"passerelle";

/// What may be chosen about a store on disk.
#[derive(Clone, Copy, Debug)]
pub struct SledOptions {
    /// Bytes of leaves that sled keeps in memory. To this come about 8 MiB of leaves on their way out, a segment of
    /// 8 MiB that is being written, and about 400 bytes for each leaf on the disk, which has 8 to 16 rows.
    pub cache_bytes: u64,
}

impl Default for SledOptions {
    fn default() -> Self {
        Self { cache_bytes: 8 << 20 }
    }
}

/// The last step of a commit: making the written bytes of a file durable. A seam, so that a test can watch it
/// and fail it.
pub trait DiskSync: Send + Sync + 'static {
    /// Returns once all that was written to `file`, its size included, survives a power cut.
    ///
    /// # Errors
    /// What the operating system says.
    fn sync_data(&self, file: &File) -> io::Result<()>;
}

/// The disk as the operating system offers it: `fdatasync`.
#[derive(Clone, Copy, Debug)]
pub struct RealDisk;

impl DiskSync for RealDisk {
    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}

/// A store in a folder of a disk.
pub struct SledStore {
    db: sled::Db,
    cache: Cache,
    /// Our own handle of [`DATABASE_FILE`]: syncing any handle of a file syncs the file.
    file: File,
    sync: Box<dyn DiskSync>,
    /// Whether every commit so far succeeded. Held during a commit, so that they follow one another.
    sound: Mutex<bool>,
    // Last, so that the lock outlives sled.
    folder: HeldFolder,
}

impl SledStore {
    /// Opens the store in `folder`, making it first if it is not there.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::UnknownSchema`], [`StoreError::Damaged`], [`StoreError::Io`].
    pub fn open(folder: &Path, options: SledOptions) -> Result<Self, StoreError> {
        Self::open_on(folder, options, Box::new(RealDisk))
    }

    /// As [`open`](Self::open), on a disk of the caller's choice.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_on(folder: &Path, options: SledOptions, sync: Box<dyn DiskSync>) -> Result<Self, StoreError> {
        let folder = HeldFolder::open(folder, DATABASE_FILE)?;
        folder.clear_unfinished()?;
        let config = sled::Config::new()
            .path(folder.path())
            .cache_capacity(options.cache_bytes)
            .flush_every_ms(Some(FLUSH_EVERY_MS))
            .segment_size(SEGMENT_BYTES);
        let damaged = |error| damaged(&folder, error);
        let db = open_engine(&config).map_err(damaged)?;
        let path = folder.path().join(DATABASE_FILE);
        let file = File::open(&path).map_err(StoreError::io("open", &path))?;
        let cache = Cache::open(&db).map_err(damaged)?;
        let marker = guarded("open", || db.open_tree(MARKER)).map_err(damaged)?;
        if guarded("read", || marker.get(MARKER)).map_err(damaged)?.is_none() {
            if !folder.is_fresh() {
                let detail = "its database has lost what was in it".to_owned();
                return Err(StoreError::Damaged { folder: folder.path().to_owned(), detail });
            }
            guarded("write", || marker.insert(MARKER, MARKER))?;
            guarded("flush", || db.flush())?;
        }
        let mut store = Self { db, cache, file, sync, sound: Mutex::new(true), folder };
        store.sync_all_files()?;
        store.folder.mark_complete()?;
        Ok(store)
    }

    /// Leaves too large for sled's log. Anything but zero is an alarm: a power cut may make the database unreadable.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn oversized_leaves(&self) -> Result<usize, StoreError> {
        let path = self.folder.path().join(BLOB_FOLDER);
        match fs::read_dir(&path) {
            Ok(entries) => Ok(entries.count()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(StoreError::io("list", &path)(error)),
        }
    }

    /// Ends the engine, its threads and its files; what is left is the folder, which stays held.
    #[must_use]
    pub(super) fn close(self) -> HeldFolder {
        let Self { db, cache, file, folder, .. } = self;
        drop((cache, db, file));
        folder
    }

    /// The folder of the store.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Syncs what sled makes without syncing it: its configuration, and the names of its files.
    fn sync_all_files(&self) -> Result<(), StoreError> {
        let folder = self.folder.path();
        self.sync_database()?;
        sync_file(&folder.join("conf"))?;
        sync_folder(folder)
    }

    fn sync_database(&self) -> Result<(), StoreError> {
        self.sync.sync_data(&self.file).map_err(StoreError::io("sync", &self.folder.path().join(DATABASE_FILE)))
    }

    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        let mut writes = sled::Batch::default();
        let mut touched = 0;
        for (key, value) in batch.into_rows() {
            touched += written_bytes(value.as_ref().map_or(0, Vec::len));
            match value {
                Some(value) => writes.insert(key, value),
                None => writes.remove(key),
            }
        }
        guarded("write", || self.db.apply_batch(writes))?;
        collect_garbage();
        self.cache.touched(touched)?;
        guarded("flush", || self.db.flush())?;
        self.sync_database()
    }
}

impl Store for SledStore {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        let value = guarded("read", || self.db.get(key))?;
        self.cache.touched(leaf_bytes(value.as_ref().map_or(0, |value| value.len())))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan<'a>(
        &'a self,
        from: &[u8],
        until: &[u8],
        direction: Direction,
    ) -> Box<dyn Iterator<Item = Result<Row, StoreError>> + 'a> {
        if from >= until {
            return Box::new(std::iter::empty());
        }
        let mut rows = Some(self.db.range(from..until));
        let mut first = true;
        Box::new(std::iter::from_fn(move || {
            let next = guarded("scan", || {
                rows.as_mut()
                    .and_then(|rows| match direction {
                        Direction::Forward => rows.next(),
                        Direction::Backward => rows.next_back(),
                    })
                    .transpose()
            });
            let next = next.and_then(|row| {
                if let Some((key, value)) = &row {
                    // Each leaf is read once for all of its rows, and by scans that go on where the last one was.
                    let whole = std::mem::take(&mut first) && !self.cache.was_near(key);
                    self.cache.touched(if whole { leaf_bytes(value.len()) } else { row_bytes(value.len()) })?;
                }
                Ok(row)
            });
            if !matches!(next, Ok(Some(_))) {
                rows = None;
            }
            Some(next.transpose()?.map(|(key, value)| (key.to_vec(), value.to_vec())))
        }))
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let mut sound = self.sound.lock();
        if !*sound {
            return Err(StoreError::Poisoned);
        }
        if batch.is_empty() {
            return Ok(());
        }
        // Until it has ended well: what a failed write or sync has left on the disk is not known, and a second
        // sync may report success for bytes that the first one dropped.
        *sound = false;
        self.write(batch)?;
        *sound = true;
        Ok(())
    }

    fn bytes_on_disk(&self) -> Result<u64, StoreError> {
        let folder = self.folder.path();
        Ok(blocks_in(folder)?.saturating_add(blocks_in(&folder.join(BLOB_FOLDER))?))
    }
}

impl std::fmt::Debug for SledStore {
    /// The folder alone: sled's own output holds every row.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SledStore").field("folder", &self.folder.path()).finish_non_exhaustive()
    }
}

/// Keeps sled's cache at its size.
///
/// The cache has 256 shards, told apart by the number of a page, and a shard counts the pages it was asked for only once
/// 64 askings have come together. Until then nothing leaves it: with rows of 16 KiB, a GB stays in memory,
/// whatever the capacity. So a store begins with empty trees of two pages each, whose numbers follow one another and
/// fall into every shard, and asks each of them often enough whenever about [`UNCOUNTED_BYTES_MAX`] were touched.
struct Cache {
    trees: Vec<sled::Tree>,
    uncounted_bytes: AtomicUsize,
    /// Where the last scan began.
    scanned: Mutex<Vec<u8>>,
}

/// Trees of two pages that reach all 256 shards.
const SHARD_TREES: u8 = 128;
/// One more than fill the queue of a shard: the one that finds it full counts it.
const ASKINGS: usize = 65;
/// Bytes of leaves that the cache may hold beyond its capacity. Counting takes a millisecond.
const UNCOUNTED_BYTES_MAX: usize = 8 << 20;

impl Cache {
    /// Opens the trees, making them first in a fresh store, while its pages are still numbered in their order.
    fn open(db: &sled::Db) -> Result<Self, StoreError> {
        let trees = (0..SHARD_TREES).map(|n| guarded("open", || db.open_tree([b"shard", &[n][..]].concat())));
        Ok(Self {
            trees: trees.collect::<Result<_, _>>()?,
            uncounted_bytes: AtomicUsize::new(0),
            scanned: Mutex::default(),
        })
    }

    /// Whether the last scan began at a key that differs from this one in its last byte alone: a leaf or two of it.
    fn was_near(&self, key: &[u8]) -> bool {
        let around = &key[..key.len().saturating_sub(1)];
        let mut scanned = self.scanned.lock();
        let near = *scanned == around;
        if !near {
            scanned.clear();
            scanned.extend_from_slice(around);
        }
        near
    }

    /// Notes that leaves of so many bytes were asked for, as far as one can tell from outside.
    fn touched(&self, bytes: usize) -> Result<(), StoreError> {
        if self.uncounted_bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) < UNCOUNTED_BYTES_MAX {
            return Ok(());
        }
        self.uncounted_bytes.store(0, Ordering::Relaxed);
        for tree in &self.trees {
            for _ in 0..ASKINGS {
                guarded("read", || tree.get(MARKER))?;
            }
        }
        collect_garbage();
        Ok(())
    }
}

/// What a row takes in memory: its value, and about 64 bytes for its key and for holding both.
fn row_bytes(value_bytes: usize) -> usize {
    value_bytes + 64
}

/// What a written row may add to the memory: large rows are new ones beside each other, and only add themselves; small
/// ones may be anywhere, each in a leaf of its own.
fn written_bytes(value_bytes: usize) -> usize {
    if value_bytes >= LARGE_ROW { row_bytes(value_bytes) } else { leaf_bytes(value_bytes) }
}

/// Bytes from which a row is large: packs of entries, parts of objects, blocks of lanes.
const LARGE_ROW: usize = 512;

/// What the leaf around a row takes if all its rows are like it: leaves have 8 to 16.
fn leaf_bytes(value_bytes: usize) -> usize {
    12 * row_bytes(value_bytes)
}

/// Opens the engine. The folder is ours alone by now, so a lock on the database file is one that an earlier store of
/// this process has not let go of: sled frees its file with its other garbage, a moment after it was dropped.
fn open_engine(config: &sled::Config) -> Result<sled::Db, StoreError> {
    let mut tries = LEFT_OVER_TRIES;
    loop {
        match guarded("open", || config.open()) {
            Err(StoreError::Io { source, .. }) if tries > 0 && is_locked(&source) => {
                tries -= 1;
                collect_garbage();
                std::thread::sleep(LEFT_OVER_PAUSE);
            }
            outcome => return outcome,
        }
    }
}

/// Whether sled found its file locked: it gives such an error no kind of its own.
fn is_locked(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.to_string().contains("could not acquire lock")
}

/// Calls into sled, with its panics and errors as errors of ours. They are told without sled's words, which may
/// show keys and values.
fn guarded<T>(step: &'static str, call: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
    let failed = |detail: &str| StoreError::Failed { step, detail: detail.to_owned() };
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(source))) => Err(StoreError::Io { step, path: "the database file".into(), source }),
        Ok(Err(sled::Error::Corruption { .. })) => Err(failed("bytes on the disk are damaged")),
        Ok(Err(sled::Error::Unsupported(_))) => Err(failed("the files were written with other settings")),
        Ok(Err(sled::Error::CollectionNotFound(_) | sled::Error::ReportableBug(_))) => {
            Err(failed("the storage engine contradicts itself"))
        }
        Err(_panic) => Err(failed("the storage engine panicked, as it does on damaged bytes")),
    }
}

/// What went wrong while the files were first read is damage, unless the operating system refused.
fn damaged(folder: &HeldFolder, error: StoreError) -> StoreError {
    match error {
        StoreError::Failed { detail, .. } => StoreError::Damaged { folder: folder.path().to_owned(), detail },
        other => other,
    }
}

/// Frees what a batch has replaced. The collector runs once in 128 operations and a batch of any size counts
/// as one: left alone, it keeps hundreds of MB under load. Each round frees a few hundred objects of those no reader
/// can see, and a round without any costs a microsecond at most.
fn collect_garbage() {
    for _ in 0..16 {
        crossbeam_epoch::pin().flush();
    }
}

/// The bytes that the files in `folder` occupy; none if it is not there.
fn blocks_in(folder: &Path) -> Result<u64, StoreError> {
    let sum = || -> io::Result<u64> {
        let mut bytes = 0;
        for entry in fs::read_dir(folder)? {
            match entry?.metadata() {
                Ok(metadata) if metadata.is_file() => bytes += metadata.blocks() * 512,
                // sled removes snapshots while we look.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(bytes)
    };
    match sum() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        result => result.map_err(StoreError::io("measure", folder)),
    }
}
