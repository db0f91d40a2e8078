//! `passerelle alert draft`, `drafts`, `approve`, `publish`, `discard`: an alert before it goes out.

use passerelle_domain::{ids::AlertId, time::Time};
use passerelle_proto::v1::{
    ApproveAlertRequest, ApproveAlertResponse, DiscardAlertRequest, DiscardAlertResponse, DraftAlertRequest,
    DraftAlertResponse, DraftView, GetDraftRequest, GetDraftResponse, ListDraftsRequest, ListDraftsResponse,
    PublishAlertRequest, PublishAlertResponse,
};

use super::{
    Session,
    alert::{published, reference},
    alert_content, alert_page, given_or_new, pages,
};
use crate::{
    args::AlertCommand,
    failure::{Exit, Failure},
    render::{Answer, page::Page, time},
};

pub(super) async fn run(command: AlertCommand, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    match command {
        AlertCommand::Draft { content, supersedes, id } => {
            let (id, at) = given_or_new::<AlertId>(id.as_deref(), (session.console.now)())?;
            let mut alert = alert_content::read(content, at, session)?;
            for earlier in supersedes {
                alert.supersedes.push(reference(earlier, session).await?);
            }
            let request = DraftAlertRequest { id: id.to_string(), alert: Some(alert) };
            let drafted = client.call(Box::pin(client.alerts().draft_alert(request))).await;
            session.print(&drafted.map_err(|failure| failure.repeat_with_id(&id.to_string()))?)
        }
        AlertCommand::Drafts { id: Some(id), .. } => {
            let answer = client.call(client.alerts().get_draft(GetDraftRequest { id })).await?;
            session.print(&answer)
        }
        AlertCommand::Drafts { id: None, limit } => {
            let (drafts, more) = pages(limit.limit, async |page_size, page_token| {
                let request = ListDraftsRequest { page_size, page_token };
                let answer = client.call(client.alerts().list_drafts(request)).await?;
                Ok((answer.drafts, answer.next_page_token))
            })
            .await?;
            session.print_list(&ListDraftsResponse { drafts, next_page_token: String::new() }, "drafts", more)
        }
        AlertCommand::Approve { id, digest } => {
            let answer = client.call(client.alerts().approve_alert(ApproveAlertRequest { id, digest })).await?;
            session.print(&answer)
        }
        AlertCommand::Publish { id } => {
            let answer = client.call(client.alerts().publish_alert(PublishAlertRequest { id })).await?;
            session.print(&answer)
        }
        AlertCommand::Discard { id } => {
            let answer = client.call(client.alerts().discard_alert(DiscardAlertRequest { id })).await?;
            session.print(&answer)
        }
        // The others were dealt with before.
        _ => Ok(Exit::Ok),
    }
}

/// What is to be done with a draft next.
fn next(draft: &DraftView) -> String {
    if draft.state == "draft" {
        format!("A second person with the role alert_approver: passerelle alert approve {}", draft.id)
    } else {
        format!("It is ready: passerelle alert publish {}", draft.id)
    }
}

impl Answer for DraftAlertResponse {
    fn page(&self, page: &mut Page, _: Time) {
        let Some(draft) = &self.draft else { return };
        page.line("Drafted, durable here; nobody else has it.");
        page.pairs([("id", draft.id.clone()), ("state", draft.state.clone()), ("digest", draft.digest.clone())]);
        page.line(next(draft));
    }
}

impl Answer for GetDraftResponse {
    fn page(&self, page: &mut Page, now: Time) {
        let Some(draft) = &self.draft else { return };
        let alert = draft.alert.clone().unwrap_or_default();
        let first = alert.texts.first().map(|text| text.headline.as_str()).unwrap_or_default();
        page.line(alert_page::headline(&alert.mode, first));
        page.line("");
        page.pairs([
            ("id", draft.id.clone()),
            ("state", draft.state.clone()),
            ("source", draft.source.clone()),
            ("drafted", by(&draft.drafted_by, draft.drafted_at.as_ref(), now)),
            ("approved", by(&draft.approved_by, draft.approved_at.as_ref(), now)),
            ("digest", draft.digest.clone()),
        ]);
        page.line("");
        page.pairs(alert_page::facts(&alert, now));
        alert_page::said(&alert, page, now);
        page.line("");
        page.line(next(draft));
    }
}

fn by(who: &str, at: Option<&prost_types::Timestamp>, now: Time) -> String {
    if who.is_empty() { String::new() } else { format!("by {who}, {}", time::utc_with_age(at, now)) }
}

impl Answer for ListDraftsResponse {
    fn page(&self, page: &mut Page, now: Time) {
        let row = |draft: &DraftView| {
            let alert = draft.alert.clone().unwrap_or_default();
            let first = alert.texts.first().map(|text| text.headline.as_str()).unwrap_or_default();
            [
                time::age(draft.drafted_at.as_ref(), now),
                draft.state.clone(),
                draft.source.clone(),
                draft.drafted_by.clone(),
                alert.severity.clone(),
                alert.event.clone(),
                alert_page::headline(&alert.mode, first),
                draft.id.clone(),
            ]
        };
        let header = ["DRAFTED", "STATE", "SOURCE", "BY", "SEVERITY", "EVENT", "HEADLINE", "ID"];
        page.table(header, self.drafts.iter().map(row).collect(), "no drafts");
    }
}

impl Answer for ApproveAlertResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Approved, by entry {} of the journal; it can be published now.", self.entry_index));
    }
}

impl Answer for PublishAlertResponse {
    fn page(&self, page: &mut Page, _: Time) {
        published("Published", &self.id, self.entry_index, &self.recipients, page);
    }
}

impl Answer for DiscardAlertResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Discarded, by entry {} of the journal; what it said is erased.", self.entry_index));
    }
}
