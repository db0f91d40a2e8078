//! An alert as people and programs write it: a file (TOML or JSON) of which every field may still be
//! missing or wrong. `Alert::from_draft` says everything that is wrong with it at once.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Alert,
    check::faults,
    fields::Fields,
    parts::{Action, Contact, Eta, Nationality, NeedLine, Original, People, Place, Reference, Text},
    shape::Language,
};
use crate::{
    catalogue::{
        Access, Certainty, Confidence, Event, Kind, Mode, Reliability, Role, Segment, Sensitivity, Severity,
        SourceType, TransportMode, Urgency, Verification,
    },
    limits::CLOCK_AHEAD_SECONDS_MAX,
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};

/// An instant in a draft: RFC 3339 (`2026-11-24T06:30:00+00:00`), or so long after the draft is taken up
/// (`+90m`, `+12h`, `+2d`; minutes, hours, days).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The instant itself.
    At(Time),
    /// So many minutes later than now.
    AfterMinutes(u32),
}

impl When {
    /// The instant meant, when it is `now`.
    #[must_use]
    pub fn resolve(self, now: Time) -> Time {
        match self {
            Self::At(time) => time,
            Self::AfterMinutes(minutes) => now.plus(Duration::from_secs(u64::from(minutes) * 60)),
        }
    }
}

impl FromStr for When {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let Some(span) = text.strip_prefix('+') else {
            return text.parse().map(Self::At);
        };
        let unit = match span.chars().last() {
            Some('m') => Some(1),
            Some('h') => Some(60),
            Some('d') => Some(24 * 60),
            _ => None,
        };
        let number = span.get(..span.len().saturating_sub(1)).and_then(|digits| digits.parse::<u32>().ok());
        unit.zip(number)
            .and_then(|(unit, number): (u32, u32)| number.checked_mul(unit))
            .map(Self::AfterMinutes)
            .ok_or_else(|| {
                Refusal::new(
                    Code::MalformedTime,
                    "a time from now is written as + with m, h or d, such as +90m, +12h, +2d",
                )
            })
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(time) => fmt::Display::fmt(time, f),
            Self::AfterMinutes(minutes) => write!(f, "+{minutes}m"),
        }
    }
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|refusal: Refusal| serde::de::Error::custom(refusal.message))
    }
}

/// An expected arrival in a draft; see [`Eta`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are those of Eta")]
pub struct EtaDraft {
    pub place: String,
    pub from: When,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<When>,
    pub mode: TransportMode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
}

macro_rules! draft {
    ($($(#[$doc:meta])* $name:ident: $type:ty, $empty:literal;)+) => {
        /// An alert being written. The fields are those of [`Fields`]; their defaults, where there are any, stand here.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct AlertDraft {
            $($(#[$doc])* #[serde(skip_serializing_if = $empty)] pub $name: $type,)+
        }
    };
}

draft! {
    /// Needed: an exercise is never taken for the real thing because somebody left a word out.
    mode: Option<Mode>, "Option::is_none";
    /// `Update` if it supersedes anything, `Alert` otherwise, unless stated.
    kind: Option<Kind>, "Option::is_none";
    /// Needed for an `Update`.
    supersedes: Vec<Reference>, "Vec::is_empty";
    /// Needed.
    event: Option<Event>, "Option::is_none";
    /// Needed.
    urgency: Option<Urgency>, "Option::is_none";
    /// Needed.
    severity: Option<Severity>, "Option::is_none";
    /// Needed.
    certainty: Option<Certainty>, "Option::is_none";
    /// Now, unless stated.
    sent_at: Option<When>, "Option::is_none";
    /// Optional.
    effective_at: Option<When>, "Option::is_none";
    /// Optional.
    onset_from: Option<When>, "Option::is_none";
    /// Optional.
    onset_to: Option<When>, "Option::is_none";
    /// Needed: an alert that never ends sends a team for nothing.
    expires_at: Option<When>, "Option::is_none";
    /// Optional.
    incident_id: Option<String>, "Option::is_none";
    /// Optional.
    route_segment: Option<Segment>, "Option::is_none";
    /// Needed.
    source_type: Option<SourceType>, "Option::is_none";
    /// Optional.
    source_reliability: Option<Reliability>, "Option::is_none";
    /// Optional.
    info_credibility: Option<u8>, "Option::is_none";
    /// `unverified`, unless stated.
    verification: Option<Verification>, "Option::is_none";
    /// Optional.
    verified_by: Option<Role>, "Option::is_none";
    /// Optional.
    verified_at: Option<When>, "Option::is_none";
    /// Optional.
    access: Option<Access>, "Option::is_none";
    /// Optional.
    access_note: Option<String>, "Option::is_none";
    /// Optional.
    languages_needed: Vec<Language>, "Vec::is_empty";
    /// `network`, unless stated; `restricted` for the events that are so by default.
    sensitivity: Option<Sensitivity>, "Option::is_none";
    /// Needed when the sensitivity is `partners_named` or `restricted`.
    distribution: Vec<Society>, "Vec::is_empty";
    /// No, unless stated.
    ack_required: Option<bool>, "Option::is_none";
    /// Optional.
    ack_by: Option<When>, "Option::is_none";
    /// Optional.
    contact: Option<Contact>, "Option::is_none";
    /// Optional.
    people: People, "People::is_empty";
    /// Optional.
    nationalities: Vec<Nationality>, "Vec::is_empty";
    /// One at least.
    places: Vec<Place>, "Vec::is_empty";
    /// Optional.
    etas: Vec<EtaDraft>, "Vec::is_empty";
    /// Optional.
    needs: Vec<NeedLine>, "Vec::is_empty";
    /// Optional.
    requested_actions: Vec<Action>, "Vec::is_empty";
    /// Optional.
    offered_actions: Vec<Action>, "Vec::is_empty";
    /// One at least.
    texts: Vec<Text>, "Vec::is_empty";
    /// Set by an import; not written by hand.
    original: Option<Original>, "Option::is_none";
}

impl Alert {
    /// The alert that a draft describes, taken up at the instant `now`.
    ///
    /// # Errors
    /// Everything that is wrong, each with the path of its field: what is missing, and what [`Fields`] and
    /// the rules of `check.rs` do not allow; also an alert sent more than ten minutes ahead of `now`, or
    /// expired already.
    pub fn from_draft(draft: AlertDraft, now: Time) -> Result<Self, Vec<Refusal>> {
        let mut missing = Vec::new();
        let fields = fields_of(draft, now, &mut missing);
        let mut found = missing;
        if fields.sent_at > now.plus(Duration::from_secs(CLOCK_AHEAD_SECONDS_MAX)) {
            found.push(Refusal::new(Code::BadTimes, "sent more than ten minutes from now").at("sent_at"));
        }
        if fields.sent_at < fields.expires_at && fields.expires_at <= now {
            found.push(Refusal::new(Code::BadTimes, "it has expired already").at("expires_at"));
        }
        found.extend(faults(&fields));
        if found.is_empty() { Ok(Self(fields)) } else { Err(found) }
    }

    /// The draft that describes this alert, with every instant as such.
    #[must_use]
    pub fn to_draft(&self) -> AlertDraft {
        let at = |time: Time| Some(When::At(time));
        let fields = self.0.clone();
        AlertDraft {
            mode: Some(fields.mode),
            kind: Some(fields.kind),
            supersedes: fields.supersedes,
            event: Some(fields.event),
            urgency: Some(fields.urgency),
            severity: Some(fields.severity),
            certainty: Some(fields.certainty),
            sent_at: at(fields.sent_at),
            effective_at: fields.effective_at.map(When::At),
            onset_from: fields.onset_from.map(When::At),
            onset_to: fields.onset_to.map(When::At),
            expires_at: at(fields.expires_at),
            incident_id: fields.incident_id,
            route_segment: fields.route_segment,
            source_type: Some(fields.source_type),
            source_reliability: fields.source_reliability,
            info_credibility: fields.info_credibility,
            verification: Some(fields.verification),
            verified_by: fields.verified_by,
            verified_at: fields.verified_at.map(When::At),
            access: fields.access,
            access_note: fields.access_note,
            languages_needed: fields.languages_needed,
            sensitivity: Some(fields.sensitivity),
            distribution: fields.distribution,
            ack_required: Some(fields.ack_required),
            ack_by: fields.ack_by.map(When::At),
            contact: fields.contact,
            people: fields.people,
            nationalities: fields.nationalities,
            places: fields.places,
            etas: fields.etas.into_iter().map(EtaDraft::from).collect(),
            needs: fields.needs,
            requested_actions: fields.requested_actions,
            offered_actions: fields.offered_actions,
            texts: fields.texts,
            original: fields.original,
        }
    }
}

impl From<Eta> for EtaDraft {
    fn from(eta: Eta) -> Self {
        Self {
            place: eta.place,
            from: When::At(eta.from),
            to: eta.to.map(When::At),
            mode: eta.mode,
            confidence: eta.confidence,
        }
    }
}

/// The fields of a draft. What is missing is named in `missing`, and something harmless stands in for it
/// so that the rest can be checked all the same.
fn fields_of(draft: AlertDraft, now: Time, missing: &mut Vec<Refusal>) -> Fields {
    let time = |when: Option<When>| when.map(|when| when.resolve(now));
    let mut miss = |name: &str| missing.push(Refusal::new(Code::MissingField, format!("{name} is missing")).at(name));
    let event = draft.event.unwrap_or_else(|| {
        miss("event");
        Event::GeneralAllClear
    });
    let default_sensitivity =
        if event.restricted_by_default() { Sensitivity::Restricted } else { Sensitivity::Network };
    let default_kind = if draft.supersedes.is_empty() { Kind::Alert } else { Kind::Update };
    let eta = |eta: EtaDraft| Eta {
        place: eta.place,
        from: eta.from.resolve(now),
        to: time(eta.to),
        mode: eta.mode,
        confidence: eta.confidence,
    };
    Fields {
        sent_at: time(draft.sent_at).unwrap_or(now),
        effective_at: time(draft.effective_at),
        onset_from: time(draft.onset_from),
        onset_to: time(draft.onset_to),
        expires_at: time(draft.expires_at).unwrap_or_else(|| {
            miss("expires_at");
            Time::from_millis(u64::MAX)
        }),
        mode: or_missing(draft.mode, Mode::Test, "mode", &mut miss),
        kind: draft.kind.unwrap_or(default_kind),
        supersedes: draft.supersedes,
        incident_id: draft.incident_id,
        event,
        urgency: or_missing(draft.urgency, Urgency::Unknown, "urgency", &mut miss),
        severity: or_missing(draft.severity, Severity::Unknown, "severity", &mut miss),
        certainty: or_missing(draft.certainty, Certainty::Unknown, "certainty", &mut miss),
        source_type: or_missing(draft.source_type, SourceType::OwnTeam, "source_type", &mut miss),
        source_reliability: draft.source_reliability,
        info_credibility: draft.info_credibility,
        verification: draft.verification.unwrap_or(Verification::Unverified),
        verified_by: draft.verified_by,
        verified_at: time(draft.verified_at),
        places: draft.places,
        route_segment: draft.route_segment,
        people: draft.people,
        nationalities: draft.nationalities,
        etas: draft.etas.into_iter().map(eta).collect(),
        needs: draft.needs,
        languages_needed: draft.languages_needed,
        requested_actions: draft.requested_actions,
        offered_actions: draft.offered_actions,
        access: draft.access,
        access_note: draft.access_note,
        contact: draft.contact,
        texts: draft.texts,
        sensitivity: draft.sensitivity.unwrap_or(default_sensitivity),
        distribution: draft.distribution,
        ack_required: draft.ack_required.unwrap_or(false),
        ack_by: time(draft.ack_by),
        original: draft.original,
    }
}

fn or_missing<T>(value: Option<T>, stand_in: T, name: &str, miss: &mut impl FnMut(&str)) -> T {
    value.unwrap_or_else(|| {
        miss(name);
        stand_in
    })
}
