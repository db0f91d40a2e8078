//! Rows of consent records beyond the newest: their earlier versions, and their evidence.

use super::Fold;
use crate::{
    consent::{EvidenceEntry, EvidencePiece},
    ids::{ConsentId, EntryIndex},
    refusal::Refusal,
    rows::Row,
};

impl Fold<'_> {
    /// The entries of the versions that a record has had so far.
    pub(super) fn earlier_versions(&self, consent: ConsentId) -> Result<Vec<EntryIndex>, Refusal> {
        let Some(mut row) = self.facts.consent(consent)? else { return Ok(Vec::new()) };
        row.earlier.push(row.entry);
        Ok(row.earlier)
    }

    /// A step of the evidence of a consent.
    pub(super) fn evidence(&mut self, step: &EvidenceEntry) -> Result<(), Refusal> {
        let consent = step.consent();
        let (entry, at) = (self.entry.index, self.entry.time);
        let mut row = self.facts.evidence(consent)?.unwrap_or_default();
        match step {
            EvidenceEntry::Kept { evidence, digest, kind, .. } => {
                row.pieces.push(EvidencePiece { place: *evidence, digest: *digest, kind: *kind, entry, at });
            }
            EvidenceEntry::Read { .. } => return Ok(()),
            EvidenceEntry::Destroyed { .. } => row.destroyed = Some((entry, at)),
        }
        self.rows.push(Row::Evidence(consent, row));
        Ok(())
    }
}
