//! The document that an alert was imported from: what it says of itself, and what of it the alert does not hold.
//! That is found by writing the alert anew and looking for each text of the original in what was written, so that
//! nothing can be forgotten.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CAP_MEDIA_TYPE, CapHeader, CapImport, CapOptions,
    form::{Faults, cap_time, child, children, free_text, items, one_line, pairs, shortened, text},
    geometry, header, places, sender, sender_society,
    write::{self, Alias, Issued},
    xml::{self, AlertTree, Element},
};
use crate::{
    alert::{Alert, AlertDraft, Language, Original},
    catalogue::Mode,
    digest::Digest,
    limits::{FAULTS_MAX, NAME_BYTES_MAX, TEXTS_MAX},
    time::Time,
};

/// What a document that an alert was imported from says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Its identifier, sender, time and references, and whether there is a signature.
    pub header: CapHeader,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// The languages of its blocks, each once, in their order; at most 20.
    pub languages: Vec<Language>,
    /// What stands there and not in the alert, such as `info/web`, `info/parameter NAME (2)`; at most 100.
    pub only_there: Vec<String>,
}

/// The bytes of an alert's words that are searched for those of its document, all searches together: enough for real
/// alerts, and a moment at the most for one that was made to be dear.
const SEARCHED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The document that an alert of ours or of a peer's was imported from, read.
fn read(alert: &Alert) -> Option<(&Original, AlertTree, CapHeader)> {
    let original = alert.original.as_ref().filter(|original| original.media_type == CAP_MEDIA_TYPE)?;
    let document = xml::alert(&original.bytes)?;
    let mut faults = Faults::default();
    // Whether it was sent in the future was asked when it was imported.
    let header = header(&document.root, Time::from_millis(u64::MAX), &mut faults).filter(|_| faults.is_empty())?;
    Some((original, document, header))
}

/// The name by which others know the document that an alert was imported from; none where there is none, as for
/// [`imported`].
#[must_use]
pub fn alias(alert: &Alert) -> Option<Alias> {
    let (_, document, CapHeader { sender, identifier, sent, .. }) = read(alert)?;
    let sent_text = text(&document.root, "sent").unwrap_or_default();
    Some(Alias { triple: format!("{sender},{identifier},{sent_text}"), sent })
}

/// The document that an alert was imported from; none when it was not, or when what is kept as its original is no
/// CAP 1.2 message, which a peer's may be.
#[must_use]
pub fn imported(issued: &Issued<'_>) -> Option<Imported> {
    let (original, document, header) = read(issued.alert)?;
    let root = &document.root;
    let mut languages: Vec<Language> = Vec::new();
    for info in children(root, "info") {
        let Ok(language) = text(info, "language").unwrap_or(super::info::DEFAULT_LANGUAGE).parse() else { continue };
        if languages.len() < TEXTS_MAX && !languages.contains(&language) {
            languages.push(language);
        }
    }
    let mut only_there = missing(root, issued);
    if document.comments.iter().any(|(_, comment)| !comment.trim().is_empty()) {
        only_there.push("comments".to_owned());
    }
    only_there.truncate(FAULTS_MAX);
    Some(Imported { header, digest: Digest::of(&original.bytes), languages, only_there })
}

/// Elements whose words a document may hold beside those that an import reads, and a person may stand in.
const BESIDE: [&str; 4] = ["contact", "senderName", "audience", "web"];

/// The document that an alert was imported from, where it may stand for the alert before everybody: it is Actual and
/// Public itself, the alert says what it says and nothing besides, and no one is named where an import does not look.
/// What its importer decides, the event, the source and whom it is for, is asked of the alert.
#[must_use]
pub fn public_original<'a>(issued: &Issued<'a>) -> Option<&'a [u8]> {
    let alert = issued.alert;
    let original = alert.original.as_ref().filter(|original| original.media_type == CAP_MEDIA_TYPE)?;
    let root = xml::alert(&original.bytes)?.root;
    let shown = text(&root, "scope") == Some("Public") && text(&root, "status") == Some(Mode::Actual.as_str());
    let infos = || children(&root, "info");
    if !shown || !infos().flat_map(beside).all(|words| free_text(words).is_ok()) {
        return None;
    }
    let options = CapOptions { event: Some(alert.event), source_type: Some(alert.source_type) };
    // Whether it was sent in the future was asked when it was imported.
    let Ok(CapImport::Alert { draft, .. }) = super::read(&original.bytes, Time::from_millis(u64::MAX), &options) else {
        return None;
    };
    let draft = AlertDraft {
        kind: None,
        supersedes: alert.supersedes.clone(),
        sensitivity: Some(alert.sensitivity),
        distribution: alert.distribution.clone(),
        ..*draft
    };
    let again = Alert::from_draft(draft, alert.sent_at).ok()?;
    (again == *alert).then_some(&original.bytes)
}

/// What an info block says where an import does not look: names and values of other profiles too.
fn beside(info: &Element) -> impl Iterator<Item = &str> {
    let plain = BESIDE.iter().flat_map(|name| children(info, name)).map(|element| element.text.as_str());
    let resources = children(info, "resource").flat_map(|resource| {
        ["resourceDesc", "uri"].into_iter().flat_map(move |name| children(resource, name).map(|one| one.text.as_str()))
    });
    let codes = children(info, "area").flat_map(|area| pairs(area, "geocode"));
    let foreign = pairs(info, "parameter").chain(pairs(info, "eventCode")).chain(codes);
    let foreign = foreign.filter(|(_, name, _)| !name.starts_with("sp:"));
    plain.chain(resources).chain(foreign.flat_map(|(_, name, value)| [name, value]))
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

/// The circles of a CAP document, each once: latitude and longitude of its middle in degrees, and its radius in kilometres.
/// What is no circle is left out.
#[must_use]
pub fn circles(document: &[u8]) -> Vec<(f64, f64, f64)> {
    let Some(document) = xml::alert(document) else { return Vec::new() };
    let mut budget = geometry::Budget::default();
    let mut seen = BTreeSet::new();
    let areas = children(&document.root, "info").flat_map(|info| children(info, "area"));
    areas
        .flat_map(|area| children(area, "circle"))
        .filter(|shape| !shape.text.is_empty() && seen.insert(shape.text.as_str()))
        .filter_map(|shape| geometry::circle(&shape.text, &mut budget).ok())
        .map(|((latitude, longitude), km)| (latitude, longitude, km))
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
    let mut searched = 0;
    for (path, text) in there {
        let told = match path.as_str() {
            // The document's name is shown with the alert.
            "identifier" | "sender" => true,
            path if WORDS.contains(&path) => words.iter().any(|held| {
                searched += held.len();
                searched <= SEARCHED_BYTES_MAX && held.contains(&text)
            }),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catalogue::Sensitivity, ids::AlertId, society::MEMBERS};

    const SAMPLE: &str = include_str!("../../../../config/demo/alert.cap.xml");

    fn now() -> Time {
        "2026-11-24T06:30:00Z".parse().expect("a time")
    }

    /// The sample as a warning of the public, with changes.
    fn warning(changes: &[(&str, &str)]) -> String {
        let mut text = SAMPLE.replace("<status>Exercise", "<status>Actual");
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        text
    }

    /// The alert that an import makes of a document, once its importer has had a say.
    fn taken(document: &str, decide: impl FnOnce(&mut AlertDraft)) -> Alert {
        let read = super::super::read(document.as_bytes(), now(), &CapOptions::default()).expect("it can be imported");
        let CapImport::Alert { draft, .. } = read else { unreachable!("it is an alert") };
        let mut draft = AlertDraft { kind: None, sensitivity: Some(Sensitivity::Public), ..*draft };
        decide(&mut draft);
        Alert::from_draft(draft, now()).expect("an alert")
    }

    fn shown(alert: &Alert) -> Option<&[u8]> {
        public_original(&Issued { id: AlertId::from_bytes([7; 16]), origin: MEMBERS[6].society, alert })
    }

    #[test]
    fn a_document_stands_for_its_alert_before_everybody_while_they_say_the_same() {
        let document = warning(&[]);
        let alert = taken(&document, |draft| draft.distribution = vec![MEMBERS[0].society]);
        assert_eq!(shown(&alert), Some(document.as_bytes()));
        for (story, change) in [
            ("another text", (|draft| draft.texts[0].description = Some("Other words.".into())) as fn(&mut AlertDraft)),
            ("another end", |draft| {
                draft.expires_at = Some(crate::alert::When::At("2027-01-01T00:00:00Z".parse().expect("a time")));
            }),
            ("a graver word", |draft| draft.severity = Some(crate::catalogue::Severity::Severe)),
            ("a place besides", |draft| draft.places.push(draft.places[0].clone())),
            ("no document", |draft| draft.original = None),
        ] {
            assert_eq!(shown(&taken(&document, change)), None, "{story}");
        }
    }

    #[test]
    fn a_document_that_was_made_to_be_dear_is_looked_at_in_a_moment() {
        let areas: String =
            (0..16_000).map(|n| format!("<area><areaDesc>place {n} that nobody knows</areaDesc></area>")).collect();
        let document = warning(&[]).replacen("</area>", &format!("</area>{areas}"), 1);
        let mut alert = taken(&warning(&[]), |draft| {
            for text in &mut draft.texts {
                text.description = Some("a b c d e f ".repeat(1_600));
            }
        })
        .to_draft();
        alert.original.as_mut().expect("a document").bytes = document.into_bytes();
        let alert = Alert::from_draft(alert, now()).expect("a peer's may be so");
        let started = std::time::Instant::now();
        let issued = Issued { id: AlertId::from_bytes([7; 16]), origin: MEMBERS[6].society, alert: &alert };
        let found = imported(&issued).expect("a document").only_there;
        assert!(found.iter().any(|there| there.starts_with("info/area/areaDesc (1")), "{found:?}");
        assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    }

    #[test]
    fn a_document_that_is_not_for_everybody_or_names_somebody_does_not_stand_for_its_alert() {
        for (story, document) in [
            ("an exercise", SAMPLE.to_owned()),
            ("restricted", warning(&[("<scope>Public", "<scope>Restricted")])),
            (
                "a telephone where nobody looks",
                warning(&[("    <parameter>", "    <contact>Awa, +221 77 123 45 67</contact>\n    <parameter>")]),
            ),
            (
                "a telephone in a parameter of another profile",
                warning(&[(
                    "    <parameter>",
                    "    <parameter><valueName>Garde</valueName><value>Awa +221 77 123 45 67</value></parameter>\n    <parameter>",
                )]),
            ),
            (
                "an account in an address",
                warning(&[("    <parameter>", "    <web>https://facebook.com/awa.diop</web>\n    <parameter>")]),
            ),
            (
                "a telephone as the code of a place",
                warning(&[(
                    "</area>",
                    "<geocode><valueName>office</valueName><value>+221 77 123 45 67</value></geocode></area>",
                )]),
            ),
        ] {
            assert_eq!(shown(&taken(&document, |_| {})), None, "{story}");
        }
        let office = warning(&[("    <parameter>", "    <contact>Duty office</contact>\n    <parameter>")]);
        assert_eq!(shown(&taken(&office, |_| {})), Some(office.as_bytes()));
    }
}
