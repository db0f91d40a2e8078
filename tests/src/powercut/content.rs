//! The bytes of a file, in blocks that copies share until one of them writes: a cut takes a copy of a whole disk in
//! microseconds. Memory alone.

use std::{fs::File, io, os::unix::fs::FileExt as _, sync::Arc};

/// Bytes of a block: small enough to copy for one write, large enough that a database has few.
const BLOCK: usize = 16 * 1024;

/// The content of a file. What was never written reads as zeros and takes no room.
#[derive(Clone, Default)]
pub(super) struct Content {
    blocks: Vec<Option<Arc<[u8; BLOCK]>>>,
    length: u64,
}

/// Where a byte stands: its block and its place there.
fn place(at: u64) -> (usize, usize) {
    let block = BLOCK as u64;
    (usize::try_from(at / block).unwrap_or(usize::MAX), (at % block) as usize)
}

impl Content {
    /// Its length in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Writes at a place, making it longer where needed.
    pub(super) fn write(&mut self, at: u64, mut bytes: &[u8]) {
        let end = at + bytes.len() as u64;
        if end > self.length {
            self.set_length(end);
        }
        let mut at = at;
        while !bytes.is_empty() {
            let (block, from) = place(at);
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - from));
            let Some(slot) = self.blocks.get_mut(block) else { return };
            let held = slot.get_or_insert_with(|| Arc::new([0; BLOCK]));
            Arc::make_mut(held)[from..from + now.len()].copy_from_slice(now);
            at += now.len() as u64;
            bytes = later;
        }
    }

    /// Cuts it off, or makes it longer by zeros.
    pub(super) fn set_length(&mut self, length: u64) {
        let (blocks, rest) = place(length);
        if length < self.length && rest > 0 {
            // What was cut off must not come back when it grows again.
            if let Some(Some(last)) = self.blocks.get_mut(blocks) {
                Arc::make_mut(last)[rest..].fill(0);
            }
        }
        self.blocks.resize(blocks + usize::from(rest > 0), None);
        self.length = length;
    }

    /// Up to `size` bytes from a place on.
    pub(super) fn read(&self, at: u64, size: usize) -> Vec<u8> {
        let size = usize::try_from(self.length.saturating_sub(at)).unwrap_or(size).min(size);
        let mut bytes = vec![0; size];
        let mut done = 0;
        while done < size {
            let (block, from) = place(at + done as u64);
            let part = (size - done).min(BLOCK - from);
            if let Some(Some(held)) = self.blocks.get(block) {
                bytes[done..done + part].copy_from_slice(&held[from..from + part]);
            }
            done += part;
        }
        bytes
    }

    /// Writes all of it into an empty file; holes stay holes.
    pub(super) fn write_to(&self, file: &File) -> io::Result<()> {
        file.set_len(self.length)?;
        for (at, block) in (0..self.length).step_by(BLOCK).zip(&self.blocks) {
            if let Some(block) = block {
                let part = usize::try_from(self.length - at).unwrap_or(BLOCK).min(BLOCK);
                file.write_all_at(&block[..part], at)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_a_file_would_be() {
        let mut content = Content::default();
        content.write(BLOCK as u64 - 2, b"abcd");
        assert_eq!(content.length(), BLOCK as u64 + 2);
        assert_eq!(content.read(BLOCK as u64 - 3, 10), b"\0abcd");
        let earlier = content.clone();
        content.set_length(BLOCK as u64 - 1);
        content.set_length(BLOCK as u64 + 1);
        assert_eq!(content.read(BLOCK as u64 - 2, 10), b"a\0\0", "what was cut off is gone");
        assert_eq!(earlier.read(BLOCK as u64 - 2, 10), b"abcd", "a copy stays as it was");
        assert_eq!(content.read(BLOCK as u64 * 9, 10), b"");

        let file = tempfile::tempfile().expect("a file");
        earlier.write_to(&file).expect("room");
        let mut bytes = vec![0; BLOCK + 2];
        file.read_exact_at(&mut bytes, 0).expect("as long");
        assert_eq!(bytes, earlier.read(0, usize::MAX));
    }
}
