//! What a command has around it: the three standard streams, the environment, the clock and the
//! randomness, each as an argument, so that tests run commands in their own process.

use std::{
    ffi::OsString,
    fmt::Display,
    io::{self, IsTerminal as _, Read, Write},
    time::{Duration, SystemTime},
};

use passerelle_domain::{ids::IdEntropy, time::Time};

use crate::failure::Failure;

/// Looks up a variable of the environment.
pub type Environment<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

/// Which of the standard streams are terminals, with a person at them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminals {
    /// Standard input: questions may be asked.
    pub stdin: bool,
    /// Standard output: tables are fitted to its width.
    pub stdout: bool,
    /// Standard error: progress is rewritten in place.
    pub stderr: bool,
}

/// The surroundings of a command. Data goes to `stdout`, talk to `stderr`.
pub struct Console<'a> {
    /// Where `-` is read from.
    pub stdin: &'a mut dyn Read,
    /// Where data goes.
    pub stdout: &'a mut dyn Write,
    /// Where talk goes: progress, questions, errors.
    pub stderr: &'a mut dyn Write,
    /// Which streams are terminals.
    pub terminals: Terminals,
    /// The environment.
    pub env: &'a Environment<'a>,
    /// The clock; ages are counted from it.
    pub now: fn() -> Time,
}

impl Console<'_> {
    /// Says something to the person at the terminal. A broken standard error stops nothing.
    pub fn say(&mut self, text: impl Display) {
        let _ = writeln!(self.stderr, "{text}");
    }

    /// Writes over the last line of progress, on a terminal; elsewhere a line of its own each time.
    pub fn progress(&mut self, text: impl Display) {
        let _ = if self.terminals.stderr {
            write!(self.stderr, "\r\x1b[2K{text}").and_then(|()| self.stderr.flush())
        } else {
            writeln!(self.stderr, "{text}")
        };
    }

    /// Ends the line that [`Self::progress`] rewrites.
    pub fn end_progress(&mut self) {
        if self.terminals.stderr {
            let _ = writeln!(self.stderr);
        }
    }

    /// Asks a question that is answered by `yes`; everything else is a no.
    ///
    /// # Errors
    /// `usage` when there is no person at a terminal to answer: `otherwise` is then the next step.
    pub fn confirm(&mut self, question: &str, otherwise: &str) -> Result<bool, Failure> {
        if !self.terminals.stdin {
            return Err(Failure::usage("this needs a person's confirmation, and nobody is at the terminal", otherwise));
        }
        let _ = write!(self.stderr, "{question} [yes/no] ").and_then(|()| self.stderr.flush());
        Ok(self.line()?.trim().eq_ignore_ascii_case("yes"))
    }

    /// Asks for something that stands on no command line, where others of the machine could read it.
    ///
    /// # Errors
    /// `usage` when there is no person at a terminal to answer: `otherwise` is then the next step.
    pub fn ask(&mut self, question: &str, otherwise: &str) -> Result<String, Failure> {
        if !self.terminals.stdin {
            return Err(Failure::usage("this needs an answer, and nobody is at the terminal", otherwise));
        }
        let _ = write!(self.stderr, "{question} ").and_then(|()| self.stderr.flush());
        Ok(self.line()?.trim().to_owned())
    }

    /// One line of standard input, of at most 256 bytes.
    fn line(&mut self) -> Result<String, Failure> {
        let mut line = Vec::new();
        let mut byte = [0];
        while line.len() < 256 && self.stdin.read(&mut byte)? == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}

/// Ten bytes of the operating system's randomness, for an id.
///
/// # Errors
/// When the operating system has none to give.
pub fn id_entropy() -> Result<IdEntropy, Failure> {
    let mut bytes = IdEntropy::default();
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::usage(format!("no randomness for an id: {error}"), "Give an id with --id."))?;
    Ok(bytes)
}

/// The clock of this machine.
#[allow(clippy::disallowed_methods, reason = "the command line's own clock; the node's is another program's")]
fn system_now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Time::default().plus(since)
}

/// Runs `command` with this process's own streams, environment and clock.
pub fn with_process<T>(command: impl FnOnce(&mut Console<'_>) -> T) -> T {
    let (mut stdin, mut stdout, mut stderr) = (io::stdin(), io::stdout(), io::stderr());
    let terminals =
        Terminals { stdin: stdin.is_terminal(), stdout: stdout.is_terminal(), stderr: stderr.is_terminal() };
    let env = |name: &str| std::env::var_os(name);
    command(&mut Console {
        stdin: &mut stdin,
        stdout: &mut stdout,
        stderr: &mut stderr,
        terminals,
        env: &env,
        now: system_now,
    })
}
