//! That a store keeps to its cache: alone in its file, since it measures the memory of the whole process.

use std::fs;

use passerelle_domain::limits::STORE_VALUE_BYTES_MAX;
use passerelle_node::store::{
    Batch, Store,
    sled::{SledOptions, SledStore},
};

const ROWS: u32 = 9_600;

fn resident_mib() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of resident memory");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") / 1024
}

#[test]
fn reading_150_mb_of_large_rows_in_any_order_leaves_little_in_memory() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let store = SledStore::open(root.path(), SledOptions { cache_bytes: 4 << 20 }).expect("a fresh store");
    for group in 0..ROWS / 64 {
        let mut batch = Batch::new();
        for row in group * 64..(group + 1) * 64 {
            let value = row.to_be_bytes().repeat(STORE_VALUE_BYTES_MAX / 4);
            batch.put(row.to_be_bytes(), value).expect("within the bounds");
        }
        store.commit(batch).expect("a sound disk");
    }
    let written = resident_mib();
    for n in 0..ROWS {
        // A step that shares no factor with the number of rows visits them all, each far from the one before.
        let row = (n * 2_477) % ROWS;
        let value = store.get(&row.to_be_bytes()).expect("readable").expect("was written");
        assert_eq!(value[..4], row.to_be_bytes());
    }
    let read = resident_mib();
    println!("resident after writing: {written} MiB, after reading: {read} MiB");
    assert!(written < 96, "{written} MiB after writing");
    assert!(read < 96, "{read} MiB after reading");
}
