//! Bytes in memory: joining, cutting, checking.

use crate::{Error, ErrorKind, Result, checksum};
use bytes::Bytes;
use model::{Digests, RelPath};
use std::ops::Range;

/// One piece out of many; a single piece is not copied.
pub(super) fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    match pieces.len() {
        1 => pieces.swap_remove(0),
        _ => pieces.concat().into(),
    }
}

/// `Corrupt` when the content is not what the digests say, as far as we can compute them.
pub(super) fn verify(said: &Digests, pieces: &[Bytes], path: &RelPath) -> Result<()> {
    let found = Digests {
        crc64nvme: said.crc64nvme.map(|_| checksum::crc64nvme(pieces)),
        crc32c: said.crc32c.map(|_| checksum::crc32c(pieces)),
        ..Digests::default()
    };
    if said.agree(&found) == Some(false) {
        return Err(Error::new(ErrorKind::Corrupt, "write").at(path));
    }
    Ok(())
}

/// The bytes of `range`, its end cut to the end of the content.
pub(super) fn cut(content: &Bytes, range: Option<Range<u64>>, path: &RelPath) -> Result<Bytes> {
    let Some(range) = range else { return Ok(content.clone()) };
    let beyond = || Error::new(ErrorKind::Invalid, "read").at(path).because("the range starts beyond the end");
    let start = usize::try_from(range.start).ok().filter(|start| *start <= content.len()).ok_or_else(beyond)?;
    let end = usize::try_from(range.end).unwrap_or(usize::MAX).clamp(start, content.len());
    Ok(content.slice(start..end))
}
