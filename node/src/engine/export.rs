//! The journal as a file, independent of any store: what `audit export` writes and `passerelle-node import` reads.
//!
//! A CBOR sequence (RFC 8742) of
//! 1. a map: `"format": "passerelle-journal"`, `"version": 1`, `"society"`: two letters, `"epoch"`: the 16 bytes of
//!    the life of the store, `"from"`: the index of the first entry;
//! 2. for each entry, in order, an array of two: the bytes of the entry as they are hashed (a byte string), and its
//!    object (a byte string), or null when it has none; where redaction, erasure or retention removed the object, what
//!    the views need of it, which begins with the text `passerelle/residue/v1` and a zero byte;
//! 3. the signed checkpoint over all entries up to here, as text (C2SP tlog-checkpoint).
//!
//! Packages are not in it: they lie in the vault, each under the key of its case.

use std::io::Read;

use minicbor::{Decoder, Encoder, data::Type, encode::write::Write};
use passerelle_domain::{
    entry::{Body, Entry},
    fold::{self, Content, ResidueLedger},
    ids::{EntryIndex, Epoch},
    limits::ENVELOPE_BYTES_MAX,
    merkle::{Checkpoint, Frontier},
    refusal::{Code, Refusal},
    rows::HeadRow,
    signing::{PublicKey, Verifier},
    society::Society,
};

use super::{evidence::Evidence, rebuild};
use crate::store::{
    Store,
    journal::has_entries,
    keys,
    view::{View, encode, failed},
};

const FORMAT: &str = "passerelle-journal";
const VERSION: u8 = 1;
/// Bytes gathered before they are handed on.
const CHUNK_BYTES: usize = 64 * 1024;
/// One item: an entry with its object, which is an envelope at most, and room for their framing.
const ITEM_BYTES_MAX: usize = ENVELOPE_BYTES_MAX + 256 * 1024;
/// Entries of an import in one commit.
const STRIDE: usize = 256;

/// The entries of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first one.
    pub from: EntryIndex,
    /// Entries in the journal, as its checkpoint says.
    pub size: u64,
}

/// Writes an export in chunks. `note` is the signed checkpoint over `span.size` entries.
///
/// # Errors
/// `store_failed` when the store does, and whatever `sink` returns.
pub fn write(
    own: Society,
    store: &dyn Store,
    span: Span,
    note: &str,
    mut sink: impl FnMut(Vec<u8>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let view = View::of(store);
    let head = view.head()?.ok_or_else(|| Refusal::new(Code::StoreFailed, "the store holds no journal"))?;
    let mut encoder = Encoder::new(Vec::with_capacity(CHUNK_BYTES));
    ok(header(&mut encoder, own, head.epoch, span.from))?;
    for index in span.from.0..span.size {
        let missing = || Refusal::new(Code::StoreFailed, format!("entry {index} is missing"));
        let bytes = view.entry_bytes(EntryIndex(index))?.ok_or_else(missing)?;
        let object = view.stored_object(EntryIndex(index))?;
        ok(item(&mut encoder, &bytes, object.as_deref()))?;
        if encoder.writer().len() >= CHUNK_BYTES {
            sink(std::mem::replace(encoder.writer_mut(), Vec::with_capacity(CHUNK_BYTES)))?;
        }
    }
    ok(encoder.str(note).map(|_| ()))?;
    sink(encoder.into_writer())
}

type Encoded<W> = Result<(), minicbor::encode::Error<<W as Write>::Error>>;

fn header<W: Write>(encoder: &mut Encoder<W>, own: Society, epoch: Epoch, from: EntryIndex) -> Encoded<W> {
    encoder.map(5)?.str("format")?.str(FORMAT)?.str("version")?.u8(VERSION)?;
    encoder.str("society")?.str(own.code())?.str("epoch")?.bytes(&epoch.bytes())?;
    encoder.str("from")?.u64(from.0)?.ok()
}

fn item<W: Write>(encoder: &mut Encoder<W>, entry: &[u8], object: Option<&[u8]>) -> Encoded<W> {
    encoder.array(2)?.bytes(entry)?;
    match object {
        Some(object) => encoder.bytes(object)?.ok(),
        None => encoder.null()?.ok(),
    }
}

/// Writing to memory does not fail; if it ever did, an export must not go on.
fn ok<E>(written: Result<(), E>) -> Result<(), Refusal> {
    written.map_err(|_| Refusal::new(Code::StoreFailed, "the export could not be encoded"))
}

/// What an import brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Entries in the journal now.
    pub entries: u64,
    /// Objects with them.
    pub objects: u64,
    /// The checkpoint at its end.
    pub checkpoint: Checkpoint,
}

/// Reads an export of a whole journal into an empty store, verifying every hash, every object, every signature and the
/// checkpoint, and makes the views. `keys_of_own` are all keys with which this node has ever signed. `epoch` is the life that the store begins: peers see by it that it was restored. Until the head
/// is written, last but for the views, the store holds no journal, so an import that fails is begun again in an empty
/// store.
///
/// # Errors
/// `malformed_file` when it is no export, or a part of one; `wrong_society`; `bad_digest` when entries, objects and
/// checkpoint do not belong together; `bad_signature`; `wrong_state` when the store is not empty; `store_failed`.
pub fn import(
    own: Society,
    store: &dyn Store,
    source: impl Read,
    epoch: Epoch,
    keys_of_own: &[PublicKey],
    verifier: &dyn Verifier,
) -> Result<Imported, Refusal> {
    if View::of(store).head()?.is_some() || has_entries(store)? {
        return Err(Refusal::new(Code::WrongState, "the store is not empty; import into a new data folder"));
    }
    let mut items = Items::new(source);
    items.next(|decoder| read_header(decoder, own))?;
    let mut journal = Importing {
        own,
        evidence: Evidence::new(own, keys_of_own, verifier),
        previous: Default::default(),
        time: Default::default(),
        frontier: Frontier::default(),
        objects: 0,
        residues: ResidueLedger::default(),
    };
    let note = loop {
        let mut view = View::of(store);
        let mut note = None;
        for _ in 0..STRIDE {
            match items.next(read_item)? {
                Item::Entry(bytes, object) => journal.take(&mut view, bytes, object)?,
                Item::Note(text) => {
                    note = Some(text);
                    break;
                }
            }
        }
        store.commit(view.into_batch().map_err(failed)?).map_err(failed)?;
        if let Some(note) = note {
            break note;
        }
    };
    items.end()?;
    if let Some(entry) = journal.residues.unnamed().next() {
        let message = format!("the object of entry {entry} is gone, and no entry says so");
        return Err(Refusal::new(Code::BadDigest, message));
    }
    let unsigned = || Refusal::new(Code::BadSignature, "the checkpoint is not signed by a key of this node");
    let checkpoint = Checkpoint::open(&note, own, keys_of_own, verifier).ok_or_else(unsigned)?;
    if (checkpoint.size, checkpoint.root) != (journal.frontier.size(), journal.frontier.root()) {
        return Err(Refusal::new(Code::BadDigest, "the checkpoint is not that of the entries"));
    }
    let Importing { previous, time, frontier, objects, .. } = journal;
    let mut view = View::of(store);
    view.put(keys::CHECKPOINT.to_vec(), note.into_bytes());
    view.put(keys::HEAD.to_vec(), encode(&HeadRow { epoch, previous, time, frontier }));
    view.put(keys::REBUILDING.to_vec(), vec![1]);
    store.commit(view.into_batch().map_err(failed)?).map_err(failed)?;
    let entries = rebuild(own, store, |_| {})?;
    Ok(Imported { entries, objects, checkpoint })
}

/// A journal that is being read in.
struct Importing<'a> {
    own: Society,
    evidence: Evidence<'a>,
    previous: passerelle_domain::digest::Digest,
    time: passerelle_domain::time::Time,
    frontier: Frontier,
    objects: u64,
    residues: ResidueLedger,
}

impl Importing<'_> {
    fn take(&mut self, view: &mut View<'_>, bytes: Vec<u8>, object: Option<Vec<u8>>) -> Result<(), Refusal> {
        let index = EntryIndex(self.frontier.size());
        let entry = Entry::from_bytes(&bytes)?;
        if entry.index != index || entry.previous != self.previous {
            return Err(Refusal::new(Code::BadDigest, format!("entry {index} does not join the one before it")));
        }
        if let Body::Genesis { society, .. } = entry.body
            && society != self.own
        {
            return Err(wrong_society(self.own));
        }
        self.residues.named(&entry.body)?;
        let mut put = None;
        match (fold::object_named(&entry.body), object) {
            (Some(named), Some(object)) => {
                let about = |refusal: Refusal| {
                    Refusal::new(refusal.code, format!("the object of entry {index}: {}", refusal.message))
                };
                match fold::stored(&entry.body, named, &object).map_err(about)? {
                    Content::Residue(residue) => self.residues.met(index, &residue),
                    content => {
                        self.evidence.check(&entry.body, &object, &content).map_err(about)?;
                        self.objects += 1;
                    }
                }
                put = Some(object);
            }
            (None, Some(_)) => {
                return Err(Refusal::new(Code::BadDigest, format!("entry {index} names no object, and has one")));
            }
            (_, None) => {}
        }
        self.previous = Entry::hash_of(&bytes);
        self.time = entry.time;
        self.frontier.append(self.previous);
        view.put_entry(index, bytes, put);
        Ok(())
    }
}

fn wrong_society(own: Society) -> Refusal {
    Refusal::new(Code::WrongSociety, format!("the export is of another Society's journal, and this node is {own}'s"))
}

enum Item {
    Entry(Vec<u8>, Option<Vec<u8>>),
    Note(String),
}

type Parsed<T> = Result<Result<T, Refusal>, minicbor::decode::Error>;

fn read_header(decoder: &mut Decoder<'_>, own: Society) -> Parsed<()> {
    let refuse = |code, text: &str| Ok(Err(Refusal::new(code, text)));
    let (mut format, mut version, mut society, mut from) = (false, None, None, None);
    for _ in 0..decoder.map()?.unwrap_or(0) {
        match decoder.str()? {
            "format" => format = decoder.str()? == FORMAT,
            "version" => version = Some(decoder.u64()?),
            "society" => society = Some(decoder.str()?.to_owned()),
            "from" => from = Some(decoder.u64()?),
            _ => decoder.skip()?,
        }
    }
    if !format {
        return refuse(Code::MalformedFile, "the file is no export of a journal");
    }
    if version != Some(u64::from(VERSION)) {
        return refuse(Code::UnsupportedVersion, "the export has a format that this release does not know");
    }
    if society.as_deref() != Some(own.code()) {
        return Ok(Err(wrong_society(own)));
    }
    if from != Some(0) {
        return refuse(Code::MalformedFile, "the export does not begin with the first entry; export from 0");
    }
    Ok(Ok(()))
}

fn read_item(decoder: &mut Decoder<'_>) -> Parsed<Item> {
    if decoder.datatype()? == Type::String {
        return Ok(Ok(Item::Note(decoder.str()?.to_owned())));
    }
    if decoder.array()? != Some(2) {
        return Ok(Err(malformed()));
    }
    let entry = decoder.bytes()?.to_vec();
    let object = if decoder.datatype()? == Type::Null {
        decoder.null()?;
        None
    } else {
        Some(decoder.bytes()?.to_vec())
    };
    Ok(Ok(Item::Entry(entry, object)))
}

fn malformed() -> Refusal {
    Refusal::new(Code::MalformedFile, "the file is no export of a journal, or only a part of one")
}

/// The items of a CBOR sequence, read as they are wanted.
struct Items<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
}

impl<R: Read> Items<R> {
    fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), start: 0 }
    }

    fn next<T>(&mut self, read: impl Fn(&mut Decoder<'_>) -> Parsed<T>) -> Result<T, Refusal> {
        loop {
            let waiting = self.buffer.get(self.start..).unwrap_or_default();
            let mut decoder = Decoder::new(waiting);
            match read(&mut decoder) {
                Ok(item) => {
                    self.start += decoder.position();
                    return item;
                }
                Err(error) if error.is_end_of_input() && waiting.len() < ITEM_BYTES_MAX => {
                    // Twice as much as before, so that a large item is not read from its beginning many times.
                    let more = waiting.len().max(CHUNK_BYTES);
                    if self.fill(more)? == 0 {
                        return Err(malformed());
                    }
                }
                Err(_) => return Err(malformed()),
            }
        }
    }

    fn fill(&mut self, more: usize) -> Result<usize, Refusal> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let read = self.source.by_ref().take(more as u64).read_to_end(&mut self.buffer);
        read.map_err(|error| Refusal::new(Code::MalformedFile, format!("the file cannot be read: {error}")))
    }

    /// Nothing may follow.
    fn end(&mut self) -> Result<(), Refusal> {
        let rest = self.buffer.len() - self.start;
        if rest == 0 && self.fill(1)? == 0 { Ok(()) } else { Err(malformed()) }
    }
}
