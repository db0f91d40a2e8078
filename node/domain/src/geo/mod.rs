//! Geography without internet: countries with their outlines, administrative areas, towns, crossings and landing sites;
//! which country a point lies in, and whether a point fits the country that it is said to lie in. All data is
//! compiled in from `data/` (see SOURCES.md); nothing here reads a file or draws.

mod areas;
mod countries;
mod fold;
mod outlines;
mod places;
mod point;
mod table;
#[cfg(test)]
mod tests;

pub use areas::{Area, areas, areas_by_code};
pub use countries::{CountryFacts, countries, countries_named, country};
pub use fold::folded;
pub use outlines::{Border, Outlines, REGION, outlines};
pub use places::{Kind, Place, find, near, place_by_id, places};
pub use point::{Suspicion, check_point, country_at, distance_km, suspicion};

/// What the licences of the data ask to be said wherever a map or a place is shown.
pub const ATTRIBUTION: &str = "Natural Earth; © GeoNames (CC BY 4.0)";
