//! The geography as its users meet it: names that mean two places, points that lie where they should not.

use super::*;

#[test]
fn the_country_of_a_point_is_told() {
    for (name, latitude, longitude, country) in [
        ("Bamako", 12.64, -8.0, Some("ML")),
        ("Agadez", 16.97, 7.99, Some("NE")),
        ("Faya", 17.93, 19.10, Some("TD")),
        ("Brikama", 13.27, -16.65, Some("GM")),
        ("Praia", 14.93, -23.51, Some("CV")),
        ("Tenerife", 28.3, -16.5, Some("ES")),
        ("Dakhla bay's shore", 23.9, -15.7, Some("EH")),
        ("Laayoune, west of the line of control", 27.15, -13.1, Some("EH")),
        ("Tifariti, east of it", 26.15, -10.56, Some("EH")),
        ("Tarfaya's hinterland", 27.9, -12.8, Some("MA")),
        ("open sea off Dakar", 14.7, -18.5, None),
        ("Tokyo", 35.7, 139.7, None),
        ("no number", f64::NAN, 0.0, None),
    ] {
        assert_eq!(country_at(latitude, longitude), country, "{name}");
    }
}

#[test]
fn a_point_that_does_not_fit_its_country_is_suspected() {
    let code = |latitude, longitude, country| suspicion(latitude, longitude, country).map(Suspicion::code);
    for (name, latitude, longitude, country, expected) in [
        ("Rosso on the south bank, told of from the north", 16.495, -15.808, "MR", None),
        ("a boat 15 km off Nouadhibou", 20.80, -17.25, "MR", None),
        ("a boat 500 km off Senegal", 18.5, -22.0, "SN", None),
        ("a boat off the Canaries, told of by The Gambia", 21.5, -19.0, "GM", None),
        ("Assamaka", 19.337, 5.776, "NE", None),
        ("Agadez turned: in Nigeria", 7.99, 16.97, "NE", Some("swapped_coordinates")),
        ("Faya turned", 19.10, 17.93, "TD", None),
        ("Nouadhibou turned", -17.04, 20.94, "MR", Some("swapped_coordinates")),
        ("Praia turned", -23.5, 14.93, "CV", Some("swapped_coordinates")),
        ("Bamako as Senegal", 12.64, -8.0, "SN", Some("outside_country")),
        ("a longitude without its sign", 14.7, 17.4, "SN", Some("outside_country")),
        ("Mali has no coast", 16.0, -18.5, "ML", Some("outside_country")),
        ("not filled in", 0.0, 0.0, "GM", Some("zero_coordinates")),
        ("a country of which nothing is known", 35.7, 139.7, "JP", None),
        ("no number", f64::NAN, f64::NAN, "ML", None),
    ] {
        assert_eq!(code(latitude, longitude, Some(country)), expected, "{name}");
    }
    assert_eq!(code(-17.0, 20.9, None), Some("swapped_coordinates"));
    assert_eq!(code(16.5, -15.8, None), None);
    let odd = suspicion(12.64, -8.0, Some("SN")).expect("Bamako is not in Senegal");
    assert_eq!(odd.to_string(), "the point lies 367 km outside the country stated, in ML");
}

#[test]
fn a_name_that_means_two_places_gives_both() {
    let found = |name: &str, country| -> Vec<String> {
        let named = |place: &&Place| folded(place.name) == folded(name);
        find(name, country).into_iter().filter(named).map(|place| place.country.to_owned()).collect()
    };
    assert_eq!(found("rosso", None), ["MR", "SN"]);
    assert_eq!(found("Rosso", Some("sn")), ["SN"]);
    assert_eq!(found("Gao", None), ["ML", "BF"]);
    assert_eq!(found("Dakhla", None), ["EH"]);
    let codes = |name| countries_named(name).iter().map(|facts| facts.code).collect::<Vec<_>>();
    assert_eq!(codes("Niger"), ["NE", "NG"]);
    assert_eq!(codes("Guinée"), ["GN", "GW", "GQ"]);
    assert_eq!(codes("guinea-bissau"), ["GW"]);
    assert_eq!(codes("موريتانيا"), ["MR"]);
    assert!(codes("").is_empty() && find(" ", None).is_empty());
}

#[test]
fn places_on_the_routes_are_known_by_every_spelling() {
    for (name, id) in [
        ("gogui", "gogui-ml"),
        ("Assamaka", "assamaka-ne"),
        ("KAFOUNTINE", "kafountine-sn"),
        ("Dirkou", "dirkou-ne"),
        ("Faya", "faya-td"),
        ("Guerguerat", "guerguerat-eh"),
        ("الكركرات", "guerguerat-eh"),
        ("m'bour", "mbour-sn"),
        ("Saint Louis", "saint-louis-sn"),
        ("seguedine", "seguedine-ne"),
        ("sal", "sal-cv"),
        ("point zero", "point-zero-ne"),
    ] {
        assert_eq!(find(name, None).first().map(|place| place.id), Some(id), "{name}");
    }
    for town in ["Sélibaby", "Arlit", "Kidal", "Kayes", "Nioro", "Agadez", "Nouakchott", "Zouerat"] {
        assert!(!find(town, None).is_empty(), "{town}");
    }
}

#[test]
fn codes_that_look_alike_are_kept_apart() {
    let named = |code| areas_by_code(code).iter().map(|area| (area.scheme, area.name)).collect::<Vec<_>>();
    assert_eq!(named("MR-09"), [("iso3166-2", "Tagant")]);
    assert_eq!(named("mr09"), [("ocha-pcode", "Inchiri")]);
    assert_eq!(named("SN09"), [("ocha-pcode", "Matam")]);
    assert!(areas().iter().all(|area| !area.version.is_empty() && country(area.country).is_some()));
}

#[test]
fn the_tables_agree_with_each_other_and_with_the_outlines() {
    let codes: std::collections::BTreeSet<_> = areas().iter().map(|area| area.code).collect();
    assert!(places().len() > 1_500);
    for place in places() {
        let at = (place.latitude, place.longitude);
        assert!(country(place.country).is_some(), "{}", place.name);
        assert!(place.area.is_none_or(|area| codes.contains(area)), "{}", place.name);
        assert_eq!(check_point(at.0, at.1, place.country), Ok(()), "{} {}", place.name, place.country);
        if let Some(faces) = place.faces {
            let other = place_by_id(faces).expect("the other side is known");
            assert_eq!(other.faces, Some(place.id));
            assert!(
                other.country != place.country && distance_km(at, (other.latitude, other.longitude)) < 100.0,
                "{faces}"
            );
        }
        let segment = place.segment.map(|text| text.parse::<crate::catalogue::Segment>());
        assert!(segment.is_none_or(|parsed| parsed.is_ok()), "{}", place.name);
    }
    for member in crate::society::MEMBERS {
        let facts = country(member.society.code()).expect("a member");
        assert!(facts.member && facts.alpha3 == member.alpha3 && facts.utc_minutes.is_some());
        assert!(["fr", "en", "pt", "ar"].iter().all(|language| !facts.name(language).is_empty()));
    }
    assert_eq!(country("EH").map(|facts| facts.name("fr")), Some("Sahara occidental"));
}

#[test]
fn what_lies_around_a_point_is_found_nearest_first() {
    let around = near(16.51, -15.80, 10.0);
    assert_eq!(around.first().map(|(_, place)| place.id), Some("rosso-mr"));
    assert!(around.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    assert!(near(f64::NAN, 0.0, 10.0).is_empty());
}
