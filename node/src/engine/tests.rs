//! The engine's loop, over a store in memory.

use std::time::Duration;

use passerelle_domain::{
    entry::{Actor, Body},
    facts::Facts as _,
    limits::REFUSALS_AN_HOUR_MAX,
    time::Time,
};

use super::*;
use crate::{
    clock::TestClock,
    store::{Batch, Direction, keys, memory::MemoryStore},
    trust::{Ed25519Verifier, Seed, SigningKey},
};

const NOW: Time = Time::from_millis(1_795_500_000_000);

fn begun() -> (Handle, TestClock) {
    let clock = TestClock::at(NOW);
    let (engine, handle) = Engine::new(Parts {
        own: "SN".parse().expect("a Society"),
        store: Arc::new(MemoryStore::new()),
        clock: Arc::new(clock.clone()),
        signer: Arc::new(SigningKey::from_seed(&Seed::new([1; 32])).expect("a key")),
        policy: watch::channel(Arc::new(Policy::default())).1,
        epoch: Epoch::new(NOW, [9; 10]),
        pseudonyms: Pseudonyms::new([3; 32]),
        metrics: Metrics::new(),
    });
    std::thread::spawn(|| engine.run().expect("the store does not fail"));
    (handle, clock)
}

async fn refused(engine: &Handle, actor: &Actor, request: &'static str, times: u32) {
    for _ in 0..times {
        let (actor, code) = (actor.clone(), Code::BadHandshake);
        engine.submit(Command::RecordRefusal { actor, request, code, uncounted: 0 }).await.expect("taken");
    }
}

/// The refusals of a request in the journal: by how many that were not written each was preceded.
fn written(engine: &Handle, request: &str) -> Vec<u32> {
    let entries = engine.durable().borrow().entries;
    let bodies = (0..entries).map(|index| engine.view().entry(EntryIndex(index)).expect("read").expect("there").body);
    let uncounted = |body| match body {
        Body::Refused { request: named, uncounted, .. } if named == request => Some(uncounted),
        _ => None,
    };
    bodies.filter_map(uncounted).collect()
}

#[tokio::test]
async fn refusals_that_were_not_written_are_told_by_the_next_that_is() {
    let (engine, clock) = begun();
    let mali = Actor::Peer("ML".parse().expect("a Society"));
    refused(&engine, &mali, "session", REFUSALS_AN_HOUR_MAX + 10).await;
    assert_eq!(written(&engine, "session"), vec![0; REFUSALS_AN_HOUR_MAX as usize]);
    clock.advance(Duration::from_secs(3_600));
    refused(&engine, &mali, "session", 1).await;
    assert_eq!(written(&engine, "session").last(), Some(&10));
    assert_eq!(written(&engine, "session").len(), REFUSALS_AN_HOUR_MAX as usize + 1);
}

#[tokio::test]
async fn strangers_at_the_door_keep_no_other_refusal_out_of_the_journal() {
    let (engine, _clock) = begun();
    refused(&engine, &Actor::System, "handshake", REFUSALS_AN_HOUR_MAX + 1).await;
    refused(&engine, &Actor::System, "feed", 1).await;
    assert_eq!(written(&engine, "feed"), [0]);
    assert_eq!(written(&engine, "handshake").len(), REFUSALS_AN_HOUR_MAX as usize);
}

/// Where a bit means nothing, nothing says that it has flipped: the next to write there would find out.
#[tokio::test]
async fn no_bit_of_the_journal_flips_unnoticed() {
    let (engine, _clock) = begun();
    refused(&engine, &Actor::System, "handshake", 3).await;
    let (from, until) = keys::all(b'E');
    let rows: Vec<_> = engine.store().scan(&from, &until, Direction::Forward).map(|row| row.expect("read")).collect();
    assert!(!rows.is_empty());
    let own = "SN".parse().expect("a Society");
    let keys = [SigningKey::from_seed(&Seed::new([1; 32])).expect("a key").public_key()];
    for (key, value) in rows {
        for bit in 0..value.len() * 8 {
            let mut damaged = value.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            write(&engine, &key, damaged);
            let report = verify(own, engine.store().as_ref(), &MemoryStore::new(), &keys, &Ed25519Verifier, |_| {});
            assert!(report.is_err() || report.is_ok_and(|it| !it.faults.is_empty()), "bit {bit} of {key:?}");
        }
        write(&engine, &key, value.to_vec());
    }
    let report = verify(own, engine.store().as_ref(), &MemoryStore::new(), &keys, &Ed25519Verifier, |_| {});
    assert_eq!(report.expect("it is readable").faults, Vec::<String>::new());
}

fn write(engine: &Handle, key: &[u8], value: Vec<u8>) {
    let mut batch = Batch::new();
    batch.put(key.to_vec(), value).expect("as it was");
    engine.store().commit(batch).expect("a store in memory");
}
