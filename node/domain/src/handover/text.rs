//! The texts of a handover, each checked whenever it enters. What a person typed never shows in Debug.

use crate::{
    consent::words::checked_text,
    limits::FREE_TEXT_CHARS_MAX,
    refusal::{Code, Refusal},
};

checked_text! {
    /// A note beside an offer or an answer: it crosses the wire before anybody has accepted, so it
    /// is short and identifies nobody.
    Note, check_note, hidden
}

/// Checks a note: its shape, and that it identifies nobody.
///
/// # Errors
/// `missing_field` when it is blank, `too_large` past 280 characters, `malformed` for control characters.
pub fn check_note(text: &str) -> Result<(), Refusal> {
    check_shape(text)
}

checked_text! {
    /// A free text of a case package: at most 280 characters, without control characters.
    FreeText, check_shape, hidden
}

fn check_shape(text: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal::new(Code::MissingField, "a text is not blank"));
    }
    if text.chars().count() > FREE_TEXT_CHARS_MAX {
        return Err(Refusal::new(Code::TooLarge, format!("a text has at most {FREE_TEXT_CHARS_MAX} characters")));
    }
    // Overrides of the writing direction make a text read otherwise than it is; isolates do not.
    if text.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)) {
        return Err(Refusal::new(Code::Malformed, "a text has no control characters and no overrides of direction"));
    }
    Ok(())
}

checked_text! {
    /// A phone number with its country code (ITU-T E.164): `+`, then 7 to 15 digits; blanks may stand between them.
    PhoneNumber, check_phone, hidden
}

fn check_phone(text: &str) -> Result<(), Refusal> {
    let digits = text.strip_prefix('+').unwrap_or_default();
    let count = digits.bytes().filter(u8::is_ascii_digit).count();
    let fits = digits.len() <= 32
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ')
        && (7..=15).contains(&count);
    if fits {
        Ok(())
    } else {
        Err(Refusal::new(Code::Malformed, "a phone number is + and 7 to 15 digits, with the country code"))
    }
}

checked_text! {
    /// A full date of birth, `YYYY-MM-DD`. Known to few, and needed for family links alone.
    BirthDate, check_date, hidden
}

fn check_date(text: &str) -> Result<(), Refusal> {
    let well_formed = text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok();
    if well_formed { Ok(()) } else { Err(Refusal::new(Code::MalformedTime, "a date of birth is written YYYY-MM-DD")) }
}

checked_text! {
    /// The code on the card that the person carries: seven characters of Crockford's base 32, which
    /// lacks the letters that are taken for digits. It says nothing about the person.
    CaseShortCode, check_short_code, shown
}

const SHORT_CODE_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const SHORT_CODE_CHARS: usize = 7;

fn check_short_code(text: &str) -> Result<(), Refusal> {
    if text.len() == SHORT_CODE_CHARS && text.bytes().all(|byte| SHORT_CODE_ALPHABET.contains(&byte)) {
        Ok(())
    } else {
        Err(Refusal::new(Code::MalformedId, "a case code has seven digits or capital letters, without I, L, O and U"))
    }
}

impl CaseShortCode {
    /// The code of 35 of these 40 random bits.
    #[must_use]
    pub fn from_entropy(entropy: [u8; 5]) -> Self {
        let bits = entropy.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        let letter = |index: usize| char::from(SHORT_CODE_ALPHABET[(bits >> (5 * index) & 31) as usize]);
        Self((0..SHORT_CODE_CHARS).map(letter).collect::<String>().into_boxed_str())
    }

    /// The code that a person typed from a card: small letters, blanks and dashes are forgiven, and so
    /// are O for 0 and I or L for 1.
    ///
    /// # Errors
    /// `malformed_id` when it is no code even so.
    pub fn from_typed(text: &str) -> Result<Self, Refusal> {
        let forgiven = text.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            c => c,
        });
        forgiven.take(SHORT_CODE_CHARS + 1).collect::<String>().parse()
    }
}

impl std::fmt::Display for CaseShortCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_end_at_280_characters_and_hide_in_debug() {
        let longest = "é".repeat(FREE_TEXT_CHARS_MAX);
        let text: FreeText = longest.parse().expect("at the bound");
        assert_eq!(format!("{text:?}"), "[redacted]");
        assert_eq!(format!("{longest}é").parse::<Note>().map_err(|r| r.code), Err(Code::TooLarge));
        assert_eq!("two\nlines".parse::<Note>().map_err(|r| r.code), Err(Code::Malformed));
        assert_eq!("evil \u{202e}txt".parse::<FreeText>().map_err(|r| r.code), Err(Code::Malformed));
        assert!("\u{2068}Awa\u{2069}".parse::<FreeText>().is_ok());
        assert_eq!(" ".parse::<Note>().map_err(|r| r.code), Err(Code::MissingField));
    }

    #[test]
    fn a_card_is_read_with_its_usual_mistakes() {
        let code = CaseShortCode::from_entropy([0xff, 0, 0x5a, 7, 33]);
        assert_eq!(CaseShortCode::from_typed(&code.as_str().to_lowercase()), Ok(code));
        assert_eq!(CaseShortCode::from_typed("oi-l 2abc").map(|c| c.to_string()), Ok("0112ABC".to_owned()));
        for wrong in ["", "ABC123", "ABC12345", "ABCDEFU", "ÀBCDEFG"] {
            assert!(CaseShortCode::from_typed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_and_dates_are_what_they_say() {
        assert!("+223 70 00 00 01".parse::<PhoneNumber>().is_ok());
        for wrong in ["", "70000001", "+123456", "+1234567890123456", "+22370a00001"] {
            assert!(wrong.parse::<PhoneNumber>().is_err(), "{wrong}");
        }
        assert!("2001-02-28".parse::<BirthDate>().is_ok());
        for wrong in ["2001-02-30", "28/02/2001", "2001", "2001-02-28T00:00"] {
            assert!(wrong.parse::<BirthDate>().is_err(), "{wrong}");
        }
    }
}
