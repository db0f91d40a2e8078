//! What a peer sends on the stream: frames, and the session that they drive. Touches nothing.

use std::time::Duration;

use passerelle_domain::{
    digest::Digest,
    envelope::{Lane, SignedEnvelope},
    ids::{Epoch, Position},
    limits::FRAME_BYTES_MAX,
    link::{Event, Frame, Hello, LanePositions, LocalLane, PROTOCOL_MAX, Parcels, Piece, Session, Written},
    parcel,
    refusal::Refusal,
    signing::Signature,
    society::Society,
    time::Time,
};
use passerelle_proto::v1;
use prost::Message as _;

use super::{base, tells_nothing};

/// Last position that is queued in each lane.
const QUEUED: u64 = 9;
/// Payload of the longest parcel that waits, and of an answer, in bytes.
const LETTER_BYTES: usize = 40_000;
const ANSWER_BYTES: usize = 20_000;
/// What a parcel adds to its payload at the most: lengths and a signature.
const PARCEL_OVERHEAD: usize = 128;
/// Content of a frame at the least while more waits behind it: a full TCP segment, as node/domain/src/link/pace.rs has it.
const CONTENT_MIN: usize = 1_400;
/// Frames that are sent once for whatever they answer: Hello, replies to one frame, a receipt of each lane, progress, a
/// question, a refused one, a ping, a Goodbye.
const CONTROL_FRAMES: usize = 1 + 2 + 3 + 1 + 1 + 1 + 1 + 1;
/// Frames that the session may send after one that it was given: every place of every lane as a parcel of its own, one
/// answer, and what is sent once. (3 * 9 * 29 + 15 + 11.)
const SENT_MAX: usize = Lane::ALL.len() * QUEUED as usize * (LETTER_BYTES + PARCEL_OVERHEAD).div_ceil(CONTENT_MIN)
    + ANSWER_BYTES.div_ceil(CONTENT_MIN)
    + CONTROL_FRAMES;

/// Parcels of every lane: a short one, one of several frames, one that expired.
struct Stock([Vec<u8>; 3]);

impl Stock {
    fn new() -> Self {
        let envelope = |bytes: usize| {
            let signed = SignedEnvelope { payload: vec![7; bytes].into(), signature: Signature([9; 64]) };
            parcel::write(&signed, &[])
        };
        Self([envelope(300), envelope(LETTER_BYTES), parcel::write_expired(&Digest([3; 32]))])
    }
}

impl Parcels for Stock {
    fn parcel(&mut self, lane: Lane, position: Position) -> Result<Option<Written>, Refusal> {
        let which = usize::try_from(position.0 % 3).unwrap_or_default();
        let bytes = self.0.get(which).cloned().unwrap_or_default();
        Ok(Some(Written { bytes, public: lane != Lane::Bulk }))
    }
}

/// A session with three lanes that hold something, both ways.
fn session(own: Society, peer: Society, now: Time) -> (Session, [LocalLane; 3]) {
    let lane = |queued, receipted, received| LocalLane {
        queued: Position(queued),
        receipted: Position(receipted),
        received: Position(received),
        received_hash: Digest([5; 32]),
        partial: Vec::new(),
    };
    let mut lanes = [lane(5, 2, 3), lane(4, 4, 0), lane(0, 0, 0)];
    // Of the parcel after the third, fifty bytes arrived before the last session broke.
    lanes[0].partial = Stock::new().0[0].iter().take(50).copied().collect();
    (Session::new(own, peer, Epoch::new(now, [4; 10]), 1, lanes.clone(), now), lanes)
}

/// A stream of frames, each with its length before it, as prost writes them. Seeds begin with a Hello.
pub(super) fn frames(bytes: &[u8]) {
    let (own, peer) = (base::own(), base::peer());
    let mut now = base::NOW;
    let (mut session, lanes) = session(own, peer, now);
    let mut whole = lanes.each_ref().map(|lane| lane.received);
    let mut stock = Stock::new();
    let mut rest = bytes;
    while let Ok(message) = v1::Frame::decode_length_delimited(&mut rest) {
        let frame = match Frame::try_from(message) {
            Ok(frame) => frame,
            Err(refusal) => {
                tells_nothing(&refusal);
                break;
            }
        };
        assert_eq!(Frame::try_from(v1::Frame::from(frame.clone())), Ok(frame.clone()), "a frame reads back");
        // The clock of the node moves as it likes, backwards too.
        now = if rest.len() % 31 == 7 { now.minus(Duration::from_secs(3_600)) } else { now.plus(pause(rest.len())) };
        let events = match session.on_frame(frame, now) {
            Ok(events) => events,
            Err(refusal) => {
                tells_nothing(&refusal);
                session.end(Some(refusal.code));
                break;
            }
        };
        for event in events {
            follow(&mut session, event, &mut whole, now);
        }
        drain(&mut session, &mut stock, now);
    }
    drain(&mut session, &mut stock, now);
    let _ = (session.is_dead(now), session.wake_at(now), session.backlog(), session.round_trip());
    for ((at, partial), whole) in session.into_partials().iter().zip(whole) {
        assert_eq!(*at, whole, "positions are given one after the other");
        assert!(partial.len() as u64 <= parcel::parcel_bytes_max() + 5, "more is kept than a parcel has");
    }
}

fn pause(left: usize) -> Duration {
    Duration::from_millis([1, 20, 1_000, 20_000, 130_000][left % 5])
}

/// Does what the shell does.
fn follow(session: &mut Session, event: Event, whole: &mut [Position; 3], now: Time) {
    match event {
        Event::Ready(_) => {
            for lane in Lane::ALL.iter().copied() {
                session.on_queued(lane, Position(QUEUED));
            }
        }
        Event::Advance { lane, position, .. } => session.on_advanced(lane, position.0 % 2 == 1),
        Event::Arrived(arrival) => {
            assert!(arrival.parcel.len() as u64 <= parcel::parcel_bytes_max());
            let place = &mut whole[usize::from(arrival.lane.number()) - 1];
            assert_eq!(arrival.position, place.next(), "parcels arrive in their order");
            *place = arrival.position;
            let _ = parcel::read(&arrival.parcel);
        }
        Event::Receipt(signed) => {
            if let Ok(receipt) = signed.read() {
                session.on_receipt(receipt.lane, receipt.position, now);
            }
        }
        Event::BriefReceipt(brief) => {
            session.on_receipt(brief.lane, brief.position, now);
            let signed = brief.restore(base::peer(), base::own(), Digest([1; 32]));
            session.send_receipt(brief.lane, signed, Some(brief));
        }
        Event::Asked(question) => {
            let refused = question.check().err().map(|refusal| refusal.code);
            let outcome = refused.map_or_else(|| Ok(vec![8; ANSWER_BYTES]), Err);
            session.answer(question.id, outcome);
            let _ = session.ask(question);
        }
        Event::Answered(..) | Event::Alarm(_) | Event::Clock { .. } | Event::Goodbye(_) => {}
    }
}

fn drain(session: &mut Session, stock: &mut Stock, now: Time) {
    for sent in 1.. {
        match session.next_frame(now, stock) {
            Ok(Some(frame)) => {
                if let Frame::Parcels(piece) = &frame {
                    assert!(piece.content.len() <= FRAME_BYTES_MAX + 64, "a piece fits into a frame");
                }
            }
            Ok(None) => return,
            Err(refusal) => return tells_nothing(&refusal),
        }
        assert!(sent <= SENT_MAX, "a session sends without end");
    }
}

/// Parts of a DEFLATE stream, each with its length in two bytes before it.
pub(super) fn pieces(bytes: &[u8]) {
    let (own, peer, now) = (base::own(), base::peer(), base::NOW);
    let (mut session, _) = session(own, peer, now);
    let hello = Hello {
        protocol: (PROTOCOL_MAX, PROTOCOL_MAX),
        society: peer,
        epoch: Epoch::new(now, [6; 10]),
        lanes: [LanePositions::default(); 3],
        clock: now,
        bundle_version: 1,
        deflate: true,
        brief_receipts: true,
        readings: true,
    };
    let greeted = session.on_frame(Frame::Hello(hello), now);
    assert!(greeted.is_ok(), "a good Hello is taken: {greeted:?}");
    let mut rest = bytes;
    let mut position = Position(1);
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (part, after) = after.split_at(usize::from(u16::from_be_bytes(*length)).min(after.len()));
        rest = after;
        // Each piece begins the parcel anew, so that whatever it stands for is taken.
        let content = part.to_vec();
        let piece = Piece { lane: Lane::Routine, position, offset: 0, content, deflated: true };
        match session.on_frame(Frame::Parcels(piece), now) {
            Ok(events) => {
                let bytes: usize = events
                    .iter()
                    .map(|event| if let Event::Arrived(arrival) = event { arrival.parcel.len() } else { 0 })
                    .sum();
                assert!(bytes <= FRAME_BYTES_MAX, "a piece stands for {bytes} bytes");
                position.0 += events.len() as u64;
            }
            Err(refusal) => {
                tells_nothing(&refusal);
                break;
            }
        }
    }
    for (_, partial) in session.into_partials() {
        assert!(partial.len() <= FRAME_BYTES_MAX, "a piece stands for {} bytes", partial.len());
    }
}
