//! The command line of `passerelle alert check`.

use std::path::PathBuf;

use clap::Args;

/// The exit codes of `alert check`, which needs no node and so has its own.
pub(super) const HELP: &str = "\
Folders are searched to their ends for files called *.xml, *.cap, *.atom, *.rss, *.edxl and *.edxlde; links to \
folders are not followed. A file that is named is checked whatever it is called.

Exit codes: 0 no document is invalid; 1 a document is invalid; 2 a file cannot be read, or there is none. A document \
that is not CAP 1.2 (an Atom feed, an EDXL-DE container, an older CAP) is not invalid: its verdict is other-format. So \
is that of a file that is no XML at all, with the error cap.xml.malformed; a CAP 1.2 document that breaks off or is \
garbled is invalid.

Signatures never change the verdict. Without --trust-cert they are reported as \"present, not verified\"; with it as \
verified (one of the certificates made it, or one that chains to them), untrusted (intact, by somebody else), broken \
(changed after signing), or \"present, not verified\" where the kind of signature is not one that is verified here.

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
    /// Verify signatures with the certificates in this file (PEM or DER); may stand more than once
    #[arg(long, value_name = "FILE")]
    pub trust_cert: Vec<PathBuf>,
}
