//! The one reader of foreign XML: text in, a bounded tree of elements with their lines out. No DTD, no entity
//! beyond the five predefined ones, no instruction is followed, nothing is ever fetched.

use quick_xml::{
    NsReader,
    escape::{EscapeError, resolve_predefined_entity, unescape},
    events::{BytesDecl, BytesRef, BytesStart, Event},
    name::ResolveResult,
};

use super::{
    CAP_NAMESPACE,
    encoding::{self, Decoded},
    finding::{Findings, Rule, Severity},
    format::Format,
    names::{is_name, is_qualified_name, is_xml_char, is_xml_space},
};
use crate::{
    limits::{ORIGINAL_BYTES_MAX, XML_DEPTH_MAX, XML_ELEMENTS_MAX},
    refusal::{Code, Refusal},
};

/// The namespace of XML signatures, the only foreign one that CAP admits.
const SIGNATURE_NAMESPACE: &str = "http://www.w3.org/2000/09/xmldsig#";
/// How much of a foreign name is kept.
const FOREIGN_NAME_CHARS_MAX: usize = 40;

/// Where an element belongs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Space {
    /// To CAP 1.2.
    #[default]
    Cap,
    /// To XML signatures.
    Signature,
    /// To something else.
    Other,
}

/// An element. What stands inside one that is not of CAP is read over, not kept.
#[derive(Debug, Default)]
pub(super) struct Element {
    /// The local name.
    pub(super) name: String,
    pub(super) space: Space,
    /// The line on which it starts, from 1.
    pub(super) line: usize,
    /// The column of its first character, from 1.
    pub(super) column: usize,
    /// Its own text, without the white space of XML around it once it is complete.
    pub(super) text: String,
    /// Whether there was white space around the text.
    pub(super) padded: bool,
    pub(super) children: Vec<Element>,
    /// Attributes, save declarations of namespaces.
    pub(super) attributes: Vec<Attribute>,
}

impl Element {
    /// Line and column.
    pub(super) fn at(&self) -> (usize, usize) {
        (self.line, self.column)
    }
}

/// An attribute.
#[derive(Debug)]
pub(super) struct Attribute {
    /// Whether it is of the namespace of schema instances, whose attributes may stand everywhere.
    pub(super) of_schema: bool,
    /// The local name.
    pub(super) name: String,
    pub(super) value: String,
}

/// What was read. Only CAP 1.2 has a root, and not even that where the document could not be read to its end.
pub(super) struct Document {
    pub(super) format: Format,
    /// Line and column of the root element, where one was found.
    pub(super) root_at: Option<(usize, usize)>,
    pub(super) root: Option<Element>,
    /// Comments, with their lines; they mean nothing, but they travel with the original.
    pub(super) comments: Vec<(usize, String)>,
}

/// A refusal about a line.
pub(super) fn refused(code: Code, line: usize, message: &str) -> Refusal {
    Refusal::new(code, format!("line {line}: {message}"))
}

/// An alert of CAP 1.2 that was read to its end.
pub(super) struct AlertTree {
    pub(super) root: Element,
    /// As in [`Document`].
    pub(super) comments: Vec<(usize, String)>,
}

/// The alert in a document, whether valid or not; none when it is no CAP 1.2, no good XML or too large to have been
/// imported.
pub(super) fn alert(bytes: &[u8]) -> Option<AlertTree> {
    let mut findings = Findings::default();
    let document = (bytes.len() <= ORIGINAL_BYTES_MAX).then(|| read(bytes, &mut findings))?;
    let Document { root: Some(root), comments, .. } = document else { return None };
    (!findings.any(Severity::Error)).then_some(AlertTree { root, comments })
}

/// Reads a document in the encoding that it declares. Whatever is wrong with it as XML goes to `findings`.
pub(super) fn read(bytes: &[u8], findings: &mut Findings) -> Document {
    let Decoded { text, faults } = encoding::decode(bytes);
    let garbled = faults.iter().any(|(rule, ..)| rule.severity() == Severity::Error);
    for (rule, at, message) in faults {
        let mut place = Place { text: &text, position: 0, line: 1, column: 1 };
        place.advance(at);
        findings.add(rule, "", (place.line, place.column), message);
    }
    let mut builder = Builder::new(&text, findings);
    if text.starts_with('\u{feff}') {
        // The one that belongs to the encoding is gone already, and the reader would pass over this one.
        builder.fault(Rule::XmlMalformed, "there is text outside the root");
        return builder.finish();
    }
    let mut reader = NsReader::from_str(&text);
    let config = reader.config_mut();
    config.expand_empty_elements = true;
    config.check_comments = true;
    loop {
        let start = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        builder.place.advance(start);
        let step = match reader.read_event() {
            Ok(Event::Start(start)) => builder.start(&reader, &start),
            Ok(event) => builder.take(&event),
            Err(_) => {
                let at = usize::try_from(reader.error_position()).unwrap_or(usize::MAX);
                builder.place.advance(at);
                Err(Stop::Malformed("the XML is not well formed"))
            }
        };
        match step {
            Ok(()) => {}
            Err(Stop::End) => return builder.finish(),
            Err(Stop::Malformed(message)) => {
                // What was not decoded well says little about the XML.
                if !garbled {
                    builder.fault(Rule::XmlMalformed, message);
                }
                builder.root = None;
                return builder.finish();
            }
            Err(Stop::Limit(rule, message)) => {
                builder.fault(rule, message);
                builder.root = None;
                return builder.finish();
            }
        }
    }
}

/// Why the reading ends.
enum Stop {
    /// All that is wanted has been read.
    End,
    Malformed(&'static str),
    Limit(Rule, String),
}

type Step = Result<(), Stop>;

/// A place in the text that only moves forward.
struct Place<'a> {
    text: &'a str,
    position: usize,
    line: usize,
    column: usize,
}

impl Place<'_> {
    /// Moves to a byte position. A line ends with LF, CR LF or CR (XML 1.0, 2.11).
    fn advance(&mut self, position: usize) {
        let bytes = self.text.as_bytes();
        while self.position < position.min(bytes.len()) {
            match bytes[self.position] {
                b'\n' => (self.line, self.column) = (self.line + 1, 1),
                b'\r' if bytes.get(self.position + 1) != Some(&b'\n') => {
                    (self.line, self.column) = (self.line + 1, 1);
                }
                // Bytes that continue a character are not counted.
                byte if byte & 0xc0 != 0x80 => self.column += 1,
                _ => {}
            }
            self.position += 1;
        }
    }
}

struct Builder<'a> {
    place: Place<'a>,
    findings: &'a mut Findings,
    open: Vec<Element>,
    /// How many elements are open inside one whose inside is not kept.
    skipping: usize,
    elements: usize,
    format: Option<Format>,
    root_at: Option<(usize, usize)>,
    root: Option<Element>,
    comments: Vec<(usize, String)>,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str, findings: &'a mut Findings) -> Self {
        Self {
            place: Place { text, position: 0, line: 1, column: 1 },
            findings,
            open: vec![],
            skipping: 0,
            elements: 0,
            format: None,
            root_at: None,
            root: None,
            comments: vec![],
        }
    }

    fn finish(self) -> Document {
        // A document that breaks off before its root was read can still be known by its beginning.
        let format = self.format.unwrap_or_else(|| Format::sniffed(self.place.text));
        Document { format, root_at: self.root_at, root: self.root, comments: self.comments }
    }

    fn fault(&mut self, rule: Rule, message: impl Into<String>) {
        let mut path = String::new();
        for element in &self.open {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(&element.name);
        }
        self.findings.add(rule, path, (self.place.line, self.place.column), message);
    }

    fn take(&mut self, event: &Event<'_>) -> Step {
        match event {
            Event::End(_) => self.end(),
            Event::Text(text) => {
                if text.contains("]]>") {
                    return Err(Stop::Malformed("]]> stands in a text"));
                }
                if self.open.is_empty() {
                    // Outside the root, only white space may stand; what follows it is at fault.
                    self.place.advance(self.place.position + text.len() - text.trim_start_matches(is_xml_space).len());
                }
                self.append(&text.xml10_content())
            }
            Event::CData(text) => match self.open.is_empty() && self.skipping == 0 {
                true => Err(Stop::Malformed("there is text outside the root")),
                false => self.append(&text.xml10_content()),
            },
            Event::GeneralRef(reference) => self.reference(reference),
            Event::Comment(comment) => {
                let comment = comment.xml10_content();
                if !comment.chars().all(is_xml_char) {
                    return Err(Stop::Malformed("a character is not allowed in XML"));
                }
                self.comments.push((self.place.line, comment.into_owned()));
                Ok(())
            }
            Event::Decl(declaration) => self.declaration(declaration),
            Event::DocType(_) if self.root.is_some() || !self.open.is_empty() => {
                Err(Stop::Malformed("a document type definition stands before the root"))
            }
            Event::DocType(_) => {
                self.fault(Rule::XmlDoctype, Rule::XmlDoctype.sentence());
                Ok(())
            }
            Event::PI(instruction) => {
                let name: &str = instruction.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default();
                if !is_name(name) || name.eq_ignore_ascii_case("xml") {
                    return Err(Stop::Malformed("the name of a processing instruction is not allowed"));
                }
                self.fault(Rule::Instruction, Rule::Instruction.sentence());
                Ok(())
            }
            Event::Eof => match (self.open.is_empty(), self.format) {
                (true, Some(_)) => Err(Stop::End),
                (true, None) => Err(Stop::Malformed("there is no element in the document")),
                (false, _) => Err(Stop::Malformed("the document ends inside an element")),
            },
            Event::Start(_) | Event::Empty(_) => Ok(()),
        }
    }

    fn declaration(&mut self, declaration: &BytesDecl<'_>) -> Step {
        let bad = Err(Stop::Malformed("the XML declaration is not the first thing in the document, or malformed"));
        let first = self.place.position == 0;
        match (declaration.version(), declaration.encoding(), declaration.standalone()) {
            (Ok(version), None | Some(Ok(_)), None | Some(Ok(_))) if first && version.starts_with("1.") => Ok(()),
            _ => bad,
        }
    }

    fn start(&mut self, reader: &NsReader<&'a [u8]>, start: &BytesStart<'_>) -> Step {
        self.elements += 1;
        if self.elements > XML_ELEMENTS_MAX {
            let message = format!("the document has more than {XML_ELEMENTS_MAX} elements");
            return Err(Stop::Limit(Rule::XmlElements, message));
        }
        if self.open.len() + self.skipping >= XML_DEPTH_MAX {
            return Err(Stop::Limit(Rule::XmlDepth, format!("elements nest more than {XML_DEPTH_MAX} deep")));
        }
        if self.open.is_empty() && self.format.is_some() {
            return Err(Stop::Malformed("there is a second root"));
        }
        let qualified = start.name();
        let qualified: &str = qualified.as_ref();
        if !is_qualified_name(qualified) {
            return Err(Stop::Malformed("the name of an element is not allowed"));
        }
        let attributes = self.attributes(reader, start)?;
        let (resolved, local) = reader.resolver().resolve_element(start.name());
        let namespace: Option<&str> = match &resolved {
            ResolveResult::Bound(namespace) => Some(namespace.as_ref()),
            ResolveResult::Unbound => None,
            ResolveResult::Unknown(_) => return Err(Stop::Malformed("a namespace prefix is not declared")),
        };
        if self.skipping > 0 {
            self.skipping += 1;
            return Ok(());
        }
        let name: &str = local.as_ref();
        let space = match namespace {
            Some(CAP_NAMESPACE) => Space::Cap,
            Some(SIGNATURE_NAMESPACE) => Space::Signature,
            _ => Space::Other,
        };
        if self.open.is_empty() {
            let format = Format::of(namespace, name);
            self.format = Some(format);
            self.root_at = Some((self.place.line, self.place.column));
            if format != Format::Cap12 {
                return Err(Stop::End);
            }
        }
        let name = match space {
            Space::Other => name.chars().take(FOREIGN_NAME_CHARS_MAX).collect(),
            _ => name.to_owned(),
        };
        let (line, column) = (self.place.line, self.place.column);
        self.open.push(Element { name, space, line, column, attributes, ..Element::default() });
        if space != Space::Cap {
            self.skipping = 1;
        }
        Ok(())
    }

    fn attributes(&mut self, reader: &NsReader<&'a [u8]>, start: &BytesStart<'_>) -> Result<Vec<Attribute>, Stop> {
        const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|_| Stop::Malformed("an attribute is malformed or stands twice"))?;
            let key: &str = attribute.key.as_ref();
            if !is_qualified_name(key) || attribute.value.contains('<') {
                return Err(Stop::Malformed("an attribute is malformed"));
            }
            let value = match unescape(&attribute.value) {
                Ok(value) if value.chars().all(is_xml_char) => value,
                Ok(_) => return Err(Stop::Malformed("a character is not allowed in XML")),
                Err(EscapeError::UnrecognizedEntity(..)) => {
                    self.fault(Rule::XmlEntity, Rule::XmlEntity.sentence());
                    continue;
                }
                Err(_) => return Err(Stop::Malformed("an attribute holds a malformed reference")),
            };
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let (namespace, name) = reader.resolver().resolve_attribute(attribute.key);
            let of_schema = match &namespace {
                ResolveResult::Bound(namespace) => namespace.as_ref() == SCHEMA_INSTANCE,
                ResolveResult::Unbound => false,
                ResolveResult::Unknown(_) => return Err(Stop::Malformed("a namespace prefix is not declared")),
            };
            if self.skipping == 0 {
                let name: &str = name.as_ref();
                attributes.push(Attribute { of_schema, name: name.to_owned(), value: value.into_owned() });
            }
        }
        Ok(attributes)
    }

    fn end(&mut self) -> Step {
        if self.skipping > 1 {
            self.skipping -= 1;
            return Ok(());
        }
        self.skipping = 0;
        let Some(mut element) = self.open.pop() else { return Ok(()) };
        let trimmed = element.text.trim_matches(is_xml_space);
        if trimmed.len() != element.text.len() {
            element.padded = true;
            element.text = trimmed.to_owned();
        }
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn append(&mut self, text: &str) -> Step {
        if !text.chars().all(is_xml_char) {
            return Err(Stop::Malformed("a character is not allowed in XML"));
        }
        if self.skipping > 0 {
            return Ok(());
        }
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.chars().all(is_xml_space) => {}
            None => return Err(Stop::Malformed("there is text outside the root")),
        }
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Step {
        if self.open.is_empty() {
            return Err(Stop::Malformed("there is text outside the root"));
        }
        let Ok(character) = reference.resolve_char_ref() else {
            return Err(Stop::Malformed("a reference to a character is malformed"));
        };
        let character = character.map(String::from);
        match character.as_deref().or_else(|| resolve_predefined_entity(reference)) {
            Some(text) => self.append(text),
            None if is_name(reference) => {
                self.fault(Rule::XmlEntity, Rule::XmlEntity.sentence());
                Ok(())
            }
            None => Err(Stop::Malformed("a reference is malformed")),
        }
    }
}
