//! bzip2 streams one after the other.
//!
//! Our own, because the decoders at hand either bind a library under a licence that this project does not list
//! or stop after the first stream. The format is the one of bzip2 1.0 (described by J. Tsai, "BZIP2: Format
//! Specification", 2016): blocks of at most 900,000 bytes, run-length coded, sorted (Burrows-Wheeler), moved to
//! front, run-length coded again and Huffman coded, each with its CRC. "Randomised" blocks, which bzip2 stopped
//! to write with 0.9.5, are refused. Memory: 3.6 MB for the block under way.

mod bits;
mod huffman;

use bits::Bits;
use huffman::Table;
use std::io::{self, BufRead, Read};

const BLOCK: u64 = 0x3141_5926_5359;
const END: u64 = 0x1772_4538_5090;
/// Symbols under one selector.
const GROUP: usize = 50;

#[derive(Debug)]
pub(super) struct Bzip2<R> {
    bits: Bits<R>,
    /// Largest block of this stream; `None` before its header.
    limit: Option<usize>,
    /// CRC over the CRCs of the blocks so far.
    whole: u32,
    block: Block,
}

/// A block whose bytes are being given out.
#[derive(Debug, Default)]
struct Block {
    /// For each place of the sorted block: the byte (low 8 bits) and the place of its successor (high 24).
    chain: Vec<u32>,
    /// Where the chain goes on.
    at: u32,
    /// Bytes of the chain not yet taken.
    left: usize,
    /// The last byte, and how often it stood in a row.
    last: Option<u8>,
    row: u8,
    /// Repeats of the last byte that are still to come.
    repeats: u8,
    crc: u32,
    told_crc: u32,
}

impl<R: BufRead> Bzip2<R> {
    pub(super) fn new(input: R) -> Self {
        Self { bits: Bits::new(input), limit: None, whole: 0, block: Block::default() }
    }

    /// Reads the next block; `false` at the end of the input, between two streams.
    fn advance(&mut self) -> io::Result<bool> {
        loop {
            let Some(limit) = self.limit else {
                self.bits.align();
                if self.bits.at_end()? {
                    return Ok(false);
                }
                if self.bits.take(24)? != u32::from_be_bytes(*b"\0BZh") {
                    return Err(invalid("no bzip2 stream where one should start"));
                }
                let level = match self.bits.take(8)? {
                    digit @ 0x31..=0x39 => digit - 0x30,
                    _ => return Err(invalid("a bzip2 level that cannot be")),
                };
                self.limit = Some(usize::try_from(level).map_err(io::Error::other)? * 100_000);
                self.whole = 0;
                continue;
            };
            let magic = (u64::from(self.bits.take(24)?) << 24) | u64::from(self.bits.take(24)?);
            let crc = self.bits.take32()?;
            match magic {
                BLOCK => {
                    self.whole = self.whole.rotate_left(1) ^ crc;
                    self.block.told_crc = crc;
                    self.decode(limit)?;
                    return Ok(true);
                }
                END if crc == self.whole => self.limit = None,
                END => return Err(invalid("a bzip2 stream does not match its checksum")),
                _ => return Err(invalid("no bzip2 block where one should start")),
            }
        }
    }

    fn decode(&mut self, limit: usize) -> io::Result<()> {
        if self.bits.take(1)? != 0 {
            return Err(invalid("a randomised bzip2 block"));
        }
        let origin = self.bits.take(24)?;
        let mut front = self.used_bytes()?;
        let (tables, selectors) = self.tables(front.len() + 2)?;
        let end = front.len() + 1;

        let chain = &mut self.block.chain;
        chain.clear();
        let mut counts = [0_u32; 256];
        let (mut run, mut weight) = (0_usize, 1_usize);
        let mut group = 0_usize;
        'block: loop {
            let table = selectors.get(group).and_then(|s| tables.get(usize::from(*s)));
            let table = table.ok_or_else(|| invalid("a bzip2 block without enough selectors"))?;
            group += 1;
            for _ in 0..GROUP {
                let symbol = table.symbol(&mut self.bits)?;
                if symbol < 2 {
                    // Run lengths are written in bijective base 2.
                    run = run.saturating_add(weight << symbol);
                    weight = weight.saturating_mul(2);
                    if run > limit {
                        return Err(invalid("a bzip2 block beyond its size"));
                    }
                    continue;
                }
                if run > 0 {
                    let byte = *front.first().ok_or_else(|| invalid("a bzip2 block of no bytes"))?;
                    push(chain, &mut counts, byte, run, limit)?;
                    (run, weight) = (0, 1);
                }
                if symbol == end {
                    break 'block;
                }
                let place = symbol - 1;
                if place >= front.len() {
                    return Err(invalid("a bzip2 symbol that cannot be"));
                }
                front[..=place].rotate_right(1);
                push(chain, &mut counts, front[0], 1, limit)?;
            }
        }
        self.block.link(origin, &counts)
    }

    /// Which bytes occur in the block, in order.
    fn used_bytes(&mut self) -> io::Result<Vec<u8>> {
        let rows = self.bits.take(16)?;
        let mut used = Vec::with_capacity(256);
        for row in 0..16_u8 {
            if rows & (0x8000 >> row) == 0 {
                continue;
            }
            let marks = self.bits.take(16)?;
            used.extend((0..16_u8).filter(|column| marks & (0x8000 >> column) != 0).map(|column| row * 16 + column));
        }
        if used.is_empty() { Err(invalid("a bzip2 block of no bytes")) } else { Ok(used) }
    }

    /// The Huffman tables, and which of them each group of symbols uses.
    fn tables(&mut self, symbols: usize) -> io::Result<(Vec<Table>, Vec<u8>)> {
        let count = u8::try_from(self.bits.take(3)?).map_err(io::Error::other)?;
        if !(2..=6).contains(&count) {
            return Err(invalid("a count of bzip2 tables that cannot be"));
        }
        let mut order: Vec<u8> = (0..count).collect();
        let mut selectors = Vec::new();
        for _ in 0..self.bits.take(15)? {
            let mut place = 0;
            while self.bits.take(1)? == 1 {
                place += 1;
                if place >= order.len() {
                    return Err(invalid("a bzip2 selector that cannot be"));
                }
            }
            order[..=place].rotate_right(1);
            selectors.push(order[0]);
        }
        let mut tables = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            tables.push(Table::read(&mut self.bits, symbols)?);
        }
        Ok((tables, selectors))
    }
}

fn push(chain: &mut Vec<u32>, counts: &mut [u32; 256], byte: u8, times: usize, limit: usize) -> io::Result<()> {
    if chain.len() + times > limit {
        return Err(invalid("a bzip2 block beyond its size"));
    }
    counts[usize::from(byte)] += u32::try_from(times).map_err(io::Error::other)?;
    chain.resize(chain.len() + times, u32::from(byte));
    Ok(())
}

impl Block {
    /// Undoes the sorting: links each place to the one of the byte after it.
    fn link(&mut self, origin: u32, counts: &[u32; 256]) -> io::Result<()> {
        let mut starts = [0_u32; 256];
        let mut sum = 0;
        for (start, count) in starts.iter_mut().zip(counts) {
            *start = sum;
            sum += count;
        }
        for place in 0..self.chain.len() {
            let byte = usize::try_from(self.chain[place] & 0xFF).map_err(io::Error::other)?;
            let target = usize::try_from(starts[byte]).map_err(io::Error::other)?;
            starts[byte] += 1;
            self.chain[target] |= u32::try_from(place).map_err(io::Error::other)? << 8;
        }
        let first = usize::try_from(origin).ok().and_then(|origin| self.chain.get(origin));
        self.at = first.ok_or_else(|| invalid("a bzip2 block that starts outside itself"))? >> 8;
        self.left = self.chain.len();
        (self.last, self.row, self.repeats, self.crc) = (None, 0, 0, !0);
        Ok(())
    }

    /// The next byte, with the first run-length coding undone; `None` at the end of the block.
    fn next(&mut self) -> Option<u8> {
        loop {
            if self.repeats > 0 {
                self.repeats -= 1;
                let byte = self.last?;
                self.crc = crc(self.crc, byte);
                return Some(byte);
            }
            if self.left == 0 {
                return None;
            }
            self.left -= 1;
            let place = *self.chain.get(usize::try_from(self.at).ok()?)?;
            let byte = u8::try_from(place & 0xFF).ok()?;
            self.at = place >> 8;
            if self.row == 4 {
                // After four equal bytes comes how often the byte stands there again.
                (self.row, self.repeats) = (0, byte);
                continue;
            }
            self.row = if self.last == Some(byte) && self.row > 0 { self.row + 1 } else { 1 };
            self.last = Some(byte);
            self.crc = crc(self.crc, byte);
            return Some(byte);
        }
    }
}

/// CRC-32 of bzip2: the polynomial of Ethernet, highest bit first.
fn crc(before: u32, byte: u8) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut at = 0;
        let mut high = 0_u32;
        while at < 256 {
            let mut value = high;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 0x8000_0000 == 0 { value << 1 } else { (value << 1) ^ 0x04C1_1DB7 };
                bit += 1;
            }
            table[at] = value;
            at += 1;
            high = high.wrapping_add(1 << 24);
        }
        table
    };
    let [first, ..] = before.to_be_bytes();
    (before << 8) ^ TABLE[usize::from(first ^ byte)]
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl<R: BufRead> Read for Bzip2<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let mut count = 0;
            for slot in &mut *out {
                let Some(byte) = self.block.next() else { break };
                *slot = byte;
                count += 1;
            }
            if count > 0 {
                return Ok(count);
            }
            if !self.block.chain.is_empty() && !self.block.crc != self.block.told_crc {
                return Err(invalid("a bzip2 block does not match its checksum"));
            }
            self.block.chain.clear();
            if !self.advance()? {
                return Ok(0);
            }
        }
    }
}
