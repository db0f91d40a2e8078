//! The consent record: what a person agreed to, as proof that can travel. It carries no name, no
//! number and no recording; evidence stays where it was taken and is named by its digest.
//!
//! Fields follow ISO/IEC TS 27560:2023 (through the W3C DPV guide) and the Kantara consent receipt 1.1.

use std::ops::Deref;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize, Serializer};

use super::{
    codec,
    obligations::ConsentRef,
    recipient::Recipient,
    state::ConsentEvent,
    subject::SubjectRef,
    validate,
    words::{Country, Language, Tag},
};
use crate::{
    catalogue::{
        AgeBand, Capacity, CollectionMethod, DataCategory, GivenBy, LegalBasis, Necessity, NoCaregiver, Purpose, Right,
        Role, Service, Sex, Storage, WithdrawalMethod, WitnessKind,
    },
    digest::Digest,
    ids::ConsentId,
    limits::CONSENT_BYTES_MAX,
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};

/// The version of the record's fields that this release writes and understands.
pub const SCHEMA: u16 = 1;

/// The fields of a consent record. Read through [`ConsentRecord`], which alone is known to be valid.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Consent {
    /// The version of these fields (`schema_version`).
    #[n(0)]
    pub schema: u16,
    /// The record (`record_id`).
    #[n(1)]
    pub id: ConsentId,
    /// Which version of the record, counted from 1; each new confirmation makes the next.
    #[n(2)]
    pub version: u32,
    /// The person, by a pseudonym (`pii_principal_id`).
    #[n(3)]
    pub subject: SubjectRef,
    /// The Societies that answer for the data (`pii_controllers`). Their contact stands in their bundle.
    #[n(4)]
    pub controllers: Vec<Society>,
    /// The country whose law governs it (`jurisdiction`).
    #[n(5)]
    pub jurisdiction: Country,
    /// The language that was spoken (`language`).
    #[n(6)]
    pub language: Language,
    /// The languages that the person understands.
    #[n(7)]
    pub understands: Vec<Language>,
    /// The interpreter, where there was one.
    #[n(8)]
    pub interpreter: Option<Interpreter>,
    /// The script that was read out (`privacy_notice`).
    #[n(9)]
    pub notice: Notice,
    /// What was agreed to, one entry a tick (`purposes`).
    #[n(10)]
    pub purposes: Vec<PurposeGrant>,
    /// Who may receive it, by name (`recipient_third_parties`). Who joins the network later is not among them.
    #[n(11)]
    pub recipients: Vec<Recipient>,
    /// The countries in which the data may be (`geographic_restrictions`).
    #[n(12)]
    pub countries: Vec<Country>,
    /// What is excluded whatever else is agreed to (FHIR: a nested provision of type deny).
    #[n(13)]
    #[cbor(default)]
    pub exclusions: Vec<Exclusion>,
    /// Where the data is kept (`storage_locations`).
    #[n(14)]
    pub storage: Vec<Storage>,
    /// Until when the data is kept at most (`retention_period`).
    #[n(15)]
    pub retention_until: Time,
    /// How to take it back (`withdrawal_method`).
    #[n(16)]
    pub withdrawal: Vec<WithdrawalMethod>,
    /// The rights that were explained (`privacy_rights`).
    #[n(17)]
    pub rights: Vec<Right>,
    /// Where to complain, by the authority's code (`authority_party`).
    #[n(18)]
    pub complaint_to: Option<Tag>,
    /// How it was given (`collectionMethod`).
    #[n(19)]
    pub collection: CollectionMethod,
    /// Who gave it (`entity_id`, as a part).
    #[n(20)]
    pub given_by: GivenBy,
    /// Whether the person could decide.
    #[n(21)]
    pub capacity: Capacity,
    /// The person's age, as a band.
    #[n(22)]
    pub age_band: AgeBand,
    /// A child's own yes or no, where somebody else decided; none when the child was not asked.
    #[n(23)]
    pub assent: Option<bool>,
    /// Who witnessed it, by role.
    #[n(24)]
    #[cbor(default)]
    pub witnesses: Vec<Role>,
    /// The digest of the recording or paper, which stays at the collecting node.
    #[n(25)]
    pub evidence: Option<Digest>,
    /// From this instant on it is in force.
    #[n(26)]
    pub valid_from: Time,
    /// Before this instant it is in force.
    #[n(27)]
    pub valid_until: Time,
    /// What has happened to it when it was written (`events`).
    #[n(28)]
    pub events: Vec<ConsentEvent>,
    /// Why no caregiver decided for a minor, where somebody else did.
    #[n(29)]
    pub no_caregiver: Option<NoCaregiver>,
    /// How a child's own yes was given, where somebody else decided.
    #[n(30)]
    pub assent_form: Option<CollectionMethod>,
    /// Who witnessed it, where that was nobody with a role at the Society, or where they want it said.
    #[n(31)]
    pub witnessed_by: Option<WitnessKind>,
    /// When a minor comes of age, as far as is known; the end of that year where only the year is.
    #[n(32)]
    pub of_age_at: Option<Time>,
}

/// The notice that was explained, and whether it was understood.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Which script.
    #[n(0)]
    pub reference: Tag,
    /// Which version of it.
    #[n(1)]
    pub version: u32,
    /// The digest of the exact text.
    #[n(2)]
    pub hash: Digest,
    /// The language that it was read in.
    #[n(3)]
    pub language: Language,
    /// Whether the person could say it back in their own words.
    #[n(4)]
    pub understood: bool,
}

/// An interpreter, by what matters and not by name.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Interpreter {
    /// The language interpreted into.
    #[n(0)]
    pub language: Language,
    /// The interpreter's sex, which decides what can be told.
    #[n(1)]
    pub sex: Option<Sex>,
    /// Whether the interpreter signed the pledge of confidentiality.
    #[n(2)]
    pub confidentiality_signed: bool,
}

/// One tick: a purpose, for a service, with the data that it may use.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct PurposeGrant {
    /// The purpose.
    #[n(0)]
    pub purpose: Purpose,
    /// The one service that it is limited to; every service of the purpose when there is none.
    #[n(1)]
    pub service: Option<Service>,
    /// The categories of data that may be used.
    #[n(2)]
    pub categories: Vec<DataCategory>,
    /// Those among them that the person gave without having to (`pii_optional`).
    #[n(3)]
    #[cbor(default)]
    #[serde(default)]
    pub optional: Vec<DataCategory>,
    /// The legal basis (`lawful_basis`).
    #[n(4)]
    #[serde(default = "by_consent")]
    pub basis: LegalBasis,
    /// Whether the service can be given without it.
    #[n(5)]
    #[serde(default = "required")]
    pub necessity: Necessity,
    /// Whether it is the primary purpose of the collection (Kantara `primaryPurpose`).
    #[n(6)]
    #[serde(default = "yes")]
    pub primary: bool,
}

fn by_consent() -> LegalBasis {
    LegalBasis::Consent
}

fn required() -> Necessity {
    Necessity::Required
}

fn yes() -> bool {
    true
}

/// What the person excluded. All parts that are given must fit for it to apply; at least one is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields, default)]
pub struct Exclusion {
    /// This recipient.
    #[n(0)]
    pub recipient: Option<Recipient>,
    /// People with this role at the recipient.
    #[n(1)]
    pub role: Option<Role>,
    /// Anybody in this country.
    #[n(2)]
    pub country: Option<Country>,
    /// This category of data.
    #[n(3)]
    pub category: Option<DataCategory>,
}

/// A valid consent record, together with the exact bytes that its hash is of: fields that a newer
/// release added stay in them.
#[derive(Clone, PartialEq, Eq)]
pub struct ConsentRecord {
    fields: Consent,
    bytes: Box<[u8]>,
}

impl ConsentRecord {
    /// Seals valid fields into a record.
    ///
    /// # Errors
    /// Every fault found, each with the path of its field.
    pub(super) fn from_fields(fields: Consent) -> Result<Self, Vec<Refusal>> {
        validate::faults(&fields).into_result()?;
        let bytes = codec::encode(&fields).into_boxed_slice();
        if bytes.len() > CONSENT_BYTES_MAX {
            let message = format!("a consent record has at most {CONSENT_BYTES_MAX} bytes");
            return Err(vec![Refusal::new(Code::TooLarge, message)]);
        }
        Ok(Self { fields, bytes })
    }

    /// Reads a record from canonical bytes of foreign origin. Fields unknown to this release are kept in the bytes.
    ///
    /// # Errors
    /// `too_large`, `malformed`, or the first fault that validation finds.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
        let fields: Consent = codec::decode(bytes, CONSENT_BYTES_MAX, "a consent record")?;
        validate::faults(&fields).into_first()?;
        Ok(Self { fields, bytes: bytes.into() })
    }

    /// The exact bytes that the hash is of.
    #[must_use]
    pub fn to_cbor(&self) -> &[u8] {
        &self.bytes
    }

    /// By which offers and releases refer to this record.
    #[must_use]
    pub fn reference(&self) -> ConsentRef {
        ConsentRef { id: self.fields.id, version: self.fields.version, hash: Digest::of(&self.bytes) }
    }
}

impl Deref for ConsentRecord {
    type Target = Consent;
    fn deref(&self) -> &Consent {
        &self.fields
    }
}

impl std::fmt::Debug for ConsentRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.fields.fmt(f)
    }
}

impl Serialize for ConsentRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields.serialize(serializer)
    }
}

impl<C> Encode<C> for ConsentRecord {
    /// As a byte string, so that the bytes that the hash is of survive whatever carries them.
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.bytes(&self.bytes)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for ConsentRecord {
    fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::from_cbor(decoder.bytes()?).map_err(|_| minicbor::decode::Error::message("not a valid consent record"))
    }
}
