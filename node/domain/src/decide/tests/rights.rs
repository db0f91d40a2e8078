//! Requests of persons as stories between nodes: with the card at the node that made it, at a holder, at one that holds
//! nothing; with a wrong answer, an unknown code, a forged or replayed message.

use std::time::Duration;

use super::world::*;
use crate::{
    catalogue::{Purpose, Right, Role, Section},
    consent::sample as consent_sample,
    decide::{Caller, Command, Reply, RightsCommand},
    digest::Digest,
    entry::{Actor, Body, Verdict as Judged},
    envelope::{Attachment, Envelope, Kind, Lane, SignedEnvelope},
    fold::Content,
    handover::{CaseShortCode, State, Verdict, sample as handover_sample},
    ids::{EntryIndex, HandoverId, RequestId},
    limits::CHECK_LOCK_SECONDS,
    refusal::{Code, Refusal},
    retention::HoldKind,
    rights::{
        Breach, CardSecret, News, Outcome, RequestReason, RequestRow, RightsEntry, RightsMessage, SubjectRequest,
        Topic, Via,
    },
};

const NOW: crate::time::Time = consent_sample::NOW;
const ANSWER: Digest = Digest([1; 32]);
const WORD: Digest = Digest([2; 32]);
const WRONG: Digest = Digest([3; 32]);

fn id() -> HandoverId {
    HandoverId::new(NOW, [1; 10])
}

fn ask_id(seed: u8) -> RequestId {
    RequestId::new(NOW, [seed; 10])
}

fn offer() -> Command {
    let mut draft = handover_sample::draft();
    draft.consent = Some(crate::ids::ConsentId::new(NOW, [1; 10]));
    Command::OfferHandover {
        caller: Caller::system(),
        id: id(),
        case: case(1),
        entropy: [51; 10],
        draft: Box::new(draft),
        package: Some(package(1)),
        release_on_acceptance: false,
    }
}

fn read() -> Command {
    let (sections, purpose) = (vec![Section::Contact], Purpose::Transport);
    Command::ReadPackage { caller: Caller::system(), id: id(), sections, purpose }
}

/// The code that Senegal's offer gave to the case.
fn code(world: &mut World) -> CaseShortCode {
    let entry = world.at("SN").journal.rows.handovers[&id()].entry;
    let body = world.at("SN").journal.entries[entry.0 as usize].body.clone();
    match crate::fold::content(&body, &world.at("SN").journal.objects[&entry]).expect("it reads back") {
        Content::Offer(offer) => offer.short_code.clone(),
        _ => unreachable!("an offer"),
    }
}

/// Senegal's case lies in Mali, was read there, and has a card.
fn world() -> World {
    let mut world = World::new();
    let record = Box::new(consent(world.at("SN"), 1, consent_sample::draft()));
    world.at("SN").ask(Command::RecordConsent { caller: Caller::system(), case: case(1), record }).expect("a record");
    world.at("SN").ask(offer()).expect("covered");
    world.settle("SN", "ML");
    let verdict = Verdict::Accept { team: "intake.kayes".parse().expect("a code"), services: Vec::new() };
    let accept = Command::AnswerHandover { caller: Caller::system(), entropy: [60; 10], id: id(), verdict };
    world.at("ML").ask(accept).expect("on offer");
    world.settle("SN", "ML");
    let release = Command::ReleaseHandover {
        caller: Caller::system(),
        entropy: [61; 10],
        id: id(),
        package: package(1),
        attachment: Some(Attachment { digest: Digest::of(SEALED), bytes: SEALED.len() as u64 }),
        sections: vec![Section::Contact],
    };
    world.at("SN").ask(release).expect("covered");
    world.settle("SN", "ML");
    world.at("ML").ask(read()).expect("it is there");
    let secret = CardSecret { answer: ANSWER, word: Some(WORD) };
    let card = RightsCommand::MakeCard { caller: Caller::system(), handover: id(), secret };
    world.at("SN").ask(card.into()).expect("ours");
    world
}

fn request(world: &mut World, at: &str, right: Right, seed: u8) -> SubjectRequest {
    SubjectRequest {
        id: ask_id(seed),
        right,
        via: Via::Person,
        card_of: society("SN"),
        code: code(world),
        taken_by: society(at),
        received_at: NOW,
        due: NOW.plus(SubjectRequest::DUE_WITHIN),
        topic: (right == Right::Complaint).then_some(Topic::Staff),
        sections: Vec::new(),
        note: None,
    }
}

fn take(world: &mut World, at: &str, request: SubjectRequest, proof: Digest) -> Result<Reply, Refusal> {
    let command = RightsCommand::Take { caller: Caller::system(), request: Box::new(request), proof, correction: None };
    world.at(at).ask(command.into())
}

fn ask(world: &mut World, at: &str, right: Right, proof: Digest) -> Result<Reply, Refusal> {
    let request = request(world, at, right, 1);
    take(world, at, request, proof)
}

fn heal(world: &mut World) {
    for _ in 0..3 {
        world.settle("SN", "ML");
        world.settle("SN", "GM");
        world.nodes.iter_mut().for_each(|node| node.erase_what_is_due());
    }
    for node in &world.nodes {
        assert!(node.journal.rebuilt(node.own) == node.journal.rows, "the views of {} are the fold", node.own);
    }
}

fn row(world: &mut World, at: &str) -> RequestRow {
    world.at(at).journal.rows.requests[&ask_id(1)].clone()
}

/// Who answered what, as one node knows it.
fn outcomes(world: &mut World, at: &str) -> Vec<(String, Option<Outcome>)> {
    let holders = row(world, at).holders.into_iter();
    holders.map(|one| (one.society.to_string(), one.answer.map(|(outcome, ..)| outcome))).collect()
}

#[test]
fn access_is_answered_by_every_holder_wherever_it_was_asked() {
    for at in ["SN", "ML", "GM"] {
        let mut world = world();
        assert!(matches!(ask(&mut world, at, Right::Access, ANSWER), Ok(Reply::Done { .. })), "{at}");
        heal(&mut world);
        let done = |code: &str| (code.to_owned(), Some(Outcome::Done));
        for knows in ["SN", at] {
            let mut answers = outcomes(&mut world, knows);
            answers.sort();
            assert_eq!(answers, [done("ML"), done("SN")], "asked at {at}, known at {knows}");
            assert!(row(&mut world, knows).is_answered());
        }
        let mali = row(&mut world, at).holder(society("ML"), Some(id())).and_then(|one| one.answer).expect("answered");
        let body = world.at(at).journal.entries[mali.2.0 as usize].body.clone();
        let object = world.at(at).journal.objects[&mali.2].clone();
        let Content::Rights(message) = crate::fold::content(&body, &object).expect("it reads back") else {
            panic!("a message about the request")
        };
        let News::Answered { held: Some(held), .. } = message.news else { panic!("what is held") };
        assert_eq!(held.sections, ["contact"]);
        assert_eq!(held.reads.len(), 1, "who read it is told");
        assert_eq!(held.reads[0].purpose, "svc.transport");
    }
}

#[test]
fn erasure_ends_in_erasure_everywhere_and_the_word_on_the_card_will_do() {
    for (at, proof) in [("SN", ANSWER), ("ML", WORD), ("GM", WORD)] {
        let mut world = world();
        ask(&mut world, at, Right::Erasure, proof).expect("taken");
        heal(&mut world);
        for holder in ["SN", "ML"] {
            assert_eq!(world.at(holder).journal.rows.handovers[&id()].state, State::Erased, "{holder}, asked at {at}");
        }
        // What proved the card went with the case: nobody's answer is left to be guessed at.
        let again = SubjectRequest {
            id: ask_id(3),
            right: Right::Access,
            taken_by: society("SN"),
            ..row(&mut world, at).request
        };
        assert!(matches!(take(&mut world, "SN", again, ANSWER), Ok(Reply::CheckFailed { .. })));
        assert_eq!(outcomes(&mut world, at), [("SN".to_owned(), Some(Outcome::Done))]);
    }
}

#[test]
fn restriction_and_objection_stop_reading_at_every_holder_until_they_are_lifted() {
    for right in [Right::Restriction, Right::Objection] {
        let mut world = world();
        ask(&mut world, "GM", right, WORD).expect("taken");
        heal(&mut world);
        assert_eq!(world.at("ML").ask(read()).map_err(|refusal| refusal.code), Err(Code::Frozen), "{right}");
        let kind = HoldKind::Restriction;
        let scope = crate::decide::HoldScope::Handover(id());
        let reason = "The person agrees again".parse().expect("a note");
        let lift = Command::Hold { caller: Caller::system(), scope, kind, lift: true, reason };
        world.at("ML").ask(lift).expect("it is in force");
        world.at("ML").ask(read()).expect("it may be used again");
        // A restriction never stands in the way of an erasure.
        let erase = request(&mut world, "SN", Right::Erasure, 2);
        take(&mut world, "SN", erase, ANSWER).expect("taken");
        heal(&mut world);
        assert_eq!(world.at("SN").journal.rows.handovers[&id()].state, State::Erased);
    }
}

#[test]
fn a_rectification_waits_for_a_person_at_each_holder() {
    let mut world = world();
    ask(&mut world, "GM", Right::Rectification, ANSWER).expect("taken");
    heal(&mut world);
    assert_eq!(outcomes(&mut world, "SN"), [("SN".to_owned(), None), ("ML".to_owned(), None)]);
    assert!(row(&mut world, "SN").is_late(NOW.plus(SubjectRequest::DUE_WITHIN + Duration::from_secs(1))));
    let answer = |outcome, reason| -> Command {
        RightsCommand::Answer { caller: Caller::system(), request: ask_id(1), outcome, reason }.into()
    };
    let refusal = |world: &mut World, command| world.at("ML").ask(command).map_err(|refusal| refusal.code);
    assert_eq!(refusal(&mut world, answer(Outcome::Refused, None)), Err(Code::MissingField));
    world.at("ML").ask(answer(Outcome::Done, None)).expect("it waits");
    world.at("SN").ask(answer(Outcome::Refused, Some(RequestReason::Unfounded))).expect("it waits");
    heal(&mut world);
    assert_eq!(refusal(&mut world, answer(Outcome::Done, None)), Err(Code::WrongState), "once");
    for at in ["SN", "GM"] {
        let mut answers = outcomes(&mut world, at);
        answers.sort();
        let expected = [("ML".to_owned(), Some(Outcome::Done)), ("SN".to_owned(), Some(Outcome::Refused))];
        assert_eq!(answers, expected, "{at}");
    }
}

#[test]
fn a_complaint_bypasses_everybody_but_the_officer() {
    let mut world = world();
    ask(&mut world, "ML", Right::Complaint, ANSWER).expect("taken");
    heal(&mut world);
    let officer = |role| Caller { actor: Actor::Operator("awa".into()), roles: vec![role] };
    let answer = |role| -> Command {
        let (request, outcome, reason) = (ask_id(1), Outcome::Done, None);
        RightsCommand::Answer { caller: officer(role), request, outcome, reason }.into()
    };
    let reading = |role| -> Command { RightsCommand::Read { caller: officer(role), request: ask_id(1) }.into() };
    for role in [Role::Supervisor, Role::Caseworker, Role::DutyOfficer] {
        for command in [answer(role), reading(role)] {
            let code = world.at("SN").ask(command).map_err(|refusal| refusal.code);
            assert_eq!(code, Err(Code::UnknownRequest), "{role} learns nothing");
        }
    }
    assert_eq!(world.at("SN").ask(reading(Role::NodeAdmin)).map_err(|r| r.code), Err(Code::RoleMissing));
    world.at("SN").ask(reading(Role::Dpo)).expect("it is for them");
    world.at("SN").ask(answer(Role::Dpo)).expect("it is for them");
    heal(&mut world);
    assert!(row(&mut world, "ML").is_answered());
}

#[test]
fn a_wrong_answer_an_unknown_code_and_too_many_of_them_look_the_same() {
    let mut world = world();
    let known = request(&mut world, "SN", Right::Access, 1);
    let unknown = SubjectRequest { code: CaseShortCode::from_entropy([9; 5]), ..known.clone() };
    for request in [known, unknown] {
        for attempt in 1..=3 {
            let reply = take(&mut world, "SN", request.clone(), WRONG);
            assert_eq!(reply, Ok(Reply::CheckFailed { locked: attempt == 3 }), "{attempt}");
        }
        let locked = take(&mut world, "SN", request.clone(), ANSWER).map_err(|refusal| refusal.code);
        assert_eq!(locked, Err(Code::CheckLocked), "the right answer does not help for a day");
        assert!(world.at("SN").journal.rows.requests.is_empty());
    }
    let failed = |entry: &&crate::entry::Entry| matches!(entry.body, Body::Rights(RightsEntry::CheckFailed { .. }));
    assert_eq!(world.at("SN").journal.entries.iter().filter(failed).count(), 6, "each is written down");
    world.at("SN").now = NOW.plus(Duration::from_secs(CHECK_LOCK_SECONDS));
    assert!(matches!(ask(&mut world, "SN", Right::Access, ANSWER), Ok(Reply::Done { .. })), "a day later");
    heal(&mut world);
}

#[test]
fn a_wrong_answer_elsewhere_is_told_there_and_counted_here() {
    let mut world = world();
    ask(&mut world, "GM", Right::Access, WRONG).expect("nobody knows yet");
    heal(&mut world);
    let answer = row(&mut world, "GM").holders;
    assert_eq!(answer.len(), 1);
    assert_eq!(answer[0].reason, Some(RequestReason::NotIdentified));
    let code = row(&mut world, "GM").request.code;
    assert_eq!(world.at("SN").journal.rows.cards[&code].wrong, 1);
    assert!(!world.at("ML").journal.rows.requests.contains_key(&ask_id(1)), "no holder hears of it");
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut world = world();
    let card =
        |caller| RightsCommand::MakeCard { caller, handover: id(), secret: CardSecret { answer: ANSWER, word: None } };
    let refused = |world: &mut World, at: &str, command: RightsCommand| {
        world.at(at).ask(command.into()).map_err(|refusal| refusal.code).err()
    };
    let nobody = Caller { actor: Actor::Operator("awa".into()), roles: vec![Role::NodeAdmin] };
    assert_eq!(refused(&mut world, "ML", card(Caller::system())), Some(Code::NotOrigin));
    assert_eq!(refused(&mut world, "GM", card(Caller::system())), Some(Code::UnknownHandover));
    assert_eq!(refused(&mut world, "SN", card(nobody.clone())), Some(Code::RoleMissing));
    let good = request(&mut world, "SN", Right::Access, 1);
    let far = SubjectRequest { card_of: society("NE"), ..good.clone() };
    let late = SubjectRequest { due: NOW.plus(Duration::from_secs(40 * 86_400)), ..good.clone() };
    let bare = SubjectRequest { right: Right::Complaint, ..good.clone() };
    let other = SubjectRequest { right: Right::Information, ..good.clone() };
    let cases =
        [(far, Code::UnknownPeer), (late, Code::BadTimes), (bare, Code::MissingField), (other, Code::Malformed)];
    for (request, expected) in cases {
        let code = take(&mut world, "SN", request, ANSWER).map_err(|refusal| refusal.code);
        assert_eq!(code, Err(expected));
    }
    let command = RightsCommand::Take {
        caller: nobody.clone(),
        request: Box::new(good.clone()),
        proof: ANSWER,
        correction: None,
    };
    assert_eq!(refused(&mut world, "SN", command), Some(Code::RoleMissing));
    take(&mut world, "SN", good.clone(), ANSWER).expect("good");
    assert!(matches!(take(&mut world, "SN", good.clone(), WRONG), Ok(Reply::Done { .. })), "the same again");
    let changed = SubjectRequest { right: Right::Restriction, ..good };
    assert_eq!(take(&mut world, "SN", changed, ANSWER).map_err(|refusal| refusal.code), Err(Code::DuplicateId));
    let breach = Breach {
        node: society("ML"),
        detected_at: NOW,
        contained_at: None,
        categories: Vec::new(),
        subjects: 3,
        peers_told: Vec::new(),
        authority_told_at: None,
        subjects_told_at: None,
    };
    let record = |caller, breach| RightsCommand::RecordBreach { caller, breach: Box::new(breach) };
    assert_eq!(refused(&mut world, "SN", record(nobody, breach.clone())), Some(Code::RoleMissing));
    let early = Breach { contained_at: Some(crate::time::Time::default()), ..breach.clone() };
    assert_eq!(refused(&mut world, "SN", record(Caller::system(), early)), Some(Code::BadTimes));
    assert_eq!(refused(&mut world, "SN", record(Caller::system(), breach)), None);
}

/// Gambia says something of a request; what Senegal or Mali decides of it.
pub(super) fn forged(world: &mut World, to: &str, message: RightsMessage) -> Judged {
    forged_with(world, to, &message, None)
}

/// The same, with something sealed to it.
pub(super) fn forged_with(
    world: &mut World,
    to: &str,
    message: &RightsMessage,
    attachment: Option<Attachment>,
) -> Judged {
    let envelope = Envelope {
        version: crate::envelope::FORMAT_VERSION,
        id: crate::ids::EnvelopeId::new(NOW, [77 + u8::from(attachment.is_some()); 10]),
        origin: society("GM"),
        recipients: vec![society(to)],
        kind: message.kind(),
        lane: Lane::Routine,
        created_at: NOW,
        expires_at: None,
        body: message.to_cbor().into(),
        attachment,
    };
    let signed: SignedEnvelope = envelope.sign(&Toy(society("GM")));
    let parcel = crate::parcel::write(&signed, if attachment.is_some() { SEALED } else { &[] });
    let (_, at) = crate::parcel::take_varint(&parcel).expect("a length").expect("a whole one");
    let node = world.at(to);
    let next = node.journal.rows.lanes_in.get(&(society("GM"), Lane::Routine)).map_or(1, |lane| lane.received.0 + 1);
    node.take(society("GM"), Lane::Routine, crate::ids::Position(next), &parcel[at..]).expect("judged");
    let verdict = node.journal.entries.iter().rev().find_map(|entry| match &entry.body {
        Body::Received { verdict, .. } => Some(verdict.clone()),
        _ => None,
    });
    verdict.expect("something was received")
}

#[test]
fn whoever_has_no_part_in_a_request_is_not_heard() {
    let rejected = |code: &str| Judged::Rejected(code.to_owned());
    let message = |request, news| RightsMessage { request, news };
    let answered = News::Answered {
        holder: society("GM"),
        handover: Some(id()),
        outcome: Outcome::Done,
        reason: None,
        held: None,
    };
    let mut world = world();
    // Gambia claims that Senegal's card asks Mali to act.
    let due = message(request(&mut world, "GM", Right::Restriction, 1), News::Due { handover: id() });
    assert_eq!(forged(&mut world, "ML", due), rejected("wrong_society"));
    // In Mali's name, at Senegal.
    let asked = message(request(&mut world, "ML", Right::Access, 1), News::Asked { proof: ANSWER });
    assert_eq!(forged(&mut world, "SN", asked), rejected("wrong_society"));
    // An answer that nobody asked for, and one of a Society that is no holder.
    let idle = message(request(&mut world, "SN", Right::Access, 1), answered.clone());
    assert_eq!(forged(&mut world, "SN", idle), rejected("bad_reference"));
    ask(&mut world, "SN", Right::Access, ANSWER).expect("taken");
    let stranger = message(request(&mut world, "SN", Right::Access, 1), answered);
    assert_eq!(forged(&mut world, "SN", stranger), rejected("wrong_society"));
    // The id of a request for something else.
    let other = message(request(&mut world, "GM", Right::Erasure, 1), News::Asked { proof: ANSWER });
    assert_eq!(forged(&mut world, "SN", other), rejected("duplicate_id"));
    // A good one of a Society that holds nothing, twice in other envelopes: one answer.
    let own = request(&mut world, "GM", Right::Access, 9);
    for _ in 0..2 {
        let verdict = forged(&mut world, "SN", message(own.clone(), News::Asked { proof: ANSWER }));
        assert!(matches!(verdict, Judged::Accepted | Judged::Duplicate));
    }
    let to_mali = issued(&world.at("SN").journal, Kind::SubjectRequest).count();
    assert_eq!(to_mali, 2, "one for each request, and no more");
    assert!(world.at("SN").journal.next() > EntryIndex(0));
}

#[test]
fn nothing_but_a_request_for_rectification_brings_a_correction() {
    let sealed = Attachment { digest: Digest::of(SEALED), bytes: SEALED.len() as u64 };
    for (right, fits) in [(Right::Access, false), (Right::Erasure, false), (Right::Rectification, true)] {
        let mut world = world();
        let asked = RightsMessage { request: request(&mut world, "GM", right, 1), news: News::Asked { proof: ANSWER } };
        let verdict = forged_with(&mut world, "SN", &asked, Some(sealed));
        assert_eq!(verdict == Judged::Accepted, fits, "{right}: {verdict:?}");
        assert_eq!(world.at("SN").journal.rows.corrections.contains_key(&ask_id(1)), fits, "{right}");
    }
}

#[test]
fn the_answer_to_an_erasure_outlives_the_case_that_was_erased() {
    let mut world = world();
    let note = Some("He asks for it in writing".parse().expect("a note"));
    let erase = SubjectRequest { note, ..request(&mut world, "GM", Right::Erasure, 1) };
    take(&mut world, "GM", erase, WORD).expect("taken");
    world.settle("SN", "GM");
    world.at("SN").erase_what_is_due();
    heal(&mut world);
    assert_eq!(outcomes(&mut world, "GM"), [("SN".to_owned(), Some(Outcome::Done))]);
}
