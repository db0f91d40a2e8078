//! The command line of `passerelle alert check`.

use std::path::PathBuf;

use clap::Args;

/// The exit codes of `alert check`, which needs no node and so has its own.
pub(super) const HELP: &str = "\
Folders are searched to their ends for files called *.xml, *.cap, *.atom, *.rss, *.edxl and *.edxlde; links to \
folders are not followed. A file that is named is checked whatever it is called.

Exit codes: 0 no document is invalid; 1 a document is invalid; 2 a file cannot be read, or there is none. A document \
that is not CAP 1.2 (an Atom feed, an EDXL-DE container, an older CAP) is not invalid: its verdict is other-format.

Examples:
  passerelle alert check alert.xml
  curl -s https://met.example/cap.xml | passerelle alert check -
  passerelle alert check --output jsonl inbox/ | grep '\"verdict\":\"invalid\"'";

/// Options of `alert check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// Files and folders; - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub paths: Vec<PathBuf>,
}
