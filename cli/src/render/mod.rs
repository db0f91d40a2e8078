//! How answers are shown: as tables and lines for people, or as JSON for programs. Both come from the
//! same message, and a command never formats anything itself.

pub mod json;
pub mod page;
pub mod time;

use passerelle_domain::time::Time;

use crate::{args::Output, console::Console, failure::Failure};
use page::Page;

/// What the node answers, as something that can be shown.
pub trait Answer: json::Named {
    /// Writes it for people. `now` is the instant that ages are counted to.
    fn page(&self, page: &mut Page, now: Time);
}

/// Prints answers in the chosen form.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    /// The form.
    pub output: Output,
}

impl Printer {
    /// Prints one answer.
    ///
    /// # Errors
    /// When standard output is closed or full.
    pub fn one<A: Answer>(self, answer: &A, console: &mut Console<'_>) -> Result<(), Failure> {
        match self.output {
            Output::Table => {
                let mut page = Page::new(console.terminals.stdout);
                answer.page(&mut page, (console.now)());
                console.stdout.write_all(page.finish().as_bytes())?;
            }
            Output::Json => writeln!(console.stdout, "{:#}", json::value(answer)?)?,
            Output::Jsonl => writeln!(console.stdout, "{}", json::value(answer)?)?,
        }
        console.stdout.flush()?;
        Ok(())
    }

    /// Prints what this program found by itself: a value for programs, a page for people.
    ///
    /// # Errors
    /// As [`Self::one`].
    pub fn own<T: serde::Serialize>(
        self,
        value: &T,
        page: impl FnOnce(&mut Page),
        console: &mut Console<'_>,
    ) -> Result<(), Failure> {
        let broken = |error| Failure::unexpected(format!("the answer cannot be shown: {error}"));
        let text = match self.output {
            Output::Table => {
                let mut sheet = Page::new(console.terminals.stdout);
                page(&mut sheet);
                sheet.finish()
            }
            Output::Json => format!("{}\n", serde_json::to_string_pretty(value).map_err(broken)?),
            Output::Jsonl => match serde_json::to_value(value).map_err(broken)? {
                serde_json::Value::Array(rows) => rows.iter().map(|row| format!("{row}\n")).collect(),
                value => format!("{value}\n"),
            },
        };
        console.stdout.write_all(text.as_bytes())?;
        console.stdout.flush()?;
        Ok(())
    }

    /// Prints a list: `rows` is the field that holds its rows.
    ///
    /// # Errors
    /// As [`Self::one`].
    pub fn list<A: Answer>(self, answer: &A, rows: &str, console: &mut Console<'_>) -> Result<(), Failure> {
        if self.output != Output::Jsonl {
            return self.one(answer, console);
        }
        let value = json::value(answer)?;
        for row in value.get(rows).and_then(serde_json::Value::as_array).into_iter().flatten() {
            writeln!(console.stdout, "{row}")?;
        }
        console.stdout.flush()?;
        Ok(())
    }
}
