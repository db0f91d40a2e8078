//! The operators' gRPC interface: for the command line and for automation. Handlers parse a request into the types of
//! the domain, put one command to the engine, and answer; reads go to the rows of the store. Touches the engine's
//! handle, and the rooms beside it through the traits of [`ports`].

mod alert_export;
mod alerts;
mod audit;
mod auth;
mod codes;
mod consents;
mod correction;
mod disclosures;
mod drafts;
mod entry_json;
mod errors;
mod events;
mod evidence;
mod feeds;
mod handovers;
mod json;
mod lanes;
mod origin;
mod overrides;
mod packages;
mod peers;
pub mod ports;
mod releaser;
mod reports;
mod retention;
mod safeguards;
mod server;
mod status;
mod subject;
#[cfg(test)]
mod tests;
mod thread;
mod watch;
mod withdrawals;

use std::{path::PathBuf, sync::Arc};

use parking_lot::Mutex;
use passerelle_domain::{
    catalogue::Role,
    decide::{Caller, Command, Context, Policy, Pseudonyms, Reply},
    entry::Actor,
    ids::EntryIndex,
    limits::LIST_PAGE_MAX,
    refusal::{Code, Fault, Refusal},
    signing::{PublicKey, Signer},
    society::Society,
    time::Time,
};
use passerelle_signature::Trusted;
use tokio::sync::{Semaphore, watch as changing};
use tonic::{Request, Response, Status};

use crate::{
    clock::Clock,
    engine::{self, limiter::Limiter},
    entropy::Entropy,
    metrics::{self, Metrics},
    store::view::View,
    supervise::{Spawner, offload},
};

pub use auth::{Operators, uid_of};
pub use server::{Listening, bind, serve_tcp, serve_unix};

use crate::documents::entry_and_content;
use errors::Refused;
use ports::{FeedView, LinkView, OriginReader, Packages, PeerBook, Upkeeping};

/// Roles that see cases: offers, consent records and where handovers stand. Node administrators do not.
const CASE_ROLES: [Role; 9] = [
    Role::DutyOfficer,
    Role::Caseworker,
    Role::Medical,
    Role::CpOfficer,
    Role::GbvOfficer,
    Role::Supervisor,
    Role::RflOfficer,
    Role::Dpo,
    Role::Auditor,
];
/// Rows that are looked at for a count at one look: a node with more counts the newest.
const COUNTED_MAX: usize = 20_000;
/// Rows of a page when the request does not say.
const PAGE_DEFAULT: u32 = 100;

/// What the interface is made of.
pub struct Parts {
    /// Our Society.
    pub own: Society,
    /// The engine.
    pub engine: engine::Handle,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Chance, for ids.
    pub entropy: Arc<dyn Entropy>,
    /// The pseudonyms of cases: the same as the engine's.
    pub pseudonyms: Pseudonyms,
    /// The node's signer. Nothing is signed here; a gate of a handover is asked with it.
    pub signer: Arc<dyn Signer + Send + Sync>,
    /// Every key with which this node has signed checkpoints, for verification.
    pub own_keys: Vec<PublicKey>,
    /// What the configuration allows with peers; the same as the engine's.
    pub policy: changing::Receiver<Arc<Policy>>,
    /// Who may call.
    pub operators: Operators,
    /// The bundles.
    pub peers: Arc<dyn PeerBook>,
    /// The links.
    pub links: Arc<dyn LinkView>,
    /// Retention.
    pub upkeep: Arc<dyn Upkeeping>,
    /// The vault.
    pub packages: Arc<dyn Packages>,
    /// Packages that lie elsewhere.
    pub origins: Arc<dyn OriginReader>,
    /// The public feed, and the sources that are polled.
    pub feeds: Arc<dyn FeedView>,
    /// The certificates by which signatures of foreign documents are verified.
    pub trusted: changing::Receiver<Option<Arc<Trusted>>>,
    /// The number on the cards of this Society.
    pub card_hotline: Option<String>,
    /// Folder of the data, whose disk is watched, and where a verification keeps its scratch store.
    pub data_dir: PathBuf,
    /// When the node started.
    pub started_at: Time,
    /// Starts the tasks of streams; its token ends them.
    pub spawner: Spawner,
    /// Figures.
    pub metrics: Metrics,
}

/// The services. Cheap to clone.
#[derive(Clone)]
pub struct Operator(Arc<Shared>);

struct Shared {
    parts: Parts,
    /// How many refusals of one caller are still written down.
    refusals: Mutex<Limiter>,
    /// One verification at a time: it takes as much of the node as it is given.
    verifying: Arc<Semaphore>,
}

impl std::ops::Deref for Operator {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}

impl Operator {
    /// The services made of their parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Shared { parts, refusals: Mutex::default(), verifying: Arc::new(Semaphore::new(1)) }))
    }

    /// Serves one request: who calls, what comes of it, and the record of a refusal that the engine did not give.
    async fn serve<M, T, F>(
        &self,
        name: &'static str,
        request: Request<M>,
        handle: impl FnOnce(Self, Caller, M) -> F + Send,
    ) -> Result<Response<T>, Status>
    where
        M: Send,
        F: Future<Output = Result<T, Refused>> + Send,
    {
        let caller = match self.operators.caller(&request) {
            Ok(caller) => caller,
            Err((actor, refusal)) => return Err(self.refuse(name, actor, refusal.into()).await),
        };
        let actor = caller.actor.clone();
        match handle(self.clone(), caller, request.into_inner()).await {
            Ok(answer) => Ok(Response::new(answer)),
            Err(refused) => Err(self.refuse(name, actor, refused).await),
        }
    }

    /// Records a refusal unless the journal has it, and makes the caller's error of it.
    async fn refuse(&self, request: &'static str, actor: Actor, refused: Refused) -> Status {
        let code = refused.code();
        if !refused.recorded && code.fault() != Fault::Node {
            let admitted = self.0.refusals.lock().admit(&actor, request, self.clock.now());
            if let Some(uncounted) = admitted {
                // A journal that cannot take the record is told of by the engine itself.
                let _ = self.engine.submit(Command::RecordRefusal { actor, request, code, uncounted }).await;
            }
        }
        self.metrics.refusal(code, metrics::Side::Own);
        refused.into_status()
    }

    /// Puts a command to the engine.
    async fn submit(&self, command: Command) -> Result<Reply, Refused> {
        self.engine.submit(command).await.map_err(Refused::by_engine)
    }

    /// The same, where the answer is only which entry says so.
    async fn submit_for_entry(&self, command: Command) -> Result<EntryIndex, Refused> {
        Ok(match self.submit(command).await? {
            Reply::Done { entry }
            | Reply::Alert { entry, .. }
            | Reply::Received { entry, .. }
            | Reply::Reading { entry, .. }
            | Reply::Replayed { entry, .. } => entry,
            // No operator asks for a call of a post on duty, and what came of a check is looked at where it is made.
            Reply::Escalated { .. } | Reply::CheckFailed { .. } => EntryIndex(self.engine.durable().borrow().entries),
        })
    }

    /// Runs what waits for a disk, or reads many rows, on a thread that may.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let operator = self.clone();
        offload(move || work(&operator))
            .await
            .unwrap_or_else(|_| Err(Refusal::new(Code::StoreFailed, "a task of the node failed; see its log")))
    }

    fn view(&self) -> View<'_> {
        self.engine.view()
    }

    /// What a gate is asked with at this moment.
    fn context<'a>(&'a self, view: &'a View<'a>, policy: &'a Policy) -> Context<'a> {
        let now = self.clock.now();
        Context {
            own: self.own,
            now,
            wall: now,
            next: EntryIndex(self.engine.durable().borrow().entries),
            facts: view,
            signer: &*self.signer,
            policy,
            pseudonyms: &self.pseudonyms,
        }
    }
}

/// How many rows a page has.
fn page_size(asked: u32) -> Result<usize, Refusal> {
    match asked {
        0 => Ok(PAGE_DEFAULT as usize),
        1..=LIST_PAGE_MAX => Ok(asked as usize),
        _ => Err(Refusal::new(Code::TooMany, format!("a page has at most {LIST_PAGE_MAX} rows")).at("page_size")),
    }
}

/// Reads a field that must be there.
fn needed<T: std::str::FromStr<Err = Refusal>>(field: &str, text: &str) -> Result<T, Refusal> {
    if text.is_empty() {
        return Err(Refusal::new(Code::MissingField, format!("{field} is missing")).at(field));
    }
    text.parse().map_err(|refusal: Refusal| refusal.at(field))
}

/// Reads a field that may be empty.
fn optional<T: std::str::FromStr<Err = Refusal>>(field: &str, text: &str) -> Result<Option<T>, Refusal> {
    if text.is_empty() { Ok(None) } else { needed(field, text).map(Some) }
}

/// Reads a list of codes.
fn each<T: std::str::FromStr<Err = Refusal>>(field: &str, texts: &[String]) -> Result<Vec<T>, Refusal> {
    texts.iter().enumerate().map(|(n, text)| needed(&format!("{field}[{n}]"), text)).collect()
}

/// Whole days from `now` until `until`; negative when that is past.
fn days_until(until: Time, now: Time) -> i32 {
    let days = |span: std::time::Duration| i32::try_from(span.as_secs() / 86_400).unwrap_or(i32::MAX);
    if until >= now { days(until.since(now)) } else { -1 - days(now.since(until)) }
}

/// An instant that may be absent, on the wire.
fn stamp(time: Option<Time>) -> Option<prost_types::Timestamp> {
    time.map(passerelle_proto::convert::timestamp)
}
