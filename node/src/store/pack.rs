//! Entries of the journal and their objects as they lie in the store: those of one commit together, as many as one
//! value takes. A row costs the engine memory for as long as it exists and a search when it is written, whatever its
//! size; entries are written once, in their order, and are read most often in that order. Pure bytes.
//!
//! ```text
//! pack = item ‖ item ‖ …                  under the index of the first
//! item = length of the entry (varint) ‖ entry ‖ object
//! object = 0: none  |  1: in rows of its own  |  2 + its length (varint) ‖ its bytes
//! ```
//! Varints are those of protobuf: seven bits a byte, least significant first.

use passerelle_domain::{
    limits::STORE_VALUE_BYTES_MAX,
    parcel::{put_varint, take_varint},
    refusal::{Code, Refusal},
};

/// Where the object of an entry lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Object {
    /// It has none.
    None,
    /// In rows of its own, for it is too large to lie here.
    Rows,
    /// Here.
    Here(Vec<u8>),
}

/// One entry, with its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) entry: Vec<u8>,
    pub(super) object: Object,
}

/// The same, read where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lying<'a> {
    pub(super) entry: &'a [u8],
    pub(super) object: LyingObject<'a>,
}

/// Where the object of an entry lies, read where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LyingObject<'a> {
    None,
    Rows,
    Here(&'a [u8]),
}

impl Item {
    /// Bytes that it takes of a pack.
    fn packed_len(&self) -> usize {
        let object = match &self.object {
            Object::None | Object::Rows => 1,
            Object::Here(bytes) => varint_len(bytes.len() + 2) + bytes.len(),
        };
        varint_len(self.entry.len()) + self.entry.len() + object
    }

    /// Whether it can lie in a pack, which then may be its own.
    pub(super) fn fits(&self) -> bool {
        self.packed_len() <= STORE_VALUE_BYTES_MAX
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.entry.len() as u64);
        out.extend_from_slice(&self.entry);
        match &self.object {
            Object::None => out.push(0),
            Object::Rows => out.push(1),
            Object::Here(bytes) => {
                put_varint(out, bytes.len() as u64 + 2);
                out.extend_from_slice(bytes);
            }
        }
    }
}

fn varint_len(value: usize) -> usize {
    (usize::BITS - value.leading_zeros()).div_ceil(7).max(1) as usize
}

/// Items that follow one another, in as few packs as hold them; each with the number of items before it.
pub(super) fn write(items: &[Item]) -> Vec<(usize, Vec<u8>)> {
    let mut packs = Vec::new();
    let mut begin = 0;
    while begin < items.len() {
        let (mut end, mut bytes) = (begin, 0);
        while let Some(item) = items.get(end)
            && (end == begin || bytes + item.packed_len() <= STORE_VALUE_BYTES_MAX)
        {
            bytes += item.packed_len();
            end += 1;
        }
        let mut pack = Vec::with_capacity(bytes);
        items[begin..end].iter().for_each(|item| item.put(&mut pack));
        packs.push((begin, pack));
        begin = end;
    }
    packs
}

/// The item that is `nth` in a pack; `None` beyond its end.
///
/// # Errors
/// `store_failed` when the bytes are no pack.
pub(super) fn nth(pack: &[u8], nth: u64) -> Result<Option<Lying<'_>>, Refusal> {
    let mut items = Items(pack);
    for _ in 0..nth {
        if items.take()?.is_none() {
            return Ok(None);
        }
    }
    items.take()
}

/// Every item of a pack.
///
/// # Errors
/// `store_failed` when the bytes are no pack.
pub(super) fn read(pack: &[u8]) -> Result<Vec<Item>, Refusal> {
    let mut items = Items(pack);
    let mut read = Vec::new();
    while let Some(Lying { entry, object }) = items.take()? {
        let object = match object {
            LyingObject::None => Object::None,
            LyingObject::Rows => Object::Rows,
            LyingObject::Here(bytes) => Object::Here(bytes.to_vec()),
        };
        read.push(Item { entry: entry.to_vec(), object });
    }
    Ok(read)
}

/// What is left to read of a pack.
struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    fn take(&mut self) -> Result<Option<Lying<'a>>, Refusal> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let length = self.varint()?;
        let entry = self.bytes(length)?;
        let object = match self.varint()? {
            0 => LyingObject::None,
            1 => LyingObject::Rows,
            more => LyingObject::Here(self.bytes(more - 2)?),
        };
        Ok(Some(Lying { entry, object }))
    }

    fn varint(&mut self) -> Result<u64, Refusal> {
        let (value, taken) = take_varint(self.0).ok().flatten().ok_or_else(damaged)?;
        self.0 = self.0.get(taken..).ok_or_else(damaged)?;
        Ok(value)
    }

    fn bytes(&mut self, length: u64) -> Result<&'a [u8], Refusal> {
        let length = usize::try_from(length).map_err(|_| damaged())?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(taken)
    }
}

fn damaged() -> Refusal {
    Refusal::new(Code::StoreFailed, "a row of the store is damaged: it is no pack of entries")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn items() -> impl Strategy<Value = Vec<Item>> {
        let bytes = |max| proptest::collection::vec(any::<u8>(), 0..max);
        let object = prop_oneof![Just(Object::None), Just(Object::Rows), bytes(4_000).prop_map(Object::Here)];
        proptest::collection::vec((bytes(600), object).prop_map(|(entry, object)| Item { entry, object }), 1..40)
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back_in_its_order(items in items()) {
            let packs = write(&items);
            let mut back = Vec::new();
            for (before, pack) in &packs {
                prop_assert!(pack.len() <= STORE_VALUE_BYTES_MAX);
                prop_assert_eq!(*before, back.len());
                for (n, item) in read(pack).expect("a pack").into_iter().enumerate() {
                    let lying = nth(pack, n as u64).expect("a pack").expect("there");
                    prop_assert_eq!(lying.entry, item.entry.as_slice());
                    back.push(item);
                }
                prop_assert_eq!(nth(pack, read(pack).expect("a pack").len() as u64), Ok(None));
            }
            prop_assert_eq!(back, items);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_u64..9) {
            let _ = read(&bytes);
            let _ = nth(&bytes, at);
        }
    }

    #[test]
    fn an_item_of_exactly_one_value_fits_and_one_more_byte_does_not() {
        let of = |bytes| Item { entry: vec![7; 100], object: Object::Here(vec![1; bytes]) };
        // One byte for the length of the entry, two for that of the object.
        let most = STORE_VALUE_BYTES_MAX - 100 - 1 - 2;
        assert!(of(most).fits());
        assert!(!of(most + 1).fits());
        assert_eq!(write(&[of(most)])[0].1.len(), STORE_VALUE_BYTES_MAX);
        assert_eq!(write(&[of(10), of(most), of(10)]).len(), 3);
    }
}
