//! One session of a pair of nodes: from the two Hellos to the Goodbye.

use std::{collections::VecDeque, time::Duration};

use crate::{
    digest::Digest,
    envelope::Lane,
    handover::Question,
    ids::{EnvelopeId, Epoch, Position},
    receipt::{BriefReceipt, SignedReceipt},
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};

pub use super::incoming::Arrival;
use super::{
    Frame, Hello, PROTOCOL_MAX, PROTOCOL_MIN, Piece,
    deflate::{Deflater, Inflater},
    incoming::Incoming,
    outgoing::{Outgoing, Parcels},
    pace::{FRAME_CONTENT_MIN, PROGRESS_EVERY, Pace},
    reading::{Part, Readings},
    slot,
};

/// Of the silence after which a stream with something in flight is dead, the part that asks for a sign of life.
const ANXIOUS_PART: u32 = 3;
/// Silence of this long after our Hello means that the stream is dead.
const HELLO_AFTER: Duration = Duration::from_secs(45);
/// With nothing in flight, one ping in this time keeps address translators and the peer's view fresh.
const IDLE_PING_EVERY: Duration = Duration::from_secs(120);
/// An idle stream is dead when its ping stays without answer for this long.
const IDLE_DEAD_AFTER: Duration = Duration::from_secs(180);
/// Of eight pieces at least one is from the bulk lane when it has any, so that it never starves.
const BULK_SHARE: u32 = 8;

/// What we know of one lane of this peer when a session begins.
#[derive(Clone, Debug, Default)]
pub struct LocalLane {
    /// Last position given to an envelope for the peer.
    pub queued: Position,
    /// Last position that the peer has receipted.
    pub receipted: Position,
    /// Last position received from the peer.
    pub received: Position,
    /// Running hash there.
    pub received_hash: Digest,
    /// Bytes of the parcel after that, left from the last session.
    pub partial: Vec<u8>,
}

/// Something a person must look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The peer lost what it had: it is a restored or wiped store. It gets all of it again.
    PeerRestored(Lane),
    /// The peer has more of our lane than we remember sending: our own store was restored.
    WeRestored(Lane),
}

/// What an arriving frame means for the shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer's Hello was accepted; the session carries parcels from now on.
    Ready(Hello),
    /// A person must be told.
    Alarm(Alarm),
    /// Before anything is sent in this lane, our end of it must be found to have `hash` at `position` and all that
    /// follows, or else be made to go on after it: then our own store was restored.
    Advance {
        /// The lane.
        lane: Lane,
        /// Last position that the peer holds.
        position: Position,
        /// Running hash there.
        hash: Digest,
    },
    /// A parcel arrived whole; it is to be judged, and made durable, in this order.
    Arrived(Arrival),
    /// A receipt arrived; it is to be verified and made durable.
    Receipt(SignedReceipt),
    /// The same in brief: what was left out is to be joined to it first.
    BriefReceipt(BriefReceipt),
    /// The peer asks for a reading of what we hold as its origin.
    Asked(Question),
    /// What we asked is answered with sealed bytes, or refused.
    Answered(EnvelopeId, Result<Vec<u8>, Code>),
    /// The peer's clock, as a pong told it, and the round trip.
    Clock {
        /// The peer's clock.
        theirs: Time,
        /// From ping to pong.
        round_trip: Duration,
    },
    /// The peer ended the session.
    Goodbye(Option<Code>),
}

/// The state of one session.
pub struct Session {
    peer: Society,
    hello: VecDeque<Frame>,
    ready: bool,
    /// Lanes that wait for [`Session::on_advanced`].
    held: [bool; 3],
    incoming: [Incoming; 3],
    outgoing: [Outgoing; 3],
    local: [LocalLane; 3],
    /// Receipts to be sent, and whether they name rejections.
    receipts: [Option<(Frame, bool)>; 3],
    /// What the peer's Hello said that it reads.
    reads_deflated: bool,
    reads_brief: bool,
    deflater: Option<Deflater>,
    inflater: Option<Inflater>,
    replies: VecDeque<Frame>,
    pub(super) readings: Readings,
    pub(super) pace: Pace,
    received_bytes: u64,
    reported_bytes: u64,
    /// Whether the last piece was so short that the sender had no more: nothing waits for a report then.
    drained: bool,
    turn: u32,
    heard_at: Time,
    pinged: Option<(u64, Time)>,
    pings: u64,
    goodbye: Option<Option<Code>>,
}

impl Session {
    /// Begins a session with `peer`, to whom our side stands as `lanes` says. The first frame to
    /// send is our Hello.
    #[must_use]
    pub fn new(
        own: Society,
        peer: Society,
        epoch: Epoch,
        bundle_version: u64,
        lanes: [LocalLane; 3],
        now: Time,
    ) -> Self {
        let positions = lanes.each_ref().map(|lane| super::LanePositions {
            queued: lane.queued,
            received: lane.received,
            received_hash: lane.received_hash,
            partial_bytes: lane.partial.len() as u64,
        });
        let hello = Hello {
            protocol: (PROTOCOL_MIN, PROTOCOL_MAX),
            society: own,
            epoch,
            lanes: positions,
            clock: now,
            bundle_version,
            deflate: true,
            brief_receipts: true,
            readings: true,
        };
        let mut local = lanes;
        let incoming = local.each_mut().map(|lane| Incoming::new(lane.received, std::mem::take(&mut lane.partial)));
        let outgoing =
            [Lane::Urgent, Lane::Routine, Lane::Bulk].map(|lane| Outgoing::new(lane, Position(0), 0, Position(0)));
        Self {
            peer,
            hello: VecDeque::from([Frame::Hello(hello)]),
            ready: false,
            held: [false; 3],
            incoming,
            outgoing,
            local,
            receipts: [None, None, None],
            reads_deflated: false,
            reads_brief: false,
            deflater: None,
            inflater: None,
            replies: VecDeque::new(),
            readings: Readings::default(),
            pace: Pace::new(now),
            received_bytes: 0,
            reported_bytes: 0,
            drained: false,
            turn: 0,
            heard_at: now,
            pinged: None,
            pings: 0,
            goodbye: None,
        }
    }

    /// What an arriving frame means.
    ///
    /// # Errors
    /// A refusal that ends the session; the peer is to be told its code with [`Session::end`].
    pub fn on_frame(&mut self, frame: Frame, now: Time) -> Result<Vec<Event>, Refusal> {
        self.heard_at = now;
        match frame {
            Frame::Goodbye(code) => return Ok(vec![Event::Goodbye(code)]),
            Frame::Hello(hello) if !self.ready => return self.on_hello(hello),
            _ if !self.ready => return Err(Refusal::new(Code::BadFrame, "the first frame must be a Hello")),
            _ => {}
        }
        match frame {
            Frame::Hello(_) => Err(Refusal::new(Code::BadFrame, "a second Hello")),
            Frame::Parcels(piece) => {
                self.received_bytes += piece.content.len() as u64;
                let piece = self.inflated(piece)?;
                self.drained = (piece.content.len() as u64) < FRAME_CONTENT_MIN;
                let arrivals = self.incoming[slot(piece.lane)].take(piece)?;
                Ok(arrivals.into_iter().map(Event::Arrived).collect())
            }
            Frame::Receipt(receipt) => Ok(vec![Event::Receipt(receipt)]),
            Frame::BriefReceipt(receipt) => Ok(vec![Event::BriefReceipt(receipt)]),
            Frame::Question(question) => {
                Ok(self.readings.on_question(question).map(Event::Asked).into_iter().collect())
            }
            Frame::Answer(answer) => {
                if let Part::Piece { content, .. } = &answer.part {
                    self.received_bytes += content.len() as u64;
                }
                let answered = self.readings.on_answer(answer)?;
                Ok(answered.map(|(id, outcome)| Event::Answered(id, outcome)).into_iter().collect())
            }
            Frame::Progress(bytes) => {
                self.pace.on_acknowledged(bytes, now);
                Ok(Vec::new())
            }
            Frame::Ping(token) => {
                self.replies.truncate(16);
                self.replies.push_back(Frame::Pong(token, now));
                Ok(Vec::new())
            }
            Frame::Pong(token, theirs) => match self.pinged {
                Some((expected, at)) if expected == token => {
                    self.pinged = None;
                    let round_trip = now.since(at);
                    self.pace.on_round_trip(round_trip);
                    Ok(vec![Event::Clock { theirs, round_trip }])
                }
                _ => Ok(Vec::new()),
            },
            Frame::Goodbye(_) => Ok(Vec::new()),
        }
    }

    fn inflated(&mut self, piece: Piece) -> Result<Piece, Refusal> {
        if !piece.deflated {
            return Ok(piece);
        }
        let content = self.inflater.get_or_insert_with(Inflater::new).inflate(&piece.content)?;
        Ok(Piece { content, deflated: false, ..piece })
    }

    fn on_hello(&mut self, hello: Hello) -> Result<Vec<Event>, Refusal> {
        if hello.society != self.peer {
            return Err(Refusal::new(
                Code::WrongSociety,
                format!("a node with the certificate of {} says that it is {}", self.peer, hello.society),
            ));
        }
        let (oldest, newest) = hello.protocol;
        if newest < PROTOCOL_MIN || oldest > PROTOCOL_MAX {
            return Err(Refusal::new(
                Code::UnsupportedVersion,
                format!("the peer speaks protocol {oldest} to {newest}, this node {PROTOCOL_MIN} to {PROTOCOL_MAX}"),
            ));
        }
        let mut events = Vec::new();
        for lane in Lane::ALL.iter().copied() {
            let at = slot(lane);
            let (ours, theirs) = (&self.local[at], &hello.lanes[at]);
            let held = crate::defect!(NoResume => theirs.received.max(ours.receipted), else theirs.received);
            if theirs.received.max(ours.receipted) > Position(0) {
                // Before anything is sent: the receipt was lost, or our store was restored and its end of the lane has
                // forked, or the peer's was, and gets again what it lost unless some of that is missing here; where both
                // were, as many envelopes may be others.
                self.held[at] = true;
                events.push(Event::Advance { lane, position: theirs.received, hash: theirs.received_hash });
            }
            if held < ours.receipted || theirs.queued < ours.received {
                events.push(Event::Alarm(Alarm::PeerRestored(lane)));
            }
            self.outgoing[at] = Outgoing::new(lane, held, theirs.partial_bytes, ours.queued);
        }
        self.ready = true;
        self.reads_deflated = hello.deflate;
        self.reads_brief = hello.brief_receipts;
        self.readings.peer_answers = hello.readings;
        events.insert(0, Event::Ready(hello));
        Ok(events)
    }

    /// Our end of a lane goes on after the position that an [`Event::Advance`] named, as it did before or, when
    /// `moved`, from now on: then what the peer holds of a parcel after that is of one that we do not know.
    pub fn on_advanced(&mut self, lane: Lane, moved: bool) {
        self.held[slot(lane)] = false;
        if moved {
            // It may end before the place at which it ended until now.
            self.local[slot(lane)].queued = Position(0);
            self.outgoing[slot(lane)].move_end();
        }
    }

    /// Envelopes up to this position wait in the lane.
    pub fn on_queued(&mut self, lane: Lane, queued: Position) {
        let local = &mut self.local[slot(lane)];
        local.queued = local.queued.max(queued);
        self.outgoing[slot(lane)].on_queued(queued);
    }

    /// A receipt of the peer's was verified.
    pub fn on_receipt(&mut self, lane: Lane, position: Position, now: Time) {
        let end = self.outgoing[slot(lane)].on_receipt(position);
        self.pace.on_acknowledged(end, now);
    }

    /// A receipt of ours, over what is durable here, is to be sent. It replaces one of the same lane
    /// that is still to be sent unless that one names rejections. One that does has no `brief` form.
    pub fn send_receipt(&mut self, lane: Lane, receipt: SignedReceipt, brief: Option<BriefReceipt>) {
        let waiting = &mut self.receipts[slot(lane)];
        if let Some((earlier, true)) = waiting.take() {
            self.replies.push_back(earlier);
        }
        let names_rejections = brief.is_none();
        let frame = match brief.filter(|_| self.reads_brief) {
            Some(brief) => Frame::BriefReceipt(brief),
            None => Frame::Receipt(receipt),
        };
        *waiting = Some((frame, names_rejections));
    }

    /// Whether the peer is to be told that more has arrived, by a receipt or else by a progress report: what may be in
    /// flight depends on it. A peer that had no more to send when it last sent has room for more than one that goes on.
    #[must_use]
    pub fn is_report_due(&self) -> bool {
        let every = if self.drained { 2 * PROGRESS_EVERY } else { PROGRESS_EVERY };
        self.received_bytes - self.reported_bytes >= every
    }

    /// Ends the session with a reason, or in good order.
    pub fn end(&mut self, code: Option<Code>) {
        self.goodbye = Some(code);
    }

    /// Envelopes of each lane, urgent first, that the peer has not receipted.
    #[must_use]
    pub fn backlog(&self) -> [u64; 3] {
        self.outgoing.each_ref().map(Outgoing::backlog)
    }

    /// The next frame to send, if there is one now. After [`Session::end`] that is the Goodbye.
    ///
    /// # Errors
    /// When parcels cannot be read.
    pub fn next_frame(&mut self, now: Time, parcels: &mut dyn Parcels) -> Result<Option<Frame>, Refusal> {
        if let Some(code) = self.goodbye.take() {
            return Ok(Some(Frame::Goodbye(code)));
        }
        if let Some(frame) = self.hello.pop_front() {
            return Ok(Some(frame));
        }
        if !self.ready {
            return Ok(None);
        }
        if let Some(frame) = self.replies.pop_front() {
            return Ok(Some(frame));
        }
        if let Some((receipt, _)) = self.receipts.iter_mut().find_map(Option::take) {
            // The sender takes a receipt for the end of its parcel's bytes: no report is needed too, unless bytes of an
            // answer came after it.
            if !self.readings.is_asking() {
                self.reported_bytes = self.received_bytes;
            }
            return Ok(Some(receipt));
        }
        if self.is_report_due() {
            self.reported_bytes = self.received_bytes;
            return Ok(Some(Frame::Progress(self.received_bytes)));
        }
        if let Some(question) = self.readings.next_question() {
            return Ok(Some(Frame::Question(question)));
        }
        if let Some(refusal) = self.readings.next_refusal() {
            return Ok(Some(Frame::Answer(refusal)));
        }
        if let Some(frame) = self.next_piece(now, parcels)? {
            return Ok(Some(frame));
        }
        Ok(self.next_ping(now))
    }

    fn next_piece(&mut self, now: Time, parcels: &mut dyn Parcels) -> Result<Option<Frame>, Refusal> {
        let allowance = self.pace.allowance(now);
        if allowance == 0 {
            return Ok(None);
        }
        self.turn = self.turn.wrapping_add(1);
        let order = if self.turn.is_multiple_of(BULK_SHARE) { [0, 2, 1] } else { [0, 1, 2] };
        for (nth, at) in order.into_iter().enumerate() {
            // Somebody waits for an answer, so it shares the line with the lanes; urgent pieces go before it.
            if nth == 1
                && self.turn.is_multiple_of(2)
                && let Some(frame) = self.next_of_answer(allowance, now)
            {
                return Ok(Some(frame));
            }
            if self.held[at] || !self.outgoing[at].has_more() {
                continue;
            }
            if let Some((mut piece, public)) = self.outgoing[at].take(allowance, parcels)? {
                if public && self.reads_deflated && self.pace.is_deflation_worth() {
                    piece.content = self.deflater.get_or_insert_with(Deflater::new).deflate(&piece.content)?;
                    piece.deflated = true;
                }
                // What counts is what the line carries.
                self.pace.on_sent(piece.content.len() as u64, now);
                self.outgoing[at].piece_ends(self.pace.sent());
                return Ok(Some(Frame::Parcels(piece)));
            }
        }
        Ok(self.next_of_answer(allowance, now))
    }

    fn next_ping(&mut self, now: Time) -> Option<Frame> {
        let silence = self.silence();
        // The first ping, right after the Hellos, measures the path and the clocks.
        let first = self.pings == 0;
        if self.pinged.is_none() && (first || now.since(self.heard_at) >= silence) {
            self.pings += 1;
            self.pinged = Some((self.pings, now));
            return Some(Frame::Ping(self.pings));
        }
        None
    }

    /// Whether the stream is dead: nothing was heard for too long while an answer was due.
    #[must_use]
    pub fn is_dead(&self, now: Time) -> bool {
        now >= self.dead_at()
    }

    fn dead_at(&self) -> Time {
        let patience = match self.pace.in_flight() {
            _ if !self.ready => HELLO_AFTER,
            0 => IDLE_DEAD_AFTER,
            _ => self.pace.patience(),
        };
        self.heard_at.plus(patience)
    }

    /// Silence after which a sign of life is asked for.
    fn silence(&self) -> Duration {
        if self.pace.in_flight() > 0 { self.pace.patience() / ANXIOUS_PART } else { IDLE_PING_EVERY }
    }

    /// When to ask again for a frame or for [`Session::is_dead`], if nothing happens before.
    #[must_use]
    pub fn wake_at(&self, now: Time) -> Time {
        let ping_at = if self.pinged.is_none() { self.heard_at.plus(self.silence()) } else { self.dead_at() };
        let more = self.outgoing.iter().any(Outgoing::has_more).then(|| self.pace.opens_at(now)).flatten();
        let next = more.map_or(ping_at, |opens| opens.min(ping_at));
        next.min(self.dead_at()).max(now.plus(Duration::from_millis(1)))
    }

    /// The shortest round trip seen in this session.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.pace.round_trip()
    }

    /// Ends the session and returns what was left of cut parcels, for the next session to go on from.
    #[must_use]
    pub fn into_partials(self) -> [(Position, Vec<u8>); 3] {
        self.incoming.map(Incoming::into_partial)
    }
}

#[cfg(test)]
mod tests;
