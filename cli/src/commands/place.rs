//! `passerelle place`: the gazetteer, which is part of this program.

use passerelle_domain::{
    geo::{self, Area, CountryFacts, Kind, Place},
    society::Society,
};
use serde::Serialize;

use crate::{
    args::{PlaceCommand, PlaceKind},
    console::Console,
    failure::{Exit, Failure},
    render::{Printer, page::Page},
};

/// Something that a name or a code means.
#[derive(Debug, Default, Serialize)]
struct Found {
    kind: &'static str,
    name: &'static str,
    country: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    latitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    longitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    precision_km: Option<f64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    geonames_id: Option<u32>,
    /// Scheme of the code, of an area.
    #[serde(skip_serializing_if = "str::is_empty")]
    scheme: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    area: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    faces: Option<&'static str>,
    aliases: Vec<&'static str>,
}

impl From<&'static Place> for Found {
    fn from(place: &'static Place) -> Self {
        Self {
            kind: place.kind.as_str(),
            name: place.name,
            country: place.country,
            latitude: Some(place.latitude),
            longitude: Some(place.longitude),
            precision_km: Some(place.precision_km),
            id: place.id.to_owned(),
            geonames_id: place.geonames_id,
            area: place.area,
            segment: place.segment,
            faces: place.faces,
            aliases: place.aliases().to_vec(),
            ..Self::default()
        }
    }
}

impl From<&'static Area> for Found {
    fn from(area: &'static Area) -> Self {
        Self {
            kind: "area",
            name: area.name,
            country: area.country,
            id: area.code.to_owned(),
            scheme: area.scheme,
            version: area.version,
            area: area.parent,
            aliases: area.aliases.clone(),
            ..Self::default()
        }
    }
}

impl From<&'static CountryFacts> for Found {
    fn from(facts: &'static CountryFacts) -> Self {
        let aliases = facts.all_names().collect();
        Self {
            kind: "country",
            name: facts.name("fr"),
            country: facts.code,
            id: facts.alpha3.to_owned(),
            aliases,
            ..Self::default()
        }
    }
}

pub(super) fn run(command: &PlaceCommand, printer: Printer, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let found = match command {
        PlaceCommand::Find { name, .. } if geo::folded(name).is_empty() => {
            return Err(Failure::usage("this name has no letter and no digit", "Give a name or a code: rosso, MR09."));
        }
        PlaceCommand::Find { name, country } => find(name, country.as_ref().map(Society::code), console),
        PlaceCommand::List { country, kind, all } => {
            let wanted = |place: &&Place| {
                let kind_fits = kind.map_or(*all || place.kind != Kind::Town, |kind| place.kind == kind.into());
                kind_fits && country.as_ref().is_none_or(|country| country.code() == place.country)
            };
            geo::places().iter().filter(wanted).map(Found::from).collect()
        }
    };
    printer.own(&found, |page| table(&found, page), console)?;
    Ok(Exit::Ok)
}

/// Everything that a name or a code may mean. When several places are called so, that is said.
fn find(name: &str, country: Option<&str>, console: &mut Console<'_>) -> Vec<Found> {
    let here = |code: &str| country.is_none_or(|country| country == code);
    let places = geo::find(name, country);
    let same = places.iter().filter(|place| geo::folded(place.name) == geo::folded(name)).count();
    if same > 1 {
        console.say(format!("{same} places are called so: choose by country and point."));
    }
    let by_code = geo::areas_by_code(name);
    if !by_code.is_empty() {
        console.say("A code of ISO 3166-2 (MR-09) and an OCHA P-code (MR09) look alike and mean different areas.");
    }
    let areas = by_code.into_iter().filter(|area| here(area.country)).map(Found::from);
    let wanted = geo::folded(name);
    let named =
        geo::areas().iter().filter(|area| here(area.country) && geo::folded(area.name) == wanted).map(Found::from);
    let countries = geo::countries_named(name).into_iter().filter(|facts| here(facts.code)).map(Found::from);
    areas.chain(countries).chain(places.into_iter().map(Found::from)).chain(named).collect()
}

fn table(found: &[Found], page: &mut Page) {
    let row = |one: &Found| {
        let point = one.latitude.zip(one.longitude).map(|(lat, lon)| format!("{lat:.4}, {lon:.4}")).unwrap_or_default();
        let near = one.precision_km.map(|km| format!("{km:.0} km")).unwrap_or_default();
        let geonames = one.geonames_id.map(|id| format!("geonames {id}"));
        let code = match (one.scheme, geonames) {
            ("", Some(geonames)) if one.id.is_empty() => geonames,
            ("", Some(geonames)) => format!("{}, {geonames}", one.id),
            ("", None) => one.id.clone(),
            (scheme, _) => format!("{} ({scheme}, {})", one.id, one.version),
        };
        [
            one.kind.to_owned(),
            one.name.to_owned(),
            one.country.to_owned(),
            point,
            near,
            code,
            one.segment.unwrap_or_default().to_owned(),
        ]
    };
    let header = ["KIND", "NAME", "COUNTRY", "POINT", "WITHIN", "CODE", "SEGMENT"];
    page.table(header, found.iter().map(row).collect(), "no such place");
}

impl From<PlaceKind> for Kind {
    fn from(kind: PlaceKind) -> Self {
        match kind {
            PlaceKind::Crossing => Self::Crossing,
            PlaceKind::Landing => Self::Landing,
            PlaceKind::Town => Self::Town,
            PlaceKind::Island => Self::Island,
        }
    }
}
