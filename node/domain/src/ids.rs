//! Identifiers, each parsed once into a type that cannot be wrong. Builds ids from a given instant
//! and given entropy; never reads a clock or a random source itself.

use std::{fmt, str::FromStr};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::{
    refusal::{Code, Refusal},
    time::Time,
};

/// Ten random bytes, the entropy of one UUIDv7 (RFC 9562, section 5.7).
pub type IdEntropy = [u8; 10];

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident = $what:literal),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A UUIDv7 of the instant `now`: ids sort by the time of their making.
            #[must_use]
            pub fn new(now: Time, entropy: IdEntropy) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(now.millis(), &entropy).into_uuid())
            }

            /// The 16 bytes, big-endian, as they stand in keys and on the wire.
            #[must_use]
            pub fn bytes(&self) -> [u8; 16] {
                *self.0.as_bytes()
            }

            /// Any 16 bytes read back from our own store or a signed body.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// From a byte string of foreign origin.
            ///
            /// # Errors
            /// `malformed_id` when it is not exactly 16 bytes of a UUIDv7.
            pub fn parse_bytes(bytes: &[u8]) -> Result<Self, Refusal> {
                Uuid::from_slice(bytes)
                    .ok()
                    .filter(|id| id.get_version_num() == 7)
                    .map(Self)
                    .ok_or_else(|| Refusal::new(Code::MalformedId, concat!("this is not the id of ", $what, ", a UUIDv7")))
            }
        }

        impl FromStr for $name {
            type Err = Refusal;
            fn from_str(text: &str) -> Result<Self, Refusal> {
                Uuid::try_parse(text)
                    .ok()
                    .filter(|id| id.get_version_num() == 7)
                    .map(Self)
                    .ok_or_else(|| Refusal::new(Code::MalformedId, concat!("this is not the id of ", $what, ", a UUIDv7")))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|refusal: Refusal| serde::de::Error::custom(refusal.message))
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                encoder: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                encoder.bytes(self.0.as_bytes())?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                let bytes = decoder.bytes()?;
                Self::parse_bytes(bytes).map_err(|_| minicbor::decode::Error::message(concat!("this is not the id of ", $what, ", a UUIDv7")))
            }
        }
    )+};
}

uuid_id! {
    /// An alert, and the envelope that publishes it.
    AlertId = "an alert",
    /// A local case; never leaves the node.
    CaseId = "a case",
    /// A consent record.
    ConsentId = "a consent record",
    /// An envelope; unique for its origin.
    EnvelopeId = "an envelope",
    /// An aggregate report.
    ReportId = "a report",
    /// A request of a person about what is held of them.
    RequestId = "a request",
    /// A handover; the end-to-end idempotency key of its exchange.
    HandoverId = "a handover",
    /// One life of a store: renewed whenever a store is made or restored from a backup.
    Epoch = "a life of a store",
}

impl Epoch {
    /// When this life of the store began, to the millisecond, as the clock of its node said.
    #[must_use]
    pub fn began_at(&self) -> Time {
        let mut millis = [0; 8];
        if let Some((first, _)) = self.bytes().split_first_chunk::<6>() {
            millis[2..].copy_from_slice(first);
        }
        Time::from_millis(u64::from_be_bytes(millis))
    }
}

/// An alert is known by the id of the envelope that published it; handovers and consent records may
/// stand as the subject of an entry, where any id is an envelope's.
macro_rules! subject_ids {
    ($($name:ident),+) => {$(
        impl From<$name> for EnvelopeId {
            fn from(id: $name) -> Self {
                Self(id.0)
            }
        }

        impl From<EnvelopeId> for $name {
            fn from(id: EnvelopeId) -> Self {
                Self(id.0)
            }
        }
    )+};
}
subject_ids!(AlertId, HandoverId, ConsentId, ReportId, RequestId);

/// The place of an entry in the journal, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct EntryIndex(#[n(0)] pub u64);

/// The place of an envelope in a lane, counted from 1; 0 means "none yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct Position(#[n(0)] pub u64);

impl Position {
    /// The position after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for EntryIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_the_instant_of_their_making() {
        let early = AlertId::new(Time::from_millis(1_000), [0xff; 10]);
        let late = AlertId::new(Time::from_millis(1_001), [0; 10]);
        assert!(early < late);
        assert_eq!(early.to_string().parse::<AlertId>().ok(), Some(early));
    }

    #[test]
    fn only_uuid_v7_is_an_id() {
        for text in ["", "x", "00000000-0000-0000-0000-000000000000", "550e8400-e29b-41d4-a716-446655440000"] {
            assert_eq!(text.parse::<AlertId>().map_err(|r| r.code), Err(Code::MalformedId), "{text}");
        }
        assert!(AlertId::parse_bytes(&[0; 15]).is_err());
    }
}
