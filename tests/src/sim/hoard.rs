//! A copy of a vault that forgets nothing, as a program for backups keeps it that copies what is new and removes nothing:
//! put back, it brings files and keys of erased cases with it. Touches folders of the simulation.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// What was ever seen in a vault, by its path below it.
#[derive(Default)]
pub(super) struct Hoard(BTreeMap<PathBuf, Vec<u8>>);

impl Hoard {
    /// Copies what is new.
    ///
    /// # Errors
    /// When a file cannot be read; one that goes meanwhile is left out.
    pub(super) fn gather(&mut self, vault: &Path) -> io::Result<()> {
        for folder in folders(vault)? {
            for item in fs::read_dir(vault.join(&folder))? {
                let path = folder.join(item?.file_name());
                if self.0.contains_key(&path) {
                    continue;
                }
                match fs::read(vault.join(&path)) {
                    Ok(bytes) => drop(self.0.insert(path, bytes)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Puts everything back that is not there any more; how many files that were.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn put_back(&self, vault: &Path) -> io::Result<usize> {
        let missing: Vec<_> = self.0.iter().filter(|(path, _)| !vault.join(path).exists()).collect();
        for (path, bytes) in &missing {
            fs::write(vault.join(path), bytes)?;
            fs::set_permissions(vault.join(path), std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        }
        Ok(missing.len())
    }
}

fn folders(vault: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for item in fs::read_dir(vault)? {
        let item = item?;
        if item.file_type()?.is_dir() {
            folders.push(item.file_name().into());
        }
    }
    Ok(folders)
}
