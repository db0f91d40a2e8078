//! Keeping what came: the package of a release goes into the vault before the journal names it.

use passerelle_domain::{
    decide::Opened,
    defect,
    entry::PackageRef,
    facts::Facts as _,
    fold::Content,
    handover::{Action, Side, transition},
    ids::CaseId,
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
    let Content::Release(release) = &letter.content else { return Ok((None, None)) };
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
