//! From the document to [`Config`]: each section key by key, then what must hold between them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use passerelle_domain::{
    catalogue::Role,
    limits::{BUNDLE_LIST_MAX, DUTY_POSTS_MAX, HOOK_WORDS_MAX, PEERS_MAX},
    refusal::Code,
    society::Society,
};
use toml::de::DeTable;

use super::{
    Config, ConfigFaults, Duty, Identity, Link, Log, Metrics, Operator, OperatorInterface, Peer, Store, Trust,
    fault::Place,
    feeds,
    reader::{Found, Reader, Section},
    retention,
    value::{Address, Hotline, Listen, Mode, Name, Word},
};

/// A Unix socket's path fits into 107 bytes (`sun_path` of unix(7)).
const SOCKET_PATH_BYTES_MAX: usize = 107;
const SECTIONS: [&str; 15] = [
    "card",
    "store",
    "trust",
    "link",
    "peers",
    "retention",
    "transfer_basis",
    "operator",
    "operators",
    "duty",
    "feed",
    "cap",
    "cap_sources",
    "log",
    "metrics",
];

/// The configuration or its faults, and every key that was asked for.
pub(super) fn read(
    file: &Path,
    text: &str,
    environment: impl Iterator<Item = (String, String)>,
) -> (Result<Config, ConfigFaults>, BTreeSet<String>) {
    let (document, syntax) = DeTable::parse_recoverable(text);
    let mut reader = Reader::new(text, environment);
    let config = read_all(&mut reader, document.get_ref(), file.parent().unwrap_or(Path::new("")));
    if !syntax.is_empty() {
        report_syntax(&mut reader, &syntax);
    }
    let Reader { faults, schema, .. } = reader;
    let result = match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(ConfigFaults::new(file.to_owned(), faults)),
    };
    (result, schema)
}

/// Adds the faults of syntax, and takes away those that probably only follow from them: what is missing, and what
/// stands on the same line.
fn report_syntax(reader: &mut Reader<'_>, syntax: &[toml::de::Error]) {
    let places: Vec<Place> =
        syntax.iter().map(|fault| fault.span().map_or(Place::File, |span| reader.place(span.start))).collect();
    let line = |place: &Place| if let Place::Line { line, .. } = place { Some(*line) } else { None };
    let broken: BTreeSet<usize> = places.iter().filter_map(line).collect();
    reader.faults.retain(|fault| match &fault.place {
        Place::File => false,
        Place::Line { line, .. } => !broken.contains(line),
        Place::Variable(_) => true,
    });
    for (place, fault) in places.into_iter().zip(syntax) {
        let what = format!("is not TOML here: {}", fault.message().replace('\n', ", "));
        reader.fault(place, what, "Write key = value, text in double quotes; each key once in a section.");
    }
}

fn read_all<'a>(reader: &mut Reader<'a>, document: &'a DeTable<'a>, base: &Path) -> Option<Config> {
    let mut root = reader.root(document);
    root.sections(&SECTIONS);
    if !root.has("society") {
        root.fault(Place::File, "`society` is missing", "Write society = \"SN\" at the top, with your own code.");
    }
    let society = root.find::<Society>("society");
    let data_dir = base.join(root.or("data_dir", PathBuf::from("/var/lib/passerelle")));
    root.refuse_unknown();

    let store = store(reader.section(document, "store"));
    let trust = trust(reader.section(document, "trust"), base, &data_dir);
    let (link, link_listen) = link(reader.section(document, "link"));
    let (operator, operator_listen) = operator(reader.section(document, "operator"), base, &data_dir);
    let card_hotline = card(reader.section(document, "card"));
    let log = log(reader.section(document, "log"));
    let (metrics, metrics_listen) = metrics(reader.section(document, "metrics"));
    let peers = peers(reader, document, society.as_ref().map(|found| found.value), link.listen.is_some());
    let operators = operators(reader, document);
    let duty = duty(reader, document);
    let (feed, feed_listen) = feeds::feed(reader.section(document, "feed"), base);
    let cap = feeds::cap(reader.section(document, "cap"), base);
    let cap_sources = feeds::cap_sources(reader, document);
    let periods = retention::retention(reader.section(document, "retention"));
    let transfers = retention::transfers(reader, document, society.as_ref().map(|found| found.value));

    refuse_shared_ports(reader, &[link_listen, operator_listen, feed_listen, metrics_listen]);
    reader.refuse_leftover_variables();
    let society = society?.value;
    Some(Config {
        society,
        data_dir,
        store,
        trust,
        link,
        peers,
        retention: periods,
        transfers,
        operator,
        operators,
        card_hotline,
        duty,
        feed,
        cap,
        cap_sources,
        log,
        metrics,
    })
}

/// What stands on every card of this Society.
fn card(mut section: Section<'_, '_>) -> Option<String> {
    let hotline = section.find::<Hotline>("hotline").map(|found| found.value.0);
    section.refuse_unknown();
    hotline
}

fn store(mut section: Section<'_, '_>) -> Store {
    let store = Store {
        cache_mib: section.within("cache_mib", 4..=4096, 8),
        compact_at_start: section.or("compact_at_start", true),
    };
    section.refuse_unknown();
    store
}

fn trust(mut section: Section<'_, '_>, base: &Path, data_dir: &Path) -> Trust {
    let dir = section.find::<PathBuf>("dir").map_or_else(|| data_dir.join("trust"), |found| base.join(found.value));
    section.refuse_unknown();
    Trust { dir }
}

/// A key with an address to listen on, for the comparison of ports.
pub(super) type Listening = (&'static str, Option<Found<SocketAddr>>);

/// Reads an address to listen on; its default has the place of its section.
pub(super) fn listen(
    section: &mut Section<'_, '_>,
    key: &'static str,
    default: Option<SocketAddr>,
) -> Option<Found<SocketAddr>> {
    let place = section.place.clone();
    let found = section.find::<Listen>(key).unwrap_or(Found { value: Listen(default), place });
    found.value.0.map(|value| Found { value, place: found.place })
}

fn link(mut section: Section<'_, '_>) -> (Link, Listening) {
    let listening = listen(&mut section, "listen", Some(SocketAddr::from(([0, 0, 0, 0], 7443))));
    let advertise = capped(&mut section, "advertise", BUNDLE_LIST_MAX).unwrap_or_default();
    if let (None, Some(first)) = (&listening, advertise.first()) {
        let remedy = "Leave `advertise` out, or let `listen` name the address behind it.";
        section.fault(first.place.clone(), "`link.advertise` names addresses while `link.listen` is off", remedy);
    }
    let link = Link {
        listen: listening.as_ref().map(|found| found.value),
        advertise: advertise.into_iter().map(|found| found.value).collect(),
    };
    section.refuse_unknown();
    (link, ("link.listen", listening))
}

fn operator(mut section: Section<'_, '_>, base: &Path, data_dir: &Path) -> (OperatorInterface, Listening) {
    let Found { value: socket, place } = match section.find::<PathBuf>("socket") {
        Some(found) => Found { value: base.join(found.value), place: found.place },
        None => Found { value: data_dir.join("operator.sock"), place: section.place.clone() },
    };
    if socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        let what =
            format!("the path of `operator.socket` is longer than the {SOCKET_PATH_BYTES_MAX} bytes of a socket");
        section.fault(place, what, "Give `operator.socket` a shorter path, such as \"/run/passerelle/operator.sock\".");
    }
    let Mode(socket_mode) = section.or("socket_mode", Mode(0o660));
    let listening = listen(&mut section, "tcp_listen", None);
    section.refuse_unknown();
    let tcp_listen = listening.as_ref().map(|found| found.value);
    (OperatorInterface { socket, socket_mode, tcp_listen }, ("operator.tcp_listen", listening))
}

fn log(mut section: Section<'_, '_>) -> Log {
    let default = Log::default();
    let log = Log { format: section.or("format", default.format), level: section.or("level", default.level) };
    section.refuse_unknown();
    log
}

fn metrics(mut section: Section<'_, '_>) -> (Metrics, Listening) {
    let listening = listen(&mut section, "listen", Some(SocketAddr::from(([127, 0, 0, 1], 9464))));
    section.refuse_unknown();
    (Metrics { listen: listening.as_ref().map(|found| found.value) }, ("metrics.listen", listening))
}

/// A list of at most `max` values.
pub(super) fn capped<T: super::value::Value>(
    section: &mut Section<'_, '_>,
    key: &'static str,
    max: usize,
) -> Option<Vec<Found<T>>> {
    let values = section.list::<T>(key)?;
    if let Some(excess) = values.get(max) {
        section.fault(excess.place.clone(), format!("`{key}` holds more than {max} values"), "Leave the rest out.");
    }
    Some(values)
}

fn peers<'a>(
    reader: &mut Reader<'a>,
    document: &'a DeTable<'a>,
    own: Option<Society>,
    listens: bool,
) -> BTreeMap<Society, Peer> {
    let mut peers = BTreeMap::new();
    let tables = reader.tables(document, "peers");
    if let Some((_, place)) = tables.get(PEERS_MAX) {
        let what = format!("there are more than {PEERS_MAX} peers");
        reader.fault(place.clone(), what, "Remove those with whom nothing is exchanged.");
    }
    for (table, place) in tables {
        let mut section = reader.entry("peers", table, place);
        let society = society_of_peer(&mut section, own, &peers);
        let addresses = capped(&mut section, "addresses", BUNDLE_LIST_MAX).unwrap_or_default();
        if addresses.is_empty() && !listens {
            let what = "this peer has no `addresses`, and `link.listen` is off: neither side could dial";
            section.fault(section.place.clone(), what, "Write where the peer can be dialled, or let this node listen.");
        }
        let peer = Peer {
            addresses: addresses.into_iter().map(|found: Found<Address>| found.value).collect(),
            alerts: section.or("alerts", true),
            handovers: section.or("handovers", true),
            hold_at_origin: section.or("hold_at_origin", false),
            suspended: section.or("suspended", false),
        };
        section.refuse_unknown();
        if let Some(society) = society {
            peers.insert(society, peer);
        }
    }
    peers
}

/// The Society of a peer, unless it is missing, this node's own, or listed before.
fn society_of_peer(
    section: &mut Section<'_, '_>,
    own: Option<Society>,
    before: &BTreeMap<Society, Peer>,
) -> Option<Society> {
    if !section.has("society") {
        let remedy = "Write society = \"GM\" below it, with the peer's own code.";
        section.fault(section.place.clone(), "`society` of this peer is missing", remedy);
    }
    let Found { value: society, place } = section.find::<Society>("society")?;
    if own == Some(society) {
        let what = format!("the peer {society} is this node's own Society");
        section.fault(place, what, format!("{} Remove it.", Code::SameSociety.next_step()));
        return None;
    }
    if before.contains_key(&society) {
        let what = format!("the peer {society} is listed twice");
        section.fault(place, what, "Keep one of the two; it can have several addresses.");
        return None;
    }
    Some(society)
}

fn operators<'a>(reader: &mut Reader<'a>, document: &'a DeTable<'a>) -> Vec<Operator> {
    let mut operators: Vec<Operator> = Vec::new();
    for (table, place) in reader.tables(document, "operators") {
        let mut section = reader.entry("operators", table, place.clone());
        let identity = identity(&mut section);
        let roles = roles(&mut section);
        let automation = section.or("automation", false);
        section.refuse_unknown();
        let Some(identity) = identity else { continue };
        if operators.iter().any(|operator| operator.identity == identity) {
            reader.fault(place, "this operator is listed twice", "Keep one of the two, with the roles of both.");
            continue;
        }
        operators.push(Operator { identity, roles, automation });
    }
    operators
}

fn duty<'a>(reader: &mut Reader<'a>, document: &'a DeTable<'a>) -> Vec<Duty> {
    let mut posts: Vec<Duty> = Vec::new();
    let tables = reader.tables(document, "duty");
    if let Some((_, place)) = tables.get(DUTY_POSTS_MAX) {
        let what = format!("there are more than {DUTY_POSTS_MAX} posts on duty");
        reader.fault(place.clone(), what, "Leave the rest out; the last ones would be called hours too late.");
    }
    for (table, place) in tables {
        let mut section = reader.entry("duty", table, place.clone());
        if !section.has("post") {
            let remedy = "Write post = \"duty_officer.dakar\" below it: a post, never a person.";
            section.fault(place.clone(), "`post` of this post on duty is missing", remedy);
        }
        let post = section.find::<Name>("post").map(|found| found.value.0);
        let hook: Vec<Found<Word>> = capped(&mut section, "hook", HOOK_WORDS_MAX).unwrap_or_default();
        if let Some(first) = hook.first().filter(|first| !first.value.0.starts_with('/')) {
            let remedy = "Write the whole path of the program first, such as \"/usr/local/bin/page-duty\".";
            section.fault(first.place.clone(), "`duty.hook` does not begin with the path of a program", remedy);
        }
        let wait = Duration::from_secs(section.within("wait_minutes", 1..=1440, 15) * 60);
        section.refuse_unknown();
        let Some(post) = post else { continue };
        if posts.iter().any(|other| other.post == post) {
            reader.fault(place, format!("the post {post} is on duty twice"), "Give each its own name.");
            continue;
        }
        posts.push(Duty { post, hook: hook.into_iter().map(|found| found.value.0).collect(), wait });
    }
    posts
}

fn identity(section: &mut Section<'_, '_>) -> Option<Identity> {
    let unclear = section.has("user") == section.has("certificate");
    let user = section.find("user").map(|found| Identity::User(found.value));
    let certificate = section.find::<Name>("certificate").map(|found| Identity::Certificate(found.value.0));
    if unclear {
        let remedy = "Write either user = \"login\" or certificate = \"name\", not both.";
        section.fault(section.place.clone(), "an operator is either a user or a certificate", remedy);
        return None;
    }
    user.or(certificate)
}

fn roles(section: &mut Section<'_, '_>) -> Vec<Role> {
    let mut roles = Vec::new();
    let (written, faults) = (section.has("roles"), section.faults());
    let found = section.list::<Role>("roles").unwrap_or_default();
    if !written || (found.is_empty() && section.faults() == faults) {
        let remedy = "Give it a role of the list in node.reference.toml, or remove it.";
        section.fault(section.place.clone(), "an operator without `roles` may do nothing", remedy);
    }
    for Found { value: role, place } in found {
        if roles.contains(&role) {
            section.fault(place, format!("the role {role} is given twice"), "Remove one of the two.");
        } else {
            roles.push(role);
        }
    }
    roles
}

/// Each interface has a port of its own; the operator interface above all is never on the peer port.
fn refuse_shared_ports(reader: &mut Reader<'_>, listening: &[Listening]) {
    for (index, (name, found)) in listening.iter().enumerate() {
        let Some(Found { value: address, place }) = found else { continue };
        let shares = |other: &SocketAddr| {
            let overlap = address.ip() == other.ip() || address.ip().is_unspecified() || other.ip().is_unspecified();
            address.port() != 0 && address.port() == other.port() && overlap
        };
        for (earlier, other) in &listening[..index] {
            if other.as_ref().is_some_and(|other| shares(&other.value)) {
                let what = format!("`{name}` and `{earlier}` share the port {}", address.port());
                reader.fault(place.clone(), what, "Give each its own port.");
            }
        }
    }
}
