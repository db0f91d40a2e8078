//! Sections of a package that few may read: each is sealed under a key of its own, derived from the case's by HKDF
//! (RFC 5869), inside the sealed file of the package. Whoever opens the file for its open sections has the others as
//! ciphertext still; the end of the case's key is the end of them all.
//!
//! Bytes of the file, once opened and after the salt: `MAGIC`, then CBOR `[marked, open, [[section, sealed], ...]]`. A file
//! that does not begin so is a package in one piece.

use minicbor::{Decoder, Encoder};
use passerelle_domain::{digest::Digest, refusal::Refusal};
use zeroize::Zeroizing;

use super::{damaged, sealed::CaseKey};
use crate::trust::Fill;

/// No package begins so: as CBOR this is text, and a package is a map.
const MAGIC: &[u8] = b"passerelle/parts/v1\0";
/// Sections of one package that can be sealed apart.
const SEALED_MAX: u64 = 16;

/// A package in parts, each in canonical bytes.
#[derive(Default)]
pub struct Parts {
    /// What a reader of the open sections has to know of the others: one mark, whose meaning is the caller's.
    pub marked: bool,
    /// The open sections; empty when there are none.
    pub open: Zeroizing<Vec<u8>>,
    /// Each section to be sealed apart, by its number.
    pub sealed: Vec<(u16, Zeroizing<Vec<u8>>)>,
}

/// What was opened of a package.
pub struct Opened {
    /// The mark.
    pub marked: bool,
    /// The parts: the open sections, and those of the others that were asked for.
    pub parts: Vec<Zeroizing<Vec<u8>>>,
    /// The numbers of all sections that are sealed apart, opened or not.
    pub sealed: Vec<u16>,
}

impl Parts {
    /// A package in one piece.
    #[must_use]
    pub fn whole(package: &[u8]) -> Self {
        Self { open: Zeroizing::new(package.to_vec()), ..Self::default() }
    }

    /// The bytes to be sealed under the key of the case.
    pub(super) fn write(&self, key: &CaseKey, name: Digest, fill: &Fill) -> Option<Zeroizing<Vec<u8>>> {
        if self.sealed.is_empty() && !self.marked {
            return Some(self.open.clone());
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.open.len() + MAGIC.len() + 32));
        bytes.extend_from_slice(MAGIC);
        let mut encoder = Encoder::new(&mut *bytes);
        // Writing to memory does not fail.
        encoder.array(3).ok()?.bool(self.marked).ok()?.bytes(&self.open).ok()?.array(self.sealed.len() as u64).ok()?;
        for (section, part) in &self.sealed {
            let sealed = key.seal_section(*section, name, part, fill)?;
            encoder.array(2).ok()?.u16(*section).ok()?.bytes(&sealed).ok()?;
        }
        Some(bytes)
    }

    /// Opens the bytes that were sealed under the key of the case, and of the sections apart those that are `wanted`.
    pub(super) fn read(
        bytes: &[u8],
        key: &CaseKey,
        name: Digest,
        wanted: &dyn Fn(u16) -> bool,
    ) -> Result<Opened, Refusal> {
        let Some(parts) = bytes.strip_prefix(MAGIC) else {
            return Ok(Opened { marked: false, parts: vec![Zeroizing::new(bytes.to_vec())], sealed: Vec::new() });
        };
        let mut decoder = Decoder::new(parts);
        let bad = |_| damaged();
        let length = |decoder: &mut Decoder<'_>| decoder.array().map_err(bad)?.ok_or_else(damaged);
        if length(&mut decoder)? != 3 {
            return Err(damaged());
        }
        let marked = decoder.bool().map_err(bad)?;
        let open = decoder.bytes().map_err(bad)?;
        let mut opened = Opened { marked, parts: Vec::new(), sealed: Vec::new() };
        if !open.is_empty() {
            opened.parts.push(Zeroizing::new(open.to_vec()));
        }
        let count = length(&mut decoder)?;
        if count > SEALED_MAX {
            return Err(damaged());
        }
        for _ in 0..count {
            if length(&mut decoder)? != 2 {
                return Err(damaged());
            }
            let section = decoder.u16().map_err(bad)?;
            let sealed = decoder.bytes().map_err(bad)?;
            opened.sealed.push(section);
            if wanted(section) {
                opened.parts.push(key.open_section(section, name, sealed).ok_or_else(damaged)?);
            }
        }
        Ok(opened)
    }
}
