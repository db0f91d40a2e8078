//! What a program may do and what a person alone does, and what a nearly full disk keeps room for.

use super::{
    safeguards::{
        a_child, accept, ambulance, approve, approve_override, caseworker, code, consented, cp_officer, draft,
        duty_officer, entropy, for_a_child, id, named, offer, offered_family, put_off, rebuilds, release, request,
        send, split, supervisor,
    },
    world::*,
};
use crate::{
    aggregate::{Aggregate, Dimension, ReportId, ReportStep},
    alert::Alert,
    catalogue::{RejectReason, Role, Section, Severity},
    consent::sample::NOW,
    decide::{Caller, Command, SafeguardCommand},
    entry::{Actor, DraftSource},
    handover::Verdict,
    ids::AlertId,
    refusal::Code,
};

/// A program with every role.
fn program() -> Caller {
    Caller { actor: Actor::Program("import".into()), roles: Role::ALL.to_vec() }
}

fn reject(caller: Caller, seed: u8) -> Command {
    let verdict = Verdict::Reject { reason: RejectReason::NoCapacity, note: None };
    Command::AnswerHandover { caller, entropy: entropy(seed + 130), id: id(seed), verdict }
}

#[test]
fn no_step_in_the_case_of_a_child_is_a_programs() {
    let mut world = World::new();
    consented(&mut world, 1, for_a_child);
    let child = draft(&mut world, 1, a_child);
    let senegal = world.at("SN");
    assert_eq!(code(senegal.ask(offer(program(), 1, child.clone(), false))), Some(Code::NeedsPerson));
    senegal.ask(offer(caseworker(), 1, child, false)).expect("written down");
    assert_eq!(code(senegal.ask(approve(program(), 1))), Some(Code::NeedsPerson), "whatever its roles");
    senegal.ask(approve(supervisor(), 1)).expect("a supervisor");
    senegal.ask(approve(cp_officer(), 1)).expect("a child-protection officer");
    assert_eq!(code(senegal.ask(send(program(), 1))), Some(Code::NeedsPerson));
    senegal.ask(send(caseworker(), 1)).expect("approved");
    world.settle("SN", "ML");
    let mali = world.at("ML");
    mali.ask(approve(supervisor(), 1)).expect("a supervisor");
    mali.ask(approve(cp_officer(), 1)).expect("a child-protection officer");
    assert_eq!(code(mali.ask(accept(program(), 1))), Some(Code::NeedsPerson));
    assert_eq!(code(mali.ask(reject(program(), 1))), Some(Code::NeedsPerson), "turning a child away neither");
    mali.ask(accept(duty_officer(), 1)).expect("approved");
    world.settle("SN", "ML");
    let senegal = world.at("SN");
    assert_eq!(code(senegal.ask(release(program(), 1, Section::Contact))), Some(Code::NeedsPerson));
    senegal.ask(release(caseworker(), 1, Section::Contact)).expect("by a person");
    rebuilds(&world);
}

#[test]
fn a_program_hands_an_adult_over_and_the_journal_says_that_it_was_one() {
    let mut world = World::new();
    consented(&mut world, 1, |_| ());
    let adult = draft(&mut world, 1, |_| ());
    world.at("SN").ask(offer(program(), 1, adult, false)).expect("an adult alone");
    world.settle("SN", "ML");
    world.at("ML").ask(accept(program(), 1)).expect("on offer");
    world.settle("SN", "ML");
    world.at("SN").ask(release(program(), 1, Section::Contact)).expect("covered");
    let by = &world.at("SN").journal.entries.last().expect("an entry").actor;
    assert_eq!(*by, Actor::Program("import".into()));
    rebuilds(&world);
}

#[test]
fn a_program_approves_nothing_overrides_nothing_and_splits_nobody() {
    let mut world = offered_family();
    assert_eq!(code(world.at("SN").ask(split(program()))), Some(Code::NeedsPerson));

    let mut world = World::new();
    consented(&mut world, 1, put_off);
    let hurt = draft(&mut world, 1, ambulance);
    let senegal = world.at("SN");
    assert_eq!(code(senegal.ask(request(program(), 1, Some(hurt.clone())))), Some(Code::NeedsPerson));
    senegal.ask(request(named("awa", &[Role::Medical]), 1, Some(hurt))).expect("asked for");
    assert_eq!(code(senegal.ask(approve_override(program(), 1))), Some(Code::NeedsPerson));

    let grave = grave();
    let (id, alert, source) = (AlertId::new(NOW, [1; 10]), Box::new(grave), DraftSource::Operator);
    senegal.ask(Command::DraftAlert { caller: program(), id, alert, source }).expect("a program may draft");
    let approve = |caller| Command::ApproveDraft { caller, id, digest: None };
    assert_eq!(code(senegal.ask(approve(program()))), Some(Code::NeedsPerson));
    assert_eq!(code(senegal.ask(approve(Caller::system()))), Some(Code::NeedsPerson));

    let id = ReportId::new(NOW, [2; 10]);
    let report = |caller, step| Command::Report { caller, id, step };
    senegal.ask(report(named("awa", Role::ALL), ReportStep::Proposed(aggregate()))).expect("proposed");
    assert_eq!(code(senegal.ask(report(program(), ReportStep::Approved))), Some(Code::NeedsPerson));
}

fn grave() -> Alert {
    let mut draft = alert_draft();
    draft.severity = Some(Severity::Extreme);
    Alert::from_draft(draft, NOW).expect("a good draft")
}

fn aggregate() -> Aggregate {
    let (from, until) = ("2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00");
    let (from, until) = (from.parse().expect("a time"), until.parse().expect("a time"));
    Aggregate { by: Dimension::Service, from, until, cells: Vec::new(), shown_total: 0 }
}

#[test]
fn on_a_nearly_full_disk_what_is_new_waits_and_what_is_vital_goes_on() {
    let full = |world: &mut World, full| world.nodes.iter_mut().for_each(|node| node.policy.disk_reserved = full);
    let mut world = World::new();
    consented(&mut world, 1, put_off);
    consented(&mut world, 2, |_| ());
    let (hurt, adult) = (draft(&mut world, 1, ambulance), draft(&mut world, 2, |_| ()));
    let draft_of = |seed, alert| {
        let (id, alert, source) = (AlertId::new(NOW, [seed; 10]), Box::new(alert), DraftSource::Operator);
        Command::DraftAlert { caller: named("awa", &[Role::AlertAuthor]), id, alert, source }
    };
    let publish = |seed| {
        let id = AlertId::new(NOW, [seed; 10]);
        Command::PublishDraft { caller: named("awa", &[Role::AlertAuthor]), id }
    };
    let plain = || alert(false, Vec::new(), NOW);
    world.at("SN").ask(draft_of(1, plain())).expect("drafted while there was room");
    full(&mut world, true);
    let senegal = world.at("SN");
    let reference = "g.rosso.7".parse().expect("a code");
    let group = SafeguardCommand::OfferGroup { caller: caseworker(), entropy: entropy(60), reference, members: vec![] };
    let report = Command::Report {
        caller: named("awa", &[Role::Dpo]),
        id: ReportId::new(NOW, [2; 10]),
        step: ReportStep::Proposed(aggregate()),
    };
    for waits in [draft_of(2, plain()), publish(1), offer(caseworker(), 2, adult.clone(), false), group.into(), report]
    {
        let name = waits.name();
        assert_eq!(code(senegal.ask(waits)), Some(Code::DiskFull), "{name}");
    }
    senegal.ask(draft_of(3, alert(true, Vec::new(), NOW))).expect("an urgent alert has the reserve");
    assert_eq!(code(senegal.ask(publish(9))), Some(Code::UnknownDraft), "and what is not here is said to be so");
    senegal.ask(request(named("awa", &[Role::Medical]), 1, Some(hurt))).expect("a life has it");
    assert_eq!(code(senegal.ask(send(caseworker(), 1))), Some(Code::DiskFull), "not before it is approved");
    senegal.ask(approve_override(supervisor(), 1)).expect("an approval has it");
    senegal.ask(approve_override(named("dpo", &[Role::Dpo]), 1)).expect("the second");
    senegal.ask(send(caseworker(), 1)).expect("and then the offer");
    world.settle("SN", "ML");
    world.at("ML").ask(accept(duty_officer(), 1)).expect("an answer");
    world.settle("SN", "ML");
    world.at("SN").ask(release(caseworker(), 1, Section::HealthMin)).expect("and the release");
    rebuilds(&world);
}
