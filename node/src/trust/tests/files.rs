//! The trust folder, bundle files and renewal.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use passerelle_domain::{
    bundle::{Accepted, SignedBundle},
    refusal::Code,
    signing::{Signer as _, Verifier as _},
};

use super::*;
use crate::trust::{
    Ed25519Verifier, PeerBundles, Seed, SigningKey, TrustFolder, bundle_from_json, bundle_to_json, files::io_refusal,
};

fn init(root: &Path, code: &str) -> crate::trust::InitReport {
    let addresses = vec!["node.example.org:7443".parse().expect("an address")];
    TrustFolder::init(root, code.parse().expect("a Society"), addresses, start(), &fill).expect("made")
}

#[test]
fn init_makes_a_node_whose_secrets_are_its_own() {
    let home = tempfile::tempdir().expect("a folder");
    let root = home.path().join("data");
    let report = init(&root, "SN");
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join("trust")).expect("listed") {
        let entry = entry.expect("listed");
        assert_eq!(entry.metadata().expect("there").permissions().mode() & 0o777, 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().expect("text"));
    }
    names.sort_unstable();
    let expected =
        ["bundle.json", "node.key.pem", "node.pem", "root.key.pem", "root.pem", "sealing.key", "signing.key"];
    assert_eq!(names, expected);
    for folder in [&root, &root.join("trust")] {
        assert_eq!(fs::metadata(folder).expect("there").permissions().mode() & 0o777, 0o700, "{folder:?}");
    }
    let (_, trust) = TrustFolder::open(&root).expect("opens");
    assert_eq!(trust.bundle.accept(None, &Ed25519Verifier), Ok(Accepted::First(report.fingerprint)));
    assert_eq!((trust.identity.society(), trust.identity.not_after()), (report.society, report.certificate_ends));
    let signature = trust.signing.sign(b"x");
    assert!(Ed25519Verifier.verify(&trust.bundle.bundle().signing_keys[0], b"x", &signature));
    let handed_out = fs::read(&report.bundle).expect("read");
    assert_eq!(bundle_from_json(&handed_out), Ok(trust.bundle.clone()));
    assert!(!format!("{trust:?}{report:?}").contains("PRIVATE"));
}

#[test]
fn init_never_overwrites_and_gets_over_an_earlier_one_that_was_cut_short() {
    let home = tempfile::tempdir().expect("a folder");
    let root = home.path().join("data");
    init(&root, "SN");
    let before = fs::read(root.join("trust/signing.key")).expect("read");
    let again = TrustFolder::init(&root, "GM".parse().expect("a Society"), Vec::new(), start(), &fill);
    assert_eq!(again.map(|_| ()).map_err(|r| r.code), Err(Code::DataFolderInUse));
    assert_eq!(fs::read(root.join("trust/signing.key")).expect("read"), before);
    fs::rename(root.join("trust"), root.join("trust.new")).expect("renamed");
    fs::remove_file(root.join("trust.new/bundle.json")).expect("removed");
    init(&root, "SN");
    assert!(TrustFolder::open(&root).is_ok() && !root.join("trust.new").exists());
}

#[test]
fn a_trust_folder_that_does_not_hang_together_is_not_opened() {
    type Harm = fn(&Path);
    let cases: [(&str, Code, Harm); 8] = [
        ("a key that others can read", Code::StoreFailed, |trust| {
            fs::set_permissions(trust.join("signing.key"), fs::Permissions::from_mode(0o640)).expect("set");
        }),
        ("a folder that others can enter", Code::StoreFailed, |trust| {
            fs::set_permissions(trust, fs::Permissions::from_mode(0o750)).expect("set");
        }),
        ("a missing key", Code::StoreFailed, |trust| fs::remove_file(trust.join("sealing.key")).expect("removed")),
        ("another signing key", Code::MalformedFile, |trust| {
            fs::write(trust.join("signing.key"), format!("ed25519-seed:{}\n", "01".repeat(32))).expect("written");
        }),
        ("keys exchanged", Code::MalformedFile, |trust| {
            fs::copy(trust.join("sealing.key"), trust.join("signing.key")).expect("copied");
        }),
        ("another node key", Code::MalformedFile, |trust| {
            fs::copy(trust.join("root.key.pem"), trust.join("node.key.pem")).expect("copied");
        }),
        ("a damaged certificate", Code::MalformedFile, |trust| {
            fs::write(trust.join("node.pem"), "no certificate").expect("written");
        }),
        ("a damaged bundle", Code::MalformedFile, |trust| {
            let bundle = fs::read_to_string(trust.join("bundle.json")).expect("read");
            fs::write(trust.join("bundle.json"), bundle.replacen("\"sig\": \"", "\"sig\": \"AAAA", 1))
                .expect("written");
        }),
    ];
    for (story, code, harm) in cases {
        let home = tempfile::tempdir().expect("a folder");
        let root = home.path().join("data");
        init(&root, "SN");
        harm(&root.join("trust"));
        let refusal = TrustFolder::open(&root).expect_err(story);
        assert_eq!(refusal.code, code, "{story}: {}", refusal.message);
    }
}

#[test]
fn a_certificate_renews_itself_from_a_third_of_its_life_left() {
    let home = tempfile::tempdir().expect("a folder");
    let root = home.path().join("data");
    init(&root, "SN");
    let (folder, trust) = TrustFolder::open(&root).expect("opens");
    let day = Duration::from_secs(86_400);
    for (days, due) in [(0, false), (59, false), (61, true), (200, true)] {
        let now = start().plus(day * days);
        let renewed = folder.renew_if_due(&trust.identity, now, &fill).expect("renewed or not due");
        assert_eq!(renewed.is_some(), due, "after {days} days");
        if let Some(identity) = renewed {
            assert_eq!(identity.not_after(), now.plus(LEAF_LIFE));
            let (_, reopened) = TrustFolder::open(&root).expect("opens with the key that it had");
            assert_eq!(reopened.identity.not_after(), identity.not_after());
        }
    }
    fs::remove_file(root.join("trust/root.key.pem")).expect("taken off the node");
    let refused = folder.renew_if_due(&trust.identity, start().plus(day * 61), &fill);
    assert_eq!(refused.map(|_| ()).map_err(|r| r.code), Err(Code::StoreFailed), "it does not pass in silence");
}

#[test]
fn the_authority_names_operators_and_keeps_to_its_own_key() {
    let sn = Party::new("SN");
    assert!(tls::society_of_node("spiffe://sn.sahelplus/node").is_some());
    for id in
        ["", "spiffe://sn.sahelplus/node/", "spiffe://SN.sahelplus/node", "spiffe://s", "https://sn.sahelplus/node"]
    {
        assert!(tls::society_of_node(id).is_none(), "{id}");
    }
    for name in ["", "Awa", "a/b", "é", &"a".repeat(65)] {
        let refused = sn.authority.issue_operator(name, start(), LEAF_LIFE, &fill);
        assert_eq!(refused.map(|_| ()).map_err(|r| r.code), Err(Code::Malformed), "{name}");
    }
    assert!(sn.authority.issue_operator(&"a".repeat(64), start(), LEAF_LIFE, &fill).is_ok());
    let other = Party::new("SN");
    let mixed = Authority::from_pem(sn.society, sn.authority.root_pem(), &other.authority.key_pem());
    assert_eq!(mixed.map(|_| ()).map_err(|r| r.code), Err(Code::MalformedFile));
}

fn signed(party: &Party, key: &SigningKey) -> SignedBundle {
    let mut content = BundleContent::clone(&party.bundle());
    content.signing_keys = vec![key.public_key()];
    SignedBundle::sign(Bundle::new(content).expect("within limits"), &[key])
}

#[test]
fn a_bundle_file_is_a_dsse_envelope_and_nothing_else() {
    let key = SigningKey::from_seed(&Seed::new([5; 32])).expect("a key");
    let bundle = signed(&Party::new("GM"), &key);
    let json = bundle_to_json(&bundle);
    assert_eq!(bundle_from_json(json.as_bytes()), Ok(bundle));
    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value["payloadType"], "application/vnd.passerelle.bundle.v1+cbor");
    assert_eq!(value["signatures"][0]["keyid"], hex::encode(key.public_key()));
    for (story, code, text) in [
        ("nothing", Code::BadBundle, String::new()),
        ("not JSON", Code::BadBundle, "x".into()),
        ("another type", Code::BadBundle, json.replace("bundle.v1", "alert.v1")),
        ("an unknown field", Code::BadBundle, json.replacen('{', "{\"more\": 1,", 1)),
        ("not base64", Code::BadBundle, json.replace("\"sig\": \"", "\"sig\": \"!")),
        ("not a key", Code::BadBundle, json.replace("\"keyid\": \"", "\"keyid\": \"0")),
        ("too large", Code::TooLarge, json + &" ".repeat(128 * 1024)),
    ] {
        assert_eq!(bundle_from_json(text.as_bytes()).map_err(|r| r.code), Err(code), "{story}");
    }
}

#[test]
fn peers_stand_in_files_of_their_own_and_one_bad_file_cuts_nobody_else_off() {
    let home = tempfile::tempdir().expect("a folder");
    let key = SigningKey::from_seed(&Seed::new([5; 32])).expect("a key");
    let (gm, ml) = (signed(&Party::new("GM"), &key), signed(&Party::new("ML"), &key));
    let peers = PeerBundles::open(home.path()).expect("made");
    peers.put(&gm).and_then(|()| peers.put(&ml)).expect("written");
    assert_eq!(peers.load().expect("loaded").bundles, [gm.clone(), ml]);
    let folder = home.path().join("peers");
    fs::copy(folder.join("GM.bundle.json"), folder.join("TD.bundle.json")).expect("copied");
    fs::write(folder.join("ML.bundle.json"), "{}").expect("written");
    fs::write(folder.join("notes.txt"), "not a bundle").expect("written");
    let loaded = peers.load().expect("loaded");
    assert_eq!(loaded.bundles, [gm]);
    let refused: Vec<_> = loaded.refused.iter().map(|(name, refusal)| (name.as_str(), refusal.code)).collect();
    assert_eq!(refused, [("ML.bundle.json", Code::BadBundle), ("TD.bundle.json", Code::WrongSociety)]);
    let society = "GM".parse().expect("a Society");
    assert_eq!((peers.remove(society), peers.remove(society)), (Ok(true), Ok(false)));
    assert!(io_refusal(&folder, &std::io::Error::other("x")).message.contains("peers"));
}
