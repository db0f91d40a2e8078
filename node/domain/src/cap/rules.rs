//! What the CAP 1.2 standard asks beyond its schema (section 3), and what usually goes wrong in real alerts.
//! Errors are what the standard forbids; the rest are warnings and notes.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    area,
    finding::{Findings, Rule},
    form::{child, children, pairs, text},
    schema::Path,
    types::{instant, is_absolute, is_uri},
    xml::{Element, Space},
};
use crate::limits::{REFERENCES_MAX, TEXTS_MAX};

/// What a block says when it names no language (CAP 1.2, 3.2.2).
pub(super) const DEFAULT_LANGUAGE: &str = "en-US";
/// The longest reference to a character that is looked for in a text, with what ends it.
const ENTITY_BYTES_MAX: usize = 10;
/// Blocks that are compared with each other.
const COMPARED_MAX: usize = 64;
/// The code by which a document says that it follows our profile.
const PROFILE: &str = "SahelPlus:1.0";

/// Holds a document to the standard, the usual mistakes and, where it claims it, the profile.
pub(super) fn check(root: &Element, findings: &mut Findings) {
    header(root, findings);
    references(root, findings);
    empty(root, &Path::ROOT, findings);
    let claims = children(root, "code").any(|code| code.text == PROFILE);
    let mut budget = area::Budget::default();
    for (index, info) in children(root, "info").enumerate() {
        let path = Path::ROOT.child("info", index + 1);
        if index == TEXTS_MAX {
            let message = format!("this network imports at most {TEXTS_MAX} info blocks");
            findings.add(Rule::LimitInfos, path, info.at(), message);
        }
        block(root, info, &path, findings);
        for (index, area) in children(info, "area").enumerate() {
            area::check(area, &path.child("area", index + 1), &mut budget, findings);
        }
        if claims {
            profile(info, &path, findings);
        }
    }
    compare(root, findings);
    for signature in children(root, "Signature") {
        findings.add(Rule::Signature, "alert/Signature", signature.at(), Rule::Signature.sentence());
    }
}

/// A finding about a child that stands once, in the words of its rule.
fn about(rule: Rule, element: &Element, path: &Path<'_>, findings: &mut Findings) {
    findings.add(rule, path.child(&element.name, 0), element.at(), rule.sentence());
}

fn header(root: &Element, findings: &mut Findings) {
    for name in ["identifier", "sender"] {
        for element in children(root, name).take(1) {
            let text = &element.text;
            let bad = |c: char| c.is_whitespace() || matches!(c, ',' | '<' | '&');
            if text.is_empty() || element.padded || text.contains(bad) {
                about(Rule::Name, element, &Path::ROOT, findings);
            }
        }
    }
    let scope = text(root, "scope").unwrap_or_default();
    match (scope, child(root, "restriction")) {
        ("Restricted", None) => {
            let element = child(root, "scope").unwrap_or(root);
            about(Rule::RestrictionMissing, element, &Path::ROOT, findings);
        }
        ("Public" | "Private", Some(element)) => about(Rule::ScopeRestriction, element, &Path::ROOT, findings),
        _ => {}
    }
    if scope == "Private" && child(root, "addresses").is_none() {
        about(Rule::ScopeAddresses, child(root, "scope").unwrap_or(root), &Path::ROOT, findings);
    }
    if child(root, "note").is_none() {
        for (name, value, rule) in [("status", "Exercise", Rule::NoteExercise), ("msgType", "Error", Rule::NoteError)] {
            if let Some(element) = child(root, name).filter(|element| element.text == value) {
                about(rule, element, &Path::ROOT, findings);
            }
        }
    }
}

fn references(root: &Element, findings: &mut Findings) {
    let Some(element) = child(root, "references") else {
        if let Some(kind) = child(root, "msgType")
            && matches!(kind.text.as_str(), "Update" | "Cancel" | "Ack" | "Error")
        {
            let path = Path::ROOT.child("references", 0);
            let at = children(root, "references").next().unwrap_or(kind).at();
            let message = format!("a message of type {} refers to an earlier message", kind.text);
            findings.add(Rule::ReferenceMissing, path, at, message);
        }
        return;
    };
    if element.text.split_whitespace().nth(REFERENCES_MAX).is_some() {
        about(Rule::LimitReferences, element, &Path::ROOT, findings);
    }
    let (identifier, sender) = (text(root, "identifier"), text(root, "sender"));
    let sent = text(root, "sent").and_then(instant);
    let (mut malformed, mut itself, mut later) = (false, false, false);
    for triple in element.text.split_whitespace() {
        let parts: Vec<&str> = triple.split(',').collect();
        let at = parts.get(2).and_then(|text| instant(text));
        let ([earlier_sender, earlier, _], Some(at)) = (&parts[..], at) else {
            malformed = true;
            continue;
        };
        malformed |= earlier_sender.is_empty() || earlier.is_empty();
        itself |= (Some(*earlier), Some(*earlier_sender)) == (identifier, sender);
        later |= sent.is_some_and(|sent| at > sent);
    }
    for (broken, rule) in
        [(malformed, Rule::ReferenceForm), (itself, Rule::ReferenceSelf), (later, Rule::ReferenceFuture)]
    {
        if broken {
            about(rule, element, &Path::ROOT, findings);
        }
    }
}

/// Optional elements without content, and texts with markup in them, throughout the document.
fn empty(parent: &Element, path: &Path<'_>, findings: &mut Findings) {
    const REPEATED: [&str; 10] =
        ["info", "category", "responseType", "code", "eventCode", "parameter", "resource", "area", "polygon", "circle"];
    // What the schema allows to be empty, and what says nothing then. An empty value often has a meaning.
    const OPTIONAL: &str = " source restriction addresses code note incidents language audience senderName headline \
                            description instruction web contact uri derefUri digest polygon circle ";
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    for element in &parent.children {
        let name = element.name.as_str();
        let number = numbers.entry(name).or_default();
        *number += 1;
        let repeats = REPEATED.contains(&name) || name == "geocode";
        let here = path.child(name, if repeats { *number } else { 0 });
        if element.text.is_empty()
            && element.children.is_empty()
            && OPTIONAL.contains(&format!(" {name} "))
            && element.space == Space::Cap
        {
            findings.add(Rule::Empty, here, element.at(), format!("{name} is empty: leave it out"));
        }
        if has_markup(&element.text) {
            findings.add(Rule::TextMarkup, here, element.at(), "HTML stands in the text; CAP texts are plain");
        }
        empty(element, &here, findings);
    }
}

/// Whether a text holds what looks like a tag or an entity of HTML.
fn has_markup(text: &str) -> bool {
    let tag = |rest: &str| {
        let inside = rest.strip_prefix('/').unwrap_or(rest);
        inside.starts_with(|c: char| c.is_ascii_alphabetic())
            && inside.find(['<', '>']).is_some_and(|at| inside[at..].starts_with('>'))
    };
    let entity = |rest: &str| {
        // No further than the longest name: a text of nothing but & is read once, not once for each of them.
        let near = rest.as_bytes().get(..ENTITY_BYTES_MAX).unwrap_or(rest.as_bytes());
        let name = near.iter().position(|byte| *byte == b';').and_then(|end| near.get(..end)).unwrap_or_default();
        let name = name.strip_prefix(b"#").unwrap_or(name);
        (2..=8).contains(&name.len()) && name.iter().all(u8::is_ascii_alphanumeric)
    };
    text.match_indices(['<', '&']).any(|(at, mark)| {
        let rest = &text[at + 1..];
        if mark == "<" { tag(rest) } else { entity(rest) }
    })
}

fn block(root: &Element, info: &Element, path: &Path<'_>, findings: &mut Findings) {
    for element in children(info, "event").filter(|event| event.text.trim().is_empty()).take(1) {
        about(Rule::TextBlank, element, path, findings);
    }
    if let Some(web) = child(info, "web").filter(|web| is_uri(&web.text) && !is_absolute(&web.text)) {
        about(Rule::Web, web, path, findings);
    }
    if let Some(expires) = child(info, "expires")
        && let Some(end) = instant(&expires.text)
    {
        let others = [text(root, "sent"), text(info, "effective"), text(info, "onset")];
        if others.into_iter().flatten().filter_map(instant).any(|start| start > end) {
            about(Rule::TimeOrder, expires, path, findings);
        }
    }
    for (index, resource) in children(info, "resource").enumerate() {
        resource_rules(resource, &path.child("resource", index + 1), findings);
    }
}

fn resource_rules(resource: &Element, path: &Path<'_>, findings: &mut Findings) {
    for element in &resource.children {
        let text = element.text.as_str();
        let broken = match element.name.as_str() {
            "mimeType" => {
                let parts = text.split_once('/').filter(|(kind, sub)| !kind.is_empty() && !sub.is_empty());
                parts.is_none().then_some(Rule::Mime)
            }
            "size" => text.starts_with('-').then_some(Rule::ResourceSize),
            "uri" if !text.is_empty() => (is_uri(text) && !is_absolute(text) && child(resource, "derefUri").is_none())
                .then_some(Rule::ResourceUri),
            "derefUri" if !text.is_empty() => {
                let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
                STANDARD.decode(packed).is_err().then_some(Rule::ResourceDeref)
            }
            "digest" if !text.is_empty() => {
                let fits = text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                (!fits).then_some(Rule::ResourceDigest)
            }
            _ => None,
        };
        if let Some(rule) = broken {
            about(rule, element, path, findings);
        }
    }
}

/// The first subtag, in lower case: `en-US` and `en-GB` are one language here.
fn primary(info: &Element) -> String {
    let language = text(info, "language").unwrap_or(DEFAULT_LANGUAGE);
    language.split('-').next().unwrap_or_default().to_ascii_lowercase()
}

/// What can only be seen between blocks.
fn compare(root: &Element, findings: &mut Findings) {
    let infos: Vec<&Element> = children(root, "info").take(COMPARED_MAX).collect();
    let mut texts: BTreeMap<(&str, &str), String> = BTreeMap::new();
    // The first block of a language and an event that is for a place.
    let mut places = BTreeMap::new();
    for (index, info) in infos.iter().enumerate() {
        let path = Path::ROOT.child("info", index + 1);
        let language = primary(info);
        for name in ["headline", "description", "instruction"] {
            let Some(element) = child(info, name) else { continue };
            let first = texts.entry((name, &element.text)).or_insert_with(|| language.clone());
            if *first != language {
                about(Rule::TextSame, element, &path, findings);
            }
        }
        let about_what = (text(info, "language"), text(info, "event"));
        let covered: Vec<_> = children(info, "area").map(|area| (about_what, text(area, "areaDesc"))).collect();
        let earlier = covered.iter().filter_map(|place| places.get(place)).min().and_then(|first| infos.get(*first));
        for place in &covered {
            places.entry(*place).or_insert(index);
        }
        if let Some(earlier) = earlier {
            for name in ["urgency", "severity", "certainty"] {
                if let Some(element) =
                    child(info, name).filter(|element| Some(element.text.as_str()) != text(earlier, name))
                {
                    about(Rule::InfoOverride, element, &path, findings);
                }
            }
        }
    }
}

/// What the profile SahelPlus:1.0 asks of each block.
fn profile(info: &Element, path: &Path<'_>, findings: &mut Findings) {
    let areas = || children(info, "area");
    let shape = areas().any(|area| child(area, "polygon").is_some() || child(area, "circle").is_some());
    let geocode = areas().any(|area| child(area, "geocode").is_some());
    for (there, rule) in [
        (child(info, "expires").is_some(), Rule::ProfileExpires),
        (child(info, "language").is_some(), Rule::ProfileLanguage),
        (pairs(info, "eventCode").any(|(_, name, _)| name == "SahelPlus:event:1"), Rule::ProfileEvent),
        (shape && geocode, Rule::ProfileArea),
    ] {
        if !there {
            findings.add(rule, path, info.at(), rule.sentence());
        }
    }
}
