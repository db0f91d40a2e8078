//! Sessions with a peer that is imitated frame by frame: the engine, the vault and the session are the node's own, and a
//! test says when the vault goes on and when a commit is durable.

use std::{
    collections::{BTreeSet, VecDeque},
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use passerelle_domain::{
    catalogue::{Channel, Field, HandoverKind, OnClose, Right, Section},
    consent::{ConsentRef, Obligations},
    decide::{Command, Policy, Pseudonyms},
    digest::Digest,
    entry::{Actor, PackageRef},
    envelope::{Attachment, Envelope, FORMAT_VERSION, Kind, Lane, SignedEnvelope},
    facts::Facts as _,
    handover::{CaseShortCode, HandoverRelease, Opener, Package, Question, State, sections::Contact},
    ids::{CaseId, ConsentId, EntryIndex, EnvelopeId, Epoch, HandoverId, Position, RequestId},
    link::{Frame, Hello, LanePositions, Piece},
    parcel,
    refusal::{Code, Refusal},
    rights::{News, RightsMessage, SubjectRequest, Via},
    rows::{HandoverRow, PeerRow, PublicKeyRow, Row},
    signing::Signer as _,
    society::Society,
    time::Time,
};
use passerelle_proto::v1;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::{Direction, Link, Packages, Registry, Statuses, session::Driver};
use crate::{
    clock::TestClock,
    engine::{Engine, Parts},
    entropy::SeededEntropy,
    metrics::Metrics,
    packages,
    store::{Store as _, memory::MemoryStore, view::View},
    supervise::Spawner,
    trust::{LiveTrust, SealingKey, Seed, SigningKey, TcpNetwork, TrustFolder, TrustMaterial, tests::fill},
    vault::Vault,
};

mod ends;
mod keep;
mod lanes;
mod room;

/// When every test takes place.
const NOW: Time = Time::from_millis(1_795_501_800_000);
/// Nothing in these tests takes longer; it is only there so that a bug fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(10);
/// Long enough for whatever does not wait for the test.
const A_WHILE: Duration = Duration::from_millis(300);

fn own() -> Society {
    "ML".parse().expect("a Society")
}

fn peer() -> Society {
    "SN".parse().expect("a Society")
}

fn handover() -> HandoverId {
    HandoverId::new(NOW, [3; 10])
}

fn request() -> RequestId {
    RequestId::new(NOW, [6; 10])
}

fn epoch_of_peer() -> Epoch {
    Epoch::new(NOW, [4; 10])
}

fn key_of_peer() -> SigningKey {
    SigningKey::from_seed(&Seed::new([9; 32])).expect("any 32 bytes are a seed")
}

/// Where a call of the vault waits: it says that it is there, and goes on when it is told to.
struct Pause {
    reached: std::sync::mpsc::Sender<()>,
    go_on: std::sync::mpsc::Receiver<()>,
}

/// The node's packages. The next ones that come may have to wait.
struct Watched {
    packages: packages::Packages,
    came: AtomicUsize,
    pauses: Mutex<VecDeque<Pause>>,
}

impl Watched {
    fn note(&self) {
        self.came.fetch_add(1, Ordering::SeqCst);
        let pause = self.pauses.lock().pop_front();
        if let Some(pause) = pause {
            pause.reached.send(()).expect("the test waits");
            pause.go_on.recv_timeout(PATIENCE).expect("the test says so");
        }
    }
}

impl Packages for Watched {
    fn receive(&self, from: Society, handover: HandoverId, case: CaseId, sealed: &[u8]) -> Result<Digest, Refusal> {
        self.note();
        Packages::receive(&self.packages, from, handover, case, sealed)
    }

    fn receive_correction(&self, from: Society, request: RequestId, sealed: &[u8]) -> Result<PackageRef, Refusal> {
        self.note();
        Packages::receive_correction(&self.packages, from, request, sealed)
    }

    fn outgoing(&self, digest: Digest) -> Result<Option<Vec<u8>>, Refusal> {
        Packages::outgoing(&self.packages, digest)
    }

    fn seal_reading(
        &self,
        peer: Society,
        question: &Question,
        package: &PackageRef,
        fields: &BTreeSet<Field>,
    ) -> Result<Vec<u8>, Refusal> {
        Packages::seal_reading(&self.packages, peer, question, package, fields)
    }

    fn take_back(&self, kept: &PackageRef) -> Result<(), Refusal> {
        Packages::take_back(&self.packages, kept)
    }
}

/// A node with one peer, whose handover it has accepted.
struct Node {
    folder: tempfile::TempDir,
    link: Link,
    store: Arc<MemoryStore>,
    packages: Arc<Watched>,
    sealing: Arc<SealingKey>,
    engine: Option<Engine>,
    /// Whether commits become durable.
    commits: watch::Sender<bool>,
    /// What runs for the test and not for the node.
    tests: Spawner,
    _policy: watch::Sender<Arc<Policy>>,
}

impl Node {
    /// A node whose engine runs.
    fn new() -> Self {
        let mut node = Self::at_rest();
        node.begin();
        node
    }

    /// A node whose engine takes commands, and does nothing yet.
    fn at_rest() -> Self {
        let folder = tempfile::tempdir().expect("a folder for a moment");
        let signer = Arc::new(SigningKey::from_seed(&Seed::new([7; 32])).expect("any 32 bytes are a seed"));
        let sealing = Arc::new(SealingKey::from_seed(&Seed::new([8; 32])).expect("any 32 bytes are a seed"));
        let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(TestClock::at(NOW)));
        put(&store, &[Row::Peer(peer(), row_of_peer()), Row::Handover(handover(), row(State::Accepted))]);
        let (policy, seen) = watch::channel(Arc::new(Policy::default()));
        let (epoch, pseudonyms, metrics) = (Epoch::new(NOW, [1; 10]), Pseudonyms::new([3; 32]), Metrics::new());
        let (engine, handle) = Engine::new(Parts {
            own: own(),
            store: store.clone(),
            clock: clock.clone(),
            signer: signer.clone(),
            policy: seen.clone(),
            epoch,
            pseudonyms: pseudonyms.clone(),
            metrics: metrics.clone(),
        });
        let vault = Vault::open(&folder.path().join("vault"), Arc::new(fill)).expect("a vault");
        let packages = packages::Packages::new(own(), vault, sealing.clone(), handle.clone());
        let packages = Arc::new(Watched { packages, came: AtomicUsize::default(), pauses: Mutex::default() });
        TrustFolder::init(&folder.path().join("trust"), own(), Vec::new(), NOW, &fill).expect("a root");
        let trust = TrustFolder::open(&folder.path().join("trust")).expect("it was just made").1;
        let material =
            TrustMaterial { identity: trust.identity, own: trust.bundle.bundle().clone(), peers: Vec::new() };
        let link = Link {
            own: own(),
            epoch,
            engine: handle,
            network: Arc::new(TcpNetwork),
            trust: LiveTrust::new(&material, Arc::new(|| NOW)).expect("it hangs together"),
            policy: seen,
            pseudonyms,
            packages: packages.clone(),
            bundle_version: 1,
            signer,
            clock,
            entropy: Arc::new(SeededEntropy::new(1)),
            metrics,
            registry: Arc::new(Registry::default()),
            statuses: Arc::new(Statuses::default()),
            spawner: Spawner::new(CancellationToken::new()),
        };
        let tests = Spawner::new(CancellationToken::new());
        let commits = watch::channel(true).0;
        Self { folder, link, store, packages, sealing, engine: Some(engine), commits, tests, _policy: policy }
    }

    /// Lets the engine run.
    fn begin(&mut self) {
        let engine = self.engine.take().expect("it runs once");
        let durable = self.commits.subscribe();
        let settle = move || {
            let mut durable = durable.clone();
            // A test that has ended needs no more of it.
            async move { durable.wait_for(|durable| *durable).await.map(|_| ()).or(Ok(())) }.boxed()
        };
        self.tests.spawn("engine", engine.run_in_place(Arc::new(settle)).map(|ended| ended.expect("it goes on")));
    }

    /// Keeps the engine busy with a commit that does not become durable until [`Node::let_commit`].
    async fn hold_commits(&self) {
        self.commits.send_replace(false);
        let entries = || self.link.engine.view().head().expect("readable").map_or(0, |head| head.frontier.size());
        let before = entries();
        let command =
            Command::RecordRefusal { actor: Actor::Peer(peer()), request: "test", code: Code::Busy, uncounted: 0 };
        drop(self.link.engine.submit_waiting(command).await.expect("the engine takes it"));
        eventually(|| entries() > before).await;
    }

    fn let_commit(&self) {
        self.commits.send_replace(true);
    }

    /// Has one more of the next packages wait in front of the vault: tells when it is there, and lets it go on.
    fn pause_vault(&self) -> (std::sync::mpsc::Receiver<()>, std::sync::mpsc::Sender<()>) {
        let ((reached, there), (go, go_on)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
        self.packages.pauses.lock().push_back(Pause { reached, go_on });
        (there, go)
    }

    /// Waits until nothing that the sessions began is under way.
    async fn is_quiet(&self) {
        eventually(|| self.link.spawner.running() == 0).await;
    }

    /// What lies in the vault: keys and packages.
    fn in_vault(&self) -> (usize, usize) {
        let count = |folder: &str| {
            fs::read_dir(self.folder.path().join("vault").join(folder)).expect("a folder of the vault").count()
        };
        (count("keys"), count("packages"))
    }

    /// What the journal names.
    fn named(&self) -> (Option<PackageRef>, Option<PackageRef>) {
        let view = self.link.engine.view();
        let package = view.handover(handover()).expect("readable").and_then(|row| row.package);
        (package, view.correction(request()).expect("readable").and_then(|row| row.kept))
    }

    fn opens(&self, place: Option<PackageRef>) -> bool {
        let place = place.expect("the journal names it");
        self.packages.packages.get(&place, &BTreeSet::from([Section::Contact]), &Opener::Sender).is_ok()
    }

    /// A session with the peer, up to where parcels may come.
    async fn meet(&self) -> Wire {
        let mut wire = self.greeted(Frame::Hello(hello())).await;
        wire.until(|frame| matches!(frame, Frame::Ping(_))).await;
        wire
    }

    /// A session with a peer that says where it stands in a lane.
    async fn greeted_with(&self, lane: Lane, stands: LanePositions) -> Wire {
        let mut hello = hello();
        hello.lanes[usize::from(lane.number()) - 1] = stands;
        self.greeted(Frame::Hello(hello)).await
    }

    /// A session with the peer, which has said its Hello.
    async fn greeted(&self, hello: Frame) -> Wire {
        let ((to_node, incoming), (outgoing, from_node)) = (mpsc::channel(1_024), mpsc::channel(1_024));
        let (tell, ended) = oneshot::channel();
        let (link, cut) = (self.link.clone(), CancellationToken::new());
        let until = cut.clone();
        self.tests.spawn("session", async move {
            let driver = Driver::new(&link, peer(), Direction::In, outgoing).await.expect("a session begins");
            tokio::select! {
                biased;
                () = until.cancelled() => {}
                ended = driver.run(ReceiverStream::new(incoming), CancellationToken::new()) => {
                    let _ = tell.send(ended.code);
                }
            }
        });
        let wire = Wire { to_node, from_node, ended, cut };
        wire.send(hello).await;
        wire
    }

    /// The package of the handover, as the peer seals it for this node, and its commitment.
    fn sealed(&self, aad: &str) -> (Digest, Vec<u8>) {
        let folder = tempfile::tempdir().expect("a folder for a moment");
        let vault = Vault::open(&folder.path().join("vault"), Arc::new(fill)).expect("a vault");
        let mut package = Package::default();
        package.contact = Some(Contact { channel: Some(Channel::ALL[0]), ..Contact::default() });
        let bytes = package.to_cbor().expect("a package");
        let case = CaseId::new(NOW, [5; 10]);
        let sealed = vault.seal_for(case, self.sealing.public_key(), aad.as_bytes(), &bytes).expect("sealed");
        (sealed.package.commitment, vault.outgoing(sealed.digest).expect("it waits"))
    }

    /// A release of the handover with its package: whoever asks twice has two envelopes with the same content.
    fn releases(&self) -> impl Fn(u8) -> Vec<u8> + use<> {
        let (commitment, sealed) = self.sealed(&format!("passerelle/handover/v1 {}>{} {}", peer(), own(), handover()));
        let obligations = Obligations {
            consent: consent(),
            retention_until: NOW.plus(Duration::from_secs(86_400)),
            on_close: OnClose::Erase,
            no_onward: true,
            contact: None,
        };
        let body = HandoverRelease::new(handover(), commitment, &sealed, vec![Section::Contact], obligations).to_cbor();
        move |nth| letter(nth, Kind::HandoverRelease, Lane::Bulk, &body, &sealed)
    }

    /// The same for a correction.
    fn corrections(&self) -> impl Fn(u8) -> Vec<u8> + use<> {
        let (_, sealed) = self.sealed(&format!("passerelle/correction/v1 {}>{} {}", peer(), own(), request()));
        let request = SubjectRequest {
            id: request(),
            right: Right::Rectification,
            via: Via::Person,
            card_of: peer(),
            code: CaseShortCode::from_entropy([1, 2, 3, 4, 5]),
            taken_by: peer(),
            received_at: NOW,
            due: NOW.plus(SubjectRequest::DUE_WITHIN),
            topic: None,
            sections: vec![Section::Contact],
            note: None,
        };
        let body = RightsMessage { request, news: News::Due { handover: handover() } }.to_cbor();
        move |nth| letter(nth, Kind::SubjectRequest, Lane::Bulk, &body, &sealed)
    }
}

/// The peer's end of a session.
struct Wire {
    to_node: mpsc::Sender<Result<v1::Frame, tonic::Status>>,
    from_node: mpsc::Receiver<v1::Frame>,
    ended: oneshot::Receiver<Option<Code>>,
    /// Has the node drop the session where it stands.
    cut: CancellationToken,
}

impl Wire {
    async fn send(&self, frame: Frame) {
        self.to_node.send(Ok(frame.into())).await.expect("the node takes frames");
    }

    /// Sends a parcel in the bulk lane.
    async fn bring(&self, position: u64, content: Vec<u8>) {
        let (lane, position) = (Lane::Bulk, Position(position));
        self.send(Frame::Parcels(Piece { lane, position, offset: 0, content, deflated: false })).await;
    }

    async fn until(&mut self, wanted: impl Fn(&Frame) -> bool) {
        let found = async {
            while let Some(frame) = self.from_node.recv().await {
                if wanted(&frame.try_into().expect("the node's own frame")) {
                    return true;
                }
            }
            false
        };
        assert!(tokio::time::timeout(PATIENCE, found).await.expect("it comes in time"), "the session ended before");
    }

    /// Waits until the node has receipted what stands at a position.
    async fn receipted(&mut self, position: u64) {
        let at = Position(position);
        self.until(|frame| match frame {
            Frame::Receipt(signed) => signed.read().expect("a receipt").position >= at,
            Frame::BriefReceipt(brief) => brief.position >= at,
            _ => false,
        })
        .await;
    }

    /// Breaks the stream and waits for the end of the session.
    async fn breaks(self) -> Option<Code> {
        drop(self.to_node);
        tokio::time::timeout(PATIENCE, self.ended).await.expect("it ends in time").expect("it ends by itself")
    }
}

fn hello() -> Hello {
    Hello {
        protocol: (1, 1),
        society: peer(),
        epoch: epoch_of_peer(),
        lanes: [LanePositions::default(); 3],
        clock: NOW,
        bundle_version: 1,
        deflate: false,
        brief_receipts: true,
        readings: false,
    }
}

fn consent() -> ConsentRef {
    ConsentRef { id: ConsentId::new(NOW, [2; 10]), version: 1, hash: Digest([2; 32]) }
}

fn letter(nth: u8, kind: Kind, lane: Lane, body: &[u8], sealed: &[u8]) -> Vec<u8> {
    let envelope = Envelope {
        version: FORMAT_VERSION,
        id: EnvelopeId::new(NOW, [nth; 10]),
        origin: peer(),
        recipients: vec![own()],
        kind,
        lane,
        created_at: NOW,
        expires_at: None,
        body: body.to_vec().into(),
        attachment: Some(Attachment { digest: Digest::of(sealed), bytes: sealed.len() as u64 }),
    };
    let signed: SignedEnvelope = envelope.sign(&key_of_peer());
    parcel::write(&signed, sealed)
}

fn row_of_peer() -> PeerRow {
    PeerRow {
        entry: EntryIndex(0),
        version: 1,
        digest: Digest::default(),
        signing_keys: vec![PublicKeyRow(key_of_peer().public_key())],
        segments: None,
        epoch: Some(epoch_of_peer()),
        removed: false,
    }
}

fn row(state: State) -> HandoverRow {
    HandoverRow {
        entry: EntryIndex(0),
        from: peer(),
        to: own(),
        kind: HandoverKind::ReferralService,
        state,
        case: None,
        consent: consent(),
        accepted: Vec::new(),
        team: None,
        expires_at: NOW.plus(Duration::from_secs(86_400)),
        release_on_acceptance: false,
        package: None,
        sections: Vec::new(),
        history: Vec::new(),
        frozen: false,
        held_at_origin: None,
        earlier: Vec::new(),
    }
}

fn put(store: &MemoryStore, rows: &[Row]) {
    let mut view = View::of(store);
    for row in rows {
        view.put_row(row).expect("a row");
    }
    let batch = view.into_batch().expect("a batch");
    store.commit(batch).expect("a store in memory");
}

async fn eventually(mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it comes about in time");
}
