//! A stream to one of the addresses of a host, from a port that servers trust, with TLS where asked for.

use super::{Address, Program, RpcError, RpcOptions};
use crate::PrivilegedPort;
use std::{
    io::{Error, ErrorKind, Result},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Instant,
};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::client::TlsStream;

/// Ports that Linux itself uses for NFS by default (`sunrpc.min_resvport`, `sunrpc.max_resvport`).
const RESERVED: std::ops::RangeInclusive<u16> = 665..=1023;

/// What records travel on.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connects to the first address of the host that answers, to call `program`. The error is that of the last one, with
/// the address that was tried.
pub(super) async fn open(
    address: &Address,
    program: Program,
    options: &RpcOptions,
) -> std::result::Result<(Stream, SocketAddr), RpcError> {
    let failed = |error| RpcError::Connect(Arc::new(error));
    let resolving = tokio::net::lookup_host((address.host.as_str(), address.port));
    let resolved = tokio::time::timeout(options.connect_timeout, resolving).await;
    let resolved = resolved
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::TimedOut, "the name server does not answer")))
        .map_err(|e| failed(Error::new(e.kind(), format!("cannot resolve `{}`: {e}", address.host))))?;
    let mut last = failed(Error::other(format!("`{}` has no address", address.host)));
    for at in resolved {
        match open_at(at, program, options).await {
            Ok(stream) => return Ok((stream, at)),
            Err(RpcError::Connect(error)) => last = failed(Error::new(error.kind(), format!("{at}: {error}"))),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn open_at(to: SocketAddr, program: Program, options: &RpcOptions) -> std::result::Result<Stream, RpcError> {
    let (limit, since) = (options.connect_timeout, Instant::now());
    let connecting = tokio::time::timeout(limit, async {
        let stream = connect(to, options.privileged_port).await?;
        // Without it, a call waits for the acknowledgement of the one before: 40 ms.
        stream.set_nodelay(true)?;
        Ok(stream)
    });
    let stream = connecting
        .await
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::TimedOut, format!("no connection within {limit:?}"))))
        .map_err(|error| RpcError::Connect(Arc::new(error)))?;
    let Some(tls) = &options.tls else { return Ok(Stream::Plain(stream)) };
    let stream = tls.secure(stream, program, limit.saturating_sub(since.elapsed())).await?;
    Ok(Stream::Tls(Box::new(stream)))
}

async fn connect(to: SocketAddr, from: PrivilegedPort) -> Result<TcpStream> {
    match from {
        PrivilegedPort::No => TcpStream::connect(to).await,
        PrivilegedPort::Yes => connect_from_reserved(to).await,
        PrivilegedPort::Auto => match connect_from_reserved(to).await {
            // We may not, or every such port is taken (a closed connection keeps its port for a minute). A
            // server that insists will say so.
            Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::AddrInUse) => {
                TcpStream::connect(to).await
            }
            done => done,
        },
    }
}

async fn connect_from_reserved(to: SocketAddr) -> Result<TcpStream> {
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
