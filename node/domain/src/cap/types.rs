//! The simple types of the CAP 1.2 schema (XML Schema 1.0, part 2): each function says whether a text, without
//! the white space around it, is of the type.

/// `xs:language`: subtags of one to eight letters, digits too after the first (RFC 3066).
pub(super) fn is_language(text: &str) -> bool {
    text.split('-').enumerate().all(|(index, subtag)| {
        (1..=8).contains(&subtag.len())
            && subtag.bytes().all(|byte| byte.is_ascii_alphabetic() || index > 0 && byte.is_ascii_digit())
    })
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

fn digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `xs:integer`.
pub(super) fn is_integer(text: &str) -> bool {
    let number = unsigned(text);
    !number.is_empty() && digits(number)
}

/// `xs:decimal`: digits with at most one point, no exponent.
pub(super) fn is_decimal(text: &str) -> bool {
    let number = unsigned(text);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    digits(whole) && digits(part) && whole.len() + part.len() > 0
}

/// `xs:anyURI`: a URI reference (RFC 3986) once the characters that it has no room for are escaped.
pub(super) fn is_uri(text: &str) -> bool {
    let bytes = text.as_bytes();
    let escaped = |at: usize| bytes.get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    if (0..bytes.len()).any(|at| bytes[at] == b'%' && !escaped(at)) || text.matches('#').count() > 1 {
        return false;
    }
    let start = text.split(['/', '?', '#']).next().unwrap_or_default();
    let rest = match start.split_once(':') {
        None => text,
        Some((scheme, _)) if is_scheme(scheme) => &text[scheme.len() + 1..],
        Some(_) => return false,
    };
    let Some(after) = rest.strip_prefix("//") else { return !path_of(rest).contains(['[', ']']) };
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match host.strip_prefix('[') {
        Some(literal) => match literal.split_once(']') {
            Some((address, "")) => (address, ""),
            Some((address, rest)) => match rest.strip_prefix(':') {
                Some(port) => (address, port),
                None => return false,
            },
            None => return false,
        },
        None => host.rsplit_once(':').unwrap_or((host, "")),
    };
    digits(port) && !host.contains(['[', ']']) && !path_of(&after[authority.len()..]).contains(['[', ']'])
}

/// What stands before query and fragment.
fn path_of(text: &str) -> &str {
    text.split(['?', '#']).next().unwrap_or_default()
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// Whether a URI has a scheme.
pub(super) fn is_absolute(text: &str) -> bool {
    let start = text.split(['/', '?', '#']).next().unwrap_or_default();
    start.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme)) && is_uri(text)
}

/// An instant of `xs:dateTime` in the pattern of CAP, as seconds since 1970-01-01T00:00:00Z: whole seconds and
/// a numeric offset, a day that exists, at most 24:00:00, an offset within 14 hours.
pub(super) fn instant(text: &str) -> Option<i64> {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00+00:00";
    let bytes = text.as_bytes();
    let fits = bytes.len() == SHAPE.len()
        && bytes.iter().zip(SHAPE).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            b'+' => matches!(byte, b'+' | b'-'),
            other => byte == other,
        });
    if !fits {
        return None;
    }
    let number = |from: usize, to: usize| bytes[from..to].iter().fold(0, |n, byte| n * 10 + i64::from(byte - b'0'));
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    let (offset_hours, offset_minutes) = (number(20, 22), number(23, 25));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    let midnight = hour == 24 && minute == 0 && second == 0;
    let clock = (hour < 24 || midnight) && minute < 60 && second < 60;
    let offset = offset_hours * 60 + offset_minutes;
    if year == 0 || day == 0 || day > days || !clock || offset_minutes > 59 || offset > 14 * 60 {
        return None;
    }
    let offset = if bytes[19] == b'-' { -offset } else { offset };
    Some(day_number(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset * 60)
}

/// Days from 1970-01-01 in the Gregorian calendar; years begin in March here, so that leap days come last.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(is: fn(&str) -> bool, good: &[&str], bad: &[&str]) {
        let wrong: Vec<_> = good.iter().filter(|text| !is(text)).chain(bad.iter().filter(|text| is(text))).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn each_type_takes_its_texts_and_no_others() {
        judged(
            is_language,
            &["fr", "en-US", "zh-Hant-TW", "x-sahel", "de-1996"],
            &["", "fr_SN", "toolonglang", "12", "fr-", "é"],
        );
        judged(is_integer, &["0", "-1", "+10", "007"], &["", "-", "1.0", "1e3", "١", " 1"]);
        judged(is_decimal, &["0", "-1.5", ".5", "5.", "+3"], &["", ".", "-", "1e3", "NaN", "1,5", "1.2.3", "INF"]);
        judged(
            is_uri,
            &[
                "",
                "http://a.b/c?d#e",
                "a.png",
                "//h/p",
                "mailto:a@b",
                "http://a b/é",
                "http://[::1]:80/x",
                "urn:x",
                "http://h:/",
            ],
            &["http://a/%zz", "a#b#c", "1:a", "http://h:x/", "http://[::1", ":a", "a[b", "http://a]b/"],
        );
        judged(is_absolute, &["http://a", "urn:x:y"], &["a.png", "www.a.bf", "/a", "", "1:a"]);
    }

    #[test]
    fn an_instant_is_read_in_every_offset_and_only_on_days_that_exist() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00+00:00", 0),
            ("1970-01-01T00:00:00-00:00", 0),
            ("2000-02-29T12:00:00-07:00", 951_850_800),
            ("1969-12-31T24:00:00+00:00", 0),
            ("1970-01-01T14:00:00+14:00", 0),
            ("0001-01-01T00:00:00+00:00", -62_135_596_800),
        ] {
            assert_eq!(instant(text), Some(seconds), "{text}");
        }
        for text in [
            "2026-11-24T06:30:00Z",
            "2026-11-24T06:30:00",
            "2026-11-24T06:30:00.5+00:00",
            "2026-11-24 06:30:00+00:00",
            "2026-11-24T06:30+00:00",
            "2026-11-24T06:30:00,00:00",
            "2026-02-29T06:30:00+00:00",
            "2026-13-01T06:30:00+00:00",
            "2026-00-01T06:30:00+00:00",
            "2026-04-31T06:30:00+00:00",
            "1900-02-29T00:00:00+00:00",
            "2026-11-24T24:00:01+00:00",
            "2026-11-24T25:00:00+00:00",
            "2026-11-24T06:60:00+00:00",
            "2026-11-24T06:30:60+00:00",
            "2026-11-24T06:30:00+14:01",
            "2026-11-24T06:30:00+01:60",
            "0000-01-01T00:00:00+00:00",
            "24/11/2026",
            "1795501800",
            "",
            "-2026-11-24T06:30:00+00:00",
            "２026-11-24T06:30:00+00:00",
            "2026-11-24T06:30:00+0000",
            "2026-11-00T06:30:00+00:00",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }
}
