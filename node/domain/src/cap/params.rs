//! What CAP has no element for: the parameters and codes of the SahelPlus profile, read and written. The value of each:
//!
//! | parameter | value |
//! |---|---|
//! | `sp:segment`, `sp:sourceType`, `sp:verification`, `sp:verifiedBy`, `sp:access`, `sp:lang` | the code alone |
//! | `sp:accessNote` | the text |
//! | `sp:onsetTo`, `sp:ackBy`, `sp:verifiedAt` | the time (RFC 3339) |
//! | `sp:exact` | `sent`, `effective`, `onset` or `expires`, and the time with its milliseconds |
//! | `sp:supersedes` | Society, id and time of an alert among the references, where those cannot be exact |
//! | `sp:grading` | reliability and credibility, `B2`, or one of them |
//! | `sp:people.COLUMN` | `min/best/max basis`, or `best basis`; for the public `band basis` |
//! | `sp:nationality` | country and band, `GM 50-99` |
//! | `sp:need` | need, priority and band where known, `water 1 100-199` |
//! | `sp:eta` | `place\|from\|to\|mode\|confidence`; `to` and `confidence` may be empty |
//! | `sp:asked`, `sp:offered` | `responseType\|audience\|text`; `sp:asked` `default` when nothing is asked |
//!
//! `sp:lang`, `sp:nationality`, `sp:need`, `sp:eta`, `sp:asked`, `sp:offered` and `sp:supersedes` may stand several times;
//! texts in them may be quoted (`quote.rs`). A parameter of another name means nothing here. The code `sp:ack` asks
//! for an answer; `sp:TLP:CLEAR`, `GREEN`, `AMBER` and `RED` give the sensitivity. The parameters of one text and the
//! geocodes of one place are those of `write/info.rs` and `places.rs`.

use std::str::FromStr;

use super::{
    form::{exact_text, second},
    quote::{quoted, unquoted},
};
use crate::{
    alert::{Action, Alert, AlertDraft, Contact, Count, Eta, EtaDraft, Nationality, NeedLine, Reference, When},
    catalogue::{Band, Sensitivity},
    refusal::{Code, Refusal},
    time::Time,
};

/// What parameters say that is weighed against the elements of CAP before the draft has it.
#[derive(Default)]
pub(super) struct Beside {
    /// Times with their milliseconds, by the name of the element.
    pub(super) exact: Vec<(String, Time)>,
    /// The alerts that are superseded, with the exact times.
    pub(super) supersedes: Vec<Reference>,
    /// What is asked for; absent when no parameter says so.
    pub(super) asked: Option<Vec<Action>>,
}

fn malformed(message: &str) -> Refusal {
    Refusal::new(Code::Malformed, message)
}

/// Takes one parameter into the draft.
///
/// # Errors
/// `unknown_code` or `malformed` when a parameter of the profile has another form than its own.
pub(super) fn take(draft: &mut AlertDraft, beside: &mut Beside, name: &str, value: &str) -> Result<(), Refusal> {
    match name {
        "sp:segment" => draft.route_segment = Some(value.parse()?),
        "sp:sourceType" => draft.source_type = Some(value.parse()?),
        "sp:verification" => draft.verification = Some(value.parse()?),
        "sp:verifiedBy" => draft.verified_by = Some(value.parse()?),
        "sp:verifiedAt" => draft.verified_at = Some(When::At(value.parse()?)),
        "sp:access" => draft.access = Some(value.parse()?),
        "sp:accessNote" => draft.access_note = Some(unquoted(value)?),
        "sp:onsetTo" => draft.onset_to = Some(When::At(value.parse()?)),
        "sp:ackBy" => draft.ack_by = Some(When::At(value.parse()?)),
        "sp:exact" => beside.exact.push(exact(value)?),
        "sp:supersedes" => beside.supersedes.push(reference(value)?),
        "sp:asked" if value == "default" => _ = beside.asked.get_or_insert_default(),
        "sp:asked" => beside.asked.get_or_insert_default().push(action(value)?),
        "sp:offered" => draft.offered_actions.push(action(value)?),
        "sp:lang" => draft.languages_needed.push(value.parse()?),
        "sp:grading" => grading(draft, value)?,
        "sp:nationality" => draft.nationalities.push(nationality(value)?),
        "sp:need" => draft.needs.push(need(value)?),
        "sp:eta" => draft.etas.push(eta(value)?),
        _ => {
            if let Some(column) = name.strip_prefix("sp:people.") {
                let slot = draft.people.column_mut(column);
                *slot.ok_or_else(|| malformed("there is no such column of people"))? = count(value)?;
            }
        }
    }
    Ok(())
}

/// The sensitivity that a code of the document marks.
pub(super) fn marking(code: &str) -> Option<Sensitivity> {
    match code {
        "sp:TLP:CLEAR" => Some(Sensitivity::Public),
        "sp:TLP:GREEN" => Some(Sensitivity::Network),
        "sp:TLP:AMBER" => Some(Sensitivity::PartnersNamed),
        "sp:TLP:RED" => Some(Sensitivity::Restricted),
        _ => None,
    }
}

/// The parameters of an alert, in the order of the table above. `aliases` says that the references name more than
/// what is superseded; with `bands`, people are given in bands.
pub(super) fn of(alert: &Alert, aliases: bool, bands: bool) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut put = |name: &str, value: Option<String>| all.extend(value.map(|value| (name.to_owned(), value)));
    put("sp:segment", alert.route_segment.as_ref().map(ToString::to_string));
    put("sp:sourceType", Some(alert.source_type.to_string()));
    let credibility = alert.info_credibility.map(|grade| grade.to_string());
    let grading = alert.source_reliability.map(|grade| grade.to_string()).into_iter().chain(credibility);
    put("sp:grading", Some(grading.collect::<String>()).filter(|grading| !grading.is_empty()));
    put("sp:verification", Some(alert.verification.to_string()));
    put("sp:verifiedBy", alert.verified_by.map(|role| role.to_string()));
    put("sp:verifiedAt", alert.verified_at.map(exact_text));
    put("sp:onsetTo", alert.onset_to.map(exact_text));
    put("sp:ackBy", alert.ack_by.map(exact_text));
    for (name, time) in [
        ("sent", Some(alert.sent_at)),
        ("effective", alert.effective_at),
        ("onset", alert.onset_from),
        ("expires", Some(alert.expires_at)),
    ] {
        let time = time.filter(|time| *time != second(*time));
        put("sp:exact", time.map(|time| format!("{name} {}", exact_text(time))));
    }
    if aliases || alert.supersedes.iter().any(|earlier| earlier.sent_at != second(earlier.sent_at)) {
        for Reference { origin, id, sent_at } in &alert.supersedes {
            put("sp:supersedes", Some(format!("{origin} {id} {}", exact_text(*sent_at))));
        }
    }
    put("sp:access", alert.access.map(|access| access.to_string()));
    put("sp:accessNote", alert.access_note.as_deref().map(quoted));
    for (column, count) in alert.people.columns() {
        put(&format!("sp:people.{column}"), Some(count_text(count, bands)));
    }
    for one in &alert.nationalities {
        put("sp:nationality", Some(format!("{} {}", one.country, one.band)));
    }
    for need in &alert.needs {
        let band = need.quantity.map(|band| format!(" {band}")).unwrap_or_default();
        put("sp:need", Some(format!("{} {}{band}", need.need, need.priority)));
    }
    for eta in &alert.etas {
        put("sp:eta", Some(eta_text(eta)));
    }
    for language in &alert.languages_needed {
        put("sp:lang", Some(language.to_string()));
    }
    put("sp:asked", alert.requested_actions.is_empty().then(|| "default".to_owned()));
    for action in &alert.requested_actions {
        put("sp:asked", Some(action_text(action)));
    }
    for action in &alert.offered_actions {
        put("sp:offered", Some(action_text(action)));
    }
    all
}

fn exact(value: &str) -> Result<(String, Time), Refusal> {
    let (name, time) = value.split_once(' ').unwrap_or_default();
    if !["sent", "effective", "onset", "expires"].contains(&name) {
        return Err(malformed("an exact time is that of sent, effective, onset or expires"));
    }
    Ok((name.to_owned(), time.parse()?))
}

fn reference(value: &str) -> Result<Reference, Refusal> {
    let [origin, id, sent_at] = value.split_whitespace().collect::<Vec<_>>()[..] else {
        return Err(malformed("a superseded alert is given as Society, id and time"));
    };
    Ok(Reference { origin: origin.parse()?, id: id.parse()?, sent_at: sent_at.parse()? })
}

fn action(value: &str) -> Result<Action, Refusal> {
    let [response, audience, text] = value.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
        return Err(malformed("an action is responseType|audience|text"));
    };
    let words = |text: &str| if text.is_empty() { Ok(None) } else { unquoted(text).map(Some) };
    Ok(Action { response: response.parse()?, audience: words(audience)?, text: words(text)? })
}

fn action_text(action: &Action) -> String {
    let words = |text: &Option<String>| text.as_deref().map(quoted).unwrap_or_default();
    format!("{}|{}|{}", action.response, words(&action.audience), words(&action.text))
}

fn eta_text(eta: &Eta) -> String {
    let (from, to) = (exact_text(eta.from), eta.to.map(exact_text).unwrap_or_default());
    let confidence = eta.confidence.map(|confidence| confidence.to_string()).unwrap_or_default();
    format!("{}|{from}|{to}|{}|{confidence}", quoted(&eta.place), eta.mode)
}

/// A duty post as the element `contact` has it: its code, then telephone and mailbox where there are such.
pub(super) fn contact_text(contact: &Contact) -> String {
    let phone = contact.phone.as_ref().map(ToString::to_string);
    let mail = contact.mail.as_ref().map(ToString::to_string);
    [Some(contact.role.to_string()), phone, mail].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The duty post that a `contact` names in that form. Any other may be a person, and is left in the original.
pub(super) fn contact(text: &str) -> Option<Contact> {
    let mut parts = text.split(", ");
    let mut contact = Contact { role: parts.next()?.parse().ok()?, phone: None, mail: None };
    for part in parts {
        match (part.parse(), part.parse()) {
            (Ok(phone), _) if contact.phone.is_none() => contact.phone = Some(phone),
            (_, Ok(mail)) if contact.mail.is_none() => contact.mail = Some(mail),
            _ => return None,
        }
    }
    (contact.phone.is_some() || contact.mail.is_some()).then_some(contact)
}

fn grading(draft: &mut AlertDraft, value: &str) -> Result<(), Refusal> {
    let (letter, digit) = value.split_at(value.chars().take_while(char::is_ascii_alphabetic).count());
    if !letter.is_empty() {
        draft.source_reliability = Some(letter.parse()?);
    }
    if !digit.is_empty() {
        draft.info_credibility = Some(number(digit)?);
    }
    Ok(())
}

/// A number of people; none for a band, from which no figure can be told: the original has it.
fn count(value: &str) -> Result<Option<Count>, Refusal> {
    let (numbers, basis) = value.split_once(' ').ok_or_else(|| malformed("people are given as min/best/max basis"))?;
    let basis = basis.trim().parse()?;
    if numbers.parse::<Band>().is_ok() {
        return Ok(None);
    }
    let numbers = numbers.split('/').map(number).collect::<Result<Vec<u32>, _>>()?;
    match numbers.as_slice() {
        [best] => Ok(Some(Count { min: *best, best: *best, max: *best, basis })),
        [min, best, max] => Ok(Some(Count { min: *min, best: *best, max: *max, basis })),
        _ => Err(malformed("people are given as min/best/max basis")),
    }
}

fn count_text(count: Count, bands: bool) -> String {
    let Count { min, best, max, basis } = count;
    if bands {
        format!("{} {basis}", band_of(best))
    } else if min == best && best == max {
        format!("{best} {basis}")
    } else {
        format!("{min}/{best}/{max} {basis}")
    }
}

fn band_of(people: u32) -> Band {
    match people {
        0..5 => Band::UnderFive,
        5..10 => Band::FiveToNine,
        10..20 => Band::TenToNineteen,
        20..50 => Band::TwentyToFortyNine,
        50..100 => Band::FiftyToNinetyNine,
        100..200 => Band::HundredToOneNinetyNine,
        _ => Band::TwoHundredAndMore,
    }
}

fn nationality(value: &str) -> Result<Nationality, Refusal> {
    let (country, band) = value.split_once(' ').ok_or_else(|| malformed("a nationality is a country and a band"))?;
    Ok(Nationality { country: country.parse()?, band: band.trim().parse()? })
}

fn need(value: &str) -> Result<NeedLine, Refusal> {
    match value.split_whitespace().collect::<Vec<_>>().as_slice() {
        [need, priority] => Ok(NeedLine { need: need.parse()?, priority: number(priority)?, quantity: None }),
        [need, priority, band] => {
            Ok(NeedLine { need: need.parse()?, priority: number(priority)?, quantity: Some(band.parse()?) })
        }
        _ => Err(malformed("a need is a code, a priority, and a band where known")),
    }
}

fn eta(value: &str) -> Result<EtaDraft, Refusal> {
    let [place, from, to, mode, confidence] = value.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
        return Err(malformed("an arrival is place|from|to|mode|confidence"));
    };
    Ok(EtaDraft {
        place: unquoted(place)?,
        from: When::At(from.parse()?),
        to: optional::<Time>(to)?.map(When::At),
        mode: mode.parse()?,
        confidence: optional(confidence)?,
    })
}

fn optional<T: FromStr<Err = Refusal>>(text: &str) -> Result<Option<T>, Refusal> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

fn number<T: FromStr>(text: &str) -> Result<T, Refusal> {
    text.trim().parse().map_err(|_| malformed("a whole number is expected"))
}
