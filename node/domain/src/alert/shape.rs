//! The small texts and numbers of an alert whose shape is checked once, when they are read: countries,
//! languages, duty phones and mailboxes, notes, degrees and kilometres.

use std::{fmt, str::FromStr};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    limits::FREE_TEXT_CHARS_MAX,
    lint,
    refusal::{Code, Refusal},
};

/// A text with a shape: parsed by `$parse`, which also brings it into its one normal form.
macro_rules! shaped_text {
    ($($(#[$doc:meta])* $name:ident = $parse:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text in its normal form.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Refusal;
            fn from_str(text: &str) -> Result<Self, Refusal> {
                $parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
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
                encoder.str(&self.0)?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                decoder.str()?.parse().map_err(|refusal: Refusal| minicbor::decode::Error::message(refusal.message))
            }
        }
    )+};
}

shaped_text! {
    /// A country, by its ISO 3166-1 alpha-2 code in upper case.
    Country = country;
    /// A language tag of the shape of BCP 47 (RFC 5646), in its recommended case: `fr`, `en-US`, `ff-Adlm`.
    Language = language;
    /// The telephone of a duty post: `+` and 8 to 15 digits (ITU-T E.164), or a short number of 2 to 5 digits.
    DutyPhone = duty_phone;
    /// The mailbox of a duty post, in lower case.
    DutyMail = duty_mail;
    /// A remark in free text: at most 280 characters, linted, not blank.
    Note = note;
}

fn malformed(message: &str) -> Refusal {
    Refusal::new(Code::Malformed, message)
}

fn country(text: &str) -> Result<String, Refusal> {
    let good = text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic());
    if good { Ok(text.to_ascii_uppercase()) } else { Err(malformed("a country is a two-letter code, such as MR")) }
}

fn language(text: &str) -> Result<String, Refusal> {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let good = text.len() <= 35
        && (2..=3).contains(&first.len())
        && first.bytes().all(|b| b.is_ascii_alphabetic())
        && parts.clone().all(|p| (1..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric()));
    if !good {
        return Err(malformed("a language is a BCP 47 tag, such as fr or en-GM"));
    }
    let mut normal = first.to_ascii_lowercase();
    for part in parts {
        let lower = part.to_ascii_lowercase();
        normal.push('-');
        match lower.len() {
            2 => normal.push_str(&lower.to_ascii_uppercase()),
            4 if lower.bytes().all(|b| b.is_ascii_alphabetic()) => {
                normal.push_str(&lower[..1].to_ascii_uppercase());
                normal.push_str(&lower[1..]);
            }
            _ => normal.push_str(&lower),
        }
    }
    Ok(normal)
}

fn duty_phone(text: &str) -> Result<String, Refusal> {
    let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '.' | '-' | '(' | ')')).collect();
    let (digits, lengths) = match bare.strip_prefix('+') {
        Some(digits) => (digits, 8..=15),
        None => (bare.as_str(), 2..=5),
    };
    if lengths.contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        Ok(bare)
    } else {
        Err(malformed("a duty phone is + and 8 to 15 digits, or a short number of 2 to 5 digits"))
    }
}

fn duty_mail(text: &str) -> Result<String, Refusal> {
    let good = text.len() <= 254
        && text.split_once('@').is_some_and(|(local, domain)| {
            let label = |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            (1..=64).contains(&local.len())
                && local.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b))
                && domain.contains('.')
                && domain.split('.').all(label)
        });
    if good {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(malformed("a duty mailbox is written as name@domain, without spaces or names"))
    }
}

fn note(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Err(malformed("a note is not blank"));
    }
    super::check::free_text(text, FREE_TEXT_CHARS_MAX)?;
    lint::check_text(text)?;
    Ok(text.to_owned())
}

/// An angle in millionths of a degree (about 0.1 m), within -180 to 180 degrees. Files hold it in degrees.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Degrees(i32);

/// Millionths of one degree.
const MICRO: f64 = 1_000_000.0;

impl Degrees {
    /// From degrees.
    ///
    /// # Errors
    /// `bad_place` when it is no number within -180 to 180.
    pub fn new(degrees: f64) -> Result<Self, Refusal> {
        if (-180.0..=180.0).contains(&degrees) {
            // Within bounds, so the cast neither wraps nor loses more than the rounding asked for.
            Ok(Self((degrees * MICRO).round() as i32))
        } else {
            Err(Refusal::new(Code::BadPlace, "an angle lies between -180 and 180 degrees"))
        }
    }

    /// In degrees.
    #[must_use]
    pub fn degrees(self) -> f64 {
        f64::from(self.0) / MICRO
    }
}

/// A distance in metres, at most 20,000 km. Files hold it in kilometres.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kilometres(u32);

/// About half of the Earth's girth: nothing on it is farther away.
const METRES_MAX: u32 = 20_000_000;

impl Kilometres {
    /// From kilometres.
    ///
    /// # Errors
    /// `bad_place` when it is no number within 0 to 20,000.
    pub fn new(kilometres: f64) -> Result<Self, Refusal> {
        if (0.0..=f64::from(METRES_MAX) / 1_000.0).contains(&kilometres) {
            // Within bounds, as above.
            Ok(Self((kilometres * 1_000.0).round() as u32))
        } else {
            Err(Refusal::new(Code::BadPlace, "a precision lies between 0 and 20000 km"))
        }
    }

    /// In kilometres.
    #[must_use]
    pub fn kilometres(self) -> f64 {
        f64::from(self.0) / 1_000.0
    }
}

/// The number of a fixed-point type in files (a decimal) and in canonical bytes (an integer).
macro_rules! fixed_point {
    ($($name:ident, $get:ident, $int:ident, $bounds:expr;)+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.$get(), f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_f64(self.$get())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = f64::deserialize(deserializer)?;
                Self::new(number).map_err(|refusal| serde::de::Error::custom(refusal.message))
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                encoder: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                encoder.$int(self.0)?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                let value = decoder.$int()?;
                if $bounds.contains(&value) {
                    Ok(Self(value))
                } else {
                    Err(minicbor::decode::Error::message(concat!(stringify!($name), " out of bounds")))
                }
            }
        }
    )+};
}

fixed_point! {
    Degrees, degrees, i32, (-180_000_000..=180_000_000);
    Kilometres, kilometres, u32, (0..=METRES_MAX);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_has_one_normal_form() {
        assert_eq!("mr".parse::<Country>().expect("a country").as_str(), "MR");
        for (given, normal) in [("FR", "fr"), ("en-us", "en-US"), ("ff-adlm-gn", "ff-Adlm-GN"), ("mey", "mey")] {
            assert_eq!(given.parse::<Language>().expect("a language").as_str(), normal);
        }
        assert_eq!("+221 33 823-39-92".parse::<DutyPhone>().expect("a phone").as_str(), "+221338233992");
        assert_eq!("117".parse::<DutyPhone>().expect("a phone").as_str(), "117");
        assert_eq!(
            "Alerte@CroixRouge.example".parse::<DutyMail>().expect("a mail").as_str(),
            "alerte@croixrouge.example"
        );
    }

    #[test]
    fn what_has_another_shape_is_refused() {
        for text in ["", "M", "MRT", "M1", "é"] {
            assert!(text.parse::<Country>().is_err(), "{text}");
        }
        for text in ["", "f", "fran", "fr_SN", "fr-", "fr-toolongsubtag"] {
            assert!(text.parse::<Language>().is_err(), "{text}");
        }
        for text in ["", "1", "771234567", "+12", "+221 77 CALL", "++221771234567", "+1234567890123456"] {
            assert!(text.parse::<DutyPhone>().is_err(), "{text}");
        }
        for text in ["", "@x.org", "a@b", "a b@c.org", "a@b..org", "Name <a@b.org>", "a@b@c.org"] {
            assert!(text.parse::<DutyMail>().is_err(), "{text}");
        }
        for text in ["", "  ", "call +221 77 123 45 67", &"x".repeat(FREE_TEXT_CHARS_MAX + 1)] {
            assert!(text.parse::<Note>().is_err(), "{text}");
        }
        assert!("x".repeat(FREE_TEXT_CHARS_MAX).parse::<Note>().is_ok());
    }

    #[test]
    fn decimals_keep_six_places_and_their_bounds() {
        assert_eq!(Degrees::new(-17.036_212).expect("an angle").degrees(), -17.036_212);
        assert_eq!(Kilometres::new(0.5).expect("a distance").kilometres(), 0.5);
        for bad in [f64::NAN, f64::INFINITY, 180.1, -180.1] {
            assert!(Degrees::new(bad).is_err());
        }
        for bad in [f64::NAN, -0.1, 20_000.1] {
            assert!(Kilometres::new(bad).is_err());
        }
    }
}
