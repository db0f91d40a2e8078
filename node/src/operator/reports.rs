//! Aggregate reports, for the operators: counted, approved by two others, given out. No id of a case and no count below
//! five is in any answer.

use std::collections::BTreeMap;

use passerelle_domain::{
    aggregate::{Aggregate, Dimension, ReportId, ReportRow, ReportStep},
    catalogue::Role,
    consent::Tag,
    decide::{Caller, Command},
    facts::Facts as _,
    fold::Content,
    ids::HandoverId,
    refusal::{Code, Refusal},
    rows::HandoverRow,
    time::Time,
};
use passerelle_proto::{convert::timestamp, v1};

use super::{Operator, entry_and_content, errors::Refused, needed};
use crate::store::{
    Direction, keys,
    view::{View, decode, failed},
};

impl Operator {
    pub(super) async fn propose_report(
        &self,
        caller: Caller,
        message: v1::ProposeReportRequest,
    ) -> Result<v1::ProposeReportResponse, Refused> {
        caller.require(&[Role::Supervisor, Role::Dpo])?;
        let by: Dimension = needed("by", &message.by)?;
        let from = month("from_month", &message.from_month)?;
        let until = month_after("until_month", &message.until_month)?;
        let now = self.clock.now();
        let report = self
            .blocking(move |operator| {
                let counts = operator.count(by, from, until)?;
                Aggregate::of(by, from, until, now, &counts)
            })
            .await?;
        let id = ReportId::new(now, self.entropy.id());
        self.submit(Command::Report { caller, id, step: ReportStep::Proposed(report) }).await?;
        Ok(v1::ProposeReportResponse { report: Some(self.report_view(id)?) })
    }

    pub(super) async fn approve_report(
        &self,
        caller: Caller,
        message: v1::ApproveReportRequest,
    ) -> Result<v1::ApproveReportResponse, Refused> {
        let id = needed("id", &message.id)?;
        self.submit(Command::Report { caller, id, step: ReportStep::Approved }).await?;
        Ok(v1::ApproveReportResponse { report: Some(self.report_view(id)?) })
    }

    pub(super) async fn export_report(
        &self,
        caller: Caller,
        message: v1::ExportReportRequest,
    ) -> Result<v1::ExportReportResponse, Refused> {
        let id = needed("id", &message.id)?;
        let recipient: Tag = needed("recipient", &message.recipient)?;
        self.submit(Command::Report { caller, id, step: ReportStep::Given(recipient) }).await?;
        let view = self.report_view(id)?;
        // Codes of vocabularies and numbers: nothing in them needs quoting.
        let mut csv = format!("{},count\r\n", view.by);
        view.cells.iter().for_each(|cell| csv += &format!("{},{}\r\n", cell.code, cell.count));
        csv += &format!("total_of_shown_cells,{}\r\n", view.shown_total);
        Ok(v1::ExportReportResponse { report: Some(view), csv })
    }

    pub(super) fn reports(&self) -> Result<v1::ListReportsResponse, Refusal> {
        let reports = self.view().reports()?;
        Ok(v1::ListReportsResponse { reports: reports.into_iter().map(|(id, row)| shown(id, row)).collect() })
    }

    fn report_view(&self, id: ReportId) -> Result<v1::ReportView, Refusal> {
        let unknown = || Refusal::new(Code::UnknownReport, "this node has no such report").at("id");
        Ok(shown(id, self.view().report(id)?.ok_or_else(unknown)?))
    }

    /// Handovers that were offered in the period, by a dimension. One with several services counts once for each: what is
    /// counted are services, not persons.
    fn count(&self, by: Dimension, from: Time, until: Time) -> Result<BTreeMap<String, u64>, Refusal> {
        let view = self.view();
        let mut counts = BTreeMap::new();
        let (first, last) = (HandoverId::new(from, [0; 10]), HandoverId::new(until, [0; 10]));
        for pair in self.engine.store().scan(&keys::handover(first), &keys::handover(last), Direction::Forward) {
            let row: HandoverRow = decode(&pair.map_err(failed)?.1)?;
            for code in codes(&view, by, &row)? {
                *counts.entry(code).or_default() += 1;
            }
        }
        Ok(counts)
    }
}

fn codes(view: &View<'_>, by: Dimension, row: &HandoverRow) -> Result<Vec<String>, Refusal> {
    let offer = || -> Result<_, Refusal> {
        Ok(match entry_and_content(view, row.entry)? {
            Some((_, Some(Content::Offer(offer)))) => Some(offer),
            _ => None,
        })
    };
    Ok(match by {
        Dimension::From => vec![row.from.to_string()],
        Dimension::To => vec![row.to.to_string()],
        Dimension::State => vec![row.state.to_string()],
        Dimension::Kind => vec![row.kind.to_string()],
        Dimension::AgeBand => vec![offer()?.map_or_else(|| "purged".to_owned(), |offer| offer.age_band.to_string())],
        Dimension::Service if !row.accepted.is_empty() => row.accepted.iter().map(ToString::to_string).collect(),
        Dimension::Service => offer()?.map_or_else(
            || vec!["purged".to_owned()],
            |offer| offer.service_codes().map(|service| service.to_string()).collect(),
        ),
    })
}

fn shown(id: ReportId, row: ReportRow) -> v1::ReportView {
    let ReportRow { entry, report, proposed_by, approved_by, given_to } = row;
    let cell =
        |(code, band): (String, passerelle_domain::aggregate::Band)| v1::ReportCell { code, count: band.to_string() };
    v1::ReportView {
        id: id.to_string(),
        by: report.by.to_string(),
        from: Some(timestamp(report.from)),
        until: Some(timestamp(report.until)),
        cells: report.cells.into_iter().map(cell).collect(),
        shown_total: report.shown_total,
        proposed_by,
        approved_by,
        given_to: given_to.into_iter().map(|(recipient, _)| recipient.as_str().to_owned()).collect(),
        entry_index: entry.0,
    }
}

/// The beginning of a month that is written as 2026-09.
fn month(field: &str, text: &str) -> Result<Time, Refusal> {
    let wrong = || Refusal::new(Code::MalformedTime, "a month is written as 2026-09").at(field);
    if text.len() != 7 {
        return Err(wrong());
    }
    format!("{text}-01T00:00:00Z").parse().map_err(|_| wrong())
}

/// The beginning of the month after one that is written as 2026-09.
fn month_after(field: &str, text: &str) -> Result<Time, Refusal> {
    month(field, text)?;
    let wrong = || Refusal::new(Code::MalformedTime, "a month is written as 2026-09").at(field);
    let (year, month_number) = text.split_once('-').ok_or_else(wrong)?;
    let (year, number): (u32, u32) = (year.parse().map_err(|_| wrong())?, month_number.parse().map_err(|_| wrong())?);
    let (year, number) = if number == 12 { (year + 1, 1) } else { (year, number + 1) };
    month(field, &format!("{year:04}-{number:02}"))
}
