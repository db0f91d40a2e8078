//! The journal, for audit: listed, verified, exported.

use std::{path::Path, sync::Arc};

use passerelle_domain::{
    catalogue::Role,
    entry::Entry,
    facts::Facts as _,
    ids::{EntryIndex, EnvelopeId},
    merkle::Checkpoint,
    refusal::{Code, Refusal},
    society::Society,
};
use passerelle_proto::{
    convert::timestamp,
    v1::{self, audit_service_server::AuditService},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{Operator, entry_json, errors::Refused, json, optional, page_size};
use crate::{
    engine::{self, Progress, Report, export},
    store::{
        Store, StoreError, keys,
        memory::MemoryStore,
        sled::{SledOptions, SledStore},
    },
    trust::Ed25519Verifier,
};

/// Roles that see the journal.
const AUDIT_ROLES: [Role; 4] = [Role::Auditor, Role::Dpo, Role::Supervisor, Role::NodeAdmin];
/// Entries that one request for a list looks at; beyond, it answers with what it has and where to go on.
const LOOKED_AT_MAX: u64 = 50_000;
/// Journals up to this many entries are folded in memory for verification, larger ones on the disk.
const IN_MEMORY_ENTRIES_MAX: u64 = 100_000;
/// Messages of a stream that wait for a slow reader.
const WAITING_MAX: usize = 8;
/// Folder below the data folder for the scratch store of a verification.
const SCRATCH: &str = "verify.scratch";

type Answers<T> = ReceiverStream<Result<T, Status>>;

#[tonic::async_trait]
impl AuditService for Operator {
    async fn list_entries(
        &self,
        request: Request<v1::ListEntriesRequest>,
    ) -> Result<Response<v1::ListEntriesResponse>, Status> {
        self.serve("list_entries", request, |operator, caller, message| async move {
            caller.require(&AUDIT_ROLES)?;
            let wanted = Wanted {
                from: message.from_index,
                rows: page_size(message.page_size)?,
                kind: message.kind,
                subject: optional("subject", &message.subject)?,
                society: optional("society", &message.society)?,
            };
            Ok(operator.blocking(move |operator| operator.entry_page(&wanted)).await?)
        })
        .await
    }

    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        self.serve("get_checkpoint", request, |operator, caller, _| async move {
            caller.require(&AUDIT_ROLES)?;
            let (note, checkpoint) = operator.blocking(Operator::checkpoint).await?;
            operator.wait_until_durable(checkpoint.size).await;
            Ok(v1::GetCheckpointResponse { note, size: checkpoint.size, root_hash: checkpoint.root.to_string() })
        })
        .await
    }

    type VerifyJournalStream = Answers<v1::VerifyJournalResponse>;

    async fn verify_journal(
        &self,
        request: Request<v1::VerifyJournalRequest>,
    ) -> Result<Response<Self::VerifyJournalStream>, Status> {
        self.serve("verify_journal", request, |operator, caller, _| async move {
            caller.require(&AUDIT_ROLES)?;
            let busy = |_| Refusal::new(Code::Busy, "the journal is being verified already");
            let permit = Arc::clone(&operator.0.verifying).try_acquire_owned().map_err(busy)?;
            let (sender, answers) = mpsc::channel(WAITING_MAX);
            let worker = operator.clone();
            operator.spawner.spawn("verify the journal", async move {
                let last = sender.clone();
                let verify = move |operator: &Operator| {
                    // Held for as long as the thread works, whatever becomes of who asked.
                    let _permit = permit;
                    operator.verify(&sender)
                };
                let outcome = worker.blocking(verify).await;
                let answer = outcome.map(verdict).map_err(|refusal| Refused::from(refusal).into_status());
                // Who no longer reads has gone away.
                let _ = last.send(answer).await;
            });
            Ok(ReceiverStream::new(answers))
        })
        .await
    }

    type ExportJournalStream = Answers<v1::ExportJournalResponse>;

    async fn export_journal(
        &self,
        request: Request<v1::ExportJournalRequest>,
    ) -> Result<Response<Self::ExportJournalStream>, Status> {
        self.serve("export_journal", request, |operator, caller, message| async move {
            caller.require(&[Role::Auditor, Role::NodeAdmin])?;
            let (note, checkpoint) = operator.blocking(Operator::checkpoint).await?;
            if message.from_index > checkpoint.size {
                let text = format!("the journal has {} entries", checkpoint.size);
                return Err(Refusal::new(Code::UnknownEntry, text).at("from_index").into());
            }
            operator.wait_until_durable(checkpoint.size).await;
            let (sender, answers) = mpsc::channel(WAITING_MAX);
            let worker = operator.clone();
            operator.spawner.spawn("export the journal", async move {
                let last = sender.clone();
                let token = worker.spawner.token();
                // It waits for whoever reads, so it never runs in place.
                let written = tokio::task::spawn_blocking(move || {
                    let operator = worker;
                    let span = export::Span { from: EntryIndex(message.from_index), size: checkpoint.size };
                    export::write(operator.own, &**operator.engine.store(), span, &note, |chunk| {
                        let gone = || Refusal::new(Code::ShuttingDown, "the export was ended");
                        if token.is_cancelled() {
                            return Err(gone());
                        }
                        let chunk = v1::ExportJournalResponse { chunk };
                        sender.blocking_send(Ok(chunk)).map_err(|_| gone())
                    })
                });
                let lost = |_| Err(Refusal::new(Code::StoreFailed, "a task of the node failed; see its log"));
                if let Err(refusal) = written.await.unwrap_or_else(lost) {
                    // Who no longer reads has gone away.
                    let _ = last.send(Err(Refused::from(refusal).into_status())).await;
                }
            });
            Ok(ReceiverStream::new(answers))
        })
        .await
    }
}

/// Which entries a list is to have.
struct Wanted {
    from: u64,
    rows: usize,
    kind: String,
    subject: Option<EnvelopeId>,
    society: Option<Society>,
}

impl Wanted {
    fn has(&self, entry: &Entry) -> bool {
        (self.kind.is_empty() || self.kind == entry.body.kind())
            && self.subject.is_none_or(|subject| entry.body.subject() == Some(subject))
            && self.society.is_none_or(|society| entry_json::societies(&entry.body).contains(&society))
    }
}

impl Operator {
    fn entry_page(&self, wanted: &Wanted) -> Result<v1::ListEntriesResponse, Refusal> {
        let view = self.view();
        let durable = self.engine.durable().borrow().entries;
        let mut page = v1::ListEntriesResponse::default();
        for index in wanted.from..durable {
            if page.entries.len() == wanted.rows || index - wanted.from == LOOKED_AT_MAX {
                page.next_index = Some(index);
                break;
            }
            let Some(bytes) = view.entry_bytes(EntryIndex(index))? else {
                return Err(Refusal::new(Code::StoreFailed, format!("entry {index} is missing")));
            };
            if let Some(entry) = view.entry(EntryIndex(index))?.filter(|entry| wanted.has(entry)) {
                page.entries.push(line(&entry, &bytes));
            }
        }
        Ok(page)
    }

    /// The newest checkpoint; of entries that may not be durable yet.
    fn checkpoint(&self) -> Result<(String, Checkpoint), Refusal> {
        let absent = || Refusal::new(Code::StoreFailed, "the journal has no checkpoint of this node's key");
        let note = self.engine.store().get(keys::CHECKPOINT)?.ok_or_else(absent)?;
        let note = String::from_utf8(note).map_err(|_| absent())?;
        let checkpoint = Checkpoint::open(&note, self.own, &self.own_keys, &Ed25519Verifier).ok_or_else(absent)?;
        Ok((note, checkpoint))
    }

    /// Nothing leaves the node before it is durable.
    async fn wait_until_durable(&self, entries: u64) {
        // An engine that has ended leaves what was durable then.
        let _ = self.engine.durable().wait_for(|durable| durable.entries >= entries).await;
    }

    fn verify(&self, answers: &mpsc::Sender<Result<v1::VerifyJournalResponse, Status>>) -> Result<Report, Refusal> {
        let entries = self.engine.durable().borrow().entries;
        if entries <= IN_MEMORY_ENTRIES_MAX {
            return self.verify_with(&MemoryStore::new(), answers);
        }
        let folder = self.data_dir.join(SCRATCH);
        clear(&folder)?;
        let outcome = SledStore::open(&folder, SledOptions::default())
            .map_err(Refusal::from)
            .and_then(|scratch| self.verify_with(&scratch, answers));
        clear(&folder)?;
        outcome
    }

    fn verify_with(
        &self,
        scratch: &dyn Store,
        answers: &mpsc::Sender<Result<v1::VerifyJournalResponse, Status>>,
    ) -> Result<Report, Refusal> {
        let tell = |Progress { entries, total }| {
            let progress =
                v1::VerifyJournalResponse { entries_checked: entries, entries_total: total, ..Default::default() };
            // A reader that is slow misses a step of the progress; the verdict waits for it.
            let _ = answers.try_send(Ok(progress));
        };
        engine::verify(self.own, &**self.engine.store(), scratch, &self.own_keys, &Ed25519Verifier, tell)
    }
}

/// Removes what an earlier verification may have left.
fn clear(folder: &Path) -> Result<(), Refusal> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::Io { step: "remove", path: folder.to_owned(), source: error }.into())
        }
        _ => Ok(()),
    }
}

fn line(entry: &Entry, bytes: &[u8]) -> v1::JournalEntry {
    let body = &entry.body;
    v1::JournalEntry {
        index: entry.index.0,
        time: Some(timestamp(entry.time)),
        actor: entry_json::actor(&entry.actor),
        kind: body.kind().to_owned(),
        subject: body.subject().map(|id| id.to_string()).unwrap_or_default(),
        societies: entry_json::societies(body).iter().map(ToString::to_string).collect(),
        verdict: entry_json::verdict(body),
        object_digest: entry_json::object_digest(body),
        chain_hash: Entry::hash_of(bytes).to_string(),
        body_json: json::write(&entry_json::body(body)),
    }
}

fn verdict(report: Report) -> v1::VerifyJournalResponse {
    v1::VerifyJournalResponse {
        entries_checked: report.entries,
        entries_total: report.entries,
        done: true,
        ok: report.faults.is_empty(),
        faults: report.faults,
        objects_checked: report.objects,
        objects_absent: report.absent,
        rows_checked: report.rows,
        root_hash: report.root.to_string(),
    }
}
