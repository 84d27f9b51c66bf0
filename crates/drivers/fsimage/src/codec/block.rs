//! Hadoop's framing of block codecs (`BlockCompressorStream`): the uncompressed length of a block as four bytes,
//! big-endian, then chunks, each with its compressed length in front, until the block is full.

use std::io::{self, BufRead, Read};

/// Largest chunk taken, compressed or not. Hadoop's buffers are 256 KiB by default
/// (`io.compression.codec.snappy.buffersize`, `…lz4.buffersize`).
const MAX_CHUNK: usize = 16 << 20;

/// What a chunk is packed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// LZ4 block format.
    Lz4,
    /// Raw snappy.
    Snappy,
}

#[derive(Debug)]
pub(super) struct Blocks<R> {
    input: R,
    packing: Packing,
    /// Bytes of the block that are still to come.
    left: usize,
    packed: Vec<u8>,
    chunk: Vec<u8>,
    /// How much of `chunk` was given out.
    given: usize,
}

impl<R: BufRead> Blocks<R> {
    pub(super) fn new(input: R, packing: Packing) -> Self {
        Self { input, packing, left: 0, packed: Vec::new(), chunk: Vec::new(), given: 0 }
    }

    /// The next four bytes as a length; `None` at the end of the input.
    fn length(&mut self) -> io::Result<Option<usize>> {
        if self.input.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut raw = [0; 4];
        self.input.read_exact(&mut raw)?;
        usize::try_from(u32::from_be_bytes(raw)).map(Some).map_err(io::Error::other)
    }

    /// Unpacks the next chunk; `false` at the end of the input.
    fn advance(&mut self) -> io::Result<bool> {
        while self.left == 0 {
            match self.length()? {
                None => return Ok(false),
                Some(length) => self.left = length,
            }
        }
        let length = self.length()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if length > MAX_CHUNK {
            return Err(invalid("a chunk of more than 16 MiB"));
        }
        self.packed.clear();
        let wanted = u64::try_from(length).map_err(io::Error::other)?;
        if self.input.by_ref().take(wanted).read_to_end(&mut self.packed)? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let size = match self.packing {
            // An LZ4 block does not tell its size; no byte of one makes more than 255.
            Packing::Lz4 => self.left.min(length.saturating_mul(255)).min(MAX_CHUNK),
            Packing::Snappy => {
                let told = snap::raw::decompress_len(&self.packed).map_err(io::Error::other)?;
                // An element of three bytes makes 64 at most.
                if told > self.left || told > MAX_CHUNK || told / 64 > length {
                    return Err(invalid("a chunk beyond its block"));
                }
                told
            }
        };
        self.unpack(size)
    }

    fn unpack(&mut self, size: usize) -> io::Result<bool> {
        self.chunk.resize(size, 0);
        let made = match self.packing {
            Packing::Lz4 => {
                lz4_flex::block::decompress_into(&self.packed, &mut self.chunk).map_err(io::Error::other)?
            }
            Packing::Snappy => {
                snap::raw::Decoder::new().decompress(&self.packed, &mut self.chunk).map_err(io::Error::other)?
            }
        };
        if made == 0 {
            return Err(invalid("a chunk without content"));
        }
        self.chunk.truncate(made);
        self.left -= made;
        self.given = 0;
        Ok(true)
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl<R: BufRead> Read for Blocks<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.given == self.chunk.len() && !self.advance()? {
            return Ok(0);
        }
        let ready = &self.chunk[self.given..];
        let count = ready.len().min(out.len());
        out[..count].copy_from_slice(&ready[..count]);
        self.given += count;
        Ok(count)
    }
}
