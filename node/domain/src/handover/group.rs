//! Families and survivors who travel together: each has a handover and a consent of their own, and the
//! group binds these: offered together, accepted together, released once all are accepted, and
//! separated only by a person who says why.

use minicbor::{Decode, Encode};

use crate::{
    catalogue::SplitReason,
    consent::{Tag, codec},
    digest::Digest,
    ids::HandoverId,
    limits::HANDOVER_MESSAGE_BYTES_MAX,
    refusal::Refusal,
    society::Society,
    time::Time,
};

/// Names one group between two Societies: the first half of the SHA-256 of both and of its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct GroupId(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]);

impl GroupId {
    /// The group of this code that `from` offers to `to`.
    #[must_use]
    pub fn of(from: Society, to: Society, reference: &Tag) -> Self {
        let Digest(whole) =
            Digest::of_parts(&[b"passerelle/group/v1\0", &from.bytes(), &to.bytes(), reference.as_str().as_bytes()]);
        let mut half = [0; 16];
        half.copy_from_slice(&whole[..16]);
        Self(half)
    }

    /// The 16 bytes, as they stand in keys.
    #[must_use]
    pub fn bytes(&self) -> [u8; 16] {
        self.0
    }
}

/// One side says that a group goes on one by one.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct GroupSplit {
    /// A handover of the group.
    #[n(0)]
    pub handover: HandoverId,
    /// The group.
    #[n(1)]
    pub group: GroupId,
    /// When it was decided.
    #[n(2)]
    pub at: Time,
    /// Why.
    #[n(3)]
    pub reason: SplitReason,
}

impl GroupSplit {
    /// The canonical bytes.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads it from canonical bytes of foreign origin.
    ///
    /// # Errors
    /// `too_large` or `malformed`.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
        codec::decode(bytes, HANDOVER_MESSAGE_BYTES_MAX, "a split of a group")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_one_of_a_pair_and_of_a_code() {
        let [sn, ml, gm] = ["SN", "ML", "GM"].map(|code| code.parse::<Society>().expect("a Society"));
        let [one, other] = ["g.dakar.12", "g.dakar.13"].map(|code| code.parse::<Tag>().expect("a code"));
        let group = GroupId::of(sn, ml, &one);
        assert_eq!(group, GroupId::of(sn, ml, &one));
        for different in [GroupId::of(sn, ml, &other), GroupId::of(ml, sn, &one), GroupId::of(sn, gm, &one)] {
            assert_ne!(group, different);
        }
    }

    #[test]
    fn a_split_survives_the_wire() {
        let split = GroupSplit {
            handover: HandoverId::new(Time::from_millis(1), [3; 10]),
            group: GroupId([4; 16]),
            at: Time::from_millis(2),
            reason: SplitReason::OwnWish,
        };
        assert_eq!(GroupSplit::from_cbor(&split.to_cbor()), Ok(split));
        assert!(GroupSplit::from_cbor(&[0xff; 4]).is_err());
    }
}
