//! RabbitMQ: a quorum queue at each broker, and a shovel in A that carries from the one to the other.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures_util::StreamExt as _;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::FieldTable,
};
use passerelle_node::clock::{Clock as _, SystemClock};
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
    fetch::{self, RabbitFiles},
    nats::id_of,
    server::{Server, until},
};

/// What was set, and why.
pub(super) const SETTINGS: [&str; 7] = [
    "RabbitMQ 3.10.8 on Erlang 25 from Debian 12, two brokers of one node each, unpacked and not installed",
    "a quorum queue at each: the kind of queue that is synced before it confirms (a write-ahead log, many messages to \
     one sync), as every entry of ours is",
    "a static shovel in A with `ack_mode: on_confirm` and a prefetch of 1,000: what A hands on it forgets when B has \
     confirmed it, which is B's receipt",
    "the shovel to B by TLS 1.3, both sides verified (P-256, a root of our own); callers to their own broker by plain \
     TCP on loopback, as ours use a Unix socket",
    "callers: lapin with publisher confirms and persistent messages, one connection with one channel for up to 8 callers \
     and shared beyond that, as ours; each waits for the confirm of its message before the next",
    "arrival at B: a consumer that never acknowledges, so that no acknowledgement is written to the disk",
    "log at `warning`, as ours; everything else as it comes",
];

const QUEUE: &str = "alerts";
const PATIENCE: Duration = Duration::from_secs(180);
/// The process that is the broker: what is started is a script.
const EMULATOR: &str = "beam.smp";

struct Site {
    name: &'static str,
    folder: PathBuf,
    client_port: u16,
    server: Option<Server>,
}

/// Two brokers.
pub(crate) struct RabbitMq {
    files: RabbitFiles,
    epmd_port: u16,
    sites: [Site; 2],
    tls_port: u16,
    published: u64,
    _epmd: Server,
    _folder: TempDir,
}

impl RabbitMq {
    fn site(&self, end: End) -> &Site {
        &self.sites[usize::from(end == End::B)]
    }

    fn site_mut(&mut self, end: End) -> &mut Site {
        &mut self.sites[usize::from(end == End::B)]
    }

    fn command(&self, end: End) -> anyhow::Result<Command> {
        let Site { name, folder, .. } = self.site(end);
        let mut path = self.files.bin.as_os_str().to_owned();
        if let Some(rest) = std::env::var_os("PATH") {
            path.push(":");
            path.push(rest);
        }
        let mut command = Command::new("sh");
        command
            .arg(&self.files.server)
            .env("PATH", path)
            .env("HOME", folder)
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", format!("{name}@localhost"))
            .env("RABBITMQ_DIST_PORT", free_port()?.to_string())
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", folder.join("advanced.config"))
            .env("RABBITMQ_CONF_ENV_FILE", folder.join("none"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
            .env("RABBITMQ_MNESIA_BASE", folder.join("store"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_PID_FILE", folder.join("pid"));
        Ok(command)
    }
}

impl Site {
    fn prepare(folder: &Path, name: &'static str, lines: &str) -> anyhow::Result<Self> {
        let folder = folder.join(name);
        let client_port = free_port()?;
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("plugins"), "[rabbitmq_shovel].\n")?;
        let log = folder.join("rabbit.log");
        let config = format!(
            "listeners.tcp.default = 127.0.0.1:{client_port}\nlog.file = {}\nlog.file.level = warning\n\
             log.console = true\nlog.console.level = error\n{lines}",
            log.display()
        );
        fs::write(folder.join("rabbitmq.conf"), config)?;
        Ok(Self { name, folder, client_port, server: None })
    }
}

/// Lines by which B takes connections over TLS from who can prove to be A.
fn listens(port: u16, Files { root, certificate, key }: &Files) -> String {
    format!(
        "listeners.ssl.default = 127.0.0.1:{port}\nssl_options.cacertfile = {}\nssl_options.certfile = {}\n\
         ssl_options.keyfile = {}\nssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n\
         ssl_options.versions.1 = tlsv1.3\n",
        root.display(),
        certificate.display(),
        key.display()
    )
}

/// The shovel of A.
fn shovel(client_port: u16, tls_port: u16, Files { root, certificate, key }: &Files) -> String {
    let declared = format!(
        "{{declarations, [{{'queue.declare', [{{queue, <<\"{QUEUE}\">>}}, durable, \
         {{arguments, [{{<<\"x-queue-type\">>, longstr, <<\"quorum\">>}}]}}]}}]}}"
    );
    let there = format!(
        "amqps://guest:guest@localhost:{tls_port}?cacertfile={}&certfile={}&keyfile={}&verify=verify_peer\
         &server_name_indication=localhost",
        root.display(),
        certificate.display(),
        key.display()
    );
    format!(
        "[{{rabbitmq_shovel, [{{shovels, [{{to_peer, [\n\
         {{source, [{{protocol, amqp091}}, {{uris, [\"amqp://guest:guest@127.0.0.1:{client_port}\"]}}, {declared}, \
         {{queue, <<\"{QUEUE}\">>}}, {{prefetch_count, 1000}}]}},\n\
         {{destination, [{{protocol, amqp091}}, {{uris, [\"{there}\"]}}, {declared}, \
         {{publish_properties, [{{delivery_mode, 2}}]}}, \
         {{publish_fields, [{{exchange, <<>>}}, {{routing_key, <<\"{QUEUE}\">>}}]}}]}},\n\
         {{ack_mode, on_confirm}}, {{reconnect_delay, 1}}]}}]}}]}}].\n"
    )
}

async fn connection(port: u16) -> anyhow::Result<Connection> {
    let address = format!("amqp://guest:guest@127.0.0.1:{port}/%2f");
    Ok(Connection::connect(&address, ConnectionProperties::default()).await?)
}

/// A channel to a broker, with its connection, which ends with it.
#[derive(Clone)]
struct Line {
    channel: Channel,
    _connection: std::sync::Arc<Connection>,
}

impl Line {
    async fn to(port: u16) -> anyhow::Result<Self> {
        let connection = connection(port).await?;
        let channel = connection.create_channel().await?;
        Ok(Self { channel, _connection: std::sync::Arc::new(connection) })
    }

    /// Messages that lie in the queue, ready to be read.
    async fn waiting(&self) -> anyhow::Result<u64> {
        let passive = QueueDeclareOptions { passive: true, durable: true, ..QueueDeclareOptions::default() };
        let queue = self.channel.queue_declare(QUEUE.into(), passive, FieldTable::default()).await?;
        Ok(queue.message_count().into())
    }
}

impl SetUp for RabbitMq {
    async fn start(place: &Place) -> anyhow::Result<Self> {
        let files = fetch::rabbitmq()?;
        let folder = place.folder()?;
        let [a, b] = certificates::make(&folder.path().join("tls"), ["a", "b"])?;
        let (tls_port, epmd_port) = (free_port()?, free_port()?);
        let sites =
            [Site::prepare(folder.path(), "a", "")?, Site::prepare(folder.path(), "b", &listens(tls_port, &b))?];
        fs::write(sites[0].folder.join("advanced.config"), shovel(sites[0].client_port, tls_port, &a))?;
        let mut epmd = Command::new(&files.epmd);
        epmd.args(["-port", &epmd_port.to_string(), "-address", "127.0.0.1"]);
        let epmd = Server::start(epmd, None, folder.path().join("epmd.log"))?;
        let mut rabbit = Self { files, epmd_port, sites, tls_port, published: 0, _epmd: epmd, _folder: folder };
        rabbit.start_end(End::B).await?;
        rabbit.start_end(End::A).await?;
        rabbit.joined().await?;
        Ok(rabbit)
    }
}

impl System for RabbitMq {
    const NAME: &'static str = "rabbitmq";
    type Caller = Publisher;
    type Meter = Queued;

    async fn callers(&self, count: usize) -> anyhow::Result<Vec<Publisher>> {
        let mut lines = Vec::new();
        for _ in 0..count.min(CONNECTIONS_MAX) {
            let line = Line::to(self.site(End::A).client_port).await?;
            line.channel.confirm_select(ConfirmSelectOptions::default()).await?;
            lines.push(line);
        }
        Ok(lines.iter().cycle().take(count).map(|line| Publisher(line.clone())).collect())
    }

    async fn meter(&self) -> anyhow::Result<Queued> {
        Ok(Queued(Line::to(self.site(End::B).client_port).await?))
    }

    async fn watch(&self, count: u64) -> anyhow::Result<JoinSet<anyhow::Result<Arrivals>>> {
        let line = Line::to(self.site(End::B).client_port).await?;
        let options = BasicConsumeOptions::default();
        let before = line.waiting().await?;
        let mut consumer =
            line.channel.basic_consume(QUEUE.into(), "watch".into(), options, FieldTable::default()).await?;
        for _ in 0..before {
            consumer.next().await.context("the consumer ended")??;
        }
        let mut watching = JoinSet::new();
        watching.spawn(async move {
            let _line = line;
            let mut arrivals = HashMap::new();
            while (arrivals.len() as u64) < count {
                let delivery = consumer.next().await.context("the consumer ended")??;
                arrivals.entry(id_of(&delivery.data)).or_insert_with(Instant::now);
            }
            anyhow::Ok(arrivals)
        });
        Ok(watching)
    }

    fn published(&mut self) -> &mut u64 {
        &mut self.published
    }

    async fn start_end(&mut self, end: End) -> anyhow::Result<Duration> {
        let command = self.command(end)?;
        let site = self.site_mut(end);
        let mut server = Server::start(command, Some(EMULATOR), site.folder.join("start.log"))?;
        let port = site.client_port;
        let took = until(&mut server, PATIENCE, || async {
            match Line::to(port).await?.waiting().await {
                // The shovel declares the queues; before it has, the broker itself answers that there is none.
                Err(error) if !format!("{error:#}").contains("NOT_FOUND") => Err(error),
                _ => Ok(()),
            }
        })
        .await?;
        site.server = Some(server);
        Ok(took)
    }

    async fn stop_end(&mut self, end: End) -> anyhow::Result<()> {
        self.site_mut(end).server.take().context("the broker does not run")?.stop().await
    }

    async fn kill_end(&mut self, end: End) -> anyhow::Result<()> {
        self.site_mut(end).server.take().context("the broker does not run")?.kill().await
    }

    async fn joined(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while traffic(self.tls_port)?.connections != 1 {
            anyhow::ensure!(Instant::now() < deadline, "the brokers do not find each other");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The shovel declares the queues right after it has connected.
        let line = || async { Line::to(self.site(End::B).client_port).await?.waiting().await };
        while line().await.is_err() {
            anyhow::ensure!(Instant::now() < deadline, "the shovel does not declare its queue");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    fn pid(&self, end: End) -> anyhow::Result<u32> {
        self.site(end).server.as_ref().context("the broker does not run")?.pid()
    }

    fn store(&self, end: End) -> PathBuf {
        self.site(end).folder.join("store")
    }

    fn port(&self) -> u16 {
        self.tls_port
    }
}

/// A program that publishes at A.
#[derive(Clone)]
pub(crate) struct Publisher(Line);

impl Caller for Publisher {
    async fn publish(&mut self, maker: &Maker) -> anyhow::Result<Published> {
        let bytes = maker.bytes(SystemClock::new().now())?;
        let id = id_of(&bytes);
        let persistent = BasicProperties::default().with_delivery_mode(2);
        let at = Instant::now();
        let sent =
            self.0.channel.basic_publish("".into(), QUEUE.into(), BasicPublishOptions::default(), &bytes, persistent);
        let confirmed = sent.await?.await?;
        anyhow::ensure!(matches!(confirmed, Confirmation::Ack(None)), "a message was refused");
        Ok(Published { id, at, acknowledged: Instant::now() })
    }
}

/// The queue at B: what is in it was synced.
pub(crate) struct Queued(Line);

impl Meter for Queued {
    async fn stored(&mut self) -> anyhow::Result<u64> {
        self.0.waiting().await
    }
}
