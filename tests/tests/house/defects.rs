//! Deliberate defects stay in the simulation: no build but that of the tests can turn them on, and each has a place.

use std::fs;

use super::{
    resolved::linked_into,
    sources::{root, sources},
};

/// The feature under which defects are compiled.
const FEATURE: &str = "defects";

fn manifest(path: &str) -> toml::Table {
    let text = fs::read_to_string(root().join(path)).expect("a manifest is text");
    text.parse().expect("a manifest is TOML")
}

/// The `Cargo.toml` of every package, from the top of the repository.
fn manifests() -> Vec<String> {
    let members = manifest("Cargo.toml")["workspace"]["members"].as_array().cloned().unwrap_or_default();
    let members = members.iter().filter_map(toml::Value::as_str).map(|member| format!("{member}/Cargo.toml"));
    let all: Vec<_> = members.chain(["Cargo.toml", "tests/fuzz/Cargo.toml"].map(str::to_owned)).collect();
    assert!(all.len() >= 7, "the packages were not found: {all:?}");
    all
}

/// Where a manifest turns the feature on: for a dependency, by default, or with another feature.
fn turned_on(manifest: &toml::Table) -> Vec<String> {
    let mut found = Vec::new();
    let mut tables: Vec<(String, &toml::Table)> = vec![(String::new(), manifest)];
    while let Some((path, table)) = tables.pop() {
        for (key, value) in table {
            let path = format!("{path}/{key}");
            match value {
                toml::Value::Table(inner) => tables.push((path, inner)),
                // What the feature itself turns on is the same feature of others.
                toml::Value::Array(_) if path == format!("/features/{FEATURE}") => {}
                toml::Value::Array(list) => {
                    let names = list.iter().filter_map(toml::Value::as_str);
                    found.extend(
                        names.filter(|name| *name == FEATURE || name.ends_with("/defects")).map(|_| path.clone()),
                    );
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn no_package_turns_deliberate_defects_on() {
    for path in manifests() {
        let found = turned_on(&manifest(&path));
        // A program of the tests may ask for it; that it is built at all, somebody has to ask for by name.
        let stray: Vec<_> = found.iter().filter(|at| !(path == "tests/Cargo.toml" && at.starts_with("/bin"))).collect();
        assert!(stray.is_empty(), "{path} turns {FEATURE} on at {stray:?}");
    }
    for program in ["passerelle-node", "passerelle-cli"] {
        for (package, features) in linked_into(program) {
            assert!(!features.split(',').any(|it| it == FEATURE), "{program} is linked with {package} and its defects");
        }
    }
}

#[test]
fn what_is_shipped_is_built_without_deliberate_defects() {
    let gate =
        fs::read_dir(root().join(".ci")).expect("there is a gate").map(|item| item.expect("a file of it").path());
    let deploy =
        fs::read_dir(root().join("deploy")).expect("there is a room for it").map(|item| item.expect("a file").path());
    let files: Vec<_> = gate.chain(deploy).filter(|path| path.is_file()).collect();
    assert!(files.iter().any(|path| path.ends_with("deploy/Containerfile")), "the container was not found");
    assert!(files.iter().any(|path| path.ends_with(".ci/run")), "the gate was not found");
    for path in files {
        let text = String::from_utf8_lossy(&fs::read(&path).expect("a file is readable")).into_owned();
        for line in text.lines().filter(|line| line.contains(FEATURE) || line.contains("--all-features")) {
            // The gate runs the simulation, its lints and the test of the defects, and builds nothing else with them.
            let may = [" -p passerelle-tests ", " -p passerelle-domain --features defects --lib defects", "simulate"];
            assert!(may.iter().any(|it| line.contains(it)), "{}: {line}", path.display());
        }
    }
}

#[test]
fn every_deliberate_defect_has_a_place() {
    let room = fs::read_to_string(root().join("node/domain/src/defects.rs")).expect("the room of the defects");
    let names = room.lines().filter_map(|line| line.trim().split_once(" = \"")).map(|(name, _)| name);
    let names: Vec<&str> = names.filter(|name| name.starts_with(char::is_uppercase)).collect();
    assert!(names.len() >= 16, "the defects were not found: {names:?}");
    let shipped: String =
        sources().iter().filter(|source| source.path.starts_with("node/")).map(|it| it.code()).collect();
    let dead: Vec<_> = names.iter().filter(|name| !shipped.contains(&format!("defect!({name} =>"))).collect();
    assert!(dead.is_empty(), "defects that are nowhere: {dead:?}");
}

#[test]
fn a_manifest_that_turns_it_on_is_seen() {
    for (text, expected) in [
        ("[dependencies]\npasserelle-node = { path = \"node\", features = [\"defects\"] }", 1),
        ("[dependencies.passerelle-node]\nfeatures = [\"defects\"]", 1),
        ("[features]\ndefault = [\"defects\"]", 1),
        ("[features]\nall = [\"passerelle-domain/defects\"]", 1),
        ("[features]\ndefects = [\"passerelle-domain/defects\"]", 0),
        ("[workspace.dependencies]\ntoml = { features = [\"std\"] }", 0),
    ] {
        assert_eq!(turned_on(&text.parse().expect("TOML")).len(), expected, "{text}");
    }
}
