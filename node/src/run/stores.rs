//! The store of a node: where it lies, and what is done to it before the node runs. Opens it, has it made anew when
//! something was erased from it, and its views when another release made them.

use std::{path::Path, sync::Arc};

use crate::{
    config::Config,
    engine,
    store::{
        Store, compact,
        sled::{SledOptions, SledStore},
    },
};

use super::Storage;

/// Opens the store of a node.
///
/// # Errors
/// `data_folder_in_use`, `unknown_schema`, or what is wrong with the store.
pub fn open_store(config: &Config) -> anyhow::Result<SledStore> {
    let folder = store_folder(&config.data_dir);
    let store = SledStore::open(&folder, store_options(config))?;
    compact::clear(&folder)?;
    Ok(store)
}

/// How the store of a node is opened.
#[must_use]
pub fn store_options(config: &Config) -> SledOptions {
    SledOptions { cache_bytes: config.store.cache_mib << 20 }
}

/// Opens the store of a node that is about to run: made anew first when something was erased from it, and with views
/// of this release.
///
/// # Errors
/// As [`open_store`]; what is wrong with the journal.
pub(super) fn prepare(config: &Config, storage: &Storage) -> anyhow::Result<Arc<dyn Store>> {
    let store = match storage {
        Storage::Machine => Arc::new(open_anew(config)?),
        Storage::Given(disk) => disk.open()?,
    };
    if let Some(due) = engine::rebuild_due(&*store)? {
        tracing::warn!(reason = ?due, "the views are made anew from the journal");
        engine::rebuild(config.society, &*store, |progress| {
            if progress.entries == progress.total || progress.entries.is_multiple_of(50_000) {
                tracing::info!(entries = progress.entries, total = progress.total, "the views are made anew");
            }
        })?;
    }
    Ok(store)
}

/// Opens the store, made anew where something was erased from it.
fn open_anew(config: &Config) -> anyhow::Result<SledStore> {
    let mut store = open_store(config)?;
    if compact::is_due(&store)? {
        let bytes = store.bytes_on_disk()?;
        if !config.store.compact_at_start || bytes > compact::AT_START_BYTES_MAX {
            tracing::warn!(bytes, "what was erased may still stand in the store's log: run passerelle-node compact");
        } else {
            tracing::info!(bytes, "something was erased since the last start: the store is made anew");
            match compact::compact(store, store_options(config)) {
                Ok(done) => tracing::info!(rows = done.rows, bytes = done.bytes_after, "the store is made anew"),
                // The node is of more use as it is than not at all.
                Err(error) => tracing::error!(%error, "the store could not be made anew; it stays as it was"),
            }
            store = open_store(config)?;
        }
    }
    Ok(store)
}

/// The folder of the store below a data folder.
#[must_use]
pub fn store_folder(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join("store")
}
