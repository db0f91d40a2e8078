//! `demo`: three real nodes as processes of their own, and the main job done between them, each
//! step verified by what the nodes answer.

mod nodes;
mod story;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;

use super::{say, tell};
use nodes::Nodes;

/// What `demo` is told.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// End after the last step instead of staying up; exit code 0 only if every step was verified.
    #[arg(long)]
    once: bool,
    /// One JSON object a line and step: step, ok, millis, detail.
    #[arg(long)]
    json: bool,
}

/// Tells the steps as they happen.
struct Teller {
    json: bool,
    failed: bool,
}

impl Teller {
    /// Runs one step and tells its outcome. Later steps rest on earlier ones, so a failure ends the story.
    async fn step(&mut self, name: &str, work: impl Future<Output = anyhow::Result<String>>) -> anyhow::Result<()> {
        let started = Instant::now();
        let outcome = work.await;
        let millis = started.elapsed().as_millis();
        let ok = outcome.is_ok();
        self.failed |= !ok;
        let detail = match &outcome {
            Ok(detail) => detail.clone(),
            Err(error) => format!("{error:#}"),
        };
        if self.json {
            tell(&serde_json::json!({ "step": name, "ok": ok, "millis": millis, "detail": detail }).to_string());
        } else {
            let mark = if ok { "ok  " } else { "FAIL" };
            tell(&format!("{mark} {name} ({millis} ms)"));
            detail.lines().for_each(|line| tell(&format!("       {line}")));
        }
        outcome.map(|_| ())
    }
}

impl Demo {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut teller = Teller { json: self.json, failed: false };
            let folder = DemoFolder::make()?;
            let mut nodes = None;
            let outcome = Box::pin(story::tell_it(&mut teller, &folder.0, &mut nodes)).await;
            if let (Some(nodes), false, Ok(())) = (&nodes, self.once, &outcome) {
                farewell(nodes, self.json);
                tokio::signal::ctrl_c().await?;
            }
            if let Some(nodes) = nodes.as_mut() {
                nodes.stop(Duration::from_secs(12)).await;
            }
            if outcome.is_err() || teller.failed {
                folder.keep();
                return Ok(ExitCode::FAILURE);
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// How to talk to each node.
fn farewell(nodes: &Nodes, json: bool) {
    if json {
        return;
    }
    tell("");
    tell("The three nodes stay up until Ctrl-C. In another terminal:");
    for node in nodes.all() {
        tell("");
        tell(&format!("  # {}", node.society.member().map_or("", |member| member.name)));
        tell(&format!("  export PASSERELLE_SOCKET={}", node.socket.display()));
        tell("  cargo run --release --bin passerelle -- status");
    }
    tell("");
    tell("  cargo run --release --bin passerelle -- alert list");
    tell("  cargo run --release --bin passerelle -- alert raise --file config/demo/alert-convoy.toml");
    tell("  cargo run --release --bin passerelle -- handover list");
    tell("  cargo run --release --bin passerelle -- audit verify");
}

/// A folder that is removed at the end, unless something failed and its logs are of use.
struct DemoFolder(std::path::PathBuf);

impl DemoFolder {
    fn make() -> anyhow::Result<Self> {
        let mut random = [0; 6];
        crate::entropy::Entropy::fill(&crate::entropy::SystemEntropy::new(), &mut random);
        let path = std::env::temp_dir().join(format!("passerelle-demo-{}", hex::encode(random)));
        std::fs::DirBuilder::new().create(&path)?;
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        Ok(Self(path))
    }

    fn keep(self) {
        say(&format!("The logs of the nodes are in {}", self.0.display()));
        std::mem::forget(self);
    }
}

impl Drop for DemoFolder {
    fn drop(&mut self) {
        // A leftover in the folder for temporary files is no reason to fail.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
