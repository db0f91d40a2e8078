//! A reading of what stays at its origin: what the recipient's node asks, over the live link, for one reader. It is
//! answered at once or not at all, and never kept.

use crate::{
    catalogue::{Purpose, Role, Section},
    ids::{EnvelopeId, HandoverId},
    refusal::{Code, Refusal},
};

/// Who reads packages; each of them what their role opens.
pub const READERS: [Role; 6] =
    [Role::Caseworker, Role::Supervisor, Role::Medical, Role::CpOfficer, Role::GbvOfficer, Role::RflOfficer];

/// Who opens a package that is kept: that decides which of its sealed sections can be opened at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opener {
    /// Somebody who reads it, in these roles.
    Reader(Vec<Role>),
    /// The node, which takes from it what may be released. It shows nothing to anybody.
    Sender,
}

impl Opener {
    /// Whether a section is opened for them.
    #[must_use]
    pub fn may_open(&self, section: Section) -> bool {
        match self {
            Self::Reader(roles) => {
                section.sealed_for().is_empty() || section.sealed_for().iter().any(|role| roles.contains(role))
            }
            Self::Sender => true,
        }
    }
}

/// What one reader wants to see of a package that is held at its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The reading's own id: the answer names it, and its seal is tied to it.
    pub id: EnvelopeId,
    /// The handover.
    pub handover: HandoverId,
    /// The sections, each once.
    pub sections: Vec<Section>,
    /// Why.
    pub purpose: Purpose,
    /// The reader's roles at the recipient, each once, as its node vouches for them.
    pub roles: Vec<Role>,
}

impl Question {
    /// Checks what the types leave open: at least one section and one role, none twice.
    ///
    /// # Errors
    /// `malformed`, with the field.
    pub fn check(&self) -> Result<(), Refusal> {
        once("sections", &self.sections)?;
        once("roles", &self.roles)
    }
}

/// Lists of codes, none twice, are no longer than their vocabulary.
fn once<T: PartialEq>(field: &str, codes: &[T]) -> Result<(), Refusal> {
    let again = codes.iter().enumerate().any(|(at, code)| codes[..at].contains(code));
    if codes.is_empty() || again {
        return Err(Refusal::new(Code::Malformed, format!("{field}: at least one, and none twice")).at(field));
    }
    Ok(())
}
