//! CREATE, CLOSE, READ ([MS-SMB2] 2.2.13 to 2.2.20).

use super::{
    cursor::{Malformed, Reader, Writer, len16, shared, size},
    header::HEADER,
};
use bytes::Bytes;

/// The server's name for what is open.
pub(crate) type OpenId = [u8; 16];

/// "What the message before me opened."
pub(crate) const RELATED: OpenId = [0xFF; 16];

/// Rights to ask for ([MS-SMB2] 2.2.13.1).
pub(crate) mod access {
    pub const READ_DATA: u32 = 1;
    pub const WRITE_DATA: u32 = 2;
    pub const READ_EA: u32 = 8;
    pub const READ_ATTRIBUTES: u32 = 0x80;
    pub const READ_CONTROL: u32 = 0x2_0000;
    pub const SYNCHRONIZE: u32 = 0x10_0000;
}

/// How to open ([MS-SMB2] 2.2.13, CreateOptions).
pub(crate) mod option {
    pub const DIRECTORY: u32 = 1;
    pub const NOT_DIRECTORY: u32 = 0x40;
    /// A backup operator may read everything.
    pub const BACKUP: u32 = 0x4000;
    /// The link itself, not where it points.
    pub const REPARSE_POINT: u32 = 0x20_0000;
}

/// `FILE_ATTRIBUTE_DIRECTORY` ([MS-FSCC] 2.6).
pub(crate) const ATTRIBUTE_DIRECTORY: u32 = 0x10;
/// `FILE_ATTRIBUTE_REPARSE_POINT`.
pub(crate) const ATTRIBUTE_REPARSE: u32 = 0x400;

/// The body of a CREATE that opens what is there. Others may read, write and delete it meanwhile.
pub(crate) fn create(name: &[u16], access: u32, options: u32) -> Vec<u8> {
    let mut out = Writer::default();
    out.u16(57).u8(0).u8(0); // no oplock
    out.u32(2).u64(0).u64(0); // impersonation
    out.u32(access).u32(0).u32(7).u32(1).u32(options); // share all; open
    out.u16(len16(HEADER + 56)).u16(len16(name.len() * 2)).u32(0).u32(0);
    for unit in name {
        out.u16(*unit);
    }
    if name.is_empty() {
        out.u8(0); // the buffer has at least one byte
    }
    out.done()
}

/// Times, sizes and attributes, as CREATE and CLOSE tell them. Times are 100 ns since 1601.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    pub created: u64,
    pub accessed: u64,
    pub written: u64,
    pub changed: u64,
    pub allocated: u64,
    pub size: u64,
    pub attributes: u32,
}

impl Network {
    fn decode(at: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            created: at.u64()?,
            accessed: at.u64()?,
            written: at.u64()?,
            changed: at.u64()?,
            allocated: at.u64()?,
            size: at.u64()?,
            attributes: at.u32()?,
        })
    }
}

/// What the server says to CREATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Created {
    pub id: OpenId,
    pub network: Network,
}

impl Created {
    pub fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut at = Reader::new(message);
        at.skip(HEADER)?;
        at.structure(89)?;
        at.skip(6)?; // oplock, flags, what was done
        let network = Network::decode(&mut at)?;
        at.skip(4)?;
        Ok(Self { id: at.array()?, network })
    }
}

/// The body of CLOSE; `tell` asks for times and sizes as they are at the end.
pub(crate) fn close(id: &OpenId, tell: bool) -> Vec<u8> {
    Writer::default().u16(24).u16(u16::from(tell)).u32(0).bytes(id).done()
}

/// What the server says to a CLOSE that asked; `None` where it does not tell.
pub(crate) fn closed(message: &[u8]) -> Result<Option<Network>, Malformed> {
    let mut at = Reader::new(message);
    at.skip(HEADER)?;
    at.structure(60)?;
    let told = at.u16()? & 1 == 1;
    at.skip(4)?;
    let network = Network::decode(&mut at)?;
    Ok(told.then_some(network))
}

/// The body of READ.
pub(crate) fn read(id: &OpenId, offset: u64, len: u32) -> Vec<u8> {
    let mut out = Writer::default();
    // The padding asks that content lies at this distance in the answer.
    out.u16(49).u8(0x50).u8(0).u32(len).u64(offset).bytes(id);
    out.u32(0).u32(0).u32(0).u16(0).u16(0).u8(0);
    out.done()
}

/// Content that READ brought.
pub(crate) fn content(message: &Bytes) -> Result<Bytes, Malformed> {
    let mut at = Reader::new(message);
    at.skip(HEADER)?;
    at.structure(17)?;
    let offset = at.u8()?;
    at.skip(1)?;
    let len = size(at.u32()?)?;
    shared(message, offset.into(), len)
}
