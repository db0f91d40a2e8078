//! Signatures over exact bytes: the two traits by which the pure rules sign and verify, and the
//! domain separation that every signature of the system uses. The algorithms themselves live in the node.

use std::fmt;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::refusal::{Code, Refusal};

/// An Ed25519 public key (RFC 8032).
pub type PublicKey = [u8; 32];

/// An Ed25519 signature (RFC 8032).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature(pub [u8; 64]);

/// Signs with one private key. It is infallible: whoever holds a key has loaded and checked it before.
pub trait Signer: Send + Sync {
    /// The signature over `message`.
    fn sign(&self, message: &[u8]) -> Signature;

    /// The public key that verifies it.
    fn public_key(&self) -> PublicKey;
}

/// Verifies signatures.
pub trait Verifier: Send + Sync {
    /// Whether `signature` over `message` was made with the private key of `public_key`.
    fn verify(&self, public_key: &PublicKey, message: &[u8], signature: &Signature) -> bool;
}

/// The bytes that are signed for `payload`: the pre-authentication encoding (PAE) of DSSE v1. A signature over a
/// payload of one type can never pass for one of another type.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    let mut message = Vec::with_capacity(head.len() + payload.len());
    message.extend_from_slice(head.as_bytes());
    message.extend_from_slice(payload);
    message
}

impl Signature {
    /// From a byte string of foreign origin.
    ///
    /// # Errors
    /// `malformed` unless it is 64 bytes.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, Refusal> {
        bytes.try_into().map(Self).map_err(|_| Refusal::new(Code::Malformed, "a signature has 64 bytes"))
    }
}

impl fmt::Display for Signature {
    /// 128 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Signature {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let malformed = || Refusal::new(Code::Malformed, "a signature is written as 128 hexadecimal digits");
        if text.len() != 128 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(malformed());
        }
        let mut bytes = [0; 64];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| malformed())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| malformed())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|refusal: Refusal| serde::de::Error::custom(refusal.message))
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
        Self::parse_bytes(decoder.bytes()?).map_err(|_| minicbor::decode::Error::message("not a signature"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pre_authentication_encoding_is_that_of_the_dsse_specification() {
        // The example of the DSSE protocol document.
        let message = pae("http://example.com/HelloWorld", b"hello world");
        assert_eq!(message, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn a_signature_survives_text_and_cbor() {
        let signature = Signature([0xab; 64]);
        assert_eq!(signature.to_string().parse::<Signature>().ok(), Some(signature));
        let bytes = minicbor::to_vec(signature).expect("encodes to memory");
        assert_eq!(minicbor::decode::<Signature>(&bytes).ok(), Some(signature));
        let (short, long, wrong) = ("ab".repeat(63), "ab".repeat(65), "é".repeat(64));
        for text in [short, long, wrong] {
            assert_eq!(text.parse::<Signature>().map_err(|r| r.code), Err(Code::Malformed));
        }
    }
}
