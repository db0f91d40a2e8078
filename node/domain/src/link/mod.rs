//! The exchange protocol of a pair of nodes, and its scheduling, as a synchronous library: what to
//! send next, what an arriving frame means, when a link is dead, when to dial again. The shell
//! carries the frames, keeps the time and owns the store.

mod backoff;
mod deflate;
mod incoming;
mod outgoing;
mod pace;
mod reading;
mod receipt_pace;
mod session;

pub use backoff::{Backoff, Waiting};
pub use outgoing::{Parcels, Written};
pub use reading::{Answer, Part};
pub use receipt_pace::ReceiptPace;
pub use session::{Alarm, Arrival, Event, LocalLane, Session};

use crate::{
    digest::Digest,
    envelope::Lane,
    handover::Question,
    ids::{Epoch, Position},
    receipt::{BriefReceipt, SignedReceipt},
    refusal::Code,
    society::Society,
    time::Time,
};

/// The oldest version of the protocol that this node speaks.
pub const PROTOCOL_MIN: u32 = 1;
/// The newest version of the protocol that this node speaks.
pub const PROTOCOL_MAX: u32 = 1;

/// What travels on the stream, once it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The first frame of each side.
    Hello(Hello),
    /// A part of a lane.
    Parcels(Piece),
    /// A signed receipt.
    Receipt(SignedReceipt),
    /// The same in brief.
    BriefReceipt(BriefReceipt),
    /// Asks the origin of a package for a reading of it.
    Question(Question),
    /// A part of the answer.
    Answer(Answer),
    /// Bytes of parcels and of answers that have arrived in this session, receipted or not.
    Progress(u64),
    /// Asks for a pong.
    Ping(u64),
    /// Answers a ping with the same token and the sender's clock.
    Pong(u64, Time),
    /// Ends the session, with a reason unless it is an orderly shutdown.
    Goodbye(Option<Code>),
}

/// How the sender of a Hello stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Versions spoken, from and to.
    pub protocol: (u32, u32),
    /// The Society that it speaks for.
    pub society: Society,
    /// The life that its store is in.
    pub epoch: Epoch,
    /// Its lanes, urgent first.
    pub lanes: [LanePositions; 3],
    /// Its clock.
    pub clock: Time,
    /// Version of its own bundle.
    pub bundle_version: u64,
    /// Whether it reads deflated pieces.
    pub deflate: bool,
    /// Whether it reads brief receipts.
    pub brief_receipts: bool,
    /// Whether it answers readings of what it holds as their origin.
    pub readings: bool,
}

/// How one lane stands at the sender of a Hello.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LanePositions {
    /// Last position that it gave to an envelope for the other side.
    pub queued: Position,
    /// Last position that it received, durably.
    pub received: Position,
    /// Running hash there.
    pub received_hash: Digest,
    /// Bytes that it holds of the parcel after that.
    pub partial_bytes: u64,
}

/// Consecutive bytes of one lane: whole parcels with their lengths, the last one perhaps cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The lane.
    pub lane: Lane,
    /// Position of the parcel in which the piece begins.
    pub position: Position,
    /// Where in that parcel's bytes it begins.
    pub offset: u64,
    /// The bytes.
    pub content: Vec<u8>,
    /// Whether the bytes are the next part of the session's DEFLATE stream in this direction.
    pub deflated: bool,
}

/// The place of a lane in arrays of three, urgent first.
#[must_use]
pub(crate) fn slot(lane: Lane) -> usize {
    match lane {
        Lane::Urgent => 0,
        Lane::Routine => 1,
        Lane::Bulk => 2,
    }
}
