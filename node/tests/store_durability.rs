//! That a commit which returned is on the disk: shown on a disk that keeps nothing but what was synced, by watching
//! the system calls of a real process, and by killing one at random moments. No root, no special file system.

use std::{
    collections::HashMap,
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use passerelle_node::store::{
    Batch, Direction, Store, StoreError,
    sled::{DiskSync, RealDisk, SledOptions, SledStore},
};

const FOLDER: &str = "STORE_TEST_FOLDER";
const WATCH_LOG: &str = "STORE_WATCH_LOG";
/// Records that the killed writer keeps: older ones are deleted as it goes, as under retention.
const KEPT: u64 = 500;

fn open(folder: &Path) -> SledStore {
    SledStore::open(folder, SledOptions::default()).expect("the store opens")
}

/// Pseudo-random numbers (xorshift64), enough for moments and contents.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// 1 KiB that cannot be compressed, determined by `n`.
fn record(n: u64) -> Vec<u8> {
    let mut state = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..128).flat_map(|_| next(&mut state).to_be_bytes()).collect()
}

fn key(kind: u8, n: u64) -> Vec<u8> {
    [&[kind][..], &n.to_be_bytes()].concat()
}

/// What one commit of the killed writer does: an entry, a row in order and two out of order for each record,
/// the head, and the deletion of as many old ones.
fn append(records: std::ops::Range<u64>) -> Result<Batch, StoreError> {
    let mut batch = Batch::new();
    for n in records.clone() {
        batch.put(key(b'e', n), record(n))?;
        for (kind, n_of_row) in [(b'l', n), (b'i', n.reverse_bits()), (b'x', (!n).reverse_bits())] {
            batch.put(key(kind, n_of_row), n.to_be_bytes())?;
        }
    }
    for n in records.start.saturating_sub(KEPT)..records.end.saturating_sub(KEPT) {
        for (kind, n_of_row) in [(b'e', n), (b'l', n), (b'i', n.reverse_bits()), (b'x', (!n).reverse_bits())] {
            batch.delete(key(kind, n_of_row))?;
        }
    }
    batch.put(*b"head", records.end.to_be_bytes())?;
    Ok(batch)
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().expect("eight bytes"))
}

fn head(store: &SledStore) -> u64 {
    store.get(b"head").expect("readable").map_or(0, |value| number(&value))
}

/// Rows of one bulk commit, which together do not fit into one segment of the log: it reaches the disk in pieces.
const BULK_ROWS: u64 = 800;

/// A commit that gives all its rows, of 16 KiB each, the number of the commit.
fn bulk(commit: u64) -> Result<Batch, StoreError> {
    let mut batch = Batch::new();
    for row in 0..BULK_ROWS {
        batch.put(key(b'b', row), commit.to_be_bytes().repeat(2048))?;
    }
    batch.put(*b"head", commit.to_be_bytes())?;
    Ok(batch)
}

/// Checks that every row is of the same bulk commit, and returns its number.
fn checked_bulk(store: &SledStore) -> u64 {
    let commit = head(store);
    let rows = store.scan(b"b", b"c", Direction::Forward).collect::<Result<Vec<_>, _>>().expect("readable");
    assert_eq!(rows.len() as u64, if commit == 0 { 0 } else { BULK_ROWS });
    let of_others = rows.iter().filter(|(_, value)| number(&value[..8]) != commit).count();
    assert_eq!(of_others, 0, "rows of other commits among those of {commit}");
    commit
}

/// Reads everything and checks that it is the outcome of whole commits: returns the number of records ever written.
fn checked(store: &SledStore) -> u64 {
    let end = head(store);
    let numbers: Vec<u64> = (end.saturating_sub(KEPT)..end).collect();
    let rows = |kind: u8| {
        let rows = store.scan(&[kind], &[kind + 1], Direction::Forward);
        rows.collect::<Result<Vec<_>, _>>().expect("readable")
    };
    let entries = rows(b'e');
    assert_eq!(entries.iter().map(|(key, _)| number(&key[1..])).collect::<Vec<_>>(), numbers, "entries without gaps");
    assert!(entries.iter().all(|(key, value)| *value == record(number(&key[1..]))), "entries as they were written");
    for kind in [b'l', b'i', b'x'] {
        let mut of_rows: Vec<u64> = rows(kind).iter().map(|(_, value)| number(value)).collect();
        of_rows.sort_unstable();
        assert_eq!(of_rows, numbers, "a row {} for each entry and no other", char::from(kind));
    }
    end
}

/// Starts this test program again as the child `name`, working in `folder`, its standard error a pipe.
fn child(name: &str, folder: &Path, environment: &[(&str, &Path)]) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args([name, "--exact", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .envs(environment.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this program starts again")
}

#[test]
#[ignore = "is started by the test that kills it"]
fn child_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = open(Path::new(&folder));
    let mut written = head(&store);
    let mut state = written.wrapping_add(0x5EED);
    loop {
        let end = written + 1 + next(&mut state) % 32;
        store.commit(append(written..end).expect("within the bounds")).expect("a sound disk");
        written = end;
        writeln!(io::stderr(), "ack {written}").expect("a parent that reads");
    }
}

#[test]
#[ignore = "is started by the test that kills it"]
fn child_that_is_killed_in_bulk() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = open(Path::new(&folder));
    for commit in head(&store) + 1.. {
        store.commit(bulk(commit).expect("within the bounds")).expect("a sound disk");
        writeln!(io::stderr(), "ack {commit}").expect("a parent that reads");
    }
}

/// Starts the writer `name` and kills it at a random moment, `rounds` times over, on one store. After each, `found`
/// tells how far the store got, which must be as far as was acknowledged; returns that.
fn kill(name: &str, rounds: u32, found: fn(&SledStore) -> u64) -> u64 {
    let root = tempfile::tempdir().expect("a temporary folder");
    let mut state = u64::from(std::process::id()) | 1;
    let mut acknowledged = 0;
    for round in 0..rounds {
        let mut writer = child(name, root.path(), &[]);
        let lines = BufReader::new(writer.stderr.take().expect("a pipe")).lines();
        let delay = Duration::from_millis(50 + next(&mut state) % 400);
        let killer = thread::spawn(move || {
            thread::sleep(delay);
            writer.kill().and_then(|()| writer.wait()).expect("the child ends");
        });
        for line in lines.map_while(Result::ok) {
            match line.strip_prefix("ack ").map(str::parse) {
                Some(Ok(count)) => acknowledged = count,
                // A number that the kill cut short.
                Some(Err(_)) => {}
                None => eprintln!("child: {line}"),
            }
        }
        killer.join().expect("the killer ends");
        let found = found(&open(root.path()));
        assert!(found >= acknowledged, "round {round}: {acknowledged} acknowledged, {found} found");
    }
    acknowledged
}

#[test]
fn a_writer_killed_at_random_moments_loses_nothing_acknowledged() {
    let acknowledged = kill("child_that_is_killed", 10, checked);
    assert!(acknowledged > 100, "the writer hardly wrote: {acknowledged} records");
}

#[test]
fn a_commit_that_reaches_the_disk_in_pieces_is_never_torn_by_a_kill() {
    let acknowledged = kill("child_that_is_killed_in_bulk", 10, checked_bulk);
    assert!(acknowledged > 3, "the writer hardly wrote: {acknowledged} commits");
}

/// A disk that keeps, over a power cut, nothing but what the files held when they were last synced.
struct ForgetfulDisk {
    folder: PathBuf,
    kept: PathBuf,
    syncs: Arc<AtomicUsize>,
}

fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

impl DiskSync for ForgetfulDisk {
    fn sync_data(&self, file: &fs::File) -> io::Result<()> {
        copy_files(&self.folder, &self.kept)?;
        self.syncs.fetch_add(1, Ordering::SeqCst);
        RealDisk.sync_data(file)
    }
}

#[test]
fn a_disk_that_forgets_what_was_not_synced_forgets_nothing_acknowledged() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let (folder, kept) = (root.path().join("store"), root.path().join("kept"));
    let syncs = Arc::new(AtomicUsize::new(0));
    let disk = ForgetfulDisk { folder: folder.clone(), kept: kept.clone(), syncs: Arc::clone(&syncs) };
    let store = SledStore::open_on(&folder, SledOptions::default(), Box::new(disk)).expect("a fresh store");
    for round in 0..12_u64 {
        let before = syncs.load(Ordering::SeqCst);
        store.commit(append(round * 20..(round + 1) * 20).expect("within the bounds")).expect("a sound disk");
        assert!(syncs.load(Ordering::SeqCst) > before, "a commit returned without a sync");
        // The power goes: another node opens what the disk has kept.
        let after_cut = root.path().join(format!("after-cut-{round}"));
        copy_files(&kept, &after_cut).expect("room for a copy");
        assert_eq!(checked(&open(&after_cut)), (round + 1) * 20, "the sync came before what it had to sync");
        fs::remove_dir_all(after_cut).expect("ours");
    }
}

/// A disk whose sync fails while `broken` is set.
struct FailingDisk {
    broken: Arc<AtomicBool>,
}

impl DiskSync for FailingDisk {
    fn sync_data(&self, file: &fs::File) -> io::Result<()> {
        match self.broken.load(Ordering::SeqCst) {
            true => Err(io::Error::from(io::ErrorKind::StorageFull)),
            false => RealDisk.sync_data(file),
        }
    }
}

#[test]
fn after_one_failed_sync_no_commit_succeeds_until_the_store_is_opened_again() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let broken = Arc::new(AtomicBool::new(false));
    let disk = FailingDisk { broken: Arc::clone(&broken) };
    let store = SledStore::open_on(root.path(), SledOptions::default(), Box::new(disk)).expect("a fresh store");
    let append = |records| append(records).expect("within the bounds");
    store.commit(append(0..5)).expect("a sound disk");
    broken.store(true, Ordering::SeqCst);
    let failed = store.commit(append(5..9)).expect_err("a failing disk");
    assert!(failed.is_disk_full(), "{failed}");
    broken.store(false, Ordering::SeqCst);
    assert!(matches!(store.commit(append(5..9)), Err(StoreError::Poisoned)), "a disk that recovers is not believed");
    assert_eq!(store.get(&key(b'e', 0)).expect("reads go on"), Some(record(0)));
    drop(store);
    let store = open(root.path());
    let found = checked(&store);
    assert!(found == 5 || found == 9, "all or nothing of the failed commit, not {found}");
    store.commit(append(found..found + 1)).expect("a store opened again works");
}

#[test]
#[ignore = "is started by the test that watches it"]
fn child_that_is_watched() {
    let (Some(folder), Some(log)) = (std::env::var_os(FOLDER), std::env::var_os(WATCH_LOG)) else { return };
    let store = open(Path::new(&folder));
    let mut log = fs::File::options().append(true).create(true).open(log).expect("the log");
    for commit in 0..40_u64 {
        let mut batch = Batch::new();
        for row in 0..=commit % 7 {
            let value = format!("STORE-MARK:{commit:08}:{row:02}").into_bytes();
            batch.put(key(b'w', commit << 8 | row), [value, record(commit)].concat()).expect("within the bounds");
        }
        store.commit(batch).expect("a sound disk");
        log.write_all(format!("ack {commit:08}:{:02}\n", commit % 7).as_bytes()).expect("the log");
    }
}

/// The shared library that watches a process, compiled from the C file beside this one.
fn watcher(folder: &Path) -> PathBuf {
    let library = folder.join("store_watch.so");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store_watch.c");
    let mut command = Command::new(compiler);
    command.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl");
    assert!(command.status().expect("a C compiler, which the build of the node needs too").success());
    library
}

#[test]
#[cfg_attr(not(target_env = "gnu"), ignore = "needs a dynamically linked libc, to watch a process by LD_PRELOAD")]
fn every_acknowledgement_of_a_real_process_follows_a_sync_of_what_it_acknowledges() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let log = root.path().join("watch.log");
    let library = watcher(root.path());
    let environment = [(WATCH_LOG, log.as_path()), ("LD_PRELOAD", library.as_path())];
    let outcome = child("child_that_is_watched", &root.path().join("store"), &environment).wait_with_output();
    let outcome = outcome.expect("the child ends");
    assert!(outcome.status.success(), "{}", String::from_utf8_lossy(&outcome.stderr));

    let log = fs::read_to_string(log).expect("a log");
    let events: Vec<(&str, &str)> = log.lines().filter_map(|line| line.split_once(' ')).collect();
    let (mut first_written, mut begun, mut syncs) = (HashMap::new(), HashMap::new(), Vec::new());
    let mut acknowledged = 0;
    for (now, (what, name)) in events.iter().enumerate() {
        match *what {
            "wrote" => _ = first_written.entry(*name).or_insert(now),
            "sync-begins" => _ = begun.insert(*name, now),
            "sync-ended" => syncs.extend(begun.remove(name)),
            "ack" => {
                let (commit, last_row) = name.split_once(':').expect("a commit and a row");
                for row in 0..=last_row.parse::<u64>().expect("a number") {
                    let row = format!("{commit}:{row:02}");
                    let written = first_written.get(row.as_str()).copied();
                    let written = written.unwrap_or_else(|| panic!("{row} was acknowledged and never written"));
                    // `syncs` holds the beginnings of those that have ended by now.
                    assert!(syncs.iter().any(|begun| *begun > written), "{row} was acknowledged and never synced");
                }
                acknowledged += 1;
            }
            other => panic!("the watcher does not say {other}"),
        }
    }
    assert_eq!(acknowledged, 40, "the log is complete");
}
