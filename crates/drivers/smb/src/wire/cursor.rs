//! Reading what a server sent, and writing what it gets: little-endian numbers, and never beyond the end.

use bytes::Bytes;
use std::{fmt, iter};

/// What the server sent makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server's answer cannot be understood: {}", self.0)
    }
}
impl std::error::Error for Malformed {}

const SHORT: Malformed = Malformed("it ends too early");

/// Walks over bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(raw: &'a [u8]) -> Self {
        Self { rest: raw }
    }
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(SHORT)?;
        self.rest = rest;
        Ok(taken)
    }
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(SHORT)?;
        self.rest = rest;
        Ok(*taken)
    }
    pub fn skip(&mut self, len: usize) -> Result<(), Malformed> {
        self.bytes(len).map(|_| ())
    }
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_le_bytes)
    }
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }
    /// A 32-bit length or offset.
    pub fn size(&mut self) -> Result<usize, Malformed> {
        self.u32().and_then(size)
    }
    /// Checks the `StructureSize` that every body begins with.
    pub fn structure(&mut self, expected: u16) -> Result<(), Malformed> {
        if self.u16()? == expected { Ok(()) } else { Err(Malformed("a structure has another size than its kind has")) }
    }
}

/// Entries of which each begins with the distance to the next, 0 for the last (`NextEntryOffset`, [MS-FSCC] 2.4).
/// `read` gets what follows that number. An entry that reaches into the next is an error, the last item.
pub(crate) fn chained<'a, T>(
    raw: &'a [u8],
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T, Malformed>,
) -> impl Iterator<Item = Result<T, Malformed>> {
    let mut rest = raw;
    iter::from_fn(move || {
        // Nothing comes after the last, or after what cannot be understood.
        let entry = std::mem::take(&mut rest);
        if entry.is_empty() {
            return None;
        }
        let mut at = Reader::new(entry);
        let mut one = || {
            let next = at.size()?;
            let item = read(&mut at)?;
            if next != 0 {
                if next < entry.len() - at.rest().len() {
                    return Err(Malformed("an entry lies within another"));
                }
                rest = entry.get(next..).ok_or(Malformed("an entry lies beyond the end"))?;
            }
            Ok(item)
        };
        Some(one())
    })
}

/// A length of the wire as one of ours.
pub(crate) fn size(wire: u32) -> Result<usize, Malformed> {
    usize::try_from(wire).map_err(|_| Malformed("a length is too large"))
}

/// `len` bytes from `offset` on.
pub(crate) fn part(raw: &[u8], offset: usize, len: usize) -> Result<&[u8], Malformed> {
    if len == 0 {
        return Ok(&[]);
    }
    let end = offset.checked_add(len).ok_or(SHORT)?;
    raw.get(offset..end).ok_or(SHORT)
}

/// `len` bytes from `offset` on, sharing the memory.
pub(crate) fn shared(raw: &Bytes, offset: usize, len: usize) -> Result<Bytes, Malformed> {
    if len == 0 {
        return Ok(Bytes::new());
    }
    let end = offset.checked_add(len).filter(|end| *end <= raw.len()).ok_or(SHORT)?;
    Ok(raw.slice(offset..end))
}

/// Puts numbers together.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub Vec<u8>);

impl Writer {
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }
    pub fn bytes(&mut self, raw: &[u8]) -> &mut Self {
        self.0.extend_from_slice(raw);
        self
    }
    pub fn zeros(&mut self, count: usize) -> &mut Self {
        self.0.resize(self.0.len() + count, 0);
        self
    }
    /// Fills up to a multiple of `to` bytes.
    pub fn align(&mut self, to: usize) -> &mut Self {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
        self
    }
    /// What was written; the writer is empty afterwards.
    pub fn done(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

/// A length for a 16-bit field. What is sent is bounded long before this.
pub(crate) fn len16(len: usize) -> u16 {
    u16::try_from(len).expect("names and tokens are checked to fit before they are encoded")
}

/// A length for a 32-bit field.
pub(crate) fn len32(len: usize) -> u32 {
    u32::try_from(len).expect("no request comes near 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry with a number in it, and the distance to the next that it tells.
    fn entry(next: u32, number: u32) -> Vec<u8> {
        [next.to_le_bytes(), number.to_le_bytes()].concat()
    }

    fn numbers(raw: &[u8]) -> Vec<Result<u32, Malformed>> {
        chained(raw, Reader::u32).collect()
    }

    #[test]
    fn each_entry_comes_once_and_one_that_reaches_into_the_next_ends_the_chain_with_an_error() {
        let chain = |next: u32| [entry(next, 1), entry(8, 2), entry(0, 3)].concat();
        assert_eq!(numbers(&chain(8)), [Ok(1), Ok(2), Ok(3)]);
        // Between two entries there may be room.
        assert_eq!(numbers(&[entry(12, 1), vec![0; 4], entry(0, 2)].concat()), [Ok(1), Ok(2)]);
        for within in 1..8 {
            assert_eq!(numbers(&chain(within)), [Err(Malformed("an entry lies within another"))], "{within}");
        }
        assert_eq!(numbers(&chain(25)), [Err(Malformed("an entry lies beyond the end"))]);
        assert_eq!(numbers(&chain(u32::MAX)), [Err(Malformed("an entry lies beyond the end"))]);
        assert_eq!(numbers(&chain(8)[..20]), [Ok(1), Ok(2), Err(SHORT)]);
        assert_eq!(numbers(&[]), []);
    }
}
