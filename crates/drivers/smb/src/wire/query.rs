//! QUERY_DIRECTORY and QUERY_INFO ([MS-SMB2] 2.2.33 to 2.2.38), and what they tell of a file ([MS-FSCC] 2.4).

use super::{
    cursor::{Malformed, Reader, Writer, chained, len16, shared, size},
    file::OpenId,
    header::HEADER,
};
use crate::names;
use bytes::Bytes;

/// `FileIdBothDirectoryInformation` ([MS-FSCC] 2.4.22).
const ID_BOTH_DIRECTORY: u8 = 37;
/// Start again from the beginning.
const RESTART_SCANS: u8 = 1;

/// What QUERY_INFO asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// `FileAllInformation` ([MS-FSCC] 2.4.2).
    All,
    /// `FileStreamInformation` ([MS-FSCC] 2.4.49).
    Streams,
    /// `FileFsVolumeInformation` ([MS-FSCC] 2.5.9).
    Volume,
    /// `FileFsAttributeInformation` ([MS-FSCC] 2.5.1).
    FsAttributes,
    /// `FileFsControlInformation` ([MS-FSCC] 2.5.2).
    Control,
    /// `FileFsFullSizeInformation` ([MS-FSCC] 2.5.4).
    FullSize,
    /// Owner, group and discretionary list of the security descriptor ([MS-DTYP] 2.4.6).
    Security,
}

impl What {
    const fn numbers(self) -> (u8, u8, u32) {
        match self {
            Self::All => (1, 18, 0),
            Self::Streams => (1, 22, 0),
            Self::Volume => (2, 1, 0),
            Self::FsAttributes => (2, 5, 0),
            Self::Control => (2, 6, 0),
            Self::FullSize => (2, 7, 0),
            Self::Security => (3, 0, 7),
        }
    }
}

/// The body of a QUERY_DIRECTORY for `*`.
pub(crate) fn directory(id: &OpenId, room: u32, restart: bool) -> Vec<u8> {
    let flags = if restart { RESTART_SCANS } else { 0 };
    let mut out = Writer::default();
    out.u16(33).u8(ID_BOTH_DIRECTORY).u8(flags).u32(0).bytes(id);
    out.u16(len16(HEADER + 32)).u16(2).u32(room).u16(u16::from(b'*'));
    out.done()
}

/// The body of QUERY_INFO.
pub(crate) fn info(id: &OpenId, what: What, room: u32) -> Vec<u8> {
    let (kind, class, additional) = what.numbers();
    let mut out = Writer::default();
    out.u16(41).u8(kind).u8(class).u32(room).u16(0).u16(0).u32(0).u32(additional).u32(0).bytes(id);
    out.done()
}

/// What either brought.
pub(crate) fn output(message: &Bytes) -> Result<Bytes, Malformed> {
    let mut at = Reader::new(message);
    at.skip(HEADER)?;
    at.structure(9)?;
    let offset = at.u16()?;
    let len = size(at.u32()?)?;
    shared(message, offset.into(), len)
}

/// What `FileAllInformation` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct All {
    pub created: u64,
    pub accessed: u64,
    pub written: u64,
    pub changed: u64,
    pub attributes: u32,
    pub allocated: u64,
    pub size: u64,
    pub links: u32,
    pub directory: bool,
    pub file_id: u64,
}

impl All {
    pub fn decode(raw: &[u8]) -> Result<Self, Malformed> {
        let mut at = Reader::new(raw);
        let (created, accessed, written, changed) = (at.u64()?, at.u64()?, at.u64()?, at.u64()?);
        let attributes = at.u32()?;
        at.skip(4)?;
        let (allocated, size) = (at.u64()?, at.u64()?);
        let links = at.u32()?;
        at.skip(1)?; // to be deleted
        let directory = at.u8()? != 0;
        at.skip(2)?;
        let file_id = at.u64()?;
        Ok(Self { created, accessed, written, changed, attributes, allocated, size, links, directory, file_id })
    }
}

/// Names of the alternate streams in a `FileStreamInformation`: without the colon before and the type behind.
pub(crate) fn streams(raw: &[u8]) -> Result<Vec<Bytes>, Malformed> {
    let name = |at: &mut Reader<'_>| {
        let len = at.size()?;
        at.skip(16)?;
        let name = names::from_wire(at.bytes(len)?);
        let name = name.strip_prefix(b":").unwrap_or(&name);
        Ok(Bytes::copy_from_slice(name.strip_suffix(b":$DATA").unwrap_or(name)))
    };
    // The content itself is the stream without a name.
    chained(raw, name).filter(|name| !name.as_ref().is_ok_and(Bytes::is_empty)).collect()
}
