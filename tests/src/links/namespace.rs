//! Pairs of network namespaces, each with one end of a line. Calls `ip` (package iproute2) and needs root; what it made is
//! gone when it is dropped, and what a killed process left behind goes with the next one.

use std::{path::Path, process::Command};

use anyhow::Context as _;

use super::{
    emulator::{Emulator, MTU},
    profile::Line,
};

/// Names of our namespaces begin so; the process that made them comes next.
const PREFIX: &str = "passerelle-links-";
/// Addresses of the two ends. Every pair has the same ones: nothing else is in its namespaces.
const ADDRESSES: [&str; 2] = ["10.77.0.1", "10.77.0.2"];
/// Where B listens.
pub(super) const LISTEN: ([u8; 4], u16) = ([10, 77, 0, 2], 7443);

/// Two namespaces that are joined by a line.
pub(super) struct Ends {
    /// The line between them.
    pub(super) line: Emulator,
    names: Names,
}

impl Ends {
    /// Makes namespaces and line; `number` tells them from others of this process.
    pub(super) fn join(number: u32, line: Line, seed: u64) -> anyhow::Result<Self> {
        let process = std::process::id();
        let names = ["a", "b"].map(|end| format!("{PREFIX}{process}-{number}{end}"));
        // At most 15 characters (IFNAMSIZ); they are unique only until they are moved.
        let devices = ["a", "b"].map(|end| format!("pl{process}.{number}{end}"));
        let names = Names(names);
        for name in &names.0 {
            ip(&format!("netns add {name}"))?;
        }
        let line = Emulator::start(devices.clone(), line, seed)?;
        for (side, (name, device)) in names.0.iter().zip(&devices).enumerate() {
            let (own, other) = (ADDRESSES[side], ADDRESSES[1 - side]);
            ip(&format!("link set {device} netns {name}"))?;
            // What IPv6 says by itself would be counted, and lost packets are counted off.
            quiet(name)?;
            ip(&format!("-n {name} link set lo up"))?;
            ip(&format!("-n {name} addr add {own} peer {other} dev {device}"))?;
            ip(&format!("-n {name} link set {device} mtu {MTU} txqueuelen 1000 up"))?;
        }
        Ok(Self { line, names })
    }

    /// Their names, A's first.
    pub(super) fn names(&self) -> [String; 2] {
        self.names.0.clone()
    }
}

/// Namespaces of ours, which are gone when this is dropped.
struct Names([String; 2]);

impl Drop for Names {
    fn drop(&mut self) {
        delete(&self.0);
    }
}

fn delete(names: &[String]) {
    for name in names.iter().filter(|name| Path::new("/run/netns").join(name).exists()) {
        if let Err(error) = ip(&format!("netns del {name}")) {
            eprintln!("the namespace {name} stays behind: {error:#}");
        }
    }
}

/// Turns IPv6 off in a namespace.
fn quiet(name: &str) -> anyhow::Result<()> {
    let script = "switch=/proc/sys/net/ipv6/conf/all/disable_ipv6; test ! -e $switch || echo 1 > $switch";
    let mut shell = Command::new("ip");
    shell.args(["netns", "exec", name, "sh", "-c", script]);
    run(shell).with_context(|| format!("IPv6 in {name}"))
}

/// Why this machine cannot join namespaces; `None` when it can.
#[must_use]
pub fn missing() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("network namespaces need root".to_owned());
    }
    if !Path::new("/dev/net/tun").exists() {
        return Some("there is no /dev/net/tun".to_owned());
    }
    for tool in ["ip", "ss"] {
        if Command::new(tool).arg("-V").output().is_err() {
            return Some(format!("`{tool}` (package iproute2) is not installed"));
        }
    }
    None
}

/// Removes the namespaces of processes that are no more, and ends the nodes in them.
pub(super) fn sweep() {
    let Ok(listed) = std::fs::read_dir("/run/netns") else { return };
    let names = listed.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let is_left = |name: &String| {
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        process.is_some_and(|process| !Path::new("/proc").join(process).exists())
    };
    let left: Vec<String> = names.filter(is_left).collect();
    left.iter().for_each(|name| end_all_in(name));
    delete(&left);
}

/// Kills what runs in a namespace of ours.
fn end_all_in(name: &str) {
    let Ok(output) = Command::new("ip").args(["netns", "pids", name]).output() else { return };
    for process in String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.trim().parse().ok()) {
        // It may have ended by itself.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), nix::sys::signal::Signal::SIGKILL);
    }
}

fn ip(arguments: &str) -> anyhow::Result<()> {
    let mut command = Command::new("ip");
    command.args(arguments.split(' '));
    run(command).with_context(|| format!("ip {arguments}"))
}

fn run(mut command: Command) -> anyhow::Result<()> {
    let output = command.output().context("`ip` (package iproute2) is needed")?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
