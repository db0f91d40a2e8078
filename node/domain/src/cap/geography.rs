//! Whether the shapes of an area fit the country that it names, by the outlines of `geo`. Suspicions, never errors:
//! boats are at sea, and most alerts of the world say nothing of a country.

use super::{area::Point, finding::Rule, form::pairs, xml::Element};
use crate::{
    geo::{self, Suspicion, country, suspicion},
    society::MEMBERS,
};

/// Points that are looked up in one document; what lies beyond is not looked at.
pub(super) const LOOKS_MAX: usize = 1_000;
/// Points that are looked up in one shape, evenly along its edge.
const LOOKS_A_SHAPE: usize = 16;
/// How far from a member a shape without country may lie, turned round, to be taken for one of the member's, km.
const NEAR_KM: f64 = 200.0;

/// The countries that an area names, as geocodes of ISO 3166 write them: `SN`, `SEN`, `SN-DK`.
pub(super) fn stated(area: &Element) -> Vec<&str> {
    pairs(area, "geocode")
        .filter(|(_, name, _)| {
            let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
            name.to_ascii_lowercase().starts_with("iso3166")
        })
        .filter_map(|(.., value)| value.split('-').next())
        .map(|code| country(code).map_or(code, |known| known.code))
        .collect()
}

/// What is odd about a shape. A shape of which any point fits is not odd.
pub(super) fn oddity(shape: &[Point], countries: &[&str], looks: &mut usize) -> Option<Rule> {
    let step = shape.len().div_ceil(LOOKS_A_SHAPE).max(1);
    let mut found = None;
    for &(latitude, longitude) in shape.iter().step_by(step) {
        *looks = looks.checked_sub(1)?;
        let suspicion = match countries {
            [] => placeless(latitude, longitude)?,
            _ => {
                let mut all = countries.iter().map(|country| suspicion(latitude, longitude, Some(country)));
                // Any country that it fits is enough.
                let first = all.next()??;
                if all.any(|other| other.is_none()) {
                    return None;
                }
                first
            }
        };
        found.get_or_insert(suspicion);
    }
    found.map(|suspicion| match suspicion {
        Suspicion::Swapped => Rule::GeoSwapped,
        Suspicion::Zero => Rule::GeoZero,
        Suspicion::OutsideCountry { .. } => Rule::GeoOutside,
    })
}

/// What is odd about a point of no stated country: far from the region, it lies in or off a member once it is turned
/// round. The frame of the region alone would suspect every alert of East Africa.
fn placeless(latitude: f64, longitude: f64) -> Option<Suspicion> {
    let odd = suspicion(latitude, longitude, None)?;
    let near = |society: &str| {
        geo::outlines().distance_km(society, longitude, latitude).is_some_and(|distance| distance <= NEAR_KM)
    };
    match odd {
        Suspicion::Swapped => MEMBERS.iter().any(|member| near(member.society.code())).then_some(odd),
        other => Some(other),
    }
}
