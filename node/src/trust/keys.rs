//! The node's own keys: Ed25519 for envelopes, bundles and checkpoints, X-Wing for sealed packages.
//! Private keys stay in memory that is wiped when dropped, and are never printed.

use std::{convert::Infallible, fmt};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable,
    aead::ChaCha20Poly1305,
    kdf::KdfShake256,
    kem::XWing,
    rand_core::{TryCryptoRng, TryRng},
};
use passerelle_domain::{
    refusal::{Code, Refusal},
    signing::{PublicKey, Signature, Signer, Verifier},
};
use zeroize::Zeroizing;

use super::Fill;

/// The 32 secret bytes from which a key pair is derived.
pub type Seed = Zeroizing<[u8; 32]>;

type SealingPrivate = <XWing as Kem>::PrivateKey;
type SealingPublic = <XWing as Kem>::PublicKey;
type Encapsulated = <XWing as Kem>::EncappedKey;

/// A new seed from the given entropy.
#[must_use]
pub fn new_seed(fill: &Fill) -> Seed {
    let mut seed = Seed::default();
    fill(seed.as_mut_slice());
    seed
}

/// An Ed25519 key pair (RFC 8032), parsed and ready to sign.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// The key pair of a seed.
    ///
    /// # Errors
    /// `malformed` when the library refuses the seed.
    pub fn from_seed(seed: &Seed) -> Result<Self, Refusal> {
        let unusable = || Refusal::new(Code::Malformed, "the signing key cannot be used");
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).map_err(|_| unusable())?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| unusable())?;
        Ok(Self { pair, public })
    }
}

impl Signer for SigningKey {
    fn sign(&self, message: &[u8]) -> Signature {
        let mut bytes = [0; 64];
        // An Ed25519 signature has 64 bytes, always; an empty one would verify nowhere.
        if let Ok(signature) = self.pair.sign(message).as_ref().try_into() {
            bytes = signature;
        }
        Signature(bytes)
    }

    fn public_key(&self) -> PublicKey {
        self.public
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// Verifies Ed25519 signatures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ed25519Verifier;

impl Verifier for Ed25519Verifier {
    fn verify(&self, public_key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ED25519, public_key).verify(message, &signature.0).is_ok()
    }
}

/// An X-Wing key pair (ML-KEM-768 with X25519), to which packages are sealed.
pub struct SealingKey {
    private: SealingPrivate,
    public: Vec<u8>,
}

impl SealingKey {
    /// The key pair of a seed.
    ///
    /// # Errors
    /// `malformed` when the library refuses the seed.
    pub fn from_seed(seed: &Seed) -> Result<Self, Refusal> {
        let private = SealingPrivate::from_bytes(seed.as_slice())
            .map_err(|_| Refusal::new(Code::Malformed, "the sealing key cannot be used"))?;
        let public = XWing::sk_to_pk(&private).to_bytes().to_vec();
        Ok(Self { private, public })
    }

    /// The public key, 1216 bytes, as it stands in the bundle.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public
    }

    /// Opens what [`seal`] made for this key with the same `info` and `aad`.
    ///
    /// # Errors
    /// `bad_seal` when it was sealed to another key, for another purpose, or was changed.
    pub fn open(&self, info: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let bad = || Refusal::new(Code::BadSeal, "the package does not open with this node's key");
        let (encapsulated, ciphertext) = sealed.split_at_checked(Encapsulated::size()).ok_or_else(bad)?;
        let encapsulated = Encapsulated::from_bytes(encapsulated).map_err(|_| bad())?;
        let mode = OpModeR::Base;
        let mut receiver =
            hpke::setup_receiver::<ChaCha20Poly1305, KdfShake256, XWing>(&mode, &self.private, &encapsulated, info)
                .map_err(|_| bad())?;
        receiver.open(ciphertext, aad).map(Zeroizing::new).map_err(|_| bad())
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(..)")
    }
}

/// Seals `plaintext` to the X-Wing key `public` by HPKE (RFC 9180) in base mode, with SHAKE256 and
/// ChaCha20-Poly1305: the encapsulated key (1120 bytes), then ciphertext and tag (16 bytes). `info` says what it is
/// for, `aad` what it belongs to; both must be the same for opening.
///
/// # Errors
/// `bad_bundle` when `public` is no X-Wing key.
pub fn seal(public: &[u8], info: &[u8], aad: &[u8], plaintext: &[u8], fill: &Fill) -> Result<Vec<u8>, Refusal> {
    let bad = || Refusal::new(Code::BadBundle, "the recipient's sealing key cannot be used").at("sealing_keys");
    let public = SealingPublic::from_bytes(public).map_err(|_| bad())?;
    let (encapsulated, mut sender) = hpke::setup_sender_with_rng::<ChaCha20Poly1305, KdfShake256, XWing>(
        &OpModeS::Base,
        &public,
        info,
        &mut FillRng(fill),
    )
    .map_err(|_| bad())?;
    let mut sealed = encapsulated.to_bytes().to_vec();
    sealed.extend_from_slice(&sender.seal(plaintext, aad).map_err(|_| bad())?);
    Ok(sealed)
}

/// The given entropy as the random generator that HPKE asks for.
struct FillRng<'a>(&'a Fill);

impl TryRng for FillRng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        (self.0)(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        (self.0)(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        (self.0)(bytes);
        Ok(())
    }
}

impl TryCryptoRng for FillRng<'_> {}

#[cfg(test)]
mod tests {
    use passerelle_domain::bundle::SEALING_KEY_BYTES;

    use super::*;
    use crate::trust::tests::fill;

    #[test]
    fn signatures_are_those_of_rfc_8032() {
        // RFC 8032, section 7.1, test 2.
        let seed = hex::decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").expect("hex");
        let key = SigningKey::from_seed(&Seed::new(seed.try_into().expect("32 bytes"))).expect("a key");
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        let expected = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                        085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        let signature = key.sign(&[0x72]);
        assert_eq!((hex::encode(key.public_key()).as_str(), signature.to_string().as_str()), (public, expected));
        assert!(Ed25519Verifier.verify(&key.public_key(), &[0x72], &signature));
        assert!(!Ed25519Verifier.verify(&key.public_key(), &[0x73], &signature));
        assert!(!Ed25519Verifier.verify(&[0; 32], &[0x72], &signature));
        assert_eq!(format!("{key:?}"), "SigningKey(..)");
    }

    #[test]
    fn only_the_recipient_opens_and_only_for_what_it_was_sealed() {
        let key = SealingKey::from_seed(&Seed::new([1; 32])).expect("a key");
        let other = SealingKey::from_seed(&Seed::new([2; 32])).expect("a key");
        assert_eq!(key.public_key().len(), SEALING_KEY_BYTES);
        let sealed = seal(key.public_key(), b"info", b"aad", b"secret", &fill).expect("sealed");
        assert_eq!(sealed.len(), 1120 + 6 + 16);
        assert_eq!(key.open(b"info", b"aad", &sealed).expect("opened").as_slice(), b"secret");
        let mut changed = sealed.clone();
        *changed.last_mut().expect("not empty") ^= 1;
        for (story, verdict) in [
            ("another key", other.open(b"info", b"aad", &sealed)),
            ("another purpose", key.open(b"other", b"aad", &sealed)),
            ("another handover", key.open(b"info", b"other", &sealed)),
            ("a changed byte", key.open(b"info", b"aad", &changed)),
            ("cut short", key.open(b"info", b"aad", &sealed[..1120])),
            ("nothing", key.open(b"info", b"aad", &[])),
        ] {
            assert_eq!(verdict.map_err(|r| r.code), Err(Code::BadSeal), "{story}");
        }
        let refusal = seal(&key.public_key()[1..], b"info", b"aad", b"secret", &fill).expect_err("no key");
        assert_eq!(refusal.code, Code::BadBundle);
        assert_eq!(format!("{key:?}"), "SealingKey(..)");
    }
}
