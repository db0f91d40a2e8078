//! What the operator interface asks of the rooms beside it: of the peers' bundles, of the link, and of the vault.
//! Traits, so that each of them can stand alone and a test can stand in for it.

use std::collections::BTreeSet;

use passerelle_domain::{
    catalogue::Section,
    decide::Caller,
    digest::Digest,
    entry::PackageRef,
    envelope::Attachment,
    handover::{Opener, Package, Question},
    ids::{CaseId, ConsentId, EntryIndex, HandoverId, RequestId},
    refusal::Refusal,
    society::Society,
    time::Time,
};
use passerelle_proto::v1;
use zeroize::Zeroizing;

/// A bundle as it is given away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleFile {
    /// The bytes of the file.
    pub bytes: Vec<u8>,
    /// The twelve words of its fingerprint, with blanks between.
    pub words: String,
}

/// A bundle that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedPeer {
    /// Whose it is.
    pub society: Society,
    /// Its version.
    pub version: u64,
    /// The words of its fingerprint.
    pub words: String,
    /// The entry that records it.
    pub entry: EntryIndex,
}

/// Until when the node's own credentials hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnCertificates {
    /// The node's certificate.
    pub node_until: Time,
    /// The root of the Society that ends first among those in force.
    pub root_until: Time,
}

/// The bundles of this node and of its peers.
#[tonic::async_trait]
pub trait PeerBook: Send + Sync + 'static {
    /// This node's own bundle.
    ///
    /// # Errors
    /// `store_failed` when it cannot be read.
    fn own_bundle(&self) -> Result<BundleFile, Refusal>;

    /// The bundle of a peer.
    ///
    /// # Errors
    /// `unknown_peer`; `store_failed` when it cannot be read.
    fn bundle_of(&self, society: Society) -> Result<BundleFile, Refusal>;

    /// Takes a bundle file on behalf of `caller`, who was found to have the role. The first bundle of a Society needs
    /// the words that a person compared: `missing_field` at `fingerprint_words` asks for them.
    ///
    /// # Errors
    /// The refusal of the bundle or of the engine.
    async fn add(&self, caller: Caller, bundle: Vec<u8>, words: Option<String>) -> Result<AddedPeer, Refusal>;

    /// Forgets a peer's bundle and closes its streams.
    ///
    /// # Errors
    /// The refusal of the engine; `store_failed` when the file cannot be removed.
    async fn remove(&self, caller: Caller, society: Society) -> Result<EntryIndex, Refusal>;

    /// Until when the node's own certificate and root hold.
    fn own_certificates(&self) -> OwnCertificates;
}

/// One link at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkSnapshot {
    /// `up`, `dialling`, `waiting`, `suspended` or `no_bundle`.
    pub state: &'static str,
    /// When the peer was last heard.
    pub last_contact: Option<Time>,
    /// Round trip in milliseconds.
    pub round_trip_ms: Option<u32>,
    /// The peer's clock less ours, in milliseconds.
    pub skew_ms: Option<i64>,
    /// When the peer's certificate ends.
    pub certificate_until: Option<Time>,
    /// Why the link last failed, as a refusal code.
    pub last_error: Option<&'static str>,
    /// When it is dialled next.
    pub next_dial: Option<Time>,
    /// Bytes sent since the node started.
    pub bytes_sent: u64,
    /// Bytes received since the node started.
    pub bytes_received: u64,
    /// What a person must look at.
    pub alarms: Vec<&'static str>,
}

/// How the links are.
pub trait LinkView: Send + Sync + 'static {
    /// How the link to a peer is.
    fn status(&self, peer: Society) -> LinkSnapshot;
}

/// How the feeds are.
pub trait FeedView: Send + Sync + 'static {
    /// The public feed, where there is one.
    fn public(&self) -> Option<v1::PublicFeed>;

    /// The sources of warnings, by name. Their alerts that were cancelled may have ended since.
    fn sources(&self) -> Vec<v1::CapSource>;
}

/// What the last sweep of retention found and did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// When it was.
    pub swept_at: Option<Time>,
    /// What is purged soon, the soonest first.
    pub soon: Vec<v1::PurgeSoon>,
    /// How many that is altogether.
    pub soon_total: u64,
    /// Purged since the node started, by rule.
    pub purged: Vec<(&'static str, u64)>,
    /// Whether purging waits because the clocks are apart.
    pub clock_in_doubt: bool,
    /// Whether the vault belongs to another journal than the store.
    pub vault_of_another: bool,
}

/// Retention at work.
#[tonic::async_trait]
pub trait Upkeeping: Send + Sync + 'static {
    /// What the last sweep found and did.
    fn snapshot(&self) -> Kept;

    /// Purges all that is due now.
    ///
    /// # Errors
    /// `store_failed`, `shutting_down`.
    async fn run(&self) -> Result<v1::RunRetentionResponse, Refusal>;
}

/// Packages that lie at their origin.
#[tonic::async_trait]
pub trait OriginReader: Send + Sync + 'static {
    /// Whether the origin can be asked at this moment.
    ///
    /// # Errors
    /// `peer_unreachable` without a link, `unsupported_version` when its node does not answer readings.
    fn check(&self, origin: Society) -> Result<(), Refusal>;

    /// Asks the origin for one reading; the canonical bytes of what it shows, which are to be kept nowhere.
    ///
    /// # Errors
    /// As [`OriginReader::check`]; `busy` while another reading is under way; the origin's own refusal; `bad_seal`.
    async fn read(&self, origin: Society, question: Question) -> Result<Zeroizing<Vec<u8>>, Refusal>;
}

/// The case packages in the vault. Its calls wait for the disk, so they are made on threads that may.
pub trait Packages: Send + Sync + 'static {
    /// Keeps the canonical bytes of a package under the key of its case.
    ///
    /// # Errors
    /// `vault_failed`, `disk_full`.
    fn put(&self, case: CaseId, package: &[u8]) -> Result<PackageRef, Refusal>;

    /// What of a package is among `sections`, and which sections it has at all, opened or not.
    ///
    /// # Errors
    /// `role_missing` for a section that does not open for them; `package_absent` when it was erased; `vault_failed`.
    fn get(
        &self,
        package: &PackageRef,
        sections: &BTreeSet<Section>,
        opener: &Opener,
    ) -> Result<(Package, BTreeSet<Section>), Refusal>;

    /// Keeps what is to be put right by a request, under a key of its own.
    ///
    /// # Errors
    /// `vault_failed`, `disk_full`.
    fn put_correction(&self, request: RequestId, correction: &[u8]) -> Result<PackageRef, Refusal>;

    /// Seals it to a peer.
    ///
    /// # Errors
    /// `unknown_peer`, `bad_bundle`, `vault_failed`, `disk_full`.
    fn seal_correction(&self, peer: Society, request: RequestId, correction: &[u8]) -> Result<Attachment, Refusal>;

    /// Removes what no entry names of a correction, by its names in the vault.
    ///
    /// # Errors
    /// `vault_failed`.
    fn discard_correction(&self, request: RequestId, names: &[Digest]) -> Result<(), Refusal>;

    /// Keeps a piece of evidence of a consent under a key of its own.
    ///
    /// # Errors
    /// `vault_failed`, `disk_full`.
    fn put_evidence(&self, consent: ConsentId, evidence: &[u8]) -> Result<PackageRef, Refusal>;

    /// A piece of evidence.
    ///
    /// # Errors
    /// `package_absent` when it was destroyed; `vault_failed`.
    fn evidence(&self, place: &PackageRef) -> Result<Zeroizing<Vec<u8>>, Refusal>;

    /// Removes a piece of evidence that no entry names.
    ///
    /// # Errors
    /// `vault_failed`.
    fn discard_evidence(&self, place: &PackageRef) -> Result<(), Refusal>;

    /// Keeps `restricted`, the part of `package` that may travel, and seals it to the newest sealing key of `peer`.
    ///
    /// # Errors
    /// `unknown_peer`, `bad_bundle`, `vault_failed`, `disk_full`.
    fn seal_for(
        &self,
        peer: Society,
        handover: HandoverId,
        package: &PackageRef,
        restricted: &[u8],
    ) -> Result<(PackageRef, Attachment), Refusal>;

    /// Erases a package that no entry names: what it was kept for was refused, or needs it no more.
    ///
    /// # Errors
    /// `vault_failed`.
    fn discard(&self, package: &PackageRef) -> Result<(), Refusal>;
}
