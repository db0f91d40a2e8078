//! What the journal records of the rights of a person.

use minicbor::{Decode, Encode};

use super::{Outcome, RequestReason};
use crate::{
    digest::Digest,
    handover::CaseShortCode,
    ids::{HandoverId, RequestId},
};

/// A step of a card or of a request.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum RightsEntry {
    /// A card was made for a handover, or made anew; its object is what proves whose it is.
    #[n(1)]
    CardMade {
        /// The handover.
        #[n(0)]
        handover: HandoverId,
        /// The code on it.
        #[n(1)]
        code: CaseShortCode,
        /// SHA-256 of the object.
        #[n(2)]
        digest: Digest,
    },
    /// A request was taken here; its object is the request.
    #[n(2)]
    Taken {
        /// The request.
        #[n(0)]
        request: RequestId,
        /// SHA-256 of it.
        #[n(1)]
        digest: Digest,
    },
    /// The answer was right: the request goes to every holder.
    #[n(3)]
    Opened {
        /// The request.
        #[n(0)]
        request: RequestId,
        /// The code on the card.
        #[n(1)]
        code: CaseShortCode,
    },
    /// What became of a request at this node.
    #[n(4)]
    Answered {
        /// The request.
        #[n(0)]
        request: RequestId,
        /// What.
        #[n(1)]
        outcome: Outcome,
        /// Why, when it is refused.
        #[n(2)]
        reason: Option<RequestReason>,
    },
    /// Somebody read what the holders answered.
    #[n(5)]
    Read {
        /// The request.
        #[n(0)]
        request: RequestId,
    },
    /// A code was given with a wrong answer; or no card has it, which looks the same.
    #[n(6)]
    CheckFailed {
        /// The code.
        #[n(0)]
        code: CaseShortCode,
    },
}

impl RightsEntry {
    /// The name of the kind, for lists and filters.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CardMade { .. } => "card_made",
            Self::Taken { .. } => "request_taken",
            Self::Opened { .. } => "request_opened",
            Self::Answered { .. } => "request_answered",
            Self::Read { .. } => "request_read",
            Self::CheckFailed { .. } => "check_failed",
        }
    }

    /// SHA-256 of its object, where it has one.
    #[must_use]
    pub fn object(&self) -> Option<Digest> {
        match self {
            Self::CardMade { digest, .. } | Self::Taken { digest, .. } => Some(*digest),
            _ => None,
        }
    }

    /// The handover or request that it is about.
    #[must_use]
    pub fn subject(&self) -> Option<crate::ids::EnvelopeId> {
        match self {
            Self::CardMade { handover, .. } => Some((*handover).into()),
            Self::Taken { request, .. }
            | Self::Opened { request, .. }
            | Self::Answered { request, .. }
            | Self::Read { request } => Some((*request).into()),
            Self::CheckFailed { .. } => None,
        }
    }
}
