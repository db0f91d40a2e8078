//! The short messages about an alert: its cancellation, and a person's answer to it.

use minicbor::{Decode, Encode};
use serde::Serialize;

use super::shape::Note;
use crate::{
    catalogue::{AckKind, CancelReason, RedactReason},
    ids::AlertId,
    limits::REFERENCES_MAX,
    refusal::{Code, Refusal},
};

/// The cancellation of an alert, by its origin. It reaches whoever had the alert, after its expiry too.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct AlertCancel {
    /// Which alert.
    #[n(0)]
    pub alert: AlertId,
    /// Why.
    #[n(1)]
    pub reason: CancelReason,
    /// A remark.
    #[n(2)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

impl AlertCancel {
    /// Canonical bytes.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        super::canonical(self)
    }

    /// From bytes of foreign origin.
    ///
    /// # Errors
    /// `malformed` when they are not exactly one cancellation.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
        super::decode_whole(bytes, "a cancellation")
    }
}

/// The redaction of an alert, by its origin: whoever holds it erases what it says, and tells the origin so.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct AlertRedact {
    /// Which alert.
    #[n(0)]
    pub alert: AlertId,
    /// Why. There is no remark: it could repeat what is to be forgotten.
    #[n(1)]
    pub reason: RedactReason,
    /// What it superseded, so that this holds also where the alert never came.
    #[n(2)]
    pub supersedes: Vec<AlertId>,
}

impl AlertRedact {
    /// Canonical bytes.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        super::canonical(self)
    }

    /// From bytes of foreign origin.
    ///
    /// # Errors
    /// `malformed` when they are not exactly one redaction, `too_many` when it names more than 64 earlier alerts.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
        let redact: Self = super::decode_whole(bytes, "a redaction")?;
        if redact.supersedes.len() > REFERENCES_MAX {
            let message = format!("a redaction names at most {REFERENCES_MAX} earlier alerts");
            return Err(Refusal::new(Code::TooMany, message).at("supersedes"));
        }
        Ok(redact)
    }
}

/// What a holder tells the origin of a redacted alert: nothing of its content is left here.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct AlertErased {
    /// Which alert.
    #[n(0)]
    pub alert: AlertId,
}

impl AlertErased {
    /// Canonical bytes.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        super::canonical(self)
    }

    /// From bytes of foreign origin.
    ///
    /// # Errors
    /// `malformed` when they are not exactly one such message.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
        super::decode_whole(bytes, "the acknowledgement of a redaction")
    }
}

/// The answer of a duty officer to an alert: taken note of, or not usable, and then why.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(transparent)]
#[cbor(transparent)]
pub struct AlertAck(#[cbor(n(0), decode_with = "checked")] Answer);

/// What an answer says. An `Error` always has a note once it is an [`AlertAck`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Answer {
    /// To which alert.
    #[n(0)]
    pub alert: AlertId,
    /// Of which kind.
    #[n(1)]
    pub kind: AckKind,
    /// A remark; needed for an `Error`.
    #[n(2)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

fn checked<'b, C>(decoder: &mut minicbor::Decoder<'b>, context: &mut C) -> Result<Answer, minicbor::decode::Error> {
    let Answer { alert, kind, note } = Answer::decode(decoder, context)?;
    AlertAck::new(alert, kind, note).map(|ack| ack.0).map_err(|fault| minicbor::decode::Error::message(fault.message))
}

impl AlertAck {
    /// An answer to `alert`.
    ///
    /// # Errors
    /// `missing_field` for an `Error` without a note.
    pub fn new(alert: AlertId, kind: AckKind, note: Option<Note>) -> Result<Self, Refusal> {
        if kind == AckKind::Error && note.is_none() {
            return Err(
                Refusal::new(Code::MissingField, "an Error says in a note what is wrong with the alert").at("note")
            );
        }
        Ok(Self(Answer { alert, kind, note }))
    }

    /// What it says.
    #[must_use]
    pub fn answer(&self) -> &Answer {
        &self.0
    }

    /// Canonical bytes.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        super::canonical(self)
    }

    /// From bytes of foreign origin.
    ///
    /// # Errors
    /// `malformed` when they are not exactly one answer, or an `Error` without a note.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
        super::decode_whole(bytes, "an answer to an alert")
    }
}
