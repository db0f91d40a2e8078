//! Handovers of cases: the coded offer, the package that follows it, the messages that travel, the
//! life of a handover, and the gates at which consent is checked. Pure; knows no clock and no store.

pub mod gates;
pub mod group;
pub mod life;
pub mod messages;
pub mod offer;
pub mod overrides;
pub mod package;
pub mod reading;
pub mod release;
pub mod safeguards;
pub mod sections;
pub mod text;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod package_tests;
#[cfg(test)]
pub(crate) mod sample;

pub use gates::{Gate, check_gate};
pub use group::{GroupId, GroupSplit};
pub use life::{Action, Side, State, permitted_roles, transition};
pub use messages::{HandoverAnswer, HandoverRelease, HandoverStep, Outcome, Step, Verdict};
pub use offer::{Arrival, Group, HandoverDraft, Offer, OfferContext, OfferFields, ServiceRequest};
pub use overrides::{OverrideStep, plan_by_override};
pub use package::{Attachment, AttachmentKind, MediaType, Package};
pub use reading::{Opener, Question};
pub use release::{Case, Destination, ReleasePlan, plan, purpose_of};
pub use safeguards::{Approval, Proposal, Stage};
pub use text::{BirthDate, CaseShortCode, FreeText, Note, PhoneNumber};
