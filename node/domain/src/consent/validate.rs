//! What makes a consent record valid in itself, whoever wrote it. Whether it covers a request is
//! another question (`covers`): a refusal or a deferral is a valid record too.

use super::{
    faults::Faults,
    record::{Consent, PurposeGrant},
};
use crate::{
    catalogue::{AgeBand, Capacity, CollectionMethod, Right, Role},
    limits::CONSENT_LIST_MAX,
    refusal::Code,
    time::Time,
};

/// Every fault of the fields.
pub(super) fn faults(consent: &Consent) -> Faults {
    let mut faults = Faults::default();
    if consent.schema == 0 {
        faults.add(Code::Malformed, "schema", "schema versions count from 1");
    }
    if consent.version == 0 {
        faults.add(Code::Malformed, "version", "versions of a record count from 1");
    }
    lists(consent, &mut faults);
    recipients(consent, &mut faults);
    for (index, grant) in consent.purposes.iter().enumerate() {
        purpose(grant, &format!("purposes[{index}]"), &mut faults);
    }
    circumstances(consent, &mut faults);
    times(consent, &mut faults);
    for (index, event) in consent.events.iter().enumerate() {
        if let Err(refusal) = event.check() {
            let path = format!("events[{index}].{}", refusal.field.as_deref().unwrap_or("kind"));
            faults.add(refusal.code, path, refusal.message);
        }
    }
    faults
}

fn lists(consent: &Consent, faults: &mut Faults) {
    faults.list("controllers", &consent.controllers, 1, CONSENT_LIST_MAX);
    faults.list("understands", &consent.understands, 1, CONSENT_LIST_MAX);
    let ticks: Vec<_> = consent.purposes.iter().map(|grant| (grant.purpose, grant.service)).collect();
    faults.list("purposes", &ticks, 1, CONSENT_LIST_MAX);
    faults.list("recipients", &consent.recipients, 1, CONSENT_LIST_MAX);
    faults.list("countries", &consent.countries, 1, CONSENT_LIST_MAX);
    faults.list("exclusions", &consent.exclusions, 0, CONSENT_LIST_MAX);
    faults.list("storage", &consent.storage, 1, CONSENT_LIST_MAX);
    faults.list("withdrawal", &consent.withdrawal, 1, CONSENT_LIST_MAX);
    faults.list("rights", &consent.rights, 1, CONSENT_LIST_MAX);
    faults.list("witnesses", &consent.witnesses, 0, CONSENT_LIST_MAX);
    faults.list("events", &consent.events, 1, CONSENT_LIST_MAX);
    if !consent.rights.contains(&Right::Withdrawal) {
        faults.add(Code::MissingField, "rights", "the right to withdraw is explained to everybody");
    }
}

fn recipients(consent: &Consent, faults: &mut Faults) {
    for (index, recipient) in consent.recipients.iter().enumerate() {
        faults.check(&format!("recipients[{index}]"), recipient.check());
    }
    for (index, exclusion) in consent.exclusions.iter().enumerate() {
        if *exclusion == super::record::Exclusion::default() {
            let message = "an exclusion names a recipient, a role, a country or a category";
            faults.add(Code::MissingField, format!("exclusions[{index}]"), message);
        }
    }
}

fn purpose(grant: &PurposeGrant, path: &str, faults: &mut Faults) {
    faults.list(&format!("{path}.categories"), &grant.categories, 1, CONSENT_LIST_MAX);
    faults.list(&format!("{path}.optional"), &grant.optional, 0, CONSENT_LIST_MAX);
    for (index, category) in grant.categories.iter().enumerate() {
        if category.is_blocked() {
            let message = format!("{category} is never shared, with or without consent");
            faults.add(Code::HardBlocked, format!("{path}.categories[{index}]"), message);
        }
    }
    for (index, category) in grant.optional.iter().enumerate() {
        if !grant.categories.contains(category) {
            let message = format!("{category} is not among the categories of this purpose");
            faults.add(Code::Malformed, format!("{path}.optional[{index}]"), message);
        }
    }
    if let Some(service) = grant.service.filter(|service| !service.serves(grant.purpose)) {
        let message = format!("{service} does not serve the purpose {}", grant.purpose);
        faults.add(Code::Malformed, format!("{path}.service"), message);
    }
}

fn circumstances(consent: &Consent, faults: &mut Faults) {
    // A thumbprint is on paper, which stays here; that it was freely given, only a witness can say.
    let unsigned = matches!(consent.collection, CollectionMethod::OralWitnessed | CollectionMethod::Thumbprint);
    if unsigned && consent.witnesses.is_empty() && consent.witnessed_by.is_none() {
        faults.add(Code::MissingField, "witnesses", "consent by word of mouth or by thumbprint needs a witness");
    }
    if let Some(witness) = consent.witnessed_by.filter(|witness| !witness.is_independent()) {
        let message = format!("the witness is independent: {witness} is not");
        faults.add(Code::ConsentWitness, "witnessed_by", message);
    }
    if let Some(index) = consent.witnesses.iter().position(|role| *role == Role::Interpreter) {
        faults.add(Code::Malformed, format!("witnesses[{index}]"), "the interpreter is not the witness");
    }
    match (consent.capacity, consent.age_band) {
        (Capacity::Minor, AgeBand::Adult) => {
            faults.add(Code::Malformed, "capacity", "an adult does not decide as a minor");
        }
        (Capacity::AdultCapable, band) if band.is_minor() && band != AgeBand::Unknown => {
            faults.add(Code::Malformed, "capacity", "a minor does not decide as an adult");
        }
        _ => {}
    }
    if consent.age_band == AgeBand::Adult && (consent.no_caregiver.is_some() || consent.of_age_at.is_some()) {
        faults.add(Code::Malformed, "age_band", "an adult has neither a caregiver nor a coming of age");
    }
}

fn times(consent: &Consent, faults: &mut Faults) {
    if consent.valid_from >= consent.valid_until {
        faults.add(Code::BadTimes, "valid_until", "valid_until comes after valid_from");
    }
    if consent.retention_until <= consent.valid_from {
        faults.add(Code::BadTimes, "retention_until", "retention_until comes after valid_from");
    }
    let last = Time::from_millis(u64::MAX);
    for (name, time) in [
        ("valid_from", consent.valid_from),
        ("valid_until", consent.valid_until),
        ("retention_until", consent.retention_until),
    ] {
        if time > last {
            faults.add(Code::MalformedTime, name, "times end with the year 9999");
        }
    }
}
