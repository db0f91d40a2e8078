//! The canonical bytes of what travels, frozen. A difference here is a break with every peer and
//! every journal: old bytes must go on being read. Fixtures stand in node/domain/fixtures, in hexadecimal.

use proptest::prelude::*;

use super::{
    gates::{Gate, check_gate},
    messages::{HandoverAnswer, HandoverRelease, HandoverStep, Outcome, Step, Verdict},
    offer::{Group, Offer},
    package::Package,
    sample,
};
use crate::{
    catalogue::{CloseReason, RejectReason, Section, Service, StopReason},
    consent::{ConsentRecord, sample as consent_sample},
    digest::Digest,
    ids::HandoverId,
    limits::{PACKAGE_BYTES_MAX, SEAL_BYTES_MAX},
    refusal::Code,
    time::Time,
};

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal");
    digits.chunks(2).map(pair).collect()
}

fn assert_frozen(name: &str, bytes: &[u8], fixture: &str) {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(bytes == unhex(fixture), "the bytes of {name} are no longer those of its fixture but\n{hex}");
}

fn id() -> HandoverId {
    HandoverId::new(consent_sample::NOW, [3; 10])
}

fn accept() -> HandoverAnswer {
    let team = "intake.kayes".parse().expect("a code");
    HandoverAnswer { id: id(), verdict: Verdict::Accept { team, services: vec![Service::TransportFamily] } }
}

fn reject() -> HandoverAnswer {
    let note = Some("The bus runs on Thursdays alone.".parse().expect("a note"));
    HandoverAnswer { id: id(), verdict: Verdict::Reject { reason: RejectReason::NoCapacity, note } }
}

fn release() -> HandoverRelease {
    let (record, offer) = (consent_sample::record(), sample::offer());
    let case = sample::case(&offer, &record);
    let plan = check_gate(&Gate::Release, &case, &[Service::TransportFamily]).expect("covered");
    let commitment = Digest::commitment(&[4; 32], b"a package");
    HandoverRelease::new(id(), commitment, b"sealed", plan.sections.into_iter().collect(), plan.obligations)
}

fn completed() -> HandoverStep {
    let step = Step::Completed(Outcome {
        reason: CloseReason::Completed,
        delivered: vec![Service::TransportFamily],
        unmet: vec![Service::Food],
        satisfied: Some(true),
    });
    HandoverStep { id: id(), at: consent_sample::NOW, step, note: None }
}

#[test]
fn canonical_bytes_are_frozen_and_still_read() {
    let record = consent_sample::record();
    let fixture = include_str!("../../fixtures/consent_record.hex");
    assert_frozen("a consent record", record.to_cbor(), fixture);
    assert_eq!(ConsentRecord::from_cbor(&unhex(fixture)), Ok(record));

    let fixture = include_str!("../../fixtures/handover_offer.hex");
    let mut draft = sample::draft();
    draft.group = Some(Group { reference: "g.dakar.12".parse().expect("a code"), size: 3 });
    let offer = Offer::from_draft(draft, sample::context()).expect("a valid draft");
    assert_frozen("an offer", &offer.to_cbor(), fixture);
    assert_eq!(Offer::from_cbor(&unhex(fixture)), Ok(offer));

    let fixture = include_str!("../../fixtures/handover_answer_accept.hex");
    assert_frozen("a yes", &accept().to_cbor(), fixture);
    assert_eq!(HandoverAnswer::from_cbor(&unhex(fixture)), Ok(accept()));

    let fixture = include_str!("../../fixtures/handover_answer_reject.hex");
    assert_frozen("a no", &reject().to_cbor(), fixture);
    assert_eq!(HandoverAnswer::from_cbor(&unhex(fixture)), Ok(reject()));

    let fixture = include_str!("../../fixtures/handover_release.hex");
    assert_frozen("a release", &release().to_cbor(), fixture);
    assert_eq!(HandoverRelease::from_cbor(&unhex(fixture)), Ok(release()));

    let fixture = include_str!("../../fixtures/handover_step.hex");
    assert_frozen("a step", &completed().to_cbor(), fixture);
    assert_eq!(HandoverStep::from_cbor(&unhex(fixture)), Ok(completed()));

    let fixture = include_str!("../../fixtures/package.hex");
    let package = sample::package();
    assert_frozen("a package", &package.to_cbor().expect("a package"), fixture);
    assert_eq!(Package::from_cbor(&unhex(fixture)), Ok(package));
}

#[test]
fn every_step_comes_back_as_it_was_told() {
    let steps = [
        Step::InService,
        Step::NotArrived,
        Step::Returned(StopReason::MovedOn),
        Step::Cancelled(StopReason::WrongRecipient),
        Step::Revoked(StopReason::UnsafeForPerson),
        Step::Withdrawn,
        Step::Erased,
    ];
    for step in steps {
        // What ends the use of data is told in a code alone: no text is to stay of it.
        let bare = matches!(step, Step::Withdrawn | Step::Erased);
        let note = (!bare).then(|| "Came by the evening bus.".parse().expect("a note"));
        let told = HandoverStep { id: id(), at: Time::from_millis(1), step, note };
        assert_eq!(HandoverStep::from_cbor(&told.to_cbor()), Ok(told));
    }
}

#[test]
fn what_a_message_gets_wrong_is_refused_on_decode() {
    let answer = |services| {
        let team = "intake.kayes".parse().expect("a code");
        HandoverAnswer { id: id(), verdict: Verdict::Accept { team, services } }.to_cbor()
    };
    let code = |bytes: Vec<u8>| HandoverAnswer::from_cbor(&bytes).map_err(|refusal| refusal.code).err();
    assert_eq!(code(answer(vec![])), Some(Code::MissingField));
    assert_eq!(code(answer(vec![Service::Food, Service::Food])), Some(Code::Malformed));
    assert_eq!(code(answer(Service::ALL.iter().copied().take(16).collect())), None);
    assert_eq!(code(answer(Service::ALL.iter().copied().take(17).collect())), Some(Code::TooMany));

    let release = |sealed_bytes, sections| HandoverRelease { sealed_bytes, sections, ..release() }.to_cbor();
    let code = |bytes: Vec<u8>| HandoverRelease::from_cbor(&bytes).map_err(|refusal| refusal.code).err();
    let bound = (PACKAGE_BYTES_MAX + SEAL_BYTES_MAX) as u64;
    assert_eq!(code(release(bound, vec![Section::Contact])), None);
    assert_eq!(code(release(bound + 1, vec![Section::Contact])), Some(Code::TooLarge));
    assert_eq!(code(release(0, vec![Section::Contact])), Some(Code::TooLarge));
    assert_eq!(code(release(1, vec![])), Some(Code::MissingField));

    let mut contradictory = completed();
    if let Step::Completed(outcome) = &mut contradictory.step {
        outcome.unmet = outcome.delivered.clone();
    }
    let outcome = HandoverStep::from_cbor(&contradictory.to_cbor()).map_err(|refusal| refusal.code);
    assert_eq!(outcome, Err(Code::Malformed));
}

proptest! {
    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Offer::from_cbor(&bytes);
        let _ = HandoverAnswer::from_cbor(&bytes);
        let _ = HandoverRelease::from_cbor(&bytes);
        let _ = HandoverStep::from_cbor(&bytes);
        let _ = Package::from_cbor(&bytes);
    }

    #[test]
    fn damaged_messages_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let damage = |mut bytes: Vec<u8>| {
            let index = at.index(bytes.len());
            bytes[index] = byte;
            bytes.truncate(cut.index(bytes.len() * 4).max(1));
            bytes
        };
        let _ = Offer::from_cbor(&damage(sample::offer().to_cbor()));
        let _ = HandoverAnswer::from_cbor(&damage(reject().to_cbor()));
        let _ = HandoverRelease::from_cbor(&damage(release().to_cbor()));
        let _ = HandoverStep::from_cbor(&damage(completed().to_cbor()));
        let _ = Package::from_cbor(&damage(sample::package().to_cbor().expect("a package")));
    }
}
