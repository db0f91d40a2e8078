//! The tests of trust: files, certificates, and who may connect to whom over real TLS on the loopback.

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};

/// The machine's randomness.
pub(crate) fn fill(bytes: &mut [u8]) {
    SystemRandom::new().fill(bytes).expect("the machine has randomness");
}
