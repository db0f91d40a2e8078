//! Texts that must come back from XML to the letter. White space at the ends, line breaks and characters that XML
//! does not have are lost on the way; such a text is written in quotes, with escapes, where it has to be exact.

use crate::refusal::{Code, Refusal};

/// The production `Char` of XML 1.0.
pub(super) fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The text as XML can hold it: line ends as `\n`, and U+FFFD in the place of what XML has no character for.
pub(super) fn plain(text: &str) -> String {
    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
    unix.chars().map(|c| if is_xml_char(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// The text as it is where it comes back so, else in quotes. What is written holds no `|`.
pub(super) fn quoted(text: &str) -> String {
    let bare = |c: char| is_xml_char(c) && !c.is_control() && c != '|';
    if !text.is_empty() && text.trim() == text && !text.starts_with('"') && text.chars().all(bare) {
        return text.to_owned();
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if bare(c) => quoted.push(c),
            c => quoted.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}

/// The text that [`quoted`] wrote.
///
/// # Errors
/// `malformed` when it begins with a quote and is not of that form.
pub(super) fn unquoted(text: &str) -> Result<String, Refusal> {
    let Some(inside) = text.strip_prefix('"') else { return Ok(text.to_owned()) };
    let inside = inside.strip_suffix('"');
    inside.and_then(unescaped).ok_or_else(|| {
        Refusal::new(Code::Malformed, "a text in quotes ends with one, and escapes others by \\ before them")
    })
}

fn unescaped(inside: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = inside.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => return None,
            '\\' => match rest.next()? {
                'n' => text.push('\n'),
                'r' => text.push('\r'),
                't' => text.push('\t'),
                'u' => {
                    let (code, behind) = rest.as_str().strip_prefix('{')?.split_once('}')?;
                    text.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
                    rest = behind.chars();
                }
                c @ ('"' | '\\') => text.push(c),
                _ => return None,
            },
            c => text.push(c),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_would_change_is_put_in_quotes() {
        for (text, written) in [
            ("Rosso, rive nord", "Rosso, rive nord"),
            (" a", "\" a\""),
            ("a|b", "\"a\\u{7c}b\""),
            ("\"a\" \\", "\"\\\"a\\\" \\\\\""),
            ("a\r\n\tb", "\"a\\r\\n\\tb\""),
            ("\u{fffe}", "\"\\u{fffe}\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(text), written);
            assert_eq!(unquoted(written).as_deref(), Ok(text));
        }
        for text in ["\"", "\"a", "\"a\\\"", "\"\\x\"", "\"a\"b\"", "\"\\u{110000}\"", "\"\\u{7c\"", "\"\\u7c\""] {
            assert!(unquoted(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in any::<String>()) {
            let written = quoted(&text);
            prop_assert!(written.trim() == written && !written.contains('|') && plain(&written) == written);
            prop_assert_eq!(unquoted(&written), Ok(text));
        }

        #[test]
        fn no_text_makes_reading_panic(text in "\"?[\\\\u{}a0-9\"nrt|]{0,20}\"?") {
            let _ = unquoted(&text);
        }
    }
}
