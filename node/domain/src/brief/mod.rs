//! An alert in one line, and as a short message: what the team at the border asks first stands first. Composed from
//! the facts and codes of the alert, in French, English, Portuguese or Arabic; pure text, nothing is sent here.

mod sms;

pub use sms::{Cost, Encoding, cost, gsm_only};

use crate::{
    alert::{Alert, Count, Eta, Place, life::Shown},
    catalogue::{
        Mode, PlaceRole, Sensitivity, TextOrigin, Verification,
        labels::{label, primary},
    },
    geo,
    ids::AlertId,
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};

/// The alert that is told, and what a node knows of it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What it says.
    pub alert: &'a Alert,
    /// Whose it is.
    pub origin: Option<Society>,
    /// Its id; the end of it stands in the text, to ask back by.
    pub id: Option<AlertId>,
    /// Where it stands; whatever is not active stands in front.
    pub state: Option<Shown>,
}

/// A short message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sms {
    /// Its text.
    pub text: String,
    /// What it costs.
    pub cost: Cost,
    /// How many parts of the line were left out for want of room.
    pub left_out: usize,
}

/// A part of the line. Parts of a higher `rank` are left out first; those of rank 0 never.
struct Part {
    rank: u8,
    text: String,
}

/// Letters of a place's name in a short message.
const PLACE_CHARS_MAX: usize = 30;

/// The alert in one line: how many, when, where; women, children, wounded; languages; bus or boat; then the rest.
#[must_use]
pub fn line(subject: Subject<'_>, language: &str) -> String {
    let writer = Writer { language: primary(language), place_chars_max: usize::MAX, whole: true };
    joined(&writer.parts(subject), writer.language)
}

/// The alert as a short message of at most `segments_max` segments: the line, less its last parts where there is no
/// room. With `gsm`, accents that GSM 7-bit lacks are dropped, so that more fits.
///
/// # Errors
/// `too_large` when not even the event and its place fit, `malformed` when `gsm` is asked for a text whose letters GSM
/// 7-bit does not have, such as an Arabic one.
pub fn sms(subject: Subject<'_>, language: &str, segments_max: usize, gsm: bool) -> Result<Sms, Refusal> {
    let language = primary(language);
    let fit = |parts: &[Part]| {
        let text = joined(parts, language);
        let text = if gsm { gsm_only(&text).ok_or_else(not_gsm)? } else { text };
        Ok::<_, Refusal>((cost(&text), text))
    };
    // What is left out first is of less weight; then where it began, before how many and when.
    let mut needed = 0;
    for (whole, keep) in [(true, 1), (false, 0)] {
        let writer = Writer { language, place_chars_max: PLACE_CHARS_MAX, whole };
        let mut parts = writer.parts(subject);
        let all = parts.len();
        loop {
            let (cost, text) = fit(&parts)?;
            if cost.segments <= segments_max {
                return Ok(Sms { text, cost, left_out: all - parts.len() });
            }
            needed = cost.segments;
            let last = parts.iter().map(|part| part.rank).max().unwrap_or_default();
            let Some(at) = parts.iter().rposition(|part| part.rank == last && last > keep) else { break };
            parts.remove(at);
        }
    }
    let message = format!("the event and its place alone need {needed} segments");
    Err(Refusal::new(Code::TooLarge, message).at("max_segments"))
}

/// A moment as short texts give it: the date and the hour, UTC, kept together within Arabic.
#[must_use]
pub fn when(time: Time, language: &str) -> String {
    let at = civil(time, 0);
    let text = format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute());
    if primary(language) == "ar" { format!("\u{2068}{text}\u{2069}") } else { text }
}

fn not_gsm() -> Refusal {
    Refusal::new(Code::Malformed, "the text has letters that GSM 7-bit cannot stand in for; send it as UCS-2").at("gsm")
}

fn joined(parts: &[Part], language: &str) -> String {
    let between = if language == "ar" { "؛ " } else { "; " };
    parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(between)
}

/// Writes in one language.
struct Writer {
    language: &'static str,
    place_chars_max: usize,
    /// Whether the place where it began is told besides the one where people arrive.
    whole: bool,
}

impl Writer {
    fn label(&self, vocabulary: &str, code: &str) -> &'static str {
        label(vocabulary, code, self.language).unwrap_or_default()
    }

    /// What is not of the language of the text, kept together within Arabic by the isolates of Unicode (UAX 9).
    fn apart(&self, text: &str) -> String {
        if self.language == "ar" { format!("\u{2068}{text}\u{2069}") } else { text.to_owned() }
    }

    fn parts(&self, subject: Subject<'_>) -> Vec<Part> {
        let alert = subject.alert;
        let mut parts = Vec::new();
        let mut add = |rank: u8, text: String| {
            if !text.is_empty() {
                parts.push(Part { rank, text });
            }
        };
        add(0, self.event(subject));
        add(1, self.totals(alert));
        add(1, alert.etas.first().map(|eta| self.arrival(alert, eta)).unwrap_or_default());
        add(0, self.whereabouts(alert));
        add(2, self.columns(alert, &["women", "girls", "boys", "uasc", "pregnant", "disabled"]));
        add(2, self.columns(alert, &["injured", "dead", "missing"]));
        let languages: Vec<_> = alert.languages_needed.iter().map(|tag| self.apart(tag.as_str())).collect();
        add(3, self.named("languages", &languages.join(", ")));
        add(2, alert.etas.first().map(|eta| self.label("transport", eta.mode.as_str()).to_owned()).unwrap_or_default());
        add(6, self.needs(alert));
        add(
            3,
            alert
                .contact
                .as_ref()
                .and_then(|contact| contact.phone.as_ref())
                .map_or_else(String::new, |phone| self.named("contact", &self.apart(phone.as_str()))),
        );
        add(5, self.named("until", &self.clock(alert.expires_at, alert.expires_at, home(alert))));
        add(4, self.reference(subject));
        add(7, self.headline(alert));
        parts
    }

    /// What happened, behind everything that keeps it from being taken for something else.
    fn event(&self, subject: Subject<'_>) -> String {
        let alert = subject.alert;
        let mut text = String::new();
        let mut mark = |mark: &str| text.push_str(&format!("{mark} - "));
        if alert.mode != Mode::Actual {
            mark(self.label("mode", alert.mode.as_str()));
        }
        if let Some(state) = subject.state.filter(|state| *state != Shown::Active) {
            mark(self.label("shown", state.as_str()));
        }
        if matches!(alert.sensitivity, Sensitivity::PartnersNamed | Sensitivity::Restricted) {
            mark(self.label("brief", "do_not_share"));
        }
        if matches!(alert.verification, Verification::Unverified | Verification::Refuted) {
            mark(self.label("verification", alert.verification.as_str()));
        }
        text.push_str(alert.event.label(self.language));
        text
    }

    fn named(&self, name: &str, value: &str) -> String {
        if value.is_empty() { String::new() } else { format!("{} {value}", self.label("brief", name)) }
    }

    /// `120 (100-140)`, `~120` where it was estimated or reported.
    fn count(&self, count: Count) -> String {
        let about = if count.basis == crate::catalogue::Basis::Counted { "" } else { "~" };
        let text = if count.min == count.max {
            format!("{about}{}", count.best)
        } else {
            format!("{about}{} ({}-{})", count.best, count.min, count.max)
        };
        self.apart(&text)
    }

    fn totals(&self, alert: &Alert) -> String {
        let column = |name: &str, count: Option<Count>| {
            count.map(|count| format!("{} {}", self.count(count), self.label("people", name)))
        };
        let people = &alert.people;
        let both = [column("total", people.total), column("survivors", people.survivors)];
        both.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    fn columns(&self, alert: &Alert, names: &[&str]) -> String {
        let filled: Vec<_> = alert.people.columns().filter(|(name, _)| names.contains(name)).collect();
        let text = |(name, count): &(&str, Count)| format!("{} {}", self.label("people", name), self.count(*count));
        filled.iter().map(text).collect::<Vec<_>>().join(", ")
    }

    /// Where people arrive or are, before where it began.
    fn whereabouts(&self, alert: &Alert) -> String {
        const ORDER: [PlaceRole; 5] = [
            PlaceRole::Current,
            PlaceRole::Occurred,
            PlaceRole::BorderCrossing,
            PlaceRole::Disembarkation,
            PlaceRole::HeadingTo,
        ];
        let rank = |place: &&Place| ORDER.iter().position(|role| *role == place.role);
        let mut places: Vec<_> = alert.places.iter().collect();
        places.sort_by_key(rank);
        let text = |place: &&Place| {
            let name: String = place.name.chars().take(self.place_chars_max).collect();
            let country = place.country.as_ref().map(|country| format!(" {country}")).unwrap_or_default();
            self.apart(&format!("{name}{country}"))
        };
        // The first and the last: where from, and where to.
        let shown: Vec<String> = match places.as_slice() {
            [] => Vec::new(),
            [only] => vec![text(only)],
            [first, .., last] if self.whole => vec![text(first), text(last)],
            [.., last] => vec![text(last)],
        };
        shown.join(if self.language == "ar" { " ← " } else { " > " })
    }

    fn arrival(&self, alert: &Alert, eta: &Eta) -> String {
        let place = alert.places.iter().find(|place| place.name == eta.place);
        let country = place.and_then(|place| place.country.as_ref()).map(|country| country.as_str());
        self.clock(eta.from, eta.to.unwrap_or(eta.from), country.or_else(|| home(alert)))
    }

    /// Local time of a country, and UTC where that is another: `24/11 10:30-13:30 (09:30-12:30 UTC)`.
    fn clock(&self, from: Time, to: Time, country: Option<&str>) -> String {
        let minutes = country.and_then(geo::country).and_then(|facts| facts.utc_minutes).unwrap_or_default();
        let local = stretch(from, to, minutes);
        let text =
            if minutes == 0 { format!("{local} UTC") } else { format!("{local} ({} UTC)", stretch(from, to, 0)) };
        self.apart(&text)
    }

    fn needs(&self, alert: &Alert) -> String {
        let first = alert.needs.iter().filter(|line| line.priority == 1);
        let names: Vec<_> = first.map(|line| self.label("need", line.need.as_str())).collect();
        self.named("needs", &names.join(", "))
    }

    fn reference(&self, subject: Subject<'_>) -> String {
        let origin = subject.origin.map(|origin| origin.code().to_owned());
        let end = subject.id.map(|id| {
            let id = id.to_string();
            id.get(id.len().saturating_sub(6)..).unwrap_or_default().to_owned()
        });
        let parts: Vec<_> = origin.into_iter().chain(end).collect();
        if parts.is_empty() { String::new() } else { self.named("reference", &self.apart(&parts.join("-"))) }
    }

    /// The author's own headline in this language, marked where a machine wrote it.
    fn headline(&self, alert: &Alert) -> String {
        let Some(text) = alert
            .texts
            .iter()
            .find(|text| text.lang.as_str().split('-').next().is_some_and(|tag| tag == self.language))
        else {
            return String::new();
        };
        match (text.origin, text.reviewed) {
            (TextOrigin::Human, _) => text.headline.clone(),
            (TextOrigin::Machine, true) => format!("{} {}", self.label("brief", "machine_reviewed"), text.headline),
            (TextOrigin::Machine, false) => format!("{} {}", self.label("brief", "machine"), text.headline),
        }
    }
}

/// The country of an alert's first place that states one.
fn home(alert: &Alert) -> Option<&str> {
    alert.places.iter().find_map(|place| place.country.as_ref()).map(|country| country.as_str())
}

/// `24/11 09:30`, `24/11 09:30-12:30`, `24/11 22:00-25/11 02:00`.
fn stretch(from: Time, to: Time, minutes: i16) -> String {
    let (from, to) = (civil(from, minutes), civil(to, minutes));
    let date = |at: jiff::civil::DateTime| format!("{:02}/{:02}", at.day(), at.month());
    let hour = |at: jiff::civil::DateTime| format!("{:02}:{:02}", at.hour(), at.minute());
    let begin = format!("{} {}", date(from), hour(from));
    if from == to {
        begin
    } else if from.date() == to.date() {
        format!("{begin}-{}", hour(to))
    } else {
        format!("{begin}-{} {}", date(to), hour(to))
    }
}

fn civil(time: Time, minutes: i16) -> jiff::civil::DateTime {
    let millis = i64::try_from(time.millis()).unwrap_or(i64::MAX);
    let timestamp = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    let offset = jiff::tz::Offset::from_seconds(i32::from(minutes) * 60).unwrap_or(jiff::tz::Offset::UTC);
    offset.to_datetime(timestamp)
}

#[cfg(test)]
mod tests;
