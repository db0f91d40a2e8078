//! What is linked into the programs, as `cargo tree` resolves it: offline, from the lock file, for this platform.

use std::{collections::BTreeMap, process::Command};

use super::sources::root;

/// Names of all that is linked into a package, its normal dependencies and theirs, each with its features.
pub(crate) fn linked_into(package: &str) -> BTreeMap<String, String> {
    let arguments = ["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none", "--no-dedupe"];
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(arguments).args(["--format", "{p}|{f}", "--package", package]).current_dir(root());
    let output = cargo.output().expect("cargo starts");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("cargo writes text");
    let lines = tree.lines().filter_map(|line| line.split_once('|'));
    let name = |package: &str| package.split_whitespace().next().unwrap_or_default().to_owned();
    let linked: BTreeMap<_, _> = lines.map(|(package, features)| (name(package), features.to_owned())).collect();
    assert!(linked.contains_key(package) && linked.len() > 10, "the tree was not read: {linked:?}");
    linked
}
