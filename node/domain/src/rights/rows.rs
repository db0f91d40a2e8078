//! Rows of the rights of a person: cards, requests, and who read what.

use minicbor::{Decode, Encode};

use super::{Outcome, ReadMark, RequestReason, SubjectRequest};
use crate::{
    ids::{EntryIndex, HandoverId},
    limits::{CHECK_LOCK_SECONDS, CHECK_WRONG_MAX},
    rows::Delivery,
    society::Society,
    time::Time,
};

/// A code on a card, and how often it came with a wrong answer. There is a row for a code that no card has, too: nobody
/// can tell the two apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct CardRow {
    /// The handover, and the entry whose object proves whose the card is.
    #[n(0)]
    pub made: Option<(HandoverId, EntryIndex)>,
    /// Wrong answers in a row.
    #[n(1)]
    pub wrong: u32,
    /// When the last of them came.
    #[n(2)]
    pub wrong_at: Time,
}

impl CardRow {
    /// Whether no answer is taken at `now`: too many wrong ones came.
    #[must_use]
    pub fn is_locked(&self, now: Time) -> bool {
        self.wrong >= CHECK_WRONG_MAX && !self.is_over(now)
    }

    /// Whether the wrong answers are so old that they count no more.
    #[must_use]
    pub fn is_over(&self, now: Time) -> bool {
        now.since(self.wrong_at).as_secs() >= CHECK_LOCK_SECONDS
    }
}

/// A request, at each Society that takes part in it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RequestRow {
    /// The entry whose object holds it first.
    #[n(0)]
    pub entry: EntryIndex,
    /// The request, without its note: that stands in the object alone.
    #[n(1)]
    pub request: SubjectRequest,
    /// The entry by which the answer was found right, where that was here.
    #[n(2)]
    pub opened: Option<EntryIndex>,
    /// Who holds something, and what became of the request there.
    #[n(3)]
    pub holders: Vec<RequestHolder>,
    /// Where the question to the Society of the card stands in its lane.
    #[n(4)]
    pub asked: Option<Delivery>,
    /// Entries whose objects say something of it: what they say beyond codes goes by a rule of retention, and they with it.
    #[n(5)]
    #[cbor(default)]
    pub said: Vec<EntryIndex>,
}

/// One holder of a request.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RequestHolder {
    /// Who.
    #[n(0)]
    pub society: Society,
    /// By which handover; absent for the Society of the card.
    #[n(1)]
    pub handover: Option<HandoverId>,
    /// Where the request to it stands in its lane.
    #[n(2)]
    pub told: Option<Delivery>,
    /// What became of it, when, and the entry that says so.
    #[n(3)]
    pub answer: Option<(Outcome, Time, EntryIndex)>,
    /// Why, when it is refused.
    #[n(4)]
    pub reason: Option<RequestReason>,
}

impl RequestRow {
    /// The holder, if it is known.
    #[must_use]
    pub fn holder(&self, society: Society, handover: Option<HandoverId>) -> Option<&RequestHolder> {
        self.holders.iter().find(|holder| holder.society == society && holder.handover == handover)
    }

    /// Whether all whose answer is waited for have answered.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        !self.holders.is_empty() && self.holders.iter().all(|holder| holder.answer.is_some())
    }

    /// When its last answer came; none while one is waited for.
    #[must_use]
    pub fn answered_at(&self) -> Option<Time> {
        self.holders
            .iter()
            .map(|holder| holder.answer.map(|(_, at, _)| at))
            .max()
            .filter(|_| self.is_answered())
            .flatten()
    }

    /// Whether it is late.
    #[must_use]
    pub fn is_late(&self, now: Time) -> bool {
        !self.is_answered() && now > self.request.due
    }
}

/// Who read the package of a handover here, the newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ReadsRow {
    /// The readings; the oldest of many are left to the journal.
    #[n(0)]
    pub reads: Vec<ReadMark>,
}
