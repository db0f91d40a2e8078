//! What the kernel knows of a process and of a connection. Reads `/proc` and the output of `ss`; Linux only.

use std::{collections::HashMap, fs, path::Path, process::Command, time::Duration};

use anyhow::Context as _;

/// IP and TCP headers of one segment with time stamps, as Linux sends them over IPv4 (RFC 791, 9293, 7323).
const HEADER_BYTES: u64 = 20 + 20 + 12;
/// Clock ticks a second in `/proc/PID/stat`: the same on every Linux (`USER_HZ`).
const TICKS_A_SECOND: u64 = 100;

/// Resident memory of a process: now, and at its highest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    pub(super) resident_mib: f64,
    pub(super) peak_mib: f64,
}

/// Memory of the process `pid`.
pub(super) fn memory(pid: u32) -> anyhow::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the node's memory cannot be read")?;
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such line in status")?;
        let kib: f64 = line.trim_end_matches("kB").trim().parse()?;
        anyhow::Ok(kib / 1_024.0)
    };
    Ok(Memory { resident_mib: mib("VmRSS:")?, peak_mib: mib("VmHWM:")? })
}

/// Processor time that the process `pid` has used, in user and kernel mode.
pub(super) fn processor_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the node's time cannot be read")?;
    // The second field is the name, in brackets, and may hold blanks.
    let (_, rest) = stat.rsplit_once(')').context("stat has no name")?;
    let ticks: Result<Vec<u64>, _> = rest.split_whitespace().skip(11).take(2).map(str::parse).collect();
    Ok(Duration::from_millis(ticks?.iter().sum::<u64>() * 1_000 / TICKS_A_SECOND))
}

/// What went over the connections to one port, seen from the side that dialled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    /// Connections that are up.
    pub(super) connections: u64,
    /// TCP payload to the peer: TLS records.
    pub(super) sent: u64,
    /// The same, from the peer.
    pub(super) received: u64,
    /// Segments with and without payload, both directions together.
    pub(super) segments: u64,
}

impl Traffic {
    /// What was added since `earlier`, on the same connections.
    pub(super) fn since(self, earlier: Self) -> anyhow::Result<Self> {
        anyhow::ensure!(self.connections == earlier.connections, "the link was made anew while it was measured");
        let less = |now: u64, then: u64| now.checked_sub(then).context("the link was made anew while it was measured");
        Ok(Self {
            connections: self.connections,
            sent: less(self.sent, earlier.sent)?,
            received: less(self.received, earlier.received)?,
            segments: less(self.segments, earlier.segments)?,
        })
    }

    /// Bytes of IP packets, both directions together.
    pub(super) fn ip_bytes(self) -> u64 {
        self.sent + self.received + self.segments * HEADER_BYTES
    }
}

/// The counters of the kernel for the connections that were dialled to `port` on this machine.
pub(super) fn traffic(port: u16) -> anyhow::Result<Traffic> {
    let output = Command::new("ss")
        .args(["-tinHO", "state", "established", &format!("dport = :{port}")])
        .output()
        .context("`ss` (package iproute2) is needed to count bytes on the wire")?;
    anyhow::ensure!(output.status.success(), "ss failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(sum(&String::from_utf8_lossy(&output.stdout)))
}

fn sum(output: &str) -> Traffic {
    output.lines().filter(|line| !line.trim().is_empty()).fold(Traffic::default(), |total, line| {
        let counters: HashMap<&str, u64> = line
            .split_whitespace()
            .filter_map(|word| word.split_once(':'))
            .filter_map(|(name, value)| Some((name, value.parse().ok()?)))
            .collect();
        // A counter that is zero is left out.
        let count = |name| counters.get(name).copied().unwrap_or_default();
        Traffic {
            connections: total.connections + 1,
            sent: total.sent + count("bytes_sent"),
            received: total.received + count("bytes_received"),
            segments: total.segments + count("segs_out") + count("segs_in"),
        }
    })
}

/// Bytes that the files below `folder` occupy on the disk.
pub(super) fn disk_bytes(folder: &Path) -> anyhow::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let data = entry.metadata()?;
        if data.is_dir() {
            total += disk_bytes(&entry.path())?;
        } else {
            total += std::os::unix::fs::MetadataExt::blocks(&data) * 512;
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "0 0 127.0.0.1:40976 127.0.0.1:7443 bbr wscale:10,10 rto:201 mss:32768 bytes_sent:1000 \
        bytes_retrans:5 bytes_acked:1000 bytes_received:250 segs_out:7 segs_in:6 data_segs_out:4 send 1Gbps\n\
        0 0 127.0.0.1:40978 127.0.0.1:7443 bbr bytes_sent:10 segs_out:1\n";

    #[test]
    fn both_directions_of_every_connection_are_counted() {
        let traffic = sum(LINES);
        assert_eq!(traffic, Traffic { connections: 2, sent: 1_010, received: 250, segments: 14 });
        assert_eq!(traffic.ip_bytes(), 1_260 + 14 * 52);
        assert_eq!(sum(""), Traffic::default());
    }

    #[test]
    fn counters_of_another_connection_are_not_compared() {
        let one = Traffic { connections: 1, sent: 100, received: 7, segments: 2 };
        assert!(Traffic { sent: 90, ..one }.since(one).is_err());
        assert!(Traffic { connections: 0, ..one }.since(one).is_err());
        assert_eq!(Traffic { sent: 150, ..one }.since(one).ok().map(|t| t.sent), Some(50));
    }

    #[test]
    fn this_process_has_memory_and_time() {
        let memory = memory(std::process::id()).expect("linux");
        assert!(memory.resident_mib > 0.5 && memory.peak_mib >= memory.resident_mib);
        processor_time(std::process::id()).expect("linux");
    }
}
