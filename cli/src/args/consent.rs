//! The command line of `passerelle consent`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use passerelle_domain::society::Society;

use super::{LimitArgs, alert::indented};

/// A consent record, as the long help shows it. A test reads it.
pub(crate) const CONSENT_EXAMPLE: &str = include_str!("examples/consent.toml");

/// What can be done with consent records.
#[derive(Debug, Subcommand)]
pub enum ConsentCommand {
    /// Record what a person agreed to, or that they refused
    ///
    /// The record names no person: it belongs to a local case. Evidence, such as a thumbprint on paper, stays
    /// where it was taken.
    #[command(after_long_help = format!(
        "Example:\n  passerelle consent record --file consent.toml --case 019ab0f2-1c00-7000-8000-000000000002\n\n\
         where consent.toml holds, say,\n\n{}",
        indented(CONSENT_EXAMPLE)
    ))]
    Record(RecordArgs),
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

/// Options of `consent record`.
#[derive(Args, Debug)]
pub struct RecordArgs {
    /// TOML or JSON file; - for standard input
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
    /// Local case that the record belongs to, a UUIDv7
    #[arg(long = "case", value_name = "ID")]
    pub case_id: String,
    /// Id of the record, a UUIDv7; the same command with the same id takes effect once
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
}
