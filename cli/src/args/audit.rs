//! The command line of `passerelle audit`.

use std::path::PathBuf;

use clap::Subcommand;
use passerelle_domain::society::Society;

use super::LimitArgs;

/// What can be done with the journal.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List entries of the journal, in their order
    #[command(after_long_help = "Example: all that concerns one handover\n  \
                           passerelle audit list --subject 019ab0f2-1c00-7000-8000-000000000004")]
    List {
        /// First entry wanted
        #[arg(long, value_name = "INDEX", default_value_t = 0)]
        from: u64,
        /// Only entries of this kind, such as issued, received or refused
        #[arg(long)]
        kind: Option<String>,
        /// Only entries about this alert, handover, consent or peer
        #[arg(long, value_name = "ID")]
        subject: Option<String>,
        /// Only entries that concern this Society
        #[arg(long, value_name = "XX")]
        society: Option<Society>,
        /// How many.
        #[command(flatten)]
        limit: LimitArgs,
    },
    /// Print the newest signed checkpoint of the journal
    ///
    /// A C2SP checkpoint: whoever keeps it can later prove that the journal up to there was not changed.
    #[command(after_long_help = "Example:\n  passerelle audit checkpoint > checkpoint.txt")]
    Checkpoint,
    /// Verify the whole journal on the node: chain, tree, checkpoint, objects, views
    ///
    /// Ends with 6 when there are faults.
    #[command(after_long_help = "Example:\n  passerelle audit verify")]
    Verify,
    /// The report of exceptions: overrides, split groups, approvals refused to those who had asked
    #[command(after_long_help = "Example:\n  passerelle audit exceptions")]
    Exceptions,
    /// Write the journal and its objects to a file, in the documented export format
    #[command(after_long_help = "Example:\n  passerelle audit export --out sn.export")]
    Export {
        /// File to write; an existing one is not overwritten
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// First entry wanted
        #[arg(long, value_name = "INDEX", default_value_t = 0)]
        from: u64,
    },
}
