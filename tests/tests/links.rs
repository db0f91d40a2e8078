//! That the program which measures poor links works: two nodes in two namespaces, an office's line, a few alerts.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::Value;

#[test]
fn two_nodes_exchange_alerts_over_a_line_between_two_namespaces() {
    if let Some(reason) = passerelle_tests::links::missing() {
        // Past the harness, which keeps what a test that passes has to say to itself.
        let _ = writeln!(std::io::stderr(), "\nSKIPPED: poor links were not tried, since {reason}\n");
        return;
    }
    let scenarios = "first-contact,warm,urgent-behind-routine,urgent-behind-package,backlog,outage";
    let mut links = Command::new(env!("CARGO_BIN_EXE_links"));
    links.args(["--quick", "--json", "--profile", "office", "--outage-seconds", "2", "--scenario", scenarios]);
    let links = links.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let process = links.id();
    let output = links.wait_with_output().expect("it ends");
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect();
    let value = |scenario: &str, figure: &str| {
        let line = lines.iter().find(|line| line["scenario"] == scenario && line["figure"] == figure);
        line.and_then(|line| line["value"].as_f64()).unwrap_or_else(|| panic!("no {figure} of {scenario} in {said}"))
    };
    assert!(value("warm", "stored_p50") >= 20.0, "nothing is faster than the line");
    assert!(value("first-contact", "stored_p50") >= 5.0 * 20.0, "TCP, TLS and an alert cross it five times at least");
    assert!(value("backlog", "line_bytes_per_payload_byte") > 1.0, "what cannot be compressed was not");
    assert!(value("backlog", "packets_overflowed") < 1.0, "the queue of the line is never filled");
    assert!(value("outage", "first_stored_max") < 30.0);
    assert!(value("urgent-behind-package", "stored_p50") >= 20.0);
    let left = std::fs::read_dir("/run/netns").into_iter().flatten().flatten();
    let own = format!("passerelle-links-{process}-");
    let left: Vec<_> = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(&own)).collect();
    assert!(left.is_empty(), "namespaces stay behind: {left:?}");
}
