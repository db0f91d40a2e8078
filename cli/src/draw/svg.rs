//! Writing SVG 1.1: the few shapes that pictures here are made of, with all text escaped.

use std::fmt::Write as _;

/// A picture being drawn, in pixels.
#[derive(Debug)]
pub struct Svg {
    body: String,
    width: f64,
    height: f64,
}

/// Which end of a text stands at its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The left end.
    Start,
    /// The middle.
    Middle,
    /// The right end.
    End,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// Height of the letters, pixels.
    pub size: f64,
    /// Colour, as CSS has it.
    pub fill: &'a str,
    /// Whether the letters are bold.
    pub bold: bool,
    /// Which end stands at the point.
    pub anchor: Anchor,
    /// Colour of a seam around the letters, so that they stand out from what is behind them.
    pub halo: Option<&'a str>,
}

impl Svg {
    /// An empty picture.
    #[must_use]
    pub fn new(width: f64, height: f64) -> Self {
        Self { body: String::new(), width, height }
    }

    /// Raw SVG, of the program's own making.
    pub fn raw(&mut self, svg: &str) {
        self.body.push_str(svg);
        self.body.push('\n');
    }

    /// A rectangle; `style` is made of attributes.
    pub fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, style: &str) {
        let _ = writeln!(self.body, r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" {style}/>"#);
    }

    /// A circle.
    pub fn circle(&mut self, x: f64, y: f64, radius: f64, style: &str) {
        let _ = writeln!(self.body, r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius:.1}" {style}/>"#);
    }

    /// Lines from point to point, each of `lines` on its own.
    pub fn path(&mut self, lines: &[Vec<(f64, f64)>], closed: bool, style: &str) {
        let mut data = String::new();
        for line in lines {
            for (at, (x, y)) in line.iter().enumerate() {
                let _ = write!(data, "{}{x:.1} {y:.1}", if at == 0 { 'M' } else { 'L' });
            }
            if closed {
                data.push('Z');
            }
        }
        let _ = writeln!(self.body, r#"<path d="{data}" {style}/>"#);
    }

    /// A line of text.
    pub fn text(&mut self, x: f64, y: f64, look: Text<'_>, text: &str) {
        let Text { size, fill, bold, anchor, halo } = look;
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if bold { "bold" } else { "normal" };
        // Renderers take every line for one from left to right; an isolate (UAX 9) turns an Arabic one round.
        let text = if is_arabic(text) { format!("\u{2067}{}\u{2069}", escaped(text)) } else { escaped(text) };
        let shared =
            format!(r#"x="{x:.1}" y="{y:.1}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}""#);
        if let Some(halo) = halo {
            let seam = format!(r#"fill="none" stroke="{halo}" stroke-width="3" stroke-linejoin="round""#);
            let _ = writeln!(self.body, "<text {shared} {seam}>{text}</text>");
        }
        let _ = writeln!(self.body, r#"<text {shared} fill="{fill}">{text}</text>"#);
    }

    /// The whole document.
    #[must_use]
    pub fn finish(self) -> String {
        let Self { body, width, height } = self;
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" font-family="DejaVu Sans, sans-serif">
{body}</svg>
"#
        )
    }
}

/// Whether a text is Arabic: its first letter is, isolates aside.
fn is_arabic(text: &str) -> bool {
    let mut depth = 0_usize;
    for letter in text.chars() {
        match letter {
            '\u{2066}'..='\u{2068}' => depth += 1,
            '\u{2069}' => depth = depth.saturating_sub(1),
            letter if depth == 0 && letter.is_alphabetic() => {
                return matches!(letter, '\u{600}'..='\u{77f}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}');
            }
            _ => {}
        }
    }
    false
}

/// Text as XML has it; what XML cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\r' | '\t' => safe.push(' '),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {}
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_become_markup() {
        let mut svg = Svg::new(10.0, 10.0);
        let look = Text { size: 10.0, fill: "#000", bold: false, anchor: Anchor::Start, halo: None };
        svg.text(0.0, 0.0, look, "</text><script>\"&\u{0}\u{1b}\n");
        let whole = svg.finish();
        assert!(is_arabic("\u{2068}2026 UTC\u{2069} حتى") && !is_arabic("Rosso روصو") && !is_arabic("12"));
        assert!(whole.contains("&lt;/text&gt;&lt;script&gt;&quot;&amp; </text>"), "{whole}");
    }
}
