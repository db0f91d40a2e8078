//! Rows of alerts: raised, superseded, cancelled, acknowledged.

use crate::{
    alert::life::{Event, Known, State, arrival, transition},
    catalogue::{AckKind, CancelReason},
    entry::EnvelopeMeta,
    ids::AlertId,
    refusal::Refusal,
    rows::{AckRow, AlertRow, Delivery, Row},
    society::Society,
};

use super::{AlertOutline, Fold};

impl Fold<'_> {
    /// An alert of `meta.origin` is here now.
    pub(super) fn alert(
        &mut self,
        meta: &EnvelopeMeta,
        alert: &AlertOutline,
        deliveries: Vec<Delivery>,
    ) -> Result<(), Refusal> {
        let id = AlertId::from(meta.id);
        let foretold = self.facts.tombstone(id)?.and_then(|row| row.of(meta.origin).cloned());
        let mut parent_missing = false;
        for parent in &alert.supersedes {
            parent_missing |= !self.supersede(*parent, id, meta.origin)?;
        }
        let known = Known {
            redacted: false,
            cancelled: foretold.as_ref().is_some_and(|row| row.cancelled.is_some()),
            superseded: foretold.as_ref().is_some_and(|row| row.superseded_by.is_some()),
            parent_missing,
        };
        if let Some(child) = foretold.as_ref().and_then(|row| row.superseded_by) {
            self.release_orphan(child)?;
        }
        let row = AlertRow {
            entry: self.entry.index,
            digest: meta.digest,
            origin: meta.origin,
            state: arrival(known),
            expires_at: alert.expires_at,
            event: alert.event,
            severity: alert.severity,
            urgency: alert.urgency,
            mode: alert.mode,
            superseded_by: foretold.as_ref().and_then(|row| row.superseded_by),
            cancelled: foretold.and_then(|row| row.cancelled),
            deliveries,
        };
        self.rows.push(Row::Alert(id, row));
        Ok(())
    }

    /// `by` supersedes `parent`; whether the parent is here.
    fn supersede(&mut self, parent: AlertId, by: AlertId, origin: Society) -> Result<bool, Refusal> {
        match self.facts.alert(parent)? {
            Some(mut row) if row.origin == origin => {
                if let Ok(state) = transition(row.state, Event::Supersede) {
                    row.state = state;
                    row.superseded_by = Some(by);
                    self.rows.push(Row::Alert(parent, row));
                }
                Ok(true)
            }
            Some(_) => Ok(true),
            None => {
                let mut row = self.facts.tombstone(parent)?.unwrap_or_default();
                row.claim(origin, |claim| claim.superseded_by = Some(by));
                self.rows.push(Row::Tombstone(parent, row));
                Ok(false)
            }
        }
    }

    fn release_orphan(&mut self, child: AlertId) -> Result<(), Refusal> {
        if let Some(mut row) = self.facts.alert(child)?
            && row.state == State::HeldOrphan
            && let Ok(state) = transition(row.state, Event::ParentCame)
        {
            row.state = state;
            self.rows.push(Row::Alert(child, row));
        }
        Ok(())
    }

    /// The origin cancels.
    pub(super) fn cancel(&mut self, alert: AlertId, reason: CancelReason, by: Society) -> Result<(), Refusal> {
        let cancelled = Some((reason, self.entry.index));
        match self.facts.alert(alert)? {
            Some(mut row) if row.origin == by => {
                if row.cancelled.is_none()
                    && let Ok(state) = transition(row.state, Event::Cancel)
                {
                    row.state = state;
                    row.cancelled = cancelled;
                    self.rows.push(Row::Alert(alert, row));
                }
            }
            Some(_) => {}
            None => {
                let mut row = self.facts.tombstone(alert)?.unwrap_or_default();
                row.claim(by, |claim| claim.cancelled = cancelled);
                self.rows.push(Row::Tombstone(alert, row));
            }
        }
        Ok(())
    }

    /// A human at `by` answered.
    pub(super) fn ack(&mut self, alert: AlertId, kind: AckKind, by: Society) {
        let row = AckRow { entry: self.entry.index, error: kind == AckKind::Error, at: self.entry.time };
        self.rows.push(Row::Ack(alert, by, row));
    }
}
