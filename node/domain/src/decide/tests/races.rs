//! A withdrawal against all that can happen at the same time: each step of a handover raced by the next one, the person heard
//! at either node or at both, lanes that arrive in any order and one way only, an offer that expires, a node that stops between
//! any two of what it does, and one that comes back from before. Whatever the order, it ends in erasure at both ends, and
//! nothing about the person is sent once a node knows.

use std::time::Duration;

use super::{withdrawals::*, world::*};
use crate::{
    catalogue::{CloseReason, StopReason},
    decide::{About, Command},
    envelope::Lane,
    handover::{Outcome, State, Step},
    ids::Position,
    refusal::Code,
};

/// Orders in which the lanes of one direction arrive: every one has its turn to be first and last.
const ORDERS: [[Lane; 3]; 6] = {
    use Lane::{Bulk as B, Routine as R, Urgent as U};
    [[U, R, B], [U, B, R], [R, U, B], [R, B, U], [B, U, R], [B, R, U]]
};

const BOTH: [&str; 2] = ["SN", "ML"];

/// What the two would do next after so many steps of the story, withdrawal or not.
fn next_step(steps: u8) -> Option<(&'static str, Command)> {
    let completed = Outcome { reason: CloseReason::Completed, delivered: vec![], unmet: vec![], satisfied: None };
    Some(match steps {
        1 => ("ML", accept()),
        // The acceptance, or the package, is on its way: what the origin can do then is to take it back.
        2 => ("SN", report(Step::Cancelled(StopReason::MovedOn))),
        3 => ("SN", release()),
        4 => ("SN", report(Step::Revoked(StopReason::UnsafeForPerson))),
        5 => ("ML", report(Step::InService)),
        6 | 7 => ("ML", report(Step::Completed(completed))),
        _ => return None,
    })
}

/// Who hears the person: one of them, the other, both before either knows of the other.
const HEARD: [&[&str]; 3] = [&["SN"], &["ML"], &["SN", "ML"]];

/// The person speaks at these nodes; at Mali only once it has heard of the case.
fn speak(world: &mut World, at: &[&str]) -> bool {
    let mut spoken = false;
    for code in at {
        let about = if *code == "SN" { About::Case(case(1)) } else { About::Handover(id()) };
        if world.at(code).journal.rows.handovers.contains_key(&id()) {
            world.at(code).ask(withdraw(about, None)).expect("anybody may stop it");
            spoken = true;
        }
    }
    spoken
}

/// One lane of one direction arrives, and its receipt comes back.
fn arrive(world: &mut World, from: &str, lane: Lane) {
    let (from, to) = if from == "SN" { (0, 1) } else { (1, 0) };
    while let Some(outcome) = world.bring(from, to, lane, 1) {
        outcome.expect("the next position is judged");
    }
    world.receipt(from, to, lane).expect("a receipt over what was sent");
}

/// What a node does beside its link: it may stop before this, and does it at its next start.
fn erase(world: &mut World, code: &str) {
    world.at(code).erase_what_is_due();
}

fn settled(world: &mut World) {
    for _ in 0..4 {
        for lane in Lane::ALL {
            arrive(world, "SN", *lane);
            arrive(world, "ML", *lane);
        }
        BOTH.iter().for_each(|code| erase(world, code));
    }
}

fn assert_ended(world: &mut World, why: &str) {
    for code in BOTH {
        let Some(row) = world.at(code).journal.rows.handovers.get(&id()).cloned() else { continue };
        assert_eq!(row.state, State::Erased, "{why}: {code}");
        let refused = world.at(code).ask(read()).err().map(|refusal| refusal.code);
        assert_eq!(refused, Some(Code::Withdrawn), "{why}: {code}");
        let rows = world.at(code).journal.rebuilt(society(code));
        assert!(rows == world.at(code).journal.rows, "{why}: the views of {code} follow from its journal");
    }
}

#[test]
fn it_races_the_next_step_in_every_order_of_the_lanes() {
    let mut raced = 0;
    for steps in 0..=7 {
        for heard in HEARD {
            for step_first in [true, false] {
                for (at, order) in ORDERS.iter().enumerate() {
                    let mut world = world(steps);
                    let act = |world: &mut World| {
                        if let Some((code, command)) = next_step(steps) {
                            let done = world.at(code).ask(command).is_ok();
                            assert!(done || !step_first || steps == 0, "after {steps} steps the next one is possible");
                        }
                    };
                    if step_first {
                        act(&mut world);
                    }
                    if !speak(&mut world, heard) {
                        continue;
                    }
                    if !step_first {
                        act(&mut world);
                    }
                    let back = ORDERS[(at + 3) % ORDERS.len()];
                    for (there, here) in order.iter().zip(back) {
                        arrive(&mut world, "SN", *there);
                        erase(&mut world, BOTH[at % 2]);
                        arrive(&mut world, "ML", here);
                    }
                    settled(&mut world);
                    assert_ended(&mut world, &format!("{steps} steps, {heard:?}, {order:?}, step first: {step_first}"));
                    raced += 1;
                }
            }
        }
    }
    assert!(raced >= 240, "{raced} races were run");
}

#[test]
fn a_node_that_stops_after_any_of_what_it_does_ends_it_all_the_same() {
    // What happens between the word of the person and the last receipt, in turns; a node that stops at a point does nothing
    // more until the other has done all that it can.
    type Action = fn(&mut World);
    let actions: [Action; 8] = [
        |world| erase(world, "SN"),
        |world| arrive(world, "SN", Lane::Urgent),
        |world| erase(world, "ML"),
        |world| arrive(world, "ML", Lane::Urgent),
        |world| arrive(world, "SN", Lane::Bulk),
        |world| arrive(world, "ML", Lane::Routine),
        |world| erase(world, "SN"),
        |world| arrive(world, "SN", Lane::Routine),
    ];
    for steps in [1, 3, 4, 5, 7] {
        for heard in HEARD {
            for stop in 0..=actions.len() {
                for first_back in BOTH {
                    let mut world = world(steps);
                    if !speak(&mut world, heard) {
                        continue;
                    }
                    actions[..stop].iter().for_each(|action| action(&mut world));
                    // At its start a node looks for what is due before it hears anybody.
                    erase(&mut world, first_back);
                    let (from, to) = if first_back == "SN" { ("ML", "SN") } else { ("SN", "ML") };
                    Lane::ALL.iter().for_each(|lane| arrive(&mut world, from, *lane));
                    erase(&mut world, to);
                    settled(&mut world);
                    assert_ended(
                        &mut world,
                        &format!("{steps} steps, {heard:?}, stopped after {stop}, {first_back} first"),
                    );
                }
            }
        }
    }
}

#[test]
fn a_line_that_works_one_way_only_or_for_one_lane_delays_it_and_changes_nothing() {
    for steps in [1, 3, 4, 7] {
        for heard in HEARD {
            for way in BOTH {
                for only in Lane::ALL {
                    let mut world = world(steps);
                    if let Some((code, command)) = next_step(steps) {
                        world.at(code).ask(command).expect("possible");
                    }
                    if !speak(&mut world, heard) {
                        continue;
                    }
                    for _ in 0..2 {
                        arrive(&mut world, way, *only);
                        BOTH.iter().for_each(|code| erase(&mut world, code));
                    }
                    // A node that has heard of it holds nothing any more, however long the line stays so.
                    for code in heard {
                        if world.at(code).journal.rows.handovers.contains_key(&id()) {
                            let state = world.at(code).journal.rows.handovers[&id()].state;
                            assert_eq!(state, State::Erased, "{steps} steps, heard at {code}, {only} from {way} alone");
                        }
                    }
                    settled(&mut world);
                    assert_ended(&mut world, &format!("{steps} steps, {heard:?}, {only} from {way} alone"));
                }
            }
        }
    }
}

#[test]
fn it_races_the_end_of_an_offer_at_either_clock() {
    for late in [&["SN"][..], &["ML"], &["SN", "ML"]] {
        for heard in HEARD {
            for steps in [0, 1] {
                let mut world = world(steps);
                for code in late {
                    world.at(code).now = NOW.plus(Duration::from_secs(30 * 86_400));
                }
                let ended = Command::EndExpired { peer: society("ML"), lane: Lane::Routine, position: Position(1) };
                if steps == 0 && late.contains(&"SN") {
                    world.at("SN").ask(ended).expect("its time is over");
                }
                if !speak(&mut world, heard) {
                    continue;
                }
                settled(&mut world);
                assert_ended(&mut world, &format!("{steps} steps, late at {late:?}, heard at {heard:?}"));
            }
        }
    }
}
