//! Rows of the rights of a person: cards, requests and how far each holder is, and who read what.

use super::{Content, Fold, Residue};
use crate::{
    digest::Digest,
    entry::EnvelopeMeta,
    handover::CaseShortCode,
    ids::{HandoverId, RequestId},
    limits::{READS_KEPT_MAX, REQUEST_HOLDERS_MAX, REQUEST_MESSAGES_MAX},
    refusal::Refusal,
    rights::{
        CardRow, CorrectionEntry, News, Outcome, ReadMark, ReadsRow, RequestHolder, RequestReason, RequestRow,
        RightsEntry, RightsMessage, SubjectRequest,
    },
    rows::{Delivery, Row},
    society::Society,
};

impl Fold<'_> {
    /// Somebody read a package.
    pub(super) fn read(&mut self, id: HandoverId, sections: &[String], purpose: &str) -> Result<(), Refusal> {
        let mut row: ReadsRow = self.facts.reads(id)?.unwrap_or_default();
        row.reads.push(ReadMark { at: self.entry.time, purpose: purpose.to_owned(), sections: sections.to_vec() });
        let excess = row.reads.len().saturating_sub(READS_KEPT_MAX);
        row.reads.drain(..excess);
        self.rows.push(Row::Reads(id, row));
        Ok(())
    }

    /// A step of a card or of a request.
    pub(super) fn rights(&mut self, step: &RightsEntry, content: Option<&Content>) -> Result<(), Refusal> {
        let (index, now) = (self.entry.index, self.entry.time);
        match step {
            RightsEntry::CardMade { handover, code, .. } => {
                self.card(code, |row| *row = CardRow { made: Some((*handover, index)), ..CardRow::default() })?;
            }
            RightsEntry::CheckFailed { code } => self.card(code, |row| {
                row.wrong = if row.is_over(now) { 1 } else { row.wrong.saturating_add(1) };
                row.wrong_at = now;
            })?,
            RightsEntry::Taken { request, .. } => {
                let said = match content {
                    Some(Content::Request(request)) => Some(request.outline()),
                    Some(Content::Residue(Residue::Request(request))) => Some(request.clone()),
                    _ => None,
                };
                if let (Some(said), None) = (said, self.facts.request(*request)?) {
                    let row = self.new_request(&said);
                    self.rows.push(Row::Request(*request, row));
                }
            }
            RightsEntry::Opened { request, code } => {
                self.card(code, |row| row.wrong = 0)?;
                if let Some(mut row) = self.facts.request(*request)? {
                    row.opened = row.opened.or(Some(index));
                    add(&mut row, self.own, None);
                    self.rows.push(Row::Request(*request, row));
                }
                let card = self.facts.card(code)?.and_then(|card| card.made);
                self.asked_of_handover(card.map(|(handover, _)| handover), *request)?;
            }
            RightsEntry::Answered { request, outcome, reason } => {
                if let Some(mut row) = self.facts.request(*request)? {
                    let own = self.own;
                    self.answered(&mut row, own, None, *outcome, *reason);
                    self.rows.push(Row::Request(*request, row));
                }
            }
            RightsEntry::Read { .. } => {}
        }
        Ok(())
    }

    /// One Society told another of a request.
    pub(super) fn rights_message(
        &mut self,
        message: &RightsMessage,
        meta: &EnvelopeMeta,
        by: Society,
        deliveries: &[Delivery],
    ) -> Result<(), Refusal> {
        let id = message.request.id;
        let mut row = match self.facts.request(id)? {
            Some(row) => row,
            None => self.new_request(&message.request),
        };
        self.say(&mut row);
        let ours = by == self.own;
        if let Some(sealed) = meta.attachment.filter(|_| ours) {
            self.correction_sent(id, sealed.digest)?;
        }
        match &message.news {
            News::Asked { .. } if ours => row.asked = deliveries.first().copied(),
            News::Asked { .. } => {}
            News::Due { handover } => {
                let society = if ours { deliveries.first().map(|told| told.peer) } else { Some(self.own) };
                if let Some(holder) = society.and_then(|society| add(&mut row, society, Some(*handover))) {
                    holder.told = deliveries.first().copied();
                }
                self.asked_of_handover(Some(*handover), id)?;
            }
            News::Answered { holder, handover, outcome, reason, .. } => {
                self.answered(&mut row, *holder, *handover, *outcome, *reason);
            }
        }
        self.rows.push(Row::Request(id, row));
        Ok(())
    }

    /// A step of a correction.
    pub(super) fn correction(&mut self, step: &CorrectionEntry) -> Result<(), Refusal> {
        let (request, index) = match step {
            CorrectionEntry::Kept { request, .. }
            | CorrectionEntry::Applied { request, .. }
            | CorrectionEntry::Destroyed { request } => (*request, self.entry.index),
        };
        let mut row = self.facts.correction(request)?.unwrap_or_default();
        match step {
            CorrectionEntry::Kept { place, .. } => row.kept = Some(*place),
            CorrectionEntry::Applied { handover, package, .. } => {
                row.applied = row.applied.or(Some(index));
                self.change_handover(*handover, |row| {
                    row.earlier.extend(row.package.map(|before| before.commitment));
                    row.package = Some(*package);
                })?;
            }
            CorrectionEntry::Destroyed { .. } => row.destroyed = Some(index),
        }
        self.rows.push(Row::Correction(request, row));
        Ok(())
    }

    /// A correction was sealed to another holder.
    fn correction_sent(&mut self, request: RequestId, sealed: Digest) -> Result<(), Refusal> {
        let mut row = self.facts.correction(request)?.unwrap_or_default();
        if !row.sent.contains(&sealed) && row.sent.len() < REQUEST_HOLDERS_MAX {
            row.sent.push(sealed);
            self.rows.push(Row::Correction(request, row));
        }
        Ok(())
    }

    fn new_request(&self, request: &SubjectRequest) -> RequestRow {
        let (entry, request) = (self.entry.index, request.outline());
        let said = vec![entry];
        RequestRow { entry, request, opened: None, holders: Vec::new(), asked: None, said }
    }

    /// The object of this entry says something of a request.
    fn say(&self, row: &mut RequestRow) {
        let index = self.entry.index;
        if row.said.last() != Some(&index) && row.said.len() < REQUEST_MESSAGES_MAX {
            row.said.push(index);
        }
    }

    /// A request is of the case of a handover.
    fn asked_of_handover(&mut self, handover: Option<HandoverId>, request: RequestId) -> Result<(), Refusal> {
        let row = handover.map(|handover| self.facts.handover(handover)).transpose()?.flatten();
        match row.and_then(|row| row.case) {
            Some(case) => self.asked_of(case, request),
            None => Ok(()),
        }
    }

    /// What was said of a request went by a rule of retention.
    pub(super) fn purged_request(&mut self, id: RequestId) -> Result<(), Refusal> {
        if let Some(mut row) = self.facts.request(id)? {
            row.said.clear();
            self.rows.push(Row::Request(id, row));
        }
        Ok(())
    }

    /// The first answer of a holder counts; one that comes again changes nothing.
    fn answered(
        &self,
        row: &mut RequestRow,
        holder: Society,
        handover: Option<HandoverId>,
        outcome: Outcome,
        reason: Option<RequestReason>,
    ) {
        let (index, now) = (self.entry.index, self.entry.time);
        if let Some(holder) = add(row, holder, handover).filter(|holder| holder.answer.is_none()) {
            holder.answer = Some((outcome, now, index));
            holder.reason = reason;
        }
    }

    fn card(&mut self, code: &CaseShortCode, change: impl FnOnce(&mut CardRow)) -> Result<(), Refusal> {
        let mut row = self.facts.card(code)?.unwrap_or_default();
        change(&mut row);
        self.rows.push(Row::Card(code.clone(), row));
        Ok(())
    }
}

/// The holder in a row, added if it is new; none when there are too many.
fn add(row: &mut RequestRow, society: Society, handover: Option<HandoverId>) -> Option<&mut RequestHolder> {
    let known = row.holders.iter().position(|holder| holder.society == society && holder.handover == handover);
    if known.is_none() && row.holders.len() < REQUEST_HOLDERS_MAX {
        row.holders.push(RequestHolder { society, handover, told: None, answer: None, reason: None });
    }
    let at = known.or(row.holders.len().checked_sub(1)).filter(|at| {
        row.holders.get(*at).is_some_and(|holder| holder.society == society && holder.handover == handover)
    });
    at.and_then(|at| row.holders.get_mut(at))
}
