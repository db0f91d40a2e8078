//! A package that the journal names is in the vault, whoever delivers it again; one that was refused is not.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_comes_again_in_a_second_session_leaves_the_first_package_where_it_is() {
    let node = Node::new();
    let release = node.releases();
    let first = node.meet().await;
    let (first_is_there, first_goes_on) = node.pause_vault();
    let (_second_is_there, second_goes_on) = node.pause_vault();
    first.bring(1, release(1)).await;
    tokio::task::block_in_place(|| first_is_there.recv_timeout(PATIENCE)).expect("the first session keeps it");
    let mut second = node.meet().await;
    second.bring(1, release(1)).await;
    // Whatever the second session does before the first one goes on, it does now; and the other way round.
    tokio::time::sleep(A_WHILE).await;
    first_goes_on.send(()).expect("the vault waits");
    tokio::time::sleep(A_WHILE).await;
    second_goes_on.send(()).expect("the vault waits");
    second.receipted(1).await;
    assert_eq!(first.breaks().await, Some(Code::SessionExists));
    node.is_quiet().await;
    assert!(node.opens(node.named().0), "what was receipted as accepted is there");
    assert_eq!(node.in_vault(), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_sends_a_package_twice_in_one_session_does_not_have_it_erased() {
    type Letters = Box<dyn Fn(u8) -> Vec<u8> + Send>;
    type Made = fn(&Node) -> Letters;
    let kinds: [(&str, Made); 2] =
        [("release", |node| Box::new(node.releases())), ("correction", |node| Box::new(node.corrections()))];
    for (kind, made) in kinds {
        let node = Node::new();
        let letter = made(&node);
        let mut wire = node.meet().await;
        // Both arrive while the engine is busy: neither is in the journal when the other comes.
        node.hold_commits().await;
        wire.bring(1, letter(1)).await;
        wire.bring(2, letter(2)).await;
        tokio::time::sleep(A_WHILE).await;
        node.let_commit();
        wire.receipted(2).await;
        node.is_quiet().await;
        let (package, correction) = node.named();
        assert!(node.opens(package.or(correction)), "the first {kind} is there");
        assert_eq!(node.in_vault(), (1, 1), "{kind}");
    }
}
