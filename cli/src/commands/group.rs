//! `passerelle handover group`: people who travel together.

use passerelle_domain::{ids::HandoverId, time::Time};
use passerelle_proto::v1::{
    AcceptGroupRequest, AcceptGroupResponse, GetGroupRequest, GetGroupResponse, HandoverView, OfferGroupRequest,
    OfferGroupResponse, OfferHandoverRequest, RejectGroupRequest, RejectGroupResponse, SplitGroupRequest,
    SplitGroupResponse,
};

use super::{
    Session, given_or_new,
    handover::{offer, package_of},
};
use crate::{
    args::{GroupCommand, MemberArg},
    failure::{Exit, Failure},
    render::{Answer, page::Page, time},
};

pub(super) async fn run(command: GroupCommand, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    match command {
        GroupCommand::Offer { group, members, ids } => {
            if !ids.is_empty() && ids.len() != members.len() {
                let next = "Give --id once for each --member, in the same order, or not at all.";
                return Err(Failure::usage("there are not as many ids as people", next));
            }
            let id_of = |at: usize| ids.get(at).map(String::as_str);
            let members: Vec<_> = members
                .iter()
                .enumerate()
                .map(|(at, one)| member(one, id_of(at), session))
                .collect::<Result<_, _>>()?;
            let ids: Vec<_> = members.iter().map(|member: &OfferHandoverRequest| member.id.clone()).collect();
            let request = OfferGroupRequest { reference: group, members };
            let answer = client.call(client.safeguards().offer_group(request)).await;
            session.print(&answer.map_err(|failure| failure.repeat_with_id(&ids.join(" --id ")))?)
        }
        GroupCommand::Accept { id, team } => {
            let answer = client.call(client.safeguards().accept_group(AcceptGroupRequest { id, team })).await?;
            session.print(&answer)
        }
        GroupCommand::Reject { id, reason, note } => {
            let request = RejectGroupRequest { id, reason, note };
            let answer = client.call(client.safeguards().reject_group(request)).await?;
            session.print(&answer)
        }
        GroupCommand::Split { id, reason } => {
            let answer = client.call(client.safeguards().split_group(SplitGroupRequest { id, reason })).await?;
            session.print(&answer)
        }
        GroupCommand::Show { id } => {
            let answer = client.call(client.safeguards().get_group(GetGroupRequest { id })).await?;
            session.print(&answer)
        }
    }
}

fn member(one: &MemberArg, id: Option<&str>, session: &mut Session<'_, '_>) -> Result<OfferHandoverRequest, Failure> {
    let (id, _) = given_or_new::<HandoverId>(id, (session.console.now)())?;
    let package = one.package.as_deref().map(|file| package_of(file, session)).transpose()?;
    Ok(OfferHandoverRequest {
        id: id.to_string(),
        case_id: one.case.clone(),
        draft_json: offer(&one.offer, None, session)?,
        package_json: package.unwrap_or_default(),
        ..OfferHandoverRequest::default()
    })
}

fn table(members: &[HandoverView], page: &mut Page) {
    let row = |view: &HandoverView| {
        [
            view.id.clone(),
            view.short_code.clone(),
            view.age_band.clone(),
            view.state.clone(),
            view.services.join(" "),
            view.approvals_missing.join("; "),
        ]
    };
    let header = ["ID", "CARD", "AGE", "STATE", "SERVICES", "STILL NEEDS"];
    page.table(header, members.iter().map(row).collect(), "nobody");
}

impl Answer for OfferGroupResponse {
    fn page(&self, page: &mut Page, _: Time) {
        let waits = self.members.iter().any(|member| member.state != "offered" && member.state != "delivered");
        page.line(if waits {
            "Written down; all of them wait until others have approved."
        } else {
            "Offered together."
        });
        table(&self.members, page);
    }
}

impl Answer for AcceptGroupResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("All accepted, from entry {} of the journal on.", self.entry_index));
    }
}

impl Answer for RejectGroupResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("All rejected, from entry {} of the journal on.", self.entry_index));
    }
}

impl Answer for SplitGroupResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Split, by entry {} of the journal; each goes on alone from here.", self.entry_index));
    }
}

impl Answer for GetGroupResponse {
    fn page(&self, page: &mut Page, now: Time) {
        page.pairs([
            ("group", self.reference.clone()),
            ("people", format!("{} of {}", self.members.len(), self.size)),
            ("split", time::utc_with_age(self.split_at.as_ref(), now)),
            ("by", self.split_by.clone()),
            ("reason", self.split_reason.clone()),
        ]);
        table(&self.members, page);
    }
}
