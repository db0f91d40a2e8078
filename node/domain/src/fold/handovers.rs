//! Rows of handovers: each step of either side, in the order of this node's journal.

use crate::{
    entry::EnvelopeMeta,
    handover::{Action, HandoverAnswer, HandoverRelease, HandoverStep, Side, State, Step, Verdict, transition},
    ids::HandoverId,
    refusal::Refusal,
    rows::{HandoverEvent, HandoverRow, Row},
    society::Society,
};

use super::{Fold, OfferOutline};

impl Fold<'_> {
    /// An offer is made, or has come. One that waited here goes on from where it stood.
    pub(super) fn offer(&mut self, meta: &EnvelopeMeta, offer: &OfferOutline) -> Result<(), Refusal> {
        let ours = offer.from == self.own;
        let waiting = if ours { self.facts.handover(offer.id)? } else { None };
        let mut row = waiting.unwrap_or_else(|| self.first_row(offer));
        row.entry = self.entry.index;
        row.state = if ours { State::Offered } else { State::Delivered };
        self.note(&mut row, Action::Send, meta.origin, None);
        self.rest(offer, &mut row, meta.origin)?;
        self.rows.push(Row::Handover(offer.id, row));
        self.join_group(offer)
    }

    /// The row of a handover before anything has happened to it.
    pub(super) fn first_row(&self, offer: &OfferOutline) -> HandoverRow {
        HandoverRow {
            entry: self.entry.index,
            from: offer.from,
            to: offer.to,
            kind: offer.kind,
            state: State::Draft,
            case: None,
            consent: offer.consent,
            accepted: Vec::new(),
            team: None,
            expires_at: offer.expires_at,
            release_on_acceptance: false,
            package: None,
            sections: Vec::new(),
            history: Vec::new(),
            frozen: false,
            held_at_origin: None,
            earlier: Vec::new(),
        }
    }

    /// Withdraws a handover that has not ended; one that has stays as it is until it is erased.
    pub(super) fn withdraw_row(&self, row: &mut HandoverRow, by: Society) {
        if let Ok(state) = transition(row.state, Action::Withdraw, side_of(row, by)) {
            row.state = state;
            self.note(row, Action::Withdraw, by, None);
        }
    }

    pub(super) fn note(&self, row: &mut HandoverRow, action: Action, by: Society, reason: Option<String>) {
        let (at, entry, state) = (self.entry.time, self.entry.index, row.state);
        row.history.push(HandoverEvent { at, action, by, state, reason, entry });
    }

    /// Takes one step of a handover. What has no place in its state was refused before it came here,
    /// or was overtaken by what ended it, and changes nothing.
    pub(super) fn step_to(
        &mut self,
        id: HandoverId,
        action: Action,
        by: Society,
        reason: Option<String>,
        also: impl FnOnce(&mut HandoverRow),
    ) -> Result<(), Refusal> {
        let Some(mut row) = self.facts.handover(id)? else { return Ok(()) };
        let side = side_of(&row, by);
        if row.state == State::Offered
            && matches!(action, Action::Accept | Action::Reject)
            && let Ok(state) = transition(row.state, Action::Deliver, Side::To)
        {
            row.state = state;
            self.note(&mut row, Action::Deliver, by, None);
        }
        if let Ok(state) = transition(row.state, action, side) {
            row.state = state;
            also(&mut row);
            self.note(&mut row, action, by, reason);
            self.rows.push(Row::Handover(id, row));
        }
        Ok(())
    }

    /// The recipient answered.
    pub(super) fn answer(&mut self, answer: &HandoverAnswer, by: Society) -> Result<(), Refusal> {
        let action = answer.verdict.action();
        match &answer.verdict {
            Verdict::Accept { team, services } => self.step_to(answer.id, action, by, None, |row| {
                row.team = Some(team.as_str().to_owned());
                row.accepted.clone_from(services);
            }),
            Verdict::Reject { reason, .. } => {
                self.step_to(answer.id, action, by, Some(reason.as_str().to_owned()), |_| {})
            }
        }
    }

    /// The sender released the package.
    pub(super) fn release(&mut self, release: &HandoverRelease, by: Society) -> Result<(), Refusal> {
        let until = release.obligations.retention_until;
        self.keeping(release.id, |row, _| row.retention_until = Some(until))?;
        let held_at_origin = release.is_held_at_origin().then_some(self.entry.index);
        self.step_to(release.id, Action::Release, by, None, |row| {
            row.held_at_origin = held_at_origin;
            row.sections = release.sections.iter().map(|section| section.as_str().to_owned()).collect();
        })
    }

    /// Either side took a later step.
    pub(super) fn step(&mut self, step: &HandoverStep, by: Society) -> Result<(), Refusal> {
        if let Some(event) = step.withdrawal(by) {
            return self.withdrawn_step(step.id, by, &event);
        }
        let reason = match &step.step {
            Step::Completed(outcome) => Some(outcome.reason.as_str().to_owned()),
            Step::Returned(reason) | Step::Cancelled(reason) | Step::Revoked(reason) => {
                Some(reason.as_str().to_owned())
            }
            Step::InService | Step::NotArrived | Step::Withdrawn | Step::Erased => None,
        };
        self.step_to(step.id, step.step.action(), by, reason, |_| {})
    }

    /// The peer's receipt covers our offer: it is delivered, or it was rejected with a code.
    pub(super) fn offer_settled(
        &mut self,
        id: HandoverId,
        peer: Society,
        refusal: Option<&str>,
    ) -> Result<(), Refusal> {
        let Some(row) = self.facts.handover(id)? else { return Ok(()) };
        if row.to != peer || row.state != State::Offered {
            return Ok(());
        }
        match refusal {
            None => self.step_to(id, Action::Deliver, peer, None, |_| {}),
            Some(code) => self.step_to(id, Action::Reject, peer, Some(code.to_owned()), |_| {}),
        }
    }

    /// Changes a row that is there.
    pub(super) fn change_handover(
        &mut self,
        id: HandoverId,
        change: impl FnOnce(&mut HandoverRow),
    ) -> Result<(), Refusal> {
        if let Some(mut row) = self.facts.handover(id)? {
            change(&mut row);
            self.rows.push(Row::Handover(id, row));
        }
        Ok(())
    }
}

/// On which side of a handover a Society stands.
#[must_use]
pub fn side_of(row: &HandoverRow, society: Society) -> Side {
    if row.from == society { Side::From } else { Side::To }
}
