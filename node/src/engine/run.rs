//! The engine's loop: receive, decide, commit, reply. Synchronous, on a thread of its own.

use std::{collections::BTreeMap, sync::Arc};

use passerelle_domain::{
    decide::{Command, Context, Decision, NewEntry, Policy, Reply, decide, refused},
    entry::{Actor, Body, Entry, ForgetReason},
    envelope::Lane,
    fold,
    ids::{EnvelopeId, Epoch, Position},
    limits::BATCH_COMMANDS_MAX,
    merkle::{Checkpoint, Frontier},
    refusal::{Code, Refusal},
    rows::{HeadRow, LaneOut, Row},
    society::Society,
    time::Time,
};
use tokio::sync::oneshot;

use crate::store::{
    Direction, Store, keys,
    view::{View, decode, encode, failed},
};

use super::{Engine, Job, VIEWS_VERSION, limiter::Limiter};

/// Replies that wait for the commit.
type Waiting = Vec<(oneshot::Sender<Result<Reply, Refusal>>, Result<Reply, Refusal>)>;

impl Engine {
    /// Runs until every handle is gone, or until a commit fails: an engine that cannot persist must
    /// not go on.
    ///
    /// # Errors
    /// The failure of the store.
    pub fn run(mut self) -> Result<(), Refusal> {
        let mut head = self.begin()?;
        let mut limiter = Limiter::default();
        let mut jobs = Vec::with_capacity(BATCH_COMMANDS_MAX);
        let mut stopping = false;
        while !stopping && let Some(first) = self.jobs.blocking_recv() {
            jobs.push(first);
            while jobs.len() < BATCH_COMMANDS_MAX
                && let Ok(job) = self.jobs.try_recv()
            {
                jobs.push(job);
            }
            if let Some(at) = jobs.iter().position(|job| matches!(job, Job::Stop)) {
                // Who comes after the stop is told so, as the reply's sender is dropped.
                jobs.truncate(at);
                stopping = true;
            }
            head = self.batch(head, &mut limiter, jobs.drain(..))?;
        }
        Ok(())
    }

    /// Reads the head, or writes the first entry of a new store.
    fn begin(&self) -> Result<HeadRow, Refusal> {
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
        self.publish(&head, stored_lanes(&*self.parts.store)?);
        Ok(head)
    }

    fn batch(&self, head: HeadRow, limiter: &mut Limiter, jobs: impl Iterator<Item = Job>) -> Result<HeadRow, Refusal> {
        let policy = self.parts.policy.borrow().clone();
        let mut batch = Batch::new(self, head);
        for job in jobs {
            let (command, answer) = match job {
                Job::Decide { command, reply } => (command, reply),
                Job::Keep { key, value } => {
                    batch.view.put(key, value);
                    continue;
                }
                Job::Stop => break,
            };
            let (name, actor, subject) = (command.name(), command.actor(), command.subject());
            // Operators' refusals are counted where they are given; those of peers and callers here.
            let foreign = matches!(command, Command::RecordRefusal { .. })
                && !matches!(actor, Actor::Operator(_) | Actor::Program(_));
            if foreign && limiter.admit(&actor, batch.now).is_none() {
                batch.waiting.push((answer, Ok(Reply::Done { entry: batch.head.next() })));
                continue;
            }
            let outcome = batch.decide(command, &policy);
            self.parts.metrics.command(name, outcome.as_ref().map_err(|refusal| refusal.code).err());
            let reply = match outcome {
                Ok(reply) => Ok(reply),
                // A store that fails leaves the batch half decided: stop before anything of it counts.
                Err(refusal) if refusal.code == Code::StoreFailed => return Err(refusal),
                Err(refusal) => {
                    if let Some(uncounted) = limiter.admit(&actor, batch.now) {
                        batch.refuse(actor, name, &refusal, subject, uncounted)?;
                    }
                    Err(refusal)
                }
            };
            batch.waiting.push((answer, reply));
        }
        let started = self.parts.clock.monotonic();
        let (head, lanes, waiting) = batch.commit()?;
        self.parts.metrics.commit(waiting.len(), self.parts.clock.monotonic().saturating_sub(started));
        self.parts.metrics.journal_entries(head.frontier.size());
        self.publish(&head, lanes);
        for (reply, outcome) in waiting {
            // Who no longer waits has gone away; what was decided stands all the same.
            let _ = reply.send(outcome);
        }
        Ok(head)
    }

    /// Says what is durable now: the head, and the lanes that the batch went on with.
    fn publish(&self, head: &HeadRow, lanes: Lanes) {
        self.durable.send_modify(|durable| {
            durable.entries = head.frontier.size();
            durable.time = head.time;
            if !lanes.is_empty() {
                Arc::make_mut(&mut durable.queued).extend(lanes);
            }
        });
    }
}

/// Last positions given, by peer and lane.
type Lanes = BTreeMap<(Society, Lane), Position>;

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
    lanes: Lanes,
    waiting: Waiting,
}

impl<'a> Batch<'a> {
    fn new(engine: &'a Engine, head: HeadRow) -> Self {
        // Journal time never runs backwards, whatever the clock does.
        let now = engine.parts.clock.now().max(head.time);
        Self { engine, view: View::of(&*engine.parts.store), head, now, lanes: Lanes::new(), waiting: Vec::new() }
    }

    fn context<'b>(&'b self, policy: &'b Policy) -> Context<'b> {
        Context {
            own: self.engine.parts.own,
            now: self.now,
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
            self.view.put(keys::entry(index), bytes);
            for row in fold::rows(self.engine.parts.own, &self.view, &entry, content.as_ref())? {
                self.view.put_row(&row);
                if let Row::LaneOut(peer, lane, out) = &row {
                    self.lanes.insert((*peer, *lane), out.queued);
                }
            }
            if let Some(object) = object {
                self.view.put_object(index, &object);
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
    fn commit(self) -> Result<(HeadRow, Lanes, Waiting), Refusal> {
        let Self { engine, mut view, head, lanes, waiting, .. } = self;
        if view.is_dirty() {
            let checkpoint =
                Checkpoint { society: engine.parts.own, size: head.frontier.size(), root: head.frontier.root() };
            view.put(keys::CHECKPOINT.to_vec(), checkpoint.sign(&*engine.parts.signer).into_bytes());
            view.put(keys::HEAD.to_vec(), encode(&head));
            let batch = view.into_batch().map_err(failed)?;
            engine.parts.store.commit(batch).map_err(failed)?;
        }
        Ok((head, lanes, waiting))
    }
}
