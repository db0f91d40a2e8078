//! Instants and ages, as people read them: UTC to the second, and how long ago or how long from now.

use std::time::Duration;

use passerelle_domain::time::Time;
use prost_types::Timestamp;

/// An instant of a message; none where there is none or it lies outside the calendar of [`Time`].
#[must_use]
pub fn instant(timestamp: Option<&Timestamp>) -> Option<Time> {
    let timestamp = timestamp?;
    let seconds = u64::try_from(timestamp.seconds).ok()?;
    let nanos = u32::try_from(timestamp.nanos).ok()?;
    Some(Time::default().plus(Duration::new(seconds, nanos.min(999_999_999))))
}

/// `2026-11-24 06:30 UTC`, seconds only where there are any.
#[must_use]
pub fn utc(timestamp: Option<&Timestamp>) -> String {
    let Some(time) = instant(timestamp) else { return String::new() };
    let whole = Time::from_millis(time.millis() / 1_000 * 1_000).to_string();
    let text = whole.trim_end_matches('Z').replacen('T', " ", 1);
    format!("{} UTC", text.strip_suffix(":00").unwrap_or(&text))
}

/// The instant, and its age or how long it is still off.
#[must_use]
pub fn utc_with_age(timestamp: Option<&Timestamp>, now: Time) -> String {
    match instant(timestamp) {
        Some(time) if time > now => format!("{} (in {})", utc(timestamp), span(time.since(now))),
        Some(time) => format!("{} ({} ago)", utc(timestamp), span(now.since(time))),
        None => String::new(),
    }
}

/// How long ago an instant was, `-` where there is none. What lies ahead, by clocks that differ, is `0 s`.
#[must_use]
pub fn age(timestamp: Option<&Timestamp>, now: Time) -> String {
    instant(timestamp).map_or_else(|| "-".to_owned(), |time| span(now.since(time)))
}

/// A span in its largest sensible unit.
#[must_use]
pub fn span(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds @ 7_200..=172_799 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_their_age() {
        let at = |seconds| Timestamp { seconds, nanos: 5_000_000 };
        let now = Time::from_millis(1_795_501_800_000);
        for (seconds, text) in [
            (1_795_501_800, "2026-11-24 06:30 UTC (in 0 s)"),
            (1_795_501_799, "2026-11-24 06:29:59 UTC (0 s ago)"),
            (1_795_498_200, "2026-11-24 05:30 UTC (59 min ago)"),
            (1_795_588_200, "2026-11-25 06:30 UTC (in 24 h)"),
        ] {
            assert_eq!(utc_with_age(Some(&at(seconds)), now), text);
        }
        assert_eq!(utc_with_age(Some(&at(-1)), now), "");
        assert_eq!(age(None, now), "-");
        assert_eq!(span(Duration::from_secs(86_400 * 3)), "3 d");
    }
}
