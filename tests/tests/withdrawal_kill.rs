//! Two real nodes, killed without warning at any moment between a withdrawal and the last receipt of its erasure. Whatever
//! the moment, both erase, and both know of each other that they have. PASSERELLE_SEED repeats a run as far as time allows.

use std::time::{Duration, Instant};

use anyhow::ensure;
use passerelle_domain::{facts::Facts as _, handover::State, ids::HandoverId};
use passerelle_node::{
    config::Config,
    engine,
    entropy::{Entropy, SeededEntropy, SystemEntropy},
    run::open_store,
    store::{Store, memory::MemoryStore, view::View},
    trust::{Ed25519Verifier, TrustFolder},
};
use passerelle_tests::world::{Handovers, PATIENCE, Process, Site, World, vault_files};

const ROUNDS: u32 = 20;

fn number(entropy: &dyn Entropy, below: u64) -> u64 {
    let mut bytes = [0; 8];
    entropy.fill(&mut bytes);
    u64::from_be_bytes(bytes) % below
}

/// A case of The Gambia is in service in Mali.
async fn in_service(gambia: &Process, mali: &Process) -> anyhow::Result<String> {
    let (gambia, mali) = (Handovers::at(&gambia.socket()).await?, Handovers::at(&mali.socket()).await?);
    let case = gambia.record_consent().await?;
    let id = gambia.offer(&case, "ML").await?;
    mali.until(&id, "delivered").await?;
    mali.accept(&id).await?;
    gambia.until(&id, "accepted").await?;
    gambia.release(&id).await?;
    mali.until(&id, "disclosed").await?;
    mali.arrived(&id).await?;
    gambia.until(&id, "in_service").await?;
    Ok(id)
}

/// Asks for the withdrawal until it is acknowledged, as a person at a counter does.
async fn withdraw(socket: std::path::PathBuf, id: &str) -> anyhow::Result<()> {
    let given_up = Instant::now() + PATIENCE;
    loop {
        let outcome = match Handovers::at(&socket).await {
            Ok(here) => here.withdraw(id).await.map(|_| ()),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() >= given_up => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// The journal of a node that does not run proves itself, and every one of the handovers is erased there.
fn all_erased(site: &Site, handovers: &[String]) -> anyhow::Result<()> {
    let config = Config::parse(&site.folder().join("node.toml"), &site.config(), std::iter::empty());
    let store = open_store(&config.map_err(|faults| anyhow::anyhow!("{faults}"))?)?;
    let (_, trust) = TrustFolder::open(site.folder())?;
    let keys = trust.bundle.bundle().signing_keys.clone();
    let report = engine::verify(site.society(), &store, &MemoryStore::new(), &keys, &Ed25519Verifier, |_progress| {})?;
    ensure!(report.faults.is_empty(), "the journal of {}: {}", site.society(), report.faults.join("; "));
    let view = View::of(&store as &dyn Store);
    for id in handovers {
        let row = view.handover(id.parse::<HandoverId>()?)?;
        ensure!(row.is_some_and(|row| row.state == State::Erased), "{id} is not erased at {}", site.society());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_of_a_withdrawal_both_ends_erase_and_tell_each_other() -> anyhow::Result<()> {
    let chosen = std::env::var("PASSERELLE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = chosen.unwrap_or_else(|| number(&SystemEntropy::new(), u64::MAX));
    println!("PASSERELLE_SEED={seed}");
    let chance = SeededEntropy::new(seed);
    let mut world = World::new(&["GM", "ML"])?;
    let program = env!("CARGO_BIN_EXE_node-under-test");
    let mut gambia = Process::of(world.site("GM")?, program)?;
    let mut mali = Process::of(world.site("ML")?, program)?;
    gambia.start().await?;
    mali.start().await?;
    let mut handovers = Vec::new();
    for round in 0..ROUNDS {
        let id = in_service(&gambia, &mali).await?;
        let socket = if number(&chance, 2) == 0 { gambia.socket() } else { mali.socket() };
        let killing = async {
            for _ in 0..=number(&chance, 2) {
                tokio::time::sleep(Duration::from_millis(number(&chance, 80))).await;
                let which = number(&chance, 3);
                if which != 0 {
                    mali.kill().await?;
                }
                if which != 1 {
                    gambia.kill().await?;
                    gambia.start().await?;
                }
                if which != 0 {
                    mali.start().await?;
                }
            }
            anyhow::Ok(())
        };
        let (withdrawn, killed) = tokio::join!(withdraw(socket, &id), killing);
        withdrawn?;
        killed?;
        let (here, there) = (Handovers::at(&gambia.socket()).await?, Handovers::at(&mali.socket()).await?);
        here.until(&id, "erased").await?;
        there.until(&id, "erased").await?;
        here.until_erased_by(&id, "ML").await?;
        there.until_erased_by(&id, "GM").await?;
        ensure!(there.read(&id).await.is_err(), "round {round}: nothing can be read");
        for code in ["GM", "ML"] {
            let left = vault_files(world.site(code)?.folder())?;
            ensure!(left == 0, "round {round}: {left} files are left in the vault of {code}");
        }
        handovers.push(id);
    }
    gambia.stop().await?;
    mali.stop().await?;
    for code in ["GM", "ML"] {
        all_erased(world.site(code)?, &handovers)?;
    }
    Ok(())
}
