//! `passerelle retention`, `passerelle hold` and `passerelle report`, and the suspension of a peer.

use passerelle_domain::{society::Society, time::Time};
use passerelle_proto::v1::{
    ApproveReportRequest, ApproveReportResponse, ExportReportRequest, ExportReportResponse, GetRetentionRequest,
    GetRetentionResponse, HoldSubject, HoldView, LiftHoldRequest, LiftHoldResponse, ListHoldsRequest,
    ListHoldsResponse, ListReportsRequest, ListReportsResponse, PlaceHoldRequest, PlaceHoldResponse,
    ProposeReportRequest, ProposeReportResponse, PurgeSoon, ReportView, RetentionRule, ReviewPackageRequest,
    ReviewPackageResponse, RunRetentionRequest, RunRetentionResponse, SuspendPeerRequest, SuspendPeerResponse,
};

use super::Session;
use crate::{
    args::{HoldArgs, HoldCommand, ReportCommand, RetentionCommand},
    failure::{Exit, Failure},
    render::{Answer, page::Page, time},
};

pub(super) async fn run(command: RetentionCommand, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    match command {
        RetentionCommand::Status => {
            let answer = client.call(client.retention().get_retention(GetRetentionRequest {})).await?;
            session.print(&answer)
        }
        RetentionCommand::Run => {
            let answer = client.call(client.retention().run_retention(RunRetentionRequest {})).await?;
            session.print(&answer)
        }
        RetentionCommand::Review { id } => {
            let answer = client.call(client.retention().review_package(ReviewPackageRequest { id })).await?;
            session.print(&answer)
        }
    }
}

fn subject(args: HoldArgs) -> (Option<HoldSubject>, String, String) {
    let HoldArgs { subject, kind, reason } = args;
    let subject = HoldSubject {
        case_id: subject.case.unwrap_or_default(),
        handover_id: subject.handover.unwrap_or_default(),
        consent_id: subject.consent.unwrap_or_default(),
        alert_id: subject.alert.unwrap_or_default(),
    };
    (Some(subject), kind.as_str().to_owned(), reason)
}

pub(super) async fn hold(command: HoldCommand, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    match command {
        HoldCommand::Place(args) => {
            let (subject, kind, reason) = subject(args);
            let request = PlaceHoldRequest { subject, kind, reason };
            let answer = client.call(client.retention().place_hold(request)).await?;
            session.print(&answer)
        }
        HoldCommand::Lift(args) => {
            let (subject, kind, reason) = subject(args);
            let answer = client.call(client.retention().lift_hold(LiftHoldRequest { subject, kind, reason })).await?;
            session.print(&answer)
        }
        HoldCommand::List => {
            let answer = client.call(client.retention().list_holds(ListHoldsRequest {})).await?;
            session.print_list(&answer, "holds", false)
        }
    }
}

pub(super) async fn report(command: ReportCommand, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    match command {
        ReportCommand::Aggregate { by, from, until } => {
            let request = ProposeReportRequest { by, from_month: from, until_month: until };
            let answer = client.call(client.retention().propose_report(request)).await?;
            session.print(&answer)
        }
        ReportCommand::Approve { id } => {
            let answer = client.call(client.retention().approve_report(ApproveReportRequest { id })).await?;
            session.print(&answer)
        }
        ReportCommand::Export { id, recipient } => {
            let request = ExportReportRequest { id, recipient };
            let answer = client.call(client.retention().export_report(request)).await?;
            session.print(&answer)
        }
        ReportCommand::List => {
            let answer = client.call(client.retention().list_reports(ListReportsRequest {})).await?;
            session.print_list(&answer, "reports", false)
        }
    }
}

/// Suspends the exchange of cases with a peer, or resumes it.
pub(super) async fn suspend(
    society: Society,
    suspended: bool,
    reason: String,
    session: &mut Session<'_, '_>,
) -> Result<Exit, Failure> {
    let client = session.client.clone();
    let request = SuspendPeerRequest { society: society.code().to_owned(), suspended, reason };
    let answer = client.call(client.retention().suspend_peer(request)).await?;
    session.print(&answer)
}

impl Answer for GetRetentionResponse {
    fn page(&self, page: &mut Page, now: Time) {
        if self.clock_in_doubt {
            page.line("ALARM: the clocks are an hour apart or more; nothing is purged until one is set");
        }
        page.pairs([("last sweep", time::utc_with_age(self.swept_at.as_ref(), now))]);
        page.heading("RULES");
        let row = |rule: &RetentionRule| {
            let (days, hours) = (rule.keep_seconds / 86_400, rule.keep_seconds / 3_600);
            let keep = if days > 1 { format!("{days} d") } else { format!("{hours} h") };
            [rule.rule.clone(), keep, rule.purged.to_string()]
        };
        page.table(["RULE", "KEEP", "PURGED"], self.rules.iter().map(row).collect(), "no rules");
        page.heading(&format!("PURGED SOON: {}", self.soon_total));
        let row = |soon: &PurgeSoon| {
            let held = if soon.held { "held" } else { "" }.to_owned();
            [time::utc(soon.at.as_ref()), soon.rule.clone(), soon.kind.clone(), soon.id.clone(), held]
        };
        page.table(["AT", "RULE", "WHAT", "ID", "HOLD"], self.soon.iter().map(row).collect(), "nothing");
    }
}

impl Answer for RunRetentionResponse {
    fn page(&self, page: &mut Page, _: Time) {
        if self.clock_in_doubt {
            page.line("Nothing was purged: the clocks are an hour apart or more; set the one that is wrong.");
        }
        page.line(format!("Purged {}; {} are due and held.", self.purged, self.held));
    }
}

impl Answer for ReviewPackageResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Reviewed, by entry {} of the journal; kept for one more period.", self.entry_index));
    }
}

impl Answer for PlaceHoldResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Held, by entry {} of the journal.", self.entry_index));
    }
}

impl Answer for LiftHoldResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Lifted, by entry {} of the journal.", self.entry_index));
    }
}

impl Answer for ListHoldsResponse {
    fn page(&self, page: &mut Page, _: Time) {
        let row = |hold: &HoldView| {
            let lifted = hold.lifted_at.as_ref().map_or_else(|| "in force".to_owned(), |at| time::utc(Some(at)));
            [hold.subject.clone(), hold.kind.clone(), time::utc(hold.placed_at.as_ref()), lifted, hold.reason.clone()]
        };
        page.table(["OVER", "KIND", "PLACED", "LIFTED", "REASON"], self.holds.iter().map(row).collect(), "no holds");
    }
}

impl Answer for SuspendPeerResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Done, by entry {} of the journal; alerts still flow.", self.entry_index));
    }
}

fn report_page(report: Option<&ReportView>, page: &mut Page) {
    let Some(view) = report else { return };
    page.pairs([
        ("id", view.id.clone()),
        ("by", view.by.clone()),
        ("from", time::utc(view.from.as_ref())),
        ("until", time::utc(view.until.as_ref())),
        ("proposed by", view.proposed_by.clone()),
        ("approved by", view.approved_by.join(", ")),
        ("given to", view.given_to.join(", ")),
    ]);
    page.line("");
    let rows = view.cells.iter().map(|cell| [cell.code.clone(), cell.count.clone()]);
    let total = ["total of the cells shown".to_owned(), view.shown_total.to_string()];
    page.table(["CODE", "HANDOVERS"], rows.chain([total]).collect(), "nothing");
}

impl Answer for ProposeReportResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line("Proposed; two other persons have to approve it.");
        report_page(self.report.as_ref(), page);
    }
}

impl Answer for ApproveReportResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line("Approved.");
        report_page(self.report.as_ref(), page);
    }
}

impl Answer for ExportReportResponse {
    fn page(&self, page: &mut Page, _: Time) {
        self.csv.lines().for_each(|line| page.line(line));
    }
}

impl Answer for ListReportsResponse {
    fn page(&self, page: &mut Page, _: Time) {
        let row = |view: &ReportView| {
            let (from, until) = (time::utc(view.from.as_ref()), time::utc(view.until.as_ref()));
            [view.id.clone(), view.by.clone(), from, until, view.approved_by.len().to_string(), view.given_to.join(" ")]
        };
        let header = ["ID", "BY", "FROM", "UNTIL", "APPROVALS", "GIVEN TO"];
        page.table(header, self.reports.iter().map(row).collect(), "no reports");
    }
}
