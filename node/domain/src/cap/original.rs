//! The document that an alert was imported from: what it says of itself, and what of it the alert does not hold.
//! That is found by writing the alert anew and looking for each text of the original in what was written, so that
//! nothing can be forgotten.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CAP_MEDIA_TYPE, CapHeader,
    form::{Faults, cap_time, child, children, items, one_line, shortened, text},
    geometry, header, places, sender, sender_society,
    write::{self, Alias, Issued},
    xml::{self, Element},
};
use crate::{
    alert::Language,
    digest::Digest,
    limits::{FAULTS_MAX, NAME_BYTES_MAX},
    time::Time,
};

/// What a document that an alert was imported from says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Its identifier, sender, time and references, and whether there is a signature.
    pub header: CapHeader,
    /// `sent` as it is written there.
    pub sent_text: String,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// The languages of its blocks, each once, in their order.
    pub languages: Vec<Language>,
    /// What stands there and not in the alert, such as `info/web`, `info/parameter NAME (2)`; at most 100.
    pub only_there: Vec<String>,
}

impl Imported {
    /// The document's name for what refers to it.
    #[must_use]
    pub fn alias(&self) -> Alias {
        let CapHeader { sender, identifier, sent, .. } = &self.header;
        Alias { triple: format!("{sender},{identifier},{}", self.sent_text), sent: *sent }
    }
}

/// The document that an alert was imported from; none when it was not, or when what is kept as its original is no
/// CAP 1.2 message, which a peer's may be.
#[must_use]
pub fn imported(issued: &Issued<'_>) -> Option<Imported> {
    let original = issued.alert.original.as_ref().filter(|original| original.media_type == CAP_MEDIA_TYPE)?;
    let document = xml::alert(&original.bytes)?;
    let root = &document.root;
    let mut faults = Faults::default();
    // Whether it was sent in the future was asked when it was imported.
    let header = header(root, Time::from_millis(u64::MAX), &mut faults).filter(|_| faults.is_empty())?;
    let mut languages: Vec<Language> = Vec::new();
    for info in children(root, "info") {
        let Ok(language) = text(info, "language").unwrap_or(super::info::DEFAULT_LANGUAGE).parse() else { continue };
        if !languages.contains(&language) {
            languages.push(language);
        }
    }
    let mut only_there = missing(root, issued);
    if document.comments.iter().any(|(_, comment)| !comment.trim().is_empty()) {
        only_there.push("comments".to_owned());
    }
    only_there.truncate(FAULTS_MAX);
    let sent_text = text(root, "sent").unwrap_or_default().to_owned();
    Some(Imported { header, sent_text, digest: Digest::of(&original.bytes), languages, only_there })
}

/// The polygons of a CAP document, each once, their points as latitude and longitude in degrees. What is no polygon is
/// left out, and so is what is beyond the limits of an import.
#[must_use]
pub fn polygons(document: &[u8]) -> Vec<Vec<(f64, f64)>> {
    let Some(document) = xml::alert(document) else { return Vec::new() };
    let mut budget = geometry::Budget::default();
    let mut seen = BTreeSet::new();
    let areas = children(&document.root, "info").flat_map(|info| children(info, "area"));
    areas
        .flat_map(|area| children(area, "polygon"))
        // The blocks of two languages name the same areas.
        .filter(|shape| !shape.text.is_empty() && seen.insert(shape.text.as_str()))
        .filter_map(|shape| geometry::polygon(&shape.text, &mut budget).ok())
        .collect()
}

/// Elements whose words the alert may hold in another element, joined or shortened.
const WORDS: [&str; 6] = ["info/event", "info/headline", "info/description", "info/instruction", "info/audience", AREA];
const AREA: &str = "info/area/areaDesc";

fn missing(root: &Element, issued: &Issued<'_>) -> Vec<String> {
    let written = write::alert(issued, &[], false);
    // What is written here is well formed, and an empty tree would only say that all is missing.
    let Some(ours) = xml::alert(&written) else { return Vec::new() };
    let mut held = Vec::new();
    leaves(&ours.root, "", &mut held);
    let words: Vec<String> =
        held.iter().filter(|(path, _)| WORDS.contains(&path.as_str())).map(|(_, text)| text.clone()).collect();
    let held: BTreeSet<(String, String)> = held.into_iter().collect();
    let mut there = Vec::new();
    leaves(root, "", &mut there);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (path, text) in there {
        let told = match path.as_str() {
            // The document's name is shown with the alert.
            "identifier" | "sender" => true,
            path if WORDS.contains(&path) => words.iter().any(|held| held.contains(&text)),
            _ => held.contains(&(path.clone(), text)),
        };
        if !told {
            *counts.entry(path).or_default() += 1;
        }
    }
    let line = |(path, count): (String, usize)| if count == 1 { path } else { format!("{path} ({count})") };
    counts.into_iter().map(line).collect()
}

/// The texts of an element, each with its path and in the form in which two that mean the same are the same.
fn leaves(element: &Element, path: &str, into: &mut Vec<(String, String)>) {
    for inner in &element.children {
        let path = if path.is_empty() { inner.name.clone() } else { format!("{path}/{}", inner.name) };
        let values = [child(inner, "valueName"), child(inner, "value")];
        match (inner.name.as_str(), values) {
            ("eventCode" | "parameter" | "geocode", [Some(name), Some(value)]) => {
                let label = shortened(&one_line(&name.text), NAME_BYTES_MAX);
                into.push((format!("{path} {label}"), meaning(&name.text, &value.text)));
            }
            // A file is kept or not as a whole.
            ("resource" | "Signature", _) => into.push((path, String::new())),
            ("references", _) => {
                into.extend(inner.text.split_whitespace().map(|triple| (path.clone(), triple_meaning(triple))));
            }
            ("addresses" | "incidents", _) => {
                let item = |item: String| sender_society(&item).map(sender).unwrap_or(item);
                into.extend(items(&inner.text).into_iter().map(|text| (path.clone(), item(text))));
            }
            _ if !inner.children.is_empty() => leaves(inner, &path, into),
            _ if inner.text.is_empty() => {}
            (name, _) => into.push((path, meaning(name, &inner.text))),
        }
    }
}

fn triple_meaning(triple: &str) -> String {
    let parts: Vec<&str> = triple.split(',').collect();
    let [sender, identifier, sent] = parts[..] else { return triple.to_owned() };
    let sender = sender_society(sender).map_or_else(|| sender.to_owned(), super::sender);
    format!("{sender},{identifier},{}", meaning("sent", sent))
}

/// The text in one form for all ways to write the same: times as instants, numbers as such, codes as ours.
fn meaning(name: &str, text: &str) -> String {
    let line = one_line(text);
    match name {
        "sent" | "effective" | "onset" | "expires" => cap_time(&line).map_or(line, |time| time.millis().to_string()),
        "language" => line.parse().map_or(line, |language: Language| language.to_string()),
        "ISO3166-1" => places::country(&line).map_or(line, |country| country.to_string()),
        "circle" => {
            let number = |part: &str| part.parse::<f64>().ok().map(|number| number.to_string());
            let numbers: Option<Vec<String>> = line.split([' ', ',']).map(number).collect();
            numbers.map_or(line, |numbers| numbers.join(" "))
        }
        _ => line,
    }
}
