//! Figures for people (tables), for programs (one JSON object a line), and for the repository (a page with the
//! machine, the budgets and every round). The only place of the bench that writes to standard output.

mod about;
mod budgets;
mod line;
mod page;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

pub(super) use about::About;
pub(super) use line::{Line, number};

use super::system::System;
use page::Summary;

/// The name of our own nodes.
const OURS: &str = "passerelle";

/// A line, whose it is, and of which round.
#[derive(Clone, Debug)]
struct Taken {
    system: &'static str,
    round: u32,
    line: Line,
}

/// Where lines go, each as soon as it is known.
pub(super) struct Report {
    json: bool,
    about: About,
    system: &'static str,
    round: u32,
    taken: Vec<Taken>,
    /// How many were taken before the round that goes on.
    before: usize,
    /// What each system was set to, and why.
    settings: Vec<(&'static str, Vec<String>)>,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self { json, about: About::now(), system: OURS, round: 1, taken: Vec::new(), before: 0, settings: Vec::new() }
    }

    /// Whose turn it is.
    pub(super) fn turn<S: System>(&mut self, round: u32, settings: &[&str]) {
        (self.system, self.round) = (S::NAME, round);
        if S::NAME == OURS {
            self.before = self.taken.len();
        }
        if !settings.is_empty() && !self.settings.iter().any(|(name, _)| *name == S::NAME) {
            self.settings.push((S::NAME, settings.iter().map(|one| (*one).to_owned()).collect()));
        }
    }

    pub(super) fn add(&mut self, line: Line) {
        let told = match self.json {
            true => line.json(self.system, self.round),
            false if self.settings.iter().all(|(name, _)| *name == OURS) => line.table(),
            false => format!("{}, round {}: {}", self.system, self.round, line.table()),
        };
        tell(&told);
        self.taken.push(Taken { system: self.system, round: self.round, line });
    }

    /// The ratios of one round, ours to theirs, as soon as both have had their turn.
    pub(super) fn ratios(&self, rival: &'static str, round: u32) {
        let of = |system: &'static str| self.taken.iter().skip(self.before).filter(move |one| one.system == system);
        for theirs in of(rival) {
            let Some(ours) = of(OURS).find(|ours| ours.line.subject() == theirs.line.subject()) else {
                continue;
            };
            let ratios = theirs.line.figures().filter_map(|(name, value)| Some((name, ours.line.value(name)? / value)));
            let told: Vec<String> = ratios.map(|(name, ratio)| format!("{name} {}", number(ratio))).collect();
            if self.json {
                let ratios = theirs.line.figures().filter_map(|(name, value)| {
                    Some((name.to_owned(), serde_json::Value::from(ours.line.value(name)? / value)))
                });
                let object = serde_json::json!({
                    "ratio_to": rival, "round": round, "subject": theirs.line.subject(),
                    "ratios": serde_json::Map::from_iter(ratios),
                });
                tell(&object.to_string());
            } else {
                tell(&format!("passerelle / {rival}, round {round}: {}: {}", theirs.line.subject(), told.join(", ")));
            }
        }
    }

    /// The lines of ours of one scenario.
    pub(super) fn lines(&self, scenario: &str) -> Vec<Line> {
        self.taken.iter().filter(|one| one.line.scenario == scenario).map(|one| one.line.clone()).collect()
    }

    /// What is to be known about all of them, and the page for the repository where it is asked for.
    pub(super) fn finish(&self, title: &str, page: Option<&Path>, picture: Option<&str>) -> anyhow::Result<()> {
        let summary = Summary::of(&self.taken);
        if !self.json && !self.taken.is_empty() {
            tell("");
            tell(&summary.told());
            tell("Both ends, their callers and the bench share the cores of this machine. Rates and times change from");
            tell(
                "run to run, by a factor of two when anything else runs; bytes and memory hardly do. Compare ratios of",
            );
            tell("interleaved runs. An alert's size is that of its canonical CBOR, before envelope and signature.");
        }
        let Some(page) = page else { return Ok(()) };
        let lines: Vec<String> = self.taken.iter().map(|one| one.line.json(one.system, one.round)).collect();
        write(&page.with_extension("jsonl"), &(lines.join("\n") + "\n"))?;
        let shown = picture.map(|name| format!("![the figures as curves]({name})\n\n")).unwrap_or_default();
        write(page, &format!("# {title}\n\n{}\n{shown}{}", self.about.text(), summary.page(&self.settings, page)))
    }
}

/// Writes a file of results, with its folder.
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder: PathBuf = path.parent().map(Path::to_owned).unwrap_or_default();
    fs::create_dir_all(&folder).and_then(|()| fs::write(path, text)).with_context(|| format!("{}", path.display()))
}

#[allow(clippy::print_stdout, reason = "figures are what the bench is asked for")]
fn tell(line: &str) {
    println!("{line}");
}
