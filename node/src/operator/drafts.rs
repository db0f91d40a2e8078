//! Drafts of alerts, as operators write and read them. Only who writes or approves alerts sees them.

use passerelle_domain::{
    alert::Alert,
    catalogue::Role,
    decide::{Caller, Command},
    entry::DraftSource,
    facts::Facts as _,
    fold::Content,
    ids::{AlertId, EntryIndex},
    refusal::{Code, Refusal},
    rows::DraftRow,
};
use passerelle_proto::{
    convert::{alert_message, timestamp},
    v1,
};

use super::{Operator, alerts::odd, entry_and_content, entry_json, errors::Refused};
use crate::store::{
    Direction, keys,
    view::{View, decode, failed},
};

/// Roles that see drafts.
pub(super) const DRAFT_ROLES: [Role; 3] = [Role::AlertAuthor, Role::AlertApprover, Role::DutyOfficer];

impl Operator {
    /// Keeps a draft of an operator's; as it stands then.
    pub(super) async fn keep_draft(
        &self,
        caller: Caller,
        id: &str,
        alert: Option<v1::Alert>,
    ) -> Result<v1::DraftView, Refused> {
        caller.require(&[Role::AlertAuthor, Role::AlertApprover])?;
        let message = alert.ok_or_else(|| Refusal::new(Code::MissingField, "alert is missing").at("alert"))?;
        let (id, alert) = self.taken_up(id, message)?;
        let command = Command::DraftAlert { caller, id, alert: Box::new(alert), source: DraftSource::Operator };
        self.submit(command).await?;
        Ok(self.blocking(move |operator| operator.known_draft(id)).await?)
    }

    /// One draft.
    pub(super) fn known_draft(&self, id: AlertId) -> Result<v1::DraftView, Refusal> {
        let view = self.view();
        let row = view.draft(id)?.filter(|row| row.ended.is_none());
        let unknown = || Refusal::new(Code::UnknownDraft, "this node has no such draft").at("id");
        let (shown, alert) = self.draft_view(&view, id, &row.ok_or_else(unknown)?)?;
        let imported = alert.and_then(|alert| self.imported(id, self.own, &alert));
        Ok(v1::DraftView { imported, ..shown })
    }

    /// Drafts that have not ended, newest first.
    pub(super) fn draft_page(&self, rows: usize, before: Option<AlertId>) -> Result<v1::ListDraftsResponse, Refusal> {
        let view = self.view();
        let (from, mut until) = keys::all(b'd');
        if let Some(before) = before {
            until = keys::draft(before);
        }
        let mut page = v1::ListDraftsResponse::default();
        for pair in self.engine.store().scan(&from, &until, Direction::Backward) {
            let (key, value) = pair.map_err(failed)?;
            let row: DraftRow = decode(&value)?;
            let open = row.ended.is_none();
            let Some(id) = keys::id_bytes(&key).filter(|_| open).map(AlertId::from_bytes) else { continue };
            if page.drafts.len() == rows {
                page.next_page_token = page.drafts.last().map(|last| last.id.clone()).unwrap_or_default();
                break;
            }
            page.drafts.push(self.draft_view(&view, id, &row)?.0);
        }
        Ok(page)
    }

    /// The draft as it is shown in a list, and what it says.
    fn draft_view(
        &self,
        view: &View<'_>,
        id: AlertId,
        row: &DraftRow,
    ) -> Result<(v1::DraftView, Option<Box<Alert>>), Refusal> {
        let who = |index: EntryIndex| -> Result<_, Refusal> {
            let entry = view.entry(index)?;
            Ok(entry.map(|entry| (entry_json::actor(&entry.actor), timestamp(entry.time))).unwrap_or_default())
        };
        let (drafted_by, drafted_at) = who(row.entry)?;
        let (approved_by, approved_at) = match row.approved {
            Some(entry) => who(entry).map(|(by, at)| (by, Some(at)))?,
            None => (String::new(), None),
        };
        let alert = match entry_and_content(view, row.entry)? {
            Some((_, Some(Content::Draft(alert)))) => Some(alert),
            _ => None,
        };
        let shown = v1::DraftView {
            id: id.to_string(),
            state: row.state.to_string(),
            source: match &row.source {
                DraftSource::Operator => "operator".to_owned(),
                DraftSource::Feed(name) => format!("feed {name}"),
            },
            needs_approval: row.needs_approval,
            drafted_by,
            drafted_at: Some(drafted_at),
            approved_by,
            approved_at,
            digest: row.digest.to_string(),
            warnings: alert.as_deref().map(odd).unwrap_or_default(),
            imported: None,
            alert: alert.as_ref().map(|alert| alert_message(alert.to_draft(), self.clock.now())),
            entry_index: row.entry.0,
        };
        Ok((shown, alert))
    }
}
