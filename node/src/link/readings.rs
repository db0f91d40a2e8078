//! Readings of packages that lie at their origin: our operators' questions to a peer, and a peer's to us. Beside the lanes
//! and never durable, but for the entry of the reading itself. May ask the engine and the vault.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture, stream::FuturesOrdered};
use parking_lot::Mutex;
use passerelle_domain::{
    decide::{Command, Reply, may_read},
    entry::Actor,
    handover::Question,
    ids::EnvelopeId,
    limits::{READING_SECONDS_MAX, READINGS_AN_HOUR_MAX},
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

use crate::supervise::offload;

use super::{Link, session::Driver};

const HOUR: Duration = Duration::from_secs(3_600);

/// Whoever waits for sealed bytes.
type Waiting = oneshot::Sender<Result<Vec<u8>, Refusal>>;

/// What a peer is to be answered.
type Shown = (EnvelopeId, Result<Vec<u8>, Code>);

/// A question that waits for its answer.
pub(super) struct Ask {
    question: Question,
    answer: Waiting,
}

/// How many readings each peer has asked of us in its hour.
#[derive(Default)]
pub(super) struct Rates(Mutex<BTreeMap<Society, (Time, u32)>>);

impl Rates {
    /// Whether one more is answered.
    fn admit(&self, peer: Society, now: Time) -> bool {
        let mut rates = self.0.lock();
        let (since, count) = rates.entry(peer).or_insert((now, 0));
        if now.since(*since) >= HOUR {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= READINGS_AN_HOUR_MAX
    }
}

/// The readings of one session.
pub(super) struct Conversation {
    /// Where questions of ours are put.
    pub(super) asking: mpsc::Sender<Ask>,
    /// Where they come out.
    pub(super) asks: mpsc::Receiver<Ask>,
    asked: Option<(EnvelopeId, Waiting)>,
    answering: Option<Question>,
    /// The peer's question, under way to its answer.
    pub(super) answers: FuturesOrdered<BoxFuture<'static, Shown>>,
}

impl Default for Conversation {
    fn default() -> Self {
        let (asking, asks) = mpsc::channel(1);
        Self { asking, asks, asked: None, answering: None, answers: FuturesOrdered::new() }
    }
}

impl Conversation {
    /// Hands the peer's answer to whoever waits for it.
    pub(super) fn answered(&mut self, id: EnvelopeId, outcome: Result<Vec<u8>, Code>) {
        if let Some((_, answer)) = self.asked.take_if(|(asked, _)| *asked == id) {
            let outcome = outcome.map_err(|code| Refusal::new(code, "the origin does not show it"));
            // Whoever asked may have given up meanwhile.
            let _ = answer.send(outcome);
        }
    }
}

impl Driver<'_> {
    /// Puts a question of ours to the peer, unless another one waits for its answer.
    pub(super) fn ask(&mut self, Ask { question, answer }: Ask) {
        let id = question.id;
        let waits = self.readings.asked.as_ref().is_some_and(|(_, earlier)| !earlier.is_closed());
        let outcome = if waits { Err(busy(self.peer)) } else { self.session.ask(question) };
        match outcome {
            Ok(()) => self.readings.asked = Some((id, answer)),
            Err(refusal) => {
                let _ = answer.send(Err(refusal));
            }
        }
    }

    /// The peer asks: the engine judges and records it, the vault opens it, and it is sealed to the peer.
    pub(super) fn asked(&mut self, question: Question) {
        let (link, peer, id) = (self.link.clone(), self.peer, question.id);
        self.readings.answering = Some(question.clone());
        let answer = async move {
            let outcome = show(link, peer, question).await.map_err(|refusal| {
                tracing::info!(%peer, code = %refusal.code, "a reading at the origin is refused");
                refusal.code
            });
            (id, outcome)
        };
        self.readings.answers.push_back(answer.boxed());
    }

    /// Has the answer to the peer's question sent.
    pub(super) fn answer(&mut self, id: EnvelopeId, outcome: Result<Vec<u8>, Code>) {
        self.session.answer(id, outcome);
    }

    /// Something has become durable: what may no longer be read is not sent to its end.
    pub(super) fn look_at_answer(&mut self) -> Result<(), Refusal> {
        let answering = self.session.answering();
        let Some(question) = self.readings.answering.as_ref().filter(|question| Some(question.id) == answering) else {
            self.readings.answering = None;
            return Ok(());
        };
        let (view, policy) = (self.link.engine.view(), self.link.policy.borrow().clone());
        let context = self.link.context(&view, &policy, self.link.clock.now());
        match may_read(&context, self.peer, question) {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.code == Code::StoreFailed => Err(refusal),
            Err(refusal) => {
                self.session.answer(question.id, Err(refusal.code));
                Ok(())
            }
        }
    }
}

/// What a peer's reader may see, sealed to the peer.
async fn show(link: Link, peer: Society, question: Question) -> Result<Vec<u8>, Refusal> {
    if !link.registry.readings.admit(peer, link.clock.now()) {
        let (actor, code) = (Actor::Peer(peer), Code::RateLimited);
        let record = Command::RecordRefusal { actor, request: "answer_reading", code, uncounted: 0 };
        // The record of a refusal is worth an attempt, not an error of its own.
        let _ = link.engine.submit(record).await;
        return Err(Refusal::new(code, format!("a peer reads at most {READINGS_AN_HOUR_MAX} times an hour")));
    }
    let command = Command::AnswerReading { peer, question: Box::new(question.clone()) };
    let Reply::Reading { readable, .. } = link.engine.submit(command).await? else {
        return Err(Refusal::new(Code::StoreFailed, "the engine gave another answer"));
    };
    let packages = link.packages.clone();
    offload(move || packages.seal_reading(peer, &question, &readable.package, &readable.fields))
        .await
        .map_err(|_| Refusal::new(Code::VaultFailed, "the vault did not finish"))?
}

fn busy(peer: Society) -> Refusal {
    Refusal::new(Code::Busy, format!("another reading at {peer} is under way"))
}

impl Link {
    /// Whether a peer can be asked for a reading at this moment.
    ///
    /// # Errors
    /// `peer_unreachable` without a session, `unsupported_version` when its node does not answer readings.
    pub fn may_ask(&self, peer: Society) -> Result<(), Refusal> {
        self.registry.questions(peer).map(|_| ())
    }

    /// Asks a peer for a reading of a package that lies there; its sealed answer.
    ///
    /// # Errors
    /// As [`Link::may_ask`], and `peer_unreachable` when the link breaks or nothing comes for
    /// [`READING_SECONDS_MAX`]; `busy` while another reading is under way; what the peer refuses it with.
    pub async fn ask(&self, peer: Society, question: Question) -> Result<Vec<u8>, Refusal> {
        let questions = self.registry.questions(peer)?;
        let broke = || Refusal::new(Code::PeerUnreachable, format!("the link to {peer} broke"));
        let (answer, answered) = oneshot::channel();
        questions.try_send(Ask { question, answer }).map_err(|error| match error {
            TrySendError::Full(_) => busy(peer),
            TrySendError::Closed(_) => broke(),
        })?;
        match tokio::time::timeout(Duration::from_secs(READING_SECONDS_MAX), answered).await {
            Ok(outcome) => outcome.map_err(|_| broke())?,
            Err(_) => {
                let message = format!("{peer} did not answer in {READING_SECONDS_MAX} s");
                Err(Refusal::new(Code::PeerUnreachable, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_reads_so_many_times_an_hour_and_each_for_itself() {
        let rates = Rates::default();
        let (mali, gambia): (Society, Society) = ("ML".parse().expect("a code"), "GM".parse().expect("a code"));
        let start = Time::from_millis(1_000);
        for _ in 0..READINGS_AN_HOUR_MAX {
            assert!(rates.admit(mali, start));
        }
        assert!(!rates.admit(mali, start.plus(HOUR - Duration::from_secs(1))));
        assert!(rates.admit(gambia, start), "others are not affected");
        assert!(rates.admit(mali, start.plus(HOUR)));
    }
}
