//! A gatherer of faults, so that whoever fills in a form hears of all of them at once.

use crate::refusal::{Code, Refusal};

/// The faults found so far, each with the path of its field.
#[derive(Default)]
pub(crate) struct Faults(Vec<Refusal>);

impl Faults {
    pub(crate) fn add(&mut self, code: Code, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Refusal::new(code, message).at(path));
    }

    /// Keeps the refusal of a check, as a fault of the field at `path`.
    pub(crate) fn check(&mut self, path: &str, outcome: Result<(), Refusal>) {
        if let Err(refusal) = outcome {
            self.0.push(refusal.at(path));
        }
    }

    /// A list has between `min` and `max` members, none of them twice.
    pub(crate) fn list<T: PartialEq>(&mut self, path: &str, members: &[T], min: usize, max: usize) {
        if members.len() < min {
            self.add(Code::MissingField, path, format!("{path} needs at least {min}"));
        }
        if members.len() > max {
            self.add(Code::TooMany, path, format!("{path} takes at most {max}"));
            return;
        }
        for (index, member) in members.iter().enumerate() {
            if members.iter().take(index).any(|earlier| earlier == member) {
                self.add(Code::Malformed, format!("{path}[{index}]"), format!("{path}[{index}] is there twice"));
            }
        }
    }

    /// Nothing, or every fault found.
    pub(crate) fn into_result(self) -> Result<(), Vec<Refusal>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }

    /// Nothing, or the first fault found: for bytes of a peer, where nobody corrects a form.
    pub(crate) fn into_first(self) -> Result<(), Refusal> {
        self.0.into_iter().next().map_or(Ok(()), Err)
    }
}
