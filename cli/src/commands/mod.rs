//! What the commands do: each noun has a file, with its calls and with how its answers look to people.

pub mod alert;
pub(crate) mod alert_check;
mod alert_content;
mod alert_draft;
mod alert_feed;
mod alert_map;
mod alert_page;
mod alert_text;
pub mod audit;
mod card;
pub mod consent;
mod consent_form;
mod group;
pub mod handover;
pub mod overrides;
pub mod peer;
pub mod place;
pub mod retention;
pub mod status;
pub mod subject;
pub mod watch;

use passerelle_domain::{
    ids::{AlertId, ConsentId, HandoverId},
    limits::LIST_PAGE_MAX,
    refusal::Refusal,
    time::Time,
};
use prost::Message;

use crate::{
    args::{AlertCommand, Command, Output},
    client::Client,
    console::{Console, id_entropy},
    failure::{Exit, Failure},
    render::{Answer, Printer},
};

/// A command under way: the node, the surroundings, and how to print.
pub struct Session<'a, 'c> {
    /// The node.
    pub client: Client,
    /// How to print.
    pub printer: Printer,
    /// The surroundings.
    pub console: &'a mut Console<'c>,
}

impl Session<'_, '_> {
    /// Prints an answer.
    fn print<A: Answer>(&mut self, answer: &A) -> Result<Exit, Failure> {
        self.printer.one(answer, self.console)?;
        Ok(Exit::Ok)
    }

    /// Prints a list, whose rows stand in the field `rows`, and says when there are more.
    fn print_list<A: Answer>(&mut self, answer: &A, rows: &str, more: bool) -> Result<Exit, Failure> {
        self.printer.list(answer, rows, self.console)?;
        if more && self.printer.output == Output::Table {
            self.console.say("There are more: see all with --limit 0.");
        }
        Ok(Exit::Ok)
    }
}

/// Does what needs no node; none for what needs one.
pub fn without_node(command: &Command, printer: Printer, console: &mut Console<'_>) -> Option<Result<Exit, Failure>> {
    match command {
        Command::Place(command) => Some(place::run(command, printer, console)),
        Command::Alert(AlertCommand::Check(check)) => Some(alert_check::run(check.clone(), printer.output, console)),
        Command::Alert(command) => alert_text::from_file(command, printer, console),
        _ => None,
    }
}

/// Does what a command line asks for.
///
/// # Errors
/// Why it was not done.
pub async fn run(command: Command, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    match command {
        Command::Alert(command) => alert::run(command, session).await,
        Command::Consent(command) => consent::run(command, session).await,
        Command::Handover(command) => handover::run(command, session).await,
        Command::Override(command) => overrides::run(command, session).await,
        Command::Subject(command) => subject::run(command, session).await,
        Command::Card(command) => card::run(command, session).await,
        Command::Case(command) => subject::case(command, session).await,
        Command::Breach(command) => subject::breach(command, session).await,
        Command::Peer(command) => peer::run(command, session).await,
        Command::Retention(command) => retention::run(command, session).await,
        Command::Hold(command) => retention::hold(command, session).await,
        Command::Report(command) => retention::report(command, session).await,
        Command::Audit(command) => audit::run(command, session).await,
        Command::Replay(args) => peer::replay(args, session).await,
        Command::Status => status::run(session).await,
        Command::Watch(args) => watch::run(args, session).await,
        // They need no node, and were dealt with before there was one.
        Command::Completions { .. } | Command::Place(_) => Ok(Exit::Ok),
    }
}

/// The ids of things that a command can make.
trait Id: std::str::FromStr<Err = Refusal> + std::fmt::Display {
    fn fresh(now: Time, entropy: [u8; 10]) -> Self;
    fn big_endian(&self) -> [u8; 16];
}

macro_rules! ids {
    ($($id:ident),+) => {$(
        impl Id for $id {
            fn fresh(now: Time, entropy: [u8; 10]) -> Self { Self::new(now, entropy) }
            fn big_endian(&self) -> [u8; 16] { self.bytes() }
        }
    )+};
}
ids!(AlertId, ConsentId, HandoverId);

/// The id that was given, or a new one, and the instant of its making. What a command leaves to "now" is taken
/// from that instant: the same command with the same id says the same, so that repeating it is safe.
fn given_or_new<I: Id>(given: Option<&str>, now: Time) -> Result<(I, Time), Failure> {
    let id = match given {
        Some(text) => text.parse().map_err(|refusal: Refusal| Failure::refused_here(refusal.at("--id")))?,
        None => I::fresh(now, id_entropy()?),
    };
    // The first 48 bits of a UUIDv7 are its milliseconds (RFC 9562, section 5.7).
    let [a, b, c, d, e, f, ..] = id.big_endian();
    let millis = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    Ok((id, Time::from_millis(millis)))
}

/// Fetches page after page until `limit` rows are there (0: all). The second value says whether there are more.
async fn pages<R: Message>(
    limit: u32,
    mut fetch: impl AsyncFnMut(u32, String) -> Result<(Vec<R>, String), Failure>,
) -> Result<(Vec<R>, bool), Failure> {
    let wanted = if limit == 0 { usize::MAX } else { limit as usize };
    let (mut rows, mut token) = (Vec::new(), String::new());
    loop {
        let size = u32::try_from(wanted - rows.len()).unwrap_or(LIST_PAGE_MAX).min(LIST_PAGE_MAX);
        let (more, next) = fetch(size, std::mem::take(&mut token)).await?;
        let empty = more.is_empty();
        rows.extend(more);
        if rows.len() >= wanted || next.is_empty() || empty {
            let rest = !next.is_empty() || rows.len() > wanted;
            rows.truncate(wanted);
            return Ok((rows, rest));
        }
        token = next;
    }
}
