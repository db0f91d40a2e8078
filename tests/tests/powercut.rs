//! A few dozen power cuts of a real node's disk, and the proof that they would find something: a disk that lies about
//! its syncs. Needs root and /dev/fuse; says so and passes where there is none. `powercut` makes a thousand.

use std::path::Path;

use anyhow::ensure;
use passerelle_tests::powercut::{Lie, Model, Options, cut};

/// Whether cuts can be made here.
fn is_possible() -> bool {
    let possible = nix::unistd::geteuid().is_root() && Path::new("/dev/fuse").exists();
    if !possible {
        eprintln!("SKIPPED: power cuts need root and /dev/fuse, and nothing was tested");
    }
    possible
}

fn options(cuts: u64, seed: u64, lie: Lie) -> Options {
    Options {
        cuts,
        seed,
        model: Some(Model::Harsh),
        lie,
        json: false,
        quiet: lie != Lie::None,
        until_found: lie != Lie::None,
        keep: None,
        program: env!("CARGO_BIN_EXE_node-under-test").into(),
        arguments: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_power_cut_at_any_step_of_the_disk() -> anyhow::Result<()> {
    if !is_possible() {
        return Ok(());
    }
    let seed = std::env::var("PASSERELLE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("PASSERELLE_SEED={seed}");
    let found = cut(&options(30, seed, Lie::None)).await?;
    ensure!(found.failed == 0, "{}", found.stories.join("\n"));
    ensure!(found.cuts >= 30 && found.converged >= 3, "{} cuts, {} starts", found.cuts, found.converged);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_lies_about_any_kind_of_sync_is_found_out() -> anyhow::Result<()> {
    if !is_possible() {
        return Ok(());
    }
    for lie in Lie::ALL {
        let found = cut(&options(30, 1, lie)).await?;
        ensure!(found.failed > 0, "nothing was lost in {} cuts, and the disk left out {}", found.cuts, lie.name());
    }
    Ok(())
}
