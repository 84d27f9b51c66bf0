//! What went wrong with a request, and the one place where that becomes a [`storage::Error`].

use super::{
    attributes::Locations,
    status::{self, Status},
};
use crate::{again::Outdated, rpc::RpcError, xdr::Malformed};
use model::RelPath;
use std::{fmt, io, time::Duration};
use storage::{Error, ErrorKind, Reach, Retry};

const AUTH_HINT: &str = "the server does not take AUTH_SYS from here: it may want Kerberos (`sec=krb5`), which is not spoken for \
                         NFSv4, or a connection from a port below 1024 (run as root), or TLS (`?tls`)";

/// Why there is no answer, or what it says. Cheap to clone: everybody who waited for one session gets the same.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The server answered with this status.
    Status(Status),
    /// The file system is elsewhere, at one of these places.
    Moved(Locations),
    /// The answer makes no sense.
    Malformed(Malformed),
    /// The RPC layer refused, or the connection broke under the request.
    Rpc(RpcError),
    /// No slot of the session came free within this time.
    NoSlot(Duration),
    /// The session that the server grants is too small for any work.
    Narrow(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::Moved(Locations(places)) if places.is_empty() => {
                write!(f, "{}: the server does not say where to", Status::MOVED)
            }
            Self::Moved(Locations(places)) => {
                write!(f, "{}: the file system is at `{}`", Status::MOVED, places.join("`, `"))
            }
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::Rpc(error) => error.fmt(f),
            Self::NoSlot(limit) => write!(f, "every slot of the session was taken for {limit:?}"),
            Self::Narrow(why) => write!(f, "the server grants a session that is too small: {why}"),
        }
    }
}
impl std::error::Error for Failure {}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}
impl From<RpcError> for Failure {
    fn from(error: RpcError) -> Self {
        Self::Rpc(error)
    }
}

impl Outdated for Failure {
    fn is_stale(&self) -> bool {
        matches!(self, Self::Status(status) if status.is_stale())
    }

    fn is_missing(&self) -> bool {
        matches!(self, Self::Status(Status::NOENT))
    }
}

impl Failure {
    /// The answer to a request about a handle and no name below it. That nothing is there then means that the handle
    /// is of something that was removed, and that the server still has open.
    pub fn of_handle(self) -> Self {
        if self.is_missing() { Self::Status(Status::STALE) } else { self }
    }

    /// Was it there a moment ago, and is gone?
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Status(status) if status.is_gone())
    }

    /// Was no connection made, or did it break?
    pub fn is_of_the_connection(&self) -> bool {
        matches!(self, Self::Rpc(RpcError::Connect(_) | RpcError::Closed(_)))
    }

    /// Is another session needed, after which the request may be sent again?
    pub fn wants_new_session(&self) -> bool {
        match self {
            Self::Status(status) => status.wants_new_session(),
            Self::Rpc(RpcError::Closed(_)) => true,
            _ => false,
        }
    }

    /// The error for whoever asked to do `op` at `path`.
    pub fn at(self, op: &'static str, path: &RelPath) -> Error {
        self.error(op).at(path)
    }

    /// The error for whoever asked to do `op`.
    pub fn error(self, op: &'static str) -> Error {
        let error = match &self {
            Self::Status(status) => status.error(op),
            Self::Moved(Locations(places)) => {
                let error = Status::MOVED.error(op);
                match places.first() {
                    Some(place) => error.hint(format!("open it where it is: `nfs://{}`", place.replacen(':', "", 1))),
                    None => error,
                }
            }
            Self::Malformed(_) | Self::Narrow(_) => Error::new(ErrorKind::Unexpected, op),
            Self::Rpc(error) => of_rpc(error, op),
            Self::NoSlot(_) => Error::new(ErrorKind::Timeout, op),
        };
        error.because(self)
    }
}

fn of_rpc(error: &RpcError, op: &'static str) -> Error {
    match error {
        RpcError::Connect(cause) => of_connect(cause, op),
        RpcError::Tls(error) => error.error(op),
        RpcError::Closed(_) => Error::new(ErrorKind::Disconnected, op),
        RpcError::Timeout(_) => Error::new(ErrorKind::Timeout, op),
        RpcError::Auth(_) => Error::new(ErrorKind::Unauthenticated, op).hint(AUTH_HINT),
        RpcError::ProgUnavail
        | RpcError::ProgMismatch { .. }
        | RpcError::RpcMismatch { .. }
        | RpcError::ProcUnavail => {
            Error::new(ErrorKind::Unsupported, op).with_reach(Reach::Location).hint(status::version_hint())
        }
        RpcError::SystemErr => Error::new(ErrorKind::Unexpected, op).with_retry(Retry::Backoff),
        RpcError::GarbageArgs | RpcError::Malformed(_) | RpcError::TooLong { .. } => {
            Error::new(ErrorKind::Unexpected, op)
        }
    }
}

fn of_connect(cause: &io::Error, op: &'static str) -> Error {
    let error = |kind| Error::new(kind, op).with_reach(Reach::Location);
    match cause.kind() {
        io::ErrorKind::TimedOut => error(ErrorKind::Timeout).hint("is the host right, and is a firewall in between?"),
        io::ErrorKind::PermissionDenied => error(ErrorKind::Denied)
            .hint("only root, or a process with CAP_NET_BIND_SERVICE, may use a port below 1024"),
        io::ErrorKind::ConnectionRefused => error(ErrorKind::Disconnected)
            .hint("nothing listens there: is the server up, and is the port right (2049 for NFSv4 on most servers)?"),
        _ => error(ErrorKind::Disconnected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_referral_says_where_to() {
        let error = Failure::Moved(Locations(vec!["b.example:/x".into()])).error("list");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.hint_text(), Some("open it where it is: `nfs://b.example/x`"));
    }

    #[test]
    fn a_broken_connection_may_be_tried_again() {
        let broken = Failure::Rpc(RpcError::Closed(Arc::new(io::ErrorKind::ConnectionReset.into())));
        assert!(broken.wants_new_session());
        assert_eq!(
            (broken.clone().error("read").kind(), broken.error("read").retry()),
            (ErrorKind::Disconnected, Retry::Backoff)
        );
        let old = Failure::Rpc(RpcError::ProgMismatch { low: 3, high: 3 }).error("list");
        assert_eq!(old.kind(), ErrorKind::Unsupported);
        assert!(old.hint_text().unwrap().contains("version=3"));
    }
}
