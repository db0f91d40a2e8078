//! The shapes of a CAP area, brought down to one point and the distance within which all of it lies.

use super::xml::Element;
use crate::{
    alert::{Degrees, Kilometres},
    limits::{POINTS_MAX, POLYGONS_MAX},
    refusal::{Code, Refusal},
};

/// The Earth's mean radius (IUGG), km.
const EARTH_KM: f64 = 6_371.0;
/// Half of the Earth's girth, rounded down: the largest precision there is.
const FARTHEST_KM: f64 = 20_000.0;

/// Latitude and longitude in degrees.
pub(super) type Point = (f64, f64);

/// How many shapes and points one alert has used up of what it may have.
#[derive(Default)]
pub(super) struct Budget {
    polygons: usize,
    points: usize,
}

/// A point, and how far around it the shape reaches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spot {
    pub(super) latitude: Degrees,
    pub(super) longitude: Degrees,
    pub(super) precision: Kilometres,
}

/// The spot that covers all `polygon` and `circle` elements of an area; none when there are none.
///
/// A lone circle is itself; a lone polygon is its centroid; several shapes are the middle of their frame.
///
/// # Errors
/// `bad_place` for numbers that are no shape, `too_many` beyond 500 polygons or 100,000 points in one alert.
pub(super) fn spot(area: &Element, budget: &mut Budget) -> Result<Option<Spot>, Refusal> {
    let mut polygons = Vec::new();
    let mut circles = Vec::new();
    for shape in area.children.iter().filter(|child| !child.text.is_empty()) {
        let at = |refusal: Refusal| Refusal { message: format!("line {}: {}", shape.line, refusal.message), ..refusal };
        match shape.name.as_str() {
            "polygon" => polygons.push(polygon(&shape.text, budget).map_err(at)?),
            "circle" => circles.push(circle(&shape.text, budget).map_err(at)?),
            _ => {}
        }
    }
    let middle = match (polygons.as_slice(), circles.as_slice()) {
        ([], []) => return Ok(None),
        ([], [(centre, _)]) => *centre,
        ([ring], []) => centroid(ring),
        _ => frame_middle(polygons.iter().flatten().chain(circles.iter().map(|(centre, _)| centre))),
    };
    let corners = polygons.iter().flatten().map(|point| distance_km(middle, *point));
    let rims = circles.iter().map(|(centre, radius)| distance_km(middle, *centre) + radius);
    let precision = corners.chain(rims).fold(0.0, f64::max).min(FARTHEST_KM);
    Ok(Some(Spot {
        latitude: Degrees::new(middle.0)?,
        longitude: Degrees::new(middle.1)?,
        precision: Kilometres::new(precision)?,
    }))
}

fn bad(message: &str) -> Refusal {
    Refusal::new(Code::BadPlace, message)
}

fn point(text: &str) -> Result<Point, Refusal> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    text.split_once(',')
        .and_then(|(latitude, longitude)| Some((number(latitude)?, number(longitude)?)))
        .filter(|(latitude, longitude)| (-90.0..=90.0).contains(latitude) && (-180.0..=180.0).contains(longitude))
        .ok_or_else(|| bad("a point is latitude,longitude in degrees"))
}

/// At least four points, the last of which is the first again, compared as numbers.
pub(super) fn polygon(text: &str, budget: &mut Budget) -> Result<Vec<Point>, Refusal> {
    budget.polygons += 1;
    budget.points += text.split_whitespace().count();
    if budget.polygons > POLYGONS_MAX || budget.points > POINTS_MAX {
        let message = format!("an alert has at most {POLYGONS_MAX} polygons and {POINTS_MAX} points");
        return Err(Refusal::new(Code::TooMany, message));
    }
    let ring = text.split_whitespace().map(point).collect::<Result<Vec<_>, _>>()?;
    if ring.len() < 4 || ring.first() != ring.last() {
        return Err(bad("a polygon has four points or more and ends where it begins"));
    }
    Ok(ring)
}

pub(super) fn circle(text: &str, budget: &mut Budget) -> Result<(Point, f64), Refusal> {
    budget.points += 1;
    let radius = |text: &str| text.parse().ok().filter(|radius| (0.0..=FARTHEST_KM).contains(radius));
    match text.split_whitespace().collect::<Vec<_>>().as_slice() {
        [centre, reach] if budget.points <= POINTS_MAX => {
            let reach = radius(reach).ok_or_else(|| bad("the radius of a circle is a number of kilometres"))?;
            Ok((point(centre)?, reach))
        }
        [_, _] => Err(Refusal::new(Code::TooMany, format!("an alert has at most {POINTS_MAX} points"))),
        _ => Err(bad("a circle is latitude,longitude and a radius in kilometres")),
    }
}

/// The centroid of a ring by area, in the plane of degrees; the middle of its frame when the ring has no
/// area, or crosses itself so that the centroid falls outside it.
fn centroid(ring: &[Point]) -> Point {
    let origin = ring.first().copied().unwrap_or_default();
    let (mut area, mut sum) = (0.0, (0.0, 0.0));
    for pair in ring.windows(2) {
        // Relative to the first corner: small areas far from 0,0 would lose their digits otherwise.
        let (a, b) = ((pair[0].0 - origin.0, pair[0].1 - origin.1), (pair[1].0 - origin.0, pair[1].1 - origin.1));
        let cross = a.0 * b.1 - b.0 * a.1;
        area += cross;
        sum = (sum.0 + (a.0 + b.0) * cross, sum.1 + (a.1 + b.1) * cross);
    }
    let middle = (origin.0 + sum.0 / (3.0 * area), origin.1 + sum.1 / (3.0 * area));
    let (low, high) = frame(ring.iter());
    let inside = (low.0..=high.0).contains(&middle.0) && (low.1..=high.1).contains(&middle.1);
    if inside { middle } else { frame_middle(ring.iter()) }
}

fn frame<'a>(points: impl Iterator<Item = &'a Point>) -> (Point, Point) {
    points.fold(((90.0, 180.0), (-90.0, -180.0)), |(low, high), point| {
        ((point.0.min(low.0), point.1.min(low.1)), (point.0.max(high.0), point.1.max(high.1)))
    })
}

fn frame_middle<'a>(points: impl Iterator<Item = &'a Point>) -> Point {
    let (low, high) = frame(points);
    (f64::midpoint(low.0, high.0), f64::midpoint(low.1, high.1))
}

/// Great-circle distance (haversine).
fn distance_km(a: Point, b: Point) -> f64 {
    let half_chord = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let h = half_chord(a.0, b.0) + a.0.to_radians().cos() * b.0.to_radians().cos() * half_chord(a.1, b.1);
    2.0 * EARTH_KM * h.clamp(0.0, 1.0).sqrt().asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(shapes: &[(&str, &str)]) -> Element {
        let child =
            |(name, text): &(&str, &str)| Element { name: (*name).into(), text: (*text).into(), ..Element::default() };
        Element { children: shapes.iter().map(child).collect(), ..Element::default() }
    }

    fn spot_of(shapes: &[(&str, &str)]) -> Option<(f64, f64, f64)> {
        let spot = spot(&area(shapes), &mut Budget::default()).expect("shapes")?;
        let round = |value: f64| (value * 100.0).round() / 100.0;
        Some((round(spot.latitude.degrees()), round(spot.longitude.degrees()), round(spot.precision.kilometres())))
    }

    #[test]
    fn shapes_become_a_point_and_a_reach() {
        assert_eq!(spot_of(&[]), None);
        assert_eq!(spot_of(&[("polygon", "")]), None, "empty polygons stand in real feeds");
        assert_eq!(spot_of(&[("circle", "16.5,-15.8 3")]), Some((16.5, -15.8, 3.0)));
        let square = ("polygon", "10,0 10,2\n12,2\t12,0 10.,-0");
        assert_eq!(spot_of(&[square]), Some((11.0, 1.0, 155.94)));
        assert_eq!(spot_of(&[("polygon", "1,1 1,1 1,1 1,1")]), Some((1.0, 1.0, 0.0)), "no area");
        assert_eq!(spot_of(&[square, ("circle", "11,3 10")]).map(|(a, b, _)| (a, b)), Some((11.0, 1.5)));
    }

    #[test]
    fn what_is_no_shape_is_refused() {
        for shape in [
            ("circle", "16.5,-15.8"),
            ("circle", "16.5 -15.8 3"),
            ("circle", "16.5,-15.8 -1"),
            ("circle", "16.5,-15.8 NaN"),
            ("circle", "91,0 1"),
            ("circle", "inf,0 1"),
            ("polygon", "10,0 10,2 10,0"),
            ("polygon", "10,0 10,2 12,2 12,0"),
            ("polygon", "10,0 10,2 12,2 10"),
        ] {
            assert!(spot(&area(&[shape]), &mut Budget::default()).is_err(), "{shape:?}");
        }
    }

    #[test]
    fn points_and_polygons_are_counted() {
        let ring = |points: usize| vec!["1,1"; points].join(" ");
        let judge = |points| spot(&area(&[("polygon", &ring(points))]), &mut Budget::default()).map(|_| ());
        assert_eq!(judge(POINTS_MAX), Ok(()));
        assert_eq!(judge(POINTS_MAX + 1).map_err(|r| r.code), Err(Code::TooMany));
        let small = ring(4);
        let many =
            |polygons| spot(&area(&vec![("polygon", small.as_str()); polygons]), &mut Budget::default()).map(|_| ());
        assert_eq!(many(POLYGONS_MAX), Ok(()));
        assert_eq!(many(POLYGONS_MAX + 1).map_err(|r| r.code), Err(Code::TooMany));
    }
}
