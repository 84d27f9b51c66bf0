//! ONC RPC version 2 (RFC 5531) over one TCP connection, with many calls in flight.
//!
//! ```ignore
//! let nfs = Program { number: 100_003, version: 3 };
//! let rpc = Rpc::connect(&Address::new("filer", 2049), nfs, &RpcOptions::default()).await?;
//! let who = Credential::sys(&AuthSys { uid, gid, ..AuthSys::default() });
//! let results: Bytes = rpc.call(100_003, 3, 0, &who, Bytes::new()).await?;
//! ```
//!
//! * A [`Rpc`] is cheap to clone; the connection ends when the last clone is dropped.
//! * `body` is the XDR of the arguments; the answer is the XDR of the results, a slice of the record as it came
//!   from the socket. Read it with [`crate::xdr::Reader`]; `Bytes::slice_ref` makes a part of it without a copy,
//!   which keeps the whole record in memory, so copy what is small and lives long.
//! * Calls are answered in any order. A dropped call is forgotten, and its late answer with it.
//! * A call that is not answered within `RpcOptions::call_timeout` fails alone with [`RpcError::Timeout`]. When
//!   nothing at all was heard for that long, the connection is closed, and every other call in flight fails with
//!   [`RpcError::Closed`] at once. A closed connection stays closed ([`Rpc::is_closed`]): connect anew.
//! * At most `RpcOptions::in_flight` calls are under way, further ones wait for their turn: their timeout starts
//!   when they are sent.
//! * What the server *calls* (the backchannel of NFSv4.1, RFC 8881 section 2.10.3.1) is handed to
//!   `RpcOptions::callback` as the whole record from its xid on; what that returns is sent back as a whole record
//!   ([`reply_to`] makes its head). Without a callback it is ignored.

mod connection;
mod error;
mod message;
mod record;
mod socket;
mod tls;

pub(crate) use self::tls::{Tls, TlsError};
pub(crate) use error::RpcError;
pub(crate) use message::{AuthSys, Credential, Program, reply_to};

use crate::PrivilegedPort;
use bytes::Bytes;
use connection::Connection;
use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};
use tokio_util::task::AbortOnDropHandle;

/// Longest record that is taken by default: the largest READ or READDIR that is asked for (1 MiB) and what
/// stands around it, with room for a server that rounds up.
const RECORD_MAX: usize = 4 << 20;
/// Calls in flight by default; Linux has as many slots at most for a TCP connection before it grows its table.
const IN_FLIGHT: usize = 128;

/// Answers a call of the server: the whole record in, the whole record of the reply out.
pub(crate) type Callback = Arc<dyn Fn(Bytes) -> Option<Bytes> + Send + Sync>;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Name, IPv4 address, or IPv6 address without brackets. The addresses of a name are tried in turn.
    pub host: String,
    pub port: u16,
}

impl Address {
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

impl From<SocketAddr> for Address {
    fn from(at: SocketAddr) -> Self {
        Self { host: at.ip().to_string(), port: at.port() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// How to connect, and how long to wait.
#[derive(Clone)]
pub(crate) struct RpcOptions {
    /// Longest wait for a connection to each address of the host, TLS included.
    pub connect_timeout: Duration,
    /// Longest wait for one answer.
    pub call_timeout: Duration,
    /// Whether to come from a port below 1024.
    pub privileged_port: PrivilegedPort,
    /// Longest record, either way, bytes.
    pub record_max: usize,
    /// Most calls under way.
    pub in_flight: usize,
    /// TLS around the whole stream.
    pub tls: Option<Tls>,
    /// Answers what the server calls.
    pub callback: Option<Callback>,
}

impl Default for RpcOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            call_timeout: Duration::from_mins(1),
            privileged_port: PrivilegedPort::Auto,
            record_max: RECORD_MAX,
            in_flight: IN_FLIGHT,
            tls: None,
            callback: None,
        }
    }
}

impl fmt::Debug for RpcOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcOptions")
            .field("connect_timeout", &self.connect_timeout)
            .field("call_timeout", &self.call_timeout)
            .field("privileged_port", &self.privileged_port)
            .field("record_max", &self.record_max)
            .field("in_flight", &self.in_flight)
            .field("tls", &self.tls.is_some())
            .field("callback", &self.callback.is_some())
            .finish()
    }
}

/// One connection to an RPC server.
#[derive(Clone)]
pub(crate) struct Rpc(Arc<Open>);

struct Open {
    connection: Arc<Connection>,
    peer: SocketAddr,
    /// Ends the connection when the last `Rpc` goes.
    _task: AbortOnDropHandle<()>,
}

impl fmt::Debug for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rpc").field("peer", &self.0.peer).field("closed", &self.is_closed()).finish()
    }
}

impl Rpc {
    /// Connects to the first address of the host that answers, to call `program`. Errors: `Connect`, `Tls`.
    pub async fn connect(address: &Address, program: Program, options: &RpcOptions) -> Result<Self, RpcError> {
        let (stream, peer) = socket::open(address, program, options).await?;
        let connection = Arc::new(Connection::new(options));
        let task = tokio::spawn(connection::run(connection.clone(), stream, options.callback.clone()));
        Ok(Self(Arc::new(Open { connection, peer, _task: AbortOnDropHandle::new(task) })))
    }

    /// Sends one call and waits for its results. Nothing is ever sent twice.
    pub async fn call(
        &self,
        program: u32,
        version: u32,
        procedure: u32,
        credential: &Credential,
        body: Bytes,
    ) -> Result<Bytes, RpcError> {
        let call = message::Call { program, version, procedure, credential, body: &body };
        self.0.connection.call(&call).await
    }

    /// The address that took the connection.
    pub fn peer(&self) -> SocketAddr {
        self.0.peer
    }

    /// Has the connection ended? Every further call fails.
    pub fn is_closed(&self) -> bool {
        self.0.connection.is_closed()
    }

    /// Calls that wait for an answer.
    pub fn under_way(&self) -> usize {
        self.0.connection.under_way()
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
