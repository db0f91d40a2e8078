//! `simulate --defects`: this program has no defects inside, so the one that has is built and run. Starts cargo; touches
//! nothing else.

use std::{
    ffi::OsString,
    process::{Command, ExitCode},
};

/// The arguments behind `--defects`, when the program was called with it.
pub(super) fn asked_for() -> Option<Vec<OsString>> {
    let all: Vec<OsString> = std::env::args_os().skip(1).collect();
    let others = all.iter().filter(|argument| *argument != "--defects").cloned().collect();
    all.iter().any(|argument| argument == "--defects").then_some(others)
}

/// Builds `simulate-defects` in the same target folder and runs it with these arguments; its exit code.
pub(super) fn simulate_defects(arguments: Vec<OsString>) -> ExitCode {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "run",
        "--release",
        "-p",
        "passerelle-tests",
        "--features",
        "defects",
        "--bin",
        "simulate-defects",
        "--",
    ]);
    match command.args(arguments).status() {
        Ok(status) => status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from),
        Err(error) => {
            eprintln!("simulate: cargo, which builds the program with the defects, does not start: {error}");
            ExitCode::from(2)
        }
    }
}
