//! `links`: measures two real nodes on poor links. Under the hidden name `__node` it is one of these nodes itself.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let name = arguments.next();
    let mut rest = arguments.peekable();
    if rest.peek().is_some_and(|first| first == passerelle_tests::bench::NODE) {
        rest.next();
        return passerelle_node::commands::run_args(name.into_iter().chain(rest));
    }
    passerelle_tests::links::run()
}
