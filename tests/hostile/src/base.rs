//! What the readers stand on: two Societies, keys, an instant, and the journal of a node that knows the other one. The
//! letters of a peer are given to a real engine over it. Reads the stored journal once; touches nothing else.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use passerelle_domain::{
    bundle::SignedBundle,
    decide::{Command, Policy, Pseudonyms, open},
    digest::Digest,
    entry::PackageRef,
    envelope::{Envelope, Kind, Lane},
    facts::Facts as _,
    ids::{EnvelopeId, Epoch, HandoverId, Position},
    parcel,
    receipt::{PAYLOAD_TYPE as RECEIPT, SignedReceipt},
    signing::{PublicKey, Signature, Signer, Verifier, pae},
    society::{MEMBERS, Society},
    time::Time,
};
use passerelle_node::{
    clock::TestClock,
    engine::{self, Engine, Parts, export},
    metrics::Metrics,
    store::{memory::MemoryStore, view::View},
    trust::{Ed25519Verifier, LiveTrust, NodeTrust, Seed, SigningKey, TrustFolder, TrustMaterial},
};
use tokio::sync::watch;

use super::{letters, tells_nothing};

/// 2026-11-24T06:30:00Z.
pub const NOW: Time = Time::from_millis(1_795_501_800_000);
/// Letters that one input brings.
const LETTERS_MAX: usize = 24;

/// The Gambia.
pub fn own() -> Society {
    MEMBERS[2].society
}

/// Mali.
pub fn peer() -> Society {
    MEMBERS[5].society
}

/// The one key that signs whatever a fuzzer makes up.
pub fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::from_seed(&Seed::new([7; 32])).expect("any 32 bytes are a seed"))
}

/// Takes every signature for good: for evidence whose signers are not here.
pub(super) struct Believer;

impl Verifier for Believer {
    fn verify(&self, _: &PublicKey, _: &[u8], _: &Signature) -> bool {
        true
    }
}

/// An id that the same content has again.
pub(super) fn envelope_id(body: &[u8], flags: u8) -> EnvelopeId {
    let Digest(bytes) = Digest::of_parts(&[&[flags], body]);
    let mut entropy = [0; 10];
    entropy.copy_from_slice(&bytes[..10]);
    EnvelopeId::new(NOW, entropy)
}

/// A signed note (C2SP) over any text: of the log that its first line names.
pub(super) fn note(text: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let origin = text.lines().next().unwrap_or_default();
    let Digest([a, b, c, d, ..]) = Digest::of_parts(&[origin.as_bytes(), b"\n", &[1], &key().public_key()]);
    let mut blob = vec![a, b, c, d];
    blob.extend_from_slice(&key().sign(text.as_bytes()).0);
    format!("{text}\n\u{2014} {origin} {}\n", STANDARD.encode(blob))
}

/// The stored journal: of a node in the middle of its work, its checkpoint signed by [`key`].
pub(super) fn stored_journal() -> PathBuf {
    super::seeds_folder().join("import/base.journal")
}

/// A node's store in the middle of its work.
fn store() -> &'static MemoryStore {
    static STORE: OnceLock<MemoryStore> = OnceLock::new();
    STORE.get_or_init(|| {
        let store = MemoryStore::new();
        let journal = std::fs::read(stored_journal()).expect("the stored journal is part of the sources");
        export::import(own(), &store, &*journal, Epoch::new(NOW, [1; 10]), &[key().public_key()], &Believer)
            .expect("the stored journal can be imported");
        store
    })
}

/// Items, each with what it is in two bytes and its length in two: letters of the peer's, receipts, and what a Hello may
/// claim. A real engine judges them; whatever it takes, its journal verifies and its views are what the journal folds to.
pub(super) fn deliveries(bytes: &[u8]) {
    let store: Arc<MemoryStore> = Arc::new(store().restart());
    let head = View::of(&*store).head().ok().flatten();
    let Some(head) = head else { unreachable!("the stored journal has a head") };
    let now = head.time.plus(Duration::from_secs(60));
    let (_policy, policy) = watch::channel(Arc::new(Policy::default()));
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    let (engine, handle) = Engine::new(Parts {
        own: own(),
        store: store.clone(),
        clock: Arc::new(TestClock::at(now)),
        signer: Arc::new(SigningKey::from_seed(&Seed::new([7; 32])).expect("any 32 bytes are a seed")),
        policy,
        epoch: head.epoch,
        pseudonyms: Pseudonyms::new([3; 32]),
        metrics: METRICS.get_or_init(Metrics::new).clone(),
    });
    let mut pending = Vec::new();
    let mut received = Lane::ALL.iter().map(|lane| received(&store, *lane)).collect::<Vec<_>>();
    for (head, body) in items(bytes).take(LETTERS_MAX) {
        if let Some(command) = command(head, body, &mut received) {
            pending.extend(handle.try_submit(command));
        }
    }
    drop(handle);
    let ended = engine.run();
    assert!(ended.is_ok(), "the engine stops: {ended:?}");
    for mut pending in pending {
        if let Ok(Err(refusal)) = pending.try_recv() {
            tells_nothing(&refusal);
        }
    }
    verified(&store);
}

/// The journal proves itself, and its views are what it folds to.
pub(super) fn verified(store: &MemoryStore) {
    let report = engine::verify(own(), store, &MemoryStore::new(), &[key().public_key()], &Believer, |_| {});
    let faults = report.map(|report| report.faults);
    assert_eq!(faults, Ok(Vec::new()), "the journal holds");
}

fn received(store: &MemoryStore, lane: Lane) -> Position {
    View::of(store).lane_in(peer(), lane).map(|row| row.received).unwrap_or_default()
}

/// Items of an input.
pub(super) fn items(bytes: &[u8]) -> impl Iterator<Item = ([u8; 2], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (&[a, b, high, low], after) = rest.split_first_chunk::<4>()?;
        let (body, after) = after.split_at(usize::from(u16::from_be_bytes([high, low])).min(after.len()));
        rest = after;
        Some(([a, b], body))
    })
}

fn command(head: [u8; 2], body: &[u8], received: &mut [Position]) -> Option<Command> {
    let peer = peer();
    let lane = Lane::ALL[usize::from(head[1] >> 1) % Lane::ALL.len()];
    Some(match head[0] {
        0..=199 => {
            let (signed, attachment) = letters::letter(head, body);
            let stream = parcel::write(&signed, &attachment);
            let (_, read) = parcel::take_varint(&stream).ok().flatten()?;
            let keys = |_: Society| vec![key().public_key()];
            let (opened, _) = open(stream.get(read..)?, &keys, &Ed25519Verifier).ok()?;
            let package = opened.outcome.as_ref().ok().and_then(|letter| package_of(&letter.envelope));
            let place = received.get_mut(usize::from(lane.number()) - 1)?;
            *place = place.next();
            Command::Deliver { peer, lane, position: *place, opened: Box::new(opened), package }
        }
        200..=219 => {
            let signature = key().sign(&pae(RECEIPT, body));
            let signed = SignedReceipt { content: body.to_vec().into(), signature };
            Command::TakeReceipt { peer, receipt: signed.read().ok()?, signed }
        }
        220..=229 => Command::MeetEpoch { peer, epoch: Epoch::parse_bytes(body.get(..16)?).ok()? },
        230..=255 => {
            let (position, rest) = body.split_first_chunk::<8>()?;
            let hash = Digest::parse_bytes(rest.get(..32)?).ok()?;
            Command::AdvanceLane { peer, lane, position: Position(u64::from_be_bytes(*position)), hash }
        }
    })
}

/// A package as the vault has it, for a release that brings one.
fn package_of(envelope: &Envelope) -> Option<Result<PackageRef, passerelle_domain::refusal::Refusal>> {
    envelope.attachment.filter(|_| envelope.kind == Kind::HandoverRelease)?;
    let handover = HandoverId::new(NOW, [2; 10]);
    let case = Pseudonyms::new([3; 32]).received(handover);
    Some(Ok(PackageRef { case, commitment: Digest([9; 32]) }))
}

/// What a node of ours is, made once.
fn trust() -> &'static NodeTrust {
    static TRUST: OnceLock<NodeTrust> = OnceLock::new();
    TRUST.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder for a moment");
        let root = folder.path().join("node");
        TrustFolder::init(&root, own(), Vec::new(), NOW, &|bytes: &mut [u8]| bytes.fill(5)).expect("a root");
        TrustFolder::open(&root).expect("it was just made").1
    })
}

/// Takes a peer's roots into the TLS of a node.
pub(super) fn trusts(peer: &SignedBundle) {
    let trust = trust();
    let (identity, own) = (trust.identity.clone(), trust.bundle.bundle().clone());
    let material = TrustMaterial { identity, own, peers: vec![peer.bundle().clone()] };
    if let Err(refusal) = LiveTrust::new(&material, Arc::new(|| NOW)) {
        tells_nothing(&refusal);
    }
}
