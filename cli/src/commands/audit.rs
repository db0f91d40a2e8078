//! `passerelle audit`: the journal's entries, its checkpoint, its verification and its export.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use passerelle_domain::{society::Society, time::Time};
use passerelle_proto::v1::{
    ExportJournalRequest, GetCheckpointRequest, GetCheckpointResponse, JournalEntry, ListEntriesRequest,
    ListEntriesResponse, VerifyJournalRequest, VerifyJournalResponse,
};
use tonic::Streaming;

use super::{Session, pages, status::bytes};
use crate::{
    args::AuditCommand,
    failure::{Exit, Failure},
    render::{Answer, page::Page, time},
};

pub(super) async fn run(command: AuditCommand, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    match command {
        AuditCommand::List { from, kind, subject, society, limit } => {
            let filter = ListEntriesRequest {
                kind: kind.unwrap_or_default(),
                subject: subject.unwrap_or_default(),
                society: society.as_ref().map(Society::code).unwrap_or_default().to_owned(),
                ..ListEntriesRequest::default()
            };
            let mut next_index = None;
            let (entries, more) = pages(limit.limit, async |page_size, token: String| {
                let from_index = token.parse().unwrap_or(from);
                let request = ListEntriesRequest { from_index, page_size, ..filter.clone() };
                let answer = client.call(client.audit().list_entries(request)).await?;
                next_index = answer.next_index;
                Ok((answer.entries, answer.next_index.map(|index| index.to_string()).unwrap_or_default()))
            })
            .await?;
            session.print_list(&ListEntriesResponse { entries, next_index }, "entries", more)
        }
        AuditCommand::Checkpoint => {
            let answer = client.call(client.audit().get_checkpoint(GetCheckpointRequest {})).await?;
            session.print(&answer)
        }
        AuditCommand::Verify => verify(session).await,
        AuditCommand::Exceptions => super::overrides::exceptions(session).await,
        AuditCommand::Export { out, from } => export(&out, from, session).await,
    }
}

/// The next message of a stream; however long it takes, for a large journal takes long.
pub(super) async fn next<T>(stream: &mut Streaming<T>) -> Result<Option<T>, Failure> {
    stream.message().await.map_err(|status| Failure::from_status(&status))
}

async fn verify(session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    let mut stream = client.call(client.audit().verify_journal(VerifyJournalRequest {})).await?;
    let verdict = loop {
        let Some(message) = next(&mut stream).await? else {
            session.console.end_progress();
            return Err(Failure::unexpected("the node ended the verification without a verdict"));
        };
        if message.done {
            break message;
        }
        session.console.progress(format!("verified {} of {} entries", message.entries_checked, message.entries_total));
    };
    session.console.end_progress();
    session.print(&verdict)?;
    if verdict.ok {
        return Ok(Exit::Ok);
    }
    Err(Failure::unverified(format!("the journal has {} faults", verdict.faults.len())))
}

async fn export(out: &Path, from_index: u64, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    let mut stream = client.call(client.audit().export_journal(ExportJournalRequest { from_index })).await?;
    let mut file = new_file(out)?;
    let written = write_all(&mut stream, &mut file).await;
    match written {
        Ok(size) => {
            session.console.say(format!("Wrote {}, {}.", out.display(), bytes(size)));
            Ok(Exit::Ok)
        }
        Err(failure) => {
            // A part of an export looks like an export: better none.
            let _ = fs::remove_file(out);
            Err(failure)
        }
    }
}

async fn write_all(
    stream: &mut Streaming<passerelle_proto::v1::ExportJournalResponse>,
    file: &mut File,
) -> Result<u64, Failure> {
    let mut size = 0;
    while let Some(part) = next(stream).await? {
        file.write_all(&part.chunk)?;
        size += part.chunk.len() as u64;
    }
    file.sync_all()?;
    Ok(size)
}

/// A file that did not exist before, readable by its owner alone.
pub(super) fn new_file(path: &Path) -> Result<File, Failure> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| {
        let next = match error.kind() {
            io::ErrorKind::AlreadyExists => "Choose another name, or move the file away.",
            _ => "Check the folder and its rights.",
        };
        Failure::usage(format!("cannot create {}: {error}", path.display()), next)
    })
}

impl Answer for ListEntriesResponse {
    fn page(&self, page: &mut Page, _: Time) {
        let row = |entry: &JournalEntry| {
            [
                entry.index.to_string(),
                time::utc(entry.time.as_ref()),
                entry.actor.clone(),
                entry.kind.clone(),
                entry.verdict.clone(),
                entry.societies.join(" "),
                entry.subject.clone(),
            ]
        };
        let header = ["ENTRY", "TIME", "ACTOR", "KIND", "VERDICT", "SOCIETIES", "SUBJECT"];
        page.table(header, self.entries.iter().map(row).collect(), "no such entries");
    }
}

impl Answer for GetCheckpointResponse {
    /// The note itself: its signature is over these very bytes.
    fn page(&self, page: &mut Page, _: Time) {
        page.line(self.note.trim_end_matches('\n'));
    }
}

impl Answer for VerifyJournalResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(if self.ok { "The journal is whole." } else { "The journal has faults:" });
        self.faults.iter().for_each(|fault| page.line(format!("  {fault}")));
        page.pairs([
            ("entries", format!("{} of {}", self.entries_checked, self.entries_total)),
            (
                "objects",
                format!("{} checked, {} removed by retention or erasure", self.objects_checked, self.objects_absent),
            ),
            ("rows", format!("{} checked", self.rows_checked)),
            ("root hash", self.root_hash.clone()),
        ]);
    }
}
