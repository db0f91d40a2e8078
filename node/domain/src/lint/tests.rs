//! The lint as two tables, what must be refused and what must pass, and its promise never to panic.

use proptest::prelude::*;

use super::check_text;
use crate::refusal::Code;

#[test]
fn what_reaches_or_numbers_a_person_is_refused() {
    let mut missed = Vec::new();
    for (kind, text) in [
        ("phone", "Appelez le +221 77 123 45 67"),
        ("phone", "Call 00221771234567 at night"),
        ("phone", "77 123 45 67"),
        ("phone", "77.123.45.67"),
        ("phone", "77-123-45-67"),
        ("phone", "(+222) 22 45 67 89"),
        ("phone", "le chef du groupe : 76 12 34 56"),
        ("phone", "771234567"),
        ("phone", "+220 990 1234"),
        ("phone", "ring 990 1234 for the driver"),
        ("phone", "tél. 45 67 89"),
        ("phone", "Contacto: +238 991 23 45"),
        ("phone", "telefone 955 12 34"),
        ("phone", "رقمه ٧٧١٢٣٤٥٦٧"),
        ("phone", "هاتف ٢٢ ٤٥ ٦٧ ٨٩"),
        ("phone", "۰۰۲۲۲۲۲۴۵۶۷۸۹"),
        ("phone", "77\u{a0}123\u{202f}45\u{2011}67"),
        ("phone", "77\u{200b}1234567"),
        ("phone", "7\u{ff17}123 45 67"),
        ("phone", "77,123,45,67"),
        ("phone", "߇߇߁߂߃߄߅߆߇"),
        ("e-mail", "write to awa.diop@example.org"),
        ("e-mail", "AWA @ EXAMPLE . ORG or awa@example.org"),
        ("e-mail", "mamadou(at)example.com"),
        ("e-mail", "écrire à mariama arobase exemple.sn"),
        ("profile", "voir https://www.facebook.com/some.person.12"),
        ("profile", "t.me/somebody"),
        ("profile", "sur TikTok: @depart_canaries"),
        ("profile", "wa.me/221771234567"),
        ("profile", "instagram.com/abc"),
        ("document", "passeport n° 4521"),
        ("document", "passport A1234567"),
        ("document", "holder of AB123456 issued in Banjul"),
        ("document", "Passaporte nº 55123"),
        ("document", "carte d'identité 1 234 12345"),
        ("document", "CNI 1751198012345"),
        ("document", "جواز السفر رقم ٥٥١٢٣٤"),
        ("phone", "dossier 123456789"),
        ("document", "NINA 12345678901234X"),
    ] {
        match check_text(text) {
            Err(refusal) => {
                assert_eq!(refusal.code, Code::PersonalData);
                assert!(
                    !refusal.message.chars().any(|c| c.is_ascii_digit()),
                    "a refusal repeats nothing of the content"
                );
                if !refusal.message.contains(kind) {
                    missed.push((text, refusal.message));
                }
            }
            Ok(()) => missed.push((text, "let through".to_owned())),
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn what_an_alert_has_to_say_passes() {
    let texts = [
        "",
        "141 rescued, 3 critical, from The Gambia, off Nouadhibou",
        "141 rescapés dont 12 femmes, 30 enfants, 3 en état critique",
        "Arrivée le 2026-11-24 à 06:30, départ 24/11/2026 06h30",
        "24.11.2026, 24-11-2026, 24 11 2026, 20261124, 20261124T0630Z",
        "2026-11-24T06:30:00+00:00",
        "20.9425, -17.0362",
        "20.9425,-17.0362",
        "20.942512 -17.036212",
        "20.9425123, -17.0362123",
        "20.94 -17.03",
        "20°56'33\"N 17°02'10\"W, 205633N 0170210W",
        "Axe N2 puis RN1, bifurcation à 12 km de Rosso, PK 123+400",
        "MRCC 1-1-9 ou 1441, puis le 117",
        "MR09, SN0901, GN008, NE001, SN090101",
        "Vol AH5304, arrival 0630Z; vol AF 718 0630 UTC",
        "entre 1000-1200 personnes, 2025-2026",
        "25 000 000 FCFA, 12.500.000 MRU, 2 500 000 personnes",
        "15 passeports perdus, passport control closed 06:00-18:00",
        "Embarcation 12 m, 2 moteurs 40 CV, 7 jours en mer, 2 000 km",
        "see alert 0190a5b2-1234-7abc-8def-0123456789ab",
        "١٤١ ناجيا، ٣ في حالة حرجة، قبالة نواذيبو يوم ٢٤/١١/٢٠٢٦ الساعة ٠٦:٣٠",
        "141 sobreviventes, 3 em estado crítico, ao largo de Nouadhibou, dia 24/11/2026 às 06h30",
        "VHF 156.800 MHz, canal 16; boat IMO 9074729",
        "More at https://www.ifrc.org/emergencies and on facebook.com",
        "femmes/hommes/filles/garçons : 12/30/45/20",
        "1 bus @ 06:30, 2 trucks @ noon",
        "Eau 500 l, 3 x 12 tentes, 100 à 150 couvertures",
        "Convoi de 4 bus (50, 52, 48 et 41 personnes)",
    ];
    let refused: Vec<_> = texts.iter().filter_map(|text| Some((text, check_text(text).err()?.message))).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = check_text(&text);
    }

    #[test]
    fn no_mixture_of_digits_and_signs_makes_it_panic(text in "[0-9٠-٩+@./:hTzZN ,°()a-f-]{0,200}") {
        let _ = check_text(&text);
    }

    #[test]
    fn an_international_number_is_found_however_it_is_grouped(
        digits in "[1-9][0-9]{9,13}", gaps in proptest::collection::vec(prop::sample::select(vec!["", " ", "-", ".", "\u{a0}"]), 14),
    ) {
        let spread: String = digits.chars().zip(&gaps).map(|(digit, gap)| format!("{digit}{gap}")).collect();
        let text = format!("numéro +{spread} du groupe");
        prop_assert!(check_text(&text).is_err());
    }
}
