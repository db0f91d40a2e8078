//! How far a withdrawal reaches: three real nodes, a holder who is late, a hold, an origin restored from before it.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use passerelle_domain::{
    bundle::SignedBundle,
    decide::{Command, HoldScope},
    entry::{Body, Verdict},
    envelope::{Kind, Lane, SignedEnvelope},
    facts::Facts as _,
    ids::{HandoverId, Position},
    link::{Frame, Hello, LanePositions, PROTOCOL_MAX, PROTOCOL_MIN, Piece},
    parcel,
    retention::HoldKind,
};
use passerelle_node::{
    link::Packages as _,
    peers,
    run::{Node, Surroundings},
    trust::{Connector, Ed25519Verifier, LiveTrust, PeerBundles, TrustFolder},
    withdrawals,
};
use passerelle_proto::v1::{self, link_service_client::LinkServiceClient};
use passerelle_tests::world::{Handovers, PATIENCE, World, journal, now, operator, vault_files, verified, wait_until};
use serde_json::json;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
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
    let hello = hello_of(&*world.node("GM")?)?;
    world.site("GM")?.stop().await?;
    world.site("ML")?.start().await?;
    // Whoever has the keys of The Gambia brings it over a real connection, as a node would that hears of nothing.
    let node = world.node("ML")?;
    let folder = world.site("GM")?.folder().to_owned();
    let rejected = brought(&folder, hello, &parcel).await?;
    assert_eq!(rejected, [(Position(1), "withdrawn".to_owned())], "by the tombstone, whatever the sender thinks");
    let refused =
        |body: &Body| matches!(body, Body::Received { verdict: Verdict::Rejected(code), .. } if code == "withdrawn");
    assert!(journal(&node)?.iter().any(|entry| refused(&entry.body)), "and that it came is in the journal");
    let mali = world.site("ML")?.folder().to_owned();
    assert_eq!(vault_files(&mali)?, 0, "nothing of it came into the vault");
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

/// How a node would greet Mali at this moment.
fn hello_of(node: &Node) -> anyhow::Result<Hello> {
    let view = node.engine.view();
    let mali = "ML".parse()?;
    let mut lanes = [LanePositions::default(); 3];
    for (lane, positions) in Lane::ALL.iter().zip(&mut lanes) {
        let (out, into) = (view.lane_out(mali, *lane)?, view.lane_in(mali, *lane)?);
        (positions.queued, positions.received, positions.received_hash) = (out.queued, into.received, into.hash);
    }
    Ok(Hello {
        protocol: (PROTOCOL_MIN, PROTOCOL_MAX),
        society: node.society,
        epoch: node.link.epoch,
        lanes,
        clock: now(),
        bundle_version: node.link.bundle_version,
        deflate: false,
        brief_receipts: false,
        readings: false,
    })
}

/// Dials Mali with the keys in `folder` and brings one parcel as the first of the bulk lane; what the receipt rejects.
async fn brought(folder: &Path, hello: Hello, bytes: &[u8]) -> anyhow::Result<Vec<(Position, String)>> {
    let (_, trust) = TrustFolder::open_at(&folder.join("trust"))?;
    let known = peers::read_bundles(&PeerBundles::open(folder)?)?;
    let live = LiveTrust::new(&peers::material(&trust.identity, trust.bundle.bundle(), &known), Arc::new(now))?;
    let mali = known.iter().map(SignedBundle::bundle).find(|bundle| bundle.society.code() == "ML").context("Mali")?;
    let address = mali.addresses.first().context("an address")?;
    let connector = Connector::new(live, mali.society, Surroundings::machine().network);
    let channel = Endpoint::from_shared(format!("http://{address}"))?.connect_with_connector(connector).await?;
    let (frames, outgoing) = tokio::sync::mpsc::channel(4);
    frames.send(v1::Frame::from(Frame::Hello(hello))).await?;
    let mut answers = LinkServiceClient::new(channel).exchange(ReceiverStream::new(outgoing)).await?.into_inner();
    let mut content = Vec::new();
    parcel::put_varint(&mut content, bytes.len() as u64);
    content.extend_from_slice(bytes);
    let piece = Piece { lane: Lane::Bulk, position: Position(1), offset: 0, content, deflated: false };
    let mut sent = false;
    let heard = async {
        while let Some(frame) = answers.message().await? {
            match Frame::try_from(frame)? {
                Frame::Hello(_) if !sent => {
                    sent = true;
                    frames.send(v1::Frame::from(Frame::Parcels(piece.clone()))).await?;
                }
                Frame::Receipt(signed) => {
                    let receipt = signed.open(&mali.signing_keys, &Ed25519Verifier)?;
                    if receipt.lane == Lane::Bulk && receipt.position == Position(1) {
                        return Ok(receipt.rejected.into_iter().map(|one| (one.position, one.code)).collect());
                    }
                }
                _ => {}
            }
        }
        anyhow::bail!("Mali ended the session without a receipt")
    };
    tokio::time::timeout(PATIENCE, heard).await?
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

/// One look of the node's minute at itself, with its clock as it is; the lines of its figures that say so much of `what`.
async fn minute(world: &mut World, what: &str) -> anyhow::Result<Vec<String>> {
    let (node, around) = (world.node("GM")?, world.site("GM")?.around());
    let once = tokio_util::sync::CancellationToken::new();
    once.cancel();
    node.clone().keep(around, once).await?;
    let text = node.link.metrics.to_text();
    Ok(text.lines().filter(|line| line.starts_with(&format!("passerelle_{what}"))).map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_minute_of_a_node_says_who_is_late_and_what_still_stands_in_its_files() -> anyhow::Result<()> {
    let mut world = World::started(&["GM", "ML"]).await?;
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    let mali = Handovers::of(&*world.node("ML")?).await?;
    let id = in_service(&gambia, &mali).await?;
    drop(mali);
    world.site("ML")?.stop().await?;
    gambia.withdraw(&id).await?;
    gambia.until(&id, "erased").await?;
    assert!(minute(&mut world, "withdrawals_late{").await?.is_empty());
    world.site("GM")?.pass(25 * HOUR);
    let late = minute(&mut world, "withdrawals_late{").await?;
    assert!(late.len() == 1 && late[0].contains("withdrawal_unanswered") && late[0].ends_with(" 1"), "{late:?}");
    // What was said of the case is forgotten, and stands in the log until the store is made anew.
    let alarm = "forgotten_text_in_log".to_owned();
    assert!(!gambia.alarms().await?.contains(&alarm));
    world.site("GM")?.pass(8 * DAY);
    assert!(gambia.alarms().await?.contains(&alarm), "{:?}", gambia.alarms().await?);
    let since = minute(&mut world, "forgotten_in_log_seconds").await?;
    assert!(since.len() == 1 && !since[0].ends_with(" 0.0"), "{since:?}");
    drop(gambia);
    world.site("GM")?.restart().await?;
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    assert!(!gambia.alarms().await?.contains(&alarm), "a start makes the store anew");
    assert!(minute(&mut world, "forgotten_in_log_seconds").await?[0].ends_with(" 0.0"));
    // An answer after all ends the alarm of the withdrawal.
    world.site("ML")?.start().await?;
    gambia.until_erased_by(&id, "ML").await?;
    assert!(minute(&mut world, "withdrawals_late{").await?.is_empty());
    drop(gambia);
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
