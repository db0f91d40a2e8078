//! What is due, row by row: the instant at which a rule purges something, or nothing when no rule does.

use super::{KeepingRow, Periods, Rule};
use crate::{
    alert::Alert,
    catalogue::{Mode, Sensitivity},
    consent::ConsentRecord,
    handover::{Action, State},
    rights::{CorrectionRow, RequestRow},
    rows::{AlertRow, HandoverRow},
    society::Society,
    time::Time,
};

/// Something that a rule purges at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The rule.
    pub rule: Rule,
    /// When.
    pub at: Time,
}

/// What of a handover is purged, and when. A handover whose person withdrew, or which is erased already, is not the
/// business of retention.
#[must_use]
pub fn handover_due(row: &HandoverRow, keeping: &KeepingRow, own: Society, periods: &Periods) -> Option<Due> {
    if matches!(row.state, State::Withdrawn | State::Erased) {
        return None;
    }
    let due = |rule, since: Time| Due { rule, at: since.plus(periods.of(rule)) };
    let last = row.history.last().map_or(row.expires_at, |event| event.at);
    let accepted = row.history.iter().any(|event| event.action == Action::Accept);
    if !accepted {
        let rule = if row.from == own { Rule::OfferSent } else { Rule::OfferReceived };
        // An offer that nobody answered ends by its own expiry.
        return Some(due(rule, if row.state.has_ended() { last } else { row.expires_at.max(last) }));
    }
    if row.from == own {
        package_sent_due(row, keeping, last, periods, due)
    } else {
        package_received_due(row, keeping, last, periods)
    }
}

/// The sender's copy goes when the recipient has its own, or when there will be none.
fn package_sent_due(
    row: &HandoverRow,
    keeping: &KeepingRow,
    last: Time,
    periods: &Periods,
    due: impl Fn(Rule, Time) -> Due,
) -> Option<Due> {
    if keeping.purged_at.is_some() {
        return None;
    }
    if row.held_at_origin.is_some() {
        return package_held_due(row, keeping, last, periods);
    }
    let released = row.history.iter().any(|event| event.action == Action::Release);
    match (keeping.delivered_at, keeping.failed_at) {
        (Some(delivered), _) => Some(due(Rule::PackageSent, delivered)),
        (None, Some(failed)) => Some(due(Rule::DeadPayload, failed)),
        // What the recipient tells of the person implies that it has the package.
        (None, None) if released && !matches!(row.state, State::Disclosed) => Some(due(Rule::PackageSent, last)),
        (None, None) if row.package.is_some() && row.state.has_ended() => Some(due(Rule::DeadPayload, last)),
        (None, None) => None,
    }
}

/// A received package goes after completion; one of a handover that came to nothing as a dead payload; one that was
/// revoked at once. None is kept beyond what its consent allows.
fn package_received_due(row: &HandoverRow, keeping: &KeepingRow, last: Time, periods: &Periods) -> Option<Due> {
    if row.package.is_none() && (row.held_at_origin.is_none() || keeping.purged_at.is_some()) {
        return None;
    }
    use_due(row, keeping, last, periods)
}

/// A package that stayed at its origin goes there when it would have gone at the recipient.
fn package_held_due(row: &HandoverRow, keeping: &KeepingRow, last: Time, periods: &Periods) -> Option<Due> {
    use_due(row, keeping, last, periods).map(|due| match due.rule {
        Rule::PackageReceived => Due { rule: Rule::PackageSent, ..due },
        _ => due,
    })
}

/// When the recipient's use of a package is over.
fn use_due(row: &HandoverRow, keeping: &KeepingRow, last: Time, periods: &Periods) -> Option<Due> {
    let by_state = match row.state {
        State::Completed => {
            let since = keeping.reviewed_at.map_or(last, |reviewed| reviewed.max(last));
            Some(Due { rule: Rule::PackageReceived, at: since.plus(periods.package_received) })
        }
        State::Revoked => Some(Due { rule: Rule::PackageReceived, at: last }),
        state if state.has_ended() => Some(Due { rule: Rule::DeadPayload, at: last.plus(periods.dead_payload) }),
        _ => None,
    };
    let by_consent = keeping.retention_until.map(|at| Due { rule: Rule::PackageReceived, at });
    match (by_state, by_consent) {
        (Some(one), Some(other)) => Some(if other.at < one.at { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// When an alert is stripped of its content. Public ones of real events are kept for ever.
#[must_use]
pub fn alert_due(row: &AlertRow, alert: &Alert, periods: &Periods) -> Option<Due> {
    let permanent = alert.sensitivity == Sensitivity::Public && row.mode == Mode::Actual;
    (!permanent).then(|| Due { rule: Rule::Alert, at: row.expires_at.plus(periods.alert) })
}

/// When a consent record is purged: it proves what was done under it for some years after it ended.
#[must_use]
pub fn consent_due(record: &ConsentRecord, periods: &Periods) -> Due {
    let last = record.events.iter().map(|event| event.at).max().unwrap_or(record.valid_from);
    // What stands in the record of the future is no reason to keep it longer than its validity.
    let ended = record.valid_until.max(last.min(record.retention_until));
    Due { rule: Rule::Consent, at: ended.plus(periods.consent) }
}

/// When the evidence of a consent is destroyed: some time after the consent ended, be it by its validity or because the
/// person took it back at `withdrawn_at`. Without its record, which was purged before it, at once.
#[must_use]
pub fn evidence_due(record: Option<&ConsentRecord>, withdrawn_at: Option<Time>, periods: &Periods) -> Due {
    let ended = record.map_or(Time::default(), |record| record.valid_until);
    let ended = withdrawn_at.map_or(ended, |at| at.min(ended));
    Due { rule: Rule::ConsentEvidence, at: ended.plus(periods.consent_evidence) }
}

/// When what was said of a request goes, as far as anything of it is left; one that nobody answered is not forgotten for that, but some time after it was due.
#[must_use]
pub fn request_due(row: &RequestRow, periods: &Periods) -> Option<Due> {
    let since = row.answered_at().unwrap_or(row.request.due).max(row.request.received_at);
    (!row.said.is_empty()).then(|| Due { rule: Rule::Request, at: since.plus(periods.request) })
}

/// When a correction goes: once every holder has answered, and some time after its day if one never does.
#[must_use]
pub fn correction_due(row: &CorrectionRow, request: Option<&RequestRow>, periods: &Periods) -> Option<Due> {
    let at = match request {
        Some(request) => request.answered_at().unwrap_or_else(|| request.request.due.plus(periods.dead_payload)),
        None => Time::default(),
    };
    row.destroyed.is_none().then_some(Due { rule: Rule::DeadPayload, at })
}

/// When what an entry names as evidence is purged, if no other rule has done so.
#[must_use]
pub fn object_due(entry_time: Time, periods: &Periods) -> Due {
    Due { rule: Rule::Evidence, at: entry_time.plus(periods.evidence) }
}
