//! To whom data may go: named Societies and named organisations, never "everybody", never an authority.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::words::Tag;
use crate::{
    catalogue::OrganisationKind,
    refusal::{Code, Refusal},
    society::Society,
};

/// A named recipient. In files: a Society's code, or `{ organisation = "iom", kind = "un_agency" }`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a recipient is a Society's code such as \"SN\", or { organisation = \"iom\", kind = \"un_agency\" }"
)]
pub enum Recipient {
    /// A National Society.
    #[n(0)]
    Society(#[n(0)] Society),
    /// Another organisation, by its code.
    #[n(1)]
    Organisation(#[n(0)] Organisation),
}

/// An organisation that is no National Society.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// Its code, such as `iom` or `hospital.kayes`.
    #[n(0)]
    #[serde(rename = "organisation")]
    pub code: Tag,
    /// What kind of organisation it is.
    #[n(1)]
    pub kind: OrganisationKind,
}

/// Words by which an authority is known whatever kind it was filed under.
const AUTHORITY_WORDS: [&str; 16] = [
    "police",
    "policia",
    "gendarmerie",
    "immigration",
    "frontex",
    "interpol",
    "consulate",
    "consulat",
    "consulado",
    "embassy",
    "ambassade",
    "military",
    "militaire",
    "customs",
    "douane",
    "interior",
];

impl Recipient {
    /// Whether it is an authority: police, immigration, border, military, consulate, embassy.
    #[must_use]
    pub fn is_authority(&self) -> bool {
        match self {
            Self::Society(_) => false,
            Self::Organisation(organisation) => {
                let code = organisation.code.as_str().to_ascii_lowercase();
                organisation.kind == OrganisationKind::Authority
                    || code.split(['.', '_', '-']).any(|word| AUTHORITY_WORDS.contains(&word))
            }
        }
    }

    /// Refuses an authority.
    ///
    /// # Errors
    /// `authority_recipient`.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.is_authority() {
            return Err(Refusal::new(
                Code::AuthorityRecipient,
                "an authority is never a recipient of data about a person",
            ));
        }
        Ok(())
    }
}

impl From<Society> for Recipient {
    fn from(society: Society) -> Self {
        Self::Society(society)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_one_under_whatever_kind_it_is_filed() {
        for (code, kind, authority) in [
            ("iom", OrganisationKind::UnAgency, false),
            ("hospital.kayes", OrganisationKind::Hospital, false),
            ("salvation-army", OrganisationKind::Ngo, false),
            ("anything", OrganisationKind::Authority, true),
            ("Police.rosso", OrganisationKind::Ngo, true),
            ("frontex", OrganisationKind::MovementPartner, true),
        ] {
            let code = code.parse().expect("a code");
            let recipient = Recipient::Organisation(Organisation { code, kind });
            assert_eq!(recipient.is_authority(), authority, "{recipient:?}");
            assert_eq!(
                recipient.check().map_err(|r| r.code),
                if authority { Err(Code::AuthorityRecipient) } else { Ok(()) }
            );
        }
    }
}
