//! One session on one stream: the domain's [`Session`] says what to send and what an arriving frame
//! means; here frames are carried, parcels opened, and the engine asked to make them durable.

use std::time::Duration;

use futures_util::{FutureExt as _, Stream, StreamExt as _};
use passerelle_domain::{
    decide::{Command, Reply, joins, open},
    defect,
    digest::Digest,
    entry::Actor,
    envelope::{Kind, Lane},
    facts::Facts as _,
    ids::Position,
    link::{Alarm, Arrival, Event, Frame, Hello, LocalLane, ReceiptPace, Session},
    refusal::{Code, Fault, Refusal},
    signing::PublicKey,
    society::Society,
};
use passerelle_proto::v1;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{supervise::offload, trust::Ed25519Verifier};

use super::{
    Direction, Link, LinkState,
    keep::{Delivery, deliver},
    parcels::Shelf,
    readings::Conversation,
    receipts::Receiptable,
    registry::Place,
    under_way::{Due, Outcome, UnderWay},
};

/// Frames that may wait in the outgoing channel: what is in it can no longer be overtaken.
pub(super) const OUTGOING_FRAMES: usize = 1;

/// One session under way.
pub(super) struct Driver<'a> {
    pub(super) link: &'a Link,
    pub(super) peer: Society,
    pub(super) session: Session,
    /// Readings of what lies at its origin, both ways.
    pub(super) readings: Conversation,
    place: Option<Place<'a>>,
    direction: Direction,
    outgoing: mpsc::Sender<v1::Frame>,
    /// Whether the peer gave the reason for which the session ends.
    told: bool,
    /// A frame that waits for room in the channel.
    next: Option<v1::Frame>,
    pub(super) under_way: UnderWay,
    /// Last position receipted in this session, and what the newest commit makes receiptable.
    pub(super) receipted: [Position; 3],
    pub(super) receiptable: [Option<Receiptable>; 3],
    pub(super) receipt_pace: ReceiptPace,
}

/// How a session ended.
pub(super) struct Ended {
    /// Whether the Hellos were exchanged.
    pub(super) was_up: bool,
    /// Why, unless it was in good order.
    pub(super) code: Option<Code>,
    /// The shortest round trip, if there was one.
    pub(super) round_trip: Option<Duration>,
}

impl Ended {
    /// No session came of it.
    pub(super) fn before_it_began(code: Code) -> Self {
        Self { was_up: false, code: Some(code), round_trip: None }
    }
}

impl<'a> Driver<'a> {
    /// Prepares a session with what the store knows of the peer's lanes, durably: the Hello tells the peer of it.
    pub(super) async fn new(
        link: &'a Link,
        peer: Society,
        direction: Direction,
        outgoing: mpsc::Sender<v1::Frame>,
    ) -> Result<Self, Refusal> {
        let mut lanes: [LocalLane; 3] = Default::default();
        let view = link.engine.view();
        for (lane, local) in Lane::ALL.iter().zip(&mut lanes) {
            let (out, into) = (view.lane_out(peer, *lane)?, view.lane_in(peer, *lane)?);
            local.queued = link.engine.durable().borrow().queued(peer, *lane);
            local.receipted = out.receipted;
            local.received = into.received;
            local.received_hash = into.hash;
        }
        link.engine.until_durable().await?;
        link.registry.take_partials(peer, &mut lanes);
        let session = Session::new(link.own, peer, link.epoch, link.bundle_version, lanes, link.clock.now());
        Ok(Self {
            link,
            peer,
            session,
            readings: Conversation::default(),
            place: None,
            direction,
            outgoing,
            told: false,
            next: None,
            under_way: UnderWay::default(),
            receipted: [Position(0); 3],
            receiptable: [None, None, None],
            receipt_pace: ReceiptPace::new(link.clock.monotonic()),
        })
    }

    /// Runs the session until either side ends it, the stream breaks or `stop` is cancelled.
    pub(super) async fn run(
        mut self,
        mut incoming: impl Stream<Item = Result<v1::Frame, tonic::Status>> + Unpin,
        stop: CancellationToken,
    ) -> Ended {
        let outcome = self.converse(&mut incoming, &stop).await;
        let was_up = self.place.is_some();
        let code = match outcome {
            Ok(()) => None,
            Err(refusal) => {
                tracing::info!(peer = %self.peer, code = %refusal.code, reason = %refusal.message, "the session ends");
                self.say_goodbye(Some(refusal.code)).await;
                self.record(refusal.code).await;
                Some(refusal.code)
            }
        };
        let round_trip = self.session.round_trip();
        self.link.registry.keep_partials(self.peer, self.session.into_partials());
        Ended { was_up, code, round_trip }
    }

    async fn converse(
        &mut self,
        incoming: &mut (impl Stream<Item = Result<v1::Frame, tonic::Status>> + Unpin),
        stop: &CancellationToken,
    ) -> Result<(), Refusal> {
        let mut durable = self.link.engine.durable();
        let mut policy = self.link.policy.clone();
        let clock = self.link.clock.clone();
        loop {
            if self.receipts_due_in().is_some_and(|wait| wait.is_zero()) {
                self.make_receipts();
            }
            self.fill().await?;
            let now = clock.now();
            if self.session.is_dead(now) {
                return Err(Refusal::new(Code::PeerUnreachable, "nothing was heard for too long"));
            }
            let replaced = self.place.as_ref().map(|place| place.end.clone());
            let wake = self.session.wake_at(now).since(now);
            let wake = self.receipts_due_in().map_or(wake, |due| due.min(wake));
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    self.say_goodbye(None).await;
                    return Ok(());
                }
                () = async { match &replaced { Some(end) => end.cancelled().await, None => std::future::pending().await } } => {
                    return Err(Refusal::new(Code::SessionExists, "another session took this one's place"));
                }
                Some((due, outcome)) = self.under_way.next(), if !self.under_way.is_empty() => {
                    self.done(due, outcome)?;
                    // What was committed together is receipted together.
                    while let Some(Some((due, outcome))) = self.under_way.next().now_or_never() {
                        self.done(due, outcome)?;
                    }
                    self.make_receipts();
                }
                // Room for one frame, and no more than a window of them, goes before what comes in; what became
                // durable too, lest a peer that sends without a pause keep ours from being sent.
                permit = self.outgoing.clone().reserve_owned(), if self.next.is_some() => {
                    let permit = permit.map_err(|_| stream_broke())?;
                    if let Some(frame) = self.next.take() {
                        self.sent(&frame);
                        permit.send(frame);
                    }
                }
                changed = durable.changed() => {
                    changed.map_err(|_| Refusal::new(Code::ShuttingDown, "the node is shutting down"))?;
                    self.look_at_lanes()?;
                    self.look_at_answer()?;
                }
                Some(ask) = self.readings.asks.recv() => self.ask(ask),
                Some((id, outcome)) = self.readings.answers.next(), if !self.readings.answers.is_empty() => {
                    self.answer(id, outcome);
                }
                frame = incoming.next(), if self.under_way.has_room() => {
                    match frame {
                        Some(Ok(frame)) => if self.hear(frame).await? { return Ok(()); },
                        Some(Err(_)) => return Err(stream_broke()),
                        None => return Ok(()),
                    }
                }
                // What waited for the configuration may go now.
                Ok(()) = policy.changed() => self.look_at_lanes()?,
                () = tokio::time::sleep(wake) => {}
            }
        }
    }

    /// Has the next frame ready, if there is one.
    async fn fill(&mut self) -> Result<(), Refusal> {
        if self.next.is_some() {
            return Ok(());
        }
        let now = self.link.clock.now();
        let (expired, withheld) = (Vec::new(), Vec::new());
        let view = self.link.engine.view();
        let mut shelf = Shelf { link: self.link, peer: self.peer, now, view, expired, withheld };
        self.next = self.session.next_frame(now, &mut shelf)?.map(v1::Frame::from);
        let Shelf { expired, withheld, .. } = shelf;
        for (lane, position) in withheld {
            self.submit(Command::EndWithheld { peer: self.peer, lane, position }, Due::Other).await?;
        }
        for (lane, position) in expired {
            self.submit(Command::EndExpired { peer: self.peer, lane, position }, Due::Other).await?;
        }
        Ok(())
    }

    pub(super) async fn submit(&mut self, command: Command, due: Due) -> Result<(), Refusal> {
        let pending = self.link.engine.submit_waiting(command).await?;
        self.under_way.push(due, 0, pending);
        Ok(())
    }

    /// Has the journal say that the peer was refused, when it was this node that refused it.
    async fn record(&mut self, code: Code) {
        let refused = code.fault() == Fault::Peer && !matches!(code, Code::PeerUnreachable | Code::SessionExists);
        if refused && !self.told {
            let actor = Actor::Peer(self.peer);
            let command = Command::RecordRefusal { actor, request: "session", code, uncounted: 0 };
            // The record of a refusal is worth an attempt, not an error of its own.
            let _ = self.link.engine.submit_waiting(command).await;
        }
    }

    async fn say_goodbye(&mut self, code: Option<Code>) {
        self.session.end(code);
        let frame = v1::Frame::from(Frame::Goodbye(code));
        // A peer that takes nothing more is not waited for.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.outgoing.send(frame)).await;
    }

    fn sent(&self, frame: &v1::Frame) {
        let bytes = prost::Message::encoded_len(frame) as u64;
        self.link.metrics.sent(self.peer, bytes);
        self.link.statuses.update(self.peer, |status| status.bytes.0 += bytes);
    }

    /// Takes one frame; whether the peer has ended the session in good order.
    async fn hear(&mut self, frame: v1::Frame) -> Result<bool, Refusal> {
        let now = self.link.clock.now();
        let bytes = prost::Message::encoded_len(&frame) as u64;
        self.link.metrics.received(self.peer, bytes);
        self.link.statuses.update(self.peer, |status| {
            status.bytes.1 += bytes;
            status.last_contact = Some(now);
        });
        if let Some(place) = &self.place {
            place.heard(now);
        }
        // The keys of one frame's parcels are looked up once.
        let mut keys = None;
        let mut restored = false;
        for event in self.session.on_frame(Frame::try_from(frame)?, now)? {
            match event {
                Event::Ready(hello) => restored |= self.ready(&hello).await?,
                Event::Alarm(alarm) => {
                    restored |= matches!(alarm, Alarm::PeerRestored(_));
                    self.alarm(alarm);
                }
                Event::Advance { lane, position, hash } => {
                    self.advance(lane, position, hash).await?;
                }
                Event::Arrived(arrival) => self.arrived(arrival, &mut keys).await?,
                Event::Receipt(signed) => self.receipt(signed).await?,
                Event::BriefReceipt(brief) => self.brief_receipt(brief).await?,
                Event::Clock { theirs, round_trip } => {
                    let ours = now.minus(round_trip / 2).millis() as i64;
                    self.link.statuses.update(self.peer, |status| {
                        status.skew_ms = Some(theirs.millis() as i64 - ours);
                        status.round_trip = Some(round_trip);
                    });
                }
                Event::Asked(question) => self.asked(question),
                Event::Answered(id, outcome) => self.readings.answered(id, outcome),
                Event::Goodbye(None) => return Ok(true),
                Event::Goodbye(Some(code)) => {
                    self.told = true;
                    return Err(Refusal::new(code, "the peer ended the session"));
                }
            }
        }
        if restored {
            self.link.give_back_redactions(self.peer);
        }
        Ok(false)
    }

    /// Has our end of a lane go on after what the peer holds, unless that is what we sent.
    async fn advance(&mut self, lane: Lane, position: Position, hash: Digest) -> Result<(), Refusal> {
        let (engine, peer) = (self.link.engine.clone(), self.peer);
        // A peer that lost everything asks for everything: that is a walk along the whole lane.
        let joined = offload(move || joins(&engine.view(), peer, lane, position, &hash)).await;
        if joined.map_err(|lost| Refusal::new(Code::StoreFailed, lost.to_string()))?? {
            self.session.on_advanced(lane, false);
            return Ok(());
        }
        self.alarm(Alarm::WeRestored(lane));
        let command = Command::AdvanceLane { peer: self.peer, lane, position, hash };
        // The Hello may be older than a receipt that another session took: what the peer says next, such as that receipt
        // once more, is held against the lane as it is from now on.
        let pending = self.link.engine.submit_waiting(command).await?;
        pending.await.map_err(|_| Refusal::new(Code::ShuttingDown, "the node is shutting down"))??;
        self.session.on_advanced(lane, true);
        self.look_at_lanes()
    }

    /// The link is up; whether the peer's store is in another life than before.
    async fn ready(&mut self, hello: &Hello) -> Result<bool, Refusal> {
        let now = self.link.clock.now();
        let place = self.link.registry.admit(self.link.own, self.peer, self.direction, hello.epoch, now)?;
        if hello.readings {
            place.takes(self.readings.asking.clone());
        }
        self.place = Some(place);
        self.link.metrics.link_up(self.peer, true);
        self.link.statuses.update(self.peer, |status| {
            status.state = LinkState::Up;
            status.last_error = None;
            status.next_dial = None;
        });
        tracing::info!(peer = %self.peer, direction = ?self.direction, "the link is up");
        let known = self.link.engine.view().peer(self.peer)?.and_then(|row| row.epoch);
        if known != Some(hello.epoch) {
            if known.is_some() {
                self.link.statuses.update(self.peer, |status| {
                    status.alarms.insert("peer_began_anew");
                });
            }
            self.submit(Command::MeetEpoch { peer: self.peer, epoch: hello.epoch }, Due::Other).await?;
        }
        self.repeat_receipts().await?;
        self.look_at_lanes()?;
        Ok(known.is_some_and(|known| known != hello.epoch))
    }

    fn alarm(&self, alarm: Alarm) {
        let name = match alarm {
            Alarm::PeerRestored(_) => "peer_restored",
            Alarm::WeRestored(_) => "we_restored",
        };
        tracing::warn!(peer = %self.peer, alarm = name, "a store was restored from an earlier state");
        self.link.statuses.update(self.peer, |status| {
            status.alarms.insert(name);
        });
    }

    /// Opens a parcel, has what it brings kept, and has the engine judge it.
    async fn arrived(&mut self, arrival: Arrival, keys: &mut Option<Vec<PublicKey>>) -> Result<(), Refusal> {
        let (link, peer) = (self.link, self.peer);
        let of_peer = keys.get_or_insert_with(|| link.signing_keys(peer));
        let theirs = |society| defect!(TakePeersWord => society != link.own, else society == peer);
        let keys = |society| if theirs(society) { of_peer.clone() } else { link.signing_keys(society) };
        let (opened, attachment) = open(&arrival.parcel, &keys, &Ed25519Verifier)?;
        let may_wait = opened.outcome.as_ref().is_ok_and(|letter| letter.envelope.kind == Kind::Alert);
        // What came behind the envelope is in the vault by the time the engine has it.
        let bytes = arrival.parcel.len().saturating_sub(attachment.len());
        let (Arrival { lane, position, .. }, opened) = (arrival, Box::new(opened));
        let replaced = self.place.as_ref().map(|place| place.end.clone()).unwrap_or_default();
        let pending = deliver(link, replaced, Delivery { peer, lane, position, opened, attachment }).await?;
        self.under_way.push(Due::Delivered(lane, may_wait), bytes, pending);
        Ok(())
    }

    fn done(&mut self, due: Due, outcome: Outcome) -> Result<(), Refusal> {
        let reply = outcome.map_err(|_| Refusal::new(Code::ShuttingDown, "the node is shutting down"))??;
        if let (Due::Delivered(lane, alert), Reply::Received { position, hash, entry, rejected, accepted }) =
            (due, reply)
        {
            let at = usize::from(lane.number()) - 1;
            let earlier_may_wait = self.receiptable[at].as_ref().is_none_or(|earlier| earlier.may_wait);
            let may_wait = earlier_may_wait && alert && accepted && lane != Lane::Urgent;
            self.receiptable[at] = Some(Receiptable { position, hash, entry, rejected, may_wait });
            // Before a rejection could fall out of the list of the newest ones, it is receipted.
            let rejected = self.receiptable[at].as_ref().map_or(0, |next| next.rejected.len());
            if rejected >= passerelle_domain::limits::RECEIPT_REJECTIONS_MAX {
                self.make_receipts();
            }
        }
        Ok(())
    }

    /// Tells the session what has become durable in our lanes.
    fn look_at_lanes(&mut self) -> Result<(), Refusal> {
        {
            let durable = self.link.engine.durable();
            let durable = durable.borrow();
            for lane in Lane::ALL {
                self.session.on_queued(*lane, durable.queued(self.peer, *lane));
            }
        }
        for (lane, backlog) in Lane::ALL.iter().zip(self.session.backlog()) {
            self.link.metrics.backlog(self.peer, lane.as_str(), backlog);
        }
        Ok(())
    }
}

fn stream_broke() -> Refusal {
    Refusal::new(Code::PeerUnreachable, "the stream broke")
}
