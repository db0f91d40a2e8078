//! The link: one long-lived stream to each peer, dialled by either side. Carries what the engine
//! has made durable, brings what peers send to the engine, and keeps the state of each link for
//! people to look at. May use the engine's handle, trust and the vault; the protocol itself is
//! `passerelle_domain::link`.

mod dialler;
mod listener;
mod parcels;
mod registry;
mod session;
mod status;

use std::sync::Arc;

use passerelle_domain::{ids::Epoch, signing::Signer, society::Society};

use crate::{
    clock::Clock, engine, entropy::Entropy, metrics::Metrics, supervise::Spawner, trust::LiveTrust, vault::Vault,
};

pub use dialler::{Addresses, dial_for_ever};
pub use listener::Listener;
pub use registry::{Direction, Registry};
pub use status::{LinkState, LinkStatus, Statuses};

/// What every part of the link needs. Cheap to clone.
#[derive(Clone)]
pub struct Link {
    /// Our Society.
    pub own: Society,
    /// This life of our store.
    pub epoch: Epoch,
    /// The engine.
    pub engine: engine::Handle,
    /// Keys, bundles, certificates.
    pub trust: Arc<LiveTrust>,
    /// Case packages.
    pub vault: Arc<Vault>,
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
