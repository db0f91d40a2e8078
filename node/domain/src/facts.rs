//! The read side of a decision: rows and objects of the store, as a trait.

use crate::{
    aggregate::ReportRow,
    consent::EvidenceRow,
    envelope::Lane,
    handover::{CaseShortCode, GroupId},
    ids::{AlertId, CaseId, ConsentId, EntryIndex, EnvelopeId, HandoverId, Position, ReportId, RequestId},
    refusal::Refusal,
    retention::{HoldKind, HoldRow, KeepingRow, SuspensionRow},
    rights::{CardRow, CorrectionRow, ReadsRow, RequestRow},
    rows::{
        AckRow, AlertRow, CaseAgeRow, CaseRow, ConsentRow, DraftRow, EnvelopeRow, GroupRow, HandoverRow, LaneIn,
        LaneItem, LaneOut, PeerRow, SafeguardRow, TombstoneRow, UseRow,
    },
    society::Society,
};

/// What is known when a decision is made. Every method answers from one consistent moment, rows of
/// the same batch that are not yet durable included; it fails only when the store does.
#[allow(missing_docs, reason = "each method reads the row of its name")]
pub trait Facts {
    fn alert(&self, id: AlertId) -> Result<Option<AlertRow>, Refusal>;
    fn ack(&self, id: AlertId, society: Society) -> Result<Option<AckRow>, Refusal>;
    fn draft(&self, id: AlertId) -> Result<Option<DraftRow>, Refusal>;
    fn tombstone(&self, id: AlertId) -> Result<Option<TombstoneRow>, Refusal>;
    fn envelope(&self, origin: Society, id: EnvelopeId) -> Result<Option<EnvelopeRow>, Refusal>;
    fn consent(&self, id: ConsentId) -> Result<Option<ConsentRow>, Refusal>;
    fn evidence(&self, id: ConsentId) -> Result<Option<EvidenceRow>, Refusal>;
    fn uses(&self, id: ConsentId) -> Result<Option<UseRow>, Refusal>;
    fn case(&self, id: CaseId) -> Result<Option<CaseRow>, Refusal>;
    fn handover(&self, id: HandoverId) -> Result<Option<HandoverRow>, Refusal>;
    fn safeguard(&self, id: HandoverId) -> Result<Option<SafeguardRow>, Refusal>;
    fn case_age(&self, case: CaseId) -> Result<Option<CaseAgeRow>, Refusal>;
    fn group(&self, id: GroupId) -> Result<Option<GroupRow>, Refusal>;
    /// Who read the package of a handover.
    fn reads(&self, id: HandoverId) -> Result<Option<ReadsRow>, Refusal>;
    fn card(&self, code: &CaseShortCode) -> Result<Option<CardRow>, Refusal>;
    fn request(&self, id: RequestId) -> Result<Option<RequestRow>, Refusal>;
    fn correction(&self, id: RequestId) -> Result<Option<CorrectionRow>, Refusal>;
    /// What retention has to know of a handover; empty when nothing happened yet.
    fn keeping(&self, id: HandoverId) -> Result<KeepingRow, Refusal>;
    fn hold(&self, subject: EnvelopeId, kind: HoldKind) -> Result<Option<HoldRow>, Refusal>;
    fn suspension(&self, peer: Society) -> Result<Option<SuspensionRow>, Refusal>;
    fn report(&self, id: ReportId) -> Result<Option<ReportRow>, Refusal>;
    /// Every aggregate report that was ever proposed.
    fn reports(&self) -> Result<Vec<(ReportId, ReportRow)>, Refusal>;
    fn peer(&self, society: Society) -> Result<Option<PeerRow>, Refusal>;
    /// Every peer that is not removed, by code.
    fn peers(&self) -> Result<Vec<(Society, PeerRow)>, Refusal>;
    fn lane_out(&self, peer: Society, lane: Lane) -> Result<LaneOut, Refusal>;
    fn lane_item(&self, peer: Society, lane: Lane, position: Position) -> Result<Option<LaneItem>, Refusal>;
    /// The items from one position to another, both included, in their order. Of the positions between them most may be
    /// nobody's: it takes time for the items alone.
    fn lane_items(
        &self,
        peer: Society,
        lane: Lane,
        first: Position,
        last: Position,
    ) -> Result<Vec<(Position, LaneItem)>, Refusal>;
    fn lane_in(&self, peer: Society, lane: Lane) -> Result<LaneIn, Refusal>;
    /// The object of an entry; absent when it has none, or when retention or erasure removed it.
    fn object(&self, entry: EntryIndex) -> Result<Option<Vec<u8>>, Refusal>;
    /// The body of an entry.
    fn entry(&self, entry: EntryIndex) -> Result<Option<crate::entry::Entry>, Refusal>;
}
