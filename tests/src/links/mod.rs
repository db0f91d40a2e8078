//! Two real node processes on poor lines, and how long things take there. Makes network namespaces, TUN devices and
//! temporary folders, starts processes, and removes all of it; needs root.

mod emulator;
mod measure;
mod namespace;
mod profile;
mod report;
mod scenarios;
mod world;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
    task::JoinSet,
};

pub use namespace::missing;

use profile::Profile;
use report::Section;

/// First argument by which the program becomes the supervisor who approves a handover: another user.
pub const APPROVER: &str = "__approve";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Scenario {
    /// One alert to a peer that the node gets to know at this moment.
    FirstContact,
    /// Single alerts over a link that is up.
    Warm,
    /// One alert at a node that has just started.
    Cold,
    /// Urgent alerts while 1,000 routine ones are on their way.
    UrgentBehindRoutine,
    /// Urgent alerts while a package of 5 MB is on its way.
    UrgentBehindPackage,
    /// 1,000 alerts of which nothing can be compressed away.
    Backlog,
    /// 1,000 alerts of CAP text.
    BacklogText,
    /// The first alert after the line was down for long.
    Outage,
    /// How soon a line that swallows everything is noticed.
    HalfOpen,
}

impl Scenario {
    const ALL: &'static [Self] = &[
        Self::FirstContact,
        Self::Warm,
        Self::Cold,
        Self::UrgentBehindRoutine,
        Self::UrgentBehindPackage,
        Self::Backlog,
        Self::BacklogText,
        Self::Outage,
        Self::HalfOpen,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::FirstContact => "first-contact",
            Self::Warm => "warm",
            Self::Cold => "cold",
            Self::UrgentBehindRoutine => "urgent-behind-routine",
            Self::UrgentBehindPackage => "urgent-behind-package",
            Self::Backlog => "backlog",
            Self::BacklogText => "backlog-text",
            Self::Outage => "outage",
            Self::HalfOpen => "half-open",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::FirstContact => "first alert to a peer that was added just now",
            Self::Warm => "one alert, the link is up",
            Self::Cold => "one alert at a node that has just started",
            Self::UrgentBehindRoutine => "urgent alert behind 1,000 routine ones",
            Self::UrgentBehindPackage => "urgent alert behind a package of 5 MB",
            Self::Backlog => "1,000 alerts at once, incompressible",
            Self::BacklogText => "1,000 alerts at once, CAP text",
            Self::Outage => "first alert after an outage, from the line's return",
            Self::HalfOpen => "a dead link is noticed while an alert waits",
        }
    }
}

/// Measures two node processes on poor lines between network namespaces. Needs root, /dev/net/tun and iproute2.
#[derive(Debug, Parser)]
#[command(name = "links")]
struct Args {
    /// Kinds of line; all of them when not said.
    #[arg(long, value_delimiter = ',')]
    profile: Vec<Profile>,
    /// What is measured; all that says something on the profile when not said.
    #[arg(long, value_delimiter = ',')]
    scenario: Vec<Scenario>,
    /// One JSON object a line for each figure.
    #[arg(long)]
    json: bool,
    /// Few runs and short waits: whether it works, not how well.
    #[arg(long)]
    quick: bool,
    /// Also write a page of the results here, and their JSON lines beside it.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Alerts of the warm scenario; by the profile when not said.
    #[arg(long)]
    runs: Option<u32>,
    /// Alerts that are raised at once.
    #[arg(long, default_value_t = 1_000)]
    backlog: u64,
    /// Seconds that the line is down in the outage scenario; 300 on vsat and 60 elsewhere when not said.
    #[arg(long)]
    outage_seconds: Option<u64>,
    /// Which packets are lost.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Scenarios that run at once, each with nodes and a line of its own: most of the time is waiting.
    #[arg(long, default_value_t = 6)]
    parallel: usize,
}

impl Args {
    /// With the counts of `--quick`, where it is set.
    fn scaled(mut self) -> Self {
        if self.quick {
            self.runs = self.runs.or(Some(10));
            self.backlog = self.backlog.min(100);
            self.outage_seconds = self.outage_seconds.or(Some(5));
        }
        self
    }

    /// What is to be measured on which line, longest waits first.
    fn jobs(&self) -> Vec<(Profile, Scenario)> {
        let mut profiles = match self.profile.as_slice() {
            [] => vec![Profile::Office, Profile::Mobile, Profile::Vsat, Profile::Cut],
            some => some.to_vec(),
        };
        profiles.sort_unstable();
        profiles.dedup();
        let of = |profile: Profile| match self.scenario.as_slice() {
            // A dead link takes most of a minute to be noticed.
            [] => {
                let all = profile.scenarios().iter().copied();
                all.filter(|one| !self.quick || *one != Scenario::HalfOpen).collect::<Vec<_>>()
            }
            some => some.to_vec(),
        };
        profiles.into_iter().rev().flat_map(|profile| of(profile).into_iter().map(move |one| (profile, one))).collect()
    }

    fn runs_when_warm(&self, profile: Profile) -> u32 {
        self.runs.unwrap_or(match profile {
            Profile::Office | Profile::Mobile => 200,
            Profile::Vsat => 100,
            Profile::Cut => 150,
        })
    }

    fn warm_pace(&self, profile: Profile) -> Duration {
        match profile {
            Profile::Office => Duration::from_millis(200),
            Profile::Mobile => Duration::from_millis(500),
            Profile::Vsat | Profile::Cut => Duration::from_secs(2),
        }
    }

    fn runs_of_a_meeting(&self, profile: Profile) -> u32 {
        match profile {
            _ if self.quick => 2,
            Profile::Office | Profile::Mobile => 30,
            Profile::Vsat | Profile::Cut => 20,
        }
    }

    fn runs_of_an_outage(&self) -> u64 {
        if self.quick { 2 } else { 8 }
    }

    fn outage(&self, profile: Profile) -> u64 {
        self.outage_seconds.unwrap_or(if profile == Profile::Vsat { 300 } else { 60 })
    }
}

/// Becomes the supervisor, if that is what the process was started for.
fn approver(arguments: &[OsString]) -> Option<anyhow::Result<()>> {
    let [_, first, socket, id] = arguments else { return None };
    if first != APPROVER {
        return None;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Some(Err(error.into())),
    };
    let id = id.to_string_lossy().into_owned();
    Some(runtime.block_on(world::approve_as_this_user(Path::new(socket), id)))
}

/// Runs what the process was asked for.
#[must_use]
pub fn run() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let outcome = match approver(&arguments) {
        Some(outcome) => outcome.map(|()| true),
        None => {
            let args = Arc::new(Args::parse_from(&arguments).scaled());
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime");
            // The runtime drops what still runs, and with it nodes, devices and namespaces.
            runtime.and_then(|runtime| runtime.block_on(measure(&args)))
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures everything; whether nothing failed. A budget that is missed is no failure.
async fn measure(args: &Arc<Args>) -> anyhow::Result<bool> {
    if let Some(reason) = missing() {
        anyhow::bail!("{reason}");
    }
    namespace::sweep();
    let sections = tokio::select! {
        sections = measured(args) => sections?,
        reason = interrupted() => anyhow::bail!("{}", reason?),
    };
    if let Some(path) = &args.report {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let command = format!("cargo run --release -p passerelle-tests --bin links -- {}", words.join(" "));
        report::write(path, &sections, &command)?;
    }
    Ok(sections.iter().all(|section| section.outcome.is_ok()))
}

async fn interrupted() -> anyhow::Result<&'static str> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => Ok("interrupted"),
        _ = terminate.recv() => Ok("terminated"),
    }
}

async fn measured(args: &Arc<Args>) -> anyhow::Result<Vec<Section>> {
    let room = Arc::new(Semaphore::new(args.parallel.max(1)));
    let mut tasks = JoinSet::new();
    let mut names = BTreeMap::new();
    for (profile, scenario) in args.jobs() {
        let (args, room) = (Arc::clone(args), Arc::clone(&room));
        let task = tasks.spawn(async move {
            let _place = room.acquire_owned().await?;
            let began = Instant::now();
            eprintln!("{} {}: begins", profile.name(), scenario.name());
            let figures = scenarios::run(&args, profile, scenario).await?;
            eprintln!("{} {}: {:.0} s", profile.name(), scenario.name(), began.elapsed().as_secs_f64());
            anyhow::Ok(figures)
        });
        names.insert(task.id(), (profile, scenario));
    }
    let mut sections = Vec::new();
    while let Some(ended) = tasks.join_next_with_id().await {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome.map_err(|error| format!("{error:#}"))),
            Err(error) => (error.id(), Err(error.to_string())),
        };
        let (profile, scenario) = names.get(&id).copied().context("a task that nobody started")?;
        let section = Section { profile, scenario, outcome };
        report::show(&section, args.json);
        sections.push(section);
    }
    sections.sort_by_key(|section| (section.profile, section.scenario));
    Ok(sections)
}
