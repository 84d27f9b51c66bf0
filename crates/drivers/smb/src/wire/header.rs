//! The 64 bytes before every message ([MS-SMB2] 2.2.1).

use super::cursor::{Malformed, Reader};

/// Bytes of a header.
pub(crate) const HEADER: usize = 64;
/// Where the signature lies in it.
pub(crate) const SIGNATURE: std::ops::Range<usize> = 48..64;

/// `\xFESMB`: a message.
pub(crate) const MAGIC: [u8; 4] = *b"\xFESMB";
/// `\xFDSMB`: an encrypted message ([MS-SMB2] 2.2.41).
pub(crate) const MAGIC_SEALED: [u8; 4] = *b"\xFDSMB";
/// `\xFFSMB`: SMB 1.
pub(crate) const MAGIC_SMB1: [u8; 4] = *b"\xFFSMB";

/// It is an answer.
pub(crate) const FLAG_RESPONSE: u32 = 1;
/// An interim or late answer: `async_id` stands in the place of the tree.
pub(crate) const FLAG_ASYNC: u32 = 2;
/// It works on what the message before it opened.
pub(crate) const FLAG_RELATED: u32 = 4;
/// It is signed.
pub(crate) const FLAG_SIGNED: u32 = 8;
/// Its name is a path of DFS: `server\share\path`.
pub(crate) const FLAG_DFS: u32 = 0x1000_0000;

/// What is asked for ([MS-SMB2] 2.2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Negotiate,
    SessionSetup,
    TreeConnect,
    Create,
    Close,
    Read,
    Ioctl,
    Echo,
    QueryDirectory,
    QueryInfo,
}

/// The message ID of an oplock break that nobody asked for ([MS-SMB2] 2.2.23).
pub(crate) const UNASKED: u64 = u64::MAX;

/// What a header of an answer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub status: u32,
    pub command: u16,
    pub credits: u16,
    pub flags: u32,
    /// Bytes to the next message of a chain; 0 in the last.
    pub next: u32,
    pub message_id: u64,
    /// Not meaningful with [`FLAG_ASYNC`].
    pub tree_id: u32,
    pub session_id: u64,
    pub signature: [u8; 16],
}

impl Header {
    pub fn decode(raw: &[u8]) -> Result<Self, Malformed> {
        let mut at = Reader::new(raw);
        if at.array::<4>()? != MAGIC {
            return Err(Malformed("a message does not begin as one of SMB 2"));
        }
        at.structure(64)?;
        at.skip(2)?; // credit charge
        let status = at.u32()?;
        let command = at.u16()?;
        let credits = at.u16()?;
        let flags = at.u32()?;
        let next = at.u32()?;
        let message_id = at.u64()?;
        at.skip(4)?;
        let tree_id = at.u32()?;
        let session_id = at.u64()?;
        let signature = at.array()?;
        Ok(Self { status, command, credits, flags, next, message_id, tree_id, session_id, signature })
    }
}

/// What a header of a request says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestHeader {
    pub command: Command,
    pub charge: u16,
    pub credits: u16,
    pub flags: u32,
    pub next: u32,
    pub message_id: u64,
    pub tree_id: u32,
    pub session_id: u64,
}

impl RequestHeader {
    /// Appends the 64 bytes; the signature is left empty.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&64_u16.to_le_bytes());
        out.extend_from_slice(&self.charge.to_le_bytes());
        out.extend_from_slice(&[0; 4]); // channel sequence, reserved
        out.extend_from_slice(&command_number(self.command).to_le_bytes());
        out.extend_from_slice(&self.credits.to_le_bytes());
        out.extend_from_slice(&self.flags.to_le_bytes());
        out.extend_from_slice(&self.next.to_le_bytes());
        out.extend_from_slice(&self.message_id.to_le_bytes());
        // The process of old: 0xFEFF is what Windows sends.
        out.extend_from_slice(&0xFEFF_u32.to_le_bytes());
        out.extend_from_slice(&self.tree_id.to_le_bytes());
        out.extend_from_slice(&self.session_id.to_le_bytes());
        out.extend_from_slice(&[0; 16]);
    }
}

/// The number of a command.
pub(crate) const fn command_number(command: Command) -> u16 {
    match command {
        Command::Negotiate => 0,
        Command::SessionSetup => 1,
        Command::TreeConnect => 3,
        Command::Create => 5,
        Command::Close => 6,
        Command::Read => 8,
        Command::Ioctl => 11,
        Command::Echo => 13,
        Command::QueryDirectory => 14,
        Command::QueryInfo => 16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_where_it_was_written() {
        let mut raw = Vec::new();
        RequestHeader {
            command: Command::QueryInfo,
            charge: 3,
            credits: 9,
            flags: FLAG_RELATED,
            next: 128,
            message_id: 77,
            tree_id: 5,
            session_id: u64::MAX,
        }
        .encode(&mut raw);
        assert_eq!(raw.len(), HEADER);
        let read = Header::decode(&raw).unwrap();
        assert_eq!((read.command, read.credits, read.flags, read.next), (16, 9, FLAG_RELATED, 128));
        assert_eq!((read.message_id, read.tree_id, read.session_id), (77, 5, u64::MAX));
        assert!(Header::decode(&raw[..63]).is_err());
    }
}
