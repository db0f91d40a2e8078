//! What is looked at while a line is measured: when alerts arrive at a node, how its link is, what its kernel has sent
//! twice. Reads from the operators' sockets and from `ss`.

use std::{
    collections::HashMap,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use passerelle_proto::v1::{
    self, WatchRequest, alert_service_client::AlertServiceClient, peer_service_client::PeerServiceClient,
    watch_service_client::WatchServiceClient,
};
use tokio::{sync::mpsc, task::JoinSet};
use tonic::transport::Channel;

use crate::bench::{alerts::Maker, load::raise, nodes::BenchNode};

/// How often the state of a link is asked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// When alerts became durable at a node.
pub(super) struct Arrivals {
    events: mpsc::UnboundedReceiver<(String, Instant)>,
    seen: HashMap<String, Instant>,
    _watcher: JoinSet<()>,
}

impl Arrivals {
    /// Watches a node from now on.
    pub(super) async fn at(node: &BenchNode) -> anyhow::Result<Self> {
        let mut client = WatchServiceClient::new(node.channel().await?);
        let request = WatchRequest { from_position: None, topics: vec!["alert".to_owned()], until_now: false };
        let mut stream = client.watch(request).await?.into_inner();
        let (told, events) = mpsc::unbounded_channel();
        let mut watcher = JoinSet::new();
        watcher.spawn(async move {
            while let Ok(Some(event)) = stream.message().await {
                if !event.id.is_empty() && told.send((event.id, Instant::now())).is_err() {
                    return;
                }
            }
        });
        Ok(Self { events, seen: HashMap::new(), _watcher: watcher })
    }

    /// When this alert arrived; waits for it.
    pub(super) async fn of(&mut self, id: &str, patience: Duration) -> anyhow::Result<Instant> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            if let Some(at) = self.seen.get(id) {
                return Ok(*at);
            }
            self.next(deadline).await.with_context(|| format!("an alert has not arrived within {patience:?}"))?;
        }
    }

    /// Waits until so many alerts have arrived since the watch began; when the last of them did.
    pub(super) async fn count(&mut self, count: usize, patience: Duration) -> anyhow::Result<Instant> {
        let deadline = tokio::time::Instant::now() + patience;
        let mut last = Instant::now();
        while self.seen.len() < count {
            let so_far = self.seen.len();
            last = self.next(deadline).await.with_context(|| format!("{so_far} of {count} alerts arrived"))?;
        }
        Ok(last)
    }

    /// How many alerts have arrived.
    pub(super) fn so_far(&mut self) -> usize {
        while let Ok((id, at)) = self.events.try_recv() {
            self.seen.entry(id).or_insert(at);
        }
        self.seen.len()
    }

    /// The instants at which anything arrived, in order.
    pub(super) fn instants(&mut self) -> Vec<Instant> {
        self.so_far();
        let mut all: Vec<Instant> = self.seen.values().copied().collect();
        all.sort_unstable();
        all
    }

    async fn next(&mut self, deadline: tokio::time::Instant) -> anyhow::Result<Instant> {
        let (id, at) = tokio::time::timeout_at(deadline, self.events.recv()).await?.context("the watch ended")?;
        self.seen.entry(id).or_insert(at);
        Ok(at)
    }
}

/// Raises one alert: its id, and when the caller raised it.
pub(super) async fn raise_one(node: &BenchNode, maker: &Maker) -> anyhow::Result<(String, Instant)> {
    let mut client = AlertServiceClient::new(node.channel().await?);
    raise_at(&mut client, maker).await
}

/// The same over a connection that is there.
pub(super) async fn raise_at(
    client: &mut AlertServiceClient<Channel>,
    maker: &Maker,
) -> anyhow::Result<(String, Instant)> {
    let at = Instant::now();
    Ok((raise(client, maker).await?.id, at))
}

/// Waits until a node says that its link is up, or that it is not; when it did.
pub(super) async fn until_link(node: &BenchNode, up: bool, patience: Duration) -> anyhow::Result<Instant> {
    let mut peers = PeerServiceClient::new(node.channel().await?);
    let deadline = Instant::now() + patience;
    loop {
        let answer = peers.list_peers(v1::ListPeersRequest {}).await?.into_inner();
        if answer.peers.iter().any(|peer| peer.link == "up") == up {
            return Ok(Instant::now());
        }
        anyhow::ensure!(Instant::now() < deadline, "the link is not as it should be after {patience:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Introduces `other` to a running node, as two people do who compare the words.
pub(super) async fn introduce(node: &BenchNode, other: &BenchNode) -> anyhow::Result<()> {
    let request = v1::GetBundleRequest { society: String::new() };
    let answer = PeerServiceClient::new(other.channel().await?).get_bundle(request).await?.into_inner();
    let request = v1::AddPeerRequest { bundle: answer.bundle, fingerprint_words: answer.fingerprint_words };
    PeerServiceClient::new(node.channel().await?).add_peer(request).await?;
    Ok(())
}

/// Bytes that the kernel of a namespace has sent again, over its connections that are up.
pub(super) fn resent_by_kernel(netns: &str) -> anyhow::Result<u64> {
    let output = Command::new("ss").args(["-N", netns, "-tinHO", "state", "established"]).output()?;
    anyhow::ensure!(output.status.success(), "ss failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(resent(&String::from_utf8_lossy(&output.stdout)))
}

fn resent(output: &str) -> u64 {
    let counters = output.split_whitespace().filter_map(|word| word.strip_prefix("bytes_retrans:"));
    counters.filter_map(|number| number.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_again_is_summed_over_connections() {
        let lines = "0 0 10.77.0.1:40976 10.77.0.2:7443 bbr bytes_sent:1000 bytes_retrans:5 bytes_acked:1000\n\
            0 0 10.77.0.1:40978 10.77.0.2:7443 bbr bytes_sent:10\n0 0 10.77.0.1:2 10.77.0.2:3 bytes_retrans:70\n";
        assert_eq!(resent(lines), 75);
        assert_eq!(resent(""), 0);
    }
}
