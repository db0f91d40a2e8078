//! A node that answers from a script, behind a real Unix socket and the real generated services, and a
//! way to run a command line against it and see all that came out.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test program uses its part")]

mod node;
mod safeguards;
mod subject;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, mpsc},
};

use passerelle_cli::{
    console::{Console, Terminals},
    failure::Exit,
};
use passerelle_domain::time::Time;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Status, transport::Server};

pub use node::Node;

/// The instant at which every test happens.
pub fn now() -> Time {
    Time::from_millis(1_795_501_800_000)
}

/// What came of a command line.
#[derive(Debug)]
pub struct Outcome {
    pub exit: Exit,
    pub out: String,
    pub err: String,
}

impl Outcome {
    /// The first line of what was printed.
    pub fn first(&self) -> &str {
        self.out.lines().next().unwrap_or_default()
    }

    /// What was printed, as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).expect("standard output is one JSON document")
    }
}

/// A node that runs, with a folder for the files of a test.
pub struct World {
    pub folder: tempfile::TempDir,
    pub node: Node,
    _stop: mpsc::Sender<()>,
}

impl World {
    /// A node that answers everything well.
    pub fn new() -> Self {
        Self::with(Node::default())
    }

    /// A node that refuses everything with one status.
    pub fn refusing(status: Status) -> Self {
        Self::with(Node { refusal: Some(Arc::new(status)), ..Node::default() })
    }

    pub fn with(node: Node) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let stop = serve(node.clone(), folder.path().join("socket"));
        Self { folder, node, _stop: stop }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Writes a file of the test; its path.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path.display().to_string()
    }

    /// Runs words against the node.
    pub fn run(&self, words: &[&str]) -> Outcome {
        self.run_with(words, "", false)
    }

    /// Runs words with something on standard input.
    pub fn run_with(&self, words: &[&str], stdin: &str, terminal: bool) -> Outcome {
        let socket = self.socket();
        let env = [("PASSERELLE_SOCKET", socket.as_path())];
        run(words, stdin, terminal, &env)
    }

    /// The last request that the node saw.
    pub fn last(&self) -> String {
        self.node.seen.lock().expect("no panic holds the lock").last().cloned().unwrap_or_default()
    }
}

/// Runs words with an environment of its own.
pub fn run(words: &[&str], mut stdin: &str, terminal: bool, env: &[(&str, &Path)]) -> Outcome {
    let mut stdin_bytes = {
        let bytes = std::mem::take(&mut stdin).as_bytes().to_vec();
        std::io::Cursor::new(bytes)
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let lookup = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_os_str().to_owned());
    let args = std::iter::once("passerelle").chain(words.iter().copied()).map(OsString::from);
    let exit = passerelle_cli::run(
        args,
        &mut Console {
            stdin: &mut stdin_bytes,
            stdout: &mut out,
            stderr: &mut err,
            terminals: Terminals { stdin: terminal, ..Terminals::default() },
            env: &lookup,
            now,
        },
    );
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Outcome { exit, out: text(out), err: text(err) }
}

/// Serves a node on a socket, in a thread of its own, until the sender is dropped.
fn serve(node: Node, socket: PathBuf) -> mpsc::Sender<()> {
    let (stop, stopped) = mpsc::channel::<()>();
    let (ready, is_ready) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(async { UnixListener::bind(socket) }).expect("a socket");
        ready.send(()).expect("somebody waits");
        let server = node.register(Server::builder()).serve_with_incoming(UnixListenerStream::new(listener));
        #[allow(clippy::disallowed_methods, reason = "a test's own server")]
        runtime.spawn(server);
        let _ = stopped.recv();
        runtime.shutdown_background();
    });
    is_ready.recv().expect("the server starts");
    stop
}

/// Everything that a node was asked, in order.
pub type Seen = Arc<Mutex<Vec<String>>>;
