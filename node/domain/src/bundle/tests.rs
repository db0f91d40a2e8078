//! The canonical bytes, the limits and the chain of versions.

use std::time::Duration;

use super::*;
use crate::signing::{Signature, Signer, Verifier};

/// A keyed digest in the place of Ed25519: enough to tell who signed what.
struct ToyKey(u8);

impl Signer for ToyKey {
    fn sign(&self, message: &[u8]) -> Signature {
        toy_signature(&self.public_key(), message)
    }

    fn public_key(&self) -> PublicKey {
        [self.0; 32]
    }
}

struct ToyVerifier;

impl Verifier for ToyVerifier {
    fn verify(&self, public_key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        toy_signature(public_key, message) == *signature
    }
}

fn toy_signature(key: &PublicKey, message: &[u8]) -> Signature {
    let half = Digest::of_parts(&[key, message]).0;
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&half);
    Signature(bytes)
}

fn content(version: u64, keys: &[u8]) -> BundleContent {
    let valid_from: Time = "2026-11-24T00:00:00Z".parse().expect("a time");
    BundleContent {
        society: "GM".parse().expect("a Society"),
        version,
        valid_from,
        valid_until: valid_from.plus(Duration::from_secs(365 * 86_400)),
        roots: vec![vec![0x30, 0x00].into()],
        signing_keys: keys.iter().map(|key| [*key; 32]).collect(),
        sealing_keys: vec![vec![7; SEALING_KEY_BYTES].into()],
        addresses: vec!["node.redcross.gm:7443".parse().expect("an address")],
    }
}

fn signed(version: u64, keys: &[u8], signers: &[u8]) -> SignedBundle {
    let signers: Vec<_> = signers.iter().map(|key| ToyKey(*key)).collect();
    let signers: Vec<&dyn Signer> = signers.iter().map(|key| key as &dyn Signer).collect();
    SignedBundle::sign(Bundle::new(content(version, keys)).expect("within limits"), &signers)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_canonical_bytes_never_change() {
    let payload = Bundle::new(content(1, &[1, 2])).expect("within limits").payload();
    let sealing_key = hex(&[7; SEALING_KEY_BYTES]);
    let text = hex(&payload).replace(&sealing_key, "<key>");
    let expected = [
        "a8",                   // eight fields
        "0062474d",             // society "GM"
        "0101",                 // version 1
        "021b000001a20ada2c00", // 2026-11-24T00:00:00Z
        "031b000001a9628b5800", // 2027-11-24T00:00:00Z
        "0481423000",           // one root
        &format!("0582{}{}", "5820".to_owned() + &"01".repeat(32), "5820".to_owned() + &"02".repeat(32)),
        "06815904c0<key>", // one sealing key of 1,216 bytes
        "078175",          // one address of 21 bytes
        &hex(b"node.redcross.gm:7443"),
    ];
    assert_eq!(text, expected.concat());
    assert_eq!(Bundle::parse(&payload).map(|b| b.payload()), Ok(payload));
}

#[test]
fn every_field_has_its_limit() {
    type Change = fn(&mut BundleContent);
    let cases: [(&str, Code, Change); 12] = [
        ("version", Code::BadBundle, |b| b.version = 0),
        ("valid_until", Code::BadBundle, |b| b.valid_until = b.valid_from),
        ("roots", Code::BadBundle, |b| b.roots.clear()),
        ("roots", Code::TooLarge, |b| b.roots = vec![Vec::new().into()]),
        ("roots", Code::TooLarge, |b| b.roots = vec![vec![0; ROOT_BYTES_MAX + 1].into()]),
        ("roots", Code::TooMany, |b| b.roots = (0..9_u8).map(|n| vec![n].into()).collect()),
        ("signing_keys", Code::BadBundle, |b| b.signing_keys.clear()),
        ("signing_keys", Code::BadBundle, |b| b.signing_keys = vec![[1; 32], [1; 32]]),
        ("signing_keys", Code::TooMany, |b| b.signing_keys = (0..9).map(|n| [n; 32]).collect()),
        ("sealing_keys", Code::BadBundle, |b| b.sealing_keys.clear()),
        ("sealing_keys", Code::BadBundle, |b| b.sealing_keys = vec![vec![7; SEALING_KEY_BYTES - 1].into()]),
        ("addresses", Code::TooMany, |b| {
            b.addresses = (1..10).map(|n| format!("h:{n}").parse().expect("an address")).collect();
        }),
    ];
    for (field, code, change) in cases {
        let mut changed = content(1, &[1]);
        change(&mut changed);
        let refusal = Bundle::new(changed).expect_err("past a limit");
        assert_eq!((refusal.code, refusal.field.as_deref()), (code, Some(field)), "{}", refusal.message);
    }
    let mut full = content(1, &[1, 2, 3, 4, 5, 6, 7, 8]);
    full.roots = (0..8_u8).map(|n| vec![n; ROOT_BYTES_MAX].into()).collect();
    full.addresses.clear();
    let full = Bundle::new(full).expect("at the limits");
    assert!(Bundle::parse(&full.payload()).is_ok());
}

#[test]
fn a_payload_is_canonical_or_refused() {
    let payload = Bundle::new(content(1, &[1])).expect("within limits").payload();
    let mut trailing = payload.clone();
    trailing.push(0);
    // The same number, written longer than it need be.
    let mut long_version = payload.clone();
    let at = payload.windows(2).position(|pair| pair == [0x01, 0x01]).expect("the version");
    long_version.splice(at + 1..at + 2, [0x18, 0x01]);
    for foreign in [Vec::new(), vec![0xff; 40], payload[..payload.len() - 1].to_vec(), trailing, long_version] {
        assert_eq!(
            Bundle::parse(&foreign).map_err(|r| r.code),
            Err(Code::BadBundle),
            "{}",
            hex(&foreign[..4.min(foreign.len())])
        );
    }
    assert_eq!(Bundle::parse(&vec![0; BUNDLE_BYTES_MAX + 1]).map_err(|r| r.code), Err(Code::TooLarge));
}

#[test]
fn versions_follow_each_other_by_signature() {
    let first = signed(1, &[1], &[1]);
    let known = signed(3, &[3, 2], &[3, 2]);
    let other_society = {
        let mut content = content(4, &[3]);
        content.society = "ML".parse().expect("a Society");
        SignedBundle::sign(Bundle::new(content).expect("within limits"), &[&ToyKey(3)])
    };
    let cases = [
        ("the known one again", known.clone(), Ok(Accepted::Same)),
        ("signed by the newest known key", signed(4, &[3, 2], &[3]), Ok(Accepted::Next)),
        ("a new key, vouched for by the old one", signed(4, &[4, 3], &[4, 3]), Ok(Accepted::Next)),
        ("an older known key vouches as well", signed(4, &[4], &[4, 2]), Ok(Accepted::Next)),
        ("versions left out", signed(9, &[4, 3], &[4, 3]), Ok(Accepted::Next)),
        ("the new key was not at hand", signed(4, &[4, 3], &[3]), Err(Code::BadBundle)),
        ("signed by the new key alone", signed(4, &[4], &[4]), Err(Code::BadBundle)),
        ("a key that was retired before", signed(4, &[4], &[4, 1]), Err(Code::BadBundle)),
        ("not signed", signed(4, &[3], &[]), Err(Code::BadBundle)),
        ("an older version", signed(2, &[2], &[2, 3]), Err(Code::StaleBundle)),
        ("the first version again", first.clone(), Err(Code::StaleBundle)),
        ("other content under the same version", signed(3, &[3], &[3]), Err(Code::BadBundle)),
        ("another Society", other_society, Err(Code::WrongSociety)),
    ];
    for (story, offered, expected) in cases {
        let verdict = offered.accept(Some(known.bundle()), &ToyVerifier).map_err(|r| r.code);
        assert_eq!(verdict, expected, "{story}");
    }
}

#[test]
fn a_first_bundle_proves_its_key_and_is_left_to_a_person() {
    let first = signed(1, &[1], &[1]);
    let fingerprint = first.bundle().fingerprint();
    assert_eq!(first.accept(None, &ToyVerifier), Ok(Accepted::First(fingerprint)));
    assert!(signed(5, &[5, 4], &[4, 5]).accept(None, &ToyVerifier).is_ok());
    for (story, bundle) in [("unsigned", signed(1, &[1], &[])), ("by another key", signed(1, &[1], &[2]))] {
        assert_eq!(bundle.accept(None, &ToyVerifier).map_err(|r| r.code), Err(Code::BadBundle), "{story}");
    }
    let mut forged = first.signatures().to_vec();
    forged[0].signature.0[0] ^= 1;
    let forged = SignedBundle::parse(first.payload().to_vec(), forged).expect("parses");
    assert_eq!(forged.accept(None, &ToyVerifier).map_err(|r| r.code), Err(Code::BadBundle));
    let many = vec![first.signatures()[0].clone(); 9];
    assert_eq!(SignedBundle::parse(first.payload().to_vec(), many).map_err(|r| r.code), Err(Code::TooMany));
}

#[test]
fn a_fingerprint_is_twelve_words_that_people_can_type() {
    // BIP-39's own vector for 128 zero bits: eleven times "abandon"; the checksum word is not ours.
    assert_eq!(Fingerprint(Digest([0; 32])).words(), ["abandon"; 12]);
    assert_eq!(Fingerprint(Digest([0xff; 32])).words(), ["zoo"; 12]);
    let fingerprint = signed(1, &[1], &[1]).bundle().fingerprint();
    let spoken = fingerprint.to_string();
    let short: Vec<_> = fingerprint.words().iter().map(|word| word[..word.len().min(4)].to_uppercase()).collect();
    assert!(fingerprint.matches(&spoken) && fingerprint.matches(&short.join(", ")));
    for wrong in ["", &spoken[1..], &format!("{spoken} zoo"), &spoken.replacen(fingerprint.words()[0], "zoo", 1)] {
        assert!(!fingerprint.matches(wrong), "{wrong}");
    }
    assert_ne!(fingerprint, signed(2, &[1], &[1]).bundle().fingerprint());
}

#[test]
fn addresses_are_a_host_and_a_port() {
    for (text, host, port) in [
        ("node.example.org:7443", "node.example.org", 7443),
        ("192.0.2.7:1", "192.0.2.7", 1),
        ("[2001:db8::7]:65535", "2001:db8::7", 65_535),
    ] {
        let address: Address = text.parse().expect("an address");
        assert_eq!((address.host(), address.port(), address.to_string().as_str()), (host, port, text));
    }
    let long = format!("{}:1", "a.".repeat(127) + "a");
    for text in [
        "",
        ":",
        "host",
        ":7443",
        "host:",
        "host:0",
        "host:65536",
        "host:+1",
        "host:01",
        "http://host:1",
        "h ost:1",
        "-a:1",
        "a..b:1",
        "::1:80",
        "[::1]",
        "[host]:1",
        "1.2.3:4",
        "1.2.3.256:4",
        "a@b:1",
        "é:1",
        &long,
    ] {
        assert_eq!(text.parse::<Address>().map_err(|r| r.code), Err(Code::Malformed), "{text}");
    }
}
