//! One measured line, and the form in which it stands in tables and files.

use serde_json::{Map, Value};

/// One measured line: the scenario, its parameters and its figures, in the order in which they were added.
#[derive(Clone, Debug)]
pub(in crate::bench) struct Line {
    /// What was measured.
    pub(in crate::bench) scenario: &'static str,
    parameters: Vec<(String, Value)>,
    figures: Vec<(String, f64)>,
}

impl Line {
    pub(in crate::bench) fn new(scenario: &'static str) -> Self {
        Self { scenario, parameters: Vec::new(), figures: Vec::new() }
    }

    pub(in crate::bench) fn parameter(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.parameters.push((name.to_owned(), value.into()));
        self
    }

    /// A figure; its name ends in its unit. Three decimals are more than this machine can repeat.
    pub(in crate::bench) fn figure(mut self, name: &str, value: f64) -> Self {
        self.figures.push((name.to_owned(), (value * 1_000.0).round() / 1_000.0));
        self
    }

    /// The value of a figure.
    pub(in crate::bench) fn value(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(figure, _)| figure == name).map(|(_, value)| *value)
    }

    /// The value of a parameter, as text.
    pub(in crate::bench) fn with(&self, name: &str) -> Option<String> {
        self.parameters.iter().find(|(parameter, _)| parameter == name).map(|(_, value)| plain(value))
    }

    /// Names and values of the figures.
    pub(in crate::bench) fn figures(&self) -> impl Iterator<Item = (&str, f64)> {
        self.figures.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Scenario and parameters: what two lines share that measure the same.
    pub(in crate::bench) fn subject(&self) -> String {
        let parameters: Vec<String> =
            self.parameters.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect();
        format!("{} ({})", self.scenario, parameters.join(", "))
    }

    /// As an object, with whose line it is and of which round.
    pub(in crate::bench) fn json(&self, system: &str, round: u32) -> String {
        let figures = self.figures.iter().map(|(name, value)| (name.clone(), Value::from(*value)));
        let mut object = Map::new();
        object.insert("scenario".to_owned(), self.scenario.into());
        object.insert("system".to_owned(), system.into());
        object.insert("round".to_owned(), round.into());
        object.insert("parameters".to_owned(), Map::from_iter(self.parameters.clone()).into());
        object.insert("figures".to_owned(), Map::from_iter(figures).into());
        Value::from(object).to_string()
    }

    /// For people.
    pub(in crate::bench) fn table(&self) -> String {
        let mut lines = vec![self.subject()];
        lines.extend(self.figures.iter().map(|(name, value)| format!("  {name:<38} {:>14}", number(*value))));
        lines.join("\n")
    }
}

/// A number as people read it: three or four digits that mean something, thousands apart.
pub(in crate::bench) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let digits = whole.trim_start_matches('-');
    let groups: Vec<&str> = (0..digits.len().div_ceil(3))
        .map(|group| &digits[digits.len().saturating_sub(3 * (group + 1))..digits.len() - 3 * group])
        .collect();
    let apart: Vec<&str> = groups.into_iter().rev().collect();
    let sign = if whole.starts_with('-') { "-" } else { "" };
    let point = if rest.is_empty() { String::new() } else { format!(".{rest}") };
    format!("{sign}{}{point}", apart.join(","))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(whole) => whole.as_u64().map_or_else(|| whole.to_string(), grouped),
        other => other.to_string(),
    }
}

fn grouped(whole: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "parameters are far below 2^52")]
    let value = whole as f64;
    if whole < 1_000 { whole.to_string() } else { number(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_with_the_digits_that_mean_something() {
        let cases = [
            (0.0, "0.00"),
            (1.2345, "1.23"),
            (-12.34, "-12.3"),
            (999.4, "999"),
            (1_234.5, "1,234"),
            (12_345_678.0, "12,345,678"),
            (f64::NAN, "-"),
        ];
        for (value, told) in cases {
            assert_eq!(number(value), told);
        }
        assert_eq!((grouped(256), grouped(60_000)), ("256".to_owned(), "60,000".to_owned()));
    }

    #[test]
    fn lines_of_two_systems_share_their_subject_and_nothing_else() {
        let line = |value| Line::new("latency").parameter("alerts_per_s", 50).figure("p50_ms", value);
        let (ours, theirs) = (line(1.23456), line(2.0));
        assert_eq!(ours.subject(), theirs.subject());
        assert_eq!(ours.value("p50_ms"), Some(1.235));
        let json: Value = serde_json::from_str(&ours.json("passerelle", 2)).expect("an object");
        assert_eq!((json["round"].as_u64(), json["figures"]["p50_ms"].as_f64()), (Some(2), Some(1.235)));
    }
}
