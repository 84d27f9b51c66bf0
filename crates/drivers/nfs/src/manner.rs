//! How requests are sent: with what patience, from what port, and who is told of them.

use crate::{
    NfsOptions, TlsStart,
    address::Address,
    decode,
    failure::Failure,
    rpc::{Credential, Program, Rpc, RpcError, RpcOptions, Tls, TlsError},
    xdr::Writer,
};
use bytes::Bytes;
use nfs3_types::{
    mount, nfs3,
    portmap::{self, IPPROTO_TCP, PMAP_PORT},
};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};
use storage::{Error, ErrorKind, Probe, Reach, Result as Answer};

/// A procedure with the protocol's word for it, as probes get it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Procedure {
    program: Program,
    number: u32,
    pub name: &'static str,
}

impl Procedure {
    /// One of NFSv3 (RFC 1813, section 3.3).
    pub const fn nfs(number: u32, name: &'static str) -> Self {
        Self { program: NFS, number, name }
    }
    /// One of MOUNT v3 (RFC 1813, section 5.2).
    pub const fn mount(number: u32, name: &'static str) -> Self {
        Self { program: MOUNT, number, name }
    }
}

/// The portmapper's own (RFC 1833, section 3.2).
const GETPORT: Procedure = Procedure { program: PORTMAP, number: 3, name: "GETPORT" };
const PORTMAP: Program = Program { number: portmap::PROGRAM, version: portmap::VERSION };
/// NFSv3 and what mounts it.
pub(crate) const NFS: Program = Program { number: nfs3::PROGRAM, version: nfs3::VERSION };
pub(crate) const MOUNT: Program = Program { number: mount::PROGRAM, version: mount::VERSION };

/// How connections are made and how long anything may take.
#[derive(Clone)]
pub(crate) struct Manner {
    pub rpc: RpcOptions,
    pub reconnect_for: Duration,
    pub connections: usize,
    pub in_flight: usize,
    pub read_ahead: usize,
    pub probe: Arc<dyn Probe>,
}

impl fmt::Debug for Manner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manner").field("rpc", &self.rpc).field("connections", &self.connections).finish_non_exhaustive()
    }
}

impl Manner {
    /// For the server at `address`. Errors: `Invalid` (a CA bundle that cannot be read).
    pub fn new(options: &NfsOptions, address: &Address) -> Answer<Self> {
        let tls = address.tls.as_ref().map(|tls| Tls::new(tls, &address.host)).transpose().map_err(|why| {
            let error = Error::new(ErrorKind::Invalid, "prepare TLS").with_reach(Reach::Location);
            error.because(why).hint("name a PEM file with certificates by `?ca=FILE`")
        })?;
        let rpc = RpcOptions {
            connect_timeout: options.connect_timeout,
            call_timeout: options.request_timeout,
            privileged_port: options.privileged_port,
            tls,
            ..RpcOptions::default()
        };
        Ok(Self {
            rpc,
            reconnect_for: options.reconnect_for.min(options.request_timeout),
            connections: options.connections.get(),
            in_flight: options.in_flight.get(),
            read_ahead: options.read_ahead.get(),
            probe: options.probe.clone(),
        })
    }

    /// Is a TLS tunnel before the server? Then no portmapper knows its ports.
    pub fn is_tunnelled(&self) -> bool {
        self.rpc.tls.as_ref().is_some_and(|tls| tls.start == TlsStart::Direct)
    }

    /// Connects to NFS at one address.
    pub async fn connect(&self, to: SocketAddr) -> Result<Rpc, Failure> {
        Ok(Rpc::connect(&to.into(), NFS, &self.rpc).await?)
    }

    /// Connects to MOUNT at one address: plainly when TLS is for the server to offer and it does so for NFS only.
    pub async fn connect_to_mount(&self, to: SocketAddr) -> Result<Rpc, Failure> {
        match Rpc::connect(&to.into(), MOUNT, &self.rpc).await {
            Err(RpcError::Tls(TlsError::NotOffered(answer))) => {
                tracing::warn!(server = %to, answer, "MOUNT has no TLS there: the path and the export's handle go plainly");
                self.connect_plainly(to, MOUNT).await
            }
            answer => Ok(answer?),
        }
    }

    async fn connect_plainly(&self, to: SocketAddr, program: Program) -> Result<Rpc, Failure> {
        Ok(Rpc::connect(&to.into(), program, &RpcOptions { tls: None, ..self.rpc.clone() }).await?)
    }

    /// Sends one call, waits for its answer and tells the probe.
    pub async fn ask<T>(
        &self,
        rpc: &Rpc,
        procedure: &Procedure,
        credential: &Credential,
        arguments: Bytes,
        decode: impl FnOnce(Bytes) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let since = Instant::now();
        let Procedure { program: Program { number: program, version }, number, name } = *procedure;
        let reply = rpc.call(program, version, number, credential, arguments).await;
        let took = since.elapsed();
        let answer = reply.map_err(Failure::Rpc).and_then(decode);
        self.probe.observed(name, took, answer.is_ok());
        answer
    }

    /// Asks the portmapper of `server` where a program of version 3 listens.
    pub async fn port_of(&self, server: IpAddr, program: u32, name: &'static str) -> Result<u16, Failure> {
        let portmapper = self.connect_plainly(SocketAddr::new(server, PMAP_PORT), PORTMAP).await?;
        let mut arguments = Writer::default();
        arguments.u32(program).u32(3).u32(IPPROTO_TCP).u32(0);
        let answer = self
            .ask(&portmapper, &GETPORT, &Credential::none(), arguments.into_bytes(), |reply| decode::port(&reply))
            .await?;
        answer.ok_or(Failure::NotRegistered(name))
    }
}
