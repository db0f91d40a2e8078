//! Stories of retention between real nodes: what is purged is gone from journal objects and vault, the journal still proves
//! itself, a crash between the entry and the key leaves nothing, and a suspended peer gets no package.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use passerelle_domain::{
    decide::{Command, Target},
    entry::Body,
    facts::Facts as _,
    handover::State,
    ids::HandoverId,
    refusal::Code,
    retention::Rule,
};
use passerelle_tests::world::{
    Handovers, World, alert, has_alert, journal, needles, operator, raise, sealed_and_keys, search, verified,
    wait_until,
};
use tonic_types::StatusExt as _;

const DAY: Duration = Duration::from_secs(86_400);

/// Every key and sealed file of the vault below a data folder, byte for byte.
fn bytes_of_vault(folder: &Path) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    sealed_and_keys(folder)?.into_iter().map(|path| Ok((path.clone(), fs::read(path)?))).collect()
}

/// How many files the vault below a data folder holds, and how many keys.
fn in_vault(folder: &Path) -> anyhow::Result<(usize, usize)> {
    let count =
        |name: &str| -> anyhow::Result<usize> { Ok(std::fs::read_dir(folder.join("vault").join(name))?.count()) };
    Ok((count("packages")? + count("outgoing")?, count("keys")?))
}

fn code_of(error: &anyhow::Error) -> Option<String> {
    let details = error.downcast_ref::<tonic::Status>()?.get_error_details();
    details.error_info().map(|info| info.reason.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_case_is_purged_at_both_ends_and_the_journals_still_prove_themselves() -> anyhow::Result<()> {
    let mut world = World::started(&["SN", "ML"]).await?;
    world.joined().await?;
    let (senegal, mali) = (world.node("SN")?, world.node("ML")?);
    let (ours, theirs) = (Handovers::of(&senegal).await?, Handovers::of(&mali).await?);
    let (_, id) = accepted(&ours, &theirs).await?;
    ours.release(&id).await?;
    theirs.until(&id, "disclosed").await?;
    theirs.arrived(&id).await?;
    theirs.completed(&id).await?;
    ours.until(&id, "completed").await?;
    let handover: HandoverId = id.parse()?;
    wait_until("the release is receipted", || Ok(senegal.engine.view().keeping(handover)?.delivered_at.is_some()))
        .await?;
    drop((ours, senegal));
    world.site("SN")?.stop().await?;

    // Mali: warned of a week before, purged on its day, not earlier.
    let folder = world.site("ML")?.folder().to_owned();
    assert_eq!(in_vault(&folder)?, (1, 1));
    assert_eq!(mali.upkeep.sweep().await?.purged, 0);
    assert_eq!(mali.upkeep.snapshot().soon_total, 0);
    world.site("ML")?.pass(DAY * 85);
    assert_eq!(mali.upkeep.sweep().await?.purged, 0);
    let soon = mali.upkeep.snapshot();
    assert_eq!((soon.soon_total, soon.soon.first().map(|found| found.due.rule)), (1, Some(Rule::PackageReceived)));
    theirs.read(&id).await?;
    world.site("ML")?.pass(DAY * 6);
    assert_eq!(mali.upkeep.sweep().await?.purged, 1);
    assert_eq!(in_vault(&folder)?, (0, 0), "no file and no key is left");
    assert_eq!(theirs.read(&id).await.map_err(|error| code_of(&error)), Err(Some(Code::PackageAbsent.to_string())));
    let row = mali.engine.view().handover(handover)?.map(|row| (row.state, row.package));
    assert_eq!(row, Some((State::Erased, None)), "that there was a handover is still known");
    assert_eq!(
        mali.engine
            .view()
            .object(mali.engine.view().handover(handover)?.map_or(Default::default(), |row| row.entry))?,
        None
    );
    let purged = |body: &Body| matches!(body, Body::Purged { rule: Rule::PackageReceived, .. });
    assert_eq!(journal(&mali)?.iter().filter(|entry| purged(&entry.body)).count(), 1);
    verified(&mali)?;
    drop((theirs, mali));
    world.site("ML")?.stop().await?;

    // Senegal was off meanwhile, and catches up by itself.
    world.site("SN")?.pass(DAY * 8);
    let folder = world.site("SN")?.folder().to_owned();
    assert_eq!(in_vault(&folder)?, (2, 1));
    world.site("SN")?.start().await?;
    wait_until("the copy is gone", || Ok(in_vault(&folder)? == (0, 0))).await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_the_entry_and_the_key_leaves_nothing_after_the_next_start() -> anyhow::Result<()> {
    let mut world = World::started(&["SN", "ML"]).await?;
    world.joined().await?;
    let (senegal, mali) = (world.node("SN")?, world.node("ML")?);
    let (ours, theirs) = (Handovers::of(&senegal).await?, Handovers::of(&mali).await?);
    let case = ours.record_consent().await?;
    let id = ours.offer(&case, "ML").await?;
    let other = ours.offer(&case, "ML").await?;
    theirs.until(&id, "delivered").await?;
    theirs.accept(&id).await?;
    ours.until(&id, "accepted").await?;
    ours.release(&id).await?;
    let handover: HandoverId = id.parse()?;
    wait_until("the release is receipted", || Ok(senegal.engine.view().keeping(handover)?.delivered_at.is_some()))
        .await?;
    drop((theirs, mali));
    world.site("ML")?.stop().await?;
    let folder = world.site("SN")?.folder().to_owned();
    assert_eq!(in_vault(&folder)?, (3, 1), "two packages, one of them sealed as well");
    world.site("SN")?.pass(DAY * 8);
    // The entry is durable, and the node ends before it comes to the vault.
    senegal.engine.submit(Command::Purge { target: Target::Handover(handover) }).await?;
    drop((ours, senegal));
    world.site("SN")?.stop().await?;
    assert_eq!(in_vault(&folder)?, (3, 1));
    world.site("SN")?.start().await?;
    assert_eq!(in_vault(&folder)?, (1, 1), "the other handover of the case is untouched");
    let other: HandoverId = other.parse()?;
    assert!(world.node("SN")?.engine.view().handover(other)?.is_some_and(|row| row.package.is_some()));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_waits_in_the_lane_stays_while_the_configuration_suspends_its_peer() -> anyhow::Result<()> {
    let mut world = World::started(&["SN", "ML"]).await?;
    world.joined().await?;
    let (ours, theirs) = (Handovers::of(&*world.node("SN")?).await?, Handovers::of(&*world.node("ML")?).await?);
    let (_, id) = accepted(&ours, &theirs).await?;
    drop(theirs);
    world.site("ML")?.stop().await?;
    ours.release(&id).await?;
    drop(ours);
    world.site("SN")?.stop().await?;
    let suspended = "\n[[peers]]\nsociety = \"ML\"\nsuspended = true\n";
    let site = world.site("SN")?;
    site.configure(suspended);
    site.start().await?;
    world.site("ML")?.start().await?;
    let mali = world.node("ML")?;
    // What waits in the bulk lane goes with or after the first of them, and before the last.
    for headline in ["Convoy due", "Convoy at the border", "Convoy gone"] {
        let alert = raise(&*world.node("SN")?, alert(headline)?).await?;
        wait_until("the alert is there", || has_alert(&mali, alert)).await?;
    }
    let theirs = Handovers::of(&mali).await?;
    assert!(!theirs.until(&id, "accepted").await?.package_here, "no package came between them");

    let site = world.site("SN")?;
    site.stop().await?;
    site.unconfigure(suspended);
    site.start().await?;
    assert!(theirs.until(&id, "disclosed").await?.package_here);
    drop((theirs, mali));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_peer_gets_alerts_and_no_package_over_a_restart_until_it_is_resumed() -> anyhow::Result<()> {
    let mut world = World::started(&["SN", "ML"]).await?;
    world.joined().await?;
    let (senegal, mali) = (world.node("SN")?, world.node("ML")?);
    let (ours, theirs) = (Handovers::of(&senegal).await?, Handovers::of(&mali).await?);
    let (_, id) = accepted(&ours, &theirs).await?;
    let set = |suspended| Command::SuspendPeer {
        caller: operator(),
        peer: "ML".parse().expect("a code"),
        suspended,
        reason: "their node was seized".parse().expect("a note"),
    };
    senegal.engine.submit(set(true)).await?;
    drop((ours, senegal));
    world.site("SN")?.restart().await?;
    let senegal = world.node("SN")?;
    let ours = Handovers::of(&senegal).await?;
    let refused = ours.release(&id).await.map_err(|error| code_of(&error));
    assert_eq!(refused, Err(Some(Code::PeerSuspended.to_string())));
    let alert = raise(&senegal, alert("Convoy due")?).await?;
    wait_until("the alert is there", || has_alert(&mali, alert)).await?;
    senegal.engine.submit(set(false)).await?;
    ours.release(&id).await?;
    theirs.until(&id, "disclosed").await?;
    drop((ours, theirs, senegal, mali));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_its_store_leaves_the_vault_to_the_journal_that_names_what_is_there() -> anyhow::Result<()> {
    let mut world = World::started(&["SN", "ML"]).await?;
    world.joined().await?;
    let (ours, theirs) = (Handovers::of(&*world.node("SN")?).await?, Handovers::of(&*world.node("ML")?).await?);
    let (_, id) = accepted(&ours, &theirs).await?;
    ours.release(&id).await?;
    theirs.until(&id, "disclosed").await?;
    let package = theirs.read(&id).await?;
    drop((ours, theirs));
    for code in ["SN", "ML"] {
        world.site(code)?.stop().await?;
    }
    let folder = world.site("ML")?.folder().to_owned();
    let (store, away, marker) = (folder.join("store"), folder.join("store.damaged"), folder.join("vault/journal"));
    let vault = bytes_of_vault(&folder)?;
    assert_eq!(vault.len(), 2, "a package and its key");
    let said = fs::read(&marker)?;
    // With what this release writes into the vault, and as an earlier one left it.
    for marked in [true, false] {
        if !marked {
            fs::remove_file(&marker)?;
        }
        fs::rename(&store, &away)?;
        let site = world.site("ML")?;
        site.start().await?;
        site.restart().await?;
        assert_eq!(bytes_of_vault(&folder)?, vault, "nothing of the vault is touched (marked: {marked})");
        let alarms = Handovers::of(&*world.node("ML")?).await?.alarms().await?;
        assert!(alarms.iter().any(|alarm| alarm == "vault_of_another_journal"), "{alarms:?}");
        let site = world.site("ML")?;
        site.stop().await?;
        fs::remove_dir_all(&store)?;
        fs::rename(&away, &store)?;
        site.start().await?;
        let theirs = Handovers::of(&*world.node("ML")?).await?;
        assert_eq!(theirs.read(&id).await?, package, "with its store, the package opens");
        assert!(!theirs.alarms().await?.iter().any(|alarm| alarm == "vault_of_another_journal"));
        assert_eq!(fs::read(&marker)?, said, "the vault says whose it is");
        drop(theirs);
        world.site("ML")?.stop().await?;
    }
    world.end().await
}

/// A handover of ours whose package has been released and has arrived; the node at Mali is then off.
async fn released(world: &mut World) -> anyhow::Result<HandoverId> {
    world.joined().await?;
    let (senegal, mali) = (world.node("SN")?, world.node("ML")?);
    let (ours, theirs) = (Handovers::of(&senegal).await?, Handovers::of(&mali).await?);
    let (_, id) = accepted(&ours, &theirs).await?;
    ours.release(&id).await?;
    let handover: HandoverId = id.parse()?;
    wait_until("the release is receipted", || Ok(senegal.engine.view().keeping(handover)?.delivered_at.is_some()))
        .await?;
    drop((ours, theirs, senegal, mali));
    world.site("ML")?.stop().await?;
    Ok(handover)
}

/// What the folder of packages in the vault does while it cannot be read.
fn broken(folder: &Path, broken: bool) -> anyhow::Result<()> {
    let (packages, aside) = (folder.join("vault/packages"), folder.join("aside"));
    if broken {
        fs::rename(packages, aside)?
    } else {
        fs::rename(aside, packages)?
    }
    Ok(())
}

/// Has `passerelle-node` export the journal of a node that is off, and import it into a new store.
fn restored(folder: &Path, config: &str) -> anyhow::Result<()> {
    let (file, export) = (folder.join("node.toml"), folder.join("journal.export"));
    fs::write(&file, config)?;
    let run = |arguments: [&std::ffi::OsStr; 2]| -> anyhow::Result<()> {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_node-under-test"));
        let done = command.args(arguments).arg("--config").arg(&file).output()?;
        anyhow::ensure!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    };
    let out = format!("--out={}", export.display());
    run(["export".as_ref(), out.as_ref()])?;
    fs::rename(folder.join("store"), folder.join("store.damaged"))?;
    run(["import".as_ref(), export.as_os_str()])?;
    fs::remove_dir_all(folder.join("store.damaged"))?;
    fs::remove_file(export)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_vault_does_not_let_go_goes_with_the_next_sweep() -> anyhow::Result<()> {
    let mut world = World::started(&["SN", "ML"]).await?;
    released(&mut world).await?;
    let folder = world.site("SN")?.folder().to_owned();
    world.site("SN")?.pass(DAY * 8);
    let senegal = world.node("SN")?;
    broken(&folder, true)?;
    assert_eq!(senegal.upkeep.sweep().await?.purged, 1, "the entry is written");
    broken(&folder, false)?;
    assert_eq!(in_vault(&folder)?, (2, 1));
    assert_eq!(senegal.upkeep.sweep().await?.purged, 0);
    assert_eq!(in_vault(&folder)?, (0, 0));
    drop(senegal);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_node_lets_go_what_was_purged_at_once_and_what_nobody_names_after_a_month() -> anyhow::Result<()> {
    let mut world = World::started(&["SN", "ML"]).await?;
    let handover = released(&mut world).await?;
    let site = world.site("SN")?;
    site.stop().await?;
    let folder = site.folder().to_owned();
    // The vault of a release that did not say whose it is.
    fs::remove_file(folder.join("vault/journal"))?;
    restored(&folder, &site.config())?;
    assert!(folder.join("vault/journal").exists(), "the import says whose the vault is");
    // This came after the export, for all that the journal knows.
    let unknown = folder.join("vault/packages").join("0".repeat(64));
    fs::write(&unknown, "sealed by a life that the journal does not remember")?;
    site.start().await?;
    assert_eq!(in_vault(&folder)?, (3, 1));
    let sealed = needles(&folder)?;
    let sealed: Vec<_> = sealed.into_iter().filter(|(name, _)| !name.ends_with(&"0".repeat(64))).collect();
    assert_eq!(sealed.len(), 3, "a package, what went out of it, and their key");

    site.pass(DAY * 8);
    broken(&folder, true)?;
    let senegal = world.node("SN")?;
    assert_eq!(senegal.upkeep.sweep().await?.purged, 1);
    assert!(senegal.engine.view().keeping(handover)?.purged_at.is_some());
    drop(senegal);
    let site = world.site("SN")?;
    site.stop().await?;
    broken(&folder, false)?;
    assert_eq!(in_vault(&folder)?, (3, 1), "the vault has not let go of it");
    site.start().await?;
    search(&folder, &sealed, "purged, and started again")?;
    assert_eq!(in_vault(&folder)?, (1, 0), "what the journal may yet learn of stays");
    site.pass(DAY * 31);
    site.restart().await?;
    assert_eq!(in_vault(&folder)?, (0, 0), "nobody has named it in a month");
    world.end().await
}

/// A case of one Society's, and its handover that the other has accepted.
async fn accepted(ours: &Handovers, theirs: &Handovers) -> anyhow::Result<((String, String), String)> {
    let case = ours.record_consent().await?;
    let id = ours.offer(&case, "ML").await?;
    theirs.until(&id, "delivered").await?;
    theirs.accept(&id).await?;
    ours.until(&id, "accepted").await?;
    Ok((case, id))
}
