//! What a peer sends is read as fast as the engine takes it, and no faster.

use std::iter::once;

use futures_util::{StreamExt as _, stream};
use passerelle_domain::{
    limits::{ENVELOPE_BYTES_MAX, UNDER_WAY_BYTES_MAX},
    signing::Signature,
};

use super::*;

/// Bytes of a parcel in one frame.
const PIECE: usize = 12 * 1024;

#[tokio::test(start_paused = true)]
async fn a_peer_s_envelopes_wait_on_the_line_and_not_in_memory_while_the_engine_is_busy() {
    const ENVELOPES: usize = 12;
    let mut node = Node::at_rest();
    // What nobody has signed is refused by the engine, but it comes to it first.
    let envelope = SignedEnvelope { payload: vec![7; ENVELOPE_BYTES_MAX].into(), signature: Signature([9; 64]) };
    let content = parcel::write(&envelope, &[]);
    let pieces = content.len().div_ceil(PIECE);
    let read = Arc::new(AtomicUsize::default());
    let reading = read.clone();
    let frames = (0..ENVELOPES * pieces).map(move |at| {
        reading.store(at + 1, Ordering::SeqCst);
        let (nth, offset) = (at / pieces, at % pieces * PIECE);
        let content = content[offset..content.len().min(offset + PIECE)].to_vec();
        let (position, offset) = (Position(nth as u64 + 1), offset as u64);
        Frame::Parcels(Piece { lane: Lane::Routine, position, offset, content, deflated: false })
    });
    let incoming =
        stream::iter(once(Frame::Hello(hello())).chain(frames).map(|frame| Ok(frame.into()))).chain(stream::pending());
    let link = node.link.clone();
    let (outgoing, _from_node) = mpsc::channel(4_096);
    let driver = Driver::new(&link, peer(), Direction::In, outgoing).await.expect("a session begins");
    let session = driver.run(incoming, CancellationToken::new());
    tokio::pin!(session);

    tokio::time::timeout(A_WHILE, &mut session).await.map(|ended| ended.code).expect_err("it goes on");
    let whole = UNDER_WAY_BYTES_MAX / ENVELOPE_BYTES_MAX;
    assert_eq!(read.load(Ordering::SeqCst), whole * pieces, "pieces of {pieces} an envelope are read");

    node.begin();
    tokio::time::timeout(A_WHILE, &mut session).await.map(|ended| ended.code).expect_err("it goes on");
    assert_eq!(read.load(Ordering::SeqCst), ENVELOPES * pieces, "all are read once the engine goes on");
}
