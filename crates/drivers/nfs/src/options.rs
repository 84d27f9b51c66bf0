//! How to connect: who we are to the server, over how many connections, how patiently.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};
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
    /// Connections to the server, and so requests under way, at most. They are opened when needed.
    pub connections: NonZeroUsize,
    /// Longest wait for one connection to be made.
    pub connect_timeout: Duration,
    /// Longest wait for one answer. Shorter than a hard mount's endless patience, because the retry wrapper
    /// asks again.
    pub request_timeout: Duration,
    /// Whether to come from a port below 1024, which most servers demand by default.
    pub privileged_port: PrivilegedPort,
    /// Told of every request.
    pub probe: Arc<dyn Probe>,
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
            connections: const { NonZeroUsize::new(8).expect("8 is not 0") },
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_mins(1),
            privileged_port: PrivilegedPort::Auto,
            probe: Arc::new(NoProbe),
        }
    }
}
