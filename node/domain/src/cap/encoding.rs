//! From bytes to text: finds out how an XML document is encoded (XML 1.0, 4.3.3 and appendix F), and decodes it.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::finding::Rule;

/// How far into the bytes the XML declaration is looked for.
const DECLARATION_BYTES: usize = 512;

/// The text of a document, and what was wrong with its bytes.
pub(super) struct Decoded<'a> {
    pub(super) text: Cow<'a, str>,
    /// The rule broken, where in the text (a byte position), and what to say.
    pub(super) faults: Vec<(Rule, usize, String)>,
}

/// Decodes a document. Text comes out in any case: what cannot be decoded becomes U+FFFD, and is a fault.
pub(super) fn decode(bytes: &[u8]) -> Decoded<'_> {
    let declared = declared(bytes);
    match bytes {
        // UTF-32 begins with the mark of UTF-16, and no XML document goes on with a zero character.
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, b'<', ..] | [b'<', 0, 0, 0, ..] => {
            unknown(bytes, "UTF-32 is not accepted; save the document in UTF-8")
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => {
            let mut decoded = utf8(rest);
            if declared.as_deref().is_some_and(|name| !is(name, &["utf-8", "utf8"])) {
                let message = "the byte order mark says UTF-8, the declaration something else; it was read as UTF-8";
                decoded.faults.push((Rule::EncodingConflict, 0, message.into()));
            }
            decoded
        }
        [0xff, 0xfe, rest @ ..] => by(UTF_16LE, rest),
        [0xfe, 0xff, rest @ ..] => by(UTF_16BE, rest),
        [b'<', 0, _, 0, ..] => by(UTF_16LE, bytes),
        [0, b'<', 0, _, ..] => by(UTF_16BE, bytes),
        _ => match declared {
            Some(name) => labelled(&name, bytes),
            None => utf8(bytes),
        },
    }
}

/// The encoding that the XML declaration names, where the bytes are a superset of ASCII.
fn declared(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let rest = bytes.strip_prefix(b"<?xml")?;
    let rest = &rest[..rest.len().min(DECLARATION_BYTES)];
    let end = rest.windows(2).position(|two| two == b"?>")?;
    let declaration = String::from_utf8_lossy(&rest[..end]);
    let (_, after) = declaration.split_once("encoding")?;
    let after = after.trim_start().strip_prefix('=')?.trim_start();
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    after[1..].split_once(quote).map(|(name, _)| name.to_owned())
}

fn is(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn labelled<'a>(name: &str, bytes: &'a [u8]) -> Decoded<'a> {
    if is(name, &["utf-8", "utf8"]) {
        return utf8(bytes);
    }
    if is(name, &["us-ascii", "ascii", "ansi_x3.4-1968", "iso646-us"]) {
        let mut decoded = utf8(bytes);
        if decoded.faults.is_empty()
            && let Some(at) = bytes.iter().position(|byte| !byte.is_ascii())
        {
            decoded.faults.push((
                Rule::XmlEncoding,
                at,
                "a byte is not of US-ASCII, which the document declares".into(),
            ));
        }
        return decoded;
    }
    // The standard of the web reads ISO-8859-1 as windows-1252; in XML it is what it says.
    if is(name, &["iso-8859-1", "iso_8859-1", "iso8859-1", "latin1", "latin-1", "l1", "iso-ir-100", "cp819", "ibm819"])
    {
        return Decoded { text: encoding_rs::mem::decode_latin1(bytes), faults: Vec::new() };
    }
    match Encoding::for_label_no_replacement(name.trim().as_bytes()) {
        Some(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => {
            let mut decoded = utf8(bytes);
            let message = "the document declares UTF-16, and its bytes are not";
            decoded.faults.insert(0, (Rule::XmlEncodingUnknown, 0, message.into()));
            decoded
        }
        Some(encoding) => by(encoding, bytes),
        None => unknown(bytes, "the declared encoding is not known; save the document in UTF-8"),
    }
}

fn utf8(bytes: &[u8]) -> Decoded<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Decoded { text: Cow::Borrowed(text), faults: Vec::new() },
        Err(error) => {
            let message = "the bytes are not UTF-8; declare the encoding that they are in";
            let faults = vec![(Rule::XmlEncoding, error.valid_up_to(), message.into())];
            Decoded { text: String::from_utf8_lossy(bytes), faults }
        }
    }
}

fn by<'a>(encoding: &'static Encoding, bytes: &'a [u8]) -> Decoded<'a> {
    let (text, broken) = encoding.decode_without_bom_handling(bytes);
    let mut faults = Vec::new();
    if broken {
        let at = text.find('\u{fffd}').unwrap_or_default();
        faults.push((Rule::XmlEncoding, at, format!("bytes are not valid in {}", encoding.name())));
    }
    Decoded { text, faults }
}

/// Read as far as ASCII goes, so that the rest can at least be looked at.
fn unknown<'a>(bytes: &'a [u8], message: &str) -> Decoded<'a> {
    let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
    Decoded { text, faults: vec![(Rule::XmlEncodingUnknown, 0, message.into())] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_document_is_read_in_the_encoding_that_it_declares() {
        let declaring = |name: &str| format!("<?xml version='1.0' encoding = \"{name}\"?>\n<a>é€</a>");
        for (name, letters) in [
            ("UTF-8", &[0xc3, 0xa9, 0xe2, 0x82, 0xac][..]),
            ("windows-1252", &[0xe9, 0x80]),
            ("ISO-8859-15", &[0xe9, 0xa4]),
            ("iso-8859-16", &[0xe9, 0xa4]),
        ] {
            let text = declaring(name);
            let (head, tail) = text.split_once("é€").expect("both");
            let bytes = [head.as_bytes(), letters, tail.as_bytes()].concat();
            let decoded = decode(&bytes);
            assert_eq!((&*decoded.text, decoded.faults.len()), (text.as_str(), 0), "{name}");
        }
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9\x85</a>";
        assert!(decode(latin).text.ends_with("<a>é\u{85}</a>"));
        let text = declaring("UTF-16");
        for bytes in [
            [vec![0xff, 0xfe], utf16(&text, u16::to_le_bytes)].concat(),
            [vec![0xfe, 0xff], utf16(&text, u16::to_be_bytes)].concat(),
            utf16(&text, u16::to_le_bytes),
            utf16(&text, u16::to_be_bytes),
        ] {
            let decoded = decode(&bytes);
            assert_eq!((&*decoded.text, decoded.faults.len()), (text.as_str(), 0));
        }
        let marked = [b"\xef\xbb\xbf", declaring("UTF-8").as_bytes()].concat();
        assert!(decode(&marked).text.starts_with("<?xml"));
        assert_eq!(decode("<a>é</a>".as_bytes()).text, "<a>é</a>");
    }

    #[test]
    fn bytes_that_are_not_of_the_encoding_are_a_fault_at_their_place() {
        let fault = |bytes: &[u8]| decode(bytes).faults.first().map(|(rule, at, _)| (*rule, *at));
        assert_eq!(fault(b"<a>\xe9</a>"), Some((Rule::XmlEncoding, 3)));
        assert_eq!(fault(b"<?xml version='1.0' encoding='ascii'?>\xc3\xa9"), Some((Rule::XmlEncoding, 38)));
        assert_eq!(fault(b"<?xml version='1.0' encoding='Shift_JIS'?>\xff"), Some((Rule::XmlEncoding, 42)));
        assert_eq!(fault(b"\xff\xfe<\0a\0>"), Some((Rule::XmlEncoding, 2)));
        assert_eq!(fault(b"<?xml version='1.0' encoding='klingon'?><a/>"), Some((Rule::XmlEncodingUnknown, 0)));
        assert_eq!(fault(b"<?xml version='1.0' encoding='UTF-16'?><a/>"), Some((Rule::XmlEncodingUnknown, 0)));
        assert_eq!(fault(b"\xff\xfe\0\0<\0\0\0"), Some((Rule::XmlEncodingUnknown, 0)));
        let conflict = b"\xef\xbb\xbf<?xml version='1.0' encoding='ISO-8859-1'?><a/>";
        assert_eq!(fault(conflict), Some((Rule::EncodingConflict, 0)));
    }
}
