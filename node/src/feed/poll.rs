//! Polls the sources of warnings: asks when it is time, reads what is new, and has the engine draft it. What a source
//! says is a draft until a person approves it; what it says wrongly is refused and written down.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use passerelle_domain::{
    alert::{Alert, life::State},
    cap::{
        CapOptions,
        feed::{self, Polled, PolledEntry, PolledFeed},
        polled::{self, Taken},
    },
    catalogue::Role,
    decide::{Caller, Command},
    entry::{Actor, DraftSource},
    facts::Facts as _,
    ids::AlertId,
    limits::{LIST_MAX, POLLED_DRAFTS_MAX, POLLED_FETCHES_MAX},
    refusal::{Code, Fault, Refusal},
    rows::DraftRow,
    society::Society,
    time::Time,
};
use tokio_util::sync::CancellationToken;

use super::{
    board::{Board, Polls, SourceStatus},
    fetch::{Client, Fetched, Wanted, resolve},
};
use crate::{
    clock::Clock,
    config::CapSource,
    engine,
    entropy::Entropy,
    metrics::Metrics,
    store::{
        Direction, keys,
        view::{decode, encode, failed},
    },
    supervise::offload,
};

/// How long the pause after failures grows at most, unless the source is asked more seldom anyway.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);
/// Documents that cannot be reached in one poll, after which the rest waits for the next.
const UNREACHABLE_MAX: usize = 5;
/// How long the wall time is trusted to go on as it does.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Polls one source after the other, each in a task of its own.
pub struct Poller {
    /// Our Society.
    pub own: Society,
    /// Drafts what is new.
    pub engine: engine::Handle,
    /// When it is time.
    pub clock: Arc<dyn Clock>,
    /// So that not all nodes ask at once.
    pub entropy: Arc<dyn Entropy>,
    /// Figures.
    pub metrics: Metrics,
    /// Asks.
    pub client: Client,
    /// What operators see.
    pub board: Arc<Board>,
}

impl Poller {
    /// Shows a source that is not polled.
    pub fn show_disabled(&self, source: &CapSource) {
        self.show(source, &self.stored(source));
    }

    /// Polls a source until `end`.
    pub async fn keep(self: Arc<Self>, source: CapSource, end: CancellationToken) {
        let mut polls = self.stored(&source);
        // A clock that was set back must not silence a source.
        polls.next = polls.next.min(self.clock.now().plus(PAUSE_MAX.max(source.every)));
        loop {
            self.show(&source, &polls);
            let wait = polls.next.since(self.clock.now());
            if !wait.is_zero() {
                tokio::select! {
                    biased;
                    () = end.cancelled() => return,
                    () = tokio::time::sleep(wait.min(LOOK_EVERY)) => continue,
                }
            }
            tokio::select! {
                biased;
                () = end.cancelled() => return,
                () = self.poll(&source, &mut polls) => {}
            }
            self.engine.put_local(keys::polls(&source.name), encode(&polls)).await;
        }
    }

    fn stored(&self, source: &CapSource) -> Polls {
        let bytes = self.engine.store().get(&keys::polls(&source.name)).ok().flatten();
        bytes.and_then(|bytes| decode(&bytes).ok()).unwrap_or_default()
    }

    fn show(&self, source: &CapSource, polls: &Polls) {
        let polls = polls.clone();
        self.board.put(SourceStatus {
            name: source.name.clone(),
            url: source.url.clone(),
            enabled: source.enabled,
            polled_at: polls.polled_at,
            answered_at: polls.answered_at,
            next: Some(polls.next).filter(|_| source.enabled),
            failures: polls.failures,
            error: polls.error,
            drafted: polls.drafted,
            refused: polls.refused,
            cancelled: polls.cancelled,
        });
    }

    /// Asks once, and sets the time of the next poll.
    pub(super) async fn poll(&self, source: &CapSource, polls: &mut Polls) {
        polls.polled_at = Some(self.clock.now());
        polls.error = None;
        let outcome = self.ask(source, polls).await;
        let now = self.clock.now();
        let mut jitter = [0];
        self.entropy.fill(&mut jitter);
        self.metrics.feed_poll(outcome.as_ref().err().map(|refusal| refusal.code));
        match outcome {
            Ok(()) => {
                polls.failures = 0;
                polls.answered_at = Some(now);
            }
            Err(refusal) => {
                tracing::warn!(source = source.name, code = %refusal.code, reason = %refusal.message, "a source of warnings failed");
                polls.failures = polls.failures.saturating_add(1);
                polls.failed(&refusal);
                if refusal.code.fault() != Fault::Node {
                    self.record(refusal.code).await;
                }
            }
        }
        polls.next = next_poll(source.every, polls.failures, jitter[0], now);
    }

    async fn ask(&self, source: &CapSource, polls: &mut Polls) -> Result<(), Refusal> {
        let wanted = Wanted {
            url: &source.url,
            bytes_max: source.feed_bytes_max,
            within: source.within,
            allow_private: source.allow_private,
            validators: polls.validators.as_ref(),
        };
        let (bytes, url, validators) = match self.client.fetch(wanted).await? {
            Fetched::Unchanged => return Ok(()),
            Fetched::Document { bytes, url, validators } => (bytes, url, validators),
        };
        let feed = blocking(move || feed::read(&bytes)).await?;
        let whole = self.go_through(source, polls, feed, &url).await;
        // What is left for the next time must come again.
        polls.validators = whole.then_some(validators);
        Ok(())
    }

    /// Looks at every entry that was not seen before, the oldest first; whether none is left for the next poll.
    async fn go_through(&self, source: &CapSource, polls: &mut Polls, feed: PolledFeed, url: &str) -> bool {
        let seen: BTreeSet<u64> = polls.seen.drain(..).collect();
        let (known, mut fresh): (Vec<_>, Vec<_>) =
            feed.entries.into_iter().partition(|entry| seen.contains(&entry.mark));
        polls.seen.extend(known.iter().map(|entry| entry.mark));
        // Feeds have the newest first. Old entries whose documents are gone must not keep new ones from their turn, and
        // what is taken up is, in the order in which it was sent.
        let mut whole = fresh.len() <= POLLED_FETCHES_MAX;
        fresh.truncate(POLLED_FETCHES_MAX);
        let mut unreachable = 0;
        for PolledEntry { mark, document } in fresh.into_iter().rev() {
            if unreachable == UNREACHABLE_MAX {
                break;
            }
            let outcome = match self.fetched(source, document, url).await {
                Ok(bytes) => self.take(source, polls, bytes).await,
                Err(refusal) => Err(refusal),
            };
            match outcome {
                Ok(()) => polls.seen.push(mark),
                // It may be there, or there may be room for it, another time.
                Err(refusal) if comes_again(refusal.code) => {
                    unreachable += usize::from(refusal.code == Code::FeedUnreachable);
                    whole = false;
                    polls.failed(&refusal);
                }
                Err(refusal) => {
                    tracing::warn!(source = source.name, code = %refusal.code, reason = %refusal.message, "a warning was refused");
                    polls.seen.push(mark);
                    polls.refused += 1;
                    polls.failed(&refusal);
                    self.metrics.feed_document("refused");
                    self.record(refusal.code).await;
                }
            }
        }
        whole
    }

    async fn fetched(&self, source: &CapSource, document: Polled, url: &str) -> Result<Vec<u8>, Refusal> {
        let address = match document {
            Polled::Here(bytes) => return Ok(bytes),
            Polled::At(address) => resolve(url, &address)?,
        };
        let wanted = Wanted {
            url: &address,
            bytes_max: source.document_bytes_max,
            within: source.within,
            allow_private: source.allow_private,
            validators: None,
        };
        match self.client.fetch(wanted).await? {
            Fetched::Document { bytes, .. } => Ok(bytes),
            Fetched::Unchanged => Err(Refusal::new(Code::FeedRefused, "it answers that nothing has changed")),
        }
    }

    /// Takes one document up.
    async fn take(&self, source: &CapSource, polls: &mut Polls, bytes: Vec<u8>) -> Result<(), Refusal> {
        let (engine, own, now) = (self.engine.clone(), self.own, self.clock.now());
        let options = CapOptions { event: source.event, source_type: Some(source.source_type) };
        let taken = blocking(move || polled::take(&bytes, now, own, &options, &engine.view())).await?;
        match taken {
            Taken::Draft { id, alert } => {
                self.draft(source, id, alert).await?;
                polls.drafted += 1;
                self.metrics.feed_document("drafted");
            }
            Taken::Cancels(ids) => {
                for id in ids {
                    self.cancelled(source, polls, id).await?;
                }
                self.metrics.feed_document("cancelled");
            }
            Taken::Passed(why) => self.metrics.feed_document(why.as_str()),
        }
        Ok(())
    }

    async fn draft(&self, source: &CapSource, id: AlertId, alert: Box<Alert>) -> Result<(), Refusal> {
        let (engine, name) = (self.engine.clone(), source.name.clone());
        let open = blocking(move || open_drafts(&engine, &name)).await?;
        if open >= POLLED_DRAFTS_MAX {
            let message = format!("{POLLED_DRAFTS_MAX} drafts of this source wait for somebody to look at them");
            return Err(Refusal::new(Code::RateLimited, message));
        }
        let source = DraftSource::Feed(source.name.clone());
        self.engine.submit(Command::DraftAlert { caller: node(), id, alert, source }).await.map(|_| ())
    }

    /// The source has cancelled what a draft or an alert of ours was made of: a draft is given up; an alert that went out
    /// is for a person to cancel.
    async fn cancelled(&self, source: &CapSource, polls: &mut Polls, id: AlertId) -> Result<(), Refusal> {
        let view = self.engine.view();
        if let Some(draft) = view.draft(id)?.filter(|draft| draft.ended.is_none()) {
            if draft.source == DraftSource::Feed(source.name.clone()) {
                drop(view);
                self.engine.submit(Command::DiscardDraft { caller: node(), id }).await?;
            }
        } else if view.alert(id)?.is_some_and(|row| row.origin == self.own && row.state == State::Active)
            && !polls.cancelled.contains(&id)
        {
            tracing::warn!(source = source.name, alert = %id, "a source has cancelled what an alert of ours was made of");
            polls.cancelled.push(id);
            let excess = polls.cancelled.len().saturating_sub(LIST_MAX);
            polls.cancelled.drain(..excess);
        }
        Ok(())
    }

    /// Has the journal say that something was refused; the engine writes so many an hour and counts the rest.
    async fn record(&self, code: Code) {
        let command = Command::RecordRefusal { actor: Actor::System, request: "feed", code, uncounted: 0 };
        // The record of a refusal is worth an attempt, not an error of its own.
        let _ = self.engine.submit(command).await;
    }
}

/// The node itself, which may draft and never approve.
pub(super) fn node() -> Caller {
    Caller { actor: Actor::System, roles: vec![Role::AlertAuthor] }
}

/// Whether what was refused so may be taken another time. `rate_limited` is the source's own limit of drafts.
fn comes_again(code: Code) -> bool {
    code == Code::FeedUnreachable || code.fault() == Fault::Node
}

/// When a source is asked again: at its own pace, or ever more seldom while it fails; up to a fifth later by chance.
fn next_poll(every: Duration, failures: u32, jitter: u8, now: Time) -> Time {
    let longest = PAUSE_MAX.max(every);
    let doublings = failures.saturating_sub(1).min(16);
    let pause = every.saturating_mul(1 << doublings).min(longest);
    now.plus(pause + pause * u32::from(jitter) / (5 * 255))
}

/// Drafts of a source that nobody has decided on.
fn open_drafts(engine: &engine::Handle, name: &str) -> Result<usize, Refusal> {
    let (from, until) = keys::all(b'd');
    let mut open = 0;
    for pair in engine.store().scan(&from, &until, Direction::Forward) {
        let row: DraftRow = decode(&pair.map_err(failed)?.1)?;
        let of_source = matches!(&row.source, DraftSource::Feed(source) if source == name);
        open += usize::from(of_source && row.ended.is_none());
    }
    Ok(open)
}

/// Runs what takes long on a thread that may, and keeps what goes wrong in it from the rest of the node.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
    let lost = |_| Err(Refusal::new(Code::Malformed, "it could not be read to its end; see the node's log"));
    offload(work).await.unwrap_or_else(lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_source_is_asked_ever_more_seldom_and_never_more_often() {
        let (now, every) = (Time::from_millis(1_000_000), Duration::from_secs(300));
        let minutes = |failures, jitter| next_poll(every, failures, jitter, now).since(now).as_secs_f64() / 60.0;
        let pauses: Vec<f64> = (0..8).map(|failures| minutes(failures, 0)).collect();
        assert_eq!(pauses, [5.0, 5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0]);
        assert_eq!((minutes(0, 255), minutes(u32::MAX, 255)), (6.0, 72.0));
        let daily = Duration::from_secs(86_400);
        assert_eq!(next_poll(daily, 9, 0, now), now.plus(daily), "a slow source stays as slow");
    }
}
