//! Just as much of Protocol Buffers as the tail of an ORC file needs.

use crate::row::invalid;
use std::io;

/// The value of a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(super) fn number(self) -> io::Result<u64> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Bytes(_) => Err(invalid("a number is expected, and text is there")),
        }
    }
    pub(super) fn bytes(self) -> io::Result<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) => Err(invalid("text is expected, and a number is there")),
        }
    }
    /// Repeated numbers, packed or one by one.
    pub(super) fn numbers(self, into: &mut Vec<u64>) -> io::Result<()> {
        match self {
            Self::Number(number) => into.push(number),
            Self::Bytes(mut packed) => {
                while !packed.is_empty() {
                    into.push(varint(&mut packed)?);
                }
            }
        }
        Ok(())
    }
}

/// The fields of a message, in the order in which they stand.
pub(super) fn fields(mut text: &[u8]) -> impl Iterator<Item = io::Result<(u64, Value<'_>)>> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let field = field(&mut text);
        if field.is_err() {
            text = &[];
        }
        Some(field)
    })
}

fn field<'a>(text: &mut &'a [u8]) -> io::Result<(u64, Value<'a>)> {
    let tag = varint(text)?;
    let value = match tag & 7 {
        0 => Value::Number(varint(text)?),
        1 => Value::Bytes(cut(text, 8)?),
        2 => {
            let len = varint(text)?;
            Value::Bytes(cut(text, len)?)
        }
        5 => Value::Bytes(cut(text, 4)?),
        other => return Err(invalid(format!("a field of the kind {other}, which there is not"))),
    };
    Ok((tag >> 3, value))
}

fn cut<'a>(text: &mut &'a [u8], len: u64) -> io::Result<&'a [u8]> {
    let len = usize::try_from(len).ok().filter(|len| *len <= text.len());
    let (value, rest) = text.split_at(len.ok_or_else(|| invalid("a field is longer than what it is in"))?);
    *text = rest;
    Ok(value)
}

fn varint(text: &mut &[u8]) -> io::Result<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let Some((byte, rest)) = text.split_first() else { break };
        *text = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(invalid("a number has no end"))
}
