//! Figures for people (a table, and a page for the repository) and for programs (one JSON object a line). The only place
//! here that writes to standard output.

use std::path::Path;

use anyhow::Context as _;
use passerelle_node::clock::{Clock as _, SystemClock};
use serde_json::json;

use super::{Scenario, profile::Profile};
use crate::about;

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Seconds,
    Bytes,
    Count,
    Ratio,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Millis => "ms",
            Self::Seconds => "s",
            Self::Bytes => "B",
            Self::Count => "",
            Self::Ratio => "x",
        }
    }

    fn show(self, value: f64) -> String {
        let digits = match self {
            Self::Bytes | Self::Count => 0,
            Self::Millis => 1,
            Self::Seconds => 2,
            Self::Ratio => 3,
        };
        format!("{value:.digits$} {}", self.name()).trim_end().to_owned()
    }
}

/// One measured value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) value: f64,
    pub(super) unit: Unit,
    /// How many measurements it is taken from.
    pub(super) samples: usize,
}

/// What one scenario gave on one profile.
pub(super) struct Section {
    pub(super) profile: Profile,
    pub(super) scenario: Scenario,
    /// The figures, or why there are none.
    pub(super) outcome: Result<Vec<Figure>, String>,
}

impl Section {
    fn budget(&self, figure: &Figure) -> Option<f64> {
        self.profile.budget(self.scenario, figure.name)
    }

    fn figures(&self) -> &[Figure] {
        self.outcome.as_deref().unwrap_or_default()
    }

    /// Name, value, budget, verdict and number of measurements of each figure.
    fn rows(&self) -> impl Iterator<Item = [String; 5]> + '_ {
        self.figures().iter().map(|figure| {
            let budget = self.budget(figure);
            let verdict = budget.map_or("", |budget| if figure.value <= budget { "met" } else { "MISSED" });
            [
                figure.name.replace('_', " "),
                figure.unit.show(figure.value),
                budget.map_or_else(|| "-".to_owned(), |budget| format!("<= {}", figure.unit.show(budget))),
                verdict.to_owned(),
                figure.samples.to_string(),
            ]
        })
    }

    fn json(&self) -> Vec<String> {
        let line = |figure: &Figure| {
            let budget = self.budget(figure);
            json!({
                "profile": self.profile.name(),
                "scenario": self.scenario.name(),
                "figure": figure.name,
                "value": (figure.value * 1_000.0).round() / 1_000.0,
                "unit": figure.unit.name(),
                "samples": figure.samples,
                "budget_max": budget,
                "met": budget.map(|budget| figure.value <= budget),
            })
            .to_string()
        };
        match &self.outcome {
            Ok(figures) => figures.iter().map(line).collect(),
            Err(error) => {
                let (profile, scenario) = (self.profile.name(), self.scenario.name());
                vec![json!({ "profile": profile, "scenario": scenario, "error": error }).to_string()]
            }
        }
    }

    fn table(&self) -> String {
        let mut lines = vec![format!("{} {}", self.profile.name(), self.scenario.name())];
        lines.extend(self.outcome.as_ref().err().map(|error| format!("  FAILED: {error}")));
        lines.extend(self.rows().map(|[name, value, budget, verdict, samples]| {
            format!("  {name:<34} {value:>14}  {budget:>14} {verdict:<7} n={samples}")
        }));
        lines.join("\n")
    }

    fn markdown(&self) -> String {
        let mut lines = vec![format!("\n### {}: {}\n", self.profile.name(), self.scenario.title())];
        if let Err(error) = &self.outcome {
            lines.push(format!("Failed: {error}"));
            return lines.join("\n");
        }
        lines.push("| figure | value | budget | | measurements |\n| --- | ---: | ---: | --- | ---: |".to_owned());
        lines.extend(self.rows().map(|cells| format!("| {} |", cells.join(" | "))));
        lines.join("\n")
    }
}

/// Writes a section as soon as it is known.
pub(super) fn show(section: &Section, json: bool) {
    if json {
        section.json().iter().for_each(|line| tell(line));
    } else {
        tell(&section.table());
    }
}

/// Writes all sections to a page, and their lines for programs to a file beside it.
pub(super) fn write(path: &Path, sections: &[Section], command: &str) -> anyhow::Result<()> {
    let lines: Vec<String> = sections.iter().flat_map(Section::json).collect();
    std::fs::write(path.with_extension("jsonl"), lines.join("\n") + "\n")?;
    let judged = sections.iter().flat_map(Section::rows).filter(|row| !row[3].is_empty());
    let (met, missed): (Vec<_>, Vec<_>) = judged.partition(|row| row[3] == "met");
    let mut page = vec![
        "# Two nodes on poor links".to_owned(),
        format!(
            "\nTwo node processes in two network namespaces, joined by a line in user space that delays, loses and drops \
             packets. Made by\n\n```text\n{command}\n```\n\nof commit {} on {}, on {}. \
             Of {} figures with a budget {} are met and {} missed.\n",
            about::commit(),
            SystemClock::new().now(),
            about::machine(),
            met.len() + missed.len(),
            met.len(),
            missed.len(),
        ),
        "Times run from the call that raises an alert to the event at the peer that it is durable there. An alert has \
         1,024 bytes of canonical CBOR, of which nothing can be compressed away but its form, unless it is of CAP text. \
         Bytes are those of IP packets. Where a budget names one time, it is the median's. `line late` is what the \
         machine, busy with other things, added to the way of a packet each time it ran the line's own thread too late.\n"
            .to_owned(),
        "| line | one way | loss each way | bits a second | queue |\n| --- | ---: | ---: | ---: | ---: |".to_owned(),
    ];
    let mut profiles: Vec<Profile> = sections.iter().map(|section| section.profile).collect();
    profiles.dedup();
    page.extend(profiles.iter().map(|profile| {
        let line = profile.line();
        let outages = if line.outages.is_some() { ", down 30 s of each 60" } else { "" };
        format!(
            "| {}{outages} | {} ms | {} % | {} | {} KiB |",
            profile.name(),
            line.one_way.as_millis(),
            line.loss * 100.0,
            line.rate,
            line.queue / 1_024
        )
    }));
    page.extend(sections.iter().map(Section::markdown));
    std::fs::write(path, page.join("\n") + "\n").with_context(|| format!("{} cannot be written", path.display()))
}

#[allow(clippy::print_stdout, reason = "figures are what is asked for")]
fn tell(line: &str) {
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_met_up_to_its_last_unit_and_missed_beyond() {
        let section = |value| {
            let figure = Figure { name: "stored_p50", value, unit: Unit::Millis, samples: 30 };
            let (profile, scenario) = (Profile::Vsat, Scenario::Warm);
            Section { profile, scenario, outcome: Ok(vec![figure]) }
        };
        assert!(section(450.0).table().contains("<= 450.0 ms met"), "{}", section(450.0).table());
        assert!(section(450.1).markdown().contains("| <= 450.0 ms | MISSED | 30 |"));
        assert!(section(450.1).json()[0].contains(r#""met":false"#));
        let failed = Section { outcome: Err("no line".to_owned()), ..section(1.0) };
        assert!(failed.table().contains("FAILED: no line") && failed.json()[0].contains("no line"));
    }
}
