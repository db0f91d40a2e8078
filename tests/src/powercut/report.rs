//! What the cuts have shown: a line each for programs, a table for people, a page for the repository. The only place of
//! the rig that writes to standard output.

use std::{collections::BTreeMap, fmt::Write as _, path::Path, time::Duration};

use passerelle_domain::society::Society;
use serde_json::json;

use super::{Lie, Options, check::Looked, checker::Subject, image::Style, tree::Model};
use crate::{about, world::now};

/// Stories told on the page, and faults of one cut told in its story.
const STORIES_MAX: usize = 20;
const FAULTS_MAX: usize = 6;

/// When a cut was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// The node is made and starts for the first time.
    Birth,
    /// It works.
    Work,
    /// It works, and the power goes for good: the machine starts again with what is left.
    Off,
    /// It starts with what an earlier cut has left.
    Restart,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Birth => "while the node is made and first starts",
            Self::Work => "under load",
            Self::Off => "under load, and the machine starts again with what is left",
            Self::Restart => "while it starts again, after a kill or a cut",
        }
    }
}

/// One cut.
pub(super) struct Record {
    pub(super) number: u64,
    pub(super) seed: u64,
    pub(super) model: Model,
    pub(super) society: Society,
    pub(super) phase: Phase,
    pub(super) step: u64,
    pub(super) before: String,
    pub(super) style: Style,
    pub(super) unsynced_writes: u64,
    pub(super) unsynced_names: u64,
    pub(super) looked: Looked,
    pub(super) faults: Vec<String>,
}

impl Record {
    fn json(&self) -> String {
        let looked = &self.looked;
        json!({
            "cut": self.number, "seed": self.seed, "model": self.model.name(), "node": self.society.to_string(),
            "phase": format!("{:?}", self.phase).to_lowercase(), "step": self.step, "before": self.before,
            "kept": format!("{:?}", self.style).to_lowercase(), "unsynced_writes": self.unsynced_writes,
            "unsynced_names": self.unsynced_names, "promises": looked.promises, "entries": looked.entries,
            "packages": looked.packages, "erased": looked.erased, "repeated": looked.repeated, "faults": self.faults,
        })
        .to_string()
    }

    fn story(&self) -> String {
        let told = self.faults.len().min(FAULTS_MAX);
        let more = match self.faults.len() - told {
            0 => String::new(),
            more => format!("\n    and {more} more"),
        };
        format!(
            "cut {} of seed {}, {}, {} before the {} (step {}), {} writes and {} names not synced, kept: {:?}\n    {}{more}",
            self.number,
            self.seed,
            self.model.name(),
            self.phase.name(),
            self.before,
            self.step,
            self.unsynced_writes,
            self.unsynced_names,
            self.style,
            self.faults[..told].join("\n    ")
        )
    }
}

/// All cuts together.
#[derive(Default)]
pub struct Summary {
    /// Cuts that were made and looked at.
    pub cuts: u64,
    /// Cuts after which something was wrong.
    pub failed: u64,
    /// What was wrong, one story a cut.
    pub stories: Vec<String>,
    /// Machines that started again with what a cut left and came to terms with their peer.
    pub converged: u64,
    looked: Looked,
    with_store: u64,
    amid_changes: u64,
    phases: BTreeMap<Phase, u64>,
    kinds: BTreeMap<(&'static str, String), u64>,
    writes: Vec<u64>,
    names: Vec<u64>,
}

impl Summary {
    pub(super) fn started_again(
        &mut self,
        cut: u64,
        subject: &Subject,
        outcome: anyhow::Result<()>,
        options: &Options,
    ) {
        match outcome {
            Ok(()) => self.converged += 1,
            Err(error) => {
                self.failed += 1;
                let (seed, model) = (options.seed, subject.model.name());
                let story = format!(
                    "start after cut {cut} of seed {seed}, {model}, node of {}\n    {error:#}",
                    subject.society
                );
                self.story(story, options);
            }
        }
    }

    fn story(&mut self, story: String, options: &Options) {
        if !options.json && !options.quiet {
            eprintln!("{story}");
        }
        self.stories.push(story);
    }

    pub(super) fn add(&mut self, record: Record, options: &Options) {
        if options.json && !options.quiet {
            tell(&record.json());
        }
        self.cuts += 1;
        *self.phases.entry(record.phase).or_default() += 1;
        *self.kinds.entry((record.model.name(), format!("{:?}", record.style).to_lowercase())).or_default() += 1;
        self.writes.push(record.unsynced_writes);
        self.names.push(record.unsynced_names);
        self.with_store += u64::from(record.looked.had_store);
        self.amid_changes += u64::from(record.unsynced_writes + record.unsynced_names > 0);
        let (all, one) = (&mut self.looked, &record.looked);
        all.promises += one.promises;
        all.entries += one.entries;
        all.large_objects += one.large_objects;
        all.packages += one.packages;
        all.erased += one.erased;
        all.repeated += one.repeated;
        if !record.faults.is_empty() {
            self.failed += 1;
            self.story(record.story(), options);
        }
    }

    /// The figures, by name.
    fn figures(&self, took: Duration) -> Vec<(&'static str, String)> {
        vec![
            ("cuts", self.cuts.to_string()),
            ("cuts and starts after which something was wrong", self.failed.to_string()),
            ("cuts amid changes that nobody had synced", self.amid_changes.to_string()),
            ("writes not synced at a cut: median, most", spread(&self.writes)),
            ("names not synced at a cut: median, most", spread(&self.names)),
            ("nodes with a journal, opened and verified", self.with_store.to_string()),
            ("entries verified", self.looked.entries.to_string()),
            ("promises to operators looked for", self.looked.promises.to_string()),
            ("alerts among them of more than 16 KiB", self.looked.large_objects.to_string()),
            ("packages opened", self.looked.packages.to_string()),
            ("erased cases without key or file", self.looked.erased.to_string()),
            ("requests repeated and answered", self.looked.repeated.to_string()),
            ("machines started again that agreed with their peer", self.converged.to_string()),
            ("seconds", took.as_secs().to_string()),
        ]
    }

    /// Tells what was found.
    pub(super) fn tell(&self, took: Duration, as_json: bool) {
        if as_json {
            let figures: serde_json::Map<_, _> =
                self.figures(took).into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            return tell(&json!({ "summary": figures, "stories": self.stories }).to_string());
        }
        for (name, value) in self.figures(took) {
            tell(&format!("{name:<56} {value:>14}"));
        }
    }

    /// Writes the page for the repository.
    pub(super) fn write(
        &self,
        path: &Path,
        options: &Options,
        took: Duration,
        lies: &[(Lie, Self)],
    ) -> anyhow::Result<()> {
        let mut page = String::from("# Power cuts\n\n");
        writeln!(
            page,
            "Made by the program; `tests/src/powercut` says what is cut and what is looked for. Repeat with\n"
        )?;
        let model = options.model.map(|model| format!(" --model {}", model.name())).unwrap_or_default();
        let (cuts, seed) = (options.cuts, options.seed);
        let build = if cfg!(debug_assertions) { "" } else { " --release" };
        let command = format!("cargo run{build} -p passerelle-tests --bin powercut --");
        writeln!(page, "    {command} --cuts {cuts} --seed {seed}{model} --report tests/results/powercut.md\n")?;
        writeln!(page, "{}, commit {}, {}.\n", now(), about::commit(), about::machine())?;
        writeln!(page, "| figure | |\n| --- | ---: |")?;
        for (name, value) in self.figures(took) {
            writeln!(page, "| {name} | {value} |")?;
        }
        writeln!(page, "\n| when | cuts |\n| --- | ---: |")?;
        for (phase, count) in &self.phases {
            writeln!(page, "| {} | {count} |", phase.name())?;
        }
        writeln!(page, "\n| disk | what it kept of what was not synced | cuts |\n| --- | --- | ---: |")?;
        for ((model, kept), count) in &self.kinds {
            writeln!(page, "| {model} | {kept} | {count} |")?;
        }
        writeln!(
            page,
            "\nThat the cuts can find something: the same on a disk that answers some syncs without doing them.\n"
        )?;
        writeln!(
            page,
            "| syncs left out | cuts | cuts and starts after which something was wrong |\n| --- | ---: | ---: |"
        )?;
        for (lie, summary) in lies {
            writeln!(page, "| {} | {} | {} |", lie.name(), summary.cuts, summary.failed)?;
        }
        for story in self.stories.iter().take(STORIES_MAX) {
            writeln!(page, "\n    {}", story.replace('\n', "\n    "))?;
        }
        std::fs::write(path, page)?;
        Ok(())
    }
}

fn spread(numbers: &[u64]) -> String {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    format!("{median}, {}", sorted.last().copied().unwrap_or_default())
}

#[allow(clippy::print_stdout, reason = "figures are what the rig is asked for")]
fn tell(line: &str) {
    println!("{line}");
}
