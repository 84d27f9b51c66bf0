//! Frames on a TCP connection: four bytes of length, then messages ([MS-SMB2] 2.1).

use crate::{
    failure::Failure,
    wire::{
        cursor::Malformed,
        header::{HEADER, Header, MAGIC, MAGIC_SEALED, MAGIC_SMB1, SIGNATURE},
    },
};
use bytes::{Bytes, BytesMut};
use std::{collections::VecDeque, io, net::SocketAddr, ops::RangeInclusive, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
};

/// Bytes before a frame that tell its length.
pub(crate) const LENGTH: usize = 4;
/// Bytes of the tag of an encrypted message.
const TAG: usize = 16;
/// Largest frame before NEGOTIATE is answered, bytes.
pub(crate) const MOST_HANDSHAKE: usize = 256 << 10;
/// Largest content that is ever asked for in one request, bytes.
pub(crate) const MOST_CONTENT: u32 = 8 << 20;

/// Largest frame when an answer may bring so many bytes: headers, a chain's other answers and encryption come on top.
pub(crate) fn most(content: u32) -> usize {
    usize::try_from(content.min(MOST_CONTENT)).unwrap_or(usize::MAX).saturating_add(256 << 10)
}

/// Connects to the first address of the host that answers.
pub(crate) async fn connect(host: &str, port: u16, limit: Duration) -> Result<(TcpStream, SocketAddr), Failure> {
    let told = |error: io::Error, what: &str| {
        Failure::Connect(Arc::new(io::Error::new(error.kind(), format!("{what}: {error}"))))
    };
    let connecting = async {
        let addresses = tokio::net::lookup_host((host, port)).await;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses.map_err(|error| told(error, &format!("the name `{host}`")))? {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Without it, each small request waits for the acknowledgement of the one before.
                    stream.set_nodelay(true).map_err(|error| Failure::Connect(Arc::new(error)))?;
                    return Ok((stream, address));
                }
                Err(error) => last = io::Error::new(error.kind(), format!("{address}: {error}")),
            }
        }
        Err(Failure::Connect(Arc::new(last)))
    };
    match tokio::time::timeout(limit, connecting).await {
        Ok(done) => done,
        Err(_elapsed) => {
            let why = format!("{host}:{port}: no connection within {limit:?}");
            Err(Failure::Connect(Arc::new(io::Error::new(io::ErrorKind::TimedOut, why))))
        }
    }
}

/// Fills in the length of a frame whose first four bytes are free.
pub(crate) fn finish(mut frame: Vec<u8>) -> Vec<u8> {
    let len = u32::try_from(frame.len() - LENGTH).expect("requests are small");
    frame[..LENGTH].copy_from_slice(&len.to_be_bytes());
    frame
}

/// Writes a frame in one go.
pub(crate) async fn write(writing: &mut OwnedWriteHalf, frame: &[u8]) -> io::Result<()> {
    writing.write_all(frame).await
}

/// Memory of large frames that were read, for the next ones: fresh memory costs the kernel as much as a third of the
/// copying, because it has to be emptied and mapped first. A frame's memory is free again when whoever got the frame
/// has dropped it.
#[derive(Debug, Default)]
pub(crate) struct Memory(VecDeque<BytesMut>);

impl Memory {
    /// Frames that are kept. As many as one reader has in flight.
    const KEPT: usize = 4;
    /// Smallest and largest frame that is worth keeping, bytes.
    const WORTH: RangeInclusive<usize> = (256 << 10)..=(2 << 20);

    /// Empty memory with room for so many bytes.
    fn room(&mut self, len: usize) -> BytesMut {
        if Self::WORTH.contains(&len)
            && let Some(at) = self.0.iter_mut().position(|used| used.try_reclaim(len))
        {
            return self.0.remove(at).expect("it was just found there");
        }
        BytesMut::with_capacity(len)
    }

    /// Keeps the memory of a frame that got its room here, beside whoever reads the frame.
    fn keep(&mut self, frame: &mut BytesMut) {
        if Self::WORTH.contains(&frame.len()) {
            if self.0.len() == Self::KEPT {
                self.0.pop_front();
            }
            // No bytes of it, only a share in the memory they lie in.
            self.0.push_back(frame.split_off(frame.len() + TAG));
        }
    }
}

/// Reads one frame of at most `most` bytes.
pub(crate) async fn read(reading: &mut OwnedReadHalf, most: usize, memory: &mut Memory) -> Result<BytesMut, Failure> {
    let lost = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Failure::Lost("the server closed the connection".into()),
        _ => Failure::Lost(Arc::from(error.to_string())),
    };
    let mut head = [0; LENGTH];
    reading.read_exact(&mut head).await.map_err(lost)?;
    if head[0] != 0 {
        return Err(Failure::NotSmb(stranger(head)));
    }
    let len = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
    if len > most {
        return Err(Failure::Lost(Arc::from(format!("a frame of {len} bytes came, where {most} are the most"))));
    }
    // Decryption wants the tag of the message behind it.
    let mut raw = memory.room(len.saturating_add(TAG));
    let mut rest = reading.take(u64::try_from(len).unwrap_or(u64::MAX));
    while raw.len() < len {
        if rest.read_buf(&mut raw).await.map_err(lost)? == 0 {
            return Err(Failure::Lost("the server closed the connection in the middle of an answer".into()));
        }
    }
    memory.keep(&mut raw);
    Ok(raw)
}

/// Is the frame encrypted?
pub(crate) fn is_sealed(raw: &[u8]) -> bool {
    raw.starts_with(&MAGIC_SEALED)
}

/// Does the frame begin as one of SMB 2?
pub(crate) fn check_magic(raw: &[u8]) -> Result<(), Failure> {
    if raw.starts_with(&MAGIC) && raw.len() >= HEADER {
        return Ok(());
    }
    if raw.starts_with(&MAGIC_SMB1) {
        return Err(Failure::NotSmb("the server answers in SMB 1".to_owned()));
    }
    Err(Failure::NotSmb("what answers does not speak SMB".to_owned()))
}

/// The messages of a frame that is not encrypted, each with its header. In the messages the place of the signature is
/// empty, as it was when they were signed.
pub(crate) fn messages(mut raw: BytesMut) -> Result<Vec<(Header, Bytes)>, Failure> {
    check_magic(&raw)?;
    let mut headers = Vec::with_capacity(1);
    let mut at = 0;
    loop {
        let header = Header::decode(&raw[at..])?;
        raw[at..][SIGNATURE].fill(0);
        let next = usize::try_from(header.next).unwrap_or(usize::MAX);
        let end = if next == 0 { raw.len() } else { at.saturating_add(next) };
        if next % 8 != 0 || (next != 0 && (next < HEADER || raw.len() - at < next.saturating_add(HEADER))) {
            return Err(Failure::Malformed(Malformed("a chain of answers is broken")));
        }
        headers.push((header, at..end));
        if next == 0 {
            break;
        }
        at = end;
    }
    let raw = raw.freeze();
    Ok(headers.into_iter().map(|(header, place)| (header, raw.slice(place))).collect())
}

/// What answers in place of an SMB server, by its first bytes.
fn stranger(head: [u8; LENGTH]) -> String {
    let what = match &head {
        [0x15 | 0x16, 3, ..] => "TLS",
        b"HTTP" => "HTTP",
        b"SSH-" => "SSH",
        b"220 " | b"220-" => "FTP or mail",
        _ => return format!("what answers does not speak SMB: its first bytes are {head:02X?}"),
    };
    format!("what answers speaks {what}, not SMB")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a frame of so many bytes into memory.
    fn frame(memory: &mut Memory, len: usize) -> BytesMut {
        let mut raw = memory.room(len + TAG);
        raw.resize(len, 1);
        memory.keep(&mut raw);
        raw
    }

    #[test]
    fn memory_of_a_large_frame_is_used_again_once_it_is_dropped() {
        let mut memory = Memory::default();
        let len = 1 << 20;
        let first = frame(&mut memory, len);
        let place = first.as_ptr();
        let second = frame(&mut memory, len);
        assert_ne!(second.as_ptr(), place);
        let part = first.freeze().slice(80..90);
        assert_ne!(frame(&mut memory, len).as_ptr(), place, "somebody reads it still");
        drop(part);
        let mut again = frame(&mut memory, len - 100);
        assert_eq!(again.as_ptr(), place);
        // A tag fits behind it without moving it.
        again.extend_from_slice(&[0; TAG]);
        assert_eq!(again.as_ptr(), place);
        let all: Vec<_> = (0..20).map(|_| frame(&mut memory, len)).collect();
        assert!(memory.0.len() <= Memory::KEPT && all.iter().all(|frame| frame.len() == len));
        let small = frame(&mut memory, 100);
        assert!(memory.0.len() <= Memory::KEPT && small.capacity() < 1000);
    }
}
