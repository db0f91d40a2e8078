//! Places as CAP areas, read and written: a name, a circle where there is a point, and codes. The geocodes of the
//! profile are those of [`geocodes`]; `sp:place` numbers the places, so that each is known again in every block.

use super::{
    form::{Faults, children, one_line, pairs, shortened},
    geometry::{self, Budget, Spot},
    quote::{plain, quoted, unquoted},
    xml::Element,
};
use crate::{
    alert::{Country, Place},
    catalogue::PlaceRole,
    limits::{PLACE_NAME_CHARS_MAX, PLACES_MAX},
    refusal::{Code, Refusal},
    society::MEMBERS,
};

/// Stands for the edition of a P-code list where a document does not state it.
const UNSTATED: &str = "unstated";

/// The circle that a place with a point is; its radius is the precision, or nothing.
pub(super) fn circle(place: &Place) -> Option<String> {
    let (latitude, longitude) = (place.latitude?.degrees(), place.longitude?.degrees());
    let radius = place.precision_km.map_or(0.0, |precision| precision.kilometres());
    Some(format!("{latitude},{longitude} {radius}"))
}

/// The geocodes of a place, the `at`th of its alert.
pub(super) fn geocodes(at: usize, place: &Place) -> Vec<(&'static str, String)> {
    let mut codes = Vec::new();
    let mut put = |name, value: Option<String>| codes.extend(value.map(|value| (name, value)));
    put("ISO3166-1", place.country.as_ref().map(ToString::to_string));
    put("OCHA:pcode", place.pcode.clone());
    put("OCHA:pcode:version", place.pcode_version.clone());
    put("GeoNames", place.geonames_id.map(|id| id.to_string()));
    put("sp:place", Some((at + 1).to_string()));
    put("sp:role", Some(place.role.to_string()));
    put("sp:nameLang", place.lang.as_ref().map(ToString::to_string));
    put("sp:admin1", place.admin1.as_deref().map(quoted));
    let unsure = place.latitude.is_some() && place.precision_km.is_none();
    put("sp:precision", unsure.then(|| "unknown".to_owned()));
    let changed = one_line(&plain(&place.name)) != place.name;
    put("sp:name", changed.then(|| quoted(&place.name)));
    codes
}

/// One place an area; a place that other blocks repeat, even under its name in another language, stands once.
pub(super) fn read(infos: &[&Element], faults: &mut Faults) -> Vec<Place> {
    let mut budget = Budget::default();
    let mut places: Vec<(Option<usize>, Place)> = Vec::new();
    for area in infos.iter().flat_map(|info| children(info, "area")) {
        if places.len() > PLACES_MAX {
            // One too many is enough for the rules of an alert to say so.
            break;
        }
        let Some(name) = faults.required(area, "areaDesc") else { continue };
        let shape = geometry::spot(area, &mut budget);
        let spot = match shape {
            Ok(spot) => spot,
            Err(refusal) => {
                faults.push(refusal.at("area"));
                continue;
            }
        };
        let (number, place) = one(area, name, spot, faults);
        let again = |(known_number, known): &(Option<usize>, Place)| match (number, known_number) {
            (Some(number), Some(known_number)) => number == *known_number,
            _ => {
                let renamed = Place { name: known.name.clone(), ..place.clone() };
                *known == place || (renamed == *known && place.latitude.is_some())
            }
        };
        if !places.iter().any(again) {
            places.push((number, place));
        }
    }
    places.into_iter().map(|(_, place)| place).collect()
}

fn one(area: &Element, name: &Element, spot: Option<Spot>, faults: &mut Faults) -> (Option<usize>, Place) {
    let mut place = Place {
        role: PlaceRole::Occurred,
        name: shortened(&one_line(&name.text), PLACE_NAME_CHARS_MAX),
        lang: None,
        latitude: spot.map(|spot| spot.latitude),
        longitude: spot.map(|spot| spot.longitude),
        precision_km: spot.map(|spot| spot.precision),
        country: None,
        admin1: None,
        pcode: None,
        pcode_version: None,
        geonames_id: None,
    };
    let mut number = None;
    for (pair, code, value) in pairs(area, "geocode") {
        match code {
            "ISO3166-1" => place.country = faults.keep(pair, country(value)),
            "OCHA:pcode" => place.pcode = Some(value.to_owned()),
            "OCHA:pcode:version" => place.pcode_version = Some(value.to_owned()),
            "GeoNames" => {
                let id = value.parse().map_err(|_| Refusal::new(Code::Malformed, "an id of GeoNames is a number"));
                place.geonames_id = faults.keep(pair, id);
            }
            "sp:place" => number = value.parse().ok(),
            "sp:role" => place.role = faults.keep(pair, value.parse()).unwrap_or(PlaceRole::Occurred),
            "sp:nameLang" => place.lang = faults.keep(pair, value.parse()),
            "sp:admin1" => place.admin1 = faults.keep(pair, unquoted(value)),
            "sp:precision" if value == "unknown" => place.precision_km = None,
            "sp:name" => {
                let exact = super::form::exact(value, &one_line(&name.text), |text| one_line(&plain(text)));
                if let Some(exact) = faults.keep(pair, exact) {
                    place.name = exact;
                }
            }
            _ => {}
        }
    }
    if place.pcode.is_some() && place.pcode_version.is_none() {
        place.pcode_version = Some(UNSTATED.to_owned());
    }
    (number, place)
}

/// Two letters, or the three of a member.
pub(super) fn country(value: &str) -> Result<Country, Refusal> {
    let member = MEMBERS.iter().find(|member| member.alpha3.eq_ignore_ascii_case(value));
    member.map_or(value, |member| member.society.code()).parse()
}
