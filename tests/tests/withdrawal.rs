//! A person takes the consent back: real nodes, real TLS, real stores and vaults. What was erased is looked for byte by
//! byte in everything that the nodes have on the disk.

use std::{fs, path::Path};

use anyhow::Context as _;
use passerelle_domain::{facts::Facts as _, ids::HandoverId};
use passerelle_tests::world::{
    Handovers, Needle, World, copy_folder, needles, plaintexts, search, vault_files, verified,
};
use tonic_types::StatusExt as _;

fn count(folder: &Path) -> anyhow::Result<usize> {
    Ok(fs::read_dir(folder)?.count())
}

async fn in_service(world: &World) -> anyhow::Result<(Handovers, Handovers, String)> {
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    let mali = Handovers::of(&*world.node("ML")?).await?;
    let case = gambia.record_consent().await?;
    let id = gambia.offer(&case, "ML").await?;
    mali.until(&id, "delivered").await?;
    mali.accept(&id).await?;
    gambia.until(&id, "accepted").await?;
    gambia.release(&id).await?;
    mali.until(&id, "disclosed").await?;
    mali.arrived(&id).await?;
    gambia.until(&id, "in_service").await?;
    Ok((gambia, mali, id))
}

fn reason(outcome: anyhow::Result<serde_json::Value>) -> Option<String> {
    let error = outcome.err()?;
    let status = error.downcast_ref::<tonic::Status>()?;
    status.get_details_error_info().map(|info| info.reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn erasure_is_one_no_byte_of_the_package_is_left_anywhere() -> anyhow::Result<()> {
    let mut world = World::started(&["GM", "ML"]).await?;
    let folders = [world.site("GM")?.folder().to_owned(), world.site("ML")?.folder().to_owned()];
    let plain = plaintexts()?;
    let nothing_of =
        |needles: &[Needle], when: &str| folders.iter().try_for_each(|folder| search(folder, needles, when));
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    let mali = Handovers::of(&*world.node("ML")?).await?;
    let case = gambia.record_consent().await?;
    let id = gambia.offer(&case, "ML").await?;
    nothing_of(&plain, "offered")?;
    mali.until(&id, "delivered").await?;
    mali.accept(&id).await?;
    gambia.until(&id, "accepted").await?;
    gambia.release(&id).await?;
    nothing_of(&plain, "released")?;
    mali.until(&id, "disclosed").await?;
    let read = mali.read(&id).await?;
    let phone = std::str::from_utf8(&plain[1].1)?;
    assert!(read.to_string().contains(phone), "the package opens while it may be used");
    nothing_of(&plain, "read")?;
    for folder in &folders {
        assert!(vault_files(folder)? >= 2, "a key and a sealed file");
    }
    // Keys and sealed bytes too are not to be found any more, and never stand in the store, free pages included.
    let mut all = plain.clone();
    for folder in &folders {
        all.extend(needles(folder)?);
        search(&folder.join("store"), &all, "in service")?;
    }
    assert!(all.len() >= plain.len() + 4, "{} needles", all.len());
    mali.withdraw(&id).await?;
    assert_eq!(reason(mali.read(&id).await).as_deref(), Some("withdrawn"), "stopped at once");
    for (here, other) in [(&mali, "GM"), (&gambia, "ML")] {
        here.until(&id, "erased").await?;
        let holder = here.until_erased_by(&id, other).await?;
        assert!(holder.kept.contains(&"journal:service_log".to_owned()), "{holder:?}");
    }
    nothing_of(&all, "erased")?;
    for folder in &folders {
        assert_eq!(vault_files(folder)?, 0, "nothing of the case is left in {}", folder.display());
    }
    for code in ["GM", "ML"] {
        let node = world.node(code)?;
        verified(&node)?;
        let row = node.engine.view().handover(id.parse::<HandoverId>()?)?.context("the journal still shows it")?;
        assert!(row.history.len() >= 4, "that, when and to whom there was a handover: {:?}", row.history);
    }
    drop((gambia, mali));
    for code in ["GM", "ML"] {
        world.site(code)?.stop().await?;
    }
    nothing_of(&all, "stopped")?;
    for code in ["GM", "ML"] {
        world.site(code)?.start().await?;
    }
    nothing_of(&all, "started again")?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_store_cannot_be_read_and_a_backup_of_everything_is_purged() -> anyhow::Result<()> {
    let mut world = World::started(&["GM", "ML"]).await?;
    let (gambia, mali, id) = in_service(&world).await?;
    drop((gambia, mali));
    let backup = world.folder().join("backup");
    world.site("ML")?.stop().await?;
    world.site("ML")?.back_up(&backup)?;
    // The store has no case key in it: a copy of it alone opens nothing.
    assert!(!backup.join("store").join("vault").exists());
    assert!(count(&backup.join("vault/keys"))? > 0);
    world.site("ML")?.start().await?;
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    gambia.withdraw(&id).await?;
    gambia.until_erased_by(&id, "ML").await?;
    // Only the store comes back, from before the withdrawal, and nobody is there to tell of it: nothing opens.
    drop(gambia);
    for code in ["GM", "ML"] {
        world.site(code)?.stop().await?;
    }
    let folder = world.site("ML")?.folder().to_owned();
    let later = world.folder().join("later");
    world.site("ML")?.back_up(&later)?;
    fs::remove_dir_all(folder.join("store"))?;
    copy_folder(&backup.join("store"), &folder.join("store"))?;
    world.site("ML")?.start().await?;
    let mali = Handovers::of(&*world.node("ML")?).await?;
    mali.until(&id, "in_service").await?;
    assert_eq!(reason(mali.read(&id).await).as_deref(), Some("package_absent"), "its key is destroyed");
    drop(mali);
    world.site("ML")?.stop().await?;
    world.site("ML")?.restore(&later)?;
    for code in ["GM", "ML"] {
        world.site(code)?.start().await?;
    }
    // Only the vault comes back, with its key: the tombstone in the store has it purged at the start.
    world.site("ML")?.stop().await?;
    let vault = world.site("ML")?.folder().join("vault");
    fs::remove_dir_all(&vault)?;
    copy_folder(&backup.join("vault"), &vault)?;
    world.site("ML")?.start().await?;
    assert_eq!(vault_files(&folder)?, 0, "purged at the start");
    // Everything comes back, the store from before the withdrawal too: it learns of it on first contact.
    world.site("ML")?.stop().await?;
    world.site("ML")?.restore(&backup)?;
    world.site("ML")?.start().await?;
    let mali = Handovers::of(&*world.node("ML")?).await?;
    mali.until(&id, "erased").await?;
    assert_eq!(vault_files(&folder)?, 0, "and erased again");
    assert_eq!(reason(mali.read(&id).await).as_deref(), Some("withdrawn"));
    verified(&*world.node("ML")?)?;
    drop(mali);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_restored_from_before_the_withdrawal_learns_of_it_from_the_holder() -> anyhow::Result<()> {
    let mut world = World::started(&["GM", "ML"]).await?;
    let (gambia, mali, id) = in_service(&world).await?;
    drop((gambia, mali));
    let backup = world.folder().join("backup");
    world.site("GM")?.stop().await?;
    world.site("GM")?.back_up(&backup)?;
    world.site("GM")?.start().await?;
    Handovers::of(&*world.node("GM")?).await?.withdraw(&id).await?;
    Handovers::of(&*world.node("GM")?).await?.until_erased_by(&id, "ML").await?;
    world.site("GM")?.stop().await?;
    world.site("GM")?.restore(&backup)?;
    world.site("GM")?.start().await?;
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    gambia.until(&id, "erased").await?;
    let folder = world.site("GM")?.folder().to_owned();
    assert_eq!(vault_files(&folder)?, 0);
    verified(&*world.node("GM")?)?;
    drop(gambia);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stopped_between_the_withdrawal_and_the_erasure_does_the_rest_at_its_start() -> anyhow::Result<()> {
    let mut world = World::started(&["GM", "ML"]).await?;
    let (gambia, mali, id) = in_service(&world).await?;
    // The vault cannot be written: the withdrawal is recorded, the erasure cannot be done yet.
    let keys = world.site("ML")?.folder().join("vault/packages");
    let aside = world.site("ML")?.folder().join("aside");
    fs::rename(&keys, &aside)?;
    mali.withdraw(&id).await?;
    mali.until(&id, "withdrawn").await?;
    gambia.until(&id, "erased").await?;
    assert_eq!(reason(mali.read(&id).await).as_deref(), Some("withdrawn"));
    let not_yet = gambia.withdrawal(&id).await?;
    assert_eq!(not_yet.holders[0].state, "stopped", "no receipt is given before it is done");
    drop((gambia, mali));
    world.site("ML")?.stop().await?;
    fs::rename(&aside, &keys)?;
    world.site("ML")?.start().await?;
    let mali = Handovers::of(&*world.node("ML")?).await?;
    mali.until(&id, "erased").await?;
    Handovers::of(&*world.node("GM")?).await?.until_erased_by(&id, "ML").await?;
    let folder = world.site("ML")?.folder().to_owned();
    assert_eq!(vault_files(&folder)?, 0);
    drop(mali);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_waits_for_a_node_that_is_off_and_overtakes_the_package() -> anyhow::Result<()> {
    let mut world = World::started(&["GM", "ML"]).await?;
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    let mali = Handovers::of(&*world.node("ML")?).await?;
    let case = gambia.record_consent().await?;
    let id = gambia.offer(&case, "ML").await?;
    mali.until(&id, "delivered").await?;
    mali.accept(&id).await?;
    gambia.until(&id, "accepted").await?;
    drop(mali);
    world.site("ML")?.stop().await?;
    gambia.release(&id).await?;
    gambia.withdraw(&id).await?;
    gambia.until(&id, "erased").await?;
    world.site("ML")?.start().await?;
    let mali = Handovers::of(&*world.node("ML")?).await?;
    mali.until(&id, "erased").await?;
    gambia.until_erased_by(&id, "ML").await?;
    let row = world.node("ML")?.engine.view().handover(id.parse::<HandoverId>()?)?.context("it is known")?;
    assert_eq!(row.package, None, "the package never came");
    let folder = world.site("ML")?.folder().to_owned();
    assert_eq!(vault_files(&folder)?, 0);
    drop((gambia, mali));
    world.end().await
}
