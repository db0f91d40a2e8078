//! Chance that can be repeated: the same seed and label give the same numbers, on every machine. Touches nothing.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// A sequence of numbers that a seed and a label determine (SplitMix64).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The sequence of a label: what is drawn for one purpose does not change what is drawn for another.
    #[must_use]
    pub fn of(seed: u64, label: &str) -> Self {
        let digest = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(label).finalize();
        Self(digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 when that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.draw() % bound }
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    /// True so many times in a thousand.
    pub fn permille(&mut self, times: u64) -> bool {
        self.below(1_000) < times
    }

    /// A time span from `least` to `most` milliseconds.
    pub fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.between(least, most))
    }

    /// A place in a list of that length; 0 when it is empty.
    pub fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// One of them.
    ///
    /// # Panics
    /// Never for a list that is not empty.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.place(list.len())]
    }

    /// A place in a list of that length other than `not`.
    pub fn other(&mut self, length: usize, not: usize) -> usize {
        let place = self.place(length.saturating_sub(1));
        if place >= not { place + 1 } else { place }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_label_are_a_sequence() {
        let draw = |seed, label| {
            let mut chance = Chance::of(seed, label);
            [chance.draw(), chance.draw()]
        };
        assert_eq!(draw(1, "network"), draw(1, "network"));
        assert_ne!(draw(1, "network"), draw(2, "network"));
        assert_ne!(draw(1, "network"), draw(1, "faults"));
    }

    #[test]
    fn bounds_are_kept_and_the_other_one_is_another() {
        let mut chance = Chance::of(3, "bounds");
        for _ in 0..1_000 {
            assert!((2..=4).contains(&chance.between(2, 4)));
            assert_ne!(chance.other(3, 1), 1);
            assert!(chance.other(3, 1) < 3);
        }
        assert_eq!((chance.below(0), chance.place(1)), (0, 0));
    }
}
