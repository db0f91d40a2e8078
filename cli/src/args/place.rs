//! The command line of `passerelle place`.

use clap::{Subcommand, ValueEnum};
use passerelle_domain::society::Society;

/// What can be asked of the gazetteer. It is part of the program: no node and no line is needed.
#[derive(Debug, Subcommand)]
pub enum PlaceCommand {
    /// Find all that a name or code may mean; one of several is never picked in silence
    ///
    /// Accents, case and the forms of Arabic letters make no difference. A code is one of ISO 3166-2 (MR-09) or an
    /// OCHA P-code (MR09): they look alike and mean different areas.
    #[command(after_long_help = "Examples:\n  passerelle place find rosso\n  passerelle place find MR09\n  \
                           passerelle place find dakhla --country EH")]
    Find {
        /// Name or code
        name: String,
        /// Only in this country
        #[arg(long, value_name = "XX")]
        country: Option<Society>,
    },
    /// List the crossings, landing sites and islands; with --all the towns as well
    #[command(after_long_help = "Example: where boats leave and land in Senegal\n  \
                           passerelle place list --country SN --kind landing")]
    List {
        /// Only in this country
        #[arg(long, value_name = "XX")]
        country: Option<Society>,
        /// Only of this kind
        #[arg(long, value_enum)]
        kind: Option<PlaceKind>,
        /// Towns as well
        #[arg(long)]
        all: bool,
    },
}

/// What a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlaceKind {
    /// A crossing of a border, on one side of it
    Crossing,
    /// Where boats leave or land
    Landing,
    /// A town or village
    Town,
    /// An island
    Island,
}
