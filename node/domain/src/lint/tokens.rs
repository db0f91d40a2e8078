//! What is recognised by its words: e-mail addresses, profiles and handles, document numbers. Reads the
//! simplified text of `lint.rs`.

use std::ops::Range;

use super::{Finding, numbers};

/// Hosts whose pages are mostly people.
const PROFILE_HOSTS: [&str; 20] = [
    "facebook.com",
    "fb.com",
    "fb.me",
    "m.me",
    "messenger.com",
    "instagram.com",
    "tiktok.com",
    "twitter.com",
    "x.com",
    "t.me",
    "telegram.me",
    "wa.me",
    "whatsapp.com",
    "snapchat.com",
    "linkedin.com",
    "threads.net",
    "vk.com",
    "signal.me",
    "youtube.com",
    "imo.im",
];

/// Words that announce the number of a document, in the four languages.
const DOCUMENT_WORDS: [&str; 24] = [
    "passport",
    "passeport",
    "passaporte",
    "جواز",
    "identity card",
    "id card",
    "id no",
    "id number",
    "carte d'identité",
    "carte d’identité",
    "carte d'identite",
    "carte consulaire",
    "pièce d'identité",
    "pièce d’identité",
    "titre de séjour",
    "laissez-passer",
    "bilhete de identidade",
    "cartão de identidade",
    "documento n",
    "cni",
    "nina",
    "بطاقة",
    "رقم الهوية",
    "رقم الوثيقة",
];

/// How far behind such a word its number may stand, in characters.
const DOCUMENT_REACH: usize = 32;

/// An e-mail address, the name of an account, or the address of a profile page.
pub(super) fn email_or_profile(text: &[char]) -> Option<Finding> {
    for at in positions(text, &["@", "(at)", "[at]", "{at}", " arobase "]) {
        let before = text[..at.start].iter().rev().find(|c| **c != ' ');
        let mut after = text[at.end..].iter().skip_while(|c| **c == ' ').peekable();
        let adjacent = text.get(at.end).is_some_and(|c| c.is_alphanumeric());
        let domain: String = after.by_ref().take_while(|c| c.is_alphanumeric() || matches!(c, '.' | '-')).collect();
        let has_dot = domain.trim_matches('.').contains('.');
        if before.is_some_and(|c| c.is_alphanumeric()) && has_dot && domain.contains(char::is_alphabetic) {
            return Some(Finding::Email);
        }
        if at.end - at.start == 1 && adjacent && domain.chars().any(char::is_alphabetic) {
            return Some(Finding::WebProfile);
        }
    }
    let hosts = word_starts(text, &PROFILE_HOSTS);
    let page = hosts.into_iter().any(|host| {
        text.get(host.end) == Some(&'/')
            && text.get(host.end + 1).is_some_and(|c| c.is_alphanumeric() || *c == '@' || *c == '+')
    });
    page.then_some(Finding::WebProfile)
}

/// A document number: a token such as `a1234567`, or a number close behind a word for a document.
pub(super) fn document_number(text: &[char]) -> Option<Finding> {
    let tokens = tokens(text);
    if tokens.iter().any(|token| looks_numbered(&text[token.clone()])) {
        return Some(Finding::DocumentNumber);
    }
    for word in word_starts(text, &DOCUMENT_WORDS) {
        // Tokens stand in order, so the near ones are a stretch of them.
        let first = tokens.partition_point(|token| token.start < word.end);
        let mut near = tokens[first..].iter().take_while(|token| token.start <= word.end + DOCUMENT_REACH);
        let found = near.any(|token| {
            let inside = &text[token.clone()];
            let between = &text[word.end..token.start];
            let marked = between.iter().any(|c| matches!(c, '°' | 'º' | '#' | 'ª'))
                || contains_word(between, &["no", "number", "num", "رقم"]);
            let digits = digits(inside);
            (digits >= 5 && !numbers::is_compact_date(inside)) || (marked && digits >= 4)
        });
        if found {
            return Some(Finding::DocumentNumber);
        }
    }
    None
}

/// Letters and at least six digits in one word, which is how documents are numbered; not so P-codes of the
/// region, times such as `20261124t0630z`, coordinates such as `205633n`, and numbers with a unit.
fn looks_numbered(token: &[char]) -> bool {
    let count = digits(token);
    if count < 6 || count == token.len() {
        return false;
    }
    let letters_before = token.iter().take_while(|c| c.is_alphabetic()).count();
    let rest = &token[letters_before..];
    let digits_next = rest.iter().take_while(|c| c.is_ascii_digit()).count();
    let tail: String = rest[digits_next..].iter().collect();
    if letters_before == 0 {
        let unit = matches!(
            tail.as_str(),
            "n" | "s" | "e" | "w" | "o" | "z" | "km" | "m" | "kg" | "l" | "fcfa" | "xof" | "f" | "cfa" | "mru"
        );
        let instant =
            digits_next == 8 && tail.starts_with('t') && tail[1..].chars().all(|c| c.is_ascii_digit() || c == 'z');
        return !unit && !instant;
    }
    let head: String = token[..letters_before].iter().collect();
    let p_code = matches!(head.as_str(), "bf" | "cv" | "gm" | "gn" | "gw" | "ml" | "mr" | "ne" | "sn" | "td")
        && tail.is_empty()
        && digits_next == 6;
    !p_code
}

/// Words: runs of letters and digits.
fn tokens(text: &[char]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in text.iter().enumerate() {
        match (is_word(*c), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                found.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    if let Some(from) = start {
        found.push(from..text.len());
    }
    found
}

pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric()
}

fn digits(token: &[char]) -> usize {
    token.iter().filter(|c| c.is_ascii_digit()).count()
}

/// Whether any of `words` stands at the start of a word of `text`.
pub(super) fn contains_word(text: &[char], words: &[&str]) -> bool {
    (0..text.len()).any(|start| begins_word(text, start) && one_at(text, start, words).is_some())
}

/// Takes out UUIDs, by which texts refer to alerts: they hold digits and identify nobody.
pub(super) fn blank_uuids(text: &mut [char]) {
    const SHAPE: [usize; 5] = [8, 4, 4, 4, 12];
    const LENGTH: usize = 36;
    let is_uuid = |window: &[char]| {
        let mut parts = window.split(|c| *c == '-');
        SHAPE.iter().all(|n| parts.next().is_some_and(|p| p.len() == *n && p.iter().all(char::is_ascii_hexdigit)))
            && parts.next().is_none()
    };
    let mut at = 0;
    while at + LENGTH <= text.len() {
        if text[at + SHAPE[0]] == '-' && is_uuid(&text[at..at + LENGTH]) {
            text[at..at + LENGTH].fill(BLANK);
            at += LENGTH;
        } else {
            at += 1;
        }
    }
}

/// Stands where something innocent was taken out; separates whatever is around it.
pub(super) const BLANK: char = '\u{1}';

/// Where any of `words` stands at the start of a word of `text`.
fn word_starts(text: &[char], words: &[&str]) -> Vec<Range<usize>> {
    (0..text.len()).filter(|start| begins_word(text, *start)).filter_map(|start| one_at(text, start, words)).collect()
}

fn begins_word(text: &[char], start: usize) -> bool {
    start == 0 || !is_word(text[start - 1])
}

/// Where any of `words` stands in `text`, in order.
fn positions(text: &[char], words: &[&str]) -> Vec<Range<usize>> {
    (0..text.len()).filter_map(|start| one_at(text, start, words)).collect()
}

/// The first of `words` that stands at `start`. Allocates nothing: it is asked for every character of every text.
fn one_at(text: &[char], start: usize, words: &[&str]) -> Option<Range<usize>> {
    words.iter().find_map(|word| {
        let mut end = start;
        for c in word.chars() {
            if text.get(end) != Some(&c) {
                return None;
            }
            end += 1;
        }
        Some(start..end)
    })
}
