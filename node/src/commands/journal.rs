//! `verify`, `rebuild`, `compact`, `export`, `import`: the journal of a node that is not running.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context as _;
use clap::Args;
use passerelle_domain::{
    entry::Entry,
    ids::{EntryIndex, Epoch},
    refusal::{Code, Refusal},
};

use crate::{
    clock::{Clock as _, SystemClock},
    config::Config,
    engine::{self, Progress, export},
    entropy::{Entropy as _, SystemEntropy},
    run::{open_store, store_options},
    store::{
        Store as _, compact, keys,
        sled::{SledOptions, SledStore},
        view::View,
    },
    trust::{Ed25519Verifier, TrustFolder},
    vault::{Belonging, Vault},
};

use super::{WithConfig, say, tell};

/// `verify` found faults.
const FAULTS: u8 = 6;

pub(super) fn verify(with: &WithConfig) -> anyhow::Result<ExitCode> {
    let config = with.load_existing()?;
    let store = open_store(&config)?;
    let scratch_folder = config.data_dir.join("verify.tmp");
    let scratch = scratch_store(&scratch_folder)?;
    let keys = own_keys(&config)?;
    let report = engine::verify(config.society, &store, &scratch, &keys, &Ed25519Verifier, show)?;
    drop(scratch);
    std::fs::remove_dir_all(&scratch_folder).context("the scratch folder could not be removed")?;
    tell(&format!(
        "{} entries, {} objects ({} removed by retention or erasure), {} rows; root {}",
        report.entries, report.objects, report.absent, report.rows, report.root
    ));
    if report.rebuild_due {
        tell("The views were made by another release, or a rebuild was interrupted: the next start makes them anew.");
    }
    report.faults.iter().for_each(|fault| tell(fault));
    tell(if report.faults.is_empty() { "The journal holds." } else { "The journal does not hold." });
    Ok(if report.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAULTS) })
}

/// A store beside the node's own, for what the journal folds to.
fn scratch_store(folder: &std::path::Path) -> anyhow::Result<SledStore> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).context("an earlier scratch folder could not be removed")?;
    }
    SledStore::open(folder, SledOptions::default()).map_err(Into::into)
}

fn own_keys(config: &Config) -> anyhow::Result<Vec<passerelle_domain::signing::PublicKey>> {
    let (_, trust) = TrustFolder::open_at(&config.trust.dir)?;
    Ok(trust.bundle.bundle().signing_keys.clone())
}

fn show(progress: Progress) {
    if progress.entries == progress.total || progress.entries.is_multiple_of(100_000) {
        say(&format!("{} of {} entries", progress.entries, progress.total));
    }
}

pub(super) fn rebuild(with: &WithConfig) -> anyhow::Result<()> {
    let config = with.load_existing()?;
    let store = open_store(&config)?;
    let entries = engine::rebuild(config.society, &store, show)?;
    tell(&format!("The views are made anew from {entries} entries."));
    Ok(())
}

pub(super) fn compact(with: &WithConfig) -> anyhow::Result<()> {
    let config = with.load_existing()?;
    let done = compact::compact(open_store(&config)?, store_options(&config))?;
    let mib = |bytes: u64| bytes >> 20;
    let (rows, before, after) = (done.rows, mib(done.bytes_before), mib(done.bytes_after));
    tell(&format!("The store is made anew: {rows} rows, {after} MiB where it took {before}."));
    Ok(())
}

/// What `export` is told.
#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    with: WithConfig,
    /// The file to write; must not exist.
    #[arg(long)]
    out: PathBuf,
}

impl Export {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = self.with.load_existing()?;
        let store = open_store(&config)?;
        let file = File::create_new(&self.out).with_context(|| format!("cannot write {}", self.out.display()))?;
        let mut out = BufWriter::new(file);
        let view = View::of(&store);
        let head = view.head()?.context("the store holds no journal")?;
        let note = store.get(keys::CHECKPOINT)?.context("the store holds no checkpoint")?;
        let span = export::Span { from: EntryIndex(0), size: head.frontier.size() };
        let unwritten = |_| Refusal::new(Code::StoreFailed, "the export could not be written");
        export::write(config.society, &store, span, &String::from_utf8_lossy(&note), |chunk| {
            out.write_all(&chunk).map_err(unwritten)
        })?;
        let file = out.into_inner().context("the export could not be written")?;
        file.sync_all().context("the export could not be written")?;
        tell(&format!("{} entries in {}", span.size, self.out.display()));
        Ok(())
    }
}

/// What `import` is told.
#[derive(Debug, Args)]
pub(super) struct Import {
    #[command(flatten)]
    with: WithConfig,
    /// The exported file.
    file: PathBuf,
}

impl Import {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = self.with.load()?;
        let keys = own_keys(&config)?;
        let store = open_store(&config)?;
        let file = File::open(&self.file).with_context(|| format!("cannot read {}", self.file.display()))?;
        // Another life of the store: peers see by it that it was restored.
        let epoch = Epoch::new(SystemClock::new().now(), SystemEntropy::new().id());
        let file = std::io::BufReader::new(file);
        let imported = export::import(config.society, &store, file, epoch, &keys, &Ed25519Verifier)?;
        adopt_vault(&config, &store)?;
        tell(&format!("{} entries and {} objects are in the store.", imported.entries, imported.objects));
        Ok(())
    }
}

/// Has the vault that stands beside the store belong to the journal that an import brought, unless it says that it belongs
/// to another.
fn adopt_vault(config: &Config, store: &SledStore) -> anyhow::Result<()> {
    let entropy = SystemEntropy::new();
    let vault = Vault::open(&config.data_dir.join("vault"), Arc::new(move |bytes: &mut [u8]| entropy.fill(bytes)))?;
    let first = View::of(store).entry_bytes(EntryIndex(0))?.context("the export holds no entry")?;
    let first = Entry::hash_of(&first);
    match vault.belonging(first)? {
        Belonging::This => {}
        Belonging::Unsaid => vault.adopt(first)?,
        Belonging::Another => tell(
            "The vault belongs to another journal than the export and is left as it is; move the vault folder away \
             if that journal is lost for good.",
        ),
    }
    Ok(())
}
