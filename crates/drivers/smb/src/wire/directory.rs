//! Entries of a listing: `FileIdBothDirectoryInformation` ([MS-FSCC] 2.4.22).

use super::cursor::{Malformed, chained};

/// One entry. Times are 100 ns since 1601; the name is as it came, little-endian 16-bit units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item<'a> {
    pub created: u64,
    pub accessed: u64,
    pub written: u64,
    pub changed: u64,
    pub size: u64,
    pub allocated: u64,
    pub attributes: u32,
    /// Size of the extended attributes, or the tag of a reparse point.
    pub ea_or_tag: u32,
    pub file_id: u64,
    pub name: &'a [u8],
}

impl Item<'_> {
    /// Is it `.` or `..`?
    pub fn is_dots(&self) -> bool {
        matches!(self.name, b".\0" | b".\0.\0")
    }
}

/// The entries of one answer.
pub(crate) fn items(raw: &[u8]) -> impl Iterator<Item = Result<Item<'_>, Malformed>> {
    chained(raw, |at| {
        at.skip(4)?; // file index: not kept by any file system of today
        let (created, accessed, written, changed) = (at.u64()?, at.u64()?, at.u64()?, at.u64()?);
        let (size, allocated) = (at.u64()?, at.u64()?);
        let attributes = at.u32()?;
        let name_len = at.size()?;
        let ea_or_tag = at.u32()?;
        at.skip(1 + 1 + 24 + 2)?; // short name
        let file_id = at.u64()?;
        let name = at.bytes(name_len)?;
        Ok(Item { created, accessed, written, changed, size, allocated, attributes, ea_or_tag, file_id, name })
    })
}
