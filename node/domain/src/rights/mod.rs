//! Rights of the person: the card and what proves whose it is, a request, what travels about it between the Societies
//! that hold something, and what is written down after a breach. Codes, ids and times; nothing here names a person.

mod breach;
pub mod correction;
mod entry;
mod message;
mod rows;

use std::time::Duration;

use minicbor::{Decode, Encode};
use serde::Serialize;

use crate::{
    catalogue::{Right, Section, vocabulary},
    consent::codec,
    digest::Digest,
    handover::{CaseShortCode, Note},
    ids::RequestId,
    limits::{CONSENT_EVENT_BYTES_MAX, LIST_MAX, REQUEST_DUE_SECONDS},
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};

pub use breach::Breach;
pub use correction::{Carried, Corrected, CorrectionEntry, CorrectionRow};
pub use entry::RightsEntry;
pub use message::{Held, News, ReadMark, RightsMessage};
pub use rows::{CardRow, ReadsRow, RequestHolder, RequestRow};

vocabulary! {
    /// Who makes a request.
    Via {
        1 Person = "person",
        2 Representative = "representative",
    }
}

vocabulary! {
    /// What a complaint is about.
    Topic {
        1 Staff = "staff",
        2 Service = "service",
        3 Data = "data",
    }
}

vocabulary! {
    /// What became of a request at one holder.
    Outcome {
        1 Done = "done",
        2 Refused = "refused",
        3 NothingHeld = "nothing_held",
    }
}

vocabulary! {
    /// Why a holder refuses a request.
    RequestReason {
        1 NotIdentified = "not_identified",
        2 Vital = "vital",
        3 LegalHold = "legal_hold",
        4 OthersRights = "others_rights",
        5 Unfounded = "unfounded",
        6 Other = "other",
    }
}

/// The rights that somebody can ask for with a card.
pub const ASKED_FOR: [Right; 6] =
    [Right::Access, Right::Rectification, Right::Erasure, Right::Objection, Right::Restriction, Right::Complaint];

/// What proves that somebody may speak for the card: slow, salted hashes of what only they know. A finder of the card
/// has its word, and so the word only ever stops things.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CardSecret {
    /// Of the answer to the check question, normalised.
    #[n(0)]
    pub answer: Digest,
    /// Of the word of withdrawal, normalised.
    #[n(1)]
    pub word: Option<Digest>,
}

impl std::fmt::Debug for CardSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CardSecret(redacted)")
    }
}

impl CardSecret {
    /// The canonical bytes.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads it back from an object of the journal.
    ///
    /// # Errors
    /// `too_large` or `malformed`.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
        codec::decode(bytes, CONSENT_EVENT_BYTES_MAX, "what proves a card")
    }

    /// Whether a proof entitles to a right. Compares all bytes, whatever the first ones say.
    #[must_use]
    pub fn entitles(&self, proof: &Digest, right: Right) -> bool {
        let stops = matches!(right, Right::Erasure | Right::Objection | Right::Restriction);
        let word = self.word.is_some_and(|word| same(&word, proof));
        same(&self.answer, proof) | (stops & word)
    }
}

fn same(one: &Digest, other: &Digest) -> bool {
    one.0.iter().zip(other.0).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

/// Takes what a person says to the form that is hashed: small letters, single blanks, no marks of punctuation.
#[must_use]
pub fn normalised(answer: &str) -> String {
    let plain = answer.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' });
    let small: String = plain.flat_map(char::to_lowercase).collect();
    small.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a person asks for, as every Society that takes part in it knows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct SubjectRequest {
    /// Its id, the same everywhere.
    #[n(0)]
    pub id: RequestId,
    /// Which right.
    #[n(1)]
    pub right: Right,
    /// Who makes it.
    #[n(2)]
    pub via: Via,
    /// The Society whose card was shown: it checks the answer, and knows the holders.
    #[n(3)]
    pub card_of: Society,
    /// The code on the card.
    #[n(4)]
    pub code: CaseShortCode,
    /// The Society that took the request.
    #[n(5)]
    pub taken_by: Society,
    /// When it took it, by its clock.
    #[n(6)]
    pub received_at: Time,
    /// By when it is to be answered.
    #[n(7)]
    pub due: Time,
    /// What a complaint is about.
    #[n(8)]
    pub topic: Option<Topic>,
    /// The sections that are to be rectified; all when there are none.
    #[n(9)]
    pub sections: Vec<Section>,
    /// A sentence that identifies nobody. What the right value is, the person tells the caseworker.
    #[n(10)]
    pub note: Option<Note>,
}

impl SubjectRequest {
    /// How long holders have.
    pub const DUE_WITHIN: Duration = Duration::from_secs(REQUEST_DUE_SECONDS);

    /// The canonical bytes.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads it back from an object of the journal.
    ///
    /// # Errors
    /// `too_large`, `malformed`, or what is wrong with it.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
        let request: Self = codec::decode(bytes, CONSENT_EVENT_BYTES_MAX, "a request of a person")?;
        request.check()?;
        Ok(request)
    }

    /// SHA-256 of the canonical bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_cbor())
    }

    /// The request in codes alone, as the views keep it.
    #[must_use]
    pub fn outline(&self) -> Self {
        Self { note: None, ..self.clone() }
    }

    /// Checks what holds of every request.
    ///
    /// # Errors
    /// `malformed`, `missing_field`, `too_many` or `bad_times`, with the field.
    pub fn check(&self) -> Result<(), Refusal> {
        if !ASKED_FOR.contains(&self.right) {
            return Err(Refusal::new(Code::Malformed, "this right is not asked for with a card").at("right"));
        }
        if (self.right == Right::Complaint) != self.topic.is_some() {
            return Err(Refusal::new(Code::MissingField, "a complaint, and nothing else, says its topic").at("topic"));
        }
        if self.sections.len() > LIST_MAX {
            return Err(Refusal::new(Code::TooMany, format!("at most {LIST_MAX} sections")).at("sections"));
        }
        if self.due < self.received_at || self.due > self.received_at.plus(Self::DUE_WITHIN) {
            return Err(Refusal::new(Code::BadTimes, "a request is due within 30 days of its receipt").at("due"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_the_same_however_it_is_spoken() {
        for spoken in ["  Marché  de KAYES!", "marché de kayes", "Marché, de Kayes"] {
            assert_eq!(normalised(spoken), "marché de kayes");
        }
        assert_eq!(normalised("?!"), "");
    }

    #[test]
    fn the_word_on_the_card_only_stops_things() {
        let (answer, word) = (Digest([1; 32]), Digest([2; 32]));
        let secret = CardSecret { answer, word: Some(word) };
        for right in ASKED_FOR {
            let stops = matches!(right, Right::Erasure | Right::Objection | Right::Restriction);
            assert!(secret.entitles(&answer, right), "{right}");
            assert_eq!(secret.entitles(&word, right), stops, "{right}");
            assert!(!secret.entitles(&Digest::default(), right), "{right}");
            assert!(!CardSecret { word: None, ..secret }.entitles(&word, right), "{right}");
        }
        assert_eq!(CardSecret::from_cbor(&secret.to_cbor()), Ok(secret));
    }
}
