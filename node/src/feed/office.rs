//! The feeds of one node as its configuration has them now: starts what it asks for, and when it was read again, ends
//! what has changed and starts that anew. What has not changed goes on undisturbed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Context as _;
use parking_lot::Mutex;
use passerelle_domain::society::Society;
use passerelle_signature::Trusted;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Board, Client, Keeper, Poller, Published, serve, trusted};
use crate::{
    clock::Clock,
    config::{CapSource, Config, Feed},
    engine,
    entropy::Entropy,
    metrics::Metrics,
    supervise::Spawner,
};

/// How long what has changed may take to end. A request that is under way is not waited for longer.
const END_WITHIN: Duration = Duration::from_secs(10);

/// What feeds are made of.
pub struct Parts {
    /// Our Society.
    pub own: Society,
    /// The engine.
    pub engine: engine::Handle,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Figures.
    pub metrics: Metrics,
    /// Starts what serves readers; its token ends that.
    pub serving: Spawner,
    /// Starts what keeps the feed and polls; its token ends that.
    pub keeping: Spawner,
}

/// The public feed: where the public reaches it, and what is shown.
pub type Public = (String, watch::Receiver<Arc<Published>>);

/// The feeds of a node.
pub struct Office {
    parts: Parts,
    poller: Arc<Poller>,
    board: Arc<Board>,
    public: Mutex<Option<Public>>,
    trusted: watch::Sender<Option<Arc<Trusted>>>,
    /// What runs; taken by one change of the configuration after the other.
    running: tokio::sync::Mutex<Running>,
}

#[derive(Default)]
struct Running {
    feed: Option<(Feed, Group)>,
    sources: BTreeMap<String, (CapSource, Group)>,
}

/// Tasks that end together.
struct Group {
    end: CancellationToken,
    tracker: TaskTracker,
}

impl Group {
    fn new() -> Self {
        Self { end: CancellationToken::new(), tracker: TaskTracker::new() }
    }

    /// Starts a task that ends with the group, or with its phase.
    fn spawn<F>(&self, spawner: &Spawner, name: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (end, phase) = (self.end.clone(), spawner.token());
        spawner.spawn(
            name,
            self.tracker.track_future(async move {
                // The end of the phase is the end of the group's task, too.
                let linked = async {
                    phase.cancelled().await;
                    end.cancel();
                    std::future::pending::<()>().await;
                };
                tokio::select! {
                    () = future => {}
                    () = linked => {}
                }
            }),
        );
    }

    async fn ended(self) {
        self.end.cancel();
        self.tracker.close();
        if tokio::time::timeout(END_WITHIN, self.tracker.wait()).await.is_err() {
            tracing::warn!("what the feeds did before still runs");
        }
    }
}

impl Office {
    /// Starts what the configuration asks for: the public feed, and the polling of every source.
    ///
    /// # Errors
    /// When a file of certificates cannot be used, or the port of the public feed cannot be had.
    pub async fn open(config: &Config, parts: Parts) -> anyhow::Result<Self> {
        let now = {
            let clock = parts.clock.clone();
            Arc::new(move || clock.now())
        };
        let board = Arc::new(Board::default());
        let poller = Arc::new(Poller {
            own: parts.own,
            engine: parts.engine.clone(),
            clock: parts.clock.clone(),
            entropy: parts.entropy.clone(),
            metrics: parts.metrics.clone(),
            client: Client::new(now),
            board: board.clone(),
        });
        let office = Self {
            parts,
            poller,
            board,
            public: Mutex::default(),
            trusted: watch::Sender::new(None),
            running: tokio::sync::Mutex::default(),
        };
        office.reload(config).await?;
        Ok(office)
    }

    /// Takes a configuration that was read again.
    ///
    /// # Errors
    /// When a file of certificates cannot be used, or a port cannot be had: then all stays as it was.
    pub async fn reload(&self, config: &Config) -> anyhow::Result<()> {
        let mut running = self.running.lock().await;
        let trusted = trusted::load(&config.cap.trusted_certificates)?.map(Arc::new);
        self.change_feed(&mut running.feed, config.feed.as_ref()).await?;
        self.trusted.send_if_modified(|before| {
            let changed = *before != trusted;
            *before = trusted;
            changed
        });
        self.change_sources(&mut running.sources, &config.cap_sources).await;
        Ok(())
    }

    /// The public feed, where there is one.
    #[must_use]
    pub fn public(&self) -> Option<Public> {
        self.public.lock().clone()
    }

    /// The sources that are polled.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The certificates by which signatures of foreign documents are verified, as they change.
    #[must_use]
    pub fn trusted(&self) -> watch::Receiver<Option<Arc<Trusted>>> {
        self.trusted.subscribe()
    }

    async fn change_feed(&self, running: &mut Option<(Feed, Group)>, wanted: Option<&Feed>) -> anyhow::Result<()> {
        let before = running.as_ref().map(|(feed, _)| feed);
        if before == wanted {
            return Ok(());
        }
        let address = wanted.and_then(|feed| feed.listen);
        let same = address.is_some() && before.and_then(|feed| feed.listen) == address;
        // Another port is taken before anything ends; the same one is free only after that.
        let mut listener = match address {
            Some(address) if !same => Some(heard(address).await?),
            _ => None,
        };
        if let Some((_, group)) = running.take() {
            group.ended().await;
            *self.public.lock() = None;
        }
        let Some(feed) = wanted else { return Ok(()) };
        if let Some(address) = address.filter(|_| same) {
            listener = Some(heard(address).await?);
        }
        let Parts { engine, clock, metrics, .. } = &self.parts;
        let group = Group::new();
        let keeper = Keeper::new(self.parts.own, feed, engine.clone(), clock.clone(), metrics.clone());
        let published = keeper.published();
        *self.public.lock() = Some((keeper.url(), published.clone()));
        let kept = keeper.keep(group.end.clone());
        group.spawn(&self.parts.keeping, "feed keeper", async move { logged(kept.await) });
        if let Some(listener) = listener {
            let readers = Spawner::new(group.end.clone());
            let served = serve(listener, feed.clone(), published, engine.clone(), clock.clone(), readers.clone());
            group.spawn(&self.parts.serving, "feed listener", async move {
                logged(served.await);
                readers.ended_by(tokio::time::Instant::now() + END_WITHIN).await;
            });
        }
        *running = Some((feed.clone(), group));
        Ok(())
    }

    async fn change_sources(&self, running: &mut BTreeMap<String, (CapSource, Group)>, wanted: &[CapSource]) {
        let stays = |source: &CapSource| wanted.contains(source);
        let gone: Vec<String> =
            running.iter().filter(|(_, (source, _))| !stays(source)).map(|(name, _)| name.clone()).collect();
        for name in gone {
            if let Some((_, group)) = running.remove(&name) {
                group.ended().await;
                self.board.remove(&name);
            }
        }
        for source in wanted {
            if running.contains_key(&source.name) {
                continue;
            }
            let group = Group::new();
            if source.enabled {
                let polled = self.poller.clone().keep(source.clone(), group.end.clone());
                group.spawn(&self.parts.keeping, "source of warnings", polled);
            } else {
                self.poller.show_disabled(source);
            }
            running.insert(source.name.clone(), (source.clone(), group));
        }
    }
}

async fn heard(address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    let remedy = "give listen under [feed] another address, or \"off\"";
    TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address}; {remedy}"))
}

fn logged(ended: anyhow::Result<()>) {
    if let Err(error) = ended {
        tracing::error!(%error, "the public feed has ended");
    }
}
