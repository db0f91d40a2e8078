//! The disk as a file system of the kernel (FUSE), for real programs to write to. Every write comes here at once: the
//! kernel keeps none back. Mounts one folder; needs root and /dev/fuse, no helper program.

use std::{
    ffi::OsStr,
    io,
    path::Path,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, MountOption, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::{
    disk::Disk,
    tree::{Change, Inode, Kind, Tree},
};

/// The kernel asks again every time: after a cut nothing is what it was.
const REMEMBERED: Duration = Duration::ZERO;
/// Requests that are served at once; some of them are syncs, which take their time.
const THREADS: usize = 4;
/// The size that the disk says it has: far from full.
const DISK_BYTES: u64 = 1 << 40;
const BLOCK_BYTES: u32 = 4_096;
/// The type of a file in its mode, and that of a socket (`man 7 inode`).
const TYPE_MASK: u32 = 0o170_000;
const TYPE_SOCKET: u32 = 0o140_000;
const TYPE_FILE: u32 = 0o100_000;

/// A disk that is mounted until this is dropped.
pub(super) struct Mounted {
    // Unmounts when dropped. Nobody waits for its threads: the kernel keeps a file system that a process in another mount
    // namespace happens to hold as well, as `ip netns exec` makes them, until that process ends.
    _session: BackgroundSession,
    disk: Arc<Disk>,
}

impl Mounted {
    /// Mounts a disk at an empty folder.
    pub(super) fn at(folder: &Path, disk: Arc<Disk>) -> io::Result<Self> {
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("powercut".to_owned()), MountOption::NoAtime];
        config.n_threads = Some(THREADS);
        let session = fuser::spawn_mount(Front { disk: disk.clone() }, folder, &config)?;
        Ok(Self { _session: session, disk })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.disk.scrap();
    }
}

struct Front {
    disk: Arc<Disk>,
}

fn attributes(number: u64, inode: &Inode) -> FileAttr {
    let (kind, size) = match &inode.kind {
        Kind::File { live, .. } => (FileType::RegularFile, live.length()),
        Kind::Folder { .. } => (FileType::Directory, 0),
        Kind::Socket => (FileType::Socket, 0),
    };
    FileAttr {
        ino: INodeNo(number),
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm: inode.mode,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: BLOCK_BYTES,
        flags: 0,
    }
}

/// The permissions of a mode.
fn permissions(mode: u32) -> u16 {
    (mode & 0o7777) as u16
}

fn found(tree: &Tree, number: u64) -> Result<FileAttr, Errno> {
    tree.get(number).map(|inode| attributes(number, inode))
}

fn answer_entry(reply: ReplyEntry, outcome: Result<FileAttr, Errno>) {
    match outcome {
        Ok(attributes) => reply.entry(&REMEMBERED, &attributes, Generation(0)),
        Err(error) => reply.error(error),
    }
}

fn answer(reply: ReplyEmpty, outcome: Result<(), Errno>) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

impl Front {
    fn make(&self, folder: INodeNo, name: &OsStr, kind: Kind, mode: u32) -> Result<FileAttr, Errno> {
        self.disk.step(
            |tree| format!("creation of {}/{}", tree.path_of(folder.0), name.to_string_lossy()),
            |tree| {
                let number = tree.make(folder.0, name, kind, permissions(mode))?;
                found(tree, number)
            },
        )
    }

    fn remove(&self, folder: INodeNo, name: &OsStr, is_folder: bool) -> Result<(), Errno> {
        self.disk.step(
            |tree| format!("removal of {}/{}", tree.path_of(folder.0), name.to_string_lossy()),
            |tree| tree.remove(folder.0, name, is_folder),
        )
    }
}

impl Filesystem for Front {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        answer_entry(reply, self.disk.look(|tree| found(tree, tree.look_up(parent.0, name)?)));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.disk.look(|tree| found(tree, ino.0)) {
            Ok(attributes) => reply.attr(&REMEMBERED, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<std::time::SystemTime>,
        _: Option<FileHandle>,
        _: Option<std::time::SystemTime>,
        _: Option<std::time::SystemTime>,
        _: Option<std::time::SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let resized = size.map_or(Ok(()), |size| {
            self.disk.step(
                |tree| format!("change of the length of {} to {size}", tree.path_of(ino.0)),
                |tree| tree.change(ino.0, Change::Length(size)),
            )
        });
        let changed = resized.and_then(|()| {
            self.disk.note(|tree| {
                if let Some(mode) = mode {
                    tree.get_mut(ino.0)?.mode = permissions(mode);
                }
                found(tree, ino.0)
            })
        });
        match changed {
            Ok(attributes) => reply.attr(&REMEMBERED, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn mknod(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, _: u32, reply: ReplyEntry) {
        let kind = match mode & TYPE_MASK {
            TYPE_SOCKET => Kind::Socket,
            TYPE_FILE => Tree::file(),
            _ => return reply.error(Errno::EPERM),
        };
        answer_entry(reply, self.make(parent, name, kind, mode));
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry) {
        answer_entry(reply, self.make(parent, name, Tree::folder(), mode));
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(reply, self.remove(parent, name, false));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(reply, self.remove(parent, name, true));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let (from, to) = ((parent.0, name), (newparent.0, newname));
        let renamed = self.disk.step(
            |tree| {
                let (from_folder, to_folder) = (tree.path_of(from.0), tree.path_of(to.0));
                let (from, to) = (from.1.to_string_lossy(), to.1.to_string_lossy());
                format!("renaming of {from_folder}/{from} to {to_folder}/{to}")
            },
            |tree| {
                if flags.contains(RenameFlags::RENAME_EXCHANGE) {
                    tree.exchange(from, to)
                } else {
                    tree.rename(from, to, flags.contains(RenameFlags::RENAME_NOREPLACE))
                }
            },
        );
        answer(reply, renamed);
    }

    fn open(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let opened = self.disk.note(|tree| {
            tree.get_mut(ino.0)?.opened += 1;
            Ok(())
        });
        match opened {
            Ok(()) => reply.opened(FileHandle(0), FopenFlags::empty()),
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let read = self.disk.look(|tree| match &tree.get(ino.0)?.kind {
            Kind::File { live, .. } => Ok(live.read(offset, usize::try_from(size).unwrap_or_default())),
            _ => Err(Errno::EISDIR),
        });
        match read {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self.disk.step(
            |tree| format!("write of {} bytes at {offset} of {}", data.len(), tree.path_of(ino.0)),
            |tree| tree.change(ino.0, Change::Write { at: offset, bytes: data.into() }),
        );
        match written {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX)),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn release(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        // A handle from before a cut is of a disk that is no more.
        let _: Result<(), Errno> = self.disk.note(|tree| {
            let opened = &mut tree.get_mut(ino.0)?.opened;
            *opened = opened.saturating_sub(1);
            Ok(())
        });
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, datasync: bool, reply: ReplyEmpty) {
        answer(reply, self.disk.sync_file(ino.0, datasync));
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer(reply, self.disk.sync_folder(ino.0));
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        // Goes by numbers, so that names which come and go meanwhile hide no others.
        let listed = self.disk.look(|tree| {
            let kind = |number: u64| tree.get(number).map_or(FileType::RegularFile, |inode| attributes(0, inode).kind);
            let names = tree.names(ino.0)?.iter().filter(|(_, number)| **number > offset);
            let mut names: Vec<_> = names.map(|(name, number)| (*number, kind(*number), name.clone())).collect();
            names.sort_unstable_by_key(|(number, ..)| *number);
            Ok(names)
        });
        match listed {
            Ok(names) => {
                for (number, kind, name) in names {
                    if reply.add(INodeNo(number), number, kind, &name) {
                        break;
                    }
                }
                reply.ok();
            }
            Err(error) => reply.error(error),
        }
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let blocks = DISK_BYTES / u64::from(BLOCK_BYTES);
        reply.statfs(blocks, blocks, blocks, 1 << 20, 1 << 20, BLOCK_BYTES, 255, BLOCK_BYTES);
    }

    fn create(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, _: i32, reply: ReplyCreate) {
        let created = self.make(parent, name, Tree::file(), mode).and_then(|attributes| {
            self.disk.note(|tree| {
                tree.get_mut(attributes.ino.0)?.opened += 1;
                Ok(attributes)
            })
        });
        match created {
            Ok(attributes) => {
                reply.created(&REMEMBERED, &attributes, Generation(0), FileHandle(0), FopenFlags::empty());
            }
            Err(error) => reply.error(error),
        }
    }
}
