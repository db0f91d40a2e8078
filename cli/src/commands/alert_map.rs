//! `passerelle alert map`: what an alert says, put on a sheet, and the sheet into a file.

use std::fs;

use passerelle_domain::{
    alert::{Alert, Place, life::Shown},
    brief::{self, Subject},
    cap,
    catalogue::{Mode, PlaceRole, Sensitivity, labels},
};
use serde_json::json;

use super::alert_text::Known;
use crate::{
    args::MapArgs,
    console::Console,
    draw::{
        self,
        map::{Banner, Mark, Sheet},
    },
    failure::Failure,
    render::Printer,
};

/// Pixels of the PNG for one of the sheet: sharp in print.
const SCALE: f32 = 1.5;

/// Draws an alert into the file that the command line names.
pub(super) fn draw(args: &MapArgs, known: &Known, printer: Printer, console: &mut Console<'_>) -> Result<(), Failure> {
    let Some(path) = &args.picture else {
        return Err(Failure::usage("a map needs a file to be written to", "Add --output map.png, or map.svg."));
    };
    let sheet = sheet(known.subject(), labels::primary(&args.text.lang));
    let svg = draw::map::svg(&sheet);
    let is_png = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
    let bytes = if is_png { draw::png(&svg, SCALE)? } else { svg.into_bytes() };
    let name = path.display();
    fs::write(path, &bytes)
        .map_err(|error| Failure::usage(format!("cannot write {name}: {error}"), "Check the path and its rights."))?;
    let pinned = sheet.marks.iter().filter(|mark| mark.point.is_some()).count();
    let (places, shapes) = (sheet.marks.len(), sheet.shapes.len() + sheet.circles.len());
    let value = json!({"file": name.to_string(), "bytes": bytes.len(), "places": places, "on_the_map": pinned, "shapes": shapes});
    printer.own(&value, |page| page.line(format!("Drawn: {name}, {pinned} of {places} places on the map.")), console)
}

fn sheet(subject: Subject<'_>, language: &'static str) -> Sheet {
    let alert = subject.alert;
    let label = |vocabulary: &str, code: &str| labels::label(vocabulary, code, language).unwrap_or_default();
    let mut prefix = Vec::new();
    if alert.mode != Mode::Actual {
        prefix.push(label("mode", alert.mode.as_str()));
    }
    if let Some(state) = subject.state.filter(|state| *state != Shown::Active) {
        prefix.push(label("shown", state.as_str()));
    }
    let origin = subject.origin.map(|origin| format!("{origin} - ")).unwrap_or_default();
    let triage = [("severity", alert.severity.as_str()), ("urgency", alert.urgency.as_str())];
    let triage: Vec<_> = triage.into_iter().map(|(vocabulary, code)| label(vocabulary, code)).collect();
    let strong = matches!(alert.sensitivity, Sensitivity::PartnersNamed | Sensitivity::Restricted);
    let spread = label("sensitivity", alert.sensitivity.as_str());
    let banner = if strong { format!("{spread} - {}", label("brief", "do_not_share")) } else { spread.to_owned() };
    Sheet {
        prefix: prefix.join(" - "),
        title: alert.event.label(language).to_owned(),
        subtitle: headline(alert, language),
        note: format!(
            "{origin}{} - {} {} - {}",
            brief::when(alert.sent_at, language),
            label("brief", "until"),
            brief::when(alert.expires_at, language),
            triage.join(" - ")
        ),
        banner: (alert.sensitivity != Sensitivity::Public).then_some(Banner { text: banner, strong }),
        marks: alert.places.iter().map(|place| mark(place, label("place_role", place.role.as_str()))).collect(),
        // What was imported has shapes of its own; in the alert each is a point and a reach.
        shapes: alert.original.as_ref().map(|original| cap::polygons(&original.bytes)).unwrap_or_default(),
        circles: alert.original.as_ref().map(|original| cap::circles(&original.bytes)).unwrap_or_default(),
        language,
    }
}

/// The headline in the language of the map, else the author's first, marked where a machine wrote it.
fn headline(alert: &Alert, language: &str) -> String {
    let same = |text: &&passerelle_domain::alert::Text| labels::primary(text.lang.as_str()) == language;
    let Some(text) = alert.texts.iter().find(same).or(alert.texts.first()) else { return String::new() };
    let mark = match (text.origin, text.reviewed) {
        (passerelle_domain::catalogue::TextOrigin::Human, _) => return text.headline.clone(),
        (_, true) => "machine_reviewed",
        (_, false) => "machine",
    };
    format!("{} {}", labels::label("brief", mark, language).unwrap_or_default(), text.headline)
}

fn mark(place: &Place, role: &str) -> Mark {
    let colour = match place.role {
        PlaceRole::Occurred => "#b3261e",
        PlaceRole::Current => "#0b5cad",
        PlaceRole::HeadingTo => "#6a3fa0",
        PlaceRole::BorderCrossing => "#8a5a00",
        PlaceRole::Disembarkation => "#1f7a4d",
    };
    let country = place.country.as_ref().map(|country| format!(", {country}")).unwrap_or_default();
    Mark {
        name: format!("{}{country}", place.name),
        role: role.to_owned(),
        colour,
        point: place.latitude.zip(place.longitude).map(|(lat, lon)| (lat.degrees(), lon.degrees())),
        radius_km: place.precision_km.map_or(0.0, |reach| reach.kilometres()),
    }
}
