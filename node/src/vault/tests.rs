//! The vault keeps, binds and erases.

use std::{fs, os::unix::fs::PermissionsExt as _};

use passerelle_domain::{ids::IdEntropy, time::Time};

use super::*;
use crate::trust::{Seed, tests::fill};

/// Stands for personal data: must be found nowhere on the disk.
const NAME: &[u8] = b"a name that no file may hold";
const AAD: &[u8] = b"SN to GM, handover 1";

fn case(number: u8) -> CaseId {
    CaseId::new(Time::from_millis(1_000), IdEntropy::from([number; 10]))
}

fn vault(root: &Path) -> Vault {
    Vault::open(root, Arc::new(fill)).expect("opens")
}

/// A package in one piece.
fn put(vault: &Vault, case: CaseId, package: &[u8]) -> Result<PackageRef, Refusal> {
    vault.put_package(case, package, &Parts::whole(package))
}

/// What of a package is not sealed apart.
fn get(vault: &Vault, case: CaseId, commitment: Digest) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let mut opened = vault.get_package(case, commitment, &|_| false)?;
    Ok(opened.parts.pop().unwrap_or_default())
}

fn whole(package: &[u8]) -> Result<Parts, Refusal> {
    Ok(Parts::whole(package))
}

fn sealing_key(number: u8) -> SealingKey {
    SealingKey::from_seed(&Seed::new([number; 32])).expect("a key")
}

/// Every file below a folder, with its path.
fn files(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).expect("listed") {
        let path = entry.expect("listed").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = fs::read(&path).expect("read");
            found.push((path, bytes));
        }
    }
    found
}

#[test]
fn no_byte_of_a_package_stands_on_the_disk() {
    let home = tempfile::tempdir().expect("a folder");
    let root = home.path().join("vault");
    let vault = vault(&root);
    let package = put(&vault, case(1), NAME).expect("put");
    let evidence = vault.put_evidence(case(1), NAME).expect("put");
    let outgoing = vault.seal_for(case(1), sealing_key(1).public_key(), AAD, NAME).expect("sealed");
    let (here, there) = (get(&vault, case(1), package.commitment), vault.get_evidence(case(1), evidence.commitment));
    assert_eq!((here.expect("got").as_slice(), there.expect("got").as_slice()), (NAME, NAME));
    assert_eq!(package.commitment, Digest::commitment(&package.salt, NAME));
    assert_ne!(package.commitment, evidence.commitment, "the same bytes are not seen to be the same");
    let all = files(&root);
    assert_eq!(all.len(), 4, "three sealed files and a key");
    for (path, bytes) in &all {
        assert_eq!(fs::metadata(path).expect("there").permissions().mode() & 0o777, 0o600);
        for window in [NAME, &NAME[..8], &package.salt, &outgoing.package.salt] {
            assert!(!bytes.windows(window.len()).any(|part| part == window), "{}", path.display());
        }
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        assert!(name.parse::<Digest>().is_ok() || name.parse::<CaseId>().is_ok(), "{name}");
    }
    assert!(!format!("{package:?}").contains(&hex::encode(package.salt)));
}

#[test]
fn an_erased_case_cannot_be_read_even_with_a_copy_of_its_files() {
    let home = tempfile::tempdir().expect("a folder");
    let vault = vault(&home.path().join("vault"));
    let package = put(&vault, case(1), NAME).expect("put").commitment;
    let outgoing = vault.seal_for(case(1), sealing_key(1).public_key(), AAD, NAME).expect("sealed").digest;
    let other = put(&vault, case(2), NAME).expect("put").commitment;
    let backup: Vec<_> =
        files(&home.path().join("vault")).into_iter().filter(|(path, _)| !path.ends_with("keys")).collect();
    assert_eq!(vault.erase_case(case(1)), Ok(true));
    assert_eq!(files(&home.path().join("vault")).len(), 2, "the other case and its key");
    for (path, bytes) in backup.iter().filter(|(path, _)| path.extension().is_none()) {
        fs::write(path, bytes).expect("restored");
    }
    let code = |result: Result<(), Refusal>| result.map_err(|refusal| refusal.code);
    assert_eq!(code(get(&vault, case(1), package).map(drop)), Err(Code::PackageAbsent));
    assert_eq!(code(vault.outgoing(outgoing).map(drop)), Err(Code::PackageAbsent));
    // A new key for the same case does not open it either.
    put(&vault, case(1), b"something else").expect("put");
    assert_eq!(code(get(&vault, case(1), package).map(drop)), Err(Code::VaultFailed));
    assert_eq!(get(&vault, case(2), other).expect("untouched").as_slice(), NAME);
    assert_eq!((vault.erase_case(case(1)), vault.erase_case(case(1))), (Ok(true), Ok(false)));
}

#[test]
fn a_package_reaches_its_recipient_and_nobody_else() {
    let home = tempfile::tempdir().expect("a folder");
    let (sender, receiver) = (vault(&home.path().join("sn")), vault(&home.path().join("gm")));
    let (new_key, old_key, stranger) = (sealing_key(3), sealing_key(2), sealing_key(9));
    let outgoing = sender.seal_for(case(1), old_key.public_key(), AAD, NAME).expect("sealed");
    let bytes = sender.outgoing(outgoing.digest).expect("there");
    assert_eq!((bytes.len(), Digest::of(&bytes)), (outgoing.length, outgoing.digest));
    for (story, keys, aad, sealed) in [
        ("a stranger's key", vec![&stranger], AAD, bytes.clone()),
        ("no key", vec![], AAD, bytes.clone()),
        ("another handover", vec![&old_key], b"SN to GM, handover 2".as_slice(), bytes.clone()),
        ("cut short", vec![&old_key], AAD, bytes[..bytes.len() - 1].to_vec()),
    ] {
        let refused = receiver.receive(case(7), &keys, aad, &sealed, &whole);
        assert_eq!(refused.map_err(|r| r.code), Err(Code::BadSeal), "{story}");
    }
    assert_eq!(files(&home.path().join("gm")).len(), 0, "nothing of what was refused is kept");
    let received = receiver.receive(case(7), &[&new_key, &old_key], AAD, &bytes, &whole).expect("received");
    assert_eq!(received, outgoing.package, "both sides hold the same commitment");
    assert_eq!(get(&receiver, case(7), received.commitment).expect("got").as_slice(), NAME);
    assert_eq!(
        (sender.remove_outgoing(outgoing.digest), sender.remove_outgoing(outgoing.digest)),
        (Ok(true), Ok(false))
    );
    assert_eq!(sender.outgoing(outgoing.digest).map_err(|r| r.code), Err(Code::PackageAbsent));
}

#[test]
fn a_file_opens_in_its_own_place_alone() {
    let home = tempfile::tempdir().expect("a folder");
    let vault = vault(home.path().join("vault").as_path());
    let package = put(&vault, case(1), NAME).expect("put").commitment;
    put(&vault, case(2), NAME).expect("put");
    let path = |kind: Kind, name: &str| home.path().join("vault").join(kind.folder()).join(name);
    let original = fs::read(path(Kind::Package, &package.to_string())).expect("read");
    let refusal = |kind: Kind, owner, name| {
        let got = if kind == Kind::Package { get(&vault, owner, name) } else { vault.get_evidence(owner, name) };
        got.map(drop).map_err(|refusal| refusal.code)
    };
    assert_eq!(refusal(Kind::Package, case(2), package), Err(Code::VaultFailed), "another case");
    assert_eq!(refusal(Kind::Package, case(3), package), Err(Code::PackageAbsent), "a case without a key");
    let other = Digest::of(b"other");
    fs::write(path(Kind::Package, &other.to_string()), &original).expect("written");
    assert_eq!(refusal(Kind::Package, case(1), other), Err(Code::VaultFailed), "another name");
    fs::write(path(Kind::Evidence, &package.to_string()), &original).expect("written");
    assert_eq!(refusal(Kind::Evidence, case(1), package), Err(Code::VaultFailed), "another kind");
    for at in [0, 1, 20, 40, original.len() - 1] {
        let mut changed = original.clone();
        changed[at] ^= 1;
        fs::write(path(Kind::Package, &package.to_string()), changed).expect("written");
        assert_eq!(refusal(Kind::Package, case(1), package), Err(Code::VaultFailed), "byte {at} flipped");
    }
    for length in [0, 1, 16, 17, 28, 29, original.len() - 1] {
        fs::write(path(Kind::Package, &package.to_string()), &original[..length]).expect("written");
        assert_eq!(refusal(Kind::Package, case(1), package), Err(Code::VaultFailed), "cut to {length}");
    }
}

#[test]
fn packages_have_their_limit() {
    let home = tempfile::tempdir().expect("a folder");
    let vault = vault(home.path().join("vault").as_path());
    let key = sealing_key(1);
    let largest = vec![7; PACKAGE_BYTES_MAX];
    let outgoing = vault.seal_for(case(1), key.public_key(), AAD, &largest).expect("at the limit");
    let bytes = vault.outgoing(outgoing.digest).expect("there");
    let received = vault.receive(case(2), &[&key], AAD, &bytes, &whole).expect("at the limit");
    assert_eq!(get(&vault, case(2), received.commitment).map(|got| got.len()), Ok(PACKAGE_BYTES_MAX));
    let over = vec![7; PACKAGE_BYTES_MAX + 1];
    let too_large = Some(Code::TooLarge);
    assert_eq!(put(&vault, case(1), &over).err().map(|r| r.code), too_large);
    assert_eq!(vault.put_evidence(case(1), &over).err().map(|r| r.code), too_large);
    assert_eq!(vault.seal_for(case(1), key.public_key(), AAD, &over).err().map(|r| r.code), too_large);
    assert_eq!(
        vault.receive(case(2), &[&key], AAD, &[bytes, vec![0]].concat(), &whole).err().map(|r| r.code),
        too_large
    );
    assert_eq!(vault.seal_for(case(1), b"no key", AAD, NAME).err().map(|r| r.code), Some(Code::BadBundle));
}

#[test]
fn a_start_removes_what_was_never_committed() {
    let home = tempfile::tempdir().expect("a folder");
    let root = home.path().join("vault");
    let (kept, outgoing) = {
        let vault = vault(&root);
        let kept = put(&vault, case(1), NAME).expect("put").commitment;
        put(&vault, case(1), b"uncommitted").expect("put");
        vault.put_evidence(case(2), b"uncommitted, and alone in its case").expect("put");
        (kept, vault.seal_for(case(3), sealing_key(1).public_key(), AAD, NAME).expect("sealed").digest)
    };
    fs::write(root.join("packages/.half.0.tmp"), b"unfinished").expect("written");
    fs::write(root.join("packages/strange"), b"not ours").expect("written");
    let known = HashSet::from([kept, outgoing]);
    fs::remove_file(root.join("keys").join(key_name(case(3)))).expect("as after half an erasure");
    let vault = vault(&root);
    assert_eq!(vault.clean(None, &|digest| known.contains(digest)), Ok(5), "four files and the key of case 2");
    assert_eq!(get(&vault, case(1), kept).expect("kept").as_slice(), NAME);
    assert_eq!(files(&root).len(), 2);
    assert_eq!(vault.clean(None, &|digest| known.contains(digest)), Ok(0));
}

#[test]
fn of_some_cases_alone_nothing_of_the_others_is_removed() {
    let home = tempfile::tempdir().expect("a folder");
    let root = home.path().join("vault");
    let vault = vault(&root);
    let named = put(&vault, case(1), NAME).expect("put").commitment;
    put(&vault, case(1), b"named by nothing").expect("put");
    put(&vault, case(2), b"named by nothing").expect("put");
    let other = put(&vault, case(3), b"named by nothing yet").expect("put").commitment;
    fs::write(root.join("packages/strange"), b"not ours").expect("written");
    let among = HashSet::from([case(1), case(2)]);
    assert_eq!(vault.clean(Some(&among), &|name| *name == named), Ok(3), "two files and the key of case 2");
    assert_eq!(get(&vault, case(1), named).expect("kept").as_slice(), NAME);
    assert!(get(&vault, case(3), other).is_ok());
    assert_eq!(files(&root).len(), 5);
}

#[test]
fn a_vault_belongs_to_the_journal_that_began_it_and_an_empty_one_to_whoever_asks() {
    let home = tempfile::tempdir().expect("a folder");
    let root = home.path().join("vault");
    let (ours, theirs) = (Digest::of(b"our first entry"), Digest::of(b"another first entry"));
    let holder = vault(&root);
    assert_eq!(holder.belonging(theirs), Ok(Belonging::This), "nothing is in it yet");
    assert_eq!(holder.belonging(ours), Ok(Belonging::This), "still nothing");
    let package = put(&holder, case(1), NAME).expect("put").commitment;
    assert_eq!(vault(&root).belonging(ours), Ok(Belonging::This), "over a restart");
    assert_eq!(holder.belonging(theirs), Ok(Belonging::Another));
    for damaged in ["", "half", &"x".repeat(64), &"0".repeat(65)] {
        fs::write(root.join("journal"), damaged).expect("written");
        assert_eq!(holder.belonging(ours), Ok(Belonging::Another), "{damaged:?}");
    }
    fs::remove_file(root.join("journal")).expect("there");
    assert_eq!(holder.belonging(ours), Ok(Belonging::Unsaid), "as a release before wrote it");
    assert_eq!(holder.holds_any(&|name| *name == theirs), Ok(false));
    assert_eq!(holder.holds_any(&|name| *name == package), Ok(true));
    holder.adopt(ours).expect("adopted");
    assert_eq!(holder.belonging(ours), Ok(Belonging::This));
    assert_eq!(get(&holder, case(1), package).expect("kept").as_slice(), NAME);
}

#[test]
fn many_at_once_share_one_key() {
    let home = tempfile::tempdir().expect("a folder");
    let vault = vault(home.path().join("vault").as_path());
    let commitments: Vec<_> = std::thread::scope(|scope| {
        let putting: Vec<_> = (0..8_u8)
            .map(|n| {
                scope.spawn({
                    let vault = &vault;
                    move || put(vault, case(1), &[n; 100]).expect("put").commitment
                })
            })
            .collect();
        putting.into_iter().map(|thread| thread.join().expect("ended")).collect()
    });
    for (n, commitment) in (0_u8..).zip(commitments) {
        assert_eq!(get(&vault, case(1), commitment).expect("got").as_slice(), &[n; 100]);
    }
}

#[test]
fn a_section_sealed_apart_opens_for_who_asks_for_it_alone() {
    let home = tempfile::tempdir().expect("a folder");
    let root = home.path().join("vault");
    let vault = vault(&root);
    let bytes = |text: &[u8]| Zeroizing::new(text.to_vec());
    let (letter, plan) = (b"what the nurse alone reads".as_slice(), b"what keeps the person safe".as_slice());
    let parts = Parts { marked: true, open: bytes(NAME), sealed: vec![(6, bytes(letter)), (8, bytes(plan))] };
    let package = [NAME, letter, plan].concat();
    let kept = vault.put_package(case(1), &package, &parts).expect("put");
    assert_eq!(kept.commitment, Digest::commitment(&kept.salt, &package), "of the whole, as the peer knows it");
    let open = |wanted: &dyn Fn(u16) -> bool| vault.get_package(case(1), kept.commitment, wanted).expect("got");
    for (wanted, expected) in [
        (&(|_| false) as &dyn Fn(u16) -> bool, vec![NAME]),
        (&|section| section == 6, vec![NAME, letter]),
        (&|section| section == 8, vec![NAME, plan]),
        (&|_| true, vec![NAME, letter, plan]),
    ] {
        let opened = open(wanted);
        assert_eq!(opened.parts.iter().map(|part| part.as_slice()).collect::<Vec<_>>(), expected);
        assert_eq!((opened.marked, opened.sealed), (true, vec![6, 8]));
    }
    // Whoever has the key of the case has the open sections; the others are ciphertext to it still.
    let path = root.join("packages").join(kept.commitment.to_string());
    let key = vault.key(case(1)).expect("the key of the case");
    let inside = key.open(Kind::Package, kept.commitment, fs::read(path).expect("read")).expect("opened");
    let holds = |needle: &[u8]| inside.windows(needle.len()).any(|window| window == needle);
    assert!(holds(NAME) && !holds(letter) && !holds(plan));
    // A section sealed for another place does not open: neither as another section nor in another package.
    let sealed = key.seal_section(6, kept.commitment, letter, &fill).expect("sealed");
    assert!(key.open_section(6, kept.commitment, &sealed).is_some());
    assert!(key.open_section(8, kept.commitment, &sealed).is_none());
    assert!(key.open_section(6, Digest::of(b"other"), &sealed).is_none());
    assert_eq!(vault.erase_case(case(1)), Ok(true));
    assert!(vault.get_package(case(1), kept.commitment, &|_| true).is_err());
}
