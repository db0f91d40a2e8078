//! Faults of a configuration: where, what, and what to write instead. All of them are reported at
//! once, so that nobody corrects a file one start at a time.

use std::{fmt, path::PathBuf};

/// Where a fault is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The file as a whole: it cannot be read, or something is missing from it.
    File,
    /// At a line and column of the file, both counted from 1, columns in characters.
    Line {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// In the environment variable of this name.
    Variable(String),
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it is.
    pub place: Place,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Fault {
    pub(super) fn new(place: Place, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { place, what: what.into(), remedy: remedy.into() }
    }
}

/// Everything that is wrong with a configuration, in the order of the file, then of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFaults {
    /// The configuration file.
    pub file: PathBuf,
    /// At least one fault.
    pub faults: Vec<Fault>,
}

impl ConfigFaults {
    pub(super) fn new(file: PathBuf, mut faults: Vec<Fault>) -> Self {
        faults.sort_by(|a, b| a.place.cmp(&b.place));
        Self { file, faults }
    }
}

impl fmt::Display for ConfigFaults {
    /// One paragraph a fault: the place and what is wrong, then the remedy on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        for (number, fault) in self.faults.iter().enumerate() {
            if number > 0 {
                f.write_str("\n\n")?;
            }
            match &fault.place {
                Place::File => write!(f, "{file}: ")?,
                Place::Line { line, column } => write!(f, "{file}:{line}:{column}: ")?,
                Place::Variable(name) => write!(f, "environment variable {name}: ")?,
            }
            write!(f, "{}\n  {}", fault.what, fault.remedy)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigFaults {}
