//! The vocabularies of the field: closed lists of codes, each with a stable text. A code, once
//! released, keeps its text and its number; new ones are added at the end.

mod alerts;
mod events;
pub mod labels;
mod needs;
mod roles;
mod routes;
mod services;
mod sources;
mod triage;

mod categories;
mod purposes;
mod reasons;
mod sections;

pub use alerts::{Access, AckKind, Band, CancelReason, DutyPost, PlaceRole, RedactReason, Sensitivity, TransportMode};
pub use events::Event;
pub use needs::Need;
pub use roles::Role;
pub use routes::{SEGMENTS, Segment};
pub use services::Service;
pub use sources::{Basis, Confidence, Reliability, SourceType, TextOrigin, Verification};
pub use triage::{Category, Certainty, Kind, Mode, ResponseType, Severity, Urgency};

pub use categories::DataCategory;
pub use purposes::Purpose;
pub use reasons::{
    AgeBand, Capacity, CasePriority, Channel, CloseReason, CollectionMethod, Concern, FamilyVerification, GapPlan,
    GivenBy, HandoverKind, LegalBasis, MinorStatus, Necessity, NoCaregiver, OnClose, OrganisationKind, RejectReason,
    Right, Sex, SplitReason, StopReason, Storage, VitalReason, WithdrawalMethod, WitnessKind,
};
pub use sections::{Field, MATRIX, MATRIX_VERSION, Minimum, Section};

/// Defines one vocabulary: an enum whose members have a stable text (for people, files and CAP)
/// and a stable number (for canonical bytes). Text parses back; anything else is `unknown_code`.
macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($number:literal $member:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the text beside each member is its meaning")]
        pub enum $name { $($member = $number,)+ }

        impl $name {
            /// Every code of the vocabulary, in its order.
            pub const ALL: &'static [Self] = &[$(Self::$member,)+];

            /// The stable text of the code.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$member => $text,)+ }
            }

            /// The stable number of the code, as it stands in canonical bytes.
            #[must_use]
            pub fn number(self) -> u16 {
                self as u16
            }

            /// The code with this number.
            #[must_use]
            pub fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$member),)+ _ => None }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::refusal::Refusal;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$member),)+
                    _ => Err($crate::refusal::Refusal::new(
                        $crate::refusal::Code::UnknownCode,
                        concat!("not a code of the vocabulary ", stringify!($name)),
                    )),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(|refusal: $crate::refusal::Refusal| serde::de::Error::custom(refusal.message))
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                encoder: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                encoder.u16(self.number())?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                Self::from_number(decoder.u16()?)
                    .ok_or_else(|| minicbor::decode::Error::message(concat!("unknown code of ", stringify!($name))))
            }
        }
    };
}
pub(crate) use vocabulary;
