//! Bundles as files: the DSSE JSON envelope in which they travel, and the folder of the peers' bundles.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use passerelle_domain::{
    bundle::{KeySignature, PAYLOAD_TYPE, SignedBundle},
    digest::Digest,
    limits::{BUNDLE_BYTES_MAX, PEERS_MAX},
    refusal::{Code, Refusal},
    signing::Signature,
    society::Society,
};
use serde::{Deserialize, Serialize};

use super::{disk, files::io_refusal, keys::Ed25519Verifier};

/// Bytes of a bundle file: base64 makes four of three, and signatures come on top.
pub(crate) const BUNDLE_FILE_BYTES_MAX: usize = 2 * BUNDLE_BYTES_MAX;
const ENDING: &str = ".bundle.json";

/// The JSON envelope of DSSE v1.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Dsse {
    payload_type: String,
    payload: String,
    signatures: Vec<DsseSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DsseSignature {
    /// The public key, hexadecimal.
    keyid: String,
    sig: String,
}

/// Writes a bundle as a DSSE envelope: payload and signatures in base64, key ids the public keys in hexadecimal.
#[must_use]
pub fn bundle_to_json(bundle: &SignedBundle) -> String {
    let signatures = bundle
        .signatures()
        .iter()
        .map(|s| DsseSignature { keyid: hex::encode(s.public_key), sig: STANDARD.encode(s.signature.0) })
        .collect();
    let dsse = Dsse { payload_type: PAYLOAD_TYPE.into(), payload: STANDARD.encode(bundle.payload()), signatures };
    // A struct of strings always becomes JSON.
    serde_json::to_string_pretty(&dsse).unwrap_or_default() + "\n"
}

/// Reads a bundle from its DSSE envelope. Its signatures are not verified here: `SignedBundle::accept` does.
///
/// # Errors
/// `too_large` beyond twice the limit of a bundle; `bad_bundle`, and what `SignedBundle::parse` refuses.
pub fn bundle_from_json(json: &[u8]) -> Result<SignedBundle, Refusal> {
    if json.len() > BUNDLE_FILE_BYTES_MAX {
        let limit = format!("a bundle file has at most {BUNDLE_FILE_BYTES_MAX} bytes");
        return Err(Refusal::new(Code::TooLarge, limit));
    }
    let bad = |message: &str| Refusal::new(Code::BadBundle, message);
    let dsse: Dsse = serde_json::from_slice(json).map_err(|_| bad("it is not a DSSE envelope"))?;
    if dsse.payload_type != PAYLOAD_TYPE {
        return Err(bad("it holds something else than a bundle").at("payloadType"));
    }
    let payload = STANDARD.decode(&dsse.payload).map_err(|_| bad("it is not base64").at("payload"))?;
    let signatures: Result<Vec<_>, Refusal> = dsse
        .signatures
        .iter()
        .map(|s| {
            let public_key = s.keyid.parse::<Digest>().map_err(|_| bad("it is no public key").at("keyid"))?.0;
            let signature = STANDARD.decode(&s.sig).map_err(|_| bad("it is not base64").at("sig"))?;
            Ok(KeySignature { public_key, signature: Signature::parse_bytes(&signature)? })
        })
        .collect();
    SignedBundle::parse(payload, signatures.map_err(|refusal| refusal.within("signatures"))?)
}

/// The bundles of the peers, one file each: `<data folder>/peers/GM.bundle.json`.
#[derive(Debug)]
pub struct PeerBundles {
    folder: PathBuf,
}

/// What a folder of bundles held.
#[derive(Debug, Default)]
pub struct LoadedPeers {
    /// The bundles that can be used, by Society.
    pub bundles: Vec<SignedBundle>,
    /// The files that cannot, by name, with the reason. One bad file does not cut the other peers off.
    pub refused: Vec<(String, Refusal)>,
}

impl PeerBundles {
    /// The folder below the data folder `root`, made if it is missing.
    ///
    /// # Errors
    /// `store_failed` when it cannot be made, or others can reach it.
    pub fn open(root: &Path) -> Result<Self, Refusal> {
        let folder = root.join("peers");
        disk::private_folder(&folder).map_err(|error| io_refusal(&folder, &error))?;
        disk::remove_unfinished(&folder).map_err(|error| io_refusal(&folder, &error))?;
        Ok(Self { folder })
    }

    /// Every bundle of the folder.
    ///
    /// # Errors
    /// `store_failed` when the folder cannot be listed; `too_many` files.
    pub fn load(&self) -> Result<LoadedPeers, Refusal> {
        let failed = |error| io_refusal(&self.folder, &error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            if name.ends_with(ENDING) {
                names.push(name);
            }
        }
        if names.len() > PEERS_MAX {
            return Err(Refusal::new(Code::TooMany, format!("a node has at most {PEERS_MAX} peers")));
        }
        names.sort_unstable();
        let mut loaded = LoadedPeers::default();
        for name in names {
            match self.read(&name) {
                Ok(bundle) => loaded.bundles.push(bundle),
                Err(refusal) => loaded.refused.push((name, refusal)),
            }
        }
        Ok(loaded)
    }

    /// Keeps the bundle of a peer in the place of the one before. The caller has accepted it.
    ///
    /// # Errors
    /// `store_failed` when it cannot be written.
    pub fn put(&self, bundle: &SignedBundle) -> Result<(), Refusal> {
        let name = file_name(bundle.bundle().society);
        disk::write(&self.folder, &name, bundle_to_json(bundle).as_bytes())
            .map_err(|error| io_refusal(&self.folder.join(name), &error))
    }

    /// Forgets a peer; whether it was known.
    ///
    /// # Errors
    /// `store_failed` when its file cannot be removed.
    pub fn remove(&self, society: Society) -> Result<bool, Refusal> {
        disk::remove(&self.folder, &file_name(society)).map_err(|error| io_refusal(&self.folder, &error))
    }

    fn read(&self, name: &str) -> Result<SignedBundle, Refusal> {
        let path = self.folder.join(name);
        let json = disk::read(&path, BUNDLE_FILE_BYTES_MAX).map_err(|error| io_refusal(&path, &error))?;
        let bundle = bundle_from_json(&json)?;
        bundle.accept(None, &Ed25519Verifier)?;
        if name != file_name(bundle.bundle().society) {
            return Err(Refusal::new(Code::WrongSociety, "the file holds the bundle of another Society"));
        }
        Ok(bundle)
    }
}

fn file_name(society: Society) -> String {
    format!("{society}{ENDING}")
}
