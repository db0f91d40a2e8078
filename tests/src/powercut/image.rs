//! What a disk may hold after a power cut: all that was synced, and of the rest whatever a seed picks, down to single
//! sectors. Reads a copy of a disk and writes folders.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ffi::OsString,
    fs::{DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::{
    chance::Chance,
    content::Content,
    tree::{Change, Inode, Kind, Model, TOP, Tree, apply, put},
};

/// What a disk writes whole or not at all.
const SECTOR: u64 = 512;

/// How a disk treats what nobody asked it to sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Nothing of it was written.
    Nothing,
    /// All of it was, just in time.
    Everything,
    /// It was written in its order, and the power went in the midst of one write.
    Prefix,
    /// Each change was written or not, and each whole.
    Scattered,
    /// Each sector of each write was written or not.
    Torn,
}

impl Style {
    pub(super) const ALL: [Self; 5] = [Self::Nothing, Self::Everything, Self::Prefix, Self::Scattered, Self::Torn];
}

/// A file or a folder of an image.
pub(super) enum Item {
    Folder { mode: u16 },
    File { mode: u16, content: Content },
}

/// What a disk holds after a cut, by path from its top; a folder stands before what is in it.
pub(super) struct Image {
    pub(super) style: Style,
    pub(super) items: BTreeMap<PathBuf, Item>,
}

impl Image {
    /// One of the images that the disk may hold.
    pub(super) fn pick(disk: &Tree, chance: &mut Chance) -> Self {
        let style = Style::ALL[chance.below(Style::ALL.len() as u64) as usize];
        let oldest = oldest(disk);
        let until = oldest.saturating_sub(1) + chance.below(disk.order().saturating_sub(oldest) + 2);
        let picked = Picked { disk, style, until, of_hundred: 10 + chance.below(81) };
        let names = picked.names(chance);
        let mut items = BTreeMap::new();
        let mut seen = BTreeSet::from([TOP]);
        picked.walk(TOP, Path::new(""), &names, &mut seen, &mut items, chance);
        Self { style, items }
    }

    /// Makes it a folder that can be opened.
    pub(super) fn write_to(&self, top: &Path) -> io::Result<()> {
        for (path, item) in &self.items {
            let path = top.join(path);
            match item {
                Item::Folder { mode } => DirBuilder::new().mode(u32::from(*mode)).create(path)?,
                Item::File { mode, content } => {
                    let mut options = OpenOptions::new();
                    let file: File = options.write(true).create_new(true).mode(u32::from(*mode)).open(path)?;
                    content.write_to(&file)?;
                }
            }
        }
        Ok(())
    }

    /// Makes it a disk with nothing unsynced, as after a start of the machine.
    pub(super) fn boot(&self, model: Model, next: u64) -> Tree {
        let mut disk = Tree::new(model, next);
        let mut numbers: HashMap<&Path, u64> = HashMap::from([(Path::new(""), TOP)]);
        for (path, item) in &self.items {
            let (kind, mode) = match item {
                Item::Folder { mode } => (Tree::folder(), *mode),
                Item::File { mode, content } => {
                    let (live, durable) = (content.clone(), content.clone());
                    (Kind::File { live, durable, pending: Vec::new() }, *mode)
                }
            };
            let folder = path.parent().and_then(|above| numbers.get(above)).copied();
            if let (Some(folder), Some(name)) = (folder, path.file_name())
                && let Ok(number) = disk.make(folder, name, kind, mode)
            {
                numbers.insert(path, number);
            }
        }
        for number in numbers.into_values() {
            disk.sync_folder(number, disk.order());
        }
        disk
    }
}

/// The first change that is not synced.
fn oldest(disk: &Tree) -> u64 {
    let of = |inode: &Inode| match &inode.kind {
        Kind::File { pending, .. } => pending.first().map(|(order, _)| *order),
        _ => None,
    };
    let contents = disk.inodes.values().filter_map(of);
    let names = disk.renamings.iter().map(|renaming| renaming.order);
    contents.chain(names).min().unwrap_or(disk.order())
}

/// What was picked for one image.
struct Picked<'a> {
    disk: &'a Tree,
    style: Style,
    /// The place in the order at which the power went, where the order counts.
    until: u64,
    /// How many of a hundred changes are kept, where each is picked for itself.
    of_hundred: u64,
}

impl Picked<'_> {
    fn keeps(&self, order: u64, chance: &mut Chance) -> bool {
        match self.style {
            Style::Nothing => false,
            Style::Everything => true,
            Style::Prefix => order <= self.until,
            Style::Scattered | Style::Torn => chance.below(100) < self.of_hundred,
        }
    }

    /// The names of each folder.
    fn names(&self, chance: &mut Chance) -> HashMap<u64, BTreeMap<OsString, u64>> {
        let folder = |(number, inode): (&u64, &Inode)| match &inode.kind {
            Kind::Folder { durable, .. } => Some((*number, durable.clone())),
            _ => None,
        };
        let mut names: HashMap<_, _> = self.disk.inodes.iter().filter_map(folder).collect();
        for renaming in &self.disk.renamings {
            let kept = match self.disk.model {
                Model::Harsh => self.keeps(renaming.order, chance),
                // A journal is lost from its end.
                Model::Ext4 if matches!(self.style, Style::Scattered | Style::Torn) => renaming.order <= self.until,
                Model::Ext4 => self.keeps(renaming.order, chance),
            };
            for (folder, name, number) in renaming.edits.iter().filter(|_| kept) {
                if let Some(names) = names.get_mut(folder) {
                    put(names, name, *number);
                }
            }
        }
        names
    }

    fn walk(
        &self,
        folder: u64,
        path: &Path,
        names: &HashMap<u64, BTreeMap<OsString, u64>>,
        seen: &mut BTreeSet<u64>,
        items: &mut BTreeMap<PathBuf, Item>,
        chance: &mut Chance,
    ) {
        for (name, number) in names.get(&folder).into_iter().flatten() {
            let Some(inode) = self.disk.inodes.get(number) else { continue };
            let path = path.join(name);
            match &inode.kind {
                Kind::Folder { .. } if seen.insert(*number) => {
                    items.insert(path.clone(), Item::Folder { mode: inode.mode });
                    self.walk(*number, &path, names, seen, items, chance);
                }
                Kind::File { live, durable, pending } => {
                    let content = self.content(live, durable, pending, chance);
                    items.insert(path, Item::File { mode: inode.mode, content });
                }
                Kind::Folder { .. } | Kind::Socket => {}
            }
        }
    }

    /// What is left of a file.
    fn content(&self, live: &Content, durable: &Content, pending: &[(u64, Change)], chance: &mut Chance) -> Content {
        let mut content = durable.clone();
        // A file may have gained the room and not what was to stand in it.
        let gained = live.length() > durable.length();
        if gained && self.disk.model == Model::Harsh && self.style != Style::Nothing && chance.below(4) == 0 {
            let room = live.length() - durable.length();
            content.set_length(live.length());
            if chance.below(2) == 0 {
                let rubbish = chance.bytes(usize::try_from(room.min(64 * SECTOR)).unwrap_or_default());
                content.write(durable.length(), &rubbish);
            }
        }
        for (order, change) in pending {
            let last = self.style == Style::Prefix && *order == self.until;
            match change {
                Change::Write { at, bytes } if last || self.style == Style::Torn => {
                    torn(&mut content, *at, bytes, last, chance);
                }
                change if self.keeps(*order, chance) => apply(&mut content, change),
                _ => {}
            }
        }
        content
    }
}

/// Writes some sectors of a write: the first few when `in_order`, else each or not.
fn torn(content: &mut Content, at: u64, bytes: &[u8], in_order: bool, chance: &mut Chance) {
    let end = at + bytes.len() as u64;
    let sectors = end.div_ceil(SECTOR) - at / SECTOR;
    let first = chance.below(sectors + 1);
    for sector in 0..sectors {
        if if in_order { sector >= first } else { chance.below(2) == 0 } {
            continue;
        }
        let from = ((at / SECTOR + sector) * SECTOR).max(at);
        let until = ((at / SECTOR + sector + 1) * SECTOR).min(end);
        content.write(from, &bytes[(from - at) as usize..(until - at) as usize]);
    }
}
