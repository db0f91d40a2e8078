//! Receipts of peers, and deliveries that end by expiry.

use crate::{
    entry::{Body, EnvelopeMeta},
    envelope::Lane,
    ids::Position,
    receipt::{Receipt, SignedReceipt},
    refusal::{Code, Refusal},
    society::Society,
};

use super::{Context, Decision, NewEntry, Reply};

/// A peer holds everything up to a position of a lane.
pub(super) fn take(
    context: &Context<'_>,
    peer: Society,
    receipt: Receipt,
    signed: SignedReceipt,
) -> Result<Decision, Refusal> {
    if receipt.by != peer || receipt.to != context.own {
        return Err(Refusal::new(Code::WrongSociety, "the receipt is between other Societies"));
    }
    let lane = context.facts.lane_out(peer, receipt.lane)?;
    if receipt.position <= lane.receipted {
        return Ok(Decision { entries: Vec::new(), reply: Reply::Done { entry: context.next } });
    }
    let item = context.facts.lane_item(peer, receipt.lane, receipt.position)?;
    match item {
        Some(item) if receipt.position <= lane.queued && item.hash == receipt.hash => {}
        _ => return Err(Refusal::new(Code::BadPosition, "the receipt is over envelopes that this node did not send")),
    }
    let rejected = receipt.rejected.iter().map(|rejection| (rejection.position, rejection.code.clone())).collect();
    let body = Body::Receipted { peer, lane: receipt.lane, position: receipt.position, rejected };
    let object = crate::envelope::to_cbor(&signed);
    let entry = NewEntry::with_object(body, object, None);
    Ok(Decision { entries: vec![entry], reply: Reply::Done { entry: context.next } })
}

/// The envelope at a position has expired before it was delivered.
pub(super) fn end_expired(
    context: &Context<'_>,
    peer: Society,
    lane: Lane,
    position: Position,
) -> Result<Decision, Refusal> {
    let done = Decision { entries: Vec::new(), reply: Reply::Done { entry: context.next } };
    let Some(item) = context.facts.lane_item(peer, lane, position)? else { return Ok(done) };
    if item.ended.is_some() || position <= context.facts.lane_out(peer, lane)?.receipted {
        return Ok(done);
    }
    let body = context.facts.entry(item.entry)?.map(|entry| entry.body);
    match body {
        Some(
            Body::Issued(EnvelopeMeta { expires_at: Some(expires), .. })
            | Body::Received { envelope: Some(EnvelopeMeta { expires_at: Some(expires), .. }), .. },
        ) if expires <= context.now => {
            let entry = NewEntry::bare(Body::DeliveryEnded { peer, lane, position });
            Ok(Decision { entries: vec![entry], reply: Reply::Done { entry: context.next } })
        }
        _ => Err(Refusal::new(Code::WrongState, "only its own expiry ends the delivery of an envelope")),
    }
}
