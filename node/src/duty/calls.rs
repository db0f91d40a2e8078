//! The calls of posts that are under way: a few at once, so that a hook that hangs keeps no other alert waiting, with room
//! left for severe ones; and how many were made within the hour.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use futures_util::{
    future::{BoxFuture, pending},
    stream::{FuturesUnordered, StreamExt as _},
};
use passerelle_domain::{catalogue::Severity, entry::HookOutcome, ids::AlertId, limits::HOOKS_AN_HOUR_MAX};

use super::hook;

/// Hooks that run at once.
const AT_ONCE_MAX: usize = 8;
/// How many of them may be of alerts that are less than severe.
const LESSER_AT_ONCE_MAX: usize = 4;
/// The span over which calls are counted.
pub(super) const HOUR: Duration = Duration::from_secs(3_600);

/// What became of a hook, and its exit status where it had one.
pub(super) type Outcome = (HookOutcome, Option<i32>);

/// A call that is over.
pub(super) struct Ended {
    pub(super) alert: AlertId,
    pub(super) step: u32,
    pub(super) outcome: Outcome,
}

/// The calls of a desk. Dropped, it ends the hooks that run.
#[derive(Default)]
pub(super) struct Calls {
    running: FuturesUnordered<BoxFuture<'static, Ended>>,
    alerts: BTreeSet<AlertId>,
    lesser: BTreeSet<AlertId>,
    /// When the calls of the last hour were made, on the monotonic clock.
    made: VecDeque<Duration>,
}

fn is_lesser(severity: Severity) -> bool {
    severity > Severity::Severe
}

impl Calls {
    /// Whether a hook of this alert runs.
    pub(super) fn is_under_way(&self, alert: AlertId) -> bool {
        self.alerts.contains(&alert)
    }

    /// Whether one more hook may run for an alert of this severity.
    pub(super) fn has_room(&self, severity: Severity) -> bool {
        self.running.len() < AT_ONCE_MAX && !(is_lesser(severity) && self.lesser.len() >= LESSER_AT_ONCE_MAX)
    }

    /// Whether one more call may be made within this hour.
    pub(super) fn may_call(&mut self, now: Duration) -> bool {
        while self.made.front().is_some_and(|at| now.saturating_sub(*at) >= HOUR) {
            self.made.pop_front();
        }
        self.made.len() < HOOKS_AN_HOUR_MAX as usize
    }

    /// Runs a hook, telling it `told`.
    pub(super) fn begin(
        &mut self,
        (alert, step, severity): (AlertId, u32, Severity),
        now: Duration,
        words: Vec<String>,
        told: String,
    ) {
        self.made.push_back(now);
        self.alerts.insert(alert);
        if is_lesser(severity) {
            self.lesser.insert(alert);
        }
        self.running.push(Box::pin(async move {
            let outcome = hook::run(&words, told.as_bytes()).await;
            Ended { alert, step, outcome }
        }));
    }

    /// The next call that is over; while none is under way, none comes.
    pub(super) async fn next(&mut self) -> Ended {
        let Some(ended) = self.running.next().await else { return pending().await };
        self.alerts.remove(&ended.alert);
        self.lesser.remove(&ended.alert);
        ended
    }
}
