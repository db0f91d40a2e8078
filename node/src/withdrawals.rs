//! Withdrawals after they were decided: cases that are due are erased in the vault and that is said in the journal;
//! what a backup brought back goes again; holders that are late are told of. Uses the engine's handle and the packages.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use passerelle_domain::{
    consent::{EvidenceRow, evidence::key_of},
    decide::{Command, is_case_held},
    defect,
    entry::Body,
    facts::Facts as _,
    handover::Action,
    ids::{CaseId, ConsentId, EntryIndex, RequestId},
    limits::{ERASURE_SECONDS_MAX, WITHDRAWAL_ANSWER_SECONDS_MAX},
    refusal::Refusal,
    rights::{CorrectionRow, correction},
    rows::{CaseRow, Resting, UseRow},
    society::Society,
    time::Time,
};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::{
    engine,
    metrics::Metrics,
    packages::Packages,
    store::{
        Direction, keys,
        view::{decode, failed},
    },
    supervise::offload,
};

/// What could not be erased is tried again after this long.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Erases what is due.
pub struct Eraser {
    /// The engine.
    pub engine: engine::Handle,
    /// The packages.
    pub packages: Arc<Packages>,
}

impl Eraser {
    /// Follows the journal until `end`: what was due when the node stopped is found by the first look. Persist, then
    /// erase, then speak: a crash between any two of these leaves the rest to be done again.
    pub async fn run(self, end: CancellationToken) {
        let mut work = self.engine.case_work();
        let mut due = self.due().unwrap_or_default();
        loop {
            let mut again = Vec::new();
            for case in due.drain(..) {
                if let Err(refusal) = self.erase(case).await {
                    tracing::error!(code = %refusal.code, "a case could not be erased; it is tried again");
                    again.push(case);
                }
            }
            tokio::select! {
                biased;
                () = end.cancelled() => return,
                () = tokio::time::sleep(AGAIN_AFTER) => again.extend(self.due().unwrap_or_default()),
                told = work.recv() => match told {
                    Ok(entry) => again.extend(self.due_by(entry)),
                    Err(RecvError::Lagged(_)) => again.extend(self.due().unwrap_or_default()),
                    Err(RecvError::Closed) => return,
                },
            }
            due = again;
            due.sort_unstable();
            due.dedup();
        }
    }

    /// Cases that wait for their erasure by what an entry says.
    fn due_by(&self, entry: EntryIndex) -> Vec<CaseId> {
        match self.engine.view().entry(entry).map(|entry| entry.map(|entry| entry.body)) {
            Ok(Some(Body::ErasureDue { case, .. })) => vec![case],
            // What was kept until now may go.
            Ok(Some(Body::Hold { lifted: true, .. })) => self.due().unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// Cases that wait for their erasure; those under a hold are asked about again.
    fn due(&self) -> Result<Vec<CaseId>, Refusal> {
        let mut due = Vec::new();
        each_case(&self.engine, |case, row| {
            if row.due.is_some() && row.erased.is_none() {
                due.push(case);
            }
        })?;
        Ok(due)
    }

    async fn erase(&self, case: CaseId) -> Result<(), Refusal> {
        let kept = is_case_held(&self.engine.view(), case)?;
        if !kept {
            let packages = self.packages.clone();
            let outgoing = self.outgoing_of(case)?;
            let row = self.engine.view().case(case)?.unwrap_or_default();
            let corrections = row.requests.into_iter().map(correction::key_of);
            let beside: Vec<_> = row.consents.into_iter().map(key_of).chain(corrections).collect();
            let erased = offload(move || {
                for digest in outgoing {
                    packages.remove_outgoing(digest)?;
                }
                for beside in beside {
                    packages.erase_case(beside)?;
                }
                packages.erase_case(case)
            });
            erased.await.map_err(|_| {
                Refusal::new(passerelle_domain::refusal::Code::VaultFailed, "the vault did not finish")
            })??;
        }
        self.engine.submit(Command::CaseErased { case, kept }).await.map(|_| ())
    }

    /// Sealed packages of the case that wait for a peer.
    fn outgoing_of(&self, case: CaseId) -> Result<Vec<passerelle_domain::digest::Digest>, Refusal> {
        let view = self.engine.view();
        let mut outgoing = Vec::new();
        for handover in view.case(case)?.unwrap_or_default().handovers {
            let Some(row) = view.handover(handover)? else { continue };
            for step in row.history.iter().filter(|step| step.action == Action::Release) {
                if let Some(Body::Issued(meta)) = view.entry(step.entry)?.map(|entry| entry.body) {
                    outgoing.extend(meta.attachment.map(|attachment| attachment.digest));
                }
            }
        }
        Ok(outgoing)
    }
}

fn each_case(engine: &engine::Handle, mut see: impl FnMut(CaseId, CaseRow)) -> Result<(), Refusal> {
    let (from, until) = keys::all(b'x');
    for pair in engine.store().scan(&from, &until, Direction::Forward) {
        let (key, value) = pair.map_err(failed)?;
        if let Some(id) = keys::id_bytes(&key) {
            see(CaseId::from_bytes(id), decode(&value)?);
        }
    }
    Ok(())
}

/// Erases again, at start, what was erased or destroyed before and has come back since. How many keys and files that were.
///
/// # Errors
/// `store_failed`, `vault_failed`.
pub fn purge(engine: &engine::Handle, packages: &Packages) -> Result<usize, Refusal> {
    defect!(SkipPurge => return Ok(0));
    let mut erased = std::collections::HashSet::new();
    each_case(engine, |case, row| {
        if row.erased.is_some() {
            erased.insert(case);
        }
    })?;
    let (from, until) = keys::all(b'O');
    for pair in engine.store().scan(&from, &until, Direction::Forward) {
        let (key, value) = pair.map_err(failed)?;
        let row: EvidenceRow = decode(&value)?;
        let consent = keys::id_bytes(&key).filter(|_| row.destroyed.is_some());
        erased.extend(consent.map(|id| key_of(ConsentId::from_bytes(id))));
    }
    let (from, until) = keys::all(b'Q');
    for pair in engine.store().scan(&from, &until, Direction::Forward) {
        let (key, value) = pair.map_err(failed)?;
        let row: CorrectionRow = decode(&value)?;
        let request = keys::id_bytes(&key).filter(|_| row.destroyed.is_some());
        erased.extend(request.map(|id| correction::key_of(RequestId::from_bytes(id))));
    }
    if erased.is_empty() { Ok(0) } else { packages.purge(|case| erased.contains(&case)) }
}

/// In what a holder is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lateness {
    /// It has not answered a notice of a withdrawal in 24 hours.
    Answer,
    /// It has not erased in 30 days.
    Erasure,
}

impl Lateness {
    /// The alarm by which status and metrics know it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "withdrawal_unanswered",
            Self::Erasure => "erasure_overdue",
        }
    }
}

/// In what one holder is late at `now`, if it is.
#[must_use]
pub fn lateness(resting: &Resting, now: Time) -> Option<Lateness> {
    let told = resting.told_at.or(resting.answered_at)?;
    let waited = now.since(told);
    if resting.answered_at.is_none() && waited >= Duration::from_secs(WITHDRAWAL_ANSWER_SECONDS_MAX) {
        return Some(Lateness::Answer);
    }
    // Only the Society that a case was handed to owes its erasure; and only of what was stopped.
    let owes = resting.other == resting.to && resting.stopped.is_some() && resting.erased_at.is_none();
    (owes && waited >= Duration::from_secs(ERASURE_SECONDS_MAX)).then_some(Lateness::Erasure)
}

/// How many handovers of each peer are late, and in what.
///
/// # Errors
/// `store_failed`.
pub fn late(engine: &engine::Handle, now: Time) -> Result<BTreeMap<(Society, Lateness), u64>, Refusal> {
    let mut late = BTreeMap::new();
    let (from, until) = keys::all(b'y');
    for pair in engine.store().scan(&from, &until, Direction::Forward) {
        let row: UseRow = decode(&pair.map_err(failed)?.1)?;
        for resting in &row.resting {
            if let Some(lateness) = lateness(resting, now) {
                *late.entry((resting.other, lateness)).or_default() += 1;
            }
        }
    }
    Ok(late)
}

/// Says in the log and in the metrics who is late.
pub fn alarm(late: &BTreeMap<(Society, Lateness), u64>, metrics: &Metrics) {
    metrics.withdrawals_late(late.iter().map(|((peer, lateness), count)| (*peer, lateness.as_str(), *count)));
    for ((peer, lateness), count) in late {
        tracing::error!(%peer, alarm = lateness.as_str(), count, "a peer is late with a withdrawal");
    }
}

/// The rows of what rests on consents of a case, a record or a handover.
///
/// # Errors
/// `store_failed`.
pub fn of_consents(
    engine: &engine::Handle,
    consents: impl IntoIterator<Item = ConsentId>,
) -> Result<Vec<(ConsentId, UseRow)>, Refusal> {
    let view = engine.view();
    consents.into_iter().map(|consent| Ok((consent, view.uses(consent)?.unwrap_or_default()))).collect()
}
