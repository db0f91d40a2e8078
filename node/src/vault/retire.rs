//! What retention takes from the vault: single packages, and the key of a case that has nothing left.

use passerelle_domain::{digest::Digest, ids::CaseId, refusal::Refusal};

use super::{Vault, disk, failed, key_name};

impl Vault {
    /// Removes packages of a case by their names, be they kept or waiting to go out, and destroys the key of the case once
    /// nothing of it is left. Whether the key went. Done twice it does no more.
    ///
    /// # Errors
    /// `vault_failed`; it is then to be tried again.
    pub fn retire(&self, case: CaseId, names: &[Digest]) -> Result<bool, Refusal> {
        // Alone, so that nothing is put under a key that is about to go.
        let _alone = self.erasing.write();
        let mut left = false;
        self.sweep(|name, owner| {
            let retired = owner == Some(case) && name.is_some_and(|name| names.contains(&name));
            left |= owner == Some(case) && !retired;
            !retired
        })?;
        if left {
            return Ok(false);
        }
        disk::destroy(&self.root.join("keys"), &key_name(case)).map_err(failed)
    }
}
