//! The story of the demo, step by step. A step is told as done only when the nodes themselves say so.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use passerelle_domain::alert::AlertDraft;
use passerelle_proto::{convert::alert_message, v1};
use tonic::transport::Channel;
use tonic_types::StatusExt as _;
use v1::{
    alert_service_client::AlertServiceClient, audit_service_client::AuditServiceClient,
    consent_service_client::ConsentServiceClient, handover_service_client::HandoverServiceClient,
};

use crate::clock::{Clock as _, SystemClock};

use super::{Teller, nodes::Nodes};

const SHIPWRECK: &str = include_str!("../../../../config/demo/alert-shipwreck.toml");
const CONVOY: &str = include_str!("../../../../config/demo/alert-convoy.toml");
const CONSENT: &str = include_str!("../../../../config/demo/consent.toml");
const HANDOVER: &str = include_str!("../../../../config/demo/handover.toml");
const PACKAGE: &str = include_str!("../../../../config/demo/package.toml");

/// How long an event may take to show at another node, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn tell_it(teller: &mut Teller, root: &Path, nodes: &mut Option<Nodes>) -> anyhow::Result<()> {
    let societies = ["GM", "ML", "SN"].map(str::parse);
    let [gambia, mali, senegal] = societies;
    let societies = [gambia?, mali?, senegal?];
    teller
        .step("prepare", async {
            *nodes = Some(Nodes::prepare(root, &societies)?);
            Ok("a root, certificates, keys and a configuration each; bundles exchanged as files".to_owned())
        })
        .await?;
    let nodes = nodes.as_mut().context("the nodes were prepared")?;
    teller.step("start", start(nodes)).await?;
    teller.step("join", join(nodes)).await?;
    teller.step("alert", Box::pin(alert(nodes, SHIPWRECK))).await?;
    let mut case = String::new();
    let mut consent = String::new();
    let mut id = String::new();
    teller
        .step("consent", async {
            let recorded = record_consent(nodes).await?;
            (case, consent) = (recorded.case_id, recorded.id);
            Ok(format!("recorded in The Gambia for a new case, version digest {}", short(&recorded.digest)))
        })
        .await?;
    teller
        .step("offer", async {
            let (offered, detail) = offer(nodes, &case, &consent).await?;
            id = offered;
            Ok(detail)
        })
        .await?;
    teller.step("accept", accept(nodes, &id)).await?;
    teller.step("release", release(nodes, &id)).await?;
    teller.step("receipt", receipt(nodes, &id)).await?;
    teller.step("refusal", refusal(nodes, &case, &consent)).await?;
    teller.step("crash", Box::pin(crash(nodes))).await?;
    teller.step("withdraw", Box::pin(withdraw(nodes, &id))).await?;
    teller.step("tombstone", Box::pin(tombstone(nodes, &id))).await?;
    teller.step("verify", verify(nodes)).await
}

fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

async fn start(nodes: &mut Nodes) -> anyhow::Result<String> {
    for code in ["GM", "ML", "SN"] {
        nodes.node(code)?.start().await?;
    }
    Ok("three passerelle-node processes answer at their operator sockets".to_owned())
}

/// Asks again until the answer is there.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Ok(Some(found)) = ask().await {
            return Ok(found);
        }
        ensure!(tokio::time::Instant::now() < deadline, "it did not happen in {} s: {what}", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn join(nodes: &mut Nodes) -> anyhow::Result<String> {
    for code in ["GM", "ML", "SN"] {
        let node = nodes.node(code)?;
        until("every link is up", async || {
            let status = node.status().await?;
            Ok(status.peers.iter().all(|peer| peer.link == "up").then_some(()).filter(|()| status.peers.len() == 2))
        })
        .await?;
    }
    Ok("three links are up, over mutual TLS 1.3".to_owned())
}

async fn raise(channel: Channel, text: &str) -> anyhow::Result<v1::RaiseAlertResponse> {
    let draft: AlertDraft = toml::from_str(text)?;
    let alert = alert_message(draft, SystemClock::new().now());
    let request = v1::RaiseAlertRequest { id: String::new(), alert: Some(alert) };
    Ok(AlertServiceClient::new(channel).raise_alert(request).await?.into_inner())
}

async fn find_alert(channel: Channel, id: &str) -> anyhow::Result<Option<v1::AlertView>> {
    let request = v1::GetAlertRequest { id: id.to_owned() };
    Ok(AlertServiceClient::new(channel).get_alert(request).await?.into_inner().alert)
}

async fn alert(nodes: &mut Nodes, text: &str) -> anyhow::Result<String> {
    let raised = raise(nodes.channel("SN").await?, text).await?;
    ensure!(raised.recipients.len() == 2, "it went to {:?}", raised.recipients);
    for code in ["GM", "ML"] {
        let channel = nodes.channel(code).await?;
        let view =
            until("the alert is at the neighbour", async || find_alert(channel.clone(), &raised.id).await).await?;
        ensure!(view.digest == raised.digest, "{code} holds another alert");
    }
    let channel = nodes.channel("SN").await?;
    until("both neighbours have receipted", async || {
        let view = find_alert(channel.clone(), &raised.id).await?;
        Ok(view.filter(|view| view.deliveries.iter().all(|delivery| delivery.state == "delivered")))
    })
    .await?;
    Ok(format!("alert {} from Senegal is in Mali and The Gambia, receipted by both", raised.id))
}

fn json(text: &str) -> anyhow::Result<String> {
    Ok(toml::from_str::<serde_json::Value>(text)?.to_string())
}

async fn record_consent(nodes: &mut Nodes) -> anyhow::Result<v1::RecordConsentResponse> {
    let consent = v1::Consent { case_id: String::new(), record_json: json(CONSENT)? };
    let request = v1::RecordConsentRequest { id: String::new(), consent: Some(consent) };
    let mut client = ConsentServiceClient::new(nodes.channel("GM").await?);
    Ok(client.record_consent(request).await?.into_inner())
}

fn offer_request(case: &str, consent: &str, to: &str) -> anyhow::Result<v1::OfferHandoverRequest> {
    let mut draft: serde_json::Value = toml::from_str(HANDOVER)?;
    draft["consent"] = consent.into();
    draft["to"] = to.into();
    Ok(v1::OfferHandoverRequest {
        id: String::new(),
        case_id: case.to_owned(),
        draft_json: draft.to_string(),
        package_json: json(PACKAGE)?,
        release_on_acceptance: false,
        letters: Vec::new(),
    })
}

async fn find_handover(channel: Channel, id: &str) -> anyhow::Result<Option<v1::HandoverView>> {
    let request = v1::GetHandoverRequest { id: id.to_owned() };
    Ok(HandoverServiceClient::new(channel).get_handover(request).await?.into_inner().handover)
}

async fn wait_for_state(nodes: &Nodes, code: &str, id: &str, state: &str) -> anyhow::Result<v1::HandoverView> {
    let channel = nodes.channel(code).await?;
    until(&format!("the handover is {state} in {code}"), async || {
        Ok(find_handover(channel.clone(), id).await?.filter(|view| view.state == state))
    })
    .await
}

async fn offer(nodes: &mut Nodes, case: &str, consent: &str) -> anyhow::Result<(String, String)> {
    let mut client = HandoverServiceClient::new(nodes.channel("GM").await?);
    let offered = client.offer_handover(offer_request(case, consent, "ML")?).await?.into_inner();
    let there = wait_for_state(nodes, "ML", &offered.id, "delivered").await?;
    let package: toml::Table = toml::from_str(PACKAGE)?;
    let name = package["identity_core"]["full_name"].as_str().context("the package names somebody")?;
    ensure!(!there.offer_json.contains(name), "the offer identifies the person");
    ensure!(!there.package_here, "the package crossed before acceptance");
    wait_for_state(nodes, "GM", &offered.id, "delivered").await?;
    let detail = format!("handover {} (card {}) lies in Mali: coded, without identity", offered.id, offered.short_code);
    Ok((offered.id, detail))
}

async fn accept(nodes: &mut Nodes, id: &str) -> anyhow::Result<String> {
    let mut client = HandoverServiceClient::new(nodes.channel("ML").await?);
    let request =
        v1::AcceptHandoverRequest { id: id.to_owned(), team: "intake.kayes".to_owned(), services: Vec::new() };
    client.accept_handover(request).await?;
    let view = wait_for_state(nodes, "GM", id, "accepted").await?;
    Ok(format!("Mali takes {}; {} stays responsible", view.accepted_services.join(", "), view.responsible))
}

async fn release(nodes: &mut Nodes, id: &str) -> anyhow::Result<String> {
    let mut client = HandoverServiceClient::new(nodes.channel("GM").await?);
    let request = v1::ReleaseHandoverRequest { id: id.to_owned(), package_json: String::new(), letters: Vec::new() };
    let released = client.release_handover(request).await?.into_inner();
    let there = wait_for_state(nodes, "ML", id, "disclosed").await?;
    ensure!(there.package_here, "Mali has no package");
    let mut client = HandoverServiceClient::new(nodes.channel("ML").await?);
    let request = v1::ReadPackageRequest {
        id: id.to_owned(),
        purpose: "svc.transport".to_owned(),
        sections: vec!["contact".to_owned()],
    };
    let read = client.read_package(request).await?.into_inner();
    ensure!(read.package_json.contains("A."), "the package does not open");
    Ok(format!(
        "the consent still covered it: sections {}; read in Mali, the reading is entry {}",
        released.sections.join(", "),
        read.entry_index
    ))
}

async fn receipt(nodes: &mut Nodes, id: &str) -> anyhow::Result<String> {
    let mut client = HandoverServiceClient::new(nodes.channel("ML").await?);
    let request = v1::ReportHandoverRequest { id: id.to_owned(), step: "in_service".to_owned(), ..Default::default() };
    client.report_handover(request).await?;
    let view = wait_for_state(nodes, "GM", id, "in_service").await?;
    ensure!(view.responsible == "ML", "{} is still responsible", view.responsible);
    let steps: Vec<_> = view.history.iter().map(|event| event.step.as_str()).collect();
    Ok(format!("the person is in Mali's care; history in The Gambia: {}", steps.join(", ")))
}

async fn refusal(nodes: &mut Nodes, case: &str, consent: &str) -> anyhow::Result<String> {
    let mut client = HandoverServiceClient::new(nodes.channel("GM").await?);
    let outcome = client.offer_handover(offer_request(case, consent, "SN")?).await;
    let status = outcome.err().context("a handover that the consent does not name was accepted")?;
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    ensure!(reason == "consent_recipient", "it was refused as {reason:?}: {}", status.message());
    Ok(format!("to Senegal, whom the person did not name: refused as {reason} ({})", status.message()))
}

/// The person, now in Mali, takes the consent back: both nodes stop, erase, and tell each other so.
async fn withdraw(nodes: &mut Nodes, id: &str) -> anyhow::Result<String> {
    let mut client = ConsentServiceClient::new(nodes.channel("ML").await?);
    let request = v1::WithdrawConsentRequest { handover_id: id.to_owned(), ..Default::default() };
    let taken_back = client.withdraw_consent(request).await?.into_inner();
    for code in ["ML", "GM"] {
        wait_for_state(nodes, code, id, "erased").await?;
    }
    let mut lines = vec![format!("taken back in Mali, by entry {}", taken_back.entry_index)];
    for (code, other) in [("ML", "GM"), ("GM", "ML")] {
        let channel = nodes.channel(code).await?;
        let holder = until("the receipt of the other's erasure is here", async || {
            let request = v1::GetWithdrawalRequest { handover_id: id.to_owned(), ..Default::default() };
            let answer = ConsentServiceClient::new(channel.clone()).get_withdrawal(request).await?.into_inner();
            let ours = answer.withdrawals.into_iter().find(|one| one.state == "withdrawn" && one.own_state == "erased");
            let holders = ours.map(|one| one.holders).unwrap_or_default();
            Ok(holders.into_iter().find(|one| one.society == other && one.state == "erased"))
        })
        .await?;
        lines.push(format!("{code} has erased, and holds {other}'s receipt (kept: {})", holder.kept.join(", ")));
    }
    Ok(lines.join("\n"))
}

/// Nothing brings the case back: not its package, not its replay.
async fn tombstone(nodes: &mut Nodes, id: &str) -> anyhow::Result<String> {
    let request = v1::ReadPackageRequest { id: id.to_owned(), purpose: "svc.transport".to_owned(), sections: vec![] };
    let read = HandoverServiceClient::new(nodes.channel("ML").await?).read_package(request).await;
    let status = read.err().context("the package could still be read")?;
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    ensure!(reason == "withdrawn", "it was refused as {reason:?}: {}", status.message());
    let view = find_handover(nodes.channel("GM").await?, id).await?.context("the handover is known")?;
    let released = view.history.iter().find(|event| event.step == "release").context("it was released")?;
    let request = v1::ReplayToPeerRequest {
        society: "ML".to_owned(),
        from_entry: released.entry_index,
        until_entry: released.entry_index,
    };
    let mut client = v1::peer_service_client::PeerServiceClient::new(nodes.channel("GM").await?);
    let replayed = client.replay_to_peer(request).await?.into_inner();
    ensure!(replayed.envelopes == 0, "the old package went again");
    ensure!(replayed.withheld.contains_key("withdrawn"), "it was withheld as {:?}", replayed.withheld);
    Ok("reading is refused in Mali; a replay of the old package is refused in The Gambia, as withdrawn".to_owned())
}

async fn crash(nodes: &mut Nodes) -> anyhow::Result<String> {
    nodes.node("ML")?.kill().await?;
    let raised = raise(nodes.channel("SN").await?, CONVOY).await?;
    let gambia = nodes.channel("GM").await?;
    until("the alert is in The Gambia", async || find_alert(gambia.clone(), &raised.id).await).await?;
    nodes.node("ML")?.start().await?;
    let mali = nodes.channel("ML").await?;
    let view = until("Mali has caught up", async || find_alert(mali.clone(), &raised.id).await).await?;
    ensure!(view.digest == raised.digest, "Mali holds another alert");
    Ok(format!("Mali was killed, missed alert {}, came back and has it", raised.id))
}

async fn verify(nodes: &mut Nodes) -> anyhow::Result<String> {
    let mut lines = Vec::new();
    for code in ["GM", "ML", "SN"] {
        let mut client = AuditServiceClient::new(nodes.channel(code).await?);
        let mut stream = client.verify_journal(v1::VerifyJournalRequest {}).await?.into_inner();
        let mut last = None;
        while let Some(progress) = stream.message().await? {
            last = Some(progress);
        }
        let report = last.filter(|report| report.done).context("the verification did not finish")?;
        ensure!(report.ok, "the journal of {code} does not hold: {}", report.faults.join("; "));
        lines.push(format!("{code}: {} entries hold, root {}", report.entries_checked, short(&report.root_hash)));
    }
    Ok(lines.join("\n"))
}
