//! The configuration of a node: a TOML file, overridden key by key by the environment, read once at
//! the start into types that cannot be wrong. Reads that one file; resolves no name, opens no socket.
//!
//! `config/node.reference.toml` names every key with its default, unit and reason; a test keeps it so.
//! `PASSERELLE_<SECTION>__<KEY>` overrides a key of a section (`PASSERELLE_LINK__LISTEN=off`),
//! `PASSERELLE_<KEY>` one above the sections (`PASSERELLE_DATA_DIR`). Lists are separated by commas.
//! Peers and operators stand in the file only.

mod fault;
mod feeds;
mod read;
mod reader;
mod retention;
mod starting;
mod value;

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use passerelle_domain::{
    catalogue::Role,
    limits::CONFIG_BYTES_MAX,
    retention::{Periods, Transfer},
    society::Society,
};

pub use fault::{ConfigFaults, Fault, Place};
pub use feeds::{Cap, CapSource, Feed};
pub use starting::{Starting, starting_config};
pub use value::{Address, User};

/// Everything that a node is told from outside. Paths are absolute or relative to the working directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The Society whose node this is. `society`, required: it decides whose roots and keys are the node's own.
    pub society: Society,
    /// The number of this Society that its cards show. `hotline` under `[card]`.
    pub card_hotline: Option<String>,
    /// Where journal, objects and vault stand. `data_dir`, default `/var/lib/passerelle`.
    pub data_dir: PathBuf,
    /// Section `[store]`.
    pub store: Store,
    /// Section `[trust]`.
    pub trust: Trust,
    /// Section `[link]`.
    pub link: Link,
    /// The tables `[[peers]]`, by Society. A Society that is not listed cannot connect.
    pub peers: BTreeMap<Society, Peer>,
    /// Section `[retention]`.
    pub retention: Retention,
    /// The tables `[[transfer_basis]]`. Without one for a pair of countries no case goes from the one to the other.
    pub transfers: Vec<Transfer>,
    /// Section `[operator]`.
    pub operator: OperatorInterface,
    /// The tables `[[operators]]`. Whoever is not listed may do nothing.
    pub operators: Vec<Operator>,
    /// The tables `[[duty]]`, in the order in which the posts are called. None: nobody is called, and the alarm in
    /// the status is all.
    pub duty: Vec<Duty>,
    /// Section `[feed]`; none while the node shows nothing to the public.
    pub feed: Option<Feed>,
    /// Section `[cap]`.
    pub cap: Cap,
    /// The tables `[[cap_sources]]`. None: nobody's warnings are polled.
    pub cap_sources: Vec<CapSource>,
    /// Section `[log]`.
    pub log: Log,
    /// Section `[metrics]`.
    pub metrics: Metrics,
}

/// The store of journal and views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Leaves that the store keeps in memory, MiB, 4 to 4096. `cache_mib`, default 8, the store's own: to this come
    /// about 8 MiB of leaves on their way out, a segment of 8 MiB that is being written, and about 400 bytes for each
    /// leaf on the disk, and a node is meant to fit into 64 MB under load.
    pub cache_mib: u64,
    /// Whether a store of moderate size is made anew at the start of the node when something was erased since the last
    /// time, so that no byte of it stays in the store's log. `compact_at_start`, default true.
    pub compact_at_start: bool,
}

/// The node's own keys and certificates, and those of its peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Folder of keys, certificates and bundles. `dir`, default `<data_dir>/trust`; elsewhere when keys live on
    /// another medium than the data, so that one stolen disk does not hold both.
    pub dir: PathBuf,
}

/// The link to the peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where peers may dial in; `None` for a node that only dials out. `listen`, default `0.0.0.0:7443`.
    pub listen: Option<SocketAddr>,
    /// Where peers can reach this node, for the bundle they are given. `advertise`, default none: behind NAT or a
    /// satellite modem there is nothing to say, and the node dials.
    pub advertise: Vec<Address>,
}

/// A peer: another Society's node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where to dial it, in this order. `addresses`, default none: then only the peer dials.
    pub addresses: Vec<Address>,
    /// Whether alerts are exchanged. `alerts`, default true.
    pub alerts: bool,
    /// Whether handovers are exchanged. `handovers`, default true.
    pub handovers: bool,
    /// Whether our packages for it stay here, where it reads them over the link. `hold_at_origin`, default false.
    pub hold_at_origin: bool,
    /// Whether the peer is suspended. `suspended`, default false: alerts still go both ways, handovers do not.
    pub suspended: bool,
}

impl Peer {
    /// Whether a case may be handed over to or taken from this peer now.
    #[must_use]
    pub fn exchanges_handovers(&self) -> bool {
        self.handovers && !self.suspended
    }
}

/// How long things are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The periods, by rule.
    pub periods: Periods,
    /// How often the node looks for what is due. `sweep_every`, default 1 hour, 1 minute to 1 day.
    pub sweep_every: Duration,
}

/// The interface for operators. Never on the peer port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorInterface {
    /// The Unix socket; the kernel says who is at its other end. `socket`, default `<data_dir>/operator.sock`.
    pub socket: PathBuf,
    /// Its permissions. `socket_mode`, default `"0660"`: the node's user and group; others are never let in.
    pub socket_mode: u32,
    /// Where operators with a certificate of the Society connect over TLS, if at all. `tcp_listen`, default `off`.
    pub tcp_listen: Option<SocketAddr>,
}

/// Who an operator is, as the kernel or a handshake proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A user of the machine, at the Unix socket. `user`.
    User(User),
    /// The name in an operator certificate of the own Society, over TLS. `certificate`.
    Certificate(String),
}

/// An operator: a person or program of the own Society.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Who it is: exactly one of `user` and `certificate`.
    pub identity: Identity,
    /// What it may do. `roles`, at least one, none twice.
    pub roles: Vec<Role>,
    /// Whether it is a program. What a person alone may do is refused to it: to offer, answer or
    /// release the case of a minor, to approve, to override.
    /// `automation`, default false.
    pub automation: bool,
}

/// A post on duty, called when nobody here has acknowledged an alert by the time that its origin asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// What it is called in the journal. `post`, required, each once; a post, never a person.
    pub post: String,
    /// The program that calls it and its arguments, without a shell. `hook`, default none: then the call only stands in
    /// the journal and among the events.
    pub hook: Vec<String>,
    /// How long an answer is waited for before the next post is called. `wait_minutes`, 1 to 1440, default 15.
    pub wait: Duration,
}

/// The log, on standard error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// `format`, default `human`.
    pub format: LogFormat,
    /// `level`, default `info`. The variable `RUST_LOG` overrides it.
    pub level: LogLevel,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line, for programs.
    Json,
}

/// From which weight on something is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the usual five")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        })
    }
}

/// The figures for a monitoring system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Where `/metrics` and `/healthz` are served over plain HTTP, if at all. `listen`, default `127.0.0.1:9464`:
    /// there is no authentication, so not beyond this machine unless the network between is trusted.
    pub listen: Option<SocketAddr>,
}

impl Config {
    /// Refuses a data folder that does not exist: `passerelle-node init` makes it, and a command that looks at data makes
    /// none.
    ///
    /// # Errors
    /// Says which folder is missing, and what to do.
    pub fn check_data_folder(&self) -> anyhow::Result<()> {
        let folder = &self.data_dir;
        anyhow::ensure!(
            folder.is_dir(),
            "the data folder {} does not exist; make it with passerelle-node init, or correct `data_dir`",
            folder.display()
        );
        Ok(())
    }

    /// Reads the configuration `file`, with `environment` over it (only variables that begin with `PASSERELLE_`
    /// are looked at).
    ///
    /// # Errors
    /// Everything that is wrong, at once, each with its line and its remedy.
    pub fn load(file: &Path, environment: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigFaults> {
        let unreadable = |what: String, remedy: &str| {
            ConfigFaults::new(file.to_owned(), vec![Fault::new(Place::File, what, remedy)])
        };
        let bytes = std::fs::read(file).map_err(|fault| {
            let what = format!("cannot be read: {fault}");
            unreadable(what, "Check the path and its permissions; `passerelle-node init` writes a first configuration.")
        })?;
        if bytes.len() > CONFIG_BYTES_MAX {
            let what = format!("is larger than {CONFIG_BYTES_MAX} bytes");
            return Err(unreadable(what, "Give the configuration file; this one is something else."));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| unreadable("is not UTF-8 text".to_owned(), "Save it as UTF-8 in a plain text editor."))?;
        Self::parse(file, &text, environment)
    }

    /// The same from `text`; `file` only gives relative paths their base and faults their name.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(
        file: &Path,
        text: &str,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigFaults> {
        read::read(file, text, environment).0
    }

    /// The configured peer of this Society.
    #[must_use]
    pub fn peer(&self, society: Society) -> Option<&Peer> {
        self.peers.get(&society)
    }
}

#[cfg(test)]
mod tests;
