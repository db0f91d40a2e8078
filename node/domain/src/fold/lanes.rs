//! Rows of the lanes: positions given, taken and receipted.

use std::collections::BTreeSet;

use crate::{
    digest::Digest,
    entry::{Body, EnvelopeMeta, Verdict},
    envelope::{Kind, Lane},
    ids::{AlertId, EntryIndex, Position},
    limits::RECEIPT_REJECTIONS_MAX,
    receipt::running_hash,
    refusal::Refusal,
    rows::{Delivery, Ended, LaneIn, LaneItem, LaneOut, Row},
    society::Society,
};

use super::Fold;

impl Fold<'_> {
    /// Gives the envelope a position in the lane of each recipient.
    pub(super) fn enqueue_all(&mut self, meta: &EnvelopeMeta) -> Result<Vec<Delivery>, Refusal> {
        let mut deliveries = Vec::with_capacity(meta.recipients.len());
        let own = self.own;
        for peer in meta.recipients.iter().copied().filter(|peer| *peer != own) {
            let mut lane = self.facts.lane_out(peer, meta.lane)?;
            let delivery = self.enqueue(&mut lane, peer, meta, self.entry.index);
            self.rows.push(Row::LaneOut(peer, meta.lane, lane));
            deliveries.push(delivery);
        }
        Ok(deliveries)
    }

    fn enqueue(&mut self, out: &mut LaneOut, peer: Society, meta: &EnvelopeMeta, entry: EntryIndex) -> Delivery {
        let position = crate::defect!(ReusePosition => out.receipted.next(), else out.queued.next());
        out.queued = position;
        out.queued_hash = running_hash(&out.queued_hash, position, &meta.digest);
        let hash = out.queued_hash;
        let item = LaneItem { entry, hash, kind: meta.kind, ended: None, expires_at: meta.expires_at };
        self.rows.push(Row::LaneItem(peer, meta.lane, position, item));
        Delivery { peer, lane: meta.lane, position }
    }

    /// An envelope of the peer's took its place.
    pub(super) fn take_position(
        &mut self,
        peer: Society,
        lane: Lane,
        position: Position,
        digest: &Digest,
        verdict: &Verdict,
    ) -> Result<(), Refusal> {
        let before = self.facts.lane_in(peer, lane)?;
        let mut rejected = before.rejected;
        if let Verdict::Rejected(code) = verdict {
            rejected.push((position, code.clone()));
            let excess = rejected.len().saturating_sub(RECEIPT_REJECTIONS_MAX);
            rejected.drain(..excess);
        }
        let hash = running_hash(&before.hash, position, digest);
        self.rows.push(Row::LaneIn(peer, lane, LaneIn { received: position, hash, entry: self.entry.index, rejected }));
        Ok(())
    }

    /// The peer holds everything up to a position.
    pub(super) fn receipted(
        &mut self,
        peer: Society,
        lane: Lane,
        position: Position,
        rejected: &[(Position, String)],
    ) -> Result<(), Refusal> {
        let mut out = self.facts.lane_out(peer, lane)?;
        for at in out.receipted.0 + 1..=position.0.min(out.queued.0) {
            let at = Position(at);
            let refusal = rejected.iter().find(|(rejected, _)| *rejected == at).map(|(_, code)| code.as_str());
            self.settled(peer, lane, at, refusal)?;
        }
        out.receipted = out.receipted.max(position.min(out.queued));
        self.rows.push(Row::LaneOut(peer, lane, out));
        Ok(())
    }

    fn settled(&mut self, peer: Society, lane: Lane, at: Position, refusal: Option<&str>) -> Result<(), Refusal> {
        let Some(item) = self.facts.lane_item(peer, lane, at)? else { return Ok(()) };
        if refusal.is_some() && item.ended.is_none() {
            let item = LaneItem { ended: Some(Ended::Rejected(self.entry.index)), ..item };
            self.rows.push(Row::LaneItem(peer, lane, at, item));
        }
        if item.kind == Kind::HandoverRelease
            && let Some(Body::Issued(meta)) = self.facts.entry(item.entry)?.map(|entry| entry.body)
            && let Some(subject) = meta.subject
        {
            let failed = refusal.is_some() || item.ended.is_some();
            self.keeping(subject.into(), |row, now| {
                *(if failed { &mut row.failed_at } else { &mut row.delivered_at }) = Some(now);
            })?;
        }
        if item.kind == Kind::HandoverOffer
            && let Some(Body::Issued(meta)) = self.facts.entry(item.entry)?.map(|entry| entry.body)
            && let Some(subject) = meta.subject
        {
            self.offer_settled(subject.into(), peer, refusal)?;
        }
        Ok(())
    }

    /// An envelope expired before it was delivered.
    pub(super) fn delivery_ended(&mut self, peer: Society, lane: Lane, at: Position) -> Result<(), Refusal> {
        if let Some(item) = self.facts.lane_item(peer, lane, at)? {
            self.rows.push(Row::LaneItem(peer, lane, at, LaneItem { ended: Some(Ended::Expired), ..item }));
            crate::defect!(ExpiryTakesNeighbour => if let Some(next) = self.facts.lane_item(peer, lane, at.next())? {
                self.rows.push(Row::LaneItem(peer, lane, at.next(), LaneItem { ended: Some(Ended::Expired), ..next }));
            });
        }
        Ok(())
    }

    /// An envelope is not sent: the person took back what it rests on.
    pub(super) fn delivery_withheld(&mut self, peer: Society, lane: Lane, at: Position) -> Result<(), Refusal> {
        if let Some(item) = self.facts.lane_item(peer, lane, at)? {
            self.rows.push(Row::LaneItem(peer, lane, at, LaneItem { ended: Some(Ended::Withheld), ..item }));
        }
        Ok(())
    }

    /// Envelopes go into the peer's lanes again.
    pub(super) fn replayed(&mut self, peer: Society, entries: &[EntryIndex]) -> Result<(), Refusal> {
        let mut lanes: Vec<(Lane, LaneOut)> = Vec::new();
        for index in entries {
            let Some(entry) = self.facts.entry(*index)? else { continue };
            let Some(meta) = entry.body.envelope() else { continue };
            let mut out = match lanes.iter().find(|(lane, _)| *lane == meta.lane) {
                Some((_, out)) => *out,
                None => self.facts.lane_out(peer, meta.lane)?,
            };
            self.enqueue(&mut out, peer, meta, *index);
            lanes.retain(|(lane, _)| *lane != meta.lane);
            lanes.push((meta.lane, out));
        }
        self.rows.extend(lanes.into_iter().map(|(lane, out)| Row::LaneOut(peer, lane, out)));
        Ok(())
    }

    /// An alert of ours stands at another place of its lane now.
    fn moved(&mut self, meta: &EnvelopeMeta, moved: Delivery) -> Result<(), Refusal> {
        if meta.kind == Kind::WithdrawalNotice && meta.origin == self.own {
            return self.notice_moved(meta, moved);
        }
        if meta.kind != Kind::Alert || meta.origin != self.own {
            return Ok(());
        }
        let id = AlertId::from(meta.id);
        if let Some(mut row) = self.facts.alert(id)? {
            for delivery in row.deliveries.iter_mut().filter(|delivery| delivery.peer == moved.peer) {
                *delivery = moved;
            }
            self.rows.push(Row::Alert(id, row));
        }
        Ok(())
    }

    /// Our end of the lane goes on after what the peer holds. What it had not receipted follows, and where it has lost
    /// what it had, also that, as far as it is known here.
    pub(super) fn lane_advanced(
        &mut self,
        peer: Society,
        lane: Lane,
        position: Position,
        hash: &Digest,
    ) -> Result<(), Refusal> {
        let before = self.facts.lane_out(peer, lane)?;
        let mut out = LaneOut { queued: position, queued_hash: *hash, receipted: position };
        let first = before.receipted.min(position).next();
        let waiting_until = crate::defect!(LoseAfterAdvance => before.receipted, else before.queued);
        // Where the lane went on elsewhere before, an envelope stands at several places.
        let mut told = BTreeSet::new();
        for (_, item) in self.facts.lane_items(peer, lane, first, waiting_until)? {
            if !told.insert(item.entry) {
                continue;
            }
            let Some(entry) = self.facts.entry(item.entry)? else { continue };
            if let Some(meta) = entry.body.envelope() {
                let delivery = self.enqueue(&mut out, peer, meta, item.entry);
                self.moved(meta, delivery)?;
            }
        }
        self.rows.push(Row::LaneOut(peer, lane, out));
        Ok(())
    }
}
