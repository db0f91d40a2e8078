//! The rules of an alert: what must hold among its fields. Run on every alert, own or foreign, before it
//! exists as an `Alert`.

use std::collections::BTreeSet;

use super::{
    fields::Fields,
    parts::{Action, Contact, Count, Original, Text},
    place,
};
use crate::{
    catalogue::{Band, Kind, Sensitivity},
    limits::{
        ALERT_BYTES_MAX, FREE_TEXT_CHARS_MAX, HEADLINE_CHARS_MAX, LIST_MAX, NAME_BYTES_MAX, ORIGINAL_BYTES_MAX,
        PEOPLE_MAX, PLACES_MAX, RECIPIENTS_MAX, REFERENCES_MAX, TEXT_CHARS_MAX, TEXTS_MAX,
    },
    lint,
    refusal::{Code, Refusal},
};

/// Faults found so far.
pub(super) struct Faults(Vec<Refusal>);

impl Faults {
    pub(super) fn add(&mut self, code: Code, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Refusal::new(code, message).at(path));
    }

    /// One or more lines of free text, not blank, within `chars_max`, linted.
    pub(super) fn text(&mut self, path: impl Into<String>, text: &str, chars_max: usize) {
        let path = path.into();
        if text.trim().is_empty() {
            self.add(Code::MissingField, path, "the text is blank; leave the field out instead");
            return;
        }
        if let Err(refusal) = free_text(text, chars_max).and_then(|()| lint::check_text(text)) {
            self.0.push(refusal.at(path));
        }
    }

    pub(super) fn optional_text(&mut self, path: impl Into<String>, text: Option<&String>, chars_max: usize) {
        if let Some(text) = text {
            self.text(path, text, chars_max);
        }
    }

    fn at_most(&mut self, path: &str, count: usize, max: usize) {
        if count > max {
            self.add(Code::TooMany, path, format!("{path} has {count} entries; {max} is the most"));
        }
    }

    fn between(&mut self, path: &str, count: usize, max: usize) {
        if count == 0 {
            self.add(Code::MissingField, path, format!("{path} needs one entry at least"));
        }
        self.at_most(path, count, max);
    }
}

/// Length and characters of a free text: line breaks and tabs are the only control characters, and nothing
/// may turn the direction of the text over.
pub(super) fn free_text(text: &str, chars_max: usize) -> Result<(), Refusal> {
    if text.chars().count() > chars_max {
        return Err(Refusal::new(Code::TooLarge, format!("the text is longer than {chars_max} characters")));
    }
    let hidden = |c: char| (c.is_control() && !matches!(c, '\n' | '\r' | '\t')) || matches!(c, '\u{202d}' | '\u{202e}');
    if text.chars().any(hidden) {
        return Err(Refusal::new(Code::Malformed, "the text holds control characters"));
    }
    Ok(())
}

/// Everything that is wrong with an alert, each with the path of its field. Empty when nothing is.
///
/// Of a list that is too long only as many entries are looked at as it may have: a peer's alert cannot
/// make the rules run for long.
pub(super) fn faults(fields: &Fields) -> Vec<Refusal> {
    let mut faults = Faults(Vec::new());
    times(fields, &mut faults);
    thread(fields, &mut faults);
    source(fields, &mut faults);
    faults.between("places", fields.places.len(), PLACES_MAX);
    for (at, place) in fields.places.iter().enumerate().take(PLACES_MAX) {
        place::check(&format!("places[{at}]"), place, &mut faults);
    }
    people(fields, &mut faults);
    arrivals_and_needs(fields, &mut faults);
    actions("requested_actions", &fields.requested_actions, &mut faults);
    actions("offered_actions", &fields.offered_actions, &mut faults);
    faults.optional_text("access_note", fields.access_note.as_ref(), FREE_TEXT_CHARS_MAX);
    if let Some(Contact { phone: None, mail: None, .. }) = fields.contact {
        faults.add(Code::MissingField, "contact", "a contact has a phone or a mailbox");
    }
    texts(&fields.texts, &mut faults);
    sharing(fields, &mut faults);
    if let Some(original) = &fields.original {
        check_original(original, &mut faults);
    }
    // Only now: what is over its own limit has been named, and encoding it twice tells nobody more.
    if faults.0.is_empty() && super::canonical(fields).len() > ALERT_BYTES_MAX {
        faults.add(Code::TooLarge, "texts", format!("the alert is larger than {ALERT_BYTES_MAX} bytes"));
    }
    faults.0
}

fn times(fields: &Fields, faults: &mut Faults) {
    let mut order = |good: bool, path: &str, message: &str| {
        if !good {
            faults.add(Code::BadTimes, path, message);
        }
    };
    order(fields.expires_at > fields.sent_at, "expires_at", "it expires before it is sent");
    let starts = fields.effective_at.is_none_or(|effective| effective < fields.expires_at);
    order(starts, "effective_at", "it takes effect after it has expired");
    order(
        fields.onset_from.is_none_or(|onset| onset < fields.expires_at),
        "onset_from",
        "the onset lies after its expiry",
    );
    if let (Some(from), Some(to)) = (fields.onset_from, fields.onset_to) {
        order(from <= to, "onset_to", "the onset ends before it begins");
    }
    order(
        fields.onset_to.is_none() || fields.onset_from.is_some(),
        "onset_from",
        "an onset window needs its beginning",
    );
    order(fields.ack_by.is_none_or(|by| by > fields.sent_at), "ack_by", "the answer is due before it is sent");
    order(fields.ack_by.is_none() || fields.ack_required, "ack_by", "an answer is due though none is required");
    for (at, eta) in fields.etas.iter().enumerate().take(LIST_MAX) {
        order(eta.to.is_none_or(|to| eta.from <= to), &format!("etas[{at}].to"), "the arrival ends before it begins");
    }
}

fn thread(fields: &Fields, faults: &mut Faults) {
    let references = &fields.supersedes;
    faults.at_most("supersedes", references.len(), REFERENCES_MAX);
    match (fields.kind, references.is_empty()) {
        (Kind::Update, true) => faults.add(Code::BadReference, "supersedes", "an update refers to what it supersedes"),
        (Kind::Alert, false) => faults.add(Code::BadReference, "supersedes", "a first alert supersedes nothing"),
        _ => {}
    }
    let mut seen = BTreeSet::new();
    for (at, reference) in references.iter().enumerate().take(REFERENCES_MAX) {
        let path = format!("supersedes[{at}]");
        if !seen.insert(reference.id) {
            faults.add(Code::BadReference, path.as_str(), "the same alert is referred to twice");
        }
        if reference.sent_at > fields.sent_at {
            faults.add(Code::BadReference, path, "it refers to an alert that was sent later than itself");
        }
    }
    if let Some(incident) = &fields.incident_id {
        let good = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
        if incident.is_empty() || incident.len() > NAME_BYTES_MAX || !incident.bytes().all(good) {
            let message = format!("an incident is named by up to {NAME_BYTES_MAX} letters, digits and . _ : -");
            faults.add(Code::Malformed, "incident_id", message);
        } else {
            faults.text("incident_id", incident, NAME_BYTES_MAX);
        }
    }
}

fn source(fields: &Fields, faults: &mut Faults) {
    if fields.info_credibility.is_some_and(|grade| !(1..=6).contains(&grade)) {
        faults.add(Code::UnknownCode, "info_credibility", "the credibility of information is graded 1 to 6");
    }
}

fn people(fields: &Fields, faults: &mut Faults) {
    for (column, Count { min, max, best, .. }) in fields.people.columns() {
        let path = format!("people.{column}");
        if !(min <= best && best <= max) {
            faults.add(Code::Malformed, path.as_str(), "the numbers are in the order min, best, max");
        }
        if max > PEOPLE_MAX {
            faults.add(Code::TooLarge, path, format!("no number of people is above {PEOPLE_MAX}"));
        }
    }
    faults.at_most("nationalities", fields.nationalities.len(), LIST_MAX);
    let mut seen = BTreeSet::new();
    for (at, nationality) in fields.nationalities.iter().enumerate().take(LIST_MAX) {
        let path = format!("nationalities[{at}]");
        if nationality.band == Band::UnderFive {
            let message = "fewer than five people of one nationality can be told apart; leave the entry out";
            faults.add(Code::PersonalData, path.as_str(), message);
        }
        if !seen.insert(&nationality.country) {
            faults.add(Code::Malformed, path, "the country stands there twice");
        }
    }
}

fn arrivals_and_needs(fields: &Fields, faults: &mut Faults) {
    faults.at_most("etas", fields.etas.len(), LIST_MAX);
    for (at, eta) in fields.etas.iter().enumerate().take(LIST_MAX) {
        if !fields.places.iter().take(PLACES_MAX).any(|place| place.name == eta.place) {
            faults.add(
                Code::BadPlace,
                format!("etas[{at}].place"),
                "an arrival is at one of the alert's places, by name",
            );
        }
    }
    faults.at_most("needs", fields.needs.len(), LIST_MAX);
    for (at, need) in fields.needs.iter().enumerate().take(LIST_MAX) {
        if !(1..=3).contains(&need.priority) {
            faults.add(Code::Malformed, format!("needs[{at}].priority"), "a priority is 1, 2 or 3");
        }
    }
    faults.at_most("languages_needed", fields.languages_needed.len(), LIST_MAX);
}

fn actions(path: &str, actions: &[Action], faults: &mut Faults) {
    faults.at_most(path, actions.len(), LIST_MAX);
    for (at, action) in actions.iter().enumerate().take(LIST_MAX) {
        faults.optional_text(format!("{path}[{at}].audience"), action.audience.as_ref(), FREE_TEXT_CHARS_MAX);
        faults.optional_text(format!("{path}[{at}].text"), action.text.as_ref(), FREE_TEXT_CHARS_MAX);
    }
}

fn texts(texts: &[Text], faults: &mut Faults) {
    faults.between("texts", texts.len(), TEXTS_MAX);
    let mut seen = BTreeSet::new();
    for (at, text) in texts.iter().enumerate().take(TEXTS_MAX) {
        let path = |name: &str| format!("texts[{at}].{name}");
        if !seen.insert(&text.lang) {
            faults.add(Code::Malformed, path("lang"), "there is another text in this language");
        }
        faults.text(path("headline"), &text.headline, HEADLINE_CHARS_MAX);
        faults.optional_text(path("event_label"), text.event_label.as_ref(), HEADLINE_CHARS_MAX);
        faults.optional_text(path("description"), text.description.as_ref(), TEXT_CHARS_MAX);
        faults.optional_text(path("instruction"), text.instruction.as_ref(), TEXT_CHARS_MAX);
    }
}

fn sharing(fields: &Fields, faults: &mut Faults) {
    faults.at_most("distribution", fields.distribution.len(), RECIPIENTS_MAX);
    let distinct: BTreeSet<_> = fields.distribution.iter().collect();
    if distinct.len() < fields.distribution.len() {
        faults.add(Code::Malformed, "distribution", "a Society is named twice");
    }
    let named_only = matches!(fields.sensitivity, Sensitivity::PartnersNamed | Sensitivity::Restricted);
    if named_only && fields.distribution.is_empty() {
        let message = format!("an alert that is {} names the Societies that it is for", fields.sensitivity);
        faults.add(Code::MissingField, "distribution", message);
    }
}

fn check_original(original: &Original, faults: &mut Faults) {
    if original.bytes.len() > ORIGINAL_BYTES_MAX {
        let message = format!("an imported document has at most {ORIGINAL_BYTES_MAX} bytes");
        faults.add(Code::TooLarge, "original.bytes", message);
    }
    let good = |b: u8| b.is_ascii_alphanumeric() || b"/.+-".contains(&b);
    let media_type = &original.media_type;
    if media_type.len() > NAME_BYTES_MAX || media_type.split('/').count() != 2 || !media_type.bytes().all(good) {
        faults.add(Code::Malformed, "original.media_type", "a media type is written as type/subtype");
    }
}
