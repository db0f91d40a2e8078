//! A node as a process of its own, to be killed.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use passerelle_proto::v1::{self, status_service_client::StatusServiceClient};
use tokio::process::{Child, Command};

use super::{PATIENCE, Site, channel};

/// A node under test. Killed when it is dropped.
pub struct Process {
    program: PathBuf,
    /// What the program is told before it is told to run a node.
    arguments: Vec<String>,
    /// Where its configuration, log and socket are.
    folder: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// The node of a site, run by `program`; it does not run yet.
    ///
    /// # Errors
    /// When its configuration cannot be written.
    pub fn of(site: &Site, program: &str) -> anyhow::Result<Self> {
        std::fs::write(site.folder().join("node.toml"), site.config())?;
        Ok(Self { program: program.into(), arguments: Vec::new(), folder: site.folder().to_owned(), child: None })
    }

    /// The same, with configuration, log and socket elsewhere than the data of the node.
    ///
    /// # Errors
    /// When its configuration cannot be written.
    pub fn beside(site: &Site, folder: &Path, program: PathBuf, arguments: Vec<String>) -> anyhow::Result<Self> {
        let socket = folder.join("operator.sock");
        let config = format!("{}\n[operator]\nsocket = {socket:?}\n", site.config());
        std::fs::write(folder.join("node.toml"), config)?;
        Ok(Self { program, arguments, folder: folder.to_owned(), child: None })
    }

    /// The operators' socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join("operator.sock")
    }

    /// Starts the process and waits until it answers its operators.
    ///
    /// # Errors
    /// When it ends instead, with the last line of its log, or does not answer in time.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(self.folder.join("node.log"))?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg("run").arg("--config").arg(self.folder.join("node.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        let child = self.child.insert(command.spawn()?);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait()? {
                let log = std::fs::read_to_string(self.folder.join("node.log"))?;
                anyhow::bail!("the node ended at once, {status}: {}", log.lines().last().unwrap_or_default());
            }
            if answers(&self.folder.join("operator.sock")).await {
                return Ok(());
            }
            ensure!(tokio::time::Instant::now() < deadline, "the node does not answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// SIGKILL: nothing is said, nothing is finished.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("the node does not run")?;
        ensure!(child.try_wait()?.is_none(), "the node ended before it was killed");
        child.kill().await.map_err(Into::into)
    }

    /// Ends the process, if it has not ended by itself.
    ///
    /// # Errors
    /// When the system does not let it end.
    pub async fn kill_if_up(&mut self) -> anyhow::Result<()> {
        match self.child.take() {
            Some(mut child) => child.kill().await.map_err(Into::into),
            None => Ok(()),
        }
    }

    /// SIGTERM, and waits for its end in good order.
    ///
    /// # Errors
    /// When it does not end, or not with code 0.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("the node does not run")?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).context("the node has ended already")?;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM)?;
        let status = tokio::time::timeout(PATIENCE, child.wait()).await.context("the node does not stop")??;
        ensure!(status.success(), "the node stopped with {status}");
        Ok(())
    }
}

async fn answers(socket: &std::path::Path) -> bool {
    let Ok(channel) = channel(socket).await else { return false };
    StatusServiceClient::new(channel).get_status(v1::GetStatusRequest {}).await.is_ok()
}
