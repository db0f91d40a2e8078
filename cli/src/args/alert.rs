//! The command line of `passerelle alert`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use passerelle_domain::{
    catalogue::{Event, Mode, SourceType},
    society::Society,
};

use super::{LimitArgs, alert_check};

/// An alert file, as the long help shows it. A test reads it.
pub(crate) const ALERT_EXAMPLE: &str = include_str!("../../../config/demo/alert-convoy.toml");

/// What can be done with alerts.
#[derive(Debug, Subcommand)]
pub enum AlertCommand {
    /// Publish an alert to the Societies that it concerns
    ///
    /// Answers once the alert is durable on this node's disk; it then travels by itself. The alert is read from a
    /// TOML or JSON file, from a CAP 1.2 document, or from standard input (`-`). It never identifies a person. One that
    /// needs a second person's approval is kept as a draft instead, and the command ends with exit code 7.
    #[command(after_long_help = format!(
        "Example:\n  passerelle alert raise --file rosso.toml\n\nwhere rosso.toml holds, say,\n\n{}\n\
         All codes: passerelle alert codes",
        indented(ALERT_EXAMPLE)
    ))]
    Raise {
        /// What the alert says.
        #[command(flatten)]
        content: ContentArgs,
        /// Id of the alert, a UUIDv7; the same command with the same id takes effect once
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
    /// Draft an alert, or draft it anew; it stays in this node
    ///
    /// An alert that is Extreme, public or from the community goes out only when a second person has approved it. Any
    /// other draft is ready at once.
    #[command(after_long_help = "Example:\n  passerelle alert draft --file wreck.toml\n  \
                           passerelle alert approve 019ab0f2-1c00-7000-8000-000000000001\n  \
                           passerelle alert publish 019ab0f2-1c00-7000-8000-000000000001")]
    Draft {
        /// What the alert says.
        #[command(flatten)]
        content: ContentArgs,
        /// Alert that this one is to take the place of, besides those that the file names; may be repeated
        #[arg(long, value_name = "ID")]
        supersedes: Vec<String>,
        /// Id that the alert will have, a UUIDv7; that of an open draft drafts it anew
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
    /// List the drafts of this node, or show one
    #[command(after_long_help = "Examples:\n  passerelle alert drafts\n  \
                           passerelle alert drafts 019ab0f2-1c00-7000-8000-000000000001")]
    Drafts {
        /// Only this draft, with what it says
        id: Option<String>,
        /// How many.
        #[command(flatten)]
        limit: LimitArgs,
    },
    /// Approve the draft of another person
    #[command(after_long_help = "Example:\n  passerelle alert approve 019ab0f2-1c00-7000-8000-000000000001")]
    Approve {
        /// The draft
        id: String,
        /// SHA-256 of the draft that was read, as `alert drafts ID` shows it; refused if it has changed since
        #[arg(long, default_value = "", hide_default_value = true)]
        digest: String,
    },
    /// Publish a draft that is ready to the Societies that it concerns
    #[command(after_long_help = "Example:\n  passerelle alert publish 019ab0f2-1c00-7000-8000-000000000001")]
    Publish {
        /// The draft
        id: String,
    },
    /// Give a draft up; what it says is forgotten
    #[command(after_long_help = "Example:\n  passerelle alert discard 019ab0f2-1c00-7000-8000-000000000001")]
    Discard {
        /// The draft
        id: String,
    },
    /// Erase what an alert of this Society says, at every node that has it, because keeping it does harm
    #[command(after_long_help = "Example:\n  passerelle alert redact 019ab0f2-1c00-7000-8000-000000000001 \
                           --reason endangers_people")]
    Redact {
        /// The alert
        id: String,
        /// Why
        #[arg(long, value_enum)]
        reason: RedactReason,
    },
    /// Publish an update that takes the place of earlier alerts of this Society
    #[command(after_long_help = "Example:\n  passerelle alert update --file rosso-2.toml \
                           --supersedes 019ab0f2-1c00-7000-8000-000000000001")]
    Update {
        /// What the alert says now.
        #[command(flatten)]
        content: ContentArgs,
        /// Alert that this one takes the place of, besides those that the file names; may be repeated
        #[arg(long, value_name = "ID")]
        supersedes: Vec<String>,
        /// Id of the update, a UUIDv7; the same command with the same id takes effect once
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
    /// Cancel an alert of this Society, at every node that has it
    #[command(after_long_help = "Example:\n  passerelle alert cancel 019ab0f2-1c00-7000-8000-000000000001 \
                           --reason wrong --note \"The group is in Rosso, Senegal\"")]
    Cancel {
        /// The alert
        id: String,
        /// Why
        #[arg(long, value_enum)]
        reason: CancelReason,
        /// A sentence to the others; never identifies a person
        #[arg(long, default_value = "", hide_default_value = true)]
        note: String,
    },
    /// Tell the origin that a person has read the alert, or that something is wrong with it
    #[command(after_long_help = "Examples:\n  passerelle alert ack 019ab0f2-1c00-7000-8000-000000000001\n  \
                           passerelle alert ack 019ab0f2-1c00-7000-8000-000000000001 --error \
                           --note \"No such border post\"")]
    Ack {
        /// The alert
        id: String,
        /// Something is wrong with it; the note says what
        #[arg(long, requires = "note")]
        error: bool,
        /// A sentence to the origin; never identifies a person
        #[arg(long)]
        note: Option<String>,
    },
    /// List alerts, newest first
    #[command(after_long_help = "Example: what The Gambia has told us and still holds\n  \
                           passerelle alert list --origin GM")]
    List {
        /// Only alerts in this state, such as active or cancelled
        #[arg(long, conflicts_with = "all")]
        state: Option<String>,
        /// Only alerts of this Society
        #[arg(long, value_name = "XX")]
        origin: Option<Society>,
        /// Only alerts of this mode, such as Actual or Exercise
        #[arg(long, value_name = "MODE")]
        mode: Option<Mode>,
        /// Expired, superseded and cancelled ones as well
        #[arg(long)]
        all: bool,
        /// How many.
        #[command(flatten)]
        limit: LimitArgs,
    },
    /// Show one alert: what it says, how far it has come, who has acknowledged it
    #[command(after_long_help = "Example:\n  passerelle alert show 019ab0f2-1c00-7000-8000-000000000001")]
    Show {
        /// The alert
        id: String,
    },
    /// Check CAP documents in files against the CAP 1.2 standard; needs no node
    ///
    /// Says for each document what it is (cap-1.2, cap-1.1, cap-1.0, atom, edxl-de, other), whether it is valid, and
    /// what was found in it, with the line of each finding. Nothing that a document names is fetched. A signature
    /// never makes a document invalid; it is verified where --trust-cert says by whom it may be.
    #[command(after_long_help = alert_check::HELP)]
    Check(alert_check::CheckArgs),
    /// Say an alert in one line: how many, when, where; women, children, wounded; languages; bus or boat
    #[command(
        after_long_help = "Examples:\n  passerelle alert brief 019ab0f2-1c00-7000-8000-000000000001 --lang ar\n  \
                           passerelle alert brief --file rosso.toml"
    )]
    Brief(TextArgs),
    /// Say an alert as a short message, and count what it costs
    ///
    /// The text goes to standard output, its cost to standard error. Nothing is sent: a short message is read by
    /// networks on its way. One letter such as ê or ç, and any Arabic, makes it UCS-2 with 70 letters a message in
    /// place of 160.
    #[command(after_long_help = "Example:\n  passerelle alert sms 019ab0f2-1c00-7000-8000-000000000001 \
                           --lang fr --gsm --max-segments 1")]
    Sms {
        /// Which alert, and in which language.
        #[command(flatten)]
        text: TextArgs,
        /// At most this many messages; what has no room is left out, the least important first
        #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=10))]
        max_segments: u8,
        /// Drop the accents that GSM 7-bit lacks, so that more fits
        #[arg(long)]
        gsm: bool,
    },
    /// Draw an alert on an outline map, without internet
    #[command(after_long_help = "Example:\n  passerelle alert map 019ab0f2-1c00-7000-8000-000000000001 \
                           --output map.png")]
    Map(MapArgs),
    /// Write one alert as a CAP 1.2 document; as the original, to the byte, where it was imported
    ///
    /// Ended alerts can be exported too, but redacted ones. The document goes to standard output unless --out names a
    /// new file.
    #[command(
        after_long_help = "Examples:\n  passerelle alert export 019ab0f2-1c00-7000-8000-000000000001 --out rosso.xml\n  \
                           passerelle alert export 019ab0f2-1c00-7000-8000-000000000001 --message cancel"
    )]
    Export {
        /// The alert
        id: String,
        /// File to make; it must not be there yet
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// The format
        #[arg(long, value_enum, default_value_t = ExportFormat::Cap)]
        format: ExportFormat,
        /// The alert itself, its cancellation, or an answer to it
        #[arg(long, value_enum, default_value_t = ExportMessage::Alert)]
        message: ExportMessage,
        /// Society whose answer is meant; this node's own, unless stated
        #[arg(long, value_name = "XX")]
        by: Option<Society>,
        /// Write an imported alert anew, under this network's name for it
        #[arg(long)]
        anew: bool,
        /// For the public: people in bands. Only public alerts
        #[arg(long)]
        public: bool,
    },
    /// The public feed of this node, and the sources of warnings that it polls
    Feed {
        /// What to do with them.
        #[command(subcommand)]
        command: FeedCommand,
    },
    /// List the codes that alerts are written in, with their labels
    #[command(after_long_help = "Example:\n  passerelle alert codes event")]
    Codes {
        /// Only this vocabulary, such as event, need or segment
        vocabulary: Option<String>,
    },
}

/// What can be done with feeds.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum FeedCommand {
    /// Show how the feeds are: what is in the public one, and when each source was asked, with what result
    #[command(after_long_help = "Example:\n  passerelle alert feed status")]
    Status,
}

/// Which alert is told: one of the node, or one in a file, for which no node is asked.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("told").required(true))]
pub struct Told {
    /// The alert, by its id
    #[arg(group = "told")]
    pub id: Option<String>,
    /// TOML or JSON file, or a CAP 1.2 document (.xml, .cap); - for standard input
    #[arg(long, value_name = "FILE", group = "told")]
    pub file: Option<PathBuf>,
    /// Event code of a CAP document that has none of ours
    #[arg(long, value_name = "CODE", requires = "file")]
    pub event: Option<Event>,
    /// Who a CAP document comes from that does not say it in our terms, such as authority or media
    #[arg(long, value_name = "CODE", requires = "file")]
    pub source: Option<SourceType>,
}

/// Options of the texts.
#[derive(Args, Clone, Debug)]
pub struct TextArgs {
    /// Which alert.
    #[command(flatten)]
    pub told: Told,
    /// Language: fr, en, pt or ar
    #[arg(long, value_name = "LANGUAGE", default_value = "fr", value_parser = passerelle_domain::catalogue::labels::LANGUAGES)]
    pub lang: String,
}

/// Options of `map`.
#[derive(Args, Clone, Debug)]
pub struct MapArgs {
    /// Which alert, and in which language.
    #[command(flatten)]
    pub text: TextArgs,
    /// The file that `--output` names.
    #[arg(skip)]
    pub picture: Option<PathBuf>,
}

/// Where the content of an alert comes from.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("content").required(true))]
pub struct ContentArgs {
    /// TOML or JSON file; - for standard input
    #[arg(long, value_name = "FILE", group = "content")]
    pub file: Option<PathBuf>,
    /// CAP 1.2 document; - for standard input. Its exact bytes are kept
    #[arg(long, value_name = "FILE", group = "content")]
    pub cap: Option<PathBuf>,
    /// The same as --file -
    #[arg(value_name = "-", group = "content", value_parser = ["-"])]
    pub stdin: Option<String>,
    /// Event code of a CAP document that has none of ours
    #[arg(long, value_name = "CODE", requires = "cap", conflicts_with_all = ["file", "stdin"])]
    pub event: Option<Event>,
    /// Who a CAP document comes from that does not say it in our terms, such as authority or media
    #[arg(long, value_name = "CODE", requires = "cap", conflicts_with_all = ["file", "stdin"])]
    pub source: Option<SourceType>,
}

/// Why an alert is redacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum RedactReason {
    /// It holds what could identify a person
    PersonalData,
    /// Whoever reads it may harm those whom it is about
    EndangersPeople,
    /// It shows from whom it was learnt
    ExposesSource,
}

impl RedactReason {
    /// Its code on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PersonalData => "personal_data",
            Self::EndangersPeople => "endangers_people",
            Self::ExposesSource => "exposes_source",
        }
    }
}

/// The format of an exported alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// CAP 1.2
    Cap,
}

/// Which message about an alert is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportMessage {
    /// The alert or update itself
    Alert,
    /// Its cancellation
    Cancel,
    /// A person's answer to it
    Answer,
}

impl ExportMessage {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Cancel => "cancel",
            Self::Answer => "answer",
        }
    }
}

/// Why an alert is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum CancelReason {
    /// What it told of is over
    Resolved,
    /// It was not so
    Wrong,
    /// Another alert says the same
    Duplicate,
    /// Keeping it endangers people
    UnsafeToKeep,
}

impl CancelReason {
    /// Its code on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::Wrong => "wrong",
            Self::Duplicate => "duplicate",
            Self::UnsafeToKeep => "unsafe_to_keep",
        }
    }
}

/// A text set in by four blanks.
pub(crate) fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect()
}
