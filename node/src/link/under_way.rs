//! What a session has given to the engine, with what each answer is for, and how much of it there may be at once. Asks
//! nobody.

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesOrdered};
use passerelle_domain::{
    decide::Reply,
    envelope::Lane,
    limits::{UNDER_WAY_BYTES_MAX, UNDER_WAY_MAX},
    refusal::Refusal,
};
use tokio::sync::oneshot;

/// What a submitted command will answer.
pub(super) type Pending = oneshot::Receiver<Result<Reply, Refusal>>;

/// What came of it: the answer, or the end of the engine.
pub(super) type Outcome = Result<Result<Reply, Refusal>, oneshot::error::RecvError>;

/// What the answer to a command is for.
pub(super) enum Due {
    /// A parcel, and whether its receipt may be gathered with others.
    Delivered(Lane, bool),
    Other,
}

/// Commands under way, in the order in which they were given.
#[derive(Default)]
pub(super) struct UnderWay {
    commands: FuturesOrdered<BoxFuture<'static, (Due, usize, Outcome)>>,
    bytes: usize,
}

impl UnderWay {
    /// One more, for which so many bytes of the peer's wait.
    pub(super) fn push(&mut self, due: Due, bytes: usize, pending: Pending) {
        self.bytes += bytes;
        self.commands.push_back(async move { (due, bytes, pending.await) }.boxed());
    }

    /// The first, once it is answered; `None` when there is none. Whoever stops waiting loses nothing.
    pub(super) async fn next(&mut self) -> Option<(Due, Outcome)> {
        let (due, bytes, outcome) = self.commands.next().await?;
        self.bytes = self.bytes.saturating_sub(bytes);
        Some((due, outcome))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Whether more may be read of what the peer sends. A parcel that alone is more than the limit passes alone.
    pub(super) fn has_room(&self) -> bool {
        self.commands.len() < UNDER_WAY_MAX && self.bytes < UNDER_WAY_BYTES_MAX
    }
}
