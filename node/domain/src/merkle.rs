//! The Merkle tree of RFC 6962 over the journal's entries, and the signed checkpoint of its head
//! (C2SP tlog-checkpoint, as a signed note). The tree is kept as its frontier: one hash a level.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use minicbor::{Decode, Encode};

use crate::{
    digest::Digest,
    signing::{PublicKey, Signature, Signer, Verifier},
    society::Society,
};

/// The hash of a leaf (RFC 6962, section 2.1).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], entry])
}

fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[1], &left.0, &right.0])
}

/// The right edge of the tree: the roots of its perfect subtrees, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Frontier {
    #[n(0)]
    size: u64,
    #[n(1)]
    peaks: Vec<Digest>,
}

impl Frontier {
    /// Leaves in the tree.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds one leaf.
    pub fn append(&mut self, leaf: Digest) {
        let mut hash = leaf;
        // Each trailing one bit of the size is a perfect subtree that the new leaf completes.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root hash; that of the empty tree is the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev().copied();
        match peaks.next() {
            None => Digest::of(&[]),
            Some(last) => peaks.fold(last, |right, left| node_hash(&left, &right)),
        }
    }
}

/// The head of a journal at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The Society whose journal it is.
    pub society: Society,
    /// Entries in it.
    pub size: u64,
    /// Root hash over them.
    pub root: Digest,
}

impl Checkpoint {
    /// The name of the log and of its key: the trust domain and "journal".
    fn origin(&self) -> String {
        format!("{}/journal", self.society.trust_domain())
    }

    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin(), self.size, BASE64.encode(self.root.0))
    }

    /// The checkpoint as a signed note.
    #[must_use]
    pub fn sign(&self, signer: &dyn Signer) -> String {
        let text = self.text();
        let signature = signer.sign(text.as_bytes());
        let mut blob = key_hash(&self.origin(), &signer.public_key()).to_vec();
        blob.extend_from_slice(&signature.0);
        format!("{text}\n\u{2014} {} {}\n", self.origin(), BASE64.encode(blob))
    }

    /// Reads a signed note of `society` and verifies it against `keys`; `None` when it is not one.
    #[must_use]
    pub fn open(note: &str, society: Society, keys: &[PublicKey], verifier: &dyn Verifier) -> Option<Self> {
        let (text, signatures) = note.split_once("\n\n")?;
        let mut lines = text.lines();
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let checkpoint =
            Self { society, size: size.parse().ok()?, root: Digest::parse_bytes(&BASE64.decode(root).ok()?).ok()? };
        if origin != checkpoint.origin() || format!("{text}\n") != checkpoint.text() {
            return None;
        }
        let blob = signatures.lines().find_map(|line| line.strip_prefix(&format!("\u{2014} {origin} ")))?;
        let blob = BASE64.decode(blob).ok()?;
        let (hash, signature) = blob.split_first_chunk::<4>()?;
        let signature = Signature(signature.try_into().ok()?);
        keys.iter()
            .any(|key| key_hash(origin, key) == *hash && verifier.verify(key, checkpoint.text().as_bytes(), &signature))
            .then_some(checkpoint)
    }
}

/// The key hash of a signed note: four bytes of SHA-256 over name, newline, algorithm 1, key.
fn key_hash(name: &str, key: &PublicKey) -> [u8; 4] {
    let Digest([a, b, c, d, ..]) = Digest::of_parts(&[name.as_bytes(), b"\n", &[1], key]);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of RFC 6962, written the long way round.
    fn reference_root(leaves: &[Vec<u8>]) -> Digest {
        match leaves {
            [] => Digest::of(&[]),
            [one] => leaf_hash(one),
            many => {
                let split = many.len().next_power_of_two() / 2;
                node_hash(&reference_root(&many[..split]), &reference_root(&many[split..]))
            }
        }
    }

    #[test]
    fn the_frontier_agrees_with_the_definition_at_every_size() {
        let mut frontier = Frontier::default();
        let mut leaves = Vec::new();
        for n in 0..200_u32 {
            assert_eq!(frontier.root(), reference_root(&leaves), "size {n}");
            let leaf = n.to_be_bytes().to_vec();
            frontier.append(leaf_hash(&leaf));
            leaves.push(leaf);
        }
        assert_eq!(frontier.size(), 200);
    }

    #[test]
    fn roots_are_those_of_the_certificate_transparency_test_vectors() {
        let leaves: [&[u8]; 8] = [
            b"",
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
        ];
        let mut frontier = Frontier::default();
        assert_eq!(frontier.root().to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        for leaf in leaves {
            frontier.append(leaf_hash(leaf));
        }
        assert_eq!(frontier.root().to_string(), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    }
}
