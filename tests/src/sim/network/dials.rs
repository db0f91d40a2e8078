//! How often hosts that refuse are dialled: an impatient node shows here and nowhere else. Touches nothing.

use std::collections::{BTreeMap, VecDeque};

use super::paths::Millis;

/// Refused dials of one host by another in any second: four fit in with the shortest pause, 250 ms, and one on its way.
const REFUSED_A_SECOND_MAX: usize = 5;

/// Dials that were refused, of late.
#[derive(Default)]
pub(in crate::sim) struct Dials {
    late: BTreeMap<(usize, usize), VecDeque<Millis>>,
    worst: Option<(usize, usize, usize)>,
    made: BTreeMap<(usize, usize), u64>,
}

impl Dials {
    /// One host was refused by another.
    pub(in crate::sim) fn refused(&mut self, from: usize, to: usize, now: Millis) {
        let late = self.late.entry((from, to)).or_default();
        late.push_back(now);
        while late.front().is_some_and(|at| at + 1_000 <= now) {
            late.pop_front();
        }
        if late.len() > self.worst.map_or(REFUSED_A_SECOND_MAX, |(_, _, count)| count) {
            self.worst = Some((from, to, late.len()));
        }
    }

    /// Two hosts are connected once more.
    pub(in crate::sim) fn connected(&mut self, one: usize, other: usize) {
        *self.made.entry((one.min(other), one.max(other))).or_default() += 1;
    }

    /// How often two hosts were connected.
    pub(in crate::sim) fn made(&self, one: usize, other: usize) -> u64 {
        self.made.get(&(one.min(other), one.max(other))).copied().unwrap_or_default()
    }

    /// Who dialled whom too often, and how often in a second.
    #[must_use]
    pub(in crate::sim) fn worst(&self) -> Option<(usize, usize, usize)> {
        self.worst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_many_in_one_second_are_too_many() {
        let mut dials = Dials::default();
        (0..100).for_each(|at| dials.refused(0, 1, at * 250));
        assert_eq!(dials.worst(), None);
        (0..5).for_each(|at| dials.refused(1, 0, 30_000 + at));
        assert_eq!(dials.worst(), None);
        dials.refused(1, 0, 30_005);
        assert_eq!(dials.worst(), Some((1, 0, 6)));
    }
}
