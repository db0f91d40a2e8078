//! The program that calls a post on duty: run without a shell, with nothing of the node's surroundings, for a limited
//! time. Its output is dropped; its exit status is all that it says.

use std::{process::Stdio, time::Duration};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use passerelle_domain::{entry::HookOutcome, limits::HOOK_SECONDS_MAX};
use tokio::{io::AsyncWriteExt as _, process::Command};

/// Runs a hook with `input` on its standard input: what became of it, and its exit status where it had one.
pub(super) async fn run(words: &[String], input: &[u8]) -> (HookOutcome, Option<i32>) {
    run_for(words, input, Duration::from_secs(HOOK_SECONDS_MAX)).await
}

async fn run_for(words: &[String], input: &[u8], limit: Duration) -> (HookOutcome, Option<i32>) {
    let Some((program, arguments)) = words.split_first() else { return (HookOutcome::NoHook, None) };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // A group of its own, so that what it has started ends with it when its time is over.
    command.process_group(0).kill_on_drop(true);
    let Ok(mut child) = command.spawn() else { return (HookOutcome::NotStarted, None) };
    let group = child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
    let stdin = child.stdin.take();
    let talk = async {
        if let Some(mut stdin) = stdin {
            // A hook need not read what it is told.
            let _ = stdin.write_all(input).await;
        }
        child.wait().await
    };
    let ended = tokio::time::timeout(limit, talk).await;
    match ended {
        Ok(Ok(status)) if status.success() => (HookOutcome::Called, status.code()),
        Ok(Ok(status)) => (HookOutcome::Failed, status.code()),
        Ok(Err(_)) => (HookOutcome::Failed, None),
        Err(_) => {
            if let Some(group) = group {
                // One that has ended meanwhile needs no end.
                let _ = killpg(group, Signal::SIGKILL);
            }
            (HookOutcome::TimedOut, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[tokio::test]
    async fn a_hook_is_told_on_its_input_and_answers_with_its_status() {
        let folder = tempfile::tempdir().expect("a folder");
        let told = folder.path().join("told");
        let script = format!("cat > {}; test -z \"$HOME\"", told.display());
        let outcome = run(&words(&["/bin/sh", "-c", &script]), b"{}").await;
        assert_eq!(outcome, (HookOutcome::Called, Some(0)));
        assert_eq!(std::fs::read(told).expect("it was told"), b"{}");
        assert_eq!(run(&words(&["/bin/sh", "-c", "exit 3"]), b"").await, (HookOutcome::Failed, Some(3)));
        assert_eq!(run(&words(&["/nowhere/hook"]), b"").await, (HookOutcome::NotStarted, None));
        assert_eq!(run(&[], b"").await, (HookOutcome::NoHook, None));
    }

    #[tokio::test]
    async fn a_hook_that_hangs_is_ended_with_all_that_it_started() {
        let script = words(&["/bin/sh", "-c", "sleep 60 & sleep 60"]);
        let limit = Duration::from_millis(100);
        assert_eq!(run_for(&script, &[b'x'; 1 << 20], limit).await, (HookOutcome::TimedOut, None));
    }
}
