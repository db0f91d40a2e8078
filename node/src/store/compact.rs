//! Making a store anew. The engine writes a log and reuses it when it pleases, so that what was removed from a row can
//! be found in its file for a long time. Here every row goes into a fresh store beside the old one, the two are compared,
//! they change places in one step of the file system, and the old one is removed. Whatever interrupts this, the store
//! stands where it stood, whole, and what lies beside it is rubbish. Touches the folder of the store and that beside it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::{
    Batch, Direction, Row, Store, StoreError,
    disk::free_space,
    folder::{HeldFolder, parent, sync_folder},
    keys,
    sled::{SledOptions, SledStore},
};

/// Bytes on the disk up to which a start of the node makes a store anew by itself: some ten seconds on a slow disk.
pub const AT_START_BYTES_MAX: u64 = 256 << 20;
/// Rows that go into one commit of the fresh store, in bytes.
const STRIDE_BYTES: usize = 4 << 20;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Rows of the store.
    pub rows: u64,
    /// What it took of the disk, in bytes.
    pub bytes_before: u64,
    /// What it takes now.
    pub bytes_after: u64,
}

/// Whether something was removed since the store was last made anew.
///
/// # Errors
/// When the store cannot be read.
pub fn is_due(store: &dyn Store) -> Result<bool, StoreError> {
    Ok(store.get(keys::REMOVED)?.is_some())
}

/// Makes a store anew. It is the same life of the same journal: every row is the same bytes, but for
/// [`keys::REMOVED`], which is gone. After an error the store is as it was; open it again, either way.
///
/// # Errors
/// [`StoreError::Io`], with `StorageFull` when the disk has no room for the store a second time, and when its file system
/// cannot exchange two folders in one step; [`StoreError::CopyDiffers`]; whatever either store says.
pub fn compact(store: SledStore, options: SledOptions) -> Result<Compacted, StoreError> {
    let folder = store.folder().to_owned();
    let bytes_before = store.bytes_on_disk()?;
    if free_space(&folder)?.free < bytes_before {
        return Err(StoreError::io("make anew", &folder)(io::ErrorKind::StorageFull.into()));
    }
    let (fresh, rows) = copy(&store, options)?;
    let bytes_after = fresh.bytes_on_disk()?;
    let held = exchange(store, fresh)?;
    clear(&folder)?;
    // Until here nobody else may have opened either of them.
    drop(held);
    Ok(Compacted { rows, bytes_before, bytes_after })
}

/// Removes what an interrupted compaction left beside the store in `folder`. Only who holds that store may.
///
/// # Errors
/// [`StoreError::Io`].
pub fn clear(folder: &Path) -> Result<(), StoreError> {
    let beside = beside(folder);
    match fs::remove_dir_all(&beside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StoreError::io("remove", &beside)(error)),
        Ok(()) => sync_folder(parent(folder)),
    }
}

/// Where the fresh store is made, and where the old one lies until it is removed.
fn beside(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(".compact");
    PathBuf::from(name)
}

/// A fresh store beside the old one with the same rows, and how many there are.
fn copy(store: &SledStore, options: SledOptions) -> Result<(SledStore, u64), StoreError> {
    clear(store.folder())?;
    let fresh = SledStore::open(&beside(store.folder()), options)?;
    let (mut batch, mut bytes, mut copied) = (Batch::new(), 0, 0);
    for row in rows(store) {
        let (key, value) = row?;
        bytes += key.len() + value.len();
        copied += 1;
        batch.put(key, value)?;
        if bytes >= STRIDE_BYTES {
            fresh.commit(std::mem::take(&mut batch))?;
            bytes = 0;
        }
    }
    fresh.commit(batch)?;
    if !equal(store, &fresh)? {
        return Err(StoreError::CopyDiffers { folder: store.folder().to_owned() });
    }
    Ok((fresh, copied))
}

/// Every row that a compaction keeps.
fn rows(store: &dyn Store) -> impl Iterator<Item = Result<Row, StoreError>> {
    let all = store.scan(&[0], &[0xff], Direction::Forward);
    all.filter(|row| !matches!(row, Ok((key, _)) if key == keys::REMOVED))
}

fn equal(one: &dyn Store, other: &dyn Store) -> Result<bool, StoreError> {
    let (mut one, mut other) = (rows(one), rows(other));
    loop {
        match (one.next().transpose()?, other.next().transpose()?) {
            (None, None) => return Ok(true),
            (left, right) if left != right => return Ok(false),
            _ => {}
        }
    }
}

/// Closes both stores and lets them change places. Both folders stay held.
fn exchange(store: SledStore, fresh: SledStore) -> Result<[HeldFolder; 2], StoreError> {
    let folder = store.folder().to_owned();
    // The engine names its files by their paths: it must have ended before those mean something else.
    let held = [store.close(), fresh.close()];
    renameat2(AT_FDCWD, &beside(&folder), AT_FDCWD, &folder, RenameFlags::RENAME_EXCHANGE)
        .map_err(|error| StoreError::io("exchange with its copy", &folder)(error.into()))?;
    sync_folder(parent(&folder))?;
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is to be gone: it stands nowhere else.
    const SECRET: &[u8] = b"Zaouiet-Ouled-Marker";

    fn open(folder: &Path) -> SledStore {
        let store = SledStore::open(folder, SledOptions::default()).expect("a store");
        clear(folder).expect("cleared");
        store
    }

    fn dump(store: &dyn Store) -> Vec<Row> {
        rows(store).collect::<Result<_, _>>().expect("readable")
    }

    fn found(folder: &Path) -> bool {
        fs::read_dir(folder).expect("a folder").any(|item| {
            let path = item.expect("an item").path();
            if path.is_dir() {
                return found(&path);
            }
            fs::read(&path).expect("a file").windows(SECRET.len()).any(|window| window == SECRET)
        })
    }

    /// A store with rows of all sizes, from one of which something was removed.
    fn with_a_removal(folder: &Path) -> Vec<Row> {
        let store = open(folder);
        let mut batch = Batch::new();
        for n in 0..600_u16 {
            let value = vec![n as u8; usize::from(n) * 27 % 16_385];
            batch.put([&b"e"[..], &n.to_be_bytes()].concat(), value).expect("within the bounds");
        }
        batch.put(*b"o1", SECRET).expect("within the bounds");
        batch.put(*b"o2", [SECRET; 800].concat()).expect("within the bounds");
        store.commit(batch).expect("stored");
        let mut batch = Batch::new();
        batch.put(*b"o1", *b"a residue").expect("within the bounds");
        batch.delete(*b"o2").expect("within the bounds");
        batch.put(keys::REMOVED, [1]).expect("within the bounds");
        store.commit(batch).expect("stored");
        dump(&store)
    }

    #[test]
    fn what_was_removed_is_gone_from_the_disk_and_every_row_is_the_same() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("store");
        let before = with_a_removal(&folder);
        assert!(found(root.path()), "the engine's log still holds it");
        let store = open(&folder);
        assert!(is_due(&store).expect("read"));
        let done = compact(store, SledOptions::default()).expect("made anew");
        assert_eq!(done.rows, before.len() as u64);
        assert!(!found(root.path()));
        let store = open(&folder);
        assert_eq!(dump(&store), before);
        assert!(!is_due(&store).expect("read"));
        drop(store);
        assert!(!found(root.path()), "nor does it come back");
        assert_eq!(fs::read_dir(root.path()).expect("the folder").count(), 1, "nothing is left beside it");
    }

    /// How far a compaction comes before it is interrupted.
    type Interrupted = fn(SledStore);

    #[test]
    fn wherever_it_is_interrupted_the_store_is_whole_and_the_next_time_finishes() {
        let steps: [(&str, Interrupted); 5] = [
            ("a folder was made", |store| fs::create_dir(beside(store.folder())).expect("made")),
            ("some rows were copied", |store| {
                let fresh = SledStore::open(&beside(store.folder()), SledOptions::default()).expect("a store");
                let mut batch = Batch::new();
                batch.put(*b"e1", SECRET).expect("within the bounds");
                fresh.commit(batch).expect("stored");
            }),
            ("all rows were copied", |store| drop(copy(&store, SledOptions::default()).expect("copied"))),
            ("they had changed places", |store| {
                let (fresh, _) = copy(&store, SledOptions::default()).expect("copied");
                drop(exchange(store, fresh).expect("exchanged"));
            }),
            ("the old one was half removed", |store| {
                let beside = beside(store.folder());
                let (fresh, _) = copy(&store, SledOptions::default()).expect("copied");
                drop(exchange(store, fresh).expect("exchanged"));
                fs::remove_file(beside.join("db")).expect("removed");
            }),
        ];
        for (at, interrupted) in steps {
            let root = tempfile::tempdir().expect("a temporary folder");
            let folder = root.path().join("store");
            let before = with_a_removal(&folder);
            interrupted(open(&folder));
            let store = open(&folder);
            assert_eq!(dump(&store), before, "{at}");
            compact(store, SledOptions::default()).expect("made anew");
            assert_eq!(dump(&open(&folder)), before, "{at}");
            assert!(!found(root.path()), "{at}");
        }
    }

    #[test]
    fn while_it_lasts_nobody_else_has_the_store() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("store");
        with_a_removal(&folder);
        let store = open(&folder);
        let (fresh, _) = copy(&store, SledOptions::default()).expect("copied");
        let held = exchange(store, fresh).expect("exchanged");
        let other = SledStore::open(&folder, SledOptions::default());
        assert!(matches!(other, Err(StoreError::InUse { .. })));
        drop(held);
        drop(open(&folder));
    }
}
