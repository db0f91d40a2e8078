//! A session that ends while a package of its is under way leaves nothing in the vault that the journal does not name.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_package_goes_although_the_session_is_over_when_the_engine_refuses_it() {
    let node = Node::new();
    let wire = node.meet().await;
    node.hold_commits().await;
    wire.bring(1, node.releases()(1)).await;
    eventually(|| node.in_vault() == (1, 1)).await;
    // A withdrawal overtakes it, and the line breaks before the engine has come to it.
    put(&node.store, &[Row::Handover(handover(), row(State::Withdrawn))]);
    assert_eq!(wire.breaks().await, None);
    node.let_commit();
    eventually(|| node.in_vault() == (0, 0)).await;
    node.is_quiet().await;
    assert_eq!(node.named().0, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_dropped_while_the_vault_is_at_work_leaves_nothing_there() {
    let node = Node::new();
    let wire = node.meet().await;
    let (reached, go_on) = node.pause_vault();
    wire.bring(1, node.releases()(1)).await;
    tokio::task::block_in_place(|| reached.recv_timeout(PATIENCE)).expect("the session keeps it");
    wire.cut.cancel();
    wire.ended.await.expect_err("it did not come to an end of its own");
    go_on.send(()).expect("the vault waits");
    eventually(|| node.packages.came.load(Ordering::SeqCst) == 1 && node.link.spawner.running() == 0).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!((node.in_vault(), node.named().0), ((0, 0), None), "the peer sends it again");
}
