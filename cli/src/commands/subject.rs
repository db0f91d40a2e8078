//! `passerelle subject`, `passerelle case` and `passerelle breach`.

use std::path::Path;

use passerelle_domain::{limits::FREE_TEXT_CHARS_MAX, time::Time};
use passerelle_proto::{
    convert::timestamp,
    v1::{
        AnswerSubjectRequestRequest, AnswerSubjectRequestResponse, AskRightRequest, AskRightResponse, Disclosure,
        ExposedPackage, GetBlastRadiusRequest, GetBlastRadiusResponse, GetSubjectRequestRequest,
        GetSubjectRequestResponse, ListDisclosuresRequest, ListDisclosuresResponse, ListSubjectRequestsRequest,
        ListSubjectRequestsResponse, RecordBreachRequest, RecordBreachResponse, RequestHolder, SubjectRequestView,
    },
};

use super::{Session, handover::package_of};
use crate::{
    args::{AskArgs, BreachArgs, BreachCommand, CaseCommand, SubjectCommand},
    console::Console,
    failure::{Exit, Failure},
    files,
    render::{Answer, json, page::Page, time},
};

/// Bytes of what a person says: the longest text in the widest letters, and the end of its line.
const SAID_BYTES_MAX: usize = 4 * FREE_TEXT_CHARS_MAX + 2;

/// What the person says: from a file, from standard input, or typed; never from the command line, which others see.
pub(super) fn said(file: Option<&Path>, question: &str, console: &mut Console<'_>) -> Result<String, Failure> {
    let Some(path) = file else { return console.ask(question, "Give it with --answer-file FILE, or - for a pipe.") };
    let bytes = files::read(path, SAID_BYTES_MAX, console)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("{} is not UTF-8", files::name_of(path)), "Write it as UTF-8 text."))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

pub(super) async fn run(command: SubjectCommand, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    let mut correction_json = String::new();
    let (right, ask, topic, sections) = match command {
        SubjectCommand::Access(ask) => ("access", ask, None, Vec::new()),
        SubjectCommand::Rectify { ask, sections, file } => {
            if let Some(file) = file {
                correction_json = package_of(&file, session)?;
            }
            ("rectification", ask, None, sections)
        }
        SubjectCommand::Erase(ask) => ("erasure", ask, None, Vec::new()),
        SubjectCommand::Object(ask) => ("objection", ask, None, Vec::new()),
        SubjectCommand::Restrict(ask) => ("restriction", ask, None, Vec::new()),
        SubjectCommand::Complain { ask, about } => ("complaint", ask, Some(about), Vec::new()),
        SubjectCommand::List { open } => {
            let request = ListSubjectRequestsRequest { open_only: open };
            let answer = client.call(client.subjects().list_subject_requests(request)).await?;
            return session.print_list(&answer, "requests", false);
        }
        SubjectCommand::Show { id } => {
            let answer = client.call(client.subjects().get_subject_request(GetSubjectRequestRequest { id })).await?;
            return session.print(&answer);
        }
        SubjectCommand::Answer { id, outcome, reason } => {
            let request = AnswerSubjectRequestRequest { id, outcome, reason: reason.unwrap_or_default() };
            let answer = client.call(client.subjects().answer_subject_request(request)).await?;
            return session.print(&answer);
        }
    };
    let AskArgs { code, society, answer_file, via, note, id } = ask;
    let answer = said(answer_file.as_deref(), "What does the person answer?", session.console)?;
    let request = AskRightRequest {
        id: id.unwrap_or_default(),
        right: right.to_owned(),
        via,
        society: society.map(|society| society.to_string()).unwrap_or_default(),
        code,
        answer,
        topic: topic.unwrap_or_default(),
        sections,
        note: note.unwrap_or_default(),
        correction_json,
    };
    let answer = client.call(client.subjects().ask_right(request)).await?;
    session.print(&answer)
}

pub(super) async fn case(command: CaseCommand, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let CaseCommand::Disclosures { id } = command;
    let client = session.client.clone();
    let answer = client.call(client.subjects().list_disclosures(ListDisclosuresRequest { id })).await?;
    session.print_list(&answer, "disclosures", false)
}

pub(super) async fn breach(command: BreachCommand, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    match command {
        BreachCommand::BlastRadius { node, from, until } => {
            let (from, until) = (from.map(timestamp), until.map(timestamp));
            let request = GetBlastRadiusRequest { society: node.to_string(), from, until };
            let answer = client.call(client.subjects().get_blast_radius(request)).await?;
            session.print_list(&answer, "packages", false)
        }
        BreachCommand::Record(args) => {
            let answer = client.call(client.subjects().record_breach(record(args))).await?;
            session.print(&answer)
        }
    }
}

fn record(args: BreachArgs) -> RecordBreachRequest {
    RecordBreachRequest {
        society: args.node.to_string(),
        detected_at: Some(timestamp(args.detected)),
        contained_at: args.contained.map(timestamp),
        categories: args.categories,
        subjects: args.subjects,
        peers_told: args.peers_told.iter().map(ToString::to_string).collect(),
        authority_told_at: args.authority_told.map(timestamp),
        subjects_told_at: args.subjects_told.map(timestamp),
    }
}

impl Answer for AskRightResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Taken as {}, by entry {} of the journal.", self.id, self.entry_index));
        let whose = if self.checked {
            "The answer was right; the request goes to every holder."
        } else {
            "The Society of the card checks the answer, and brings the request to every holder."
        };
        page.line(whose);
        page.line(format!("It is due by {}: passerelle subject show {}", time::utc(self.due.as_ref()), self.id));
    }
}

fn state_of(request: &SubjectRequestView) -> String {
    if request.late { format!("{} LATE", request.state) } else { request.state.clone() }
}

impl Answer for ListSubjectRequestsResponse {
    fn page(&self, page: &mut Page, _: Time) {
        let row = |one: &SubjectRequestView| {
            let answered = one.holders.iter().filter(|holder| holder.answered_at.is_some()).count();
            let holders = format!("{answered}/{}", one.holders.len());
            let due = time::utc(one.due.as_ref());
            [one.id.clone(), one.right.clone(), one.society.clone(), due, state_of(one), holders]
        };
        let header = ["ID", "RIGHT", "CARD OF", "DUE", "STATE", "ANSWERED"];
        page.table(header, self.requests.iter().map(row).collect(), "no requests");
    }
}

impl Answer for GetSubjectRequestResponse {
    fn page(&self, page: &mut Page, now: Time) {
        let Some(request) = &self.request else { return };
        page.pairs([
            ("id", request.id.clone()),
            ("right", request.right.clone()),
            ("about", request.topic.clone()),
            ("sections", request.sections.join(", ")),
            ("card", format!("{} {}", request.society, request.code)),
            ("taken by", format!("{}, from the {}", request.taken_by, request.via)),
            ("received", time::utc_with_age(request.received_at.as_ref(), now)),
            ("due", time::utc(request.due.as_ref())),
            ("state", state_of(request)),
            ("note", request.note.clone()),
            ("put right here", if request.corrected { "yes".to_owned() } else { String::new() }),
        ]);
        if let Some(correction) = json::document(&request.correction_json) {
            page.heading("TO BE PUT RIGHT");
            page.outline(&correction);
        }
        page.heading("HOLDERS");
        let row = |holder: &RequestHolder| {
            let state = match holder.reason.as_str() {
                "" => holder.state.clone(),
                reason => format!("{}: {reason}", holder.state),
            };
            let at = time::utc(holder.answered_at.as_ref());
            [holder.society.clone(), holder.handover_id.clone(), state, at]
        };
        let rows = request.holders.iter().map(row).collect();
        page.table(["SOCIETY", "HANDOVER", "STATE", "ANSWERED"], rows, "nobody has answered yet");
        for holder in &request.holders {
            let Some(held) = &holder.held else { continue };
            page.heading(&format!("HELD BY {}", holder.society));
            page.pairs([
                ("sections", held.sections.join(", ")),
                ("since", time::utc(held.since.as_ref())),
                ("passed on to", held.onward.join(", ")),
            ]);
            let reads = held.reads.iter();
            let row = |read: &passerelle_proto::v1::ReadingView| {
                [time::utc(read.at.as_ref()), read.purpose.clone(), read.sections.join(", ")]
            };
            page.table(["READ", "FOR", "SECTIONS"], reads.map(row).collect(), "read by nobody");
        }
    }
}

impl Answer for AnswerSubjectRequestResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Answered, by entry {} of the journal.", self.entry_index));
    }
}

impl Answer for ListDisclosuresResponse {
    fn page(&self, page: &mut Page, _: Time) {
        let row = |one: &Disclosure| {
            let at = time::utc(one.at.as_ref());
            [
                at,
                one.event.clone(),
                one.who.clone(),
                one.sections.join(", "),
                one.basis.clone(),
                one.entry_index.to_string(),
            ]
        };
        let header = ["AT", "EVENT", "WHO", "SECTIONS", "BASIS", "ENTRY"];
        page.table(header, self.disclosures.iter().map(row).collect(), "nothing was disclosed");
    }
}

impl Answer for GetBlastRadiusResponse {
    fn page(&self, page: &mut Page, _: Time) {
        let row = |one: &ExposedPackage| {
            let gone = one.gone_at.as_ref().map_or_else(|| "still there".to_owned(), |at| time::utc(Some(at)));
            let contact = match one.contact_rules.as_slice() {
                [] => one.contact.clone(),
                rules => format!("{} {}", one.contact, rules.join(" ")),
            };
            [one.handover_id.clone(), one.sections.join(", "), time::utc(one.since.as_ref()), gone, contact]
        };
        let header = ["HANDOVER", "SECTIONS", "SINCE", "GONE", "CONTACT"];
        page.table(header, self.packages.iter().map(row).collect(), "no package lay there");
        page.line(format!("{} cases. Look at CONTACT before anybody calls a person.", self.cases));
    }
}

impl Answer for RecordBreachResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Written down, by entry {} of the journal.", self.entry_index));
    }
}
