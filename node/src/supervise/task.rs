//! The closed list of the node's long-lived tasks.

use std::{fmt, time::Duration};

use super::STOP_WITHIN;

/// When a task is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// First: nothing new comes in.
    Listeners,
    /// Then the peers are let go, with what is in flight.
    Link,
    /// Then the engine decides and commits what it has taken.
    Engine,
    /// Last, the store closes.
    Store,
}

impl Phase {
    /// The order in which the phases end.
    pub const ORDER: [Self; 4] = [Self::Listeners, Self::Link, Self::Engine, Self::Store];

    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// How long after the beginning of the stop the phase must be over. Even if the first ones use up all their
    /// time, the engine and the store keep half of it, for theirs is the work that must not be cut off.
    pub(super) fn ends_within(self) -> Duration {
        match self {
            Self::Listeners => STOP_WITHIN / 5,
            Self::Link => STOP_WITHIN / 2,
            Self::Engine => STOP_WITHIN * 4 / 5,
            Self::Store => STOP_WITHIN,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listeners => "listeners",
            Self::Link => "link",
            Self::Engine => "engine",
            Self::Store => "store",
        })
    }
}

/// What it means when a task ends although nobody told it to. A panic always stops the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnEnd {
    /// The node cannot do its work without it: stop, and let the service manager start afresh.
    StopNode,
    /// The node does its work without it: say so and go on.
    Log,
}

/// A long-lived task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// Accepts peers that dial in.
    PeerListener,
    /// Serves operators at the Unix socket.
    OperatorSocket,
    /// Serves operators with a certificate.
    OperatorTcp,
    /// Serves the figures for monitoring.
    MetricsListener,
    /// Dials the peers and keeps their sessions.
    Link,
    /// Renews certificates, reloads trust, watches ages.
    TrustKeeper,
    /// Wakes what is due: expiry, retention, the checks of the disk.
    Housekeeper,
    /// Keeps retention.
    Upkeep,
    /// Decides every command.
    Engine,
    /// Makes the engine's batches durable; waits for the committer's thread.
    Committer,
    /// Tells the service manager that the node is alive.
    Watchdog,
}

impl Task {
    /// When it is told to end.
    #[must_use]
    pub fn phase(self) -> Phase {
        match self {
            Self::PeerListener | Self::OperatorSocket | Self::OperatorTcp | Self::MetricsListener => Phase::Listeners,
            // The watchdog asks the engine, so it ends before the engine does.
            Self::Link | Self::TrustKeeper | Self::Housekeeper | Self::Upkeep | Self::Watchdog => Phase::Link,
            Self::Engine => Phase::Engine,
            Self::Committer => Phase::Store,
        }
    }

    /// What its end means.
    #[must_use]
    pub fn on_end(self) -> OnEnd {
        match self {
            Self::PeerListener
            | Self::OperatorSocket
            | Self::OperatorTcp
            | Self::Link
            | Self::TrustKeeper
            | Self::Housekeeper
            | Self::Upkeep
            | Self::Engine
            | Self::Committer => OnEnd::StopNode,
            Self::MetricsListener | Self::Watchdog => OnEnd::Log,
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PeerListener => "peer listener",
            Self::OperatorSocket => "operator socket",
            Self::OperatorTcp => "operator TCP listener",
            Self::MetricsListener => "metrics listener",
            Self::Link => "link",
            Self::TrustKeeper => "trust keeper",
            Self::Housekeeper => "housekeeper",
            Self::Upkeep => "upkeep",
            Self::Engine => "engine",
            Self::Committer => "committer",
            Self::Watchdog => "watchdog",
        })
    }
}
