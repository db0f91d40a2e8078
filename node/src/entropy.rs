//! Randomness. The machine's generator for a node; a seeded, predictable one for tests.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use passerelle_domain::ids::IdEntropy;
use sha2::{Digest, Sha256};

/// A source of random bytes.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` with random ones.
    fn fill(&self, bytes: &mut [u8]);

    /// The entropy of one id.
    fn id(&self) -> IdEntropy {
        let mut bytes = IdEntropy::default();
        self.fill(&mut bytes);
        bytes
    }
}

/// The cryptographically secure generator of aws-lc, seeded by the operating system.
#[derive(Clone, Debug, Default)]
pub struct SystemEntropy {
    random: SystemRandom,
}

impl SystemEntropy {
    /// The generator. Its first use in a process takes about 100 ms.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Entropy for SystemEntropy {
    /// Ends the process when the machine has no randomness to give: keys, nonces and salts made without it would
    /// look well and protect nobody.
    fn fill(&self, bytes: &mut [u8]) {
        if self.random.fill(bytes).is_err() {
            tracing::error!("the machine's random generator failed; the node stops");
            std::process::abort();
        }
    }
}

/// **Predictable** bytes: the same seed gives the same sequence. For tests and simulations only; anything made
/// with it is public.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    drawn: AtomicU64,
}

impl SeededEntropy {
    /// The sequence of `seed`, from its start.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let block = self.drawn.fetch_add(1, Ordering::Relaxed);
            let digest =
                Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(block.to_be_bytes()).finalize();
            for (byte, random) in chunk.iter_mut().zip(digest) {
                *byte = random;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_never_gives_the_same_bytes_twice() {
        let entropy = SystemEntropy::new();
        assert_ne!(entropy.id(), entropy.id());
    }

    #[test]
    fn a_seed_is_a_sequence() {
        let draw = |seed| {
            let entropy = SeededEntropy::new(seed);
            let mut long = [0; 70];
            entropy.fill(&mut long);
            (long, entropy.id())
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let (long, id) = draw(7);
        assert_ne!(long[..10], id);
    }
}
