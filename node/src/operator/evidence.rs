//! Evidence of consents: kept in the vault, and opened for few. What it holds is wiped, and nothing of it is logged.

use passerelle_domain::{
    catalogue::Role,
    consent::{ConsentRecord, EvidenceKind, EvidenceUse},
    decide::{Caller, Command, EvidenceCommand},
    digest::Digest,
    facts::Facts as _,
    ids::{ConsentId, EntryIndex},
    limits::PACKAGE_BYTES_MAX,
    refusal::{Code, Refusal},
};
use passerelle_proto::{convert::timestamp, v1};
use zeroize::Zeroizing;

use super::{Operator, errors::Refused, needed, optional, stamp};

impl Operator {
    /// Keeps a piece of evidence.
    pub(super) async fn keep_evidence(
        &self,
        caller: Caller,
        message: v1::KeepEvidenceRequest,
    ) -> Result<v1::KeepEvidenceResponse, Refused> {
        caller.require(&[Role::Caseworker, Role::Supervisor, Role::RflOfficer, Role::CpOfficer])?;
        let content = Zeroizing::new(message.content);
        let consent: ConsentId = needed("consent_id", &message.consent_id)?;
        let kind: EvidenceKind = needed("kind", &message.kind)?;
        let row = self.known_consent(consent).map_err(|refusal| refusal.at("consent_id"))?;
        let gone = || Refusal::new(Code::UnknownConsent, "the consent record was erased").at("consent_id");
        let record = ConsentRecord::from_cbor(&self.view().object(row.entry)?.ok_or_else(gone)?)?;
        if content.len() > PACKAGE_BYTES_MAX {
            let message = format!("a piece of evidence has at most {PACKAGE_BYTES_MAX} bytes");
            return Err(Refusal::new(Code::TooLarge, message).at("content").into());
        }
        kind.check(record.collection, &content)?;
        let digest = Digest::of(&content);
        let known = self.view().evidence(consent)?.unwrap_or_default();
        if let Some(piece) = known.pieces.iter().find(|piece| piece.digest == digest && known.destroyed.is_none()) {
            return Ok(v1::KeepEvidenceResponse { entry_index: piece.entry.0, digest: digest.to_string() });
        }
        let place = self.blocking(move |operator| operator.packages.put_evidence(consent, &content)).await?;
        let command: Command = EvidenceCommand::Keep { caller, consent, place, digest, kind }.into();
        let outcome = self.submit_for_entry(command).await;
        if outcome.as_ref().is_err_and(Refused::changed_nothing)
            && let Err(refusal) = self.blocking(move |operator| operator.packages.discard_evidence(&place)).await
        {
            tracing::warn!(code = refusal.code.as_str(), "evidence that is not needed could not be erased");
        }
        let EntryIndex(entry_index) = outcome?;
        Ok(v1::KeepEvidenceResponse { entry_index, digest: digest.to_string() })
    }

    /// Opens a piece of evidence after the reading is in the journal.
    pub(super) async fn read_evidence(
        &self,
        caller: Caller,
        message: v1::ReadEvidenceRequest,
    ) -> Result<v1::ReadEvidenceResponse, Refused> {
        let consent: ConsentId = needed("consent_id", &message.consent_id)?;
        let purpose: EvidenceUse = needed("purpose", &message.purpose)?;
        let digest: Option<Digest> = optional("digest", &message.digest)?;
        let command: Command = EvidenceCommand::Read { caller, consent, purpose }.into();
        let EntryIndex(entry_index) = self.submit_for_entry(command).await?;
        let row = self.view().evidence(consent)?.unwrap_or_default();
        let absent = || Refusal::new(Code::PackageAbsent, "no such evidence of this consent is kept here").at("digest");
        let piece = row.pieces.iter().rev().find(|piece| digest.is_none_or(|digest| piece.digest == digest));
        let piece = *piece.ok_or_else(absent)?;
        let mut content = self.blocking(move |operator| operator.packages.evidence(&piece.place)).await?;
        Ok(v1::ReadEvidenceResponse {
            entry_index,
            kind: piece.kind.to_string(),
            digest: piece.digest.to_string(),
            content: std::mem::take(&mut *content),
        })
    }

    /// What of the evidence of a record is here.
    pub(super) fn with_evidence(
        &self,
        mut view: v1::ConsentView,
        consent: ConsentId,
    ) -> Result<v1::ConsentView, Refusal> {
        let row = self.view().evidence(consent)?.unwrap_or_default();
        view.evidence_destroyed_at = stamp(row.destroyed.map(|(_, at)| at));
        if row.destroyed.is_none() {
            let piece = |piece: &passerelle_domain::consent::EvidencePiece| v1::EvidenceView {
                kind: piece.kind.to_string(),
                digest: piece.digest.to_string(),
                kept_at: Some(timestamp(piece.at)),
                entry_index: piece.entry.0,
            };
            view.evidence = row.pieces.iter().map(piece).collect();
        }
        Ok(view)
    }
}
