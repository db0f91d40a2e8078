//! What is left of a case in words: nothing, once it is erased or its time is over. Whatever people typed is planted here with
//! a mark, and looked for in every object and every row of every journal. Also evidence of consents, and overrides for people
//! whom nobody could ask.

use std::time::Duration;

use super::{safeguards::*, world::*};
use crate::{
    catalogue::{CloseReason, CollectionMethod, LegalBasis, Right, Role, Section, Service},
    consent::{
        Actor as ConsentActor, ConsentRef, EvidenceKind, EvidenceUse, evidence::key_of, sample as consent_sample,
    },
    decide::{About, Caller, Command, EvidenceCommand, HoldScope, Member, RightsCommand, SafeguardCommand, Target},
    digest::Digest,
    entry::PackageRef,
    fold::Content,
    handover::{HandoverDraft, Outcome, OverrideStep, ServiceRequest, State, Step},
    ids::{ConsentId, RequestId},
    refusal::Code,
    retention::HoldKind,
    rights::{CardSecret, Outcome as Answer, SubjectRequest, Via},
};

const NOW: crate::time::Time = consent_sample::NOW;
/// What is planted in every text that people type.
const MARK: &str = "zebra";

fn withdraw(about: About) -> Command {
    let by = ConsentActor::Person;
    Command::Withdraw { caller: Caller::system(), about, by, method: None, scope: None }
}

fn ambulance_with_a_note(draft: &mut HandoverDraft) {
    let note = Some(format!("The {MARK} one needs a stretcher").parse().expect("a note"));
    draft.services = vec![ServiceRequest { service: Service::Ambulance, needs: Vec::new(), required: true, note }];
}

/// An override for somebody whom nobody could ask: no consent record at all.
fn unasked(world: &mut World, seed: u8) -> Command {
    let mut draft = draft(world, seed, ambulance_with_a_note);
    draft.consent = None;
    let member = Member { id: id(seed), case: case(seed), draft, package: Some(package(seed)) };
    SafeguardCommand::RequestOverride {
        caller: caseworker(),
        entropy: entropy(seed),
        id: id(seed),
        reason: crate::catalogue::VitalReason::Unconscious,
        note: format!("The {MARK} one was found unconscious").parse().expect("a note"),
        offering: Some(Box::new(member)),
    }
    .into()
}

fn dpo() -> Caller {
    named("dpo", &[Role::Dpo])
}

fn heal(world: &mut World) {
    for _ in 0..3 {
        world.settle("SN", "ML");
        world.nodes.iter_mut().for_each(|node| node.erase_what_is_due());
    }
    rebuilds(world);
}

/// In how many objects and rows of a node the mark stands.
fn marks(world: &mut World, at: &str) -> usize {
    let journal = &world.at(at).journal;
    let holds = |bytes: &[u8]| bytes.windows(MARK.len()).any(|window| window == MARK.as_bytes());
    let rows = format!("{:?}", journal.rows);
    let entries = journal.entries.iter().filter(|entry| holds(&entry.to_bytes())).count();
    assert_eq!(entries, 0, "{at}: entries hold no text of people");
    journal.objects.values().filter(|object| holds(object)).count() + rows.matches(MARK).count()
}

/// An override without a record, approved, sent, accepted, released, arrived and completed, each with what people typed.
fn overridden(world: &mut World) {
    let asked = unasked(world, 1);
    let senegal = world.at("SN");
    senegal.ask(asked).expect("nobody could ask");
    assert_eq!(code(senegal.ask(send(caseworker(), 1))), Some(Code::ApprovalMissing));
    senegal.ask(approve_override(supervisor(), 1)).expect("the first");
    senegal.ask(approve_override(dpo(), 1)).expect("the second");
    senegal.ask(send(caseworker(), 1)).expect("approved");
    world.settle("SN", "ML");
    world.at("ML").ask(accept(duty_officer(), 1)).expect("on offer");
    world.settle("SN", "ML");
    world.at("SN").ask(release(caseworker(), 1, Section::HealthMin)).expect("how to treat the person");
    world.settle("SN", "ML");
    let note = || Some(format!("The {MARK} one is well").parse().expect("a note"));
    let outcome = Outcome { reason: CloseReason::Completed, delivered: Vec::new(), unmet: Vec::new(), satisfied: None };
    for step in [Step::InService, Step::Completed(outcome)] {
        let (caller, entropy) = (Caller::system(), entropy(step.action().number() as u8));
        world
            .at("ML")
            .ask(Command::ReportHandover { caller, entropy, id: id(1), step, note: note() })
            .expect("in turn");
    }
    world.settle("SN", "ML");
}

#[test]
fn who_cannot_be_asked_is_helped_without_a_record_and_can_stop_it_later() {
    for at in ["SN", "ML"] {
        let mut world = World::new();
        overridden(&mut world);
        let row = world.at("ML").journal.rows.handovers[&id(1)].clone();
        assert_eq!((row.state, row.consent), (State::Completed, ConsentRef::none(id(1))));
        world.at(at).ask(withdraw(About::Handover(id(1)))).expect("the person says no, once awake");
        heal(&mut world);
        for node in ["SN", "ML"] {
            assert_eq!(world.at(node).journal.rows.handovers[&id(1)].state, State::Erased, "{node}, asked at {at}");
        }
    }
}

#[test]
fn a_person_who_was_asked_is_not_passed_over_by_leaving_the_record_out() {
    let mut world = World::new();
    consented(&mut world, 1, |draft| draft.decision = crate::consent::Decision::Refused);
    let asked = unasked(&mut world, 1);
    assert_eq!(code(world.at("SN").ask(asked)), Some(Code::OverrideRefused), "there is a no");
    // Asked only after the override was approved: it does not hold any more, whatever they said.
    let asked = unasked(&mut world, 2);
    world.at("SN").ask(asked).expect("nobody could ask");
    world.at("SN").ask(approve_override(supervisor(), 2)).expect("the first");
    world.at("SN").ask(approve_override(dpo(), 2)).expect("the second");
    consented(&mut world, 2, |draft| draft.decision = crate::consent::Decision::Refused);
    assert_eq!(code(world.at("SN").ask(send(caseworker(), 2))), Some(Code::OverrideRefused));
    // Without a vital interest there is no offer without a record.
    let mut plain = draft(&mut world, 3, |_| ());
    plain.consent = None;
    assert_eq!(code(world.at("SN").ask(offer(caseworker(), 3, plain, false))), Some(Code::UnknownConsent));
    // And it opens no more than any override does.
    let mut much = draft(&mut world, 4, |draft| draft.basis = LegalBasis::VitalInterest);
    much.consent = None;
    let member = Member { id: id(4), case: case(4), draft: much, package: None };
    let command = SafeguardCommand::RequestOverride {
        caller: caseworker(),
        entropy: entropy(4),
        id: id(4),
        reason: crate::catalogue::VitalReason::Unconscious,
        note: "Found unconscious".parse().expect("a note"),
        offering: Some(Box::new(member)),
    };
    world.at("SN").ask(command.into()).expect("nobody could ask");
    world.at("SN").ask(approve_override(supervisor(), 4)).expect("the first");
    world.at("SN").ask(approve_override(dpo(), 4)).expect("the second");
    world.at("SN").ask(send(caseworker(), 4)).expect("approved");
    world.settle("SN", "ML");
    world.at("ML").ask(accept(duty_officer(), 4)).expect("on offer");
    world.settle("SN", "ML");
    assert_eq!(code(world.at("SN").ask(release(caseworker(), 4, Section::Protection))), Some(Code::ConsentMissing));
    rebuilds(&world);
}

/// A card, and a request with it that says something, answered by both.
fn asked(world: &mut World) {
    let secret = CardSecret { answer: Digest([1; 32]), word: None };
    let card = RightsCommand::MakeCard { caller: Caller::system(), handover: id(1), secret };
    world.at("SN").ask(card.into()).expect("ours");
    let code = {
        let entry = world.at("SN").journal.rows.handovers[&id(1)].entry;
        let journal = &world.at("SN").journal;
        match crate::fold::content(&journal.entries[entry.0 as usize].body, &journal.objects[&entry]).expect("it reads")
        {
            Content::Offer(offer) => offer.short_code.clone(),
            _ => unreachable!("an offer"),
        }
    };
    let request = SubjectRequest {
        id: request_id(),
        right: Right::Rectification,
        via: Via::Person,
        card_of: society("SN"),
        code,
        taken_by: society("ML"),
        received_at: NOW,
        due: NOW.plus(SubjectRequest::DUE_WITHIN),
        topic: None,
        sections: vec![Section::Contact],
        note: Some(format!("The {MARK} one has another language").parse().expect("a note")),
    };
    let proof = Digest([1; 32]);
    let take = RightsCommand::Take { caller: Caller::system(), request: Box::new(request), proof, correction: None };
    world.at("ML").ask(take.into()).expect("taken");
    world.settle("ML", "SN");
    world.settle("SN", "ML");
    for at in ["SN", "ML"] {
        let (caller, request, outcome) = (Caller::system(), request_id(), Answer::Done);
        world.at(at).ask(RightsCommand::Answer { caller, request, outcome, reason: None }.into()).expect("due");
    }
    world.settle("SN", "ML");
    world.settle("SN", "ML");
}

fn request_id() -> RequestId {
    RequestId::new(NOW, [9; 10])
}

#[test]
fn nothing_that_people_typed_of_a_case_is_left_after_its_erasure() {
    let mut world = World::new();
    overridden(&mut world);
    asked(&mut world);
    for at in ["SN", "ML"] {
        assert!(marks(&mut world, at) >= 4, "{at}: what was typed stands there until then");
    }
    world.at("ML").ask(withdraw(About::Handover(id(1)))).expect("the person may");
    heal(&mut world);
    for at in ["SN", "ML"] {
        assert_eq!(marks(&mut world, at), 0, "{at}");
        assert!(world.at(at).journal.rows.requests[&request_id()].is_answered(), "{at}: that it was asked stays known");
    }
}

#[test]
fn what_was_only_written_down_goes_with_its_case() {
    let mut world = World::new();
    consented(&mut world, 1, for_a_child);
    let child = draft(&mut world, 1, |draft| {
        a_child(draft);
        draft.services[0].note = Some(format!("The {MARK} one travels alone").parse().expect("a note"));
    });
    let offer = Command::OfferHandover {
        caller: caseworker(),
        id: id(1),
        case: case(1),
        entropy: entropy(1),
        draft: Box::new(child),
        package: None,
        release_on_acceptance: false,
    };
    world.at("SN").ask(offer).expect("it waits for approval");
    assert_eq!(marks(&mut world, "SN"), 1);
    world.at("SN").ask(withdraw(About::Case(case(1)))).expect("the person may");
    heal(&mut world);
    assert_eq!(marks(&mut world, "SN"), 0);
    assert_eq!(world.at("SN").journal.rows.handovers[&id(1)].state, State::Erased);
    assert!(world.at("SN").ask(send(caseworker(), 1)).is_err());
}

#[test]
fn what_was_said_of_a_request_goes_some_time_after_its_answer() {
    let mut world = World::new();
    overridden(&mut world);
    asked(&mut world);
    let purge = || Command::Purge { target: Target::Request(request_id()) };
    for at in ["SN", "ML"] {
        let node = world.at(at);
        node.now = NOW.plus(Duration::from_secs(364 * 86_400));
        assert_eq!(code(node.ask(purge())), Some(Code::WrongState), "not early");
        node.now = NOW.plus(Duration::from_secs(366 * 86_400));
        node.ask(purge()).expect("due");
        assert_eq!(code(node.ask(purge())), Some(Code::WrongState), "once");
        let said = node.journal.rows.requests[&request_id()].said.clone();
        let left = said.iter().filter_map(|entry| node.journal.objects.get(entry));
        assert!(left.into_iter().all(|object| !object.windows(MARK.len()).any(|window| window == MARK.as_bytes())));
    }
    rebuilds(&world);
}

#[test]
fn why_an_override_could_not_wait_is_forgotten_with_the_copy_once_it_was_reviewed() {
    let mut world = World::new();
    overridden(&mut world);
    let note = world.at("SN").journal.rows.safeguards[&id(1)].overriding.clone().expect("an override").entry;
    let senegal = world.at("SN");
    senegal
        .ask(SafeguardCommand::FollowOverride { caller: caseworker(), id: id(1), step: OverrideStep::Told }.into())
        .expect("told");
    let other = named("other", &[Role::Supervisor]);
    let step = OverrideStep::Reviewed { upheld: true };
    senegal.ask(SafeguardCommand::FollowOverride { caller: other, id: id(1), step }.into()).expect("reviewed");
    assert!(crate::facts::Facts::object(&senegal.journal, note).expect("facts").is_some());
    senegal.now = NOW.plus(Duration::from_secs(8 * 86_400));
    senegal.ask(Command::Purge { target: Target::Handover(id(1)) }).expect("the copy is due");
    assert!(crate::facts::Facts::object(&senegal.journal, note).expect("facts").is_none());
    rebuilds(&world);
}

fn record_with_evidence(world: &mut World, version: u32, evidence: Option<Digest>) -> ConsentId {
    let mut draft = consent_sample::draft();
    (draft.version, draft.evidence, draft.collection) = (version, evidence, CollectionMethod::OralRecorded);
    let record = consent(world.at("SN"), 1, draft);
    let id = record.id;
    let command = Command::RecordConsent { caller: caseworker(), case: case(1), record: Box::new(record) };
    world.at("SN").ask(command).expect("a record");
    id
}

fn keep(consent: ConsentId, bytes: &[u8]) -> Command {
    let (digest, kind) = (Digest::of(bytes), EvidenceKind::Recording);
    let place = PackageRef { case: key_of(consent), commitment: Digest::of_parts(&[b"salt", bytes]) };
    EvidenceCommand::Keep { caller: caseworker(), consent, place, digest, kind }.into()
}

fn read(caller: Caller, consent: ConsentId) -> Command {
    EvidenceCommand::Read { caller, consent, purpose: EvidenceUse::Complaint }.into()
}

#[test]
fn evidence_is_what_the_record_names_read_by_few_and_destroyed_with_the_consent() {
    let mut world = World::new();
    let consent = record_with_evidence(&mut world, 1, Some(Digest::of(b"a voice")));
    let senegal = world.at("SN");
    assert_eq!(code(senegal.ask(read(dpo(), consent))), Some(Code::PackageAbsent));
    assert_eq!(code(senegal.ask(keep(consent, b"another voice"))), Some(Code::ConsentIntegrity));
    assert_eq!(code(senegal.ask(keep(ConsentId::new(NOW, [99; 10]), b"a voice"))), Some(Code::UnknownConsent));
    senegal.ask(keep(consent, b"a voice")).expect("what the record names");
    let entries = senegal.journal.entries.len();
    senegal.ask(keep(consent, b"a voice")).expect("once");
    assert_eq!(senegal.journal.entries.len(), entries);
    assert_eq!(code(senegal.ask(read(caseworker(), consent))), Some(Code::RoleMissing));
    assert_eq!(code(senegal.ask(read(Caller::system(), consent))), Some(Code::NeedsPerson));
    senegal.ask(read(dpo(), consent)).expect("the officer");
    // It ends with the consent: 30 days after its validity, unless a hold keeps it.
    let until = crate::consent::ConsentRecord::from_cbor(
        &senegal.journal.objects[&senegal.journal.rows.consents[&consent].entry],
    )
    .expect("a record")
    .valid_until;
    let purge = || Command::Purge { target: Target::ConsentEvidence(consent) };
    senegal.now = until.plus(Duration::from_secs(29 * 86_400));
    assert_eq!(code(senegal.ask(purge())), Some(Code::WrongState));
    senegal.now = until.plus(Duration::from_secs(30 * 86_400));
    let hold = |lift| Command::Hold {
        caller: dpo(),
        scope: HoldScope::Consent(consent),
        kind: HoldKind::LegalHold,
        lift,
        reason: "a complaint".parse().expect("a note"),
    };
    senegal.ask(hold(false)).expect("held");
    assert_eq!(code(senegal.ask(purge())), Some(Code::OnHold));
    senegal.ask(hold(true)).expect("lifted");
    senegal.ask(purge()).expect("due");
    assert_eq!(code(senegal.ask(purge())), Some(Code::PackageAbsent));
    assert_eq!(code(senegal.ask(read(dpo(), consent))), Some(Code::PackageAbsent));
    assert_eq!(code(senegal.ask(keep(consent, b"a voice"))), Some(Code::Withdrawn));
    rebuilds(&world);
}

#[test]
fn evidence_goes_with_the_erasure_of_its_case_and_nothing_of_it_is_kept_after_a_withdrawal() {
    let mut world = World::new();
    let consent = record_with_evidence(&mut world, 1, Some(Digest::of(b"a voice")));
    world.at("SN").ask(keep(consent, b"a voice")).expect("what the record names");
    world.at("SN").ask(withdraw(About::Consent(consent))).expect("the person may");
    assert_eq!(code(world.at("SN").ask(keep(consent, b"a voice"))), Some(Code::Withdrawn), "also before the erasure");
    heal(&mut world);
    assert!(world.at("SN").journal.rows.evidence[&consent].destroyed.is_some());
    rebuilds(&world);
}

#[test]
fn earlier_versions_of_a_record_prove_what_was_done_under_them_and_go_with_it() {
    let mut world = World::new();
    let consent = record_with_evidence(&mut world, 1, None);
    record_with_evidence(&mut world, 2, None);
    record_with_evidence(&mut world, 3, None);
    let senegal = world.at("SN");
    let row = senegal.journal.rows.consents[&consent].clone();
    assert_eq!(row.earlier.len(), 2);
    let versions: Vec<_> = row.earlier.iter().copied().chain([row.entry]).collect();
    let there = |node: &Node| {
        versions
            .iter()
            .filter(|entry| crate::facts::Facts::object(&node.journal, **entry).expect("facts").is_some())
            .count()
    };
    assert_eq!(there(senegal), 3);
    senegal.now = NOW.plus(Duration::from_secs(12 * 365 * 86_400));
    senegal.ask(Command::Purge { target: Target::Consent(consent) }).expect("due");
    assert_eq!(there(senegal), 0);
    rebuilds(&world);
}
