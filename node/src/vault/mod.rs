//! The vault: case packages and evidence, sealed under one key per case, so that destroying the key erases every
//! copy of a case, those in backups of the sealed files included. Touches its own folder alone; names files by ids and
//! digests; never writes plaintext, not into temporary files either. Synchronous: call it from a blocking task.
//!
//! ```text
//! keys/<case id>.key        32 random bytes; leave this folder out of backups, or keep its copies as short as erasure asks
//! packages/<commitment>     what is known of a case
//! evidence/<commitment>     what proves a consent: a signed form, a recording
//! outgoing/<digest>         a package sealed to a peer, until the peer has it
//! journal                   the hash of the first entry of the journal that names all this
//! ```
//!
//! Overwriting a key reaches the place it stood in, not what a flash disk has moved; keep the vault on an encrypted disk.

use std::{
    collections::HashSet,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};
use passerelle_domain::{
    defect,
    digest::Digest,
    ids::CaseId,
    limits::PACKAGE_BYTES_MAX,
    refusal::{Code, Refusal},
};
use zeroize::Zeroizing;

use crate::trust::{Fill, SealingKey, disk, seal};

mod belonging;
mod parts;
mod retire;
mod sealed;
#[cfg(test)]
mod tests;

pub use belonging::Belonging;
pub use parts::{Opened, Parts};
use sealed::{CaseKey, KEY_BYTES};

/// What sealing to a peer is for (HPKE `info`).
const PACKAGE_INFO: &[u8] = b"passerelle/package/v1";
const SALT_BYTES: usize = 32;
/// A package sealed to a peer: salt, package, encapsulated key and tag.
const OUTGOING_BYTES_MAX: usize = PACKAGE_BYTES_MAX + SALT_BYTES + 1120 + 16;

/// A package or a piece of evidence in the vault.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PackageRef {
    /// What stands for it in the journal: says nothing about it to who lacks the salt.
    pub commitment: Digest,
    /// The salt of the commitment. It stays in the vault with the bytes and must not be journalled: with it, anybody
    /// could try out what a short package says.
    pub salt: [u8; SALT_BYTES],
}

impl fmt::Debug for PackageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PackageRef({})", self.commitment)
    }
}

/// A package sealed to a peer, waiting in `outgoing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The package as the peer will hold it.
    pub package: PackageRef,
    /// The digest of the sealed bytes, by which they are fetched and removed.
    pub digest: Digest,
    /// How many sealed bytes there are.
    pub length: usize,
}

/// What a sealed file is; part of what its seal binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Package,
    Evidence,
    Outgoing,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Package, Self::Evidence, Self::Outgoing];

    fn folder(self) -> &'static str {
        match self {
            Self::Package => "packages",
            Self::Evidence => "evidence",
            Self::Outgoing => "outgoing",
        }
    }
}

/// The vault of a node.
pub struct Vault {
    root: PathBuf,
    fill: Arc<Fill>,
    /// Held for writing while a case is erased, so that nothing is put into it meanwhile.
    erasing: RwLock<()>,
    /// Held while a key is looked up or made, so that a case has one.
    key_making: Mutex<()>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(..)")
    }
}

impl Vault {
    /// Opens the vault in `root`, made if it is missing, and removes what a crash left unfinished.
    ///
    /// # Errors
    /// `vault_failed` when the folders cannot be made or others than the node's user can reach them.
    pub fn open(root: &Path, fill: Arc<Fill>) -> Result<Self, Refusal> {
        for folder in Kind::ALL.map(Kind::folder).into_iter().chain(["keys"]) {
            let folder = root.join(folder);
            disk::private_folder(root)
                .and_then(|()| disk::private_folder(&folder))
                .and_then(|()| disk::remove_unfinished(&folder))
                .map_err(failed)?;
        }
        disk::remove_unfinished(root).map_err(failed)?;
        Ok(Self { root: root.to_owned(), fill, erasing: RwLock::default(), key_making: Mutex::default() })
    }

    /// Keeps a package of a case, durably; the case's first one makes its key.
    ///
    /// # Errors
    /// `too_large` beyond [`PACKAGE_BYTES_MAX`]; `vault_failed` or `disk_full`.
    pub fn put_package(&self, case: CaseId, package: &[u8], parts: &Parts) -> Result<PackageRef, Refusal> {
        self.put_parts(case, &self.salt(), package, parts)
    }

    /// The package of that commitment: its open sections, and of the others those that are `wanted`, by number.
    ///
    /// # Errors
    /// `package_absent` when it never came or was erased; `vault_failed` when it is damaged or of another case.
    pub fn get_package(
        &self,
        case: CaseId,
        commitment: Digest,
        wanted: &dyn Fn(u16) -> bool,
    ) -> Result<Opened, Refusal> {
        let _shared = self.erasing.read();
        let file = self.read_sealed(Kind::Package, commitment)?;
        let key = self.key(case).map_err(absent_or_failed)?;
        let opened = key.open(Kind::Package, commitment, file).ok_or_else(damaged)?;
        let (_, bytes) = opened.split_first_chunk::<SALT_BYTES>().ok_or_else(damaged)?;
        Parts::read(bytes, &key, commitment, wanted)
    }

    /// Removes a package that nothing refers to; whether there was one.
    ///
    /// # Errors
    /// `vault_failed`.
    pub fn remove_package(&self, commitment: Digest) -> Result<bool, Refusal> {
        let _shared = self.erasing.read();
        disk::remove(&self.folder(Kind::Package), &commitment.to_string()).map_err(failed)
    }

    /// Keeps a piece of evidence of a case; otherwise as [`Vault::put_package`].
    ///
    /// # Errors
    /// As [`Vault::put_package`].
    pub fn put_evidence(&self, case: CaseId, evidence: &[u8]) -> Result<PackageRef, Refusal> {
        self.put_salted(case, Kind::Evidence, &self.salt(), evidence)
    }

    /// The evidence of that commitment.
    ///
    /// # Errors
    /// As [`Vault::get_package`].
    pub fn get_evidence(&self, case: CaseId, commitment: Digest) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        self.get_salted(case, Kind::Evidence, commitment)
    }

    /// Seals what a peer may have of a case to its X-Wing key and keeps that until it is removed. `aad` ties it to its
    /// handover: origin, recipient and handover id, as both sides know them.
    ///
    /// # Errors
    /// `too_large`; `bad_bundle` when the key is none; `vault_failed` or `disk_full`.
    pub fn seal_for(&self, case: CaseId, recipient: &[u8], aad: &[u8], package: &[u8]) -> Result<Outgoing, Refusal> {
        check_size(package)?;
        let salt = self.salt();
        let sealed = seal(recipient, PACKAGE_INFO, aad, &salted(&salt, package), &*self.fill)?;
        let digest = Digest::of(&sealed);
        self.put(case, Kind::Outgoing, digest, &sealed)?;
        let package = PackageRef { commitment: Digest::commitment(&salt, package), salt };
        Ok(Outgoing { package, digest, length: sealed.len() })
    }

    /// Seals bytes to a peer's X-Wing key and keeps nothing of them.
    ///
    /// # Errors
    /// `too_large`; `bad_bundle` when the key is none.
    pub fn seal_in_passing(&self, recipient: &[u8], info: &[u8], aad: &[u8], bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
        check_size(bytes)?;
        seal(recipient, info, aad, bytes, &*self.fill)
    }

    /// The sealed bytes that wait for a peer.
    ///
    /// # Errors
    /// `package_absent` when they were removed or their case was erased; `vault_failed` when they are damaged.
    pub fn outgoing(&self, digest: Digest) -> Result<Vec<u8>, Refusal> {
        let _shared = self.erasing.read();
        let file = self.read_sealed(Kind::Outgoing, digest)?;
        let case = sealed::case_of(&file).ok_or_else(damaged)?;
        let mut sealed = self.open_sealed(case, Kind::Outgoing, digest, file)?;
        if Digest::of(&sealed) == digest { Ok(std::mem::take(&mut *sealed)) } else { Err(damaged()) }
    }

    /// Removes sealed bytes that the peer has, or shall not get; whether there were any.
    ///
    /// # Errors
    /// `vault_failed`.
    pub fn remove_outgoing(&self, digest: Digest) -> Result<bool, Refusal> {
        let _shared = self.erasing.read();
        disk::remove(&self.folder(Kind::Outgoing), &digest.to_string()).map_err(failed)
    }

    /// Opens a package that a peer sealed to one of this node's keys and keeps it under the key of the local case `case`.
    /// The caller compares the commitment with the one that the peer signed. `divide` says which sections are sealed apart.
    ///
    /// # Errors
    /// `bad_seal` when none of the keys opens it with this `aad`; `too_large`; `vault_failed` or `disk_full`.
    pub fn receive(
        &self,
        case: CaseId,
        keys: &[&SealingKey],
        aad: &[u8],
        sealed: &[u8],
        divide: &dyn Fn(&[u8]) -> Result<Parts, Refusal>,
    ) -> Result<PackageRef, Refusal> {
        if sealed.len() > OUTGOING_BYTES_MAX {
            return Err(too_large());
        }
        let unopened = || Refusal::new(Code::BadSeal, "the package is not sealed to this node");
        let opened = keys.iter().find_map(|key| key.open(PACKAGE_INFO, aad, sealed).ok()).ok_or_else(unopened)?;
        let (salt, package) = opened.split_first_chunk().ok_or_else(unopened)?;
        self.put_parts(case, salt, package, &divide(package)?)
    }

    /// Erases a case: destroys its key, which makes every copy of its packages unreadable, then removes its files.
    /// Whether there was a key.
    ///
    /// # Errors
    /// `vault_failed`; the erasure is then to be tried again.
    pub fn erase_case(&self, case: CaseId) -> Result<bool, Refusal> {
        let _alone = self.erasing.write();
        let destroy = || disk::destroy(&self.root.join("keys"), &key_name(case)).map_err(failed);
        let destroyed = defect!(KeepKey => true, else destroy()?);
        self.sweep(|_, owner| owner != Some(case))?;
        Ok(destroyed)
    }

    /// Destroys the keys and removes the files of all cases that were erased before, in one pass: a backup of the vault
    /// may have brought them back. Returns how many keys and files went.
    ///
    /// # Errors
    /// `vault_failed`.
    pub fn purge(&self, is_erased: &dyn Fn(CaseId) -> bool) -> Result<usize, Refusal> {
        let _alone = self.erasing.write();
        let keys = self.root.join("keys");
        let mut removed = 0;
        for entry in fs::read_dir(&keys).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            let case = name.strip_suffix(".key").and_then(|id| id.parse().ok());
            if case.is_some_and(is_erased) {
                disk::destroy(&keys, &name).map_err(failed)?;
                removed += 1;
            }
        }
        Ok(removed + self.sweep(|_, owner| !owner.is_some_and(is_erased))?)
    }

    /// Removes, at start, what no committed entry refers to: files that `known` does not know, files whose case has
    /// no key, and keys of cases without files; `among` some cases alone, or all that is there. Returns how many files
    /// and keys went.
    ///
    /// # Errors
    /// `vault_failed`.
    pub fn clean(&self, among: Option<&HashSet<CaseId>>, known: &dyn Fn(&Digest) -> bool) -> Result<usize, Refusal> {
        let concerned = |case: Option<CaseId>| among.is_none_or(|cases| case.is_some_and(|case| cases.contains(&case)));
        let _alone = self.erasing.write();
        let keys = self.root.join("keys");
        let mut in_use = HashSet::new();
        let mut removed = self.sweep(|digest, owner| {
            let name = owner.map(key_name).filter(|name| keys.join(name).exists());
            let kept = !concerned(owner) || name.is_some() && digest.is_some_and(|digest| known(&digest));
            if kept {
                in_use.extend(name);
            }
            kept
        })?;
        for entry in fs::read_dir(&keys).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            let case = name.strip_suffix(".key").and_then(|id| id.parse().ok());
            if concerned(case) && !in_use.contains(&name) {
                disk::destroy(&keys, &name).map_err(failed)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Removes the sealed files that `keep` does not want, by the digest of their name and the case in their head.
    fn sweep(&self, mut keep: impl FnMut(Option<Digest>, Option<CaseId>) -> bool) -> Result<usize, Refusal> {
        let mut removed = 0;
        for kind in Kind::ALL {
            let folder = self.folder(kind);
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
                let owner = sealed::case_of_file(&folder.join(&name)).map_err(failed)?;
                if !keep(name.parse().ok(), owner) {
                    fs::remove_file(folder.join(&name)).map_err(failed)?;
                    removed += 1;
                }
            }
            disk::sync_folder(&folder).map_err(failed)?;
        }
        Ok(removed)
    }

    fn put_salted(
        &self,
        case: CaseId,
        kind: Kind,
        salt: &[u8; SALT_BYTES],
        bytes: &[u8],
    ) -> Result<PackageRef, Refusal> {
        check_size(bytes)?;
        let commitment = Digest::commitment(salt, bytes);
        self.put(case, kind, commitment, &salted(salt, bytes))?;
        Ok(PackageRef { commitment, salt: *salt })
    }

    fn put_parts(
        &self,
        case: CaseId,
        salt: &[u8; SALT_BYTES],
        package: &[u8],
        parts: &Parts,
    ) -> Result<PackageRef, Refusal> {
        check_size(package)?;
        let commitment = Digest::commitment(salt, package);
        let _shared = self.erasing.read();
        let key = self.key_or_new(case)?;
        let bytes = parts.write(&key, commitment, &*self.fill).ok_or_else(damaged)?;
        self.write_sealed(&key, Kind::Package, commitment, &salted(salt, &bytes))?;
        Ok(PackageRef { commitment, salt: *salt })
    }

    fn get_salted(&self, case: CaseId, kind: Kind, commitment: Digest) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let _shared = self.erasing.read();
        let file = self.read_sealed(kind, commitment)?;
        let opened = self.open_sealed(case, kind, commitment, file)?;
        let (salt, bytes) = opened.split_first_chunk::<SALT_BYTES>().ok_or_else(damaged)?;
        if Digest::commitment(salt, bytes) == commitment { Ok(Zeroizing::new(bytes.to_vec())) } else { Err(damaged()) }
    }

    fn put(&self, case: CaseId, kind: Kind, name: Digest, bytes: &[u8]) -> Result<(), Refusal> {
        let _shared = self.erasing.read();
        self.write_sealed(&self.key_or_new(case)?, kind, name, bytes)
    }

    fn write_sealed(&self, key: &CaseKey, kind: Kind, name: Digest, bytes: &[u8]) -> Result<(), Refusal> {
        let file = key.seal(kind, name, bytes, &*self.fill).ok_or_else(damaged)?;
        disk::write(&self.folder(kind), &name.to_string(), &file).map_err(failed)
    }

    fn read_sealed(&self, kind: Kind, name: Digest) -> Result<Vec<u8>, Refusal> {
        let max = OUTGOING_BYTES_MAX + sealed::OVERHEAD_BYTES;
        disk::read(&self.folder(kind).join(name.to_string()), max).map_err(absent_or_failed)
    }

    fn open_sealed(
        &self,
        case: CaseId,
        kind: Kind,
        name: Digest,
        file: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let key = self.key(case).map_err(absent_or_failed)?;
        key.open(kind, name, file).ok_or_else(damaged)
    }

    fn key(&self, case: CaseId) -> io::Result<CaseKey> {
        let bytes = disk::read_secret(&self.root.join("keys").join(key_name(case)), KEY_BYTES)?;
        CaseKey::new(case, &bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a case key is damaged"))
    }

    fn key_or_new(&self, case: CaseId) -> Result<CaseKey, Refusal> {
        let _making = self.key_making.lock();
        match self.key(case) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut bytes = Zeroizing::new([0; KEY_BYTES]);
                (self.fill)(bytes.as_mut_slice());
                disk::write(&self.root.join("keys"), &key_name(case), bytes.as_slice()).map_err(failed)?;
                CaseKey::new(case, bytes.as_slice()).ok_or_else(damaged)
            }
            found => found.map_err(failed),
        }
    }

    fn folder(&self, kind: Kind) -> PathBuf {
        self.root.join(kind.folder())
    }

    fn salt(&self) -> [u8; SALT_BYTES] {
        let mut salt = [0; SALT_BYTES];
        (self.fill)(&mut salt);
        salt
    }
}

fn key_name(case: CaseId) -> String {
    format!("{case}.key")
}

fn salted(salt: &[u8; SALT_BYTES], bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([salt.as_slice(), bytes].concat())
}

fn check_size(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.len() > PACKAGE_BYTES_MAX { Err(too_large()) } else { Ok(()) }
}

fn too_large() -> Refusal {
    Refusal::new(Code::TooLarge, format!("a package has at most {PACKAGE_BYTES_MAX} bytes"))
}

fn damaged() -> Refusal {
    Refusal::new(Code::VaultFailed, "a file of the vault is damaged or does not belong to this case")
}

fn failed(error: io::Error) -> Refusal {
    let code = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::DiskFull,
        _ => Code::VaultFailed,
    };
    Refusal::new(code, format!("the vault: {error}"))
}

fn absent_or_failed(error: io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::NotFound => Refusal::new(Code::PackageAbsent, "the vault does not hold it"),
        _ => failed(error),
    }
}
