//! Each deliberate defect of this crate does something: the same story, with the defect armed and without, has two ends.

use std::time::Duration;

use super::{withdrawals as story, world::*};
use crate::{
    alert::{Alert, AlertAck, AlertCancel},
    catalogue::{AckKind, CancelReason},
    consent::sample as consent_sample,
    decide::{About, Caller, Command, Reply},
    defects::{Defect, arm},
    digest::Digest,
    entry::{Body, Verdict},
    envelope::{Envelope, FORMAT_VERSION, Kind, Lane},
    handover::State,
    ids::{AlertId, EnvelopeId, Epoch, Position},
    link::{Backoff, Frame, Hello, LanePositions, LocalLane, Parcels, Session, Waiting, Written},
    parcel,
    refusal::Refusal,
    rows::Ended,
    time::Time,
};

const NOW: Time = consent_sample::NOW;
/// Longer than any consent holds.
const YEAR: Duration = Duration::from_secs(366 * 86_400);

fn raise(world: &mut World, at: &str, seed: u8, alert: Alert) -> AlertId {
    let id = AlertId::new(NOW, [seed; 10]);
    world.at(at).ask(Command::RaiseAlert { caller: Caller::system(), id, alert: Box::new(alert) }).expect("allowed");
    id
}

/// Takes what `origin` signed as `bringer` brings it to Senegal; the verdict.
fn brought(world: &mut World, bringer: &str, envelope: &Envelope) -> Verdict {
    let stream = parcel::write(&envelope.sign(&Toy(envelope.origin)), &[]);
    let (_, at) = parcel::take_varint(&stream).expect("a length").expect("a whole one");
    let lane_in = world.at("SN").journal.rows.lanes_in.get(&(society(bringer), envelope.lane)).cloned();
    let position = lane_in.unwrap_or_default().received.next();
    world.at("SN").take(society(bringer), envelope.lane, position, &stream[at..]).expect("it takes its place");
    verdict_of_last(world, "SN")
}

/// The verdict on what was received last.
fn verdict_of_last(world: &mut World, at: &str) -> Verdict {
    let verdict = |body: &Body| match body {
        Body::Received { verdict, .. } => Some(verdict.clone()),
        _ => None,
    };
    world.at(at).journal.entries.iter().rev().find_map(|entry| verdict(&entry.body)).expect("something was received")
}

fn envelope_of(origin: &str, to: &str, kind: Kind, body: Vec<u8>) -> Envelope {
    Envelope {
        version: FORMAT_VERSION,
        id: EnvelopeId::new(NOW, [78; 10]),
        origin: society(origin),
        recipients: vec![society(to)],
        kind,
        lane: Lane::Routine,
        created_at: NOW,
        expires_at: None,
        body: body.into(),
        attachment: None,
    }
}

fn with_two_alerts() -> World {
    let mut world = World::new();
    for seed in [1, 2] {
        raise(&mut world, "SN", seed, alert(false, vec![], NOW));
    }
    world
}

fn two_in_a_lane() -> String {
    let mut world = with_two_alerts();
    format!("{:?}", world.at("SN").journal.rows.lanes_out[&(society("ML"), Lane::Routine)].queued)
}

fn going_on_behind() -> String {
    let mut world = with_two_alerts();
    let (peer, lane, hash) = (society("ML"), Lane::Routine, Digest::of(b"what it holds"));
    world.at("SN").ask(Command::AdvanceLane { peer, lane, position: Position(7), hash }).expect("it goes on");
    format!("{:?}", world.at("SN").journal.rows.lanes_out[&(peer, lane)].queued)
}

fn the_same_again() -> String {
    let mut world = World::new();
    let id = raise(&mut world, "SN", 1, alert(false, vec![], NOW));
    world.settle("SN", "ML");
    let entry = world.at("SN").journal.rows.alerts[&id].entry;
    let replay = Command::Replay { caller: Caller::system(), peer: society("ML"), entries: vec![entry] };
    world.at("SN").ask(replay).expect("it may go again");
    world.settle("SN", "ML");
    format!("{:?}", verdict_of_last(&mut world, "ML"))
}

fn the_same_position_again() -> String {
    let mut world = World::new();
    raise(&mut world, "SN", 1, alert(false, vec![], NOW));
    let mut entry = |ahead| match world.bring(0, 1, Lane::Routine, ahead) {
        Some(Ok(Reply::Received { entry, .. })) => entry,
        other => panic!("it is answered: {other:?}"),
    };
    format!("{}", entry(1) == entry(0))
}

fn another_under_the_same_id() -> String {
    let mut world = World::new();
    let envelope = envelope_of("ML", "SN", Kind::AlertAck, acknowledgement(&mut world));
    brought(&mut world, "ML", &envelope);
    let other = Envelope { created_at: NOW.minus(Duration::from_secs(1)), ..envelope };
    format!("{:?}", brought(&mut world, "ML", &other))
}

/// An answer to an alert that Senegal raises.
fn acknowledgement(world: &mut World) -> Vec<u8> {
    let id = raise(world, "SN", 1, alert(false, vec![], NOW));
    AlertAck::new(id, AckKind::Ack, None).expect("an answer").to_cbor()
}

fn an_envelope_of_a_third() -> String {
    let mut world = World::new();
    let body = acknowledgement(&mut world);
    format!("{:?}", brought(&mut world, "ML", &envelope_of("GM", "SN", Kind::AlertAck, body)))
}

fn a_cancel_of_anothers_alert() -> String {
    let mut world = World::new();
    let alert = raise(&mut world, "SN", 1, alert(false, vec![], NOW));
    let cancel = AlertCancel { alert, reason: CancelReason::Wrong, note: None };
    brought(&mut world, "ML", &envelope_of("ML", "SN", Kind::AlertCancel, cancel.to_cbor()));
    format!("{:?}", world.at("SN").journal.rows.alerts[&alert].cancelled.is_some())
}

fn one_that_expires_before_another() -> String {
    let mut world = with_two_alerts();
    world.at("SN").now = NOW.plus(Duration::from_secs(86_400));
    let (peer, lane) = (society("ML"), Lane::Routine);
    world.at("SN").ask(Command::EndExpired { peer, lane, position: Position(1) }).expect("it has expired");
    format!("{:?}", world.at("SN").journal.rows.items[&(peer, lane, Position(2))].ended)
}

fn a_peer_behind_its_receipts() -> String {
    struct Shelf;
    impl Parcels for Shelf {
        fn parcel(&mut self, _: Lane, position: Position) -> Result<Option<Written>, Refusal> {
            Ok(Some(Written { bytes: parcel::write_expired(&Digest::of(&position.0.to_be_bytes())), public: true }))
        }
    }
    let lane = LocalLane { queued: Position(9), receipted: Position(5), ..LocalLane::default() };
    let lanes = [lane, LocalLane::default(), LocalLane::default()];
    let epoch = |seed| Epoch::new(NOW, [seed; 10]);
    let mut session = Session::new(society("SN"), society("ML"), epoch(1), 1, lanes, NOW);
    let behind = LanePositions { received: Position(3), ..LanePositions::default() };
    let hello = Hello {
        protocol: (1, 1),
        society: society("ML"),
        epoch: epoch(2),
        lanes: [behind, LanePositions::default(), LanePositions::default()],
        clock: NOW,
        bundle_version: 1,
        deflate: false,
        brief_receipts: false,
        readings: false,
    };
    session.on_frame(Frame::Hello(hello), NOW).expect("an honest peer");
    // Both ends join: the engine has said that the lane goes on as it was.
    Lane::ALL.iter().for_each(|lane| session.on_advanced(*lane, false));
    let mut next = || session.next_frame(NOW, &mut Shelf).expect("a shelf never fails");
    let piece = std::iter::from_fn(&mut next).find_map(|frame| match frame {
        Frame::Parcels(piece) => Some(piece.position),
        _ => None,
    });
    format!("{piece:?}")
}

fn a_peer_that_cannot_be_reached() -> String {
    let mut backoff = Backoff::default();
    (0..20).for_each(|_| backoff = backoff.failed(NOW));
    format!("{:?}", backoff.next_dial(Waiting::Nothing, u8::MAX).since(NOW))
}

/// The consent has ended before the offer is made.
fn an_offer_after_the_consent() -> String {
    let mut world = story::world(0);
    world.at("SN").now = NOW.plus(YEAR);
    format!("{:?}", story::code(world.at("SN").ask(story::offer(2))))
}

/// Accepted; then the consent ends before the release.
fn a_release_after_the_consent() -> String {
    let mut world = story::world(3);
    world.at("SN").now = NOW.plus(YEAR);
    format!("{:?}", story::code(world.at("SN").ask(story::release())))
}

fn an_offer_that_waits_beyond_the_consent() -> String {
    let mut world = story::world(0);
    world.at("SN").now = NOW.plus(YEAR);
    world.nodes[0].gate(society("ML"), Lane::Routine, Position(1));
    format!("{:?}", world.at("SN").journal.rows.items[&(society("ML"), Lane::Routine, Position(1))].ended)
}

fn a_package_after_its_withdrawal() -> String {
    let mut world = story::world(4);
    world.at("ML").ask(story::withdraw(About::Handover(story::id()), None)).expect("recorded");
    world.bring(0, 1, Lane::Bulk, 1).expect("the release").expect("it is judged");
    format!("{:?}", verdict_of_last(&mut world, "ML"))
}

fn an_offer_after_its_withdrawal() -> String {
    let parcel = story::world(0).at("SN").parcel(society("ML"), Lane::Routine, Position(1)).expect("the offer");
    let mut world = story::world(0);
    world.at("SN").ask(story::withdraw(About::Consent(story::consent_id()), None)).expect("recorded");
    world.bring(0, 1, Lane::Urgent, 1);
    world.at("ML").take(society("SN"), Lane::Routine, Position(1), &parcel).expect("it is judged");
    format!("{:?}", verdict_of_last(&mut world, "ML"))
}

fn a_withdrawal_at_the_origin() -> String {
    let mut world = story::world(7);
    world.at("SN").ask(story::withdraw(About::Consent(story::consent_id()), None)).expect("recorded");
    story::heal(&mut world);
    format!("{:?}", story::state(&mut world, "ML") == State::Erased)
}

fn a_withdrawal_that_others_hold() -> String {
    let mut world = story::world(7);
    let onward = story::passed_on(&mut world);
    world.at("SN").ask(story::withdraw(About::Consent(story::consent_id()), None)).expect("recorded");
    story::heal(&mut world);
    world.settle("ML", "GM");
    format!("{:?}", world.at("GM").journal.rows.handovers[&onward].state.has_ended())
}

fn what_the_origin_hears() -> String {
    let mut world = story::world(7);
    world.at("SN").ask(story::withdraw(About::Consent(story::consent_id()), None)).expect("recorded");
    story::heal(&mut world);
    let uses = &world.at("SN").journal.rows.uses[&story::consent_id()];
    format!("{:?}", uses.of(story::id()).is_some_and(|resting| resting.erased_at.is_some()))
}

type Story = fn() -> String;

#[test]
fn each_of_the_defects_does_something() {
    let rejected = |code: &str| format!("{:?}", Verdict::Rejected(code.to_owned()));
    let yes = "true".to_owned();
    let stories: [(Defect, Story, String); 18] = [
        (Defect::ReusePosition, two_in_a_lane, format!("{:?}", Position(2))),
        (Defect::LoseAfterAdvance, going_on_behind, format!("{:?}", Position(9))),
        (Defect::SecondEffect, the_same_again, format!("{:?}", Verdict::Duplicate)),
        (Defect::NewReceipt, the_same_position_again, yes.clone()),
        (Defect::DedupeById, another_under_the_same_id, rejected("duplicate_id")),
        (Defect::TakePeersWord, an_envelope_of_a_third, rejected("wrong_society")),
        (Defect::ForeignUpdate, a_cancel_of_anothers_alert, "false".to_owned()),
        (Defect::ExpiryTakesNeighbour, one_that_expires_before_another, format!("{:?}", None::<Ended>)),
        (Defect::NoResume, a_peer_behind_its_receipts, format!("{:?}", Some(Position(4)))),
        (Defect::ForgetBackoff, a_peer_that_cannot_be_reached, "300s".to_owned()),
        (Defect::SkipConsentAtOffer, an_offer_after_the_consent, "Some(ConsentExpired)".to_owned()),
        (Defect::SkipConsentAtRelease, a_release_after_the_consent, "Some(ConsentExpired)".to_owned()),
        (Defect::SkipConsentAtRetry, an_offer_that_waits_beyond_the_consent, format!("{:?}", Some(Ended::Withheld))),
        (Defect::IgnoreTombstone, a_package_after_its_withdrawal, rejected("withdrawn")),
        (Defect::IgnoreTombstone, an_offer_after_its_withdrawal, rejected("withdrawn")),
        (Defect::DropNotice, a_withdrawal_at_the_origin, yes.clone()),
        (Defect::ForgetOnward, a_withdrawal_that_others_hold, yes.clone()),
        (Defect::EraseInSilence, what_the_origin_hears, yes),
    ];
    for (defect, tell, right) in stories {
        arm(None);
        assert_eq!(tell(), right, "without {defect}");
        arm(Some(defect));
        assert_ne!(tell(), right, "{defect} does nothing");
        arm(None);
    }
}
