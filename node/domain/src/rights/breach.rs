//! What is written down after a breach of personal data: times, codes and counts, so that it can be shown to an
//! authority and to those whom it concerns. Names nobody.

use minicbor::{Decode, Encode};
use serde::Serialize;

use crate::{
    catalogue::DataCategory,
    limits::LIST_MAX,
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};

/// A breach, as the data protection officer records it; a later record of the same node says more.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Breach {
    /// The Society whose node it happened at.
    #[n(0)]
    pub node: Society,
    /// When it was detected.
    #[n(1)]
    pub detected_at: Time,
    /// When it was contained.
    #[n(2)]
    pub contained_at: Option<Time>,
    /// What data it touched.
    #[n(3)]
    pub categories: Vec<DataCategory>,
    /// How many persons, as far as is known.
    #[n(4)]
    pub subjects: u32,
    /// Which peers were told.
    #[n(5)]
    pub peers_told: Vec<Society>,
    /// When the authority was told, where the law has it told.
    #[n(6)]
    pub authority_told_at: Option<Time>,
    /// When the persons were told.
    #[n(7)]
    pub subjects_told_at: Option<Time>,
}

impl Breach {
    /// Checks its times and bounds.
    ///
    /// # Errors
    /// `bad_times` or `too_many`, with the field.
    pub fn check(&self, now: Time) -> Result<(), Refusal> {
        if self.categories.len() > LIST_MAX || self.peers_told.len() > LIST_MAX {
            return Err(Refusal::new(Code::TooMany, format!("each list has at most {LIST_MAX} members")));
        }
        let later = [
            ("contained_at", self.contained_at),
            ("authority_told_at", self.authority_told_at),
            ("subjects_told_at", self.subjects_told_at),
        ];
        let wrong = |time: Time| time < self.detected_at || time > now;
        if self.detected_at > now {
            return Err(Refusal::new(Code::BadTimes, "a breach is detected before it is recorded").at("detected_at"));
        }
        match later.into_iter().find(|(_, time)| time.is_some_and(wrong)) {
            Some((field, _)) => {
                let message = "this comes after the breach was detected, and before it is recorded";
                Err(Refusal::new(Code::BadTimes, message).at(field))
            }
            None => Ok(()),
        }
    }
}
