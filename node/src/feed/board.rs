//! How polling each source has gone: what is kept over restarts, and what operators are shown.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use parking_lot::Mutex;
use passerelle_domain::{ids::AlertId, refusal::Refusal, time::Time};

use super::fetch::Validators;

/// What is remembered of a source. A local row: harmless to lose, as every document is known by what was made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Polls {
    /// What its server told of the last answer.
    #[n(0)]
    pub(super) validators: Option<Validators>,
    /// Polls in a row that failed.
    #[n(1)]
    pub(super) failures: u32,
    /// When it was last asked.
    #[n(2)]
    pub(super) polled_at: Option<Time>,
    /// When it last answered.
    #[n(3)]
    pub(super) answered_at: Option<Time>,
    /// When it is asked next.
    #[n(4)]
    pub(super) next: Time,
    /// Code and message of what went wrong in the last poll.
    #[n(5)]
    pub(super) error: Option<(String, String)>,
    /// Documents that became drafts, ever.
    #[n(6)]
    pub(super) drafted: u64,
    /// Documents that were refused, ever.
    #[n(7)]
    pub(super) refused: u64,
    /// Entries of the last feed that are dealt with, by their mark.
    #[n(8)]
    pub(super) seen: Vec<u64>,
    /// Alerts of ours that the source has cancelled since they went out.
    #[n(9)]
    pub(super) cancelled: Vec<AlertId>,
}

impl Polls {
    pub(super) fn failed(&mut self, refusal: &Refusal) {
        self.error = Some((refusal.code.as_str().to_owned(), refusal.message.clone()));
    }
}

/// One source at one moment, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Whether it is polled.
    pub enabled: bool,
    /// When it was last asked.
    pub polled_at: Option<Time>,
    /// When it last answered.
    pub answered_at: Option<Time>,
    /// When it is asked next.
    pub next: Option<Time>,
    /// Polls in a row that failed.
    pub failures: u32,
    /// Code and message of what went wrong in the last poll.
    pub error: Option<(String, String)>,
    /// Documents that became drafts, ever.
    pub drafted: u64,
    /// Documents that were refused, ever.
    pub refused: u64,
    /// Alerts of ours that it has cancelled since they went out.
    pub cancelled: Vec<AlertId>,
}

/// All sources, by name.
#[derive(Debug, Default)]
pub struct Board(Mutex<BTreeMap<String, SourceStatus>>);

impl Board {
    /// All sources as they are now, by name.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceStatus> {
        self.0.lock().values().cloned().collect()
    }

    /// A source that is no longer configured.
    pub(super) fn remove(&self, name: &str) {
        self.0.lock().remove(name);
    }

    pub(super) fn put(&self, status: SourceStatus) {
        self.0.lock().insert(status.name.clone(), status);
    }
}
