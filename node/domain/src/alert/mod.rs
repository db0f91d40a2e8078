//! Route-condition alerts: what one says, the rules that make it right, its life, and whom it goes to.
//!
//! An alert never identifies a person: free text is linted, small groups are left out, and a contact is a
//! duty post. The same rules run on what operators write and on what peers send.

mod approval;
mod bodies;
mod check;
mod draft;
mod fields;
pub mod life;
mod parts;
mod place;
mod route;
mod shape;
#[cfg(test)]
pub(crate) mod strategies;
#[cfg(test)]
mod tests;
mod warnings;

use minicbor::{Decode, Encode};
use serde::{Serialize, Serializer};

pub use approval::needs_second_person;
pub use bodies::{AlertAck, AlertCancel, AlertErased, AlertRedact, Answer};
pub use draft::{AlertDraft, EtaDraft, When};
pub use fields::Fields;
pub use parts::{Action, Contact, Count, Eta, Nationality, NeedLine, Original, People, Place, Reference, Text};
pub use route::{PeerInterest, is_urgent, recipients};
pub use shape::{Country, Degrees, DutyMail, DutyPhone, Kilometres, Language, Note};
pub use warnings::{Warning, warnings};

use crate::{
    limits::ALERT_BYTES_MAX,
    refusal::{Code, Refusal},
};

/// A route-condition alert that keeps every rule. Its [`Fields`] can be read and not changed:
/// it comes from a draft or from bytes, and both are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert(Fields);

impl Alert {
    /// Canonical bytes: the same alert always gives the same ones.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        canonical(&self.0)
    }

    /// From bytes of foreign origin. Fields that this release does not know are passed over.
    ///
    /// # Errors
    /// `too_large` beyond 2 MiB less the room of an envelope, `malformed` when they are not exactly one alert,
    /// and otherwise the first rule that it breaks.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
        let fields: Fields = decode_whole(bytes, "an alert")?;
        match check::faults(&fields).into_iter().next() {
            Some(fault) => Err(fault),
            None => Ok(Self(fields)),
        }
    }
}

impl std::ops::Deref for Alert {
    type Target = Fields;
    fn deref(&self) -> &Fields {
        &self.0
    }
}

impl<C> Encode<C> for Alert {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.0.encode(encoder, context)
    }
}

impl<'b, C> Decode<'b, C> for Alert {
    /// Under the very rules of [`Alert::from_cbor`].
    fn decode(decoder: &mut minicbor::Decoder<'b>, context: &mut C) -> Result<Self, minicbor::decode::Error> {
        let fields = Fields::decode(decoder, context)?;
        match check::faults(&fields).into_iter().next() {
            Some(fault) => Err(minicbor::decode::Error::message(fault.message)),
            None => Ok(Self(fields)),
        }
    }
}

impl Serialize for Alert {
    /// In the form of a draft, so that what is printed can be read back.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_draft().serialize(serializer)
    }
}

/// The bytes of a value whose encoding is canonical by construction.
fn canonical<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to a vector cannot fail, and no encoder here reports errors of its own.
    if minicbor::encode(value, &mut bytes).is_err() {
        bytes.clear();
    }
    bytes
}

/// Exactly one value and nothing behind it.
fn decode_whole<T: for<'b> Decode<'b, ()>>(bytes: &[u8], what: &str) -> Result<T, Refusal> {
    if bytes.len() > ALERT_BYTES_MAX {
        return Err(Refusal::new(Code::TooLarge, format!("{what} has at most {ALERT_BYTES_MAX} bytes")));
    }
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode().map_err(|error| {
        let place = error.position().map(|at| format!(" at byte {at}")).unwrap_or_default();
        Refusal::new(Code::Malformed, format!("the bytes are not {what}{place}"))
    })?;
    if decoder.position() == bytes.len() {
        Ok(value)
    } else {
        Err(Refusal::new(Code::Malformed, format!("there is something behind {what}")))
    }
}
