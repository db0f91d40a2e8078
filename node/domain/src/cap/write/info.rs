//! The `info` blocks of an alert that is written: one for each language. Machine values have no language; they
//! stand in the first block. Every block has the places, which CAP gives to a block and not to the alert.

use super::{Issued, sheet::Sheet};
use crate::{
    alert::Text,
    cap::{
        form::{cap_text, one_line},
        info::EVENT_CODE,
        params, places,
        quote::{plain, quoted},
    },
    catalogue::ResponseType,
};

pub(super) fn blocks(sheet: &mut Sheet, issued: &Issued<'_>, aliases: bool, bands: bool) {
    for (at, text) in issued.alert.texts.iter().enumerate() {
        sheet.within("info", |sheet| block(sheet, issued, text, (at == 0).then_some((aliases, bands))));
    }
}

/// One block; `machine` is there in the first.
fn block(sheet: &mut Sheet, issued: &Issued<'_>, text: &Text, machine: Option<(bool, bool)>) {
    let alert = issued.alert;
    sheet.leaf("language", text.lang.as_str());
    for category in alert.event.categories() {
        sheet.leaf("category", category.as_str());
    }
    sheet.leaf("event", text.event_label.as_deref().unwrap_or_else(|| alert.event.label(text.lang.as_str())));
    for response in responses(issued) {
        sheet.leaf("responseType", response.as_str());
    }
    sheet.leaf("urgency", alert.urgency.as_str());
    sheet.leaf("severity", alert.severity.as_str());
    sheet.leaf("certainty", alert.certainty.as_str());
    sheet.optional("audience", audience(issued).as_deref());
    sheet.pair("eventCode", EVENT_CODE, alert.event.as_str());
    sheet.optional("effective", alert.effective_at.map(cap_text).as_deref());
    sheet.optional("onset", alert.onset_from.map(cap_text).as_deref());
    sheet.leaf("expires", &cap_text(alert.expires_at));
    sheet.optional("senderName", issued.origin.member().map(|member| member.name));
    sheet.leaf("headline", &text.headline);
    sheet.optional("description", text.description.as_deref());
    sheet.optional("instruction", text.instruction.as_deref());
    sheet.optional("contact", alert.contact.as_ref().map(params::contact_text).as_deref());
    if let Some((aliases, bands)) = machine {
        for (name, value) in params::of(alert, aliases, bands) {
            sheet.pair("parameter", &name, &value);
        }
    }
    for (name, value) in words(issued, text) {
        sheet.pair("parameter", name, &value);
    }
    for (at, place) in alert.places.iter().enumerate() {
        sheet.within("area", |sheet| {
            sheet.leaf("areaDesc", &place.name);
            sheet.optional("circle", places::circle(place).as_deref());
            for (name, value) in places::geocodes(at, place) {
                sheet.pair("geocode", name, &value);
            }
        });
    }
}

/// What the alert asks for, each response once; the event's own when it asks for nothing.
fn responses(issued: &Issued<'_>) -> Vec<ResponseType> {
    let mut responses = Vec::new();
    for action in &issued.alert.requested_actions {
        if !responses.contains(&action.response) {
            responses.push(action.response);
        }
    }
    if responses.is_empty() {
        responses.push(issued.alert.event.default_response());
    }
    responses
}

fn audience(issued: &Issued<'_>) -> Option<String> {
    let mut audiences: Vec<&str> = Vec::new();
    for audience in issued.alert.requested_actions.iter().filter_map(|action| action.audience.as_deref()) {
        if !audiences.contains(&audience) {
            audiences.push(audience);
        }
    }
    (!audiences.is_empty()).then(|| audiences.join("; "))
}

/// What the elements of a text do not say: who wrote it, and its letters where XML would not give them back.
fn words(issued: &Issued<'_>, text: &Text) -> Vec<(&'static str, String)> {
    let mut words = vec![("sp:textOrigin", text.origin.to_string())];
    if text.reviewed {
        words.push(("sp:reviewed", "yes".to_owned()));
    }
    let line = |text: &str| one_line(&plain(text));
    if let Some(label) = &text.event_label
        && (line(label) != *label || label == issued.alert.event.label(text.lang.as_str()))
    {
        words.push(("sp:event", quoted(label)));
    }
    if line(&text.headline) != text.headline {
        words.push(("sp:headline", quoted(&text.headline)));
    }
    for (name, text) in [("sp:description", &text.description), ("sp:instruction", &text.instruction)] {
        if let Some(text) = text.as_ref().filter(|text| plain(text).trim() != **text) {
            words.push((name, quoted(text)));
        }
    }
    words
}
