//! The program `passerelle`. Everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    passerelle_cli::main_entry()
}
