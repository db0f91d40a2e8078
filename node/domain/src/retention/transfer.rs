//! On what basis data about a person may go from one country to another. Legal bases are per pair of
//! states and dated, because law and politics change: a transfer without one that holds today is refused.

use crate::{catalogue::vocabulary, society::Society, time::Time};

vocabulary! {
    /// What kind of basis it is.
    TransferGround {
        1 Agreement = "agreement",
        2 Adequacy = "adequacy",
        3 Authorisation = "authorisation",
        4 CommunityAct = "community_act",
        5 ExplicitConsent = "explicit_consent",
        6 VitalInterest = "vital_interest",
    }
}

/// A basis for transfers from one country to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The country that the data leave, by the Society there.
    pub from: Society,
    /// The country in which they will lie.
    pub to: Society,
    /// The ground.
    pub ground: TransferGround,
    /// From when on it holds.
    pub valid_from: Time,
    /// Until when; absent while nobody has ended it.
    pub valid_until: Option<Time>,
    /// Where it is written down: the title or number of the paper. Never about a person.
    pub note: String,
}

impl Transfer {
    /// Whether it is the basis of a transfer between these countries at `now`.
    #[must_use]
    pub fn holds(&self, from: Society, to: Society, now: Time) -> bool {
        self.from == from && self.to == to && self.valid_from <= now && self.valid_until.is_none_or(|until| now < until)
    }
}
