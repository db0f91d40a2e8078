//! A network of nodes on virtual time, for the production link to run over: connections, dials, resets, and hosts that
//! vanish. It counts segments and not bytes, since what TLS makes of the same text is never twice the same. Touches nothing
//! outside memory.

pub mod dials;
pub mod paths;
mod stream;

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture};
use parking_lot::Mutex;
use passerelle_node::trust::{ByteStream, Connected, Listening, Network};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::UnboundedReceiverStream;

use paths::{Millis, Paths, USER_TIMEOUT, span};
use stream::{Arriving, Connection, End, SimStream};

/// The port of every node.
pub const PORT: u16 = 7443;
/// How long a dial tries; the node's own limit is shorter.
const DIAL_MAX: Millis = 30_000;

/// The address of a node.
#[must_use]
pub fn address(node: usize) -> SocketAddr {
    let host = u8::try_from(node + 1).unwrap_or(u8::MAX);
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 7, 0, host)), PORT)
}

/// What has happened on the network, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections established: each is a handshake.
    pub connections: u64,
}

/// One host.
#[derive(Default)]
struct Host {
    /// Which life of its node may use it.
    life: u64,
    /// Whether the machine has power; a machine without a node refuses a dial, one without power says nothing.
    off: bool,
    port: Option<mpsc::UnboundedSender<Connected>>,
}

/// The whole network.
pub struct Fabric {
    began: Instant,
    hosts: Vec<Host>,
    connections: BTreeMap<u64, Connection>,
    next: u64,
    /// The paths between hosts.
    pub paths: Paths,
    /// What has happened.
    pub counts: Counts,
    /// How often those were dialled that refused.
    pub(in crate::sim) dials: dials::Dials,
}

/// The network as one life of a node sees it.
#[derive(Clone)]
pub struct SimNetwork {
    fabric: Arc<Mutex<Fabric>>,
    host: usize,
    life: u64,
}

impl Fabric {
    /// A network of so many hosts, none of which runs a node.
    #[must_use]
    pub fn new(seed: u64, nodes: usize) -> Arc<Mutex<Self>> {
        // The last machine is that of somebody who is no node.
        let hosts = (0..=nodes).map(|_| Host { off: true, ..Host::default() }).collect();
        Arc::new(Mutex::new(Self {
            began: Instant::now(),
            hosts,
            connections: BTreeMap::new(),
            next: 0,
            paths: Paths::of(seed, nodes),
            counts: Counts::default(),
            dials: dials::Dials::default(),
        }))
    }

    /// Virtual time since the network began.
    #[must_use]
    pub fn now(&self) -> Millis {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The machine of a host goes on, for a new life of its node.
    pub fn power_on(&mut self, host: usize, life: u64) {
        self.hosts[host] = Host { life, off: false, port: None };
    }

    /// The node of a host is gone. Its connections are too; the other ends hear of it when the machine stays on, and
    /// else when they next say something and the machine is back.
    pub fn node_gone(&mut self, host: usize, power_off: bool) {
        let gone = &mut self.hosts[host];
        (gone.off, gone.port) = (power_off, None);
        gone.life += 1;
        let now = self.now();
        let numbers: Vec<u64> = self.connections.keys().copied().collect();
        for number in numbers {
            let Some(connection) = self.connections.get_mut(&number) else { continue };
            let Some(side) = connection.nodes.iter().position(|node| *node == host) else { continue };
            connection.ends[side].gone = true;
            connection.break_end(side, io::ErrorKind::ConnectionAborted);
            if !power_off {
                self.tell_reset(number, side, now);
            }
        }
    }

    /// How many connections between two hosts neither end has let go.
    #[must_use]
    pub fn joined(&self, one: usize, other: usize) -> usize {
        let between = |connection: &&Connection| connection.nodes == [one, other] || connection.nodes == [other, one];
        self.connections.values().filter(between).filter(|it| it.ends.iter().all(|end| !end.gone)).count()
    }

    /// How many connections between two hosts both of them have used and could still use: a greeting that is lost again and
    /// again makes no session.
    #[must_use]
    pub fn usable(&self, one: usize, other: usize) -> usize {
        let is_used = |end: &End| !end.gone && end.given_up.is_none() && end.heard;
        let usable = |it: &&Connection| !it.black_hole && it.ends.iter().all(is_used);
        self.between(one, other).iter().filter_map(|number| self.connections.get(number)).filter(usable).count()
    }

    /// Resets every connection between two hosts, as a box in between does; both ends hear of it.
    pub fn reset(&mut self, one: usize, other: usize) {
        for number in self.between(one, other) {
            if let Some(connection) = self.connections.get_mut(&number) {
                connection.break_end(0, io::ErrorKind::ConnectionReset);
                connection.break_end(1, io::ErrorKind::ConnectionReset);
            }
        }
    }

    /// Loses every connection between two hosts, as a translator of addresses does that was restarted: nobody is told.
    pub fn lose(&mut self, one: usize, other: usize) {
        for number in self.between(one, other) {
            if let Some(connection) = self.connections.get_mut(&number) {
                connection.black_hole = true;
            }
        }
    }

    fn between(&self, one: usize, other: usize) -> Vec<u64> {
        let between = |nodes: [usize; 2]| nodes == [one, other] || nodes == [other, one];
        self.connections.iter().filter(|(_, it)| between(it.nodes)).map(|(number, _)| *number).collect()
    }

    fn send(&mut self, number: u64, side: usize, bytes: &[u8]) -> io::Result<()> {
        let now = self.now();
        let Some(connection) = self.connections.get_mut(&number) else {
            return Err(io::ErrorKind::ConnectionReset.into());
        };
        let (from, to) = (connection.nodes[side], connection.nodes[1 - side]);
        if connection.ends[side].gone || connection.ends[side].given_up.is_some_and(|at| at <= now) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut fate = self.paths.send(from, to, now);
        let nobody = connection.black_hole || self.hosts[to].off;
        if nobody {
            fate = paths::Fate { arrives: None, given_up: Some(now + USER_TIMEOUT) };
        } else if connection.ends[1 - side].gone {
            // Whoever is there knows nothing of this connection and says so.
            if let Some(arrives) = fate.arrives {
                connection.arrive(side, self.paths.answered(from, to, arrives), Arriving::Reset);
            }
            fate.arrives = None;
        }
        if let Some(at) = fate.given_up {
            let given_up = &mut connection.ends[side].given_up;
            *given_up = Some(given_up.map_or(at, |earlier| earlier.min(at)));
            connection.wake(side);
        }
        if let Some(at) = fate.arrives {
            connection.arrive(1 - side, at, Arriving::Bytes(bytes.iter().copied().collect()));
        }
        Ok(())
    }

    /// An end sends nothing more; `gone` when it also reads nothing more.
    fn finish(&mut self, number: u64, side: usize, gone: bool) {
        let now = self.now();
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let (from, to) = (connection.nodes[side], connection.nodes[1 - side]);
        let reachable = !connection.black_hole && !connection.ends[side].gone && !self.hosts[to].off;
        if reachable && let Some(at) = self.paths.send(from, to, now).arrives {
            connection.arrive(1 - side, at, Arriving::End);
        }
        if gone {
            connection.ends[side].gone = true;
            if connection.ends[1 - side].gone {
                self.connections.remove(&number);
            }
        }
    }

    fn tell_reset(&mut self, number: u64, side: usize, now: Millis) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let (from, to) = (connection.nodes[side], connection.nodes[1 - side]);
        if !connection.black_hole
            && let Some(at) = self.paths.send(from, to, now).arrives
        {
            connection.arrive(1 - side, at, Arriving::Reset);
        }
    }
}

impl SimNetwork {
    /// The network for one life of the node of a host.
    #[must_use]
    pub fn new(fabric: Arc<Mutex<Fabric>>, host: usize, life: u64) -> Self {
        Self { fabric, host, life }
    }

    async fn dial_host(self, to: usize) -> io::Result<Connected> {
        let from = self.host;
        let (now, answered) = {
            let mut fabric = self.fabric.lock();
            let now = fabric.now();
            (now, fabric.paths.dial(from, to, now, now + DIAL_MAX))
        };
        let Some(answered) = answered else {
            tokio::time::sleep(span(DIAL_MAX)).await;
            return Err(io::ErrorKind::TimedOut.into());
        };
        tokio::time::sleep(span(answered.saturating_sub(now))).await;
        if self.fabric.lock().hosts.get(to).is_none_or(|host| host.off) {
            tokio::time::sleep(span(DIAL_MAX)).await;
            return Err(io::ErrorKind::TimedOut.into());
        }
        let mut fabric = self.fabric.lock();
        if fabric.hosts[from].life != self.life {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let Some(port) = fabric.hosts[to].port.clone() else {
            let now = fabric.now();
            fabric.dials.refused(from, to, now);
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let number = fabric.next;
        fabric.next += 1;
        let ends = [End::default(), End::default()];
        fabric.connections.insert(number, Connection { nodes: [from, to], ends, black_hole: false });
        drop(fabric);
        let end =
            |side| Box::pin(SimStream::new(self.fabric.clone(), number, side)) as std::pin::Pin<Box<dyn ByteStream>>;
        let (ours, theirs) = (end(0), end(1));
        if port.send((theirs, address(from))).is_err() {
            let mut fabric = self.fabric.lock();
            let now = fabric.now();
            fabric.dials.refused(from, to, now);
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        {
            let mut fabric = self.fabric.lock();
            fabric.counts.connections += 1;
            fabric.dials.connected(from, to);
        }
        Ok((ours, address(to)))
    }
}

impl Network for SimNetwork {
    fn dial(&self, host: String, _: u16) -> BoxFuture<'static, io::Result<Connected>> {
        let hosts = self.fabric.lock().hosts.len();
        let found = (0..hosts).find(|node| address(*node).ip().to_string() == host);
        match found {
            Some(to) => self.clone().dial_host(to).boxed(),
            None => std::future::ready(Err(io::ErrorKind::NotFound.into())).boxed(),
        }
    }

    fn listen(&self, asked: SocketAddr) -> BoxFuture<'static, io::Result<Listening>> {
        let mut fabric = self.fabric.lock();
        let host = &mut fabric.hosts[self.host];
        if host.life != self.life || asked != address(self.host) {
            return std::future::ready(Err(io::ErrorKind::AddrNotAvailable.into())).boxed();
        }
        let (port, dialled) = mpsc::unbounded_channel();
        host.port = Some(port);
        let connections = UnboundedReceiverStream::new(dialled).map(Ok).boxed();
        std::future::ready(Ok(Listening { address: asked, connections })).boxed()
    }
}
