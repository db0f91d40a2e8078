//! Withdrawal: what travels between two ends of a handover when the person takes consent back. Each message carries
//! the event itself, so that whoever has lost it, to a restored backup say, learns it again from any of them.

use minicbor::{Decode, Encode};
use serde::Serialize;

use crate::{
    catalogue::vocabulary,
    consent::{ConsentEvent, EventKind, codec},
    digest::Digest,
    envelope::Kind,
    ids::{ConsentId, HandoverId},
    limits::{CONSENT_EVENT_BYTES_MAX, LIST_MAX, SCOPE_RECIPIENTS_MAX},
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};

vocabulary! {
    /// A part of what a node has of a case.
    Part {
        1 CaseKey = "case_key",
        2 SealedFiles = "sealed_files",
        3 Journal = "journal",
        4 ConsentRecord = "consent_record",
    }
}

vocabulary! {
    /// Why something is kept after a withdrawal.
    KeepReason {
        1 Vital = "vital",
        2 LegalHold = "legal_hold",
        3 ServiceLog = "service_log",
        4 Proof = "proof",
    }
}

/// Something that is kept, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Kept {
    /// What.
    #[n(0)]
    pub part: Part,
    /// Why.
    #[n(1)]
    pub reason: KeepReason,
}

/// What one end of a handover tells the other of a withdrawal. Names no person.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct WithdrawalMessage {
    /// The consent record that was taken back.
    #[n(0)]
    pub consent: ConsentId,
    /// The handover that joins the two.
    #[n(1)]
    pub handover: HandoverId,
    /// What was taken back, when, and where that was recorded.
    #[n(2)]
    pub event: ConsentEvent,
    /// What is told of it.
    #[n(3)]
    pub news: News,
}

/// What is told of a withdrawal.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// It happened: stop, answer, erase.
    #[n(1)]
    Notice,
    /// The sender has stopped.
    #[n(2)]
    #[cbor(map)]
    Stopped {
        /// To whom it had passed it on; they are told by the sender.
        #[n(0)]
        onward: Vec<Society>,
    },
    /// The sender has erased, or says what it keeps instead.
    #[n(3)]
    #[cbor(map)]
    Erased {
        /// When.
        #[n(0)]
        at: Time,
        /// What is gone.
        #[n(1)]
        erased: Vec<Part>,
        /// What is kept, and why.
        #[n(2)]
        kept: Vec<Kept>,
    },
}

impl News {
    /// The kind of envelope in which it travels.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Notice => Kind::WithdrawalNotice,
            Self::Stopped { .. } => Kind::WithdrawalAnswer,
            Self::Erased { .. } => Kind::ErasureReceipt,
        }
    }
}

impl WithdrawalMessage {
    /// The canonical bytes.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads it from canonical bytes of foreign origin.
    ///
    /// # Errors
    /// `too_large` past [`CONSENT_EVENT_BYTES_MAX`], `malformed`, or what is wrong with the event in it.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
        let message: Self = codec::decode(bytes, CONSENT_EVENT_BYTES_MAX, "a message about a withdrawal")?;
        message.event.check_withdrawal()?;
        let lists = match &message.news {
            News::Notice => 0,
            News::Stopped { onward } => onward.len(),
            News::Erased { erased, kept, .. } => erased.len().max(kept.len()),
        };
        if lists > NEWS_LIST_MAX {
            return Err(Refusal::new(Code::TooMany, format!("a list of it has at most {NEWS_LIST_MAX} members")));
        }
        Ok(message)
    }
}

/// Members of each list of a message: they stand in one value of the store.
const NEWS_LIST_MAX: usize = 16;

impl ConsentEvent {
    /// The canonical bytes: what an entry names by digest.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads an event back from an object of the journal.
    ///
    /// # Errors
    /// `too_large`, `malformed`, or what is wrong with it.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
        let event: Self = codec::decode(bytes, CONSENT_EVENT_BYTES_MAX, "an event of a consent record")?;
        event.check()?;
        Ok(event)
    }

    /// SHA-256 of the canonical bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_cbor())
    }

    /// Whether it takes back the whole of a consent.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.kind == EventKind::Withdraw
    }

    /// Checks that it is a withdrawal, whole or in part, and within bounds.
    ///
    /// # Errors
    /// `malformed`, `missing_field` or `too_many`, with the field.
    pub fn check_withdrawal(&self) -> Result<(), Refusal> {
        self.check()?;
        if !matches!(self.kind, EventKind::Withdraw | EventKind::WithdrawPart) {
            return Err(Refusal::new(Code::Malformed, format!("{} is no withdrawal", self.kind)).at("event.kind"));
        }
        if let Some(scope) = &self.scope {
            let lists = [scope.purposes.len(), scope.categories.len()].into_iter().max().unwrap_or_default();
            if lists > LIST_MAX || scope.recipients.len() > SCOPE_RECIPIENTS_MAX {
                let message = format!("at most {SCOPE_RECIPIENTS_MAX} recipients and {LIST_MAX} others are taken back");
                return Err(Refusal::new(Code::TooMany, message).at("scope"));
            }
        }
        Ok(())
    }

    /// What follows for a consent that was given to pass on what this one covers: the same, or all of it when passing
    /// on is what was taken back.
    #[must_use]
    pub fn for_onward(&self) -> Self {
        match &self.scope {
            Some(scope) if scope.takes_back_onward() => Self { kind: EventKind::Withdraw, scope: None, ..self.clone() },
            _ => self.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::{Actor, Scope};

    fn message(news: News) -> WithdrawalMessage {
        WithdrawalMessage {
            consent: ConsentId::new(Time::from_millis(1), [1; 10]),
            handover: HandoverId::new(Time::from_millis(1), [2; 10]),
            event: ConsentEvent {
                at: Time::from_millis(5),
                kind: EventKind::Withdraw,
                actor: Actor::Person,
                recorded_by: "ML".parse().expect("a Society"),
                method: None,
                scope: None,
            },
            news,
        }
    }

    #[test]
    fn a_message_reads_back_and_only_a_withdrawal_is_one() {
        let kept = Kept { part: Part::Journal, reason: KeepReason::ServiceLog };
        let erased = News::Erased { at: Time::from_millis(9), erased: vec![Part::CaseKey], kept: vec![kept] };
        for news in [News::Notice, News::Stopped { onward: vec!["NE".parse().expect("a Society")] }, erased] {
            let message = message(news);
            assert_eq!(WithdrawalMessage::from_cbor(&message.to_cbor()), Ok(message));
        }
        let mut other = message(News::Notice);
        other.event.kind = EventKind::Explain;
        other.event.actor = Actor::Caseworker;
        assert_eq!(WithdrawalMessage::from_cbor(&other.to_cbor()).map_err(|r| r.code), Err(Code::Malformed));
    }

    #[test]
    fn lists_of_a_message_are_bounded() {
        let many = message(News::Stopped { onward: vec!["NE".parse().expect("a Society"); NEWS_LIST_MAX + 1] });
        assert_eq!(WithdrawalMessage::from_cbor(&many.to_cbor()).map_err(|r| r.code), Err(Code::TooMany));
        let mut wide = message(News::Notice);
        let recipients = vec![crate::consent::Recipient::Society("NE".parse().expect("a Society")); 17];
        wide.event = ConsentEvent {
            kind: EventKind::WithdrawPart,
            scope: Some(Scope { recipients, ..Scope::default() }),
            ..wide.event
        };
        assert_eq!(WithdrawalMessage::from_cbor(&wide.to_cbor()).map_err(|r| r.code), Err(Code::TooMany));
    }
}
