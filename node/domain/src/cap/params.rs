//! What CAP has no element for: the parameters and codes of the SahelPlus profile. The value of each:
//!
//! | parameter | value |
//! |---|---|
//! | `sp:segment`, `sp:sourceType`, `sp:verification`, `sp:access`, `sp:lang` | the code alone |
//! | `sp:grading` | reliability and credibility, `B2`, or one of them |
//! | `sp:people.COLUMN` | `min/best/max basis`, or `best basis` |
//! | `sp:nationality` | country and band, `GM 50-99` |
//! | `sp:need` | need, priority and band where known, `water 1 100-199` |
//! | `sp:eta` | `place\|from\|to\|mode\|confidence`; `to` and `confidence` may be empty |
//!
//! `sp:lang`, `sp:nationality`, `sp:need` and `sp:eta` may stand several times. A parameter of another name
//! means nothing here. The code `sp:ack` asks for an answer; `sp:TLP:CLEAR`, `GREEN`, `AMBER` and `RED`
//! give the sensitivity.

use std::str::FromStr;

use crate::{
    alert::{AlertDraft, Count, EtaDraft, Nationality, NeedLine, When},
    catalogue::Sensitivity,
    refusal::{Code, Refusal},
    time::Time,
};

fn malformed(message: &str) -> Refusal {
    Refusal::new(Code::Malformed, message)
}

/// Takes one parameter into the draft.
///
/// # Errors
/// `unknown_code` or `malformed` when a parameter of the profile has another form than its own.
pub(super) fn take(draft: &mut AlertDraft, name: &str, value: &str) -> Result<(), Refusal> {
    match name {
        "sp:segment" => draft.route_segment = Some(value.parse()?),
        "sp:sourceType" => draft.source_type = Some(value.parse()?),
        "sp:verification" => draft.verification = Some(value.parse()?),
        "sp:access" => draft.access = Some(value.parse()?),
        "sp:lang" => draft.languages_needed.push(value.parse()?),
        "sp:grading" => grading(draft, value)?,
        "sp:nationality" => draft.nationalities.push(nationality(value)?),
        "sp:need" => draft.needs.push(need(value)?),
        "sp:eta" => draft.etas.push(eta(value)?),
        _ => {
            if let Some(column) = name.strip_prefix("sp:people.") {
                let slot = draft.people.column_mut(column);
                *slot.ok_or_else(|| malformed("there is no such column of people"))? = Some(count(value)?);
            }
        }
    }
    Ok(())
}

/// Takes one code into the draft.
pub(super) fn take_code(draft: &mut AlertDraft, code: &str) {
    match code {
        "sp:ack" => draft.ack_required = Some(true),
        "sp:TLP:CLEAR" => draft.sensitivity = Some(Sensitivity::Public),
        "sp:TLP:GREEN" => draft.sensitivity = Some(Sensitivity::Network),
        "sp:TLP:AMBER" => draft.sensitivity = Some(Sensitivity::PartnersNamed),
        "sp:TLP:RED" => draft.sensitivity = Some(Sensitivity::Restricted),
        _ => {}
    }
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

fn count(value: &str) -> Result<Count, Refusal> {
    let (numbers, basis) = value.split_once(' ').ok_or_else(|| malformed("people are given as min/best/max basis"))?;
    let numbers = numbers.split('/').map(number).collect::<Result<Vec<u32>, _>>()?;
    let basis = basis.trim().parse()?;
    match numbers.as_slice() {
        [best] => Ok(Count { min: *best, best: *best, max: *best, basis }),
        [min, best, max] => Ok(Count { min: *min, best: *best, max: *max, basis }),
        _ => Err(malformed("people are given as min/best/max basis")),
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
        place: place.to_owned(),
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
