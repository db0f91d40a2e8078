//! Fills the journal of a node that does not run: the production engine over the production store, in one process,
//! with alerts that go to nobody.

use std::{collections::VecDeque, path::Path, sync::Arc};

use anyhow::Context as _;
use passerelle_domain::catalogue::Role;
use passerelle_domain::{
    decide::{Caller, Command, Policy, Pseudonyms},
    entry::Actor,
    ids::{AlertId, Epoch},
    limits::ENGINE_QUEUE_MAX,
};
use passerelle_node::{
    clock::{Clock as _, SystemClock},
    config::Config,
    engine::{self, Engine, Handle},
    entropy::{Entropy as _, SystemEntropy},
    metrics::Metrics,
    run::open_store,
    trust::TrustFolder,
};

use crate::bench::{
    alerts::{Filling, Maker},
    runtime,
};

/// Fills the journal of the configuration's node up to so many entries, with alerts of so many bytes.
pub(super) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [config, entries, size] = arguments else { anyhow::bail!("configuration, entries and size are wanted") };
    let (entries, size): (u64, usize) = (entries.parse()?, size.parse()?);
    let config = Config::load(Path::new(config), std::iter::empty()).map_err(|faults| anyhow::anyhow!("{faults}"))?;
    let (folder, trust) = TrustFolder::open_at(&config.trust.dir)?;
    let (clock, entropy) = (SystemClock::new(), SystemEntropy::new());
    let fill = move |bytes: &mut [u8]| entropy.fill(bytes);
    let (_policy, seen) = tokio::sync::watch::channel(Arc::new(Policy::default()));
    let (engine, handle) = Engine::new(engine::Parts {
        own: config.society,
        store: Arc::new(open_store(&config)?),
        clock: Arc::new(SystemClock::new()),
        signer: trust.signing.clone(),
        policy: seen,
        epoch: Epoch::new(clock.now(), SystemEntropy::new().id()),
        pseudonyms: Pseudonyms::new(folder.pseudonym_secret(&fill)?),
        metrics: Metrics::new(),
    });
    let thread = std::thread::spawn(move || engine.run());
    let maker = Maker::new(size, Filling::Bytes, clock.now())?;
    runtime()?.block_on(async {
        submit(&handle, &config, &maker, entries).await?;
        handle.stop().await;
        anyhow::Ok(())
    })?;
    thread.join().map_err(|_| anyhow::anyhow!("the engine's thread has panicked"))??;
    Ok(())
}

async fn submit(handle: &Handle, config: &Config, maker: &Maker, entries: u64) -> anyhow::Result<()> {
    let (clock, entropy) = (SystemClock::new(), SystemEntropy::new());
    let caller = Caller { actor: Actor::Operator("bench".to_owned()), roles: vec![Role::AlertAuthor] };
    let mut durable = handle.durable();
    durable.wait_for(|durable| durable.entries > 0).await.context("the engine did not begin")?;
    let present = durable.borrow().entries;
    let mut pending = VecDeque::new();
    for _ in present..entries {
        let now = clock.now();
        let alert = Box::new(maker.own_alert(config.society, now)?);
        let id = AlertId::new(now, entropy.id());
        pending.push_back(handle.submit_waiting(Command::RaiseAlert { caller: caller.clone(), id, alert }).await?);
        if pending.len() >= ENGINE_QUEUE_MAX / 2
            && let Some(first) = pending.pop_front()
        {
            first.await??;
        }
    }
    for one in pending {
        one.await??;
    }
    Ok(())
}
