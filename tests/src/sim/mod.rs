//! The deterministic simulation: whole nodes, with the production engine, link and domain code, on one virtual clock, over a
//! network and disks that a seed breaks. What must hold is checked after each event, at quiet points and at the end. The same
//! seed is the same run, byte for byte. Touches a temporary folder, for the vaults.

pub mod chance;
pub mod checks;
pub mod clock;
pub mod disk;
pub mod faults;
pub mod hoard;
mod homes;
#[cfg(feature = "defects")]
pub mod hunt;
mod insider;
pub mod invariants;
mod launch;
pub mod ledger;
pub mod liar;
pub mod network;
mod promises;
mod reckoning;
pub mod report;
mod seeds;
pub mod shrink;
pub mod site;
pub mod trace;
pub mod work;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Once},
    time::Duration,
};

use parking_lot::Mutex;
use passerelle_domain::{digest::Digest, signing::Signer as _};
use passerelle_node::{supervise::Spawner, trust::TrustFolder};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use chance::Chance;
use checks::Checks;
use faults::Machinery;
use invariants::Invariant;
use ledger::Ledger;
use liar::Liar;
use network::{Fabric, paths::Millis, paths::span};
use site::Site;
use work::{Memory, People};

pub use faults::Class;
pub use homes::Homes;
pub use invariants::Violation;
pub use report::{regressions, run};

/// How long the nodes get to come to rest once nothing breaks any more.
const REST_WITHIN: Duration = Duration::from_secs(1_500);
/// How often that is looked at.
const REST_LOOK: Duration = Duration::from_secs(3);
/// Looks in between.
const LOOKS: u64 = 3;

/// What is simulated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// The seed.
    pub seed: u64,
    /// How many nodes.
    pub nodes: usize,
    /// For how many minutes of virtual time things break.
    pub minutes: u64,
    /// Classes of faults that are left out.
    pub without: BTreeSet<Class>,
    /// Of the planned faults, the numbers of those that happen; all when there is none.
    pub only: Option<BTreeSet<usize>>,
    /// Of the planned work, how much is done, from the first on; all when there is none.
    pub work: Option<usize>,
}

impl Scenario {
    /// Everything that a seed says.
    #[must_use]
    pub fn of(seed: u64, nodes: usize, minutes: u64) -> Self {
        Self { seed, nodes, minutes, without: BTreeSet::new(), only: None, work: None }
    }
}

/// What came of a simulation.
#[derive(Debug)]
pub struct Outcome {
    /// What was found broken, in the order in which it was.
    pub violations: Vec<Violation>,
    /// The hash of its story.
    pub digest: String,
    /// The story.
    pub story: Vec<String>,
    /// The faults that happened: their numbers and classes.
    pub faults: Vec<(usize, Class)>,
    /// How much work was planned.
    pub work: usize,
    /// Events of the story.
    pub events: u64,
    /// Virtual time that it took.
    pub virtual_ms: Millis,
    /// Numbers of the nodes.
    pub counts: ledger::Counts,
    /// Numbers of the network.
    pub network: network::Counts,
    /// Lives of nodes.
    pub lives: u64,
    /// Processor time of the thread.
    pub took: Duration,
}

thread_local! {
    /// Where somebody panicked on this thread since it was last asked.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    /// Whether this thread runs a simulation.
    static SIMULATING: Cell<bool> = const { Cell::new(false) };
}

/// Has every panic within a simulation noted by the thread on which it happens; others are told as before.
fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !SIMULATING.get() {
                return before(info);
            }
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            let what = info.payload_as_str().unwrap_or_default();
            PANICS.with_borrow_mut(|panics| panics.push(format!("{place}: {what}")));
        }));
    });
}

/// Runs a simulation.
///
/// # Errors
/// When the machine of this program fails: folders, the runtime.
pub fn simulate(homes: &Homes, scenario: &Scenario) -> anyhow::Result<Outcome> {
    note_panics();
    let begun = processor_time();
    PANICS.take();
    SIMULATING.set(true);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let outcome = runtime.block_on(story(homes, scenario));
    drop(runtime);
    SIMULATING.set(false);
    let mut outcome = outcome?;
    outcome.took = processor_time().saturating_sub(begun);
    Ok(outcome)
}

/// Processor time that this thread has taken.
fn processor_time() -> Duration {
    let spent = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID);
    spent.map_or(Duration::ZERO, Duration::from)
}

async fn story(homes: &Homes, scenario: &Scenario) -> anyhow::Result<Outcome> {
    let Scenario { seed, nodes, minutes, .. } = *scenario;
    anyhow::ensure!(homes.societies().len() == nodes, "the homes are those of another number of nodes");
    let data = homes.data()?;
    let began = Instant::now();
    let ledger = Ledger::new(homes.societies().to_vec());
    let fabric = Fabric::new(seed, nodes);
    if scenario.without.contains(&Class::Loss) {
        fabric.lock().paths.spare();
    }
    let sites: Vec<Arc<Site>> = (0..nodes)
        .map(|index| Site::new(index, homes, data.path(), seed, (&fabric, &ledger)))
        .collect::<anyhow::Result<_>>()?;
    let sites = Arc::new(sites);
    let mut keys = BTreeMap::new();
    for society in homes.societies() {
        keys.insert(*society, TrustFolder::open(&homes.home(*society))?.1.signing.public_key());
    }
    let people =
        People { sites: sites.clone(), ledger: ledger.clone(), memory: Arc::new(Mutex::new(Memory::default())) };
    let machinery = Arc::new(Machinery {
        fabric: fabric.clone(),
        sites: sites.clone(),
        ledger: ledger.clone(),
        keys: keys.clone(),
        liar: Liar::new(homes, seed, &sites, (&fabric, &ledger))?,
        folder: data.path().to_owned(),
        backups: Mutex::default(),
        healing: CancellationToken::new(),
        busy: Mutex::default(),
    });
    let checks = Checks { people: people.clone(), keys };
    sites.iter().for_each(Site::turn_on);

    let window = minutes * 60_000;
    let timeline = timeline(scenario, window);
    let mut faults = Vec::new();
    let spawner = Spawner::new(CancellationToken::new());
    let work = timeline.iter().filter(|(_, event)| matches!(event, Event::Work(_))).count();
    for (at, event) in timeline {
        tokio::time::sleep_until(began + span(at)).await;
        if !ledger.lock().violations.is_empty() || panicked(&ledger) {
            break;
        }
        match event {
            Event::Work(planned) => spawner.spawn("people", people.clone().work(planned.work, planned.chance)),
            Event::Fault(planned) => {
                faults.push((planned.number, planned.fault.class()));
                spawner.spawn("a fault", machinery.clone().act(planned));
            }
            Event::Look(node) => checks.look(node, |one, other| fabric.lock().joined(one, other)),
        }
    }
    if ledger.lock().violations.is_empty() {
        ledger.lock().trace.tell(format_args!("EVERYTHING IS SET RIGHT"), &[]);
        machinery.heal().await;
        rest(&checks, &ledger, &people).await;
        checks.end();
        reckoning::reckon(&sites, &fabric, &ledger);
    }
    panicked(&ledger);
    spawner.token().cancel();
    let lives = sites.iter().map(|site| site.life()).sum();
    let network = fabric.lock().counts;
    let mut ledger = ledger.lock();
    let trace = std::mem::take(&mut ledger.trace);
    Ok(Outcome {
        violations: std::mem::take(&mut ledger.violations),
        digest: trace.digest(),
        faults,
        work,
        events: trace.events(),
        virtual_ms: trace.now(),
        story: trace.into_lines(),
        counts: ledger.counts,
        network,
        lives,
        took: Duration::ZERO,
    })
}

/// What happens at a time of its own.
enum Event {
    Work(work::Planned),
    Fault(faults::Planned),
    Look(usize),
}

/// All work and all faults that a seed plans, whatever of it is left out.
fn planned(scenario: &Scenario) -> (Vec<work::Planned>, Vec<faults::Planned>) {
    let Scenario { seed, nodes, minutes, .. } = *scenario;
    let (window, amount) = (minutes * 60_000, Chance::of(seed, "amount").between(1, 4));
    let work = work::plan(seed, nodes, window, 4 * minutes + 2 * nodes as u64);
    (work, faults::plan(seed, nodes, window, amount * minutes))
}

/// A hash of what a seed plans: where it is another one, the seed is another simulation.
#[must_use]
pub fn plan(scenario: &Scenario) -> String {
    let (work, faults) = planned(scenario);
    let work: Vec<_> = work.iter().map(|planned| (planned.at, planned.work)).collect();
    let mut hash = Digest::of(format!("{work:?} {faults:?}").as_bytes()).to_string();
    hash.truncate(12);
    hash
}

fn timeline(scenario: &Scenario, window: Millis) -> Vec<(Millis, Event)> {
    let Scenario { seed, nodes, .. } = *scenario;
    let (work, faults) = planned(scenario);
    let work = work.into_iter().take(scenario.work.unwrap_or(usize::MAX));
    let faults = faults.into_iter().filter(|planned| {
        let chosen = scenario.only.as_ref().is_none_or(|only| only.contains(&planned.number));
        chosen && !scenario.without.contains(&planned.fault.class())
    });
    let mut chance = Chance::of(seed, "looks");
    let looks = (1..=LOOKS).map(|look| (window * look / (LOOKS + 1), Event::Look(chance.place(nodes))));
    let mut timeline: Vec<(Millis, Event)> = looks.collect();
    timeline.extend(work.map(|planned| (planned.at, Event::Work(planned))));
    timeline.extend(faults.map(|planned| (planned.at, Event::Fault(planned))));
    timeline.sort_by_key(|(at, _)| *at);
    timeline
}

/// Waits until the nodes have come to rest, or for as long as they may take.
async fn rest(checks: &Checks, ledger: &Arc<Mutex<Ledger>>, people: &People) {
    let deadline = Instant::now() + REST_WITHIN;
    let mut still = 0;
    while Instant::now() < deadline && ledger.lock().violations.is_empty() && still < 2 {
        tokio::time::sleep(REST_LOOK).await;
        let busy = people.memory.lock().busy > 0;
        still = if busy || checks.unrest().is_some() { 0 } else { still + 1 };
    }
}

/// Whether somebody panicked on this thread.
fn panicked(ledger: &Arc<Mutex<Ledger>>) -> bool {
    let panics = PANICS.take();
    let found = !panics.is_empty();
    panics.into_iter().for_each(|panic| ledger.lock().broken(Invariant::NoPanic, panic));
    found
}
