//! What the node on the disk has told others: operators who had their answer, and the peer. Whatever stands here at the
//! moment of a cut must be on the disk.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use passerelle_domain::{
    digest::Digest,
    envelope::Lane,
    facts::Facts as _,
    handover::Action,
    ids::{AlertId, ConsentId, HandoverId, Position},
    refusal::Refusal,
    rows::UseRow,
    society::Society,
};
use passerelle_node::{
    run::Node,
    store::{
        Direction, keys,
        view::{decode, failed},
    },
};
use passerelle_proto::v1;

/// Something that was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Promise {
    /// The node has its keys and certificate.
    Initialised,
    /// It knows its peer's bundle.
    Peer,
    /// An alert was published.
    Alert(AlertId),
    /// It was cancelled.
    Cancelled(AlertId),
    /// A consent was recorded.
    Consent(ConsentId),
    /// A handover was offered.
    Offer(HandoverId),
    /// A step of a handover was taken here.
    Step(HandoverId, Action),
    /// Its package was read here, for the n-th time.
    Read(HandoverId, usize),
}

/// What the peer has been told, by its own store.
#[derive(Clone, Debug, Default)]
pub(super) struct PeerSeen {
    /// How far the node has receipted each lane of the peer's.
    pub(super) receipted: Vec<(Lane, Position)>,
    /// How far the peer has got the node's own lanes, and the running hash there.
    pub(super) received: Vec<(Lane, Position, Digest)>,
    /// Handovers that the node says it has erased.
    pub(super) erased: Vec<HandoverId>,
}

impl PeerSeen {
    /// What the store of a peer says that `society` has told it.
    pub(super) fn of(peer: &Node, society: Society) -> Result<Self, Refusal> {
        let view = peer.engine.view();
        let mut seen = Self::default();
        for lane in Lane::ALL.iter().copied() {
            seen.receipted.push((lane, view.lane_out(society, lane)?.receipted));
            let got = view.lane_in(society, lane)?;
            seen.received.push((lane, got.received, got.hash));
        }
        let (from, until) = keys::all(b'y');
        for pair in peer.engine.store().scan(&from, &until, Direction::Forward) {
            let row: UseRow = decode(&pair.map_err(failed)?.1)?;
            let erased = row.resting.iter().filter(|resting| resting.other == society && resting.erased_at.is_some());
            seen.erased.extend(erased.map(|resting| resting.handover));
        }
        Ok(seen)
    }
}

/// What others had been told at the moment of a cut.
#[derive(Clone, Default)]
pub(super) struct Witness {
    pub(super) promises: Vec<Promise>,
    /// Alerts that were asked for and not answered yet.
    pub(super) asked: Vec<v1::RaiseAlertRequest>,
    /// The alert that was answered last.
    pub(super) answered: Option<v1::RaiseAlertRequest>,
    pub(super) peer: PeerSeen,
    /// Why the peer could not be asked.
    pub(super) trouble: Option<String>,
}

#[derive(Default)]
struct Book {
    promises: Vec<Promise>,
    asked: BTreeMap<String, v1::RaiseAlertRequest>,
    answered: Option<v1::RaiseAlertRequest>,
}

/// The promises so far. Cheap to clone; clones are the same ledger.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Book>>);

impl Ledger {
    /// Adds what has just been acknowledged.
    pub(super) fn add(&self, promise: Promise) {
        self.0.lock().promises.push(promise);
    }

    /// An alert is about to be asked for.
    pub(super) fn asking(&self, request: &v1::RaiseAlertRequest) {
        self.0.lock().asked.insert(request.id.clone(), request.clone());
    }

    /// It was answered.
    pub(super) fn answered(&self, id: AlertId) {
        let mut book = self.0.lock();
        book.answered = book.asked.remove(&id.to_string());
        book.promises.push(Promise::Alert(id));
    }

    /// All of it, and what the peer knows.
    pub(super) fn witness(&self, peer: Option<&Node>, society: Society) -> Witness {
        let seen = peer.map_or_else(|| Ok(PeerSeen::default()), |peer| PeerSeen::of(peer, society));
        let (peer, trouble) = match seen {
            Ok(seen) => (seen, None),
            Err(refusal) => (PeerSeen::default(), Some(refusal.to_string())),
        };
        let book = self.0.lock();
        Witness {
            promises: book.promises.clone(),
            asked: book.asked.values().cloned().collect(),
            answered: book.answered.clone(),
            peer,
            trouble,
        }
    }
}
