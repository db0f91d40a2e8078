//! What is to be put right of a package, when a person asks for it: the fields as they should be. It travels and lies sealed
//! as a package does, under a key of its own, is applied at each holder by a person, and goes once all have answered. What
//! the package said before stays beside it in the vault, sealed, and ends with it.

use minicbor::{Decode, Encode};

use crate::{
    digest::Digest,
    entry::PackageRef,
    envelope::Attachment,
    ids::{CaseId, EntryIndex, EnvelopeId, HandoverId, RequestId},
    time::Time,
};

/// Under whose key a correction lies in the vault.
#[must_use]
pub fn key_of(request: RequestId) -> CaseId {
    let parts: [&[u8]; 2] = [b"passerelle/correction/v1\0", &request.bytes()];
    let Digest([a, b, c, d, e, f, g, h, i, j, ..]) = Digest::of_parts(&parts);
    CaseId::new(Time::default(), [a, b, c, d, e, f, g, h, i, j])
}

/// A correction that comes with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// The card is ours: it lies in our vault.
    Here(PackageRef),
    /// It is sealed to the Society of the card.
    Sealed(Attachment),
}

/// A package that was put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrected {
    /// Of which handover.
    pub handover: HandoverId,
    /// The package as it is now.
    pub package: PackageRef,
    /// The sections that changed.
    pub sections: Vec<crate::catalogue::Section>,
}

/// What the journal records of corrections.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum CorrectionEntry {
    /// One lies in the vault.
    #[n(1)]
    Kept {
        /// Of which request.
        #[n(0)]
        request: RequestId,
        /// Where.
        #[n(1)]
        place: PackageRef,
    },
    /// A person has put a package right by it.
    #[n(2)]
    Applied {
        /// Of which request.
        #[n(0)]
        request: RequestId,
        /// Of which handover.
        #[n(1)]
        handover: HandoverId,
        /// The package as it is now.
        #[n(2)]
        package: PackageRef,
        /// Codes of the sections that changed.
        #[n(3)]
        sections: Vec<String>,
    },
    /// Its key is destroyed.
    #[n(3)]
    Destroyed {
        /// Of which request.
        #[n(0)]
        request: RequestId,
    },
}

impl CorrectionEntry {
    /// The name of the kind, for lists and filters.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Kept { .. } => "correction_kept",
            Self::Applied { .. } => "correction_applied",
            Self::Destroyed { .. } => "correction_destroyed",
        }
    }

    /// The handover that was changed, or else the request.
    #[must_use]
    pub fn subject(&self) -> EnvelopeId {
        match self {
            Self::Applied { handover, .. } => (*handover).into(),
            Self::Kept { request, .. } | Self::Destroyed { request } => (*request).into(),
        }
    }
}

/// The correction of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct CorrectionRow {
    /// Where it lies in this node's vault.
    #[n(0)]
    pub kept: Option<PackageRef>,
    /// Digests of what was sealed to others of it.
    #[n(1)]
    pub sent: Vec<Digest>,
    /// The entry by which it was applied here first.
    #[n(2)]
    pub applied: Option<EntryIndex>,
    /// The entry that says that its key was destroyed.
    #[n(3)]
    pub destroyed: Option<EntryIndex>,
}
