//! What happened in a simulation, in order: told to people as a story, and summed up in one hash, so that two runs of one
//! seed can be compared. Touches memory alone.

use std::fmt;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::network::paths::Millis;

/// Lines of a story that are kept; of a longer one the beginning is left out.
const LINES_MAX: usize = 20_000;

/// The story of one simulation.
pub struct Trace {
    began: Instant,
    hash: Sha256,
    lines: std::collections::VecDeque<String>,
    events: u64,
}

impl Trace {
    /// An empty story that begins now.
    #[must_use]
    pub fn new() -> Self {
        Self { began: Instant::now(), hash: Sha256::new(), lines: std::collections::VecDeque::new(), events: 0 }
    }

    /// Virtual time since it began.
    #[must_use]
    pub fn now(&self) -> Millis {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// One more event. `bytes` are what is summed up of it beside its text.
    pub fn tell(&mut self, what: fmt::Arguments<'_>, bytes: &[u8]) {
        let now = self.now();
        let line = format!("{:>5}.{:03}  {what}", now / 1_000, now % 1_000);
        self.hash.update((line.len() as u64).to_be_bytes());
        self.hash.update(line.as_bytes());
        self.hash.update((bytes.len() as u64).to_be_bytes());
        self.hash.update(bytes);
        self.events += 1;
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// How many events there were.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The hash over all events.
    #[must_use]
    pub fn digest(&self) -> String {
        hex::encode(self.hash.clone().finalize())
    }

    /// The lines.
    #[must_use]
    pub fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}
