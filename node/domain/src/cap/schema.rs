//! The OASIS schema of CAP 1.2: which elements stand where, in which order and how often, and of which type their
//! texts are. What the schema allows is allowed; what it rejects is an error with its place.

use std::fmt;

use super::{
    finding::{Findings, Rule},
    types::{instant, is_decimal, is_integer, is_language, is_uri},
    xml::{Element, Space},
};

/// How often an element may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Often {
    Once,
    Perhaps,
    OnceOrMore,
    Any,
}

impl Often {
    fn required(self) -> bool {
        matches!(self, Self::Once | Self::OnceOrMore)
    }

    fn repeats(self) -> bool {
        matches!(self, Self::OnceOrMore | Self::Any)
    }
}

use Often::{Any, Once, OnceOrMore, Perhaps};

/// What an element holds.
#[derive(Clone, Copy, Debug)]
enum Content {
    /// `xs:string`.
    Text,
    /// `xs:string` of a list.
    Code(&'static [&'static str]),
    /// `xs:dateTime` in the pattern of CAP.
    Instant,
    Language,
    Uri,
    Integer,
    Decimal,
    /// Elements in this order.
    Sequence(&'static [Item]),
}

use Content::{Code, Decimal, Instant, Integer, Language, Sequence, Text, Uri};

/// An element of a sequence.
type Item = (&'static str, Often, Content);

const ALERT: &[Item] = &[
    ("identifier", Once, Text),
    ("sender", Once, Text),
    ("sent", Once, Instant),
    ("status", Once, Code(&["Actual", "Exercise", "System", "Test", "Draft"])),
    ("msgType", Once, Code(&["Alert", "Update", "Cancel", "Ack", "Error"])),
    ("source", Perhaps, Text),
    ("scope", Once, Code(&["Public", "Restricted", "Private"])),
    ("restriction", Perhaps, Text),
    ("addresses", Perhaps, Text),
    ("code", Any, Text),
    ("note", Perhaps, Text),
    ("references", Perhaps, Text),
    ("incidents", Perhaps, Text),
    ("info", Any, Sequence(INFO)),
];

const INFO: &[Item] = &[
    ("language", Perhaps, Language),
    (
        "category",
        OnceOrMore,
        Code(&[
            "Geo",
            "Met",
            "Safety",
            "Security",
            "Rescue",
            "Fire",
            "Health",
            "Env",
            "Transport",
            "Infra",
            "CBRNE",
            "Other",
        ]),
    ),
    ("event", Once, Text),
    (
        "responseType",
        Any,
        Code(&["Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"]),
    ),
    ("urgency", Once, Code(&["Immediate", "Expected", "Future", "Past", "Unknown"])),
    ("severity", Once, Code(&["Extreme", "Severe", "Moderate", "Minor", "Unknown"])),
    ("certainty", Once, Code(&["Observed", "Likely", "Possible", "Unlikely", "Unknown"])),
    ("audience", Perhaps, Text),
    ("eventCode", Any, Sequence(PAIR)),
    ("effective", Perhaps, Instant),
    ("onset", Perhaps, Instant),
    ("expires", Perhaps, Instant),
    ("senderName", Perhaps, Text),
    ("headline", Perhaps, Text),
    ("description", Perhaps, Text),
    ("instruction", Perhaps, Text),
    ("web", Perhaps, Uri),
    ("contact", Perhaps, Text),
    ("parameter", Any, Sequence(PAIR)),
    ("resource", Any, Sequence(RESOURCE)),
    ("area", Any, Sequence(AREA)),
];

const RESOURCE: &[Item] = &[
    ("resourceDesc", Once, Text),
    ("mimeType", Once, Text),
    ("size", Perhaps, Integer),
    ("uri", Perhaps, Uri),
    ("derefUri", Perhaps, Text),
    ("digest", Perhaps, Text),
];

const AREA: &[Item] = &[
    ("areaDesc", Once, Text),
    ("polygon", Any, Text),
    ("circle", Any, Text),
    ("geocode", Any, Sequence(PAIR)),
    ("altitude", Perhaps, Decimal),
    ("ceiling", Perhaps, Decimal),
];

const PAIR: &[Item] = &[("valueName", Once, Text), ("value", Once, Text)];

/// The place of an element, written as `alert/info[2]/area[1]/polygon[1]`.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    name: &'a str,
    /// Its number among its like, from 1, where it may repeat; otherwise 0.
    number: usize,
}

impl<'a> Path<'a> {
    pub(super) const ROOT: Path<'static> = Path { parent: None, name: "alert", number: 0 };

    /// The path of a child; `number` is its number among its like, from 1, or 0 where it stands once.
    pub(super) fn child(&'a self, name: &'a str, number: usize) -> Path<'a> {
        Path { parent: Some(self), name, number }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}/")?;
        }
        f.write_str(self.name)?;
        if self.number > 0 { write!(f, "[{}]", self.number) } else { Ok(()) }
    }
}

/// Holds the whole document to the schema.
pub(super) fn check(root: &Element, findings: &mut Findings) {
    element(root, Sequence(ALERT), &Path::ROOT, findings);
}

fn element(element: &Element, content: Content, path: &Path<'_>, findings: &mut Findings) {
    attributes(element, content, path, findings);
    if let Sequence(items) = content {
        if !element.text.is_empty() {
            findings.add(Rule::SchemaText, path, element.at(), "text stands between the elements");
        }
        return sequence(element, items, path, findings);
    }
    if let Some(child) = element.children.first() {
        findings.add(Rule::SchemaChildren, path, child.at(), "an element stands inside one that holds text");
        return;
    }
    let text = element.text.as_str();
    let broken = match content {
        Code(codes) if codes.contains(&text) && !element.padded => None,
        Code(codes) => {
            let message = format!("{} is one of {}, exactly", element.name, codes.join(", "));
            return findings.add(Rule::SchemaCode, path, element.at(), message);
        }
        Instant => instant(text).is_none().then_some(Rule::SchemaTime),
        // The schema has a default, en-US, for an empty language.
        Language => ((!text.is_empty() || element.padded) && !is_language(text)).then_some(Rule::SchemaLanguage),
        Uri => (!is_uri(text)).then_some(Rule::SchemaUri),
        Integer => (!is_integer(text)).then_some(Rule::SchemaInteger),
        Decimal => (!is_decimal(text)).then_some(Rule::SchemaDecimal),
        Text | Sequence(_) => None,
    };
    if let Some(rule) = broken {
        findings.add(rule, path, element.at(), format!("{}: {}", element.name, rule.sentence()));
    }
}

/// No element of CAP declares attributes; those of schema instances may stand anywhere, if they say what is so.
fn attributes(element: &Element, content: Content, path: &Path<'_>, findings: &mut Findings) {
    let declared = match content {
        Text => "string",
        Language => "language",
        Uri => "anyURI",
        Integer => "integer",
        Decimal => "decimal",
        Code(_) | Instant | Sequence(_) => "",
    };
    for attribute in &element.attributes {
        let value = attribute.value.as_str();
        let fine = attribute.of_schema
            && match attribute.name.as_str() {
                "schemaLocation" | "noNamespaceSchemaLocation" => true,
                "type" => !declared.is_empty() && value.rsplit(':').next() == Some(declared),
                _ => false,
            };
        if !fine {
            findings.add(Rule::SchemaAttribute, path, element.at(), "an attribute that the schema does not have");
        }
    }
}

fn sequence(parent: &Element, items: &[Item], path: &Path<'_>, findings: &mut Findings) {
    let mut counts = vec![0_usize; items.len()];
    let mut position = 0;
    let mut signed = false;
    let is_alert = path.parent.is_none();
    for child in &parent.children {
        if child.space == Space::Signature && is_alert {
            signed = true;
            continue;
        }
        let found = items.iter().position(|(name, ..)| child.space == Space::Cap && *name == child.name);
        let Some(index) = found else {
            let message = format!("CAP has no such element in {}", parent.name);
            findings.add(Rule::SchemaUnknown, path.child(&child.name, 0), child.at(), message);
            continue;
        };
        let (name, often, content) = items[index];
        counts[index] += 1;
        let here = path.child(name, if often.repeats() { counts[index] } else { 0 });
        if counts[index] > 1 && !often.repeats() {
            findings.add(Rule::SchemaRepeated, here, child.at(), format!("{name} stands more than once"));
        } else if index < position || signed {
            let after = if signed { "the signature" } else { items[position].0 };
            findings.add(Rule::SchemaOrder, here, child.at(), format!("{name} stands before {after}"));
        }
        position = position.max(index);
        element(child, content, &here, findings);
    }
    for ((name, often, _), count) in items.iter().zip(&counts) {
        if often.required() && *count == 0 {
            let message = format!("{} has no {name}", parent.name);
            findings.add(Rule::SchemaMissing, path.child(name, 0), parent.at(), message);
        }
    }
}
