//! How each link is, for people and for metrics. Not persisted: it is what this process has seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use parking_lot::Mutex;
use passerelle_domain::{refusal::Code, society::Society, time::Time};

/// What a link is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// A session is up.
    Up,
    /// A dial or a handshake is under way.
    Dialling,
    /// The next dial is awaited, or the peer's, when it has no address.
    #[default]
    Waiting,
}

impl LinkState {
    /// The name that status shows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Dialling => "dialling",
            Self::Waiting => "waiting",
        }
    }
}

/// One link, as this process has seen it.
#[derive(Clone, Debug, Default)]
pub struct LinkStatus {
    /// What it is doing.
    pub state: LinkState,
    /// When the peer was last heard.
    pub last_contact: Option<Time>,
    /// The shortest round trip of the session.
    pub round_trip: Option<Duration>,
    /// The peer's clock less ours, in milliseconds.
    pub skew_ms: Option<i64>,
    /// When the peer's certificate ends.
    pub certificate_until: Option<Time>,
    /// Why the link last failed.
    pub last_error: Option<Code>,
    /// When it is dialled next.
    pub next_dial: Option<Time>,
    /// Bytes of frames sent, and received.
    pub bytes: (u64, u64),
    /// What a person must look at.
    pub alarms: BTreeSet<&'static str>,
}

/// The links of this process.
#[derive(Default)]
pub struct Statuses(Mutex<BTreeMap<Society, LinkStatus>>);

impl Statuses {
    /// How the link to a peer is.
    #[must_use]
    pub fn of(&self, peer: Society) -> LinkStatus {
        self.0.lock().get(&peer).cloned().unwrap_or_default()
    }

    /// How far this node's clock is from that of the peer that it differs most from, among those that are joined.
    #[must_use]
    pub fn clocks_apart_ms(&self) -> u64 {
        let links = self.0.lock();
        let joined = links.values().filter(|status| status.state == LinkState::Up);
        joined.filter_map(|status| status.skew_ms).map(i64::unsigned_abs).max().unwrap_or_default()
    }

    /// Changes what is known of a link.
    pub fn update(&self, peer: Society, change: impl FnOnce(&mut LinkStatus)) {
        change(self.0.lock().entry(peer).or_default());
    }
}
