//! The interface as an operator meets it: a node on its own threads, over a store in memory, and real gRPC over a
//! Unix socket. The rooms beside it are stood in for.

mod alerts;
mod audit;
mod drafts;
mod handovers;
mod retention;
mod safeguards;
mod server;
mod warnings;
mod watch;

use std::{collections::BTreeSet, collections::HashMap, sync::Arc};

use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use passerelle_domain::{
    alert::AlertDraft,
    bundle::{Bundle, BundleContent, SEALING_KEY_BYTES},
    catalogue::{Role, Section},
    decide::{Caller, Command, Letter, Opened, Policy, Pseudonyms},
    digest::Digest,
    entry::PackageRef,
    envelope::{Attachment, Envelope, FORMAT_VERSION, Kind, Lane},
    fold::Content,
    handover::{Opener, Package, Question},
    ids::{CaseId, ConsentId, EntryIndex, EnvelopeId, Epoch, HandoverId, Position, RequestId},
    receipt::Receipt,
    refusal::{Code, Refusal},
    retention::{Transfer, TransferGround},
    signing::Signer as _,
    society::Society,
    time::Time,
};
use passerelle_proto::{
    convert::alert_message,
    v1::{self, alert_service_client::AlertServiceClient, handover_service_client::HandoverServiceClient},
};
use passerelle_signature::Trusted;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    Status,
    transport::{Channel, Endpoint, Uri},
};
use tonic_types::StatusExt as _;
use zeroize::Zeroizing;

use super::{
    Operator, Operators, Parts, bind,
    ports::{
        AddedPeer, BundleFile, FeedView, Kept, LinkSnapshot, LinkView, OriginReader, OwnCertificates, Packages,
        PeerBook, Upkeeping,
    },
    serve_unix,
};
use crate::{
    clock::TestClock,
    config::{Identity, Operator as Configured, User},
    engine::{self, Engine},
    entropy::SeededEntropy,
    metrics::Metrics,
    store::{Store, memory::MemoryStore},
    supervise::Spawner,
    trust::{Seed, SigningKey},
};

const NOW: Time = Time::from_millis(1_795_500_000_000);

fn society(code: &str) -> Society {
    code.parse().expect("a Society")
}

/// What stands in for the bundles.
struct Book;

#[tonic::async_trait]
impl PeerBook for Book {
    fn own_bundle(&self) -> Result<BundleFile, Refusal> {
        Ok(BundleFile { bytes: b"own".to_vec(), words: "abandon zoo".into() })
    }

    fn bundle_of(&self, society: Society) -> Result<BundleFile, Refusal> {
        Err(Refusal::new(Code::UnknownPeer, format!("{society} is no peer of this node")))
    }

    async fn add(&self, _: Caller, _: Vec<u8>, words: Option<String>) -> Result<AddedPeer, Refusal> {
        let words =
            words.ok_or_else(|| Refusal::new(Code::MissingField, "compare the words").at("fingerprint_words"))?;
        Ok(AddedPeer { society: society("GM"), version: 1, words, entry: EntryIndex(1) })
    }

    async fn remove(&self, _: Caller, _: Society) -> Result<EntryIndex, Refusal> {
        Ok(EntryIndex(1))
    }

    fn own_certificates(&self) -> OwnCertificates {
        let days = |days: u64| NOW.plus(std::time::Duration::from_secs(days * 86_400));
        OwnCertificates { node_until: days(60), root_until: days(3_000) }
    }
}

/// What stands in for the link.
struct Links;

impl LinkView for Links {
    fn status(&self, _: Society) -> LinkSnapshot {
        LinkSnapshot { state: "up", round_trip_ms: Some(640), alarms: vec!["restored_peer"], ..Default::default() }
    }
}

/// What stands in for packages at their origin: no link is up.
struct Elsewhere;

#[tonic::async_trait]
impl OriginReader for Elsewhere {
    fn check(&self, origin: Society) -> Result<(), Refusal> {
        Err(Refusal::new(Code::PeerUnreachable, format!("there is no link to {origin} now")))
    }

    async fn read(&self, origin: Society, _: Question) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        self.check(origin).map(|()| Zeroizing::default())
    }
}

/// What stands in for the feeds.
struct Feeds;

impl FeedView for Feeds {
    fn public(&self) -> Option<v1::PublicFeed> {
        Some(v1::PublicFeed { url: "https://crs.example/feed.atom".into(), messages: 2, changed_at: None })
    }

    fn sources(&self) -> Vec<v1::CapSource> {
        let failing = v1::CapSource {
            name: "anacim".into(),
            enabled: true,
            failures: 7,
            error_code: "feed_unreachable".into(),
            cancelled: vec!["019ab0f2-1c00-7000-8000-000000000001".into()],
            ..v1::CapSource::default()
        };
        vec![failing]
    }
}

/// What stands in for retention: nothing is ever due.
struct Idle;

#[tonic::async_trait]
impl Upkeeping for Idle {
    fn snapshot(&self) -> Kept {
        Kept::default()
    }

    async fn run(&self) -> Result<v1::RunRetentionResponse, Refusal> {
        Ok(v1::RunRetentionResponse::default())
    }
}

/// A policy under which cases may go between Senegal and Mali.
fn open_policy() -> Policy {
    let basis = |from, to| Transfer {
        from: society(from),
        to: society(to),
        ground: TransferGround::Agreement,
        valid_from: Time::default(),
        valid_until: None,
        note: String::new(),
    };
    Policy { transfers: vec![basis("SN", "ML"), basis("ML", "SN")], ..Policy::default() }
}

/// What stands in for the vault: it seals nothing, and counts what it holds.
#[derive(Default)]
struct Vault(Mutex<HashMap<Digest, Vec<u8>>>);

impl Packages for Vault {
    fn put(&self, case: CaseId, package: &[u8]) -> Result<PackageRef, Refusal> {
        let mut held = self.0.lock();
        let commitment = Digest::of_parts(&[&held.len().to_be_bytes(), package]);
        held.insert(commitment, package.to_vec());
        Ok(PackageRef { case, commitment })
    }

    fn get(
        &self,
        package: &PackageRef,
        sections: &BTreeSet<Section>,
        _: &Opener,
    ) -> Result<(Package, BTreeSet<Section>), Refusal> {
        let whole = Package::from_cbor(&self.evidence(package)?)?;
        Ok((whole.only(sections), whole.sections()))
    }

    fn put_correction(&self, request: RequestId, correction: &[u8]) -> Result<PackageRef, Refusal> {
        self.put(passerelle_domain::rights::correction::key_of(request), correction)
    }

    fn seal_correction(&self, _: Society, _: RequestId, correction: &[u8]) -> Result<Attachment, Refusal> {
        Ok(Attachment { digest: Digest::of(correction), bytes: correction.len() as u64 })
    }

    fn discard_correction(&self, _: RequestId, names: &[Digest]) -> Result<(), Refusal> {
        names.iter().for_each(|name| drop(self.0.lock().remove(name)));
        Ok(())
    }

    fn put_evidence(&self, consent: ConsentId, evidence: &[u8]) -> Result<PackageRef, Refusal> {
        self.put(CaseId::from_bytes(consent.bytes()), evidence)
    }

    fn evidence(&self, place: &PackageRef) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let absent = || Refusal::new(Code::PackageAbsent, "erased");
        self.0.lock().get(&place.commitment).cloned().map(Zeroizing::new).ok_or_else(absent)
    }

    fn discard_evidence(&self, place: &PackageRef) -> Result<(), Refusal> {
        self.discard(place)
    }

    fn seal_for(
        &self,
        _: Society,
        _: HandoverId,
        package: &PackageRef,
        restricted: &[u8],
    ) -> Result<(PackageRef, Attachment), Refusal> {
        let kept = self.put(package.case, restricted)?;
        Ok((kept, Attachment { digest: Digest::of(restricted), bytes: restricted.len() as u64 }))
    }

    fn discard(&self, package: &PackageRef) -> Result<(), Refusal> {
        self.0.lock().remove(&package.commitment);
        Ok(())
    }
}

/// A node of the Senegalese Red Cross, and a way in.
struct Node {
    folder: TempDir,
    engine: engine::Handle,
    store: Arc<MemoryStore>,
    clock: TestClock,
    vault: Arc<Vault>,
    spawner: Spawner,
    end: CancellationToken,
    mali: SigningKey,
    trusted: tokio::sync::watch::Sender<Option<Arc<Trusted>>>,
    channel: Channel,
}

impl Node {
    /// A node at which whoever runs this test has `roles`; nobody is listed when there are none.
    async fn new(roles: &[Role]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Arc::new(MemoryStore::new());
        let clock = TestClock::at(NOW);
        let signer = Arc::new(SigningKey::from_seed(&Seed::new([1; 32])).expect("a key"));
        let policy = tokio::sync::watch::channel(Arc::new(open_policy())).1;
        let (engine, handle) = Engine::new(engine::Parts {
            own: society("SN"),
            store: Arc::clone(&store) as Arc<dyn Store>,
            clock: Arc::new(clock.clone()),
            signer: Arc::clone(&signer) as _,
            policy: policy.clone(),
            epoch: Epoch::new(NOW, [9; 10]),
            pseudonyms: Pseudonyms::new([3; 32]),
            metrics: Metrics::new(),
        });
        std::thread::spawn(|| engine.run().expect("the store does not fail"));
        handle.durable().wait_for(|durable| durable.entries > 0).await.expect("the engine runs");
        let uid = nix::unistd::getuid().as_raw();
        let listed = Configured {
            identity: Identity::User(User::Login("awa".into())),
            roles: roles.to_vec(),
            automation: false,
        };
        let listed = if roles.is_empty() { Vec::new() } else { vec![listed] };
        let end = CancellationToken::new();
        let spawner = Spawner::new(end.clone());
        let vault = Arc::new(Vault::default());
        let trusted = tokio::sync::watch::Sender::new(None);
        let operator = Operator::new(Parts {
            own: society("SN"),
            engine: handle.clone(),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SeededEntropy::new(5)),
            pseudonyms: Pseudonyms::new([3; 32]),
            own_keys: vec![signer.public_key()],
            signer,
            policy,
            operators: Operators::resolve(&listed, |_| Ok(Some(uid))).expect("the operators are known"),
            peers: Arc::new(Book),
            links: Arc::new(Links),
            feeds: Arc::new(Feeds),
            trusted: trusted.subscribe(),
            upkeep: Arc::new(Idle),
            packages: Arc::clone(&vault) as _,
            origins: Arc::new(Elsewhere),
            card_hotline: Some("+221 33 000 00 00".to_owned()),
            data_dir: folder.path().to_owned(),
            started_at: NOW,
            spawner: spawner.clone(),
            metrics: Metrics::new(),
        });
        let path = folder.path().join("operator.sock");
        let listening = bind(&path, 0o600).expect("a socket");
        let token = end.clone();
        spawner.spawn("serve", async move { serve_unix(operator, listening, token).await.expect("served") });
        let channel = connect(path);
        let mali = SigningKey::from_seed(&Seed::new([2; 32])).expect("a key");
        Self { folder, engine: handle, store, clock, vault, spawner, end, mali, trusted, channel }
    }

    fn alerts(&self) -> AlertServiceClient<Channel> {
        AlertServiceClient::new(self.channel.clone())
    }

    fn handovers(&self) -> HandoverServiceClient<Channel> {
        HandoverServiceClient::new(self.channel.clone())
    }

    /// Makes the Mali Red Cross a peer.
    async fn meet_mali(&self) {
        let content = BundleContent {
            society: society("ML"),
            version: 1,
            valid_from: Time::default(),
            valid_until: Time::from_millis(u64::MAX),
            roots: vec![vec![1].into()],
            signing_keys: vec![self.mali.public_key()],
            sealing_keys: vec![vec![0; SEALING_KEY_BYTES].into()],
            addresses: Vec::new(),
        };
        let bundle = Bundle::new(content).expect("a bundle");
        let payload = bundle.payload();
        let command = Command::TakeBundle { caller: Caller::system(), bundle: Box::new(bundle), payload };
        self.engine.submit(command).await.expect("taken");
    }

    /// Brings an envelope of the Mali Red Cross.
    async fn mali_sends(&self, kind: Kind, position: u64, body: Vec<u8>, content: Content) {
        let envelope = Envelope {
            version: FORMAT_VERSION,
            id: EnvelopeId::new(NOW, [position as u8; 10]),
            origin: society("ML"),
            recipients: vec![society("SN")],
            kind,
            lane: Lane::Routine,
            created_at: NOW,
            expires_at: None,
            body: body.into(),
            attachment: None,
        };
        let signed = envelope.sign(&self.mali);
        let opened = Opened { digest: signed.digest(), outcome: Ok(Letter { envelope, signed, content }) };
        let peer = society("ML");
        let position = Position(position);
        let command = Command::Deliver { peer, lane: Lane::Routine, position, opened: Box::new(opened), package: None };
        self.engine.submit(command).await.expect("judged");
    }

    /// The Mali Red Cross says that it has everything up to `position` of the routine lane.
    async fn receipt_of_mali(&self, position: u64) {
        use passerelle_domain::facts::Facts as _;
        let peer = society("ML");
        let item = self.engine.view().lane_item(peer, Lane::Routine, Position(position)).expect("read");
        let receipt = Receipt {
            by: peer,
            to: society("SN"),
            lane: Lane::Routine,
            position: Position(position),
            hash: item.expect("queued").hash,
            entry: EntryIndex(1),
            rejected: Vec::new(),
        };
        let signed = receipt.sign(&self.mali);
        self.engine.submit(Command::TakeReceipt { peer, receipt, signed }).await.expect("taken");
    }

    fn entries(&self) -> u64 {
        self.engine.durable().borrow().entries
    }
}

fn connect(path: std::path::PathBuf) -> Channel {
    let connector = tower::service_fn(move |_: Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://node").connect_with_connector_lazy(connector)
}

/// The demo's alert, as the command line sends it.
fn convoy() -> v1::Alert {
    let text = include_str!("../../../../config/demo/alert-convoy.toml");
    let mut draft: AlertDraft = toml::from_str(text).expect("the demo's alert is a draft");
    draft.distribution = Vec::new();
    alert_message(draft, NOW)
}

/// A document of the demo, as JSON.
fn document(toml: &str) -> String {
    let value: toml::Table = toml::from_str(toml).expect("the demo's documents are TOML");
    serde_json::to_string(&value).expect("JSON")
}

/// The code of a refusal, and the field at fault.
fn refusal(status: &Status) -> (String, String) {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no details: {status:?}"));
    assert_eq!(info.domain, "passerelle");
    (info.reason.clone(), info.metadata.get("field").cloned().unwrap_or_default())
}
