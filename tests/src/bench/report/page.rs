//! All rounds of a run put together: medians, ratios round by round, budgets met and missed.

use std::path::Path;

use super::{Line, OURS, Taken, budgets::BUDGETS, number};

/// One figure of one subject, of every system that was measured.
struct Row {
    line: Line,
    figure: String,
    /// Values round by round, by system, ours first.
    values: Vec<(&'static str, Vec<f64>)>,
}

impl Row {
    fn of(&self, system: &str) -> &[f64] {
        self.values.iter().find(|(name, _)| *name == system).map_or(&[], |(_, values)| values)
    }

    /// Ours to theirs, round by round.
    fn ratios(&self, rival: &str) -> Vec<f64> {
        let theirs = self.of(rival).iter();
        let ratios = self.of(OURS).iter().zip(theirs).map(|(ours, theirs)| ours / theirs);
        ratios.filter(|ratio| ratio.is_finite()).collect()
    }
}

/// What the rounds say together.
pub(super) struct Summary {
    rows: Vec<Row>,
    systems: Vec<&'static str>,
}

impl Summary {
    pub(super) fn of(taken: &[Taken]) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        let mut systems: Vec<&'static str> = Vec::new();
        for Taken { system, line, .. } in taken {
            if !systems.contains(system) {
                systems.push(system);
            }
            for (figure, value) in line.figures() {
                let same = |row: &&mut Row| row.figure == figure && row.line.subject() == line.subject();
                let row = match rows.iter_mut().find(same) {
                    Some(row) => row,
                    None => {
                        rows.push(Row { line: line.clone(), figure: figure.to_owned(), values: Vec::new() });
                        let Some(last) = rows.last_mut() else { continue };
                        last
                    }
                };
                match row.values.iter_mut().find(|(name, _)| name == system) {
                    Some((_, values)) => values.push(value),
                    None => row.values.push((system, vec![value])),
                }
            }
        }
        Self { rows, systems }
    }

    fn rivals(&self) -> impl Iterator<Item = &'static str> {
        self.systems.iter().copied().filter(|system| *system != OURS)
    }

    /// For the end of a run: medians and ratios when there are any, then the budgets.
    pub(super) fn told(&self) -> String {
        let mut lines = Vec::new();
        for rival in self.rivals() {
            for row in &self.rows {
                let ratios = row.ratios(rival);
                if ratios.is_empty() {
                    continue;
                }
                let rounds: Vec<String> = ratios.iter().map(|ratio| number(*ratio)).collect();
                lines.push(format!(
                    "passerelle / {rival}  {} {}: {} / {} = {} (rounds {})",
                    row.line.subject(),
                    row.figure,
                    spread(row.of(OURS)),
                    spread(row.of(rival)),
                    number(median(&ratios)),
                    rounds.join(" ")
                ));
            }
        }
        for (says, value, verdict) in self.judged() {
            lines.push(format!("budget  {says:<52} {value:>12}  {verdict}"));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// Each budget that a line speaks to: what it says, what was measured, whether it is met.
    fn judged(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut judged = Vec::new();
        for budget in &BUDGETS {
            for row in self.rows.iter().filter(|row| row.figure == budget.figure && budget.concerns(&row.line)) {
                let values = match budget.rival {
                    Some(rival) => row.ratios(rival),
                    None => row.of(OURS).to_vec(),
                };
                if !values.is_empty() {
                    let unit = if budget.rival.is_some() { "x" } else { "" };
                    let value = format!("{}{unit}", number(median(&values)));
                    judged.push((budget.says, value, budget.verdict(median(&values))));
                }
            }
        }
        judged
    }

    /// For the repository.
    pub(super) fn page(&self, settings: &[(&'static str, Vec<String>)], page: &Path) -> String {
        let mut text = String::new();
        for (system, said) in settings {
            text.push_str(&format!("## How {system} was set\n\n"));
            said.iter().for_each(|one| text.push_str(&format!("- {one}\n")));
            text.push('\n');
        }
        let judged = self.judged();
        if !judged.is_empty() {
            text.push_str("## Budgets\n\n| budget | measured | |\n| --- | ---: | --- |\n");
            for (says, value, verdict) in judged {
                text.push_str(&format!("| {says} | {value} | {verdict} |\n"));
            }
            text.push('\n');
        }
        text.push_str("## Figures\n\nMedian of the rounds, lowest and highest in brackets.\n\n");
        text.push_str("| subject | figure | passerelle |");
        self.rivals().for_each(|rival| text.push_str(&format!(" {rival} | passerelle / {rival}, round by round |")));
        text.push_str("\n| --- | --- | ---: |");
        self.rivals().for_each(|_| text.push_str(" ---: | ---: |"));
        text.push('\n');
        for row in &self.rows {
            text.push_str(&format!("| {} | {} | {} |", row.line.subject(), row.figure, spread(row.of(OURS))));
            for rival in self.rivals() {
                let ratios = row.ratios(rival);
                let rounds: Vec<String> = ratios.iter().map(|ratio| number(*ratio)).collect();
                let told = match rounds.len() {
                    0 => "-".to_owned(),
                    1 => rounds.join(" "),
                    _ => format!("{} ({})", number(median(&ratios)), rounds.join(" ")),
                };
                text.push_str(&format!(" {} | {told} |", spread(row.of(rival))));
            }
            text.push('\n');
        }
        let lines = page.with_extension("jsonl");
        let lines = lines.file_name().unwrap_or_default().to_string_lossy();
        text.push_str(&format!("\nEvery measured line is in [{lines}]({lines}).\n"));
        text
    }
}

/// The middle of the values; of an even number, the mean of the two in the middle.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted.len().saturating_sub(1) / 2, sorted.len() / 2);
    match (sorted.get(low), sorted.get(high)) {
        (Some(low), Some(high)) => f64::midpoint(*low, *high),
        _ => f64::NAN,
    }
}

fn spread(values: &[f64]) -> String {
    match values {
        [] => "-".to_owned(),
        [one] => number(*one),
        many => {
            let low = many.iter().copied().fold(f64::INFINITY, f64::min);
            let high = many.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            format!("{} [{}-{}]", number(median(many)), number(low), number(high))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(system: &'static str, round: u32, rate: f64) -> Taken {
        let line = Line::new("throughput").parameter("callers", 256).figure("alerts_per_s", rate);
        Taken { system, round, line }
    }

    #[test]
    fn ratios_are_those_of_one_round_and_budgets_go_by_their_median() {
        let rounds = [(OURS, 1, 900.0), ("rabbitmq", 1, 300.0), (OURS, 2, 1_000.0), ("rabbitmq", 2, 200.0)];
        let summary = Summary::of(&rounds.map(|(system, round, rate)| taken(system, round, rate)));
        assert_eq!(summary.rows.len(), 1);
        assert_eq!(summary.rows[0].ratios("rabbitmq"), [3.0, 5.0]);
        let judged = summary.judged();
        let rabbit: Vec<_> = judged.iter().filter(|(says, _, _)| says.contains("RabbitMQ")).collect();
        assert_eq!(
            rabbit.iter().map(|one| (one.1.as_str(), one.2)).collect::<Vec<_>>(),
            [("4.00x", "met"), ("4.00x", "missed")]
        );
        assert!(!judged.iter().any(|(says, _, _)| says.contains("NATS")), "who was not measured is not judged");
        let page = summary.page(&[("rabbitmq", vec!["quorum queues".to_owned()])], Path::new("results/rivals.md"));
        assert!(page.contains("| 950 [900-1,000] | 250 [200-300] | 4.00 (3.00 5.00) |"), "{page}");
        assert!(page.contains("quorum queues") && page.contains("(rivals.jsonl)"), "{page}");
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(&[5.0, 1.0, 3.0]) - 3.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0]) - 2.5).abs() < 1e-9);
        assert!(median(&[]).is_nan());
    }
}
