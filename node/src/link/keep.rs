//! Keeping what came: the package of a release, or a correction, goes into the vault before the journal names it, and out
//! of it again when the journal then does not. From the vault to the engine's answer one delivery at a time has to do
//! with a case. May ask the vault and the engine.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use passerelle_domain::{
    decide::{Command, Opened, Reply},
    defect,
    digest::Digest,
    entry::PackageRef,
    envelope::Lane,
    facts::Facts as _,
    fold::Content,
    handover::{Action, Side, transition},
    ids::{CaseId, HandoverId, Position, RequestId},
    limits::{CORRECTION_BYTES_MAX, SEAL_BYTES_MAX},
    refusal::{Code, Refusal},
    rights::correction::key_of,
    society::Society,
};
use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio_util::sync::CancellationToken;

use crate::supervise::offload;

use super::{Link, under_way::Pending};

/// The cases for which something is being kept.
#[derive(Default)]
pub(super) struct Cases(Mutex<BTreeMap<CaseId, Weak<tokio::sync::Mutex<()>>>>);

impl Cases {
    /// Waits until nobody else keeps anything for the case.
    async fn alone(&self, case: CaseId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut cases = self.0.lock();
            cases.retain(|_, turn| turn.strong_count() > 0);
            let known = cases.get(&case).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let turn = Arc::default();
                cases.insert(case, Arc::downgrade(&turn));
                turn
            })
        };
        turn.lock_owned().await
    }
}

/// A parcel of a peer's, opened.
pub(super) struct Delivery {
    pub(super) peer: Society,
    pub(super) lane: Lane,
    pub(super) position: Position,
    pub(super) opened: Box<Opened>,
    /// What came behind the envelope; it is for the vault and not for the engine.
    pub(super) attachment: Vec<u8>,
}

impl Delivery {
    fn command(self, package: Option<Result<PackageRef, Refusal>>) -> Command {
        let Self { peer, lane, position, opened, .. } = self;
        Command::Deliver { peer, lane, position, opened, package }
    }
}

/// What a delivery brings for the vault, by what the journal names it with.
#[derive(Clone, Copy)]
enum Subject {
    /// The package of a release, which commits to it.
    Release(HandoverId, Digest),
    /// What a person wants put right.
    Correction(RequestId),
}

/// What the engine is told of a package.
type Package = Option<Result<PackageRef, Refusal>>;

/// Has the engine judge a delivery, once what it brings lies in the vault. Returns when the command is in the engine's
/// queue. It never gets there once `replaced` is cancelled, nor when nobody waits any more: the peer sends it again.
pub(super) async fn deliver(link: &Link, replaced: CancellationToken, delivery: Delivery) -> Result<Pending, Refusal> {
    let Some((subject, case)) = subject_of(link, &delivery)? else {
        return link.engine.submit_waiting(delivery.command(None)).await;
    };
    let (submitted, taken) = oneshot::channel();
    let (answer, pending) = oneshot::channel();
    let keeper = Keeper { link: link.clone(), peer: delivery.peer, subject, case, replaced };
    // A task of its own: what becomes of a package must not depend on how long the session lasts, and the session may
    // bring the next one for the same case before it looks at the answer to this one.
    link.spawner.spawn("keeper of a package", keeper.see_to(delivery, submitted, answer));
    taken.await.map_err(|_| unfinished())??;
    Ok(pending)
}

/// What of a delivery is for the vault, and the case whose key it is to lie under.
fn subject_of(link: &Link, delivery: &Delivery) -> Result<Option<(Subject, CaseId)>, Refusal> {
    let Ok(letter) = &delivery.opened.outcome else { return Ok(None) };
    match &letter.content {
        Content::Release(release) if !release.is_held_at_origin() => {
            let known = link.engine.view().handover(release.id)?;
            // A handover that is not ours to receive is refused by the engine; nothing of it is kept.
            let ours = known.filter(|row| row.to == link.own && row.from == delivery.peer);
            let subject = Subject::Release(release.id, release.package_commitment);
            Ok(ours.map(|row| (subject, row.case.unwrap_or_else(|| link.pseudonyms.received(release.id)))))
        }
        Content::Rights(message) if letter.envelope.attachment.is_some() => {
            let request = message.request.id;
            Ok(Some((Subject::Correction(request), key_of(request))))
        }
        _ => Ok(None),
    }
}

/// Sees to one delivery that brings something for the vault.
struct Keeper {
    link: Link,
    peer: Society,
    subject: Subject,
    case: CaseId,
    replaced: CancellationToken,
}

impl Keeper {
    /// Keeps it, has the engine judge it, and takes it out of the vault again unless the journal names it then.
    async fn see_to(
        self,
        mut delivery: Delivery,
        mut submitted: oneshot::Sender<Result<(), Refusal>>,
        answer: oneshot::Sender<Result<Reply, Refusal>>,
    ) {
        let _alone = tokio::select! {
            biased;
            () = submitted.closed() => return,
            alone = self.link.registry.cases.alone(self.case) => alone,
        };
        let attachment = std::mem::take(&mut delivery.attachment);
        let (package, kept) = match self.keep(attachment).await {
            Ok(kept) => kept,
            Err(refusal) => return drop(submitted.send(Err(refusal))),
        };
        let pending = tokio::select! {
            biased;
            () = self.replaced.cancelled() => Err(over()),
            () = submitted.closed() => Err(over()),
            pending = self.link.engine.submit_waiting(delivery.command(package)) => pending,
        };
        let pending = match pending {
            Ok(pending) => pending,
            Err(refusal) => {
                self.take_back(kept).await;
                return drop(submitted.send(Err(refusal)));
            }
        };
        // From here on the session may end: it is judged all the same.
        let _ = submitted.send(Ok(()));
        // An engine that ended without an answer may have written it: the next start sees to that.
        let Ok(outcome) = pending.await else { return };
        if !matches!(outcome, Ok(Reply::Received { accepted: true, .. })) {
            self.take_back(kept).await;
        }
        let _ = answer.send(outcome);
    }

    /// Puts it into the vault, unless it is there or comes too late. What the engine is to be told of it, and what was put
    /// there now.
    async fn keep(&self, attachment: Vec<u8>) -> Result<(Package, Option<PackageRef>), Refusal> {
        match self.subject {
            Subject::Release(handover, commitment) => self.keep_package(handover, commitment, attachment).await,
            Subject::Correction(request) => self.keep_correction(request, attachment).await,
        }
    }

    async fn keep_package(
        &self,
        handover: HandoverId,
        commitment: Digest,
        attachment: Vec<u8>,
    ) -> Result<(Package, Option<PackageRef>), Refusal> {
        let Some(row) = self.link.engine.view().handover(handover)? else { return Ok((None, None)) };
        if let Some(package) = row.package {
            return Ok((Some(Ok(package)), None));
        }
        let late = transition(row.state, Action::Release, Side::From).is_err();
        if defect!(IgnoreTombstone => false, else late) {
            // What comes too late, after a withdrawal that overtook it, is refused by the engine too.
            return Ok((None, None));
        }
        let (packages, peer, case) = (self.link.packages.clone(), self.peer, self.case);
        let kept = offload(move || packages.receive(peer, handover, case, &attachment)).await;
        Ok(match kept.map_err(|_| unfinished())? {
            Ok(found) => {
                let kept = PackageRef { case, commitment: found };
                let other = || Refusal::new(Code::BadDigest, "the package is not the one that the release commits to");
                (Some(if found == commitment { Ok(kept) } else { Err(other()) }), Some(kept))
            }
            Err(refusal) => (Some(Err(refusal)), None),
        })
    }

    async fn keep_correction(
        &self,
        request: RequestId,
        attachment: Vec<u8>,
    ) -> Result<(Package, Option<PackageRef>), Refusal> {
        let known = self.link.engine.view().correction(request)?.unwrap_or_default();
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
        let (packages, peer) = (self.link.packages.clone(), self.peer);
        let kept = offload(move || packages.receive_correction(peer, request, &attachment)).await;
        let kept = kept.map_err(|_| unfinished())?;
        let place = kept.as_ref().ok().copied();
        Ok((Some(kept), place))
    }

    /// Whether the journal names what lies in the vault for this delivery: it was accepted before, from another session.
    fn is_named(&self) -> Result<bool, Refusal> {
        let view = self.link.engine.view();
        Ok(match self.subject {
            Subject::Release(handover, _) => view.handover(handover)?.is_some_and(|row| row.package.is_some()),
            Subject::Correction(request) => view.correction(request)?.is_some_and(|row| row.kept.is_some()),
        })
    }

    /// Takes out of the vault what was put there and then refused, such as what a withdrawal overtook.
    async fn take_back(&self, kept: Option<PackageRef>) {
        let Some(kept) = kept else { return };
        let packages = self.link.packages.clone();
        let gone = match self.is_named() {
            Ok(true) => return,
            Ok(false) => offload(move || packages.take_back(&kept)).await.map_err(|_| unfinished()),
            Err(refusal) => Err(refusal),
        };
        if !matches!(gone, Ok(Ok(()))) {
            tracing::error!("a package that was refused could not be erased; a later start removes it");
        }
    }
}

fn over() -> Refusal {
    Refusal::new(Code::SessionExists, "another session took this one's place")
}

fn unfinished() -> Refusal {
    Refusal::new(Code::VaultFailed, "the vault did not finish")
}
