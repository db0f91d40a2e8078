//! Where and on what a measurement was made: machine, date, commit, command.

use std::{fs, path::Path, process::Command};

use passerelle_node::clock::{Clock as _, SystemClock};

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
            machine: machine(),
            began: SystemClock::new().now().to_string(),
            load: load(),
            commit: commit(),
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

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Processor, cores, memory, kernel and file system.
fn machine() -> String {
    let processors = read("/proc/cpuinfo");
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches(['\t', ' ', ':']).trim();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = read("/proc/meminfo");
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or_default();
    let kib: u64 = total.trim().trim_end_matches("kB").trim().parse().unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let congestion = read("/proc/sys/net/ipv4/tcp_congestion_control");
    format!(
        "{cores} cores of {}, {:.0} GiB, {} on {}, kernel {}, TCP congestion control {}",
        if model.is_empty() { "an unnamed processor" } else { model },
        kib as f64 / f64::from(1 << 20),
        file_system(&std::env::temp_dir()),
        device(&std::env::temp_dir()),
        kernel.trim(),
        congestion.trim(),
    )
}

/// The mount that a folder is on: device, place, type.
fn mount(folder: &Path) -> Option<(String, String)> {
    let mounts = read("/proc/self/mounts");
    let on = |line: &str| {
        let mut words = line.split(' ');
        let (device, place, kind) = (words.next()?, words.next()?, words.next()?);
        folder.starts_with(place).then(|| (place.len(), device.to_owned(), kind.to_owned()))
    };
    mounts.lines().filter_map(on).max_by_key(|(length, _, _)| *length).map(|(_, device, kind)| (device, kind))
}

fn file_system(folder: &Path) -> String {
    mount(folder).map_or_else(|| "an unknown file system".to_owned(), |(_, kind)| kind)
}

fn device(folder: &Path) -> String {
    mount(folder).map_or_else(|| "an unknown device".to_owned(), |(device, _)| device)
}

fn load() -> String {
    read("/proc/loadavg").split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// The commit that the sources are at, and whether they differ from it.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let output = Command::new("git").args(arguments).current_dir(folder).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".to_owned() };
    // Results are written while others are measured: they change nothing of what is measured.
    let changed = git(&["status", "--porcelain", "--untracked-files=no", "--", ":!results"]);
    let changed = changed.is_some_and(|changed| !changed.is_empty());
    if changed { format!("{commit} with changes") } else { commit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_repeats_a_run_names_no_folder_of_this_machine() {
        let given = ["latency", "--dir", "/somewhere", "--quick", "--dir=/else"].map(str::to_owned);
        assert_eq!(arguments(given.into_iter()), ["latency", "--quick"]);
    }

    #[test]
    fn this_machine_has_cores_memory_and_a_kernel() {
        let told = machine();
        assert!(told.contains(" GiB") && told.contains("kernel ") && !told.starts_with("0 cores"), "{told}");
        assert!(mount(Path::new("/")).is_some(), "linux");
    }
}
