//! What signing means here: Ed25519 over DSSE's pre-authentication encoding. The keys and the
//! arithmetic are the shell's; they come in through two traits.

use std::fmt;

use minicbor::{Decode, Encode};

/// An Ed25519 public key.
pub type PublicKey = [u8; 32];

/// An Ed25519 signature (RFC 8032).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

/// Signs with the node's envelope key. Deterministic, as Ed25519 is.
pub trait Signer {
    /// The signature over `message`.
    fn sign(&self, message: &[u8]) -> Signature;
    /// The key that verifies it.
    fn public_key(&self) -> PublicKey;
}

/// Verifies signatures of anybody.
pub trait Verifier {
    /// Whether `signature` over `message` is by the holder of `key`.
    fn verify(&self, key: &PublicKey, message: &[u8], signature: &Signature) -> bool;
}

/// DSSE v1's pre-authentication encoding: what is signed binds the type of the payload, so that a
/// signature over one kind of thing never passes for another.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {} {} ", payload_type.len(), payload_type, payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<C> Encode<C> for Signature {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Signature {
    fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let bytes = decoder.bytes()?;
        bytes.try_into().map(Self).map_err(|_| minicbor::decode::Error::message("a signature has 64 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pae_is_that_of_the_dsse_specification() {
        // The test vector of the DSSE protocol document.
        assert_eq!(pae("http://example.com/HelloWorld", b"hello world"), b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }
}
