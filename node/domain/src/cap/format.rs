//! What a document says that it is, by its root element.

use super::CAP_NAMESPACE;

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
}
