//! The sending end of a lane as it lies in the store: [`SLOTS`] envelopes together in one row, since there is one for
//! every envelope and they are written and settled in their order. Pure bytes, and how a [`View`] reads and puts them.
//!
//! ```text
//! block = slot ‖ slot ‖ …                under the position of the first, divided by SLOTS
//! slot  = length (one byte, 0: nobody) ‖ the canonical bytes of a `LaneItem`
//! ```

use passerelle_domain::{
    envelope::Lane,
    ids::Position,
    refusal::{Code, Refusal},
    rows::LaneItem,
    society::Society,
};

use super::{
    keys,
    view::{View, decode, encode},
};

/// Envelopes of one row: so many that rows are few, so few that a lone envelope does not rewrite much.
const SLOTS: u64 = 16;

/// The row of a position, and its slot there.
fn place(peer: Society, lane: Lane, position: Position) -> (keys::Key, usize) {
    // Less than SLOTS, whatever the width of a usize.
    (keys::lane_block(peer, lane, position.0 / SLOTS), (position.0 % SLOTS) as usize)
}

/// The slots of a block, those after the last used one left out.
fn slots(block: &[u8]) -> Result<Vec<&[u8]>, Refusal> {
    let (mut rest, mut slots) = (block, Vec::with_capacity(SLOTS as usize));
    while let Some((length, after)) = rest.split_first() {
        let (slot, after) = after.split_at_checked(usize::from(*length)).ok_or_else(damaged)?;
        slots.push(slot);
        rest = after;
    }
    if slots.len() as u64 > SLOTS { Err(damaged()) } else { Ok(slots) }
}

/// One slot of a block, without reading those after it.
fn slot(block: &[u8], at: usize) -> Result<&[u8], Refusal> {
    let mut rest = block;
    for _ in 0..at {
        let Some((length, after)) = rest.split_first() else { return Ok(&[]) };
        rest = after.get(usize::from(*length)..).ok_or_else(damaged)?;
    }
    let Some((length, after)) = rest.split_first() else { return Ok(&[]) };
    after.get(..usize::from(*length)).ok_or_else(damaged)
}

/// A block with `item` in one of its slots.
fn with(block: &[u8], at: usize, item: &[u8]) -> Result<Vec<u8>, Refusal> {
    let length = u8::try_from(item.len()).map_err(|_| damaged())?;
    let mut slots = slots(block)?;
    slots.resize(slots.len().max(at + 1), &[]);
    let mut written = Vec::with_capacity(block.len() + item.len() + 1);
    for (n, slot) in slots.into_iter().enumerate() {
        if n == at {
            written.push(length);
            written.extend_from_slice(item);
        } else {
            // It came from a length of one byte.
            written.push(slot.len() as u8);
            written.extend_from_slice(slot);
        }
    }
    Ok(written)
}

fn damaged() -> Refusal {
    Refusal::new(Code::StoreFailed, "a row of the store is damaged: it is no part of a lane")
}

impl View<'_> {
    /// Puts the item of a position into its row.
    ///
    /// # Errors
    /// `store_failed`.
    pub(super) fn put_lane_item(
        &mut self,
        peer: Society,
        lane: Lane,
        position: Position,
        item: &LaneItem,
    ) -> Result<(), Refusal> {
        let (key, at) = place(peer, lane, position);
        let block = self.with_row(&key, |block| with(block.unwrap_or_default(), at, &encode(item)))??;
        self.put(key, block);
        Ok(())
    }

    /// The item of a position.
    ///
    /// # Errors
    /// `store_failed`.
    pub(super) fn lane_item_at(
        &self,
        peer: Society,
        lane: Lane,
        position: Position,
    ) -> Result<Option<LaneItem>, Refusal> {
        let (key, at) = place(peer, lane, position);
        self.with_row(&key, |block| {
            let item = slot(block.unwrap_or_default(), at)?;
            if item.is_empty() { Ok(None) } else { decode(item).map(Some) }
        })?
    }

    /// The items from `first` to `last`, both included, in their order: reads the rows that there are.
    ///
    /// # Errors
    /// `store_failed`.
    pub(super) fn lane_items_in(
        &self,
        peer: Society,
        lane: Lane,
        first: Position,
        last: Position,
    ) -> Result<Vec<(Position, LaneItem)>, Refusal> {
        let mut items = Vec::new();
        if first > last {
            return Ok(items);
        }
        let (from, mut until) = (place(peer, lane, first).0, place(peer, lane, last).0);
        until.push(0);
        for key in self.keys_between(&from, &until)? {
            let block = key.last_chunk().map(|bytes| u64::from_be_bytes(*bytes)).ok_or_else(damaged)?;
            for at in (0..SLOTS).map(|at| Position(block.saturating_mul(SLOTS).saturating_add(at))) {
                if (first..=last).contains(&at)
                    && let Some(item) = self.lane_item_at(peer, lane, at)?
                {
                    items.push((at, item));
                }
            }
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use passerelle_domain::{digest::Digest, envelope::Kind, ids::EntryIndex};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_slot_holds_what_was_put_last(
            puts in proptest::collection::vec((0..SLOTS as usize, proptest::collection::vec(any::<u8>(), 1..80)), 1..60)
        ) {
            let (mut block, mut model) = (Vec::new(), vec![Vec::new(); SLOTS as usize]);
            for (at, item) in puts {
                block = with(&block, at, &item).expect("a block");
                model[at] = item;
                for (n, expected) in model.iter().enumerate() {
                    prop_assert_eq!(slot(&block, n).expect("a block"), expected.as_slice());
                }
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0..SLOTS as usize) {
            let _ = slot(&bytes, at);
            let _ = with(&bytes, at, &[1]);
        }
    }

    #[test]
    fn items_far_from_one_another_are_found_without_asking_for_every_place_between_them() {
        let store = crate::store::memory::MemoryStore::new();
        let mut view = View::of(&store);
        let (peer, other) = (society("ML"), society("GM"));
        let item = |n| LaneItem {
            entry: EntryIndex(n),
            hash: Digest([1; 32]),
            kind: Kind::Alert,
            ended: None,
            expires_at: None,
        };
        let places = [3, 4, 17, 1 << 40, u64::MAX];
        for (n, at) in (0..).zip(places) {
            view.put_lane_item(peer, Lane::Routine, Position(at), &item(n)).expect("it is put");
            view.put_lane_item(other, Lane::Routine, Position(at), &item(n)).expect("it is put");
            view.put_lane_item(peer, Lane::Bulk, Position(at + u64::from(at < 9)), &item(n)).expect("it is put");
        }
        for (first, last, expected) in [
            (0, u64::MAX, &places[..]),
            (4, 1 << 40, &places[1..4]),
            (5, 16, &[]),
            (5, 17, &places[2..3]),
            (17, 4, &[]),
            (u64::MAX, u64::MAX, &places[4..]),
        ] {
            let found = view.lane_items_in(peer, Lane::Routine, Position(first), Position(last)).expect("it is read");
            let found: Vec<_> = found.into_iter().map(|(at, _)| at.0).collect();
            assert_eq!(found, expected, "{first} to {last}");
        }
    }

    fn society(code: &str) -> Society {
        code.parse().expect("a code")
    }

    #[test]
    fn the_same_items_give_the_same_bytes_whatever_was_there_before() {
        let in_order = [(0, [1]), (1, [2]), (5, [3])];
        let build = |puts: &[(usize, [u8; 1])]| {
            puts.iter().fold(Vec::new(), |block, (at, item)| with(&block, *at, item).expect("a block"))
        };
        let detour = [(5, [9]), (0, [1]), (5, [3]), (1, [2])];
        assert_eq!(build(&in_order), build(&detour), "a rebuild must arrive at equal rows");
    }
}
