//! Lies of somebody who has every key of a Society, that which signs included. Such a one may say anything as that Society,
//! and nothing as another.

use passerelle_domain::{
    alert::AlertCancel,
    catalogue::CancelReason,
    envelope::{Envelope, FORMAT_VERSION, Kind, Lane, SignedEnvelope},
    facts::Facts as _,
    ids::{AlertId, EntryIndex, EnvelopeId},
    link::{Frame, Hello, Piece},
    receipt::BriefReceipt,
    rows::AlertRow,
    signing::Signature,
    society::Society,
};
use passerelle_node::{
    clock::Clock as _,
    entropy::Entropy as _,
    store::{
        Direction, Store as _, keys,
        view::{View, decode},
    },
};

use super::{faults::Lie, liar::Liar};

impl Liar {
    /// What somebody with the keys of the node `named` would have `to` believe; none when there is nothing to lie about.
    pub(super) fn by_insider(&self, named: usize, to: usize, lie: Lie) -> Option<SignedEnvelope> {
        let own = self.societies[named];
        let mut envelope = match lie {
            Lie::SameId => self.said_before(named, to)?,
            Lie::OtherOrigin => {
                let (alert, origin) = self.alert_at(to, |origin| origin != own && origin != self.societies[to])?;
                self.cancel(origin, to, alert)
            }
            _ => {
                let (alert, _) = self.alert_at(to, |origin| origin != own)?;
                self.cancel(own, to, alert)
            }
        };
        if lie == Lie::SameId {
            envelope.created_at = envelope.created_at.minus(std::time::Duration::from_millis(1));
        }
        let signed = envelope.sign(&*self.trusts[&own].signing);
        if envelope.origin == own {
            self.ledger.lock().signed(signed.digest(), named, envelope.kind);
        }
        Some(signed)
    }

    /// An envelope of the node that the other has taken, as it was.
    fn said_before(&self, named: usize, to: usize) -> Option<Envelope> {
        Envelope::parse(&self.taken_before(named, to)?.payload).ok()
    }

    /// An alert at a node that still stands, and its origin.
    fn alert_at(&self, to: usize, of: impl Fn(Society) -> bool) -> Option<(AlertId, Society)> {
        let reader = self.sites[to].disk.reader();
        let (from, until) = keys::all(b'a');
        reader.scan(&from, &until, Direction::Backward).find_map(|pair| {
            let (key, value) = pair.ok()?;
            let row: AlertRow = decode(&value).ok()?;
            let stands = of(row.origin) && row.cancelled.is_none() && row.redacted.is_none();
            let id = keys::id_bytes(&key).filter(|_| stands)?;
            Some((AlertId::from_bytes(id), row.origin))
        })
    }

    fn cancel(&self, origin: Society, to: usize, alert: AlertId) -> Envelope {
        let cancel = AlertCancel { alert, reason: CancelReason::Wrong, note: None };
        Envelope {
            version: FORMAT_VERSION,
            id: EnvelopeId::new(self.clock.now(), self.entropy.id()),
            origin,
            recipients: vec![self.societies[to]],
            kind: Kind::AlertCancel,
            lane: Lane::Routine,
            created_at: self.clock.now(),
            expires_at: None,
            body: cancel.to_cbor().into(),
            attachment: None,
        }
    }

    /// A Hello that claims to hold just what was receipted, so that what waits is sent.
    pub(super) fn hello_after(&self, mut hello: Hello, named: usize, to: usize) -> Hello {
        let reader = self.sites[to].disk.reader();
        let view = View::of(&reader);
        for (lane, positions) in Lane::ALL.iter().zip(&mut hello.lanes) {
            let out = view.lane_out(self.societies[named], *lane).unwrap_or_default();
            let item = view.lane_item(self.societies[named], *lane, out.receipted).ok().flatten();
            positions.received = out.receipted;
            positions.received_hash = item.map(|item| item.hash).unwrap_or_default();
        }
        hello
    }
}

/// A receipt for the parcel that a piece begins or goes on with, with a signature that is none.
pub(super) fn receipt(piece: &Piece) -> Frame {
    let (lane, position) = (piece.lane, piece.position);
    Frame::BriefReceipt(BriefReceipt { lane, position, entry: EntryIndex(1), signature: Signature([7; 64]) })
}
