//! `passerelle-node`: the daemon of one National Society.

use std::process::ExitCode;

fn main() -> ExitCode {
    passerelle_node::commands::main_entry()
}
