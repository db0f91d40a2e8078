//! Rows of what stands around handovers: proposals, approvals, overrides, groups, and the age of a case.

use crate::{
    catalogue::{Role, SplitReason, StopReason, VitalReason},
    entry::Actor,
    handover::{Action, Approval, GroupId, GroupSplit, OverrideStep, Stage, State},
    ids::{CaseId, HandoverId},
    limits::GROUP_MEMBERS_MAX,
    refusal::Refusal,
    rows::{CaseAgeRow, GroupRow, OverrideRow, Row, SafeguardRow},
    society::Society,
};

use super::{Content, Fold, OfferOutline, Residue};

impl Fold<'_> {
    /// A handover was written down and waits.
    pub(super) fn proposed(
        &mut self,
        id: HandoverId,
        case: CaseId,
        offer: &OfferOutline,
        sealed: bool,
        ready: bool,
    ) -> Result<(), Refusal> {
        let mut row = self.first_row(offer);
        row.case = Some(case);
        if ready {
            row.state = State::Ready;
            self.note(&mut row, Action::Submit, self.own, None);
        }
        self.rows.push(Row::Handover(id, row));
        let proposal = Some(self.entry.index);
        let safeguard =
            SafeguardRow { proposed_by: Some(self.operator()), sealed, proposal, ..SafeguardRow::default() };
        self.rows.push(Row::Safeguard(id, safeguard));
        // One that is never sent is of the case all the same, and goes with it.
        self.belongs(case, Some(offer.consent.id).filter(|_| offer.consent.is_none()), Some(id))?;
        self.join_group(offer)
    }

    /// Who caused the entry, by name.
    fn operator(&self) -> String {
        match &self.entry.actor {
            Actor::Operator(name) | Actor::Program(name) => name.clone(),
            Actor::Peer(society) => society.to_string(),
            Actor::System => String::new(),
        }
    }

    /// An operator approved a step.
    pub(super) fn approved(&mut self, id: HandoverId, stage: Stage, role: Role, complete: bool) -> Result<(), Refusal> {
        let mut row = self.facts.safeguard(id)?.unwrap_or_default();
        let (at, entry) = (self.entry.time, self.entry.index);
        row.approvals.push(Approval { stage, by: self.operator(), role, at, entry });
        if let (Stage::Override, true, Some(overriding)) = (stage, complete, &mut row.overriding) {
            overriding.approved_at = Some(at);
        }
        self.rows.push(Row::Safeguard(id, row));
        if stage == Stage::Offer && complete {
            self.step_to(id, Action::Submit, self.own, None, |_| {})
        } else {
            Ok(())
        }
    }

    /// An operator asked to go on without consent.
    pub(super) fn override_requested(&mut self, id: HandoverId, reason: VitalReason) -> Result<(), Refusal> {
        let mut row = self.facts.safeguard(id)?.unwrap_or_default();
        row.overriding = Some(OverrideRow {
            entry: self.entry.index,
            requested_by: self.operator(),
            requested_at: self.entry.time,
            reason,
            approved_at: None,
            told_at: None,
            reviewed: None,
        });
        // What was approved before was another override, or none.
        row.approvals.retain(|approval| approval.stage != Stage::Override);
        self.rows.push(Row::Safeguard(id, row));
        Ok(())
    }

    /// What an override obliges to was done.
    pub(super) fn override_followed(&mut self, id: HandoverId, step: OverrideStep) -> Result<(), Refusal> {
        let Some(mut row) = self.facts.safeguard(id)? else { return Ok(()) };
        let (at, by) = (self.entry.time, self.operator());
        if let Some(overriding) = &mut row.overriding {
            match step {
                OverrideStep::Told => overriding.told_at = Some(at),
                OverrideStep::Reviewed { upheld } => overriding.reviewed = Some((at, by, upheld)),
            }
            self.rows.push(Row::Safeguard(id, row));
        }
        Ok(())
    }

    /// A handover that was never sent was given up.
    pub(super) fn dropped(&mut self, id: HandoverId, reason: StopReason) -> Result<(), Refusal> {
        self.step_to(id, Action::Cancel, self.own, Some(reason.as_str().to_owned()), |_| {})
    }

    /// The age that a consent record gives to the person of its case.
    pub(super) fn age(&mut self, case: CaseId, content: Option<&Content>) {
        let band = match content {
            Some(Content::Consent(record)) => record.age_band,
            Some(Content::Residue(Residue::Age(band))) => *band,
            _ => return,
        };
        self.rows.push(Row::CaseAge(case, CaseAgeRow { band, entry: self.entry.index }));
    }

    /// The offer of one who travels with others is bound to theirs.
    pub(super) fn join_group(&mut self, offer: &OfferOutline) -> Result<(), Refusal> {
        let Some(group) = &offer.group else { return Ok(()) };
        let id = GroupId::of(offer.from, offer.to, &group.reference);
        let mut row = self.facts.group(id)?.unwrap_or_else(|| GroupRow {
            reference: group.reference.clone(),
            from: offer.from,
            to: offer.to,
            size: group.size,
            minors: false,
            members: Vec::new(),
            split: None,
        });
        row.minors |= offer.minors;
        if !row.members.contains(&offer.id) && row.members.len() < GROUP_MEMBERS_MAX {
            row.members.push(offer.id);
        }
        self.rows.push(Row::Group(id, row));
        Ok(())
    }

    /// Either side says that a group goes on one by one.
    pub(super) fn split(&mut self, split: &GroupSplit, by: Society) -> Result<(), Refusal> {
        if let Some(mut row) = self.facts.group(split.group)?.filter(|row| row.split.is_none()) {
            let reason: SplitReason = split.reason;
            row.split = Some((self.entry.time, by, reason, self.entry.index));
            self.rows.push(Row::Group(split.group, row));
        }
        Ok(())
    }
}
