//! Parcels of our lanes to one peer, read from the store and the vault as the session asks for them.

use passerelle_domain::{
    entry::Body,
    envelope::{Kind, Lane, SignedEnvelope},
    facts::Facts as _,
    ids::Position,
    link::Parcels,
    parcel,
    refusal::Refusal,
    rows::Ended,
    society::Society,
    time::Time,
};

use super::Link;

/// The lanes to one peer.
pub(super) struct Shelf<'a> {
    pub(super) link: &'a Link,
    pub(super) peer: Society,
    pub(super) now: Time,
    /// Envelopes found to have expired: the engine is to end their delivery before the lane goes on.
    pub(super) expired: Vec<(Lane, Position)>,
}

impl Parcels for Shelf<'_> {
    fn parcel(&mut self, lane: Lane, position: Position) -> Result<Option<Vec<u8>>, Refusal> {
        let view = self.link.engine.view();
        let Some(item) = view.lane_item(self.peer, lane, position)? else { return Ok(None) };
        if item.ended.is_none() && item.expires_at.is_some_and(|expires| expires <= self.now) {
            self.expired.push((lane, position));
            return Ok(None);
        }
        if item.kind == Kind::HandoverRelease && view.suspension(self.peer)?.is_some_and(|row| row.suspended) {
            // It waits until the exchange of cases is resumed.
            return Ok(None);
        }
        let object = view.object(item.entry)?;
        let signed = object.map(|object| SignedEnvelope::from_object(&object)).transpose()?;
        let meta = || -> Result<_, Refusal> {
            Ok(match view.entry(item.entry)?.map(|entry| entry.body) {
                Some(Body::Issued(meta)) | Some(Body::Received { envelope: Some(meta), .. }) => Some(meta),
                _ => None,
            })
        };
        let Some(signed) = signed else {
            // Erased meanwhile: its place in the lane is kept by its digest.
            return Ok(meta()?.map(|meta| parcel::write_expired(&meta.digest)));
        };
        if item.ended == Some(Ended::Expired) {
            return Ok(Some(parcel::write_expired(&signed.digest())));
        }
        if item.kind != Kind::HandoverRelease {
            return Ok(Some(parcel::write(&signed, &[])));
        }
        let attachment = meta()?.and_then(|meta| meta.attachment);
        let bytes = attachment.map(|named| self.link.packages.outgoing(named.digest)).transpose()?.flatten();
        Ok(Some(match bytes {
            Some(bytes) => parcel::write(&signed, &bytes),
            None => parcel::write_expired(&signed.digest()),
        }))
    }
}
