//! The trust bundle of a Society: its X.509 roots, envelope signing keys, sealing keys and addresses, under a
//! version. Pure: what a bundle is and its canonical bytes; `accept` holds the rule for taking a new one.

use std::{fmt, ops::Deref, str::FromStr};

use minicbor::{Decode, Encode, bytes::ByteVec};

use crate::{
    digest::Digest,
    limits::{BUNDLE_BYTES_MAX, BUNDLE_LIST_MAX, NAME_BYTES_MAX},
    refusal::{Code, Refusal},
    signing::PublicKey,
    society::Society,
    time::Time,
};

mod accept;
mod address;
#[cfg(test)]
mod tests;

pub use accept::{Accepted, KeySignature, SignedBundle};
pub use address::Address;

/// The media type of a bundle's payload, part of what is signed.
pub const PAYLOAD_TYPE: &str = "application/vnd.passerelle.bundle.v1+cbor";
/// Bytes of an X-Wing public key (draft-connolly-cfrg-xwing-kem).
pub const SEALING_KEY_BYTES: usize = 1216;
/// Bytes of one X.509 root, DER. A P-256 root has about 400, an RSA-4096 root of an existing PKI under 2,000.
pub const ROOT_BYTES_MAX: usize = 4 * 1024;
/// Words of a spoken fingerprint: 11 bits each, so 132 bits stand against somebody who makes a bundle to fit.
const WORDS: usize = 12;

/// What a bundle says. Public fields to fill in; [`Bundle::new`] checks them.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct BundleContent {
    /// Whose bundle it is.
    #[n(0)]
    pub society: Society,
    /// Counted from 1; each change of anything makes the next one.
    #[n(1)]
    pub version: u64,
    /// When it began to be valid.
    #[n(2)]
    pub valid_from: Time,
    /// When it should have been replaced. Past it there is an alarm, not a stop.
    #[n(3)]
    pub valid_until: Time,
    /// The roots (X.509, DER) to which certificates of this Society's node and operators chain: 1 to 8.
    #[n(4)]
    pub roots: Vec<ByteVec>,
    /// The keys (Ed25519) that sign its envelopes and its next bundle, the newest first: 1 to 8.
    #[cbor(n(5), with = "keys")]
    pub signing_keys: Vec<PublicKey>,
    /// The keys (X-Wing) to which packages for it are sealed, the newest first: 1 to 8.
    #[n(6)]
    pub sealing_keys: Vec<ByteVec>,
    /// Where its node can be reached; empty for a node that only dials out. At most 8.
    #[n(7)]
    pub addresses: Vec<Address>,
}

/// A bundle within its limits.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle(BundleContent);

impl Bundle {
    /// Checks what a bundle says.
    ///
    /// # Errors
    /// `bad_bundle`, `too_many` or `too_large`, with the field.
    pub fn new(content: BundleContent) -> Result<Self, Refusal> {
        if content.version == 0 {
            return Err(bad("versions count from 1").at("version"));
        }
        if content.valid_until <= content.valid_from {
            return Err(bad("it ends before it begins").at("valid_until"));
        }
        count("roots", &content.roots, 1)?;
        count("signing_keys", &content.signing_keys, 1)?;
        count("sealing_keys", &content.sealing_keys, 1)?;
        count("addresses", &content.addresses, 0)?;
        if content.roots.iter().any(|root| root.is_empty() || root.len() > ROOT_BYTES_MAX) {
            let limit = format!("a root has 1 to {ROOT_BYTES_MAX} bytes");
            return Err(Refusal::new(Code::TooLarge, limit).at("roots"));
        }
        if content.sealing_keys.iter().any(|key| key.len() != SEALING_KEY_BYTES) {
            return Err(bad(format!("a sealing key has {SEALING_KEY_BYTES} bytes")).at("sealing_keys"));
        }
        Ok(Self(content))
    }

    /// The canonical bytes: CBOR in the deterministic encoding of RFC 8949, section 4.2.1.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing to memory does not fail, and none of the fields' encoders does.
        let _: Result<(), _> = minicbor::encode(&self.0, &mut bytes);
        bytes
    }

    /// Reads the payload of a bundle.
    ///
    /// # Errors
    /// `too_large` beyond [`BUNDLE_BYTES_MAX`]; `bad_bundle` unless it is exactly the canonical bytes of a bundle
    /// within its limits.
    pub fn parse(payload: &[u8]) -> Result<Self, Refusal> {
        if payload.len() > BUNDLE_BYTES_MAX {
            return Err(Refusal::new(Code::TooLarge, format!("a bundle has at most {BUNDLE_BYTES_MAX} bytes")));
        }
        let content = minicbor::decode(payload).map_err(|_| bad("it is not the CBOR of a bundle"))?;
        let bundle = Self::new(content)?;
        if bundle.payload() != payload {
            return Err(bad("it is not in the canonical encoding"));
        }
        Ok(bundle)
    }

    /// The digest that two people compare by voice before a first bundle is taken.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(Digest::of_parts(&[b"passerelle/bundle-fingerprint/v1\0", &self.payload()]))
    }
}

impl Deref for Bundle {
    type Target = BundleContent;

    fn deref(&self) -> &BundleContent {
        &self.0
    }
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bundle({} version {})", self.society, self.version)
    }
}

/// The fingerprint of a bundle, SHA-256. Shown as twelve words of the English BIP-39 list, which were chosen so
/// that no two share their first four letters: people read them to each other over a bad line.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub Digest);

impl Fingerprint {
    /// The words, in order: 11 bits each, from the first bit of the digest.
    #[must_use]
    pub fn words(&self) -> [&'static str; WORDS] {
        let list = bip39::Language::English.word_list();
        std::array::from_fn(|word| {
            let index = (0..11).fold(0_usize, |index, offset| {
                let bit = word * 11 + offset;
                let byte = self.0.0.get(bit / 8).copied().unwrap_or_default();
                index << 1 | usize::from(byte >> (7 - bit % 8) & 1)
            });
            list.get(index).copied().unwrap_or_default()
        })
    }

    /// Whether what a person typed says these words: case, commas, hyphens and extra spaces do not count, and
    /// the first four letters of a word suffice.
    #[must_use]
    pub fn matches(&self, typed: &str) -> bool {
        let typed = typed.to_ascii_lowercase();
        let mut given = typed.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
        let same = self
            .words()
            .into_iter()
            .all(|word| given.next().is_some_and(|given| given == word || given.len() >= 4 && word.starts_with(given)));
        same && given.next().is_none()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" "))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(Code::BadBundle, message)
}

fn count<T: PartialEq>(field: &str, list: &[T], least: usize) -> Result<(), Refusal> {
    if list.len() < least {
        return Err(bad(format!("a bundle has at least {least}")).at(field));
    }
    if list.len() > BUNDLE_LIST_MAX {
        return Err(Refusal::new(Code::TooMany, format!("a bundle has at most {BUNDLE_LIST_MAX}")).at(field));
    }
    if list.iter().enumerate().any(|(index, item)| list.iter().skip(index + 1).any(|other| other == item)) {
        return Err(bad("one stands there twice").at(field));
    }
    Ok(())
}

/// Public keys as byte strings of 32 bytes.
mod keys {
    use minicbor::{
        Decoder, Encoder,
        bytes::ByteArray,
        decode::Error as DecodeError,
        encode::{Error as EncodeError, Write},
    };

    use crate::signing::PublicKey;

    pub(super) fn encode<C, W: Write>(
        keys: &[PublicKey],
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        encoder.array(u64::try_from(keys.len()).unwrap_or(u64::MAX))?;
        keys.iter().try_for_each(|key| encoder.bytes(key)?.ok())
    }

    pub(super) fn decode<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<Vec<PublicKey>, DecodeError> {
        let keys: Vec<ByteArray<32>> = decoder.decode()?;
        Ok(keys.into_iter().map(PublicKey::from).collect())
    }
}
