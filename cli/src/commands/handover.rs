//! `passerelle handover`: offering, answering, releasing, reporting and reading.

use std::{io::Write as _, path::Path};

use passerelle_domain::{
    handover::{HandoverDraft, Package},
    ids::HandoverId,
    limits::PACKAGE_BYTES_MAX,
    society::Society,
    time::Time,
};
use passerelle_proto::v1::{
    AcceptHandoverRequest, AcceptHandoverResponse, ApproveHandoverRequest, ApproveHandoverResponse, GetHandoverRequest,
    GetHandoverResponse, HandoverEvent, HandoverView, Letter, ListHandoversRequest, ListHandoversResponse,
    ListPeersRequest, OfferHandoverRequest, OfferHandoverResponse, ReadPackageRequest, ReadPackageResponse,
    RejectHandoverRequest, RejectHandoverResponse, ReleaseHandoverRequest, ReleaseHandoverResponse,
    ReportHandoverRequest, ReportHandoverResponse, SendHandoverRequest, SendHandoverResponse,
};
use serde_json::Value;

use super::{Session, given_or_new, pages};
use crate::{
    args::{HandoverCommand, LetterArg},
    failure::{Exit, Failure},
    files::{self, Content},
    render::{Answer, json, page::Page, time},
};

pub(super) async fn run(command: HandoverCommand, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    match command {
        HandoverCommand::Offer { file, case_id, package, letters, release_on_acceptance, consent, yes, id } => {
            let (id, _) = given_or_new::<HandoverId>(id.as_deref(), (session.console.now)())?;
            let id = id.to_string();
            let draft_json = offer(&file, consent.as_deref(), session)?;
            say_where(&draft_json, yes, session).await?;
            let request = OfferHandoverRequest {
                id: id.clone(),
                case_id,
                draft_json,
                package_json: package.map(|file| package_of(&file, session)).transpose()?.unwrap_or_default(),
                release_on_acceptance,
                letters: letters_of(&letters, session)?,
            };
            let offered = client.call(client.handovers().offer_handover(request)).await;
            session.print(&offered.map_err(|failure| failure.repeat_with_id(&id))?)
        }
        HandoverCommand::Approve { id, role } => {
            let request = ApproveHandoverRequest { id, role };
            let answer = client.call(client.safeguards().approve_handover(request)).await?;
            session.print(&answer)
        }
        HandoverCommand::Send { id } => {
            let answer = client.call(client.safeguards().send_handover(SendHandoverRequest { id })).await?;
            session.print(&answer)
        }
        HandoverCommand::Group(command) => super::group::run(command, session).await,
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
        HandoverCommand::Release { id, package, letters } => {
            let package_json = package.map(|file| package_of(&file, session)).transpose()?.unwrap_or_default();
            let letters = letters_of(&letters, session)?;
            let request = ReleaseHandoverRequest { id, package_json, letters };
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
        HandoverCommand::Read { id, purpose, sections, letters } => {
            let request = ReadPackageRequest { id, purpose, sections };
            let mut answer = client.call(client.handovers().read_package(request)).await?;
            if let Some(folder) = letters {
                write_letters(&folder, &answer.letters)?;
                session.console.say(format!("Wrote {} letters to {}.", answer.letters.len(), folder.display()));
            }
            // A letter is for a folder, not for a screen.
            answer.letters.iter_mut().for_each(|letter| letter.content.clear());
            session.print(&answer)
        }
    }
}

/// The letters of a command line, read.
fn letters_of(letters: &[LetterArg], session: &mut Session<'_, '_>) -> Result<Vec<Letter>, Failure> {
    let read = |letter: &LetterArg| {
        let content = files::read(&letter.file, PACKAGE_BYTES_MAX, session.console)?;
        Ok(Letter { kind: letter.kind.clone(), media_type: letter.media_type().to_owned(), content })
    };
    letters.iter().map(read).collect()
}

/// Writes letters to files that did not exist, readable by their owner alone, without a name in their names.
fn write_letters(folder: &Path, letters: &[Letter]) -> Result<(), Failure> {
    for (number, letter) in (1..).zip(letters) {
        let ending = match letter.media_type.as_str() {
            "application/pdf" => "pdf",
            "image/jpeg" => "jpg",
            "image/png" => "png",
            _ => "txt",
        };
        let mut file = super::audit::new_file(&folder.join(format!("letter-{number}.{ending}")))?;
        file.write_all(&letter.content)?;
    }
    Ok(())
}

/// The offer of a file as JSON, resting on the consent given on the command line, if any.
pub(super) fn offer(file: &Path, consent: Option<&str>, session: &mut Session<'_, '_>) -> Result<String, Failure> {
    let mut draft = files::json_of::<HandoverDraft>(file, Content::Plain, session.console)?;
    if let (Some(consent), Some(fields)) = (consent, draft.as_object_mut()) {
        fields.insert("consent".to_owned(), Value::String(consent.to_owned()));
    }
    Ok(draft.to_string())
}

/// Says in which country the data will lie, before anything goes there.
async fn say_where(draft_json: &str, yes: bool, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let to = json::document(draft_json).and_then(|draft| draft.get("to")?.as_str()?.parse::<Society>().ok());
    let Some(to) = to else { return Ok(()) };
    let client = session.client.clone();
    let peers = client.call(client.peers().list_peers(ListPeersRequest {})).await?.peers;
    let held = peers.iter().any(|peer| peer.society == to.code() && peer.hold_at_origin);
    let console = &mut session.console;
    console.say(if held {
        format!("The data will stay here; nothing will be stored in {}, where it is read over the link.", to.country())
    } else {
        format!("After release the data will lie in {}, under the laws of that country.", to.country())
    });
    if !yes && console.terminals.stdin && !console.confirm("Offer it?", "Repeat it with --yes.")? {
        return Err(Failure::usage("not confirmed; nothing was offered", ""));
    }
    Ok(())
}

/// The package of a file as JSON. Personal data: no error shows any of it.
pub(super) fn package_of(file: &Path, session: &mut Session<'_, '_>) -> Result<String, Failure> {
    Ok(files::json_of::<Package>(file, Content::Personal, session.console)?.to_string())
}

impl Answer for OfferHandoverResponse {
    fn page(&self, page: &mut Page, _: Time) {
        match self.state.as_str() {
            "draft" => page.line("Written down; it waits for the approval of others, then to be sent."),
            "ready" => page.line("Written down; it waits to be sent."),
            _ => page.line(format!("Offered; after release the data will be in {}.", self.data_will_be_in)),
        }
        if self.held_at_origin {
            page.line("The package will stay here: it is read over the link, and the other Society stores nothing.");
        }
        page.pairs([
            ("id", self.id.clone()),
            ("code for the card", self.short_code.clone()),
            ("state", self.state.clone()),
            ("entry", self.entry_index.to_string()),
        ]);
    }
}

impl Answer for ApproveHandoverResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Approved, by entry {} of the journal; now {}.", self.entry_index, self.state));
        page.pairs([("still needs", self.missing.join("; "))]);
    }
}

impl Answer for SendHandoverResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Offered; after release the data will be in {}.", self.data_will_be_in));
        page.pairs([("state", self.state.clone()), ("entry", self.entry_index.to_string())]);
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
        if self.held_at_origin {
            page.line("The package stays here: it is read over the link, and the other Society stores nothing.");
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
            ("still needs approval of", view.approvals_missing.join("; ")),
            ("bound to group", view.group_reference.clone()),
            ("group of", if view.group_size > 1 { view.group_size.to_string() } else { String::new() }),
            ("offered", time::utc_with_age(view.offered_at.as_ref(), now)),
            ("due by", time::utc_with_age(view.due_by.as_ref(), now)),
            ("expires", time::utc_with_age(view.expires_at.as_ref(), now)),
            ("consent", consent),
            ("sections released", view.sections.join(", ")),
            ("package", where_it_lies(view)),
            ("entry", view.entry_index.to_string()),
        ]);
        if let Some(offer) = json::document(&view.offer_json).filter(|offer| !offer.is_null()) {
            page.heading("OFFER");
            page.outline(&offer);
        }
        page.heading("HISTORY");
        let row = |event: &HandoverEvent| {
            let (step, by, state, reason) = (&event.step, &event.by, &event.state, &event.reason);
            let why = [reason.as_str(), event.note.as_str()].join(" ").trim().to_owned();
            [time::utc(event.at.as_ref()), step.clone(), by.clone(), state.clone(), why]
        };
        page.table(["TIME", "STEP", "BY", "STATE", "REASON"], view.history.iter().map(row).collect(), "none");
    }
}

/// Where the package of a handover lies.
fn where_it_lies(view: &HandoverView) -> String {
    if view.held_at_origin {
        let country = |code: &str| code.parse::<Society>().map_or_else(|_| code.to_owned(), |one| one.country());
        return format!("held at origin, in {}: nothing is stored in {}", country(&view.from), country(&view.to));
    }
    if view.package_here { "in this node's vault".to_owned() } else { String::new() }
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
        page.pairs([
            ("letters", self.letters.iter().map(|letter| letter.kind.as_str()).collect::<Vec<_>>().join(", ")),
            ("withheld from your roles", self.withheld.join(", ")),
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_package_lies_is_said_by_country() {
        let (from, to) = ("GM".to_owned(), "ML".to_owned());
        let view = HandoverView { from, to, package_here: true, ..HandoverView::default() };
        assert_eq!(where_it_lies(&view), "in this node's vault");
        assert_eq!(where_it_lies(&HandoverView { package_here: false, ..view.clone() }), "");
        let held = HandoverView { held_at_origin: true, ..view };
        assert_eq!(where_it_lies(&held), "held at origin, in The Gambia: nothing is stored in Mali");
    }
}
