//! The `info` blocks of a CAP alert, brought together into one draft.

use super::{
    CapOptions,
    form::{Faults, child, children, pairs, text},
    geometry::{self, Budget, Spot},
    params,
    xml::Element,
};
use crate::{
    alert::{Action, AlertDraft, Country, Language, Place, Text, When},
    catalogue::{Category, Certainty, Event, PlaceRole, ResponseType, Severity, TextOrigin, Urgency},
    limits::{HEADLINE_CHARS_MAX, PLACE_NAME_CHARS_MAX, PLACES_MAX, TEXTS_MAX},
    refusal::{Code, Refusal},
    society::MEMBERS,
    time::Time,
};

/// What a block says when it names no language (CAP 1.2, 3.2.2).
const DEFAULT_LANGUAGE: &str = "en-US";
/// The name of the event code of the SahelPlus profile.
const EVENT_CODE: &str = "SahelPlus:event:1";
/// Stands for the edition of a P-code list where a document does not state it.
const UNSTATED: &str = "unstated";

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
    draft.requested_actions = actions(lead);
    let parameters = infos.iter().find(|info| pairs(info, "parameter").any(|(_, name, _)| name.starts_with("sp:")));
    for (pair, name, value) in parameters.iter().flat_map(|info| pairs(info, "parameter")) {
        let taken = params::take(draft, name, value);
        faults.keep(pair, taken);
    }
    draft.source_type = draft.source_type.or(options.source_type);
    draft.texts = texts(&infos, faults);
    draft.places = places(&infos, faults);
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
fn texts(infos: &[&Element], faults: &mut Faults) -> Vec<Text> {
    let mut texts: Vec<Text> = Vec::new();
    for info in infos {
        let parsed = text(info, "language").unwrap_or(DEFAULT_LANGUAGE).parse::<Language>();
        let Some(lang) = faults.keep(child(info, "language").unwrap_or(info), parsed) else { continue };
        let new = text_of(info, lang);
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

fn text_of(info: &Element, lang: Language) -> Text {
    let label = text(info, "event").unwrap_or_default();
    let headline = text(info, "headline").unwrap_or(label);
    let headline = one_line(headline);
    let short = shortened(&headline, HEADLINE_CHARS_MAX);
    let mut description = (short != headline).then_some(headline);
    append(&mut description, text(info, "description").map(str::to_owned));
    Text {
        lang,
        headline: short,
        event_label: (!label.is_empty()).then(|| shortened(&one_line(label), HEADLINE_CHARS_MAX)),
        description,
        instruction: text(info, "instruction").map(str::to_owned),
        origin: TextOrigin::Human,
        reviewed: false,
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

/// The text with its white space folded into single blanks.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The line within `chars_max`, an ellipsis in the place of what is left out.
fn shortened(line: &str, chars_max: usize) -> String {
    if line.chars().count() <= chars_max {
        return line.to_owned();
    }
    let kept: String = line.chars().take(chars_max - 1).collect();
    format!("{}…", kept.trim_end())
}

/// One place an area; the same place under its name in another language stands once.
fn places(infos: &[&Element], faults: &mut Faults) -> Vec<Place> {
    let mut budget = Budget::default();
    let mut places: Vec<Place> = Vec::new();
    for area in infos.iter().flat_map(|info| children(info, "area")) {
        if places.len() > PLACES_MAX {
            // One too many is enough for the rules of an alert to say so.
            break;
        }
        let Some(name) = faults.required(area, "areaDesc") else { continue };
        let shape = geometry::spot(area, &mut budget);
        let spot = match shape {
            Ok(spot) => spot,
            Err(refusal) => {
                faults.push(refusal.at("area"));
                continue;
            }
        };
        let place = place(area, &name.text, spot, faults);
        let again =
            |known: &Place| Place { name: known.name.clone(), ..place.clone() } == *known && place.latitude.is_some();
        if !places.iter().any(|known| *known == place || again(known)) {
            places.push(place);
        }
    }
    places
}

fn place(area: &Element, name: &str, spot: Option<Spot>, faults: &mut Faults) -> Place {
    let mut place = Place {
        role: PlaceRole::Occurred,
        name: shortened(&one_line(name), PLACE_NAME_CHARS_MAX),
        lang: None,
        latitude: spot.map(|spot| spot.latitude),
        longitude: spot.map(|spot| spot.longitude),
        precision_km: spot.map(|spot| spot.precision),
        country: None,
        admin1: None,
        pcode: None,
        pcode_version: None,
        geonames_id: None,
    };
    for (pair, name, value) in pairs(area, "geocode") {
        match name {
            "ISO3166-1" => place.country = faults.keep(pair, country(value)),
            "OCHA:pcode" => place.pcode = Some(value.to_owned()),
            "OCHA:pcode:version" => place.pcode_version = Some(value.to_owned()),
            "GeoNames" => {
                let id = value.parse().map_err(|_| Refusal::new(Code::Malformed, "an id of GeoNames is a number"));
                place.geonames_id = faults.keep(pair, id);
            }
            "sp:role" => place.role = faults.keep(pair, value.parse()).unwrap_or(PlaceRole::Occurred),
            _ => {}
        }
    }
    if place.pcode.is_some() && place.pcode_version.is_none() {
        place.pcode_version = Some(UNSTATED.to_owned());
    }
    place
}

/// Two letters, or the three of a member.
fn country(value: &str) -> Result<Country, Refusal> {
    let member = MEMBERS.iter().find(|member| member.alpha3.eq_ignore_ascii_case(value));
    member.map_or(value, |member| member.society.code()).parse()
}
