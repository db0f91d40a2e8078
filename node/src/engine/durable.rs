//! What is durable, as it grows: told by the engine, followed by everybody who tells others. A watch like Tokio's whose
//! waiters wake in the order in which they came, so that a run can be repeated. Touches memory alone.

use std::{ops::Deref, sync::Arc};

use parking_lot::{MappedRwLockReadGuard, RwLock, RwLockReadGuard};
use tokio::sync::Notify;

use super::Durable;

#[derive(Default)]
struct Shared {
    state: RwLock<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    durable: Durable,
    /// Rises with every change.
    version: u64,
    ended: bool,
}

/// The engine's end of it. Whoever waits is told when it is dropped.
pub(super) struct Teller(Arc<Shared>);

/// How others follow it. A clone has seen what the original has seen.
#[derive(Clone)]
pub struct Following {
    shared: Arc<Shared>,
    seen: u64,
}

/// The engine has ended: nothing more becomes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine has ended")]
pub struct EngineEnded;

/// Nothing durable yet, and how to follow it.
pub(super) fn channel() -> (Teller, Following) {
    let shared = Arc::new(Shared::default());
    (Teller(Arc::clone(&shared)), Following { shared, seen: 0 })
}

impl Teller {
    /// Changes it and wakes whoever waits.
    pub(super) fn change(&self, change: impl FnOnce(&mut Durable)) {
        {
            let mut state = self.0.state.write();
            change(&mut state.durable);
            state.version += 1;
        }
        self.0.changed.notify_waiters();
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.0.state.write().ended = true;
        self.0.changed.notify_waiters();
    }
}

impl Following {
    /// What is durable now. The engine waits while this is held: let it go soon, and never hold it across an await.
    pub fn borrow(&self) -> impl Deref<Target = Durable> + '_ {
        RwLockReadGuard::map(self.shared.state.read(), |state| &state.durable)
    }

    /// The same; [`Following::changed`] then waits for what comes after it.
    pub fn borrow_and_update(&mut self) -> MappedRwLockReadGuard<'_, Durable> {
        let state = self.shared.state.read();
        self.seen = state.version;
        RwLockReadGuard::map(state, |state| &state.durable)
    }

    /// Waits until there is something that was not seen yet, and takes it for seen. Nothing is lost when it is dropped.
    ///
    /// # Errors
    /// When the engine has ended and all was seen.
    pub async fn changed(&mut self) -> Result<(), EngineEnded> {
        loop {
            let woken = self.shared.changed.notified();
            tokio::pin!(woken);
            // From here on a change wakes it, also one that comes before it is awaited.
            woken.as_mut().enable();
            {
                let state = self.shared.state.read();
                if state.version != self.seen {
                    self.seen = state.version;
                    return Ok(());
                }
                if state.ended {
                    return Err(EngineEnded);
                }
            }
            woken.await;
        }
    }

    /// Waits until it fulfils a condition.
    ///
    /// # Errors
    /// When the engine ends before.
    pub async fn wait_for(&mut self, mut holds: impl FnMut(&Durable) -> bool) -> Result<(), EngineEnded> {
        loop {
            if holds(&self.borrow_and_update()) {
                return Ok(());
            }
            self.changed().await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn who_follows_misses_no_change_and_hears_of_the_end() {
        let (teller, mut following) = channel();
        assert!(following.changed().now_or_never().is_none(), "nothing happened yet");
        teller.change(|durable| durable.entries = 1);
        let mut late = following.clone();
        assert_eq!(following.changed().now_or_never(), Some(Ok(())));
        assert_eq!(late.changed().now_or_never(), Some(Ok(())), "a clone has not seen it");
        assert!(following.changed().now_or_never().is_none(), "once is enough");
        teller.change(|durable| durable.entries = 2);
        assert_eq!(following.borrow_and_update().entries, 2);
        assert!(following.changed().now_or_never().is_none(), "it was seen");
        let (waited, ()) = tokio::join!(following.wait_for(|durable| durable.entries == 3), async {
            teller.change(|durable| durable.entries = 3);
        });
        assert_eq!(waited, Ok(()));
        drop(teller);
        assert_eq!(following.changed().now_or_never(), Some(Err(EngineEnded)));
        assert_eq!(late.changed().now_or_never(), Some(Ok(())), "what was not seen comes before the end");
    }
}
