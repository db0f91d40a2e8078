//! One alert as a page for people: what the team at the border asks first stands first.

use passerelle_domain::time::Time;
use passerelle_proto::v1::{
    Action, Alert, AlertAcknowledgement, AlertDelivery, AlertErasure, AlertEscalation, AlertText, AlertView, Contact,
    Count, Eta, GetAlertResponse, ImportedDocument, People, Place,
};

use crate::render::{Answer, page::Page, time};

/// A headline that nobody takes for the real thing when it is an exercise or a test.
pub(super) fn headline(mode: &str, headline: &str) -> String {
    match mode {
        "" | "Actual" => headline.to_owned(),
        mode => format!("*** {} *** {headline}", mode.to_uppercase()),
    }
}

impl Answer for GetAlertResponse {
    fn page(&self, page: &mut Page, now: Time) {
        let Some(view) = &self.alert else { return };
        let alert = view.alert.clone().unwrap_or_default();
        let first = alert.texts.first().map(|text| text.headline.as_str()).unwrap_or_default();
        page.line(headline(&alert.mode, first));
        page.line("");
        page.pairs([
            ("id", view.id.clone()),
            ("from", view.origin.clone()),
            ("state", state(&view.state, alert.expires_at.as_ref(), now)),
            ("updates", view.updates.join(", ")),
            ("CONFLICT with", view.conflicts_with.join(", ")),
            ("redacted", redacted(view, now)),
            ("cancelled", [view.cancel_reason.as_str(), view.cancel_note.as_str()].join(" ").trim().to_owned()),
            ("supersedes", view.supersedes.join(", ")),
            ("not acknowledged", not_acknowledged(view)),
            ("last call", view.escalation.as_ref().map(|call| last_call(call, now)).unwrap_or_default()),
            ("entry", view.entry_index.to_string()),
        ]);
        page.line("");
        page.pairs(facts(&alert, now));
        said(&alert, page, now);
        view.imported.iter().for_each(|document| imported(document, page, now));
        if !view.erasures.is_empty() {
            page.heading("ERASURES");
            let row =
                |one: &AlertErasure| [one.society.clone(), one.state.clone(), time::utc_with_age(one.at.as_ref(), now)];
            page.table(["AT", "STATE", "SINCE"], view.erasures.iter().map(row).collect(), "");
        }
        if !view.deliveries.is_empty() {
            page.heading("DELIVERIES");
            let row = |one: &AlertDelivery| {
                [one.society.clone(), one.state.clone(), time::utc_with_age(one.at.as_ref(), now), one.code.clone()]
            };
            page.table(["TO", "STATE", "SINCE", "REASON"], view.deliveries.iter().map(row).collect(), "");
        }
        if !view.acknowledgements.is_empty() {
            page.heading("ACKNOWLEDGEMENTS");
            let row = |one: &AlertAcknowledgement| {
                [one.society.clone(), one.kind.clone(), time::utc_with_age(one.at.as_ref(), now), one.note.clone()]
            };
            page.table(["FROM", "KIND", "AT", "NOTE"], view.acknowledgements.iter().map(row).collect(), "");
        }
    }
}

/// A state, with its age where that says how stale it is.
pub(super) fn state(state: &str, expires_at: Option<&prost_types::Timestamp>, now: Time) -> String {
    if state == "expired" { format!("expired {} ago", time::age(expires_at, now)) } else { state.to_owned() }
}

/// What an alert says in single values.
pub(super) fn facts(alert: &Alert, now: Time) -> [(&'static str, String); 12] {
    [
        ("event", alert.event.clone()),
        ("triage", joined([&alert.severity, &alert.urgency, &alert.certainty])),
        ("sent", time::utc_with_age(alert.sent_at.as_ref(), now)),
        ("begins", span(alert.onset_from.as_ref(), alert.onset_until.as_ref(), now)),
        ("expires", time::utc_with_age(alert.expires_at.as_ref(), now)),
        ("segment", alert.route_segment.clone()),
        ("access", joined([&alert.access, &alert.access_note])),
        ("source", source(alert)),
        ("acknowledge by", acknowledge_by(alert, now)),
        ("contact", alert.contact.as_ref().map(contact).unwrap_or_default()),
        ("incident", alert.incident_id.clone()),
        ("sensitivity", alert.sensitivity.clone()),
    ]
}

/// The rest of what an alert says: people, places, arrivals, and its texts.
pub(super) fn said(alert: &Alert, page: &mut Page, now: Time) {
    content(alert, page, now);
    alert.texts.iter().for_each(|text| words(text, page));
}

fn redacted(view: &AlertView, now: Time) -> String {
    if view.redact_reason.is_empty() {
        return String::new();
    }
    format!("{}, {}; what it said is erased", view.redact_reason, time::utc_with_age(view.redacted_at.as_ref(), now))
}

fn not_acknowledged(view: &AlertView) -> String {
    let overdue = if view.ack_overdue { " (overdue)" } else { "" };
    if view.unacknowledged.is_empty() { String::new() } else { view.unacknowledged.join(", ") + overdue }
}

fn last_call(call: &AlertEscalation, now: Time) -> String {
    let outcome = if call.outcome.is_empty() { "under way" } else { call.outcome.as_str() };
    format!("{}. {}, {}: {outcome}", call.step, call.post, time::utc_with_age(call.at.as_ref(), now))
}

fn content(alert: &Alert, page: &mut Page, now: Time) {
    let needs: Vec<String> = alert
        .needs
        .iter()
        .map(|need| format!("{} {} (priority {})", need.code, need.quantity_band, need.priority).replace("  ", " "))
        .collect();
    let nationalities = alert.nationalities.iter().map(|one| format!("{} {}", one.country, one.band));
    let pairs = [
        ("people", alert.people.as_ref().map(people).unwrap_or_default()),
        ("nationalities", nationalities.collect::<Vec<_>>().join(", ")),
        ("needs", needs.join(", ")),
        ("languages", alert.languages_needed.join(", ")),
        ("asked", alert.requested_actions.iter().map(action).collect::<Vec<_>>().join("; ")),
        ("offered", alert.offered_actions.iter().map(action).collect::<Vec<_>>().join("; ")),
    ];
    if pairs.iter().any(|(_, text)| !text.is_empty()) {
        page.line("");
        page.pairs(pairs);
    }
    if !alert.places.is_empty() {
        page.line("");
        let row = |place: &Place| [place.role.clone(), place.name.clone(), place.country.clone(), point(place)];
        page.table(["PLACE", "NAME", "COUNTRY", "POINT"], alert.places.iter().map(row).collect(), "");
    }
    if !alert.etas.is_empty() {
        page.line("");
        let row = |eta: &Eta| {
            let when = span(eta.from.as_ref(), eta.until.as_ref(), now);
            [eta.place.clone(), when, eta.transport.clone(), eta.confidence.clone()]
        };
        page.table(["ARRIVAL", "WHEN", "BY", "CONFIDENCE"], alert.etas.iter().map(row).collect(), "");
    }
}

fn words(text: &AlertText, page: &mut Page) {
    let origin = match (text.origin.as_str(), text.reviewed) {
        ("machine", false) => ", by a machine, not reviewed",
        ("machine", true) => ", by a machine, reviewed",
        _ => "",
    };
    page.heading(&format!("[{}{origin}] {}", text.language, text.headline));
    [&text.description, &text.instruction].into_iter().filter(|text| !text.is_empty()).for_each(|text| page.line(text));
}

/// The document that the alert came from, and what of it stands nowhere above.
fn imported(document: &ImportedDocument, page: &mut Page, now: Time) {
    page.heading("IMPORTED FROM CAP");
    page.pairs([
        ("sender", document.sender.clone()),
        ("identifier", document.identifier.clone()),
        ("sent", time::utc_with_age(document.sent.as_ref(), now)),
        ("languages", document.languages.join(", ")),
        ("signature", document.signature.replace("_not_", ", not ")),
        ("digest", document.digest.clone()),
        ("only in the original", document.only_in_original.join(", ")),
    ]);
}

fn joined<const N: usize>(parts: [&String; N]) -> String {
    let parts: Vec<&str> = parts.iter().map(|part| part.as_str()).filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}

fn span(from: Option<&prost_types::Timestamp>, until: Option<&prost_types::Timestamp>, now: Time) -> String {
    match (from, until) {
        (Some(_), Some(_)) => format!("{} to {}", time::utc(from), time::utc_with_age(until, now)),
        (from, until) => time::utc_with_age(from.or(until), now),
    }
}

fn source(alert: &Alert) -> String {
    let credibility = if alert.info_credibility == 0 { String::new() } else { alert.info_credibility.to_string() };
    let grading = format!("{}{credibility}", alert.source_reliability);
    joined([&alert.source_type, &grading, &alert.verification])
}

fn acknowledge_by(alert: &Alert, now: Time) -> String {
    match (&alert.ack_by, alert.ack_required) {
        (Some(by), _) => time::utc_with_age(Some(by), now),
        (None, true) => "as soon as a person has read it".to_owned(),
        (None, false) => String::new(),
    }
}

fn contact(contact: &Contact) -> String {
    joined([&contact.post, &contact.phone, &contact.mail])
}

fn action(action: &Action) -> String {
    joined([&action.response_type, &action.audience, &action.text])
}

fn point(place: &Place) -> String {
    let (Some(latitude), Some(longitude)) = (place.latitude, place.longitude) else { return place.pcode.clone() };
    let within = place.precision_km.map(|km| format!(" ±{km} km")).unwrap_or_default();
    format!("{latitude:.4}, {longitude:.4}{within}")
}

fn people(people: &People) -> String {
    let columns = [
        ("in all", &people.total),
        ("women", &people.women),
        ("girls", &people.girls),
        ("boys", &people.boys),
        ("men", &people.men),
        ("unaccompanied or separated children", &people.uasc),
        ("pregnant", &people.pregnant),
        ("disabled", &people.disabled),
        ("injured", &people.injured),
        ("dead", &people.dead),
        ("missing", &people.missing),
        ("survivors", &people.survivors),
    ];
    let shown = columns.iter().filter_map(|(name, count)| Some(format!("{} {name}", number(count.as_ref()?))));
    shown.collect::<Vec<_>>().join(", ")
}

fn number(count: &Count) -> String {
    let best = count.best.map(|best| best.to_string()).unwrap_or_default();
    let basis = if count.basis.is_empty() || count.basis == "counted" { "" } else { count.basis.as_str() };
    let range = match (count.min, count.max) {
        (Some(min), Some(max)) if min != max => format!("{min}-{max}"),
        _ => String::new(),
    };
    let remark = [range.as_str(), basis].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    if remark.is_empty() { best } else { format!("{best} ({remark})") }
}
