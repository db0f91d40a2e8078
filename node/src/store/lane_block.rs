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
}

#[cfg(test)]
mod tests {
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
    fn the_same_items_give_the_same_bytes_whatever_was_there_before() {
        let in_order = [(0, [1]), (1, [2]), (5, [3])];
        let build = |puts: &[(usize, [u8; 1])]| {
            puts.iter().fold(Vec::new(), |block, (at, item)| with(&block, *at, item).expect("a block"))
        };
        let detour = [(5, [9]), (0, [1]), (5, [3]), (1, [2])];
        assert_eq!(build(&in_order), build(&detour), "a rebuild must arrive at equal rows");
    }
}
