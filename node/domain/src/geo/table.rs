//! Reading the tables of `data/`: tab-separated lines, `#` for remarks, `|` within a list. The files are ours; a line
//! that is short a column is read as if it were empty there, and the tests hold the files to their form.

/// One line.
pub(super) struct Row(Vec<&'static str>);

impl Row {
    /// The text of a column; empty when there is none.
    pub(super) fn text(&self, column: usize) -> &'static str {
        self.0.get(column).copied().unwrap_or_default()
    }

    /// A column that may be empty.
    pub(super) fn optional(&self, column: usize) -> Option<&'static str> {
        Some(self.text(column)).filter(|text| !text.is_empty())
    }

    /// The items of a list.
    pub(super) fn list(&self, column: usize) -> Vec<&'static str> {
        self.text(column).split('|').filter(|item| !item.is_empty()).collect()
    }

    /// A number.
    pub(super) fn number<T: std::str::FromStr>(&self, column: usize) -> Option<T> {
        self.text(column).parse().ok()
    }
}

/// The lines of a table.
pub(super) fn rows(text: &'static str) -> impl Iterator<Item = Row> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| Row(line.split('\t').collect()))
}
