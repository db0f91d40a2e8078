//! The life of a handover, as each of the two Societies sees it: both apply the same steps.
//!
//! | action | by | from | to |
//! | --- | --- | --- | --- |
//! | submit | sender | draft, blocked | ready |
//! | block | sender | draft, blocked, ready | blocked |
//! | send | sender | ready | offered |
//! | deliver | recipient | offered | delivered |
//! | accept | recipient | delivered | accepted |
//! | reject | recipient | delivered | rejected |
//! | expire | both | offered, delivered | expired |
//! | release | sender | accepted | disclosed |
//! | arrive | recipient | disclosed | in_service |
//! | no_show | recipient | disclosed | not_arrived |
//! | complete | recipient | in_service | completed |
//! | return | recipient | in_service | returned |
//! | cancel | sender | draft, blocked, ready, offered, delivered, accepted | cancelled |
//! | revoke | sender | accepted, disclosed, in_service | revoked |
//! | withdraw | both | whatever has not ended | withdrawn |
//! | erase | both | whatever has ended | erased |
//!
//! An answer implies delivery: who receives one before the receipt applies `deliver` first. A
//! cancel may cross an acceptance on the wire; nothing was disclosed yet, so it stands. Until
//! `in_service` the sender answers for the person. A handover may be frozen (legal hold, breach)
//! in any state: that is a flag beside the state, not a state.

use crate::{
    catalogue::{Role, vocabulary},
    refusal::{Code, Refusal},
};

vocabulary! {
    /// Where a handover stands.
    State {
        1 Draft = "draft",
        2 Ready = "ready",
        3 Blocked = "blocked",
        4 Offered = "offered",
        5 Delivered = "delivered",
        6 Accepted = "accepted",
        7 Rejected = "rejected",
        8 Expired = "expired",
        9 Disclosed = "disclosed",
        10 InService = "in_service",
        11 NotArrived = "not_arrived",
        12 Completed = "completed",
        13 Returned = "returned",
        14 Cancelled = "cancelled",
        15 Revoked = "revoked",
        16 Withdrawn = "withdrawn",
        17 Erased = "erased",
    }
}

vocabulary! {
    /// What can be done with a handover.
    Action {
        1 Submit = "submit",
        2 Block = "block",
        3 Send = "send",
        4 Deliver = "deliver",
        5 Accept = "accept",
        6 Reject = "reject",
        7 Expire = "expire",
        8 Release = "release",
        9 Arrive = "arrive",
        10 NoShow = "no_show",
        11 Complete = "complete",
        12 Return = "return",
        13 Cancel = "cancel",
        14 Revoke = "revoke",
        15 Withdraw = "withdraw",
        16 Erase = "erase",
    }
}

vocabulary! {
    /// On whose side an action is done.
    Side {
        1 From = "from",
        2 To = "to",
    }
}

impl State {
    /// Whether it has ended: only erasure is left.
    #[must_use]
    pub fn has_ended(self) -> bool {
        use State as S;
        matches!(
            self,
            S::Rejected
                | S::Expired
                | S::NotArrived
                | S::Completed
                | S::Returned
                | S::Cancelled
                | S::Revoked
                | S::Withdrawn
                | S::Erased
        )
    }
}

impl Action {
    /// Whether the action may be done on that side.
    #[must_use]
    pub fn is_for(self, side: Side) -> bool {
        match self {
            Self::Submit | Self::Block | Self::Send | Self::Release | Self::Cancel | Self::Revoke => side == Side::From,
            Self::Deliver
            | Self::Accept
            | Self::Reject
            | Self::Arrive
            | Self::NoShow
            | Self::Complete
            | Self::Return => side == Side::To,
            Self::Expire | Self::Withdraw | Self::Erase => true,
        }
    }

    fn next(self, state: State) -> Option<State> {
        use State as S;
        let next = match (self, state) {
            (Self::Submit, S::Draft | S::Blocked) => S::Ready,
            (Self::Block, S::Draft | S::Blocked | S::Ready) => S::Blocked,
            (Self::Send, S::Ready) => S::Offered,
            (Self::Deliver, S::Offered) => S::Delivered,
            (Self::Accept, S::Delivered) => S::Accepted,
            (Self::Reject, S::Delivered) => S::Rejected,
            (Self::Expire, S::Offered | S::Delivered) => S::Expired,
            (Self::Release, S::Accepted) => S::Disclosed,
            (Self::Arrive, S::Disclosed) => S::InService,
            (Self::NoShow, S::Disclosed) => S::NotArrived,
            (Self::Complete, S::InService) => S::Completed,
            (Self::Return, S::InService) => S::Returned,
            (Self::Cancel, S::Draft | S::Blocked | S::Ready | S::Offered | S::Delivered | S::Accepted) => S::Cancelled,
            (Self::Revoke, S::Accepted | S::Disclosed | S::InService) => S::Revoked,
            (Self::Withdraw, state) if !state.has_ended() => S::Withdrawn,
            (Self::Erase, state) if state.has_ended() && state != S::Erased => S::Erased,
            _ => return None,
        };
        Some(next)
    }
}

/// One step of the table at the head of this file.
///
/// # Errors
/// `not_origin` or `not_recipient` when the action is the other side's, `already_ended` or
/// `wrong_state` when it has no place in the state; the message says what is possible now.
pub fn transition(state: State, action: Action, side: Side) -> Result<State, Refusal> {
    if !action.is_for(side) {
        return Err(match side {
            Side::From => {
                Refusal::new(Code::NotRecipient, format!("{action} is for the Society that receives the case"))
            }
            Side::To => Refusal::new(Code::NotOrigin, format!("{action} is for the Society that offers the case")),
        });
    }
    action.next(state).ok_or_else(|| {
        let code = if state.has_ended() { Code::AlreadyEnded } else { Code::WrongState };
        let names = |side| {
            let possible = Action::ALL.iter().filter(|action| action.is_for(side) && action.next(state).is_some());
            let names: Vec<_> = possible.map(|action| action.as_str()).collect();
            if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
        };
        let message = format!(
            "the handover is {state}; possible now for the sender: {}; for the recipient: {}",
            names(Side::From),
            names(Side::To)
        );
        Refusal::new(code, message)
    })
}

/// The roles that an operator needs one of for an action; none for what only the node itself does.
#[must_use]
pub fn permitted_roles(action: Action) -> &'static [Role] {
    match action {
        Action::Submit | Action::Send | Action::Release | Action::Cancel => &[Role::Caseworker, Role::Supervisor],
        Action::Block | Action::Deliver | Action::Expire => &[],
        Action::Accept | Action::Reject => &[Role::DutyOfficer, Role::Supervisor],
        Action::Arrive | Action::NoShow | Action::Complete => &[Role::Caseworker, Role::Supervisor],
        Action::Return | Action::Revoke => &[Role::Supervisor],
        // Any channel will do: wrongly stopping is safer than wrongly sharing.
        Action::Withdraw => &[Role::DutyOfficer, Role::Caseworker, Role::Supervisor, Role::Dpo],
        Action::Erase => &[Role::Dpo],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table, written state by state: `state: from's actions -> next ...; to's actions -> next ...`.
    const TABLE: &str = "
        draft:     submit>ready block>blocked cancel>cancelled withdraw>withdrawn | withdraw>withdrawn
        blocked:   submit>ready block>blocked cancel>cancelled withdraw>withdrawn | withdraw>withdrawn
        ready:     block>blocked send>offered cancel>cancelled withdraw>withdrawn | withdraw>withdrawn
        offered:   expire>expired cancel>cancelled withdraw>withdrawn | deliver>delivered expire>expired withdraw>withdrawn
        delivered: expire>expired cancel>cancelled withdraw>withdrawn | accept>accepted reject>rejected expire>expired withdraw>withdrawn
        accepted:  release>disclosed cancel>cancelled revoke>revoked withdraw>withdrawn | withdraw>withdrawn
        disclosed: revoke>revoked withdraw>withdrawn | arrive>in_service no_show>not_arrived withdraw>withdrawn
        in_service: revoke>revoked withdraw>withdrawn | complete>completed return>returned withdraw>withdrawn
        rejected:  erase>erased | erase>erased
        expired:   erase>erased | erase>erased
        not_arrived: erase>erased | erase>erased
        completed: erase>erased | erase>erased
        returned:  erase>erased | erase>erased
        cancelled: erase>erased | erase>erased
        revoked:   erase>erased | erase>erased
        withdrawn: erase>erased | erase>erased
        erased:    |
    ";

    fn expected(state: State, action: Action, side: Side) -> Option<State> {
        let row = TABLE.lines().find_map(|line| line.trim().strip_prefix(&format!("{state}:"))).expect("a row");
        let (from, to) = row.split_once('|').expect("two sides");
        let steps = if side == Side::From { from } else { to };
        let next = steps.split_whitespace().find_map(|step| step.strip_prefix(&format!("{action}>")))?;
        Some(next.parse().expect("a state"))
    }

    fn side_of(action: Action) -> Option<Side> {
        let somewhere = |side| State::ALL.iter().any(|state| expected(*state, action, side).is_some());
        match (somewhere(Side::From), somewhere(Side::To)) {
            (true, false) => Some(Side::From),
            (false, true) => Some(Side::To),
            _ => None,
        }
    }

    #[test]
    fn every_state_action_and_side_does_what_the_table_says() {
        for state in State::ALL {
            for action in Action::ALL {
                for side in Side::ALL {
                    let code = match side_of(*action) {
                        Some(Side::From) if *side == Side::To => Code::NotOrigin,
                        Some(Side::To) if *side == Side::From => Code::NotRecipient,
                        _ if state.has_ended() => Code::AlreadyEnded,
                        _ => Code::WrongState,
                    };
                    let outcome = transition(*state, *action, *side).map_err(|refusal| refusal.code);
                    let wanted = expected(*state, *action, *side).ok_or(code);
                    assert_eq!(outcome, wanted, "{state} {action} {side}");
                }
            }
        }
    }

    #[test]
    fn a_refusal_says_what_is_possible_now() {
        let refusal = transition(State::Delivered, Action::Complete, Side::To).expect_err("nobody was served yet");
        assert_eq!(
            refusal.message,
            "the handover is delivered; possible now for the sender: expire, cancel, withdraw; \
             for the recipient: accept, reject, expire, withdraw"
        );
    }

    #[test]
    fn what_has_ended_is_what_has_only_erasure_left() {
        for state in State::ALL {
            let only_erasure = Action::ALL
                .iter()
                .filter(|action| Side::ALL.iter().any(|side| expected(*state, **action, *side).is_some()))
                .all(|action| *action == Action::Erase);
            assert_eq!(state.has_ended(), only_erasure, "{state}");
        }
    }

    #[test]
    fn node_administrators_and_auditors_touch_no_case() {
        for action in Action::ALL {
            for role in [Role::NodeAdmin, Role::Auditor, Role::Interpreter] {
                assert!(!permitted_roles(*action).contains(&role), "{action} {role}");
            }
        }
    }
}
