//! The command line as types. The doc comments here are the help texts; nothing here acts.

mod alert;
mod alert_check;
mod audit;
mod consent;
mod handover;
mod peer;
mod place;
mod retention;
mod safeguard;
mod subject;

use std::{path::PathBuf, time::Duration};

pub use alert::{
    AlertCommand, CancelReason, ContentArgs, ExportFormat, ExportMessage, FeedCommand, MapArgs, TextArgs, Told,
};
pub use alert_check::CheckArgs;
pub use audit::AuditCommand;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
pub use consent::{AboutArgs, ConsentCommand, NoticeArg, RecordArgs, WithdrawArgs};
pub use handover::{HandoverCommand, LetterArg, Step};
use passerelle_domain::society::Society;
pub use peer::PeerCommand;
pub use place::{PlaceCommand, PlaceKind};
pub use retention::{HoldArgs, HoldCommand, ReportCommand, RetentionCommand};
pub use safeguard::{GroupCommand, MemberArg, OverrideCommand};
pub use subject::{AskArgs, BreachArgs, BreachCommand, CardArgs, CardCommand, CaseCommand, SubjectCommand};

use crate::failure::EXIT_CODES;

const AFTER_HELP: &str = "\
Every command has its own help with an example: passerelle alert raise --help

Data goes to standard output, talk and errors to standard error. With --output json each command \
prints one JSON document with the field names of the API (its .proto files), and an error is one JSON object, \
{\"error\": {\"code\", \"message\", \"field\", \"violations\", \"next_step\", \"retryable\", \"exit_code\"}}. \
A document that the API carries as text, such as offer_json, stands there unfolded, as offer.";

const ENVIRONMENT: &str = "\
Environment:
  PASSERELLE_SOCKET   socket of the node, when neither --socket, --address nor --profile is given
  PASSERELLE_PROFILE  profile to use
  PASSERELLE_OUTPUT   table, json or jsonl
  NO_COLOR            no colours, not even on a terminal

Profiles stand in $XDG_CONFIG_HOME/passerelle/config.toml (by default ~/.config/passerelle/config.toml):

  default_profile = \"sn\"
  [profiles.sn]
  socket = \"/run/passerelle/operator.sock\"
  [profiles.sn-remote]
  address = \"node.sn.example:7444\"
  cert = \"operator.pem\"
  key = \"operator.key\"
  root = \"root.pem\"";

/// Operate a Passerelle node: route-condition alerts and consented case handovers between Societies
#[derive(Debug, Parser)]
#[command(name = "passerelle", version, arg_required_else_help = true, disable_help_subcommand = true)]
#[command(after_help = AFTER_HELP, after_long_help = format!("{AFTER_HELP}\n\n{ENVIRONMENT}\n\n{EXIT_CODES}"))]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How to reach the node.
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// How results are printed: table, json or jsonl [default: table; env: PASSERELLE_OUTPUT]; for a map, its file
    #[arg(long, global = true, value_name = "FORMAT", value_parser = destination, help_heading = "Global options")]
    pub output: Option<Destination>,
    /// Seconds to wait for the connection, and for each answer; a stream may last longer
    #[arg(long, global = true, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    #[arg(help_heading = "Global options")]
    pub timeout: Duration,
}

/// Which node, and how to reach it.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct ConnectionArgs {
    /// Profile to use, from the configuration file [env: PASSERELLE_PROFILE]
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Unix socket of the node [default: /run/passerelle/operator.sock; env: PASSERELLE_SOCKET]
    #[arg(long, global = true, value_name = "PATH", conflicts_with_all = ["address", "cert", "key", "root", "node"])]
    pub socket: Option<PathBuf>,
    /// Operator port of a node elsewhere, reached by mutual TLS
    #[arg(long, global = true, value_name = "HOST:PORT", requires_all = ["cert", "key", "root"])]
    pub address: Option<String>,
    /// Certificate of this operator, PEM
    #[arg(long, global = true, value_name = "FILE", requires = "address")]
    pub cert: Option<PathBuf>,
    /// Key of the certificate, PEM
    #[arg(long, global = true, value_name = "FILE", requires = "address")]
    pub key: Option<PathBuf>,
    /// Roots of the Society, PEM
    #[arg(long, global = true, value_name = "FILE", requires = "address")]
    pub root: Option<PathBuf>,
    /// Society whose node must answer at --address [default: the Society of the certificate]
    #[arg(long, global = true, value_name = "XX", requires = "address")]
    pub node: Option<Society>,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Tables and lines for people
    Table,
    /// One JSON document; with `watch` one JSON object a line
    Json,
    /// One JSON object a line: one for each row of a list
    Jsonl,
}

/// What `--output` names: a form of output or, for a map, a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A form of output.
    Form(Output),
    /// A picture: `.png` or `.svg`.
    Picture(PathBuf),
}

fn destination(text: &str) -> Result<Destination, String> {
    if let Ok(form) = Output::from_str(text, true) {
        return Ok(Destination::Form(form));
    }
    let ending = std::path::Path::new(text).extension().map(|ending| ending.to_ascii_lowercase());
    if ending.is_some_and(|ending| ending == "png" || ending == "svg") {
        Ok(Destination::Picture(PathBuf::from(text)))
    } else {
        Err("none of table, json, jsonl; for a map, a file that ends in .png or .svg".to_owned())
    }
}

/// The nouns.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Alerts about conditions on the routes: raise, update, cancel, acknowledge, read
    #[command(subcommand)]
    Alert(AlertCommand),
    /// Consent records: what a person agreed to, to whom, for what
    #[command(subcommand)]
    Consent(ConsentCommand),
    /// Handovers of cases between Societies: offer, answer, release, report, read
    #[command(subcommand)]
    Handover(HandoverCommand),
    /// Going on without consent when a life is at stake: ask, approve, review
    #[command(subcommand)]
    Override(OverrideCommand),
    /// What a person asks for with a card: access, rectification, erasure, objection, restriction, a complaint
    #[command(subcommand)]
    Subject(SubjectCommand),
    /// The card that a person carries
    #[command(subcommand)]
    Card(CardCommand),
    /// Cases: who received or read what
    #[command(subcommand)]
    Case(CaseCommand),
    /// Breaches of personal data: whose it touched, and the record of it
    #[command(subcommand)]
    Breach(BreachCommand),
    /// The gazetteer: crossings, landing sites, towns and areas; needs no node
    #[command(subcommand)]
    Place(PlaceCommand),
    /// Other Societies' nodes: trust, subscriptions, links
    #[command(subcommand)]
    Peer(PeerCommand),
    /// How long things are kept: what is purged soon, and purging it
    #[command(subcommand)]
    Retention(RetentionCommand),
    /// Holds over what would be purged, and freezes after a breach
    #[command(subcommand)]
    Hold(HoldCommand),
    /// Aggregates: counts that identify nobody, approved by two persons
    #[command(subcommand)]
    Report(ReportCommand),
    /// The journal: who sent what to whom, when, on what basis
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Send again to a peer what was already sent to it
    ///
    /// The peer's node drops what it has, so this is harmless. Each envelope passes today's rules again: what a
    /// rule forbids by now, a withdrawn consent above all, is withheld and counted.
    #[command(after_long_help = "Example: everything from entry 1200 on, after a peer was restored from a backup\n  \
                           passerelle replay --peer GM --from 1200")]
    Replay(ReplayArgs),
    /// The node, its alarms and its peers at one look
    ///
    /// For each peer: the state of the link, the backlog of the three lanes (urgent/routine/bulk), the age of the
    /// oldest undelivered envelope and of the last contact, the round trip, the difference of the clocks, the days
    /// that the certificate still holds, and the last error.
    #[command(after_long_help = "Example:\n  passerelle status")]
    Status,
    /// Follow alerts and handovers as they happen, from any position, without gaps
    ///
    /// Reconnects by itself and resumes where it was. At the end it says from which position to go on; a program
    /// keeps the `position` of the last event that it has dealt with, and starts again from the next one.
    #[command(after_long_help = "Example: all alerts since entry 500, for a program\n  \
                           passerelle watch --topic alert --from 500 --output json")]
    Watch(WatchArgs),
    /// Print a completion script for a shell
    #[command(
        after_long_help = "Example:\n  passerelle completions bash > ~/.local/share/bash-completion/completions/passerelle"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Options of `replay`.
#[derive(Args, Debug)]
pub struct ReplayArgs {
    /// Society to send to
    #[arg(long, value_name = "XX")]
    pub peer: Society,
    /// First entry of this node's journal to look at
    #[arg(long, value_name = "INDEX")]
    pub from: u64,
    /// Last entry to look at; without it, to the end
    #[arg(long, value_name = "INDEX", value_parser = clap::value_parser!(u64).range(1..))]
    pub until: Option<u64>,
}

/// Options of `watch`.
#[derive(Args, Debug)]
pub struct WatchArgs {
    /// First position wanted; without it, from now on
    #[arg(long, value_name = "POSITION")]
    pub from: Option<u64>,
    /// Only this topic; may be repeated
    #[arg(long = "topic", value_enum, value_name = "TOPIC")]
    pub topics: Vec<Topic>,
    /// End after what has happened so far instead of waiting
    #[arg(long)]
    pub until_now: bool,
}

/// What can be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Topic {
    /// Alerts
    Alert,
    /// Handovers
    Handover,
}

impl Topic {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Handover => "handover",
        }
    }
}

/// How much of a list is wanted.
#[derive(Args, Clone, Copy, Debug)]
pub struct LimitArgs {
    /// At most this many rows; 0 means all
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: u32,
}

/// The command line, with the options that every command has shown in the help of the program alone.
#[must_use]
pub fn command() -> clap::Command {
    fn hide_global(command: clap::Command) -> clap::Command {
        command.mut_args(|arg| {
            let hide = arg.is_global_set();
            arg.hide(hide)
        })
    }
    fn below(command: clap::Command) -> clap::Command {
        let more = "Options of every command: passerelle --help";
        command.mut_subcommands(|child| {
            let child = hide_global(below(child));
            let long = match child.get_after_long_help() {
                Some(example) => format!("{example}\n\n{more}"),
                None => more.to_owned(),
            };
            child.after_help(more).after_long_help(long)
        })
    }
    let mut command = Cli::command();
    // Spreads the global options to the commands, where they can then be hidden.
    command.build();
    below(command)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero() && *duration <= Duration::from_secs(86_400))
        .ok_or_else(|| "must be more than 0 and at most 86400".to_owned())
}

/// The connection options of a command line, read as any other.
#[cfg(test)]
pub(crate) fn connection_of(args: &[&str]) -> ConnectionArgs {
    let words = ["passerelle", "status"].iter().chain(args);
    Cli::try_parse_from(words).expect("a command line").connection
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for line in [
            "status --socket a --address b:1 --cert c --key d --root e",
            "status --address b:1",
            "status --cert c",
            "status --timeout 0",
            "status --timeout soon",
            "alert raise",
            "alert raise --file a --cap b",
            "alert raise --file a --event sea.shipwreck",
            "alert ack 1 --error",
            "peer subscribe",
            "peer subscribe land.sn-mr.rosso --everything",
            "replay --peer GMB --from 1",
        ] {
            let parsed = Cli::try_parse_from(std::iter::once("passerelle").chain(line.split(' ')));
            assert!(parsed.is_err_and(|error| error.exit_code() == 2), "{line}");
        }
    }

    #[test]
    fn every_command_teaches_by_an_example() {
        fn check(command: &clap::Command) {
            let leaf = command.get_subcommands().next().is_none();
            let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            assert!(!leaf || help.contains("passerelle "), "{} has no example", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&command());
    }
}
