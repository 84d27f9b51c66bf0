//! zlib streams one after the other (RFC 1950), each with its end and its checksum.
//!
//! flate2's own reader takes the end of the input for the end of a stream; here a stream that is cut off is an
//! error, because half a directory must not pass for a whole one.

use flate2::{Decompress, FlushDecompress, Status};
use std::io::{self, BufRead, Read};

#[derive(Debug)]
pub(super) struct Zlib<R> {
    input: R,
    state: Decompress,
    /// Between two streams: the end of the input is an end here.
    between: bool,
}

impl<R: BufRead> Zlib<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, state: Decompress::new(true), between: true }
    }
}

impl<R: BufRead> Read for Zlib<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return if self.between { Ok(0) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            if self.between {
                self.state.reset(true);
                self.between = false;
            }
            let (taken, given) = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(chunk, out, FlushDecompress::None).map_err(io::Error::other)?;
            let taken = usize::try_from(self.state.total_in() - taken).map_err(io::Error::other)?;
            let given = usize::try_from(self.state.total_out() - given).map_err(io::Error::other)?;
            self.input.consume(taken);
            match status {
                Status::StreamEnd => self.between = true,
                Status::Ok | Status::BufError if taken == 0 && given == 0 => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a zlib stream makes no progress"));
                }
                Status::Ok | Status::BufError => {}
            }
            if given > 0 {
                return Ok(given);
            }
        }
    }
}
