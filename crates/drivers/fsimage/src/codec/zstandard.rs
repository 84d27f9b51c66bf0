//! Zstandard frames one after the other (RFC 8878), by the `zstd` crate.
//!
//! Hadoop writes them through a native library that its jars do not bring, so no image here was written by it: what
//! its `ZStandardCompressor` makes are plain frames of `ZSTD_compressStream`, and that is what is read and tested.

use std::io::{self, BufRead, Read};

/// Largest window taken, as the power of 2: 128 MiB. Hadoop's levels up to 19 take 8 MiB at most.
const WINDOW_LOG: u32 = 27;

/// The content of the frames in `raw`; none at all is no content.
pub(super) fn open(mut raw: impl BufRead + Send + 'static) -> Box<dyn Read + Send> {
    let decoder = match raw.fill_buf().map(<[u8]>::is_empty) {
        Ok(true) => return Box::new(io::empty()),
        Ok(false) => zstd::stream::read::Decoder::with_buffer(raw),
        Err(error) => Err(error),
    };
    match decoder.and_then(|mut decoder| decoder.window_log_max(WINDOW_LOG).map(|()| decoder)) {
        Ok(decoder) => Box::new(decoder),
        Err(error) => Box::new(Failed(Some(error))),
    }
}

/// The image could not be read, or the library has no memory for a decoder: whoever reads is told.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.0.take().unwrap_or_else(|| io::ErrorKind::OutOfMemory.into()))
    }
}
