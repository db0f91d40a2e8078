//! Retention: how long a node keeps what, and what is due at an instant. Pure: rows and the instant
//! come in, what is due goes out. Purging itself is a decision of its own (`decide::retention`).
//!
//! Entries of the journal are never removed: the hash chain and the tree over them are the evidence. They
//! hold no personal data. What ages out are the objects that entries name, and packages in the vault.

mod due;
mod holds;
#[cfg(test)]
mod tests;
mod transfer;

use std::time::Duration;

pub use due::{Due, alert_due, consent_due, correction_due, evidence_due, handover_due, object_due, request_due};
pub use holds::{HoldKind, HoldRow, KeepingRow, SuspensionRow};
pub use transfer::{Transfer, TransferGround};

use crate::catalogue::vocabulary;

vocabulary! {
    /// By which rule something is purged: the rows of the table of retention.
    Rule {
        1 OfferSent = "offer_sent",
        2 OfferReceived = "offer_received",
        3 PackageReceived = "package_received",
        4 PackageSent = "package_sent",
        5 Consent = "consent",
        6 Alert = "alert",
        7 DeadPayload = "dead_payload",
        8 Evidence = "evidence",
        9 ConsentEvidence = "consent_evidence",
        10 Request = "request",
    }
}

/// Seconds of a day.
const DAY: u64 = 86_400;

/// How long each kind of thing is kept. The defaults are those of the network's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periods {
    /// An offer that was not accepted, at the Society that made it, after it ended.
    pub offer_sent: Duration,
    /// The same at the Society that received it.
    pub offer_received: Duration,
    /// A received package, after the handover is completed. A review may prolong it once.
    pub package_received: Duration,
    /// The sender's copy of a package, after the recipient has receipted it.
    pub package_sent: Duration,
    /// A consent record with its events, as proof, after the end of its validity.
    pub consent: Duration,
    /// An alert of the network, after its expiry. Public ones are kept for ever.
    pub alert: Duration,
    /// What could not be delivered or was refused by the peer.
    pub dead_payload: Duration,
    /// Signed messages and receipts that entries name as evidence.
    pub evidence: Duration,
    /// A recording or signed form that proves a consent, after the end of the consent.
    pub consent_evidence: Duration,
    /// What was said of a request of a person, after its last answer, or after it was due.
    pub request: Duration,
    /// How long before a purge the node warns of it.
    pub warn_before: Duration,
}

impl Default for Periods {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * DAY);
        Self {
            offer_sent: days(14),
            offer_received: days(1),
            package_received: days(90),
            package_sent: days(7),
            consent: days(5 * 365),
            alert: days(2 * 365),
            dead_payload: days(30),
            evidence: days(6 * 365),
            consent_evidence: days(30),
            request: days(365),
            warn_before: days(7),
        }
    }
}

impl Periods {
    /// How long the rule lets things be.
    #[must_use]
    pub fn of(&self, rule: Rule) -> Duration {
        match rule {
            Rule::OfferSent => self.offer_sent,
            Rule::OfferReceived => self.offer_received,
            Rule::PackageReceived => self.package_received,
            Rule::PackageSent => self.package_sent,
            Rule::Consent => self.consent,
            Rule::Alert => self.alert,
            Rule::DeadPayload => self.dead_payload,
            Rule::Evidence => self.evidence,
            Rule::ConsentEvidence => self.consent_evidence,
            Rule::Request => self.request,
        }
    }
}
