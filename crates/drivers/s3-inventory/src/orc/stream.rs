//! A stretch of the file, decompressed piece by piece.

use crate::row::{invalid, unsupported};
use flate2::{Decompress, FlushDecompress, Status};
use std::{
    fs::File,
    io::{self, BufRead, Read, Seek as _, SeekFrom},
};

/// Bytes that are read at once where nothing is compressed.
const PIECE: usize = 64 << 10;

/// How the file is compressed, and how many bytes a piece has at most.
#[derive(Clone, Copy, Debug)]
pub(super) enum Codec {
    None,
    Zlib(usize),
    Snappy(usize),
}

impl Codec {
    pub(super) fn new(kind: u64, block: usize) -> io::Result<Self> {
        Ok(match kind {
            0 => Self::None,
            1 => Self::Zlib(block),
            2 => Self::Snappy(block),
            other => {
                let name = ["LZO", "LZ4", "ZSTD"].get(usize::try_from(other.wrapping_sub(3)).unwrap_or(9));
                return Err(unsupported(format!(
                    "it is compressed by {}; Amazon writes ZLIB, and that, Snappy and nothing are read",
                    name.unwrap_or(&"something that ORC does not name")
                )));
            }
        })
    }
}

/// Gives the bytes; memory for one piece.
#[derive(Debug)]
pub(super) struct Stream<'a> {
    file: &'a File,
    codec: Codec,
    at: u64,
    end: u64,
    packed: Vec<u8>,
    plain: Vec<u8>,
    used: usize,
}

impl<'a> Stream<'a> {
    pub(super) fn new(file: &'a File, codec: Codec, at: u64, end: u64) -> Self {
        Self { file, codec, at, end, packed: Vec::new(), plain: Vec::new(), used: 0 }
    }

    /// The next byte, which there must be.
    pub(super) fn byte(&mut self) -> io::Result<u8> {
        let byte = *self.fill_buf()?.first().ok_or_else(cut)?;
        self.consume(1);
        Ok(byte)
    }

    /// Puts the next `len` bytes at the end of `into`, which grows as they come.
    pub(super) fn append(&mut self, len: u64, into: &mut Vec<u8>) -> io::Result<()> {
        let read = self.take(len).read_to_end(into)?;
        if read as u64 == len { Ok(()) } else { Err(cut()) }
    }

    fn fetch(&mut self, len: usize) -> io::Result<()> {
        if self.end - self.at < len as u64 {
            return Err(cut());
        }
        self.packed.resize(len, 0);
        let mut file = self.file;
        file.seek(SeekFrom::Start(self.at))?;
        file.read_exact(&mut self.packed)?;
        self.at += len as u64;
        Ok(())
    }

    fn next_piece(&mut self) -> io::Result<()> {
        self.used = 0;
        self.plain.clear();
        let block = match self.codec {
            Codec::None => {
                let left = usize::try_from(self.end - self.at).unwrap_or(PIECE).min(PIECE);
                self.fetch(left)?;
                std::mem::swap(&mut self.packed, &mut self.plain);
                return Ok(());
            }
            Codec::Zlib(block) | Codec::Snappy(block) => block,
        };
        self.fetch(3)?;
        let head = u32::from_le_bytes([self.packed[0], self.packed[1], self.packed[2], 0]);
        let len = usize::try_from(head >> 1).map_err(io::Error::other)?;
        if len > block {
            return Err(invalid("a compressed piece is longer than the file says pieces are"));
        }
        self.fetch(len)?;
        if head & 1 == 1 {
            std::mem::swap(&mut self.packed, &mut self.plain);
            return Ok(());
        }
        match self.codec {
            Codec::Snappy(_) => {
                let len = snap::raw::decompress_len(&self.packed).map_err(invalid)?;
                if len > block {
                    return Err(invalid("a piece unpacks to more than the file says pieces are"));
                }
                self.plain.resize(len, 0);
                snap::raw::Decoder::new().decompress(&self.packed, &mut self.plain).map_err(invalid)?;
            }
            Codec::Zlib(_) | Codec::None => inflate(&self.packed, block, &mut self.plain)?,
        }
        Ok(())
    }
}

/// ZLIB in ORC is deflate without zlib's header.
fn inflate(packed: &[u8], block: usize, plain: &mut Vec<u8>) -> io::Result<()> {
    let mut decoder = Decompress::new(false);
    plain.reserve(packed.len().saturating_mul(4).min(block) + 1);
    loop {
        let used = usize::try_from(decoder.total_in()).map_err(io::Error::other)?;
        let before = plain.len();
        // Not `Finish`, by which the decoder takes the room there is for all that it will get.
        let status = decoder.decompress_vec(&packed[used..], plain, FlushDecompress::None).map_err(invalid)?;
        if plain.len() > block {
            return Err(invalid("a piece unpacks to more than the file says pieces are"));
        }
        match status {
            Status::StreamEnd => return Ok(()),
            Status::Ok | Status::BufError if plain.len() == plain.capacity() => plain.reserve(PIECE),
            Status::Ok | Status::BufError if plain.len() > before => {}
            Status::Ok | Status::BufError => return Err(cut()),
        }
    }
}

impl BufRead for Stream<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.used == self.plain.len() && self.at < self.end {
            self.next_piece()?;
        }
        Ok(&self.plain[self.used..])
    }
    fn consume(&mut self, amount: usize) {
        self.used += amount;
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let here = self.fill_buf()?;
        let len = here.len().min(into.len());
        into[..len].copy_from_slice(&here[..len]);
        self.consume(len);
        Ok(len)
    }
}

fn cut() -> io::Error {
    invalid("something ends before it should")
}
