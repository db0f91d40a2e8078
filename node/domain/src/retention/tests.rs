//! The table of retention, row by row.

use std::time::Duration;

use super::*;
use crate::{
    catalogue::HandoverKind,
    consent::{ConsentRef, sample as consent_sample},
    digest::Digest,
    entry::PackageRef,
    handover::{Action, State},
    ids::{CaseId, ConsentId, EntryIndex},
    rows::{HandoverEvent, HandoverRow},
    society::Society,
    time::Time,
};

const NOW: Time = consent_sample::NOW;

fn society(code: &str) -> Society {
    consent_sample::society(code)
}

fn after(days: u64) -> Time {
    NOW.plus(Duration::from_secs(days * DAY))
}

/// A handover from Senegal to Mali whose last step led to `state` at `NOW`.
fn row(state: State, steps: &[Action], package: bool) -> HandoverRow {
    let event = |action: &Action| HandoverEvent {
        at: NOW,
        action: *action,
        by: society("ML"),
        state,
        reason: None,
        entry: EntryIndex(1),
    };
    let case = CaseId::new(NOW, [1; 10]);
    HandoverRow {
        entry: EntryIndex(0),
        from: society("SN"),
        to: society("ML"),
        kind: HandoverKind::ALL[0],
        state,
        case: Some(case),
        consent: ConsentRef { id: ConsentId::new(NOW, [2; 10]), version: 1, hash: Digest::default() },
        accepted: Vec::new(),
        team: None,
        expires_at: after(3),
        release_on_acceptance: false,
        package: package.then_some(PackageRef { case, commitment: Digest::default() }),
        sections: Vec::new(),
        history: steps.iter().map(event).collect(),
        frozen: false,
        held_at_origin: None,
        earlier: Vec::new(),
    }
}

#[test]
fn each_end_purges_what_its_rule_says_when_it_says() {
    use Action as A;
    const OFFERED: &[Action] = &[A::Send];
    const REJECTED: &[Action] = &[A::Send, A::Deliver, A::Reject];
    const RELEASED: &[Action] = &[A::Send, A::Deliver, A::Accept, A::Release];
    let none = KeepingRow::default();
    let delivered = KeepingRow { delivered_at: Some(after(2)), ..none.clone() };
    let failed = KeepingRow { failed_at: Some(after(2)), ..none.clone() };
    let purged = KeepingRow { purged_at: Some(after(9)), ..delivered.clone() };
    let reviewed = KeepingRow { reviewed_at: Some(after(80)), ..none.clone() };
    let until = KeepingRow { retention_until: Some(after(10)), ..none.clone() };
    type Case<'a> = (&'a str, State, &'a [Action], bool, &'a KeepingRow, Option<(Rule, u64)>);
    let cases: [Case<'_>; 17] = [
        ("SN", State::Rejected, REJECTED, true, &none, Some((Rule::OfferSent, 14))),
        ("ML", State::Rejected, REJECTED, false, &none, Some((Rule::OfferReceived, 1))),
        ("SN", State::Offered, OFFERED, true, &none, Some((Rule::OfferSent, 17))),
        ("ML", State::Delivered, OFFERED, false, &none, Some((Rule::OfferReceived, 4))),
        ("SN", State::Accepted, &RELEASED[..3], true, &none, None),
        ("SN", State::Cancelled, &RELEASED[..3], true, &none, Some((Rule::DeadPayload, 30))),
        ("SN", State::Disclosed, RELEASED, true, &none, None),
        ("SN", State::Disclosed, RELEASED, true, &delivered, Some((Rule::PackageSent, 9))),
        ("SN", State::Disclosed, RELEASED, true, &failed, Some((Rule::DeadPayload, 32))),
        ("SN", State::InService, RELEASED, true, &none, Some((Rule::PackageSent, 7))),
        ("SN", State::Completed, RELEASED, false, &purged, None),
        ("ML", State::InService, RELEASED, true, &none, None),
        ("ML", State::InService, RELEASED, true, &until, Some((Rule::PackageReceived, 10))),
        ("ML", State::Completed, RELEASED, true, &none, Some((Rule::PackageReceived, 90))),
        ("ML", State::Completed, RELEASED, true, &reviewed, Some((Rule::PackageReceived, 170))),
        ("ML", State::Revoked, RELEASED, true, &none, Some((Rule::PackageReceived, 0))),
        ("ML", State::NotArrived, RELEASED, true, &none, Some((Rule::DeadPayload, 30))),
    ];
    for (own, state, steps, package, keeping, expected) in cases {
        let due = handover_due(&row(state, steps, package), keeping, society(own), &Periods::default());
        let expected = expected.map(|(rule, days)| Due { rule, at: after(days) });
        assert_eq!(due, expected, "{own} {state} {keeping:?}");
    }
    for state in [State::Withdrawn, State::Erased] {
        assert_eq!(handover_due(&row(state, RELEASED, true), &none, society("ML"), &Periods::default()), None);
    }
}

#[test]
fn a_consent_record_is_kept_five_years_beyond_its_validity() {
    let record = consent_sample::record();
    let due = consent_due(&record, &Periods::default());
    assert_eq!(due.rule, Rule::Consent);
    assert!(due.at >= record.valid_until.plus(Duration::from_secs(5 * 365 * DAY)));
}

#[test]
fn a_transfer_needs_a_basis_for_its_pair_and_its_day() {
    let basis = Transfer {
        from: society("SN"),
        to: society("ML"),
        ground: TransferGround::Agreement,
        valid_from: NOW,
        valid_until: Some(after(10)),
        note: String::new(),
    };
    for (from, to, at, holds) in [
        ("SN", "ML", NOW, true),
        ("SN", "ML", after(9), true),
        ("SN", "ML", after(10), false),
        ("SN", "ML", NOW.minus(Duration::from_secs(1)), false),
        ("ML", "SN", NOW, false),
        ("SN", "GM", NOW, false),
    ] {
        assert_eq!(basis.holds(society(from), society(to), at), holds, "{from} {to} {at}");
    }
}
