//! Rows of withdrawals: what rests on a consent record and what of it was taken back, and what belongs to a case.

use minicbor::{Decode, Encode};

use super::Delivery;
use crate::{
    catalogue::{DataCategory, Purpose},
    consent::{ConsentEvent, Recipient, Scope},
    digest::Digest,
    entry::Owed,
    ids::{ConsentId, EntryIndex, HandoverId, RequestId},
    society::Society,
    time::Time,
    withdrawal::Kept,
};

/// What rests on a consent record, and what of it was taken back. Known by the record's id, also where the
/// record itself is not: then it is a tombstone, and nothing that comes under that id is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct UseRow {
    /// What happened to it since it was made, in the order of this node's journal.
    #[n(0)]
    pub events: Vec<KnownEvent>,
    /// Whether the whole of it was taken back.
    #[n(1)]
    pub whole: bool,
    /// All parts of it that were taken back.
    #[n(2)]
    pub withdrawn: Scope,
    /// The handovers that rest on it.
    #[n(3)]
    pub resting: Vec<Resting>,
}

/// An event of a consent record that this node knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct KnownEvent {
    /// Entry whose object holds it.
    #[n(0)]
    pub entry: EntryIndex,
    /// SHA-256 of the event.
    #[n(1)]
    pub digest: Digest,
    /// Who told it: our own Society, or a peer.
    #[n(2)]
    pub by: Society,
    /// Whether whoever told it was seen to have a part in it. If not, it counts only against what comes from them.
    #[n(3)]
    pub proven: bool,
    /// Whether it takes back the whole.
    #[n(4)]
    pub whole: bool,
}

/// A handover that rests on a consent record, and how far its other end is with a withdrawal.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Resting {
    /// The handover.
    #[n(0)]
    pub handover: HandoverId,
    /// The Society at its other end.
    #[n(1)]
    pub other: Society,
    /// The Society that receives.
    #[n(2)]
    pub to: Society,
    /// The purposes of all services that were offered.
    #[n(3)]
    pub purposes: Vec<Purpose>,
    /// The categories of data that these may use.
    #[n(4)]
    pub categories: Vec<DataCategory>,
    /// The entry by which it was stopped.
    #[n(5)]
    pub stopped: Option<EntryIndex>,
    /// Where our newest notice of a withdrawal stands.
    #[n(6)]
    pub notice: Option<Delivery>,
    /// When that was written.
    #[n(7)]
    pub told_at: Option<Time>,
    /// When the other end said that it has stopped, or told us of the withdrawal itself.
    #[n(8)]
    pub answered_at: Option<Time>,
    /// To whom the other end had passed it on.
    #[n(9)]
    pub onward: Vec<Society>,
    /// When the other end said that it has erased.
    #[n(10)]
    pub erased_at: Option<Time>,
    /// What it kept, and why.
    #[n(11)]
    pub kept: Vec<Kept>,
}

impl UseRow {
    /// The handover, if it rests on this record.
    #[must_use]
    pub fn of(&self, handover: HandoverId) -> Option<&Resting> {
        self.resting.iter().find(|resting| resting.handover == handover)
    }

    /// Whether an event is known that says as much, told by somebody with a part in it.
    #[must_use]
    pub fn knows(&self, event: &ConsentEvent) -> bool {
        let digest = event.digest();
        self.whole && event.is_whole() || self.events.iter().any(|known| known.proven && known.digest == digest)
    }

    /// Whether what is known to be taken back stops a handover.
    #[must_use]
    pub fn stops(&self, resting: &Resting) -> bool {
        self.whole || resting.is_touched_by(&self.withdrawn)
    }
}

impl Resting {
    /// Whether a part that is taken back stops the handover: one of its purposes, a category of data that one of its
    /// services may use, or its recipient. Both ends know the same of it and so come to the same answer.
    #[must_use]
    pub fn is_touched_by(&self, scope: &Scope) -> bool {
        let purpose = |taken: &Purpose| self.purposes.iter().any(|own| taken.covers(*own) || own.covers(*taken));
        scope.purposes.iter().any(purpose)
            || scope.recipients.contains(&Recipient::Society(self.to))
            || scope.categories.iter().any(|category| self.categories.contains(category))
    }
}

/// A local case: what belongs to it, and whether it is erased. Once erased it is a tombstone for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct CaseRow {
    /// Its handovers.
    #[n(0)]
    pub handovers: Vec<HandoverId>,
    /// Its consent records.
    #[n(1)]
    pub consents: Vec<ConsentId>,
    /// Who is to be told of its erasure.
    #[n(2)]
    pub owed: Vec<Owed>,
    /// The entry by which it is to be erased.
    #[n(3)]
    pub due: Option<EntryIndex>,
    /// The entry by which it is kept meanwhile.
    #[n(4)]
    pub held: Option<EntryIndex>,
    /// The entry that says that it was erased.
    #[n(5)]
    pub erased: Option<EntryIndex>,
    /// Requests of the person, as far as they are known to be of this case.
    #[n(6)]
    #[cbor(default)]
    pub requests: Vec<RequestId>,
}
