//! Reads feeds of warnings: Atom (RFC 4287), RSS 1.0 and 2.0, or one bare CAP document. What comes out are the documents
//! in it and the addresses of those that stand elsewhere. Nothing is fetched here, and of what a feed says besides
//! nothing is kept.

use quick_xml::{
    NsReader,
    escape::{resolve_predefined_entity, unescape},
    events::{BytesRef, BytesStart, Event},
    name::{PrefixDeclaration, ResolveResult},
};

use super::{CAP_MEDIA_TYPE, CAP_NAMESPACE, encoding, xml::refused};
use crate::{
    digest::Digest,
    limits::{POLLED_ENTRIES_MAX, URL_BYTES_MAX},
    refusal::{Code, Refusal},
};

const ATOM: &str = "http://www.w3.org/2005/Atom";
const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
/// Elements that are open at once; a feed with a document in it needs a dozen.
const DEPTH_MAX: usize = 64;
/// Declarations of namespaces that are in force at once; a feed with documents in it needs a handful.
const NAMESPACES_MAX: usize = 64;
/// What a document in a feed takes over of the declarations outside it, so that a long one there is not copied once for
/// each of a thousand entries.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// An id or a date of an entry.
const NAME_BYTES_MAX: usize = URL_BYTES_MAX;

/// One entry of a feed that has, or leads to, a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolledEntry {
    /// Differs when the entry is another or was changed: what was seen once is not looked at again.
    pub mark: u64,
    /// Its document.
    pub document: Polled,
}

/// Where the document of an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Polled {
    /// Within the feed.
    Here(Vec<u8>),
    /// At this address, which may be relative to that of the feed. Not checked in any way.
    At(String),
}

/// A feed that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolledFeed {
    /// Its entries in their order, at most [`POLLED_ENTRIES_MAX`].
    pub entries: Vec<PolledEntry>,
    /// Entries without a document, and those beyond the limit.
    pub passed_over: usize,
}

/// Reads what a source of warnings answered.
///
/// # Errors
/// `malformed_file` when it is not well-formed XML, in another encoding than it says, or has a document type
/// definition; `not_cap` when it is neither a feed nor CAP 1.2.
pub fn read(bytes: &[u8]) -> Result<PolledFeed, Refusal> {
    let decoded = encoding::decode(bytes);
    if let Some((rule, _, message)) =
        decoded.faults.into_iter().find(|(rule, ..)| rule.severity() == super::Severity::Error)
    {
        return Err(Refusal::new(rule.refusal(), message));
    }
    let text = decoded.text;
    let mut reader = NsReader::from_str(&text);
    reader.config_mut().expand_empty_elements = true;
    let mut walk = Walk { text: &text, open: Vec::new(), scope: Vec::new(), entry: None, feed: PolledFeed::default() };
    let mut rooted = false;
    loop {
        let start = position(reader.buffer_position());
        let event = reader.read_event();
        let end = position(reader.buffer_position());
        let malformed = |message: &str, walk: &Walk<'_>| refused(Code::MalformedFile, walk.line(start), message);
        match event {
            Ok(Event::Start(tag)) => {
                let (space, name) = reader.resolver().resolve_element(tag.name());
                let space = match &space {
                    ResolveResult::Bound(namespace) => Some(namespace.as_ref()),
                    _ => None,
                };
                let name: &str = name.as_ref();
                if !rooted && (space, name) == (Some(CAP_NAMESPACE), "alert") {
                    return Ok(bare(bytes));
                }
                if !rooted {
                    root(space, name, walk.line(start))?;
                    rooted = true;
                }
                walk.start(space, name, &tag, start, end).map_err(|message| malformed(message, &walk))?;
            }
            Ok(Event::End(_)) => walk.end(end),
            Ok(Event::Text(part)) => walk.append(&part.xml10_content()),
            Ok(Event::CData(part)) => walk.append(&part.xml10_content()),
            Ok(Event::GeneralRef(reference)) => walk.reference(&reference),
            Ok(Event::DocType(_)) => return Err(malformed("a document type definition is not accepted", &walk)),
            Ok(Event::Eof) if walk.open.is_empty() && rooted => return Ok(walk.feed),
            Ok(Event::Eof) => return Err(malformed("the feed ends inside an element", &walk)),
            Ok(_) => {}
            Err(_) => return Err(malformed("the XML is not well formed", &walk)),
        }
    }
}

fn position(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// A document that is no feed, but the only thing there.
fn bare(bytes: &[u8]) -> PolledFeed {
    let entry = PolledEntry { mark: mark(&[bytes]), document: Polled::Here(bytes.to_vec()) };
    PolledFeed { entries: vec![entry], passed_over: 0 }
}

fn root(space: Option<&str>, name: &str, line: usize) -> Result<(), Refusal> {
    match (space, name) {
        (Some(ATOM), "feed" | "entry") | (None, "rss") | (Some(RDF), "RDF") => Ok(()),
        _ => Err(refused(Code::NotCap, line, "it is neither a feed (Atom, RSS) nor CAP 1.2")),
    }
}

fn mark(parts: &[&[u8]]) -> u64 {
    let Digest(bytes) = Digest::of_parts(parts);
    bytes.iter().take(8).fold(0, |mark, byte| mark << 8 | u64::from(*byte))
}

/// How well a link promises a document; the least is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Promise {
    /// It says that it is CAP.
    Cap,
    /// It says that it is XML.
    Xml,
    /// It says nothing.
    Unknown,
}

fn promise(media_type: Option<&str>) -> Option<Promise> {
    let bare = media_type.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    match bare.as_deref() {
        Some(CAP_MEDIA_TYPE) => Some(Promise::Cap),
        Some("application/xml" | "text/xml" | "application/common-alerting-protocol+xml") => Some(Promise::Xml),
        None | Some("") => Some(Promise::Unknown),
        Some(_) => None,
    }
}

/// What an element means to an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Id,
    Date,
    Link,
    Other,
}

/// An entry under way.
#[derive(Default)]
struct Entry {
    /// How many elements were open when it began.
    depth: usize,
    id: String,
    date: String,
    /// RSS writes its link as text.
    link: String,
    best: Option<(Promise, String)>,
    /// The element whose text is being read.
    reading: Option<(usize, Part)>,
    /// Where the document in it begins, and how many elements were open then; its head, with the namespaces from outside.
    document: Option<(usize, usize, String)>,
    found: Option<Vec<u8>>,
}

struct Walk<'a> {
    text: &'a str,
    /// Whether each open element is an entry.
    open: Vec<bool>,
    /// Declarations of namespaces in force: how many elements were open, the attribute's name, its value as written.
    scope: Vec<(usize, String, String)>,
    entry: Option<Entry>,
    feed: PolledFeed,
}

impl Walk<'_> {
    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn start(
        &mut self,
        space: Option<&str>,
        name: &str,
        tag: &BytesStart<'_>,
        start: usize,
        end: usize,
    ) -> Result<(), &'static str> {
        let depth = self.open.len();
        if depth >= DEPTH_MAX {
            return Err("elements nest too deep");
        }
        let mut attributes: Vec<(String, String)> = Vec::new();
        let outside = self.scope.len();
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|_| "an attribute is malformed or stands twice")?;
            let key: &str = attribute.key.as_ref();
            if let Some(declared) = attribute.key.as_namespace_binding() {
                let name = match declared {
                    PrefixDeclaration::Default => "xmlns".to_owned(),
                    PrefixDeclaration::Named(prefix) => format!("xmlns:{prefix}"),
                };
                if self.scope.len() >= NAMESPACES_MAX {
                    return Err("too many namespaces are declared");
                }
                self.scope.push((depth, name, attribute.value.to_string()));
            } else if let Ok(value) = unescape(&attribute.value) {
                attributes.push((key.to_owned(), value.into_owned()));
            }
        }
        let begins = self.entry.is_none() && matches!((space, name), (Some(ATOM), "entry") | (_, "item"));
        self.open.push(begins);
        if begins {
            self.entry = Some(Entry { depth, ..Entry::default() });
            return Ok(());
        }
        let head = (space, name) == (Some(CAP_NAMESPACE), "alert");
        let head = head.then(|| self.head(outside, &tag_text(self.text, start, end)));
        let Some(entry) = &mut self.entry else { return Ok(()) };
        if let Some(head) = head.flatten().filter(|_| entry.document.is_none() && entry.found.is_none()) {
            entry.document = Some((end, depth, head));
        }
        if entry.document.is_none() && depth == entry.depth + 1 {
            entry.take(space, name, &attributes, depth);
        }
        Ok(())
    }

    /// The start tag of a document, with the namespaces that it has from outside; none when these are too long.
    fn head(&self, outside: usize, tag: &str) -> Option<String> {
        let (before, own) = self.scope.split_at(outside);
        let name_ends = tag.find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/')).unwrap_or(tag.len());
        let mut head = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", &tag[..name_ends]);
        for (at, (_, name, value)) in before.iter().enumerate() {
            let later = before[at + 1..].iter().chain(own).any(|(_, other, _)| other == name);
            if !later {
                let quote = if value.contains('"') { '\'' } else { '"' };
                if head.len() + name.len() + value.len() > HEAD_BYTES_MAX {
                    return None;
                }
                head.push_str(&format!(" {name}={quote}{value}{quote}"));
            }
        }
        head.push_str(&tag[name_ends..]);
        Some(head)
    }

    fn end(&mut self, end: usize) {
        let Some(was_entry) = self.open.pop() else { return };
        let depth = self.open.len();
        self.scope.retain(|(at, ..)| *at < depth);
        let Some(entry) = &mut self.entry else { return };
        if let Some((begins, _, head)) = entry.document.take_if(|(_, at, _)| *at == depth) {
            let rest = self.text.get(begins..end).unwrap_or_default();
            // An empty element has no end tag of its own, and is no document.
            entry.found = Some(format!("{head}{rest}").into_bytes());
        }
        if entry.reading.is_some_and(|(at, _)| at == depth) {
            entry.reading = None;
        }
        if was_entry && let Some(entry) = self.entry.take() {
            match entry.finish() {
                Some(entry) if self.feed.entries.len() < POLLED_ENTRIES_MAX => self.feed.entries.push(entry),
                _ => self.feed.passed_over += 1,
            }
        }
    }

    fn append(&mut self, text: &str) {
        let Some(entry) = &mut self.entry else { return };
        let slot = match entry.reading {
            Some((_, Part::Id)) => &mut entry.id,
            Some((_, Part::Date)) => &mut entry.date,
            Some((_, Part::Link)) => &mut entry.link,
            Some((_, Part::Other)) | None => return,
        };
        if slot.len() + text.len() <= NAME_BYTES_MAX {
            slot.push_str(text);
        }
    }

    fn reference(&mut self, reference: &BytesRef<'_>) {
        let character = reference.resolve_char_ref().ok().flatten().map(String::from);
        if let Some(text) = character.as_deref().or_else(|| resolve_predefined_entity(reference)) {
            self.append(text);
        }
    }
}

fn tag_text(text: &str, start: usize, end: usize) -> String {
    text.get(start..end).unwrap_or_default().to_owned()
}

impl Entry {
    fn take(&mut self, space: Option<&str>, name: &str, attributes: &[(String, String)], depth: usize) {
        let of = |key: &str| attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let atom = space == Some(ATOM);
        let part = match name {
            "id" if atom => Part::Id,
            "guid" => Part::Id,
            "updated" if atom => Part::Date,
            "pubDate" | "date" => Part::Date,
            "link" if !atom => Part::Link,
            _ => Part::Other,
        };
        self.reading = Some((depth, part));
        let link = match name {
            "link" if atom && matches!(of("rel"), None | Some("alternate" | "enclosure")) => of("href"),
            "content" if atom => of("src"),
            "enclosure" => of("url"),
            _ => None,
        };
        if let (Some(address), Some(promise)) = (link, promise(of("type"))) {
            self.offer(promise, address);
        }
    }

    fn offer(&mut self, promise: Promise, address: &str) {
        let good = !address.trim().is_empty() && address.len() <= URL_BYTES_MAX;
        if good && self.best.as_ref().is_none_or(|(best, _)| promise < *best) {
            self.best = Some((promise, address.trim().to_owned()));
        }
    }

    fn finish(mut self) -> Option<PolledEntry> {
        let link = std::mem::take(&mut self.link);
        self.offer(Promise::Unknown, &link);
        let document = match (self.found, self.best) {
            (Some(document), _) => Polled::Here(document),
            (None, Some((_, address))) => Polled::At(address),
            (None, None) => return None,
        };
        let content: &[u8] = match &document {
            Polled::Here(document) => document,
            Polled::At(address) => address.as_bytes(),
        };
        let (id, date) = (self.id.trim(), self.date.trim());
        Some(PolledEntry { mark: mark(&[id.as_bytes(), b"\n", date.as_bytes(), b"\n", content]), document })
    }
}

#[cfg(test)]
mod tests;
