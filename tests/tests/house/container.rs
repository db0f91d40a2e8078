//! What a container is built from: names that are allowed, and no keys, stores or configurations that stand in a checkout.

use std::fs;

use super::sources::root;

/// What the build reads.
const ALLOWED: [&str; 7] = ["Cargo.toml", "Cargo.lock", "cli", "config", "node", "proto", "tests"];
/// What never leaves a checkout, wherever it stands.
const NEVER: [&str; 3] = ["**/target", "**/trust/*.key", "**/*.key.pem"];

#[test]
fn a_container_is_built_from_the_names_that_are_allowed_alone() {
    let recipe = fs::read_to_string(root().join("deploy/Containerfile")).expect("there is a recipe");
    assert!(recipe.lines().any(|line| line == "COPY . ."), "the builder is given the whole folder");
    let text = fs::read_to_string(root().join(".containerignore")).expect("a file says what it is not given");
    let rules: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let (first, rest) = rules.split_first().expect("it has rules");
    assert_eq!(*first, "*", "all that is not named stays out");
    let (allowed, refused) = rest.split_at(ALLOWED.len());
    assert_eq!(allowed, ALLOWED.map(|name| format!("!{name}")));
    assert_eq!(refused, NEVER, "and of what is named, these");
}

#[test]
fn every_setting_of_the_container_stands_below_its_reason() {
    let recipe = fs::read_to_string(root().join("deploy/Containerfile")).expect("there is a recipe");
    let lines: Vec<&str> = recipe.lines().collect();
    for (setting, reason) in [("MALLOC_ARENA_MAX", "arenas"), ("PASSERELLE_SOCKET", "socket")] {
        let at = lines.iter().position(|line| line.starts_with(&format!("ENV {setting}="))).expect("it is set");
        let above = at.checked_sub(1).and_then(|above| lines.get(above)).expect("a line stands above");
        assert!(above.starts_with('#') && above.contains(reason), "{setting}: {above}");
    }
}

#[test]
fn what_restores_a_node_stands_with_what_backs_it_up() {
    let runbook = fs::read_to_string(root().join("deploy/RUNBOOK.md")).expect("there is a runbook");
    let chapter = runbook.split("\n## ").find(|chapter| chapter.starts_with("Back up and restore")).expect("a chapter");
    assert!(chapter.contains("To restore, on a machine"));
    assert!((1..=6).all(|step| chapter.contains(&format!("\n{step}. "))), "with its six steps");
}
