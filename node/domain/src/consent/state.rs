//! The life of a consent record. Events only ever add up; where it stands is a fold over them.
//!
//! | state \ event | explain | defer | give, give_partly | refuse | reconfirm | withdraw | withdraw_part | expire | invalidate | revoke | come_of_age |
//! | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
//! | unasked | requested | | | | | | | | | | |
//! | requested | requested | deferred | given | refused | | | | | | | renewal_due |
//! | deferred | requested | deferred | given | refused | | | | | | | renewal_due |
//! | given | | | | | renewed | withdrawn | narrowed | expired | invalidated | revoked | renewal_due |
//! | renewed | | | | | renewed | withdrawn | narrowed | expired | invalidated | revoked | renewal_due |
//! | narrowed | | | | | renewed | withdrawn | narrowed | expired | invalidated | revoked | renewal_due |
//! | renewal_due | | | | | renewed | withdrawn | renewal_due | expired | invalidated | revoked | renewal_due |
//! | expired | | | | | | withdrawn | | expired | invalidated | | |
//! | refused, withdrawn, invalidated, revoked | | | | | | | | | | | |
//!
//! Given, renewed and narrowed are in force; narrowed covers what is left. A person who changes
//! their mind after a no, a withdrawal or an expiry is asked anew, in a new record.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::recipient::Recipient;
use crate::{
    catalogue::{CollectionMethod, DataCategory, Purpose, vocabulary},
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};

vocabulary! {
    /// Where a consent record stands (DPV consent statuses, with `narrowed` and `renewal_due` of our own).
    State {
        1 Unasked = "unasked",
        2 Requested = "requested",
        3 Deferred = "deferred",
        4 Given = "given",
        5 Refused = "refused",
        6 Renewed = "renewed",
        7 Narrowed = "narrowed",
        8 Withdrawn = "withdrawn",
        9 Expired = "expired",
        10 Invalidated = "invalidated",
        11 Revoked = "revoked",
        12 RenewalDue = "renewal_due",
    }
}

vocabulary! {
    /// What can happen to a consent record.
    EventKind {
        1 Explain = "explain",
        2 Defer = "defer",
        3 Give = "give",
        4 GivePartly = "give_partly",
        5 Refuse = "refuse",
        6 Reconfirm = "reconfirm",
        7 Withdraw = "withdraw",
        8 WithdrawPart = "withdraw_part",
        9 Expire = "expire",
        10 Invalidate = "invalidate",
        11 Revoke = "revoke",
        12 ComeOfAge = "come_of_age",
    }
}

vocabulary! {
    /// Who made an event happen: a part, never a name.
    Actor {
        1 Person = "person",
        2 Representative = "representative",
        3 Caseworker = "caseworker",
        4 Supervisor = "supervisor",
        5 Dpo = "dpo",
        6 Controller = "controller",
        7 System = "system",
    }
}

impl State {
    /// Whether data may be shared under a record in this state.
    #[must_use]
    pub fn in_force(self) -> bool {
        matches!(self, Self::Given | Self::Renewed | Self::Narrowed)
    }
}

impl EventKind {
    /// Who may make it happen.
    #[must_use]
    pub fn actors(self) -> &'static [Actor] {
        match self {
            Self::Explain | Self::Defer => &[Actor::Caseworker],
            Self::Give | Self::GivePartly | Self::Refuse | Self::Reconfirm => &[Actor::Person, Actor::Representative],
            Self::Withdraw | Self::WithdrawPart => &[Actor::Person, Actor::Representative],
            Self::Expire | Self::ComeOfAge => &[Actor::System],
            Self::Invalidate => &[Actor::Dpo, Actor::Supervisor],
            Self::Revoke => &[Actor::Controller],
        }
    }
}

/// Events that win whenever they are known, the first one known of this list first: a no is never
/// outrun by a yes, since clocks differ and lanes overtake each other.
const WINS: [(EventKind, State); 5] = [
    (EventKind::Invalidate, State::Invalidated),
    (EventKind::Withdraw, State::Withdrawn),
    (EventKind::Revoke, State::Revoked),
    (EventKind::Refuse, State::Refused),
    (EventKind::Expire, State::Expired),
];

/// Which part of a consent was taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// Purposes that are no longer agreed to.
    #[n(0)]
    #[cbor(default)]
    pub purposes: Vec<Purpose>,
    /// Recipients that may no longer receive anything.
    #[n(1)]
    #[cbor(default)]
    pub recipients: Vec<Recipient>,
    /// Categories of data that may no longer be used.
    #[n(2)]
    #[cbor(default)]
    pub categories: Vec<DataCategory>,
}

impl Scope {
    /// Whether it names nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.purposes.is_empty() && self.recipients.is_empty() && self.categories.is_empty()
    }

    /// Whether it takes back the passing on to further recipients.
    #[must_use]
    pub fn takes_back_onward(&self) -> bool {
        Purpose::ONWARD.iter().any(|onward| self.purposes.iter().any(|purpose| purpose.covers(*onward)))
    }

    /// Adds what another one takes back.
    pub fn extend(&mut self, other: &Self) {
        self.purposes.extend(&other.purposes);
        self.recipients.extend(other.recipients.iter().cloned());
        self.categories.extend(&other.categories);
        self.purposes.sort_unstable();
        self.purposes.dedup();
        self.recipients.sort_unstable();
        self.recipients.dedup();
        self.categories.sort_unstable();
        self.categories.dedup();
    }
}

/// One event in the life of a consent record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct ConsentEvent {
    /// When it happened, by the clock of the node that recorded it.
    #[n(0)]
    pub at: Time,
    /// What happened.
    #[n(1)]
    pub kind: EventKind,
    /// Who made it happen.
    #[n(2)]
    pub actor: Actor,
    /// The Society whose node recorded it; a withdrawal is taken anywhere.
    #[n(3)]
    pub recorded_by: Society,
    /// How it was expressed, where a person expressed it.
    #[n(4)]
    pub method: Option<CollectionMethod>,
    /// What was taken back, for a withdrawal of a part and for nothing else.
    #[n(5)]
    pub scope: Option<Scope>,
}

impl ConsentEvent {
    /// Checks what no event may get wrong: who did it, and that a part names what it is a part of.
    ///
    /// # Errors
    /// `malformed` or `missing_field`, with the field.
    pub fn check(&self) -> Result<(), Refusal> {
        if !self.kind.actors().contains(&self.actor) {
            return Err(
                Refusal::new(Code::Malformed, format!("{} is not done by {}", self.kind, self.actor)).at("actor")
            );
        }
        let names_a_part = self.scope.as_ref().is_some_and(|scope| !scope.is_empty());
        match (self.kind, names_a_part) {
            (EventKind::WithdrawPart, false) => {
                Err(Refusal::new(Code::MissingField, "name the purposes, recipients or categories that are taken back")
                    .at("scope"))
            }
            (EventKind::WithdrawPart, true) => Ok(()),
            _ if self.scope.is_some() => {
                Err(Refusal::new(Code::Malformed, "only a withdrawal of a part has a scope").at("scope"))
            }
            _ => Ok(()),
        }
    }
}

/// One step of the table at the head of this file.
///
/// # Errors
/// `consent_state` when the event has no place in that state.
pub fn transition(state: State, event: EventKind) -> Result<State, Refusal> {
    use EventKind as E;
    use State as S;
    let next = match (state, event) {
        (S::Unasked | S::Requested | S::Deferred, E::Explain) => S::Requested,
        (S::Requested | S::Deferred, E::Defer) => S::Deferred,
        (S::Requested | S::Deferred, E::Give | E::GivePartly) => S::Given,
        (S::Requested | S::Deferred, E::Refuse) => S::Refused,
        (S::Given | S::Renewed | S::Narrowed | S::RenewalDue, E::Reconfirm) => S::Renewed,
        (S::Given | S::Renewed | S::Narrowed | S::RenewalDue | S::Expired, E::Withdraw) => S::Withdrawn,
        (S::Given | S::Renewed | S::Narrowed, E::WithdrawPart) => S::Narrowed,
        (S::RenewalDue, E::WithdrawPart) => S::RenewalDue,
        (S::Given | S::Renewed | S::Narrowed | S::RenewalDue | S::Expired, E::Expire) => S::Expired,
        (S::Given | S::Renewed | S::Narrowed | S::RenewalDue | S::Expired, E::Invalidate) => S::Invalidated,
        (S::Given | S::Renewed | S::Narrowed | S::RenewalDue, E::Revoke) => S::Revoked,
        (S::Requested | S::Deferred | S::Given | S::Renewed | S::Narrowed | S::RenewalDue, E::ComeOfAge) => {
            S::RenewalDue
        }
        _ => {
            return Err(Refusal::new(Code::ConsentState, format!("{event} has no place while the consent is {state}")));
        }
    };
    Ok(next)
}

/// Where a consent record stands, and what was taken back of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The state.
    pub state: State,
    /// All parts that were ever taken back; a renewal does not bring them back.
    pub withdrawn: Scope,
}

/// Folds all known events, in whatever order they became known, into where the record stands.
///
/// A known invalidation, withdrawal, revocation, refusal or expiry wins (in this order) whatever
/// the clocks say. The rest is walked by time; of two at the same instant the one that restricts
/// comes last, and an event without a place in its state changes nothing.
#[must_use]
pub fn fold<'a>(events: impl IntoIterator<Item = &'a ConsentEvent>) -> Standing {
    let mut events: Vec<_> = events.into_iter().collect();
    events.sort_by_key(|event| (event.at, restrictiveness(event.kind), event.kind));
    let mut withdrawn = Scope::default();
    events.iter().filter_map(|event| event.scope.as_ref()).for_each(|scope| withdrawn.extend(scope));

    let winner = WINS.iter().find(|(kind, _)| events.iter().any(|event| event.kind == *kind)).map(|(_, state)| *state);
    let walked = || events.iter().fold(State::Unasked, |state, event| transition(state, event.kind).unwrap_or(state));
    Standing { state: winner.unwrap_or_else(walked), withdrawn }
}

fn restrictiveness(kind: EventKind) -> u8 {
    match kind {
        EventKind::Explain => 0,
        EventKind::Defer => 1,
        EventKind::Give | EventKind::GivePartly => 2,
        EventKind::Reconfirm => 3,
        EventKind::WithdrawPart | EventKind::ComeOfAge => 4,
        EventKind::Refuse | EventKind::Withdraw | EventKind::Expire | EventKind::Invalidate | EventKind::Revoke => 5,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The table, written by the words of the two vocabularies: `state event -> state`.
    const TABLE: &str = "
        unasked explain -> requested
        requested explain -> requested
        requested defer -> deferred
        requested give -> given
        requested give_partly -> given
        requested refuse -> refused
        requested come_of_age -> renewal_due
        deferred explain -> requested
        deferred defer -> deferred
        deferred give -> given
        deferred give_partly -> given
        deferred refuse -> refused
        deferred come_of_age -> renewal_due
        given reconfirm -> renewed
        given withdraw -> withdrawn
        given withdraw_part -> narrowed
        given expire -> expired
        given invalidate -> invalidated
        given revoke -> revoked
        given come_of_age -> renewal_due
        renewed reconfirm -> renewed
        renewed withdraw -> withdrawn
        renewed withdraw_part -> narrowed
        renewed expire -> expired
        renewed invalidate -> invalidated
        renewed revoke -> revoked
        renewed come_of_age -> renewal_due
        narrowed reconfirm -> renewed
        narrowed withdraw -> withdrawn
        narrowed withdraw_part -> narrowed
        narrowed expire -> expired
        narrowed invalidate -> invalidated
        narrowed revoke -> revoked
        narrowed come_of_age -> renewal_due
        renewal_due reconfirm -> renewed
        renewal_due withdraw -> withdrawn
        renewal_due withdraw_part -> renewal_due
        renewal_due expire -> expired
        renewal_due invalidate -> invalidated
        renewal_due revoke -> revoked
        renewal_due come_of_age -> renewal_due
        expired withdraw -> withdrawn
        expired expire -> expired
        expired invalidate -> invalidated
    ";

    fn expected(state: State, event: EventKind) -> Option<State> {
        let line = format!("{state} {event} -> ");
        let next = TABLE.lines().find_map(|candidate| candidate.trim().strip_prefix(&line))?;
        Some(next.parse().expect("a state"))
    }

    #[test]
    fn every_state_answers_every_event_as_the_table_says() {
        for state in State::ALL {
            for event in EventKind::ALL {
                let outcome = transition(*state, *event);
                assert_eq!(outcome.as_ref().ok().copied(), expected(*state, *event), "{state} {event}");
                assert!(outcome.is_ok() || outcome.is_err_and(|r| r.code == Code::ConsentState), "{state} {event}");
            }
        }
        assert_eq!(TABLE.lines().filter(|line| line.contains("->")).count(), 44);
    }

    fn event(kind: EventKind, at: u64) -> ConsentEvent {
        let scope =
            (kind == EventKind::WithdrawPart).then(|| Scope { purposes: vec![Purpose::Transport], ..Scope::default() });
        ConsentEvent {
            at: Time::from_millis(at),
            kind,
            actor: kind.actors()[0],
            recorded_by: "ML".parse().expect("a Society"),
            method: None,
            scope,
        }
    }

    #[test]
    fn stories_fold_to_where_the_person_left_it() {
        use EventKind as E;
        for (story, state) in [
            (vec![], State::Unasked),
            (vec![(E::Explain, 1), (E::Give, 2)], State::Given),
            (vec![(E::Explain, 1), (E::Defer, 2), (E::GivePartly, 3)], State::Given),
            (vec![(E::Give, 2)], State::Unasked),
            (vec![(E::Explain, 1), (E::Give, 2), (E::WithdrawPart, 3)], State::Narrowed),
            (vec![(E::Explain, 1), (E::Give, 2), (E::ComeOfAge, 3), (E::Reconfirm, 4)], State::Renewed),
            (vec![(E::Explain, 1), (E::Give, 2), (E::Reconfirm, 3), (E::ComeOfAge, 3)], State::RenewalDue),
            // The withdrawal was recorded at a node whose clock is far behind.
            (vec![(E::Withdraw, 0), (E::Explain, 1), (E::Give, 2), (E::Reconfirm, 3)], State::Withdrawn),
            (vec![(E::Explain, 5), (E::Give, 6), (E::Invalidate, 1), (E::Withdraw, 9)], State::Invalidated),
            (vec![(E::Explain, 1), (E::Give, 2), (E::Refuse, 3)], State::Refused),
        ] {
            let events: Vec<_> = story.into_iter().map(|(kind, at)| event(kind, at)).collect();
            assert_eq!(fold(&events).state, state, "{events:?}");
        }
    }

    #[test]
    fn what_was_taken_back_stays_taken_back_after_a_renewal() {
        use EventKind as E;
        let events = [event(E::Explain, 1), event(E::Give, 2), event(E::WithdrawPart, 3), event(E::Reconfirm, 4)];
        let standing = fold(&events);
        assert_eq!(standing.state, State::Renewed);
        assert_eq!(standing.withdrawn.purposes, [Purpose::Transport]);
    }

    #[test]
    fn an_event_names_who_may_do_it_and_only_a_part_has_a_scope() {
        for kind in EventKind::ALL {
            assert_eq!(event(*kind, 1).check(), Ok(()), "{kind}");
            let by_nobody_allowed = Actor::ALL.iter().copied().find(|actor| !kind.actors().contains(actor));
            let wrong = ConsentEvent { actor: by_nobody_allowed.expect("no event is everybody's"), ..event(*kind, 1) };
            assert_eq!(wrong.check().map_err(|r| r.field), Err(Some("actor".to_owned())), "{kind}");
        }
        let bare = ConsentEvent { scope: None, ..event(EventKind::WithdrawPart, 1) };
        assert_eq!(bare.check().map_err(|r| r.code), Err(Code::MissingField));
        let scoped = ConsentEvent { scope: Some(Scope::default()), ..event(EventKind::Give, 1) };
        assert_eq!(scoped.check().map_err(|r| r.code), Err(Code::Malformed));
    }

    fn any_event() -> impl Strategy<Value = ConsentEvent> {
        (prop::sample::select(EventKind::ALL), 0..20_u64).prop_map(|(kind, at)| event(kind, at))
    }

    proptest! {
        #[test]
        fn the_order_in_which_events_become_known_does_not_matter(
            (events, shuffled) in prop::collection::vec(any_event(), 0..12)
                .prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
        ) {
            prop_assert_eq!(fold(&events), fold(&shuffled));
        }

        #[test]
        fn a_known_no_is_never_outrun(events in prop::collection::vec(any_event(), 0..12), at in 0..20_u64) {
            for kind in [EventKind::Withdraw, EventKind::Invalidate, EventKind::Revoke, EventKind::Refuse] {
                let mut known = events.clone();
                known.push(event(kind, at));
                prop_assert!(!fold(&known).state.in_force());
            }
        }
    }
}
