//! Objects: the bytes that entries name, and what they mean.

use minicbor::{Decode, Encode};

use crate::{
    alert::{Alert, AlertAck, AlertCancel, AlertErased, AlertRedact},
    bundle::Bundle,
    catalogue::Segment,
    consent::{ConsentEvent, ConsentRecord},
    digest::Digest,
    entry::{Body, PeerChange, Verdict},
    envelope::{Envelope, Kind, SignedEnvelope, from_cbor},
    handover::{GroupSplit, HandoverAnswer, HandoverRelease, HandoverStep, Note, Offer, Proposal},
    limits::LIST_MAX,
    receipt::{Receipt, SignedReceipt},
    refusal::{Code, Refusal},
    rights::{CardSecret, RightsEntry, RightsMessage, SubjectRequest},
    withdrawal::WithdrawalMessage,
};

/// The meaning of an object.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each variant is the type in it")]
pub enum Content {
    Alert(Box<Alert>),
    Cancel(AlertCancel),
    Ack(AlertAck),
    Redact(AlertRedact),
    Erased(AlertErased),
    Draft(Box<Alert>),
    Offer(Box<Offer>),
    Answer(HandoverAnswer),
    Release(Box<HandoverRelease>),
    Step(Box<HandoverStep>),
    Split(GroupSplit),
    Note(Note),
    Withdrawal(Box<WithdrawalMessage>),
    Event(Box<ConsentEvent>),
    Rights(Box<RightsMessage>),
    Request(Box<SubjectRequest>),
    Card(CardSecret),
    Subscription(Subscription),
    Receipt(Receipt),
    Bundle(Box<Bundle>),
    Consent(Box<ConsentRecord>),
    /// What is left of an object that was removed.
    Residue(super::Residue),
}

/// Which route segments a Society wants alerts of.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Subscription {
    /// The segments; absent means everything.
    #[n(0)]
    pub segments: Option<Vec<Segment>>,
}

/// What an entry says of its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A signed envelope whose payload has this digest.
    Envelope(Digest),
    /// Bytes with this digest.
    Bytes(Digest),
    /// A signed receipt, which repeats what the entry says.
    Receipt,
}

/// What the object of an entry must be; absent when it has none.
#[must_use]
pub fn object_named(body: &Body) -> Option<Named> {
    match body {
        Body::Issued(meta) => Some(Named::Envelope(meta.digest)),
        Body::Received { envelope: Some(meta), verdict: Verdict::Accepted, .. } => Some(Named::Envelope(meta.digest)),
        Body::Receipted { .. } => Some(Named::Receipt),
        Body::Consent { record, .. } => Some(Named::Bytes(record.hash)),
        Body::HandoverProposed(Proposal { offer, .. }) => Some(Named::Bytes(*offer)),
        Body::OverrideRequested { note, .. } => Some(Named::Bytes(*note)),
        Body::AlertDrafted { digest, .. } => Some(Named::Bytes(*digest)),
        Body::ConsentEvent { digest, .. } => Some(Named::Bytes(*digest)),
        Body::Rights(entry) => entry.object().map(Named::Bytes),
        Body::Peer { change: PeerChange::Bundle { digest, .. }, .. } => Some(Named::Bytes(*digest)),
        _ => None,
    }
}

/// Whether an object is the one that its entry names.
///
/// # Errors
/// `bad_digest` when it is another.
pub fn check_object(named: Named, object: &[u8]) -> Result<(), Refusal> {
    let matches = match named {
        Named::Envelope(digest) => SignedEnvelope::from_object(object)?.digest() == digest,
        Named::Bytes(digest) => Digest::of(object) == digest,
        Named::Receipt => true,
    };
    if matches { Ok(()) } else { Err(Refusal::new(Code::BadDigest, "the object is not the one that its entry names")) }
}

/// The meaning of an entry's object.
///
/// # Errors
/// `malformed` and its like when the object is not what the entry says.
pub fn content(body: &Body, object: &[u8]) -> Result<Content, Refusal> {
    match body {
        Body::Issued(_) | Body::Received { .. } => {
            let signed = SignedEnvelope::from_object(object)?;
            of_envelope(&Envelope::parse(&signed.payload)?)
        }
        Body::Receipted { peer, lane, position, .. } => {
            let receipt = from_cbor::<SignedReceipt>(object, "signed receipt")?.read()?;
            if (receipt.by, receipt.lane, receipt.position) != (*peer, *lane, *position) {
                return Err(Refusal::new(Code::BadDigest, "the receipt is not the one that its entry names"));
            }
            Ok(Content::Receipt(receipt))
        }
        Body::AlertDrafted { .. } => Alert::from_cbor(object).map(|alert| Content::Draft(Box::new(alert))),
        Body::Consent { .. } => ConsentRecord::from_cbor(object).map(|record| Content::Consent(Box::new(record))),
        Body::HandoverProposed(_) => Offer::from_cbor(object).map(|offer| Content::Offer(Box::new(offer))),
        Body::OverrideRequested { .. } => {
            let text = std::str::from_utf8(object);
            let text = text.map_err(|_| Refusal::new(Code::Malformed, "the note is not text"))?;
            text.parse().map(Content::Note)
        }
        Body::Rights(RightsEntry::CardMade { .. }) => CardSecret::from_cbor(object).map(Content::Card),
        Body::Rights(RightsEntry::Taken { .. }) => {
            SubjectRequest::from_cbor(object).map(|request| Content::Request(Box::new(request)))
        }
        Body::ConsentEvent { .. } => ConsentEvent::from_cbor(object).map(|event| Content::Event(Box::new(event))),
        Body::Peer { .. } => Bundle::parse(object).map(|bundle| Content::Bundle(Box::new(bundle))),
        _ => Err(Refusal::new(Code::Malformed, "this kind of entry has no object")),
    }
}

/// The meaning of what stands in the place of an entry's object, be it the object or its residue.
///
/// # Errors
/// As [`check_object`] and [`content`].
pub fn stored(body: &Body, named: Named, stored: &[u8]) -> Result<Content, Refusal> {
    if let Some(residue) = super::Residue::from_stored(stored)? {
        return Ok(Content::Residue(residue));
    }
    check_object(named, stored)?;
    content(body, stored)
}

/// The meaning of an envelope's body, checked as if nobody had ever checked it.
///
/// # Errors
/// What is wrong with the body.
pub fn of_envelope(envelope: &Envelope) -> Result<Content, Refusal> {
    let body = &envelope.body;
    Ok(match envelope.kind {
        Kind::Alert => Content::Alert(Box::new(Alert::from_cbor(body)?)),
        Kind::AlertCancel => Content::Cancel(AlertCancel::from_cbor(body)?),
        Kind::AlertAck => Content::Ack(AlertAck::from_cbor(body)?),
        Kind::AlertRedact => Content::Redact(AlertRedact::from_cbor(body)?),
        Kind::AlertErased => Content::Erased(AlertErased::from_cbor(body)?),
        Kind::HandoverOffer => Content::Offer(Box::new(Offer::from_cbor(body)?)),
        Kind::HandoverAnswer => Content::Answer(HandoverAnswer::from_cbor(body)?),
        Kind::HandoverRelease => Content::Release(Box::new(HandoverRelease::from_cbor(body)?)),
        Kind::HandoverStep => Content::Step(Box::new(HandoverStep::from_cbor(body)?)),
        Kind::GroupSplit => Content::Split(GroupSplit::from_cbor(body)?),
        kind @ (Kind::WithdrawalNotice | Kind::WithdrawalAnswer | Kind::ErasureReceipt) => {
            let message = WithdrawalMessage::from_cbor(body)?;
            if message.news.kind() != kind {
                return Err(Refusal::new(Code::Malformed, "the message is not of the kind that its envelope says"));
            }
            Content::Withdrawal(Box::new(message))
        }
        kind @ (Kind::SubjectRequest | Kind::SubjectAnswer) => {
            let message = RightsMessage::from_cbor(body)?;
            if message.kind() != kind {
                return Err(Refusal::new(Code::Malformed, "the message is not of the kind that its envelope says"));
            }
            Content::Rights(Box::new(message))
        }
        Kind::Subscription => {
            let subscription: Subscription = from_cbor(body, "subscription")?;
            if subscription.segments.as_ref().is_some_and(|segments| segments.len() > LIST_MAX) {
                return Err(Refusal::new(Code::TooMany, format!("a subscription names at most {LIST_MAX} segments")));
            }
            Content::Subscription(subscription)
        }
    })
}
