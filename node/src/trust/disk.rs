//! Private folders and durable private files: what is written here is on the disk, whole, readable by
//! the node's user alone, before the call returns.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use zeroize::Zeroizing;

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// The ending of a file that is not whole yet.
const UNFINISHED: &str = "tmp";

/// Makes the folder and what is missing above it, for the node's user alone; one that exists must be as private. Its name
/// is on the disk afterwards, also where an earlier process made it and was killed before it could sync that.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        make_folder(path)?;
    } else if let Some(parent) = path.parent() {
        sync_folder(parent)?;
    }
    refuse_if_open_to_others(&fs::metadata(path)?)
}

/// Makes the folder and what is missing above it, for the node's user alone, and each name durable: a folder whose name
/// is lost with the power takes everything in it along.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let Some(parent) = path.parent().filter(|_| !path.is_dir()) else { return Ok(()) };
    make_folder(parent)?;
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder(parent),
    }
}

/// Writes a private file in the place of any that is there: temporary file, sync, rename, sync of the folder.
pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let unfinished = folder.join(format!(".{name}.{number}.{UNFINISHED}"));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(&unfinished)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&unfinished, folder.join(name)));
    if written.is_err() {
        // Whatever went wrong is what the caller hears; the next start removes what could not be removed now.
        let _: io::Result<()> = fs::remove_file(&unfinished);
    }
    written.and_then(|()| sync_folder(folder))
}

/// Reads a file of at most `max` bytes.
pub(crate) fn read(path: &Path, max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_into(File::open(path)?, max, &mut bytes)?;
    Ok(bytes)
}

/// Reads a secret file of at most `max` bytes; one that others than its owner can reach is refused.
pub(crate) fn read_secret(path: &Path, max: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    refuse_if_open_to_others(&metadata)?;
    // Room for all of it from the start: a vector that grows leaves copies behind.
    let room = usize::try_from(metadata.len()).unwrap_or(max).min(max).saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    read_into(file, max, &mut bytes)?;
    Ok(bytes)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // The parent of a relative path of one part is the empty path.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// Removes a file, durably; whether there was one.
pub(crate) fn remove(folder: &Path, name: &str) -> io::Result<bool> {
    match fs::remove_file(folder.join(name)) {
        Ok(()) => sync_folder(folder).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Overwrites a private file with zeros, then removes it, durably; whether there was one.
pub(crate) fn destroy(folder: &Path, name: &str) -> io::Result<bool> {
    match OpenOptions::new().write(true).open(folder.join(name)) {
        Ok(mut file) => {
            let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
            file.write_all(&vec![0; length])?;
            file.sync_all()?;
            remove(folder, name)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes the unfinished files that a crash left in a folder.
pub(crate) fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new(UNFINISHED)) {
            fs::remove_file(path)?;
        }
    }
    sync_folder(folder)
}

fn read_into(file: File, max: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(bytes)?;
    if bytes.len() > max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has more than {max} bytes")));
    }
    Ok(())
}

fn refuse_if_open_to_others(metadata: &fs::Metadata) -> io::Result<()> {
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let message = format!("its mode {mode:03o} lets others reach it; take that away with chmod go-rwx");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it exists").permissions().mode() & 0o777
    }

    #[test]
    fn folders_and_files_are_for_their_owner_alone() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("a/b");
        private_folder(&folder).expect("made");
        write(&folder, "x", b"one").expect("written");
        write(&folder, "x", b"two").expect("written over");
        assert_eq!((mode(&folder), mode(&folder.join("x"))), (0o700, 0o600));
        assert_eq!(read_secret(&folder.join("x"), 3).expect("read").as_slice(), b"two");
        assert_eq!(fs::read_dir(&folder).expect("listed").count(), 1, "no unfinished file is left");
    }

    #[test]
    fn what_others_can_read_is_no_secret() {
        let home = tempfile::tempdir().expect("a folder");
        for open in [0o640, 0o604, 0o660, 0o601] {
            write(home.path(), "x", b"key").expect("written");
            fs::set_permissions(home.path().join("x"), fs::Permissions::from_mode(open)).expect("set");
            let error = read_secret(&home.path().join("x"), 3).expect_err("too open");
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{open:o}");
        }
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("set");
        assert!(private_folder(home.path()).is_err());
    }

    #[test]
    fn a_file_past_its_limit_is_not_read() {
        let home = tempfile::tempdir().expect("a folder");
        write(home.path(), "x", b"1234").expect("written");
        assert!(read(&home.path().join("x"), 4).is_ok());
        assert!(read(&home.path().join("x"), 3).is_err());
    }

    #[test]
    fn destroyed_and_removed_files_are_gone_and_so_are_unfinished_ones() {
        let home = tempfile::tempdir().expect("a folder");
        write(home.path(), "x", b"1").expect("written");
        fs::write(home.path().join(".y.0.tmp"), b"half").expect("written");
        assert!(destroy(home.path(), "x").expect("destroyed"));
        assert!(!destroy(home.path(), "x").expect("nothing there"));
        assert!(!remove(home.path(), "x").expect("nothing there"));
        remove_unfinished(home.path()).expect("cleaned");
        assert_eq!(fs::read_dir(home.path()).expect("listed").count(), 0);
    }
}
