//! Parcels of our lanes to one peer, read from the store and the vault as the session asks for them.

use passerelle_domain::{
    decide::may_send,
    defect,
    entry::EnvelopeMeta,
    envelope::{Kind, Lane, SignedEnvelope},
    facts::Facts as _,
    ids::{EntryIndex, Position},
    link::{Parcels, Written},
    parcel,
    refusal::{Code, Refusal},
    rows::Ended,
    society::Society,
    time::Time,
};

use super::Link;
use crate::store::view::View;

/// The lanes to one peer.
pub(super) struct Shelf<'a> {
    pub(super) link: &'a Link,
    pub(super) peer: Society,
    pub(super) now: Time,
    /// The rows as they are: what is read for one frame lies together.
    pub(super) view: View<'a>,
    /// Envelopes found to have expired: the engine is to end their delivery before the lane goes on.
    pub(super) expired: Vec<(Lane, Position)>,
    /// Envelopes about a person that may not be sent any more: the engine is to say so before the lane goes on.
    pub(super) withheld: Vec<(Lane, Position)>,
}

impl Shelf<'_> {
    /// Asks the gate whether an envelope of ours may be sent at this moment.
    fn gate(&self, meta: &EnvelopeMeta) -> Result<(), Refusal> {
        let policy = self.link.policy.borrow().clone();
        may_send(&self.link.context(&self.view, &policy, self.now), meta)
    }

    /// Whether packages for the peer wait, by what the configuration and the officers say now.
    fn waits(&self) -> Result<bool, Refusal> {
        let policy = self.link.policy.borrow().clone();
        self.link.context(&self.view, &policy, self.now).must_wait(self.peer)
    }
}

/// What an entry says of the envelope in a lane.
fn meta_of(view: &View<'_>, entry: EntryIndex) -> Result<Option<EnvelopeMeta>, Refusal> {
    Ok(view.entry(entry)?.and_then(|entry| entry.body.envelope().cloned()))
}

/// What stands in the place of an envelope that is not sent: its digest.
fn placeholder(view: &View<'_>, entry: EntryIndex, public: bool) -> Result<Option<Written>, Refusal> {
    Ok(meta_of(view, entry)?.map(|meta| Written { bytes: parcel::write_expired(&meta.digest), public }))
}

impl Parcels for Shelf<'_> {
    fn parcel(&mut self, lane: Lane, position: Position) -> Result<Option<Written>, Refusal> {
        let Some(item) = self.view.lane_item(self.peer, lane, position)? else { return Ok(None) };
        if item.ended.is_none() && item.expires_at.is_some_and(|expires| expires <= self.now) {
            defect!(ExpireSilently => return placeholder(&self.view, item.entry, false));
            // The peer had it, has lost it with its store, and may not get it again: its delivery ended when it was
            // receipted, so there is nothing left to end.
            if self.view.lane_out(self.peer, lane)?.receipted >= position {
                return placeholder(&self.view, item.entry, false);
            }
            self.expired.push((lane, position));
            return Ok(None);
        }
        if item.kind == Kind::HandoverRelease && item.ended.is_none() && self.waits()? {
            return Ok(None);
        }
        let may_say = matches!(item.kind, Kind::HandoverOffer | Kind::HandoverRelease | Kind::SubjectRequest);
        if item.ended.is_none()
            && may_say
            && let Some(meta) = meta_of(&self.view, item.entry)?
            && let Err(refusal) = self.gate(&meta)
        {
            if refusal.code == Code::StoreFailed {
                return Err(refusal);
            }
            if self.view.lane_out(self.peer, lane)?.receipted >= position {
                return placeholder(&self.view, item.entry, false);
            }
            self.withheld.push((lane, position));
            return Ok(None);
        }
        let public = matches!(
            item.kind,
            Kind::Alert | Kind::AlertCancel | Kind::AlertAck | Kind::AlertRedact | Kind::AlertErased
        );
        let written = |bytes| Ok(Some(Written { bytes, public }));
        let object = self.view.object(item.entry)?;
        let signed = object.map(|object| SignedEnvelope::from_object(&object)).transpose()?;
        let Some(signed) = signed else {
            // Erased meanwhile: its place in the lane is kept by its digest.
            return placeholder(&self.view, item.entry, public);
        };
        if matches!(item.ended, Some(Ended::Expired | Ended::Withheld)) {
            return written(parcel::write_expired(&signed.digest()));
        }
        if item.kind == Kind::Alert {
            return written(parcel::write(&signed, &[]));
        }
        let Some(named) = meta_of(&self.view, item.entry)?.and_then(|meta| meta.attachment) else {
            // Nothing goes with it, or the package stays here.
            return written(parcel::write(&signed, &[]));
        };
        written(match self.link.packages.outgoing(named.digest)? {
            Some(bytes) => parcel::write(&signed, &bytes),
            None => parcel::write_expired(&signed.digest()),
        })
    }

    fn may_go_on(&mut self, lane: Lane, position: Position) -> Result<bool, Refusal> {
        let Some(item) = self.view.lane_item(self.peer, lane, position)? else { return Ok(true) };
        if !matches!(item.kind, Kind::HandoverRelease | Kind::SubjectRequest) || item.ended.is_some() {
            return Ok(item.ended.is_none());
        }
        let Some(meta) = meta_of(&self.view, item.entry)? else { return Ok(true) };
        if item.kind == Kind::HandoverRelease && self.waits()? {
            return Ok(false);
        }
        match self.gate(&meta) {
            Err(refusal) if refusal.code == Code::StoreFailed => Err(refusal),
            outcome => Ok(outcome.is_ok()),
        }
    }
}
