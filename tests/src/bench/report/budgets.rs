//! The figures that were promised, and whether a run has met them.

use super::Line;

/// A bound of a figure.
#[derive(Clone, Copy, Debug)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
        }
    }
}

/// One promise: of a figure of ours, or of its ratio to that of a rival in the same run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// What it says, for people.
    pub(super) says: &'static str,
    scenario: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    pub(super) figure: &'static str,
    /// The rival, when the promise is a ratio.
    pub(super) rival: Option<&'static str>,
    bound: Bound,
}

impl Budget {
    /// Whether it speaks of this line.
    pub(super) fn concerns(&self, line: &Line) -> bool {
        line.scenario == self.scenario
            && self.parameters.iter().all(|(name, value)| line.with(name).is_some_and(|told| told == *value))
    }

    /// What to write about a value.
    pub(super) fn verdict(&self, value: f64) -> &'static str {
        if self.bound.holds(value) { "met" } else { "missed" }
    }

    const fn own(
        says: &'static str,
        scenario: &'static str,
        parameters: &'static [(&'static str, &'static str)],
        figure: &'static str,
        bound: Bound,
    ) -> Self {
        Self { says, scenario, parameters, figure, rival: None, bound }
    }

    const fn against(mut self, rival: &'static str) -> Self {
        self.rival = Some(rival);
        self
    }
}

use Bound::{AtLeast, AtMost};

const MANY: &[(&str, &str)] = &[("callers", "256")];
const MILLION: &[(&str, &str)] = &[("alerts", "1,000,000")];
const BYTES_300: &[(&str, &str)] = &[("size_bytes", "300"), ("filling", "random bytes")];
const BYTES_1024: &[(&str, &str)] = &[("size_bytes", "1,024"), ("filling", "random bytes")];
const TEXT_1024: &[(&str, &str)] = &[("size_bytes", "1,024"), ("filling", "CAP text")];

/// All of them. Sizes are those of the defaults: 1 KiB that cannot be compressed, unless said.
pub(super) const BUDGETS: [Budget; 25] = [
    Budget::own("alerts/s, 256 callers: >= 3x RabbitMQ", "throughput", MANY, "alerts_per_s", AtLeast(3.0))
        .against("rabbitmq"),
    Budget::own("alerts/s, 256 callers: aim at 5x RabbitMQ", "throughput", MANY, "alerts_per_s", AtLeast(5.0))
        .against("rabbitmq"),
    Budget::own("alerts/s, 256 callers: >= 5x NATS", "throughput", MANY, "alerts_per_s", AtLeast(5.0)).against("nats"),
    Budget::own("CPU an alert, both nodes: <= 150 us", "throughput", MANY, "cpu_us_per_alert", AtMost(150.0)),
    Budget::own("raise to stored, p50: <= 0.6x NATS", "latency", &[], "p50_ms", AtMost(0.6)).against("nats"),
    Budget::own("raise to stored, p50: <= 1.1 ms", "latency", &[], "p50_ms", AtMost(1.1)),
    Budget::own("raise to stored, p99: <= 3.4 ms", "latency", &[], "p99_ms", AtMost(3.4)),
    Budget::own("own acknowledgement, p50: <= 0.55 ms", "latency", &[], "acknowledged_p50_ms", AtMost(0.55)),
    Budget::own("catch-up: >= 3x RabbitMQ", "catch-up", &[], "alerts_per_s", AtLeast(3.0)).against("rabbitmq"),
    Budget::own("catch-up: >= 21,600 alerts/s", "catch-up", &[], "alerts_per_s", AtLeast(21_600.0)),
    Budget::own("IP bytes, 300 B: <= 514", "wire", BYTES_300, "ip_bytes_per_alert", AtMost(514.0)),
    Budget::own("IP bytes, 1 KiB: <= 1,250", "wire", BYTES_1024, "ip_bytes_per_alert", AtMost(1_250.0)),
    Budget::own("IP bytes, 1 KiB of CAP text: <= 715", "wire", TEXT_1024, "ip_bytes_per_alert", AtMost(715.0)),
    Budget::own("idle link: <= 19 KB/h", "idle", &[], "ip_bytes_per_hour", AtMost(19_000.0)),
    Budget::own("memory idle, A: <= 20 MB", "memory", &[("state", "idle")], "sender_rss_mib", AtMost(19.07)),
    Budget::own("memory idle, B: <= 20 MB", "memory", &[("state", "idle")], "receiver_rss_mib", AtMost(19.07)),
    Budget::own(
        "memory loaded, A: <= 64 MB at any size",
        "memory",
        &[("state", "full")],
        "sender_rss_mib",
        AtMost(61.04),
    ),
    Budget::own(
        "memory loaded, B: <= 64 MB at any size",
        "memory",
        &[("state", "full")],
        "receiver_rss_mib",
        AtMost(61.04),
    ),
    Budget::own("ready after kill -9, 1 M alerts, A: <= 2 s", "restart", MILLION, "sender_start_ms", AtMost(2_000.0)),
    Budget::own("ready after kill -9, 1 M alerts, B: <= 2 s", "restart", MILLION, "receiver_start_ms", AtMost(2_000.0)),
    Budget::own(
        "store bytes an alert, A: <= 2.3x payload",
        "store-size",
        &[],
        "sender_bytes_per_alert",
        AtMost(2_355.2),
    ),
    Budget::own(
        "store bytes an alert, B: <= 2.3x payload",
        "store-size",
        &[],
        "receiver_bytes_per_alert",
        AtMost(2_355.2),
    ),
    Budget::own(
        "growth: ready after kill -9, 1 M entries: <= 2 s",
        "growth",
        &[("entries", "1,000,000")],
        "start_ms",
        AtMost(2_000.0),
    ),
    Budget::own("growth: memory loaded at any size: <= 64 MB", "growth", &[], "rss_mib", AtMost(61.04)),
    Budget::own("growth: memory loaded with any peers: <= 64 MB", "growth-peers", &[], "rss_mib", AtMost(61.04)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_speaks_of_its_own_line_and_knows_its_side() {
        let line =
            |callers: u64| Line::new("throughput").parameter("callers", callers).figure("cpu_us_per_alert", 150.0);
        let cpu = BUDGETS.iter().find(|one| one.figure == "cpu_us_per_alert").expect("there is one");
        assert!(cpu.concerns(&line(256)) && !cpu.concerns(&line(16)));
        assert_eq!((cpu.verdict(150.0), cpu.verdict(150.1)), ("met", "missed"));
        let rate = BUDGETS.iter().find(|one| one.rival == Some("nats")).expect("there is one");
        assert_eq!((rate.verdict(5.0), rate.verdict(4.9)), ("met", "missed"));
    }
}
