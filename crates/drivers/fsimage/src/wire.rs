//! The protobuf wire format, as far as an fsimage uses it: tags, varints, fixed numbers, lengths.
//!
//! Source: "Protocol Buffers Encoding" (wire types 0, 1, 2 and 5; groups were never written by HDFS and are
//! refused). A message is read from a slice that was cut to its length before, so that no length inside it can
//! reach beyond it. Nothing here allocates.

use std::fmt;

/// What was wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireError {
    /// A varint of more than ten bytes, or one that ends with the message.
    Varint,
    /// A length, or a fixed number, that reaches beyond the message.
    Length,
    /// A tag with field number 0 or a wire type that is not 0, 1, 2 or 5.
    Tag,
    /// A known field that came with another wire type than the one it has.
    Type,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Varint => "a number has more than ten bytes or is cut off",
            Self::Length => "a field reaches beyond its message",
            Self::Tag => "a field has a tag that cannot be",
            Self::Type => "a field has another type than it should",
        })
    }
}
impl std::error::Error for WireError {}

/// The value of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// Wire type 0: integers, booleans, enums.
    Varint(u64),
    /// Wire type 1: `fixed64`.
    Fixed64(u64),
    /// Wire type 2: bytes, strings, messages, packed numbers.
    Bytes(&'a [u8]),
    /// Wire type 5: `fixed32`.
    Fixed32(u32),
}

impl<'a> Value<'a> {
    /// The number of a `uint32`, `uint64`, `bool` or enum field.
    pub(crate) fn number(self) -> Result<u64, WireError> {
        match self {
            Self::Varint(number) => Ok(number),
            Self::Fixed64(_) | Self::Bytes(_) | Self::Fixed32(_) => Err(WireError::Type),
        }
    }
    /// The same for a field of 32 bits; higher bits are cut, as protobuf's own readers do.
    pub(crate) fn number32(self) -> Result<u32, WireError> {
        let low = self.number()? & u64::from(u32::MAX);
        u32::try_from(low).map_err(|_| WireError::Type)
    }
    /// The number of a `fixed64` field.
    pub(crate) fn fixed64(self) -> Result<u64, WireError> {
        match self {
            Self::Fixed64(number) => Ok(number),
            Self::Varint(_) | Self::Bytes(_) | Self::Fixed32(_) => Err(WireError::Type),
        }
    }
    /// The number of a `fixed32` field.
    pub(crate) fn fixed32(self) -> Result<u32, WireError> {
        match self {
            Self::Fixed32(number) => Ok(number),
            Self::Varint(_) | Self::Bytes(_) | Self::Fixed64(_) => Err(WireError::Type),
        }
    }
    /// The content of a field with a length.
    pub(crate) fn bytes(self) -> Result<&'a [u8], WireError> {
        match self {
            Self::Bytes(content) => Ok(content),
            Self::Varint(_) | Self::Fixed32(_) | Self::Fixed64(_) => Err(WireError::Type),
        }
    }
}

/// The fields of one message, in the order they were written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next field with its number; `None` at the end of the message.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, WireError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (field, kind) = split_tag(varint(&mut self.0)?)?;
        let value = match kind {
            0 => Value::Varint(varint(&mut self.0)?),
            1 => Value::Fixed64(u64::from_le_bytes(*self.take_array()?)),
            2 => {
                let len = usize::try_from(varint(&mut self.0)?).map_err(|_| WireError::Length)?;
                let (content, rest) = self.0.split_at_checked(len).ok_or(WireError::Length)?;
                self.0 = rest;
                Value::Bytes(content)
            }
            5 => Value::Fixed32(u32::from_le_bytes(*self.take_array()?)),
            _ => return Err(WireError::Tag),
        };
        Ok(Some((field, value)))
    }

    fn take_array<const N: usize>(&mut self) -> Result<&'a [u8; N], WireError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(WireError::Length)?;
        self.0 = rest;
        Ok(head)
    }
}

/// Takes a varint off the front.
pub(crate) fn varint(from: &mut &[u8]) -> Result<u64, WireError> {
    let mut number = 0_u64;
    for place in 0..10_u32 {
        let (byte, rest) = from.split_first().ok_or(WireError::Varint)?;
        *from = rest;
        // The tenth byte holds one bit of the number; further bits fall off, as in protobuf's own readers.
        number |= u64::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(WireError::Varint)
}

/// The field number and the wire type of a tag.
pub(crate) fn split_tag(tag: u64) -> Result<(u32, u8), WireError> {
    let field = u32::try_from(tag >> 3).map_err(|_| WireError::Tag)?;
    let kind = u8::try_from(tag & 7).map_err(|_| WireError::Tag)?;
    if field == 0 || field >= 1 << 29 { Err(WireError::Tag) } else { Ok((field, kind)) }
}

/// Appends a varint. Used for our own spill files, whose numbers have the same form.
pub(crate) fn put_varint(to: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = u8::try_from(number & 0x7F).expect("seven bits fit");
        number >>= 7;
        if number == 0 {
            to.push(low);
            return;
        }
        to.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_varint_reads_back(number in any::<u64>()) {
            let mut raw = Vec::new();
            put_varint(&mut raw, number);
            let mut rest = &raw[..];
            prop_assert_eq!(varint(&mut rest), Ok(number));
            prop_assert!(rest.is_empty());
        }
        #[test]
        fn no_bytes_make_the_reader_panic_or_run_on(raw in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut fields = Fields(&raw);
            let mut seen = 0;
            while let Ok(Some(_)) = fields.next() {
                seen += 1;
            }
            prop_assert!(seen <= raw.len());
        }
    }

    #[test]
    fn what_is_too_long_is_refused() {
        assert_eq!(varint(&mut &[0xFF; 11][..]), Err(WireError::Varint));
        assert_eq!(varint(&mut &[0x80][..]), Err(WireError::Varint));
        assert_eq!(Fields(&[0x0A, 5, 1]).next(), Err(WireError::Length));
        assert_eq!(Fields(&[0x0B]).next(), Err(WireError::Tag));
        assert_eq!(Fields(&[0x02, 0]).next(), Err(WireError::Tag));
        assert_eq!(Fields(&[0x08, 1]).next().unwrap().unwrap().1.bytes(), Err(WireError::Type));
    }
}
