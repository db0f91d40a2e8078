//! A page for people: lines, pairs of name and value, tables with a light rule under the header, and
//! documents as an indented outline. Control characters in foreign text never reach the terminal.

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use serde_json::Value;

/// No borders but a rule under the header.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

/// A page being written.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
    fit: bool,
}

impl Page {
    /// An empty page; its tables are fitted to the width of the terminal when there is one.
    #[must_use]
    pub fn new(terminal: bool) -> Self {
        Self { text: String::new(), fit: terminal }
    }

    /// One line.
    pub fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(&clean(line.as_ref()));
        self.text.push('\n');
    }

    /// An empty line and a heading.
    pub fn heading(&mut self, heading: &str) {
        self.text.push('\n');
        self.line(heading);
    }

    /// Names with their values, aligned; those without a value are left out.
    pub fn pairs<'a>(&mut self, pairs: impl IntoIterator<Item = (&'a str, String)>) {
        let pairs: Vec<(&str, String)> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        for (name, value) in pairs {
            self.line(format!("{name:width$}  {value}"));
        }
    }

    /// A table; an empty one says `nothing` instead.
    pub fn table<const N: usize>(&mut self, header: [&str; N], rows: Vec<[String; N]>, nothing: &str) {
        if rows.is_empty() {
            self.line(nothing);
            return;
        }
        let mut table = Table::new();
        table.load_style(STYLE);
        // A file or a pipe gets whole lines.
        if self.fit {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table.force_no_tty().set_content_arrangement(ContentArrangement::Disabled);
        }
        table.set_header(header);
        for row in rows {
            table.add_row(row.map(|cell| clean(&cell)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for line in table.lines() {
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    /// A document as an outline.
    pub fn outline(&mut self, value: &Value) {
        self.nested(value, 0);
    }

    fn nested(&mut self, value: &Value, depth: usize) {
        let indent = "  ".repeat(depth);
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match scalar(value) {
                        Some(text) if text.is_empty() => {}
                        Some(text) => self.line(format!("{indent}{name}: {text}")),
                        None => {
                            self.line(format!("{indent}{name}:"));
                            self.nested(value, depth + 1);
                        }
                    }
                }
            }
            Value::Array(items) => {
                for item in items {
                    match scalar(item) {
                        Some(text) => self.line(format!("{indent}- {text}")),
                        None => {
                            self.line(format!("{indent}-"));
                            self.nested(item, depth + 1);
                        }
                    }
                }
            }
            other => self.line(format!("{indent}{}", scalar(other).unwrap_or_default())),
        }
    }

    /// The text of the page.
    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }
}

/// What fits on the line of its name: a value, or a list of values.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        Value::Bool(yes) => Some(if *yes { "yes" } else { "no" }.to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            Some(items.iter().filter_map(scalar).collect::<Vec<_>>().join(", "))
        }
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// A text of foreign origin without what could steer a terminal, or turn the text around it. Isolates that are closed
/// where they were opened (Unicode TR9) turn nothing but what is in them, and Arabic needs them.
fn clean(text: &str) -> String {
    let closed = isolates_are_closed(text);
    let steers = |c: char| match c {
        '\u{202a}'..='\u{202e}' => true,
        '\u{2066}'..='\u{2069}' => !closed,
        c => c.is_control() && c != '\n' && c != '\t',
    };
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

/// Whether every isolate ends on the line that it began on.
fn isolates_are_closed(text: &str) -> bool {
    text.lines().all(|line| {
        let mut open = 0_u32;
        let joins = line.chars().all(|c| match c {
            '\u{2066}'..='\u{2068}' => {
                open += 1;
                true
            }
            '\u{2069}' => open.checked_sub(1).map(|left| open = left).is_some(),
            _ => true,
        });
        joins && open == 0
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn isolates_pass_when_they_are_closed_and_nothing_else_that_turns_text() {
        for (text, shown) in [
            ("\u{2068}160\u{2069} أشخاص", "\u{2068}160\u{2069} أشخاص"),
            ("\u{2068}160 أشخاص", "\u{fffd}160 أشخاص"),
            ("a\u{2069}b\u{2068}", "a\u{fffd}b\u{fffd}"),
            ("\u{2067}a\nb\u{2069}", "\u{fffd}a\nb\u{fffd}"),
            ("\u{202e}gpj.exe", "\u{fffd}gpj.exe"),
        ] {
            assert_eq!(clean(text), shown);
        }
    }

    #[test]
    fn a_page_reads_well() {
        let mut page = Page::new(false);
        page.pairs([
            ("id", "1".to_owned()),
            ("nothing", String::new()),
            ("headline", "Bus \u{1b}[2Jat Rosso".to_owned()),
        ]);
        page.table(["peer", "link"], vec![["GM".to_owned(), "up".to_owned()]], "no peers");
        page.table(["peer"], Vec::new(), "no peers");
        page.outline(
            &json!({"travel": {"arrival": "Rosso", "with": ["a", "b"]}, "empty": null, "list": [{"x": true}]}),
        );
        assert_eq!(
            page.finish(),
            "id        1\nheadline  Bus \u{fffd}[2Jat Rosso\npeer  link\n────────────\nGM    up\nno peers\n\
             list:\n  -\n    x: yes\ntravel:\n  arrival: Rosso\n  with: a, b\n"
        );
    }
}
