//! Redactions that a peer is given back when its store was restored from an earlier state: whoever forgot that its alert
//! is redacted would show it again, and never tell who has yet to hear of it. Reads rows; sends through the engine.

use std::collections::BTreeSet;

use passerelle_domain::{
    decide::{Caller, Command, REPLAY_MAX},
    entry::Body,
    envelope::Lane,
    facts::Facts as _,
    ids::{EntryIndex, Position},
    refusal::{Code, Refusal},
    rows::{AlertRow, TombstoneRow},
    society::Society,
};

use super::Link;
use crate::{
    store::{
        Direction, keys,
        view::{decode, failed},
    },
    supervise::offload,
};

/// Envelopes of a lane among which those are looked for that wait already.
const WAITING_MAX: usize = 10_000;

impl Link {
    /// Puts every redaction of the peer's own that this node took into its lane again, but for those that wait there.
    pub(super) fn give_back_redactions(&self, peer: Society) {
        let link = self.clone();
        self.spawner.spawn("redactions given back", async move {
            if let Err(refusal) = link.give_back(peer).await {
                tracing::error!(%peer, code = %refusal.code, "redactions could not be given back to a restored peer");
            }
        });
    }

    async fn give_back(&self, peer: Society) -> Result<(), Refusal> {
        let link = self.clone();
        let found = offload(move || link.redactions_of(peer)).await;
        let entries =
            found.map_err(|_| Refusal::new(Code::StoreFailed, "a task of the node failed; see its log"))??;
        for entries in entries.chunks(REPLAY_MAX) {
            let command = Command::Replay { caller: Caller::system(), peer, entries: entries.to_vec() };
            self.engine
                .submit_waiting(command)
                .await?
                .await
                .map_err(|_| Refusal::new(Code::ShuttingDown, "the node is shutting down"))??;
        }
        if !entries.is_empty() {
            tracing::info!(%peer, redactions = entries.len(), "a restored peer is given its redactions back");
        }
        Ok(())
    }

    /// The entries by which this node took redactions of the peer's alerts.
    fn redactions_of(&self, peer: Society) -> Result<Vec<EntryIndex>, Refusal> {
        let mut found = BTreeSet::new();
        let (store, view) = (self.engine.store(), self.engine.view());
        let rows = |letter| {
            let (from, until) = keys::all(letter);
            store.scan(&from, &until, Direction::Forward).map(|pair| pair.map(|(_, value)| value).map_err(failed))
        };
        for value in rows(b'a') {
            let row: AlertRow = decode(&value?)?;
            found.extend(row.redacted.filter(|_| row.origin == peer).map(|redaction| redaction.entry));
        }
        for value in rows(b't') {
            let row: TombstoneRow = decode(&value?)?;
            found.extend(row.of(peer).and_then(|claim| claim.redacted).map(|(_, entry)| entry));
        }
        let lane = view.lane_out(peer, Lane::Urgent)?;
        for at in (lane.receipted.0 + 1..=lane.queued.0).rev().take(WAITING_MAX) {
            if let Some(item) = view.lane_item(peer, Lane::Urgent, Position(at))? {
                found.remove(&item.entry);
            }
        }
        let mut entries = Vec::new();
        for entry in found {
            let body = view.entry(entry)?.map(|entry| entry.body);
            if matches!(body, Some(Body::Received { envelope: Some(meta), .. }) if meta.origin == peer) {
                entries.push(entry);
            }
        }
        Ok(entries)
    }
}
