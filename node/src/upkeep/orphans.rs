//! What a crash left in the vault: files without an entry, keys without files.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use passerelle_domain::{
    consent::EvidenceRow,
    digest::Digest,
    entry::{Body, Entry},
    facts::Facts as _,
    handover::Action,
    ids::{CaseId, EntryIndex, HandoverId},
    refusal::Refusal,
    rights::CorrectionRow,
    rows::HandoverRow,
    society::Society,
    time::Time,
};

use crate::{
    engine,
    packages::Packages,
    store::{
        Direction, keys,
        view::{decode, failed},
    },
    vault::Belonging,
};

/// How long a restored node keeps what its journal does not name: its peers send again what came after the export, and
/// until then nobody can tell it from what a crash left.
const LEARNING: Duration = Duration::from_secs(30 * 86_400);

/// What a look through the vault at the start did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Files and keys that went.
    pub removed: usize,
    /// Whether the vault belongs to another journal, and so nothing was touched.
    pub of_another: bool,
}

/// Removes from the vault what the journal does not name, if it is this journal's vault: one that stands beside a store
/// that was made anew, or is missing, is left as it is, and the log says what to do. For some time after a store was
/// restored from an export the vault may hold what the journal has yet to learn of again: then only what was purged since
/// goes.
///
/// # Errors
/// `store_failed`, `vault_failed`.
pub fn clean_vault(own: Society, engine: &engine::Handle, packages: &Packages, now: Time) -> Result<Cleaned, Refusal> {
    let view = engine.view();
    let (Some(first), Some(head)) = (view.entry_bytes(EntryIndex(0))?, view.head()?) else {
        return Ok(Cleaned::default());
    };
    let Body::Genesis { epoch: born, .. } = decode::<Entry>(&first)?.body else { return Ok(Cleaned::default()) };
    let Named { files, purged } = named(own, engine)?;
    let known = |name: &Digest| files.contains(name);
    let first = Entry::hash_of(&first);
    let ours = match packages.belonging(first)? {
        Belonging::This => true,
        Belonging::Another => false,
        // Of a release that wrote no marker: a journal that names what is there is the right one.
        Belonging::Unsaid => packages.adopt_if(first, &known)?,
    };
    if !ours {
        tracing::error!(
            "the vault belongs to another journal than the store and is left as it is: stop the node and put the store \
             or an export of it back; only if that journal is lost for good, move the vault folder away"
        );
        return Ok(Cleaned { removed: 0, of_another: true });
    }
    let began = head.epoch.began_at();
    let learning = head.epoch != born && now.since(began) < LEARNING;
    let among = learning.then(|| {
        let spent = purged.into_iter().filter(|(_, at)| at.is_some_and(|at| at >= began));
        spent.map(|(case, _)| case).collect::<HashSet<_>>()
    });
    let removed = packages.clean(among.as_ref(), &known)?;
    if removed > 0 {
        tracing::warn!(removed, "what was left in the vault without an entry was removed");
    }
    Ok(Cleaned { removed, of_another: false })
}

/// What the journal says of the vault.
struct Named {
    /// The names of all files that should be there.
    files: HashSet<Digest>,
    /// Cases of handovers: when the last of them was purged, where all were.
    purged: BTreeMap<CaseId, Option<Time>>,
}

fn named(own: Society, engine: &engine::Handle) -> Result<Named, Refusal> {
    let view = engine.view();
    let mut purged: BTreeMap<CaseId, Option<Time>> = BTreeMap::new();
    let mut known: HashSet<Digest> = HashSet::new();
    let (from, until) = keys::all(b'h');
    for pair in engine.store().scan(&from, &until, Direction::Forward) {
        let (key, value) = pair.map_err(failed)?;
        let row: HandoverRow = decode(&value)?;
        known.extend(row.package.map(|package| package.commitment));
        known.extend(&row.earlier);
        let Some(id) = keys::id_bytes(&key).map(HandoverId::from_bytes) else { continue };
        let purged_at = view.keeping(id)?.purged_at;
        if let Some(case) = row.case {
            let last = purged.entry(case).or_insert(purged_at);
            *last = last.zip(purged_at).map(|(last, at)| last.max(at));
        }
        if row.from != own || purged_at.is_some() {
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
    Ok(Named { files: known, purged })
}
