//! Numbers from a seed: the same seed, the same choices.

use passerelle_node::entropy::{Entropy as _, SeededEntropy};

/// A sequence of choices.
pub(super) struct Chance(SeededEntropy);

impl Chance {
    /// The sequence of a seed.
    pub(super) fn of(seed: u64) -> Self {
        Self(SeededEntropy::new(seed))
    }

    /// The sequence of a seed for one of its cuts.
    pub(super) fn of_cut(seed: u64, cut: u64) -> Self {
        Self::of(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ cut)
    }

    /// A number below `bound`, or 0 when that is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_be_bytes(bytes).checked_rem(bound).unwrap_or_default()
    }

    /// Some bytes.
    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill(&mut bytes);
        bytes
    }
}
