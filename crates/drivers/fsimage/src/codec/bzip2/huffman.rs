//! Canonical Huffman codes of at most 20 bits.

use super::{bits::Bits, invalid};
use std::io::{self, BufRead};

const LONGEST: usize = 20;

#[derive(Debug)]
pub(super) struct Table {
    /// For each length: the code after the last one of that length.
    ends: [u32; LONGEST + 1],
    /// For each length: what to add to a code to find its place in `symbols`.
    places: [i64; LONGEST + 1],
    /// Symbols in the order of their codes.
    symbols: Vec<u16>,
}

impl Table {
    /// Reads the lengths of the codes (each as a difference to the one before) and makes the codes.
    pub(super) fn read<R: BufRead>(bits: &mut Bits<R>, symbols: usize) -> io::Result<Self> {
        let mut lengths = Vec::with_capacity(symbols);
        let mut length = bits.take(5)?;
        for _ in 0..symbols {
            loop {
                if !(1..=20).contains(&length) {
                    return Err(invalid("a bzip2 code of a length that cannot be"));
                }
                if bits.take(1)? == 0 {
                    break;
                }
                length = if bits.take(1)? == 0 { length + 1 } else { length - 1 };
            }
            lengths.push(usize::try_from(length).map_err(io::Error::other)?);
        }
        let mut table = Self { ends: [0; LONGEST + 1], places: [0; LONGEST + 1], symbols: Vec::with_capacity(symbols) };
        let mut code = 0_u32;
        for length in 1..=LONGEST {
            code <<= 1;
            table.places[length] = i64::try_from(table.symbols.len()).map_err(io::Error::other)? - i64::from(code);
            for (symbol, _) in lengths.iter().enumerate().filter(|(_, l)| **l == length) {
                table.symbols.push(u16::try_from(symbol).map_err(io::Error::other)?);
                code += 1;
            }
            table.ends[length] = code;
        }
        Ok(table)
    }

    /// Reads one symbol.
    pub(super) fn symbol<R: BufRead>(&self, bits: &mut Bits<R>) -> io::Result<usize> {
        let mut code = 0_u32;
        for length in 1..=LONGEST {
            code = (code << 1) | bits.take(1)?;
            if code < self.ends[length] {
                let place = usize::try_from(i64::from(code) + self.places[length]).ok();
                let symbol = place.and_then(|place| self.symbols.get(place));
                return symbol.map(|s| usize::from(*s)).ok_or_else(|| invalid("a bzip2 code that cannot be"));
            }
        }
        Err(invalid("a bzip2 code that cannot be"))
    }
}
