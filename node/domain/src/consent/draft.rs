//! What a caseworker writes down, in TOML or JSON, and its way into a valid consent record.

use std::time::Duration;

use serde::Deserialize;

use super::{
    recipient::Recipient,
    record::{Consent, ConsentRecord, Exclusion, Interpreter, Notice, PurposeGrant, SCHEMA},
    state::{Actor, ConsentEvent, EventKind},
    subject::SubjectRef,
    words::{Country, Language, Tag},
};
use crate::{
    catalogue::{
        AgeBand, Capacity, CollectionMethod, GivenBy, NoCaregiver, Right, Role, Storage, WithdrawalMethod, WitnessKind,
        vocabulary,
    },
    digest::Digest,
    ids::ConsentId,
    refusal::Refusal,
    society::Society,
    time::Time,
};

vocabulary! {
    /// What came of asking.
    Decision {
        1 Given = "given",
        2 Partly = "partly",
        3 Refused = "refused",
        4 Deferred = "deferred",
    }
}

impl Decision {
    fn event(self) -> EventKind {
        match self {
            Self::Given => EventKind::Give,
            Self::Partly => EventKind::GivePartly,
            Self::Refused => EventKind::Refuse,
            Self::Deferred => EventKind::Defer,
        }
    }
}

/// How long consent holds when nothing else is said: six months, then the person is asked again.
pub const VALIDITY: Duration = Duration::from_secs(183 * 24 * 3_600);

/// A consent record as it is written down. What can be derived may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentDraft {
    /// Which version of the record it makes; 1 when not said.
    #[serde(default = "first")]
    pub version: u32,
    /// The Societies that answer for the data; the own one when not said.
    #[serde(default)]
    pub controllers: Vec<Society>,
    /// The country whose law governs it; the own one when not said.
    #[serde(default)]
    pub jurisdiction: Option<Country>,
    /// The language that was spoken.
    pub language: Language,
    /// The languages that the person understands.
    pub understands: Vec<Language>,
    /// The interpreter, where there was one.
    #[serde(default)]
    pub interpreter: Option<Interpreter>,
    /// The script that was read out.
    pub notice: Notice,
    /// What was agreed to.
    pub purposes: Vec<PurposeGrant>,
    /// Who may receive it.
    pub recipients: Vec<Recipient>,
    /// The countries in which the data may be.
    pub countries: Vec<Country>,
    /// What is excluded.
    #[serde(default)]
    pub exclusions: Vec<Exclusion>,
    /// Where the data is kept.
    pub storage: Vec<Storage>,
    /// Until when the data is kept; as long as the consent holds when not said.
    #[serde(default)]
    pub retention_until: Option<Time>,
    /// How to take it back.
    pub withdrawal: Vec<WithdrawalMethod>,
    /// The rights that were explained.
    pub rights: Vec<Right>,
    /// Where to complain.
    #[serde(default)]
    pub complaint_to: Option<Tag>,
    /// How it was given.
    pub collection: CollectionMethod,
    /// Who gave it.
    pub given_by: GivenBy,
    /// Whether the person could decide.
    pub capacity: Capacity,
    /// The person's age, as a band.
    pub age_band: AgeBand,
    /// A child's own yes or no.
    #[serde(default)]
    pub assent: Option<bool>,
    /// How a child's own yes was given.
    #[serde(default)]
    pub assent_form: Option<CollectionMethod>,
    /// Why no caregiver decided for a minor.
    #[serde(default)]
    pub no_caregiver: Option<NoCaregiver>,
    /// When a minor comes of age.
    #[serde(default)]
    pub of_age_at: Option<Time>,
    /// Who witnessed it, by role.
    #[serde(default)]
    pub witnesses: Vec<Role>,
    /// Who witnessed it, by kind.
    #[serde(default)]
    pub witnessed_by: Option<WitnessKind>,
    /// The digest of the recording or paper.
    #[serde(default)]
    pub evidence: Option<Digest>,
    /// When the notice was explained; now when not said.
    #[serde(default)]
    pub asked_at: Option<Time>,
    /// What came of it.
    pub decision: Decision,
    /// When it was decided; when it was asked if not said.
    #[serde(default)]
    pub decided_at: Option<Time>,
    /// From when on it is in force; from the decision when not said.
    #[serde(default)]
    pub valid_from: Option<Time>,
    /// Before when it is in force; for six months when not said.
    #[serde(default)]
    pub valid_until: Option<Time>,
}

fn first() -> u32 {
    1
}

/// What the node adds to a draft.
#[derive(Clone, Copy, Debug)]
pub struct RecordContext {
    /// The id of the record.
    pub id: ConsentId,
    /// The person's pseudonym.
    pub subject: SubjectRef,
    /// The own Society.
    pub society: Society,
    /// The instant at which it is recorded.
    pub now: Time,
}

impl ConsentRecord {
    /// Makes a valid record of a draft.
    ///
    /// # Errors
    /// Every fault found, each with the path of its field.
    pub fn from_draft(draft: ConsentDraft, context: RecordContext) -> Result<Self, Vec<Refusal>> {
        let asked_at = draft.asked_at.unwrap_or(context.now);
        let decided_at = draft.decided_at.unwrap_or(asked_at);
        let valid_from = draft.valid_from.unwrap_or(decided_at);
        let valid_until = draft.valid_until.unwrap_or_else(|| valid_from.plus(VALIDITY));
        let decider = match (draft.decision, draft.given_by) {
            (Decision::Deferred, _) => Actor::Caseworker,
            (_, GivenBy::Person) => Actor::Person,
            _ => Actor::Representative,
        };
        let event = |kind, at, actor, method| ConsentEvent {
            at,
            kind,
            actor,
            recorded_by: context.society,
            method,
            scope: None,
        };
        let events = vec![
            event(EventKind::Explain, asked_at, Actor::Caseworker, None),
            event(draft.decision.event(), decided_at, decider, Some(draft.collection)),
        ];
        let controllers = if draft.controllers.is_empty() { vec![context.society] } else { draft.controllers };
        Self::from_fields(Consent {
            schema: SCHEMA,
            id: context.id,
            version: draft.version,
            subject: context.subject,
            controllers,
            jurisdiction: draft.jurisdiction.unwrap_or(context.society.into()),
            language: draft.language,
            understands: draft.understands,
            interpreter: draft.interpreter,
            notice: draft.notice,
            purposes: draft.purposes,
            recipients: draft.recipients,
            countries: draft.countries,
            exclusions: draft.exclusions,
            storage: draft.storage,
            retention_until: draft.retention_until.unwrap_or(valid_until),
            withdrawal: draft.withdrawal,
            rights: draft.rights,
            complaint_to: draft.complaint_to,
            collection: draft.collection,
            given_by: draft.given_by,
            capacity: draft.capacity,
            age_band: draft.age_band,
            assent: draft.assent,
            witnesses: draft.witnesses,
            evidence: draft.evidence,
            valid_from,
            valid_until,
            events,
            no_caregiver: draft.no_caregiver,
            assent_form: draft.assent_form,
            witnessed_by: draft.witnessed_by,
            of_age_at: draft.of_age_at,
        })
    }
}
