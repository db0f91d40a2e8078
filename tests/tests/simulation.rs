//! The simulation itself: that a seed is one run, that what once failed does not fail again, and that some seeds hold.

use passerelle_tests::sim::{Homes, Scenario, regressions, simulate};

/// Seeds that are run with each number of nodes, here; the program `simulate` runs as many as one likes.
const SEEDS: u64 = 4;

#[test]
fn the_same_seed_is_the_same_story_byte_for_byte() {
    for nodes in [2, 4] {
        let homes = Homes::make(nodes).expect("folders can be made");
        for seed in 1..=SEEDS {
            let scenario = Scenario::of(seed, nodes, 2);
            let (one, other) = (simulate(&homes, &scenario), simulate(&homes, &scenario));
            let (one, other) = (one.expect("it runs"), other.expect("it runs"));
            let differs = one.story.iter().zip(&other.story).find(|(one, other)| one != other);
            assert_eq!(one.digest, other.digest, "seed {seed} of {nodes} nodes: {differs:?}");
            assert!(one.violations.is_empty(), "seed {seed} of {nodes} nodes: {:?}", one.violations);
            assert!(one.counts.delivered > 0, "something has to happen");
        }
    }
}

#[test]
fn what_once_failed_does_not_fail_again() {
    for (line, scenario) in regressions().expect("the list can be read") {
        let homes = Homes::make(scenario.nodes).expect("folders can be made");
        let outcome = simulate(&homes, &scenario).expect("it runs");
        assert!(outcome.violations.is_empty(), "{line}: {:?}", outcome.violations);
    }
}
