//! The socket under the RPC client: a TCP stream that shows whole records of bounded size.
//!
//! `nfs3_client` 0.9 gives up on a reply in several fragments (RFC 5531, section 11), allocates whatever
//! length the server names, and reads on for ever when the server closes the connection. So the record
//! marks are read here, fragments are joined, and what is too long or cut off is an error.

use crate::PrivilegedPort;
use nfs3_client::io::{AsyncRead, AsyncWrite};
use std::{
    io::{Error, ErrorKind, Result},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpSocket, TcpStream},
};

/// Longest reply that is taken: the largest READ or READDIRPLUS that is asked for (1 MiB) and what stands
/// around it, with room for a server that rounds up.
const MAX_RECORD: usize = 4 << 20;
/// The bit of a record mark that says "last fragment".
const LAST: u32 = 1 << 31;
/// One system call fetches a whole small reply; larger ones pass the buffer by.
const READ_BUFFER: usize = 16 << 10;
/// Ports that Linux itself uses for NFS by default (`sunrpc.min_resvport`, `sunrpc.max_resvport`).
const RESERVED: std::ops::RangeInclusive<u16> = 665..=1023;

/// A connection to an RPC server.
pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
    /// What the reader of the current record still gets: the rest of its mark, then its body.
    mark: [u8; 4],
    mark_served: usize,
    body_left: usize,
    /// The body, when it came in several fragments.
    joined: Option<Vec<u8>>,
}

impl Wire {
    pub async fn connect(to: SocketAddr, from: PrivilegedPort, timeout: Duration) -> Result<Self> {
        let stream = tokio::time::timeout(timeout, open(to, from))
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::TimedOut, format!("no connection within {timeout:?}"))))?;
        // Without it, a call waits for the acknowledgement of the one before: 40 ms.
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }

    pub fn over(stream: TcpStream) -> Self {
        let stream = BufReader::with_capacity(READ_BUFFER, stream);
        Self { stream, mark: [0; 4], mark_served: 4, body_left: 0, joined: None }
    }

    /// Is nothing there to read, as must be between a reply and the next call? False also when the server
    /// closed the connection.
    pub fn is_quiet(&self) -> bool {
        let idle = self.stream.buffer().is_empty() && self.body_left == 0 && self.mark_served == 4;
        idle && matches!(self.stream.get_ref().try_read(&mut [0]), Err(e) if e.kind() == ErrorKind::WouldBlock)
    }

    async fn next_record(&mut self) -> Result<()> {
        let mut mark = self.stream.read_u32().await?;
        let mut len = fragment_len(mark, 0)?;
        self.joined = None;
        if mark & LAST == 0 {
            let mut joined = Vec::new();
            loop {
                joined.resize(len, 0);
                let start = len - fragment_len(mark, 0)?;
                self.stream.read_exact(&mut joined[start..]).await?;
                if mark & LAST != 0 {
                    break;
                }
                mark = self.stream.read_u32().await?;
                len += fragment_len(mark, len)?;
            }
            self.joined = Some(joined);
        }
        let shown = u32::try_from(len).expect("at most MAX_RECORD");
        (self.mark, self.mark_served, self.body_left) = ((LAST | shown).to_be_bytes(), 0, len);
        Ok(())
    }
}

/// Length of a fragment; an error when the record would become longer than any reply that we asked for.
fn fragment_len(mark: u32, before: usize) -> Result<usize> {
    let len = usize::try_from(mark & !LAST).unwrap_or(usize::MAX);
    if len > MAX_RECORD - before {
        return Err(Error::new(ErrorKind::InvalidData, format!("a reply of more than {MAX_RECORD} bytes")));
    }
    Ok(len)
}

// For `&mut`: the client crate wants to own what it reads from, and the pool wants the socket back.
impl AsyncRead for &mut Wire {
    async fn async_read(&mut self, buf: &mut [u8]) -> Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if self.mark_served == 4 && self.body_left == 0 {
            self.next_record().await?;
        }
        if self.mark_served < 4 {
            let n = buf.len().min(4 - self.mark_served);
            buf[..n].copy_from_slice(&self.mark[self.mark_served..self.mark_served + n]);
            self.mark_served += n;
            return Ok(n);
        }
        let n = buf.len().min(self.body_left);
        let n = match &self.joined {
            Some(body) => {
                let at = body.len() - self.body_left;
                buf[..n].copy_from_slice(&body[at..at + n]);
                n
            }
            None => self.stream.read(&mut buf[..n]).await?,
        };
        if n == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.body_left -= n;
        Ok(n)
    }
}

impl AsyncWrite for &mut Wire {
    async fn async_write(&mut self, buf: &[u8]) -> Result<usize> {
        match self.stream.get_mut().write(buf).await? {
            0 if !buf.is_empty() => Err(ErrorKind::WriteZero.into()),
            n => Ok(n),
        }
    }
}

async fn open(to: SocketAddr, from: PrivilegedPort) -> Result<TcpStream> {
    match from {
        PrivilegedPort::No => TcpStream::connect(to).await,
        PrivilegedPort::Yes => open_from_reserved(to).await,
        PrivilegedPort::Auto => match open_from_reserved(to).await {
            // We may not, or every such port is taken (a closed connection keeps its port for a minute). A
            // server that insists will say so.
            Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::AddrInUse) => {
                TcpStream::connect(to).await
            }
            done => done,
        },
    }
}

async fn open_from_reserved(to: SocketAddr) -> Result<TcpStream> {
    /// Where the last search stopped, so that connections made together do not all try the same ports.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let count = RESERVED.end() - RESERVED.start() + 1;
    for _ in RESERVED {
        let port = RESERVED.end() - NEXT.fetch_add(1, Ordering::Relaxed) % count;
        let (socket, local) = match to {
            SocketAddr::V4(_) => (TcpSocket::new_v4()?, SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
            SocketAddr::V6(_) => (TcpSocket::new_v6()?, SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))),
        };
        // A port that waits out an old connection to *another* server is free for this one.
        socket.set_reuseaddr(true)?;
        let opened = match socket.bind(local) {
            Ok(()) => socket.connect(to).await,
            Err(refused) => Err(refused),
        };
        match opened {
            Err(e) if matches!(e.kind(), ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable) => {}
            done => return done,
        }
    }
    Err(Error::new(ErrorKind::AddrInUse, format!("every port of {RESERVED:?} is in use on this host")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// What a reader gets when the server sends `sent` and closes.
    async fn received(sent: &[u8], want: usize) -> Result<Vec<u8>> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (at, sent) = (listener.local_addr().unwrap(), sent.to_vec());
        let server = tokio::spawn(async move { listener.accept().await.unwrap().0.write_all(&sent).await });
        let mut wire = Wire::connect(at, PrivilegedPort::No, Duration::from_secs(5)).await?;
        let mut got = vec![0; want];
        let mut reader = &mut wire;
        let read = tokio::time::timeout(Duration::from_secs(20), reader.async_read_exact(&mut got)).await;
        let read = read.expect("it reads on for ever");
        server.await.unwrap().unwrap();
        read.map(|()| got)
    }

    #[tokio::test]
    async fn fragments_arrive_as_one_record() {
        let sent = b"\0\0\0\x03abc\0\0\0\0\x80\0\0\x02de\x80\0\0\x01f";
        assert_eq!(received(sent, 14).await.unwrap(), b"\x80\0\0\x05abcde\x80\0\0\x01f");
    }

    #[tokio::test]
    async fn a_reply_of_absurd_length_is_refused_before_it_is_read() {
        for mark in [b"\xff\xff\xff\xff", b"\x80\x40\x00\x01"] {
            assert_eq!(received(mark, 8).await.unwrap_err().kind(), ErrorKind::InvalidData);
        }
    }

    #[tokio::test]
    async fn a_closed_connection_is_an_error_and_not_an_endless_read() {
        for cut in [&b""[..], b"\x80\0", b"\x80\0\0\x05ab", b"\0\0\0\x02ab"] {
            assert_eq!(received(cut, 9).await.unwrap_err().kind(), ErrorKind::UnexpectedEof, "{cut:?}");
        }
    }
}
