//! Canonical CBOR in and out, within a cap: what consent and handover share.

use minicbor::{Decode, Decoder, Encode};

use crate::refusal::{Code, Refusal};

/// The canonical bytes of a value.
pub(crate) fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("a vector takes every write, and no type here fails to encode")
}

/// One value and nothing after it, from at most `bytes_max` bytes of foreign origin.
///
/// # Errors
/// `too_large` past the cap; `malformed` when the bytes are not this value alone.
pub(crate) fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8], bytes_max: usize, what: &str) -> Result<T, Refusal> {
    if bytes.len() > bytes_max {
        return Err(Refusal::new(Code::TooLarge, format!("{what} has at most {bytes_max} bytes")));
    }
    let malformed = |_| Refusal::new(Code::Malformed, format!("these bytes are not {what}"));
    let mut decoder = Decoder::new(bytes);
    let value = decoder.decode().map_err(malformed)?;
    if decoder.position() == bytes.len() {
        Ok(value)
    } else {
        Err(Refusal::new(Code::Malformed, format!("there are bytes after {what}")))
    }
}

/// A list of at most `N` members: a foreign length must not decide how much memory is taken.
pub(crate) fn list<'b, Ctx, T: Decode<'b, Ctx>, const N: usize>(
    decoder: &mut Decoder<'b>,
    ctx: &mut Ctx,
) -> Result<Vec<T>, minicbor::decode::Error> {
    let mut members = Vec::new();
    for member in decoder.array_iter_with(ctx)? {
        if members.len() == N {
            return Err(minicbor::decode::Error::message("a list is longer than allowed"));
        }
        members.push(member?);
    }
    Ok(members)
}
