//! The `info` blocks of a CAP alert, brought together into one draft.

use super::{
    CapOptions,
    form::{Faults, child, children, exact, one_line, pairs, second, shortened, text},
    params::{self, Beside},
    places,
    quote::plain,
    xml::Element,
};
use crate::{
    alert::{Action, AlertDraft, Language, Text, When},
    catalogue::{Category, Certainty, Event, ResponseType, Severity, TextOrigin, Urgency},
    limits::{HEADLINE_CHARS_MAX, TEXTS_MAX},
    refusal::{Code, Refusal},
    time::Time,
};

/// What a block says when it names no language (CAP 1.2, 3.2.2).
pub(super) const DEFAULT_LANGUAGE: &str = "en-US";
/// The name of the event code of the SahelPlus profile.
pub(super) const EVENT_CODE: &str = "SahelPlus:event:1";

/// The gravest block decides on urgency, severity, certainty, effective and onset; the latest `expires` holds.
pub(super) fn take(root: &Element, options: &CapOptions, draft: &mut AlertDraft, faults: &mut Faults) {
    let infos: Vec<&Element> = children(root, "info").collect();
    if infos.is_empty() {
        faults.required(root, "info");
        return;
    }
    if infos.len() > TEXTS_MAX {
        faults.add(Code::TooMany, infos[0], &format!("an alert has at most {TEXTS_MAX} info blocks"));
        return;
    }
    let mut gravest: Option<(Severity, &Element)> = None;
    for info in &infos {
        check(info, faults);
        let severity = faults.code::<Severity>(info, "severity").unwrap_or(Severity::Unknown);
        if gravest.is_none_or(|(worst, _)| severity < worst) {
            gravest = Some((severity, info));
        }
    }
    let (severity, lead) = gravest.unwrap_or((Severity::Unknown, infos[0]));
    draft.severity = Some(severity);
    draft.urgency = faults.code::<Urgency>(lead, "urgency");
    draft.certainty = faults.code::<Certainty>(lead, "certainty");
    draft.effective_at = faults.time(lead, "effective").map(When::At);
    draft.onset_from = faults.time(lead, "onset").map(When::At);
    let ends: Vec<Time> = infos.iter().filter_map(|info| faults.time(info, "expires")).collect();
    draft.expires_at = ends.into_iter().max().map(When::At);
    draft.event = options.event.or_else(|| event(&infos, faults));
    let parameters = infos.iter().find(|info| pairs(info, "parameter").any(|(_, name, _)| name.starts_with("sp:")));
    let mut beside = Beside::default();
    for (pair, name, value) in parameters.iter().flat_map(|info| pairs(info, "parameter")) {
        let taken = params::take(draft, &mut beside, name, value);
        faults.keep(pair, taken);
    }
    draft.requested_actions = beside.asked.take().unwrap_or_else(|| actions(lead));
    refine(draft, &beside, lead, faults);
    draft.source_type = draft.source_type.or(options.source_type);
    draft.contact = infos.iter().filter_map(|info| text(info, "contact")).find_map(params::contact);
    draft.texts = texts(&infos, draft.event, faults);
    draft.places = places::read(&infos, faults);
}

/// Puts exact times and references in the place of those that CAP's elements hold to the second.
fn refine(draft: &mut AlertDraft, beside: &Beside, lead: &Element, faults: &mut Faults) {
    for (name, time) in &beside.exact {
        let slot = match name.as_str() {
            "sent" => &mut draft.sent_at,
            "effective" => &mut draft.effective_at,
            "onset" => &mut draft.onset_from,
            _ => &mut draft.expires_at,
        };
        if *slot == Some(When::At(second(*time))) {
            *slot = Some(When::At(*time));
        } else {
            faults.add(Code::BadTimes, lead, "an exact time lies in the second that its element names");
        }
    }
    if beside.supersedes.is_empty() {
        return;
    }
    let told = |exact: &&crate::alert::Reference| {
        let same = |one: &crate::alert::Reference| {
            (one.origin, one.id, one.sent_at) == (exact.origin, exact.id, second(exact.sent_at))
        };
        draft.supersedes.iter().any(same)
    };
    if beside.supersedes.iter().all(|exact| told(&exact)) {
        draft.supersedes.clone_from(&beside.supersedes);
    } else {
        faults.add(Code::BadReference, lead, "sp:supersedes names an alert that the references do not");
    }
}

/// What has to be right in every block, and what of it travels with the original without being taken over.
fn check(info: &Element, faults: &mut Faults) {
    faults.required(info, "event");
    faults.required(info, "category");
    for category in children(info, "category") {
        faults.keep(category, category.text.parse::<Category>());
    }
    for response in children(info, "responseType") {
        faults.keep(response, response.text.parse::<ResponseType>());
    }
    faults.lint(info, "senderName");
    for resource in children(info, "resource") {
        faults.lint(resource, "resourceDesc");
        if let Some(inside) = child(resource, "derefUri") {
            let message = "a file inside the document cannot be checked for personal data; take it out";
            faults.add(Code::PersonalData, inside, message);
        }
    }
}

fn event(infos: &[&Element], faults: &mut Faults) -> Option<Event> {
    let code = infos.iter().flat_map(|info| pairs(info, "eventCode")).find(|(_, name, _)| *name == EVENT_CODE);
    match code {
        Some((pair, _, value)) => faults.keep(pair, value.parse()),
        None => {
            let message = format!("the document has no eventCode {EVENT_CODE}; say which event it is");
            faults.push(Refusal::new(Code::MissingField, message).at("event"));
            None
        }
    }
}

fn actions(lead: &Element) -> Vec<Action> {
    let audience = text(lead, "audience").map(str::to_owned);
    let responses: Vec<ResponseType> = children(lead, "responseType").filter_map(|r| r.text.parse().ok()).collect();
    match (responses.is_empty(), audience) {
        (true, None) => Vec::new(),
        (true, audience) => vec![Action { response: ResponseType::None, audience, text: None }],
        (false, audience) => {
            responses.into_iter().map(|response| Action { response, audience: audience.clone(), text: None }).collect()
        }
    }
}

/// One text a language. Blocks in one language are one sequence: what later ones add stands behind the first.
fn texts(infos: &[&Element], event: Option<Event>, faults: &mut Faults) -> Vec<Text> {
    let mut texts: Vec<Text> = Vec::new();
    for info in infos {
        let parsed = text(info, "language").unwrap_or(DEFAULT_LANGUAGE).parse::<Language>();
        let Some(lang) = faults.keep(child(info, "language").unwrap_or(info), parsed) else { continue };
        let new = text_of(info, lang, event, faults);
        match texts.iter_mut().find(|text| text.lang == new.lang) {
            Some(first) => {
                append(&mut first.description, new.description);
                append(&mut first.instruction, new.instruction);
            }
            None => texts.push(new),
        }
    }
    texts
}

fn text_of(info: &Element, lang: Language, event: Option<Event>, faults: &mut Faults) -> Text {
    let label = one_line(text(info, "event").unwrap_or_default());
    let headline = text(info, "headline").map_or_else(|| label.clone(), one_line);
    let short = shortened(&headline, HEADLINE_CHARS_MAX);
    let mut description = (short != headline).then_some(headline);
    append(&mut description, text(info, "description").map(str::to_owned));
    // The vocabulary's own name of the event is not repeated in the text.
    let own = event.is_some_and(|event| label == one_line(event.label(lang.as_str())));
    let mut words = Text {
        lang,
        headline: short,
        event_label: (!label.is_empty() && !own).then(|| shortened(&label, HEADLINE_CHARS_MAX)),
        description,
        instruction: text(info, "instruction").map(str::to_owned),
        origin: TextOrigin::Human,
        reviewed: false,
    };
    take_words(&mut words, info, faults);
    words
}

/// What the parameters of a block say of its text.
fn take_words(words: &mut Text, info: &Element, faults: &mut Faults) {
    let line = |text: &str| one_line(&plain(text));
    let block = |text: &str| plain(text).trim().to_owned();
    let said = |name: &str| text(info, name).unwrap_or_default();
    for (pair, name, value) in pairs(info, "parameter") {
        match name {
            "sp:textOrigin" => words.origin = faults.keep(pair, value.parse()).unwrap_or(TextOrigin::Human),
            "sp:reviewed" => words.reviewed = value == "yes",
            "sp:event" => {
                let label = exact(value, &one_line(said("event")), line);
                words.event_label = faults.keep(pair, label).or_else(|| words.event_label.take());
            }
            "sp:headline" => {
                if let Some(headline) = faults.keep(pair, exact(value, &one_line(said("headline")), line)) {
                    words.headline = headline;
                }
            }
            "sp:description" => {
                let description = exact(value, said("description"), block);
                words.description = faults.keep(pair, description).or_else(|| words.description.take());
            }
            "sp:instruction" => {
                let instruction = exact(value, said("instruction"), block);
                words.instruction = faults.keep(pair, instruction).or_else(|| words.instruction.take());
            }
            _ => {}
        }
    }
}

/// Puts `more` behind `text`, unless it stands there already.
fn append(text: &mut Option<String>, more: Option<String>) {
    match (text.as_mut(), more) {
        (None, more) => *text = more,
        (Some(text), Some(more)) if !text.contains(&more) => {
            text.push_str("\n\n");
            text.push_str(&more);
        }
        _ => {}
    }
}
