//! Two real nodes, killed without warning while alerts flow between them. Whatever was acknowledged
//! is there afterwards, at both ends, once. Set PASSERELLE_SEED to repeat a run as far as time allows.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use passerelle_domain::{
    entry::{Body, Entry, Verdict},
    facts::Facts as _,
    ids::{AlertId, EntryIndex},
};
use passerelle_node::{
    config::Config,
    engine,
    entropy::{Entropy, SeededEntropy, SystemEntropy},
    run::open_store,
    store::{Store, memory::MemoryStore, view::View},
    trust::{Ed25519Verifier, TrustFolder},
};
use passerelle_proto::{
    convert::alert_message,
    v1::{self, alert_service_client::AlertServiceClient},
};
use passerelle_tests::world::{PATIENCE, Process, Site, World, channel, draft, entropy, now};

const ROUNDS: u32 = 50;

fn number(entropy: &dyn Entropy, below: u64) -> u64 {
    let mut bytes = [0; 8];
    entropy.fill(&mut bytes);
    u64::from_be_bytes(bytes) % below
}

struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Raises alerts one after the other until told to stop, each again until it is acknowledged; their ids.
async fn raise_until(stop: Arc<AtomicBool>, socket: std::path::PathBuf) -> anyhow::Result<Vec<AlertId>> {
    let mut acknowledged = Vec::new();
    let mut client = None;
    while !stop.load(Ordering::Relaxed) {
        let (id, at) = (AlertId::new(now(), entropy()), now());
        let alert = alert_message(draft(&format!("Convoy {} due", acknowledged.len()))?, at);
        let request = v1::RaiseAlertRequest { id: id.to_string(), alert: Some(alert) };
        let given_up = Instant::now() + PATIENCE;
        loop {
            if client.is_none() {
                client = channel(&socket).await.ok().map(AlertServiceClient::new);
            }
            if let Some(open) = client.as_mut() {
                match open.raise_alert(request.clone()).await {
                    Ok(_) => break,
                    Err(status) => {
                        let broken = matches!(
                            status.code(),
                            tonic::Code::Unavailable
                                | tonic::Code::Unknown
                                | tonic::Code::Cancelled
                                | tonic::Code::Internal
                        );
                        ensure!(broken, "the node refuses: {status:?}");
                        client = None;
                    }
                }
            }
            ensure!(Instant::now() < given_up, "the sender does not come back");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        acknowledged.push(id);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    Ok(acknowledged)
}

/// Waits until the node at the socket holds every one of the alerts.
async fn all_there(socket: &std::path::Path, ids: &[AlertId]) -> anyhow::Result<()> {
    let mut client = AlertServiceClient::new(channel(socket).await?);
    let deadline = Instant::now() + PATIENCE;
    for id in ids {
        while client.get_alert(v1::GetAlertRequest { id: id.to_string() }).await.is_err() {
            ensure!(Instant::now() < deadline, "alert {id} was acknowledged and is not at the peer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

/// Opens the store of a node that does not run, proves its journal, and counts alerts in it.
fn counted(site: &Site, counts: impl Fn(&Body) -> Option<AlertId>) -> anyhow::Result<BTreeMap<AlertId, usize>> {
    let config = Config::parse(&site.folder().join("node.toml"), &site.config(), std::iter::empty());
    let store = open_store(&config.map_err(|faults| anyhow::anyhow!("{faults}"))?)?;
    let (_, trust) = TrustFolder::open(site.folder())?;
    let keys = trust.bundle.bundle().signing_keys.clone();
    let report = engine::verify(site.society(), &store, &MemoryStore::new(), &keys, &Ed25519Verifier, |_progress| {})?;
    ensure!(report.faults.is_empty(), "the journal of {}: {}", site.society(), report.faults.join("; "));
    let view = View::of(&store as &dyn Store);
    let mut found = BTreeMap::new();
    for at in 0..report.entries {
        let Some(Entry { body, .. }) = view.entry(EntryIndex(at))? else { continue };
        if let Some(id) = counts(&body) {
            *found.entry(id).or_default() += 1;
        }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_any_kill_at_both_ends_once() -> anyhow::Result<()> {
    let chosen = std::env::var("PASSERELLE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = chosen.unwrap_or_else(|| number(&SystemEntropy::new(), u64::MAX));
    println!("PASSERELLE_SEED={seed}");
    let chance = SeededEntropy::new(seed);
    let mut world = World::new(&["SN", "GM"])?;
    let program = env!("CARGO_BIN_EXE_node-under-test");
    let mut senegal = Process::of(world.site("SN")?, program)?;
    let mut gambia = Process::of(world.site("GM")?, program)?;
    senegal.start().await?;
    gambia.start().await?;

    let stop = Arc::new(AtomicBool::new(false));
    let raising = [0, 1].map(|_| raise_until(stop.clone(), senegal.socket()));
    let killing = async {
        // However this ends, the raising ends with it.
        let _raising = CancelOnDrop(stop.clone());
        for round in 0..ROUNDS {
            tokio::time::sleep(Duration::from_millis(number(&chance, 500))).await;
            let (sender, receiver) = [(true, false), (false, true), (true, true)][number(&chance, 3) as usize];
            println!("round {round}: sender {sender}, receiver {receiver}");
            if sender {
                senegal.kill().await?;
            }
            if receiver {
                gambia.kill().await?;
                gambia.start().await?;
            }
            if sender {
                senegal.start().await?;
            }
        }
        anyhow::Ok(())
    };
    let (first, second, killed) = {
        let [first, second] = raising;
        tokio::join!(first, second, killing)
    };
    killed?;
    let acknowledged = [first?, second?].concat();
    println!("{} alerts were acknowledged", acknowledged.len());
    ensure!(acknowledged.len() > ROUNDS as usize, "there was no load");
    all_there(&gambia.socket(), &acknowledged).await?;
    senegal.stop().await?;
    gambia.stop().await?;

    let issued = counted(world.site("SN")?, |body| match body {
        Body::Issued(meta) => Some(meta.id.into()),
        _ => None,
    })?;
    let accepted = counted(world.site("GM")?, |body| match body {
        Body::Received { envelope: Some(meta), verdict: Verdict::Accepted, .. } => Some(meta.id.into()),
        _ => None,
    })?;
    for id in &acknowledged {
        assert_eq!((issued.get(id), accepted.get(id)), (Some(&1), Some(&1)), "alert {id}, issued and accepted");
    }
    assert!(issued.values().chain(accepted.values()).all(|times| *times == 1), "nothing is there twice");
    Ok(())
}
