//! What people do at the nodes while everything breaks: they raise alerts and bring cases over, try again when a node does
//! not answer, and remember what they were told. The plan of it comes from the seed.

mod alerts;
mod cases;
mod onward;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use passerelle_domain::{
    catalogue::Role,
    decide::{Caller, Command, Reply},
    entry::Actor,
    ids::{AlertId, EntryIndex, IdEntropy},
    refusal::Code,
    time::Time,
};
use passerelle_node::clock::Clock as _;

use super::{
    chance::Chance,
    invariants::Invariant,
    ledger::Ledger,
    network::paths::Millis,
    site::{OPERATOR, Site, Up},
};

pub use alerts::AlertFact;
pub use cases::{CaseFact, Twist};

/// How long a person waits for an answer of a node.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// The pause before they try again, and how often they do.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
const TRIES: usize = 6;

/// One thing that somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Publishes an alert; an urgent one is real and severe, a brief one expires within the simulation.
    Raise {
        /// Where.
        node: usize,
        /// In which lane it goes.
        urgent: bool,
        /// Whether it expires soon.
        brief: bool,
    },
    /// Updates an alert of this node.
    Update {
        /// Where.
        node: usize,
    },
    /// Cancels an alert of this node.
    Cancel {
        /// Where.
        node: usize,
    },
    /// Redacts an alert of this node.
    Redact {
        /// Where.
        node: usize,
    },
    /// Acknowledges an alert of another.
    Acknowledge {
        /// Where.
        node: usize,
    },
    /// Hands a case over.
    Case {
        /// From where.
        from: usize,
        /// To where.
        to: usize,
        /// What is special about it.
        twist: Twist,
    },
}

/// Work at a virtual time, with chance of its own.
#[derive(Clone, Debug)]
pub struct Planned {
    /// When.
    pub at: Millis,
    /// What.
    pub work: Work,
    /// What it draws from.
    pub chance: Chance,
}

/// What people remember.
#[derive(Default)]
pub struct Memory {
    /// Alerts that were acknowledged.
    pub alerts: Vec<AlertFact>,
    /// Cases of which something was acknowledged.
    pub cases: Vec<CaseFact>,
    /// Work under way.
    pub busy: usize,
}

/// The people.
#[derive(Clone)]
pub struct People {
    /// The machines.
    pub sites: Arc<Vec<Arc<Site>>>,
    /// What is known.
    pub ledger: Arc<Mutex<Ledger>>,
    /// What they remember.
    pub memory: Arc<Mutex<Memory>>,
}

/// The work of a simulation that goes on for `span`.
#[must_use]
pub fn plan(seed: u64, nodes: usize, span: Millis, amount: u64) -> Vec<Planned> {
    let mut chance = Chance::of(seed, "work");
    let mut planned: Vec<Planned> = (0..amount)
        .map(|number| {
            let at = chance.below(span);
            let node = chance.place(nodes);
            let work = match chance.below(22) {
                0..=8 => Work::Raise { node, urgent: chance.permille(300), brief: chance.permille(100) },
                9..=10 => Work::Update { node },
                11..=12 => Work::Cancel { node },
                13 => Work::Redact { node },
                14..=15 => Work::Acknowledge { node },
                other => {
                    let to = chance.other(nodes, node);
                    // What needs a line that is down at the right moment comes to nothing often, and is tried oftener.
                    let twists = if other < 20 { Twist::ALL } else { Twist::UNSENT };
                    Work::Case { from: node, to, twist: *chance.pick(twists) }
                }
            };
            Planned { at, work, chance: Chance::of(seed, &format!("work {number}")) }
        })
        .collect();
    planned.sort_by_key(|planned| planned.at);
    planned
}

impl People {
    /// Does one thing, with as much patience as people have.
    pub async fn work(self, work: Work, chance: Chance) {
        self.memory.lock().busy += 1;
        match work {
            Work::Raise { node, urgent, brief } => self.raise(node, urgent, brief, chance).await,
            Work::Update { node } => self.update(node, chance).await,
            Work::Cancel { node } => self.cancel(node, chance).await,
            Work::Redact { node } => self.redact(node, chance).await,
            Work::Acknowledge { node } => self.acknowledge(node, chance).await,
            Work::Case { from, to, twist } => self.case(from, to, twist, chance).await,
        }
        self.memory.lock().busy -= 1;
    }

    fn now(&self) -> Millis {
        self.ledger.lock().trace.now()
    }

    fn clock(&self, node: usize) -> Time {
        self.sites[node].clock.now()
    }

    fn tell(&self, node: usize, what: std::fmt::Arguments<'_>) {
        self.ledger.lock().tell(node, what);
    }

    /// Puts a command to a node, again and again until it is answered for good.
    async fn command(&self, node: usize, what: &str, command: Command) -> Result<Reply, String> {
        let once = |up: Up| {
            let command = command.clone();
            async move {
                up.node.engine.submit(command).await.map_err(|refusal| {
                    let again = refusal.code.retryable() || matches!(refusal.code, Code::StoreFailed | Code::DiskFull);
                    (refusal.code.to_string(), again)
                })
            }
        };
        let reply = self.patiently(node, what, once).await?;
        self.acknowledged(node, entry_of(&reply));
        Ok(reply)
    }

    /// Asks a node, again and again until it answers for good: a refusal comes with whether to ask again.
    async fn patiently<T, F>(&self, node: usize, what: &str, once: impl Fn(Up) -> F) -> Result<T, String>
    where
        F: Future<Output = Result<T, (String, bool)>>,
    {
        let mut last = "the node was never up".to_owned();
        for _ in 0..TRIES {
            let Some(up) = self.sites[node].up() else {
                tokio::time::sleep(AGAIN_AFTER).await;
                continue;
            };
            match tokio::time::timeout(ANSWER_WITHIN, once(up)).await {
                Ok(Ok(answer)) => {
                    self.tell(node, format_args!("people: {what} is acknowledged"));
                    self.ledger.lock().counts.acknowledged += 1;
                    return Ok(answer);
                }
                Ok(Err((code, again))) => {
                    self.ledger.lock().counts.refused += 1;
                    self.tell(node, format_args!("people: {what} is refused: {code}"));
                    last = code;
                    if !again {
                        break;
                    }
                }
                Err(_) => self.tell(node, format_args!("people: {what} is not answered")),
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
        Err(last)
    }

    /// An answer means that it is durable, now.
    fn acknowledged(&self, node: usize, entry: Option<EntryIndex>) {
        let mut ledger = self.ledger.lock();
        let durable = ledger.journals[node].ever_durable;
        if let Some(entry) = entry.filter(|entry| entry.0 >= durable) {
            let society = self.sites[node].society;
            let text = format!("{society} answered with entry {}, and {durable} were durable", entry.0);
            ledger.broken(Invariant::AcknowledgedKept, text);
        }
    }
}

fn entry_of(reply: &Reply) -> Option<EntryIndex> {
    match reply {
        Reply::Alert { entry, .. }
        | Reply::Received { entry, .. }
        | Reply::Reading { entry, .. }
        | Reply::Replayed { entry, .. }
        | Reply::Done { entry } => Some(*entry),
        Reply::Escalated { .. } | Reply::CheckFailed { .. } => None,
    }
}

/// The person at the node, who may do everything.
fn person() -> Caller {
    Caller { actor: Actor::Operator(OPERATOR.to_owned()), roles: Role::ALL.to_vec() }
}

fn entropy(chance: &mut Chance) -> IdEntropy {
    let mut entropy = IdEntropy::default();
    entropy.iter_mut().for_each(|byte| *byte = u8::try_from(chance.below(256)).unwrap_or(0));
    entropy
}

fn alert_id(now: Time, chance: &mut Chance) -> AlertId {
    AlertId::new(now, entropy(chance))
}
