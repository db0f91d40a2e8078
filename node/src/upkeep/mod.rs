//! Upkeep: the node's own clockwork. Looks, a bounded stretch of rows at a time, for what a rule of retention says is due,
//! has the engine purge it, and then takes what was purged out of the vault: first the entry, then the key. What the
//! vault does not let go each sweep tries again; what a crash leaves between the two is removed at the next start. Reads the
//! store; writes through the engine alone.

mod look;
mod orphans;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use passerelle_domain::{
    decide::{Command, Policy, Pseudonyms, Target},
    digest::Digest,
    ids::{CaseId, EntryIndex, EnvelopeId},
    refusal::{Code, Refusal},
    retention::{Due, Rule},
    signing::Signer,
    society::Society,
    time::Time,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, engine, metrics::Metrics, packages::Packages, supervise::offload};

pub use orphans::{Cleaned, clean_vault};

/// What is told of in advance; the rest is counted.
const SOON_MAX: usize = 1_000;
/// A clock that is so far from that of a peer is not to be purged by.
const CLOCKS_APART_MS: u64 = 3_600_000;

/// Something that is due, or will be soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// When, and by which rule.
    pub due: Due,
    /// handover, alert, consent or evidence.
    pub kind: &'static str,
    /// Its id, where it has one.
    pub id: Option<EnvelopeId>,
    /// Whether a hold keeps it.
    pub held: bool,
    /// What the engine is to purge.
    target: Target,
    /// What then goes out of the vault.
    shred: Option<(CaseId, Vec<Digest>)>,
}

/// What the last sweep found and did.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// When it was.
    pub swept_at: Option<Time>,
    /// What will be purged within the time of warning, the soonest first.
    pub soon: Vec<Found>,
    /// How many that is altogether.
    pub soon_total: u64,
    /// Purged since the node started, by rule.
    pub purged: BTreeMap<Rule, u64>,
    /// Whether purging waits because the clocks are apart.
    pub clock_in_doubt: bool,
    /// Whether the vault belongs to another journal: the store beside it was made anew, or is missing.
    pub vault_of_another: bool,
}

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Purged.
    pub purged: u64,
    /// Due, and held.
    pub held: u64,
    /// Whether nothing was purged because the clocks are apart.
    pub clock_in_doubt: bool,
}

/// Whether a purge that is so refused is one of something that was held, ended or destroyed since it was looked at. What
/// is left of it is looked at again.
fn changed_meanwhile(code: Code) -> bool {
    matches!(
        code,
        Code::OnHold
            | Code::WrongState
            | Code::PackageAbsent
            | Code::UnknownHandover
            | Code::UnknownAlert
            | Code::UnknownConsent
            | Code::UnknownDraft
            | Code::UnknownRequest
    )
}

/// What upkeep is made of.
pub struct Parts {
    /// Our Society.
    pub own: Society,
    /// The engine.
    pub engine: engine::Handle,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The vault.
    pub packages: Arc<Packages>,
    /// What the look through it at the start did.
    pub cleaned: Cleaned,
    /// The periods in force, replaced by a reload.
    pub policy: watch::Receiver<Arc<Policy>>,
    /// The pseudonyms of cases; a rule is asked with them.
    pub pseudonyms: Pseudonyms,
    /// The node's signer; nothing is signed here.
    pub signer: Arc<dyn Signer + Send + Sync>,
    /// Figures.
    pub metrics: Metrics,
    /// How far this clock is from that of any peer that is joined, in milliseconds.
    pub clocks_apart: Box<dyn Fn() -> u64 + Send + Sync>,
    /// How often to look.
    pub every: Duration,
}

/// The clockwork.
pub struct Upkeep {
    parts: Parts,
    seen: Mutex<Snapshot>,
    /// The first entry whose evidence may still be there.
    evidence_from: AtomicU64,
    /// What is purged and still in the vault, by case.
    unshredded: Mutex<BTreeMap<CaseId, Vec<Digest>>>,
    /// One sweep at a time.
    sweeping: tokio::sync::Mutex<()>,
}

impl Upkeep {
    /// The clockwork of its parts; it does not run before [`Upkeep::keep`].
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let seen = Snapshot { vault_of_another: parts.cleaned.of_another, ..Snapshot::default() };
        Self {
            parts,
            seen: Mutex::new(seen),
            evidence_from: AtomicU64::default(),
            unshredded: Mutex::default(),
            sweeping: tokio::sync::Mutex::default(),
        }
    }

    /// Sweeps at once, so that what came due while the node was off is caught up with, and then again and again until
    /// `stop`.
    ///
    /// # Errors
    /// Never; what fails is logged and tried again.
    pub async fn keep(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                swept = self.sweep() => match swept {
                    Ok(swept) if swept.purged > 0 => {
                        tracing::info!(purged = swept.purged, held = swept.held, "retention purged what was due");
                    }
                    Ok(_) => {}
                    Err(refusal) => {
                        tracing::error!(code = %refusal.code, reason = %refusal.message, "retention could not be kept");
                    }
                },
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(self.parts.every) => {}
            }
        }
    }

    /// What the last sweep found and did.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.seen.lock().clone()
    }

    /// Purges all that is due now.
    ///
    /// # Errors
    /// When the store fails, or the engine has ended; the first refusal that nothing explains, once all that could be purged
    /// was.
    pub async fn sweep(self: &Arc<Self>) -> Result<Swept, Refusal> {
        let _alone = self.sweeping.lock().await;
        let again = std::mem::take(&mut *self.unshredded.lock());
        for (case, names) in again {
            self.shred(case, names).await;
        }
        let now = self.parts.clock.now();
        let mut swept = Swept { clock_in_doubt: (self.parts.clocks_apart)() >= CLOCKS_APART_MS, ..Swept::default() };
        if swept.clock_in_doubt {
            tracing::warn!(
                "this clock and that of a peer are an hour apart or more; nothing is purged until one is set"
            );
        }
        let (mut soon, mut soon_total, mut failed) = (Vec::new(), 0, None);
        let mut place = Some(look::Place::first(EntryIndex(self.evidence_from.load(Ordering::Relaxed))));
        while let Some(at) = place.take() {
            let upkeep = Arc::clone(self);
            let looked = offload(move || upkeep.look(&at, now)).await;
            let looked = looked.map_err(|_| Refusal::new(Code::StoreFailed, "a task of the node failed"))??;
            let mut due = Vec::new();
            for found in looked.found {
                if found.due.at > now {
                    soon_total += 1;
                    soon.push(found);
                } else if found.held {
                    swept.held += 1;
                } else {
                    due.push(found);
                }
            }
            soon.sort_by_key(|found| found.due.at);
            soon.truncate(SOON_MAX);
            if !swept.clock_in_doubt {
                let (purged, refused) = self.purge(due).await;
                swept.purged += purged;
                match (refused, looked.evidence_until) {
                    (None, Some(index)) => self.evidence_from.store(index.0, Ordering::Relaxed),
                    // An engine that has ended, or a store that fails, does nothing more for the rest either.
                    (Some(refusal), _) if matches!(refusal.code, Code::ShuttingDown | Code::StoreFailed) => {
                        return Err(refusal);
                    }
                    (refused, _) => failed = failed.or(refused),
                }
            }
            place = looked.next;
            // Others have their turn between two stretches, however much there is.
            tokio::task::yield_now().await;
        }
        self.parts.metrics.retention(soon_total, swept.held);
        let mut seen = self.seen.lock();
        (seen.swept_at, seen.soon, seen.soon_total) = (Some(now), soon, soon_total);
        seen.clock_in_doubt = swept.clock_in_doubt;
        failed.map_or(Ok(swept), Err)
    }

    /// Purges what was found in one stretch; what is put to the engine together is committed together. How much that was,
    /// and the first refusal that nothing explains: it keeps nothing of the rest in the vault.
    async fn purge(self: &Arc<Self>, due: Vec<Found>) -> (u64, Option<Refusal>) {
        let (mut pending, mut failed) = (Vec::with_capacity(due.len()), None);
        for found in due {
            let command = Command::Purge { target: found.target.clone() };
            match self.parts.engine.submit_waiting(command).await {
                Ok(outcome) => pending.push((outcome, found)),
                Err(refusal) => {
                    failed = Some(refusal);
                    break;
                }
            }
        }
        let mut purged = 0;
        for (outcome, found) in pending {
            let ended = |_| Err(Refusal::new(Code::ShuttingDown, "the node is shutting down"));
            match outcome.await.unwrap_or_else(ended) {
                Ok(_) => {
                    purged += 1;
                    *self.seen.lock().purged.entry(found.due.rule).or_default() += 1;
                    self.parts.metrics.purged(found.due.rule.as_str());
                    if let Some((case, names)) = found.shred {
                        self.shred(case, names).await;
                    }
                }
                Err(refusal) if changed_meanwhile(refusal.code) => {}
                Err(refusal) => failed = failed.or(Some(refusal)),
            }
        }
        (purged, failed)
    }

    /// The entry is durable; now the key. What fails here is tried again by the next sweep, or done by the next start.
    async fn shred(self: &Arc<Self>, case: CaseId, names: Vec<Digest>) {
        let upkeep = Arc::clone(self);
        let wanted = names.clone();
        let outcome = offload(move || upkeep.parts.packages.retire(case, &wanted)).await;
        if !matches!(outcome, Ok(Ok(_))) {
            tracing::error!("a purged package is still in the vault; each sweep tries again to remove it");
            self.unshredded.lock().entry(case).or_default().extend(names);
        }
    }
}
