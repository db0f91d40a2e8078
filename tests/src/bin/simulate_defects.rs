//! `simulate-defects`: whether the simulation finds each of the deliberate defects. Built with the feature `defects` alone;
//! `simulate --defects` builds and runs it.

use std::process::ExitCode;

fn main() -> ExitCode {
    passerelle_tests::sim::hunt::run()
}
