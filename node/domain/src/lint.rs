//! Looks for personal data in free text: phone numbers, e-mail addresses, web profiles and document
//! numbers, in any of the scripts that the network writes. Pure, linear, and silent about what it found:
//! a refusal names the kind, never the content.
//!
//! Names of persons cannot be told from other words by a rule; that check stays with people. What can be
//! told is refused rather than let through when in doubt: a text can be reworded, a leak cannot be undone.

mod numbers;
mod tokens;

use crate::refusal::{Code, Refusal};

/// The kind of personal data found in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    Phone,
    LongNumber,
    Email,
    WebProfile,
    DocumentNumber,
}

impl Finding {
    fn message(self) -> &'static str {
        match self {
            Self::Phone => "the text seems to hold a phone number",
            Self::LongNumber => "the text seems to hold a phone or document number: eight digits or more in a row",
            Self::Email => "the text seems to hold an e-mail address",
            Self::WebProfile => "the text seems to hold a web profile or the name of an account",
            Self::DocumentNumber => "the text seems to hold the number of an identity or travel document",
        }
    }
}

/// Refuses a text that could reach, number or identify a person.
///
/// Times, dates, counts, coordinates, road and flight numbers, P-codes, UUIDs, amounts and emergency
/// short numbers pass.
///
/// # Errors
/// `personal_data`; the message names the kind of data found and never the data.
pub fn check_text(text: &str) -> Result<(), Refusal> {
    let mut plain = plain(text);
    tokens::blank_uuids(&mut plain);
    let found = tokens::email_or_profile(&plain)
        .or_else(|| tokens::document_number(&plain))
        .or_else(|| numbers::phone_or_long_number(&plain));
    match found {
        Some(finding) => Err(Refusal::new(Code::PersonalData, finding.message())),
        None => Ok(()),
    }
}

/// The text in the form the detectors read: lower case, ASCII digits, plain spaces and dashes, and
/// without the invisible characters that could split a number.
fn plain(text: &str) -> Vec<char> {
    text.chars().filter(|c| !is_invisible(*c)).map(simplified).flat_map(char::to_lowercase).collect()
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{feff}' | '\u{640}' | '\u{fe00}'..='\u{fe0f}' | '\u{20e3}')
}

/// First digits of the decimal scripts in use here: Arabic-Indic, Eastern Arabic, N'Ko, fullwidth, Adlam.
const ZEROS: [u32; 5] = [0x660, 0x6f0, 0x7c0, 0xff10, 0x1e950];

fn simplified(c: char) -> char {
    let code = u32::from(c);
    if let Some(digit) = ZEROS.iter().find_map(|zero| code.checked_sub(*zero).filter(|value| *value < 10)) {
        return char::from_digit(digit, 10).unwrap_or(c);
    }
    match c {
        '\t' | '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}' | '_' => '-',
        '\u{b7}' | '\u{2022}' | '\u{2024}' | '\u{ff0e}' | '\u{66b}' => '.',
        '\u{60c}' | '\u{ff0c}' | '\u{66c}' => ',',
        '\u{ff20}' | '\u{fe6b}' => '@',
        '\u{ff0b}' => '+',
        '\u{2044}' | '\u{ff0f}' => '/',
        '\u{ff1a}' => ':',
        other => other,
    }
}

#[cfg(test)]
mod tests;
