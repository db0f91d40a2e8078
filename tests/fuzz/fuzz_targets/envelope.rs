//! What a peer sends over a link: parcels, envelopes and entries. What is read is written again as the same bytes.
//! Touches nothing outside the process.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passerelle_domain::{
    entry::Entry,
    envelope::{Envelope, SignedEnvelope},
    parcel::{self, Parcel},
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some((length, read))) = parcel::take_varint(bytes) {
        assert!(read <= bytes.len() && length < 1 << 35);
    }
    if let Ok(Parcel::Whole(envelope, attachment)) = parcel::read(bytes) {
        let _ = Envelope::parse(&envelope.payload);
        let again = parcel::write(&envelope, &attachment);
        let (_, read) = parcel::take_varint(&again).expect("our own length").expect("a length");
        assert_eq!(parcel::read(&again[read..]), Ok(Parcel::Whole(envelope, attachment)));
    }
    let _ = Envelope::parse(bytes);
    let _ = SignedEnvelope::from_object(bytes);
    if let Ok(entry) = Entry::from_bytes(bytes) {
        assert_eq!(Entry::from_bytes(&entry.to_bytes()).map(|again| again.to_bytes()), Ok(entry.to_bytes()));
    }
});
