//! Which session speaks for each peer. There is one at most: when both sides dial at once, the
//! dial of the Society with the smaller code stands; when a peer dials anew, its old stream is dead.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use passerelle_domain::{
    defect,
    ids::{Epoch, Position},
    limits::HANDSHAKE_SECONDS_MAX,
    link::LocalLane,
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};
use tokio::{
    sync::{Notify, futures::Notified, mpsc},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    keep::Cases,
    readings::{Ask, Rates},
};

/// A session that was heard this lately is alive: a node in another life is then a second node.
const ALIVE: Duration = Duration::from_secs(60);
/// Dials of both sides that cross meet within this time. A peer that dials later has lost the session that stands here:
/// nobody dials who has one.
const CROSSING: Duration = Duration::from_secs(HANDSHAKE_SECONDS_MAX + 5);

/// Who dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// We did.
    Out,
    /// The peer did.
    In,
}

/// The last position that had arrived whole, and the bytes of the parcel after it.
type Partial = (Position, Vec<u8>);

struct Active {
    direction: Direction,
    epoch: Epoch,
    heard_at: Time,
    since: Instant,
    ticket: u64,
    end: CancellationToken,
    /// Takes questions to the peer, if its node answers them.
    questions: Option<mpsc::Sender<Ask>>,
}

#[derive(Default)]
struct Inner {
    active: HashMap<Society, Active>,
    /// Bytes of parcels that were cut, by lane, with the position before each, kept from one session to the next.
    partials: HashMap<Society, [Partial; 3]>,
    tickets: u64,
}

/// The sessions under way.
#[derive(Default)]
pub struct Registry {
    inner: Mutex<Inner>,
    changed: Notify,
    /// How many readings each peer has asked of us.
    pub(super) readings: Rates,
    /// The cases for which something is being kept, by whatever session brought it.
    pub(super) cases: Cases,
}

/// The place of an admitted session; given back when it is dropped.
pub struct Place<'a> {
    registry: &'a Registry,
    peer: Society,
    ticket: u64,
    /// Cancelled when another session takes the place.
    pub end: CancellationToken,
}

impl Registry {
    /// Whether a session with the peer is up.
    #[must_use]
    pub fn is_up(&self, peer: Society) -> bool {
        self.inner.lock().active.contains_key(&peer)
    }

    /// Where a question to the peer is to be put.
    ///
    /// # Errors
    /// `peer_unreachable` without a session, `unsupported_version` when the peer's node does not answer questions.
    pub(super) fn questions(&self, peer: Society) -> Result<mpsc::Sender<Ask>, Refusal> {
        let inner = self.inner.lock();
        let unreachable = || Refusal::new(Code::PeerUnreachable, format!("there is no link to {peer} now"));
        let active = inner.active.get(&peer).ok_or_else(unreachable)?;
        active.questions.clone().ok_or_else(|| {
            Refusal::new(Code::UnsupportedVersion, format!("the node of {peer} does not answer readings at the origin"))
        })
    }

    /// Waits until a session begins or ends.
    pub fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Admits a session whose Hello has come, or says why not.
    ///
    /// # Errors
    /// `session_exists` when the other dial stands, `second_node` when the peer's Society speaks
    /// through another live node already.
    pub fn admit(
        &self,
        own: Society,
        peer: Society,
        direction: Direction,
        epoch: Epoch,
        now: Time,
    ) -> Result<Place<'_>, Refusal> {
        let mut inner = self.inner.lock();
        let standing = inner.active.get(&peer);
        if let Some(active) = defect!(TwoSessions => None, else standing) {
            if active.epoch != epoch && now.since(active.heard_at) < ALIVE {
                return Err(Refusal::new(Code::SecondNode, format!("another node speaks for {peer} already")));
            }
            let stands = if own < peer { Direction::Out } else { Direction::In };
            let crossed = active.since.elapsed() < CROSSING;
            if active.direction != direction && active.direction == stands && crossed {
                return Err(Refusal::new(Code::SessionExists, "the nodes are joined already"));
            }
            active.end.cancel();
        }
        inner.tickets += 1;
        let (ticket, end) = (inner.tickets, CancellationToken::new());
        inner.active.insert(
            peer,
            Active {
                direction,
                epoch,
                heard_at: now,
                since: Instant::now(),
                ticket,
                end: end.clone(),
                questions: None,
            },
        );
        self.changed.notify_waiters();
        Ok(Place { registry: self, peer, ticket, end })
    }

    /// Ends the session with a peer, if there is one.
    pub fn end(&self, peer: Society) {
        if let Some(active) = self.inner.lock().active.get(&peer) {
            active.end.cancel();
        }
    }

    /// Takes what is kept of cut parcels, for the lanes of a new session. Bytes of a parcel other than the one after
    /// what is durable are of no use: joined to that one they would spoil it.
    pub fn take_partials(&self, peer: Society, lanes: &mut [LocalLane; 3]) {
        let kept = self.inner.lock().partials.remove(&peer).unwrap_or_default();
        for (lane, (whole, partial)) in lanes.iter_mut().zip(kept) {
            if whole == lane.received {
                lane.partial = partial;
            }
        }
    }

    /// Keeps what is left of cut parcels.
    pub fn keep_partials(&self, peer: Society, partials: [Partial; 3]) {
        if partials.iter().any(|(_, partial)| !partial.is_empty()) {
            self.inner.lock().partials.insert(peer, partials);
        }
    }
}

impl Place<'_> {
    /// The session takes questions to the peer.
    pub(super) fn takes(&self, questions: mpsc::Sender<Ask>) {
        if let Some(active) = self.registry.inner.lock().active.get_mut(&self.peer)
            && active.ticket == self.ticket
        {
            active.questions = Some(questions);
        }
    }

    /// The peer was heard.
    pub fn heard(&self, now: Time) {
        if let Some(active) = self.registry.inner.lock().active.get_mut(&self.peer)
            && active.ticket == self.ticket
        {
            active.heard_at = now;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut inner = self.registry.inner.lock();
        if inner.active.get(&self.peer).is_some_and(|active| active.ticket == self.ticket) {
            inner.active.remove(&self.peer);
        }
        self.registry.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn society(code: &str) -> Society {
        code.parse().expect("a code")
    }

    fn epoch(byte: u8) -> Epoch {
        Epoch::new(Time::from_millis(1), [byte; 10])
    }

    #[test]
    fn of_two_dials_at_once_the_same_one_stands_on_both_sides() {
        for (own, peer, standing) in [("GM", "ML", Direction::Out), ("ML", "GM", Direction::In)] {
            let (own, peer, now) = (society(own), society(peer), Time::from_millis(1_000));
            for order in [[Direction::Out, Direction::In], [Direction::In, Direction::Out]] {
                let registry = Registry::default();
                let first = registry.admit(own, peer, order[0], epoch(1), now);
                let second = registry.admit(own, peer, order[1], epoch(1), now);
                let first = first.expect("nobody was there");
                if order[0] == standing {
                    assert_eq!(second.map(|_| ()).map_err(|r| r.code), Err(Code::SessionExists));
                    assert!(!first.end.is_cancelled());
                } else {
                    assert!(second.is_ok());
                    assert!(first.end.is_cancelled(), "the other gives way");
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_dials_long_after_both_dials_crossed_has_lost_the_session() {
        let (own, peer, now) = (society("GM"), society("ML"), Time::from_millis(1_000));
        let registry = Registry::default();
        let first = registry.admit(own, peer, Direction::Out, epoch(1), now).expect("nobody was there");
        tokio::time::advance(CROSSING - Duration::from_millis(1)).await;
        let early = registry.admit(own, peer, Direction::In, epoch(1), now).map(|_| ()).map_err(|r| r.code);
        assert_eq!(early, Err(Code::SessionExists), "it was under way when the first one came up");
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(registry.admit(own, peer, Direction::In, epoch(1), now).is_ok());
        assert!(first.end.is_cancelled(), "the dead one gives way");
    }

    #[test]
    fn a_second_node_of_a_society_is_refused_while_the_first_is_alive() {
        let registry = Registry::default();
        let (own, peer, now) = (society("GM"), society("ML"), Time::from_millis(1_000));
        let first = registry.admit(own, peer, Direction::In, epoch(1), now).expect("nobody was there");
        let other = registry.admit(own, peer, Direction::In, epoch(2), now).map(|_| ()).map_err(|r| r.code);
        assert_eq!(other, Err(Code::SecondNode));
        first.heard(now);
        let later = now.plus(ALIVE);
        assert!(registry.admit(own, peer, Direction::In, epoch(2), later).is_ok(), "a restored node may come back");
    }

    #[test]
    fn a_cut_parcel_goes_on_only_after_the_position_at_which_it_was_cut() {
        let registry = Registry::default();
        let peer = society("ML");
        let kept = |received| {
            let cut = [3, 5, 7].map(|whole| (Position(whole), vec![1, 2]));
            registry.keep_partials(peer, cut);
            let mut lanes: [LocalLane; 3] = Default::default();
            lanes[1].received = Position(received);
            registry.take_partials(peer, &mut lanes);
            lanes[1].partial.len()
        };
        assert_eq!([4, 5, 6].map(kept), [0, 2, 0], "4: what came whole was not durable; 6: another session went on");
    }

    #[test]
    fn a_question_needs_a_session_with_a_node_that_answers() {
        let registry = Registry::default();
        let (own, peer, now) = (society("ML"), society("GM"), Time::from_millis(1_000));
        let code = || registry.questions(peer).map(|_| ()).map_err(|refusal| refusal.code);
        assert_eq!(code(), Err(Code::PeerUnreachable));
        let place = registry.admit(own, peer, Direction::In, epoch(1), now).expect("nobody was there");
        assert_eq!(code(), Err(Code::UnsupportedVersion), "an older node");
        place.takes(mpsc::channel(1).0);
        assert_eq!(code(), Ok(()));
        drop(place);
        assert_eq!(code(), Err(Code::PeerUnreachable));
    }

    #[test]
    fn a_place_is_given_back_by_whoever_holds_it() {
        let registry = Registry::default();
        let (own, peer, now) = (society("GM"), society("ML"), Time::from_millis(1_000));
        let first = registry.admit(own, peer, Direction::In, epoch(1), now).expect("nobody was there");
        let second = registry.admit(own, peer, Direction::In, epoch(1), now).expect("a redial replaces");
        drop(first);
        assert!(registry.is_up(peer), "the replaced one gives back nothing");
        drop(second);
        assert!(!registry.is_up(peer));
    }
}
