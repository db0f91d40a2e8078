//! The canonical bytes of what retention, holds, suspensions and reports write, frozen like those above.

use super::{Frozen, NOW, consent, handover, package, society};
use crate::{
    aggregate::{Aggregate, Band, Dimension, ReportId, ReportRow, ReportStep},
    entry::Body,
    ids::EntryIndex,
    retention::{HoldKind, HoldRow, KeepingRow, Rule, SuspensionRow},
};

#[test]
fn the_bytes_of_retention_are_frozen() {
    let mut frozen = Frozen::new("keeping", include_str!("../../fixtures/keeping.hex"));
    let id = ReportId::new(NOW, [4; 10]);
    let recipient = || "ministry.health".parse().expect("a code");
    let report = || Aggregate {
        by: Dimension::Service,
        from: NOW,
        until: NOW,
        cells: vec![("food".into(), Band::Few), ("shelter".into(), Band::Exactly(9))],
        shown_total: 9,
    };
    let bodies = [
        Body::Purged { rule: Rule::PackageReceived, subjects: vec![handover().into()], case: Some(package().case) },
        Body::Hold { subject: consent().id.into(), kind: HoldKind::BreachFreeze, lifted: true, reason: "over".into() },
        Body::Suspension { peer: society("ML"), suspended: true, reason: "seized".into() },
        Body::Reviewed { handover: handover() },
        Body::Report { id, step: ReportStep::Proposed(report()) },
        Body::Report { id, step: ReportStep::Approved },
        Body::Report { id, step: ReportStep::Given(recipient()) },
    ];
    bodies.iter().for_each(|body| frozen.holds(body));
    let (entry, at, reason) = (EntryIndex(7), NOW, "seized".to_owned());
    frozen.holds(&HoldRow { placed: entry, placed_at: at, reason: reason.clone(), lifted: Some((EntryIndex(9), at)) });
    frozen.holds(&SuspensionRow { entry, at, suspended: true, reason });
    let some = Some(NOW);
    let (delivered_at, failed_at, reviewed_at, purged_at, retention_until) = (some, some, None, some, some);
    frozen.holds(&KeepingRow { delivered_at, failed_at, reviewed_at, purged_at, retention_until });
    frozen.holds(&ReportRow {
        entry,
        report: report(),
        proposed_by: "awa".into(),
        approved_by: vec!["fatou".into()],
        given_to: vec![(recipient(), EntryIndex(8))],
    });
    frozen.ends("keeping");
}
