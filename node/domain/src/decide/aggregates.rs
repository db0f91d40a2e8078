//! Aggregate reports: proposed by one person, approved by two others, then given out; each step is an entry.

use super::{Caller, Context, Decision, NewEntry, Reply, approvals};
use crate::{
    aggregate::{ReportId, ReportStep},
    catalogue::Role,
    entry::Body,
    limits::REPORT_APPROVALS,
    refusal::{Code, Refusal},
};

/// Takes one step of a report.
pub(super) fn report(
    context: &Context<'_>,
    caller: &Caller,
    id: ReportId,
    step: ReportStep,
) -> Result<Decision, Refusal> {
    caller.require(&[Role::Supervisor, Role::Dpo])?;
    let row = context.facts.report(id)?;
    let unknown = || Refusal::new(Code::UnknownReport, "this node has no such report");
    match &step {
        ReportStep::Proposed(report) => {
            report.check(context.now)?;
            if row.is_some() {
                return Err(Refusal::new(Code::DuplicateId, "a report with this id exists").at("id"));
            }
            if context.facts.reports()?.iter().any(|(_, other)| other.report.overlaps(report)) {
                let message = "another report covers some of these months";
                return Err(Refusal::new(Code::OverlappingReport, message).at("from"));
            }
        }
        ReportStep::Approved => {
            let row = row.ok_or_else(unknown)?;
            let name = approvals::person(caller)?;
            if name == row.proposed_by || row.approved_by.iter().any(|by| by == name) {
                return Err(Refusal::new(Code::OwnApproval, "another person has to approve it"));
            }
        }
        ReportStep::Given(_) => {
            if row.ok_or_else(unknown)?.approved_by.len() < REPORT_APPROVALS {
                let message = format!("a report is given out once {REPORT_APPROVALS} persons have approved it");
                return Err(Refusal::new(Code::NotApproved, message));
            }
        }
    }
    let entries = vec![NewEntry::bare(Body::Report { id, step })];
    Ok(Decision { entries, reply: Reply::Done { entry: context.next } })
}
