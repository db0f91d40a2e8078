//! Evidence of a consent at a real node: it lies in the vault of the node that collected it and nowhere else, opens for few,
//! and ends with the consent, with the case, and after a backup was put back.

use std::{fs, time::Duration};

use passerelle_domain::{digest::Digest, facts::Facts as _, ids::ConsentId};
use passerelle_proto::v1::{self, consent_service_client::ConsentServiceClient};
use passerelle_tests::world::{Handovers, World, channel, copy_folder, needles, search, vault_files, verified};
use tonic::{Status, transport::Channel};
use tonic_types::StatusExt as _;

/// A recording: what a voice says must be found nowhere.
const VOICE: &[u8] = b"OggS a voice that says yes, and whose it is";

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

async fn consents(world: &World, code: &str) -> anyhow::Result<ConsentServiceClient<Channel>> {
    Ok(ConsentServiceClient::new(channel(&world.node(code)?.config.operator.socket).await?))
}

fn keep(consent: &str, kind: &str, content: &[u8]) -> v1::KeepEvidenceRequest {
    v1::KeepEvidenceRequest { consent_id: consent.to_owned(), kind: kind.to_owned(), content: content.to_vec() }
}

fn read(consent: &str) -> v1::ReadEvidenceRequest {
    v1::ReadEvidenceRequest { consent_id: consent.to_owned(), purpose: "complaint".into(), digest: String::new() }
}

/// A case whose consent was recorded as it was spoken.
async fn spoken(gambia: &Handovers) -> anyhow::Result<(String, String)> {
    let change = |record: &mut serde_json::Value| {
        record["collection"] = "oral_recorded".into();
        record["evidence"] = Digest::of(VOICE).to_string().into();
    };
    gambia.record_consent_with(change).await
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_stays_where_it_was_taken_and_ends_with_the_case() -> anyhow::Result<()> {
    let mut world = World::started(&["GM", "ML"]).await?;
    let folders = [world.site("GM")?.folder().to_owned(), world.site("ML")?.folder().to_owned()];
    let voice = vec![("the voice".to_owned(), VOICE[5..].to_vec())];
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    let mali = Handovers::of(&*world.node("ML")?).await?;
    let case = spoken(&gambia).await?;
    let mut service = consents(&world, "GM").await?;
    for (kind, content, code) in [
        ("recording", b"OggS another voice".as_slice(), "consent_integrity"),
        ("recording", b"\xff\xd8\xff a picture", "malformed"),
        ("signed_form", b"%PDF-1.7", "malformed"),
        ("thumbprint", VOICE, "unknown_code"),
    ] {
        let refused = service.keep_evidence(keep(&case.1, kind, content)).await.expect_err(code);
        assert_eq!(reason(&refused), code, "{refused:?}");
        assert_eq!(vault_files(&folders[0])?, 0, "nothing of what was refused is kept");
    }
    let first = service.keep_evidence(keep(&case.1, "recording", VOICE)).await?.into_inner();
    assert_eq!(service.keep_evidence(keep(&case.1, "recording", VOICE)).await?.into_inner(), first, "once");
    assert_eq!(vault_files(&folders[0])?, 2, "a sealed file and a key of its own");
    let heard = service.read_evidence(read(&case.1)).await?.into_inner();
    assert_eq!((heard.content.as_slice(), heard.kind.as_str()), (VOICE, "recording"));
    assert!(!format!("{:?}", service.get_consent(v1::GetConsentRequest { id: case.1.clone() }).await?).contains("yes"));

    let id = gambia.offer(&case, "ML").await?;
    mali.until(&id, "delivered").await?;
    mali.accept(&id).await?;
    gambia.until(&id, "accepted").await?;
    gambia.release(&id).await?;
    mali.until(&id, "disclosed").await?;
    for folder in &folders {
        search(folder, &voice, "released")?;
    }
    assert!(!folders[1].join("vault/evidence").read_dir()?.any(|_| true), "the proof does not travel");
    let sealed = needles(&folders[0])?;
    let backup = world.folder().join("backup");
    copy_folder(&folders[0].join("vault"), &backup)?;

    mali.withdraw(&id).await?;
    gambia.until(&id, "erased").await?;
    assert_eq!(vault_files(&folders[0])?, 0, "the key of the evidence too");
    let refused = service.read_evidence(read(&case.1)).await.expect_err("destroyed");
    assert_eq!(reason(&refused), "package_absent");
    let shown = service.get_consent(v1::GetConsentRequest { id: case.1.clone() }).await?.into_inner().consent;
    assert!(shown.is_some_and(|one| one.evidence.is_empty() && one.evidence_destroyed_at.is_some()));
    search(&folders[0], &sealed, "erased")?;
    verified(&*world.node("GM")?)?;

    // A backup of the vault comes back: the journal knows that it is to have nothing.
    drop((gambia, mali, service));
    world.site("GM")?.stop().await?;
    fs::remove_dir_all(folders[0].join("vault"))?;
    copy_folder(&backup, &folders[0].join("vault"))?;
    assert!(vault_files(&folders[0])? >= 4);
    world.site("GM")?.start().await?;
    assert_eq!(vault_files(&folders[0])?, 0, "purged at the start");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_ends_some_time_after_the_consent_though_the_case_goes_on() -> anyhow::Result<()> {
    let mut world = World::started(&["GM"]).await?;
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    let case = spoken(&gambia).await?;
    let mut service = consents(&world, "GM").await?;
    service.keep_evidence(keep(&case.1, "recording", VOICE)).await?;
    let node = world.node("GM")?;
    let folder = world.site("GM")?.folder().to_owned();
    assert_eq!(node.upkeep.sweep().await?.purged, 0);
    let valid_until = {
        let view = node.engine.view();
        let row = view.consent(case.1.parse::<ConsentId>()?)?.ok_or_else(|| anyhow::anyhow!("a record"))?;
        let object = view.object(row.entry)?.ok_or_else(|| anyhow::anyhow!("an object"))?;
        passerelle_domain::consent::ConsentRecord::from_cbor(&object)?.valid_until
    };
    let left = valid_until.since(passerelle_tests::world::now());
    world.site("GM")?.pass(left + Duration::from_secs(29 * 86_400));
    assert_eq!(node.upkeep.sweep().await?.purged, 0, "not early");
    assert_eq!(node.upkeep.snapshot().soon.first().map(|found| found.kind), Some("consent_evidence"));
    world.site("GM")?.pass(Duration::from_secs(2 * 86_400));
    assert_eq!(node.upkeep.sweep().await?.purged, 1);
    assert_eq!(vault_files(&folder)?, 0);
    verified(&node)?;
    drop((gambia, service, node));
    world.end().await
}
