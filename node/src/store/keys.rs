//! Every kind of key in the store, on one page. A key is one letter and fixed-width parts, numbers
//! big-endian, so that a range of keys is a range of meaning. Letters are persisted: they never
//! change and are never used again.
//!
//! | letter | parts | value | lifetime |
//! | --- | --- | --- | --- |
//! | `s` | | schema version, u32 big-endian | for ever, written first |
//! | `m` | | head of the journal ([`HeadRow`](passerelle_domain::rows::HeadRow)) | replaced by every commit |
//! | `n` | | newest checkpoint, a signed note | replaced by every commit |
//! | `w` | | a rebuild of the views is under way | while it is |
//! | `E` | index of the first, 8 | a pack: entries in their order, each with its object where that fits | for ever; an object until retention or erasure |
//! | `o` | entry index, 8; chunk, 4 | part of an object that is too large for a pack | until retention or erasure |
//! | `e` | | entries of schema version 1, one a row | not written any more |
//! | `a` | alert id, 16 | `AlertRow` | view |
//! | `k` | alert id, 16; Society, 2 | `AckRow` | view |
//! | `d` | alert id, 16 | `DraftRow` | view |
//! | `t` | alert id, 16 | `TombstoneRow`: a cancel that came before its alert | view |
//! | `v` | Society, 2; envelope id, 16 | `EnvelopeRow` | view |
//! | `c` | consent id, 16 | `ConsentRow` | view |
//! | `x` | case id, 16 | `CaseRow`: what belongs to a case; once it is erased, its tombstone | view |
//! | `O` | consent id, 16 | `EvidenceRow`: what proves a consent, and where it lies in the vault | view |
//! | `y` | consent id, 16 | `UseRow`: what rests on a consent record, and what was taken back | view |
//! | `D` | handover id, 16 | `ReadsRow`: who read its package | view |
//! | `R` | 1; request id, 16 | `RequestRow`: a request of a person | view |
//! | `Q` | request id, 16 | `CorrectionRow`: what a person asks to be put right, and where it lies in the vault | view |
//! | `R` | 2; code, 7 | `CardRow`: a code on a card | view |
//! | `h` | handover id, 16 | `HandoverRow` | view |
//! | `j` | 1; handover id, 16 | `SafeguardRow` | view |
//! | `j` | 2; case id, 16 | `CaseAgeRow` | view |
//! | `g` | group id, 16 | `GroupRow` | view |
//! | `l` | subject id, 16; kind of hold, 1 | `HoldRow` | view |
//! | `u` | `h`; handover id, 16 | `KeepingRow`: what retention knows of a handover | view |
//! | `u` | `r`; report id, 16 | `ReportRow`: an aggregate report | view |
//! | `u` | `s`; Society, 2 | `SuspensionRow` | view |
//! | `p` | Society, 2 | `PeerRow` | view |
//! | `q` | Society, 2; lane, 1 | `LaneOut` | view |
//! | `T` | Society, 2; lane, 1; position / 16, 8 | 16 `LaneItem`s, see lane_block.rs | view |
//! | `i` | | `LaneItem`s of schema version 1, one a row | not written any more |
//! | `r` | Society, 2; lane, 1 | `LaneIn` | view |
//! | `b` | Society, 2 | `Backoff` | local: not a view, harmless to lose |
//! | `f` | `r` | when something was first removed from an object since the store was last made anew, u64 big-endian | until it is |
//! | `f` | `v` | version of the fold that made the views, u32 big-endian | replaced by every rebuild |
//! | `F` | name of a source, to 64 | `Polls` of node/src/feed: how polling it has gone | local: as `b` |

use passerelle_domain::{
    envelope::Lane,
    handover::{CaseShortCode, GroupId},
    ids::{AlertId, CaseId, ConsentId, EntryIndex, EnvelopeId, HandoverId, ReportId, RequestId},
    retention::HoldKind,
    society::Society,
};

/// A key. The longest has 65 bytes, others 19.
pub type Key = Vec<u8>;

/// The letters of all views: what `rebuild` drops and folds again.
pub const VIEWS: &[u8] = b"akdtvcxyhjglupqTrDROQ";

/// The schema version.
pub const SCHEMA: &[u8] = b"s";
/// The head of the journal.
pub const HEAD: &[u8] = b"m";
/// There while the views are being rebuilt.
pub const REBUILDING: &[u8] = b"w";
/// There once an object was removed or shortened, until the store is made anew: the engine's log may still hold it.
pub const REMOVED: &[u8] = b"fr";
/// The version of the fold by which the views were made, u32 big-endian.
pub const VIEWS_MADE: &[u8] = b"fv";
/// The newest checkpoint.
pub const CHECKPOINT: &[u8] = b"n";

fn key(letter: u8, parts: &[&[u8]]) -> Key {
    let mut key = Vec::with_capacity(19);
    key.push(letter);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

fn lane_byte(lane: Lane) -> [u8; 1] {
    [lane as u8]
}

/// The pack that begins with an entry.
#[must_use]
pub fn pack(first: EntryIndex) -> Key {
    key(b'E', &[&first.0.to_be_bytes()])
}

/// The range of all packs: from, until.
#[must_use]
pub fn packs() -> (Key, Key) {
    all(b'E')
}

/// The index of the first entry in the key of a pack.
#[must_use]
pub fn pack_first(key: &[u8]) -> Option<EntryIndex> {
    let bytes = key.strip_prefix(b"E")?;
    Some(EntryIndex(u64::from_be_bytes(bytes.try_into().ok()?)))
}

/// One chunk of an entry's object.
#[must_use]
pub fn object(index: EntryIndex, chunk: u32) -> Key {
    key(b'o', &[&index.0.to_be_bytes(), &chunk.to_be_bytes()])
}

/// An alert.
#[must_use]
pub fn alert(id: AlertId) -> Key {
    key(b'a', &[&id.bytes()])
}

/// A Society's acknowledgement of an alert.
#[must_use]
pub fn ack(id: AlertId, society: Society) -> Key {
    key(b'k', &[&id.bytes(), &society.bytes()])
}

/// The range of all acknowledgements of an alert: from, until.
#[must_use]
pub fn acks(id: AlertId) -> (Key, Key) {
    (key(b'k', &[&id.bytes()]), key(b'k', &[&id.bytes(), &[0xff]]))
}

/// A draft of an alert.
#[must_use]
pub fn draft(id: AlertId) -> Key {
    key(b'd', &[&id.bytes()])
}

/// A cancel that came before its alert.
#[must_use]
pub fn tombstone(id: AlertId) -> Key {
    key(b't', &[&id.bytes()])
}

/// An envelope that took effect.
#[must_use]
pub fn envelope(origin: Society, id: EnvelopeId) -> Key {
    key(b'v', &[&origin.bytes(), &id.bytes()])
}

/// A consent record.
#[must_use]
pub fn consent(id: ConsentId) -> Key {
    key(b'c', &[&id.bytes()])
}

/// The evidence of a consent record.
#[must_use]
pub fn evidence(id: ConsentId) -> Key {
    key(b'O', &[&id.bytes()])
}

/// What rests on a consent record.
#[must_use]
pub fn uses(id: ConsentId) -> Key {
    key(b'y', &[&id.bytes()])
}

/// A local case.
#[must_use]
pub fn case(id: CaseId) -> Key {
    key(b'x', &[&id.bytes()])
}

/// A handover.
#[must_use]
pub fn handover(id: HandoverId) -> Key {
    key(b'h', &[&id.bytes()])
}

/// What stands around a handover.
#[must_use]
pub fn safeguard(id: HandoverId) -> Key {
    key(b'j', &[&[1], &id.bytes()])
}

/// The range of what stands around all handovers: from, until.
#[must_use]
pub fn safeguards() -> (Key, Key) {
    (vec![b'j', 1], vec![b'j', 2])
}

/// The handover in a key of [`safeguards`].
#[must_use]
pub fn safeguarded(key: &[u8]) -> Option<HandoverId> {
    key.get(2..18)?.try_into().ok().map(HandoverId::from_bytes)
}

/// The age of the person of a case.
#[must_use]
pub fn case_age(case: CaseId) -> Key {
    key(b'j', &[&[2], &case.bytes()])
}

/// A group.
#[must_use]
pub fn group(id: GroupId) -> Key {
    key(b'g', &[&id.bytes()])
}

/// A hold of one kind over a subject.
#[must_use]
pub fn hold(subject: EnvelopeId, kind: HoldKind) -> Key {
    key(b'l', &[&subject.bytes(), &[kind as u8]])
}

/// The subject and the kind in the key of a hold.
#[must_use]
pub fn hold_of(key: &[u8]) -> Option<(EnvelopeId, HoldKind)> {
    let kind = HoldKind::from_number(u16::from(*key.get(17)?))?;
    Some((EnvelopeId::from_bytes(id_bytes(key)?), kind))
}

/// What retention knows of a handover.
#[must_use]
pub fn keeping(id: HandoverId) -> Key {
    key(b'u', &[b"h", &id.bytes()])
}

/// Who read the package of a handover.
#[must_use]
pub fn reads(id: HandoverId) -> Key {
    key(b'D', &[&id.bytes()])
}

/// A request of a person.
#[must_use]
pub fn request(id: RequestId) -> Key {
    key(b'R', &[&[1], &id.bytes()])
}

/// The correction of a request.
#[must_use]
pub fn correction(id: RequestId) -> Key {
    key(b'Q', &[&id.bytes()])
}

/// The range of all requests of persons: from, until.
#[must_use]
pub fn requests() -> (Key, Key) {
    (vec![b'R', 1], vec![b'R', 2])
}

/// The request in a key of [`requests`].
#[must_use]
pub fn request_id(key: &[u8]) -> Option<RequestId> {
    let id = key.strip_prefix(&[b'R', 1])?;
    Some(RequestId::from_bytes(id.try_into().ok()?))
}

/// A code on a card.
#[must_use]
pub fn card(code: &CaseShortCode) -> Key {
    key(b'R', &[&[2], code.as_str().as_bytes()])
}

/// An aggregate report.
#[must_use]
pub fn report(id: ReportId) -> Key {
    key(b'u', &[b"r", &id.bytes()])
}

/// The range of all aggregate reports: from, until.
#[must_use]
pub fn reports() -> (Key, Key) {
    (key(b'u', &[b"r"]), key(b'u', &[b"s"]))
}

/// The id in the key of an aggregate report.
#[must_use]
pub fn report_id(key: &[u8]) -> Option<ReportId> {
    Some(ReportId::from_bytes(key.get(2..18)?.try_into().ok()?))
}

/// Whether the exchange of cases with a peer is suspended.
#[must_use]
pub fn suspension(peer: Society) -> Key {
    key(b'u', &[b"s", &peer.bytes()])
}

/// A peer.
#[must_use]
pub fn peer(society: Society) -> Key {
    key(b'p', &[&society.bytes()])
}

/// The sending end of a lane.
#[must_use]
pub fn lane_out(peer: Society, lane: Lane) -> Key {
    key(b'q', &[&peer.bytes(), &lane_byte(lane)])
}

/// Envelopes of the sending end of a lane that follow one another.
#[must_use]
pub(super) fn lane_block(peer: Society, lane: Lane, block: u64) -> Key {
    key(b'T', &[&peer.bytes(), &lane_byte(lane), &block.to_be_bytes()])
}

/// The receiving end of a lane.
#[must_use]
pub fn lane_in(peer: Society, lane: Lane) -> Key {
    key(b'r', &[&peer.bytes(), &lane_byte(lane)])
}

/// How dialling a peer has gone.
#[must_use]
pub fn backoff(peer: Society) -> Key {
    key(b'b', &[&peer.bytes()])
}

/// How polling a source of warnings has gone; its name has at most 64 bytes.
#[must_use]
pub fn polls(source: &str) -> Key {
    key(b'F', &[source.as_bytes()])
}

/// The 16 bytes of the id in a key of the kinds `a`, `d`, `c`, `h`, `x`, `y`, `O` and `Q`.
#[must_use]
pub fn id_bytes(key: &[u8]) -> Option<[u8; 16]> {
    key.get(1..17)?.try_into().ok()
}

/// The Society in a key of the kinds `p`, `q`, `T` and `r`.
#[must_use]
pub fn society(key: &[u8]) -> Option<Society> {
    Society::parse_bytes(key.get(1..3)?).ok()
}

/// The lane in a key of the kinds `q`, `T` and `r`.
#[must_use]
pub fn lane(key: &[u8]) -> Option<Lane> {
    key.get(3).and_then(|byte| Lane::from_number(u16::from(*byte)))
}

/// The range of all keys of one letter: from, until.
#[must_use]
pub fn all(letter: u8) -> (Key, Key) {
    (vec![letter], vec![letter + 1])
}

#[cfg(test)]
mod tests {
    use passerelle_domain::time::Time;

    use super::*;

    #[test]
    fn numbers_sort_as_bytes_and_letters_never_meet() {
        assert!(pack(EntryIndex(255)) < pack(EntryIndex(256)));
        assert_eq!(pack_first(&pack(EntryIndex(77))), Some(EntryIndex(77)));
        assert_eq!(pack_first(b"E123"), None);
        let mut letters: Vec<u8> = VIEWS.iter().copied().chain(*b"smnEeiobwfF").collect();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!(letters.len(), VIEWS.len() + 11);
    }

    #[test]
    fn keys_are_the_bytes_that_stores_already_hold() {
        let sn: Society = "SN".parse().expect("a code");
        let id = AlertId::new(Time::from_millis(1_700_000_000_000), [0xab; 10]);
        let cases: [(Key, &str); 6] = [
            (pack(EntryIndex(1)), "450000000000000001"),
            (object(EntryIndex(1), 2), "6f000000000000000100000002"),
            (alert(id), "61018bcfe568007bababababababababab"),
            (lane_block(sn, Lane::Urgent, 3), "54534e010000000000000003"),
            (lane_in(sn, Lane::Bulk), "72534e03"),
            (peer(sn), "70534e"),
        ];
        for (key, expected) in cases {
            assert_eq!(hex::encode(key), expected);
        }
    }
}
