//! Forgetting: objects of earlier entries are removed by an entry that says so. Redaction, withdrawal, erasure and
//! retention decide what is to go; this is how it goes.

use crate::{
    entry::{Body, FORGET_MAX, ForgetReason},
    fold::{Residue, content},
    ids::EntryIndex,
    refusal::Refusal,
};

use super::{Context, NewEntry};

/// The entries that remove the objects of `entries`. Those whose object is gone already, or that the node goes on
/// needing, are passed over; none left gives no entry.
///
/// # Errors
/// `store_failed`, or what is wrong with an object that cannot be read.
pub fn forget(
    context: &Context<'_>,
    entries: impl IntoIterator<Item = EntryIndex>,
    reason: ForgetReason,
) -> Result<Vec<NewEntry>, Refusal> {
    let mut residues = Vec::new();
    for index in entries {
        let (Some(entry), Some(object)) = (context.facts.entry(index)?, context.facts.object(index)?) else { continue };
        residues.extend(Residue::of(&content(&entry.body, &object)?).map(|residue| (index, residue)));
    }
    let entry = |residues: &[(EntryIndex, Residue)]| {
        let objects = residues.iter().map(|(index, residue)| (*index, residue.digest())).collect();
        NewEntry { residues: residues.to_vec(), ..NewEntry::bare(Body::Forgotten { reason, objects }) }
    };
    Ok(residues.chunks(FORGET_MAX).map(entry).collect())
}
