//! The kinds of line that nodes are joined by, and what is asked of the product on each. Figures alone; touches nothing.

use std::time::Duration;

use clap::ValueEnum;

use super::Scenario;

/// A kind of line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Profile {
    /// A wire in a town: 20 Mbit/s, round trip 40 ms, no loss.
    Office,
    /// A radio link: 2 Mbit/s, round trip 150 ms, 1 % loss.
    Mobile,
    /// A satellite modem: 64 kbit/s, round trip 600 ms, 2 % loss.
    Vsat,
    /// The same, down for the second 30 s of each minute.
    Cut,
}

/// What a line does to packets, the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    /// From one end to the other, without waiting and without the time that the bits take.
    pub(super) one_way: Duration,
    /// The share of packets that is lost, each by its own chance.
    pub(super) loss: f64,
    /// Bits a second.
    pub(super) rate: u64,
    /// Bytes that may wait for the line; what comes on top is dropped.
    pub(super) queue: u64,
    /// When it is down by itself.
    pub(super) outages: Option<Outages>,
}

/// Outages by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outages {
    /// From the beginning of one spell that the line is up to the next.
    pub(super) every: Duration,
    /// How long it is up at the beginning of each.
    pub(super) up: Duration,
}

impl Outages {
    /// Whether the line is down this long after its beginning.
    pub(super) fn is_down(self, age: Duration) -> bool {
        let into = age.as_millis() % self.every.as_millis().max(1);
        into >= self.up.as_millis()
    }
}

impl Profile {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Office => "office",
            Self::Mobile => "mobile",
            Self::Vsat => "vsat",
            Self::Cut => "cut",
        }
    }

    /// The line itself. The 600 ms and 150 ms of the profiles' names are round trips, as they are for the rivals that
    /// were measured: 300 ms and 75 ms each way.
    pub(super) fn line(self) -> Line {
        let line = |one_way, loss, rate, queue| Line {
            one_way: Duration::from_millis(one_way),
            loss,
            rate,
            queue,
            outages: None,
        };
        match self {
            Self::Office => line(20, 0.0, 20_000_000, 256 * 1_024),
            Self::Mobile => line(75, 0.01, 2_000_000, 64 * 1_024),
            Self::Vsat => line(300, 0.02, 64_000, 32 * 1_024),
            Self::Cut => {
                let outages = Outages { every: Duration::from_secs(60), up: Duration::from_secs(30) };
                Line { outages: Some(outages), ..Self::Vsat.line() }
            }
        }
    }

    /// What is measured on it when nothing else is asked for. Where the line comes and goes by itself, times of single
    /// events say more about the moment than about the node.
    pub(super) fn scenarios(self) -> &'static [Scenario] {
        match self {
            Self::Cut => &[Scenario::Warm, Scenario::Backlog, Scenario::UrgentBehindRoutine],
            _ => Scenario::ALL,
        }
    }

    /// The highest value that is asked for of a figure, in its unit. Where one time is asked for, it is the median's,
    /// as it is with the rivals; the greatest is shown beside it.
    pub(super) fn budget(self, scenario: Scenario, figure: &str) -> Option<f64> {
        if scenario == Scenario::HalfOpen {
            return (figure == "noticed_max").then_some(60.0);
        }
        if self != Self::Vsat {
            return None;
        }
        match (scenario, figure) {
            (Scenario::FirstContact, "stored_p50") => Some(5_000.0),
            (Scenario::Warm, "stored_p50") => Some(450.0),
            (Scenario::Warm, "stored_p99") => Some(1_400.0),
            (Scenario::UrgentBehindRoutine | Scenario::UrgentBehindPackage, "stored_p50") => Some(3_000.0),
            (Scenario::Backlog, "all_stored") => Some(146.0),
            // A tenth above the payload with the least that TLS, HTTP/2 and IP add to it, 8 %.
            (Scenario::Backlog, "line_bytes_per_payload_byte") => Some(1.1 * 1.08),
            (Scenario::BacklogText, "all_stored") => Some(72.0),
            (Scenario::Outage, "first_stored_p50") => Some(5.0),
            (Scenario::Outage, "first_stored_max") => Some(10.0),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_cut_is_up_for_the_first_half_of_each_minute() {
        let outages = Profile::Cut.line().outages.expect("it has outages");
        for (seconds, down) in [(0, false), (29, false), (30, true), (59, true), (60, false), (89, false), (90, true)] {
            assert_eq!(outages.is_down(Duration::from_secs(seconds)), down, "{seconds} s");
        }
    }
}
