//! The countries of the network and their neighbours on the routes: codes, names in four languages, hours from UTC.

use std::sync::LazyLock;

use super::{fold::folded, table};

/// What is known of a country.
#[derive(Debug)]
pub struct CountryFacts {
    /// ISO 3166-1 alpha-2.
    pub code: &'static str,
    /// ISO 3166-1 alpha-3.
    pub alpha3: &'static str,
    /// Whether its Society is one of the ten members.
    pub member: bool,
    /// Minutes that its clocks are ahead of UTC, all year; none where they are not the same all year or all over.
    pub utc_minutes: Option<i16>,
    names: [&'static str; 4],
    aliases: Vec<&'static str>,
}

impl CountryFacts {
    /// Its name in `language` (BCP 47; only the primary subtag counts): French, English, Portuguese or Arabic,
    /// French for any other.
    #[must_use]
    pub fn name(&self, language: &str) -> &'static str {
        let [fr, en, pt, ar] = self.names;
        match crate::catalogue::labels::primary(language) {
            "en" => en,
            "pt" => pt,
            "ar" => ar,
            _ => fr,
        }
    }

    /// All names that it is known by.
    pub fn all_names(&self) -> impl Iterator<Item = &'static str> {
        self.names.into_iter().chain(self.aliases.iter().copied())
    }
}

static COUNTRIES: LazyLock<Vec<CountryFacts>> = LazyLock::new(|| {
    let row = |row: table::Row| CountryFacts {
        code: row.text(0),
        alpha3: row.text(1),
        member: row.text(2) == "member",
        utc_minutes: row.number(3),
        names: [row.text(4), row.text(5), row.text(6), row.text(7)],
        aliases: row.list(8),
    };
    table::rows(include_str!("data/countries.tsv")).map(row).collect()
});

/// All of them, the members first.
#[must_use]
pub fn countries() -> &'static [CountryFacts] {
    &COUNTRIES
}

/// The country with this ISO 3166-1 alpha-2 or alpha-3 code, in whatever case.
#[must_use]
pub fn country(code: &str) -> Option<&'static CountryFacts> {
    COUNTRIES.iter().find(|facts| facts.code.eq_ignore_ascii_case(code) || facts.alpha3.eq_ignore_ascii_case(code))
}

/// The countries that a name may mean: those called so, and those whose name begins with it or holds it as a word.
/// `Niger` gives Niger and Nigeria, `Guinée` three countries: who asks has to choose.
#[must_use]
pub fn countries_named(name: &str) -> Vec<&'static CountryFacts> {
    let wanted = folded(name);
    if wanted.chars().count() < 3 {
        return Vec::new();
    }
    let alike = |known: &str| {
        let known = folded(known);
        known.starts_with(&wanted) || known.split(' ').any(|word| word == wanted)
    };
    COUNTRIES.iter().filter(|facts| facts.all_names().any(alike)).collect()
}
