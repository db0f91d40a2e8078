//! The card that a person carries, on one A6 page: code, QR code without personal data, word of withdrawal, hotline.

use qrcode::{Color, EcLevel, QrCode};

use super::{Anchor, Svg, Text};
use crate::failure::Failure;

/// Width of the page, millimetres.
pub const WIDTH_MM: f32 = 105.0;
/// Height of the page, millimetres.
pub const HEIGHT_MM: f32 = 148.0;
/// Pixels of the sheet for a millimetre.
const PER_MM: f64 = 4.0;

/// What stands on a card.
#[derive(Clone, Copy, Debug)]
pub struct Card<'a> {
    /// Language of the person.
    pub language: &'a str,
    /// Name of the Society.
    pub society_name: &'a str,
    /// Code of the Society.
    pub society: &'a str,
    /// Code of the case.
    pub code: &'a str,
    /// Word of withdrawal.
    pub word: &'a str,
    /// Number to call.
    pub hotline: &'a str,
}

/// What the card says, in one language.
struct Phrases {
    title: &'static str,
    show: [&'static str; 2],
    help: &'static str,
    stop: &'static str,
    call: &'static str,
    silent: &'static str,
    words: [&'static str; 24],
}

const FRENCH: Phrases = Phrases {
    title: "Votre carte",
    show: ["Montrez-la à toute Société de la Croix-Rouge", "ou du Croissant-Rouge."],
    help: "Vous recevez de l’aide même si vous dites non.",
    stop: "Pour arrêter le partage, dites ce mot :",
    call: "Questions ou plaintes :",
    silent: "Cette carte ne dit rien de vous.",
    words: [
        "rivière",
        "mangue",
        "tambour",
        "baobab",
        "étoile",
        "savane",
        "pirogue",
        "chemin",
        "oiseau",
        "pluie",
        "calebasse",
        "dune",
        "marché",
        "lune",
        "palmier",
        "sable",
        "soleil",
        "acacia",
        "panier",
        "lac",
        "coton",
        "miel",
        "vent",
        "ombre",
    ],
};

const ENGLISH: Phrases = Phrases {
    title: "Your card",
    show: ["Show it to any Red Cross", "or Red Crescent Society."],
    help: "You get help even if you say no.",
    stop: "To stop sharing, say this word:",
    call: "Questions or complaints:",
    silent: "This card says nothing about you.",
    words: [
        "river", "mango", "drum", "baobab", "star", "savanna", "canoe", "path", "bird", "rain", "gourd", "dune",
        "market", "moon", "palm", "sand", "sun", "acacia", "basket", "lake", "cotton", "honey", "wind", "shade",
    ],
};

const PORTUGUESE: Phrases = Phrases {
    title: "O seu cartão",
    show: ["Mostre-o a qualquer Sociedade da Cruz Vermelha", "ou do Crescente Vermelho."],
    help: "Recebe ajuda mesmo que diga não.",
    stop: "Para parar a partilha, diga esta palavra:",
    call: "Perguntas ou queixas:",
    silent: "Este cartão não diz nada sobre si.",
    words: [
        "rio", "manga", "tambor", "baobá", "estrela", "savana", "canoa", "caminho", "pássaro", "chuva", "cabaça",
        "duna", "mercado", "lua", "palmeira", "areia", "sol", "acácia", "cesto", "lago", "algodão", "mel", "vento",
        "sombra",
    ],
};

const ARABIC: Phrases = Phrases {
    title: "بطاقتك",
    show: ["أظهرها لأي جمعية للصليب الأحمر", "أو الهلال الأحمر."],
    help: "تحصل على المساعدة حتى لو قلت لا.",
    stop: "لوقف تبادل معلوماتك، قل هذه الكلمة:",
    call: "للأسئلة أو الشكاوى:",
    silent: "هذه البطاقة لا تقول شيئا عنك.",
    words: [
        "نهر",
        "مانجو",
        "طبل",
        "شجرة",
        "نجمة",
        "سهل",
        "قارب",
        "طريق",
        "طائر",
        "مطر",
        "جرة",
        "كثيب",
        "سوق",
        "قمر",
        "نخلة",
        "رمل",
        "شمس",
        "غابة",
        "سلة",
        "بحيرة",
        "قطن",
        "عسل",
        "ريح",
        "ظل",
    ],
};

fn phrases(language: &str) -> &'static Phrases {
    match language {
        "ar" => &ARABIC,
        "en" => &ENGLISH,
        "pt" => &PORTUGUESE,
        _ => &FRENCH,
    }
}

/// Two words of a language, drawn by chance.
#[must_use]
pub fn drawn_word(language: &str, entropy: [u8; 10]) -> String {
    let words = &phrases(language).words;
    let [a, b, c, d, ..] = entropy;
    let pick = |high: u8, low: u8| words[usize::from(u16::from_be_bytes([high, low])) % words.len()];
    format!("{} {}", pick(a, b), pick(c, d))
}

/// What the QR code says: the Society and the code, for a reader that no network helps.
#[must_use]
pub fn qr_text(society: &str, code: &str) -> String {
    format!("PASSERELLE:{society}:{code}")
}

/// Draws a card.
///
/// # Errors
/// `unexpected` when the code does not fit into a QR code.
pub fn svg(card: &Card<'_>) -> Result<String, Failure> {
    let (width, height) = (f64::from(WIDTH_MM) * PER_MM, f64::from(HEIGHT_MM) * PER_MM);
    let says = phrases(card.language);
    let middle = width / 2.0;
    let mut svg = Svg::new(width, height);
    let line =
        |size: f64, fill: &'static str, bold: bool| Text { size, fill, bold, anchor: Anchor::Middle, halo: None };
    let (ink, soft) = ("#17212b", "#46525e");
    svg.rect(0.0, 0.0, width, height, r##"fill="#ffffff""##);
    svg.rect(8.0, 8.0, width - 16.0, height - 16.0, r##"fill="none" stroke="#17212b" stroke-width="1.5" rx="10""##);
    svg.text(middle, 44.0, line(22.0, ink, true), says.title);
    svg.text(middle, 66.0, line(fitting(card.society_name, 14.0, width), soft, false), card.society_name);
    let (first, second) = card.code.split_at_checked(3).unwrap_or((card.code, ""));
    svg.text(middle, 128.0, line(45.0, ink, true), format!("{} {first} {second}", card.society).trim_end());
    qr(&mut svg, &qr_text(card.society, card.code), middle, 148.0, 190.0)?;
    for (at, text) in says.show.iter().enumerate() {
        svg.text(middle, 364.0 + 18.0 * at as f64, line(13.5, soft, false), text);
    }
    svg.rect(20.0, 398.0, width - 40.0, 34.0, r##"fill="#e8f1ea" rx="6""##);
    svg.text(middle, 420.0, line(fitting(says.help, 15.0, width - 30.0), ink, true), says.help);
    svg.text(middle, 458.0, line(13.5, soft, false), says.stop);
    svg.text(middle, 490.0, line(fitting(card.word, 28.0, width), ink, true), card.word);
    svg.text(middle, 522.0, line(13.5, soft, false), says.call);
    svg.text(middle, 546.0, line(fitting(card.hotline, 20.0, width), ink, true), card.hotline);
    svg.text(middle, 572.0, line(11.0, soft, false), says.silent);
    Ok(svg.finish())
}

/// The size at which a text fits between the margins.
fn fitting(text: &str, size: f64, width: f64) -> f64 {
    let wide = text.chars().count() as f64 * size * 0.66;
    (size * ((width - 48.0) / wide.max(1.0)).min(1.0)).max(6.0)
}

fn qr(svg: &mut Svg, text: &str, middle: f64, top: f64, side: f64) -> Result<(), Failure> {
    let code = QrCode::with_error_correction_level(text, EcLevel::Q)
        .map_err(|error| Failure::unexpected(format!("the card has no QR code: {error}")))?;
    let modules = code.width();
    // Readers need four modules of quiet around it (ISO/IEC 18004).
    let module = side / (modules + 8) as f64;
    let (left, top) = (middle - side / 2.0 + 4.0 * module, top + 4.0 * module);
    let mut squares = Vec::new();
    for (at, _) in code.to_colors().iter().enumerate().filter(|(_, colour)| **colour == Color::Dark) {
        let (x, y) = (left + (at % modules) as f64 * module, top + (at / modules) as f64 * module);
        squares.push(vec![(x, y), (x + module, y), (x + module, y + module), (x, y + module)]);
    }
    svg.path(&squares, true, r##"fill="#000000" shape-rendering="crispEdges""##);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(language: &'static str) -> Card<'static> {
        let (society_name, society, code) = ("Croix-Rouge sénégalaise", "SN", "7K2M9QX");
        Card { language, society_name, society, code, word: "baobab lune", hotline: "+221 33 000 00 00" }
    }

    #[test]
    fn a_card_is_drawn_in_the_four_languages() {
        for language in ["fr", "en", "pt", "ar"] {
            let svg = svg(&card(language)).expect("a card");
            for text in ["SN 7K2 M9QX", "baobab lune", "+221 33 000 00 00", phrases(language).help] {
                assert!(svg.contains(text), "{language}: {text}");
            }
        }
    }

    #[test]
    fn the_drawn_words_are_of_the_language_and_differ_by_chance() {
        let all = (0..24).flat_map(|a| (0..24).map(move |b| drawn_word("ar", [0, a, 0, b, 0, 0, 0, 0, 0, 0])));
        assert_eq!(all.collect::<std::collections::BTreeSet<_>>().len(), 24 * 24);
        assert_eq!(drawn_word("en", [0; 10]), "river river");
        assert_eq!(qr_text("SN", "7K2M9QX"), "PASSERELLE:SN:7K2M9QX");
    }
}
