//! Rows of what an alert goes through at this node alone: its draft before it goes out, and the calls of
//! posts on duty when nobody acknowledges it.

use crate::{
    alert::life::{Event, State, transition},
    digest::Digest,
    entry::{DraftEnd, DraftSource, HookOutcome},
    ids::AlertId,
    refusal::Refusal,
    rows::{DraftRow, Escalation, Row},
};

use super::Fold;

impl Fold<'_> {
    /// An alert is drafted, or drafted anew, and then nobody has approved it.
    pub(super) fn drafted(&mut self, id: AlertId, digest: Digest, source: &DraftSource, needs_approval: bool) {
        let row = DraftRow {
            entry: self.entry.index,
            digest,
            source: source.clone(),
            state: if needs_approval { State::Draft } else { State::Ready },
            needs_approval,
            approved: None,
            ended: None,
        };
        self.rows.push(Row::Draft(id, row));
    }

    /// A second person approved a draft.
    pub(super) fn draft_approved(&mut self, id: AlertId) -> Result<(), Refusal> {
        if let Some(mut row) = self.facts.draft(id)?
            && let Ok(state) = transition(row.state, Event::Approve)
        {
            row.state = state;
            row.approved = Some(self.entry.index);
            self.rows.push(Row::Draft(id, row));
        }
        Ok(())
    }

    /// A draft went out, or was given up.
    pub(super) fn draft_ended(&mut self, id: AlertId, end: DraftEnd) -> Result<(), Refusal> {
        if let Some(mut row) = self.facts.draft(id)?.filter(|row| row.ended.is_none()) {
            row.ended = Some((end, self.entry.index));
            self.rows.push(Row::Draft(id, row));
        }
        Ok(())
    }

    /// A post on duty is called.
    pub(super) fn escalated(&mut self, alert: AlertId, step: u32) -> Result<(), Refusal> {
        if let Some(mut row) = self.facts.alert(alert)? {
            let (entry, at) = (self.entry.index, self.entry.time);
            row.escalation = Some(Escalation { step, entry, at, outcome: None });
            self.rows.push(Row::Alert(alert, row));
        }
        Ok(())
    }

    /// What became of calling a post on duty.
    pub(super) fn escalation_ended(&mut self, alert: AlertId, step: u32, outcome: HookOutcome) -> Result<(), Refusal> {
        if let Some(mut row) = self.facts.alert(alert)?
            && let Some(escalation) = row.escalation.as_mut().filter(|escalation| escalation.step == step)
        {
            escalation.outcome = Some(outcome);
            self.rows.push(Row::Alert(alert, row));
        }
        Ok(())
    }
}
