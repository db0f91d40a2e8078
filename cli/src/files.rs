//! Reading the files that a command line names: TOML or JSON into a type that knows its fields, with
//! the line and column of what is wrong. Reads files and standard input, each up to a cap.

use std::{fs::File, io::Read, path::Path};

use passerelle_domain::limits::PACKAGE_BYTES_MAX;
use serde::de::DeserializeOwned;
use serde_json::Value;
use toml::de::{DeTable, DeValue};

use crate::{console::Console, failure::Failure};

/// Whether a file holds personal data, of which nothing may be repeated in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// An error may show the line at fault.
    Plain,
    /// An error names the line and the field, and shows nothing.
    Personal,
}

/// The bytes of a file, or of standard input for `-`.
///
/// # Errors
/// `usage` when it cannot be read, `too_large` when it is larger than `bytes_max`.
pub fn read(path: &Path, bytes_max: usize, console: &mut Console<'_>) -> Result<Vec<u8>, Failure> {
    let name = name_of(path);
    let bytes = read_up_to(path, bytes_max + 1, console)?;
    if bytes.len() > bytes_max {
        let code = passerelle_domain::refusal::Code::TooLarge;
        let refusal =
            passerelle_domain::refusal::Refusal::new(code, format!("{name} is larger than {bytes_max} bytes"));
        return Err(Failure::refused_here(refusal));
    }
    Ok(bytes)
}

/// The first `bytes_max` bytes of a file, or of standard input for `-`.
///
/// # Errors
/// `usage` when it cannot be read.
pub fn read_up_to(path: &Path, bytes_max: usize, console: &mut Console<'_>) -> Result<Vec<u8>, Failure> {
    let name = name_of(path);
    let unreadable = |error| Failure::usage(format!("cannot read {name}: {error}"), "Check the path and its rights.");
    let mut bytes = Vec::new();
    let cap = bytes_max as u64;
    if is_stdin(path) {
        (&mut *console.stdin).take(cap).read_to_end(&mut bytes).map_err(unreadable)?;
    } else {
        File::open(path).and_then(|file| file.take(cap).read_to_end(&mut bytes)).map_err(unreadable)?;
    }
    Ok(bytes)
}

/// A document of a known type: JSON when the file ends in `.json` or opens with a brace, else TOML.
///
/// # Errors
/// As [`read`], and `malformed_file` with line and column when it is not such a document.
pub fn document<T: DeserializeOwned>(path: &Path, content: Content, console: &mut Console<'_>) -> Result<T, Failure> {
    Text::read(path, console)?.parse(content)
}

/// A document as JSON, after it was found to be one of type `T`.
///
/// # Errors
/// As [`document`].
pub fn json_of<T: DeserializeOwned>(
    path: &Path,
    content: Content,
    console: &mut Console<'_>,
) -> Result<Value, Failure> {
    let text = Text::read(path, console)?;
    text.parse::<T>(content)?;
    text.parse(content)
}

/// The text of a file.
struct Text {
    name: String,
    text: String,
    json: bool,
}

impl Text {
    fn read(path: &Path, console: &mut Console<'_>) -> Result<Self, Failure> {
        let bytes = read(path, PACKAGE_BYTES_MAX, console)?;
        let name = name_of(path);
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
            Failure::malformed_file(format!("{name}, line {line}: not UTF-8 text"), None)
        })?;
        let json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
            || text.trim_start().starts_with('{');
        Ok(Self { name, text, json })
    }

    fn parse<T: DeserializeOwned>(&self, content: Content) -> Result<T, Failure> {
        if self.json { from_json(&self.text, &self.name, content) } else { from_toml(&self.text, &self.name, content) }
    }
}

/// A document from TOML. Instants may stand bare or in quotes.
///
/// # Errors
/// `malformed_file` with line, column and, unless it is personal, the line itself.
pub fn from_toml<T: DeserializeOwned>(text: &str, name: &str, content: Content) -> Result<T, Failure> {
    let quoted = quote_instants(text);
    toml::from_str(&quoted).map_err(|error| {
        // Added quotes can shift what follows an instant within its line, and never the line.
        let (line, column) = error.span().map_or((1, 1), |span| position(&quoted, span.start));
        located(text, name, line, column, error.message(), content)
    })
}

/// A document from JSON.
///
/// # Errors
/// As [`from_toml`].
pub fn from_json<T: DeserializeOwned>(text: &str, name: &str, content: Content) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        located(text, name, error.line(), error.column(), message, content)
    })
}

/// What a file is called in a message.
#[must_use]
pub fn name_of(path: &Path) -> String {
    if is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() }
}

/// Whether a path means standard input.
#[must_use]
pub fn is_stdin(path: &Path) -> bool {
    path == "-"
}

fn located(text: &str, name: &str, line: usize, column: usize, message: &str, content: Content) -> Failure {
    let message = message.trim_end();
    let (message, excerpt) = match content {
        Content::Plain => (message.replace('\n', ", "), Some(excerpt(text, line, column))),
        Content::Personal => (impersonal(message), None),
    };
    Failure::malformed_file(format!("{name}, line {line}, column {column}: {message}"), excerpt)
}

/// A parser's message without what may be content: those that quote only names of fields stay whole.
fn impersonal(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let names_fields_only = ["missing field", "duplicate key", "duplicate field"];
    if names_fields_only.iter().any(|start| first.starts_with(start)) {
        first.to_owned()
    } else if first.starts_with("unknown field") {
        "a field that the schema does not have".to_owned()
    } else {
        "this does not fit the schema".to_owned()
    }
}

fn excerpt(text: &str, line: usize, column: usize) -> String {
    const WIDTH_MAX: usize = 120;
    let source: String = text.lines().nth(line.saturating_sub(1)).unwrap_or_default().chars().take(WIDTH_MAX).collect();
    let number = line.to_string();
    let gutter = " ".repeat(number.len());
    let mark = " ".repeat(column.saturating_sub(1).min(WIDTH_MAX));
    format!(" {gutter} |\n {number} | {source}\n {gutter} | {mark}^")
}

/// Line and column, both from 1, the column in characters.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

/// TOML has instants of its own; our types read them as text. Puts quotes around the bare ones.
fn quote_instants(text: &str) -> String {
    let mut spans = Vec::new();
    // What is no TOML at all stays as it is: the real parse says why.
    if let Ok(table) = DeTable::parse(text) {
        for (_, value) in table.get_ref() {
            collect_instants(value.get_ref(), value.span(), &mut spans);
        }
    }
    spans.sort_by_key(|span| span.start);
    let mut quoted = text.to_owned();
    for span in spans.iter().rev() {
        quoted.insert(span.end, '"');
        quoted.insert(span.start, '"');
    }
    quoted
}

fn collect_instants(value: &DeValue<'_>, span: std::ops::Range<usize>, spans: &mut Vec<std::ops::Range<usize>>) {
    match value {
        DeValue::Datetime(_) => spans.push(span),
        DeValue::Array(items) => items.iter().for_each(|item| collect_instants(item.get_ref(), item.span(), spans)),
        DeValue::Table(table) => {
            table.iter().for_each(|(_, item)| collect_instants(item.get_ref(), item.span(), spans))
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use passerelle_domain::time::Time;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: String,
        #[serde(default)]
        at: Vec<Time>,
    }

    #[test]
    fn instants_may_stand_bare_or_quoted() {
        let text =
            "name = \"é\"\nat = [2026-11-24T06:30:00Z, \"2026-11-24T07:30:00+01:00\", 2026-11-24T06:30:00+00:00]\n";
        let sample: Sample = from_toml(text, "a.toml", Content::Plain).expect("a sample");
        assert!(sample.at.len() == 3 && sample.at.iter().all(|at| *at == sample.at[0]));
    }

    #[test]
    fn an_error_names_its_place() {
        for (text, json, place) in [
            ("name = \"a\"\nnmae = \"b\"\n", false, "f, line 2, column 1: unknown field `nmae`"),
            ("name = \n", false, "f, line 1, column 8:"),
            ("name = 1\n", false, "f, line 1, column 8: invalid type"),
            ("name = \"a\"\nat = [\"monday\"]\n", false, "f, line 2, column 6: a time is written"),
            ("{\"name\": \"a\",\n \"x\": 1}", true, "f, line 2, column 4: unknown field `x`"),
        ] {
            let read = if json {
                from_json::<Sample>(text, "f", Content::Plain)
            } else {
                from_toml(text, "f", Content::Plain)
            };
            let failure = read.expect_err("not a sample");
            assert!(failure.message.starts_with(place), "{failure}");
            assert!(failure.excerpt.is_some_and(|excerpt| excerpt.ends_with('^')));
        }
    }

    #[test]
    fn an_error_in_a_package_repeats_nothing_of_it() {
        for (text, json) in [
            ("name = [\"Awa\"]", false),
            ("Awa = 1", false),
            ("name = Awa", false),
            ("{\"name\": {\"Awa\": 1}}", true),
            ("{\"Awa\": 1}", true),
        ] {
            let read = if json {
                from_json::<Sample>(text, "f", Content::Personal)
            } else {
                from_toml(text, "f", Content::Personal)
            };
            let failure = read.expect_err("not a sample");
            assert!(!format!("{failure}{:?}", failure.to_json()).contains("Awa"), "{failure}");
        }
    }
}
