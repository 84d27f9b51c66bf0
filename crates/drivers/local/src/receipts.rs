//! Which parts of an unfinished write are really there: a small file beside it.
//!
//! One record of 40 bytes for each part, appended after the part's bytes: index (4 bytes, then 4 of
//! zero), offset, length, CRC-64/NVME of the part, CRC-64/NVME of the record before this field; all
//! little-endian. A record that is torn or wrong is passed over. Nothing here is believed on resuming:
//! every part is read back and its checksum compared.

use crate::{Tree, errno::failed};
use model::RelPath;
use rustix::{
    buffer::spare_capacity,
    fd::{AsFd, OwnedFd},
    fs::{Mode, OFlags, fdatasync, openat},
    io::{Errno, pread, write},
};
use std::collections::BTreeMap;
use storage::{Receipt, Result, checksum};

const RECORD: usize = 40;
/// Bytes read at once when parts are verified.
const PIECE: usize = 1 << 20;

/// A part that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) crc64nvme: u64,
}

impl Part {
    pub(crate) fn receipt(self, index: u32) -> Receipt {
        Receipt { index, len: self.len, crc64nvme: Some(self.crc64nvme), tag: bytes::Bytes::new() }
    }
}

/// Opens the records beside a temporary file.
pub(crate) fn open(dir: &impl AsFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR.union(OFlags::CREATE).union(OFlags::APPEND).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
    openat(dir, name, flags, Mode::from_raw_mode(0o600))
}

/// Notes a part whose bytes are written already.
pub(crate) fn append(tree: &Tree, records: &OwnedFd, index: u32, part: Part) -> Result<(), Errno> {
    let record = encoded(index, part);
    // One write, so that records of parts in flight together never mix.
    if write(records, &record)? != RECORD {
        return Err(Errno::NOSPC);
    }
    if tree.options.durable {
        fdatasync(records)?;
    }
    Ok(())
}

fn encoded(index: u32, part: Part) -> Vec<u8> {
    let mut record = Vec::with_capacity(RECORD);
    record.extend_from_slice(&u64::from(index).to_le_bytes());
    for field in [part.offset, part.len, part.crc64nvme] {
        record.extend_from_slice(&field.to_le_bytes());
    }
    let check = checksum::crc64nvme(&[bytes::Bytes::copy_from_slice(&record)]);
    record.extend_from_slice(&check.to_le_bytes());
    record
}

fn decoded(record: &[u8]) -> Option<(u32, Part)> {
    let field = |n: usize| record.get(n * 8..n * 8 + 8)?.try_into().ok().map(u64::from_le_bytes);
    let check = checksum::crc64nvme(&[bytes::Bytes::copy_from_slice(record.get(..32)?)]);
    let index = u32::try_from(field(0)?).ok()?;
    let part = Part { offset: field(1)?, len: field(2)?, crc64nvme: field(3)? };
    (field(4)? == check).then_some((index, part))
}

/// The parts that are noted and whose bytes are what was noted. Reads them all.
pub(crate) fn verified(
    tree: &Tree,
    records: &OwnedFd,
    content: &OwnedFd,
    path: &RelPath,
) -> Result<BTreeMap<u32, Part>> {
    let broken = |error| failed(error, "resume the write of", path);
    let mut raw = Vec::new();
    loop {
        raw.reserve(64 * 1024);
        let at = raw.len() as u64;
        if pread(records, spare_capacity(&mut raw), at).map_err(broken)? == 0 {
            break;
        }
    }
    let noted: BTreeMap<u32, Part> = raw.chunks_exact(RECORD).filter_map(decoded).collect();
    let mut parts = BTreeMap::new();
    for (index, part) in noted {
        if tree.observed("pread", || crc_of(content, part)).map_err(broken)? == Some(part.crc64nvme) {
            parts.insert(index, part);
        }
    }
    Ok(parts)
}

/// The checksum of the bytes where the part should be; `None` when they are not all there.
fn crc_of(content: &OwnedFd, part: Part) -> Result<Option<u64>, Errno> {
    let mut so_far = 0;
    let mut done = 0_u64;
    let mut piece = Vec::with_capacity(PIECE);
    while done < part.len {
        piece.clear();
        let Some(at) = part.offset.checked_add(done) else { return Ok(None) };
        let got = match pread(content, spare_capacity(&mut piece), at) {
            Err(Errno::INTR) => continue,
            got => got?,
        };
        if got == 0 {
            return Ok(None);
        }
        let left = usize::try_from(part.len - done).unwrap_or(usize::MAX);
        piece.truncate(left);
        let len = piece.len() as u64;
        let crc = checksum::crc64nvme(&[bytes::Bytes::copy_from_slice(&piece)]);
        so_far = checksum::combine_crc64nvme(so_far, crc, len);
        done += len;
    }
    Ok(Some(so_far))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_a_broken_one_does_not() {
        let part = Part { offset: 5 << 40, len: 7, crc64nvme: u64::MAX };
        let record = encoded(3, part);
        assert_eq!(record.len(), RECORD);
        assert_eq!(decoded(&record), Some((3, part)));
        for at in 0..RECORD {
            let mut broken = record.clone();
            broken[at] ^= 1;
            assert_eq!(decoded(&broken), None, "a flipped bit in byte {at} is not seen");
        }
        assert_eq!(decoded(&record[..39]), None);
    }
}
