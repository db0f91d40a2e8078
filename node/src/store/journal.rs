//! The journal within a [`View`]: entries and their objects, read from the packs in which they lie, and put together
//! with others of the same batch. Touches the rows of the store alone.

use std::collections::BTreeMap;

use passerelle_domain::{
    ids::EntryIndex,
    limits::STORE_VALUE_BYTES_MAX,
    refusal::{Code, Refusal},
};

use super::{
    Direction, Store, keys,
    pack::{self, Item, LyingObject, Object},
    view::{View, failed},
};

/// What a batch adds to the journal, and the pack that was read last: most readers go along the journal.
#[derive(Default)]
pub(super) struct Journal {
    /// Entries of the batch.
    added: BTreeMap<EntryIndex, Item>,
    last_read: parking_lot::Mutex<Option<Pack>>,
}

/// A pack of the store.
#[derive(Clone)]
struct Pack {
    first: EntryIndex,
    bytes: Vec<u8>,
}

impl Journal {
    pub(super) fn is_empty(&self) -> bool {
        self.added.is_empty()
    }

    /// The packs of what was added: key and value.
    pub(super) fn into_packs(self) -> impl Iterator<Item = (keys::Key, Vec<u8>)> {
        // Indices follow one another in a batch; where they did not, a new pack would begin.
        let mut runs: Vec<(EntryIndex, Vec<Item>)> = Vec::new();
        for (index, item) in self.added {
            match runs.last_mut() {
                Some((first, items)) if first.0 + items.len() as u64 == index.0 => items.push(item),
                _ => runs.push((index, vec![item])),
            }
        }
        runs.into_iter().flat_map(|(first, items)| {
            let packs = pack::write(&items).into_iter();
            packs.map(move |(before, bytes)| (keys::pack(EntryIndex(first.0 + before as u64)), bytes))
        })
    }
}

/// What is to be known of one entry's place.
enum Place {
    Nowhere,
    Rows,
    Here(Vec<u8>),
}

impl View<'_> {
    /// Puts the bytes of an entry, and its object where it has one.
    pub fn put_entry(&mut self, index: EntryIndex, entry: Vec<u8>, object: Option<Vec<u8>>) {
        let mut item = Item { entry, object: object.map_or(Object::None, Object::Here) };
        if !item.fits()
            && let Object::Here(object) = std::mem::replace(&mut item.object, Object::Rows)
        {
            self.put_chunks(index, &object);
        }
        self.journal_mut().added.insert(index, item);
    }

    fn put_chunks(&mut self, index: EntryIndex, object: &[u8]) {
        for (chunk, part) in (0..).zip(object.chunks(STORE_VALUE_BYTES_MAX)) {
            self.put(keys::object(index, chunk), part.to_vec());
        }
    }

    /// Puts a residue in the place of an entry's object, wherever that lies.
    ///
    /// # Errors
    /// `store_failed`.
    pub fn replace_object(&mut self, index: EntryIndex, residue: &[u8]) -> Result<(), Refusal> {
        let mut chunk = 0;
        while self.journal_bytes(&keys::object(index, chunk))?.is_some() {
            self.remove(keys::object(index, chunk));
            chunk += 1;
        }
        if let Some(Item { entry, .. }) = self.journal_mut().added.remove(&index) {
            self.put_entry(index, entry, Some(residue.to_vec()));
            return Ok(());
        }
        let Some(Pack { first, bytes }) = self.pack_of(index)? else { return Ok(()) };
        let mut items = pack::read(&bytes)?;
        let at = usize::try_from(index.0 - first.0).unwrap_or(usize::MAX);
        let Some(item) = items.get_mut(at) else { return Ok(()) };
        item.object = Object::Here(residue.to_vec());
        let mut packs = pack::write(&items);
        if packs.len() > 1 {
            // What is left of an object may be larger than the object was.
            if let Some(item) = items.get_mut(at) {
                item.object = Object::Rows;
            }
            self.put_chunks(index, residue);
            packs = pack::write(&items);
        }
        for (before, bytes) in packs {
            self.put(keys::pack(EntryIndex(first.0 + before as u64)), bytes);
        }
        self.journal_mut().last_read = parking_lot::Mutex::default();
        Ok(())
    }

    /// The bytes of an entry, as they are hashed.
    ///
    /// # Errors
    /// `store_failed`.
    pub fn entry_bytes(&self, index: EntryIndex) -> Result<Option<Vec<u8>>, Refusal> {
        if let Some(item) = self.journal().added.get(&index) {
            return Ok(Some(item.entry.clone()));
        }
        self.in_pack(index, |item| item.entry.to_vec())
    }

    /// What stands in the place of an entry's object: the object, or what is left of it.
    ///
    /// # Errors
    /// `store_failed`.
    pub fn stored_object(&self, index: EntryIndex) -> Result<Option<Vec<u8>>, Refusal> {
        let place = match self.journal().added.get(&index).map(|item| &item.object) {
            Some(Object::None) => Place::Nowhere,
            Some(Object::Rows) => Place::Rows,
            Some(Object::Here(bytes)) => Place::Here(bytes.clone()),
            None => {
                let found = self.in_pack(index, |item| match item.object {
                    LyingObject::None => Place::Nowhere,
                    LyingObject::Rows => Place::Rows,
                    LyingObject::Here(bytes) => Place::Here(bytes.to_vec()),
                })?;
                found.unwrap_or(Place::Nowhere)
            }
        };
        match place {
            Place::Nowhere => Ok(None),
            Place::Here(object) => Ok(Some(object)),
            Place::Rows => Ok(Some(self.object_in_rows(index)?)),
        }
    }

    fn object_in_rows(&self, index: EntryIndex) -> Result<Vec<u8>, Refusal> {
        let gone = || Refusal::new(Code::StoreFailed, format!("the rows of the object of entry {index} are gone"));
        let mut object = self.journal_bytes(&keys::object(index, 0))?.ok_or_else(gone)?;
        let mut chunk = 1;
        // Only a full chunk can have another after it.
        while object.len() == STORE_VALUE_BYTES_MAX * chunk as usize {
            match self.journal_bytes(&keys::object(index, chunk))? {
                Some(part) => object.extend_from_slice(&part),
                None => break,
            }
            chunk += 1;
        }
        Ok(object)
    }

    /// Reads an item where it lies in the store, or in a pack that this batch has written anew.
    fn in_pack<T>(&self, index: EntryIndex, read: impl Fn(pack::Lying<'_>) -> T) -> Result<Option<T>, Refusal> {
        {
            let last = self.journal().last_read.lock();
            if let Some(Pack { first, bytes }) = last.as_ref().filter(|pack| pack.first <= index)
                && let Some(item) = pack::nth(bytes, index.0 - first.0)?
            {
                return Ok(Some(read(item)));
            }
        }
        let Some(found) = self.pack_of(index)? else { return Ok(None) };
        let item = pack::nth(&found.bytes, index.0 - found.first.0)?.map(read);
        *self.journal().last_read.lock() = Some(found);
        Ok(item)
    }

    /// The pack that would hold an entry.
    fn pack_of(&self, index: EntryIndex) -> Result<Option<Pack>, Refusal> {
        let (from, until) = (keys::pack(EntryIndex(0)), keys::pack(EntryIndex(index.0.saturating_add(1))));
        let Some(row) = self.journal_store().scan(&from, &until, Direction::Backward).next() else { return Ok(None) };
        let (key, bytes) = row.map_err(failed)?;
        let Some(first) = keys::pack_first(&key) else { return Ok(None) };
        // What stands in the store may be replaced by this batch, under the same key.
        let bytes = self.overlaid(&key).flatten().map_or(bytes, <[u8]>::to_vec);
        Ok(Some(Pack { first, bytes }))
    }
}

/// Entries that follow one another: the index of the first, and the bytes of each.
pub type Run = (EntryIndex, Vec<Vec<u8>>);

/// The entries that lie in a row, for whoever looks at rows rather than through a view. `None` when the row holds no entries.
///
/// # Errors
/// `store_failed` when the row is damaged.
pub fn entries_of(key: &[u8], value: &[u8]) -> Result<Option<Run>, Refusal> {
    let Some(first) = keys::pack_first(key) else { return Ok(None) };
    Ok(Some((first, pack::read(value)?.into_iter().map(|item| item.entry).collect())))
}

/// Whether a store holds any entry.
///
/// # Errors
/// `store_failed`.
pub fn has_entries(store: &dyn Store) -> Result<bool, Refusal> {
    let (from, until) = keys::packs();
    store.scan(&from, &until, Direction::Forward).next().transpose().map(|row| row.is_some()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;

    /// The bytes of an entry, and an object of `bytes`, by which it is known.
    fn entry(index: u64) -> Vec<u8> {
        vec![index as u8; 200]
    }

    fn object(index: u64, bytes: usize) -> Vec<u8> {
        vec![!(index as u8); bytes]
    }

    /// Object sizes of the entries of a commit: small ones, none, one that fills a value, and one of many chunks.
    const SIZES: [Option<usize>; 8] = [
        Some(1_100),
        None,
        Some(3_000),
        Some(STORE_VALUE_BYTES_MAX - 203),
        Some(STORE_VALUE_BYTES_MAX),
        Some(60_000),
        Some(0),
        Some(900),
    ];

    fn commit(store: &MemoryStore, from: u64) {
        let mut view = View::of(store);
        for (index, size) in (from..).zip(SIZES) {
            view.put_entry(EntryIndex(index), entry(index), size.map(|size| object(index, size)));
        }
        check(&view, from);
        assert!(view.is_dirty());
        store.commit(view.into_batch().expect("within the bounds")).expect("stored");
    }

    fn check(view: &View<'_>, from: u64) {
        for (index, size) in (from..).zip(SIZES) {
            assert_eq!(view.entry_bytes(EntryIndex(index)).expect("read"), Some(entry(index)), "{index}");
            let expected = size.map(|size| object(index, size));
            assert_eq!(view.stored_object(EntryIndex(index)).expect("read"), expected, "{index}");
        }
    }

    #[test]
    fn what_was_put_is_read_before_and_after_its_commit_in_any_order() {
        let store = MemoryStore::new();
        assert!(!has_entries(&store).expect("read"));
        for from in [0, 8, 16] {
            commit(&store, from);
        }
        assert!(has_entries(&store).expect("read"));
        for from in [16, 0, 8] {
            check(&View::of(&store), from);
        }
        let view = View::of(&store);
        for index in [23, 0, 22, 1, 11, 3, 12] {
            assert_eq!(view.entry_bytes(EntryIndex(index)).expect("read"), Some(entry(index)));
        }
        assert_eq!(view.entry_bytes(EntryIndex(24)).expect("read"), None, "beyond the last pack");
        assert_eq!(view.stored_object(EntryIndex(99)).expect("read"), None);
    }

    #[test]
    fn a_residue_takes_the_place_of_any_object_and_nothing_else_changes() {
        for (at, size) in SIZES.iter().enumerate().filter_map(|(at, size)| size.map(|size| (at as u64, size))) {
            // Of an object of a few bytes more may be left than it had.
            for left in [10, STORE_VALUE_BYTES_MAX - 100] {
                let store = MemoryStore::new();
                commit(&store, 0);
                commit(&store, 8);
                let residue = vec![0xee; left];
                let mut view = View::of(&store);
                view.replace_object(EntryIndex(8 + at), &residue).expect("replaced");
                view.replace_object(EntryIndex(8 + at), &residue).expect("again, in the same batch");
                assert_eq!(view.stored_object(EntryIndex(8 + at)).expect("read").as_deref(), Some(&residue[..]));
                store.commit(view.into_batch().expect("within the bounds")).expect("stored");
                let view = View::of(&store);
                for index in 0..16 {
                    let expected = match SIZES[index as usize % 8] {
                        _ if index == 8 + at => Some(residue.clone()),
                        size => size.map(|size| object(index, size)),
                    };
                    assert_eq!(view.stored_object(EntryIndex(index)).expect("read"), expected, "{size}: {index}");
                    assert_eq!(view.entry_bytes(EntryIndex(index)).expect("read"), Some(entry(index)));
                }
                let gone = object(8 + at, size.max(1));
                let all = store.scan(&[0], &[0xff], Direction::Forward).map(|row| row.expect("readable").1);
                let copies =
                    all.filter(|value| size > 100 && value.windows(size.min(100)).any(|w| w == &gone[..size.min(100)]));
                assert_eq!(copies.count(), 0, "{size}: nothing of the object is left in any row");
            }
        }
    }

    #[test]
    fn two_objects_of_one_pack_are_replaced_in_one_batch() {
        let store = MemoryStore::new();
        commit(&store, 0);
        let mut view = View::of(&store);
        for index in [2, 0] {
            view.replace_object(EntryIndex(index), &[0xee; 20]).expect("replaced");
        }
        store.commit(view.into_batch().expect("within the bounds")).expect("stored");
        let view = View::of(&store);
        for index in [0, 2] {
            assert_eq!(view.stored_object(EntryIndex(index)).expect("read").as_deref(), Some(&[0xee; 20][..]));
        }
        assert_eq!(view.stored_object(EntryIndex(7)).expect("read"), Some(object(7, 900)));
    }
}
