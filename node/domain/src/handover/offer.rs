//! The offer: what a Society says of a case before anybody has accepted it. Coded, small, and
//! without anything that identifies the person.

use std::{collections::BTreeSet, ops::Deref};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::text::{CaseShortCode, Note};
use crate::{
    catalogue::{AgeBand, CasePriority, GapPlan, HandoverKind, LegalBasis, MinorStatus, Need, Role, Service, Sex},
    consent::{ConsentRef, Country, Language, Restrictions, SubjectRef, Tag, codec, faults::Faults},
    ids::{ConsentId, HandoverId},
    limits::{LIST_MAX, OFFER_SUMMARY_BYTES_MAX, SERVICES_MAX},
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};

/// One service that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct ServiceRequest {
    /// The service.
    #[n(0)]
    pub service: Service,
    /// The needs that it answers.
    #[n(1)]
    #[cbor(default)]
    #[serde(default)]
    pub needs: Vec<Need>,
    /// Whether the handover makes no sense without it.
    #[n(2)]
    #[serde(default = "yes")]
    pub required: bool,
    /// A short note that identifies nobody.
    #[n(3)]
    pub note: Option<Note>,
}

fn yes() -> bool {
    true
}

/// People who travel together and are not to be separated.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The code that the handovers of one group share.
    #[n(0)]
    pub reference: Tag,
    /// How many they are, this person included.
    #[n(1)]
    pub size: u16,
}

/// Where and when the person is expected. An administrative unit, never a position.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Arrival {
    /// The country.
    #[n(0)]
    pub country: Country,
    /// The administrative unit, by its OCHA P-code, or a known crossing, by its code.
    #[n(1)]
    pub place: Option<Tag>,
    /// Not before.
    #[n(2)]
    pub from: Option<Time>,
    /// Not after.
    #[n(3)]
    pub until: Option<Time>,
}

/// The fields of an offer. Read through [`Offer`], which alone is known to be valid.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct OfferFields {
    /// The handover, and the idempotency key of its whole exchange.
    #[n(0)]
    pub id: HandoverId,
    /// What is asked for.
    #[n(1)]
    pub kind: HandoverKind,
    /// The Society that offers, and answers for the person until the other has taken over.
    #[n(2)]
    pub from: Society,
    /// The Society that it is offered to. Nobody but a Society can be.
    #[n(3)]
    pub to: Society,
    /// The team or queue there; never a person.
    #[n(4)]
    pub to_team: Option<Tag>,
    /// The role there that reads it.
    #[n(5)]
    pub to_role: Option<Role>,
    /// How soon.
    #[n(6)]
    pub priority: CasePriority,
    /// When it was offered.
    #[n(7)]
    pub offered_at: Time,
    /// By when the person needs the service.
    #[n(8)]
    pub due_by: Option<Time>,
    /// When the offer ends unanswered.
    #[n(9)]
    pub expires_at: Time,
    /// The person, by the pseudonym of this pair of Societies.
    #[n(10)]
    pub subject: SubjectRef,
    /// The code on the person's card.
    #[n(11)]
    pub short_code: CaseShortCode,
    /// The group that the person travels with.
    #[n(12)]
    pub group: Option<Group>,
    /// The services asked for.
    #[n(13)]
    pub services: Vec<ServiceRequest>,
    /// What happens if one of them is lacking.
    #[n(14)]
    pub gap_plan: Option<GapPlan>,
    /// The legal basis.
    #[n(15)]
    pub basis: LegalBasis,
    /// The consent that it rests on.
    #[n(16)]
    pub consent: ConsentRef,
    /// The person's age, as a band.
    #[n(17)]
    pub age_band: AgeBand,
    /// With whom a minor travels.
    #[n(18)]
    pub minor_status: MinorStatus,
    /// The code of the best-interest assessment of a minor, which stays at the sender.
    #[n(19)]
    pub best_interest_ref: Option<Tag>,
    /// The person's sex, where the service depends on it.
    #[n(20)]
    pub sex: Option<Sex>,
    /// A language that the person speaks.
    #[n(21)]
    pub language: Option<Language>,
    /// Where and when the person is expected.
    #[n(22)]
    pub arrival: Option<Arrival>,
    /// What the person asked for.
    #[n(23)]
    pub restrictions: Restrictions,
}

/// A valid offer, at most 4 KiB of CBOR.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Offer(OfferFields);

/// A handover as a caseworker writes it down.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandoverDraft {
    /// What is asked for.
    pub kind: HandoverKind,
    /// The Society that it is offered to.
    pub to: Society,
    /// The team or queue there.
    #[serde(default)]
    pub to_team: Option<Tag>,
    /// The role there that reads it.
    #[serde(default)]
    pub to_role: Option<Role>,
    /// How soon.
    pub priority: CasePriority,
    /// By when the person needs the service.
    #[serde(default)]
    pub due_by: Option<Time>,
    /// When the offer ends unanswered; after 72 hours when not said.
    #[serde(default)]
    pub expires_at: Option<Time>,
    /// The services asked for.
    pub services: Vec<ServiceRequest>,
    /// What happens if one of them is lacking.
    #[serde(default)]
    pub gap_plan: Option<GapPlan>,
    /// The legal basis; consent when not said.
    #[serde(default = "by_consent")]
    pub basis: LegalBasis,
    /// The consent that it rests on; the case's newest when not said.
    #[serde(default)]
    pub consent: Option<ConsentId>,
    /// The group that the person travels with.
    #[serde(default)]
    pub group: Option<Group>,
    /// The person's age, as a band.
    pub age_band: AgeBand,
    /// With whom a minor travels.
    #[serde(default = "not_minor")]
    pub minor_status: MinorStatus,
    /// The code of the best-interest assessment of a minor.
    #[serde(default)]
    pub best_interest_ref: Option<Tag>,
    /// The person's sex, where the service depends on it.
    #[serde(default)]
    pub sex: Option<Sex>,
    /// A language that the person speaks.
    #[serde(default)]
    pub language: Option<Language>,
    /// Where and when the person is expected.
    #[serde(default)]
    pub arrival: Option<Arrival>,
    /// What the person asked for.
    #[serde(default)]
    pub restrictions: Restrictions,
}

fn by_consent() -> LegalBasis {
    LegalBasis::Consent
}

fn not_minor() -> MinorStatus {
    MinorStatus::NotMinor
}

/// How long an offer stands when nothing else is said.
pub const OFFER_STANDS: std::time::Duration = std::time::Duration::from_secs(72 * 3_600);

/// What the node adds to a draft.
#[derive(Clone, Debug)]
pub struct OfferContext {
    /// The id of the handover.
    pub id: HandoverId,
    /// The own Society.
    pub from: Society,
    /// The person's pseudonym for this pair of Societies.
    pub subject: SubjectRef,
    /// The code on the person's card.
    pub short_code: CaseShortCode,
    /// The consent record that the offer rests on.
    pub consent: ConsentRef,
    /// The instant of the offer.
    pub now: Time,
}

impl Offer {
    /// Makes a valid offer of a draft.
    ///
    /// # Errors
    /// Every fault found, each with the path of its field.
    pub fn from_draft(draft: HandoverDraft, context: OfferContext) -> Result<Self, Vec<Refusal>> {
        if draft.consent.is_some_and(|id| id != context.consent.id) {
            let message = "the consent named is not the one that the case relies on";
            return Err(vec![Refusal::new(Code::ConsentIntegrity, message).at("consent")]);
        }
        let fields = OfferFields {
            id: context.id,
            kind: draft.kind,
            from: context.from,
            to: draft.to,
            to_team: draft.to_team,
            to_role: draft.to_role,
            priority: draft.priority,
            offered_at: context.now,
            due_by: draft.due_by,
            expires_at: draft.expires_at.unwrap_or_else(|| context.now.plus(OFFER_STANDS)),
            subject: context.subject,
            short_code: context.short_code,
            group: draft.group,
            services: draft.services,
            gap_plan: draft.gap_plan,
            basis: draft.basis,
            consent: context.consent,
            age_band: draft.age_band,
            minor_status: draft.minor_status,
            best_interest_ref: draft.best_interest_ref,
            sex: draft.sex,
            language: draft.language,
            arrival: draft.arrival,
            restrictions: draft.restrictions,
        };
        faults(&fields).into_result()?;
        if codec::encode(&fields).len() > OFFER_SUMMARY_BYTES_MAX {
            let message = format!("an offer has at most {OFFER_SUMMARY_BYTES_MAX} bytes; shorten its notes");
            return Err(vec![Refusal::new(Code::TooLarge, message).at("services")]);
        }
        Ok(Self(fields))
    }

    /// Reads an offer from canonical bytes of foreign origin.
    ///
    /// # Errors
    /// `too_large`, `malformed`, or the first fault that validation finds.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
        let fields = codec::decode(bytes, OFFER_SUMMARY_BYTES_MAX, "an offer")?;
        faults(&fields).into_first()?;
        Ok(Self(fields))
    }

    /// The canonical bytes.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        codec::encode(&self.0)
    }

    /// The services asked for, in the order of the offer.
    pub fn service_codes(&self) -> impl Iterator<Item = Service> {
        self.0.services.iter().map(|request| request.service)
    }

    /// The requests that remain when only some services were accepted: what a new draft asks another Society for.
    #[must_use]
    pub fn remaining(&self, accepted: &BTreeSet<Service>) -> Vec<ServiceRequest> {
        self.0.services.iter().filter(|request| !accepted.contains(&request.service)).cloned().collect()
    }
}

impl Deref for Offer {
    type Target = OfferFields;
    fn deref(&self) -> &OfferFields {
        &self.0
    }
}

fn faults(offer: &OfferFields) -> Faults {
    let mut faults = Faults::default();
    if offer.from == offer.to {
        faults.add(Code::SameSociety, "to", "a case is offered to another Society than the own");
    }
    let unasked = offer.consent.is_none();
    if unasked && (offer.basis != LegalBasis::VitalInterest || offer.consent != ConsentRef::none(offer.id)) {
        faults.add(Code::MissingField, "consent", "only a vital interest goes without a consent record");
    }
    let services: Vec<_> = offer.services.iter().map(|request| request.service).collect();
    faults.list("services", &services, 1, SERVICES_MAX);
    for (index, request) in offer.services.iter().enumerate() {
        faults.list(&format!("services[{index}].needs"), &request.needs, 0, LIST_MAX);
    }
    if offer.expires_at <= offer.offered_at {
        faults.add(Code::BadTimes, "expires_at", "expires_at comes after the offer");
    }
    if offer.due_by.is_some_and(|due_by| due_by <= offer.offered_at) {
        faults.add(Code::BadTimes, "due_by", "due_by comes after the offer");
    }
    if let Some(Arrival { from: Some(from), until: Some(until), .. }) = &offer.arrival
        && from > until
    {
        faults.add(Code::BadTimes, "arrival.until", "arrival.until comes after arrival.from");
    }
    if offer.group.as_ref().is_some_and(|group| group.size < 2) {
        faults.add(Code::Malformed, "group.size", "a group has at least two people");
    }
    let called_minor = offer.minor_status != MinorStatus::NotMinor;
    // Whose age nobody knows is a minor until a trained person has assessed it.
    if offer.age_band.is_minor() && !called_minor {
        let message = "say with whom a minor travels; whose age is unknown counts as one";
        faults.add(Code::MissingField, "minor_status", message);
    }
    let alone = matches!(offer.minor_status, MinorStatus::Separated | MinorStatus::Unaccompanied);
    if alone && offer.best_interest_ref.is_none() {
        let message = "the case of a child who is alone rests on a best-interest assessment";
        faults.add(Code::MissingField, "best_interest_ref", message);
    }
    for (index, request) in offer.services.iter().enumerate() {
        if request.service == Service::GbvResponse && request.note.is_some() {
            let message = "no account of violence ever crosses the wire: leave the note out";
            faults.add(Code::HardBlocked, format!("services[{index}].note"), message);
        }
    }
    if offer.age_band == AgeBand::Adult && called_minor {
        faults.add(Code::Malformed, "minor_status", "an adult has no minor status");
    }
    offer.restrictions.check("restrictions", &mut faults);
    faults
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn the_demo_handover_is_a_small_offer_that_survives_the_wire() {
        let offer = sample::offer();
        let bytes = offer.to_cbor();
        assert!(bytes.len() < 400, "{} bytes", bytes.len());
        assert_eq!(Offer::from_cbor(&bytes), Ok(offer));
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let mut draft = sample::draft();
        draft.to = sample::context().from;
        draft.services.clear();
        draft.expires_at = Some(sample::context().now);
        draft.due_by = Some(sample::context().now);
        draft.group = Some(Group { reference: "g.1".parse().expect("a code"), size: 1 });
        draft.age_band = AgeBand::From6To11;
        let faults = Offer::from_draft(draft, sample::context()).expect_err("six faults");
        let fields: Vec<_> = faults.iter().filter_map(|fault| fault.field.as_deref()).collect();
        assert_eq!(fields, ["to", "services", "expires_at", "due_by", "group.size", "minor_status"]);
    }

    #[test]
    fn an_offer_ends_at_four_kibibytes_and_sixteen_services() {
        let mut draft = sample::draft();
        let request = |service: &Service| ServiceRequest {
            service: *service,
            needs: Vec::new(),
            required: true,
            note: Some("x".repeat(280).parse().expect("at the bound")),
        };
        draft.services = Service::ALL.iter().take(SERVICES_MAX).map(request).collect();
        let outcome = Offer::from_draft(draft.clone(), sample::context());
        assert_eq!(outcome.map_err(|faults| faults[0].code), Err(Code::TooLarge));
        for request in &mut draft.services {
            request.note = None;
        }
        assert!(Offer::from_draft(draft.clone(), sample::context()).is_ok());
        draft.services.push(ServiceRequest { note: None, ..request(&Service::ALL[SERVICES_MAX]) });
        let outcome = Offer::from_draft(draft, sample::context());
        assert_eq!(outcome.map_err(|faults| faults[0].code), Err(Code::TooMany));
        assert_eq!(Offer::from_cbor(&[0; OFFER_SUMMARY_BYTES_MAX + 1]).map_err(|r| r.code), Err(Code::TooLarge));
    }

    #[test]
    fn an_authority_cannot_even_be_written_down_as_a_recipient() {
        let text = include_str!("../../../../config/demo/handover.toml");
        let to_authority = text.replace("to = \"ML\"", "to = { organisation = \"border\", kind = \"authority\" }");
        assert_ne!(text, to_authority);
        assert!(toml::from_str::<HandoverDraft>(&to_authority).is_err());
    }

    #[test]
    fn what_was_not_accepted_remains_to_be_asked_of_others() {
        let offer = sample::offer();
        let remaining = offer.remaining(&[Service::TransportFamily].into());
        assert_eq!(remaining.iter().map(|request| request.service).collect::<Vec<_>>(), [Service::Food]);
    }
}
