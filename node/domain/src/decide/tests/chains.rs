//! Requests along a chain of holders: the answers of all come back by the way that the request took, nobody speaks for others,
//! and what is to be put right is put right in every case that waits.

use super::{
    rights::{forged, forged_with},
    safeguards::named,
    withdrawals::*,
    world::*,
};
use crate::{
    catalogue::{Right, Role, Section},
    consent::{ConsentRecord, RecordContext, sample as consent_sample},
    decide::{Caller, Command, HoldScope, Reply, RightsCommand, Target, correctable},
    digest::Digest,
    entry::{PackageRef, Verdict as Judged},
    envelope::{Attachment, Kind, Lane},
    handover::{CaseShortCode, Verdict, sample as handover_sample},
    ids::{CaseId, ConsentId, HandoverId, RequestId},
    refusal::{Code, Refusal},
    retention::HoldKind,
    rights::{
        CardSecret, Carried, Corrected, News, Outcome, RequestRow, RightsMessage, SubjectRequest, Via,
        correction::key_of,
    },
};

const ANSWER: Digest = Digest([1; 32]);
const SOCIETIES: [&str; 4] = ["SN", "ML", "GM", "NE"];

fn request_id() -> RequestId {
    RequestId::new(NOW, [9; 10])
}

fn sealed() -> Attachment {
    Attachment { digest: Digest::of(SEALED), bytes: SEALED.len() as u64 }
}

fn handover(seed: u8) -> HandoverId {
    HandoverId::new(NOW, [seed; 10])
}

/// A case goes from one Society to another on a consent of its own, accepted and released.
fn hand_over(world: &mut World, from: &str, to: &str, case: CaseId, seed: u8) -> HandoverId {
    let id = handover(seed);
    let node = world.at(from);
    let mut draft = consent_sample::draft();
    draft.recipients = vec![society(to).into()];
    draft.countries = vec![society(to).into()];
    let context = RecordContext {
        id: ConsentId::new(NOW, [seed; 10]),
        subject: node.pseudonyms.own(case),
        society: node.own,
        now: node.now,
    };
    let record = Box::new(ConsentRecord::from_draft(draft, context).expect("valid"));
    let consent = record.id;
    node.ask(Command::RecordConsent { caller: Caller::system(), case, record }).expect("a record");
    let mut draft = handover_sample::draft();
    (draft.consent, draft.to, draft.to_team) = (Some(consent), society(to), None);
    let package = PackageRef { case, commitment: Digest([seed; 32]) };
    let offer = Command::OfferHandover {
        caller: Caller::system(),
        id,
        case,
        entropy: [seed + 50; 10],
        draft: Box::new(draft),
        package: Some(package),
        release_on_acceptance: false,
    };
    node.ask(offer).expect("covered");
    world.settle(from, to);
    let verdict = Verdict::Accept { team: "intake.kayes".parse().expect("a code"), services: Vec::new() };
    let accept = Command::AnswerHandover { caller: Caller::system(), entropy: [seed + 100; 10], id, verdict };
    world.at(to).ask(accept).expect("on offer");
    world.settle(from, to);
    let release = Command::ReleaseHandover {
        caller: Caller::system(),
        entropy: [seed + 150; 10],
        id,
        package,
        attachment: Some(sealed()),
        sections: vec![Section::Contact],
    };
    world.at(from).ask(release).expect("covered");
    world.settle(from, to);
    id
}

fn received(world: &mut World, at: &str, id: HandoverId) -> CaseId {
    world.at(at).journal.rows.handovers[&id].case.expect("a case that was received")
}

/// Senegal's case is in Mali, from there in Gambia, and from there in Niger.
fn chain() -> (World, CaseShortCode) {
    let mut world = World::of(&SOCIETIES);
    let first = hand_over(&mut world, "SN", "ML", case(1), 1);
    let in_mali = received(&mut world, "ML", first);
    let second = hand_over(&mut world, "ML", "GM", in_mali, 2);
    let in_gambia = received(&mut world, "GM", second);
    hand_over(&mut world, "GM", "NE", in_gambia, 3);
    let code = card(&mut world);
    (world, code)
}

/// Two handovers of one person lie in Mali, as two cases.
fn twice() -> (World, CaseShortCode) {
    let mut world = World::new();
    hand_over(&mut world, "SN", "ML", case(1), 1);
    hand_over(&mut world, "SN", "ML", case(1), 2);
    let code = card(&mut world);
    (world, code)
}

fn card(world: &mut World) -> CaseShortCode {
    let secret = CardSecret { answer: ANSWER, word: None };
    let card = RightsCommand::MakeCard { caller: Caller::system(), handover: handover(1), secret };
    world.at("SN").ask(card.into()).expect("ours");
    let made = world.at("SN").journal.rows.cards.iter().find(|(_, row)| row.made.is_some());
    made.map(|(code, _)| code.clone()).expect("a card")
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

fn take(world: &mut World, request: SubjectRequest, proof: Digest, correction: Option<Carried>) {
    let (at, caller) = (request.taken_by.to_string(), caseworker());
    let command = RightsCommand::Take { caller, request: Box::new(request), proof, correction };
    world.at(&at).ask(command.into()).expect("taken");
}

fn caseworker() -> Caller {
    named("awa", &[Role::Caseworker])
}

fn settle_all(world: &mut World) {
    for _ in 0..4 {
        for (at, one) in SOCIETIES.iter().enumerate() {
            for other in &SOCIETIES[at + 1..] {
                world.settle(one, other);
            }
        }
    }
    for node in &world.nodes {
        assert!(node.journal.rebuilt(node.own) == node.journal.rows, "the views of {} are the fold", node.own);
    }
}

fn row(world: &mut World, at: &str) -> RequestRow {
    world.at(at).journal.rows.requests[&request_id()].clone()
}

fn code_of(outcome: Result<Reply, Refusal>) -> Option<Code> {
    outcome.err().map(|refusal| refusal.code)
}

/// The package of a handover at a node, put right.
fn put_right(world: &mut World, at: &str, seed: u8) -> Corrected {
    let package = world.at(at).journal.rows.handovers[&handover(seed)].package.expect("a package");
    let package = PackageRef { commitment: Digest([seed + 70; 32]), ..package };
    Corrected { handover: handover(seed), package, sections: vec![Section::Contact] }
}

fn correct(world: &mut World, at: &str, corrected: Vec<Corrected>, onward: &[u8]) -> Option<Code> {
    let onward = onward.iter().map(|seed| (handover(*seed), sealed())).collect();
    let command = RightsCommand::Correct { caller: caseworker(), request: request_id(), corrected, onward };
    code_of(world.at(at).ask(command.into()))
}

fn kept_here() -> Carried {
    Carried::Here(PackageRef { case: key_of(request_id()), commitment: Digest([5; 32]) })
}

#[test]
fn the_answers_of_a_whole_chain_come_back_wherever_it_was_asked() {
    for at in SOCIETIES {
        let (mut world, code) = chain();
        take(&mut world, request(Right::Access, at, code), ANSWER, None);
        // Nobody but neighbours of the chain meet, and whoever took the request meets the Society of the card.
        for _ in 0..5 {
            for (one, other) in [("SN", "ML"), ("ML", "GM"), ("GM", "NE"), ("SN", at)] {
                if one != other {
                    world.settle(one, other);
                }
            }
        }
        for knows in ["SN", at] {
            let row = row(&mut world, knows);
            for (holder, seed) in [("ML", 1), ("GM", 2), ("NE", 3)] {
                let answer = row.holder(society(holder), Some(handover(seed))).and_then(|one| one.answer);
                assert!(
                    matches!(answer, Some((Outcome::Done, ..))),
                    "asked at {at}, {holder} known at {knows}: {row:?}"
                );
            }
            assert!(row.is_answered(), "asked at {at}, known at {knows}: {row:?}");
        }
    }
}

#[test]
fn nobody_answers_for_this_node_or_for_one_that_it_asked_itself() {
    let (mut world, code) = chain();
    let in_mali = received(&mut world, "ML", handover(1));
    hand_over(&mut world, "ML", "NE", in_mali, 4);
    let asked = request(Right::Access, "SN", code);
    take(&mut world, asked.clone(), ANSWER, None);
    // Mali has asked Gambia and Niger; Senegal has asked Mali alone, and hears of Gambia through it.
    settle_all(&mut world);
    assert!(row(&mut world, "SN").holder(society("GM"), Some(handover(2))).is_some());
    let claims = |holder: &str, seed| RightsMessage {
        request: asked.clone(),
        news: News::Answered {
            holder: society(holder),
            handover: Some(handover(seed)),
            outcome: Outcome::Done,
            reason: None,
            held: None,
        },
    };
    let rejected = Judged::Rejected("wrong_society".to_owned());
    assert_eq!(forged(&mut world, "ML", claims("NE", 4)), rejected, "Mali asked Niger itself");
    assert_eq!(forged(&mut world, "ML", claims("ML", 1)), rejected, "Mali speaks for itself");
    assert_eq!(forged(&mut world, "SN", claims("ML", 1)), rejected, "Senegal asked Mali itself");
    assert_eq!(forged(&mut world, "SN", claims("NE", 8)), rejected, "Senegal asked nothing of Gambia");
}

#[test]
fn an_answer_goes_to_nobody_while_the_store_does_not_say_who_asked() {
    let (mut world, code) = chain();
    take(&mut world, request(Right::Rectification, "SN", code), ANSWER, None);
    world.settle("SN", "ML");
    let (request, outcome, reason) = (request_id(), Outcome::Done, None);
    let answer = RightsCommand::Answer { caller: caseworker(), request, outcome, reason };
    world.at("ML").journal.unreadable = Some(handover(1));
    assert_eq!(code_of(world.at("ML").ask(answer.clone().into())), Some(Code::StoreFailed));
    world.at("ML").journal.unreadable = None;
    assert_eq!(code_of(world.at("ML").ask(answer.into())), None);
}

#[test]
fn two_cases_of_one_person_are_both_put_right_also_when_the_second_is_asked_for_later() {
    for together in [true, false] {
        let (mut world, code) = twice();
        take(&mut world, request(Right::Rectification, "SN", code), ANSWER, Some(kept_here()));
        let both = vec![put_right(&mut world, "SN", 1), put_right(&mut world, "SN", 2)];
        assert_eq!(correct(&mut world, "SN", both, &[1, 2]), None);
        if together {
            world.settle("SN", "ML");
            let both = vec![put_right(&mut world, "ML", 1), put_right(&mut world, "ML", 2)];
            assert_eq!(correct(&mut world, "ML", both, &[]), None);
        } else {
            world.bring(0, 1, Lane::Routine, 1).expect("the first waits").expect("the next position");
            let (one, other) = (put_right(&mut world, "ML", 1), put_right(&mut world, "ML", 2));
            assert_eq!(correct(&mut world, "ML", vec![other.clone()], &[]), Some(Code::WrongState), "not yet");
            assert_eq!(correct(&mut world, "ML", vec![one], &[]), None);
            world.settle("SN", "ML");
            assert_eq!(correct(&mut world, "ML", vec![other], &[]), None);
        }
        world.settle("SN", "ML");
        world.settle("SN", "ML");
        for seed in [1, 2] {
            let row = world.at("ML").journal.rows.handovers[&handover(seed)].clone();
            assert_eq!(row.package.map(|now| now.commitment), Some(Digest([seed + 70; 32])), "{seed}");
        }
        let row = row(&mut world, "SN");
        let done = row.holders.iter().filter(|one| matches!(one.answer, Some((Outcome::Done, ..)))).count();
        assert!(row.is_answered() && done == 3, "{row:?}");
    }
}

#[test]
fn a_correction_is_applied_only_while_an_answer_is_waited_for() {
    // It came with a wrong proof, and was answered so.
    let (mut world, code) = twice();
    take(&mut world, request(Right::Rectification, "ML", code), Digest([3; 32]), Some(Carried::Sealed(sealed())));
    world.settle("SN", "ML");
    assert!(world.at("SN").journal.rows.corrections[&request_id()].kept.is_some());
    let one = put_right(&mut world, "SN", 1);
    assert_eq!(correct(&mut world, "SN", vec![one], &[1]), Some(Code::WrongState));

    // Nothing is to be changed here, and it goes on once.
    let (mut world, code) = twice();
    take(&mut world, request(Right::Rectification, "SN", code), ANSWER, Some(kept_here()));
    assert_eq!(correct(&mut world, "SN", Vec::new(), &[1]), None);
    assert_eq!(correct(&mut world, "SN", Vec::new(), &[1]), Some(Code::WrongState));
    assert_eq!(issued(&world.at("SN").journal, Kind::SubjectRequest).count(), 1);
}

#[test]
fn what_is_said_of_a_request_after_its_purge_goes_too() {
    let (mut world, code) = twice();
    take(&mut world, request(Right::Access, "SN", code), ANSWER, None);
    for at in ["SN", "ML"] {
        world.at(at).now = NOW.plus(std::time::Duration::from_secs(400 * 86_400));
    }
    let purge =
        |world: &mut World| code_of(world.at("SN").ask(Command::Purge { target: Target::Request(request_id()) }));
    assert_eq!(purge(&mut world), None);
    assert_eq!(purge(&mut world), Some(Code::WrongState), "nothing is left to go");
    // Mali was away for all that time, and says now what it holds.
    world.settle("SN", "ML");
    let said = row(&mut world, "SN").said;
    assert_eq!(said.len(), 2);
    assert_eq!(purge(&mut world), Some(Code::WrongState), "it is as new as the answer");
    world.at("SN").now = NOW.plus(std::time::Duration::from_secs(800 * 86_400));
    assert_eq!(purge(&mut world), None);
    let whole = said.iter().filter(|entry| world.at("SN").look(|context| context.facts.object(**entry)) != Ok(None));
    assert_eq!(whole.count(), 0);
    assert_eq!(purge(&mut world), Some(Code::WrongState));
    assert!(world.at("SN").journal.rebuilt(society("SN")) == world.at("SN").journal.rows);
}

#[test]
fn a_correction_goes_on_to_nobody_but_those_who_have_the_case_from_here() {
    let (mut world, code) = chain();
    hand_over(&mut world, "SN", "ML", case(2), 6);
    take(&mut world, request(Right::Rectification, "SN", code), ANSWER, Some(kept_here()));
    assert_eq!(correct(&mut world, "SN", Vec::new(), &[6]), Some(Code::WrongState), "another person's case");
    assert_eq!(correct(&mut world, "SN", Vec::new(), &[1]), None);
    world.settle("SN", "ML");
    assert_eq!(correct(&mut world, "ML", Vec::new(), &[1]), Some(Code::WrongState), "not Mali's handover");
    assert_eq!(correct(&mut world, "ML", Vec::new(), &[2]), None);
    // Whoever answers has nothing to be put right.
    let (holder, handover, outcome) = (society("GM"), Some(handover(2)), Outcome::Done);
    let news = News::Answered { holder, handover, outcome, reason: None, held: None };
    let answer = RightsMessage { request: row(&mut world, "ML").request, news };
    let rejected = Judged::Rejected("malformed".to_owned());
    assert_eq!(forged_with(&mut world, "ML", &answer, Some(sealed())), rejected);
}

#[test]
fn what_is_frozen_is_left_as_it_is_and_does_not_stand_in_the_way_of_the_rest() {
    let (mut world, code) = twice();
    take(&mut world, request(Right::Rectification, "SN", code), ANSWER, Some(kept_here()));
    assert_eq!(correct(&mut world, "SN", Vec::new(), &[1, 2]), None);
    world.settle("SN", "ML");
    let freeze = |seed| Command::Hold {
        caller: Caller::system(),
        scope: HoldScope::Handover(handover(seed)),
        kind: HoldKind::BreachFreeze,
        lift: false,
        reason: "An incident is looked into".parse().expect("a note"),
    };
    let row = row(&mut world, "ML");
    let here =
        |world: &mut World| world.at("ML").look(|context| correctable(context, &row)).expect("facts in memory").0;
    assert_eq!(here(&mut world), [handover(1), handover(2)]);
    world.at("ML").ask(freeze(1)).expect("it is there");
    assert_eq!(here(&mut world), [handover(2)]);
    let frozen = put_right(&mut world, "ML", 1);
    assert_eq!(correct(&mut world, "ML", vec![frozen], &[]), Some(Code::Frozen));
    world.at("ML").ask(freeze(2)).expect("it is there");
    assert_eq!(correct(&mut world, "ML", Vec::new(), &[]), Some(Code::Frozen), "nothing was put right: it is not done");
}
