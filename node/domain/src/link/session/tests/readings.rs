//! Readings at the origin beside the lanes: asked, answered in pieces, behind what is urgent, never two at once.

use super::*;
use crate::{
    catalogue::{Purpose, Role, Section},
    handover::Question,
    ids::{EnvelopeId, HandoverId},
    limits::{FRAME_BYTES_MAX, PACKAGE_BYTES_MAX, SEAL_BYTES_MAX},
    link::{Answer, Part},
};

const NOW: Time = Time::from_millis(1_000);

fn question(seed: u8) -> Question {
    Question {
        id: EnvelopeId::new(NOW, [seed; 10]),
        handover: HandoverId::new(NOW, [9; 10]),
        sections: vec![Section::Contact],
        purpose: Purpose::Transport,
        roles: vec![Role::Caseworker],
    }
}

/// Two sides that have greeted each other: the recipient, who asks, and the origin.
fn met(urgent: Vec<Vec<u8>>, bulk: Vec<Vec<u8>>) -> (Side, Side) {
    let mut recipient = Side::new("ML", "SN", Default::default(), Default::default());
    let mut origin = Side::new("SN", "ML", [urgent, Vec::new(), bulk], Default::default());
    recipient.hear(Frame::Hello(hello_of("SN", (1, 1))), NOW);
    origin.hear(Frame::Hello(hello_of("ML", (1, 1))), NOW);
    (recipient, origin)
}

/// Carries frames both ways until nothing is left to send; the frames that the origin sent.
fn carry(recipient: &mut Side, origin: &mut Side) -> Vec<Frame> {
    let mut sent = Vec::new();
    loop {
        let asked = recipient.session.next_frame(NOW, &mut recipient.shelf).expect("no store");
        let told = origin.session.next_frame(NOW, &mut origin.shelf).expect("no store");
        if asked.is_none() && told.is_none() {
            return sent;
        }
        // The Hellos were heard already.
        if let Some(frame) = asked.filter(|frame| !matches!(frame, Frame::Hello(_))) {
            origin.hear(frame, NOW);
        }
        if let Some(frame) = told.filter(|frame| !matches!(frame, Frame::Hello(_))) {
            sent.push(frame.clone());
            recipient.hear(frame, NOW);
        }
    }
}

fn answers(side: &Side) -> Vec<(EnvelopeId, Result<Vec<u8>, Code>)> {
    let answered = |event: &Event| match event {
        Event::Answered(id, outcome) => Some((*id, outcome.clone())),
        _ => None,
    };
    side.events.iter().filter_map(answered).collect()
}

#[test]
fn an_answer_of_any_size_comes_whole_in_frames_that_fit() {
    for bytes in [1, 4_000, 300_000, PACKAGE_BYTES_MAX + SEAL_BYTES_MAX] {
        let (mut recipient, mut origin) = met(Vec::new(), Vec::new());
        recipient.session.ask(question(1)).expect("the origin answers");
        carry(&mut recipient, &mut origin);
        assert!(origin.events.contains(&Event::Asked(question(1))));
        let sealed: Vec<u8> = (0..bytes).map(|at| at as u8).collect();
        origin.session.answer(question(1).id, Ok(sealed.clone()));
        let sent = carry(&mut recipient, &mut origin);
        let fits = |frame: &Frame| {
            !matches!(frame, Frame::Answer(Answer { part: Part::Piece { content, .. }, .. })
            if content.len() > FRAME_BYTES_MAX - 1_024)
        };
        assert!(sent.iter().all(fits));
        assert!(answers(&recipient) == vec![(question(1).id, Ok(sealed))], "{bytes} bytes");
        assert_eq!(origin.session.answering(), None);
    }
}

#[test]
fn what_is_urgent_goes_before_an_answer_and_bulk_does_not_stop_it() {
    let (mut recipient, mut origin) = met(vec![vec![1; 6_000]], vec![vec![2; 200_000]]);
    recipient.session.ask(question(1)).expect("the origin answers");
    while let Some(frame) = recipient.session.next_frame(NOW, &mut recipient.shelf).expect("no store") {
        if matches!(frame, Frame::Question(_)) {
            origin.hear(frame, NOW);
        }
    }
    origin.session.answer(question(1).id, Ok(vec![3; 20_000]));
    let sent = carry(&mut recipient, &mut origin);
    let place = |fits: &dyn Fn(&Frame) -> bool, last: bool| {
        let at = if last { sent.iter().rposition(fits) } else { sent.iter().position(fits) };
        at.expect("it was sent")
    };
    let of_lane = |lane| move |frame: &Frame| matches!(frame, Frame::Parcels(piece) if piece.lane == lane);
    let of_answer = |frame: &Frame| matches!(frame, Frame::Answer(_));
    assert!(place(&of_lane(Lane::Urgent), true) < place(&of_answer, false));
    assert!(place(&of_answer, true) < place(&of_lane(Lane::Bulk), true));
    assert_eq!(recipient.arrived.len(), 2);
}

#[test]
fn one_reading_is_under_way_at_a_time_and_an_older_node_is_asked_none() {
    let (mut recipient, mut origin) = met(Vec::new(), Vec::new());
    for seed in [1, 2] {
        recipient.session.ask(question(seed)).expect("the origin answers");
        carry(&mut recipient, &mut origin);
    }
    assert_eq!(answers(&recipient), [(question(2).id, Err(Code::Busy))]);
    // The first one has been given up: what comes of it is dropped.
    origin.session.answer(question(1).id, Ok(vec![1; 10]));
    carry(&mut recipient, &mut origin);
    assert_eq!(answers(&recipient).len(), 1);
    recipient.session.ask(question(3)).expect("the origin is free again");
    carry(&mut recipient, &mut origin);
    origin.session.answer(question(3).id, Err(Code::Withdrawn));
    carry(&mut recipient, &mut origin);
    assert_eq!(answers(&recipient)[1..], [(question(3).id, Err(Code::Withdrawn))]);

    let mut side = Side::new("ML", "SN", Default::default(), Default::default());
    side.hear(Frame::Hello(Hello { readings: false, ..hello_of("SN", (1, 1)) }), NOW);
    assert_eq!(side.session.ask(question(1)).map_err(|refusal| refusal.code), Err(Code::UnsupportedVersion));
}

#[test]
fn an_answer_that_is_cut_off_by_a_refusal_is_not_kept() {
    let (mut recipient, mut origin) = met(Vec::new(), Vec::new());
    recipient.session.ask(question(1)).expect("the origin answers");
    carry(&mut recipient, &mut origin);
    origin.session.answer(question(1).id, Ok(vec![1; 100_000]));
    for _ in 0..2 {
        let frame = origin.session.next_frame(NOW, &mut origin.shelf).expect("no store").expect("a piece");
        recipient.hear(frame, NOW);
    }
    origin.session.answer(question(1).id, Err(Code::Withdrawn));
    carry(&mut recipient, &mut origin);
    assert_eq!(answers(&recipient), [(question(1).id, Err(Code::Withdrawn))]);
    assert!(!recipient.session.readings.is_asking());
}

#[test]
fn pieces_that_do_not_join_break_the_protocol() {
    let piece = |total, offset, bytes: usize| {
        Frame::Answer(Answer { id: question(1).id, part: Part::Piece { total, offset, content: vec![0; bytes] } })
    };
    let too_large = (PACKAGE_BYTES_MAX + SEAL_BYTES_MAX + 1) as u64;
    for (story, frames) in [
        ("a gap", vec![piece(10, 5, 5)]),
        ("more than there is", vec![piece(4, 0, 5)]),
        ("nothing", vec![piece(4, 0, 0)]),
        ("too large", vec![piece(too_large, 0, 5)]),
        ("another size", vec![piece(10, 0, 5), piece(11, 5, 5)]),
        ("twice the same", vec![piece(10, 0, 5), piece(10, 0, 5)]),
        ("an offset beyond all", vec![piece(10, u64::MAX, 5)]),
    ] {
        let (mut recipient, _) = met(Vec::new(), Vec::new());
        recipient.session.ask(question(1)).expect("the origin answers");
        let outcome = frames.into_iter().try_for_each(|frame| recipient.session.on_frame(frame, NOW).map(|_| ()));
        assert_eq!(outcome.map_err(|refusal| refusal.code), Err(Code::BadFrame), "{story}");
    }
}
