//! What the operators' interface asks of peers, links and packages, answered by these rooms. Only
//! translation lives here.

use std::sync::Arc;

use passerelle_domain::{
    bundle::{Bundle, SignedBundle},
    decide::Caller,
    entry::PackageRef,
    envelope::Attachment,
    ids::{CaseId, EntryIndex, HandoverId},
    refusal::{Code, Refusal},
    society::Society,
};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::{
    feed::{Board, Published, SourceStatus},
    link::{LinkStatus, Statuses},
    operator::ports::{
        AddedPeer, BundleFile, FeedView, LinkSnapshot, LinkView, OwnCertificates, Packages, PeerBook, PolledSource, PublicFeed,
    },
    packages,
    peers::Peers,
    trust::bundle_to_json,
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

    fn get(&self, package: &PackageRef) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        Self::get(self, package)
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

/// The feeds of the node.
pub struct Feeds {
    /// The public feed with its address, where there is one.
    pub public: Option<(String, watch::Receiver<Arc<Published>>)>,
    /// The sources that are polled.
    pub board: Arc<Board>,
}

impl FeedView for Feeds {
    fn public(&self) -> Option<PublicFeed> {
        let (url, published) = self.public.as_ref()?;
        let published = published.borrow();
        Some(PublicFeed { url: url.clone(), messages: published.messages(), changed: published.changed() })
    }

    fn sources(&self) -> Vec<PolledSource> {
        self.board.sources().into_iter().map(polled).collect()
    }
}

fn polled(source: SourceStatus) -> PolledSource {
    PolledSource {
        name: source.name,
        url: source.url,
        enabled: source.enabled,
        polled_at: source.polled_at,
        answered_at: source.answered_at,
        next: source.next,
        failures: source.failures,
        error: source.error,
        drafted: source.drafted,
        refused: source.refused,
        cancelled: source.cancelled,
    }
}
