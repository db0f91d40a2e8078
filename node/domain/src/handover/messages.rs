//! The bodies that travel after the offer: answer, release, step. None holds personal data; the
//! package itself travels as a sealed attachment that the release names by its digest.

use minicbor::{Decode, Encode};
use serde::Serialize;

use super::{
    life::{Action, Side},
    text::Note,
};
use crate::{
    catalogue::{CloseReason, LegalBasis, MATRIX_VERSION, RejectReason, Section, Service, StopReason},
    consent::{Actor, ConsentEvent, EventKind, Obligations, Tag, codec, faults::Faults},
    digest::Digest,
    ids::HandoverId,
    limits::{HANDOVER_MESSAGE_BYTES_MAX, LIST_MAX, PACKAGE_BYTES_MAX, SEAL_BYTES_MAX, SERVICES_MAX},
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};

/// The recipient's answer to an offer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct HandoverAnswer {
    /// The handover.
    #[n(0)]
    pub id: HandoverId,
    /// Yes or no.
    #[n(1)]
    pub verdict: Verdict,
}

/// Yes or no.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The recipient takes the case, or some of what is asked.
    #[n(1)]
    #[cbor(map)]
    Accept {
        /// The team that takes it.
        #[n(0)]
        team: Tag,
        /// The services that it will give.
        #[n(1)]
        services: Vec<Service>,
    },
    /// The recipient does not take it.
    #[n(2)]
    #[cbor(map)]
    Reject {
        /// Why.
        #[n(0)]
        reason: RejectReason,
        /// A short note that identifies nobody.
        #[n(1)]
        note: Option<Note>,
    },
}

impl Verdict {
    /// The action that the answer is.
    #[must_use]
    pub fn action(&self) -> Action {
        match self {
            Self::Accept { .. } => Action::Accept,
            Self::Reject { .. } => Action::Reject,
        }
    }
}

/// The sender's release of the package, whose sealed bytes travel beside it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct HandoverRelease {
    /// The handover.
    #[n(0)]
    pub id: HandoverId,
    /// The salted commitment to the package, as the sender's journal has it.
    #[n(1)]
    pub package_commitment: Digest,
    /// The digest of the sealed bytes; zeros when there are none.
    #[n(2)]
    pub package_digest: Digest,
    /// How many sealed bytes there are; none when the package stays at its origin, where the recipient reads it over
    /// the link. (A node that knows no such release refuses it.)
    #[n(3)]
    pub sealed_bytes: u64,
    /// The sections that the package has.
    #[n(4)]
    pub sections: Vec<Section>,
    /// The version of the matrix of services and sections by which they were chosen.
    #[n(5)]
    pub matrix_version: u16,
    /// The consent that it rests on, and what binds the recipient.
    #[n(6)]
    pub obligations: Obligations,
    /// The legal basis, where it is not the consent: a vital interest, by an override of the sender.
    #[n(7)]
    pub basis: Option<LegalBasis>,
}

impl HandoverRelease {
    /// The release of a package under the matrix of this release of the software.
    #[must_use]
    pub fn new(
        id: HandoverId,
        package_commitment: Digest,
        sealed: &[u8],
        sections: Vec<Section>,
        obligations: Obligations,
    ) -> Self {
        Self {
            id,
            package_commitment,
            package_digest: Digest::of(sealed),
            sealed_bytes: sealed.len() as u64,
            sections,
            matrix_version: MATRIX_VERSION,
            obligations,
            basis: None,
        }
    }

    /// Whether the package stays at its origin: nothing travels with the release.
    #[must_use]
    pub fn is_held_at_origin(&self) -> bool {
        self.sealed_bytes == 0 && self.package_digest == Digest::default()
    }
}

/// A later step, told to the other side.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct HandoverStep {
    /// The handover.
    #[n(0)]
    pub id: HandoverId,
    /// When it was taken.
    #[n(1)]
    pub at: Time,
    /// Which step.
    #[n(2)]
    pub step: Step,
    /// A short note that identifies nobody.
    #[n(3)]
    pub note: Option<Note>,
}

/// A step after acceptance, or the sender's cancel.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The person is in the recipient's care.
    #[n(1)]
    InService,
    /// The person did not come. Nobody is searched for by broadcast.
    #[n(2)]
    NotArrived,
    /// The recipient is done.
    #[n(3)]
    Completed(#[n(0)] Outcome),
    /// The recipient gives the case back.
    #[n(4)]
    Returned(#[n(0)] StopReason),
    /// The sender takes the offer back.
    #[n(5)]
    Cancelled(#[n(0)] StopReason),
    /// The sender takes the case back; the recipient stops and erases.
    #[n(6)]
    Revoked(#[n(0)] StopReason),
    /// The person withdrew, at either Society.
    #[n(7)]
    Withdrawn,
    /// The data was erased.
    #[n(8)]
    Erased,
}

impl Step {
    /// The action that the step is.
    #[must_use]
    pub fn action(&self) -> Action {
        match self {
            Self::InService => Action::Arrive,
            Self::NotArrived => Action::NoShow,
            Self::Completed(_) => Action::Complete,
            Self::Returned(_) => Action::Return,
            Self::Cancelled(_) => Action::Cancel,
            Self::Revoked(_) => Action::Revoke,
            Self::Withdrawn => Action::Withdraw,
            Self::Erased => Action::Erase,
        }
    }

    /// Whether whoever stands on `side` may tell it.
    #[must_use]
    pub fn is_for(&self, side: Side) -> bool {
        self.action().is_for(side)
    }
}

/// What came of a handover.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Outcome {
    /// Why it ended.
    #[n(0)]
    pub reason: CloseReason,
    /// The services given.
    #[n(1)]
    pub delivered: Vec<Service>,
    /// The services that were accepted and not given.
    #[n(2)]
    #[cbor(default)]
    pub unmet: Vec<Service>,
    /// Whether the person was satisfied, where they were asked.
    #[n(3)]
    pub satisfied: Option<bool>,
}

/// Gives a message its canonical bytes, and its validated way back from foreign ones.
macro_rules! travels {
    ($name:ident, $what:literal) => {
        impl $name {
            /// The canonical bytes.
            #[must_use]
            pub fn to_cbor(&self) -> Vec<u8> {
                codec::encode(self)
            }

            /// Reads it from canonical bytes of foreign origin.
            ///
            /// # Errors
            /// `too_large`, `malformed`, or the first fault that validation finds.
            pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
                let message: Self = codec::decode(bytes, HANDOVER_MESSAGE_BYTES_MAX, $what)?;
                message.check()?;
                Ok(message)
            }
        }
    };
}
travels!(HandoverAnswer, "an answer");
travels!(HandoverRelease, "a release");
travels!(HandoverStep, "a step");

impl HandoverAnswer {
    /// Checks what the types leave open; done on every decode, to be done before sending.
    ///
    /// # Errors
    /// The first fault, with its field.
    pub fn check(&self) -> Result<(), Refusal> {
        let mut faults = Faults::default();
        if let Verdict::Accept { services, .. } = &self.verdict {
            faults.list("services", services, 1, SERVICES_MAX);
        }
        faults.into_first()
    }
}

impl HandoverRelease {
    /// Checks what the types leave open; done on every decode, to be done before sending.
    ///
    /// # Errors
    /// The first fault, with its field.
    pub fn check(&self) -> Result<(), Refusal> {
        let mut faults = Faults::default();
        faults.list("sections", &self.sections, 1, LIST_MAX);
        let sealed_bytes_max = PACKAGE_BYTES_MAX + SEAL_BYTES_MAX;
        let none = self.sealed_bytes == 0 && !self.is_held_at_origin();
        if none || self.sealed_bytes > sealed_bytes_max as u64 {
            faults.add(
                Code::TooLarge,
                "sealed_bytes",
                format!("a sealed package has between 1 and {sealed_bytes_max} bytes"),
            );
        }
        if let Some(contact) = &self.obligations.contact {
            contact.check("obligations.contact", &mut faults);
        }
        faults.into_first()
    }
}

impl HandoverStep {
    /// The withdrawal that the step tells of, when it was `by` who took it.
    #[must_use]
    pub fn withdrawal(&self, by: Society) -> Option<ConsentEvent> {
        (self.step == Step::Withdrawn).then_some(ConsentEvent {
            at: self.at,
            kind: EventKind::Withdraw,
            actor: Actor::Person,
            recorded_by: by,
            method: None,
            scope: None,
        })
    }

    /// Checks what the types leave open; done on every decode, to be done before sending.
    ///
    /// # Errors
    /// The first fault, with its field.
    pub fn check(&self) -> Result<(), Refusal> {
        let mut faults = Faults::default();
        if matches!(self.step, Step::Withdrawn | Step::Erased) && self.note.is_some() {
            faults.add(Code::Malformed, "note", "a withdrawal or an erasure is told without a note");
        }
        if let Step::Completed(outcome) = &self.step {
            faults.list("delivered", &outcome.delivered, 0, SERVICES_MAX);
            faults.list("unmet", &outcome.unmet, 0, SERVICES_MAX);
            if let Some(index) = outcome.unmet.iter().position(|service| outcome.delivered.contains(service)) {
                faults.add(Code::Malformed, format!("unmet[{index}]"), "a service was given or it was not");
            }
        }
        faults.into_first()
    }
}
