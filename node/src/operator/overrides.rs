//! Overrides and other exceptions, as lists for those who answer for them.

use passerelle_domain::{
    entry::Body,
    facts::Facts as _,
    fold::Content,
    handover::Stage,
    ids::{EntryIndex, HandoverId},
    refusal::{Code, Refusal},
    rows::{GroupRow, OverrideRow, SafeguardRow},
};
use passerelle_proto::{convert::timestamp, v1};

use super::{Operator, entry_and_content, entry_json, stamp};
use crate::store::{
    Direction, keys,
    view::{decode, failed},
};

/// Entries that the report of exceptions looks at for refused approvals: the newest ones.
const LOOKED_AT_MAX: u64 = 100_000;

impl Operator {
    fn overriding(&self) -> Result<Vec<(HandoverId, SafeguardRow, OverrideRow)>, Refusal> {
        let (from, until) = keys::safeguards();
        let mut found = Vec::new();
        for pair in self.engine.store().scan(&from, &until, Direction::Backward) {
            let (key, value) = pair.map_err(failed)?;
            let row: SafeguardRow = decode(&value)?;
            if let (Some(id), Some(overriding)) = (keys::safeguarded(&key), row.overriding.clone()) {
                found.push((id, row, overriding));
            }
        }
        Ok(found)
    }

    /// How many reviews of overrides are overdue.
    pub(super) fn reviews_late(&self) -> Result<usize, Refusal> {
        let now = self.clock.now();
        Ok(self.overriding()?.iter().filter(|(_, _, row)| row.is_late(now)).count())
    }

    /// Overrides, newest first; only those that somebody still has to do something about.
    pub(super) fn overrides(&self, due_only: bool) -> Result<Vec<v1::Override>, Refusal> {
        let mut shown = Vec::new();
        for (id, row, overriding) in self.overriding()? {
            let (handover, _) = self.known_handover(id)?;
            let done = overriding.told_at.is_some() && overriding.reviewed.is_some();
            let given_up = overriding.approved_at.is_none() && handover.state.has_ended();
            if !due_only || !(done || given_up) {
                shown.push(self.override_view(id, &row, &overriding, handover.state.to_string())?);
            }
        }
        Ok(shown)
    }

    fn override_view(
        &self,
        id: HandoverId,
        row: &SafeguardRow,
        overriding: &OverrideRow,
        state: String,
    ) -> Result<v1::Override, Refusal> {
        let note = match entry_and_content(&self.view(), overriding.entry)? {
            Some((_, Some(Content::Note(note)))) => note.as_str().to_owned(),
            _ => String::new(),
        };
        let approvals = row.approvals.iter().filter(|approval| approval.stage == Stage::Override);
        let (reviewed_at, reviewed_by, finding) = match &overriding.reviewed {
            Some((at, by, upheld)) => {
                (Some(timestamp(*at)), by.clone(), if *upheld { "upheld" } else { "not_upheld" }.to_owned())
            }
            None => (None, String::new(), String::new()),
        };
        Ok(v1::Override {
            id: id.to_string(),
            reason: overriding.reason.to_string(),
            note,
            requested_by: overriding.requested_by.clone(),
            requested_at: Some(timestamp(overriding.requested_at)),
            approved_by: approvals.map(|approval| format!("{} ({})", approval.by, approval.role)).collect(),
            approved_at: stamp(overriding.approved_at),
            missing: self.missing(id, true)?,
            review_by: stamp(overriding.review_by()),
            late: overriding.is_late(self.clock.now()),
            told_at: stamp(overriding.told_at),
            reviewed_at,
            reviewed_by,
            finding,
            state,
        })
    }

    /// The report of exceptions, in the order of the journal.
    pub(super) fn exceptions(&self) -> Result<Vec<v1::Exception>, Refusal> {
        let mut found = Vec::new();
        for (id, _, row) in self.overriding()? {
            let one = |kind: &str, at, reason: String| v1::Exception {
                at: Some(timestamp(at)),
                kind: kind.to_owned(),
                id: id.to_string(),
                reason,
                by: row.requested_by.clone(),
                entry_index: row.entry.0,
            };
            found.push(one("override", row.requested_at, row.reason.to_string()));
            if let Some(by) = row.review_by().filter(|_| row.is_late(self.clock.now())) {
                found.push(one("override_review_late", by, row.reason.to_string()));
            }
        }
        let (from, until) = keys::all(b'g');
        for pair in self.engine.store().scan(&from, &until, Direction::Forward) {
            let row: GroupRow = decode(&pair.map_err(failed)?.1)?;
            if let Some((at, by, reason, entry)) = row.split {
                let id = row.members.first().map(ToString::to_string).unwrap_or_default();
                let (kind, reason, by) = ("group_split".to_owned(), reason.to_string(), by.to_string());
                found.push(v1::Exception { at: Some(timestamp(at)), kind, id, reason, by, entry_index: entry.0 });
            }
        }
        found.extend(self.approvals_of_oneself()?);
        found.sort_by_key(|exception| exception.entry_index);
        Ok(found)
    }

    /// Who tried to approve what they had asked for.
    fn approvals_of_oneself(&self) -> Result<Vec<v1::Exception>, Refusal> {
        let view = self.view();
        let size = view.head()?.map_or(0, |head| head.frontier.size());
        let mut found = Vec::new();
        for index in size.saturating_sub(LOOKED_AT_MAX)..size {
            let Some(entry) = view.entry(EntryIndex(index))? else { continue };
            if let Body::Refused { code, request, subject, .. } = &entry.body
                && *code == Code::SelfApproval.as_str()
            {
                found.push(v1::Exception {
                    at: Some(timestamp(entry.time)),
                    kind: code.clone(),
                    id: subject.map(|id| id.to_string()).unwrap_or_default(),
                    reason: request.clone(),
                    by: entry_json::actor(&entry.actor),
                    entry_index: index,
                });
            }
        }
        Ok(found)
    }
}
