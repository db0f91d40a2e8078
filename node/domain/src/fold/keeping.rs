//! Rows of retention: holds, suspensions, what is known of packages, what was purged, aggregate reports.

use super::Fold;
use crate::{
    aggregate::{ReportRow, ReportStep},
    entry::Actor,
    handover::{Action, Side, State, transition},
    ids::{EnvelopeId, HandoverId, ReportId},
    refusal::Refusal,
    retention::{HoldKind, HoldRow, KeepingRow, Rule, SuspensionRow},
    rows::{HandoverEvent, Row},
    society::Society,
    time::Time,
};

impl Fold<'_> {
    /// Changes what retention knows of a handover.
    pub(super) fn keeping(
        &mut self,
        id: HandoverId,
        change: impl FnOnce(&mut KeepingRow, Time),
    ) -> Result<(), Refusal> {
        let mut row = self.facts.keeping(id)?;
        change(&mut row, self.entry.time);
        self.rows.push(Row::Keeping(id, row));
        Ok(())
    }

    /// A rule of retention took something.
    pub(super) fn purged(&mut self, rule: Rule, subjects: &[EnvelopeId]) -> Result<(), Refusal> {
        match rule {
            // An alert's row is coded already; consent records are known by theirs; evidence has none.
            Rule::Alert | Rule::Consent | Rule::Evidence | Rule::ConsentEvidence => Ok(()),
            Rule::Request => subjects.iter().try_for_each(|subject| self.purged_request((*subject).into())),
            Rule::OfferSent | Rule::OfferReceived | Rule::PackageReceived | Rule::PackageSent | Rule::DeadPayload => {
                subjects.iter().try_for_each(|subject| self.purged_handover((*subject).into(), rule))
            }
        }
    }

    fn purged_handover(&mut self, id: HandoverId, rule: Rule) -> Result<(), Refusal> {
        self.keeping(id, |row, now| row.purged_at = Some(now))?;
        let Some(mut row) = self.facts.handover(id)? else { return Ok(()) };
        row.package = None;
        row.earlier.clear();
        let own = self.own;
        let side = if row.from == own { Side::From } else { Side::To };
        // The sender goes on following the handover of which it no longer has a copy.
        let ends = !(side == Side::From && matches!(rule, Rule::PackageSent | Rule::DeadPayload));
        let steps: &[Action] = if ends { &[Action::Expire, Action::Erase] } else { &[] };
        for action in steps {
            if let Ok(state) = transition(row.state, *action, side)
                && (*action == Action::Expire || row.state != State::Erased)
            {
                row.state = state;
                let (at, entry) = (self.entry.time, self.entry.index);
                let reason = Some(rule.as_str().to_owned());
                row.history.push(HandoverEvent { at, action: *action, by: own, state, reason, entry });
            }
        }
        self.rows.push(Row::Handover(id, row));
        Ok(())
    }

    /// A hold is placed or lifted.
    pub(super) fn hold(
        &mut self,
        subject: EnvelopeId,
        kind: HoldKind,
        lifted: bool,
        reason: &str,
    ) -> Result<(), Refusal> {
        let (index, now) = (self.entry.index, self.entry.time);
        let row = match self.facts.hold(subject, kind)? {
            Some(row) if lifted => HoldRow { lifted: Some((index, now)), ..row },
            _ => HoldRow {
                placed: index,
                placed_at: now,
                reason: reason.to_owned(),
                lifted: lifted.then_some((index, now)),
            },
        };
        self.rows.push(Row::Hold(subject, kind, row));
        if kind == HoldKind::BreachFreeze {
            self.change_handover(subject.into(), |row| row.frozen = !lifted)?;
        }
        Ok(())
    }

    /// The exchange of cases with a peer is suspended or resumed.
    pub(super) fn suspension(&mut self, peer: Society, suspended: bool, reason: &str) {
        let (entry, at) = (self.entry.index, self.entry.time);
        self.rows.push(Row::Suspension(peer, SuspensionRow { entry, at, suspended, reason: reason.to_owned() }));
    }

    /// A report is proposed, approved or given out.
    pub(super) fn report(&mut self, id: ReportId, step: &ReportStep) -> Result<(), Refusal> {
        let actor = match &self.entry.actor {
            Actor::Operator(name) | Actor::Program(name) => name.clone(),
            Actor::System | Actor::Peer(_) => String::new(),
        };
        let row = match (step, self.facts.report(id)?) {
            (ReportStep::Proposed(report), _) => ReportRow {
                entry: self.entry.index,
                report: report.clone(),
                proposed_by: actor,
                approved_by: Vec::new(),
                given_to: Vec::new(),
            },
            (ReportStep::Approved, Some(mut row)) => {
                row.approved_by.push(actor);
                row
            }
            (ReportStep::Given(recipient), Some(mut row)) => {
                row.given_to.push((recipient.clone(), self.entry.index));
                row
            }
            (_, None) => return Ok(()),
        };
        self.rows.push(Row::Report(id, row));
        Ok(())
    }
}
