//! SESSION_SETUP, TREE_CONNECT and their ends ([MS-SMB2] 2.2.5 to 2.2.12).

use super::{
    cursor::{Malformed, Reader, Writer, len16, part},
    header::HEADER,
};

/// The session is a guest's.
pub(crate) const SESSION_GUEST: u16 = 1;
/// The session is nobody's.
pub(crate) const SESSION_NULL: u16 = 2;
/// Everything in the session is to be encrypted.
pub(crate) const SESSION_ENCRYPT: u16 = 4;

/// The share lies in DFS.
pub(crate) const SHARE_FLAG_DFS: u32 = 1;
/// The share is a root of DFS.
pub(crate) const SHARE_FLAG_DFS_ROOT: u32 = 2;
/// Everything in the share is to be encrypted.
pub(crate) const SHARE_FLAG_ENCRYPT: u32 = 0x8000;
/// The share lies in DFS, as a capability.
pub(crate) const SHARE_CAP_DFS: u32 = 8;

/// The body of SESSION_SETUP.
pub(crate) fn setup(security_mode: u16, capabilities: u32, token: &[u8]) -> Vec<u8> {
    let mode = u8::try_from(security_mode).expect("two bits");
    let mut out = Writer::default();
    out.u16(25).u8(0).u8(mode).u32(capabilities).u32(0);
    out.u16(len16(HEADER + 24)).u16(len16(token.len())).u64(0).bytes(token);
    out.done()
}

/// What the server says to SESSION_SETUP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetupAnswer {
    pub flags: u16,
    pub token: Vec<u8>,
}

impl SetupAnswer {
    pub fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut at = Reader::new(message);
        at.skip(HEADER)?;
        at.structure(9)?;
        let flags = at.u16()?;
        let (offset, len) = (at.u16()?, at.u16()?);
        Ok(Self { flags, token: part(message, offset.into(), len.into())?.to_vec() })
    }
}

/// The body of TREE_CONNECT to `\\server\share`.
pub(crate) fn tree_connect(path: &[u16]) -> Vec<u8> {
    let mut out = Writer::default();
    out.u16(9).u16(0).u16(len16(HEADER + 8)).u16(len16(path.len() * 2));
    for unit in path {
        out.u16(*unit);
    }
    out.done()
}

/// What the server says of a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TreeAnswer {
    /// 1 disk, 2 pipe, 3 printer.
    pub kind: u8,
    pub flags: u32,
    pub capabilities: u32,
    pub maximal_access: u32,
}

impl TreeAnswer {
    pub fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut at = Reader::new(message);
        at.skip(HEADER)?;
        at.structure(16)?;
        let kind = at.u8()?;
        at.skip(1)?;
        Ok(Self { kind, flags: at.u32()?, capabilities: at.u32()?, maximal_access: at.u32()? })
    }
}

/// The body of ECHO, which says nothing.
pub(crate) fn echo() -> Vec<u8> {
    Writer::default().u16(4).u16(0).done()
}
