//! What travels about a request: to the Society whose card it is, from there to each holder, and the answers back. Each
//! message carries the request itself, so that whoever lost it learns it again.

use minicbor::{Decode, Encode};
use serde::Serialize;

use super::{Outcome, RequestReason, SubjectRequest};
use crate::{
    catalogue::Right,
    consent::codec,
    digest::Digest,
    envelope::Kind,
    ids::HandoverId,
    limits::{LIST_MAX, READS_KEPT_MAX, RIGHTS_MESSAGE_BYTES_MAX},
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};

/// What one Society tells another about a request.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct RightsMessage {
    /// The request.
    #[n(0)]
    pub request: SubjectRequest,
    /// What is told of it.
    #[n(1)]
    pub news: News,
}

/// What is told of a request.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// To the Society of the card: check the proof, and send it to every holder.
    #[n(1)]
    #[cbor(map)]
    Asked {
        /// The slow hash of the answer that was given.
        #[n(0)]
        proof: Digest,
    },
    /// To a holder: the answer was right; do it.
    #[n(2)]
    #[cbor(map)]
    Due {
        /// The handover by which it holds something.
        #[n(0)]
        handover: HandoverId,
    },
    /// From a holder, and from the Society of the card on to the one that took the request.
    #[n(3)]
    #[cbor(map)]
    Answered {
        /// Who answers.
        #[n(0)]
        holder: Society,
        /// The handover by which it holds something; absent for the Society of the card.
        #[n(1)]
        handover: Option<HandoverId>,
        /// What became of it.
        #[n(2)]
        outcome: Outcome,
        /// Why, when it is refused.
        #[n(3)]
        reason: Option<RequestReason>,
        /// What is held, for a request for access.
        #[n(4)]
        held: Option<Held>,
    },
}

/// What a holder has of a person: codes and times, no content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Held {
    /// Codes of the sections.
    #[n(0)]
    pub sections: Vec<String>,
    /// Since when.
    #[n(1)]
    pub since: Option<Time>,
    /// Who read what here, the newest last.
    #[n(2)]
    pub reads: Vec<ReadMark>,
    /// To whom it was passed on from here.
    #[n(3)]
    pub onward: Vec<Society>,
}

/// That somebody read a package.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct ReadMark {
    /// When.
    #[n(0)]
    pub at: Time,
    /// Why, as a purpose code.
    #[n(1)]
    pub purpose: String,
    /// Codes of the sections.
    #[n(2)]
    pub sections: Vec<String>,
}

impl RightsMessage {
    /// The kind of envelope in which it travels.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.news {
            News::Asked { .. } | News::Due { .. } => Kind::SubjectRequest,
            News::Answered { .. } => Kind::SubjectAnswer,
        }
    }

    /// What the views need of it, once the rest was forgotten: no note, no proof, nothing of what is held.
    #[must_use]
    pub fn outline(&self) -> Self {
        let mut news = self.news.clone();
        match &mut news {
            News::Asked { proof } => *proof = Digest::default(),
            News::Answered { held, .. } => *held = None,
            News::Due { .. } => {}
        }
        Self { request: self.request.outline(), news }
    }

    /// The canonical bytes.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads it from canonical bytes of foreign origin.
    ///
    /// # Errors
    /// `too_large`, `malformed`, or what is wrong with the request in it.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
        let message: Self = codec::decode(bytes, RIGHTS_MESSAGE_BYTES_MAX, "a message about a request")?;
        message.request.check()?;
        match &message.news {
            News::Due { .. } if matches!(message.request.right, Right::Erasure | Right::Complaint) => {
                Err(Refusal::new(Code::Malformed, "such a request does not go to holders as a request"))
            }
            News::Answered { held: Some(held), .. } => held.check().map(|()| message),
            _ => Ok(message),
        }
    }
}

impl Held {
    fn check(&self) -> Result<(), Refusal> {
        let sections = self.reads.iter().map(|read| read.sections.len()).chain([self.sections.len()]).max();
        if self.reads.len() > READS_KEPT_MAX || self.onward.len().max(sections.unwrap_or_default()) > LIST_MAX {
            return Err(Refusal::new(Code::TooMany, format!("at most {READS_KEPT_MAX} readings are told")));
        }
        let codes = self.reads.iter().flat_map(|read| read.sections.iter().chain([&read.purpose]));
        for code in codes.chain(&self.sections) {
            let fits =
                code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
            if !fits {
                return Err(Refusal::new(Code::Malformed, "what is held is told in codes"));
            }
        }
        Ok(())
    }
}
