//! A small, wary XML reader: bytes in, a bounded tree out. No DTD, no entity beyond the five predefined
//! ones, nothing fetched, ever; every refusal names its line.

use quick_xml::{
    NsReader,
    escape::{resolve_predefined_entity, unescape},
    events::{BytesRef, BytesStart, Event},
    name::ResolveResult,
};

use super::CAP_NAMESPACE;
use crate::{
    limits::{ORIGINAL_BYTES_MAX, XML_DEPTH_MAX, XML_ELEMENTS_MAX},
    refusal::{Code, Refusal},
};

/// The namespace of XML signatures, the only foreign element that CAP admits.
const SIGNATURE_NAMESPACE: &[u8] = b"http://www.w3.org/2000/09/xmldsig#";

/// An element of the CAP namespace, or a signature, whose inside is not kept.
#[derive(Debug, Default)]
pub(super) struct Element {
    /// The local name.
    pub(super) name: String,
    /// The line on which it starts, from 1.
    pub(super) line: usize,
    /// Its own text, trimmed once it is complete.
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

/// What was read.
pub(super) struct Document {
    pub(super) root: Element,
    /// Comments, with their lines; they mean nothing, but they travel with the original.
    pub(super) comments: Vec<(usize, String)>,
}

/// A refusal about a line.
pub(super) fn refused(code: Code, line: usize, message: &str) -> Refusal {
    Refusal::new(code, format!("line {line}: {message}"))
}

/// Reads a document in UTF-8, with or without a byte order mark.
///
/// # Errors
/// `too_large`; `malformed_file` for another encoding, ill-formed XML, a DTD, an entity or too deep a nesting;
/// `not_cap` when the root is not `alert` of CAP 1.2 or foreign elements stand among its own.
pub(super) fn parse(bytes: &[u8]) -> Result<Document, Refusal> {
    if bytes.len() > ORIGINAL_BYTES_MAX {
        let message = format!("the document is larger than {ORIGINAL_BYTES_MAX} bytes");
        return Err(Refusal::new(Code::TooLarge, message));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + newlines(&bytes[..error.valid_up_to()]);
        refused(Code::MalformedFile, line, "the document is not in UTF-8; save it in UTF-8")
    })?;
    let mut builder = Builder::new(text);
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    loop {
        builder.advance(reader.buffer_position());
        let event = match reader.read_resolved_event() {
            Ok((namespace, event)) => builder.take(&namespace, event),
            Err(_) => Err(()),
        };
        match event {
            Ok(None) => {}
            Ok(Some(end)) => return end,
            Err(()) => {
                builder.advance(reader.error_position());
                return Err(builder.malformed("the XML is not well formed"));
            }
        }
    }
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// The outcome of one event: go on, end with this, or ill-formed XML.
type Step = Result<Option<Result<Document, Refusal>>, ()>;

struct Builder<'a> {
    text: &'a str,
    position: usize,
    line: usize,
    open: Vec<Element>,
    /// How many elements are open inside a signature.
    skipping: usize,
    elements: usize,
    root: Option<Element>,
    comments: Vec<(usize, String)>,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, position: 0, line: 1, open: vec![], skipping: 0, elements: 0, root: None, comments: vec![] }
    }

    /// Counts lines up to a byte position.
    fn advance(&mut self, position: u64) {
        let position = usize::try_from(position).unwrap_or(usize::MAX).min(self.text.len());
        if position > self.position {
            self.line += newlines(&self.text.as_bytes()[self.position..position]);
            self.position = position;
        }
    }

    fn malformed(&self, message: &str) -> Refusal {
        refused(Code::MalformedFile, self.line, message)
    }

    fn stop(&self, message: &str) -> Step {
        Ok(Some(Err(self.malformed(message))))
    }

    fn take(&mut self, namespace: &ResolveResult<'_>, event: Event<'_>) -> Step {
        match event {
            Event::Start(start) => self.start(namespace, &start),
            Event::End(_) => Ok(self.end()),
            Event::Text(text) => Ok(self.append(&text.xml10_content())),
            Event::CData(text) => Ok(self.append(&text.xml10_content())),
            Event::GeneralRef(reference) => self.reference(&reference),
            Event::Comment(comment) => {
                self.comments.push((self.line, comment.xml10_content().into_owned()));
                Ok(None)
            }
            Event::Decl(declaration) => match declaration.encoding() {
                None => Ok(None),
                Some(Ok(name)) if ["utf-8", "utf8", "us-ascii"].contains(&name.to_ascii_lowercase().as_str()) => {
                    Ok(None)
                }
                Some(Ok(_)) => self.stop("the document declares an encoding other than UTF-8; save it in UTF-8"),
                Some(Err(_)) => Err(()),
            },
            Event::DocType(_) => self.stop("a document type definition is not accepted"),
            Event::PI(_) | Event::Empty(_) => Ok(None),
            Event::Eof => match (self.open.is_empty(), self.root.take()) {
                (true, Some(root)) => Ok(Some(Ok(Document { root, comments: std::mem::take(&mut self.comments) }))),
                (true, None) => Ok(Some(Err(refused(Code::NotCap, self.line, "there is no alert in the document")))),
                (false, _) => self.stop("the document ends inside an element"),
            },
        }
    }

    fn start(&mut self, namespace: &ResolveResult<'_>, start: &BytesStart<'_>) -> Step {
        self.elements += 1;
        if self.elements > XML_ELEMENTS_MAX {
            return self.stop(&format!("the document has more than {XML_ELEMENTS_MAX} elements"));
        }
        if self.open.len() + self.skipping >= XML_DEPTH_MAX {
            return self.stop(&format!("elements nest more than {XML_DEPTH_MAX} deep"));
        }
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|_| ())?;
            if unescape(&attribute.value).is_err() {
                return self.stop("an entity that XML does not predefine is not accepted");
            }
        }
        if self.skipping > 0 {
            self.skipping += 1;
            return Ok(None);
        }
        let name = start.local_name();
        let name: &str = name.as_ref();
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => Some(namespace.as_ref()),
            ResolveResult::Unbound => None,
            ResolveResult::Unknown(_) => return self.stop("a namespace prefix is not declared"),
        };
        let namespace: Option<&str> = namespace;
        if self.open.is_empty() {
            if self.root.is_some() {
                return Err(());
            }
            if namespace != Some(CAP_NAMESPACE) || name != "alert" {
                return Ok(Some(Err(self.no_cap(namespace))));
            }
        } else if namespace.map(str::as_bytes) == Some(SIGNATURE_NAMESPACE)
            && self.open.len() == 1
            && name == "Signature"
        {
            self.skipping = 1;
            return Ok(None);
        } else if namespace != Some(CAP_NAMESPACE) {
            return Ok(Some(Err(refused(Code::NotCap, self.line, "an element is not of CAP 1.2"))));
        }
        self.open.push(Element { name: name.to_owned(), line: self.line, ..Element::default() });
        Ok(None)
    }

    fn no_cap(&self, namespace: Option<&str>) -> Refusal {
        let older = namespace.is_some_and(|n| n.contains("emergency:cap:1.") || n.contains("incident.com/cap/1.0"));
        let message =
            if older { "the document is of an older CAP than 1.2" } else { "the root is not alert of CAP 1.2" };
        refused(Code::NotCap, self.line, message)
    }

    fn end(&mut self) -> Option<Result<Document, Refusal>> {
        if self.skipping > 0 {
            self.skipping -= 1;
            if self.skipping == 0
                && let Some(alert) = self.open.last_mut()
            {
                alert.children.push(Element { name: "Signature".into(), line: self.line, ..Element::default() });
            }
            return None;
        }
        let mut element = self.open.pop()?;
        element.text = element.text.trim().to_owned();
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        None
    }

    fn append(&mut self, text: &str) -> Option<Result<Document, Refusal>> {
        if text.chars().any(|c| !is_xml_char(c)) {
            return Some(Err(self.malformed("a character is not allowed in XML")));
        }
        if self.skipping > 0 {
            return None;
        }
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Some(Err(self.malformed("there is text outside the alert"))),
        }
        None
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Step {
        let character = reference.resolve_char_ref().map_err(|_| ())?.map(String::from);
        match character.as_deref().or_else(|| resolve_predefined_entity(reference)) {
            Some(text) => Ok(self.append(text)),
            None => self.stop("an entity that XML does not predefine is not accepted"),
        }
    }
}

/// The production `Char` of XML 1.0.
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
