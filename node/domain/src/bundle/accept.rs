//! Signed bundles, and the rule by which one follows another.

use super::{Bundle, Code, Fingerprint, PAYLOAD_TYPE, Refusal, bad};
use crate::{
    limits::BUNDLE_LIST_MAX,
    signing::{PublicKey, Signature, Signer, Verifier, pae},
};

/// A signature and the key that is said to have made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySignature {
    /// The Ed25519 public key.
    pub public_key: PublicKey,
    /// The signature over the PAE of the payload.
    pub signature: Signature,
}

/// A bundle with its exact bytes and the signatures over them: what stands in an invitation file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBundle {
    bundle: Bundle,
    payload: Vec<u8>,
    signatures: Vec<KeySignature>,
}

/// How an offered bundle stands to the known one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Nothing was known of this Society. The bundle proves only that it hangs together: a person must compare
    /// the fingerprint before it is taken.
    First(Fingerprint),
    /// It follows the known one and replaces it.
    Next,
    /// It is the known one again.
    Same,
}

impl SignedBundle {
    /// Signs a bundle. The first one is signed by its own newest key; each next one by that and by a key of the
    /// one before.
    #[must_use]
    pub fn sign(bundle: Bundle, signers: &[&dyn Signer]) -> Self {
        let payload = bundle.payload();
        let message = pae(PAYLOAD_TYPE, &payload);
        let signatures = signers
            .iter()
            .map(|signer| KeySignature { public_key: signer.public_key(), signature: signer.sign(&message) })
            .collect();
        Self { bundle, payload, signatures }
    }

    /// Reads a payload with its signatures; they are verified by [`SignedBundle::accept`], not here.
    ///
    /// # Errors
    /// As [`Bundle::parse`]; `too_many` signatures.
    pub fn parse(payload: Vec<u8>, signatures: Vec<KeySignature>) -> Result<Self, Refusal> {
        if signatures.len() > BUNDLE_LIST_MAX {
            let limit = format!("a bundle has at most {BUNDLE_LIST_MAX} signatures");
            return Err(Refusal::new(Code::TooMany, limit).at("signatures"));
        }
        Ok(Self { bundle: Bundle::parse(&payload)?, payload, signatures })
    }

    /// What it says.
    #[must_use]
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The bytes that were signed.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signatures, in the order of the file.
    #[must_use]
    pub fn signatures(&self) -> &[KeySignature] {
        &self.signatures
    }

    /// Decides whether this bundle may stand in the place of `known`, the newest that is known of its Society.
    /// Versions may be left out, as long as a key of the known one vouches for the new one. Validity in time is
    /// not asked: nothing expires into silence.
    ///
    /// # Errors
    /// `wrong_society` for the bundle of another Society; `stale_bundle` for an older version; `bad_bundle` for
    /// other content under the known version, or without a valid signature of its own newest key and of a key
    /// of the known bundle.
    pub fn accept(&self, known: Option<&Bundle>, verifier: &dyn Verifier) -> Result<Accepted, Refusal> {
        let offered = &self.bundle;
        let newest = offered.signing_keys.first();
        let Some(known) = known else {
            return if self.signed_by(newest, verifier) {
                Ok(Accepted::First(offered.fingerprint()))
            } else {
                Err(bad("it is not signed by its own newest key"))
            };
        };
        if offered.society != known.society {
            return Err(Refusal::new(Code::WrongSociety, "it is the bundle of another Society").at("society"));
        }
        if offered == known {
            return Ok(Accepted::Same);
        }
        if offered.version < known.version {
            let message = format!("version {} is older than the known {}", offered.version, known.version);
            return Err(Refusal::new(Code::StaleBundle, message).at("version"));
        }
        if offered.version == known.version {
            return Err(bad("there are two bundles of this version; call the Society").at("version"));
        }
        if !self.signed_by(&known.signing_keys, verifier) {
            return Err(bad("it is not signed by a key of the known bundle"));
        }
        if !self.signed_by(newest, verifier) {
            return Err(bad("it is not signed by its own newest key"));
        }
        Ok(Accepted::Next)
    }

    fn signed_by<'k>(&self, keys: impl IntoIterator<Item = &'k PublicKey>, verifier: &dyn Verifier) -> bool {
        let message = pae(PAYLOAD_TYPE, &self.payload);
        keys.into_iter().any(|key| {
            self.signatures.iter().any(|s| s.public_key == *key && verifier.verify(key, &message, &s.signature))
        })
    }
}
