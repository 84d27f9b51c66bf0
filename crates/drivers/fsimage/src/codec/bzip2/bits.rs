//! Bits of a byte stream, highest first.

use std::io::{self, BufRead};

#[derive(Debug)]
pub(super) struct Bits<R> {
    input: R,
    /// Bits taken from the input and not yet given out, in the low end.
    held: u64,
    count: u32,
}

impl<R: BufRead> Bits<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, held: 0, count: 0 }
    }

    /// The next bits, 24 at most.
    pub(super) fn take(&mut self, bits: u32) -> io::Result<u32> {
        while self.count < bits {
            let chunk = self.input.fill_buf()?;
            let byte = *chunk.first().ok_or(io::ErrorKind::UnexpectedEof)?;
            self.input.consume(1);
            self.held = (self.held << 8) | u64::from(byte);
            self.count += 8;
        }
        self.count -= bits;
        let value = (self.held >> self.count) & ((1 << bits) - 1);
        self.held &= (1 << self.count) - 1;
        u32::try_from(value).map_err(io::Error::other)
    }

    /// The next 32 bits.
    pub(super) fn take32(&mut self) -> io::Result<u32> {
        Ok((self.take(16)? << 16) | self.take(16)?)
    }

    /// Skips to the next whole byte.
    pub(super) fn align(&mut self) {
        self.count -= self.count % 8;
        self.held &= (1 << self.count) - 1;
    }

    /// Did the input end here?
    pub(super) fn at_end(&mut self) -> io::Result<bool> {
        Ok(self.count == 0 && self.input.fill_buf()?.is_empty())
    }
}
