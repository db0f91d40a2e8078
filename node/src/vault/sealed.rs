//! One sealed file of the vault: AES-256-GCM-SIV (RFC 8452) under the case's key, bound to its case, kind and name.
//!
//! `version (1) | case id (16) | nonce (12) | ciphertext | tag (16)`

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Prk, Salt},
};
use passerelle_domain::{digest::Digest, ids::CaseId};
use zeroize::Zeroizing;

use super::Kind;
use crate::trust::Fill;

/// Bytes of a case key.
pub(super) const KEY_BYTES: usize = 32;
/// What sealing adds to the bytes of a file.
pub(super) const OVERHEAD_BYTES: usize = HEAD_BYTES + NONCE_LEN + 16;

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 1 + 16;

/// The key of one case, ready for use; aws-lc wipes it when it is dropped.
pub(super) struct CaseKey {
    case: CaseId,
    key: LessSafeKey,
    /// What the keys of single sections are derived from.
    root: Prk,
}

impl CaseKey {
    /// `None` unless there are 32 bytes.
    pub(super) fn new(case: CaseId, bytes: &[u8]) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, bytes).ok()?;
        let root = Salt::new(HKDF_SHA256, b"passerelle/vault/v1").extract(bytes);
        Some(Self { case, key: LessSafeKey::new(key), root })
    }

    /// The key of one section, which opens no other and nothing else of the case.
    fn section_key(&self, section: u16) -> Option<LessSafeKey> {
        let (number, case) = (section.to_be_bytes(), self.case.bytes());
        let info = [b"section".as_slice(), &number, &case];
        Some(LessSafeKey::new(self.root.expand(&info, &AES_256_GCM_SIV).ok()?.into()))
    }

    /// One section of a package, sealed apart: `nonce (12) | ciphertext | tag (16)`.
    pub(super) fn seal_section(&self, section: u16, name: Digest, bytes: &[u8], fill: &Fill) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce);
        let mut buffer = Zeroizing::new(Vec::with_capacity(bytes.len() + 16));
        buffer.extend_from_slice(bytes);
        let aad = Aad::from(self.binding(Kind::Package, name));
        let key = self.section_key(section)?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut *buffer).ok()?;
        Some([nonce.as_slice(), &buffer].concat())
    }

    /// Opens it again; `None` when it is damaged, of another section, package or case.
    pub(super) fn open_section(&self, section: u16, name: Digest, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let aad = Aad::from(self.binding(Kind::Package, name));
        let opened = self.section_key(section)?.open_in_place(nonce, aad, &mut buffer).ok()?;
        Some(Zeroizing::new(opened.to_vec()))
    }

    /// The file of some bytes; `None` if the cipher refuses, which it does only beyond 64 GiB.
    pub(super) fn seal(&self, kind: Kind, name: Digest, bytes: &[u8], fill: &Fill) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce);
        // Ciphertext in the end; wiped all the same in case sealing fails half way.
        let mut buffer = Zeroizing::new(Vec::with_capacity(bytes.len() + OVERHEAD_BYTES));
        buffer.extend_from_slice(bytes);
        let aad = Aad::from(self.binding(kind, name));
        self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut *buffer).ok()?;
        Some([&[VERSION], self.case.bytes().as_slice(), &nonce, &buffer].concat())
    }

    /// The bytes of a file; `None` when it is damaged, of another case, kind or name.
    pub(super) fn open(&self, kind: Kind, name: Digest, file: Vec<u8>) -> Option<Zeroizing<Vec<u8>>> {
        let mut buffer = Zeroizing::new(file);
        if case_of(&buffer)? != self.case {
            return None;
        }
        let (nonce, sealed) = buffer.get_mut(HEAD_BYTES..)?.split_first_chunk_mut::<NONCE_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.key.open_in_place(nonce, Aad::from(self.binding(kind, name)), sealed).ok()?;
        Some(Zeroizing::new(opened.to_vec()))
    }

    fn binding(&self, kind: Kind, name: Digest) -> Vec<u8> {
        [b"passerelle/vault/v1/", kind.folder().as_bytes(), b"\0", &self.case.bytes(), &name.0].concat()
    }
}

/// The case that a file says it belongs to.
pub(super) fn case_of(file: &[u8]) -> Option<CaseId> {
    match file.split_first()? {
        (&VERSION, rest) => CaseId::parse_bytes(rest.get(..16)?).ok(),
        _ => None,
    }
}

/// The same, reading no more than the head.
pub(super) fn case_of_file(path: &Path) -> io::Result<Option<CaseId>> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    File::open(path)?.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(case_of(&head))
}
