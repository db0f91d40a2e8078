//! The desk at an engine over a store in memory, with hooks that are real programs.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use passerelle_domain::{
    alert::{Alert, AlertDraft, When},
    bundle::{Bundle, BundleContent, SEALING_KEY_BYTES},
    catalogue::Severity,
    decide::{Caller, Letter, Opened, Policy, Pseudonyms},
    entry::Body,
    envelope::{Envelope, FORMAT_VERSION, Kind, Lane},
    ids::{EnvelopeId, Epoch, Position},
    signing::Signer as _,
};

use super::*;
use crate::{
    clock::TestClock,
    engine::Engine,
    store::{Batch, Row, Store, StoreError, Value, memory::MemoryStore},
    supervise::Spawner,
    trust::{Seed, SigningKey},
};

const NOW: Time = Time::from_millis(1_795_500_000_000);
const CONVOY: &str = include_str!("../../../config/demo/alert-convoy.toml");

/// A store whose scans of alerts fail until they are let succeed.
struct Failing {
    inner: MemoryStore,
    fails: AtomicBool,
}

impl Store for Failing {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        self.inner.get(key)
    }

    fn scan<'a>(
        &'a self,
        from: &[u8],
        until: &[u8],
        direction: Direction,
    ) -> Box<dyn Iterator<Item = Result<Row, StoreError>> + 'a> {
        if from.first() == Some(&b'a') && self.fails.swap(false, Ordering::Relaxed) {
            return Box::new(std::iter::once(Err(StoreError::Io {
                step: "read a page",
                path: "x".into(),
                source: std::io::Error::other("on purpose"),
            })));
        }
        self.inner.scan(from, until, direction)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.inner.commit(batch)
    }

    fn bytes_on_disk(&self) -> Result<u64, StoreError> {
        self.inner.bytes_on_disk()
    }
}

/// The node of Senegal, as far as the desk needs one.
struct Node {
    engine: engine::Handle,
    store: Arc<Failing>,
    clock: TestClock,
    mali: SigningKey,
    spawner: Spawner,
    end: CancellationToken,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Node {
    async fn new() -> Self {
        let store = Arc::new(Failing { inner: MemoryStore::new(), fails: AtomicBool::new(false) });
        let clock = TestClock::at(NOW);
        let (engine, handle) = Engine::new(engine::Parts {
            own: "SN".parse().expect("a Society"),
            store: Arc::clone(&store) as _,
            clock: Arc::new(clock.clone()),
            signer: Arc::new(SigningKey::from_seed(&Seed::new([1; 32])).expect("a key")),
            policy: watch::channel(Arc::new(Policy::default())).1,
            epoch: Epoch::new(NOW, [9; 10]),
            pseudonyms: Pseudonyms::new([3; 32]),
            metrics: Metrics::new(),
        });
        std::thread::spawn(|| engine.run().expect("the store does not fail"));
        handle.durable().wait_for(|durable| durable.entries > 0).await.expect("the engine runs");
        let mali = SigningKey::from_seed(&Seed::new([2; 32])).expect("a key");
        let bundle = Bundle::new(BundleContent {
            society: "ML".parse().expect("a Society"),
            version: 1,
            valid_from: Time::default(),
            valid_until: Time::from_millis(u64::MAX),
            roots: vec![vec![1].into()],
            signing_keys: vec![mali.public_key()],
            sealing_keys: vec![vec![0; SEALING_KEY_BYTES].into()],
            addresses: Vec::new(),
        })
        .expect("a bundle");
        let payload = bundle.payload();
        let take = Command::TakeBundle { caller: Caller::system(), bundle: Box::new(bundle), payload };
        handle.submit(take).await.expect("taken");
        let end = CancellationToken::new();
        Self { engine: handle, store, clock, mali, spawner: Spawner::new(end.clone()), end }
    }

    /// Mali sends an alert that asks to be acknowledged by now.
    async fn asked(&self, number: u64, severity: Severity) -> AlertId {
        let mut draft: AlertDraft = toml::from_str(CONVOY).expect("the demo's alert is a draft");
        draft.distribution = Vec::new();
        draft.severity = Some(severity);
        draft.ack_required = Some(true);
        draft.ack_by = Some(When::At(NOW.plus(Duration::from_secs(1))));
        let alert = Alert::from_draft(draft, NOW).expect("an alert");
        let envelope = Envelope {
            version: FORMAT_VERSION,
            id: EnvelopeId::new(NOW, [u8::try_from(number).expect("few"); 10]),
            origin: "ML".parse().expect("a Society"),
            recipients: vec!["SN".parse().expect("a Society")],
            kind: Kind::Alert,
            lane: Lane::Routine,
            created_at: NOW,
            expires_at: Some(alert.expires_at),
            body: alert.to_cbor().into(),
            attachment: None,
        };
        let id = envelope.id.into();
        let signed = envelope.sign(&self.mali);
        let letter = Letter { envelope, signed, content: Content::Alert(Box::new(alert)) };
        let opened = Box::new(Opened { digest: letter.signed.digest(), outcome: Ok(letter) });
        let (peer, lane) = ("ML".parse().expect("a Society"), Lane::Routine);
        let command = Command::Deliver { peer, lane, position: Position(number), opened, package: None };
        self.engine.submit(command).await.expect("judged");
        assert!(self.engine.view().alert(id).expect("read").is_some_and(|row| row.ack.is_some()), "it was accepted");
        id
    }

    /// A desk with one post, called by `hook`.
    fn desk(&self, hook: &[&str]) {
        let hook = hook.iter().map(|word| (*word).to_owned()).collect();
        let post = Duty { post: "duty_officer.dakar".into(), hook, wait: Duration::from_secs(600) };
        let posts = watch::channel(Arc::new(vec![post])).1;
        let own = "SN".parse().expect("a Society");
        let desk = Desk::new(own, self.engine.clone(), Arc::new(self.clock.clone()), posts, Metrics::new());
        self.spawner.spawn("desk", desk.keep(self.end.clone()));
    }

    /// Whose calls have begun, in their order, and how many are over.
    fn calls(&self) -> (Vec<AlertId>, usize) {
        let (mut begun, mut over) = (Vec::new(), 0);
        let entries = self.engine.durable().borrow().entries;
        for index in 0..entries {
            match self.engine.view().entry(EntryIndex(index)).expect("read").expect("there").body {
                Body::AlertEscalated { alert, .. } => begun.push(alert),
                Body::EscalationEnded { .. } => over += 1,
                _ => {}
            }
        }
        (begun, over)
    }

    /// Waits until so many calls have begun.
    async fn begun(&self, calls: usize) -> Vec<AlertId> {
        let since = Instant::now();
        loop {
            let begun = self.calls().0;
            if begun.len() >= calls {
                return begun;
            }
            assert!(since.elapsed() < Duration::from_secs(15), "{begun:?} and no more");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn a_desk_that_could_not_read_its_work_reads_it_again() {
    let node = Node::new().await;
    let id = node.asked(1, Severity::Moderate).await;
    node.clock.advance(Duration::from_secs(2));
    node.store.fails.store(true, Ordering::Relaxed);
    node.desk(&[]);
    assert_eq!(node.begun(1).await, [id]);
    assert!(!node.store.fails.load(Ordering::Relaxed), "it did fail");
}

#[tokio::test]
async fn a_damaged_row_keeps_no_other_alert_from_being_called_for() {
    let node = Node::new().await;
    let id = node.asked(1, Severity::Moderate).await;
    node.clock.advance(Duration::from_secs(2));
    let mut batch = Batch::new();
    batch.put(keys::alert(AlertId::new(NOW, [0; 10])), b"no row".to_vec()).expect("small");
    node.store.commit(batch).expect("committed");
    node.desk(&[]);
    assert_eq!(node.begun(1).await, [id]);
}

#[tokio::test]
async fn an_alert_that_could_not_be_read_stays_due() {
    let node = Node::new().await;
    let id = node.asked(1, Severity::Moderate).await;
    let key = keys::alert(id);
    let row = node.store.get(&key).expect("read").expect("there").to_vec();
    let put = |value: Vec<u8>| {
        let mut batch = Batch::new();
        batch.put(key.clone(), value).expect("small");
        node.store.commit(batch).expect("committed");
    };
    node.clock.advance(Duration::from_secs(2));
    let posts = watch::channel(Arc::default()).1;
    let own = "SN".parse().expect("a Society");
    let mut desk = Desk::new(own, node.engine.clone(), Arc::new(node.clock.clone()), posts, Metrics::new());
    put(b"no row".to_vec());
    desk.note(id);
    assert_eq!(desk.due.get(&id), Some(&node.clock.now().plus(AGAIN_AFTER)));
    put(row);
    desk.note(id);
    assert_eq!(desk.due.get(&id), None, "there is no post, and so nothing due");
}

#[tokio::test]
async fn a_hook_that_hangs_keeps_no_other_call_waiting_and_severe_alerts_go_first() {
    let node = Node::new().await;
    let lesser = [1, 2, 3, 4, 5, 6];
    let mut ids = Vec::new();
    for number in lesser {
        ids.push(node.asked(number, Severity::Minor).await);
    }
    let extreme = node.asked(7, Severity::Extreme).await;
    node.clock.advance(Duration::from_secs(2));
    node.desk(&["/bin/sleep", "28"]);
    let begun = node.begun(5).await;
    assert_eq!(begun[0], extreme, "the worst first");
    assert_eq!(begun[1..], ids[..4], "and with it some others");
    // All that may hang do; there is room left for what is severe.
    let severe = node.asked(8, Severity::Severe).await;
    let begun = node.begun(6).await;
    assert_eq!(begun[5], severe);
    assert_eq!(node.calls(), (begun, 0), "two lesser ones wait, and no hook has ended");
}
