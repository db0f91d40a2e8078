//! Residues: what the views keep of an object that redaction, erasure or retention removed. Codes and times
//! only, so that the rows before and after the removal, and those of a rebuild, are the same bytes.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::Content;
use crate::{
    alert::Alert,
    catalogue::{AckKind, AgeBand, CancelReason, DataCategory, Event, HandoverKind, Mode, Purpose, Severity, Urgency},
    consent::ConsentRef,
    digest::Digest,
    entry::Body,
    envelope::{from_cbor, to_cbor},
    handover::{Group, HandoverAnswer, HandoverStep, Offer, Verdict, purpose_of, safeguards},
    ids::{AlertId, EntryIndex, HandoverId},
    refusal::{Code, Refusal},
    rights::{RightsMessage, SubjectRequest},
    rows::AckWanted,
    society::Society,
    time::Time,
};

/// How the stored bytes of a residue begin. No object does: as CBOR this would be text, and objects are arrays and maps.
const MAGIC: &[u8] = b"passerelle/residue/v1\0";

/// What is left of an object.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Residue {
    /// The views need nothing of it.
    #[n(0)]
    Nothing,
    /// Of an alert.
    #[n(1)]
    Alert(#[n(0)] AlertOutline),
    /// Of the cancellation of an alert: all but its note.
    #[n(2)]
    Cancel(#[n(0)] AlertId, #[n(1)] CancelReason),
    /// Of the answer to an alert: all but its note.
    #[n(3)]
    Ack(#[n(0)] AlertId, #[n(1)] AckKind),
    /// Of an offer.
    #[n(4)]
    Offer(#[n(0)] OfferOutline),
    /// Of the answer to an offer: all but its note.
    #[n(5)]
    Answer(#[n(0)] HandoverAnswer),
    /// Of a consent record: the age of its person, as a band.
    #[n(6)]
    Age(#[n(0)] AgeBand),
    /// Of a step of a handover: all but its note.
    #[n(7)]
    Step(#[n(0)] HandoverStep),
    /// Of a request of a person: all but its note.
    #[n(8)]
    Request(#[n(0)] SubjectRequest),
    /// Of a message about a request: codes, without what is held.
    #[n(9)]
    Rights(#[n(0)] RightsMessage),
}

/// The residues met on a walk along the journal: each must be named by a later entry, with its digest.
#[derive(Clone, Debug, Default)]
pub struct ResidueLedger(BTreeMap<EntryIndex, Digest>);

impl ResidueLedger {
    /// A residue stands in the place of the object of `entry`.
    pub fn met(&mut self, entry: EntryIndex, residue: &Residue) {
        self.0.insert(entry, residue.digest());
    }

    /// An entry says which objects were removed. What else it names was absent altogether.
    ///
    /// # Errors
    /// `bad_digest` when a residue is not the one that it names.
    pub fn named(&mut self, body: &Body) -> Result<(), Refusal> {
        let Body::Forgotten { objects, .. } = body else { return Ok(()) };
        for (entry, digest) in objects {
            if self.0.remove(entry).is_some_and(|met| met != *digest) {
                return Err(Refusal::new(
                    Code::BadDigest,
                    format!("what is left of the object of entry {entry} was changed"),
                ));
            }
        }
        Ok(())
    }

    /// The entries whose object is gone without an entry that says so.
    pub fn unnamed(&self) -> impl Iterator<Item = EntryIndex> {
        self.0.keys().copied()
    }
}

/// What the row of an alert is made of.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AlertOutline {
    /// Until when it holds.
    #[n(0)]
    pub expires_at: Time,
    /// What happened.
    #[n(1)]
    pub event: Event,
    /// How bad.
    #[n(2)]
    pub severity: Severity,
    /// How soon.
    #[n(3)]
    pub urgency: Urgency,
    /// Actual, Exercise, System or Test.
    #[n(4)]
    pub mode: Mode,
    /// What it supersedes.
    #[n(5)]
    pub supersedes: Vec<AlertId>,
    /// When it was sent, as it says itself.
    #[n(6)]
    pub sent_at: Option<Time>,
    /// Whether, and until when, a human at each recipient is to acknowledge it.
    #[n(7)]
    pub ack: Option<AckWanted>,
}

impl AlertOutline {
    /// The outline of an alert.
    #[must_use]
    pub fn of(alert: &Alert) -> Self {
        Self {
            expires_at: alert.expires_at,
            event: alert.event,
            severity: alert.severity,
            urgency: alert.urgency,
            mode: alert.mode,
            supersedes: alert.supersedes.iter().map(|parent| parent.id).collect(),
            sent_at: Some(alert.sent_at),
            ack: alert.ack_required.then_some(AckWanted { by: alert.ack_by }),
        }
    }
}

/// What the row of a handover is made of.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct OfferOutline {
    /// The handover.
    #[n(0)]
    pub id: HandoverId,
    /// Who hands over.
    #[n(1)]
    pub from: Society,
    /// Who takes over.
    #[n(2)]
    pub to: Society,
    /// What kind of handover it is.
    #[n(3)]
    pub kind: HandoverKind,
    /// The consent that it rests on.
    #[n(4)]
    pub consent: ConsentRef,
    /// When the offer ends.
    #[n(5)]
    pub expires_at: Time,
    /// The group that it belongs to.
    #[n(6)]
    pub group: Option<Group>,
    /// Whether the rules for minors hold.
    #[n(7)]
    #[cbor(default)]
    pub minors: bool,
    /// The purposes of all services that are asked for.
    #[n(8)]
    pub purposes: Vec<Purpose>,
    /// The categories of data that these may use.
    #[n(9)]
    pub categories: Vec<DataCategory>,
}

impl OfferOutline {
    /// The outline of an offer.
    #[must_use]
    pub fn of(offer: &Offer) -> Self {
        let mut purposes: Vec<_> = offer.service_codes().map(|service| purpose_of(offer.kind, service)).collect();
        purposes.sort_unstable();
        purposes.dedup();
        let mut categories: Vec<_> = offer.service_codes().flat_map(|service| service.minimal_categories()).collect();
        categories.sort_unstable();
        categories.dedup();
        Self {
            purposes,
            categories,
            id: offer.id,
            from: offer.from,
            to: offer.to,
            kind: offer.kind,
            consent: offer.consent,
            expires_at: offer.expires_at,
            group: offer.group.clone(),
            minors: safeguards::is_minors(offer),
        }
    }
}

impl Residue {
    /// What is left of an object with this meaning; absent when it is no object that may be removed, since the
    /// node goes on needing it: a bundle, a subscription, a step of a handover that holds codes alone.
    #[must_use]
    pub fn of(content: &Content) -> Option<Self> {
        Some(match content {
            Content::Alert(alert) => Self::Alert(AlertOutline::of(alert)),
            Content::Cancel(cancel) => Self::Cancel(cancel.alert, cancel.reason),
            Content::Ack(ack) => Self::Ack(ack.answer().alert, ack.answer().kind),
            Content::Offer(offer) => Self::Offer(OfferOutline::of(offer)),
            Content::Answer(answer) => {
                let mut answer = answer.clone();
                if let Verdict::Reject { note, .. } = &mut answer.verdict {
                    *note = None;
                }
                Self::Answer(answer)
            }
            Content::Consent(record) => Self::Age(record.age_band),
            Content::Step(step) if step.note.is_some() => Self::Step(HandoverStep { note: None, ..(**step).clone() }),
            Content::Request(request) if request.note.is_some() => Self::Request(request.outline()),
            Content::Rights(message) if message.outline() != **message => Self::Rights(message.outline()),
            Content::Receipt(_) | Content::Note(_) | Content::Draft(_) | Content::Card(_) => Self::Nothing,
            Content::Redact(_)
            | Content::Erased(_)
            | Content::Release(_)
            | Content::Step(_)
            | Content::Split(_)
            | Content::Withdrawal(_)
            | Content::Event(_)
            | Content::Rights(_)
            | Content::Request(_)
            | Content::Subscription(_)
            | Content::Bundle(_)
            | Content::Residue(_) => return None,
        })
    }

    /// The bytes that stand in the place of the object.
    #[must_use]
    pub fn to_stored(&self) -> Vec<u8> {
        [MAGIC, &to_cbor(self)].concat()
    }

    /// The residue in stored bytes; absent when they are an object.
    ///
    /// # Errors
    /// `malformed` when they begin as a residue and are none.
    pub fn from_stored(stored: &[u8]) -> Result<Option<Self>, Refusal> {
        stored.strip_prefix(MAGIC).map(|bytes| from_cbor(bytes, "residue")).transpose()
    }

    /// Whether stored bytes are a residue and not an object.
    #[must_use]
    pub fn is_stored(stored: &[u8]) -> bool {
        stored.starts_with(MAGIC)
    }

    /// The digest by which the entry of the removal names it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_stored())
    }
}
