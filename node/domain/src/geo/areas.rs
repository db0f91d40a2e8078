//! Administrative areas, each code with its scheme and the edition of its list: ISO 3166-2 and OCHA P-codes look
//! alike and mean different areas.

use std::sync::LazyLock;

use super::table;

/// An administrative area.
#[derive(Debug)]
pub struct Area {
    /// The scheme of the code: `iso3166-2` or `ocha-pcode`.
    pub scheme: &'static str,
    /// The edition of the list that the code was taken from.
    pub version: &'static str,
    /// The code in its scheme, such as `MR-09` or `MR09`.
    pub code: &'static str,
    /// ISO 3166-1 alpha-2.
    pub country: &'static str,
    /// The code of the area that it is a part of; none at the first level.
    pub parent: Option<&'static str>,
    /// Its name.
    pub name: &'static str,
    /// Other names, such as one that it took since.
    pub aliases: Vec<&'static str>,
}

static AREAS: LazyLock<Vec<Area>> = LazyLock::new(|| {
    let row = |row: table::Row| Area {
        scheme: row.text(0),
        version: row.text(1),
        code: row.text(2),
        country: row.text(3),
        parent: row.optional(4),
        name: row.text(5),
        aliases: row.list(6),
    };
    let texts = [include_str!("data/areas.tsv"), include_str!("data/pcodes.tsv")];
    texts.into_iter().flat_map(table::rows).map(row).collect()
});

/// All of them.
#[must_use]
pub fn areas() -> &'static [Area] {
    &AREAS
}

/// The areas with exactly this code. `MR-09` and `MR09` are two codes of two schemes; neither is taken for the other.
#[must_use]
pub fn areas_by_code(code: &str) -> Vec<&'static Area> {
    AREAS.iter().filter(|area| area.code.eq_ignore_ascii_case(code.trim())).collect()
}
