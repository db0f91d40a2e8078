//! Proving that a store is what its journal says: every hash joins, every object is the one its
//! entry names, every row is what the entries fold to. And making the rows anew from the entries.

use std::collections::BTreeSet;

use passerelle_domain::{
    digest::Digest,
    entry::Entry,
    fold,
    ids::EntryIndex,
    merkle::{Checkpoint, Frontier},
    refusal::Refusal,
    rows::HeadRow,
    signing::{PublicKey, Verifier},
    society::Society,
    time::Time,
};

use super::evidence::Evidence;
use crate::store::{
    Batch, Direction, Store, keys,
    view::{View, decode, failed},
};

/// The version of the fold and of the bytes of its rows. It rises with every change after which the same journal gives
/// other rows; views of another version are made anew at the start of the node.
pub const VIEWS_VERSION: u32 = 4;
/// Entries folded before they are written to the scratch store, and between two reports.
const STRIDE: u64 = 1_000;
/// How often rows that a running node changed meanwhile are looked at again.
const ROUNDS_MAX: usize = 20;
/// Faults told in words; the rest is counted.
const FAULTS_MAX: usize = 100;

/// How far a verification is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries checked so far.
    pub entries: u64,
    /// Entries that there are.
    pub total: u64,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries checked.
    pub entries: u64,
    /// Objects checked.
    pub objects: u64,
    /// Objects that retention or erasure removed.
    pub absent: u64,
    /// Rows compared.
    pub rows: u64,
    /// Whether the views were not compared, because they are to be made anew first.
    pub rebuild_due: bool,
    /// Root hash over the entries checked.
    pub root: Digest,
    /// What is wrong, one line each, the first hundred; empty means that all is well.
    pub faults: Vec<String>,
}

impl Report {
    fn fault(&mut self, text: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(text);
        }
    }
}

/// Verifies a store against its own journal. `scratch` is an empty store into which the journal is
/// folded on the side. The store may be in use: what changes meanwhile is looked at again.
///
/// # Errors
/// When one of the stores fails; what is wrong with the journal is no error but a fault.
pub fn verify(
    own: Society,
    store: &dyn Store,
    scratch: &dyn Store,
    keys_of_own: &[PublicKey],
    verifier: &dyn Verifier,
    mut progress: impl FnMut(Progress),
) -> Result<Report, Refusal> {
    let mut report = Report { rebuild_due: rebuild_due(store)?.is_some(), ..Report::default() };
    let mut walk = Walk::new(own, store, scratch, Some(Evidence::new(own, keys_of_own, verifier)));
    let mut suspects: Option<BTreeSet<Vec<u8>>> = None;
    for _ in 0..ROUNDS_MAX {
        let head = head_of(store)?;
        walk.advance(head.frontier.size(), &mut report, &mut progress)?;
        check_head(own, store, &walk, &head, keys_of_own, verifier, &mut report)?;
        let differing = match suspects.take() {
            _ if report.rebuild_due => BTreeSet::new(),
            None => compare_all(store, scratch, &mut report)?,
            Some(suspects) => compare_some(store, scratch, suspects)?,
        };
        let settled = differing.is_empty() || head_of(store)?.frontier.size() == head.frontier.size();
        suspects = Some(differing);
        if settled {
            break;
        }
    }
    for key in suspects.unwrap_or_default() {
        let letter = key.first().copied().map_or('?', char::from);
        report.fault(format!("a row of kind {letter} ({}) is not what the journal folds to", hex::encode(&key)));
    }
    for entry in walk.residues.unnamed() {
        report.fault(format!("the object of entry {entry} is gone, and no entry says so"));
    }
    report.entries = walk.next.0;
    report.root = walk.frontier.root();
    Ok(report)
}

/// Drops every view of the store and folds them again from the journal. Safe to interrupt: it is
/// begun again at the next start.
///
/// # Errors
/// When the store fails, or when the journal itself is damaged.
pub fn rebuild(own: Society, store: &dyn Store, mut progress: impl FnMut(Progress)) -> Result<u64, Refusal> {
    let mut mark = Batch::default();
    mark.put(keys::REBUILDING.to_vec(), vec![1]).map_err(failed)?;
    store.commit(mark).map_err(failed)?;
    for letter in keys::VIEWS.iter().copied() {
        drop_all(store, letter)?;
    }
    let head = head_of(store)?;
    let mut report = Report::default();
    let mut walk = Walk::new(own, store, store, None);
    walk.advance(head.frontier.size(), &mut report, &mut progress)?;
    let mut done = Batch::default();
    done.delete(keys::REBUILDING.to_vec()).map_err(failed)?;
    done.put(keys::VIEWS_MADE.to_vec(), VIEWS_VERSION.to_be_bytes()).map_err(failed)?;
    store.commit(done).map_err(failed)?;
    Ok(walk.next.0)
}

/// Why the views are to be made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// A rebuild was interrupted.
    Interrupted,
    /// Another release made them, by another fold.
    OtherVersion,
}

/// Whether the views are to be made anew, and why.
///
/// # Errors
/// When the store fails.
pub fn rebuild_due(store: &dyn Store) -> Result<Option<Due>, Refusal> {
    if store.get(keys::REBUILDING).map_err(failed)?.is_some() {
        return Ok(Some(Due::Interrupted));
    }
    let made = store.get(keys::VIEWS_MADE).map_err(failed)?;
    // A store without a journal has no views yet, and gets those of this release.
    let other = made.as_deref() != Some(&VIEWS_VERSION.to_be_bytes()) && View::of(store).head()?.is_some();
    Ok(other.then_some(Due::OtherVersion))
}

fn drop_all(store: &dyn Store, letter: u8) -> Result<(), Refusal> {
    let (from, until) = keys::all(letter);
    loop {
        let mut batch = Batch::default();
        let mut dropped = 0;
        for pair in store.scan(&from, &until, Direction::Forward).take(10_000) {
            let (key, _) = pair.map_err(failed)?;
            batch.delete(key.to_vec()).map_err(failed)?;
            dropped += 1;
        }
        if dropped == 0 {
            return Ok(());
        }
        store.commit(batch).map_err(failed)?;
    }
}

fn head_of(store: &dyn Store) -> Result<HeadRow, Refusal> {
    let bytes = store.get(keys::HEAD).map_err(failed)?;
    bytes.map_or_else(
        || Err(Refusal::new(passerelle_domain::refusal::Code::StoreFailed, "the store holds no journal")),
        |bytes| decode(&bytes),
    )
}

/// A walk along the journal that folds it into `scratch`.
struct Walk<'a> {
    /// Whose signatures are checked on the way, if they are.
    evidence: Option<Evidence<'a>>,
    own: Society,
    store: &'a dyn Store,
    /// The store's journal, of which the pack is kept along which the walk is.
    journal: View<'a>,
    scratch: &'a dyn Store,
    next: EntryIndex,
    previous: Digest,
    /// Time of the last entry.
    time: Time,
    frontier: Frontier,
    residues: fold::ResidueLedger,
}

impl<'a> Walk<'a> {
    fn new(own: Society, store: &'a dyn Store, scratch: &'a dyn Store, evidence: Option<Evidence<'a>>) -> Self {
        let (next, previous, frontier) = (EntryIndex(0), Digest::default(), Frontier::default());
        let (time, residues) = (Time::default(), fold::ResidueLedger::default());
        let journal = View::of(store);
        Self { evidence, own, store, journal, scratch, next, previous, time, frontier, residues }
    }

    fn advance(&mut self, total: u64, report: &mut Report, progress: &mut impl FnMut(Progress)) -> Result<(), Refusal> {
        while self.next.0 < total {
            let until = (self.next.0 + STRIDE).min(total);
            let mut view = View::beside(self.store, self.scratch);
            while self.next.0 < until {
                self.step(&mut view, report)?;
            }
            self.scratch.commit(view.into_batch().map_err(failed)?).map_err(failed)?;
            progress(Progress { entries: self.next.0, total });
        }
        Ok(())
    }

    fn step(&mut self, view: &mut View<'_>, report: &mut Report) -> Result<(), Refusal> {
        let index = self.next;
        self.next = EntryIndex(index.0 + 1);
        let Some(bytes) = self.journal.entry_bytes(index)? else {
            report.fault(format!("entry {index} is missing"));
            return Ok(());
        };
        let hash = Entry::hash_of(&bytes);
        self.frontier.append(hash);
        let entry = match Entry::from_bytes(&bytes) {
            Ok(entry) => entry,
            Err(refusal) => {
                report.fault(format!("entry {index} cannot be read: {refusal}"));
                self.previous = hash;
                return Ok(());
            }
        };
        if entry.index != index || entry.previous != self.previous {
            report.fault(format!("entry {index} does not join the one before it"));
        }
        self.previous = hash;
        self.time = entry.time;
        if let Err(refusal) = self.residues.named(&entry.body) {
            report.fault(format!("entry {index}: {refusal}"));
        }
        let named = fold::object_named(&entry.body);
        let object = self.journal.stored_object(index).unwrap_or_else(|refusal| {
            report.fault(format!("the object of entry {index}: {refusal}"));
            None
        });
        if named.is_none() && object.is_some() {
            report.fault(format!("entry {index} names no object, and one lies beside it"));
        }
        let content = match self.check_object(&entry, object.as_deref(), report) {
            Ok(content) => content,
            Err(refusal) => {
                report.fault(format!("the object of entry {index}: {refusal}"));
                None
            }
        };
        for row in fold::rows(self.own, view, &entry, content.as_ref())? {
            view.put_row(&row)?;
        }
        Ok(())
    }

    fn check_object(
        &mut self,
        entry: &Entry,
        object: Option<&[u8]>,
        report: &mut Report,
    ) -> Result<Option<fold::Content>, Refusal> {
        let Some(named) = fold::object_named(&entry.body) else { return Ok(None) };
        let Some(object) = object else {
            report.absent += 1;
            return Ok(None);
        };
        let content = fold::stored(&entry.body, named, object)?;
        if let fold::Content::Residue(residue) = &content {
            self.residues.met(entry.index, residue);
            report.absent += 1;
            return Ok(Some(content));
        }
        report.objects += 1;
        if let Some(evidence) = &mut self.evidence {
            evidence.check(&entry.body, object, &content)?;
        }
        Ok(Some(content))
    }
}

fn check_head(
    own: Society,
    store: &dyn Store,
    walk: &Walk<'_>,
    head: &HeadRow,
    keys_of_own: &[PublicKey],
    verifier: &dyn Verifier,
    report: &mut Report,
) -> Result<(), Refusal> {
    if head.frontier != walk.frontier || head.previous != walk.previous || head.time != walk.time {
        report.fault("the head of the store is not that of its entries".to_owned());
    }
    let note = store.get(keys::CHECKPOINT).map_err(failed)?.map(|bytes| bytes.to_vec()).unwrap_or_default();
    let note = String::from_utf8_lossy(&note).into_owned();
    match Checkpoint::open(&note, own, keys_of_own, verifier) {
        None => report.fault("the checkpoint is not signed by this node's key".to_owned()),
        // A running node may have signed a newer one already.
        Some(checkpoint) if checkpoint.size == walk.frontier.size() && checkpoint.root != walk.frontier.root() => {
            report.fault("the signed checkpoint is not that of the entries".to_owned());
        }
        Some(_) => {}
    }
    Ok(())
}

fn compare_all(store: &dyn Store, scratch: &dyn Store, report: &mut Report) -> Result<BTreeSet<Vec<u8>>, Refusal> {
    let mut differing = BTreeSet::new();
    for letter in keys::VIEWS.iter().copied() {
        let (from, until) = keys::all(letter);
        for pair in store.scan(&from, &until, Direction::Forward) {
            let (key, value) = pair.map_err(failed)?;
            report.rows += 1;
            if scratch.get(&key).map_err(failed)?.as_deref() != Some(&*value) {
                differing.insert(key.to_vec());
            }
        }
        for pair in scratch.scan(&from, &until, Direction::Forward) {
            let (key, _) = pair.map_err(failed)?;
            if store.get(&key).map_err(failed)?.is_none() {
                differing.insert(key.to_vec());
            }
        }
    }
    Ok(differing)
}

fn compare_some(store: &dyn Store, scratch: &dyn Store, keys: BTreeSet<Vec<u8>>) -> Result<BTreeSet<Vec<u8>>, Refusal> {
    let mut differing = BTreeSet::new();
    for key in keys {
        let (here, folded) = (store.get(&key).map_err(failed)?, scratch.get(&key).map_err(failed)?);
        if here.as_deref() != folded.as_deref() {
            differing.insert(key);
        }
    }
    Ok(differing)
}
