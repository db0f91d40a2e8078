//! Feeds as readers and sources meet them: an engine over a store in memory, real HTTP over loopback, and a clock that
//! is set.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use passerelle_domain::{
    alert::{Alert, AlertCancel, AlertDraft},
    cap::{self, polled},
    catalogue::{CancelReason, Mode, Role, Sensitivity, SourceType},
    decide::{Caller, Command, Policy, Pseudonyms},
    entry::{Actor, Body, DraftEnd, DraftSource},
    facts::Facts as _,
    ids::{AlertId, EntryIndex, Epoch},
    limits::POLLED_FETCHES_MAX,
    refusal::Code,
    society::Society,
    time::Time,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use super::{Board, Client, Keeper, Poller, board::Polls, serve};
use crate::{
    clock::{Clock as _, TestClock},
    config::{CapSource, Feed},
    engine::{self, Engine},
    entropy::SeededEntropy,
    metrics::Metrics,
    store::memory::MemoryStore,
    supervise::Spawner,
    trust::{Seed, SigningKey},
};

const NOW: Time = Time::from_millis(1_795_500_000_000);
const CAP: &str = include_str!("../../../config/demo/alert.cap.xml");
const CONVOY: &str = include_str!("../../../config/demo/alert-convoy.toml");
const HOUR: Duration = Duration::from_secs(3_600);

fn society(code: &str) -> Society {
    code.parse().expect("a Society")
}

fn person(name: &str, role: Role) -> Caller {
    Caller { actor: Actor::Operator(name.into()), roles: vec![role] }
}

/// The node of Senegal, as far as feeds need one.
struct Node {
    engine: engine::Handle,
    clock: TestClock,
    end: CancellationToken,
    spawner: Spawner,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Node {
    async fn new() -> Self {
        let clock = TestClock::at(NOW);
        let (engine, handle) = Engine::new(engine::Parts {
            own: society("SN"),
            store: Arc::new(MemoryStore::new()),
            clock: Arc::new(clock.clone()),
            signer: Arc::new(SigningKey::from_seed(&Seed::new([1; 32])).expect("a key")),
            policy: tokio::sync::watch::channel(Arc::new(Policy::default())).1,
            epoch: Epoch::new(NOW, [9; 10]),
            pseudonyms: Pseudonyms::new([3; 32]),
            metrics: Metrics::new(),
        });
        std::thread::spawn(|| engine.run().expect("the store does not fail"));
        handle.durable().wait_for(|durable| durable.entries > 0).await.expect("the engine runs");
        let end = CancellationToken::new();
        Self { engine: handle, clock, spawner: Spawner::new(end.clone()), end }
    }

    /// An alert that goes all the way, with whoever has to approve it.
    async fn publish(&self, number: u8, mode: Mode, sensitivity: Sensitivity) -> AlertId {
        let id = AlertId::new(NOW, [number; 10]);
        let mut draft: AlertDraft = toml::from_str(CONVOY).expect("a draft");
        (draft.mode, draft.sensitivity) = (Some(mode), Some(sensitivity));
        draft.distribution = if sensitivity > Sensitivity::Network { vec![society("SN")] } else { Vec::new() };
        let alert = Alert::from_draft(draft, self.clock.now()).expect("an alert");
        let caller = person("awa", Role::AlertAuthor);
        let drafted =
            Command::DraftAlert { caller: caller.clone(), id, alert: Box::new(alert), source: DraftSource::Operator };
        self.engine.submit(drafted).await.expect("drafted");
        let approve = Command::ApproveDraft { caller: person("binta", Role::AlertApprover), id, digest: None };
        // Where no approval is required there is none to give.
        let _ = self.engine.submit(approve).await;
        self.engine.submit(Command::PublishDraft { caller, id }).await.expect("published");
        id
    }

    async fn cancel(&self, alert: AlertId) {
        let cancel = AlertCancel { alert, reason: CancelReason::Resolved, note: None };
        let command = Command::CancelAlert { caller: person("awa", Role::AlertAuthor), entropy: [7; 10], cancel };
        self.engine.submit(command).await.expect("cancelled");
    }

    /// The public feed of the node, served; where.
    async fn show(&self, folder: Option<&std::path::Path>) -> String {
        let config = Feed {
            listen: None,
            folder: folder.map(ToOwned::to_owned),
            base_url: "https://crs.example/alerts".to_owned(),
            title: None,
            linger: HOUR * 24,
            max_age: Duration::from_secs(60),
        };
        let (clock, metrics) = (Arc::new(self.clock.clone()), Metrics::new());
        let keeper = Keeper::new(society("SN"), &config, self.engine.clone(), clock.clone(), metrics);
        let published = keeper.published();
        let keep = keeper.keep(self.end.clone());
        self.spawner.spawn("keeper", async move { keep.await.expect("kept") });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let served = serve(listener, config, published.clone(), self.engine.clone(), clock, self.spawner.clone());
        self.spawner.spawn("server", async move { served.await.expect("served") });
        until(|| published.borrow().changed().is_some()).await;
        address
    }

    fn poller(&self) -> Poller {
        let now = self.clock.clone();
        Poller {
            own: society("SN"),
            engine: self.engine.clone(),
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(SeededEntropy::new(5)),
            metrics: Metrics::new(),
            client: Client::new(Arc::new(move || now.now())),
            board: Arc::new(Board::default()),
        }
    }

    fn drafts(&self) -> usize {
        self.entries(
            |body| matches!(body, Body::AlertDrafted { source: DraftSource::Feed(name), .. } if name == "test"),
        )
    }

    fn refusals(&self) -> usize {
        self.entries(|body| matches!(body, Body::Refused { .. }))
    }

    fn entries(&self, wanted: impl Fn(&Body) -> bool) -> usize {
        let view = self.engine.view();
        let size = self.engine.durable().borrow().entries;
        (0..size)
            .filter(|at| view.entry(EntryIndex(*at)).expect("read").is_some_and(|entry| wanted(&entry.body)))
            .count()
    }
}

async fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen");
}

/// One request over a connection of its own; head and body of the answer.
async fn ask(address: &str, request: &str) -> (String, String) {
    ask_with(address, request, "x: y").await
}

/// The same, with a header.
async fn ask_with(address: &str, request: &str, header: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let request = format!("{request} HTTP/1.1\r\nhost: crs.example\r\n{header}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_ascii_lowercase(), body.to_owned())
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_sees_what_is_public_and_meant_and_its_end() {
    let node = Node::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let shown = node.publish(1, Mode::Actual, Sensitivity::Public).await;
    let address = node.show(Some(folder.path())).await;
    let mut hidden = Vec::new();
    for (number, (mode, sensitivity)) in (10..).zip([
        (Mode::Exercise, Sensitivity::Public),
        (Mode::Test, Sensitivity::Public),
        (Mode::Actual, Sensitivity::Network),
        (Mode::Exercise, Sensitivity::Network),
    ]) {
        hidden.push(node.publish(number, mode, sensitivity).await);
    }
    node.clock.advance(Duration::from_secs(10));
    node.cancel(shown).await;
    let feed = loop {
        let (_, feed) = ask(&address, "GET /feed.atom").await;
        if feed.contains("Cancel: ") {
            break feed;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(feed.matches("<entry").count(), 2, "{feed}");
    for id in hidden {
        assert!(!feed.contains(&id.to_string()));
        let (head, _) = ask(&address, &format!("GET /cap/{id}.xml")).await;
        assert!(head.starts_with("http/1.1 404"), "{head}");
    }
    let documents: Vec<&str> = feed
        .split("href=\"https://crs.example")
        .skip(2)
        .map(|rest| rest.split('"').next().unwrap_or_default())
        .collect();
    assert_eq!(documents.len(), 2);
    for document in documents {
        let (head, body) = ask(&address, &format!("GET {document}")).await;
        assert_eq!(header(&head, "content-type"), "application/cap+xml");
        let report = cap::check(body.as_bytes());
        assert!(!matches!(report.verdict, cap::Verdict::Invalid | cap::Verdict::OtherFormat), "{report:?}");
        let file = document.strip_prefix("/alerts/").expect("below the base");
        until(|| std::fs::read_to_string(folder.path().join(file)).is_ok_and(|text| text == body)).await;
    }
    // A day after its end it is gone, from both.
    node.clock.advance(HOUR * 25);
    node.publish(30, Mode::Actual, Sensitivity::Network).await;
    let next = node.publish(31, Mode::Actual, Sensitivity::Public).await;
    until(|| std::fs::read_dir(folder.path().join("cap")).is_ok_and(|files| files.count() == 1)).await;
    let (_, feed) = ask(&address, "GET /feed.atom").await;
    assert!(feed.contains(&next.to_string()) && !feed.contains(&shown.to_string()), "{feed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_ask_for_what_has_changed_and_get_nothing_else() {
    let node = Node::new().await;
    let id = node.publish(1, Mode::Actual, Sensitivity::Public).await;
    let address = node.show(None).await;
    let (head, feed) = ask(&address, "GET /feed.atom").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(header(&head, "content-type"), "application/atom+xml");
    assert_eq!(header(&head, "cache-control"), "public, max-age=60");
    assert_eq!(header(&head, "last-modified"), "", "its second is not over");
    node.clock.advance(Duration::from_secs(2));
    let document = format!("/alerts/cap/{id}.xml");
    for path in ["/feed.atom", "/alerts/feed.atom", document.as_str()] {
        let (head, body) = ask(&address, &format!("GET {path}")).await;
        let (etag, date) = (header(&head, "etag").to_owned(), header(&head, "last-modified").to_owned());
        assert!(etag.len() == 34 && date.ends_with("gmt"), "{head}");
        let (again, nothing) = ask(&address, &format!("HEAD {path}")).await;
        assert_eq!((header(&again, "etag"), nothing.as_str()), (etag.as_str(), ""));
        assert_eq!(header(&again, "content-length"), body.len().to_string());
        let date = date.replace("gmt", "GMT");
        for condition in [format!("if-none-match: \"x\", {etag}"), format!("if-modified-since: {}", capital(&date))] {
            let (head, nothing) = ask_with(&address, &format!("GET {path}"), &condition).await;
            assert!(head.starts_with("http/1.1 304"), "{condition} {head}");
            assert_eq!((header(&head, "etag"), nothing.as_str()), (etag.as_str(), ""));
        }
        let (head, _) = ask(&address, &format!("POST {path}")).await;
        assert!(head.starts_with("http/1.1 405") && header(&head, "allow") == "get, head", "{head}");
    }
    assert_eq!(ask(&address, "GET /feed.atom").await.1, feed, "the same bytes");
    for path in ["/", "/cap", "/cap/", "/alerts", "/feed", "/cap/../feed.atom", "/etc/passwd", "//feed.atom"] {
        let (head, _) = ask(&address, &format!("GET {path}")).await;
        assert!(head.starts_with("http/1.1 404"), "{path} {head}");
    }
}

/// A date with its capitals back: heads are compared in small letters.
fn capital(date: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
    };
    date.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// What a server does with a request.
enum Act {
    /// Sends this and closes.
    Send(Vec<u8>),
    /// Sends this and then nothing, for ever.
    Stall(Vec<u8>),
}

fn ok(body: &str) -> Act {
    with("", body)
}

fn with(headers: &str, body: &str) -> Act {
    Act::Send(format!("HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

fn raw(answer: &str) -> Act {
    Act::Send(answer.as_bytes().to_vec())
}

/// A server on this machine: where it is, and the heads of what it was asked.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn new(node: &Node, act: impl Fn(&str) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (heads, act, spawner) = (asked.clone(), Arc::new(act), node.spawner.clone());
        node.spawner.spawn("server", async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (heads, act) = (heads.clone(), act.clone());
                spawner.spawn("connection", async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        match stream.read_u8().await {
                            Ok(byte) => head.push(byte),
                            Err(_) => return,
                        }
                    }
                    let head = String::from_utf8_lossy(&head).into_owned();
                    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    let does = act(&path);
                    heads.lock().push(head);
                    match does {
                        Act::Send(bytes) => drop(stream.write_all(&bytes).await),
                        Act::Stall(bytes) => {
                            drop(stream.write_all(&bytes).await);
                            std::future::pending::<()>().await;
                        }
                    }
                });
            }
        });
        Self { address, asked }
    }

    fn source(&self) -> CapSource {
        CapSource {
            name: "test".to_owned(),
            url: format!("{}/feed", self.address),
            every: Duration::from_secs(300),
            within: Duration::from_secs(5),
            document_bytes_max: 1 << 20,
            feed_bytes_max: 1 << 20,
            allow_private: true,
            enabled: true,
            event: None,
            source_type: SourceType::Authority,
        }
    }
}

/// The demo's document under another identifier, from another sender.
fn warning(identifier: &str) -> String {
    CAP.replace("rosso-bac-2026-3", identifier).replace("urn:sahelplus:ns:MRT", "warnings@met.example")
}

fn id_of(identifier: &str) -> AlertId {
    polled::alert_id("warnings@met.example", identifier, "2026-11-20T08:00:00Z".parse().expect("a time"))
}

fn message(identifier: &str, kind: &str, earlier: &str) -> String {
    let references = format!("<references>warnings@met.example,{earlier},2026-11-20T08:00:00-00:00</references>");
    let note = "</note>";
    warning(identifier)
        .replace("<msgType>Alert", &format!("<msgType>{kind}"))
        .replace(note, &format!("{note}\n{references}"))
}

fn atom(entries: &str) -> String {
    format!("<feed xmlns=\"http://www.w3.org/2005/Atom\"><id>f</id>{entries}</feed>")
}

fn links(names: &[&str]) -> String {
    let entry =
        |name: &&str| format!("<entry><id>{name}</id><link type=\"application/cap+xml\" href=\"{name}\"/></entry>");
    atom(&names.iter().map(entry).collect::<String>())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_becomes_a_draft_once_and_is_asked_for_once() {
    let node = Node::new().await;
    let server = Server::new(&node, |path| match path {
        "/feed" => with("etag: \"v1\"\r\nlast-modified: Fri, 20 Nov 2026 08:00:00 GMT\r\n", &links(&["b", "a"])),
        path => ok(&warning(&path[1..])),
    })
    .await;
    let (poller, mut polls, source) = (node.poller(), Polls::default(), server.source());
    poller.poll(&source, &mut polls).await;
    assert_eq!((polls.error.clone(), polls.failures, polls.drafted, node.drafts()), (None, 0, 2, 2));
    let pause = polls.next.since(NOW);
    assert!(pause >= source.every && pause <= source.every * 6 / 5, "{pause:?}");
    let first = server.asked.lock().drain(..).collect::<String>().to_ascii_lowercase();
    assert!(first.contains("accept-encoding: identity") && !first.contains("if-none-match"), "{first}");

    // Approved by a person, never by the node.
    let id = id_of("a");
    let row = node.engine.view().draft(id).expect("read").expect("drafted");
    assert_eq!((row.needs_approval, row.source), (true, DraftSource::Feed("test".to_owned())));
    let publish = Command::PublishDraft { caller: super::poll::node(), id };
    assert_eq!(node.engine.submit(publish.clone()).await.map_err(|refusal| refusal.code), Err(Code::ApprovalRequired));
    let approve = |caller| Command::ApproveDraft { caller, id, digest: None };
    let by_node = node.engine.submit(approve(super::poll::node())).await;
    assert_eq!(by_node.map_err(|refusal| refusal.code), Err(Code::RoleMissing));
    node.engine.submit(approve(person("binta", Role::AlertApprover))).await.expect("approved");
    node.engine.submit(publish).await.expect("published");

    // The same feed again, unconditionally, after a restart that forgot everything: nothing new is drafted.
    poller.poll(&source, &mut Polls::default()).await;
    assert_eq!(node.drafts(), 2);
    server.asked.lock().clear();
    poller.poll(&source, &mut polls).await;
    let asked = server.asked.lock().drain(..).collect::<String>().to_ascii_lowercase();
    assert!(asked.contains("if-none-match: \"v1\"") && asked.contains("if-modified-since: fri, 20 nov"), "{asked}");
    assert!(!asked.contains("get /a"), "what was seen is not asked for again: {asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_source_costs_one_answer_without_a_body() {
    let node = Node::new().await;
    let server = Server::new(&node, |_| raw("HTTP/1.1 304 Not Modified\r\netag: \"v1\"\r\n\r\n")).await;
    let (poller, source) = (node.poller(), server.source());
    let validators = super::fetch::Validators { etag: Some("\"v1\"".to_owned()), last_modified: None };
    let mut polls = Polls { validators: Some(validators), failures: 3, seen: vec![1, 2], ..Polls::default() };
    poller.poll(&source, &mut polls).await;
    assert_eq!((polls.failures, polls.error.is_none(), polls.seen.len(), polls.answered_at), (0, true, 2, Some(NOW)));
    // Without a question there is no such answer.
    poller.poll(&source, &mut Polls::default()).await;
    assert_eq!(node.refusals(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_takes_the_place_of_what_went_out_and_a_cancel_of_what_did_not() {
    let node = Node::new().await;
    let stage = Arc::new(AtomicUsize::new(0));
    let seen = stage.clone();
    let server = Server::new(&node, move |path| match path {
        "/feed" => ok(&links(match seen.load(Ordering::SeqCst) {
            0 => &["a", "b"],
            1 => &["u", "a", "b"],
            _ => &["ca", "cb", "u", "a", "b"],
        })),
        "/u" => ok(&message("u", "Update", "a")
            .replace("2026-11-20T08:00:00+00:00</sent>", "2026-11-20T09:00:00+00:00</sent>")),
        "/ca" => ok(&message("ca", "Cancel", "a")),
        "/cb" => ok(&message("cb", "Cancel", "b")),
        path => ok(&warning(&path[1..])),
    })
    .await;
    let (poller, mut polls, source) = (node.poller(), Polls::default(), server.source());
    poller.poll(&source, &mut polls).await;
    assert_eq!((polls.drafted, polls.error.clone()), (2, None));
    let a = id_of("a");
    let approve = Command::ApproveDraft { caller: person("binta", Role::AlertApprover), id: a, digest: None };
    node.engine.submit(approve).await.expect("approved");
    node.engine
        .submit(Command::PublishDraft { caller: person("binta", Role::AlertApprover), id: a })
        .await
        .expect("out");
    stage.store(1, Ordering::SeqCst);
    poller.poll(&source, &mut polls).await;
    assert_eq!((polls.drafted, polls.error.clone()), (3, None));
    let u = polled::alert_id("warnings@met.example", "u", "2026-11-20T09:00:00Z".parse().expect("a time"));
    let row = node.engine.view().draft(u).expect("read").expect("drafted");
    let object = node.engine.view().object(row.entry).expect("read").expect("there");
    let update = Alert::from_cbor(&object).expect("an alert");
    assert_eq!(update.supersedes.iter().map(|earlier| earlier.id).collect::<Vec<_>>(), [a], "it updates ours");

    stage.store(2, Ordering::SeqCst);
    poller.poll(&source, &mut polls).await;
    assert_eq!((polls.cancelled.clone(), polls.error.clone()), (vec![a], None), "ours is for a person to cancel");
    let b = node.engine.view().draft(id_of("b")).expect("read").expect("drafted");
    assert_eq!(b.ended.map(|(end, _)| end), Some(DraftEnd::Discarded));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_written_down_and_not_asked_for_again() {
    let node = Node::new().await;
    let server = Server::new(&node, |path| match path {
        "/feed" => {
            ok(&links(&["own", "test", "over", "ack", "html", "broken", "invalid", "large", "gone", "unknown", "good"]))
        }
        "/own" => ok(&CAP.replace("urn:sahelplus:ns:MRT", "urn:sahelplus:ns:SEN")),
        "/test" => ok(&warning("test").replace("<status>Exercise", "<status>Test")),
        "/over" => ok(&warning("over").replace("2028-12-31", "2026-11-23")),
        "/ack" => ok(&message("ack", "Ack", "x")),
        "/html" => ok("<html>no warnings today</html>"),
        "/broken" => ok(&warning("broken")[..900]),
        "/invalid" => ok(&warning("invalid").replace("<urgency>Future</urgency>", "")),
        "/large" => ok(&"x".repeat(2 << 20)),
        "/gone" => raw("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
        "/unknown" => ok(&warning("unknown").replace("SahelPlus:event:1", "Other")),
        path => ok(&warning(&path[1..])),
    })
    .await;
    let (poller, mut polls, source) = (node.poller(), Polls::default(), server.source());
    poller.poll(&source, &mut polls).await;
    assert_eq!((polls.drafted, polls.refused, node.refusals()), (1, 6, 6), "{:?}", polls.error);
    server.asked.lock().clear();
    poller.poll(&source, &mut polls).await;
    assert_eq!((server.asked.lock().len(), node.drafts(), node.refusals()), (1, 1, 6), "only the feed");
    // With the event of the source, a document that names none is a draft.
    let source = CapSource { event: "env.flood".parse().ok(), ..source };
    poller.poll(&source, &mut Polls::default()).await;
    assert!(node.engine.view().draft(id_of("unknown")).expect("read").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fails_is_told_of_and_asked_more_seldom() {
    let node = Node::new().await;
    let long = format!("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{}", warning("a"));
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "<rss>".repeat(400_000));
    let gzip = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx";
    let hop = |to: &str| format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
    let cases: [(&str, Act, Code); 13] = [
        ("truncated", raw(&long), Code::FeedUnreachable),
        ("slow head", Act::Stall(b"HTTP/1.1 200 OK\r\n".to_vec()), Code::FeedUnreachable),
        ("slow body", Act::Stall(long.clone().into_bytes()), Code::FeedUnreachable),
        ("closed", raw(""), Code::FeedUnreachable),
        ("no HTTP", raw("hello\r\n\r\n"), Code::FeedUnreachable),
        ("large head", raw(&format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(200_000))), Code::FeedUnreachable),
        ("busy", raw("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"), Code::FeedUnreachable),
        ("declared too large", raw("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n"), Code::TooLarge),
        ("endless", raw(&endless), Code::TooLarge),
        ("compressed", raw(gzip), Code::FeedRefused),
        ("in a circle", raw(&hop("/again")), Code::FeedRefused),
        ("off the web", raw(&hop("file:///etc/passwd")), Code::FeedRefused),
        ("no XML", ok("<rss><channel>"), Code::MalformedFile),
    ];
    for (name, act, code) in cases {
        let act = Arc::new(act);
        let server = Server::new(&node, move |_| match &*act {
            Act::Send(bytes) => Act::Send(bytes.clone()),
            Act::Stall(bytes) => Act::Stall(bytes.clone()),
        })
        .await;
        let (poller, mut polls) = (node.poller(), Polls::default());
        let source = CapSource { within: Duration::from_millis(700), ..server.source() };
        poller.poll(&source, &mut polls).await;
        assert_eq!(polls.error.as_ref().map(|(code, _)| code.as_str()), Some(code.as_str()), "{name}");
        poller.poll(&source, &mut polls).await;
        assert_eq!((polls.failures, polls.answered_at, node.drafts()), (2, None, 0), "{name}");
        assert!(polls.next.since(NOW) >= source.every, "{name}");
        assert!(server.asked.lock().len() <= 8, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_makes_the_node_ask_the_machines_beside_it() {
    let node = Node::new().await;
    let server = Server::new(&node, |_| ok(&warning("a"))).await;
    let (poller, mut polls) = (node.poller(), Polls::default());
    let port = server.address.rsplit(':').next().expect("a port").to_owned();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "[::1]"] {
        let source = CapSource { allow_private: false, url: format!("http://{host}:{port}/feed"), ..server.source() };
        poller.poll(&source, &mut polls).await;
        let error = polls.error.clone().map(|(code, _)| code);
        assert_eq!(error.as_deref(), Some(Code::FeedRefused.as_str()), "{host} {:?}", polls.error);
    }
    assert!(server.asked.lock().is_empty());
    assert_eq!(node.drafts(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_followed_and_references_count_from_where_they_lead() {
    let node = Node::new().await;
    let server = Server::new(&node, |path| match path {
        "/feed" => raw("HTTP/1.1 301 Moved\r\nlocation: /new/place/feed.xml\r\ncontent-length: 0\r\n\r\n"),
        "/new/place/feed.xml" => ok(&links(&["../a"])),
        "/new/a" => ok(&warning("a")),
        _ => raw("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
    })
    .await;
    let (poller, mut polls) = (node.poller(), Polls::default());
    poller.poll(&server.source(), &mut polls).await;
    assert_eq!((polls.drafted, polls.error), (1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_feed_is_taken_in_turns_and_a_flood_of_drafts_is_held_up() {
    let node = Node::new().await;
    let names: Vec<String> = (0..POLLED_FETCHES_MAX * 5).map(|number| format!("n{number}")).collect();
    let served = names.clone();
    let server = Server::new(&node, move |path| match path {
        "/feed" => with("etag: \"v1\"\r\n", &links(&served.iter().map(String::as_str).collect::<Vec<_>>())),
        path => ok(&warning(&path[1..])),
    })
    .await;
    let (poller, mut polls, source) = (node.poller(), Polls::default(), server.source());
    for turn in 1..=4 {
        poller.poll(&source, &mut polls).await;
        assert_eq!((node.drafts(), polls.validators.clone()), (POLLED_FETCHES_MAX * turn, None), "{:?}", polls.error);
    }
    poller.poll(&source, &mut polls).await;
    assert_eq!(node.drafts(), POLLED_FETCHES_MAX * 4, "somebody has to look at them first");
    assert_eq!(polls.error.map(|(code, _)| code).as_deref(), Some(Code::RateLimited.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn how_polling_went_is_remembered_over_restarts_and_shown() {
    let node = Node::new().await;
    let server = Server::new(&node, |_| raw("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n")).await;
    let source = server.source();
    let end = CancellationToken::new();
    let poller = Arc::new(node.poller());
    node.spawner.spawn("poller", poller.clone().keep(source.clone(), end.clone()));
    until(|| poller.board.sources().iter().any(|source| source.failures == 1)).await;
    end.cancel();
    let key = crate::store::keys::polls("test");
    until(|| node.engine.store().get(&key).is_ok_and(|row| row.is_some())).await;
    // The next life of the node does not ask before its time.
    let again = Arc::new(node.poller());
    node.spawner.spawn("poller", again.clone().keep(source, node.end.clone()));
    until(|| !again.board.sources().is_empty()).await;
    let shown = again.board.sources().remove(0);
    assert_eq!((shown.failures, shown.enabled, shown.polled_at), (1, true, Some(NOW)));
    assert!(shown.next.is_some_and(|next| next > NOW));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.asked.lock().len(), 1);
}

/// A server that speaks TLS: where it is, and its certificate.
async fn secure_server(node: &Node) -> (String, rustls_pki_types::CertificateDer<'static>) {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let certificate = certified.cert.der().clone();
    let key = rustls_pki_types::PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
    let config = rustls::ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("a configuration");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    node.spawner.spawn("secure server", async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let Act::Send(bytes) = ok(&warning("secure")) else { continue };
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
    });
    (format!("{port}/feed"), certificate)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secure_source_proves_its_name_to_whom_the_machine_believes() {
    let node = Node::new().await;
    let (place, certificate) = secure_server(&node).await;
    let source = Server::new(&node, |_| ok("")).await.source();
    let now: crate::trust::Now = Arc::new(|| NOW);
    let believing = crate::trust::web_client(vec![certificate], &now);
    let cases = [
        (format!("https://localhost:{place}"), believing.clone(), None),
        // The certificate is for another name, nobody knows it, or there is nobody to believe.
        (format!("https://127.0.0.1:{place}"), believing, Some(Code::FeedUnreachable)),
        (format!("https://localhost:{place}"), None, Some(Code::FeedUnreachable)),
    ];
    for (url, tls, expected) in cases {
        let (mut polls, client) = (Polls::default(), Client::with_tls(now.clone(), tls));
        let poller = Poller { client, ..node.poller() };
        poller.poll(&CapSource { url: url.clone(), ..source.clone() }, &mut polls).await;
        let code = polls.error.as_ref().map(|(code, _)| code.as_str());
        assert_eq!(code, expected.map(Code::as_str), "{url} {:?}", polls.error);
    }
    assert_eq!(node.drafts(), 1);
}
