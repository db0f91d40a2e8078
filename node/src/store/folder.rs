//! The folder of a store, before and around its engine: who holds it, which schema wrote it, its creation in a way
//! that survives a power cut, and setting a damaged one aside. Touches that folder and its parent, nothing else.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use passerelle_domain::time::Time;

use super::StoreError;

/// The schema version that this release reads and writes: the layout of keys and rows, not the engine's own format.
pub const SCHEMA_VERSION: u64 = 2;

const LOCK_FILE: &str = "lock";
const SCHEMA_FILE: &str = "schema";
const SCHEMA_PREFIX: &str = "passerelle store schema ";
const INCOMPLETE: &str = " being made";

/// A store folder that this process alone holds, until this is dropped or the process ends in whatever way.
#[derive(Debug)]
pub struct HeldFolder {
    path: PathBuf,
    fresh: bool,
    // The operating system drops the lock with the last handle, after kill -9 too; a file that is left is no lock.
    _lock: File,
}

impl HeldFolder {
    /// Holds the folder, making it first if it is not there, and checks its schema before anything else is read.
    /// `database` is the file by which the engine's data is recognised.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::UnknownSchema`]; [`StoreError::Damaged`] when there is a database and no
    /// readable schema record; [`StoreError::Io`].
    pub fn open(path: &Path, database: &str) -> Result<Self, StoreError> {
        create_durably(path)?;
        let mut held = Self { path: path.to_owned(), fresh: false, _lock: lock(path)? };
        match held.schema()? {
            Some((SCHEMA_VERSION, complete)) => held.fresh = !complete,
            Some((found, _)) => {
                return Err(StoreError::UnknownSchema { folder: path.to_owned(), found, known: SCHEMA_VERSION });
            }
            None if path.join(database).exists() => {
                return Err(held.damaged("it has no schema record"));
            }
            None => {
                held.write_schema(INCOMPLETE)?;
                held.fresh = true;
            }
        }
        Ok(held)
    }

    /// Whether the engine has not yet made its files, or was interrupted at it: nothing was ever committed.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Removes what an interrupted creation has left, so that the engine never meets half-made files of its own. Does
    /// nothing to a store that was completely made.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn clear_unfinished(&self) -> Result<(), StoreError> {
        if !self.fresh {
            return Ok(());
        }
        let clear = || -> io::Result<()> {
            for entry in fs::read_dir(&self.path)? {
                let entry = entry?;
                if entry.file_name() == LOCK_FILE || entry.file_name() == SCHEMA_FILE {
                    continue;
                }
                if entry.file_type()?.is_dir() {
                    fs::remove_dir_all(entry.path())?;
                } else {
                    fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        };
        clear().map_err(StoreError::io("clear", &self.path))?;
        sync_folder(&self.path)
    }

    /// Records that the engine has made its files and synced them: from now on their loss is damage.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn mark_complete(&mut self) -> Result<(), StoreError> {
        if self.fresh {
            self.write_schema("")?;
            self.fresh = false;
        }
        Ok(())
    }

    /// The path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn damaged(&self, detail: &str) -> StoreError {
        StoreError::Damaged { folder: self.path.clone(), detail: detail.to_owned() }
    }

    /// The version on record, and whether the store was completely made.
    fn schema(&self) -> Result<Option<(u64, bool)>, StoreError> {
        let path = self.path.join(SCHEMA_FILE);
        let text = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        };
        let record = || {
            let line = std::str::from_utf8(&text).ok()?.strip_prefix(SCHEMA_PREFIX)?.strip_suffix('\n')?;
            let (version, complete) = line.strip_suffix(INCOMPLETE).map_or((line, true), |version| (version, false));
            Some((version.parse().ok()?, complete))
        };
        record().map(Some).ok_or_else(|| self.damaged("its schema record cannot be read"))
    }

    /// Written first before the engine makes its files: a crash in between leaves a folder that opens as a fresh one.
    fn write_schema(&self, suffix: &str) -> Result<(), StoreError> {
        let (path, draft) = (self.path.join(SCHEMA_FILE), self.path.join("schema.new"));
        let write = || -> io::Result<()> {
            let mut file = File::create(&draft)?;
            writeln!(file, "{SCHEMA_PREFIX}{SCHEMA_VERSION}{suffix}")?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        };
        write().map_err(StoreError::io("write", &path))?;
        sync_folder(&self.path)
    }
}

/// Renames the store folder `folder` to `<folder>.damaged-<now>` and returns the new path, so that the next opening
/// starts empty. Deletes nothing. Never called on the node's own account: an operator decides it.
///
/// # Errors
/// [`StoreError::InUse`] while a node holds the folder; [`StoreError::Io`], also when that name is taken.
pub fn set_aside(folder: &Path, now: Time) -> Result<PathBuf, StoreError> {
    fs::metadata(folder).map_err(StoreError::io("find", folder))?;
    let _lock = lock(folder)?;
    let mut name = folder.as_os_str().to_owned();
    // Milliseconds rather than RFC 3339: colons in file names break tools, tar and Windows shares among them.
    name.push(format!(".damaged-{}", now.millis()));
    let aside = PathBuf::from(name);
    if aside.exists() {
        let taken = io::Error::from(io::ErrorKind::AlreadyExists);
        return Err(StoreError::io("set the store aside as", &aside)(taken));
    }
    fs::rename(folder, &aside).map_err(StoreError::io("set aside", folder))?;
    sync_folder(parent(folder))?;
    Ok(aside)
}

/// Makes the names inside `folder` durable: a synced file whose name is not is lost with the power.
pub(super) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    sync_file(folder)
}

/// Makes the content of the file at `path` durable.
pub(super) fn sync_file(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(StoreError::io("sync", path))
}

fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK_FILE);
    // Not truncated: the file is nothing but a name to lock.
    let file =
        File::options().create(true).truncate(false).write(true).open(&path).map_err(StoreError::io("open", &path))?;
    match file.try_lock() {
        // Another process may have put another store in this one's place since the file was opened.
        Ok(()) if is_still_at(&file, &path) => Ok(file),
        Ok(()) => Err(StoreError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &path)(error)),
    }
}

fn is_still_at(file: &File, path: &Path) -> bool {
    let place = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(held), Ok(named)) if place(&held) == place(&named))
}

/// Makes `folder` and what is missing above it, each with its name synced in its parent; that of `folder` also where an
/// earlier process made it and was killed before it could sync that.
fn create_durably(folder: &Path) -> Result<(), StoreError> {
    let above = parent(folder);
    if folder.is_dir() {
        return sync_folder(above);
    }
    if !above.is_dir() {
        create_durably(above)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(StoreError::io("make", folder)(error)),
        _ => sync_folder(above),
    }
}

pub(super) fn parent(folder: &Path) -> &Path {
    match folder.parent() {
        Some(above) if above != Path::new("") => above,
        Some(_) => Path::new("."),
        None => folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    #[test]
    fn a_folder_is_made_with_what_is_missing_above_it_and_opens_again() {
        let root = temporary();
        let path = root.path().join("a/b/store");
        let record = || fs::read_to_string(path.join("schema")).expect("the record");
        for interrupted_at in ["nothing yet", "a database being made"] {
            let held = HeldFolder::open(&path, "db").expect("a fresh folder");
            assert!(held.is_fresh(), "{interrupted_at}");
            assert_eq!(record(), format!("passerelle store schema {SCHEMA_VERSION} being made\n"));
            fs::write(path.join("db"), "rows").expect("a database");
        }
        HeldFolder::open(&path, "db").expect("the same folder").mark_complete().expect("a writable folder");
        assert_eq!(record(), format!("passerelle store schema {SCHEMA_VERSION}\n"));
        assert!(!HeldFolder::open(&path, "db").expect("the same folder again").is_fresh());
    }

    #[test]
    fn a_folder_has_one_holder_at_a_time() {
        let root = temporary();
        let held = HeldFolder::open(root.path(), "db").expect("the first");
        assert!(matches!(HeldFolder::open(root.path(), "db"), Err(StoreError::InUse { .. })));
        assert!(matches!(set_aside(root.path(), Time::from_millis(1)), Err(StoreError::InUse { .. })));
        drop(held);
        HeldFolder::open(root.path(), "db").expect("the next");
    }

    #[test]
    fn an_unknown_schema_is_refused_with_both_numbers_and_nothing_is_changed() {
        let root = temporary();
        fs::write(root.path().join("schema"), "passerelle store schema 9\n").expect("a record of the future");
        fs::write(root.path().join("db"), "whatever").expect("a database of the future");
        let refused = HeldFolder::open(root.path(), "db").expect_err("an unknown schema");
        assert!(matches!(refused, StoreError::UnknownSchema { found: 9, known: SCHEMA_VERSION, .. }), "{refused}");
        assert!(
            refused.to_string().contains(&format!("schema version 9, and this release knows version {SCHEMA_VERSION}"))
        );
        assert_eq!(fs::read_to_string(root.path().join("db")).expect("still there"), "whatever");
    }

    #[test]
    fn a_store_of_an_earlier_layout_is_refused_with_what_to_do() {
        let root = temporary();
        fs::write(root.path().join("schema"), "passerelle store schema 1\n").expect("a record of the past");
        let refused = HeldFolder::open(root.path(), "db").expect_err("an earlier schema").to_string();
        assert!(refused.contains("schema version 1") && refused.contains("import an export"), "{refused}");
    }

    #[test]
    fn a_database_without_a_readable_schema_record_is_damaged() {
        for (record, says) in
            [(None, "no schema record"), (Some("passerelle st"), "cannot be read"), (Some(""), "read")]
        {
            let root = temporary();
            fs::write(root.path().join("db"), "rows").expect("a database");
            if let Some(record) = record {
                fs::write(root.path().join("schema"), record).expect("a record");
            }
            let refused = HeldFolder::open(root.path(), "db").expect_err(says);
            assert!(matches!(&refused, StoreError::Damaged { detail, .. } if detail.contains(says)), "{refused}");
            assert!(refused.to_string().contains("move that folder away"), "names the next step: {refused}");
        }
    }

    #[test]
    fn a_folder_set_aside_keeps_its_bytes_and_makes_room_for_a_fresh_one() {
        let root = temporary();
        let path = root.path().join("store");
        drop(HeldFolder::open(&path, "db").expect("a fresh folder"));
        fs::write(path.join("db"), "damaged").expect("a database");
        let aside = set_aside(&path, Time::from_millis(1_764_000_000_000)).expect("nobody holds it");
        assert_eq!(aside, root.path().join("store.damaged-1764000000000"));
        assert_eq!(fs::read_to_string(aside.join("db")).expect("kept"), "damaged");
        HeldFolder::open(&path, "db").expect("an empty folder in its place");
        assert!(matches!(set_aside(&path, Time::from_millis(1_764_000_000_000)), Err(StoreError::Io { .. })));
        assert!(path.exists(), "a name that is taken is not taken over");
    }
}
