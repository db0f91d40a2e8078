//! The picture of growth: one small diagram a figure, the first rows over the entries, the others over the peers.

use anyhow::Context as _;
use passerelle_cli::draw::{Anchor, Svg, Text, png};

use crate::bench::report::{Line, number};

/// One diagram: its title, and the figures in it with their names.
struct Diagram {
    title: &'static str,
    curves: &'static [(&'static str, &'static str)],
}

const DIAGRAMS: [Diagram; 6] = [
    Diagram {
        title: "alerts/s, durable at both ends, 256 callers",
        curves: &[("alerts_per_s", "alerts"), ("deliveries_per_s", "deliveries")],
    },
    Diagram {
        title: "own acknowledgement, ms",
        curves: &[("acknowledged_p50_ms", "p50"), ("acknowledged_p99_ms", "p99")],
    },
    Diagram { title: "catch-up, deliveries/s", curves: &[("catch_up_deliveries_per_s", "deliveries")] },
    Diagram { title: "resident memory, MiB", curves: &[("idle_rss_mib", "idle"), ("rss_mib", "loaded")] },
    Diagram {
        title: "start after SIGKILL, ms",
        curves: &[("start_ms", "answers"), ("until_joined_ms", "all peers joined")],
    },
    Diagram {
        title: "store, bytes an entry or alert",
        curves: &[("store_bytes_per_entry", "entry"), ("store_bytes_per_alert", "alert")],
    },
];

const COLUMNS: usize = 3;
const CELL: (f64, f64) = (380.0, 250.0);
const EDGE: (f64, f64, f64, f64) = (62.0, 40.0, 18.0, 34.0);
const COLOURS: [&str; 2] = ["#b3261e", "#1f5f8b"];
const INK: &str = "#333333";

/// The picture as PNG.
pub(super) fn draw(entries: &[Line], peers: &[Line]) -> anyhow::Result<Vec<u8>> {
    let parts: Vec<(&str, &[Line])> =
        [("entries", entries), ("peers", peers)].into_iter().filter(|(_, lines)| !lines.is_empty()).collect();
    let rows = DIAGRAMS.len().div_ceil(COLUMNS);
    let cells = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let mut svg = Svg::new(CELL.0 * cells(COLUMNS), CELL.1 * cells(rows * parts.len().max(1)));
    svg.rect(0.0, 0.0, CELL.0 * cells(COLUMNS), CELL.1 * cells(rows * parts.len().max(1)), r##"fill="#ffffff""##);
    for (part, (over, lines)) in parts.iter().enumerate() {
        for (at, diagram) in DIAGRAMS.iter().enumerate() {
            let corner = (CELL.0 * cells(at % COLUMNS), CELL.1 * cells(part * rows + at / COLUMNS));
            cell(&mut svg, corner, diagram, over, lines);
        }
    }
    png(&svg.finish(), 1.0).map_err(|failure| anyhow::anyhow!("{failure:?}")).context("the picture cannot be drawn")
}

fn label(svg: &mut Svg, at: (f64, f64), size: f64, bold: bool, anchor: Anchor, fill: &str, text: &str) {
    svg.text(at.0, at.1, Text { size, fill, bold, anchor, halo: None }, text);
}

/// One diagram: the axis below is logarithmic, that on the left begins at zero.
fn cell(svg: &mut Svg, corner: (f64, f64), diagram: &Diagram, over: &str, lines: &[Line]) {
    let (left, right) = (corner.0 + EDGE.0, corner.0 + CELL.0 - EDGE.2);
    let (top, bottom) = (corner.1 + EDGE.1, corner.1 + CELL.1 - EDGE.3);
    label(svg, (left, corner.1 + 20.0), 12.0, true, Anchor::Start, INK, diagram.title);
    let sizes: Vec<f64> = lines.iter().map(|line| size_of(line, over)).collect();
    let values = |figure: &str| -> Vec<Option<f64>> { lines.iter().map(|line| line.value(figure)).collect() };
    let highest = diagram.curves.iter().flat_map(|(figure, _)| values(figure)).flatten().fold(0.0, f64::max);
    let scale = round_up(highest);
    let (first, last) = (sizes.first().copied().unwrap_or(1.0), sizes.last().copied().unwrap_or(1.0));
    let span = (last / first).ln();
    let x = |size: f64| {
        if span > 0.0 { left + (right - left) * (size / first).ln() / span } else { f64::midpoint(left, right) }
    };
    let y = |value: f64| bottom - (bottom - top) * value / scale;
    for step in 0..=4 {
        let value = scale * f64::from(step) / 4.0;
        svg.path(
            &[vec![(left, y(value)), (right, y(value))]],
            false,
            r##"fill="none" stroke="#dddddd" stroke-width="1""##,
        );
        label(svg, (left - 6.0, y(value) + 4.0), 10.0, false, Anchor::End, INK, &number(value));
    }
    for size in &sizes {
        label(svg, (x(*size), bottom + 16.0), 10.0, false, Anchor::Middle, INK, &short(*size));
    }
    label(svg, (right, bottom + 30.0), 10.0, false, Anchor::End, INK, over);
    for (curve, (figure, name)) in diagram.curves.iter().enumerate() {
        let points: Vec<(f64, f64)> =
            sizes.iter().zip(values(figure)).filter_map(|(size, value)| Some((x(*size), y(value?)))).collect();
        let Some(end) = points.last().copied() else { continue };
        let colour = COLOURS[curve % COLOURS.len()];
        points.iter().for_each(|(x, y)| svg.circle(*x, *y, 3.0, &format!(r#"fill="{colour}""#)));
        svg.path(&[points], false, &format!(r#"fill="none" stroke="{colour}" stroke-width="2""#));
        label(svg, (end.0 - 4.0, end.1 - 7.0), 10.0, false, Anchor::End, colour, name);
    }
}

fn size_of(line: &Line, over: &str) -> f64 {
    line.with(over).and_then(|told| told.replace(',', "").parse().ok()).unwrap_or(1.0)
}

/// The next number whose quarters are round.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let magnitude = 10_f64.powf(value.log10().floor());
    [1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 6.0, 8.0, 10.0]
        .map(|step| step * magnitude)
        .into_iter()
        .find(|top| *top >= value)
        .unwrap_or(value)
}

fn short(size: f64) -> String {
    match size {
        size if size >= 1e6 => format!("{:.0} M", size / 1e6),
        size if size >= 1e3 => format!("{:.0} k", size / 1e3),
        size => format!("{size:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_drawn_of_whatever_was_measured() {
        let line =
            |entries: u64, rate: f64| Line::new("growth").parameter("entries", entries).figure("alerts_per_s", rate);
        let png = draw(&[line(10_000, 9_000.0), line(1_000_000, 7_000.0)], &[]).expect("it can be drawn");
        assert_eq!(&png[1..4], b"PNG");
        draw(&[], &[]).expect("an empty one too");
        assert_eq!((short(10_000.0), short(191.0)), ("10 k".to_owned(), "191".to_owned()));
        assert!((round_up(7_001.0) - 8_000.0).abs() < 1e-6 && (round_up(0.0) - 1.0).abs() < 1e-9);
    }
}
