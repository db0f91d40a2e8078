//! The command lines of `passerelle retention`, `passerelle hold` and `passerelle report`.

use clap::{Args, Subcommand, ValueEnum};

/// What can be done about retention.
#[derive(Debug, Subcommand)]
pub enum RetentionCommand {
    /// Show how long things are kept, what is purged soon, and what was purged
    #[command(after_long_help = "Example:\n  passerelle retention status")]
    Status,
    /// Purge now what is due; the node does so by itself as well
    #[command(after_long_help = "Example:\n  passerelle retention run")]
    Run,
    /// Keep a received package for another period; once, by a supervisor or the data protection officer
    #[command(after_long_help = "Example:\n  passerelle retention review 019ab0f2-1c00-7000-8000-000000000004")]
    Review {
        /// The handover whose package is still needed
        id: String,
    },
}

/// What can be done with holds.
#[derive(Debug, Subcommand)]
pub enum HoldCommand {
    /// Place a hold: what is held is not purged, and what is frozen is not read or released either
    #[command(after_long_help = "Example:\n  passerelle hold place --handover 019ab0f2-1c00-7000-8000-000000000004 \
                           --kind legal_hold --reason \"Court order of 12 October\"")]
    Place(HoldArgs),
    /// Lift a hold
    #[command(after_long_help = "Example:\n  passerelle hold lift --handover 019ab0f2-1c00-7000-8000-000000000004 \
                           --kind legal_hold --reason \"The case is closed\"")]
    Lift(HoldArgs),
    /// List the holds, lifted ones included
    #[command(after_long_help = "Example:\n  passerelle hold list")]
    List,
}

/// Over what, and why.
#[derive(Args, Debug)]
pub struct HoldArgs {
    /// Over what
    #[command(flatten)]
    pub subject: SubjectArgs,
    /// What the hold does
    #[arg(long, value_enum, default_value = "legal_hold")]
    pub kind: HoldKind,
    /// Why: a sentence that never identifies a person
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// What a hold is over.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct SubjectArgs {
    /// A local case, with its handovers and consent records
    #[arg(long, value_name = "ID")]
    pub case: Option<String>,
    /// A handover
    #[arg(long, value_name = "ID")]
    pub handover: Option<String>,
    /// A consent record, with the handovers that rest on it
    #[arg(long, value_name = "ID")]
    pub consent: Option<String>,
    /// An alert
    #[arg(long, value_name = "ID")]
    pub alert: Option<String>,
}

/// What a hold does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum HoldKind {
    /// Not purged
    LegalHold,
    /// Not purged, not read, not released
    BreachFreeze,
    /// At the wish of the person: not read, not released; stands in the way of no erasure
    Restriction,
}

impl HoldKind {
    /// Its code on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LegalHold => "legal_hold",
            Self::BreachFreeze => "breach_freeze",
            Self::Restriction => "restriction",
        }
    }
}

/// What can be done with aggregate reports.
#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// Count handovers of whole months in cells of at least five, and propose the table for approval
    ///
    /// This is all that anybody who is no partner of a case can be given, an authority above all. Smaller cells say "<5",
    /// and the total is that of the cells that show a number. No two reports cover the same month.
    #[command(after_long_help = "Example:\n  passerelle report aggregate --by service --from 2026-09 --until 2026-10")]
    Aggregate {
        /// By what: service, from, to, state, age_band or kind
        #[arg(long, value_name = "CODE")]
        by: String,
        /// First month
        #[arg(long, value_name = "YYYY-MM")]
        from: String,
        /// Last month
        #[arg(long, value_name = "YYYY-MM")]
        until: String,
    },
    /// Approve a report; two persons have to, and neither may have proposed it
    #[command(after_long_help = "Example:\n  passerelle report approve 019ab0f2-1c00-7000-8000-000000000009")]
    Approve {
        /// The report
        id: String,
    },
    /// Give out a report that was approved; the journal says to whom
    #[command(after_long_help = "Example:\n  passerelle report export 019ab0f2-1c00-7000-8000-000000000009 \
                           --recipient ministry.health")]
    Export {
        /// The report
        id: String,
        /// Code of the organisation that gets it; never a person
        #[arg(long, value_name = "CODE")]
        recipient: String,
    },
    /// List the reports and how far they are
    #[command(after_long_help = "Example:\n  passerelle report list")]
    List,
}
