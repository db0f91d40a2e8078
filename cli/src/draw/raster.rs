//! SVG into PNG, by resvg, with the fonts that stand beside this file and no others.

use resvg::{tiny_skia, usvg};

use crate::failure::Failure;

/// Latin, Arabic and a few signs; see fonts/LICENSE.
const FONTS: [&[u8]; 2] =
    [include_bytes!("fonts/DejaVuSans-passerelle.ttf"), include_bytes!("fonts/DejaVuSans-Bold-passerelle.ttf")];
/// The most pixels of one side of a picture.
const SIDE_MAX: u32 = 8_192;

/// The PNG of a picture, `scale` times as large as it says.
///
/// # Errors
/// `unexpected` when it is no SVG or too large: pictures are made by this program.
pub fn png(svg: &str, scale: f32) -> Result<Vec<u8>, Failure> {
    drawn(svg, scale)?.encode_png().map_err(|error| broken(&error))
}

/// A picture as rows of red, green and blue, one byte each; what is transparent is black.
pub(super) struct Rgb {
    /// Pixels of a row.
    pub(super) width: u32,
    /// Rows.
    pub(super) height: u32,
    /// The rows, from the top.
    pub(super) bytes: Vec<u8>,
}

/// The pixels of a picture.
pub(super) fn rgb(svg: &str, scale: f32) -> Result<Rgb, Failure> {
    let pixels = drawn(svg, scale)?;
    let bytes = pixels.data().chunks_exact(4).flat_map(|pixel| pixel.iter().copied().take(3)).collect();
    Ok(Rgb { width: pixels.width(), height: pixels.height(), bytes })
}

fn broken(what: &dyn std::fmt::Display) -> Failure {
    Failure::unexpected(format!("the picture cannot be drawn: {what}"))
}

fn drawn(svg: &str, scale: f32) -> Result<tiny_skia::Pixmap, Failure> {
    let mut options = usvg::Options { font_family: "DejaVu Sans".to_owned(), ..usvg::Options::default() };
    for font in FONTS {
        options.fontdb_mut().load_font_data(font.to_vec());
    }
    let tree = usvg::Tree::from_str(svg, &options).map_err(|error| broken(&error))?;
    let size = tree.size().to_int_size().scale_by(scale).filter(|size| size.width().max(size.height()) <= SIDE_MAX);
    let mut pixels = size
        .and_then(|size| tiny_skia::Pixmap::new(size.width(), size.height()))
        .ok_or_else(|| broken(&"it is too large"))?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut pixels.as_mut());
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_drawn_and_anything_else_is_refused() {
        let svg = r#"<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><text y="9">é م</text></svg>"#;
        let png_bytes = png(svg, 2.0).expect("it is SVG");
        assert!(png_bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
        assert_eq!(png_bytes.get(16..24), Some(&[0, 0, 0, 40, 0, 0, 0, 20][..]), "width and height of IHDR");
        for (bad, scale) in [("", 1.0), ("<svg", 1.0), ("<p/>", 1.0), (svg, 100_000.0), (svg, 0.0)] {
            assert!(png(bad, scale).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_fonts_have_the_letters_of_the_four_languages() {
        for (font, bytes) in FONTS.iter().enumerate() {
            let mut fonts = usvg::fontdb::Database::new();
            fonts.load_font_data(bytes.to_vec());
            assert_eq!(fonts.faces().count(), 1, "{font}");
            assert_eq!(fonts.faces().next().map(|face| face.families[0].0.as_str()), Some("DejaVu Sans"));
        }
    }
}
