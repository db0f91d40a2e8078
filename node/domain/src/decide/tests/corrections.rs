//! Corrections as stories between nodes: asked for where the person is, found right where the card is from, applied at each
//! holder by a person; and requests that reach those to whom a case was passed on.

use std::time::Duration;

use super::{safeguards::named, withdrawals::*, world::*};
use crate::{
    catalogue::{Right, Role, Section},
    consent::Scope,
    decide::{About, Caller, Command, HoldScope, Reply, RightsCommand, Target},
    digest::Digest,
    entry::{Actor, Body, PackageRef},
    envelope::Attachment,
    fold::Content,
    handover::CaseShortCode,
    ids::RequestId,
    refusal::{Code, Refusal},
    retention::HoldKind,
    rights::{CardSecret, Carried, Corrected, CorrectionEntry, Outcome, SubjectRequest, Via, correction::key_of},
};

const ANSWER: Digest = Digest([1; 32]);

fn request_id() -> RequestId {
    RequestId::new(NOW, [9; 10])
}

fn caseworker() -> Caller {
    named("awa", &[Role::Caseworker])
}

fn sealed() -> Attachment {
    Attachment { digest: Digest::of(SEALED), bytes: SEALED.len() as u64 }
}

fn code_of(outcome: Result<Reply, Refusal>) -> Option<Code> {
    outcome.err().map(|refusal| refusal.code)
}

/// The case is in service in Mali, and has a card of Senegal; the code on it.
fn with_card() -> (World, CaseShortCode) {
    let mut world = world(7);
    let secret = CardSecret { answer: ANSWER, word: None };
    let card = RightsCommand::MakeCard { caller: Caller::system(), handover: id(), secret };
    world.at("SN").ask(card.into()).expect("ours");
    let made = world.at("SN").journal.rows.cards.iter().find(|(_, row)| row.made.is_some());
    let code = made.map(|(code, _)| code.clone()).expect("a card");
    (world, code)
}

fn request(right: Right, at: &str, code: CaseShortCode) -> SubjectRequest {
    SubjectRequest {
        id: request_id(),
        right,
        via: Via::Person,
        card_of: society("SN"),
        code,
        taken_by: society(at),
        received_at: NOW,
        due: NOW.plus(SubjectRequest::DUE_WITHIN),
        topic: None,
        sections: Vec::new(),
        note: None,
    }
}

fn take(world: &mut World, at: &str, right: Right, code: CaseShortCode, correction: Option<Carried>) {
    let request = Box::new(request(right, at, code));
    let command = RightsCommand::Take { caller: caseworker(), request, proof: ANSWER, correction };
    world.at(at).ask(command.into()).expect("taken");
}

fn heal(world: &mut World) {
    for _ in 0..3 {
        world.settle("SN", "ML");
        world.settle("ML", "GM");
        world.settle("SN", "GM");
        world.nodes.iter_mut().for_each(|node| node.erase_what_is_due());
    }
    for node in &world.nodes {
        assert!(node.journal.rebuilt(node.own) == node.journal.rows, "the views of {} are the fold", node.own);
    }
}

/// The package of the handover at a node, put right.
fn right(world: &mut World, at: &str, seed: u8) -> Corrected {
    let package = world.at(at).journal.rows.handovers[&id()].package.expect("a package");
    let package = PackageRef { commitment: Digest([seed; 32]), ..package };
    Corrected { handover: id(), package, sections: vec![Section::Contact] }
}

fn correct(caller: Caller, corrected: Vec<Corrected>, onward: bool) -> Command {
    let onward = if onward { vec![(id(), sealed())] } else { Vec::new() };
    RightsCommand::Correct { caller, request: request_id(), corrected, onward }.into()
}

#[test]
fn what_is_to_be_put_right_is_found_right_where_the_card_is_from_and_then_applied_at_each_holder() {
    let (mut world, code) = with_card();
    take(&mut world, "ML", Right::Rectification, code, Some(Carried::Sealed(sealed())));
    world.settle("SN", "ML");
    let kept = world.at("SN").journal.rows.corrections[&request_id()].kept;
    assert_eq!(kept.map(|place| place.case), Some(key_of(request_id())), "under a key of its own");
    let asked = world.at("ML").journal.rows.requests[&request_id()].holders.clone();
    assert!(asked.iter().all(|holder| holder.society != society("ML")), "nothing is due in Mali before");
    let one = right(&mut world, "SN", 8);
    let senegal = world.at("SN");
    let program = Caller { actor: Actor::Program("bot".into()), roles: vec![Role::Caseworker] };
    assert_eq!(code_of(senegal.ask(correct(program, vec![one.clone()], true))), Some(Code::NeedsPerson));
    let visitor = named("v", &[Role::Interpreter]);
    assert_eq!(code_of(senegal.ask(correct(visitor, vec![one.clone()], true))), Some(Code::RoleMissing));
    let health = Corrected { sections: vec![Section::HealthFull], ..one.clone() };
    assert_eq!(code_of(senegal.ask(correct(caseworker(), vec![health], true))), Some(Code::RoleMissing), "sealed");
    let other = Corrected { package: package(2), ..one.clone() };
    assert_eq!(code_of(senegal.ask(correct(caseworker(), vec![other], true))), Some(Code::WrongState));
    let before = senegal.journal.rows.handovers[&id()].package.expect("a package").commitment;
    senegal.ask(correct(caseworker(), vec![one.clone()], true)).expect("a person found it right");
    let entries = senegal.journal.entries.len();
    senegal.ask(correct(caseworker(), vec![one.clone()], true)).expect("once");
    assert_eq!(senegal.journal.entries.len(), entries);
    let row = senegal.journal.rows.handovers[&id()].clone();
    assert_eq!((row.package, row.earlier), (Some(one.package), vec![before]), "what stood there before stays");

    world.settle("SN", "ML");
    assert!(world.at("ML").journal.rows.corrections[&request_id()].kept.is_some());
    let two = right(&mut world, "ML", 9);
    let more = Corrected { sections: vec![Section::Contact, Section::Travel], ..two.clone() };
    assert_eq!(code_of(world.at("ML").ask(correct(caseworker(), vec![more], false))), Some(Code::ConsentMissing));
    world.at("ML").ask(correct(caseworker(), vec![two.clone()], false)).expect("a person there too");
    heal(&mut world);
    for at in ["SN", "ML"] {
        let row = world.at(at).journal.rows.requests[&request_id()].clone();
        let done = row.holders.iter().filter(|one| matches!(one.answer, Some((Outcome::Done, ..)))).count();
        assert!(row.is_answered() && done == 2, "{at}: {row:?}");
        let applied = |body: &Body| matches!(body, Body::Correction(CorrectionEntry::Applied { .. }));
        assert_eq!(world.at(at).journal.entries.iter().filter(|entry| applied(&entry.body)).count(), 1, "{at}");
        // All have answered: what was asked for goes, and only once.
        let purge = || Command::Purge { target: Target::Correction(request_id()) };
        world.at(at).ask(purge()).expect("due");
        assert_eq!(code_of(world.at(at).ask(purge())), Some(Code::WrongState));
    }
    heal(&mut world);
}

#[test]
fn nothing_is_put_right_of_what_was_taken_back_and_the_correction_goes_with_the_case() {
    let (mut world, code) = with_card();
    take(
        &mut world,
        "SN",
        Right::Rectification,
        code,
        Some(Carried::Here(PackageRef { case: key_of(request_id()), commitment: Digest([5; 32]) })),
    );
    let one = right(&mut world, "SN", 8);
    world.at("ML").ask(withdraw(About::Handover(id()), None)).expect("the person may");
    world.settle("SN", "ML");
    assert_eq!(code_of(world.at("SN").ask(correct(caseworker(), vec![one], true))), Some(Code::Withdrawn));
    heal(&mut world);
    assert!(world.at("SN").journal.rows.corrections[&request_id()].destroyed.is_some());
    let late = world.at("SN").ask(correct(caseworker(), Vec::new(), false));
    assert_eq!(code_of(late), Some(Code::PackageAbsent));
}

#[test]
fn a_correction_that_waits_in_its_lane_is_asked_about_again_when_it_is_sent() {
    let no_mali = || Scope { recipients: vec![society("ML").into()], ..Scope::default() };
    let reason = || "An incident is looked into".parse().expect("a note");
    let table: [(&str, Code, Command); 3] = [
        ("taken back", Code::Withdrawn, withdraw(About::Consent(consent_id()), Some(no_mali()))),
        (
            "suspended",
            Code::PeerSuspended,
            Command::SuspendPeer { caller: Caller::system(), peer: society("ML"), suspended: true, reason: reason() },
        ),
        (
            "frozen",
            Code::Frozen,
            Command::Hold {
                caller: Caller::system(),
                scope: HoldScope::Case(case(1)),
                kind: HoldKind::BreachFreeze,
                lift: false,
                reason: reason(),
            },
        ),
    ];
    for (why, expected, meanwhile) in table {
        let (mut world, code) = with_card();
        let here = Carried::Here(PackageRef { case: key_of(request_id()), commitment: Digest([5; 32]) });
        take(&mut world, "SN", Right::Rectification, code, Some(here));
        let one = right(&mut world, "SN", 8);
        world.at("SN").ask(correct(caseworker(), vec![one], true)).expect("found right");
        world.at("SN").ask(meanwhile).expect("while Mali is away");
        heal(&mut world);
        let withheld = world.at("SN").journal.entries.iter().find_map(|entry| match &entry.body {
            Body::DeliveryWithheld { code, .. } => Some(code.clone()),
            _ => None,
        });
        assert_eq!(withheld.as_deref(), Some(expected.as_str()), "{why}");
        let kept = |body: &Body| matches!(body, Body::Correction(CorrectionEntry::Kept { .. }));
        assert!(!world.at("ML").journal.entries.iter().any(|entry| kept(&entry.body)), "{why}: it came to Mali");
    }
}

#[test]
fn a_correction_is_not_taken_for_a_society_with_which_no_case_is_exchanged() {
    let (mut world, code) = with_card();
    let take = |world: &mut World| {
        let request = request(Right::Rectification, "ML", code.clone());
        let (request, correction) = (Box::new(request), Some(Carried::Sealed(sealed())));
        let command = RightsCommand::Take { caller: caseworker(), request, proof: ANSWER, correction };
        code_of(world.at("ML").ask(command.into()))
    };
    let bases = std::mem::take(&mut world.at("ML").policy.transfers);
    assert_eq!(take(&mut world), Some(Code::NoTransferBasis));
    world.at("ML").policy.transfers = bases;
    let reason: crate::handover::Note = "An incident is looked into".parse().expect("a note");
    let suspend = |suspended| Command::SuspendPeer {
        caller: Caller::system(),
        peer: society("SN"),
        suspended,
        reason: reason.clone(),
    };
    world.at("ML").ask(suspend(true)).expect("a peer");
    assert_eq!(take(&mut world), Some(Code::PeerSuspended));
    world.at("ML").ask(suspend(false)).expect("suspended");
    assert_eq!(take(&mut world), None);
}

#[test]
fn a_correction_goes_with_rectification_alone_and_where_the_card_is_from() {
    let here = Carried::Here(PackageRef { case: key_of(request_id()), commitment: Digest([5; 32]) });
    let elsewhere = Carried::Here(PackageRef { case: case(1), commitment: Digest([5; 32]) });
    let table = [
        ("SN", Right::Access, here),
        ("SN", Right::Rectification, Carried::Sealed(sealed())),
        ("ML", Right::Rectification, here),
        ("SN", Right::Rectification, elsewhere),
    ];
    for (at, asked, carried) in table {
        let (mut world, code) = with_card();
        let (request, correction) = (Box::new(request(asked, at, code)), Some(carried));
        let command = RightsCommand::Take { caller: caseworker(), request, proof: ANSWER, correction };
        assert_eq!(code_of(world.at(at).ask(command.into())), Some(Code::Malformed), "{at} {asked}");
    }
}

#[test]
fn one_that_never_is_answered_goes_thirty_days_after_its_day() {
    let (mut world, code) = with_card();
    take(&mut world, "ML", Right::Rectification, code, Some(Carried::Sealed(sealed())));
    let purge = || Command::Purge { target: Target::Correction(request_id()) };
    let mali = world.at("ML");
    mali.now = NOW.plus(Duration::from_secs(59 * 86_400));
    assert_eq!(code_of(mali.ask(purge())), Some(Code::WrongState));
    mali.now = NOW.plus(Duration::from_secs(61 * 86_400));
    mali.ask(purge()).expect("nobody will apply it any more");
    assert_eq!(
        code_of(mali.ask(Command::Purge { target: Target::Correction(RequestId::new(NOW, [1; 10])) })),
        Some(Code::UnknownRequest)
    );
}

#[test]
fn a_request_reaches_those_to_whom_the_case_was_passed_on_and_their_answer_comes_back() {
    for (asked, at) in [(Right::Access, "SN"), (Right::Access, "GM"), (Right::Restriction, "ML")] {
        let (mut world, code) = with_card();
        let onward = passed_on(&mut world);
        take(&mut world, at, asked, code, None);
        for _ in 0..3 {
            heal(&mut world);
        }
        let row = world.at("SN").journal.rows.requests[&request_id()].clone();
        let of_gambia = row.holder(society("GM"), Some(onward)).and_then(|holder| holder.answer);
        assert!(matches!(of_gambia, Some((Outcome::Done, ..))), "{asked} at {at}: {row:?}");
        assert!(row.is_answered(), "{asked} at {at}: {row:?}");
        if asked == Right::Access {
            let (_, _, entry) = of_gambia.expect("an answer");
            let journal = &world.at("SN").journal;
            let body = &journal.entries[entry.0 as usize].body;
            let content = crate::fold::content(body, &journal.objects[&entry]).expect("it reads back");
            assert!(
                matches!(content, Content::Rights(message) if matches!(&message.news, crate::rights::News::Answered { held: Some(_), .. }))
            );
        }
    }
}
