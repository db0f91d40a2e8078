//! The `trust` folder of a node: made once by `init`, opened at each start, its certificate renewed in place.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use passerelle_domain::{
    bundle::{Address, Bundle, BundleContent, Fingerprint, SignedBundle},
    refusal::{Code, Refusal},
    signing::Signer as _,
    society::Society,
    time::Time,
};
use zeroize::Zeroizing;

use super::{
    Authority, Fill, Identity, SealingKey, Seed, SigningKey,
    authority::{LEAF_LIFE, renewal_due},
    bundle_file::{BUNDLE_FILE_BYTES_MAX, bundle_from_json, bundle_to_json},
    disk,
    keys::{Ed25519Verifier, new_seed},
};

const ROOT_KEY: &str = "root.key.pem";
const ROOT: &str = "root.pem";
const PSEUDONYM_SECRET: &str = "pseudonym.key";
const NODE_KEY: &str = "node.key.pem";
const NODE: &str = "node.pem";
const SIGNING: &str = "signing.key";
const SEALING: &str = "sealing.key";
const BUNDLE: &str = "bundle.json";

/// A key or a chain of certificates, PEM.
const PEM_BYTES_MAX: usize = 64 * 1024;
/// After this time a Society should have published a new bundle: five years.
const BUNDLE_LIFE: Duration = Duration::from_secs(5 * 365 * 86_400);

/// The `trust` folder below a node's data folder.
#[derive(Clone, Debug)]
pub struct TrustFolder {
    folder: PathBuf,
}

/// What `init` made, for the person who ran it.
#[derive(Clone, Debug)]
pub struct InitReport {
    /// Whose node it is.
    pub society: Society,
    /// The fingerprint of its first bundle, to be read to the peers' operators.
    pub fingerprint: Fingerprint,
    /// The bundle to hand to peers.
    pub bundle: PathBuf,
    /// When the node's certificate ends; it renews itself before.
    pub certificate_ends: Time,
}

/// What a node proves itself with.
pub struct NodeTrust {
    /// The node's certificate and key.
    pub identity: Identity,
    /// Signs envelopes, receipts, bundles and checkpoints.
    pub signing: Arc<SigningKey>,
    /// Opens packages sealed to this node.
    pub sealing: Arc<SealingKey>,
    /// The own bundle, as peers get it.
    pub bundle: SignedBundle,
}

impl fmt::Debug for NodeTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeTrust({:?})", self.bundle.bundle())
    }
}

impl TrustFolder {
    /// Makes root, keys, node certificate and first bundle of a new node below the data folder `root`. It appears
    /// whole or not at all, and never in the place of another.
    ///
    /// # Errors
    /// `data_folder_in_use` when there is a trust folder; `store_failed` when the disk refuses; what
    /// [`Bundle::new`] refuses of the addresses.
    pub fn init(
        root: &Path,
        society: Society,
        addresses: Vec<Address>,
        now: Time,
        fill: &Fill,
    ) -> Result<InitReport, Refusal> {
        let folder = root.join("trust");
        let failed = |error: io::Error| io_refusal(&folder, &error);
        if folder.exists() {
            let message = format!("{} exists already; it is never overwritten", folder.display());
            return Err(Refusal::new(Code::DataFolderInUse, message));
        }
        disk::private_folder(root).map_err(|error| io_refusal(root, &error))?;
        let staging = root.join("trust.new");
        if staging.exists() {
            // An earlier `init` did not come to its end, so nobody has seen these keys.
            fs::remove_dir_all(&staging).map_err(failed)?;
        }
        disk::private_folder(&staging).map_err(failed)?;
        let staged = Self { folder: staging.clone() };
        staged.fill_with_new_keys(society, addresses, now, fill)?;
        let trust = staged.open_folder()?;
        fs::rename(&staging, &folder).and_then(|()| disk::sync_folder(root)).map_err(failed)?;
        Ok(InitReport {
            society,
            fingerprint: trust.bundle.bundle().fingerprint(),
            bundle: folder.join(BUNDLE),
            certificate_ends: trust.identity.not_after(),
        })
    }

    /// Opens a trust folder that stands elsewhere than below the data folder.
    ///
    /// # Errors
    /// As [`TrustFolder::open`].
    pub fn open_at(folder: &Path) -> Result<(Self, NodeTrust), Refusal> {
        let folder = Self { folder: folder.to_owned() };
        let trust = folder.open_folder()?;
        Ok((folder, trust))
    }

    /// The secret from which the pseudonyms of cases are made; made itself when there is none yet.
    ///
    /// # Errors
    /// `store_failed` when it can be neither read nor written, `malformed_file` when it is damaged.
    pub fn pseudonym_secret(&self, fill: &Fill) -> Result<[u8; 32], Refusal> {
        if !self.folder.join(PSEUDONYM_SECRET).exists() {
            let mut secret = Zeroizing::new([0; 32]);
            fill(&mut *secret);
            self.write(PSEUDONYM_SECRET, &*secret)?;
        }
        let bytes = self.read_secret(PSEUDONYM_SECRET)?;
        bytes
            .as_slice()
            .try_into()
            .map_err(|_| Refusal::new(Code::MalformedFile, format!("{PSEUDONYM_SECRET} does not have 32 bytes")))
    }

    /// Opens the trust folder below the data folder `root` and checks that what it holds belongs together.
    ///
    /// # Errors
    /// `malformed_file` when a file is damaged or does not fit the others; `store_failed` when one cannot be read or
    /// is open to others than the node's user.
    pub fn open(root: &Path) -> Result<(Self, NodeTrust), Refusal> {
        let folder = Self { folder: root.join("trust") };
        let trust = folder.open_folder()?;
        Ok((folder, trust))
    }

    /// The Society's own certificate authority, for issuing operators' certificates.
    ///
    /// # Errors
    /// As [`TrustFolder::open`]; the root's key may have been taken off the node.
    pub fn authority(&self, society: Society) -> Result<Authority, Refusal> {
        let root = self.read(ROOT)?;
        Authority::from_pem(society, text(&root, ROOT)?, text(&self.read_secret(ROOT_KEY)?, ROOT_KEY)?)
    }

    /// Gives the node a new certificate when a third or less of the life of the present one is left, and returns the
    /// identity that now stands in the files.
    ///
    /// # Errors
    /// As [`TrustFolder::authority`]; the present certificate stays in place and in use.
    pub fn renew_if_due(&self, current: &Identity, now: Time, fill: &Fill) -> Result<Option<Identity>, Refusal> {
        if !renewal_due(current.not_before(), current.not_after(), now) {
            return Ok(None);
        }
        let key = self.read_secret(NODE_KEY)?;
        let authority = self.authority(current.society())?;
        let issued = authority.renew_node(text(&key, NODE_KEY)?, now, LEAF_LIFE, fill)?;
        let identity = Identity::from_pem(&issued.certificate_pem, &issued.key_pem)?;
        self.write(NODE, issued.certificate_pem.as_bytes())?;
        Ok(Some(identity))
    }

    fn fill_with_new_keys(
        &self,
        society: Society,
        addresses: Vec<Address>,
        now: Time,
        fill: &Fill,
    ) -> Result<(), Refusal> {
        let authority = Authority::create(society, now, fill)?;
        let node = authority.issue_node(now, LEAF_LIFE, fill)?;
        let (signing_seed, sealing_seed) = (new_seed(fill), new_seed(fill));
        let (signing, sealing) = (SigningKey::from_seed(&signing_seed)?, SealingKey::from_seed(&sealing_seed)?);
        let bundle = Bundle::new(BundleContent {
            society,
            version: 1,
            valid_from: now,
            valid_until: now.plus(BUNDLE_LIFE),
            roots: vec![authority.root_der().to_vec().into()],
            signing_keys: vec![signing.public_key()],
            sealing_keys: vec![sealing.public_key().to_vec().into()],
            addresses,
        })?;
        let bundle = SignedBundle::sign(bundle, &[&signing]);
        self.write(ROOT_KEY, authority.key_pem().as_bytes())?;
        self.write(ROOT, authority.root_pem().as_bytes())?;
        self.write(NODE_KEY, node.key_pem.as_bytes())?;
        self.write(NODE, node.certificate_pem.as_bytes())?;
        self.write(SIGNING, seed_text("ed25519-seed", &signing_seed).as_bytes())?;
        self.write(SEALING, seed_text("x-wing-seed", &sealing_seed).as_bytes())?;
        self.write(BUNDLE, bundle_to_json(&bundle).as_bytes())
    }

    fn open_folder(&self) -> Result<NodeTrust, Refusal> {
        disk::private_folder(&self.folder)
            .and_then(|()| disk::remove_unfinished(&self.folder))
            .map_err(|error| io_refusal(&self.folder, &error))?;
        let unfit = |name: &str, message: &str| {
            Refusal::new(Code::MalformedFile, format!("{}: {message}", self.folder.join(name).display()))
        };
        let key = self.read_secret(NODE_KEY)?;
        let certificate = self.read(NODE)?;
        let identity = Identity::from_pem(text(&certificate, NODE)?, text(&key, NODE_KEY)?)
            .map_err(|refusal| unfit(NODE, &refusal.message))?;
        let signing = SigningKey::from_seed(&self.read_seed(SIGNING, "ed25519-seed")?)?;
        let sealing = SealingKey::from_seed(&self.read_seed(SEALING, "x-wing-seed")?)?;
        let bundle = bundle_from_json(&self.read(BUNDLE)?).map_err(|refusal| unfit(BUNDLE, &refusal.message))?;
        bundle.accept(None, &Ed25519Verifier).map_err(|refusal| unfit(BUNDLE, &refusal.message))?;
        let content = bundle.bundle();
        if content.society != identity.society() {
            return Err(unfit(NODE, "the certificate is that of another Society's node than the bundle"));
        }
        if !content.signing_keys.contains(&signing.public_key()) {
            return Err(unfit(SIGNING, "the bundle does not name this key"));
        }
        if !content.sealing_keys.iter().any(|key| key.as_slice() == sealing.public_key()) {
            return Err(unfit(SEALING, "the bundle does not name this key"));
        }
        Ok(NodeTrust { identity, signing: Arc::new(signing), sealing: Arc::new(sealing), bundle })
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Refusal> {
        disk::write(&self.folder, name, bytes).map_err(|error| io_refusal(&self.folder.join(name), &error))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, Refusal> {
        let path = self.folder.join(name);
        disk::read(&path, PEM_BYTES_MAX.max(BUNDLE_FILE_BYTES_MAX)).map_err(|error| io_refusal(&path, &error))
    }

    fn read_secret(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let path = self.folder.join(name);
        disk::read_secret(&path, PEM_BYTES_MAX).map_err(|error| io_refusal(&path, &error))
    }

    fn read_seed(&self, name: &str, label: &str) -> Result<Seed, Refusal> {
        let bytes = self.read_secret(name)?;
        let mut seed = Seed::default();
        let line = text(&bytes, name)?.trim_end();
        line.strip_prefix(label)
            .and_then(|rest| rest.strip_prefix(':'))
            .and_then(|digits| hex::decode_to_slice(digits, seed.as_mut_slice()).ok())
            .ok_or_else(|| {
                Refusal::new(Code::MalformedFile, format!("{name} does not hold `{label}:` and 64 digits"))
            })?;
        Ok(seed)
    }
}

/// A failure of the disk, as a refusal that names the path.
pub(crate) fn io_refusal(path: &Path, error: &io::Error) -> Refusal {
    Refusal::new(Code::StoreFailed, format!("{}: {error}", path.display()))
}

fn seed_text(label: &str, seed: &Seed) -> Zeroizing<String> {
    let digits = Zeroizing::new(hex::encode(seed.as_slice()));
    Zeroizing::new(format!("{label}:{}\n", digits.as_str()))
}

fn text<'a>(bytes: &'a [u8], name: &str) -> Result<&'a str, Refusal> {
    std::str::from_utf8(bytes).map_err(|_| Refusal::new(Code::MalformedFile, format!("{name} is not text")))
}
