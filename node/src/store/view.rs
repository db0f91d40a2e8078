//! The rows of the store as the domain reads them, with an overlay of rows that the current batch
//! has written and that are not durable yet.

use std::collections::{BTreeSet, HashMap};

use minicbor::{Decode, Encode};
use parking_lot::Mutex;
use passerelle_domain::{
    aggregate::ReportRow,
    consent::EvidenceRow,
    entry::Entry,
    envelope::Lane,
    facts::Facts,
    fold::Residue,
    handover::{CaseShortCode, GroupId},
    ids::{AlertId, CaseId, ConsentId, EntryIndex, EnvelopeId, HandoverId, Position, ReportId, RequestId},
    refusal::{Code, Refusal},
    retention::{HoldKind, HoldRow, KeepingRow, SuspensionRow},
    rights::{CardRow, CorrectionRow, ReadsRow, RequestRow},
    rows::{
        AckRow, AlertRow, CaseAgeRow, CaseRow, ConsentRow, DraftRow, EnvelopeRow, GroupRow, HandoverRow, HeadRow,
        LaneIn, LaneItem, LaneOut, PeerRow, Row, SafeguardRow, TombstoneRow, UseRow,
    },
    society::Society,
};

use super::{Batch, Direction, Store, StoreError, journal::Journal, keys};

/// The letter of peers.
const PEER: u8 = b'p';

/// What the store holds, and what a batch has put over it.
pub struct View<'a> {
    store: &'a dyn Store,
    /// Where entries and objects are read: the same store, but for a fold on the side.
    journal: &'a dyn Store,
    /// What was put; `None` where the key was removed.
    overlay: HashMap<keys::Key, Option<Vec<u8>>>,
    /// Entries that were put.
    added: Journal,
    /// What [`View::with_row`] read last from the store.
    last_row: Mutex<Option<(keys::Key, Option<Vec<u8>>)>>,
    /// All peers, once they were asked for: every alert of a batch asks again, and they seldom change.
    peers: Mutex<Option<Vec<(Society, PeerRow)>>>,
}

impl<'a> View<'a> {
    /// The store as it is.
    #[must_use]
    pub fn of(store: &'a dyn Store) -> Self {
        Self::beside(store, store)
    }

    /// Rows of `store` over the entries and objects of `journal`: a fold on the side.
    #[must_use]
    pub fn beside(journal: &'a dyn Store, store: &'a dyn Store) -> Self {
        Self {
            store,
            journal,
            overlay: HashMap::new(),
            added: Journal::default(),
            last_row: Mutex::default(),
            peers: Mutex::default(),
        }
    }

    /// Whether anything was put over the store.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        !self.overlay.is_empty() || !self.added.is_empty()
    }

    /// Puts bytes under a key.
    pub fn put(&mut self, key: keys::Key, value: Vec<u8>) {
        if key.first() == Some(&PEER) {
            *self.peers.get_mut() = None;
        }
        self.overlay.insert(key, Some(value));
    }

    /// Puts a row under its key.
    ///
    /// # Errors
    /// `store_failed`, when what lies beside it in the store cannot be read.
    pub fn put_row(&mut self, row: &Row) -> Result<(), Refusal> {
        let (key, value) = match encode_row(row) {
            Encoded::Row(key, value) => (key, value),
            Encoded::LaneItem(peer, lane, position, item) => return self.put_lane_item(peer, lane, position, item),
        };
        self.put(key, value);
        Ok(())
    }

    /// Shows the bytes under a key, those of the batch or else those of the store; the ones read last are kept, for
    /// rows that hold much are asked for often.
    pub(super) fn with_row<T>(&self, key: &[u8], show: impl FnOnce(Option<&[u8]>) -> T) -> Result<T, Refusal> {
        if let Some(value) = self.overlay.get(key) {
            return Ok(show(value.as_deref()));
        }
        let mut last = self.last_row.lock();
        if last.as_ref().is_none_or(|(read, _)| read != key) {
            *last = Some((key.to_vec(), self.store.get(key).map_err(failed)?));
        }
        Ok(show(last.as_ref().and_then(|(_, value)| value.as_deref())))
    }

    /// The keys from `from` to before `until`, those that are still to be written too.
    pub(super) fn keys_between(&self, from: &[u8], until: &[u8]) -> Result<BTreeSet<keys::Key>, Refusal> {
        let stored = self.store.scan(from, until, Direction::Forward);
        let mut found: BTreeSet<_> =
            stored.map(|pair| pair.map(|(key, _)| key).map_err(failed)).collect::<Result<_, _>>()?;
        found.extend(self.overlay.keys().filter(|key| from <= key.as_slice() && key.as_slice() < until).cloned());
        Ok(found)
    }

    /// Removes what is under a key.
    pub(super) fn remove(&mut self, key: keys::Key) {
        self.overlay.insert(key, None);
    }

    pub(super) fn journal(&self) -> &Journal {
        &self.added
    }

    pub(super) fn journal_mut(&mut self) -> &mut Journal {
        &mut self.added
    }

    pub(super) fn journal_store(&self) -> &'a dyn Store {
        self.journal
    }

    /// What was put under a key, if anything was; `None` within where it was removed.
    pub(super) fn overlaid(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.overlay.get(key).map(Option::as_deref)
    }

    /// Everything that was put, as one batch for the store.
    ///
    /// # Errors
    /// When a key or a value is too large for the store.
    pub fn into_batch(self) -> Result<Batch, StoreError> {
        let mut batch = Batch::default();
        for (key, value) in self.overlay {
            match value {
                Some(value) => batch.put(key, value)?,
                None => batch.delete(key)?,
            }
        }
        for (key, pack) in self.added.into_packs() {
            batch.put(key, pack)?;
        }
        Ok(batch)
    }

    /// What is under a key of the journal.
    pub(super) fn journal_bytes(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
        if let Some(value) = self.overlay.get(key) {
            return Ok(value.clone());
        }
        self.journal.get(key).map_err(failed)
    }

    fn row<T: for<'b> Decode<'b, ()>>(&self, key: &[u8]) -> Result<Option<T>, Refusal> {
        if let Some(value) = self.overlay.get(key) {
            return value.as_deref().map(decode).transpose();
        }
        self.store.get(key).map_err(failed)?.map(|value| decode(&value)).transpose()
    }

    /// Every Society's acknowledgement of an alert, by code.
    ///
    /// # Errors
    /// `store_failed`.
    pub fn acks(&self, id: AlertId) -> Result<Vec<(Society, AckRow)>, Refusal> {
        let (from, until) = keys::acks(id);
        let rows = self.store.scan(&from, &until, Direction::Forward);
        rows.map(|pair| {
            let (key, value) = pair.map_err(failed)?;
            let damaged = || Refusal::new(Code::StoreFailed, "a key of the store is damaged");
            let society = key.get(17..).and_then(|bytes| Society::parse_bytes(bytes).ok()).ok_or_else(damaged)?;
            Ok((society, decode(&value)?))
        })
        .collect()
    }

    /// The head of the journal; absent in a new store.
    ///
    /// # Errors
    /// `store_failed`.
    pub fn head(&self) -> Result<Option<HeadRow>, Refusal> {
        self.row(keys::HEAD)
    }
}

/// A failing store, as a refusal.
#[must_use]
pub fn failed(error: StoreError) -> Refusal {
    Refusal::new(Code::StoreFailed, error.to_string())
}

/// Decodes a row that this node wrote.
///
/// # Errors
/// `store_failed` when the bytes are damaged.
pub fn decode<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, Refusal> {
    minicbor::decode(bytes)
        .map_err(|error| Refusal::new(Code::StoreFailed, format!("a row of the store is damaged: {error}")))
}

/// Encodes a row.
#[must_use]
pub fn encode<T: Encode<()>>(row: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    // A `Vec` takes any byte, and our rows' encoders return no error of their own.
    minicbor::encode(row, &mut bytes).expect("encoding to memory does not fail");
    bytes
}

/// A row as it is put.
enum Encoded<'a> {
    Row(keys::Key, Vec<u8>),
    /// It lies in a row with others.
    LaneItem(Society, Lane, Position, &'a LaneItem),
}

fn encode_row(row: &Row) -> Encoded<'_> {
    let (key, value) = match row {
        Row::Alert(id, row) => (keys::alert(*id), encode(row)),
        Row::Ack(id, society, row) => (keys::ack(*id, *society), encode(row)),
        Row::Draft(id, row) => (keys::draft(*id), encode(row)),
        Row::Tombstone(id, row) => (keys::tombstone(*id), encode(row)),
        Row::Envelope(society, id, row) => (keys::envelope(*society, *id), encode(row)),
        Row::Consent(id, row) => (keys::consent(*id), encode(row)),
        Row::Evidence(id, row) => (keys::evidence(*id), encode(row)),
        Row::Use(id, row) => (keys::uses(*id), encode(row)),
        Row::Case(id, row) => (keys::case(*id), encode(row)),
        Row::Handover(id, row) => (keys::handover(*id), encode(row)),
        Row::Safeguard(id, row) => (keys::safeguard(*id), encode(row)),
        Row::CaseAge(case, row) => (keys::case_age(*case), encode(row)),
        Row::Group(id, row) => (keys::group(*id), encode(row)),
        Row::Reads(id, row) => (keys::reads(*id), encode(row)),
        Row::Card(code, row) => (keys::card(code), encode(row)),
        Row::Correction(id, row) => (keys::correction(*id), encode(row)),
        Row::Request(id, row) => (keys::request(*id), encode(row)),
        Row::Keeping(id, row) => (keys::keeping(*id), encode(row)),
        Row::Hold(subject, kind, row) => (keys::hold(*subject, *kind), encode(row)),
        Row::Suspension(peer, row) => (keys::suspension(*peer), encode(row)),
        Row::Report(id, row) => (keys::report(*id), encode(row)),
        Row::Peer(society, row) => (keys::peer(*society), encode(row)),
        Row::LaneOut(society, lane, row) => (keys::lane_out(*society, *lane), encode(row)),
        Row::LaneItem(society, lane, position, row) => return Encoded::LaneItem(*society, *lane, *position, row),
        Row::LaneIn(society, lane, row) => (keys::lane_in(*society, *lane), encode(row)),
    };
    Encoded::Row(key, value)
}

impl Facts for View<'_> {
    fn alert(&self, id: AlertId) -> Result<Option<AlertRow>, Refusal> {
        self.row(&keys::alert(id))
    }

    fn ack(&self, id: AlertId, society: Society) -> Result<Option<AckRow>, Refusal> {
        self.row(&keys::ack(id, society))
    }

    fn draft(&self, id: AlertId) -> Result<Option<DraftRow>, Refusal> {
        self.row(&keys::draft(id))
    }

    fn tombstone(&self, id: AlertId) -> Result<Option<TombstoneRow>, Refusal> {
        self.row(&keys::tombstone(id))
    }

    fn envelope(&self, origin: Society, id: EnvelopeId) -> Result<Option<EnvelopeRow>, Refusal> {
        self.row(&keys::envelope(origin, id))
    }

    fn consent(&self, id: ConsentId) -> Result<Option<ConsentRow>, Refusal> {
        self.row(&keys::consent(id))
    }

    fn evidence(&self, id: ConsentId) -> Result<Option<EvidenceRow>, Refusal> {
        self.row(&keys::evidence(id))
    }

    fn uses(&self, id: ConsentId) -> Result<Option<UseRow>, Refusal> {
        self.row(&keys::uses(id))
    }

    fn case(&self, id: CaseId) -> Result<Option<CaseRow>, Refusal> {
        self.row(&keys::case(id))
    }

    fn handover(&self, id: HandoverId) -> Result<Option<HandoverRow>, Refusal> {
        self.row(&keys::handover(id))
    }

    fn safeguard(&self, id: HandoverId) -> Result<Option<SafeguardRow>, Refusal> {
        self.row(&keys::safeguard(id))
    }

    fn case_age(&self, case: CaseId) -> Result<Option<CaseAgeRow>, Refusal> {
        self.row(&keys::case_age(case))
    }

    fn group(&self, id: GroupId) -> Result<Option<GroupRow>, Refusal> {
        self.row(&keys::group(id))
    }

    fn reads(&self, id: HandoverId) -> Result<Option<ReadsRow>, Refusal> {
        self.row(&keys::reads(id))
    }

    fn card(&self, code: &CaseShortCode) -> Result<Option<CardRow>, Refusal> {
        self.row(&keys::card(code))
    }

    fn request(&self, id: RequestId) -> Result<Option<RequestRow>, Refusal> {
        self.row(&keys::request(id))
    }

    fn correction(&self, id: RequestId) -> Result<Option<CorrectionRow>, Refusal> {
        self.row(&keys::correction(id))
    }

    fn keeping(&self, id: HandoverId) -> Result<KeepingRow, Refusal> {
        Ok(self.row(&keys::keeping(id))?.unwrap_or_default())
    }

    fn hold(&self, subject: EnvelopeId, kind: HoldKind) -> Result<Option<HoldRow>, Refusal> {
        self.row(&keys::hold(subject, kind))
    }

    fn suspension(&self, peer: Society) -> Result<Option<SuspensionRow>, Refusal> {
        self.row(&keys::suspension(peer))
    }

    fn report(&self, id: ReportId) -> Result<Option<ReportRow>, Refusal> {
        self.row(&keys::report(id))
    }

    fn reports(&self) -> Result<Vec<(ReportId, ReportRow)>, Refusal> {
        let (from, until) = keys::reports();
        let mut found = std::collections::BTreeMap::new();
        for pair in self.store.scan(&from, &until, Direction::Forward) {
            let (key, value) = pair.map_err(failed)?;
            found.extend(keys::report_id(&key).map(|id| decode(&value).map(|row| (id, row))).transpose()?);
        }
        for (key, value) in self.overlay.iter().filter(|(key, _)| key.starts_with(b"ur")) {
            if let (Some(id), Some(value)) = (keys::report_id(key), value) {
                found.insert(id, decode(value)?);
            }
        }
        Ok(found.into_iter().collect())
    }

    fn peer(&self, society: Society) -> Result<Option<PeerRow>, Refusal> {
        self.row(&keys::peer(society))
    }

    fn peers(&self) -> Result<Vec<(Society, PeerRow)>, Refusal> {
        let mut known = self.peers.lock();
        if let Some(peers) = &*known {
            return Ok(peers.clone());
        }
        let (from, until) = keys::all(PEER);
        let mut peers = std::collections::BTreeMap::new();
        for pair in self.store.scan(&from, &until, Direction::Forward) {
            let (key, value) = pair.map_err(failed)?;
            if let Some(society) = keys::society(&key) {
                peers.insert(society, decode::<PeerRow>(&value)?);
            }
        }
        for (key, value) in self.overlay.iter().filter(|(key, _)| key.first() == Some(&PEER)) {
            if let (Some(society), Some(value)) = (keys::society(key), value) {
                peers.insert(society, decode(value)?);
            }
        }
        let peers: Vec<_> = peers.into_iter().filter(|(_, row)| !row.removed).collect();
        *known = Some(peers.clone());
        Ok(peers)
    }

    fn lane_out(&self, peer: Society, lane: Lane) -> Result<LaneOut, Refusal> {
        Ok(self.row(&keys::lane_out(peer, lane))?.unwrap_or_default())
    }

    fn lane_item(&self, peer: Society, lane: Lane, position: Position) -> Result<Option<LaneItem>, Refusal> {
        self.lane_item_at(peer, lane, position)
    }

    fn lane_items(
        &self,
        peer: Society,
        lane: Lane,
        first: Position,
        last: Position,
    ) -> Result<Vec<(Position, LaneItem)>, Refusal> {
        self.lane_items_in(peer, lane, first, last)
    }

    fn lane_in(&self, peer: Society, lane: Lane) -> Result<LaneIn, Refusal> {
        Ok(self.row(&keys::lane_in(peer, lane))?.unwrap_or_default())
    }

    fn object(&self, entry: EntryIndex) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(self.stored_object(entry)?.filter(|stored| !Residue::is_stored(stored)))
    }

    fn entry(&self, entry: EntryIndex) -> Result<Option<Entry>, Refusal> {
        self.entry_bytes(entry)?.map(|bytes| decode(&bytes)).transpose()
    }
}
