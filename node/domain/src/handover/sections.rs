//! The sections of a case package, field by field. Each field has its code in the catalogue, by
//! which consent lets it travel or not. What no section has a field for cannot be sent.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize};

use super::text::{BirthDate, FreeText, PhoneNumber};
use crate::{
    catalogue::{Channel, Concern, FamilyVerification, Field, Service, Sex},
    consent::{Country, Language, Tag, codec},
    limits::PACKAGE_LIST_MAX,
    society::Society,
    time::Time,
};

/// A list of at most 16 members.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Listed<T>(Vec<T>);

impl<T> Listed<T> {
    /// The members.
    #[must_use]
    pub fn members(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Listed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Vec::deserialize(deserializer)?;
        if members.len() > PACKAGE_LIST_MAX {
            return Err(serde::de::Error::custom(format!(
                "a list of a package has at most {PACKAGE_LIST_MAX} members"
            )));
        }
        Ok(Self(members))
    }
}

impl<C, T: Encode<C>> Encode<C> for Listed<T> {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.0.encode(encoder, ctx)
    }
}

impl<'b, C, T: Decode<'b, C>> Decode<'b, C> for Listed<T> {
    fn decode(decoder: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        codec::list::<_, _, PACKAGE_LIST_MAX>(decoder, ctx).map(Self)
    }
}

/// Defines a part of a package, all of whose fields may be absent and none of which shows in Debug.
macro_rules! part {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $number:literal $field:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
        #[cbor(map)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$field_doc])* #[n($number)] #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)+
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("[redacted]")
            }
        }
    };
}

/// Defines a section: a part of which each field has its code in the catalogue.
macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $number:literal $field:ident: $type:ty = $code:ident,)+ }) => {
        part! { $(#[$doc])* $name { $($(#[$field_doc])* $number $field: $type,)+ } }

        impl $name {
            /// The section with those fields alone that may travel; none when nothing is left.
            #[must_use]
            pub fn restrict(&self, allowed: &BTreeSet<Field>) -> Option<Self> {
                let kept = Self {
                    $($field: if allowed.contains(&Field::$code) { self.$field.clone() } else { None },)+
                };
                (kept != Self::default()).then_some(kept)
            }

            /// The section with these fields in the place of its own.
            #[must_use]
            pub fn corrected(&self, by: &Self) -> Self {
                Self { $($field: by.$field.clone().or_else(|| self.$field.clone()),)+ }
            }

            /// The fields that are filled in.
            #[must_use]
            pub fn fields(&self) -> Vec<Field> {
                [$(self.$field.is_some().then_some(Field::$code),)+].into_iter().flatten().collect()
            }
        }
    };
}

section! {
    /// S1: how to greet and reach the person.
    Contact {
        /// The name that the person wants to be called by.
        0 preferred_name: FreeText = PreferredName,
        /// A number that is safe to use.
        1 safe_phone: PhoneNumber = SafePhone,
        /// Whose phone it is.
        2 phone_owner: FreeText = PhoneOwner,
        /// What may be said to whoever answers, and the word agreed upon.
        3 safe_to_say: FreeText = SafeToSay,
        /// The channel to use.
        4 channel: Channel = Channel,
        /// The language to speak.
        5 language: Language = SpokenLanguage,
        /// Whether an interpreter is needed.
        6 interpreter: bool = Interpreter,
    }
}

section! {
    /// S2: who the person is, where a list has to name them.
    IdentityCore {
        /// The full name, in the person's own order.
        0 full_name: FreeText = FullName,
        /// The sex.
        1 sex: Sex = Sex,
        /// The age in years.
        2 age_years: u8 = AgeYears,
        /// The year of birth.
        3 birth_year: u16 = BirthYear,
        /// The full date of birth; travels for family links alone.
        4 birth_date: BirthDate = BirthDate,
        /// The nationality that the person states; never verified with a consulate.
        5 nationality: Country = Nationality,
    }
}

section! {
    /// S3: the journey still ahead. Nothing of the journey behind.
    Travel {
        /// Where the person arrives.
        0 arrival_point: FreeText = ArrivalPoint,
        /// When.
        1 eta: Time = Eta,
        /// The town or village of destination.
        2 destination: FreeText = Destination,
        /// Who travels along.
        3 accompanied_by: FreeText = AccompaniedBy,
        /// What limits the person's movement.
        4 mobility_limits: FreeText = MobilityLimits,
    }
}

part! {
    /// A relative.
    Relative {
        /// The name.
        0 name: FreeText,
        /// The relation to the person.
        1 relation: FreeText,
        /// A number.
        2 phone: PhoneNumber,
        /// When and where they were last in contact.
        3 last_contact: FreeText,
    }
}

section! {
    /// S4: relatives, and those whom the person does not want to be found by.
    Family {
        /// Relatives whom the person looks for.
        0 sought: Listed<Relative> = Sought,
        /// Relatives at the destination.
        1 at_destination: Listed<Relative> = AtDestination,
        /// Relatives who must not be contacted.
        2 no_contact: Listed<Relative> = NoContact,
    }
}

section! {
    /// S5: the urgent medical facts, as a driver may know them.
    HealthMin {
        /// A condition that cannot wait.
        0 urgent_condition: FreeText = UrgentCondition,
        /// Which medication is due, and when.
        1 medication_due: FreeText = MedicationDue,
        /// An allergy.
        2 allergy: FreeText = Allergy,
        /// A pregnancy.
        3 pregnancy: bool = Pregnancy,
        /// What protects others from an infection.
        4 infection_control: FreeText = InfectionControl,
    }
}

section! {
    /// S6: the clinical side, for medical staff alone. Its letters are the package's attachments.
    HealthFull {
        /// A note to the colleague who takes over.
        0 note: FreeText = ClinicalNote,
    }
}

section! {
    /// S7: psychosocial support, without any account of events.
    Pss {
        /// Whether there is a risk to life.
        0 risk_flag: bool = RiskFlag,
        /// What helps.
        1 what_helps: FreeText = WhatHelps,
        /// Whether the person asked to be referred.
        2 referral_requested: bool = ReferralRequested,
    }
}

section! {
    /// S8: protection, sealed. Concerns as codes; no account of events ever crosses the wire.
    Protection {
        /// The concerns.
        0 concerns: Listed<Concern> = Concerns,
        /// What keeps the person safe.
        1 safety_plan: FreeText = SafetyPlan,
        /// The colleague who answers for it.
        2 focal_point: FreeText = FocalPoint,
        /// Whether a specialist for gender-based violence is to take it.
        3 gbv: bool = GbvFlag,
    }
}

section! {
    /// S9: a child's care, sealed.
    Child {
        /// How the child is cared for.
        0 care_arrangement: FreeText = CareArrangement,
        /// By whom.
        1 caregiver: FreeText = Caregiver,
        /// Whether the case is kept from the caregiver.
        2 caregiver_concern: bool = CaregiverConcern,
        /// The best-interest assessment, by its code.
        3 best_interest_ref: Tag = BestInterestRef,
        /// How far the family link was verified.
        4 family_verification: FamilyVerification = FamilyLink,
    }
}

/// A service that the person has had already.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Received {
    /// The service.
    #[n(0)]
    pub service: Service,
    /// When.
    #[n(1)]
    pub at: Time,
    /// From which Society.
    #[n(2)]
    pub from: Society,
}

section! {
    /// S10: what was given already, so that nobody asks again.
    ServicesReceived {
        /// The services.
        0 received: Listed<Received> = Received,
    }
}
