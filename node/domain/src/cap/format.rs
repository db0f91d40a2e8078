//! What a document says that it is, by its root element.

use super::CAP_NAMESPACE;

/// How many things in angle brackets may stand before the first start tag of a document that cannot be read.
const SNIFFED_MAX: usize = 100;

/// What the root of a document says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// CAP 1.2 (OASIS, 2010).
    Cap12,
    /// CAP 1.1 (OASIS, 2005).
    Cap11,
    /// CAP 1.0 (OASIS, 2004).
    Cap10,
    /// A feed or entry of Atom (RFC 4287).
    Atom,
    /// A container of EDXL-DE, 1.0 or 2.0.
    EdxlDe,
    /// Anything else.
    Other,
}

impl Format {
    /// The name under which programs know it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cap12 => "cap-1.2",
            Self::Cap11 => "cap-1.1",
            Self::Cap10 => "cap-1.0",
            Self::Atom => "atom",
            Self::EdxlDe => "edxl-de",
            Self::Other => "other",
        }
    }

    /// The format of a root element.
    pub(super) fn of(namespace: Option<&str>, name: &str) -> Self {
        match (namespace.unwrap_or_default(), name) {
            (CAP_NAMESPACE, "alert") => Self::Cap12,
            ("urn:oasis:names:tc:emergency:cap:1.1", "alert") => Self::Cap11,
            ("urn:oasis:names:tc:emergency:cap:1.0" | "http://www.incident.com/cap/1.0", "alert") => Self::Cap10,
            ("http://www.w3.org/2005/Atom", "feed" | "entry") => Self::Atom,
            (namespace, name)
                if namespace.to_ascii_lowercase().starts_with("urn:oasis:names:tc:emergency:edxl:de:")
                    && name.eq_ignore_ascii_case("EDXLDistribution") =>
            {
                Self::EdxlDe
            }
            _ => Self::Other,
        }
    }
    /// What the beginning of a document that cannot be read says that it is: by its first start tag, whole or cut off.
    pub(super) fn sniffed(text: &str) -> Self {
        let tag = text.match_indices('<').take(SNIFFED_MAX).find_map(|(at, _)| {
            let tag = &text[at + 1..];
            tag.starts_with(|c: char| c.is_alphabetic() || c == '_').then_some(tag)
        });
        let Some(tag) = tag else { return Self::Other };
        let tag = tag.split('>').next().unwrap_or_default();
        let qualified = tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
        let (declaration, name) = match qualified.split_once(':') {
            Some((prefix, name)) => (format!("xmlns:{prefix}"), name),
            None => ("xmlns".to_owned(), qualified),
        };
        let value = tag.match_indices(&declaration).find_map(|(at, _)| {
            let value = tag[at + declaration.len()..].trim_start().strip_prefix('=')?.trim_start();
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            value[1..].split(quote).next()
        });
        Self::of(value, name)
    }
}
