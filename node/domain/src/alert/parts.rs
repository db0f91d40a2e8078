//! The parts that an alert is made of, as plain data. Their fields are open; what makes them right
//! together is checked by `check.rs` before an `Alert` exists.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::shape::{Country, Degrees, DutyMail, DutyPhone, Kilometres, Language};
use crate::{
    catalogue::{Band, Basis, Confidence, DutyPost, Need, PlaceRole, ResponseType, TextOrigin, TransportMode},
    ids::AlertId,
    society::Society,
    time::Time,
};

/// An earlier alert, by the triple that identifies one in CAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The Society that issued it.
    #[n(0)]
    pub origin: Society,
    /// Its id.
    #[n(1)]
    pub id: AlertId,
    /// When it was sent.
    #[n(2)]
    pub sent_at: Time,
}

/// A place.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// What it is to the event.
    #[n(0)]
    pub role: PlaceRole,
    /// Its name, at most 120 characters.
    #[n(1)]
    pub name: String,
    /// The language of the name.
    #[n(2)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<Language>,
    /// North is positive (WGS 84).
    #[n(3)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude: Option<Degrees>,
    /// East is positive (WGS 84).
    #[n(4)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude: Option<Degrees>,
    /// Within how many kilometres of the point it is.
    #[n(5)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision_km: Option<Kilometres>,
    /// The country (ISO 3166-1).
    #[n(6)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    /// The name of the first-level region, at most 120 characters.
    #[n(7)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin1: Option<String>,
    /// The OCHA P-code, which is not an ISO 3166-2 code even where it looks like one.
    #[n(8)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pcode: Option<String>,
    /// The edition of the P-code list; needed with a P-code, since lists change.
    #[n(9)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pcode_version: Option<String>,
    /// The id in GeoNames.
    #[n(10)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geonames_id: Option<u32>,
}

/// A number of people: `min <= best <= max`, at most a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(from = "CountInFile")]
pub struct Count {
    /// At least so many.
    #[n(0)]
    pub min: u32,
    /// At most so many.
    #[n(1)]
    pub max: u32,
    /// The best figure there is.
    #[n(2)]
    pub best: u32,
    /// How it came about.
    #[n(3)]
    pub basis: Basis,
}

/// A count as files give it: without a range, `min` and `max` are the best figure.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CountInFile {
    min: Option<u32>,
    max: Option<u32>,
    best: u32,
    basis: Basis,
}

impl From<CountInFile> for Count {
    fn from(file: CountInFile) -> Self {
        Self {
            min: file.min.unwrap_or(file.best),
            max: file.max.unwrap_or(file.best),
            best: file.best,
            basis: file.basis,
        }
    }
}

macro_rules! people {
    ($($(#[$doc:meta])* $number:literal $name:ident,)+) => {
        /// How many people, column by column. The dead and the missing are columns of their own.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
        #[cbor(map)]
        #[serde(default, deny_unknown_fields)]
        pub struct People {
            $($(#[$doc])* #[n($number)] #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<Count>,)+
        }

        impl People {
            /// The columns that are filled in, by name.
            pub fn columns(&self) -> impl Iterator<Item = (&'static str, Count)> {
                [$((stringify!($name), self.$name)),+].into_iter().filter_map(|(name, count)| Some((name, count?)))
            }

            /// The column called `name`, to fill it in.
            #[must_use]
            pub fn column_mut(&mut self, name: &str) -> Option<&mut Option<Count>> {
                match name { $(stringify!($name) => Some(&mut self.$name),)+ _ => None }
            }
        }
    };
}

people! {
    /// All people concerned.
    0 total,
    /// Women.
    1 women,
    /// Girls under 18.
    2 girls,
    /// Boys under 18.
    3 boys,
    /// Men.
    4 men,
    /// Unaccompanied and separated children.
    5 uasc,
    /// Pregnant women.
    6 pregnant,
    /// People with a disability.
    7 disabled,
    /// Injured or ill.
    8 injured,
    /// Found dead.
    9 dead,
    /// Missing, as a minimum estimate.
    10 missing,
    /// Survivors.
    11 survivors,
}

impl People {
    /// Whether no column is filled in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// People of one nationality, as a band.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nationality {
    /// The country (ISO 3166-1).
    #[n(0)]
    pub country: Country,
    /// How many; a band under five is refused, since it can point at persons.
    #[n(1)]
    pub band: Band,
}

/// An expected arrival.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Eta {
    /// The name of one of the alert's places.
    #[n(0)]
    pub place: String,
    /// At the earliest.
    #[n(1)]
    pub from: Time,
    /// At the latest.
    #[n(2)]
    pub to: Option<Time>,
    /// By what.
    #[n(3)]
    pub mode: TransportMode,
    /// How sure it is.
    #[n(4)]
    pub confidence: Option<Confidence>,
}

/// A need.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct NeedLine {
    /// What.
    #[n(0)]
    pub need: Need,
    /// 1 (first) to 3.
    #[n(1)]
    pub priority: u8,
    /// For how many people.
    #[n(2)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Band>,
}

/// Something asked or offered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Of which kind (CAP `responseType`).
    #[n(0)]
    pub response: ResponseType,
    /// Of or by whom, at most 280 characters (CAP `audience`).
    #[n(1)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// In words, at most 280 characters.
    #[n(2)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A duty post and how to reach it. There is no field for the name of a person.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Which post.
    #[n(0)]
    pub role: DutyPost,
    /// Its telephone.
    #[n(1)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<DutyPhone>,
    /// Its mailbox.
    #[n(2)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<DutyMail>,
}

/// The words of an alert in one language (CAP `info`).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The language.
    #[n(0)]
    pub lang: Language,
    /// At most 160 characters.
    #[n(1)]
    pub headline: String,
    /// The name of the event in this language, at most 160 characters, where the vocabulary has none.
    #[n(2)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_label: Option<String>,
    /// What happened, at most 20,000 characters.
    #[n(3)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What to do, at most 20,000 characters.
    #[n(4)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// Who wrote it; a person, unless stated.
    #[n(5)]
    #[serde(default = "human")]
    pub origin: TextOrigin,
    /// Whether a person who reads the language reviewed it.
    #[n(6)]
    #[serde(default)]
    pub reviewed: bool,
}

fn human() -> TextOrigin {
    TextOrigin::Human
}

/// The exact bytes of the document that an alert was imported from: signatures and digests hold over these alone.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Original {
    /// Such as `application/cap+xml`.
    #[n(0)]
    pub media_type: String,
    /// The bytes; in files as base64 (RFC 4648).
    #[cbor(n(1), with = "minicbor::bytes")]
    #[serde(with = "as_base64")]
    pub bytes: Vec<u8>,
}

mod as_base64 {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(|_| serde::de::Error::custom("not base64"))
    }
}
