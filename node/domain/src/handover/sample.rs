//! A fictional handover for the tests of this crate: the demo's own, from Senegal to Mali.

use super::{
    offer::{HandoverDraft, Offer, OfferContext},
    package::Package,
    release::Case,
    text::CaseShortCode,
};
use crate::{
    consent::{ConsentRecord, sample},
    ids::HandoverId,
};

pub(crate) fn draft() -> HandoverDraft {
    toml::from_str(include_str!("../../../../config/demo/handover.toml")).expect("the demo's handover is a draft")
}

pub(crate) fn context_under(record: &ConsentRecord) -> OfferContext {
    OfferContext {
        id: HandoverId::new(sample::NOW, [3; 10]),
        from: sample::society("SN"),
        subject: sample::subject(),
        short_code: CaseShortCode::from_entropy([1, 2, 3, 4, 5]),
        consent: record.reference(),
        now: sample::NOW,
    }
}

pub(crate) fn context() -> OfferContext {
    context_under(&sample::record())
}

pub(crate) fn offer_under(record: &ConsentRecord) -> Offer {
    Offer::from_draft(draft(), context_under(record)).expect("the draft is valid")
}

pub(crate) fn offer() -> Offer {
    offer_under(&sample::record())
}

/// An offer on a record that nothing has happened to, at the moment of the samples.
pub(crate) fn case<'a>(offer: &'a Offer, record: &'a ConsentRecord) -> Case<'a> {
    Case { offer, subject: offer.subject, record: Some(record), events: &[], now: sample::NOW }
}

pub(crate) fn package() -> Package {
    toml::from_str(include_str!("../../../../config/demo/package.toml")).expect("the demo's package is one")
}
