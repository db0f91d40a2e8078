//! The rules of a place: its point, its codes, and whether latitude and longitude have changed places.

use super::{check::Faults, parts::Place, shape::Country};
use crate::{limits::PLACE_NAME_CHARS_MAX, refusal::Code};

/// South, north, west, east, in degrees.
struct Frame(f64, f64, f64, f64);

impl Frame {
    fn holds(&self, latitude: f64, longitude: f64) -> bool {
        (self.0..=self.1).contains(&latitude) && (self.2..=self.3).contains(&longitude)
    }
}

/// Where the network works: West Africa, the Sahel, the Maghreb, and the sea off them to the Canaries.
const REGION: Frame = Frame(4.0, 38.0, -32.0, 25.0);

/// The lands of the ten members, roughly. In Niger and in Chad both coordinates are alike in size, so
/// that a pair the wrong way round often stays within the region and only the country shows it.
const LANDS: [(&str, Frame); 10] = [
    ("BF", Frame(9.3, 15.1, -5.6, 2.5)),
    ("CV", Frame(14.7, 17.3, -25.5, -22.5)),
    ("GM", Frame(13.0, 13.9, -17.0, -13.7)),
    ("GN", Frame(7.1, 12.7, -15.2, -7.6)),
    ("GW", Frame(10.8, 12.7, -16.8, -13.6)),
    ("ML", Frame(10.1, 25.1, -12.3, 4.3)),
    ("MR", Frame(14.7, 27.4, -17.2, -4.8)),
    ("NE", Frame(11.6, 23.6, 0.1, 16.1)),
    ("SN", Frame(12.2, 16.8, -17.7, -11.3)),
    ("TD", Frame(7.4, 23.5, 13.4, 24.1)),
];

/// Whether the pair is out of place as it stands and in place the other way round.
fn is_swapped(latitude: f64, longitude: f64, country: Option<&Country>) -> bool {
    let turned = |frame: &Frame| !frame.holds(latitude, longitude) && frame.holds(longitude, latitude);
    let land = country.and_then(|country| LANDS.iter().find(|(code, _)| *code == country.as_str()));
    turned(&REGION) || land.is_some_and(|(_, frame)| turned(frame))
}

/// Checks one place; `path` is where it stands in the alert.
pub(super) fn check(path: &str, place: &Place, faults: &mut Faults) {
    faults.text(format!("{path}.name"), &place.name, PLACE_NAME_CHARS_MAX);
    faults.optional_text(format!("{path}.admin1"), place.admin1.as_ref(), PLACE_NAME_CHARS_MAX);
    match (place.latitude, place.longitude) {
        (Some(latitude), Some(longitude)) => {
            let (latitude, longitude) = (latitude.degrees(), longitude.degrees());
            if is_swapped(latitude, longitude, place.country.as_ref()) {
                faults.add(
                    Code::BadPlace,
                    format!("{path}.latitude"),
                    "latitude and longitude seem to have changed places",
                );
            } else if latitude.abs() > 90.0 {
                faults.add(Code::BadPlace, format!("{path}.latitude"), "a latitude lies between -90 and 90 degrees");
            }
        }
        (None, None) if place.precision_km.is_some() => {
            faults.add(Code::BadPlace, format!("{path}.precision_km"), "a precision needs a point");
        }
        (None, None) => {}
        _ => faults.add(Code::BadPlace, format!("{path}.longitude"), "a point has both latitude and longitude"),
    }
    codes(path, place, faults);
}

fn codes(path: &str, place: &Place, faults: &mut Faults) {
    if place.geonames_id == Some(0) {
        faults.add(Code::Malformed, format!("{path}.geonames_id"), "an id of GeoNames is a number from 1");
    }
    match (&place.pcode, &place.pcode_version) {
        (None, None) => {}
        (None, Some(_)) => {
            faults.add(Code::MissingField, format!("{path}.pcode"), "there is an edition, but no P-code")
        }
        (Some(_), None) => {
            let message = "a P-code needs the edition of its list, since lists change";
            faults.add(Code::MissingField, format!("{path}.pcode_version"), message);
        }
        (Some(pcode), Some(version)) => {
            let (head, digits) = pcode.split_at_checked(2).unwrap_or_default();
            let good = head.bytes().all(|b| b.is_ascii_uppercase())
                && (1..=12).contains(&digits.len())
                && digits.bytes().all(|b| b.is_ascii_digit());
            if !good {
                let message = "a P-code is two capital letters and up to 12 digits, such as MR09";
                faults.add(Code::BadPlace, format!("{path}.pcode"), message);
            } else if place.country.as_ref().is_some_and(|country| country.as_str() != head) {
                faults.add(Code::BadPlace, format!("{path}.pcode"), "the P-code belongs to another country");
            }
            let edition = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
            if version.is_empty() || version.len() > 16 || !version.bytes().all(edition) {
                let message = "an edition is up to 16 letters, digits and . _ -";
                faults.add(Code::Malformed, format!("{path}.pcode_version"), message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_the_wrong_way_round_is_seen() {
        let country = |code: &str| code.parse::<Country>().expect("a country");
        for (name, latitude, longitude, code, swapped) in [
            ("off Nouadhibou", 20.9425, -17.0362, "MR", false),
            ("off Nouadhibou, turned", -17.0362, 20.9425, "MR", true),
            ("Rosso", 16.51, -15.80, "SN", false),
            ("Agadez", 16.97, 7.99, "NE", false),
            ("Agadez, turned: still in the region", 7.99, 16.97, "NE", true),
            ("far out at sea, for Senegal", 18.5, -22.0, "SN", false),
            ("Djibouti", 11.59, 43.15, "DJ", false),
            ("Tokyo", 35.7, 139.7, "JP", false),
        ] {
            assert_eq!(is_swapped(latitude, longitude, Some(&country(code))), swapped, "{name}");
        }
        assert!(is_swapped(-17.0, 20.9, None));
    }
}
