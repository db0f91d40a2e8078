//! The head of a page of results: machine, commit, date, load, and the command that repeats it.

use passerelle_node::clock::{Clock as _, SystemClock};

use crate::about::{self, read};

/// The circumstances of a run.
#[derive(Clone, Debug)]
pub(in crate::bench) struct About {
    machine: String,
    began: String,
    load: String,
    commit: String,
    command: String,
}

impl About {
    /// Of this run, which begins now.
    pub(in crate::bench) fn now() -> Self {
        let arguments = arguments(std::env::args().skip(1));
        let release = if cfg!(debug_assertions) { "" } else { "--release " };
        Self {
            machine: about::machine(),
            began: SystemClock::new().now().to_string(),
            load: load(),
            commit: about::commit(),
            command: format!("cargo run {release}-p passerelle-tests --bin bench -- {}", arguments.join(" ")),
        }
    }

    /// As the head of a page.
    pub(in crate::bench) fn text(&self) -> String {
        let Self { machine, began, load, commit, command } = self;
        format!(
            "Made by `{command}`, commit {commit}.\n\nBegun {began} (load {load} then), ended {} (load {}).\nMachine: {machine}.\n",
            SystemClock::new().now(),
            self::load(),
        )
    }
}

/// What repeats the run elsewhere: without the folder that it used on this machine.
fn arguments(mut given: impl Iterator<Item = String>) -> Vec<String> {
    let mut kept = Vec::new();
    while let Some(one) = given.next() {
        if one == "--dir" {
            given.next();
        } else if !one.starts_with("--dir=") {
            kept.push(one);
        }
    }
    kept
}

fn load() -> String {
    read("/proc/loadavg").split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_repeats_a_run_names_no_folder_of_this_machine() {
        let given = ["latency", "--dir", "/somewhere", "--quick", "--dir=/else"].map(str::to_owned);
        assert_eq!(arguments(given.into_iter()), ["latency", "--quick"]);
    }
}
