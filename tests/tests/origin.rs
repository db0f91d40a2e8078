//! Packages that stay at their origin, between real nodes: read over the link, each reading in both journals, and no byte
//! of them on the disk of the Society that reads.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use passerelle_domain::{entry::Body, facts::Facts as _, ids::HandoverId};
use passerelle_tests::world::{Handovers, World, journal, sealed_and_keys, wait_until};
use tonic_types::StatusExt as _;

const PACKAGE: &str = include_str!("../../config/demo/package.toml");
const HELD: &str = "[[peers]]\nsociety = \"ML\"\nhold_at_origin = true\n";

/// The name and the number in the demo's package.
fn planted() -> anyhow::Result<[String; 2]> {
    let package: toml::Table = toml::from_str(PACKAGE)?;
    let text = |section: &str, field: &str| {
        let text = package.get(section).and_then(|section| section.get(field)).and_then(toml::Value::as_str);
        text.map(str::to_owned).with_context(|| format!("{section}.{field}"))
    };
    Ok([text("identity_core", "full_name")?, text("contact", "safe_phone")?])
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files(&entry.path(), found)?;
        } else if entry.file_type()?.is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// Nothing of the package is in the folder: no plain text in any file, and no sealed file or key in the vault.
fn assert_nothing_stored(folder: &Path) -> anyhow::Result<()> {
    let mut all = Vec::new();
    files(folder, &mut all)?;
    assert!(all.len() > 5, "there is something to look through");
    for path in all {
        let Ok(bytes) = fs::read(&path) else { continue };
        for needle in planted()? {
            let hit = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
            assert!(!hit, "{} holds plain text", path.display());
        }
    }
    assert_eq!(sealed_and_keys(folder)?, Vec::<PathBuf>::new(), "the vault of the reader is empty");
    Ok(())
}

fn reason(outcome: anyhow::Result<serde_json::Value>) -> Option<String> {
    let error = outcome.err()?;
    let details = error.downcast_ref::<tonic::Status>()?.get_error_details();
    details.error_info().map(|info| info.reason.clone())
}

/// The Gambia holds packages for Mali at home, and has released one.
async fn released(world: &mut World) -> anyhow::Result<(Handovers, Handovers, String)> {
    world.site("GM")?.configure(HELD);
    for code in ["GM", "ML"] {
        world.site(code)?.start().await?;
    }
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    let mali = Handovers::of(&*world.node("ML")?).await?;
    let case = gambia.record_consent().await?;
    let id = gambia.offer(&case, "ML").await?;
    mali.until(&id, "delivered").await?;
    mali.accept(&id).await?;
    gambia.until(&id, "accepted").await?;
    assert!(!gambia.release(&id).await?.is_empty());
    mali.until(&id, "disclosed").await?;
    Ok((gambia, mali, id))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_is_read_over_the_link_and_nothing_of_it_lies_at_the_reader() -> anyhow::Result<()> {
    let mut world = World::new(&["GM", "ML"])?;
    let (gambia, mali, id) = released(&mut world).await?;
    let folder = world.site("ML")?.folder().to_owned();
    for (here, has_it) in [(&gambia, true), (&mali, false)] {
        let view = here.until(&id, "disclosed").await?;
        assert_eq!((view.held_at_origin, view.package_here), (true, has_it));
    }
    let read = mali.read(&id).await?.to_string();
    assert!(planted()?.iter().all(|text| read.contains(text)), "the operator sees it");
    assert_nothing_stored(&folder)?;
    let readings = |code: &str, is_one: &dyn Fn(&Body) -> bool| -> anyhow::Result<usize> {
        Ok(journal(&*world.node(code)?)?.iter().filter(|entry| is_one(&entry.body)).count())
    };
    assert_eq!(readings("GM", &|body| matches!(body, Body::ReadByPeer { .. }))?, 1);
    assert_eq!(readings("ML", &|body| matches!(body, Body::PackageRead { .. }))?, 1);

    mali.arrived(&id).await?;
    gambia.until(&id, "in_service").await?;
    mali.read(&id).await?;
    // The person takes the consent back: the origin refuses, whether or not the reader's node has heard of it.
    gambia.withdraw(&id).await?;
    assert_eq!(reason(mali.read(&id).await).as_deref(), Some("withdrawn"));
    mali.until(&id, "erased").await?;
    assert_eq!(reason(mali.read(&id).await).as_deref(), Some("withdrawn"));
    assert_eq!(readings("GM", &|body| matches!(body, Body::ReadByPeer { .. }))?, 2);
    assert_nothing_stored(&folder)?;
    drop((gambia, mali));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_link_nothing_can_be_read_and_that_is_said_at_once() -> anyhow::Result<()> {
    let mut world = World::new(&["GM", "ML"])?;
    let (gambia, mali, id) = released(&mut world).await?;
    mali.read(&id).await?;
    drop(gambia);
    world.site("GM")?.stop().await?;
    let node = world.node("ML")?;
    wait_until("the link is down", || Ok(!node.link.registry.is_up("GM".parse()?))).await?;
    let before = journal(&node)?.len();
    let asked = std::time::Instant::now();
    assert_eq!(reason(mali.read(&id).await).as_deref(), Some("peer_unreachable"));
    assert!(asked.elapsed() < std::time::Duration::from_secs(5));
    let read = |body: &Body| matches!(body, Body::PackageRead { .. });
    assert!(!journal(&node)?[before..].iter().any(|entry| read(&entry.body)), "nothing was read");

    // The origin comes back, and so does the reading.
    world.site("GM")?.start().await?;
    wait_until("the link is up", || Ok(node.link.registry.is_up("GM".parse()?))).await?;
    mali.read(&id).await?;
    let row = node.engine.view().handover(id.parse::<HandoverId>()?)?.context("it is known")?;
    assert!(row.held_at_origin.is_some() && row.package.is_none());
    drop((mali, node));
    world.end().await
}
