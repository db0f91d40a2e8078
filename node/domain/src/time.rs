//! Instants, as UTC milliseconds. Parses and writes RFC 3339; never asks what time it is.

use std::{fmt, str::FromStr, time::Duration};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::refusal::{Code, Refusal};

/// An instant: milliseconds since 1970-01-01T00:00:00Z, at most the end of the year 9999 (in every time zone).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
#[cbor(transparent)]
pub struct Time(#[n(0)] u64);

impl<'b, C> Decode<'b, C> for Time {
    fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let millis = decoder.u64()?;
        if millis > LAST_MILLIS {
            return Err(minicbor::decode::Error::message("an instant after the year 9999"));
        }
        Ok(Self(millis))
    }
}

/// 9999-12-30T21:59:59.999Z, the last instant that every offset can still write with four digits of year.
const LAST_MILLIS: u64 = 253_402_207_199_999;

impl Time {
    /// The instant so many milliseconds after the epoch; later than the year 9999 is held at its end.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(if millis > LAST_MILLIS { LAST_MILLIS } else { millis })
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// The instant so much later, held at the end of the year 9999.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(LAST_MILLIS);
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// The instant so much earlier, held at the epoch.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(LAST_MILLIS);
        Self(self.0.saturating_sub(millis))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Time {
    /// RFC 3339 in UTC, with milliseconds only where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_millisecond(millis) {
            Ok(timestamp) => fmt::Display::fmt(&timestamp, f),
            Err(_) => write!(f, "{millis} ms"),
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Time {
    type Err = Refusal;

    /// RFC 3339 with a numeric offset or `Z`; finer than a millisecond is cut off.
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let timestamp: jiff::Timestamp = text.parse().map_err(|_| {
            Refusal::new(
                Code::MalformedTime,
                "a time is written with date, time and offset, such as 2026-11-24T06:30:00+00:00",
            )
        })?;
        u64::try_from(timestamp.as_millisecond())
            .map(Self::from_millis)
            .map_err(|_| Refusal::new(Code::MalformedTime, "times before 1970 are not accepted"))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|refusal: Refusal| serde::de::Error::custom(refusal.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_name_the_same_instant() {
        let dakar: Time = "2026-11-24T06:30:00+00:00".parse().expect("a time");
        let niamey: Time = "2026-11-24T07:30:00+01:00".parse().expect("a time");
        let utc: Time = "2026-11-24T06:30:00Z".parse().expect("a time");
        assert_eq!(dakar, niamey);
        assert_eq!(dakar, utc);
        assert_eq!(dakar.to_string(), "2026-11-24T06:30:00Z");
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in
            ["", "2026-11-24", "2026-11-24T06:30:00", "24/11/2026", "1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z"]
        {
            assert_eq!(text.parse::<Time>().map_err(|r| r.code), Err(Code::MalformedTime), "{text}");
        }
    }

    #[test]
    fn arithmetic_never_leaves_the_calendar() {
        let last = Time::from_millis(u64::MAX);
        assert_eq!(last.plus(Duration::MAX), last);
        assert_eq!(Time::default().minus(Duration::from_secs(1)), Time::default());
        assert_eq!(last.to_string(), "9999-12-30T21:59:59.999Z");
    }
}
