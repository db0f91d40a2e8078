//! The desk that does with alerts what is due by the node's clock: calls posts on duty when nobody has acknowledged an
//! alert in time, and shows updates that have waited long enough. Reads rows; changes them through the engine alone,
//! which begins no call twice, whatever the number of restarts.

mod hook;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
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
    limits::{ANSWER_SECONDS_DEFAULT, HOOKS_AN_HOUR_MAX},
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

/// How often the clock and the journal are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The span over which calls are counted.
const HOUR: Duration = Duration::from_secs(3_600);

/// The desk.
pub struct Desk {
    own: Society,
    engine: engine::Handle,
    clock: Arc<dyn Clock>,
    posts: watch::Receiver<Arc<Vec<Duty>>>,
    metrics: Metrics,
    /// When each alert is to be looked at again.
    due: BTreeMap<AlertId, Time>,
    /// Alerts that ask to be acknowledged and still wait for somebody.
    asking: BTreeSet<AlertId>,
    /// Who owed an answer beyond its time when that was last counted.
    overdue: BTreeSet<Society>,
    /// When the calls of the last hour were made, on the monotonic clock.
    calls: VecDeque<Duration>,
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
        Self { own, engine, clock, posts, metrics, due, asking, overdue, calls }
    }

    /// Keeps the desk until `end`. What became due while the node was off is found by the first look.
    pub async fn keep(mut self, end: CancellationToken) {
        let mut next = self.engine.durable().borrow().entries;
        if let Err(refusal) = self.take_stock().await {
            tracing::error!(code = %refusal.code, "alerts that wait for an answer could not be read");
        }
        loop {
            let now = self.clock.now();
            let ready: Vec<AlertId> = self.due.iter().filter(|(_, at)| **at <= now).map(|(id, _)| *id).collect();
            for id in ready {
                self.due.remove(&id);
                let acted = tokio::select! {
                    biased;
                    () = end.cancelled() => return,
                    acted = self.act(id) => acted,
                };
                match acted {
                    Ok(()) => self.note(id),
                    Err(refusal) => {
                        tracing::warn!(alert = %id, code = %refusal.code, "what is due of an alert could not be done");
                        self.due.insert(id, now.plus(Duration::from_secs(60)));
                    }
                }
            }
            if let Err(refusal) = self.count_overdue() {
                tracing::error!(code = %refusal.code, "alerts that wait for an answer could not be counted");
            }
            tokio::select! {
                biased;
                () = end.cancelled() => return,
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

    /// Every alert of which something is due, now or later.
    async fn take_stock(&mut self) -> Result<(), Refusal> {
        let (store, now) = (self.engine.store().clone(), self.clock.now());
        let found = offload(move || {
            let (from, until) = keys::all(b'a');
            let mut found = Vec::new();
            for pair in store.scan(&from, &until, Direction::Forward) {
                let (key, value) = pair?;
                let row: AlertRow = decode(&value)?;
                let may_be_due = row.ack.is_some() && row.expires_at > now || row.state == State::HeldOrphan;
                found.extend(keys::id_bytes(&key).filter(|_| may_be_due).map(AlertId::from_bytes));
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
        let entry = self.engine.view().entry(index).ok().flatten();
        if let Some(subject) = entry.and_then(|entry| entry.body.subject()) {
            self.note(subject.into());
        }
    }

    /// Notes when something of an alert is due.
    fn note(&mut self, id: AlertId) {
        match self.due_at(id) {
            Ok(Some(at)) => drop(self.due.insert(id, at)),
            Ok(None) => drop(self.due.remove(&id)),
            Err(refusal) => tracing::error!(code = %refusal.code, "an alert could not be read"),
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
        let (mut settled, mut counts) = (Vec::new(), BTreeMap::<Society, u64>::new());
        for id in &self.asking {
            let row = view.alert(*id)?;
            let missing = row.as_ref().map(|row| answers::missing(&view, self.own, *id, row, now)).transpose()?;
            match row.zip(missing).filter(|(_, missing)| !missing.is_empty()) {
                None => settled.push(*id),
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

    /// Which call comes next for an alert, and when.
    fn next_call(&self, row: &AlertRow, id: AlertId) -> Result<Option<(u32, Time)>, Refusal> {
        let view = self.engine.view();
        let answered = row.origin == self.own || view.ack(id, self.own)?.is_some();
        if !waits_for_answer(row, self.own, answered, self.clock.now()) {
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

    /// Does what is due of an alert.
    async fn act(&mut self, id: AlertId) -> Result<(), Refusal> {
        let now = self.clock.now();
        let Some(row) = self.engine.view().alert(id)? else { return Ok(()) };
        if row.held_since.is_some_and(|since| now >= orphan_wait_ends(since)) {
            self.engine.submit(Command::ReleaseOrphan { alert: id }).await?;
        }
        let Some((step, at)) = self.next_call(&row, id)?.filter(|(_, at)| *at <= now) else { return Ok(()) };
        if row.escalation.as_ref().is_some_and(|last| last.step == step) {
            return self.ended(id, step, (HookOutcome::Interrupted, None)).await;
        }
        let post = step.checked_sub(1).and_then(|n| self.posts.borrow().get(n as usize).cloned());
        let Some(post) = post else { return Ok(()) };
        let begun = self.engine.submit(Command::Escalate { alert: id, step, post: post.post.clone() }).await?;
        if begun != (Reply::Escalated { call: true }) {
            return Ok(());
        }
        tracing::warn!(alert = %id, post = post.post, step, due = %at, "nobody has acknowledged an alert in time");
        let outcome = if post.hook.is_empty() {
            (HookOutcome::NoHook, None)
        } else if self.may_call() {
            let told = self.told(id, &row, step, &post)?;
            hook::run(&post.hook, told.to_string().as_bytes()).await
        } else {
            (HookOutcome::RateLimited, None)
        };
        self.ended(id, step, outcome).await
    }

    async fn ended(&self, alert: AlertId, step: u32, outcome: (HookOutcome, Option<i32>)) -> Result<(), Refusal> {
        let (outcome, status) = outcome;
        self.metrics.escalation(outcome.as_str());
        self.engine.submit(Command::EndEscalation { alert, step, outcome, status }).await.map(|_| ())
    }

    /// Whether one more call may be made in this hour; then it counts.
    fn may_call(&mut self) -> bool {
        let now = self.clock.monotonic();
        while self.calls.front().is_some_and(|at| now.saturating_sub(*at) >= HOUR) {
            self.calls.pop_front();
        }
        let free = self.calls.len() < HOOKS_AN_HOUR_MAX as usize;
        if free {
            self.calls.push_back(now);
        }
        free
    }

    /// What the hook is told. An alert never identifies a person, and so neither does this.
    fn told(&self, id: AlertId, row: &AlertRow, step: u32, post: &Duty) -> Result<serde_json::Value, Refusal> {
        let view = self.engine.view();
        let entry = view.entry(row.entry)?;
        let object = view.object(row.entry)?;
        let content = entry.zip(object).map(|(entry, object)| fold::content(&entry.body, &object)).transpose()?;
        let headline = match &content {
            Some(Content::Alert(alert)) => alert.texts.first().map(|text| text.headline.clone()),
            _ => None,
        };
        Ok(json!({
            "society": self.own, "post": post.post, "step": step,
            "alert": {
                "id": id, "origin": row.origin, "mode": row.mode, "event": row.event, "severity": row.severity,
                "urgency": row.urgency, "headline": headline, "sent_at": row.sent_at, "expires_at": row.expires_at,
                "ack_by": row.ack.and_then(|ack| ack.by),
            },
        }))
    }
}
