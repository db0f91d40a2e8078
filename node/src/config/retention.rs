//! The sections `[retention]` and `[[transfer_basis]]`: how long things are kept, and on what basis cases cross borders.

use std::{ops::RangeInclusive, time::Duration};

use passerelle_domain::{
    retention::{Periods, Transfer, TransferGround},
    society::Society,
};
use toml::de::DeTable;

use super::{
    Retention,
    reader::{Found, Reader, Section},
    value::{Day, Remark, Span},
};

/// Bases that one configuration may list: several for each pair that a node can have.
const TRANSFERS_MAX: usize = 1_000;
const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;

/// A span within `bounds` of seconds, or the default.
fn span(section: &mut Section<'_, '_>, key: &'static str, bounds: RangeInclusive<u64>, default: Duration) -> Duration {
    let Some(Found { value: Span(value), place }) = section.find::<Span>(key) else { return default };
    if bounds.contains(&value.as_secs()) {
        return value;
    }
    let remedy = format!("Write a span from {} to {}.", written(*bounds.start()), written(*bounds.end()));
    section.fault(place, format!("`retention.{key}` is out of bounds"), remedy);
    default
}

fn written(seconds: u64) -> String {
    match seconds {
        s if s >= YEAR && s.is_multiple_of(YEAR) => format!("{}y", s / YEAR),
        s if s >= DAY && s.is_multiple_of(DAY) => format!("{}d", s / DAY),
        s if s >= HOUR && s.is_multiple_of(HOUR) => format!("{}h", s / HOUR),
        s => format!("{}m", s / 60),
    }
}

/// The upper bounds are those beyond which keeping would need a reason of its own, the lower ones those below which
/// people could not do their work.
pub(super) fn retention(mut section: Section<'_, '_>) -> Retention {
    let default = Periods::default();
    let s = &mut section;
    let periods = Periods {
        offer_sent: span(s, "offer_sent", DAY..=90 * DAY, default.offer_sent),
        offer_received: span(s, "offer_received", HOUR..=14 * DAY, default.offer_received),
        package_received: span(s, "package_received", HOUR..=YEAR, default.package_received),
        package_sent: span(s, "package_sent", HOUR..=90 * DAY, default.package_sent),
        consent: span(s, "consent", YEAR..=20 * YEAR, default.consent),
        alert: span(s, "alert", 30 * DAY..=10 * YEAR, default.alert),
        dead_payload: span(s, "dead_payload", HOUR..=30 * DAY, default.dead_payload),
        evidence: span(s, "evidence", YEAR..=30 * YEAR, default.evidence),
        consent_evidence: span(s, "consent_evidence", HOUR..=YEAR, default.consent_evidence),
        request: span(s, "request", 30 * DAY..=6 * YEAR, default.request),
        warn_before: span(s, "warn_before", HOUR..=60 * DAY, default.warn_before),
    };
    let sweep_every = span(s, "sweep_every", 60..=DAY, Duration::from_secs(HOUR));
    section.refuse_unknown();
    Retention { periods, sweep_every }
}

/// The bases for transfers. Each has this node's own country at one of its ends.
pub(super) fn transfers<'a>(reader: &mut Reader<'a>, document: &'a DeTable<'a>, own: Option<Society>) -> Vec<Transfer> {
    let mut transfers = Vec::new();
    let tables = reader.tables(document, "transfer_basis");
    if let Some((_, place)) = tables.get(TRANSFERS_MAX) {
        let what = format!("there are more than {TRANSFERS_MAX} bases for transfers");
        reader.fault(place.clone(), what, "Remove those that have ended.");
    }
    for (table, place) in tables {
        let mut section = reader.entry("transfer_basis", table, place);
        for key in ["from", "to", "basis", "valid_from"] {
            if !section.has(key) {
                let remedy = "Write from, to, basis and valid_from below it; node.reference.toml shows one.";
                section.fault(section.place.clone(), format!("`{key}` of this basis is missing"), remedy);
            }
        }
        transfers.extend(transfer(&mut section, own));
        section.refuse_unknown();
    }
    transfers
}

fn transfer(section: &mut Section<'_, '_>, own: Option<Society>) -> Option<Transfer> {
    let from = section.find::<Society>("from");
    let to = section.find::<Society>("to");
    let ground = section.find::<TransferGround>("basis");
    let valid_from = section.find::<Day>("valid_from");
    let valid_until = section.find::<Day>("valid_until");
    let note = section.find::<Remark>("note").map(|found| found.value.0).unwrap_or_default();
    let (from, to, ground, valid_from) = (from?, to?.value, ground?.value, valid_from?.value.0);
    let Found { value: from, place } = from;
    if from == to || own.is_some_and(|own| from != own && to != own) {
        let what = format!("a transfer from {from} to {to} does not cross this node's border");
        section.fault(
            place,
            what,
            "Give `from` or `to` the code of this node's own country, and the other that of a peer.",
        );
        return None;
    }
    if let Some(Found { value: Day(until), place }) = &valid_until
        && *until <= valid_from
    {
        section.fault(
            place.clone(),
            "this basis ends before it begins",
            "Give `valid_until` a day after `valid_from`.",
        );
        return None;
    }
    Some(Transfer { from, to, ground, valid_from, valid_until: valid_until.map(|found| found.value.0), note })
}
