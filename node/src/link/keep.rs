//! Keeping what came: the package of a release goes into the vault before the journal names it.

use passerelle_domain::{
    decide::Opened,
    defect,
    entry::PackageRef,
    facts::Facts as _,
    fold::Content,
    handover::{Action, Side, transition},
    ids::{CaseId, RequestId},
    limits::{CORRECTION_BYTES_MAX, SEAL_BYTES_MAX},
    refusal::{Code, Refusal},
    society::Society,
};

use crate::supervise::offload;

use super::Link;

/// Puts the package that came with a release into the vault, before the journal names it.
pub(super) async fn keep_package(
    link: &Link,
    peer: Society,
    opened: &Opened,
    attachment: Vec<u8>,
) -> Result<(Option<Result<PackageRef, Refusal>>, Option<CaseId>), Refusal> {
    let Ok(letter) = &opened.outcome else { return Ok((None, None)) };
    let release = match &letter.content {
        Content::Release(release) => release,
        Content::Rights(message) if letter.envelope.attachment.is_some() => {
            return keep_correction(link, peer, message.request.id, attachment).await;
        }
        _ => return Ok((None, None)),
    };
    if release.is_held_at_origin() {
        return Ok((None, None));
    }
    let known = link.engine.view().handover(release.id)?;
    // A handover that is not ours to receive is refused by the engine; nothing of it is kept.
    let Some(row) = known.filter(|row| row.to == link.own && row.from == peer) else { return Ok((None, None)) };
    if let Some(package) = row.package {
        return Ok((Some(Ok(package)), None));
    }
    let late = transition(row.state, Action::Release, Side::From).is_err();
    if defect!(IgnoreTombstone => false, else late) {
        // Neither is what comes too late, after a withdrawal that overtook it.
        return Ok((None, None));
    }
    let case = row.case.unwrap_or_else(|| link.pseudonyms.received(release.id));
    let (packages, commitment) = (link.packages.clone(), release.package_commitment);
    let handover = release.id;
    let kept = offload(move || packages.receive(peer, handover, case, &attachment))
        .await
        .map_err(|_| Refusal::new(Code::VaultFailed, "the vault did not finish"))?;
    let opened_case = (kept.is_ok() && row.case.is_none()).then_some(case);
    let package = kept.and_then(|found| {
        if found == commitment {
            Ok(PackageRef { case, commitment })
        } else {
            Err(Refusal::new(Code::BadDigest, "the package is not the one that the release commits to"))
        }
    });
    Ok((Some(package), opened_case))
}

/// Puts what is to be put right into the vault, under the key of its request.
async fn keep_correction(
    link: &Link,
    peer: Society,
    request: RequestId,
    attachment: Vec<u8>,
) -> Result<(Option<Result<PackageRef, Refusal>>, Option<CaseId>), Refusal> {
    let known = link.engine.view().correction(request)?.unwrap_or_default();
    if let Some(place) = known.kept {
        return Ok((Some(Ok(place)), None));
    }
    if known.destroyed.is_some() {
        return Ok((None, None));
    }
    if attachment.len() > CORRECTION_BYTES_MAX + SEAL_BYTES_MAX {
        let message = format!("a correction has at most {CORRECTION_BYTES_MAX} bytes");
        return Ok((Some(Err(Refusal::new(Code::TooLarge, message))), None));
    }
    let packages = link.packages.clone();
    let kept = offload(move || packages.receive_correction(peer, request, &attachment))
        .await
        .map_err(|_| Refusal::new(Code::VaultFailed, "the vault did not finish"))?;
    // What we sealed to others for the same request lies under the same key.
    let opened_case = kept.as_ref().ok().map(|place| place.case).filter(|_| known.sent.is_empty());
    Ok((Some(kept), opened_case))
}
