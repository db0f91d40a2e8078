//! `powercut`: cuts the power of a real node's disk, many times. Under the hidden name `__node` it is that node itself.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let name = arguments.next();
    let mut rest = arguments.peekable();
    if rest.peek().is_some_and(|first| first == passerelle_tests::powercut::NODE) {
        rest.next();
        return passerelle_node::commands::run_args(name.into_iter().chain(rest));
    }
    passerelle_tests::powercut::run()
}
