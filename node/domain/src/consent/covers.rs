//! What a consent record covers: one pure function, denying by default, the same at every gate.
//!
//! Steps, in this order; the first that fails gives the reason:
//!
//! | step | denied when | reason |
//! | --- | --- | --- |
//! | 0 | a category is hard-blocked, or the recipient is an authority | `hard_block`, `authority` |
//! | 1 | the record is another person's, another version, other bytes, or of an unknown schema | `integrity` |
//! | 2 | with all known events the record is not in force | `state` |
//! | 3 | now is outside [valid_from, valid_until) | `expired` |
//! | 4 | the person could not decide yet; or whoever decided may not at that age, or not in that form | `defer`, `capacity` |
//! | 5 | the notice was not understood, or not in a language or through an interpreter that could be | `notice` |
//! | 6 | no tick for this purpose and service, or it was taken back | `purpose` |
//! | 7 | the recipient is not named, was taken back, or its country is not | `recipient` |
//! | 8 | an exclusion applies | `excluded` |
//! | 9 | a category that the service requires is not asked for, not agreed to, or withheld | `missing` |
//! | 10 | it is passed on, and that was not agreed to | `onward` |

use std::collections::BTreeSet;

use super::{
    obligations::{ConsentRef, Obligations, Restrictions},
    recipient::Recipient,
    record::{Consent, ConsentRecord, Exclusion, SCHEMA},
    state::{Actor, ConsentEvent, EventKind, Standing, fold},
    subject::SubjectRef,
    words::Country,
};
use crate::{
    catalogue::{
        AgeBand, Capacity, CollectionMethod, DataCategory, Field, GivenBy, OnClose, Purpose, Role, Section, Service,
        vocabulary,
    },
    refusal::{Code, Refusal},
    time::Time,
};

/// One question: may this data about this person go to this recipient for this purpose, now?
#[derive(Clone, Debug)]
pub struct CoverageRequest {
    /// The person, by the pseudonym that the caller knows them under.
    pub subject: SubjectRef,
    /// The record, version and bytes that the caller relies on.
    pub consent: ConsentRef,
    /// What the data is used for.
    pub purpose: Purpose,
    /// The service that it is used in.
    pub service: Service,
    /// Who receives it.
    pub recipient: Recipient,
    /// The role that reads it at the recipient; when it is not known, an exclusion of any role applies.
    pub role: Option<Role>,
    /// The country in which it will be.
    pub country: Country,
    /// The categories of data.
    pub categories: BTreeSet<DataCategory>,
    /// Whether a recipient passes on what it was given.
    pub onward: bool,
    /// What the person asked for in this handover.
    pub restrictions: Restrictions,
    /// The instant of the question.
    pub now: Time,
}

impl CoverageRequest {
    /// Takes out of the categories those that the person excluded and the service can do without.
    pub fn leave_out_excluded(&mut self, record: &ConsentRecord) {
        let required = self.service.minimum().required;
        let excluded: Vec<_> = record
            .exclusions
            .iter()
            .filter(|exclusion| exclusion.applies_to(self))
            .filter_map(|exclusion| exclusion.category)
            .filter(|category| !required.contains(category))
            .collect();
        self.categories.retain(|category| !excluded.contains(category));
    }
}

/// The yes: what may be told, and what binds the recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// The fields that may travel.
    pub fields: BTreeSet<Field>,
    /// What binds whoever receives them.
    pub obligations: Obligations,
}

impl Coverage {
    /// The sections that the fields stand in.
    #[must_use]
    pub fn sections(&self) -> BTreeSet<Section> {
        self.fields.iter().map(|field| field.section()).collect()
    }
}

vocabulary! {
    /// Why coverage was denied.
    DenyReason {
        1 HardBlock = "hard_block",
        2 Authority = "authority",
        3 Integrity = "integrity",
        4 State = "state",
        5 Expired = "expired",
        6 Capacity = "capacity",
        7 Defer = "defer",
        8 Notice = "notice",
        9 Purpose = "purpose",
        10 Recipient = "recipient",
        11 Excluded = "excluded",
        12 Missing = "missing",
        13 Onward = "onward",
    }
}

impl DenyReason {
    /// The code under which the denial is answered.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::HardBlock => Code::HardBlocked,
            Self::Authority => Code::AuthorityRecipient,
            Self::Integrity => Code::ConsentIntegrity,
            Self::State => Code::ConsentState,
            Self::Expired => Code::ConsentExpired,
            Self::Capacity => Code::ConsentCapacity,
            Self::Defer => Code::ConsentDeferred,
            Self::Notice => Code::ConsentNotice,
            Self::Purpose => Code::ConsentPurpose,
            Self::Recipient => Code::ConsentRecipient,
            Self::Excluded => Code::ConsentExcluded,
            Self::Missing => Code::ConsentMissing,
            Self::Onward => Code::ConsentOnward,
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::HardBlock => "a category that is never shared was asked for",
            Self::Authority => "an authority is never a recipient of data about a person",
            Self::Integrity => "the consent record is not the one that this case relies on",
            Self::State => "the consent is not in force",
            Self::Expired => "the consent does not hold at this time",
            Self::Capacity => "the consent was not given by whom, or in the form, that the person's age asks for",
            Self::Defer => "the person was not fit to decide",
            Self::Notice => "the notice was not understood",
            Self::Purpose => "the person did not agree to this purpose",
            Self::Recipient => "the person did not agree to this recipient or its country",
            Self::Excluded => "the person excluded this",
            Self::Missing => "the person did not agree to data that the service cannot do without",
            Self::Onward => "the person did not agree to its being passed on",
        }
    }
}

/// The no, with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The first step that failed.
    pub reason: DenyReason,
    /// The categories that are not covered, where the reason is `missing`.
    pub missing: Vec<DataCategory>,
}

impl Denial {
    /// The refusal that answers whoever asked.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        let mut message = self.reason.sentence().to_owned();
        if !self.missing.is_empty() {
            let names: Vec<_> = self.missing.iter().map(|category| category.as_str()).collect();
            message = format!("{message}: {}", names.join(", "));
        }
        Refusal::new(self.reason.code(), message)
    }
}

impl From<DenyReason> for Denial {
    fn from(reason: DenyReason) -> Self {
        Self { reason, missing: Vec::new() }
    }
}

/// Whether `record`, with all events known of it, covers `request`.
///
/// # Errors
/// The reason of the first step that fails, in the order of the table at the head of this file.
pub fn covers(
    record: &ConsentRecord,
    known_events: &[ConsentEvent],
    request: &CoverageRequest,
) -> Result<Coverage, Denial> {
    require(!request.categories.iter().any(|category| category.is_blocked()), DenyReason::HardBlock)?;
    require(!request.recipient.is_authority(), DenyReason::Authority)?;
    require(is_intact(record, request), DenyReason::Integrity)?;
    let standing = standing(record, known_events, request.now);
    require(standing.state.in_force(), DenyReason::State)?;
    require(record.valid_from <= request.now && request.now < record.valid_until, DenyReason::Expired)?;
    require(record.capacity != Capacity::ShockOrSedated, DenyReason::Defer)?;
    require(decider_may_decide(record) && is_in_due_form(record), DenyReason::Capacity)?;
    require(notice_was_understood(record), DenyReason::Notice)?;
    let agreed = agreed_categories(record, &standing, request).ok_or(DenyReason::Purpose)?;
    require(recipient_is_named(record, &standing, request), DenyReason::Recipient)?;
    require(!record.exclusions.iter().any(|exclusion| exclusion.applies_to(request)), DenyReason::Excluded)?;

    let onward = onward_categories(record, &standing, &request.recipient);
    let allowed = allowed_categories(request, &standing, &agreed, onward.as_ref());
    let required = request.service.minimum().required;
    let missing: Vec<_> = required.iter().copied().filter(|category| !allowed.contains(category)).collect();
    if !missing.is_empty() {
        return Err(Denial { reason: DenyReason::Missing, missing });
    }
    let may_pass_on = onward.is_some() && !request.restrictions.no_onward;
    require(!request.onward || may_pass_on, DenyReason::Onward)?;

    let fields = request.service.minimal_fields().into_iter().filter(|field| allowed.contains(&field.category()));
    Ok(Coverage {
        fields: fields.collect(),
        obligations: Obligations {
            consent: record.reference(),
            retention_until: record.retention_until,
            on_close: request.restrictions.on_close.unwrap_or(OnClose::Erase),
            no_onward: request.restrictions.no_onward || !any_onward(record, &standing),
            contact: request.restrictions.contact.clone(),
        },
    })
}

fn require(holds: bool, reason: DenyReason) -> Result<(), Denial> {
    if holds { Ok(()) } else { Err(reason.into()) }
}

fn is_intact(record: &ConsentRecord, request: &CoverageRequest) -> bool {
    record.schema <= SCHEMA && record.subject == request.subject && record.reference() == request.consent
}

/// Where a record stands at an instant: all known events, and the coming of age of a minor, which no
/// person has to report for the consent of others to end.
#[must_use]
pub fn standing(record: &Consent, known_events: &[ConsentEvent], now: Time) -> Standing {
    let came_of_age = record.of_age_at.filter(|at| *at <= now && record.age_band.is_minor());
    let coming_of_age = came_of_age.zip(record.controllers.first()).map(|(at, recorded_by)| ConsentEvent {
        at,
        kind: EventKind::ComeOfAge,
        actor: Actor::System,
        recorded_by: *recorded_by,
        method: None,
        scope: None,
    });
    fold(record.events.iter().chain(known_events).chain(&coming_of_age))
}

/// Who may decide for whom:
///
/// | age | the child | a caregiver | without one, and why is documented |
/// | --- | --- | --- | --- |
/// | 0-5 | | decides | a trusted adult or the caseworker decides |
/// | 6-11, unknown | assents | decides | a trusted adult or the caseworker decides |
/// | 12-14 | assents | decides | a trusted adult decides, or the child |
/// | 15-17 | decides | is told if the child permits | |
/// | adult | decides; with help a guardian or a trusted adult may | | |
///
/// An unknown age is a minor's. From six years on nobody decides against the child's own no.
fn decider_may_decide(record: &Consent) -> bool {
    use GivenBy as G;
    let caregiver = matches!(record.given_by, G::Parent | G::LegalGuardian) && record.no_caregiver.is_none();
    let stands_in = |of: &[GivenBy]| record.no_caregiver.is_some() && of.contains(&record.given_by);
    let assents = record.assent == Some(true);
    match (record.capacity, record.age_band) {
        (Capacity::ShockOrSedated, _) | (Capacity::Minor, AgeBand::Adult) => false,
        (_, band) if band != AgeBand::From0To5 && record.assent == Some(false) => false,
        (Capacity::Assisted, AgeBand::Adult) => {
            matches!(record.given_by, G::Person | G::LegalGuardian | G::TrustedAdult)
        }
        (Capacity::AdultCapable, AgeBand::Adult) => record.given_by == G::Person,
        (_, AgeBand::From0To5) => caregiver || stands_in(&[G::TrustedAdult, G::CaseworkerBestInterest]),
        (_, AgeBand::From6To11 | AgeBand::Unknown) => {
            assents && (caregiver || stands_in(&[G::TrustedAdult, G::CaseworkerBestInterest]))
        }
        (_, AgeBand::From12To14) => assents && (caregiver || stands_in(&[G::TrustedAdult, G::Person])),
        (_, AgeBand::From15To17) => record.given_by == G::Person,
    }
}

/// The consent for a minor is on paper; so is, from twelve years on, the assent of a child for whom others decide.
fn is_in_due_form(record: &Consent) -> bool {
    let assent_on_paper = record.assent_form.is_some_and(CollectionMethod::is_written);
    let decides_alone = record.given_by == GivenBy::Person;
    match record.age_band {
        AgeBand::Adult => true,
        AgeBand::From12To14 => record.collection.is_written() && (assent_on_paper || decides_alone),
        _ => record.collection.is_written(),
    }
}

fn notice_was_understood(record: &Consent) -> bool {
    let understands = |language| record.understands.iter().any(|known| known.matches(language));
    record.notice.understood
        && (understands(&record.notice.language)
            || record.interpreter.as_ref().is_some_and(|interpreter| understands(&interpreter.language)))
}

/// What was agreed to for the purpose and service of the request; none when neither was, or when it was taken back.
fn agreed_categories(
    record: &Consent,
    standing: &Standing,
    request: &CoverageRequest,
) -> Option<BTreeSet<DataCategory>> {
    if !request.service.serves(request.purpose) || is_taken_back(standing, request.purpose) {
        return None;
    }
    granted(record, |purpose, service| {
        purpose.covers(request.purpose) && service.is_none_or(|service| service == request.service)
    })
}

/// The union of the categories of all ticks that fit; none when none fits.
fn granted(record: &Consent, fits: impl Fn(Purpose, Option<Service>) -> bool) -> Option<BTreeSet<DataCategory>> {
    let mut grants = record.purposes.iter().filter(|grant| fits(grant.purpose, grant.service)).peekable();
    grants.peek()?;
    Some(grants.flat_map(|grant| grant.categories.iter().copied()).collect())
}

/// Taking back a broad purpose takes back its narrower ones; taking back a narrow one leaves nothing
/// certain of the broad one.
fn is_taken_back(standing: &Standing, purpose: Purpose) -> bool {
    standing.withdrawn.purposes.iter().any(|withdrawn| withdrawn.covers(purpose) || purpose.covers(*withdrawn))
}

fn recipient_is_named(record: &Consent, standing: &Standing, request: &CoverageRequest) -> bool {
    record.recipients.contains(&request.recipient)
        && !standing.withdrawn.recipients.contains(&request.recipient)
        && record.countries.contains(&request.country)
}

impl Exclusion {
    /// Whether the exclusion applies to a request: every part that it names fits.
    #[must_use]
    pub fn applies_to(&self, request: &CoverageRequest) -> bool {
        self.recipient.as_ref().is_none_or(|recipient| *recipient == request.recipient)
            && self.role.is_none_or(|role| request.role.is_none_or(|reader| reader == role))
            && self.country.is_none_or(|country| country == request.country)
            && self.category.is_none_or(|category| request.categories.contains(&category))
    }
}

/// What may be passed on to a recipient of this kind; none when passing on was not agreed to.
fn onward_categories(record: &Consent, standing: &Standing, recipient: &Recipient) -> Option<BTreeSet<DataCategory>> {
    let onward = match recipient {
        Recipient::Society(_) => Purpose::OnwardSociety,
        Recipient::Organisation(_) => Purpose::OnwardPartner,
    };
    if is_taken_back(standing, onward) {
        return None;
    }
    granted(record, |purpose, _| purpose.covers(onward))
}

fn any_onward(record: &Consent, standing: &Standing) -> bool {
    Purpose::ONWARD.iter().any(|onward| {
        !is_taken_back(standing, *onward) && record.purposes.iter().any(|grant| grant.purpose.covers(*onward))
    })
}

fn allowed_categories(
    request: &CoverageRequest,
    standing: &Standing,
    agreed: &BTreeSet<DataCategory>,
    onward: Option<&BTreeSet<DataCategory>>,
) -> BTreeSet<DataCategory> {
    let may_pass_on = |category| !request.onward || onward.is_none_or(|agreed| agreed.contains(category));
    request
        .categories
        .iter()
        .filter(|category| agreed.contains(category) && may_pass_on(category))
        .filter(|category| !standing.withdrawn.categories.contains(category))
        .filter(|category| !request.restrictions.withholds(**category, &request.recipient))
        .copied()
        .collect()
}
