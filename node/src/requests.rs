//! Requests of persons that are late, and text that was forgotten and may still stand in the store's log: what the node
//! looks at every minute, for its figures and its status. Reads rows of the store alone.

use std::{collections::BTreeMap, time::Duration};

use passerelle_domain::{refusal::Refusal, rights::RequestRow, time::Time};

use crate::{
    engine,
    metrics::Metrics,
    store::{
        Direction, keys,
        view::{decode, failed},
    },
};

/// How long text that was forgotten may stand in the store's log before that is an alarm. A start of the node, or
/// `passerelle-node compact`, makes the store anew without it; 30 days is what the person was promised.
pub const IN_LOG_MAX: Duration = Duration::from_secs(8 * 86_400);

/// Every request of a person, newest first, until `see` says that it is enough.
///
/// # Errors
/// `store_failed`, or what `see` refuses.
pub fn each(engine: &engine::Handle, mut see: impl FnMut(RequestRow) -> Result<bool, Refusal>) -> Result<(), Refusal> {
    let (from, until) = keys::requests();
    for pair in engine.store().scan(&from, &until, Direction::Backward) {
        if !see(decode(&pair.map_err(failed)?.1)?)? {
            break;
        }
    }
    Ok(())
}

/// How many requests are late at `now`, by the right that was asked for.
///
/// # Errors
/// `store_failed`.
pub fn late(engine: &engine::Handle, now: Time) -> Result<BTreeMap<&'static str, u64>, Refusal> {
    let mut late = BTreeMap::new();
    each(engine, |row| {
        if row.is_late(now) {
            *late.entry(row.request.right.as_str()).or_default() += 1;
        }
        Ok(true)
    })?;
    Ok(late)
}

/// How long text that was forgotten has stood in the store's log at most; none when there is none.
///
/// # Errors
/// `store_failed`.
pub fn in_log(engine: &engine::Handle, now: Time) -> Result<Option<Duration>, Refusal> {
    let since = engine.store().get(keys::REMOVED).map_err(failed)?;
    // A release before this one did not write when: then it is the alarm that counts.
    let at = |bytes: Vec<u8>| {
        bytes.try_into().map_or_else(|_| Time::default(), |bytes| Time::from_millis(u64::from_be_bytes(bytes)))
    };
    Ok(since.map(|bytes| now.since(at(bytes))))
}

/// Says in the log and in the figures what is late of the requests of persons, and what still stands in the store's log.
pub fn alarm(engine: &engine::Handle, metrics: &Metrics, now: Time) {
    match late(engine, now) {
        Ok(late) => {
            metrics.requests_late(late.iter().map(|(right, count)| (*right, *count)));
            for (right, count) in late {
                tracing::error!(right, count, alarm = "subject_request_late", "requests of persons are late");
            }
        }
        Err(refusal) => tracing::error!(code = %refusal.code, "the requests of persons could not be looked at"),
    }
    match in_log(engine, now) {
        Ok(since) => {
            metrics.forgotten_in_log(since.unwrap_or_default());
            if since.is_some_and(|since| since > IN_LOG_MAX) {
                let what =
                    "what was forgotten may still stand in the store's log: restart the node, or have it compacted";
                tracing::error!(alarm = "forgotten_text_in_log", what);
            }
        }
        Err(refusal) => tracing::error!(code = %refusal.code, "the store's log could not be looked at"),
    }
}
