//! The checker: what a document is, whether it is valid CAP 1.2, and everything found in it.

use std::collections::BTreeSet;

use super::{
    finding::{Finding, Findings, Rule, Severity},
    form::{children, text},
    format::Format,
    rules, schema,
    xml::{self, Document, Element, Space},
};
use crate::limits::{CAP_CHECK_BYTES_MAX, ORIGINAL_BYTES_MAX};

/// Whether a document is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Valid CAP 1.2.
    Valid,
    /// Valid CAP 1.2, with warnings.
    ValidWithWarnings,
    /// Meant as CAP 1.2, and not valid.
    Invalid,
    /// Not CAP 1.2.
    OtherFormat,
}

impl Verdict {
    /// The name under which programs know it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::ValidWithWarnings => "valid-with-warnings",
            Self::Invalid => "invalid",
            Self::OtherFormat => "other-format",
        }
    }
}

/// What the checker says of one document. The texts are those of the document, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the document is.
    pub format: Format,
    /// Whether it is valid.
    pub verdict: Verdict,
    /// Everything found, in the order of the document.
    pub findings: Vec<Finding>,
    /// How many more findings there are: of each severity at most a hundred are kept.
    pub findings_left_out: usize,
    /// The languages of the info blocks, each once; `en-US` where a block names none (CAP 1.2, 3.2.2).
    pub languages: Vec<String>,
    /// The references to earlier messages, as written.
    pub references: Vec<String>,
    /// CAP `identifier`.
    pub identifier: Option<String>,
    /// CAP `sender`.
    pub sender: Option<String>,
    /// CAP `sent`, as written.
    pub sent: Option<String>,
    /// CAP `status`.
    pub status: Option<String>,
    /// CAP `msgType`.
    pub msg_type: Option<String>,
    /// How many signatures there are; none is verified here.
    pub signatures: usize,
}

/// Checks a document. Nothing that it names is ever fetched or followed.
#[must_use]
pub fn check(bytes: &[u8]) -> Report {
    let (document, findings) = examine(bytes);
    let root = document.root.as_ref();
    let of = |name: &str| root.and_then(|root| text(root, name)).map(str::to_owned);
    let verdict = match (document.format, findings.any(Severity::Error), findings.any(Severity::Warning)) {
        (Format::Cap12, true, _) => Verdict::Invalid,
        (Format::Cap12, false, true) => Verdict::ValidWithWarnings,
        (Format::Cap12, false, false) => Verdict::Valid,
        _ => Verdict::OtherFormat,
    };
    Report {
        format: document.format,
        verdict,
        languages: root.map(languages).unwrap_or_default(),
        references: of("references")
            .map(|text| text.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_default(),
        identifier: of("identifier"),
        sender: of("sender"),
        sent: of("sent"),
        status: of("status"),
        msg_type: of("msgType"),
        signatures: root.map_or(0, signatures),
        findings_left_out: findings.left_out,
        findings: findings.into_vec(),
    }
}

/// Reads a document and holds it to schema and standard.
pub(super) fn examine(bytes: &[u8]) -> (Document, Findings) {
    let mut findings = Findings::default();
    if bytes.len() > CAP_CHECK_BYTES_MAX {
        let message = format!("the document is larger than {CAP_CHECK_BYTES_MAX} bytes, and was not read");
        findings.add(Rule::XmlSize, "", (1, 1), message);
        // What it is can be told from its beginning; that this ends too early is known already.
        let document = xml::read(&bytes[..ORIGINAL_BYTES_MAX], &mut Findings::default());
        return (Document { root: None, ..document }, findings);
    }
    let document = xml::read(bytes, &mut findings);
    match document.format {
        Format::Cap12 => {
            if bytes.len() > ORIGINAL_BYTES_MAX {
                let message = format!("this network imports at most {ORIGINAL_BYTES_MAX} bytes");
                findings.add(Rule::LimitSize, "", (1, 1), message);
            }
            if let Some(root) = &document.root {
                schema::check(root, &mut findings);
                rules::check(root, &mut findings);
            }
        }
        other => {
            let rule = match other {
                Format::Cap11 | Format::Cap10 => Rule::FormatOlder,
                Format::Atom => Rule::FormatFeed,
                Format::EdxlDe => Rule::FormatWrapper,
                Format::Cap12 | Format::Other => Rule::FormatOther,
            };
            // A document without a root is no XML, which was said already.
            if let Some(at) = document.root_at {
                findings.add(rule, "", at, rule.sentence());
            }
        }
    }
    (document, findings)
}

/// How many signatures stand in an alert.
pub(super) fn signatures(root: &Element) -> usize {
    children(root, "Signature").filter(|element| element.space == Space::Signature).count()
}

fn languages(root: &Element) -> Vec<String> {
    let all = children(root, "info").map(|info| text(info, "language").unwrap_or(rules::DEFAULT_LANGUAGE));
    let mut seen = BTreeSet::new();
    all.filter(|language| seen.insert(*language)).map(str::to_owned).collect()
}
