//! What a session makes of a Hello that tells of an earlier state of the peer than the journal knows already.

use passerelle_domain::{
    alert::{Alert, AlertDraft, is_urgent},
    catalogue::Role,
    decide::Caller,
    ids::AlertId,
    receipt::Receipt,
    rows::LaneOut,
};

use super::*;

const DRAFT: &str = include_str!("../../../../config/demo/alert-convoy.toml");

impl Node {
    /// Publishes an alert; its lane.
    async fn publishes(&self) -> Lane {
        let mut draft: AlertDraft = toml::from_str(DRAFT).expect("the draft of the demo");
        draft.distribution = Vec::new();
        let alert = Alert::from_draft(draft, NOW).expect("an alert");
        let lane = if is_urgent(&alert) { Lane::Urgent } else { Lane::Routine };
        let caller = Caller { actor: Actor::Operator("fatou".to_owned()), roles: Role::ALL.to_vec() };
        let id = AlertId::new(NOW, [1; 10]);
        let command = Command::RaiseAlert { caller, id, alert: Box::new(alert) };
        self.link.engine.submit(command).await.expect("it is published");
        lane
    }

    fn end_of(&self, lane: Lane) -> LaneOut {
        self.link.engine.view().lane_out(peer(), lane).expect("readable")
    }

    /// The peer's receipt over the last envelope of the lane.
    fn receipt(&self, lane: Lane, entry: u64) -> Frame {
        let LaneOut { queued: position, queued_hash: hash, .. } = self.end_of(lane);
        let entry = EntryIndex(entry);
        let receipt = Receipt { by: peer(), to: own(), lane, position, hash, entry, rejected: Vec::new() };
        let signed = receipt.sign(&key_of_peer());
        receipt.brief(&signed).map_or(Frame::Receipt(signed), Frame::BriefReceipt)
    }
}

/// Two dials cross: the Hello of the one was written before what was sent in the other arrived, and is read after it
/// was receipted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hello_that_is_older_than_a_receipt_takes_nothing_of_it_back() {
    let node = Node::new();
    let lane = node.publishes().await;
    // Of the store that was restored here, the peer holds an envelope that nobody knows here any more.
    let held = LanePositions { received: Position(1), received_hash: Digest([7; 32]), ..LanePositions::default() };
    let mut first = node.greeted_with(lane, held).await;
    eventually(|| node.end_of(lane).queued == Position(2)).await;
    first.until(|frame| matches!(frame, Frame::Parcels(_))).await;
    first.send(node.receipt(lane, 4)).await;
    eventually(|| node.end_of(lane).receipted == Position(2)).await;

    let receipt = node.receipt(lane, 4);
    let second = node.greeted_with(lane, held).await;
    second.send(receipt).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!((node.end_of(lane).receipted, node.end_of(lane).queued), (Position(2), Position(2)));
    drop(first);
    assert_eq!(second.breaks().await, None, "the session stood");
}
