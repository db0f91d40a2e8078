//! Towns, crossings and landing sites by name: all that a name may mean, never one of them picked in silence.

use std::sync::LazyLock;

use super::{distance_km, fold::folded, table};

/// What a place of the gazetteer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A crossing of a border, on one side of it.
    Crossing,
    /// Where boats leave or land.
    Landing,
    /// A town or village.
    Town,
    /// An island.
    Island,
}

impl Kind {
    /// Its code.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crossing => "crossing",
            Self::Landing => "landing",
            Self::Town => "town",
            Self::Island => "island",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "crossing" => Self::Crossing,
            "landing" => Self::Landing,
            "island" => Self::Island,
            _ => Self::Town,
        }
    }
}

/// A place of the gazetteer.
#[derive(Debug)]
pub struct Place {
    /// Id in this gazetteer, such as `rosso-mr`; empty for a town of GeoNames.
    pub id: &'static str,
    /// ISO 3166-1 alpha-2.
    pub country: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its usual name.
    pub name: &'static str,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Within how many kilometres the point is right.
    pub precision_km: f64,
    /// Id in GeoNames.
    pub geonames_id: Option<u32>,
    /// Code of its first-level area in ISO 3166-2, where known.
    pub area: Option<&'static str>,
    /// Inhabitants by GeoNames; 0 where not known.
    pub people: u32,
    /// Id of the crossing on the other side.
    pub faces: Option<&'static str>,
    /// The route segment that it stands on.
    pub segment: Option<&'static str>,
    /// Since when the name or the crossing is right, a date; none where it always was.
    pub since: Option<&'static str>,
    /// Until when.
    pub until: Option<&'static str>,
    names: [&'static str; 4],
    aliases: Vec<&'static str>,
    folded: Vec<String>,
}

impl Place {
    /// Its name in `language`: French, English, Portuguese or Arabic where it has one of its own there, else its
    /// usual name.
    #[must_use]
    pub fn name_in(&self, language: &str) -> &'static str {
        let [fr, en, pt, ar] = self.names;
        let own = match crate::catalogue::labels::primary(language) {
            "en" => en,
            "pt" => pt,
            "ar" => ar,
            _ => fr,
        };
        if own.is_empty() { self.name } else { own }
    }

    /// Its other names.
    #[must_use]
    pub fn aliases(&self) -> &[&'static str] {
        &self.aliases
    }

    fn with_names(mut self) -> Self {
        let all = std::iter::once(self.name).chain(self.names).chain(self.aliases.iter().copied());
        self.folded = all.filter(|name| !name.is_empty()).map(folded).collect();
        self.folded.sort_unstable();
        self.folded.dedup();
        self
    }
}

/// How far a town's point may be from where people mean, km.
const TOWN_KM: f64 = 3.0;

static PLACES: LazyLock<Vec<Place>> = LazyLock::new(|| {
    let point = |row: table::Row| {
        Some(Place {
            id: row.text(0),
            country: row.text(1),
            kind: Kind::parse(row.text(2)),
            name: row.text(3),
            latitude: row.number(4)?,
            longitude: row.number(5)?,
            precision_km: row.number(6)?,
            names: [row.text(7), row.text(8), row.text(9), row.text(10)],
            aliases: row.list(11),
            faces: row.optional(12),
            geonames_id: row.number(13),
            segment: row.optional(14),
            since: row.optional(15),
            until: row.optional(16),
            area: None,
            people: row.number(17).unwrap_or_default(),
            folded: Vec::new(),
        })
    };
    let town = |row: table::Row| {
        Some(Place {
            id: "",
            geonames_id: row.number(0),
            country: row.text(1),
            kind: Kind::Town,
            name: row.text(2),
            latitude: row.number(3)?,
            longitude: row.number(4)?,
            precision_km: TOWN_KM,
            people: row.number(5)?,
            area: row.optional(6),
            names: ["", "", "", row.text(7)],
            aliases: row.list(8),
            faces: None,
            segment: None,
            since: None,
            until: None,
            folded: Vec::new(),
        })
    };
    let points = table::rows(include_str!("data/points.tsv")).filter_map(point);
    points.chain(table::rows(include_str!("data/towns.tsv")).filter_map(town)).map(Place::with_names).collect()
});

/// All of them: crossings and landing sites first, then towns by country and size.
#[must_use]
pub fn places() -> &'static [Place] {
    &PLACES
}

/// The place with this id.
#[must_use]
pub fn place_by_id(id: &str) -> Option<&'static Place> {
    PLACES.iter().find(|place| !place.id.is_empty() && place.id == id)
}

/// All places that a name may mean, in one country or in all: those called so first, then those whose name begins so.
/// Accents, case and the forms of Arabic letters make no difference. Crossings and landing sites stand before towns,
/// and large towns before small ones; which of several is meant, only who asks can say.
#[must_use]
pub fn find(name: &str, country: Option<&str>) -> Vec<&'static Place> {
    let wanted = folded(name);
    if wanted.is_empty() {
        return Vec::new();
    }
    let in_country = |place: &&Place| country.is_none_or(|code| place.country.eq_ignore_ascii_case(code));
    let rank = |place: &Place| {
        let exact = place.folded.contains(&wanted);
        let begins = || place.folded.iter().any(|name| name.strip_prefix(&wanted).is_some_and(|r| r.starts_with(' ')));
        let part = || wanted.chars().count() >= 3 && place.folded.iter().any(|name| name.starts_with(&wanted));
        if exact {
            Some(0)
        } else if begins() {
            Some(1)
        } else {
            part().then_some(2)
        }
    };
    let mut found: Vec<_> = PLACES.iter().filter(in_country).filter_map(|place| Some((rank(place)?, place))).collect();
    found.sort_by_key(|(rank, place)| (*rank, place.kind == Kind::Town, std::cmp::Reverse(place.people)));
    found.into_iter().map(|(_, place)| place).collect()
}

/// The places within `radius_km` of a point, the nearest first, with the distance in kilometres.
#[must_use]
pub fn near(latitude: f64, longitude: f64, radius_km: f64) -> Vec<(f64, &'static Place)> {
    let from = (latitude, longitude);
    let away = |place: &'static Place| (distance_km(from, (place.latitude, place.longitude)), place);
    let mut found: Vec<_> = PLACES.iter().map(away).filter(|(km, _)| *km <= radius_km).collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found
}
