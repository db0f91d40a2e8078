//! What the deliberate defects of the engine do when they are armed. Compiled under the feature `defects` alone.

use passerelle_domain::refusal::Refusal;

use super::{Engine, run::Waiting};
use crate::store::{self, view::failed};

/// Makes the rows of some kinds durable by a commit of their own, and gives back the rest.
pub(super) fn first(
    engine: &Engine,
    batch: store::Batch,
    is_first: impl Fn(u8) -> bool,
) -> Result<store::Batch, Refusal> {
    let (mut first, mut rest) = (store::Batch::new(), store::Batch::new());
    for (key, value) in batch.iter() {
        let part = if key.first().is_some_and(|kind| is_first(*kind)) { &mut first } else { &mut rest };
        match value {
            Some(value) => part.put(key, value),
            None => part.delete(key),
        }
        .map_err(failed)?;
    }
    engine.parts.store.commit(first).map_err(failed)?;
    Ok(rest)
}

/// Gives the answers that wait for the commit.
pub(super) fn answer(waiting: &mut Waiting) {
    for (reply, outcome) in waiting.drain(..) {
        // Who no longer waits has gone away.
        let _ = reply.send(outcome);
    }
}
