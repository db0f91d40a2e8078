//! Figures for people (a table) and for programs (one JSON object a line). The only place of the bench
//! that writes to standard output.

use serde_json::{Map, Value};

/// One measured line: the scenario, its parameters and its figures, in the order in which they were added.
pub(super) struct Line {
    scenario: &'static str,
    parameters: Vec<(String, Value)>,
    figures: Vec<(String, Value)>,
}

impl Line {
    pub(super) fn new(scenario: &'static str) -> Self {
        Self { scenario, parameters: Vec::new(), figures: Vec::new() }
    }

    pub(super) fn parameter(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.parameters.push((name.to_owned(), value.into()));
        self
    }

    /// A figure; its name ends in its unit. Three decimals are more than this machine can repeat.
    pub(super) fn figure(mut self, name: &str, value: f64) -> Self {
        let rounded = (value * 1_000.0).round() / 1_000.0;
        self.figures.push((name.to_owned(), rounded.into()));
        self
    }

    fn json(&self) -> String {
        let mut object = Map::new();
        object.insert("scenario".to_owned(), self.scenario.into());
        object.insert("parameters".to_owned(), Map::from_iter(self.parameters.clone()).into());
        object.insert("figures".to_owned(), Map::from_iter(self.figures.clone()).into());
        Value::from(object).to_string()
    }

    fn table(&self) -> String {
        let parameters: Vec<String> = self.parameters.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let mut lines = vec![format!("{} ({})", self.scenario, parameters.join(", "))];
        lines.extend(self.figures.iter().map(|(name, value)| format!("  {name:<38} {value:>14}")));
        lines.join("\n")
    }
}

/// Where lines go, each as soon as it is known.
pub(super) struct Report {
    json: bool,
    lines: usize,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self { json, lines: 0 }
    }

    pub(super) fn add(&mut self, line: &Line) {
        self.lines += 1;
        tell(&if self.json { line.json() } else { line.table() });
    }

    /// What is to be known about all of them.
    pub(super) fn finish(&self) {
        if self.json || self.lines == 0 {
            return;
        }
        tell("");
        tell("Both nodes, their callers and the bench share the cores of this machine. Rates and times change from");
        tell("run to run, by a factor of two when anything else runs; bytes and memory hardly do. Compare ratios of");
        tell("interleaved runs. An alert's size is that of its canonical CBOR, before envelope and signature.");
    }
}

#[allow(clippy::print_stdout, reason = "figures are what the bench is asked for")]
fn tell(line: &str) {
    println!("{line}");
}
