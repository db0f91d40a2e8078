//! Alerts: a message into a draft, and a draft into a message. The rules of an alert are not checked
//! here but by `Alert::from_draft`, which every draft goes through.

use passerelle_domain::{
    alert::{
        Action, AlertDraft, Contact, Count, Degrees, EtaDraft, Kilometres, Nationality, NeedLine, Original, People,
        Place, Reference, Text, When,
    },
    catalogue::TextOrigin,
    refusal::{Code, Refusal},
    time::Time,
};

use super::{Faults, timestamp};
use crate::v1;

/// The draft that a message describes. Whether it is a first alert or an update follows from `supersedes`.
///
/// # Errors
/// Everything that is no value of its field, each with the path of the field.
pub fn alert_draft(alert: v1::Alert) -> Result<AlertDraft, Vec<Refusal>> {
    let mut faults = Faults::default();
    let f = &mut faults;
    let when = |f: &mut Faults, path: &str, at| f.time(path, at).map(When::At);
    let draft = AlertDraft {
        mode: f.optional("mode", &alert.mode),
        kind: None,
        supersedes: f.each("supersedes", alert.supersedes, reference),
        event: f.optional("event", &alert.event),
        urgency: f.optional("urgency", &alert.urgency),
        severity: f.optional("severity", &alert.severity),
        certainty: f.optional("certainty", &alert.certainty),
        sent_at: when(f, "sent_at", alert.sent_at),
        effective_at: when(f, "effective_at", alert.effective_at),
        onset_from: when(f, "onset_from", alert.onset_from),
        onset_to: when(f, "onset_until", alert.onset_until),
        expires_at: when(f, "expires_at", alert.expires_at),
        incident_id: text(alert.incident_id),
        route_segment: f.optional("route_segment", &alert.route_segment),
        source_type: f.optional("source_type", &alert.source_type),
        source_reliability: f.optional("source_reliability", &alert.source_reliability),
        info_credibility: small(f, "info_credibility", alert.info_credibility),
        verification: f.optional("verification", &alert.verification),
        verified_by: f.optional("verified_by", &alert.verified_by),
        verified_at: when(f, "verified_at", alert.verified_at),
        access: f.optional("access", &alert.access),
        access_note: text(alert.access_note),
        languages_needed: f.texts("languages_needed", alert.languages_needed),
        sensitivity: f.optional("sensitivity", &alert.sensitivity),
        distribution: f.texts("distribution", alert.distribution),
        ack_required: alert.ack_required.then_some(true),
        ack_by: when(f, "ack_by", alert.ack_by),
        contact: alert.contact.and_then(|contact| self::contact(f, contact)),
        people: alert.people.map(|people| self::people(f, people)).unwrap_or_default(),
        nationalities: f.each("nationalities", alert.nationalities, nationality),
        places: f.each("places", alert.places, place),
        etas: f.each("etas", alert.etas, eta),
        needs: f.each("needs", alert.needs, need),
        requested_actions: f.each("requested_actions", alert.requested_actions, action),
        offered_actions: f.each("offered_actions", alert.offered_actions, action),
        texts: f.each("texts", alert.texts, alert_text),
        original: alert.original.map(|original| Original { media_type: original.media_type, bytes: original.content }),
    };
    if faults.0.is_empty() { Ok(draft) } else { Err(faults.0) }
}

fn text(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// A number of which 0 means none.
fn small(f: &mut Faults, path: &str, number: u32) -> Option<u8> {
    let small = u8::try_from(number).map_err(|_| Refusal::new(Code::Malformed, format!("{path} is at most 255")));
    f.keep(path, small).filter(|number| *number != 0)
}

fn reference(f: &mut Faults, path: &str, reference: v1::AlertReference) -> Option<Reference> {
    let origin = f.needed(format!("{path}.origin"), &reference.origin);
    let id = f.needed(format!("{path}.id"), &reference.id);
    let sent_at = needed_time(f, &format!("{path}.sent_at"), reference.sent_at);
    Some(Reference { origin: origin?, id: id?, sent_at: sent_at? })
}

fn needed_time(f: &mut Faults, path: &str, at: Option<prost_types::Timestamp>) -> Option<Time> {
    if at.is_none() {
        f.0.push(Refusal::new(Code::MissingField, format!("{path} is missing")).at(path));
    }
    f.time(path, at)
}

fn place(f: &mut Faults, path: &str, place: v1::Place) -> Option<Place> {
    let at = |name: &str| format!("{path}.{name}");
    let degrees = |f: &mut Faults, name, number: Option<f64>| number.and_then(|n| f.keep(at(name), Degrees::new(n)));
    let geonames_id = u32::try_from(place.geonames_id)
        .map_err(|_| Refusal::new(Code::Malformed, "an id of GeoNames has at most 32 bits"));
    let role = f.needed(at("role"), &place.role);
    let lang = f.optional(at("name_language"), &place.name_language);
    let country = f.optional(at("country"), &place.country);
    Some(Place {
        name: place.name,
        lang,
        latitude: degrees(f, "latitude", place.latitude),
        longitude: degrees(f, "longitude", place.longitude),
        precision_km: place.precision_km.and_then(|n| f.keep(at("precision_km"), Kilometres::new(n))),
        country,
        admin1: text(place.admin1),
        pcode: text(place.pcode),
        pcode_version: text(place.pcode_version),
        geonames_id: f.keep(at("geonames_id"), geonames_id).filter(|id| *id != 0),
        role: role?,
    })
}

/// The columns of [`People`] by their names, which are the same in the message.
macro_rules! columns {
    ($macro:ident) => {
        $macro!(total, women, girls, boys, men, uasc, pregnant, disabled, injured, dead, missing, survivors)
    };
}

fn people(f: &mut Faults, people: v1::People) -> People {
    macro_rules! read {
        ($($name:ident),+) => {
            People { $($name: people.$name.and_then(|count| self::count(f, concat!("people.", stringify!($name)), count)),)+ }
        };
    }
    columns!(read)
}

fn count(f: &mut Faults, path: &str, count: v1::Count) -> Option<Count> {
    let basis = f.needed(format!("{path}.basis"), &count.basis);
    let Some(best) = count.best else {
        f.0.push(Refusal::new(Code::MissingField, format!("{path}.best is missing")).at(format!("{path}.best")));
        return None;
    };
    Some(Count { min: count.min.unwrap_or(best), max: count.max.unwrap_or(best), best, basis: basis? })
}

fn nationality(f: &mut Faults, path: &str, nationality: v1::Nationality) -> Option<Nationality> {
    let country = f.needed(format!("{path}.country"), &nationality.country);
    let band = f.needed(format!("{path}.band"), &nationality.band);
    Some(Nationality { country: country?, band: band? })
}

fn eta(f: &mut Faults, path: &str, eta: v1::Eta) -> Option<EtaDraft> {
    let from = needed_time(f, &format!("{path}.from"), eta.from);
    let to = f.time(&format!("{path}.until"), eta.until).map(When::At);
    let mode = f.needed(format!("{path}.transport"), &eta.transport);
    let confidence = f.optional(format!("{path}.confidence"), &eta.confidence);
    Some(EtaDraft { place: eta.place, from: When::At(from?), to, mode: mode?, confidence })
}

fn need(f: &mut Faults, path: &str, need: v1::NeedItem) -> Option<NeedLine> {
    let code = f.needed(format!("{path}.code"), &need.code);
    let quantity = f.optional(format!("{path}.quantity_band"), &need.quantity_band);
    let priority = small(f, &format!("{path}.priority"), need.priority).unwrap_or_default();
    Some(NeedLine { need: code?, priority, quantity })
}

fn action(f: &mut Faults, path: &str, action: v1::Action) -> Option<Action> {
    let response = f.needed(format!("{path}.response_type"), &action.response_type);
    Some(Action { response: response?, audience: text(action.audience), text: text(action.text) })
}

fn contact(f: &mut Faults, contact: v1::Contact) -> Option<Contact> {
    let role = f.needed("contact.post", &contact.post);
    let phone = f.optional("contact.phone", &contact.phone);
    let mail = f.optional("contact.mail", &contact.mail);
    Some(Contact { role: role?, phone, mail })
}

fn alert_text(f: &mut Faults, path: &str, words: v1::AlertText) -> Option<Text> {
    let lang = f.needed(format!("{path}.language"), &words.language);
    let origin = f.optional(format!("{path}.origin"), &words.origin);
    Some(Text {
        lang: lang?,
        headline: words.headline,
        event_label: text(words.event_label),
        description: text(words.description),
        instruction: text(words.instruction),
        origin: origin.unwrap_or(TextOrigin::Human),
        reviewed: words.reviewed,
    })
}

/// The message that describes a draft taken up at the instant `now`, from which its relative times are counted.
#[must_use]
pub fn alert_message(draft: AlertDraft, now: Time) -> v1::Alert {
    let at = |when: Option<When>| when.map(|when| timestamp(when.resolve(now)));
    v1::Alert {
        sent_at: at(draft.sent_at),
        effective_at: at(draft.effective_at),
        onset_from: at(draft.onset_from),
        onset_until: at(draft.onset_to),
        expires_at: at(draft.expires_at),
        mode: word(draft.mode),
        supersedes: draft.supersedes.into_iter().map(reference_message).collect(),
        incident_id: draft.incident_id.unwrap_or_default(),
        event: word(draft.event),
        urgency: word(draft.urgency),
        severity: word(draft.severity),
        certainty: word(draft.certainty),
        source_type: word(draft.source_type),
        source_reliability: word(draft.source_reliability),
        info_credibility: u32::from(draft.info_credibility.unwrap_or_default()),
        verification: word(draft.verification),
        places: draft.places.into_iter().map(place_message).collect(),
        route_segment: word(draft.route_segment),
        people: Some(draft.people).filter(|people| !people.is_empty()).map(people_message),
        nationalities: draft.nationalities.into_iter().map(nationality_message).collect(),
        etas: draft.etas.into_iter().map(|eta| eta_message(eta, now)).collect(),
        needs: draft.needs.into_iter().map(need_message).collect(),
        languages_needed: draft.languages_needed.iter().map(ToString::to_string).collect(),
        requested_actions: draft.requested_actions.into_iter().map(action_message).collect(),
        offered_actions: draft.offered_actions.into_iter().map(action_message).collect(),
        access: word(draft.access),
        access_note: draft.access_note.unwrap_or_default(),
        contact: draft.contact.map(contact_message),
        texts: draft.texts.into_iter().map(text_message).collect(),
        sensitivity: word(draft.sensitivity),
        distribution: draft.distribution.iter().map(ToString::to_string).collect(),
        ack_required: draft.ack_required.unwrap_or_default(),
        ack_by: at(draft.ack_by),
        original: draft.original.map(|one| v1::Original { media_type: one.media_type, content: one.bytes }),
        verified_by: word(draft.verified_by),
        verified_at: at(draft.verified_at),
    }
}

/// The text of a code; empty where there is none.
fn word<T: ToString>(code: Option<T>) -> String {
    code.map(|code| code.to_string()).unwrap_or_default()
}

fn reference_message(reference: Reference) -> v1::AlertReference {
    v1::AlertReference {
        origin: reference.origin.to_string(),
        id: reference.id.to_string(),
        sent_at: Some(timestamp(reference.sent_at)),
    }
}

fn place_message(place: Place) -> v1::Place {
    v1::Place {
        role: place.role.to_string(),
        name: place.name,
        name_language: word(place.lang),
        latitude: place.latitude.map(Degrees::degrees),
        longitude: place.longitude.map(Degrees::degrees),
        precision_km: place.precision_km.map(Kilometres::kilometres),
        country: word(place.country),
        pcode: place.pcode.unwrap_or_default(),
        pcode_version: place.pcode_version.unwrap_or_default(),
        geonames_id: place.geonames_id.map(u64::from).unwrap_or_default(),
        admin1: place.admin1.unwrap_or_default(),
    }
}

fn people_message(people: People) -> v1::People {
    macro_rules! write {
        ($($name:ident),+) => { v1::People { $($name: people.$name.map(count_message),)+ } };
    }
    columns!(write)
}

fn count_message(count: Count) -> v1::Count {
    v1::Count { min: Some(count.min), max: Some(count.max), best: Some(count.best), basis: count.basis.to_string() }
}

fn nationality_message(nationality: Nationality) -> v1::Nationality {
    v1::Nationality { country: nationality.country.to_string(), band: nationality.band.to_string() }
}

fn eta_message(eta: EtaDraft, now: Time) -> v1::Eta {
    v1::Eta {
        place: eta.place,
        from: Some(timestamp(eta.from.resolve(now))),
        until: eta.to.map(|to| timestamp(to.resolve(now))),
        transport: eta.mode.to_string(),
        confidence: word(eta.confidence),
    }
}

fn need_message(need: NeedLine) -> v1::NeedItem {
    let quantity_band = word(need.quantity);
    v1::NeedItem { code: need.need.to_string(), priority: u32::from(need.priority), quantity_band }
}

fn action_message(action: Action) -> v1::Action {
    v1::Action {
        response_type: action.response.to_string(),
        text: action.text.unwrap_or_default(),
        audience: action.audience.unwrap_or_default(),
    }
}

fn contact_message(contact: Contact) -> v1::Contact {
    v1::Contact { post: contact.role.to_string(), phone: word(contact.phone), mail: word(contact.mail) }
}

fn text_message(text: Text) -> v1::AlertText {
    v1::AlertText {
        language: text.lang.to_string(),
        event_label: text.event_label.unwrap_or_default(),
        headline: text.headline,
        description: text.description.unwrap_or_default(),
        instruction: text.instruction.unwrap_or_default(),
        origin: text.origin.to_string(),
        reviewed: text.reviewed,
    }
}

#[cfg(test)]
mod tests;
