//! What the standard asks of areas (CAP 1.2, 3.2.4), and the mistakes that people make with coordinates.

use super::{
    finding::{Findings, Rule},
    form::{child, children, text},
    geography,
    schema::Path,
    xml::Element,
};
use crate::limits::{POINTS_MAX, POLYGONS_MAX};

/// Latitude and longitude in degrees.
pub(super) type Point = (f64, f64);

/// Pairs of edges that are looked at in one document to find crossings; what lies beyond is not looked at.
const PAIRS_MAX: usize = 10_000_000;

/// What one document has used up.
pub(super) struct Budget {
    polygons: usize,
    points: usize,
    pairs: usize,
    /// Points that may still be looked up on the map.
    looks: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { polygons: 0, points: 0, pairs: PAIRS_MAX, looks: geography::LOOKS_MAX }
    }
}

/// Holds one area to the standard, and its shapes to the map.
pub(super) fn check(area: &Element, path: &Path<'_>, budget: &mut Budget, findings: &mut Findings) {
    for element in children(area, "areaDesc").filter(|name| name.text.trim().is_empty()).take(1) {
        findings.add(Rule::TextBlank, path.child("areaDesc", 0), element.at(), Rule::TextBlank.sentence());
    }
    let countries = geography::stated(area);
    let mut odd = None;
    for (index, element) in children(area, "polygon").enumerate() {
        let here = path.child("polygon", index + 1);
        if let Some(ring) = polygon(element, &here, budget, findings)
            && odd.is_none()
        {
            odd = geography::oddity(&ring, &countries, &mut budget.looks).map(|rule| (rule, here.to_string(), element));
        }
    }
    for (index, element) in children(area, "circle").enumerate() {
        let here = path.child("circle", index + 1);
        if let Some(centre) = circle(element, &here, budget, findings)
            && odd.is_none()
        {
            odd = geography::oddity(&[centre], &countries, &mut budget.looks)
                .map(|rule| (rule, here.to_string(), element));
        }
    }
    // One for an area: what went wrong once went wrong in all its shapes.
    if let Some((rule, here, element)) = odd {
        findings.add(rule, here, element.at(), rule.sentence());
    }
    heights(area, path, findings);
}

fn heights(area: &Element, path: &Path<'_>, findings: &mut Findings) {
    let Some(ceiling) = child(area, "ceiling") else { return };
    let here = path.child("ceiling", 0);
    let number = |name| text(area, name).and_then(|text| text.parse::<f64>().ok());
    match (child(area, "altitude"), number("altitude"), number("ceiling")) {
        (None, ..) => findings.add(Rule::AreaCeilingAlone, here, ceiling.at(), Rule::AreaCeilingAlone.sentence()),
        (_, Some(low), Some(high)) if high < low => {
            findings.add(Rule::AreaCeilingBelow, here, ceiling.at(), Rule::AreaCeilingBelow.sentence());
        }
        _ => {}
    }
}

fn point(text: &str) -> Option<Point> {
    // Words such as NaN and inf are numbers to the parser, and not to WGS 84.
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b',' | b'e' | b'E'));
    let (latitude, longitude) = text.split_once(',').filter(|_| plain)?;
    let point: Point = (latitude.parse().ok()?, longitude.parse().ok()?);
    ((-90.0..=90.0).contains(&point.0) && (-180.0..=180.0).contains(&point.1)).then_some(point)
}

/// The points of a polygon that is one.
fn polygon(element: &Element, path: &Path<'_>, budget: &mut Budget, findings: &mut Findings) -> Option<Vec<Point>> {
    if element.text.is_empty() {
        return None;
    }
    budget.polygons += 1;
    if budget.polygons == POLYGONS_MAX + 1 {
        let message = format!("this network imports at most {POLYGONS_MAX} polygons");
        findings.add(Rule::LimitPolygons, path, element.at(), message);
    }
    let mut ring = Vec::new();
    for (index, pair) in element.text.split_whitespace().enumerate() {
        let Some(point) = point(pair) else {
            let message = format!("point {}: {}", index + 1, Rule::AreaPoint.sentence());
            findings.add(Rule::AreaPoint, path, element.at(), message);
            return None;
        };
        ring.push(point);
    }
    count(ring.len(), element, path, budget, findings);
    if ring.len() < 4 {
        let message = format!("a polygon has four points or more, this one has {}", ring.len());
        findings.add(Rule::AreaPolygon, path, element.at(), message);
        return None;
    }
    if ring.first() != ring.last() {
        findings.add(Rule::AreaPolygon, path, element.at(), "the last point of a polygon is its first");
        return None;
    }
    if crosses(&ring, &mut budget.pairs) {
        findings.add(Rule::AreaCrossing, path, element.at(), "edges of the polygon cross");
    }
    Some(ring)
}

fn count(points: usize, element: &Element, path: &Path<'_>, budget: &mut Budget, findings: &mut Findings) {
    let before = budget.points;
    budget.points += points;
    if before <= POINTS_MAX && budget.points > POINTS_MAX {
        let message = format!("this network imports at most {POINTS_MAX} points");
        findings.add(Rule::LimitPoints, path, element.at(), message);
    }
}

/// The centre of a circle that is one.
fn circle(element: &Element, path: &Path<'_>, budget: &mut Budget, findings: &mut Findings) -> Option<Point> {
    if element.text.is_empty() {
        return None;
    }
    count(1, element, path, budget, findings);
    let parts: Vec<&str> = element.text.split_whitespace().take(3).collect();
    let good = |radius: &str| {
        let number =
            radius.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
        number && radius.parse::<f64>().is_ok_and(|radius| radius.is_finite() && radius >= 0.0)
    };
    let found = match parts[..] {
        [centre, radius] if good(radius) => point(centre).ok_or(Rule::AreaPoint),
        _ => Err(Rule::AreaCircle),
    };
    found.map_err(|rule| findings.add(rule, path, element.at(), rule.sentence())).ok()
}

/// Whether two edges of a closed ring cross, in the plane of degrees: a sweep from west to east, so that only
/// edges with a meridian in common are compared. `pairs` is how many comparisons are left.
fn crosses(ring: &[Point], pairs: &mut usize) -> bool {
    let mut edges: Vec<(Point, Point)> = ring
        .windows(2)
        .map(|two| if two[0].1 <= two[1].1 { (two[0], two[1]) } else { (two[1], two[0]) })
        .filter(|(a, b)| a != b)
        .collect();
    edges.sort_by(|one, two| one.0.1.total_cmp(&two.0.1));
    let mut active: Vec<(Point, Point)> = Vec::new();
    for edge in edges {
        active.retain(|(_, east)| east.1 > edge.0.1);
        if *pairs < active.len() {
            return false;
        }
        *pairs -= active.len();
        if active.iter().any(|other| edges_cross(*other, edge)) {
            return true;
        }
        active.push(edge);
    }
    false
}

/// Whether two edges cross in a point inside both; edges that only touch do not.
fn edges_cross(first: (Point, Point), second: (Point, Point)) -> bool {
    let below = |one: (Point, Point), two: (Point, Point)| one.0.0.max(one.1.0) < two.0.0.min(two.1.0);
    if below(first, second) || below(second, first) {
        return false;
    }
    let side = |a: Point, b: Point, p: Point| (b.0 - a.0) * (p.1 - a.1) - (b.1 - a.1) * (p.0 - a.0);
    let (a, b) = first;
    let (c, d) = second;
    side(a, b, c) * side(a, b, d) < 0.0 && side(c, d, a) * side(c, d, b) < 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossings_are_found_and_touching_is_none() {
        let square = [(0.0, 0.0), (0.0, 2.0), (2.0, 2.0), (2.0, 0.0), (0.0, 0.0)];
        assert!(!crosses(&square, &mut PAIRS_MAX.clone()));
        let bow = [(0.0, 0.0), (2.0, 2.0), (0.0, 2.0), (2.0, 0.0), (0.0, 0.0)];
        assert!(crosses(&bow, &mut PAIRS_MAX.clone()));
        let spike = [(0.0, 0.0), (0.0, 2.0), (1.0, 0.0), (2.0, 2.0), (2.0, 0.0), (0.0, 0.0)];
        assert!(!crosses(&spike, &mut PAIRS_MAX.clone()), "a corner on an edge only touches");
    }

    #[test]
    fn a_coast_of_a_hundred_thousand_points_is_looked_at_within_the_budget() {
        let mut ring: Vec<Point> = (0..99_999)
            .map(|i| (f64::from(i) * std::f64::consts::TAU / 99_999.0).sin_cos())
            .map(|(sin, cos)| (10.0 + sin, cos))
            .collect();
        ring.push(ring[0]);
        let mut pairs = PAIRS_MAX;
        assert!(!crosses(&ring, &mut pairs));
        assert!(pairs > 0);
        ring.swap(500, 90_000);
        assert!(crosses(&ring, &mut pairs));
    }
}
