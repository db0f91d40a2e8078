//! What the operators' interface asks of peers, links and packages, answered by these rooms. Only
//! translation lives here.

use std::{collections::BTreeSet, sync::Arc};

use passerelle_domain::{
    bundle::{Bundle, SignedBundle},
    catalogue::Section,
    decide::Caller,
    digest::Digest,
    entry::PackageRef,
    envelope::Attachment,
    handover::{Opener, Package, Question},
    ids::{CaseId, ConsentId, EntryIndex, HandoverId, RequestId},
    refusal::{Code, Refusal},
    society::Society,
};
use passerelle_proto::{convert::timestamp, v1};
use zeroize::Zeroizing;

use crate::{
    feed::{Office, SourceStatus},
    link::{Link, LinkStatus, Statuses},
    operator::ports::{
        AddedPeer, BundleFile, FeedView, Kept, LinkSnapshot, LinkView, OriginReader, OwnCertificates, Packages,
        PeerBook, Upkeeping,
    },
    packages,
    peers::Peers,
    trust::bundle_to_json,
    upkeep::{Found, Upkeep},
};

/// The peers of the node, as the operators' interface sees them.
pub struct Book {
    /// The peers.
    pub peers: Arc<Peers>,
    /// Our own bundle, as peers get it.
    pub own: SignedBundle,
}

fn words(bundle: &Bundle) -> String {
    bundle.fingerprint().words().join(" ")
}

fn file(signed: &SignedBundle) -> BundleFile {
    BundleFile { bytes: bundle_to_json(signed).into_bytes(), words: words(signed.bundle()) }
}

#[tonic::async_trait]
impl PeerBook for Book {
    fn own_bundle(&self) -> Result<BundleFile, Refusal> {
        Ok(file(&self.own))
    }

    fn bundle_of(&self, society: Society) -> Result<BundleFile, Refusal> {
        self.peers.bundle_of(society).map(|signed| file(&signed))
    }

    async fn add(&self, caller: Caller, bundle: Vec<u8>, typed: Option<String>) -> Result<AddedPeer, Refusal> {
        let (bundle, entry) = self.peers.add(&caller, &bundle, typed.as_deref()).await?;
        Ok(AddedPeer { society: bundle.society, version: bundle.version, words: words(&bundle), entry })
    }

    async fn remove(&self, caller: Caller, society: Society) -> Result<EntryIndex, Refusal> {
        self.peers.remove(&caller, society).await
    }

    fn own_certificates(&self) -> OwnCertificates {
        let (node_until, root_until) = self.peers.own_certificates();
        OwnCertificates { node_until, root_until }
    }
}

/// The links of the node, as the operators' interface sees them.
pub struct Links(pub Arc<Statuses>);

impl LinkView for Links {
    fn status(&self, peer: Society) -> LinkSnapshot {
        let LinkStatus {
            state,
            last_contact,
            round_trip,
            skew_ms,
            certificate_until,
            last_error,
            next_dial,
            bytes,
            alarms,
        } = self.0.of(peer);
        LinkSnapshot {
            state: state.as_str(),
            last_contact,
            round_trip_ms: round_trip.map(|round_trip| u32::try_from(round_trip.as_millis()).unwrap_or(u32::MAX)),
            skew_ms,
            certificate_until,
            last_error: last_error.map(Code::as_str),
            next_dial,
            bytes_sent: bytes.0,
            bytes_received: bytes.1,
            alarms: alarms.into_iter().collect(),
        }
    }
}

impl Packages for packages::Packages {
    fn put(&self, case: CaseId, package: &[u8]) -> Result<PackageRef, Refusal> {
        Self::put(self, case, package)
    }

    fn get(
        &self,
        package: &PackageRef,
        sections: &BTreeSet<Section>,
        opener: &Opener,
    ) -> Result<(Package, BTreeSet<Section>), Refusal> {
        Self::get(self, package, sections, opener).map(|kept| (kept.package, kept.there))
    }

    fn put_correction(&self, request: RequestId, correction: &[u8]) -> Result<PackageRef, Refusal> {
        Self::put_correction(self, request, correction)
    }

    fn seal_correction(&self, peer: Society, request: RequestId, correction: &[u8]) -> Result<Attachment, Refusal> {
        Self::seal_correction(self, peer, request, correction)
    }

    fn discard_correction(&self, request: RequestId, names: &[Digest]) -> Result<(), Refusal> {
        Self::discard_correction(self, request, names)
    }

    fn put_evidence(&self, consent: ConsentId, evidence: &[u8]) -> Result<PackageRef, Refusal> {
        Self::put_evidence(self, consent, evidence)
    }

    fn evidence(&self, place: &PackageRef) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        Self::evidence(self, place)
    }

    fn discard_evidence(&self, place: &PackageRef) -> Result<(), Refusal> {
        Self::discard_evidence(self, place)
    }

    fn seal_for(
        &self,
        peer: Society,
        handover: HandoverId,
        package: &PackageRef,
        restricted: &[u8],
    ) -> Result<(PackageRef, Attachment), Refusal> {
        Self::seal_for(self, peer, handover, package.case, restricted)
    }

    fn discard(&self, package: &PackageRef) -> Result<(), Refusal> {
        Self::discard(self, package)
    }
}

/// Packages that lie at their origin, as the operators' interface reads them.
pub struct Origins {
    /// The link, over which the origin is asked.
    pub link: Link,
    /// Opens what the origin has sealed.
    pub packages: Arc<packages::Packages>,
}

#[tonic::async_trait]
impl OriginReader for Origins {
    fn check(&self, origin: Society) -> Result<(), Refusal> {
        self.link.may_ask(origin)
    }

    async fn read(&self, origin: Society, question: Question) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let sealed = self.link.ask(origin, question.clone()).await?;
        self.packages.open_reading(origin, &question, &sealed)
    }
}

/// The feeds of the node.
pub struct Feeds(pub Arc<Office>);

impl FeedView for Feeds {
    fn public(&self) -> Option<v1::PublicFeed> {
        let (url, published) = self.0.public()?;
        let published = published.borrow();
        Some(v1::PublicFeed {
            url,
            messages: published.messages() as u64,
            changed_at: published.changed().map(timestamp),
        })
    }

    fn sources(&self) -> Vec<v1::CapSource> {
        self.0.board().sources().into_iter().map(polled).collect()
    }
}

fn polled(source: SourceStatus) -> v1::CapSource {
    let (error_code, error) = source.error.unwrap_or_default();
    v1::CapSource {
        name: source.name,
        url: source.url,
        enabled: source.enabled,
        polled_at: source.polled_at.map(timestamp),
        answered_at: source.answered_at.map(timestamp),
        next_at: source.next.map(timestamp),
        failures: source.failures,
        error_code,
        error,
        drafted: source.drafted,
        refused: source.refused,
        cancelled: source.cancelled.iter().map(ToString::to_string).collect(),
    }
}

/// Retention, as the operators' interface sees it.
pub struct Keeping(pub Arc<Upkeep>);

#[tonic::async_trait]
impl Upkeeping for Keeping {
    fn snapshot(&self) -> Kept {
        let seen = self.0.snapshot();
        let soon = |found: Found| v1::PurgeSoon {
            rule: found.due.rule.to_string(),
            kind: found.kind.to_owned(),
            id: found.id.map(|id| id.to_string()).unwrap_or_default(),
            at: Some(timestamp(found.due.at)),
            held: found.held,
        };
        Kept {
            swept_at: seen.swept_at,
            soon: seen.soon.into_iter().map(soon).collect(),
            soon_total: seen.soon_total,
            purged: seen.purged.into_iter().map(|(rule, count)| (rule.as_str(), count)).collect(),
            clock_in_doubt: seen.clock_in_doubt,
            vault_of_another: seen.vault_of_another,
        }
    }

    async fn run(&self) -> Result<v1::RunRetentionResponse, Refusal> {
        let swept = self.0.sweep().await?;
        Ok(v1::RunRetentionResponse { purged: swept.purged, held: swept.held, clock_in_doubt: swept.clock_in_doubt })
    }
}
