//! The canonical bytes of what is written of evidence, frozen like those above.

use super::{Frozen, NOW, consent, digest, package};
use crate::{
    consent::{EvidenceEntry, EvidenceKind, EvidencePiece, EvidenceRow, EvidenceUse},
    entry::{Body, ForgetReason},
    ids::EntryIndex,
};

#[test]
fn the_bytes_of_evidence_are_frozen() {
    let mut frozen = Frozen::new("evidence", include_str!("../../fixtures/evidence.hex"));
    let (consent, kind) = (consent().id, EvidenceKind::Recording);
    for entry in [
        EvidenceEntry::Kept { consent, evidence: package(), digest: digest(1), kind },
        EvidenceEntry::Read { consent, purpose: EvidenceUse::Dispute },
        EvidenceEntry::Destroyed { consent, reason: ForgetReason::Retention },
    ] {
        frozen.holds(&Body::Evidence(entry));
    }
    let piece = EvidencePiece { place: package(), digest: digest(1), kind, entry: EntryIndex(7), at: NOW };
    frozen.holds(&EvidenceRow { pieces: vec![piece], destroyed: Some((EntryIndex(9), NOW)) });
    frozen.ends("evidence");
}
