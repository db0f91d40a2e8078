//! The sections `[feed]` and `[[cap_sources]]`: what this node shows to the public, and whose warnings it polls.

use std::{net::SocketAddr, path::Path, path::PathBuf, time::Duration};

use iri_string::types::UriStr;
use passerelle_domain::{
    catalogue::{Event, SourceType},
    limits::{CAP_SOURCES_MAX, HEADLINE_CHARS_MAX, ORIGINAL_BYTES_MAX, URL_BYTES_MAX},
};
use toml::de::DeTable;

use super::{
    fault::Place,
    read::{Listening, capped, listen},
    reader::{Found, Reader, Section},
    value::{Name, Value},
};

/// The public feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Where it is served over plain HTTP, for a reverse proxy. `listen`, default `off`.
    pub listen: Option<SocketAddr>,
    /// Folder into which it is written, for a web server that serves files. `folder`, default none.
    pub folder: Option<PathBuf>,
    /// Where the public reaches it, without a slash at the end. `base_url`, needed with either of the two.
    pub base_url: String,
    /// Its title. `title`, default the name of the Society and "alerts".
    pub title: Option<String>,
    /// How long an alert stays after its end. `linger_hours`, default 24.
    pub linger: Duration,
    /// How long readers may keep an answer. `max_age_seconds`, default 60.
    pub max_age: Duration,
}

/// Documents in CAP that come from others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cap {
    /// Files of certificates, PEM or DER, by which signatures of such documents are verified: those of the services that
    /// sign, or of authorities that certify them. `trusted_certificates`, default none.
    pub trusted_certificates: Vec<PathBuf>,
}

/// A source of warnings that this node polls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapSource {
    /// Its name, here and in the drafts that come of it. `name`, required, once each.
    pub name: String,
    /// Where it is: a feed (Atom, RSS) or one CAP document. `url`, required.
    pub url: String,
    /// How often it is asked. `every_seconds`, default 300, at least 60.
    pub every: Duration,
    /// For one request from beginning to end. `timeout_seconds`, default 30.
    pub within: Duration,
    /// Largest document. `document_max_kib`, default all that an import takes.
    pub document_bytes_max: usize,
    /// Largest feed. `feed_max_kib`, default 8192.
    pub feed_bytes_max: usize,
    /// Whether it may stand at a loopback or private address. `allow_private`, default false.
    pub allow_private: bool,
    /// Whether it is polled. `enabled`, default true.
    pub enabled: bool,
    /// The event of documents that name none of ours. `event`, default none: they are refused.
    pub event: Option<Event>,
    /// Who documents come from that do not say it in our terms. `source_type`, default `authority`.
    pub source_type: SourceType,
}

impl Value for Event {
    const IS: &'static str = "the code of an event";
    const EXAMPLE: &'static str = "a code that `passerelle alert codes event` lists";
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Value for SourceType {
    const IS: &'static str = "a type of source";
    const EXAMPLE: &'static str = "a code that `passerelle alert codes source_type` lists, such as \"authority\"";
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// An address on the web.
struct Url(String);

impl Value for Url {
    const IS: &'static str = "an address on the web";
    const EXAMPLE: &'static str =
        "a URL in quotes, such as \"https://meteo.example/cap/feed.atom\"; no user, no fragment";
    fn from_text(text: &str) -> Option<Self> {
        let uri = UriStr::new(text).ok().filter(|_| text.len() <= URL_BYTES_MAX)?;
        let authority = uri.authority_components()?;
        let plain = authority.userinfo().is_none() && !authority.host().is_empty() && uri.fragment().is_none();
        let web = ["http", "https"].contains(&uri.scheme_str().to_ascii_lowercase().as_str());
        let port = authority.port().filter(|port| !port.is_empty());
        let port_good = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        (plain && web && port_good).then(|| Self(text.to_owned()))
    }
}

/// A line for people.
struct Title(String);

impl Value for Title {
    const IS: &'static str = "a title";
    const EXAMPLE: &'static str = "one line of at most 160 characters in quotes";
    fn from_text(text: &str) -> Option<Self> {
        let good = (1..=HEADLINE_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        good.then(|| Self(text.to_owned()))
    }
}

/// The section `[feed]`; none when neither address nor folder is given.
pub(super) fn feed(mut section: Section<'_, '_>, base: &Path) -> (Option<Feed>, Listening) {
    let listening = listen(&mut section, "listen", None);
    let folder = section.find::<PathBuf>("folder").map(|found| base.join(found.value));
    let base_url = section.find::<Url>("base_url");
    let title = section.find::<Title>("title").map(|found| found.value.0);
    let linger = Duration::from_secs(section.within("linger_hours", 0..=720, 24) * 3_600);
    let max_age = Duration::from_secs(section.within("max_age_seconds", 0..=86_400, 60));
    let on = listening.is_some() || folder.is_some();
    if on && base_url.is_none() && !section.has("base_url") {
        let remedy = "Write base_url = \"https://...\", the address under which the public reaches the feed.";
        section.fault(section.place.clone(), "`feed.base_url` is missing", remedy);
    }
    if let Some(found) = base_url.as_ref().filter(|found| found.value.0.contains('?')) {
        section.fault(found.place.clone(), "`feed.base_url` has a query", "Leave out the ? and what follows.");
    }
    section.refuse_unknown();
    let base_url = base_url.map(|found| found.value.0.trim_end_matches('/').to_owned()).unwrap_or_default();
    let address = listening.as_ref().map(|found| found.value);
    let feed = on.then_some(Feed { listen: address, folder, base_url, title, linger, max_age });
    (feed, ("feed.listen", listening))
}

/// The section `[cap]`.
pub(super) fn cap(mut section: Section<'_, '_>, base: &Path) -> Cap {
    let files = capped::<PathBuf>(&mut section, "trusted_certificates", CAP_SOURCES_MAX).unwrap_or_default();
    section.refuse_unknown();
    Cap { trusted_certificates: files.into_iter().map(|found| base.join(found.value)).collect() }
}

/// The tables `[[cap_sources]]`.
pub(super) fn cap_sources<'a>(reader: &mut Reader<'a>, document: &'a DeTable<'a>) -> Vec<CapSource> {
    let mut sources: Vec<CapSource> = Vec::new();
    let tables = reader.tables(document, "cap_sources");
    if let Some((_, place)) = tables.get(CAP_SOURCES_MAX) {
        let what = format!("there are more than {CAP_SOURCES_MAX} sources");
        reader.fault(place.clone(), what, "Leave the rest out.");
    }
    for (table, place) in tables {
        let Some(source) = cap_source(reader.entry("cap_sources", table, place.clone()), &place) else { continue };
        if sources.iter().any(|other| other.name == source.name) {
            reader.fault(place, format!("the source {} is listed twice", source.name), "Give each its own name.");
            continue;
        }
        sources.push(source);
    }
    sources
}

fn cap_source(mut section: Section<'_, '_>, place: &Place) -> Option<CapSource> {
    const KIB: u64 = 1024;
    let document_kib_max = ORIGINAL_BYTES_MAX as u64 / KIB;
    for (key, example) in [("name", "name = \"anacim\""), ("url", "url = \"https://meteo.example/cap.atom\"")] {
        if !section.has(key) {
            let what = format!("`{key}` of this source is missing");
            section.fault(place.clone(), what, format!("Write {example} below it."));
        }
    }
    let name = section.find::<Name>("name");
    let url = section.find::<Url>("url");
    let every = section.within("every_seconds", 60..=86_400, 300);
    let within = section.within("timeout_seconds", 1..=120, 30);
    let document_kib = section.within("document_max_kib", 1..=document_kib_max, document_kib_max);
    let feed_kib = section.within("feed_max_kib", 1..=32 * KIB, 8 * KIB);
    let bytes = |kib: u64| usize::try_from(kib * KIB).unwrap_or(ORIGINAL_BYTES_MAX);
    let allow_private = section.or("allow_private", false);
    let enabled = section.or("enabled", true);
    let event = section.find::<Event>("event").map(|Found { value, .. }| value);
    let source_type = section.or("source_type", SourceType::Authority);
    section.refuse_unknown();
    Some(CapSource {
        name: name?.value.0,
        url: url?.value.0,
        every: Duration::from_secs(every),
        within: Duration::from_secs(within),
        document_bytes_max: bytes(document_kib),
        feed_bytes_max: bytes(feed_kib),
        allow_private,
        enabled,
        event,
        source_type,
    })
}
