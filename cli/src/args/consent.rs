//! The command line of `passerelle consent`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use passerelle_domain::society::Society;

use super::{LimitArgs, alert::indented};

/// A consent record, as the long help shows it. A test reads it.
pub(crate) const CONSENT_EXAMPLE: &str = include_str!("../../../config/demo/consent.toml");

/// What can be done with consent records.
#[derive(Debug, Subcommand)]
pub enum ConsentCommand {
    /// Record what a person agreed to, or that they refused
    ///
    /// The record names no person: it belongs to a local case. Evidence, such as a thumbprint on paper, stays
    /// where it was taken.
    #[command(after_long_help = format!(
        "Example:\n  passerelle consent record --file consent.toml --case 019ab0f2-1c00-7000-8000-000000000002\n\n\
         where consent.toml holds, say,\n\n{}\n\
         A file that holds what is the same for many people goes well with options for what this one agreed to:\n  \
         passerelle consent record --file template.toml --case 019ab0f2-1c00-7000-8000-000000000002 \\\n    \
         --purpose svc.transport --category contact --category destination --recipient ML",
        indented(CONSENT_EXAMPLE)
    ))]
    Record(Box<RecordArgs>),
    /// Show one consent record with its state
    #[command(after_long_help = "Example:\n  passerelle consent show 019ab0f2-1c00-7000-8000-000000000003")]
    Show {
        /// The record
        id: String,
    },
    /// List consent records, newest first
    #[command(after_long_help = "Example:\n  passerelle consent list --limit 20")]
    List {
        /// How many.
        #[command(flatten)]
        limit: LimitArgs,
    },
    /// Take a consent back: nothing of it is used or sent any more, and every holder is told to stop and erase
    ///
    /// Any node takes it, also one that only received the case: there, name the handover.
    #[command(
        after_long_help = "Examples:\n  passerelle consent withdraw --consent 019ab0f2-1c00-7000-8000-000000000003\n  \
                           passerelle consent withdraw --handover 019ab0f2-1c00-7000-8000-000000000005 \
                           --by representative --channel phone"
    )]
    Withdraw(WithdrawArgs),
    /// Keep what proves a consent, a recording or a signed form: in the vault of this node alone, never sent
    ///
    /// Its SHA-256 is the one that the record names. It is destroyed some time after the consent ends, and with the case. A
    /// picture of a paper with a thumbprint is never taken.
    #[command(after_long_help = "Example:\n  passerelle consent keep-evidence 019ab0f2-1c00-7000-8000-000000000003 \
                           --file voice.ogg")]
    KeepEvidence {
        /// The record
        id: String,
        /// The recording or the scanned form
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// What it is: recording, signed_form
        #[arg(long, value_name = "CODE", default_value = "recording")]
        kind: String,
    },
    /// Write what proves a consent to a file; the reading is in the journal
    #[command(after_long_help = "Example:\n  passerelle consent read-evidence 019ab0f2-1c00-7000-8000-000000000003 \
                           --purpose complaint --out voice.ogg")]
    ReadEvidence {
        /// The record
        id: String,
        /// Why: dispute, complaint, review, access
        #[arg(long, value_name = "CODE")]
        purpose: String,
        /// Which piece, by its SHA-256; the newest when left out
        #[arg(long, value_name = "SHA256", default_value = "")]
        digest: String,
        /// A file that does not exist yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Take a part of a consent back: purposes, recipients or categories of data
    ///
    /// A handover that uses what is taken back is stopped and erased as a whole; offer what is left anew.
    #[command(
        after_long_help = "Example:\n  passerelle consent narrow --consent 019ab0f2-1c00-7000-8000-000000000003 \
                           --purpose svc.transport"
    )]
    Narrow {
        /// Of what, by whom.
        #[command(flatten)]
        withdraw: WithdrawArgs,
        /// Purpose that is taken back; may be repeated
        #[arg(long = "purpose", value_name = "CODE", required_unless_present_any = ["recipients", "categories"])]
        purposes: Vec<String>,
        /// Recipient that is taken back: a Society, or CODE:KIND for an organisation; may be repeated
        #[arg(long = "recipient", value_name = "XX")]
        recipients: Vec<String>,
        /// Category of data that is taken back; may be repeated
        #[arg(long = "category", value_name = "CODE")]
        categories: Vec<String>,
    },
    /// Show what was taken back of a consent, and how far each holder is with it
    #[command(after_long_help = "Example:\n  passerelle consent status --consent 019ab0f2-1c00-7000-8000-000000000003")]
    Status(AboutArgs),
    /// Ask whether a record covers a disclosure, without disclosing anything
    ///
    /// Prints what could be sent, or the reason of the no and what is missing. Ends with 0 for a yes and 1 for a no.
    #[command(after_long_help = "Example:\n  passerelle consent check 019ab0f2-1c00-7000-8000-000000000003 --to ML \
                           --service transport_family")]
    Check {
        /// The record
        id: String,
        /// Society that would receive
        #[arg(long, value_name = "XX")]
        to: Society,
        /// Service that it would give; may be repeated
        #[arg(long = "service", value_name = "CODE", required = true)]
        services: Vec<String>,
    },
}

/// Which consent.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct AboutArgs {
    /// Every consent of a local case
    #[arg(long = "case", value_name = "ID")]
    pub case_id: Option<String>,
    /// One consent record
    #[arg(long = "consent", value_name = "ID")]
    pub consent_id: Option<String>,
    /// The consent that a handover rests on
    #[arg(long = "handover", value_name = "ID")]
    pub handover_id: Option<String>,
}

/// Options of `consent withdraw` and `consent narrow`.
#[derive(Args, Debug)]
pub struct WithdrawArgs {
    /// Which consent.
    #[command(flatten)]
    pub about: AboutArgs,
    /// Who takes it back: person, representative
    #[arg(long, value_name = "CODE", default_value = "person")]
    pub by: String,
    /// How it was expressed, such as oral_witnessed or phone
    #[arg(long, value_name = "CODE")]
    pub channel: Option<String>,
}

/// Options of `consent record`.
#[derive(Args, Debug)]
pub struct RecordArgs {
    /// Local case that the record belongs to, a UUIDv7
    #[arg(long = "case", value_name = "ID")]
    pub case_id: String,
    /// TOML or JSON file; - for standard input. The options below replace what it says
    #[arg(long, value_name = "FILE", required_unless_present = "notice")]
    pub file: Option<PathBuf>,
    /// Id of the record, a UUIDv7; the same command with the same id takes effect once
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// What the person agreed to, such as svc.transport; may be repeated
    #[arg(long = "purpose", value_name = "CODE", requires = "categories")]
    pub purposes: Vec<String>,
    /// Data that may be used for each --purpose, such as contact; may be repeated
    #[arg(long = "category", value_name = "CODE", requires = "purposes")]
    pub categories: Vec<String>,
    /// Society that may receive it; may be repeated
    #[arg(long = "recipient", value_name = "XX")]
    pub recipients: Vec<String>,
    /// Country in which the data may be; may be repeated
    #[arg(long = "country", value_name = "XX")]
    pub countries: Vec<String>,
    /// Language that was spoken, BCP 47
    #[arg(long, value_name = "TAG")]
    pub language: Option<String>,
    /// Language that the person understands; may be repeated
    #[arg(long, value_name = "TAG")]
    pub understands: Vec<String>,
    /// Script that was read out, in --language: its name, its version and the SHA-256 of its text
    #[arg(long, value_name = "NAME@VERSION:SHA256", requires = "language", value_parser = notice)]
    pub notice: Option<NoticeArg>,
    /// The person could say the notice back in their own words
    #[arg(long, requires = "notice")]
    pub understood: bool,
    /// What came of asking: given, partly, refused, deferred
    #[arg(long, value_name = "CODE")]
    pub decision: Option<String>,
    /// How it was given, such as oral_witnessed
    #[arg(long, value_name = "CODE")]
    pub method: Option<String>,
    /// Who gave it, such as self
    #[arg(long, value_name = "CODE")]
    pub given_by: Option<String>,
    /// Whether the person could decide, such as adult_capable
    #[arg(long, value_name = "CODE")]
    pub capacity: Option<String>,
    /// Age of the person, as a band such as adult
    #[arg(long, value_name = "CODE")]
    pub age_band: Option<String>,
    /// Role of a witness; may be repeated
    #[arg(long = "witness", value_name = "CODE")]
    pub witnesses: Vec<String>,
    /// SHA-256 of the recording or paper, which stays where it was taken
    #[arg(long, value_name = "SHA256")]
    pub evidence: Option<String>,
    /// The recording or signed form itself: the record names its SHA-256, and the vault of this node keeps it
    #[arg(long, value_name = "FILE", conflicts_with = "evidence")]
    pub evidence_file: Option<PathBuf>,
    /// What --evidence-file is: recording, signed_form
    #[arg(long, value_name = "CODE", default_value = "recording", requires = "evidence_file")]
    pub evidence_kind: String,
    /// Where the data is kept, such as origin_node; may be repeated
    #[arg(long, value_name = "CODE")]
    pub storage: Vec<String>,
    /// How to take it back, such as oral_any_society; may be repeated
    #[arg(long, value_name = "CODE")]
    pub withdrawal: Vec<String>,
    /// Right that was explained, such as erasure; may be repeated
    #[arg(long = "right", value_name = "CODE")]
    pub rights: Vec<String>,
}

/// The script that was read out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeArg {
    /// Its name.
    pub reference: String,
    /// Its version.
    pub version: u32,
    /// SHA-256 of its text, hexadecimal.
    pub hash: String,
}

fn notice(text: &str) -> Result<NoticeArg, String> {
    let parts = text.split_once('@').and_then(|(reference, rest)| Some((reference, rest.split_once(':')?)));
    let (reference, (version, hash)) = parts.ok_or("not of the form NAME@VERSION:SHA256")?;
    let version = version.parse().map_err(|_| "the version is not a number")?;
    Ok(NoticeArg { reference: reference.to_owned(), version, hash: hash.to_owned() })
}
