//! Where wire and meaning meet: messages into the types of the domain and back. Nothing is filled in
//! silently: what a message leaves out stays left out, and everything that does not fit is said at once,
//! each with the path of its field.

mod alert;
pub mod handover;
pub mod link;

use std::{str::FromStr, time::Duration};

use passerelle_domain::{
    refusal::{Code, Refusal},
    time::Time,
};
use prost_types::Timestamp;

pub use alert::{alert_draft, alert_message};

/// An instant on the wire.
#[must_use]
pub fn timestamp(time: Time) -> Timestamp {
    let (seconds, millis) = (time.millis() / 1_000, time.millis() % 1_000);
    // Both are far within bounds: the calendar of `Time` ends with the year 9999.
    Timestamp { seconds: i64::try_from(seconds).unwrap_or(i64::MAX), nanos: (millis * 1_000_000) as i32 }
}

/// An instant from the wire; finer than a millisecond is cut off.
///
/// # Errors
/// `malformed_time` before 1970, after the year 9999, or with a fraction that is none.
pub fn time(timestamp: &Timestamp) -> Result<Time, Refusal> {
    let refusal = || Refusal::new(Code::MalformedTime, "a time lies between the years 1970 and 9999");
    let seconds = u64::try_from(timestamp.seconds).map_err(|_| refusal())?;
    let nanos = u32::try_from(timestamp.nanos).ok().filter(|nanos| *nanos < 1_000_000_000).ok_or_else(refusal)?;
    let time = Time::default().plus(Duration::new(seconds, nanos));
    // `Time` is held at its end, so that anything later would come out changed.
    if time.millis() / 1_000 == seconds { Ok(time) } else { Err(refusal()) }
}

/// What does not fit, collected while a message is read.
#[derive(Debug, Default)]
struct Faults(Vec<Refusal>);

impl Faults {
    /// The value, or nothing and a fault at `path`.
    fn keep<T>(&mut self, path: impl Into<String>, result: Result<T, Refusal>) -> Option<T> {
        result.map_err(|refusal| self.0.push(refusal.at(path))).ok()
    }

    /// A text that may be absent, and then is empty.
    fn optional<T: FromStr<Err = Refusal>>(&mut self, path: impl Into<String>, text: &str) -> Option<T> {
        if text.is_empty() { None } else { self.keep(path, text.parse()) }
    }

    /// A text that must be there.
    fn needed<T: FromStr<Err = Refusal>>(&mut self, path: impl Into<String>, text: &str) -> Option<T> {
        if text.is_empty() {
            let path = path.into();
            self.0.push(Refusal::new(Code::MissingField, format!("{path} is missing")).at(path));
            return None;
        }
        self.keep(path, text.parse())
    }

    /// Items, each read with its path; those that do not fit leave their faults.
    fn each<M, T>(
        &mut self,
        path: &str,
        items: Vec<M>,
        mut read: impl FnMut(&mut Self, &str, M) -> Option<T>,
    ) -> Vec<T> {
        let indexed = items.into_iter().enumerate();
        indexed.filter_map(|(index, item)| read(self, &format!("{path}[{index}]"), item)).collect()
    }

    /// Texts that must each be there.
    fn texts<T: FromStr<Err = Refusal>>(&mut self, path: &str, texts: Vec<String>) -> Vec<T> {
        self.each(path, texts, |faults, path, text| faults.needed(path, &text))
    }

    fn time(&mut self, path: &str, timestamp: Option<Timestamp>) -> Option<Time> {
        timestamp.and_then(|timestamp| self.keep(path, time(&timestamp)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_keep_their_milliseconds() {
        for millis in [0, 1, 999, 1_000, 1_795_501_800_123, 253_402_207_199_999] {
            let instant = Time::from_millis(millis);
            assert_eq!(time(&timestamp(instant)), Ok(instant));
        }
        for (seconds, nanos) in [(-1, 0), (0, -1), (0, 1_000_000_000), (253_402_207_200, 0), (i64::MAX, 0)] {
            assert!(time(&Timestamp { seconds, nanos }).is_err(), "{seconds} {nanos}");
        }
    }
}
