//! The desk that does with alerts what is due by the node's clock: calls posts on duty when nobody has acknowledged an
//! alert in time, and shows updates that have waited long enough. Reads rows; changes them through the engine alone,
//! which begins no call twice, whatever the number of restarts.

mod calls;
mod hook;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use passerelle_domain::{
    alert::life::{State, orphan_wait_ends},
    decide::{Command, Reply, waits_for_answer},
    entry::HookOutcome,
    facts::Facts as _,
    fold::{self, Content},
    ids::{AlertId, EntryIndex},
    limits::ANSWER_SECONDS_DEFAULT,
    refusal::{Code, Refusal},
    rows::AlertRow,
    society::Society,
    time::Time,
};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    answers,
    clock::Clock,
    config::Duty,
    engine,
    metrics::Metrics,
    store::{Direction, keys, view::decode},
    supervise::offload,
};

use calls::{Calls, Ended, HOUR, Outcome};

/// How often the clock and the journal are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// When what could not be read or done is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// The desk.
pub struct Desk {
    own: Society,
    engine: engine::Handle,
    clock: Arc<dyn Clock>,
    posts: watch::Receiver<Arc<Vec<Duty>>>,
    metrics: Metrics,
    /// Whether every alert of which something is due was found, but those that stand in `due` or follow in the journal.
    stocked: bool,
    /// When each alert is to be looked at again.
    due: BTreeMap<AlertId, Time>,
    /// Alerts that ask to be acknowledged and still wait for somebody.
    asking: BTreeSet<AlertId>,
    /// Who owed an answer beyond its time when that was last counted.
    overdue: BTreeSet<Society>,
    /// The calls that are under way, and those of the last hour.
    calls: Calls,
}

/// A call that is due.
struct Call {
    id: AlertId,
    row: AlertRow,
    step: u32,
    at: Time,
}

impl Desk {
    /// A desk with its duty list.
    #[must_use]
    pub fn new(
        own: Society,
        engine: engine::Handle,
        clock: Arc<dyn Clock>,
        posts: watch::Receiver<Arc<Vec<Duty>>>,
        metrics: Metrics,
    ) -> Self {
        let (due, asking, overdue, calls) = Default::default();
        Self { own, engine, clock, posts, metrics, stocked: false, due, asking, overdue, calls }
    }

    /// Keeps the desk until `end`. What became due while the node was off is found by the first look.
    pub async fn keep(mut self, end: CancellationToken) {
        let mut next = self.engine.durable().borrow().entries;
        loop {
            tokio::select! {
                biased;
                () = end.cancelled() => return,
                () = self.act() => {}
            }
            if let Err(refusal) = self.count_overdue() {
                tracing::error!(code = %refusal.code, "alerts that wait for an answer could not be counted");
            }
            tokio::select! {
                biased;
                () = end.cancelled() => return,
                over = self.calls.next() => self.over(over).await,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let (entries, duties) = {
                let durable = self.engine.durable();
                let durable = durable.borrow();
                (durable.entries, durable.duties)
            };
            // Of most alerts nothing ever becomes due: they are not read again.
            for index in next..duties {
                self.follow(EntryIndex(index));
            }
            next = entries;
        }
    }

    /// Does all that is due now.
    async fn act(&mut self) {
        if !self.stocked {
            match self.take_stock().await {
                Ok(()) => self.stocked = true,
                Err(refusal) => {
                    tracing::error!(code = %refusal.code, "alerts that wait for an answer could not be read; they are read again");
                }
            }
        }
        let now = self.clock.now();
        let ready: Vec<AlertId> = self.due.iter().filter(|(_, at)| **at <= now).map(|(id, _)| *id).collect();
        let mut calls = Vec::new();
        for id in ready {
            self.due.remove(&id);
            match self.act_on(id, now).await {
                Ok(Some(call)) => calls.push(call),
                Ok(None) => self.note(id),
                Err(refusal) => self.later(id, &refusal),
            }
        }
        calls.sort_by_key(|call| (call.row.severity, call.at, call.id));
        for call in calls {
            let id = call.id;
            match self.call(call).await {
                Ok(true) => self.note(id),
                // There is no room for it yet.
                Ok(false) => drop(self.due.insert(id, now)),
                Err(refusal) => self.later(id, &refusal),
            }
        }
    }

    /// What could not be done is not forgotten.
    fn later(&mut self, id: AlertId, refusal: &Refusal) {
        tracing::warn!(alert = %id, code = %refusal.code, "what is due of an alert could not be done; it is tried again");
        self.due.insert(id, self.clock.now().plus(AGAIN_AFTER));
    }

    /// Every alert of which something is due, now or later. A row that is damaged is named, and keeps no other from being
    /// found.
    async fn take_stock(&mut self) -> Result<(), Refusal> {
        let (store, now) = (self.engine.store().clone(), self.clock.now());
        let found = offload(move || {
            let (from, until) = keys::all(b'a');
            let mut found = Vec::new();
            for pair in store.scan(&from, &until, Direction::Forward) {
                let (key, value) = pair?;
                let Some(id) = keys::id_bytes(&key).map(AlertId::from_bytes) else { continue };
                match decode::<AlertRow>(&value) {
                    Ok(row) if row.ack.is_some() && row.expires_at > now || row.state == State::HeldOrphan => {
                        found.push(id);
                    }
                    Ok(_) => {}
                    Err(_) => {
                        tracing::error!(alert = %id, "the row of an alert is damaged: make the views anew with rebuild")
                    }
                }
            }
            Ok::<_, Refusal>(found)
        });
        let failed = |_| Refusal::new(Code::StoreFailed, "a task of the node failed; see its log");
        for id in found.await.map_err(failed)?? {
            self.note(id);
        }
        Ok(())
    }

    /// Something new is known of the alert that an entry is about.
    fn follow(&mut self, index: EntryIndex) {
        match self.engine.view().entry(index) {
            Ok(entry) => {
                if let Some(subject) = entry.and_then(|entry| entry.body.subject()) {
                    self.note(subject.into());
                }
            }
            Err(refusal) => {
                tracing::error!(code = %refusal.code, entry = index.0, "an entry could not be read; all alerts are read again");
                self.stocked = false;
            }
        }
    }

    /// Notes when something of an alert is due.
    fn note(&mut self, id: AlertId) {
        match self.due_at(id) {
            Ok(Some(at)) => drop(self.due.insert(id, at)),
            Ok(None) => drop(self.due.remove(&id)),
            Err(refusal) => self.later(id, &refusal),
        }
    }

    fn due_at(&mut self, id: AlertId) -> Result<Option<Time>, Refusal> {
        let Some(row) = self.engine.view().alert(id)? else { return Ok(None) };
        if row.ack.is_some() {
            self.asking.insert(id);
        }
        let orphan = row.held_since.filter(|_| row.state == State::HeldOrphan).map(orphan_wait_ends);
        let call = self.next_call(&row, id)?.map(|(_, at)| at);
        Ok(orphan.into_iter().chain(call).min())
    }

    /// Counts who owes answers beyond their time. What is settled is left out until something new is known of it.
    fn count_overdue(&mut self) -> Result<(), Refusal> {
        let (view, now) = (self.engine.view(), self.clock.now());
        let (mut settled, mut counts) = (BTreeSet::new(), BTreeMap::<Society, u64>::new());
        for id in &self.asking {
            let row = view.alert(*id)?;
            let missing = row.as_ref().map(|row| answers::missing(&view, self.own, *id, row, now)).transpose()?;
            match row.zip(missing).filter(|(_, missing)| !missing.is_empty()) {
                None => drop(settled.insert(*id)),
                Some((row, missing)) if answers::are_due(&row, now) => {
                    missing.into_iter().for_each(|society| *counts.entry(society).or_default() += 1);
                }
                Some(_) => {}
            }
        }
        self.asking.retain(|id| !settled.contains(id));
        for answered in self.overdue.iter().filter(|society| !counts.contains_key(society)) {
            self.metrics.answers_overdue(*answered, 0);
        }
        counts.iter().for_each(|(society, alerts)| self.metrics.answers_overdue(*society, *alerts));
        self.overdue = counts.into_keys().collect();
        Ok(())
    }

    /// Which call comes next for an alert, and when. None while one is under way.
    fn next_call(&self, row: &AlertRow, id: AlertId) -> Result<Option<(u32, Time)>, Refusal> {
        let view = self.engine.view();
        let answered = row.origin == self.own || view.ack(id, self.own)?.is_some();
        if self.calls.is_under_way(id) || !waits_for_answer(row, self.own, answered, self.clock.now()) {
            return Ok(None);
        }
        let posts = self.posts.borrow().clone();
        let Some(last) = &row.escalation else {
            let received = view.entry(row.entry)?.map(|entry| entry.time).unwrap_or_default();
            let by = row.ack.and_then(|ack| ack.by);
            let first = by.unwrap_or_else(|| received.plus(Duration::from_secs(ANSWER_SECONDS_DEFAULT)));
            return Ok((!posts.is_empty()).then_some((1, first)));
        };
        if last.outcome.is_none() {
            // Begun before a restart: its end is to be written down.
            return Ok(Some((last.step, last.at)));
        }
        let called = usize::try_from(last.step).unwrap_or(usize::MAX);
        let wait = called.checked_sub(1).and_then(|at| posts.get(at)).map_or(HOUR, |post| post.wait);
        Ok((called < posts.len()).then(|| (last.step + 1, last.at.plus(wait))))
    }

    /// Does what is due of an alert, but for the call that is to be made.
    async fn act_on(&mut self, id: AlertId, now: Time) -> Result<Option<Call>, Refusal> {
        let Some(row) = self.engine.view().alert(id)? else { return Ok(None) };
        if row.held_since.is_some_and(|since| now >= orphan_wait_ends(since)) {
            self.engine.submit(Command::ReleaseOrphan { alert: id }).await?;
        }
        let Some((step, at)) = self.next_call(&row, id)?.filter(|(_, at)| *at <= now) else { return Ok(None) };
        if row.escalation.as_ref().is_some_and(|last| last.step == step) {
            self.ended(id, step, (HookOutcome::Interrupted, None)).await?;
            return Ok(None);
        }
        Ok(Some(Call { id, row, step, at }))
    }

    /// Begins a call, unless as many hooks run as may at once: whether it need not be looked at again now.
    async fn call(&mut self, Call { id, row, step, at }: Call) -> Result<bool, Refusal> {
        let post = step.checked_sub(1).and_then(|n| self.posts.borrow().get(n as usize).cloned());
        let Some(post) = post else { return Ok(true) };
        let now = self.clock.monotonic();
        let runs = !post.hook.is_empty() && self.calls.may_call(now);
        if runs && !self.calls.has_room(row.severity) {
            return Ok(false);
        }
        let begun = self.engine.submit(Command::Escalate { alert: id, step, post: post.post.clone() }).await?;
        if begun != (Reply::Escalated { call: true }) {
            return Ok(true);
        }
        tracing::warn!(alert = %id, post = post.post, step, due = %at, "nobody has acknowledged an alert in time");
        if runs {
            let told = self.told(id, &row, step, &post).to_string();
            self.calls.begin((id, step, row.severity), now, post.hook, told);
        } else {
            let outcome = if post.hook.is_empty() { HookOutcome::NoHook } else { HookOutcome::RateLimited };
            self.ended(id, step, (outcome, None)).await?;
        }
        Ok(true)
    }

    /// Writes down what became of a call.
    async fn over(&mut self, Ended { alert, step, outcome }: Ended) {
        match self.ended(alert, step, outcome).await {
            Ok(()) => self.note(alert),
            Err(refusal) => self.later(alert, &refusal),
        }
    }

    async fn ended(&mut self, alert: AlertId, step: u32, (outcome, status): Outcome) -> Result<(), Refusal> {
        self.metrics.escalation(outcome.as_str());
        self.engine.submit(Command::EndEscalation { alert, step, outcome, status }).await.map(|_| ())
    }

    /// What the alert says first. A call is made also where that cannot be read.
    fn headline(&self, id: AlertId, row: &AlertRow) -> Option<String> {
        let view = self.engine.view();
        let content = || {
            let (entry, object) = (view.entry(row.entry)?, view.object(row.entry)?);
            entry.zip(object).map(|(entry, object)| fold::content(&entry.body, &object)).transpose()
        };
        match content() {
            Ok(Some(Content::Alert(alert))) => alert.texts.first().map(|text| text.headline.clone()),
            Ok(_) => None,
            Err(refusal) => {
                tracing::error!(alert = %id, code = %refusal.code, "what an alert says could not be read; the call is made without");
                None
            }
        }
    }

    /// What the hook is told. An alert never identifies a person, and so neither does this.
    fn told(&self, id: AlertId, row: &AlertRow, step: u32, post: &Duty) -> serde_json::Value {
        json!({
            "society": self.own, "post": post.post, "step": step,
            "alert": {
                "id": id, "origin": row.origin, "mode": row.mode, "event": row.event, "severity": row.severity,
                "urgency": row.urgency, "headline": self.headline(id, row), "sent_at": row.sent_at,
                "expires_at": row.expires_at, "ack_by": row.ack.and_then(|ack| ack.by),
            },
        })
    }
}
