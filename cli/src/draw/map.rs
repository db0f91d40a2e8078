//! An outline map with numbered marks and a legend, drawn without internet. Boundaries are those of the domain's
//! outlines; those of Western Sahara are dashed, and its name stands in two languages, so that no claim is drawn.

use passerelle_domain::geo;

use super::{Anchor, Svg, Text};

/// What is drawn.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// In bold before the title: EXERCISE, TEST, CANCELLED; empty for the real thing.
    pub prefix: String,
    /// What it is about.
    pub title: String,
    /// One more line.
    pub subtitle: String,
    /// A line in small print, such as when it was sent and how long it holds.
    pub note: String,
    /// How far the map may be shown, and whether that is far; none for what is public.
    pub banner: Option<Banner>,
    /// What lies where.
    pub marks: Vec<Mark>,
    /// Outlines of what it is about, each a closed ring of degrees north and east.
    pub shapes: Vec<Vec<(f64, f64)>>,
    /// Circles of what it is about: degrees north and east, and kilometres.
    pub circles: Vec<(f64, f64, f64)>,
    /// Language of the names of countries: fr, en, pt or ar.
    pub language: &'static str,
}

impl Sheet {
    /// Where a place is and how far it reaches: nowhere, where shapes say that better.
    fn reach(&self, mark: &Mark) -> Option<(f64, f64, f64)> {
        let (latitude, longitude) = mark.point?;
        let shaped = !self.shapes.is_empty() || !self.circles.is_empty();
        Some((latitude, longitude, if shaped { 0.0 } else { mark.radius_km }))
    }
}

/// How far the map may be shown.
#[derive(Clone, Debug)]
pub struct Banner {
    /// In words.
    pub text: String,
    /// Whether it is drawn as a warning.
    pub strong: bool,
}

/// A place on the map.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Its name.
    pub name: String,
    /// What it is to the event, in words.
    pub role: String,
    /// Colour of the role, as CSS has it.
    pub colour: &'static str,
    /// Degrees north and east; a mark without a point stands in the legend alone.
    pub point: Option<(f64, f64)>,
    /// Within how many kilometres.
    pub radius_km: f64,
}

const WIDTH: f64 = 1_200.0;
const MAP_HEIGHT: f64 = 680.0;
const MARGIN: f64 = 24.0;
/// Marks of the legend; more are counted.
const LEGEND_MAX: usize = 10;
/// Kilometres of one degree of latitude.
const DEGREE_KM: f64 = 111.195;
/// The least height of what is shown, degrees: enough to know where one is.
const SPAN_MIN: f64 = 5.0;
const INK: &str = "#1d2733";
const GREY: &str = "#5b6670";

/// Longitude and latitude to pixels: equirectangular, true to scale in the middle.
struct View {
    west: f64,
    north: f64,
    /// Pixels a degree of latitude.
    scale: f64,
    narrow: f64,
    top: f64,
}

impl View {
    /// What shows all points and shapes, with some land around them.
    fn around(sheet: &Sheet, top: f64) -> Self {
        let spread = |(latitude, longitude, km): (f64, f64, f64)| {
            let reach = (km / DEGREE_KM).min(10.0);
            [latitude - reach, latitude + reach, longitude - reach, longitude + reach]
        };
        let corners = sheet.shapes.iter().flatten().map(|(lat, lon)| [*lat, *lat, *lon, *lon]);
        let circles = sheet.circles.iter().copied().chain(sheet.marks.iter().filter_map(|mark| sheet.reach(mark)));
        let found: Vec<_> = circles.map(spread).chain(corners).collect();
        // Without any point, the whole region.
        let all = if found.is_empty() { vec![[5.0, 36.0, -25.0, 24.0]] } else { found };
        let south = all.iter().map(|frame| frame[0]).fold(90.0, f64::min);
        let north = all.iter().map(|frame| frame[1]).fold(-90.0, f64::max);
        let west = all.iter().map(|frame| frame[2]).fold(180.0, f64::min);
        let east = all.iter().map(|frame| frame[3]).fold(-180.0, f64::max);
        let (middle, centre) = ((south + north) / 2.0, (west + east) / 2.0);
        let narrow = middle.to_radians().cos().max(0.2);
        let high = ((north - south) * 1.5).max(SPAN_MIN);
        let wide = ((east - west) * 1.4 * narrow).max(SPAN_MIN);
        let scale = (MAP_HEIGHT / high).min(WIDTH / wide);
        let (half_high, half_wide) = (MAP_HEIGHT / scale / 2.0, WIDTH / scale / narrow / 2.0);
        Self { west: centre - half_wide, north: middle + half_high, scale, narrow, top }
    }

    fn pixel(&self, longitude: f64, latitude: f64) -> (f64, f64) {
        ((longitude - self.west) * self.narrow * self.scale, self.top + (self.north - latitude) * self.scale)
    }

    fn degrees(&self, x: f64, y: f64) -> (f64, f64) {
        (self.north - (y - self.top) / self.scale, self.west + x / self.scale / self.narrow)
    }

    fn holds(&self, (x, y): (f64, f64)) -> bool {
        (0.0..=WIDTH).contains(&x) && (self.top..=self.top + MAP_HEIGHT).contains(&y)
    }

    /// Whether it shows more than the region of the outlines.
    fn is_beyond(&self) -> bool {
        let [west, south, east, north] = geo::REGION;
        let ((top, left), (bottom, right)) = (self.degrees(0.0, self.top), self.degrees(WIDTH, self.top + MAP_HEIGHT));
        left < west || right > east || top > north || bottom < south
    }

    fn kilometres(&self, km: f64) -> f64 {
        km / DEGREE_KM * self.scale
    }
}

/// Where labels stand already.
#[derive(Default)]
struct Taken(Vec<[f64; 4]>);

impl Taken {
    /// Takes a box, unless something stands there.
    fn take(&mut self, [left, top, right, bottom]: [f64; 4], view: &View) -> bool {
        let inside = left > 2.0 && right < WIDTH - 2.0 && top > view.top && bottom < view.top + MAP_HEIGHT;
        let free = self.0.iter().all(|[l, t, r, b]| right < *l || left > *r || bottom < *t || top > *b);
        if inside && free {
            self.0.push([left, top, right, bottom]);
        }
        inside && free
    }
}

/// The map as SVG, 1200 pixels wide.
#[must_use]
pub fn svg(sheet: &Sheet) -> String {
    let top = if sheet.banner.is_some() { 150.0 } else { 118.0 };
    let shown = sheet.marks.len().min(LEGEND_MAX);
    let footer = 62.0 + 26.0 * (shown.div_ceil(2)) as f64;
    let view = View::around(sheet, top);
    let mut svg = Svg::new(WIDTH, top + MAP_HEIGHT + footer);
    svg.rect(0.0, 0.0, WIDTH, top + MAP_HEIGHT + footer, r##"fill="#ffffff""##);
    svg.raw(&format!(
        r#"<clipPath id="map"><rect x="0" y="{top}" width="{WIDTH}" height="{MAP_HEIGHT}"/></clipPath><g clip-path="url(#map)">"#
    ));
    land(&view, &mut svg);
    let mut taken = Taken::default();
    areas(sheet, &view, &mut svg);
    let labels = marks(sheet, &view, &mut taken);
    countries(sheet, &view, &mut taken, &mut svg);
    towns(sheet, &view, &mut taken, &mut svg);
    labels.into_iter().for_each(|draw| draw(&mut svg));
    scale_bar(&view, &mut svg);
    svg.raw("</g>");
    svg.rect(0.0, top, WIDTH, MAP_HEIGHT, r##"fill="none" stroke="#8a97a3" stroke-width="1""##);
    head(sheet, &mut svg);
    legend(sheet, top + MAP_HEIGHT, view.is_beyond(), &mut svg);
    svg.finish()
}

fn plain(size: f64, fill: &str) -> Text<'_> {
    Text { size, fill, bold: false, anchor: Anchor::Start, halo: None }
}

fn head(sheet: &Sheet, svg: &mut Svg) {
    // In Arabic, lines begin at the right.
    let arabic = sheet.language == "ar";
    let (x, anchor) = if arabic { (WIDTH - MARGIN, Anchor::End) } else { (MARGIN, Anchor::Start) };
    let title = Text { size: 28.0, fill: INK, bold: true, anchor, halo: None };
    if sheet.prefix.is_empty() {
        svg.text(x, 44.0, title, &clipped(&sheet.title, 62));
    } else {
        let width = 17.5 * sheet.prefix.chars().count() as f64 + 28.0;
        let left = if arabic { WIDTH - MARGIN - width } else { MARGIN };
        svg.rect(left, 14.0, width, 40.0, r##"rx="4" fill="#b3261e""##);
        let white = Text { size: 24.0, fill: "#ffffff", bold: true, anchor: Anchor::Middle, halo: None };
        svg.text(left + width / 2.0, 43.0, white, &sheet.prefix);
        let beside = if arabic { left - 16.0 } else { left + width + 16.0 };
        svg.text(beside, 44.0, title, &clipped(&sheet.title, 50));
    }
    svg.text(x, 78.0, Text { anchor, ..plain(17.0, INK) }, &clipped(&sheet.subtitle, 118));
    svg.text(x, 103.0, Text { anchor, ..plain(14.0, GREY) }, &clipped(&sheet.note, 140));
    if let Some(banner) = &sheet.banner {
        let (back, ink) = if banner.strong { ("#b3261e", "#ffffff") } else { ("#e3e9ef", INK) };
        svg.rect(0.0, 116.0, WIDTH, 30.0, &format!(r#"fill="{back}""#));
        let look = Text { size: 16.0, fill: ink, bold: banner.strong, anchor: Anchor::Middle, halo: None };
        svg.text(WIDTH / 2.0, 137.0, look, &clipped(&banner.text, 110));
    }
}

/// A text of so many letters at most.
fn clipped(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

fn land(view: &View, svg: &mut Svg) {
    // Where nothing is known there is neither land nor sea.
    svg.rect(0.0, view.top, WIDTH, MAP_HEIGHT, r##"fill="#e4e4e4""##);
    let [west, south, east, north] = geo::REGION;
    let ((left, top), (right, bottom)) = (view.pixel(west, north), view.pixel(east, south));
    let (left, right) = (left.clamp(0.0, WIDTH), right.clamp(0.0, WIDTH));
    let (top, bottom) = (top.clamp(view.top, view.top + MAP_HEIGHT), bottom.clamp(view.top, view.top + MAP_HEIGHT));
    svg.rect(left, top, right - left, bottom - top, r##"fill="#d7e6f0""##);
    let outlines = geo::outlines();
    let project = |points: &[(f64, f64)]| points.iter().map(|(x, y)| view.pixel(*x, *y)).collect::<Vec<_>>();
    for code in outlines.codes() {
        let rings: Vec<_> = outlines.rings(code).iter().map(|ring| project(ring)).collect();
        let member = geo::country(code).is_some_and(|facts| facts.member);
        let fill = if member { "#fbf7ec" } else { "#efeee9" };
        svg.path(&rings, true, &format!(r#"fill="{fill}" fill-rule="evenodd" stroke="none""#));
    }
    let (mut coasts, mut borders, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for line in outlines.borders() {
        let points = project(&line.points);
        match line.countries.as_slice() {
            [_] => coasts.push(points),
            sides if sides.contains(&"EH") => open.push(points),
            _ => borders.push(points),
        }
    }
    svg.path(&coasts, false, r##"fill="none" stroke="#7f9bb0" stroke-width="1.1""##);
    svg.path(&borders, false, r##"fill="none" stroke="#a3937c" stroke-width="1.4""##);
    svg.path(&open, false, r##"fill="none" stroke="#a3937c" stroke-width="1.4" stroke-dasharray="6 5""##);
}

/// A name over the part of each country that is in view.
fn countries(sheet: &Sheet, view: &View, taken: &mut Taken, svg: &mut Svg) {
    const STEP: f64 = 30.0;
    let mut seen: Vec<(&str, Vec<(f64, f64)>)> = Vec::new();
    let rows = (MAP_HEIGHT / STEP) as usize;
    let columns = (WIDTH / STEP) as usize;
    for at in 0..rows * columns {
        let x = ((at % columns) as f64 + 0.5) * STEP;
        let y = view.top + ((at / columns) as f64 + 0.5) * STEP;
        let (latitude, longitude) = view.degrees(x, y);
        let Some(code) = geo::country_at(latitude, longitude) else { continue };
        match seen.iter_mut().find(|(known, _)| *known == code) {
            Some((_, points)) => points.push((x, y)),
            None => seen.push((code, vec![(x, y)])),
        }
    }
    for (code, points) in seen.into_iter().filter(|(_, points)| points.len() >= 4) {
        let count = points.len() as f64;
        let middle = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
        let mut order = points;
        order.sort_by(|a, b| away(*a, middle).total_cmp(&away(*b, middle)));
        // Disputed, so named in two languages and in small letters.
        let lines: Vec<String> = if code == "EH" {
            vec!["Western Sahara".to_owned(), "Sahara occidental".to_owned()]
        } else {
            geo::country(code).map(|facts| facts.name(sheet.language).to_uppercase()).into_iter().collect()
        };
        let size = if code == "EH" { 13.0 } else { 15.0 };
        let half = lines.iter().map(|line| line.chars().count()).max().unwrap_or_default() as f64 * size * 0.36;
        let high = lines.len() as f64 * (size + 3.0);
        for (x, y) in order {
            if taken.take([x - half, y - size, x + half, y + high - size], view) {
                let look = Text { anchor: Anchor::Middle, ..plain(size, "#8d8472") };
                for (at, line) in lines.iter().enumerate() {
                    svg.text(x, y + at as f64 * (size + 3.0), look, line);
                }
                break;
            }
        }
    }
}

fn away((ax, ay): (f64, f64), (bx, by): (f64, f64)) -> f64 {
    (ax - bx).hypot(ay - by)
}

fn towns(sheet: &Sheet, view: &View, taken: &mut Taken, svg: &mut Svg) {
    const TOWNS_MAX: usize = 14;
    let mut known: Vec<_> = geo::places().iter().filter(|place| place.people > 0 || !place.id.is_empty()).collect();
    known.sort_by_key(|place| {
        std::cmp::Reverse(if place.id.is_empty() { place.people } else { place.people.max(60_000) })
    });
    let mut drawn = 0;
    for place in known {
        let (x, y) = view.pixel(place.longitude, place.latitude);
        let marked = sheet.marks.iter().filter_map(|mark| mark.point).map(|(lat, lon)| view.pixel(lon, lat));
        if drawn == TOWNS_MAX || !view.holds((x, y)) || marked.into_iter().any(|mark| away(mark, (x, y)) < 14.0) {
            continue;
        }
        let name = if sheet.language == "ar" { place.name_in("ar") } else { place.name };
        let right = x + 8.0 + name.chars().count() as f64 * 7.4;
        if taken.take([x - 4.0, y - 9.0, right, y + 7.0], view) {
            svg.circle(x, y, 2.6, r##"fill="#5b6670""##);
            svg.text(x + 6.0, y + 4.5, Text { halo: Some("#fbf7ec"), ..plain(12.5, "#4a545d") }, name);
            drawn += 1;
        }
    }
}

/// Outlines, and where the places may be, as circles.
fn areas(sheet: &Sheet, view: &View, svg: &mut Svg) {
    let rings: Vec<Vec<(f64, f64)>> = sheet.shapes.iter().map(|ring| outline(ring, view)).collect();
    if !rings.is_empty() {
        let style = r##"fill="#b3261e" fill-opacity="0.14" stroke="#b3261e" stroke-width="1.5""##;
        svg.path(&rings, true, style);
    }
    let circles = sheet.circles.iter().map(|circle| (*circle, "#b3261e"));
    let reaches = sheet.marks.iter().filter_map(|mark| sheet.reach(mark).map(|reach| (reach, mark.colour)));
    for ((latitude, longitude, km), colour) in circles.chain(reaches) {
        let (x, y) = view.pixel(longitude, latitude);
        let radius = view.kilometres(km);
        if radius > 4.0 {
            let style = format!(r#"fill="{colour}" fill-opacity="0.16" stroke="{colour}" stroke-width="1.5""#);
            svg.circle(x, y, radius, &style);
        }
    }
}

/// A ring in pixels, without the points that cannot be told from the one before.
fn outline(ring: &[(f64, f64)], view: &View) -> Vec<(f64, f64)> {
    const TELLING_PIXELS: f64 = 0.7;
    let mut drawn: Vec<(f64, f64)> = Vec::new();
    for (latitude, longitude) in ring {
        let point = view.pixel(*longitude, *latitude);
        if drawn.last().is_none_or(|last| away(*last, point) >= TELLING_PIXELS) {
            drawn.push(point);
        }
    }
    drawn
}

/// Something still to be drawn.
type Stroke<'a> = Box<dyn FnOnce(&mut Svg) + 'a>;

/// Takes the room of each mark and its name, and gives what draws them, so that they stand on top.
fn marks<'a>(sheet: &'a Sheet, view: &View, taken: &mut Taken) -> Vec<Stroke<'a>> {
    let mut labels: Vec<Stroke<'a>> = Vec::new();
    let pinned = sheet.marks.iter().enumerate().filter_map(|(at, mark)| {
        let (latitude, longitude) = mark.point?;
        Some((at, mark, view.pixel(longitude, latitude)))
    });
    let pinned: Vec<_> = pinned.filter(|(_, _, at)| view.holds(*at)).collect();
    let mut badges: Vec<(f64, f64)> = Vec::new();
    for (_, _, point) in &pinned {
        let (x, y) = beside(*point, &badges);
        badges.push((x, y));
        taken.0.push([x - 12.0, y - 12.0, x + 12.0, y + 12.0]);
    }
    // Lines to badges that had to step aside lie under all badges.
    for ((_, mark, point), badge) in pinned.iter().copied().zip(badges.iter().copied()) {
        if away(point, badge) > 1.0 {
            labels.push(Box::new(move |svg| {
                let style = r##"fill="none" stroke="#1d2733" stroke-width="1.2""##;
                svg.path(&[vec![point, badge]], false, style);
                svg.circle(point.0, point.1, 3.0, &format!(r#"fill="{}""#, mark.colour));
            }));
        }
    }
    for ((at, mark, _), (x, y)) in pinned.into_iter().zip(badges) {
        let name = clipped(&mark.name, 32);
        let long = name.chars().count() as f64 * 9.4;
        let spots = [
            (x + 16.0, y + 5.0, Anchor::Start),
            (x - 16.0, y + 5.0, Anchor::End),
            (x, y - 18.0, Anchor::Middle),
            (x, y + 28.0, Anchor::Middle),
        ];
        let spot = spots.into_iter().find(|(x, y, anchor)| {
            let left = match anchor {
                Anchor::Start => *x,
                Anchor::Middle => x - long / 2.0,
                Anchor::End => x - long,
            };
            taken.take([left, y - 13.0, left + long, y + 4.0], view)
        });
        labels.push(Box::new(move |svg| {
            if let Some((x, y, anchor)) = spot {
                let look = Text { size: 15.0, fill: INK, bold: true, anchor, halo: Some("#ffffff") };
                svg.text(x, y, look, &name);
            }
            badge(x, y, at, mark.colour, svg);
        }));
    }
    labels
}

/// Where a badge stands: at its point or, where others stand, a little beside it.
fn beside((x, y): (f64, f64), others: &[(f64, f64)]) -> (f64, f64) {
    const APART: f64 = 24.0;
    const RINGS: u32 = 3;
    let ring = |step: u32| {
        let (turn, reach) = (f64::from(step % 8) * std::f64::consts::FRAC_PI_4, 30.0 * f64::from(1 + step / 8));
        (x + reach * turn.sin(), y + reach * turn.cos())
    };
    let free = |spot: &(f64, f64)| others.iter().all(|other| away(*other, *spot) >= APART);
    std::iter::once((x, y)).chain((0..8 * RINGS).map(ring)).find(free).unwrap_or((x, y))
}

/// A numbered dot in the colour of a role.
fn badge(x: f64, y: f64, at: usize, colour: &str, svg: &mut Svg) {
    svg.circle(x, y, 11.0, &format!(r##"fill="{colour}" stroke="#ffffff" stroke-width="2""##));
    let white = Text { size: 12.0, fill: "#ffffff", bold: true, anchor: Anchor::Middle, halo: None };
    svg.text(x, y + 4.3, white, &(at + 1).to_string());
}

fn scale_bar(view: &View, svg: &mut Svg) {
    let fits = |km: &f64| view.kilometres(*km) <= 220.0;
    let lengths = [1_000.0, 500.0, 200.0, 100.0, 50.0, 20.0, 10.0, 5.0];
    let km = lengths.into_iter().find(fits).unwrap_or(5.0);
    let long = view.kilometres(km);
    let (x, y) = (MARGIN, view.top + MAP_HEIGHT - 22.0);
    svg.rect(x - 10.0, y - 24.0, long + 20.0, 36.0, r##"rx="3" fill="#ffffff" fill-opacity="0.85""##);
    let ticks = vec![(x, y - 5.0), (x, y), (x + long, y), (x + long, y - 5.0)];
    svg.path(&[ticks], false, r##"fill="none" stroke="#1d2733" stroke-width="1.6""##);
    svg.text(x + long / 2.0, y - 8.0, Text { anchor: Anchor::Middle, ..plain(12.0, INK) }, &format!("{km:.0} km"));
}

fn legend(sheet: &Sheet, top: f64, beyond: bool, svg: &mut Svg) {
    for (at, mark) in sheet.marks.iter().take(LEGEND_MAX).enumerate() {
        let x = MARGIN + if at % 2 == 0 { 0.0 } else { WIDTH / 2.0 };
        let y = top + 26.0 + 26.0 * (at / 2) as f64;
        badge(x + 11.0, y, at, mark.colour, svg);
        let near = match mark.radius_km {
            km if km >= 10.0 => format!(" ± {km:.0} km"),
            km if km > 0.0 => format!(" ± {km:.1} km"),
            _ => String::new(),
        };
        let point = mark.point.map(|(lat, lon)| format!(" ({lat:.3}, {lon:.3}{near})")).unwrap_or_default();
        // The name gives way, not the numbers.
        let room = 74_usize.saturating_sub(mark.role.chars().count() + point.chars().count() + 3).max(12);
        let text = format!("{} - {}{point}", mark.role, clipped(&mark.name, room));
        svg.text(x + 30.0, y + 5.0, plain(14.0, INK), &text);
    }
    let rest = sheet.marks.len().saturating_sub(LEGEND_MAX);
    let bottom = top + 26.0 * (sheet.marks.len().min(LEGEND_MAX).div_ceil(2)) as f64 + 40.0;
    let more = if rest > 0 { format!("+ {rest}. ") } else { String::new() };
    let claim = match sheet.language {
        "en" => "Boundaries and names imply no position on the status of any territory.",
        "pt" => "As fronteiras e os nomes não implicam qualquer posição sobre o estatuto de um território.",
        "ar" => "الحدود والأسماء لا تعني أي موقف من الوضع القانوني لأي إقليم.",
        _ => "Les frontières et les noms n'impliquent aucune position sur le statut d'un territoire.",
    };
    let beyond = match sheet.language {
        _ if !beyond => "",
        "en" => " Grey: beyond the base map.",
        "pt" => " A cinzento: fora do mapa de base.",
        "ar" => " الرمادي: خارج الخريطة الأساسية.",
        _ => " En gris : hors du fond de carte.",
    };
    svg.text(MARGIN, bottom, plain(12.0, GREY), &format!("{more}{claim}{beyond}"));
    svg.text(WIDTH - MARGIN, bottom, Text { anchor: Anchor::End, ..plain(12.0, GREY) }, geo::ATTRIBUTION);
}

#[cfg(test)]
mod tests;
