//! The journal for audit, the state of the node, and the export that another node reads.

use passerelle_domain::{catalogue::Role, ids::Epoch, refusal::Code, signing::Signer as _};
use passerelle_proto::v1::{
    self, audit_service_client::AuditServiceClient, peer_service_client::PeerServiceClient,
    status_service_client::StatusServiceClient,
};

use super::{NOW, Node, convoy, refusal, society};
use crate::{
    engine::{self, export},
    store::{Direction, Store as _, keys, memory::MemoryStore},
    trust::{Ed25519Verifier, Seed, SigningKey},
};

async fn busy_node() -> Node {
    let node = Node::new(&[Role::AlertAuthor, Role::Auditor, Role::NodeAdmin, Role::Supervisor]).await;
    node.meet_mali().await;
    for _ in 0..5 {
        let request = v1::RaiseAlertRequest { id: String::new(), alert: Some(convoy()) };
        node.alerts().raise_alert(request).await.expect("raised");
    }
    node.alerts().get_alert(v1::GetAlertRequest { id: "x".into() }).await.expect_err("a refusal");
    node
}

async fn exported(node: &Node) -> Vec<u8> {
    let mut audit = AuditServiceClient::new(node.channel.clone());
    let request = v1::ExportJournalRequest { from_index: 0 };
    let mut stream = audit.export_journal(request).await.expect("exported").into_inner();
    let mut bytes = Vec::new();
    while let Some(part) = stream.message().await.expect("no error") {
        bytes.extend_from_slice(&part.chunk);
    }
    bytes
}

fn own_key() -> [u8; 32] {
    SigningKey::from_seed(&Seed::new([1; 32])).expect("a key").public_key()
}

#[tokio::test]
async fn the_journal_is_listed_by_what_an_auditor_asks_for() {
    let node = busy_node().await;
    let mut audit = AuditServiceClient::new(node.channel.clone());
    let all = audit.list_entries(v1::ListEntriesRequest::default()).await.expect("listed").into_inner();
    let kinds: Vec<_> = all.entries.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["genesis", "peer", "issued", "issued", "issued", "issued", "issued", "refused"]);
    assert_eq!((all.entries[7].actor.as_str(), all.entries[7].verdict.as_str()), ("awa", "malformed_id"));
    let body: serde_json::Value = serde_json::from_str(&all.entries[2].body_json).expect("JSON");
    assert_eq!(body["recipients"], serde_json::json!(["ML"]));
    let request = v1::ListEntriesRequest { kind: "issued".into(), page_size: 2, ..Default::default() };
    let page = audit.list_entries(request).await.expect("listed").into_inner();
    assert_eq!((page.entries.len(), page.next_index), (2, Some(4)));
    let request = v1::ListEntriesRequest { society: "ML".into(), ..Default::default() };
    assert_eq!(audit.list_entries(request).await.expect("listed").into_inner().entries.len(), 6);
    let checkpoint = audit.get_checkpoint(v1::GetCheckpointRequest {}).await.expect("signed").into_inner();
    assert_eq!(checkpoint.size, 8);
    assert!(checkpoint.note.starts_with("sn.sahelplus/journal\n8\n"));
}

#[tokio::test]
async fn a_whole_journal_verifies_and_a_changed_row_is_found() {
    let node = busy_node().await;
    let mut audit = AuditServiceClient::new(node.channel.clone());
    let verdict = |mut stream: tonic::Streaming<v1::VerifyJournalResponse>| async move {
        while let Some(message) = stream.message().await.expect("no error") {
            if message.done {
                return message;
            }
        }
        panic!("no verdict");
    };
    let stream = audit.verify_journal(v1::VerifyJournalRequest {}).await.expect("begun").into_inner();
    let report = verdict(stream).await;
    assert!(report.ok, "{:?}", report.faults);
    assert_eq!((report.entries_checked, report.objects_checked), (8, 6));
    let mut batch = crate::store::Batch::new();
    batch.put(keys::peer(society("ML")), [0]).expect("a row");
    node.store.commit(batch).expect("written");
    let stream = audit.verify_journal(v1::VerifyJournalRequest {}).await.expect("begun").into_inner();
    let report = verdict(stream).await;
    assert_eq!((report.ok, report.faults.len()), (false, 1), "{:?}", report.faults);
}

#[tokio::test]
async fn an_export_makes_the_same_journal_and_the_same_rows_elsewhere() {
    let node = busy_node().await;
    let bytes = exported(&node).await;
    let store = MemoryStore::new();
    let epoch = Epoch::new(NOW, [1; 10]);
    let keys_of_own = [own_key()];
    let imported =
        export::import(society("SN"), &store, &bytes[..], epoch, &keys_of_own, &Ed25519Verifier).expect("imported");
    assert_eq!((imported.entries, imported.objects), (8, 6));
    for letter in keys::VIEWS.iter().copied().chain(*b"eon") {
        let (from, until) = keys::all(letter);
        let rows = |store: &MemoryStore| -> Vec<_> {
            store.scan(&from, &until, Direction::Forward).map(|row| row.expect("read")).collect()
        };
        assert_eq!(rows(&store), rows(&node.store), "rows of kind {}", char::from(letter));
    }
    let report = engine::verify(society("SN"), &store, &MemoryStore::new(), &keys_of_own, &Ed25519Verifier, |_| {})
        .expect("read");
    assert_eq!(report.faults, Vec::<String>::new());
    let again = export::import(society("SN"), &store, &bytes[..], epoch, &keys_of_own, &Ed25519Verifier);
    assert_eq!(again.map_err(|refusal| refusal.code), Err(Code::WrongState));
}

#[tokio::test]
async fn an_export_that_was_cut_or_changed_anywhere_is_refused() {
    let node = busy_node().await;
    let bytes = exported(&node).await;
    let import = |own: &str, bytes: &[u8], key| {
        let epoch = Epoch::new(NOW, [1; 10]);
        export::import(society(own), &MemoryStore::new(), bytes, epoch, &[key], &Ed25519Verifier)
            .map_err(|refusal| refusal.code)
    };
    assert!(import("SN", &bytes, own_key()).is_ok());
    assert_eq!(import("SN", &bytes, [9; 32]), Err(Code::BadSignature));
    assert_eq!(import("GM", &bytes, own_key()), Err(Code::WrongSociety));
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(import("SN", &longer, own_key()), Err(Code::MalformedFile));
    for at in (0..bytes.len()).step_by(97) {
        assert_eq!(import("SN", &bytes[..at], own_key()), Err(Code::MalformedFile), "cut at {at}");
        let mut changed = bytes.clone();
        changed[at] ^= 0x04;
        // The epoch alone is told and not proven: the importing store begins a life of its own.
        let epoch_at = bytes.windows(5).position(|part| part == b"epoch").expect("the header has it");
        if !(epoch_at..epoch_at + 23).contains(&at) {
            assert!(import("SN", &changed, own_key()).is_err(), "changed at {at}");
        }
    }
}

#[tokio::test]
async fn status_tells_what_waits_and_who_asks() {
    let node = busy_node().await;
    node.clock.advance(std::time::Duration::from_secs(600));
    let mut client = StatusServiceClient::new(node.channel.clone());
    let status = client.get_status(v1::GetStatusRequest {}).await.expect("told").into_inner();
    assert_eq!((status.society.as_str(), status.journal_entries, status.alerts_active), ("SN", 8, 5));
    assert_eq!((status.operator.as_str(), status.roles.len()), ("awa", 4));
    assert_eq!((status.certificate_days_left, status.root_days_left), (59, 2_999));
    assert!(status.alarms.contains(&"ML: restored_peer".to_owned()));
    let mali = &status.peers[0];
    let lane = mali.lanes.iter().find(|lane| lane.backlog > 0).expect("the alerts wait");
    assert_eq!((mali.link.as_str(), lane.backlog), ("up", 5));
    assert_eq!(lane.oldest_undelivered_at, Some(passerelle_proto::convert::timestamp(NOW)));
}

#[tokio::test]
async fn a_first_bundle_is_taken_on_a_persons_word_and_replays_are_counted() {
    let node = busy_node().await;
    let mut peers = PeerServiceClient::new(node.channel.clone());
    let request = v1::AddPeerRequest { bundle: b"{}".to_vec(), fingerprint_words: String::new() };
    let status = peers.add_peer(request.clone()).await.expect_err("words are needed");
    assert_eq!(refusal(&status), ("missing_field".into(), "fingerprint_words".into()));
    let request = v1::AddPeerRequest { fingerprint_words: " Abandon  zoo\n".into(), ..request };
    let added = peers.add_peer(request).await.expect("taken").into_inner();
    assert_eq!((added.society.as_str(), added.fingerprint_words.as_str()), ("GM", "abandon zoo"));
    let replay =
        |society: &str, from_entry| v1::ReplayToPeerRequest { society: society.into(), from_entry, until_entry: 0 };
    let answer = peers.replay_to_peer(replay("ML", 0)).await.expect("replayed").into_inner();
    assert_eq!((answer.envelopes, answer.withheld.len()), (5, 0));
    assert_eq!(refusal(&peers.replay_to_peer(replay("TD", 0)).await.expect_err("no peer")).0, "unknown_peer");
    assert_eq!(refusal(&peers.replay_to_peer(replay("ML", 99)).await.expect_err("no entry")).0, "unknown_entry");
    let subscription = v1::SetSubscriptionRequest { segments: vec!["atl".into()], everything: false };
    peers.set_subscription(subscription).await.expect("declared");
}
