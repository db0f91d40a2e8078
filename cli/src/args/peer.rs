//! The command line of `passerelle peer`.

use std::path::PathBuf;

use clap::{ArgGroup, Subcommand};
use passerelle_domain::society::Society;

/// What can be done with peers.
#[derive(Debug, Subcommand)]
pub enum PeerCommand {
    /// List the peers and the state of their links
    #[command(after_long_help = "Example:\n  passerelle peer list")]
    List,
    /// Show one peer: its lanes, subscriptions, clock, certificate and alarms
    #[command(after_long_help = "Example:\n  passerelle peer show GM")]
    Show {
        /// The Society
        #[arg(value_name = "XX")]
        society: Society,
    },
    /// Show the fingerprint of this node's bundle, and write the bundle to a file
    ///
    /// The bundle goes to the other Society by any way. Its fingerprint, in words, is compared by voice.
    #[command(after_long_help = "Example:\n  passerelle peer bundle --out senegal.bundle")]
    Bundle {
        /// File to write; an existing one is not overwritten
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// The bundle of this Society, as this node knows it, instead of its own
        #[arg(long, value_name = "XX")]
        society: Option<Society>,
    },
    /// Take another Society's bundle: the start of exchanging with it, or a newer version
    ///
    /// For the first bundle of a Society the words of its fingerprint are shown; call the other Society, compare
    /// them, and confirm. Later versions are signed by the one before and need nobody's word.
    #[command(after_long_help = "Example:\n  passerelle peer add gambia.bundle\n\n\
                           Where nobody is at the terminal, give the words that were compared:\n  \
                           passerelle peer add gambia.bundle --fingerprint \"<the words>\"")]
    Add {
        /// The bundle file
        file: PathBuf,
        /// Words of the fingerprint, compared by voice before
        #[arg(long, value_name = "WORDS")]
        fingerprint: Option<String>,
    },
    /// Forget a peer's bundle and close its streams; what was exchanged stays in the journal
    #[command(after_long_help = "Example:\n  passerelle peer remove GM")]
    Remove {
        /// The Society
        #[arg(value_name = "XX")]
        society: Society,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Stop exchanging cases with a peer at once; alerts still flow. Holds over a restart
    #[command(after_long_help = "Example:\n  passerelle peer suspend ML --reason \"Their node was seized\"")]
    Suspend {
        /// The Society
        #[arg(value_name = "XX")]
        society: Society,
        /// Why: a sentence that never identifies a person
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Exchange cases with a suspended peer again
    #[command(after_long_help = "Example:\n  passerelle peer resume ML --reason \"New keys are in place\"")]
    Resume {
        /// The Society
        #[arg(value_name = "XX")]
        society: Society,
        /// Why: a sentence that never identifies a person
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Declare to the peers which route segments this Society wants alerts of
    ///
    /// Replaces what was declared before. Extreme alerts come in any case.
    #[command(group = ArgGroup::new("wanted").required(true).args(["segments", "everything", "nothing"]))]
    #[command(after_long_help = "Example:\n  passerelle peer subscribe land.sn-mr.rosso atl.gm-mr\n\n\
                           All segments: passerelle alert codes segment")]
    Subscribe {
        /// Segments wanted
        #[arg(value_name = "SEGMENT")]
        segments: Vec<String>,
        /// All alerts
        #[arg(long)]
        everything: bool,
        /// None but Extreme alerts
        #[arg(long)]
        nothing: bool,
    },
}
