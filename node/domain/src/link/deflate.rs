//! The DEFLATE stream (RFC 1951) of one direction of a session: what earlier pieces held is the dictionary of the later
//! ones. Each piece ends on a whole byte, by a sync flush whose last four bytes are left out, as in RFC 7692.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::{
    limits::FRAME_BYTES_MAX,
    refusal::{Code, Refusal},
};

/// What every sync flush ends with.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// Of 0 to 9: a piece is small, and the line is slow whenever it is deflated at all.
const LEVEL: u32 = 6;
/// What a piece may grow by when nothing in it repeats, with its flush.
const GROWTH: usize = 64;

/// The sending end. Takes some 300 KiB of memory, so that it is made when it is first needed.
pub(super) struct Deflater(Compress);

impl Deflater {
    pub(super) fn new() -> Self {
        Self(Compress::new(Compression::new(LEVEL), false))
    }

    /// The next part of the stream, that stands for `content`.
    pub(super) fn deflate(&mut self, content: &[u8]) -> Result<Vec<u8>, Refusal> {
        let failed = || Refusal::new(Code::BadFrame, "a piece could not be deflated");
        let mut out = Vec::with_capacity(content.len() + GROWTH);
        let mut rest = content;
        loop {
            let before = self.0.total_in();
            self.0.compress_vec(rest, &mut out, FlushCompress::Sync).map_err(|_| failed())?;
            let taken = usize::try_from(self.0.total_in() - before).map_err(|_| failed())?;
            rest = rest.get(taken..).ok_or_else(failed)?;
            if rest.is_empty() && out.len() < out.capacity() {
                break;
            }
            out.reserve(GROWTH);
        }
        if !out.ends_with(&TAIL) {
            return Err(failed());
        }
        out.truncate(out.len() - TAIL.len());
        Ok(out)
    }
}

/// The receiving end.
pub(super) struct Inflater(Decompress);

impl Inflater {
    pub(super) fn new() -> Self {
        Self(Decompress::new(false))
    }

    /// What the next part of the stream stands for: at most [`FRAME_BYTES_MAX`], however it was packed.
    ///
    /// # Errors
    /// `bad_frame` when it is no such part; `too_large` when it stands for more than a frame may hold.
    pub(super) fn inflate(&mut self, deflated: &[u8]) -> Result<Vec<u8>, Refusal> {
        let bad = || Refusal::new(Code::BadFrame, "a deflated piece that cannot be read");
        let input = [deflated, &TAIL].concat();
        let mut rest = input.as_slice();
        // One byte more than is allowed, so that more than that shows.
        let mut out = Vec::with_capacity(FRAME_BYTES_MAX + 1);
        while !rest.is_empty() && out.len() <= FRAME_BYTES_MAX {
            let (before, had) = (self.0.total_in(), out.len());
            let status = self.0.decompress_vec(rest, &mut out, FlushDecompress::Sync).map_err(|_| bad())?;
            let taken = usize::try_from(self.0.total_in() - before).map_err(|_| bad())?;
            rest = rest.get(taken..).ok_or_else(bad)?;
            // A stream that its sender ended, and one that does not go on, are not a session's.
            if status == Status::StreamEnd || (taken == 0 && out.len() == had) {
                return Err(bad());
            }
        }
        if out.len() > FRAME_BYTES_MAX {
            return Err(Refusal::new(Code::TooLarge, format!("a piece stands for at most {FRAME_BYTES_MAX} bytes")));
        }
        out.shrink_to_fit();
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_came_before_is_not_sent_again() {
        let (mut deflater, mut inflater) = (Deflater::new(), Inflater::new());
        let alert: Vec<u8> = (0..1_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let mut sizes = Vec::new();
        for _ in 0..3 {
            let part = deflater.deflate(&alert).expect("deflates");
            assert_eq!(inflater.inflate(&part).expect("inflates"), alert);
            sizes.push(part.len());
        }
        assert!(sizes[0] > 3_900 && sizes[1] < 100 && sizes[2] < 100, "{sizes:?}");
    }

    #[test]
    fn a_small_piece_that_stands_for_too_much_is_refused() {
        for (bytes, code) in
            [(FRAME_BYTES_MAX, None), (FRAME_BYTES_MAX + 1, Some(Code::TooLarge)), (8 << 20, Some(Code::TooLarge))]
        {
            let part = Deflater::new().deflate(&vec![0; bytes]).expect("deflates");
            let outcome = Inflater::new().inflate(&part);
            assert_eq!(outcome.as_ref().err().map(|refusal| refusal.code), code, "{bytes}");
            assert!(outcome.map_or(0, |whole| whole.capacity()) <= 2 * FRAME_BYTES_MAX);
        }
    }

    #[test]
    fn a_stream_that_its_sender_ended_is_refused() {
        let mut ended = Vec::with_capacity(100);
        Compress::new(Compression::fast(), false)
            .compress_vec(b"end", &mut ended, FlushCompress::Finish)
            .expect("room");
        assert_eq!(Inflater::new().inflate(&ended).map_err(|refusal| refusal.code), Err(Code::BadFrame));
    }

    proptest! {
        #[test]
        fn pieces_read_back(pieces in proptest::collection::vec(proptest::collection::vec(0_u8..8, 0..3_000), 1..8)) {
            let (mut deflater, mut inflater) = (Deflater::new(), Inflater::new());
            for piece in pieces {
                let part = deflater.deflate(&piece).expect("deflates");
                prop_assert_eq!(inflater.inflate(&part).expect("inflates"), piece);
            }
        }

        #[test]
        fn any_bytes_are_inflated_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Inflater::new().inflate(&bytes);
        }
    }
}
