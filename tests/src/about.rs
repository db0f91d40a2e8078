//! On what something was measured: the machine, and the commit of the sources. Reads /proc and asks git.

use std::{fs, path::Path, process::Command};

/// The commit that the sources are at, and whether they differ from it.
pub(crate) fn commit() -> String {
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

/// A file of the kernel's; nothing when there is none.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Processor, cores, memory, kernel and file system.
pub(crate) fn machine() -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_cores_memory_and_a_kernel() {
        let told = machine();
        assert!(told.contains(" GiB") && told.contains("kernel ") && !told.starts_with("0 cores"), "{told}");
        assert!(mount(Path::new("/")).is_some(), "linux");
    }
}
