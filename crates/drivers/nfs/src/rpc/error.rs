//! Why a call has no results.

use super::TlsError;
use std::{fmt, io, sync::Arc, time::Duration};

/// Why a call has no results. Cheap to clone: when a connection ends, every call in flight gets the same.
#[derive(Clone, Debug)]
pub(crate) enum RpcError {
    /// No connection could be made.
    Connect(Arc<io::Error>),
    /// No connection in TLS could be made, or only one.
    Tls(TlsError),
    /// The connection ended, before the call was sent or before it was answered.
    Closed(Arc<io::Error>),
    /// No answer within this time.
    Timeout(Duration),
    /// The server does not take who we are: `auth_stat` of RFC 5531, section 9, and RFC 2203.
    Auth(u32),
    /// The server speaks other versions of RPC itself.
    RpcMismatch { low: u32, high: u32 },
    /// The port does not serve this program.
    ProgUnavail,
    /// The port serves other versions of this program.
    ProgMismatch { low: u32, high: u32 },
    /// The program has no such procedure.
    ProcUnavail,
    /// The server could not decode the arguments.
    GarbageArgs,
    /// The server failed by itself.
    SystemErr,
    /// The reply makes no sense.
    Malformed(&'static str),
    /// A record of this many bytes, more than we take or send.
    TooLong { len: u64, most: usize },
}

impl RpcError {
    pub(super) fn closed(kind: io::ErrorKind, why: &'static str) -> Self {
        Self::Closed(Arc::new(io::Error::new(kind, why)))
    }
}

impl From<crate::xdr::Malformed> for RpcError {
    fn from(malformed: crate::xdr::Malformed) -> Self {
        Self::Malformed(malformed.0)
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(cause) => cause.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Closed(cause) => write!(f, "the connection ended: {cause}"),
            Self::Timeout(limit) => write!(f, "no answer within {limit:?}"),
            Self::Auth(stat) => match auth_name(*stat) {
                Some(name) => write!(f, "the server refuses the credential: {name}"),
                None => write!(f, "the server refuses the credential: auth_stat {stat}"),
            },
            Self::RpcMismatch { low, high } => write!(f, "the server speaks RPC {low} to {high}, not 2"),
            Self::ProgUnavail => f.write_str("the port does not serve this program (PROG_UNAVAIL)"),
            Self::ProgMismatch { low, high } => {
                write!(f, "the port serves versions {low} to {high} of this program (PROG_MISMATCH)")
            }
            Self::ProcUnavail => f.write_str("the server has no such procedure (PROC_UNAVAIL)"),
            Self::GarbageArgs => f.write_str("the server could not decode the request (GARBAGE_ARGS)"),
            Self::SystemErr => f.write_str("the server failed by itself (SYSTEM_ERR)"),
            Self::Malformed(why) => write!(f, "the answer is malformed: {why}"),
            Self::TooLong { len, most } => write!(f, "a record of {len} bytes, more than the {most} that are taken"),
        }
    }
}

impl std::error::Error for RpcError {}

/// RFC 5531, section 9, and RFC 2203, section 5.3.3.3.
fn auth_name(stat: u32) -> Option<&'static str> {
    Some(match stat {
        1 => "AUTH_BADCRED",
        2 => "AUTH_REJECTEDCRED",
        3 => "AUTH_BADVERF",
        4 => "AUTH_REJECTEDVERF",
        5 => "AUTH_TOOWEAK",
        6 => "AUTH_INVALIDRESP",
        7 => "AUTH_FAILED",
        13 => "RPCSEC_GSS_CREDPROBLEM",
        14 => "RPCSEC_GSS_CTXPROBLEM",
        _ => return None,
    })
}
