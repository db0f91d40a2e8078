//! The engine's loop: receive, decide, commit, reply. Synchronous, on a thread of its own; in a simulation a task among
//! the others, with the same turns.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::BoxFuture;
use passerelle_domain::{
    decide::{Command, Context, Decision, NewEntry, Policy, Reply, decide, refused},
    defect,
    entry::{Actor, Body, Entry, ForgetReason},
    envelope::Lane,
    fold,
    ids::{EntryIndex, EnvelopeId, Epoch, Position},
    limits::BATCH_COMMANDS_MAX,
    merkle::{Checkpoint, Frontier},
    refusal::{Code, Refusal},
    rows::{HeadRow, LaneOut, Row},
    society::Society,
    time::Time,
};
use tokio::sync::oneshot;

use crate::store::{
    Direction, Store, StoreError, keys,
    view::{View, decode, encode, failed},
};

#[cfg(feature = "defects")]
use super::defects;
use super::{Engine, Job, VIEWS_VERSION, followed, limiter::Limiter};

/// Replies that wait for the commit.
pub(super) type Waiting = Vec<(oneshot::Sender<Result<Reply, Refusal>>, Result<Reply, Refusal>)>;

/// A batch that was committed: the head after it, what it did that others follow, and the replies to give.
type Done = (HeadRow, News, Waiting);

/// What an engine that runs as a task awaits after each commit.
pub type Settle = Arc<dyn Fn() -> BoxFuture<'static, Result<(), StoreError>> + Send + Sync>;

impl Engine {
    /// Runs until every handle is gone, or until a commit fails: an engine that cannot persist must
    /// not go on.
    ///
    /// # Errors
    /// The failure of the store.
    pub fn run(mut self) -> Result<(), Refusal> {
        let (mut turns, begun) = Turns::begin(&self)?;
        self.publish(&begun.0, begun.1);
        while !turns.stopping
            && let Some(first) = self.jobs.blocking_recv()
        {
            let done = turns.take(&mut self, first)?;
            self.answer(done);
        }
        Ok(())
    }

    /// The same as a task of a runtime with one thread. After each commit `settle` is awaited, and only then anybody
    /// told: it stands for the time that a disk takes to make durable what was written.
    ///
    /// # Errors
    /// The failure of the store.
    pub async fn run_in_place(mut self, settle: Settle) -> Result<(), Refusal> {
        let (mut turns, begun) = Turns::begin(&self)?;
        settle().await.map_err(failed)?;
        self.publish(&begun.0, begun.1);
        while !turns.stopping
            && let Some(first) = self.jobs.recv().await
        {
            let done = turns.take(&mut self, first)?;
            settle().await.map_err(failed)?;
            self.answer(done);
        }
        Ok(())
    }

    /// Reads the head, or writes the first entry of a new store.
    fn begin(&self) -> Result<(HeadRow, News), Refusal> {
        let head = View::of(&*self.parts.store).head()?;
        let head = match head {
            Some(head) => head,
            None => {
                let head = first_head(self.parts.epoch);
                let mut batch = Batch::new(self, head);
                batch.decide(Command::Begin { epoch: self.parts.epoch }, &Policy::default())?;
                batch.view.put(keys::VIEWS_MADE.to_vec(), VIEWS_VERSION.to_be_bytes().to_vec());
                batch.commit()?.0
            }
        };
        Ok((head, News { lanes: stored_lanes(&*self.parts.store)?, ..News::default() }))
    }

    fn batch(&self, head: HeadRow, limiter: &mut Limiter, jobs: impl Iterator<Item = Job>) -> Result<Done, Refusal> {
        let policy = self.parts.policy.borrow().clone();
        let mut batch = Batch::new(self, head);
        for job in jobs {
            let (mut command, answer) = match job {
                Job::Decide { command, reply } => (command, reply),
                Job::Keep { key, value } => {
                    batch.view.put(key, value);
                    continue;
                }
                Job::Stop => break,
            };
            let (name, actor, subject) = (command.name(), command.actor(), command.subject());
            // Operators' refusals are counted where they are given; those of peers and callers here.
            if let Command::RecordRefusal { uncounted, .. } = &mut command
                && !matches!(actor, Actor::Operator(_) | Actor::Program(_))
            {
                let Some(before) = limiter.admit(&actor, name, batch.now) else {
                    batch.waiting.push((answer, Ok(Reply::Done { entry: batch.head.next() })));
                    continue;
                };
                *uncounted = uncounted.saturating_add(before);
            }
            let outcome = batch.decide(command, &policy);
            self.parts.metrics.command(name, outcome.as_ref().map_err(|refusal| refusal.code).err());
            let reply = match outcome {
                Ok(reply) => Ok(reply),
                // A store that fails leaves the batch half decided: stop before anything of it counts.
                Err(refusal) if refusal.code == Code::StoreFailed => return Err(refusal),
                Err(refusal) => {
                    if let Some(uncounted) = limiter.admit(&actor, name, batch.now) {
                        batch.refuse(actor, name, &refusal, subject, uncounted)?;
                    }
                    Err(refusal)
                }
            };
            batch.waiting.push((answer, reply));
        }
        let started = self.parts.clock.monotonic();
        defect!(AckBeforeSync => defects::answer(&mut batch.waiting));
        let (head, news, waiting) = batch.commit()?;
        self.parts.metrics.commit(waiting.len(), self.parts.clock.monotonic().saturating_sub(started));
        self.parts.metrics.journal_entries(head.frontier.size());
        Ok((head, news, waiting))
    }

    /// Tells everybody of a batch that is durable: who follows the journal, and who waits for an answer.
    fn answer(&self, (head, news, waiting): Done) {
        self.publish(&head, news);
        for (reply, outcome) in waiting {
            // Who no longer waits has gone away; what was decided stands all the same.
            let _ = reply.send(outcome);
        }
    }

    /// Says what is durable now: the head, and what the batch did that others follow.
    fn publish(&self, head: &HeadRow, news: News) {
        self.durable.change(|durable| {
            durable.entries = head.frontier.size();
            durable.time = head.time;
            durable.duties = durable.duties.max(news.duties);
            if !news.lanes.is_empty() {
                Arc::make_mut(&mut durable.queued).extend(news.lanes);
            }
        });
        for entry in news.case_work {
            // Nobody may follow it yet: whoever begins to, looks at all cases first.
            let _ = self.case_work.send(entry);
        }
    }
}

/// The turns of an engine: what it keeps from one batch to the next.
struct Turns {
    head: HeadRow,
    limiter: Limiter,
    jobs: Vec<Job>,
    stopping: bool,
}

impl Turns {
    /// Ready for the first job, with what is to be published before it.
    fn begin(engine: &Engine) -> Result<(Self, (HeadRow, News)), Refusal> {
        let (head, news) = engine.begin()?;
        let jobs = Vec::with_capacity(BATCH_COMMANDS_MAX);
        Ok((Self { head: head.clone(), limiter: Limiter::default(), jobs, stopping: false }, (head, news)))
    }

    /// Decides and commits a job and those that wait behind it.
    fn take(&mut self, engine: &mut Engine, first: Job) -> Result<Done, Refusal> {
        self.jobs.push(first);
        while self.jobs.len() < BATCH_COMMANDS_MAX
            && let Ok(job) = engine.jobs.try_recv()
        {
            self.jobs.push(job);
        }
        if let Some(at) = self.jobs.iter().position(|job| matches!(job, Job::Stop)) {
            // Who comes after the stop is told so, as the reply's sender is dropped.
            self.jobs.truncate(at);
            self.stopping = true;
        }
        let done = engine.batch(self.head.clone(), &mut self.limiter, self.jobs.drain(..))?;
        self.head = done.0.clone();
        Ok(done)
    }
}

/// Last positions given, by peer and lane.
type Lanes = BTreeMap<(Society, Lane), Position>;

/// What a batch did that others follow.
#[derive(Default)]
struct News {
    lanes: Lanes,
    /// One more than the index of its last entry after which something may become due of an alert.
    duties: u64,
    /// Its entries that may call for work on a case.
    case_work: Vec<EntryIndex>,
}

fn stored_lanes(store: &dyn Store) -> Result<Lanes, Refusal> {
    let (from, until) = keys::all(b'q');
    let mut lanes = Lanes::new();
    for pair in store.scan(&from, &until, Direction::Forward) {
        let (key, value) = pair.map_err(failed)?;
        if let (Some(peer), Some(lane)) = (keys::society(&key), keys::lane(&key)) {
            lanes.insert((peer, lane), decode::<LaneOut>(&value)?.queued);
        }
    }
    Ok(lanes)
}

/// The head of a journal that has no entry yet.
fn first_head(epoch: Epoch) -> HeadRow {
    HeadRow { epoch, previous: Default::default(), time: Time::default(), frontier: Frontier::default() }
}

/// One batch: what it has decided, over the store, until it is committed.
struct Batch<'a> {
    engine: &'a Engine,
    view: View<'a>,
    head: HeadRow,
    now: Time,
    wall: Time,
    news: News,
    waiting: Waiting,
}

impl<'a> Batch<'a> {
    fn new(engine: &'a Engine, head: HeadRow) -> Self {
        // Journal time never runs backwards, whatever the clock does.
        let wall = engine.parts.clock.now();
        let now = defect!(TimeBackwards => wall, else wall.max(head.time));
        let view = View::of(&*engine.parts.store);
        Self { engine, view, head, now, wall, news: News::default(), waiting: Vec::new() }
    }

    fn context<'b>(&'b self, policy: &'b Policy) -> Context<'b> {
        Context {
            own: self.engine.parts.own,
            now: self.now,
            wall: self.wall,
            next: self.head.next(),
            facts: &self.view,
            signer: &*self.engine.parts.signer,
            policy,
            pseudonyms: &self.engine.parts.pseudonyms,
        }
    }

    fn decide(&mut self, command: Command, policy: &Policy) -> Result<Reply, Refusal> {
        let actor = command.actor();
        let decision = decide(&self.context(policy), command)?;
        self.write(actor, decision)
    }

    fn refuse(
        &mut self,
        actor: Actor,
        request: &str,
        refusal: &Refusal,
        subject: Option<EnvelopeId>,
        uncounted: u32,
    ) -> Result<(), Refusal> {
        let decision = refused(&self.context(&Policy::default()), request, refusal.code, subject, uncounted);
        self.write(actor, decision).map(|_| ())
    }

    /// Appends the entries of a decision and folds them into rows.
    fn write(&mut self, actor: Actor, decision: Decision) -> Result<Reply, Refusal> {
        for NewEntry { body, object, content, residues } in decision.entries {
            let index = self.head.next();
            let entry = Entry { index, time: self.now, actor: actor.clone(), previous: self.head.previous, body };
            let bytes = entry.to_bytes();
            self.head.previous = Entry::hash_of(&bytes);
            self.head.time = self.now;
            self.head.frontier.append(self.head.previous);
            self.view.put_entry(index, bytes, object);
            for row in fold::rows(self.engine.parts.own, &self.view, &entry, content.as_ref())? {
                defect!(FoldDiffers => if matches!(row, Row::Ack(..)) { continue });
                self.view.put_row(&row)?;
                if let Row::LaneOut(peer, lane, out) = &row {
                    self.news.lanes.insert((*peer, *lane), out.queued);
                }
                if followed::is_duty(&row) {
                    self.news.duties = index.0 + 1;
                }
            }
            if followed::is_case_work(&entry.body) {
                self.news.case_work.push(index);
            }
            // What a published draft says stands in its alert: there is nothing to be rid of.
            if matches!(entry.body, Body::Forgotten { reason, .. } if reason != ForgetReason::Published) {
                self.note_removal()?;
            }
            for (index, residue) in residues {
                self.view.replace_object(index, &residue.to_stored())?;
            }
        }
        Ok(decision.reply)
    }

    /// Something was removed from an object: since when that may stand in the engine's log, the earliest moment counts.
    fn note_removal(&mut self) -> Result<(), Refusal> {
        if self.engine.parts.store.get(keys::REMOVED).map_err(failed)?.is_none() {
            self.view.put(keys::REMOVED.to_vec(), self.now.millis().to_be_bytes().to_vec());
        }
        Ok(())
    }

    /// Makes all of it durable.
    fn commit(self) -> Result<Done, Refusal> {
        let Self { engine, mut view, head, news, waiting, .. } = self;
        if view.is_dirty() {
            let checkpoint =
                Checkpoint { society: engine.parts.own, size: head.frontier.size(), root: head.frontier.root() };
            view.put(keys::CHECKPOINT.to_vec(), checkpoint.sign(&*engine.parts.signer).into_bytes());
            view.put(keys::HEAD.to_vec(), encode(&head));
            let rows = view.into_batch().map_err(failed)?;
            let rest = defect!(CursorFirst => defects::first(engine, rows, |kind| kind == b'r')?, else rows);
            let batch = defect!(OutboxLast => defects::first(engine, rest, |kind| !b"qT".contains(&kind))?, else rest);
            engine.parts.store.commit(batch).map_err(failed)?;
        }
        Ok((head, news, waiting))
    }
}
