//! What the codes of the vocabularies are called in French, English, Portuguese and Arabic, from `labels.tsv`.

/// The languages that every label exists in.
pub const LANGUAGES: [&str; 4] = ["fr", "en", "pt", "ar"];

/// The primary subtag of a language tag (BCP 47) if labels exist in it, else `fr`, the network's most common language.
#[must_use]
pub fn primary(language: &str) -> &'static str {
    let first = language.split(['-', '_']).next().unwrap_or_default();
    LANGUAGES.into_iter().find(|known| known.eq_ignore_ascii_case(first)).unwrap_or("fr")
}
