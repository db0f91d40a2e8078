//! A server of a rival as a process: started, watched, stopped, killed, and never left behind.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use tokio::process::{Child, Command};

use crate::bench::system::last_words;

/// How long a server may take to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. Killed with all its children when it is dropped.
pub(super) struct Server {
    child: Child,
    group: Pid,
    /// Name of the process that does the work, when it is not the one that was started.
    worker: Option<&'static str>,
    log: PathBuf,
}

impl Server {
    /// Starts a program in the folder of its log; what it says goes to `log`, and what it leaves when it falls stands beside.
    pub(super) fn start(mut command: Command, worker: Option<&'static str>, log: PathBuf) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(&log)?;
        command.current_dir(log.parent().context("a log stands in a folder")?);
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0).kill_on_drop(true);
        let child =
            command.spawn().with_context(|| format!("{:?} could not be started", command.as_std().get_program()))?;
        let group = Pid::from_raw(i32::try_from(child.id().context("it has ended at once")?)?);
        Ok(Self { child, group, worker, log })
    }

    /// The process that does the work.
    pub(super) fn pid(&self) -> anyhow::Result<u32> {
        let started = self.child.id().context("the server has ended")?;
        let Some(name) = self.worker else { return Ok(started) };
        let processes = fs::read_dir("/proc")?.filter_map(Result::ok);
        let pids = processes.filter_map(|item| item.file_name().to_str()?.parse::<u32>().ok());
        let is_it = |pid: &u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // pid (name) state parent group ...
            let Some((front, rest)) = stat.rsplit_once(')') else { return false };
            front.ends_with(&format!("({name}"))
                && rest.split_whitespace().nth(2).and_then(|group| group.parse().ok()) == Some(self.group.as_raw())
        };
        let mut found = pids.filter(is_it);
        found.next().with_context(|| format!("there is no {name} among the processes of the server"))
    }

    /// Fails when the server has ended by itself.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        let ended = self.child.try_wait()?;
        anyhow::ensure!(ended.is_none(), "the server has ended: {}", last_words(&self.log));
        Ok(())
    }

    /// SIGTERM to the process that does the work, and waits for its end.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(i32::try_from(self.pid()?)?), Signal::SIGTERM)?;
        tokio::time::timeout(PATIENCE, self.child.wait()).await.context("the server does not stop")??;
        Ok(())
    }

    /// SIGKILL to all of it.
    pub(super) async fn kill(mut self) -> anyhow::Result<()> {
        killpg(self.group, Signal::SIGKILL)?;
        self.child.wait().await?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The group lives as long as one of it does; when none does there is nothing to be killed.
        let _ = killpg(self.group, Signal::SIGKILL);
    }
}

/// Asks again and again until the answer is good; how long that took. Fails when the server ends meanwhile.
pub(super) async fn until<F: Future<Output = anyhow::Result<()>>>(
    server: &mut Server,
    patience: Duration,
    mut ask: impl FnMut() -> F,
) -> anyhow::Result<Duration> {
    let started = Instant::now();
    loop {
        let Err(error) = ask().await else { return Ok(started.elapsed()) };
        server.check()?;
        anyhow::ensure!(started.elapsed() < patience, "the server does not answer: {error:#}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
