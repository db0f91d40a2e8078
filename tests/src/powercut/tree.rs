//! Files, folders and names as two disks at once: what the programs see, and what would be left if the power went and
//! nothing more was written. Between the two stand the changes that nobody has synced, in their order. Memory alone.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ffi::{OsStr, OsString},
};

use clap::ValueEnum;
use fuser::Errno;

use super::content::Content;

/// The number of the top folder.
pub(super) const TOP: u64 = 1;

/// What a sync promises besides the content of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Model {
    /// What POSIX says and no more: a name is durable once its folder was synced, and names that were not are kept or
    /// lost each for itself; room that a file gained may hold anything.
    Harsh,
    /// As ext4 with `data=ordered`: changes of names and folders are lost from the end alone, any sync keeps all those
    /// before it, and room that a file gained reads as zeros until it is written.
    Ext4,
}

impl Model {
    /// By this name it is asked for and reported.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Harsh => "harsh",
            Self::Ext4 => "ext4",
        }
    }
}

/// What was done to the content of a file.
#[derive(Clone)]
pub(super) enum Change {
    Write { at: u64, bytes: std::sync::Arc<[u8]> },
    Length(u64),
}

/// What stands under a number.
#[derive(Clone)]
pub(super) enum Kind {
    File {
        live: Content,
        durable: Content,
        /// Not synced yet, each with its place in the order of all changes.
        pending: Vec<(u64, Change)>,
    },
    Folder {
        live: BTreeMap<OsString, u64>,
        durable: BTreeMap<OsString, u64>,
    },
    /// A socket: it has a name and nothing that a power cut could spare.
    Socket,
}

/// A file, a folder or a socket.
#[derive(Clone)]
pub(super) struct Inode {
    pub(super) kind: Kind,
    /// Permissions.
    pub(super) mode: u16,
    /// Handles on it: it is there while there are any, whatever becomes of its name.
    pub(super) opened: u32,
}

/// One change of names, which happens whole or not at all.
#[derive(Clone)]
pub(super) struct Renaming {
    pub(super) order: u64,
    /// The folder whose sync makes it durable.
    folder: u64,
    /// Folder, name, and what stands under it from now on.
    pub(super) edits: Vec<(u64, OsString, Option<u64>)>,
}

/// A disk.
#[derive(Clone)]
pub(super) struct Tree {
    pub(super) model: Model,
    pub(super) inodes: HashMap<u64, Inode>,
    pub(super) renamings: Vec<Renaming>,
    next: u64,
    order: u64,
}

impl Tree {
    /// An empty disk whose numbers begin at `next`: a number is never used twice while the kernel may remember it.
    pub(super) fn new(model: Model, next: u64) -> Self {
        let top = Inode { kind: Self::folder(), mode: 0o700, opened: 0 };
        Self { model, inodes: HashMap::from([(TOP, top)]), renamings: Vec::new(), next: next.max(TOP + 1), order: 0 }
    }

    /// The number that nothing has had yet.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The place in the order of all changes that the last one had.
    pub(super) fn order(&self) -> u64 {
        self.order
    }

    /// A file without content.
    pub(super) fn file() -> Kind {
        Kind::File { live: Content::default(), durable: Content::default(), pending: Vec::new() }
    }

    /// A folder without names.
    pub(super) fn folder() -> Kind {
        Kind::Folder { live: BTreeMap::new(), durable: BTreeMap::new() }
    }

    /// Changes of content and of names that a power cut may take.
    pub(super) fn unsynced(&self) -> (usize, usize) {
        let writes = self.inodes.values().map(|inode| match &inode.kind {
            Kind::File { pending, .. } => pending.len(),
            _ => 0,
        });
        (writes.sum(), self.renamings.len())
    }

    pub(super) fn get(&self, number: u64) -> Result<&Inode, Errno> {
        self.inodes.get(&number).ok_or(Errno::ENOENT)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Result<&mut Inode, Errno> {
        self.inodes.get_mut(&number).ok_or(Errno::ENOENT)
    }

    /// The names in a folder, as programs see them.
    pub(super) fn names(&self, folder: u64) -> Result<&BTreeMap<OsString, u64>, Errno> {
        match &self.get(folder)?.kind {
            Kind::Folder { live, .. } => Ok(live),
            _ => Err(Errno::ENOTDIR),
        }
    }

    pub(super) fn look_up(&self, folder: u64, name: &OsStr) -> Result<u64, Errno> {
        self.names(folder)?.get(name).copied().ok_or(Errno::ENOENT)
    }

    /// A path by which programs reach it, for stories.
    pub(super) fn path_of(&self, number: u64) -> String {
        let named = self.inodes.iter().find_map(|(folder, inode)| match &inode.kind {
            Kind::Folder { live, .. } => {
                live.iter().find(|(_, under)| **under == number).map(|(name, _)| (*folder, name.to_string_lossy()))
            }
            _ => None,
        });
        match named {
            Some((TOP, name)) => name.into_owned(),
            Some((folder, name)) => format!("{}/{name}", self.path_of(folder)),
            None if number == TOP => "the top".to_owned(),
            None => "a file without a name".to_owned(),
        }
    }

    /// Makes something under a name that is not taken.
    pub(super) fn make(&mut self, folder: u64, name: &OsStr, kind: Kind, mode: u16) -> Result<u64, Errno> {
        if self.look_up(folder, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        let number = self.next;
        self.next += 1;
        self.inodes.insert(number, Inode { kind, mode, opened: 0 });
        self.rename_all(folder, vec![(folder, name.to_owned(), Some(number))])?;
        Ok(number)
    }

    /// Takes a name away, from a folder only when it is empty.
    pub(super) fn remove(&mut self, folder: u64, name: &OsStr, is_folder: bool) -> Result<(), Errno> {
        match &self.get(self.look_up(folder, name)?)?.kind {
            Kind::Folder { .. } if !is_folder => return Err(Errno::EISDIR),
            Kind::Folder { live, .. } if !live.is_empty() => return Err(Errno::ENOTEMPTY),
            Kind::File { .. } | Kind::Socket if is_folder => return Err(Errno::ENOTDIR),
            _ => {}
        }
        self.rename_all(folder, vec![(folder, name.to_owned(), None)])
    }

    /// Gives something another name, in the place of what may have it.
    pub(super) fn rename(&mut self, from: (u64, &OsStr), to: (u64, &OsStr), new_only: bool) -> Result<(), Errno> {
        let number = self.look_up(from.0, from.1)?;
        if let Ok(there) = self.look_up(to.0, to.1) {
            if new_only {
                return Err(Errno::EEXIST);
            }
            if let Kind::Folder { live, .. } = &self.get(there)?.kind
                && !live.is_empty()
            {
                return Err(Errno::ENOTEMPTY);
            }
        }
        self.rename_all(to.0, vec![(from.0, from.1.to_owned(), None), (to.0, to.1.to_owned(), Some(number))])
    }

    /// Has two names change places.
    pub(super) fn exchange(&mut self, one: (u64, &OsStr), other: (u64, &OsStr)) -> Result<(), Errno> {
        let (first, second) = (self.look_up(one.0, one.1)?, self.look_up(other.0, other.1)?);
        let edits = vec![(one.0, one.1.to_owned(), Some(second)), (other.0, other.1.to_owned(), Some(first))];
        self.rename_all(other.0, edits)
    }

    fn rename_all(&mut self, folder: u64, edits: Vec<(u64, OsString, Option<u64>)>) -> Result<(), Errno> {
        for (folder, name, number) in &edits {
            match &mut self.get_mut(*folder)?.kind {
                Kind::Folder { live, .. } => put(live, name, *number),
                _ => return Err(Errno::ENOTDIR),
            }
        }
        self.order += 1;
        self.renamings.push(Renaming { order: self.order, folder, edits });
        Ok(())
    }

    /// Changes the content of a file.
    pub(super) fn change(&mut self, number: u64, change: Change) -> Result<(), Errno> {
        self.order += 1;
        let order = self.order;
        match &mut self.get_mut(number)?.kind {
            Kind::File { live, pending, .. } => {
                apply(live, &change);
                pending.push((order, change));
                Ok(())
            }
            _ => Err(Errno::EISDIR),
        }
    }

    /// Makes durable what was done to a file up to a place in the order.
    pub(super) fn sync_file(&mut self, number: u64, until: u64) -> Result<(), Errno> {
        if let Kind::File { live, durable, pending } = &mut self.get_mut(number)?.kind {
            let synced = pending.partition_point(|(order, _)| *order <= until);
            if synced == pending.len() {
                pending.clear();
                // Shares its blocks with what the programs see.
                durable.clone_from(live);
            } else {
                pending.drain(..synced).for_each(|(_, change)| apply(durable, &change));
            }
        }
        if self.model == Model::Ext4 {
            self.sync_names(until, |_| true);
        }
        Ok(())
    }

    /// Makes durable what was done to the names in a folder up to a place in the order.
    pub(super) fn sync_folder(&mut self, number: u64, until: u64) {
        let all = self.model == Model::Ext4;
        self.sync_names(until, |folder| all || folder == number);
        self.forget_the_lost();
    }

    fn sync_names(&mut self, until: u64, concerns: impl Fn(u64) -> bool) {
        let synced: Vec<Renaming>;
        (synced, self.renamings) = std::mem::take(&mut self.renamings)
            .into_iter()
            .partition(|renaming| renaming.order <= until && concerns(renaming.folder));
        for (folder, name, number) in synced.into_iter().flat_map(|renaming| renaming.edits) {
            if let Some(Inode { kind: Kind::Folder { durable, .. }, .. }) = self.inodes.get_mut(&folder) {
                put(durable, &name, number);
            }
        }
    }

    /// Drops what neither a name nor a handle leads to, on either disk.
    fn forget_the_lost(&mut self) {
        let mut named = BTreeSet::from([TOP]);
        named.extend(self.renamings.iter().flat_map(|renaming| &renaming.edits).filter_map(|edit| edit.2));
        for inode in self.inodes.values() {
            if let Kind::Folder { live, durable } = &inode.kind {
                named.extend(live.values().chain(durable.values()));
            }
        }
        self.inodes.retain(|number, inode| inode.opened > 0 || named.contains(number));
    }
}

/// Puts a name or takes it away.
pub(super) fn put(names: &mut BTreeMap<OsString, u64>, name: &OsStr, number: Option<u64>) {
    match number {
        Some(number) => names.insert(name.to_owned(), number),
        None => names.remove(name),
    };
}

/// Does to a content what a change says.
pub(super) fn apply(content: &mut Content, change: &Change) {
    match change {
        Change::Write { at, bytes } => content.write(*at, bytes),
        Change::Length(length) => content.set_length(*length),
    }
}
