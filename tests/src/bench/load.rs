//! Callers that raise alerts at a node, as fast as it answers or at a steady pace.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use passerelle_node::clock::{Clock as _, SystemClock};
use passerelle_proto::v1::{
    RaiseAlertResponse, alert_service_client::AlertServiceClient, peer_service_client::PeerServiceClient,
};
use tokio::task::JoinSet;
use tonic::{Code, transport::Channel};

use super::{
    alerts::Maker,
    nodes::{Pair, progress},
};

/// Connections that the callers share: a program has one, and there are not hundreds of programs.
const CONNECTIONS_MAX: usize = 8;
/// How often the progress of the link is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long nothing may arrive before the measurement is given up.
const STALLED: Duration = Duration::from_secs(60);
/// Wait of a caller that was told `busy`.
const BUSY_WAIT: Duration = Duration::from_millis(2);

/// Raises one alert, again when the node is busy.
pub(crate) async fn raise(
    client: &mut AlertServiceClient<Channel>,
    maker: &Maker,
) -> anyhow::Result<RaiseAlertResponse> {
    loop {
        let request = maker.request(SystemClock::new().now());
        match client.raise_alert(request).await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) if matches!(status.code(), Code::ResourceExhausted | Code::Unavailable) => {
                tokio::time::sleep(BUSY_WAIT).await;
            }
            Err(status) => return Err(status).context("an alert was refused"),
        }
    }
}

/// `callers` raise `count` alerts between them, each the next as soon as it has its answer. Returns when
/// every one is acknowledged, which it is once durable at A.
pub(crate) async fn raise_all(pair: &mut Pair, maker: &Maker, callers: usize, count: u64) -> anyhow::Result<()> {
    let mut channels = Vec::new();
    for _ in 0..callers.min(CONNECTIONS_MAX) {
        channels.push(pair.a.channel().await?);
    }
    let left = Arc::new(AtomicU64::new(count));
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let mut client = AlertServiceClient::new(channels[caller % channels.len()].clone());
        let (left, maker) = (Arc::clone(&left), maker.clone());
        tasks.spawn(async move {
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                raise(&mut client, &maker).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    pair.raised += count;
    Ok(())
}

/// Waits until the peer has receipted everything that was queued for it.
pub(super) async fn receipted(pair: &Pair) -> anyhow::Result<()> {
    let mut peers = PeerServiceClient::new(pair.a.channel().await?);
    let mut last = (progress(&mut peers).await?, Instant::now());
    loop {
        let now = progress(&mut peers).await?;
        anyhow::ensure!(now.queued >= pair.raised, "{} alerts were raised, {} queued", pair.raised, now.queued);
        if now.receipted == now.queued {
            return Ok(());
        }
        if now != last.0 {
            last = (now, Instant::now());
        }
        anyhow::ensure!(last.1.elapsed() < STALLED, "the link stands still at {} of {}", now.receipted, now.queued);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// One alert of a steady pace.
#[derive(Clone, Debug)]
pub(super) struct Raised {
    pub(super) id: String,
    /// When the caller raised it.
    pub(super) at: Instant,
    /// When the node had acknowledged it.
    pub(super) acknowledged: Instant,
}

/// Raises `count` alerts, `a_second` of them, whether or not the ones before have been answered.
pub(super) async fn raise_steadily(
    pair: &mut Pair,
    maker: &Maker,
    a_second: u32,
    count: u64,
) -> anyhow::Result<Vec<Raised>> {
    let client = AlertServiceClient::new(pair.a.channel().await?);
    let mut pace = tokio::time::interval(Duration::from_secs(1) / a_second);
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        pace.tick().await;
        let (mut client, maker) = (client.clone(), maker.clone());
        tasks.spawn(async move {
            let request = maker.request(SystemClock::new().now());
            let at = Instant::now();
            let answer = client.raise_alert(request).await.context("an alert was refused")?.into_inner();
            anyhow::Ok(Raised { id: answer.id, at, acknowledged: Instant::now() })
        });
    }
    let mut raised = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        raised.push(ended??);
    }
    pair.raised += count;
    Ok(raised)
}
