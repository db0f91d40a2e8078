//! Maps of points, shapes and nothing at all.

use super::*;

fn sheet(points: &[Option<(f64, f64)>]) -> Sheet {
    let mark = |point: &Option<(f64, f64)>| Mark {
        name: "Rosso <&>".to_owned(),
        role: "Current".to_owned(),
        colour: "#0b5cad",
        point: *point,
        radius_km: 15.0,
    };
    Sheet {
        prefix: "EXERCISE".to_owned(),
        language: "en",
        marks: points.iter().map(mark).collect(),
        ..Sheet::default()
    }
}

#[test]
fn western_sahara_is_named_in_two_languages_and_drawn_dashed() {
    let map = svg(&sheet(&[Some((24.5, -14.0))]));
    assert!(map.contains("Western Sahara") && map.contains("Sahara occidental") && map.contains("stroke-dasharray"));
    assert!(map.contains(">EXERCISE<") && map.contains("GeoNames") && map.contains(" km<"));
    assert!(!map.contains("<&>"));
}

#[test]
fn shapes_are_drawn_whole_and_without_points_that_nobody_sees() {
    let fine = (0..5_000).map(|at| (f64::from(at) * std::f64::consts::TAU / 5_000.0).sin_cos());
    let ring: Vec<(f64, f64)> = fine.map(|(sin, cos)| (20.0 + sin / 100.0, 1.0 + cos / 100.0)).collect();
    let far = vec![(14.0, -5.0), (14.0, -4.0), (15.0, -4.0), (14.0, -5.0)];
    let map = svg(&Sheet { shapes: vec![ring, far], ..sheet(&[None]) });
    let drawn = map.lines().find(|line| line.contains(r#"fill-opacity="0.14""#)).expect("the shapes");
    assert_eq!((drawn.matches('M').count(), drawn.matches('Z').count()), (2, 2));
    assert!(drawn.matches('L').count() < 100, "{}", drawn.len());
}

#[test]
fn where_shapes_say_it_no_place_has_a_reach_of_its_own() {
    let ring = vec![(14.0, -5.0), (14.0, -4.0), (15.0, -4.0), (14.0, -5.0)];
    let reaches = |map: &str| map.matches(r#"fill-opacity="0.16""#).count();
    let point = sheet(&[Some((14.3, -4.5))]);
    assert_eq!(reaches(&svg(&point)), 1);
    assert_eq!(reaches(&svg(&Sheet { shapes: vec![ring], ..point.clone() })), 0);
    assert_eq!(reaches(&svg(&Sheet { circles: vec![(14.3, -4.5, 30.0), (15.0, -5.0, 50.0)], ..point })), 2);
}

#[test]
fn beyond_the_outlines_there_is_neither_land_nor_sea_and_the_legend_keeps_its_numbers() {
    let far = svg(&sheet(&[Some((42.05, -82.72))]));
    assert!(far.contains("Grey: beyond the base map."));
    assert!(!svg(&sheet(&[Some((14.3, -4.5))])).contains("beyond the base map"));
    let mut long = sheet(&[Some((42.05, -82.72))]);
    long.marks[0].name = "A name that is much longer than what there is room for in one half of the legend".into();
    assert!(svg(&long).contains("… (42.050, -82.720 ± 15 km)"), "{}", svg(&long));
}

#[test]
fn any_points_give_a_map() {
    for points in [
        vec![],
        vec![None],
        vec![Some((0.0, 0.0))],
        vec![Some((90.0, 180.0)), Some((-90.0, -180.0))],
        vec![Some((16.5, -15.8)); 40],
    ] {
        let map = svg(&sheet(&points));
        assert!(map.ends_with("</svg>\n") && !map.contains("NaN") && !map.contains("inf"), "{points:?}");
    }
}
