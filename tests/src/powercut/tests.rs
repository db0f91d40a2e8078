//! What the disk keeps and what it may lose, without a kernel and without a node.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use super::{
    chance::Chance,
    image::{Image, Item},
    tree::{Change, Model, TOP, Tree},
};

/// Images that are looked at where all that may happen has to happen.
const IMAGES: u64 = 400;

fn name(name: &str) -> &OsStr {
    OsStr::new(name)
}

fn write(disk: &mut Tree, file: u64, at: u64, bytes: &[u8]) {
    disk.change(file, Change::Write { at, bytes: bytes.into() }).expect("a file");
}

fn make(disk: &mut Tree, folder: u64, file: &str) -> u64 {
    disk.make(folder, name(file), Tree::file(), 0o600).expect("a free name")
}

/// A durable file, as a program makes one.
fn make_durable(disk: &mut Tree, folder: u64, file: &str, bytes: &[u8]) -> u64 {
    let number = make(disk, folder, file);
    write(disk, number, 0, bytes);
    disk.sync_file(number, disk.order()).expect("a file");
    disk.sync_folder(folder, disk.order());
    number
}

/// The content of a file of an image, if it is there.
fn content(image: &Image, path: &str) -> Option<Vec<u8>> {
    match image.items.get(Path::new(path)) {
        Some(Item::File { content, .. }) => Some(content.read(0, usize::MAX)),
        _ => None,
    }
}

/// All that the disk may hold, as what `look` sees of it.
fn outcomes<T: Ord>(disk: &Tree, look: impl Fn(&Image) -> T) -> BTreeSet<T> {
    (0..IMAGES).map(|seed| look(&Image::pick(disk, &mut Chance::of(seed)))).collect()
}

const MODELS: [Model; 2] = [Model::Harsh, Model::Ext4];

#[test]
fn what_was_synced_is_in_every_image() {
    for model in MODELS {
        let mut disk = Tree::new(model, 0);
        let folder = disk.make(TOP, name("folder"), Tree::folder(), 0o700).expect("a free name");
        disk.sync_folder(TOP, disk.order());
        let file = make_durable(&mut disk, folder, "file", &[1; 2_000]);
        write(&mut disk, file, 4_096, &[2; 100]);
        let kept = outcomes(&disk, |image| content(image, "folder/file").map(|bytes| bytes[..2_000].to_vec()));
        assert_eq!(kept, BTreeSet::from([Some(vec![1; 2_000])]), "{model:?}");
    }
}

#[test]
fn a_write_that_was_not_synced_is_kept_lost_or_torn_at_sectors() {
    for model in MODELS {
        let mut disk = Tree::new(model, 0);
        let file = make_durable(&mut disk, TOP, "file", &[1; 1_536]);
        write(&mut disk, file, 0, &[2; 1_536]);
        let sectors = outcomes(&disk, |image| {
            let bytes = content(image, "file").expect("it is durable");
            bytes
                .chunks(512)
                .map(|sector| {
                    assert!(sector.iter().all(|byte| *byte == sector[0]), "torn within a sector");
                    sector[0]
                })
                .collect::<Vec<_>>()
        });
        assert_eq!(sectors.len(), 8, "{model:?}: every mixture of three sectors, not {sectors:?}");
    }
}

#[test]
fn later_writes_may_survive_earlier_ones() {
    for model in MODELS {
        let mut disk = Tree::new(model, 0);
        let file = make_durable(&mut disk, TOP, "file", &[0; 1_024]);
        write(&mut disk, file, 0, &[1; 512]);
        write(&mut disk, file, 512, &[2; 512]);
        let kept = outcomes(&disk, |image| content(image, "file").map(|bytes| (bytes[0], bytes[512])));
        assert!(kept.contains(&Some((0, 2))), "{model:?}: {kept:?}");
    }
}

#[test]
fn a_sync_covers_what_came_before_it_alone() {
    let mut disk = Tree::new(Model::Harsh, 0);
    let file = make_durable(&mut disk, TOP, "file", b"one");
    write(&mut disk, file, 0, b"two");
    let until = disk.order();
    write(&mut disk, file, 3, b"three");
    disk.sync_file(file, until).expect("a file");
    let kept = outcomes(&disk, |image| content(image, "file").map(|bytes| bytes[..3].to_vec()));
    assert_eq!(kept, BTreeSet::from([Some(b"two".to_vec())]));
    assert!(outcomes(&disk, |image| content(image, "file").map(|bytes| bytes.len())).contains(&Some(3)));
}

#[test]
fn a_synced_file_whose_folder_was_not_synced_may_have_no_name() {
    for (model, may_be_lost) in [(Model::Harsh, true), (Model::Ext4, false)] {
        let mut disk = Tree::new(model, 0);
        let file = make(&mut disk, TOP, "file");
        write(&mut disk, file, 0, b"content");
        disk.sync_file(file, disk.order()).expect("a file");
        let kept = outcomes(&disk, |image| content(image, "file"));
        assert_eq!(kept.contains(&None), may_be_lost, "{model:?}");
        disk.sync_folder(TOP, disk.order());
        assert_eq!(outcomes(&disk, |image| content(image, "file")), BTreeSet::from([Some(b"content".to_vec())]));
    }
}

#[test]
fn a_rename_has_happened_or_not_and_never_half() {
    for model in MODELS {
        let mut disk = Tree::new(model, 0);
        make_durable(&mut disk, TOP, "file", b"old");
        make_durable(&mut disk, TOP, "file.new", b"new");
        disk.rename((TOP, name("file.new")), (TOP, name("file")), false).expect("two files");
        let kept = outcomes(&disk, |image| (content(image, "file"), content(image, "file.new")));
        let (old, new) = (Some(b"old".to_vec()), Some(b"new".to_vec()));
        assert_eq!(kept, BTreeSet::from([(old, new.clone()), (new, None)]), "{model:?}");
    }
}

#[test]
fn names_are_lost_from_the_end_by_a_journal_and_anyhow_by_posix() {
    for (model, earlier_may_be_lost_alone) in [(Model::Harsh, true), (Model::Ext4, false)] {
        let mut disk = Tree::new(model, 0);
        make(&mut disk, TOP, "a");
        make(&mut disk, TOP, "b");
        let kept = outcomes(&disk, |image| (content(image, "a").is_some(), content(image, "b").is_some()));
        assert_eq!(kept.contains(&(false, true)), earlier_may_be_lost_alone, "{model:?}");
        assert!(kept.contains(&(true, false)), "{model:?}");
    }
}

#[test]
fn what_was_removed_may_come_back_until_its_folder_is_synced() {
    for model in MODELS {
        let mut disk = Tree::new(model, 0);
        make_durable(&mut disk, TOP, "key", b"secret");
        disk.remove(TOP, name("key"), false).expect("a file");
        assert_eq!(outcomes(&disk, |image| content(image, "key").is_some()), BTreeSet::from([false, true]));
        disk.sync_folder(TOP, disk.order());
        assert_eq!(outcomes(&disk, |image| content(image, "key").is_some()), BTreeSet::from([false]), "{model:?}");
        assert_eq!(disk.inodes.len(), 1, "what nothing leads to takes no room");
    }
}

#[test]
fn a_machine_starts_with_what_the_image_holds_and_nothing_unsynced() {
    for model in MODELS {
        let mut disk = Tree::new(model, 0);
        let folder = disk.make(TOP, name("folder"), Tree::folder(), 0o700).expect("a free name");
        let file = make(&mut disk, folder, "file");
        write(&mut disk, file, 10, b"content");
        let everything = (0..IMAGES).map(|seed| Image::pick(&disk, &mut Chance::of(seed)));
        for image in everything {
            let started = image.boot(model, disk.next());
            assert_eq!(started.unsynced(), (0, 0));
            let again = Image::pick(&started, &mut Chance::of(0));
            let paths = |image: &Image| image.items.keys().cloned().collect::<Vec<PathBuf>>();
            assert_eq!(paths(&again), paths(&image));
            assert_eq!(content(&again, "folder/file"), content(&image, "folder/file"));
        }
    }
}

#[test]
fn the_same_seed_picks_the_same() {
    let mut disk = Tree::new(Model::Harsh, 0);
    for number in 0..20 {
        let file = make(&mut disk, TOP, &format!("file {number}"));
        write(&mut disk, file, 0, &[number; 3_000]);
    }
    let picked = |seed| {
        let image = Image::pick(&disk, &mut Chance::of(seed));
        image.items.keys().map(|path| (path.clone(), content(&image, &path.to_string_lossy()))).collect::<Vec<_>>()
    };
    assert_eq!(picked(7), picked(7));
    assert!((0..10).any(|seed| picked(seed) != picked(7)));
}
