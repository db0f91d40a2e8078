//! No report says anything about fewer than five people, by a cell, a total, or another report.

use super::*;

fn time(text: &str) -> Time {
    text.parse().expect("a time")
}

fn report(counts: &[(&str, u64)]) -> Aggregate {
    let counts = counts.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect();
    let (from, until) = (time("2026-09-01T00:00:00Z"), time("2026-11-01T00:00:00Z"));
    Aggregate::of(Dimension::Service, from, until, time("2026-11-24T06:00:00Z"), &counts).expect("a report")
}

#[test]
fn small_cells_are_banded_and_the_total_does_not_give_them_away() {
    let made = report(&[("food", 4), ("pss", 5), ("rfl", 0), ("shelter", 12)]);
    let cells: Vec<_> = made.cells.iter().map(|(code, band)| format!("{code} {band}")).collect();
    assert_eq!(cells, ["food <5", "pss 5", "rfl <5", "shelter 12"]);
    for hidden in 0..5 {
        let other = report(&[("food", hidden), ("pss", 5), ("rfl", 4 - hidden), ("shelter", 12)]);
        assert_eq!(other, made, "what is hidden leaves no trace");
    }
}

#[test]
fn only_whole_months_that_have_passed_are_counted() {
    let now = time("2026-11-24T06:00:00Z");
    for (from, until, fits) in [
        ("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z", true),
        ("2026-10-02T00:00:00Z", "2026-11-01T00:00:00Z", false),
        ("2026-10-01T00:00:00Z", "2026-12-01T00:00:00Z", false),
        ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z", false),
        ("2026-10-01T00:00:00Z", "2026-11-01T00:00:01Z", false),
    ] {
        let made = Aggregate::of(Dimension::To, time(from), time(until), now, &BTreeMap::new());
        assert_eq!(made.is_ok(), fits, "{from} {until}");
    }
}

#[test]
fn a_cell_below_five_is_no_cell_whoever_made_it() {
    let mut forged = report(&[("food", 9)]);
    forged.cells.push(("pss".to_owned(), Band::Exactly(3)));
    assert_eq!(forged.check(time("2026-11-24T06:00:00Z")).map_err(|r| r.code), Err(Code::Malformed));
}
