//! Callers that hand alerts to A, as fast as it answers or at a steady pace.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use passerelle_node::clock::{Clock as _, SystemClock};
use passerelle_proto::v1::{RaiseAlertResponse, alert_service_client::AlertServiceClient};
use tokio::task::JoinSet;
use tonic::{Code, transport::Channel};

use super::{
    alerts::Maker,
    system::{Caller as _, Meter as _, Published, System},
};

/// Connections that the callers share: a program has one, and there are not hundreds of programs.
pub(super) const CONNECTIONS_MAX: usize = 8;
/// Wait of a caller that was told `busy`.
const BUSY_WAIT: Duration = Duration::from_millis(2);
/// How often the progress of the link is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The same when many nodes are to be looked at, which costs A something.
const LOOK_AT_MANY_EVERY: Duration = Duration::from_millis(100);
/// How long nothing may arrive before the measurement is given up.
const STALLED: Duration = Duration::from_secs(90);

/// Raises one alert at a node of ours, again when it is busy.
pub(crate) async fn raise(
    client: &mut AlertServiceClient<Channel>,
    maker: &Maker,
) -> anyhow::Result<RaiseAlertResponse> {
    raise_at(client, maker).await.map(|(answer, _)| answer)
}

/// The same, and when it was sent.
pub(super) async fn raise_at(
    client: &mut AlertServiceClient<Channel>,
    maker: &Maker,
) -> anyhow::Result<(RaiseAlertResponse, Instant)> {
    loop {
        let request = maker.request(SystemClock::new().now());
        let at = Instant::now();
        match client.raise_alert(request).await {
            Ok(answer) => return Ok((answer.into_inner(), at)),
            Err(status) if matches!(status.code(), Code::ResourceExhausted | Code::Unavailable) => {
                tokio::time::sleep(BUSY_WAIT).await;
            }
            Err(status) => return Err(status).context("an alert was refused"),
        }
    }
}

/// `callers` hand over `count` alerts between them, each the next as soon as it has its answer. Returns when
/// every one is acknowledged, which it is once durable at A.
pub(crate) async fn raise_all<S: System>(
    system: &mut S,
    maker: &Maker,
    callers: usize,
    count: u64,
) -> anyhow::Result<()> {
    let left = Arc::new(AtomicU64::new(count));
    let mut tasks = JoinSet::new();
    for mut caller in system.callers(callers).await? {
        let (left, maker) = (Arc::clone(&left), maker.clone());
        tasks.spawn(async move {
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                caller.publish(&maker).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    *system.published() += count;
    Ok(())
}

/// Waits until every alert is durable at B, so far as B or A tells of it.
pub(super) async fn stored<S: System>(system: &mut S) -> anyhow::Result<()> {
    let all = *system.published() * system.receivers();
    let every = if system.receivers() > 10 { LOOK_AT_MANY_EVERY } else { LOOK_EVERY };
    let mut meter = system.meter().await?;
    let mut last = (0, Instant::now());
    loop {
        let stored = meter.stored().await?;
        if stored >= all {
            return Ok(());
        }
        if stored != last.0 {
            last = (stored, Instant::now());
        }
        anyhow::ensure!(last.1.elapsed() < STALLED, "nothing arrives any more, at {stored} of {all}");
        tokio::time::sleep(every).await;
    }
}

/// Waits until more than `before` alerts are durable at B, and tells how many they are then.
pub(super) async fn more_than<S: System>(system: &S, before: u64) -> anyhow::Result<u64> {
    let mut meter = system.meter().await?;
    let started = Instant::now();
    loop {
        let stored = meter.stored().await?;
        if stored > before {
            return Ok(stored);
        }
        anyhow::ensure!(started.elapsed() < STALLED, "nothing arrives");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Hands over `count` alerts, `a_second` of them, whether or not the ones before have been answered.
pub(super) async fn raise_steadily<S: System>(
    system: &mut S,
    maker: &Maker,
    a_second: u32,
    count: u64,
) -> anyhow::Result<Vec<Published>> {
    let [caller] = <[_; 1]>::try_from(system.callers(1).await?).map_err(|_| anyhow::anyhow!("one was asked for"))?;
    let mut pace = tokio::time::interval(Duration::from_secs(1) / a_second);
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        pace.tick().await;
        let (mut caller, maker) = (caller.clone(), maker.clone());
        tasks.spawn(async move { caller.publish(&maker).await });
    }
    let mut published = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        published.push(ended??);
    }
    *system.published() += count;
    Ok(published)
}
