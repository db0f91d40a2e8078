//! The life of an alert, as one node sees it. Nodes agree because they replay the same messages, in
//! whatever order these arrive.
//!
//! | from \ event | Approve | Publish | Receipt | Answer | Supersede | Cancel | Redact | ParentCame, WaitOver |
//! |---|---|---|---|---|---|---|---|---|
//! | Draft      | Ready | -      | - | - | - | - | Redacted | - |
//! | Ready      | -     | Active | - | - | - | - | Redacted | - |
//! | HeldOrphan | -     | -      | - | - | Superseded | Cancelled | Redacted | Active |
//! | Active     | -     | -      | = | = | Superseded | Cancelled | Redacted | = |
//! | Superseded | -     | -      | = | = | = | Cancelled | Redacted | = |
//! | Cancelled  | -     | -      | = | = | = | = | Redacted | = |
//! | Redacted   | -     | -      | = | = | = | = | = | = |
//!
//! `=` leaves the state as it is (a receipt or an answer that comes late is still recorded); `-` is refused.
//! Cancel beats Update whatever the order, and Redact beats both. Expiry is no event: every node tells it
//! from its own clock ([`shown`]), and a cancellation still reaches an alert that has expired.

use std::time::Duration;

use crate::{
    limits::{EXPIRY_SKEW_SECONDS, ORPHAN_WAIT_SECONDS},
    refusal::{Code, Refusal},
    time::Time,
};

crate::catalogue::vocabulary! {
    /// Where an alert stands.
    State {
        1 Draft = "draft",
        2 Ready = "ready",
        3 Active = "active",
        4 Superseded = "superseded",
        5 Cancelled = "cancelled",
        6 Redacted = "redacted",
        7 HeldOrphan = "held_orphan",
    }
}

crate::catalogue::vocabulary! {
    /// Where an alert stands for who looks at it: its state, or `expired`.
    Shown {
        1 Draft = "draft",
        2 Ready = "ready",
        3 Active = "active",
        4 Superseded = "superseded",
        5 Cancelled = "cancelled",
        6 Redacted = "redacted",
        7 HeldOrphan = "held_orphan",
        8 Expired = "expired",
    }
}

crate::catalogue::vocabulary! {
    /// What can happen to an alert.
    Event {
        1 Approve = "approve",
        2 Publish = "publish",
        3 Receipt = "receipt",
        4 Answer = "answer",
        5 Supersede = "supersede",
        6 Cancel = "cancel",
        7 Redact = "redact",
        8 ParentCame = "parent_came",
        9 WaitOver = "wait_over",
    }
}

/// The state that follows; see the table of this module.
///
/// # Errors
/// `wrong_state` for a step that is not possible yet or no more, `already_ended` for one on an alert that has ended.
pub fn transition(state: State, event: Event) -> Result<State, Refusal> {
    use Event as E;
    use State as S;
    match (state, event) {
        (_, E::Redact) => Ok(S::Redacted),
        (S::Draft, E::Approve) => Ok(S::Ready),
        (S::Ready, E::Publish) => Ok(S::Active),
        (S::HeldOrphan, E::ParentCame | E::WaitOver) => Ok(S::Active),
        (S::HeldOrphan | S::Active, E::Supersede) => Ok(S::Superseded),
        (S::HeldOrphan | S::Active | S::Superseded, E::Cancel) => Ok(S::Cancelled),
        (S::Active, E::Receipt | E::Answer | E::ParentCame | E::WaitOver) => Ok(S::Active),
        (S::Superseded, E::Receipt | E::Answer | E::Supersede | E::ParentCame | E::WaitOver) => Ok(S::Superseded),
        (
            S::Cancelled | S::Redacted,
            E::Receipt | E::Answer | E::Supersede | E::Cancel | E::ParentCame | E::WaitOver,
        ) => Ok(state),
        (S::Superseded | S::Cancelled | S::Redacted, E::Approve | E::Publish) => {
            Err(Refusal::new(Code::AlreadyEnded, format!("the alert is {state}")))
        }
        (
            S::Draft | S::Ready,
            E::Approve | E::Publish | E::Receipt | E::Answer | E::Supersede | E::Cancel | E::ParentCame | E::WaitOver,
        )
        | (S::Active | S::HeldOrphan, E::Approve | E::Publish)
        | (S::HeldOrphan, E::Receipt | E::Answer) => {
            Err(Refusal::new(Code::WrongState, format!("{event} is not possible while the alert is {state}")))
        }
    }
}

/// What a node already knows of an alert at the moment when the alert itself arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its redaction came first.
    pub redacted: bool,
    /// Its cancellation came first.
    pub cancelled: bool,
    /// An update that supersedes it came first.
    pub superseded: bool,
    /// It is an update, and an alert that it supersedes has not come yet.
    pub parent_missing: bool,
}

/// The state in which an alert from a peer begins: what overtook it on the way holds.
#[must_use]
pub fn arrival(known: Known) -> State {
    match known {
        Known { redacted: true, .. } => State::Redacted,
        Known { cancelled: true, .. } => State::Cancelled,
        Known { superseded: true, .. } => State::Superseded,
        Known { parent_missing: true, .. } => State::HeldOrphan,
        _ => State::Active,
    }
}

/// When an update held since `arrived` is shown although the alert that it supersedes has not come.
#[must_use]
pub fn orphan_wait_ends(arrived: Time) -> Time {
    arrived.plus(Duration::from_secs(ORPHAN_WAIT_SECONDS))
}

/// The state of an update held since `held_since`, at the instant `now`: who has waited long enough is active,
/// also before the node has written that down.
#[must_use]
pub fn waited(state: State, held_since: Option<Time>, now: Time) -> State {
    match held_since {
        Some(since) if state == State::HeldOrphan && now >= orphan_wait_ends(since) => State::Active,
        _ => state,
    }
}

/// What an alert in `state` is shown as at the instant `now` of this node: active until five minutes after
/// its expiry, since clocks differ, then expired. An alert that ended otherwise is shown as it ended.
#[must_use]
pub fn shown(state: State, expires_at: Time, now: Time) -> Shown {
    let lapsed = now >= expires_at.plus(Duration::from_secs(EXPIRY_SKEW_SECONDS));
    match state {
        State::Active | State::HeldOrphan if lapsed => Shown::Expired,
        State::Draft => Shown::Draft,
        State::Ready => Shown::Ready,
        State::Active => Shown::Active,
        State::Superseded => Shown::Superseded,
        State::Cancelled => Shown::Cancelled,
        State::Redacted => Shown::Redacted,
        State::HeldOrphan => Shown::HeldOrphan,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the module's head, row by row: `.` keeps the state, `w` is a wrong state, `e` has ended.
    const TABLE: [(State, &str); 7] = [
        (State::Draft, "R w w w w w X w w"),
        (State::Ready, "w A w w w w X w w"),
        (State::HeldOrphan, "w w w w S C X A A"),
        (State::Active, "w w . . S C X . ."),
        (State::Superseded, "e e . . . C X . ."),
        (State::Cancelled, "e e . . . . X . ."),
        (State::Redacted, "e e . . . . X . ."),
    ];

    #[test]
    fn every_pair_of_state_and_event_does_what_the_table_says() {
        assert_eq!(TABLE.len(), State::ALL.len());
        for (state, row) in TABLE {
            assert_eq!(row.split(' ').count(), Event::ALL.len());
            for (event, cell) in Event::ALL.iter().zip(row.split(' ')) {
                let expected = match cell {
                    "R" => Ok(State::Ready),
                    "A" => Ok(State::Active),
                    "S" => Ok(State::Superseded),
                    "C" => Ok(State::Cancelled),
                    "X" => Ok(State::Redacted),
                    "." => Ok(state),
                    "w" => Err(Code::WrongState),
                    _ => Err(Code::AlreadyEnded),
                };
                assert_eq!(transition(state, *event).map_err(|r| r.code), expected, "{state} {event}");
            }
        }
    }

    #[test]
    fn what_peers_send_leads_to_one_state_in_every_order() {
        let events = [Event::Supersede, Event::Cancel, Event::Redact];
        for events in [&events[..2], &events[..]] {
            let ends: Vec<_> = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
                .iter()
                .map(|order| {
                    order.iter().filter_map(|at| events.get(*at)).fold(State::Active, |state, event| {
                        transition(state, *event).expect("peers' events are never refused on an active alert")
                    })
                })
                .collect();
            assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{ends:?}");
        }
    }

    #[test]
    fn what_overtook_an_alert_holds_when_it_arrives() {
        for (redacted, cancelled, superseded, parent_missing, state) in [
            (false, false, false, false, State::Active),
            (false, false, false, true, State::HeldOrphan),
            (false, false, true, true, State::Superseded),
            (false, true, true, true, State::Cancelled),
            (true, true, true, true, State::Redacted),
        ] {
            assert_eq!(arrival(Known { redacted, cancelled, superseded, parent_missing }), state);
        }
        let arrived = Time::from_millis(0);
        assert_eq!(orphan_wait_ends(arrived).since(arrived), Duration::from_secs(600));
        let (before, after) = (Time::from_millis(599_999), Time::from_millis(600_000));
        assert_eq!(waited(State::HeldOrphan, Some(arrived), before), State::HeldOrphan);
        assert_eq!(waited(State::HeldOrphan, Some(arrived), after), State::Active);
        assert_eq!(waited(State::Cancelled, Some(arrived), after), State::Cancelled);
    }

    #[test]
    fn an_alert_is_shown_as_expired_five_minutes_after_its_time_and_only_while_it_is_active() {
        let expires = Time::from_millis(1_000_000);
        let last = expires.plus(Duration::from_secs(300)).minus(Duration::from_millis(1));
        let lapsed = expires.plus(Duration::from_secs(300));
        for state in State::ALL {
            assert_eq!(shown(*state, expires, last).as_str(), state.as_str());
            let expired = matches!(state, State::Active | State::HeldOrphan);
            assert_eq!(shown(*state, expires, lapsed).as_str(), if expired { "expired" } else { state.as_str() });
        }
    }
}
