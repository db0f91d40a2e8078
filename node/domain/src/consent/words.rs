//! Short words of records and offers, each parsed once: codes, languages, countries.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{
    limits::NAME_BYTES_MAX,
    refusal::{Code, Refusal},
    society::Society,
};

/// Defines a text that is checked whenever it enters: from a person, a file or canonical bytes.
/// The last word says whether Debug shows the text or hides it.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $check:path, $debug:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::refusal::Refusal;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $check(text)?;
                Ok(Self(text.into()))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::consent::words::checked_text!(@$debug self, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(|refusal: $crate::refusal::Refusal| serde::de::Error::custom(refusal.message))
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                encoder: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                encoder.str(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                let text = decoder.str()?;
                text.parse().map_err(|_| minicbor::decode::Error::message(concat!("not a ", stringify!($name))))
            }
        }
    };
    (@shown $self:ident, $f:ident) => { $f.write_str(&$self.0) };
    (@hidden $self:ident, $f:ident) => {{ let _ = $self; $f.write_str("[redacted]") }};
}
pub(crate) use checked_text;

checked_text! {
    /// A short code of a team, an organisation, a notice or a place: at most 64 bytes of ASCII
    /// letters, digits and `.` `_` `-`, starting with a letter. It has no blank and at most eight
    /// digits, so that neither a person's full name nor a phone number passes for one.
    Tag, check_tag, shown
}

/// Digits of the longest administrative code in use (OCHA P-codes of level 4).
const TAG_DIGITS_MAX: usize = 8;

fn check_tag(text: &str) -> Result<(), Refusal> {
    let bytes = text.as_bytes();
    let fits = bytes.len() <= NAME_BYTES_MAX
        && bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
        && bytes.iter().filter(|byte| byte.is_ascii_digit()).count() <= TAG_DIGITS_MAX;
    if fits {
        Ok(())
    } else {
        Err(Refusal::new(
            Code::Malformed,
            format!(
                "a code has at most {NAME_BYTES_MAX} letters, digits, dots, dashes or underscores, starts with a letter, and has at most {TAG_DIGITS_MAX} digits"
            ),
        ))
    }
}

checked_text! {
    /// A language tag (BCP 47, RFC 5646): a primary subtag of two or three lower-case letters, then
    /// any further subtags; at most 35 bytes.
    Language, check_language, shown
}

fn check_language(text: &str) -> Result<(), Refusal> {
    let mut subtags = text.split('-');
    let primary = subtags.next().unwrap_or_default();
    let fits = text.len() <= 35
        && (2..=3).contains(&primary.len())
        && primary.bytes().all(|byte| byte.is_ascii_lowercase())
        && subtags.all(|tag| (1..=8).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    if fits {
        Ok(())
    } else {
        Err(Refusal::new(Code::Malformed, "a language is a BCP 47 tag, such as fr, wo or ff-Latn"))
    }
}

impl Language {
    /// Whether who understands `self` understands `other`: the same tag, or one that only narrows
    /// the other at a subtag (RFC 4647, basic filtering, in either direction).
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        let narrows = |narrow: &str, broad: &str| {
            narrow.strip_prefix(broad).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        narrows(self.as_str(), other.as_str()) || narrows(other.as_str(), self.as_str())
    }
}

/// A country, by its ISO 3166-1 alpha-2 code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct Country(#[n(0)] Society);

impl From<Society> for Country {
    /// The country whose National Society it is.
    fn from(society: Society) -> Self {
        Self(society)
    }
}

impl std::fmt::Display for Country {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_code_and_no_name_or_number() {
        for text in ["intake.kayes", "ML0102", "iom", "border-team_2"] {
            assert!(text.parse::<Tag>().is_ok(), "{text}");
        }
        let too_long = "a".repeat(NAME_BYTES_MAX + 1);
        for text in ["", "2nd", "Awa Diallo", "t221770000001", "équipe", "a@b", too_long.as_str()] {
            assert!(text.parse::<Tag>().is_err(), "{text}");
        }
        assert!("a".repeat(NAME_BYTES_MAX).parse::<Tag>().is_ok());
    }

    #[test]
    fn languages_match_across_their_subtags() {
        let language = |text: &str| text.parse::<Language>().expect("a language");
        assert!(language("ff").matches(&language("ff-Latn")));
        assert!(language("ff-Latn").matches(&language("ff")));
        assert!(!language("ff-Latn").matches(&language("ff-Adlm")));
        assert!(!language("fr").matches(&language("fra")));
        for text in ["", "f", "FR", "french", "fr-", "fr_SN", "fr-ninechars1"] {
            assert!(text.parse::<Language>().is_err(), "{text}");
        }
    }
}
