//! A store is made anew by a process that is killed at random moments: whatever it had come to, the store is whole, and the
//! next process goes on with it. Set PASSERELLE_SEED to repeat a run as far as time allows.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::ensure;
use passerelle_domain::{
    catalogue::RedactReason,
    decide::{Command as Ask, Reply},
};
use passerelle_node::{
    config::Config,
    entropy::{Entropy, SeededEntropy, SystemEntropy},
    run::open_store,
    store::{Direction, Row, Store as _, keys},
};
use passerelle_tests::world::{Process, Site, World, alert, entropy, operator, raise};

const ROUNDS: usize = 30;

fn number(entropy: &dyn Entropy, below: u64) -> u64 {
    let mut bytes = [0; 8];
    entropy.fill(&mut bytes);
    u64::from_be_bytes(bytes) % below.max(1)
}

/// Every row of a node that does not run, but for the mark that something was removed.
fn rows(site: &Site) -> anyhow::Result<Vec<Row>> {
    let config = Config::parse(&site.folder().join("node.toml"), &site.config(), std::iter::empty());
    let store = open_store(&config.map_err(|faults| anyhow::anyhow!("{faults}"))?)?;
    let all = store.scan(&[0], &[0xff], Direction::Forward);
    let kept = all.filter(|row| !matches!(row, Ok((key, _)) if key == keys::REMOVED));
    Ok(kept.collect::<Result<_, _>>()?)
}

fn compact(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("compact").arg("--config").arg(folder.join("node.toml"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_survives_any_kill_while_it_is_made_anew() -> anyhow::Result<()> {
    let chosen = std::env::var("PASSERELLE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = chosen.unwrap_or_else(|| number(&SystemEntropy::new(), u64::MAX));
    println!("PASSERELLE_SEED={seed}");
    let chance = SeededEntropy::new(seed);
    let mut world = World::started(&["SN"]).await?;
    {
        let senegal = world.node("SN")?;
        for n in 0..50 {
            let id = raise(&senegal, alert(&format!("Convoy {n} due"))?).await?;
            let (caller, reason) = (operator(), RedactReason::PersonalData);
            let redact = Ask::RedactAlert { caller, entropy: entropy(), id, reason };
            if n % 10 == 0 {
                assert!(matches!(senegal.engine.submit(redact).await?, Reply::Done { .. }));
            }
        }
    }
    let program = env!("CARGO_BIN_EXE_node-under-test");
    let site = world.site("SN")?;
    Process::of(site, program)?;
    site.stop().await?;
    let whole = rows(site)?;
    let begun = Instant::now();
    ensure!(compact(program, site.folder()).status()?.success(), "undisturbed, it ends well");
    let whole_time = begun.elapsed();
    let mut killed = 0;
    for round in 0..ROUNDS {
        let mut child = compact(program, site.folder()).spawn()?;
        // Some are to end by themselves, so that the last steps are among those that are cut.
        let after = number(&chance, u64::try_from(whole_time.as_micros())? * 5 / 4);
        tokio::time::sleep(Duration::from_micros(after)).await;
        // One that has ended already cannot be killed, and need not be.
        let _ = child.kill();
        killed += usize::from(!child.wait()?.success());
        ensure!(rows(site)? == whole, "round {round}, killed after {after} us of {whole_time:?}: rows have changed");
    }
    println!("{killed} of {ROUNDS} were killed before their end");
    ensure!(killed > ROUNDS / 3, "too few were interrupted to show anything");
    site.start().await?;
    world.end().await
}
