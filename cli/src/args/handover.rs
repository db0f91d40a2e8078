//! The command line of `passerelle handover`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use passerelle_domain::society::Society;

use super::{GroupCommand, LimitArgs, alert::indented};

/// An offer, as the long help shows it. A test reads it.
pub(crate) const OFFER_EXAMPLE: &str = include_str!("../../../config/demo/handover.toml");
/// A package, as the long help shows it. A test reads it.
pub(crate) const PACKAGE_EXAMPLE: &str = include_str!("../../../config/demo/package.toml");

/// What can be done with handovers.
#[derive(Debug, Subcommand)]
pub enum HandoverCommand {
    /// Offer a case to another Society; no identity crosses the border with the offer
    ///
    /// Says in which country the data will lie after release, and asks first where a person is at the terminal.
    #[command(after_long_help = format!(
        "Example:\n  passerelle handover offer --file offer.toml --case 019ab0f2-1c00-7000-8000-000000000002\n\n\
         where offer.toml holds, say,\n\n{}\nand package.toml, for --package, holds, say,\n\n{}",
        indented(OFFER_EXAMPLE),
        indented(PACKAGE_EXAMPLE)
    ))]
    Offer {
        /// TOML or JSON file of the offer; - for standard input
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// Local case, a UUIDv7
        #[arg(long = "case", value_name = "ID")]
        case_id: String,
        /// TOML or JSON file of the package, kept in the node's vault until release
        #[arg(long, value_name = "FILE")]
        package: Option<PathBuf>,
        /// Letter to medical staff that is part of the package; may be repeated
        #[arg(long = "letter", value_name = "KIND=FILE", requires = "package")]
        letters: Vec<LetterArg>,
        /// Release as soon as the offer is accepted and the consent, checked again, still covers it
        #[arg(long, requires = "package")]
        release_on_acceptance: bool,
        /// Consent record that it rests on, instead of the one that the file names
        #[arg(long, value_name = "ID")]
        consent: Option<String>,
        /// Do not ask whether the data may lie in that country
        #[arg(long)]
        yes: bool,
        /// Id of the handover, a UUIDv7; the same command with the same id takes effect once
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
    /// Approve a handover that waits for it: the offer at the sender, the acceptance at the recipient
    ///
    /// Children's cases and sealed sections wait for others: never for who asked.
    #[command(after_long_help = "Example:\n  passerelle handover approve 019ab0f2-1c00-7000-8000-000000000004 \
                           --role cp_officer")]
    Approve {
        /// The handover
        id: String,
        /// Role in which you approve, if you have several
        #[arg(long, default_value = "", hide_default_value = true)]
        role: String,
    },
    /// Send a handover that others have approved, with those of its group
    #[command(after_long_help = "Example:\n  passerelle handover send 019ab0f2-1c00-7000-8000-000000000004")]
    Send {
        /// The handover
        id: String,
    },
    /// People who travel together: offered, accepted and separated deliberately
    #[command(subcommand)]
    Group(GroupCommand),
    /// Accept an offer, for all or some of the services
    #[command(after_long_help = "Example:\n  passerelle handover accept 019ab0f2-1c00-7000-8000-000000000004 \
                           --team bamako-reception --service transport_family")]
    Accept {
        /// The handover
        id: String,
        /// Team that takes it
        #[arg(long, value_name = "CODE")]
        team: String,
        /// Service that is accepted; may be repeated; without it, all that were asked for
        #[arg(long = "service", value_name = "CODE")]
        services: Vec<String>,
    },
    /// Reject an offer with its reason
    #[command(after_long_help = "Example:\n  passerelle handover reject 019ab0f2-1c00-7000-8000-000000000004 \
                           --reason no_capacity")]
    Reject {
        /// The handover
        id: String,
        /// Why: no_service, no_capacity, no_funding, outside_coverage, not_eligible, duplicate, insufficient_info,
        /// unsafe_for_person, unsafe_for_staff, consent_problem, wrong_recipient, other
        #[arg(long, value_name = "CODE")]
        reason: String,
        /// A sentence to the other Society; never identifies a person
        #[arg(long, default_value = "", hide_default_value = true)]
        note: String,
    },
    /// Release the package of an accepted handover; the consent is checked again at that moment
    #[command(after_long_help = "Example:\n  passerelle handover release 019ab0f2-1c00-7000-8000-000000000004 \
                           --package package.toml")]
    Release {
        /// The handover
        id: String,
        /// TOML or JSON file of the package; without it, the one given with the offer
        #[arg(long, value_name = "FILE")]
        package: Option<PathBuf>,
        /// Letter to medical staff that is part of the package; may be repeated
        #[arg(long = "letter", value_name = "KIND=FILE", requires = "package")]
        letters: Vec<LetterArg>,
    },
    /// Report a later step of a handover
    #[command(after_long_help = "Examples:\n  passerelle handover report 019ab0f2-1c00-7000-8000-000000000004 \
                           --step in_service\n  passerelle handover report 019ab0f2-1c00-7000-8000-000000000004 \
                           --step completed --reason completed --delivered transport_family")]
    Report {
        /// The handover
        id: String,
        /// The step
        #[arg(long, value_enum)]
        step: Step,
        /// Reason code, where the step needs one
        #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
        reason: String,
        /// A sentence to the other Society; never identifies a person
        #[arg(long, default_value = "", hide_default_value = true)]
        note: String,
        /// With completed: service that was given; may be repeated
        #[arg(long, value_name = "CODE")]
        delivered: Vec<String>,
    },
    /// Show one handover with its history; never the package
    #[command(after_long_help = "Example:\n  passerelle handover show 019ab0f2-1c00-7000-8000-000000000004")]
    Show {
        /// The handover
        id: String,
    },
    /// List handovers, newest first
    #[command(after_long_help = "Example: what Mali has still to answer\n  \
                           passerelle handover list --society ML --state delivered")]
    List {
        /// Only handovers in this state, such as offered or in_service
        #[arg(long)]
        state: Option<String>,
        /// Only those with this Society at the other end
        #[arg(long, value_name = "XX")]
        society: Option<Society>,
        /// How many.
        #[command(flatten)]
        limit: LimitArgs,
    },
    /// Read a received package; each reading is recorded with its purpose
    ///
    /// Prints personal data: mind who sees the screen, and where the output goes.
    #[command(after_long_help = "Example:\n  passerelle handover read 019ab0f2-1c00-7000-8000-000000000004 \
                           --purpose svc.transport --section travel")]
    Read {
        /// The handover
        id: String,
        /// Why it is read, such as svc.transport; recorded in the journal
        #[arg(long, value_name = "CODE")]
        purpose: String,
        /// Section to read; may be repeated; without it, all that your roles may read
        #[arg(long = "section", value_name = "CODE")]
        sections: Vec<String>,
        /// Folder for the letters of health_full; none of them is written otherwise
        #[arg(long, value_name = "FOLDER")]
        letters: Option<PathBuf>,
    },
}

/// A letter of a package: its kind and its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterArg {
    /// clinical_letter, prescription, test_result or imaging.
    pub kind: String,
    /// The file; its ending says what it is.
    pub file: PathBuf,
}

impl LetterArg {
    /// The media type that the ending of the file stands for; empty when it stands for none that is taken.
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        let ending = self.file.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        match ending.as_deref() {
            Some("pdf") => "application/pdf",
            Some("jpg" | "jpeg") => "image/jpeg",
            Some("png") => "image/png",
            Some("txt") => "text/plain",
            _ => "",
        }
    }
}

impl std::str::FromStr for LetterArg {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, file) = text.split_once('=').ok_or_else(|| "write KIND=FILE".to_owned())?;
        let letter = Self { kind: kind.to_owned(), file: file.into() };
        if letter.media_type().is_empty() {
            return Err("a letter is a .pdf, .jpg, .png or .txt file".to_owned());
        }
        Ok(letter)
    }
}

/// A later step of a handover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Step {
    /// The person is in the receiver's care; from here it is responsible
    InService,
    /// The person has not come
    NotArrived,
    /// What was accepted is done
    Completed,
    /// The case goes back to the sender
    Returned,
    /// The sender takes the offer back
    Cancelled,
    /// The sender takes the package back; the receiver stops and erases
    Revoked,
}

impl Step {
    /// Its code on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InService => "in_service",
            Self::NotArrived => "not_arrived",
            Self::Completed => "completed",
            Self::Returned => "returned",
            Self::Cancelled => "cancelled",
            Self::Revoked => "revoked",
        }
    }
}
