//! Receipts: the receiver's signed word that it holds every envelope of a lane up to a position,
//! and which of them it rejected and why. They are evidence, and are kept as they came.

use minicbor::{Decode, Encode, bytes::ByteVec};

use crate::{
    digest::Digest,
    envelope::{Lane, from_cbor, to_cbor},
    ids::{EntryIndex, Position},
    limits::{RECEIPT_REJECTIONS_MAX, REJECTION_CODE_BYTES_MAX},
    refusal::{Code, Refusal},
    signing::{PublicKey, Signature, Signer, Verifier, pae},
    society::Society,
};

/// The type that receipt signatures bind.
pub const PAYLOAD_TYPE: &str = "application/vnd.passerelle.receipt.v1+cbor";

/// One envelope that was taken off the lane but not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Rejection {
    /// Its position.
    #[n(0)]
    pub position: Position,
    /// The stable refusal code.
    #[n(1)]
    pub code: String,
}

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Receipt {
    /// The Society that received.
    #[n(0)]
    pub by: Society,
    /// The Society that sent.
    #[n(1)]
    pub to: Society,
    /// The lane.
    #[n(2)]
    pub lane: Lane,
    /// Every position up to and including this one is durable at the receiver.
    #[n(3)]
    pub position: Position,
    /// Running hash of the lane there: it binds the digest of every envelope up to here.
    #[n(4)]
    pub hash: Digest,
    /// The receiver's journal entry of the last of them.
    #[n(5)]
    pub entry: EntryIndex,
    /// Those not accepted, newest [`RECEIPT_REJECTIONS_MAX`] at most; earlier ones stood in earlier receipts.
    #[n(6)]
    pub rejected: Vec<Rejection>,
}

/// A receipt with its signature, in the exact bytes that were signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedReceipt {
    /// Canonical bytes of a [`Receipt`].
    #[n(0)]
    pub content: ByteVec,
    /// Ed25519 over their DSSE encoding.
    #[n(1)]
    pub signature: Signature,
}

impl Receipt {
    /// Signs the receipt. The same receipt always gets the same signature.
    #[must_use]
    pub fn sign(&self, signer: &dyn Signer) -> SignedReceipt {
        let content = to_cbor(self);
        let signature = signer.sign(&pae(PAYLOAD_TYPE, &content));
        SignedReceipt { content: content.into(), signature }
    }
}

impl SignedReceipt {
    /// Verifies and reads a receipt.
    ///
    /// # Errors
    /// `bad_signature` when none of `keys` made it; `malformed`, `too_many` or `too_large` when it is not a receipt.
    pub fn open(&self, keys: &[PublicKey], verifier: &dyn Verifier) -> Result<Receipt, Refusal> {
        let message = pae(PAYLOAD_TYPE, &self.content);
        if !keys.iter().any(|key| verifier.verify(key, &message, &self.signature)) {
            return Err(Refusal::new(Code::BadSignature, "the receipt is not signed by a key of the peer's bundle"));
        }
        self.read()
    }

    /// Reads a receipt that was verified before, such as one from our own journal.
    ///
    /// # Errors
    /// `malformed`, `too_many` or `too_large` when it is not a receipt.
    pub fn read(&self) -> Result<Receipt, Refusal> {
        let receipt: Receipt = from_cbor(&self.content, "receipt")?;
        if receipt.rejected.len() > RECEIPT_REJECTIONS_MAX {
            return Err(Refusal::new(
                Code::TooMany,
                format!("a receipt names at most {RECEIPT_REJECTIONS_MAX} rejections"),
            ));
        }
        // A newer node may give a reason that this one has no word for, but no story.
        if receipt.rejected.iter().any(|rejection| rejection.code.len() > REJECTION_CODE_BYTES_MAX) {
            let message = format!("the code of a rejection has at most {REJECTION_CODE_BYTES_MAX} bytes");
            return Err(Refusal::new(Code::TooLarge, message));
        }
        Ok(receipt)
    }
}

/// A receipt without rejections, without what its recipient knows: the two Societies and the running hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BriefReceipt {
    /// The lane.
    pub lane: Lane,
    /// Every position up to and including this one is durable at the receiver.
    pub position: Position,
    /// The receiver's journal entry of the last of them.
    pub entry: EntryIndex,
    /// The signature over the whole receipt.
    pub signature: Signature,
}

impl BriefReceipt {
    /// The signed receipt, joined again: of `by` for `to`, with the running hash that `to` has at the position. When
    /// that is not what was signed, the signature does not verify.
    #[must_use]
    pub fn restore(self, by: Society, to: Society, hash: Digest) -> SignedReceipt {
        let Self { lane, position, entry, signature } = self;
        let receipt = Receipt { by, to, lane, position, hash, entry, rejected: Vec::new() };
        SignedReceipt { content: to_cbor(&receipt).into(), signature }
    }
}

impl Receipt {
    /// The brief form of this receipt, signed; `None` when it names rejections.
    #[must_use]
    pub fn brief(&self, signed: &SignedReceipt) -> Option<BriefReceipt> {
        let Self { lane, position, entry, .. } = *self;
        self.rejected.is_empty().then_some(BriefReceipt { lane, position, entry, signature: signed.signature })
    }
}

/// The running hash of a lane after one more envelope.
#[must_use]
pub fn running_hash(before: &Digest, position: Position, envelope: &Digest) -> Digest {
    Digest::of_parts(&[b"passerelle/lane/v1\0", &before.0, &position.0.to_be_bytes(), &envelope.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A receipt with so many rejections, each with this code.
    fn read(rejections: usize, code: &str) -> Result<Receipt, Code> {
        let rejection = Rejection { position: Position(1), code: code.to_owned() };
        let receipt = Receipt {
            by: "ML".parse().expect("a Society"),
            to: "SN".parse().expect("a Society"),
            lane: Lane::Bulk,
            position: Position(9),
            hash: Digest([1; 32]),
            entry: EntryIndex(7),
            rejected: vec![rejection; rejections],
        };
        let signed = SignedReceipt { content: to_cbor(&receipt).into(), signature: Signature([0; 64]) };
        signed.read().map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_receipt_has_room_for_every_code_and_for_no_story() {
        for code in Code::ALL {
            assert!(read(RECEIPT_REJECTIONS_MAX, code.as_str()).is_ok(), "{code}");
        }
        let longest = "n".repeat(REJECTION_CODE_BYTES_MAX);
        assert!(read(RECEIPT_REJECTIONS_MAX, &longest).is_ok(), "a newer node's code");
        assert_eq!(read(1, &format!("{longest}n")), Err(Code::TooLarge));
        assert_eq!(read(RECEIPT_REJECTIONS_MAX + 1, "expired"), Err(Code::TooMany));
    }
}
