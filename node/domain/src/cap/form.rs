//! The form of a CAP 1.2 document: which elements stand where and how often, and how its texts become
//! codes, times and lists. What does not fit is collected, not thrown one by one.

use std::str::FromStr;

use super::{
    quote::unquoted,
    xml::{Element, refused},
};
use crate::{
    limits::{FAULTS_MAX, TEXT_CHARS_MAX},
    lint,
    refusal::{Code, Refusal},
    time::Time,
};

/// Everything found wrong so far.
#[derive(Default)]
pub(super) struct Faults(Vec<Refusal>);

impl Faults {
    pub(super) fn add(&mut self, code: Code, element: &Element, message: &str) {
        self.push(refused(code, element.line, message).at(element.name.as_str()));
    }

    /// Notes a refusal, unless there are more than enough already.
    pub(super) fn push(&mut self, refusal: Refusal) {
        if self.0.len() < FAULTS_MAX {
            self.0.push(refusal);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_vec(self) -> Vec<Refusal> {
        self.0
    }

    /// The value, or its refusal noted with the line and name of `element`.
    pub(super) fn keep<T>(&mut self, element: &Element, result: Result<T, Refusal>) -> Option<T> {
        result.map_err(|refusal| self.add(refusal.code, element, &refusal.message)).ok()
    }

    /// The text of a child that must be there.
    pub(super) fn required<'a>(&mut self, parent: &'a Element, name: &str) -> Option<&'a Element> {
        let found = child(parent, name);
        if found.is_none() {
            let message = format!("line {}: {} has no {name}", parent.line, parent.name);
            self.push(Refusal::new(Code::MissingField, message).at(name));
        }
        found
    }

    /// A required child that holds a code.
    pub(super) fn code<T: FromStr<Err = Refusal>>(&mut self, parent: &Element, name: &str) -> Option<T> {
        let element = self.required(parent, name)?;
        self.keep(element, element.text.parse())
    }

    /// An optional child that holds a time.
    pub(super) fn time(&mut self, parent: &Element, name: &str) -> Option<Time> {
        let element = child(parent, name)?;
        self.keep(element, cap_time(&element.text))
    }

    /// A text that is not taken over, but travels with the original.
    pub(super) fn lint(&mut self, parent: &Element, name: &str) {
        if let Some(element) = child(parent, name) {
            self.keep(element, free_text(&element.text));
        }
    }
}

/// A text of bounded length without personal data.
///
/// # Errors
/// `too_large` beyond 20,000 characters, `personal_data`.
pub(super) fn free_text(text: &str) -> Result<(), Refusal> {
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(Refusal::new(Code::TooLarge, format!("the text is longer than {TEXT_CHARS_MAX} characters")));
    }
    lint::check_text(text)
}

/// The first child of this name that is not empty.
pub(super) fn child<'a>(parent: &'a Element, name: &str) -> Option<&'a Element> {
    children(parent, name).find(|child| !child.text.is_empty() || !child.children.is_empty())
}

/// The text of the first child of this name that is not empty.
pub(super) fn text<'a>(parent: &'a Element, name: &str) -> Option<&'a str> {
    child(parent, name).map(|child| child.text.as_str())
}

/// All children of this name.
pub(super) fn children<'a>(parent: &'a Element, name: &str) -> impl Iterator<Item = &'a Element> {
    parent.children.iter().filter(move |child| child.name == name)
}

/// The pairs of `valueName` and `value` in the children called `name`.
pub(super) fn pairs<'a>(parent: &'a Element, name: &str) -> impl Iterator<Item = (&'a Element, &'a str, &'a str)> {
    children(parent, name).filter_map(|pair| Some((pair, text(pair, "valueName")?, text(pair, "value")?)))
}

/// A CAP time: whole seconds and a numeric offset, `2026-11-24T06:30:00+00:00`; never `Z`.
///
/// # Errors
/// `malformed_time`.
pub(super) fn cap_time(text: &str) -> Result<Time, Refusal> {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00+00:00";
    let fits = text.len() == SHAPE.len()
        && text.bytes().zip(SHAPE).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            b'+' => byte == b'+' || byte == b'-',
            other => byte == *other,
        });
    let malformed = || Refusal::new(Code::MalformedTime, "a CAP time is written as 2026-11-24T06:30:00+00:00");
    if fits { text.parse().map_err(|_| malformed()) } else { Err(malformed()) }
}

/// A time as CAP writes it: its second, in UTC, as `+00:00`.
pub(super) fn cap_text(time: Time) -> String {
    exact_text(second(time))
}

/// A time to the millisecond, in UTC, as `+00:00`.
pub(super) fn exact_text(time: Time) -> String {
    format!("{}+00:00", time.to_string().trim_end_matches('Z'))
}

/// The beginning of the second that a time is in.
pub(super) fn second(time: Time) -> Time {
    Time::from_millis(time.millis() / 1_000 * 1_000)
}

/// Items separated by blanks; double quotes hold those together that have blanks inside.
pub(super) fn items(text: &str) -> Vec<String> {
    let mut items = Vec::new();
    let (mut item, mut quoted) = (String::new(), false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => {
                if !item.is_empty() {
                    items.push(std::mem::take(&mut item));
                }
            }
            c => item.push(c),
        }
    }
    if !item.is_empty() {
        items.push(item);
    }
    items
}

/// The text with its white space folded into single blanks.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The line within `chars_max`, an ellipsis in the place of what is left out.
pub(super) fn shortened(line: &str, chars_max: usize) -> String {
    if line.chars().count() <= chars_max {
        return line.to_owned();
    }
    let kept: String = line.chars().take(chars_max - 1).collect();
    format!("{}…", kept.trim_end())
}

/// The text that a parameter gives to the letter, where `view` of it is what its element says: a document never says
/// one thing to people and another to a machine.
///
/// # Errors
/// `malformed` when it is not well quoted, or another text.
pub(super) fn exact(value: &str, element: &str, view: impl Fn(&str) -> String) -> Result<String, Refusal> {
    let text = unquoted(value)?;
    // The reader of XML takes only the white space of XML off an element.
    if view(&text).trim() == element.trim() {
        Ok(text)
    } else {
        Err(Refusal::new(Code::Malformed, "the exact text is another than that of its element"))
    }
}
