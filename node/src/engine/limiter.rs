//! How many refusals of one kind of request of one actor are written: a peer or a program that errs in a loop must not
//! fill the journal, nor keep refusals of another kind out of it. What goes beyond is counted, and the next entry of that
//! kind says how many there were.

use std::{collections::HashMap, time::Duration};

use passerelle_domain::{entry::Actor, limits::REFUSALS_AN_HOUR_MAX, time::Time};

const HOUR: Duration = Duration::from_secs(3_600);
/// Actors and kinds of requests remembered at once; beyond this the hours that are over are forgotten.
const WINDOWS_MAX: usize = 4_096;

struct Window {
    since: Time,
    written: u32,
    uncounted: u32,
}

/// The hours under way, by actor and kind of request.
#[derive(Default)]
pub(crate) struct Limiter(HashMap<(Actor, &'static str), Window>);

impl Limiter {
    /// Whether one more refusal of a `request` of `actor` is to be written: with how many that were not since the last.
    pub(crate) fn admit(&mut self, actor: &Actor, request: &'static str, now: Time) -> Option<u32> {
        if self.0.len() >= WINDOWS_MAX {
            self.0.retain(|_, window| now.since(window.since) < HOUR);
        }
        let window = self.0.entry((actor.clone(), request)).or_insert(Window { since: now, written: 0, uncounted: 0 });
        if now.since(window.since) >= HOUR {
            window.since = now;
            window.written = 0;
        }
        if window.written >= REFUSALS_AN_HOUR_MAX {
            window.uncounted = window.uncounted.saturating_add(1);
            return None;
        }
        window.written += 1;
        Some(std::mem::take(&mut window.uncounted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_is_counted() {
        let mut limiter = Limiter::default();
        let start = Time::from_millis(1_000);
        for _ in 0..REFUSALS_AN_HOUR_MAX {
            assert_eq!(limiter.admit(&Actor::System, "handshake", start), Some(0));
        }
        assert_eq!(limiter.admit(&Actor::System, "handshake", start), None);
        assert_eq!(limiter.admit(&Actor::System, "handshake", start), None);
        assert_eq!(limiter.admit(&Actor::System, "feed", start), Some(0), "nor are other requests of the same one");
        let another = Actor::Operator("another".into());
        assert_eq!(limiter.admit(&another, "handshake", start), Some(0), "others are not affected");
        assert_eq!(limiter.admit(&Actor::System, "handshake", start.plus(HOUR)), Some(2));
        assert_eq!(limiter.admit(&Actor::System, "handshake", start.plus(HOUR)), Some(0));
    }
}
