//! All that an alert says, as one record, in the order of its canonical bytes.

use minicbor::{Decode, Encode};

use super::{
    parts::{Action, Contact, Eta, Nationality, NeedLine, Original, People, Place, Reference, Text},
    shape::Language,
};
use crate::{
    catalogue::{
        Access, Certainty, Event, Kind, Mode, Reliability, Role, Segment, Sensitivity, Severity, SourceType, Urgency,
        Verification,
    },
    society::Society,
    time::Time,
};

/// Everything that an alert says, in the order of its canonical bytes: a CBOR map whose keys are the
/// indexes below. An absent optional field and an empty list are not encoded; unknown keys are passed over.
///
/// The id and the origin of an alert stand in its envelope.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Fields {
    /// When the origin sent it (CAP `sent`).
    #[n(0)]
    pub sent_at: Time,
    /// From when it holds; `sent_at` when absent (CAP `effective`).
    #[n(1)]
    pub effective_at: Option<Time>,
    /// When the event is expected to begin, at the earliest (CAP `onset`).
    #[n(2)]
    pub onset_from: Option<Time>,
    /// When the event is expected to begin, at the latest.
    #[n(3)]
    pub onset_to: Option<Time>,
    /// When it ceases to be shown as active (CAP `expires`, but never absent here).
    #[n(4)]
    pub expires_at: Time,
    /// What a receiver may do with it (CAP `status`).
    #[n(5)]
    pub mode: Mode,
    /// A first alert or one that supersedes others (CAP `msgType`).
    #[n(6)]
    pub kind: Kind,
    /// The alerts that an `Update` supersedes, 1 to 64; none for an `Alert` (CAP `references`).
    #[cbor(n(7), skip_if = "Vec::is_empty")]
    pub supersedes: Vec<Reference>,
    /// What joins the alerts of several Societies on one event (CAP `incidents`): at most 64 bytes, no spaces.
    #[n(8)]
    pub incident_id: Option<String>,
    /// What it is about (CAP `eventCode`).
    #[n(9)]
    pub event: Event,
    /// When people have to act.
    #[n(10)]
    pub urgency: Urgency,
    /// How grave it is.
    #[n(11)]
    pub severity: Severity,
    /// How certain it is.
    #[n(12)]
    pub certainty: Certainty,
    /// Who told the Society.
    #[n(13)]
    pub source_type: SourceType,
    /// How reliable the source is, A to F.
    #[n(14)]
    pub source_reliability: Option<Reliability>,
    /// How credible the information is, 1 (confirmed) to 6 (cannot be judged).
    #[n(15)]
    pub info_credibility: Option<u8>,
    /// How far it has been checked.
    #[n(16)]
    pub verification: Verification,
    /// In which role somebody verified it.
    #[n(17)]
    pub verified_by: Option<Role>,
    /// When it was verified.
    #[n(18)]
    pub verified_at: Option<Time>,
    /// Where, 1 to 64 places.
    #[n(19)]
    pub places: Vec<Place>,
    /// The stretch of route, by which peers subscribe.
    #[n(20)]
    pub route_segment: Option<Segment>,
    /// How many people.
    #[cbor(n(21), skip_if = "People::is_empty")]
    pub people: People,
    /// From which countries, where five or more are from one.
    #[cbor(n(22), skip_if = "Vec::is_empty")]
    pub nationalities: Vec<Nationality>,
    /// Expected arrivals.
    #[cbor(n(23), skip_if = "Vec::is_empty")]
    pub etas: Vec<Eta>,
    /// What people need.
    #[cbor(n(24), skip_if = "Vec::is_empty")]
    pub needs: Vec<NeedLine>,
    /// Languages for which interpreters are needed.
    #[cbor(n(25), skip_if = "Vec::is_empty")]
    pub languages_needed: Vec<Language>,
    /// What is asked of whom; when empty, the event's default response holds.
    #[cbor(n(26), skip_if = "Vec::is_empty")]
    pub requested_actions: Vec<Action>,
    /// What the origin offers to do.
    #[cbor(n(27), skip_if = "Vec::is_empty")]
    pub offered_actions: Vec<Action>,
    /// Whether teams can reach the people.
    #[n(28)]
    pub access: Option<Access>,
    /// A remark on access, at most 280 characters.
    #[n(29)]
    pub access_note: Option<String>,
    /// The duty post that answers for it.
    #[n(30)]
    pub contact: Option<Contact>,
    /// Its words, one entry a language, 1 to 20.
    #[n(31)]
    pub texts: Vec<Text>,
    /// How far it may spread.
    #[n(32)]
    pub sensitivity: Sensitivity,
    /// The Societies it is for; when empty, sensitivity and subscriptions decide.
    #[cbor(n(33), skip_if = "Vec::is_empty")]
    pub distribution: Vec<Society>,
    /// Whether a person at each recipient has to acknowledge it.
    #[n(34)]
    pub ack_required: bool,
    /// Until when.
    #[n(35)]
    pub ack_by: Option<Time>,
    /// The document that it was imported from.
    #[n(36)]
    pub original: Option<Original>,
}
