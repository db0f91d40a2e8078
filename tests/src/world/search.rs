//! A search of every byte that a node has on the disk: store and its free pages, vault, temporary files, logs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use passerelle_domain::{consent::evidence, ids::CaseId, rights::correction, rows::CaseRow};

/// What the demo's package says of the person.
const PLANTED: &str = include_str!("../../../config/demo/package.toml");

/// Something that must not be found, and what it is.
pub type Needle = (String, Vec<u8>);

/// Bytes of a file that are looked for: enough to be in no other.
const WINDOW: usize = 32;

/// Texts of the demo's package that name or reach somebody.
///
/// # Errors
/// When the package has none.
pub fn plaintexts() -> anyhow::Result<Vec<Needle>> {
    let package: toml::Table = toml::from_str(PLANTED)?;
    let text = |section: &str, field: &str| {
        let text = package.get(section).and_then(|section| section.get(field)).and_then(toml::Value::as_str);
        text.map(|text| ("plaintext".to_owned(), text.as_bytes().to_vec()))
            .with_context(|| format!("{section}.{field}"))
    };
    Ok(vec![text("identity_core", "full_name")?, text("contact", "safe_phone")?])
}

/// What is in the vault of a node at this moment: keys, and sealed bytes from the middle of each file.
///
/// # Errors
/// When a file cannot be read.
pub fn needles(folder: &Path) -> anyhow::Result<Vec<Needle>> {
    let all = sealed_and_keys(folder)?;
    let needle = |path: PathBuf| -> anyhow::Result<Needle> {
        let bytes = fs::read(&path)?;
        ensure!(bytes.len() >= WINDOW, "{} is too short to be looked for", path.display());
        let from = (bytes.len() - WINDOW) / 2;
        Ok((path.display().to_string(), bytes[from..from + WINDOW].to_vec()))
    };
    all.into_iter().map(needle).collect()
}

/// Every file below a folder.
///
/// # Errors
/// When it cannot be listed.
pub fn files(folder: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files(&entry.path(), found)?;
        } else if entry.file_type()?.is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// Looks for needles through every byte of every file below a folder.
///
/// # Errors
/// Where one is found; when there was next to nothing to look through.
pub fn search(folder: &Path, needles: &[Needle], when: &str) -> anyhow::Result<()> {
    let (mut all, mut looked) = (Vec::new(), 0);
    files(folder, &mut all)?;
    for path in all {
        // A file of the vault may be removed while it is looked for.
        let Ok(bytes) = fs::read(&path) else { continue };
        looked += bytes.len();
        for (name, needle) in needles {
            let hit = bytes.windows(needle.len()).any(|window| window == &needle[..]);
            ensure!(!hit, "{when}: {} holds {name}", path.display());
        }
    }
    ensure!(looked > 10_000, "{when}: {} has {looked} bytes, which is no node", folder.display());
    Ok(())
}

/// Keys and sealed files in the vault of a node.
///
/// # Errors
/// When it cannot be listed.
pub fn vault_files(folder: &Path) -> anyhow::Result<usize> {
    Ok(sealed_and_keys(folder)?.len())
}

/// What of a vault says something about a case: not the name of the journal that it belongs to.
///
/// # Errors
/// When it cannot be listed.
pub fn sealed_and_keys(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for part in ["keys", "packages", "outgoing", "evidence"] {
        files(&folder.join("vault").join(part), &mut all)?;
    }
    Ok(all)
}

/// The keys and files in a vault of a case, of the evidence of its consents, and of what was to be corrected in it.
///
/// # Errors
/// When a folder or a file cannot be read.
pub fn left_of(vault: &Path, case: CaseId, row: &CaseRow) -> anyhow::Result<Vec<String>> {
    let evidence = row.consents.iter().map(|consent| (evidence::key_of(*consent), "the evidence of a consent"));
    let corrections = row.requests.iter().map(|request| (correction::key_of(*request), "a correction"));
    let owners: Vec<(CaseId, &str)> = [(case, "the case")].into_iter().chain(evidence).chain(corrections).collect();
    let mut left = Vec::new();
    for (owner, name) in &owners {
        if vault.join(format!("keys/{owner}.key")).exists() {
            left.push(format!("the key of {name}"));
        }
    }
    for kind in ["packages", "outgoing", "evidence"] {
        let mut all = Vec::new();
        files(&vault.join(kind), &mut all)?;
        for path in all {
            // One byte of version, then the owner.
            let bytes = fs::read(path)?;
            let owner = owners.iter().find(|(owner, _)| bytes.get(1..17) == Some(&owner.bytes()[..]));
            left.extend(owner.map(|(_, name)| format!("a file of {name} in {kind}")));
        }
    }
    Ok(left)
}
