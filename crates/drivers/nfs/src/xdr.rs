//! XDR (RFC 4506). A reader borrows the reply: nothing is allocated by a length that the server names, only by
//! what is really there.

use bytes::{BufMut as _, Bytes, BytesMut};
use std::fmt;

/// Why a reply makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the answer is malformed: {}", self.0)
    }
}
impl std::error::Error for Malformed {}

/// What a decoder gives.
pub(crate) type Decoded<T> = Result<T, Malformed>;

/// Reads a record from its beginning to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next `len` bytes, without padding.
    pub fn raw(&mut self, len: usize) -> Decoded<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }
    pub fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(*taken)
    }
    pub fn u32(&mut self) -> Decoded<u32> {
        self.array().map(u32::from_be_bytes)
    }
    pub fn u64(&mut self) -> Decoded<u64> {
        self.array().map(u64::from_be_bytes)
    }
    pub fn i64(&mut self) -> Decoded<i64> {
        self.array().map(i64::from_be_bytes)
    }
    pub fn bool(&mut self) -> Decoded<bool> {
        match self.u32()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("a truth value is neither 0 nor 1")),
        }
    }
    /// Opaque data or a string of at most `most` bytes, with its padding.
    pub fn opaque(&mut self, most: usize) -> Decoded<&'a [u8]> {
        let len = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        if len > most {
            return Err(Malformed("a field is longer than the protocol allows"));
        }
        let taken = self.raw(len)?;
        self.raw(padding(len))?;
        Ok(taken)
    }
    /// The count of an array whose elements take at least `each` bytes: never more than what is left can hold.
    pub fn count(&mut self, each: usize) -> Decoded<usize> {
        let count = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        if count > self.0.len() / each {
            return Err(Malformed("an array is longer than the answer"));
        }
        Ok(count)
    }
}

/// Writes a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writer(pub BytesMut);

impl Writer {
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.0.put_u32(value);
        self
    }
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.0.put_u64(value);
        self
    }
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.u32(u32::from(value))
    }
    /// Bytes of a length that both sides know; a multiple of four.
    pub fn fixed(&mut self, value: &[u8]) -> &mut Self {
        self.0.put_slice(value);
        self.0.put_bytes(0, padding(value.len()));
        self
    }
    /// Bytes with their length before them.
    pub fn opaque(&mut self, value: &[u8]) -> &mut Self {
        self.u32(u32::try_from(value.len()).expect("nothing we send is 4 GiB long"));
        self.fixed(value)
    }
    pub fn into_bytes(self) -> Bytes {
        self.0.freeze()
    }
}

/// Bytes that fill up to a multiple of four.
fn padding(len: usize) -> usize {
    (4 - len % 4) % 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut writer = Writer::default();
        writer.u32(7).u64(u64::MAX).bool(true).opaque(b"abcde").fixed(b"12345678").opaque(b"");
        let raw = writer.into_bytes();
        assert_eq!(raw.len() % 4, 0);
        let mut reader = Reader(&raw);
        assert_eq!((reader.u32(), reader.u64(), reader.bool()), (Ok(7), Ok(u64::MAX), Ok(true)));
        assert_eq!(reader.opaque(5), Ok(&b"abcde"[..]));
        assert_eq!(reader.array(), Ok(*b"12345678"));
        assert_eq!(reader.opaque(0), Ok(&b""[..]));
        assert!(reader.0.is_empty() && reader.u32().is_err());
    }

    #[test]
    fn a_length_is_never_believed() {
        assert!(Reader(b"\xff\xff\xff\xff....").opaque(usize::MAX).is_err());
        assert!(Reader(b"\0\0\0\x05abcde\0\0\0").opaque(4).is_err());
        assert!(Reader(b"\0\0\0\x05abcde\0\0").opaque(8).is_err());
        assert!(Reader(b"\0\0\0\x03abcdefgh").count(4).is_err());
        assert_eq!(Reader(b"\0\0\0\x02abcdefgh").count(4), Ok(2));
        assert!(Reader(b"\0\0\0\x02").bool().is_err());
    }
}
