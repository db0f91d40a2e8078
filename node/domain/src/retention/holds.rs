//! What lies over everything else: legal holds, breach freezes, and the suspension of a peer. Rows of the
//! journal, as the rows in [`crate::rows`] are.

use minicbor::{Decode, Encode};

use crate::{catalogue::vocabulary, ids::EntryIndex, time::Time};

vocabulary! {
    /// What a hold does. Each keeps its subject from being purged by its age; a restriction, which is at the wish of the
    /// person, stands in the way of no erasure that they ask for.
    HoldKind {
        1 LegalHold = "legal_hold",
        2 BreachFreeze = "breach_freeze",
        3 Restriction = "restriction",
    }
}

/// A hold over a case, a handover, a consent record or an alert. One of each kind at most is in force over one subject.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HoldRow {
    /// The entry that placed it last.
    #[n(0)]
    pub placed: EntryIndex,
    /// When that was.
    #[n(1)]
    pub placed_at: Time,
    /// Why, as the officer wrote it.
    #[n(2)]
    pub reason: String,
    /// The entry that lifted it, and when; absent while it is in force.
    #[n(3)]
    pub lifted: Option<(EntryIndex, Time)>,
}

/// Whether nothing about a person is exchanged with a peer, by word of an officer rather than of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SuspensionRow {
    /// The entry that said so last.
    #[n(0)]
    pub entry: EntryIndex,
    /// When that was.
    #[n(1)]
    pub at: Time,
    /// Whether the peer is suspended now.
    #[n(2)]
    pub suspended: bool,
    /// Why, as the officer wrote it.
    #[n(3)]
    pub reason: String,
}

/// What retention has to know of a handover beyond the handover's own row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct KeepingRow {
    /// When the recipient receipted the package that was released.
    #[n(0)]
    pub delivered_at: Option<Time>,
    /// When the recipient's node refused it, or its delivery ended without it.
    #[n(1)]
    pub failed_at: Option<Time>,
    /// When a person reviewed the received package and found that it is still needed.
    #[n(2)]
    pub reviewed_at: Option<Time>,
    /// When the package was purged.
    #[n(3)]
    pub purged_at: Option<Time>,
    /// Until when the consent lets the released package be kept.
    #[n(4)]
    pub retention_until: Option<Time>,
}
