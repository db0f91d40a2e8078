//! The fold: what rows follow from an entry. Run when an entry is written and when views are
//! rebuilt, so that a row can never say what the journal does not.

mod alerts;
mod content;
mod drafts;
mod evidence;
mod handovers;
mod keeping;
mod lanes;
mod residue;
mod rights;
mod safeguards;
mod withdrawals;

pub use content::{Content, Named, Subscription, check_object, content, object_named, of_envelope, stored};
pub use handovers::side_of;
pub use residue::{AlertOutline, OfferOutline, Residue, ResidueLedger};
pub use withdrawals::resting_of;

use crate::{
    alert::life::Event,
    entry::{Body, Entry, EnvelopeMeta, PeerChange, Verdict},
    envelope::Kind,
    facts::Facts,
    handover::Proposal,
    refusal::Refusal,
    rows::{ConsentRow, EnvelopeRow, PeerRow, PublicKeyRow, Row},
    society::Society,
};

/// The rows that an entry changes, given the rows as they are before it. `content` is the meaning
/// of its object; absent when it has none or when retention or erasure removed it.
///
/// # Errors
/// Only when the facts cannot be read.
pub fn rows(own: Society, facts: &dyn Facts, entry: &Entry, content: Option<&Content>) -> Result<Vec<Row>, Refusal> {
    let mut fold = Fold { own, facts, entry, rows: Vec::new() };
    match &entry.body {
        // What is forgotten leaves a residue that folds to the same rows.
        Body::Genesis { .. }
        | Body::Breach(_)
        | Body::ReadByPeer { .. }
        | Body::Refused { .. }
        | Body::Forgotten { .. } => {}
        Body::PackageRead { handover, sections, purpose } => fold.read(*handover, sections, purpose)?,
        Body::Rights(step) => fold.rights(step, content)?,
        Body::Correction(step) => fold.correction(step)?,
        Body::Issued(meta) => {
            let deliveries = fold.enqueue_all(meta)?;
            fold.remember(meta);
            fold.effect(meta, content, own, deliveries)?;
        }
        Body::Received { peer, lane, position, digest, envelope, verdict } => {
            fold.take_position(*peer, *lane, *position, digest, verdict)?;
            if let (Verdict::Accepted, Some(meta)) = (verdict, envelope) {
                fold.remember(meta);
                fold.effect(meta, content, meta.origin, Vec::new())?;
            }
        }
        Body::Receipted { peer, lane, position, rejected } => fold.receipted(*peer, *lane, *position, rejected)?,
        Body::Consent { case, record } => {
            let earlier = fold.earlier_versions(record.id)?;
            let row = ConsentRow { entry: entry.index, case: *case, record: *record, at: entry.time, earlier };
            fold.rows.push(Row::Consent(record.id, row));
            fold.age(*case, content);
            fold.belongs(*case, Some(record.id), None)?;
        }
        Body::ConsentEvent { consent, .. } => {
            if let Some(Content::Event(event)) = content {
                fold.consent_event(*consent, event)?;
            }
        }
        Body::Evidence(step) => fold.evidence(step)?,
        Body::ErasureDue { case, owed } => fold.erasure_due(*case, owed)?,
        Body::ErasureHeld { case } => fold.erasure_held(*case)?,
        Body::CaseErased { case } => fold.case_erased(*case)?,
        Body::HandoverOpened { id, case, release_on_acceptance } => {
            fold.change_handover(*id, |row| {
                row.case = Some(*case);
                row.release_on_acceptance = *release_on_acceptance;
            })?;
            fold.belongs(*case, fold.unasked(*id)?, Some(*id))?;
        }
        Body::HandoverProposed(Proposal { id, case, sealed, ready, .. }) => {
            let outline = match content {
                Some(Content::Offer(offer)) => Some(OfferOutline::of(offer)),
                Some(Content::Residue(Residue::Offer(outline))) => Some(outline.clone()),
                _ => None,
            };
            if let Some(outline) = outline {
                fold.proposed(*id, *case, &outline, *sealed, *ready)?;
            }
        }
        Body::Approved { handover, stage, role, complete } => fold.approved(*handover, *stage, *role, *complete)?,
        Body::OverrideRequested { handover, reason, .. } => fold.override_requested(*handover, *reason)?,
        Body::OverrideFollowed { handover, step } => fold.override_followed(*handover, *step)?,
        Body::HandoverDropped { handover, reason } => fold.dropped(*handover, *reason)?,
        Body::PackageKept { handover, package } => {
            fold.change_handover(*handover, |row| {
                row.case = Some(package.case);
                row.package = Some(*package);
            })?;
            fold.belongs(package.case, fold.unasked(*handover)?, Some(*handover))?;
        }
        Body::AlertDrafted { id, digest, source, needs_approval } => {
            fold.drafted(*id, *digest, source, *needs_approval);
        }
        Body::DraftApproved { id, .. } => fold.draft_approved(*id)?,
        Body::DraftEnded { id, end } => fold.draft_ended(*id, *end)?,
        Body::AlertEscalated { alert, step, .. } => fold.escalated(*alert, *step)?,
        Body::EscalationEnded { alert, step, outcome, .. } => fold.escalation_ended(*alert, *step, *outcome)?,
        Body::OrphanReleased { alert } => fold.release_orphan(*alert, Event::WaitOver)?,
        Body::Purged { rule, subjects, .. } => fold.purged(*rule, subjects)?,
        Body::Hold { subject, kind, lifted, reason } => fold.hold(*subject, *kind, *lifted, reason)?,
        Body::Suspension { peer, suspended, reason } => fold.suspension(*peer, *suspended, reason),
        Body::Reviewed { handover } => fold.keeping(*handover, |row, now| row.reviewed_at = Some(now))?,
        Body::Report { id, step } => fold.report(*id, step)?,
        Body::Peer { society, change } => fold.peer(*society, change, content)?,
        Body::DeliveryEnded { peer, lane, position } => fold.delivery_ended(*peer, *lane, *position)?,
        Body::DeliveryWithheld { peer, lane, position, .. } => fold.delivery_withheld(*peer, *lane, *position)?,
        Body::Replayed { peer, entries, .. } => fold.replayed(*peer, entries)?,
        Body::EpochChanged { peer, epoch } => {
            if let Some(mut row) = facts.peer(*peer)? {
                row.epoch = Some(*epoch);
                fold.rows.push(Row::Peer(*peer, row));
            }
        }
        Body::LaneAdvanced { peer, lane, position, hash } => fold.lane_advanced(*peer, *lane, *position, hash)?,
    }
    Ok(fold.rows)
}

/// One fold under way.
struct Fold<'a> {
    own: Society,
    facts: &'a dyn Facts,
    entry: &'a Entry,
    rows: Vec<Row>,
}

impl Fold<'_> {
    /// An envelope that took effect is known again by its id. An alert's own row does that for alerts.
    fn remember(&mut self, meta: &EnvelopeMeta) {
        if meta.kind != Kind::Alert {
            let row = EnvelopeRow { digest: meta.digest, entry: self.entry.index };
            self.rows.push(Row::Envelope(meta.origin, meta.id, row));
        }
    }

    /// What an envelope does, at its origin as at its recipients.
    fn effect(
        &mut self,
        meta: &EnvelopeMeta,
        content: Option<&Content>,
        by: Society,
        deliveries: Vec<crate::rows::Delivery>,
    ) -> Result<(), Refusal> {
        match content {
            Some(Content::Redact(redact)) => self.redact(redact, by),
            Some(Content::Erased(erased)) => self.erased(erased, by),
            Some(Content::Alert(alert)) => self.alert(meta, &AlertOutline::of(alert), deliveries),
            Some(Content::Cancel(cancel)) => self.cancel(cancel.alert, cancel.reason, by),
            Some(Content::Ack(ack)) => {
                self.ack(ack.answer().alert, ack.answer().kind, by);
                Ok(())
            }
            Some(Content::Offer(offer)) => self.offer(meta, &OfferOutline::of(offer)),
            Some(Content::Answer(answer)) => self.answer(answer, by),
            Some(Content::Residue(residue)) => self.residue(meta, residue, by, deliveries),
            Some(Content::Release(release)) => self.release(release, by),
            Some(Content::Step(step)) => self.step(step, by),
            Some(Content::Rights(message)) => self.rights_message(message, meta, by, &deliveries),
            Some(Content::Withdrawal(message)) => self.withdrawal(message, by, &deliveries),
            Some(Content::Subscription(subscription)) => self.subscription(by, subscription),
            Some(Content::Split(split)) => self.split(split, by),
            Some(
                Content::Receipt(_)
                | Content::Bundle(_)
                | Content::Consent(_)
                | Content::Note(_)
                | Content::Event(_)
                | Content::Request(_)
                | Content::Card(_)
                | Content::Draft(_),
            )
            | None => Ok(()),
        }
    }

    /// What an envelope did whose object is gone.
    fn residue(
        &mut self,
        meta: &EnvelopeMeta,
        residue: &Residue,
        by: Society,
        deliveries: Vec<crate::rows::Delivery>,
    ) -> Result<(), Refusal> {
        match residue {
            Residue::Nothing | Residue::Age(_) | Residue::Request(_) => {}
            Residue::Alert(outline) => self.alert(meta, outline, deliveries)?,
            Residue::Cancel(alert, reason) => self.cancel(*alert, *reason, by)?,
            Residue::Ack(alert, kind) => self.ack(*alert, *kind, by),
            Residue::Offer(outline) => self.offer(meta, outline)?,
            Residue::Answer(answer) => self.answer(answer, by)?,
            Residue::Step(step) => self.step(step, by)?,
            Residue::Rights(message) => self.rights_message(message, meta, by, &deliveries)?,
        }
        Ok(())
    }

    fn subscription(&mut self, by: Society, subscription: &content::Subscription) -> Result<(), Refusal> {
        if by != self.own
            && let Some(mut row) = self.facts.peer(by)?
        {
            row.segments.clone_from(&subscription.segments);
            self.rows.push(Row::Peer(by, row));
        }
        Ok(())
    }

    fn peer(&mut self, society: Society, change: &PeerChange, content: Option<&Content>) -> Result<(), Refusal> {
        let before = self.facts.peer(society)?;
        match (change, content) {
            (PeerChange::Bundle { version, digest }, Some(Content::Bundle(bundle))) => {
                let row = PeerRow {
                    entry: self.entry.index,
                    version: *version,
                    digest: *digest,
                    signing_keys: bundle.signing_keys.iter().copied().map(PublicKeyRow).collect(),
                    segments: before.as_ref().and_then(|row| row.segments.clone()),
                    epoch: before.as_ref().and_then(|row| row.epoch),
                    removed: false,
                };
                self.rows.push(Row::Peer(society, row));
            }
            (PeerChange::Bundle { .. }, _) => {}
            (PeerChange::Removed, _) => {
                if let Some(mut row) = before {
                    row.removed = true;
                    self.rows.push(Row::Peer(society, row));
                }
            }
        }
        Ok(())
    }
}
