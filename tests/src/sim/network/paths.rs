//! The paths between nodes: how long a segment takes, when it is lost, and when the path is cut. Everything is known from
//! the seed when a segment is sent, so its arrival is a number. Touches nothing.

use std::{collections::BTreeMap, time::Duration};

use crate::sim::chance::Chance;

/// Milliseconds of virtual time since the simulation began.
pub type Millis = u64;

/// TCP gives up a connection whose bytes nobody acknowledges for this long (the node asks for it, RFC 5482).
pub const USER_TIMEOUT: Millis = 60_000;
/// The shortest pause before TCP sends a segment again.
const RETRANSMIT_MIN: Millis = 200;

/// One direction between two nodes.
#[derive(Clone, Debug)]
struct Path {
    latency: Millis,
    jitter: Millis,
    /// Segments lost, of a thousand.
    loss: u64,
    /// From when until when nothing passes.
    cuts: Vec<(Millis, Millis)>,
}

/// All paths. What is not set is short and lossless.
#[derive(Debug)]
pub struct Paths {
    paths: BTreeMap<(usize, usize), Path>,
    /// One for whatever a node sends to another: libraries may wake two of a node's sessions in either order, and what
    /// becomes of the one must not hang on whether the other spoke before.
    chances: BTreeMap<(usize, usize), Chance>,
}

/// What becomes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// When it arrives; `None` when the connection is given up before.
    pub arrives: Option<Millis>,
    /// When its sender gives the connection up, because no acknowledgement came.
    pub given_up: Option<Millis>,
}

impl Paths {
    /// Paths between `nodes` nodes, as the seed has them: from a town's fibre to a satellite.
    #[must_use]
    pub fn of(seed: u64, nodes: usize) -> Self {
        let mut chance = Chance::of(seed, "paths");
        let (mut paths, mut chances) = (BTreeMap::new(), BTreeMap::new());
        for from in 0..nodes {
            for to in (0..nodes).filter(|to| *to != from) {
                let (latency, jitter) = *chance.pick(&[(2, 1), (20, 5), (60, 40), (150, 60), (300, 100)]);
                let loss = *chance.pick(&[0, 0, 5, 20, 50]);
                paths.insert((from, to), Path { latency, jitter, loss, cuts: Vec::new() });
                chances.insert((from, to), Chance::of(seed, &format!("segments of {from} to {to}")));
            }
        }
        Self { paths, chances }
    }

    /// Nothing passes from one to the other for a while.
    pub fn cut(&mut self, from: usize, to: usize, begins: Millis, ends: Millis) {
        if let Some(path) = self.paths.get_mut(&(from, to)) {
            path.cuts.push((begins, ends));
        }
    }

    /// Ends every cut now.
    pub fn heal(&mut self, now: Millis) {
        for path in self.paths.values_mut() {
            path.cuts.retain(|(begins, _)| *begins < now);
            path.cuts.iter_mut().for_each(|cut| cut.1 = cut.1.min(now));
        }
    }

    /// Loses nothing any more.
    pub fn spare(&mut self) {
        self.paths.values_mut().for_each(|path| path.loss = 0);
    }

    /// When an answer to what `from` sends to `to` is back, unless it is lost.
    pub fn answered(&mut self, from: usize, to: usize, at: Millis) -> Millis {
        let (ways, chance) = self.sent_by(from, to);
        at + ways.delay(to, from, chance)
    }

    /// What becomes of a segment that is sent now on an established connection.
    pub fn send(&mut self, from: usize, to: usize, now: Millis) -> Fate {
        let until = now + USER_TIMEOUT;
        let (ways, chance) = self.sent_by(from, to);
        let Some(arrives) = ways.through(from, to, now, until, chance) else {
            return Fate { arrives: None, given_up: Some(until) };
        };
        let acknowledged = ways.through(to, from, arrives, until, chance).is_some();
        Fate { arrives: Some(arrives), given_up: (!acknowledged).then_some(until) }
    }

    /// When the first segment of a dial and its answer are through; `None` when they are not by `until`.
    pub fn dial(&mut self, from: usize, to: usize, now: Millis, until: Millis) -> Option<Millis> {
        let (ways, chance) = self.sent_by(from, to);
        let (mut at, mut pause) = (now, 1_000);
        while at <= until {
            let lost = ways.0.get(&(from, to)).map_or(0, |path| path.loss);
            if ways.is_open(from, to, at) && !chance.permille(lost) {
                let there = at + ways.delay(from, to, chance);
                if ways.is_open(to, from, there) {
                    return Some(there + ways.delay(to, from, chance));
                }
            }
            at += pause;
            pause *= 2;
        }
        None
    }

    fn sent_by(&mut self, from: usize, to: usize) -> (Ways<'_>, &mut Chance) {
        let chance = self.chances.entry((from, to)).or_insert_with(|| Chance::of(0, "a path that is not set"));
        (Ways(&self.paths), chance)
    }
}

/// The paths, as a segment meets them.
#[derive(Clone, Copy)]
struct Ways<'a>(&'a BTreeMap<(usize, usize), Path>);

impl Ways<'_> {
    fn is_open(self, from: usize, to: usize, at: Millis) -> bool {
        let cut = |path: &Path| path.cuts.iter().any(|(begins, ends)| (*begins..*ends).contains(&at));
        !self.0.get(&(from, to)).is_some_and(cut)
    }

    /// How long a segment takes that is not lost.
    fn delay(self, from: usize, to: usize, chance: &mut Chance) -> Millis {
        self.0.get(&(from, to)).map_or(1, |path| path.latency + chance.below(path.jitter + 1))
    }

    /// When one that is sent again and again until `until` gets through.
    fn through(self, from: usize, to: usize, now: Millis, until: Millis, chance: &mut Chance) -> Option<Millis> {
        let (loss, round_trip) = match (self.0.get(&(from, to)), self.0.get(&(to, from))) {
            (Some(there), Some(back)) => (there.loss, there.latency + back.latency),
            _ => (0, 2),
        };
        let (mut at, mut pause) = (now, RETRANSMIT_MIN.max(2 * round_trip));
        while at <= until {
            if self.is_open(from, to, at) && !chance.permille(loss) {
                return Some(at + self.delay(from, to, chance));
            }
            at += pause;
            pause *= 2;
        }
        None
    }
}

/// Milliseconds as a span.
#[must_use]
pub fn span(millis: Millis) -> Duration {
    Duration::from_millis(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_delays_and_a_long_one_ends_the_connection_on_both_sides() {
        let mut paths = Paths::of(1, 2);
        paths.spare();
        paths.cut(0, 1, 1_000, 5_000);
        assert!(paths.send(0, 1, 500).arrives.is_some_and(|at| at < 1_000), "before the cut");
        let late = paths.send(0, 1, 1_000);
        assert!(late.arrives.is_some_and(|at| at >= 5_000), "it waits: {late:?}");
        assert_eq!(late.given_up, None);
        paths.cut(0, 1, 10_000, 200_000);
        assert_eq!(paths.send(0, 1, 10_000), Fate { arrives: None, given_up: Some(70_000) });
        let answered = paths.send(1, 0, 10_000);
        assert!(answered.arrives.is_some(), "the other direction is open");
        assert_eq!(answered.given_up, Some(70_000), "and no acknowledgement comes back");
        assert_eq!(paths.dial(0, 1, 10_000, 20_000), None);
        paths.heal(12_000);
        assert!(paths.dial(0, 1, 12_000, 20_000).is_some());
    }
}
