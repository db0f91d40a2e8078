//! What the node tells the service manager: that it is ready, that it is stopping, that it is alive.
//! Does nothing where there is no systemd (`NOTIFY_SOCKET` unset).

use std::{future::Future, time::Duration};

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

/// Start-up is done: the store is open, the journal's head was read, the listeners listen.
pub fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The node is on its way down.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// Says "alive" at half the interval that the unit asks for (`WatchdogSec=`), as long as `alive` says so; systemd kills
/// and restarts a node that falls silent. `alive` should ask the engine, so that a hung engine is found. Ends with
/// `stop`; without a watchdog in the unit it only waits for that.
pub async fn watchdog<Alive, Answer>(alive: Alive, stop: CancellationToken)
where
    Alive: Fn() -> Answer + Send,
    Answer: Future<Output = bool> + Send,
{
    let Some(interval) = sd_notify::watchdog_enabled() else {
        return stop.cancelled().await;
    };
    let mut tick = tokio::time::interval((interval / 2).max(Duration::from_millis(1)));
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let answer = tokio::time::timeout(interval / 2, alive()).await;
        if answer == Ok(true) {
            send(&[NotifyState::Watchdog]);
        } else {
            tracing::error!("the engine does not answer; systemd will restart the node");
        }
    }
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(fault) = sd_notify::notify(states) {
        tracing::warn!(%fault, "systemd could not be told of the node's state");
    }
}
