//! How to connect: who we are to the server, over how many connections, how patiently.

use std::{num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};
use storage::{NoProbe, Probe};

/// How to connect. What the URI says (`uid`, `gid`) wins over what stands here.
#[derive(Clone, Debug)]
pub struct NfsOptions {
    /// The user we claim to be; our own effective user by default.
    pub uid: u32,
    /// The group we claim to be in; our own effective group by default.
    pub gid: u32,
    /// Further groups, at most 16: AUTH_SYS has no room for more (RFC 5531, appendix A).
    pub aux_gids: Vec<u32>,
    /// Connections to the server at most. There is one at first; others are opened when those are busy.
    pub connections: NonZeroUsize,
    /// Requests under way at most, over all connections.
    pub in_flight: NonZeroUsize,
    /// READs under way for one file that is read as a stream. Each is of at most 1 MiB, and as much memory is
    /// held until the reader takes it.
    pub read_ahead: NonZeroUsize,
    /// Longest wait for one connection to be made.
    pub connect_timeout: Duration,
    /// Longest wait for one answer. Shorter than a hard mount's endless patience, because the retry wrapper
    /// asks again.
    pub request_timeout: Duration,
    /// How long a request goes on trying to reach a server that was there and is away: it restarts, or moves to
    /// its partner. Never longer than `request_timeout`.
    pub reconnect_for: Duration,
    /// Whether to come from a port below 1024, which most servers demand by default.
    pub privileged_port: PrivilegedPort,
    /// TLS around each connection. What the URI says (`tls`, `ca`) wins.
    pub tls: Option<NfsTls>,
    /// Told of every request.
    pub probe: Arc<dyn Probe>,
}

/// How TLS begins, and whom to trust. The certificate must be for the host of the location; we show none of ours.
///
/// RPC with TLS (RFC 9289) is offered by Linux (`xprtsec=`), FreeBSD and several filers; nfs-ganesha of Debian
/// 12 has none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NfsTls {
    /// Who begins.
    pub start: TlsStart,
    /// PEM files with certificates that are trusted besides the system's own.
    pub ca_bundles: Vec<PathBuf>,
}

/// How a connection gets into TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsStart {
    /// The server is asked before anything else is said (RFC 9289), TLS 1.3. NFS is not spoken to a server that does
    /// not say yes. The portmapper is asked plainly, as ever; MOUNT goes over TLS where its port offers that, and
    /// plainly with a warning where it does not, because most servers have TLS for NFS only: then the path and the
    /// handle of the export can be seen and changed on the way, and nothing else.
    #[default]
    Asked,
    /// From the first byte, as a TLS tunnel in front of the server has it, TLS 1.2 or 1.3; MOUNT as well. The portmapper
    /// is not asked: without ports in the URI, both NFS and MOUNT are at 2049.
    Direct,
}

/// Whether to connect from a port below 1024. Servers take it as a sign that root sent the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PrivilegedPort {
    /// When we may (root, or `CAP_NET_BIND_SERVICE`).
    #[default]
    Auto,
    /// Always; connecting fails when we may not.
    Yes,
    /// Never.
    No,
}

impl Default for NfsOptions {
    fn default() -> Self {
        Self {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            aux_gids: Vec::new(),
            connections: const { NonZeroUsize::new(4).expect("4 is not 0") },
            in_flight: const { NonZeroUsize::new(64).expect("64 is not 0") },
            read_ahead: const { NonZeroUsize::new(8).expect("8 is not 0") },
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_mins(1),
            reconnect_for: Duration::from_secs(20),
            privileged_port: PrivilegedPort::Auto,
            tls: None,
            probe: Arc::new(NoProbe),
        }
    }
}
