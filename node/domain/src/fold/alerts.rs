//! Rows of alerts: raised, superseded, cancelled, redacted, acknowledged. What peers send leads to the
//! same rows whatever the order in which it comes.

use crate::{
    alert::{
        AlertErased, AlertRedact,
        life::{Event, Known, State, arrival, transition},
    },
    catalogue::{AckKind, CancelReason},
    entry::EnvelopeMeta,
    ids::AlertId,
    refusal::Refusal,
    rows::{AckRow, AlertRow, Delivery, Redaction, Row, TombstoneRow},
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
        let foretold = self.tombstone_row(id)?.of(meta.origin).cloned();
        let parents = parents(id, alert);
        let mut parent_missing = false;
        for parent in &parents {
            parent_missing |= !self.supersede(*parent, id, meta.origin)?;
        }
        let children = foretold.as_ref().map(|claim| claim.children().to_vec()).unwrap_or_default();
        let redacted = foretold.as_ref().and_then(|claim| claim.redacted);
        let known = Known {
            redacted: redacted.is_some(),
            cancelled: foretold.as_ref().is_some_and(|claim| claim.cancelled.is_some()),
            superseded: foretold.as_ref().is_some_and(|claim| claim.superseded_by.is_some()),
            parent_missing,
        };
        let state = arrival(known);
        let row = AlertRow {
            entry: self.entry.index,
            digest: meta.digest,
            origin: meta.origin,
            state,
            expires_at: alert.expires_at,
            event: alert.event,
            severity: alert.severity,
            urgency: alert.urgency,
            mode: alert.mode,
            superseded_by: foretold.as_ref().and_then(|claim| claim.superseded_by),
            cancelled: foretold.and_then(|claim| claim.cancelled),
            deliveries,
            sent_at: alert.sent_at,
            parents: Some(parents).filter(|parents| !parents.is_empty()),
            children: Some(children.clone()).filter(|children| !children.is_empty()),
            held_since: (state == State::HeldOrphan).then_some(self.entry.time),
            ack: alert.ack,
            redacted: redacted.map(|(reason, entry)| Redaction { reason, entry, erased: Vec::new() }),
            escalation: None,
        };
        self.rows.push(Row::Alert(id, row));
        for child in children {
            self.release_orphan(child, Event::ParentCame)?;
        }
        Ok(())
    }

    /// An alert as this entry leaves it so far.
    pub(super) fn alert_row(&self, id: AlertId) -> Result<Option<AlertRow>, Refusal> {
        let written = self.rows.iter().rev().find_map(|row| match row {
            Row::Alert(other, row) if *other == id => Some(row.clone()),
            _ => None,
        });
        if written.is_some() { Ok(written) } else { self.facts.alert(id) }
    }

    /// What is known of an alert that is not here, as this entry leaves it so far.
    fn tombstone_row(&self, id: AlertId) -> Result<TombstoneRow, Refusal> {
        let written = self.rows.iter().rev().find_map(|row| match row {
            Row::Tombstone(other, row) if *other == id => Some(row.clone()),
            _ => None,
        });
        if let Some(written) = written { Ok(written) } else { Ok(self.facts.tombstone(id)?.unwrap_or_default()) }
    }

    /// `by` supersedes `parent`; whether the parent is here, or never will be.
    fn supersede(&mut self, parent: AlertId, by: AlertId, origin: Society) -> Result<bool, Refusal> {
        match self.alert_row(parent)? {
            Some(mut row) if row.origin == origin => {
                if let Ok(state) = transition(row.state, Event::Supersede) {
                    row.state = state;
                    row.held_since = row.held_since.filter(|_| state == State::HeldOrphan);
                    row.add_child(by);
                    self.rows.push(Row::Alert(parent, row));
                }
                Ok(true)
            }
            Some(_) => Ok(true),
            None => {
                let mut row = self.tombstone_row(parent)?;
                row.claim(origin, |claim| claim.add_child(by));
                let redacted = row.of(origin).is_some_and(|claim| claim.redacted.is_some());
                self.rows.push(Row::Tombstone(parent, row));
                Ok(redacted)
            }
        }
    }

    /// An update is held no longer: all that it supersedes is here, or it has waited long enough.
    pub(super) fn release_orphan(&mut self, child: AlertId, why: Event) -> Result<(), Refusal> {
        let Some(mut row) = self.alert_row(child)?.filter(|row| row.state == State::HeldOrphan) else { return Ok(()) };
        if why == Event::ParentCame {
            for parent in row.parents() {
                let here = self.alert_row(*parent)?.is_some()
                    || self.tombstone_row(*parent)?.of(row.origin).is_some_and(|claim| claim.redacted.is_some());
                if !here {
                    return Ok(());
                }
            }
        }
        if let Ok(state) = transition(row.state, why) {
            row.state = state;
            row.held_since = None;
            self.rows.push(Row::Alert(child, row));
        }
        Ok(())
    }

    /// The origin cancels.
    pub(super) fn cancel(&mut self, alert: AlertId, reason: CancelReason, by: Society) -> Result<(), Refusal> {
        let cancelled = Some((reason, self.entry.index));
        match self.alert_row(alert)? {
            Some(mut row) if crate::defect!(ForeignUpdate => true, else row.origin == by) => {
                if row.cancelled.is_none()
                    && let Ok(state) = transition(row.state, Event::Cancel)
                {
                    row.state = state;
                    row.held_since = None;
                    row.cancelled = cancelled;
                    self.rows.push(Row::Alert(alert, row));
                }
            }
            Some(_) => {}
            None => {
                let mut row = self.tombstone_row(alert)?;
                row.claim(by, |claim| claim.cancelled = claim.cancelled.or(cancelled));
                self.rows.push(Row::Tombstone(alert, row));
            }
        }
        Ok(())
    }

    /// The origin redacts: what the alert says is forgotten, that there was one is not.
    pub(super) fn redact(&mut self, redact: &AlertRedact, by: Society) -> Result<(), Refusal> {
        let (id, reason, entry) = (redact.alert, redact.reason, self.entry.index);
        match self.alert_row(id)? {
            Some(mut row) if row.origin == by && row.redacted.is_none() => {
                row.state = transition(row.state, Event::Redact).unwrap_or(State::Redacted);
                row.held_since = None;
                row.redacted = Some(Redaction { reason, entry, erased: Vec::new() });
                self.rows.push(Row::Alert(id, row));
            }
            Some(_) => {}
            None => {
                let mut row = self.tombstone_row(id)?;
                row.claim(by, |claim| claim.redacted = claim.redacted.or(Some((reason, entry))));
                let waiting = row.of(by).map(|claim| claim.children().to_vec()).unwrap_or_default();
                self.rows.push(Row::Tombstone(id, row));
                for parent in &redact.supersedes {
                    self.supersede(*parent, id, by)?;
                }
                for child in waiting {
                    self.release_orphan(child, Event::ParentCame)?;
                }
            }
        }
        Ok(())
    }

    /// A holder tells that it has erased what a redacted alert of ours said.
    pub(super) fn erased(&mut self, erased: &AlertErased, by: Society) -> Result<(), Refusal> {
        if let Some(mut row) = self.alert_row(erased.alert)?
            && row.origin == self.own
            && by != self.own
            && let Some(redaction) = &mut row.redacted
            && let Err(at) = redaction.erased.binary_search_by_key(&by, |(society, _)| *society)
        {
            redaction.erased.insert(at, (by, self.entry.index));
            self.rows.push(Row::Alert(erased.alert, row));
        }
        Ok(())
    }

    /// A human at `by` answered.
    pub(super) fn ack(&mut self, alert: AlertId, kind: AckKind, by: Society) {
        let row = AckRow { entry: self.entry.index, error: kind == AckKind::Error, at: self.entry.time };
        self.rows.push(Row::Ack(alert, by, row));
    }
}

/// What an alert supersedes, by id, each once.
fn parents(own: AlertId, alert: &AlertOutline) -> Vec<AlertId> {
    let mut parents = alert.supersedes.clone();
    parents.retain(|parent| *parent != own);
    parents.sort_unstable();
    parents.dedup();
    parents
}
