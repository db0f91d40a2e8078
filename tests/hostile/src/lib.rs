//! Readers of foreign bytes, each as a function of any bytes that must hold what it promises: no panic, bounds kept, what
//! is read and written again is the same, a refusal tells nothing of what it refuses. `tests/fuzz` gives them what a
//! fuzzer makes up, `tests/tests/seeds.rs` what is stored. Nothing outside the process is touched.

pub mod base;
mod journal;
mod letters;
mod link;
mod operator;
mod person;
mod world;

use std::path::{Path, PathBuf};

use passerelle_domain::refusal::Refusal;

/// One reader.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of its folder of seeds.
    pub name: &'static str,
    /// Longest input that a fuzzer is to try, in bytes.
    pub bytes_max: usize,
    /// Reads the bytes. Panics when a promise is broken.
    pub run: fn(&[u8]),
}

/// Every reader.
pub const TARGETS: [Target; 18] = [
    Target { name: "frames", bytes_max: 65_536, run: link::frames },
    Target { name: "pieces", bytes_max: 16_384, run: link::pieces },
    Target { name: "parcel", bytes_max: 8_192, run: letters::parcel },
    Target { name: "letters", bytes_max: 16_384, run: letters::letters },
    Target { name: "deliveries", bytes_max: 16_384, run: base::deliveries },
    Target { name: "receipt", bytes_max: 4_096, run: letters::receipt },
    Target { name: "checkpoint", bytes_max: 512, run: letters::checkpoint },
    Target { name: "bundle", bytes_max: 32_768, run: letters::bundle },
    Target { name: "invitation", bytes_max: 65_536, run: letters::invitation },
    Target { name: "import", bytes_max: 65_536, run: journal::import },
    Target { name: "fold", bytes_max: 32_768, run: journal::fold },
    Target { name: "rows", bytes_max: 4_096, run: journal::rows },
    Target { name: "person", bytes_max: 16_384, run: person::person },
    Target { name: "forms", bytes_max: 16_384, run: operator::forms },
    Target { name: "words", bytes_max: 256, run: operator::words },
    Target { name: "config", bytes_max: 16_384, run: operator::config },
    Target { name: "cap", bytes_max: 65_536, run: world::cap },
    Target { name: "feed", bytes_max: 65_536, run: world::feed },
];

/// The reader of this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}

/// The stored inputs: a folder for each reader.
#[must_use]
pub fn seeds_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds")
}

/// Stands in seeds where a person's data stands, and in the dictionary, so that a fuzzer puts it everywhere.
pub const CANARY: &str = "Kanarie";

/// A refusal names fields and limits, never content.
fn tells_nothing(refusal: &Refusal) {
    let told = refusal.message.contains(CANARY) || refusal.field.as_deref().is_some_and(|it| it.contains(CANARY));
    assert!(!told, "a refusal quotes what it refuses: {refusal:?}");
}
