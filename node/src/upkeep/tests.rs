//! Upkeep as it meets a journal that goes on while it looks: an engine over a store in memory, a vault on the disk, and a
//! clock that is set.

use std::time::Duration;

use passerelle_domain::{
    catalogue::Role,
    consent::{ConsentDraft, ConsentRecord, EvidenceKind, RecordContext},
    decide::{Caller, EvidenceCommand},
    entry::Actor,
    ids::{ConsentId, Epoch},
};

use super::*;
use crate::{
    clock::TestClock,
    engine::Engine,
    store::memory::MemoryStore,
    trust::{SealingKey, Seed, SigningKey, tests::fill},
    vault::Vault,
};

const NOW: Time = Time::from_millis(1_795_500_000_000);
const CONSENT: &str = include_str!("../../../config/demo/consent-mali-only.toml");

/// The node of Senegal, as far as retention needs one.
struct Node {
    folder: tempfile::TempDir,
    clock: TestClock,
    upkeep: Arc<Upkeep>,
}

impl Node {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = TestClock::at(NOW);
        let own: Society = "SN".parse().expect("a Society");
        let signer: Arc<SigningKey> = Arc::new(SigningKey::from_seed(&Seed::new([1; 32])).expect("a key"));
        let policy = watch::channel(Arc::new(Policy::default())).1;
        let (engine, handle) = Engine::new(engine::Parts {
            own,
            store: Arc::new(MemoryStore::new()),
            clock: Arc::new(clock.clone()),
            signer: signer.clone(),
            policy: policy.clone(),
            epoch: Epoch::new(NOW, [9; 10]),
            pseudonyms: Pseudonyms::new([3; 32]),
            metrics: Metrics::new(),
        });
        std::thread::spawn(|| engine.run().expect("the store does not fail"));
        let vault = Vault::open(&folder.path().join("vault"), Arc::new(fill)).expect("opens");
        let sealing = Arc::new(SealingKey::from_seed(&Seed::new([2; 32])).expect("a key"));
        let upkeep = Arc::new(Upkeep::new(Parts {
            own,
            engine: handle.clone(),
            clock: Arc::new(clock.clone()),
            packages: Arc::new(Packages::new(own, vault, sealing, handle)),
            cleaned: Cleaned::default(),
            policy,
            pseudonyms: Pseudonyms::new([3; 32]),
            signer,
            metrics: Metrics::new(),
            clocks_apart: Box::new(|| 0),
            every: Duration::from_secs(3_600),
        }));
        Self { folder, clock, upkeep }
    }

    async fn ask(&self, command: impl Into<Command>) {
        self.upkeep.parts.engine.submit(command.into()).await.expect("done");
    }

    /// A consent that was recorded as it was spoken, with its recording in the vault.
    async fn spoken(&self, number: u8) {
        let voice = [b"OggS a voice", [number].as_slice()].concat();
        let case = CaseId::new(NOW, [number; 10]);
        let consent = ConsentId::new(NOW, [number; 10]);
        let mut draft: toml::Table = toml::from_str(CONSENT).expect("the demo's consent is TOML");
        draft.insert("collection".into(), "oral_recorded".into());
        draft.insert("evidence".into(), Digest::of(&voice).to_string().into());
        let draft: ConsentDraft = draft.try_into().expect("a draft");
        let parts = &self.upkeep.parts;
        let context = RecordContext { id: consent, subject: parts.pseudonyms.own(case), society: parts.own, now: NOW };
        let record = Box::new(ConsentRecord::from_draft(draft, context).expect("a record"));
        let caller = Caller { actor: Actor::Operator("awa".into()), roles: vec![Role::Caseworker] };
        self.ask(Command::RecordConsent { caller: caller.clone(), case, record }).await;
        let place = parts.packages.put_evidence(consent, &voice).expect("kept");
        let (digest, kind) = (Digest::of(&voice), EvidenceKind::Recording);
        self.ask(EvidenceCommand::Keep { caller, consent, place, digest, kind }).await;
    }

    fn pieces(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("vault/evidence")).expect("listed").count()
    }

    /// All of a kind that is due now.
    fn due(&self, kind: &str) -> Vec<Found> {
        let (mut due, mut place) = (Vec::new(), Some(look::Place::first(EntryIndex(0))));
        while let Some(at) = place {
            let looked = self.upkeep.look(&at, self.clock.now()).expect("looked");
            due.extend(looked.found.into_iter().filter(|found| found.kind == kind && found.due.at <= self.clock.now()));
            place = looked.next;
        }
        due
    }
}

#[tokio::test]
async fn what_is_refused_because_it_is_gone_keeps_nothing_beside_it_in_the_vault() {
    let node = Node::new();
    node.spoken(1).await;
    node.spoken(2).await;
    assert_eq!(node.pieces(), 2);
    node.clock.advance(Duration::from_secs(3 * 366 * 86_400));
    let due = node.due("consent_evidence");
    assert_eq!(due.len(), 2);
    let (case, names) = due[1].shred.clone().expect("a piece");
    // Another hand destroys the first after the look.
    node.ask(Command::Purge { target: due[0].target.clone() }).await;
    assert_eq!(node.upkeep.purge(due).await, (1, None), "that it is gone is no failure");
    assert_eq!(node.pieces(), 1, "of the first, the other hand has to take care");
    let absent =
        node.upkeep.parts.packages.evidence(&passerelle_domain::entry::PackageRef { case, commitment: names[0] });
    assert_eq!(absent.map(|_| ()).map_err(|refusal| refusal.code), Err(Code::PackageAbsent));
}

#[tokio::test]
async fn a_refusal_that_nothing_explains_is_told_once_the_rest_is_done() {
    let node = Node::new();
    node.spoken(1).await;
    node.clock.advance(Duration::from_secs(3 * 366 * 86_400));
    let mut due = node.due("consent_evidence");
    // More entries than one purge may name, as no look finds them.
    let strange = Found { target: Target::Evidence(Vec::new()), shred: None, ..due[0].clone() };
    due.insert(0, strange);
    let (purged, refused) = node.upkeep.purge(due).await;
    assert_eq!((purged, refused.map(|refusal| refusal.code)), (1, Some(Code::TooMany)));
    assert_eq!(node.pieces(), 0);
}
