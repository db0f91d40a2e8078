//! What may be released: for each accepted service, what it needs at most, met with what the
//! consent covers at this moment. A service whose required data is not covered stops the release.

use std::collections::BTreeSet;

use super::offer::Offer;
use crate::{
    catalogue::{Field, HandoverKind, Purpose, Section, Service},
    consent::{ConsentEvent, ConsentRecord, Country, CoverageRequest, Obligations, Recipient, SubjectRef, covers},
    refusal::{Code, Refusal},
    time::Time,
};

/// A handover together with the consent that it rests on, at one instant.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The offer.
    pub offer: &'a Offer,
    /// The person, by the pseudonym in the consent record; the offer names them by that of the pair.
    pub subject: SubjectRef,
    /// The consent record; none where the person could not be asked, and then only an override goes on.
    pub record: Option<&'a ConsentRecord>,
    /// All that is known to have happened to the record since.
    pub events: &'a [ConsentEvent],
    /// The instant.
    pub now: Time,
}

/// Where the data goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Who receives it.
    pub recipient: Recipient,
    /// The country in which it will be.
    pub country: Country,
    /// Whether it is passed on by a recipient of the offer.
    pub onward: bool,
}

impl Destination {
    /// The Society that the offer is addressed to, in its own country.
    #[must_use]
    pub fn of(offer: &Offer) -> Self {
        Self { recipient: offer.to.into(), country: offer.to.into(), onward: false }
    }
}

/// What may travel, and what binds the recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleasePlan {
    /// The sections that the fields stand in.
    pub sections: BTreeSet<Section>,
    /// The fields to which the package is to be restricted.
    pub fields: BTreeSet<Field>,
    /// What binds the recipient.
    pub obligations: Obligations,
    /// Whether it rests on an override and not on consent.
    pub overridden: bool,
}

/// Plans the release of what `services` need to `to`.
///
/// # Errors
/// The refusal of the first service that is not covered, with its place in the list, such as
/// `consent_missing` naming the categories; `malformed` for a service that was not offered.
pub fn plan(case: &Case<'_>, services: &[Service], to: &Destination) -> Result<ReleasePlan, Refusal> {
    let unasked = "the person was not asked; without consent nothing goes but by an override";
    let record = case.record.ok_or_else(|| Refusal::new(Code::ConsentState, unasked))?;
    let mut fields = BTreeSet::new();
    let mut obligations = None;
    for (index, service) in services.iter().enumerate() {
        let path = format!("services[{index}]");
        if case.offer.service_codes().all(|offered| offered != *service) {
            return Err(Refusal::new(Code::Malformed, format!("{service} is not among the services offered")).at(path));
        }
        let coverage = covers(record, case.events, &request(case, *service, to)).map_err(|denial| {
            let refusal = denial.refusal();
            Refusal { message: format!("{service}: {}", refusal.message), ..refusal }.at(path)
        })?;
        fields.extend(coverage.fields);
        obligations = Some(coverage.obligations);
    }
    let obligations =
        obligations.ok_or_else(|| Refusal::new(Code::MissingField, "name at least one service").at("services"))?;
    Ok(ReleasePlan {
        sections: fields.iter().map(|field| field.section()).collect(),
        fields,
        obligations,
        overridden: false,
    })
}

/// Asks for all that the service may carry, less what the person excluded and the service can do without.
pub(super) fn request(case: &Case<'_>, service: Service, to: &Destination) -> CoverageRequest {
    let mut request = CoverageRequest {
        subject: case.subject,
        consent: case.offer.consent,
        purpose: purpose_of(case.offer.kind, service),
        service,
        recipient: to.recipient.clone(),
        // The role is one at the Society that the offer is addressed to, not at a further recipient.
        role: case.offer.to_role.filter(|_| !to.onward),
        country: to.country,
        categories: service.minimal_categories(),
        onward: to.onward,
        restrictions: case.offer.restrictions.clone(),
        now: case.now,
    };
    if let Some(record) = case.record {
        request.leave_out_excluded(record);
    }
    request
}

/// For what a service of a handover uses data.
#[must_use]
pub fn purpose_of(kind: HandoverKind, service: Service) -> Purpose {
    match (kind, service) {
        (HandoverKind::RflTracingRequest, Service::Rfl) => Purpose::RflTracing,
        _ => service.purpose(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};
    use crate::{
        catalogue::DataCategory,
        consent::{self, sample as consent_sample},
    };

    #[test]
    fn only_what_accepted_services_need_and_consent_covers_is_released() {
        let (record, offer) = (consent_sample::record(), sample::offer());
        let case = sample::case(&offer, &record);
        let to = Destination::of(&offer);
        let food = plan(&case, &[Service::Food], &to).expect("covered");
        assert_eq!(food.sections, [Section::Contact, Section::ServicesReceived].into());
        let both = plan(&case, &[Service::Food, Service::TransportFamily], &to).expect("covered");
        assert!(both.fields.is_superset(&food.fields) && both.fields.contains(&Field::FullName));
        let package = sample::package();
        let restricted = package.restrict(&both.fields);
        // The package of the demo has health data too, which no accepted service needs.
        assert!(package.sections().contains(&Section::HealthMin));
        assert!(restricted.fields().is_subset(&both.fields));
        assert_eq!(restricted.restrict(&food.fields), package.restrict(&food.fields));
    }

    #[test]
    fn a_service_without_the_data_it_requires_stops_the_release() {
        let mut draft = consent_sample::draft();
        draft.purposes[0].categories.retain(|category| *category != DataCategory::Destination);
        let record = consent_sample::record_of(draft);
        let offer = sample::offer_under(&record);
        let case = sample::case(&offer, &record);
        let refusal = plan(&case, &[Service::Food, Service::TransportFamily], &Destination::of(&offer))
            .expect_err("no transport without a destination");
        assert_eq!((refusal.code, refusal.field.as_deref()), (Code::ConsentMissing, Some("services[1]")));
        assert!(refusal.message.ends_with(": destination"), "{}", refusal.message);
    }

    #[test]
    fn what_the_person_excluded_is_left_out_where_the_service_can_do_without() {
        let mut draft = consent_sample::draft();
        let exclude = |category| consent::Exclusion { category: Some(category), ..consent::Exclusion::default() };
        draft.exclusions = vec![exclude(DataCategory::Family)];
        let record = consent_sample::record_of(draft.clone());
        let offer = sample::offer_under(&record);
        let case = sample::case(&offer, &record);
        let plan_of = |case: &Case<'_>| plan(case, &[Service::TransportFamily], &Destination::of(case.offer));
        assert!(!plan_of(&case).expect("covered without").sections.contains(&Section::Family));

        draft.exclusions = vec![exclude(DataCategory::IdentityName)];
        let record = consent_sample::record_of(draft);
        let offer = sample::offer_under(&record);
        let case = sample::case(&offer, &record);
        assert_eq!(plan_of(&case).map_err(|r| r.code), Err(Code::ConsentExcluded));
    }

    #[test]
    fn nothing_but_what_was_offered_can_be_accepted() {
        let (record, offer) = (consent_sample::record(), sample::offer());
        let case = sample::case(&offer, &record);
        for services in [&[Service::Shelter][..], &[]] {
            assert!(plan(&case, services, &Destination::of(&offer)).is_err());
        }
    }
}
