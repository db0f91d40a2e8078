//! Envelopes: what travels between nodes. An envelope is signed by its origin over its exact bytes,
//! and those bytes are kept; nothing is ever re-encoded to be verified.

use minicbor::{Decode, Encode, bytes::ByteVec};

use crate::{
    catalogue::vocabulary,
    digest::Digest,
    ids::EnvelopeId,
    limits::{ENVELOPE_BYTES_MAX, PACKAGE_BYTES_MAX, RECIPIENTS_MAX},
    refusal::{Code, Refusal},
    signing::{PublicKey, Signature, Signer, Verifier, pae},
    society::Society,
    time::Time,
};

/// The type that envelope signatures bind.
pub const PAYLOAD_TYPE: &str = "application/vnd.passerelle.envelope.v1+cbor";

/// The version of the envelope format written here.
pub const FORMAT_VERSION: u8 = 1;

vocabulary! {
    /// What an envelope carries.
    Kind {
        1 Alert = "alert",
        2 AlertCancel = "alert_cancel",
        3 AlertAck = "alert_ack",
        4 HandoverOffer = "handover_offer",
        5 HandoverAnswer = "handover_answer",
        6 HandoverRelease = "handover_release",
        7 HandoverStep = "handover_step",
        11 WithdrawalNotice = "withdrawal_notice",
        12 WithdrawalAnswer = "withdrawal_answer",
        13 ErasureReceipt = "erasure_receipt",
        14 GroupSplit = "group_split",
        20 SubjectRequest = "subject_request",
        21 SubjectAnswer = "subject_answer",
        8 Subscription = "subscription",
        9 AlertRedact = "alert_redact",
        10 AlertErased = "alert_erased",
    }
}

vocabulary! {
    /// A lane of the link. Each keeps its order; none waits for another.
    Lane {
        1 Urgent = "urgent",
        2 Routine = "routine",
        3 Bulk = "bulk",
    }
}

/// An attachment travels behind its envelope and is named in it: a sealed case package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Attachment {
    /// SHA-256 of its bytes.
    #[n(0)]
    pub digest: Digest,
    /// Its length in bytes, at most [`PACKAGE_BYTES_MAX`] and what sealing adds.
    #[n(1)]
    pub bytes: u64,
}

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Envelope {
    /// Format version.
    #[n(0)]
    pub version: u8,
    /// Unique for its origin; a retry keeps it.
    #[n(1)]
    pub id: EnvelopeId,
    /// The Society that signed it.
    #[n(2)]
    pub origin: Society,
    /// The Societies that it is for; at most [`RECIPIENTS_MAX`].
    #[n(3)]
    pub recipients: Vec<Society>,
    /// What the body is.
    #[n(4)]
    pub kind: Kind,
    /// The lane that it travels in.
    #[n(5)]
    pub lane: Lane,
    /// When it was made, by its origin's clock.
    #[n(6)]
    pub created_at: Time,
    /// After this its delivery may end; absent means never.
    #[n(7)]
    pub expires_at: Option<Time>,
    /// The body, in the canonical bytes of its kind.
    #[n(8)]
    pub body: ByteVec,
    /// What travels behind it.
    #[n(9)]
    pub attachment: Option<Attachment>,
}

/// An envelope with its signature, in the exact bytes that were signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedEnvelope {
    /// Canonical bytes of an [`Envelope`].
    #[n(0)]
    pub payload: ByteVec,
    /// Ed25519 over the DSSE encoding of the payload.
    #[n(1)]
    pub signature: Signature,
}

impl Envelope {
    /// Signs the envelope.
    #[must_use]
    pub fn sign(&self, signer: &dyn Signer) -> SignedEnvelope {
        let payload = to_cbor_within(self, self.body.len() + 256);
        let signature = signer.sign(&pae(PAYLOAD_TYPE, &payload));
        SignedEnvelope { payload: payload.into(), signature }
    }

    /// Reads the signed bytes of an envelope and checks every bound that does not depend on state.
    ///
    /// # Errors
    /// `malformed`, `too_large`, `too_many` or `unsupported_version`.
    pub fn parse(payload: &[u8]) -> Result<Self, Refusal> {
        if payload.len() > ENVELOPE_BYTES_MAX {
            return Err(Refusal::new(Code::TooLarge, format!("an envelope has at most {ENVELOPE_BYTES_MAX} bytes")));
        }
        let envelope: Self = from_cbor(payload, "envelope")?;
        if envelope.version != FORMAT_VERSION {
            return Err(Refusal::new(
                Code::UnsupportedVersion,
                format!("envelope format {} is not {FORMAT_VERSION}", envelope.version),
            ));
        }
        if envelope.recipients.is_empty() || envelope.recipients.len() > RECIPIENTS_MAX {
            return Err(Refusal::new(Code::TooMany, format!("an envelope has 1 to {RECIPIENTS_MAX} recipients")));
        }
        if envelope.attachment.is_some_and(|a| a.bytes > sealed_bytes_max()) {
            return Err(Refusal::new(
                Code::TooLarge,
                format!("an attachment has at most {} bytes", sealed_bytes_max()),
            ));
        }
        Ok(envelope)
    }
}

impl SignedEnvelope {
    /// The digest by which the envelope is known: of the signed bytes, without the signature.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.payload)
    }

    /// Whether one of `keys` made the signature.
    #[must_use]
    pub fn verify(&self, keys: &[PublicKey], verifier: &dyn Verifier) -> bool {
        let message = pae(PAYLOAD_TYPE, &self.payload);
        keys.iter().any(|key| verifier.verify(key, &message, &self.signature))
    }

    /// The bytes in which it is kept as an object of the journal.
    #[must_use]
    pub fn to_object(&self) -> Vec<u8> {
        to_cbor_within(self, self.payload.len() + 80)
    }

    /// Reads an object of the journal.
    ///
    /// # Errors
    /// `malformed` when the bytes are no signed envelope.
    pub fn from_object(bytes: &[u8]) -> Result<Self, Refusal> {
        from_cbor(bytes, "signed envelope")
    }
}

/// The largest attachment: a package and what sealing adds to it.
#[must_use]
pub fn sealed_bytes_max() -> u64 {
    PACKAGE_BYTES_MAX as u64 + 4_096
}

/// Canonical CBOR of any of our types. Writing to memory cannot fail.
pub(crate) fn to_cbor<T: Encode<()>>(value: &T) -> Vec<u8> {
    // Room for an entry or a small alert, so that the buffer seldom grows.
    to_cbor_within(value, 1_000)
}

/// The same, of a value that takes some `bytes_expected`.
fn to_cbor_within<T: Encode<()>>(value: &T, bytes_expected: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(bytes_expected);
    // A `Vec` takes any byte, and our encoders return no error of their own.
    minicbor::encode(value, &mut bytes).expect("encoding to memory does not fail");
    bytes
}

/// Decodes one value that fills `bytes` exactly.
pub(crate) fn from_cbor<'b, T: Decode<'b, ()>>(bytes: &'b [u8], what: &str) -> Result<T, Refusal> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode().map_err(|error| Refusal::new(Code::Malformed, format!("{what}: {error}")))?;
    if decoder.position() != bytes.len() {
        return Err(Refusal::new(Code::Malformed, format!("{what}: bytes after its end")));
    }
    Ok(value)
}
