//! What a journal is made of when it comes from a file or a disk that somebody else wrote: exports, entries, rows.
//! Touches nothing but a store in memory.

use minicbor::{Decode, Encode};
use passerelle_domain::{
    aggregate::ReportRow,
    consent::EvidenceRow,
    digest::Digest,
    entry::{Body, Entry, EnvelopeMeta, PeerChange},
    envelope::{Envelope, SignedEnvelope},
    fold::{Named, Residue, object_named},
    ids::{EntryIndex, Epoch},
    merkle::{Checkpoint, Frontier},
    receipt::SignedReceipt,
    retention::{HoldRow, KeepingRow, SuspensionRow},
    rights::{CardRow, CorrectionRow, ReadsRow, RequestRow, RightsEntry},
    rows::{
        AckRow, AlertRow, CaseAgeRow, CaseRow, ConsentRow, DraftRow, EnvelopeRow, GroupRow, HandoverRow, HeadRow,
        LaneIn, LaneItem, LaneOut, PeerRow, SafeguardRow, TombstoneRow, UseRow,
    },
    signing::Signer as _,
};
use passerelle_node::{
    engine::export,
    store::{
        memory::MemoryStore,
        view::{decode, encode},
    },
};

use super::{base, tells_nothing};

/// An export as it comes. What is taken, verifies.
pub(super) fn import(bytes: &[u8]) {
    let store = MemoryStore::new();
    let keys = [base::key().public_key()];
    match export::import(base::own(), &store, bytes, Epoch::new(base::NOW, [1; 10]), &keys, &base::Believer) {
        Ok(_) => base::verified(&store),
        Err(refusal) => tells_nothing(&refusal),
    }
}

/// Entries and their objects, each with its length in two bytes before it, joined to a journal: places, hashes, digests and
/// checkpoint are made good, so that any history of entries is folded.
pub(super) fn fold(bytes: &[u8]) {
    let mut rest = bytes;
    let mut part = || {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (part, after) = after.split_at(usize::from(u16::from_be_bytes(*length)).min(after.len()));
        rest = after;
        Some(part)
    };
    let mut export = header();
    let (mut frontier, mut previous) = (Frontier::default(), Digest::default());
    while let (Some(entry), Some(object)) = (part(), part()) {
        let Ok(mut entry) = Entry::from_bytes(entry) else { continue };
        let mut object = (!object.is_empty()).then(|| object.to_vec());
        mend(&mut entry.body, &mut object);
        (entry.index, entry.previous) = (EntryIndex(frontier.size()), previous);
        let bytes = entry.to_bytes();
        previous = Entry::hash_of(&bytes);
        frontier.append(previous);
        let mut encoder = minicbor::Encoder::new(&mut export);
        let written = encoder.array(2).and_then(|encoder| encoder.bytes(&bytes)).and_then(|encoder| match &object {
            Some(object) => encoder.bytes(object),
            None => encoder.null(),
        });
        assert!(written.is_ok(), "a vector takes every write");
    }
    let checkpoint = Checkpoint { society: base::own(), size: frontier.size(), root: frontier.root() };
    let written = minicbor::Encoder::new(&mut export).str(&checkpoint.sign(base::key())).is_ok();
    assert!(written, "a vector takes every write");
    import(&export);
}

fn header() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = minicbor::Encoder::new(&mut bytes);
    let written = (|| {
        encoder.map(5)?.str("format")?.str("passerelle-journal")?.str("version")?.u8(1)?;
        encoder.str("society")?.str(base::own().code())?.str("epoch")?.bytes(&[0; 16])?;
        encoder.str("from")?.u64(0)?.ok()
    })();
    assert!(written.is_ok(), "a vector takes every write");
    bytes
}

/// Makes entry and object name each other.
fn mend(body: &mut Body, object: &mut Option<Vec<u8>>) {
    let Some(bytes) = object.as_mut() else { return };
    if Residue::is_stored(bytes) {
        return;
    }
    match body {
        Body::Issued(meta) => sign(meta, bytes),
        Body::Received { envelope: Some(meta), digest, .. } => {
            sign(meta, bytes);
            *digest = meta.digest;
        }
        Body::Receipted { peer, lane, position, .. } => {
            // The receipt says what its entry does.
            if let Ok(mut receipt) =
                minicbor::decode::<SignedReceipt>(bytes).map_err(drop).and_then(|it| it.read().map_err(drop))
            {
                (receipt.by, receipt.lane, receipt.position) = (*peer, *lane, *position);
                *bytes = encode(&receipt.sign(base::key()));
            }
        }
        Body::Consent { record, .. } => record.hash = Digest::of(bytes),
        Body::HandoverProposed(proposal) => proposal.offer = Digest::of(bytes),
        Body::OverrideRequested { note, .. } => *note = Digest::of(bytes),
        Body::AlertDrafted { digest, .. }
        | Body::ConsentEvent { digest, .. }
        | Body::Peer { change: PeerChange::Bundle { digest, .. }, .. }
        | Body::Rights(RightsEntry::CardMade { digest, .. } | RightsEntry::Taken { digest, .. }) => {
            *digest = Digest::of(bytes);
        }
        _ => {}
    }
    if object_named(body).is_none() {
        *object = None;
    }
}

/// The object of an envelope's entry may be the envelope, signed or not; it is signed anew.
fn sign(meta: &mut EnvelopeMeta, object: &mut Vec<u8>) {
    let envelope = SignedEnvelope::from_object(object).and_then(|signed| Envelope::parse(&signed.payload));
    if let Ok(envelope) = envelope.or_else(|_| Envelope::parse(object)) {
        let signed = envelope.sign(base::key());
        meta.digest = signed.digest();
        meta.origin = envelope.origin;
        *object = signed.to_object();
    }
    debug_assert!(!matches!(object_named(&Body::Issued(meta.clone())), Some(Named::Receipt)));
}

/// The row of one kind, by the first byte; written and read again it is the same.
pub(super) fn rows(bytes: &[u8]) {
    let Some((kind, row)) = bytes.split_first() else { return };
    if let Some(read) = ROWS.get(usize::from(*kind) % ROWS.len()) {
        read(row);
    }
}

fn row<T: Encode<()> + for<'b> Decode<'b, ()>>(bytes: &[u8]) {
    let row: T = match decode(bytes) {
        Ok(row) => row,
        Err(refusal) => return tells_nothing(&refusal),
    };
    let written = encode(&row);
    let again = decode::<T>(&written).map(|row| encode(&row));
    assert_eq!(again, Ok(written), "a row reads back");
}

/// Readers of rows, in the order of the seeds' first bytes.
const ROWS: [fn(&[u8]); 28] = [
    row::<HeadRow>,
    row::<AlertRow>,
    row::<AckRow>,
    row::<DraftRow>,
    row::<TombstoneRow>,
    row::<EnvelopeRow>,
    row::<ConsentRow>,
    row::<UseRow>,
    row::<CaseRow>,
    row::<HandoverRow>,
    row::<SafeguardRow>,
    row::<CaseAgeRow>,
    row::<GroupRow>,
    row::<ReadsRow>,
    row::<CardRow>,
    row::<RequestRow>,
    row::<KeepingRow>,
    row::<HoldRow>,
    row::<SuspensionRow>,
    row::<ReportRow>,
    row::<PeerRow>,
    row::<LaneOut>,
    row::<LaneItem>,
    row::<LaneIn>,
    row::<Entry>,
    residue,
    row::<EvidenceRow>,
    row::<CorrectionRow>,
];

fn residue(bytes: &[u8]) {
    match Residue::from_stored(bytes) {
        Ok(Some(residue)) => {
            assert_eq!(Residue::from_stored(&residue.to_stored()), Ok(Some(residue)), "a residue reads back");
        }
        Ok(None) => assert!(!Residue::is_stored(bytes)),
        Err(refusal) => tells_nothing(&refusal),
    }
}
