//! Route segments: what peers subscribe to. A path of dotted parts from the wide to the narrow, such
//! as `atl.gm-mr` (Atlantic, The Gambia to Mauritania) or `land.sn-mr.rosso` (by land, at Rosso).

use std::{fmt, str::FromStr};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    limits::{NAME_BYTES_MAX, SEGMENT_PARTS_MAX},
    refusal::{Code, Refusal},
};

/// The segments known from the start. Others may be used: a Society names what it sees.
pub const SEGMENTS: [&str; 20] = [
    "atl.gn-gm",
    "atl.gm-sn",
    "atl.gm-mr",
    "atl.gm-canaries",
    "atl.sn-mr",
    "atl.sn-canaries",
    "atl.mr-eh",
    "atl.mr-canaries",
    "atl.eh-canaries",
    "atl.cv-drift",
    "land.sn-mr.rosso",
    "land.ml-mr.gogui",
    "land.ma-mr.guerguerat",
    "land.dz-ne.assamaka",
    "land.dz-ml",
    "land.ne-ly.dirkou",
    "land.td-ly.faya",
    "land.ml-ne",
    "land.bf-ne",
    "air.charter",
];

/// A validated segment: one to four parts of `a-z`, `0-9` and inner `-`, joined by dots, at most 64 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment(String);

impl Segment {
    /// The text of the segment.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether who subscribed to this segment wants an alert on `other`: the same, or a part of it.
    /// `atl` covers `atl.gm-mr`; it does not cover `atlas`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.0.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Whether the segment is one of the list known from the start.
    #[must_use]
    pub fn is_known(&self) -> bool {
        SEGMENTS.contains(&self.0.as_str())
    }
}

impl FromStr for Segment {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let part_is_good = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        };
        let good = text.len() <= NAME_BYTES_MAX
            && text.split('.').count() <= SEGMENT_PARTS_MAX
            && text.split('.').all(part_is_good);
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(Refusal::new(
                Code::UnknownCode,
                "a route segment is a dotted path of at most four parts in a-z, 0-9 and -, such as land.sn-mr.rosso",
            ))
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Segment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Segment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|refusal: Refusal| serde::de::Error::custom(refusal.message))
    }
}

impl<C> Encode<C> for Segment {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Segment {
    fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        decoder.str()?.parse().map_err(|_| minicbor::decode::Error::message("not a route segment"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(text: &str) -> Segment {
        text.parse().expect("a segment")
    }

    #[test]
    fn a_segment_covers_itself_and_what_lies_below_it() {
        for (wide, narrow, covered) in [
            ("atl", "atl.gm-mr", true),
            ("atl.gm-mr", "atl.gm-mr", true),
            ("land.sn-mr", "land.sn-mr.rosso", true),
            ("atl.gm-mr", "atl", false),
            ("atl", "atlas.gm-mr", false),
            ("land.sn", "land.sn-mr", false),
            ("land.sn-mr.rosso", "land.sn-mr.diama", false),
        ] {
            assert_eq!(segment(wide).covers(&segment(narrow)), covered, "{wide} / {narrow}");
        }
    }

    #[test]
    fn known_segments_are_segments_and_stand_once() {
        for (at, text) in SEGMENTS.iter().enumerate() {
            assert!(segment(text).is_known());
            assert!(!SEGMENTS[..at].contains(text), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("atl.{}", "x".repeat(NAME_BYTES_MAX - 4));
        assert!(long.parse::<Segment>().is_ok());
        for text in ["", ".", "atl.", ".atl", "Atl", "atl gm", "atl.é", "a.b.c.d.e", "atl.-gm", &format!("{long}x")] {
            assert_eq!(text.parse::<Segment>().map_err(|r| r.code), Err(Code::UnknownCode), "{text}");
        }
    }
}
