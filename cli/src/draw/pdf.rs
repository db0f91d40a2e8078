//! A picture as a PDF of one page, so that every printer takes it: the picture is its one image.

use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};

use super::raster;
use crate::failure::Failure;

/// PDF points in a millimetre.
const POINTS: f32 = 72.0 / 25.4;

/// The PDF 1.4 (ISO 32000-1) of a picture on a page of that size, `scale` pixels for one of the picture.
///
/// # Errors
/// `unexpected` when the picture cannot be drawn.
pub fn pdf(svg: &str, scale: f32, width_mm: f32, height_mm: f32) -> Result<Vec<u8>, Failure> {
    let picture = raster::rgb(svg, scale)?;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&picture.bytes)?;
    let image = encoder.finish()?;
    let (width, height) = (width_mm * POINTS, height_mm * POINTS);
    let content = format!("q {width:.2} 0 0 {height:.2} 0 0 cm /Card Do Q");
    let page = format!(
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width:.2} {height:.2}] /Contents 4 0 R \
         /Resources << /XObject << /Card 5 0 R >> >> >>"
    );
    let image_head = format!(
        "<< /Type /XObject /Subtype /Image /Width {} /Height {} /ColorSpace /DeviceRGB /BitsPerComponent 8 \
         /Filter /FlateDecode /Length {} >>",
        picture.width,
        picture.height,
        image.len()
    );
    let objects: [(String, Option<&[u8]>); 5] = [
        ("<< /Type /Catalog /Pages 2 0 R >>".to_owned(), None),
        ("<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(), None),
        (page, None),
        (format!("<< /Length {} >>", content.len()), Some(content.as_bytes())),
        (image_head, Some(&image)),
    ];
    let mut file = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut places = Vec::with_capacity(objects.len());
    for (number, (head, stream)) in (1..).zip(&objects) {
        places.push(file.len());
        writeln!(file, "{number} 0 obj\n{head}")?;
        if let Some(stream) = stream {
            file.extend_from_slice(b"stream\n");
            file.extend_from_slice(stream);
            file.extend_from_slice(b"\nendstream\n");
        }
        file.extend_from_slice(b"endobj\n");
    }
    let start = file.len();
    writeln!(file, "xref\n0 {}\n0000000000 65535 f ", objects.len() + 1)?;
    for place in places {
        // Twenty bytes each, the line feed included.
        writeln!(file, "{place:010} 00000 n ")?;
    }
    writeln!(file, "trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF", objects.len() + 1)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_a_pdf_points_at_its_objects() {
        let svg =
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><rect width="9" height="9"/></svg>"#;
        let file = pdf(svg, 2.0, 105.0, 148.0).expect("a picture");
        let text = String::from_utf8_lossy(&file);
        assert!(text.contains("/Width 40 /Height 20"), "the image");
        assert!(text.contains("/MediaBox [0 0 297.64 419.53]"), "A6");
        let find = |needle: &[u8]| file.windows(needle.len()).rposition(|window| window == needle);
        let start = find(b"startxref\n").expect("its place");
        let table: usize =
            String::from_utf8_lossy(&file[start + 10..]).lines().next().and_then(|n| n.parse().ok()).expect("a number");
        assert!(file[table..].starts_with(b"xref\n0 6\n"));
        let rows = String::from_utf8_lossy(&file[table..]).into_owned();
        for (number, row) in rows.lines().skip(3).take(5).enumerate() {
            let at: usize = row[..10].parse().expect("an offset");
            assert!(file[at..].starts_with(format!("{} 0 obj", number + 1).as_bytes()), "{row}");
        }
        assert!(pdf("<p/>", 1.0, 105.0, 148.0).is_err());
    }
}
