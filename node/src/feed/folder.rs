//! The public feed as files, for a web server that serves a folder. Each file appears whole or not at all; files that
//! this node did not write are left alone.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use passerelle_domain::cap::atom::{DOCUMENTS, FEED_NAME, document_id};

/// A file under way. What is left of one is removed by the next write.
const UNFINISHED: &str = ".passerelle-unfinished";

/// What is public may be read by everybody, above all by the web server.
const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;

/// The folder of the feed.
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Brings the folder up to what the feed is: first the documents, then the feed that leads to them, then the
    /// documents that left it are removed. `documents` are names and bytes.
    ///
    /// # Errors
    /// What the disk refuses.
    pub(super) fn bring_up(&self, feed: &[u8], documents: &[(String, Vec<u8>)]) -> io::Result<()> {
        let folder = self.root.join(DOCUMENTS);
        make(&self.root)?;
        make(&folder)?;
        let mut kept = BTreeSet::new();
        for (name, bytes) in documents {
            put(&self.root.join(name), bytes)?;
            kept.insert(name.as_str());
        }
        put(&self.root.join(FEED_NAME), feed)?;
        for item in fs::read_dir(&folder)? {
            let item = item?;
            let name = format!("{DOCUMENTS}/{}", item.file_name().to_string_lossy());
            if document_id(&name).is_some() && !kept.contains(name.as_str()) {
                fs::remove_file(item.path())?;
            }
        }
        sync(&folder)?;
        sync(&self.root)
    }
}

/// Makes a folder, for everybody to read whatever the umask of the node is; one that is there keeps its permissions.
fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(FOLDER_MODE))
}

/// Writes a file in the place of any that is there, unless that is the same: its date is what readers go by.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let unfinished = path.with_file_name(UNFINISHED);
    // Left by a crash, or laid there to lead elsewhere: never written through.
    match fs::remove_file(&unfinished) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(&unfinished)?;
    file.set_permissions(fs::Permissions::from_mode(FILE_MODE))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

/// Makes the names in a folder durable.
fn sync(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use passerelle_domain::{cap::atom::document_name, ids::EnvelopeId, time::Time};

    use super::*;

    fn name(number: u8) -> String {
        document_name(EnvelopeId::new(Time::from_millis(1_795_500_000_000), [number; 10]))
    }

    #[test]
    fn what_left_the_feed_is_removed_and_nothing_else() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(root.path().join("public"));
        let documents = [(name(1), b"one".to_vec()), (name(2), b"two".to_vec())];
        folder.bring_up(b"feed", &documents).expect("written");
        let at = |name: &str| root.path().join("public").join(name);
        fs::write(at("cap/index.html"), "theirs").expect("written");
        fs::write(at("robots.txt"), "theirs").expect("written");
        let before = fs::metadata(at(&name(2))).and_then(|file| file.modified()).expect("a date");
        folder.bring_up(b"feed 2", &documents[1..]).expect("written");
        assert!(!at(&name(1)).exists());
        assert_eq!(fs::metadata(at(&name(2))).and_then(|file| file.modified()).expect("a date"), before, "untouched");
        assert_eq!(fs::read(at(FEED_NAME)).expect("the feed"), b"feed 2");
        let mode = |name: &str| fs::metadata(at(name)).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode("cap"), mode(FEED_NAME), mode(&name(2))), (FOLDER_MODE, FILE_MODE, FILE_MODE));
        let left: BTreeSet<_> =
            fs::read_dir(at("cap")).expect("read").map(|item| item.expect("one").file_name()).collect();
        let expected = [name(2).replace("cap/", ""), "index.html".to_owned()].map(std::ffi::OsString::from);
        assert_eq!(left, expected.into());
        assert!(at("robots.txt").exists());
    }

    #[test]
    fn a_folder_that_cannot_be_had_is_an_error() {
        let root = tempfile::tempdir().expect("a folder");
        let taken = root.path().join("file");
        fs::write(&taken, "x").expect("written");
        assert!(Folder::new(taken).bring_up(b"feed", &[]).is_err());
    }
}
