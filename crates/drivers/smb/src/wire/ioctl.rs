//! IOCTL ([MS-SMB2] 2.2.31, 2.2.32).

use super::{
    cursor::{Malformed, Reader, Writer, len32, shared, size},
    file::OpenId,
    header::HEADER,
};
use bytes::Bytes;

/// What an IOCTL does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// FSCTL_DFS_GET_REFERRALS ([MS-DFSC] 2.2.2).
    DfsReferrals,
    /// FSCTL_PIPE_TRANSCEIVE: writes to a pipe and reads its answer.
    PipeTransceive,
    /// FSCTL_SRV_ENUMERATE_SNAPSHOTS ([MS-SMB2] 2.2.32.2).
    Snapshots,
    /// FSCTL_GET_REPARSE_POINT ([MS-FSCC] 2.3.30).
    ReparsePoint,
    /// FSCTL_VALIDATE_NEGOTIATE_INFO ([MS-SMB2] 2.2.31.4).
    ValidateNegotiate,
}

impl Control {
    const fn code(self) -> u32 {
        match self {
            Self::DfsReferrals => 0x0006_0194,
            Self::PipeTransceive => 0x0011_C017,
            Self::Snapshots => 0x0014_4064,
            Self::ReparsePoint => 0x0009_00A8,
            Self::ValidateNegotiate => 0x0014_0204,
        }
    }
}

/// The body of IOCTL. The answer may have `room` bytes.
pub(crate) fn request(id: &OpenId, control: Control, input: &[u8], room: u32) -> Vec<u8> {
    let mut out = Writer::default();
    out.u16(57).u16(0).u32(control.code()).bytes(id);
    out.u32(len32(HEADER + 56)).u32(len32(input.len())).u32(0);
    out.u32(0).u32(0).u32(room).u32(1).u32(0); // it is an FSCTL
    out.bytes(input);
    if input.is_empty() {
        out.u8(0);
    }
    out.done()
}

/// What it brought.
pub(crate) fn output(message: &Bytes) -> Result<Bytes, Malformed> {
    let mut at = Reader::new(message);
    at.skip(HEADER)?;
    at.structure(49)?;
    at.skip(2 + 4 + 16 + 8)?;
    let offset = size(at.u32()?)?;
    let len = size(at.u32()?)?;
    shared(message, offset, len)
}
