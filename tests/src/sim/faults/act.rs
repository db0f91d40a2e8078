//! Doing what was planned to go wrong, and setting it right again.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use parking_lot::Mutex;
use passerelle_domain::{envelope::Lane, facts::Facts as _, rows::HeadRow, signing::PublicKey, society::Society};
use passerelle_node::{
    engine,
    store::{
        keys,
        memory::MemoryStore,
        view::{View, decode},
    },
    trust::Ed25519Verifier,
};

use super::{Fault, Planned};
use crate::sim::{
    chance::Chance,
    disk::{Blow, Rows},
    hoard::Hoard,
    invariants::Invariant,
    ledger::{Expected, Ledger},
    liar::Liar,
    network::{Fabric, paths::Millis, paths::span},
    site::{Backup, Site},
};
use tokio_util::sync::CancellationToken;

/// What a person needs to notice that a node does not come up by itself.
const NOTICED_AFTER: Duration = Duration::from_secs(15);

/// How often a program for backups looks.
const GATHER_EVERY: Millis = 1_500;

/// Everything that can be broken.
pub struct Machinery {
    /// The network.
    pub fabric: Arc<Mutex<Fabric>>,
    /// The machines.
    pub sites: Arc<Vec<Arc<Site>>>,
    /// What is known.
    pub ledger: Arc<Mutex<Ledger>>,
    /// The keys of the nodes.
    pub keys: BTreeMap<Society, PublicKey>,
    /// Who lies.
    pub liar: Liar,
    /// Where backups go.
    pub folder: PathBuf,
    /// The last backup of each.
    pub backups: Mutex<BTreeMap<usize, Arc<Backup>>>,
    /// Ends what would go on breaking.
    pub healing: CancellationToken,
    /// Faults under way.
    pub busy: Mutex<usize>,
}

impl Machinery {
    fn now(&self) -> Millis {
        self.fabric.lock().now()
    }

    /// Does one thing; returns once it is over, which may take a while.
    pub async fn act(self: Arc<Self>, planned: Planned) {
        if self.healing.is_cancelled() {
            return;
        }
        *self.busy.lock() += 1;
        self.do_it(planned).await;
        *self.busy.lock() -= 1;
    }

    /// Sets everything right: from here on the surroundings of every node are in order.
    pub async fn heal(&self) {
        self.healing.cancel();
        {
            let mut fabric = self.fabric.lock();
            let now = fabric.now();
            fabric.paths.heal(now);
            fabric.paths.spare();
        }
        for site in self.sites.iter() {
            site.disk.spare();
            site.disk.fill(50);
            site.clock.set_off(0);
        }
        // Whoever works on a machine finishes that first.
        while *self.busy.lock() > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for site in self.sites.iter() {
            site.clock.set_off(0);
            site.disk.fill(50);
            site.turn_on();
        }
    }

    /// Waits, unless everything is being set right.
    async fn wait(&self, time: Duration) {
        tokio::select! {
            biased;
            () = self.healing.cancelled() => {}
            () = tokio::time::sleep(time) => {}
        }
    }

    async fn do_it(&self, planned: Planned) {
        self.ledger.lock().trace.tell(format_args!("FAULT {} {:?}", planned.number, planned.fault), &[]);
        match planned.fault {
            Fault::AtCommit { node, commit, step, blow, outage } => {
                let site = &self.sites[node];
                site.disk.plan(commit, step, blow);
                self.until_off(node, outage).await;
            }
            Fault::Cut { from, to, both, lasts } => self.cut(from, to, both, lasts),
            Fault::Lose(one, other) => self.fabric.lock().lose(one, other),
            Fault::Reset(one, other) => self.fabric.lock().reset(one, other),
            Fault::Clock { node, off, lasts } => {
                self.sites[node].clock.set_off(off);
                self.wait(span(lasts)).await;
                self.sites[node].clock.set_off(0);
            }
            Fault::Storm { node, times, pause } => {
                for _ in 0..times {
                    if !self.healing.is_cancelled() && self.sites[node].is_on() {
                        self.sites[node].strike(Blow::Kill);
                        self.wait(span(2_000 + pause)).await;
                    }
                }
            }
            Fault::Fill { node, percent, lasts } => {
                self.sites[node].disk.fill(percent);
                self.wait(span(lasts)).await;
                self.sites[node].disk.fill(50);
            }
            Fault::Flip { node, which } => self.flip(node, which).await,
            Fault::Spoil { node, which } => self.spoil(node, which).await,
            Fault::BackUp(node) => self.back_up(node, planned.number),
            Fault::Restore { node, outage } => self.restore(node, outage).await,
            Fault::VaultBack { node, gathers } => self.vault_back(node, gathers).await,
            Fault::Lie { named, to, lie } => self.liar.tell(named, to, lie).await,
        }
    }

    /// A machine whose power went is turned on again after a while.
    async fn until_off(&self, node: usize, outage: Millis) {
        while !self.healing.is_cancelled() {
            if !self.sites[node].is_on() {
                let _working = self.sites[node].bench.lock().await;
                if !self.sites[node].is_on() {
                    self.wait(span(outage)).await;
                }
                return self.sites[node].turn_on();
            }
            self.wait(Duration::from_secs(1)).await;
        }
    }

    fn cut(&self, from: usize, to: Option<usize>, both: bool, lasts: Millis) {
        let mut fabric = self.fabric.lock();
        let now = fabric.now();
        for other in (0..self.sites.len()).filter(|other| *other != from && to.is_none_or(|to| to == *other)) {
            fabric.paths.cut(from, other, now, now + lasts);
            if both {
                fabric.paths.cut(other, from, now, now + lasts);
            }
        }
    }

    fn back_up(&self, node: usize, number: usize) {
        let folder = self.folder.join(format!("backup-{number}"));
        let Ok(_working) = self.sites[node].bench.try_lock() else {
            // Nobody copies a machine that is being repaired.
            return;
        };
        match self.sites[node].back_up(self.now(), &folder) {
            Ok(backup) => {
                self.backups.lock().insert(node, Arc::new(backup));
            }
            Err(error) => self.ledger.lock().tell(node, format_args!("no backup: {error:#}")),
        }
    }

    async fn restore(&self, node: usize, outage: Millis) {
        let backup = self.backups.lock().get(&node).cloned();
        let Some(backup) = backup else { return };
        let site = &self.sites[node];
        let _working = site.bench.lock().await;
        site.strike(Blow::PowerCut);
        self.wait(span(outage)).await;
        self.put_back(node, &backup);
        site.turn_on();
    }

    fn put_back(&self, node: usize, backup: &Backup) {
        if let Err(error) = self.sites[node].restore(backup, self.now()) {
            self.ledger.lock().broken(Invariant::NodesRun, format!("a backup cannot be put back: {error:#}"));
        }
        self.expect_alarms(node);
    }

    /// Who has to notice that a store was put back: whoever remembers more than it does, and the node itself.
    fn expect_alarms(&self, node: usize) {
        let site = &self.sites[node];
        // What it made others forget or remember before is over.
        self.ledger.lock().expected.retain(|expected| expected.about != site.society && expected.node != node);
        let here = site.disk.reader();
        let restored = View::of(&here);
        for other in self.sites.iter().filter(|other| other.index != node) {
            let there = other.disk.reader();
            let remembers = View::of(&there);
            let (mut forgot, mut forked) = (false, false);
            for lane in Lane::ALL.iter().copied() {
                let ends = (restored.lane_in(other.society, lane), remembers.lane_out(site.society, lane));
                forgot |= matches!(ends, (Ok(into), Ok(out)) if into.received < out.receipted);
                let ends = (restored.lane_out(other.society, lane), remembers.lane_in(site.society, lane));
                forked |= matches!(ends, (Ok(out), Ok(into)) if out.queued < into.received);
            }
            let mut ledger = self.ledger.lock();
            // What it has sent since may stand where it once sent something else: then only itself can tell.
            if forgot {
                let (life, about) = (other.life(), site.society);
                ledger.expected.push(Expected { node: other.index, life, about, alarm: "peer_restored" });
            }
            if forked {
                let (life, about) = (site.life() + 1, other.society);
                ledger.expected.push(Expected { node, life, about, alarm: "we_restored" });
            }
        }
    }

    /// A program for backups copies the vault for a while, and then somebody puts back what is not there any more.
    async fn vault_back(&self, node: usize, gathers: Millis) {
        let site = &self.sites[node];
        let mut hoard = Hoard::default();
        let mut left = gathers;
        while left > 0 && !self.healing.is_cancelled() {
            // A vault that is not made yet has nothing to copy.
            let _ = hoard.gather(&site.vault());
            self.wait(span(GATHER_EVERY)).await;
            left = left.saturating_sub(GATHER_EVERY);
        }
        let _working = site.bench.lock().await;
        site.strike(Blow::PowerCut);
        match hoard.put_back(&site.vault()) {
            Ok(files) => self.ledger.lock().tell(node, format_args!("{files} files of the vault are put back")),
            Err(error) => self.ledger.lock().tell(node, format_args!("nothing of the vault is put back: {error}")),
        }
        site.turn_on();
    }

    /// A bit flips while the machine is off; whoever verifies the store before it starts is told, and puts it right.
    async fn flip(&self, node: usize, which: u64) {
        let site = &self.sites[node];
        let _working = site.bench.lock().await;
        site.strike(Blow::PowerCut);
        let whole = site.disk.rows();
        let Some((key, damaged)) = flipped(&whole, which) else { return site.turn_on() };
        let letter = key.first().copied().map_or('?', char::from);
        site.disk.replace(damaged);
        self.ledger.lock().tell(node, format_args!("a bit of a row of kind {letter} has flipped"));
        if !self.is_damaged(node) {
            let text = format!("a bit of {} flipped in a row of kind {letter}, and nobody notices", hex::encode(&key));
            self.ledger.lock().broken(Invariant::RestoredNoticed, text);
        }
        self.repair(node, whole).await;
    }

    /// A row cannot be read any more: the node runs until it needs it, and then says so and stops.
    async fn spoil(&self, node: usize, which: u64) {
        let site = &self.sites[node];
        let _working = site.bench.lock().await;
        let whole = site.disk.rows();
        let Some((key, _)) = flipped(&whole, which) else { return };
        site.disk.spoil(key);
        tokio::time::sleep(NOTICED_AFTER).await;
        site.strike(Blow::PowerCut);
        let whole = site.disk.rows();
        if !self.is_damaged(node) {
            self.ledger
                .lock()
                .broken(Invariant::RestoredNoticed, "a row cannot be read, and nobody notices".to_owned());
        }
        self.repair(node, whole).await;
    }

    /// A damaged store is replaced by the last backup; where there is none, as a test of this simulation and not of the
    /// node, by what there was.
    async fn repair(&self, node: usize, whole: Rows) {
        tokio::time::sleep(NOTICED_AFTER).await;
        let backup = self.backups.lock().get(&node).cloned();
        match backup {
            Some(backup) => self.put_back(node, &backup),
            None => self.sites[node].disk.replace(whole),
        }
        self.sites[node].turn_on();
    }

    /// What `verify` says of the store of a node that does not run.
    fn is_damaged(&self, node: usize) -> bool {
        let site = &self.sites[node];
        let reader = site.disk.reader();
        let keys: Vec<PublicKey> = self.keys.get(&site.society).copied().into_iter().collect();
        let report =
            engine::verify(site.society, &reader, &MemoryStore::new(), &keys, &Ed25519Verifier, |_progress| {});
        report.map_or(true, |report| !report.faults.is_empty())
    }
}

/// Whether two heads of a journal differ in the name of the store's life alone: the journal cannot tell which one it is,
/// and peers tell a new one from the last.
fn only_another_life(one: &[u8], other: &[u8]) -> bool {
    match (decode::<HeadRow>(one), decode::<HeadRow>(other)) {
        (Ok(one), Ok(other)) => HeadRow { epoch: other.epoch, ..one } == other,
        _ => false,
    }
}

/// The rows with a bit flipped in one of them, and its key. Rows that are harmless to lose are left alone.
fn flipped(rows: &Rows, which: u64) -> Option<(Vec<u8>, Rows)> {
    let mut chance = Chance::of(which, "flip");
    let kept: Vec<_> = rows.iter().filter(|(key, value)| !b"bFf".contains(&key[0]) && !value.is_empty()).collect();
    if kept.is_empty() {
        return None;
    }
    let (key, value) = *chance.pick(&kept);
    let (key, mut value) = (key.clone(), value.clone());
    let at = chance.place(value.len());
    value[at] ^= 1 << chance.below(8);
    if key == keys::HEAD && only_another_life(&rows[&key], &value) {
        return None;
    }
    let mut damaged = rows.clone();
    damaged.insert(key.clone(), value);
    Some((key, damaged))
}
