//! Children, overrides and groups between two Societies, told as stories: who may do what, in which order,
//! and how each refusal of these rules is reached.

use std::time::Duration;

use super::world::*;
use crate::{
    catalogue::{
        AgeBand, Capacity, CollectionMethod, DataCategory, GivenBy, LegalBasis, MinorStatus, NoCaregiver, Purpose,
        RejectReason, Role, Section, Service, SplitReason, StopReason, VitalReason,
    },
    consent::{ConsentDraft, Decision, sample as consent_sample},
    decide::{Caller, Command, Member, Reply, SafeguardCommand, missing_approvals},
    digest::Digest,
    entry::{Actor, Body},
    envelope::{Attachment, Kind},
    fold::Content,
    handover::{HandoverDraft, OverrideStep, ServiceRequest, State, Step, Verdict, sample as handover_sample},
    ids::{HandoverId, IdEntropy},
    refusal::{Code, Refusal},
};

const NOW: crate::time::Time = consent_sample::NOW;

pub(super) fn named(name: &str, roles: &[Role]) -> Caller {
    Caller { actor: Actor::Operator(name.into()), roles: roles.to_vec() }
}

pub(super) fn caseworker() -> Caller {
    named("awa", &[Role::Caseworker])
}

pub(super) fn supervisor() -> Caller {
    named("binta", &[Role::Supervisor])
}

pub(super) fn cp_officer() -> Caller {
    named("chérif", &[Role::CpOfficer])
}

pub(super) fn duty_officer() -> Caller {
    named("djibril", &[Role::DutyOfficer])
}

pub(super) fn id(seed: u8) -> HandoverId {
    HandoverId::new(NOW, [seed; 10])
}

pub(super) fn entropy(seed: u8) -> IdEntropy {
    [seed; 10]
}

pub(super) fn code<T>(outcome: Result<T, Refusal>) -> Option<Code> {
    outcome.err().map(|refusal| refusal.code)
}

/// The consent that a trusted adult gives for a child who is alone.
pub(super) fn for_a_child(draft: &mut ConsentDraft) {
    draft.capacity = Capacity::Minor;
    draft.age_band = AgeBand::From6To11;
    draft.given_by = GivenBy::TrustedAdult;
    draft.no_caregiver = Some(NoCaregiver::NotFound);
    draft.assent = Some(true);
    draft.collection = CollectionMethod::Written;
}

pub(super) fn consented(world: &mut World, seed: u8, change: impl FnOnce(&mut ConsentDraft)) {
    let senegal = world.at("SN");
    let mut draft = consent_sample::draft();
    change(&mut draft);
    let record = Box::new(consent(senegal, seed, draft));
    let caller = named("medic", &[Role::Caseworker, Role::CpOfficer]);
    senegal.ask(Command::RecordConsent { caller, case: case(seed), record }).expect("a valid record");
}

pub(super) fn draft(world: &mut World, seed: u8, change: impl FnOnce(&mut HandoverDraft)) -> HandoverDraft {
    let mut draft = handover_sample::draft();
    draft.consent = Some(consent(world.at("SN"), seed, consent_sample::draft()).id);
    change(&mut draft);
    draft
}

pub(super) fn a_child(draft: &mut HandoverDraft) {
    draft.age_band = AgeBand::From6To11;
    draft.minor_status = MinorStatus::Unaccompanied;
    draft.best_interest_ref = Some("bia.7".parse().expect("a code"));
}

pub(super) fn offer(caller: Caller, seed: u8, draft: HandoverDraft, release_on_acceptance: bool) -> Command {
    let (id, case, entropy, package) = (id(seed), case(seed), entropy(seed), Some(package(seed)));
    Command::OfferHandover { caller, id, case, entropy, draft: Box::new(draft), package, release_on_acceptance }
}

pub(super) fn approve(caller: Caller, seed: u8) -> Command {
    SafeguardCommand::Approve { caller, id: id(seed), overriding: false, role: None }.into()
}

pub(super) fn send(caller: Caller, seed: u8) -> Command {
    SafeguardCommand::SendHandover { caller, entropy: entropy(seed + 100), id: id(seed) }.into()
}

pub(super) fn accept(caller: Caller, seed: u8) -> Command {
    let verdict = Verdict::Accept { team: "intake.kayes".parse().expect("a code"), services: Vec::new() };
    Command::AnswerHandover { caller, entropy: entropy(seed + 120), id: id(seed), verdict }
}

pub(super) fn release(caller: Caller, seed: u8, section: Section) -> Command {
    let attachment = Some(Attachment { digest: Digest::of(SEALED), bytes: SEALED.len() as u64 });
    let (id, package, entropy, sections) = (id(seed), package(seed), entropy(seed + 140), vec![section]);
    Command::ReleaseHandover { caller, entropy, id, package, attachment, sections }
}

fn state(world: &mut World, at: &str, seed: u8) -> Option<State> {
    world.at(at).journal.rows.handovers.get(&id(seed)).map(|row| row.state)
}

/// Every journal folds to its rows again.
pub(super) fn rebuilds(world: &World) {
    for node in &world.nodes {
        assert!(node.journal.rebuilt(node.own) == node.journal.rows, "{}: rows follow from the journal", node.own);
    }
}

/// Whether the journal of a node has the refusal.
fn recorded(world: &mut World, at: &str, wanted: Code) -> bool {
    let entries = &world.at(at).journal.entries;
    entries.iter().any(|entry| matches!(&entry.body, Body::Refused { code, .. } if code == wanted.as_str()))
}

#[test]
fn the_case_of_a_child_alone_is_approved_by_two_others_at_both_ends() {
    let mut world = World::new();
    consented(&mut world, 1, for_a_child);
    let child = draft(&mut world, 1, a_child);
    let senegal = world.at("SN");
    assert_eq!(code(senegal.ask(offer(Caller::system(), 1, child.clone(), false))), Some(Code::NeedsPerson));
    assert_eq!(code(senegal.ask(offer(caseworker(), 1, child.clone(), true))), Some(Code::NeedsPerson));

    let requester = named("awa", &[Role::Caseworker, Role::Supervisor]);
    senegal.ask(offer(requester.clone(), 1, child.clone(), false)).expect("written down");
    assert!(issued(&senegal.journal, Kind::HandoverOffer).next().is_none(), "nothing has left");
    let entries = senegal.journal.next();
    senegal.ask(offer(requester.clone(), 1, child, false)).expect("the same again");
    assert_eq!(senegal.journal.next(), entries, "and writes nothing");

    assert_eq!(code(senegal.ask(send(requester.clone(), 1))), Some(Code::ApprovalMissing));
    assert_eq!(code(senegal.ask(approve(requester.clone(), 1))), Some(Code::SelfApproval));
    assert_eq!(code(senegal.ask(approve(duty_officer(), 1))), Some(Code::RoleMissing));
    assert_eq!(code(senegal.ask(approve(Caller::system(), 1))), Some(Code::NeedsPerson));
    senegal.ask(approve(supervisor(), 1)).expect("a supervisor");
    let entries = senegal.journal.next();
    senegal.ask(approve(supervisor(), 1)).expect("is not asked twice");
    assert_eq!(senegal.journal.next(), entries);
    let second = named("mariama", &[Role::Supervisor]);
    assert_eq!(code(senegal.ask(approve(second, 1))), Some(Code::RoleMissing), "two supervisors do not do");
    assert_eq!(code(senegal.ask(send(requester.clone(), 1))), Some(Code::ApprovalMissing));
    senegal.ask(approve(cp_officer(), 1)).expect("a child-protection officer");
    assert_eq!(state(&mut world, "SN", 1), Some(State::Ready));
    world.at("SN").ask(send(requester, 1)).expect("approved");
    world.settle("SN", "ML");
    assert_eq!(state(&mut world, "ML", 1), Some(State::Delivered));

    let mali = world.at("ML");
    assert_eq!(code(mali.ask(accept(duty_officer(), 1))), Some(Code::ApprovalMissing));
    let both = named("binta", &[Role::Supervisor, Role::DutyOfficer]);
    mali.ask(approve(both.clone(), 1)).expect("a supervisor");
    mali.ask(approve(cp_officer(), 1)).expect("a child-protection officer");
    assert_eq!(code(mali.ask(accept(both, 1))), Some(Code::SelfApproval), "who approved does not accept");
    assert_eq!(code(mali.ask(accept(Caller::system(), 1))), Some(Code::NeedsPerson));
    mali.ask(accept(duty_officer(), 1)).expect("approved");
    world.settle("SN", "ML");
    let senegal = world.at("SN");
    assert_eq!(code(senegal.ask(release(Caller::system(), 1, Section::Contact))), Some(Code::NeedsPerson));
    senegal.ask(release(caseworker(), 1, Section::Contact)).expect("by a person");
    assert!(recorded(&mut world, "SN", Code::SelfApproval) && recorded(&mut world, "ML", Code::SelfApproval));
    rebuilds(&world);
}

#[test]
fn a_sealed_section_leaves_with_a_supervisors_approval_and_an_adults_plain_case_without() {
    let sealed = |draft: &mut ConsentDraft| {
        let mut grant = draft.purposes[1].clone();
        (grant.purpose, grant.service) = (Purpose::ProtectionCase, None);
        grant.categories = vec![DataCategory::Contact, DataCategory::Protection];
        draft.purposes.push(grant);
    };
    let asks = |draft: &mut HandoverDraft| {
        let service = Service::GbvResponse;
        draft.services = vec![ServiceRequest { service, needs: Vec::new(), required: true, note: None }];
    };
    let mut world = World::new();
    consented(&mut world, 1, sealed);
    let (protection, plain) = (draft(&mut world, 1, asks), draft(&mut world, 1, |_| ()));
    let senegal = world.at("SN");
    senegal.ask(offer(caseworker(), 1, protection, false)).expect("written down");
    let plain_offer = Command::OfferHandover {
        caller: caseworker(),
        id: id(2),
        case: case(1),
        entropy: entropy(2),
        draft: Box::new(plain),
        package: None,
        release_on_acceptance: false,
    };
    senegal.ask(plain_offer).expect("sent at once");
    assert_eq!((state(&mut world, "SN", 1), state(&mut world, "SN", 2)), (Some(State::Draft), Some(State::Offered)));
    let senegal = world.at("SN");
    assert_eq!(code(senegal.ask(approve(supervisor(), 2))), Some(Code::WrongState), "nothing waits there");
    senegal.ask(approve(supervisor(), 1)).expect("a supervisor");
    senegal.ask(send(caseworker(), 1)).expect("approved");
    world.settle("SN", "ML");
    world.at("ML").ask(accept(duty_officer(), 1)).expect("an adult's case needs no approval there");
    rebuilds(&world);
}

#[test]
fn what_was_never_sent_is_given_up_without_a_word_to_anybody() {
    let mut world = World::new();
    consented(&mut world, 1, for_a_child);
    let child = draft(&mut world, 1, a_child);
    let senegal = world.at("SN");
    senegal.ask(offer(caseworker(), 1, child, false)).expect("written down");
    let step = Step::Cancelled(StopReason::MovedOn);
    let cancel = Command::ReportHandover { caller: caseworker(), entropy: entropy(9), id: id(1), step, note: None };
    senegal.ask(cancel).expect("given up");
    assert!(issued(&senegal.journal, Kind::HandoverStep).next().is_none());
    assert_eq!(code(senegal.ask(approve(supervisor(), 1))), Some(Code::WrongState));
    assert_eq!(state(&mut world, "SN", 1), Some(State::Cancelled));
    rebuilds(&world);
}

#[test]
fn an_age_once_recorded_is_changed_by_trained_people_alone() {
    let mut world = World::new();
    let unknown = |draft: &mut ConsentDraft| {
        for_a_child(draft);
        draft.age_band = AgeBand::Unknown;
    };
    consented(&mut world, 1, unknown);
    let senegal = world.at("SN");
    let mut record = consent(senegal, 1, consent_sample::draft());
    let mut newer = consent_sample::draft();
    newer.version = 2;
    record = crate::consent::ConsentRecord::from_draft(
        newer,
        crate::consent::RecordContext {
            id: record.id,
            subject: record.subject,
            society: senegal.own,
            now: senegal.now,
        },
    )
    .expect("valid");
    let as_adult = |caller| Command::RecordConsent { caller, case: case(1), record: Box::new(record.clone()) };
    assert_eq!(code(senegal.ask(as_adult(caseworker()))), Some(Code::AgeDisputed));
    let adult = draft(&mut world, 1, |_| ());
    let senegal = world.at("SN");
    assert_eq!(code(senegal.ask(offer(caseworker(), 1, adult.clone(), false))), Some(Code::AgeDisputed));
    senegal.ask(as_adult(cp_officer())).expect("an assessment");
    senegal.ask(offer(caseworker(), 1, adult, false)).expect("an adult");
    rebuilds(&world);
}

/// An adult who cannot be asked: the consent was put off.
pub(super) fn put_off(draft: &mut ConsentDraft) {
    draft.decision = Decision::Deferred;
    draft.capacity = Capacity::ShockOrSedated;
}

pub(super) fn ambulance(draft: &mut HandoverDraft) {
    let service = Service::Ambulance;
    draft.services = vec![ServiceRequest { service, needs: Vec::new(), required: true, note: None }];
}

pub(super) fn request(caller: Caller, seed: u8, draft: Option<HandoverDraft>) -> Command {
    let member = |draft| Box::new(Member { id: id(seed), case: case(seed), draft, package: Some(package(seed)) });
    SafeguardCommand::RequestOverride {
        caller,
        entropy: entropy(seed),
        id: id(seed),
        reason: VitalReason::Unconscious,
        note: "Found unconscious on the beach.".parse().expect("a note"),
        offering: draft.map(member),
    }
    .into()
}

pub(super) fn approve_override(caller: Caller, seed: u8) -> Command {
    SafeguardCommand::Approve { caller, id: id(seed), overriding: true, role: None }.into()
}

fn follow(caller: Caller, seed: u8, step: OverrideStep) -> Command {
    SafeguardCommand::FollowOverride { caller, id: id(seed), step }.into()
}

#[test]
fn an_override_takes_two_others_opens_little_and_is_told_and_reviewed() {
    let mut world = World::new();
    consented(&mut world, 1, put_off);
    let draft_1 = draft(&mut world, 1, ambulance);
    let senegal = world.at("SN");
    assert_eq!(code(senegal.ask(offer(caseworker(), 1, draft_1.clone(), false))), Some(Code::ConsentState));
    assert_eq!(code(senegal.ask(request(Caller::system(), 1, Some(draft_1.clone())))), Some(Code::NeedsPerson));
    let asker = named("awa", &[Role::Medical]);
    senegal.ask(request(asker.clone(), 1, Some(draft_1.clone()))).expect("asked for");
    assert_eq!(code(senegal.ask(send(caseworker(), 1))), Some(Code::ApprovalMissing));
    assert_eq!(code(senegal.ask(approve_override(asker.clone(), 1))), Some(Code::SelfApproval));
    assert_eq!(code(senegal.ask(approve_override(cp_officer(), 1))), Some(Code::RoleMissing));
    senegal.ask(approve_override(supervisor(), 1)).expect("the first");
    assert_eq!(code(senegal.ask(send(caseworker(), 1))), Some(Code::ApprovalMissing));
    senegal.ask(approve_override(supervisor(), 1)).expect("counts once");
    assert_eq!(code(senegal.ask(send(caseworker(), 1))), Some(Code::ApprovalMissing));
    let reviewed = OverrideStep::Reviewed { upheld: true };
    assert_eq!(code(senegal.ask(follow(named("dpo", &[Role::Dpo]), 1, reviewed))), Some(Code::WrongState));
    senegal.ask(approve_override(named("dpo", &[Role::Dpo]), 1)).expect("the second");
    senegal.ask(send(caseworker(), 1)).expect("approved");
    world.settle("SN", "ML");
    let mali = world.at("ML");
    mali.ask(accept(duty_officer(), 1)).expect("on offer");
    world.settle("SN", "ML");
    let senegal = world.at("SN");
    assert_eq!(code(senegal.ask(release(caseworker(), 1, Section::Pss))), Some(Code::ConsentMissing));
    senegal.ask(release(caseworker(), 1, Section::HealthMin)).expect("how to treat the person");
    let entry = issued(&senegal.journal, Kind::HandoverRelease).last().expect("a release").index;
    let envelope = crate::envelope::SignedEnvelope::from_object(&senegal.journal.objects[&entry]).expect("an envelope");
    let envelope = crate::envelope::Envelope::parse(&envelope.payload).expect("an envelope");
    let Ok(Content::Release(released)) = crate::fold::of_envelope(&envelope) else { panic!("a release") };
    assert_eq!(released.basis, Some(LegalBasis::VitalInterest), "the recipient is told on what it rests");

    senegal.ask(follow(caseworker(), 1, OverrideStep::Told)).expect("the person was told");
    for part in [asker, supervisor()] {
        let with_role = named(&format!("{:?}", part.actor).replace("Operator(\"", "").replace("\")", ""), &[Role::Dpo]);
        assert_eq!(code(senegal.ask(follow(with_role, 1, reviewed))), Some(Code::SelfApproval));
    }
    let row = senegal.journal.rows.safeguards[&id(1)].overriding.clone().expect("an override");
    let by = row.review_by().expect("it holds");
    assert_eq!(by, NOW.plus(Duration::from_secs(72 * 3_600)));
    assert!(!row.is_late(by) && row.is_late(by.plus(Duration::from_secs(1))));
    let other = named("other", &[Role::Supervisor]);
    senegal.ask(follow(other.clone(), 1, reviewed)).expect("who had no part in it");
    assert_eq!(code(senegal.ask(follow(other, 1, reviewed))), Some(Code::WrongState), "once");
    rebuilds(&world);
}

#[test]
fn an_override_is_refused_against_a_no_and_where_consent_covers() {
    let mut world = World::new();
    consented(&mut world, 1, |draft| draft.decision = Decision::Refused);
    consented(&mut world, 2, |_| ());
    consented(&mut world, 3, |draft| {
        for_a_child(draft);
        put_off(draft);
    });
    let (refused, covered) = (draft(&mut world, 1, ambulance), draft(&mut world, 2, |_| ()));
    let child = draft(&mut world, 3, |draft| {
        a_child(draft);
        ambulance(draft);
    });
    let senegal = world.at("SN");
    assert_eq!(code(senegal.ask(request(caseworker(), 1, Some(refused)))), Some(Code::OverrideRefused));
    assert_eq!(code(senegal.ask(request(caseworker(), 2, Some(covered.clone())))), Some(Code::OverrideRefused));
    senegal.ask(offer(caseworker(), 2, covered, false)).expect("covered");
    assert_eq!(code(senegal.ask(request(caseworker(), 2, None))), Some(Code::OverrideRefused));
    assert_eq!(code(senegal.ask(request(caseworker(), 9, None))), Some(Code::UnknownHandover));
    // A minor's takes a child-protection officer among the two.
    senegal.ask(request(caseworker(), 3, Some(child))).expect("asked for");
    senegal.ask(approve_override(supervisor(), 3)).expect("one");
    assert_eq!(code(senegal.ask(approve_override(named("dpo", &[Role::Dpo]), 3))), Some(Code::RoleMissing));
    senegal.ask(approve_override(cp_officer(), 3)).expect("the other");
    assert_eq!(code(senegal.ask(send(caseworker(), 3))), Some(Code::ApprovalMissing), "the offer has its own");
    rebuilds(&world);
}

/// A mother, case 1, and her son, case 2.
fn family(world: &mut World) -> Vec<Member> {
    consented(world, 1, |_| ());
    consented(world, 2, |draft| {
        for_a_child(draft);
        (draft.given_by, draft.no_caregiver) = (GivenBy::Parent, None);
    });
    let mother = draft(world, 1, |_| ());
    let son = draft(world, 2, |draft| {
        draft.age_band = AgeBand::From6To11;
        draft.minor_status = MinorStatus::Accompanied;
    });
    let member = |seed, draft| Member { id: id(seed), case: case(seed), draft, package: Some(package(seed)) };
    vec![member(1, mother), member(2, son)]
}

fn offer_group(members: Vec<Member>) -> Command {
    let reference = "g.rosso.7".parse().expect("a code");
    SafeguardCommand::OfferGroup { caller: caseworker(), entropy: entropy(60), reference, members }.into()
}

fn answer_group(verdict: Verdict) -> Command {
    SafeguardCommand::AnswerGroup { caller: duty_officer(), entropy: entropy(61), id: id(2), verdict }.into()
}

fn yes() -> Verdict {
    Verdict::Accept { team: "intake.kayes".parse().expect("a code"), services: Vec::new() }
}

pub(super) fn split(caller: Caller) -> Command {
    SafeguardCommand::SplitGroup { caller, entropy: entropy(62), id: id(1), reason: SplitReason::OwnWish }.into()
}

/// The family was offered and has reached Mali.
pub(super) fn offered_family() -> World {
    let mut world = World::new();
    let members = family(&mut world);
    let senegal = world.at("SN");
    senegal.ask(offer_group(members.clone())).expect("written down");
    assert!(issued(&senegal.journal, Kind::HandoverOffer).next().is_none(), "the mother does not go ahead alone");
    assert_eq!(code(senegal.ask(send(caseworker(), 1))), Some(Code::ApprovalMissing));
    assert_eq!(code(senegal.ask(split(cp_officer()))), Some(Code::WrongState), "nothing was sent yet");
    senegal.ask(approve(supervisor(), 2)).expect("a minor's case");
    senegal.ask(send(caseworker(), 1)).expect("all of them");
    assert_eq!(issued(&senegal.journal, Kind::HandoverOffer).count(), 2);
    let entries = senegal.journal.next();
    senegal.ask(offer_group(members)).expect("the same again");
    assert_eq!(senegal.journal.next(), entries, "and writes nothing");
    world.settle("SN", "ML");
    world
}

#[test]
fn a_family_is_offered_accepted_and_released_together() {
    let mut world = offered_family();
    let mali = world.at("ML");
    assert_eq!(code(mali.ask(accept(duty_officer(), 1))), Some(Code::GroupTogether));
    let no = Verdict::Reject { reason: RejectReason::NoCapacity, note: None };
    let alone = Command::AnswerHandover { caller: duty_officer(), entropy: entropy(5), id: id(1), verdict: no };
    assert_eq!(code(mali.ask(alone)), Some(Code::GroupTogether));
    mali.ask(answer_group(yes())).expect("all of them");
    let entries = mali.journal.next();
    mali.ask(answer_group(yes())).expect("the same again");
    assert_eq!(mali.journal.next(), entries, "and writes nothing");
    // Only one of the two answers has come back yet.
    let (from, to) = (1, 0);
    world.bring(from, to, crate::envelope::Lane::Routine, 1);
    let first = [1, 2].into_iter().find(|seed| state(&mut world, "SN", *seed) == Some(State::Accepted)).expect("one");
    let senegal = world.at("SN");
    assert_eq!(code(senegal.ask(release(caseworker(), first, Section::Contact))), Some(Code::GroupTogether));
    world.settle("SN", "ML");
    for seed in [1, 2] {
        world.at("SN").ask(release(caseworker(), seed, Section::Contact)).expect("all were accepted");
    }
    rebuilds(&world);
}

/// Retention takes the offers and the notes; what was proposed, approved and bound together stays known.
#[test]
fn what_is_forgotten_of_a_family_or_an_override_changes_no_row() {
    let mut world = offered_family();
    consented(&mut world, 3, put_off);
    let cannot_be_asked = draft(&mut world, 3, ambulance);
    world.at("SN").ask(request(caseworker(), 3, Some(cannot_be_asked))).expect("asked for");
    for node in &mut world.nodes {
        let before = node.journal.rows.clone();
        let all: Vec<_> = (0..node.journal.next().0).map(crate::ids::EntryIndex).collect();
        node.forget(&all);
        assert!(node.journal.rows == before, "{}", node.own);
    }
    rebuilds(&world);
}

#[test]
fn a_family_with_a_child_is_split_by_a_child_protection_officer_alone() {
    let mut world = offered_family();
    let mali = world.at("ML");
    assert_eq!(code(mali.ask(split(Caller::system()))), Some(Code::NeedsPerson));
    assert_eq!(code(mali.ask(split(supervisor()))), Some(Code::RoleMissing));
    mali.ask(split(cp_officer())).expect("deliberately");
    assert_eq!(code(mali.ask(split(cp_officer()))), Some(Code::WrongState));
    mali.ask(accept(duty_officer(), 1)).expect("each alone now");
    world.settle("SN", "ML");
    let senegal = world.at("SN");
    senegal.ask(release(caseworker(), 1, Section::Contact)).expect("each alone now");
    for node in &world.nodes[..2] {
        assert!(node.journal.rows.groups.values().all(|row| row.split.is_some()), "{}", node.own);
    }
    rebuilds(&world);
}

#[test]
fn a_whole_family_can_be_rejected_and_a_part_of_one_cannot_be_accepted() {
    let mut world = offered_family();
    let no = Verdict::Reject { reason: RejectReason::NoCapacity, note: None };
    world.at("ML").ask(answer_group(no)).expect("all of them");
    assert_eq!(state(&mut world, "ML", 1), Some(State::Rejected));
    assert_eq!(code(world.at("ML").ask(answer_group(yes()))), Some(Code::AlreadyEnded));

    // A peer of an older release offers one of three by itself.
    let mut world = World::new();
    consented(&mut world, 1, |_| ());
    let grouped = draft(&mut world, 1, |draft| {
        let reference = "g.rosso.8".parse().expect("a code");
        draft.group = Some(crate::handover::Group { reference, size: 3 });
    });
    let senegal = world.at("SN");
    assert_eq!(code(senegal.ask(offer(caseworker(), 1, grouped.clone(), false))), Some(Code::GroupTogether));
    let record = consent(senegal, 1, consent_sample::draft());
    let context = crate::handover::OfferContext {
        subject: senegal.pseudonyms.for_peer(society("ML"), case(1)),
        id: id(1),
        ..handover_sample::context_under(&record)
    };
    let old = crate::handover::Offer::from_draft(grouped, context).expect("valid");
    let envelope = crate::envelope::Envelope {
        version: crate::envelope::FORMAT_VERSION,
        id: crate::ids::EnvelopeId::new(NOW, [70; 10]),
        origin: society("SN"),
        recipients: vec![society("ML")],
        kind: Kind::HandoverOffer,
        lane: crate::envelope::Lane::Routine,
        created_at: NOW,
        expires_at: None,
        body: old.to_cbor().into(),
        attachment: None,
    };
    let signed = envelope.sign(&Toy(society("SN")));
    let letter = crate::decide::Letter { envelope, signed: signed.clone(), content: Content::Offer(Box::new(old)) };
    let opened = crate::decide::Opened { digest: signed.digest(), outcome: Ok(letter) };
    let (lane, position) = (crate::envelope::Lane::Routine, crate::ids::Position(1));
    let reply = world.at("ML").deliver(society("SN"), lane, position, opened).expect("judged");
    assert!(matches!(reply, Reply::Received { accepted: true, .. }));
    let mali = world.at("ML");
    let all = SafeguardCommand::AnswerGroup { caller: duty_officer(), entropy: entropy(61), id: id(1), verdict: yes() }
        .into();
    assert_eq!(code(mali.ask(all)), Some(Code::GroupIncomplete));
    assert_eq!(code(mali.ask(accept(duty_officer(), 1))), Some(Code::GroupTogether));
    mali.ask(split(supervisor())).expect("adults");
    mali.ask(accept(duty_officer(), 1)).expect("alone now");
}

#[test]
fn a_group_has_members_of_their_own_and_one_destination() {
    let mut world = World::new();
    let members = family(&mut world);
    let twice = vec![members[0].clone(), Member { id: id(7), ..members[0].clone() }];
    let mut elsewhere = members.clone();
    elsewhere[1].draft.to = society("GM");
    let senegal = world.at("SN");
    assert_eq!(code(senegal.ask(offer_group(members[..1].to_vec()))), Some(Code::TooMany));
    assert_eq!(code(senegal.ask(offer_group(twice))), Some(Code::Malformed));
    assert!(senegal.ask(offer_group(elsewhere)).is_err());
    let too_many = vec![members[0].clone(); crate::limits::GROUP_MEMBERS_MAX + 1];
    assert_eq!(code(senegal.ask(offer_group(too_many))), Some(Code::TooMany));
    senegal.ask(offer_group(members.clone())).expect("a family");
    let same_code =
        members.iter().map(|member| Member { id: id(member.id.bytes()[15].wrapping_add(40)), ..member.clone() });
    assert_eq!(code(senegal.ask(offer_group(same_code.collect()))), Some(Code::DuplicateId));
}

#[test]
fn what_still_has_to_be_approved_can_be_asked() {
    let mut world = World::new();
    consented(&mut world, 1, for_a_child);
    let child = draft(&mut world, 1, a_child);
    world.at("SN").ask(offer(caseworker(), 1, child, false)).expect("written down");
    let missing = |world: &mut World| {
        let node = world.at("SN");
        let context = crate::decide::Context {
            own: node.own,
            now: node.now,
            wall: node.now,
            next: node.journal.next(),
            facts: &node.journal,
            signer: &Toy(node.own),
            policy: &node.policy,
            pseudonyms: &node.pseudonyms,
        };
        missing_approvals(&context, id(1), false).expect("known")
    };
    assert_eq!(missing(&mut world), ["supervisor", "cp_officer"]);
    world.at("SN").ask(approve(supervisor(), 1)).expect("a supervisor");
    assert_eq!(missing(&mut world), ["cp_officer"]);
}

/// Who reads which sealed section: by the table, once the package is there.
#[test]
fn sealed_sections_are_opened_by_their_roles_and_each_reading_is_an_entry() {
    let mut world = World::new();
    consented(&mut world, 1, |_| ());
    let plain = draft(&mut world, 1, |_| ());
    let senegal = world.at("SN");
    senegal.ask(offer(caseworker(), 1, plain, false)).expect("covered");
    for (section, opens) in [
        (Section::HealthFull, vec![Role::Medical]),
        (Section::Protection, vec![Role::Supervisor, Role::GbvOfficer]),
        (Section::Child, vec![Role::CpOfficer]),
    ] {
        for role in Role::ALL {
            let read = Command::ReadPackage {
                caller: named("reader", &[*role]),
                id: id(1),
                sections: vec![section],
                purpose: Purpose::ChildCase,
            };
            let outcome = senegal.ask(read);
            assert_eq!(outcome.is_ok(), opens.contains(role), "{section} {role}: {outcome:?}");
            let last = senegal.journal.entries.last().map(|entry| entry.body.clone());
            match last {
                Some(Body::PackageRead { sections, purpose, .. }) => {
                    assert!(opens.contains(role));
                    assert_eq!((sections, purpose), (vec![section.to_string()], Purpose::ChildCase.to_string()));
                }
                Some(Body::Refused { code, .. }) => assert_eq!(code, Code::RoleMissing.as_str()),
                other => panic!("{other:?}"),
            }
        }
    }
}

mod at_random {
    //! Five people at each of two Societies do what they like with the case of a child alone.

    use std::collections::BTreeSet;

    use proptest::{collection::vec, prelude::*, test_runner::Config};

    use super::*;
    use crate::{entry::Verdict as Judgement, handover::Stage};

    const PEOPLE: [(&str, &[Role]); 5] = [
        ("awa", &[Role::Caseworker, Role::Supervisor]),
        ("binta", &[Role::Supervisor, Role::CpOfficer]),
        ("djibril", &[Role::DutyOfficer, Role::Supervisor]),
        ("moussa", &[Role::CpOfficer, Role::DutyOfficer]),
        ("", &[]),
    ];

    fn who(at: usize) -> Caller {
        match PEOPLE[at] {
            ("", _) => Caller::system(),
            (name, roles) => named(name, roles),
        }
    }

    /// Two different people, in both roles, neither of whom is `but`, have approved a stage at a node.
    fn approved(world: &mut World, at: &str, stage: Stage, but: Option<&Actor>) -> bool {
        let mut roles = BTreeSet::new();
        let mut people = Vec::new();
        for entry in &world.at(at).journal.entries {
            if let Body::Approved { stage: of, role, .. } = &entry.body
                && *of == stage
            {
                roles.insert(*role);
                people.push(entry.actor.clone());
            }
        }
        let different = people.len() == 2 && people[0] != people[1];
        different
            && roles == [Role::Supervisor, Role::CpOfficer].into()
            && but.is_none_or(|but| !people.contains(but))
            && !people.contains(&Actor::System)
    }

    proptest! {
        #![proptest_config(Config { cases: 200, ..Config::default() })]

        #[test]
        fn nothing_of_a_child_moves_without_its_approvals(steps in vec((0_usize..6, 0_usize..5), 1..40)) {
            let mut world = World::new();
            consented(&mut world, 1, for_a_child);
            let child = draft(&mut world, 1, a_child);
            for (step, person) in steps {
                let _ = match step {
                    0 => world.at("SN").ask(offer(who(person), 1, child.clone(), false)),
                    1 => world.at("SN").ask(approve(who(person), 1)),
                    2 => world.at("SN").ask(send(who(person), 1)),
                    3 => world.at("ML").ask(approve(who(person), 1)),
                    4 => world.at("ML").ask(accept(who(person), 1)),
                    _ => world.at("SN").ask(release(who(person), 1, Section::Contact)),
                };
                world.settle("SN", "ML");
                let journal = &world.at("SN").journal;
                let proposer = journal.entries.iter().find(|entry| matches!(entry.body, Body::HandoverProposed(_)));
                let proposer = proposer.map(|entry| entry.actor.clone());
                let sent = issued(journal, Kind::HandoverOffer).next().is_some();
                let released = issued(journal, Kind::HandoverRelease).next().map(|entry| entry.actor.clone());
                prop_assert!(!sent || approved(&mut world, "SN", Stage::Offer, proposer.as_ref()));
                prop_assert!(released != Some(Actor::System));
                let answer = issued(&world.at("ML").journal, Kind::HandoverAnswer).next().map(|entry| entry.actor.clone());
                if let Some(by) = answer {
                    prop_assert!(approved(&mut world, "ML", Stage::Acceptance, Some(&by)));
                }
                let taken = world.at("ML").journal.entries.iter().any(|entry| {
                    matches!(&entry.body, Body::Received { verdict: Judgement::Rejected(_), .. })
                });
                prop_assert!(!taken, "what one node lets go the other takes");
            }
            rebuilds(&world);
        }
    }
}
