//! `simulate`: whole nodes on virtual time, with everything breaking that a seed says.

use std::process::ExitCode;

fn main() -> ExitCode {
    passerelle_tests::sim::run()
}
