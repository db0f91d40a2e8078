//! The certificates by which signatures of foreign documents are verified: files that the configuration names, read when
//! it is.

use std::{fs::File, io::Read as _, path::PathBuf};

use anyhow::Context as _;
use passerelle_signature::Trusted;

/// The largest file of certificates.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The certificates in these files; none when there is no file.
///
/// # Errors
/// A file that cannot be read, or holds no X.509 certificate that can be used.
pub fn load(files: &[PathBuf]) -> anyhow::Result<Option<Trusted>> {
    let mut certificates = Vec::new();
    for path in files {
        let named = || format!("trusted_certificates under [cap]: {}", path.display());
        let mut bytes = Vec::new();
        File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)).with_context(named)?;
        let found = Trusted::parse(&bytes).context("it holds no X.509 certificate that can be used, in PEM or DER");
        certificates.extend(found.with_context(named)?);
    }
    Ok((!certificates.is_empty()).then(|| Trusted::new(certificates)))
}
