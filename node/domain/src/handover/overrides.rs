//! What may go without consent: when a life is at stake, the person cannot be asked in time, and two
//! others answer for it. Never more than how to reach and carry and treat the person, and never
//! against a no.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use super::release::{Case, Destination, ReleasePlan, request};
use crate::{
    catalogue::{Field, OnClose, Section, Service},
    consent::{ConsentRef, CoverageRequest, Obligations, Scope, State, standing},
    refusal::{Code, Refusal},
};

/// What follows an override.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum OverrideStep {
    /// The person was told what was done without asking them.
    #[n(0)]
    Told,
    /// Somebody who had no part in it reviewed it.
    #[n(1)]
    Reviewed {
        /// Whether it was right.
        #[n(0)]
        upheld: bool,
    },
}

/// How long after its approval an override is reviewed at the latest.
pub const REVIEW_WITHIN: std::time::Duration = std::time::Duration::from_secs(72 * 3_600);

/// How long the recipient may keep what came by an override from a person who could not be asked at all.
pub const KEPT_UNASKED: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);

/// The sections that an override may open: S1, S2, S3 and S5.
pub const SECTIONS: [Section; 4] = [Section::Contact, Section::IdentityCore, Section::Travel, Section::HealthMin];

/// Plans what may go to `to` for `services` by an override: of the four sections, what the services
/// may carry at all, less what the person excluded or withholds.
///
/// # Errors
/// `override_refused` when the person said no, wholly or to this recipient or purpose; `consent_excluded`;
/// `authority_recipient`; `consent_integrity` for a record of another case; `malformed` for what was not offered.
pub fn plan_by_override(case: &Case<'_>, services: &[Service], to: &Destination) -> Result<ReleasePlan, Refusal> {
    to.recipient.check()?;
    let fits = match case.record {
        Some(record) => record.subject == case.subject && record.reference() == case.offer.consent,
        None => case.offer.consent == ConsentRef::none(case.offer.id),
    };
    if !fits {
        return Err(Refusal::new(Code::ConsentIntegrity, "the consent record is not the one that this case relies on"));
    }
    let mut fields = BTreeSet::new();
    for (index, service) in services.iter().enumerate() {
        let path = format!("services[{index}]");
        if case.offer.service_codes().all(|offered| offered != *service) {
            return Err(Refusal::new(Code::Malformed, format!("{service} is not among the services offered")).at(path));
        }
        fields.extend(fields_of(case, *service, to).map_err(|refusal| refusal.at(path))?);
    }
    if fields.is_empty() {
        let message = "nothing of these services is what an override may open";
        return Err(Refusal::new(Code::OverrideRefused, message).at("services"));
    }
    let obligations = Obligations {
        consent: case.offer.consent,
        // Nobody was told until when it would be kept: no longer than what came to nothing.
        retention_until: case.record.map_or(case.offer.offered_at.plus(KEPT_UNASKED), |record| record.retention_until),
        on_close: case.offer.restrictions.on_close.unwrap_or(OnClose::Erase),
        no_onward: true,
        contact: case.offer.restrictions.contact.clone(),
    };
    let sections = fields.iter().map(|field: &Field| field.section()).collect();
    Ok(ReleasePlan { sections, fields, obligations, overridden: true })
}

fn fields_of(case: &Case<'_>, service: Service, to: &Destination) -> Result<BTreeSet<Field>, Refusal> {
    let mut request = request(case, service, to);
    if is_no(case, &request, to) {
        return Err(Refusal::new(Code::OverrideRefused, format!("{service}: the person said no")));
    }
    // What an exclusion names is left out; one that is left cannot be kept otherwise than by not sending.
    let open = |field: &Field| SECTIONS.contains(&field.section()) && *field != Field::BirthDate;
    let exclusions = case.record.map_or(&[][..], |record| &record.exclusions);
    let excluded = exclusions.iter().filter(|exclusion| exclusion.applies_to(&request));
    let (by_category, whole): (Vec<_>, Vec<_>) = excluded.partition(|exclusion| exclusion.category.is_some());
    if !whole.is_empty() {
        return Err(Refusal::new(Code::ConsentExcluded, format!("{service}: the person excluded this")));
    }
    let excluded: BTreeSet<_> = by_category.iter().filter_map(|exclusion| exclusion.category).collect();
    request.categories.retain(|category| {
        !category.is_blocked()
            && !excluded.contains(category)
            && !request.restrictions.withholds(*category, &to.recipient)
    });
    let may_go = |field: &Field| open(field) && request.categories.contains(&field.category());
    Ok(service.minimal_fields().into_iter().filter(may_go).collect())
}

/// Whether the person said no: wholly, or to this recipient or purpose; also where nobody had asked them.
fn is_no(case: &Case<'_>, request: &CoverageRequest, to: &Destination) -> bool {
    let taken = |scope: &Scope| scope.recipients.contains(&to.recipient) || scope.purposes.contains(&request.purpose);
    match case.record {
        Some(record) => {
            let standing = standing(record, case.events, case.now);
            let no = matches!(standing.state, State::Refused | State::Withdrawn | State::Invalidated | State::Revoked);
            no || taken(&standing.withdrawn) || record.assent == Some(false)
        }
        None => case.events.iter().any(|event| event.is_whole() || event.scope.as_ref().is_some_and(taken)),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};
    use crate::{
        catalogue::{DataCategory, GivenBy, Role},
        consent::{self, ConsentDraft, Decision, Withhold, sample as consent_sample},
        handover::Offer,
    };

    /// Every service, asked for under a record that was put off.
    fn plan_of(
        change: impl FnOnce(&mut ConsentDraft),
        restrict: impl FnOnce(&mut crate::handover::HandoverDraft),
        services: &[Service],
    ) -> Result<ReleasePlan, Refusal> {
        let mut draft = consent_sample::draft();
        draft.decision = Decision::Deferred;
        draft.exclusions.clear();
        change(&mut draft);
        let record = consent_sample::record_of(draft);
        let mut draft = sample::draft();
        draft.services = services
            .iter()
            .map(|service| super::super::ServiceRequest {
                service: *service,
                needs: Vec::new(),
                required: true,
                note: None,
            })
            .collect();
        restrict(&mut draft);
        let offer = Offer::from_draft(draft, sample::context_under(&record)).expect("a valid draft");
        let case = sample::case(&offer, &record);
        plan_by_override(&case, services, &Destination::of(&offer))
    }

    #[test]
    fn an_override_opens_four_sections_at_most_whatever_is_asked_for() {
        for services in Service::ALL.chunks(crate::limits::SERVICES_MAX) {
            let plan = plan_of(|_| (), |_| (), services).expect("a life is at stake");
            assert!(plan.sections.iter().all(|section| SECTIONS.contains(section)), "{:?}", plan.sections);
            assert!(plan.fields.iter().all(|field| SECTIONS.contains(&field.section()) && *field != Field::BirthDate));
            assert!(plan.overridden && plan.obligations.no_onward);
        }
        let ambulance = plan_of(|_| (), |_| (), &[Service::Ambulance]).expect("a life is at stake");
        assert!(ambulance.fields.contains(&Field::UrgentCondition));
        let sealed = plan_of(|_| (), |_| (), &[Service::GbvResponse]).expect("how to reach the person");
        assert_eq!(sealed.sections, [Section::Contact].into());
    }

    #[test]
    fn an_override_never_stands_against_a_no() {
        let code = |outcome: Result<ReleasePlan, Refusal>| outcome.err().map(|refusal| refusal.code);
        let to_ambulance = &[Service::Ambulance];
        assert_eq!(
            code(plan_of(|draft| draft.decision = Decision::Refused, |_| (), to_ambulance)),
            Some(Code::OverrideRefused)
        );
        let childs_no = |draft: &mut ConsentDraft| (draft.assent, draft.given_by) = (Some(false), GivenBy::Parent);
        assert_eq!(code(plan_of(childs_no, |_| (), to_ambulance)), Some(Code::OverrideRefused));
        let not_mali =
            consent::Exclusion { recipient: Some(consent_sample::society("ML").into()), ..Default::default() };
        assert_eq!(
            code(plan_of(|draft| draft.exclusions = vec![not_mali], |_| (), to_ambulance)),
            Some(Code::ConsentExcluded)
        );
        let no_interpreter = consent::Exclusion { role: Some(Role::Interpreter), ..Default::default() };
        assert_eq!(code(plan_of(|draft| draft.exclusions = vec![no_interpreter], |_| (), to_ambulance)), None);
    }

    #[test]
    fn what_the_person_withholds_stays_withheld() {
        let contact = Withhold { category: DataCategory::Contact, from: None };
        let health = consent::Exclusion { category: Some(DataCategory::HealthMin), ..Default::default() };
        let plan = plan_of(
            |draft| draft.exclusions = vec![health],
            |draft| draft.restrictions.withhold = vec![contact],
            &[Service::Ambulance],
        )
        .expect("something is left");
        let categories: BTreeSet<_> = plan.fields.iter().map(|field| field.category()).collect();
        assert!(!categories.contains(&DataCategory::Contact) && !categories.contains(&DataCategory::HealthMin));
    }
}
