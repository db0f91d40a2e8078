//! Tests of the supervisor, on paused time: what a stop waits for, and what it does not.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::*;

/// A supervisor, and the sender of its signals.
fn supervisor() -> (Supervisor, mpsc::Sender<()>) {
    let (sender, receiver) = mpsc::channel(4);
    (Supervisor::with_signals(ReceiverStream::new(receiver)), sender)
}

/// A task that ends `after` it was told to, and then notes its name.
fn spawn_dutiful(supervisor: &mut Supervisor, task: Task, after: Duration, ended: &Arc<Mutex<Vec<Task>>>) {
    let (token, ended) = (supervisor.token(task.phase()), ended.clone());
    supervisor.spawn(task, async move {
        token.cancelled().await;
        tokio::time::sleep(after).await;
        ended.lock().push(task);
        Ok(())
    });
}

#[tokio::test(start_paused = true)]
async fn a_signal_ends_the_phases_in_their_order() {
    let (mut supervisor, signals) = supervisor();
    let ended = Arc::default();
    let second = Duration::from_secs(1);
    for task in [Task::Committer, Task::Engine, Task::Link, Task::PeerListener] {
        spawn_dutiful(&mut supervisor, task, second, &ended);
    }
    let noted = ended.clone();
    let (spawner, token) = (supervisor.spawner(Phase::Link), supervisor.token(Phase::Link));
    spawner.spawn("session", async move {
        token.cancelled().await;
        tokio::time::sleep(2 * second).await;
        assert_eq!(noted.lock().last(), Some(&Task::Link), "the engine waits for the sessions");
        noted.lock().push(Task::TrustKeeper);
    });
    signals.send(()).await.expect("a supervisor");
    let begun = Instant::now();
    assert_eq!(supervisor.run_until_signal().await, Exit::Clean);
    assert_eq!(begun.elapsed(), 5 * second);
    let order = [Task::PeerListener, Task::Link, Task::TrustKeeper, Task::Engine, Task::Committer];
    assert_eq!(*ended.lock(), order);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_phase_is_left_behind_and_the_store_still_closes() {
    let (mut supervisor, signals) = supervisor();
    let ended = Arc::default();
    supervisor.spawn(Task::PeerListener, std::future::pending());
    supervisor.spawn(Task::Link, std::future::pending());
    supervisor.spawner(Phase::Engine).spawn("hanging", std::future::pending());
    spawn_dutiful(&mut supervisor, Task::Committer, Duration::from_secs(1), &ended);
    signals.send(()).await.expect("a supervisor");
    let begun = Instant::now();
    assert_eq!(supervisor.run_until_signal().await, Exit::Overdue);
    assert!(begun.elapsed() <= STOP_WITHIN, "{:?}", begun.elapsed());
    assert_eq!(*ended.lock(), [Task::Committer]);
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_at_once() {
    let (mut supervisor, signals) = supervisor();
    supervisor.spawn(Task::Engine, std::future::pending());
    signals.send(()).await.expect("a supervisor");
    let begun = Instant::now();
    let run = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        signals.send(()).await.expect("a supervisor");
    };
    let (exit, ()) = tokio::join!(supervisor.run_until_signal(), run);
    assert_eq!((exit, begun.elapsed()), (Exit::Interrupted, Duration::from_secs(1)));
    assert_eq!(exit.code(), 130);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_the_node_needs_takes_it_down_with_it_however_it_ends() {
    for how in ["returns", "fails", "panics"] {
        let (mut supervisor, _signals) = supervisor();
        let ended = Arc::default();
        spawn_dutiful(&mut supervisor, Task::Committer, Duration::from_secs(1), &ended);
        supervisor.spawn(Task::Engine, async move {
            match how {
                "returns" => Ok(()),
                "fails" => Err(anyhow::anyhow!("no disk")),
                _ => panic!("bug"),
            }
        });
        assert_eq!(supervisor.run_until_signal().await, Exit::Failed, "{how}");
        assert_eq!(*ended.lock(), [Task::Committer], "{how}: the rest is stopped in order");
    }
}

#[tokio::test(start_paused = true)]
async fn the_node_goes_on_without_its_figures_but_not_after_a_panic() {
    let (mut supervisor, signals) = supervisor();
    supervisor.spawn(Task::MetricsListener, async { Err(anyhow::anyhow!("port lost")) });
    let signal = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        signals.send(()).await.expect("a supervisor that still runs");
    };
    let (exit, ()) = tokio::join!(supervisor.run_until_signal(), signal);
    assert_eq!(exit, Exit::Clean);

    let (mut supervisor, _signals) = self::supervisor();
    supervisor.spawn(Task::MetricsListener, async { panic!("bug") });
    assert_eq!(supervisor.run_until_signal().await, Exit::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_connection_harms_nobody_else() {
    let (supervisor, signals) = supervisor();
    supervisor.spawner(Phase::Link).spawn("session", async { panic!("hostile bytes") });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(supervisor.spawner(Phase::Link).running(), 0);
    signals.send(()).await.expect("a supervisor that still runs");
    assert_eq!(supervisor.run_until_signal().await, Exit::Clean);
}

#[tokio::test]
async fn sigterm_is_a_signal() {
    let mut supervisor = Supervisor::new().expect("signals");
    let token = supervisor.token(Phase::Engine);
    supervisor.spawn(Task::Engine, async move {
        token.cancelled().await;
        Ok(())
    });
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).expect("a signal");
    assert_eq!(supervisor.run_until_signal().await, Exit::Clean);
}
