//! Signatures of what the journal keeps as evidence. The chain binds what was signed; that it was
//! signed by whom it must be is seen here, entry by entry, with the keys that held at that entry.

use std::collections::HashMap;

use passerelle_domain::{
    entry::Body,
    envelope::SignedEnvelope,
    fold::Content,
    receipt::SignedReceipt,
    refusal::{Code, Refusal},
    signing::{PublicKey, Verifier},
    society::Society,
};

/// The signing keys of each Society, from every bundle of it that the journal has had so far.
pub(super) struct Evidence<'a> {
    keys: HashMap<Society, Vec<PublicKey>>,
    verifier: &'a dyn Verifier,
}

impl<'a> Evidence<'a> {
    /// At the beginning of a journal: `keys_of_own` are all keys with which its node has ever signed.
    pub(super) fn new(own: Society, keys_of_own: &[PublicKey], verifier: &'a dyn Verifier) -> Self {
        Self { keys: HashMap::from([(own, keys_of_own.to_vec())]), verifier }
    }

    /// Checks the signature on the object of the next entry.
    pub(super) fn check(&mut self, body: &Body, object: &[u8], content: &Content) -> Result<(), Refusal> {
        let keys_of = |society: Society| self.keys.get(&society).map(Vec::as_slice).unwrap_or_default();
        let genuine = match (body, content) {
            (Body::Issued(meta) | Body::Received { envelope: Some(meta), .. }, _) => {
                SignedEnvelope::from_object(object)?.verify(keys_of(meta.origin), self.verifier)
            }
            (Body::Receipted { peer, .. }, _) => {
                let malformed = |_| Refusal::new(Code::Malformed, "it is no signed receipt");
                let receipt: SignedReceipt = minicbor::decode(object).map_err(malformed)?;
                receipt.open(keys_of(*peer), self.verifier)?;
                true
            }
            (_, Content::Bundle(bundle)) => {
                self.keys.entry(bundle.society).or_default().extend(bundle.signing_keys.iter().copied());
                true
            }
            _ => true,
        };
        if genuine { Ok(()) } else { Err(Refusal::new(Code::BadSignature, "it is not signed by a key of its origin")) }
    }
}
