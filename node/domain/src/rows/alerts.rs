//! Rows of alerts: drafts, alerts, answers, and what is known before the alert is.

use minicbor::{Decode, Encode};

use crate::{
    alert::life::State as AlertState,
    catalogue::{CancelReason, Event, Mode, RedactReason, Severity, Urgency},
    digest::Digest,
    entry::{DraftEnd, DraftSource, HookOutcome},
    ids::{AlertId, EntryIndex},
    limits::{CLAIMED_UPDATES_MAX, CLAIMS_MAX, UPDATES_MAX},
    society::Society,
    time::Time,
};

use super::Delivery;

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AlertRow {
    /// Entry whose object is its envelope.
    #[n(0)]
    pub entry: EntryIndex,
    /// Digest of that envelope.
    #[n(1)]
    pub digest: Digest,
    /// Who issued it.
    #[n(2)]
    pub origin: Society,
    /// Where it is in its life; expiry is added when it is shown.
    #[n(3)]
    pub state: AlertState,
    /// Until when it holds.
    #[n(4)]
    pub expires_at: Time,
    /// What happened.
    #[n(5)]
    pub event: Event,
    /// How bad.
    #[n(6)]
    pub severity: Severity,
    /// How soon.
    #[n(7)]
    pub urgency: Urgency,
    /// Actual, Exercise, System or Test.
    #[n(8)]
    pub mode: Mode,
    /// The alert that superseded it; of several the one with the last id.
    #[n(9)]
    pub superseded_by: Option<AlertId>,
    /// Why it was cancelled, and the entry that says so.
    #[n(10)]
    pub cancelled: Option<(CancelReason, EntryIndex)>,
    /// Where it stands in the lanes to peers, when it is ours.
    #[n(11)]
    pub deliveries: Vec<Delivery>,
    /// When it was sent, as it says itself; absent where an earlier release kept only its outline.
    #[n(12)]
    pub sent_at: Option<Time>,
    /// What it supersedes, by id.
    #[n(13)]
    pub parents: Option<Vec<AlertId>>,
    /// Every update that supersedes it, by id; the last [`UPDATES_MAX`].
    #[n(14)]
    pub children: Option<Vec<AlertId>>,
    /// Since when it waits for what it supersedes, while it does.
    #[n(15)]
    pub held_since: Option<Time>,
    /// Whether, and until when, a human at each recipient is to acknowledge it.
    #[n(16)]
    pub ack: Option<AckWanted>,
    /// Its redaction.
    #[n(17)]
    pub redacted: Option<Redaction>,
    /// The last call of a post on duty, where nobody had acknowledged it in time.
    #[n(18)]
    pub escalation: Option<Escalation>,
}

impl AlertRow {
    /// What it supersedes.
    #[must_use]
    pub fn parents(&self) -> &[AlertId] {
        self.parents.as_deref().unwrap_or_default()
    }

    /// What supersedes it.
    #[must_use]
    pub fn children(&self) -> &[AlertId] {
        self.children.as_deref().unwrap_or_default()
    }

    /// Adds an update that supersedes it. The same whatever the order in which they come.
    pub fn add_child(&mut self, child: AlertId) {
        let children = self.children.get_or_insert_default();
        insert_last(children, child, UPDATES_MAX);
        self.superseded_by = children.last().copied();
    }
}

/// Keeps a sorted list of the last `max` ids.
fn insert_last(ids: &mut Vec<AlertId>, id: AlertId, max: usize) {
    if let Err(at) = ids.binary_search(&id) {
        ids.insert(at, id);
        ids.drain(..ids.len().saturating_sub(max));
    }
}

/// That a human at each recipient is to acknowledge an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AckWanted {
    /// By when; absent means as soon as may be.
    #[n(0)]
    pub by: Option<Time>,
}

/// That the content of an alert is erased.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Redaction {
    /// Why.
    #[n(0)]
    pub reason: RedactReason,
    /// The entry that says so.
    #[n(1)]
    pub entry: EntryIndex,
    /// Peers that have told us, the origin, that nothing is left there, and the entry that says so.
    #[n(2)]
    pub erased: Vec<(Society, EntryIndex)>,
}

/// A call of a post on duty.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Escalation {
    /// Which one, from 1.
    #[n(0)]
    pub step: u32,
    /// The entry that began it.
    #[n(1)]
    pub entry: EntryIndex,
    /// When it began.
    #[n(2)]
    pub at: Time,
    /// What became of it; absent until that is known.
    #[n(3)]
    pub outcome: Option<HookOutcome>,
}

/// A draft of an alert. The draft itself is the object of its entry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DraftRow {
    /// Entry whose object is the draft.
    #[n(0)]
    pub entry: EntryIndex,
    /// SHA-256 of the draft.
    #[n(1)]
    pub digest: Digest,
    /// Where it comes from.
    #[n(2)]
    pub source: DraftSource,
    /// Draft or ready.
    #[n(3)]
    pub state: AlertState,
    /// Whether a second person approves it before it goes out.
    #[n(4)]
    pub needs_approval: bool,
    /// The entry that approved it.
    #[n(5)]
    pub approved: Option<EntryIndex>,
    /// How it ended, and the entry that says so.
    #[n(6)]
    pub ended: Option<(DraftEnd, EntryIndex)>,
}

/// A human's answer to an alert.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AckRow {
    /// Entry whose object is the answer's envelope.
    #[n(0)]
    pub entry: EntryIndex,
    /// Whether it reports an error instead.
    #[n(1)]
    pub error: bool,
    /// When it was recorded here.
    #[n(2)]
    pub at: Time,
}

/// What is known of an alert before the alert itself is: lanes overtake each other, and a cancel or
/// an update may come first. A cancel wins. Whose the alert is nobody knows yet, so that the word of
/// each Society stands apart: at most one claim of each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct TombstoneRow {
    /// What each Society said.
    #[n(0)]
    pub claims: Vec<Claim>,
}

/// What one Society said of an alert that is not here yet.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Claim {
    /// Who said so; it counts only when the alert is theirs.
    #[n(0)]
    pub origin: Society,
    /// Why it is cancelled, and the entry whose object says so.
    #[n(1)]
    pub cancelled: Option<(CancelReason, EntryIndex)>,
    /// What supersedes it; of several the one with the last id.
    #[n(2)]
    pub superseded_by: Option<AlertId>,
    /// Why it is redacted, and the entry whose object says so.
    #[n(3)]
    pub redacted: Option<(RedactReason, EntryIndex)>,
    /// Every update that supersedes it, by id; the last [`CLAIMED_UPDATES_MAX`].
    #[n(4)]
    pub children: Option<Vec<AlertId>>,
}

impl Claim {
    /// What supersedes it.
    #[must_use]
    pub fn children(&self) -> &[AlertId] {
        self.children.as_deref().unwrap_or_default()
    }

    /// Adds an update that supersedes it.
    pub fn add_child(&mut self, child: AlertId) {
        let children = self.children.get_or_insert_default();
        insert_last(children, child, CLAIMED_UPDATES_MAX);
        self.superseded_by = children.last().copied();
    }
}

impl TombstoneRow {
    /// What `origin` said.
    #[must_use]
    pub fn of(&self, origin: Society) -> Option<&Claim> {
        self.claims.iter().find(|claim| claim.origin == origin)
    }

    /// Adds to what `origin` said.
    pub fn claim(&mut self, origin: Society, add: impl FnOnce(&mut Claim)) {
        if let Some(claim) = self.claims.iter_mut().find(|claim| claim.origin == origin) {
            return add(claim);
        }
        if self.claims.len() >= CLAIMS_MAX {
            // A row is one value of the store, and so many Societies do not speak of one alert in good faith.
            return;
        }
        let mut claim = Claim { origin, cancelled: None, superseded_by: None, redacted: None, children: None };
        add(&mut claim);
        self.claims.push(claim);
    }
}
