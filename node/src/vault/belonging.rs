//! Whose vault it is: the journal that names what lies in it, known by the hash of its first entry, which stands in a
//! file of the vault. A journal that is not this one knows nothing of these files, and must not have them removed.

use std::{fs, io};

use passerelle_domain::{digest::Digest, refusal::Refusal};

use super::{Kind, Vault, disk, failed};

/// The file that names the journal.
const MARKER: &str = "journal";
/// A digest as text.
const MARKER_BYTES_MAX: usize = 64;

/// What a vault says of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belonging {
    /// It belongs to this journal.
    This,
    /// It belongs to another one.
    Another,
    /// It holds something and does not say: a release before this one filled it.
    Unsaid,
}

impl Vault {
    /// Whether this vault belongs to the journal whose first entry has the hash `first`. An empty one belongs to whoever
    /// asks, from now on.
    ///
    /// # Errors
    /// `vault_failed`, `disk_full`.
    pub fn belonging(&self, first: Digest) -> Result<Belonging, Refusal> {
        let said = match disk::read(&self.root.join(MARKER), MARKER_BYTES_MAX) {
            Ok(bytes) => Some(String::from_utf8(bytes).ok().and_then(|text| text.parse().ok())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            // Whatever stands there is not the name of this journal.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Some(None),
            Err(error) => return Err(failed(error)),
        };
        if said == Some(Some(first)) {
            return Ok(Belonging::This);
        }
        if self.is_empty()? {
            return self.adopt(first).map(|()| Belonging::This);
        }
        Ok(if said.is_some() { Belonging::Another } else { Belonging::Unsaid })
    }

    /// Says from now on that it belongs to the journal whose first entry has the hash `first`.
    ///
    /// # Errors
    /// `vault_failed`, `disk_full`.
    pub fn adopt(&self, first: Digest) -> Result<(), Refusal> {
        disk::write(&self.root, MARKER, first.to_string().as_bytes()).map_err(failed)
    }

    /// Whether it holds a file that `known` knows.
    ///
    /// # Errors
    /// `vault_failed`.
    pub fn holds_any(&self, known: &dyn Fn(&Digest) -> bool) -> Result<bool, Refusal> {
        for kind in Kind::ALL {
            for entry in fs::read_dir(self.folder(kind)).map_err(failed)? {
                let name = entry.map_err(failed)?.file_name();
                if name.to_str().and_then(|name| name.parse().ok()).is_some_and(|digest| known(&digest)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether there is neither a sealed file nor a key.
    fn is_empty(&self) -> Result<bool, Refusal> {
        for folder in Kind::ALL.map(Kind::folder).into_iter().chain(["keys"]) {
            if fs::read_dir(self.root.join(folder)).map_err(failed)?.next().is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
