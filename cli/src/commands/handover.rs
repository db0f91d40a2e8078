//! `passerelle handover`: offering, answering, releasing, reporting and reading.

use std::path::Path;

use passerelle_domain::{
    handover::{HandoverDraft, Package},
    ids::HandoverId,
    society::Society,
    time::Time,
};
use passerelle_proto::v1::{
    AcceptHandoverRequest, AcceptHandoverResponse, GetHandoverRequest, GetHandoverResponse, HandoverEvent,
    HandoverView, ListHandoversRequest, ListHandoversResponse, OfferHandoverRequest, OfferHandoverResponse,
    ReadPackageRequest, ReadPackageResponse, RejectHandoverRequest, RejectHandoverResponse, ReleaseHandoverRequest,
    ReleaseHandoverResponse, ReportHandoverRequest, ReportHandoverResponse,
};
use serde_json::Value;

use super::{Session, given_or_new, pages};
use crate::{
    args::HandoverCommand,
    failure::{Exit, Failure},
    files::{self, Content},
    render::{Answer, json, page::Page, time},
};

pub(super) async fn run(command: HandoverCommand, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    match command {
        HandoverCommand::Offer { file, case_id, package, release_on_acceptance, consent, yes, id } => {
            let (id, _) = given_or_new::<HandoverId>(id.as_deref(), (session.console.now)())?;
            let id = id.to_string();
            let draft_json = offer(&file, consent.as_deref(), session)?;
            say_where(&draft_json, yes, session)?;
            let request = OfferHandoverRequest {
                id: id.clone(),
                case_id,
                draft_json,
                package_json: package.map(|file| package_of(&file, session)).transpose()?.unwrap_or_default(),
                release_on_acceptance,
            };
            let offered = client.call(client.handovers().offer_handover(request)).await;
            session.print(&offered.map_err(|failure| failure.repeat_with_id(&id))?)
        }
        HandoverCommand::Accept { id, team, services } => {
            let request = AcceptHandoverRequest { id, team, services };
            let answer = client.call(client.handovers().accept_handover(request)).await?;
            session.print(&answer)
        }
        HandoverCommand::Reject { id, reason, note } => {
            let request = RejectHandoverRequest { id, reason, note };
            let answer = client.call(client.handovers().reject_handover(request)).await?;
            session.print(&answer)
        }
        HandoverCommand::Release { id, package } => {
            let package_json = package.map(|file| package_of(&file, session)).transpose()?.unwrap_or_default();
            let request = ReleaseHandoverRequest { id, package_json };
            let answer = client.call(client.handovers().release_handover(request)).await?;
            session.print(&answer)
        }
        HandoverCommand::Report { id, step, reason, note, delivered } => {
            let step = step.as_str().to_owned();
            let request = ReportHandoverRequest { id, step, reason, note, services_delivered: delivered };
            let answer = client.call(client.handovers().report_handover(request)).await?;
            session.print(&answer)
        }
        HandoverCommand::Show { id } => {
            let answer = client.call(client.handovers().get_handover(GetHandoverRequest { id })).await?;
            session.print(&answer)
        }
        HandoverCommand::List { state, society, limit } => {
            let filter = ListHandoversRequest {
                state: state.unwrap_or_default(),
                society: society.as_ref().map(Society::code).unwrap_or_default().to_owned(),
                ..ListHandoversRequest::default()
            };
            let (handovers, more) = pages(limit.limit, async |page_size, page_token| {
                let request = ListHandoversRequest { page_size, page_token, ..filter.clone() };
                let answer = client.call(client.handovers().list_handovers(request)).await?;
                Ok((answer.handovers, answer.next_page_token))
            })
            .await?;
            let answer = ListHandoversResponse { handovers, next_page_token: String::new() };
            session.print_list(&answer, "handovers", more)
        }
        HandoverCommand::Read { id, purpose, sections } => {
            let request = ReadPackageRequest { id, purpose, sections };
            let answer = client.call(client.handovers().read_package(request)).await?;
            session.print(&answer)
        }
    }
}

/// The offer of a file as JSON, resting on the consent given on the command line, if any.
fn offer(file: &Path, consent: Option<&str>, session: &mut Session<'_, '_>) -> Result<String, Failure> {
    let mut draft = files::json_of::<HandoverDraft>(file, Content::Plain, session.console)?;
    if let (Some(consent), Some(fields)) = (consent, draft.as_object_mut()) {
        fields.insert("consent".to_owned(), Value::String(consent.to_owned()));
    }
    Ok(draft.to_string())
}

/// Says in which country the data will lie, before anything goes there.
fn say_where(draft_json: &str, yes: bool, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let to = json::document(draft_json).and_then(|draft| draft.get("to")?.as_str()?.parse::<Society>().ok());
    let Some(to) = to else { return Ok(()) };
    let console = &mut session.console;
    console.say(format!("After release the data will lie in {}, under the laws of that country.", to.country()));
    if !yes && console.terminals.stdin && !console.confirm("Offer it?", "Repeat it with --yes.")? {
        return Err(Failure::usage("not confirmed; nothing was offered", ""));
    }
    Ok(())
}

/// The package of a file as JSON. Personal data: no error shows any of it.
fn package_of(file: &Path, session: &mut Session<'_, '_>) -> Result<String, Failure> {
    Ok(files::json_of::<Package>(file, Content::Personal, session.console)?.to_string())
}

impl Answer for OfferHandoverResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Offered; after release the data will be in {}.", self.data_will_be_in));
        page.pairs([
            ("id", self.id.clone()),
            ("code for the card", self.short_code.clone()),
            ("state", self.state.clone()),
            ("entry", self.entry_index.to_string()),
        ]);
    }
}

impl Answer for AcceptHandoverResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Accepted, by entry {} of the journal.", self.entry_index));
    }
}

impl Answer for RejectHandoverResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Rejected, by entry {} of the journal.", self.entry_index));
    }
}

impl Answer for ReleaseHandoverResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Released, by entry {} of the journal.", self.entry_index));
        if !self.data_will_be_in.is_empty() {
            page.line(format!("The data will lie in {}.", self.data_will_be_in));
        }
        page.pairs([("sections", self.sections.join(", "))]);
    }
}

impl Answer for ReportHandoverResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Reported, by entry {} of the journal; now {}.", self.entry_index, self.state));
    }
}

impl Answer for GetHandoverResponse {
    fn page(&self, page: &mut Page, now: Time) {
        let Some(view) = &self.handover else { return };
        let consent = match view.consent_id.as_str() {
            "" => String::new(),
            id => format!("{id}, version {}", view.consent_version),
        };
        page.pairs([
            ("id", view.id.clone()),
            ("code on the card", view.short_code.clone()),
            ("from", view.from.clone()),
            ("to", [view.to.as_str(), view.to_team.as_str()].join(" ").trim_end().to_owned()),
            ("kind", view.kind.clone()),
            ("state", view.state.clone()),
            ("reason", view.reason.clone()),
            (
                "frozen",
                if view.frozen { "by a breach freeze: not read, not released".to_owned() } else { String::new() },
            ),
            ("responsible", view.responsible.clone()),
            ("priority", view.priority.clone()),
            ("services", view.services.join(", ")),
            ("accepted", view.accepted_services.join(", ")),
            ("age band", view.age_band.clone()),
            ("group of", if view.group_size > 1 { view.group_size.to_string() } else { String::new() }),
            ("offered", time::utc_with_age(view.offered_at.as_ref(), now)),
            ("due by", time::utc_with_age(view.due_by.as_ref(), now)),
            ("expires", time::utc_with_age(view.expires_at.as_ref(), now)),
            ("consent", consent),
            ("sections released", view.sections.join(", ")),
            ("package", if view.package_here { "in this node's vault".to_owned() } else { String::new() }),
            ("entry", view.entry_index.to_string()),
        ]);
        if let Some(offer) = json::document(&view.offer_json).filter(|offer| !offer.is_null()) {
            page.heading("OFFER");
            page.outline(&offer);
        }
        page.heading("HISTORY");
        let row = |event: &HandoverEvent| {
            let (step, by, state, reason) = (&event.step, &event.by, &event.state, &event.reason);
            [time::utc(event.at.as_ref()), step.clone(), by.clone(), state.clone(), reason.clone()]
        };
        page.table(["TIME", "STEP", "BY", "STATE", "REASON"], view.history.iter().map(row).collect(), "none");
    }
}

impl Answer for ListHandoversResponse {
    fn page(&self, page: &mut Page, now: Time) {
        let row = |view: &HandoverView| {
            [
                time::age(view.offered_at.as_ref(), now),
                view.from.clone(),
                view.to.clone(),
                view.state.clone(),
                view.priority.clone(),
                view.services.join(" "),
                view.short_code.clone(),
                view.responsible.clone(),
                view.id.clone(),
            ]
        };
        let header = ["OFFERED", "FROM", "TO", "STATE", "PRIORITY", "SERVICES", "CARD", "RESPONSIBLE", "ID"];
        page.table(header, self.handovers.iter().map(row).collect(), "no such handovers");
    }
}

impl Answer for ReadPackageResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("This reading is entry {} of the journal.", self.entry_index));
        page.line("");
        match json::document(&self.package_json) {
            Some(package) => page.outline(&package),
            None => page.line(&self.package_json),
        }
    }
}
