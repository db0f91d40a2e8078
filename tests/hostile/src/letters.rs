//! What peers sign: envelopes and what is in them, receipts, checkpoints, bundles. A fuzzer cannot sign, so that what it
//! makes up is signed here. Touches nothing.

use passerelle_domain::{
    bundle::{Bundle, SignedBundle},
    decide::open,
    digest::Digest,
    entry::Entry,
    envelope::{Attachment, Envelope, FORMAT_VERSION, Kind, Lane, SignedEnvelope},
    fold::{self, Content},
    merkle::Checkpoint,
    parcel::{self, Parcel},
    receipt::{PAYLOAD_TYPE as RECEIPT, SignedReceipt},
    refusal::Refusal,
    signing::{PublicKey, Signer as _, pae},
    society::Society,
};
use passerelle_node::trust::{Ed25519Verifier, bundle_from_json, bundle_to_json};

use super::{base, tells_nothing};

/// Parcels, envelopes and entries as they come, unsigned. What is read is written again as the same bytes.
pub(super) fn parcel(bytes: &[u8]) {
    if let Ok(Some((length, read))) = parcel::take_varint(bytes) {
        assert!(read <= bytes.len() && length < 1 << 35);
    }
    match parcel::read(bytes) {
        Ok(Parcel::Whole(envelope, attachment)) => {
            let _ = Envelope::parse(&envelope.payload);
            let again = parcel::write(&envelope, &attachment);
            let read = unframed(&again).map(parcel::read);
            assert_eq!(read, Some(Ok(Parcel::Whole(envelope, attachment))), "a parcel reads back");
        }
        Ok(Parcel::Expired(digest)) => {
            let again = parcel::write_expired(&digest);
            assert_eq!(unframed(&again).map(parcel::read), Some(Ok(Parcel::Expired(digest))));
        }
        Err(refusal) => tells_nothing(&refusal),
    }
    let _ = Envelope::parse(bytes);
    if let Ok(signed) = SignedEnvelope::from_object(bytes) {
        assert_eq!(SignedEnvelope::from_object(&signed.to_object()), Ok(signed));
    }
    if let Ok(entry) = Entry::from_bytes(bytes) {
        assert_eq!(Entry::from_bytes(&entry.to_bytes()), Ok(entry));
    }
}

/// A parcel without the length before it.
fn unframed(stream: &[u8]) -> Option<&[u8]> {
    let (length, read) = parcel::take_varint(stream).ok()??;
    let parcel = stream.get(read..)?;
    (parcel.len() as u64 == length).then_some(parcel)
}

/// An envelope of the peer's for us, of the kind and with what its first two bytes say, signed.
pub(super) fn letter(head: [u8; 2], body: &[u8]) -> (SignedEnvelope, Vec<u8>) {
    let [kind, flags] = head;
    let kind = Kind::ALL[usize::from(kind) % Kind::ALL.len()];
    let attachment = if flags & 1 == 1 { vec![flags; 100] } else { Vec::new() };
    let named = Attachment { digest: Digest::of(&attachment), bytes: attachment.len() as u64 };
    let envelope = Envelope {
        version: FORMAT_VERSION,
        id: base::envelope_id(body, flags),
        origin: base::peer(),
        recipients: vec![base::own()],
        kind,
        lane: Lane::ALL[usize::from(flags >> 1) % Lane::ALL.len()],
        created_at: base::NOW,
        expires_at: (flags & 0x80 != 0).then_some(base::NOW),
        body: body.to_vec().into(),
        attachment: (!attachment.is_empty()).then_some(named),
    };
    (envelope.sign(base::key()), attachment)
}

/// The kind and flags of an envelope, and its body. What is accepted is written again and read as the same.
pub(super) fn letters(bytes: &[u8]) {
    let Some((head, body)) = bytes.split_first_chunk::<2>() else { return };
    let (signed, attachment) = letter(*head, body);
    let stream = parcel::write(&signed, &attachment);
    let parcel = unframed(&stream).unwrap_or_default();
    let keys = |_: Society| -> Vec<PublicKey> { vec![base::key().public_key()] };
    let opened = open(parcel, &keys, &Ed25519Verifier);
    let outcome = opened.map(|(opened, behind)| {
        assert_eq!(opened.digest, signed.digest());
        (opened.outcome, behind)
    });
    match outcome {
        Ok((Ok(letter), behind)) => {
            assert_eq!(behind, attachment);
            assert_eq!(letter.signed, signed);
            same_again(&letter.envelope, &letter.content);
            let _ = fold::Residue::of(&letter.content).map(|residue| {
                let stored = residue.to_stored();
                assert_eq!(fold::Residue::from_stored(&stored), Ok(Some(residue)));
            });
        }
        Ok((Err(refusal), _)) => tells_nothing(&refusal),
        Err(refusal) => unreachable!("our own parcel is one: {refusal:?}"),
    }
}

/// What was read, written and read again, is the same.
fn same_again(envelope: &Envelope, content: &Content) {
    let Some(body) = written(content) else { return };
    let again = Envelope { body: body.clone().into(), ..envelope.clone() };
    let read: Result<Content, Refusal> = fold::of_envelope(&again);
    assert_eq!(read.ok().as_ref().and_then(written), Some(body), "{} reads back", envelope.kind);
}

fn written(content: &Content) -> Option<Vec<u8>> {
    Some(match content {
        Content::Alert(alert) => alert.to_cbor(),
        Content::Cancel(cancel) => cancel.to_cbor(),
        Content::Ack(ack) => ack.to_cbor(),
        Content::Redact(redact) => redact.to_cbor(),
        Content::Erased(erased) => erased.to_cbor(),
        Content::Offer(offer) => offer.to_cbor(),
        Content::Answer(answer) => answer.to_cbor(),
        Content::Release(release) => release.to_cbor(),
        Content::Step(step) => step.to_cbor(),
        Content::Split(split) => split.to_cbor(),
        Content::Withdrawal(message) => message.to_cbor(),
        Content::Rights(message) => message.to_cbor(),
        _ => return None,
    })
}

/// The content of a receipt.
pub(super) fn receipt(bytes: &[u8]) {
    let signature = base::key().sign(&pae(RECEIPT, bytes));
    let signed = SignedReceipt { content: bytes.to_vec().into(), signature };
    let receipt = match signed.open(&[base::key().public_key()], &Ed25519Verifier) {
        Ok(receipt) => receipt,
        Err(refusal) => return tells_nothing(&refusal),
    };
    let again = receipt.sign(base::key());
    assert_eq!(again.read().as_ref(), Ok(&receipt), "a receipt reads back");
    if let Some(brief) = receipt.brief(&again) {
        let restored = brief.restore(receipt.by, receipt.to, receipt.hash);
        assert_eq!(restored, again, "nothing is lost in brief");
    }
}

/// A checkpoint: as it comes, and its text signed.
pub(super) fn checkpoint(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (own, key) = (base::own(), base::key());
    let open = |note: &str| Checkpoint::open(note, own, &[key.public_key()], &Ed25519Verifier);
    if let Some(checkpoint) = open(text) {
        assert_eq!(open(&checkpoint.sign(key)), Some(checkpoint), "a checkpoint reads back");
    }
    // What is signed is taken only in the one form in which it is written.
    let note = base::note(text);
    if let Some(checkpoint) = open(&note).filter(|_| !text.contains("\n\n")) {
        assert_eq!(checkpoint.sign(key), note, "a checkpoint has one form");
    }
}

/// The payload of a bundle.
pub(super) fn bundle(bytes: &[u8]) {
    let bundle = match Bundle::parse(bytes) {
        Ok(bundle) => bundle,
        Err(refusal) => return tells_nothing(&refusal),
    };
    assert_eq!(bundle.payload(), bytes, "one bundle, one sequence of bytes");
    let fingerprint = bundle.fingerprint();
    assert!(fingerprint.matches(&fingerprint.words().join(" ")));
    let signed = SignedBundle::sign(bundle, &[base::key()]);
    let _ = signed.accept(None, &Ed25519Verifier);
    let again = bundle_from_json(bundle_to_json(&signed).as_bytes());
    assert_eq!(again.as_ref(), Ok(&signed), "an invitation reads back");
    // Roots come in bundles too: they are read when a peer is added.
    base::trusts(&signed);
}

/// An invitation: the file in which a bundle travels.
pub(super) fn invitation(bytes: &[u8]) {
    match bundle_from_json(bytes) {
        Ok(signed) => {
            let _ = signed.accept(None, &Ed25519Verifier).map_err(|refusal| tells_nothing(&refusal));
            assert_eq!(bundle_from_json(bundle_to_json(&signed).as_bytes()).as_ref(), Ok(&signed));
        }
        Err(refusal) => tells_nothing(&refusal),
    }
}
