//! Releases, without a person, what was offered with `release_on_acceptance`: as soon as the other
//! Society has accepted, and only if the consent, asked again at that moment, still covers it.

use std::time::Duration;

use passerelle_domain::{
    catalogue::MinorStatus,
    decide::Caller,
    entry::{Body, Verdict},
    envelope::{Envelope, Kind, SignedEnvelope},
    facts::Facts as _,
    handover::{Offer, State},
    ids::{EntryIndex, HandoverId},
    refusal::{Code, Refusal},
    rows::HandoverRow,
};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::Operator;
use crate::store::{Direction, keys, view::decode};

/// What could not be released for want of something that passes is tried again after this long.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

impl Operator {
    /// Follows the journal until `end` and releases what is due. What was accepted while the node was
    /// off is found by the first look.
    pub async fn release_what_is_accepted(self, end: CancellationToken) {
        let mut work = self.engine.case_work();
        let mut due = self.accepted().unwrap_or_default();
        loop {
            let mut again = Vec::new();
            for id in due.drain(..) {
                if self.release_one(id).await {
                    again.push(id);
                }
            }
            tokio::select! {
                biased;
                () = end.cancelled() => return,
                () = tokio::time::sleep(AGAIN_AFTER), if !again.is_empty() => {}
                told = work.recv() => match told {
                    Ok(entry) => again.extend(self.accepted_by(entry)),
                    Err(RecvError::Lagged(_)) => again.extend(self.accepted().unwrap_or_default()),
                    Err(RecvError::Closed) => return,
                },
            }
            due = again;
            due.sort_unstable();
            due.dedup();
        }
    }

    /// Every handover that waits for its release.
    fn accepted(&self) -> Result<Vec<HandoverId>, Refusal> {
        let (from, until) = keys::all(b'h');
        let mut found = Vec::new();
        for pair in self.engine.store().scan(&from, &until, Direction::Forward) {
            let (key, value) = pair?;
            let row: HandoverRow = decode(&value)?;
            if let Some(id) = keys::id_bytes(&key).filter(|_| self.is_due(&row)) {
                found.push(HandoverId::from_bytes(id));
            }
        }
        Ok(found)
    }

    fn is_due(&self, row: &HandoverRow) -> bool {
        row.from == self.own && row.state == State::Accepted && row.release_on_acceptance && !row.frozen
    }

    /// The handover that an entry's answer is about, if it is due now.
    fn accepted_by(&self, index: EntryIndex) -> Option<HandoverId> {
        let view = self.view();
        let Body::Received { envelope: Some(meta), verdict: Verdict::Accepted, .. } = view.entry(index).ok()??.body
        else {
            return None;
        };
        let id = HandoverId::from(meta.subject.filter(|_| meta.kind == Kind::HandoverAnswer)?);
        view.handover(id).ok()?.is_some_and(|row| self.is_due(&row)).then_some(id)
    }

    /// Releases one; whether it is to be tried again.
    async fn release_one(&self, id: HandoverId) -> bool {
        match self.needs_a_person(id) {
            Ok(false) => {}
            Ok(true) => {
                tracing::warn!(handover = %id, "a case of a minor is released by a person, never by itself");
                return false;
            }
            Err(refusal) => return refusal.code.retryable(),
        }
        match self.release(Caller::system(), id, String::new(), Vec::new()).await {
            Ok(_) => {
                tracing::info!(handover = %id, "released on acceptance");
                false
            }
            Err(refused) => {
                let code = refused.code();
                tracing::warn!(handover = %id, %code, "not released on acceptance");
                code.retryable()
            }
        }
    }

    /// A child's case, or one whose age nobody knows, is never automated.
    fn needs_a_person(&self, id: HandoverId) -> Result<bool, Refusal> {
        let view = self.view();
        let absent = || Refusal::new(Code::UnknownHandover, "this node has no such handover");
        let row = view.handover(id)?.ok_or_else(absent)?;
        let object = view.object(row.entry)?.ok_or_else(absent)?;
        let envelope = Envelope::parse(&SignedEnvelope::from_object(&object)?.payload)?;
        let offer = Offer::from_cbor(&envelope.body)?;
        Ok(offer.age_band.is_minor() || offer.minor_status != MinorStatus::NotMinor)
    }
}
