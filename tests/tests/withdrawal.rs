//! A person takes the consent back: real nodes, real TLS, real stores and vaults. What was erased is looked for byte by
//! byte in everything that the nodes have on the disk.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use passerelle_domain::{facts::Facts as _, ids::HandoverId, refusal::Code};
use passerelle_tests::world::{Handovers, World, verified};
use tonic_types::StatusExt as _;

/// What the demo's package says of the person.
const PLANTED: &str = include_str!("../../config/demo/package.toml");

/// Texts of the package that name or reach somebody.
fn planted() -> anyhow::Result<Vec<String>> {
    let package: toml::Table = toml::from_str(PLANTED)?;
    let text = |section: &str, field: &str| {
        let text = package.get(section).and_then(|section| section.get(field)).and_then(toml::Value::as_str);
        text.map(str::to_owned).with_context(|| format!("{section}.{field}"))
    };
    Ok(vec![text("identity_core", "full_name")?, text("contact", "safe_phone")?])
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

/// Looks through every byte of every file: store, free pages of it, vault, temporary files, keys.
fn assert_no_plaintext(folder: &Path, when: &str) -> anyhow::Result<()> {
    let needles = planted()?;
    let mut all = Vec::new();
    files(folder, &mut all)?;
    assert!(all.len() > 5, "there is something to look through");
    for path in all {
        // A file of the vault may be removed while it is looked for.
        let Ok(bytes) = fs::read(&path) else { continue };
        for needle in &needles {
            let hit = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
            assert!(!hit, "{when}: {} holds plaintext", path.display());
        }
    }
    Ok(())
}

fn count(folder: &Path) -> anyhow::Result<usize> {
    Ok(fs::read_dir(folder)?.count())
}

fn vault_files(folder: &Path) -> anyhow::Result<usize> {
    let vault = folder.join("vault");
    let mut all = 0;
    for part in ["keys", "packages", "outgoing"] {
        all += count(&vault.join(part))?;
    }
    Ok(all)
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
    let search = |when: &str| folders.iter().try_for_each(|folder| assert_no_plaintext(folder, when));
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    let mali = Handovers::of(&*world.node("ML")?).await?;
    let case = gambia.record_consent().await?;
    let id = gambia.offer(&case, "ML").await?;
    search("offered")?;
    mali.until(&id, "delivered").await?;
    mali.accept(&id).await?;
    gambia.until(&id, "accepted").await?;
    gambia.release(&id).await?;
    search("released")?;
    mali.until(&id, "disclosed").await?;
    let read = mali.read(&id).await?;
    assert!(read.to_string().contains(&planted()?[1]), "the package opens while it may be used");
    search("read")?;
    for folder in &folders {
        assert!(vault_files(folder)? >= 2, "a key and a sealed file");
    }
    mali.withdraw(&id).await?;
    assert_eq!(reason(mali.read(&id).await).as_deref(), Some("withdrawn"), "stopped at once");
    for (here, other) in [(&mali, "GM"), (&gambia, "ML")] {
        here.until(&id, "erased").await?;
        let holder = here.until_erased_by(&id, other).await?;
        assert!(holder.kept.contains(&"journal:service_log".to_owned()), "{holder:?}");
    }
    search("erased")?;
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
    world.end().await?;
    search_stopped(&folders)
}

fn search_stopped(folders: &[PathBuf]) -> anyhow::Result<()> {
    // The world removes its folders when it ends; what is still there is looked through once more.
    let there = folders.iter().filter(|folder| folder.exists());
    there.into_iter().try_for_each(|folder| assert_no_plaintext(folder, "stopped"))
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
    // Only the vault comes back, with its key: the tombstone in the store has it purged at the start.
    world.site("ML")?.stop().await?;
    let vault = world.site("ML")?.folder().join("vault");
    fs::remove_dir_all(&vault)?;
    copy(&backup.join("vault"), &vault)?;
    world.site("ML")?.start().await?;
    let folder = world.site("ML")?.folder().to_owned();
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
    // The same at the origin.
    drop((gambia, mali));
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
    assert!(Code::parse("withdrawn").is_some());
    drop((gambia, mali));
    world.end().await
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(fs::metadata(from)?.permissions().mode()))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?
        } else {
            fs::copy(entry.path(), target).map(|_| ())?
        }
    }
    Ok(())
}
