//! Stories of packages that stay at their origin: what is released carries nothing, each reading asks every gate again
//! and is in the journal, and the copy goes when the recipient's use is over. After each the rows are those of a rebuild.

use std::time::Duration;

use super::world::*;
use crate::{
    catalogue::{CloseReason, Purpose, Role, Section},
    consent::sample as consent_sample,
    decide::{About, Caller, Command, HoldScope, Reply, Target},
    digest::Digest,
    entry::{Actor, Body, PackageRef},
    envelope::{Attachment, Kind},
    handover::{HandoverDraft, Outcome, Question, State, Step, Verdict, sample as handover_sample},
    ids::{ConsentId, EnvelopeId, HandoverId},
    refusal::{Code, Refusal},
    retention::HoldKind,
    time::Time,
};

const NOW: Time = consent_sample::NOW;
const DAY: Duration = Duration::from_secs(86_400);

fn awa() -> Caller {
    Caller { actor: Actor::Operator("awa".into()), roles: Role::ALL.to_vec() }
}

fn id() -> HandoverId {
    HandoverId::new(NOW, [1; 10])
}

fn code<T>(outcome: Result<T, Refusal>) -> Option<Code> {
    outcome.err().map(|refusal| refusal.code)
}

fn question() -> Question {
    Question {
        id: EnvelopeId::new(NOW, [8; 10]),
        handover: id(),
        sections: vec![Section::Contact],
        purpose: Purpose::Transport,
        roles: vec![Role::Caseworker],
    }
}

fn asks(question: Question) -> Command {
    Command::AnswerReading { peer: society("ML"), question: Box::new(question) }
}

fn release(attachment: Option<Attachment>, package: PackageRef) -> Command {
    let sections = vec![Section::Contact, Section::IdentityCore];
    Command::ReleaseHandover { caller: awa(), entropy: [53; 10], id: id(), package, attachment, sections }
}

fn report(step: Step, seed: u8) -> Command {
    Command::ReportHandover { caller: awa(), entropy: [seed; 10], id: id(), step, note: None }
}

fn read() -> Command {
    Command::ReadPackage { caller: awa(), id: id(), sections: vec![Section::Contact], purpose: Purpose::Transport }
}

fn hold_at_origin(world: &mut World, held: bool) {
    world.at("SN").policy.peers.entry(society("ML")).or_default().hold_at_origin = held;
}

/// Senegal has offered a case to Mali, for which it holds packages, and Mali has accepted.
fn accepted() -> World {
    let mut world = World::new();
    hold_at_origin(&mut world, true);
    let senegal = world.at("SN");
    let record = Box::new(consent(senegal, 1, consent_sample::draft()));
    senegal.ask(Command::RecordConsent { caller: awa(), case: case(1), record }).expect("recorded");
    let draft = HandoverDraft {
        consent: Some(ConsentId::new(NOW, [1; 10])),
        to: society("ML"),
        to_team: None,
        ..handover_sample::draft()
    };
    let offer = Command::OfferHandover {
        caller: awa(),
        id: id(),
        case: case(1),
        entropy: [51; 10],
        draft: Box::new(draft),
        package: Some(package(1)),
        release_on_acceptance: false,
    };
    senegal.ask(offer).expect("covered");
    world.settle("SN", "ML");
    let verdict = Verdict::Accept { team: "intake.kayes".parse().expect("a code"), services: Vec::new() };
    let accept = Command::AnswerHandover { caller: awa(), entropy: [52; 10], id: id(), verdict };
    world.at("ML").ask(accept).expect("on offer");
    world.settle("SN", "ML");
    world
}

fn released() -> World {
    let mut world = accepted();
    world.at("SN").ask(release(None, package(1))).expect("accepted");
    world.settle("SN", "ML");
    world
}

fn holds_together(world: &World) {
    for node in &world.nodes {
        assert!(node.journal.rebuilt(node.own) == node.journal.rows, "the rows of {} are those of a rebuild", node.own);
    }
}

#[test]
fn nothing_travels_with_the_release_and_both_ends_know_where_it_lies() {
    let mut world = accepted();
    let sealed = Attachment { digest: Digest::of(SEALED), bytes: SEALED.len() as u64 };
    assert_eq!(code(world.at("SN").ask(release(Some(sealed), package(1)))), Some(Code::Busy), "it stays here");
    let given = PackageRef { commitment: Digest::of(b"given with the release"), ..package(1) };
    world.at("SN").ask(release(None, given)).expect("accepted");
    world.settle("SN", "ML");
    let Some(Body::Issued(meta)) =
        issued(&world.at("SN").journal, Kind::HandoverRelease).next().map(|entry| entry.body.clone())
    else {
        panic!("it was released");
    };
    assert_eq!(meta.attachment, None);
    for (at, kept) in [("SN", Some(given)), ("ML", None)] {
        let row = &world.at(at).journal.rows.handovers[&id()];
        assert_eq!((row.state, row.package), (State::Disclosed, kept), "{at}");
        assert!(row.held_at_origin.is_some(), "{at}");
    }
    world.at("ML").ask(read()).expect("the recipient writes down that it reads, and then asks the origin");
    holds_together(&world);

    let mut world = accepted();
    hold_at_origin(&mut world, false);
    assert_eq!(code(world.at("SN").ask(release(None, package(1)))), Some(Code::Busy), "it is to travel");
}

#[test]
fn a_reading_says_in_the_journal_who_read_what_and_why_and_opens_no_more_than_that() {
    let mut world = released();
    let asked = Question { sections: vec![Section::Contact, Section::Travel], ..question() };
    let senegal = world.at("SN");
    let Ok(Reply::Reading { entry, readable }) = senegal.ask(asks(asked)) else { panic!("it may be read") };
    assert_eq!((readable.package, readable.sections.as_slice()), (package(1), &[Section::Contact][..]));
    assert!(!readable.fields.is_empty() && readable.fields.iter().all(|field| field.section() == Section::Contact));
    let entry = senegal.journal.entries[entry.0 as usize].clone();
    assert_eq!(entry.actor, Actor::Peer(society("ML")));
    assert_eq!(
        entry.body,
        Body::ReadByPeer {
            handover: id(),
            peer: society("ML"),
            roles: vec![Role::Caseworker],
            sections: vec!["contact".into()],
            purpose: "svc.transport".into(),
        }
    );
    holds_together(&world);
}

#[test]
fn whoever_may_not_read_is_refused() {
    let other = HandoverId::new(NOW, [7; 10]);
    let cases = [
        ("an unknown one", Question { handover: other, ..question() }, Code::UnknownHandover),
        ("no section", Question { sections: Vec::new(), ..question() }, Code::Malformed),
        ("one twice", Question { sections: vec![Section::Contact; 2], ..question() }, Code::Malformed),
        ("another purpose", Question { purpose: Purpose::Medical, ..question() }, Code::ConsentPurpose),
        ("no reader", Question { roles: vec![Role::NodeAdmin], ..question() }, Code::RoleMissing),
        ("sealed", Question { sections: vec![Section::HealthFull], ..question() }, Code::RoleMissing),
        ("not released", Question { sections: vec![Section::Travel], ..question() }, Code::ConsentMissing),
    ];
    let mut world = released();
    for (story, question, expected) in cases {
        assert_eq!(code(world.at("SN").ask(asks(question))), Some(expected), "{story}");
    }
    let stranger = Command::AnswerReading { peer: society("GM"), question: Box::new(question()) };
    assert_eq!(code(world.at("SN").ask(stranger)), Some(Code::UnknownHandover), "another Society");
    assert_eq!(code(world.at("ML").ask(asks(question()))), Some(Code::UnknownHandover), "not the origin");

    let mut early = accepted();
    assert_eq!(code(early.at("SN").ask(asks(question()))), Some(Code::WrongState), "not released");
    holds_together(&world);
}

/// What stops readings, and the refusal from then on.
type Stop = (&'static str, fn(&mut Node), Code);

#[test]
fn every_gate_is_asked_again_at_each_reading() {
    let stops: [Stop; 5] = [
        (
            "withdrawn",
            |node| {
                let by = crate::consent::Actor::Person;
                let about = About::Handover(id());
                node.ask(Command::Withdraw { caller: awa(), about, by, method: None, scope: None })
                    .expect("taken back");
            },
            Code::Withdrawn,
        ),
        (
            "suspended",
            |node| {
                let reason = "seized".parse().expect("a note");
                let suspend = Command::SuspendPeer { caller: awa(), peer: society("ML"), suspended: true, reason };
                node.ask(suspend).expect("suspended");
            },
            Code::PeerSuspended,
        ),
        (
            "frozen",
            |node| {
                let (scope, kind) = (HoldScope::Handover(id()), HoldKind::BreachFreeze);
                let reason = "a breach".parse().expect("a note");
                node.ask(Command::Hold { caller: awa(), scope, kind, lift: false, reason }).expect("frozen");
            },
            Code::Frozen,
        ),
        ("no basis", |node| node.policy.transfers.clear(), Code::NoTransferBasis),
        ("expired", |node| node.now = node.now.plus(DAY * 400), Code::ConsentExpired),
    ];
    for (story, stop, expected) in stops {
        let mut world = released();
        let senegal = world.at("SN");
        senegal.ask(asks(question())).expect("it may be read");
        stop(senegal);
        assert_eq!(code(senegal.ask(asks(question()))), Some(expected), "{story}");
        let readings = |body: &Body| matches!(body, Body::ReadByPeer { .. });
        assert_eq!(senegal.journal.entries.iter().filter(|entry| readings(&entry.body)).count(), 1, "{story}");
    }
}

#[test]
fn the_copy_stays_while_the_recipient_may_read_it_and_goes_when_its_own_would() {
    let mut world = released();
    let pass = |world: &mut World, days| world.nodes.iter_mut().for_each(|node| node.now = node.now.plus(DAY * days));
    let purge = || Command::Purge { target: Target::Handover(id()) };
    pass(&mut world, 8);
    assert_eq!(code(world.at("SN").ask(purge())), Some(Code::WrongState), "it is the only copy");
    world.at("ML").ask(report(Step::InService, 60)).expect("the person is here");
    let outcome = Outcome { reason: CloseReason::Completed, delivered: Vec::new(), unmet: Vec::new(), satisfied: None };
    world.at("ML").ask(report(Step::Completed(outcome), 61)).expect("done");
    world.settle("SN", "ML");
    world.at("SN").ask(asks(question())).expect("what was done may be looked up");
    pass(&mut world, 91);
    for at in ["SN", "ML"] {
        world.at(at).ask(purge()).expect("due");
        assert_eq!(world.at(at).journal.rows.handovers[&id()].package, None);
        assert_eq!(code(world.at(at).ask(purge())), Some(Code::WrongState), "once is enough at {at}");
    }
    assert!(matches!(code(world.at("SN").ask(asks(question()))), Some(Code::PackageAbsent | Code::ConsentExpired)));
    assert_eq!(code(world.at("ML").ask(read())), Some(Code::PackageAbsent));
    holds_together(&world);
}
