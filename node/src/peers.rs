//! The peers of this node: their bundles on the disk and in the journal, the trust that is made of
//! them, and one dialler for each. The only place where all of these change, so that they agree.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use passerelle_domain::{
    bundle::{Accepted, Bundle, SignedBundle},
    decide::{Caller, Command, Reply},
    facts::Facts as _,
    ids::EntryIndex,
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    link::{Addresses, Link, dial_for_ever},
    trust::{Ed25519Verifier, Identity, LiveTrust, PeerBundles, TrustMaterial, bundle_from_json},
};

/// A peer that is being dialled.
struct Dialled {
    addresses: Addresses,
    stop: CancellationToken,
}

/// What changes together.
struct State {
    identity: Identity,
    config: Arc<Config>,
    dialled: BTreeMap<Society, Dialled>,
}

/// The peers of this node.
pub struct Peers {
    folder: PeerBundles,
    own: Bundle,
    trust: Arc<LiveTrust>,
    link: Link,
    state: Mutex<State>,
    certificate_until: parking_lot::Mutex<Time>,
}

/// When a root ends.
fn root_until(der: &[u8]) -> Option<Time> {
    let (_, root) = x509_parser::parse_x509_certificate(der).ok()?;
    u64::try_from(root.validity().not_after.timestamp()).ok().map(|seconds| Time::from_millis(seconds * 1_000))
}

/// The bundles in the folder of which each is that of its Society's root, without those that the
/// folder refuses, which are logged.
///
/// # Errors
/// When the folder cannot be read.
pub fn read_bundles(folder: &PeerBundles) -> Result<Vec<SignedBundle>, Refusal> {
    let loaded = folder.load()?;
    for (file, refusal) in &loaded.refused {
        tracing::error!(file, code = %refusal.code, reason = %refusal.message, "a bundle cannot be used");
    }
    Ok(loaded.bundles)
}

/// Trust as the files say.
#[must_use]
pub fn material(identity: &Identity, own: &Bundle, bundles: &[SignedBundle]) -> TrustMaterial {
    let peers = bundles.iter().map(|signed| signed.bundle().clone()).filter(|bundle| bundle.society != own.society);
    TrustMaterial { identity: identity.clone(), own: own.clone(), peers: peers.collect() }
}

impl Peers {
    /// The peers of a node whose link is ready; nobody is dialled before [`Peers::refresh`].
    #[must_use]
    pub fn new(folder: PeerBundles, identity: Identity, own: Bundle, link: Link, config: Arc<Config>) -> Self {
        let certificate_until = parking_lot::Mutex::new(identity.not_after());
        let state = Mutex::new(State { identity, config, dialled: BTreeMap::new() });
        Self { folder, own, trust: link.trust.clone(), link, state, certificate_until }
    }

    /// Takes what the folder of bundles holds into the journal, makes trust of it, and dials who can
    /// be dialled. Streams of peers that are still trusted go on.
    ///
    /// # Errors
    /// When the folder, the journal or the bundles fail; what was trusted before stays so.
    pub async fn refresh(&self) -> Result<(), Refusal> {
        let mut state = self.state.lock().await;
        self.apply(&mut state).await
    }

    /// The same, after the node's certificate or the configuration changed.
    ///
    /// # Errors
    /// As [`Peers::refresh`].
    pub async fn replace(&self, identity: Option<Identity>, config: Option<Arc<Config>>) -> Result<(), Refusal> {
        let mut state = self.state.lock().await;
        if let Some(identity) = identity {
            *self.certificate_until.lock() = identity.not_after();
            state.identity = identity;
        }
        if let Some(config) = config {
            state.config = config;
        }
        self.apply(&mut state).await
    }

    async fn apply(&self, state: &mut State) -> Result<(), Refusal> {
        let mut taken = Vec::new();
        for signed in read_bundles(&self.folder)? {
            match self.take(&Caller::system(), &signed).await {
                Ok(_) => taken.push(signed),
                Err(refusal) => {
                    let society = signed.bundle().society;
                    tracing::error!(%society, code = %refusal.code, reason = %refusal.message, "a bundle is not taken");
                }
            }
        }
        let closed = self.trust.reload(&material(&state.identity, &self.own, &taken))?;
        if closed > 0 {
            tracing::info!(closed, "connections of peers that are no longer trusted were closed");
        }
        self.dial(state, &taken);
        Ok(())
    }

    fn dial(&self, state: &mut State, bundles: &[SignedBundle]) {
        let here = |society: &Society| bundles.iter().any(|signed| signed.bundle().society == *society);
        state.dialled.retain(|society, dialled| {
            let stays = here(society);
            if !stays {
                dialled.stop.cancel();
                self.link.registry.end(*society);
            }
            stays
        });
        for signed in bundles {
            let bundle = signed.bundle();
            let addresses = addresses(&state.config, bundle);
            if let Some(dialled) = state.dialled.get(&bundle.society) {
                dialled.addresses.store(Arc::new(addresses));
                continue;
            }
            let dialled = Dialled {
                addresses: Arc::new(ArcSwap::from_pointee(addresses)),
                stop: self.link.spawner.token().child_token(),
            };
            let (link, society) = (self.link.clone(), bundle.society);
            let (addresses, stop) = (dialled.addresses.clone(), dialled.stop.clone());
            self.link.spawner.spawn("dialler", dial_for_ever(link, society, addresses, stop));
            state.dialled.insert(society, dialled);
        }
    }

    /// Puts a bundle into the journal, if it may stand in the place of the one known.
    async fn take(&self, caller: &Caller, signed: &SignedBundle) -> Result<EntryIndex, Refusal> {
        let society = signed.bundle().society;
        let known = self.known(society)?;
        if matches!(signed.accept(known.as_ref(), &Ed25519Verifier)?, Accepted::Same)
            && let Some(row) = self.link.engine.view().peer(society)?
            && !row.removed
        {
            return Ok(row.entry);
        }
        let command = Command::TakeBundle {
            caller: caller.clone(),
            bundle: Box::new(signed.bundle().clone()),
            payload: signed.payload().to_vec(),
        };
        match self.link.engine.submit(command).await? {
            Reply::Done { entry } => Ok(entry),
            _ => Err(Refusal::new(Code::StoreFailed, "the engine gave another answer")),
        }
    }

    /// The bundle of a peer as the journal has it.
    fn known(&self, society: Society) -> Result<Option<Bundle>, Refusal> {
        let view = self.link.engine.view();
        let Some(row) = view.peer(society)?.filter(|row| !row.removed) else { return Ok(None) };
        view.object(row.entry)?.map(|payload| Bundle::parse(&payload)).transpose()
    }

    /// Until when our certificate holds, and the root of ours that ends first.
    #[must_use]
    pub fn own_certificates(&self) -> (Time, Time) {
        let roots = self.own.roots.iter().filter_map(|root| root_until(root));
        (*self.certificate_until.lock(), roots.min().unwrap_or_default())
    }

    /// The bundle file of a peer.
    ///
    /// # Errors
    /// `unknown_peer`.
    pub fn bundle_of(&self, society: Society) -> Result<SignedBundle, Refusal> {
        let bundles = read_bundles(&self.folder)?;
        let unknown = || Refusal::new(Code::UnknownPeer, format!("{society} is no peer of this node"));
        bundles.into_iter().find(|signed| signed.bundle().society == society).ok_or_else(unknown)
    }

    /// Takes a bundle file on behalf of an operator. The first one of a Society needs the fingerprint
    /// that two people have compared.
    ///
    /// # Errors
    /// `missing_field` without the fingerprint, `bad_bundle` with another; what
    /// [`SignedBundle::accept`] and the engine refuse.
    pub async fn add(
        &self,
        caller: &Caller,
        file: &[u8],
        fingerprint: Option<&str>,
    ) -> Result<(Bundle, EntryIndex), Refusal> {
        let mut state = self.state.lock().await;
        let signed = bundle_from_json(file)?;
        let bundle = signed.bundle().clone();
        if bundle.society == self.own.society {
            return Err(Refusal::new(Code::SameSociety, "a node does not peer with its own Society"));
        }
        let known = self.known(bundle.society)?;
        if let Accepted::First(expected) = signed.accept(known.as_ref(), &Ed25519Verifier)? {
            let words = fingerprint.ok_or_else(|| {
                let message = "the first bundle of a Society is taken on its fingerprint, compared by voice";
                Refusal::new(Code::MissingField, message).at("fingerprint_words")
            })?;
            if !expected.matches(words) {
                let message = "the fingerprint is not that of the bundle: somebody may have changed it on the way";
                return Err(Refusal::new(Code::BadBundle, message).at("fingerprint_words"));
            }
        }
        // The journal first: what it refuses never lies in the folder.
        let entry = self.take(caller, &signed).await?;
        self.folder.put(&signed)?;
        self.apply(&mut state).await?;
        Ok((bundle, entry))
    }

    /// Forgets a peer and closes its streams.
    ///
    /// # Errors
    /// `unknown_peer`, `role_missing`.
    pub async fn remove(&self, caller: &Caller, society: Society) -> Result<EntryIndex, Refusal> {
        let mut state = self.state.lock().await;
        let reply = self.link.engine.submit(Command::RemovePeer { caller: caller.clone(), society }).await?;
        self.folder.remove(society)?;
        self.apply(&mut state).await?;
        match reply {
            Reply::Done { entry } => Ok(entry),
            _ => Err(Refusal::new(Code::StoreFailed, "the engine gave another answer")),
        }
    }
}

/// Where a peer is dialled: where the configuration says, or else where its own bundle says.
fn addresses(config: &Config, bundle: &Bundle) -> Vec<String> {
    match config.peer(bundle.society) {
        Some(peer) => peer.addresses.iter().map(ToString::to_string).collect(),
        None => bundle.addresses.iter().map(ToString::to_string).collect(),
    }
}
