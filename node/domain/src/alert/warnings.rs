//! What is odd about an alert and yet may be right: it is told to its author and stops nothing.

use super::{Fields, Place};
use crate::{
    geo::{self, Suspicion},
    limits::PLACES_MAX,
};

/// Something for the author to look at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Stable code, such as `outside_country`.
    pub code: &'static str,
    /// Path of the field, such as `places[1].latitude`.
    pub field: String,
    /// What is odd, without content of the alert.
    pub message: String,
}

/// Everything that is odd about an alert: points that do not fit their country, and names that mean several places.
#[must_use]
pub fn warnings(alert: &Fields) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (at, place) in alert.places.iter().enumerate().take(PLACES_MAX) {
        warnings.extend(point(at, place));
        warnings.extend(name(at, place));
    }
    warnings
}

fn point(at: usize, place: &Place) -> Option<Warning> {
    let (latitude, longitude) = (place.latitude?.degrees(), place.longitude?.degrees());
    let suspicion = geo::suspicion(latitude, longitude, place.country.as_ref().map(super::Country::as_str))?;
    // A circle that reaches back into the country fits it.
    let reach = place.precision_km.map_or(0.0, super::Kilometres::kilometres);
    if matches!(suspicion, Suspicion::OutsideCountry { distance_km, .. } if distance_km <= reach) {
        return None;
    }
    let field = match suspicion {
        Suspicion::OutsideCountry { .. } => format!("places[{at}].country"),
        Suspicion::Swapped | Suspicion::Zero => format!("places[{at}].latitude"),
    };
    Some(Warning { code: suspicion.code(), field, message: suspicion.to_string() })
}

/// A name alone, without country or point, that is the name of places in several countries.
fn name(at: usize, place: &Place) -> Option<Warning> {
    if place.country.is_some() || place.latitude.is_some() || place.pcode.is_some() || place.geonames_id.is_some() {
        return None;
    }
    let wanted = geo::folded(&place.name);
    let same = geo::find(&place.name, None).into_iter().filter(|known| geo::folded(known.name) == wanted);
    let mut countries: Vec<_> = same.map(|known| known.country).collect();
    countries.sort_unstable();
    countries.dedup();
    (countries.len() > 1).then(|| Warning {
        code: "ambiguous_place",
        field: format!("places[{at}].country"),
        message: format!("places of this name are in {}: state the country", countries.join(", ")),
    })
}
