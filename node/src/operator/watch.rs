//! Following the journal: first the past from any position, then what becomes durable, without gaps.

use std::time::Duration;

use passerelle_domain::{
    catalogue::Role,
    decide::Caller,
    ids::EntryIndex,
    refusal::{Code, Refusal},
};
use passerelle_proto::{
    convert::timestamp,
    v1::{self, watch_service_server::WatchService},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{CASE_ROLES, Operator, errors::Refused, events::Topics};

/// Events that wait for a slow reader; beyond, the journal is read on only as it reads.
const WAITING_MAX: usize = 64;
/// Entries read in one step, so that no thread is held for long.
const STEP: u64 = 256;
/// Entries that are read where they are awaited.
const AT_ONCE: u64 = 4;
/// Silence after which a stream gives a sign of life.
const SILENCE: Duration = Duration::from_secs(30);

type Sender = mpsc::Sender<Result<v1::WatchResponse, Status>>;

#[tonic::async_trait]
impl WatchService for Operator {
    type WatchStream = ReceiverStream<Result<v1::WatchResponse, Status>>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        self.serve("watch", request, |operator, caller, message| async move {
            let topics = topics(&caller, &message.topics)?;
            let entries = operator.engine.durable().borrow().entries;
            let from = message.from_position.unwrap_or(entries);
            if from > entries {
                let text = format!("the journal goes on with entry {entries}");
                return Err(Refusal::new(Code::UnknownEntry, text).at("from_position").into());
            }
            let until = message.until_now.then_some(entries);
            let (sender, events) = mpsc::channel(WAITING_MAX);
            let follower = Follower { operator: operator.clone(), topics, next: from, sender };
            let token = operator.spawner.token();
            operator.spawner.spawn("watch", async move {
                tokio::select! {
                    biased;
                    () = token.cancelled() => {}
                    () = follower.run(until) => {}
                }
            });
            Ok(ReceiverStream::new(events))
        })
        .await
    }
}

/// What the caller follows: what was asked for, or all that its roles let it see.
fn topics(caller: &Caller, asked: &[String]) -> Result<Topics, Refusal> {
    let sees_cases = CASE_ROLES.iter().any(|role: &Role| caller.roles.contains(role));
    if asked.is_empty() {
        return Ok(Topics { alerts: true, handovers: sees_cases });
    }
    let mut topics = Topics { alerts: false, handovers: false };
    for (n, topic) in asked.iter().enumerate() {
        match topic.as_str() {
            "alert" => topics.alerts = true,
            "handover" => {
                caller.require(&CASE_ROLES)?;
                topics.handovers = true;
            }
            _ => {
                let text = "the topics are alert and handover";
                return Err(Refusal::new(Code::UnknownCode, text).at(format!("topics[{n}]")));
            }
        }
    }
    Ok(topics)
}

/// One stream under way.
struct Follower {
    operator: Operator,
    topics: Topics,
    next: u64,
    sender: Sender,
}

impl Follower {
    /// Tells what there is up to `until`, or for ever.
    async fn run(mut self, until: Option<u64>) {
        let mut durable = self.operator.engine.durable();
        loop {
            let end = until.unwrap_or_else(|| durable.borrow_and_update().entries);
            if let Err(refusal) = self.tell(end).await {
                // Who no longer reads has gone away.
                let _ = self.sender.send(Err(Refused::from(refusal).into_status())).await;
                return;
            }
            if until.is_some() || self.sender.is_closed() {
                return;
            }
            tokio::select! {
                biased;
                () = self.sender.closed() => return,
                changed = durable.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(SILENCE) => {
                    if self.sender.send(Ok(self.sign_of_life())).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn sign_of_life(&self) -> v1::WatchResponse {
        v1::WatchResponse {
            position: self.next.saturating_sub(1),
            time: Some(timestamp(self.operator.clock.now())),
            ..Default::default()
        }
    }

    /// Tells the events of all entries before `end`.
    async fn tell(&mut self, end: u64) -> Result<(), Refusal> {
        while self.next < end {
            let (from, until, topics) = (self.next, end.min(self.next.saturating_add(STEP)), self.topics);
            let read = move |operator: &Operator| {
                let mut events = Vec::new();
                for index in from..until {
                    events.extend(operator.events(EntryIndex(index), topics)?);
                }
                Ok(events)
            };
            // What has just become durable is still in memory: another thread would take longer than reading it.
            let events =
                if until - from <= AT_ONCE { read(&self.operator)? } else { self.operator.blocking(read).await? };
            for event in events {
                if self.sender.send(Ok(event)).await.is_err() {
                    return Ok(());
                }
            }
            self.next = until;
        }
        Ok(())
    }
}
