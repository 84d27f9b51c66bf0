//! How to connect: who we are to the server, how safely, over how many connections, how patiently.

use std::{fmt, num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};
use storage::{NoProbe, Probe};
use zeroize::Zeroizing;

/// How to connect. What the URI says (user, domain, `sign`, `encrypt`, `service`) wins over what stands here.
#[derive(Clone, Debug)]
pub struct SmbOptions {
    /// Who we are.
    pub credentials: Credentials,
    /// Longest wait for one connection to be made.
    pub connect_timeout: Duration,
    /// Longest wait for one answer. When the server says that it works on it, the wait starts once more.
    pub request_timeout: Duration,
    /// How long a request goes on trying to reach a server that was there and is away: it restarts, or moves to
    /// its partner. Never longer than `request_timeout`.
    pub reconnect_for: Duration,
    /// Connections to one server, at most; each carries many requests at a time. Opened when needed.
    pub connections: NonZeroUsize,
    /// Whether every message is signed.
    pub signing: Demand,
    /// Whether every message is encrypted.
    pub encryption: Demand,
    /// The host that a ticket must be for, where the location calls the server by an address or an alias that the
    /// domain does not know. Servers that links of DFS lead to go by their own names.
    pub service: Option<String>,
    /// Told of every request.
    pub probe: Arc<dyn Probe>,
}

impl Default for SmbOptions {
    fn default() -> Self {
        Self {
            credentials: Credentials::Guest,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_mins(1),
            reconnect_for: Duration::from_secs(20),
            connections: const { NonZeroUsize::new(4).expect("4 is not 0") },
            signing: Demand::AsServer,
            encryption: Demand::AsServer,
            service: None,
            probe: Arc::new(NoProbe),
        }
    }
}

/// Whether to protect messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Demand {
    /// Where the server or the share demands it.
    #[default]
    AsServer,
    /// Always; connecting fails where the server cannot.
    Required,
}

/// Who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// A user with a password, by NTLMv2.
    Password {
        /// The name of the account.
        user: String,
        /// Its domain; empty for the server's own accounts.
        domain: String,
        /// Its password.
        password: Secret,
    },
    /// A ticket, by the Kerberos library of this machine.
    Kerberos {
        /// `alice@EXAMPLE.COM`; the cache's or the keytab's own when absent.
        principal: Option<String>,
        /// A keytab to get tickets with.
        keytab: Option<PathBuf>,
        /// A cache of tickets; this machine's default when absent.
        ccache: Option<String>,
    },
    /// Whoever the server takes for a guest. Nothing is signed or encrypted then.
    Guest,
    /// Nobody: a null session. Nothing is signed or encrypted then.
    Anonymous,
}

impl Credentials {
    /// May the server take us for a guest?
    pub(crate) const fn may_be_guest(&self) -> bool {
        matches!(self, Self::Guest | Self::Anonymous)
    }
}

/// A text that nothing prints, wiped when it is dropped.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}
impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}
impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
