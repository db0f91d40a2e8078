//! The link: one long-lived stream to each peer, dialled by either side. Carries what the engine
//! has made durable, brings what peers send to the engine, and keeps the state of each link for
//! people to look at. May use the engine's handle, trust and the vault; the protocol itself is
//! `passerelle_domain::link`.

mod dialler;
mod give_back;
mod keep;
mod listener;
mod parcels;
mod readings;
mod receipts;
mod registry;
mod session;
mod status;
#[cfg(test)]
mod tests;
mod under_way;

use std::{collections::BTreeSet, sync::Arc};

use passerelle_domain::{
    catalogue::Field,
    decide::{Context, Policy, Pseudonyms},
    digest::Digest,
    entry::PackageRef,
    facts::Facts as _,
    handover::Question,
    ids::{CaseId, EntryIndex, Epoch, HandoverId, RequestId},
    refusal::Refusal,
    signing::{PublicKey, Signer},
    society::Society,
    time::Time,
};

use tokio::sync::watch;

use crate::{
    clock::Clock,
    engine,
    entropy::Entropy,
    metrics::Metrics,
    store::view::View,
    supervise::Spawner,
    trust::{LiveTrust, Network},
};

pub use dialler::{Addresses, dial_for_ever};
pub use listener::Listener;
pub use registry::{Direction, Registry};
pub use status::{LinkState, LinkStatus, Statuses};

/// Case packages as they travel: sealed. Blocking.
pub trait Packages: Send + Sync + 'static {
    /// Opens what a peer has sealed to this node for a handover and keeps it under the key of a local
    /// case; the commitment to what it holds.
    ///
    /// # Errors
    /// `bad_seal` when it is sealed to another key or for another handover, `vault_failed` when it cannot be kept.
    fn receive(&self, from: Society, handover: HandoverId, case: CaseId, sealed: &[u8]) -> Result<Digest, Refusal>;

    /// Opens what a peer has sealed to this node for a request of a person, and keeps it under the key of the request.
    ///
    /// # Errors
    /// As [`Packages::receive`].
    fn receive_correction(&self, from: Society, request: RequestId, sealed: &[u8]) -> Result<PackageRef, Refusal>;

    /// The sealed bytes of that digest which wait to be sent; `None` when they were erased.
    ///
    /// # Errors
    /// `vault_failed` when they cannot be read.
    fn outgoing(&self, digest: Digest) -> Result<Option<Vec<u8>>, Refusal>;

    /// Restricts a package of ours to `fields` and seals it to the peer, for one reading: nothing of it is kept.
    ///
    /// # Errors
    /// `package_absent` when it was erased or has nothing in these fields, `bad_bundle`, `vault_failed`.
    fn seal_reading(
        &self,
        peer: Society,
        question: &Question,
        package: &PackageRef,
        fields: &BTreeSet<Field>,
    ) -> Result<Vec<u8>, Refusal>;

    /// Removes a package or a correction that was kept and then refused, and its key if nothing else lies under it.
    ///
    /// # Errors
    /// `vault_failed`.
    fn take_back(&self, kept: &PackageRef) -> Result<(), Refusal>;
}

/// What every part of the link needs. Cheap to clone.
#[derive(Clone)]
pub struct Link {
    /// Our Society.
    pub own: Society,
    /// This life of our store.
    pub epoch: Epoch,
    /// The engine.
    pub engine: engine::Handle,
    /// Where peers are dialled.
    pub network: Arc<dyn Network>,
    /// Keys, bundles, certificates.
    pub trust: Arc<LiveTrust>,
    /// What the configuration allows with peers.
    pub policy: watch::Receiver<Arc<Policy>>,
    /// Makes the pseudonyms of cases.
    pub pseudonyms: Pseudonyms,
    /// Case packages that travel.
    pub packages: Arc<dyn Packages>,
    /// Version of our own bundle.
    pub bundle_version: u64,
    /// Signs receipts.
    pub signer: Arc<dyn Signer + Send + Sync>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Chance, for jitter and for ids.
    pub entropy: Arc<dyn Entropy>,
    /// Figures.
    pub metrics: Metrics,
    /// The sessions under way.
    pub registry: Arc<Registry>,
    /// How each link is.
    pub statuses: Arc<Statuses>,
    /// Starts the tasks of sessions.
    pub spawner: Spawner,
}

impl Link {
    /// The keys that sign for a Society, newest first; none when it is no peer.
    fn signing_keys(&self, society: Society) -> Vec<PublicKey> {
        if society == self.own {
            return vec![self.signer.public_key()];
        }
        let row = self.engine.view().peer(society).ok().flatten();
        row.map(|row| row.signing_keys.iter().map(|key| key.0).collect()).unwrap_or_default()
    }

    /// What a gate is asked with at `now`, as the engine sees it: journal time never runs backwards.
    fn context<'a>(&'a self, view: &'a View<'a>, policy: &'a Policy, now: Time) -> Context<'a> {
        let durable = self.engine.durable();
        let durable = durable.borrow();
        Context {
            own: self.own,
            now: now.max(durable.time),
            wall: now,
            next: EntryIndex(durable.entries),
            facts: view,
            signer: &*self.signer,
            policy,
            pseudonyms: &self.pseudonyms,
        }
    }

    /// Whether the peer is one with whom a session may be.
    fn is_peer(&self, society: Society) -> bool {
        self.engine.view().peer(society).is_ok_and(|row| row.is_some_and(|row| !row.removed))
    }
}
