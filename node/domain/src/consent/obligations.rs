//! What binds whoever receives data: restrictions that the person set, and the obligations that
//! travel with a release.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{faults::Faults, recipient::Recipient};
use crate::{
    catalogue::{Channel, DataCategory, OnClose},
    digest::Digest,
    ids::{ConsentId, HandoverId},
    limits::CONSENT_LIST_MAX,
    refusal::Code,
    time::Time,
};

/// Which consent record, in which version, with which bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct ConsentRef {
    /// The record.
    #[n(0)]
    pub id: ConsentId,
    /// Its version, counted from 1.
    #[n(1)]
    pub version: u32,
    /// The SHA-256 digest of its canonical bytes.
    #[n(2)]
    pub hash: Digest,
}

impl ConsentRef {
    /// What stands in the place of a record where the person could not be asked: for an override alone. It is known by the
    /// id of its handover, so that the person can stop it as they can take back a consent. No record has the version 0.
    #[must_use]
    pub fn none(handover: HandoverId) -> Self {
        Self { id: ConsentId::from_bytes(handover.bytes()), version: 0, hash: Digest::default() }
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.version == 0
    }
}

/// What the person asked for in one handover.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields, default)]
pub struct Restrictions {
    /// Nobody else may receive it, whatever the consent record says.
    #[n(0)]
    #[cbor(default)]
    pub no_onward: bool,
    /// What is withheld, and from whom.
    #[n(1)]
    #[cbor(default)]
    pub withhold: Vec<Withhold>,
    /// How the person may be contacted without harm.
    #[n(2)]
    pub contact: Option<ContactSafety>,
    /// What happens to the data at the end; erased when not said.
    #[n(3)]
    pub on_close: Option<OnClose>,
}

/// A category that is not told.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Withhold {
    /// What is withheld.
    #[n(0)]
    pub category: DataCategory,
    /// From whom; from every recipient when not said.
    #[n(1)]
    pub from: Option<Recipient>,
}

/// Whether and how the person may be called: a phone is often somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct ContactSafety {
    /// Whether calling is safe at all.
    #[n(0)]
    pub safe_to_call: bool,
    /// The channel to use.
    #[n(1)]
    pub channel: Option<Channel>,
    /// From this full hour on, UTC, 0 to 23.
    #[n(2)]
    pub from_hour: Option<u8>,
    /// Until this full hour, UTC, 0 to 23.
    #[n(3)]
    pub until_hour: Option<u8>,
    /// Whether the caller has to say the word that was agreed with the person; the word itself is in the package.
    #[n(4)]
    #[cbor(default)]
    #[serde(default)]
    pub code_word: bool,
}

/// What whoever receives the data is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Obligations {
    /// The consent that it rests on.
    #[n(0)]
    pub consent: ConsentRef,
    /// The last instant at which the data may still be kept.
    #[n(1)]
    pub retention_until: Time,
    /// What happens to the data when the handover ends.
    #[n(2)]
    pub on_close: OnClose,
    /// Whether nobody else may receive it.
    #[n(3)]
    pub no_onward: bool,
    /// How the person may be contacted without harm.
    #[n(4)]
    pub contact: Option<ContactSafety>,
}

impl Restrictions {
    /// Whether `category` is withheld from `recipient`.
    #[must_use]
    pub fn withholds(&self, category: DataCategory, recipient: &Recipient) -> bool {
        self.withhold.iter().any(|withhold| {
            withhold.category == category && withhold.from.as_ref().is_none_or(|from| from == recipient)
        })
    }

    pub(crate) fn check(&self, path: &str, faults: &mut Faults) {
        faults.list(&format!("{path}.withhold"), &self.withhold, 0, CONSENT_LIST_MAX);
        if let Some(contact) = &self.contact {
            contact.check(&format!("{path}.contact"), faults);
        }
    }
}

impl ContactSafety {
    pub(crate) fn check(&self, path: &str, faults: &mut Faults) {
        for (name, hour) in [("from_hour", self.from_hour), ("until_hour", self.until_hour)] {
            if hour.is_some_and(|hour| hour > 23) {
                faults.add(Code::Malformed, format!("{path}.{name}"), "an hour is 0 to 23, in UTC");
            }
        }
    }
}
