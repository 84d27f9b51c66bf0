//! Many requests at a time over a client that serves one on each connection.
//!
//! The rest of the driver only knows [`Pool::nfs`]: a transport that multiplexes would take its place. A
//! connection belongs to the request that uses it; when the request is dropped, times out or ends in doubt,
//! the connection goes with it, so an answer that nobody waits for is never taken for another's.

use crate::{NfsOptions, PrivilegedPort, failure::Failure, wire::Wire};
use futures::FutureExt as _;
use nfs3_client::{PortmapError, PortmapperClient, RpcError, rpc::RpcClient};
use nfs3_types::{
    nfs3::{self, NFS_PROGRAM, Nfs3Result},
    portmap::{IPPROTO_TCP, PMAP_PORT},
    rpc::opaque_auth,
    xdr_codec::{Pack, Unpack},
};
use std::{
    fmt,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use storage::Probe;
use tokio::sync::Semaphore;

/// A connection that was in use so recently is taken without asking whether the server closed it: the
/// question is a system call, and a wrong guess is an error that is retried.
const FRESH: Duration = Duration::from_millis(20);

/// How connections are made and how long anything may take.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    pub privileged: PrivilegedPort,
    pub connect_timeout: Duration,
    pub request_timeout: Duration,
    pub connections: usize,
    pub probe: Arc<dyn Probe>,
}

impl Manner {
    pub fn new(options: &NfsOptions) -> Self {
        Self {
            privileged: options.privileged_port,
            connect_timeout: options.connect_timeout,
            request_timeout: options.request_timeout,
            connections: options.connections.get(),
            probe: options.probe.clone(),
        }
    }

    pub async fn connect(&self, to: SocketAddr) -> Result<Wire, Failure> {
        let made = Wire::connect(to, self.privileged, self.connect_timeout).await;
        made.map_err(|e| Failure::Connect(io::Error::new(e.kind(), format!("{to}: {e}"))))
    }

    /// Sends one call and waits for its answer, no longer than the request timeout. A panic of the client
    /// crate ends here.
    pub async fn answer<T, E: Into<Failure>>(
        &self,
        call: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.request_timeout, AssertUnwindSafe(call).catch_unwind()).await {
            Ok(Ok(answer)) => answer.map_err(Into::into),
            Ok(Err(_panic)) => Err(Failure::Panicked),
            Err(_elapsed) => Err(Failure::Timeout(self.request_timeout)),
        }
    }

    /// Like [`Manner::answer`], and tells the probe.
    pub async fn observed<T, E: Into<Failure>>(
        &self,
        op: &'static str,
        call: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, Failure> {
        let since = Instant::now();
        let answer = self.answer(call).await;
        self.probe.observed(op, since.elapsed(), answer.is_ok());
        answer
    }

    /// Asks the portmapper of `server` where a program of version 3 listens.
    pub async fn port_of(&self, server: IpAddr, program: u32, name: &'static str) -> Result<u16, Failure> {
        let mut wire = self.connect(SocketAddr::new(server, PMAP_PORT)).await?;
        let mut portmapper = PortmapperClient::new(&mut wire);
        self.answer(async {
            portmapper.getport(program, 3, IPPROTO_TCP).await.map_err(|e| match e {
                PortmapError::Rpc(error) => Failure::Rpc(error),
                PortmapError::ProgramUnavailable | PortmapError::InvalidPortValue(_) => Failure::NotRegistered(name),
            })
        })
        .await
    }
}

/// An answer of NFS: what was asked for, or a status.
pub(crate) trait Answer: Unpack {
    /// What comes with success.
    type Good;
    /// Success, or the status.
    fn result(self) -> Result<Self::Good, Failure>;
}

impl<T: Unpack, E: Unpack> Answer for Nfs3Result<T, E> {
    type Good = T;
    fn result(self) -> Result<T, Failure> {
        match self {
            Self::Ok(good) => Ok(good),
            Self::Err((status, _)) => Err(Failure::Status(status)),
        }
    }
}

/// Connections to one server's NFS port.
pub(crate) struct Pool {
    manner: Manner,
    credential: opaque_auth<'static>,
    /// Ask the portmapper again when nothing listens at the port any more.
    port_may_move: bool,
    slots: Semaphore,
    state: Mutex<State>,
}

struct State {
    server: SocketAddr,
    /// Connections that wait for a request, and since when.
    idle: Vec<(Wire, Instant)>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("server", &self.server()).finish_non_exhaustive()
    }
}

impl Pool {
    pub fn new(manner: Manner, credential: opaque_auth<'static>, server: SocketAddr, port_may_move: bool) -> Self {
        let state = Mutex::new(State { server, idle: Vec::new() });
        let slots = Semaphore::new(manner.connections);
        Self { manner, credential, port_may_move, slots, state }
    }

    /// Where NFS is served.
    pub fn server(&self) -> SocketAddr {
        self.state().server
    }

    /// Goes on at another address. Connections to the old one are closed.
    pub fn move_to(&self, server: SocketAddr) {
        let mut state = self.state();
        if state.server != server {
            state.server = server;
            state.idle.clear();
        }
    }

    /// How many requests can be under way.
    pub fn width(&self) -> usize {
        self.manner.connections
    }

    /// One NFS request.
    pub async fn nfs<R: Answer + Send>(
        &self,
        procedure: NFS_PROGRAM,
        args: &(impl Pack + Send + Sync),
    ) -> Result<R::Good, Failure>
    where
        R::Good: Send,
    {
        let _slot = self.slots.acquire().await.expect("the semaphore is never closed");
        let mut wire = self.connection().await?;
        let answer = {
            let mut client = RpcClient::new_with_auth(&mut wire, self.credential.clone(), opaque_auth::default());
            let call = async {
                let answer = client.call::<_, R>(nfs3::PROGRAM, nfs3::VERSION, procedure as u32, args).await;
                answer.map_err(Failure::Rpc).and_then(Answer::result)
            };
            self.manner.observed(name(procedure), call).await
        };
        match &answer {
            Err(failure) if !failure.leaves_connection_clean() => {
                tracing::debug!(op = name(procedure), error = %failure, "connection dropped");
                // When the server went away, the other connections are as dead as this one.
                if matches!(failure, Failure::Rpc(RpcError::Io(_))) {
                    self.state().idle.clear();
                }
            }
            _ => self.state().idle.push((wire, Instant::now())),
        }
        answer
    }

    async fn connection(&self) -> Result<Wire, Failure> {
        let server = {
            let mut state = self.state();
            // A server closes what was idle for some minutes, and a restarted one knows no old connection.
            while let Some((wire, since)) = state.idle.pop() {
                if since.elapsed() < FRESH || wire.is_quiet() {
                    return Ok(wire);
                }
            }
            state.server
        };
        let refused = match self.manner.connect(server).await {
            Err(Failure::Connect(cause)) if self.port_may_move && cause.kind() == ErrorKind::ConnectionRefused => cause,
            done => return done,
        };
        let Ok(port) = self.manner.port_of(server.ip(), nfs3::PROGRAM, "NFS").await else {
            return Err(Failure::Connect(refused));
        };
        let moved = SocketAddr::new(server.ip(), port);
        if moved == server {
            return Err(Failure::Connect(refused));
        }
        let wire = self.manner.connect(moved).await?;
        self.state().server = moved;
        Ok(wire)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing under the lock can leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The protocol's word for a procedure (RFC 1813), as probes get it.
const fn name(procedure: NFS_PROGRAM) -> &'static str {
    match procedure {
        NFS_PROGRAM::NFSPROC3_NULL => "NULL",
        NFS_PROGRAM::NFSPROC3_GETATTR => "GETATTR",
        NFS_PROGRAM::NFSPROC3_SETATTR => "SETATTR",
        NFS_PROGRAM::NFSPROC3_LOOKUP => "LOOKUP",
        NFS_PROGRAM::NFSPROC3_ACCESS => "ACCESS",
        NFS_PROGRAM::NFSPROC3_READLINK => "READLINK",
        NFS_PROGRAM::NFSPROC3_READ => "READ",
        NFS_PROGRAM::NFSPROC3_WRITE => "WRITE",
        NFS_PROGRAM::NFSPROC3_CREATE => "CREATE",
        NFS_PROGRAM::NFSPROC3_MKDIR => "MKDIR",
        NFS_PROGRAM::NFSPROC3_SYMLINK => "SYMLINK",
        NFS_PROGRAM::NFSPROC3_MKNOD => "MKNOD",
        NFS_PROGRAM::NFSPROC3_REMOVE => "REMOVE",
        NFS_PROGRAM::NFSPROC3_RMDIR => "RMDIR",
        NFS_PROGRAM::NFSPROC3_RENAME => "RENAME",
        NFS_PROGRAM::NFSPROC3_LINK => "LINK",
        NFS_PROGRAM::NFSPROC3_READDIR => "READDIR",
        NFS_PROGRAM::NFSPROC3_READDIRPLUS => "READDIRPLUS",
        NFS_PROGRAM::NFSPROC3_FSSTAT => "FSSTAT",
        NFS_PROGRAM::NFSPROC3_FSINFO => "FSINFO",
        NFS_PROGRAM::NFSPROC3_PATHCONF => "PATHCONF",
        NFS_PROGRAM::NFSPROC3_COMMIT => "COMMIT",
    }
}
