//! The pseudonym under which a person's case is known between two Societies.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use minicbor::{Decode, Encode};
use serde::{Serialize, Serializer};
use sha2::Sha256;

use crate::{
    digest::Digest,
    ids::CaseId,
    refusal::{Code, Refusal},
};

/// A pairwise pseudonym: HMAC-SHA-256 (RFC 2104) under the key of one pair of Societies. The same
/// case has another pseudonym for each pair, so that two pairs cannot be joined.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectRef([u8; 32]);

impl SubjectRef {
    /// The pseudonym of a local case under the key of a pair.
    #[must_use]
    pub fn derive(pair_key: &[u8; 32], case: CaseId) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(pair_key).expect("HMAC takes a key of any length");
        mac.update(b"passerelle/subject/v1\0");
        mac.update(&case.bytes());
        Self(mac.finalize().into_bytes().into())
    }

    /// The 32 bytes, as they stand in keys.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// From a byte string of foreign origin.
    ///
    /// # Errors
    /// `malformed` unless it is 32 bytes.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, Refusal> {
        bytes.try_into().map(Self).map_err(|_| Refusal::new(Code::Malformed, "a subject reference has 32 bytes"))
    }
}

impl fmt::Display for SubjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Digest(self.0), f)
    }
}

impl fmt::Debug for SubjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for SubjectRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<C> Encode<C> for SubjectRef {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for SubjectRef {
    fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::parse_bytes(decoder.bytes()?).map_err(|_| minicbor::decode::Error::message("not a subject reference"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    #[test]
    fn two_pairs_cannot_be_joined() {
        let case = CaseId::new(Time::from_millis(1), [7; 10]);
        assert_eq!(SubjectRef::derive(&[1; 32], case), SubjectRef::derive(&[1; 32], case));
        assert_ne!(SubjectRef::derive(&[1; 32], case), SubjectRef::derive(&[2; 32], case));
    }
}
