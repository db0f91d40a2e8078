//! The receiving side of one lane: joins pieces into parcels, in their order, within bounds.

use crate::{
    envelope::Lane,
    ids::Position,
    parcel::{parcel_bytes_max, take_varint},
    refusal::{Code, Refusal},
};

use super::Piece;

/// A parcel that has arrived whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its lane.
    pub lane: Lane,
    /// Its place there.
    pub position: Position,
    /// Its bytes, without the length before it.
    pub parcel: Vec<u8>,
}

/// One lane of one session.
pub(super) struct Incoming {
    /// Last position that has arrived whole in this session or before it.
    whole: Position,
    /// Bytes of the parcel after that, its length included.
    partial: Vec<u8>,
}

impl Incoming {
    /// Goes on after the position that is durable, with what was left of the next parcel.
    pub(super) fn new(received: Position, partial: Vec<u8>) -> Self {
        Self { whole: received, partial }
    }

    /// Bytes held of the parcel that is not whole yet.
    pub(super) fn into_partial(self) -> (Position, Vec<u8>) {
        (self.whole, self.partial)
    }

    /// Takes a piece and returns the parcels that it completes. One that is refused leaves nothing: none of its parcels has
    /// arrived, and what was held of the first is dropped, since the session that goes on with it may be refused too.
    pub(super) fn take(&mut self, piece: Piece) -> Result<Vec<Arrival>, Refusal> {
        if piece.position == self.whole.next() && piece.offset == 0 {
            // It is begun anew, in the place of what was left of it.
            self.partial.clear();
        }
        if piece.position != self.whole.next() || piece.offset != self.partial.len() as u64 {
            return Err(Refusal::new(
                Code::BadPosition,
                format!(
                    "the {} lane goes on at {}+{}, not at {}+{}",
                    piece.lane,
                    self.whole.next(),
                    self.partial.len(),
                    piece.position,
                    piece.offset
                ),
            ));
        }
        self.partial.extend_from_slice(&piece.content);
        let arrivals = self.cut(piece.lane);
        if arrivals.is_err() {
            self.partial.clear();
        }
        arrivals
    }

    /// Cuts off the parcels that are whole.
    fn cut(&mut self, lane: Lane) -> Result<Vec<Arrival>, Refusal> {
        let mut arrivals = Vec::new();
        let (mut used, mut position) = (0, self.whole);
        while let Some((length, prefix)) = take_varint(&self.partial[used..])? {
            if length > parcel_bytes_max() {
                return Err(Refusal::new(Code::TooLarge, format!("a parcel has at most {} bytes", parcel_bytes_max())));
            }
            let begin = used + prefix;
            let end = begin + length as usize;
            let Some(parcel) = self.partial.get(begin..end) else { break };
            position = position.next();
            arrivals.push(Arrival { lane, position, parcel: parcel.to_vec() });
            used = end;
        }
        self.whole = position;
        self.partial.drain(..used);
        Ok(arrivals)
    }
}
