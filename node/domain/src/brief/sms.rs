//! What a text costs as a short message: GSM 7-bit or UCS-2, units and segments, counted as 3GPP TS 23.038 and 23.040
//! say; and the form of a text that stays within GSM 7-bit.

use unicode_normalization::UnicodeNormalization as _;

/// How the characters of a message travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The default alphabet and its extension, 7 bits a unit.
    Gsm7,
    /// UTF-16 units, as soon as one character is in neither.
    Ucs2,
}

impl Encoding {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gsm7 => "GSM-7",
            Self::Ucs2 => "UCS-2",
        }
    }

    /// Units of a lone message, and of each segment of a longer one, whose header takes the rest.
    fn room(self) -> (usize, usize) {
        match self {
            Self::Gsm7 => (160, 153),
            Self::Ucs2 => (70, 67),
        }
    }
}

/// What a text costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// How it travels.
    pub encoding: Encoding,
    /// Septets, or UTF-16 units. A character of the extension table is two septets.
    pub units: usize,
    /// Messages that are sent and paid for.
    pub segments: usize,
}

/// The default alphabet of GSM 03.38 (3GPP TS 23.038, 6.2.1). It has à è é ì ò ù and Ç, and not â ç ê î ô õ ã.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                     ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// The extension table (6.2.1.1): each takes an escape before it.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// Septets of a character; none when GSM 7-bit does not have it.
fn septets(letter: char) -> Option<usize> {
    if BASIC.contains(letter) { Some(1) } else { EXTENSION.contains(letter).then_some(2) }
}

/// What a text costs as a short message.
#[must_use]
pub fn cost(text: &str) -> Cost {
    let gsm: Option<Vec<usize>> = text.chars().map(septets).collect();
    let (encoding, sizes) = match gsm {
        Some(sizes) => (Encoding::Gsm7, sizes),
        None => (Encoding::Ucs2, text.chars().map(char::len_utf16).collect()),
    };
    let (alone, each) = encoding.room();
    let units = sizes.iter().sum();
    if units <= alone {
        return Cost { encoding, units, segments: 1 };
    }
    // An escape and its letter, and the two halves of a surrogate pair, are never torn apart.
    let (mut segments, mut used) = (1, 0);
    for size in sizes {
        if used + size > each {
            segments += 1;
            used = 0;
        }
        used += size;
    }
    Cost { encoding, units, segments }
}

/// The text in letters that GSM 7-bit has: accents that it lacks are dropped, signs are replaced by near ones.
/// None when letters would be lost, as those of Arabic.
#[must_use]
pub fn gsm_only(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if septets(letter).is_some() {
            plain.push(letter);
            continue;
        }
        let stand_in = match letter {
            '’' | '‘' | 'ʼ' | '´' | '`' => "'",
            '“' | '”' | '«' | '»' => "\"",
            '–' | '—' | '‑' | '−' | '·' | '•' => "-",
            '→' => ">",
            '…' => "...",
            '\t' | '\u{a0}' | '\u{202f}' | '\u{2009}' => " ",
            '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => "",
            '°' | 'º' => "o",
            'œ' => "oe",
            'Œ' => "OE",
            'ɓ' => "b",
            'Ɓ' => "B",
            'ɗ' => "d",
            'Ɗ' => "D",
            'ŋ' => "n",
            'Ŋ' => "N",
            'ƴ' => "y",
            'ɲ' => "ny",
            _ => {
                let base = std::iter::once(letter).nfd().next().filter(|base| septets(*base).is_some())?;
                plain.push(base);
                continue;
            }
        };
        plain.push_str(stand_in);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_is_that_of_the_standard() {
        assert_eq!(BASIC.chars().count(), 127, "128 less the escape");
        assert_eq!(EXTENSION.chars().count(), 10);
    }

    #[test]
    fn texts_cost_what_an_operator_charges() {
        use Encoding::{Gsm7, Ucs2};
        for (what, text, encoding, units, segments) in [
            ("nothing", String::new(), Gsm7, 0, 1),
            ("the most of one message", "a".repeat(160), Gsm7, 160, 1),
            ("one more", "a".repeat(161), Gsm7, 161, 2),
            ("two full ones", "a".repeat(306), Gsm7, 306, 2),
            ("and one more", "a".repeat(307), Gsm7, 307, 3),
            ("euros count twice", "€".repeat(80), Gsm7, 160, 1),
            ("an escape is not torn", format!("{}€{}", "a".repeat(152), "a".repeat(152)), Gsm7, 306, 3),
            ("letters that GSM has", "àèéìòùÇ".to_owned(), Gsm7, 7, 1),
            ("a circumflex", "ê".repeat(70), Ucs2, 70, 1),
            ("one more of it", "ê".repeat(71), Ucs2, 71, 2),
            ("a small cedilla", "ç".to_owned(), Ucs2, 1, 1),
            ("Arabic", "م".repeat(134), Ucs2, 134, 2),
            ("Arabic, one more", "م".repeat(135), Ucs2, 135, 3),
            ("a pair is not torn", format!("{}😀{}", "م".repeat(66), "م".repeat(66)), Ucs2, 134, 3),
        ] {
            assert_eq!(cost(&text), Cost { encoding, units, segments }, "{what}");
        }
        for letter in "êçâîôãõɓɗŋ".chars() {
            assert_eq!(cost(&letter.to_string()).encoding, Ucs2, "{letter}");
        }
    }

    #[test]
    fn a_text_is_brought_into_gsm_letters_or_not_at_all() {
        assert_eq!(gsm_only("Forêt, garçon — «São» d’été…").as_deref(), Some("Foret, garcon - \"Sao\" d'été..."));
        assert_eq!(gsm_only("Ɓoggee ŋaari").as_deref(), Some("Boggee naari"));
        assert_eq!(gsm_only("روصو"), None);
        for text in ["Forêt — «São»", "œuvre · 3 → 4"] {
            assert_eq!(cost(&gsm_only(text).expect("Latin")).encoding, Encoding::Gsm7);
        }
    }
}
