//! The outlines of the countries, as lines that neighbours share: what two countries have in common is a border, what
//! one has alone is a coast. Decoded once from `data/outlines.bin`.

use std::sync::LazyLock;

/// Longitude and latitude, in thousandths of a degree.
type GridPoint = (i32, i32);

/// The unit of the file, in degrees.
const UNIT: f64 = 0.001;

/// The outlines of all countries of the region.
#[derive(Debug, Default)]
pub struct Outlines {
    arcs: Vec<Vec<GridPoint>>,
    shapes: Vec<Shape>,
}

/// A country: rings of arcs. An arc is its number doubled, one more where it runs backwards.
#[derive(Debug)]
struct Shape {
    code: String,
    rings: Vec<Vec<usize>>,
    /// West, south, east, north, in thousandths of a degree.
    frame: [i32; 4],
}

/// A line of the map: the countries on its sides, and its points as longitude and latitude in degrees.
#[derive(Debug)]
pub struct Border<'a> {
    /// One country for a coast, two for a border.
    pub countries: Vec<&'a str>,
    /// Longitude and latitude.
    pub points: Vec<(f64, f64)>,
}

/// What the file says; empty if it were damaged, which a test excludes.
static OUTLINES: LazyLock<Outlines> = LazyLock::new(|| decode(include_bytes!("data/outlines.bin")).unwrap_or_default());

/// Where all countries have an outline: west, south, east and north, in degrees. Beyond, nothing is known.
pub const REGION: [f64; 4] = [-35.0, 0.0, 30.0, 40.0];

/// The outlines of all countries of [`REGION`].
#[must_use]
pub fn outlines() -> &'static Outlines {
    &OUTLINES
}

impl Outlines {
    /// The codes of the countries that have an outline (ISO 3166-1 alpha-2).
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.shapes.iter().map(|shape| shape.code.as_str())
    }

    /// The rings of one country, as longitude and latitude in degrees; none when there is no outline of it.
    #[must_use]
    pub fn rings(&self, code: &str) -> Vec<Vec<(f64, f64)>> {
        let shape = self.shape(code);
        let rings = shape.iter().flat_map(|shape| &shape.rings);
        rings.map(|ring| self.points(ring).map(degrees).collect()).collect()
    }

    /// Every line of the map, once.
    #[must_use]
    pub fn borders(&self) -> Vec<Border<'_>> {
        let mut sides: Vec<Vec<&str>> = vec![Vec::new(); self.arcs.len()];
        for shape in &self.shapes {
            for arc in shape.rings.iter().flatten() {
                if let Some(side) = sides.get_mut(arc / 2).filter(|side| !side.contains(&shape.code.as_str())) {
                    side.push(&shape.code);
                }
            }
        }
        let lines = sides.into_iter().zip(&self.arcs).filter(|(countries, _)| !countries.is_empty());
        lines.map(|(countries, arc)| Border { countries, points: arc.iter().copied().map(degrees).collect() }).collect()
    }

    /// Whether there is an outline of a country.
    #[must_use]
    pub fn knows(&self, code: &str) -> bool {
        self.shape(code).is_some()
    }

    /// The country in whose outline a point lies.
    #[must_use]
    pub fn at(&self, latitude: f64, longitude: f64) -> Option<&str> {
        self.shapes.iter().find(|shape| self.holds(shape, latitude, longitude)).map(|shape| shape.code.as_str())
    }

    /// How far a point is from a country, km: 0 within it, none when there is no outline of it.
    #[must_use]
    pub fn distance_km(&self, code: &str, latitude: f64, longitude: f64) -> Option<f64> {
        let shape = self.shape(code)?;
        if self.holds(shape, latitude, longitude) {
            return Some(0.0);
        }
        let mut nearest = f64::INFINITY;
        for ring in &shape.rings {
            let points: Vec<_> = self.points(ring).map(degrees).collect();
            for pair in points.windows(2) {
                nearest = nearest.min(from_line_km((longitude, latitude), pair[0], pair[1]));
            }
        }
        nearest.is_finite().then_some(nearest)
    }

    fn shape(&self, code: &str) -> Option<&Shape> {
        self.shapes.iter().find(|shape| shape.code.eq_ignore_ascii_case(code))
    }

    fn points<'a>(&'a self, ring: &'a [usize]) -> impl Iterator<Item = GridPoint> + 'a {
        ring.iter().flat_map(move |arc| {
            let points = self.arcs.get(arc / 2).map(Vec::as_slice).unwrap_or_default();
            let backwards = arc % 2 == 1;
            (0..points.len()).map(move |at| if backwards { points[points.len() - 1 - at] } else { points[at] })
        })
    }

    /// By the number of times that a ray to the east meets the outline; islands and holes come out by themselves.
    fn holds(&self, shape: &Shape, latitude: f64, longitude: f64) -> bool {
        let (x, y) = (longitude / UNIT, latitude / UNIT);
        let [west, south, east, north] = shape.frame.map(f64::from);
        if !((west..=east).contains(&x) && (south..=north).contains(&y)) {
            return false;
        }
        let mut inside = false;
        for ring in &shape.rings {
            let mut last: Option<(f64, f64)> = None;
            for (px, py) in self.points(ring).map(|(px, py)| (f64::from(px), f64::from(py))) {
                if let Some((qx, qy)) = last
                    && (py > y) != (qy > y)
                    && x < px + (qx - px) * (y - py) / (qy - py)
                {
                    inside = !inside;
                }
                last = Some((px, py));
            }
        }
        inside
    }
}

fn degrees((x, y): GridPoint) -> (f64, f64) {
    (f64::from(x) * UNIT, f64::from(y) * UNIT)
}

/// From a point to the nearest point of a short line, as if the land around it were flat.
fn from_line_km(point: (f64, f64), a: (f64, f64), b: (f64, f64)) -> f64 {
    const DEGREE_KM: f64 = 111.195;
    let narrow = point.1.to_radians().cos();
    let flat = |(x, y): (f64, f64)| ((x - point.0) * narrow * DEGREE_KM, (y - point.1) * DEGREE_KM);
    let ((ax, ay), (bx, by)) = (flat(a), flat(b));
    let (dx, dy) = (bx - ax, by - ay);
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 { (-(ax * dx + ay * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    (ax + along * dx).hypot(ay + along * dy)
}

/// The bytes that have not been read yet.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    /// LEB128.
    fn number(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..63).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn count(&mut self) -> Option<usize> {
        // Whatever is counted takes one byte at least.
        usize::try_from(self.number()?).ok().filter(|count| *count <= self.0.len())
    }

    /// Zigzag: even numbers are positive.
    fn signed(&mut self) -> Option<i32> {
        let value = self.number()?;
        let half = i32::try_from(value >> 1).ok()?;
        Some(if value & 1 == 0 { half } else { -half - 1 })
    }
}

fn decode(bytes: &[u8]) -> Option<Outlines> {
    let mut bytes = Bytes(bytes.strip_prefix(b"OUT1")?);
    let mut arcs = Vec::new();
    for _ in 0..bytes.count()? {
        let (mut x, mut y, mut points) = (0_i32, 0_i32, Vec::new());
        for _ in 0..bytes.count()? {
            x = x.checked_add(bytes.signed()?)?;
            y = y.checked_add(bytes.signed()?)?;
            points.push((x, y));
        }
        arcs.push(points);
    }
    let mut shapes = Vec::new();
    for _ in 0..bytes.count()? {
        let (code, rest) = bytes.0.split_at_checked(2)?;
        bytes.0 = rest;
        let code = String::from_utf8(code.to_vec()).ok()?;
        let mut rings = Vec::new();
        for _ in 0..bytes.count()? {
            let mut ring = Vec::new();
            for _ in 0..bytes.count()? {
                ring.push(usize::try_from(bytes.number()?).ok().filter(|arc| arc / 2 < arcs.len())?);
            }
            rings.push(ring);
        }
        let mut frame = [i32::MAX, i32::MAX, i32::MIN, i32::MIN];
        for (x, y) in rings.iter().flatten().flat_map(|arc| &arcs[arc / 2]) {
            frame = [frame[0].min(*x), frame[1].min(*y), frame[2].max(*x), frame[3].max(*y)];
        }
        shapes.push(Shape { code, rings, frame });
    }
    bytes.0.is_empty().then_some(Outlines { arcs, shapes })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = include_bytes!("data/outlines.bin");

    #[test]
    fn the_file_is_whole_and_every_ring_is_closed() {
        let outlines = decode(FILE).expect("the file is ours");
        assert!(outlines.codes().count() > 30);
        for code in outlines.codes() {
            let rings = outlines.rings(code);
            assert!(!rings.is_empty(), "{code}");
            assert!(rings.iter().all(|ring| ring.len() > 3 && ring.first() == ring.last()), "{code}");
        }
    }

    #[test]
    fn a_damaged_file_gives_nothing_and_never_a_crash() {
        for cut in (0..FILE.len()).step_by(97) {
            assert!(decode(&FILE[..cut]).is_none(), "{cut}");
            let mut bent = FILE.to_vec();
            bent[cut] ^= 0xff;
            let _ = decode(&bent);
        }
    }
}
