//! Stores that were put back to an earlier state, at one end of a lane and at both.

use super::world::*;
use crate::{
    catalogue::Role,
    decide::{Caller, Command, Reply, joins},
    digest::Digest,
    entry::Actor,
    envelope::Lane,
    facts::Facts as _,
    ids::{AlertId, Position},
    limits::LANE_AHEAD_MAX,
    refusal::Code,
};

const NOW: crate::time::Time = crate::consent::sample::NOW;

fn raise(world: &mut World, seed: u8) -> AlertId {
    let id = AlertId::new(NOW, [seed; 10]);
    let caller = Caller { actor: Actor::Operator("awa".into()), roles: vec![Role::AlertAuthor] };
    let command = Command::RaiseAlert { caller, id, alert: Box::new(alert(false, Vec::new(), NOW)) };
    assert!(matches!(world.at("SN").ask(command), Ok(Reply::Alert { .. })));
    id
}

/// What the node of ML holds of the routine lane of SN.
fn held(world: &mut World) -> (Position, Digest) {
    let lane = world.at("ML").journal.rows.lanes_in.get(&(society("SN"), Lane::Routine)).cloned().unwrap_or_default();
    (lane.received, lane.hash)
}

fn advance(world: &mut World, (position, hash): (Position, Digest)) {
    let command = Command::AdvanceLane { peer: society("ML"), lane: Lane::Routine, position, hash };
    world.at("SN").ask(command).expect("the lane goes on");
}

fn sn_joins(world: &mut World, (position, hash): (Position, Digest)) -> bool {
    joins(&world.at("SN").journal, society("ML"), Lane::Routine, position, &hash).expect("rows can be read")
}

#[test]
fn a_peer_that_lost_what_it_had_gets_it_again_from_the_same_places() {
    let mut world = World::new();
    let before = world.at("ML").journal.clone();
    let id = raise(&mut world, 1);
    world.settle("SN", "ML");
    world.at("ML").journal = before;
    let held = held(&mut world);
    assert!(sn_joins(&mut world, held), "all that it lost is known here");
    let entries = world.at("SN").journal.next();
    advance(&mut world, held);
    assert_eq!(world.at("SN").journal.next(), entries, "and nothing needs to be written");
    world.settle("SN", "ML");
    assert!(world.at("ML").journal.rows.alerts.contains_key(&id));
}

#[test]
fn a_peer_cannot_have_a_lane_walked_for_as_long_as_it_likes() {
    let mut world = World::new();
    let id = raise(&mut world, 1);
    let claim = |position| Command::AdvanceLane {
        peer: society("ML"),
        lane: Lane::Routine,
        position: Position(position),
        hash: Digest([7; 32]),
    };
    for position in [u64::MAX, u64::MAX - 1, LANE_AHEAD_MAX + 2] {
        let refused = world.at("SN").ask(claim(position)).map_err(|refusal| refusal.code);
        assert_eq!(refused, Err(Code::BadPosition), "{position}");
    }
    // What may be claimed is passed over, there and back, for the price of the one envelope that there is.
    for position in [LANE_AHEAD_MAX + 1, 0, LANE_AHEAD_MAX, 2 * LANE_AHEAD_MAX, 0] {
        world.at("SN").ask(claim(position)).expect("a store may have lost much");
    }
    let out = world.at("SN").journal.lane_out(society("ML"), Lane::Routine).expect("rows can be read");
    assert_eq!((out.receipted, out.queued), (Position(0), Position(1)), "{id} waits once");
}

#[test]
fn a_lane_between_two_nodes_that_both_lost_something_goes_on() {
    let mut world = World::new();
    let (sn_before, ml_before) = (world.at("SN").journal.clone(), world.at("ML").journal.clone());
    let forgotten = raise(&mut world, 1);
    world.settle("SN", "ML");
    // SN is restored: it does not know what stands at the first place, which ML holds.
    world.at("SN").journal = sn_before;
    let at = held(&mut world);
    assert!(!sn_joins(&mut world, at));
    // What it raises before it hears of that has the first place too, and is moved behind it.
    let delivered = raise(&mut world, 2);
    advance(&mut world, at);
    world.settle("SN", "ML");
    let waiting = raise(&mut world, 3);
    // Then ML is restored too, and asks from the beginning.
    world.at("ML").journal = ml_before;
    let at = held(&mut world);
    assert_eq!(at, (Position(0), Digest::default()));
    assert!(!sn_joins(&mut world, at), "the first place is known to nobody any more");
    advance(&mut world, at);
    let again = held(&mut world);
    assert!(sn_joins(&mut world, again), "once is enough");
    world.settle("SN", "ML");
    let alerts = &world.at("ML").journal.rows.alerts;
    assert!(alerts.contains_key(&delivered) && alerts.contains_key(&waiting), "what is known is there");
    assert!(!alerts.contains_key(&forgotten));
    let (sn, rebuilt) = (world.at("SN").journal.rows.clone(), world.at("SN").journal.rebuilt(society("SN")));
    assert!(sn == rebuilt, "the fold of the journal gives the same lane");
}

#[test]
fn as_many_envelopes_that_are_others_are_noticed() {
    for waiting in [false, true] {
        let mut world = World::new();
        let before = world.at("SN").journal.clone();
        raise(&mut world, 1);
        world.settle("SN", "ML");
        let first_life = world.at("SN").journal.clone();
        // The store is put back, and another alert takes the first place, once both ends were.
        let ml_before = World::new().at("ML").journal.clone();
        world.at("SN").journal = before;
        world.at("ML").journal = ml_before;
        raise(&mut world, 2);
        world.settle("SN", "ML");
        // Then the first life comes back: one envelope was receipted in it, and one is held.
        world.at("SN").journal = first_life;
        let third = waiting.then(|| raise(&mut world, 3));
        let at = held(&mut world);
        assert_eq!(at.0, Position(1));
        assert!(!sn_joins(&mut world, at), "what is held at the place is another one");
        advance(&mut world, at);
        assert!(sn_joins(&mut world, at), "once is enough");
        let last = raise(&mut world, 4);
        world.settle("SN", "ML");
        let alerts = &world.at("ML").journal.rows.alerts;
        assert!(third.into_iter().chain([last]).all(|id| alerts.contains_key(&id)), "the lane goes on");
        let (sn, rebuilt) = (world.at("SN").journal.rows.clone(), world.at("SN").journal.rebuilt(society("SN")));
        assert!(sn == rebuilt, "the fold of the journal gives the same lane");
    }
}
