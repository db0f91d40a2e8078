//! The command lines of `passerelle subject`, `passerelle case`, `passerelle breach` and `passerelle card`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use passerelle_domain::{society::Society, time::Time};

/// What a person can ask for, and what becomes of it.
#[derive(Debug, Subcommand)]
pub enum SubjectCommand {
    /// Ask what is held of the person where, and who received or read what
    #[command(after_long_help = "Example:\n  passerelle subject access --code 7K2M9QX --society GM --answer-file -")]
    Access(AskArgs),
    /// Ask that a fault be put right; somebody at each holder approves it, and what stood there before stays sealed
    ///
    /// `passerelle subject answer ID --outcome done` applies what came with it, at the Society of the card first.
    #[command(after_long_help = "Example:\n  passerelle subject rectify --code 7K2M9QX --file right.toml \
                           --answer-file answer.txt")]
    Rectify {
        /// Whose card, and what proves it.
        #[command(flatten)]
        ask: AskArgs,
        /// Section with the fault; may be repeated
        #[arg(long = "section", value_name = "CODE")]
        sections: Vec<String>,
        /// TOML or JSON file with the fields as they should be, written as those of a package; it travels sealed
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Take every consent of the case back: all holders stop at once, erase, and send receipts
    #[command(after_long_help = "Example: with the word on the card\n  passerelle subject erase --code 7K2M9QX \
                           --answer-file -")]
    Erase(AskArgs),
    /// Object to the use of what is held: it is frozen at every holder until an officer has decided
    #[command(after_long_help = "Example:\n  passerelle subject object --code 7K2M9QX --answer-file -")]
    Object(AskArgs),
    /// Have what is held kept and not used: it is frozen at every holder
    #[command(after_long_help = "Example:\n  passerelle subject restrict --code 7K2M9QX --answer-file -")]
    Restrict(AskArgs),
    /// Complain; nobody but the data protection officer of the card's Society sees it
    #[command(after_long_help = "Example:\n  passerelle subject complain --code 7K2M9QX --about staff --answer-file -")]
    Complain {
        /// Whose card, and what proves it.
        #[command(flatten)]
        ask: AskArgs,
        /// What it is about: staff, service or data
        #[arg(long, value_name = "CODE")]
        about: String,
    },
    /// List requests and by when they are due
    #[command(after_long_help = "Example:\n  passerelle subject list --open")]
    List {
        /// Only those that wait for an answer
        #[arg(long)]
        open: bool,
    },
    /// Show a request with what each holder answered; the journal says who looked
    #[command(after_long_help = "Example:\n  passerelle subject show 019ab0f2-1c00-7000-8000-00000000000a")]
    Show {
        /// The request
        id: String,
    },
    /// Say what became of a request that waits for a person here
    #[command(
        after_long_help = "Example:\n  passerelle subject answer 019ab0f2-1c00-7000-8000-00000000000a --outcome done"
    )]
    Answer {
        /// The request
        id: String,
        /// done, refused or nothing_held
        #[arg(long, value_name = "CODE")]
        outcome: String,
        /// Of a refusal: vital, legal_hold, others_rights, unfounded or other
        #[arg(long, value_name = "CODE")]
        reason: Option<String>,
    },
}

/// Whose card, and what proves it.
#[derive(Args, Debug)]
pub struct AskArgs {
    /// Code on the card
    #[arg(long, value_name = "CODE")]
    pub code: String,
    /// Society on the card [default: the node's own]
    #[arg(long, value_name = "XX")]
    pub society: Option<Society>,
    /// File with what the person answered, or the word on the card; - for standard input; without it, it is asked for
    #[arg(long, value_name = "FILE")]
    pub answer_file: Option<PathBuf>,
    /// Who asks: person, representative
    #[arg(long, value_name = "CODE", default_value = "person")]
    pub via: String,
    /// A sentence that identifies nobody
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Id of the request, a UUIDv7; the same command with the same id takes effect once
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
}

/// What can be asked about a case.
#[derive(Debug, Subcommand)]
pub enum CaseCommand {
    /// Who received or read what, when, and on what basis; what was refused or withheld as well
    #[command(after_long_help = "Example:\n  passerelle case disclosures 019ab0f2-1c00-7000-8000-000000000004")]
    Disclosures {
        /// A local case, or a handover
        id: String,
    },
}

/// What can be done about a breach of personal data.
#[derive(Debug, Subcommand)]
pub enum BreachCommand {
    /// Whose packages lay on a node between two instants; ids, sections and how to reach the person safely, no content
    #[command(after_long_help = "Example:\n  passerelle breach blast-radius --node ML --from 2026-11-01T00:00:00Z \
                           --to 2026-11-24T06:00:00Z")]
    BlastRadius {
        /// Society whose node was breached
        #[arg(long, value_name = "XX")]
        node: Society,
        /// First instant [default: the beginning]
        #[arg(long, value_name = "TIME")]
        from: Option<Time>,
        /// Last instant [default: now]
        #[arg(long = "to", value_name = "TIME")]
        until: Option<Time>,
    },
    /// Write down what is known of a breach; a later record says more
    #[command(after_long_help = "Example:\n  passerelle breach record --node ML --detected 2026-11-24T06:00:00Z \
                           --category contact --subjects 12 --peer-told ML")]
    Record(BreachArgs),
}

/// Options of `breach record`.
#[derive(Args, Debug)]
pub struct BreachArgs {
    /// Society whose node was breached
    #[arg(long, value_name = "XX")]
    pub node: Society,
    /// When it was detected
    #[arg(long, value_name = "TIME")]
    pub detected: Time,
    /// When it was contained
    #[arg(long, value_name = "TIME")]
    pub contained: Option<Time>,
    /// Category of data that it touched; may be repeated
    #[arg(long = "category", value_name = "CODE")]
    pub categories: Vec<String>,
    /// How many persons, as far as is known
    #[arg(long, value_name = "COUNT", default_value = "0")]
    pub subjects: u32,
    /// Peer that was told; may be repeated
    #[arg(long = "peer-told", value_name = "XX")]
    pub peers_told: Vec<Society>,
    /// When the authority was told
    #[arg(long, value_name = "TIME")]
    pub authority_told: Option<Time>,
    /// When the persons were told
    #[arg(long, value_name = "TIME")]
    pub subjects_told: Option<Time>,
}

/// What can be done with cards.
#[derive(Debug, Subcommand)]
pub enum CardCommand {
    /// Print the card of a handover that this Society offered: code, QR code, word of withdrawal, hotline
    ///
    /// The card says nothing about the person; the QR code has the Society and the code alone. The answer to a check
    /// question, which only the person knows, is kept as a slow hash. A card that is printed again replaces the old one.
    #[command(after_long_help = "Example:\n  passerelle card print 019ab0f2-1c00-7000-8000-000000000004 --lang ar \
                           --hotline \"+221 33 000 00 00\" --answer-file - --out card.pdf")]
    Print(CardArgs),
}

/// Options of `card print`.
#[derive(Args, Debug)]
pub struct CardArgs {
    /// The handover
    pub id: String,
    /// Language of the person
    #[arg(long, value_name = "LANG", value_parser = ["fr", "en", "pt", "ar"], default_value = "fr")]
    pub lang: String,
    /// Number that the person can call [default: that of the node's configuration]
    #[arg(long, value_name = "TEXT")]
    pub hotline: Option<String>,
    /// File with the answer to the check question; - for standard input; without it, it is asked for
    #[arg(long, value_name = "FILE")]
    pub answer_file: Option<PathBuf>,
    /// File with the word of withdrawal that the person chose; without it, two words are drawn
    #[arg(long, value_name = "FILE")]
    pub word_file: Option<PathBuf>,
    /// Where the card goes: a file that ends in .pdf, .png or .svg
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}
