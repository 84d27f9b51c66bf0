//! Frames on a TCP connection: four bytes of length, then messages ([MS-SMB2] 2.1).

use crate::{
    failure::Failure,
    wire::header::{HEADER, MAGIC, MAGIC_SEALED, MAGIC_SMB1},
};
use bytes::BytesMut;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
};

/// Bytes before a frame that tell its length.
pub(crate) const LENGTH: usize = 4;
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

/// Reads one frame of at most `most` bytes.
pub(crate) async fn read(reading: &mut OwnedReadHalf, most: usize) -> Result<BytesMut, Failure> {
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
    let mut raw = BytesMut::with_capacity(len);
    let mut rest = reading.take(u64::try_from(len).unwrap_or(u64::MAX));
    while raw.len() < len {
        if rest.read_buf(&mut raw).await.map_err(lost)? == 0 {
            return Err(Failure::Lost("the server closed the connection in the middle of an answer".into()));
        }
    }
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
