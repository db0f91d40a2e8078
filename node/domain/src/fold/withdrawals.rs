//! Rows of withdrawals: what was taken back of which consent, which handovers that stops, how far each holder is,
//! and which cases are erased.

use crate::{
    consent::ConsentEvent,
    entry::{EnvelopeMeta, Owed},
    handover::{Action, State},
    ids::{CaseId, ConsentId, HandoverId, RequestId},
    limits::{
        CONSENT_EVENTS_MAX, CONSENTS_A_CASE_MAX, HANDOVERS_A_CASE_MAX, HANDOVERS_A_CONSENT_MAX, REQUESTS_A_CASE_MAX,
    },
    refusal::Refusal,
    rows::{CaseRow, Delivery, HandoverRow, KnownEvent, Resting, Row, UseRow},
    society::Society,
    withdrawal::{News, WithdrawalMessage},
};

use super::{Fold, OfferOutline};

/// A handover as it rests on its consent when it is offered.
#[must_use]
pub fn resting_of(offer: &OfferOutline, own: Society) -> Resting {
    Resting {
        handover: offer.id,
        other: if offer.from == own { offer.to } else { offer.from },
        to: offer.to,
        purposes: offer.purposes.clone(),
        categories: offer.categories.clone(),
        stopped: None,
        notice: None,
        told_at: None,
        answered_at: None,
        onward: Vec::new(),
        erased_at: None,
        kept: Vec::new(),
    }
}

impl Fold<'_> {
    /// A handover rests on a consent from now on; one that was taken back before stops it at once.
    pub(super) fn rest(&mut self, offer: &OfferOutline, row: &mut HandoverRow, by: Society) -> Result<(), Refusal> {
        let mut uses = self.facts.uses(offer.consent.id)?.unwrap_or_default();
        if uses.of(offer.id).is_some() || uses.resting.len() >= HANDOVERS_A_CONSENT_MAX {
            return Ok(());
        }
        let mut resting = resting_of(offer, self.own);
        if uses.stops(&resting) {
            resting.stopped = Some(self.entry.index);
            self.withdraw_row(row, by);
        }
        uses.resting.push(resting);
        self.rows.push(Row::Use(offer.consent.id, uses));
        Ok(())
    }

    /// An event of a consent record became known. `told` is the handover through which a peer told it.
    fn learn(
        &mut self,
        uses: &mut UseRow,
        consent: ConsentId,
        told: Option<HandoverId>,
        by: Society,
        event: &ConsentEvent,
    ) -> Result<(), Refusal> {
        let proven = match told {
            None => true,
            Some(handover) => self.facts.handover(handover)?.is_some() || self.facts.consent(consent)?.is_some(),
        };
        // Our own answer to what a peer claimed is no claim of ours.
        let claimed = |known: &KnownEvent| known.by == by && known.digest == event.digest();
        if !proven && (by == self.own || uses.events.iter().any(claimed)) {
            return Ok(());
        }
        if uses.knows(event) || uses.events.len() >= CONSENT_EVENTS_MAX && !(event.is_whole() && proven) {
            return Ok(());
        }
        let (entry, whole) = (self.entry.index, event.is_whole());
        if uses.events.len() < CONSENT_EVENTS_MAX {
            uses.events.push(KnownEvent { entry, digest: event.digest(), by, proven, whole });
        }
        if !proven {
            return Ok(());
        }
        uses.whole |= whole;
        event.scope.iter().for_each(|scope| uses.withdrawn.extend(scope));
        for at in 0..uses.resting.len() {
            let resting = &uses.resting[at];
            if resting.stopped.is_some() || !uses.stops(resting) {
                continue;
            }
            let handover = resting.handover;
            uses.resting[at].stopped = Some(entry);
            if let Some(mut row) = self.facts.handover(handover)? {
                self.withdraw_row(&mut row, by);
                self.rows.push(Row::Handover(handover, row));
            }
        }
        Ok(())
    }

    /// An event that was recorded here.
    pub(super) fn consent_event(&mut self, consent: ConsentId, event: &ConsentEvent) -> Result<(), Refusal> {
        let mut uses = self.facts.uses(consent)?.unwrap_or_default();
        let own = self.own;
        self.learn(&mut uses, consent, None, own, event)?;
        self.rows.push(Row::Use(consent, uses));
        Ok(())
    }

    /// One end of a handover told the other of a withdrawal.
    pub(super) fn withdrawal(
        &mut self,
        message: &WithdrawalMessage,
        by: Society,
        deliveries: &[Delivery],
    ) -> Result<(), Refusal> {
        let (consent, handover) = (message.consent, message.handover);
        let mut uses = self.facts.uses(consent)?.unwrap_or_default();
        self.learn(&mut uses, consent, Some(handover), by, &message.event)?;
        let now = self.entry.time;
        if let Some(resting) = uses.resting.iter_mut().find(|resting| resting.handover == handover) {
            if by == self.own {
                if let (News::Notice, Some(delivery)) = (&message.news, deliveries.first()) {
                    resting.notice = Some(*delivery);
                    resting.told_at = resting.told_at.or(Some(now));
                }
            } else if by == resting.other {
                resting.answered_at = resting.answered_at.or(Some(now));
                match &message.news {
                    News::Notice => {}
                    News::Stopped { onward } => resting.onward.clone_from(onward),
                    News::Erased { erased, kept, .. } => {
                        resting.kept.clone_from(kept);
                        if !erased.is_empty() {
                            resting.erased_at = resting.erased_at.or(Some(now));
                        }
                    }
                }
            }
        }
        self.rows.push(Row::Use(consent, uses));
        Ok(())
    }

    /// A peer that speaks no more of it than a step of the handover says that the person withdrew.
    pub(super) fn withdrawn_step(
        &mut self,
        handover: HandoverId,
        by: Society,
        event: &ConsentEvent,
    ) -> Result<(), Refusal> {
        let Some(row) = self.facts.handover(handover)? else { return Ok(()) };
        let consent = row.consent.id;
        let mut uses = self.facts.uses(consent)?.unwrap_or_default();
        self.learn(&mut uses, consent, Some(handover), by, event)?;
        self.rows.push(Row::Use(consent, uses));
        Ok(())
    }

    /// A notice of ours stands at another place of its lane now.
    pub(super) fn notice_moved(&mut self, meta: &EnvelopeMeta, moved: Delivery) -> Result<(), Refusal> {
        let Some(handover) = meta.subject.map(HandoverId::from) else { return Ok(()) };
        let Some(row) = self.facts.handover(handover)? else { return Ok(()) };
        // Several notices may move by one entry.
        let earlier = self.rows.iter().rev().find_map(|changed| match changed {
            Row::Use(consent, uses) if *consent == row.consent.id => Some(uses.clone()),
            _ => None,
        });
        let uses = match earlier {
            Some(uses) => Some(uses),
            None => self.facts.uses(row.consent.id)?,
        };
        if let Some(mut uses) = uses {
            for resting in uses.resting.iter_mut().filter(|resting| resting.handover == handover) {
                resting.notice = resting.notice.map(|_| moved);
            }
            self.rows.push(Row::Use(row.consent.id, uses));
        }
        Ok(())
    }

    /// What stands for the consent of a person whom nobody could ask; none at the Society that received the handover, which
    /// has no case of its own to be taken back.
    pub(super) fn unasked(&self, handover: HandoverId) -> Result<Option<ConsentId>, Refusal> {
        let row = self.facts.handover(handover)?.filter(|row| row.consent.is_none() && row.from == self.own);
        Ok(row.map(|row| row.consent.id))
    }

    /// A record, a handover or both belong to a case.
    pub(super) fn belongs(
        &mut self,
        case: CaseId,
        consent: Option<ConsentId>,
        handover: Option<HandoverId>,
    ) -> Result<(), Refusal> {
        let mut row = self.facts.case(case)?.unwrap_or_default();
        let consent = consent.filter(|id| !row.consents.contains(id) && row.consents.len() < CONSENTS_A_CASE_MAX);
        let handover = handover.filter(|id| !row.handovers.contains(id) && row.handovers.len() < HANDOVERS_A_CASE_MAX);
        if consent.is_some() || handover.is_some() {
            row.consents.extend(consent);
            row.handovers.extend(handover);
            self.rows.push(Row::Case(case, row));
        }
        Ok(())
    }

    /// A request of the person is known to be of a case.
    pub(super) fn asked_of(&mut self, case: CaseId, request: RequestId) -> Result<(), Refusal> {
        let mut row = self.facts.case(case)?.unwrap_or_default();
        if !row.requests.contains(&request) && row.requests.len() < REQUESTS_A_CASE_MAX {
            row.requests.push(request);
            self.rows.push(Row::Case(case, row));
        }
        Ok(())
    }

    /// A case is to be erased.
    pub(super) fn erasure_due(&mut self, case: CaseId, owed: &[Owed]) -> Result<(), Refusal> {
        let entry = self.entry.index;
        self.change_case(case, |row| {
            row.due = row.due.or(Some(entry));
            for one in owed {
                if !row.owed.contains(one) && row.owed.len() < HANDOVERS_A_CASE_MAX {
                    row.owed.push(*one);
                }
            }
        })
    }

    /// A case is kept for now.
    pub(super) fn erasure_held(&mut self, case: CaseId) -> Result<(), Refusal> {
        let entry = self.entry.index;
        self.change_case(case, |row| row.held = Some(entry))
    }

    /// A case was erased, and each handover of it with that.
    pub(super) fn case_erased(&mut self, case: CaseId) -> Result<(), Refusal> {
        let entry = self.entry.index;
        let Some(row) = self.facts.case(case)? else { return Ok(()) };
        let mut handovers = row.handovers.clone();
        handovers.extend(row.owed.iter().map(|owed| owed.handover).filter(|owed| !row.handovers.contains(owed)));
        handovers.dedup();
        let own = self.own;
        for handover in handovers {
            // One that was never sent has not ended by the withdrawal: nothing rested on the consent yet.
            let unsent = self
                .facts
                .handover(handover)?
                .filter(|row| matches!(row.state, State::Draft | State::Blocked | State::Ready));
            if let Some(mut row) = unsent {
                self.withdraw_row(&mut row, own);
                row.state = State::Erased;
                self.note(&mut row, Action::Erase, own, None);
                self.rows.push(Row::Handover(handover, row));
                continue;
            }
            self.step_to(handover, Action::Erase, own, None, |_| {})?;
        }
        self.change_case(case, |row| (row.erased, row.held) = (Some(entry), None))
    }

    fn change_case(&mut self, case: CaseId, change: impl FnOnce(&mut CaseRow)) -> Result<(), Refusal> {
        let mut row = self.facts.case(case)?.unwrap_or_default();
        change(&mut row);
        self.rows.push(Row::Case(case, row));
        Ok(())
    }
}
