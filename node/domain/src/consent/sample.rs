//! A fictional consent for the tests of this crate: the demo's own, given to the Malian Red Cross's
//! caseworker and naming Mali and Senegal. Each test changes what it is about.

use super::{
    covers::CoverageRequest,
    draft::{ConsentDraft, RecordContext},
    obligations::Restrictions,
    record::ConsentRecord,
    subject::SubjectRef,
};
use crate::{
    catalogue::Service,
    ids::{CaseId, ConsentId},
    society::Society,
    time::Time,
};

pub(crate) const NOW: Time = Time::from_millis(1_795_500_000_000);

pub(crate) fn society(code: &str) -> Society {
    code.parse().expect("a Society")
}

pub(crate) fn subject() -> SubjectRef {
    SubjectRef::derive(&[1; 32], CaseId::new(NOW, [1; 10]))
}

pub(crate) fn draft() -> ConsentDraft {
    toml::from_str(include_str!("../../../../config/demo/consent.toml")).expect("the demo's consent is a draft")
}

pub(crate) fn context() -> RecordContext {
    RecordContext { id: ConsentId::new(NOW, [2; 10]), subject: subject(), society: society("SN"), now: NOW }
}

pub(crate) fn record_of(draft: ConsentDraft) -> ConsentRecord {
    ConsentRecord::from_draft(draft, context()).expect("the draft is valid")
}

pub(crate) fn record() -> ConsentRecord {
    record_of(draft())
}

/// Transport to the family by the Mali Red Cross, with all that it may carry, a minute later.
pub(crate) fn request(record: &ConsentRecord) -> CoverageRequest {
    let service = Service::TransportFamily;
    CoverageRequest {
        subject: subject(),
        consent: record.reference(),
        purpose: service.purpose(),
        service,
        recipient: society("ML").into(),
        role: None,
        country: society("ML").into(),
        categories: service.minimal_categories(),
        onward: false,
        restrictions: Restrictions::default(),
        now: Time::from_millis(NOW.millis() + 60_000),
    }
}
