//! What is about a person: packages, consent records and their events, requests, cards. It comes sealed or signed, so that
//! a fuzzer's bytes are given where the seal is open. Touches nothing.

use passerelle_domain::{
    consent::{ConsentEvent, ConsentRecord},
    handover::{GroupSplit, Offer, Package},
    refusal::Refusal,
    rights::{CardSecret, RightsMessage, SubjectRequest},
    withdrawal::WithdrawalMessage,
};

use super::{CANARY, tells_nothing};

/// The kind by the first byte. What is read and written again is the same; neither a refusal nor Debug tells of it.
pub(super) fn person(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 8 {
        0 => package(bytes),
        1 => same(bytes, ConsentRecord::from_cbor, |record| record.to_cbor().to_vec()),
        2 => same(bytes, ConsentEvent::from_cbor, ConsentEvent::to_cbor),
        3 => same(bytes, SubjectRequest::from_cbor, SubjectRequest::to_cbor),
        4 => same(bytes, CardSecret::from_cbor, CardSecret::to_cbor),
        5 => same(bytes, RightsMessage::from_cbor, RightsMessage::to_cbor),
        6 => same(bytes, WithdrawalMessage::from_cbor, WithdrawalMessage::to_cbor),
        _ => {
            same(bytes, Offer::from_cbor, Offer::to_cbor);
            same(bytes, GroupSplit::from_cbor, GroupSplit::to_cbor);
        }
    }
}

fn same<T>(bytes: &[u8], read: impl Fn(&[u8]) -> Result<T, Refusal>, write: impl Fn(&T) -> Vec<u8>) {
    match read(bytes) {
        Ok(value) => {
            let written = write(&value);
            let again = read(&written).map(|value| write(&value));
            assert_eq!(again, Ok(written), "it reads back");
        }
        Err(refusal) => tells_nothing(&refusal),
    }
}

fn package(bytes: &[u8]) {
    let package = match Package::from_cbor(bytes) {
        Ok(package) => package,
        Err(refusal) => return tells_nothing(&refusal),
    };
    let again = package.to_cbor().and_then(|bytes| Package::from_cbor(&bytes));
    assert_eq!(again.as_ref(), Ok(&package), "a package reads back");
    if let Err(refusal) = package.check_texts() {
        tells_nothing(&refusal);
    }
    assert!(!format!("{package:?}").contains(CANARY), "Debug tells of a person");
    let _ = package.sections();
    // As an operator reads it.
    let json = serde_json::to_string(&package);
    assert!(json.is_ok(), "a package becomes JSON");
}
