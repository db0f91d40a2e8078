//! How far a withdrawal reaches: three real nodes, a holder who is late, a hold, an origin restored from before it.

use std::{fs, time::Duration};

use anyhow::Context as _;
use passerelle_domain::{
    decide::{Command, HoldScope, Reply, open},
    entry::Body,
    envelope::{Kind, Lane, SignedEnvelope},
    facts::Facts as _,
    ids::HandoverId,
    parcel,
    retention::HoldKind,
};
use passerelle_node::{link::Packages as _, run::Node, trust::Ed25519Verifier, withdrawals};
use passerelle_tests::world::{Handovers, World, journal, now, operator, vault_files, verified, wait_until};
use serde_json::json;
use tonic_types::StatusExt as _;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

async fn accepted(gambia: &Handovers, mali: &Handovers) -> anyhow::Result<String> {
    let case = gambia.record_consent().await?;
    let id = gambia.offer(&case, "ML").await?;
    mali.until(&id, "delivered").await?;
    mali.accept(&id).await?;
    gambia.until(&id, "accepted").await?;
    Ok(id)
}

async fn in_service(gambia: &Handovers, mali: &Handovers) -> anyhow::Result<String> {
    let id = accepted(gambia, mali).await?;
    gambia.release(&id).await?;
    mali.until(&id, "disclosed").await?;
    mali.arrived(&id).await?;
    gambia.until(&id, "in_service").await?;
    Ok(id)
}

fn reason(outcome: anyhow::Result<serde_json::Value>) -> Option<String> {
    let error = outcome.err()?;
    let status = error.downcast_ref::<tonic::Status>()?;
    status.get_details_error_info().map(|info| info.reason)
}

fn issued(node: &Node, kind: Kind) -> anyhow::Result<usize> {
    let of_kind = |body: &Body| matches!(body, Body::Issued(meta) if meta.kind == kind);
    Ok(journal(node)?.iter().filter(|entry| of_kind(&entry.body)).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_back_in_mali_it_reaches_the_origin_and_whoever_else_was_asked() -> anyhow::Result<()> {
    let mut world = World::started(&["GM", "ML", "SN"]).await?;
    world.joined().await?;
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    let (mali, senegal) = (Handovers::of(&*world.node("ML")?).await?, Handovers::of(&*world.node("SN")?).await?);
    let both = |record: &mut serde_json::Value| {
        record["recipients"] = json!(["ML", "SN"]);
        record["countries"] = json!(["ML", "SN"]);
    };
    let case = gambia.record_consent_with(both).await?;
    let (to_mali, to_senegal) = (gambia.offer(&case, "ML").await?, gambia.offer(&case, "SN").await?);
    senegal.until(&to_senegal, "delivered").await?;
    mali.until(&to_mali, "delivered").await?;
    mali.accept(&to_mali).await?;
    gambia.until(&to_mali, "accepted").await?;
    gambia.release(&to_mali).await?;
    mali.until(&to_mali, "disclosed").await?;
    mali.withdraw(&to_mali).await?;
    for (here, id, other) in [
        (&gambia, &to_mali, "ML"),
        (&gambia, &to_senegal, "SN"),
        (&mali, &to_mali, "GM"),
        (&senegal, &to_senegal, "GM"),
    ] {
        here.until(id, "erased").await?;
        here.until_erased_by(id, other).await?;
    }
    let shown = gambia.withdrawal(&to_mali).await?;
    assert_eq!(shown.state, "withdrawn");
    let mut holders: Vec<_> = shown.holders.iter().map(|one| (one.society.as_str(), one.state.as_str())).collect();
    holders.sort_unstable();
    assert_eq!(holders, [("ML", "erased"), ("SN", "erased")], "the origin shows each of them");
    for code in ["GM", "ML", "SN"] {
        let folder = world.site(code)?.folder().to_owned();
        assert_eq!(vault_files(&folder)?, 0, "{code}");
        verified(&*world.node(code)?)?;
    }
    drop((gambia, mali, senegal));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_of_an_origin_that_forgot_the_withdrawal_is_refused_by_the_tombstone() -> anyhow::Result<()> {
    let mut world = World::started(&["GM", "ML"]).await?;
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    let mali = Handovers::of(&*world.node("ML")?).await?;
    let id = accepted(&gambia, &mali).await?;
    drop(gambia);
    let backup = world.folder().join("backup");
    world.site("GM")?.stop().await?;
    world.site("GM")?.back_up(&backup)?;
    world.site("GM")?.start().await?;
    mali.withdraw(&id).await?;
    Handovers::of(&*world.node("GM")?).await?.until_erased_by(&id, "ML").await?;
    drop(mali);
    // The origin comes back from before the withdrawal, cannot hear of it, and releases the package.
    for code in ["ML", "GM"] {
        world.site(code)?.stop().await?;
    }
    world.site("GM")?.restore(&backup)?;
    world.site("GM")?.start().await?;
    Handovers::of(&*world.node("GM")?).await?.release(&id).await?;
    let parcel = released(&*world.node("GM")?)?;
    world.site("GM")?.stop().await?;
    world.site("ML")?.start().await?;
    let node = world.node("ML")?;
    let (peer, lane) = ("GM".parse()?, Lane::Bulk);
    let keys = |society| {
        node.engine
            .view()
            .peer(society)
            .ok()
            .flatten()
            .map_or_else(Vec::new, |row| row.signing_keys.iter().map(|key| key.0).collect())
    };
    let (opened, _) = open(&parcel, &keys, &Ed25519Verifier)?;
    assert!(opened.outcome.is_ok(), "it is signed by The Gambia, and whole");
    let position = node.engine.view().lane_in(peer, lane)?.received.next();
    let deliver = Command::Deliver { peer, lane, position, opened: Box::new(opened), package: None };
    let Reply::Received { accepted, rejected, .. } = node.engine.submit(deliver).await? else {
        anyhow::bail!("an envelope is judged")
    };
    assert!(!accepted);
    assert_eq!(rejected, [(position, "withdrawn".to_owned())], "by the tombstone, whatever the sender thinks");
    // The two meet: the origin learns of it, and what it still had of the case goes.
    world.site("GM")?.start().await?;
    Handovers::of(&*world.node("GM")?).await?.until(&id, "erased").await?;
    for code in ["GM", "ML"] {
        let folder = world.site(code)?.folder().to_owned();
        assert_eq!(vault_files(&folder)?, 0, "nothing of the package is kept in {code}");
    }
    let mali = Handovers::of(&node).await?;
    assert_eq!(reason(mali.read(&id).await).as_deref(), Some("withdrawn"));
    drop((mali, node));
    world.end().await
}

/// The newest release of a node, as its lane would carry it.
fn released(node: &Node) -> anyhow::Result<Vec<u8>> {
    let view = node.engine.view();
    for entry in journal(node)?.iter().rev() {
        let Body::Issued(meta) = &entry.body else { continue };
        let Some(attachment) = meta.attachment.filter(|_| meta.kind == Kind::HandoverRelease) else { continue };
        let signed = SignedEnvelope::from_object(&view.object(entry.index)?.context("the release")?)?;
        let sealed = node.packages.outgoing(attachment.digest)?.context("the sealed package")?;
        let stream = parcel::write(&signed, &sealed);
        let (_, at) = parcel::take_varint(&stream)?.context("a length")?;
        return Ok(stream[at..].to_vec());
    }
    anyhow::bail!("nothing was released")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_the_case_does_not_use_leaves_it_and_one_that_it_uses_ends_it() -> anyhow::Result<()> {
    let mut world = World::started(&["GM", "ML"]).await?;
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    let mali = Handovers::of(&*world.node("ML")?).await?;
    let id = in_service(&gambia, &mali).await?;
    gambia.narrow(&id, &["svc.shelter"]).await?;
    let node = world.node("ML")?;
    let told = |body: &Body| matches!(body, Body::Received { envelope: Some(meta), .. } if meta.kind == Kind::WithdrawalNotice);
    wait_until("Mali is told", || Ok(journal(&node)?.iter().any(|entry| told(&entry.body)))).await?;
    mali.read(&id).await?;
    mali.until(&id, "in_service").await?;
    assert_eq!(mali.withdrawal(&id).await?.state, "narrowed");
    mali.narrow(&id, &["svc.transport"]).await?;
    assert_eq!(reason(mali.read(&id).await).as_deref(), Some("withdrawn"));
    gambia.until_erased_by(&id, "ML").await?;
    mali.until(&id, "erased").await?;
    let folder = world.site("ML")?.folder().to_owned();
    assert_eq!(vault_files(&folder)?, 0);
    drop((gambia, mali, node));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_to_be_released_on_acceptance_is_not_after_the_withdrawal() -> anyhow::Result<()> {
    let mut world = World::started(&["GM", "ML"]).await?;
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    let mali = Handovers::of(&*world.node("ML")?).await?;
    let case = gambia.record_consent().await?;
    let id = gambia.offer_as(&case, "ML", true).await?;
    mali.until(&id, "delivered").await?;
    drop(gambia);
    world.site("GM")?.stop().await?;
    mali.accept(&id).await?;
    drop(mali);
    world.site("ML")?.stop().await?;
    world.site("GM")?.start().await?;
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    gambia.withdraw(&id).await?;
    world.site("ML")?.start().await?;
    gambia.until_erased_by(&id, "ML").await?;
    assert_eq!(issued(&*world.node("GM")?, Kind::HandoverRelease)?, 0, "the acceptance came too late");
    drop(gambia);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_who_is_late_is_an_alarm_in_status_and_figures_until_it_answers() -> anyhow::Result<()> {
    let mut world = World::started(&["GM", "ML"]).await?;
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    let mali = Handovers::of(&*world.node("ML")?).await?;
    let id = in_service(&gambia, &mali).await?;
    drop(mali);
    world.site("ML")?.stop().await?;
    gambia.withdraw(&id).await?;
    let alarm = |what: &str| format!("ML: {what}");
    world.site("GM")?.pass(23 * HOUR);
    assert!(!gambia.alarms().await?.contains(&alarm("withdrawal_unanswered")), "it has a day");
    world.site("GM")?.pass(2 * HOUR);
    assert!(gambia.alarms().await?.contains(&alarm("withdrawal_unanswered")));
    assert_eq!(gambia.withdrawal(&id).await?.holders[0].late, "withdrawal_unanswered");
    let node = world.node("GM")?;
    let late = |hours: u32| -> anyhow::Result<bool> {
        withdrawals::alarm(&withdrawals::late(&node.engine, now().plus(hours * HOUR))?, &node.link.metrics);
        let text = node.link.metrics.to_text();
        let is_late = |line: &str| line.contains("withdrawals_late{") && line.contains("withdrawal_unanswered");
        Ok(text.lines().any(|line| is_late(line) && line.ends_with(" 1")))
    };
    assert!(!late(23)? && late(25)?, "the figures say so too");
    world.site("ML")?.start().await?;
    gambia.until_erased_by(&id, "ML").await?;
    assert!(gambia.alarms().await?.iter().all(|alarm| !alarm.starts_with("ML: withdrawal")), "it has answered");
    assert!(!late(25)?);
    drop((node, gambia));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_who_stops_and_does_not_erase_is_an_alarm_after_thirty_days() -> anyhow::Result<()> {
    let mut world = World::started(&["GM", "ML"]).await?;
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    let mali = Handovers::of(&*world.node("ML")?).await?;
    let id = in_service(&gambia, &mali).await?;
    let packages = world.site("ML")?.folder().join("vault/packages");
    let aside = world.site("ML")?.folder().join("aside");
    fs::rename(&packages, &aside)?;
    mali.withdraw(&id).await?;
    gambia.until(&id, "erased").await?;
    world.site("GM")?.pass(29 * DAY);
    assert!(!gambia.alarms().await?.contains(&"ML: erasure_overdue".to_owned()));
    world.site("GM")?.pass(2 * DAY);
    assert!(gambia.alarms().await?.contains(&"ML: erasure_overdue".to_owned()));
    drop((gambia, mali));
    world.site("ML")?.stop().await?;
    fs::rename(&aside, &packages)?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legal_hold_keeps_the_package_unread_and_lifted_it_goes() -> anyhow::Result<()> {
    let mut world = World::started(&["GM", "ML"]).await?;
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    let mali = Handovers::of(&*world.node("ML")?).await?;
    let id = in_service(&gambia, &mali).await?;
    let node = world.node("ML")?;
    let handover: HandoverId = id.parse()?;
    let hold = |lift| Command::Hold {
        caller: operator(),
        scope: HoldScope::Handover(handover),
        kind: HoldKind::LegalHold,
        lift,
        reason: "asked for by a court".parse().expect("a note"),
    };
    node.engine.submit(hold(false)).await?;
    gambia.withdraw(&id).await?;
    mali.until(&id, "withdrawn").await?;
    let kept = |body: &Body| matches!(body, Body::ErasureHeld { .. });
    wait_until("it is said to be kept", || Ok(journal(&node)?.iter().any(|entry| kept(&entry.body)))).await?;
    let folder = world.site("ML")?.folder().to_owned();
    assert_eq!(vault_files(&folder)?, 2, "key and package are still there");
    assert_eq!(reason(mali.read(&id).await).as_deref(), Some("withdrawn"), "and nobody reads them");
    let origin = world.node("GM")?;
    let receipt =
        |body: &Body| matches!(body, Body::Received { envelope: Some(meta), .. } if meta.kind == Kind::ErasureReceipt);
    wait_until("the origin hears", || Ok(journal(&origin)?.iter().any(|entry| receipt(&entry.body)))).await?;
    let shown = gambia.withdrawal(&id).await?.holders.remove(0);
    assert!(shown.kept.contains(&"case_key:legal_hold".to_owned()) && shown.state != "erased", "{shown:?}");
    node.engine.submit(hold(true)).await?;
    gambia.until_erased_by(&id, "ML").await?;
    assert_eq!(vault_files(&folder)?, 0);
    drop((gambia, mali, node, origin));
    world.end().await
}
