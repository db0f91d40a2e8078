//! Parcels: the form in which one envelope and its attachment travel in a lane.
//!
//! ```text
//! parcel = signature (64 bytes) ‖ payload length (varint) ‖ payload ‖ attachment
//! stream = parcel length (varint) ‖ parcel ‖ parcel length ‖ parcel ‖ …
//! ```
//! A parcel without payload stands for an envelope that expired before it was delivered: what would
//! be its attachment is the digest of its payload, so that the lane's running hash goes on.
//!
//! Varints are those of protobuf: seven bits a byte, least significant first, at most five bytes.

use crate::{
    digest::Digest,
    envelope::{SignedEnvelope, sealed_bytes_max},
    limits::ENVELOPE_BYTES_MAX,
    refusal::{Code, Refusal},
    signing::Signature,
};

/// The largest parcel.
#[must_use]
pub fn parcel_bytes_max() -> u64 {
    64 + 5 + ENVELOPE_BYTES_MAX as u64 + sealed_bytes_max()
}

/// A parcel that has arrived whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parcel {
    /// An envelope, not yet verified, with the bytes behind it; empty where there are none.
    Whole(SignedEnvelope, Vec<u8>),
    /// An envelope that expired before it was delivered, by its digest.
    Expired(Digest),
}

/// Writes one parcel with its length before it.
#[must_use]
pub fn write(envelope: &SignedEnvelope, attachment: &[u8]) -> Vec<u8> {
    let mut head = Vec::with_capacity(80);
    head.extend_from_slice(&envelope.signature.0);
    put_varint(&mut head, envelope.payload.len() as u64);
    let length = head.len() + envelope.payload.len() + attachment.len();
    let mut out = Vec::with_capacity(length + 5);
    put_varint(&mut out, length as u64);
    out.extend_from_slice(&head);
    out.extend_from_slice(&envelope.payload);
    out.extend_from_slice(attachment);
    out
}

/// Writes the parcel that stands for an expired envelope.
#[must_use]
pub fn write_expired(digest: &Digest) -> Vec<u8> {
    write(&SignedEnvelope { payload: Vec::new().into(), signature: Signature([0; 64]) }, &digest.0)
}

/// Reads a whole parcel, without the length before it.
///
/// # Errors
/// `bad_frame` when its parts do not fit it.
pub fn read(bytes: &[u8]) -> Result<Parcel, Refusal> {
    let bad = || Refusal::new(Code::BadFrame, "a parcel's parts do not fit its length");
    let (signature, rest) = bytes.split_first_chunk::<64>().ok_or_else(bad)?;
    let (payload_length, read) = take_varint(rest).map_err(|_| bad())?.ok_or_else(bad)?;
    let rest = rest.get(read..).ok_or_else(bad)?;
    let payload_length = usize::try_from(payload_length).map_err(|_| bad())?;
    if payload_length > ENVELOPE_BYTES_MAX || payload_length > rest.len() {
        return Err(bad());
    }
    let (payload, attachment) = rest.split_at(payload_length);
    if payload.is_empty() {
        return Digest::parse_bytes(attachment).map(Parcel::Expired).map_err(|_| bad());
    }
    let envelope = SignedEnvelope { payload: payload.to_vec().into(), signature: Signature(*signature) };
    Ok(Parcel::Whole(envelope, attachment.to_vec()))
}

/// Appends a varint.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a varint at the start of `bytes`: its value and how many bytes it took; `None` when the
/// bytes end within it.
///
/// # Errors
/// `bad_frame` when it has more than five bytes.
pub fn take_varint(bytes: &[u8]) -> Result<Option<(u64, usize)>, Refusal> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((value, at + 1)));
        }
    }
    if bytes.len() >= 5 {
        return Err(Refusal::new(Code::BadFrame, "a length of more than five bytes"));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_expired_envelope_leaves_its_digest() {
        let digest = Digest::of(b"gone");
        let stream = write_expired(&digest);
        assert_eq!(read(&stream[1..]), Ok(Parcel::Expired(digest)));
    }

    proptest! {
        #[test]
        fn a_parcel_reads_back(payload in proptest::collection::vec(any::<u8>(), 1..300), attachment in proptest::collection::vec(any::<u8>(), 0..300)) {
            let envelope = SignedEnvelope { payload: payload.into(), signature: Signature([7; 64]) };
            let stream = write(&envelope, &attachment);
            let (length, at) = take_varint(&stream).expect("a varint").expect("whole");
            prop_assert_eq!(length as usize + at, stream.len());
            let parcel = read(&stream[at..]).expect("reads back");
            prop_assert_eq!(parcel, Parcel::Whole(envelope, attachment));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let _ = take_varint(&bytes);
        }
    }
}
