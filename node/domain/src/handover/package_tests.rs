//! What a package holds, what it can never hold, and that it tells nobody by accident.

use std::collections::BTreeSet;

use super::{
    package::{Attachment, AttachmentKind, MediaType, Package},
    sample,
    sections::Relative,
};
use crate::{
    catalogue::{DataCategory, Field, Section},
    limits::{PACKAGE_BYTES_MAX, PACKAGE_LIST_MAX},
    refusal::Code,
};

fn letter(bytes: usize) -> Attachment {
    Attachment { kind: AttachmentKind::ClinicalLetter, media_type: MediaType::Pdf, bytes: vec![7; bytes] }
}

#[test]
fn the_demo_package_survives_sealing_and_debug_names_its_sections_alone() {
    let mut package = sample::package();
    package.attach(letter(3)).expect("a letter");
    let bytes = package.to_cbor().expect("a package");
    assert_eq!(Package::from_cbor(&bytes), Ok(package.clone()));
    let shown = format!("{package:?} {:?} {:?}", package.contact, package.letters());
    for secret in ["Example", "223", "baobab", "Nioro", "2002", "[7"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(shown.starts_with("Package{\"contact\", \"identity_core\", \"travel\","), "{shown}");
}

#[test]
fn every_field_of_the_catalogue_can_be_let_through_alone() {
    let full = full();
    let all: BTreeSet<Field> = Field::ALL.iter().copied().collect();
    assert_eq!(full.fields(), all);
    assert_eq!(full.restrict(&all), full);
    for field in Field::ALL {
        let one = full.restrict(&[*field].into());
        assert_eq!(one.fields(), [*field].into());
        assert_eq!(one.sections(), [field.section()].into());
        let rest: BTreeSet<Field> = all.iter().copied().filter(|other| other != field).collect();
        assert_eq!(full.restrict(&rest).fields(), rest);
    }
    assert_eq!(full.restrict(&BTreeSet::new()), Package::default());
}

#[test]
fn sections_taken_apart_make_the_same_package_again() {
    let mut full = full();
    full.attach(letter(5)).expect("a second letter");
    let apart = |sections: &[Section]| full.only(&sections.iter().copied().collect());
    for (here, there) in [(&Section::ALL[..3], &Section::ALL[3..]), (&Section::ALL[5..], &Section::ALL[..5])] {
        assert_eq!(apart(here).join(apart(there)), full);
    }
    let one_by_one = Section::ALL.iter().fold(Package::default(), |whole, section| whole.join(apart(&[*section])));
    assert_eq!(one_by_one.to_cbor(), full.to_cbor(), "to the byte, so that the commitment still holds");
    assert!(full.only(&BTreeSet::new()).fields().is_empty());
}

/// A package with every field there is, written as a caseworker would.
fn full() -> Package {
    let text = "
        health_full.note = 'x'
        [contact]
        preferred_name = 'A.'
        safe_phone = '+223 00 00 00 01'
        phone_owner = 'x'
        safe_to_say = 'x'
        channel = 'sms'
        language = 'ff-Adlm'
        interpreter = true
        [identity_core]
        full_name = 'A. Example'
        sex = 'not_stated'
        age_years = 130
        birth_year = 1990
        birth_date = '1990-01-01'
        nationality = 'GN'
        [travel]
        arrival_point = 'x'
        eta = '2026-11-24T06:30:00Z'
        destination = 'x'
        accompanied_by = 'x'
        mobility_limits = 'x'
        [family]
        sought = [{ name = 'B. Example', last_contact = 'x' }]
        at_destination = []
        no_contact = [{ relation = 'uncle' }]
        [health_min]
        urgent_condition = 'x'
        medication_due = 'x'
        allergy = 'x'
        pregnancy = true
        infection_control = 'x'
        [pss]
        risk_flag = true
        what_helps = 'x'
        referral_requested = true
        [protection]
        concerns = ['trafficking', 'threat']
        safety_plan = 'x'
        focal_point = 'x'
        gbv = true
        [child]
        care_arrangement = 'x'
        caregiver = 'x'
        caregiver_concern = true
        best_interest_ref = 'bia.7'
        family_verification = 'under_way'
        [services_received]
        received = [{ service = 'food', at = '2026-11-24T06:30:00Z', from = 'SN' }]
    ";
    let mut package: Package = toml::from_str(text).expect("every field has its place");
    package.attach(letter(1)).expect("a letter");
    package
}

#[test]
fn what_is_never_shared_has_no_field_to_stand_in() {
    let names = [
        "biometric",
        "fingerprint",
        "photo",
        "ethnicity",
        "religion",
        "political",
        "asylum_claim",
        "immigration_status",
        "smuggler",
        "facilitator",
        "passport_number",
        "narrative",
        "device_id",
        "social_media",
        "location",
    ];
    for section in Section::ALL {
        for name in names {
            let text = format!("[{section}]\n{name} = 'x'\n");
            let error = toml::from_str::<Package>(&text).expect_err("no such field");
            assert!(error.to_string().contains("unknown field"), "{section}.{name}: {error}");
        }
    }
    assert!(
        DataCategory::ALL
            .iter()
            .filter(|category| category.is_blocked())
            .all(|blocked| { Field::ALL.iter().all(|field| field.category() != *blocked) })
    );
    // Letters are added by the node, never by a file that a person wrote.
    assert!(toml::from_str::<Package>("letters = []").is_err());
}

#[test]
fn a_package_ends_at_its_bounds() {
    let mut package = Package::default();
    assert_eq!(package.to_cbor().map_err(|r| r.code), Err(Code::MissingField));
    package.attach(letter(PACKAGE_BYTES_MAX)).expect("the letter alone fits");
    assert_eq!(package.to_cbor().map_err(|r| r.code), Err(Code::TooLarge));
    assert_eq!(package.attach(letter(PACKAGE_BYTES_MAX + 1)).map_err(|r| r.code), Err(Code::TooLarge));

    // Framing of one letter: map(1), key, array(1), map(3), three keys, two codes, a length of five bytes.
    let mut package = Package::default();
    package.attach(letter(PACKAGE_BYTES_MAX - 14)).expect("fits");
    let bytes = package.to_cbor().expect("at the bound");
    assert_eq!(bytes.len(), PACKAGE_BYTES_MAX);
    assert_eq!(Package::from_cbor(&bytes).map(|package| package.letters().len()), Ok(1));

    let mut package = Package::default();
    for _ in 0..PACKAGE_LIST_MAX {
        package.attach(letter(1)).expect("up to the bound");
    }
    assert_eq!(package.attach(letter(1)).map_err(|r| r.code), Err(Code::TooMany));

    let relatives = |count: usize| {
        let list = vec!["{ relation = 'cousin' }"; count].join(", ");
        toml::from_str::<Package>(&format!("family.sought = [{list}]"))
    };
    assert!(relatives(PACKAGE_LIST_MAX).is_ok());
    assert!(relatives(PACKAGE_LIST_MAX + 1).is_err());
}

#[test]
fn a_long_list_in_foreign_bytes_stops_at_its_bound() {
    // {3: {0: [{}, {}, ...]}}: 17 relatives of one byte each.
    let list = |count: u8| {
        let mut bytes = vec![0xa1, 3, 0xa1, 0, 0x98, count];
        bytes.extend(vec![0xa0; usize::from(count)]);
        bytes
    };
    let bound = u8::try_from(PACKAGE_LIST_MAX).expect("small");
    let package = Package::from_cbor(&list(bound)).expect("at the bound");
    let sought = package.family.and_then(|family| family.sought).expect("a list");
    assert_eq!(sought.members(), vec![Relative::default(); PACKAGE_LIST_MAX]);
    assert_eq!(Package::from_cbor(&list(bound + 1)).map_err(|r| r.code), Err(Code::Malformed));
}

#[test]
fn impossible_ages_and_years_are_refused() {
    for text in ["identity_core.age_years = 131", "identity_core.birth_year = 90"] {
        let package: Package = toml::from_str(text).expect("a package");
        assert_eq!(package.check().map_err(|r| r.code), Err(Code::Malformed), "{text}");
    }
}

/// What the handbook blocks has no field, under whatever name somebody tries it.
#[test]
fn what_is_never_shared_has_no_place_in_a_package() {
    for text in [
        r#"{"biometric": {"thumbprint": "x"}}"#,
        r#"{"identity_core": {"passport_number": "x"}}"#,
        r#"{"identity_core": {"ethnicity": "x"}}"#,
        r#"{"identity_core": {"religion": "x"}}"#,
        r#"{"identity_core": {"immigration_status": "x"}}"#,
        r#"{"protection": {"narrative": "x"}}"#,
        r#"{"pss": {"account_of_events": "x"}}"#,
        r#"{"travel": {"smuggler": "x"}}"#,
        r#"{"travel": {"position": "x"}}"#,
        r#"{"contact": {"facebook": "x"}}"#,
        r#"{"contact": {"device_id": "x"}}"#,
        r#"{"letters": []}"#,
    ] {
        assert!(serde_json::from_str::<Package>(text).is_err(), "{text}");
    }
}

#[test]
fn what_a_person_types_is_looked_through_for_what_no_section_may_hold() {
    let code = |text: &str| {
        let package: Package = serde_json::from_str(text).expect("a package");
        package.check_texts().err().map(|refusal| (refusal.code, refusal.field.unwrap_or_default()))
    };
    assert_eq!(sample::package().check_texts(), Ok(()));
    for (text, code_of, field) in [
        (r#"{"travel": {"destination": "write to a.example@mail.example"}}"#, Code::PersonalData, "travel.destination"),
        (r#"{"contact": {"safe_to_say": "call +221 77 000 00 01"}}"#, Code::PersonalData, "contact.safe_to_say"),
        (r#"{"family": {"sought": [{"last_contact": "passport A01234567"}]}}"#, Code::PersonalData, "family.sought"),
        (
            r#"{"protection": {"gbv": true, "safety_plan": "what happened"}}"#,
            Code::HardBlocked,
            "protection.safety_plan",
        ),
        (r#"{"protection": {"gbv": true}, "pss": {"what_helps": "x"}}"#, Code::HardBlocked, "pss.what_helps"),
    ] {
        assert_eq!(code(text), Some((code_of, field.to_owned())), "{text}");
    }
    assert_eq!(code(r#"{"protection": {"gbv": true, "concerns": ["violence"]}}"#), None);
}

#[test]
fn a_case_that_is_kept_from_the_caregiver_leads_to_no_caregiver() {
    let text = r#"{
        "contact": {"preferred_name": "A.", "safe_phone": "+223 00 00 00 01", "phone_owner": "an uncle"},
        "child": {"caregiver": "an uncle", "caregiver_concern": CONCERN}
    }"#;
    let package =
        |concern: &str| -> Package { serde_json::from_str(&text.replace("CONCERN", concern)).expect("a package") };
    let kept = package("true").kept_from_caregiver();
    let fields = kept.fields();
    for gone in [Field::SafePhone, Field::PhoneOwner, Field::SafeToSay, Field::Caregiver] {
        assert!(!fields.contains(&gone), "{gone}");
    }
    assert!(fields.contains(&Field::CaregiverConcern) && fields.contains(&Field::PreferredName));
    assert_eq!(package("false").kept_from_caregiver(), package("false"));
}
