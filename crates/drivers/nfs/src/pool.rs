//! Connections to one server's NFS port, and what happens when they break.
//!
//! Each connection carries many requests. There is one at first; another is opened when all that are open are
//! busy, up to [`NfsOptions::connections`](crate::NfsOptions). A request that lost its connection is sent again
//! over another: all that is ever sent only reads, so twice is as good as once.

use crate::{
    failure::Failure,
    manner::{Manner, NFS, Procedure},
    rpc::{self, Credential, Rpc, RpcError},
};
use bytes::Bytes;
use nfs3_types::nfs3;
use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// Requests under way on every open connection before another one is opened.
const BUSY: usize = 8;
/// How long no further connection is tried after one could not be opened while others stand.
const GROW_AGAIN: Duration = Duration::from_secs(5);
/// How often a request is sent over another connection after its own broke. A request that breaks the server
/// must not do so for ever.
const RESENDS: u32 = 3;
/// Pauses between attempts to reach a server that is away; they double.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Connections to one server's NFS port.
pub(crate) struct Pool {
    manner: Manner,
    credential: Credential,
    /// Name of the server, whose other addresses are tried when the one in use does not answer.
    host: String,
    /// Ask the portmapper again when nothing listens at the port any more.
    port_may_move: bool,
    slots: Semaphore,
    opening: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

struct State {
    server: SocketAddr,
    open: Vec<Rpc>,
    /// The server was there once: what is refused now may be a restart.
    met: bool,
    /// No further connection is opened before.
    grow_at: Option<Instant>,
    /// Attempts that failed, and how the last one did.
    failed: u64,
    failure: Option<Failure>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("server", &self.server()).finish_non_exhaustive()
    }
}

impl Pool {
    pub fn new(manner: Manner, credential: Credential, host: &str, server: SocketAddr, port_may_move: bool) -> Self {
        let state = State { server, open: Vec::new(), met: false, grow_at: None, failed: 0, failure: None };
        Self {
            slots: Semaphore::new(manner.in_flight),
            manner,
            credential,
            host: host.to_owned(),
            port_may_move,
            opening: tokio::sync::Mutex::default(),
            state: Mutex::new(state),
        }
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
            state.open.clear();
        }
    }

    /// How many requests can be under way.
    pub fn width(&self) -> usize {
        self.manner.in_flight
    }

    /// One NFS request.
    pub async fn nfs<T>(
        &self,
        procedure: &Procedure,
        arguments: Bytes,
        decode: impl Fn(Bytes) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let _slot = self.slots.acquire().await.expect("the semaphore is never closed");
        let since = Instant::now();
        let mut failure = match self.sent(procedure, &arguments, &decode).await {
            Err(failure) if lost(&failure) => failure,
            done => return done,
        };
        let mut resends = 0;
        let mut pause = Duration::ZERO;
        loop {
            match &failure {
                Failure::Rpc(RpcError::Closed(_)) if resends < RESENDS => resends += 1,
                Failure::Rpc(RpcError::Connect(_)) if self.state().met => {}
                _ => return Err(failure),
            }
            if since.elapsed() + pause > self.manner.reconnect_for {
                return Err(failure);
            }
            tracing::debug!(op = procedure.name, %failure, ?pause, "sending again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
            // All of it is one request to whoever waits for it.
            let limit = self.manner.rpc.call_timeout;
            let again =
                tokio::time::timeout(limit.saturating_sub(since.elapsed()), self.sent(procedure, &arguments, &decode));
            failure = match again.await {
                Err(_elapsed) => return Err(Failure::Rpc(RpcError::Timeout(limit))),
                Ok(Err(failure)) if lost(&failure) => failure,
                Ok(done) => return done,
            };
        }
    }

    async fn sent<T>(
        &self,
        procedure: &Procedure,
        arguments: &Bytes,
        decode: impl Fn(Bytes) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let rpc = self.connection().await?;
        self.manner.ask(&rpc, procedure, &self.credential, arguments.clone(), decode).await
    }

    /// The open connection with the least to do, or a new one.
    async fn connection(&self) -> Result<Rpc, Failure> {
        let (seen, standing) = {
            let mut state = self.state();
            let standing = state.least_busy();
            if let Some(rpc) = &standing
                && (rpc.under_way() < BUSY
                    || state.open.len() >= self.manner.connections
                    || state.grow_at.is_some_and(|at| Instant::now() < at))
            {
                return Ok(rpc.clone());
            }
            (state.failed, standing)
        };
        if let Some(rpc) = standing {
            let Ok(_one_at_a_time) = self.opening.try_lock() else { return Ok(rpc) };
            return Ok(self.opened().await.unwrap_or_else(|failure| {
                tracing::debug!(%failure, "no further connection");
                self.state().grow_at = Some(Instant::now() + GROW_AGAIN);
                rpc
            }));
        }
        let _one_at_a_time = self.opening.lock().await;
        {
            // Whoever had the lock before has found out for all that wait.
            let mut state = self.state();
            if let Some(rpc) = state.least_busy() {
                return Ok(rpc);
            }
            if state.failed != seen
                && let Some(failure) = &state.failure
            {
                return Err(failure.clone());
            }
        }
        self.opened().await.inspect_err(|failure| {
            let mut state = self.state();
            state.failed += 1;
            state.failure = Some(failure.clone());
        })
    }

    async fn opened(&self) -> Result<Rpc, Failure> {
        let rpc = self.reached().await?;
        let mut state = self.state();
        state.server = rpc.peer();
        state.met = true;
        state.open.push(rpc.clone());
        Ok(rpc)
    }

    /// A new connection: to the address in use, or where the portmapper says that NFS went, or to another
    /// address of the host.
    async fn reached(&self) -> Result<Rpc, Failure> {
        let server = self.server();
        let refused = match self.manner.connect(server).await {
            Err(Failure::Rpc(RpcError::Connect(cause))) if self.state().met => cause,
            done => return done,
        };
        if self.port_may_move
            && refused.kind() == io::ErrorKind::ConnectionRefused
            && let Ok(port) = self.manner.port_of(server.ip(), nfs3::PROGRAM, "NFS").await
            && port != server.port()
        {
            return self.manner.connect(SocketAddr::new(server.ip(), port)).await;
        }
        let elsewhere = rpc::Address::new(&self.host, server.port());
        match Rpc::connect(&elsewhere, NFS, &self.manner.rpc).await {
            Ok(rpc) => Ok(rpc),
            // What the address in use said is what counts.
            Err(_) => Err(Failure::Rpc(RpcError::Connect(refused))),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The open connection with the least to do. What was closed is forgotten.
    fn least_busy(&mut self) -> Option<Rpc> {
        self.open.retain(|rpc| !rpc.is_closed());
        self.open.iter().min_by_key(|rpc| rpc.under_way()).cloned()
    }
}

/// Was the connection lost under the request, or could none be made?
fn lost(failure: &Failure) -> bool {
    matches!(failure, Failure::Rpc(RpcError::Closed(_) | RpcError::Connect(_)))
}
