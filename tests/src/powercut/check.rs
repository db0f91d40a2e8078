//! What must hold of a node whose disk is all that is left of it: it opens, proves itself, has kept every promise, and
//! takes again what it had not answered. Opens a folder as the node does at its start; no socket, no link.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::Context as _;
use passerelle_domain::{
    alert::Alert,
    decide::{Command, Reply},
    entry::Body,
    facts::Facts,
    handover::Action,
    ids::{CaseId, Epoch, HandoverId},
    refusal::Refusal,
    rows::HandoverRow,
    signing::Signer,
    society::Society,
};
use passerelle_node::{
    clock::{Clock as _, SystemClock},
    config::Config,
    engine::{self, Engine, Parts},
    entropy::{Entropy as _, SystemEntropy},
    metrics::Metrics,
    packages::Packages,
    run::{Storage, open_store, policy_of},
    store::{
        Direction, Store, keys,
        memory::MemoryStore,
        view::{View, decode},
    },
    trust::{Ed25519Verifier, NodeTrust, PeerBundles, TrustFolder},
    upkeep::clean_vault,
    vault::Vault,
    withdrawals::purge,
};
use passerelle_proto::{convert::alert_draft, v1};
use tokio::sync::watch;

use super::ledger::{Promise, Witness};
use crate::world::{Site, left_of, operator};

/// What was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Looked {
    /// Promises that were asked for.
    pub(super) promises: u64,
    /// Entries that were verified.
    pub(super) entries: u64,
    /// Objects of more than one value of the store among those of promised alerts.
    pub(super) large_objects: u64,
    /// Packages and sealed packages that were opened.
    pub(super) packages: u64,
    /// Erased cases of which nothing was found.
    pub(super) erased: u64,
    /// Requests that were repeated.
    pub(super) repeated: u64,
    /// Whether the node had a store.
    pub(super) had_store: bool,
}

/// What is wrong, and what was looked at.
pub(super) struct Outcome {
    pub(super) looked: Looked,
    pub(super) faults: Vec<String>,
}

/// Looks at the node of a site whose folder is all that is left of it; `peer` is the Society that it exchanges with.
pub(super) fn check(site: &Site, witness: &Witness, peer: Society) -> Outcome {
    let mut check = Check { site, witness, peer, looked: Looked::default(), faults: Vec::new() };
    if let Err(error) = check.run() {
        check.faults.push(format!("{error:#}"));
    }
    Outcome { looked: check.looked, faults: check.faults }
}

struct Check<'a> {
    site: &'a Site,
    witness: &'a Witness,
    peer: Society,
    looked: Looked,
    faults: Vec<String>,
}

impl Check<'_> {
    fn run(&mut self) -> anyhow::Result<()> {
        if let Some(trouble) = &self.witness.trouble {
            self.faults.push(format!("the peer could not be asked: {trouble}"));
        }
        let folder = self.site.folder();
        if !folder.join("trust").exists() {
            let promised = self.witness.promises.first();
            promised
                .map_or(Ok(()), |first| Err(anyhow::anyhow!("there is no trust folder, and {first:?} was promised")))?;
            return Ok(());
        }
        let (trust_folder, trust) = TrustFolder::open(folder).context("the trust folder does not open")?;
        if self.witness.promises.contains(&Promise::Peer) {
            let known = PeerBundles::open(folder)?.load()?;
            let there = known.bundles.iter().any(|bundle| bundle.bundle().society == self.peer);
            self.demand(there && known.refused.is_empty(), || "the peer's bundle is lost or damaged".to_owned());
        }
        let config = Config::parse(&folder.join("node.toml"), &self.site.config(), std::iter::empty())
            .map_err(|faults| anyhow::anyhow!("{faults}"))?;
        let store = open_store(&config).context("the store does not open")?;
        self.demand(store.oversized_leaves()? == 0, || "the store has leaves outside of its log".to_owned());
        let vault = Vault::open(&folder.join("vault"), fill()).context("the vault does not open")?;
        if View::of(&store as &dyn Store).head()?.is_some() {
            self.looked.had_store = true;
            self.verify(&store, &trust)?;
        }
        let view = View::of(&store as &dyn Store);
        for promise in &self.witness.promises {
            self.looked.promises += 1;
            if let Err(error) = self.kept(&view, promise) {
                self.faults.push(format!("{promise:?} was promised: {error:#}"));
            }
        }
        self.peer_is_right(&view)?;
        self.vault_is_right(&store, &vault)?;
        drop(view);
        let secret = trust_folder.pseudonym_secret(&*fill())?;
        self.goes_on(config, Arc::new(store), vault, &trust, secret)
    }

    fn demand(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(fault());
        }
    }

    fn verify(&mut self, store: &dyn Store, trust: &NodeTrust) -> anyhow::Result<()> {
        let keys = trust.bundle.bundle().signing_keys.clone();
        let scratch = MemoryStore::new();
        let report = engine::verify(self.site.society(), store, &scratch, &keys, &Ed25519Verifier, |_progress| {})?;
        self.looked.entries += report.entries;
        self.faults.extend(report.faults);
        self.demand(engine::rebuild_due(store)?.is_none(), || "the views are to be made anew".to_owned());
        Ok(())
    }

    /// Whether a promise is kept.
    fn kept(&mut self, view: &View<'_>, promise: &Promise) -> anyhow::Result<()> {
        match promise {
            Promise::Initialised | Promise::Peer => Ok(()),
            Promise::Alert(id) => {
                let row = view.alert(*id)?.context("the alert is lost")?;
                let object = view.object(row.entry)?.context("its content is lost")?;
                self.looked.large_objects += u64::from(object.len() > passerelle_domain::limits::STORE_VALUE_BYTES_MAX);
                Ok(())
            }
            Promise::Cancelled(id) => {
                let row = view.alert(*id)?.context("the alert is lost")?;
                row.cancelled.map(|_| ()).context("its cancellation is lost")
            }
            Promise::Consent(id) => {
                let row = view.consent(*id)?.context("the consent is lost")?;
                view.object(row.entry)?.map(|_| ()).context("the record is lost")
            }
            Promise::Offer(id) => view.handover(*id)?.map(|_| ()).context("the handover is lost"),
            Promise::Step(id, action) => {
                let row = view.handover(*id)?.context("the handover is lost")?;
                let taken = row.history.iter().any(|event| event.action == *action);
                anyhow::ensure!(taken, "the step is lost; the handover is {}", row.state);
                Ok(())
            }
            Promise::Read(id, times) => {
                let reads = view.reads(*id)?.map_or(0, |row| row.reads.len());
                anyhow::ensure!(reads >= *times, "{reads} readings are left");
                Ok(())
            }
        }
    }

    /// Whether the node stands by what the peer has from it.
    fn peer_is_right(&mut self, view: &View<'_>) -> anyhow::Result<()> {
        for (lane, receipted) in &self.witness.peer.receipted {
            let received = view.lane_in(self.peer, *lane)?.received;
            self.demand(received >= *receipted, || {
                format!("the peer has a receipt for {receipted} in lane {lane}, and {received} is left")
            });
        }
        for (lane, received, hash) in &self.witness.peer.received {
            let queued = view.lane_out(self.peer, *lane)?.queued;
            self.demand(queued >= *received, || {
                format!("the peer was sent {received} in lane {lane}, and {queued} is left")
            });
            let item = view.lane_item(self.peer, *lane, *received)?;
            let same = received.0 == 0 || item.is_some_and(|item| item.hash == *hash);
            self.demand(same, || format!("position {received} of lane {lane} is another than the peer was sent"));
        }
        for id in &self.witness.peer.erased {
            let case = view.handover(*id)?.and_then(|row| row.case);
            let erased =
                case.map(|case| view.case(case)).transpose()?.flatten().is_some_and(|row| row.erased.is_some());
            self.demand(case.is_none() || erased, || format!("the peer was told that {id} is erased, and it is not"));
        }
        Ok(())
    }

    /// Whether the packages are there that should be, and none that should not.
    fn vault_is_right(&mut self, store: &dyn Store, vault: &Vault) -> anyhow::Result<()> {
        let view = View::of(store);
        let (from, until) = keys::all(b'x');
        for pair in store.scan(&from, &until, Direction::Forward) {
            let (key, value) = pair?;
            let row: passerelle_domain::rows::CaseRow = decode(&value)?;
            let Some(case) = keys::id_bytes(&key).map(CaseId::from_bytes) else { continue };
            if row.erased.is_some() {
                self.looked.erased += 1;
                let left = left_of(&self.site.folder().join("vault"), case, &row)?;
                self.demand(left.is_empty(), || format!("a case is erased, and there is {}", left.join(", ")));
            }
        }
        for (id, row) in handovers(store)? {
            if !is_kept(&view, id, &row)? {
                continue;
            }
            if let Some(package) = row.package {
                self.looked.packages += 1;
                if let Err(refusal) = vault.get_package(package.case, package.commitment, &|_section| true) {
                    self.faults.push(format!("the package of {id} ({}) cannot be read: {refusal}", row.state));
                }
            }
            for event in
                row.history.iter().filter(|event| row.from == self.site.society() && event.action == Action::Release)
            {
                let Some(Body::Issued(meta)) = view.entry(event.entry)?.map(|entry| entry.body) else { continue };
                let Some(attachment) = meta.attachment else { continue };
                self.looked.packages += 1;
                if let Err(refusal) = vault.outgoing(attachment.digest) {
                    self.faults.push(format!("what {id} released cannot be sent: {refusal}"));
                }
            }
        }
        Ok(())
    }

    /// Starts the engine on what is left, does what a node does at its start, and asks again for what was not answered.
    fn goes_on(
        &mut self,
        config: Config,
        store: Arc<dyn Store>,
        vault: Vault,
        trust: &NodeTrust,
        pseudonyms: [u8; 32],
    ) -> anyhow::Result<()> {
        let own = self.site.society();
        let clock = SystemClock::new();
        let signer: Arc<dyn Signer + Send + Sync> = trust.signing.clone();
        let (_policy, seen) = watch::channel(Arc::new(policy_of(&config, &Storage::Machine)));
        let (engine, handle) = Engine::new(Parts {
            own,
            store,
            clock: Arc::new(clock),
            signer,
            policy: seen,
            epoch: Epoch::new(clock.now(), SystemEntropy::new().id()),
            pseudonyms: passerelle_domain::decide::Pseudonyms::new(pseudonyms),
            metrics: Metrics::new(),
        });
        let engine = std::thread::spawn(move || engine.run());
        let packages = Packages::new(own, vault, trust.sealing.clone(), handle.clone());
        let outcome = self.repeat(&handle, &packages);
        drop(packages);
        tokio::runtime::Handle::current().block_on(handle.stop());
        drop(handle);
        let ended = engine.join().map_err(|_| anyhow::anyhow!("the engine panicked"))?;
        ended.context("the engine failed")?;
        outcome
    }

    fn repeat(&mut self, handle: &engine::Handle, packages: &Packages) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Handle::current();
        runtime.block_on(async {
            let mut durable = handle.durable();
            durable.wait_for(|durable| durable.entries > 0).await.map(|_| ())
        })?;
        purge(handle, packages).context("what was erased cannot be purged")?;
        clean_vault(self.site.society(), handle, packages, SystemClock::new().now())
            .context("the vault cannot be cleaned")?;
        for (id, row) in handovers(&**handle.store())? {
            if let Some(package) = row.package
                && is_kept(&handle.view(), id, &row)?
                && let Err(refusal) =
                    packages.get(&package, &BTreeSet::new(), &passerelle_domain::handover::Opener::Sender)
            {
                self.faults.push(format!("the start took the package of {id} away: {refusal}"));
            }
        }
        let before = handle.durable().borrow().entries;
        if let Some(request) = &self.witness.answered {
            runtime.block_on(ask(handle, request)).context("what was answered is refused when it is asked again")?;
            let after = handle.durable().borrow().entries;
            self.demand(after == before, || "what was answered had a second effect".to_owned());
            self.looked.repeated += 1;
        }
        for request in &self.witness.asked {
            let asked = runtime.block_on(ask(handle, request));
            asked.context("what was not answered is refused when it is asked again")?;
            self.looked.repeated += 1;
        }
        Ok(())
    }
}

fn fill() -> Arc<passerelle_node::trust::Fill> {
    let entropy = SystemEntropy::new();
    Arc::new(move |bytes: &mut [u8]| entropy.fill(bytes))
}

/// Every handover of a store.
fn handovers(store: &dyn Store) -> anyhow::Result<Vec<(HandoverId, HandoverRow)>> {
    let (from, until) = keys::all(b'h');
    let mut found = Vec::new();
    for pair in store.scan(&from, &until, Direction::Forward) {
        let (key, value) = pair?;
        if let Some(id) = keys::id_bytes(&key).map(HandoverId::from_bytes) {
            found.push((id, decode(&value)?));
        }
    }
    Ok(found)
}

/// Whether the packages of a handover are to be kept for now.
fn is_kept(view: &View<'_>, id: HandoverId, row: &HandoverRow) -> Result<bool, Refusal> {
    let due = row.case.map(|case| view.case(case)).transpose()?.flatten().is_some_and(|case| case.due.is_some());
    Ok(!due && view.keeping(id)?.purged_at.is_none())
}

/// Asks for an alert as the operators' interface does: one that is known is taken up at the instant at which it was sent.
async fn ask(handle: &engine::Handle, request: &v1::RaiseAlertRequest) -> anyhow::Result<()> {
    let id = request.id.parse()?;
    let first = handle.view().alert(id)?.and_then(|row| row.sent_at);
    let message = request.alert.clone().context("a request without an alert")?;
    let draft = alert_draft(message).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
    let alert = Alert::from_draft(draft, first.unwrap_or(SystemClock::new().now()));
    let alert = Box::new(alert.map_err(|faults| anyhow::anyhow!("{faults:?}"))?);
    match handle.submit(Command::RaiseAlert { caller: operator(), id, alert }).await? {
        Reply::Alert { .. } => Ok(()),
        _ => anyhow::bail!("the engine gave another answer"),
    }
}
