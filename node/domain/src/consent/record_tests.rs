//! What makes a consent record valid, fault by fault, and what it can never hold.

use proptest::prelude::*;

use super::{
    draft::ConsentDraft,
    recipient::{Organisation, Recipient},
    record::{ConsentRecord, Exclusion},
    sample,
};
use crate::{
    catalogue::{
        AgeBand, Capacity, CollectionMethod, DataCategory, OrganisationKind, Purpose, Role, Service, WitnessKind,
    },
    limits::{CONSENT_BYTES_MAX, CONSENT_LIST_MAX},
    refusal::Code,
};

type Faults = Vec<(Code, String)>;

fn faults(change: impl FnOnce(&mut ConsentDraft)) -> Faults {
    let mut draft = sample::draft();
    change(&mut draft);
    let faults = ConsentRecord::from_draft(draft, sample::context()).err().unwrap_or_default();
    faults.into_iter().map(|fault| (fault.code, fault.field.unwrap_or_default())).collect()
}

#[test]
fn both_demo_consents_become_records_that_survive_the_wire() {
    let mali_only: ConsentDraft =
        toml::from_str(include_str!("../../../../config/demo/consent-mali-only.toml")).expect("a draft");
    for draft in [sample::draft(), mali_only] {
        let record = sample::record_of(draft);
        let back = ConsentRecord::from_cbor(record.to_cbor()).expect("valid");
        assert_eq!(back, record);
        assert_eq!(back.reference(), record.reference());
        let nested = minicbor::to_vec(&record).expect("bytes");
        assert_eq!(minicbor::decode::<ConsentRecord>(&nested).ok(), Some(record));
    }
}

#[test]
fn each_fault_is_found_at_its_field() {
    let table: [(Faults, Code, &str); 20] = [
        (faults(|draft| draft.version = 0), Code::Malformed, "version"),
        (faults(|draft| draft.understands.clear()), Code::MissingField, "understands"),
        (faults(|draft| draft.purposes.clear()), Code::MissingField, "purposes"),
        (faults(|draft| draft.recipients.clear()), Code::MissingField, "recipients"),
        (faults(|draft| draft.rights.retain(|right| right.as_str() != "withdrawal")), Code::MissingField, "rights"),
        (faults(|draft| draft.recipients.push(sample::society("ML").into())), Code::Malformed, "recipients[2]"),
        (
            faults(|draft| {
                let code = "border".parse().expect("a code");
                let kind = OrganisationKind::Authority;
                draft.recipients.push(Recipient::Organisation(Organisation { code, kind }));
            }),
            Code::AuthorityRecipient,
            "recipients[2]",
        ),
        (faults(|draft| draft.exclusions.push(Exclusion::default())), Code::MissingField, "exclusions[1]"),
        (
            faults(|draft| draft.purposes[1].categories.push(DataCategory::Biometric)),
            Code::HardBlocked,
            "purposes[1].categories[3]",
        ),
        (
            faults(|draft| draft.purposes[1].optional.push(DataCategory::Photo)),
            Code::Malformed,
            "purposes[1].optional[0]",
        ),
        (faults(|draft| draft.purposes[1].service = Some(Service::Rfl)), Code::Malformed, "purposes[1].service"),
        (faults(|draft| draft.witnesses.clear()), Code::MissingField, "witnesses"),
        (faults(|draft| draft.witnesses.push(Role::Interpreter)), Code::Malformed, "witnesses[1]"),
        (
            faults(|draft| {
                draft.collection = CollectionMethod::Thumbprint;
                draft.witnesses.clear();
            }),
            Code::MissingField,
            "witnesses",
        ),
        (faults(|draft| draft.witnessed_by = Some(WitnessKind::Official)), Code::ConsentWitness, "witnessed_by"),
        (faults(|draft| draft.witnessed_by = Some(WitnessKind::Facilitator)), Code::ConsentWitness, "witnessed_by"),
        (faults(|draft| draft.of_age_at = Some(sample::NOW)), Code::Malformed, "age_band"),
        (faults(|draft| draft.age_band = AgeBand::From6To11), Code::Malformed, "capacity"),
        (faults(|draft| draft.valid_until = Some(sample::NOW)), Code::BadTimes, "valid_until"),
        (faults(|draft| draft.retention_until = Some(sample::NOW)), Code::BadTimes, "retention_until"),
    ];
    for (found, code, field) in table {
        assert!(found.contains(&(code, field.to_owned())), "{field}: {found:?}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let found = faults(|draft| {
        draft.purposes[0].categories.push(DataCategory::Political);
        draft.purposes[2].categories.push(DataCategory::Facilitator);
        draft.countries.clear();
        draft.capacity = Capacity::Minor;
        draft.collection = CollectionMethod::OralWitnessed;
        draft.witnesses = vec![Role::Interpreter];
    });
    let fields: Vec<_> = found.iter().map(|(_, field)| field.as_str()).collect();
    assert_eq!(
        fields,
        ["countries", "purposes[0].categories[9]", "purposes[2].categories[3]", "witnesses[0]", "capacity"]
    );
}

#[test]
fn lists_end_at_their_bound() {
    // As many distinct exclusions as are allowed, then one more.
    let exclusions = |count: usize| {
        let all = Role::ALL.iter().flat_map(|role| {
            DataCategory::ALL.iter().map(|category| Exclusion {
                role: Some(*role),
                category: Some(*category),
                ..Exclusion::default()
            })
        });
        all.take(count).collect::<Vec<_>>()
    };
    assert_eq!(faults(|draft| draft.exclusions = exclusions(CONSENT_LIST_MAX)), []);
    let found = faults(|draft| draft.exclusions = exclusions(CONSENT_LIST_MAX + 1));
    assert_eq!(found, [(Code::TooMany, "exclusions".to_owned())]);
    let too_long = ConsentRecord::from_cbor(&[0; CONSENT_BYTES_MAX + 1]).map_err(|refusal| refusal.code);
    assert_eq!(too_long, Err(Code::TooLarge));
}

#[test]
fn a_draft_says_what_it_does_not_know() {
    let text = include_str!("../../../../config/demo/consent.toml");
    let with_name = format!("name = \"Somebody\"\n{text}");
    let error = toml::from_str::<ConsentDraft>(&with_name).expect_err("a record has no place for a name");
    assert!(error.to_string().contains("unknown field `name`"), "{error}");
    let to_authority =
        text.replace("\"ML\", \"GM\"]\ncountries", "\"ML\", { organisation = \"x\", rank = 1 }]\ncountries");
    let error = toml::from_str::<ConsentDraft>(&to_authority).expect_err("not a recipient");
    assert!(error.to_string().contains("a recipient is a Society's code"), "{error}");
    let unknown = text.replace("svc.food_nfi", "police.cooperation");
    assert!(toml::from_str::<ConsentDraft>(&unknown).is_err());
}

#[test]
fn fields_of_a_newer_release_are_kept_in_the_bytes_and_in_the_hash() {
    let record = sample::record();
    let bytes = record.to_cbor();
    // The record is a map of 28 pairs or so: one more pair, {99: "later"}, at its end.
    let (head, count_bytes) = match bytes[0] {
        0xb8 => (vec![0xb8, bytes[1] + 1], 2),
        short => (vec![short + 1], 1),
    };
    let mut newer = head;
    newer.extend_from_slice(&bytes[count_bytes..]);
    newer.extend_from_slice(&[0x18, 99, 0x65, b'l', b'a', b't', b'e', b'r']);
    let read = ConsentRecord::from_cbor(&newer).expect("unknown fields are tolerated");
    assert_eq!(*read, *record);
    assert_eq!(read.to_cbor(), newer);
    assert_ne!(read.reference().hash, record.reference().hash);
}

#[test]
fn what_a_peer_sends_is_validated_as_what_a_caseworker_writes() {
    let record = sample::record();
    let purpose = Purpose::Transport;
    assert!(record.purposes.iter().any(|grant| grant.purpose == purpose));
    // Authority stands as kind 5 of an organisation: forge one in place of the first Society.
    let mut forged = (*record).clone();
    let code = "border".parse().expect("a code");
    forged.recipients[0] = Recipient::Organisation(Organisation { code, kind: OrganisationKind::Authority });
    let bytes = minicbor::to_vec(&forged).expect("bytes");
    assert_eq!(ConsentRecord::from_cbor(&bytes).map_err(|r| r.code), Err(Code::AuthorityRecipient));
    let mut forged = (*record).clone();
    forged.purposes[0].categories.push(DataCategory::ImmigrationStatus);
    let bytes = minicbor::to_vec(&forged).expect("bytes");
    assert_eq!(ConsentRecord::from_cbor(&bytes).map_err(|r| r.code), Err(Code::HardBlocked));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(ConsentRecord::from_cbor(&bytes).is_err());
    }

    #[test]
    fn a_damaged_record_never_passes_for_the_same(at in 0_usize..2_000, bit in 0_u8..8) {
        let record = sample::record();
        let mut bytes = record.to_cbor().to_vec();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(damaged) = ConsentRecord::from_cbor(&bytes) {
            prop_assert_ne!(damaged.reference(), record.reference());
        }
    }
}
