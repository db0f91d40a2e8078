//! What every store promises, shown on both: the same batches give the same rows, on a disk and in memory, before
//! and after the store is opened again; and what a store on disk does with damaged, foreign or busy folders.

use std::{fs, path::Path};

use passerelle_domain::{limits::STORE_VALUE_BYTES_MAX, time::Time};
use passerelle_node::store::{
    Batch, Direction, Row, Store, StoreError, folder,
    memory::MemoryStore,
    sled::{SledOptions, SledStore},
};
use proptest::prelude::*;

fn open(folder: &Path) -> Result<SledStore, StoreError> {
    SledStore::open(folder, SledOptions { cache_bytes: 1 << 20 })
}

fn scan(store: &dyn Store, from: &[u8], until: &[u8], direction: Direction) -> Result<Vec<Row>, StoreError> {
    store.scan(from, until, direction).collect()
}

fn all(store: &dyn Store) -> Result<Vec<Row>, StoreError> {
    scan(store, &[], &[0xff; 8], Direction::Forward)
}

/// Keys that meet each other often and are prefixes of one another.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(0_u8..4, 1..6),
        prop::collection::vec(any::<u8>(), 1..3),
        (0_u64..200).prop_map(|n| [b"entry/", &n.to_be_bytes()[..]].concat()),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..80),
        1 => any::<u8>().prop_map(|byte| vec![byte; STORE_VALUE_BYTES_MAX]),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(Vec<u8>, Option<Vec<u8>>)>),
    Scan(Vec<u8>, Vec<u8>, bool),
    Get(Vec<u8>),
    OpenAgain,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec((key(), prop::option::weighted(0.7, value())), 0..60).prop_map(Step::Commit),
        3 => (key(), key(), any::<bool>()).prop_map(|(from, until, backward)| Step::Scan(from, until, backward)),
        2 => key().prop_map(Step::Get),
        1 => Just(Step::OpenAgain),
    ]
}

fn batch_of(writes: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in writes {
        match value {
            Some(value) => batch.put(key, value),
            None => batch.delete(key),
        }
        .expect("within the bounds");
    }
    batch
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_store_on_disk_and_one_in_memory_cannot_be_told_apart(steps in prop::collection::vec(step(), 1..24)) {
        let root = tempfile::tempdir().expect("a temporary folder");
        let (mut disk, mut memory) = (open(root.path()).expect("a fresh store"), MemoryStore::new());
        for step in steps {
            match step {
                Step::Commit(writes) => {
                    let batch = batch_of(writes);
                    disk.commit(batch.clone()).expect("a sound disk");
                    memory.commit(batch).expect("no fault is planned");
                }
                Step::Scan(from, until, backward) => {
                    let direction = if backward { Direction::Backward } else { Direction::Forward };
                    let on_disk = scan(&disk, &from, &until, direction).expect("readable");
                    prop_assert_eq!(&on_disk, &scan(&memory, &from, &until, direction).expect("readable"));
                    prop_assert!(on_disk.iter().all(|(key, _)| *key >= from && *key < until));
                }
                Step::Get(key) => {
                    prop_assert_eq!(disk.get(&key).expect("readable"), memory.get(&key).expect("readable"));
                }
                Step::OpenAgain => {
                    drop(disk);
                    disk = open(root.path()).expect("the same store again");
                    memory = memory.restart();
                }
            }
        }
        drop(disk);
        let disk = open(root.path()).expect("the same store again");
        prop_assert_eq!(all(&disk).expect("readable"), all(&memory).expect("readable"));
        prop_assert_eq!(disk.oversized_leaves().expect("countable"), 0);
    }
}

#[test]
fn a_scan_covers_its_lower_bound_and_not_its_upper() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let (disk, memory) = (open(root.path()).expect("a fresh store"), MemoryStore::new());
    let stores: [&dyn Store; 2] = [&disk, &memory];
    let cases: [(&[u8], &[u8], &[u8]); 6] = [
        (b"b", b"d", b"bc"),
        (b"", b"b", b"a"),
        (b"c", b"\xff", b"cde"),
        (b"c", b"c", b""),
        (b"d", b"b", b""),
        (b"x", b"y", b""),
    ];
    for store in stores {
        store.commit(batch_of(b"abcde".map(|n| (vec![n], Some(vec![n]))).to_vec())).expect("a sound store");
        for (from, until, found) in cases {
            let keys = |direction| -> Vec<u8> {
                let rows = scan(store, from, until, direction).expect("readable");
                rows.into_iter().flat_map(|(key, _)| key).collect()
            };
            assert_eq!(keys(Direction::Forward), found);
            assert_eq!(keys(Direction::Backward), found.iter().rev().copied().collect::<Vec<_>>());
        }
    }
}

#[test]
fn the_largest_values_stay_in_the_log_that_is_synced() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let store = open(root.path()).expect("a fresh store");
    for group in 0..16_u8 {
        let rows = (0..16_u8).map(|n| (vec![n; 256 - usize::from(group)], Some(vec![group; STORE_VALUE_BYTES_MAX])));
        store.commit(batch_of(rows.collect())).expect("a sound disk");
    }
    assert_eq!(store.oversized_leaves().expect("countable"), 0);
    assert!(store.bytes_on_disk().expect("measurable") >= 256 * STORE_VALUE_BYTES_MAX as u64);
}

#[test]
fn a_folder_in_use_is_refused_and_free_again_when_its_holder_ends() {
    let root = tempfile::tempdir().expect("a temporary folder");
    for round in 0..10 {
        let store = open(root.path()).unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert!(matches!(open(root.path()), Err(StoreError::InUse { .. })));
        drop(store);
    }
}

#[test]
fn a_creation_that_was_interrupted_begins_again_whatever_it_has_left() {
    let left: [(&str, &[u8]); 5] = [
        ("conf", b""),
        ("conf", b"segment_size: 8388608\nuse_compression: false\nversion: 0."),
        ("db", &[0xa5; 100_000]),
        ("snap.0000000000000000", b"half"),
        ("snap.0000000000000000.generating", b""),
    ];
    for (name, bytes) in left {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::write(root.path().join("schema"), "passerelle store schema 1 being made\n").expect("a record");
        fs::write(root.path().join(name), bytes).expect("half a file");
        let store = open(root.path()).unwrap_or_else(|error| panic!("{name} of {} bytes: {error}", bytes.len()));
        let mut batch = Batch::new();
        batch.put(*b"row", *b"value").expect("within the bounds");
        store.commit(batch).expect("a sound disk");
        drop(store);
        let again = open(root.path()).expect("the same store");
        assert_eq!(
            again.get(b"row").expect("readable"),
            Some(b"value".to_vec()),
            "a store that was made is not cleared"
        );
    }
}

#[test]
fn an_unknown_schema_is_refused_before_the_database_is_touched() {
    let root = tempfile::tempdir().expect("a temporary folder");
    drop(open(root.path()).expect("a fresh store"));
    fs::write(root.path().join("schema"), "passerelle store schema 7\n").expect("a record of the future");
    let before = fs::read(root.path().join("db")).expect("a database");
    assert!(matches!(open(root.path()), Err(StoreError::UnknownSchema { found: 7, known: 2, .. })));
    assert!(fs::read(root.path().join("db")).expect("a database") == before, "the database is as it was");
}

/// A closed store of 300 rows, each with the digit of its key repeated as its value.
fn written(folder: &Path) -> Vec<Row> {
    let store = open(folder).expect("a fresh store");
    for group in 0..30_u32 {
        let rows = (0..10).map(|n| (group * 10 + n).to_be_bytes().to_vec());
        store.commit(batch_of(rows.map(|key| (key.clone(), Some(key.repeat(250)))).collect())).expect("a sound disk");
    }
    all(&store).expect("readable")
}

#[test]
fn a_database_that_has_vanished_is_damage_and_not_an_empty_store() {
    for lost in [&["db"][..], &["db", "conf"]] {
        let root = tempfile::tempdir().expect("a temporary folder");
        let path = root.path().join("store");
        written(&path);
        for entry in fs::read_dir(&path).expect("the folder") {
            let name = entry.expect("an entry").file_name().into_string().expect("a plain name");
            if lost.contains(&name.as_str()) || name.starts_with("snap") {
                fs::remove_file(path.join(name)).expect("a file");
            }
        }
        let refused = open(&path).expect_err("the rows are gone");
        assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
        let aside = folder::set_aside(&path, Time::from_millis(5)).expect("nobody holds it");
        assert!(aside.is_dir());
        assert_eq!(all(&open(&path).expect("a fresh store in its place")).expect("readable"), []);
    }
}

#[test]
fn a_flipped_bit_gives_an_error_or_rows_that_were_written_and_never_a_panic_or_a_wrong_value() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let (sound, flipped) = (root.path().join("sound"), root.path().join("flipped"));
    let rows = written(&sound);
    // Once more, so that the log and sled's snapshot of it are both there, as on a node that has run for a while.
    drop(open(&sound).expect("the same store again"));
    let database = fs::read(sound.join("db")).expect("a database");
    let end = database.iter().rposition(|byte| *byte != 0).expect("some bytes");
    let (mut refused, mut unreadable, mut shorter) = (0, 0, 0);
    for round in 0..40 {
        fs::create_dir(&flipped).expect("a fresh folder");
        for entry in fs::read_dir(&sound).expect("the folder").flatten().filter(|entry| entry.path().is_file()) {
            fs::copy(entry.path(), flipped.join(entry.file_name())).expect("room for a copy");
        }
        let mut bytes = database.clone();
        let at = end * round / 40;
        bytes[at] ^= 1 << (round % 8);
        fs::write(flipped.join("db"), bytes).expect("a writable folder");
        match open(&flipped).map(|store| all(&store)) {
            Err(error) => {
                assert!(matches!(error, StoreError::Damaged { .. } | StoreError::Io { .. }), "byte {at}: {error}");
                refused += 1;
            }
            Ok(Err(_)) => unreadable += 1,
            Ok(Ok(found)) => {
                assert!(found.iter().all(|row| rows.contains(row)), "byte {at}: a row that was never written");
                // sled takes damage for the end of its log. The hash chain of the journal has to notice.
                shorter += usize::from(found.len() < rows.len());
            }
        }
        fs::remove_dir_all(&flipped).expect("ours");
    }
    println!("40 flipped bits: {refused} refused when opened, {unreadable} when read, {shorter} with rows missing");
    assert!(refused + unreadable + shorter > 0, "the flips hit nothing");
}

#[test]
fn a_database_that_an_earlier_store_has_not_let_go_of_yet_is_waited_for() {
    let root = tempfile::tempdir().expect("a temporary folder");
    drop(open(root.path()).expect("a fresh store"));
    let file = std::fs::File::open(root.path().join("db")).expect("the database");
    file.lock().expect("nobody else holds it for long");
    let letting_go = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        drop(file);
    });
    open(root.path()).expect("the same store again, a moment later");
    letting_go.join().expect("no panic");
}
