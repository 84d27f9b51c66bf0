//! Bits as runs of bytes: what is there, and what is true.

use super::stream::Stream;
use std::io;

#[derive(Debug)]
pub(super) struct Truths<'a> {
    stream: Stream<'a>,
    /// Bytes left of the run, and the byte if they are all alike.
    left: u16,
    alike: Option<u8>,
    byte: u8,
    bits: u8,
}

impl<'a> Truths<'a> {
    pub(super) fn new(stream: Stream<'a>) -> Self {
        Self { stream, left: 0, alike: None, byte: 0, bits: 0 }
    }

    pub(super) fn next(&mut self) -> io::Result<bool> {
        if self.bits == 0 {
            if self.left == 0 {
                let control = i8::from_le_bytes([self.stream.byte()?]);
                (self.left, self.alike) = match u8::try_from(control) {
                    Ok(more) => (u16::from(more) + 3, Some(self.stream.byte()?)),
                    Err(_) => (u16::from(control.unsigned_abs()), None),
                };
            }
            self.left -= 1;
            self.byte = match self.alike {
                Some(byte) => byte,
                None => self.stream.byte()?,
            };
            self.bits = 8;
        }
        self.bits -= 1;
        Ok(self.byte >> self.bits & 1 == 1)
    }
}
