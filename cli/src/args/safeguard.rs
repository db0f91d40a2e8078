//! The command line of what stands around handovers: `passerelle handover group` and `passerelle override`.

use std::{path::PathBuf, str::FromStr};

use clap::{Subcommand, ValueEnum};

/// What can be done with people who travel together.
#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// Offer the handovers of a family or of survivors who travel together
    ///
    /// Each has a case, a consent and a handover of their own. Where one of them has to be approved by others, all of
    /// them wait, and `passerelle handover send` sends them together.
    #[command(after_long_help = "Example:\n  passerelle handover group offer --group g.rosso.7 \
                           --member 019ab0f2-1c00-7000-8000-000000000002=mother.toml,mother-package.toml \
                           --member 019ab0f2-1c00-7000-8000-000000000003=son.toml")]
    Offer {
        /// Code of the group
        #[arg(long, value_name = "CODE")]
        group: String,
        /// Case, file of its offer, and file of its package if it is given now; once for each person
        #[arg(long = "member", value_name = "CASE=OFFER[,PACKAGE]", required = true)]
        members: Vec<MemberArg>,
        /// Id of the offer of each person, in the same order; the same command with the same ids takes effect once
        #[arg(long = "id", value_name = "ID")]
        ids: Vec<String>,
    },
    /// Accept the offers of a whole group
    #[command(after_long_help = "Example:\n  passerelle handover group accept 019ab0f2-1c00-7000-8000-000000000004 \
                           --team bamako-reception")]
    Accept {
        /// A handover of the group
        id: String,
        /// Team that takes them
        #[arg(long)]
        team: String,
    },
    /// Reject the offers of a whole group
    #[command(after_long_help = "Example:\n  passerelle handover group reject 019ab0f2-1c00-7000-8000-000000000004 \
                           --reason no_capacity")]
    Reject {
        /// A handover of the group
        id: String,
        /// Why, as of `passerelle handover reject`
        #[arg(long, value_name = "CODE")]
        reason: String,
        /// A sentence to the other Society; never identifies a person
        #[arg(long, default_value = "", hide_default_value = true)]
        note: String,
    },
    /// Let the members of a group go on one by one, at both Societies
    ///
    /// A supervisor decides; with a minor among them, a child-protection officer.
    #[command(after_long_help = "Example:\n  passerelle handover group split 019ab0f2-1c00-7000-8000-000000000004 \
                           --reason own_wish")]
    Split {
        /// A handover of the group
        id: String,
        /// Why: own_wish, medical_emergency, protection_concern, no_place_for_all, members_missing, error
        #[arg(long, value_name = "CODE")]
        reason: String,
    },
    /// Show the group of a handover
    #[command(after_long_help = "Example:\n  passerelle handover group show 019ab0f2-1c00-7000-8000-000000000004")]
    Show {
        /// A handover of the group
        id: String,
    },
}

/// One person of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberArg {
    /// The local case.
    pub case: String,
    /// File of the offer.
    pub offer: PathBuf,
    /// File of the package.
    pub package: Option<PathBuf>,
}

impl FromStr for MemberArg {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (case, files) = text.split_once('=').ok_or_else(|| "write CASE=OFFER or CASE=OFFER,PACKAGE".to_owned())?;
        let (offer, package) = match files.split_once(',') {
            Some((offer, package)) => (offer, Some(package.into())),
            None => (files, None),
        };
        Ok(Self { case: case.to_owned(), offer: offer.into(), package })
    }
}

/// What can be done with overrides of consent.
#[derive(Debug, Subcommand)]
pub enum OverrideCommand {
    /// Ask to go on without consent: for a vital interest alone, and never against a no
    ///
    /// Two others have to approve it. At most how to reach, carry and treat the person is then sent. The person is told
    /// as soon as possible, and somebody who had no part in it reviews it within 72 hours.
    #[command(after_long_help = "Examples: for a handover that is under way, and for a new one\n  \
                           passerelle override request --handover 019ab0f2-1c00-7000-8000-000000000004 \
                           --reason unconscious --note \"Found unconscious on the beach\"\n  \
                           passerelle override request --file offer.toml --case 019ab0f2-1c00-7000-8000-000000000002 \
                           --reason severe_injury --note \"Has to be operated tonight\"")]
    Request {
        /// Handover that is under way, or the id for the new one
        #[arg(long, value_name = "ID", required_unless_present = "file")]
        handover: Option<String>,
        /// TOML or JSON file of a new offer
        #[arg(long, value_name = "FILE", requires = "case_id")]
        file: Option<PathBuf>,
        /// Local case of the new offer
        #[arg(long = "case", value_name = "ID", requires = "file")]
        case_id: Option<String>,
        /// TOML or JSON file of its package
        #[arg(long, value_name = "FILE", requires = "file")]
        package: Option<PathBuf>,
        /// Why it cannot wait: unconscious, life_threatening, severe_injury, childbirth_emergency, self_harm_risk,
        /// imminent_violence, child_alone
        #[arg(long, value_name = "CODE")]
        reason: String,
        /// What is at stake, in a sentence; never identifies a person
        #[arg(long)]
        note: String,
    },
    /// Approve an override that somebody else asked for
    #[command(after_long_help = "Example:\n  passerelle override approve 019ab0f2-1c00-7000-8000-000000000004")]
    Approve {
        /// The handover
        id: String,
        /// Role in which you approve, if you have several
        #[arg(long, default_value = "", hide_default_value = true)]
        role: String,
    },
    /// List overrides, newest first
    #[command(after_long_help = "Example: what somebody has still to do\n  passerelle override list --due")]
    List {
        /// Only those that have still to be approved, told or reviewed
        #[arg(long)]
        due: bool,
    },
    /// Record that the person was told of an override, or what its review found
    #[command(after_long_help = "Example:\n  passerelle override review 019ab0f2-1c00-7000-8000-000000000004 \
                           --finding upheld")]
    Review {
        /// The handover
        id: String,
        /// What is recorded
        #[arg(long, value_enum)]
        finding: Finding,
    },
}

/// What is recorded of an override.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Finding {
    /// The person was told
    Told,
    /// The review found that it was right
    Upheld,
    /// The review found that it was not
    NotUpheld,
}

impl Finding {
    /// Its code on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Upheld => "upheld",
            Self::NotUpheld => "not_upheld",
        }
    }
}
