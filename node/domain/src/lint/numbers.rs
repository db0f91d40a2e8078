//! What is recognised by its digits: phone numbers and other long numbers, told apart from times, dates,
//! coordinates, ranges and amounts. Reads the simplified text of `lint.rs`.

use std::ops::Range;

use super::{
    Finding,
    tokens::{BLANK, contains_word, is_word},
};

/// Digits in one run from which it counts as a phone or document number: Mali, Mauritania, Burkina Faso,
/// Niger and Chad dial eight. The seven of The Gambia, Guinea-Bissau and Cape Verde are known by their shape.
const LONG: usize = 8;
/// Characters between two groups of digits of one run.
const GAP_MAX: usize = 3;
/// How far before a number a word such as "tel" announces it, in characters.
const ANNOUNCED_REACH: usize = 20;

const PHONE_WORDS: [&str; 12] =
    ["tel", "tél", "phone", "whatsapp", "gsm", "call", "appelez", "appeler", "هاتف", "واتساب", "اتصل", "ligue"];

const UNITS: [&str; 20] = [
    "fcfa",
    "cfa",
    "xof",
    "xaf",
    "franc",
    "f ",
    "mru",
    "gmd",
    "dalasi",
    "cve",
    "escudo",
    "gnf",
    "eur",
    "€",
    "$",
    "usd",
    "dollar",
    "km",
    "litre",
    "أوقية",
];

/// Words whose number is a road, a P-code or an airline's flight, and not the start of something longer.
const PREFIXES: [&str; 17] =
    ["n", "rn", "rr", "r", "a", "d", "pk", "bf", "cv", "gm", "gn", "gw", "ml", "mr", "ne", "sn", "td"];

/// Groups of digits with short gaps between them.
struct Run {
    /// Where each group stands.
    groups: Vec<Range<usize>>,
    plus: bool,
}

/// A phone number, or any number of eight digits or more that is nothing else.
pub(super) fn phone_or_long_number(text: &[char]) -> Option<Finding> {
    let text = without_times(text);
    let runs = runs(&text);
    runs.iter().enumerate().find_map(|(at, run)| {
        let beside =
            |other: Option<&Run>| other.is_some_and(|other| is_near(run, other) && is_lone_decimal(&text, other));
        let paired = beside(at.checked_sub(1).and_then(|i| runs.get(i))) || beside(runs.get(at + 1));
        judge(&text, run, paired)
    })
}

fn judge(text: &[char], run: &Run, paired: bool) -> Option<Finding> {
    let total: usize = run.groups.iter().map(ExactSizeIterator::len).sum();
    if run.plus && total >= 7 {
        return Some(Finding::Phone);
    }
    if is_amount(text, run) || is_range(text, run) {
        return None;
    }
    let start = run.groups.first()?.start;
    let before = &text[start.saturating_sub(ANNOUNCED_REACH)..start];
    let announced = contains_word(before, &PHONE_WORDS);
    remaining(text, run, paired).into_iter().find_map(|groups| {
        let digits: usize = groups.iter().map(ExactSizeIterator::len).sum();
        match groups.as_slice() {
            [_] if digits >= LONG => Some(Finding::LongNumber),
            _ if digits >= LONG || (announced && digits >= 6) => Some(Finding::Phone),
            [one] if digits == 7 && !is_other_seven(text, one) => Some(Finding::LongNumber),
            [three, four] if three.len() == 3 && four.len() == 4 => Some(Finding::Phone),
            _ => None,
        }
    })
}

/// Seven digits in one that are a round count, a ship's IMO number, or degrees with minutes and seconds.
fn is_other_seven(text: &[char], group: &Range<usize>) -> bool {
    text[group.clone()].ends_with(&['0', '0', '0'])
        || contains_word(&text[group.start.saturating_sub(5)..group.start], &["imo"])
        || text.get(group.end).is_some_and(|c| matches!(c, 'n' | 's' | 'e' | 'w' | 'o'))
}

/// The groups of a run that are left when dates, years and coordinates are taken out, in stretches.
fn remaining(text: &[char], run: &Run, paired: bool) -> Vec<Vec<Range<usize>>> {
    let groups = &run.groups;
    let mut stretches = vec![Vec::new()];
    let mut at = 0;
    while at < groups.len() {
        let skip = if is_date(text, &groups[at..]) {
            3
        } else if let Some(decimals) = coordinates(text, groups, at, paired) {
            decimals
        } else if is_compact_date(&text[groups[at].clone()]) {
            1
        } else {
            0
        };
        if skip == 0 {
            if let Some(stretch) = stretches.last_mut() {
                stretch.push(groups[at].clone());
            }
            at += 1;
        } else {
            stretches.push(Vec::new());
            at += skip;
        }
    }
    stretches
}

/// Three groups as day, month and a year of four digits, in either order, with one separator.
fn is_date(text: &[char], groups: &[Range<usize>]) -> bool {
    let [a, b, c, ..] = groups else { return false };
    let (first, second) = (&text[a.end..b.start], &text[b.end..c.start]);
    if first != second || first.len() != 1 {
        return false;
    }
    let (a_value, b_value, c_value) = (value(text, a), value(text, b), value(text, c));
    let short = |group: &Range<usize>| group.len() <= 2;
    (a.len() == 4 && short(b) && short(c) && is_day(a_value, b_value, c_value))
        || (short(a) && short(b) && c.len() == 4 && is_day(c_value, b_value, a_value))
}

/// Eight digits as `YYYYMMDD`, of the years in which these alerts are written.
pub(super) fn is_compact_date(digits: &[char]) -> bool {
    let part = |range: Range<usize>| value(digits, &range);
    digits.len() == 8 && digits.iter().all(char::is_ascii_digit) && is_day(part(0..4), part(4..6), part(6..8))
}

fn is_day(year: u64, month: u64, day: u64) -> bool {
    is_year(year) && (1..=12).contains(&month) && (1..=31).contains(&day)
}

fn is_year(year: u64) -> bool {
    (2000..2050).contains(&year)
}

/// How many groups at `at` are degrees with a decimal fraction: four for a pair, two for a single one.
fn coordinates(text: &[char], groups: &[Range<usize>], at: usize, paired: bool) -> Option<usize> {
    let first = decimal(text, groups, at)?;
    if let Some(second) = decimal(text, groups, at + 2) {
        let between: String = text[groups[at + 1].end..groups[at + 2].start].iter().collect();
        let signed = matches!(between.as_str(), "," | ",-" | " -");
        if signed || (first >= 3 && second >= 3) {
            return Some(4);
        }
    }
    (first >= 4 && (first != 7 || paired)).then_some(2)
}

/// The length of the fraction where the groups at `at` read as degrees, such as `17.0362`.
fn decimal(text: &[char], groups: &[Range<usize>], at: usize) -> Option<usize> {
    let (whole, fraction) = (groups.get(at)?, groups.get(at + 1)?);
    let dot = |from: usize, to: usize| text[from..to] == ['.'];
    let alone_before = at == 0 || !dot(groups[at - 1].end, whole.start);
    let alone_after = groups.get(at + 2).is_none_or(|next| !dot(fraction.end, next.start));
    let degrees = whole.len() <= 3 && value(text, whole) <= 180;
    (dot(whole.end, fraction.start) && alone_before && alone_after && degrees).then_some(fraction.len())
}

fn is_lone_decimal(text: &[char], run: &Run) -> bool {
    run.groups.len() == 2 && decimal(text, &run.groups, 0).is_some_and(|fraction| fraction >= 4)
}

fn is_near(a: &Run, b: &Run) -> bool {
    let ends = |run: &Run| Some((run.groups.first()?.start, run.groups.last()?.end));
    match (ends(a), ends(b)) {
        (Some(a), Some(b)) => b.0.saturating_sub(a.1).max(a.0.saturating_sub(b.1)) <= 5,
        _ => false,
    }
}

/// Thousands in groups of three with a unit behind, such as `25 000 000 fcfa`.
fn is_amount(text: &[char], run: &Run) -> bool {
    let Some(last) = run.groups.last() else { return false };
    let grouped = run.groups.len() == 1 || run.groups[1..].iter().all(|group| group.len() == 3);
    let after = &text[last.end..text.len().min(last.end + 8)];
    let word: String = after.iter().skip_while(|c| **c == ' ').chain(&[' ']).collect();
    grouped && UNITS.iter().any(|unit| word.starts_with(unit))
}

/// Two round counts, or two years, with a dash between them.
fn is_range(text: &[char], run: &Run) -> bool {
    let [from, to] = run.groups.as_slice() else { return false };
    let dash = text[from.end..to.start].iter().filter(|c| **c == '-').count() == 1;
    let (low, high) = (value(text, from), value(text, to));
    let round = low % 10 == 0 && high % 10 == 0 && from.len() <= 4 && to.len() <= 4;
    dash && low < high && (round || (is_year(low) && is_year(high)))
}

/// The value of a group; groups too long to be counted are as large as can be.
fn value(text: &[char], group: &Range<usize>) -> u64 {
    text[group.clone()]
        .iter()
        .filter_map(|c| c.to_digit(10))
        .fold(0, |value: u64, digit| value.saturating_mul(10).saturating_add(u64::from(digit)))
}

fn runs(text: &[char]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for group in groups(text) {
        let joins =
            runs.last().and_then(|run| run.groups.last()).is_some_and(|last| is_gap(&text[last.end..group.start]));
        match runs.last_mut() {
            Some(run) if joins => run.groups.push(group),
            _ => {
                let start = group.start;
                let plus = text[start.saturating_sub(2)..start].contains(&'+');
                runs.push(Run { groups: vec![group], plus });
            }
        }
    }
    runs
}

/// The groups of digits, without those that belong to a road, a P-code or a flight.
fn groups(text: &[char]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let length = text[at..].iter().take_while(|c| c.is_ascii_digit()).count();
        if length > 0 && !(length <= 6 && has_prefix(text, at)) {
            found.push(at..at + length);
        }
        at += length.max(1);
    }
    found
}

fn has_prefix(text: &[char], at: usize) -> bool {
    // One letter more than the longest prefix is enough to tell, however long the word is.
    let letters = text[..at].iter().rev().take(3).take_while(|c| is_word(**c)).count();
    let prefix: String = text[at - letters..at].iter().collect();
    PREFIXES.contains(&prefix.as_str())
}

fn is_gap(between: &[char]) -> bool {
    match between {
        [','] | [',', '-'] => true,
        _ => between.len() <= GAP_MAX && between.iter().all(|c| matches!(c, ' ' | '-' | '.' | '(' | ')')),
    }
}

/// The text with times of day blanked: `06:30`, `06h30`, `6:30:15`, and `0630z` or `0630 utc`.
fn without_times(text: &[char]) -> Vec<char> {
    let mut out = text.to_vec();
    let mut at = 0;
    while at < text.len() {
        let length = text[at..].iter().take_while(|c| c.is_ascii_digit()).count();
        let end = at + length;
        let blank_to = match length {
            1 | 2 => clock(text, at, end),
            4 => zulu(text, at, end),
            _ => None,
        };
        if let Some(to) = blank_to {
            out[at..to].fill(BLANK);
        }
        at = blank_to.unwrap_or(at + length.max(1));
    }
    out
}

/// The end of `hh:mm`, `hh:mm:ss` or `hhhmm` that starts at `at`.
fn clock(text: &[char], at: usize, end: usize) -> Option<usize> {
    let sixty = |from: usize| {
        let digits = text.get(from..from + 2)?;
        let next = text.get(from + 2).is_some_and(char::is_ascii_digit);
        (digits.iter().all(char::is_ascii_digit) && !next && value(digits, &(0..2)) < 60).then_some(from + 2)
    };
    if !matches!(text.get(end), Some(':' | 'h')) || value(text, &(at..end)) > 24 {
        return None;
    }
    let minutes = sixty(end + 1)?;
    if text.get(minutes) == Some(&':') { sixty(minutes + 1).or(Some(minutes)) } else { Some(minutes) }
}

/// The end of four digits that `z`, `utc`, `gmt`, `tu` or `h` behind them make a time.
fn zulu(text: &[char], at: usize, end: usize) -> Option<usize> {
    let mark: String =
        text[end..text.len().min(end + 5)].iter().skip_while(|c| **c == ' ').take_while(|c| is_word(**c)).collect();
    let valid = value(text, &(at..at + 2)) < 24 && value(text, &(at + 2..end)) < 60;
    (valid && matches!(mark.as_str(), "z" | "utc" | "gmt" | "tu" | "h")).then_some(end)
}
