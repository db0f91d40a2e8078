//! The sending side of one lane: where it stands, and the next piece of it.

use std::collections::VecDeque;

use crate::{envelope::Lane, ids::Position, refusal::Refusal};

use super::Piece;

/// A shorter parcel is sent from its beginning: it may be that of an expired envelope, of 99 bytes, in the place of
/// one of which the peer holds a part.
const RESUMED_BYTES_MIN: usize = 128;

/// A parcel, ready to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Its bytes, its length before it.
    pub bytes: Vec<u8>,
    /// Whether it may be deflated beside others. What is about a person may not: how well it packs beside a text that
    /// somebody else chose would tell whoever counts the bytes on the line what is in it.
    pub public: bool,
}

/// Where parcels come from: the shell reads them from the store.
pub trait Parcels {
    /// The parcel at a position; `None` when it cannot be read
    /// now, which stops the lane until more is queued.
    ///
    /// # Errors
    /// When the store fails.
    fn parcel(&mut self, lane: Lane, position: Position) -> Result<Option<Written>, Refusal>;

    /// Whether the rest of a parcel that was begun may still be sent. If not, its place is begun anew with what
    /// [`Parcels::parcel`] then gives.
    ///
    /// # Errors
    /// When the store fails.
    fn may_go_on(&mut self, _lane: Lane, _position: Position) -> Result<bool, Refusal> {
        Ok(true)
    }
}

/// One lane of one session.
pub(super) struct Outgoing {
    lane: Lane,
    /// Last position that the peer has receipted.
    receipted: Position,
    /// Last position that waits or was sent.
    queued: Position,
    /// The parcel that is being sent, with what of it was sent, and those already read after it.
    next: Position,
    current: Written,
    offset: usize,
    /// Where the piece in which each sent parcel ended did so, in the session's bytes: a receipt for the parcel
    /// acknowledges those.
    ends: VecDeque<(Position, u64)>,
}

impl Outgoing {
    /// Goes on after `received`, within the parcel after it at `offset`.
    pub(super) fn new(lane: Lane, received: Position, offset: u64, queued: Position) -> Self {
        Self {
            lane,
            receipted: received,
            queued,
            next: received.next(),
            current: Written::default(),
            offset: usize::try_from(offset).unwrap_or(usize::MAX),
            ends: VecDeque::new(),
        }
    }

    /// The parcel that is next is sent from its beginning, whatever the peer holds of it.
    pub(super) fn begin_anew(&mut self) {
        self.offset = 0;
        self.current = Written::default();
    }

    /// The lane goes on after what was receipted; what waits there is told anew.
    pub(super) fn move_end(&mut self) {
        *self = Self::new(self.lane, self.receipted, 0, self.receipted);
    }

    /// More may wait now.
    pub(super) fn on_queued(&mut self, queued: Position) {
        self.queued = self.queued.max(queued);
    }

    /// Whether there is something to send.
    pub(super) fn has_more(&self) -> bool {
        self.next <= self.queued
    }

    /// Envelopes that the peer has not receipted.
    pub(super) fn backlog(&self) -> u64 {
        self.queued.0.saturating_sub(self.receipted.0)
    }

    /// The next piece, of at most `allowance` bytes, and whether all of it may be deflated.
    pub(super) fn take(&mut self, allowance: u64, parcels: &mut dyn Parcels) -> Result<Option<(Piece, bool)>, Refusal> {
        let allowance = usize::try_from(allowance).unwrap_or(usize::MAX);
        let mut piece: Option<(Piece, bool)> = None;
        let mut taken = 0;
        if !self.current.bytes.is_empty() && !parcels.may_go_on(self.lane, self.next)? {
            self.begin_anew();
        }
        while taken < allowance && self.has_more() {
            if self.current.bytes.is_empty() {
                match parcels.parcel(self.lane, self.next)? {
                    Some(written) => self.current = written,
                    None => break,
                }
                // A peer may hold a part of a parcel that has since expired or been erased, or claim to hold more
                // than there is; then it gets what there is now from its beginning.
                if self.offset > self.current.bytes.len() || self.current.bytes.len() < RESUMED_BYTES_MIN {
                    self.offset = 0;
                }
            }
            if piece.as_ref().is_some_and(|(_, public)| *public != self.current.public) {
                break;
            }
            let rest = &self.current.bytes[self.offset..];
            let part = &rest[..rest.len().min(allowance - taken)];
            let (piece, _) = piece.get_or_insert_with(|| {
                let (lane, position, offset) = (self.lane, self.next, self.offset as u64);
                (Piece { lane, position, offset, content: Vec::new(), deflated: false }, self.current.public)
            });
            piece.content.extend_from_slice(part);
            taken += part.len();
            self.offset += part.len();
            if self.offset == self.current.bytes.len() {
                self.ends.push_back((self.next, u64::MAX));
                self.next = self.next.next();
                self.current = Written::default();
                self.offset = 0;
            }
        }
        Ok(piece)
    }

    /// The last piece ended at `end` in the session's bytes. A parcel that ended in it was whole with all of the piece.
    pub(super) fn piece_ends(&mut self, end: u64) {
        for (_, open) in self.ends.iter_mut().rev().take_while(|(_, open)| *open == u64::MAX) {
            *open = end;
        }
    }

    /// The peer receipted up to `position`: how many of the session's bytes that acknowledges.
    pub(super) fn on_receipt(&mut self, position: Position) -> u64 {
        self.receipted = self.receipted.max(position);
        let mut end = 0;
        while self.ends.front().is_some_and(|(sent, _)| *sent <= position) {
            if let Some((_, at)) = self.ends.pop_front() {
                end = at;
            }
        }
        end
    }
}
