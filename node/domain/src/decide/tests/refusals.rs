//! Each refusal that a decision can give, reached once: those that an operator is told, and those with
//! which a peer's envelope takes its place in the lane without effect.

use std::time::Duration;

use super::world::*;
use crate::{
    alert::{Alert, AlertAck, AlertCancel, Reference},
    catalogue::{AckKind, CancelReason, Purpose, RejectReason, Role, Section, StopReason},
    consent::sample as consent_sample,
    decide::{Caller, Command, Opened, Reply, open},
    digest::Digest,
    entry::{Actor, Body, Verdict as Judgement},
    envelope::{Attachment, Envelope, FORMAT_VERSION, Kind, Lane, SignedEnvelope},
    fold::Subscription,
    handover::{HandoverAnswer, HandoverStep, Step, Verdict, sample as handover_sample},
    ids::{AlertId, ConsentId, EnvelopeId, HandoverId, IdEntropy, Position},
    parcel,
    refusal::Code,
    society::Society,
    time::Time,
};

const NOW: Time = consent_sample::NOW;
const ENTROPY: IdEntropy = [77; 10];

fn system() -> Caller {
    Caller::system()
}

fn nobody() -> Caller {
    Caller { actor: Actor::Operator("visitor".into()), roles: vec![Role::Interpreter] }
}

fn alert_id(seed: u8) -> AlertId {
    AlertId::new(NOW, [seed; 10])
}

fn handover_id(seed: u8) -> HandoverId {
    HandoverId::new(NOW, [seed; 10])
}

fn raise_as(caller: Caller, id: AlertId, alert: Alert) -> Command {
    Command::RaiseAlert { caller, id, alert: Box::new(alert) }
}

fn raise(seed: u8, alert: Alert) -> Command {
    raise_as(system(), alert_id(seed), alert)
}

fn update_of(origin: &str, seed: u8) -> Alert {
    alert(false, vec![Reference { origin: society(origin), id: alert_id(seed), sent_at: NOW }], NOW)
}

fn cancel(seed: u8) -> Command {
    let cancel = AlertCancel { alert: alert_id(seed), reason: CancelReason::Wrong, note: None };
    Command::CancelAlert { caller: system(), entropy: [seed + 100; 10], cancel }
}

fn acknowledge(seed: u8) -> Command {
    let ack = AlertAck::new(alert_id(seed), AckKind::Ack, None).expect("an answer");
    Command::AcknowledgeAlert { caller: system(), entropy: ENTROPY, ack }
}

fn offer(seed: u8, case_seed: u8, consent: Option<ConsentId>, to: &str) -> Command {
    let mut draft = handover_sample::draft();
    (draft.consent, draft.to, draft.to_team) = (consent, society(to), None);
    Command::OfferHandover {
        caller: system(),
        id: handover_id(seed),
        case: case(case_seed),
        entropy: [seed + 50; 10],
        draft: Box::new(draft),
        package: None,
        release_on_acceptance: false,
    }
}

fn record_id(seed: u8) -> ConsentId {
    ConsentId::new(NOW, [seed; 10])
}

fn record(world: &mut World, seed: u8) -> Command {
    let record = consent(world.at("SN"), seed, consent_sample::draft());
    Command::RecordConsent { caller: system(), case: case(seed), record: Box::new(record) }
}

fn accept(seed: u8) -> Command {
    let verdict = Verdict::Accept { team: "intake.kayes".parse().expect("a code"), services: Vec::new() };
    Command::AnswerHandover { caller: system(), entropy: ENTROPY, id: handover_id(seed), verdict }
}

fn release(seed: u8, sections: Vec<Section>) -> Command {
    let attachment = Some(Attachment { digest: Digest::of(SEALED), bytes: SEALED.len() as u64 });
    let (caller, id, package) = (system(), handover_id(seed), package(1));
    Command::ReleaseHandover { caller, entropy: ENTROPY, id, package, attachment, sections }
}

fn report(seed: u8, step: Step) -> Command {
    Command::ReportHandover { caller: system(), entropy: ENTROPY, id: handover_id(seed), step, note: None }
}

/// Senegal has raised alert 1 and cancelled alert 2, Mali has raised alert 3, all known to all. Senegal
/// holds the consent of case 1 and has offered handover 1 to Mali, which it has not answered, and 2, which
/// it has accepted.
fn world() -> World {
    let mut world = World::new();
    let command = record(&mut world, 1);
    let senegal = world.at("SN");
    for command in [raise(1, alert(false, vec![], NOW)), raise(2, alert(false, vec![], NOW)), cancel(2), command] {
        senegal.ask(command).expect("allowed");
    }
    senegal.ask(offer(1, 1, Some(record_id(1)), "ML")).expect("covered");
    senegal.ask(offer(2, 1, Some(record_id(1)), "ML")).expect("covered");
    world.at("ML").ask(raise(3, alert(false, vec![], NOW))).expect("allowed");
    world.settle("SN", "ML");
    world.at("ML").ask(accept(2)).expect("on offer");
    world.settle("SN", "ML");
    world
}

fn suspended(mut world: World, at: &str, peer: &str) -> World {
    world.at(at).policy.peers.entry(society(peer)).or_default().suspended = true;
    world
}

fn later(mut world: World, at: &str, days: u64) -> World {
    world.at(at).now = NOW.plus(Duration::from_secs(days * 86_400));
    world
}

fn distributed_to(code: &str) -> Alert {
    let mut draft = alert_draft();
    draft.distribution = vec![society(code)];
    Alert::from_draft(draft, NOW).expect("a good draft")
}

#[test]
fn each_refusal_of_a_command_about_alerts_is_reached() {
    let plain = || alert(false, vec![], NOW);
    let other = || alert(true, vec![], NOW);
    let cases: Vec<(&str, Code, World, &str, Command)> = vec![
        ("raise, no role", Code::RoleMissing, world(), "SN", raise_as(nobody(), alert_id(9), plain())),
        ("the id is taken", Code::DuplicateId, world(), "SN", raise(1, other())),
        ("the id is a peer's", Code::DuplicateId, world(), "SN", raise(3, plain())),
        ("expired already", Code::BadTimes, later(world(), "SN", 1), "SN", raise(9, plain())),
        ("update of a peer's", Code::NotOrigin, world(), "SN", raise(9, update_of("ML", 3))),
        ("update of a peer's as ours", Code::NotOrigin, world(), "SN", raise(9, update_of("SN", 3))),
        ("update of nothing", Code::BadReference, world(), "SN", raise(9, update_of("SN", 8))),
        ("update of the cancelled", Code::AlreadyEnded, world(), "SN", raise(9, update_of("SN", 2))),
        ("sent to no peer", Code::UnknownPeer, world(), "SN", raise(9, distributed_to("NE"))),
        ("cancel of nothing", Code::UnknownAlert, world(), "SN", cancel(8)),
        ("cancel of a peer's", Code::NotOrigin, world(), "SN", cancel(3)),
        ("answer to nothing", Code::UnknownAlert, world(), "SN", acknowledge(8)),
        ("answer to our own", Code::WrongState, world(), "SN", acknowledge(1)),
    ];
    assert_refused(cases);
}

#[test]
fn each_refusal_of_a_command_about_handovers_is_reached() {
    let consent_1 = Some(record_id(1));
    let stop = || Step::Cancelled(StopReason::MovedOn);
    let reject = |seed| {
        let verdict = Verdict::Reject { reason: RejectReason::NoCapacity, note: None };
        Command::AnswerHandover { caller: nobody(), entropy: ENTROPY, id: handover_id(seed), verdict }
    };
    let unoffered = || {
        let (team, services) = ("intake.kayes".parse().expect("a code"), vec![crate::catalogue::Service::Shelter]);
        let verdict = Verdict::Accept { team, services };
        Command::AnswerHandover { caller: system(), entropy: ENTROPY, id: handover_id(1), verdict }
    };
    let other_case = |world: &mut World| {
        let record = Box::new(consent(world.at("SN"), 1, consent_sample::draft()));
        Command::RecordConsent { caller: system(), case: case(2), record }
    };
    let changed_record = |world: &mut World| {
        let mut draft = consent_sample::draft();
        draft.purposes.pop();
        let record = Box::new(consent(world.at("SN"), 1, draft));
        Command::RecordConsent { caller: system(), case: case(1), record }
    };
    let read = |seed, caller| {
        let (sections, purpose) = (vec![Section::Contact], Purpose::ALL[0]);
        Command::ReadPackage { caller, id: handover_id(seed), sections, purpose }
    };
    let without_mali = || {
        let mut world = world();
        world.at("SN").ask(Command::RemovePeer { caller: system(), society: society("ML") }).expect("a peer");
        world
    };
    let passed_on = |mut command: Command| {
        if let Command::OfferHandover { draft, .. } = &mut command {
            draft.restrictions.no_onward = false;
        }
        command
    };
    let mut any = world();
    let cases: Vec<(&str, Code, World, &str, Command)> = vec![
        ("record of another case", Code::ConsentIntegrity, world(), "SN", other_case(&mut any)),
        ("record changed, same version", Code::DuplicateId, world(), "SN", changed_record(&mut any)),
        ("offer without a record", Code::UnknownConsent, world(), "SN", offer(9, 1, None, "ML")),
        ("offer on an unknown record", Code::UnknownConsent, world(), "SN", offer(9, 1, Some(record_id(7)), "ML")),
        ("offer on another's record", Code::ConsentIntegrity, world(), "SN", offer(9, 2, consent_1, "ML")),
        ("offer to one not named", Code::UnknownPeer, world(), "SN", offer(9, 1, consent_1, "NE")),
        ("offer to a removed peer", Code::UnknownPeer, without_mali(), "SN", offer(9, 1, consent_1, "ML")),
        (
            "offer to a suspended",
            Code::PeerSuspended,
            suspended(world(), "SN", "ML"),
            "SN",
            offer(9, 1, consent_1, "ML"),
        ),
        ("offer after consent", Code::ConsentExpired, later(world(), "SN", 4_000), "SN", offer(9, 1, consent_1, "ML")),
        ("another offer, same id", Code::DuplicateId, world(), "SN", passed_on(offer(1, 1, consent_1, "ML"))),
        ("answer to nothing", Code::UnknownHandover, world(), "ML", accept(8)),
        ("answer, no role", Code::RoleMissing, world(), "ML", reject(1)),
        ("answer by its sender", Code::NotRecipient, world(), "SN", accept(1)),
        ("answer too late", Code::Expired, later(world(), "ML", 30), "ML", accept(1)),
        ("answer to a suspended", Code::PeerSuspended, suspended(world(), "ML", "SN"), "ML", accept(1)),
        ("what nobody asked for", Code::Malformed, world(), "ML", unoffered()),
        ("release before its acceptance", Code::WrongState, world(), "SN", release(1, vec![Section::Contact])),
        ("release by the recipient", Code::NotOrigin, world(), "ML", release(2, vec![Section::Contact])),
        ("release beyond consent", Code::ConsentMissing, world(), "SN", release(2, vec![Section::HealthMin])),
        ("release of nothing", Code::MissingField, world(), "SN", release(2, vec![])),
        ("arrival of what never came", Code::WrongState, world(), "ML", report(1, Step::InService)),
        ("cancel by the recipient", Code::NotOrigin, world(), "ML", report(1, stop())),
        ("read before it came", Code::PackageAbsent, world(), "ML", read(2, system())),
        ("read, no role", Code::RoleMissing, world(), "ML", read(2, nobody())),
    ];
    assert_refused(cases);
}

#[test]
fn each_refusal_of_a_command_about_peers_is_reached() {
    let take = |code: &str, version| {
        let bundle = Box::new(bundle(society(code), version));
        Command::TakeBundle { caller: system(), payload: bundle.payload(), bundle }
    };
    let older = {
        let mut world = world();
        world.at("SN").meet(society("ML"), 3).expect("a newer bundle");
        world
    };
    let alone = || {
        let mut world = world();
        for code in ["ML", "GM"] {
            world.at("SN").ask(Command::RemovePeer { caller: system(), society: society(code) }).expect("a peer");
        }
        world
    };
    let gone = |code: &str| Command::RemovePeer { caller: system(), society: society(code) };
    let replay = |code: &str, many| {
        let entries = vec![crate::ids::EntryIndex(1); many];
        Command::Replay { caller: system(), peer: society(code), entries }
    };
    let subscribe = |many| {
        let segment = "land.sn-mr.rosso".parse().expect("a segment");
        Command::Subscribe { caller: system(), entropy: ENTROPY, segments: Some(vec![segment; many]) }
    };
    let epoch = crate::ids::Epoch::new(NOW, ENTROPY);
    let of_others = |world: &mut World| {
        let signed = world.at("ML").receipt(society("GM"), Lane::Routine);
        let receipt = signed.read().expect("a receipt");
        Command::TakeReceipt { peer: society("ML"), receipt, signed }
    };
    let of_more = |world: &mut World| {
        let mut receipt = world.at("ML").receipt(society("SN"), Lane::Routine).read().expect("a receipt");
        receipt.position = receipt.position.next();
        let signed = receipt.sign(&Toy(society("ML")));
        Command::TakeReceipt { peer: society("ML"), receipt, signed }
    };
    let ends = {
        let mut world = world();
        world.at("SN").ask(raise(9, alert(true, vec![], NOW))).expect("allowed");
        world
    };
    let expired = Command::EndExpired { peer: society("ML"), lane: Lane::Urgent, position: Position(2) };
    let mut any = world();
    let cases: Vec<(&str, Code, World, &str, Command)> = vec![
        ("our own bundle", Code::SameSociety, world(), "SN", take("SN", 1)),
        ("an older bundle", Code::StaleBundle, older, "SN", take("ML", 2)),
        ("removed twice", Code::UnknownPeer, alone(), "SN", gone("ML")),
        ("replay to nobody", Code::UnknownPeer, world(), "SN", replay("NE", 1)),
        ("replay of too much", Code::TooMany, world(), "SN", replay("ML", crate::decide::REPLAY_MAX + 1)),
        ("subscription without peers", Code::UnknownPeer, alone(), "SN", subscribe(1)),
        ("subscription of too much", Code::TooMany, world(), "SN", subscribe(crate::limits::LIST_MAX + 1)),
        ("epoch of nobody", Code::UnknownPeer, world(), "SN", Command::MeetEpoch { peer: society("NE"), epoch }),
        ("receipt of others", Code::WrongSociety, world(), "SN", of_others(&mut any)),
        ("receipt of more", Code::BadPosition, world(), "SN", of_more(&mut any)),
        ("an end before its time", Code::WrongState, ends, "SN", expired),
    ];
    assert_refused(cases);
}

#[test]
fn each_refusal_of_a_consent_is_reached_by_asking_for_an_offer() {
    use crate::{
        catalogue::{AgeBand, Capacity, GivenBy},
        consent::{ConsentDraft, Decision, Exclusion},
    };
    type Change = fn(&mut ConsentDraft);
    let minor: Change = |draft| {
        (draft.capacity, draft.age_band) = (Capacity::Minor, AgeBand::From12To14);
        draft.given_by = GivenBy::Person;
    };
    let table: [(&str, Code, Change); 9] = [
        ("refused", Code::ConsentState, |draft| draft.decision = Decision::Refused),
        ("put off", Code::ConsentState, |draft| draft.decision = Decision::Deferred),
        ("in shock", Code::ConsentDeferred, |draft| draft.capacity = Capacity::ShockOrSedated),
        ("a child who decided alone", Code::ConsentCapacity, minor),
        ("not understood", Code::ConsentNotice, |draft| draft.notice.understood = false),
        ("another purpose", Code::ConsentPurpose, |draft| {
            draft.purposes.retain(|grant| grant.purpose != Purpose::Transport);
        }),
        ("another Society", Code::ConsentRecipient, |draft| draft.recipients = vec![society("GM").into()]),
        ("excluded", Code::ConsentExcluded, |draft| {
            let recipient = Some(society("ML").into());
            draft.exclusions = vec![Exclusion { recipient, ..Exclusion::default() }];
        }),
        ("too little", Code::ConsentMissing, |draft| {
            draft.purposes.iter_mut().for_each(|grant| {
                grant.categories.truncate(1);
                grant.optional.clear();
            });
        }),
    ];
    for (what, code, change) in table {
        let mut world = World::new();
        let mut draft = consent_sample::draft();
        change(&mut draft);
        let record = Box::new(consent(world.at("SN"), 1, draft.clone()));
        let age_band = record.age_band;
        world.at("SN").ask(Command::RecordConsent { caller: system(), case: case(1), record }).expect("a record");
        let mut offer = offer(1, 1, Some(record_id(1)), "ML");
        if let (Command::OfferHandover { draft, caller, .. }, true) = (&mut offer, age_band.is_minor()) {
            draft.age_band = age_band;
            draft.minor_status = crate::catalogue::MinorStatus::Accompanied;
            *caller = Caller { actor: Actor::Operator("awa".into()), roles: vec![Role::Caseworker] };
        }
        let refusal = world.at("SN").ask(offer).expect_err(what);
        assert_eq!(refusal.code, code, "{what}: {refusal}");
        let recorded = world.at("SN").journal.entries.last().map(|entry| entry.body.clone());
        assert!(
            matches!(recorded, Some(Body::Refused { code: told, .. }) if told == code.as_str()),
            "{what}: it is in the journal"
        );
    }
}

fn assert_refused(cases: Vec<(&str, Code, World, &str, Command)>) {
    for (what, code, mut world, at, command) in cases {
        let outcome = world.at(at).ask(command);
        assert_eq!(outcome.as_ref().err().map(|refusal| refusal.code), Some(code), "{what}: {outcome:?}");
    }
}

/// An envelope that Mali might sign.
fn from_mali(kind: Kind, body: Vec<u8>) -> Envelope {
    Envelope {
        version: FORMAT_VERSION,
        id: EnvelopeId::new(NOW, [78; 10]),
        origin: society("ML"),
        recipients: vec![society("SN")],
        kind,
        lane: Lane::Routine,
        created_at: NOW,
        expires_at: None,
        body: body.into(),
        attachment: None,
    }
}

fn changed(mut envelope: Envelope, change: impl FnOnce(&mut Envelope)) -> Envelope {
    change(&mut envelope);
    envelope
}

fn opened(signed: &SignedEnvelope, attachment: &[u8]) -> Opened {
    let stream = parcel::write(signed, attachment);
    let (_, at) = parcel::take_varint(&stream).expect("a length").expect("a whole one");
    let keys = |society: Society| vec![crate::signing::Signer::public_key(&Toy(society))];
    open(&stream[at..], &keys, &Toy(society("SN"))).expect("a parcel").0
}

#[test]
fn each_rejection_of_a_peers_envelope_is_reached_and_takes_its_place() {
    let alert_body = || alert(false, vec![], NOW).to_cbor();
    let plain = || from_mali(Kind::Alert, alert_body());
    let cancel_of = |seed| AlertCancel { alert: alert_id(seed), reason: CancelReason::Wrong, note: None }.to_cbor();
    let ack_of = |seed| AlertAck::new(alert_id(seed), AckKind::Ack, None).expect("an answer").to_cbor();
    let step = |seed, step| HandoverStep { id: handover_id(seed), at: NOW, step, note: None }.to_cbor();
    let answer = |seed| {
        let verdict = Verdict::Reject { reason: RejectReason::NoCapacity, note: None };
        HandoverAnswer { id: handover_id(seed), verdict }.to_cbor()
    };
    let too_many = crate::envelope::to_cbor(&Subscription {
        segments: Some(vec!["land.sn-mr.rosso".parse().expect("a segment"); crate::limits::LIST_MAX + 1]),
    });
    let of_gambia = || changed(plain(), |envelope| envelope.origin = society("GM"));
    let sealed = Attachment { digest: Digest::of(SEALED), bytes: SEALED.len() as u64 };
    let sign = |envelope: Envelope| envelope.sign(&Toy(envelope.origin));
    let senegals_offer = || from_mali(Kind::HandoverOffer, handover_sample::offer().to_cbor());
    let cases: Vec<(Code, SignedEnvelope)> = vec![
        (Code::WrongSociety, sign(of_gambia())),
        (Code::WrongRecipient, sign(changed(plain(), |envelope| envelope.recipients = vec![society("GM")]))),
        (Code::BadFrame, sign(changed(plain(), |envelope| envelope.lane = Lane::Bulk))),
        (
            Code::NotIssuedYet,
            sign(changed(plain(), |envelope| envelope.created_at = NOW.plus(Duration::from_secs(86_400)))),
        ),
        (Code::BadSignature, plain().sign(&Toy(society("GM")))),
        (Code::BadDigest, sign(changed(plain(), |envelope| envelope.attachment = Some(sealed)))),
        (Code::UnsupportedVersion, sign(changed(plain(), |envelope| envelope.version = 9))),
        (Code::Malformed, sign(from_mali(Kind::Alert, vec![0xff]))),
        (Code::TooMany, sign(from_mali(Kind::Subscription, too_many))),
        (Code::DuplicateId, sign(changed(plain(), |envelope| envelope.id = alert_id(1).into()))),
        (Code::NotOrigin, sign(from_mali(Kind::Alert, update_of("SN", 1).to_cbor()))),
        (Code::NotOrigin, sign(from_mali(Kind::AlertCancel, cancel_of(1)))),
        (Code::BadReference, sign(from_mali(Kind::AlertAck, ack_of(3)))),
        (Code::WrongSociety, sign(senegals_offer())),
        (Code::UnknownHandover, sign(from_mali(Kind::HandoverAnswer, answer(8)))),
        (Code::WrongState, sign(from_mali(Kind::HandoverAnswer, answer(2)))),
        (Code::UnknownHandover, sign(from_mali(Kind::HandoverStep, step(8, Step::Withdrawn)))),
        (Code::WrongState, sign(from_mali(Kind::HandoverStep, step(1, Step::InService)))),
        (Code::NotOrigin, sign(from_mali(Kind::HandoverStep, step(1, Step::Cancelled(StopReason::MovedOn))))),
    ];
    let mut world = world();
    let senegal = world.at("SN");
    for (code, signed) in cases {
        let (opened, before) = (opened(&signed, &[]), senegal.journal.rows.clone());
        let position = before.lanes_in[&(society("ML"), Lane::Routine)].received.next();
        let reply = senegal.deliver(society("ML"), Lane::Routine, position, opened).expect("it takes its place");
        assert!(matches!(reply, Reply::Received { accepted: false, position: at, .. } if at == position), "{code}");
        let Some(Body::Received { verdict, .. }) = senegal.journal.entries.last().map(|entry| &entry.body) else {
            panic!("{code}: the journal records it");
        };
        assert_eq!(verdict, &Judgement::Rejected(code.as_str().to_owned()));
        let mut after = senegal.journal.rows.clone();
        after.lanes_in.clone_from(&before.lanes_in);
        assert!(after == before, "{code}: nothing but the lane moves");
    }
    let gap = senegal.deliver(society("ML"), Lane::Routine, Position(999), opened(&sign(plain()), &[]));
    assert_eq!(gap.map_err(|refusal| refusal.code), Err(Code::BadPosition));
}

#[test]
fn a_suspended_peers_offer_and_an_expired_one_are_rejected_at_their_place() {
    let reached = |mut world: World| {
        world.at("SN").ask(offer(9, 1, Some(record_id(1)), "ML")).expect("covered");
        let index = |code| world.nodes.iter().position(|node| node.own == society(code)).expect("a node");
        let (from, to) = (index("SN"), index("ML"));
        world.exchange(from, to);
        let state = world.at("SN").journal.rows.handovers[&handover_id(9)].history.last().cloned();
        state.and_then(|event| event.reason)
    };
    assert_eq!(reached(suspended(world(), "ML", "SN")).as_deref(), Some("peer_suspended"));
    assert_eq!(reached(later(world(), "ML", 30)).as_deref(), Some("expired"));
    assert_eq!(reached(world()), None);
}

#[test]
fn a_list_of_rejections_always_fits_a_receipt() {
    let mut world = world();
    let senegal = world.at("SN");
    for seed in 0..=crate::limits::RECEIPT_REJECTIONS_MAX {
        let body = AlertCancel { alert: alert_id(1), reason: CancelReason::Wrong, note: None }.to_cbor();
        let id = EnvelopeId::new(NOW, [100 + seed as u8; 10]);
        let signed = changed(from_mali(Kind::AlertCancel, body), |envelope| envelope.id = id).sign(&Toy(society("ML")));
        let lane = (society("ML"), Lane::Routine);
        let position = senegal.journal.rows.lanes_in[&lane].received.next();
        let reply = senegal.deliver(lane.0, lane.1, position, opened(&signed, &[])).expect("it takes its place");
        let Reply::Received { rejected, .. } = reply else { panic!("an envelope was judged") };
        assert_eq!(rejected, senegal.journal.rows.lanes_in[&lane].rejected, "the answer is what is kept");
        assert!(rejected.len() <= crate::limits::RECEIPT_REJECTIONS_MAX);
    }
}

#[test]
fn another_society_cannot_undo_a_cancel_that_came_before_its_alert() {
    for order in [["ML", "GM"], ["GM", "ML"]] {
        let mut world = world();
        let senegal = world.at("SN");
        let next = |senegal: &Node, code: &str, lane| {
            senegal.journal.rows.lanes_in.get(&(society(code), lane)).map_or(Position(1), |row| row.received.next())
        };
        for code in order {
            let body = AlertCancel { alert: alert_id(9), reason: CancelReason::Wrong, note: None }.to_cbor();
            let cancel = changed(from_mali(Kind::AlertCancel, body), |envelope| envelope.origin = society(code));
            let (signed, at) = (cancel.sign(&Toy(society(code))), next(senegal, code, Lane::Routine));
            senegal.deliver(society(code), Lane::Routine, at, opened(&signed, &[])).expect("taken");
        }
        let late = from_mali(Kind::Alert, alert(false, vec![], NOW).to_cbor());
        let signed = changed(late, |envelope| envelope.id = alert_id(9).into()).sign(&Toy(society("ML")));
        let at = next(senegal, "ML", Lane::Routine);
        senegal.deliver(society("ML"), Lane::Routine, at, opened(&signed, &[])).expect("taken");
        let state = senegal.journal.rows.alerts[&alert_id(9)].state;
        assert_eq!(state, crate::alert::life::State::Cancelled, "{order:?}");
    }
}

#[test]
fn an_alert_that_a_peer_gave_back_is_cancelled_wherever_it_was_sent() {
    let mut world = world();
    let senegal = world.at("SN");
    let envelope = changed(from_mali(Kind::Alert, alert(false, vec![], NOW).to_cbor()), |envelope| {
        (envelope.id, envelope.origin) = (alert_id(9).into(), society("SN"));
        envelope.recipients = vec![society("GM"), society("ML")];
    });
    let at = senegal.journal.rows.lanes_in[&(society("ML"), Lane::Routine)].received.next();
    let ours = opened(&envelope.sign(&Toy(society("SN"))), &[]);
    senegal.deliver(society("ML"), Lane::Routine, at, ours).expect("taken");
    senegal.ask(cancel(9)).expect("it is ours");
    let cancel = issued(&senegal.journal, Kind::AlertCancel).last().map(|entry| entry.body.clone());
    let Some(Body::Issued(meta)) = cancel else { panic!("a cancel is issued") };
    assert_eq!(meta.recipients, vec![society("GM"), society("ML")]);
}

#[test]
fn an_envelope_given_back_to_its_origin_may_expire_on_the_way() {
    let mut world = world();
    let senegal = world.at("SN");
    let entry = senegal.journal.rows.alerts[&alert_id(3)].entry;
    let peer = society("ML");
    let replay = Command::Replay { caller: system(), peer, entries: vec![entry] };
    let reply = senegal.ask(replay).expect("a peer whose store was restored");
    assert!(matches!(reply, Reply::Replayed { envelopes: 1, .. }), "{reply:?}");
    let position = senegal.journal.rows.lanes_out[&(peer, Lane::Routine)].queued;
    senegal.now = NOW.plus(Duration::from_secs(86_400));
    let end = Command::EndExpired { peer, lane: Lane::Routine, position };
    senegal.ask(end).expect("it has expired, whoever signed it");
    let item = senegal.journal.rows.items[&(peer, Lane::Routine, position)];
    assert_eq!(item.ended, Some(crate::rows::Ended::Expired));
}
