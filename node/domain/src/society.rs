//! The National Societies: their codes, names and working languages (ISO 3166-1 alpha-2).

use std::{fmt, str::FromStr};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::refusal::{Code, Refusal};

/// A National Society, by the ISO 3166-1 alpha-2 code of its country.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Society([u8; 2]);

/// What is known of a member of the network.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The Society's code.
    pub society: Society,
    /// ISO 3166-1 alpha-3 code of its country.
    pub alpha3: &'static str,
    /// The Society's own name, in English.
    pub name: &'static str,
    /// Working languages of its screens and alerts, BCP 47, the first one first.
    pub languages: &'static [&'static str],
}

const fn member(code: [u8; 2], alpha3: &'static str, name: &'static str, languages: &'static [&'static str]) -> Member {
    Member { society: Society(code), alpha3, name, languages }
}

/// The ten founding members of the Sahel+ network, by code.
pub const MEMBERS: [Member; 10] = [
    member(*b"BF", "BFA", "Burkinabe Red Cross Society", &["fr"]),
    member(*b"CV", "CPV", "Red Cross of Cape Verde", &["pt"]),
    member(*b"GM", "GMB", "The Gambia Red Cross Society", &["en"]),
    member(*b"GN", "GIN", "Red Cross Society of Guinea", &["fr"]),
    member(*b"GW", "GNB", "Red Cross Society of Guinea-Bissau", &["pt"]),
    member(*b"ML", "MLI", "Mali Red Cross", &["fr"]),
    member(*b"MR", "MRT", "Mauritanian Red Crescent", &["ar", "fr"]),
    member(*b"NE", "NER", "Red Cross Society of Niger", &["fr", "en"]),
    member(*b"SN", "SEN", "Senegalese Red Cross Society", &["fr"]),
    member(*b"TD", "TCD", "Red Cross of Chad", &["fr", "ar"]),
];

impl Society {
    /// The country of a founding member, in English: where its node's data lie. Of others the code is all that is known.
    #[must_use]
    pub fn country(&self) -> String {
        let name = match self.code() {
            "BF" => "Burkina Faso",
            "CV" => "Cabo Verde",
            "GM" => "The Gambia",
            "GN" => "Guinea",
            "GW" => "Guinea-Bissau",
            "ML" => "Mali",
            "MR" => "Mauritania",
            "NE" => "Niger",
            "SN" => "Senegal",
            "TD" => "Chad",
            code => return format!("the country {code}"),
        };
        name.to_owned()
    }

    /// The two letters, upper case.
    #[must_use]
    pub fn code(&self) -> &str {
        // The bytes are ASCII letters by construction, so this never falls back.
        std::str::from_utf8(&self.0).unwrap_or("??")
    }

    /// The two bytes, as they stand in keys.
    #[must_use]
    pub fn bytes(&self) -> [u8; 2] {
        self.0
    }

    /// From two bytes of foreign origin.
    ///
    /// # Errors
    /// `malformed_society` unless both are upper-case ASCII letters.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, Refusal> {
        match bytes {
            [a @ b'A'..=b'Z', b @ b'A'..=b'Z'] => Ok(Self([*a, *b])),
            _ => Err(Refusal::new(Code::MalformedSociety, "a Society is named by two upper-case letters, such as SN")),
        }
    }

    /// What is known of this Society when it is one of the founding members.
    #[must_use]
    pub fn member(&self) -> Option<&'static Member> {
        MEMBERS.iter().find(|member| member.society == *self)
    }

    /// The trust domain of the Society: the host part of its SPIFFE IDs.
    #[must_use]
    pub fn trust_domain(&self) -> String {
        format!("{}.sahelplus", self.code().to_ascii_lowercase())
    }

    /// The SPIFFE ID of the Society's node.
    #[must_use]
    pub fn node_id(&self) -> String {
        format!("spiffe://{}/node", self.trust_domain())
    }
}

impl FromStr for Society {
    type Err = Refusal;

    /// Accepts lower case as well, since people type it.
    fn from_str(text: &str) -> Result<Self, Refusal> {
        Self::parse_bytes(text.trim().to_ascii_uppercase().as_bytes())
    }
}

impl fmt::Display for Society {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl fmt::Debug for Society {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Society {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Society {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|refusal: Refusal| serde::de::Error::custom(refusal.message))
    }
}

impl<C> Encode<C> for Society {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.str(self.code())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Society {
    fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::parse_bytes(decoder.str()?.as_bytes()).map_err(|_| minicbor::decode::Error::message("not a Society code"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_sorted_and_known_by_code() {
        assert!(MEMBERS.windows(2).all(|pair| pair[0].society < pair[1].society));
        let senegal: Society = "sn".parse().expect("a code");
        assert_eq!(senegal.node_id(), "spiffe://sn.sahelplus/node");
        assert_eq!(senegal.member().map(|m| m.alpha3), Some("SEN"));
    }

    #[test]
    fn anything_but_two_letters_is_refused() {
        for text in ["", "S", "SEN", "S1", "é"] {
            assert!(text.parse::<Society>().is_err(), "{text}");
        }
    }
}
