//! Aggregate reports: the only form in which anything about cases leaves the node for those who are no partner of a
//! case, authorities above all. Counts of handovers in cells of at least five; smaller cells are banded. Two other
//! persons approve a report before it is given out.
//!
//! A total is the sum of the cells that are shown, so that it says nothing about those that are not. Reports cover whole
//! months, and no two cover the same month, so that none can be subtracted from another.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::{
    catalogue::vocabulary,
    consent::Tag,
    ids::EntryIndex,
    limits::{REPORT_CELL_MIN, REPORT_CELLS_MAX},
    refusal::{Code, Refusal},
    time::Time,
};

pub use crate::ids::ReportId;

vocabulary! {
    /// By what handovers are counted.
    Dimension {
        1 Service = "service",
        2 From = "from",
        3 To = "to",
        4 State = "state",
        5 AgeBand = "age_band",
        6 Kind = "kind",
    }
}

/// A count that may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Band {
    /// Fewer than five.
    #[n(0)]
    Few,
    /// Exactly so many; five or more.
    #[n(1)]
    Exactly(#[n(0)] u64),
}

impl Band {
    /// The band of a count.
    #[must_use]
    pub fn of(count: u64) -> Self {
        if count < REPORT_CELL_MIN { Self::Few } else { Self::Exactly(count) }
    }
}

impl std::fmt::Display for Band {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Few => write!(f, "<{REPORT_CELL_MIN}"),
            Self::Exactly(count) => write!(f, "{count}"),
        }
    }
}

/// A table that says nothing about fewer than five people.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Aggregate {
    /// By what it counts.
    #[n(0)]
    pub by: Dimension,
    /// The first instant counted: the beginning of a month, UTC.
    #[n(1)]
    pub from: Time,
    /// The first instant not counted any more: the beginning of a month that has come, UTC.
    #[n(2)]
    pub until: Time,
    /// The cells, by their code.
    #[n(3)]
    pub cells: Vec<(String, Band)>,
    /// The sum of the cells that are shown.
    #[n(4)]
    pub shown_total: u64,
}

impl Aggregate {
    /// The table of raw counts; these go no further.
    ///
    /// # Errors
    /// `bad_times` unless the period is of whole months in the past, `too_many` past the cells of one report.
    pub fn of(
        by: Dimension,
        from: Time,
        until: Time,
        now: Time,
        counts: &BTreeMap<String, u64>,
    ) -> Result<Self, Refusal> {
        if counts.len() > REPORT_CELLS_MAX {
            return Err(Refusal::new(Code::TooMany, format!("a report has at most {REPORT_CELLS_MAX} cells")));
        }
        let cells: Vec<_> = counts.iter().map(|(code, count)| (code.clone(), Band::of(*count))).collect();
        let shown = cells.iter().map(|(_, band)| if let Band::Exactly(count) = band { *count } else { 0 });
        let shown_total = shown.sum();
        let aggregate = Self { by, from, until, cells, shown_total };
        aggregate.check(now)?;
        Ok(aggregate)
    }

    /// Whether it keeps its rules.
    ///
    /// # Errors
    /// As [`Aggregate::of`].
    pub fn check(&self, now: Time) -> Result<(), Refusal> {
        let whole = begins_a_month(self.from) && begins_a_month(self.until);
        if !whole || self.from >= self.until || self.until > now {
            let message =
                "a report covers whole months that have passed, from the first of one to the first of another";
            return Err(Refusal::new(Code::BadTimes, message).at("until"));
        }
        let small = |band: &Band| matches!(band, Band::Exactly(count) if *count < REPORT_CELL_MIN);
        if self.cells.len() > REPORT_CELLS_MAX || self.cells.iter().any(|(_, band)| small(band)) {
            return Err(Refusal::new(Code::Malformed, "a cell of a report counts at least five"));
        }
        Ok(())
    }

    /// Whether it counts something that the other counts too.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.from < other.until && other.from < self.until
    }
}

fn begins_a_month(time: Time) -> bool {
    // RFC 3339 in UTC: 2026-11-01T00:00:00Z.
    time.to_string().get(7..) == Some("-01T00:00:00Z")
}

/// A step of a report.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ReportStep {
    /// It was made and waits for approval.
    #[n(0)]
    Proposed(#[n(0)] Aggregate),
    /// Somebody approved it.
    #[n(1)]
    Approved,
    /// It was given to somebody, named by a code.
    #[n(2)]
    Given(#[n(0)] Tag),
}

/// A report and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ReportRow {
    /// The entry that proposed it.
    #[n(0)]
    pub entry: EntryIndex,
    /// What it says.
    #[n(1)]
    pub report: Aggregate,
    /// The operator who proposed it.
    #[n(2)]
    pub proposed_by: String,
    /// The operators who approved it.
    #[n(3)]
    pub approved_by: Vec<String>,
    /// To whom it was given, and the entry that says so.
    #[n(4)]
    pub given_to: Vec<(Tag, EntryIndex)>,
}

#[cfg(test)]
mod tests;
