//! Keeps the public feed as the journal and the clock have it: for the server, and in the folder.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use passerelle_domain::{
    cap::atom::{self, document_name},
    digest::Digest,
    facts::Facts as _,
    ids::{EntryIndex, EnvelopeId},
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    folder::Folder,
    listing::{Contents, Listed, Listing, document},
};
use crate::{clock::Clock, config::Feed, engine, metrics::Metrics, supervise::offload};

/// How often the clock is looked at, and a failing folder tried again.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Entries that come one after the other make one feed.
const GATHER: Duration = Duration::from_millis(100);

/// What is shown to the public at one moment.
#[derive(Debug, Default)]
pub struct Published {
    pub(super) feed: Bytes,
    pub(super) etag: String,
    /// When the feed became what it is.
    pub(super) changed: Time,
    pub(super) documents: BTreeMap<EnvelopeId, Listed>,
}

impl Published {
    /// How many messages stand in the feed.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.documents.len()
    }

    /// When the feed became what it is; absent before it was first made.
    #[must_use]
    pub fn changed(&self) -> Option<Time> {
        (!self.feed.is_empty()).then_some(self.changed)
    }
}

/// A strong validator: the same bytes, the same tag.
pub(super) fn etag(bytes: &[u8]) -> String {
    let digest = Digest::of(bytes).to_string();
    format!("\"{}\"", digest.get(..32).unwrap_or_default())
}

/// Makes the feed.
pub struct Keeper {
    engine: engine::Handle,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    feed: atom::Feed,
    folder: Option<Folder>,
    listing: Listing,
    /// Entries of the journal that were read; none before the stock was taken.
    read: Option<u64>,
    contents: Contents,
    folder_is_due: bool,
    published: watch::Sender<Arc<Published>>,
}

impl Keeper {
    /// A keeper of the feed of `own`.
    #[must_use]
    pub fn new(own: Society, config: &Feed, engine: engine::Handle, clock: Arc<dyn Clock>, metrics: Metrics) -> Self {
        let name = own.member().map_or(own.code(), |member| member.name);
        let title = config.title.clone().unwrap_or_else(|| format!("{name}: alerts"));
        let feed = atom::Feed { society: own, title, base_url: config.base_url.clone(), begun: Time::default() };
        Self {
            engine,
            clock,
            metrics,
            feed,
            folder: config.folder.clone().map(Folder::new),
            listing: Listing::new(own, config.linger),
            read: None,
            contents: Contents::default(),
            folder_is_due: false,
            published: watch::channel(Arc::default()).0,
        }
    }

    /// Where the public reaches the feed.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/{}", self.feed.base_url, atom::FEED_NAME)
    }

    /// What is shown, as it changes.
    #[must_use]
    pub fn published(&self) -> watch::Receiver<Arc<Published>> {
        self.published.subscribe()
    }

    /// Keeps the feed until `end`.
    ///
    /// # Errors
    /// When a task of it was lost.
    pub async fn keep(mut self, end: CancellationToken) -> anyhow::Result<()> {
        let mut durable = self.engine.durable();
        loop {
            let (entries, now) = (durable.borrow_and_update().entries, self.clock.now());
            let work = offload(move || {
                let outcome = self.refresh(entries, now);
                (self, outcome)
            });
            let (keeper, outcome) = work.await.context("the feed could not be made")?;
            self = keeper;
            if let Err(refusal) = outcome {
                tracing::warn!(code = %refusal.code, reason = %refusal.message, "the public feed is not up to date");
            }
            let next = self.contents.until.map_or(LOOK_EVERY, |until| until.since(self.clock.now()).min(LOOK_EVERY));
            tokio::select! {
                biased;
                () = end.cancelled() => return Ok(()),
                () = tokio::time::sleep(next.max(GATHER)) => {}
                changed = durable.changed() => match changed {
                    Ok(()) => tokio::time::sleep(GATHER).await,
                    // The engine has ended, and so does the node.
                    Err(_) => end.cancelled().await,
                },
            }
        }
    }

    /// Reads the journal up to `entries`, and makes the feed anew where that or the clock changes it.
    fn refresh(&mut self, entries: u64, now: Time) -> Result<(), Refusal> {
        let engine = self.engine.clone();
        let view = engine.view();
        let mut due = self.contents.until.is_some_and(|until| until <= now);
        match self.read {
            None => {
                self.listing.take_stock(&**engine.store(), now)?;
                self.feed.begun = view.entry(EntryIndex(0))?.map(|entry| entry.time).unwrap_or_default();
                due = true;
            }
            Some(read) => {
                for index in read..entries {
                    due |= self.listing.follow(&view, EntryIndex(index))?;
                }
            }
        }
        self.read = Some(entries);
        if due {
            self.contents = self.listing.contents(&view, now)?;
            self.publish(now);
            self.folder_is_due = self.folder.is_some();
        }
        if self.folder_is_due
            && let Some(folder) = &self.folder
        {
            let name = |id: &EnvelopeId, listed: &Listed| Ok((document_name(*id), document(&view, listed)?));
            let documents: Vec<(String, Vec<u8>)> =
                self.contents.documents.iter().map(|(id, listed)| name(id, listed)).collect::<Result<_, Refusal>>()?;
            let feed = self.published.borrow().feed.clone();
            folder.bring_up(&feed, &documents).map_err(|fault| {
                Refusal::new(Code::StoreFailed, format!("the folder of the feed cannot be written: {fault}"))
            })?;
            self.folder_is_due = false;
        }
        Ok(())
    }

    fn publish(&self, now: Time) {
        let feed = atom::write(&self.feed, &self.contents.entries);
        self.metrics.public_feed(self.contents.entries.len());
        self.published.send_modify(|published| {
            let changed = if published.feed == feed { published.changed } else { now };
            let (etag, documents) = (etag(&feed), self.contents.documents.clone());
            *published = Arc::new(Published { feed: feed.into(), etag, changed, documents });
        });
    }
}
