//! Evidence of a consent: a recording or a signed form, which proves what the person said. It stays in the vault of the node
//! that collected it, under a key of its own, and never travels: only its digest stands in the record. A thumbprint is a
//! biometric feature and is never kept, not as a picture of the paper either.

use minicbor::{Decode, Encode};

use crate::{
    catalogue::{CollectionMethod, vocabulary},
    digest::Digest,
    entry::{ForgetReason, PackageRef},
    ids::{CaseId, ConsentId, EntryIndex, EnvelopeId},
    refusal::{Code, Refusal},
    time::Time,
};

vocabulary! {
    /// What a piece of evidence is.
    EvidenceKind {
        1 Recording = "recording",
        2 SignedForm = "signed_form",
    }
}

vocabulary! {
    /// For what evidence is read. For nothing else: it holds a voice, or a signature.
    EvidenceUse {
        1 Dispute = "dispute",
        2 Complaint = "complaint",
        3 Review = "review",
        4 Access = "access",
    }
}

/// How the bytes of recordings begin: the format, where in the file, and the mark.
const RECORDINGS: [(usize, &[u8]); 9] = [
    (0, b"OggS"),
    (8, b"WAVE"),
    (0, b"ID3"),
    (0, &[0xff, 0xfb]),
    (0, &[0xff, 0xf1]),
    (4, b"ftypM4A"),
    (0, b"#!AMR"),
    (0, b"fLaC"),
    (0, &[0x1a, 0x45, 0xdf, 0xa3]),
];
/// How the bytes of forms begin: PDF, PNG, JPEG.
const FORMS: [(usize, &[u8]); 3] = [(0, b"%PDF-"), (0, b"\x89PNG"), (0, &[0xff, 0xd8, 0xff])];

impl EvidenceKind {
    /// Checks that a piece of evidence is what it is said to be, and may be kept of a consent given in that way.
    ///
    /// # Errors
    /// `hard_blocked` for any picture of a paper with a thumbprint; `malformed` for what is no recording or form that is
    /// known, or does not go with the way in which the consent was given.
    pub fn check(self, collection: CollectionMethod, bytes: &[u8]) -> Result<(), Refusal> {
        if collection == CollectionMethod::Thumbprint {
            let message =
                "a thumbprint is a biometric feature: the paper stays in its cupboard, and no picture of it is kept";
            return Err(Refusal::new(Code::HardBlocked, message).at("content"));
        }
        let (marks, fits): (&[(usize, &[u8])], bool) = match self {
            Self::Recording => (&RECORDINGS, collection != CollectionMethod::Written),
            Self::SignedForm => (&FORMS, collection == CollectionMethod::Written),
        };
        if !fits {
            let message = format!("a {self} does not prove a consent that was given as {collection}");
            return Err(Refusal::new(Code::Malformed, message).at("kind"));
        }
        if marks.iter().all(|(at, mark)| bytes.get(*at..).is_none_or(|rest| !rest.starts_with(mark))) {
            let message = match self {
                Self::Recording => "a recording is Ogg, WAV, MP3, AAC, M4A, AMR, FLAC or WebM",
                Self::SignedForm => "a signed form is a PDF, PNG or JPEG",
            };
            return Err(Refusal::new(Code::Malformed, message).at("content"));
        }
        Ok(())
    }
}

/// Under whose key the evidence of a record lies in the vault: one of its own, so that it ends with the consent and not
/// with the case, and opens with nothing else of the case.
#[must_use]
pub fn key_of(consent: ConsentId) -> CaseId {
    let Digest([a, b, c, d, e, f, g, h, i, j, ..]) = Digest::of_parts(&[b"passerelle/evidence/v1\0", &consent.bytes()]);
    CaseId::new(Time::default(), [a, b, c, d, e, f, g, h, i, j])
}

/// What the journal records of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum EvidenceEntry {
    /// A piece of it lies in the vault.
    #[n(1)]
    Kept {
        /// Of which record.
        #[n(0)]
        consent: ConsentId,
        /// The piece.
        #[n(1)]
        evidence: PackageRef,
        /// SHA-256 of it, as the record says.
        #[n(2)]
        digest: Digest,
        /// What it is.
        #[n(3)]
        kind: EvidenceKind,
    },
    /// Somebody reads or hears it.
    #[n(2)]
    Read {
        /// Of which record.
        #[n(0)]
        consent: ConsentId,
        /// For what.
        #[n(1)]
        purpose: EvidenceUse,
    },
    /// Its key is destroyed, and all pieces with it.
    #[n(3)]
    Destroyed {
        /// Of which record.
        #[n(0)]
        consent: ConsentId,
        /// Why.
        #[n(1)]
        reason: ForgetReason,
    },
}

impl EvidenceEntry {
    /// The name of the kind, for lists and filters.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Kept { .. } => "evidence_kept",
            Self::Read { .. } => "evidence_read",
            Self::Destroyed { .. } => "evidence_destroyed",
        }
    }

    /// The record that it is about.
    #[must_use]
    pub fn consent(&self) -> ConsentId {
        match self {
            Self::Kept { consent, .. } | Self::Read { consent, .. } | Self::Destroyed { consent, .. } => *consent,
        }
    }

    /// The same, as the subject of an entry.
    #[must_use]
    pub fn subject(&self) -> EnvelopeId {
        self.consent().into()
    }
}

/// The evidence of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct EvidenceRow {
    /// Its pieces.
    #[n(0)]
    pub pieces: Vec<EvidencePiece>,
    /// The entry that says that they were destroyed, and when.
    #[n(1)]
    pub destroyed: Option<(EntryIndex, Time)>,
}

/// One piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EvidencePiece {
    /// Where it lies in the vault.
    #[n(0)]
    pub place: PackageRef,
    /// SHA-256 of it.
    #[n(1)]
    pub digest: Digest,
    /// What it is.
    #[n(2)]
    pub kind: EvidenceKind,
    /// The entry that says so.
    #[n(3)]
    pub entry: EntryIndex,
    /// When it was kept.
    #[n(4)]
    pub at: Time,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_what_it_is_said_to_be_and_never_a_thumbprint() {
        use CollectionMethod as M;
        use EvidenceKind as K;
        let (ogg, pdf, jpeg) = (b"OggS-voice".as_slice(), b"%PDF-1.7".as_slice(), [0xff, 0xd8, 0xff, 0xe0].as_slice());
        let table = [
            (K::Recording, M::OralRecorded, ogg, None),
            (K::Recording, M::OralWitnessed, ogg, None),
            (K::Recording, M::Phone, ogg, None),
            (K::SignedForm, M::Written, pdf, None),
            (K::SignedForm, M::Written, jpeg, None),
            (K::SignedForm, M::Thumbprint, jpeg, Some(Code::HardBlocked)),
            (K::SignedForm, M::Thumbprint, pdf, Some(Code::HardBlocked)),
            (K::Recording, M::Thumbprint, ogg, Some(Code::HardBlocked)),
            // A picture that is called a recording, and one of a consent that was spoken.
            (K::Recording, M::OralWitnessed, jpeg, Some(Code::Malformed)),
            (K::SignedForm, M::OralWitnessed, jpeg, Some(Code::Malformed)),
            (K::Recording, M::Written, ogg, Some(Code::Malformed)),
            (K::SignedForm, M::Written, ogg, Some(Code::Malformed)),
            (K::Recording, M::Phone, b"", Some(Code::Malformed)),
        ];
        for (kind, collection, bytes, refused) in table {
            assert_eq!(kind.check(collection, bytes).err().map(|r| r.code), refused, "{kind} of {collection}");
        }
    }

    #[test]
    fn the_key_of_evidence_is_that_of_no_case() {
        let consent = ConsentId::new(Time::default(), [7; 10]);
        assert_ne!(key_of(consent).bytes(), consent.bytes());
        assert_eq!(key_of(consent), key_of(consent));
    }
}
