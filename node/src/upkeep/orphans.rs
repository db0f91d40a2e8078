//! What a crash left in the vault: files without an entry, keys without files.

use std::collections::HashSet;

use passerelle_domain::{
    consent::EvidenceRow,
    digest::Digest,
    entry::Body,
    facts::Facts as _,
    handover::Action,
    ids::{EntryIndex, HandoverId},
    refusal::Refusal,
    rights::CorrectionRow,
    rows::HandoverRow,
    society::Society,
};

use crate::{
    engine,
    packages::Packages,
    store::{
        Direction, keys,
        view::{decode, failed},
    },
};

/// Removes from the vault what the journal does not name. Not after a store was restored from an earlier state: then the
/// vault may hold what the journal has yet to learn of again. How many files and keys went.
///
/// # Errors
/// `store_failed`, `vault_failed`.
pub fn clean_vault(own: Society, engine: &engine::Handle, packages: &Packages) -> Result<usize, Refusal> {
    let view = engine.view();
    let born = match view.entry(EntryIndex(0))?.map(|entry| entry.body) {
        Some(Body::Genesis { epoch, .. }) => Some(epoch),
        _ => None,
    };
    if born.is_none() || view.head()?.map(|head| head.epoch) != born {
        return Ok(0);
    }
    let mut known: HashSet<Digest> = HashSet::new();
    let (from, until) = keys::all(b'h');
    for pair in engine.store().scan(&from, &until, Direction::Forward) {
        let (key, value) = pair.map_err(failed)?;
        let row: HandoverRow = decode(&value)?;
        known.extend(row.package.map(|package| package.commitment));
        known.extend(&row.earlier);
        let Some(id) = keys::id_bytes(&key).map(HandoverId::from_bytes) else { continue };
        if row.from != own || view.keeping(id)?.purged_at.is_some() {
            continue;
        }
        for event in row.history.iter().filter(|event| event.action == Action::Release) {
            if let Some(Body::Issued(meta)) = view.entry(event.entry)?.map(|entry| entry.body) {
                known.extend(meta.attachment.map(|attachment| attachment.digest));
            }
        }
    }
    let (from, until) = keys::all(b'O');
    for pair in engine.store().scan(&from, &until, Direction::Forward) {
        let row: EvidenceRow = decode(&pair.map_err(failed)?.1)?;
        if row.destroyed.is_none() {
            known.extend(row.pieces.iter().map(|piece| piece.place.commitment));
        }
    }
    let (from, until) = keys::all(b'Q');
    for pair in engine.store().scan(&from, &until, Direction::Forward) {
        let row: CorrectionRow = decode(&pair.map_err(failed)?.1)?;
        if row.destroyed.is_none() {
            known.extend(row.sent.into_iter().chain(row.kept.map(|place| place.commitment)));
        }
    }
    packages.clean(&|name| known.contains(name))
}
