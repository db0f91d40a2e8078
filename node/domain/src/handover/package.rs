//! The case package: the person's data, in sections, of which only those travel that a service
//! needs and the person agreed to. Never journalled, never logged: Debug names the sections alone.

use std::{collections::BTreeSet, fmt};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct as _};

use super::sections::{
    Child, Contact, Family, HealthFull, HealthMin, IdentityCore, Protection, Pss, ServicesReceived, Travel,
};
use super::text::FreeText;
use crate::{
    catalogue::{Field, Section, vocabulary},
    consent::codec,
    limits::{PACKAGE_BYTES_MAX, PACKAGE_LIST_MAX},
    refusal::{Code, Refusal},
};

/// Gives the ten sections, as the fields of a package are called, to a macro.
macro_rules! each_section {
    ($make:ident) => {
        $make!(
            contact,
            identity_core,
            travel,
            family,
            health_min,
            health_full,
            pss,
            protection,
            child,
            services_received
        )
    };
}

/// A person's data, by section. In files: one table a section; attachments are added apart.
#[derive(Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields, default)]
pub struct Package {
    /// S1.
    #[n(0)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// S2.
    #[n(1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_core: Option<IdentityCore>,
    /// S3.
    #[n(2)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub travel: Option<Travel>,
    /// S4.
    #[n(3)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// S5.
    #[n(4)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_min: Option<HealthMin>,
    /// S6.
    #[n(5)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_full: Option<HealthFull>,
    /// S7.
    #[n(6)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pss: Option<Pss>,
    /// S8.
    #[n(7)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protection: Option<Protection>,
    /// S9.
    #[n(8)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child: Option<Child>,
    /// S10.
    #[n(9)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services_received: Option<ServicesReceived>,
    /// The letters of S6.
    #[n(10)]
    #[cbor(default, decode_with = "codec::list::<_, _, PACKAGE_LIST_MAX>")]
    #[serde(skip_deserializing, skip_serializing_if = "Vec::is_empty")]
    letters: Vec<Attachment>,
}

vocabulary! {
    /// What an attachment is.
    AttachmentKind {
        1 ClinicalLetter = "clinical_letter",
        2 Prescription = "prescription",
        3 TestResult = "test_result",
        4 Imaging = "imaging",
    }
}

vocabulary! {
    /// The media type of an attachment (RFC 6838): those that every reader shows and none executes.
    MediaType {
        1 Pdf = "application/pdf",
        2 Jpeg = "image/jpeg",
        3 Png = "image/png",
        4 PlainText = "text/plain",
    }
}

/// A letter to medical staff. It has no file name: names of files name people.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Attachment {
    /// What it is.
    #[n(0)]
    pub kind: AttachmentKind,
    /// Its media type.
    #[n(1)]
    pub media_type: MediaType,
    /// Its content.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
}

impl Serialize for Attachment {
    /// What it is and how long, for a list; the content is handed out apart.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Attachment", 3)?;
        fields.serialize_field("kind", &self.kind)?;
        fields.serialize_field("media_type", &self.media_type)?;
        fields.serialize_field("bytes", &self.bytes.len())?;
        fields.end()
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [redacted]", self.kind)
    }
}

impl Package {
    /// The package with those fields alone that may travel.
    #[must_use]
    pub fn restrict(&self, allowed: &BTreeSet<Field>) -> Self {
        macro_rules! restricted {
            ($($section:ident),+) => {
                Self {
                    $($section: self.$section.as_ref().and_then(|section| section.restrict(allowed)),)+
                    letters: if allowed.contains(&Field::ClinicalLetters) { self.letters.clone() } else { Vec::new() },
                }
            };
        }
        each_section!(restricted)
    }

    /// The package with these sections alone.
    #[must_use]
    pub fn only(&self, sections: &BTreeSet<Section>) -> Self {
        self.restrict(&Field::ALL.iter().copied().filter(|field| sections.contains(&field.section())).collect())
    }

    /// The package with these fields in the place of its own; letters stay as they are.
    #[must_use]
    pub fn corrected(&self, by: &Self) -> Self {
        macro_rules! corrected {
            ($($section:ident),+) => {
                Self {
                    $($section: match (&self.$section, &by.$section) {
                        (Some(own), Some(by)) => Some(own.corrected(by)),
                        (own, by) => by.clone().or_else(|| own.clone()),
                    },)+
                    letters: self.letters.clone(),
                }
            };
        }
        each_section!(corrected)
    }

    /// Two parts of one package, put together again.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let mut letters = self.letters;
        letters.extend(other.letters);
        macro_rules! joined {
            ($($section:ident),+) => {
                Self { $($section: self.$section.or(other.$section),)+ letters }
            };
        }
        each_section!(joined)
    }

    /// Whether the case is kept from a caregiver.
    #[must_use]
    pub fn has_caregiver_concern(&self) -> bool {
        self.child.as_ref().is_some_and(|child| child.caregiver_concern == Some(true))
    }

    /// The package without what would lead to, or tell, a caregiver from whom the case is kept.
    #[must_use]
    pub fn kept_from_caregiver(mut self) -> Self {
        if self.has_caregiver_concern() {
            self = self.hidden_from_caregiver();
        }
        self
    }

    /// The same, where the concern stands in a section that was not opened.
    #[must_use]
    pub fn hidden_from_caregiver(mut self) -> Self {
        if let Some(child) = &mut self.child {
            child.caregiver = None;
        }
        if let Some(contact) = &mut self.contact {
            (contact.safe_phone, contact.phone_owner, contact.safe_to_say) = (None, None, None);
        }
        self
    }

    /// Looks through what a person typed for what no section may hold: document numbers, addresses and
    /// accounts of the net, numbers outside their own field, and any account of violence.
    ///
    /// # Errors
    /// `personal_data` or `hard_blocked`, with the field.
    pub fn check_texts(&self) -> Result<(), Refusal> {
        let gbv = self.protection.as_ref().is_some_and(|section| section.gbv == Some(true));
        for (path, text) in self.texts() {
            crate::lint::check_text(text.as_str()).map_err(|refusal| refusal.at(path))?;
            let tells = matches!(path, "protection.safety_plan" | "pss.what_helps" | "health_full.note");
            if gbv && tells {
                let message = "no account of violence ever crosses the wire: codes alone";
                return Err(Refusal::new(Code::HardBlocked, message).at(path));
            }
        }
        Ok(())
    }

    /// Every free text, with its path.
    fn texts(&self) -> Vec<(&'static str, &FreeText)> {
        let contact = self.contact.as_ref();
        let travel = self.travel.as_ref();
        let health = self.health_min.as_ref();
        let protection = self.protection.as_ref();
        let child = self.child.as_ref();
        let mut texts = vec![
            ("contact.preferred_name", contact.and_then(|section| section.preferred_name.as_ref())),
            ("contact.phone_owner", contact.and_then(|section| section.phone_owner.as_ref())),
            ("contact.safe_to_say", contact.and_then(|section| section.safe_to_say.as_ref())),
            ("identity_core.full_name", self.identity_core.as_ref().and_then(|section| section.full_name.as_ref())),
            ("travel.arrival_point", travel.and_then(|section| section.arrival_point.as_ref())),
            ("travel.destination", travel.and_then(|section| section.destination.as_ref())),
            ("travel.accompanied_by", travel.and_then(|section| section.accompanied_by.as_ref())),
            ("travel.mobility_limits", travel.and_then(|section| section.mobility_limits.as_ref())),
            ("health_min.urgent_condition", health.and_then(|section| section.urgent_condition.as_ref())),
            ("health_min.medication_due", health.and_then(|section| section.medication_due.as_ref())),
            ("health_min.allergy", health.and_then(|section| section.allergy.as_ref())),
            ("health_min.infection_control", health.and_then(|section| section.infection_control.as_ref())),
            ("health_full.note", self.health_full.as_ref().and_then(|section| section.note.as_ref())),
            ("pss.what_helps", self.pss.as_ref().and_then(|section| section.what_helps.as_ref())),
            ("protection.safety_plan", protection.and_then(|section| section.safety_plan.as_ref())),
            ("protection.focal_point", protection.and_then(|section| section.focal_point.as_ref())),
            ("child.care_arrangement", child.and_then(|section| section.care_arrangement.as_ref())),
            ("child.caregiver", child.and_then(|section| section.caregiver.as_ref())),
        ];
        if let Some(family) = &self.family {
            for (path, relatives) in [
                ("family.sought", &family.sought),
                ("family.at_destination", &family.at_destination),
                ("family.no_contact", &family.no_contact),
            ] {
                for relative in relatives.iter().flat_map(|list| list.members()) {
                    texts.extend([
                        (path, relative.name.as_ref()),
                        (path, relative.relation.as_ref()),
                        (path, relative.last_contact.as_ref()),
                    ]);
                }
            }
        }
        texts.into_iter().filter_map(|(path, text)| text.map(|text| (path, text))).collect()
    }

    /// The fields that are filled in.
    #[must_use]
    pub fn fields(&self) -> BTreeSet<Field> {
        let sections = [
            self.contact.as_ref().map(Contact::fields),
            self.identity_core.as_ref().map(IdentityCore::fields),
            self.travel.as_ref().map(Travel::fields),
            self.family.as_ref().map(Family::fields),
            self.health_min.as_ref().map(HealthMin::fields),
            self.health_full.as_ref().map(HealthFull::fields),
            self.pss.as_ref().map(Pss::fields),
            self.protection.as_ref().map(Protection::fields),
            self.child.as_ref().map(Child::fields),
            self.services_received.as_ref().map(ServicesReceived::fields),
        ];
        let letters = (!self.letters.is_empty()).then_some(Field::ClinicalLetters);
        sections.into_iter().flatten().flatten().chain(letters).collect()
    }

    /// The sections that hold something.
    #[must_use]
    pub fn sections(&self) -> BTreeSet<Section> {
        self.fields().into_iter().map(Field::section).collect()
    }

    /// The letters of S6.
    #[must_use]
    pub fn letters(&self) -> &[Attachment] {
        &self.letters
    }

    /// Adds a letter to S6.
    ///
    /// # Errors
    /// `too_many` past 16 letters, `too_large` when the letter alone is longer than a package may be.
    pub fn attach(&mut self, letter: Attachment) -> Result<(), Refusal> {
        if self.letters.len() == PACKAGE_LIST_MAX {
            return Err(Refusal::new(Code::TooMany, format!("a package has at most {PACKAGE_LIST_MAX} letters")));
        }
        if letter.bytes.len() > PACKAGE_BYTES_MAX {
            return Err(too_large());
        }
        self.letters.push(letter);
        Ok(())
    }

    /// The canonical bytes, to be committed to and sealed.
    ///
    /// # Errors
    /// `missing_field` when it is empty, `malformed` for an impossible age or year, `too_large` past 5 MiB.
    pub fn to_cbor(&self) -> Result<Vec<u8>, Refusal> {
        self.check()?;
        let bytes = codec::encode(self);
        if bytes.len() > PACKAGE_BYTES_MAX { Err(too_large()) } else { Ok(bytes) }
    }

    /// Reads a package from bytes that were sealed by a peer or by ourselves.
    ///
    /// # Errors
    /// As [`Package::to_cbor`], and `malformed` when the bytes are not a package.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
        let package: Self = codec::decode(bytes, PACKAGE_BYTES_MAX, "a package")?;
        package.check()?;
        Ok(package)
    }

    /// Checks what the types of the fields leave open.
    ///
    /// # Errors
    /// `missing_field` when it is empty, `malformed` for an impossible age or year.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.fields().is_empty() {
            return Err(Refusal::new(Code::MissingField, "a package has at least one field"));
        }
        if let Some(identity) = &self.identity_core {
            if identity.age_years.is_some_and(|years| years > 130) {
                return Err(Refusal::new(Code::Malformed, "an age is at most 130 years").at("identity_core.age_years"));
            }
            if identity.birth_year.is_some_and(|year| !(1880..=2200).contains(&year)) {
                return Err(Refusal::new(Code::Malformed, "a year has four digits").at("identity_core.birth_year"));
            }
        }
        Ok(())
    }
}

fn too_large() -> Refusal {
    Refusal::new(Code::TooLarge, format!("a package has at most {PACKAGE_BYTES_MAX} bytes, letters included"))
}

impl fmt::Debug for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Package")?;
        f.debug_set().entries(self.sections().iter().map(|section| section.as_str())).finish()
    }
}
