//! The journal as a file that does not depend on the store: a CBOR sequence (RFC 8742) of
//!
//! 1. the header, a map: `format` "passerelle-journal", `version` 1, `society`, `from` (index of the first entry);
//! 2. for each entry, in order, an array of two byte strings: the entry's canonical bytes, and the bytes
//!    of its object, or null where it has none or where retention or erasure removed it;
//! 3. the newest checkpoint, a text string holding the signed note.
//!
//! Views are not in it: they are folded again.

use std::io::{Read, Write};

use minicbor::{Decoder, Encoder, data::Type};
use passerelle_domain::{
    digest::Digest,
    entry::Entry,
    facts::Facts as _,
    fold,
    ids::EntryIndex,
    limits::{ENVELOPE_BYTES_MAX, STORE_VALUE_BYTES_MAX},
    merkle::{Checkpoint, Frontier},
    refusal::{Code, Refusal},
    rows::HeadRow,
    signing::{PublicKey, Verifier},
    society::Society,
};

use crate::store::{
    Store, keys,
    view::{View, encode, failed},
};

const FORMAT: &str = "passerelle-journal";
const VERSION: u8 = 1;
/// Entries in one commit of an import.
const STRIDE: u64 = 1_000;
/// The largest item of a file: an entry with its object.
const ITEM_BYTES_MAX: usize = ENVELOPE_BYTES_MAX + STORE_VALUE_BYTES_MAX + 1_024;

/// Writes the journal from entry `from` on; how many entries that were.
///
/// # Errors
/// `store_failed` when the store or `out` fails.
pub fn export(society: Society, store: &dyn Store, from: u64, out: &mut dyn Write) -> Result<u64, Refusal> {
    let view = View::of(store);
    let head = view.head()?.ok_or_else(|| Refusal::new(Code::StoreFailed, "the store holds no journal"))?;
    let mut header = Encoder::new(Vec::new());
    let written = header
        .map(4)
        .and_then(|e| e.str("format")?.str(FORMAT)?.str("version")?.u8(VERSION))
        .and_then(|e| e.str("society")?.str(society.code())?.str("from")?.u64(from));
    written.map_err(|_| unwritten())?;
    put(out, header.into_writer())?;
    for index in from..head.frontier.size() {
        let index = EntryIndex(index);
        let bytes = store.get(&keys::entry(index)).map_err(failed)?;
        let bytes = bytes.ok_or_else(|| Refusal::new(Code::StoreFailed, format!("entry {index} is missing")))?;
        let object = view.object(index)?;
        let mut item = Encoder::new(Vec::with_capacity(bytes.len() + 64));
        let written = item.array(2).and_then(|e| e.bytes(&bytes)).and_then(|e| match &object {
            Some(object) => e.bytes(object),
            None => e.null(),
        });
        written.map_err(|_| unwritten())?;
        put(out, item.into_writer())?;
    }
    let note = store.get(keys::CHECKPOINT).map_err(failed)?.unwrap_or_default();
    let mut last = Encoder::new(Vec::new());
    last.str(&String::from_utf8_lossy(&note)).map_err(|_| unwritten())?;
    put(out, last.into_writer())?;
    Ok(head.frontier.size().saturating_sub(from))
}

fn put(out: &mut dyn Write, bytes: Vec<u8>) -> Result<(), Refusal> {
    out.write_all(&bytes).map_err(|_| unwritten())
}

fn unwritten() -> Refusal {
    Refusal::new(Code::StoreFailed, "the export could not be written")
}

/// Reads a whole export into an empty store and folds its views. Every hash and the checkpoint's
/// signature must hold; nothing of a file that fails is left behind as a journal.
///
/// # Errors
/// `malformed_file` naming the entry that does not hold; `wrong_state` when the store is not empty.
pub fn import(
    own: Society,
    store: &dyn Store,
    keys_of_own: &[PublicKey],
    verifier: &dyn Verifier,
    input: impl Read,
) -> Result<u64, Refusal> {
    if View::of(store).head()?.is_some() {
        return Err(Refusal::new(Code::WrongState, "the store has a journal already; import into a new one"));
    }
    let mut items = Items { input, buffer: Vec::new(), ended: false };
    check_header(own, &items.next()?.ok_or_else(|| bad("the file is empty"))?)?;
    let mut import = Import {
        own,
        store,
        view: View::of(store),
        head: None,
        previous: Digest::default(),
        frontier: Frontier::default(),
    };
    while let Some(item) = items.next()? {
        let mut decoder = Decoder::new(&item);
        if decoder.datatype().map_err(|_| bad("it is no CBOR sequence"))? == Type::String {
            let note = decoder.str().map_err(|_| bad("the checkpoint is no text"))?.to_owned();
            if items.next()?.is_some() {
                return Err(bad("something follows the checkpoint"));
            }
            return import.finish(&note, keys_of_own, verifier);
        }
        import.entry(&mut decoder)?;
    }
    Err(bad("it ends before its checkpoint"))
}

fn bad(what: &str) -> Refusal {
    Refusal::new(Code::MalformedFile, format!("this is no whole journal export: {what}"))
}

fn check_header(own: Society, item: &[u8]) -> Result<(), Refusal> {
    let read = || -> Result<(String, u8, String, u64), minicbor::decode::Error> {
        let mut decoder = Decoder::new(item);
        let (mut format, mut version, mut society, mut from) = (String::new(), 0, String::new(), 0);
        for _ in 0..decoder.map()?.unwrap_or(0) {
            match decoder.str()? {
                "format" => format = decoder.str()?.to_owned(),
                "version" => version = decoder.u8()?,
                "society" => society = decoder.str()?.to_owned(),
                "from" => from = decoder.u64()?,
                _ => decoder.skip()?,
            }
        }
        Ok((format, version, society, from))
    };
    let (format, version, society, from) = read().map_err(|_| bad("its header cannot be read"))?;
    if format != FORMAT || version != VERSION {
        return Err(bad(&format!("its format is {format:?} {version}, not {FORMAT:?} {VERSION}")));
    }
    if society != own.code() {
        return Err(Refusal::new(Code::WrongSociety, format!("the journal is that of {society}, not of {own}")));
    }
    if from != 0 { Err(bad(&format!("it begins at entry {from}"))) } else { Ok(()) }
}

/// Whole CBOR items of a stream, one after the other.
struct Items<R> {
    input: R,
    buffer: Vec<u8>,
    ended: bool,
}

impl<R: Read> Items<R> {
    fn next(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        loop {
            let mut decoder = Decoder::new(&self.buffer);
            if !self.buffer.is_empty() && decoder.skip().is_ok() {
                let rest = self.buffer.split_off(decoder.position());
                return Ok(Some(std::mem::replace(&mut self.buffer, rest)));
            }
            if self.ended {
                return if self.buffer.is_empty() { Ok(None) } else { Err(bad("its last item is cut")) };
            }
            if self.buffer.len() > ITEM_BYTES_MAX {
                return Err(bad("an item is too large"));
            }
            let before = self.buffer.len();
            self.buffer.resize(before + 64 * 1_024, 0);
            let read = self.input.read(&mut self.buffer[before..]).map_err(|_| bad("it cannot be read"))?;
            self.buffer.truncate(before + read);
            self.ended = read == 0;
        }
    }
}

struct Import<'a> {
    own: Society,
    store: &'a dyn Store,
    view: View<'a>,
    head: Option<HeadRow>,
    previous: Digest,
    frontier: Frontier,
}

impl Import<'_> {
    fn entry(&mut self, decoder: &mut Decoder<'_>) -> Result<(), Refusal> {
        let index = EntryIndex(self.frontier.size());
        let at = |what: &str| bad(&format!("entry {index} {what}"));
        decoder.array().map_err(|_| at("cannot be read"))?;
        let bytes = decoder.bytes().map_err(|_| at("cannot be read"))?;
        let object = match decoder.datatype() {
            Ok(Type::Null) => None,
            _ => Some(decoder.bytes().map_err(|_| at("has no readable object"))?),
        };
        let entry = Entry::from_bytes(bytes).map_err(|_| at("cannot be read"))?;
        if entry.index != index || entry.previous != self.previous {
            return Err(at("does not join the one before it"));
        }
        let content = match (fold::object_named(&entry.body), object) {
            (Some(named), Some(object)) => {
                fold::check_object(named, object).map_err(|_| at("has another object"))?;
                Some(fold::content(&entry.body, object)?)
            }
            _ => None,
        };
        self.previous = Entry::hash_of(bytes);
        self.frontier.append(self.previous);
        self.view.put(keys::entry(index), bytes.to_vec());
        for row in fold::rows(self.own, &self.view, &entry, content.as_ref())? {
            self.view.put_row(&row);
        }
        if let Some(object) = object {
            self.view.put_object(index, object);
        }
        let epoch = match (&entry.body, &self.head) {
            (passerelle_domain::entry::Body::Genesis { epoch, .. }, None) => *epoch,
            (_, Some(head)) => head.epoch,
            _ => return Err(at("is not the beginning of a journal")),
        };
        let frontier = self.frontier.clone();
        self.head = Some(HeadRow { epoch, previous: self.previous, time: entry.time, frontier });
        if self.frontier.size().is_multiple_of(STRIDE) {
            self.commit(None)?;
        }
        Ok(())
    }

    /// Without a head the store has no journal yet: an import that fails half way leaves none.
    fn commit(&mut self, last: Option<(&HeadRow, &str)>) -> Result<(), Refusal> {
        let mut view = std::mem::replace(&mut self.view, View::of(self.store));
        if let Some((head, note)) = last {
            view.put(keys::HEAD.to_vec(), encode(head));
            view.put(keys::CHECKPOINT.to_vec(), note.as_bytes().to_vec());
        }
        self.store.commit(view.into_batch().map_err(failed)?).map_err(failed)
    }

    fn finish(mut self, note: &str, keys_of_own: &[PublicKey], verifier: &dyn Verifier) -> Result<u64, Refusal> {
        let head = self.head.take().ok_or_else(|| bad("it has no entry"))?;
        let checkpoint = Checkpoint::open(note, self.own, keys_of_own, verifier);
        let checkpoint = checkpoint.ok_or_else(|| bad("its checkpoint is not signed by this node's key"))?;
        if checkpoint.size != head.frontier.size() || checkpoint.root != head.frontier.root() {
            return Err(bad("its checkpoint is of other entries"));
        }
        self.commit(Some((&head, note)))?;
        Ok(head.frontier.size())
    }
}
