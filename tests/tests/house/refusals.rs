//! Every code of a refusal is reached: some test asks for it by name, in Rust or as the text that callers get. Where a code
//! is reached under a condition that no test can bring about in this process, it stands below with where that is shown.

use std::collections::BTreeSet;

use passerelle_domain::refusal::Code;

use super::sources::{root, sources};

/// What tests say, all of it: files of tests, and what follows `#[cfg(test)]` in the others.
fn tests() -> String {
    let mut all = String::new();
    for source in sources() {
        let of_tests = source.path.contains("/tests/")
            || source.path.starts_with("tests/")
            || source.path.ends_with("tests.rs")
            || source.path.ends_with("reference_model.rs");
        // This file names no code by which it could satisfy itself.
        if source.path.ends_with("house/refusals.rs") {
            continue;
        }
        let text = std::fs::read_to_string(root().join(&source.path)).expect("a source reads");
        let from = if of_tests { Some(0) } else { text.find("#[cfg(test)]\nmod tests {") };
        all.extend(from.map(|at| text[at..].to_owned()));
    }
    all
}

#[test]
fn every_refusal_code_is_asked_for_by_a_test() {
    let tests = tests();
    assert!(tests.len() > 500_000, "the tests were found: {}", tests.len());
    let named = |code: &Code| {
        let variant = format!("Code::{code:?}");
        let follows = |at: usize| tests[at + variant.len()..].starts_with(|next: char| next.is_alphanumeric());
        let by_name = tests.match_indices(&variant).any(|(at, _)| !follows(at));
        by_name || tests.contains(&format!("\"{}\"", code.as_str()))
    };
    let missing: BTreeSet<_> = Code::ALL.iter().filter(|code| !named(code)).map(|code| code.as_str()).collect();
    assert!(missing.is_empty(), "no test reaches these refusals: {missing:?}");
}
