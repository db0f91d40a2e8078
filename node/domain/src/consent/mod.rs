//! Consent: what a person agreed to, whether it is in force, and the one function that says what
//! it covers. Pure; holds no name, no number and no address of anybody.

pub mod covers;
pub mod draft;
pub mod evidence;
pub mod obligations;
pub mod recipient;
pub mod record;
pub mod state;
pub mod subject;
pub mod words;

pub(crate) mod codec;
pub(crate) mod faults;
mod validate;

#[cfg(test)]
mod covers_tests;
#[cfg(test)]
mod record_tests;
#[cfg(test)]
mod reference_model;
#[cfg(test)]
pub(crate) mod sample;

pub use covers::{Coverage, CoverageRequest, Denial, DenyReason, covers, standing};
pub use draft::{ConsentDraft, Decision, RecordContext};
pub use evidence::{EvidenceEntry, EvidenceKind, EvidencePiece, EvidenceRow, EvidenceUse};
pub use obligations::{ConsentRef, ContactSafety, Obligations, Restrictions, Withhold};
pub use recipient::{Organisation, Recipient};
pub use record::{Consent, ConsentRecord, Exclusion, Interpreter, Notice, PurposeGrant};
pub use state::{Actor, ConsentEvent, EventKind, Scope, Standing, State, fold, transition};
pub use subject::SubjectRef;
pub use words::{Country, Language, Tag};
