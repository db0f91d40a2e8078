//! Starts what the configuration asks for of feeds.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::{net::TcpListener, sync::watch};

use super::{Board, Client, Keeper, Poller, Published, serve};
use crate::{
    clock::Clock,
    config::Config,
    engine,
    entropy::Entropy,
    metrics::Metrics,
    supervise::{Phase, Supervisor, Task},
};

/// What feeds are made of.
pub struct Parts {
    /// The engine.
    pub engine: engine::Handle,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Figures.
    pub metrics: Metrics,
}

/// The public feed: where the public reaches it, and what is shown.
pub type Public = (String, watch::Receiver<Arc<Published>>);

/// Starts the public feed, where it is configured, and the polling of every source.
///
/// # Errors
/// When the port of the public feed cannot be had.
pub async fn start(
    supervisor: &mut Supervisor,
    config: &Config,
    parts: Parts,
) -> anyhow::Result<(Option<Public>, Arc<Board>)> {
    let Parts { engine, clock, entropy, metrics } = parts;
    let mut public = None;
    if let Some(shown) = &config.feed {
        let keeper = Keeper::new(config.society, shown, engine.clone(), clock.clone(), metrics.clone());
        let published = keeper.published();
        public = Some((keeper.url(), published.clone()));
        supervisor.spawn(Task::FeedKeeper, keeper.keep(supervisor.token(Phase::Link)));
        if let Some(address) = shown.listen {
            let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address}"))?;
            let spawner = supervisor.spawner(Phase::Listeners);
            let served = serve(listener, shown.clone(), published, engine.clone(), clock.clone(), spawner);
            supervisor.spawn(Task::FeedListener, served);
        }
    }
    let now = {
        let clock = clock.clone();
        Arc::new(move || clock.now())
    };
    let own = config.society;
    let (client, board) = (Client::new(now), Arc::new(Board::default()));
    let poller = Arc::new(Poller { own, engine, clock, entropy, metrics, client, board: board.clone() });
    let polling = supervisor.spawner(Phase::Link);
    for source in &config.cap_sources {
        if source.enabled {
            polling.spawn("source of warnings", poller.clone().keep(source.clone(), polling.token()));
        } else {
            poller.show_disabled(source);
        }
    }
    Ok((public, board))
}
