//! Making a failing simulation smaller: fewer classes of faults, fewer faults, less work, as long as the same invariant
//! stays broken.

use std::collections::BTreeSet;

use super::{Class, Homes, Outcome, Scenario, invariants::Invariant, simulate};

/// How many simulations one shrinking may take.
const RUNS_MAX: usize = 120;

/// The smallest scenario found that breaks the same invariant, and what comes of it.
///
/// # Errors
/// As [`simulate`].
pub fn shrink(homes: &Homes, scenario: &Scenario, outcome: Outcome) -> anyhow::Result<(Scenario, Outcome)> {
    let Some(broken) = outcome.violations.first().map(|violation| violation.invariant) else {
        return Ok((scenario.clone(), outcome));
    };
    let mut shrinking = Shrinking { homes, broken, runs: 0, best: (scenario.clone(), outcome) };
    shrinking.classes()?;
    shrinking.faults()?;
    shrinking.work()?;
    shrinking.faults()?;
    Ok(shrinking.best)
}

struct Shrinking<'a> {
    homes: &'a Homes,
    broken: Invariant,
    runs: usize,
    best: (Scenario, Outcome),
}

impl Shrinking<'_> {
    /// Takes a scenario for the best one if it still breaks the invariant.
    fn keeps(&mut self, scenario: Scenario) -> anyhow::Result<bool> {
        if self.runs >= RUNS_MAX {
            return Ok(false);
        }
        self.runs += 1;
        let outcome = simulate(self.homes, &scenario)?;
        let still = outcome.violations.iter().any(|violation| violation.invariant == self.broken);
        if still {
            self.best = (scenario, outcome);
        }
        Ok(still)
    }

    fn classes(&mut self) -> anyhow::Result<()> {
        for class in Class::ALL {
            let mut scenario = self.best.0.clone();
            let happened = *class == Class::Loss || self.best.1.faults.iter().any(|(_, found)| found == class);
            if happened && scenario.without.insert(*class) {
                self.keeps(scenario)?;
            }
        }
        Ok(())
    }

    /// Leaves out halves, then quarters, then single ones.
    fn faults(&mut self) -> anyhow::Result<()> {
        let mut left: Vec<usize> = self.best.1.faults.iter().map(|(number, _)| *number).collect();
        let mut chunk = left.len().div_ceil(2).max(1);
        loop {
            let mut at = 0;
            while at < left.len() {
                let fewer: Vec<usize> = left
                    .iter()
                    .enumerate()
                    .filter(|(n, _)| *n < at || *n >= at + chunk)
                    .map(|(_, number)| *number)
                    .collect();
                let only: BTreeSet<usize> = fewer.iter().copied().collect();
                if self.keeps(Scenario { only: Some(only), ..self.best.0.clone() })? {
                    left = fewer;
                } else {
                    at += chunk;
                }
            }
            if chunk == 1 {
                return Ok(());
            }
            chunk = chunk.div_ceil(2);
        }
    }

    /// Leaves out the last of the work, as much as may be.
    fn work(&mut self) -> anyhow::Result<()> {
        let (mut least, mut most) = (0, self.best.0.work.unwrap_or(self.best.1.work));
        while least < most {
            let half = (least + most) / 2;
            if self.keeps(Scenario { work: Some(half), ..self.best.0.clone() })? {
                most = half;
            } else {
                least = half + 1;
            }
        }
        Ok(())
    }
}
