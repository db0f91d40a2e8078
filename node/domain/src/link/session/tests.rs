//! Two sessions joined by a line that is simulated: what is sent arrives whole, in order within its
//! lane, once; what is urgent overtakes; what was cut is gone on with.

mod readings;

use proptest::prelude::*;

use super::*;
use crate::{
    ids::EntryIndex,
    link::{Piece, Written},
    parcel,
    signing::Signature,
    society::Society,
};

/// A sender's store: parcels by lane, position from 1.
struct Shelf([Vec<Vec<u8>>; 3], Vec<(Lane, Position)>);

impl Parcels for Shelf {
    fn parcel(&mut self, lane: Lane, position: Position) -> Result<Option<Written>, Refusal> {
        let at = usize::try_from(position.0).expect("small") - 1;
        Ok(self.0[slot(lane)].get(at).map(|bytes| {
            let mut framed = Vec::new();
            parcel::put_varint(&mut framed, bytes.len() as u64);
            framed.extend_from_slice(bytes);
            // Of every three parcels one is about a person, and all in the bulk lane are.
            Written { bytes: framed, public: lane != Lane::Bulk && !position.0.is_multiple_of(3) }
        }))
    }

    fn may_go_on(&mut self, lane: Lane, position: Position) -> Result<bool, Refusal> {
        Ok(!self.1.contains(&(lane, position)))
    }
}

fn society(code: &str) -> Society {
    code.parse().expect("a code")
}

fn epoch(byte: u8) -> Epoch {
    Epoch::new(Time::from_millis(1), [byte; 10])
}

fn receipt() -> SignedReceipt {
    SignedReceipt { content: vec![0; 100].into(), signature: Signature([0; 64]) }
}

fn hello_of(society_code: &str, protocol: (u32, u32)) -> Hello {
    Hello {
        protocol,
        society: society(society_code),
        epoch: epoch(2),
        lanes: Default::default(),
        clock: Time::default(),
        bundle_version: 1,
        deflate: false,
        brief_receipts: false,
        readings: true,
    }
}

/// Everything that one side of the line has.
struct Side {
    session: Session,
    shelf: Shelf,
    arrived: Vec<(Lane, Position, Vec<u8>)>,
    events: Vec<Event>,
    /// When the first bulk parcel may not go on, and what stands in its place then.
    withdrawn_at: Option<(u64, Vec<u8>)>,
}

impl Side {
    fn new(own: &str, peer: &str, shelf: [Vec<Vec<u8>>; 3], mut lanes: [LocalLane; 3]) -> Self {
        for (lane, parcels) in lanes.iter_mut().zip(&shelf) {
            lane.queued = Position(parcels.len() as u64);
        }
        let session = Session::new(society(own), society(peer), epoch(1), 1, lanes, Time::from_millis(1_000));
        Self { session, shelf: Shelf(shelf, Vec::new()), arrived: Vec::new(), events: Vec::new(), withdrawn_at: None }
    }

    fn hear(&mut self, frame: Frame, now: Time) {
        for event in self.session.on_frame(frame, now).expect("an honest peer") {
            if let Event::Arrived(arrival) = &event {
                self.arrived.push((arrival.lane, arrival.position, arrival.parcel.clone()));
                self.session.send_receipt(arrival.lane, receipt(), None);
            }
            self.events.push(event);
        }
    }
}

/// Runs both sides over a line of `rate` bytes a second until `until_ms`; returns when each parcel arrived at b.
fn run(a: &mut Side, b: &mut Side, rate: u64, until_ms: u64) -> Vec<(Lane, Position, u64)> {
    run_with(a, b, rate, until_ms, None)
}

/// The same, with one urgent parcel more at the given moment.
fn run_with(
    a: &mut Side,
    b: &mut Side,
    rate: u64,
    until_ms: u64,
    mut urgent: Option<u64>,
) -> Vec<(Lane, Position, u64)> {
    let mut now = 1_000;
    let (mut free, mut to_b, mut to_a) = (now, VecDeque::new(), VecDeque::new());
    let mut times = Vec::new();
    while now < until_ms {
        let at = Time::from_millis(now);
        if urgent.is_some_and(|due| due <= now) {
            urgent = None;
            a.shelf.0[0].push(vec![3; 1_000]);
            a.session.on_queued(Lane::Urgent, Position(1));
        }
        if let Some((_, placeholder)) = a.withdrawn_at.take_if(|(due, _)| *due <= now) {
            a.shelf.0[2][0] = placeholder;
            a.shelf.1.push((Lane::Bulk, Position(1)));
        }
        while let Some(frame) = a.session.next_frame(at, &mut a.shelf).expect("a shelf never fails") {
            let bytes = match &frame {
                Frame::Parcels(piece) => piece.content.len() as u64 + 50,
                _ => 150,
            };
            free = free.max(now) + bytes * 1_000 / rate;
            to_b.push_back((free + 300, frame));
        }
        while let Some(frame) = b.session.next_frame(at, &mut b.shelf).expect("a shelf never fails") {
            to_a.push_back((now + 300, frame));
        }
        while to_b.front().is_some_and(|(due, _)| *due <= now) {
            let (_, frame) = to_b.pop_front().expect("there is one");
            let before = b.arrived.len();
            b.hear(frame, at);
            times.extend(b.arrived[before..].iter().map(|(lane, position, _)| (*lane, *position, now)));
        }
        while to_a.front().is_some_and(|(due, _)| *due <= now) {
            let (_, frame) = to_a.pop_front().expect("there is one");
            a.hear(frame, at);
            if let Some(Event::Receipt(_)) = a.events.last() {
                // The test's receipts are blank: take them for the newest arrival of each lane.
                for lane in Lane::ALL {
                    if let Some((_, position, _)) = b.arrived.iter().rev().find(|(l, ..)| l == lane) {
                        a.session.on_receipt(*lane, *position, at);
                    }
                }
            }
        }
        now += 5;
    }
    times
}

#[test]
fn an_urgent_envelope_overtakes_a_backlog_on_a_satellite_line() {
    let routine = vec![vec![1; 1_024]; 1_000];
    let mut a = Side::new("SN", "ML", [Vec::new(), routine, vec![vec![2; 300_000]]], Default::default());
    let mut b = Side::new("ML", "SN", Default::default(), Default::default());
    let times = run_with(&mut a, &mut b, 8_000, 30_000, Some(20_000));
    let place = times.iter().position(|(lane, ..)| *lane == Lane::Urgent).expect("the urgent one arrived");
    assert!(place > 50 && place + 10 < times.len(), "it arrived amid the backlog: {place} of {}", times.len());
    assert!(times[place].2 - 20_000 <= 3_000, "after {} ms", times[place].2 - 20_000);
}

#[test]
fn a_cut_parcel_is_gone_on_with() {
    let letter: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    let shelf = [Vec::new(), Vec::new(), vec![letter.clone()]];
    let mut a = Side::new("SN", "ML", shelf.clone(), Default::default());
    let mut b = Side::new("ML", "SN", Default::default(), Default::default());
    run(&mut a, &mut b, 8_000, 9_000);
    let partials = b.session.into_partials();
    let held = partials[2].1.len() as u64;
    assert!(held > 20_000 && held < 100_000, "{held} bytes were there");
    let lanes = partials.map(|(received, partial)| LocalLane { received, partial, ..LocalLane::default() });
    let mut a = Side::new("SN", "ML", shelf, Default::default());
    let mut b = Side::new("ML", "SN", Default::default(), lanes);
    run(&mut a, &mut b, 8_000, 30_000);
    assert_eq!(b.arrived, vec![(Lane::Bulk, Position(1), letter)]);
    assert!(a.session.pace.sent() <= 100_010 - held, "only the rest was sent");
}

#[test]
fn what_expired_after_it_was_cut_is_sent_from_its_beginning() {
    let placeholder = vec![9; 98];
    let mut a = Side::new("SN", "ML", [Vec::new(), vec![placeholder.clone()], Vec::new()], Default::default());
    for held in [40, 98, 5_000] {
        let lane = LocalLane { partial: vec![1; held], ..LocalLane::default() };
        let mut b = Side::new("ML", "SN", Default::default(), [LocalLane::default(), lane, LocalLane::default()]);
        run(&mut a, &mut b, 1_000_000, 3_000);
        assert_eq!(b.arrived, vec![(Lane::Routine, Position(1), placeholder.clone())], "{held} bytes were held");
        a = Side::new("SN", "ML", a.shelf.0, Default::default());
    }
}

#[test]
fn what_is_withdrawn_while_it_is_sent_ends_there_and_a_placeholder_takes_its_place() {
    let placeholder = vec![9; 98];
    let mut a = Side::new("SN", "ML", [Vec::new(), Vec::new(), vec![vec![7; 300_000]]], Default::default());
    let mut b = Side::new("ML", "SN", Default::default(), Default::default());
    a.withdrawn_at = Some((9_000, placeholder.clone()));
    run(&mut a, &mut b, 8_000, 60_000);
    let sent = a.session.pace.sent();
    assert!(sent > 20_000 && sent < 200_000, "{sent} bytes of it were sent, and no more from then on");
    assert_eq!(b.arrived, vec![(Lane::Bulk, Position(1), placeholder)], "what had come of it is dropped");
    assert!(b.session.into_partials()[2].1.is_empty());
}

#[test]
fn a_receipt_that_names_rejections_is_never_replaced() {
    let signed = |byte: u8| SignedReceipt { content: vec![byte].into(), signature: Signature([byte; 64]) };
    let brief = |byte: u8| BriefReceipt {
        lane: Lane::Routine,
        position: Position(byte.into()),
        entry: EntryIndex(1),
        signature: Signature([byte; 64]),
    };
    for (reads_brief, expected) in [
        (true, [Frame::Receipt(signed(2)), Frame::BriefReceipt(brief(4))]),
        (false, [Frame::Receipt(signed(2)), Frame::Receipt(signed(4))]),
    ] {
        let mut side = Side::new("SN", "ML", Default::default(), Default::default());
        let first = side.session.next_frame(Time::default(), &mut side.shelf).expect("no store");
        assert!(matches!(first, Some(Frame::Hello(_))));
        let hello = hello_of("ML", (1, 1));
        side.session
            .on_frame(Frame::Hello(Hello { brief_receipts: reads_brief, ..hello }), Time::default())
            .expect("fits");
        for (byte, brief) in [(1, Some(brief(1))), (2, None), (3, Some(brief(3))), (4, Some(brief(4)))] {
            side.session.send_receipt(Lane::Routine, signed(byte), brief);
        }
        for frame in expected {
            assert_eq!(side.session.next_frame(Time::default(), &mut side.shelf).expect("no store"), Some(frame));
        }
    }
}

#[test]
fn only_alerts_are_deflated_and_only_for_a_peer_that_reads_it_on_a_line_that_is_not_fast() {
    // The shelf says that every third parcel is about a person.
    let routine = vec![vec![b'a'; 500]; 9];
    for (reads, deflated) in [(true, 6), (false, 0)] {
        let mut side = Side::new("SN", "ML", [Vec::new(), routine.clone(), Vec::new()], Default::default());
        let hello = Hello { deflate: reads, ..hello_of("ML", (1, 1)) };
        side.session.on_frame(Frame::Hello(hello), Time::default()).expect("fits");
        let mut pieces = Vec::new();
        while let Some(frame) = side.session.next_frame(Time::default(), &mut side.shelf).expect("no store") {
            if let Frame::Parcels(piece) = frame {
                pieces.push(piece);
            }
        }
        let packed = pieces.iter().filter(|piece| piece.deflated);
        // Two alerts that follow one another go in one piece; a person's stands alone, as it is.
        assert_eq!(packed.clone().count() * 2, deflated, "{pieces:?}");
        assert!(packed.clone().all(|piece| piece.content.len() < 100));
        assert!(pieces.iter().filter(|piece| !piece.deflated).all(|piece| piece.content.ends_with(&[b'a'; 500])));
    }
}

#[test]
fn a_restored_store_is_noticed_by_both_sides() {
    let mut a = Side::new("SN", "ML", Default::default(), Default::default());
    let lane = LocalLane { received: Position(7), ..LocalLane::default() };
    let mut b = Side::new("ML", "SN", Default::default(), [LocalLane::default(), lane, LocalLane::default()]);
    run(&mut a, &mut b, 1_000_000, 3_000);
    assert!(a.events.contains(&Event::Advance { lane: Lane::Routine, position: Position(7), hash: Digest::default() }));
    assert!(b.events.contains(&Event::Alarm(Alarm::PeerRestored(Lane::Routine))));
}

#[test]
fn a_silent_stream_is_dead_within_a_minute_when_traffic_waits() {
    let mut a = Side::new("SN", "ML", [vec![vec![0; 10]], Vec::new(), Vec::new()], Default::default());
    let mut b = Side::new("ML", "SN", Default::default(), Default::default());
    let now = Time::from_millis(1_000);
    let hello = b.session.next_frame(now, &mut b.shelf).expect("no store").expect("a Hello");
    a.hear(hello, now);
    while a.session.next_frame(now, &mut a.shelf).expect("no store").is_some() {}
    assert!(!a.session.is_dead(now.plus(Duration::from_secs(44))));
    assert!(a.session.is_dead(now.plus(Duration::from_secs(60))));
}

#[test]
fn what_breaks_the_protocol_is_refused() {
    let fresh = || Side::new("SN", "ML", Default::default(), Default::default()).session;
    let hello = |society_code: &str, protocol| Frame::Hello(hello_of(society_code, protocol));
    let piece = |position, offset| {
        Frame::Parcels(Piece {
            lane: Lane::Routine,
            position: Position(position),
            offset,
            content: vec![1, 2],
            deflated: false,
        })
    };
    let huge = {
        let mut content = Vec::new();
        parcel::put_varint(&mut content, parcel::parcel_bytes_max() + 1);
        Frame::Parcels(Piece { lane: Lane::Bulk, position: Position(1), offset: 0, content, deflated: false })
    };
    let cases = [
        (vec![Frame::Ping(1)], Code::BadFrame),
        (vec![hello("GM", (1, 1))], Code::WrongSociety),
        (vec![hello("ML", (2, 9))], Code::UnsupportedVersion),
        (vec![hello("ML", (1, 1)), hello("ML", (1, 1))], Code::BadFrame),
        (vec![hello("ML", (1, 1)), piece(2, 0)], Code::BadPosition),
        (vec![hello("ML", (1, 1)), piece(1, 3)], Code::BadPosition),
        (vec![hello("ML", (1, 1)), huge], Code::TooLarge),
    ];
    for (frames, code) in cases {
        let mut session = fresh();
        let outcome = frames.iter().try_for_each(|frame| session.on_frame(frame.clone(), Time::default()).map(|_| ()));
        assert_eq!(outcome.map_err(|refusal| refusal.code), Err(code), "{frames:?}");
    }
}

#[test]
fn a_refused_piece_leaves_nothing_of_itself() {
    let mut session = Side::new("SN", "ML", Default::default(), Default::default()).session;
    session.on_frame(Frame::Hello(hello_of("ML", (1, 1))), Time::default()).expect("fits");
    let piece = |position, offset, content: &[u8]| {
        let content = content.to_vec();
        Frame::Parcels(Piece { lane: Lane::Routine, position: Position(position), offset, content, deflated: false })
    };
    session.on_frame(piece(1, 0, &[1, 7, 3, 9]), Time::default()).expect("one whole, and a byte of three");
    // The rest of the second, a third, and the length of one that cannot be.
    let mut content = vec![9, 9, 1, 7];
    parcel::put_varint(&mut content, parcel::parcel_bytes_max() + 1);
    let refused = session.on_frame(piece(2, 2, &content), Time::default()).map_err(|refusal| refusal.code);
    assert_eq!(refused, Err(Code::TooLarge));
    assert_eq!(session.into_partials()[slot(Lane::Routine)], (Position(1), Vec::new()), "nobody was given the second");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn all_arrives_once_and_in_order(
        sizes in prop::array::uniform3(prop::collection::vec(0_usize..9_000, 0..12)),
        rate in 20_000_u64..2_000_000,
    ) {
        let shelf = sizes.map(|sizes| sizes.into_iter().enumerate().map(|(n, size)| vec![n as u8; size]).collect::<Vec<_>>());
        let mut a = Side::new("SN", "ML", shelf.clone(), Default::default());
        let mut b = Side::new("ML", "SN", Default::default(), Default::default());
        run(&mut a, &mut b, rate, 40_000);
        for lane in Lane::ALL {
            let got: Vec<_> = b.arrived.iter().filter(|(l, ..)| l == lane).map(|(_, position, parcel)| (position.0, parcel.clone())).collect();
            let sent: Vec<_> = (1..).zip(shelf[slot(*lane)].clone()).collect();
            prop_assert_eq!(got, sent);
        }
        prop_assert_eq!(a.session.backlog(), [0, 0, 0]);
    }
}
