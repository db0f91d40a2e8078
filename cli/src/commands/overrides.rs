//! `passerelle override`, and the report of exceptions.

use passerelle_domain::{ids::HandoverId, time::Time};
use passerelle_proto::v1::{
    ApproveOverrideRequest, ApproveOverrideResponse, Exception, ListExceptionsRequest, ListExceptionsResponse,
    ListOverridesRequest, ListOverridesResponse, Override, RequestOverrideRequest, RequestOverrideResponse,
    ReviewOverrideRequest, ReviewOverrideResponse,
};

use super::{
    Session, given_or_new,
    handover::{offer, package_of},
};
use crate::{
    args::OverrideCommand,
    failure::{Exit, Failure},
    render::{Answer, page::Page, time},
};

pub(super) async fn run(command: OverrideCommand, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    match command {
        OverrideCommand::Request { handover, file, case_id, package, reason, note } => {
            let (id, _) = given_or_new::<HandoverId>(handover.as_deref(), (session.console.now)())?;
            let request = RequestOverrideRequest {
                id: id.to_string(),
                reason,
                note,
                case_id: case_id.unwrap_or_default(),
                draft_json: file.map(|file| offer(&file, None, session)).transpose()?.unwrap_or_default(),
                package_json: package.map(|file| package_of(&file, session)).transpose()?.unwrap_or_default(),
            };
            let answer = client.call(client.safeguards().request_override(request)).await?;
            session.print(&answer)
        }
        OverrideCommand::Approve { id, role } => {
            let request = ApproveOverrideRequest { id, role };
            let answer = client.call(client.safeguards().approve_override(request)).await?;
            session.print(&answer)
        }
        OverrideCommand::List { due } => {
            let request = ListOverridesRequest { due_only: due };
            let answer = client.call(client.safeguards().list_overrides(request)).await?;
            session.print_list(&answer, "overrides", false)
        }
        OverrideCommand::Review { id, finding } => {
            let request = ReviewOverrideRequest { id, finding: finding.as_str().to_owned() };
            let answer = client.call(client.safeguards().review_override(request)).await?;
            session.print(&answer)
        }
    }
}

pub(super) async fn exceptions(session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    let answer = client.call(client.safeguards().list_exceptions(ListExceptionsRequest {})).await?;
    session.print_list(&answer, "exceptions", false)
}

impl Answer for RequestOverrideResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Asked for, by entry {} of the journal.", self.entry_index));
        page.pairs([
            ("handover", self.id.clone()),
            ("state", self.state.clone()),
            ("still needs", self.missing.join("; ")),
        ]);
    }
}

impl Answer for ApproveOverrideResponse {
    fn page(&self, page: &mut Page, now: Time) {
        page.line(format!("Approved, by entry {} of the journal.", self.entry_index));
        page.pairs([
            ("still needs", self.missing.join("; ")),
            ("review by", time::utc_with_age(self.review_by.as_ref(), now)),
        ]);
    }
}

impl Answer for ReviewOverrideResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Recorded, by entry {} of the journal.", self.entry_index));
    }
}

impl Answer for ListOverridesResponse {
    fn page(&self, page: &mut Page, _: Time) {
        let row = |one: &Override| {
            let review = if one.late { "LATE" } else { one.finding.as_str() };
            [
                one.id.clone(),
                one.reason.clone(),
                one.requested_by.clone(),
                [one.approved_by.join(", "), one.missing.iter().map(|roles| format!("({roles})")).collect()].concat(),
                time::utc(one.review_by.as_ref()),
                time::utc(one.told_at.as_ref()),
                review.to_owned(),
            ]
        };
        let header = ["HANDOVER", "REASON", "ASKED BY", "APPROVED BY", "REVIEW BY", "TOLD", "REVIEW"];
        page.table(header, self.overrides.iter().map(row).collect(), "no such overrides");
    }
}

impl Answer for ListExceptionsResponse {
    fn page(&self, page: &mut Page, _: Time) {
        let row = |one: &Exception| {
            [
                one.entry_index.to_string(),
                time::utc(one.at.as_ref()),
                one.kind.clone(),
                one.reason.clone(),
                one.by.clone(),
                one.id.clone(),
            ]
        };
        let header = ["ENTRY", "TIME", "EXCEPTION", "REASON", "BY", "HANDOVER"];
        page.table(header, self.exceptions.iter().map(row).collect(), "no exceptions");
    }
}
