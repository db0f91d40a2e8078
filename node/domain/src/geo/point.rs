//! Whether a point fits the country that it is said to lie in. Everything found here is a suspicion, for a person to
//! look at: boats are at sea, posts stand beyond the border, and maps are coarse.

use std::fmt;

use super::outlines::outlines;

/// Mean radius of the Earth (IUGG), km.
const EARTH_KM: f64 = 6_371.0;
/// How far beyond a border a place can stand and still be that country's: a post, a ferry, the coarseness of the map.
const BORDER_KM: f64 = 25.0;
/// How far at sea a boat can still concern a country with a coast: search and rescue regions reach far out.
const SEA_KM: f64 = 1_000.0;
/// Where the network works: south, north, west, east, in degrees.
const REGION: [f64; 4] = [4.0, 38.0, -32.0, 25.0];
/// Members and neighbours without a coast.
const LANDLOCKED: [&str; 6] = ["BF", "CF", "ML", "NE", "SS", "TD"];

/// What is odd about a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Suspicion {
    /// Latitude and longitude seem to have changed places: the other way round it fits.
    Swapped,
    /// It lies outside the country that it is said to lie in.
    OutsideCountry {
        /// From its nearest border or coast, km.
        distance_km: f64,
        /// The country in which it does lie (ISO 3166-1 alpha-2); none at sea or out of the region.
        inside: Option<&'static str>,
    },
    /// It is 0, 0: a form that was left empty.
    Zero,
}

impl Suspicion {
    /// Its stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Swapped => "swapped_coordinates",
            Self::OutsideCountry { .. } => "outside_country",
            Self::Zero => "zero_coordinates",
        }
    }
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Swapped => f.write_str("latitude and longitude seem to have changed places"),
            Self::Zero => f.write_str("the point is 0, 0, as if it had not been filled in"),
            Self::OutsideCountry { distance_km, inside: Some(inside) } => {
                write!(f, "the point lies {distance_km:.0} km outside the country stated, in {inside}")
            }
            Self::OutsideCountry { distance_km, inside: None } => {
                write!(f, "the point lies {distance_km:.0} km outside the country stated")
            }
        }
    }
}

/// The distance between two points of latitude and longitude in degrees, km (haversine).
#[must_use]
pub fn distance_km((lat_a, lon_a): (f64, f64), (lat_b, lon_b): (f64, f64)) -> f64 {
    let (lat_a, lat_b) = (lat_a.to_radians(), lat_b.to_radians());
    let half = |angle: f64| (angle / 2.0).sin().powi(2);
    let h = half(lat_b - lat_a) + lat_a.cos() * lat_b.cos() * half((lon_b - lon_a).to_radians());
    2.0 * EARTH_KM * h.sqrt().clamp(0.0, 1.0).asin()
}

/// The country in whose outline a point lies (ISO 3166-1 alpha-2); none at sea and outside the region. Near a border
/// it can be the neighbour: the outlines are good to about a kilometre. Western Sahara is `EH`.
#[must_use]
pub fn country_at(latitude: f64, longitude: f64) -> Option<&'static str> {
    outlines().at(latitude, longitude)
}

/// Whether a point fits the country that is stated for it (ISO 3166-1 alpha-2): within it, up to 25 km beyond its
/// border, or up to 1,000 km out at sea if it has a coast. A country of which there is no outline is not checked.
///
/// # Errors
/// What is odd about it.
pub fn check_point(latitude: f64, longitude: f64, country: &str) -> Result<(), Suspicion> {
    let outlines = outlines();
    if !outlines.knows(country) {
        return Ok(());
    }
    if latitude == 0.0 && longitude == 0.0 {
        return Err(Suspicion::Zero);
    }
    let Some(distance) = outlines.distance_km(country, latitude, longitude) else { return Ok(()) };
    if distance <= BORDER_KM {
        return Ok(());
    }
    let inside = country_at(latitude, longitude);
    let turned = outlines.distance_km(country, longitude, latitude).unwrap_or(f64::INFINITY);
    let has_coast = !LANDLOCKED.iter().any(|code| code.eq_ignore_ascii_case(country));
    let at_sea = inside.is_none() && has_coast && distance <= SEA_KM;
    // Out at sea a pair may be right as it stands, unless turned round it is the country itself.
    if turned <= if at_sea { 0.0 } else { BORDER_KM } {
        return Err(Suspicion::Swapped);
    }
    if at_sea { Ok(()) } else { Err(Suspicion::OutsideCountry { distance_km: distance, inside }) }
}

/// What is odd about a point, with the country that is stated for it, if any (ISO 3166-1 alpha-2). Without a country
/// only a point that lies outside the region, and within it the other way round, is odd.
#[must_use]
pub fn suspicion(latitude: f64, longitude: f64, iso3166: Option<&str>) -> Option<Suspicion> {
    let Some(country) = iso3166 else {
        let [south, north, west, east] = REGION;
        let holds = |lat: f64, lon: f64| (south..=north).contains(&lat) && (west..=east).contains(&lon);
        return if latitude == 0.0 && longitude == 0.0 {
            Some(Suspicion::Zero)
        } else {
            (!holds(latitude, longitude) && holds(longitude, latitude)).then_some(Suspicion::Swapped)
        };
    };
    check_point(latitude, longitude, country).err()
}
